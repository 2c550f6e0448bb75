/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collecting an org's policies, and everything they name, in one document (devtrustctl/policy/okta_import.h). */
#ifndef DT_CTL_OKTA_FETCH_H
#define DT_CTL_OKTA_FETCH_H

#include "devtrustctl/okta_client.h"

#include "devtrustctl/policy/okta_import.h"

/* What to fetch: an ACCESS_POLICY by id or exact name, or that of an app by its id or label, or the
 * OKTA_SIGN_ON policies; with none of them everything. */
typedef struct dt_fetch_choice {
    char const *policy, *app;
    bool org;
} dt_fetch_choice;

/* Appends the document's text. Of people and groups it holds id, type and name alone. `policy_id`
 * gets the id of the one policy that was chosen, "" when all were. */
DT_MUST_USE int dt_okta_fetch(dt_okta_client *c, dt_fetch_choice const *choice, dt_buf *document,
                              char policy_id[DT_OKTA_ID_MAX], dt_error *e);

#endif
