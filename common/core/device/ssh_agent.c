/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of an SSH agent, and what it signs for us. */
#include "core/device/ssh_agent.h"

#include "core/device/ssh_wire.h"

#include <string.h>

/* draft-miller-ssh-agent section 5.1 */
#define AGENT_FAILURE 5
#define AGENTC_REQUEST_IDENTITIES 11
#define AGENT_IDENTITIES_ANSWER 12
#define AGENTC_SIGN_REQUEST 13
#define AGENT_SIGN_RESPONSE 14
#define AGENT_RSA_SHA2_512 4 /* section 5.3; other keys pass over it */

#define MAGIC "SSHSIG"
#define HASH "sha256"
#define MESSAGE_MAX 2048 /* before it is hashed */

/* --- what is signed --------------------------------------------------------------------------- */

static void put_text(dt_buf *b, char const *text)
{
    dt_ssh_put_string(b, dt_bytes_str(text != NULL ? text : ""));
}

static int digest_of(dt_agent_proof const *p, uint8_t digest[DT_SHA256_LEN])
{
    uint8_t storage[MESSAGE_MAX];
    dt_buf b;

    if (p->nonce.len != DT_NONCE_LEN)
        return DT_E_INVALID;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_ssh_put_string(&b, p->nonce);
    put_text(&b, p->id);
    put_text(&b, p->application);
    put_text(&b, p->user);
    put_text(&b, p->host);
    int const rc = dt_buf_error(&b);

    return rc < 0 ? rc : dt_crypto_sha256(dt_buf_bytes(&b), digest);
}

int dt_agent_proof_put(dt_agent_proof const *p, dt_buf *out)
{
    uint8_t digest[DT_SHA256_LEN];
    int const rc = digest_of(p, digest);

    if (rc < 0)
        return rc;
    dt_buf_puts(out, MAGIC);
    put_text(out, DT_AGENT_NAMESPACE);
    put_text(out, ""); /* reserved */
    put_text(out, HASH);
    dt_ssh_put_string(out, dt_bytes_of(digest, sizeof(digest)));
    return dt_buf_error(out);
}

/* --- requests --------------------------------------------------------------------------------- */

void dt_agent_list_put(dt_buf *out)
{
    dt_ssh_put_u32(out, 1);
    dt_buf_putc(out, AGENTC_REQUEST_IDENTITIES);
}

void dt_agent_sign_put(dt_bytes key, dt_bytes proof, dt_buf *out)
{
    dt_ssh_put_u32(out, (uint32_t)(1 + 4 + key.len + 4 + proof.len + 4));
    dt_buf_putc(out, AGENTC_SIGN_REQUEST);
    dt_ssh_put_string(out, key);
    dt_ssh_put_string(out, proof);
    dt_ssh_put_u32(out, AGENT_RSA_SHA2_512);
}

/* --- replies ---------------------------------------------------------------------------------- */

/* Gives the identities to `fn`, where there is one; false for a list that is not right to its end. */
static bool walk(dt_bytes rest, uint32_t count, dt_agent_identity_fn *fn, void *ctx)
{
    dt_bytes blob, comment;

    for (uint32_t i = 0; i < count; i++) {
        if (!dt_ssh_take_string(&rest, &blob) || !dt_ssh_take_string(&rest, &comment))
            return false;
        if (fn != NULL && (i >= DT_AGENT_IDENTITIES_MAX || !fn(ctx, blob)))
            return true;
    }
    return rest.len == 0;
}

int dt_agent_list_read(dt_bytes reply, dt_agent_identity_fn *fn, void *ctx, dt_error *e)
{
    uint8_t type;
    uint32_t count;

    if (!dt_ssh_take_byte(&reply, &type))
        return dt_error_set(e, DT_E_PARSE, "the agent's answer is empty");
    if (type == AGENT_FAILURE)
        return dt_error_set(e, DT_E_NOT_FOUND, "the agent does not list its keys");
    if (type != AGENT_IDENTITIES_ANSWER || !dt_ssh_take_u32(&reply, &count) ||
        !walk(reply, count, NULL, NULL))
        return dt_error_set(e, DT_E_PARSE, "the agent's answer is not a list of keys");
    (void)walk(reply, count, fn, ctx);
    return DT_OK;
}

int dt_agent_signature_read(dt_bytes reply, dt_bytes *signature, dt_error *e)
{
    uint8_t type = 0;

    *signature = dt_bytes_of(NULL, 0);
    if (dt_ssh_take_byte(&reply, &type) && type == AGENT_FAILURE)
        return dt_error_set(e, DT_E_PERMISSION, "the agent did not sign");
    if (type == AGENT_SIGN_RESPONSE && dt_ssh_take_string(&reply, signature) && reply.len == 0)
        return DT_OK;
    *signature = dt_bytes_of(NULL, 0);
    return dt_error_set(e, DT_E_PARSE, "the agent's answer is not a signature");
}

/* --- keys ------------------------------------------------------------------------------------- */

int dt_agent_key_read(dt_bytes blob, dt_ssh_public *out)
{
    dt_ssh_certificate certificate;
    dt_bytes rest = blob, type;

    *out = (dt_ssh_public){0};
    if (blob.len > DT_AGENT_BLOB_MAX || !dt_ssh_take_string(&rest, &type))
        return DT_E_PARSE;
    if (!dt_ssh_is_certificate_type(type))
        return dt_ssh_public_parse(blob, out);
    if (dt_ssh_certificate_parse(blob, &certificate, NULL) < 0)
        return DT_E_PARSE;
    *out = certificate.key;
    return DT_OK;
}

int dt_agent_verify(dt_bytes blob, dt_bytes proof, dt_bytes signature, bool hardware)
{
    dt_ssh_public key;
    uint8_t flags = 0;
    int rc = dt_agent_key_read(blob, &key);

    if (rc == DT_OK)
        rc = dt_ssh_verify(&key, proof, signature, &flags);
    if (rc == DT_OK && hardware && (!key.hardware || (flags & DT_SSH_USER_PRESENT) == 0))
        rc = DT_E_PERMISSION;
    return rc;
}
