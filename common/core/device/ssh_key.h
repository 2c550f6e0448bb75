/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSH public keys and what they sign: RSA, ECDSA, Ed25519, and the same two kinds kept in a FIDO
 * security key ("sk-"). RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8332, RFC 8709; OpenSSH's
 * PROTOCOL.u2f. Pure; thread safe. */
#ifndef DT_CORE_SSH_KEY_H
#define DT_CORE_SSH_KEY_H

#include "core/base/crypto.h"

#define DT_SSH_KEY_MAX (4 * 1024) /* largest plain public key, bytes */
#define DT_SSH_SIGNATURE_MAX (4 * 1024)
#define DT_SSH_APPLICATION_MAX 256 /* of an sk- key */

/* What the signature of an sk- key says besides (PROTOCOL.u2f, "flags"). */
#define DT_SSH_USER_PRESENT 0x01 /* somebody touched the security key */

/* All borrowed from the blob it was read from. */
typedef struct dt_ssh_public {
    char const *type; /* of the plain key; a static string */
    dt_public_key key;
    bool hardware; /* kept in a security key */
    dt_bytes application;
} dt_ssh_public;

/* True for a type of certificates ("...-cert-v01@openssh.com"). */
bool dt_ssh_is_certificate_type(dt_bytes type);
/* True for a type whose key is kept in a security key; of plain keys and of certificates. */
bool dt_ssh_is_hardware_type(dt_bytes type);

/* A plain key's blob, whole. DT_E_PARSE for any other, also where RSA is shorter than 2048 bits or
 * longer than 8192. */
DT_MUST_USE int dt_ssh_public_parse(dt_bytes blob, dt_ssh_public *out);
/* Like dt_ssh_public_parse, from a line of a .pub file, "TYPE BASE64 [COMMENT]"; its blob goes to `blob`, which *out
 * borrows. DT_E_PARSE, DT_E_NOMEM. */
DT_MUST_USE int dt_ssh_public_line(dt_bytes line, dt_buf *blob, dt_ssh_public *out);
/* The fields of a key from the front of *rest, as a certificate of `certificate_type` has them after
 * its nonce. False when it is not one, or the fields are not right. */
DT_MUST_USE bool dt_ssh_public_take(dt_bytes certificate_type, dt_bytes *rest, dt_ssh_public *out);
/* The blob of the plain key, appended. */
void dt_ssh_public_put(dt_ssh_public const *k, dt_buf *out);
/* Hex SHA-256 of the plain key's blob: what `ssh-keygen -l` prints in base64. */
DT_MUST_USE int dt_ssh_public_fingerprint(dt_ssh_public const *k, char out[65]);

/* Does the signature blob hold over `message`? SHA-1 ("ssh-rsa") never does. *flags (may be NULL) gets
 * what an sk- key says, else 0. 0, DT_E_PARSE, DT_E_CRYPTO. */
DT_MUST_USE int dt_ssh_verify(dt_ssh_public const *k, dt_bytes message, dt_bytes signature,
                              uint8_t *flags);

#endif
