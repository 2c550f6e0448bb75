/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [mfa] okta_way = direct: Direct Authentication, with the Okta password and without one. Nobody gets in without an ID
 * token of this person for our app. Each test runs twice: as it is, and with the machine saved and loaded before every
 * step. */
#include "core/signon/signon_internal.h"
#include "signon_policies.h"
#include "signon_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PASSWORD "correct horse"
#define MFA_TOKEN "Qwk9va6QYgR3s7JMiWUm"
#define OOB_CODE "oob.f6PqSHr8bNyoM8hRL1"
#define NO_PASSWORD "{\"error\":\"mfa_required\",\"mfa_token\":\"" MFA_TOKEN "\"}"
#define OAUTH(word) "{\"error\":\"" word "\",\"error_description\":\"said so\"}"

#define TOKEN "/oauth2/v1/token"
#define CHALLENGE "/oauth2/v1/challenge"
#define PRIMARY "/oauth2/v1/primary-authenticate"

#define OOB "{\"oob_code\":\"" OOB_CODE "\",\"expires_in\":100,"
#define PUSH_BEGUN(rest) OOB "\"interval\":5,\"channel\":\"push\"," rest "}"
#define NONE "\"binding_method\":\"none\""
#define NUMBER_95 "\"binding_method\":\"transfer\",\"binding_code\":\"95\""
#define MFA_OOB ",\"challenge_type\":\"http://auth0.com/oauth/grant-type/mfa-oob\""
#define SMS_BEGUN OOB "\"channel\":\"sms\",\"binding_method\":\"prompt\"" MFA_OOB "}"

#define ONE(id, type, provider)                                                                    \
    "{\"id\":\"" id "\",\"factorType\":\"" type "\",\"provider\":\"" provider                      \
    "\",\"status\":\"ACTIVE\",\"profile\":{\"name\":\"" id " name\",\"phoneNumber\":null}}"
#define PUSH ONE("opf1", "push", "OKTA")
#define PUSH_2 ONE("opf2", "push", "OKTA")
#define TOTP ONE("ost1", "token:software:totp", "OKTA")
#define GOOGLE ONE("uft1", "token:software:totp", "GOOGLE")
#define SMS ONE("sms1", "sms", "OKTA")
#define EMAIL ONE("emf1", "email", "OKTA")
#define QUESTION ONE("ufs1", "question", "OKTA")

static char const ANY_FACTOR[] =
    POLICY(RULE("any", "1", "NOT_TRUSTED",
                "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\","
                "\"factors\":[\"push\",\"token:software:totp\",\"sms\",\"call\",\"email\","
                "\"question\"]}}"));

#define WAY                                                                                        \
    "mfa", "okta_way", "direct", "okta", "native_client_id", "0oa1native", "mfa", "factors",       \
        "push, token:software:totp, sms, call, email, question"
static char const *const without_password[] = {WAY, NULL};
static char const *const with_password[] = {WAY, "primary", "okta_password", "vpn", NULL};

static char tokens_text[4096];

static void put_part(dt_buf *b, char const *part)
{
    dt_base64url_encode(b, dt_bytes_str(part));
    dt_buf_putc(b, '.');
}

/* What the token endpoint answers, of this person and at the time of this world. */
static char const *tokens_of(world const *w, char const *sub, char const *name, char const *amr)
{
    char claims[512];
    dt_buf b;

    dt_buf_init_fixed(&b, tokens_text, sizeof(tokens_text));
    dt_buf_puts(&b, "{\"token_type\":\"Bearer\",\"access_token\":\"at\",\"id_token\":\"");
    put_part(&b, "{\"alg\":\"RS256\"}");
    snprintf(claims, sizeof(claims),
             "{\"iss\":\"https://example.okta.com\",\"aud\":\"0oa1native\",\"iat\":%lld,"
             "\"exp\":%lld,\"sub\":\"%s\",\"preferred_username\":\"%s\",\"amr\":%s}",
             (long long)w->now / 1000, (long long)w->now / 1000 + 3600, sub, name, amr);
    put_part(&b, claims);
    dt_buf_puts(&b, "c2ln\"}");
    dt_buf_putc(&b, '\0');
    assert_int_equal(dt_buf_error(&b), 0);
    return tokens_text;
}

static char const *tokens(world const *w)
{
    return tokens_of(w, "00u1", "ann@example.com", "[\"mfa\",\"swk\"]");
}

/* Begins after the password, with which no machine is ever saved. */
static dt_step_kind begin_with_password(world *w)
{
    dt_request r = world_request();

    r.password = PASSWORD;
    w->save_each_step = false;
    world_begin(w, &r);
    world_run_to_http(w, DT_HTTP_GET, "/users/");
    w->save_each_step = world_is_saving();
    world_step(w);
    return world_run(w);
}

static void open_with_password(world *w, char const *factors)
{
    world_open(w, ANY_FACTOR, with_password);
    world_expect(w, DT_HTTP_POST, TOKEN, 403, NO_PASSWORD);
    expect_user_and_factors(w, factors);
}

static void open_without_password(world *w, char const *factors)
{
    world_open(w, ANY_FACTOR, without_password);
    expect_user_and_factors(w, factors);
}

static dt_step_kind begin(world *w)
{
    dt_request r = world_request();

    world_begin(w, &r);
    return world_run(w);
}

/* No secret of the transaction is left anywhere. */
static void close_world(world *w)
{
    assert_false(world_machine_holds(w->machine, MFA_TOKEN));
    assert_false(world_machine_holds(w->machine, OOB_CODE));
    assert_false(world_machine_holds(w->machine, PASSWORD));
    assert_null(strstr(world_outcome(w)->detail, MFA_TOKEN));
    assert_null(strstr(world_outcome(w)->detail, OOB_CODE));
    for (size_t i = 0; i < WORLD_ROWS_MAX; i++)
        assert_null(memmem(w->rows[i].value, w->rows[i].len, OOB_CODE, strlen(OOB_CODE)));
    world_close(w);
}

static void assert_denied(world *w, dt_cause cause)
{
    assert_end(w, DT_DENY, cause);
    close_world(w);
}

static void assert_allowed(world *w, dt_factor_type factor)
{
    assert_end(w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(w)->factor, factor);
    close_world(w);
}

static bool body_has(world const *w, char const *text)
{
    return strstr(w->last_body, text) != NULL;
}

/* --- who gets in ---------------------------------------------------------------------------------- */

static void test_password_and_push(void **state)
{
    world w;

    (void)state;
    open_with_password(&w, "[" PUSH "]");
    world_expect(&w, DT_HTTP_POST, CHALLENGE, 200, PUSH_BEGUN(NONE MFA_OOB));
    assert_int_equal(begin_with_password(&w), DT_STEP_PROMPT);
    assert_true(body_has(&w, "mfa_token=" MFA_TOKEN));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, OAUTH("authorization_pending"));
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_true(body_has(&w, "mfa-oob") && body_has(&w, "oob_code=" OOB_CODE) &&
                body_has(&w, "mfa_token=" MFA_TOKEN));
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->primary, DT_PRIMARY_OKTA_VERIFIED);
    assert_allowed(&w, DT_FACTOR_PUSH);
}

/* Whom an SSH key or a certificate has identified is asked for the factor alone. */
static void test_push_as_the_first_factor_at_okta(void **state)
{
    world w;

    (void)state;
    open_without_password(&w, "[" PUSH "]");
    world_expect(&w, DT_HTTP_POST, PRIMARY, 200, PUSH_BEGUN(NONE));
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    assert_true(body_has(&w, "login_hint=ann%40example.com"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens_of(&w, "00u1", "ann@example.com", "[]"));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_true(body_has(&w, "grant-type%3Aoob") && !body_has(&w, "mfa_token"));
    assert_allowed(&w, DT_FACTOR_PUSH);
}

static void test_the_number_is_shown_before_the_wait(void **state)
{
    world w;

    (void)state;
    open_without_password(&w, "[" PUSH "]");
    world_expect(&w, DT_HTTP_POST, PRIMARY, 200, PUSH_BEGUN(NUMBER_95));
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "95"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_allowed(&w, DT_FACTOR_PUSH);
}

static void test_a_passcode_with_a_password(void **state)
{
    world w;

    (void)state;
    open_with_password(&w, "[" TOTP "]");
    assert_int_equal(begin_with_password(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, OAUTH("invalid_grant"));
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    world_show(&w);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT); /* Okta is not asked twice */
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    assert_int_equal(world_answer(&w, "012345"), DT_STEP_DONE);
    assert_true(body_has(&w, "mfa-otp") && body_has(&w, "otp=012345"));
    assert_allowed(&w, DT_FACTOR_TOTP);
}

static void test_a_passcode_without_a_password(void **state)
{
    world w;

    (void)state;
    open_without_password(&w, "[" TOTP "]");
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    assert_int_equal(world_answer(&w, "012345"), DT_STEP_DONE);
    assert_true(body_has(&w, "grant-type%3Aotp") && body_has(&w, "login_hint="));
    assert_allowed(&w, DT_FACTOR_TOTP);
}

static void test_a_passcode_while_a_push_is_pending(void **state)
{
    world w;

    (void)state;
    open_without_password(&w, "[" PUSH "," TOTP "]");
    world_expect(&w, DT_HTTP_POST, PRIMARY, 200, PUSH_BEGUN(NONE));
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    assert_int_equal(world_answer(&w, "012345"), DT_STEP_DONE);
    assert_true(body_has(&w, "grant-type%3Aotp"));
    assert_allowed(&w, DT_FACTOR_TOTP);
}

static void test_a_code_by_sms(void **state)
{
    world w;

    (void)state;
    open_with_password(&w, "[" SMS "]");
    world_expect(&w, DT_HTTP_POST, CHALLENGE, 200, SMS_BEGUN);
    assert_int_equal(begin_with_password(&w), DT_STEP_PROMPT);
    assert_true(body_has(&w, "channel_hint=sms"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, OAUTH("invalid_grant"));
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, CHALLENGE, 200, SMS_BEGUN); /* Enter: another one */
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    assert_int_equal(world_answer(&w, "012345"), DT_STEP_DONE);
    assert_true(body_has(&w, "binding_code=012345") && body_has(&w, "oob_code=" OOB_CODE));
    assert_allowed(&w, DT_FACTOR_SMS);
}

/* The org lets in by the password alone, and our rule wants MFA: it is asked for by itself. */
static void test_a_password_that_is_enough_for_okta(void **state)
{
    world w;

    (void)state;
    world_open(&w, ANY_FACTOR, with_password);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200,
                 tokens_of(&w, "00u1", "ann@example.com", "[\"pwd\"]"));
    expect_user_and_factors(&w, "[" TOTP "]");
    assert_int_equal(begin_with_password(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    assert_int_equal(world_answer(&w, "012345"), DT_STEP_DONE);
    assert_true(body_has(&w, "grant-type%3Aotp"));
    assert_allowed(&w, DT_FACTOR_TOTP);
}

/* --- what Okta does not let one say --------------------------------------------------------------- */

/* Okta chooses the device, so there is one push, which names none. */
static void test_several_devices_are_one(void **state)
{
    world w;

    (void)state;
    open_without_password(&w, "[" PUSH "," PUSH_2 "," TOTP "," GOOGLE "," EMAIL "," QUESTION "]");
    world_expect(&w, DT_HTTP_POST, PRIMARY, 200, PUSH_BEGUN(NONE));
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    assert_null(strstr(w.step.prompt->text, "opf1 name"));
    assert_int_equal(w.machine->enrolled_count, 2);
    assert_true(w.machine->enrolled[0].several && w.machine->enrolled[1].several);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, OAUTH("invalid_grant"));
    /* one guess, and not one for each authenticator */
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->mfa.at, 0); /* by which device, nobody knows */
    assert_allowed(&w, DT_FACTOR_PUSH);
}

static void test_factors_that_cannot_be_asked_for(void **state)
{
    world w;

    (void)state;
    open_without_password(&w, "[" EMAIL "," QUESTION "]");
    assert_int_equal(begin(&w), DT_STEP_DONE);
    assert_denied(&w, DT_CAUSE_MFA_NO_FACTOR);
}

/* --- polling -------------------------------------------------------------------------------------- */

static void at_push(world *w, char const *factors)
{
    open_without_password(w, factors);
    world_expect(w, DT_HTTP_POST, PRIMARY, 200, PUSH_BEGUN(NONE));
    assert_int_equal(begin(w), DT_STEP_PROMPT);
    world_show(w);
}

/* Okta names the interval, and adds to it. Enter looks no earlier. */
static void test_polls_keep_the_interval(void **state)
{
    world w;
    dt_time sent;

    (void)state;
    at_push(&w, "[" PUSH "]");
    sent = w.now;
    assert_true(w.step.until >= sent + DT_SECONDS(5));
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, OAUTH("slow_down"));
    assert_int_equal(world_answer(&w, ""), DT_STEP_WAIT);
    assert_true(w.step.until >= sent + DT_SECONDS(5));
    world_wait(&w);
    assert_true(w.step.until >= w.now + DT_SECONDS(10));
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, OAUTH("authorization_pending"));
    world_wait(&w);
    assert_true(w.step.until >= w.now + DT_SECONDS(10));
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_allowed(&w, DT_FACTOR_PUSH);
}

static void test_ends_of_a_push(void **state)
{
    static struct {
        int status;
        char const *body;
        dt_cause cause;
    } const ends[] = {
        {400, OAUTH("invalid_grant"), DT_CAUSE_MFA_REJECTED},
        {400, OAUTH("expired_token"), DT_CAUSE_MFA_TIMEOUT},
        {403, OAUTH("access_denied"), DT_CAUSE_OKTA_REFUSED},
        {403, NO_PASSWORD, DT_CAUSE_OKTA_REFUSED}, /* yet another factor is wanted */
        {400, OAUTH("invalid_request"), DT_CAUSE_OKTA_REFUSED},
        {400, OAUTH("a_new_word"), DT_CAUSE_OKTA_REFUSED},
        {400, OAUTH("unauthorized_client"), DT_CAUSE_CONFIG},
        {401, OAUTH("invalid_client"), DT_CAUSE_CONFIG},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        world w;

        at_push(&w, "[" PUSH "," TOTP "]");
        world_expect(&w, DT_HTTP_POST, TOKEN, ends[i].status, ends[i].body);
        assert_int_equal(world_wait(&w), DT_STEP_DONE);
        assert_denied(&w, ends[i].cause);
    }
}

/* Okta says access_denied of a push that has expired, and of one that the policy refuses. */
static void test_an_expired_push_is_a_timeout(void **state)
{
    world w;

    (void)state;
    open_without_password(&w, "[" PUSH "]");
    world_expect(&w, DT_HTTP_POST, PRIMARY, 200,
                 "{\"oob_code\":\"" OOB_CODE "\",\"expires_in\":5,\"interval\":6,"
                 "\"channel\":\"push\"," NONE "}");
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 403, OAUTH("access_denied"));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_denied(&w, DT_CAUSE_MFA_TIMEOUT);
}

/* Okta gives the tokens once, and calls a second request for them what it calls a denial. */
static void test_a_lost_reply_is_no_denial(void **state)
{
    world w;

    (void)state;
    at_push(&w, "[" PUSH "]");
    world_expect_failure(&w, DT_HTTP_POST, TOKEN, DT_HTTP_RESET);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, OAUTH("invalid_grant"));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_non_null(strstr(world_outcome(&w)->detail, "did not arrive"));
    assert_denied(&w, DT_CAUSE_MFA_TIMEOUT);
}

/* --- who does not get in -------------------------------------------------------------------------- */

/* 200 is not enough: neither for a push nor for a passcode. */
static void test_tokens_of_others(void **state)
{
    static struct {
        char const *sub, *name, *amr;
    } const rows[] = {
        {"00u2", "bob@example.com", "[\"mfa\"]"}, {"00u2", "ann@example.com", "[\"mfa\"]"},
        {"00u1", "bob@example.com", "[\"mfa\"]"}, {"00u1", "ann@example.com", "[\"pwd\"]"},
        {"00u1", "ann@example.com", "7"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        world w;

        open_without_password(&w, "[" TOTP "]");
        assert_int_equal(begin(&w), DT_STEP_PROMPT);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, TOKEN, 200,
                     tokens_of(&w, rows[i].sub, rows[i].name, rows[i].amr));
        assert_int_equal(world_answer(&w, "012345"), DT_STEP_DONE);
        assert_denied(&w, DT_CAUSE_OKTA_ANSWER_UNUSABLE);

        at_push(&w, "[" PUSH "]");
        for (int polls = 0; polls <= DT_SIGNON_POLL_FAILURES_MAX; polls++) {
            world_expect(&w, DT_HTTP_POST, TOKEN, 200,
                         tokens_of(&w, rows[i].sub, rows[i].name, rows[i].amr));
            if (world_wait(&w) == DT_STEP_DONE)
                break;
        }
        assert_denied(&w, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
    }
}

static void test_passwords_that_are_not_right(void **state)
{
    static struct {
        int status;
        char const *body;
        dt_cause cause;
    } const rows[] = {
        {400, OAUTH("invalid_grant"), DT_CAUSE_PRIMARY_FAILED},
        {403, OAUTH("access_denied"), DT_CAUSE_PRIMARY_REFUSED},
        {400, OAUTH("unauthorized_client"), DT_CAUSE_CONFIG},
        {401, OAUTH("invalid_client"), DT_CAUSE_CONFIG},
        {403, "{\"error\":\"mfa_required\"}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {200, "{}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {200, NO_PASSWORD, DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {400, "{\"error\":\"SUCCESS\"}", DT_CAUSE_PRIMARY_REFUSED},
        {500, "{}", DT_CAUSE_OKTA_UNAVAILABLE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_request r = world_request();
        world w;

        world_open(&w, ANY_FACTOR, with_password);
        w.save_each_step = false;
        r.password = PASSWORD;
        world_expect(&w, DT_HTTP_POST, TOKEN, rows[i].status, rows[i].body);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_denied(&w, rows[i].cause);
    }
}

/* A throttle, whose error is that of a wrong password. */
static void test_a_throttle_is_waited_out(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    world_open(&w, ANY_FACTOR, with_password);
    w.save_each_step = false;
    r.password = PASSWORD;
    world_expect(&w, DT_HTTP_POST, TOKEN, 429, OAUTH("invalid_grant"));
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, OAUTH("invalid_grant"));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_denied(&w, DT_CAUSE_PRIMARY_FAILED);
}

/* Another factor is tried where the push cannot be sent. */
static void test_pushes_that_are_not_sent(void **state)
{
    static struct {
        int status;
        char const *body;
    } const rows[] = {
        {403, OAUTH("access_denied")},
        {400, OAUTH("invalid_request")},
        {500, OAUTH("server_error")}, /* the push could not be sent: Okta is there */
        {200, PUSH_BEGUN("\"binding_method\":\"prompt\"")},
        {200, "{\"channel\":\"push\"," NONE "}"},
        {200, "{}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        world w;

        open_without_password(&w, "[" PUSH "," TOTP "]");
        world_expect(&w, DT_HTTP_POST, PRIMARY, rows[i].status, rows[i].body);
        assert_int_equal(begin(&w), DT_STEP_PROMPT);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
        assert_int_equal(world_answer(&w, "012345"), DT_STEP_DONE);
        assert_allowed(&w, DT_FACTOR_TOTP);
    }
}

/* An org that lets in whom it cannot ask does so when it is away, not when a phone is. */
static void test_a_phone_that_cannot_be_reached_is_no_outage(void **state)
{
    static char const *const settings[] = {WAY, "policy", "okta_unavailable", "allow", NULL};
    world w;

    (void)state;
    world_open(&w, ANY_FACTOR, settings);
    expect_user_and_factors(&w, "[" PUSH "]");
    world_expect(&w, DT_HTTP_POST, PRIMARY, 500, OAUTH("server_error"));
    assert_int_equal(begin(&w), DT_STEP_DONE);
    assert_denied(&w, DT_CAUSE_MFA_PROVIDER_FAILED);
}

/* One push for a person at a time; nothing of it is in its record by which another could ask for it. */
static void test_one_push_for_a_person(void **state)
{
    world w;
    dt_signon *first;
    dt_request r = world_request();
    world_row *row;

    (void)state;
    at_push(&w, "[" PUSH "," TOTP "]");
    row = world_find(&w, DT_TABLE_PUSH, "push");
    assert_non_null(row);
    assert_null(memmem(row->value, row->len, OOB_CODE, strlen(OOB_CODE)));
    first = w.machine;
    w.machine = world_machine_new();
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/00u1/factors", 200, "[" PUSH "," TOTP "]");
    r.push_key = "vpn|ann|another";
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT); /* for a passcode */
    assert_int_equal(w.machine->block_cause, DT_CAUSE_MFA_PUSH_PENDING);
    free(w.machine);
    w.machine = first;
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, tokens(&w));
    w.now += DT_SECONDS(6);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_allowed(&w, DT_FACTOR_PUSH);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_password_and_push),
        cmocka_unit_test(test_push_as_the_first_factor_at_okta),
        cmocka_unit_test(test_the_number_is_shown_before_the_wait),
        cmocka_unit_test(test_a_passcode_with_a_password),
        cmocka_unit_test(test_a_passcode_without_a_password),
        cmocka_unit_test(test_a_passcode_while_a_push_is_pending),
        cmocka_unit_test(test_a_code_by_sms),
        cmocka_unit_test(test_a_password_that_is_enough_for_okta),
        cmocka_unit_test(test_several_devices_are_one),
        cmocka_unit_test(test_factors_that_cannot_be_asked_for),
        cmocka_unit_test(test_polls_keep_the_interval),
        cmocka_unit_test(test_ends_of_a_push),
        cmocka_unit_test(test_an_expired_push_is_a_timeout),
        cmocka_unit_test(test_a_lost_reply_is_no_denial),
        cmocka_unit_test(test_tokens_of_others),
        cmocka_unit_test(test_passwords_that_are_not_right),
        cmocka_unit_test(test_a_throttle_is_waited_out),
        cmocka_unit_test(test_pushes_that_are_not_sent),
        cmocka_unit_test(test_a_phone_that_cannot_be_reached_is_no_outage),
        cmocka_unit_test(test_one_push_for_a_person),
    };

    return world_run_tests_twice("way direct", tests);
}
