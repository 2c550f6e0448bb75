/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RADIUS State of a challenge: sealed, so that nobody can make or change one, and bound to the
 * person, the NAS, the station and the application, so that nobody can use another's.
 *
 *   magic and version (4)  nonce (12)  sealed { expires (8, big-endian)  id (16) }  tag (16)
 *
 * The magic, the version and a hash of the binding are authenticated along with it. The nonce is
 * random; NIST SP 800-38D section 8.3 bounds such use of one key at 2^32 seals, which at one
 * challenge every second is 136 years. */
#include "core/state_token.h"

#include <string.h>

#define DT_TOKEN_MAGIC_LEN 4
#define DT_TOKEN_PLAIN_LEN (8 + DT_STATE_ID_LEN)
#define DT_TOKEN_LEN (DT_TOKEN_MAGIC_LEN + DT_AEAD_NONCE_LEN + DT_TOKEN_PLAIN_LEN + DT_AEAD_TAG_LEN)
#define DT_TOKEN_AAD_LEN (DT_TOKEN_MAGIC_LEN + DT_SHA256_LEN)
#define DT_BINDING_FIELDS 4

_Static_assert(DT_TOKEN_LEN <= DT_STATE_TOKEN_MAX, "fits a RADIUS attribute");

/* The last byte is the version: another layout is another kind of token. */
static uint8_t const token_magic[DT_TOKEN_MAGIC_LEN] = {0xd7, 'd', 't', 1};

/* What is authenticated besides the sealed bytes. Each field is hashed by itself and the hashes are
 * hashed together: they have one length, so no two bindings give the same bytes, however long the
 * fields are. */
static int token_aad(dt_state_binding const *b, uint8_t out[DT_TOKEN_AAD_LEN])
{
    char const *fields[DT_BINDING_FIELDS] = {b->user, b->nas, b->application, b->station};
    uint8_t hashes[DT_BINDING_FIELDS * DT_SHA256_LEN];
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < DT_BINDING_FIELDS; i++)
        rc = dt_crypto_sha256(dt_bytes_str(fields[i]), hashes + i * DT_SHA256_LEN);
    if (rc != DT_OK)
        return rc;
    memcpy(out, token_magic, DT_TOKEN_MAGIC_LEN);
    return dt_crypto_sha256(dt_bytes_of(hashes, sizeof(hashes)), out + DT_TOKEN_MAGIC_LEN);
}

int dt_state_token_make(uint8_t const key[DT_AEAD_KEY_LEN],
                        uint8_t const random[DT_AEAD_NONCE_LEN + DT_STATE_ID_LEN],
                        dt_state_binding const *binding, dt_time expires, dt_buf *out,
                        char id_hex[2 * DT_STATE_ID_LEN + 1])
{
    uint8_t const *nonce = random, *id = random + DT_AEAD_NONCE_LEN;
    uint8_t plain[DT_TOKEN_PLAIN_LEN], aad[DT_TOKEN_AAD_LEN];
    int rc;

    id_hex[0] = '\0';
    if (expires <= 0)
        return DT_E_INVALID;
    rc = token_aad(binding, aad);
    if (rc != DT_OK)
        return rc;
    for (int i = 0; i < 8; i++)
        plain[i] = (uint8_t)((uint64_t)expires >> (56 - 8 * i));
    memcpy(plain + 8, id, DT_STATE_ID_LEN);
    dt_buf_put(out, token_magic, DT_TOKEN_MAGIC_LEN);
    dt_buf_put(out, nonce, DT_AEAD_NONCE_LEN);
    rc = dt_crypto_seal(key, nonce, dt_bytes_of(aad, sizeof(aad)),
                        dt_bytes_of(plain, sizeof(plain)), out);
    if (rc == DT_OK)
        rc = dt_buf_error(out);
    if (rc == DT_OK)
        dt_hex(id_hex, id, DT_STATE_ID_LEN);
    return rc;
}

bool dt_state_token_is_ours(dt_bytes token)
{
    return token.len == DT_TOKEN_LEN && memcmp(token.p, token_magic, DT_TOKEN_MAGIC_LEN) == 0;
}

int dt_state_token_open(uint8_t const key[DT_AEAD_KEY_LEN], dt_bytes token,
                        dt_state_binding const *binding, dt_time now,
                        char id_hex[2 * DT_STATE_ID_LEN + 1])
{
    uint8_t aad[DT_TOKEN_AAD_LEN], storage[DT_TOKEN_PLAIN_LEN + 1];
    size_t const head = DT_TOKEN_MAGIC_LEN + DT_AEAD_NONCE_LEN;
    uint64_t expires = 0;
    dt_buf plain;
    int rc;

    id_hex[0] = '\0';
    if (!dt_state_token_is_ours(token))
        return DT_E_CRYPTO;
    rc = token_aad(binding, aad);
    if (rc != DT_OK)
        return rc;
    dt_buf_init_fixed(&plain, storage, sizeof(storage));
    rc = dt_crypto_open(key, token.p + DT_TOKEN_MAGIC_LEN, dt_bytes_of(aad, sizeof(aad)),
                        dt_bytes_of(token.p + head, token.len - head), &plain);
    if (rc != DT_OK || plain.len != DT_TOKEN_PLAIN_LEN)
        return DT_E_CRYPTO;
    for (int i = 0; i < 8; i++)
        expires = expires << 8 | plain.p[i];
    if (expires > INT64_MAX || now >= (dt_time)expires)
        return DT_E_EXPIRED;
    dt_hex(id_hex, plain.p + 8, DT_STATE_ID_LEN);
    return DT_OK;
}
