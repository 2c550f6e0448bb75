/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A build without a solver (make Z3=no): nothing can be proved, and that is said. */
#include "devtrustctl/prove/prove_solver.h"

int dt_solver_new(dt_space const *s, dt_solver **out, dt_error *e)
{
    (void)s;
    *out = NULL;
    return dt_error_set(e, DT_E_UNAVAILABLE,
                        "this devtrustctl was built without a solver: build it with libz3-dev, and "
                        "without Z3=no");
}

void dt_solver_free(dt_solver **v)
{
    (void)v;
}

void dt_solver_require(dt_solver *v, dt_term t)
{
    (void)v;
    (void)t;
}

dt_solved dt_solver_ask(dt_solver *v, dt_term const *terms, size_t count, int64_t milliseconds)
{
    (void)v;
    (void)terms;
    (void)count;
    (void)milliseconds;
    return DT_SOLVED_UNDECIDED;
}

void dt_solver_values(dt_solver *v, uint32_t *values)
{
    (void)v;
    (void)values;
}

void dt_solver_limit_groups(dt_solver *v)
{
    (void)v;
}

uint64_t dt_solver_memory(void)
{
    return 0;
}

char const *dt_solver_version(void)
{
    return "none";
}
