/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where audit events go: a file (one write per batch of lines, O_APPEND, reopened when rotated) and
 * syslog/journald. */
#ifndef DT_EDGE_AUDIT_SINK_H
#define DT_EDGE_AUDIT_SINK_H

#include "core/base/bytes.h"

typedef struct dt_audit_sink dt_audit_sink;

/* A line for people may have fields after it (dt_audit_fields). Where /dev/log is the journal's,
 * the line goes to the journal with them, by its native protocol (systemd, Native Journal Protocol); elsewhere the line
 * alone is logged. */

#define DT_AUDIT_SINK_WAIT_MS 2     /* longest wait for a log daemon that lags behind */
#define DT_AUDIT_SINK_ACCEPT_MS 250 /* the same, where a person waits for it */

/* `file` "" = none. It is created 0600 in an existing directory; a file that others can write, or
 * that is neither a regular file nor a character device, is refused (DT_E_PERMISSION). One that cannot
 * be opened now (its directory is missing, its file system read-only) is DT_E_IO without syslog; with it,
 * it is opened again at each write, and dt_audit_sink_fault says what is wrong. */
DT_MUST_USE int dt_audit_sink_open(char const *file, bool syslog, dt_audit_sink **out, dt_error *e);
/* Why the file could not be opened; NULL when it could. Borrowed. */
char const *dt_audit_sink_fault(dt_audit_sink const *s);
void dt_audit_sink_close(dt_audit_sink **s);
/* Writes whole JSON lines to the file. Thread safe. DT_E_IO when the disk refuses; the caller then
 * says so in syslog. */
DT_MUST_USE int dt_audit_sink_write(dt_audit_sink *s, dt_bytes lines);
/* One line for people to syslog, LOG_AUTHPRIV; failure as warning. Nothing when the sink was opened
 * without syslog. False when the log daemon is too slow to take it within DT_AUDIT_SINK_WAIT_MS: the
 * line may be given again. A line that no daemon is there for is counted, and the count is logged as
 * soon as one is there again. */
bool dt_audit_sink_line(dt_audit_sink *s, bool success, char const *line);
/* Descriptor of the kernel's log (edge/kernel_log.h), which is taken over; 0 or below: none. Before the
 * sink is shared. */
void dt_audit_sink_set_kernel_log(dt_audit_sink *s, int fd);
/* Whether lines with fields after them are of use: the journal is there, and syslog is wanted. As it was at the
 * opening: making fields takes some microseconds of each sign-on. */
bool dt_audit_sink_takes_fields(dt_audit_sink const *s);
/* Whether there is a file at all. */
bool dt_audit_sink_has_file(dt_audit_sink const *s);
/* One line that somebody must take before a person is let in: syslog, for which it waits up to
 * DT_AUDIT_SINK_ACCEPT_MS, else the kernel's log. True when one of them has it. `mono`: monotonic
 * milliseconds. Thread safe. */
DT_MUST_USE bool dt_audit_sink_accept(dt_audit_sink *s, char const *line, int64_t mono);
/* Something that an administrator must hear of at once, such as the use of a break-glass account: to syslog as
 * LOG_ALERT, whatever was asked at open, and to the kernel's log where the log daemon does not take it. Waits up to
 * DT_AUDIT_SINK_ACCEPT_MS. Thread safe. */
void dt_audit_sink_alert(dt_audit_sink *s, char const *line);
/* Something is wrong with the audit trail itself: to syslog as an error, whatever was asked at
 * open; to the kernel's log where no log daemon is there. False as above. */
bool dt_audit_sink_alarm(dt_audit_sink *s, char const *line);

#endif
