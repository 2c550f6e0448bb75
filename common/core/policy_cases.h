/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of cases that an administrator keeps beside a policy: who, from where, on which device, and
 * what must come of it. conf/policies/cases.schema.json is the published JSON Schema. */
#ifndef DT_CORE_POLICY_CASES_H
#define DT_CORE_POLICY_CASES_H

#include "core/json.h"
#include "core/policy.h"

#define DT_CASES_TEXT_MAX (8 * 1024 * 1024)
#define DT_CASES_MAX 10000
#define DT_CASE_WRONG_MAX 4 /* members that a case can expect */
#define DT_CASE_TEXT_MAX 512

/* What a table says of itself: paths as they are written, relative to the table. Borrowed. */
typedef struct dt_cases_head {
    char const *policy;
    char const *zones; /* NULL: none */
    size_t count;
} dt_cases_head;

/* A member that was expected to be another. */
typedef struct dt_case_wrong {
    char const *member; /* "access", "rule", "frequency", "factors" */
    char expected[DT_CASE_TEXT_MAX], got[DT_CASE_TEXT_MAX];
} dt_case_wrong;

/* One case that was run, borrowed for the call. Names come from the table: escape them. */
typedef struct dt_case_result {
    size_t index;
    char const *name;
    dt_policy_input const *in;
    dt_decision const *decision;
    dt_case_wrong wrong[DT_CASE_WRONG_MAX];
    size_t wrong_count; /* 0: as expected */
} dt_case_result;

typedef void dt_case_fn(void *ctx, dt_case_result const *result);

/* Reads all of the table but the cases. `file` is for messages. DT_E_INVALID. */
DT_MUST_USE int dt_cases_head_read(dt_json const *root, char const *file, dt_cases_head *out,
                                   dt_error *e);
/* Runs every case through dt_policy_decide, in order. DT_E_INVALID with file and pointer for a case
 * that is not of its form; DT_E_NOMEM. *failed is how many did not come out as expected. Thread safe. */
DT_MUST_USE int dt_cases_run(dt_json const *root, char const *file, dt_policy const *policy,
                             dt_case_fn *fn, void *ctx, size_t *failed, dt_error *e);

#endif
