/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sign-on for people, and as JSON in the words of a table of cases. */
#ifndef DT_CTL_PROVE_SHOW_H
#define DT_CTL_PROVE_SHOW_H

#include "devtrustctl/prove/prove.h"

/* Lines: who, in which groups, from where, on what, when; what comes of it. `old` NULL, or the decision
 * of the policy before. */
void dt_prove_show(dt_prover const *v, dt_prove_decision const *d, dt_prove_decision const *old);
/* Members of a JSON object, with a comma before: "signOn", "access", "rule", "orgRule". */
void dt_prove_put_json(dt_prover const *v, dt_prove_decision const *d, dt_buf *out);

#endif
