/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Intune compliance by Microsoft Graph: builds requests, reads replies, packs the answer for the
 * cache. Sources: Microsoft Graph v1.0 managedDevice; Microsoft identity platform, client
 * credentials with a certificate. */
#ifndef DT_CORE_INTUNE_H
#define DT_CORE_INTUNE_H

#include "core/evidence.h"
#include "core/step.h"

typedef enum dt_intune_answer {
    DT_INTUNE_UNUSABLE = 0,
    DT_INTUNE_OK,
    DT_INTUNE_NOT_ENROLLED, /* 404 */
    DT_INTUNE_UNREACHABLE,
    DT_INTUNE_RATE_LIMITED,
    DT_INTUNE_UNAUTHORIZED,
    DT_INTUNE_SERVER_ERROR,
} dt_intune_answer;

typedef enum dt_compliance { /* complianceState */
    DT_COMPLIANCE_UNKNOWN = 0,
    DT_COMPLIANCE_COMPLIANT, /* exactly "compliant" */
    DT_COMPLIANCE_NOT_COMPLIANT, /* noncompliant, conflict, error, configManager, any other word */
    DT_COMPLIANCE_IN_GRACE_PERIOD,
} dt_compliance;

typedef struct dt_intune_device {
    bool enrolled; /* false: Graph answered 404 */
    bool managed;  /* managementState is exactly "managed" */
    dt_compliance compliance;
    dt_guid device_id; /* managedDevices.id, must equal what was asked for */
    dt_guid entra_id;
    dt_platform platform;
    dt_time last_sync;
    dt_time grace_expires;
    dt_time fetched;
    char device_name[DT_DEVICE_NAME_MAX];
    char user[256]; /* userPrincipalName */
} dt_intune_device;

DT_MUST_USE int dt_intune_get_device(dt_config const *c, dt_guid const *device_id,
                                     dt_http_request *out);
dt_intune_answer dt_intune_read_device(dt_http_response const *r, dt_guid const *asked,
                                       dt_time now, dt_intune_device *out, dt_error *e);
dt_time dt_intune_rate_wait(dt_http_response const *r);

/* The record in DT_TABLE_LOOKUP: a versioned text of at most DT_INTUNE_RECORD_MAX bytes. */
#define DT_INTUNE_RECORD_MAX 1024
void dt_intune_store_key(dt_guid const *device_id, char out[DT_STORE_KEY_MAX]);
DT_MUST_USE int dt_intune_pack(dt_intune_device const *d, dt_buf *out);
/* DT_E_PARSE for anything it did not write itself, another version included. */
DT_MUST_USE int dt_intune_unpack(dt_bytes record, dt_intune_device *out);

typedef enum dt_freshness { DT_TOO_OLD = 0, DT_STALE, DT_FRESH } dt_freshness;
/* By fetched, cache_ttl (negative_ttl for what is not compliant or not enrolled), stale_limit. A
 * record from the future (clock went back) is STALE at best. */
dt_freshness dt_intune_freshness(dt_intune_device const *d, dt_config const *c, dt_time now);

/* The evidence it makes: FOR, AGAINST or UNKNOWN with the reason. `stale` when the answer is used
 * past its freshness. lastSync older than max_sync_age is AGAINST with STALE. In the grace period:
 * FOR or AGAINST by trust_in_grace_period, with IN_GRACE_PERIOD, and AGAINST once it has expired.
 * A stale answer is FOR only if it was compliant. */
void dt_intune_evidence(dt_intune_device const *d, dt_config const *c, dt_time now, bool stale,
                        dt_evidence *out);
/* UNKNOWN with LOOKUP_UNAVAILABLE. */
void dt_intune_evidence_unavailable(dt_guid const *device_id, dt_time now, dt_evidence *out);

/* --- the token (driver-held, in memory only) -------------------------------------------------- */
/* Claims of the client assertion; jti is 16 random bytes. JSON text. */
DT_MUST_USE int dt_entra_assertion_claims(dt_config const *c, uint8_t const jti[16], dt_time now,
                                          dt_buf *out);
/* The token URL: {login_url}/{tenant}/oauth2/v2.0/token. */
DT_MUST_USE int dt_entra_token_url(dt_config const *c, char out[DT_URL_MAX]);
/* Form body; `assertion` is the signed JWT. Secret: wipe it after use. */
DT_MUST_USE int dt_entra_token_body(dt_config const *c, char const *assertion, dt_buf *out);
/* The token and when to renew it (early by a tenth of its life, at least 60 s). */
dt_intune_answer dt_entra_read_token(dt_http_response const *r, dt_time now, dt_secret **token,
                                     dt_time *renew_at, dt_time *expires, dt_error *e);

#endif
