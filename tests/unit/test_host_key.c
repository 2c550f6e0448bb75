/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's device key: its signature is one that the core's own check takes, and files that are
 * damaged, mismatched or open to others are refused. */
#include "core/device/x509.h"
#include "edge/host_key.h"
#include "tests/unit/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char g_path[4][PATH_MAX];

/* Paths within the test PKI; each of four is good until its number is used again. */
static char const *path(int n, char const *name, char const *suffix)
{
    int const len = snprintf(g_path[n], PATH_MAX, "%s/%s%s", pki_dir(), name, suffix);
    assert_true(len > 0 && len < PATH_MAX);
    return g_path[n];
}

static int tear_down(void **state)
{
    (void)state;
    pki_forget();
    return 0;
}

static int load(char const *certificate, char const *key, dt_host_key **out)
{
    dt_error e = {0};
    dt_config *c = NULL;
    assert_int_equal(dt_config_new(&c, &e), 0);
    assert_int_equal(
        dt_config_set(c, "test.conf", 1, "device_trust", "host_certificate_file", certificate, &e),
        0);
    assert_int_equal(dt_config_set(c, "test.conf", 2, "device_trust", "host_key_file", key, &e), 0);
    *out = (dt_host_key *)out;
    int const rc = dt_host_key_open(c, out, &e);
    dt_config_free(&c);
    assert_int_equal(rc == 0, *out != NULL);
    assert_int_equal(rc == 0, e.text[0] == '\0');
    if (rc != 0 && e.text[0] != '/' && strstr(e.text, pki_dir()) == NULL)
        fail_msg("does not name the file: %s", e.text);
    return rc;
}

static dt_host_key *load_good(char const *name)
{
    dt_host_key *k = NULL;
    assert_int_equal(load(path(0, name, ".chain.pem"), path(1, name, ".key"), &k), 0);
    return k;
}

static void signs_what_the_core_takes(void **state)
{
    (void)state;
    static char const *const names[] = {"host",        "host-p256",      "device-rsa",
                                        "device-p384", "device-ed25519", "company-rsa"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        dt_host_key *k = load_good(names[i]);
        dt_sign_request r = {.nonce = {9, 8, 7}};
        dt_sign_result out;
        uint8_t storage[DT_SIGNATURE_MAX];
        dt_host_key_sign(k, &r, storage, &out);
        assert_int_equal(out.error, 0);
        assert_string_equal(out.text, "");
        dt_bytes const nonce = dt_bytes_of(r.nonce, sizeof(r.nonce));
        assert_int_equal(dt_x509_verify(out.certificate, nonce, out.signature), 0);
        r.nonce[0] ^= 1;
        assert_int_equal(dt_x509_verify(out.certificate, nonce, out.signature), DT_E_CRYPTO);
        dt_host_key_free(&k);
        assert_null(k);
    }
}

static void gives_the_chain_of_its_file(void **state)
{
    (void)state;
    dt_host_key *k = load_good("device-rsa");
    dt_sign_request const r = {.nonce = {1}};
    dt_sign_result out;
    uint8_t storage[DT_SIGNATURE_MAX];
    dt_buf root, der;
    dt_trust_store *s = NULL;
    dt_guid tenant;
    dt_certificate c;
    dt_host_key_sign(k, &r, storage, &out);
    assert_true(out.chain_count >= 1);
    dt_buf_init(&root, 65536);
    dt_buf_init(&der, 65536);
    pki_read("shared-root.pem", &root);
    pki_read("device-rsa.der", &der);
    assert_true(dt_bytes_equal(out.certificate, dt_buf_bytes(&der)));
    assert_int_equal(dt_trust_store_new(&s), 0);
    assert_int_equal(dt_trust_store_add_pem(s, dt_buf_bytes(&root), true, NULL), 0);
    char const *id = dt_json_string(dt_json_get(pki_index(), "tenant_id"));
    assert_int_equal(dt_guid_parse(dt_bytes_str(id), &tenant), 0);
    assert_int_equal(dt_x509_judge(s, out.certificate, out.chain, out.chain_count, &tenant,
                                   DT_SECONDS(time(NULL)), &c, NULL),
                     DT_REASON_TRUSTED);
    dt_trust_store_free(&s);
    dt_buf_free(&root);
    dt_buf_free(&der);
    dt_host_key_free(&k);
}

static void without_a_key_nothing_is_signed(void **state)
{
    (void)state;
    dt_sign_request const r = {.nonce = {1}};
    dt_sign_result out;
    uint8_t storage[DT_SIGNATURE_MAX];
    dt_host_key_sign(NULL, &r, storage, &out);
    assert_int_equal(out.error, DT_E_NOT_FOUND);
    assert_int_equal(out.certificate.len, 0);
    assert_int_equal(out.signature.len, 0);
    assert_true(out.text[0] != '\0');
    dt_host_key *none = NULL;
    dt_host_key_free(&none);
}

static void refuses_keys_of_others(void **state)
{
    (void)state;
    static char const *const others[] = {"company-rsa", "host-p256", "device-ed25519"};
    dt_host_key *k;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(load(path(0, "host", ".pem"), path(1, others[i], ".key"), &k),
                         DT_E_CRYPTO);
    /* The key of the CA, which stands second in the file. */
    dt_buf both;
    dt_buf_init(&both, 65536);
    pki_read("company-ca.pem", &both);
    pki_read("host.pem", &both);
    pki_write("swapped.pem", dt_buf_bytes(&both), 0644);
    assert_int_equal(load(path(0, "swapped", ".pem"), path(1, "host", ".key"), &k), DT_E_CRYPTO);
    dt_buf_free(&both);
}

static void refuses_weak_keys(void **state)
{
    (void)state;
    dt_host_key *k;
    assert_int_equal(load(path(0, "weak-key", ".pem"), path(1, "weak-key", ".key"), &k),
                     DT_E_CRYPTO);
}

static void refuses_missing_and_damaged_files(void **state)
{
    (void)state;
    dt_host_key *k;
    char const *const good_certificate = path(0, "host", ".pem"),
                      *good_key = path(1, "host", ".key");
    assert_int_equal(load(path(2, "nowhere", ""), good_key, &k), DT_E_NOT_FOUND);
    assert_int_equal(load(good_certificate, path(2, "nowhere", ""), &k), DT_E_NOT_FOUND);
    assert_int_equal(load(good_key, good_key, &k), DT_E_PARSE);
    static char const *const texts[] = {
        "",
        "garbage",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        pki_write("damaged", dt_bytes_str(texts[i]), 0600);
        assert_int_not_equal(load(path(2, "damaged", ""), good_key, &k), 0);
        assert_int_not_equal(load(good_certificate, path(2, "damaged", ""), &k), 0);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void refuses_files_that_others_can_touch(void **state)
{
    (void)state;
    dt_host_key *k;
    char const *const certificate = path(0, "host", ".pem"), *key = path(1, "host", ".key");
    static mode_t const open_to_others[] = {0640, 0604, 0660, 0602, 0644, 0666};
    /* A group of its own, so that it is not the one this process runs in. */
    if (geteuid() == 0)
        assert_int_equal(chown(key, 0, 12345), 0);
    for (size_t i = 0; i < sizeof(open_to_others) / sizeof(open_to_others[0]); i++) {
        assert_int_equal(chmod(key, open_to_others[i]), 0);
        if (geteuid() != 0 && open_to_others[i] == 0640)
            continue;
        assert_int_equal(load(certificate, key, &k), DT_E_PERMISSION);
    }
    assert_int_equal(chmod(key, 0600), 0);
    assert_int_equal(chmod(certificate, 0666), 0);
    assert_int_equal(load(certificate, key, &k), DT_E_PERMISSION);
    assert_int_equal(chmod(certificate, 0644), 0);
    assert_int_equal(load(certificate, key, &k), 0);
    dt_host_key_free(&k);
}

static void refuses_too_many_certificates(void **state)
{
    (void)state;
    dt_host_key *k;
    dt_buf many;
    dt_buf_init(&many, 65536);
    for (int i = 0; i < 9; i++)
        pki_read("host.pem", &many);
    pki_write("many.pem", dt_buf_bytes(&many), 0644);
    assert_int_equal(load(path(0, "many", ".pem"), path(1, "host", ".key"), &k), 0);
    dt_sign_request const r = {.nonce = {1}};
    dt_sign_result out;
    uint8_t storage[DT_SIGNATURE_MAX];
    dt_host_key_sign(k, &r, storage, &out);
    assert_int_equal(out.chain_count, 8);
    dt_host_key_free(&k);
    pki_read("host.pem", &many);
    pki_write("many.pem", dt_buf_bytes(&many), 0644);
    assert_int_equal(load(path(0, "many", ".pem"), path(1, "host", ".key"), &k), DT_E_LIMIT);
    dt_buf_free(&many);
}

#define THREADS 4

static void *sign_often(void *k)
{
    uintptr_t wrong = 0;
    for (uint8_t i = 0; i < 30; i++) {
        dt_sign_request const r = {.nonce = {i}};
        dt_sign_result out;
        uint8_t storage[DT_SIGNATURE_MAX];
        dt_host_key_sign(k, &r, storage, &out);
        wrong +=
            out.error != 0 ||
            dt_x509_verify(out.certificate, dt_bytes_of(r.nonce, DT_NONCE_LEN), out.signature) != 0;
    }
    return (void *)wrong;
}

static void may_be_used_by_many_threads(void **state)
{
    (void)state;
    dt_host_key *k = load_good("host");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_often, k), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    dt_host_key_free(&k);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(signs_what_the_core_takes),
        cmocka_unit_test(gives_the_chain_of_its_file),
        cmocka_unit_test(without_a_key_nothing_is_signed),
        cmocka_unit_test(refuses_keys_of_others),
        cmocka_unit_test(refuses_weak_keys),
        cmocka_unit_test(refuses_missing_and_damaged_files),
        cmocka_unit_test(refuses_files_that_others_can_touch),
        cmocka_unit_test(refuses_too_many_certificates),
        cmocka_unit_test(may_be_used_by_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
