/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Claims of assertions and proofs, token requests, and what may come of them. */
#include "core/base/json.h"
#include "core/okta/okta_oauth.h"
#include "edge/ini.h"
#include "edge/jose.h"
#include "tests/unit/pki.h"

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
#define TOKEN_URL "https://example.okta.com/oauth2/v1/token"

static uint8_t const jti[DT_JTI_LEN] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255};
#define JTI "0102030405060708090a0b0c0d0e0fff"

static dt_config *config(char const *okta, char const *trust)
{
    char text[1024];
    dt_config *c = NULL;
    dt_error e = {0};

    snprintf(text, sizeof(text),
             "[okta]\norg_url = https://example.okta.com\n%s[device_trust]\nca_file = /s\n%s", okta,
             trust);
    assert_int_equal(dt_config_new(&c, &e), 0);
    if (dt_ini_parse(dt_bytes_str(text), "/d.conf", c, &e) != 0)
        fail_msg("%s", e.text);
    return c;
}

#define APP "client_id = 0oa1\nkey_file = /k\n"
#define TRUST "trusted_when = certificate\n"

static dt_config *app(void)
{
    return config(APP, TRUST);
}

static void who_asks(void **state)
{
    dt_config *c = config("", TRUST);

    (void)state;
    assert_false(dt_okta_has_app(c));
    dt_config_free(&c);
    c = app();
    assert_true(dt_okta_has_app(c));
    assert_true(dt_okta_is_authn(c, "https://example.okta.com/api/v1/authn"));
    assert_true(dt_okta_is_authn(c, "https://example.okta.com/api/v1/authn/cancel"));
    assert_false(dt_okta_is_authn(c, "https://example.okta.com/api/v1/authnx"));
    assert_false(dt_okta_is_authn(c, "https://example.okta.com/api/v1/users/authn"));
    assert_false(dt_okta_is_authn(c, "https://example.okta.com.evil/api/v1/authn"));
    dt_config_free(&c);
}

static void scopes(void **state)
{
    static struct {
        char const *trust, *scopes;
    } const rows[] = {
        {TRUST, "okta.users.read okta.users.manage"},
        {"trusted_when = certificate+okta-device\n",
         "okta.users.read okta.users.manage okta.devices.read"},
        {TRUST "[application vpn]\ntrusted_when = certificate+okta-device\n",
         "okta.users.read okta.users.manage okta.devices.read"},
        {TRUST "[application vpn]\nrequire_owner = no\n", "okta.users.read okta.users.manage"},
        {TRUST "[policy]\nokta_app = 0oa1\n", "okta.users.read okta.users.manage okta.apps.read"},
        {TRUST "[application vpn]\nokta_app = 0oa1\n",
         "okta.users.read okta.users.manage okta.apps.read"},
        {TRUST "[application vpn]\nokta_app =\n", "okta.users.read okta.users.manage"}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[DT_OKTA_SCOPES_MAX];
        dt_config *c = config(APP, rows[i].trust);
        char with_names[DT_OKTA_SCOPES_MAX];

        dt_okta_scopes(c, false, out);
        assert_string_equal(out, rows[i].scopes);
        dt_okta_scopes(c, true, with_names);
        assert_memory_equal(with_names, out, strlen(out));
        assert_string_equal(with_names + strlen(out), " okta.groups.read");
        dt_config_free(&c);
    }
}

static void assertion(void **state)
{
    dt_config *c = app(), *none = config("", TRUST);
    dt_buf b;

    (void)state;
    dt_buf_init(&b, 4096);
    assert_int_equal(dt_okta_assertion_claims(c, jti, NOW + 999, &b), 0);
    assert_string_equal((char *)b.p, "{\"aud\":\"" TOKEN_URL "\",\"iss\":\"0oa1\",\"sub\":\"0oa1\","
                                     "\"jti\":\"" JTI "\",\"exp\":1700000300}");
    assert_int_equal(dt_okta_assertion_claims(none, jti, NOW, &b), DT_E_INVALID);
    assert_int_equal(dt_okta_assertion_claims(c, jti, -1, &b), DT_E_INVALID);
    assert_int_equal(dt_okta_assertion_claims(c, jti, DT_TIME_NEVER, &b), DT_E_INVALID);
    dt_buf_free(&b);
    dt_config_free(&c);
    dt_config_free(&none);
}

static void request(void **state)
{
    static char const *const bad[] = {"",     "a.b",       "a.b.c.d", "a.b.c d",
                                      "a..c", "a.b.c&x=y", "a.b.c\n"};
    dt_config *c = app();
    dt_http_request r;

    (void)state;
    assert_int_equal(dt_okta_token_request(c, "okta.users.read okta.users.manage", "a.b_-.c", &r),
                     0);
    assert_string_equal(r.url, TOKEN_URL);
    assert_true(r.form && r.method == DT_HTTP_POST && r.service == DT_HTTP_OKTA);
    assert_string_equal(r.body,
                        "grant_type=client_credentials&scope=okta.users.read%20okta.users.manage&"
                        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%"
                        "3Ajwt-bearer&client_assertion=a.b_-.c");
    assert_int_equal(r.body_len, strlen(r.body));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(dt_okta_token_request(c, "s", bad[i], &r), DT_E_INVALID);
    assert_int_equal(dt_okta_token_request(c, "", "a.b.c", &r), DT_E_INVALID);
    char longest[DT_HTTP_BODY_MAX + 8];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "a.b.", 4);
    longest[sizeof(longest) - 1] = '\0';
    assert_true(dt_okta_token_request(c, "s", longest, &r) < 0);
    dt_config_free(&c);
}

static void proofs(void **state)
{
    dt_okta_proof p = {.method = DT_HTTP_GET,
                       .url = "https://example.okta.com/api/v1/users/a%2Fb?limit=1#x",
                       .token = dt_bytes_str("token"),
                       .nonce = "n1"};
    dt_buf b;

    (void)state;
    memcpy(p.jti, jti, sizeof(jti));
    dt_buf_init(&b, 4096);
    assert_int_equal(dt_okta_proof_claims(&p, NOW, &b), 0);
    /* base64url(SHA-256("token")) */
    assert_string_equal((char *)b.p,
                        "{\"htm\":\"GET\",\"htu\":\"https://example.okta.com/api/v1/users/a%2Fb\","
                        "\"ath\":\"PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A\",\"nonce\":\"n1\","
                        "\"jti\":\"" JTI "\",\"iat\":1700000000}");
    dt_buf_reset(&b);
    p = (dt_okta_proof){.method = DT_HTTP_POST, .url = TOKEN_URL, .nonce = ""};
    assert_int_equal(dt_okta_proof_claims(&p, NOW, &b), 0);
    assert_non_null(strstr((char *)b.p, "\"htm\":\"POST\""));
    assert_null(strstr((char *)b.p, "ath"));
    assert_null(strstr((char *)b.p, "nonce"));
    p.method = DT_HTTP_DELETE;
    dt_buf_reset(&b);
    assert_int_equal(dt_okta_proof_claims(&p, NOW, &b), 0);
    assert_non_null(strstr((char *)b.p, "\"htm\":\"DELETE\""));
    assert_int_equal(dt_okta_proof_claims(&p, -5, &b), DT_E_INVALID);
    dt_buf_free(&b);
}

/* --- replies ------------------------------------------------------------------------------------ */

static dt_okta_grant read_reply(dt_config const *c, int status, char const *body, char const *nonce,
                                dt_error *e)
{
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .status = status,
                          .body = dt_bytes_str(body),
                          .error = "",
                          .next_link = "",
                          .dpop_nonce = nonce};
    dt_secret *token = NULL;
    dt_time renew_at = 0, expires = 0;
    dt_okta_grant g = dt_okta_read_grant(c, &r, "the scopes", NOW, &token, &renew_at, &expires, e);
    assert_int_equal(token != NULL, g == DT_OKTA_GRANT_OK);
    if (g == DT_OKTA_GRANT_OK) {
        assert_true(dt_secret_equal(token, dt_bytes_str("abc")));
        assert_int_equal(expires, NOW + DT_HOURS(1));
        assert_int_equal(renew_at, NOW + DT_MINUTES(54));
    } else if (g != DT_OKTA_GRANT_NONCE) {
        assert_true(e->text[0] != '\0');
        assert_null(strchr(e->text, '\x1b'));
    }
    dt_secret_free(&token);
    return g;
}

#define GRANT(type) "{\"token_type\":\"" type "\",\"expires_in\":3600,\"access_token\":\"abc\"}"
#define ERROR(word) "{\"error\":\"" word "\",\"error_description\":\"why\\u001b[0m\"}"

static void grants(void **state)
{
    static struct {
        int status;
        char const *body, *nonce;
        dt_okta_grant grant;
        char const *words;
    } const rows[] = {
        {200, GRANT("Bearer"), "", DT_OKTA_GRANT_OK, ""},
        {200, GRANT("bearer"), "", DT_OKTA_GRANT_OK, ""},
        {200, GRANT("DPoP"), "", DT_OKTA_GRANT_FAILED, "is dpop in [okta] as the app requires it?"},
        {201, GRANT("Bearer"), "", DT_OKTA_GRANT_FAILED, ""},
        {400, GRANT("Bearer"), "", DT_OKTA_GRANT_CLIENT, ""},
        {200, "{}", "", DT_OKTA_GRANT_FAILED, ""},
        {200, "[]", "", DT_OKTA_GRANT_FAILED, ""},
        {200, "", "", DT_OKTA_GRANT_FAILED, ""},
        {200, "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"a b\"}", "",
         DT_OKTA_GRANT_FAILED, "no access_token"},
        {200, "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":null}", "",
         DT_OKTA_GRANT_FAILED, "no access_token"},
        {200, "{\"token_type\":\"Bearer\",\"expires_in\":\"3600\",\"access_token\":\"abc\"}", "",
         DT_OKTA_GRANT_FAILED, "no expires_in"},
        {200, "{\"token_type\":\"Bearer\",\"expires_in\":0,\"access_token\":\"abc\"}", "",
         DT_OKTA_GRANT_FAILED, "no expires_in"},
        {401, ERROR("invalid_client"), "", DT_OKTA_GRANT_CLIENT, "key_file and key_id of [okta]"},
        {400, ERROR("invalid_scope"), "", DT_OKTA_GRANT_CLIENT, "these scopes: the scopes"},
        {400, ERROR("invalid_dpop_proof"), "", DT_OKTA_GRANT_CLIENT, "set dpop = yes"},
        {403, ERROR("access_denied"), "", DT_OKTA_GRANT_FAILED, "network zone"},
        {429, ERROR("invalid_grant"), "", DT_OKTA_GRANT_FAILED, "rate limit"},
        {429, "{\"errorCode\":\"E0000047\",\"errorSummary\":\"x\"}", "", DT_OKTA_GRANT_FAILED,
         "E0000047"},
        {500, "<html>", "", DT_OKTA_GRANT_FAILED, "HTTP 500"},
        {400, ERROR("use_dpop_nonce"), "n", DT_OKTA_GRANT_NONCE, ""},
        {400, ERROR("use_dpop_nonce"), "", DT_OKTA_GRANT_CLIENT, "use_dpop_nonce"},
        {403, ERROR("use_dpop_nonce"), "n", DT_OKTA_GRANT_FAILED, ""},
        {200, ERROR("use_dpop_nonce"), "n", DT_OKTA_GRANT_FAILED, ""},
    };
    dt_config *c = app();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_error e = {0};
        dt_okta_grant g = read_reply(c, rows[i].status, rows[i].body, rows[i].nonce, &e);
        if (g != rows[i].grant || strstr(e.text, rows[i].words) == NULL)
            fail_msg("%zu: %d %s", i, g, e.text);
    }
    dt_config_free(&c);
    c = config(APP "dpop = yes\n", TRUST);
    dt_error e = {0};
    assert_int_equal(read_reply(c, 200, GRANT("DPoP"), "", &e), DT_OKTA_GRANT_OK);
    assert_int_equal(read_reply(c, 200, GRANT("Bearer"), "", &e), DT_OKTA_GRANT_FAILED);
    dt_config_free(&c);
}

static void a_cut_off_grant_is_none(void **state)
{
    static char const whole[] = GRANT("Bearer");
    dt_config *c = app();

    (void)state;
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        char cut[sizeof(whole)];
        dt_error e = {0};
        memcpy(cut, whole, n);
        cut[n] = '\0';
        assert_int_equal(read_reply(c, 200, cut, "", &e), DT_OKTA_GRANT_FAILED);
    }
    dt_config_free(&c);
}

static void nonces(void **state)
{
    dt_http_response r = {.failure = DT_HTTP_OK, .status = 401, .dpop_nonce = "n"};

    (void)state;
    assert_true(dt_okta_wants_nonce(&r));
    r.status = 400;
    assert_true(dt_okta_wants_nonce(&r));
    r.status = 200;
    assert_false(dt_okta_wants_nonce(&r));
    r.status = 401;
    r.dpop_nonce = "";
    assert_false(dt_okta_wants_nonce(&r));
    r.dpop_nonce = NULL;
    assert_false(dt_okta_wants_nonce(&r));
    r.dpop_nonce = "n";
    r.failure = DT_HTTP_BROKEN;
    assert_false(dt_okta_wants_nonce(&r));
}

/* --- keys --------------------------------------------------------------------------------------- */

static dt_jws_key *key(char const *kind, int wanted)
{
    dt_buf pem;
    dt_secret *s = NULL;
    dt_jws_key *k = NULL;
    dt_error e = {0};
    EVP_PKEY *made = cert_key(kind);

    dt_buf_init(&pem, 65536);
    key_pem(made, &pem);
    EVP_PKEY_free(made);
    assert_int_equal(dt_secret_new(dt_buf_bytes(&pem), &s), 0);
    assert_int_equal(dt_jws_key_new(s, &k, &e), wanted);
    assert_int_equal(k != NULL, wanted == 0);
    dt_secret_free(&s);
    dt_buf_free(&pem);
    return k;
}

static void decode(char const *from, char const *until, char *out, size_t size)
{
    char text[4096];
    dt_buf b;

    assert_true((size_t)(until - from) < sizeof(text));
    memcpy(text, from, (size_t)(until - from));
    text[until - from] = '\0';
    dt_buf_init_fixed(&b, out, size);
    assert_int_equal(dt_base64url_decode(&b, dt_bytes_str(text)), 0);
}

static void header_of(dt_jws_key const *k, char const *kid, bool with_key, char *out, size_t size)
{
    dt_buf b;

    dt_buf_init(&b, 8192);
    assert_int_equal(dt_jws_sign(k, "JWT", kid, with_key, dt_bytes_str("{}"), &b, NULL), 0);
    decode((char *)b.p, strchr((char *)b.p, '.'), out, size);
    dt_buf_free(&b);
}

static void headers(void **state)
{
    char text[2048];
    dt_jws_key *rsa = key("rsa2048", 0), *ec = key("P-256", 0);
    dt_buf b;

    (void)state;
    header_of(rsa, "", false, text, sizeof(text));
    assert_string_equal(text, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
    header_of(ec, "kid-1", false, text, sizeof(text));
    assert_non_null(strstr(text, "\"alg\":\"ES256\""));
    assert_non_null(strstr(text, "\"kid\":\"kid-1\""));
    header_of(ec, "", true, text, sizeof(text));
    assert_non_null(strstr(text, "\"jwk\":{"));
    assert_null(strstr(text, "\"d\":"));
    dt_buf_init(&b, 8192);
    assert_true(dt_jws_sign(rsa, "JWT", "", true, dt_bytes_str("{}"), &b, NULL) < 0);
    assert_true(dt_jws_sign(ec, "JWT", "", true, dt_bytes_str(""), &b, NULL) < 0);
    dt_buf_free(&b);
    dt_jws_key_free(&rsa);
    dt_jws_key_free(&ec);
    dt_jws_key_free(&ec);
}

static void keys_that_are_not_taken(void **state)
{
    (void)state;
    (void)key("P-384", DT_E_INVALID);
    (void)key("ed25519", DT_E_INVALID);
    (void)key("rsa1024", DT_E_INVALID);
}

/* What is shared between processes is the same key afterwards, and nothing else is one. */
static void a_key_as_text(void **state)
{
    static char const *const bad[] = {"",
                                      "{}",
                                      "[]",
                                      "null",
                                      "{\"kty\":\"EC\"}",
                                      "{\"kty\":\"oct\",\"k\":\"AAAA\",\"d\":\"x\"}",
                                      "not json"};
    char one[2048], other[2048];
    dt_jws_key *made = NULL, *read = NULL, *rsa = key("rsa2048", 0);
    dt_secret *text = NULL;

    (void)state;
    assert_int_equal(dt_jws_key_make(&made, NULL), 0);
    assert_int_equal(dt_jws_key_save(made, &text), 0);
    char copy[DT_JWK_TEXT_MAX] = "";
    assert_int_equal(dt_str_copy_bytes(copy, sizeof(copy), dt_secret_bytes(text)), 0);
    assert_int_equal(dt_jws_key_load(copy, &read), 0);
    header_of(made, "", true, one, sizeof(one));
    header_of(read, "", true, other, sizeof(other));
    assert_string_equal(one, other);
    dt_jws_key_free(&read);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_true(dt_jws_key_load(bad[i], &read) < 0 && read == NULL);
    for (size_t n = 1; n < strlen(copy); n += 7) {
        char cut[DT_JWK_TEXT_MAX];
        memcpy(cut, copy, n);
        cut[n] = '\0';
        assert_true(dt_jws_key_load(cut, &read) < 0 && read == NULL);
    }
    dt_secret_free(&text);
    assert_true(dt_jws_key_save(rsa, &text) < 0);
    dt_jws_key_free(&made);
    dt_jws_key_free(&rsa);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(who_asks),
        cmocka_unit_test(scopes),
        cmocka_unit_test(assertion),
        cmocka_unit_test(request),
        cmocka_unit_test(proofs),
        cmocka_unit_test(grants),
        cmocka_unit_test(a_cut_off_grant_is_none),
        cmocka_unit_test(nonces),
        cmocka_unit_test(headers),
        cmocka_unit_test(keys_that_are_not_taken),
        cmocka_unit_test(a_key_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
