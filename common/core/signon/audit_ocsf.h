/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit events in the form of OCSF (Open Cybersecurity Schema Framework) 1.8: a sign-on and the authentication of
 * a device as class Authentication (3002) with the profiles host and security_control, a reload as base event. What
 * OCSF has no attribute for is in `unmapped`, whose member `devtrust` is the whole event in the other form (outcome.h):
 * who reads that finds everything at its place. Booleans that are not known are left out.
 *
 * Like those of outcome.h: one JSON line each, whole or not at all (dt_buf_error), never a secret. */
#ifndef DT_CORE_AUDIT_OCSF_H
#define DT_CORE_AUDIT_OCSF_H

#include "core/signon/outcome.h"

#define DT_AUDIT_OCSF_VERSION "1.8.0"
/* Longest line, the other form in it. */
#define DT_AUDIT_OCSF_EVENT_MAX (DT_AUDIT_EVENT_MAX + 12 * 1024)

void dt_audit_ocsf_signon(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx,
                          dt_time now);
void dt_audit_ocsf_device(dt_buf *out, dt_outcome const *o, dt_evidence_set const *evidence,
                          dt_audit_context const *ctx, dt_time now);
/* As activity Logoff; of a session that ends with the disposition Access Revoked. */
void dt_audit_ocsf_session(dt_buf *out, dt_outcome const *o, dt_audit_context const *ctx,
                           dt_audit_session_facts const *f, dt_time now);
void dt_audit_ocsf_reload(dt_buf *out, dt_audit_reload_facts const *f, dt_time now);

#endif
