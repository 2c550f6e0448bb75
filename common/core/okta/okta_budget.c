/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See okta_budget.h. */
#include "core/okta/okta_budget.h"

#include "core/okta/okta.h"
#include "core/okta/okta_browser.h"
#include "core/okta/okta_direct.h"

#include <string.h>

#define MARGIN_SHARE 32 /* of a bucket: left for requests that were sent before a reply told us */
#define POLL_PARTS 3    /* of POLL_WHOLE parts of our share: for polls */
#define POLL_WHOLE 4
#define LIMIT_MAX 1000000 /* larger limits mean nothing */
#define SPREAD_MAX DT_SECONDS(5)
#define CATCH_UP 50 /* ms: polls that were not sent for so long are sent at once */
#define US 1000     /* microseconds of a millisecond */

void dt_okta_budget_init(dt_okta_budget *b, int share)
{
    memset(b, 0, sizeof(*b));
    b->share = share < 1 ? 1 : share > 100 ? 100 : share;
    b->polls_max = DT_OKTA_POLLS_AT_ONCE;
}

static bool contains(char const *url, char const *part)
{
    return strstr(url, part) != NULL;
}

dt_okta_kind dt_okta_kind_of(dt_http_request const *r)
{
    if (contains(r->url, "/transactions/"))
        return r->method == DT_HTTP_GET ? DT_OKTA_KIND_POLL : DT_OKTA_KIND_VERIFY;
    if (contains(r->url, "/oauth2/"))
        return dt_direct_is_poll(r) || dt_browser_is_poll(r) ? DT_OKTA_KIND_TOKEN_POLL
                                                             : DT_OKTA_KIND_TOKEN;
    if (contains(r->url, "/api/v1/authn"))
        return DT_OKTA_KIND_AUTHN;
    if (contains(r->url, "/devices"))
        return DT_OKTA_KIND_DEVICE;
    if (contains(r->url, "/api/v1/users/") || contains(r->url, "/api/v1/groups"))
        return r->method == DT_HTTP_GET ? DT_OKTA_KIND_USER : DT_OKTA_KIND_VERIFY;
    return DT_OKTA_KIND_OTHER;
}

/* --- the window ----------------------------------------------------------------------------------- */

static void renew(dt_okta_window *w, dt_time now)
{
    if (w->limit == 0 || now < w->reset)
        return;
    w->left = w->limit;
    w->own = w->in_flight; /* they may be counted in either window */
    w->okta_reset = 0;
    w->reset = now + DT_OKTA_WINDOW;
}

static bool is_same_bucket(dt_okta_window const *a, dt_okta_window const *b)
{
    return a == b || (a->limit > 0 && a->limit == b->limit && a->okta_reset == b->okta_reset);
}

/* How many requests we may still send in this window, of the whole bucket: `parts` of `whole` of our share. */
static int64_t allowed(dt_okta_budget *b, dt_okta_window const *w, int parts, int whole)
{
    int64_t share = w->limit * b->share / 100 * parts / whole;
    int64_t left = w->left, own = 0;

    for (size_t i = 0; i < DT_OKTA_KINDS; i++) {
        dt_okta_window const *other = &b->windows[i];
        if (!is_same_bucket(w, other))
            continue;
        own += other->own;
        left = other->left < left ? other->left : left;
    }
    left -= w->limit / MARGIN_SHARE;
    share = (share > 1 ? share : 1) - own;
    return left < share ? left : share;
}

static int64_t polls_allowed(dt_okta_budget *b, dt_okta_window const *w)
{
    return allowed(b, w, POLL_PARTS, POLL_WHOLE);
}

static bool is_poll(dt_okta_kind kind)
{
    return kind == DT_OKTA_KIND_POLL || kind == DT_OKTA_KIND_TOKEN_POLL;
}

/* --- may it be sent? ------------------------------------------------------------------------------ */

static dt_time at_least_one(dt_time wait)
{
    return wait < 1 ? 1 : wait;
}

/* Microseconds. A clock that was set back holds up nobody. */
static int64_t until_next_poll(dt_okta_budget const *b, dt_time now)
{
    int64_t wait = b->next_poll - now * US;

    return wait > 0 && wait <= DT_OKTA_WINDOW * US ? wait : 0;
}

/* By the bucket of one kind of polls. */
static dt_time bucket_wait(dt_okta_budget *b, dt_okta_window const *w, dt_time now)
{
    if (now < w->closed_until)
        return w->closed_until - now;
    return w->limit > 0 && polls_allowed(b, w) <= 0 ? at_least_one(w->reset - now) : 0;
}

/* All polls wait in one line, whatever kind they are: whichever is next finds room in its bucket. */
static dt_time poll_wait(dt_okta_budget *b, dt_time now)
{
    dt_okta_window const *one = &b->windows[DT_OKTA_KIND_POLL];
    dt_okta_window const *other = &b->windows[DT_OKTA_KIND_TOKEN_POLL];
    dt_time wait = bucket_wait(b, one, now), wait_other = bucket_wait(b, other, now);

    wait = wait > wait_other ? wait : wait_other;
    if (wait > 0)
        return wait;
    if (one->in_flight + other->in_flight >= b->polls_max)
        return DT_OKTA_WAIT_DEFAULT;
    return until_next_poll(b, now) / US;
}

dt_time dt_okta_budget_wait(dt_okta_budget *b, dt_okta_kind kind, dt_time now)
{
    dt_okta_window const *w = &b->windows[kind];

    for (size_t i = 0; i < DT_OKTA_KINDS; i++)
        renew(&b->windows[i], now);
    if (is_poll(kind))
        return poll_wait(b, now);
    return w->limit > 0 && allowed(b, w, 1, 1) <= 0 ? at_least_one(w->reset - now) : 0;
}

/* The polls that are left are spread over what is left of the window. */
static void pace(dt_okta_budget *b, dt_okta_window const *w, dt_time now)
{
    int64_t left = w->limit > 0 ? polls_allowed(b, w) : 0;

    if (b->next_poll < (now - CATCH_UP) * US || b->next_poll > (now + DT_OKTA_WINDOW) * US)
        b->next_poll = (now - CATCH_UP) * US;
    if (left > 0 && w->reset > now)
        b->next_poll += (w->reset - now) * US / left;
}

void dt_okta_budget_sent(dt_okta_budget *b, dt_okta_kind kind, dt_time now)
{
    dt_okta_window *w = &b->windows[kind];

    renew(w, now);
    w->in_flight++;
    w->own++;
    w->left--;
    if (is_poll(kind))
        pace(b, w, now);
}

/* --- what replies say ----------------------------------------------------------------------------- */

dt_time dt_okta_spread(dt_time wait, uint32_t random)
{
    dt_time most = wait / 4 < SPREAD_MAX ? wait / 4 : SPREAD_MAX;

    return most > 0 ? wait + (dt_time)(random % (uint32_t)(most + 1)) : wait;
}

static void refused(dt_okta_budget *b, dt_okta_kind kind, dt_http_response const *r,
                    uint32_t random, dt_time now)
{
    bool concurrency = r->rate_limit == 0 && r->rate_remaining == 0;

    /* Another kind of request is asked again by its sign-on. The limit that it met may be one person's. */
    if (!is_poll(kind))
        return;
    if (concurrency && b->polls_max > 1)
        b->polls_max /= 2;
    b->windows[kind].closed_until = now + dt_okta_spread(dt_okta_rate_wait(r), random);
}

static void learn(dt_okta_window *w, dt_http_response const *r, dt_time now)
{
    dt_time rest = r->rate_reset - r->date;
    bool known = r->rate_limit > 0 && r->rate_limit <= LIMIT_MAX && r->rate_remaining >= 0 &&
                 r->rate_reset > 0 && r->date > 0 && rest >= 0;

    if (!known || r->rate_reset < w->okta_reset) /* or it is late, and of the window before */
        return;
    rest = rest < DT_OKTA_WAIT_MAX ? rest : DT_OKTA_WAIT_MAX;
    if (w->okta_reset != r->rate_reset || w->limit != r->rate_limit) {
        if (w->limit == 0 || w->okta_reset != 0) /* else it is the window that we took to begin */
            w->own = w->in_flight + 1;
        w->left = r->rate_remaining;
    }
    w->limit = r->rate_limit;
    w->okta_reset = r->rate_reset;
    w->reset = now + rest;
    /* Within a window it only falls; replies may come out of order. */
    w->left = r->rate_remaining < w->left ? r->rate_remaining : w->left;
}

void dt_okta_budget_ended(dt_okta_budget *b, dt_okta_kind kind, dt_http_response const *r,
                          uint32_t random, dt_time now)
{
    dt_okta_window *w = &b->windows[kind];

    if (w->in_flight > 0)
        w->in_flight--;
    if (r == NULL || r->failure != DT_HTTP_OK)
        return;
    if (r->status == 429) {
        refused(b, kind, r, random, now);
        return;
    }
    learn(w, r, now);
    if (is_poll(kind) && b->polls_max < DT_OKTA_POLLS_AT_ONCE)
        b->polls_max++;
}
