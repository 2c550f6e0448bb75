/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry's record of one enrolled device key: made by `devtrustctl device add CERTIFICATE`,
 * read at each SSH sign-on. Kept in DT_TABLE_DEVICE under "ssh:" + hex SHA-256 of the key's SSH
 * blob. The certificate is judged anew at every sign-on; the record alone proves nothing. */
#ifndef DT_CORE_DEVICE_RECORD_H
#define DT_CORE_DEVICE_RECORD_H

#include "core/step.h"
#include "core/x509.h"

#define DT_DEVICE_RECORD_MAX (DT_CERTIFICATE_MAX * 2)

typedef struct dt_device_record {
    dt_time added;
    char name[DT_DEVICE_NAME_MAX];
    uint8_t der[DT_CERTIFICATE_MAX];
    size_t der_len;
} dt_device_record;

void dt_device_store_key(char const fingerprint[65], char out[DT_STORE_KEY_MAX]);
/* A versioned JSON text. */
DT_MUST_USE int dt_device_record_pack(dt_device_record const *r, dt_buf *out);
DT_MUST_USE int dt_device_record_unpack(dt_bytes text, dt_device_record *out);

#endif
