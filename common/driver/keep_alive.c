/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Okta revokes an API token that was not used for 30 days, and sign-ons of trusted devices do not use it. So one
 * question that changes nothing is asked with it when nobody has used it for a day. On the loop's thread. */
#include "driver/internal.h"

#include <stdio.h>

#define PATH "/api/v1/users?limit=1"

bool dt_keep_alive_is_due(dt_keep_alive const *k, int64_t mono)
{
    int64_t last = k->used_at > k->asked_at ? k->used_at : k->asked_at;

    return last == 0 ? mono - k->began >= DT_KEEP_ALIVE_FIRST : mono - last >= DT_KEEP_ALIVE_AFTER;
}

static void on_answer(void *ctx, dt_http_response const *r)
{
    dt_live_site *l = ctx;
    dt_driver *d = l->driver;

    d->keep_alive.call = NULL;
    d->keep_alive.live = NULL;
    dt_metrics_count_call(&d->metrics, DT_HTTP_OKTA, r->failure, r->status,
                          dt_driver_mono() - d->keep_alive.sent_at);
    if (r->failure == DT_HTTP_OK && r->status == 401 && d->options.notify != NULL)
        d->options.notify(
            d->options.watch_ctx, DT_NOTICE_FAULT,
            "[okta] api_token_file: Okta does not take the API token any more; create "
            "one in the admin console (Security, API, Tokens) and replace the file");
    dt_live_site_release(l);
}

static void ask(dt_driver *d, dt_live_site *l)
{
    dt_http_request r = {
        .service = DT_HTTP_OKTA, .method = DT_HTTP_GET, .timeout = l->config->okta.timeout};
    dt_http_way way = dt_site_way(l->files, DT_HTTP_OKTA);
    int n = snprintf(r.url, sizeof(r.url), "%s" PATH, l->config->okta.org_url);

    way.authorization = l->okta_authorization;
    if (n < 0 || (size_t)n >= sizeof(r.url) ||
        dt_http_start(d->http, &r, &way, on_answer, l, &d->keep_alive.call) < 0) {
        dt_live_site_release(l);
        return;
    }
    d->keep_alive.live = l; /* held until the answer */
    d->keep_alive.sent_at = dt_driver_mono();
    atomic_fetch_add(&d->http_total, 1);
}

void dt_keep_alive_look(dt_driver *d, int64_t mono)
{
    dt_keep_alive *k = &d->keep_alive;
    dt_live_site *l;

    if (k->began == 0)
        k->began = mono;
    if (!d->options.watch || k->call != NULL || !dt_keep_alive_is_due(k, mono))
        return;
    k->asked_at = mono; /* whatever comes of it: once a day */
    l = dt_live_site_current(d);
    if (l->okta_authorization != NULL && l->okta == NULL)
        ask(d, l);
    else
        dt_live_site_release(l);
}

void dt_keep_alive_close(dt_driver *d)
{
    dt_keep_alive *k = &d->keep_alive;

    if (k->call == NULL)
        return;
    dt_http_cancel(d->http, k->call);
    k->call = NULL;
    dt_live_site_release(k->live);
    k->live = NULL;
}
