/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Okta password as first factor, and the org's own rules: no push before the password is right,
 * no call for whom a rule denies, nobody in without a SUCCESS of Okta about this very person. */
#include "core/signon/signon_internal.h"
#include "signon_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSWORD "korrekt \\\"H\xc3\xb6rse"

#define RULE(name, priority, conditions, action)                                                   \
    "{\"name\":\"" name "\",\"priority\":" priority                                                \
    ",\"status\":\"ACTIVE\",\"conditions\":" conditions ",\"actions\":{\"appSignOn\":" action "}}"
#define ALLOW "{\"access\":\"ALLOW\"}"
#define DENY "{\"access\":\"DENY\"}"
#define MFA                                                                                        \
    "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\",\"factors\":["     \
    "\"push\",\"token:software:totp\"]}}"
#define POLICY(rules) "{\"name\":\"VPN\",\"application\":\"vpn\",\"rules\":[" rules "]}"

static char const TRUSTED_IN[] = POLICY(RULE("trusted", "1", "{\"device\":{\"trust\":\"TRUSTED\"}}",
                                             ALLOW) "," RULE("others", "2", "null", MFA));
static char const ALL_IN[] = POLICY(RULE("all", "1", "null", ALLOW));
static char const NOBODY[] = POLICY(RULE("nobody", "1", "null", DENY));

static char const *const OKTA[] = {"primary", "okta_password", "ssh, vpn", NULL};
static char const *const WAIVED[] = {
    "primary",        "okta_password", "vpn",          "policy",      "org_mfa",
    "unless_trusted", "device_trust",  "trusted_when", "certificate", NULL};
static char const *const TRUSTING[] = {"primary",      "okta_password", "vpn", "device_trust",
                                       "trusted_when", "certificate",   NULL};

#define ANN "\"_embedded\":{\"user\":{\"id\":\"00u1\",\"profile\":{\"login\":\"ann@example.com\"}}}"
#define STATUS(word)                                                                               \
    "{\"stateToken\":\"007ucIX7PATyn94hsHfOLVaXAmOBkKHWnOOLG43bsb\",\"status\":\"" word "\"," ANN  \
    "}"
#define ERROR(code) "{\"errorCode\":\"" code "\",\"errorSummary\":\"Authentication failed\"}"
static char const SUCCESS[] = "{\"status\":\"SUCCESS\",\"sessionToken\":\"20111x\"," ANN "}";
static char const WRONG[] = ERROR("E0000004");

static dt_request request(void)
{
    dt_request r = world_request();

    r.password = PASSWORD;
    return r;
}

static dt_request trusted(world const *w)
{
    dt_request r = request();

    r.certificate = dt_bytes_of(w->leaf, w->leaf_len);
    r.handshake_finished = true;
    return r;
}

static void deny_with(world *w, dt_cause cause)
{
    dt_outcome const *o = world_outcome(w);

    world_all_used(w);
    if (o->cause != cause)
        fail_msg("%s, not %s: %s", dt_cause_name(o->cause), dt_cause_name(cause), o->detail);
    assert_int_equal(o->result, DT_DENY);
    assert_null(strstr(o->message, PASSWORD));
    assert_null(strstr(o->detail, PASSWORD));
}

/* Nothing of the password stays in the machine, wherever it went. */
static void assert_wiped(world const *w)
{
    assert_false(world_machine_holds(w->machine, "korrekt"));
    assert_false(world_machine_holds(w->machine, "007ucIX7"));
}

static void right_password_lets_in_what_the_rule_allows(void **state)
{
    (void)state;
    world w;
    dt_request r;

    world_open(&w, ALL_IN, OKTA);
    r = request();
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, SUCCESS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_ALLOW);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->primary, DT_PRIMARY_OKTA_VERIFIED);
    assert_string_equal(w.last_body, "{\"username\":\"ann@example.com\",\"password\":"
                                     "\"korrekt \\\\\\\"H\xc3\xb6rse\"}");
    assert_null(world_find(&w, DT_TABLE_PUSH_COUNT, "passwords:"));
    world_all_used(&w);
    assert_wiped(&w);
    world_close(&w);
}

static void trusted_device_and_right_password_need_no_mfa(void **state)
{
    (void)state;
    world w;
    dt_request r;

    world_open(&w, TRUSTED_IN, TRUSTING);
    r = trusted(&w);
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, SUCCESS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_RULE_ALLOW);
    world_close(&w);
}

static void unknown_device_and_right_password_need_mfa(void **state)
{
    (void)state;
    world w;
    dt_request r;

    world_open(&w, TRUSTED_IN, OKTA);
    r = request();
    r.conversation = DT_CONVERSATION_NONE;
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, SUCCESS);
    world_expect(&w, DT_HTTP_GET, "/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/verify", 201, OKTA_PUSH);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_SUCCESS);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

typedef struct reply_case {
    int status;
    char const *body;
    dt_cause cause;
} reply_case;

/* Every reply that is not exactly Okta's yes: no push, no MFA, nobody in; whatever okta_unavailable
 * says. */
static reply_case const refusals[] = {
    {401, "{\"errorCode\":\"E0000004\",\"errorSummary\":\"Authentication failed\"}",
     DT_CAUSE_PRIMARY_FAILED},
    {401, ERROR("E0000207"), DT_CAUSE_PRIMARY_FAILED},
    {401, ERROR("E0000064"), DT_CAUSE_PRIMARY_EXPIRED},
    {401, ERROR("E0000011"), DT_CAUSE_CONFIG},
    {401, ERROR("E0000015"), DT_CAUSE_CONFIG},
    {401, "", DT_CAUSE_CONFIG},
    {403, ERROR("E0000006"), DT_CAUSE_CONFIG},
    {403, ERROR("E0000069"), DT_CAUSE_PRIMARY_LOCKED},
    {403, ERROR("E0000119"), DT_CAUSE_PRIMARY_LOCKED},
    {403, ERROR("E0000259"), DT_CAUSE_PRIMARY_REFUSED},
    {403, "<html>", DT_CAUSE_PRIMARY_REFUSED},
    {400, ERROR("E0000001"), DT_CAUSE_PRIMARY_REFUSED},
    {404, ERROR("E0000007"), DT_CAUSE_PRIMARY_REFUSED},
    {423, ERROR("E0000155"), DT_CAUSE_PRIMARY_REFUSED},
    {500, ERROR("E0000009"), DT_CAUSE_OKTA_UNAVAILABLE},
    {503, ERROR("E0000010"), DT_CAUSE_OKTA_UNAVAILABLE},
    {504, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {504, ERROR("E0000067"), DT_CAUSE_MFA_PROVIDER_FAILED},
    {0, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {WORLD_TIMEOUT, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {200, STATUS("PASSWORD_EXPIRED"), DT_CAUSE_PRIMARY_EXPIRED},
    {200, STATUS("PASSWORD_RESET"), DT_CAUSE_PRIMARY_EXPIRED},
    {200, "{\"status\":\"LOCKED_OUT\",\"_embedded\":{}}", DT_CAUSE_PRIMARY_LOCKED},
    {200, STATUS("MFA_ENROLL"), DT_CAUSE_PRIMARY_ENROLL},
    {200, STATUS("MFA_ENROLL_ACTIVATE"), DT_CAUSE_PRIMARY_ENROLL},
    {200, STATUS("RECOVERY"), DT_CAUSE_PRIMARY_REFUSED},
    {200, STATUS("RECOVERY_CHALLENGE"), DT_CAUSE_PRIMARY_REFUSED},
    {200, STATUS("UNAUTHENTICATED"), DT_CAUSE_PRIMARY_REFUSED},
    {200, STATUS("success"), DT_CAUSE_PRIMARY_REFUSED},
    {200, STATUS("SUCCESS "), DT_CAUSE_PRIMARY_REFUSED},
    {200, STATUS("SUCCESSFUL"), DT_CAUSE_PRIMARY_REFUSED},
    {200, STATUS(""), DT_CAUSE_PRIMARY_REFUSED},
    {200, "{\"factorResult\":\"SUCCESS\"," ANN "}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200, "{\"status\":true," ANN "}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200, "{\"status\":[\"SUCCESS\"]," ANN "}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200, "\"SUCCESS\"", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200, "{\"status\":\"SUCCESS\"," ANN, DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200, "{\"status\":\"SUCCESS\"}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200, "{\"status\":\"SUCCESS\",\"_embedded\":{\"user\":{\"profile\":{\"login\":7}}}}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200, "{\"status\":\"SUCCESS\",\"_embedded\":{\"user\":{\"profile\":{\"login\":\"\"}}}}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200,
     "{\"status\":\"SUCCESS\",\"_embedded\":{\"user\":{\"profile\":{\"login\":"
     "\"bob@example.com\"}}}}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {200,
     "{\"status\":\"MFA_REQUIRED\",\"_embedded\":{\"user\":{\"profile\":{\"login\":"
     "\"bob@example.com\"}}}}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {201, "{\"status\":\"SUCCESS\"," ANN "}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {202, "{\"status\":\"SUCCESS\"," ANN "}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {302, "{\"status\":\"SUCCESS\"," ANN "}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {401, "{\"status\":\"SUCCESS\"," ANN "}", DT_CAUSE_CONFIG},
};

static void nothing_but_success_is_a_right_password(void **state)
{
    (void)state;
    char const *const open[] = {"primary",          "okta_password", "vpn", "policy",
                                "okta_unavailable", "allow",         NULL};
    char const *const policies[] = {ALL_IN, TRUSTED_IN};

    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        for (size_t k = 0; k < 2; k++) {
            world w;
            dt_request r;

            world_open(&w, policies[k], open);
            r = request();
            world_begin(&w, &r);
            world_expect(&w, DT_HTTP_POST, "/api/v1/authn", refusals[i].status, refusals[i].body);
            assert_int_equal(world_run(&w), DT_STEP_DONE);
            deny_with(&w, refusals[i].cause);
            assert_int_equal(world_outcome(&w)->primary, DT_PRIMARY_OKTA_PENDING);
            assert_true(world_outcome(&w)->detail[0]);
            assert_wiped(&w);
            world_close(&w);
        }
    }
}

/* Whoever has not shown the password hears the same, whatever it was that refused. */
static void refusals_before_the_password_sound_alike(void **state)
{
    (void)state;
    struct {
        char const *policy, *body, *password;
    } const cases[] = {
        {ALL_IN, WRONG, PASSWORD}, {TRUSTED_IN, WRONG, PASSWORD},         {NOBODY, NULL, PASSWORD},
        {ALL_IN, NULL, ""},        {ALL_IN, NULL, "\b\n\r\177INCORRECT"},
    };
    char first[DT_MESSAGE_MAX] = "";

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world w;
        dt_request r;

        world_open(&w, cases[i].policy, OKTA);
        r = request();
        r.password = cases[i].password;
        world_begin(&w, &r);
        if (cases[i].body)
            world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 401, cases[i].body);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        world_all_used(&w);
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        if (i == 0)
            memcpy(first, world_outcome(&w)->message, sizeof(first));
        assert_string_equal(world_outcome(&w)->message, first);
        assert_int_equal(world_outcome(&w)->okta_calls, cases[i].body ? 1 : 0);
        world_close(&w);
    }
    assert_true(first[0]);
}

static void a_rule_that_denies_costs_no_call_and_no_attempt(void **state)
{
    (void)state;
    world w;
    dt_request r;

    world_open(&w, NOBODY, OKTA);
    r = request();
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_RULE_DENY);
    assert_null(world_find(&w, DT_TABLE_PUSH_COUNT, ""));
    assert_wiped(&w);
    world_close(&w);
}

static void a_password_that_nobody_would_check_is_refused(void **state)
{
    (void)state;
    char const *const others[] = {"primary", "okta_password", "sshd", NULL};
    world w;
    dt_request r;

    world_open(&w, ALL_IN, others);
    r = request();
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_CONFIG);
    r.password = "";
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_ALLOW);
    assert_int_equal(world_outcome(&w)->primary, DT_PRIMARY_STACK);
    world_close(&w);
}

static void no_password_is_refused_and_a_handshake_needs_none(void **state)
{
    (void)state;
    world w;
    dt_request r;

    world_open(&w, ALL_IN, OKTA);
    r = request();
    r.password = NULL;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_PRIMARY_MISSING);
    r.primary = DT_PRIMARY_HANDSHAKE;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_ALLOW);
    /* A door can claim no more than that. */
    r.primary = DT_PRIMARY_OKTA_VERIFIED;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_PRIMARY_MISSING);
    world_close(&w);
}

/* report_only keeps nobody out; where nobody else checks the password it would let everybody in. */
static void report_only_does_not_open_the_first_factor(void **state)
{
    (void)state;
    char const *const reporting[] = {"primary",     "okta_password", "vpn", "policy",
                                     "report_only", "yes",           NULL};
    world w;
    dt_request r;

    world_open(&w, NOBODY, reporting);
    assert_false(dt_ruleset_is_report_only(&w.ruleset));
    r = request();
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_RULE_DENY);
    assert_false(dt_outcome_is_report_only(world_outcome(&w)));
    world_close(&w);
    world_open(&w, ALL_IN, reporting);
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 401, WRONG);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_PRIMARY_FAILED);
    assert_false(dt_outcome_is_report_only(world_outcome(&w)));
    world_close(&w);
}

static void a_password_too_long_is_not_cut(void **state)
{
    (void)state;
    char longest[DT_PASSWORD_MAX + 1];
    world w;
    dt_request r;

    memset(longest, 'x', sizeof(longest));
    longest[DT_PASSWORD_MAX] = '\0';
    world_open(&w, ALL_IN, OKTA);
    r = request();
    r.password = longest;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_PRIMARY_FAILED);
    longest[DT_PASSWORD_MAX - 1] = '\0';
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, SUCCESS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_ALLOW);
    world_close(&w);
}

/* No more wrong ones than the limit reach Okta, whatever the spelling; time brings the next. */
static void wrong_passwords_are_bounded(void **state)
{
    (void)state;
    char const *const limit[] = {
        "primary", "okta_password", "vpn", "primary", "password_limit", "3", NULL};
    char const *const spellings[] = {"ann", "Ann", "ANN@example.com", "ann"};
    world w;
    dt_request r;

    world_open(&w, ALL_IN, limit);
    for (size_t i = 0; i < 4; i++) {
        r = request();
        r.user = spellings[i];
        world_begin(&w, &r);
        if (i < 3)
            world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 401, WRONG);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        deny_with(&w, i < 3 ? DT_CAUSE_PRIMARY_FAILED : DT_CAUSE_PRIMARY_LIMIT);
    }
    w.now += DT_MINUTES(15) + 1;
    r = request();
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, SUCCESS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_ALLOW);
    world_close(&w);
}

static void right_password_starts_the_count_anew(void **state)
{
    (void)state;
    char const *const limit[] = {
        "primary", "okta_password", "vpn", "primary", "password_limit", "2", NULL};
    world w;

    world_open(&w, ALL_IN, limit);
    for (int i = 0; i < 6; i++) {
        dt_request r = request();

        world_begin(&w, &r);
        world_expect(&w, DT_HTTP_POST, "/api/v1/authn", i % 2 ? 200 : 401, i % 2 ? SUCCESS : WRONG);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_int_equal(world_outcome(&w)->result, i % 2 ? DT_ALLOW : DT_DENY);
    }
    world_close(&w);
}

static void a_broken_store_keeps_nobody_out_and_lets_nobody_in(void **state)
{
    (void)state;
    world w;
    dt_request r;

    world_open(&w, ALL_IN, OKTA);
    w.store_broken = true;
    r = request();
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, SUCCESS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_ALLOW);
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 401, WRONG);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_PRIMARY_FAILED);
    world_close(&w);
}

/* Names that nobody has fill the room for counters: Okta is asked whether it knows this one. */
static void a_name_without_room_is_looked_up(void **state)
{
    static char const other[] =
        "{\"id\":\"00u9\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"bob@example.com\"}}";
    static char const locked[] =
        "{\"id\":\"00u1\",\"status\":\"LOCKED_OUT\",\"profile\":{\"login\":\"ann@example.com\"}}";
    static char const unknown[] = "{\"errorCode\":\"E0000007\"}";
    static struct {
        int status;
        char const *body;
        bool password_tried;
        dt_cause cause;
    } const rows[] = {
        {200, OKTA_USER, true, DT_CAUSE_RULE_ALLOW},
        {200, locked, true, DT_CAUSE_RULE_ALLOW}, /* what that means the password's answer tells */
        {404, unknown, false, DT_CAUSE_PRIMARY_FAILED},
        {200, other, false, DT_CAUSE_PRIMARY_FAILED},
        {429, OKTA_RATE_LIMITED, false, DT_CAUSE_PRIMARY_RATE_LIMITED},
        {500, "", false, DT_CAUSE_OKTA_UNAVAILABLE},
        {0, "", false, DT_CAUSE_OKTA_UNAVAILABLE},
        {401, OKTA_INVALID_TOKEN, false, DT_CAUSE_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;
        dt_request r;

        world_open(&w, ALL_IN, OKTA);
        w.strangers_refused = true;
        r = request();
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann%40example.com", rows[i].status,
                     rows[i].body);
        if (rows[i].password_tried)
            world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, SUCCESS);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        world_all_used(&w);
        if (world_outcome(&w)->cause != rows[i].cause)
            fail_msg("row %zu: %s (%s)", i, dt_cause_name(world_outcome(&w)->cause),
                     world_outcome(&w)->detail);
        assert_int_equal(world_outcome(&w)->result,
                         rows[i].cause == DT_CAUSE_RULE_ALLOW ? DT_ALLOW : DT_DENY);
        world_close(&w);
    }
}

static void a_password_that_nobody_can_count_is_refused(void **state)
{
    (void)state;
    world w;
    dt_request r;

    world_open(&w, ALL_IN, OKTA);
    w.limits_broken = true;
    r = request();
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann%40example.com", 200, OKTA_USER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    world_all_used(&w);
    deny_with(&w, DT_CAUSE_LIMITS_UNAVAILABLE);
    world_close(&w);
}

static void a_rate_limit_is_waited_out_and_nothing_else_is_tried_twice(void **state)
{
    (void)state;
    world w;
    dt_request r;

    world_open(&w, ALL_IN, OKTA);
    r = request();
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 429, OKTA_RATE_LIMITED);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, SUCCESS);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_ALLOW);
    world_begin(&w, &r);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 429, OKTA_RATE_LIMITED);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_PRIMARY_RATE_LIMITED);
    assert_wiped(&w);
    world_close(&w);
}

/* Okta's own policy asks for MFA: the transaction is given up, and MFA is due here too. */
static void okta_asking_for_mfa_is_heeded(void **state)
{
    (void)state;
    char const *const words[] = {STATUS("MFA_REQUIRED"), STATUS("MFA_CHALLENGE"),
                                 STATUS("PASSWORD_WARN")};

    for (size_t i = 0; i < 3; i++) {
        world w;
        dt_request r;

        world_open(&w, TRUSTED_IN, TRUSTING);
        r = trusted(&w);
        r.conversation = DT_CONVERSATION_NONE;
        world_begin(&w, &r);
        world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, words[i]);
        world_expect(&w, DT_HTTP_POST, "/api/v1/authn/cancel", 200, "{}");
        world_expect(&w, DT_HTTP_GET, "/users/ann", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS);
        world_expect(&w, DT_HTTP_POST, "/verify", 201, OKTA_PUSH);
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_SUCCESS);
        assert_int_equal(world_wait(&w), DT_STEP_DONE);
        assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_MFA_SUCCESS);
        assert_true(world_outcome(&w)->org_mfa);
        assert_wiped(&w);
        world_close(&w);
    }
}

static void unless_trusted_lets_a_trusted_device_pass_and_no_other(void **state)
{
    (void)state;
    world w;
    dt_request r;

    world_open(&w, ALL_IN, WAIVED);
    r = trusted(&w);
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, STATUS("MFA_REQUIRED"));
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn/cancel", 500, "");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_RULE_ALLOW);
    r = request();
    r.conversation = DT_CONVERSATION_NONE;
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, STATUS("MFA_REQUIRED"));
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn/cancel", 200, "");
    world_expect(&w, DT_HTTP_GET, "/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 200, "[]");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_MFA_NO_FACTOR);
    world_close(&w);
}

/* --- saving ----------------------------------------------------------------------------------- */

static void a_password_is_never_saved(void **state)
{
    (void)state;
    world w;
    dt_request r;
    dt_buf saved;

    world_open(&w, ALL_IN, OKTA);
    r = request();
    world_begin(&w, &r);
    for (int i = 0; i < 2; i++) { /* to the count, to the call */
        dt_buf_init(&saved, DT_SIGNON_SAVED_MAX);
        assert_int_equal(dt_signon_save(w.machine, &saved), 0);
        assert_null(memmem(saved.p, saved.len, "korrekt", 7));
        dt_signon_next(w.machine, w.now, &w.step);
        if (i == 0)
            world_step(&w);
        dt_buf_free(&saved);
    }
    assert_int_equal(w.step.kind, DT_STEP_HTTP);
    world_save_and_load(&w);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_PRIMARY_MISSING);
    world_close(&w);
}

/* What was saved while another list of applications stood in the configuration. */
static void a_saved_sign_on_is_bound_to_the_password_that_is_wanted_now(void **state)
{
    (void)state;
    world w, other;
    dt_request r;

    world_open(&w, TRUSTED_IN, NULL);
    world_open(&other, TRUSTED_IN, OKTA);
    r = world_request();
    world_begin(&w, &r);
    world_expect(&w, DT_HTTP_GET, "/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS_TOTP);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    dt_buf saved;
    dt_buf_init(&saved, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &saved), 0);
    assert_int_equal(dt_signon_load(w.machine, &w.ruleset, dt_buf_bytes(&saved)), 0);
    assert_int_equal(dt_signon_load(w.machine, &other.ruleset, dt_buf_bytes(&saved)), DT_E_PARSE);
    dt_buf_free(&saved);
    world_close(&other);
    world_close(&w);
}

/* --- the org's rules -------------------------------------------------------------------------- */

#define ORG(rules) "{\"name\":\"Okta sign-on\",\"rules\":[" rules "]}"
#define ORG_RULE(name, priority, conditions, signon)                                               \
    "{\"name\":\"" name "\",\"priority\":" priority                                                \
    ",\"status\":\"ACTIVE\",\"conditions\":" conditions ",\"actions\":{\"signon\":" signon "}}"
#define ORG_ALLOW ORG_RULE("default", "99", "null", "{\"access\":\"ALLOW\"}")
#define FOR(type) "{\"authContext\":{\"authType\":\"" type "\"}}"

static dt_policy *org_of(world *w, char const *text)
{
    dt_error e = {0};
    dt_json *root = NULL;
    dt_policy *p = NULL;

    if (dt_json_parse(dt_bytes_str(text), &root, &e) < 0 ||
        dt_org_policy_parse(root, "org.json", NULL, &p, &e) < 0)
        fail_msg("%s", e.text);
    dt_json_free(&root);
    w->ruleset.org = p;
    return p;
}

static void the_org_denies_before_anything_else(void **state)
{
    (void)state;
    char const *const denying[] = {
        ORG(ORG_RULE("no radius", "1", FOR("RADIUS"), "{\"access\":\"DENY\"}") "," ORG_ALLOW),
        ORG(ORG_RULE("nothing", "1", "{}", "{\"access\":\"DENY\"}")),
        ORG(ORG_RULE("any", "1", FOR("ANY"), "{\"access\":\"DENY\",\"requireFactor\":true}")),
        ORG(ORG_RULE("not bob", "1", "{\"people\":{\"users\":{\"exclude\":[\"bob@example.com\"]}}}",
                     "{\"access\":\"DENY\"}") "," ORG_ALLOW),
    };

    for (size_t i = 0; i < 4; i++) {
        world w;
        dt_request r;

        world_open(&w, ALL_IN, OKTA);
        dt_policy *org = org_of(&w, denying[i]);
        r = request();
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        deny_with(&w, DT_CAUSE_ORG_RULE_DENY);
        assert_int_equal(world_outcome(&w)->okta_calls, 0);
        assert_true(world_outcome(&w)->org.rule[0]);
        dt_policy_free(&org);
        world_close(&w);
    }
}

static void rules_for_others_are_passed_over(void **state)
{
    (void)state;
    char const *const passing[] = {
        ORG(ORG_RULE("ldap", "1", FOR("LDAP_INTERFACE"), "{\"access\":\"DENY\"}") "," ORG_ALLOW),
        ORG(ORG_RULE("not ann", "1", "{\"people\":{\"users\":{\"exclude\":[\"ANN@example.com\"]}}}",
                     "{\"access\":\"DENY\"}") "," ORG_ALLOW),
    };

    for (size_t i = 0; i < 2; i++) {
        world w;
        dt_request r = world_request();

        world_open(&w, ALL_IN, NULL);
        dt_policy *org = org_of(&w, passing[i]);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_int_equal(world_outcome(&w)->result, DT_ALLOW);
        assert_string_equal(world_outcome(&w)->org.rule, "default");
        assert_false(world_outcome(&w)->org_mfa);
        dt_policy_free(&org);
        world_close(&w);
    }
}

static void the_orgs_factor_is_due_where_the_rule_asks_for_none(void **state)
{
    (void)state;
    static char const org_text[] = ORG(ORG_RULE(
        "mfa", "1", FOR("RADIUS"), "{\"access\":\"ALLOW\",\"requireFactor\":true}") "," ORG_ALLOW);
    char const *const waived[] = {"device_trust", "trusted_when",   "certificate", "policy",
                                  "org_mfa",      "unless_trusted", NULL};
    char const *const enforced[] = {"device_trust", "trusted_when", "certificate", NULL};

    for (int i = 0; i < 3; i++) { /* enforced; waived on a trusted device; not on another */
        world w;
        dt_request r;

        world_open(&w, ALL_IN, i == 0 ? enforced : waived);
        dt_policy *org = org_of(&w, org_text);
        r = i < 2 ? trusted(&w) : world_request();
        r.password = NULL;
        world_begin(&w, &r);
        if (i != 1) {
            world_expect(&w, DT_HTTP_GET, "/users/ann", 200, OKTA_USER);
            world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS_TOTP);
        }
        assert_int_equal(world_run(&w), i == 1 ? DT_STEP_DONE : DT_STEP_PROMPT);
        assert_int_equal(dt_signon_outcome(w.machine)->org_mfa, i != 1);
        assert_int_equal(dt_signon_outcome(w.machine)->decision.access,
                         i == 1 ? DT_ACCESS_ALLOW : DT_ACCESS_ALLOW_AFTER_MFA);
        world_all_used(&w);
        dt_policy_free(&org);
        world_close(&w);
    }
}

static void unknown_groups_of_the_org_deny(void **state)
{
    (void)state;
    world w;
    dt_request r = world_request();

    world_open(&w, ALL_IN, NULL);
    dt_policy *org = org_of(
        &w, ORG(ORG_RULE("admins", "1", "{\"people\":{\"groups\":{\"include\":[\"Admins\"]}}}",
                         "{\"access\":\"DENY\"}") "," ORG_ALLOW));
    assert_true(dt_ruleset_needs_groups(&w.ruleset));
    assert_true(dt_ruleset_names_group(&w.ruleset, "admins"));
    assert_false(dt_ruleset_names_group(&w.ruleset, "staff"));
    r.group_knowledge = DT_GROUPS_UNKNOWN;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    deny_with(&w, DT_CAUSE_GROUPS_UNKNOWN);
    dt_policy_free(&org);
    world_close(&w);
}

/* The more often asked for of the two. */
static void frequencies_combine_to_the_stricter(void **state)
{
    (void)state;
    dt_decision const hour = {.access = DT_ACCESS_ALLOW_AFTER_MFA,
                              .cause = DT_DECISION_RULE,
                              .frequency = DT_FREQUENCY_DURATION,
                              .lifetime = DT_HOURS(1),
                              .factors = DT_FACTOR_ALL};
    dt_decision always = hour, day = hour, session = hour, free = hour, d;

    always.frequency = DT_FREQUENCY_EVERY_SIGN_ON;
    always.lifetime = 0;
    day.lifetime = DT_HOURS(24);
    day.factors = DT_FACTOR_PUSH;
    session.frequency = DT_FREQUENCY_ONCE_PER_SESSION;
    session.lifetime = 0;
    free.access = DT_ACCESS_ALLOW;
    d = day;
    dt_decision_combine(&d, &hour, false);
    assert_int_equal(d.lifetime, DT_HOURS(1));
    assert_int_equal(d.factors, DT_FACTOR_PUSH);
    d = hour;
    dt_decision_combine(&d, &day, false);
    assert_int_equal(d.lifetime, DT_HOURS(1));
    d = day;
    dt_decision_combine(&d, &always, false);
    assert_int_equal(d.frequency, DT_FREQUENCY_EVERY_SIGN_ON);
    assert_int_equal(d.lifetime, 0);
    d = always;
    dt_decision_combine(&d, &day, false);
    assert_int_equal(d.frequency, DT_FREQUENCY_EVERY_SIGN_ON);
    d = session;
    dt_decision_combine(&d, &hour, false);
    assert_int_equal(d.frequency, DT_FREQUENCY_ONCE_PER_SESSION);
    dt_decision_combine(&d, &always, false);
    assert_int_equal(d.frequency, DT_FREQUENCY_EVERY_SIGN_ON);
    d = free;
    dt_decision_combine(&d, &day, true);
    assert_int_equal(d.access, DT_ACCESS_ALLOW);
    dt_decision_combine(&d, &day, false);
    assert_int_equal(d.access, DT_ACCESS_ALLOW_AFTER_MFA);
    d = free;
    dt_decision_combine(&d, &(dt_decision){0}, true);
    assert_int_equal(d.access, DT_ACCESS_DENY);
    assert_int_equal(d.cause, DT_DECISION_NO_RULE);
}

static void prompt_modes_become_frequencies(void **state)
{
    (void)state;
    struct {
        char const *signon;
        dt_frequency frequency;
        dt_time lifetime;
    } const cases[] = {
        {"{\"access\":\"ALLOW\",\"requireFactor\":true}", DT_FREQUENCY_EVERY_SIGN_ON, 0},
        {"{\"access\":\"ALLOW\",\"requireFactor\":true,\"factorPromptMode\":\"ALWAYS\","
         "\"factorLifetime\":15}",
         DT_FREQUENCY_EVERY_SIGN_ON, 0},
        {"{\"access\":\"ALLOW\",\"requireFactor\":true,\"factorPromptMode\":\"DEVICE\"}",
         DT_FREQUENCY_ONLY_ONCE, DT_TIME_NEVER},
        {"{\"access\":\"ALLOW\",\"requireFactor\":true,\"factorPromptMode\":\"SESSION\","
         "\"factorLifetime\":15}",
         DT_FREQUENCY_DURATION, DT_MINUTES(15)},
        {"{\"access\":\"ALLOW\",\"requireFactor\":true,\"factorPromptMode\":\"SESSION\"}",
         DT_FREQUENCY_EVERY_SIGN_ON, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world w;
        dt_policy_input in;
        dt_decision d;
        char text[512];

        snprintf(text, sizeof(text), ORG(ORG_RULE("one", "1", "null", "%s")), cases[i].signon);
        world_open(&w, ALL_IN, NULL);
        dt_policy *org = org_of(&w, text);
        memset(&in, 0, sizeof(in));
        in.user = in.login = "ann";
        in.unknown_as = DT_UNKNOWN_NOT_TRUSTED;
        dt_policy_decide(org, &in, &d);
        assert_int_equal(d.access, DT_ACCESS_ALLOW_AFTER_MFA);
        assert_int_equal(d.frequency, cases[i].frequency);
        assert_int_equal(d.lifetime, cases[i].lifetime);
        dt_policy_free(&org);
        world_close(&w);
    }
}

/* --- requests --------------------------------------------------------------------------------- */

static void the_persons_address_goes_along(void **state)
{
    (void)state;
    struct {
        char const *ip, *sent;
    } const cases[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"2001:DB8::7", "2001:db8::7"},
        {"", ""},
        {NULL, ""},
        {"127.0.0.1", ""},
        {"::1", ""},
        {"laptop.example.com", ""},
        {"00-11-22-33-44-55", ""},
        {"192.0.2.7\r\nX: y", ""},
    };
    world w;

    world_open(&w, ALL_IN, OKTA);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_http_request q;

        assert_int_equal(dt_okta_authn_start(w.config, "ann@example.com", "x", cases[i].ip, &q), 0);
        assert_string_equal(q.forwarded_for, cases[i].sent);
        assert_string_equal(q.url, "https://example.okta.com/api/v1/authn");
        assert_int_equal(q.method, DT_HTTP_POST);
    }
    world_close(&w);
}

static void what_cannot_be_a_login_or_password_is_not_sent(void **state)
{
    (void)state;
    struct {
        char const *login, *password;
    } const cases[] = {
        {"ann", ""},
        {"ann", NULL},
        {"", "x"},
        {"ann", "a\nb"},
        {"ann", "a\x7f"},
        {"ann", "\xff"},
        {"ann", "\xc3"},
        {"a/b", "x"},
        {"..", "x"},
        {"me", "x"},
        {"ann", "\xed\xa0\x80"},
    };
    world w;

    world_open(&w, ALL_IN, OKTA);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_http_request q;

        memset(&q, 0xaa, sizeof(q));
        assert_int_equal(dt_okta_authn_start(w.config, cases[i].login, cases[i].password, "", &q),
                         DT_E_INVALID);
        assert_int_equal(q.body_len, 0);
        assert_int_equal(q.url[0], 0);
    }
    world_close(&w);
}

/* The last of the checks on the way to an outcome that allows: whatever the rule and the cause say, a
 * password that is only about to be checked lets nobody in. */
static void a_pending_password_never_allows(void **state)
{
    static dt_cause const causes[] = {DT_CAUSE_RULE_ALLOW, DT_CAUSE_MFA_SUCCESS,
                                      DT_CAUSE_MFA_REMEMBERED, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW};
    static dt_primary const others[] = {DT_PRIMARY_HANDSHAKE, DT_PRIMARY_OKTA_VERIFIED};
    dt_signon *s = world_machine_new();

    (void)state;
    s->outcome.decision.cause = DT_DECISION_RULE;
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        s->outcome.decision.access =
            causes[i] == DT_CAUSE_RULE_ALLOW ? DT_ACCESS_ALLOW : DT_ACCESS_ALLOW_AFTER_MFA;
        for (size_t k = 0; k < sizeof(others) / sizeof(others[0]); k++) {
            s->outcome.primary = others[k];
            assert_true(dt_signon_may_allow(s, causes[i]));
        }
        s->outcome.primary = DT_PRIMARY_OKTA_PENDING;
        assert_false(dt_signon_may_allow(s, causes[i]));
        s->outcome.result = DT_DENY;
        dt_signon_finish(s, DT_ALLOW, causes[i], 1);
        assert_int_equal(s->outcome.result, DT_DENY);
    }
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_password_lets_in_what_the_rule_allows),
        cmocka_unit_test(a_pending_password_never_allows),
        cmocka_unit_test(trusted_device_and_right_password_need_no_mfa),
        cmocka_unit_test(unknown_device_and_right_password_need_mfa),
        cmocka_unit_test(nothing_but_success_is_a_right_password),
        cmocka_unit_test(refusals_before_the_password_sound_alike),
        cmocka_unit_test(a_rule_that_denies_costs_no_call_and_no_attempt),
        cmocka_unit_test(a_password_that_nobody_would_check_is_refused),
        cmocka_unit_test(no_password_is_refused_and_a_handshake_needs_none),
        cmocka_unit_test(report_only_does_not_open_the_first_factor),
        cmocka_unit_test(a_password_too_long_is_not_cut),
        cmocka_unit_test(wrong_passwords_are_bounded),
        cmocka_unit_test(right_password_starts_the_count_anew),
        cmocka_unit_test(a_broken_store_keeps_nobody_out_and_lets_nobody_in),
        cmocka_unit_test(a_name_without_room_is_looked_up),
        cmocka_unit_test(a_password_that_nobody_can_count_is_refused),
        cmocka_unit_test(a_rate_limit_is_waited_out_and_nothing_else_is_tried_twice),
        cmocka_unit_test(okta_asking_for_mfa_is_heeded),
        cmocka_unit_test(unless_trusted_lets_a_trusted_device_pass_and_no_other),
        cmocka_unit_test(a_password_is_never_saved),
        cmocka_unit_test(a_saved_sign_on_is_bound_to_the_password_that_is_wanted_now),
        cmocka_unit_test(the_org_denies_before_anything_else),
        cmocka_unit_test(rules_for_others_are_passed_over),
        cmocka_unit_test(the_orgs_factor_is_due_where_the_rule_asks_for_none),
        cmocka_unit_test(unknown_groups_of_the_org_deny),
        cmocka_unit_test(frequencies_combine_to_the_stricter),
        cmocka_unit_test(prompt_modes_become_frequencies),
        cmocka_unit_test(the_persons_address_goes_along),
        cmocka_unit_test(what_cannot_be_a_login_or_password_is_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
