/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room device: what shows which device it is, and whether the company trusts it.
 *
 * Begin with evidence.h: each fact about the device is a dt_evidence with its source, PROVED only if a key was
 * used in this very sign-on; dt_verdict_judge makes TRUSTED, NOT_TRUSTED or UNKNOWN of a dt_evidence_set.
 * evidence_facts.h is for the two files that do so. device_help.h makes the text for people whose device is
 * not trusted.
 *
 * Where evidence comes from, one subject per file: certificates (x509.h, a port, and ocsp.h for revocation), SSH
 * keys and certificates that sshd has verified (ssh.h, ssh_key.h, ssh_certificate.h; ssh_wire.h is their binary
 * form), a forwarded agent (ssh_agent.h), the managed app configuration (managed_config.h), what VPN clients claim
 * (vpn_claims.h, and vpn_evidence.h for what that is worth), the registry (device_record.h). hardware_serial.h
 * knows which serial numbers and addresses identify nothing.
 *
 * Everything here reads what it is given; looking devices up is the work of the rooms intune, okta and signon. */
#ifndef DT_CORE_DEVICE_H
#define DT_CORE_DEVICE_H

#include "core/device/evidence.h"
#include "core/device/managed_config.h"
#include "core/device/ocsp.h"
#include "core/device/ssh.h"
#include "core/device/ssh_certificate.h"
#include "core/device/vpn_claims.h"
#include "core/device/x509.h"

#endif
