/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One transmitter: what has to be known of it, in its order, and what to do when it does not answer. One request at a
 * time. */
#include "devtrust_signals/receiver.h"

#include "core/base/url.h"
#include "edge/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define TIMEOUT                                                                                    \
    DT_SECONDS(20) /* of one request, connecting included; polls: DT_POLL_TIMEOUT of poll.c */
#define STATUS_EVERY DT_MINUTES(10)
#define VERIFY_AGAIN DT_MINUTES(1) /* after the transmitter said that it is too early */
#define RANDOM_BITS 0xffff

/* --- what it is made of -------------------------------------------------------------------------- */

/* "a, b" into texts without blanks around them. */
static int split_audience(dt_transmitter *t, dt_error *e)
{
    char *rest = t->audience_text, *word;

    if (dt_str_copy(t->audience_text, sizeof(t->audience_text), t->config->audience) != DT_OK)
        return dt_error_set(e, DT_E_LIMIT, "audience is too long");
    while ((word = strsep(&rest, ",")) != NULL) {
        word += strspn(word, " \t");
        word[strcspn(word, " \t")] = '\0';
        if (*word == '\0')
            continue;
        if (t->audience_count == DT_SET_AUDIENCES_MAX)
            return dt_error_set(e, DT_E_LIMIT, "audience has more than %d members",
                                DT_SET_AUDIENCES_MAX);
        t->audiences[t->audience_count++] = word;
    }
    return DT_OK;
}

static int load(dt_transmitter *t, dt_error *e)
{
    dt_config const *c = t->receiver->config;
    char section[DT_CONFIG_SECTION_MAX];
    int rc = split_audience(t, e);

    (void)snprintf(section, sizeof(section), "transmitter %s", t->config->name);
    if (rc != DT_OK)
        return dt_config_blame(c, section, "audience", e, rc);
    if (*t->config->ca_file != '\0') {
        rc = dt_tls_anchors_read(t->config->ca_file, &t->anchors, e);
        if (rc != DT_OK)
            return dt_config_blame(c, section, "ca_file", e, rc);
    }
    rc = dt_signals_header_secret(c, section, "push_secret_file", t->config->push_secret_file,
                                  &t->push_secret, e);
    return rc == DT_OK ? dt_token_load(t, e) : rc;
}

static void on_time(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    dt_transmitter_advance(ctx);
}

int dt_transmitter_new(dt_receiver *r, dt_config_transmitter const *c, dt_transmitter **out,
                       dt_error *e)
{
    dt_transmitter *t = calloc(1, sizeof(*t));

    *out = NULL;
    if (t == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    t->receiver = r;
    t->config = c;
    t->timer = evtimer_new(dt_loop_base(r->loop), on_time, t);
    int rc = t->timer != NULL ? load(t, e) : dt_error_set(e, DT_E_NOMEM, "out of memory");
    if (rc != DT_OK)
        dt_transmitter_free(&t);
    *out = t;
    return rc;
}

void dt_transmitter_free(dt_transmitter **t)
{
    if (*t == NULL)
        return;
    if ((*t)->timer != NULL)
        event_free((*t)->timer);
    dt_ssf_reply_free(&(*t)->reply);
    dt_jwks_free(&(*t)->keys);
    dt_jws_key_free(&(*t)->key);
    dt_secret_free(&(*t)->authorization);
    dt_secret_free(&(*t)->client_secret);
    dt_secret_free(&(*t)->push_secret);
    dt_tls_anchors_free(&(*t)->anchors);
    free(*t);
    *t = NULL;
}

bool dt_transmitter_is_managed(dt_transmitter const *t)
{
    return t->is_fixed || t->client_secret != NULL || t->key != NULL;
}

static bool is_polled(dt_transmitter const *t)
{
    return t->config->delivery == DT_SIGNALS_BY_POLL;
}

dt_set_expected dt_transmitter_expected(dt_transmitter const *t)
{
    return (dt_set_expected){.issuer = t->config->issuer,
                             .audiences = t->audiences,
                             .audience_count = t->audience_count,
                             .okta_issuer = t->receiver->config->okta.org_url,
                             .stream_id = t->has_stream                   ? t->stream.id
                                          : *t->config->stream_id != '\0' ? t->config->stream_id
                                                                          : NULL};
}

/* --- when something does not work ---------------------------------------------------------------- */

void dt_transmitter_schedule(dt_transmitter *t, dt_time wait)
{
    struct timeval const time = dt_loop_time(wait > 0 ? wait : 0);

    (void)event_add(t->timer, &time);
}

static unsigned random_number(void)
{
    uint16_t n = 0;

    (void)!dt_host_random(&n, sizeof(n));
    return n;
}

/* The first failure is logged, and each time that twice as many came in a row. */
void dt_transmitter_fail(dt_transmitter *t, dt_time retry_after, char const *fmt, ...)
{
    char text[DT_ERROR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    (void)dt_str_escape(t->error, sizeof(t->error), text);
    t->failures += t->failures < RANDOM_BITS ? 1 : 0;
    dt_time const wait = dt_ssf_wait(t->failures, retry_after, random_number());
    if ((t->failures & (t->failures - 1)) == 0)
        dt_signals_log(LOG_WARNING, "%s: %s; tried again in %lld s", t->config->name, t->error,
                       (long long)((wait + 999) / 1000));
    dt_status_touch(t->receiver);
    if (t->keys_wanted) { /* nobody waits for longer than this try */
        t->keys_wanted = t->keys_asked = false;
        dt_poll_go_on(t, false);
        if (t->receiver->listener != NULL)
            dt_listener_go_on(t->receiver->listener, t);
    }
    if (!t->receiver->stopping)
        dt_transmitter_schedule(t, wait);
}

void dt_transmitter_succeed(dt_transmitter *t)
{
    if (t->failures > 0)
        dt_signals_log(LOG_NOTICE, "%s: the transmitter answers again", t->config->name);
    if (t->failures > 0 || t->error[0] != '\0')
        dt_status_touch(t->receiver);
    t->failures = 0;
    t->error[0] = '\0';
}

void dt_transmitter_refused(dt_transmitter *t, dt_http_response const *r, char const *what)
{
    if (r->failure != DT_HTTP_OK) {
        dt_transmitter_fail(t, 0, "%s: %s", what, r->error);
        return;
    }
    if (r->status == 401) {
        dt_token_drop(t);
        dt_transmitter_fail(t, r->retry_after,
                            "%s: the transmitter does not take the token (HTTP 401); %s", what,
                            t->is_fixed ? "put a new one into token_file and restart"
                                        : "look at scope and at the client's rights there");
        return;
    }
    dt_transmitter_fail(t, r->retry_after, "%s: HTTP %d%s", what, r->status,
                        r->status == 403 ? "; the token lacks the rights (ssf.read, ssf.manage)"
                        : r->status == 409
                            ? "; it has another stream for this client: name it by stream_id, or "
                              "delete it there"
                        : r->status == 429 ? ": too many requests"
                                           : "");
}

/* --- replies ------------------------------------------------------------------------------------- */

static void take_metadata(dt_transmitter *t, dt_http_response const *r)
{
    dt_error e = {0};

    if (r->failure != DT_HTTP_OK || r->status != 200)
        dt_transmitter_refused(t, r, "its metadata");
    else if (dt_ssf_metadata_read(r->body, t->config->issuer, &t->metadata, &e) != DT_OK)
        dt_transmitter_fail(t, 0, "%s", e.text);
    else if (is_polled(t) && (t->metadata.deliveries & DT_SSF_POLL) == 0 &&
             t->metadata.deliveries != 0)
        dt_transmitter_fail(t, DT_SSF_WAIT_MAX,
                            "the transmitter cannot be polled; set delivery = push");
    else
        t->has_metadata = true;
}

/* Keys that are there stay when they cannot be read anew. */
static void take_keys(dt_transmitter *t, dt_http_response const *r)
{
    dt_error e = {0};
    dt_jwks *keys = NULL;

    if (r->failure != DT_HTTP_OK || r->status != 200) {
        dt_transmitter_refused(t, r, "its keys");
        return;
    }
    if (dt_jwks_read(r->body, &keys, &e) != DT_OK) {
        dt_transmitter_fail(t, 0, "its keys: %s", e.text);
        return;
    }
    dt_jwks_free(&t->keys);
    t->keys = keys;
    if (!t->keys_wanted)
        return;
    t->keys_wanted = t->keys_asked = false;
    dt_poll_go_on(t, true);
    if (t->receiver->listener != NULL)
        dt_listener_go_on(t->receiver->listener, t);
}

static void take_token(dt_transmitter *t, dt_http_response const *r)
{
    char const *wrong;

    if (r->failure != DT_HTTP_OK || r->status != 200) {
        dt_transmitter_fail(t, r->retry_after, "a token from token_url: %s (HTTP %d)",
                            r->failure != DT_HTTP_OK ? r->error
                                                     : "refused; look at client_id, its secret or "
                                                       "key, and scope",
                            r->status);
        return;
    }
    wrong = dt_token_take(t, r);
    if (wrong != NULL)
        dt_transmitter_fail(t, 0, "a token from token_url: %s", wrong);
}

static dt_ssf_wanted wanted(dt_transmitter const *t)
{
    return (dt_ssf_wanted){.issuer = t->config->issuer,
                           .id = t->config->stream_id,
                           .delivery = is_polled(t) ? DT_SSF_POLL : DT_SSF_PUSH,
                           .push_url = t->config->push_url};
}

/* Without a configured audience that of the stream counts: the transmitter was asked by TLS for it. */
static void use_stream(dt_transmitter *t)
{
    t->has_stream = true;
    t->create = false;
    t->status_at = t->verify_at = 0;
    if (*t->config->audience == '\0') {
        t->audience_count = t->stream.audience_count;
        for (size_t i = 0; i < t->audience_count; i++)
            t->audiences[i] = t->stream.audiences[i];
    }
    if (t->audience_count == 0)
        dt_signals_log(LOG_ERR,
                       "%s: neither the stream nor audience says for whom its events are, so all "
                       "are refused; set audience",
                       t->config->name);
    dt_status_touch(t->receiver);
}

static void take_stream(dt_transmitter *t, dt_http_response const *r, bool created)
{
    dt_error e = {0};
    dt_ssf_wanted const w = wanted(t);
    bool const here =
        r->failure == DT_HTTP_OK && (r->status == 200 || (created && r->status == 201));
    int rc = here ? dt_ssf_stream_read(r->body, &w, &t->stream, &e) : DT_E_UNAVAILABLE;

    if (r->failure == DT_HTTP_OK && r->status == 404 && !created)
        rc = DT_E_NOT_FOUND;
    if (rc == DT_OK) {
        dt_signals_log(LOG_NOTICE, "%s: stream %s", t->config->name, created ? "created" : "found");
        use_stream(t);
    } else if (rc == DT_E_NOT_FOUND && !created && *t->config->stream_id == '\0') {
        t->create = true;
    } else if (rc == DT_E_UNAVAILABLE) {
        dt_transmitter_refused(t, r, created ? "a new stream" : "its stream");
        t->create = false;
    } else {
        dt_transmitter_fail(t, 0, "its stream: %s",
                            rc == DT_E_NOT_FOUND && e.text[0] == '\0' ? "there is none of stream_id"
                                                                      : e.text);
        t->create = false;
    }
}

/* What it does not say is not known, and no failure. */
static void take_status(dt_transmitter *t, dt_http_response const *r)
{
    if (r->failure != DT_HTTP_OK || r->status != 200)
        return;
    dt_stream_status const s = dt_ssf_status_read(r->body, t->stream.id);
    if (s != t->status && s != DT_STREAM_ENABLED && s != DT_STREAM_UNKNOWN)
        dt_signals_log(
            LOG_WARNING,
            "%s: the stream is %s at the transmitter, so no events come; enable it there",
            t->config->name, dt_stream_status_word(s));
    t->status = s;
    dt_status_touch(t->receiver);
}

static void take_verification(dt_transmitter *t, dt_http_response const *r)
{
    bool const fine = r->failure == DT_HTTP_OK && r->status >= 200 && r->status < 300;

    if (fine)
        return;
    t->verify_at =
        dt_loop_mono() - DT_SIGNALS_VERIFY_EVERY +
        (t->stream.min_verification_interval > VERIFY_AGAIN ? t->stream.min_verification_interval
                                                            : VERIFY_AGAIN);
    if (r->failure != DT_HTTP_OK || r->status != 429)
        dt_signals_log(LOG_WARNING, "%s: the stream cannot be verified: %s (HTTP %d)",
                       t->config->name, r->failure != DT_HTTP_OK ? r->error : "refused", r->status);
}

static void take_reply(dt_transmitter *t, dt_task task, dt_http_response const *r)
{
    switch (task) {
    case DT_TASK_METADATA:
        take_metadata(t, r);
        return;
    case DT_TASK_KEYS:
        take_keys(t, r);
        return;
    case DT_TASK_TOKEN:
        take_token(t, r);
        return;
    case DT_TASK_STREAM:
    case DT_TASK_CREATE:
        take_stream(t, r, task == DT_TASK_CREATE);
        return;
    case DT_TASK_STATUS:
        take_status(t, r);
        return;
    case DT_TASK_VERIFY:
        take_verification(t, r);
        return;
    case DT_TASK_POLL:
        dt_poll_take_reply(t, r);
        return;
    case DT_TASK_NONE:
        return;
    }
}

/* --- requests ------------------------------------------------------------------------------------ */

static void on_done(void *ctx, dt_http_response const *r)
{
    dt_transmitter *t = ctx;
    dt_task const task = t->task;
    unsigned const before = t->failures;

    t->task = DT_TASK_NONE;
    t->call = NULL;
    if (t->receiver->stopping)
        return;
    take_reply(t, task, r);
    if (t->failures > before)
        return; /* its timer runs */
    dt_transmitter_succeed(t);
    if (!evtimer_pending(t->timer, NULL))
        dt_transmitter_schedule(t, 0);
}

void dt_transmitter_ask(dt_transmitter *t, dt_task task, dt_http_request *q)
{
    dt_http_way const way = {.anchors = t->anchors,
                             .proxy = t->receiver->proxy,
                             .authorization = q->anonymous ? NULL : t->authorization};

    q->service = DT_HTTP_SIGNALS;
    q->nas = q->identity = t->config->name;
    if (q->timeout == 0)
        q->timeout = TIMEOUT;
    t->task = task;
    t->started = dt_loop_mono();
    int const rc = dt_http_start(dt_loop_http(t->receiver->loop), q, &way, on_done, t, &t->call);
    explicit_bzero(q->body, sizeof(q->body));
    if (rc == DT_OK)
        return;
    t->task = DT_TASK_NONE;
    dt_transmitter_fail(t, 0, "a request cannot be sent (%s)", dt_err_name(rc));
}

static void ask_anonymously(dt_transmitter *t, dt_task task, char const *url)
{
    dt_http_request q = {.anonymous = true};

    (void)!dt_str_copy(q.url, sizeof(q.url), url);
    dt_transmitter_ask(t, task, &q);
}

static void ask_for_metadata(dt_transmitter *t)
{
    char url[DT_URL_MAX];

    if (*t->config->metadata_url != '\0')
        ask_anonymously(t, DT_TASK_METADATA, t->config->metadata_url);
    else if (dt_ssf_metadata_url(t->config->issuer, url) == DT_OK)
        ask_anonymously(t, DT_TASK_METADATA, url);
    else
        dt_transmitter_fail(t, 0, "the issuer is too long for a URL");
}

static void ask_for_token(dt_transmitter *t)
{
    dt_http_request q = {0};
    dt_error e = {0};

    if (dt_token_request(t, &q, &e) == DT_OK)
        dt_transmitter_ask(t, DT_TASK_TOKEN, &q);
    else
        dt_transmitter_fail(t, 0, "a token from token_url: %s", e.text);
    explicit_bzero(&q, sizeof(q));
}

/* GET with the id of the stream, where one is known. */
static void ask_about_stream(dt_transmitter *t, dt_task task, char const *endpoint, char const *id)
{
    dt_http_request q = {0};
    dt_buf url;

    dt_buf_init_fixed(&url, q.url, sizeof(q.url));
    dt_buf_puts(&url, endpoint);
    if (*id != '\0') {
        dt_buf_puts(&url, strchr(endpoint, '?') != NULL ? "&stream_id=" : "?stream_id=");
        dt_url_put_segment(&url, id);
    }
    if (dt_buf_error(&url) == DT_OK)
        dt_transmitter_ask(t, task, &q);
    else
        dt_transmitter_fail(t, 0, "the URL of its stream is too long");
}

static void create_stream(dt_transmitter *t)
{
    dt_http_request q = {.method = DT_HTTP_POST};
    dt_ssf_wanted const w = wanted(t);
    dt_buf body;

    (void)!dt_str_copy(q.url, sizeof(q.url), t->metadata.configuration_endpoint);
    dt_buf_init_fixed(&body, q.body, sizeof(q.body));
    if (dt_ssf_put_create(&w, t->push_secret, &body) != DT_OK) {
        dt_transmitter_fail(t, 0,
                            "the request for a stream does not fit %d bytes; shorten "
                            "push_url or push_secret_file's secret",
                            DT_HTTP_BODY_MAX);
        return;
    }
    q.body_len = body.len;
    dt_transmitter_ask(t, DT_TASK_CREATE, &q);
}

static void ask_for_verification(dt_transmitter *t)
{
    dt_http_request q = {.method = DT_HTTP_POST};
    dt_buf body;

    t->verify_at = dt_loop_mono();
    if (dt_host_random_id(t->verify_state) != DT_OK)
        return;
    (void)!dt_str_copy(q.url, sizeof(q.url), t->metadata.verification_endpoint);
    dt_buf_init_fixed(&body, q.body, sizeof(q.body));
    if (dt_ssf_put_verify(t->stream.id, t->verify_state, &body) != DT_OK)
        return;
    q.body_len = body.len;
    dt_transmitter_ask(t, DT_TASK_VERIFY, &q);
}

/* --- what comes next ----------------------------------------------------------------------------- */

static bool is_due(int64_t at, dt_time every)
{
    return at == 0 || dt_loop_mono() - at >= every;
}

static bool are_keys_due(dt_transmitter const *t)
{
    if (t->keys == NULL || is_due(t->keys_at, DT_SIGNALS_KEYS_AGE))
        return true;
    return t->keys_wanted && !t->keys_asked && is_due(t->wanted_at, DT_SIGNALS_KEYS_PAUSE);
}

/* Until keys may be read again for an unknown one. */
static dt_time pause_left(dt_transmitter const *t)
{
    return t->wanted_at + DT_SIGNALS_KEYS_PAUSE - dt_loop_mono();
}

bool dt_transmitter_want_keys(dt_transmitter *t)
{
    bool const soon = !is_due(t->wanted_at, DT_SIGNALS_KEYS_PAUSE) && t->task != DT_TASK_KEYS;

    if (!t->keys_wanted)
        t->keys_asked = t->task == DT_TASK_KEYS;
    t->keys_wanted = true;
    if (t->failures == 0 && t->call == NULL)
        dt_transmitter_schedule(t, soon ? pause_left(t) : 0);
    return !soon && t->failures == 0;
}

static void ask_for_keys(dt_transmitter *t)
{
    t->keys_at = dt_loop_mono();
    if (t->keys_wanted)
        t->wanted_at = t->keys_at;
    t->keys_asked = t->keys_wanted;
    ask_anonymously(t, DT_TASK_KEYS, t->metadata.jwks_uri);
}

/* A stream that is pushed: nothing to do until something is due. */
static void rest(dt_transmitter *t)
{
    dt_transmitter_schedule(t, t->keys_wanted ? DT_SECONDS(1) : DT_MINUTES(1));
}

static void advance_managed(dt_transmitter *t)
{
    dt_ssf_metadata const *m = &t->metadata;

    if (dt_token_is_due(t))
        ask_for_token(t);
    else if (!t->has_stream && m->configuration_endpoint[0] == '\0')
        dt_transmitter_fail(t, DT_SSF_WAIT_MAX,
                            "the transmitter has no configuration_endpoint, so its stream cannot "
                            "be read");
    else if (!t->has_stream && t->create)
        create_stream(t);
    else if (!t->has_stream)
        ask_about_stream(t, DT_TASK_STREAM, m->configuration_endpoint, t->config->stream_id);
    else if (m->status_endpoint[0] != '\0' && is_due(t->status_at, STATUS_EVERY)) {
        t->status_at = dt_loop_mono();
        ask_about_stream(t, DT_TASK_STATUS, m->status_endpoint, t->stream.id);
    } else if (m->verification_endpoint[0] != '\0' && is_due(t->verify_at, DT_SIGNALS_VERIFY_EVERY))
        ask_for_verification(t);
    else if (is_polled(t))
        dt_poll_start(t);
    else
        rest(t);
}

void dt_transmitter_advance(dt_transmitter *t)
{
    if (t->call != NULL || t->receiver->stopping)
        return;
    (void)event_del(t->timer);
    if (!t->has_metadata)
        ask_for_metadata(t);
    else if (are_keys_due(t))
        ask_for_keys(t);
    else if (t->keys_wanted && t->reply.root != NULL)
        dt_transmitter_schedule(t, pause_left(t));
    else if (dt_transmitter_is_managed(t))
        advance_managed(t);
    else
        rest(t);
}

void dt_transmitter_verify(dt_transmitter *t)
{
    t->verify_at = 0;
    if (t->call == NULL && t->failures == 0)
        dt_transmitter_schedule(t, 0);
}
