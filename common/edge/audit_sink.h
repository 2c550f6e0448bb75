/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where audit events go: a file (one write per batch of lines, O_APPEND, reopened when rotated) and
 * syslog/journald. */
#ifndef DT_EDGE_AUDIT_SINK_H
#define DT_EDGE_AUDIT_SINK_H

#include "core/bytes.h"

typedef struct dt_audit_sink dt_audit_sink;

DT_MUST_USE int dt_audit_sink_open(char const *file, bool syslog, dt_audit_sink **out,
                                   dt_error *e);
void dt_audit_sink_close(dt_audit_sink **s);
/* Writes whole JSON lines to the file. Thread safe. DT_E_IO when the disk refuses; the caller then
 * says so in syslog. */
DT_MUST_USE int dt_audit_sink_write(dt_audit_sink *s, dt_bytes lines);
/* One line for people to syslog, LOG_AUTHPRIV; failure as warning. */
void dt_audit_sink_line(dt_audit_sink *s, bool success, char const *line);

#endif
