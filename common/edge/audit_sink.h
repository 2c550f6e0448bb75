/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where audit events go: a file (one write per batch of lines, O_APPEND, reopened when rotated) and
 * syslog/journald. */
#ifndef DT_EDGE_AUDIT_SINK_H
#define DT_EDGE_AUDIT_SINK_H

#include "core/bytes.h"

typedef struct dt_audit_sink dt_audit_sink;

#define DT_AUDIT_SINK_WAIT_MS 2 /* longest wait for a log daemon that lags behind */

/* `file` "" = none. It is created 0600 in an existing directory; a file that others can write, or
 * that is neither a regular file nor a character device, is refused. DT_E_PERMISSION, DT_E_IO. */
DT_MUST_USE int dt_audit_sink_open(char const *file, bool syslog, dt_audit_sink **out, dt_error *e);
void dt_audit_sink_close(dt_audit_sink **s);
/* Writes whole JSON lines to the file. Thread safe. DT_E_IO when the disk refuses; the caller then
 * says so in syslog. */
DT_MUST_USE int dt_audit_sink_write(dt_audit_sink *s, dt_bytes lines);
/* One line for people to syslog, LOG_AUTHPRIV; failure as warning. Nothing when the sink was opened
 * without syslog. False when the log daemon is too slow to take it within DT_AUDIT_SINK_WAIT_MS: the
 * line may be given again. A line that no daemon is there for is counted, and the count is logged as
 * soon as one is there again. */
bool dt_audit_sink_line(dt_audit_sink *s, bool success, char const *line);
/* Something is wrong with the audit trail itself: to syslog as an error, whatever was asked at
 * open. False as above. */
bool dt_audit_sink_alarm(dt_audit_sink *s, char const *line);

#endif
