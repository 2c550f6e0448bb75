/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The org's limits over all sign-ons of this process: the budget (core/okta/okta_budget.h), and a line of the runs whose
 * polls are due. Whoever has been due for longest is polled next; the machine of a run in the line is packed and
 * waits, so an answer that is typed meanwhile is taken at once. */
#include "driver/internal.h"

#include "edge/host.h"

static void arm(dt_driver *d, dt_time wait)
{
    struct timeval tv = {.tv_sec = wait / 1000, .tv_usec = (wait % 1000) * 1000};
    event_add(d->pace_timer, &tv);
}

void dt_pace_leave(dt_run *run)
{
    dt_driver *d = run->driver;
    if (!run->poll_due)
        return;
    *(run->poll_previous != NULL ? &run->poll_previous->poll_next : &d->poll_first) =
        run->poll_next;
    *(run->poll_next != NULL ? &run->poll_next->poll_previous : &d->poll_last) = run->poll_previous;
    run->poll_previous = run->poll_next = NULL;
    run->poll_due = false;
}

/* Polls as many as may be polled now. */
static void on_pace(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    dt_driver *d = ctx;
    dt_run *run;
    while ((run = d->poll_first) != NULL) {
        dt_time wait = dt_okta_budget_wait(&d->budget, DT_OKTA_KIND_POLL, dt_driver_mono());
        if (wait > 0) {
            arm(d, wait);
            return;
        }
        dt_pace_leave(run);
        run->poll_released = true;
        dt_run_step(run);
    }
}

void dt_pace_enter(dt_run *run)
{
    dt_driver *d = run->driver;
    run->poll_due = true;
    run->poll_next = NULL;
    run->poll_previous = d->poll_last;
    *(d->poll_last != NULL ? &d->poll_last->poll_next : &d->poll_first) = run;
    d->poll_last = run;
    if (d->poll_first == run)
        arm(d, 0);
}

dt_time dt_pace_wait(dt_run *run, dt_http_request const *r)
{
    dt_driver *d = run->driver;
    bool released = run->poll_released;
    run->poll_released = false;
    if (r->service != DT_HTTP_OKTA || released)
        return 0;
    d->budget.share = run->live->config->okta.rate_share;
    return dt_okta_budget_wait(&d->budget, dt_okta_kind_of(r), dt_driver_mono());
}

void dt_pace_sent(dt_driver *d, dt_shared_call *call, dt_http_request const *r)
{
    if (r->service != DT_HTTP_OKTA)
        return;
    call->counted = true;
    call->kind = dt_okta_kind_of(r);
    if (!r->anonymous)
        d->keep_alive.used_at = dt_driver_mono();
    dt_okta_budget_sent(&d->budget, call->kind, dt_driver_mono());
}

void dt_pace_ended(dt_driver *d, dt_shared_call *call, dt_http_response const *r)
{
    uint32_t random = 0;
    if (!call->counted)
        return;
    call->counted = false;
    (void)dt_host_random(&random, sizeof(random)); /* else all come back together */
    dt_okta_budget_ended(&d->budget, call->kind, r, random, dt_driver_mono());
    if (d->poll_first != NULL)
        arm(d, 0);
}

int dt_pace_open(dt_driver *d)
{
    dt_okta_budget_init(&d->budget, d->current->config->okta.rate_share);
    d->pace_timer = evtimer_new(d->base, on_pace, d);
    return d->pace_timer != NULL ? DT_OK : DT_E_NOMEM;
}

void dt_pace_close(dt_driver *d)
{
    if (d->pace_timer != NULL)
        event_free(d->pace_timer);
    d->pace_timer = NULL;
}
