/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages to an SSH agent and its answers (draft-miller-ssh-agent), as far as a proof that it
 * holds a device's key takes: its identities, and one signature. The agent is the client's: nothing it
 * says is believed but a signature that verifies. Pure; thread safe.
 *
 * What is signed has the form that ssh-keygen -Y signs (OpenSSH's PROTOCOL.sshsig), under a name space
 * of our own. It starts with "SSHSIG", which is not a length of a session identifier: so it can be taken
 * neither for SSH's userauth (RFC 4252 section 7) nor for a TLS handshake (RFC 8446 section 4.4.3),
 * which the same key may sign elsewhere, nor for anybody else's SSHSIG. */
#ifndef DT_CORE_SSH_AGENT_H
#define DT_CORE_SSH_AGENT_H

#include "core/device/ssh_certificate.h"
#include "core/base/step.h"

#define DT_AGENT_NAMESPACE "device-sign-on@devtrust"
#define DT_AGENT_IDENTITIES_MAX 64   /* of an agent that are looked at; the rest are passed over */
#define DT_AGENT_BLOB_MAX (3 * 1024) /* largest key or certificate that is asked about */
#define DT_AGENT_PROOF_MAX 256       /* bytes to be signed */

/* What the signature is bound to. Borrowed. */
typedef struct dt_agent_proof {
    dt_bytes nonce; /* fresh, DT_NONCE_LEN bytes */
    char const *id; /* of the sign-on */
    char const *application;
    char const *user;
    char const *host; /* where the sign-on is */
} dt_agent_proof;

/* The bytes to be signed, appended. DT_E_INVALID for a nonce of another length, DT_E_CRYPTO, and the
 * buffer's errors. */
DT_MUST_USE int dt_agent_proof_put(dt_agent_proof const *p, dt_buf *out);

/* Requests with their lengths in front, appended. */
void dt_agent_list_put(dt_buf *out);
void dt_agent_sign_put(dt_bytes key, dt_bytes proof, dt_buf *out);

/* One key of the list, or a certificate with its key; borrowed from the reply. Nothing of it is
 * checked. Returns false to see no more. */
typedef bool dt_agent_identity_fn(void *ctx, dt_bytes blob);
/* Reads the whole reply, without its length, before the first identity is given; gives at most
 * DT_AGENT_IDENTITIES_MAX. DT_E_NOT_FOUND for an agent that is locked or fails, DT_E_PARSE for anything
 * that is not such a list. */
DT_MUST_USE int dt_agent_list_read(dt_bytes reply, dt_agent_identity_fn *fn, void *ctx,
                                   dt_error *e);
/* The signature in the reply; borrowed. DT_E_PERMISSION when the agent, or the person it asked, says
 * no; DT_E_PARSE. */
DT_MUST_USE int dt_agent_signature_read(dt_bytes reply, dt_bytes *signature, dt_error *e);

/* The public key in a blob that is a plain key or a certificate; borrowed. DT_E_PARSE. */
DT_MUST_USE int dt_agent_key_read(dt_bytes blob, dt_ssh_public *out);
/* Is the signature over the proof valid, by the key of this blob? A security key must have been
 * touched where `hardware` is demanded. 0, DT_E_PARSE, DT_E_CRYPTO, DT_E_PERMISSION (not touched). */
DT_MUST_USE int dt_agent_verify(dt_bytes blob, dt_bytes proof, dt_bytes signature, bool hardware);

#endif
