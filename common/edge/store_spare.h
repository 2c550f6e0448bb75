/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of limits in memory, for as long as the store does not take them: a full disk, a damaged file,
 * a lock that does not end. Each process has its own, so that between processes a limit may be reached
 * once in each of them; it never vanishes. A live row is never dropped for another: when there is no
 * room, the operation fails, and what the limit guards is refused. */
#ifndef DT_EDGE_STORE_SPARE_H
#define DT_EDGE_STORE_SPARE_H

#include "core/base/step.h"

#define DT_SPARE_ROWS_MAX 8192 /* held by one process */
#define DT_SPARE_STRANGERS_MAX                                                                     \
    (DT_SPARE_ROWS_MAX / 2)     /* of them, of people that are not known to exist */
#define DT_SPARE_VALUE_MAX 4096 /* longest value of a row */

typedef struct dt_spare dt_spare;

/* DT_E_NOMEM, DT_E_IO (no randomness). */
DT_MUST_USE int dt_spare_new(dt_spare **out);
void dt_spare_free(dt_spare **s);

/* All below: thread safe. */
/* Performs an operation on the rows here; `already` is what a counter is at elsewhere, and counts as
 * well. The answer's bytes are put into `scratch`. ERROR when there is no room, and for a verb that no
 * limit needs (TAKE). */
void dt_spare_do(dt_spare *s, dt_store_op const *op, int64_t already, dt_time now, dt_buf *scratch,
                 dt_store_result *out);
/* True, with the number of a counter, when an unexpired row of this key is here. */
bool dt_spare_has(dt_spare *s, dt_store_table table, char const *key, dt_time now, int64_t *count);
/* True when there is nothing here: costs no lock. */
bool dt_spare_is_empty(dt_spare const *s);
/* Drops rows past their time. */
void dt_spare_expire(dt_spare *s, dt_time now);

/* One counter that is here, for moving it into the store; false when there is none. */
bool dt_spare_first_count(dt_spare *s, dt_time now, dt_store_op *key, int64_t *count);
/* So many of it are in the store now. */
void dt_spare_moved(dt_spare *s, dt_store_op const *key, int64_t count);

#endif
