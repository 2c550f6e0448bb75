/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a VPN client's claims are worth as evidence: which device they mean, by the registry's aliases.
 * Also the claims as text, for who asks what would come of them. */
#ifndef DT_CORE_VPN_EVIDENCE_H
#define DT_CORE_VPN_EVIDENCE_H

#include "core/base/step.h"
#include "core/device/vpn_claims.h"

#define DT_VPN_ATTRIBUTES_MAX 256 /* lines of a text that are looked at */
#define DT_VPN_ATTRIBUTE_MAX                                                                       \
    254 /* longest value of a RADIUS attribute and a NUL (RFC 2865, 5.26) */

/* What the registry's row of `name`, one of the claims' names, makes of them. True when the search is
 * over: *out is evidence FOR the device, asserted; or UNKNOWN where the store failed. False when the
 * next name is to be looked for; `why` then says what is wrong with the row, "" where there is none.
 * Pure. */
DT_MUST_USE bool dt_vpn_alias_evidence(dt_vpn_claims const *c, char const *name,
                                       dt_store_result const *r, dt_time now, dt_evidence *out,
                                       dt_error *why);
/* For when no name is known: a device-uid that is a GUID is taken for the device's own id, since some
 * MDMs hand that out. Asserted. False: none is. */
DT_MUST_USE bool dt_vpn_uid_evidence(dt_vpn_claims const *c, dt_time now, dt_evidence *out);

/* Reads attributes as FreeRADIUS prints and radclient(1) takes them, one a line:
 *
 *     Cisco-AVPair = "mdm-tlv=device-mac=00-50-56-bd-8f-3e"
 *     PaloAlto-Client-Hostname = "LT-4711"
 *     mdm-tlv=device-uid=...
 *
 * into what the module's inputs of the sample configuration would make of them; attributes of other
 * names are nothing. What cannot be read counts as not said: DT_E_PARSE or DT_E_LIMIT names the first
 * such line in `e`, and *out holds the rest. Source: FreeRADIUS, raddb/users and fr_prints(). Pure and
 * thread safe. */
DT_MUST_USE int dt_vpn_attributes_read(dt_bytes text, dt_vpn_claims *out, dt_error *e);

#endif
