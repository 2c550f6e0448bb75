/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a VPN client says about its device: Cisco AnyConnect's "mdm-tlv=" pairs (ACIDEX) and the like.
 * None of it is proved. It serves to find the device to look up, and to learn its
 * platform. Values come from the endpoint and are hostile. */
#ifndef DT_CORE_VPN_CLAIMS_H
#define DT_CORE_VPN_CLAIMS_H

#include "core/device/evidence.h"

#define DT_VPN_MACS_MAX 8   /* network cards of one device that are looked at */
#define DT_VPN_MAC_TEXT 13  /* 12 lower-case hex digits and a NUL */
#define DT_VPN_UID_MAX 129  /* longest device-uid, its NUL included */
#define DT_VPN_PAIRS_MAX 64 /* pairs of one request that are looked at */
#define DT_VPN_NAMES_MAX (DT_VPN_MACS_MAX + 3)

typedef struct dt_vpn_claims {
    dt_platform platform;
    char uids[2][DT_VPN_UID_MAX]; /* device-uid, device-uid-global: lower case; "" = not said */
    char macs[DT_VPN_MACS_MAX][DT_VPN_MAC_TEXT];
    size_t mac_count;
    char host_name[DT_DEVICE_NAME_MAX]; /* lower case; "" = not said */
    size_t pairs;                       /* looked at so far */
} dt_vpn_claims;

/* Takes one attribute's value into account: "mdm-tlv=device-mac=00-50-56-..", with or without
 * "mdm-tlv=". Trailing blanks are dropped (AnyConnect sends some); what is not understood, not
 * well-formed, or beyond the limits counts as not said. The first of a kind counts, of MACs all.
 * Source: Cisco document 118944 (AnyConnect ACIDEX attributes). */
void dt_vpn_claims_add_pair(dt_vpn_claims *c, dt_bytes value);
/* A platform as a client writes it: AnyConnect's device-platform ("win", "mac-intel", "linux-64",
 * "apple-ios", "android"), GlobalProtect's Client-OS ("Microsoft Windows 10 Pro , 64-bit"), and what
 * inventories write (dt_platform_from_text). */
dt_platform dt_vpn_platform(char const *text);
/* A host name (GlobalProtect's Client-Hostname): letters, digits, "-", "_", "."; else not said. */
void dt_vpn_claims_set_host_name(dt_vpn_claims *c, char const *text);

/* The 12 digits, in lower case, of a text that is written as a MAC address: "02:00:5e:10:00:07",
 * "02-00-...", "0200.5e10.0007", "0200-5e10-0007", "02005e-100007", "02005e100007", in either case. False,
 * and "", for anything else. */
bool dt_mac_digits(dt_bytes text, char out[DT_VPN_MAC_TEXT]);
/* "aa-bb-cc-dd-ee-ff", with ":", "-", "." or nothing between, to 12 lower-case hex digits. DT_E_PARSE;
 * also for the group bit, 00..00 and ff..ff, which name no card. */
DT_MUST_USE int dt_mac_parse(dt_bytes text, char out[DT_VPN_MAC_TEXT]);
/* Like dt_mac_parse, for an address that may identify a device; DT_E_INVALID for one that cannot
 * (dt_mac_identifies_nothing). */
DT_MUST_USE int dt_mac_of_device(dt_bytes text, char out[DT_VPN_MAC_TEXT]);

/* The i-th name by which the device may be found in the registry: "mac:...", "uid:...", "name:...",
 * the most telling first. False past the last. `out` has room for DT_VPN_NAME_MAX bytes. */
#define DT_VPN_NAME_MAX 160
DT_MUST_USE bool dt_vpn_claims_name(dt_vpn_claims const *c, size_t i, char out[DT_VPN_NAME_MAX]);

/* The same name as an administrator or an inventory writes it, "mac:" "00-50-56-AB-CD-EF" or "name:"
 * "LT-4711", as a claim of it would be looked for. `kind` is one of "mac:", "uid:", "name:". False for
 * another kind, and for what no client could claim. */
DT_MUST_USE bool dt_vpn_name_of(char const *kind, char const *text, char out[DT_VPN_NAME_MAX]);

#endif
