/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which factor is asked for, when a remembered MFA spares it, and what happens where Okta is unreachable.
 * Each test runs twice: as it is, and with the machine saved and loaded before every step. */
#include "signon_policies.h"
#include "signon_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#define TOTP_OF(id, provider)                                                                      \
    "[{\"id\":\"" id "\",\"factorType\":\"token:software:totp\"," provider "\"status\":"           \
    "\"ACTIVE\"}]"
#define BY(factors)                                                                                \
    POLICY(RULE("mfa", "1", "NOT_TRUSTED",                                                         \
                "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\","      \
                "\"factors\":[" factors "]}}"))

static struct {
    char const *policy, *factors;
    char const *prompt; /* NULL: no factor */
    dt_factor_type factor;
} const by_provider[] = {
    {BY("\"token:software:totp/OKTA\""), TOTP_OF("f1", "\"provider\":\"OKTA\","),
     "Okta Verify passcode: ", DT_FACTOR_TOTP},
    {BY("\"token:software:totp/OKTA\""), TOTP_OF("f1", "\"provider\":\"GOOGLE\","), NULL, 0},
    {BY("\"push\",\"token:software:totp/OKTA\""), TOTP_OF("f1", "\"provider\":\"GOOGLE\","), NULL,
     0},
    {BY("\"token:software:totp/GOOGLE\""), TOTP_OF("f1", "\"provider\":\"OKTA\","), NULL, 0},
    {BY("\"token:software:totp/GOOGLE\""), TOTP_OF("f1", "\"provider\":\"GOOGLE\","),
     "Google Authenticator passcode: ", DT_FACTOR_TOTP_GOOGLE},
    {BY("\"token:software:totp\""), TOTP_OF("f1", "\"provider\":\"GOOGLE\","),
     "Google Authenticator passcode: ", DT_FACTOR_TOTP_GOOGLE},
    {BY("\"token:software:totp\""), TOTP_OF("f1", ""), NULL, 0},
    {BY("\"token:software:totp\""), TOTP_OF("f1", "\"provider\":null,"), NULL, 0},
    {BY("\"token:software:totp\""), TOTP_OF("f1", "\"provider\":\"CUSTOM\","), NULL, 0},
    {BY("\"token:software:totp\""), TOTP_OF("f1", "\"provider\":\"google\","), NULL, 0},
    {BY("\"push\""),
     "[{\"id\":\"f1\",\"factorType\":\"push\",\"provider\":\"CUSTOM\",\"status\":\"ACTIVE\"}]",
     NULL, 0},
    {BY("\"token:software:totp\""),
     "[{\"id\":\"f1\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":"
     "\"ACTIVE\"},"
     "{\"id\":\"f2\",\"factorType\":\"token:software:totp\",\"provider\":\"GOOGLE\",\"status\":"
     "\"ACTIVE\"}]",
     "Okta Verify or Google Authenticator passcode: ", DT_FACTOR_TOTP},
};

static void test_the_provider_belongs_to_the_factor(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(by_provider) / sizeof(by_provider[0]); i++) {
        world w;
        dt_request r = world_request();

        world_open(&w, by_provider[i].policy, NULL);
        w.save_each_step = true;
        expect_user_and_factors(&w, by_provider[i].factors);
        world_begin(&w, &r);
        if (by_provider[i].prompt == NULL) {
            assert_int_equal(world_run(&w), DT_STEP_DONE);
            assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
        } else {
            assert_int_equal(world_run(&w), DT_STEP_PROMPT);
            assert_non_null(strstr(w.step.prompt->text, by_provider[i].prompt));
            world_show(&w);
            world_expect(&w, DT_HTTP_POST, "/factors/f1/verify", 200, OKTA_SUCCESS);
            assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
            assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
            assert_int_equal(world_outcome(&w)->factor, by_provider[i].factor);
        }
        world_close(&w);
    }
}

/* The second of two authenticators answered: the outcome says which. */
static void test_the_authenticator_that_answered_is_told(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    w.save_each_step = false;
    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = "123456";
    expect_user_and_factors(&w, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    world_expect(&w, DT_HTTP_POST, "/factors/uft2/verify", 200, OKTA_SUCCESS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_TOTP_GOOGLE);
    world_close(&w);
}

/* --- MFA is remembered ----------------------------------------------------------------------- */

static void test_remembered_for_a_day_on_the_proved_key_only(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, DAILY, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    /* Later the same day. */
    w.now += DT_MINUTES(9);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_REMEMBERED);
    /* The same person without the key: asked. */
    r = world_request();
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/00u1/factors", 200, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

static void mfa_leaves(char const *policy, bool key, bool remembered)
{
    world w;
    dt_request r;

    world_open(&w, policy, NULL);
    r = key ? with_certificate(&w) : world_request();
    if (key)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    world_answer(&w, "123456");
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_find(&w, DT_TABLE_REMEMBERED, "mfa:") != NULL, remembered);
    world_close(&w);
}

static void test_what_is_remembered(void **state)
{
    (void)state;
    mfa_leaves(DAILY, true, true);
    mfa_leaves(DAILY, false, false);
    mfa_leaves(GUIDE, true, false);
    mfa_leaves(GUIDE, false, false);
}

/* --- Okta cannot be reached ------------------------------------------------------------------ */

static void okta_down(char const *as, bool trusted, dt_result result, dt_cause cause)
{
    char const *extra[] = {"policy", "okta_unavailable", as, NULL};
    world w;
    dt_request r;

    world_open(&w, DAILY, extra);
    r = trusted ? with_certificate(&w) : world_request();
    if (trusted)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 0, "");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_okta_down_is_as_configured(void **state)
{
    (void)state;
    okta_down("deny", true, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    okta_down("deny", false, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    okta_down("allow_trusted", true, DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW);
    okta_down("allow_trusted", false, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    okta_down("allow", false, DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW);
}

static void test_okta_down_after_a_refusal_does_not_allow(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_passcode(&w, GUIDE, WORLD_OKTA_UNAVAILABLE_ALLOW, &r);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    world_answer(&w, "000000");
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 503, OKTA_BROKEN);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    world_close(&w);
}

static void test_broken_store_asks_for_mfa(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, DAILY, NULL);
    w.store_broken = true;
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_non_null(strstr(world_outcome(&w)->detail, "disk I/O error"));
    world_close(&w);
}

/* --- running out of time --------------------------------------------------------------------- */

/* Whoever waits until a request has no time left must not get in by its time-out. */
static void test_a_request_cut_short_is_no_outage(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_passcode(&w, GUIDE, WORLD_OKTA_UNAVAILABLE_ALLOW, &r);
    w.now += DT_SECONDS(54);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", WORLD_TIMEOUT, "");
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    world_close(&w);
}

/* A network that swallows everything, at the shortest wait of all: that is an outage. */
static void test_an_outage_is_seen_within_a_short_wait(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, WORLD_OKTA_UNAVAILABLE_ALLOW);
    r = with_certificate(&w);
    r.wait_limit = DT_SECONDS(25);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", WORLD_TIMEOUT, "");
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", WORLD_TIMEOUT, "");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_the_provider_belongs_to_the_factor),
        cmocka_unit_test(test_the_authenticator_that_answered_is_told),
        cmocka_unit_test(test_remembered_for_a_day_on_the_proved_key_only),
        cmocka_unit_test(test_okta_down_is_as_configured),
        cmocka_unit_test(test_okta_down_after_a_refusal_does_not_allow),
        cmocka_unit_test(test_broken_store_asks_for_mfa),
        cmocka_unit_test(test_a_request_cut_short_is_no_outage),
        cmocka_unit_test(test_an_outage_is_seen_within_a_short_wait),
        cmocka_unit_test(test_what_is_remembered),
    };

    return world_run_tests_twice("signon mfa", tests);
}
