/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The key of a device certificate: SSH's form of it against what ssh-keygen itself writes, and the
 * proof of possession with every way to get it wrong. */
#include "core/device/x509.h"
#include "edge/x509_internal.h"
#include "tests/unit/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUID "6f9619ff-8b86-4d11-b42d-00c04fc964ff"

static char const *const g_good_kinds[] = {"rsa2048", "rsa3072", "P-256",
                                           "P-384",   "P-521",   "ed25519"};
#define GOOD_KINDS (sizeof(g_good_kinds) / sizeof(g_good_kinds[0]))

static dt_buf make_certificate(EVP_PKEY *key)
{
    X509 *x = cert_make(&(cert_spec){.cn = GUID, .key = key});
    dt_buf der;
    dt_buf_init(&der, DT_CERTIFICATE_MAX);
    cert_der(x, &der);
    X509_free(x);
    return der;
}

static int tear_down(void **state)
{
    (void)state;
    pki_forget();
    return 0;
}

/* --- SSH ----------------------------------------------------------------------------------- */

/* The first line that a command prints, of which the second word is the blob in base64. */
static void expect_blob(dt_bytes blob, char const *command)
{
    char line[8192], type[128], expected[8000];
    dt_buf text;
    FILE *f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    assert_int_equal(pclose(f), 0);
    assert_int_equal(sscanf(line, "%127s %7999s", type, expected), 2);
    dt_buf_init(&text, 16384);
    dt_base64_encode(&text, blob);
    assert_string_equal((char *)text.p, expected);
    dt_buf_free(&text);
}

/* Writes the public key as `openssl x509 -pubkey` would. */
static void write_public(EVP_PKEY *key, char const *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PUBKEY(f, key), 1);
    assert_int_equal(fclose(f), 0);
}

static void ssh_blobs_are_ssh_keygens(void **state)
{
    (void)state;
    char path[PATH_MAX], command[PATH_MAX + 64];
    assert_true(snprintf(path, sizeof(path), "%s/public.pem", pki_dir()) < PATH_MAX);
    for (size_t i = 0; i < GOOD_KINDS; i++) {
        if (strcmp(g_good_kinds[i], "ed25519") == 0)
            continue; /* ssh-keygen -m PKCS8 does not read it; see the next test */
        /* Several of each, for the leading zeros that one in 256 has. */
        for (int round = 0; round < (g_good_kinds[i][0] == 'P' ? 4 : 1); round++) {
            EVP_PKEY *key = cert_key(g_good_kinds[i]);
            dt_buf der = make_certificate(key), blob;
            dt_buf_init(&blob, 2048);
            assert_int_equal(dt_x509_ssh_blob(dt_buf_bytes(&der), &blob), 0);
            write_public(key, path);
            snprintf(command, sizeof(command), "ssh-keygen -i -m PKCS8 -f '%s'", path);
            expect_blob(dt_buf_bytes(&blob), command);
            dt_buf_free(&blob);
            dt_buf_free(&der);
            EVP_PKEY_free(key);
        }
    }
}

/* The test PKI writes SSH's form of each device key by another library. */
static void ssh_blobs_are_the_pkis(void **state)
{
    (void)state;
    static char const *const names[] = {"device-rsa",  "device-p256",    "device-p384",
                                        "company-rsa", "device-ed25519", "host-p256"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char file[64], command[PATH_MAX + 64];
        dt_buf der, blob;
        dt_buf_init(&der, DT_CERTIFICATE_MAX);
        dt_buf_init(&blob, 2048);
        snprintf(file, sizeof(file), "%s.der", names[i]);
        pki_read(file, &der);
        assert_int_equal(dt_x509_ssh_blob(dt_buf_bytes(&der), &blob), 0);
        snprintf(command, sizeof(command), "cat '%s/%s.pub'", pki_dir(), names[i]);
        expect_blob(dt_buf_bytes(&blob), command);
        dt_buf_free(&der);
        dt_buf_free(&blob);
    }
}

/* A certificate may write its point compressed; SSH never does. */
static void a_compressed_point_is_the_same_key(void **state)
{
    (void)state;
    EVP_PKEY *key = cert_key("P-256");
    dt_buf der = make_certificate(key), plain, compressed;
    dt_buf_init(&plain, 1024);
    dt_buf_init(&compressed, 1024);
    assert_int_equal(dt_x509_ssh_blob(dt_buf_bytes(&der), &plain), 0);
    dt_buf_free(&der);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                    "compressed"),
                     1);
    der = make_certificate(key);
    assert_int_equal(dt_x509_ssh_blob(dt_buf_bytes(&der), &compressed), 0);
    assert_true(dt_bytes_equal(dt_buf_bytes(&plain), dt_buf_bytes(&compressed)));
    dt_buf_free(&der);
    dt_buf_free(&plain);
    dt_buf_free(&compressed);
    EVP_PKEY_free(key);
}

static char const *const g_bad_kinds[] = {"rsa1024",   "rsa-pss",         "P-224",
                                          "secp256k1", "brainpoolP256r1", "ed448"};
#define BAD_KINDS (sizeof(g_bad_kinds) / sizeof(g_bad_kinds[0]))

static void other_keys_have_no_ssh_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < BAD_KINDS; i++) {
        EVP_PKEY *key = cert_key(g_bad_kinds[i]);
        dt_buf der = make_certificate(key), blob;
        dt_buf_init(&blob, 1024);
        assert_int_equal(dt_x509_ssh_blob(dt_buf_bytes(&der), &blob), DT_E_INVALID);
        assert_int_equal(blob.len, 0);
        dt_buf_free(&der);
        dt_buf_free(&blob);
        EVP_PKEY_free(key);
    }
    dt_buf blob;
    dt_buf_init(&blob, 1024);
    assert_int_equal(dt_x509_ssh_blob(dt_bytes_str("garbage"), &blob), DT_E_PARSE);
    assert_int_equal(dt_x509_ssh_blob((dt_bytes){0}, &blob), DT_E_PARSE);
    dt_buf_free(&blob);
}

static void keeps_to_the_ceiling(void **state)
{
    (void)state;
    EVP_PKEY *key = cert_key("rsa2048");
    dt_buf der = make_certificate(key), blob;
    char small[32];
    dt_buf_init_fixed(&blob, small, sizeof(small));
    assert_int_equal(dt_x509_ssh_blob(dt_buf_bytes(&der), &blob), DT_E_LIMIT);
    dt_buf_free(&der);
    EVP_PKEY_free(key);
}

/* --- proof of possession ------------------------------------------------------------------- */

typedef struct proof {
    EVP_PKEY *key;
    dt_buf der;
    uint8_t message[32];
    uint8_t signature[1024];
    size_t len;
} proof;

static void sign(proof *p, EVP_MD const *hash)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    p->len = sizeof(p->signature);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, hash, NULL, p->key), 1);
    assert_int_equal(EVP_DigestSign(ctx, p->signature, &p->len, p->message, sizeof(p->message)), 1);
    EVP_MD_CTX_free(ctx);
}

static proof make_proof(char const *kind)
{
    proof p = {.key = cert_key(kind), .message = {1, 2, 3}};
    p.der = make_certificate(p.key);
    sign(&p, strcmp(kind, "ed25519") == 0 || strcmp(kind, "ed448") == 0 ? NULL : EVP_sha256());
    return p;
}

static void proof_free(proof *p)
{
    dt_buf_free(&p->der);
    EVP_PKEY_free(p->key);
}

static int verify(proof const *p, size_t message_len, size_t signature_len)
{
    return dt_x509_verify(dt_buf_bytes(&p->der), dt_bytes_of(p->message, message_len),
                          dt_bytes_of(p->signature, signature_len));
}

static int verify_whole(proof const *p)
{
    return verify(p, sizeof(p->message), p->len);
}

static void takes_each_good_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD_KINDS; i++) {
        proof p = make_proof(g_good_kinds[i]);
        assert_int_equal(verify_whole(&p), 0);
        proof_free(&p);
    }
}

static void refuses_weak_and_foreign_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; i < BAD_KINDS; i++) {
        proof p = make_proof(g_bad_kinds[i]);
        assert_int_equal(verify_whole(&p), DT_E_CRYPTO);
        proof_free(&p);
    }
}

static void refuses_damaged_proofs(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD_KINDS; i++) {
        proof p = make_proof(g_good_kinds[i]);
        for (size_t k = 0; k < p.len; k++) {
            p.signature[k] ^= 0x04;
            assert_int_equal(verify_whole(&p), DT_E_CRYPTO);
            p.signature[k] ^= 0x04;
        }
        for (size_t k = 0; k < sizeof(p.message); k++) {
            p.message[k] ^= 0x04;
            assert_int_equal(verify_whole(&p), DT_E_CRYPTO);
            p.message[k] ^= 0x04;
        }
        for (size_t len = 0; len < p.len; len++)
            assert_int_equal(verify(&p, sizeof(p.message), len), DT_E_CRYPTO);
        for (size_t len = 0; len < sizeof(p.message); len++)
            assert_int_equal(verify(&p, len, p.len), DT_E_CRYPTO);
        p.signature[p.len] = 0;
        assert_int_equal(verify(&p, sizeof(p.message), p.len + 1), DT_E_CRYPTO);
        memset(p.signature, 0, sizeof(p.signature));
        assert_int_equal(verify_whole(&p), DT_E_CRYPTO);
        proof_free(&p);
    }
}

static void refuses_anothers_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < GOOD_KINDS; i++) {
        proof a = make_proof(g_good_kinds[i]), b = make_proof(g_good_kinds[i]);
        assert_int_equal(dt_x509_verify(dt_buf_bytes(&a.der), dt_bytes_of(a.message, 32),
                                        dt_bytes_of(b.signature, b.len)),
                         DT_E_CRYPTO);
        proof_free(&a);
        proof_free(&b);
    }
}

/* A signature made for another use of the key, with another hash, is none of ours. */
static void refuses_other_hashes(void **state)
{
    (void)state;
    proof p = make_proof("rsa2048");
    sign(&p, EVP_sha1());
    assert_int_equal(verify_whole(&p), DT_E_CRYPTO);
    sign(&p, EVP_sha512());
    assert_int_equal(verify_whole(&p), DT_E_CRYPTO);
    proof_free(&p);
    p = make_proof("P-256");
    sign(&p, EVP_sha1());
    assert_int_equal(verify_whole(&p), DT_E_CRYPTO);
    proof_free(&p);
}

static void refuses_what_is_no_certificate(void **state)
{
    (void)state;
    proof p = make_proof("P-256");
    assert_int_equal(dt_x509_verify((dt_bytes){0}, dt_bytes_str("m"), dt_bytes_str("s")),
                     DT_E_CRYPTO);
    dt_buf_putc(&p.der, '\0');
    assert_int_equal(verify_whole(&p), DT_E_CRYPTO);
    p.der.len -= 2;
    assert_int_equal(verify_whole(&p), DT_E_CRYPTO);
    assert_int_equal(ERR_peek_error(), 0);
    proof_free(&p);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(ssh_blobs_are_ssh_keygens),
        cmocka_unit_test(ssh_blobs_are_the_pkis),
        cmocka_unit_test(a_compressed_point_is_the_same_key),
        cmocka_unit_test(other_keys_have_no_ssh_form),
        cmocka_unit_test(keeps_to_the_ceiling),
        cmocka_unit_test(takes_each_good_signature),
        cmocka_unit_test(refuses_weak_and_foreign_kinds),
        cmocka_unit_test(refuses_damaged_proofs),
        cmocka_unit_test(refuses_anothers_signature),
        cmocka_unit_test(refuses_other_hashes),
        cmocka_unit_test(refuses_what_is_no_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
