/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See seen.h. A ring in the order of coming, whose places hang in the chains of a table. */
#include "core/signals/seen.h"

#include "core/base/crypto.h"

#include <stdlib.h>
#include <string.h>

#define MARK_LEN 16 /* of a SHA-256: nobody finds two alike */
#define NONE UINT32_MAX

typedef struct place {
    uint8_t mark[MARK_LEN];
    dt_time at; /* 0: empty */
    uint32_t next;
} place;

struct dt_seen {
    size_t max;
    size_t newest; /* the place that is taken next */
    uint32_t *heads;
    place *places;
};

int dt_seen_new(size_t max, dt_seen **out)
{
    dt_seen *s = calloc(1, sizeof(*s));
    *out = NULL;
    if (s == NULL)
        return DT_E_NOMEM;
    s->max = max;
    s->heads = calloc(max, sizeof(*s->heads));
    s->places = calloc(max, sizeof(*s->places));
    if (s->heads == NULL || s->places == NULL) {
        dt_seen_free(&s);
        return DT_E_NOMEM;
    }
    for (size_t i = 0; i < max; i++)
        s->heads[i] = s->places[i].next = NONE;
    *out = s;
    return DT_OK;
}

void dt_seen_free(dt_seen **s)
{
    if (*s == NULL)
        return;
    free((*s)->heads);
    free((*s)->places);
    free(*s);
    *s = NULL;
}

/* A hash of both hashes, so that no two pairs read alike. False when the library fails. */
static bool make_mark(char const *issuer, char const *id, uint8_t out[MARK_LEN])
{
    uint8_t digest[DT_SHA256_LEN], both[2 * DT_SHA256_LEN];
    if (dt_crypto_sha256(dt_bytes_str(issuer), both) != DT_OK ||
        dt_crypto_sha256(dt_bytes_str(id), both + DT_SHA256_LEN) != DT_OK ||
        dt_crypto_sha256(dt_bytes_of(both, sizeof(both)), digest) != DT_OK)
        return false;
    memcpy(out, digest, MARK_LEN);
    return true;
}

static uint32_t *head_of(dt_seen const *s, uint8_t const mark[MARK_LEN])
{
    uint32_t n;
    memcpy(&n, mark, sizeof(n));
    return &s->heads[n % s->max];
}

static place *find(dt_seen const *s, uint8_t const mark[MARK_LEN])
{
    for (uint32_t i = *head_of(s, mark); i != NONE; i = s->places[i].next)
        if (memcmp(s->places[i].mark, mark, MARK_LEN) == 0)
            return &s->places[i];
    return NULL;
}

bool dt_seen_has(dt_seen const *s, char const *issuer, char const *id, dt_time now)
{
    uint8_t mark[MARK_LEN];
    place const *p = make_mark(issuer, id, mark) ? find(s, mark) : NULL;
    return p != NULL && now - p->at < DT_SEEN_KEEP;
}

/* Takes the place out of its chain. */
static void forget(dt_seen *s, uint32_t at)
{
    uint32_t *link = head_of(s, s->places[at].mark);
    while (*link != NONE && *link != at)
        link = &s->places[*link].next;
    if (*link == at)
        *link = s->places[at].next;
}

void dt_seen_add(dt_seen *s, char const *issuer, char const *id, dt_time now)
{
    uint8_t mark[MARK_LEN];
    if (!make_mark(issuer, id, mark))
        return;
    place *p = find(s, mark);
    if (p != NULL) {
        p->at = now;
        return;
    }
    uint32_t const at = (uint32_t)s->newest;
    s->newest = (s->newest + 1) % s->max;
    p = &s->places[at];
    if (p->at != 0)
        forget(s, at);
    memcpy(p->mark, mark, MARK_LEN);
    p->at = now;
    uint32_t *head = head_of(s, mark);
    p->next = *head;
    *head = at;
}
