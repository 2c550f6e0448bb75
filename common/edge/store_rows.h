/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the store's tables in memory: a chained hash, used by one thread at a time. Whoever uses it bounds
 * it. */
#ifndef DT_EDGE_STORE_ROWS_H
#define DT_EDGE_STORE_ROWS_H

#include "core/base/step.h"

typedef struct dt_row {
    struct dt_row *next; /* in the same bucket */
    uint64_t hash;
    dt_store_table table;
    bool stranger;
    int64_t count;
    dt_time expires;
    size_t value_len;
    uint8_t *value; /* or NULL */
    char key[];
} dt_row;

typedef struct dt_rows {
    uint64_t seed; /* drawn at start, so that nobody outside can aim at one bucket */
    dt_row **buckets;
    size_t bucket_count;
    size_t count, strangers, bytes; /* bytes: of the values */
} dt_rows;

/* bucket_count is a power of two. DT_E_NOMEM, DT_E_IO (no randomness); *out then needs no dt_rows_free. */
DT_MUST_USE int dt_rows_init(dt_rows *out, size_t bucket_count);
/* Drops all rows and the buckets. */
void dt_rows_free(dt_rows *r);
/* The link that points to the row; to NULL when there is none. Valid until a row is added or dropped. */
dt_row **dt_rows_find(dt_rows const *r, dt_store_table table, char const *key);
/* An empty row for a key that is not there yet; NULL without memory for it. */
dt_row *dt_rows_add(dt_rows *r, dt_store_table table, char const *key, bool stranger);
/* Puts a copy in place of the row's value; false, and the row is as before, without memory for it. */
DT_MUST_USE bool dt_rows_set_value(dt_rows *r, dt_row *row, dt_bytes value);
void dt_rows_drop(dt_rows *r, dt_row **link);
/* Drops the rows past their time. */
void dt_rows_drop_expired(dt_rows *r, dt_time now);

#endif
