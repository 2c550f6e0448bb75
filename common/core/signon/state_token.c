/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RADIUS State of a challenge: sealed, so that nobody can make or change one, and bound to the
 * person, the NAS, the station and the application, so that nobody can use another's.
 *
 *   magic and version (4)  key name (8)  nonce (12)
 *   sealed { expires (8, big-endian)  id (16)  station (16) }  tag (16)
 *
 * The key's name distinguishes a State of another server from one that was changed. The magic, the version, the
 * key's name and a hash of person, NAS and application are authenticated along with it. The station is
 * inside, as the first half of its hash, zeros for none: an answer may leave it out. The nonce is random;
 * NIST SP 800-38D section 8.3 bounds such use of one key at 2^32 seals, which at one
 * challenge every second is 136 years. */
#include "core/signon/state_token.h"

#include <string.h>

#define DT_TOKEN_MAGIC_LEN 4
#define DT_TOKEN_KEY_NAME_LEN 8
#define DT_TOKEN_HEAD_LEN (DT_TOKEN_MAGIC_LEN + DT_TOKEN_KEY_NAME_LEN)
#define DT_TOKEN_STATION_LEN 16
#define DT_TOKEN_PLAIN_LEN (8 + DT_STATE_ID_LEN + DT_TOKEN_STATION_LEN)
#define DT_TOKEN_LEN (DT_TOKEN_HEAD_LEN + DT_AEAD_NONCE_LEN + DT_TOKEN_PLAIN_LEN + DT_AEAD_TAG_LEN)
#define DT_TOKEN_AAD_LEN (DT_TOKEN_HEAD_LEN + DT_SHA256_LEN)
#define DT_BINDING_FIELDS 3

_Static_assert(DT_TOKEN_LEN <= DT_STATE_TOKEN_MAX, "fits a RADIUS attribute");

/* The last byte is the version: another layout is another kind of token. */
static uint8_t const token_magic[DT_TOKEN_MAGIC_LEN] = {0xd7, 'd', 't', 2};

/* Identifies a key without revealing anything about it. */
static int key_name(uint8_t const key[DT_AEAD_KEY_LEN], uint8_t out[DT_TOKEN_KEY_NAME_LEN])
{
    static char const label[] = "devtrust name of a State key";
    uint8_t text[sizeof(label) + DT_AEAD_KEY_LEN], digest[DT_SHA256_LEN];

    memcpy(text, label, sizeof(label));
    memcpy(text + sizeof(label), key, DT_AEAD_KEY_LEN);
    int rc = dt_crypto_sha256(dt_bytes_of(text, sizeof(text)), digest);
    explicit_bzero(text, sizeof(text));
    for (size_t i = 0; rc == DT_OK && i < DT_TOKEN_KEY_NAME_LEN; i++)
        out[i] = digest[i] != 0 ? digest[i] : UINT8_MAX; /* no NUL: see rlm_devtrust/challenge.c */
    return rc;
}

static int token_head(uint8_t const key[DT_AEAD_KEY_LEN], uint8_t out[DT_TOKEN_HEAD_LEN])
{
    memcpy(out, token_magic, DT_TOKEN_MAGIC_LEN);
    return key_name(key, out + DT_TOKEN_MAGIC_LEN);
}

/* What is authenticated besides the sealed bytes. Each field is hashed by itself and the hashes are
 * hashed together: they have one length, so no two bindings give the same bytes, however long the
 * fields are. */
static int token_aad(uint8_t const head[DT_TOKEN_HEAD_LEN], dt_state_binding const *b,
                     uint8_t out[DT_TOKEN_AAD_LEN])
{
    char const *fields[DT_BINDING_FIELDS] = {b->user, b->nas, b->application};
    uint8_t hashes[DT_BINDING_FIELDS * DT_SHA256_LEN];
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < DT_BINDING_FIELDS; i++)
        rc = dt_crypto_sha256(dt_bytes_str(fields[i]), hashes + i * DT_SHA256_LEN);
    if (rc != DT_OK)
        return rc;
    memcpy(out, head, DT_TOKEN_HEAD_LEN);
    return dt_crypto_sha256(dt_bytes_of(hashes, sizeof(hashes)), out + DT_TOKEN_HEAD_LEN);
}

static bool is_known(char const *name)
{
    return name != NULL && name[0] != '\0';
}

static int station_hash(char const *station, uint8_t out[DT_TOKEN_STATION_LEN])
{
    uint8_t digest[DT_SHA256_LEN];

    memset(out, 0, DT_TOKEN_STATION_LEN);
    if (!is_known(station))
        return DT_OK;
    int rc = dt_crypto_sha256(dt_bytes_str(station), digest);
    if (rc == DT_OK)
        memcpy(out, digest, DT_TOKEN_STATION_LEN);
    return rc;
}

/* What is sealed. */
static int token_plain(dt_time expires, uint8_t const id[DT_STATE_ID_LEN], char const *station,
                       uint8_t out[DT_TOKEN_PLAIN_LEN])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)expires >> (56 - 8 * i));
    memcpy(out + 8, id, DT_STATE_ID_LEN);
    return station_hash(station, out + 8 + DT_STATE_ID_LEN);
}

int dt_state_token_make(uint8_t const key[DT_AEAD_KEY_LEN],
                        uint8_t const random[DT_AEAD_NONCE_LEN + DT_STATE_ID_LEN],
                        dt_state_binding const *binding, dt_time expires, dt_buf *out,
                        char id_hex[2 * DT_STATE_ID_LEN + 1])
{
    uint8_t const *nonce = random, *id = random + DT_AEAD_NONCE_LEN;
    uint8_t plain[DT_TOKEN_PLAIN_LEN], aad[DT_TOKEN_AAD_LEN], head[DT_TOKEN_HEAD_LEN];
    int rc;

    id_hex[0] = '\0';
    if (expires <= 0 || !is_known(binding->nas))
        return DT_E_INVALID;
    rc = token_head(key, head);
    if (rc == DT_OK)
        rc = token_aad(head, binding, aad);
    if (rc == DT_OK)
        rc = token_plain(expires, id, binding->station, plain);
    if (rc != DT_OK)
        return rc;
    dt_buf_put(out, head, sizeof(head));
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

/* An answer that leaves the station out is not from another one. */
static bool is_of_station(uint8_t const sealed[DT_TOKEN_STATION_LEN], char const *station)
{
    uint8_t now[DT_TOKEN_STATION_LEN];

    return !is_known(station) || (station_hash(station, now) == DT_OK &&
                                  dt_const_time_equal(sealed, now, DT_TOKEN_STATION_LEN));
}

static int unseal(uint8_t const key[DT_AEAD_KEY_LEN], dt_bytes token,
                  dt_state_binding const *binding, uint8_t plain[DT_TOKEN_PLAIN_LEN])
{
    uint8_t aad[DT_TOKEN_AAD_LEN], head[DT_TOKEN_HEAD_LEN], storage[DT_TOKEN_PLAIN_LEN + 1];
    size_t const sealed = DT_TOKEN_HEAD_LEN + DT_AEAD_NONCE_LEN;
    dt_buf b;
    int rc = token_head(key, head);

    if (rc == DT_OK && memcmp(token.p, head, sizeof(head)) != 0)
        return DT_E_NOT_FOUND;
    if (rc == DT_OK)
        rc = token_aad(head, binding, aad);
    if (rc != DT_OK)
        return rc;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    rc = dt_crypto_open(key, token.p + DT_TOKEN_HEAD_LEN, dt_bytes_of(aad, sizeof(aad)),
                        dt_bytes_of(token.p + sealed, token.len - sealed), &b);
    if (rc != DT_OK || b.len != DT_TOKEN_PLAIN_LEN)
        return DT_E_CRYPTO;
    memcpy(plain, storage, DT_TOKEN_PLAIN_LEN);
    return DT_OK;
}

int dt_state_token_open(uint8_t const key[DT_AEAD_KEY_LEN], dt_bytes token,
                        dt_state_binding const *binding, dt_time now,
                        char id_hex[2 * DT_STATE_ID_LEN + 1])
{
    uint8_t plain[DT_TOKEN_PLAIN_LEN];
    uint64_t expires = 0;

    id_hex[0] = '\0';
    if (!dt_state_token_is_ours(token) || !is_known(binding->nas))
        return DT_E_CRYPTO;
    int rc = unseal(key, token, binding, plain);
    if (rc != DT_OK)
        return rc;
    if (!is_of_station(plain + 8 + DT_STATE_ID_LEN, binding->station))
        return DT_E_CRYPTO;
    for (int i = 0; i < 8; i++)
        expires = expires << 8 | plain[i];
    if (expires > INT64_MAX || now >= (dt_time)expires)
        return DT_E_EXPIRED;
    dt_hex(id_hex, plain + 8, DT_STATE_ID_LEN);
    return DT_OK;
}
