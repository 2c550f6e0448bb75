/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What devtrustctl signals status shows: a small file beside the news, replaced as a whole. */
#include "devtrust_signals/receiver.h"

#include "core/base/time_text.h"
#include "core/base/version.h"
#include "edge/file.h"
#include "edge/host.h"

#include <stdio.h>
#include <syslog.h>

#define SUFFIX ".status"
#define TEXT_MAX (64 * 1024)
#define SOON ((dt_time)200)  /* after something has changed */
#define ANYWAY DT_MINUTES(1) /* and so that its time says that the program runs */

static void put_text(dt_buf *b, char const *name, char const *text)
{
    dt_buf_printf(b, ",\"%s\":", name);
    dt_json_put_string(b, text);
}

/* null for "never". */
static void put_time(dt_buf *b, char const *name, dt_time at)
{
    char text[25];

    dt_time_format(text, at);
    dt_buf_printf(b, at > 0 ? ",\"%s\":\"%s\"" : ",\"%s\":null", name, text);
}

static void put_counts(dt_buf *b, dt_signals_counts const *c)
{
    dt_buf_printf(b,
                  ",\"events\":%llu,\"news\":%llu,\"repeated\":%llu,\"unknown\":%llu,"
                  "\"refused\":%llu",
                  (unsigned long long)c->events, (unsigned long long)c->news,
                  (unsigned long long)c->repeated, (unsigned long long)c->unknown,
                  (unsigned long long)c->refused);
    put_time(b, "last_event", c->last_event);
}

static void put_transmitter(dt_buf *b, dt_transmitter const *t)
{
    dt_buf_puts(b, "{\"name\":");
    dt_json_put_string(b, t->config->name);
    put_text(b, "issuer", t->config->issuer);
    put_text(b, "delivery", t->config->delivery == DT_SIGNALS_BY_POLL ? "poll" : "push");
    put_text(b, "stream", t->has_stream ? t->stream.id : t->config->stream_id);
    put_text(b, "status", dt_stream_status_word(t->status));
    dt_buf_printf(b, ",\"keys\":%zu", dt_jwks_count(t->keys));
    put_time(b, "verified", t->verified);
    put_counts(b, &t->counts);
    dt_buf_printf(b, ",\"failures\":%u", t->failures);
    put_text(b, "error", t->error);
    dt_buf_puts(b, "}");
}

static void put_status(dt_receiver const *r, dt_buf *b)
{
    dt_buf_puts(b, "{\"v\":1,\"version\":\"" DT_VERSION "\"");
    put_time(b, "at", dt_host_now());
    put_text(b, "listen", r->config->signals.listen);
    dt_buf_printf(b, ",\"hooks\":{\"on\":%s", r->hook_secret != NULL ? "true" : "false");
    put_counts(b, &r->hooks);
    dt_buf_puts(b, "},\"transmitters\":[");
    for (size_t i = 0; i < r->transmitter_count; i++) {
        dt_buf_puts(b, i > 0 ? "," : "");
        put_transmitter(b, r->transmitters[i]);
    }
    dt_buf_puts(b, "]}\n");
}

static void write_status(dt_receiver *r)
{
    char path[DT_FILE_PATH_MAX];
    dt_error e = {0};
    dt_buf b;

    dt_buf_init(&b, TEXT_MAX);
    put_status(r, &b);
    int rc = snprintf(path, sizeof(path), "%s" SUFFIX, r->config->signals.news) < (int)sizeof(path)
                 ? dt_buf_error(&b)
                 : DT_E_LIMIT;
    if (rc == DT_OK)
        rc = dt_file_write(path, dt_buf_bytes(&b), true, DT_NEWS_FILE_MODE, &e);
    if (rc != DT_OK)
        dt_signals_log_refusal(r, "status", e.text);
    dt_buf_free(&b);
}

static void on_time(evutil_socket_t fd, short what, void *ctx)
{
    dt_receiver *r = ctx;
    struct timeval const time = dt_loop_time(ANYWAY);

    (void)fd;
    (void)what;
    r->status_due = false;
    write_status(r);
    (void)event_add(r->status_timer, &time);
}

void dt_status_touch(dt_receiver *r)
{
    struct timeval const time = dt_loop_time(SOON);

    if (r->status_due || r->status_timer == NULL)
        return;
    r->status_due = true;
    (void)event_add(r->status_timer, &time);
}

int dt_status_start(dt_receiver *r, dt_error *e)
{
    r->status_timer = evtimer_new(dt_loop_base(r->loop), on_time, r);
    if (r->status_timer == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    on_time(-1, 0, r);
    return DT_OK;
}

void dt_status_stop(dt_receiver *r)
{
    if (r->status_timer == NULL)
        return;
    write_status(r);
    event_free(r->status_timer);
    r->status_timer = NULL;
}
