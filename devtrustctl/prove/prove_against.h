/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A policy against the one before: who gets more, and who gets less. */
#ifndef DT_CTL_PROVE_AGAINST_H
#define DT_CTL_PROVE_AGAINST_H

#include "devtrustctl/prove/prove.h"

#define DT_AGAINST_PAIRS_MAX 100000 /* of effects that are compared */

/* Why one decision gives more than another. */
typedef enum dt_more {
    DT_MORE_NOTHING = 0,
    DT_MORE_ACCESS,  /* let in, or without MFA */
    DT_MORE_SELDOM,  /* MFA is asked for less often */
    DT_MORE_FACTORS, /* a factor that would not have done before */
    DT_MORE_REPLY,   /* other reply attributes: nobody can say that they give no more */
} dt_more;
char const *dt_more_text(dt_more m);

/* `of` and `than` are decisions of the two sides, `org` combined. */
dt_more dt_decision_more(dt_prove_side const *side, dt_decision const *of,
                         dt_prove_side const *other, dt_decision const *than);
/* The term "side `more` gives more than the other one". DT_E_LIMIT when there are too many different
 * effects to compare; DT_E_NOMEM. */
DT_MUST_USE int dt_prove_more(dt_prover *v, size_t more, dt_term *out, dt_error *e);

#endif
