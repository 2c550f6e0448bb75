/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edge/store_spare.h"

#include "edge/store_rows.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 2048u /* a power of two */

struct dt_spare {
    pthread_mutex_t lock;
    dt_rows rows;
    _Atomic size_t count; /* of the rows, for those without the lock */
};

/* The link to the unexpired row; to NULL when there is none. */
static dt_row **find(dt_spare *s, dt_store_table table, char const *key, dt_time now)
{
    dt_row **link = dt_rows_find(&s->rows, table, key);

    if (*link == NULL || (*link)->expires > now)
        return link;
    dt_rows_drop(&s->rows, link);
    return dt_rows_find(&s->rows, table, key);
}

static bool is_full(dt_spare const *s, bool stranger)
{
    return s->rows.count >= DT_SPARE_ROWS_MAX ||
           (stranger && s->rows.strangers >= DT_SPARE_STRANGERS_MAX);
}

/* A new row, or NULL when there is no room for it. */
static dt_row *row_add(dt_spare *s, dt_store_op const *op, dt_time now)
{
    dt_row *r = NULL;

    if (is_full(s, op->stranger))
        dt_rows_drop_expired(&s->rows, now);
    if (!is_full(s, op->stranger))
        r = dt_rows_add(&s->rows, op->table, op->key, op->stranger);
    if (r != NULL)
        r->expires = op->expires;
    return r;
}

/* --- the verbs; the lock is held -------------------------------------------------------------- */

static dt_store_status do_put(dt_spare *s, dt_store_op const *op, dt_row *r, dt_time now)
{
    bool is_new = r == NULL;

    if (op->value.len > DT_SPARE_VALUE_MAX)
        return DT_STORE_ERROR;
    if (is_new)
        r = row_add(s, op, now);
    if (r == NULL)
        return DT_STORE_ERROR;
    if (!dt_rows_set_value(&s->rows, r, op->value)) {
        if (is_new)
            dt_rows_drop(&s->rows, dt_rows_find(&s->rows, op->table, op->key));
        return DT_STORE_ERROR;
    }
    r->expires = op->expires;
    return DT_STORE_OK;
}

static dt_store_status do_count(dt_spare *s, dt_store_op const *op, int64_t already, dt_row *r,
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

static dt_store_status do_remove(dt_spare *s, dt_store_op const *op, dt_row **link)
{
    if (*link == NULL)
        return DT_STORE_NOT_FOUND;
    if (op->verb == DT_STORE_DELETE || --(*link)->count <= 0)
        dt_rows_drop(&s->rows, link);
    return DT_STORE_OK;
}

static dt_store_status do_verb(dt_spare *s, dt_store_op const *op, int64_t already, dt_time now,
                               dt_buf *scratch, int64_t *count)
{
    dt_row **link = find(s, op->table, op->key, now);
    dt_row *r = *link;
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
    dt_spare *s = calloc(1, sizeof(*s));
    int rc = s == NULL ? DT_E_NOMEM : dt_rows_init(&s->rows, BUCKETS);

    *out = NULL;
    if (rc != DT_OK) {
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
    dt_rows_free(&(*s)->rows);
    pthread_mutex_destroy(&(*s)->lock);
    free(*s);
    *s = NULL;
}

/* Whatever was done to the rows is seen by those without the lock. */
static void unlock(dt_spare *s)
{
    atomic_store(&s->count, s->rows.count);
    pthread_mutex_unlock(&s->lock);
}

void dt_spare_do(dt_spare *s, dt_store_op const *op, int64_t already, dt_time now, dt_buf *scratch,
                 dt_store_result *out)
{
    dt_buf_reset(scratch);
    out->count = 0;
    out->error[0] = '\0';
    pthread_mutex_lock(&s->lock);
    out->status = do_verb(s, op, already, now, scratch, &out->count);
    unlock(s);
    if (dt_buf_error(scratch) != 0)
        out->status = DT_STORE_ERROR;
    if (out->status == DT_STORE_ERROR)
        (void)dt_str_copy(
            out->error, sizeof(out->error),
            "the store accepts no rows, and there is no more room for limits in memory");
    out->value = dt_buf_bytes(scratch);
}

bool dt_spare_has(dt_spare *s, dt_store_table table, char const *key, dt_time now, int64_t *count)
{
    *count = 0;
    if (dt_spare_is_empty(s))
        return false;
    pthread_mutex_lock(&s->lock);
    dt_row const *r = *find(s, table, key, now);
    bool has = r != NULL;

    if (has)
        *count = r->count;
    unlock(s);
    return has;
}

bool dt_spare_is_empty(dt_spare const *s)
{
    return atomic_load(&s->count) == 0;
}

void dt_spare_expire(dt_spare *s, dt_time now)
{
    if (dt_spare_is_empty(s))
        return;
    pthread_mutex_lock(&s->lock);
    dt_rows_drop_expired(&s->rows, now);
    unlock(s);
}

static dt_row const *first_count(dt_spare const *s, dt_time now)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        for (dt_row const *r = s->rows.buckets[i]; r != NULL; r = r->next) {
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
    dt_row const *r = first_count(s, now);
    bool found = r != NULL && dt_str_copy(key->key, sizeof(key->key), r->key) == DT_OK;

    if (found) {
        key->verb = DT_STORE_COUNT;
        key->table = r->table;
        key->expires = r->expires;
        key->stranger = r->stranger;
        *count = r->count;
    }
    unlock(s);
    return found;
}

void dt_spare_moved(dt_spare *s, dt_store_op const *key, int64_t count)
{
    pthread_mutex_lock(&s->lock);
    dt_row **link = find(s, key->table, key->key, INT64_MIN);

    if (*link != NULL && ((*link)->count -= count) <= 0)
        dt_rows_drop(&s->rows, link);
    unlock(s);
}
