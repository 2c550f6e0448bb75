/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct authentication: what is sent, and what each reply means. */
#include "core/okta/okta_direct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW ((dt_time)1700000000000)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ORG "https://example.okta.com"
#define TOKEN_URL ORG "/oauth2/v1/token"
#define MFA_OOB "http://auth0.com/oauth/grant-type/mfa-oob"

static char org_url[] = ORG, client_id[] = "0oa1native", none[] = "";
static dt_config config = {
    .okta = {.org_url = org_url, .native_client_id = client_id, .timeout = DT_SECONDS(10)}};

/* Of somebody whose password Okta has checked; of somebody whom others have identified; and the same with a push. */
static dt_direct const second = {.login = "ann@example.com",
                                 .user_id = "00u1ann",
                                 .client_ip = "192.0.2.7",
                                 .mfa_token = "mfa.Token",
                                 .oob_code = ""};
static dt_direct const first = {.login = "ann@example.com",
                                .user_id = "00u1ann",
                                .client_ip = "192.0.2.7",
                                .mfa_token = "",
                                .oob_code = ""};
static dt_direct const second_oob = {.login = "ann@example.com",
                                     .user_id = "00u1ann",
                                     .client_ip = "192.0.2.7",
                                     .mfa_token = "mfa.Token",
                                     .oob_code = "oob+1",
                                     .expires = NOW + DT_MINUTES(5)};
static dt_direct const first_oob = {.login = "ann@example.com",
                                    .user_id = "00u1ann",
                                    .client_ip = "192.0.2.7",
                                    .mfa_token = "",
                                    .oob_code = "oob+1",
                                    .expires = NOW + DT_MINUTES(5)};

/* --- requests ------------------------------------------------------------------------------------- */

static void is_form(int rc, dt_http_request const *r, char const *path, char const *body)
{
    assert_int_equal(rc, 0);
    assert_int_equal(r->service, DT_HTTP_OKTA);
    assert_int_equal(r->method, DT_HTTP_POST);
    assert_true(r->form);
    assert_true(r->anonymous); /* the API token must not go to the token endpoint */
    assert_int_equal(r->timeout, DT_SECONDS(10));
    assert_string_equal(r->forwarded_for, "192.0.2.7");
    assert_int_equal(strncmp(r->url, ORG "/oauth2/v1/", strlen(ORG "/oauth2/v1/")), 0);
    assert_string_equal(r->url + strlen(ORG "/oauth2/v1/"), path);
    assert_string_equal(r->body, body);
    assert_int_equal(r->body_len, strlen(body));
}

#define APP "client_id=0oa1native&"
#define GRANT(g) APP "grant_type=" g "&scope=openid%20profile&"
#define URN "urn%3Aokta%3Aparams%3Aoauth%3Agrant-type%3A"
#define AUTH0 "http%3A%2F%2Fauth0.com%2Foauth%2Fgrant-type%2F"

static void requests(void **state)
{
    dt_http_request r;

    (void)state;
    is_form(dt_direct_password(&config, &first, "p&w d=%", &r), &r, "token",
            GRANT("password") "username=ann%40example.com&password=p%26w%20d%3D%25");
    is_form(dt_direct_begin(&config, &second, DT_FACTOR_PUSH, &r), &r, "challenge",
            APP "mfa_token=mfa.Token&challenge_types_supported=" AUTH0 "mfa-oob&channel_hint=push");
    is_form(dt_direct_begin(&config, &second, DT_FACTOR_SMS, &r), &r, "challenge",
            APP "mfa_token=mfa.Token&challenge_types_supported=" AUTH0 "mfa-oob&channel_hint=sms");
    is_form(dt_direct_begin(&config, &first, DT_FACTOR_PUSH, &r), &r, "primary-authenticate",
            APP "login_hint=ann%40example.com&challenge_hint=" URN "oob&channel_hint=push");
    is_form(dt_direct_begin(&config, &first, DT_FACTOR_CALL, &r), &r, "primary-authenticate",
            APP "login_hint=ann%40example.com&challenge_hint=" URN "oob&channel_hint=voice");
    is_form(dt_direct_poll(&config, &second_oob, &r), &r, "token",
            GRANT(AUTH0 "mfa-oob") "mfa_token=mfa.Token&oob_code=oob%2B1");
    assert_true(dt_direct_is_poll(&r));
    is_form(dt_direct_poll(&config, &first_oob, &r), &r, "token",
            GRANT(URN "oob") "oob_code=oob%2B1");
    assert_true(dt_direct_is_poll(&r));
    is_form(dt_direct_code(&config, &second_oob, "012345", &r), &r, "token",
            GRANT(AUTH0 "mfa-oob") "mfa_token=mfa.Token&oob_code=oob%2B1&binding_code=012345");
    assert_false(dt_direct_is_poll(&r));
    is_form(dt_direct_code(&config, &first_oob, "012345", &r), &r, "token",
            GRANT(URN "oob") "oob_code=oob%2B1&binding_code=012345");
    is_form(dt_direct_passcode(&config, &second, "000123", &r), &r, "token",
            GRANT(AUTH0 "mfa-otp") "mfa_token=mfa.Token&otp=000123");
    assert_false(dt_direct_is_poll(&r));
    is_form(dt_direct_passcode(&config, &first, "000123", &r), &r, "token",
            GRANT(URN "otp") "login_hint=ann%40example.com&otp=000123");
}

static void is_nothing(int rc, dt_http_request *r)
{
    static dt_http_request const zero;

    assert_int_not_equal(rc, 0);
    assert_memory_equal(r, &zero, sizeof(zero));
    memset(r, 0x55, sizeof(*r));
}

/* Nothing is left of what cannot be sent. */
static void requests_refused(void **state)
{
    static char const *const logins[] = {"", "me", ".", "..", "a/b", "a\nb", "a\\b"};
    static char const *const codes[] = {"", "12 34", "1\n2", "\x7f", "\xc3\xa4"};
    char long_text[3000];
    dt_http_request r;

    (void)state;
    memset(&r, 0x55, sizeof(r));
    memset(long_text, '%', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    for (size_t i = 0; i < COUNT(logins); i++) {
        dt_direct d = first;
        d.login = logins[i];
        is_nothing(dt_direct_password(&config, &d, "pw", &r), &r);
        is_nothing(dt_direct_begin(&config, &d, DT_FACTOR_PUSH, &r), &r);
        is_nothing(dt_direct_passcode(&config, &d, "123456", &r), &r);
    }
    for (size_t i = 0; i < COUNT(codes); i++) {
        dt_direct d = first_oob;
        is_nothing(dt_direct_passcode(&config, &first, codes[i], &r), &r);
        is_nothing(dt_direct_code(&config, &first_oob, codes[i], &r), &r);
        d.oob_code = codes[i];
        is_nothing(dt_direct_poll(&config, &d, &r), &r);
        is_nothing(dt_direct_code(&config, &d, "123456", &r), &r);
    }
    is_nothing(dt_direct_password(&config, &first, "", &r), &r);
    is_nothing(dt_direct_password(&config, &first, "a\x01", &r), &r);
    is_nothing(dt_direct_password(&config, &first, long_text, &r), &r);
    is_nothing(dt_direct_passcode(&config, &first, long_text, &r), &r);
    for (unsigned bit = 1; bit <= (unsigned)DT_FACTOR_ALL; bit <<= 1)
        if ((bit & ((unsigned)DT_FACTOR_PUSH | DT_FACTOR_SMS | DT_FACTOR_CALL)) == 0)
            is_nothing(dt_direct_begin(&config, &first, (dt_factor_type)bit, &r), &r);
}

static void no_app_no_request(void **state)
{
    dt_config c = config;
    dt_http_request r;

    (void)state;
    memset(&r, 0x55, sizeof(r));
    c.okta.native_client_id = none;
    is_nothing(dt_direct_password(&c, &first, "pw", &r), &r);
    is_nothing(dt_direct_begin(&c, &first, DT_FACTOR_PUSH, &r), &r);
    is_nothing(dt_direct_poll(&c, &first_oob, &r), &r);
    is_nothing(dt_direct_code(&c, &first_oob, "123456", &r), &r);
    is_nothing(dt_direct_passcode(&c, &first, "123456", &r), &r);
}

/* --- replies -------------------------------------------------------------------------------------- */

static char text[16 * 1024];

static dt_http_response reply(int status, char const *body)
{
    return (dt_http_response){.failure = DT_HTTP_OK,
                              .error = "",
                              .status = status,
                              .body = dt_bytes_str(body),
                              .rate_limit = -1,
                              .rate_remaining = -1,
                              .next_link = ""};
}

static void put_part(dt_buf *b, char const *part)
{
    dt_base64url_encode(b, dt_bytes_str(part));
    dt_buf_putc(b, '.');
}

/* A token reply with an ID token of these claims. */
static char const *tokens(char const *alg, char const *sub, char const *name, char const *aud,
                          char const *amr)
{
    char claims[1024];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_puts(&b, "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"at\","
                    "\"scope\":\"openid profile\",\"id_token\":\"");
    put_part(&b, alg);
    snprintf(claims, sizeof(claims),
             "{\"iss\":\"" ORG "\",\"aud\":\"%s\",\"exp\":1700003600,\"iat\":1700000000,"
             "\"sub\":\"%s\",\"preferred_username\":\"%s\",\"amr\":%s}",
             aud, sub, name, amr);
    put_part(&b, claims);
    dt_buf_puts(&b, "c2ln\"}");
    dt_buf_putc(&b, '\0');
    assert_int_equal(dt_buf_error(&b), 0);
    return text;
}

#define RS256 "{\"alg\":\"RS256\"}"
#define ANN RS256, "00u1ann", "ann@example.com", "0oa1native"

static dt_okta_answer read_token(int status, char const *body, dt_direct const *d,
                                 dt_direct_step step, dt_okta_verification *v, dt_error *e)
{
    dt_http_response r = reply(status, body);
    bool slow = true;

    memset(v, 0x55, sizeof(*v));
    memset(e, 0, sizeof(*e));
    dt_okta_answer a = dt_direct_read_token(&config, &r, d, step, NOW, v, &slow, e);
    assert_true(a == DT_OKTA_OK || v->result == DT_OKTA_RESULT_NONE);
    assert_string_equal(v->poll_url, "");
    assert_null(strstr(e->text, "mfa.Token"));
    assert_null(strstr(e->text, "oob+1"));
    return a;
}

static void approved(void **state)
{
    static char const *const amrs[] = {"[\"mfa\",\"pwd\",\"swk\"]", "[\"swk\"]", "[\"otp\"]", "[]",
                                       "[\"oob\"]"};
    dt_direct const *const who[] = {&second_oob, &first_oob, &second, &first};
    dt_okta_verification v;
    dt_error e;

    (void)state;
    for (size_t i = 0; i < COUNT(amrs); i++)
        for (size_t k = 0; k < COUNT(who); k++) {
            assert_int_equal(read_token(200, tokens(ANN, amrs[i]), who[k], DT_DIRECT_POLL, &v, &e),
                             DT_OKTA_OK);
            assert_int_equal(v.result, DT_OKTA_RESULT_SUCCESS);
            assert_int_equal(
                read_token(200, tokens(ANN, amrs[i]), who[k], DT_DIRECT_ANSWER, &v, &e),
                DT_OKTA_OK);
            assert_int_equal(v.result, DT_OKTA_RESULT_SUCCESS);
        }
}

/* No other 200 lets anybody in. */
static void tokens_refused(void **state)
{
    static struct {
        char const *alg, *sub, *name, *aud, *amr;
    } const rows[] = {
        {"{\"alg\":\"none\"}", "00u1ann", "ann@example.com", "0oa1native", "[]"},
        {"{\"alg\":\"HS256\"}", "00u1ann", "ann@example.com", "0oa1native", "[]"},
        {RS256, "00u1bob", "ann@example.com", "0oa1native", "[]"},
        {RS256, "00u1ann", "bob@example.com", "0oa1native", "[]"},
        {RS256, "", "ann@example.com", "0oa1native", "[]"},
        {RS256, "00u1ann", "ann@example.com", "0oa1other", "[]"},
        {RS256, "00u1ann", "ann@example.com", "0oa1native", "[\"pwd\"]"},
        {RS256, "00u1ann", "ann@example.com", "0oa1native", "[\"pwd\",\"kba\"]"},
        {RS256, "00u1ann", "ann@example.com", "0oa1native", "\"swk\""},
    };
    static char const *const bodies[] = {"",
                                         "{}",
                                         "[]",
                                         "null",
                                         "{\"id_token\":null}",
                                         "{\"id_token\":\"\"}",
                                         "{\"id_token\":\"a.b.c\"}",
                                         "{\"access_token\":\"at\",\"token_type\":\"Bearer\"}",
                                         "{\"factorResult\":\"SUCCESS\"}",
                                         "{\"status\":\"SUCCESS\",\"error\":\"none\"}"};
    dt_okta_verification v;
    dt_direct unknown = first_oob;
    dt_error e;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char const *t = tokens(rows[i].alg, rows[i].sub, rows[i].name, rows[i].aud, rows[i].amr);
        if (read_token(200, t, &first_oob, DT_DIRECT_POLL, &v, &e) != DT_OKTA_UNUSABLE ||
            read_token(200, t, &second, DT_DIRECT_ANSWER, &v, &e) != DT_OKTA_UNUSABLE)
            fail_msg("row %zu", i);
        assert_true(e.text[0] != '\0');
    }
    for (size_t i = 0; i < COUNT(bodies); i++)
        assert_int_equal(read_token(200, bodies[i], &second_oob, DT_DIRECT_POLL, &v, &e),
                         DT_OKTA_UNUSABLE);
    unknown.user_id = ""; /* nobody was looked up: a login alone is not enough for MFA */
    assert_int_equal(read_token(200, tokens(ANN, "[]"), &unknown, DT_DIRECT_POLL, &v, &e),
                     DT_OKTA_UNUSABLE);
    for (int status = 100; status < 600; status++)
        if (status != 200) {
            (void)read_token(status, tokens(ANN, "[]"), &second_oob, DT_DIRECT_POLL, &v, &e);
            assert_int_not_equal(v.result, DT_OKTA_RESULT_SUCCESS);
        }
}

#define ERROR(word) "{\"error\":\"" word "\",\"error_description\":\"why \\u001b[0m\"}"

static struct {
    int status;
    char const *body;
    dt_okta_answer answer;
    dt_okta_result of_poll, of_answer;
} const refusals[] = {
    {400, ERROR("authorization_pending"), DT_OKTA_OK, DT_OKTA_RESULT_WAITING, DT_OKTA_RESULT_NONE},
    {400, ERROR("slow_down"), DT_OKTA_OK, DT_OKTA_RESULT_WAITING, DT_OKTA_RESULT_NONE},
    {400, ERROR("invalid_grant"), DT_OKTA_OK, DT_OKTA_RESULT_REJECTED, DT_OKTA_RESULT_WRONG_CODE},
    {400, ERROR("expired_token"), DT_OKTA_OK, DT_OKTA_RESULT_TIMEOUT, DT_OKTA_RESULT_TIMEOUT},
    {403, ERROR("access_denied"), DT_OKTA_OK, DT_OKTA_RESULT_REFUSED, DT_OKTA_RESULT_REFUSED},
    {400, ERROR("access_denied"), DT_OKTA_OK, DT_OKTA_RESULT_REFUSED, DT_OKTA_RESULT_REFUSED},
    {403, "{\"error\":\"mfa_required\",\"mfa_token\":\"x\"}", DT_OKTA_OK, DT_OKTA_RESULT_REFUSED,
     DT_OKTA_RESULT_REFUSED},
    /* a throttle, which reads as a wrong password or a denial to whoever does not look at the status */
    {429, ERROR("invalid_grant"), DT_OKTA_RATE_LIMITED, 0, 0},
    {429, "{\"errorCode\":\"E0000047\",\"errorSummary\":\"slow\"}", DT_OKTA_RATE_LIMITED, 0, 0},
    {400, ERROR("unauthorized_client"), DT_OKTA_UNAUTHORIZED, 0, 0},
    {400, ERROR("unsupported_grant_type"), DT_OKTA_UNAUTHORIZED, 0, 0},
    {400, ERROR("invalid_scope"), DT_OKTA_UNAUTHORIZED, 0, 0},
    {401, ERROR("invalid_client"), DT_OKTA_UNAUTHORIZED, 0, 0},
    {401, ERROR("other"), DT_OKTA_UNAUTHORIZED, 0, 0},
    {400, ERROR("invalid_request"), DT_OKTA_OK, DT_OKTA_RESULT_NONE, DT_OKTA_RESULT_NONE},
    {400, ERROR("new_word"), DT_OKTA_OK, DT_OKTA_RESULT_NONE, DT_OKTA_RESULT_NONE},
    {400, ERROR("SUCCESS"), DT_OKTA_OK, DT_OKTA_RESULT_NONE, DT_OKTA_RESULT_NONE},
    {403, ERROR("invalid_grant"), DT_OKTA_OK, DT_OKTA_RESULT_NONE, DT_OKTA_RESULT_NONE},
    {403, ERROR("authorization_pending"), DT_OKTA_OK, DT_OKTA_RESULT_NONE, DT_OKTA_RESULT_NONE},
    {400, "{\"error\":null}", DT_OKTA_OK, DT_OKTA_RESULT_NONE, DT_OKTA_RESULT_NONE},
    {400, "{\"errorCode\":\"E0000068\"}", DT_OKTA_OK, DT_OKTA_RESULT_NONE, DT_OKTA_RESULT_NONE},
    {400, "<html>", DT_OKTA_UNUSABLE, 0, 0},
    {302, "{}", DT_OKTA_UNUSABLE, 0, 0},
    {201, "{}", DT_OKTA_UNUSABLE, 0, 0},
    {500, ERROR("server_error"), DT_OKTA_SERVER_ERROR, 0, 0},
    {503, "", DT_OKTA_SERVER_ERROR, 0, 0},
};

static void token_refusals(void **state)
{
    dt_okta_verification v;
    dt_error e;

    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        dt_okta_answer a =
            read_token(refusals[i].status, refusals[i].body, &second_oob, DT_DIRECT_POLL, &v, &e);
        if (a != refusals[i].answer || v.result != refusals[i].of_poll)
            fail_msg("poll %zu: %d %d", i, a, v.result);
        assert_null(strchr(e.text, '\x1b'));
        a = read_token(refusals[i].status, refusals[i].body, &first, DT_DIRECT_ANSWER, &v, &e);
        if (a != refusals[i].answer || v.result != refusals[i].of_answer)
            fail_msg("answer %zu: %d %d", i, a, v.result);
        assert_true(e.text[0] != '\0');
    }
}

static void slow_down_is_told_apart(void **state)
{
    dt_http_response r = reply(400, ERROR("slow_down"));
    dt_okta_verification v;
    dt_error e = {0};
    bool slow = false;

    (void)state;
    (void)dt_direct_read_token(&config, &r, &first_oob, DT_DIRECT_POLL, NOW, &v, &slow, &e);
    assert_true(slow);
    r = reply(400, ERROR("authorization_pending"));
    (void)dt_direct_read_token(&config, &r, &first_oob, DT_DIRECT_POLL, NOW, &v, &slow, &e);
    assert_false(slow);
    r = reply(429, ERROR("slow_down"));
    (void)dt_direct_read_token(&config, &r, &first_oob, DT_DIRECT_POLL, NOW, &v, &slow, &e);
    assert_false(slow);
}

/* Okta has one word for "expired" and for "the policy says no": the time tells. */
static void expired_is_a_timeout(void **state)
{
    dt_direct d = second_oob;
    dt_okta_verification v;
    dt_error e;

    (void)state;
    d.expires = NOW;
    (void)read_token(403, ERROR("access_denied"), &d, DT_DIRECT_POLL, &v, &e);
    assert_int_equal(v.result, DT_OKTA_RESULT_TIMEOUT);
    d.expires = NOW + 1;
    (void)read_token(403, ERROR("access_denied"), &d, DT_DIRECT_POLL, &v, &e);
    assert_int_equal(v.result, DT_OKTA_RESULT_REFUSED);
    d.expires = 0;
    (void)read_token(403, ERROR("access_denied"), &d, DT_DIRECT_POLL, &v, &e);
    assert_int_equal(v.result, DT_OKTA_RESULT_REFUSED);
    d.expires = NOW; /* of a push, which says nothing about a passcode without one */
    d.oob_code = "";
    (void)read_token(403, ERROR("access_denied"), &d, DT_DIRECT_ANSWER, &v, &e);
    assert_int_equal(v.result, DT_OKTA_RESULT_REFUSED);
}

/* Okta quotes the token that it refuses: that goes into no log. */
static void secrets_are_not_quoted(void **state)
{
    dt_okta_verification v;
    dt_error e;

    (void)state;
    (void)read_token(403,
                     "{\"error\":\"access_denied\",\"error_description\":\"`mfa.Token` has "
                     "expired.\"}",
                     &second_oob, DT_DIRECT_POLL, &v, &e);
    assert_string_equal(e.text, "Okta answered HTTP 403, access_denied");
    (void)read_token(403,
                     "{\"error\":\"access_denied\",\"error_description\":\"`oob+1` has "
                     "expired.\"}",
                     &second_oob, DT_DIRECT_POLL, &v, &e);
    assert_string_equal(e.text, "Okta answered HTTP 403, access_denied");
    (void)read_token(403, ERROR("access_denied"), &second_oob, DT_DIRECT_POLL, &v, &e);
    assert_string_equal(e.text, "Okta answered HTTP 403, access_denied: why \\x1b[0m");
}

/* --- the password --------------------------------------------------------------------------------- */

static dt_okta_answer read_password(int status, char const *body, dt_direct const *d,
                                    dt_okta_authn *out, dt_error *e)
{
    dt_http_response r = reply(status, body);

    memset(out, 0x55, sizeof(*out));
    memset(e, 0, sizeof(*e));
    dt_okta_answer a = dt_direct_read_password(&config, &r, d, NOW, out, e);
    assert_true(out->result == DT_OKTA_PASSWORD_MFA || out->state_token[0] == '\0');
    return a;
}

static void password(void **state)
{
    static struct {
        int status;
        char const *body;
        dt_okta_answer answer;
        dt_okta_password result;
    } const rows[] = {
        {403, "{\"error\":\"mfa_required\",\"mfa_token\":\"mT\"}", DT_OKTA_OK,
         DT_OKTA_PASSWORD_MFA},
        {400, "{\"error\":\"mfa_required\",\"mfa_token\":\"mT\"}", DT_OKTA_OK,
         DT_OKTA_PASSWORD_MFA},
        {200, "{\"error\":\"mfa_required\",\"mfa_token\":\"mT\"}", DT_OKTA_UNUSABLE, 0},
        {401, "{\"error\":\"mfa_required\",\"mfa_token\":\"mT\"}", DT_OKTA_UNAUTHORIZED, 0},
        {403, "{\"error\":\"mfa_required\"}", DT_OKTA_UNUSABLE, 0},
        {403, "{\"error\":\"mfa_required\",\"mfa_token\":null}", DT_OKTA_UNUSABLE, 0},
        {403, "{\"error\":\"mfa_required\",\"mfa_token\":\"\"}", DT_OKTA_UNUSABLE, 0},
        {403, "{\"error\":\"mfa_required\",\"mfa_token\":\"a b\"}", DT_OKTA_UNUSABLE, 0},
        {403, "{\"error\":\"mfa_required\",\"mfa_token\":7}", DT_OKTA_UNUSABLE, 0},
        {400, ERROR("invalid_grant"), DT_OKTA_OK, DT_OKTA_PASSWORD_WRONG},
        {429, ERROR("invalid_grant"), DT_OKTA_RATE_LIMITED, 0},
        {403, ERROR("access_denied"), DT_OKTA_OK, DT_OKTA_PASSWORD_NONE},
        {400, ERROR("access_denied"), DT_OKTA_OK, DT_OKTA_PASSWORD_NONE},
        {400, ERROR("authorization_pending"), DT_OKTA_OK, DT_OKTA_PASSWORD_NONE},
        {400, ERROR("unauthorized_client"), DT_OKTA_UNAUTHORIZED, 0},
        {401, ERROR("invalid_client"), DT_OKTA_UNAUTHORIZED, 0},
        {200, "{}", DT_OKTA_UNUSABLE, 0},
        {302, "{}", DT_OKTA_UNUSABLE, 0},
        {500, "{}", DT_OKTA_SERVER_ERROR, 0},
    };
    dt_direct d = first;
    dt_okta_authn out;
    dt_error e;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_okta_answer a = read_password(rows[i].status, rows[i].body, &first, &out, &e);
        if (a != rows[i].answer || out.result != rows[i].result)
            fail_msg("%zu: %d %d", i, a, out.result);
        assert_true(out.result != DT_OKTA_PASSWORD_MFA || strcmp(out.state_token, "mT") == 0);
    }
    d.user_id = ""; /* the password comes before anybody is looked up */
    assert_int_equal(read_password(200, tokens(ANN, "[\"pwd\"]"), &d, &out, &e), DT_OKTA_OK);
    assert_int_equal(out.result, DT_OKTA_PASSWORD_VERIFIED);
    assert_int_equal(
        read_password(200, tokens(RS256, "00u1bob", "bob@example.com", "0oa1native", "[\"pwd\"]"),
                      &d, &out, &e),
        DT_OKTA_UNUSABLE);
    assert_int_equal(read_password(200,
                                   tokens(RS256, "00u1ann", "ann@example.com", "0oa1other", "[]"),
                                   &d, &out, &e),
                     DT_OKTA_UNUSABLE);
}

/* --- something out of band ------------------------------------------------------------------------ */

static dt_okta_answer read_begin(int status, char const *body, dt_direct const *d,
                                 dt_factor_type type, dt_okta_verification *v, dt_direct_begun *b)
{
    static dt_direct_begun const nothing;
    dt_http_response r = reply(status, body);
    dt_error e = {0};

    memset(v, 0x55, sizeof(*v));
    memset(b, 0x55, sizeof(*b));
    dt_okta_answer a = dt_direct_read_begin(&config, &r, d, type, v, b, &e);
    assert_int_not_equal(v->result, DT_OKTA_RESULT_SUCCESS);
    if (a != DT_OKTA_OK) {
        assert_memory_equal(b, &nothing, sizeof(nothing));
        assert_int_equal(v->result, DT_OKTA_RESULT_NONE);
        assert_false(v->challenged);
        assert_true(e.text[0] != '\0');
    }
    return a;
}

#define OOB "\"oob_code\":\"oc\",\"expires_in\":120,\"interval\":5,"
#define MFA "\"challenge_type\":\"" MFA_OOB "\","

static void push_begun(void **state)
{
    static struct {
        char const *binding;
        int number;
    } const rows[] = {
        {"\"binding_method\":\"none\"", -1},
        {"\"binding_method\":\"none\",\"binding_code\":\"95\"", -1},
        {"\"binding_method\":\"transfer\",\"binding_code\":\"95\"", 95},
        {"\"binding_method\":\"transfer\",\"binding_code\":95", 95},
        {"\"binding_method\":\"transfer\",\"binding_code\":\"05\"", 5},
        {"\"binding_method\":\"transfer\",\"binding_code\":0", 0},
    };
    char body[512];
    dt_okta_verification v;
    dt_direct_begun b;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(body, sizeof(body), "{" OOB MFA "\"channel\":\"push\",%s}", rows[i].binding);
        assert_int_equal(read_begin(200, body, &second, DT_FACTOR_PUSH, &v, &b), DT_OKTA_OK);
        assert_int_equal(v.result, DT_OKTA_RESULT_WAITING);
        assert_int_equal(v.number, rows[i].number);
        assert_string_equal(v.poll_url, TOKEN_URL);
        assert_string_equal(v.cancel_url, "");
        assert_string_equal(b.oob_code, "oc");
        assert_int_equal(b.interval, DT_SECONDS(5));
        assert_int_equal(b.lifetime, DT_SECONDS(120));
        snprintf(body, sizeof(body), "{" OOB "\"channel\":\"push\",%s}", rows[i].binding);
        assert_int_equal(read_begin(200, body, &first, DT_FACTOR_PUSH, &v, &b), DT_OKTA_OK);
        assert_int_equal(read_begin(200, body, &second, DT_FACTOR_PUSH, &v, &b), DT_OKTA_UNUSABLE);
    }
}

static void code_begun(void **state)
{
    dt_okta_verification v;
    dt_direct_begun b;

    (void)state;
    assert_int_equal(read_begin(200,
                                "{\"oob_code\":\"oc\",\"expires_in\":99999999," MFA
                                "\"channel\":\"sms\",\"binding_method\":\"prompt\"}",
                                &second, DT_FACTOR_SMS, &v, &b),
                     DT_OKTA_OK);
    assert_true(v.challenged);
    assert_int_equal(v.result, DT_OKTA_RESULT_NONE);
    assert_int_equal(b.interval, 0);
    assert_int_equal(b.lifetime, DT_DIRECT_LIFETIME_MAX);
    assert_int_equal(read_begin(200,
                                "{\"oob_code\":\"oc\",\"channel\":\"voice\","
                                "\"binding_method\":\"prompt\"}",
                                &first, DT_FACTOR_CALL, &v, &b),
                     DT_OKTA_OK);
    assert_true(v.challenged);
}

static void begins_refused(void **state)
{
    static struct {
        int status;
        char const *body;
        dt_factor_type type;
        dt_okta_answer answer;
    } const rows[] = {
        {200, "{" OOB "\"channel\":\"sms\",\"binding_method\":\"none\"}", DT_FACTOR_PUSH, 0},
        {200, "{" OOB "\"channel\":\"PUSH\",\"binding_method\":\"none\"}", DT_FACTOR_PUSH, 0},
        {200, "{" OOB "\"binding_method\":\"none\"}", DT_FACTOR_PUSH, 0},
        {200, "{" OOB "\"channel\":\"push\"}", DT_FACTOR_PUSH, 0},
        {200, "{" OOB "\"channel\":\"push\",\"binding_method\":\"prompt\"}", DT_FACTOR_PUSH, 0},
        {200, "{" OOB "\"channel\":\"push\",\"binding_method\":\"new\"}", DT_FACTOR_PUSH, 0},
        {200, "{" OOB "\"channel\":\"push\",\"binding_method\":\"transfer\"}", DT_FACTOR_PUSH, 0},
        {200, "{" OOB "\"channel\":\"push\",\"binding_method\":\"transfer\",\"binding_code\":\"\"}",
         DT_FACTOR_PUSH, 0},
        {200,
         "{" OOB "\"channel\":\"push\",\"binding_method\":\"transfer\",\"binding_code\":\"9a\"}",
         DT_FACTOR_PUSH, 0},
        {200, "{" OOB "\"channel\":\"push\",\"binding_method\":\"transfer\",\"binding_code\":-1}",
         DT_FACTOR_PUSH, 0},
        {200,
         "{" OOB "\"channel\":\"push\",\"binding_method\":\"transfer\","
         "\"binding_code\":\"1234567\"}",
         DT_FACTOR_PUSH, 0},
        {200, "{" OOB "\"channel\":\"sms\",\"binding_method\":\"none\"}", DT_FACTOR_SMS, 0},
        {200, "{" OOB "\"channel\":\"sms\",\"binding_method\":\"transfer\",\"binding_code\":1}",
         DT_FACTOR_SMS, 0},
        {200, "{\"oob_code\":\"\",\"channel\":\"push\",\"binding_method\":\"none\"}",
         DT_FACTOR_PUSH, 0},
        {200, "{\"oob_code\":\"a\\nb\",\"channel\":\"push\",\"binding_method\":\"none\"}",
         DT_FACTOR_PUSH, 0},
        {200, "{\"channel\":\"push\",\"binding_method\":\"none\"}", DT_FACTOR_PUSH, 0},
        {200,
         "{\"oob_code\":\"oc\",\"channel\":\"push\",\"binding_method\":\"none\",\"interval\":-1}",
         DT_FACTOR_PUSH, 0},
        {200,
         "{\"oob_code\":\"oc\",\"channel\":\"push\",\"binding_method\":\"none\",\"interval\":"
         "\"5\"}",
         DT_FACTOR_PUSH, 0},
        {200, "{}", DT_FACTOR_PUSH, 0},
        {201, "{" OOB "\"channel\":\"push\",\"binding_method\":\"none\"}", DT_FACTOR_PUSH, 0},
        {302, "{}", DT_FACTOR_PUSH, 0},
        {403, ERROR("access_denied"), DT_FACTOR_PUSH, DT_OKTA_NOT_ACTIVE},
        {400, ERROR("invalid_request"), DT_FACTOR_SMS, DT_OKTA_NOT_ACTIVE},
        {400, ERROR("invalid_grant"), DT_FACTOR_PUSH, DT_OKTA_NOT_ACTIVE},
        {429, ERROR("invalid_grant"), DT_FACTOR_PUSH, DT_OKTA_RATE_LIMITED},
        {400, ERROR("unauthorized_client"), DT_FACTOR_PUSH, DT_OKTA_UNAUTHORIZED},
        {401, ERROR("invalid_client"), DT_FACTOR_PUSH, DT_OKTA_UNAUTHORIZED},
        {500, ERROR("server_error"), DT_FACTOR_PUSH, DT_OKTA_PROVIDER_FAILED},
        {500, "{}", DT_FACTOR_PUSH, DT_OKTA_SERVER_ERROR},
        {502, "<html>", DT_FACTOR_PUSH, DT_OKTA_SERVER_ERROR},
    };
    dt_okta_verification v;
    dt_direct_begun b;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_okta_answer a = read_begin(rows[i].status, rows[i].body, &first, rows[i].type, &v, &b);
        if (a != rows[i].answer)
            fail_msg("%zu: %d", i, a);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(requests_refused),
        cmocka_unit_test(no_app_no_request),
        cmocka_unit_test(approved),
        cmocka_unit_test(tokens_refused),
        cmocka_unit_test(token_refusals),
        cmocka_unit_test(slow_down_is_told_apart),
        cmocka_unit_test(expired_is_a_timeout),
        cmocka_unit_test(secrets_are_not_quoted),
        cmocka_unit_test(password),
        cmocka_unit_test(push_begun),
        cmocka_unit_test(code_begun),
        cmocka_unit_test(begins_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
