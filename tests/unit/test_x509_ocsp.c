/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OCSP: when a responder is asked about a certificate, what is asked, and which answers count. Every
 * answer is made by OpenSSL here, each with one thing wrong. */
#include "core/device/x509.h"
#include "tests/unit/pki.h"

#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE "IntuneDeviceId://0f6c1f0a-1111-4222-8333-000000000001"
#define NOW DT_SECONDS((dt_time)CERT_NOW)
#define HOUR 3600L
#define DAY (24 * HOUR)
#define URL "http://ocsp.example.com/q"
#define FULL "critical,keyCertSign,cRLSign"

typedef struct pair {
    EVP_PKEY *key;
    X509 *x;
} pair;

typedef struct world {
    dt_trust_store *store;
    pair ca, sub, other_ca, leaf, sister;
    bool with_sub;
    dt_ocsp_question q;
    dt_certificate cert;
    dt_error e;
} world;

static void pair_free(pair *p)
{
    X509_free(p->x);
    EVP_PKEY_free(p->key);
}

static pair make_ca(char const *cn, pair const *above)
{
    pair p = {.key = cert_key("P-256")};
    cert_spec spec = {.cn = cn,
                      .key = p.key,
                      .issuer = above != NULL ? above->x : NULL,
                      .issuer_key = above != NULL ? above->key : NULL,
                      .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                     {"keyUsage", FULL},
                                     {"subjectKeyIdentifier", "hash"}}};

    p.x = cert_make(&spec);
    return p;
}

static pair make_leaf(pair const *issuer, char const *aia)
{
    pair p = {.key = cert_key("P-256")};
    cert_spec spec = {.cn = "laptop",
                      .key = p.key,
                      .issuer = issuer->x,
                      .issuer_key = issuer->key,
                      .extensions = {{"subjectAltName", "URI:" DEVICE},
                                     {"extendedKeyUsage", "clientAuth"},
                                     {"basicConstraints", "CA:FALSE"},
                                     {aia != NULL ? "authorityInfoAccess" : NULL, aia}}};

    p.x = cert_make(&spec);
    return p;
}

static pair make_responder(pair const *issuer, char const *eku, char const *basic,
                           char const *usage, long starts, long ends)
{
    pair p = {.key = cert_key("P-256")};
    cert_spec spec = {.cn = "responder",
                      .key = p.key,
                      .issuer = issuer->x,
                      .issuer_key = issuer->key,
                      .starts = starts,
                      .ends = ends,
                      .extensions = {{"basicConstraints", basic},
                                     {"keyUsage", usage},
                                     {eku != NULL ? "extendedKeyUsage" : NULL, eku}}};

    p.x = cert_make(&spec);
    return p;
}

static void trust(world *w, X509 *ca)
{
    dt_buf pem;

    dt_buf_init(&pem, 65536);
    cert_pem(ca, &pem);
    assert_int_equal(dt_trust_store_add_pem(w->store, dt_buf_bytes(&pem), false, &w->e), 0);
    dt_buf_free(&pem);
}

static void set_rules(world *w, bool on, char const *url)
{
    dt_ocsp_rules rules = {.on = on, .max_age = DT_DAYS(10)};

    assert_int_equal(dt_str_copy(rules.url, sizeof(rules.url), url), 0);
    assert_int_equal(dt_trust_store_set_ocsp(w->store, &rules), 0);
}

static void open_world(world *w, bool with_sub, char const *aia)
{
    *w = (world){.with_sub = with_sub};
    assert_int_equal(dt_trust_store_new(&w->store), 0);
    w->ca = make_ca("Device CA", NULL);
    w->other_ca = make_ca("Other CA", NULL);
    w->sub = make_ca("Sub CA", &w->ca);
    w->leaf = make_leaf(with_sub ? &w->sub : &w->ca, aia);
    w->sister = make_leaf(with_sub ? &w->sub : &w->ca, aia);
    trust(w, w->ca.x);
    trust(w, w->other_ca.x);
    set_rules(w, true, "");
    dt_trust_store_set_revocation(w->store, DT_REVOCATION_REQUIRE);
}

static void close_world(world *w)
{
    dt_trust_store_free(&w->store);
    pair_free(&w->ca);
    pair_free(&w->sub);
    pair_free(&w->other_ca);
    pair_free(&w->leaf);
    pair_free(&w->sister);
}

/* Judges the leaf; the question, if there is one, is in w->q. */
static dt_reason judge_at(world *w, bool online, dt_time now)
{
    dt_buf der, sub;
    dt_bytes sent[1];
    dt_reason reason;

    dt_buf_init(&der, DT_CERTIFICATE_MAX);
    dt_buf_init(&sub, DT_CERTIFICATE_MAX);
    cert_der(w->leaf.x, &der);
    cert_der(w->sub.x, &sub);
    sent[0] = dt_buf_bytes(&sub);
    w->e = (dt_error){0};
    memset(&w->q, 0x5a, sizeof(w->q));
    reason = dt_x509_judge_online(w->store, dt_buf_bytes(&der), sent, w->with_sub, NULL, now,
                                  &w->cert, online ? &w->q : NULL, &w->e);
    dt_buf_free(&der);
    dt_buf_free(&sub);
    return reason;
}

static void ask(world *w)
{
    assert_int_equal(judge_at(w, true, NOW), DT_REASON_LOOKUP_UNAVAILABLE);
    assert_true(w->q.open);
}

/* --- when a responder is asked ------------------------------------------------------------------ */

#define AIA "OCSP;URI:" URL

static void test_asked(void **state)
{
    world w;

    (void)state;
    open_world(&w, false, AIA);
    ask(&w);
    assert_string_equal(w.q.url, URL);
    assert_int_equal(strlen(w.q.key), 64);
    assert_int_equal(w.q.otherwise, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_false(w.q.unchecked || w.q.above_unchecked || w.q.listed);
    assert_true(w.cert.key_id[0] != '\0');
    dt_trust_store_set_revocation(w.store, DT_REVOCATION_SOFT);
    ask(&w);
    assert_int_equal(w.q.otherwise, DT_REASON_TRUSTED);
    assert_true(w.q.unchecked && !w.q.above_unchecked);
    /* The configured one goes before the certificate's. */
    set_rules(&w, true, "https://ocsp.corp.example/");
    ask(&w);
    assert_string_equal(w.q.url, "https://ocsp.corp.example/");
    close_world(&w);
}

/* Who cannot ask goes by everything else, and never by the hope that it is good. */
static void test_not_asked_offline(void **state)
{
    world w;

    (void)state;
    open_world(&w, false, AIA);
    assert_int_equal(judge_at(&w, false, NOW), DT_REASON_LOOKUP_UNAVAILABLE);
    dt_trust_store_set_revocation(w.store, DT_REVOCATION_SOFT);
    assert_int_equal(judge_at(&w, false, NOW), DT_REASON_TRUSTED);
    assert_true(w.cert.not_checked);
    close_world(&w);
}

static void assert_not_asked(world *w, dt_reason reason, dt_time now)
{
    assert_int_equal(judge_at(w, true, now), reason);
    assert_false(w->q.open);
}

/* Neither where it is off, nor about a certificate that is refused anyway. */
static void test_not_asked(void **state)
{
    world w;
    cert_spec foreign = {.cn = "x",
                         .extensions = {{"subjectAltName", "URI:" DEVICE},
                                        {"extendedKeyUsage", "clientAuth"},
                                        {"authorityInfoAccess", AIA}}};

    (void)state;
    open_world(&w, false, AIA);
    set_rules(&w, false, "");
    assert_not_asked(&w, DT_REASON_LOOKUP_UNAVAILABLE, NOW);
    set_rules(&w, true, "");
    dt_trust_store_set_revocation(w.store, DT_REVOCATION_OFF);
    assert_not_asked(&w, DT_REASON_TRUSTED, NOW);
    dt_trust_store_set_revocation(w.store, DT_REVOCATION_REQUIRE);
    /* A certificate without the usage, of another CA, and so on. */
    X509_free(w.leaf.x);
    foreign.key = w.leaf.key;
    w.leaf.x = cert_make(&foreign);
    assert_not_asked(&w, DT_REASON_UNTRUSTED_ISSUER, NOW);
    X509_free(w.leaf.x);
    foreign.issuer = w.ca.x;
    foreign.issuer_key = w.ca.key;
    foreign.extensions[1].value = "serverAuth";
    w.leaf.x = cert_make(&foreign);
    assert_not_asked(&w, DT_REASON_CERTIFICATE_INVALID, NOW);
    foreign.extensions[1].value = "clientAuth";
    foreign.starts = -2 * DAY;
    foreign.ends = -DAY;
    X509_free(w.leaf.x);
    w.leaf.x = cert_make(&foreign);
    assert_not_asked(&w, DT_REASON_CERTIFICATE_EXPIRED, NOW);
    foreign.starts = foreign.ends = 0;
    foreign.extensions[3] =
        (cert_extension){"1.2.840.113556.5.14", "DER:0410000102030405060708090a0b0c0d0e0f"};
    X509_free(w.leaf.x);
    w.leaf.x = cert_make(&foreign);
    assert_not_asked(&w, DT_REASON_WRONG_TENANT, NOW);
    close_world(&w);
}

static void test_url(void **state)
{
    static struct {
        char const *aia, *url;
    } const cases[] = {
        {NULL, NULL},
        {"caIssuers;URI:http://ca.example/ca.der", NULL},
        {"OCSP;URI:ldap://x/y", NULL},
        {"OCSP;URI:ftp://x/", NULL},
        {"OCSP;URI:file:///etc/passwd", NULL},
        {"OCSP;URI:http://user:secret@x.example/", NULL},
        {"OCSP;URI:http:///x", NULL},
        {"OCSP;URI:http://x.example/a/../b", NULL},
        {"OCSP;URI:http://x.example:99999/", NULL},
        {"OCSP;URI:http://x.example/#part", NULL},
        {"OCSP;email:a@example.com", NULL},
        {"OCSP;URI:ldap://x/y,OCSP;URI:https://two.example/o,OCSP;URI:http://three.example/",
         "https://two.example/o"},
        {"caIssuers;URI:http://ca.example/,OCSP;URI:http://[2001:db8::1]:8080/o",
         "http://[2001:db8::1]:8080/o"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world w;
        open_world(&w, false, cases[i].aia);
        if (cases[i].url != NULL) {
            ask(&w);
            assert_string_equal(w.q.url, cases[i].url);
        } else {
            assert_not_asked(&w, DT_REASON_LOOKUP_UNAVAILABLE, NOW);
            assert_non_null(strstr(w.e.text, "ocsp_url"));
        }
        close_world(&w);
    }
}

static void test_url_too_long(void **state)
{
    char aia[DT_OCSP_URL_MAX + 64] = "OCSP;URI:http://x.example/";
    world w;

    (void)state;
    memset(aia + strlen(aia), 'a', DT_OCSP_URL_MAX);
    open_world(&w, false, aia);
    assert_not_asked(&w, DT_REASON_LOOKUP_UNAVAILABLE, NOW);
    close_world(&w);
    assert_false(dt_ocsp_url_is_usable(NULL));
    assert_false(dt_ocsp_url_is_usable(""));
    assert_true(dt_ocsp_url_is_usable("http://a"));
}

/* CAs go by lists alone: where nothing is known of one, it is no use to ask about the device. */
static void test_intermediate(void **state)
{
    world w;

    (void)state;
    open_world(&w, true, AIA);
    assert_not_asked(&w, DT_REASON_LOOKUP_UNAVAILABLE, NOW);
    assert_non_null(strstr(w.e.text, "Sub CA"));
    dt_trust_store_set_revocation(w.store, DT_REVOCATION_SOFT);
    ask(&w);
    assert_true(w.q.unchecked && w.q.above_unchecked);
    dt_trust_store_set_revocation(w.store, DT_REVOCATION_REQUIRE);
    trust(&w, w.sub.x); /* the company's word for it */
    ask(&w);
    assert_false(w.q.unchecked || w.q.above_unchecked);
    close_world(&w);
}

static void add_crl(world *w, X509 *revoked, long to)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_set(NULL, CERT_NOW - DAY);
    unsigned char *der = NULL;

    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(w->ca.x));
    X509_CRL_set1_lastUpdate(crl, t);
    if (revoked != NULL) {
        X509_REVOKED *row = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(row, X509_get_serialNumber(revoked));
        X509_REVOKED_set_revocationDate(row, t);
        assert_int_equal(X509_CRL_add0_revoked(crl, row), 1);
    }
    ASN1_TIME_set(t, CERT_NOW + to);
    X509_CRL_set1_nextUpdate(crl, t);
    assert_true(X509_CRL_sign(crl, w->ca.key, EVP_sha256()) > 0);
    int const len = i2d_X509_CRL(crl, &der);
    assert_int_equal(dt_trust_store_add_crls(w->store, dt_bytes_of(der, (size_t)len), &w->e), 0);
    OPENSSL_free(der);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
}

/* A list that has it as revoked needs no answer; one that has it as good stands in for one. */
static void test_beside_lists(void **state)
{
    world w;

    (void)state;
    open_world(&w, false, AIA);
    add_crl(&w, NULL, -HOUR);
    ask(&w);
    assert_int_equal(w.q.otherwise, DT_REASON_LOOKUP_UNAVAILABLE);
    add_crl(&w, NULL, HOUR);
    ask(&w);
    assert_int_equal(w.q.otherwise, DT_REASON_TRUSTED);
    assert_true(w.q.listed && !w.q.unchecked);
    add_crl(&w, w.leaf.x, HOUR);
    assert_not_asked(&w, DT_REASON_CERTIFICATE_REVOKED, NOW);
    close_world(&w);
}

/* Two certificates never share what is kept of one. */
static void test_keys_differ(void **state)
{
    char first[65], second[65];
    pair again;
    dt_buf pem;
    world w, namesakes;

    (void)state;
    open_world(&w, false, AIA);
    ask(&w);
    memcpy(first, w.q.key, sizeof(first));
    ask(&w);
    assert_string_equal(w.q.key, first);
    again = w.leaf;
    w.leaf = w.sister;
    ask(&w);
    assert_string_not_equal(w.q.key, first);
    w.leaf = make_leaf(&w.other_ca, AIA); /* the same serial, of another CA */
    assert_int_equal(X509_set_serialNumber(w.leaf.x, X509_get_serialNumber(again.x)), 1);
    assert_true(X509_sign(w.leaf.x, w.other_ca.key, EVP_sha256()) > 0);
    ask(&w);
    assert_string_not_equal(w.q.key, first);
    pair_free(&w.leaf);
    open_world(&namesakes, false, AIA); /* and of one with the same name and another key */
    assert_int_equal(X509_set_serialNumber(namesakes.leaf.x, X509_get_serialNumber(again.x)), 1);
    assert_true(X509_sign(namesakes.leaf.x, namesakes.ca.key, EVP_sha256()) > 0);
    ask(&namesakes);
    assert_string_not_equal(namesakes.q.key, first);
    close_world(&namesakes);
    w.leaf = again;
    /* Who may answer has changed: what others answered is no longer believed. */
    dt_buf_init(&pem, 65536);
    cert_pem(w.other_ca.x, &pem);
    assert_int_equal(dt_trust_store_add_responders(w.store, dt_buf_bytes(&pem), &w.e), 0);
    dt_buf_free(&pem);
    ask(&w);
    memcpy(second, w.q.key, sizeof(second));
    assert_string_not_equal(second, first);
    close_world(&w);
}

/* --- what is asked ------------------------------------------------------------------------------ */

static void test_request(void **state)
{
    uint8_t storage[DT_OCSP_REQUEST_MAX + 1];
    unsigned char const *at = storage;
    OCSP_REQUEST *request;
    OCSP_CERTID *own;
    dt_buf b;
    world w;

    (void)state;
    open_world(&w, false, AIA);
    ask(&w);
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    assert_int_equal(dt_x509_ocsp_request(&w.q, &b), 0);
    request = d2i_OCSP_REQUEST(NULL, &at, (long)b.len);
    assert_non_null(request);
    assert_ptr_equal(at, storage + b.len);
    assert_int_equal(OCSP_request_onereq_count(request), 1);
    assert_int_equal(OCSP_REQUEST_get_ext_count(request), 0);
    assert_int_equal(OCSP_request_is_signed(request), 0);
    own = OCSP_cert_to_id(EVP_sha1(), w.leaf.x, w.ca.x);
    assert_int_equal(OCSP_id_cmp(own, OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0))),
                     0);
    OCSP_CERTID_free(own);
    OCSP_REQUEST_free(request);
    /* Nothing is asked where there is no question. */
    w.q.open = false;
    dt_buf_reset(&b);
    assert_int_equal(dt_x509_ocsp_request(&w.q, &b), DT_E_STATE);
    w.q.open = true;
    w.q.issuer[0] ^= 0xff;
    assert_true(dt_x509_ocsp_request(&w.q, &b) < 0);
    assert_int_equal(b.len, 0);
    close_world(&w);
}

/* --- which answers count ------------------------------------------------------------------------ */

/* How an answer is made. What is zero takes the default: good, from an hour ago to an hour from now. */
typedef struct answer_spec {
    pair const *signer; /* NULL: the issuing CA */
    X509 *about, *of;   /* certificate and its issuer */
    EVP_MD const *id_hash, *hash;
    int status; /* V_OCSP_CERTSTATUS_* */
    long from, to;
    long produced_after; /* seconds from thisUpdate to producedAt */
    bool no_next, by_key, without_certificate;
    char const *critical; /* an extension of the answer: its OID */
    bool critical_single;
    X509 *extra; /* one more certificate brought along */
} answer_spec;

static answer_spec plain(world const *w)
{
    return (answer_spec){.signer = w->with_sub ? &w->sub : &w->ca,
                         .about = w->leaf.x,
                         .of = w->with_sub ? w->sub.x : w->ca.x,
                         .from = -HOUR,
                         .to = HOUR};
}

static X509_EXTENSION *critical_extension(char const *oid)
{
    char value[] = "critical,DER:0500";
    X509_EXTENSION *ext = X509V3_EXT_nconf(NULL, NULL, oid, value);

    assert_non_null(ext);
    return ext;
}

static OCSP_SINGLERESP *add_single(OCSP_BASICRESP *basic, answer_spec const *spec)
{
    OCSP_CERTID *id = OCSP_cert_id_new(
        spec->id_hash != NULL ? spec->id_hash : EVP_sha1(), X509_get_subject_name(spec->of),
        X509_get0_pubkey_bitstr(spec->of), X509_get0_serialNumber(spec->about));
    ASN1_TIME *from = ASN1_GENERALIZEDTIME_set(NULL, CERT_NOW + spec->from);
    ASN1_TIME *to = spec->no_next ? NULL : ASN1_GENERALIZEDTIME_set(NULL, CERT_NOW + spec->to);
    ASN1_TIME *revoked = ASN1_GENERALIZEDTIME_set(NULL, CERT_NOW - DAY);
    OCSP_SINGLERESP *single = OCSP_basic_add1_status(
        basic, id, spec->status, OCSP_REVOKED_STATUS_KEYCOMPROMISE,
        spec->status == V_OCSP_CERTSTATUS_REVOKED ? revoked : NULL, from, to);

    assert_non_null(single);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    ASN1_TIME_free(revoked);
    OCSP_CERTID_free(id);
    return single;
}

/* OpenSSL would set it to what the clock says. */
static void set_produced_at(OCSP_BASICRESP *basic, long t)
{
    ASN1_GENERALIZEDTIME const *at = OCSP_resp_get0_produced_at(basic);
    ASN1_GENERALIZEDTIME *mine;

    memcpy(&mine, &at, sizeof(mine));
    assert_non_null(ASN1_GENERALIZEDTIME_set(mine, t));
}

static void sign_answer(OCSP_BASICRESP *basic, answer_spec const *spec)
{
    EVP_MD const *hash = spec->hash != NULL ? spec->hash : EVP_sha256();
    unsigned long flags =
        (spec->by_key ? OCSP_RESPID_KEY : 0) | (spec->without_certificate ? OCSP_NOCERTS : 0);

    if (EVP_PKEY_get_base_id(spec->signer->key) == EVP_PKEY_ED25519)
        hash = NULL;
    if (spec->extra != NULL)
        assert_int_equal(OCSP_basic_add1_cert(basic, spec->extra), 1);
    set_produced_at(basic, CERT_NOW + spec->from + spec->produced_after);
    assert_int_equal(
        OCSP_basic_sign(basic, spec->signer->x, spec->signer->key, hash, NULL, flags | OCSP_NOTIME),
        1);
}

static void wrap(OCSP_BASICRESP *basic, int status, dt_buf *out)
{
    OCSP_RESPONSE *response = OCSP_response_create(status, basic);
    unsigned char *der = NULL;
    int const len = i2d_OCSP_RESPONSE(response, &der);

    assert_true(len > 0);
    dt_buf_init(out, 1 << 20);
    dt_buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
}

static int read_bytes(world *w, dt_bytes bytes, dt_time now, dt_ocsp_answer *a)
{
    int rc;

    w->e = (dt_error){0};
    memset(a, 0x5a, sizeof(*a));
    rc = dt_x509_ocsp_read(w->store, &w->q, bytes, now, a, &w->e);
    assert_int_equal(rc < 0, w->e.text[0] != '\0');
    if (rc < 0)
        assert_int_equal(a->status, DT_OCSP_NO_ANSWER);
    return rc;
}

static int read_answers(world *w, answer_spec const *specs, size_t count, dt_ocsp_answer *a)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    dt_buf der;
    int rc;

    for (size_t i = 0; i < count; i++) {
        OCSP_SINGLERESP *single = add_single(basic, &specs[i]);
        if (specs[i].critical_single) {
            X509_EXTENSION *ext = critical_extension("1.2.3.4");
            assert_int_equal(OCSP_SINGLERESP_add_ext(single, ext, -1), 1);
            X509_EXTENSION_free(ext);
        }
    }
    if (specs->critical != NULL) {
        X509_EXTENSION *ext = critical_extension(specs->critical);
        assert_int_equal(OCSP_BASICRESP_add_ext(basic, ext, -1), 1);
        X509_EXTENSION_free(ext);
    }
    sign_answer(basic, &specs[0]);
    wrap(basic, OCSP_RESPONSE_STATUS_SUCCESSFUL, &der);
    rc = read_bytes(w, dt_buf_bytes(&der), NOW, a);
    dt_buf_free(&der);
    OCSP_BASICRESP_free(basic);
    return rc;
}

static int read_answer(world *w, answer_spec const *spec, dt_ocsp_answer *a)
{
    return read_answers(w, spec, 1, a);
}

static void assert_refused(world *w, answer_spec const *spec, int code, char const *word)
{
    dt_ocsp_answer a;

    assert_int_equal(read_answer(w, spec, &a), code);
    if (strstr(w->e.text, word) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", word, w->e.text);
}

static void open_asked(world *w)
{
    open_world(w, false, AIA);
    ask(w);
}

static void test_statuses(void **state)
{
    static struct {
        int status;
        dt_ocsp_status is;
    } const cases[] = {{V_OCSP_CERTSTATUS_GOOD, DT_OCSP_GOOD},
                       {V_OCSP_CERTSTATUS_REVOKED, DT_OCSP_REVOKED},
                       {V_OCSP_CERTSTATUS_UNKNOWN, DT_OCSP_UNKNOWN}};
    world w;

    (void)state;
    open_asked(&w);
    for (size_t i = 0; i < 3; i++) {
        answer_spec spec = plain(&w);
        dt_ocsp_answer a;
        spec.status = cases[i].status;
        assert_int_equal(read_answer(&w, &spec, &a), 0);
        assert_int_equal(a.status, cases[i].is);
        assert_true(a.this_update == NOW - DT_HOURS(1) && a.next_update == NOW + DT_HOURS(1));
        assert_true(a.fetched == 0 && a.until == 0);
    }
    close_world(&w);
}

static void test_times(void **state)
{
    static struct {
        long from, to, produced_after;
        bool no_next;
        char const *wrong; /* NULL: it counts */
    } const cases[] = {
        {-HOUR, HOUR, 0, false, NULL},
        {-HOUR, -299, 0, false, NULL},
        {-HOUR, -301, 0, false, "nextUpdate"},
        {-2 * DAY, -DAY, 0, false, "nextUpdate"}, /* a replayed one */
        {299, HOUR, 0, false, NULL},
        {301, HOUR, 0, false, "thisUpdate"},
        {DAY, 2 * DAY, 0, false, "thisUpdate"},
        {-60, -120, 0, false, "ends before"},
        {-9 * DAY, DAY, 0, false, NULL},
        {-11 * DAY, DAY, 0, false, "ocsp_max_age"},
        {-899, 0, 0, true, NULL},
        {-901, 0, 0, true, "has no nextUpdate"},
        {-HOUR, HOUR, HOUR + 299, false, NULL},
        {-HOUR, HOUR, HOUR + 301, false, "producedAt"},
        {-HOUR, HOUR, -299, false, NULL},
        {-HOUR, HOUR, -301, false, "producedAt"},
    };
    world w;

    (void)state;
    open_asked(&w);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer_spec spec = plain(&w);
        dt_ocsp_answer a;
        spec.from = cases[i].from;
        spec.to = cases[i].to;
        spec.produced_after = cases[i].produced_after;
        spec.no_next = cases[i].no_next;
        if (cases[i].wrong != NULL) {
            assert_refused(&w, &spec, DT_E_INVALID, cases[i].wrong);
            continue;
        }
        if (read_answer(&w, &spec, &a) < 0)
            fail_msg("case %zu: %s", i, w.e.text);
        assert_true(cases[i].no_next == (a.next_update == 0));
    }
    close_world(&w);
}

static void test_about_another(void **state)
{
    answer_spec spec;
    world w;

    (void)state;
    open_asked(&w);
    spec = plain(&w);
    spec.about = w.sister.x; /* another serial */
    assert_refused(&w, &spec, DT_E_INVALID, "other certificates");
    spec = plain(&w);
    spec.of = w.other_ca.x; /* the same serial, of another issuer: by name and by key */
    assert_refused(&w, &spec, DT_E_INVALID, "other certificates");
    close_world(&w);
}

/* An issuer of the same name with another key, and of another name with the same key. */
static void test_about_half_the_issuer(void **state)
{
    answer_spec spec;
    pair namesake, renamed;
    world w;

    (void)state;
    open_asked(&w);
    namesake = make_ca("Device CA", NULL);
    spec = plain(&w);
    spec.of = namesake.x;
    assert_refused(&w, &spec, DT_E_INVALID, "other certificates");
    cert_spec same_key = {.cn = "Other name", .key = w.ca.key};
    renamed = (pair){.x = cert_make(&same_key)};
    spec.of = renamed.x;
    assert_refused(&w, &spec, DT_E_INVALID, "other certificates");
    pair_free(&namesake);
    pair_free(&renamed);
    close_world(&w);
}

static void test_hashes_of_ids(void **state)
{
    world w;

    (void)state;
    open_asked(&w);
    EVP_MD const *const good[] = {EVP_sha1(), EVP_sha256(), EVP_sha384(), EVP_sha512()};
    for (size_t i = 0; i < 4; i++) {
        answer_spec spec = plain(&w);
        dt_ocsp_answer a;
        spec.id_hash = good[i];
        assert_int_equal(read_answer(&w, &spec, &a), 0);
        assert_int_equal(a.status, DT_OCSP_GOOD);
    }
    answer_spec spec = plain(&w);
    spec.id_hash = EVP_md5();
    assert_refused(&w, &spec, DT_E_INVALID, "other certificates");
    close_world(&w);
}

static void test_several_entries(void **state)
{
    enum {
        GOOD = V_OCSP_CERTSTATUS_GOOD,
        REVOKED = V_OCSP_CERTSTATUS_REVOKED,
        UNKNOWN = V_OCSP_CERTSTATUS_UNKNOWN
    };
    static struct {
        int first, second;
        dt_ocsp_status is;
    } const cases[] = {
        {GOOD, GOOD, DT_OCSP_GOOD},          {GOOD, REVOKED, DT_OCSP_REVOKED},
        {REVOKED, GOOD, DT_OCSP_REVOKED},    {GOOD, UNKNOWN, DT_OCSP_UNKNOWN},
        {UNKNOWN, GOOD, DT_OCSP_UNKNOWN},    {UNKNOWN, REVOKED, DT_OCSP_REVOKED},
        {REVOKED, UNKNOWN, DT_OCSP_REVOKED},
    };
    dt_ocsp_answer a;
    world w;

    (void)state;
    open_asked(&w);
    answer_spec other = plain(&w);
    other.about = w.sister.x;
    other.status = REVOKED;
    other.from = -9 * DAY; /* nor do another's times matter */
    other.to = -8 * DAY;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer_spec specs[4] = {plain(&w), other, plain(&w), other};
        specs[0].status = cases[i].first;
        specs[2].status = cases[i].second;
        assert_int_equal(read_answers(&w, specs, 4, &a), 0);
        assert_int_equal(a.status, cases[i].is);
    }
    /* One that no longer holds among those about it. */
    answer_spec specs[2] = {plain(&w), plain(&w)};
    specs[1].from = -2 * DAY;
    specs[1].to = -DAY;
    assert_int_equal(read_answers(&w, specs, 2, &a), DT_E_INVALID);
    answer_spec *many = calloc(DT_OCSP_SINGLES_MAX + 1, sizeof(*many));
    for (size_t i = 0; i <= DT_OCSP_SINGLES_MAX; i++)
        many[i] = i == 0 ? plain(&w) : other;
    assert_int_equal(read_answers(&w, many, DT_OCSP_SINGLES_MAX, &a), 0);
    assert_int_equal(read_answers(&w, many, DT_OCSP_SINGLES_MAX + 1, &a), DT_E_LIMIT);
    free(many);
    close_world(&w);
}

/* --- who may answer ----------------------------------------------------------------------------- */

#define OCSP_EKU "OCSPSigning"
#define NO_CA "CA:FALSE"
#define SIGNS "digitalSignature"

static void test_delegated(void **state)
{
    static struct {
        char const *eku, *basic, *usage;
        long starts, ends;
        bool counts;
    } const cases[] = {
        {OCSP_EKU, NO_CA, SIGNS, -DAY, DAY, true},
        {OCSP_EKU ",clientAuth", NO_CA, SIGNS, -DAY, DAY, true},
        {NULL, NO_CA, SIGNS, -DAY, DAY, false}, /* without the usage */
        {"clientAuth", NO_CA, SIGNS, -DAY, DAY, false},
        {"anyExtendedKeyUsage", NO_CA, SIGNS, -DAY, DAY, false},
        {"serverAuth,clientAuth", NO_CA, SIGNS, -DAY, DAY, false},
        {OCSP_EKU, "critical,CA:TRUE", "keyCertSign,digitalSignature", -DAY, DAY, false},
        {OCSP_EKU, NO_CA, "keyEncipherment", -DAY, DAY, false},
        {OCSP_EKU, NO_CA, SIGNS, -2 * DAY, -DAY, false}, /* expired */
        {OCSP_EKU, NO_CA, SIGNS, DAY, 2 * DAY, false},   /* not yet */
    };
    world w;

    (void)state;
    open_asked(&w);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pair r = make_responder(&w.ca, cases[i].eku, cases[i].basic, cases[i].usage,
                                cases[i].starts, cases[i].ends);
        answer_spec spec = plain(&w);
        dt_ocsp_answer a;
        spec.signer = &r;
        spec.by_key = i % 2 == 1;
        if (cases[i].counts) {
            assert_int_equal(read_answer(&w, &spec, &a), 0);
            assert_int_equal(a.status, DT_OCSP_GOOD);
        } else {
            assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
        }
        pair_free(&r);
    }
    close_world(&w);
}

static void test_wrong_signers(void **state)
{
    answer_spec spec;
    pair r, sub, client;
    world w;

    (void)state;
    open_asked(&w);
    spec = plain(&w);
    spec.signer = &w.other_ca; /* which is trusted, too, but did not make this certificate */
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    r = make_responder(&w.other_ca, OCSP_EKU, NO_CA, SIGNS, -DAY, DAY);
    spec.signer = &r;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    spec.extra = w.ca.x;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    spec.extra = NULL;
    pair_free(&r);
    /* Below a CA that is below the one that made the certificate: not directly. */
    sub = make_ca("Sub", &w.ca);
    r = make_responder(&sub, OCSP_EKU, NO_CA, SIGNS, -DAY, DAY);
    spec.signer = &r;
    spec.extra = sub.x;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    spec.extra = NULL;
    spec.signer = &sub; /* that CA itself */
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    pair_free(&r);
    pair_free(&sub);
    /* The device about itself, and another device of this CA. */
    spec.signer = &w.leaf;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    client = w.sister;
    spec.signer = &client;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    close_world(&w);
}

/* The right name over another key's signature. */
static void test_forged(void **state)
{
    pair forger, r, fake;
    answer_spec spec;
    world w;

    (void)state;
    open_asked(&w);
    forger = make_ca("Device CA", NULL);
    spec = plain(&w);
    spec.signer = &forger;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    spec.without_certificate = true;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    /* A delegated responder's certificate, and somebody else's key. */
    r = make_responder(&w.ca, OCSP_EKU, NO_CA, SIGNS, -DAY, DAY);
    fake = make_responder(&forger, OCSP_EKU, NO_CA, SIGNS, -DAY, DAY);
    spec.signer = &fake;
    spec.extra = r.x;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    pair_free(&forger);
    pair_free(&r);
    pair_free(&fake);
    close_world(&w);
}

static void test_configured(void **state)
{
    pair r, late;
    answer_spec spec;
    dt_ocsp_answer a;
    dt_buf pem;
    world w;

    (void)state;
    open_asked(&w);
    r = make_responder(&w.other_ca, "serverAuth", NO_CA, SIGNS, -DAY, DAY);
    late = make_responder(&w.other_ca, OCSP_EKU, NO_CA, SIGNS, -2 * DAY, -DAY);
    spec = plain(&w);
    spec.signer = &r;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    dt_buf_init(&pem, 65536);
    cert_pem(r.x, &pem);
    cert_pem(late.x, &pem);
    assert_int_equal(dt_trust_store_add_responders(w.store, dt_buf_bytes(&pem), &w.e), 0);
    assert_int_equal(read_answer(&w, &spec, &a), 0);
    spec.without_certificate = true;
    assert_int_equal(read_answer(&w, &spec, &a), 0);
    spec.signer = &late;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    spec.signer = &w.sister;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    dt_buf_free(&pem);
    assert_int_equal(dt_trust_store_add_responders(w.store, dt_bytes_str("junk"), &w.e),
                     DT_E_PARSE);
    pair_free(&r);
    pair_free(&late);
    close_world(&w);
}

/* A responder that its CA has revoked. */
static void test_revoked_responder(void **state)
{
    answer_spec spec;
    dt_ocsp_answer a;
    pair r;
    world w;

    (void)state;
    open_asked(&w);
    r = make_responder(&w.ca, OCSP_EKU, NO_CA, SIGNS, -DAY, DAY);
    spec = plain(&w);
    spec.signer = &r;
    assert_int_equal(read_answer(&w, &spec, &a), 0);
    add_crl(&w, r.x, HOUR);
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    pair_free(&r);
    close_world(&w);
}

static void test_below_an_intermediate(void **state)
{
    answer_spec spec;
    dt_ocsp_answer a;
    pair r;
    world w;

    (void)state;
    open_world(&w, true, AIA);
    dt_trust_store_set_revocation(w.store, DT_REVOCATION_SOFT);
    ask(&w);
    spec = plain(&w);
    assert_int_equal(read_answer(&w, &spec, &a), 0);
    spec.signer = &w.ca; /* the CA above */
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    r = make_responder(&w.ca, OCSP_EKU, NO_CA, SIGNS, -DAY, DAY);
    spec.signer = &r;
    assert_refused(&w, &spec, DT_E_CRYPTO, "signed neither");
    pair_free(&r);
    r = make_responder(&w.sub, OCSP_EKU, NO_CA, SIGNS, -DAY, DAY);
    spec.signer = &r;
    assert_int_equal(read_answer(&w, &spec, &a), 0);
    pair_free(&r);
    close_world(&w);
}

static void test_algorithms(void **state)
{
    static struct {
        char const *kind;
        char const *hash;
        bool counts;
    } const cases[] = {
        {"rsa2048", "SHA256", true},  {"rsa2048", "SHA512", true}, {"ed25519", NULL, true},
        {"rsa2048", "SHA1", false},   {"rsa2048", "MD5", false},   {"P-256", "SHA1", false},
        {"rsa1024", "SHA256", false}, {"P-224", "SHA256", false},
    };
    world w;

    (void)state;
    open_asked(&w);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pair r = {.key = cert_key(cases[i].kind)};
        cert_spec certificate = {.cn = "responder",
                                 .key = r.key,
                                 .issuer = w.ca.x,
                                 .issuer_key = w.ca.key,
                                 .extensions = {{"extendedKeyUsage", OCSP_EKU}}};
        answer_spec spec = plain(&w);
        dt_ocsp_answer a;
        r.x = cert_make(&certificate);
        spec.signer = &r;
        spec.hash = cases[i].hash != NULL ? EVP_get_digestbyname(cases[i].hash) : NULL;
        if (cases[i].counts)
            assert_int_equal(read_answer(&w, &spec, &a), 0);
        else
            assert_refused(&w, &spec, DT_E_CRYPTO, "signed");
        pair_free(&r);
    }
    close_world(&w);
}

/* --- what cannot be read ------------------------------------------------------------------------ */

static void test_critical_extensions(void **state)
{
    answer_spec spec;
    dt_ocsp_answer a;
    world w;

    (void)state;
    open_asked(&w);
    spec = plain(&w);
    spec.critical = "1.2.3.4";
    assert_refused(&w, &spec, DT_E_INVALID, "critical");
    spec.critical = "1.3.6.1.5.5.7.48.1.2"; /* the nonce, which was not sent and means nothing */
    assert_int_equal(read_answer(&w, &spec, &a), 0);
    spec = plain(&w);
    spec.critical_single = true;
    assert_refused(&w, &spec, DT_E_INVALID, "critical");
    close_world(&w);
}

static void test_too_many_certificates(void **state)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    dt_ocsp_answer a;
    answer_spec spec;
    dt_buf der;
    world w;

    (void)state;
    open_asked(&w);
    spec = plain(&w);
    (void)add_single(basic, &spec);
    for (int i = 0; i < DT_OCSP_CERTIFICATES_MAX; i++)
        assert_int_equal(OCSP_basic_add1_cert(basic, w.ca.x), 1);
    sign_answer(basic, &spec); /* adds the signer's */
    wrap(basic, OCSP_RESPONSE_STATUS_SUCCESSFUL, &der);
    assert_int_equal(read_bytes(&w, dt_buf_bytes(&der), NOW, &a), DT_E_LIMIT);
    dt_buf_free(&der);
    OCSP_BASICRESP_free(basic);
    close_world(&w);
}

/* What the responder says of itself: none of it is an answer. */
static void test_responder_errors(void **state)
{
    static int const statuses[] = {
        OCSP_RESPONSE_STATUS_MALFORMEDREQUEST, OCSP_RESPONSE_STATUS_INTERNALERROR,
        OCSP_RESPONSE_STATUS_TRYLATER,         OCSP_RESPONSE_STATUS_SIGREQUIRED,
        OCSP_RESPONSE_STATUS_UNAUTHORIZED,     7,
    };
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    answer_spec spec;
    dt_ocsp_answer a;
    dt_buf der;
    world w;

    (void)state;
    open_asked(&w);
    spec = plain(&w);
    (void)add_single(basic, &spec);
    sign_answer(basic, &spec);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        for (int with = 0; with < 2; with++) { /* a good answer behind the error is none either */
            wrap(with ? basic : NULL, statuses[i], &der);
            assert_int_equal(read_bytes(&w, dt_buf_bytes(&der), NOW, &a), DT_E_UNAVAILABLE);
            dt_buf_free(&der);
        }
    }
    wrap(NULL, OCSP_RESPONSE_STATUS_SUCCESSFUL, &der); /* successful, with nothing in it */
    assert_int_equal(read_bytes(&w, dt_buf_bytes(&der), NOW, &a), DT_E_PARSE);
    dt_buf_free(&der);
    OCSP_BASICRESP_free(basic);
    close_world(&w);
}

/* Each byte turned, each end cut off: never good, but where the byte means nothing (within what is not
 * signed: the certificates that came along). */
static void test_damaged(void **state)
{
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    answer_spec spec;
    dt_ocsp_answer a;
    dt_buf der;
    world w;

    (void)state;
    open_asked(&w);
    spec = plain(&w);
    spec.without_certificate = true;
    (void)add_single(basic, &spec);
    sign_answer(basic, &spec);
    wrap(basic, OCSP_RESPONSE_STATUS_SUCCESSFUL, &der);
    assert_int_equal(read_bytes(&w, dt_buf_bytes(&der), NOW, &a), 0);
    for (size_t i = 0; i < der.len; i++) {
        assert_true(read_bytes(&w, dt_bytes_of(der.p, i), NOW, &a) < 0);
        der.p[i] ^= 0x01;
        if (read_bytes(&w, dt_buf_bytes(&der), NOW, &a) == 0)
            fail_msg("byte %zu of %zu may be turned", i, der.len);
        der.p[i] ^= 0x01;
    }
    dt_buf_putc(&der, '\0'); /* something behind it */
    assert_int_equal(read_bytes(&w, dt_buf_bytes(&der), NOW, &a), DT_E_PARSE);
    dt_buf_free(&der);
    OCSP_BASICRESP_free(basic);
    close_world(&w);
}

static void test_garbage(void **state)
{
    static uint8_t huge[DT_OCSP_RESPONSE_MAX + 1] = {0x30, 0x83, 0x00, 0xff, 0xfc};
    dt_ocsp_answer a;
    world w;

    (void)state;
    open_asked(&w);
    assert_int_equal(read_bytes(&w, dt_bytes_of("", 0), NOW, &a), DT_E_PARSE);
    assert_int_equal(read_bytes(&w, dt_bytes_str("<html>"), NOW, &a), DT_E_PARSE);
    assert_int_equal(read_bytes(&w, dt_bytes_of(huge, sizeof(huge) - 1), NOW, &a), DT_E_PARSE);
    assert_int_equal(read_bytes(&w, dt_bytes_of(huge, sizeof(huge)), NOW, &a), DT_E_LIMIT);
    w.q.open = false;
    assert_int_equal(read_bytes(&w, dt_bytes_str("x"), NOW, &a), DT_E_STATE);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked),
        cmocka_unit_test(test_not_asked_offline),
        cmocka_unit_test(test_not_asked),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_url_too_long),
        cmocka_unit_test(test_intermediate),
        cmocka_unit_test(test_beside_lists),
        cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_about_another),
        cmocka_unit_test(test_about_half_the_issuer),
        cmocka_unit_test(test_hashes_of_ids),
        cmocka_unit_test(test_several_entries),
        cmocka_unit_test(test_delegated),
        cmocka_unit_test(test_wrong_signers),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_configured),
        cmocka_unit_test(test_revoked_responder),
        cmocka_unit_test(test_below_an_intermediate),
        cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_critical_extensions),
        cmocka_unit_test(test_too_many_certificates),
        cmocka_unit_test(test_responder_errors),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
