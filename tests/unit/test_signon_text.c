/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people, administrators and the audit event read about a sign-on.
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

static void test_the_audit_context_tells_all(void **state)
{
    world w;
    dt_request r = world_request();
    dt_audit_context c;

    (void)state;
    r.station = "02-00-00-00-00-01";
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    memset(&c, 0xff, sizeof(c));
    dt_signon_audit_context(w.machine, &c);
    assert_string_equal(c.id, r.id);
    assert_string_equal(c.application, "vpn");
    assert_string_equal(c.user, "ann");
    assert_string_equal(c.login, "ann@example.com");
    assert_string_equal(c.client_ip, r.client_ip);
    assert_string_equal(c.nas, r.nas);
    assert_string_equal(c.station, r.station);
    assert_string_equal(c.policy_hash, "");
    assert_int_equal(c.started, WORLD_START);
    assert_true(c.device_event);
    assert_null(c.host);
    assert_null(c.door);
    world_close(&w);
}

/* The words of a refusal, and the way out where there is one. */
static void refusal(char const *graph, int status, char const *message)
{
    world w;
    dt_request r;

    world_open(&w, ONLY_TRUSTED, NULL);
    r = graph ? with_certificate(&w) : world_request();
    if (graph)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", status, graph);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_string_equal(world_outcome(&w)->message, message);
    assert_int_equal(world_outcome(&w)->graph_calls, graph ? 1 : 0);
    world_close(&w);
}

static void test_a_refusal_shows_the_way_out(void **state)
{
    (void)state;
#define NO "Your company's sign-on policy does not allow this sign-on. "
    refusal(NULL, 0, NO "This device is not enrolled. Enrol it: https://enrol.example.com");
    refusal(GRAPH_NOT_FOUND, 404,
            NO "This device is not enrolled. Enrol it: https://enrol.example.com");
    refusal(GRAPH_NONCOMPLIANT, 200,
            NO "This device does not meet your company's compliance and security policies. In "
               "Company Portal, choose LAPTOP-1, then Check access; it can take 10 minutes.");
}

static void test_words_of_ones_own(void **state)
{
    static char const *const own[] = {"device_trust", "check_access_text", "Ask Bob.", NULL};
    world w;
    dt_request r;

    (void)state;
    world_open(&w, ONLY_TRUSTED, own);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(world_outcome(&w)->message, NO "Ask Bob.");
    world_close(&w);
}

static void test_the_words_of_the_prompts(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(
        w.step.prompt->text,
        "Choose the number 42 in Okta Verify, then press Enter (or type a passcode): ");
    assert_string_equal(w.step.prompt->note, "");
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_PROMPT);
    assert_string_equal(
        w.step.prompt->text,
        "Choose the number 42 in Okta Verify, then press Enter (or type a passcode): ");
    assert_string_equal(w.step.prompt->note, "That passcode was not accepted.");
    assert_non_null(strstr(dt_signon_outcome(w.machine)->detail, "E0000068"));
    world_close(&w);
}

static void test_the_words_of_the_prompts_without_a_number(void **state)
{
    static char const *const never[] = {"mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, never);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(
        w.step.prompt->text,
        "Approve the push in Okta Verify (press Enter here to see its number, if any), "
        "then press Enter (or type a passcode): ");
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING);
    assert_int_equal(world_answer(&w, ""), DT_STEP_WAIT); /* nothing new: nothing is shown */
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_REJECTED);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_PUSH);
    assert_non_null(strstr(world_outcome(&w)->message, "rejected in Okta Verify"));
    world_close(&w);
}

static void test_the_administrator_is_told_why(void **state)
{
    static struct {
        char const *body;
        int status;
        char const *detail;
        dt_cause cause;
    } const users[] = {
        {"{\"id\":\"00u1\",\"status\":\"SUSPENDED\",\"profile\":{\"login\":\"ann@example.com\"}}",
         200, "status SUSPENDED", DT_CAUSE_OKTA_USER_SUSPENDED},
        {"{\"id\":\"00u1\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"eve@example.com\"}}", 200,
         "answered about eve@example.com", DT_CAUSE_OKTA_USER_UNKNOWN},
        {"{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}", 404, "E0000007",
         DT_CAUSE_OKTA_USER_UNKNOWN},
    };
    world w;
    dt_request r = world_request();

    (void)state;
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        world_open(&w, GUIDE, NULL);
        world_expect(&w, DT_HTTP_GET, "/users/ann", users[i].status, users[i].body);
        world_begin(&w, &r);
        world_run(&w);
        assert_end(&w, DT_DENY, users[i].cause);
        assert_non_null(strstr(world_outcome(&w)->detail, users[i].detail));
        world_close(&w);
    }
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, "[]");
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    assert_non_null(strstr(world_outcome(&w)->detail, "no enrolled factor"));
    world_close(&w);
}

static void test_the_way_out_is_told_only_where_it_leads_out(void **state)
{
    static char const *const no_url[] = {"device_trust", "enrollment_url", "", NULL};
    world w;
    dt_request r;

    (void)state;
    world_open(&w, ONLY_TRUSTED, no_url);
    r = world_request();
    r.vpn_device_id = "";
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(world_outcome(&w)->detail, "");
    assert_string_equal(world_outcome(&w)->message,
                        "Your company's sign-on policy does not allow this sign-on.");
    world_close(&w);
    world_open(&w, ONLY_TRUSTED, NULL); /* enrolling again would not mend the clock */
    r = with_certificate(&w);
    w.now += DT_DAYS(400);
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(world_outcome(&w)->message,
                        NO "This device's certificate is not valid at this time. Check its clock "
                           "and let it sync with your company.");
    world_close(&w);
    world_open(&w, GUIDE, NULL); /* a fault of the administrator's is not the device's */
    r = world_request();
    world_expect(&w, DT_HTTP_GET, "/users/ann", 401, OKTA_INVALID_TOKEN);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_CONFIG);
    assert_string_equal(world_outcome(&w)->message,
                        "The sign-on could not be checked. Tell your administrator.");
    world_close(&w);
}

static void test_the_device_is_spoken_of_once(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_push(&w, OKTA_PUSH);
    for (int i = 0; i < DT_SIGNON_EARLY_POLLS; i++)
        world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_WAITING);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_non_null(strstr(w.step.prompt->note, "This device does not meet"));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    assert_null(strstr(w.step.prompt->text, "This device"));
    assert_null(strstr(w.step.prompt->note, "This device"));
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_the_audit_context_tells_all),
        cmocka_unit_test(test_a_refusal_shows_the_way_out),
        cmocka_unit_test(test_words_of_ones_own),
        cmocka_unit_test(test_the_words_of_the_prompts),
        cmocka_unit_test(test_the_words_of_the_prompts_without_a_number),
        cmocka_unit_test(test_the_administrator_is_told_why),
        cmocka_unit_test(test_the_way_out_is_told_only_where_it_leads_out),
        cmocka_unit_test(test_the_device_is_spoken_of_once),
    };

    return world_run_tests_twice("signon text", tests);
}
