/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The X.509 port: reads and judges device certificates. edge/x509_judge.c and its neighbours (x509_read.c,
 * x509_store.c, ...) implement it. Pure over its arguments: the trust anchors were loaded before, `now` comes in.
 * x509_crl.c defines what concerns revocation lists and dt_trust_store_set_revocation, x509_ocsp.c the responders,
 * x509_key.c dt_x509_ssh_blob and dt_x509_verify. */
#ifndef DT_CORE_X509_H
#define DT_CORE_X509_H

#include "core/device/ocsp.h"

#define DT_CERTIFICATE_MAX (16 * 1024) /* largest device certificate, DER bytes */
#define DT_CHAIN_MAX 8                 /* most intermediates a client may send */
#define DT_X509_NAME_MAX 256
#define DT_X509_DEPTH_MAX 6 /* longest path */
#define DT_CRLS_MAX 64      /* most revocation lists of a site */
#define DT_CRL_FILE_MAX (32 * 1024 * 1024)
#define DT_CRL_SKEW DT_MINUTES(5) /* how far clocks may be apart before a list is out of date */

/* Trust anchors: company CAs, CAs that sign for every tenant in the world, and CAs with rules of their
 * own. Opaque, read-only after loading, may be shared between threads. */
typedef struct dt_trust_store dt_trust_store;

/* From PEM text. `shared` = the tenant extension is demanded of every certificate under them. A
 * certificate whose subject says Microsoft Intune is refused in the company class. */
DT_MUST_USE int dt_trust_store_new(dt_trust_store **out);
DT_MUST_USE int dt_trust_store_add_pem(dt_trust_store *s, dt_bytes pem, bool shared, dt_error *e);
/* Adds the CAs of a section [ca NAME], whose rules are copied: certificates under them are judged by
 * these rules and no others. A CA whose key is there already, in whatever class, is refused, since it
 * could have two sets of rules; so is one that is known to sign for every tenant, unless the rules
 * name one. DT_E_PARSE, DT_E_INVALID, DT_E_LIMIT; then none is added. After those without a name. */
DT_MUST_USE int dt_trust_store_add_ca(dt_trust_store *s, dt_config_ca const *rules, dt_bytes pem,
                                      dt_error *e);
size_t dt_trust_store_size(dt_trust_store const *s);
/* Adds revocation lists, one in DER or any number in PEM, after the CAs that signed them. Each is
 * checked: signed by an anchor, a full list (RFC 5280 section 5), with thisUpdate and nextUpdate; not
 * whether it is out of date. DT_E_PARSE, DT_E_INVALID, DT_E_LIMIT; then none is added. */
DT_MUST_USE int dt_trust_store_add_crls(dt_trust_store *s, dt_bytes text, dt_error *e);
/* Like dt_trust_store_add_crls, for the CAs of the section [ca NAME] alone; DT_E_NOT_FOUND for one that was not
 * added. */
DT_MUST_USE int dt_trust_store_add_crls_of(dt_trust_store *s, char const *name, dt_bytes text,
                                           dt_error *e);
size_t dt_trust_store_crl_count(dt_trust_store const *s);
/* When the first of the lists is out of date; DT_TIME_NEVER without any. */
dt_time dt_trust_store_crls_expire(dt_trust_store const *s);
/* Of the CAs without rules of their own. OFF after dt_trust_store_new. */
void dt_trust_store_set_revocation(dt_trust_store *s, dt_revocation mode);

/* How OCSP is asked about certificates under the anchors. Off after dt_trust_store_new; nothing to
 * dt_x509_judge with revocation OFF. */
typedef struct dt_ocsp_rules {
    bool on;
    char url[DT_OCSP_URL_MAX]; /* of the responder; "": the one that the certificate names (RFC 5280
                                  section 4.2.2.1, id-ad-ocsp), the first that is usable */
    dt_time max_age;           /* how long ago thisUpdate may be */
} dt_ocsp_rules;
/* DT_E_INVALID for a URL that dt_ocsp_url_is_usable refuses. */
DT_MUST_USE int dt_trust_store_set_ocsp(dt_trust_store *s, dt_ocsp_rules const *rules);
/* Adds certificates of responders that are trusted by configuration (RFC 6960 section 4.2.2.2, 1.):
 * they may answer for every CA. PEM. DT_E_PARSE, DT_E_LIMIT. */
DT_MUST_USE int dt_trust_store_add_responders(dt_trust_store *s, dt_bytes pem, dt_error *e);
void dt_trust_store_free(dt_trust_store **s);

typedef struct dt_certificate {
    dt_guid device_id; /* from a SAN URI, else 1.2.840.113556.5.4, else CN */
    dt_guid entra_id;  /* from 1.2.840.113556.1.5.284.2 or CN, only where a CA's rules say so */
    dt_guid tenant_id; /* 1.2.840.113556.5.14; unset when missing */
    char ca[DT_CONFIG_NAME_MAX];    /* the section [ca NAME] it was judged by; "" = none */
    char subject[DT_X509_NAME_MAX]; /* RFC 4514, escaped, cut */
    char issuer[DT_X509_NAME_MAX];
    char serial[65];                              /* hex */
    char hardware_serial[DT_HARDWARE_SERIAL_MAX]; /* the subject's only serialNumber (X.520), as
                                                     dt_hardware_serial writes it; "" when none */
    char key_id[65];                              /* hex SHA-256 of SubjectPublicKeyInfo (DER) */
    dt_time not_before;
    dt_time not_after;
    bool
        not_checked; /* for revocation: nothing said that it is not revoked, and soft let it pass */
    bool listed;     /* a revocation list in force has it, and it is not revoked */
} dt_certificate;

/* Reads the fields only; says nothing about trust. DT_E_PARSE, DT_E_LIMIT. */
DT_MUST_USE int dt_x509_read(dt_bytes der, dt_certificate *out, dt_error *e);

/* Judges: readable; chain to an anchor (RFC 5280 section 6, intermediates from `chain`); valid at
 * `now`; EKU clientAuth (1.3.6.1.5.5.7.3.2) present, and key usage, where present, allows
 * digitalSignature; RSA >= 2048 or P-256/P-384/P-521/Ed25519; exactly one device id (several that
 * disagree: CERTIFICATE_INVALID); tenant extension equal to `tenant` (missing is WRONG_TENANT under
 * a shared anchor; under a company anchor it may be missing, but not differ).
 * Where the chain reaches a CA with rules of its own before any other, these stand in for the above:
 * what the certificate must be for, its key, where the device id stands and that it stands there, and
 * the tenant, which must then be named; and for the mode of revocation.
 * Revocation, unless OFF, of every certificate of the chain below its anchor: on a list that its issuer
 * signed, it is CERTIFICATE_REVOKED. Where no list that is in force speaks of it: LOOKUP_UNAVAILABLE
 * with REQUIRE, which is UNKNOWN and not NOT_TRUSTED; with SOFT it passes, out->not_checked is set
 * and `e` says why.
 * Returns DT_REASON_TRUSTED when all hold, else the reason; `e` says in words what failed.
 * *out is filled as far as the certificate could be read. */
dt_reason dt_x509_judge(dt_trust_store const *anchors, dt_bytes der, dt_bytes const *chain,
                        size_t chain_count, dt_guid const *tenant, dt_time now, dt_certificate *out,
                        dt_error *e);

/* Like dt_x509_judge, for who can ask an OCSP responder. Where the rules say that one is asked, all else about
 * the certificate holds, and no list has it as revoked: the answer is LOOKUP_UNAVAILABLE, and
 * question->open; what the certificate is then, the responder's answer decides, or, without one,
 * question->otherwise (which is what dt_x509_judge would have returned). Only the device's own
 * certificate is asked about; CAs between it and its anchor go by lists. */
dt_reason dt_x509_judge_online(dt_trust_store const *anchors, dt_bytes der, dt_bytes const *chain,
                               size_t chain_count, dt_guid const *tenant, dt_time now,
                               dt_certificate *out, dt_ocsp_question *question, dt_error *e);

/* The request for a question, appended: DER, one certificate, SHA-1 CertID, no extensions (RFC 5019
 * section 2.1). Not signed. DT_E_*. */
DT_MUST_USE int dt_x509_ocsp_request(dt_ocsp_question const *q, dt_buf *out);
/* Reads and checks an answer (RFC 6960 section 3.2): successful and basic; signed by the issuing CA, by
 * a responder that it directly delegated to (id-kp-OCSPSigning), or by one of the configured; about this
 * certificate (serial, and issuer by name and key); in force at `now` within DT_OCSP_SKEW, and
 * thisUpdate not older than the rules allow. What several entries say of the certificate: the worst
 * counts. Fills *out but for `fetched` and `until`. DT_E_PARSE, DT_E_LIMIT, DT_E_CRYPTO, DT_E_INVALID,
 * DT_E_UNAVAILABLE (the responder says that it cannot answer). */
DT_MUST_USE int dt_x509_ocsp_read(dt_trust_store const *anchors, dt_ocsp_question const *q,
                                  dt_bytes response, dt_time now, dt_ocsp_answer *out, dt_error *e);

/* Verifies a signature by the certificate's key over `message`: RSA: PKCS#1 v1.5 with SHA-256;
 * EC: ECDSA with SHA-256; Ed25519. 0 or DT_E_CRYPTO. The proof of possession of a host key. */
DT_MUST_USE int dt_x509_verify(dt_bytes der, dt_bytes message, dt_bytes signature);

/* The certificate's public key as an SSH wire key blob (RFC 4253 section 6.6, RFC 5656 section
 * 3.1, RFC 8709), appended to out: equal, byte for byte, to what SSH_AUTH_INFO_0 carries for the
 * same key. DT_E_INVALID for key types SSH does not have. */
DT_MUST_USE int dt_x509_ssh_blob(dt_bytes der, dt_buf *out);

#endif
