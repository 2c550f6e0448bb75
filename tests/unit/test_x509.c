/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device certificates as the test PKI makes them: every row of its index is judged and the reason
 * compared; then good ones are damaged in every place. */
#include "core/base/crypto.h"
#include "core/device/x509.h"
#include "tests/unit/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define PEM_MAX 65536

/* One device of the index, with its files read. */
typedef struct device {
    char const *name;
    dt_json const *row;
    dt_buf der;
    dt_buf chain_der[DT_CHAIN_MAX];
    dt_bytes chain[DT_CHAIN_MAX];
    size_t chain_count;
} device;

static dt_trust_store *g_anchors; /* company and shared, as a site has them */
static dt_guid g_tenant;
static dt_time g_now;

static char const *text_at(dt_json const *row, char const *name)
{
    return dt_json_string(dt_json_get(row, name));
}

static void load_chain(device *d)
{
    dt_buf pem;
    dt_buf_init(&pem, PEM_MAX);
    pki_read(dt_json_string(dt_json_path(d->row, "files", "chain", NULL)), &pem);
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
    X509 *x = PEM_read_bio_X509(in, NULL, NULL, NULL); /* the leaf */
    for (X509_free(x); (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL; X509_free(x)) {
        assert_true(d->chain_count < DT_CHAIN_MAX);
        dt_buf *der = &d->chain_der[d->chain_count];
        dt_buf_init(der, DT_CERTIFICATE_MAX);
        cert_der(x, der);
        d->chain[d->chain_count++] = dt_buf_bytes(der);
    }
    ERR_clear_error();
    BIO_free(in);
    dt_buf_free(&pem);
}

static device load_row(char const *name, dt_json const *row)
{
    device d = {.name = name, .row = row};
    assert_non_null(row);
    dt_buf_init(&d.der, DT_CERTIFICATE_MAX);
    pki_read(dt_json_string(dt_json_path(row, "files", "der", NULL)), &d.der);
    load_chain(&d);
    return d;
}

static device load_device(char const *name)
{
    return load_row(name, dt_json_path(pki_index(), "devices", name, NULL));
}

static void device_free(device *d)
{
    dt_buf_free(&d->der);
    for (size_t i = 0; i < d->chain_count; i++)
        dt_buf_free(&d->chain_der[i]);
}

static void add_anchors(dt_trust_store *s, char const *file, bool shared)
{
    dt_buf pem;
    dt_error e = {0};
    dt_buf_init(&pem, PEM_MAX);
    pki_read(file, &pem);
    if (dt_trust_store_add_pem(s, dt_buf_bytes(&pem), shared, &e) != 0)
        fail_msg("%s: %s", file, e.text);
    dt_buf_free(&pem);
}

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(dt_guid_parse(dt_bytes_str(text_at(pki_index(), "tenant_id")), &g_tenant), 0);
    assert_int_equal(dt_trust_store_new(&g_anchors), 0);
    add_anchors(g_anchors, "company-ca.pem", false);
    add_anchors(g_anchors, "shared-ca.pem", true);
    assert_int_equal(dt_trust_store_size(g_anchors), 3);
    g_now = DT_SECONDS(time(NULL));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dt_trust_store_free(&g_anchors);
    assert_null(g_anchors);
    pki_forget();
    return 0;
}

static dt_reason judge_at(device const *d, dt_time now, dt_certificate *c, dt_error *e)
{
    *e = (dt_error){0};
    return dt_x509_judge(g_anchors, dt_buf_bytes(&d->der), d->chain, d->chain_count, &g_tenant, now,
                         c, e);
}

static dt_reason judge(device const *d)
{
    dt_certificate c;
    dt_error e;
    return judge_at(d, g_now, &c, &e);
}

/* --- the index ----------------------------------------------------------------------------- */

static void check_fields(device const *d, dt_certificate const *c)
{
    int64_t before = 0, after = 0;
    char const *id = text_at(d->row, "device_id");
    assert_string_equal(c->device_id.text, id != NULL ? id : "");
    if (c->key_id[0] == '\0')
        return; /* was not read that far */
    assert_true(dt_json_integer(dt_json_get(d->row, "not_before"), &before));
    assert_true(dt_json_integer(dt_json_get(d->row, "not_after"), &after));
    assert_int_equal(c->not_before, DT_SECONDS(before));
    assert_int_equal(c->not_after, DT_SECONDS(after));
    assert_string_equal(c->serial + strspn(c->serial, "0"), text_at(d->row, "serial"));
}

static void judges_every_row(void **state)
{
    (void)state;
    dt_json const *devices = dt_json_get(pki_index(), "devices");
    size_t wrong = 0;
    assert_true(dt_json_size(devices) > 40);
    for (size_t i = 0; i < dt_json_size(devices); i++) {
        char const *name;
        dt_certificate c;
        dt_error e;
        dt_json const *row = dt_json_member(devices, i, &name);
        device d = load_row(name, row);
        char const *reason = dt_reason_name(judge_at(&d, g_now, &c, &e));
        if (strcmp(reason, text_at(row, "reason")) != 0) {
            print_error("%s: %s instead of %s (%s)\n", name, reason, text_at(row, "reason"),
                        e.text);
            wrong++;
        } else {
            check_fields(&d, &c);
            assert_int_equal(e.text[0] == '\0', strcmp(reason, "TRUSTED") == 0);
        }
        device_free(&d);
    }
    assert_int_equal(wrong, 0);
}

/* The chain a client sends is needed where only the root is configured, and no further. */
static void builds_the_chain_from_what_was_sent(void **state)
{
    (void)state;
    dt_trust_store *only_root = NULL;
    dt_certificate c;
    dt_error e = {0};
    device d = load_device("device-rsa");
    dt_bytes const der = dt_buf_bytes(&d.der);
    assert_int_equal(dt_trust_store_new(&only_root), 0);
    add_anchors(only_root, "shared-root.pem", true);
    assert_true(d.chain_count > 0);
    assert_int_equal(
        dt_x509_judge(only_root, der, d.chain, d.chain_count, &g_tenant, g_now, &c, &e),
        DT_REASON_TRUSTED);
    assert_int_equal(dt_x509_judge(only_root, der, NULL, 0, &g_tenant, g_now, &c, &e),
                     DT_REASON_UNTRUSTED_ISSUER);
    assert_int_equal(dt_x509_judge(g_anchors, der, NULL, 0, &g_tenant, g_now, &c, &e),
                     DT_REASON_TRUSTED);
    dt_trust_store_free(&only_root);
    device_free(&d);
}

static void knows_its_time(void **state)
{
    (void)state;
    device d = load_device("device-p256");
    dt_certificate c;
    dt_error e;
    assert_int_equal(judge_at(&d, g_now, &c, &e), DT_REASON_TRUSTED);
    dt_time const first = c.not_before, last = c.not_after;
    assert_int_equal(judge_at(&d, first + 1000, &c, &e), DT_REASON_TRUSTED);
    assert_int_equal(judge_at(&d, first - 1000, &c, &e), DT_REASON_CERTIFICATE_NOT_YET_VALID);
    assert_int_equal(judge_at(&d, last - 1000, &c, &e), DT_REASON_TRUSTED);
    assert_int_equal(judge_at(&d, last + 1000, &c, &e), DT_REASON_CERTIFICATE_EXPIRED);
    assert_int_not_equal(judge_at(&d, 0, &c, &e), DT_REASON_TRUSTED);
    /* When the CA itself has ended, the device is not to blame. */
    assert_int_equal(judge_at(&d, DT_TIME_NEVER, &c, &e), DT_REASON_UNTRUSTED_ISSUER);
    device_free(&d);
}

static void compares_the_tenant(void **state)
{
    (void)state;
    dt_certificate c;
    dt_error e;
    dt_guid const unset = {0};
    static struct {
        char const *device;
        dt_reason unconfigured;
    } const cases[] = {
        {"device-rsa", DT_REASON_WRONG_TENANT},
        {"missing-tenant", DT_REASON_WRONG_TENANT},
        {"company-rsa", DT_REASON_WRONG_TENANT}, /* names one, and nobody knows whose */
        {"company-san-only", DT_REASON_TRUSTED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        device d = load_device(cases[i].device);
        dt_bytes const der = dt_buf_bytes(&d.der);
        assert_int_equal(
            dt_x509_judge(g_anchors, der, d.chain, d.chain_count, &unset, g_now, &c, &e),
            cases[i].unconfigured);
        assert_int_equal(dt_x509_judge(g_anchors, der, d.chain, d.chain_count, NULL, g_now, &c, &e),
                         cases[i].unconfigured);
        device_free(&d);
    }
}

static void trusts_nothing_without_anchors(void **state)
{
    (void)state;
    dt_trust_store *none = NULL;
    dt_certificate c;
    dt_error e;
    device d = load_device("company-rsa");
    assert_int_equal(dt_trust_store_new(&none), 0);
    assert_int_equal(
        dt_x509_judge(none, dt_buf_bytes(&d.der), d.chain, d.chain_count, &g_tenant, g_now, &c, &e),
        DT_REASON_UNTRUSTED_ISSUER);
    assert_int_equal(
        dt_x509_judge(NULL, dt_buf_bytes(&d.der), d.chain, d.chain_count, &g_tenant, g_now, &c, &e),
        DT_REASON_UNTRUSTED_ISSUER);
    dt_trust_store_free(&none);
    device_free(&d);
}

/* --- reading ------------------------------------------------------------------------------- */

static void reads_names_and_keys(void **state)
{
    (void)state;
    device d = load_device("device-rsa");
    dt_certificate c;
    unsigned char *spki = NULL;
    uint8_t digest[DT_SHA256_LEN];
    char expected[65];
    unsigned char const *p = d.der.p;
    assert_int_equal(dt_x509_read(dt_buf_bytes(&d.der), &c, NULL), 0);
    X509 *x = d2i_X509(NULL, &p, (long)d.der.len);
    int const len = i2d_PUBKEY(X509_get0_pubkey(x), &spki);
    assert_true(len > 0);
    assert_int_equal(dt_crypto_sha256(dt_bytes_of(spki, (size_t)len), digest), 0);
    dt_hex(expected, digest, sizeof(digest));
    assert_string_equal(c.key_id, expected);
    assert_string_equal(c.issuer, "CN=Microsoft Intune MDM Device CA");
    assert_memory_equal(c.subject, "CN=", 3);
    assert_string_equal(c.subject + 3, c.device_id.text);
    assert_string_equal(c.tenant_id.text, g_tenant.text);
    OPENSSL_free(spki);
    X509_free(x);
    device_free(&d);
}

static void reading_refuses_what_contradicts_itself(void **state)
{
    (void)state;
    static char const *const bad[] = {"cn-san-disagree", "san-two-ids",  "san-nul",
                                      "san-garbage",     "san-nil-guid", "garbage-tenant",
                                      "extension-short", "san-not-text", "san-comma-two-ids"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        device d = load_device(bad[i]);
        dt_certificate c;
        dt_error e = {0};
        assert_int_equal(dt_x509_read(dt_buf_bytes(&d.der), &c, &e), DT_E_PARSE);
        assert_true(e.text[0] != '\0');
        device_free(&d);
    }
    /* Saying nothing is no contradiction. */
    device d = load_device("no-device-id");
    dt_certificate c;
    assert_int_equal(dt_x509_read(dt_buf_bytes(&d.der), &c, NULL), 0);
    assert_false(dt_guid_is_set(&c.device_id));
    device_free(&d);
}

/* --- damage -------------------------------------------------------------------------------- */

static void refuses_every_changed_byte(void **state)
{
    (void)state;
    static char const *const names[] = {"device-rsa", "company-san-only"};
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
        device d = load_device(names[n]);
        assert_int_equal(judge(&d), DT_REASON_TRUSTED);
        for (size_t i = 0; i < d.der.len; i++) {
            uint8_t const was = d.der.p[i];
            for (unsigned change = 0; change < 3; change++) {
                d.der.p[i] = (uint8_t)(was ^ (change == 0 ? 0x01 : change == 1 ? 0x80 : 0xff));
                if (judge(&d) == DT_REASON_TRUSTED)
                    fail_msg("%s is trusted with byte %zu changed", names[n], i);
            }
            d.der.p[i] = was;
        }
        assert_int_equal(judge(&d), DT_REASON_TRUSTED);
        device_free(&d);
    }
}

static void refuses_every_other_length(void **state)
{
    (void)state;
    device d = load_device("company-rsa");
    dt_certificate c;
    for (size_t len = 0; len < d.der.len; len++) {
        uint8_t *copy = test_malloc(len + 1);
        memcpy(copy, d.der.p, len);
        assert_int_equal(
            dt_x509_judge(g_anchors, dt_bytes_of(copy, len), NULL, 0, &g_tenant, g_now, &c, NULL),
            DT_REASON_CERTIFICATE_INVALID);
        assert_int_equal(dt_x509_read(dt_bytes_of(copy, len), &c, NULL), DT_E_PARSE);
        test_free(copy);
    }
    dt_buf_putc(&d.der, '\0');
    assert_int_equal(judge(&d), DT_REASON_CERTIFICATE_INVALID);
    device_free(&d);
}

static void refuses_what_is_too_large(void **state)
{
    (void)state;
    device d = load_device("company-rsa");
    dt_certificate c;
    dt_buf big;
    dt_buf_init(&big, 2 * DT_CERTIFICATE_MAX);
    dt_buf_put(&big, d.der.p, d.der.len);
    while (big.len <= DT_CERTIFICATE_MAX)
        dt_buf_putc(&big, '\0');
    assert_int_equal(dt_x509_read(dt_buf_bytes(&big), &c, NULL), DT_E_LIMIT);
    assert_int_equal(dt_x509_verify(dt_buf_bytes(&big), dt_bytes_str("m"), dt_bytes_str("s")),
                     DT_E_CRYPTO);
    dt_buf_free(&big);
    device_free(&d);
}

static void refuses_a_bad_chain(void **state)
{
    (void)state;
    device d = load_device("device-rsa");
    dt_bytes const der = dt_buf_bytes(&d.der);
    dt_bytes many[DT_CHAIN_MAX + 1], garbage = dt_bytes_str("garbage");
    dt_certificate c;
    dt_error e = {0};
    for (size_t i = 0; i <= DT_CHAIN_MAX; i++)
        many[i] = d.chain[0];
    assert_int_equal(dt_x509_judge(g_anchors, der, many, DT_CHAIN_MAX, &g_tenant, g_now, &c, &e),
                     DT_REASON_TRUSTED);
    assert_int_equal(
        dt_x509_judge(g_anchors, der, many, DT_CHAIN_MAX + 1, &g_tenant, g_now, &c, &e),
        DT_REASON_CERTIFICATE_INVALID);
    many[1] = garbage;
    assert_int_equal(dt_x509_judge(g_anchors, der, many, 2, &g_tenant, g_now, &c, &e),
                     DT_REASON_CERTIFICATE_INVALID);
    assert_non_null(strstr(e.text, "intermediate 2"));
    device_free(&d);
}

/* --- the process we are in ----------------------------------------------------------------- */

/* A server whose module we are reads its own errors from this queue: ours must not be in it, and
 * its own must stay. */
static void leaves_the_error_queue_alone(void **state)
{
    (void)state;
    static char const *const names[] = {"device-rsa", "foreign-ca", "san-garbage"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        device d = load_device(names[i]);
        ERR_clear_error();
        (void)judge(&d);
        assert_int_equal(dt_x509_verify(dt_buf_bytes(&d.der), dt_bytes_str("m"), dt_bytes_str("s")),
                         DT_E_CRYPTO);
        assert_int_equal(ERR_peek_error(), 0);
        ERR_put_error(ERR_LIB_SSL, 0, 42, "server.c", 1);
        (void)judge(&d);
        d.der.p[5] ^= 0xff;
        (void)judge(&d);
        assert_int_equal(ERR_GET_REASON(ERR_get_error()), 42);
        assert_int_equal(ERR_get_error(), 0);
        device_free(&d);
    }
}

#define THREADS 4
#define ROUNDS 50

static void *judge_often(void *good_and_bad)
{
    device const *d = good_and_bad;
    uintptr_t wrong = 0;
    for (int i = 0; i < ROUNDS; i++)
        wrong += (judge(&d[0]) != DT_REASON_TRUSTED) + (judge(&d[1]) == DT_REASON_TRUSTED);
    return (void *)wrong;
}

static void may_be_used_by_many_threads(void **state)
{
    (void)state;
    device d[2] = {load_device("device-p256"), load_device("wrong-tenant")};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, judge_often, d), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    device_free(&d[0]);
    device_free(&d[1]);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(judges_every_row),
        cmocka_unit_test(builds_the_chain_from_what_was_sent),
        cmocka_unit_test(knows_its_time),
        cmocka_unit_test(compares_the_tenant),
        cmocka_unit_test(trusts_nothing_without_anchors),
        cmocka_unit_test(reads_names_and_keys),
        cmocka_unit_test(reading_refuses_what_contradicts_itself),
        cmocka_unit_test(refuses_every_changed_byte),
        cmocka_unit_test(refuses_every_other_length),
        cmocka_unit_test(refuses_what_is_too_large),
        cmocka_unit_test(refuses_a_bad_chain),
        cmocka_unit_test(leaves_the_error_queue_alone),
        cmocka_unit_test(may_be_used_by_many_threads),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
