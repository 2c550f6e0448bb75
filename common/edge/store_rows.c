/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edge/store_rows.h"

#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

int dt_rows_init(dt_rows *out, size_t bucket_count)
{
    *out = (dt_rows){.bucket_count = bucket_count};
    int rc = dt_host_random(&out->seed, sizeof(out->seed));

    if (rc != DT_OK)
        return rc;
    out->buckets = calloc(bucket_count, sizeof(dt_row *));
    return out->buckets != NULL ? DT_OK : DT_E_NOMEM;
}

void dt_rows_free(dt_rows *r)
{
    if (r->buckets != NULL)
        dt_rows_drop_expired(r, INT64_MAX);
    free(r->buckets);
    *r = (dt_rows){0};
}

/* FNV-1a over the key from a secret start, mixed at the end (the finaliser of MurmurHash3). */
static uint64_t hash_of(dt_rows const *r, dt_store_table table, char const *key)
{
    uint64_t x = r->seed ^ (uint64_t)table;

    for (; *key != '\0'; key++)
        x = (x ^ (uint8_t)*key) * UINT64_C(0x100000001b3);
    x = (x ^ (x >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    return x ^ (x >> 33);
}

static dt_row **bucket_of(dt_rows const *r, uint64_t hash)
{
    return &r->buckets[hash & (r->bucket_count - 1)];
}

dt_row **dt_rows_find(dt_rows const *r, dt_store_table table, char const *key)
{
    uint64_t hash = hash_of(r, table, key);
    dt_row **link = bucket_of(r, hash);

    for (; *link != NULL; link = &(*link)->next) {
        if ((*link)->hash == hash && (*link)->table == table && strcmp((*link)->key, key) == 0)
            break;
    }
    return link;
}

dt_row *dt_rows_add(dt_rows *r, dt_store_table table, char const *key, bool stranger)
{
    size_t size = strlen(key) + 1;
    dt_row *row = calloc(1, sizeof(*row) + size);

    if (row == NULL)
        return NULL;
    memcpy(row->key, key, size);
    row->table = table;
    row->stranger = stranger;
    row->hash = hash_of(r, table, key);
    row->next = *bucket_of(r, row->hash);
    *bucket_of(r, row->hash) = row;
    r->strangers += stranger;
    r->count++;
    return row;
}

bool dt_rows_set_value(dt_rows *r, dt_row *row, dt_bytes value)
{
    uint8_t *copy = value.len > 0 ? malloc(value.len) : NULL;

    if (value.len > 0 && copy == NULL)
        return false;
    if (value.len > 0)
        memcpy(copy, value.p, value.len);
    free(row->value);
    r->bytes += value.len;
    r->bytes -= row->value_len;
    row->value = copy;
    row->value_len = value.len;
    return true;
}

void dt_rows_drop(dt_rows *r, dt_row **link)
{
    dt_row *row = *link;

    *link = row->next;
    r->strangers -= row->stranger;
    r->count--;
    r->bytes -= row->value_len;
    free(row->value);
    free(row);
}

void dt_rows_drop_expired(dt_rows *r, dt_time now)
{
    for (size_t i = 0; i < r->bucket_count; i++) {
        for (dt_row **link = &r->buckets[i]; *link != NULL;) {
            if ((*link)->expires <= now)
                dt_rows_drop(r, link);
            else
                link = &(*link)->next;
        }
    }
}
