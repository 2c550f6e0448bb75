/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration as it would be, tried before anything is written: laid out in a private folder, loaded as the
 * daemon loads it, and used to ask Okta and Microsoft. */
#ifndef DT_SETUP_STAGE_H
#define DT_SETUP_STAGE_H

#include "devtrustctl/setup/plan.h"
#include "devtrustctl/setup/tree.h"

#define DT_STAGE_CHECKS_MAX 64

/* What was tried and found. */
typedef struct dt_stage_check {
    char what[64];
    bool good;
    bool warning; /* it is to be known, and nothing stops for it */
    char text[512];
} dt_stage_check;

typedef struct dt_stage_report {
    dt_stage_check checks[DT_STAGE_CHECKS_MAX];
    size_t count;
} dt_stage_report;

/* Tries the edits. The report has every check, those that failed too; `online`: Okta, Microsoft. DT_E_* only when the
 * folder cannot be made. */
DT_MUST_USE int dt_stage_try(dt_tree const *t, dt_edits const *edits, dt_setup_input const *in,
                             bool online, dt_stage_report *report, dt_error *e);
/* Whether a check failed. */
bool dt_stage_failed(dt_stage_report const *r);

#endif
