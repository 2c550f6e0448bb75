/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks the audit events of a site: the file that the configuration names with those that were rotated
 * away from it, compressed by gzip or not, the oldest first; or one file; or standard input. Any number
 * of events goes through in constant memory. */
#ifndef DT_CTL_AUDIT_READ_H
#define DT_CTL_AUDIT_READ_H

#include "devtrustctl/audit_event.h"

#define DT_FOLLOW_WAIT_MS 250 /* between two looks at a file that is followed */

typedef struct dt_audit_reading {
    /* Called for each event; anything but 0 ends the walk. */
    int (*on_event)(void *ctx, dt_audit_event const *event);
    void *ctx;
    dt_time since; /* files that were last written to before it are passed over; 0 = none is */
    /* What is added to the file later is read as well, until this, which is called when everything that is there
     * has been read, and every DT_FOLLOW_WAIT_MS after it, returns anything but 0. NULL: the walk ends at the end. */
    int (*on_idle)(void *ctx);
    /* What came of it. */
    size_t
        broken; /* lines that are not events; the first of each file are named on standard error */
    bool fault; /* a file could not be read to its end; named there */
    size_t left_out;       /* files compressed by others than gzip; counted there */
    char const *file;      /* being read */
    size_t broken_in_file; /* of it */
} dt_audit_reading;

/* `file` NULL: the configuration's; "-": standard input. DT_E_NOT_FOUND and what else keeps the walk from
 * beginning. */
DT_MUST_USE int dt_audit_read(dt_audit_reading *r, char const *config_path, char const *file,
                              dt_error *e);
/* --since and --until (dt_moment_read). NULL: 0. DT_E_INVALID. */
DT_MUST_USE int dt_audit_since(char const *text, dt_time *since, dt_error *e);
DT_MUST_USE int dt_audit_until(char const *text, dt_time *until, dt_error *e);

#endif
