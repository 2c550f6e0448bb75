/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions of a NAS, from the Access-Accept and the accounting of it to the driver, which looks after them
 * (driver/sessions.h). */
#ifndef DT_RLM_OPEN_SESSIONS_H
#define DT_RLM_OPEN_SESSIONS_H

#include "rlm_devtrust/sessions.h"

/* `request`, which came from the network, is let in by this outcome, which is of the sign-on with this id. `in` was
 * read of the request; `person`: who is inside its tunnel, or NULL. */
void dt_rlm_open_session(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in,
                         dt_tls_peer const *peer, dt_rlm_person const *person, dt_outcome const *o,
                         char const *id);
/* What an Accounting-Request says. */
void dt_rlm_account_session(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in);
/* Whether open sessions are looked after. */
bool dt_rlm_sessions_are_open(dt_ruleset const *ruleset);

#endif
