/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All faults of an administrator's files instead of the first: for commands that check, never for a login. Whoever
 * loads a file hands on a list (or NULL, and the first fault ends it), and asks dt_faults_keep after each thing that
 * can be wrong by itself. What has a fault is never used: whoever gathered some fails in the end. */
#ifndef DT_CORE_FAULTS_H
#define DT_CORE_FAULTS_H

#include "core/base/err.h"

#include <stddef.h>

#define DT_FAULTS_MAX 50 /* most that are kept; the others are counted */

typedef struct dt_faults {
    size_t count; /* of all, also of those that are not kept */
    dt_error kept[DT_FAULTS_MAX];
} dt_faults;

/* How many there are; 0 for NULL. */
size_t dt_faults_count(dt_faults const *f);
/* What becomes of `rc`, the result of a check that has set `e`: it is put on the list, `e` is emptied, and DT_OK is
 * returned, so that the next check runs. Returns rc as it is without a list, and when memory has given out. */
DT_MUST_USE int dt_faults_keep(dt_faults *f, dt_error *e, int rc);
/* The result of checks that ended with `rc`, where the list had `before` faults when they began: rc, or the code of the
 * first fault since. `e` stays empty then: what is on the list is not reported again. */
DT_MUST_USE int dt_faults_end(dt_faults const *f, size_t before, int rc);

#endif
