/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A circuit breaker: while a service is not there, its callers fail at once instead of waiting for it one
 * after another.
 *
 * It opens after DT_BREAKER_FAILURES failures that follow each other: no name, no route, refused, reset, timed out, or
 * a proxy that does not reach the service. Every answer closes it, whatever it says: 429, 5xx, or a certificate that is
 * not accepted come from a service that is there. What fails on our side (dt_http_is_local) says nothing, nor does a
 * call that had less than its full time.
 *
 * Nobody can open it for others by calls of their own that fail: a failure after the service has been reached counts
 * once for each person. A push that is not answered is an answer of the service.
 *
 * While it is open, calls fail (DT_HTTP_PAUSED, which counts as unavailable). After a pause one call is let through,
 * the probe; its answer closes the breaker, and its failure opens it for a longer pause, up to
 * DT_BREAKER_PAUSE_MAX. Pure; not thread safe. The zero value is closed. `now`: milliseconds of a monotonic clock. */
#ifndef DT_CORE_BREAKER_H
#define DT_CORE_BREAKER_H

#include "core/base/step.h"

#define DT_BREAKER_FAILURES 10 /* more than three sign-ons that each try three times */
#define DT_BREAKER_LONG_COUNTS                                                                     \
    3 /* as so many failures: a call after DT_HTTP_LONG without a connection, which is tried once */
#define DT_BREAKER_PROBE_MAX                                                                       \
    DT_MINUTES(2) /* a probe that has not ended by then is no longer waited for */
#define DT_BREAKER_PAUSE_MIN DT_SECONDS(1)
#define DT_BREAKER_PAUSE_MAX                                                                       \
    DT_SECONDS(30) /* and up to a quarter more, so that hosts do not probe together */

typedef enum dt_breaker_state {
    DT_BREAKER_CLOSED = 0,
    DT_BREAKER_OPEN,
    DT_BREAKER_PROBING, /* one call is under way, whose end decides */
} dt_breaker_state;

typedef struct dt_breaker {
    dt_breaker_state state;
    int failures;                         /* that count, since the last answer */
    uint64_t people[DT_BREAKER_FAILURES]; /* whose they were; 0: of nobody in particular */
    dt_time pause, until; /* the next call after `until` is the probe; PROBING: the next one */
} dt_breaker;

/* What became of a call. */
typedef struct dt_breaker_end {
    dt_http_failure failure;
    bool reached;    /* a connection was made, and the request went out */
    bool short_time; /* it had less time than a call of this service may take */
    bool long_wait;  /* dt_http_was_long */
    uint64_t person; /* whose call it was, as a digest; 0: nobody's */
    bool probe;      /* as dt_breaker_admits said */
} dt_breaker_end;

typedef enum dt_breaker_change {
    DT_BREAKER_SAME = 0,
    DT_BREAKER_OPENED,
    DT_BREAKER_CLOSED_AGAIN
} dt_breaker_change;

/* True: the call may be sent, and is to be ended once. *probe: it is the one that is let through. */
bool dt_breaker_admits(dt_breaker *b, dt_time now, bool *probe);
/* `random` spreads the pauses. The change is for the log: a probe that fails is none. */
dt_breaker_change dt_breaker_ended(dt_breaker *b, dt_breaker_end const *end, uint32_t random,
                                   dt_time now);
/* The call was given up before its end: it says nothing. */
void dt_breaker_dropped(dt_breaker *b, bool probe, dt_time now);

#endif
