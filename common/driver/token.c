/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Graph token: fetched when first needed, one fetch for all who wait, renewed early behind the
 * back of those who use it. A tenant that gives none is asked ever more rarely. */
#include "driver/internal.h"

#include "edge/file.h"
#include "edge/host.h"

#include <string.h>

#define PEM_MAX (64 * 1024)
#define ASSERTION_MAX 4096
#define CLAIMS_MAX 2048

static int load_secret(dt_live_parts *p, dt_error *e)
{
    char const *path = p->config->intune.client_secret_file;
    int rc = dt_file_read_secret(path, true, &p->token.secret, e);
    if (rc != 0)
        dt_error_prefix(e, "[intune] client_secret_file");
    return rc;
}

bool dt_token_is_configured(dt_token const *t)
{
    return t->key != NULL || t->secret != NULL;
}

int dt_token_load_key(dt_live_parts *p, dt_error *e)
{
    if (p->config->intune.client_secret_file[0] != '\0')
        return load_secret(p, e);
    char const *certificate_file = p->config->intune.certificate_file;
    char const *key_file = p->config->intune.key_file;
    if (certificate_file[0] == '\0' || key_file[0] == '\0')
        return DT_OK;
    dt_buf certificate;
    dt_buf_init(&certificate, PEM_MAX);
    dt_secret *key = NULL;
    int rc = dt_file_read(certificate_file, DT_FILE_TRUSTED, PEM_MAX, &certificate, e);
    if (rc == 0)
        rc = dt_file_read_secret(key_file, false, &key, e);
    if (rc == 0) {
        rc = dt_assertion_key_new(key, dt_buf_bytes(&certificate), dt_host_now(), &p->token.key, e);
        if (rc != 0)
            dt_error_prefix(e, "%s, %s", certificate_file, key_file);
    }
    dt_secret_free(&key);
    dt_buf_free(&certificate);
    return rc;
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
    dt_token *t = &run->live->has.token;
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
            dt_run_http_failed(run, DT_HTTP_NO_CREDENTIALS, t->error);
        }
    }
}

/* --- fetching --------------------------------------------------------------------------------- */

static void fetch_failed(dt_token *t, dt_time at_least, char const *why)
{
    dt_time pause = DT_TOKEN_BACKOFF_MIN;
    for (int i = 0; i < t->failures && pause < DT_TOKEN_BACKOFF_MAX; i++)
        pause *= 2;
    pause = pause < at_least ? at_least : pause;
    pause = pause > DT_TOKEN_BACKOFF_MAX ? DT_TOKEN_BACKOFF_MAX : pause;
    t->failures++;
    t->retry_at = dt_driver_mono() + pause;
    dt_buf b;
    dt_buf_init_fixed(&b, t->error, sizeof(t->error));
    dt_buf_puts(&b, "no token for Microsoft Graph: ");
    dt_buf_put_escaped(&b, dt_bytes_str(why));
}

static int make_bearer(dt_secret const *token, dt_secret **out)
{
    uint8_t storage[DT_SECRET_MAX + 1];
    dt_buf b;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_bytes value = dt_secret_bytes(token);
    dt_buf_puts(&b, "Bearer ");
    dt_buf_put(&b, value.p, value.len);
    int rc = dt_buf_error(&b);
    if (rc == 0)
        rc = dt_secret_new(dt_buf_bytes(&b), out);
    explicit_bzero(storage, sizeof(storage));
    return rc;
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
    if (rc == 0 && (rc = make_bearer(token, &bearer)) != 0)
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
    dt_live *l = ctx;
    dt_token *t = &l->has.token;
    t->call = NULL;
    dt_error e;
    int rc = take_token(t, r, &e);
    if (rc != 0)
        fetch_failed(t, r->retry_after, e.text[0] != '\0' ? e.text : r->error);
    tell_waiting(t, rc == 0);
    dt_live_leave(l);
}

static int make_assertion(dt_live_parts const *p, dt_buf *out, dt_error *e)
{
    uint8_t jti[16];
    dt_buf claims;
    dt_buf_init(&claims, CLAIMS_MAX);
    int rc = dt_host_random(jti, sizeof(jti));
    if (rc == 0)
        rc = dt_entra_assertion_claims(p->config, jti, dt_host_now(), &claims);
    if (rc != 0)
        dt_error_set(e, rc, "the client assertion could not be made (%s)", dt_err_name(rc));
    else
        rc = dt_assertion_sign(p->token.key, p->config->intune.assertion_alg, dt_buf_bytes(&claims),
                               out, e);
    dt_buf_free(&claims);
    return rc;
}

static int make_request(dt_live_parts const *p, dt_http_request *r, dt_error *e)
{
    dt_buf assertion, body;
    dt_buf_init(&assertion, ASSERTION_MAX);
    dt_buf_init_fixed(&body, r->body, sizeof(r->body));
    r->service = DT_HTTP_ENTRA;
    r->method = DT_HTTP_POST;
    r->form = true;
    r->timeout = p->config->intune.timeout;
    dt_secret const *secret = p->token.secret;
    int rc = secret != NULL ? DT_OK : make_assertion(p, &assertion, e);
    if (rc == 0) {
        rc = dt_entra_token_url(p->config, r->url);
        if (rc == 0)
            rc = dt_entra_token_body(p->config, secret != NULL ? NULL : (char const *)assertion.p,
                                     secret, &body);
        if (rc == 0)
            rc = dt_buf_error(&body);
        if (rc != 0)
            dt_error_set(e, rc, "the token request could not be made (%s)", dt_err_name(rc));
    }
    r->body_len = body.len;
    dt_buf_free(&assertion);
    return rc;
}

/* Starts the fetch; a failure to do so counts like a refusal. */
static void fetch(dt_live *l)
{
    dt_token *t = &l->has.token;
    dt_http_request r;
    dt_error e = {0};
    memset(&r, 0, sizeof(r));
    int rc = make_request(&l->has, &r, &e);
    if (rc == 0) {
        rc = dt_http_start(l->driver->http, &r, l->has.config->intune.ca_file, NULL, on_fetched, l,
                           &t->call);
        if (rc != 0) {
            dt_error_set(&e, rc, "the token request could not be sent (%s)", dt_err_name(rc));
        } else {
            (void)dt_live_hold(l); /* until on_fetched */
            atomic_fetch_add(&l->driver->http_total, 1);
        }
    }
    explicit_bzero(&r, sizeof(r));
    if (rc != 0)
        fetch_failed(t, 0, e.text);
}

dt_token_answer dt_token_want(dt_run *run, dt_time now)
{
    dt_token *t = &run->live->has.token;
    if (!dt_token_is_configured(t)) {
        (void)dt_str_copy(t->error, sizeof(t->error),
                          "no token for Microsoft Graph: [intune] is not configured");
        return DT_TOKEN_NONE;
    }
    bool usable = t->bearer != NULL && now < t->expires;
    bool wanted = !usable || now >= t->renew_at;
    if (wanted && t->call == NULL && dt_driver_mono() >= t->retry_at)
        fetch(run->live);
    if (usable)
        return DT_TOKEN_READY;
    if (t->call == NULL)
        return DT_TOKEN_NONE;
    wait_for_token(t, run);
    return DT_TOKEN_COMING;
}

bool dt_token_refused(dt_live *l, unsigned generation)
{
    dt_token *t = &l->has.token;
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

void dt_token_close(dt_token *t)
{
    dt_secret_free(&t->bearer);
    dt_secret_free(&t->secret);
    dt_assertion_key_free(&t->key);
}
