/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cryptography port against published vectors, and against every way to tamper with a seal. */
#include "core/base/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

static size_t unhex(char const *text, uint8_t *out)
{
    size_t n = 0;
    for (; text[2 * n] != '\0'; n++) {
        char const pair[3] = {text[2 * n], text[2 * n + 1], '\0'};
        out[n] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static void check_sha256(char const *text, char const *expected)
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];
    assert_int_equal(dt_crypto_sha256(dt_bytes_str(text), digest), 0);
    dt_hex(hex, digest, sizeof(digest));
    assert_string_equal(hex, expected);
}

static void check_hmac(char const *key_hex, char const *in_hex, char const *expected)
{
    uint8_t key[160], in[160], digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];
    size_t key_len = unhex(key_hex, key), in_len = unhex(in_hex, in);
    assert_int_equal(
        dt_crypto_hmac_sha256(dt_bytes_of(key, key_len), dt_bytes_of(in, in_len), digest), 0);
    dt_hex(hex, digest, sizeof(digest));
    assert_string_equal(hex, expected);
}

/* RFC 4231, test cases 1 and 2, and an empty text; an empty key is refused. */
static void hmac_vectors(void **state)
{
    uint8_t digest[DT_SHA256_LEN];
    (void)state;
    check_hmac("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
               "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check_hmac("4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    check_hmac("6b6579", "", "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0");
    assert_int_equal(dt_crypto_hmac_sha256(dt_bytes_of(NULL, 0), dt_bytes_str("x"), digest),
                     DT_E_CRYPTO);
}

/* FIPS 180-4's examples, and nothing at all. */
static void sha256_vectors(void **state)
{
    (void)state;
    check_sha256("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check_sha256("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check_sha256(NULL, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* Test cases 14 and 16 of the GCM submission (McGrew and Viega, appendix B). */
static void gcm_vectors(void **state)
{
    (void)state;
    uint8_t key[32] = {0}, nonce[12] = {0}, plain[64] = {0}, aad[32], sealed[80];
    dt_buf out;
    dt_buf_init(&out, 1024);
    assert_int_equal(dt_crypto_seal(key, nonce, (dt_bytes){0}, dt_bytes_of(plain, 16), &out), 0);
    size_t n = unhex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919", sealed);
    assert_true(dt_bytes_equal(dt_buf_bytes(&out), dt_bytes_of(sealed, n)));

    unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key);
    unhex("cafebabefacedbaddecaf888", nonce);
    size_t const p = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                           "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
                           plain);
    size_t const a = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
    n = unhex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
              "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
              "76fc6ece0f4e1768cddf8853bb2d551b",
              sealed);
    dt_buf_reset(&out);
    assert_int_equal(dt_crypto_seal(key, nonce, dt_bytes_of(aad, a), dt_bytes_of(plain, p), &out),
                     0);
    assert_true(dt_bytes_equal(dt_buf_bytes(&out), dt_bytes_of(sealed, n)));
    dt_buf_reset(&out);
    assert_int_equal(dt_crypto_open(key, nonce, dt_bytes_of(aad, a), dt_bytes_of(sealed, n), &out),
                     0);
    assert_true(dt_bytes_equal(dt_buf_bytes(&out), dt_bytes_of(plain, p)));
    dt_buf_free(&out);
}

/* A sealed text and all it was sealed with. */
typedef struct seal {
    uint8_t key[DT_AEAD_KEY_LEN];
    uint8_t nonce[DT_AEAD_NONCE_LEN];
    uint8_t aad[20];
    uint8_t sealed[64];
    size_t sealed_len;
} seal;

static char const secret_text[] = "the State of one sign-on";

static seal make_seal(void)
{
    seal s = {.key = {1, 2, 3}, .nonce = {4, 5, 6}, .aad = {7, 8, 9}};
    dt_buf out;
    dt_buf_init_fixed(&out, s.sealed, sizeof(s.sealed));
    assert_int_equal(dt_crypto_seal(s.key, s.nonce, dt_bytes_of(s.aad, sizeof(s.aad)),
                                    dt_bytes_str(secret_text), &out),
                     0);
    s.sealed_len = out.len;
    assert_int_equal(s.sealed_len, strlen(secret_text) + DT_AEAD_TAG_LEN);
    return s;
}

/* Opens into a buffer that holds something already, which a failure must leave as it was. */
static int open_seal(seal const *s, size_t aad_len, size_t sealed_len)
{
    dt_buf out;
    dt_buf_init(&out, 1024);
    dt_buf_puts(&out, "before");
    int const rc = dt_crypto_open(s->key, s->nonce, dt_bytes_of(s->aad, aad_len),
                                  dt_bytes_of(s->sealed, sealed_len), &out);
    assert_string_equal(out.p, rc == 0 ? "beforethe State of one sign-on" : "before");
    assert_int_equal(dt_buf_error(&out), 0);
    dt_buf_free(&out);
    return rc;
}

static void opens_what_it_sealed(void **state)
{
    (void)state;
    seal const s = make_seal();
    assert_int_equal(open_seal(&s, sizeof(s.aad), s.sealed_len), 0);
}

/* Flips each bit of `p`, which is a part of `s`. */
static void expect_flips_to_fail(seal *s, uint8_t *p, size_t len)
{
    for (size_t bit = 0; bit < len * 8; bit++) {
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(open_seal(s, sizeof(s->aad), s->sealed_len), DT_E_CRYPTO);
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void refuses_every_flipped_bit(void **state)
{
    (void)state;
    seal s = make_seal();
    expect_flips_to_fail(&s, s.key, sizeof(s.key));
    expect_flips_to_fail(&s, s.nonce, sizeof(s.nonce));
    expect_flips_to_fail(&s, s.aad, sizeof(s.aad));
    expect_flips_to_fail(&s, s.sealed, s.sealed_len);
    assert_int_equal(open_seal(&s, sizeof(s.aad), s.sealed_len), 0);
}

static void refuses_every_other_length(void **state)
{
    (void)state;
    seal const s = make_seal();
    for (size_t len = 0; len <= sizeof(s.sealed); len++)
        assert_int_equal(open_seal(&s, sizeof(s.aad), len), len == s.sealed_len ? 0 : DT_E_CRYPTO);
    for (size_t len = 0; len < sizeof(s.aad); len++)
        assert_int_equal(open_seal(&s, len, s.sealed_len), DT_E_CRYPTO);
}

static void seals_nothing_too(void **state)
{
    (void)state;
    uint8_t const key[DT_AEAD_KEY_LEN] = {9}, nonce[DT_AEAD_NONCE_LEN] = {9};
    dt_buf sealed, plain;
    dt_buf_init(&sealed, 64);
    dt_buf_init(&plain, 64);
    assert_int_equal(dt_crypto_seal(key, nonce, (dt_bytes){0}, (dt_bytes){0}, &sealed), 0);
    assert_int_equal(sealed.len, DT_AEAD_TAG_LEN);
    assert_int_equal(dt_crypto_open(key, nonce, (dt_bytes){0}, dt_buf_bytes(&sealed), &plain), 0);
    assert_int_equal(plain.len, 0);
    sealed.p[0] ^= 1;
    assert_int_equal(dt_crypto_open(key, nonce, (dt_bytes){0}, dt_buf_bytes(&sealed), &plain),
                     DT_E_CRYPTO);
    dt_buf_free(&sealed);
    dt_buf_free(&plain);
}

static void keeps_to_the_ceiling(void **state)
{
    (void)state;
    seal const s = make_seal();
    uint8_t small[8];
    dt_buf out;
    dt_buf_init_fixed(&out, small, sizeof(small));
    assert_int_equal(dt_crypto_open(s.key, s.nonce, dt_bytes_of(s.aad, sizeof(s.aad)),
                                    dt_bytes_of(s.sealed, s.sealed_len), &out),
                     DT_E_LIMIT);
    dt_buf_reset(&out);
    assert_int_equal(dt_crypto_seal(s.key, s.nonce, (dt_bytes){0}, dt_bytes_str(secret_text), &out),
                     DT_E_LIMIT);
    size_t const huge = 2 * 1024 * 1024;
    uint8_t *bytes = test_calloc(1, huge);
    assert_int_equal(dt_crypto_seal(s.key, s.nonce, (dt_bytes){0}, dt_bytes_of(bytes, huge), &out),
                     DT_E_LIMIT);
    assert_int_equal(dt_crypto_open(s.key, s.nonce, (dt_bytes){0}, dt_bytes_of(bytes, huge), &out),
                     DT_E_LIMIT);
    assert_int_not_equal(
        dt_crypto_seal(s.key, s.nonce, dt_bytes_of(bytes, huge), (dt_bytes){0}, &out), 0);
    test_free(bytes);
}

/* A server whose module we are looks for its own errors in this queue. */
static void leaves_no_errors_behind(void **state)
{
    (void)state;
    seal s = make_seal();
    ERR_clear_error();
    s.sealed[0] ^= 1;
    assert_int_equal(open_seal(&s, sizeof(s.aad), s.sealed_len), DT_E_CRYPTO);
    assert_int_equal(ERR_peek_error(), 0);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(hmac_vectors),
        cmocka_unit_test(gcm_vectors),
        cmocka_unit_test(opens_what_it_sealed),
        cmocka_unit_test(refuses_every_flipped_bit),
        cmocka_unit_test(refuses_every_other_length),
        cmocka_unit_test(seals_nothing_too),
        cmocka_unit_test(keeps_to_the_ceiling),
        cmocka_unit_test(leaves_no_errors_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
