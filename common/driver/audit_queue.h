/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Audit events on their way to the sink. Any thread puts them here, holding a lock for a copy only;
 * one thread writes them out. Bounded: what does not fit, or cannot be written for long, is counted
 * and reported to the system log as an error. */
#ifndef DT_DRIVER_AUDIT_QUEUE_H
#define DT_DRIVER_AUDIT_QUEUE_H

#include "edge/audit_sink.h"

#define DT_AUDIT_QUEUE_MAX (8 * 1024 * 1024) /* bytes waiting: JSON lines, and as much of notes */
#define DT_AUDIT_FLUSH_BYTES (64 * 1024)     /* with so much waiting it is written at once */
#define DT_AUDIT_FLUSH_MS 50                 /* else after this long */
#define DT_AUDIT_NOTES_RETRY_MS 10           /* after a batch, or when the log daemon is slow */
#define DT_AUDIT_NOTES_BATCH 500             /* notes in one flush: the loop has other work */
#define DT_AUDIT_RETRY_MS 1000               /* after the disk refused */
#define DT_AUDIT_LAST_TRIES 400              /* flushes at the end, with a slow log daemon */
#define DT_AUDIT_ALARM_INTERVAL 60000        /* milliseconds between two reports of one trouble */

typedef struct dt_audit_queue dt_audit_queue;

typedef enum dt_audit_urgency {
    DT_AUDIT_NOTHING = 0, /* a flush is already due */
    DT_AUDIT_SOON,        /* the first event: flush within DT_AUDIT_FLUSH_MS */
    DT_AUDIT_NOW,         /* more than DT_AUDIT_FLUSH_BYTES wait */
} dt_audit_urgency;

/* Takes the sink over. */
DT_MUST_USE int dt_audit_queue_new(dt_audit_sink *sink, dt_audit_queue **out, dt_error *e);
/* Does not flush. What could not be written is counted in a last alarm. */
void dt_audit_queue_free(dt_audit_queue **q);
/* Whole JSON lines (may be empty), and one line for people (NULL for none). Thread safe. */
dt_audit_urgency dt_audit_queue_put(dt_audit_queue *q, dt_bytes lines, bool success,
                                    char const *note);
/* The events of a sign-on that lets somebody in, as above. True once a sink has taken them: the file, else
 * syslog, else the kernel's log; the caller may let the person in then, and what other sinks are to have
 * is queued. False: nobody has them, nothing is queued, and the person must be refused. Thread safe.
 * `mono` is a monotonic clock in milliseconds. */
DT_MUST_USE bool dt_audit_queue_accept(dt_audit_queue *q, dt_bytes lines, char const *note,
                                       int64_t mono, dt_audit_urgency *urgency);
/* See dt_audit_sink_alert. Beside the event, whose line goes to syslog as any other. */
void dt_audit_queue_alert(dt_audit_queue *q, char const *line);
/* Counts events that never got as far as the queue. Thread safe. */
void dt_audit_queue_drop(dt_audit_queue *q, unsigned events);
/* Writes out. One thread at a time. `mono` is a monotonic clock in milliseconds. Returns the
 * milliseconds after which to try again, 0 when all is out. */
int dt_audit_queue_flush(dt_audit_queue *q, int64_t mono);
uint64_t dt_audit_queue_dropped(dt_audit_queue const *q);

#endif
