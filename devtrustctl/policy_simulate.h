/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The org as an oracle: what its own simulation says of sign-ons at the edges of the rules, against what an
 * import of them decides. */
#ifndef DT_CTL_POLICY_SIMULATE_H
#define DT_CTL_POLICY_SIMULATE_H

#include "devtrustctl/policy_import.h"

#define DT_SIMULATE_MOST_DEFAULT 200

/* Asks about at most `most` cases. `r` has been converted, from the org. Prints the differences and a summary.
 * DT_CTL_YES without a difference, DT_CTL_NO with one, DT_CTL_OPEN when not everything could be compared. */
dt_ctl_exit dt_policy_simulate(dt_import_run *r, size_t most, dt_error *e);
/* "200"; NULL: the default. DT_E_INVALID. */
DT_MUST_USE int dt_policy_simulate_most(char const *text, size_t *out, dt_error *e);

#endif
