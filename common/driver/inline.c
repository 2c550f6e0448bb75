/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons on the caller's own thread: as far as they go without waiting, or to their end with the
 * thread held. The first is what a trusted device's sign-on is made of: no lock but the store's read
 * lock and the audit queue's, no allocation. */
#include "driver/internal.h"

#include "edge/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool dt_driver_run_inline(dt_driver *d, dt_signon *machine, char const *door_name)
{
    if (!dt_driver_is_usable(d))
        return false;
    dt_step step;
    dt_time now;
    do {
        now = dt_host_now();
        dt_signon_next(machine, now, &step);
    } while (dt_driver_perform(d, machine, &step, now));
    if (step.kind != DT_STEP_DONE)
        return false;
    atomic_fetch_add(&d->runs_total, 1);
    if (!dt_signon_only_looks_up(machine))
        dt_driver_audit_machine(d, machine, door_name);
    dt_refresh_hinted(d, machine);
    return true;
}

/* --- with the thread held --------------------------------------------------------------------- */

/* Shared by the thread that waits and the loop; freed by the one that leaves last. */
typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    dt_driver *driver;
    dt_signon *machine; /* the caller's; not touched once `left` */
    dt_outcome *outcome;
    dt_run *run; /* the loop's only */
    bool done, left;
    int users;
    dt_post leave;
} waiter;

static void waiter_release(waiter *w)
{
    pthread_mutex_lock(&w->lock);
    bool last = --w->users == 0;
    pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static void on_waited_done(void *ctx, dt_outcome const *outcome, dt_signon const *machine)
{
    waiter *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->run = NULL;
    w->done = true;
    if (!w->left) {
        if (machine != NULL)
            dt_signon_copy(w->machine, machine);
        *w->outcome = *outcome;
    }
    pthread_cond_signal(&w->ended);
    pthread_mutex_unlock(&w->lock);
    waiter_release(w);
}

/* On the loop: the thread has left, the run has not ended. */
static void on_waiter_left(void *ctx)
{
    waiter *w = ctx;
    if (w->run != NULL)
        dt_run_abandon(w->run, DT_CAUSE_MFA_TIMEOUT);
    waiter_release(w);
}

static waiter *waiter_new(dt_driver *d, dt_signon *machine, dt_outcome *out)
{
    waiter *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->ended, NULL);
    w->driver = d;
    w->machine = machine;
    w->outcome = out;
    w->users = 2;
    w->leave = (dt_post){.fn = on_waiter_left, .ctx = w};
    return w;
}

/* True when the outcome is there. */
static bool wait_for_end(waiter *w, dt_time limit)
{
    int64_t at = dt_driver_mono() + (limit < 0 ? 0 : limit);
    struct timespec until = {.tv_sec = at / 1000, .tv_nsec = (at % 1000) * 1000000};
    int rc = 0;
    pthread_mutex_lock(&w->lock);
    while (!w->done && rc == 0)
        rc = pthread_cond_clockwait(&w->ended, &w->lock, CLOCK_MONOTONIC, &until);
    bool done = w->done;
    w->left = true;
    if (!done)
        w->users++; /* for the post below */
    pthread_mutex_unlock(&w->lock);
    return done;
}

int dt_driver_run_blocking(dt_driver *d, dt_signon *machine, char const *door_name, dt_time limit,
                           dt_outcome *out)
{
    *out = (dt_outcome){0};
    if (!dt_driver_is_usable(d) || (d->own_thread && pthread_equal(pthread_self(), d->thread)))
        return DT_E_STATE;
    waiter *w = waiter_new(d, machine, out);
    if (w == NULL)
        return DT_E_NOMEM;
    dt_door door = {.name = door_name, .done = on_waited_done};
    dt_signon_set_conversation(machine, DT_CONVERSATION_NONE);
    int rc = dt_driver_submit(d, machine, &door, w, &w->run);
    if (rc != 0) {
        w->users = 1;
        waiter_release(w);
        return rc;
    }
    if (!wait_for_end(w, limit)) {
        *out = *dt_signon_outcome(machine);
        dt_outcome_set(out, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
        if (dt_driver_enqueue(d, &w->leave) != 0)
            waiter_release(w); /* the driver stops: it ends the run by itself */
    }
    waiter_release(w);
    return DT_OK;
}
