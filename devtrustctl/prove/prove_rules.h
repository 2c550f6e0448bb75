/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy's rules do to each other: which can never decide, and because of which; and without
 * which nothing would be otherwise. */
#ifndef DT_CTL_PROVE_RULES_H
#define DT_CTL_PROVE_RULES_H

#include "devtrustctl/prove/prove.h"

#define DT_HIDING_MAX 16 /* rules that are named as hiding one */

typedef enum dt_rule_finding {
    DT_RULE_UNDECIDED = 0, /* the time has ended it */
    DT_RULE_MATTERS,       /* some sign-on gets something else because of it */
    DT_RULE_NEVER_HOLDS, /* its conditions exclude each other, or what is asked before all rules */
    DT_RULE_HIDDEN,      /* rules before it decide all that it could */
    DT_RULE_REDUNDANT,   /* it decides, as the rules after it would */
    DT_RULE_INACTIVE,
} dt_rule_finding;

typedef struct dt_rule_report {
    dt_rule_finding *of; /* by index in evaluation order */
    /* Of HIDDEN ones: which rules hide it together, each of them needed; 0 when it never holds anyhow. */
    size_t (*hiding)[DT_HIDING_MAX];
    size_t *hiding_count;
    size_t count;
    bool disagrees; /* the evaluator decided otherwise than the terms: a fault of devtrust */
} dt_rule_report;

/* Looks at the rules of the newer application's policy, or of the org's. DT_E_NOMEM. Free with
 * dt_rule_report_free. */
DT_MUST_USE int dt_prove_rules(dt_prover *v, bool org, dt_rule_report *out, dt_error *e);
void dt_rule_report_free(dt_rule_report *r);
/* Whether two decisions give the same: access, MFA and how often, factors, reply. */
bool dt_decision_same(dt_policy const *p, dt_decision const *a, dt_policy const *q,
                      dt_decision const *b);

#endif
