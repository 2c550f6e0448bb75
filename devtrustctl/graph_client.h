/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking Microsoft Graph one thing after another, with a token that is renewed when it is due, and the
 * Compliance Retrieval service with one of its own: an HTTPS client that blocks, for a command. Waits
 * where they are busy or their limits are used up. */
#ifndef DT_CTL_GRAPH_CLIENT_H
#define DT_CTL_GRAPH_CLIENT_H

#include "core/intune/compliance_service.h"
#include "edge/site.h"

#define DT_GRAPH_TRIES_MAX 8                  /* of one request that Graph cannot answer now */
#define DT_GRAPH_WAIT_MAX DT_MINUTES(30)      /* of all waits of one command together */
#define DT_GRAPH_RETRY_WAIT DT_SECONDS(1)     /* after no word of how long; doubled at each try */
#define DT_GRAPH_RETRY_WAIT_MAX DT_MINUTES(1) /* of one wait */

typedef struct dt_graph_client dt_graph_client;

/* `site` must outlive the client. DT_E_STATE when [intune] is not configured. */
DT_MUST_USE int dt_graph_client_new(dt_site const *site, dt_graph_client **out, dt_error *e);
void dt_graph_client_free(dt_graph_client **c);
/* Requests so far, those for tokens not counted. */
int dt_graph_client_calls(dt_graph_client const *c);

/* Reads a reply; once for each try. */
typedef dt_intune_answer dt_graph_reply_fn(void *ctx, dt_http_response const *r, dt_error *e);
/* Asks until the answer is not one that passes: OK or NOT_ENROLLED with 0; else DT_E_PERMISSION or
 * DT_E_UNAVAILABLE and what Graph said last. */
DT_MUST_USE int dt_graph_client_ask(dt_graph_client *c, dt_http_request const *r,
                                    dt_graph_reply_fn *read, void *ctx, dt_error *e);
/* Asks the service that [intune] names about a device. Errors as above; DT_E_LIMIT when the service is
 * not found among more endpoints than are read. */
DT_MUST_USE int dt_graph_client_device(dt_graph_client *c, dt_guid const *device,
                                       dt_intune_device *out, dt_error *e);

#endif
