/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One HTTPS request after another, each waited for: for a command that has nothing else to do. */
#ifndef DT_CTL_HTTPS_LOOP_H
#define DT_CTL_HTTPS_LOOP_H

#include "core/base/step.h"
#include "edge/tls_anchors.h"

typedef struct dt_https_loop dt_https_loop;

DT_MUST_USE int dt_https_loop_new(dt_https_loop **out, dt_error *e);
void dt_https_loop_free(dt_https_loop **l);
/* Sends the request and waits for its end, which its own timeout brings at the latest; then `done` has
 * been called once, with a reply that is borrowed. Not so with a negative result. `anchors` NULL stands
 * for the system's. */
DT_MUST_USE int dt_https_loop_ask(dt_https_loop *l, dt_http_request const *r,
                                  dt_tls_anchors const *anchors, dt_secret const *authorization,
                                  void (*done)(void *ctx, dt_http_response const *r), void *ctx);
/* Waits, whatever signals come that do not end the program. */
void dt_https_pause(dt_time wait);

#endif
