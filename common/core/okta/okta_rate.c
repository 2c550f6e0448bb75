/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeping to Okta's rate limits: when to ask again. Okta's clock is used (its Date header), never
 * ours: the reset is a point in its time. */
#include "core/okta/okta.h"

#define BUCKET_MAX 1000000 /* larger limits mean nothing and would overflow */
#define LOW_WATER_SHARE 4  /* a bucket below a quarter of its limit runs low */

static dt_time clamp(dt_time t, dt_time least, dt_time most)
{
    return t < least ? least : t > most ? most : t;
}

/* How long until the bucket is full again; 0 when the reply does not say. */
static dt_time until_reset(dt_http_response const *r)
{
    if (r->rate_reset <= 0 || r->date <= 0)
        return 0;
    return clamp(r->rate_reset - r->date, DT_OKTA_WAIT_MIN, DT_OKTA_WAIT_MAX);
}

dt_time dt_okta_rate_wait(dt_http_response const *r)
{
    if (r->retry_after > 0)
        return clamp(r->retry_after, DT_OKTA_WAIT_MIN, DT_OKTA_WAIT_MAX);
    /* The limit of requests at the same time answers with zeros: its reset is only a guess. */
    if (r->rate_limit == 0 && r->rate_remaining == 0)
        return DT_OKTA_WAIT_DEFAULT;
    dt_time wait = until_reset(r);
    return wait > 0 ? wait : DT_OKTA_WAIT_DEFAULT;
}

/* All who poll share the bucket. Below the low water mark everybody slows down in proportion to what
 * is left, so that those who are there now do not empty it before it is filled again. */
dt_time dt_okta_poll_interval(dt_http_response const *r, dt_time interval)
{
    interval = clamp(interval, 0, DT_OKTA_WAIT_MAX);
    dt_time rest = until_reset(r);
    if (rest == 0 || r->rate_limit <= 0 || r->rate_remaining < 0)
        return interval;
    int64_t limit = clamp(r->rate_limit, 1, BUCKET_MAX);
    int64_t left = clamp(r->rate_remaining, 0, BUCKET_MAX);
    if (left == 0)
        return rest > interval ? rest : interval;
    int64_t low = limit / LOW_WATER_SHARE;
    dt_time even = rest / left; /* for one poller alone */
    dt_time slow = left < low ? interval * low / left : interval;
    slow = slow > rest ? rest : slow;
    dt_time wait = even > slow ? even : slow;
    return wait > interval ? wait : interval;
}
