/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libcurl's edge, driven by poll(2). */
#include "devtrustctl/https_loop.h"

#include "edge/http_curl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SOCKETS_MAX 64 /* libcurl watches one or two for one request */
#define IDLE_POLL_MS 1000

struct dt_https_loop {
    dt_http *http;
    struct pollfd fds[SOCKETS_MAX];
    nfds_t fd_count;
    int64_t deadline; /* of libcurl's timer, monotonic milliseconds; -1: none */
    bool done, failed;
    void (*notify)(void *ctx, dt_http_response const *r);
    void *ctx;
};

static void on_watch(void *ctx, int fd, int what)
{
    dt_https_loop *l = ctx;
    short events = (short)(((what & 1) != 0 ? POLLIN : 0) | ((what & 2) != 0 ? POLLOUT : 0));
    nfds_t i;

    for (i = 0; i < l->fd_count && l->fds[i].fd != fd; i++)
        ;
    if (what == 0 && i < l->fd_count)
        l->fds[i] = l->fds[--l->fd_count];
    if (what == 0)
        return;
    if (i == SOCKETS_MAX) {
        l->failed = true;
        return;
    }
    l->fds[i] = (struct pollfd){.fd = fd, .events = events};
    if (i == l->fd_count)
        l->fd_count++;
}

static int64_t mono_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_timer(void *ctx, long milliseconds)
{
    ((dt_https_loop *)ctx)->deadline = milliseconds < 0 ? -1 : mono_now() + milliseconds;
}

static void call_ready(dt_https_loop *l)
{
    struct pollfd ready[SOCKETS_MAX];
    nfds_t count = l->fd_count;

    /* A callback may change the list. */
    memcpy(ready, l->fds, count * sizeof(ready[0]));
    for (nfds_t i = 0; i < count && !l->done; i++) {
        int what = ((ready[i].revents & POLLOUT) != 0 ? 2 : 0) |
                   ((ready[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 ? 1 : 0);
        if (what != 0)
            dt_http_ready(l->http, ready[i].fd, what);
    }
}

static int until_deadline(dt_https_loop const *l)
{
    int64_t left = l->deadline < 0 ? IDLE_POLL_MS : l->deadline - mono_now();

    return left < 0 ? 0 : left > IDLE_POLL_MS ? IDLE_POLL_MS : (int)left;
}

/* Until the request has ended: its own timeout ends it at the latest. */
static int loop(dt_https_loop *l)
{
    while (!l->done && !l->failed) {
        int n = poll(l->fds, l->fd_count, until_deadline(l));
        if (n < 0 && errno != EINTR)
            return DT_E_IO;
        if (n > 0)
            call_ready(l);
        if (!l->done && l->deadline >= 0 && mono_now() >= l->deadline) {
            l->deadline = -1;
            dt_http_timeout(l->http);
        }
    }
    return l->failed ? DT_E_IO : DT_OK;
}

/* --- the whole --------------------------------------------------------------------------------- */

static void on_reply(void *ctx, dt_http_response const *r)
{
    dt_https_loop *l = ctx;

    l->notify(l->ctx, r);
    l->done = true;
}

int dt_https_loop_ask(dt_https_loop *l, dt_http_request const *r, dt_http_way const *way,
                      void (*done)(void *ctx, dt_http_response const *r), void *ctx)
{
    dt_http_call *call = NULL;
    int rc;

    l->done = false;
    l->notify = done;
    l->ctx = ctx;
    rc = dt_http_start(l->http, r, way, on_reply, l, &call);
    return rc == DT_OK ? loop(l) : rc;
}

void dt_https_pause(dt_time wait)
{
    struct timespec t = {.tv_sec = wait / 1000, .tv_nsec = wait % 1000 * 1000000};

    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

int dt_https_loop_new(dt_https_loop **out, dt_error *e)
{
    dt_https_loop *l = calloc(1, sizeof(*l));
    int rc;

    *out = l;
    if (l == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    l->deadline = -1;
    rc = dt_http_new(on_watch, on_timer, l, &l->http, e);
    if (rc != DT_OK)
        dt_https_loop_free(out);
    return rc;
}

void dt_https_loop_free(dt_https_loop **l)
{
    if (*l == NULL)
        return;
    dt_http_free(&(*l)->http);
    free(*l);
    *l = NULL;
}
