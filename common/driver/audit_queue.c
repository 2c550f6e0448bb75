/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two pairs of buffers: one is filled under the lock, the other is written out without it. */
#include "driver/audit_queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct batch {
    dt_buf lines; /* JSON, for the file */
    dt_buf notes; /* '+' or '-', text, NUL; for the system log */
} batch;

struct dt_audit_queue {
    dt_audit_sink *sink;
    pthread_mutex_t lock;
    batch filling;
    /* the flushing thread's */
    batch going;
    size_t notes_at;   /* of going.notes: those before are out */
    bool broken;       /* the last write failed */
    int64_t alarmed;   /* when that was reported last; 0 = not yet */
    uint64_t reported; /* dropped events that were reported */
    _Atomic(uint64_t) dropped;
};

static void batch_init(batch *b)
{
    dt_buf_init(&b->lines, DT_AUDIT_QUEUE_MAX);
    dt_buf_init(&b->notes, DT_AUDIT_QUEUE_MAX);
}

int dt_audit_queue_new(dt_audit_sink *sink, dt_audit_queue **out, dt_error *e)
{
    *out = NULL;
    dt_audit_queue *q = calloc(1, sizeof(*q));
    if (q == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    q->sink = sink;
    pthread_mutex_init(&q->lock, NULL);
    batch_init(&q->filling);
    batch_init(&q->going);
    *out = q;
    return DT_OK;
}

/* What could not be written until the very end. */
static void report_left(dt_audit_queue const *q)
{
    dt_bytes const left[] = {dt_buf_bytes(&q->going.lines), dt_buf_bytes(&q->filling.lines)};
    unsigned long events = 0;
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < left[i].len; k++)
            events += left[i].p[k] == '\n';
    }
    if (events == 0)
        return;
    char text[128];
    dt_buf b;
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "%lu audit events were lost: the audit file cannot be written", events);
    (void)dt_audit_sink_alarm(q->sink, text);
}

void dt_audit_queue_free(dt_audit_queue **q)
{
    if (q == NULL || *q == NULL)
        return;
    report_left(*q);
    dt_audit_sink_close(&(*q)->sink);
    dt_buf_free(&(*q)->filling.lines);
    dt_buf_free(&(*q)->filling.notes);
    dt_buf_free(&(*q)->going.lines);
    dt_buf_free(&(*q)->going.notes);
    pthread_mutex_destroy(&(*q)->lock);
    free(*q);
    *q = NULL;
}

/* Undoes an append that did not fit, so that no half of an event stays. */
static bool put_whole(dt_buf *b, dt_bytes a, dt_bytes c)
{
    size_t before = b->len;
    dt_buf_put(b, a.p, a.len);
    dt_buf_put(b, c.p, c.len);
    if (dt_buf_error(b) == 0)
        return true;
    b->error = 0;
    b->len = before;
    if (b->cap > 0)
        b->p[before] = '\0';
    return false;
}

dt_audit_urgency dt_audit_queue_put(dt_audit_queue *q, dt_bytes lines, bool success,
                                    char const *note)
{
    pthread_mutex_lock(&q->lock);
    size_t before = q->filling.lines.len + q->filling.notes.len;
    bool fits = put_whole(&q->filling.lines, lines, dt_bytes_of(NULL, 0));
    if (note != NULL) {
        dt_bytes text = dt_bytes_of(note, strlen(note) + 1);
        fits = put_whole(&q->filling.notes, dt_bytes_str(success ? "+" : "-"), text) && fits;
    }
    size_t after = q->filling.lines.len + q->filling.notes.len;
    pthread_mutex_unlock(&q->lock);
    if (!fits)
        dt_audit_queue_drop(q, 1);
    if (before < DT_AUDIT_FLUSH_BYTES && after >= DT_AUDIT_FLUSH_BYTES)
        return DT_AUDIT_NOW;
    return before == 0 || !fits ? DT_AUDIT_SOON : DT_AUDIT_NOTHING;
}

bool dt_audit_queue_accept(dt_audit_queue *q, dt_bytes lines, char const *note, int64_t mono,
                           dt_audit_urgency *urgency)
{
    *urgency = DT_AUDIT_NOTHING;
    if (lines.len > 0 && dt_audit_sink_has_file(q->sink) &&
        dt_audit_sink_write(q->sink, lines) == 0) {
        *urgency = dt_audit_queue_put(q, dt_bytes_of(NULL, 0), true, note);
        return true;
    }
    if (!dt_audit_sink_accept(q->sink, note, mono))
        return false;
    *urgency = dt_audit_queue_put(q, lines, true, NULL); /* for the file, when it can be written */
    return true;
}

void dt_audit_queue_alert(dt_audit_queue *q, char const *line)
{
    dt_audit_sink_alert(q->sink, line);
}

void dt_audit_queue_drop(dt_audit_queue *q, unsigned events)
{
    atomic_fetch_add(&q->dropped, events);
}

uint64_t dt_audit_queue_dropped(dt_audit_queue const *q)
{
    return atomic_load(&q->dropped);
}

static void swap(dt_buf *a, dt_buf *b)
{
    dt_buf c = *a;
    *a = *b;
    *b = c;
}

/* What was not taken stays in `going`; the rest waits behind it. */
static void take_waiting(dt_audit_queue *q)
{
    pthread_mutex_lock(&q->lock);
    if (q->going.lines.len == 0)
        swap(&q->going.lines, &q->filling.lines);
    if (q->going.notes.len == 0) {
        swap(&q->going.notes, &q->filling.notes);
        q->notes_at = 0;
    }
    pthread_mutex_unlock(&q->lock);
}

static void write_notes(dt_audit_queue *q)
{
    char const *p = (char const *)q->going.notes.p;
    for (int i = 0; q->notes_at < q->going.notes.len; i++) {
        char const *note = p + q->notes_at;
        if (i >= DT_AUDIT_NOTES_BATCH)
            return;
        if (!dt_audit_sink_line(q->sink, note[0] == '+', note + 1))
            return;
        q->notes_at += strlen(note) + 1;
    }
    dt_buf_reset(&q->going.notes);
    q->notes_at = 0;
}

static void write_lines(dt_audit_queue *q, int64_t mono)
{
    bool was_broken = q->broken;
    q->broken = dt_audit_sink_write(q->sink, dt_buf_bytes(&q->going.lines)) != 0;
    if (!q->broken) {
        dt_buf_reset(&q->going.lines);
        if (was_broken)
            (void)dt_audit_sink_alarm(q->sink, "the audit file can be written again");
        q->alarmed = 0;
        return;
    }
    if (q->alarmed == 0 || mono - q->alarmed >= DT_AUDIT_ALARM_INTERVAL) {
        static char const text[] =
            "audit events cannot be written to the audit file (disk full? directory gone?); they "
            "are kept in memory while there is room, and retried";
        if (dt_audit_sink_alarm(q->sink, text))
            q->alarmed = mono == 0 ? 1 : mono;
    }
}

static void report_dropped(dt_audit_queue *q)
{
    uint64_t dropped = atomic_load(&q->dropped);
    if (dropped == q->reported)
        return;
    char text[160];
    dt_buf b;
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b,
                  "%llu audit events or log lines were lost: they came faster than they could be "
                  "written",
                  (unsigned long long)(dropped - q->reported));
    if (dt_audit_sink_alarm(q->sink, text))
        q->reported = dropped;
}

int dt_audit_queue_flush(dt_audit_queue *q, int64_t mono)
{
    take_waiting(q);
    write_notes(q);
    if (q->going.lines.len > 0)
        write_lines(q, mono);
    /* Those after what the disk had refused, now that it takes them again. */
    if (!q->broken) {
        take_waiting(q);
        write_notes(q);
        if (q->going.lines.len > 0)
            write_lines(q, mono);
    }
    report_dropped(q);
    if (q->going.notes.len > 0)
        return DT_AUDIT_NOTES_RETRY_MS;
    return q->broken ? DT_AUDIT_RETRY_MS : 0;
}
