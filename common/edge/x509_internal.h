/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the edge files that know OpenSSL share: PEM, parsed certificates, kinds of keys. Included by
 * them only; everybody else sees certificates through core/x509.h. */
#ifndef DT_EDGE_X509_INTERNAL_H
#define DT_EDGE_X509_INTERNAL_H

#include "core/x509.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define DT_RSA_BITS_MIN 2048
#define DT_RSA_BITS_MAX 8192     /* a signature still fits DT_SIGNATURE_MAX */
#define DT_PEM_MAX (1024 * 1024) /* largest PEM text */
#define DT_ANCHORS_MAX 256       /* most certificates of a trust store */
#define DT_RESPONDERS_MAX 32     /* most OCSP responders that are configured */

/* Every call into OpenSSL from a public function stands between these two, so that nothing of ours
 * stays in the thread's error queue: a server whose module we are reads its own errors there. */
void dt_openssl_enter(void);
void dt_openssl_leave(void);

/* One certificate of at most DT_CERTIFICATE_MAX bytes with nothing behind it. Free with X509_free.
 * DT_E_PARSE, DT_E_LIMIT. */
DT_MUST_USE int dt_x509_parse(dt_bytes der, X509 **out, dt_error *e);
/* The same, from what was parsed before where these very bytes were: for certificates that come
 * again. Shared between threads, so not to be changed. Free with X509_free, too. */
DT_MUST_USE int dt_x509_parse_kept(dt_bytes der, X509 **out, dt_error *e);

/* Appends all certificates of a PEM text. Anything else between BEGIN and END, or no certificate
 * at all, is DT_E_PARSE; more than `max` in the stack, DT_E_LIMIT. */
DT_MUST_USE int dt_pem_certificates(dt_bytes pem, STACK_OF(X509) *out, size_t max, dt_error *e);
/* An unencrypted private key; never asks anybody for a pass phrase. Free with EVP_PKEY_free. */
DT_MUST_USE int dt_pem_private_key(dt_bytes pem, EVP_PKEY **out, dt_error *e);

typedef enum dt_key_kind {
    DT_KEY_REFUSED = 0, /* weak, or of a type that devices do not have */
    DT_KEY_RSA,         /* DT_RSA_BITS_MIN..DT_RSA_BITS_MAX */
    DT_KEY_EC,          /* P-256, P-384, P-521 */
    DT_KEY_ED25519,
} dt_key_kind;
dt_key_kind dt_key_kind_of(EVP_PKEY *key);

/* What the tenant extension of a certificate holds. */
typedef enum dt_tenant_mark {
    DT_TENANT_MISSING = 0,
    DT_TENANT_UNREADABLE,
    DT_TENANT_READ,
} dt_tenant_mark;

/* Fills *out as far as x can be read. An unreadable tenant extension is no error here, *mark says
 * so. */
DT_MUST_USE int dt_x509_fields(X509 *x, dt_certificate *out, dt_tenant_mark *mark, dt_error *e);
/* A name in RFC 4514 order, escaped and cut to fit. Returns dst. */
char *dt_x509_name_text(X509_NAME const *name, char *dst, size_t size);
/* A certificate's time in milliseconds since 1970. DT_E_PARSE. */
DT_MUST_USE int dt_x509_time(ASN1_TIME const *t, dt_time *out);
/* Whether a CA of this name is known to sign for every tenant in the world. */
bool dt_x509_is_shared_name(X509_NAME const *name);

/* How many blocks a PEM text begins. */
int dt_pem_count_begins(dt_bytes pem);
/* Whether both hold the same public key. */
bool dt_x509_same_key(X509 *a, X509 *b);

/* One revocation list that was checked when it was loaded. */
typedef struct dt_crl {
    X509_CRL *crl;
    X509 *signer;              /* the anchor that signed it; borrowed from the trust store */
    CRL_DIST_POINTS *only_for; /* the point whose certificates it is for; NULL: for all */
    dt_time this_update, next_update;
} dt_crl;

typedef struct dt_crls {
    dt_crl items[DT_CRLS_MAX];
    size_t count;
} dt_crls;

typedef enum dt_crl_answer {
    DT_CRL_NO_ANSWER = 0, /* no list is for this certificate */
    DT_CRL_OUT_OF_DATE,
    DT_CRL_REVOKED,
    DT_CRL_GOOD,
} dt_crl_answer;
/* What the lists of its issuer say of a certificate. Thread safe. */
dt_crl_answer dt_crls_look(dt_crls const *crls, X509 *x, X509 *issuer, dt_time now);
void dt_crls_free(dt_crls *c);

/* Fills in what is asked about a certificate and opens the question. NULL, or why it cannot be asked. */
char const *dt_ocsp_question_make(dt_trust_store const *s, X509 *leaf, X509 *issuer,
                                  dt_ocsp_question *q);

/* The parts of a trust store. `all` is what chains may end at; shared[i] goes with its i-th. */
struct dt_trust_store {
    STACK_OF(X509) *all;
    bool shared[DT_ANCHORS_MAX];
    dt_crls crls;
    dt_revocation revocation;
    dt_ocsp_rules ocsp;
    STACK_OF(X509) *responders; /* NULL: none are configured */
};
/* Whether x is a shared anchor, or has the key of one: the same CA under another certificate. */
bool dt_trust_store_is_shared(dt_trust_store const *s, X509 *x);

#endif
