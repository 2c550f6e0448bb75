/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the edge files that know OpenSSL share: PEM, parsed certificates, kinds of keys. Included by
 * them only; everybody else sees certificates through core/device/x509.h.
 * x509_pem.c, x509_read.c, x509_store.c, x509_crl.c and x509_cache.c define it. */
#ifndef DT_EDGE_X509_INTERNAL_H
#define DT_EDGE_X509_INTERNAL_H

#include "core/device/x509.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define DT_PEM_MAX (1024 * 1024) /* largest PEM text */
#define DT_ANCHORS_MAX 256       /* most certificates of a trust store */
#define DT_RESPONDERS_MAX 32     /* most OCSP responders that are configured */

/* Every call into OpenSSL from a public function stands between these two, so that nothing of ours
 * stays in the thread's error queue: a server whose module we are reads its own errors there. */
void dt_openssl_enter(void);
void dt_openssl_leave(void);

/* One certificate of at most DT_CERTIFICATE_MAX bytes with nothing after it. Free with X509_free.
 * DT_E_PARSE, DT_E_LIMIT. */
DT_MUST_USE int dt_x509_parse(dt_bytes der, X509 **out, dt_error *e);
/* Like dt_x509_parse, from what was parsed before where these very bytes were: for certificates that come
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
/* The DT_KEY_TYPE_ bit that [ca NAME] keys has for it; 0 for DT_KEY_REFUSED. */
unsigned dt_key_type_of(EVP_PKEY *key);

/* What the tenant extension of a certificate holds. */
typedef enum dt_tenant_mark {
    DT_TENANT_MISSING = 0,
    DT_TENANT_UNREADABLE,
    DT_TENANT_READ,
} dt_tenant_mark;

/* Every name of the device that a certificate holds, by where it stands; unset where it does not. */
typedef struct dt_device_ids {
    dt_guid san_uri, extension, common_name;
    dt_guid host_name;    /* what follows "host/" in the only common name */
    bool common_name_bad; /* the only common name holds a GUID, and something else */
    bool other_mdm;       /* a URI names the device in Cisco's form, to another MDM than Intune */
} dt_device_ids;

/* Fills *out, but for the device's ids, and *ids, as far as x can be read. An unreadable tenant
 * extension is not an error here, *mark says so. */
DT_MUST_USE int dt_x509_fields(X509 *x, dt_certificate *out, dt_device_ids *ids,
                               dt_tenant_mark *mark, dt_error *e);
/* The device id of the places (dt_id_place bits) that count; unset when none of them names one. Those
 * that do must agree. DT_E_PARSE. */
DT_MUST_USE int dt_device_ids_choose(dt_device_ids const *ids, unsigned places, dt_guid *out,
                                     dt_error *e);
/* Entra's device id in the common name, taken into *entra_id; nothing where that holds none. DT_E_PARSE when
 * *entra_id is set and another. */
DT_MUST_USE int dt_device_ids_entra(dt_device_ids const *ids, dt_guid *entra_id, dt_error *e);
/* Why no place of `places` names a device; static text. */
char const *dt_device_ids_missing(dt_device_ids const *ids, unsigned places);
/* What Entra's device certificates (MS-Organization-Access) say: the device, and, where the other
 * extension named no tenant, the tenant. DT_E_PARSE. */
DT_MUST_USE int dt_x509_entra_fields(X509 *x, dt_certificate *out, dt_tenant_mark *mark,
                                     dt_error *e);
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

/* The rules of CAs: of a section [ca NAME], or, without a name, of those that have none. */
typedef struct dt_ca {
    char name[DT_CONFIG_NAME_MAX];
    dt_guid tenant;  /* that must be named; unset: it may be missing, unless the CA is shared */
    unsigned places; /* dt_id_place bits */
    unsigned keys;   /* dt_key_type bits */
    int rsa_bits_min;
    STACK_OF(ASN1_OBJECT) *usages; /* all demanded; NULL: client authentication */
    dt_revocation revocation;
    bool ocsp;
    char ocsp_url[DT_OCSP_URL_MAX]; /* "": that of each certificate */
} dt_ca;

/* The parts of a trust store. `all` is what chains may end at; shared[i] and ca[i] go with its i-th. */
struct dt_trust_store {
    STACK_OF(X509) *all;
    bool shared[DT_ANCHORS_MAX];
    uint8_t ca[DT_ANCHORS_MAX]; /* into cas */
    dt_ca cas[1 + DT_CONFIG_CAS_MAX];
    size_t ca_count;
    dt_crls crls;
    dt_ocsp_rules ocsp;
    STACK_OF(X509) *responders; /* NULL: none are configured */
};
/* Whether x is a shared anchor, or has the key of one: the same CA under another certificate. */
bool dt_trust_store_is_shared(dt_trust_store const *s, X509 *x);
/* The rules for what x signed, if it is an anchor or has the key of one; NULL when it has not. */
dt_ca const *dt_trust_store_ca_of(dt_trust_store const *s, X509 *x);
/* Fills in what is asked about a certificate and opens the question. NULL, or why it cannot be asked. */
char const *dt_ocsp_question_make(dt_trust_store const *s, dt_ca const *ca, X509 *leaf,
                                  X509 *issuer, dt_ocsp_question *q);
/* Copies the rules of a section. DT_E_INVALID, DT_E_NOMEM. Free with dt_ca_clear. */
DT_MUST_USE int dt_ca_make(dt_config_ca const *rules, dt_ca *out, dt_error *e);
void dt_ca_clear(dt_ca *ca);
/* A CA of the chain that is limited to uses must be for all that its certificates are demanded to be. */
bool dt_ca_may_issue(dt_ca const *ca, X509 *x);
/* Everything that the rules ask of a device's certificate itself, but its ids and tenant. NULL, or what
 * is wrong with it. */
char const *dt_ca_objects_to(dt_ca const *ca, X509 *leaf);

#endif
