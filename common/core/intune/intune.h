/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room intune: what is asked of Microsoft about a device, and what its answers mean.
 *
 * Each question has a function that builds the dt_http_request, a strict reader of the reply, and a packed form
 * for the cache; nothing here sends or waits. Begin with dt_intune_get_device and dt_intune_read_device, which
 * make a dt_intune_device. This header is Intune by Microsoft Graph (v1.0, managedDevice) and Entra's device
 * objects and tokens (Microsoft identity platform, client credentials with a certificate); compliance_service.h is
 * Intune's Compliance Retrieval service, which can be asked instead.
 *
 * intune_record.c defines what packs and unpacks records, and their store keys. */
#ifndef DT_CORE_INTUNE_H
#define DT_CORE_INTUNE_H

#include "core/device/evidence.h"
#include "core/base/json.h"
#include "core/base/step.h"
#include "core/device/vpn_claims.h"

#define DT_INTUNE_USER_MAX 256
#define DT_INTUNE_WAIT_DEFAULT DT_SECONDS(2)
#define DT_INTUNE_WAIT_MIN DT_SECONDS(1)
#define DT_INTUNE_WAIT_MAX DT_SECONDS(60)
#define DT_INTUNE_CLOCK_SKEW_MAX                                                                   \
    DT_HOURS(24) /* a last sync further in the future is not believed */
#define DT_INTUNE_ENROLLED_AHEAD_MAX DT_MINUTES(5) /* nor is an enrolment */

typedef enum dt_intune_answer {
    DT_INTUNE_UNUSABLE = 0,
    DT_INTUNE_OK,
    DT_INTUNE_NOT_ENROLLED, /* 404 with Graph's error object; a bare 404 is UNUSABLE */
    DT_INTUNE_UNREACHABLE,
    DT_INTUNE_RATE_LIMITED,
    DT_INTUNE_UNAUTHORIZED, /* 401, 403; of Entra also 400: our registration, certificate or role */
    DT_INTUNE_SERVER_ERROR,
    DT_INTUNE_LOCAL, /* it was not asked, by something of ours: dt_http_is_local */
} dt_intune_answer;

typedef enum dt_compliance {                            /* complianceState */
                             DT_COMPLIANCE_UNKNOWN = 0, /* "unknown", null */
                             DT_COMPLIANCE_COMPLIANT,   /* exactly "compliant" */
                             DT_COMPLIANCE_NOT_COMPLIANT, /* noncompliant, conflict, error, configManager, any other word */
                             DT_COMPLIANCE_IN_GRACE_PERIOD,
} dt_compliance;

typedef struct dt_intune_device {
    bool enrolled; /* false: Graph answered 404 */
    bool managed;  /* managementState is exactly "managed", and deviceRegistrationState tells of no
                      registration that was revoked, is in conflict or is not complete */
    dt_compliance compliance;
    dt_guid device_id; /* managedDevices.id, must equal what was asked for */
    dt_guid entra_id;
    char serial[DT_HARDWARE_SERIAL_MAX]; /* as dt_hardware_serial writes it; "" = none */
    dt_platform platform;
    dt_time last_sync;     /* 0: never, or not reported */
    dt_time grace_expires; /* 0: not reported; DT_TIME_NEVER: does not */
    dt_time enrolled_at;   /* 0: not reported */
    dt_time fetched;
    char device_name[DT_DEVICE_NAME_MAX]; /* escaped, cut */
    char user[DT_INTUNE_USER_MAX];        /* userPrincipalName, escaped, cut */
    char wifi_mac[DT_VPN_MAC_TEXT]; /* of the list only, and not kept in the record; "" = none */
} dt_intune_device;

/* A GET of `url`, which was written into out->url. DT_E_LIMIT, with *out zero, when it did not fit. */
DT_MUST_USE int dt_intune_finish_get(dt_config const *c, dt_http_service service, dt_buf const *url,
                                     dt_http_request *out);
/* The link leads to the list at `path` of the configured Graph, wherever in it: the token goes there. */
bool dt_graph_is_link(dt_config const *c, char const *path, char const *link);
/* Begins the request for a page of the list at `path`. With a `next` that is not "" it is whole, and what
 * `url` gets is to be left alone; DT_E_INVALID for one that leads elsewhere. */
DT_MUST_USE int dt_graph_list_begin(dt_config const *c, char const *path, char const *next,
                                    dt_http_request *out, dt_buf *url);
/* What a reply without a status means; `who` is the service that was asked, as in "Graph". */
dt_intune_answer dt_intune_no_status(dt_http_response const *r, char const *who, dt_error *e);
/* Any reply of Graph. With OK *root is the caller's to free, else NULL. A refusal names the
 * `permission` that the app registration should have. */
dt_intune_answer dt_graph_read(dt_http_response const *r, char const *permission, dt_json **root,
                               dt_error *e);

DT_MUST_USE int dt_intune_get_device(dt_config const *c, dt_guid const *device_id,
                                     dt_http_request *out);
/* With OK and NOT_ENROLLED *out is filled, to be packed; with all else it is zero. */
dt_intune_answer dt_intune_read_device(dt_http_response const *r, dt_guid const *asked, dt_time now,
                                       dt_intune_device *out, dt_error *e);
/* The list of all devices, a page at a time. `next` is the link that the page before gave, or "" for
 * the first page, of at most `size` devices. DT_E_INVALID for a link that leads anywhere but to this
 * list at the configured Graph: the token goes with it. */
#define DT_INTUNE_PAGE_MAX 500 /* devices: some 0.5 KiB each, within DT_HTTP_RESPONSE_MAX */
DT_MUST_USE int dt_intune_list_devices(dt_config const *c, int size, char const *next,
                                       dt_http_request *out);
/* 0 goes on; anything else ends the walk. The device is borrowed. */
typedef int dt_intune_device_fn(void *ctx, dt_intune_device const *d);
#define DT_INTUNE_LEFT_OUT_NAMED 8 /* entries of a page that are named when they are left out */
typedef struct dt_intune_page {
    size_t devices;  /* that `fn` was called with */
    size_t unusable; /* entries that make no sense, or with a text that cannot be read: left out */
    dt_guid left_out[DT_INTUNE_LEFT_OUT_NAMED]; /* the first of them; unset: without an id */
    int64_t total;         /* of the whole list, where Graph says so; else -1 */
    char next[DT_URL_MAX]; /* "" on the last page; a page may be empty and yet have a next one */
    int rc;                /* of `fn` */
} dt_intune_page;
/* With all but OK the page is zero, and `fn` was not called. */
dt_intune_answer dt_intune_read_page(dt_config const *c, dt_http_response const *r, dt_time now,
                                     dt_intune_device_fn *fn, void *ctx, dt_intune_page *out,
                                     dt_error *e);
/* The name of a device whose Intune id is not known: its Entra device id (azureADDeviceId, which is
 * neither the Intune device id nor the object id of Entra's own directory), or its serial number, as
 * dt_hardware_serial writes it. Exactly one of them is set. */
typedef struct dt_intune_name {
    dt_guid entra_id;
    char serial[DT_HARDWARE_SERIAL_MAX];
} dt_intune_name;
bool dt_intune_name_is_set(dt_intune_name const *n);
/* True when an enrolled device has the name; false for a name that is not set. */
bool dt_intune_has_name(dt_intune_device const *d, dt_intune_name const *n);
/* Which device has the name. `next` as above. DT_E_INVALID for one that is not set. */
DT_MUST_USE int dt_intune_find_device(dt_config const *c, dt_intune_name const *name,
                                      char const *next, dt_http_request *out);
typedef struct dt_intune_found {
    int count;               /* 0, 1; 2: several, of which none is meant more than another */
    dt_intune_device device; /* with 1 */
} dt_intune_found;
/* Takes one page into account. With OK `next` is the next page's link, or "". An entry of another
 * name, or one that makes no sense, makes the whole UNUSABLE: who knows what it would have been. */
dt_intune_answer dt_intune_read_found(dt_config const *c, dt_http_response const *r,
                                      dt_intune_name const *name, dt_time now, dt_intune_found *io,
                                      char next[DT_URL_MAX], dt_error *e);
/* The answer about a name as the cache keeps it, under its own key: which device it is, "-" for
 * none, "*" for several. A device counts only while the answer about it has the name, too. */
void dt_intune_name_store_key(dt_intune_name const *name, char out[DT_STORE_KEY_MAX]);
DT_MUST_USE int dt_intune_found_pack(dt_intune_found const *f, dt_buf *out);
/* With count 1 only device.device_id is filled. DT_E_PARSE. */
DT_MUST_USE int dt_intune_found_unpack(dt_bytes text, dt_intune_found *out);
/* How long to wait after RATE_LIMITED or SERVER_ERROR: Retry-After, between DT_INTUNE_WAIT_MIN and
 * _MAX; DT_INTUNE_WAIT_DEFAULT when the reply does not say. */
dt_time dt_intune_rate_wait(dt_http_response const *r);

/* The record in DT_TABLE_LOOKUP: a versioned text of at most DT_INTUNE_RECORD_MAX bytes. */
#define DT_INTUNE_RECORD_MAX 1024
void dt_intune_store_key(dt_guid const *device_id, char out[DT_STORE_KEY_MAX]);
/* DT_E_INVALID for a record that makes no sense: no device id, times before 1970, words with control
 * characters, a device that is not enrolled yet managed. */
DT_MUST_USE int dt_intune_pack(dt_intune_device const *d, dt_buf *out);
/* DT_E_PARSE for anything it did not write itself, another version included. */
DT_MUST_USE int dt_intune_unpack(dt_bytes record, dt_intune_device *out);

/* By fetched, cache_ttl (negative_ttl for what is not evidence FOR the device: not enrolled, not
 * compliant, silent for too long, ...; and for a device that has only just been enrolled, which is soon
 * judged), stale_limit. A record from the future (clock went back) is
 * STALE at best. */
dt_freshness dt_intune_freshness(dt_intune_device const *d, dt_config const *c, dt_time now);

/* The evidence it makes: FOR, AGAINST or UNKNOWN with the reason. `stale` when the answer is used
 * past its freshness. lastSync older than max_sync_age is AGAINST with STALE. In the grace period:
 * FOR or AGAINST by trust_in_grace_period, with IN_GRACE_PERIOD; once it has expired, or when its end
 * was not reported, AGAINST with NOT_COMPLIANT. A device that was enrolled less than fresh_enrollment_grace
 * ago, and of whose compliance nothing is known yet, is in its grace period so long. A stale answer is
 * FOR only if it was compliant. */
void dt_intune_evidence(dt_intune_device const *d, dt_config const *c, dt_time now, bool stale,
                        dt_evidence *out);
/* Intune names this person as the device's user (userPrincipalName, in any case of letters). False for
 * a device without a user, and for a name that was too long or too odd to be kept as it is. */
bool dt_intune_is_owner(dt_intune_device const *d, char const *login);
/* UNKNOWN with LOOKUP_UNAVAILABLE. */
void dt_intune_evidence_unavailable(dt_guid const *device_id, dt_time now, dt_evidence *out);

/* --- the token (driver-held, in memory only) -------------------------------------------------- */
/* What a token is for: each service takes its own only. */
typedef enum dt_entra_audience {
    DT_ENTRA_FOR_GRAPH = 0,
    DT_ENTRA_FOR_COMPLIANCE, /* the Compliance Retrieval service */
    DT_ENTRA_AUDIENCE_COUNT,
} dt_entra_audience;

#define DT_ENTRA_ASSERTION_LIFETIME DT_MINUTES(10)

/* Claims of the client assertion; jti is 16 random bytes. JSON text. */
DT_MUST_USE int dt_entra_assertion_claims(dt_config const *c, uint8_t const jti[16], dt_time now,
                                          dt_buf *out);
/* The token URL: {login_url}/{tenant}/oauth2/v2.0/token. */
DT_MUST_USE int dt_entra_token_url(dt_config const *c, char out[DT_URL_MAX]);
/* Form body; `assertion` is the signed JWT; NULL: `secret` is the client secret. Exactly one of the two.
 * The body is secret: wipe it after use. The scope is that of the cloud
 * graph_url belongs to: a national cloud's own, else https://graph.microsoft.com; or of the resource
 * of the Compliance Retrieval service, whose name ends in a slash before the one that begins
 * "/.default". DT_E_INVALID when `assertion` is not a compact JWS, the secret is empty or holds a NUL, or
 * the resource is not known. */
DT_MUST_USE int dt_entra_token_body(dt_config const *c, dt_entra_audience audience,
                                    char const *assertion, dt_secret const *secret, dt_buf *out);
/* The token and when to renew it (early by a tenth of its life, at least 60 s, at most half of it).
 * *token is the caller's to free; NULL with anything but OK. Refused: a token_type other than
 * Bearer, a token of other than visible ASCII characters (it becomes a header) or longer than
 * DT_SECRET_MAX. */
dt_intune_answer dt_entra_read_token(dt_http_response const *r, dt_time now, dt_secret **token,
                                     dt_time *renew_at, dt_time *expires, dt_error *e);

#endif
