/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One HTTPS request after another, each waited for: for a command that has nothing else to do. */
#ifndef DT_CTL_HTTPS_LOOP_H
#define DT_CTL_HTTPS_LOOP_H

#include "core/base/step.h"
#include "edge/http_way.h"

typedef struct dt_https_loop dt_https_loop;

DT_MUST_USE int dt_https_loop_new(dt_https_loop **out, dt_error *e);
void dt_https_loop_free(dt_https_loop **l);
/* Sends the request and waits for its end, which its own timeout brings at the latest; then `done` has
 * been called once, with a reply that is borrowed. Not so with a negative result. */
DT_MUST_USE int dt_https_loop_ask(dt_https_loop *l, dt_http_request const *r,
                                  dt_http_way const *way,
                                  void (*done)(void *ctx, dt_http_response const *r), void *ctx);
/* Waits, whatever signals come that do not end the program. */
void dt_https_pause(dt_time wait);

#endif
