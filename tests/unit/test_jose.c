/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client assertion: verified here by OpenSSL and by another JOSE library (Python's jwt), as
 * Entra would; and the keys and certificates that must not be taken. */
#include "core/base/json.h"
#include "edge/jose.h"
#include "tests/unit/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIMS                                                                                     \
    "{\"aud\":\"https://login.example/t/oauth2/v2.0/token\",\"iss\":\"c\",\"sub\":\"c\","          \
    "\"jti\":\"1\",\"nbf\":1,\"exp\":4000000000}"

static EVP_PKEY *g_key;
static X509 *g_certificate;
static dt_buf g_pem;
static dt_secret *g_key_pem;
static dt_assertion_key *g_signer;

static dt_secret *secret_key(EVP_PKEY *key)
{
    dt_buf pem;
    dt_secret *s = NULL;
    dt_buf_init(&pem, 65536);
    key_pem(key, &pem);
    assert_int_equal(dt_secret_new(dt_buf_bytes(&pem), &s), 0);
    dt_buf_free(&pem);
    return s;
}

static int set_up(void **state)
{
    (void)state;
    g_key = cert_key("rsa2048");
    g_certificate = cert_make(&(cert_spec){.cn = "devtrust", .key = g_key});
    dt_buf_init(&g_pem, 65536);
    cert_pem(g_certificate, &g_pem);
    g_key_pem = secret_key(g_key);
    return dt_assertion_key_new(g_key_pem, dt_buf_bytes(&g_pem), &g_signer, NULL, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    dt_assertion_key_free(&g_signer);
    assert_null(g_signer);
    dt_assertion_key_free(&g_signer);
    dt_secret_free(&g_key_pem);
    dt_buf_free(&g_pem);
    X509_free(g_certificate);
    EVP_PKEY_free(g_key);
    pki_forget();
    return 0;
}

/* --- looking at a token ---------------------------------------------------------------------- */

typedef struct token {
    dt_buf text;
    dt_bytes signed_part; /* header.payload */
    dt_json *header;
    dt_buf payload, signature;
} token;

static void decode(dt_bytes part, dt_buf *out)
{
    dt_buf_init(out, 16384);
    assert_int_equal(dt_base64url_decode(out, part), 0);
}

static token make_token(dt_assertion_alg alg)
{
    token t;
    dt_error e = {0};
    dt_buf header;
    dt_buf_init(&t.text, 16384);
    dt_buf_puts(&t.text, "before ");
    if (dt_assertion_sign(g_signer, alg, dt_bytes_str(CLAIMS), DT_SECONDS(CERT_NOW), &t.text, &e) !=
        0)
        fail_msg("%s", e.text);
    uint8_t const *text = t.text.p + strlen("before ");
    uint8_t const *first = (uint8_t const *)strchr((char const *)text, '.');
    assert_non_null(first);
    uint8_t const *second = (uint8_t const *)strchr((char const *)first + 1, '.');
    assert_non_null(second);
    assert_null(strchr((char const *)second + 1, '.'));
    t.signed_part = dt_bytes_of(text, (size_t)(second - text));
    decode(dt_bytes_of(text, (size_t)(first - text)), &header);
    decode(dt_bytes_of(first + 1, (size_t)(second - first - 1)), &t.payload);
    decode(dt_bytes_str((char const *)second + 1), &t.signature);
    assert_int_equal(dt_json_parse(dt_buf_bytes(&header), &t.header, NULL), 0);
    dt_buf_free(&header);
    return t;
}

static void token_free(token *t)
{
    dt_buf_free(&t->text);
    dt_buf_free(&t->payload);
    dt_buf_free(&t->signature);
    dt_json_free(&t->header);
}

static bool verifies(token const *t, bool pss)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *how = NULL;
    assert_int_equal(EVP_DigestVerifyInit(ctx, &how, EVP_sha256(), NULL, g_key), 1);
    if (pss) {
        assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(how, 32), 1); /* RFC 7518 section 3.5 */
    }
    bool const ok = EVP_DigestVerify(ctx, t->signature.p, t->signature.len, t->signed_part.p,
                                     t->signed_part.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static void expect_header(token const *t, char const *name, char const *value)
{
    char const *have = dt_json_string(dt_json_get(t->header, name));
    assert_non_null(have);
    assert_string_equal(have, value);
}

static void expect_thumbprint(token const *t, char const *name, EVP_MD const *hash)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    dt_buf der, text;
    dt_buf_init(&der, 16384);
    dt_buf_init(&text, 128);
    cert_der(g_certificate, &der);
    assert_int_equal(EVP_Digest(der.p, der.len, digest, &len, hash, NULL), 1);
    dt_base64url_encode(&text, dt_bytes_of(digest, len));
    expect_header(t, name, (char const *)text.p);
    dt_buf_free(&der);
    dt_buf_free(&text);
}

static void signs_ps256(void **state)
{
    (void)state;
    token t = make_token(DT_ALG_PS256);
    assert_int_equal(dt_json_size(t.header), 3);
    expect_header(&t, "alg", "PS256");
    expect_header(&t, "typ", "JWT");
    expect_thumbprint(&t, "x5t#S256", EVP_sha256());
    assert_string_equal((char *)t.payload.p, CLAIMS);
    assert_true(verifies(&t, true));
    assert_false(verifies(&t, false));
    t.signature.p[9] ^= 1;
    assert_false(verifies(&t, true));
    token_free(&t);
}

static void signs_rs256(void **state)
{
    (void)state;
    token t = make_token(DT_ALG_RS256);
    assert_int_equal(dt_json_size(t.header), 3);
    expect_header(&t, "alg", "RS256");
    expect_header(&t, "typ", "JWT");
    expect_thumbprint(&t, "x5t", EVP_sha1());
    assert_string_equal((char *)t.payload.p, CLAIMS);
    assert_true(verifies(&t, false));
    assert_false(verifies(&t, true));
    token_free(&t);
}

/* Another library, which knows nothing of ours, takes both forms, and neither for the other. */
static void another_library_agrees(void **state)
{
    (void)state;
    static char const program[] =
        "import sys, jwt\n"
        "from cryptography import x509\n"
        "d = sys.argv[1]\n"
        "key = x509.load_pem_x509_certificate(open(d + '/jose.pem', 'rb').read()).public_key()\n"
        "for good, bad in ('PS256', 'RS256'), ('RS256', 'PS256'):\n"
        "    token = open(d + '/' + good).read()\n"
        "    aud = 'https://login.example/t/oauth2/v2.0/token'\n"
        "    assert jwt.decode(token, key, algorithms=[good], audience=aud)['sub'] == 'c'\n"
        "    try:\n"
        "        jwt.decode(token, key, algorithms=[bad], audience=aud)\n"
        "        sys.exit(1)\n"
        "    except jwt.InvalidTokenError:\n"
        "        pass\n";
    char command[2 * PATH_MAX + 64];
    token ps = make_token(DT_ALG_PS256), rs = make_token(DT_ALG_RS256);
    size_t const skip = strlen("before ");
    pki_write("jose.pem", dt_buf_bytes(&g_pem), 0644);
    pki_write("jose.py", dt_bytes_str(program), 0644);
    pki_write("PS256", dt_bytes_of(ps.text.p + skip, ps.text.len - skip), 0600);
    pki_write("RS256", dt_bytes_of(rs.text.p + skip, rs.text.len - skip), 0600);
    snprintf(command, sizeof(command), "/usr/bin/python3 '%s/jose.py' '%s'", pki_dir(), pki_dir());
    assert_int_equal(system(command), 0);
    token_free(&ps);
    token_free(&rs);
}

/* --- what must not be signed ---------------------------------------------------------------- */

static void refuses_other_claims(void **state)
{
    (void)state;
    dt_buf out;
    dt_error e = {0};
    char *huge = test_calloc(1, 5000);
    dt_buf_init(&out, 16384);
    assert_int_equal(
        dt_assertion_sign(g_signer, DT_ALG_PS256, (dt_bytes){0}, DT_SECONDS(CERT_NOW), &out, &e),
        DT_E_LIMIT);
    memset(huge, 'x', 4999);
    assert_int_equal(dt_assertion_sign(g_signer, DT_ALG_PS256, dt_bytes_str(huge),
                                       DT_SECONDS(CERT_NOW), &out, &e),
                     DT_E_LIMIT);
    assert_int_equal(dt_assertion_sign(g_signer, (dt_assertion_alg)7, dt_bytes_str(CLAIMS),
                                       DT_SECONDS(CERT_NOW), &out, &e),
                     DT_E_INVALID);
    assert_int_equal(out.len, 0);
    dt_buf_free(&out);
    test_free(huge);
    char small[64];
    dt_buf_init_fixed(&out, small, sizeof(small));
    assert_int_equal(dt_assertion_sign(g_signer, DT_ALG_PS256, dt_bytes_str(CLAIMS),
                                       DT_SECONDS(CERT_NOW), &out, &e),
                     DT_E_LIMIT);
}

static int new_key(dt_secret const *key, dt_bytes certificate)
{
    dt_assertion_key *k = (dt_assertion_key *)&k;
    dt_error e = {0};
    int const rc = dt_assertion_key_new(key, certificate, &k, NULL, &e);
    assert_int_equal(rc == 0, k != NULL);
    assert_int_equal(rc == 0, e.text[0] == '\0');
    dt_assertion_key_free(&k);
    return rc;
}

static void refuses_keys_of_others(void **state)
{
    (void)state;
    static struct {
        char const *kind;
        int rc;
    } const others[] = {
        {"rsa2048", DT_E_CRYPTO},  {"rsa1024", DT_E_INVALID}, {"P-256", DT_E_INVALID},
        {"ed25519", DT_E_INVALID}, {"rsa-pss", DT_E_INVALID},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        EVP_PKEY *key = cert_key(others[i].kind);
        dt_secret *pem = secret_key(key);
        assert_int_equal(new_key(pem, dt_buf_bytes(&g_pem)), others[i].rc);
        dt_secret_free(&pem);
        EVP_PKEY_free(key);
    }
}

/* The pair is taken all the same: time alone must not make a fault of a configuration. */
static void an_expired_certificate_signs_nothing(void **state)
{
    static struct {
        dt_time now;
        int rc;
    } const cases[] = {{DT_SECONDS(CERT_NOW + 31536000L - 1), DT_OK},
                       {DT_SECONDS(CERT_NOW + 31536000L + 1), DT_E_EXPIRED},
                       {DT_TIME_NEVER, DT_E_EXPIRED}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_error e = {0};
        dt_buf out;
        dt_buf_init(&out, 4096);
        assert_int_equal(
            dt_assertion_sign(g_signer, DT_ALG_PS256, dt_bytes_str(CLAIMS), cases[i].now, &out, &e),
            cases[i].rc);
        assert_int_equal(out.len > 0, cases[i].rc == DT_OK);
        if (cases[i].rc != DT_OK)
            assert_non_null(strstr(e.text, "upload it"));
        dt_buf_free(&out);
    }
}

static void refuses_damaged_texts(void **state)
{
    (void)state;
    dt_secret *bad = NULL;
    dt_bytes const whole = dt_secret_bytes(g_key_pem);
    assert_int_equal(new_key(g_key_pem, (dt_bytes){0}), DT_E_PARSE);
    assert_int_equal(new_key(g_key_pem, dt_bytes_str("garbage")), DT_E_PARSE);
    assert_int_equal(new_key(g_key_pem, whole), DT_E_PARSE);
    assert_int_equal(dt_secret_new(dt_buf_bytes(&g_pem), &bad), 0);
    assert_int_equal(new_key(bad, dt_buf_bytes(&g_pem)), DT_E_PARSE);
    dt_secret_free(&bad);
    for (size_t len = 1; len < whole.len - 30; len += 7) {
        assert_int_equal(dt_secret_new(dt_bytes_of(whole.p, len), &bad), 0);
        assert_int_equal(new_key(bad, dt_buf_bytes(&g_pem)), DT_E_PARSE);
        dt_secret_free(&bad);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

/* Nobody is there to be asked for a pass phrase: it must not even be tried. */
static void refuses_a_locked_key(void **state)
{
    (void)state;
    char *text = NULL;
    dt_secret *locked = NULL;
    dt_error e = {0};
    dt_assertion_key *k = NULL;
    BIO *pem = BIO_new(BIO_s_mem());
    assert_int_equal(
        PEM_write_bio_PrivateKey(pem, g_key, EVP_aes_256_cbc(), (uint8_t *)"phrase", 6, NULL, NULL),
        1);
    long const len = BIO_get_mem_data(pem, &text);
    assert_int_equal(dt_secret_new(dt_bytes_of(text, (size_t)len), &locked), 0);
    assert_int_equal(dt_assertion_key_new(locked, dt_buf_bytes(&g_pem), &k, NULL, &e),
                     DT_E_INVALID);
    assert_null(k);
    assert_non_null(strstr(e.text, "pass phrase"));
    dt_secret_free(&locked);
    BIO_free(pem);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(signs_ps256),
        cmocka_unit_test(signs_rs256),
        cmocka_unit_test(another_library_agrees),
        cmocka_unit_test(refuses_other_claims),
        cmocka_unit_test(refuses_keys_of_others),
        cmocka_unit_test(an_expired_certificate_signs_nothing),
        cmocka_unit_test(refuses_damaged_texts),
        cmocka_unit_test(refuses_a_locked_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
