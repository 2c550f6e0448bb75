/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One sign-on in the loop: asks the machine what it wants, performs it, feeds the result back, until
 * it has to wait for something. Doors may call back in from within their callbacks: a run that is
 * being driven is then only marked, and driven on when the callback has returned. */
#include "driver/internal.h"

#include "core/base/crypto.h"
#include "core/signon/lookup.h"

#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

/* --- life ------------------------------------------------------------------------------------- */

static void list_remove(dt_run *run)
{
    if (run->list == NULL)
        return;
    *(run->previous != NULL ? &run->previous->next : run->list) = run->next;
    if (run->next != NULL)
        run->next->previous = run->previous;
    run->list = NULL;
}

static void list_add(dt_run *run, dt_run **list)
{
    run->list = list;
    run->previous = NULL;
    run->next = *list;
    if (run->next != NULL)
        run->next->previous = run;
    *list = run;
}

/* No other run may join it any more. */
static void call_close(dt_driver *d, dt_shared_call const *call)
{
    for (dt_shared_call **at = &d->shared; *at != NULL; at = &(*at)->next) {
        if (*at == call) {
            *at = call->next;
            return;
        }
    }
}

static void count_call(dt_driver *d, dt_shared_call const *call, dt_http_failure failure,
                       int status)
{
    dt_metrics_count_call(&d->metrics, call->service, failure, status,
                          dt_driver_mono() - call->begun);
}

/* The run no longer waits for its call; a call that nobody waits for is ended. */
static void call_leave(dt_run *run)
{
    dt_driver *d = run->driver;
    dt_shared_call *call = run->call;
    if (call == NULL)
        return;
    dt_run **at = &call->first;
    while (*at != run)
        at = &(*at)->call_next;
    *at = run->call_next;
    run->call = NULL;
    if (call->first != NULL || call->call == NULL)
        return; /* others wait; or it has its answer, and who hands it out frees it */
    call_close(d, call);
    dt_http_cancel(d->http, call->call);
    count_call(d, call, DT_HTTP_ABANDONED, 0);
    dt_pace_ended(d, call, NULL);
    dt_circuit_ended(d, &call->circuit, NULL);
    free(call);
}

static void call_join(dt_run *run, dt_shared_call *call)
{
    run->call = call;
    run->call_next = call->first;
    call->first = run;
}

void dt_run_free(dt_run *run)
{
    dt_driver *d = run->driver;
    list_remove(run);
    dt_pace_leave(run);
    dt_token_forget(run);
    call_leave(run);
    if (run->signing != NULL)
        dt_signer_forget(run->signing);
    dt_agent_close(&run->agent);
    if (run->timer != NULL)
        event_free(run->timer);
    if (run->is_refresh)
        dt_refresh_ended(d, run->refresh_slot);
    dt_run_forget_machine(run);
    free(run->url);
    dt_live_site_release(run->live);
    free(run);
    atomic_fetch_sub(&d->runs_now, 1);
}

/* The end: the audit event, the door, and what it leaves to do. */
static void run_finish(dt_run *run, dt_outcome const *outcome)
{
    dt_driver *d = run->driver;
    if (!run->is_refresh) {
        if (run->door.unaudited || dt_signon_only_looks_up(run->machine))
            ; /* no sign-on ended */
        else if (outcome == dt_signon_outcome(run->machine))
            dt_driver_audit_machine(d, run->machine, run->door.name);
        else
            dt_driver_audit(d, outcome, run->machine, run->door.name, NULL);
        if (!run->door.unaudited) /* who only explains has just asked */
            dt_refresh_hinted(d, run->machine);
        if (!run->detached && run->door.done != NULL)
            run->door.done(run->ctx, outcome, run->machine);
    }
    dt_run_free(run);
}

/* There is no memory for its machine, without which nobody knows more of it: denied. */
static void run_lost(dt_run *run)
{
    dt_outcome outcome = {0};
    dt_audit_context nobody = {.id = "",
                               .application = "",
                               .user = "",
                               .login = "",
                               .client_ip = "",
                               .nas = "",
                               .station = "",
                               .policy_hash = "",
                               .started = dt_host_now()};
    dt_outcome_set(&outcome, DT_DENY, DT_CAUSE_INTERNAL);
    (void)dt_str_copy(outcome.detail, sizeof(outcome.detail),
                      "no memory for a sign-on that waited");
    if (!run->is_refresh && !run->door.unaudited)
        dt_driver_audit(run->driver, &outcome, NULL, run->door.name, &nobody);
    if (!run->is_refresh && !run->detached && run->door.done != NULL)
        run->door.done(run->ctx, &outcome, NULL);
    dt_run_free(run);
}

/* The machine cannot go on: denied, whatever it says. */
static void run_force_end(dt_run *run, dt_cause cause)
{
    dt_signon const *machine = dt_run_machine(run);
    if (machine == NULL) {
        run_lost(run);
        return;
    }
    dt_outcome outcome = *dt_signon_outcome(machine);
    dt_outcome_set(&outcome, DT_DENY, cause);
    run_finish(run, &outcome);
}

/* --- steps that do not wait ------------------------------------------------------------------- */

/* A reader of the store learns nothing from it: the key exists in this process alone. */
static void tried_do(dt_driver *d, dt_store_op const *op, dt_buf *scratch, dt_store_result *out)
{
    uint8_t text[sizeof(d->tried_key) + DT_STORE_KEY_MAX];
    uint8_t digest[DT_SHA256_LEN];
    dt_store_op keyed = *op;
    size_t len = strlen(op->key);

    memcpy(text, d->tried_key, sizeof(d->tried_key));
    memcpy(text + sizeof(d->tried_key), op->key, len);
    *out = (dt_store_result){.status = DT_STORE_ERROR};
    if (dt_crypto_sha256(dt_bytes_of(text, sizeof(d->tried_key) + len), digest) != DT_OK)
        return;
    dt_hex(keyed.key, digest, sizeof(digest));
    dt_spare_expire(d->tried, dt_host_now());
    dt_spare_do(d->tried, &keyed, 0, dt_host_now(), scratch, out);
}

void dt_driver_store_do(dt_driver *d, dt_store_op const *op, dt_buf *scratch, dt_store_result *out)
{
    dt_store *store = atomic_load(&d->store);
    if (op->table == DT_TABLE_TRIED && dt_driver_is_usable(d)) {
        tried_do(d, op, scratch, out);
        return;
    }
    if (store != NULL && dt_driver_is_usable(d)) {
        dt_store_do(store, op, dt_host_now(), scratch, out);
        return;
    }
    if (store == NULL && dt_store_table_is_limit(op->table) && dt_driver_is_usable(d)) {
        dt_spare_do(d->spare, op, 0, dt_host_now(), scratch, out);
        return;
    }
    out->status = DT_STORE_ERROR;
    out->value = dt_bytes_of(NULL, 0);
    out->count = 0;
    (void)dt_str_copy(out->error, sizeof(out->error),
                      store != NULL ? "the store was opened by another process" : d->store_error);
}

/* Whether an answer was in the cache, if that was what the store was asked. */
static void count_kept(dt_driver *d, dt_signon *machine)
{
    dt_lookup_kept kept = dt_lookup_take_kept(machine);

    if (kept.question != DT_QUESTION_NONE)
        dt_metrics_count_kept(&d->metrics, kept.question,
                              kept.freshness == DT_FRESH   ? DT_METRICS_HIT
                              : kept.freshness == DT_STALE ? DT_METRICS_OLD
                                                           : DT_METRICS_MISS);
}

static void perform_store(dt_driver *d, dt_signon *machine, dt_store_op const *op, dt_time now)
{
    uint8_t storage[DT_STORE_VALUE_MAX + 1];
    dt_buf scratch;
    dt_buf_init_fixed(&scratch, storage, sizeof(storage));
    dt_store_result result;
    dt_driver_store_do(d, op, &scratch, &result);
    dt_signon_store_done(machine, &result, now);
    count_kept(d, machine);
}

static void perform_sign(dt_driver *d, dt_signon *machine, dt_sign_request const *r, dt_time now)
{
    uint8_t storage[DT_SIGNATURE_MAX];
    dt_sign_result result;
    memset(&result, 0, sizeof(result));
    dt_host_key_sign(dt_live_site_of(d, machine)->host_key, r, storage, &result);
    dt_signon_sign_done(machine, &result, now);
}

static void perform_managed(dt_signon *machine, struct dt_managed_file *file, dt_time now)
{
    dt_managed_result result;
    dt_managed_file_read(file, &result);
    dt_signon_managed_done(machine, &result, now);
}

bool dt_driver_perform(dt_driver *d, dt_signon *machine, dt_step const *step, dt_time now)
{
    if (step->kind == DT_STEP_STORE)
        perform_store(d, machine, step->store, now);
    else if (step->kind == DT_STEP_SIGN && dt_live_site_of(d, machine)->signer == NULL)
        perform_sign(d, machine, step->sign, now);
    else if (step->kind == DT_STEP_MANAGED)
        perform_managed(machine, step->managed, now);
    else
        return false;
    return true;
}

/* --- HTTPS ------------------------------------------------------------------------------------ */

static void http_idle(dt_run *run)
{
    run->http_busy = false;
    free(run->url);
    run->url = NULL;
}

/* `retry_after`: of a rate limit, which DT_HTTP_OK stands for; 0: not known. */
static void feed(dt_run *run, dt_http_failure failure, char const *error, dt_time retry_after)
{
    dt_http_response r = {.failure = failure,
                          .error = error,
                          .status = failure == DT_HTTP_OK ? 429 : 0,
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .retry_after = retry_after,
                          .next_link = ""};
    dt_signon *machine = dt_run_machine(run);
    http_idle(run);
    if (machine != NULL)
        dt_signon_http_done(machine, &r, dt_host_now());
}

static void feed_failure(dt_run *run, dt_http_failure failure, char const *error)
{
    feed(run, failure, error, 0);
}

void dt_run_http_failed(dt_run *run, dt_http_failure failure, char const *error)
{
    feed_failure(run, failure, error);
    dt_run_step(run);
}

/* Once for each request. */
static bool wants_nonce(dt_run *run, dt_http_response const *r)
{
    if (run->token_used == 0 || run->token_kind != DT_TOKEN_FOR_OKTA)
        return false;
    return dt_okta_credentials_take_nonce(run->live->okta, r) && !run->nonce_retried;
}

static void http_done(dt_run *run, dt_http_response const *r)
{
    http_idle(run);
    /* The service no longer takes the token, or wants its nonce with it: it has done nothing, so the same
     * step is asked again. */
    if (wants_nonce(run, r)) {
        run->nonce_retried = true;
    } else if (r->status == 401 && run->token_used != 0 && !run->token_retried &&
               dt_token_refused(run->live, run->token_kind, run->token_used)) {
        run->token_retried = true;
    } else {
        dt_signon *machine = dt_run_machine(run);
        run->token_retried = run->nonce_retried = false;
        if (machine != NULL)
            dt_signon_http_done(machine, r, dt_host_now());
    }
    dt_run_step(run);
}

/* Any of the runs may end any other, or itself, in its callback. */
static void on_http_done(void *ctx, dt_http_response const *r)
{
    dt_shared_call *call = ctx;
    call->call = NULL;
    if (call->first != NULL) {
        dt_pace_ended(call->first->driver, call, r);
        dt_circuit_ended(call->first->driver, &call->circuit, r);
        count_call(call->first->driver, call, r->failure, r->status);
        call_close(call->first->driver, call);
    }
    while (call->first != NULL) {
        dt_run *run = call->first;
        call_leave(run);
        http_done(run, r);
    }
    free(call);
}

static bool url_is_below(char const *url, char const *base)
{
    size_t len = strlen(base);
    return len > 0 && strncmp(url, base, len) == 0 && url[len] == '/';
}

/* A credential goes to its own service only. The core has checked that as well. */
static bool is_for_service(dt_config const *c, dt_http_request const *r)
{
    switch (r->service) {
    case DT_HTTP_OKTA:
        return url_is_below(r->url, c->okta.org_url);
    case DT_HTTP_GRAPH:
        return url_is_below(r->url, c->intune.graph_url);
    case DT_HTTP_COMPLIANCE:
        return dt_compliance_is_allowed(c, r->url);
    case DT_HTTP_ENTRA:
    case DT_HTTP_OCSP:
    case DT_HTTP_SIGNALS:
        break;
    }
    return false;
}

static bool goes_without_credential(dt_run const *run, dt_http_request const *r)
{
    return r->service == DT_HTTP_OCSP ||
           (r->service == DT_HTTP_OKTA && r->anonymous && is_for_service(run->live->config, r));
}

/* What goes with the request. Sets `run->token_waiting` when it has to be waited for; NULL with
 * *error set when there is none. */
static dt_secret const *credentials(dt_run *run, dt_http_request const *r, char const **error,
                                    dt_http_failure *failure)
{
    dt_live_site const *has = run->live;
    *failure = DT_HTTP_NO_CREDENTIALS;
    if (!is_for_service(has->config, r)) {
        *error = "a request that is not for the configured service was not sent";
        *failure = DT_HTTP_LOCAL;
        return NULL;
    }
    if (r->service == DT_HTTP_OKTA &&
        (has->okta == NULL || dt_okta_is_authn(has->config, r->url))) {
        *error = "no Okta API token is configured";
        return has->okta_authorization;
    }
    dt_token_kind kind = r->service == DT_HTTP_OKTA    ? DT_TOKEN_FOR_OKTA
                         : r->service == DT_HTTP_GRAPH ? DT_TOKEN_FOR_GRAPH
                                                       : DT_TOKEN_FOR_COMPLIANCE;
    *error = has->tokens[kind].error;
    if (dt_token_want(run, kind, dt_host_now()) != DT_TOKEN_READY) {
        *failure = has->tokens[kind].failure;
        return NULL;
    }
    run->token_used = has->tokens[kind].generation;
    return has->tokens[kind].bearer;
}

/* Questions whose answer is the same for all who ask, and that may take their full time: a person who
 * has little time left neither cuts others short nor waits for them. */
static bool may_share(dt_run const *run, dt_http_request const *r)
{
    dt_config const *c = run->live->config;

    if (r->service == DT_HTTP_OCSP)
        return r->body_len <= DT_OCSP_REQUEST_MAX && r->timeout == c->device_trust.ocsp_timeout;
    if (dt_okta_is_device_request(r))
        return r->timeout == c->okta.timeout;
    return (r->service == DT_HTTP_GRAPH || r->service == DT_HTTP_COMPLIANCE) &&
           r->method == DT_HTTP_GET && r->timeout == c->intune.timeout;
}

static bool is_same_question(dt_shared_call const *c, dt_http_request const *r)
{
    return c->url_len == strlen(r->url) && memcmp(c->text, r->url, c->url_len) == 0 &&
           c->body_len == r->body_len && memcmp(c->text + c->url_len, r->body, c->body_len) == 0;
}

/* One that still waits for its turn is not joined: it may wait behind a crowd that is not ours. */
static dt_shared_call *call_under_way(dt_run const *run, dt_http_request const *r)
{
    for (dt_shared_call *c = run->driver->shared; c != NULL; c = c->next)
        if (!dt_http_is_queued(c->call) && c->live == run->live &&
            c->token_used == run->token_used && is_same_question(c, r))
            return c;
    return NULL;
}

/* A call that nobody joins keeps no question. */
static dt_shared_call *shared_call_new(dt_run *run, dt_http_request const *r, bool joinable)
{
    size_t url_len = joinable ? strlen(r->url) : 0, body_len = joinable ? r->body_len : 0;
    dt_shared_call *call = calloc(1, sizeof(*call) + url_len + body_len);
    if (call == NULL)
        return NULL;
    call->live = run->live;
    call->token_used = run->token_used;
    call->service = r->service;
    call->begun = dt_driver_mono();
    call->url_len = url_len;
    call->body_len = body_len;
    memcpy(call->text, r->url, url_len);
    memcpy(call->text + url_len, r->body, body_len);
    return call;
}

static int call_send(dt_run *run, dt_shared_call *call, dt_http_request const *r,
                     dt_secret const *authorization)
{
    char proof[DT_PROOF_MAX] = "";
    dt_http_way way = dt_site_way(run->live->files, r->service);
    way.authorization = authorization;
    if (run->token_used != 0 && run->token_kind == DT_TOKEN_FOR_OKTA) {
        int made = dt_okta_credentials_proof(run->live->okta, r, authorization, proof, NULL);
        if (made != DT_OK)
            return made;
        way.proof = proof[0] != '\0' ? proof : NULL;
    }
    return dt_http_start(run->driver->http, r, &way, on_http_done, call, &call->call);
}

static int call_start(dt_run *run, dt_http_request const *r, dt_secret const *authorization)
{
    dt_driver *d = run->driver;
    bool const joinable = may_share(run, r);
    dt_shared_call *call = joinable ? call_under_way(run, r) : NULL;
    if (call != NULL) {
        call_join(run, call);
        return DT_OK;
    }
    if ((call = shared_call_new(run, r, joinable)) == NULL)
        return DT_E_NOMEM;
    int rc = dt_circuit_admits(d, run->live->config, r, &call->circuit) ? DT_OK : DT_E_UNAVAILABLE;
    if (rc == DT_OK && (rc = call_send(run, call, r, authorization)) != DT_OK)
        dt_circuit_ended(d, &call->circuit, NULL);
    if (rc != DT_OK) {
        free(call);
        return rc;
    }
    dt_pace_sent(d, call, r);
    call_join(run, call);
    if (joinable) {
        call->next = d->shared;
        d->shared = call;
    }
    atomic_fetch_add(&d->http_total, 1);
    return DT_OK;
}

/* True when the request is under way; false when its failure was fed. */
static bool http_start(dt_run *run, dt_http_request const *r)
{
    char const *error = NULL;
    dt_http_failure failure = DT_HTTP_LOCAL;
    bool const bare = goes_without_credential(run, r);
    run->token_used = 0;
    run->http_busy = true;
    run->method = r->method;
    run->only_asks = r->method == DT_HTTP_GET || r->service == DT_HTTP_OCSP;
    if ((run->url = strdup(r->url)) == NULL) {
        feed_failure(run, failure, "out of memory");
        return false;
    }
    dt_secret const *authorization = bare ? NULL : credentials(run, r, &error, &failure);
    if (run->token_waiting)
        return true;
    if (!bare && authorization == NULL) {
        feed_failure(run, failure, error);
        return false;
    }
    dt_time wait = dt_pace_wait(run, r);
    if (wait > 0) {
        feed(run, DT_HTTP_OK,
             "not asked: this process has used its share of the org's rate limit; see [okta] "
             "rate_share",
             wait);
        return false;
    }
    int rc = call_start(run, r, authorization);
    if (rc == 0)
        return true;
    failure = rc == DT_E_UNAVAILABLE ? DT_HTTP_PAUSED : dt_http_start_failure(rc);
    dt_metrics_count_call(&run->driver->metrics, r->service, failure, 0, 0);
    feed_failure(run, failure,
                 rc == DT_E_UNAVAILABLE ? DT_CIRCUIT_PAUSED_TEXT
                 : rc == DT_E_LIMIT
                     ? "too many HTTPS calls are waiting, most of them for this person"
                     : "the HTTPS call could not be started");
    return false;
}

static void http_drop(dt_run *run)
{
    dt_token_forget(run);
    call_leave(run);
    http_idle(run);
}

/* True when nothing more can be done until a reply comes. */
static bool step_http(dt_run *run, dt_http_request const *r)
{
    if (run->http_busy && run->method == r->method && strcmp(run->url, r->url) == 0)
        return true;
    http_drop(run); /* the machine wants something else by now */
    return http_start(run, r);
}

/* --- prompts and waits ------------------------------------------------------------------------ */

/* True when the run has ended: the answer comes with another request. */
static bool step_prompt(dt_run *run, dt_step const *step)
{
    dt_prompt prompt = *step->prompt; /* the door may answer at once, which changes the machine's */
    bool suspend = step->suspend;
    dt_signon_prompt_shown(run->machine, dt_host_now());
    if (suspend && !run->detached && run->door.suspend != NULL) {
        run->door.suspend(run->ctx, run, run->machine, &prompt);
        dt_run_free(run);
        return true;
    }
    if (suspend)
        dt_signon_abandon(run->machine, DT_CAUSE_CLIENT_GONE, dt_host_now());
    else if (!run->detached && run->door.prompt != NULL)
        run->door.prompt(run->ctx, run, &prompt);
    return false;
}

/* By a length of time, not by the clock's hands: a clock that is set does little harm. */
static void step_wait(dt_run *run, dt_time until, dt_time now)
{
    dt_time wait = until <= now ? 1 : until - now;
    wait = wait > DT_DRIVER_SLEEP_MAX ? DT_DRIVER_SLEEP_MAX : wait;
    struct timeval tv = {.tv_sec = wait / 1000, .tv_usec = (wait % 1000) * 1000};
    event_add(run->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    dt_run *run = ctx;
    if (run->polls && !run->poll_due && dt_host_now() >= run->poll_at &&
        dt_host_now() < run->poll_latest) {
        step_wait(run, run->poll_latest, dt_host_now());
        dt_pace_enter(run);
    } else {
        dt_run_step(run);
    }
}

/* --- signatures that take their time ----------------------------------------------------------- */

void dt_run_signed(dt_run *run, dt_sign_result const *r)
{
    run->signing = NULL;
    event_del(run->timer);
    dt_signon *machine = dt_run_machine(run);
    if (machine != NULL)
        dt_signon_sign_done(machine, r, dt_host_now());
    dt_run_step(run);
}

/* No signature: false, since what is fed makes another step. */
static bool sign_failed(dt_run *run, char const *why)
{
    dt_sign_result const r = {.error = DT_E_UNAVAILABLE, .text = why};

    if (run->signing != NULL)
        dt_signer_forget(run->signing);
    run->signing = NULL;
    dt_signon_sign_done(run->machine, &r, dt_host_now());
    return false;
}

/* True while the signature is waited for. */
static bool step_sign(dt_run *run, dt_sign_request const *r)
{
    int64_t const now = dt_driver_mono();

    if (run->signing == NULL) {
        run->signing = dt_signer_start(run->live->signer, run, r);
        run->sign_until = now + DT_SIGN_LIMIT_MS;
    }
    if (run->signing == NULL)
        return sign_failed(run, "too many signatures are waiting for the token or TPM");
    if (now >= run->sign_until)
        return sign_failed(run, "the token or TPM did not sign in time");
    step_wait(run, dt_host_now() + (run->sign_until - now), dt_host_now());
    return true;
}

/* --- the person's SSH agent -------------------------------------------------------------------- */

/* True while its answer is waited for. */
static bool step_agent(dt_run *run, dt_agent_request const *r)
{
    int64_t until = 0;

    if (dt_agent_ask(run, r, &until) == DT_AGENT_FED) {
        event_del(run->timer);
        return false;
    }
    step_wait(run, dt_host_now() + (until - dt_driver_mono()), dt_host_now());
    return true;
}

/* --- the loop of one run ---------------------------------------------------------------------- */

/* One step. True when the run waits, or is gone (`*gone`). */
static bool step_once(dt_run *run, bool *gone)
{
    dt_step step;
    dt_time now = dt_host_now();
    dt_signon_next(run->machine, now, &step);
    if (step.kind != DT_STEP_HTTP && run->http_busy)
        http_drop(run);
    if (step.kind == DT_STEP_PROMPT) /* the person is asked when all evidence is there */
        dt_agent_close(&run->agent);
    switch (step.kind) {
    case DT_STEP_AGENT:
        return step_agent(run, step.agent);
    case DT_STEP_SIGN:
        if (run->live->signer != NULL)
            return step_sign(run, step.sign);
        return !dt_driver_perform(run->driver, run->machine, &step, now);
    case DT_STEP_STORE:
    case DT_STEP_MANAGED:
        return !dt_driver_perform(run->driver, run->machine, &step, now);
    case DT_STEP_HTTP:
        return step_http(run, step.http);
    case DT_STEP_PROMPT:
        *gone = step_prompt(run, &step);
        return *gone;
    case DT_STEP_WAIT:
        run->polls = step.polls;
        run->poll_at = step.until;
        run->poll_latest = step.latest;
        step_wait(run, step.until, now);
        return !run->again;
    case DT_STEP_DONE:
        break;
    }
    *gone = true;
    run_finish(run, step.outcome);
    return true;
}

void dt_run_step(dt_run *run)
{
    if (run->stepping) {
        run->again = true;
        return;
    }
    if (dt_run_machine(run) == NULL) {
        run_lost(run);
        return;
    }
    bool gone = false;
    dt_pace_leave(run);
    run->stepping = true;
    run->polls = false;
    do {
        run->again = false;
        while (!step_once(run, &gone))
            run->again = false;
    } while (!gone && run->again);
    if (gone)
        return;
    run->stepping = run->poll_released = false;
    dt_run_rest(run);
}

void dt_run_begin(void *ctx)
{
    dt_run *run = ctx;
    dt_driver *d = run->driver;
    list_add(run, &d->runs);
    run->timer = evtimer_new(d->base, on_timer, run);
    if (run->timer == NULL)
        run_force_end(run, DT_CAUSE_INTERNAL);
    else
        dt_run_step(run);
}

int dt_driver_submit(dt_driver *d, dt_signon const *machine, dt_door const *door, void *ctx,
                     dt_run **run_out)
{
    if (run_out != NULL)
        *run_out = NULL;
    if (!dt_driver_is_usable(d))
        return DT_E_STATE;
    if (atomic_load(&d->runs_now) >= d->runs_max)
        return DT_E_LIMIT;
    dt_run *run = dt_run_new(d, dt_live_site_of(d, machine), machine);
    if (run == NULL)
        return DT_E_NOMEM;
    run->door = *door;
    run->ctx = ctx;
    if (run_out != NULL)
        *run_out = run;
    atomic_fetch_add(&d->runs_total, 1);
    int rc = dt_driver_enqueue(d, &run->start);
    if (rc != 0) {
        if (run_out != NULL)
            *run_out = NULL;
        dt_run_free(run);
    }
    return rc;
}

/* --- what doors say --------------------------------------------------------------------------- */

void dt_run_answer(dt_run *run, dt_bytes answer)
{
    dt_signon *machine = dt_run_machine(run);
    if (machine != NULL)
        dt_signon_answer(machine, answer, dt_host_now());
    dt_run_step(run);
}

void dt_run_abandon(dt_run *run, dt_cause cause)
{
    dt_signon *machine = dt_run_machine(run);
    if (machine != NULL)
        dt_signon_abandon(machine, cause, dt_host_now());
    dt_run_step(run);
}

void dt_run_note(dt_run *run, char const *why)
{
    dt_signon *machine = dt_run_machine(run);
    bool ours = run->noted && why[0] == '\0';
    if (machine == NULL)
        return;
    if (ours || dt_signon_outcome(machine)->detail[0] == '\0') {
        dt_signon_note(machine, why);
        run->noted = why[0] != '\0';
    }
    dt_run_rest(run);
}

void dt_run_detach(dt_run *run, dt_cause cause)
{
    dt_signon *machine = dt_run_machine(run);
    run->detached = true;
    run->ctx = NULL;
    if (machine != NULL)
        dt_signon_set_conversation(machine, DT_CONVERSATION_NONE);
    dt_run_abandon(run, cause);
}

/* --- the end of all --------------------------------------------------------------------------- */

static void abandon_for_stop(dt_run *run)
{
    dt_signon *machine = dt_run_machine(run);
    if (machine != NULL)
        dt_signon_abandon(machine, DT_CAUSE_BUSY, dt_host_now());
    /* A look-up's reply no longer matters. That of a POST names the push to cancel. */
    if (run->http_busy && (run->only_asks || run->call == NULL)) {
        http_drop(run);
        feed_failure(run, DT_HTTP_ABANDONED, "devtrust is stopping");
    }
    dt_run_step(run);
}

void dt_runs_abandon_all(dt_driver *d)
{
    dt_run *run;
    while ((run = d->runs) != NULL) {
        list_remove(run);
        list_add(run, &d->ending);
        abandon_for_stop(run);
    }
}

void dt_runs_end_all(dt_driver *d)
{
    while (d->runs != NULL)
        run_force_end(d->runs, DT_CAUSE_BUSY);
    while (d->ending != NULL)
        run_force_end(d->ending, DT_CAUSE_BUSY);
}
