/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What devtrustctl explain asks and what came of it: the question is put together and run by
 * explain.c, the answer shown by explain_print.c. */
#ifndef DT_CTL_EXPLAIN_H
#define DT_CTL_EXPLAIN_H

#include "core/signon/signon.h"

#define DT_EXPLAIN_GROUPS_TEXT_MAX (64 * 1024)
#define DT_EXPLAIN_ASSUMED_MAX 5                   /* sentences about what nobody has proved */
#define DT_EXPLANATION_JSON_MAX (64 * 1024 * 1024) /* a policy may have many rules */

/* Where the person's groups were taken from. */
typedef enum dt_explain_groups {
    DT_EXPLAIN_GROUPS_UNKNOWN = 0,
    DT_EXPLAIN_GROUPS_GIVEN, /* --groups */
    DT_EXPLAIN_GROUPS_HOST,  /* this host's user database */
    DT_EXPLAIN_GROUPS_OKTA,  /* asked by the sign-on itself */
    DT_EXPLAIN_GROUPS_NOT_NEEDED,
} dt_explain_groups;

typedef struct dt_explanation {
    dt_config const *config;
    dt_policy const *policy;
    dt_policy const *org;  /* the org's own rules; NULL: there are none */
    dt_policy_input input; /* borrowed from the machine, like the next five */
    dt_policy_origins from;
    dt_origins_text from_text;
    dt_outcome const *outcome;
    dt_evidence_set const *evidence;
    dt_person_at_okta const *person; /* NULL: was not to be found out */
    char const *client_ip;           /* "" when none was given */
    dt_explain_groups groups;
    char const *assumed[DT_EXPLAIN_ASSUMED_MAX]; /* what was taken for proved */
    size_t assumed_count;
    char const *notes[DT_EXPLAIN_ASSUMED_MAX]; /* what would be otherwise at a real sign-on */
    size_t note_count;
    dt_time now;
} dt_explanation;

/* Lines for people. */
void dt_explanation_print(dt_explanation const *x);
/* One JSON object. */
void dt_explanation_print_json(dt_explanation const *x);
/* The factors that may be used: those of the rule that the site allows as well. */
unsigned dt_explanation_factors(dt_explanation const *x);
/* Whether the person could get in: allowed, or allowed after an MFA that can be done. */
bool dt_explanation_allows(dt_explanation const *x);

#endif
