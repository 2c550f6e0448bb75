/* SPDX-License-Identifier: GPL-2.0-or-later */
/* okta_app: only whom the org has assigned to the app signs on, and what the state of an account at Okta does to a
 * sign-on. Each test runs twice: as it is, and with the machine saved and loaded before every step. */
#include "signon_policies.h"
#include "signon_world.h"

#include "core/signon/signon_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define APP "0oa1vpn"
#define ASSIGNMENT "/api/v1/apps/" APP "/users/00u1"
#define KEY "okta-app:" APP ":ann@example.com"
#define ASSIGNED "{\"id\":\"00u1\",\"scope\":\"GROUP\",\"status\":\"ACTIVE\"}"
#define NOT_FOUND "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found: (AppUser)\"}"
#define UNAVAILABLE(how)                                                                           \
    {                                                                                              \
        "policy", "okta_app", APP, "policy", "okta_unavailable", how, NULL                         \
    }

static char const *const app[] = {"policy", "okta_app", APP, NULL};
static char const *const app_or_outage[] = UNAVAILABLE("allow");
static char const EVERYBODY[] =
    POLICY(RULE("trusted", "1", "TRUSTED", ALLOW) "," RULE("others", "2", "NOT_TRUSTED", ALLOW));
static char const NOBODY[] =
    POLICY(RULE("trusted", "1", "TRUSTED", DENY) "," RULE("others", "2", "NOT_TRUSTED", DENY));

static void expect_user(world *w)
{
    world_expect(w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
}

/* Runs to the end, over whatever waits there are. */
static void run(world *w, dt_request const *r)
{
    world_begin(w, r);
    for (dt_step_kind k = world_run(w); k == DT_STEP_WAIT; k = world_wait(w))
        ;
    assert_int_equal(w->step.kind, DT_STEP_DONE);
}

static void end(world *w, dt_result result, dt_cause cause)
{
    assert_string_equal(dt_cause_name(world_outcome(w)->cause), dt_cause_name(cause));
    assert_end(w, result, cause);
    world_all_used(w);
    world_close(w);
}

/* One answer about the assignment, under a rule that would let everybody in. */
static void answered(char const *const *settings, int status, char const *body, dt_result result,
                     dt_cause cause)
{
    bool again = status == 0 || status == WORLD_TIMEOUT || status == 429 || status >= 500;
    world w;
    dt_request r = world_request();

    r.wait_limit = DT_SECONDS(55);
    world_open(&w, EVERYBODY, settings);
    expect_user(&w);
    for (int i = 0; i < (again ? 3 : 1); i++)
        world_expect(&w, DT_HTTP_GET, ASSIGNMENT, status, body);
    run(&w, &r);
    end(&w, result, cause);
}

static void only_whom_the_org_assigned_gets_in(void **state)
{
    dt_cause const no = DT_CAUSE_APP_NOT_ASSIGNED, bad = DT_CAUSE_OKTA_ANSWER_UNUSABLE;

    (void)state;
    answered(app, 200, ASSIGNED, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    answered(app, 200, "{\"id\":\"00u1\",\"status\":\"PROVISIONED\"}", DT_ALLOW,
             DT_CAUSE_RULE_ALLOW);
    answered(app, 200, "{\"id\":\"00u1\",\"status\":\"IMPLICIT\"}", DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    answered(app, 404, NOT_FOUND, DT_DENY, no);
    for (char const *const *s =
             (char const *const[]){"STAGED", "SUSPENDED", "REVOKED", "INACTIVE", "DEPROVISIONED",
                                   "UNASSIGNED", "PENDING", "active", "", "NEW_WORD", NULL};
         *s != NULL; s++) {
        char body[96];

        snprintf(body, sizeof(body), "{\"id\":\"00u1\",\"status\":\"%s\"}", *s);
        answered(app, 200, body, DT_DENY, no);
    }
    /* Neither another person's assignment nor half of one. */
    answered(app, 200, "{\"id\":\"00u2\",\"status\":\"ACTIVE\"}", DT_DENY, bad);
    answered(app, 200, "{\"id\":\"00u1\"}", DT_DENY, bad);
    answered(app, 200, "{\"status\":\"ACTIVE\"}", DT_DENY, bad);
    answered(app, 200, "{\"id\":\"00u1\",\"status\":true}", DT_DENY, bad);
    answered(app, 200, "{}", DT_DENY, bad);
    answered(app, 200, "[" ASSIGNED "]", DT_DENY, bad);
    answered(app, 200, "{\"id\":\"00u1\",\"status\":\"ACTI", DT_DENY, bad);
    answered(app, 200, "", DT_DENY, bad);
    answered(app, 204, "", DT_DENY, bad);
    answered(app, 404, "<html>", DT_DENY, bad);
    answered(app, 302, "", DT_DENY, bad);
}

static void without_an_answer_okta_unavailable_decides(void **state)
{
    static char const *const by_trust[] = UNAVAILABLE("allow_trusted");

    (void)state;
    answered(app, 0, "", DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    answered(app, 503, "", DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    answered(app_or_outage, 0, "", DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW);
    answered(app_or_outage, 503, "", DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW);
    answered(by_trust, 503, "", DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE); /* not trusted */
    /* Nothing else is an outage. */
    answered(app_or_outage, 404, NOT_FOUND, DT_DENY, DT_CAUSE_APP_NOT_ASSIGNED);
    answered(app_or_outage, 429, OKTA_RATE_LIMITED, DT_DENY, DT_CAUSE_MFA_RATE_LIMITED);
    answered(app_or_outage, 200, "{}", DT_DENY, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
    answered(app_or_outage, 401, OKTA_INVALID_TOKEN, DT_DENY, DT_CAUSE_CONFIG);
    answered(app_or_outage, 403, "{\"errorCode\":\"E0000006\",\"errorSummary\":\"no\"}", DT_DENY,
             DT_CAUSE_CONFIG);
}

/* A trusted device does not replace the assignment. */
static void trusted_device(char const *body, int status, dt_result result, dt_cause cause)
{
    world w;

    world_open(&w, GUIDE, app);
    dt_request r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    expect_user(&w);
    world_expect(&w, DT_HTTP_GET, ASSIGNMENT, status, body);
    run(&w, &r);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_TRUSTED);
    end(&w, result, cause);
}

static void a_trusted_device_does_not_replace_it(void **state)
{
    (void)state;
    trusted_device(ASSIGNED, 200, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    trusted_device(NOT_FOUND, 404, DT_DENY, DT_CAUSE_APP_NOT_ASSIGNED);
}

/* It is asked before the MFA, so that nobody's phone rings, and the MFA is due all the same. */
static void the_mfa_comes_after_it(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, app);
    expect_user(&w);
    world_expect(&w, DT_HTTP_GET, ASSIGNMENT, 404, NOT_FOUND);
    run(&w, &r);
    assert_non_null(strstr(world_outcome(&w)->message, "not assigned"));
    assert_non_null(strstr(world_outcome(&w)->detail, APP));
    end(&w, DT_DENY, DT_CAUSE_APP_NOT_ASSIGNED);

    world_open(&w, GUIDE, app);
    expect_user(&w);
    world_expect(&w, DT_HTTP_GET, ASSIGNMENT, 200, ASSIGNED);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

/* Whatever way a machine came by its success: without the assignment it lets nobody in. */
static void no_other_success_lets_in(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, EVERYBODY, app);
    expect_user(&w);
    world_expect(&w, DT_HTTP_GET, ASSIGNMENT, 200, ASSIGNED);
    run(&w, &r);
    assert_true(dt_signon_may_allow(w.machine, DT_CAUSE_RULE_ALLOW));
    w.machine->app_assigned = false;
    assert_false(dt_signon_may_allow(w.machine, DT_CAUSE_RULE_ALLOW));
    assert_false(dt_signon_may_allow(w.machine, DT_CAUSE_MFA_SUCCESS));
    assert_false(dt_signon_may_allow(w.machine, DT_CAUSE_MFA_REMEMBERED));
    assert_true(dt_signon_may_allow(w.machine, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW));
    world_close(&w);
}

/* Who is refused by a rule costs no call. */
static void a_rule_that_denies_asks_nobody(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, NOBODY, app);
    run(&w, &r);
    end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
}

static void a_machine_is_not_assigned(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.user = "host/laptop.example.com";
    world_open(&w, EVERYBODY, app);
    run(&w, &r);
    end(&w, DT_DENY, DT_CAUSE_MACHINE_ACCOUNT);
}

/* --- what is kept ------------------------------------------------------------------------------- */

static void put_row(world *w, char const *record)
{
    world_row *row = &w->rows[0];

    row->table = DT_TABLE_LOOKUP;
    snprintf(row->key, sizeof(row->key), "%s", KEY);
    row->len = (size_t)snprintf(row->value, sizeof(row->value), "%s", record);
    row->expires = DT_TIME_NEVER;
}

/* `status`: of what Okta says where the record does not do; 0 for an outage, -1 where it is not asked. */
static void kept(char const *record, int status, dt_result result, dt_cause cause)
{
    world w;
    dt_request r = world_request();

    world_open(&w, EVERYBODY, app);
    put_row(&w, record);
    if (status >= 0)
        expect_user(&w);
    if (status >= 0)
        world_expect(&w, DT_HTTP_GET, ASSIGNMENT, status, status == 404 ? NOT_FOUND : ASSIGNED);
    run(&w, &r);
    end(&w, result, cause);
}

#define AT(at, assigned) "{\"v\":1,\"at\":" at ",\"assigned\":" assigned "}"

static void a_kept_answer_at_its_edges(void **state)
{
    dt_cause const in = DT_CAUSE_RULE_ALLOW, out = DT_CAUSE_APP_NOT_ASSIGNED;

    (void)state;
    kept(AT("1700000000000", "true"), -1, DT_ALLOW, in);
    kept(AT("1699999400001", "true"), -1, DT_ALLOW, in);
    kept(AT("1699999400000", "true"), 404, DT_DENY, out); /* ten minutes */
    kept(AT("1700000000001", "true"), 404, DT_DENY, out); /* of tomorrow */
    kept(AT("1699999400000", "true"), 0, DT_ALLOW, in);   /* for want of a better one */
    kept(AT("1699913600001", "true"), 0, DT_ALLOW, in);
    kept(AT("1700000000000", "false"), -1, DT_DENY, out);
    kept(AT("1699999940001", "false"), -1, DT_DENY, out);
    kept(AT("1699999940000", "false"), 200, DT_ALLOW, in); /* a minute */
    kept(AT("1700000000000", "\"true\""), 404, DT_DENY, out);
    kept(AT("1700000000000", "1"), 404, DT_DENY, out);
    kept("{\"v\":2,\"at\":1700000000000,\"assigned\":true}", 404, DT_DENY, out);
    kept("{\"v\":1,\"assigned\":true}", 404, DT_DENY, out);
    kept("", 404, DT_DENY, out);
}

static void too_old_for_an_outage(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, EVERYBODY, app);
    put_row(&w, AT("1699913600000", "true")); /* a day */
    expect_user(&w);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, ASSIGNMENT, 0, "");
    run(&w, &r);
    end(&w, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
}

/* Nor does an old one stand in for an answer that is a no, or makes no sense. */
static void an_old_answer_is_for_outages_alone(void **state)
{
    (void)state;
    kept(AT("1699999400000", "true"), 404, DT_DENY, DT_CAUSE_APP_NOT_ASSIGNED);
    kept(AT("1699999400000", "true"), 302, DT_DENY, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
    kept(AT("1699999400000", "true"), 401, DT_DENY, DT_CAUSE_CONFIG);
}

static void it_is_kept_for_the_next_sign_on(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int assigned = 0; assigned <= 1; assigned++) {
        dt_cause cause = assigned ? DT_CAUSE_RULE_ALLOW : DT_CAUSE_APP_NOT_ASSIGNED;

        world_open(&w, EVERYBODY, app);
        expect_user(&w);
        world_expect(&w, DT_HTTP_GET, ASSIGNMENT, assigned ? 200 : 404,
                     assigned ? ASSIGNED : NOT_FOUND);
        run(&w, &r);
        run(&w, &r); /* nothing is asked */
        assert_string_equal(dt_cause_name(world_outcome(&w)->cause), dt_cause_name(cause));
        world_row *row = world_find(&w, DT_TABLE_LOOKUP, KEY);
        assert_non_null(row);
        assert_int_equal(row->expires, w.now + (assigned ? DT_HOURS(24) : DT_MINUTES(1)));
        world_all_used(&w);
        world_close(&w);
    }
}

/* The id of a login that was made anew is asked for once more. */
static void a_user_gone_is_asked_for_once_more(void **state)
{
    world w;
    dt_request r = world_request();
    world_row *row;

    (void)state;
    world_open(&w, EVERYBODY, app);
    row = &w.rows[0];
    row->table = DT_TABLE_LOOKUP;
    snprintf(row->key, sizeof(row->key), "okta-user:ann@example.com");
    row->len = (size_t)snprintf(row->value, sizeof(row->value),
                                "{\"v\":1,\"at\":1700000000000,\"id\":\"00u9\"}");
    row->expires = DT_TIME_NEVER;
    world_expect(&w, DT_HTTP_GET, "/api/v1/apps/" APP "/users/00u9", 404, NOT_FOUND);
    expect_user(&w);
    world_expect(&w, DT_HTTP_GET, ASSIGNMENT, 200, ASSIGNED);
    run(&w, &r);
    end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
}

/* A sign-on that waits for an answer goes on under a configuration that asks for another app. */
static void another_app_begins_again(void **state)
{
    static char const hash[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    static char const other[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    dt_request r = world_request();
    dt_buf saved;
    world w;

    (void)state;
    r.conversation = DT_CONVERSATION_CHALLENGE;
    for (int changed = 0; changed <= 1; changed++) {
        world_open(&w, GUIDE, app);
        w.ruleset.config_hash = hash;
        expect_user(&w);
        world_expect(&w, DT_HTTP_GET, ASSIGNMENT, 200, ASSIGNED);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        dt_signon_prompt_shown(w.machine, w.now);
        dt_buf_init(&saved, DT_SIGNON_SAVED_MAX);
        assert_int_equal(dt_signon_save(w.machine, &saved), 0);
        if (changed)
            (void)snprintf(w.config->policy.okta_app, DT_OKTA_ID_MAX, "0oa2other");
        w.ruleset.config_hash = other;
        assert_int_equal(dt_signon_load(w.machine, &w.ruleset, dt_buf_bytes(&saved)), 0);
        dt_buf_free(&saved);
        if (!changed)
            world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
        assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
        end(&w, changed ? DT_DENY : DT_ALLOW,
            changed ? DT_CAUSE_STATE_INVALID : DT_CAUSE_MFA_SUCCESS);
    }
}

/* --- the state of the account --------------------------------------------------------------------- */

static void account(int status, char const *body, dt_cause cause, char const *words)
{

    for (int asks_app = 0; asks_app <= 1; asks_app++) {
        world w;
        dt_request r = world_request();

        world_open(&w, asks_app ? EVERYBODY : GUIDE,
                   asks_app ? app_or_outage : WORLD_OKTA_UNAVAILABLE_ALLOW);
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", status, body);
        run(&w, &r);
        assert_non_null(strstr(world_outcome(&w)->message, words));
        end(&w, DT_DENY, cause);
    }
}

#define STATUS(word)                                                                               \
    "{\"id\":\"00u1\",\"status\":\"" word "\",\"profile\":{\"login\":\"ann@example.com\"}}"

static void each_state_has_its_cause_and_words(void **state)
{
    (void)state;
    account(404, NOT_FOUND, DT_CAUSE_OKTA_USER_UNKNOWN, "no account for this user name");
    account(200, STATUS("SUSPENDED"), DT_CAUSE_OKTA_USER_SUSPENDED, "is suspended");
    account(200, STATUS("DEPROVISIONED"), DT_CAUSE_OKTA_USER_DEACTIVATED, "is deactivated");
    account(200, STATUS("STAGED"), DT_CAUSE_OKTA_USER_NOT_ACTIVATED, "is not activated yet");
    account(200, STATUS("PROVISIONED"), DT_CAUSE_OKTA_USER_NOT_ACTIVATED, "is not activated yet");
    account(200, STATUS("ACTIVATING"), DT_CAUSE_OKTA_USER_NOT_ACTIVATED, "is not activated yet");
    account(200, STATUS("PASSWORD_EXPIRED"), DT_CAUSE_OKTA_PASSWORD_EXPIRED, "must be changed");
    account(200, STATUS("RECOVERY"), DT_CAUSE_OKTA_PASSWORD_EXPIRED, "must be changed");
    account(200, STATUS("LOCKED_OUT"), DT_CAUSE_MFA_LOCKED, "is locked");
    account(200, STATUS("active"), DT_CAUSE_OKTA_REFUSED, "does not accept");
    account(200, STATUS("FUTURE_STATE"), DT_CAUSE_OKTA_REFUSED, "does not accept");
    account(200, STATUS(""), DT_CAUSE_OKTA_REFUSED, "does not accept");
    account(400, "{\"errorCode\":\"E0000001\",\"errorSummary\":\"x\"}", DT_CAUSE_OKTA_REFUSED,
            "does not accept");
    /* Somebody else, whatever their state is: nothing is said of it. */
    account(200, "{\"id\":\"00u2\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"bob@x.org\"}}",
            DT_CAUSE_OKTA_USER_UNKNOWN, "no account for this user name");
    account(200, "{\"id\":\"00u2\",\"status\":\"SUSPENDED\",\"profile\":{\"login\":\"bob@x.org\"}}",
            DT_CAUSE_OKTA_USER_UNKNOWN, "no account for this user name");
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(only_whom_the_org_assigned_gets_in),
        cmocka_unit_test(without_an_answer_okta_unavailable_decides),
        cmocka_unit_test(a_trusted_device_does_not_replace_it),
        cmocka_unit_test(the_mfa_comes_after_it),
        cmocka_unit_test(no_other_success_lets_in),
        cmocka_unit_test(a_rule_that_denies_asks_nobody),
        cmocka_unit_test(a_machine_is_not_assigned),
        cmocka_unit_test(a_kept_answer_at_its_edges),
        cmocka_unit_test(too_old_for_an_outage),
        cmocka_unit_test(an_old_answer_is_for_outages_alone),
        cmocka_unit_test(it_is_kept_for_the_next_sign_on),
        cmocka_unit_test(a_user_gone_is_asked_for_once_more),
        cmocka_unit_test(another_app_begins_again),
        cmocka_unit_test(each_state_has_its_cause_and_words),
    };

    return world_run_tests_twice("signon app", tests);
}
