/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store's rows in memory: a chained hash with a list in order of age, for dropping the oldest. */
#include "edge/store_hot.h"

#include "edge/host.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 1024u /* a power of two, as every later size */

typedef struct hot_entry {
    struct hot_entry *chain;
    struct hot_entry *older, *newer;
    uint64_t hash;
    dt_time expires;
    int64_t count;
    dt_store_table table;
    size_t key_len, value_len;
    uint8_t bytes[]; /* key, NUL, value */
} hot_entry;

struct dt_hot {
    pthread_rwlock_t lock;
    uint64_t seed; /* drawn at start: nobody outside can aim at one bucket */
    size_t rows_max;
    hot_entry **buckets;
    size_t bucket_count;
    hot_entry *oldest, *newest;
    size_t rows, bytes;
    bool complete;
};

/* FNV-1a over the key from a secret start, mixed at the end (the finaliser of MurmurHash3). */
static uint64_t hot_hash(dt_hot const *h, dt_store_table table, char const *key, size_t len)
{
    uint64_t x = h->seed ^ (uint64_t)table;
    for (size_t i = 0; i < len; i++)
        x = (x ^ (uint8_t)key[i]) * UINT64_C(0x100000001b3);
    x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    return x ^ (x >> 33);
}

static hot_entry **hot_bucket(dt_hot const *h, uint64_t hash)
{
    return &h->buckets[hash & (h->bucket_count - 1)];
}

/* The link that points to the entry, or to the NULL where it would be. */
static hot_entry **hot_find(dt_hot const *h, dt_store_table table, char const *key, size_t len,
                            uint64_t hash)
{
    hot_entry **link = hot_bucket(h, hash);
    for (; *link != NULL; link = &(*link)->chain) {
        hot_entry const *e = *link;
        if (e->hash == hash && e->table == table && e->key_len == len &&
            memcmp(e->bytes, key, len) == 0)
            break;
    }
    return link;
}

static size_t entry_size(hot_entry const *e)
{
    return sizeof(*e) + e->key_len + 1 + e->value_len;
}

static void hot_unlink(dt_hot *h, hot_entry **link)
{
    hot_entry *e = *link;
    *link = e->chain;
    *(e->older != NULL ? &e->older->newer : &h->oldest) = e->newer;
    *(e->newer != NULL ? &e->newer->older : &h->newest) = e->older;
    h->rows--;
    h->bytes -= entry_size(e);
    explicit_bzero(e->bytes, e->key_len + 1 + e->value_len);
    free(e);
}

static void hot_drop(dt_hot *h, hot_entry *e)
{
    hot_entry **link = hot_bucket(h, e->hash);
    while (*link != e)
        link = &(*link)->chain;
    hot_unlink(h, link);
}

/* Twice the buckets. Without memory for them the chains just get longer. */
static void hot_grow(dt_hot *h)
{
    size_t count = h->bucket_count * 2;
    hot_entry **buckets = calloc(count, sizeof(*buckets));
    if (buckets == NULL)
        return;
    free(h->buckets);
    h->buckets = buckets;
    h->bucket_count = count;
    for (hot_entry *e = h->oldest; e != NULL; e = e->newer) {
        hot_entry **bucket = hot_bucket(h, e->hash);
        e->chain = *bucket;
        *bucket = e;
    }
}

static void hot_append(dt_hot *h, hot_entry *e)
{
    hot_entry **bucket = hot_bucket(h, e->hash);
    e->chain = *bucket;
    *bucket = e;
    e->older = h->newest;
    e->newer = NULL;
    *(h->newest != NULL ? &h->newest->newer : &h->oldest) = e;
    h->newest = e;
    h->rows++;
    h->bytes += entry_size(e);
}

static hot_entry *entry_new(dt_hot_row const *row, size_t key_len, uint64_t hash)
{
    hot_entry *e = malloc(sizeof(*e) + key_len + 1 + row->value.len);
    if (e == NULL)
        return NULL;
    *e = (hot_entry){.hash = hash,
                     .expires = row->expires,
                     .count = row->count,
                     .table = row->table,
                     .key_len = key_len,
                     .value_len = row->value.len};
    memcpy(e->bytes, row->key, key_len + 1);
    if (row->value.len > 0)
        memcpy(e->bytes + key_len + 1, row->value.p, row->value.len);
    return e;
}

int dt_hot_new(size_t rows_max, dt_hot **out)
{
    *out = NULL;
    dt_hot *h = calloc(1, sizeof(*h));
    if (h == NULL)
        return DT_E_NOMEM;
    h->buckets = calloc(BUCKETS_FIRST, sizeof(*h->buckets));
    h->bucket_count = BUCKETS_FIRST;
    h->rows_max = rows_max;
    h->complete = true;
    int rc = h->buckets == NULL ? DT_E_NOMEM : dt_host_random(&h->seed, sizeof(h->seed));
    if (rc != 0) {
        free(h->buckets);
        free(h);
        return rc;
    }
    /* Readers come thousands of times a second: a writer must not wait until none is there. */
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&h->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    *out = h;
    return DT_OK;
}

void dt_hot_free(dt_hot **h)
{
    if (h == NULL || *h == NULL)
        return;
    while ((*h)->oldest != NULL)
        hot_drop(*h, (*h)->oldest);
    pthread_rwlock_destroy(&(*h)->lock);
    free((*h)->buckets);
    free(*h);
    *h = NULL;
}

void dt_hot_put(dt_hot *h, dt_hot_row const *row)
{
    size_t key_len = strlen(row->key);
    uint64_t hash = hot_hash(h, row->table, row->key, key_len);
    hot_entry *e = entry_new(row, key_len, hash);

    pthread_rwlock_wrlock(&h->lock);
    hot_entry **old = hot_find(h, row->table, row->key, key_len, hash);
    if (*old != NULL)
        hot_unlink(h, old);
    if (e != NULL) {
        if (h->rows >= h->bucket_count)
            hot_grow(h);
        hot_append(h, e);
    } else {
        h->complete = false;
    }
    while (h->rows > h->rows_max || h->bytes > DT_HOT_BYTES_MAX) {
        hot_drop(h, h->oldest);
        h->complete = false;
    }
    pthread_rwlock_unlock(&h->lock);
}

void dt_hot_remove(dt_hot *h, dt_store_table table, char const *key)
{
    size_t len = strlen(key);
    uint64_t hash = hot_hash(h, table, key, len);
    pthread_rwlock_wrlock(&h->lock);
    hot_entry **link = hot_find(h, table, key, len, hash);
    if (*link != NULL)
        hot_unlink(h, link);
    pthread_rwlock_unlock(&h->lock);
}

void dt_hot_clear(dt_hot *h)
{
    pthread_rwlock_wrlock(&h->lock);
    while (h->oldest != NULL)
        hot_drop(h, h->oldest);
    h->complete = true;
    pthread_rwlock_unlock(&h->lock);
}

void dt_hot_expire(dt_hot *h, dt_time now)
{
    pthread_rwlock_wrlock(&h->lock);
    for (hot_entry *e = h->oldest, *next; e != NULL; e = next) {
        next = e->newer;
        if (e->expires <= now)
            hot_drop(h, e);
    }
    pthread_rwlock_unlock(&h->lock);
}

bool dt_hot_get(dt_hot *h, dt_store_table table, char const *key, dt_time now, dt_buf *out,
                int64_t *count)
{
    size_t len = strlen(key);
    uint64_t hash = hot_hash(h, table, key, len);
    pthread_rwlock_rdlock(&h->lock);
    hot_entry const *e = *hot_find(h, table, key, len, hash);
    bool found = e != NULL && e->expires > now;
    if (found) {
        dt_buf_put(out, e->bytes + len + 1, e->value_len);
        *count = e->count;
    }
    pthread_rwlock_unlock(&h->lock);
    return found;
}

bool dt_hot_is_complete(dt_hot *h)
{
    pthread_rwlock_rdlock(&h->lock);
    bool complete = h->complete;
    pthread_rwlock_unlock(&h->lock);
    return complete;
}
