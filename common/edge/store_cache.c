/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edge/store_cache.h"

#include "edge/store_rows.h"

#include <pthread.h>
#include <stdlib.h>

#define BUCKETS 65536u

struct dt_store_cache {
    pthread_rwlock_t lock;
    dt_rows rows; /* one that is not there expires at 0 */
};

int dt_store_cache_new(dt_store_cache **out)
{
    pthread_rwlockattr_t attributes;
    dt_store_cache *c = calloc(1, sizeof(*c));
    int rc = c == NULL ? DT_E_NOMEM : dt_rows_init(&c->rows, BUCKETS);

    *out = NULL;
    if (rc != DT_OK) {
        free(c);
        return rc;
    }
    /* Readers come thousands of times a second: a writer must not wait until none is there. */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&c->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    *out = c;
    return DT_OK;
}

void dt_store_cache_free(dt_store_cache **c)
{
    if (c == NULL || *c == NULL)
        return;
    dt_rows_free(&(*c)->rows);
    pthread_rwlock_destroy(&(*c)->lock);
    free(*c);
    *c = NULL;
}

dt_cached dt_store_cache_get(dt_store_cache *c, dt_store_table table, char const *key, dt_time now,
                             dt_buf *out, int64_t *count)
{
    dt_cached is = DT_CACHED_UNKNOWN;

    pthread_rwlock_rdlock(&c->lock);
    dt_row const *row = *dt_rows_find(&c->rows, table, key);
    if (row != NULL)
        is = row->expires > now ? DT_CACHED_FOUND : DT_CACHED_ABSENT;
    if (is == DT_CACHED_FOUND) {
        dt_buf_put(out, row->value, row->value_len);
        *count = row->count;
    }
    pthread_rwlock_unlock(&c->lock);
    return is;
}

/* The lock is held. */
static void forget(dt_store_cache *c, dt_store_table table, char const *key)
{
    dt_row **link = dt_rows_find(&c->rows, table, key);

    if (*link != NULL)
        dt_rows_drop(&c->rows, link);
}

static bool is_full(dt_store_cache const *c)
{
    return c->rows.count >= DT_STORE_CACHE_ROWS_MAX || c->rows.bytes >= DT_STORE_CACHE_BYTES_MAX;
}

void dt_store_cache_put(dt_store_cache *c, dt_store_table table, char const *key, dt_bytes value,
                        int64_t count, dt_time expires)
{
    pthread_rwlock_wrlock(&c->lock);
    forget(c, table, key);
    if (is_full(c))
        dt_rows_drop_expired(&c->rows, INT64_MAX);
    dt_row *row = dt_rows_add(&c->rows, table, key, false);
    if (row != NULL) {
        row->count = count;
        row->expires = expires;
        if (!dt_rows_set_value(&c->rows, row, value))
            forget(c, table, key);
    }
    pthread_rwlock_unlock(&c->lock);
}

void dt_store_cache_forget(dt_store_cache *c, dt_store_table table, char const *key)
{
    pthread_rwlock_wrlock(&c->lock);
    forget(c, table, key);
    pthread_rwlock_unlock(&c->lock);
}

void dt_store_cache_clear(dt_store_cache *c)
{
    pthread_rwlock_wrlock(&c->lock);
    dt_rows_drop_expired(&c->rows, INT64_MAX);
    pthread_rwlock_unlock(&c->lock);
}
