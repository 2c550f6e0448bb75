/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [mfa] okta_way = authn: password and MFA in one transaction of the Authn API. Nobody gets in without a SUCCESS of
 * this transaction, this person and this factor. Each test runs twice: as it is, and with the machine saved and loaded
 * before every step. */
#include "core/signon/signon_internal.h"
#include "signon_policies.h"
#include "signon_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define PASSWORD "correct horse"
#define TOKEN "007ucIX7PATyn94hsHfOLVaXAmOBkKHWnOOLG43bsb"
#define OTHER_TOKEN "00ZDroVfr1sdCqx5bLqzq8jD0yVLSb3sQH5JmmGcpQ"
#define USER(id, login)                                                                            \
    "\"_embedded\":{\"user\":{\"id\":\"" id "\",\"profile\":{\"login\":\"" login "\"}}"
#define ANN USER("00u1", "ann@example.com")
#define BASE "https://example.okta.com/api/v1/authn"
#define MFA_REQUIRED "{\"stateToken\":\"" TOKEN "\",\"status\":\"MFA_REQUIRED\"," ANN "}}"
#define STATUS(word) "{\"stateToken\":\"" TOKEN "\",\"status\":\"" word "\"," ANN "}}"
/* MFA_CHALLENGE of a factor: what is said of it, and what `next` is. */
#define CHALLENGE_OF(token, factor, result, number, next)                                          \
    "{\"stateToken\":\"" token "\",\"status\":\"MFA_CHALLENGE\"," result ANN                       \
    ",\"factor\":{\"id\":\"" factor "\"" number "}},\"_links\":{\"next\":{\"name\":\"" next        \
    "\",\"href\":\"" BASE "/factors/" factor "/verify\"},\"cancel\":{\"href\":\"" BASE             \
    "/cancel\"}}}"
#define RESULT(word) "\"factorResult\":\"" word "\","
#define WAITING CHALLENGE_OF(TOKEN, "opf1", RESULT("WAITING"), "", "poll")
#define NUMBER ",\"_embedded\":{\"challenge\":{\"correctAnswer\":42}}"
#define WAITING_42 CHALLENGE_OF(TOKEN, "opf1", RESULT("WAITING"), NUMBER, "poll")
#define REJECTED CHALLENGE_OF(TOKEN, "opf1", RESULT("REJECTED"), "", "verify")
#define TIMEOUT CHALLENGE_OF(TOKEN, "opf1", RESULT("TIMEOUT"), "", "verify")
#define SENT(factor) CHALLENGE_OF(TOKEN, factor, "", "", "verify")
#define SUCCESS_FOR(user) "{\"status\":\"SUCCESS\",\"sessionToken\":\"20111x\"," user "}}"
#define SUCCESS SUCCESS_FOR(ANN)

#define ONE(id, type, provider)                                                                    \
    "{\"id\":\"" id "\",\"factorType\":\"" type "\",\"provider\":\"" provider                      \
    "\",\"status\":\"ACTIVE\"}"
#define PUSH ONE("opf1", "push", "OKTA")
#define TOTP ONE("ost1", "token:software:totp", "OKTA")
#define SMS ONE("sms1", "sms", "OKTA")

#define VERIFY(factor) "/api/v1/authn/factors/" factor "/verify"
#define CANCEL "/api/v1/authn/cancel"

static char const ANY_FACTOR[] =
    POLICY(RULE("any", "1", "NOT_TRUSTED",
                "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\"}}"));

#define AUTHN "primary", "okta_password", "vpn", "mfa", "okta_way", "authn"
static char const *const settings[] = {
    AUTHN, "mfa", "factors",
    "push, token:software:totp, sms, call, email, question, token:hotp, token, "
    "token:hardware",
    NULL};

static dt_request request(void)
{
    dt_request r = world_request();

    r.password = PASSWORD;
    return r;
}

/* As far as the first request about a factor, which is expected by whoever calls. */
static void open_world(world *w, char const *factors)
{
    world_open(w, ANY_FACTOR, settings);
    world_expect(w, DT_HTTP_POST, "/api/v1/authn", 200, MFA_REQUIRED);
    expect_user_and_factors(w, factors);
}

/* The password is never saved, so the machine is saved from what follows it on. */
static dt_step_kind begin(world *w)
{
    dt_request r = request();

    w->save_each_step = false;
    world_begin(w, &r);
    world_run_to_http(w, DT_HTTP_GET, "/users/");
    w->save_each_step = world_is_saving();
    world_step(w);
    return world_run(w);
}

static void expect_cancel(world *w)
{
    world_expect(w, DT_HTTP_POST, CANCEL, 200, "{}");
}

static void assert_denied(world *w, dt_cause cause)
{
    assert_end(w, DT_DENY, cause);
    assert_false(world_machine_holds(w->machine, TOKEN));
    assert_null(strstr(world_outcome(w)->detail, TOKEN));
    world_close(w);
}

/* --- who gets in ---------------------------------------------------------------------------------- */

static void test_a_push_is_sent_and_polled_in_the_transaction(void **state)
{
    world w;

    (void)state;
    open_world(&w, "[" PUSH "]");
    world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, WAITING);
    assert_int_equal(begin(&w), DT_STEP_WAIT);
    assert_string_equal(w.last_body, "{\"stateToken\":\"" TOKEN "\"}");
    world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, WAITING_42);
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "42"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, SUCCESS);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_string_equal(w.last_body, "{\"stateToken\":\"" TOKEN "\"}");
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->primary, DT_PRIMARY_OKTA_VERIFIED);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_PUSH);
    assert_false(world_machine_holds(w.machine, TOKEN));
    world_close(&w);
}

static void test_a_passcode_is_given_in_the_transaction(void **state)
{
    world w;

    (void)state;
    open_world(&w, "[" TOTP "]");
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY("ost1"), 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY("ost1"), 200, SUCCESS);
    assert_int_equal(world_answer(&w, "012345"), DT_STEP_DONE);
    assert_string_equal(w.last_body, "{\"stateToken\":\"" TOKEN "\",\"passCode\":\"012345\"}");
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_a_code_is_sent_and_sent_again(void **state)
{
    world w;

    (void)state;
    open_world(&w, "[" SMS "]");
    world_expect(&w, DT_HTTP_POST, VERIFY("sms1"), 200, SENT("sms1"));
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY("sms1") "/resend", 200, SENT("sms1"));
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    assert_string_equal(w.last_body, "{\"stateToken\":\"" TOKEN "\"}");
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY("sms1"), 200, SUCCESS);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* --- who does not --------------------------------------------------------------------------------- */

/* Where the org lets in by the password alone, nothing is there to ask for MFA in, and no other way is taken. */
static void test_without_a_transaction_nobody_is_asked(void **state)
{
    world w;

    (void)state;
    world_open(&w, ANY_FACTOR, settings);
    world_expect(&w, DT_HTTP_POST, "/api/v1/authn", 200, SUCCESS);
    expect_user_and_factors(&w, "[" PUSH "]");
    assert_int_equal(begin(&w), DT_STEP_DONE);
    assert_non_null(strstr(world_outcome(&w)->detail, "okta_way"));
    assert_denied(&w, DT_CAUSE_CONFIG);
}

static void test_no_second_post_after_the_end_of_a_push(void **state)
{
    static struct {
        char const *reply;
        dt_cause cause;
    } const ends[] = {{REJECTED, DT_CAUSE_MFA_REJECTED}, {TIMEOUT, DT_CAUSE_MFA_TIMEOUT}};

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        world w;

        open_world(&w, "[" PUSH "]");
        world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, WAITING);
        assert_int_equal(begin(&w), DT_STEP_WAIT);
        world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, ends[i].reply);
        expect_cancel(&w);
        assert_int_equal(world_wait(&w), DT_STEP_DONE);
        assert_denied(&w, ends[i].cause);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_a_push_is_sent_and_polled_in_the_transaction),
        cmocka_unit_test(test_a_passcode_is_given_in_the_transaction),
        cmocka_unit_test(test_a_code_is_sent_and_sent_again),
        cmocka_unit_test(test_without_a_transaction_nobody_is_asked),
        cmocka_unit_test(test_no_second_post_after_the_end_of_a_push),
    };

    return world_run_tests_twice("way authn", tests);
}
