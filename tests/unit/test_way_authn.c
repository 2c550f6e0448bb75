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
#define PREVIOUS "/api/v1/authn/previous"
#define CANCEL "/api/v1/authn/cancel"

static char const ANY_FACTOR[] = POLICY(
    RULE("any", "1", "NOT_TRUSTED",
         "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\",\"factors\":["
         "\"push\",\"token:software:totp\",\"token:hotp\",\"token\",\"token:hardware\",\"sms\","
         "\"call\",\"email\",\"question\"]}}"));

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

/* Okta takes what comes about another factor than the one that it waits for for that one's: it is left before. */
static void test_a_passcode_while_a_push_waits_leaves_the_push(void **state)
{
    world w;

    (void)state;
    open_world(&w, "[" PUSH "," TOTP "]");
    world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, WAITING_42);
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, PREVIOUS, 200, MFA_REQUIRED);
    world_expect(&w, DT_HTTP_POST, VERIFY("ost1"), 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    assert_null(strstr(w.step.prompt->text, "42"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY("ost1"), 200, SUCCESS);
    assert_int_equal(world_answer(&w, "222222"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_TOTP);
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

/* Replies that let nobody in, to whatever was asked about a factor, and the cause of the refusal. */
typedef struct refusal {
    int status;
    char const *reply;
    dt_cause cause;
} refusal;

#define ERROR(code) "{\"errorCode\":\"" code "\",\"errorSummary\":\"x\"}"
#define BOB USER("00u2", "bob@example.com")
#define UNUSABLE DT_CAUSE_OKTA_ANSWER_UNUSABLE

static refusal const refusals[] = {
    /* another person, transaction or factor */
    {200, SUCCESS_FOR(BOB), UNUSABLE},
    {200, SUCCESS_FOR(USER("00u1", "bob@example.com")), UNUSABLE},
    {200, SUCCESS_FOR(USER("00u2", "ann@example.com")), UNUSABLE},
    {200, "{\"status\":\"SUCCESS\",\"stateToken\":\"" OTHER_TOKEN "\"," ANN "}}", UNUSABLE},
    {200, CHALLENGE_OF(OTHER_TOKEN, "opf1", RESULT("WAITING"), "", "poll"), UNUSABLE},
    {200, CHALLENGE_OF(TOKEN, "opf9", RESULT("WAITING"), "", "poll"), UNUSABLE},
    {200, CHALLENGE_OF(TOKEN, "opf9", RESULT("SUCCESS"), "", "poll"), UNUSABLE},
    /* a SUCCESS that is not the transaction's */
    {200, "{\"status\":\"SUCCESS\"}", UNUSABLE},
    {200, "{\"status\":\"SUCCESS\",\"_embedded\":{}}", UNUSABLE},
    {200, "{\"status\":\"SUCCESS\",\"_embedded\":{\"user\":null}}", UNUSABLE},
    {200, "{\"factorResult\":\"SUCCESS\"}", UNUSABLE},
    {200, "{\"factorResult\":\"SUCCESS\"," ANN "}}", UNUSABLE},
    {200, "{\"status\":true," ANN "}}", UNUSABLE},
    {200, "{\"status\":[\"SUCCESS\"]," ANN "}}", UNUSABLE},
    {200, "\"SUCCESS\"", UNUSABLE},
    {200, "", UNUSABLE},
    {200, "{\"status\":\"SUCCESS\"," ANN "}", UNUSABLE},
    {201, SUCCESS, UNUSABLE},
    {202, SUCCESS, UNUSABLE},
    {204, SUCCESS, UNUSABLE},
    {302, SUCCESS, UNUSABLE},
    /* what ends a transaction */
    {200, "{\"status\":\"LOCKED_OUT\",\"_embedded\":{}}", DT_CAUSE_MFA_LOCKED},
    {200, STATUS("PASSWORD_EXPIRED"), DT_CAUSE_PRIMARY_EXPIRED},
    {200, STATUS("PASSWORD_RESET"), DT_CAUSE_PRIMARY_EXPIRED},
    {200, STATUS("MFA_ENROLL"), DT_CAUSE_PRIMARY_ENROLL},
    {200, STATUS("MFA_ENROLL_ACTIVATE"), DT_CAUSE_PRIMARY_ENROLL},
    {200, STATUS("MFA_REQUIRED"), DT_CAUSE_OKTA_REFUSED},
    {200, STATUS("PASSWORD_WARN"), DT_CAUSE_OKTA_REFUSED},
    {200, STATUS("RECOVERY"), DT_CAUSE_OKTA_REFUSED},
    {200, STATUS("RECOVERY_CHALLENGE"), DT_CAUSE_OKTA_REFUSED},
    {200, STATUS("UNAUTHENTICATED"), DT_CAUSE_OKTA_REFUSED},
    {200, STATUS("success"), DT_CAUSE_OKTA_REFUSED},
    {200, STATUS("SUCCESS "), DT_CAUSE_OKTA_REFUSED},
    {200, STATUS("SUCCESSFUL"), DT_CAUSE_OKTA_REFUSED},
    {200, STATUS(""), DT_CAUSE_OKTA_REFUSED},
    {401, ERROR("E0000011"), DT_CAUSE_MFA_TIMEOUT},
    {401, ERROR("E0000004"), DT_CAUSE_OKTA_REFUSED},
    {403, ERROR("E0000079"), DT_CAUSE_OKTA_REFUSED},
    {403, ERROR("E0000069"), DT_CAUSE_MFA_LOCKED},
};

static void assert_refused(world *w, refusal const *r)
{
    dt_outcome const *o = world_outcome(w);

    if (o->result != DT_DENY || o->cause != r->cause)
        fail_msg("%d %s: %s, not %s: %s", r->status, r->reply, dt_cause_name(o->cause),
                 dt_cause_name(r->cause), o->detail);
    assert_true(o->detail[0]);
    assert_denied(w, r->cause);
}

#define EACH(r)                                                                                    \
    for (refusal const *r = refusals; r < refusals + sizeof(refusals) / sizeof(refusals[0]); r++)

/* A push is alone there, and one attempt is all there is: nothing else can be asked for. */
static char const *const alone[] = {
    AUTHN, "mfa", "factors", "push, sms, token:software:totp", "mfa", "passcode_attempts",
    "1",   NULL};

static void open_alone(world *w, char const *factors)
{
    world_open(w, ANY_FACTOR, alone);
    world_expect(w, DT_HTTP_POST, "/api/v1/authn", 200, MFA_REQUIRED);
    expect_user_and_factors(w, factors);
}

static void test_refused_where_a_push_is_sent(void **state)
{
    (void)state;
    EACH(r)
    {
        world w;

        open_alone(&w, "[" PUSH "]");
        world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), r->status, r->reply);
        expect_cancel(&w);
        assert_int_equal(begin(&w), DT_STEP_DONE);
        assert_refused(&w, r);
    }
}

/* A success in the moment in which it is sent is not one: nobody can have approved it. */
static void test_a_success_where_a_push_is_sent(void **state)
{
    world w;

    (void)state;
    open_alone(&w, "[" PUSH "]");
    world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, SUCCESS);
    expect_cancel(&w);
    assert_int_equal(begin(&w), DT_STEP_DONE);
    assert_denied(&w, UNUSABLE);
}

/* What cannot be read is asked once more, a few times, and what ends the transaction ends the sign-on. */
static void test_refused_where_a_push_is_polled(void **state)
{
    (void)state;
    EACH(r)
    {
        bool again = r->cause == UNUSABLE;
        world w;

        open_alone(&w, "[" PUSH "]");
        world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, WAITING);
        assert_int_equal(begin(&w), DT_STEP_WAIT);
        for (int i = 0; i < (again ? DT_SIGNON_POLL_FAILURES_MAX + 1 : 1); i++)
            world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), r->status, r->reply);
        expect_cancel(&w);
        while (world_wait(&w) != DT_STEP_DONE)
            assert_true(again);
        assert_refused(&w, r);
    }
}

static void test_refused_where_a_passcode_is_sent(void **state)
{
    (void)state;
    EACH(r)
    {
        world w;

        open_alone(&w, "[" TOTP "]");
        assert_int_equal(begin(&w), DT_STEP_PROMPT);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, VERIFY("ost1"), r->status, r->reply);
        expect_cancel(&w);
        assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
        assert_refused(&w, r);
    }
}

static void test_refused_where_a_code_is_sent(void **state)
{
    (void)state;
    EACH(r)
    {
        world w;

        open_alone(&w, "[" SMS "]");
        world_expect(&w, DT_HTTP_POST, VERIFY("sms1"), r->status, r->reply);
        expect_cancel(&w);
        assert_int_equal(begin(&w), DT_STEP_DONE);
        assert_refused(&w, r);
    }
}

/* Nothing but MFA_REQUIRED of this transaction says that the push was left. The passcode is not sent then. */
static void test_refused_where_a_push_is_left(void **state)
{
    static refusal const more[] = {
        {200, SUCCESS, UNUSABLE},
        {200, WAITING, UNUSABLE},
        {200, "{\"stateToken\":\"" OTHER_TOKEN "\",\"status\":\"MFA_REQUIRED\"," ANN "}}",
         UNUSABLE},
        {200, "{\"stateToken\":\"" TOKEN "\",\"status\":\"MFA_REQUIRED\"," BOB "}}", UNUSABLE},
        {200, "{\"status\":\"MFA_REQUIRED\"," ANN "}}", UNUSABLE},
        {200, STATUS("MFA_ENROLL"), DT_CAUSE_PRIMARY_ENROLL},
        {200, STATUS("RECOVERY"), DT_CAUSE_OKTA_REFUSED},
        {401, ERROR("E0000011"), DT_CAUSE_MFA_TIMEOUT},
        {403, ERROR("E0000079"), DT_CAUSE_OKTA_REFUSED},
        {404, ERROR("E0000007"), DT_CAUSE_OKTA_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        world w;

        open_alone(&w, "[" PUSH "," TOTP "]");
        world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, WAITING_42);
        assert_int_equal(begin(&w), DT_STEP_PROMPT);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, PREVIOUS, more[i].status, more[i].reply);
        expect_cancel(&w);
        assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        assert_denied(&w, world_outcome(&w)->cause);
    }
}

/* Each factorResult of MFA_CHALLENGE but WAITING ends a push; none of them, SUCCESS neither, lets anybody in. */
static void test_no_result_of_a_challenge_is_a_success(void **state)
{
#define POLLED(word) CHALLENGE_OF(TOKEN, "opf1", RESULT(word), "", "verify")
    static refusal const results[] = {
        {200, POLLED("REJECTED"), DT_CAUSE_MFA_REJECTED},
        {200, POLLED("TIMEOUT"), DT_CAUSE_MFA_TIMEOUT},
        {200, POLLED("CANCELLED"), DT_CAUSE_MFA_TIMEOUT},
    };
    static char const *const unknown[] = {POLLED("SUCCESS"),   POLLED("ERROR"),   POLLED("FAILED"),
                                          POLLED("CHALLENGE"), POLLED("waiting"), POLLED("")};

    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        world w;

        open_alone(&w, "[" PUSH "]");
        world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, WAITING);
        assert_int_equal(begin(&w), DT_STEP_WAIT);
        world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, results[i].reply);
        expect_cancel(&w);
        assert_int_equal(world_wait(&w), DT_STEP_DONE); /* and no second push */
        assert_refused(&w, &results[i]);
    }
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        world w;

        open_alone(&w, "[" PUSH "]");
        world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, WAITING);
        assert_int_equal(begin(&w), DT_STEP_WAIT);
        for (int k = 0; k <= DT_SIGNON_POLL_FAILURES_MAX; k++)
            world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, unknown[i]);
        expect_cancel(&w);
        while (world_wait(&w) != DT_STEP_DONE)
            continue;
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        assert_denied(&w, world_outcome(&w)->cause);
    }
}

/* "next" of another name, or that leads elsewhere, is not polled. */
static void test_a_push_without_its_link_is_none(void **state)
{
    static char const *const replies[] = {
        CHALLENGE_OF(TOKEN, "opf1", RESULT("WAITING"), "", "verify"),
        CHALLENGE_OF(TOKEN, "opf1", RESULT("WAITING"), "", "POLL"),
        "{\"stateToken\":\"" TOKEN "\",\"status\":\"MFA_CHALLENGE\"," RESULT("WAITING") ANN
        ",\"factor\":{\"id\":\"opf1\"}}}",
        "{\"stateToken\":\"" TOKEN "\",\"status\":\"MFA_CHALLENGE\"," RESULT("WAITING") ANN
        ",\"factor\":{\"id\":\"opf1\"}},\"_links\":{\"next\":{\"name\":\"poll\",\"href\":\"" BASE
        "/factors/opf9/verify\"}}}",
        "{\"stateToken\":\"" TOKEN "\",\"status\":\"MFA_CHALLENGE\"," RESULT("WAITING") ANN
        ",\"factor\":{\"id\":\"opf1\"}},\"_links\":{\"next\":{\"name\":\"poll\",\"href\":"
        "\"https://evil.example.com/api/v1/authn/factors/opf1/verify\"}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        world w;

        open_alone(&w, "[" PUSH "]");
        world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, replies[i]);
        expect_cancel(&w);
        assert_int_equal(begin(&w), DT_STEP_DONE);
        assert_denied(&w, UNUSABLE);
    }
}

/* --- each factor ---------------------------------------------------------------------------------- */

static void test_each_factor_of_the_api(void **state)
{
#define SENT_OF(id) CHALLENGE_OF(TOKEN, id, "", "", "verify")
    static struct {
        char const *factor, *verify, *sent, *answer, *body;
        dt_factor_type type;
    } const rows[] = {
        {TOTP, VERIFY("ost1"), NULL, "012345", "\"passCode\":\"012345\"", DT_FACTOR_TOTP},
        {ONE("uft1", "token:software:totp", "GOOGLE"), VERIFY("uft1"), NULL, "123456",
         "\"passCode\":\"123456\"", DT_FACTOR_TOTP_GOOGLE},
        {ONE("chf1", "token:hotp", "CUSTOM"), VERIFY("chf1"), NULL, "123456",
         "\"passCode\":\"123456\"", DT_FACTOR_HOTP},
        {ONE("vip1", "token", "SYMANTEC"), VERIFY("vip1"), NULL, "123456",
         "\"passCode\":\"123456\"", DT_FACTOR_SYMANTEC},
        {ONE("rsa1", "token", "RSA"), VERIFY("rsa1"), NULL, "123456", "\"passCode\":\"123456\"",
         DT_FACTOR_RSA},
        {ONE("ykf1", "token:hardware", "YUBICO"), VERIFY("ykf1"), NULL,
         "ccccccbcgujhingjrdejhgfnuetrgigvejhhgbkugded",
         "\"passCode\":\"ccccccbcgujhingjrdejhgfnuetrgigvejhhgbkugded\"", DT_FACTOR_YUBIKEY},
        {ONE("ufs1", "question", "OKTA"), VERIFY("ufs1"), NULL, "Mona Lisa",
         "\"answer\":\"Mona Lisa\"", DT_FACTOR_QUESTION},
        {SMS, VERIFY("sms1"), SENT_OF("sms1"), "123456", "\"passCode\":\"123456\"", DT_FACTOR_SMS},
        {ONE("clf1", "call", "OKTA"), VERIFY("clf1"), SENT_OF("clf1"), "654321",
         "\"passCode\":\"654321\"", DT_FACTOR_CALL},
        {ONE("emf1", "email", "OKTA"), VERIFY("emf1"), SENT_OF("emf1"), "123456",
         "\"passCode\":\"123456\"", DT_FACTOR_EMAIL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char list[512], body[256];
        world w;

        (void)snprintf(list, sizeof(list), "[%s]", rows[i].factor);
        open_world(&w, list);
        if (rows[i].sent != NULL)
            world_expect(&w, DT_HTTP_POST, rows[i].verify, 200, rows[i].sent);
        assert_int_equal(begin(&w), DT_STEP_PROMPT);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, rows[i].verify, 403, OKTA_WRONG_CODE);
        assert_int_equal(world_answer(&w, rows[i].type == DT_FACTOR_YUBIKEY
                                              ? "ccccccbcgujhvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
                                          : rows[i].type == DT_FACTOR_QUESTION ? "The Scream"
                                                                               : "000000"),
                         DT_STEP_PROMPT);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, rows[i].verify, 200, SUCCESS);
        assert_int_equal(world_answer(&w, rows[i].answer), DT_STEP_DONE);
        (void)snprintf(body, sizeof(body), "{\"stateToken\":\"" TOKEN "\",%s}", rows[i].body);
        assert_string_equal(w.last_body, body);
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        assert_int_equal(world_outcome(&w)->factor, rows[i].type);
        world_close(&w);
    }
}

/* --- the end -------------------------------------------------------------------------------------- */

static void test_who_leaves_ends_the_transaction(void **state)
{
    world w;

    (void)state;
    open_world(&w, "[" TOTP "]");
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    world_show(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    expect_cancel(&w);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_string_equal(w.last_body, "{\"stateToken\":\"" TOKEN "\"}");
    assert_denied(&w, DT_CAUSE_CLIENT_GONE);

    open_world(&w, "[" PUSH "]");
    world_expect(&w, DT_HTTP_POST, VERIFY("opf1"), 200, WAITING);
    assert_int_equal(begin(&w), DT_STEP_WAIT);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    expect_cancel(&w); /* once, for the push and the transaction */
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_denied(&w, DT_CAUSE_CLIENT_GONE);
}

/* EAP-TLS has no password, so there is no transaction. */
static void test_a_handshake_has_no_transaction(void **state)
{
    dt_request r;
    world w;

    (void)state;
    world_open(&w, ANY_FACTOR, settings);
    r = world_request();
    r.primary = DT_PRIMARY_HANDSHAKE;
    expect_user_and_factors(&w, "[" PUSH "]");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_non_null(strstr(world_outcome(&w)->detail, "okta_way"));
    assert_denied(&w, DT_CAUSE_CONFIG);
}

/* The person's address goes along with each request about a factor. */
static void test_the_address_goes_along(void **state)
{
    dt_request r = request();
    world w;

    (void)state;
    r.client_ip = "203.0.113.7";
    open_world(&w, "[" PUSH "]");
    w.save_each_step = false;
    world_begin(&w, &r);
    world_run_to_http(&w, DT_HTTP_POST, VERIFY("opf1"));
    assert_string_equal(w.step.http->forwarded_for, "203.0.113.7");
    world_feed(&w, 200, WAITING);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    w.now = w.step.until;
    world_run_to_http(&w, DT_HTTP_POST, VERIFY("opf1"));
    assert_string_equal(w.step.http->forwarded_for, "203.0.113.7");
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_a_push_is_sent_and_polled_in_the_transaction),
        cmocka_unit_test(test_a_passcode_is_given_in_the_transaction),
        cmocka_unit_test(test_a_code_is_sent_and_sent_again),
        cmocka_unit_test(test_a_passcode_while_a_push_waits_leaves_the_push),
        cmocka_unit_test(test_without_a_transaction_nobody_is_asked),
        cmocka_unit_test(test_no_second_post_after_the_end_of_a_push),
        cmocka_unit_test(test_refused_where_a_push_is_sent),
        cmocka_unit_test(test_a_success_where_a_push_is_sent),
        cmocka_unit_test(test_refused_where_a_push_is_polled),
        cmocka_unit_test(test_refused_where_a_passcode_is_sent),
        cmocka_unit_test(test_refused_where_a_code_is_sent),
        cmocka_unit_test(test_refused_where_a_push_is_left),
        cmocka_unit_test(test_no_result_of_a_challenge_is_a_success),
        cmocka_unit_test(test_a_push_without_its_link_is_none),
        cmocka_unit_test(test_each_factor_of_the_api),
        cmocka_unit_test(test_who_leaves_ends_the_transaction),
        cmocka_unit_test(test_a_handshake_has_no_transaction),
        cmocka_unit_test(test_the_address_goes_along),
    };

    return world_run_tests_twice("way authn", tests);
}
