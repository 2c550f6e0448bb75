/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Revocation lists: which are taken, and what they say of a certificate, in each mode. */
#include "core/device/x509.h"
#include "tests/unit/pki.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define DEVICE "IntuneDeviceId://0f6c1f0a-1111-4222-8333-000000000001"
#define HOUR 3600L
#define URI "http://crl.example.com/part1.crl"

typedef struct world {
    dt_trust_store *store;
    EVP_PKEY *ca_key, *leaf_key, *sub_key;
    X509 *ca, *leaf, *sub; /* sub: a CA between; NULL when there is none */
    dt_certificate cert;
    dt_error e;
} world;

typedef struct list_spec {
    X509 *issuer;
    EVP_PKEY *key;
    long from, to; /* seconds from CERT_NOW; to = 0: no nextUpdate */
    X509 *revoked; /* NULL: nobody */
    char const *idp, *delta;
} list_spec;

static X509 *make_ca(EVP_PKEY *key, char const *cn, char const *usage, X509 *issuer,
                     EVP_PKEY *issuer_key)
{
    cert_spec spec = {.cn = cn,
                      .key = key,
                      .issuer = issuer,
                      .issuer_key = issuer_key,
                      .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                     {"keyUsage", usage},
                                     {"subjectKeyIdentifier", "hash"}}};
    return cert_make(&spec);
}

static X509 *make_leaf(world *w, char const *points)
{
    cert_spec spec = {.cn = "laptop",
                      .key = w->leaf_key,
                      .issuer = w->sub != NULL ? w->sub : w->ca,
                      .issuer_key = w->sub != NULL ? w->sub_key : w->ca_key,
                      .extensions = {{"subjectAltName", "URI:" DEVICE},
                                     {"extendedKeyUsage", "clientAuth"},
                                     {"basicConstraints", "CA:FALSE"},
                                     {points != NULL ? "crlDistributionPoints" : NULL, points}}};
    return cert_make(&spec);
}

static void open_world(world *w, char const *ca_usage, bool with_sub, char const *points)
{
    dt_buf pem;

    *w = (world){.ca_key = cert_key("P-256"), .leaf_key = cert_key("P-256")};
    assert_int_equal(dt_trust_store_new(&w->store), 0);
    w->ca = make_ca(w->ca_key, "Device CA", ca_usage, NULL, NULL);
    if (with_sub) {
        w->sub_key = cert_key("P-256");
        w->sub = make_ca(w->sub_key, "Sub CA", "critical,keyCertSign,cRLSign", w->ca, w->ca_key);
    }
    w->leaf = make_leaf(w, points);
    dt_buf_init(&pem, 65536);
    cert_pem(w->ca, &pem);
    assert_int_equal(dt_trust_store_add_pem(w->store, dt_buf_bytes(&pem), false, &w->e), 0);
    dt_buf_free(&pem);
}

static void close_world(world *w)
{
    dt_trust_store_free(&w->store);
    X509_free(w->ca);
    X509_free(w->sub);
    X509_free(w->leaf);
    EVP_PKEY_free(w->ca_key);
    EVP_PKEY_free(w->sub_key);
    EVP_PKEY_free(w->leaf_key);
}

/* --- making lists ------------------------------------------------------------------------------- */

static void add_extension(X509_CRL *crl, char const *name, char const *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    if (value == NULL)
        return;
    X509V3_set_ctx(&ctx, NULL, NULL, NULL, crl, 0);
    ext = X509V3_EXT_nconf(NULL, &ctx, name, value);
    assert_non_null(ext);
    assert_int_equal(X509_CRL_add_ext(crl, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static void revoke(X509_CRL *crl, X509 *x)
{
    X509_REVOKED *row = X509_REVOKED_new();
    ASN1_TIME *when = ASN1_TIME_set(NULL, CERT_NOW - HOUR);

    assert_int_equal(X509_REVOKED_set_serialNumber(row, X509_get_serialNumber(x)), 1);
    assert_int_equal(X509_REVOKED_set_revocationDate(row, when), 1);
    assert_int_equal(X509_CRL_add0_revoked(crl, row), 1);
    ASN1_TIME_free(when);
}

static void set_time(X509_CRL *crl, int (*set)(X509_CRL *, ASN1_TIME const *), long seconds)
{
    ASN1_TIME *t = ASN1_TIME_set(NULL, CERT_NOW + seconds);

    assert_int_equal(set(crl, t), 1);
    ASN1_TIME_free(t);
}

static X509_CRL *make_list(list_spec const *spec)
{
    X509_CRL *crl = X509_CRL_new();

    assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(spec->issuer)), 1);
    set_time(crl, X509_CRL_set1_lastUpdate, spec->from);
    if (spec->to != 0)
        set_time(crl, X509_CRL_set1_nextUpdate, spec->to);
    add_extension(crl, "issuingDistributionPoint", spec->idp);
    if (spec->delta != NULL) {
        ASN1_INTEGER *base = ASN1_INTEGER_new();
        assert_int_equal(ASN1_INTEGER_set(base, 1), 1);
        assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0), 1);
        ASN1_INTEGER_free(base);
    }
    if (spec->revoked != NULL)
        revoke(crl, spec->revoked);
    assert_true(X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, spec->key, EVP_sha256()) > 0);
    return crl;
}

static void put_pem(X509_CRL *crl, dt_buf *out)
{
    BIO *mem = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;

    assert_int_equal(PEM_write_bio_X509_CRL(mem, crl), 1);
    len = BIO_get_mem_data(mem, &text);
    dt_buf_put(out, text, (size_t)len);
    BIO_free(mem);
}

static int add_list(world *w, list_spec const *spec)
{
    X509_CRL *crl = make_list(spec);
    dt_buf pem;
    int rc;

    dt_buf_init(&pem, 1 << 20);
    put_pem(crl, &pem);
    w->e = (dt_error){0};
    rc = dt_trust_store_add_crls(w->store, dt_buf_bytes(&pem), &w->e);
    assert_int_equal(rc == 0, w->e.text[0] == '\0');
    dt_buf_free(&pem);
    X509_CRL_free(crl);
    return rc;
}

static list_spec of_ca(world const *w)
{
    return (list_spec){.issuer = w->ca, .key = w->ca_key, .from = -HOUR, .to = HOUR};
}

static dt_reason judge(world *w, dt_revocation mode)
{
    dt_buf der, sub;
    dt_bytes sent[1];
    dt_reason reason;

    dt_trust_store_set_revocation(w->store, mode);
    dt_buf_init(&der, DT_CERTIFICATE_MAX);
    dt_buf_init(&sub, DT_CERTIFICATE_MAX);
    cert_der(w->leaf, &der);
    if (w->sub != NULL)
        cert_der(w->sub, &sub);
    sent[0] = dt_buf_bytes(&sub);
    w->e = (dt_error){0};
    reason = dt_x509_judge(w->store, dt_buf_bytes(&der), sent, w->sub != NULL, NULL,
                           DT_SECONDS((dt_time)CERT_NOW), &w->cert, &w->e);
    dt_buf_free(&der);
    dt_buf_free(&sub);
    return reason;
}

static void assert_modes(world *w, dt_reason require, dt_reason soft, bool not_checked)
{
    assert_int_equal(judge(w, DT_REVOCATION_REQUIRE), require);
    assert_int_equal(judge(w, DT_REVOCATION_SOFT), soft);
    assert_int_equal(w->cert.not_checked, not_checked);
    assert_int_equal(w->e.text[0] != '\0', not_checked || soft != DT_REASON_TRUSTED);
    assert_int_equal(judge(w, DT_REVOCATION_OFF), DT_REASON_TRUSTED);
    assert_false(w->cert.not_checked);
}

#define ANY "critical,keyCertSign,cRLSign"
#define NO_ANSWER DT_REASON_LOOKUP_UNAVAILABLE, DT_REASON_TRUSTED, true
#define GOOD DT_REASON_TRUSTED, DT_REASON_TRUSTED, false
#define REVOKED DT_REASON_CERTIFICATE_REVOKED, DT_REASON_CERTIFICATE_REVOKED, false

/* --- what lists say ----------------------------------------------------------------------------- */

static void test_answers(void **state)
{
    world w;
    list_spec spec;

    (void)state;
    open_world(&w, ANY, false, NULL);
    assert_modes(&w, NO_ANSWER);
    assert_true(dt_trust_store_crls_expire(w.store) == DT_TIME_NEVER);
    spec = of_ca(&w);
    assert_int_equal(add_list(&w, &spec), 0);
    assert_true(dt_trust_store_crls_expire(w.store) == DT_SECONDS((dt_time)CERT_NOW) + DT_HOURS(1));
    assert_modes(&w, GOOD);
    /* Any list that has it. */
    spec.revoked = w.leaf;
    assert_int_equal(add_list(&w, &spec), 0);
    assert_modes(&w, REVOKED);
    assert_int_equal(dt_trust_store_crl_count(w.store), 2);
    close_world(&w);
}

static void test_other_certificates_do_not_matter(void **state)
{
    world w;
    list_spec spec;

    (void)state;
    open_world(&w, ANY, false, NULL);
    spec = of_ca(&w);
    spec.revoked = w.ca; /* another serial number */
    assert_int_equal(add_list(&w, &spec), 0);
    assert_modes(&w, GOOD);
    close_world(&w);
}

static void test_times(void **state)
{
    static struct {
        long from, to;
        bool current;
    } const cases[] = {
        {-2 * HOUR, -HOUR, false},     {-2 * HOUR, -301, false}, {-2 * HOUR, -299, true},
        {HOUR, 2 * HOUR, false},       {301, HOUR, false},       {299, HOUR, true},
        {-24 * HOUR, 24 * HOUR, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world w;
        list_spec spec;

        open_world(&w, ANY, false, NULL);
        spec = of_ca(&w);
        spec.from = cases[i].from;
        spec.to = cases[i].to;
        assert_int_equal(add_list(&w, &spec), 0);
        if (cases[i].current) {
            assert_modes(&w, GOOD);
        } else {
            assert_modes(&w, NO_ANSWER);
            (void)judge(&w, DT_REVOCATION_REQUIRE);
            assert_non_null(strstr(w.e.text, "out of date"));
        }
        /* An old list still knows who was revoked. */
        spec.revoked = w.leaf;
        assert_int_equal(add_list(&w, &spec), 0);
        assert_modes(&w, REVOKED);
        close_world(&w);
    }
}

static void test_chains(void **state)
{
    world w;
    list_spec spec;

    (void)state;
    /* Between leaf and anchor there is a CA, whose own lists nobody configured. */
    open_world(&w, ANY, true, NULL);
    spec = of_ca(&w);
    assert_int_equal(add_list(&w, &spec), 0);
    assert_modes(&w, NO_ANSWER);
    assert_int_equal(judge(&w, DT_REVOCATION_REQUIRE), DT_REASON_LOOKUP_UNAVAILABLE);
    assert_non_null(strstr(w.e.text, "laptop"));
    /* A list signed by it cannot be checked until it is configured itself. */
    spec = (list_spec){.issuer = w.sub, .key = w.sub_key, .from = -HOUR, .to = HOUR};
    assert_int_equal(add_list(&w, &spec), DT_E_INVALID);
    spec = of_ca(&w);
    spec.revoked = w.sub;
    assert_int_equal(add_list(&w, &spec), 0);
    assert_modes(&w, REVOKED);
    close_world(&w);
}

static void test_parts(void **state)
{
    static struct {
        char const *points;
        bool meets;
    } const cases[] = {
        {"URI:" URI, true},
        {"URI:http://other.example.com/x.crl, URI:" URI, true},
        {"URI:http://crl.example.com/part2.crl", false},
        {NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world w;
        list_spec spec;

        open_world(&w, ANY, false, cases[i].points);
        spec = of_ca(&w);
        spec.idp = "critical,fullname:URI:" URI;
        assert_int_equal(add_list(&w, &spec), 0);
        if (cases[i].meets)
            assert_modes(&w, GOOD);
        else
            assert_modes(&w, NO_ANSWER);
        close_world(&w);
    }
}

/* --- which lists are taken ---------------------------------------------------------------------- */

static void assert_refused(world *w, list_spec const *spec, char const *says)
{
    assert_int_equal(add_list(w, spec), DT_E_INVALID);
    if (strstr(w->e.text, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", w->e.text, says);
    assert_int_equal(dt_trust_store_crl_count(w->store), 0);
}

static void test_refused(void **state)
{
    world w;
    list_spec spec;
    EVP_PKEY *foreign = cert_key("P-256");

    (void)state;
    open_world(&w, ANY, false, NULL);
    spec = of_ca(&w);
    spec.key = foreign;
    assert_refused(&w, &spec, "signed by none of the configured CAs");
    spec = of_ca(&w);
    spec.issuer = w.leaf;
    assert_refused(&w, &spec, "signed by none of the configured CAs");
    spec = of_ca(&w);
    spec.to = 0;
    assert_refused(&w, &spec, "nextUpdate");
    spec = of_ca(&w);
    spec.delta = "1";
    assert_refused(&w, &spec, "delta");
    spec = of_ca(&w);
    spec.idp = "critical,indirectCRL:TRUE";
    assert_refused(&w, &spec, "indirect");
    spec.idp = "critical,onlyCA:TRUE";
    assert_refused(&w, &spec, "devices");
    spec.idp = "critical,onlysomereasons:keyCompromise";
    assert_refused(&w, &spec, "reasons");
    close_world(&w);
    open_world(&w, "critical,keyCertSign", false, NULL); /* it may not sign lists */
    spec = of_ca(&w);
    assert_refused(&w, &spec, "signed by none of the configured CAs");
    close_world(&w);
    EVP_PKEY_free(foreign);
}

static void test_forms(void **state)
{
    world w;
    list_spec spec;
    X509_CRL *crl;
    unsigned char *der = NULL;
    dt_buf text;
    int len;

    (void)state;
    open_world(&w, ANY, false, NULL);
    spec = of_ca(&w);
    crl = make_list(&spec);
    len = i2d_X509_CRL(crl, &der);
    assert_true(len > 0);
    assert_int_equal(dt_trust_store_add_crls(w.store, dt_bytes_of(der, (size_t)len), &w.e), 0);
    for (int i = 0; i < len; i++) /* cut anywhere */
        assert_true(dt_trust_store_add_crls(w.store, dt_bytes_of(der, (size_t)i), &w.e) < 0);
    for (int i = 0; i < len; i += 3) { /* changed anywhere: refused, or another list of the CA's */
        der[i] ^= 0x20;
        assert_true(dt_trust_store_add_crls(w.store, dt_bytes_of(der, (size_t)len), &w.e) < 0);
        der[i] ^= 0x20;
    }
    assert_int_equal(dt_trust_store_crl_count(w.store), 1);
    dt_buf_init(&text, 1 << 20);
    put_pem(crl, &text);
    put_pem(crl, &text);
    assert_int_equal(dt_trust_store_add_crls(w.store, dt_buf_bytes(&text), &w.e), 0);
    assert_int_equal(dt_trust_store_crl_count(w.store), 3);
    text.p[text.len / 2 + 60] = '!'; /* the second is damaged: neither is taken */
    assert_int_equal(dt_trust_store_add_crls(w.store, dt_buf_bytes(&text), &w.e), DT_E_PARSE);
    assert_int_equal(dt_trust_store_crl_count(w.store), 3);
    dt_buf_reset(&text);
    cert_pem(w.ca, &text);
    assert_int_equal(dt_trust_store_add_crls(w.store, dt_buf_bytes(&text), &w.e), DT_E_PARSE);
    assert_true(dt_trust_store_add_crls(w.store, dt_bytes_str("nothing"), &w.e) < 0);
    dt_buf_free(&text);
    OPENSSL_free(der);
    X509_CRL_free(crl);
    close_world(&w);
}

static void test_too_many(void **state)
{
    world w;
    list_spec spec;

    (void)state;
    open_world(&w, ANY, false, NULL);
    spec = of_ca(&w);
    for (int i = 0; i < DT_CRLS_MAX; i++)
        assert_int_equal(add_list(&w, &spec), 0);
    assert_int_equal(add_list(&w, &spec), DT_E_LIMIT);
    assert_int_equal(dt_trust_store_crl_count(w.store), DT_CRLS_MAX);
    close_world(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_answers), cmocka_unit_test(test_other_certificates_do_not_matter),
        cmocka_unit_test(test_times),   cmocka_unit_test(test_chains),
        cmocka_unit_test(test_parts),   cmocka_unit_test(test_refused),
        cmocka_unit_test(test_forms),   cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
