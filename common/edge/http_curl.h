/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTPS by libcurl's multi interface: HTTP/2 where the server has it, kept connections, bounded bodies, TLS >= 1.2, https only, no
 * redirects, no proxy but a configured one, whatever the environment says. The one file that knows libcurl; it is driven by an
 * event loop through two callbacks and never blocks. Used by one thread. */
#ifndef DT_EDGE_HTTP_CURL_H
#define DT_EDGE_HTTP_CURL_H

#include "core/base/step.h"
#include "edge/http_way.h"

typedef struct dt_http dt_http;
typedef struct dt_http_call dt_http_call;

#define DT_HTTP_CONNECTIONS_PER_HOST_MAX 32
#define DT_HTTP_CALLS_MAX                                                                          \
    20000 /* waiting and running; past it whoever has most waiting is refused */
#define DT_HTTP_CONNECT_TIMEOUT_MS 5000
#define DT_HTTP_QUEUE_WAIT_MS 20000 /* longest wait for one of a service's connections */

/* What to watch for on fd: bit 0 read, bit 1 write; 0 = stop watching. */
typedef void dt_http_watch_fn(void *ctx, int fd, int what);
/* Call dt_http_timeout after this many milliseconds (0 = soon, -1 = cancel). */
typedef void dt_http_timer_fn(void *ctx, long milliseconds);
/* The end of a call; the response is borrowed for the duration of the callback. */
typedef void dt_http_done_fn(void *ctx, dt_http_response const *r);

/* libcurl's threaded resolver is used, so dead DNS does not block the loop. */
DT_MUST_USE int dt_http_new(dt_http_watch_fn *watch, dt_http_timer_fn *timer, void *ctx,
                            dt_http **out, dt_error *e);
/* Ends all calls with DT_HTTP_ABANDONED. Never calls curl_global_cleanup (we may be a module). */
void dt_http_free(dt_http **h);

/* Starts a call, or queues it while DT_HTTP_CONNECTIONS_PER_HOST_MAX of the same service are under way;
 * its timeout runs from when it has its turn. Turns go round by the request's NAS and then by its
 * identity, and nobody is limited while no other waits. A call that waits for DT_HTTP_QUEUE_WAIT_MS, or
 * has to make room in a full queue, ends with DT_HTTP_QUEUED.
 * What `way` points to is borrowed until the end of the call; the struct itself only meanwhile. Its
 * authorization is copied, and wiped after. The callback
 * always comes, exactly once, from dt_http_ready/_timeout/_free, never from within _start. The returned
 * handle is valid until then; NULL with DT_E_* when it could not be started: DT_E_LIMIT when all is full
 * and this identity has most of it. */
DT_MUST_USE int dt_http_start(dt_http *h, dt_http_request const *r, dt_http_way const *way,
                              dt_http_done_fn *done, void *ctx, dt_http_call **out);
/* What it means for the request that dt_http_start failed with `rc`. */
dt_http_failure dt_http_start_failure(int rc);
/* True while it has not had its turn. */
bool dt_http_is_queued(dt_http_call const *call);
/* Ends a call without its callback. */
void dt_http_cancel(dt_http *h, dt_http_call *call);
void dt_http_ready(dt_http *h, int fd, int what);
void dt_http_timeout(dt_http *h);

#endif
