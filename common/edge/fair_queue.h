/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A queue in which nobody waits behind somebody else's crowd: each NAS has its turn, and within a NAS
 * each identity, oldest first. A single NAS, or a single identity, that waits alone has every turn.
 * Items are the caller's; the queue links them. Used by one thread. */
#ifndef DT_EDGE_FAIR_QUEUE_H
#define DT_EDGE_FAIR_QUEUE_H

#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct dt_fair_queue dt_fair_queue;
typedef struct dt_fair_share dt_fair_share;

/* Part of what waits. Zero: in no queue. */
typedef struct dt_fair_item {
    dt_fair_share *share;
    struct dt_fair_item *before, *behind; /* of the same identity */
    struct dt_fair_item *older, *newer;   /* of all */
} dt_fair_item;

DT_MUST_USE int dt_fair_queue_new(dt_fair_queue **out);
/* The queue must be empty. */
void dt_fair_queue_free(dt_fair_queue **q);

/* At the end of the identity's items. The two names are copied. DT_E_NOMEM. */
DT_MUST_USE int dt_fair_queue_add(dt_fair_queue *q, dt_fair_item *item, char const *nas,
                                  char const *identity);
/* Takes out the one whose turn it is; NULL when nobody waits. */
dt_fair_item *dt_fair_queue_take(dt_fair_queue *q);
void dt_fair_queue_remove(dt_fair_queue *q, dt_fair_item *item);

size_t dt_fair_queue_count(dt_fair_queue const *q);
/* Who has waited longest, without regard to turns; NULL. */
dt_fair_item *dt_fair_queue_oldest(dt_fair_queue const *q);
/* How many items of this identity wait. */
size_t dt_fair_queue_waiting(dt_fair_queue const *q, char const *nas, char const *identity);
/* The newest item of the identity that has most of them here, and *count how many; NULL and 0. Takes as
 * long as there are identities: for a full queue. */
dt_fair_item *dt_fair_queue_heaviest(dt_fair_queue const *q, size_t *count);

#endif
