/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ring of secrets that rows in a shared database are sealed with, the same on all nodes.
 *
 * One secret is current: new rows are sealed with it. The others open rows that were sealed before. A further secret
 * hashes the keys of rows; it stays when the others are rotated, so that all nodes find the same rows meanwhile. The
 * epoch is raised after a restore of the database: this makes a new secret for the keys, and no row of an earlier
 * epoch is found or opened any more.
 *
 * The file is text. Rotation in three steps, of which each is brought to all nodes before the next: add a secret, which
 * the nodes can then read; use it; retire the former one when no row can be left that was sealed with it. */
#ifndef DT_CORE_RING_H
#define DT_CORE_RING_H

#include "core/base/bytes.h"

#define DT_RING_SECRET_LEN 32
#define DT_RING_KEYS_MAX 8
#define DT_RING_NUMBER_MAX 999999 /* of an epoch, or of a secret */
#define DT_RING_TEXT_MAX 2048

typedef struct dt_ring_key {
    uint32_t id; /* 1 to DT_RING_NUMBER_MAX */
    dt_secret *secret;
} dt_ring_key;

typedef struct dt_ring {
    uint32_t epoch;   /* 1 to DT_RING_NUMBER_MAX */
    dt_secret *index; /* hashes keys */
    dt_ring_key keys[DT_RING_KEYS_MAX];
    size_t count, current; /* current: an index into `keys` */
} dt_ring;

/* A ring of epoch 1 with one secret. DT_E_NOMEM; DT_E_INVALID for bytes that are hardly random. */
DT_MUST_USE int dt_ring_new(uint8_t const index[DT_RING_SECRET_LEN],
                            uint8_t const secret[DT_RING_SECRET_LEN], dt_ring **out);
/* Reads the file. DT_E_PARSE with the line and what belongs there, DT_E_NOMEM. The message has no secret. */
DT_MUST_USE int dt_ring_parse(dt_bytes text, dt_ring **out, dt_error *e);
/* Writes the file; `out` then has secrets, and is wiped when it is freed. */
DT_MUST_USE int dt_ring_put(dt_ring const *ring, dt_buf *out);
/* Wipes, frees and nulls; nothing for NULL. */
void dt_ring_free(dt_ring **ring);

/* Adds a secret that is not current yet, and gives its id. DT_E_LIMIT, DT_E_NOMEM, DT_E_INVALID. */
DT_MUST_USE int dt_ring_add(dt_ring *ring, uint8_t const secret[DT_RING_SECRET_LEN], uint32_t *id);
/* Makes it the current one. DT_E_NOT_FOUND. */
DT_MUST_USE int dt_ring_use(dt_ring *ring, uint32_t id);
/* Removes it. DT_E_NOT_FOUND; DT_E_STATE for the current one. */
DT_MUST_USE int dt_ring_retire(dt_ring *ring, uint32_t id);
/* Begins the next epoch, with a new secret for keys. DT_E_LIMIT, DT_E_NOMEM, DT_E_INVALID. */
DT_MUST_USE int dt_ring_raise(dt_ring *ring, uint8_t const index[DT_RING_SECRET_LEN]);
/* The secret of this id, or NULL. Borrowed. */
dt_secret const *dt_ring_secret(dt_ring const *ring, uint32_t id);

#endif
