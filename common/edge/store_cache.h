/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the store read last, in memory: rows, and keys that have none. Only what every sign-on reads is kept
 * here. The store empties it when another process has written; it knows nothing of SQLite.
 *
 * Measured: a GET takes 0.2 us here and 1.8 us in SQLite, which lets in one thread at a time. A RADIUS
 * sign-on of a trusted device does two; without this, they cost it 10 us of 67, and the server a fifth of its
 * sign-ons a second (32 worker threads on 2 processors). */
#ifndef DT_EDGE_STORE_CACHE_H
#define DT_EDGE_STORE_CACHE_H

#include "core/base/step.h"

#define DT_STORE_CACHE_ROWS_MAX 200000                /* past it, or the next, all is forgotten */
#define DT_STORE_CACHE_BYTES_MAX (128u * 1024 * 1024) /* of values */

typedef struct dt_store_cache dt_store_cache;

typedef enum dt_cached {
    DT_CACHED_UNKNOWN = 0, /* ask the file */
    DT_CACHED_FOUND,
    DT_CACHED_ABSENT, /* there is no such row, or it is past its time */
} dt_cached;

/* DT_E_NOMEM, DT_E_IO (no randomness). */
DT_MUST_USE int dt_store_cache_new(dt_store_cache **out);
void dt_store_cache_free(dt_store_cache **c);
/* All below: thread safe. */
/* FOUND: the value is appended to `out`. */
dt_cached dt_store_cache_get(dt_store_cache *c, dt_store_table table, char const *key, dt_time now,
                             dt_buf *out, int64_t *count);
/* Keeps a copy of a row, or, with `expires` 0, that there is none. What memory has no room for is
 * forgotten. */
void dt_store_cache_put(dt_store_cache *c, dt_store_table table, char const *key, dt_bytes value,
                        int64_t count, dt_time expires);
void dt_store_cache_forget(dt_store_cache *c, dt_store_table table, char const *key);
void dt_store_cache_clear(dt_store_cache *c);

#endif
