/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What POST /api/v1/policies/simulate answers about one case: which rule holds. Strict: what is not of the
 * API's form is an error, and never agreement. Source: Okta management API, SimulatePolicyResponse; the schema
 * has an array of evaluations, the examples {"evaluation": [...]}, and both are read. */
#ifndef DT_CTL_SIMULATE_ANSWER_H
#define DT_CTL_SIMULATE_ANSWER_H

#include "core/base/json.h"

#define DT_SIMULATE_LIST_MAX 5000 /* members of any list of an answer */

typedef struct dt_simulate_answer {
    bool undefined;   /* Okta cannot say, for lack of input: neither yes nor no */
    char const *rule; /* id of the rule that holds, borrowed; NULL: none */
} dt_simulate_answer;

/* The answer about the ACCESS_POLICY of this id. DT_E_PARSE, with what is wrong. */
DT_MUST_USE int dt_simulate_answer_read(dt_json const *root, char const *policy,
                                        dt_simulate_answer *out, dt_error *e);

#endif
