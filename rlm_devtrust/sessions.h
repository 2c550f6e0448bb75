/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons that a session goes on with when it authenticates again: who signed on, kept in the store under a
 * secret of the session (core/signon/session_record.h). A TLS session of 802.1X has one that only the server's
 * cache holds; a session of a NAS, such as a VPN gateway's, goes by its Acct-Session-Id. */
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
void dt_rlm_session_remember(rlm_devtrust_t const *inst, dt_ruleset const *ruleset,
                             REQUEST *request, dt_tls_peer const *peer, dt_rlm_person const *person,
                             dt_outcome const *o, char const *id);
/* The sign-on that the session goes on with: of this application, and not older than [mfa] session_lifetime.
 * `plain` holds what r->reply borrows. */
DT_MUST_USE bool dt_rlm_session_recall(rlm_devtrust_t const *inst, dt_ruleset const *ruleset,
                                       dt_tls_peer const *peer, dt_buf *plain,
                                       dt_session_record *r);
/* It is not gone on with any more. */
void dt_rlm_session_forget(rlm_devtrust_t const *inst, dt_tls_peer const *peer);

/* Like dt_rlm_session_remember, for the session that the NAS of `in` names; nothing where it names none. It is
 * kept only where it was an MFA in this very sign-on. `user` is as the door knows the person. */
void dt_rlm_nas_session_remember(rlm_devtrust_t const *inst, REQUEST *request,
                                 dt_rlm_inputs const *in, char const *user, dt_outcome const *o,
                                 char const *id);
/* What the session goes on with: of this application, the same person at the same station, and not older than
 * [mfa] session_lifetime. */
DT_MUST_USE bool dt_rlm_nas_session_recall(rlm_devtrust_t const *inst, dt_rlm_inputs const *in,
                                           dt_session_record *r);
/* The NAS has said that it is over. */
void dt_rlm_nas_session_forget(rlm_devtrust_t const *inst, dt_rlm_inputs const *in);

#endif
