/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's log (/dev/kmsg, dmesg(1)): the last resort for an audit event that neither the audit file
 * nor the system log took. Only root may write to it, so it is opened before root is given up. */
#ifndef DT_EDGE_KERNEL_LOG_H
#define DT_EDGE_KERNEL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel drops, without a word to the writer, what goes beyond 10 lines in 5 s of one open
 * descriptor (printk_devkmsg = ratelimit, its default). We stay below that. */
#define DT_KERNEL_LOG_BURST 8
#define DT_KERNEL_LOG_WINDOW 6000  /* milliseconds */
#define DT_KERNEL_LOG_LINE_MAX 900 /* the kernel refuses records of 1024 bytes */

typedef struct dt_kernel_log {
    int fd;                          /* 0 or below: none */
    int64_t at[DT_KERNEL_LOG_BURST]; /* when the last lines were written; monotonic milliseconds */
    unsigned written;
} dt_kernel_log;

/* Opens the kernel's log. The descriptor is the caller's; -1 when it cannot be opened. */
int dt_kernel_log_open(void);
/* Writes one line, which must hold no control character; `priority` as in syslog(3), facility included.
 * True when the kernel keeps it. False: there is no descriptor, the administrator has turned this log
 * off, or too many lines came at once. One thread at a time. */
bool dt_kernel_log_write(dt_kernel_log *l, int priority, char const *line, int64_t mono);

#endif
