/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A blocking client of Okta's management API: tries again, walks pages. */
#include "devtrustctl/okta_client.h"

#include "devtrustctl/ctl.h"
#include "devtrustctl/https_loop.h"

#include "driver/okta_credentials.h"
#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

struct dt_okta_client {
    dt_config const *config;
    dt_http_way way;
    dt_secret *authorization; /* NULL: no token has been fetched yet */
    dt_okta_credentials *app; /* NULL: by an API token */
    char const *scopes;
    dt_time renew_at;
    dt_okta_token_end end; /* of the last token request */
    bool nonce_came;
    dt_https_loop *loop;
    dt_time waited;
    int requests;
    /* of the request under way */
    dt_okta_answer answer;
    dt_time wait;  /* what a rate limit asks for */
    dt_time spare; /* the same, though this request was answered: none is left in this window */
    dt_json *root;
    char *next_url;
    dt_error *e;
};

/* --- one request ------------------------------------------------------------------------------- */

static void on_token(void *ctx, dt_http_response const *r)
{
    dt_okta_client *c = ctx;
    dt_time expires = 0;

    c->answer = dt_http_is_unavailable(r->failure, r->status) ? DT_OKTA_UNREACHABLE
                : r->status == 429                            ? DT_OKTA_RATE_LIMITED
                                                              : DT_OKTA_UNAUTHORIZED;
    c->wait = c->answer == DT_OKTA_RATE_LIMITED ? dt_okta_rate_wait(r) : DT_CLIENT_RETRY_WAIT;
    c->end = dt_okta_credentials_take(c->app, c->config, c->scopes, r, &c->authorization,
                                      &c->renew_at, &expires, c->e);
}

/* False, with c->answer and the error, where Okta gives none. */
static int fetch_token(dt_okta_client *c)
{
    int rc = DT_OK;

    c->end = DT_OKTA_TOKEN_AGAIN;
    while (rc == DT_OK && c->end == DT_OKTA_TOKEN_AGAIN) {
        dt_http_request r;
        char proof[DT_PROOF_MAX];
        dt_http_way way = c->way;

        rc = dt_okta_credentials_request(c->app, c->config, c->scopes, &r, proof, c->e);
        way.proof = proof[0] != '\0' ? proof : NULL;
        if (rc == DT_OK)
            rc = dt_https_loop_ask(c->loop, &r, &way, on_token, c);
        explicit_bzero(&r, sizeof(r));
    }
    return rc;
}

static void on_done(void *ctx, dt_http_response const *r)
{
    dt_okta_client *c = ctx;

    c->nonce_came = c->app != NULL && dt_okta_credentials_take_nonce(c->app, r);

    c->answer = dt_okta_read_json(c->config, r, &c->root, c->next_url, c->e);
    c->spare = r->rate_remaining == 0 ? dt_okta_rate_wait(r) : 0;
    c->wait = c->answer == DT_OKTA_RATE_LIMITED ? dt_okta_rate_wait(r) : DT_CLIENT_RETRY_WAIT;
}

static int send_request(dt_okta_client *c, dt_http_request const *request)
{
    char proof[DT_PROOF_MAX] = "";
    dt_http_way way = c->way;
    int rc = DT_OK;

    way.authorization = c->authorization;
    if (c->app != NULL)
        rc = dt_okta_credentials_proof(c->app, request, c->authorization, proof, c->e);
    way.proof = proof[0] != '\0' ? proof : NULL;
    return rc == DT_OK ? dt_https_loop_ask(c->loop, request, &way, on_done, c) : rc;
}

static int ask_once(dt_okta_client *c, dt_http_request const *request, dt_error *e)
{
    int rc;

    if (++c->requests > DT_CLIENT_REQUESTS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "more than %d requests to Okta", DT_CLIENT_REQUESTS_MAX);
    c->e = e;
    c->nonce_came = false;
    if (c->app != NULL && (c->authorization == NULL || dt_host_now() >= c->renew_at)) {
        dt_secret_free(&c->authorization);
        rc = fetch_token(c);
        if (rc != DT_OK || c->authorization == NULL)
            return rc;
    }
    rc = send_request(c, request);
    if (rc != DT_OK)
        return dt_error_set(e, rc, "the request to Okta could not be made (%s)", dt_err_name(rc));
    return DT_OK;
}

static bool is_passing(dt_okta_answer a)
{
    return a == DT_OKTA_RATE_LIMITED || a == DT_OKTA_SERVER_ERROR || a == DT_OKTA_UNREACHABLE;
}

static void pause_for(dt_okta_client *c)
{
    if (c->answer == DT_OKTA_RATE_LIMITED)
        dt_err_line("Okta's rate limit is exhausted; continuing in %lld s",
                    (long long)(c->wait + 999) / 1000);
    c->waited += c->wait;
    dt_https_pause(c->wait);
}

static int code_of(dt_okta_answer a)
{
    switch (a) {
    case DT_OKTA_OK:
        return DT_OK;
    case DT_OKTA_NOT_FOUND:
        return DT_E_NOT_FOUND;
    case DT_OKTA_UNAUTHORIZED:
    case DT_OKTA_NOT_ACTIVE:
        return DT_E_PERMISSION;
    case DT_OKTA_UNUSABLE:
    case DT_OKTA_UNREACHABLE:
    case DT_OKTA_RATE_LIMITED:
    case DT_OKTA_SERVER_ERROR:
    case DT_OKTA_PROVIDER_FAILED:
    case DT_OKTA_UNTRUSTED:
    case DT_OKTA_OVERLOADED:
    case DT_OKTA_LOCAL:
        break;
    }
    return DT_E_UNAVAILABLE;
}

static int ask(dt_okta_client *c, dt_http_request const *request, dt_error *e)
{
    bool nonce_sent = false;

    for (int tries = 1;; tries++) {
        int rc = ask_once(c, request, e);
        if (rc != DT_OK)
            return rc;
        if (c->nonce_came && !nonce_sent) { /* Okta has done nothing yet */
            nonce_sent = true;
            tries--;
            continue;
        }
        if (!is_passing(c->answer) || tries == DT_CLIENT_TRIES_MAX ||
            c->waited + c->wait > DT_CLIENT_WAIT_MAX)
            return code_of(c->answer);
        pause_for(c);
    }
}

int dt_okta_client_get(dt_okta_client *c, char const *path, dt_json **root, char *next_url,
                       dt_error *e)
{
    dt_http_request request;
    char url[DT_URL_MAX];
    dt_error why = {0};
    dt_buf b;
    int rc;

    *root = NULL;
    dt_buf_init_fixed(&b, url, sizeof(url));
    if (path[0] == '/')
        dt_buf_puts(&b, c->config->okta.org_url);
    dt_buf_puts(&b, path);
    if (dt_buf_error(&b) < 0 || dt_okta_poll(c->config, url, &request) < 0)
        return dt_error_set(e, DT_E_INVALID, "not a URL within the org: %.200s", path);
    c->next_url = next_url;
    rc = ask(c, &request, &why);
    *root = c->root;
    c->root = NULL;
    if (rc == DT_OK)
        return DT_OK;
    return dt_error_set(e, rc, "%.200s: %s", path, why.text);
}

/* What the org's own limit leaves is everybody's: the last of it is not taken by us. */
static void spare_limit(dt_okta_client *c)
{
    if (c->spare <= 0 || c->waited + c->spare > DT_CLIENT_WAIT_MAX)
        return;
    dt_err_line("Okta's rate limit is exhausted; continuing in %lld s",
                (long long)(c->spare + 999) / 1000);
    c->waited += c->spare;
    dt_https_pause(c->spare);
    c->spare = 0;
}

int dt_okta_client_post(dt_okta_client *c, char const *path, dt_bytes body, dt_json **root,
                        dt_error *e)
{
    dt_http_request request;
    char url[DT_URL_MAX];
    dt_error why = {0};
    dt_buf b;
    int rc;

    *root = NULL;
    dt_buf_init_fixed(&b, url, sizeof(url));
    dt_buf_puts(&b, c->config->okta.org_url);
    dt_buf_puts(&b, path);
    if (dt_buf_error(&b) < 0 || body.len > sizeof(request.body) ||
        dt_okta_poll(c->config, url, &request) < 0)
        return dt_error_set(e, DT_E_INVALID, "not a URL within the org: %.200s", path);
    request.method = DT_HTTP_POST;
    memcpy(request.body, body.p, body.len);
    request.body_len = body.len;
    c->next_url = NULL;
    spare_limit(c);
    rc = ask(c, &request, &why);
    *root = c->root;
    c->root = NULL;
    return rc == DT_OK ? DT_OK : dt_error_set(e, rc, "%.200s: %s", path, why.text);
}

int dt_okta_client_each(dt_okta_client *c, char const *path, dt_okta_element_fn *fn, void *ctx,
                        dt_error *e)
{
    char url[DT_URL_MAX], next[DT_URL_MAX];
    int rc = dt_str_copy(url, sizeof(url), path);

    for (int page = 0; rc == DT_OK && url[0] != '\0'; page++) {
        dt_json *root = NULL;
        if (page == DT_CLIENT_PAGES_MAX)
            return dt_error_set(e, DT_E_LIMIT, "%.200s: more than %d pages", path,
                                DT_CLIENT_PAGES_MAX);
        rc = dt_okta_client_get(c, url, &root, next, e);
        if (rc == DT_OK && dt_json_typeof(root) != DT_JSON_ARRAY)
            rc = dt_error_set(e, DT_E_UNAVAILABLE, "%.200s: Okta's answer is not a list", path);
        for (size_t i = 0; rc == DT_OK && i < dt_json_size(root); i++)
            rc = fn(ctx, dt_json_at(root, i), e);
        dt_json_free(&root);
        memcpy(url, next, sizeof(url));
    }
    return rc;
}

/* --- the whole --------------------------------------------------------------------------------- */

static int make_authorization(dt_site const *site, dt_secret **out)
{
    char storage[DT_SECRET_MAX + 1];
    dt_secret const *secret = dt_site_okta_token(site);
    dt_bytes token = secret != NULL ? dt_secret_bytes(secret) : dt_bytes_str("");
    dt_buf b;
    int rc;

    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_puts(&b, "SSWS ");
    dt_buf_put(&b, token.p, token.len);
    rc = dt_buf_error(&b);
    if (rc == DT_OK)
        rc = dt_secret_new(dt_buf_bytes(&b), out);
    explicit_bzero(storage, sizeof(storage));
    return rc;
}

int dt_okta_client_new(dt_site const *site, char const *scopes, dt_okta_client **out, dt_error *e)
{
    dt_okta_client *c = calloc(1, sizeof(*c));
    int rc;

    *out = c;
    if (c == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    c->config = dt_site_config(site);
    c->way = dt_site_way(site, DT_HTTP_OKTA);
    c->scopes = scopes;
    rc = dt_okta_credentials_load(c->config, &c->app, e);
    if (rc == DT_OK && c->app == NULL &&
        (rc = make_authorization(site, &c->authorization)) != DT_OK)
        (void)dt_error_set(e, rc, "no memory for the Okta API token");
    if (rc == DT_OK)
        rc = dt_https_loop_new(&c->loop, e);
    if (rc != DT_OK)
        dt_okta_client_free(out);
    return rc;
}

void dt_okta_client_free(dt_okta_client **c)
{
    if (*c == NULL)
        return;
    dt_https_loop_free(&(*c)->loop);
    dt_secret_free(&(*c)->authorization);
    dt_okta_credentials_free(&(*c)->app);
    dt_json_free(&(*c)->root);
    free(*c);
    *c = NULL;
}

dt_config const *dt_okta_client_config(dt_okta_client const *c)
{
    return c->config;
}

bool dt_okta_client_has_token(dt_okta_client const *c)
{
    return c->authorization != NULL;
}
