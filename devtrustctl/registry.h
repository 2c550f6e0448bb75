/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device registry as devtrustctl handles it: fingerprints, and rows of DT_TABLE_DEVICE. */
#ifndef DT_CTL_REGISTRY_H
#define DT_CTL_REGISTRY_H

#include "core/device/device_record.h"
#include "edge/store.h"

/* "SHA256:" and base64 without padding, as `ssh-keygen -l` prints it. */
#define DT_FINGERPRINT_TEXT_MAX 64

typedef struct dt_fingerprint {
    char hex[65];                       /* as the registry files it */
    char text[DT_FINGERPRINT_TEXT_MAX]; /* as OpenSSH prints it */
} dt_fingerprint;

/* Of the SSH key that a certificate holds. DT_E_INVALID for a key that SSH does not have. */
DT_MUST_USE int dt_fingerprint_of(dt_bytes der, dt_fingerprint *out, dt_error *e);
/* Of an SSH key's blob. DT_E_CRYPTO. */
DT_MUST_USE int dt_fingerprint_of_key(dt_bytes blob, dt_fingerprint *out);
/* From "SHA256:..." with or without padding. DT_E_PARSE. */
DT_MUST_USE int dt_fingerprint_parse(char const *text, dt_fingerprint *out);
/* From a row's key in the store, "ssh:" and hex. DT_E_PARSE. */
DT_MUST_USE int dt_fingerprint_of_row(char const *key, dt_fingerprint *out);

/* What a row is worth today. */
typedef enum dt_enrolment_state {
    DT_ENROLMENT_UNREADABLE = 0, /* not a record */
    DT_ENROLMENT_WRONG_KEY,      /* the certificate holds another key than it is filed under */
    DT_ENROLMENT_JUDGED,         /* `reason` says how */
} dt_enrolment_state;

typedef struct dt_enrolment {
    dt_enrolment_state state;
    dt_reason reason; /* DT_REASON_TRUSTED, or why the certificate no longer counts */
    dt_fingerprint fingerprint;
    dt_device_record record;    /* empty when it is unreadable */
    dt_certificate certificate; /* as far as it could be read; of a key alone, its device id */
} dt_enrolment;

/* Judges a certificate of which it may be left open whether an OCSP responder has it as revoked: that is
 * asked at every sign-on. All else as dt_x509_judge. */
dt_reason dt_certificate_judge_alone(dt_trust_store const *anchors, dt_bytes der,
                                     dt_bytes const *chain, size_t chain_count,
                                     dt_guid const *tenant, dt_time now, dt_certificate *out,
                                     dt_error *e);
/* Judges a row as a sign-on would, but that no OCSP responder is asked. */
void dt_enrolment_judge(dt_trust_store const *anchors, dt_guid const *tenant, dt_time now,
                        char const *key, dt_bytes value, dt_enrolment *out);
/* "VALID", "CERTIFICATE_EXPIRED", ..., "WRONG_KEY", "UNREADABLE". */
char const *dt_enrolment_state_name(dt_enrolment const *r);

/* The row of a key. `scratch` may grow to DT_STORE_VALUE_MAX. DT_E_NOT_FOUND, DT_E_UNAVAILABLE. */
DT_MUST_USE int dt_registry_get(dt_store *s, dt_fingerprint const *f, dt_time now, dt_buf *scratch,
                                dt_bytes *value, dt_error *e);
DT_MUST_USE int dt_registry_put(dt_store *s, dt_fingerprint const *f, dt_device_record const *r,
                                dt_time now, dt_error *e);
/* DT_E_NOT_FOUND when there is none. */
DT_MUST_USE int dt_registry_remove(dt_store *s, dt_fingerprint const *f, dt_time now, dt_error *e);

/* Puts a device on the list of trusted ones, or its new name. DT_E_UNAVAILABLE. */
DT_MUST_USE int dt_registry_trust(dt_store *s, dt_trusted_record const *r, dt_time now,
                                  dt_error *e);
/* Takes it off. DT_E_NOT_FOUND when it is not on it. */
DT_MUST_USE int dt_registry_distrust(dt_store *s, dt_guid const *device, dt_time now, dt_error *e);
/* True for a row of that list; *out is zero where it cannot be read. */
bool dt_registry_is_trusted_row(char const *key, dt_bytes value, dt_trusted_record *out);

#endif
