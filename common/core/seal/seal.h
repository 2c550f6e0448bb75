/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room seal: rows of the store in a form that may lie in a database of others.
 *
 * Whoever can read that database does not learn whom a row is about, and whoever can write it cannot make a row that
 * devtrust believes. A row's key becomes an HMAC of it. Its value is sealed, and the seal holds for this table, this
 * key and this time of expiry alone, so a row that was moved or prolonged does not open. What cannot be prevented this
 * way: rows may be deleted, an older value of the same row that expires at the same time may come back, and
 * counters, which the database itself adds up, may be changed. Callers make up for these.
 *
 * Begin with ring.h, the secrets. Then, for a row: dt_seal_place_of, dt_seal_value, dt_seal_open. ring.c has the
 * file of the ring. Everything here is pure; the caller brings fresh randomness.
 *
 * Sources: RFC 2104 (HMAC), NIST SP 800-38D (GCM). One secret may seal far more than the 2^32 values that 800-38D
 * section 8.3 allows with random nonces, because each value is sealed with a key of its own, derived from the secret
 * and 16 random bytes. */
#ifndef DT_CORE_SEAL_H
#define DT_CORE_SEAL_H

#include "core/base/crypto.h"
#include "core/base/step.h"
#include "core/seal/ring.h"

#define DT_SEAL_SCHEMA 1 /* of what is sealed; another number is another kind of row */
#define DT_SEAL_SALT_LEN 16
#define DT_SEAL_RANDOM_LEN (DT_SEAL_SALT_LEN + DT_AEAD_NONCE_LEN) /* fresh for each value */
#define DT_SEAL_MARK_LEN 16
#define DT_SEAL_HEAD_LEN (1 + 4 + DT_SEAL_RANDOM_LEN)
/* What a sealed value is longer than the value and its key. */
#define DT_SEAL_MORE (DT_SEAL_HEAD_LEN + 2 + DT_AEAD_TAG_LEN)
#define DT_SEAL_VALUE_MAX (DT_SEAL_MORE + DT_STORE_KEY_MAX + DT_STORE_VALUE_MAX)

/* Where a row is. */
typedef struct dt_seal_place {
    dt_store_table table;
    uint8_t key[DT_SHA256_LEN];
    uint8_t owner
        [DT_SHA256_LEN]; /* of the key up to and with its first colon; of "" when there is none */
} dt_seal_place;

/* The place of a key under the ring. DT_E_INVALID for an empty or unended key or no table, DT_E_CRYPTO. Pure,
 * thread safe, like all here. */
DT_MUST_USE int dt_seal_place_of(dt_ring const *ring, dt_store_table table,
                                 char const key[DT_STORE_KEY_MAX], dt_seal_place *out);

/* Seals a value with the ring's current secret and appends it to `out`. `key` is what `place` was made of; it is
 * sealed along with the value, for whoever walks through a table. `random`: fresh. DT_E_LIMIT, DT_E_CRYPTO. */
DT_MUST_USE int dt_seal_value(dt_ring const *ring, dt_seal_place const *place, char const *key,
                              dt_bytes value, dt_time expires,
                              uint8_t const random[DT_SEAL_RANDOM_LEN], dt_buf *out);

/* Opens what was found under `place.table` and `place.key` with this time of expiry. `plain` is emptied, and gets key
 * and value; *key (with its NUL, in `key_text`) and *value, which points into `plain`, are what was sealed.
 * DT_E_PARSE: not of this form. DT_E_NOT_FOUND: sealed with a secret that the ring does not have. DT_E_CRYPTO: it was
 * not sealed for this place, this expiry and this epoch. Whatever the error, *value is empty and *key_text is "". */
DT_MUST_USE int dt_seal_open(dt_ring const *ring, dt_seal_place const *place, dt_time expires,
                             dt_bytes sealed, dt_buf *plain, char key_text[DT_STORE_KEY_MAX],
                             dt_bytes *value);

/* What the database compares in the place of a value, which is sealed anew each time: equal for equal values of one
 * row, and for no others. Nothing that is read is believed because of it. DT_E_CRYPTO. */
DT_MUST_USE int dt_seal_mark(dt_ring const *ring, dt_seal_place const *place, dt_bytes value,
                             uint8_t out[DT_SEAL_MARK_LEN]);

#endif
