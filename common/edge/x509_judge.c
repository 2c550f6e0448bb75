/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judges a device certificate: the chain by OpenSSL, then everything that OpenSSL does not know of
 * or leaves open. Whether the tenant must be named is decided by the chain that was built. */
#include "edge/x509_internal.h"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <string.h>

/* Signatures and keys worth at least 112 bits: no MD5, no SHA-1, no RSA below 2048
 * (SSL_CTX_set_security_level(3) lists what each level asks). */
#define DT_AUTH_LEVEL 2

/* Everything one judgement is about. */
typedef struct judgement {
    dt_trust_store const *anchors;
    dt_guid const *tenant;
    dt_certificate *cert;
    X509 *leaf;
    STACK_OF(X509) *sent; /* intermediates as the client sent them */
    dt_ca const *ca;      /* whose rules hold; NULL until the chain is known */
    dt_device_ids ids;
    dt_tenant_mark tenant_mark;
    dt_reason revocation;       /* of the chain; reported last, because it may be unknown */
    bool shared;                /* the chain passes through a CA that signs for every tenant */
    dt_ocsp_question *question; /* NULL: the caller cannot ask */
    dt_error *e;
} judgement;

static dt_reason refuse(judgement const *j, dt_reason reason, char const *words)
{
    (void)dt_error_set(j->e, DT_E_CRYPTO, "%s", words);
    return reason;
}

/* --- the chain ----------------------------------------------------------------------------- */

/* X509_V_FLAG_X509_STRICT also insists on what RFC 5280 asks of CAs but does not look at when it
 * validates a path (section 6.1), and what CAs made with common tools lack. Those are let pass;
 * that an anchor need not restrict its own key usage is for whoever configured it. */
static int on_verify(int ok, X509_STORE_CTX *ctx)
{
    if (ok)
        return ok;
    int const top = sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) - 1;
    switch (X509_STORE_CTX_get_error(ctx)) {
    case X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER:
    case X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER:
    case X509_V_ERR_CA_BCONS_NOT_CRITICAL:
        break;
    case X509_V_ERR_CA_CERT_MISSING_KEY_USAGE:
        if (X509_STORE_CTX_get_error_depth(ctx) == top)
            break;
        return 0;
    default:
        return 0;
    }
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

/* What a failure at the device's own certificate means; everything else is the issuer's. */
static dt_reason reason_at_leaf(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return DT_REASON_CERTIFICATE_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return DT_REASON_CERTIFICATE_NOT_YET_VALID;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
    case X509_V_ERR_INVALID_EXTENSION:
    case X509_V_ERR_EXTENSIONS_REQUIRE_VERSION_3:
    case X509_V_ERR_UNSUPPORTED_EXTENSION_FEATURE:
    case X509_V_ERR_SIGNATURE_ALGORITHM_MISMATCH:
    case X509_V_ERR_SIGNATURE_ALGORITHM_INCONSISTENCY:
    case X509_V_ERR_EC_KEY_EXPLICIT_PARAMS:
    case X509_V_ERR_KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA:
    case X509_V_ERR_PATHLEN_INVALID_FOR_NON_CA:
    case X509_V_ERR_SUBJECT_NAME_EMPTY:
    case X509_V_ERR_EMPTY_SUBJECT_ALT_NAME:
    case X509_V_ERR_EMPTY_SUBJECT_SAN_NOT_CRITICAL:
    case X509_V_ERR_OUT_OF_MEM:
        return DT_REASON_CERTIFICATE_INVALID;
    default:
        return DT_REASON_UNTRUSTED_ISSUER;
    }
}

/* Neither a CA nor the certificate that it has signed is valid yet: this host's clock is wrong. */
static bool is_before_all(X509_STORE_CTX *ctx, int error)
{
    time_t at = X509_VERIFY_PARAM_get_time(X509_STORE_CTX_get0_param(ctx));
    X509 const *leaf = X509_STORE_CTX_get0_cert(ctx);

    return error == X509_V_ERR_CERT_NOT_YET_VALID &&
           X509_cmp_time(X509_get0_notBefore(leaf), &at) > 0;
}

/* Says what OpenSSL said, and of which certificate. */
static dt_reason explain(judgement const *j, X509_STORE_CTX *ctx)
{
    int const error = X509_STORE_CTX_get_error(ctx);
    int const depth = X509_STORE_CTX_get_error_depth(ctx);
    X509 *at = X509_STORE_CTX_get_current_cert(ctx);
    char name[DT_X509_NAME_MAX] = "the certificate";
    if (at != NULL)
        dt_x509_name_text(X509_get_subject_name(at), name, sizeof(name));
    (void)dt_error_set(j->e, DT_E_CRYPTO, "%s: %s (issuer %s)", name,
                       X509_verify_cert_error_string(error), j->cert->issuer);
    return depth == 0 || is_before_all(ctx, error) ? reason_at_leaf(error)
                                                   : DT_REASON_UNTRUSTED_ISSUER;
}

/* No purpose and no trust setting are given: the leaf's usage is judged below, more strictly than
 * OpenSSL does, and the anchors are exactly those of the configuration. */
static bool prepare(X509_STORE_CTX *ctx, judgement const *j, dt_time now)
{
    if (X509_STORE_CTX_init(ctx, NULL, j->leaf, j->sent) != 1)
        return false;
    X509_STORE_CTX_set0_trusted_stack(ctx, j->anchors->all);
    X509_STORE_CTX_set_verify_cb(ctx, on_verify);
    X509_VERIFY_PARAM *p = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(p, (time_t)(now / DT_SECONDS(1)));
    X509_VERIFY_PARAM_set_auth_level(p, DT_AUTH_LEVEL);
    /* OpenSSL counts what lies between the leaf and the anchor. */
    X509_VERIFY_PARAM_set_depth(p, DT_X509_DEPTH_MAX - 2);
    return X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN |
                                              X509_V_FLAG_TRUSTED_FIRST) == 1;
}

/* The rules that hold are those of the first configured CA above the device, also where the client
 * sent another certificate of that CA, and the chain went on. */
static dt_ca const *rules_of(judgement const *j, STACK_OF(X509) *chain)
{
    dt_ca const *ca = NULL;

    for (int i = sk_X509_num(chain) > 1 ? 1 : 0; ca == NULL && i < sk_X509_num(chain); i++)
        ca = dt_trust_store_ca_of(j->anchors, sk_X509_value(chain, i));
    return ca;
}

/* A CA that is limited to other uses does not make device certificates; and one that is a shared
 * anchor, or is known by its name or its issuer's to be one, makes them for everybody. */
static dt_reason look_along(judgement *j, STACK_OF(X509) *chain)
{
    j->ca = rules_of(j, chain);
    if (j->ca == NULL)
        return refuse(j, DT_REASON_UNTRUSTED_ISSUER, "the chain ends at no configured CA");
    memcpy(j->cert->ca, j->ca->name, sizeof(j->cert->ca));
    for (int i = 1; i < sk_X509_num(chain); i++) {
        X509 *ca = sk_X509_value(chain, i);
        if (!dt_ca_may_issue(j->ca, ca))
            return refuse(j, DT_REASON_UNTRUSTED_ISSUER,
                          "a CA of the chain may not issue client certificates");
        j->shared = j->shared || dt_trust_store_is_shared(j->anchors, ca) ||
                    dt_x509_is_shared_name(X509_get_subject_name(ca)) ||
                    dt_x509_is_shared_name(X509_get_issuer_name(ca));
    }
    return DT_REASON_TRUSTED;
}

/* What the lists say of the i-th certificate of the chain. `why`: OCSP has no say, and why. */
static dt_reason judge_revocation_of(judgement *j, STACK_OF(X509) *chain, int i, char const *why,
                                     dt_time now)
{
    X509 *x = sk_X509_value(chain, i);
    char name[DT_X509_NAME_MAX];
    dt_crl_answer a = dt_crls_look(&j->anchors->crls, x, sk_X509_value(chain, i + 1), now);

    if (a == DT_CRL_GOOD) {
        j->cert->listed = j->cert->listed || i == 0;
        return DT_REASON_TRUSTED;
    }
    dt_x509_name_text(X509_get_subject_name(x), name, sizeof(name));
    if (a == DT_CRL_REVOKED) {
        (void)dt_error_set(j->e, DT_E_CRYPTO, "%s was revoked by its CA", name);
        return DT_REASON_CERTIFICATE_REVOKED;
    }
    (void)dt_error_set(j->e, DT_E_UNAVAILABLE,
                       "it is unknown whether %s is revoked: %s (crl_file)%s%s", name,
                       a == DT_CRL_OUT_OF_DATE ? "its CA's revocation list is out of date"
                                               : "there is no revocation list of its CA",
                       why != NULL ? "; OCSP: " : "", why != NULL ? why : "");
    if (j->ca->revocation != DT_REVOCATION_SOFT)
        return DT_REASON_LOOKUP_UNAVAILABLE;
    j->cert->not_checked = true;
    return DT_REASON_TRUSTED;
}

/* The device's own certificate. Where a responder is to be asked as well, what it is without an answer
 * goes into the question. */
static dt_reason judge_leaf_revocation(judgement *j, STACK_OF(X509) *chain, bool ask, dt_time now)
{
    dt_ocsp_question *q = j->question;
    bool const above_unchecked = j->cert->not_checked;
    char const *why = NULL;

    if (ask && q != NULL)
        why = dt_ocsp_question_make(j->anchors, j->ca, j->leaf, sk_X509_value(chain, 1), q);
    dt_reason const reason = judge_revocation_of(j, chain, 0, why, now);
    if (q == NULL)
        return reason;
    q->open = q->open && reason != DT_REASON_CERTIFICATE_REVOKED;
    q->otherwise = reason;
    q->unchecked = j->cert->not_checked;
    q->above_unchecked = above_unchecked;
    q->listed = j->cert->listed;
    return reason;
}

/* Of each certificate below the anchor; one that is revoked outweighs one that nobody knows of. CAs go
 * by lists alone: what little a responder would add to them is not worth a call each. And where it is
 * not known of a CA, it is of no use to ask about the device. */
static dt_reason judge_revocation(judgement *j, STACK_OF(X509) *chain, dt_time now)
{
    dt_reason reason = DT_REASON_TRUSTED, one;

    if (j->ca->revocation == DT_REVOCATION_OFF || sk_X509_num(chain) < 2)
        return reason;
    for (int i = sk_X509_num(chain) - 2; i > 0; i--) {
        one = judge_revocation_of(j, chain, i, NULL, now);
        if (one == DT_REASON_CERTIFICATE_REVOKED)
            return one;
        reason = reason == DT_REASON_TRUSTED ? one : reason;
    }
    dt_error const above = j->e != NULL ? *j->e : (dt_error){0};
    one = judge_leaf_revocation(j, chain, j->ca->ocsp && reason == DT_REASON_TRUSTED, now);
    if (one == DT_REASON_CERTIFICATE_REVOKED || reason == DT_REASON_TRUSTED)
        return one;
    if (j->e != NULL)
        *j->e = above;
    return reason;
}

static dt_reason judge_chain(judgement *j, dt_time now)
{
    if (j->anchors == NULL || dt_trust_store_size(j->anchors) == 0)
        return refuse(j, DT_REASON_UNTRUSTED_ISSUER, "no CA for devices is configured");
    dt_reason reason = DT_REASON_NONE;
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (ctx == NULL || !prepare(ctx, j, now))
        reason = refuse(j, DT_REASON_CERTIFICATE_INVALID, "out of memory");
    else if (X509_verify_cert(ctx) != 1 || X509_STORE_CTX_get_error(ctx) != X509_V_OK)
        reason = explain(j, ctx);
    else
        reason = look_along(j, X509_STORE_CTX_get0_chain(ctx));
    if (reason == DT_REASON_TRUSTED)
        j->revocation = judge_revocation(j, X509_STORE_CTX_get0_chain(ctx), now);
    X509_STORE_CTX_free(ctx);
    return reason;
}

/* --- the leaf ------------------------------------------------------------------------------ */

/* The ids of the places that the rules name, and of no others. */
static dt_reason judge_ids(judgement *j)
{
    dt_reason const invalid = DT_REASON_CERTIFICATE_INVALID;

    if (dt_device_ids_choose(&j->ids, j->ca->places, &j->cert->device_id, j->e) != 0)
        return invalid;
    if ((j->ca->places & DT_ID_MS_ORGANIZATION) != 0 &&
        dt_x509_entra_fields(j->leaf, j->cert, &j->tenant_mark, j->e) != 0)
        return invalid;
    /* As with the Intune id in a common name: only where no other place has that. */
    if ((j->ca->places & DT_ID_ENTRA_COMMON_NAME) != 0 && !dt_guid_is_set(&j->cert->device_id) &&
        dt_device_ids_entra(&j->ids, &j->cert->entra_id, j->e) != 0)
        return invalid;
    if (dt_guid_is_set(&j->cert->device_id) || dt_guid_is_set(&j->cert->entra_id) ||
        ((j->ca->places & DT_ID_SERIAL_NUMBER) != 0 && j->cert->hardware_serial[0] != '\0'))
        return DT_REASON_TRUSTED;
    return refuse(j, invalid, dt_device_ids_missing(&j->ids, j->ca->places));
}

static dt_reason judge_leaf(judgement *j)
{
    char const *objection = dt_ca_objects_to(j->ca, j->leaf);

    return objection != NULL ? refuse(j, DT_REASON_CERTIFICATE_INVALID, objection) : judge_ids(j);
}

static dt_reason judge_tenant(judgement const *j)
{
    dt_reason const wrong = DT_REASON_WRONG_TENANT;
    bool const own = dt_guid_is_set(&j->ca->tenant);
    dt_guid const *tenant = own ? &j->ca->tenant : j->tenant;

    if (j->tenant_mark == DT_TENANT_UNREADABLE)
        return refuse(j, wrong, "the certificate's tenant (1.2.840.113556.5.14) is unreadable");
    if (j->tenant_mark == DT_TENANT_MISSING)
        return j->shared || own
                   ? refuse(
                         j, wrong,
                         own ? "its CA's section demands a tenant, but the certificate names none"
                             : "the CA signs for every tenant, but the certificate names none")
                   : DT_REASON_TRUSTED;
    if (tenant == NULL || !dt_guid_is_set(tenant))
        return refuse(j, wrong, "the certificate names a tenant, but no tenant_id is configured");
    if (!dt_guid_equal(tenant, &j->cert->tenant_id))
        return refuse(j, wrong, "the certificate is of another tenant");
    return DT_REASON_TRUSTED;
}

/* --- all of it ----------------------------------------------------------------------------- */

static dt_reason read_leaf(judgement *j, dt_bytes der)
{
    if (dt_x509_parse_kept(der, &j->leaf, j->e) != 0 ||
        dt_x509_fields(j->leaf, j->cert, &j->ids, &j->tenant_mark, j->e) != 0)
        return DT_REASON_CERTIFICATE_INVALID;
    /* For whoever reads why it was refused; the rules of its CA say what counts. */
    (void)dt_device_ids_choose(&j->ids, DT_ID_PLACES_DEFAULT, &j->cert->device_id, NULL);
    /* OpenSSL looks for no issuer of such a certificate, and would blame that. */
    if (X509_get_extension_flags(j->leaf) & EXFLAG_INVALID)
        return refuse(j, DT_REASON_CERTIFICATE_INVALID,
                      "an extension of the certificate is unreadable");
    return DT_REASON_TRUSTED;
}

static dt_reason read_sent(judgement *j, dt_bytes const *chain, size_t count)
{
    if (count > DT_CHAIN_MAX)
        return refuse(j, DT_REASON_CERTIFICATE_INVALID, "the client sent too many certificates");
    if (count == 0)
        return DT_REASON_TRUSTED;
    j->sent = sk_X509_new_reserve(NULL, (int)count);
    if (j->sent == NULL)
        return refuse(j, DT_REASON_CERTIFICATE_INVALID, "out of memory");
    for (size_t i = 0; i < count; i++) {
        X509 *x = NULL;
        if (dt_x509_parse_kept(chain[i], &x, j->e) != 0) {
            (void)dt_error_prefix(j->e, "intermediate %zu", i + 1);
            return DT_REASON_CERTIFICATE_INVALID;
        }
        (void)sk_X509_push(j->sent, x);
    }
    return DT_REASON_TRUSTED;
}

/* Everything but the leaf's revocation speaks for it: that is all there is left to find out. */
static dt_reason conclude(judgement const *j)
{
    return j->question != NULL && j->question->open ? DT_REASON_LOOKUP_UNAVAILABLE : j->revocation;
}

dt_reason dt_x509_judge_online(dt_trust_store const *anchors, dt_bytes der, dt_bytes const *chain,
                               size_t chain_count, dt_guid const *tenant, dt_time now,
                               dt_certificate *out, dt_ocsp_question *question, dt_error *e)
{
    *out = (dt_certificate){0};
    if (question != NULL)
        question->open = false;
    dt_openssl_enter();
    judgement j = {.anchors = anchors, .tenant = tenant, .cert = out, .question = question, .e = e};
    dt_reason reason = read_leaf(&j, der);
    if (reason == DT_REASON_TRUSTED)
        reason = read_sent(&j, chain, chain_count);
    if (reason == DT_REASON_TRUSTED)
        reason = judge_chain(&j, now);
    if (reason == DT_REASON_TRUSTED)
        reason = judge_leaf(&j);
    if (reason == DT_REASON_TRUSTED)
        reason = judge_tenant(&j);
    if (reason == DT_REASON_TRUSTED)
        reason = conclude(&j);
    else if (question != NULL)
        question->open = false;
    sk_X509_pop_free(j.sent, X509_free);
    X509_free(j.leaf);
    dt_openssl_leave();
    return reason;
}

dt_reason dt_x509_judge(dt_trust_store const *anchors, dt_bytes der, dt_bytes const *chain,
                        size_t chain_count, dt_guid const *tenant, dt_time now, dt_certificate *out,
                        dt_error *e)
{
    return dt_x509_judge_online(anchors, der, chain, chain_count, tenant, now, out, NULL, e);
}
