/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the store's hot tables held in memory: a hash behind a read-write lock, so that what is
 * read on every sign-on costs no system call and no allocation. Knows nothing of SQLite; the store
 * writes here what it has written, or found changed, on disk. */
#ifndef DT_EDGE_STORE_HOT_H
#define DT_EDGE_STORE_HOT_H

#include "core/base/step.h"

#define DT_HOT_BYTES_MAX (128u * 1024 * 1024) /* of keys and values held in memory */

typedef struct dt_hot dt_hot;

typedef struct dt_hot_row {
    dt_store_table table;
    char const *key;
    dt_bytes value;
    int64_t count;
    dt_time expires;
} dt_hot_row;

/* At most rows_max rows are held; past it, or past DT_HOT_BYTES_MAX, the oldest go. DT_E_NOMEM,
 * DT_E_IO (no randomness). */
DT_MUST_USE int dt_hot_new(size_t rows_max, dt_hot **out);
void dt_hot_free(dt_hot **h);
/* All below: thread safe. */
/* Inserts or replaces a copy. A row that memory has no room for is forgotten, never kept half. */
void dt_hot_put(dt_hot *h, dt_hot_row const *row);
void dt_hot_remove(dt_hot *h, dt_store_table table, char const *key);
/* Forgets all; the table is complete again (it holds all of nothing). */
void dt_hot_clear(dt_hot *h);
/* Drops rows past their time. */
void dt_hot_expire(dt_hot *h, dt_time now);
/* True, with the value appended to `out`, when the row is here and not past its time. */
DT_MUST_USE bool dt_hot_get(dt_hot *h, dt_store_table table, char const *key, dt_time now,
                            dt_buf *out, int64_t *count);
/* False once a row was left out for want of room: what is not found here may then be on disk. */
bool dt_hot_is_complete(dt_hot *h);

#endif
