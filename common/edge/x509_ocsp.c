/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OCSP by OpenSSL: the question about a certificate, the request, and whether an answer counts (RFC
 * 6960 section 3.2). OpenSSL takes the answer apart and verifies signatures; who may sign, for which
 * certificate and for how long is decided here, since OCSP_basic_verify leaves some of it open. */
#include "edge/x509_internal.h"

#include "core/base/crypto.h"

#include <openssl/ocsp.h>
#include <openssl/rsa.h>
#include <openssl/x509_vfy.h>

#include <string.h>

/* As for certificates (x509_judge.c): no MD5, no SHA-1, no RSA below 2048. */
#define DT_OCSP_AUTH_LEVEL 2

/* --- the rules ---------------------------------------------------------------------------------- */

int dt_trust_store_set_ocsp(dt_trust_store *s, dt_ocsp_rules const *rules)
{
    if (rules->url[0] != '\0' && !dt_ocsp_url_is_usable(rules->url))
        return DT_E_INVALID;
    s->ocsp = *rules;
    s->cas[0].ocsp = rules->on;
    memcpy(s->cas[0].ocsp_url, rules->url, sizeof(s->cas[0].ocsp_url));
    return DT_OK;
}

int dt_trust_store_add_responders(dt_trust_store *s, dt_bytes pem, dt_error *e)
{
    dt_openssl_enter();
    int rc = s->responders != NULL || (s->responders = sk_X509_new_null()) != NULL
                 ? dt_pem_certificates(pem, s->responders, DT_RESPONDERS_MAX, e)
                 : dt_error_set(e, DT_E_NOMEM, "out of memory");
    for (int i = 0; rc == 0 && i < sk_X509_num(s->responders); i++) {
        X509 *x = sk_X509_value(s->responders, i);
        /* Has the extensions parsed now, by one thread. */
        if (X509_check_purpose(x, -1, 0) != 1 ||
            dt_key_kind_of(X509_get0_pubkey(x)) == DT_KEY_REFUSED)
            rc = dt_error_set(e, DT_E_INVALID,
                              "responder %d has an unreadable extension, or a key that is weak or "
                              "of an unknown type",
                              i + 1);
    }
    dt_openssl_leave();
    return rc;
}

/* --- the question ------------------------------------------------------------------------------- */

static bool find_url(dt_ca const *ca, X509 *leaf, char out[DT_OCSP_URL_MAX])
{
    bool found = ca->ocsp_url[0] != '\0';
    STACK_OF(OPENSSL_STRING) *urls = found ? NULL : X509_get1_ocsp(leaf);

    if (found)
        memcpy(out, ca->ocsp_url, DT_OCSP_URL_MAX);
    for (int i = 0; !found && i < sk_OPENSSL_STRING_num(urls); i++) {
        char const *url = sk_OPENSSL_STRING_value(urls, i);
        found = dt_ocsp_url_is_usable(url) && dt_str_copy(out, DT_OCSP_URL_MAX, url) == DT_OK;
    }
    X509_email_free(urls);
    return found;
}

static void hash_in(dt_buf *b, void const *p, size_t len)
{
    dt_buf_put_int(b, (int64_t)len);
    dt_buf_putc(b, ':');
    dt_buf_put(b, p, len);
}

/* By everything that an answer depends on: the issuer's name and key, the serial, who may answer. */
static int make_key(dt_trust_store const *s, X509 *issuer, dt_ocsp_question *q)
{
    uint8_t digest[DT_SHA256_LEN];
    unsigned char const *name = NULL;
    size_t name_len = 0;
    ASN1_BIT_STRING const *key = X509_get0_pubkey_bitstr(issuer);
    dt_buf b;
    int rc = DT_E_CRYPTO;

    dt_buf_init(&b, DT_CERTIFICATE_MAX + 1024);
    if (key != NULL && X509_NAME_get0_der(X509_get_subject_name(issuer), &name, &name_len) == 1) {
        hash_in(&b, name, name_len);
        hash_in(&b, ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key));
        hash_in(&b, q->serial, q->serial_len);
        for (int i = 0; i < sk_X509_num(s->responders); i++) {
            unsigned char print[EVP_MAX_MD_SIZE];
            unsigned len = 0;
            if (X509_digest(sk_X509_value(s->responders, i), EVP_sha256(), print, &len) == 1)
                hash_in(&b, print, len);
        }
        rc = dt_buf_error(&b);
    }
    if (rc == DT_OK)
        rc = dt_crypto_sha256(dt_buf_bytes(&b), digest);
    if (rc == DT_OK)
        dt_hex(q->key, digest, sizeof(digest));
    dt_buf_free(&b);
    return rc;
}

static bool put_der(int needed, size_t max, size_t *len)
{
    *len = needed > 0 && (size_t)needed <= max ? (size_t)needed : 0;
    return *len > 0;
}

char const *dt_ocsp_question_make(dt_trust_store const *s, dt_ca const *ca, X509 *leaf,
                                  X509 *issuer, dt_ocsp_question *q)
{
    ASN1_INTEGER const *serial = X509_get0_serialNumber(leaf);
    unsigned char *at = q->serial;

    if (!find_url(ca, leaf, q->url))
        return "the certificate names no OCSP responder that can be asked (set ocsp_url)";
    if (!put_der(i2d_ASN1_INTEGER(serial, NULL), sizeof(q->serial), &q->serial_len))
        return "the certificate's serial number is too long";
    (void)i2d_ASN1_INTEGER(serial, &at);
    if (!put_der(i2d_X509(issuer, NULL), sizeof(q->issuer), &q->issuer_len))
        return "the certificate of its CA is too large to ask with";
    at = q->issuer;
    (void)i2d_X509(issuer, &at);
    if (make_key(s, issuer, q) < 0)
        return "out of memory";
    q->open = true;
    return NULL;
}

/* What the question says, parsed. */
typedef struct asked {
    X509 *issuer;
    ASN1_INTEGER *serial;
} asked;

static void asked_free(asked *a)
{
    X509_free(a->issuer);
    ASN1_INTEGER_free(a->serial);
}

static int asked_parse(dt_ocsp_question const *q, asked *out, dt_error *e)
{
    unsigned char const *at = q->serial;
    int rc;

    *out = (asked){0};
    if (!q->open || q->issuer_len > sizeof(q->issuer) || q->serial_len > sizeof(q->serial))
        return dt_error_set(e, DT_E_STATE, "there is no question");
    rc = dt_x509_parse(dt_bytes_of(q->issuer, q->issuer_len), &out->issuer, e);
    if (rc == DT_OK)
        out->serial = d2i_ASN1_INTEGER(NULL, &at, (long)q->serial_len);
    if (rc == DT_OK && (out->serial == NULL || at != q->serial + q->serial_len))
        rc = dt_error_set(e, DT_E_PARSE, "the serial number cannot be read");
    if (rc < 0)
        asked_free(out);
    return rc;
}

static OCSP_CERTID *id_of(asked const *a, EVP_MD const *md)
{
    return OCSP_cert_id_new(md, X509_get_subject_name(a->issuer),
                            X509_get0_pubkey_bitstr(a->issuer), a->serial);
}

static int put_request(asked const *a, dt_buf *out)
{
    unsigned char *der = NULL;
    OCSP_REQUEST *request = OCSP_REQUEST_new();
    OCSP_CERTID *id = id_of(a, EVP_sha1());
    int len = 0;

    if (request != NULL && id != NULL && OCSP_request_add0_id(request, id) != NULL) {
        id = NULL; /* the request's now */
        len = i2d_OCSP_REQUEST(request, &der);
    }
    if (len > 0 && len <= DT_OCSP_REQUEST_MAX)
        dt_buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
    OCSP_CERTID_free(id);
    OCSP_REQUEST_free(request);
    return len > 0 && len <= DT_OCSP_REQUEST_MAX ? dt_buf_error(out) : DT_E_CRYPTO;
}

int dt_x509_ocsp_request(dt_ocsp_question const *q, dt_buf *out)
{
    asked a;

    dt_openssl_enter();
    int rc = asked_parse(q, &a, NULL);
    if (rc == DT_OK) {
        rc = put_request(&a, out);
        asked_free(&a);
    }
    dt_openssl_leave();
    return rc;
}

/* --- who signed it ------------------------------------------------------------------------------ */

/* An answer while it is being checked. */
typedef struct reading {
    dt_trust_store const *s;
    asked asked;
    OCSP_BASICRESP *basic;
    dt_time now, produced_at;
    dt_error *e;
} reading;

static int refuse(reading const *r, int code, char const *why)
{
    return dt_error_set(r->e, code, "%s", why);
}

static bool is_good_digest(int nid)
{
    return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

/* The hash within the parameters of RSASSA-PSS (RFC 4055 section 3.1; left out, it is SHA-1). */
static bool is_good_pss(X509_ALGOR const *alg)
{
    int type = V_ASN1_UNDEF;
    void const *value = NULL;
    RSA_PSS_PARAMS *pss = NULL;
    bool good = false;

    X509_ALGOR_get0(NULL, &type, &value, alg);
    if (type == V_ASN1_SEQUENCE)
        pss = ASN1_item_unpack(value, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
    if (pss != NULL && pss->hashAlgorithm != NULL)
        good = is_good_digest(OBJ_obj2nid(pss->hashAlgorithm->algorithm));
    RSA_PSS_PARAMS_free(pss);
    return good;
}

static bool is_good_algorithm(OCSP_BASICRESP const *basic)
{
    X509_ALGOR const *alg = OCSP_resp_get0_tbs_sigalg(basic);
    ASN1_OBJECT const *oid = NULL;
    int digest = NID_undef;

    X509_ALGOR_get0(&oid, NULL, NULL, alg);
    int const nid = OBJ_obj2nid(oid);
    if (nid == NID_ED25519)
        return true;
    if (nid == NID_rsassaPss)
        return is_good_pss(alg);
    return OBJ_find_sigid_algs(nid, &digest, NULL) == 1 && is_good_digest(digest);
}

/* ResponderID names a certificate by its subject, or by the SHA-1 of its key (section 4.2.1). */
static bool is_named(OCSP_BASICRESP const *basic, X509 *x)
{
    ASN1_OCTET_STRING const *hash = NULL;
    X509_NAME const *name = NULL;
    unsigned char own[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (OCSP_resp_get0_id(basic, &hash, &name) != 1)
        return false;
    if (name != NULL)
        return X509_NAME_cmp(name, X509_get_subject_name(x)) == 0;
    return hash != NULL && X509_pubkey_digest(x, EVP_sha1(), own, &len) == 1 &&
           ASN1_STRING_length(hash) == (int)len &&
           memcmp(ASN1_STRING_get0_data(hash), own, len) == 0;
}

/* The signature alone: with NOVERIFY nothing is asked about the signer, with NOINTERN nobody else than
 * the one given is taken for it. */
static bool has_signed(OCSP_BASICRESP *basic, X509 *signer)
{
    STACK_OF(X509) *one = sk_X509_new_reserve(NULL, 1);
    bool signed_by = one != NULL && sk_X509_push(one, signer) == 1 &&
                     OCSP_basic_verify(basic, one, NULL, OCSP_NOVERIFY | OCSP_NOINTERN) == 1;

    sk_X509_free(one);
    return signed_by;
}

/* Signed by the issuing CA itself and by no CA in between, in force now, with no critical extension
 * that OpenSSL does not know. */
static bool is_issued_directly(reading const *r, X509 *x)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *anchor = sk_X509_new_reserve(NULL, 1);
    bool good = false;

    if (ctx != NULL && anchor != NULL && sk_X509_push(anchor, r->asked.issuer) == 1 &&
        X509_STORE_CTX_init(ctx, NULL, x, NULL) == 1) {
        X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
        X509_STORE_CTX_set0_trusted_stack(ctx, anchor);
        X509_VERIFY_PARAM_set_time(p, (time_t)(r->now / DT_SECONDS(1)));
        X509_VERIFY_PARAM_set_auth_level(p, DT_OCSP_AUTH_LEVEL);
        X509_VERIFY_PARAM_set_depth(p, 0);
        good = X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN) == 1 &&
               X509_verify_cert(ctx) == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK &&
               sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) == 2;
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_free(anchor);
    return good;
}

/* A delegated responder (section 4.2.2.2, 3.). Whether it was revoked is looked up in the lists that are
 * there; without one, a CA that delegates for long takes that upon itself (section 4.2.2.2.1). */
static bool is_delegated(reading const *r, X509 *x)
{
    uint32_t const flags = X509_get_extension_flags(x);

    return (flags & EXFLAG_INVALID) == 0 && (flags & EXFLAG_CA) == 0 &&
           (flags & EXFLAG_XKUSAGE) != 0 && (X509_get_extended_key_usage(x) & XKU_OCSP_SIGN) != 0 &&
           ((flags & EXFLAG_KUSAGE) == 0 || (X509_get_key_usage(x) & KU_DIGITAL_SIGNATURE) != 0) &&
           dt_key_kind_of(X509_get0_pubkey(x)) != DT_KEY_REFUSED && is_issued_directly(r, x) &&
           dt_crls_look(&r->s->crls, x, r->asked.issuer, r->now) != DT_CRL_REVOKED;
}

static bool is_in_force(reading const *r, X509 *x)
{
    dt_time from = 0, to = 0;

    return dt_x509_time(X509_get0_notBefore(x), &from) == 0 &&
           dt_x509_time(X509_get0_notAfter(x), &to) == 0 && from <= r->now && r->now <= to;
}

/* By the company's own word (section 4.2.2.2, 1.). */
static bool is_configured_signer(reading const *r)
{
    for (int i = 0; i < sk_X509_num(r->s->responders); i++) {
        X509 *x = sk_X509_value(r->s->responders, i);
        if (is_named(r->basic, x) && is_in_force(r, x) && has_signed(r->basic, x))
            return true;
    }
    return false;
}

static bool is_delegated_signer(reading const *r)
{
    STACK_OF(X509) const *brought = OCSP_resp_get0_certs(r->basic);

    for (int i = 0; i < sk_X509_num(brought); i++) {
        X509 *x = sk_X509_value(brought, i);
        if (is_named(r->basic, x) && is_delegated(r, x) && has_signed(r->basic, x))
            return true;
    }
    return false;
}

static int check_signer(reading const *r)
{
    X509 *issuer = r->asked.issuer;

    if (sk_X509_num(OCSP_resp_get0_certs(r->basic)) > DT_OCSP_CERTIFICATES_MAX)
        return refuse(r, DT_E_LIMIT, "the answer contains too many certificates");
    if (!is_good_algorithm(r->basic))
        return refuse(r, DT_E_CRYPTO, "the answer is signed with a weak or unknown algorithm");
    if ((is_named(r->basic, issuer) && has_signed(r->basic, issuer)) || is_configured_signer(r) ||
        is_delegated_signer(r))
        return DT_OK;
    return refuse(r, DT_E_CRYPTO,
                  "the answer is signed neither by the CA of the certificate, nor by a responder "
                  "that this CA delegated to (id-kp-OCSPSigning), nor by one of "
                  "ocsp_responder_file");
}

/* --- what it says ------------------------------------------------------------------------------- */

/* Is the entry about the certificate that was asked about? By whatever hash the responder chose. */
static bool is_about(reading const *r, OCSP_SINGLERESP const *single)
{
    OCSP_CERTID *id = OCSP_CERTID_dup(OCSP_SINGLERESP_get0_id(single)), *own = NULL;
    ASN1_OBJECT *algorithm = NULL;
    bool same = false;

    if (id != NULL && OCSP_id_get0_info(NULL, &algorithm, NULL, NULL, id) == 1) {
        int const nid = OBJ_obj2nid(algorithm);
        if (nid == NID_sha1 || is_good_digest(nid))
            own = id_of(&r->asked, EVP_get_digestbynid(nid));
    }
    if (own != NULL)
        same = OCSP_id_cmp(own, id) == 0;
    OCSP_CERTID_free(own);
    OCSP_CERTID_free(id);
    return same;
}

static bool single_has_unknown_critical(OCSP_SINGLERESP *single)
{
    return OCSP_SINGLERESP_get_ext_by_critical(single, 1, -1) >= 0;
}

static bool answer_has_unknown_critical(OCSP_BASICRESP *basic)
{
    for (int i = -1; (i = OCSP_BASICRESP_get_ext_by_critical(basic, 1, i)) >= 0;) {
        X509_EXTENSION *x = OCSP_BASICRESP_get_ext(basic, i);
        if (OBJ_obj2nid(X509_EXTENSION_get_object(x)) != NID_id_pkix_OCSP_Nonce)
            return true;
    }
    return false;
}

static int check_times(reading const *r, dt_ocsp_answer const *a)
{
    if (a->this_update > r->now + DT_OCSP_SKEW)
        return refuse(r, DT_E_INVALID, "the answer is not yet valid (thisUpdate); check the clock");
    if (a->next_update > 0 && a->next_update < a->this_update)
        return refuse(r, DT_E_INVALID, "the answer ends before it begins (nextUpdate)");
    if (a->next_update > 0 && a->next_update < r->now - DT_OCSP_SKEW)
        return refuse(r, DT_E_INVALID, "the answer is out of date (nextUpdate)");
    if (a->next_update == 0 && a->this_update < r->now - DT_OCSP_SHORT - DT_OCSP_SKEW)
        return refuse(r, DT_E_INVALID, "the answer is old and has no nextUpdate");
    if (a->this_update < r->now - r->s->ocsp.max_age - DT_OCSP_SKEW)
        return refuse(r, DT_E_INVALID, "the answer is older than ocsp_max_age (thisUpdate)");
    if (r->produced_at > r->now + DT_OCSP_SKEW || a->this_update > r->produced_at + DT_OCSP_SKEW)
        return refuse(r, DT_E_INVALID, "the answer has an impossible producedAt");
    return DT_OK;
}

static dt_ocsp_status status_of(int status)
{
    return status == V_OCSP_CERTSTATUS_GOOD      ? DT_OCSP_GOOD
           : status == V_OCSP_CERTSTATUS_REVOKED ? DT_OCSP_REVOKED
                                                 : DT_OCSP_UNKNOWN;
}

static int read_single(reading const *r, OCSP_SINGLERESP *single, dt_ocsp_answer *out)
{
    ASN1_GENERALIZEDTIME *this_update = NULL, *next_update = NULL;
    int const status = OCSP_single_get0_status(single, NULL, NULL, &this_update, &next_update);

    *out = (dt_ocsp_answer){.status = status_of(status)};
    if (status < 0 || dt_x509_time(this_update, &out->this_update) < 0 || out->this_update <= 0 ||
        (next_update != NULL &&
         (dt_x509_time(next_update, &out->next_update) < 0 || out->next_update <= 0)))
        return refuse(r, DT_E_PARSE, "the answer's times cannot be read");
    if (single_has_unknown_critical(single))
        return refuse(r, DT_E_INVALID, "the answer has an unknown critical extension");
    return check_times(r, out);
}

/* Every entry about the certificate has to hold, and the worst of them counts. */
static int read_singles(reading const *r, dt_ocsp_answer *out)
{
    int const count = OCSP_resp_count(r->basic);
    bool found = false;
    int rc = DT_OK;

    if (count > DT_OCSP_SINGLES_MAX)
        return refuse(r, DT_E_LIMIT, "the answer is about too many certificates");
    for (int i = 0; rc == DT_OK && i < count; i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(r->basic, i);
        dt_ocsp_answer one;

        if (!is_about(r, single))
            continue;
        rc = read_single(r, single, &one);
        if (rc == DT_OK && (!found || one.status == DT_OCSP_REVOKED ||
                            (one.status == DT_OCSP_UNKNOWN && out->status == DT_OCSP_GOOD)))
            *out = one;
        found = true;
    }
    if (rc == DT_OK && !found)
        rc = refuse(r, DT_E_INVALID, "the answer is about other certificates");
    return rc;
}

static int read_basic(reading *r, dt_ocsp_answer *out)
{
    if (dt_x509_time(OCSP_resp_get0_produced_at(r->basic), &r->produced_at) < 0)
        return refuse(r, DT_E_PARSE, "the answer's times cannot be read");
    if (answer_has_unknown_critical(r->basic))
        return refuse(r, DT_E_INVALID, "the answer has an unknown critical extension");
    int rc = check_signer(r);
    return rc < 0 ? rc : read_singles(r, out);
}

static int read_response(reading *r, OCSP_RESPONSE *response, dt_ocsp_answer *out)
{
    int const status = OCSP_response_status(response);
    int rc;

    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return dt_error_set(r->e, DT_E_UNAVAILABLE, "the responder answers \"%s\"",
                            OCSP_response_status_str(status));
    r->basic = OCSP_response_get1_basic(response);
    rc = r->basic != NULL ? read_basic(r, out)
                          : refuse(r, DT_E_PARSE, "the answer is not of the basic type");
    OCSP_BASICRESP_free(r->basic);
    return rc;
}

int dt_x509_ocsp_read(dt_trust_store const *anchors, dt_ocsp_question const *q, dt_bytes response,
                      dt_time now, dt_ocsp_answer *out, dt_error *e)
{
    reading r = {.s = anchors, .now = now, .e = e};
    unsigned char const *at = response.p;
    OCSP_RESPONSE *parsed = NULL;

    *out = (dt_ocsp_answer){0};
    if (anchors == NULL)
        return dt_error_set(e, DT_E_STATE, "there is no CA");
    if (response.len == 0 || response.len > DT_OCSP_RESPONSE_MAX)
        return dt_error_set(e, response.len == 0 ? DT_E_PARSE : DT_E_LIMIT,
                            "the answer is empty, or larger than %d bytes", DT_OCSP_RESPONSE_MAX);
    dt_openssl_enter();
    int rc = asked_parse(q, &r.asked, e);
    if (rc == DT_OK) {
        parsed = d2i_OCSP_RESPONSE(NULL, &at, (long)response.len);
        if (parsed == NULL || at != response.p + response.len)
            rc = dt_error_set(e, DT_E_PARSE, "the reply is not an OCSP answer");
        else
            rc = read_response(&r, parsed, out);
        asked_free(&r.asked);
    }
    OCSP_RESPONSE_free(parsed);
    dt_openssl_leave();
    if (rc < 0)
        *out = (dt_ocsp_answer){0};
    return rc;
}
