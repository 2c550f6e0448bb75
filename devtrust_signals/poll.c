/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Polling (RFC 8936): each poll acknowledges what the one before brought, and waits for more. */
#include "devtrust_signals/receiver.h"

#include <string.h>
#include <syslog.h>

#define DT_POLL_TIMEOUT                                                                            \
    DT_SECONDS(60)            /* how long a poll is kept open: some transmitters do not say */
#define AT_ONCE DT_SECONDS(1) /* an empty answer within this time was not waited for */

void dt_poll_start(dt_transmitter *t)
{
    dt_http_request q = {.method = DT_HTTP_POST, .timeout = DT_POLL_TIMEOUT};
    dt_buf body;

    (void)!dt_str_copy(q.url, sizeof(q.url), t->stream.endpoint_url);
    dt_buf_init_fixed(&body, q.body, sizeof(q.body));
    t->acks_sent = dt_ssf_put_poll(t->acks, t->ack_count, DT_SSF_POLL_EVENTS, t->more, &body);
    if (t->acks_sent < t->ack_count) { /* they do not fit: this one only acknowledges */
        dt_buf_reset(&body);
        t->acks_sent = dt_ssf_put_poll(t->acks, t->ack_count, 0, true, &body);
    }
    q.body_len = body.len;
    dt_transmitter_ask(t, DT_TASK_POLL, &q);
}

/* Those that were sent are done with. */
static void drop_acks(dt_transmitter *t)
{
    t->ack_count -= t->acks_sent;
    memmove(t->acks, t->acks + t->acks_sent, t->ack_count * sizeof(t->acks[0]));
    t->acks_sent = 0;
}

static void add_ack(dt_transmitter *t, char const *jti, dt_set_fault fault)
{
    dt_ssf_ack *a = &t->acks[t->ack_count];

    if (t->ack_count == DT_SSF_POLL_SETS_MAX || dt_str_copy(a->jti, sizeof(a->jti), jti) != DT_OK) {
        dt_signals_log_refusal(t->receiver, t->config->name,
                               "an event has an id that is too long, and cannot be acknowledged");
        return;
    }
    a->fault = fault;
    t->ack_count++;
}

/* Takes the tokens of the reply. False when one needs keys that are not there yet: then none of them is acknowledged,
 * and all are taken again, those that were written already being known. */
static bool take_tokens(dt_transmitter *t, bool final, bool *written)
{
    size_t const before = t->ack_count;
    char const *jti, *token;

    *written = true;
    for (size_t i = 0; i < t->reply.count; i++) {
        dt_set_fault fault;
        dt_error e = {0};
        dt_ssf_reply_at(&t->reply, i, &jti, &token);
        dt_taken const taken = dt_take_token(t, dt_bytes_str(token), jti, &fault, &e);
        if (taken == DT_TAKEN_NOT_WRITTEN) {
            *written = false;
            dt_transmitter_fail(t, 0, "%s", e.text);
            return true;
        }
        if (taken == DT_TAKEN_KEY && !final) {
            t->ack_count = before;
            return false;
        }
        if (taken == DT_TAKEN_KEY) {
            t->counts.refused++;
            dt_signals_log_refusal(t->receiver, t->config->name, e.text);
        }
        add_ack(t, jti, fault);
    }
    return true;
}

static void finish_reply(dt_transmitter *t)
{
    bool const was_empty = t->reply.count == 0;

    t->more = t->reply.more;
    dt_ssf_reply_free(&t->reply);
    if (was_empty && !t->more && t->ack_count == 0 && dt_loop_mono() - t->started < AT_ONCE)
        dt_transmitter_schedule(t, t->config->poll_pause);
}

void dt_poll_go_on(dt_transmitter *t, bool read)
{
    bool written;

    if (t->reply.root == NULL)
        return;
    if (!read) { /* nothing is acknowledged, so all of it comes again */
        dt_ssf_reply_free(&t->reply);
        return;
    }
    (void)take_tokens(t, true, &written);
    if (written)
        finish_reply(t);
    else
        dt_ssf_reply_free(&t->reply);
}

static void read_reply(dt_transmitter *t, dt_http_response const *r)
{
    dt_error e = {0};
    bool written;

    if (dt_ssf_reply_read(r->body, &t->reply, &e) != DT_OK) {
        dt_transmitter_fail(t, 0, "a poll: %s", e.text);
        return;
    }
    if (!take_tokens(t, false, &written))
        (void)dt_transmitter_want_keys(t);
    else if (written)
        finish_reply(t);
    else
        dt_ssf_reply_free(&t->reply);
}

void dt_poll_take_reply(dt_transmitter *t, dt_http_response const *r)
{
    if (r->failure == DT_HTTP_TIMEOUT && r->reached) {
        /* Nothing happened in all that time. What was acknowledged may not have been read: it is again. */
        t->more = false;
        return;
    }
    if (r->failure == DT_HTTP_OK && r->status == 404) {
        t->has_stream = false;
        dt_transmitter_fail(t, r->retry_after,
                            "a poll: the stream is not there any more (HTTP 404)");
        return;
    }
    if (r->failure == DT_HTTP_OK && (r->status == 200 || r->status == 204 || r->status == 202)) {
        bool const only_acks = t->acks_sent > 0;
        drop_acks(t);
        if (r->status == 200)
            read_reply(t, r);
        else if (!only_acks)
            dt_transmitter_schedule(t, t->config->poll_pause);
        return;
    }
    dt_transmitter_refused(t, r, "a poll");
}
