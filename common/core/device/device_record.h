/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry's records, kept in DT_TABLE_DEVICE.
 *
 * An enrolled key, under "ssh:" + hex SHA-256 of the key's SSH blob, made by `devtrustctl device add`
 * and read at each SSH sign-on: which device the key is of. It holds the device's certificate, which
 * is judged anew at every sign-on; or, where a device has none, the key itself and the device id that
 * the administrator gave.
 *
 * A trusted device, under "trusted:" + its device id, made by `devtrustctl device add --trusted`: the
 * evidence of the source `registry`.
 *
 * A record alone proves nothing. */
#ifndef DT_CORE_DEVICE_RECORD_H
#define DT_CORE_DEVICE_RECORD_H

#include "core/device/ssh_key.h"
#include "core/base/step.h"
#include "core/device/x509.h"

#define DT_DEVICE_RECORD_MAX (DT_CERTIFICATE_MAX * 2)

typedef struct dt_device_record {
    dt_time added;
    char name[DT_DEVICE_NAME_MAX];
    uint8_t der[DT_CERTIFICATE_MAX]; /* of the certificate; der_len 0: there is none, then `key` */
    size_t der_len;
    uint8_t key[DT_SSH_KEY_MAX]; /* SSH blob */
    size_t key_len;
    dt_guid device_id; /* with `key` only: a certificate names its device itself */
} dt_device_record;

void dt_device_store_key(char const fingerprint[65], char out[DT_STORE_KEY_MAX]);
/* An alias: a name by which a VPN client calls a device ("mac:...", "uid:...", "name:...";
 * core/device/vpn_claims.h), kept in the same table under "alias:" + the name. It proves nothing. */
#define DT_DEVICE_ALIAS_PREFIX "alias:"
#define DT_DEVICE_ALIAS_VALUE_MAX 96
typedef struct dt_device_alias {
    dt_guid device; /* unset: several devices have this name, so it names none */
    dt_time synced; /* when the sync began that filed it; 0: an administrator did */
} dt_device_alias;
/* Whether a row of the table is an alias. */
bool dt_device_alias_is_row(char const *key);
void dt_device_alias_key(char const *name, char out[DT_STORE_KEY_MAX]);
/* DT_E_INVALID for an administrator's alias that names no device. */
DT_MUST_USE int dt_device_alias_pack(dt_device_alias const *a, dt_buf *out);
/* DT_E_PARSE, DT_E_LIMIT; then *out is zero, which names no device. */
DT_MUST_USE int dt_device_alias_unpack(dt_bytes text, dt_device_alias *out);
/* What becomes of an alias when the sync that began at `synced` finds the name at `device`. `old` is
 * what was there, NULL for nothing. An administrator's alias stays. A name that the same sync has
 * found at another device is of several, whichever comes last; one of an earlier sync has moved.
 * False: it stays as it is. */
DT_MUST_USE bool dt_device_alias_found(dt_device_alias const *old, dt_guid const *device,
                                       dt_time synced, dt_device_alias *out);

/* A versioned JSON text. DT_E_INVALID unless it holds either a certificate, or a key with a device id. */
DT_MUST_USE int dt_device_record_pack(dt_device_record const *r, dt_buf *out);
DT_MUST_USE int dt_device_record_unpack(dt_bytes text, dt_device_record *out);

#define DT_TRUSTED_RECORD_MAX 1024

typedef struct dt_trusted_record {
    dt_time added;
    char name[DT_DEVICE_NAME_MAX];
    dt_guid device_id;
} dt_trusted_record;

void dt_trusted_store_key(dt_guid const *device, char out[DT_STORE_KEY_MAX]);
DT_MUST_USE int dt_trusted_record_pack(dt_trusted_record const *r, dt_buf *out);
DT_MUST_USE int dt_trusted_record_unpack(dt_bytes text, dt_trusted_record *out);

#endif
