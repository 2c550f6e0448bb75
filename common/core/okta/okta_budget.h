/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The share of the org's rate limits that one process uses, over all its sign-ons.
 *
 * Okta counts requests by bucket and window, and says with each reply how large the bucket is, how many requests are
 * left in it, and when it is full again (X-Rate-Limit-Limit, -Remaining, -Reset). The budget learns from these
 * headers, counts what this process sends, and says when the next request may be sent, so that devtrust never uses
 * more than `rate_share` of a bucket and causes no 429. Polls of pushes get at most three quarters of that, evenly
 * spread over the window, so that a push can still be sent and a passcode checked while thousands wait.
 *
 * Which endpoints share a bucket is not documented for all of them: kinds of requests whose replies name the same
 * limit and the same reset are taken for one bucket. Okta's clock (the Date header) turns the reset into a length
 * of time. Source: Okta, Rate limits; Rate limit monitoring. Not thread safe. */
#ifndef DT_CORE_OKTA_BUDGET_H
#define DT_CORE_OKTA_BUDGET_H

#include "core/base/step.h"

#define DT_OKTA_POLLS_AT_ONCE                                                                      \
    24 /* polls in flight; Okta allows 75 requests at a time for a whole org */
#define DT_OKTA_WINDOW DT_SECONDS(60) /* of a bucket whose reset is not known yet */

/* Kinds of requests to Okta. */
typedef enum dt_okta_kind {
    DT_OKTA_KIND_OTHER = 0,
    DT_OKTA_KIND_POLL, /* is a push answered? has the person signed in with a browser? */
    DT_OKTA_KIND_USER, /* users, their groups and factors */
    DT_OKTA_KIND_VERIFY, /* pushes that are sent, passcodes that are checked, pushes that are cancelled */
    DT_OKTA_KIND_AUTHN, /* passwords */
    DT_OKTA_KIND_DEVICE,
    DT_OKTA_KIND_TOKEN_POLL, /* is a push answered, of a native app: another bucket than that of _POLL */
    DT_OKTA_KIND_TOKEN,      /* the other requests of a native app */
} dt_okta_kind;
#define DT_OKTA_KINDS (DT_OKTA_KIND_TOKEN + 1)

/* What is known of the bucket of one kind. */
typedef struct dt_okta_window {
    int64_t limit;        /* 0: not known */
    dt_time okta_reset;   /* the reset as Okta writes it; 0: not known */
    dt_time reset;        /* the same by our clock */
    int64_t left;         /* requests that anybody may still send */
    int64_t own;          /* requests that we sent in this window */
    int in_flight;        /* of these, without a reply yet */
    dt_time closed_until; /* Okta refused a poll: no other is sent before */
} dt_okta_window;

typedef struct dt_okta_budget {
    dt_okta_window windows[DT_OKTA_KINDS];
    int share;     /* per cent of a bucket */
    int polls_max; /* in flight; halved when Okta says that too many requests are under way at a time */
    int64_t next_poll; /* microseconds */
} dt_okta_budget;

/* `share`: [okta] rate_share, 1 to 100. */
void dt_okta_budget_init(dt_okta_budget *b, int share);
/* The kind of a request to DT_HTTP_OKTA, by its method and path. */
dt_okta_kind dt_okta_kind_of(dt_http_request const *r);

/* How long from `now` until a request of this kind may be sent: 0 = now. A poll that has to wait for the end of
 * another one gets DT_OKTA_WAIT_DEFAULT: ask again when one has ended. */
dt_time dt_okta_budget_wait(dt_okta_budget *b, dt_okta_kind kind, dt_time now);
/* A request of this kind is sent. Each one that was sent is ended once. */
void dt_okta_budget_sent(dt_okta_budget *b, dt_okta_kind kind, dt_time now);
/* It has its reply; NULL: it was given up. `random` spreads the next polls of several processes after a 429. */
void dt_okta_budget_ended(dt_okta_budget *b, dt_okta_kind kind, dt_http_response const *r,
                          uint32_t random, dt_time now);
/* `wait` and up to a quarter more, at most 5 s more: several who were refused at the same time come back at
 * different times. */
dt_time dt_okta_spread(dt_time wait, uint32_t random);

#endif
