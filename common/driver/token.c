/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tokens for Graph, for the Compliance Retrieval service and for Okta, each apart from the others:
 * fetched when first needed, one fetch for all who wait, renewed early while the old one is still used,
 * shared with other processes by the store. A service that gives none is asked ever more rarely. */
#include "driver/internal.h"

#include "edge/host.h"

#include <string.h>

int dt_token_load_key(dt_live_site *l, dt_error *e)
{
    return dt_entra_credentials_load(l->config, &l->entra, e);
}

bool dt_token_is_configured(dt_live_site const *l)
{
    return l->entra != NULL;
}

dt_token_kind dt_token_kind_of(dt_token const *t)
{
    return (dt_token_kind)(t - t->live->tokens);
}

static char const *name_of(dt_token_kind kind)
{
    return kind == DT_TOKEN_FOR_OKTA         ? "Okta"
           : kind == DT_TOKEN_FOR_COMPLIANCE ? "Intune's Compliance Retrieval service"
                                             : "Microsoft Graph";
}

static bool is_configured(dt_live_site const *l, dt_token_kind kind)
{
    return kind == DT_TOKEN_FOR_OKTA ? l->okta != NULL : dt_token_is_configured(l);
}

/* --- who waits -------------------------------------------------------------------------------- */

static void wait_for_token(dt_token *t, dt_run *run)
{
    run->token_waiting = true;
    run->token_next = NULL;
    *(t->last != NULL ? &t->last->token_next : &t->first) = run;
    t->last = run;
}

static dt_run *pop_waiting(dt_token *t)
{
    dt_run *run = t->first;
    if (run == NULL)
        return NULL;
    t->first = run->token_next;
    if (t->first == NULL)
        t->last = NULL;
    run->token_waiting = false;
    return run;
}

void dt_token_forget(dt_run *run)
{
    dt_token *t = &run->live->tokens[run->token_kind];
    if (!run->token_waiting)
        return;
    dt_run *before = NULL;
    for (dt_run *r = t->first; r != run; r = r->token_next)
        before = r;
    *(before != NULL ? &before->token_next : &t->first) = run->token_next;
    if (t->last == run)
        t->last = before;
    run->token_waiting = false;
}

/* Nobody can join the queue while it is emptied: now there is a token, or asking for one fails. */
static void wake_waiting(dt_token *t, bool ok)
{
    dt_run *run;
    while ((run = pop_waiting(t)) != NULL) {
        if (ok) {
            run->http_busy = false;
            dt_run_step(run);
        } else {
            dt_run_http_failed(run, t->failure, t->error);
        }
    }
}

/* --- fetching --------------------------------------------------------------------------------- */

/* What a request fails by that gets no token. One that we did not get as far as asking for is a failure
 * of ours to those who wait; any other is a service that gives none. Okta's tokens come from Okta itself:
 * where it cannot be reached for one, it cannot be reached. */
static dt_http_failure failure_for(dt_token const *t, dt_http_failure failure, int status)
{
    bool okta = dt_token_kind_of(t) == DT_TOKEN_FOR_OKTA;
    if (failure != DT_HTTP_OK &&
        (dt_http_is_local(failure) || (okta && dt_http_is_unavailable(failure, status))))
        return failure;
    if (okta && dt_http_is_unavailable(failure, status))
        return DT_HTTP_RESET; /* 5xx */
    return okta && status == 429 ? DT_HTTP_OK : DT_HTTP_NO_CREDENTIALS;
}

static void fetch_failed(dt_token *t, dt_http_failure failure, int status, dt_time at_least,
                         char const *why)
{
    t->failure = failure_for(t, failure, status);
    dt_time pause = DT_TOKEN_BACKOFF_MIN;
    for (int i = 0; i < t->failures && pause < DT_TOKEN_BACKOFF_MAX; i++)
        pause *= 2;
    pause = pause < at_least ? at_least : pause;
    pause = pause > DT_TOKEN_BACKOFF_MAX ? DT_TOKEN_BACKOFF_MAX : pause;
    t->failures++;
    t->retry_at = dt_driver_mono() + pause;
    dt_buf b;
    dt_buf_init_fixed(&b, t->error, sizeof(t->error));
    dt_buf_puts(&b, "no token for ");
    dt_buf_puts(&b, name_of(dt_token_kind_of(t)));
    dt_buf_puts(&b, ": ");
    dt_buf_put_escaped(&b, dt_bytes_str(why));
}

void dt_token_set(dt_token *t, dt_secret *bearer, dt_time renew_at, dt_time expires)
{
    dt_secret_free(&t->bearer);
    t->bearer = bearer;
    t->generation++;
    t->renew_at = renew_at;
    t->expires = expires;
    t->failures = 0;
    t->retry_at = 0;
}

static int read_entra(dt_http_response const *r, dt_secret **bearer, dt_time *renew_at,
                      dt_time *expires, dt_error *e)
{
    dt_secret *token = NULL;
    int rc = dt_entra_read_token(r, dt_host_now(), &token, renew_at, expires, e) == DT_INTUNE_OK
                 ? DT_OK
                 : DT_E_UNAVAILABLE;
    if (rc == 0 && (rc = dt_entra_bearer(token, bearer)) != 0)
        dt_error_set(e, rc, "the token is too long");
    dt_secret_free(&token);
    return rc;
}

/* `again`: another request may get one. */
static int read_okta(dt_token const *t, dt_http_response const *r, dt_secret **bearer,
                     dt_time *renew_at, dt_time *expires, bool *again, dt_error *e)
{
    char scopes[DT_OKTA_SCOPES_MAX];
    dt_site_okta_scopes(t->live->files, scopes);
    dt_okta_token_end end = dt_okta_credentials_take(t->live->okta, t->live->config, scopes, r,
                                                     bearer, renew_at, expires, e);
    *again = end == DT_OKTA_TOKEN_AGAIN;
    return end == DT_OKTA_TOKEN_GOT ? DT_OK : DT_E_UNAVAILABLE;
}

static int take_token(dt_token *t, dt_http_response const *r, bool *again, dt_error *e)
{
    dt_secret *bearer = NULL;
    dt_time renew_at = 0, expires = 0;
    *again = false;
    e->code = 0;
    e->text[0] = '\0';
    int rc = dt_token_kind_of(t) == DT_TOKEN_FOR_OKTA
                 ? read_okta(t, r, &bearer, &renew_at, &expires, again, e)
                 : read_entra(r, &bearer, &renew_at, &expires, e);
    if (rc == 0 && expires < dt_host_now() + DT_TOKEN_LIFE_MIN)
        rc = dt_error_set(e, DT_E_UNAVAILABLE, "the token has expired already");
    if (rc != 0) {
        dt_secret_free(&bearer);
        return rc;
    }
    dt_token_set(t, bearer, renew_at, expires);
    dt_token_share(t);
    return DT_OK;
}

static int send_request(dt_token *t, dt_http_failure *failure, dt_error *e);

static void on_fetched(void *ctx, dt_http_response const *r)
{
    dt_token *t = ctx;
    dt_live_site *l = t->live;
    dt_error e;
    bool again = false;
    dt_http_failure failure = r->failure;
    dt_time at_least = r->status == 429 ? dt_okta_rate_wait(r) : r->retry_after;
    t->call = NULL;
    dt_metrics_count_call(&l->driver->metrics, t->service, r->failure, r->status,
                          dt_driver_mono() - t->begun);
    int rc = take_token(t, r, &again, &e);
    if (again && (rc = send_request(t, &failure, &e)) == 0) {
        dt_live_site_release(l); /* the new request has a hold of its own */
        return;
    }
    if (rc != 0)
        fetch_failed(t, failure, r->status, at_least, e.text[0] != '\0' ? e.text : r->error);
    wake_waiting(t, rc == 0);
    dt_live_site_release(l);
}

static int make_request(dt_token const *t, dt_http_request *r, char proof[DT_PROOF_MAX],
                        dt_error *e)
{
    dt_live_site const *has = t->live;
    dt_token_kind kind = dt_token_kind_of(t);
    char scopes[DT_OKTA_SCOPES_MAX];
    proof[0] = '\0';
    if (kind != DT_TOKEN_FOR_OKTA)
        return dt_entra_credentials_request(has->entra, has->config, (dt_entra_audience)kind, r, e);
    dt_site_okta_scopes(has->files, scopes);
    return dt_okta_credentials_request(has->okta, has->config, scopes, r, proof, e);
}

/* On success on_fetched comes, and the site is held until then. */
static int send_request(dt_token *t, dt_http_failure *failure, dt_error *e)
{
    dt_live_site *l = t->live;
    dt_http_request r;
    char proof[DT_PROOF_MAX];
    *failure = DT_HTTP_NO_CREDENTIALS;
    int rc = make_request(t, &r, proof, e);
    if (rc == 0) {
        dt_http_way way = dt_site_way(l->files, r.service);
        way.proof = proof[0] != '\0' ? proof : NULL;
        t->service = r.service;
        t->begun = dt_driver_mono();
        rc = dt_http_start(l->driver->http, &r, &way, on_fetched, t, &t->call);
        if (rc != 0) {
            *failure = dt_http_start_failure(rc);
            dt_error_set(e, rc, "the token request could not be sent (%s)", dt_err_name(rc));
        } else {
            (void)dt_live_site_acquire(l);
            atomic_fetch_add(&l->driver->http_total, 1);
        }
    }
    explicit_bzero(&r, sizeof(r));
    return rc;
}

/* Takes what another process has fetched, or starts the fetch; a failure to do so counts like a refusal. */
static void fetch(dt_live_site *l, dt_token_kind kind)
{
    dt_token *t = &l->tokens[kind];
    dt_error e = {0};
    dt_http_failure failure = DT_HTTP_NO_CREDENTIALS;
    t->live = l;
    if (dt_token_take_shared(t, dt_host_now()))
        return;
    if (send_request(t, &failure, &e) != 0)
        fetch_failed(t, failure, 0, 0, e.text);
}

dt_token_answer dt_token_want(dt_run *run, dt_token_kind kind, dt_time now)
{
    dt_token *t = &run->live->tokens[kind];
    if (!is_configured(run->live, kind)) {
        (void)dt_str_copy(t->error, sizeof(t->error),
                          "no token for Microsoft: [intune] is not configured");
        t->failure = DT_HTTP_NO_CREDENTIALS;
        return DT_TOKEN_NONE;
    }
    run->token_kind = kind;
    bool usable = t->bearer != NULL && now < t->expires;
    bool wanted = !usable || now >= t->renew_at;
    if (wanted && t->call == NULL && dt_driver_mono() >= t->retry_at)
        fetch(run->live, kind);
    if (t->bearer != NULL && now < t->expires)
        return DT_TOKEN_READY;
    if (t->call == NULL)
        return DT_TOKEN_NONE;
    wait_for_token(t, run);
    return DT_TOKEN_COMING;
}

bool dt_token_refused(dt_live_site *l, dt_token_kind kind, unsigned generation)
{
    dt_token *t = &l->tokens[kind];
    if (generation != t->generation)
        return true; /* another run has dropped it before */
    if (t->bearer == NULL)
        return true; /* a moment ago, and the next is on its way */
    int64_t mono = dt_driver_mono();
    if (t->dropped_at != 0 && mono - t->dropped_at < DT_TOKEN_DROP_INTERVAL)
        return false;
    t->dropped_at = mono;
    dt_token_unshare(t);
    dt_secret_free(&t->refused);
    t->refused = t->bearer;
    t->bearer = NULL;
    return true;
}

void dt_token_close(dt_live_site *l)
{
    for (int i = 0; i < DT_TOKEN_KINDS; i++) {
        dt_secret_free(&l->tokens[i].bearer);
        dt_secret_free(&l->tokens[i].refused);
    }
    dt_entra_credentials_free(&l->entra);
    dt_okta_credentials_free(&l->okta);
}
