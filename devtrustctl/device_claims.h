/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device only says, or its MDM: the part of devtrustctl device explain that judges managed app
 * configurations and VPN clients' claims. */
#ifndef DT_CTL_DEVICE_CLAIMS_H
#define DT_CTL_DEVICE_CLAIMS_H

#include "core/device/vpn_evidence.h"
#include "edge/site.h"
#include "edge/store.h"

/* What was read, whatever it is worth. */
typedef struct dt_device_claims {
    char text[1024]; /* one line for people; "" = nothing was read */
    dt_managed_facts managed;
    dt_vpn_claims vpn;
    dt_guid device_id; /* that the claims are about, as far as that was found */
} dt_device_claims;

/* The word of a managed app configuration of this host, for the sign-on of `user`. The file is read as a
 * sign-on reads it, rights and owner included; what is wrong with it is `why`. DT_E_INVALID when
 * management_hint_file is not set, DT_E_NOMEM, DT_E_LIMIT (user): then nothing was judged. */
DT_MUST_USE int dt_managed_file_judge(dt_site const *files, char const *path, char const *user,
                                      dt_time now, dt_device_claims *out, dt_reason *reason,
                                      dt_error *why, dt_error *e);
/* The verdict by [device_trust] if a VPN client said this and nothing else were known: an alternative of
 * trusted_when that needs a look-up, too, is UNKNOWN, since nobody is asked. The names are looked for among
 * the store's aliases. Errors are those of reading the file. */
DT_MUST_USE int dt_vpn_claims_judge(dt_site const *files, dt_store *store, char const *path,
                                    dt_time now, dt_device_claims *out, dt_reason *reason,
                                    dt_error *why, dt_error *e);
/* Appends what was read as members of a JSON object. */
void dt_device_claims_put(dt_buf *b, dt_device_claims const *c);

#endif
