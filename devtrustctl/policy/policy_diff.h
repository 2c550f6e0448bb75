/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between two policies, rule by rule, by what they mean and not by how they are written:
 * order of members and of lists, spelling of names, words and durations that say the same, members
 * that say nothing, numbers of priorities and INACTIVE rules do not count. */
#ifndef DT_CORE_POLICY_DIFF_H
#define DT_CORE_POLICY_DIFF_H

#include "core/base/json.h"

#define DT_DIFF_PATH_MAX 256
#define DT_DIFF_VALUE_MAX 1024  /* of a value that is shown; longer ones are cut, compared whole */
#define DT_DIFF_LEAVES_MAX 4096 /* members of one rule */

typedef enum dt_diff_kind {
    DT_DIFF_ADDED = 0, /* only theirs has it */
    DT_DIFF_REMOVED,   /* only ours has it */
    DT_DIFF_CHANGED,   /* both have it, and it says something else */
    DT_DIFF_ORDER,     /* rules that both have stand in another order */
} dt_diff_kind;
/* "added", "removed", "changed", "order". */
char const *dt_diff_kind_name(dt_diff_kind k);

/* One difference, borrowed for the call. `rule` is the rule's or the zone's name. `member` is a path
 * within it, such as "conditions/people/groups/include"; "" for the whole. `ours` and `theirs` are
 * texts to show (JSON, "" where there is none): escape them. */
typedef struct dt_diff_note {
    dt_diff_kind kind;
    bool zone; /* of a zone, not of a rule */
    char const *rule, *member, *ours, *theirs;
} dt_diff_note;

typedef void dt_diff_fn(void *ctx, dt_diff_note const *note);

/* Both are trees that dt_policy_parse has taken. *count is how many differences there are. DT_E_NOMEM,
 * DT_E_LIMIT. Thread safe. */
DT_MUST_USE int dt_policy_diff(dt_json const *ours, dt_json const *theirs, dt_diff_fn *tell,
                               void *ctx, size_t *count, dt_error *e);
/* Like dt_policy_diff, for zones files that dt_zones_parse has taken: each zone of theirs against ours. Of
 * zones that only ours has those that block are reported, because they keep people out; others may
 * serve other policies. Adds to *count. */
DT_MUST_USE int dt_zones_diff(dt_json const *ours, dt_json const *theirs, dt_diff_fn *tell,
                              void *ctx, size_t *count, dt_error *e);

#endif
