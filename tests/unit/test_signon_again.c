/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sign-on that was kept behind a State and goes on under another policy, configuration or set of CA
 * certificates than it began with. */
#include "signon_world.h"

#include "core/base/json.h"
#include "core/policy/policy_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define RULE(name, priority, conditions, action)                                                   \
    "{\"name\":\"" name "\",\"priority\":" #priority ",\"status\":\"ACTIVE\",\"conditions\":"      \
    "{" conditions "},\"actions\":{\"appSignOn\":{" action "}}}"
#define POLICY(rules) "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[" rules "]}"
#define ANY "\"device\":{\"trust\":\"NOT_TRUSTED\"}"
#define ASK                                                                                        \
    "\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\",\"factors\":"       \
    "[\"push\",\"token:software:totp\"]}"
#define ASK_PUSH                                                                                   \
    "\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\",\"factors\":"       \
    "[\"push\"]}"
#define LAST RULE("Last", 99, "", "\"access\":\"DENY\"")
#define DENY_ALL POLICY(RULE("Nobody", 1, "", "\"access\":\"DENY\""))
#define ALLOW_ALL POLICY(RULE("Everybody", 1, "", "\"access\":\"ALLOW\""))

static char const guide[] = POLICY(RULE("Ask", 1, ANY, ASK) "," LAST);
static char const renamed[] = POLICY(RULE("Ask others", 1, ANY, ASK) "," LAST);
static char const push_only[] = POLICY(RULE("Ask", 1, ANY, ASK_PUSH) "," LAST);
static char const by_group[] =
    POLICY(RULE("Staff", 1, "\"people\":{\"groups\":{\"include\":[\"staff\"]}}", ASK) "," LAST);
static char const nobody_fits[] =
    POLICY(RULE("Others", 1, "\"people\":{\"users\":{\"include\":[\"zoe\"]}}", ASK) "," LAST);

static char const hash_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static char const hash_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static char const *const extra[] = {"policy", "unknown_device_as", "not_trusted", NULL};

static dt_policy *parse(char const *text, char const hash[65])
{
    dt_policy *p = NULL;
    dt_json *root = NULL;
    dt_error e = {0};

    if (dt_json_parse(dt_bytes_str(text), &root, &e) < 0 ||
        dt_policy_parse(root, "vpn.json", NULL, &p, &e) < 0)
        fail_msg("%s", e.text);
    dt_json_free(&root);
    dt_policy_set_hash(p, hash);
    return p;
}

/* A person is asked for a passcode, and the sign-on is kept. */
static void keep(world *w, dt_buf *saved, char const *factors)
{
    dt_request r = world_request();

    r.conversation = DT_CONVERSATION_CHALLENGE;
    r.push_prompt = true;
    world_open(w, guide, extra);
    dt_policy_set_hash(w->policy, hash_a);
    w->ruleset.config_hash = w->ruleset.ca_hash = hash_a;
    w->ruleset.generation = 1;
    world_expect(w, DT_HTTP_GET, "/users/", 200, OKTA_USER);
    world_expect(w, DT_HTTP_GET, "/factors", 200, factors);
    if (factors == OKTA_FACTORS)
        world_expect(w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    world_begin(w, &r);
    while (world_run(w) == DT_STEP_WAIT)
        world_wait(w);
    assert_int_equal(w->step.kind, DT_STEP_PROMPT);
    dt_signon_prompt_shown(w->machine, w->now);
    dt_buf_init(saved, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w->machine, saved), 0);
    world_machine_spoil(w->machine);
    w->now += DT_MINUTES(1);
}

static void load(world *w, dt_buf *saved, dt_policy *policy)
{
    w->ruleset.policy = policy;
    w->ruleset.generation = 2;
    assert_int_equal(dt_signon_load(w->machine, &w->ruleset, dt_buf_bytes(saved)), 0);
    dt_buf_free(saved);
}

static void end(world *w, dt_policy **policy, dt_result result, dt_cause cause)
{
    assert_int_equal(w->step.kind, DT_STEP_DONE);
    assert_string_equal(dt_cause_name(world_outcome(w)->cause), dt_cause_name(cause));
    assert_int_equal(world_outcome(w)->result, result);
    world_all_used(w);
    if (policy != NULL)
        dt_policy_free(policy);
    world_close(w);
}

/* What the event keeps, so that the sign-on can be decided again. */
static bool is_recorded(world const *w)
{
    char text[DT_POLICY_RECORD_MAX + 1];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_signon_policy_record(w->machine, &b);
    assert_int_equal(dt_buf_error(&b), 0);
    return b.len > 0;
}

/* The right passcode, under another policy; nothing must be sent to Okta unless `asks`. */
static void answer_under(char const *text, bool asks, dt_result result, dt_cause cause,
                         char const *rule)
{
    world w;
    dt_buf saved;
    dt_policy *p = parse(text, hash_b);

    keep(&w, &saved, OKTA_FACTORS_TOTP);
    load(&w, &saved, p);
    if (asks)
        world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    world_answer(&w, "123456");
    if (rule != NULL)
        assert_string_equal(world_outcome(&w)->decision.rule, rule);
    assert_false(is_recorded(&w)); /* two policies had a part in it */
    end(&w, &p, result, cause);
}

static void what_one_policy_decided_is_recorded(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    world_open(&w, ALLOW_ALL, extra);
    world_begin(&w, &r);
    (void)world_run(&w);
    assert_true(is_recorded(&w));
    end(&w, NULL, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
}

static void the_same_site_is_not_asked_again(void **state)
{
    world w;
    dt_buf saved;

    (void)state;
    keep(&w, &saved, OKTA_FACTORS_TOTP);
    load(&w, &saved, w.policy);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    world_answer(&w, "123456");
    end(&w, NULL, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
}

static void a_tightened_policy_denies(void **state)
{
    (void)state;
    answer_under(DENY_ALL, false, DT_DENY, DT_CAUSE_RULE_DENY, "Nobody");
    answer_under(nobody_fits, false, DT_DENY, DT_CAUSE_RULE_DENY, "Last");
}

static void another_rule_takes_over(void **state)
{
    (void)state;
    answer_under(renamed, true, DT_ALLOW, DT_CAUSE_MFA_SUCCESS, "Ask others");
}

static void a_loosened_policy_asks_to_the_end(void **state)
{
    (void)state;
    answer_under(ALLOW_ALL, true, DT_ALLOW, DT_CAUSE_MFA_SUCCESS, "Everybody");
}

static void factors_that_are_no_longer_allowed(void **state)
{
    (void)state;
    answer_under(push_only, false, DT_DENY, DT_CAUSE_STATE_INVALID, NULL);
}

static void groups_that_were_not_kept(void **state)
{
    (void)state;
    answer_under(by_group, false, DT_DENY, DT_CAUSE_STATE_INVALID, NULL);
}

static void other_authorities_end_it(void **state)
{
    world w;
    dt_buf saved;

    (void)state;
    keep(&w, &saved, OKTA_FACTORS_TOTP);
    w.ruleset.ca_hash = hash_b;
    load(&w, &saved, w.policy);
    world_answer(&w, "123456");
    end(&w, NULL, DT_DENY, DT_CAUSE_STATE_INVALID);
}

/* unknown_device_as and the like are looked at anew. */
static void another_configuration_is_asked(void **state)
{
    world w;
    dt_buf saved;

    (void)state;
    keep(&w, &saved, OKTA_FACTORS_TOTP);
    w.ruleset.config_hash = hash_b;
    w.config->mfa.factors = DT_FACTOR_PUSH;
    load(&w, &saved, w.policy);
    world_answer(&w, "123456");
    end(&w, NULL, DT_DENY, DT_CAUSE_STATE_INVALID);
}

/* A push that waits is taken back, not left on the person's phone. */
static void a_push_is_taken_back(void **state)
{
    world w;
    dt_buf saved;
    dt_policy *p = parse(DENY_ALL, hash_b);

    (void)state;
    keep(&w, &saved, OKTA_FACTORS);
    load(&w, &saved, p);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/", 204, "");
    world_answer(&w, "");
    end(&w, &p, DT_DENY, DT_CAUSE_RULE_DENY);
}

/* Saved while Okta was asked about a push: even its approval allows nothing before the sign-on was
 * decided again. */
static void nothing_is_allowed_before(void **state)
{
    world w;
    dt_buf saved;
    dt_step step;
    dt_policy *p = parse(DENY_ALL, hash_b);
    dt_request r = world_request();
    dt_http_response approved = {.failure = DT_HTTP_OK,
                                 .status = 200,
                                 .body = dt_bytes_str(OKTA_SUCCESS),
                                 .rate_limit = -1,
                                 .rate_remaining = -1,
                                 .next_link = ""};

    (void)state;
    world_open(&w, guide, extra);
    dt_policy_set_hash(w.policy, hash_a);
    world_expect(&w, DT_HTTP_GET, "/users/", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    w.now = w.step.until;
    dt_signon_next(w.machine, w.now, &step);
    assert_int_equal(step.kind, DT_STEP_HTTP);
    dt_buf_init(&saved, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &saved), 0);
    load(&w, &saved, p);
    dt_signon_http_done(w.machine, &approved, w.now);
    assert_int_equal(dt_signon_outcome(w.machine)->result, DT_DENY);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    end(&w, &p, DT_DENY, DT_CAUSE_INTERNAL);
}

/* Saved when Okta had said yes and only the push's record was still to be written: the yes was given
 * under the former policy. */
static void a_yes_under_the_former_policy_is_void(void **state)
{
    world w;
    dt_buf saved;
    dt_step step;
    dt_policy *p = parse(DENY_ALL, hash_b);
    dt_request r = world_request();
    dt_http_response approved = {.failure = DT_HTTP_OK,
                                 .status = 200,
                                 .body = dt_bytes_str(OKTA_SUCCESS),
                                 .rate_limit = -1,
                                 .rate_remaining = -1,
                                 .next_link = ""};

    (void)state;
    world_open(&w, guide, extra);
    dt_policy_set_hash(w.policy, hash_a);
    world_expect(&w, DT_HTTP_GET, "/users/", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    w.now = w.step.until;
    dt_signon_next(w.machine, w.now, &step);
    assert_int_equal(step.kind, DT_STEP_HTTP);
    dt_signon_http_done(w.machine, &approved, w.now);
    dt_signon_next(w.machine, w.now, &step);
    assert_int_equal(step.kind, DT_STEP_STORE);
    dt_buf_init(&saved, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &saved), 0);
    w.ruleset.policy = p;
    w.ruleset.generation = 2;
    assert_int_equal(dt_signon_load(w.machine, &w.ruleset, dt_buf_bytes(&saved)), DT_E_PARSE);
    dt_buf_free(&saved);
    dt_policy_free(&p);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(what_one_policy_decided_is_recorded),
        cmocka_unit_test(the_same_site_is_not_asked_again),
        cmocka_unit_test(a_tightened_policy_denies),
        cmocka_unit_test(another_rule_takes_over),
        cmocka_unit_test(a_loosened_policy_asks_to_the_end),
        cmocka_unit_test(factors_that_are_no_longer_allowed),
        cmocka_unit_test(groups_that_were_not_kept),
        cmocka_unit_test(other_authorities_end_it),
        cmocka_unit_test(another_configuration_is_asked),
        cmocka_unit_test(a_push_is_taken_back),
        cmocka_unit_test(nothing_is_allowed_before),
        cmocka_unit_test(a_yes_under_the_former_policy_is_void),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
