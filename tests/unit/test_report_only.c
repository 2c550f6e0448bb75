/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons that are only reported: nothing is asked of anybody, nothing allows, and faults deny. */
#include "signon_world.h"

#include "core/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define POLICY(more, conditions, action)                                                           \
    "{\"name\":\"vpn\",\"application\":\"vpn\"," more "\"rules\":[{\"name\":\"one\",\"priority\":" \
    "1,\"status\":\"ACTIVE\",\"conditions\":{" conditions "},\"actions\":{\"appSignOn\":{" action  \
    "}}}]}"
#define ALLOW "\"access\":\"ALLOW\""
#define DENY "\"access\":\"DENY\""
#define ASK                                                                                        \
    "\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\",\"factors\":"       \
    "[\"push\",\"token:software:totp\"]}"

static char const *const on[] = {
    "policy", "unknown_device_as", "not_trusted", "policy", "report_only", "yes", NULL};
static char const *const off[] = {"policy", "unknown_device_as", "not_trusted", NULL};

/* No request is expected of Okta: one that is made fails the test. */
static dt_outcome run(char const *policy, char const *const *extra, bool with_policy)
{
    world w;
    dt_request r = world_request();

    r.conversation = DT_CONVERSATION_LIVE;
    r.passcode = "123456"; /* not even one that came along is used */
    world_open(&w, policy, extra);
    if (!with_policy)
        w.ruleset.policy = NULL;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    world_all_used(&w);
    dt_outcome o = *world_outcome(&w);
    world_close(&w);
    return o;
}

static void assert_reported(dt_outcome const *o, dt_would would, dt_cause cause)
{
    assert_true(dt_outcome_is_report_only(o));
    assert_int_equal(o->result, DT_DENY);
    assert_string_equal(dt_cause_name(o->cause), "REPORT_ONLY");
    assert_string_equal(dt_would_name(o->would), dt_would_name(would));
    assert_string_equal(dt_cause_name(o->would_cause), dt_cause_name(cause));
    assert_string_equal(o->decision.rule, "one");
}

static void what_would_have_been(void **state)
{
    (void)state;
    dt_outcome o = run(POLICY("", "", ALLOW), on, true);
    assert_reported(&o, DT_WOULD_ALLOW, DT_CAUSE_RULE_ALLOW);
    o = run(POLICY("", "", DENY), on, true);
    assert_reported(&o, DT_WOULD_DENY, DT_CAUSE_RULE_DENY);
    o = run(POLICY("", "", ASK), on, true);
    assert_reported(&o, DT_WOULD_ASK, DT_CAUSE_NONE);
}

static void faults_deny(void **state)
{
    (void)state;
    dt_outcome o = run(POLICY("", "", ALLOW), on, false);
    assert_false(dt_outcome_is_report_only(&o));
    assert_int_equal(o.result, DT_DENY);
    assert_int_equal(o.cause, DT_CAUSE_CONFIG);
}

/* The policy's own word counts, either way. */
static void a_policy_has_the_last_word(void **state)
{
    (void)state;
    dt_outcome o = run(POLICY("\"reportOnly\":false,", "", DENY), on, true);
    assert_false(o.report_only);
    assert_int_equal(o.cause, DT_CAUSE_RULE_DENY);
    o = run(POLICY("\"reportOnly\":true,", "", DENY), off, true);
    assert_reported(&o, DT_WOULD_DENY, DT_CAUSE_RULE_DENY);
    o = run(POLICY("", "", DENY), off, true);
    assert_false(o.report_only);
    assert_int_equal(o.cause, DT_CAUSE_RULE_DENY);
}

static void only_true_and_false(void **state)
{
    static char const *const bad[] = {
        POLICY("\"reportOnly\":\"yes\",", "", DENY), POLICY("\"reportOnly\":1,", "", DENY),
        POLICY("\"reportOnly\":null,", "", DENY), POLICY("\"reportOnly\":[true],", "", DENY)};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dt_json *root = NULL;
        dt_policy *p = NULL;
        dt_error e = {0};

        assert_int_equal(dt_json_parse(dt_bytes_str(bad[i]), &root, &e), DT_OK);
        assert_int_equal(dt_policy_parse(root, "vpn.json", NULL, &p, &e), DT_E_INVALID);
        assert_non_null(strstr(e.text, "vpn.json#/reportOnly"));
        dt_json_free(&root);
    }
}

/* Who leaves, or a server that stops: reported as it would have been. */
static void giving_up(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY("", "", ASK), on);
    world_begin(&w, &r);
    dt_signon_abandon(w.machine, DT_CAUSE_BUSY, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    assert_true(dt_outcome_is_report_only(world_outcome(&w)));
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(what_would_have_been),
        cmocka_unit_test(faults_deny),
        cmocka_unit_test(a_policy_has_the_last_word),
        cmocka_unit_test(only_true_and_false),
        cmocka_unit_test(giving_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
