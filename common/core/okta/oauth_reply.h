/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies of the org's OAuth endpoints (/oauth2/v1/...) to a native app, which has no credentials but its client id.
 *
 * They say what is wrong as {"error", "error_description"} (RFC 6749 section 5.2), or in the form of all other replies
 * of Okta: both are read. Pure and thread-safe. okta_reply.c defines the functions. */
#ifndef DT_CORE_OAUTH_REPLY_H
#define DT_CORE_OAUTH_REPLY_H

#include "core/okta/okta.h"

#define DT_OAUTH_ERROR_MAX 40 /* longest word of an error, its NUL included */

typedef struct dt_oauth_reply {
    dt_json *root;                  /* NULL unless OK: the whole reply. It may hold tokens */
    char error[DT_OAUTH_ERROR_MAX]; /* "" where the reply has none of the right form */
} dt_oauth_reply;

/* Opens a reply. OK: it is for the caller to judge, by its status and `error`; with a status of 400 or more `e` says
 * what Okta said. RATE_LIMITED for every 429, which may have the error invalid_grant. UNAUTHORIZED where the org does
 * not know the app, or the app may not do this: the administrator must act.
 *
 * Okta's description is not repeated in `e` where it contains one of `secrets`, a list that ends with NULL: Okta
 * quotes what it was sent. The caller closes the reply, whatever the answer is. */
dt_okta_answer dt_oauth_reply_open(dt_oauth_reply *p, dt_http_response const *r,
                                   char const *const *secrets, dt_error *e);
/* Wipes what was read. */
void dt_oauth_reply_close(dt_oauth_reply *p);
/* The reply is a refusal with this status and this error. */
bool dt_oauth_reply_is(dt_oauth_reply const *p, dt_http_response const *r, int status,
                       char const *error);

#endif
