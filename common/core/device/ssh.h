/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSH_AUTH_INFO_0: which public keys sshd has verified in this login. sshd writes one line per
 * finished method (sshd_config(5), ExposeAuthInfo; auth2.c): "publickey <type> <base64>\n". */
#ifndef DT_CORE_SSH_H
#define DT_CORE_SSH_H

#include "core/base/bytes.h"

#define DT_SSH_AUTH_INFO_MAX (64 * 1024)
#define DT_SSH_KEYS_MAX 8

typedef struct dt_ssh_key {
    char fingerprint[65]; /* hex SHA-256 of the key blob: the registry's key */
    bool hardware;        /* kept in a security key (sk-) */
} dt_ssh_key;

typedef struct dt_ssh_keys {
    dt_ssh_key items[DT_SSH_KEYS_MAX];
    size_t count;
} dt_ssh_keys;

/* What sshd verified and did not leave to its form: the blob of one certificate, borrowed. */
typedef void dt_ssh_certificate_fn(void *ctx, dt_bytes blob);

/* Reads plain public keys (certificates are passed over: their type ends in
 * "-cert-v01@openssh.com"). A malformed line, a type that differs from the blob's own, more than
 * DT_SSH_KEYS_MAX keys or as many certificates: DT_E_PARSE or DT_E_LIMIT and no key at all. Empty
 * text: 0 keys, DT_OK. */
DT_MUST_USE int dt_ssh_auth_info_parse(dt_bytes text, dt_ssh_keys *out, dt_error *e);
/* Gives the certificates of a text that dt_ssh_auth_info_parse has taken, in their order; what is in
 * them has not been looked at. Stops at the first line that is not right. */
void dt_ssh_auth_info_certificates(dt_bytes text, dt_ssh_certificate_fn *fn, void *ctx);
/* True when the text is well-formed and sshd has verified at least one key or certificate. */
bool dt_ssh_auth_info_has_key(dt_bytes text);

#endif
