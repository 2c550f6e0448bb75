/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passcodes: what is one, which factor it is tried with, how often, and what the answer may say.
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

static void test_passcode_while_the_push_is_pending(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    assert_int_equal(world_answer(&w, " 123456\n"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_TOTP);
    world_close(&w);
}

static void test_wrong_passcodes_are_counted(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "000000"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "not accepted"));
    world_show(&w);
    assert_int_equal(world_answer(&w, "not a code"), DT_STEP_PROMPT); /* costs no call */
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

static void passcode_reply(int status, char const *reply)
{
    static char const *const once[] = {
        "mfa", "passcode_attempts", "1", "policy", "okta_unavailable", "deny", NULL};
    world w;
    dt_request r = world_request();

    world_open_at_passcode(&w, GUIDE, once, &r);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", status, reply);
    world_answer(&w, "123456");
    assert_true(dt_signon_is_done(w.machine));
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    world_close(&w);
}

static void test_only_exactly_success_lets_a_passcode_in(void **state)
{
    (void)state;
    passcode_reply(200, "{\"factorResult\":\"CHALLENGE\"}");
    passcode_reply(200, "{\"factorResult\":\"WAITING\"}");
    passcode_reply(200, "{\"factorResult\":\"PASSCODE_REPLAYED\"}");
    passcode_reply(200, "{\"factorResult\":\"TIME_WINDOW_EXCEEDED\"}");
    passcode_reply(200, "{\"factorResult\":\"SUCCEEDED\"}");
    passcode_reply(200, "{}");
    passcode_reply(200, "");
    passcode_reply(200, OKTA_BROKEN);
    passcode_reply(403, "{\"errorCode\":\"E0000082\",\"errorSummary\":\"used\"}");
    passcode_reply(403, "{\"errorCode\":\"E0000069\",\"errorSummary\":\"locked\"}");
    passcode_reply(403, OKTA_SUCCESS);
    passcode_reply(500, OKTA_SUCCESS);
    passcode_reply(302, OKTA_SUCCESS);
    passcode_reply(0, OKTA_SUCCESS);
}

static void test_passcode_given_along(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = "123456";
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    w.save_each_step = false; /* a saved machine holds no passcode */
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

/* A passcode that came along and cannot be used is forgotten, and a push is sent. */
static void passcode_along(char const *passcode, char const *factors)
{
    world w;
    dt_request r = world_request();

    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = passcode;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, factors);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    assert_false(world_machine_holds(w.machine, "91827"));
    world_close(&w);
}

static void test_a_useless_passcode_is_forgotten(void **state)
{
    (void)state;
    passcode_along("918273", OKTA_FACTORS_PUSH);
    passcode_along("91827", OKTA_FACTORS_MANY);
    passcode_along("91827x", OKTA_FACTORS_MANY);
}

static void test_a_passcode_nobody_can_type_is_not_waited_for(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int shown = 0; shown < 2; shown++) {
        world_open(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        if (shown)
            world_show(&w);
        dt_signon_set_conversation(w.machine, DT_CONVERSATION_NONE);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
        world_close(&w);
    }
}

/* Odd answers are answers: the absence of Okta that follows does not let anybody in. */
static void odd_passcode_reply(int status, char const *body)
{
    static char const *const allow[] = {
        "policy", "okta_unavailable", "allow", "mfa", "passcode_attempts", "1", NULL};
    world w;
    dt_request r = world_request();

    world_open_at_passcode(&w, GUIDE, allow, &r);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", status, body);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    world_all_used(&w);
    world_close(&w);
}

static void test_odd_answers_to_a_passcode_never_allow(void **state)
{
    (void)state;
    odd_passcode_reply(200, "{\"factorResult\":\"CHALLENGE\"}");
    odd_passcode_reply(201, OKTA_SUCCESS);
    odd_passcode_reply(403, OKTA_SUCCESS);
    odd_passcode_reply(403, OKTA_BROKEN);
    odd_passcode_reply(403, "");
    odd_passcode_reply(403, "{}");
    odd_passcode_reply(400, OKTA_WRONG_CODE);
    odd_passcode_reply(401, OKTA_INVALID_TOKEN);
    odd_passcode_reply(404, "{\"errorCode\":\"E0000007\",\"errorSummary\":\"no factor\"}");
    odd_passcode_reply(423, "{\"errorCode\":\"E0000180\",\"errorSummary\":\"suspended\"}");
}

/* --- what is a passcode ---------------------------------------------------------------------- */

static void test_what_is_no_passcode_costs_no_call(void **state)
{
    static dt_bytes const answers[] = {
        {(uint8_t const *)"", 0},          {(uint8_t const *)"   ", 3},
        {(uint8_t const *)"\r\n", 2},      {(uint8_t const *)"12345", 5},
        {(uint8_t const *)"123456789", 9}, {(uint8_t const *)"12345a", 6},
        {(uint8_t const *)"12345/", 6},    {(uint8_t const *)"12345:", 6},
        {(uint8_t const *)"123 45", 6},    {(uint8_t const *)"123456", 7},
        {(uint8_t const *)"-12345", 6},    {(uint8_t const *)"\xd9\xa1\xd9\xa2\xd9\xa3", 6},
    };
    static char const *const once[] = {"mfa", "passcode_attempts", "1", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        world w;
        dt_request r = world_request();

        world_open_at_passcode(&w, GUIDE, once, &r);
        dt_signon_answer(w.machine, answers[i], w.now);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
        world_close(&w);
    }
}

static void test_what_is_a_passcode(void **state)
{
    static char const *const answers[] = {"918273",  "91827364", "\t 918273 \t\r\n",
                                          "918 273", "918-273",  "918\xc2\xa0\x32\x37\x33"};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        world w;
        dt_request r = world_request();

        world_open_at_passcode(&w, GUIDE, NULL, &r);
        world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
        world_answer(&w, answers[i]);
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        assert_false(world_machine_holds(w.machine, "91827")); /* the passcode is gone */
        world_close(&w);
    }
}

/* --- several authenticators ------------------------------------------------------------------ */

/* The passcode is that of either authenticator: a wrong one is tried with the other, at most two. */
static void second_authenticator(int status, char const *first, char const *second)
{
    static char const *const once[] = {"mfa", "passcode_attempts", "1", NULL};
    world w;
    dt_request r = world_request();

    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = "123456";
    world_open(&w, GUIDE, once);
    w.save_each_step = false;
    expect_user_and_factors(&w, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", status, first);
    if (second)
        world_expect(&w, DT_HTTP_POST, "/factors/uft2/verify", second == OKTA_SUCCESS ? 200 : 403,
                     second);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    if (second == OKTA_SUCCESS)
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    else
        assert_end(&w, DT_DENY,
                   strstr(first, "E0000069") ? DT_CAUSE_MFA_LOCKED : DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

static void test_a_passcode_of_either_authenticator(void **state)
{
    (void)state;
    second_authenticator(403, OKTA_WRONG_CODE, OKTA_SUCCESS);
    second_authenticator(403, OKTA_WRONG_CODE, OKTA_WRONG_CODE);
    second_authenticator(200, "{\"factorResult\":\"PASSCODE_REPLAYED\"}", NULL);
    second_authenticator(403, "{\"errorCode\":\"E0000069\",\"errorSummary\":\"locked\"}", NULL);
}

static void test_locked_is_not_asked_again(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL); /* three attempts */
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403,
                 "{\"errorCode\":\"E0000069\",\"errorSummary\":\"locked\"}");
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_LOCKED);
    world_close(&w);
}

static void test_each_passcode_is_tried_with_both(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 0, "");
    world_begin(&w, &r);
    world_run(&w);
    for (int i = 0; i < 2; i++) {
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
        world_expect(&w, DT_HTTP_POST, "/factors/uft2/verify", 403, OKTA_WRONG_CODE);
        assert_int_equal(world_answer(&w, i == 0 ? "123456" : "123457"), DT_STEP_PROMPT);
    }
    world_all_used(&w);
    world_close(&w);
}

/* --- when it is typed, and how often --------------------------------------------------------- */

static void test_a_passcode_typed_during_a_poll(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    w.now = w.step.until;
    world_run_to_http(&w, DT_HTTP_GET, "/transactions/");
    dt_signon_answer(w.machine, dt_bytes_str("918273"), w.now);
    world_feed(&w, 200, OKTA_WAITING_NUMBER);
    world_run_to_http(&w, DT_HTTP_POST, "/factors/ost1/verify");
    assert_non_null(strstr(w.step.http->body, "918273"));
    world_feed(&w, 403, OKTA_WRONG_CODE);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_false(world_machine_holds(w.machine, "918273"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    w.save_each_step = false;
    for (int i = 0; i < 3; i++) { /* looked up, counted, then sent */
        dt_signon_next(w.machine, w.now, &w.step);
        world_step(&w);
    }
    dt_signon_next(w.machine, w.now, &w.step);
    assert_int_equal(w.step.http->method, DT_HTTP_DELETE);
    assert_int_equal(w.step.http->timeout, DT_SIGNON_CANCEL_TIMEOUT);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 500, ""); /* whatever it says */
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->polls, 1);
    world_close(&w);
}

/* What is typed while Okta is being asked is answered when Okta has answered. */
static void test_text_typed_during_a_poll(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    w.now = w.step.until;
    world_run_to_http(&w, DT_HTTP_GET, "/transactions/");
    dt_signon_answer(w.machine, dt_bytes_str("yes"), w.now);
    world_feed(&w, 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "That is not a passcode"));
    world_close(&w);
}

/* Whoever types it again gets no other answer, and Okta no other guess. */
/* A token that has drifted: Okta wants its next code, and only both together let in. */
static void test_the_next_code_is_asked_for(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_passcode(&w, GUIDE, NULL, &r);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 409,
                 "{\"errorCode\":\"E0000113\",\"errorSummary\":\"Enter the next code.\"}");
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "wait for the next code"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "222222"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "not accepted")); /* it is said once */
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, "333333"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_a_wrong_passcode_is_sent_once(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    w.save_each_step = false;
    expect_user_and_factors(&w, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 0, "");
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    world_expect(&w, DT_HTTP_POST, "/factors/uft2/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_PROMPT);
    world_show(&w);
    assert_int_equal(world_answer(&w, " 123456 "), DT_STEP_PROMPT); /* nothing is sent */
    world_show(&w);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    /* nor in the sign-on after it, of the same person */
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/00u1/factors", 200, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 0, "");
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

/* A locker that gives the same eight digits at every prompt: one of them goes to Okta, and the push is still
 * there to be approved. */
static void test_a_locker_that_answers_everything(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    w.save_each_step = false;
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "12345678"), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_not_equal(world_answer(&w, "12345678"), DT_STEP_DONE);
    while (w.step.kind == DT_STEP_PROMPT)
        world_show(&w);
    assert_int_equal(w.step.kind, DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "mst1", 200, OKTA_SUCCESS);
    w.now = w.step.until;
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_a_passcode_not_needed_is_forgotten(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, NULL);
    w.save_each_step = false;
    r = with_certificate(&w);
    r.passcode = "918273";
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_false(world_machine_holds(w.machine, "918273"));
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_passcode_while_the_push_is_pending),
        cmocka_unit_test(test_wrong_passcodes_are_counted),
        cmocka_unit_test(test_only_exactly_success_lets_a_passcode_in),
        cmocka_unit_test(test_passcode_given_along),
        cmocka_unit_test(test_odd_answers_to_a_passcode_never_allow),
        cmocka_unit_test(test_a_passcode_nobody_can_type_is_not_waited_for),
        cmocka_unit_test(test_what_is_no_passcode_costs_no_call),
        cmocka_unit_test(test_what_is_a_passcode),
        cmocka_unit_test(test_a_passcode_of_either_authenticator),
        cmocka_unit_test(test_locked_is_not_asked_again),
        cmocka_unit_test(test_a_useless_passcode_is_forgotten),
        cmocka_unit_test(test_a_passcode_typed_during_a_poll),
        cmocka_unit_test(test_each_passcode_is_tried_with_both),
        cmocka_unit_test(test_text_typed_during_a_poll),
        cmocka_unit_test(test_the_next_code_is_asked_for),
        cmocka_unit_test(test_a_wrong_passcode_is_sent_once),
        cmocka_unit_test(test_a_locker_that_answers_everything),
        cmocka_unit_test(test_a_passcode_not_needed_is_forgotten),
    };

    return world_run_tests_twice("signon passcode", tests);
}
