/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Okta Devices API (Identity Engine only): is the device that was proved in this sign-on one that
 * Okta knows, active, and managed for this very person? Builds requests, reads replies, packs the
 * answer for the cache. Sources: Okta management API, operations listUserDevices and listDeviceUsers.
 *
 * Two questions, in both directions, since neither reply says it all: the person's devices
 * (GET /api/v1/users/{id}/devices) tell status and profile, the device's people
 * (GET /api/v1/devices/{id}/users) tell managementStatus. The search (GET /api/v1/devices?search=) is
 * not asked: Okta calls it eventually consistent, so it may still show a device as it was before it
 * was suspended.
 *
 * What was proved decides which of the person's devices is meant, and nothing that a client says:
 * the device id of the proof equals profile.udid, or the serial number in the subject of the proved
 * certificate (X.520 serialNumber, 2.5.4.5) equals profile.serialNumber. More than one that fits is
 * not one.
 *
 * okta_device_record.c defines what packs and unpacks a device, and its store key. */
#ifndef DT_CORE_OKTA_DEVICE_H
#define DT_CORE_OKTA_DEVICE_H

#include "core/device/evidence.h"
#include "core/device/hardware_serial.h"
#include "core/okta/okta.h"

#define DT_OKTA_DEVICES_PER_PAGE 500 /* devices or people that one reply may name */
#define DT_OKTA_DEVICE_PAGES_MAX 8   /* pages of one person's devices, and of one device's people */

/* What Okta knows of the device and the person. 0, and all but MANAGED, speak against it. */
typedef enum dt_okta_device_state {
    DT_OKTA_DEVICE_ABSENT = 0,   /* none of the person's devices is this one */
    DT_OKTA_DEVICE_AMBIGUOUS,    /* several could be */
    DT_OKTA_DEVICE_DISABLED,     /* SUSPENDED, DEACTIVATED */
    DT_OKTA_DEVICE_OTHER_STATUS, /* CREATED, or any word but ACTIVE */
    DT_OKTA_DEVICE_JAILBROKEN,   /* integrityJailbreak is true */
    DT_OKTA_DEVICE_NOT_MANAGED,  /* managementStatus of the person's link is not exactly MANAGED */
    DT_OKTA_DEVICE_MANAGED,
    DT_OKTA_DEVICE_STATE_COUNT,
} dt_okta_device_state;
/* For a person: "managed", "not managed", ...; never NULL. */
char const *dt_okta_device_state_text(dt_okta_device_state s);

typedef struct dt_okta_device {
    dt_guid device_id;                   /* proved, that was asked about */
    char serial[DT_HARDWARE_SERIAL_MAX]; /* proved beside it; "" = none */
    char user_id[DT_OKTA_ID_MAX];
    dt_okta_device_state state;
    char id[DT_OKTA_ID_MAX]; /* of the device at Okta; "" unless exactly one fits */
    dt_platform platform;
    dt_time fetched;
    char name[DT_DEVICE_NAME_MAX]; /* escaped, cut */
} dt_okta_device;

/* DT_E_INVALID for an id that could not stand in a path. */
DT_MUST_USE int dt_okta_get_user_devices(dt_config const *c, char const *user_id,
                                         dt_http_request *out);
DT_MUST_USE int dt_okta_get_device_users(dt_config const *c, char const *okta_device_id,
                                         dt_http_request *out);

/* Is it one of these two questions? Whoever asks it at the same time may share the answer. */
bool dt_okta_is_device_request(dt_http_request const *r);

/* One page of the person's devices. Begin with *d zero but for device_id, serial and user_id; each page
 * adds to it. After the last, `id` is set when exactly one device fits, which is active: then its
 * people are to be asked about. Otherwise `state` is the answer. A page that is not all it should be is
 * UNUSABLE as a whole. next_url as of dt_okta_read_groups. */
dt_okta_answer dt_okta_read_user_devices(dt_config const *c, dt_http_response const *r,
                                         dt_okta_device *d, char next_url[DT_URL_MAX], dt_error *e);
/* One page of the device's people. `state` is MANAGED once the person's link says so, and stays
 * NOT_MANAGED once one says otherwise, whatever else is there. Begin with `state` ABSENT. */
dt_okta_answer dt_okta_read_device_users(dt_config const *c, dt_http_response const *r,
                                         dt_okta_device *d, char next_url[DT_URL_MAX], dt_error *e);

/* The record in DT_TABLE_LOOKUP: a versioned text of at most DT_OKTA_DEVICE_RECORD_MAX bytes. The key
 * is a prefix that names the device, then the serial number, then the login in lower case; DT_E_LIMIT for
 * one that does not fit. */
#define DT_OKTA_DEVICE_RECORD_MAX 768
#define DT_OKTA_DEVICE_KEY_PREFIX "okta-device:"
DT_MUST_USE int dt_okta_device_store_key(dt_guid const *device, char const *serial,
                                         char const *login, char out[DT_STORE_KEY_MAX]);
/* DT_E_INVALID for a record that makes no sense. */
DT_MUST_USE int dt_okta_device_pack(dt_okta_device const *d, dt_buf *out);
/* DT_E_PARSE for anything it did not write itself, another version included. */
DT_MUST_USE int dt_okta_device_unpack(dt_bytes record, dt_okta_device *out);

/* By cache_ttl (negative_ttl for all but MANAGED) and stale_limit of [device_trust]; a record from
 * the future is STALE at best. */
dt_freshness dt_okta_device_freshness(dt_okta_device const *d, dt_config const *c, dt_time now);
/* FOR with NONE or STALE, or AGAINST: NOT_ENROLLED, DEVICE_DEACTIVATED, NOT_COMPLIANT (jailbroken),
 * NOT_MANAGED. Never proved: Okta vouches for a device, not for who stands before us. */
void dt_okta_device_evidence(dt_okta_device const *d, dt_time now, bool stale, dt_evidence *out);
/* UNKNOWN with LOOKUP_UNAVAILABLE. */
void dt_okta_device_evidence_unavailable(dt_guid const *device_id, dt_time now, dt_evidence *out);

#endif
