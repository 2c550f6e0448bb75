/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See breaker.h. */
#include "core/base/breaker.h"

#include <string.h>

#define JITTER_PART 4 /* of a pause, that may be added to it */

bool dt_breaker_admits(dt_breaker *b, dt_time now, bool *probe)
{
    *probe = false;
    if (b->state == DT_BREAKER_CLOSED)
        return true;
    if (now < b->until)
        return false;
    b->state = DT_BREAKER_PROBING;
    b->until = now + DT_BREAKER_PROBE_MAX;
    *probe = true;
    return true;
}

static void open_for(dt_breaker *b, dt_time pause, uint32_t random, dt_time now)
{
    b->state = DT_BREAKER_OPEN;
    b->pause = pause < DT_BREAKER_PAUSE_MAX ? pause : DT_BREAKER_PAUSE_MAX;
    b->until = now + b->pause + (dt_time)(random % (uint32_t)(b->pause / JITTER_PART + 1));
}

/* One that would have become of anybody's call. */
static bool is_of_all(dt_breaker_end const *end)
{
    return !end->reached || end->person == 0;
}

static bool is_counted(dt_breaker const *b, uint64_t person)
{
    for (int i = 0; i < b->failures; i++)
        if (b->people[i] == person)
            return true;
    return false;
}

/* Failures of a check that we made, of somebody who is there. */
static bool is_from_outside(dt_http_failure f)
{
    return f == DT_HTTP_UNTRUSTED || f == DT_HTTP_PROXY_REFUSED;
}

static bool says_nothing(dt_breaker_end const *end)
{
    return (dt_http_is_local(end->failure) && !is_from_outside(end->failure)) ||
           end->failure == DT_HTTP_NO_CREDENTIALS || end->failure == DT_HTTP_PAUSED ||
           (end->failure == DT_HTTP_TIMEOUT && end->short_time);
}

/* A probe that failed for one person only does not make the others wait longer. */
static void probe_failed(dt_breaker *b, dt_breaker_end const *end, uint32_t random, dt_time now)
{
    open_for(b, is_of_all(end) ? 2 * b->pause : DT_BREAKER_PAUSE_MIN, random, now);
}

static int weight_of(dt_breaker_end const *end)
{
    return end->long_wait && !end->reached ? DT_BREAKER_LONG_COUNTS : 1;
}

static dt_breaker_change call_failed(dt_breaker *b, dt_breaker_end const *end, uint32_t random,
                                     dt_time now)
{
    if (b->state != DT_BREAKER_CLOSED) /* sent before it opened */
        return DT_BREAKER_SAME;
    if (!is_of_all(end) && is_counted(b, end->person))
        return DT_BREAKER_SAME;
    for (int n = weight_of(end); n > 0 && b->failures < DT_BREAKER_FAILURES; n--)
        b->people[b->failures++] = is_of_all(end) ? 0 : end->person;
    if (b->failures < DT_BREAKER_FAILURES)
        return DT_BREAKER_SAME;
    b->failures = 0;
    open_for(b, DT_BREAKER_PAUSE_MIN, random, now);
    return DT_BREAKER_OPENED;
}

void dt_breaker_dropped(dt_breaker *b, bool probe, dt_time now)
{
    if (!probe || b->state != DT_BREAKER_PROBING)
        return;
    b->state = DT_BREAKER_OPEN;
    b->until = now;
}

dt_breaker_change dt_breaker_ended(dt_breaker *b, dt_breaker_end const *end, uint32_t random,
                                   dt_time now)
{
    bool was_open = b->state != DT_BREAKER_CLOSED;

    if (says_nothing(end)) {
        dt_breaker_dropped(b, end->probe, now);
        return DT_BREAKER_SAME;
    }
    if (!dt_http_is_unavailable(end->failure, 0)) {
        memset(b, 0, sizeof(*b));
        return was_open ? DT_BREAKER_CLOSED_AGAIN : DT_BREAKER_SAME;
    }
    if (!end->probe)
        return call_failed(b, end, random, now);
    if (b->state == DT_BREAKER_PROBING)
        probe_failed(b, end, random, now);
    return DT_BREAKER_SAME;
}
