/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a check found: one form for people, one as JSON, for every command that checks something. */
#ifndef DT_CTL_FINDING_H
#define DT_CTL_FINDING_H

#include "devtrustctl/ctl.h"

typedef enum dt_finding_status {
    DT_FINDING_OK = 0,
    DT_FINDING_WARNING,
    DT_FINDING_FAULT,
    DT_FINDING_UNSEEN, /* it could not be looked at */
} dt_finding_status;

/* Borrowed; what is NULL is left out. */
typedef struct dt_ctl_finding {
    dt_finding_status status;
    char const *check; /* a stable name for programs, such as "okta.clock" */
    char const
        *label; /* the first column for people, such as "policy"; NULL: the name of the check */
    char const *what; /* the fact; with "FILE:LINE" in front where a file is at fault */
    char const *why;  /* why it matters */
    char const *todo; /* what to do about it */
} dt_ctl_finding;

/* Where findings go, and how many there were. The zero value prints for people. */
typedef struct dt_findings {
    bool json;
    bool
        report; /* each in a paragraph: the fact, why it matters, what to do; all on standard output */
    bool colour; /* of a report */
    size_t good, warnings, faults, unseen;
} dt_findings;

/* Whether a report to standard output has colours: on a terminal, unless $NO_COLOR is set (no-color.org). */
bool dt_findings_want_colour(void);

/* Counts and prints one: as JSON an object a line on standard output; for people a line "warning ...", or a fault on
 * standard error, or the label and the fact; or a paragraph of a report. */
void dt_finding_report(dt_findings *f, dt_ctl_finding const *x);
/* As above, with this status, where x->what is a text "FACT; WHAT TO DO" as errors have it; x->todo counts where it
 * says nothing to do. */
void dt_finding_report_text(dt_findings *f, dt_finding_status status, dt_ctl_finding const *x);

#endif
