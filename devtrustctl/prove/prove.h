/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The prover: asks whether any sign-on makes a term true, and holds each that it finds against the
 * evaluator. */
#ifndef DT_CTL_PROVE_H
#define DT_CTL_PROVE_H

#include "devtrustctl/prove/prove_request.h"
#include "devtrustctl/prove/prove_solver.h"
#include "devtrustctl/prove/prove_translate.h"

#include "devtrustctl/policy/policy_properties.h"

#define DT_PROVE_ROUNDS_MAX 10000 /* sign-ons that turned out to be impossible, of one question */

/* A policy and the org's own rules before it. */
typedef struct dt_prove_side {
    dt_policy const *app, *org; /* org NULL: there are none */
    dt_policy_terms app_terms, org_terms;
    dt_access_terms access;
} dt_prove_side;

/* What the evaluator says of a sign-on. */
typedef struct dt_prove_decision {
    dt_decision both, own, org; /* both as a sign-on gets it */
} dt_prove_decision;

typedef struct dt_prover {
    dt_space *s;
    dt_solver *solver;
    dt_prove_side sides[2]; /* the policy, and with `has_old` the one before */
    bool has_old;
    dt_term *lemmas; /* that the solver has */
    size_t lemma_count, lemma_cap;
    dt_prove_request *request; /* the sign-on that was found last */
    uint32_t *values;          /* its values */
    uint8_t *truth;            /* what the terms are for it */
    size_t truth_cap;
    bool as_it_is;        /* sign-ons need not be simple: nobody sees them */
    int64_t (*now)(void); /* milliseconds of a clock that only goes forward */
    int64_t deadline;
} dt_prover;

typedef enum dt_proof {
    DT_PROOF_UNDECIDED = 0, /* the time, or another limit, has ended it */
    DT_PROOF_NEVER,         /* proved: no sign-on does it */
    DT_PROOF_FOUND,         /* request, values and truth are of one that does */
    DT_PROOF_DISAGREES,     /* the evaluator decides about it otherwise: a fault of devtrust */
} dt_proof;

/* Translates the policies and starts the solver. `conditions` (NULL: none) are the properties' and are
 * part of the space. All live as long. DT_E_NOMEM, DT_E_LIMIT. Free with dt_prover_free, also after a
 * failure. */
DT_MUST_USE int dt_prover_begin(dt_prover *v, dt_policy const *const *conditions, size_t count,
                                dt_error *e);
void dt_prover_free(dt_prover *v);
/* Can the term be true of a sign-on? */
DT_MUST_USE dt_proof dt_prover_find(dt_prover *v, dt_term goal);
/* Only sign-ons count from here on for which the term is true. DT_E_NOMEM. */
DT_MUST_USE int dt_prover_require(dt_prover *v, dt_term t);

/* --- parts of dt_prover_find, for whoever asks a solver of their own ------------------------------- */

/* A solver that knows all that the prover requires. */
DT_MUST_USE int dt_prover_solver(dt_prover *v, dt_solver **out, dt_error *e);
/* Takes what the solver has found: values and truth. False when it has to be asked again. */
DT_MUST_USE bool dt_prover_look(dt_prover *v, dt_solver *solver);
/* Makes the sign-on of the values. When it is impossible, both solvers have learnt why. */
DT_MUST_USE dt_request_made dt_prover_make(dt_prover *v, dt_solver *solver);
/* Holds the sign-on that was made against the evaluator: FOUND or DISAGREES. */
DT_MUST_USE dt_proof dt_prover_compare(dt_prover *v, dt_term goal);
int64_t dt_prover_time_left(dt_prover const *v);

/* What the evaluator decides. */
void dt_prove_decide(dt_prove_side const *side, dt_prove_request const *r, dt_prove_decision *out);
/* Whether it decides as the terms say. */
bool dt_prove_agrees(dt_prove_side const *side, uint8_t const *truth, dt_prove_decision const *d);

/* Of a request's space: everything that rules look at is known. */
dt_term dt_prove_known(dt_space *s);
/* Somebody breaks property i. */
dt_term dt_prove_broken(dt_prover *v, dt_properties const *p, size_t i);

#endif
