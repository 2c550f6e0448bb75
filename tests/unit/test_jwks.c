/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of an issuer: which are taken, and what a signature by one of them is. */
#include "core/signals/jwks.h"

#include "jws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static EVP_PKEY *rsa, *other_rsa, *p256, *small;

static int make_keys(void **state)
{
    (void)state;
    rsa = jws_make_rsa(2048);
    other_rsa = jws_make_rsa(2048);
    p256 = jws_make_p256();
    small = jws_make_rsa(1024);
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(other_rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(small);
    return 0;
}

typedef struct member {
    EVP_PKEY **key;
    char const *more;
} member;

static int read_list(member const *m, size_t n, dt_jwks **out)
{
    dt_buf b;
    dt_error e = {0};
    dt_buf_init(&b, DT_JWKS_TEXT_MAX);
    dt_buf_puts(&b, "{\"keys\":[");
    for (size_t i = 0; i < n; i++) {
        dt_buf_puts(&b, i > 0 ? "," : "");
        jws_put_jwk(&b, *m[i].key, m[i].more);
    }
    dt_buf_puts(&b, "]}");
    int const rc = dt_jwks_read(dt_buf_bytes(&b), out, &e);
    assert_int_equal(rc, e.code);
    assert_true((rc == DT_OK) == (*out != NULL));
    dt_buf_free(&b);
    return rc;
}

static void expect_count(member const *m, size_t n, size_t count)
{
    dt_jwks *k = NULL;
    int const rc = read_list(m, n, &k);
    if (count == 0)
        assert_int_equal(rc, DT_E_PARSE);
    else
        assert_int_equal(rc, DT_OK);
    assert_int_equal(dt_jwks_count(k), count);
    dt_jwks_free(&k);
}

static void keys_that_can_be_used_are_taken(void **state)
{
    (void)state;
    expect_count((member[]){{&rsa, "\"kid\":\"a\""}}, 1, 1);
    expect_count((member[]){{&rsa, "\"kid\":\"a\",\"alg\":\"RS256\",\"use\":\"sig\""}}, 1, 1);
    expect_count((member[]){{&p256, "\"kid\":\"a\",\"alg\":\"ES256\""}}, 1, 1);
    expect_count((member[]){{&rsa, "\"kid\":\"a\""}, {&p256, "\"kid\":\"a\""}}, 2, 2);
}

static void other_keys_are_left_out(void **state)
{
    static member const odd[] = {
        {&rsa, ""},
        {&rsa, "\"kid\":\"\""},
        {&rsa, "\"kid\":7"},
        {&rsa, "\"kid\":\"b\",\"use\":\"enc\""},
        {&rsa, "\"kid\":\"b\",\"use\":null"},
        {&rsa, "\"kid\":\"b\",\"alg\":\"HS256\""},
        {&rsa, "\"kid\":\"b\",\"alg\":\"ES256\""},
        {&rsa, "\"kid\":\"b\",\"alg\":\"none\""},
        {&p256, "\"kid\":\"b\",\"alg\":\"RS256\""},
        {&small, "\"kid\":\"b\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        expect_count(&odd[i], 1, 0);
        expect_count((member[]){{&rsa, "\"kid\":\"a\""}, odd[i]}, 2, 1);
    }
}

static void refuse(char const *text, int code)
{
    dt_jwks *k = NULL;
    dt_error e = {0};
    if (dt_jwks_read(dt_bytes_str(text), &k, &e) != code)
        fail_msg("%s", text);
    assert_null(k);
    assert_true(e.text[0] != '\0');
}

static void what_is_no_set_of_keys_is_refused(void **state)
{
    (void)state;
    refuse("", DT_E_PARSE);
    refuse("{}", DT_E_PARSE);
    refuse("[]", DT_E_PARSE);
    refuse("{\"keys\":{}}", DT_E_PARSE);
    refuse("{\"keys\":[]}", DT_E_PARSE);
    refuse("{\"keys\":[null,7,\"a\",[]]}", DT_E_PARSE);
    refuse("{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AAAA\"}]}", DT_E_PARSE);
    refuse("{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
           DT_E_PARSE);
    refuse(
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"kid\":\"a\",\"x\":\"AA\",\"y\":\"AA\"}]}",
        DT_E_PARSE);
}

/* An exponent of 1 signs everything. */
static void a_modulus_or_exponent_that_signs_anything_is_left_out(void **state)
{
    static char const *const exponents[] = {"AQ", "AA", "Ag", "AQAA", ""};
    (void)state;
    for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
        dt_buf b;
        uint8_t n[256];
        memset(n, 0xff, sizeof(n));
        dt_buf_init(&b, DT_JWKS_TEXT_MAX);
        dt_buf_puts(&b, "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"");
        dt_base64url_encode(&b, dt_bytes_of(n, sizeof(n)));
        dt_buf_printf(&b, "\",\"e\":\"%s\"}]}", exponents[i]);
        refuse((char const *)b.p, DT_E_PARSE);
        dt_buf_free(&b);
    }
}

static void two_keys_of_one_name_are_refused(void **state)
{
    dt_jwks *k = NULL;
    (void)state;
    assert_int_equal(
        read_list((member[]){{&rsa, "\"kid\":\"a\""}, {&other_rsa, "\"kid\":\"a\""}}, 2, &k),
        DT_E_PARSE);
}

static void there_may_be_so_many(void **state)
{
    member m[DT_JWKS_KEYS_MAX + 1];
    char more[DT_JWKS_KEYS_MAX + 1][32];
    dt_jwks *k = NULL;
    (void)state;
    for (size_t i = 0; i <= DT_JWKS_KEYS_MAX; i++) {
        (void)snprintf(more[i], sizeof(more[i]), "\"kid\":\"k%zu\"", i);
        m[i] = (member){&p256, more[i]};
    }
    expect_count(m, DT_JWKS_KEYS_MAX, DT_JWKS_KEYS_MAX);
    assert_int_equal(read_list(m, DT_JWKS_KEYS_MAX + 1, &k), DT_E_LIMIT);
    static char long_text[DT_JWKS_TEXT_MAX + 2];
    memset(long_text, ' ', sizeof(long_text) - 1);
    refuse(long_text, DT_E_LIMIT);
}

/* Verifies the signature of "{}.{}" by `key`, as if it were of the key `kid`. */
static int verify(dt_jwks const *k, EVP_PKEY *key, char const *kid, dt_jws_alg alg, int flip,
                  size_t cut)
{
    dt_buf token, sig;
    dt_buf_init(&token, 8192);
    dt_buf_init(&sig, 2048);
    jws_put_token(&token, key, "{}", "{}");
    size_t const signed_len = 2 * 3 + 1;
    assert_int_equal(dt_base64url_decode(
                         &sig, dt_bytes_of(token.p + signed_len + 1, token.len - signed_len - 1)),
                     DT_OK);
    if (flip >= 0)
        sig.p[(size_t)flip % sig.len] ^= 1;
    int const rc = dt_jwks_verify(k, kid, alg, dt_bytes_of(token.p, signed_len),
                                  dt_bytes_of(sig.p, sig.len - cut));
    dt_buf_free(&sig);
    dt_buf_free(&token);
    return rc;
}

static void a_signature_is_of_one_key_alone(void **state)
{
    dt_jwks *k = NULL;
    (void)state;
    assert_int_equal(read_list((member[]){{&rsa, "\"kid\":\"a\""},
                                          {&other_rsa, "\"kid\":\"b\""},
                                          {&p256, "\"kid\":\"c\""}},
                               3, &k),
                     DT_OK);
    assert_int_equal(verify(k, rsa, "a", DT_JWS_RS256, -1, 0), DT_OK);
    assert_int_equal(verify(k, other_rsa, "b", DT_JWS_RS256, -1, 0), DT_OK);
    assert_int_equal(verify(k, p256, "c", DT_JWS_ES256, -1, 0), DT_OK);
    assert_int_equal(verify(k, rsa, "b", DT_JWS_RS256, -1, 0), DT_E_CRYPTO);
    assert_int_equal(verify(k, rsa, "d", DT_JWS_RS256, -1, 0), DT_E_NOT_FOUND);
    assert_int_equal(verify(k, rsa, "a", DT_JWS_ES256, -1, 0), DT_E_NOT_FOUND);
    assert_int_equal(verify(k, rsa, "a", DT_JWS_NONE, -1, 0), DT_E_NOT_FOUND);
    assert_int_equal(verify(NULL, rsa, "a", DT_JWS_RS256, -1, 0), DT_E_NOT_FOUND);
    /* an HMAC, as if a public key were a shared secret */
    assert_int_equal(verify(k, NULL, "a", DT_JWS_RS256, -1, 0), DT_E_CRYPTO);
    assert_int_equal(verify(k, NULL, "c", DT_JWS_ES256, -1, 0), DT_E_CRYPTO);
    for (int flip = 0; flip < 64; flip += 7) {
        assert_int_equal(verify(k, rsa, "a", DT_JWS_RS256, flip, 0), DT_E_CRYPTO);
        assert_int_equal(verify(k, p256, "c", DT_JWS_ES256, flip, 0), DT_E_CRYPTO);
    }
    assert_int_equal(verify(k, rsa, "a", DT_JWS_RS256, -1, 1), DT_E_CRYPTO);
    assert_int_equal(verify(k, p256, "c", DT_JWS_ES256, -1, 64), DT_E_CRYPTO);
    dt_jwks_free(&k);
}

/* One that begins with a zero is not valid without it, though the number is the same. */
static void a_signature_has_all_its_bytes(void **state)
{
    dt_jwks *k = NULL;
    bool found = false;
    (void)state;
    assert_int_equal(read_list((member[]){{&rsa, "\"kid\":\"a\""}}, 1, &k), DT_OK);
    for (int i = 0; i < 10000 && !found; i++) {
        char claims[32];
        dt_buf token, sig;
        (void)snprintf(claims, sizeof(claims), "{\"n\":%d}", i);
        dt_buf_init(&token, 8192);
        dt_buf_init(&sig, 2048);
        jws_put_token(&token, rsa, "{}", claims);
        char const *last = strrchr((char const *)token.p, '.');
        size_t const len = (size_t)(last - (char const *)token.p);
        assert_int_equal(dt_base64url_decode(&sig, dt_bytes_str(last + 1)), DT_OK);
        found = sig.p[0] == 0;
        if (found) {
            dt_bytes const message = dt_bytes_of(token.p, len);
            assert_int_equal(dt_jwks_verify(k, "a", DT_JWS_RS256, message, dt_buf_bytes(&sig)),
                             DT_OK);
            assert_int_equal(
                dt_jwks_verify(k, "a", DT_JWS_RS256, message, dt_bytes_of(sig.p + 1, sig.len - 1)),
                DT_E_CRYPTO);
        }
        dt_buf_free(&sig);
        dt_buf_free(&token);
    }
    assert_true(found);
    dt_jwks_free(&k);
}

static void the_named_algorithms_are_all(void **state)
{
    static char const *const others[] = {"none", "None",  "HS256", "HS512", "rs256",
                                         "RS1",  "PS256", "EdDSA", "",      "RS256 "};
    (void)state;
    assert_int_equal(dt_jws_alg_of("RS256"), DT_JWS_RS256);
    assert_int_equal(dt_jws_alg_of("ES256"), DT_JWS_ES256);
    assert_int_equal(dt_jws_alg_of(NULL), DT_JWS_NONE);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(dt_jws_alg_of(others[i]), DT_JWS_NONE);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(keys_that_can_be_used_are_taken),
        cmocka_unit_test(other_keys_are_left_out),
        cmocka_unit_test(what_is_no_set_of_keys_is_refused),
        cmocka_unit_test(a_modulus_or_exponent_that_signs_anything_is_left_out),
        cmocka_unit_test(two_keys_of_one_name_are_refused),
        cmocka_unit_test(there_may_be_so_many),
        cmocka_unit_test(a_signature_is_of_one_key_alone),
        cmocka_unit_test(a_signature_has_all_its_bytes),
        cmocka_unit_test(the_named_algorithms_are_all),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
