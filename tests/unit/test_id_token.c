/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ID tokens: which one is taken, and that every other one is not. */
#include "core/okta/id_token.h"

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
#define HEADER "{\"alg\":\"RS256\",\"kid\":\"k1\"}"
#define ISS "\"iss\":\"https://example.okta.com\","
#define AUD "\"aud\":\"0oa1native\","
#define EXP "\"exp\":1700003600,"
#define IAT "\"iat\":1700000000,"
#define SUB "\"sub\":\"00u1ann\","
#define NAME "\"preferred_username\":\"ann@example.com\","
#define REST "\"ver\":1,\"auth_time\":1699999990,\"amr\":[\"pwd\",\"mfa\",\"swk\"]"
#define GOOD "{" ISS AUD EXP IAT SUB NAME REST "}"

static dt_id_token_expected const expected = {.issuer = "https://example.okta.com",
                                              .client_id = "0oa1native",
                                              .user_id = "00u1ann",
                                              .login = "ann@example.com"};

static void make(char const *header, char const *claims, dt_buf *out)
{
    dt_buf_init(out, (size_t)1 << 20);
    dt_base64url_encode(out, dt_bytes_str(header));
    dt_buf_putc(out, '.');
    dt_base64url_encode(out, dt_bytes_str(claims));
    dt_buf_puts(out, ".c2lnbmF0dXJl");
    assert_int_equal(dt_buf_error(out), 0);
}

static dt_id_token_verdict check_at(char const *header, char const *claims,
                                    dt_id_token_expected const *x, dt_time now, dt_id_token *out,
                                    dt_error *e)
{
    static dt_id_token const zero;
    dt_buf token;
    memset(out, 0x55, sizeof(*out));
    memset(e, 0, sizeof(*e));
    make(header, claims, &token);
    dt_id_token_verdict v = dt_id_token_check(dt_buf_bytes(&token), x, now, out, e);
    dt_buf_free(&token);
    if (v != DT_ID_TOKEN_OK) {
        assert_memory_equal(out, &zero, sizeof(zero));
        assert_true(e->text[0] != '\0');
        assert_null(strchr(e->text, '\x1b'));
    } else {
        assert_int_equal(e->code, 0);
    }
    return v;
}

static dt_id_token_verdict check(char const *claims)
{
    dt_id_token t;
    dt_error e;
    return check_at(HEADER, claims, &expected, NOW, &t, &e);
}

static void good_token(void **state)
{
    dt_id_token t;
    dt_error e;

    (void)state;
    assert_int_equal(check_at(HEADER, GOOD, &expected, NOW, &t, &e), DT_ID_TOKEN_OK);
    assert_int_equal(t.amr, DT_AMR_PASSWORD | DT_AMR_MFA | DT_AMR_SOFTWARE);
    assert_int_equal(t.auth_time, 1699999990000);
    assert_int_equal(t.issued_at, NOW);
}

/* What Okta may also write. */
static void other_good_tokens(void **state)
{
    static char const *const claims[] = {
        "{" ISS "\"aud\":[\"0oa1native\"]," EXP IAT SUB NAME REST "}",
        "{" ISS AUD "\"azp\":\"0oa1native\"," EXP IAT SUB NAME REST "}",
        "{" ISS AUD EXP IAT SUB "\"preferred_username\":\"Ann@Example.COM\"," REST "}",
        "{" ISS AUD EXP IAT SUB NAME "\"new\":{\"deep\":[null]}," REST "}",
        "{" ISS AUD EXP IAT SUB NAME "\"amr\":[]}",
        "{" ISS AUD EXP IAT SUB NAME "\"nbf\":1700000000}",
        "{" ISS AUD EXP IAT SUB NAME "\"ver\":1}",
        "{" ISS AUD "\"exp\":1699999999," IAT SUB NAME REST "}", /* within the leeway */
        "{" ISS AUD EXP "\"iat\":1700000299," SUB NAME REST "}",
    };
    dt_id_token t;
    dt_error e;

    (void)state;
    for (size_t i = 0; i < COUNT(claims); i++)
        if (check(claims[i]) != DT_ID_TOKEN_OK)
            fail_msg("refused: %s", claims[i]);
    assert_int_equal(check_at("{\"alg\":\"ES256\"}", GOOD, &expected, NOW, &t, &e), DT_ID_TOKEN_OK);
}

static void headers_refused(void **state)
{
    static char const *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"\"}",
        "{}",
        "{\"alg\":null}",
        "{\"alg\":1}",
        "{\"alg\":[\"RS256\"]}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"RS256 \"}",
        "{\"alg\":\"rs256\"}",
        "{\"alg\":\"PS256\"}",
        "{\"alg\":\"RS512\"}",
        "{\"alg\":\"RS256\",\"alg\":\"none\"}",
        "{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}",
        "{\"alg\":\"RS256\",\"crit\":[]}",
        "[\"RS256\"]",
        "\"RS256\"",
        "RS256",
        "{\"alg\":\"RS256\"",
    };
    dt_id_token t;
    dt_error e;

    (void)state;
    for (size_t i = 0; i < COUNT(headers); i++)
        if (check_at(headers[i], GOOD, &expected, NOW, &t, &e) != DT_ID_TOKEN_UNUSABLE)
            fail_msg("accepted: %s", headers[i]);
}

static struct {
    char const *claims, *says;
} const refused[] = {
    /* issuer */
    {"{" AUD EXP IAT SUB NAME REST "}", "issuer"},
    {"{\"iss\":\"https://other.okta.com\"," AUD EXP IAT SUB NAME REST "}", "issuer"},
    {"{\"iss\":\"https://example.okta.com/\"," AUD EXP IAT SUB NAME REST "}", "issuer"},
    {"{\"iss\":\"https://example.okta.com/oauth2/default\"," AUD EXP IAT SUB NAME REST "}",
     "issuer"},
    {"{\"iss\":\"https://example.okta.com.evil\"," AUD EXP IAT SUB NAME REST "}", "issuer"},
    {"{\"iss\":[\"https://example.okta.com\"]," AUD EXP IAT SUB NAME REST "}", "issuer"},
    {"{\"iss\":null," AUD EXP IAT SUB NAME REST "}", "issuer"},
    /* audience */
    {"{" ISS EXP IAT SUB NAME REST "}", "another app"},
    {"{" ISS "\"aud\":\"0oa1\"," EXP IAT SUB NAME REST "}", "another app"},
    {"{" ISS "\"aud\":\"0oa1native2\"," EXP IAT SUB NAME REST "}", "another app"},
    {"{" ISS "\"aud\":\"\"," EXP IAT SUB NAME REST "}", "another app"},
    {"{" ISS "\"aud\":[]," EXP IAT SUB NAME REST "}", "another app"},
    {"{" ISS "\"aud\":[\"0oa1native\",\"0oa2\"]," EXP IAT SUB NAME REST "}", "another app"},
    {"{" ISS "\"aud\":[\"0oa2\",\"0oa1native\"]," EXP IAT SUB NAME REST "}", "another app"},
    {"{" ISS "\"aud\":{\"0oa1native\":1}," EXP IAT SUB NAME REST "}", "another app"},
    {"{" ISS "\"aud\":null," EXP IAT SUB NAME REST "}", "another app"},
    {"{" ISS AUD "\"azp\":\"0oa2\"," EXP IAT SUB NAME REST "}", "to another app"},
    {"{" ISS AUD "\"azp\":null," EXP IAT SUB NAME REST "}", "to another app"},
    /* nonce */
    {"{" ISS AUD EXP IAT SUB NAME "\"nonce\":\"n\"," REST "}", "nonce"},
    {"{" ISS AUD EXP IAT SUB NAME "\"nonce\":null," REST "}", "nonce"},
    /* times */
    {"{" ISS AUD IAT SUB NAME REST "}", "when it was issued"},
    {"{" ISS AUD EXP SUB NAME REST "}", "when it was issued"},
    {"{" ISS AUD "\"exp\":\"1700003600\"," IAT SUB NAME REST "}", "when it was issued"},
    {"{" ISS AUD "\"exp\":1700003600.5," IAT SUB NAME REST "}", "when it was issued"},
    {"{" ISS AUD "\"exp\":0," IAT SUB NAME REST "}", "when it was issued"},
    {"{" ISS AUD "\"exp\":-1," IAT SUB NAME REST "}", "when it was issued"},
    {"{" ISS AUD "\"exp\":9223372036854775807," IAT SUB NAME REST "}", "when it was issued"},
    {"{" ISS AUD EXP "\"iat\":9223372036854775," SUB NAME REST "}", "when it was issued"},
    {"{" ISS AUD "\"exp\":1699999700," IAT SUB NAME REST "}", "expired"},
    {"{" ISS AUD "\"exp\":1600000000," IAT SUB NAME REST "}", "expired"},
    {"{" ISS AUD EXP "\"iat\":1700000301," SUB NAME REST "}", "future"},
    {"{" ISS AUD EXP IAT SUB NAME "\"nbf\":1700000301," REST "}", "future"},
    {"{" ISS AUD EXP IAT SUB NAME "\"nbf\":\"x\"," REST "}", "nbf"},
    {"{" ISS AUD EXP "\"iat\":1699999099," SUB NAME REST "}", "too long ago"},
    {"{" ISS AUD EXP IAT SUB NAME "\"auth_time\":\"x\"}", "auth_time"},
    {"{" ISS AUD EXP IAT SUB NAME "\"auth_time\":0}", "auth_time"},
    {"{" ISS AUD EXP IAT SUB NAME "\"auth_time\":null}", "auth_time"},
    {"{" ISS AUD EXP IAT SUB NAME "\"auth_time\":1700000301}", "after it was issued"},
    /* amr */
    {"{" ISS AUD EXP IAT SUB NAME "\"amr\":\"mfa\"}", "amr"},
    {"{" ISS AUD EXP IAT SUB NAME "\"amr\":null}", "amr"},
    {"{" ISS AUD EXP IAT SUB NAME "\"amr\":{\"mfa\":1}}", "amr"},
    {"{" ISS AUD EXP IAT SUB NAME "\"amr\":[\"mfa\",1]}", "amr"},
    {"{" ISS AUD EXP IAT SUB NAME "\"amr\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
     "0,0,0,0,0,0,0]}",
     "amr"},
    /* who */
    {"{" ISS AUD EXP IAT NAME REST "}", "no sub"},
    {"{" ISS AUD EXP IAT "\"sub\":null," NAME REST "}", "no sub"},
    {"{" ISS AUD EXP IAT "\"sub\":\"\"," NAME REST "}", "no sub"},
    {"{" ISS AUD EXP IAT "\"sub\":\"00u1 ann\"," NAME REST "}", "no sub"},
    {"{" ISS AUD EXP IAT SUB REST "}", "no preferred_username"},
    {"{" ISS AUD EXP IAT SUB "\"preferred_username\":null," REST "}", "no preferred_username"},
    {"{" ISS AUD EXP IAT SUB "\"preferred_username\":1," REST "}", "no preferred_username"},
    /* not an object of claims */
    {"[]", "not JSON"},
    {"\"\"", "not JSON"},
    {"null", "not JSON"},
    {"{" ISS AUD EXP IAT SUB NAME REST "} ", NULL}, /* blanks are JSON */
    {"{" ISS AUD EXP IAT SUB NAME REST "}x", "not JSON"},
    {"{" ISS AUD EXP IAT SUB SUB NAME REST "}", "not JSON"},
    {"{" ISS AUD EXP IAT SUB NAME "\"aud\":\"0oa2\"," REST "}", "not JSON"},
};

static void tokens_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        dt_id_token t;
        dt_error e;
        dt_id_token_verdict v = check_at(HEADER, refused[i].claims, &expected, NOW, &t, &e);
        if (v != (refused[i].says == NULL ? DT_ID_TOKEN_OK : DT_ID_TOKEN_UNUSABLE))
            fail_msg("verdict %d: %s", v, refused[i].claims);
        if (refused[i].says != NULL && strstr(e.text, refused[i].says) == NULL)
            fail_msg("%s: %s", e.text, refused[i].claims);
    }
}

/* The id and the login must both be theirs. */
static void another_person(void **state)
{
    static char const *const claims[] = {
        "{" ISS AUD EXP IAT "\"sub\":\"00u2bob\",\"preferred_username\":\"bob@example.com\"," REST
        "}",
        "{" ISS AUD EXP IAT "\"sub\":\"00u2bob\"," NAME REST "}",
        "{" ISS AUD EXP IAT "\"sub\":\"00u1annx\"," NAME REST "}",
        "{" ISS AUD EXP IAT "\"sub\":\"00U1ANN\"," NAME REST "}",
        "{" ISS AUD EXP IAT SUB "\"preferred_username\":\"bob@example.com\"," REST "}",
        "{" ISS AUD EXP IAT SUB "\"preferred_username\":\"ann@example.com.evil\"," REST "}",
        "{" ISS AUD EXP IAT SUB "\"preferred_username\":\"ann\"," REST "}",
        "{" ISS AUD EXP IAT SUB "\"preferred_username\":\"\"," REST "}",
        "{" ISS AUD EXP IAT SUB "\"preferred_username\":\" ann@example.com\"," REST "}",
    };
    dt_id_token t;
    dt_error e;

    (void)state;
    for (size_t i = 0; i < COUNT(claims); i++)
        if (check_at(HEADER, claims[i], &expected, NOW, &t, &e) != DT_ID_TOKEN_OTHER_PERSON)
            fail_msg("accepted or unusable: %s", claims[i]);
    (void)check_at(HEADER,
                   "{" ISS AUD EXP IAT
                   "\"sub\":\"00u2\",\"preferred_username\":\"b\\u001b[0m@x\"," REST "}",
                   &expected, NOW, &t, &e);
    assert_string_equal(e.text, "another person signed on: b\\x1b[0m@x");
    assert_int_equal(e.code, DT_E_PERMISSION);
}

/* A sign-on that does not know whom it is about takes nobody. */
static void nobody_expected(void **state)
{
    dt_id_token_expected const nobody[] = {
        {.issuer = "https://example.okta.com", .client_id = "0oa1native", .login = ""},
        {.issuer = "https://example.okta.com",
         .client_id = "0oa1native",
         .user_id = "",
         .login = "ann@example.com"},
        {.issuer = "https://example.okta.com",
         .client_id = "0oa1native",
         .user_id = "00u1ann",
         .login = ""},
        {.issuer = "https://example.okta.com", .client_id = "0oa1native", .user_id = "00u1ann"},
        {.client_id = "0oa1native", .user_id = "00u1ann", .login = "ann@example.com"},
        {.issuer = "https://example.okta.com", .user_id = "00u1ann", .login = "ann@example.com"},
    };
    dt_id_token t;
    dt_error e;

    (void)state;
    for (size_t i = 0; i < COUNT(nobody); i++)
        assert_int_not_equal(check_at(HEADER, GOOD, &nobody[i], NOW, &t, &e), DT_ID_TOKEN_OK);
}

/* A login without "@" finds the person by the first part of theirs; as the look-up does. */
static void short_login(void **state)
{
    dt_id_token_expected x = expected;
    dt_id_token t;
    dt_error e;

    (void)state;
    x.login = "ann";
    assert_int_equal(check_at(HEADER, GOOD, &x, NOW, &t, &e), DT_ID_TOKEN_OK);
    x.login = "an";
    assert_int_equal(check_at(HEADER, GOOD, &x, NOW, &t, &e), DT_ID_TOKEN_OTHER_PERSON);
}

static void nonce_that_was_sent(void **state)
{
    dt_id_token_expected x = expected;
    dt_id_token t;
    dt_error e;
    char const *good = "{" ISS AUD EXP IAT SUB NAME "\"nonce\":\"n1\"," REST "}";

    (void)state;
    x.nonce = "n1";
    assert_int_equal(check_at(HEADER, good, &x, NOW, &t, &e), DT_ID_TOKEN_OK);
    assert_int_equal(check_at(HEADER, GOOD, &x, NOW, &t, &e), DT_ID_TOKEN_UNUSABLE);
    x.nonce = "n2";
    assert_int_equal(check_at(HEADER, good, &x, NOW, &t, &e), DT_ID_TOKEN_UNUSABLE);
    x.nonce = "";
    assert_int_equal(check_at(HEADER, GOOD, &x, NOW, &t, &e), DT_ID_TOKEN_OK);
    assert_int_equal(check_at(HEADER, good, &x, NOW, &t, &e), DT_ID_TOKEN_UNUSABLE);
}

/* Each bound by one second, with a clock that moves. */
static void clock_of_this_host(void **state)
{
    dt_id_token t;
    dt_error e;
    dt_time const issued = NOW, age = DT_ID_TOKEN_AGE_MAX + DT_ID_TOKEN_LEEWAY;
    char const *claims = "{" ISS AUD "\"exp\":1700000060," IAT SUB NAME "\"ver\":1}";

    (void)state;
    assert_int_equal(check_at(HEADER, GOOD, &expected, issued - DT_ID_TOKEN_LEEWAY, &t, &e),
                     DT_ID_TOKEN_OK);
    assert_int_equal(check_at(HEADER, GOOD, &expected, issued - DT_ID_TOKEN_LEEWAY - 1, &t, &e),
                     DT_ID_TOKEN_UNUSABLE);
    assert_int_equal(check_at(HEADER, GOOD, &expected, issued + age, &t, &e), DT_ID_TOKEN_OK);
    assert_int_equal(check_at(HEADER, GOOD, &expected, issued + age + 1, &t, &e),
                     DT_ID_TOKEN_UNUSABLE);
    dt_time const end = issued + DT_SECONDS(60) + DT_ID_TOKEN_LEEWAY;
    assert_int_equal(check_at(HEADER, claims, &expected, end - 1, &t, &e), DT_ID_TOKEN_OK);
    assert_int_equal(check_at(HEADER, claims, &expected, end, &t, &e), DT_ID_TOKEN_UNUSABLE);
}

static void amr_words(void **state)
{
    static struct {
        char const *amr;
        unsigned bits;
        bool possession;
    } const rows[] = {
        {"\"hwk\"", DT_AMR_HARDWARE, true},
        {"\"swk\"", DT_AMR_SOFTWARE, true},
        {"\"pop\"", DT_AMR_POSSESSION, true},
        {"\"phr\"", DT_AMR_POSSESSION, true},
        {"\"phrh\"", DT_AMR_POSSESSION, true},
        {"\"sc\"", DT_AMR_POSSESSION, true},
        {"\"otp\"", DT_AMR_OTP, true},
        {"\"sms\"", DT_AMR_PHONE, true},
        {"\"tel\"", DT_AMR_PHONE, true},
        {"\"pwd\",\"hwk\"", DT_AMR_PASSWORD | DT_AMR_HARDWARE, true},
        {"\"mfa\"", DT_AMR_MFA, false},
        {"\"pwd\",\"kba\",\"mfa\"", DT_AMR_PASSWORD | DT_AMR_KNOWLEDGE | DT_AMR_MFA, false},
        {"\"pin\"", DT_AMR_PASSWORD, false},
        {"\"HWK\",\"hwk \",\"\",\"hwkx\",\"geo\",\"user\",\"rba\"", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char claims[1024];
        dt_id_token t;
        dt_error e;
        snprintf(claims, sizeof(claims), "{" ISS AUD EXP IAT SUB NAME "\"amr\":[%s]}", rows[i].amr);
        assert_int_equal(check_at(HEADER, claims, &expected, NOW, &t, &e), DT_ID_TOKEN_OK);
        assert_int_equal(t.amr, rows[i].bits);
        assert_int_equal((t.amr & DT_AMR_ANY_POSSESSION) != 0, rows[i].possession);
        assert_int_equal(t.auth_time, 0);
    }
}

static void forms_refused(void **state)
{
    static char const *const texts[] = {
        "",
        ".",
        "..",
        "a",
        "a.b",
        "a.b.",
        ".b.c",
        "a..c",
        "a.b.c.d",
        "a.b.c.",
        "a.b.c.d.e",
        "e30.e30.c",
        "e30.e30.=",
        "e30=.e30.c2ln",
        "e30.e30.",
        "e30..c2ln",
        "e30.e 0.c2n",
        "e31.e30.c2",
        "+/==.e30.c2ln",
    };
    dt_id_token t;
    dt_error e = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (dt_id_token_check(dt_bytes_str(texts[i]), &expected, NOW, &t, &e) !=
            DT_ID_TOKEN_UNUSABLE)
            fail_msg("accepted: %s", texts[i]);
    assert_int_equal(dt_id_token_check(dt_bytes_of(NULL, 0), &expected, NOW, &t, &e),
                     DT_ID_TOKEN_UNUSABLE);
}

/* Every part of a good token, cut off anywhere or with one character changed to one that does not belong there. */
static void spoilt_everywhere(void **state)
{
    dt_buf token;
    dt_id_token t;
    dt_error e = {0};

    (void)state;
    make(HEADER, GOOD, &token);
    size_t const signature = sizeof("c2lnbmF0dXJl") - 1;
    for (size_t len = 0; len < token.len - signature + 1; len++)
        if (dt_id_token_check(dt_bytes_of(token.p, len), &expected, NOW, &t, &e) !=
            DT_ID_TOKEN_UNUSABLE)
            fail_msg("taken after %zu bytes", len);
    for (size_t i = 0; i < token.len; i++) {
        uint8_t const was = token.p[i];
        token.p[i] = '!';
        if (dt_id_token_check(dt_buf_bytes(&token), &expected, NOW, &t, &e) != DT_ID_TOKEN_UNUSABLE)
            fail_msg("taken with byte %zu changed", i);
        token.p[i] = was;
    }
    dt_buf_free(&token);
}

static void too_long(void **state)
{
    static char claims[2 * DT_ID_TOKEN_MAX];
    dt_id_token t;
    dt_error e;
    dt_buf token;
    int n = snprintf(claims, sizeof(claims), "{" ISS AUD EXP IAT SUB NAME REST ",\"x\":\"");

    (void)state;
    memset(claims + n, 'x', DT_ID_TOKEN_MAX * 3 / 4);
    strcpy(claims + n + DT_ID_TOKEN_MAX * 3 / 4, "\"}");
    make(HEADER, claims, &token);
    assert_true(token.len > DT_ID_TOKEN_MAX);
    dt_buf_free(&token);
    assert_int_equal(check_at(HEADER, claims, &expected, NOW, &t, &e), DT_ID_TOKEN_UNUSABLE);
    assert_non_null(strstr(e.text, "too long"));
    strcpy(claims + DT_ID_TOKEN_MAX * 3 / 4 - 100, "\"}");
    assert_int_equal(check_at(HEADER, claims, &expected, NOW, &t, &e), DT_ID_TOKEN_OK);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(good_token),         cmocka_unit_test(other_good_tokens),
        cmocka_unit_test(headers_refused),    cmocka_unit_test(tokens_refused),
        cmocka_unit_test(another_person),     cmocka_unit_test(nobody_expected),
        cmocka_unit_test(short_login),        cmocka_unit_test(nonce_that_was_sent),
        cmocka_unit_test(clock_of_this_host), cmocka_unit_test(amr_words),
        cmocka_unit_test(forms_refused),      cmocka_unit_test(spoilt_everywhere),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
