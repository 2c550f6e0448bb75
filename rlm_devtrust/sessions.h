/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons that a TLS session of 802.1X goes on with when it is resumed: who signed on, kept in the store under
 * a secret that only the cached session holds (core/signon/session_record.h). */
#ifndef DT_RLM_SESSIONS_H
#define DT_RLM_SESSIONS_H

#include "rlm_devtrust/rlm_devtrust.h"

/* Who a sign-on inside a tunnel is about; its request is gone by the time the server lets the person in. */
typedef struct dt_rlm_person {
    char user[DT_USER_MAX];
    dt_group_knowledge group_knowledge;
    size_t group_count, groups_len;
    char groups[DT_SESSION_GROUPS_MAX]; /* NUL-terminated each */
} dt_rlm_person;

/* Notes it with the request that came from the network, in place of an earlier one. */
void dt_rlm_person_note(REQUEST *request, dt_rlm_inputs const *in);
/* NULL when none was noted. Borrowed from the request. */
dt_rlm_person const *dt_rlm_person_find(REQUEST *request);

/* Keeps the sign-on that let `request`, which came from the network, in, with its reply as the server has it
 * but for what the rule put there. Not kept is no fault: the person signs on anew next time. */
void dt_rlm_session_remember(rlm_devtrust_t const *inst, dt_site const *site, REQUEST *request,
                             dt_tls_peer const *peer, dt_rlm_person const *person,
                             dt_outcome const *o, char const *id);
/* The sign-on that the session goes on with: of this application, and not older than [mfa] session_for.
 * `plain` holds what r->reply borrows. */
DT_MUST_USE bool dt_rlm_session_recall(rlm_devtrust_t const *inst, dt_site const *site,
                                       dt_tls_peer const *peer, dt_buf *plain,
                                       dt_session_record *r);
/* It is not gone on with any more. */
void dt_rlm_session_forget(rlm_devtrust_t const *inst, dt_tls_peer const *peer);

#endif
