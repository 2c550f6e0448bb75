/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The solver behind the prover: hands it a formula, and asks whether a term can be true. prove_z3.c
 * implements it with Z3; prove_no_solver.c is for builds without (make Z3=no). */
#ifndef DT_CTL_PROVE_SOLVER_H
#define DT_CTL_PROVE_SOLVER_H

#include "devtrustctl/prove/prove_space.h"

#define DT_SOLVER_MEMORY_MAX 4096 /* megabytes that the solver may take */

typedef struct dt_solver dt_solver;

typedef enum dt_solved {
    DT_SOLVED_UNDECIDED = 0, /* time or memory ended */
    DT_SOLVED_NEVER,         /* no sign-on makes it true */
    DT_SOLVED_FOUND,         /* one does: dt_solver_values */
} dt_solved;

/* Receives terms when they are first asked about, so that a question about few rules stays small. The
 * space lives as long. DT_E_NOMEM; DT_E_UNAVAILABLE in a build without a solver. Free with dt_solver_free. */
DT_MUST_USE int dt_solver_new(dt_space const *s, dt_solver **out, dt_error *e);
void dt_solver_free(dt_solver **v);

/* Only sign-ons count from here on for which the term is true. */
void dt_solver_require(dt_solver *v, dt_term t);
/* Can all of these terms be true together? `milliseconds` bounds the time, 0: undecided at once. */
DT_MUST_USE dt_solved dt_solver_ask(dt_solver *v, dt_term const *terms, size_t count,
                                    int64_t milliseconds);
/* After DT_SOLVED_FOUND: sets the values of the facts that were asked about, and leaves the others. */
void dt_solver_values(dt_solver *v, uint32_t *values);
/* A person is in DT_GROUPS_MAX groups at most, for of more the evaluator knows nothing. Said only when a
 * sign-on was found that has more: it costs. */
void dt_solver_limit_groups(dt_solver *v);
/* Bytes that the solver has taken at most. */
uint64_t dt_solver_memory(void);
char const *dt_solver_version(void);

#endif
