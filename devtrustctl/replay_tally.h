/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a replay found, summed up: by what would change, by person, with some sign-ons as examples. Bounded,
 * whatever is in the log. */
#ifndef DT_CTL_REPLAY_TALLY_H
#define DT_CTL_REPLAY_TALLY_H

#include "devtrustctl/replay_event.h"

#define DT_TALLY_ROWS_MAX 1000     /* different changes, and reasons for not deciding */
#define DT_TALLY_PEOPLE_MAX 100000 /* people of all rows together */
#define DT_TALLY_EXAMPLES_MAX 1000 /* of one row */
#define DT_TALLY_EXAMPLES_DEFAULT 3
#define DT_TALLY_PEOPLE_SHOWN_MAX 20 /* of one row, those with the most sign-ons */

typedef struct dt_tally dt_tally;

/* `examples`: kept of each row. NULL: out of memory. Free with dt_tally_free. */
dt_tally *dt_tally_new(size_t examples);
void dt_tally_free(dt_tally **t);

/* A sign-on that would get something else. DT_E_NOMEM. */
DT_MUST_USE int dt_tally_change(dt_tally *t, dt_audit_event const *event,
                                dt_replay_decision const *before, dt_replay_decision const *after,
                                char const *difference);
/* A sign-on that cannot be decided again. DT_E_NOMEM. */
DT_MUST_USE int dt_tally_lacking(dt_tally *t, dt_audit_event const *event, char const *why);
size_t dt_tally_changed(dt_tally const *t);
size_t dt_tally_lacked(dt_tally const *t);
/* Prints all rows, the most frequent first: for people, or appends JSON members "changes" and
 * "notDecided" (lists) with a comma before each. */
void dt_tally_print(dt_tally *t);
void dt_tally_print_json(dt_tally *t, dt_buf *out);

#endif
