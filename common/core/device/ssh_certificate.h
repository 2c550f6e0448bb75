/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OpenSSH user certificates of a CA that signs for devices (OpenSSH's PROTOCOL.certkeys). sshd has
 * checked one in SSH_AUTH_INFO_0 before PAM, but against *its* CAs; here it is checked whole, against
 * the CAs that sign for devices. Pure; thread safe. */
#ifndef DT_CORE_SSH_CERTIFICATE_H
#define DT_CORE_SSH_CERTIFICATE_H

#include "core/device/evidence.h"
#include "core/device/ssh_key.h"

#define DT_SSH_CERTIFICATE_MAX (16 * 1024)
#define DT_SSH_OPTIONS_MAX 64 /* critical options, or extensions, of one certificate */
#define DT_SSH_CAS_MAX 32     /* device CAs */
#define DT_SSH_NAME_MAX 128   /* of the extension that names the device */

/* The device CAs: read-only once filled, may be shared between threads. */
typedef struct dt_ssh_cas dt_ssh_cas;
DT_MUST_USE int dt_ssh_cas_new(dt_ssh_cas **out);
/* Adds OpenSSH public keys, one a line ("TYPE BASE64 [comment]"; blank lines and lines that start with
 * "#" are passed over). DT_E_PARSE names the line; DT_E_LIMIT. */
DT_MUST_USE int dt_ssh_cas_add_text(dt_ssh_cas *cas, dt_bytes text, dt_error *e);
/* NULL holds none. */
size_t dt_ssh_cas_count(dt_ssh_cas const *cas);
void dt_ssh_cas_free(dt_ssh_cas **cas);

/* Borrowed from the blob. */
typedef struct dt_ssh_certificate {
    dt_ssh_public key;
    uint64_t serial;
    uint32_t type; /* 1 user, 2 host */
    dt_bytes key_id;
    uint64_t valid_after, valid_before; /* seconds since 1970; UINT64_MAX is for ever */
    dt_bytes critical_options, extensions;
    dt_bytes ca_key;
    dt_bytes signature;
    dt_bytes signed_part; /* what the signature is over */
} dt_ssh_certificate;

/* Reads the form only. DT_E_PARSE, DT_E_LIMIT; `e` says what is wrong. */
DT_MUST_USE int dt_ssh_certificate_parse(dt_bytes blob, dt_ssh_certificate *out, dt_error *e);

/* Where the certificate is used: what it demands besides is enforced by sshd and by nobody else. */
typedef enum dt_ssh_certificate_use {
    DT_SSH_USE_AGENT = 0, /* no critical option is anybody's to enforce: none is allowed */
    DT_SSH_USE_SSHD,
} dt_ssh_certificate_use;

/* What is demanded. Borrowed. */
typedef struct dt_ssh_certificate_rules {
    dt_ssh_cas const *cas;
    char const *device_id; /* "key-id" or "extension:NAME" */
    bool hardware;         /* the key must be kept in a security key, with touch */
} dt_ssh_certificate_rules;

typedef struct dt_ssh_device {
    dt_guid device_id;
    char key_id[65]; /* hex SHA-256 of the plain key's blob */
} dt_ssh_device;

/* Judges: readable; signed by one of the device CAs, whose signature is verified here; a user
 * certificate; valid at `now`; no critical option but force-command, source-address and
 * verify-required; exactly one device id where the rules say it stands; hardware where demanded.
 * DT_REASON_TRUSTED with *out filled when all hold; else the reason, `e` in words, and *out zero. Says
 * nothing about who holds the key. */
dt_reason dt_ssh_certificate_judge(dt_ssh_certificate_rules const *rules, dt_bytes blob,
                                   dt_ssh_certificate_use use, dt_time now, dt_ssh_device *out,
                                   dt_error *e);
/* True for a value that `ssh_certificate_device_id` may have. */
bool dt_ssh_device_id_rule_is_valid(char const *text);

#endif
