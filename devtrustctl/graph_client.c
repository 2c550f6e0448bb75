/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A blocking client of Microsoft Graph and of the Compliance Retrieval service: fetches the token for
 * each, finds the latter, tries again. */
#include "devtrustctl/graph_client.h"

#include "devtrustctl/ctl.h"
#include "devtrustctl/https_loop.h"

#include "driver/entra_credentials.h"
#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

struct dt_graph_client {
    dt_config const *config;
    dt_http_way way; /* for either; the bearer is added for each request */
    dt_entra_credentials *credentials;
    dt_https_loop *loop;
    struct {
        dt_secret *bearer;
        dt_time renew_at;
    } tokens[DT_ENTRA_AUDIENCE_COUNT], *token; /* and the one for the request under way */
    dt_compliance_address service;             /* unset: not looked up yet */
    char next[DT_URL_MAX];                     /* while it is looked up */
    dt_time waited;
    int calls;
    /* of the request under way */
    dt_graph_reply_fn *read;
    void *ctx;
    dt_error *e;
    int status;
    dt_intune_answer answer;
    dt_time retry_after; /* 0: not reported */
};

/* --- one try ----------------------------------------------------------------------------------- */

static void on_token(void *ctx, dt_http_response const *r)
{
    dt_graph_client *c = ctx;
    dt_secret *token = NULL;
    dt_time expires = 0;

    c->retry_after = r->retry_after;
    c->answer = dt_entra_read_token(r, dt_host_now(), &token, &c->token->renew_at, &expires, c->e);
    if (c->answer == DT_INTUNE_OK && dt_entra_bearer(token, &c->token->bearer) != DT_OK)
        c->answer = DT_INTUNE_UNUSABLE;
    dt_secret_free(&token);
}

static int fetch_token(dt_graph_client *c)
{
    dt_entra_audience audience = (dt_entra_audience)(c->token - c->tokens);
    dt_http_request r;
    int rc;

    dt_secret_free(&c->token->bearer);
    rc = dt_entra_credentials_request(c->credentials, c->config, audience, &r, c->e);
    if (rc == DT_OK)
        rc = dt_https_loop_ask(c->loop, &r, &c->way, on_token, c);
    explicit_bzero(&r, sizeof(r));
    return rc;
}

static void on_reply(void *ctx, dt_http_response const *r)
{
    dt_graph_client *c = ctx;

    c->status = r->status;
    c->retry_after = r->retry_after;
    c->answer = c->read(c->ctx, r, c->e);
}

/* `answer` is that of the service, or of Entra where it gave no token. */
static int try_once(dt_graph_client *c, dt_http_request const *r)
{
    int rc;

    c->status = 0;
    c->token =
        &c->tokens[r->service == DT_HTTP_COMPLIANCE ? DT_ENTRA_FOR_COMPLIANCE : DT_ENTRA_FOR_GRAPH];
    if (c->token->bearer == NULL || dt_host_now() >= c->token->renew_at) {
        rc = fetch_token(c);
        if (rc != DT_OK || c->token->bearer == NULL)
            return rc;
    }
    dt_http_way way = c->way;
    way.authorization = c->token->bearer;
    c->calls++;
    return dt_https_loop_ask(c->loop, r, &way, on_reply, c);
}

/* --- until it is answered ---------------------------------------------------------------------- */

static bool is_passing(dt_intune_answer a)
{
    return a == DT_INTUNE_RATE_LIMITED || a == DT_INTUNE_SERVER_ERROR || a == DT_INTUNE_UNREACHABLE;
}

/* Retry-After; where it is missing, as of Intune it may be, ever longer. */
static dt_time wait_before(dt_graph_client const *c, int tries)
{
    dt_time wait = c->retry_after > 0 ? c->retry_after : DT_GRAPH_RETRY_WAIT << (tries - 1);

    return wait > DT_GRAPH_RETRY_WAIT_MAX ? DT_GRAPH_RETRY_WAIT_MAX : wait;
}

static bool may_wait(dt_graph_client *c, int tries)
{
    dt_time wait = wait_before(c, tries);

    if (tries >= DT_GRAPH_TRIES_MAX || c->waited + wait > DT_GRAPH_WAIT_MAX)
        return false;
    if (c->answer == DT_INTUNE_RATE_LIMITED)
        dt_err_line("Microsoft's limit is exhausted; continuing in %lld s",
                    (long long)(wait + 999) / 1000);
    c->waited += wait;
    dt_https_pause(wait);
    return true;
}

int dt_graph_client_ask(dt_graph_client *c, dt_http_request const *r, dt_graph_reply_fn *read,
                        void *ctx, dt_error *e)
{
    bool renewed = false;

    c->read = read;
    c->ctx = ctx;
    c->e = e;
    for (int tries = 1;; tries++) {
        int rc = try_once(c, r);
        if (rc != DT_OK)
            return dt_error_set(e, rc, "the request could not be made (%s)", dt_err_name(rc));
        if (c->answer == DT_INTUNE_OK || c->answer == DT_INTUNE_NOT_ENROLLED)
            return DT_OK;
        if (c->status == 401 && !renewed) { /* the service no longer takes the token */
            renewed = true;
            dt_secret_free(&c->token->bearer);
            continue;
        }
        if (!is_passing(c->answer) || !may_wait(c, tries))
            return c->answer == DT_INTUNE_UNAUTHORIZED ? DT_E_PERMISSION : DT_E_UNAVAILABLE;
    }
}

/* --- one device -------------------------------------------------------------------------------- */

static dt_intune_answer read_endpoints(void *ctx, dt_http_response const *r, dt_error *e)
{
    dt_graph_client *c = ctx;

    return dt_compliance_read_endpoints(c->config, r, dt_host_now(), &c->service, c->next, e);
}

/* Asks Graph where the Compliance Retrieval service is; once for all devices. */
static int find_service(dt_graph_client *c, dt_error *e)
{
    dt_http_request q;

    c->next[0] = '\0';
    for (int page = 0; c->service.url[0] == '\0' && page < DT_COMPLIANCE_PAGES_MAX; page++) {
        int rc = dt_compliance_list_endpoints(c->config, c->next, &q);
        if (rc != DT_OK)
            return dt_error_set(e, rc, "the request could not be made (%s)", dt_err_name(rc));
        rc = dt_graph_client_ask(c, &q, read_endpoints, c, e);
        if (rc != DT_OK)
            return rc;
    }
    return c->service.url[0] != '\0'
               ? DT_OK
               : dt_error_set(e, DT_E_LIMIT, "Graph lists too many endpoints");
}

typedef struct asking {
    bool graph;
    dt_guid const *device;
    dt_intune_device *answer;
} asking;

static dt_intune_answer read_device(void *ctx, dt_http_response const *r, dt_error *e)
{
    asking *a = ctx;

    return a->graph ? dt_intune_read_device(r, a->device, dt_host_now(), a->answer, e)
                    : dt_compliance_read_device(r, a->device, dt_host_now(), a->answer, e);
}

int dt_graph_client_device(dt_graph_client *c, dt_guid const *device, dt_intune_device *out,
                           dt_error *e)
{
    asking a = {.graph = c->config->intune.service != DT_INTUNE_BY_COMPLIANCE,
                .device = device,
                .answer = out};
    dt_http_request q;
    int rc = a.graph ? DT_OK : find_service(c, e);

    if (rc != DT_OK)
        return rc;
    rc = a.graph ? dt_intune_get_device(c->config, device, &q)
                 : dt_compliance_get_device(c->config, &c->service, device, &q);
    if (rc != DT_OK)
        return dt_error_set(e, rc, "the request could not be made (%s)", dt_err_name(rc));
    return dt_graph_client_ask(c, &q, read_device, &a, e);
}

/* --- the whole --------------------------------------------------------------------------------- */

int dt_graph_client_new(dt_site const *site, dt_graph_client **out, dt_error *e)
{
    dt_graph_client *c = calloc(1, sizeof(*c));
    int rc;

    *out = c;
    if (c == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    c->config = dt_site_config(site);
    c->way = dt_site_way(site, DT_HTTP_GRAPH);
    rc = dt_entra_credentials_load(c->config, &c->credentials, e);
    if (rc == DT_OK && c->credentials == NULL)
        rc = dt_error_set(e, DT_E_STATE,
                          "[intune] is not configured, so no service can be asked about devices");
    if (rc == DT_OK)
        rc = dt_https_loop_new(&c->loop, e);
    if (rc != DT_OK)
        dt_graph_client_free(out);
    return rc;
}

void dt_graph_client_free(dt_graph_client **c)
{
    if (*c == NULL)
        return;
    dt_https_loop_free(&(*c)->loop);
    dt_entra_credentials_free(&(*c)->credentials);
    for (int i = 0; i < DT_ENTRA_AUDIENCE_COUNT; i++)
        dt_secret_free(&(*c)->tokens[i].bearer);
    free(*c);
    *c = NULL;
}

int dt_graph_client_calls(dt_graph_client const *c)
{
    return c->calls;
}
