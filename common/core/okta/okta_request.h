/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the requests of several files of this room are made with. okta.c defines the functions. Pure and thread-safe. */
#ifndef DT_CORE_OKTA_REQUEST_H
#define DT_CORE_OKTA_REQUEST_H

#include "core/okta/okta.h"

/* A login that can stand in a path and means one person; a password that Okta could have. NULL is neither. */
bool dt_okta_is_login(char const *login);
bool dt_okta_is_password(char const *password);
/* org_url with this path behind it. DT_E_LIMIT, and "" in `out`. */
DT_MUST_USE int dt_okta_put_url(dt_config const *c, char const *path, char out[DT_URL_MAX]);
/* Begins the POST of a form of the native app to this path of the org, which none of our credentials goes along with;
 * its first field is the app's client_id. client_ip as in dt_okta_authn_start. `body` writes into out->body: add the
 * other fields, and end it with dt_okta_end_body. DT_E_LIMIT; DT_E_INVALID without [okta] native_client_id. */
DT_MUST_USE int dt_okta_begin_form(dt_config const *c, char const *path, char const *client_ip,
                                   dt_http_request *out, dt_buf *body);
/* Ends a request whose body was written to `body`, and gives `rc` back. Whatever is wrong with it, nothing is left: it
 * may hold a secret. */
DT_MUST_USE int dt_okta_end_body(int rc, dt_buf const *body, dt_http_request *out);

#endif
