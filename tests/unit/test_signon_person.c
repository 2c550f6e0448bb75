/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Could the person pass the MFA? With report_only (report_only_people), where nothing of it may refuse or hold up a
 * login, and for explain --online. Nobody is ever asked anything, and nothing is sent to anybody. */
#include "signon_world.h"

#include "core/signon/signon_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define POLICY(action)                                                                             \
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"one\",\"priority\":1,"       \
    "\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":{" action "}}}]}"
#define ALLOW "\"access\":\"ALLOW\""
#define DENY "\"access\":\"DENY\""
#define ASK                                                                                        \
    "\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\",\"factors\":"       \
    "[\"push\",\"token:software:totp\"]}"
#define ASK_SMS                                                                                    \
    "\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\",\"factors\":"       \
    "[\"sms\"]}"
#define USER_WITH(status)                                                                          \
    "{\"id\":\"00u1\",\"status\":\"" status "\",\"profile\":{\"login\":\"ann@example.com\"}}"
#define NOT_FOUND "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}"

static char const *const people[] = {
    "policy", "unknown_device_as",  "not_trusted", "policy", "report_only", "yes",
    "policy", "report_only_people", "yes",         NULL};
static char const *const allows_outages[] = {
    "policy", "unknown_device_as",  "not_trusted", "policy", "report_only",      "yes",
    "policy", "report_only_people", "yes",         "policy", "okta_unavailable", "allow",
    NULL};
static char const *const plain[] = {"policy", "unknown_device_as", "not_trusted", NULL};

typedef struct row {
    char const *action;
    int user_status; /* of Okta's answer; as in world_reply */
    char const *user;
    int factors_status; /* NO_CALL: is not asked */
    char const *factors;
    dt_cause cause;
    char const *detail; /* must be in it */
} row;

#define NO_CALL (-9)

static row const answers[] = {
    {ASK, 200, USER_WITH("ACTIVE"), 200, OKTA_FACTORS, DT_CAUSE_NONE, ""},
    {ASK, 200, USER_WITH("ACTIVE"), 200, OKTA_FACTORS_TOTP, DT_CAUSE_NONE, ""},
    {ASK, 200, USER_WITH("ACTIVE"), 200, "[]", DT_CAUSE_MFA_NO_FACTOR,
     "enrolled at Okta: none; the rule and [mfa] factors allow: push"},
    {ASK_SMS, 200, USER_WITH("ACTIVE"), 200, OKTA_FACTORS, DT_CAUSE_MFA_NO_FACTOR,
     "enrolled at Okta: push sms token:software:totp/OKTA; the rule"},
    {ASK, 404, NOT_FOUND, NO_CALL, NULL, DT_CAUSE_OKTA_USER_UNKNOWN, "Okta"},
    {ASK, 200,
     "{\"id\":\"00u2\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"bob@example.com\"}}", NO_CALL,
     NULL, DT_CAUSE_OKTA_USER_UNKNOWN, "bob@example.com"},
    {ASK, 200, USER_WITH("SUSPENDED"), NO_CALL, NULL, DT_CAUSE_OKTA_USER_SUSPENDED, "SUSPENDED"},
    {ASK, 200, USER_WITH("LOCKED_OUT"), NO_CALL, NULL, DT_CAUSE_MFA_LOCKED, "LOCKED_OUT"},
    {ASK, 200, USER_WITH("PASSWORD_EXPIRED"), NO_CALL, NULL, DT_CAUSE_OKTA_PASSWORD_EXPIRED, ""},
    {ASK, 200, USER_WITH("STAGED"), NO_CALL, NULL, DT_CAUSE_OKTA_USER_NOT_ACTIVATED, ""},
    {ASK, 200, USER_WITH("DEPROVISIONED"), NO_CALL, NULL, DT_CAUSE_OKTA_USER_DEACTIVATED, ""},
    {ASK, 200, USER_WITH("ODD"), NO_CALL, NULL, DT_CAUSE_OKTA_REFUSED, "ODD"},
    {ASK, 200, "{}", NO_CALL, NULL, DT_CAUSE_OKTA_ANSWER_UNUSABLE, ""},
    {ASK, 200, USER_WITH("ACTIVE"), 200, "{}", DT_CAUSE_OKTA_ANSWER_UNUSABLE, ""},
    {ASK, 401, "{\"errorCode\":\"E0000011\"}", NO_CALL, NULL, DT_CAUSE_CONFIG, ""},
    {ASK, 200, USER_WITH("ACTIVE"), 403, "{\"errorCode\":\"E0000006\"}", DT_CAUSE_CONFIG, ""},
};

static void expect_row(world *w, row const *t)
{
    world_expect(w, DT_HTTP_GET, "/api/v1/users/ann", t->user_status, t->user);
    if (t->factors_status != NO_CALL)
        world_expect(w, DT_HTTP_GET, "/api/v1/users/00u1/factors", t->factors_status, t->factors);
}

/* With report_only each is what enforcement would have done, and none refuses: also not a token that Okta does not
 * take, which is a fault of the configuration. */
static void what_would_become_of_the_person(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        row const *t = &answers[i];
        dt_request r = world_request();
        dt_outcome const *o;
        world w;

        char policy[1024];
        dt_buf b;

        dt_buf_init_fixed(&b, policy, sizeof(policy));
        dt_buf_printf(&b, POLICY("%s"), t->action);
        world_open(&w, policy, people);
        expect_row(&w, t);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        world_all_used(&w);
        o = world_outcome(&w);
        assert_true(dt_outcome_is_report_only(o));
        assert_int_equal(o->result, DT_DENY);
        assert_string_equal(dt_cause_name(o->would_cause), dt_cause_name(t->cause));
        assert_int_equal(o->would, t->cause == DT_CAUSE_NONE ? DT_WOULD_ASK : DT_WOULD_DENY);
        if (!strstr(o->detail, t->detail))
            print_message("%zu %s\n", i, o->detail);
        assert_non_null(strstr(o->detail, t->detail));
        assert_string_equal(o->decision.rule, "one");
        world_close(&w);
    }
}

/* The same for explain, which comes to its decision all the same. */
static void what_explain_finds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        row const *t = &answers[i];
        dt_request r = world_request();
        char policy[1024];
        dt_buf b;
        world w;

        dt_buf_init_fixed(&b, policy, sizeof(policy));
        dt_buf_printf(&b, POLICY("%s"), t->action);
        world_open(&w, policy, plain);
        r.explain = r.asks_okta = true;
        expect_row(&w, t);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        world_all_used(&w);
        assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_NONE);
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        assert_int_equal(world_outcome(&w)->decision.access, DT_ACCESS_ALLOW_AFTER_MFA);
        assert_true(dt_signon_person(w.machine)->known);
        assert_string_equal(dt_cause_name(dt_signon_person(w.machine)->cause),
                            dt_cause_name(t->cause));
        world_close(&w);
    }
}

/* Okta fails: what is not known of the person is not said of the person. */
static void okta_fails(void **state)
{
    static struct {
        char const *const *extra;
        int status;
        dt_http_failure failure;
        dt_would would;
        dt_cause cause;
    } const rows[] = {
        {people, 0, DT_HTTP_OK, DT_WOULD_DENY, DT_CAUSE_OKTA_UNAVAILABLE},
        {allows_outages, 0, DT_HTTP_OK, DT_WOULD_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW},
        {people, 503, DT_HTTP_OK, DT_WOULD_DENY, DT_CAUSE_OKTA_UNAVAILABLE},
        {people, WORLD_TIMEOUT, DT_HTTP_OK, DT_WOULD_ASK, DT_CAUSE_NONE},
        {people, 429, DT_HTTP_OK, DT_WOULD_ASK, DT_CAUSE_NONE},
        {people, WORLD_FAILS, DT_HTTP_QUEUED, DT_WOULD_ASK, DT_CAUSE_NONE},
        {people, WORLD_FAILS, DT_HTTP_LOCAL, DT_WOULD_ASK, DT_CAUSE_NONE},
        {people, WORLD_FAILS, DT_HTTP_UNTRUSTED, DT_WOULD_DENY, DT_CAUSE_OKTA_UNTRUSTED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_request r = world_request();
        dt_outcome const *o;
        world w;

        world_open(&w, POLICY(ASK), rows[i].extra);
        for (int n = 0; n < 3; n++) {
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", rows[i].status,
                         rows[i].status == 429 ? OKTA_RATE_LIMITED : "");
            w.replies[n].failure = rows[i].failure;
        }
        world_begin(&w, &r);
        while (world_run(&w) == DT_STEP_WAIT)
            w.now = w.step.until;
        assert_int_equal(w.step.kind, DT_STEP_DONE);
        assert_true(w.now <= WORLD_START + DT_SIGNON_PERSON_WAIT + DT_SIGNON_PERSON_MARGIN);
        o = world_outcome(&w);
        assert_true(dt_outcome_is_report_only(o));
        assert_string_equal(dt_would_name(o->would), dt_would_name(rows[i].would));
        assert_string_equal(dt_cause_name(o->would_cause), dt_cause_name(rows[i].cause));
        if (rows[i].would == DT_WOULD_ASK)
            assert_non_null(strstr(o->detail, "is not known"));
        world_close(&w);
    }
}

static dt_outcome sign_on(world *w)
{
    dt_request r = world_request();

    world_begin(w, &r);
    assert_int_equal(world_run(w), DT_STEP_DONE);
    world_all_used(w);
    return *world_outcome(w);
}

/* Who signs on again within user_ttl costs no call; after that, one for each. */
static void it_is_kept(void **state)
{
    world w;

    (void)state;
    world_open(&w, POLICY(ASK), people);
    expect_user_and_factors(&w, "[]");
    assert_int_equal(sign_on(&w).would_cause, DT_CAUSE_MFA_NO_FACTOR);
    for (int i = 0; i < 3; i++)
        assert_int_equal(sign_on(&w).would_cause, DT_CAUSE_MFA_NO_FACTOR);
    w.now += w.config->okta.user_ttl;
    expect_user_and_factors(&w, OKTA_FACTORS);
    assert_int_equal(sign_on(&w).would, DT_WOULD_ASK);
    assert_int_equal(sign_on(&w).would, DT_WOULD_ASK);
    world_close(&w);
}

/* A kept list that does not say which factors they are, as earlier versions wrote it, is of no use. */
static void an_old_record_is_not_taken(void **state)
{
    world_row *kept;
    char *types;
    world w;

    (void)state;
    world_open(&w, POLICY(ASK), people);
    expect_user_and_factors(&w, OKTA_FACTORS);
    assert_int_equal(sign_on(&w).would, DT_WOULD_ASK);
    kept = world_find(&w, DT_TABLE_LOOKUP, "okta-factors");
    assert_non_null(kept);
    types = strstr(kept->value, "\"types\"");
    assert_non_null(types);
    types[1] = 'x';
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/00u1/factors", 200, "[]");
    assert_int_equal(sign_on(&w).would_cause, DT_CAUSE_MFA_NO_FACTOR);
    world_close(&w);
}

/* Without MFA by the rule nobody is looked up; without the key neither; and a sign-on that is enforced is not changed
 * by it. */
static void when_it_is_not_asked(void **state)
{
    static char const *const off[] = {
        "policy", "unknown_device_as", "not_trusted", "policy", "report_only", "yes", NULL};
    static char const *const enforced[] = {
        "policy", "unknown_device_as", "not_trusted", "policy", "report_only_people", "yes", NULL};
    world w;

    (void)state;
    world_open(&w, POLICY(ALLOW), people);
    assert_int_equal(sign_on(&w).would, DT_WOULD_ALLOW);
    world_close(&w);
    world_open(&w, POLICY(DENY), people);
    assert_int_equal(sign_on(&w).would, DT_WOULD_DENY);
    world_close(&w);
    world_open(&w, POLICY(ASK), off);
    assert_int_equal(sign_on(&w).would, DT_WOULD_ASK);
    world_close(&w);
    world_open(&w, POLICY(ASK), enforced);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 404, NOT_FOUND);
    assert_int_equal(sign_on(&w).cause, DT_CAUSE_OKTA_USER_UNKNOWN);
    assert_int_equal(world_outcome(&w)->would, DT_WOULD_NONE);
    dt_request r = world_request();
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w),
                     DT_STEP_PROMPT); /* the person is asked, and has the whole time */
    assert_false(dt_signon_person(w.machine)->on);
    world_close(&w);
}

/* A door that can show nothing, with a person who has a passcode alone. */
static void what_the_door_can_do(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    world_open(&w, POLICY(ASK), people);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->would_cause, DT_CAUSE_MFA_NO_FACTOR);
    r.passcode = "493817"; /* it came along; it is not sent to Okta */
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->would, DT_WOULD_ASK);
    assert_false(world_machine_holds(w.machine, "493817"));
    r.passcode = "";
    r.prompts_unproven = true;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->would_cause, DT_CAUSE_MFA_NO_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

/* A rule that denies, or lets in without MFA: explain says all the same whether there is such a person. */
static void explain_asks_whatever_the_rule_says(void **state)
{
    char const *const policies[] = {POLICY(ALLOW), POLICY(DENY)};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        dt_request r = world_request();
        world w;

        r.explain = r.asks_okta = true;
        world_open(&w, policies[i], plain);
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 404, NOT_FOUND);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_int_equal(dt_signon_person(w.machine)->cause, DT_CAUSE_OKTA_USER_UNKNOWN);
        expect_user_and_factors(&w, "[]");
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_int_equal(dt_signon_person(w.machine)->cause, DT_CAUSE_NONE);
        assert_true(dt_signon_person(w.machine)->known);
        world_all_used(&w);
        world_close(&w);
    }
}

/* Okta has no account for machines. */
static void a_machine_is_not_asked_about(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    r.explain = r.asks_okta = true;
    r.user = "host/laptop.example.com";
    world_open(&w, POLICY(ASK), plain);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(dt_signon_person(w.machine)->cause, DT_CAUSE_MACHINE_ACCOUNT);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(what_would_become_of_the_person),
        cmocka_unit_test(what_explain_finds),
        cmocka_unit_test(okta_fails),
        cmocka_unit_test(it_is_kept),
        cmocka_unit_test(an_old_record_is_not_taken),
        cmocka_unit_test(when_it_is_not_asked),
        cmocka_unit_test(what_the_door_can_do),
        cmocka_unit_test(explain_asks_whatever_the_rule_says),
        cmocka_unit_test(a_machine_is_not_asked_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
