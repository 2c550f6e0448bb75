/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of the audit file: what it says, whether it is searched for, how it is shown. */
#ifndef DT_CTL_AUDIT_EVENT_H
#define DT_CTL_AUDIT_EVENT_H

#include "core/base/json.h"
#include "core/signon/outcome.h"

#define DT_AUDIT_LINE_MAX (2 * DT_AUDIT_EVENT_MAX) /* longest line that is read */

/* What is searched for; a NULL text matches everything. */
typedef struct dt_audit_filter {
    char const *query;       /* anywhere in the event, ASCII case folded */
    char const *user;        /* the actor's name or login, or the login's part before the "@" */
    char const *application; /* or the service, which may be a variant of it, as sudo-i */
    char const *result;      /* of the outcome: SUCCESS, FAILURE, ALLOW, DENY */
    dt_time since;           /* 0 = whenever */
    dt_time until;           /* and before it; 0 = whenever */
    bool report_only;        /* only those that were not enforced */
    char const *id;          /* of the sign-on; NULL = any */
    char const *code;        /* of the refusal, as dt_refusal_code_read writes it; NULL = any */
} dt_audit_filter;

/* An event, borrowed from its tree; a text that is not there is "". */
typedef struct dt_audit_event {
    dt_bytes line; /* as it was read */
    dt_json *tree; /* owned: dt_audit_event_free */
    dt_json const *
        root; /* the event in the form of outcome.h: all of the tree, or what OCSF has no attributes for */
    char const *published, *message, *user, *login, *application, *service, *device, *result,
        *reason, *rule;
    char const *id;     /* of the sign-on */
    char const *code;   /* that the refused person was shown; older events have none */
    char const *detail; /* what failed, in words */
    char const *would;  /* of an event that was not enforced: DENY, MFA, ALLOW */
    bool report_only;
    dt_time at;
} dt_audit_event;

/* DT_E_PARSE with what is wrong, when it is not a JSON object with displayMessage, outcome and a time
 * in published. `line` must live as long as the event. */
DT_MUST_USE int dt_audit_event_read(dt_bytes line, dt_audit_event *out, dt_error *e);
void dt_audit_event_free(dt_audit_event *v);
bool dt_audit_event_matches(dt_audit_event const *v, dt_audit_filter const *f);
/* One line for people: time, message, who, where, on what, outcome, rule, the keys that were presented, what
 * failed, the code. Texts are quoted as JSON
 * strings, so that no name passes for another field. */
void dt_audit_event_print(dt_audit_event const *v, dt_buf *out);
/* How the decision came about: one line per rule, "  rule ...". Nothing for an event without. */
void dt_audit_event_print_explanation(dt_audit_event const *v, dt_buf *out);
/* The line itself, still the same JSON, with everything that must not be shown as \uNNNN. */
void dt_audit_event_print_json(dt_audit_event const *v, dt_buf *out);

#endif
