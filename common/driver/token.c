/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tokens for Graph and for the Compliance Retrieval service, each apart from the other: fetched
 * when first needed, one fetch for all who wait, renewed early behind the back of those who use it. A
 * tenant that gives none is asked ever more rarely. */
#include "driver/internal.h"

#include "edge/host.h"

#include <string.h>

int dt_token_load_key(dt_live *l, dt_error *e)
{
    return dt_entra_credentials_load(l->config, &l->entra, e);
}

bool dt_token_is_configured(dt_live const *l)
{
    return l->entra != NULL;
}

static dt_entra_audience audience_of(dt_token const *t)
{
    return (dt_entra_audience)(t - t->live->tokens);
}

static char const *name_of(dt_entra_audience audience)
{
    return audience == DT_ENTRA_FOR_COMPLIANCE ? "Intune's Compliance Retrieval service"
                                               : "Microsoft Graph";
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
    dt_token *t = &run->live->tokens[run->audience];
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
static void tell_waiting(dt_token *t, bool ok)
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

/* A token that we did not get as far as asking for is a failure of ours to those who wait; any other is
 * a service that gives none. */
static void fetch_failed(dt_token *t, dt_http_failure failure, dt_time at_least, char const *why)
{
    t->failure = dt_http_is_local(failure) ? failure : DT_HTTP_NO_CREDENTIALS;
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
    dt_buf_puts(&b, name_of(audience_of(t)));
    dt_buf_puts(&b, ": ");
    dt_buf_put_escaped(&b, dt_bytes_str(why));
}

static int take_token(dt_token *t, dt_http_response const *r, dt_error *e)
{
    dt_time now = dt_host_now();
    dt_secret *token = NULL, *bearer = NULL;
    dt_time renew_at = 0, expires = 0;
    e->code = 0;
    e->text[0] = '\0';
    dt_intune_answer answer = dt_entra_read_token(r, now, &token, &renew_at, &expires, e);
    int rc = answer == DT_INTUNE_OK ? DT_OK : DT_E_UNAVAILABLE;
    if (rc == 0 && expires < now + DT_TOKEN_LIFE_MIN)
        rc = dt_error_set(e, DT_E_UNAVAILABLE, "the token has expired already");
    if (rc == 0 && (rc = dt_entra_bearer(token, &bearer)) != 0)
        dt_error_set(e, rc, "the token is too long");
    dt_secret_free(&token);
    if (rc != 0)
        return rc;
    dt_secret_free(&t->bearer);
    t->bearer = bearer;
    t->generation++;
    t->renew_at = renew_at;
    t->expires = expires;
    t->failures = 0;
    t->retry_at = 0;
    return DT_OK;
}

static void on_fetched(void *ctx, dt_http_response const *r)
{
    dt_token *t = ctx;
    dt_live *l = t->live;
    t->call = NULL;
    dt_error e;
    int rc = take_token(t, r, &e);
    if (rc != 0)
        fetch_failed(t, r->failure, r->retry_after, e.text[0] != '\0' ? e.text : r->error);
    tell_waiting(t, rc == 0);
    dt_live_leave(l);
}

/* Starts the fetch; a failure to do so counts like a refusal. */
static void fetch(dt_live *l, dt_entra_audience audience)
{
    dt_token *t = &l->tokens[audience];
    dt_http_request r;
    dt_error e = {0};
    dt_http_failure failure = DT_HTTP_NO_CREDENTIALS;
    t->live = l;
    int rc = dt_entra_credentials_request(l->entra, l->config, audience, &r, &e);
    if (rc == 0) {
        dt_http_way const way = dt_site_way(l->files, DT_HTTP_ENTRA);
        rc = dt_http_start(l->driver->http, &r, &way, on_fetched, t, &t->call);
        if (rc != 0) {
            failure = dt_http_start_failure(rc);
            dt_error_set(&e, rc, "the token request could not be sent (%s)", dt_err_name(rc));
        } else {
            (void)dt_live_hold(l); /* until on_fetched */
            atomic_fetch_add(&l->driver->http_total, 1);
        }
    }
    explicit_bzero(&r, sizeof(r));
    if (rc != 0)
        fetch_failed(t, failure, 0, e.text);
}

dt_token_answer dt_token_want(dt_run *run, dt_entra_audience audience, dt_time now)
{
    dt_token *t = &run->live->tokens[audience];
    if (!dt_token_is_configured(run->live)) {
        (void)dt_str_copy(t->error, sizeof(t->error),
                          "no token for Microsoft: [intune] is not configured");
        t->failure = DT_HTTP_NO_CREDENTIALS;
        return DT_TOKEN_NONE;
    }
    run->audience = audience;
    bool usable = t->bearer != NULL && now < t->expires;
    bool wanted = !usable || now >= t->renew_at;
    if (wanted && t->call == NULL && dt_driver_mono() >= t->retry_at)
        fetch(run->live, audience);
    if (usable)
        return DT_TOKEN_READY;
    if (t->call == NULL)
        return DT_TOKEN_NONE;
    wait_for_token(t, run);
    return DT_TOKEN_COMING;
}

bool dt_token_refused(dt_live *l, dt_entra_audience audience, unsigned generation)
{
    dt_token *t = &l->tokens[audience];
    if (generation != t->generation)
        return true; /* another run has dropped it before */
    if (t->bearer == NULL)
        return true; /* a moment ago, and the next is on its way */
    int64_t mono = dt_driver_mono();
    if (t->dropped_at != 0 && mono - t->dropped_at < DT_TOKEN_DROP_INTERVAL)
        return false;
    t->dropped_at = mono;
    dt_secret_free(&t->bearer);
    return true;
}

void dt_token_close(dt_live *l)
{
    for (int i = 0; i < DT_ENTRA_AUDIENCE_COUNT; i++)
        dt_secret_free(&l->tokens[i].bearer);
    dt_entra_credentials_free(&l->entra);
}
