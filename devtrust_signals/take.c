/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came, made news. News is written before anybody hears that an event was taken. */
#include "devtrust_signals/receiver.h"

#include "edge/host.h"

#include <string.h>
#include <syslog.h>

/* For the log: whom one piece of news is about. */
static void log_news(char const *who, char const *event, dt_news const *n)
{
    char id[DT_LOGIN_MAX];

    dt_signals_log(LOG_INFO, "%s: %s: %s about %s %s (%s)", who, event, dt_news_what_word(n->what),
                   dt_news_about_word(n->about), dt_str_escape(id, sizeof(id), n->id),
                   n->reference);
}

/* Writes an event's news, unless the event came before. */
static dt_taken write_news(dt_receiver *r, dt_signals_counts *counts, char const *who,
                           char const *issuer, char const *id, char const *event,
                           dt_news_list const *news, dt_error *e)
{
    dt_time const now = dt_host_now();

    dt_status_touch(r);
    if (dt_seen_has(r->seen, issuer, id, now)) {
        counts->repeated++;
        return DT_TAKEN_OK;
    }
    if (dt_news_writer_append(r->news, news->items, news->count, e) != DT_OK)
        return DT_TAKEN_NOT_WRITTEN;
    dt_seen_add(r->seen, issuer, id, now);
    for (size_t i = 0; i < news->count; i++)
        log_news(who, event, &news->items[i]);
    counts->events++;
    counts->news += news->count;
    counts->unknown += news->count == 0 ? 1 : 0;
    counts->last_event = now;
    return DT_TAKEN_OK;
}

/* --- tokens -------------------------------------------------------------------------------------- */

static dt_taken refuse(dt_transmitter *t, dt_set_fault fault, dt_set_fault *out, dt_error *e)
{
    *out = fault;
    t->counts.refused++;
    dt_status_touch(t->receiver);
    dt_signals_log_refusal(t->receiver, t->config->name, e->text);
    return DT_TAKEN_REFUSED;
}

/* The answer to our own question, or the transmitter's own sign of life, which has no state. */
static dt_taken take_verification(dt_transmitter *t, dt_set const *s, dt_set_fault *fault,
                                  dt_error *e)
{
    if (s->state[0] != '\0' && strcmp(s->state, t->verify_state) != 0) {
        (void)dt_error_set(e, DT_E_PARSE, "the verification is not the one that was asked for");
        return refuse(t, DT_SET_INVALID_STATE, fault, e);
    }
    if (t->verified == 0)
        dt_signals_log(LOG_NOTICE, "%s: the stream is verified: events arrive", t->config->name);
    t->verified = dt_host_now();
    dt_status_touch(t->receiver);
    return DT_TAKEN_OK;
}

static dt_taken take_update(dt_transmitter *t, dt_set const *s)
{
    t->status = s->status;
    if (s->status == DT_STREAM_ENABLED)
        dt_signals_log(LOG_NOTICE, "%s: the stream is enabled", t->config->name);
    else
        dt_signals_log(LOG_WARNING,
                       "%s: the transmitter has set the stream to %s; events may be lost until it "
                       "is enabled there. Sessions are still rechecked in their turn",
                       t->config->name, dt_stream_status_word(s->status));
    dt_status_touch(t->receiver);
    return DT_TAKEN_OK;
}

static dt_taken take_event(dt_transmitter *t, dt_set const *s, dt_error *e)
{
    /* Events have long names; the last part says what it is. */
    char const *slash = strrchr(s->event, '/');

    return write_news(t->receiver, &t->counts, t->config->name, t->config->issuer, s->jti,
                      slash != NULL ? slash + 1 : s->event, &s->news, e);
}

dt_taken dt_take_token(dt_transmitter *t, dt_bytes token, char const *id, dt_set_fault *fault,
                       dt_error *e)
{
    dt_set s;
    dt_set_expected const x = dt_transmitter_expected(t);

    *fault = DT_SET_FAULT_NONE;
    switch (dt_set_read(token, t->keys, &x, dt_host_now(), &s, e)) {
    case DT_SET_UNKNOWN_KEY:
        *fault = s.fault;
        return DT_TAKEN_KEY;
    case DT_SET_REFUSED:
        return refuse(t, s.fault, fault, e);
    case DT_SET_OK:
        break;
    }
    if (id != NULL && strcmp(id, s.jti) != 0) {
        (void)dt_error_set(e, DT_E_PARSE, "the token has another jti than it was delivered by");
        return refuse(t, DT_SET_INVALID_REQUEST, fault, e);
    }
    if (s.kind == DT_SET_KIND_VERIFICATION)
        return take_verification(t, &s, fault, e);
    return s.kind == DT_SET_KIND_STREAM_UPDATED ? take_update(t, &s) : take_event(t, &s, e);
}

/* --- event hooks --------------------------------------------------------------------------------- */

typedef struct hook {
    dt_receiver *receiver;
    dt_error *e;
} hook;

static bool take_hook_event(void *ctx, dt_okta_hook_event const *event)
{
    hook *h = ctx;
    char type[DT_OKTA_HOOK_ID_MAX];

    return write_news(h->receiver, &h->receiver->hooks, "okta hook",
                      h->receiver->config->okta.org_url, event->uuid,
                      dt_str_escape(type, sizeof(type), event->type), &event->news,
                      h->e) == DT_TAKEN_OK;
}

dt_taken dt_take_hook(dt_receiver *r, dt_bytes body, dt_error *e)
{
    hook h = {r, e};
    int const rc = dt_okta_hook_read(body, dt_host_now(), take_hook_event, &h, e);

    if (rc == DT_OK)
        return DT_TAKEN_OK;
    if (rc == DT_E_STATE || rc == DT_E_NOMEM)
        return DT_TAKEN_NOT_WRITTEN;
    r->hooks.refused++;
    dt_status_touch(r);
    dt_signals_log_refusal(r, "okta hook", e->text);
    return DT_TAKEN_REFUSED;
}
