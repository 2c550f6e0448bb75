/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine itself, under a script and a fake clock: what it is fed, in which order, and who leaves while
 * it runs.
 * Each test runs twice: as it is, and with the machine saved and loaded before every step. */
#include "signon_policies.h"
#include "signon_world.h"

#include "core/signon/signon_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static void test_no_policy_is_a_config_fault(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    w.ruleset.policy = NULL;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_CONFIG);
    world_close(&w);
}

static void test_no_configuration_denies(void **state)
{
    world w;
    dt_request r = world_request();
    dt_ruleset none = {0};
    dt_step step;

    (void)state;
    world_open(&w, GUIDE, NULL);
    dt_signon_begin(w.machine, &none, &r, w.now);
    dt_signon_next(w.machine, w.now, &step);
    assert_int_equal(step.kind, DT_STEP_DONE);
    assert_int_equal(step.outcome->result, DT_DENY);
    assert_int_equal(step.outcome->cause, DT_CAUSE_CONFIG);
    world_close(&w);
}

static void test_names_that_do_not_fit_are_refused(void **state)
{
    world w;
    dt_request r = world_request();
    char longest[600];

    (void)state;
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    world_open(&w, GUIDE, NULL);
    r.user = longest;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_USER_NAME_INVALID);
    r.user = "";
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_USER_NAME_INVALID);
    world_close(&w);
}

static void test_every_name_must_fit(void **state)
{
    static char longest[600];
    world w;

    (void)state;
    memset(longest, '1', sizeof(longest) - 1);
    for (int i = 0; i < 11; i++) {
        dt_request r = world_request();
        char const **const fields[] = {&r.id,  &r.application, &r.user,    &r.client_ip,
                                       &r.nas, &r.station,     &r.passcode};

        if (i < 7)
            *fields[i] = longest;
        else if (i < 9)
            *fields[i - 6] = NULL;
        else
            *fields[i - 8] = "";
        world_open(&w, GUIDE, NULL);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        bool user = *fields[2] != world_request().user;

        assert_end(&w, DT_DENY, user ? DT_CAUSE_USER_NAME_INVALID : DT_CAUSE_INTERNAL);
        assert_non_null(strstr(world_outcome(&w)->detail, i == 2 ? "longer than 255 bytes"
                                                          : user
                                                              ? "the user name is empty"
                                                              : "missing, or a name is too long"));
        world_close(&w);
    }
}

static void test_logins_that_cannot_be_asked_for(void **state)
{
    static char suffix[129], user[251];
    char const *extra[] = {"user_name", "login_suffix", suffix, NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    memset(user, 'u', sizeof(user) - 1);
    memset(suffix, 's', sizeof(suffix) - 1);
    suffix[0] = '@';
    world_open(&w, GUIDE, extra);
    r.user = user;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_USER_NAME_INVALID);
    world_close(&w);
    world_open(&w, GUIDE, NULL);
    r.user = "../ann";
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_non_null(w.step.outcome);
    assert_end(&w, DT_DENY, DT_CAUSE_USER_NAME_INVALID);
    assert_non_null(strstr(world_outcome(&w)->detail, "begins with a dot"));
    assert_non_null(strstr(world_outcome(&w)->message, "tell your administrator"));
    world_close(&w);
}

/* --- results that nobody asked for ----------------------------------------------------------- */

static void test_results_out_of_order_deny(void **state)
{
    world w;
    dt_request r = world_request();
    dt_http_response reply = {
        .status = 200, .body = dt_bytes_str(OKTA_SUCCESS), .error = "", .next_link = ""};
    dt_store_result stored = {.status = DT_STORE_OK};
    dt_sign_result signed_ = {.text = ""};

    (void)state;
    for (int i = 0; i < 4; i++) {
        world_open(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        if (i == 0)
            dt_signon_http_done(w.machine, &reply, w.now);
        if (i == 1)
            dt_signon_store_done(w.machine, &stored, w.now);
        if (i == 2)
            dt_signon_sign_done(w.machine, &signed_, w.now);
        if (i == 3) {
            dt_signon_prompt_shown(w.machine, w.now);
            dt_signon_answer(w.machine, dt_bytes_str("1"), w.now);
            dt_signon_prompt_shown(w.machine, w.now);
            dt_signon_answer(w.machine, dt_bytes_str("2"), w.now);
            dt_signon_prompt_shown(w.machine, w.now);
            dt_signon_answer(w.machine, dt_bytes_str("3"), w.now);
        }
        world_run(&w);
        assert_true(dt_signon_is_done(w.machine));
        assert_int_equal(dt_signon_outcome(w.machine)->result, DT_DENY);
        world_close(&w);
    }
}

static void test_every_odd_result_is_refused(void **state)
{
    dt_store_result stored = {.status = DT_STORE_OK, .count = 1};
    dt_sign_result signed_ = {.error = DT_E_NOT_FOUND, .text = ""};

    (void)state;
    for (int at = 0; at < 4; at++) { /* SIGN, STORE, HTTP, PROMPT */
        for (int what = 0; what < 3; what++) {
            world w;
            dt_request r = world_request();

            if (at == what)
                continue;
            r.host_evidence = at == 0;
            world_open(&w, DAILY, at == 0 ? WORLD_HOST_KEY : NULL);
            world_begin(&w, &r);
            dt_signon_next(w.machine, w.now, &w.step);
            if (at == 2)
                world_run_to_http(&w, DT_HTTP_GET, "/users/ann");
            if (at == 3) {
                expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
                world_run(&w);
            }
            if (what == 0)
                dt_signon_sign_done(w.machine, &signed_, w.now);
            else if (what == 1)
                dt_signon_store_done(w.machine, &stored, w.now);
            else
                world_feed(&w, 200, OKTA_SUCCESS);
            assert_true(dt_signon_is_done(w.machine));
            assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
            assert_non_null(strstr(world_outcome(&w)->detail, "not requested"));
            world_close(&w);
        }
    }
}

/* Denied in the middle of a wait for a second try; what is saved then can be loaded. */
static void test_an_odd_result_while_waiting_to_retry(void **state)
{
    world w;
    dt_request r = world_request();
    dt_store_result stored = {.status = DT_STORE_OK};

    (void)state;
    world_open(&w, GUIDE, NULL);
    world_expect(&w, DT_HTTP_GET, "/users/ann", 429, OKTA_RATE_LIMITED);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    dt_signon_store_done(w.machine, &stored, w.now);
    world_save_and_load(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    world_close(&w);
}

/* --- whoever leaves -------------------------------------------------------------------------- */

static void test_abandon_with_an_allowing_cause_denies(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_MFA_SUCCESS, w.now);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    world_close(&w);
}

static void test_person_leaves(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

static void test_person_leaves_while_the_push_is_sent(void **state)
{
    world w;
    dt_request r = world_request();
    dt_step step;
    dt_http_response reply = {.failure = DT_HTTP_OK,
                              .status = 201,
                              .body = dt_bytes_str(OKTA_PUSH_NUMBER),
                              .error = "",
                              .rate_limit = -1,
                              .rate_remaining = -1,
                              .next_link = ""};

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    w.save_each_step = false;
    world_begin(&w, &r);
    for (;;) { /* up to the POST, by hand */
        dt_signon_next(w.machine, w.now, &step);
        if (step.kind == DT_STEP_HTTP && step.http->method == DT_HTTP_POST)
            break;
        if (step.kind == DT_STEP_STORE) {
            dt_store_result ok = {.status = DT_STORE_OK, .count = 1};
            if (step.store->verb == DT_STORE_GET)
                ok.status = DT_STORE_NOT_FOUND;
            dt_signon_store_done(w.machine, &ok, w.now);
        } else {
            dt_http_response one = reply;
            one.status = 200;
            one.body = dt_bytes_str(w.replies[w.reply_at++].body);
            dt_signon_http_done(w.machine, &one, w.now);
        }
    }
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_false(dt_signon_is_done(w.machine));
    dt_signon_http_done(w.machine, &reply, w.now);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

static void test_success_after_the_person_left_lets_nobody_in(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    w.now = w.step.until;
    world_run_to_http(&w, DT_HTTP_GET, "/transactions/v2mst1");
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_false(dt_signon_is_done(w.machine));
    world_feed(&w, 200, OKTA_SUCCESS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

/* The driver's stop is no outage of Okta's, whatever okta_unavailable says. */
static void test_a_stop_is_no_outage(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_passcode(&w, GUIDE, WORLD_OKTA_UNAVAILABLE_ALLOW, &r);
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    world_run_to_http(&w, DT_HTTP_POST, "/factors/ost1/verify");
    dt_signon_abandon(w.machine, DT_CAUSE_BUSY, w.now);
    world_feed(&w, 0, "");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_BUSY);
    world_close(&w);
}

static void test_person_leaves_while_the_end_is_written(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    world_run_to_http(&w, DT_HTTP_POST, "/factors/ost1/verify");
    world_feed(&w, 200, OKTA_SUCCESS);
    world_run_to_http(&w, DT_HTTP_DELETE, "/transactions/mst1");
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    world_feed(&w, 204, "");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

static void test_what_came_before_the_person_left_stands(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int late = 0; late < 2; late++) {
        world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
        w.now = w.step.until;
        world_run_to_http(&w, DT_HTTP_GET, "/transactions/v2mst1");
        if (late) {
            world_feed(&w, 200, OKTA_REJECTED);
            assert_false(dt_signon_is_done(w.machine)); /* its end is to be written */
        }
        dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
        dt_signon_abandon(w.machine, DT_CAUSE_BUSY, w.now);
        if (!late)
            world_feed(&w, 200, OKTA_REJECTED);
        world_run(&w);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
        world_close(&w);
    }
}

static void test_the_first_to_leave_says_why(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    world_begin(&w, &r);
    world_run_to_http(&w, DT_HTTP_GET, "/users/ann");
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    dt_signon_abandon(w.machine, DT_CAUSE_BUSY, w.now);
    world_feed(&w, 200, OKTA_USER);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

/* An answer that crosses with the end changes nothing of it. */
static void test_an_answer_crosses_with_the_end(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    w.now = w.step.until;
    world_run_to_http(&w, DT_HTTP_GET, "/transactions/v2mst1");
    world_feed(&w, 200, OKTA_SUCCESS);
    assert_false(dt_signon_is_done(w.machine));
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    world_feed(&w, 200, OKTA_REJECTED);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_string_equal(world_outcome(&w)->detail, "");
    world_close(&w);
}

static void test_leaving_at_any_step(void **state)
{

    (void)state;
    for (int at = 0; at < 12; at++) {
        world w;
        dt_request r;
        int i = 0;

        world_open(&w, DAILY, WORLD_HOST_KEY);
        w.host_signs = true;
        r = with_certificate(&w);
        r.host_evidence = true;
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
        expect_push(&w, OKTA_PUSH_NUMBER);
        world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
        world_begin(&w, &r);
        for (dt_signon_next(w.machine, w.now, &w.step); !dt_signon_is_done(w.machine);
             dt_signon_next(w.machine, w.now, &w.step)) {
            if (i++ == at)
                dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
            if (dt_signon_is_done(w.machine) || w.step.kind == DT_STEP_PROMPT)
                break;
            world_step(&w);
            if (at < i) /* at most the end of a push is left to do */
                assert_true(dt_signon_is_done(w.machine) || w.machine->finishing);
        }
        world_run(&w);
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_CLIENT_GONE);
        world_close(&w);
    }
}

/* --- look-ups for their own sake ------------------------------------------------------------- */

static void test_explain_asks_nobody_for_mfa(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.explain = true;
    world_open(&w, GUIDE, NULL);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    world_all_used(&w);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    assert_int_equal(world_outcome(&w)->decision.access, DT_ACCESS_ALLOW_AFTER_MFA);
    assert_string_equal(world_outcome(&w)->decision.rule, "not trusted");
    world_close(&w);
}

/* Who explains may suppose a device and a moment; a login may not. */
static void test_what_is_imagined_counts_for_explain_alone(void **state)
{
    (void)state;
    for (int explain = 0; explain < 2; explain++) {
        dt_policy_origins from;
        dt_origins_text text;
        dt_policy_input in;
        world w;
        dt_request r = world_request();
        r.explain = explain == 1;
        r.what_if = (dt_what_if){true, DT_TRUST_TRUSTED, DT_REASON_IN_GRACE_PERIOD, 12345};
        world_open(&w, GUIDE, NULL);
        world_begin(&w, &r);
        if (explain)
            (void)world_run(&w);
        else
            world_run_to_http(&w, DT_HTTP_GET, "/users/ann");
        assert_int_equal(dt_signon_outcome(w.machine)->verdict.trust,
                         explain ? DT_TRUST_TRUSTED : DT_TRUST_NOT_TRUSTED);
        assert_int_equal(dt_signon_outcome(w.machine)->decision.access,
                         explain ? DT_ACCESS_ALLOW : DT_ACCESS_ALLOW_AFTER_MFA);
        assert_int_equal(dt_signon_outcome(w.machine)->result,
                         DT_DENY); /* not asked yet; or never let in */
        dt_signon_policy_input(w.machine, &in, w.now);
        assert_true(in.now == (explain ? 12345 : w.now));
        assert_int_equal(in.reason, explain ? DT_REASON_IN_GRACE_PERIOD : DT_REASON_NO_CERTIFICATE);
        dt_signon_origins(w.machine, &text, &from);
        assert_string_equal(from.time.from, explain ? "the question" : "this host's clock");
        world_close(&w);
    }
}

/* The values of an explanation, by whom they were told and when. */
static void test_origins_name_the_sources(void **state)
{
    dt_policy_origins from;
    dt_origins_text text;
    dt_request r;
    world w;
    (void)state;

    world_open(&w, GUIDE, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    dt_signon_origins(w.machine, &text, &from);
    assert_string_equal(from.device.from, "certificate+intune");
    assert_true(from.device.learnt > 0 && from.device.learnt <= w.now);
    assert_non_null(strstr(from.platform.from, "intune"));
    assert_string_equal(from.address.from, "the request");
    assert_string_equal(from.address_text, r.client_ip);
    world_close(&w);

    r = world_request();
    r.platform_hint = DT_PLATFORM_IOS;
    r.explain = true;
    world_open(&w, GUIDE, NULL);
    world_begin(&w, &r);
    (void)world_run(&w);
    dt_signon_origins(w.machine, &text, &from);
    assert_string_equal(from.device.from, ""); /* nobody told anything */
    assert_string_equal(from.platform.from, "the request");
    world_close(&w);
}

static void test_explain_ends_after_its_look_ups(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, NULL);
    r = with_certificate(&w);
    r.explain = true;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_int_equal(world_outcome(&w)->decision.access, DT_ACCESS_ALLOW);
    world_close(&w);
}

static void test_refresh_fills_the_cache(void **state)
{
    world w;
    dt_request r;
    dt_guid id;

    (void)state;
    world_open(&w, GUIDE, NULL);
    assert_int_equal(dt_guid_parse(dt_bytes_str(WORLD_DEVICE), &id), 0);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    dt_signon_begin_refresh(w.machine, &w.ruleset, &id, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    r = with_certificate(&w);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->graph_calls, 0);
    world_close(&w);
}

static void test_a_refresh_that_fails_ends(void **state)
{
    world w;
    dt_guid id;
    int waits = 0;

    (void)state;
    world_open(&w, GUIDE, NULL);
    assert_int_equal(dt_guid_parse(dt_bytes_str(WORLD_DEVICE), &id), 0);
    w.ruleset.policy = NULL;
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 429, "{}");
    dt_signon_begin_refresh(w.machine, &w.ruleset, &id, w.now);
    while (world_run(&w) == DT_STEP_WAIT) {
        assert_true(w.step.until > w.now);
        w.now = w.step.until;
        waits++;
    }
    assert_int_equal(waits, 2);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_non_null(strstr(world_outcome(&w)->detail, "Intune:"));
    assert_null(world_find(&w, DT_TABLE_LOOKUP, WORLD_DEVICE));
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    dt_signon_begin_refresh(w.machine, &w.ruleset, &id, w.now);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_non_null(world_find(&w, DT_TABLE_LOOKUP, WORLD_DEVICE));
    world_close(&w);
}

/* What the decision does not need is not looked up. */
static void test_nothing_is_asked_in_vain(void **state)
{
    static char const *const certificate[] = {"device_trust", "trusted_when", "certificate", NULL};
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r;

    (void)state;
    world_open(&w, ONLY_TRUSTED, certificate); /* Intune is configured, and has no say */
    r = with_certificate(&w);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    world_close(&w);
    world_open(&w, ONLY_TRUSTED, okta); /* no rule names a group */
    r = world_request();
    r.host_evidence = true; /* and this host has no certificate */
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_string_equal(world_outcome(&w)->detail, "");
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_person_leaves),
        cmocka_unit_test(test_person_leaves_while_the_push_is_sent),
        cmocka_unit_test(test_abandon_with_an_allowing_cause_denies),
        cmocka_unit_test(test_no_policy_is_a_config_fault),
        cmocka_unit_test(test_names_that_do_not_fit_are_refused),
        cmocka_unit_test(test_results_out_of_order_deny),
        cmocka_unit_test(test_explain_asks_nobody_for_mfa),
        cmocka_unit_test(test_what_is_imagined_counts_for_explain_alone),
        cmocka_unit_test(test_origins_name_the_sources),
        cmocka_unit_test(test_refresh_fills_the_cache),
        cmocka_unit_test(test_success_after_the_person_left_lets_nobody_in),
        cmocka_unit_test(test_a_stop_is_no_outage),
        cmocka_unit_test(test_person_leaves_while_the_end_is_written),
        cmocka_unit_test(test_what_came_before_the_person_left_stands),
        cmocka_unit_test(test_the_first_to_leave_says_why),
        cmocka_unit_test(test_an_answer_crosses_with_the_end),
        cmocka_unit_test(test_every_name_must_fit),
        cmocka_unit_test(test_no_configuration_denies),
        cmocka_unit_test(test_nothing_is_asked_in_vain),
        cmocka_unit_test(test_every_odd_result_is_refused),
        cmocka_unit_test(test_logins_that_cannot_be_asked_for),
        cmocka_unit_test(test_leaving_at_any_step),
        cmocka_unit_test(test_a_refresh_that_fails_ends),
        cmocka_unit_test(test_an_odd_result_while_waiting_to_retry),
        cmocka_unit_test(test_explain_ends_after_its_look_ups),
    };

    return world_run_tests_twice("signon", tests);
}
