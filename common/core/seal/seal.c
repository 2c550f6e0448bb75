/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sealed value:
 *
 *   version (1)  key number (4, big-endian)  salt (16)  nonce (12)
 *   sealed { length of the key (2, big-endian)  key  value }  tag (16)
 *
 * The key of the seal is HMAC(secret, label || salt). Authenticated along with it: schema, table, hash of the row's
 * key, expiry, number of the secret, epoch, version and salt. */
#include "core/seal/seal.h"

#include <string.h>

#define VERSION 1
#define AAD_LEN (2 + 1 + DT_SHA256_LEN + 8 + 4 + DT_SEAL_HEAD_LEN)
#define HASH_TEXT_MAX (32 + 4 + 1 + DT_STORE_KEY_MAX)

static char const label_key[] = "devtrust row key";
static char const label_owner[] = "devtrust row owner";
static char const label_mark[] = "devtrust row mark";
static char const label_seal[] = "devtrust row seal";

static uint8_t *put_number(uint8_t *at, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    return at + len;
}

static dt_bytes index_of(dt_ring const *ring)
{
    return dt_secret_bytes(ring->index);
}

/* Labels have different lengths and end with their NUL, so no text of one is a text of another. */
static int hash_key(dt_ring const *ring, dt_bytes label, dt_store_table table, dt_bytes key,
                    uint8_t out[DT_SHA256_LEN])
{
    uint8_t text[HASH_TEXT_MAX], *at = text;

    memcpy(at, label.p, label.len);
    at = put_number(at + label.len, ring->epoch, 4);
    at = put_number(at, (uint64_t)table, 1);
    memcpy(at, key.p, key.len);
    return dt_crypto_hmac_sha256(index_of(ring), dt_bytes_of(text, (size_t)(at - text) + key.len),
                                 out);
}

int dt_seal_place_of(dt_ring const *ring, dt_store_table table, char const key[DT_STORE_KEY_MAX],
                     dt_seal_place *out)
{
    size_t len = strnlen(key, DT_STORE_KEY_MAX);
    char const *colon = memchr(key, ':', len);
    size_t owner = colon != NULL ? (size_t)(colon - key) + 1 : 0;

    *out = (dt_seal_place){.table = table};
    if (table <= DT_TABLE_NONE || table >= DT_TABLE_COUNT || len == 0 || len == DT_STORE_KEY_MAX)
        return DT_E_INVALID;
    int rc = hash_key(ring, dt_bytes_of(label_key, sizeof(label_key)), table, dt_bytes_of(key, len),
                      out->key);
    if (rc == DT_OK)
        rc = hash_key(ring, dt_bytes_of(label_owner, sizeof(label_owner)), table,
                      dt_bytes_of(key, owner), out->owner);
    return rc;
}

int dt_seal_mark(dt_ring const *ring, dt_seal_place const *place, dt_bytes value,
                 uint8_t out[DT_SEAL_MARK_LEN])
{
    uint8_t text[sizeof(label_mark) + 1 + 2 * DT_SHA256_LEN], digest[DT_SHA256_LEN];
    uint8_t *at = text + sizeof(label_mark);
    int rc = dt_crypto_sha256(value, digest);

    memcpy(text, label_mark, sizeof(label_mark));
    at = put_number(at, (uint64_t)place->table, 1);
    memcpy(at, place->key, DT_SHA256_LEN);
    memcpy(at + DT_SHA256_LEN, digest, DT_SHA256_LEN);
    if (rc == DT_OK)
        rc = dt_crypto_hmac_sha256(index_of(ring), dt_bytes_of(text, sizeof(text)), digest);
    memcpy(out, digest, DT_SEAL_MARK_LEN);
    return rc;
}

/* The key of one seal. */
static int seal_key(dt_secret const *secret, uint8_t const salt[DT_SEAL_SALT_LEN],
                    uint8_t out[DT_AEAD_KEY_LEN])
{
    uint8_t text[sizeof(label_seal) + DT_SEAL_SALT_LEN];

    memcpy(text, label_seal, sizeof(label_seal));
    memcpy(text + sizeof(label_seal), salt, DT_SEAL_SALT_LEN);
    return dt_crypto_hmac_sha256(dt_secret_bytes(secret), dt_bytes_of(text, sizeof(text)), out);
}

/* What the seal holds for. */
static void make_aad(dt_ring const *ring, dt_seal_place const *place, dt_time expires,
                     uint8_t const head[DT_SEAL_HEAD_LEN], uint8_t out[AAD_LEN])
{
    uint8_t *at = put_number(out, DT_SEAL_SCHEMA, 2);

    at = put_number(at, (uint64_t)place->table, 1);
    memcpy(at, place->key, DT_SHA256_LEN);
    at = put_number(at + DT_SHA256_LEN, (uint64_t)expires, 8);
    at = put_number(at, ring->epoch, 4);
    memcpy(at, head, DT_SEAL_HEAD_LEN);
}

static int seal_plain(dt_ring const *ring, dt_seal_place const *place, dt_time expires,
                      uint8_t const head[DT_SEAL_HEAD_LEN], dt_bytes plain, dt_buf *out)
{
    uint8_t key[DT_AEAD_KEY_LEN], aad[AAD_LEN];
    uint8_t const *salt = head + DT_SEAL_HEAD_LEN - DT_SEAL_RANDOM_LEN;
    size_t before = out->len;
    int rc = seal_key(ring->keys[ring->current].secret, salt, key);

    make_aad(ring, place, expires, head, aad);
    dt_buf_put(out, head, DT_SEAL_HEAD_LEN);
    if (rc == DT_OK)
        rc =
            dt_crypto_seal(key, salt + DT_SEAL_SALT_LEN, dt_bytes_of(aad, sizeof(aad)), plain, out);
    if (rc == DT_OK)
        rc = dt_buf_error(out);
    if (rc != DT_OK)
        dt_buf_truncate(out, before);
    explicit_bzero(key, sizeof(key));
    return rc;
}

int dt_seal_value(dt_ring const *ring, dt_seal_place const *place, char const *key, dt_bytes value,
                  dt_time expires, uint8_t const random[DT_SEAL_RANDOM_LEN], dt_buf *out)
{
    uint8_t head[DT_SEAL_HEAD_LEN], length[2];
    size_t key_len = strnlen(key, DT_STORE_KEY_MAX);
    dt_buf plain;

    if (key_len == 0 || key_len == DT_STORE_KEY_MAX || value.len > DT_STORE_VALUE_MAX)
        return DT_E_LIMIT;
    (void)put_number(head, VERSION, 1);
    (void)put_number(head + 1, ring->keys[ring->current].id, 4);
    memcpy(head + 5, random, DT_SEAL_RANDOM_LEN);
    dt_buf_init(&plain, sizeof(length) + DT_STORE_KEY_MAX + DT_STORE_VALUE_MAX);
    (void)put_number(length, key_len, sizeof(length));
    dt_buf_put(&plain, length, sizeof(length));
    dt_buf_put(&plain, key, key_len);
    dt_buf_put(&plain, value.p, value.len);
    int rc = dt_buf_error(&plain);
    if (rc == DT_OK)
        rc = seal_plain(ring, place, expires, head, dt_buf_bytes(&plain), out);
    dt_buf_free(&plain);
    return rc;
}

static int open_sealed(dt_ring const *ring, dt_seal_place const *place, dt_time expires,
                       dt_bytes sealed, dt_buf *plain)
{
    uint8_t key[DT_AEAD_KEY_LEN], aad[AAD_LEN];
    uint32_t id = 0;

    if (sealed.len < DT_SEAL_MORE || sealed.len > DT_SEAL_VALUE_MAX || sealed.p[0] != VERSION)
        return DT_E_PARSE;
    for (int i = 1; i < 5; i++)
        id = id << 8 | sealed.p[i];
    dt_secret const *secret = dt_ring_secret(ring, id);
    if (secret == NULL)
        return DT_E_NOT_FOUND;
    uint8_t const *salt = sealed.p + DT_SEAL_HEAD_LEN - DT_SEAL_RANDOM_LEN;
    int rc = seal_key(secret, salt, key);
    make_aad(ring, place, expires, sealed.p, aad);
    if (rc == DT_OK)
        rc = dt_crypto_open(key, salt + DT_SEAL_SALT_LEN, dt_bytes_of(aad, sizeof(aad)),
                            dt_bytes_of(sealed.p + DT_SEAL_HEAD_LEN, sealed.len - DT_SEAL_HEAD_LEN),
                            plain);
    explicit_bzero(key, sizeof(key));
    return rc == DT_OK ? dt_buf_error(plain) : rc;
}

int dt_seal_open(dt_ring const *ring, dt_seal_place const *place, dt_time expires, dt_bytes sealed,
                 dt_buf *plain, char key_text[DT_STORE_KEY_MAX], dt_bytes *value)
{
    key_text[0] = '\0';
    *value = dt_bytes_of(NULL, 0);
    dt_buf_reset(plain);
    int rc = open_sealed(ring, place, expires, sealed, plain);
    if (rc != DT_OK)
        return rc;
    size_t key_len = plain->len >= 2 ? (size_t)(plain->p[0] << 8 | plain->p[1]) : 0;
    if (key_len == 0 || key_len > plain->len - 2)
        return DT_E_PARSE;
    rc = dt_str_copy_bytes(key_text, DT_STORE_KEY_MAX, dt_bytes_of(plain->p + 2, key_len));
    if (rc == DT_OK)
        *value = dt_bytes_of(plain->p + 2 + key_len, plain->len - 2 - key_len);
    return rc;
}
