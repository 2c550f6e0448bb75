/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which events were taken before. Delivery is at least once by every way, so the same event comes again without
 * anybody's fault; it is acknowledged, and makes no news twice.
 *
 * The memory is bounded: the oldest is forgotten first. It is not kept over a restart: what comes again then, or
 * after it was forgotten, costs one more look-up and changes nothing else. */
#ifndef DT_CORE_SEEN_H
#define DT_CORE_SEEN_H

#include "core/base/base.h"

#define DT_SEEN_MAX (64 * 1024) /* events that are remembered, some 2 MiB */
#define DT_SEEN_KEEP DT_DAYS(8) /* longer than an event may be old (DT_SET_AGE_MAX) */

typedef struct dt_seen dt_seen;

/* `max`: DT_SEEN_MAX but in tests. DT_E_NOMEM. One thread at a time. */
DT_MUST_USE int dt_seen_new(size_t max, dt_seen **out);
void dt_seen_free(dt_seen **s);
/* Whether this id of this issuer was added within DT_SEEN_KEEP, and is not yet forgotten. */
bool dt_seen_has(dt_seen const *s, char const *issuer, char const *id, dt_time now);
/* Remembers it. Twice is once. */
void dt_seen_add(dt_seen *s, char const *issuer, char const *id, dt_time now);

#endif
