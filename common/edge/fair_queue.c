/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shares of two levels, a NAS and an identity of a NAS, each in a ring: whoever's turn it is goes to the
 * end of its ring. An identity's share is found by a hash table, and goes with its last item. */
#include "edge/fair_queue.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096

typedef struct ring {
    dt_fair_share *first, *last;
} ring;

struct dt_fair_share {
    dt_fair_share *nas;             /* whose ring it is in; NULL: it is a NAS itself */
    dt_fair_share *chain;           /* in its bucket */
    dt_fair_share *before, *behind; /* in its ring */
    ring identities;                /* of a NAS */
    dt_fair_item *first, *last;     /* of an identity */
    size_t count;                   /* of items, or of identities */
    uint32_t hash;
    char name[];
};

struct dt_fair_queue {
    ring nases;
    dt_fair_share *buckets[BUCKETS];
    dt_fair_item *oldest, *newest;
    size_t count;
};

/* --- rings ------------------------------------------------------------------------------------ */

static ring *ring_of(dt_fair_queue *q, dt_fair_share *s)
{
    return s->nas != NULL ? &s->nas->identities : &q->nases;
}

static void ring_add(ring *r, dt_fair_share *s)
{
    s->before = r->last;
    s->behind = NULL;
    *(r->last != NULL ? &r->last->behind : &r->first) = s;
    r->last = s;
}

static void ring_remove(ring *r, dt_fair_share *s)
{
    *(s->before != NULL ? &s->before->behind : &r->first) = s->behind;
    *(s->behind != NULL ? &s->behind->before : &r->last) = s->before;
}

/* --- shares ----------------------------------------------------------------------------------- */

static uint32_t hash_of(dt_fair_share const *nas, char const *name)
{
    uint32_t x = 2166136261u ^ (nas != NULL ? nas->hash : 0);
    for (; *name != '\0'; name++)
        x = (x ^ (uint8_t)*name) * 16777619u;
    return x ^ (x >> 16);
}

static dt_fair_share *share_find(dt_fair_queue const *q, dt_fair_share const *nas, char const *name)
{
    uint32_t hash = hash_of(nas, name);
    dt_fair_share *s = q->buckets[hash % BUCKETS];
    while (s != NULL && (s->hash != hash || s->nas != nas || strcmp(s->name, name) != 0))
        s = s->chain;
    return s;
}

static dt_fair_share *share_new(dt_fair_queue *q, dt_fair_share *nas, char const *name)
{
    size_t size = strlen(name) + 1;
    dt_fair_share *s = calloc(1, sizeof(*s) + size);
    if (s == NULL)
        return NULL;
    memcpy(s->name, name, size);
    s->nas = nas;
    s->hash = hash_of(nas, name);
    s->chain = q->buckets[s->hash % BUCKETS];
    q->buckets[s->hash % BUCKETS] = s;
    ring_add(ring_of(q, s), s);
    if (nas != NULL)
        nas->count++;
    return s;
}

/* Frees a share that holds nothing, and its NAS with it when that was the last. */
static void share_drop(dt_fair_queue *q, dt_fair_share *s)
{
    dt_fair_share *nas = s->nas;
    dt_fair_share **at = &q->buckets[s->hash % BUCKETS];
    while (*at != s)
        at = &(*at)->chain;
    *at = s->chain;
    ring_remove(ring_of(q, s), s);
    free(s);
    if (nas != NULL && --nas->count == 0)
        share_drop(q, nas);
}

static dt_fair_share *share_get(dt_fair_queue *q, dt_fair_share *nas, char const *name)
{
    dt_fair_share *s = share_find(q, nas, name);
    return s != NULL ? s : share_new(q, nas, name);
}

/* It has had its turn. */
static void share_to_the_end(dt_fair_queue *q, dt_fair_share *s)
{
    ring_remove(ring_of(q, s), s);
    ring_add(ring_of(q, s), s);
}

/* --- items ------------------------------------------------------------------------------------ */

static void item_link(dt_fair_queue *q, dt_fair_item *item, dt_fair_share *s)
{
    *item = (dt_fair_item){.share = s, .before = s->last, .older = q->newest};
    *(s->last != NULL ? &s->last->behind : &s->first) = item;
    s->last = item;
    *(q->newest != NULL ? &q->newest->newer : &q->oldest) = item;
    q->newest = item;
    s->count++;
    q->count++;
}

static void item_unlink(dt_fair_queue *q, dt_fair_item *item)
{
    dt_fair_share *s = item->share;
    *(item->before != NULL ? &item->before->behind : &s->first) = item->behind;
    *(item->behind != NULL ? &item->behind->before : &s->last) = item->before;
    *(item->older != NULL ? &item->older->newer : &q->oldest) = item->newer;
    *(item->newer != NULL ? &item->newer->older : &q->newest) = item->older;
    s->count--;
    q->count--;
    *item = (dt_fair_item){0};
}

/* --- the queue -------------------------------------------------------------------------------- */

int dt_fair_queue_new(dt_fair_queue **out)
{
    *out = calloc(1, sizeof(**out));
    return *out != NULL ? DT_OK : DT_E_NOMEM;
}

void dt_fair_queue_free(dt_fair_queue **q)
{
    if (q == NULL)
        return;
    free(*q);
    *q = NULL;
}

int dt_fair_queue_add(dt_fair_queue *q, dt_fair_item *item, char const *nas, char const *identity)
{
    dt_fair_share *n = share_get(q, NULL, nas);
    if (n == NULL)
        return DT_E_NOMEM;
    dt_fair_share *s = share_get(q, n, identity);
    if (s == NULL) {
        if (n->count == 0)
            share_drop(q, n);
        return DT_E_NOMEM;
    }
    item_link(q, item, s);
    return DT_OK;
}

void dt_fair_queue_remove(dt_fair_queue *q, dt_fair_item *item)
{
    dt_fair_share *s = item->share;
    item_unlink(q, item);
    if (s->count == 0)
        share_drop(q, s);
}

dt_fair_item *dt_fair_queue_take(dt_fair_queue *q)
{
    dt_fair_share *nas = q->nases.first;
    if (nas == NULL)
        return NULL;
    dt_fair_share *s = nas->identities.first;
    dt_fair_item *item = s->first;
    share_to_the_end(q, s);
    share_to_the_end(q, nas);
    dt_fair_queue_remove(q, item);
    return item;
}

size_t dt_fair_queue_count(dt_fair_queue const *q)
{
    return q->count;
}

dt_fair_item *dt_fair_queue_oldest(dt_fair_queue const *q)
{
    return q->oldest;
}

size_t dt_fair_queue_waiting(dt_fair_queue const *q, char const *nas, char const *identity)
{
    dt_fair_share const *n = share_find(q, NULL, nas);
    dt_fair_share const *s = n != NULL ? share_find(q, n, identity) : NULL;
    return s != NULL ? s->count : 0;
}

dt_fair_item *dt_fair_queue_heaviest(dt_fair_queue const *q, size_t *count)
{
    dt_fair_share const *heaviest = NULL;
    for (dt_fair_share const *n = q->nases.first; n != NULL; n = n->behind)
        for (dt_fair_share const *s = n->identities.first; s != NULL; s = s->behind)
            if (heaviest == NULL || s->count > heaviest->count)
                heaviest = s;
    *count = heaviest != NULL ? heaviest->count : 0;
    return heaviest != NULL ? heaviest->last : NULL;
}
