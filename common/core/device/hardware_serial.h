/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serial numbers of devices, as firmware has them and inventories repeat them. */
#ifndef DT_CORE_HARDWARE_SERIAL_H
#define DT_CORE_HARDWARE_SERIAL_H

#include "core/device/vpn_claims.h"

/* A serial number in the one form that is compared: letters in upper case, without the blanks and
 * dashes that firmware and hypervisors put in. False, and "", for one that names no device: empty, of
 * fewer than 4 characters, of one character only, longer than fits, or a word that makers leave
 * in ("To be filled by O.E.M."). */
bool dt_hardware_serial(dt_bytes text, char out[DT_HARDWARE_SERIAL_MAX]);

/* True for a serial number, a host's name or another name that many devices share:
 * "", one character all along (zeros, "xxxx"), and words that makers and software leave in. Case, blanks
 * and dashes do not count. */
bool dt_identifies_nothing(char const *word);
/* Like dt_identifies_nothing, for a MAC address, 12 hex digits in lower case: those of groups, those that were
 * made up where they are used (locally administered: 02:00:00:00:00:00, which phones report, random addresses,
 * guests), and constants of adapters that software makes. "" does not either. */
bool dt_mac_identifies_nothing(char const mac[DT_VPN_MAC_TEXT]);

#endif
