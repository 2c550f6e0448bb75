/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of cases that an administrator keeps beside a policy: who, from where, on which device, and
 * what must come of it. conf/policies/cases.schema.json is the published JSON Schema. */
#ifndef DT_CORE_POLICY_CASES_H
#define DT_CORE_POLICY_CASES_H

#include "core/base/json.h"
#include "core/policy/policy.h"

#define DT_CASES_TEXT_MAX (8 * 1024 * 1024)
#define DT_CASES_MAX 10000
#define DT_CASE_WRONG_MAX 8 /* members that a case can expect, and those that it must give */
#define DT_CASE_TEXT_MAX 512

/* What a table says of itself: paths as they are written, relative to the table. Borrowed. */
typedef struct dt_cases_head {
    char const *policy;
    char const *zones;      /* NULL: none */
    char const *org;        /* the org's own sign-on rules; NULL: none */
    char const *properties; /* to be proved as well; NULL: none */
    size_t count;
} dt_cases_head;

/* What the cases are held against. Borrowed. */
typedef struct dt_cases_rules {
    dt_policy const *policy;
    dt_policy const *org;  /* NULL: the org has no rules of its own */
    bool application_only; /* of every case; orgRule is then not compared */
} dt_cases_rules;

/* A member that was expected to be another. */
typedef struct dt_case_wrong {
    /* "access", "rule", "orgRule", "frequency", "factors"; or "time", "reason", "country": the case
     * does not give it, and a rule that was reached asks for it */
    char const *member;
    char expected[DT_CASE_TEXT_MAX], got[DT_CASE_TEXT_MAX];
} dt_case_wrong;

/* One case that was run, borrowed for the call. Names come from the table: escape them. */
typedef struct dt_case_result {
    size_t index;
    char const *name;
    dt_policy_input const *in;
    dt_decision const *decision; /* of both, as a sign-on would get it */
    dt_decision const *own;      /* the application's policy alone */
    dt_decision const *org;      /* the org's rules alone; NULL: they were not asked */
    dt_case_wrong wrong[DT_CASE_WRONG_MAX];
    size_t wrong_count; /* 0: as expected */
} dt_case_result;

typedef void dt_case_fn(void *ctx, dt_case_result const *result);

/* Reads all of the table but the cases. `file` is for messages. DT_E_INVALID. */
DT_MUST_USE int dt_cases_head_read(dt_json const *root, char const *file, dt_cases_head *out,
                                   dt_error *e);
/* Runs every case in order: through the org's rules, but where it says applicationOnly, and the
 * application's policy. A case that does not give what a rule that was reached asks for (the time, the
 * device's reason, the address's place) fails, whatever it expects: it would pass by what is not known.
 * DT_E_INVALID with file and pointer for a case that is not of its form; DT_E_NOMEM. *failed is how
 * many did not come out as expected. Thread safe. */
DT_MUST_USE int dt_cases_run(dt_json const *root, char const *file, dt_cases_rules const *rules,
                             dt_case_fn *fn, void *ctx, size_t *failed, dt_error *e);

#endif
