/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a rule did not hold: the condition that failed and the values that were compared, in words. One
 * place for `devtrustctl explain` and for the audit events of real sign-ons, so that both say the same.
 * Deciding (policy.c) knows nothing of it. */
#ifndef DT_CORE_POLICY_EXPLAIN_H
#define DT_CORE_POLICY_EXPLAIN_H

#include "core/policy/policy.h"

#define DT_EXPLAIN_COMPARED_MAX 320 /* bytes of one comparison, in words; longer is cut */
#define DT_EXPLAIN_RULES_MAX 6      /* rules passed over that an event names; the rest is counted */
#define DT_ORIGIN_MAX 128           /* names of all sources with a sign between */
#define DT_EXPLAIN_EVENT_MAX 3072   /* bytes of an event's explanation */

/* Where a value came from, and when it was learnt. Borrowed. */
typedef struct dt_origin {
    char const *from; /* "certificate+intune", "okta"; NULL: unknown */
    dt_time learnt;   /* 0: with the sign-on itself */
} dt_origin;

/* Of the values that rules are compared with. The zero value says nothing. */
typedef struct dt_policy_origins {
    dt_origin groups, address, device, platform, time;
    char const *address_text; /* the address itself; NULL: not shown */
    dt_time now;              /* what ages are counted to */
} dt_policy_origins;

typedef struct dt_rule_explanation {
    char const *name; /* borrowed from the policy */
    int priority;
    dt_condition failed; /* NONE: it holds */
    /* "requires a TRUSTED device; this one is NOT_TRUSTED (by intune, 2 min 5 s ago)". "" when it holds or
     * is inactive. Holds what came from outside as it came: escape it before it is shown. */
    char compared[DT_EXPLAIN_COMPARED_MAX];
} dt_rule_explanation;

/* Rule i in evaluation order. `from` may be NULL. Thread safe, allocates nothing. */
void dt_policy_explain(dt_policy const *p, size_t i, dt_policy_input const *in,
                       dt_policy_origins const *from, dt_rule_explanation *out);
/* Appends an age: "just now", "2 min 5 s ago". */
void dt_explain_put_age(dt_buf *out, dt_time learnt, dt_time now);
/* Index of the rule of a priority; the number of rules when there is none. */
size_t dt_policy_rule_of_priority(dt_policy const *p, int priority);
/* Appends a JSON array of how a decision came about: the rules passed over, first to last, each with its
 * condition and the values compared; {"more":N} for those beyond DT_EXPLAIN_RULES_MAX; and at the end,
 * always, the rule that decided, if one did. */
void dt_policy_explain_json(dt_policy const *p, dt_policy_input const *in,
                            dt_policy_origins const *from, dt_decision const *d, dt_buf *out);

#endif
