/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A blocking client of Microsoft Graph: fetches its token, tries again. */
#include "devtrustctl/graph_client.h"

#include "devtrustctl/ctl.h"
#include "devtrustctl/https_loop.h"

#include "driver/entra_credentials.h"
#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

struct dt_graph_client {
    dt_config const *config;
    dt_entra_credentials *credentials;
    dt_https_loop *loop;
    dt_secret *bearer;
    dt_time renew_at;
    dt_time waited;
    int calls;
    /* of the request under way */
    dt_graph_reply_fn *read;
    void *ctx;
    dt_error *e;
    int status;
    dt_intune_answer answer;
    dt_time retry_after; /* 0: not told */
};

/* --- one try ----------------------------------------------------------------------------------- */

static void on_token(void *ctx, dt_http_response const *r)
{
    dt_graph_client *c = ctx;
    dt_secret *token = NULL;
    dt_time expires = 0;

    c->retry_after = r->retry_after;
    c->answer = dt_entra_read_token(r, dt_host_now(), &token, &c->renew_at, &expires, c->e);
    if (c->answer == DT_INTUNE_OK && dt_entra_bearer(token, &c->bearer) != DT_OK)
        c->answer = DT_INTUNE_UNUSABLE;
    dt_secret_free(&token);
}

static int fetch_token(dt_graph_client *c)
{
    dt_http_request r;
    int rc;

    dt_secret_free(&c->bearer);
    rc = dt_entra_credentials_request(c->credentials, c->config, &r, c->e);
    if (rc == DT_OK)
        rc = dt_https_loop_ask(c->loop, &r, c->config->intune.ca_file, NULL, on_token, c);
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

/* `answer` is that of Graph, or of Entra where it gave no token. */
static int try_once(dt_graph_client *c, dt_http_request const *r)
{
    int rc;

    c->status = 0;
    if (c->bearer == NULL || dt_host_now() >= c->renew_at) {
        rc = fetch_token(c);
        if (rc != DT_OK || c->bearer == NULL)
            return rc;
    }
    c->calls++;
    return dt_https_loop_ask(c->loop, r, c->config->intune.ca_file, c->bearer, on_reply, c);
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
        dt_err_line("Graph's limit is used up; going on in %lld s", (long long)(wait + 999) / 1000);
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
        if (c->status == 401 && !renewed) { /* Graph no longer takes the token */
            renewed = true;
            dt_secret_free(&c->bearer);
            continue;
        }
        if (!is_passing(c->answer) || !may_wait(c, tries))
            return c->answer == DT_INTUNE_UNAUTHORIZED ? DT_E_PERMISSION : DT_E_UNAVAILABLE;
    }
}

/* --- the whole --------------------------------------------------------------------------------- */

int dt_graph_client_new(dt_site_files const *site, dt_graph_client **out, dt_error *e)
{
    dt_graph_client *c = calloc(1, sizeof(*c));
    int rc;

    *out = c;
    if (c == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    c->config = dt_site_config(site);
    rc = dt_entra_credentials_load(c->config, &c->credentials, e);
    if (rc == DT_OK && c->credentials == NULL)
        rc = dt_error_set(e, DT_E_STATE,
                          "[intune] is not configured, so there is nobody to ask about devices");
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
    dt_secret_free(&(*c)->bearer);
    free(*c);
    *c = NULL;
}

int dt_graph_client_calls(dt_graph_client const *c)
{
    return c->calls;
}
