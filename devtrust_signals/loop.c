/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libevent's loop, with libcurl's sockets and its timer on it. */
#include "devtrust_signals/receiver.h"

#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#define SOCKETS_MAX 64 /* libcurl watches a few for each transmitter */

typedef struct watch {
    int fd; /* -1: free */
    struct event *event;
    dt_loop *loop;
} watch;

struct dt_loop {
    struct event_base *base;
    dt_http *http;
    struct event *timer;
    watch watches[SOCKETS_MAX];
};

int64_t dt_loop_mono(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timeval dt_loop_time(dt_time milliseconds)
{
    return (struct timeval){.tv_sec = milliseconds / 1000,
                            .tv_usec = (suseconds_t)(milliseconds % 1000 * 1000)};
}

static void on_socket(evutil_socket_t fd, short what, void *ctx)
{
    dt_loop *l = ctx;

    dt_http_ready(l->http, fd, ((what & EV_READ) != 0 ? 1 : 0) | ((what & EV_WRITE) != 0 ? 2 : 0));
}

static void forget(watch *w)
{
    if (w->event != NULL)
        event_free(w->event);
    *w = (watch){.fd = -1};
}

static watch *find(dt_loop *l, int fd)
{
    for (size_t i = 0; i < SOCKETS_MAX; i++) {
        if (l->watches[i].fd == fd)
            return &l->watches[i];
    }
    return NULL;
}

static void on_watch(void *ctx, int fd, int what)
{
    dt_loop *l = ctx;
    watch *w = find(l, fd);
    short const events =
        (short)(EV_PERSIST | ((what & 1) != 0 ? EV_READ : 0) | ((what & 2) != 0 ? EV_WRITE : 0));

    if (w != NULL)
        forget(w);
    if (what == 0)
        return;
    w = find(l, -1);
    if (w != NULL)
        *w = (watch){.fd = fd, .event = event_new(l->base, fd, events, on_socket, l), .loop = l};
    if (w == NULL || w->event == NULL || event_add(w->event, NULL) != 0) {
        dt_signals_log(LOG_ERR, "a connection cannot be watched; its request will time out");
        if (w != NULL)
            forget(w);
    }
}

static void on_time(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    dt_http_timeout(((dt_loop *)ctx)->http);
}

static void on_timer(void *ctx, long milliseconds)
{
    dt_loop *l = ctx;
    struct timeval const time = dt_loop_time(milliseconds);

    if (milliseconds < 0)
        (void)event_del(l->timer);
    else
        (void)event_add(l->timer, &time);
}

int dt_loop_new(dt_loop **out, dt_error *e)
{
    dt_loop *l = calloc(1, sizeof(*l));

    *out = NULL;
    if (l == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        l->watches[i].fd = -1;
    l->base = event_base_new();
    l->timer = l->base != NULL ? evtimer_new(l->base, on_time, l) : NULL;
    int rc = l->timer != NULL ? dt_http_new(on_watch, on_timer, l, &l->http, e)
                              : dt_error_set(e, DT_E_NOMEM, "the event loop cannot be made");
    if (rc != DT_OK)
        dt_loop_free(&l);
    *out = l;
    return rc;
}

void dt_loop_free(dt_loop **l)
{
    if (*l == NULL)
        return;
    dt_http_free(&(*l)->http);
    for (size_t i = 0; i < SOCKETS_MAX; i++)
        forget(&(*l)->watches[i]);
    if ((*l)->timer != NULL)
        event_free((*l)->timer);
    if ((*l)->base != NULL)
        event_base_free((*l)->base);
    free(*l);
    *l = NULL;
}

struct event_base *dt_loop_base(dt_loop *l)
{
    return l->base;
}

dt_http *dt_loop_http(dt_loop *l)
{
    return l->http;
}

void dt_loop_run(dt_loop *l)
{
    (void)event_base_dispatch(l->base);
}

void dt_loop_stop(dt_loop *l)
{
    (void)event_base_loopbreak(l->base);
}
