/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of limits in memory: a chained hash of bounded size behind one lock. */
#include "edge/store_spare.h"

#include "edge/host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 2048u /* a power of two */

typedef struct spare_row {
    struct spare_row *next;
    uint64_t hash;
    dt_store_table table;
    bool stranger;
    int64_t count;
    dt_time expires;
    size_t value_len;
    uint8_t *value; /* or NULL */
    char key[];
} spare_row;

struct dt_spare {
    pthread_mutex_t lock;
    uint64_t seed; /* drawn at start: nobody outside can aim at one bucket */
    spare_row *buckets[BUCKETS];
    size_t strangers;
    _Atomic size_t rows;
};

/* FNV-1a over the key from a secret start, mixed at the end. */
static uint64_t hash_of(dt_spare const *s, dt_store_table table, char const *key)
{
    uint64_t x = s->seed ^ (uint64_t)table;

    for (; *key != '\0'; key++)
        x = (x ^ (uint8_t)*key) * UINT64_C(0x100000001b3);
    x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    return x ^ (x >> 33);
}

static void row_drop(dt_spare *s, spare_row **link)
{
    spare_row *r = *link;

    *link = r->next;
    s->strangers -= r->stranger;
    atomic_fetch_sub(&s->rows, 1);
    free(r->value);
    free(r);
}

static void drop_expired(dt_spare *s, dt_time now)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (spare_row **link = &s->buckets[i]; *link != NULL;) {
            if ((*link)->expires <= now)
                row_drop(s, link);
            else
                link = &(*link)->next;
        }
    }
}

/* The link to the unexpired row; to NULL when there is none. */
static spare_row **find(dt_spare *s, dt_store_table table, char const *key, dt_time now)
{
    uint64_t hash = hash_of(s, table, key);
    spare_row **link = &s->buckets[hash & (BUCKETS - 1)];

    for (; *link != NULL; link = &(*link)->next) {
        spare_row *r = *link;

        if (r->hash != hash || r->table != table || strcmp(r->key, key) != 0)
            continue;
        if (r->expires > now)
            return link;
        row_drop(s, link);
        return find(s, table, key, now);
    }
    return link;
}

static bool is_full(dt_spare const *s, bool stranger)
{
    return atomic_load(&s->rows) >= DT_SPARE_ROWS_MAX ||
           (stranger && s->strangers >= DT_SPARE_STRANGERS_MAX);
}

/* A new row, or NULL when there is no room for it. */
static spare_row *row_add(dt_spare *s, dt_store_op const *op, dt_time now)
{
    size_t len = strlen(op->key) + 1;
    spare_row *r = NULL;

    if (is_full(s, op->stranger))
        drop_expired(s, now);
    if (!is_full(s, op->stranger))
        r = calloc(1, sizeof(*r) + len);
    if (r == NULL)
        return NULL;
    memcpy(r->key, op->key, len);
    r->table = op->table;
    r->stranger = op->stranger;
    r->hash = hash_of(s, op->table, op->key);
    r->expires = op->expires;
    r->next = s->buckets[r->hash & (BUCKETS - 1)];
    s->buckets[r->hash & (BUCKETS - 1)] = r;
    s->strangers += r->stranger;
    atomic_fetch_add(&s->rows, 1);
    return r;
}

static bool set_value(spare_row *r, dt_bytes value)
{
    uint8_t *copy = value.len > 0 ? malloc(value.len) : NULL;

    if (value.len > 0 && copy == NULL)
        return false;
    if (value.len > 0)
        memcpy(copy, value.p, value.len);
    free(r->value);
    r->value = copy;
    r->value_len = value.len;
    return true;
}

/* --- the verbs; the lock is held -------------------------------------------------------------- */

static dt_store_status do_put(dt_spare *s, dt_store_op const *op, spare_row *r, dt_time now)
{
    bool is_new = r == NULL;

    if (op->value.len > DT_SPARE_VALUE_MAX)
        return DT_STORE_ERROR;
    if (is_new)
        r = row_add(s, op, now);
    if (r == NULL)
        return DT_STORE_ERROR;
    if (!set_value(r, op->value)) {
        if (is_new)
            row_drop(s, find(s, op->table, op->key, now));
        return DT_STORE_ERROR;
    }
    r->expires = op->expires;
    return DT_STORE_OK;
}

static dt_store_status do_count(dt_spare *s, dt_store_op const *op, int64_t already, spare_row *r,
                                dt_time now, int64_t *count)
{
    *count = already + (r != NULL ? r->count : 0);
    if (op->most > 0 && *count >= op->most)
        return DT_STORE_EXISTS;
    if (r == NULL)
        r = row_add(s, op, now);
    if (r == NULL)
        return DT_STORE_ERROR;
    r->count++;
    *count = already + r->count;
    return DT_STORE_OK;
}

static dt_store_status do_remove(dt_spare *s, dt_store_op const *op, spare_row **link)
{
    if (*link == NULL)
        return DT_STORE_NOT_FOUND;
    if (op->verb == DT_STORE_DELETE || --(*link)->count <= 0)
        row_drop(s, link);
    return DT_STORE_OK;
}

static dt_store_status do_verb(dt_spare *s, dt_store_op const *op, int64_t already, dt_time now,
                               dt_buf *scratch, int64_t *count)
{
    spare_row **link = find(s, op->table, op->key, now);
    spare_row *r = *link;
    dt_bytes value = r != NULL ? dt_bytes_of(r->value, r->value_len) : dt_bytes_of(NULL, 0);

    switch (op->verb) {
    case DT_STORE_GET:
    case DT_STORE_PUT_IF_ABSENT:
        if (r == NULL)
            return op->verb == DT_STORE_GET ? DT_STORE_NOT_FOUND : do_put(s, op, NULL, now);
        *count = r->count;
        dt_buf_put(scratch, value.p, value.len);
        return op->verb == DT_STORE_GET ? DT_STORE_OK : DT_STORE_EXISTS;
    case DT_STORE_PUT:
        return do_put(s, op, r, now);
    case DT_STORE_REPLACE:
        if (r == NULL)
            return DT_STORE_NOT_FOUND;
        return dt_bytes_equal(value, op->expected) ? do_put(s, op, r, now) : DT_STORE_EXISTS;
    case DT_STORE_COUNT:
        return do_count(s, op, already, r, now, count);
    case DT_STORE_UNCOUNT:
    case DT_STORE_DELETE:
        return do_remove(s, op, link);
    case DT_STORE_TAKE:
        break;
    }
    return DT_STORE_ERROR;
}

/* --- the public face -------------------------------------------------------------------------- */

int dt_spare_new(dt_spare **out)
{
    *out = NULL;
    dt_spare *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return DT_E_NOMEM;
    int rc = dt_host_random(&s->seed, sizeof(s->seed));

    if (rc != 0) {
        free(s);
        return rc;
    }
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return DT_OK;
}

void dt_spare_free(dt_spare **s)
{
    if (s == NULL || *s == NULL)
        return;
    drop_expired(*s, INT64_MAX);
    pthread_mutex_destroy(&(*s)->lock);
    free(*s);
    *s = NULL;
}

void dt_spare_do(dt_spare *s, dt_store_op const *op, int64_t already, dt_time now, dt_buf *scratch,
                 dt_store_result *out)
{
    dt_buf_reset(scratch);
    out->count = 0;
    out->error[0] = '\0';
    pthread_mutex_lock(&s->lock);
    out->status = do_verb(s, op, already, now, scratch, &out->count);
    pthread_mutex_unlock(&s->lock);
    if (dt_buf_error(scratch) != 0)
        out->status = DT_STORE_ERROR;
    if (out->status == DT_STORE_ERROR)
        (void)dt_str_copy(
            out->error, sizeof(out->error),
            "the store takes no rows, and there is no more room for limits in memory");
    out->value = dt_buf_bytes(scratch);
}

bool dt_spare_has(dt_spare *s, dt_store_table table, char const *key, dt_time now, int64_t *count)
{
    *count = 0;
    if (dt_spare_is_empty(s))
        return false;
    pthread_mutex_lock(&s->lock);
    spare_row const *r = *find(s, table, key, now);
    bool has = r != NULL;

    if (has)
        *count = r->count;
    pthread_mutex_unlock(&s->lock);
    return has;
}

bool dt_spare_is_empty(dt_spare const *s)
{
    return atomic_load(&s->rows) == 0;
}

void dt_spare_expire(dt_spare *s, dt_time now)
{
    if (dt_spare_is_empty(s))
        return;
    pthread_mutex_lock(&s->lock);
    drop_expired(s, now);
    pthread_mutex_unlock(&s->lock);
}

static spare_row const *first_count(dt_spare const *s, dt_time now)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (spare_row const *r = s->buckets[i]; r != NULL; r = r->next) {
            if (r->count > 0 && r->expires > now)
                return r;
        }
    }
    return NULL;
}

bool dt_spare_first_count(dt_spare *s, dt_time now, dt_store_op *key, int64_t *count)
{
    memset(key, 0, sizeof(*key));
    if (dt_spare_is_empty(s))
        return false;
    pthread_mutex_lock(&s->lock);
    spare_row const *r = first_count(s, now);
    bool found = r != NULL && dt_str_copy(key->key, sizeof(key->key), r->key) == DT_OK;

    if (found) {
        key->verb = DT_STORE_COUNT;
        key->table = r->table;
        key->expires = r->expires;
        key->stranger = r->stranger;
        *count = r->count;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

void dt_spare_moved(dt_spare *s, dt_store_op const *key, int64_t count)
{
    pthread_mutex_lock(&s->lock);
    spare_row **link = find(s, key->table, key->key, INT64_MIN);

    if (*link != NULL && ((*link)->count -= count) <= 0)
        row_drop(s, link);
    pthread_mutex_unlock(&s->lock);
}
