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
/* Begins the POST of a form of a native app to this path of the org, which none of our credentials goes along with.
 * client_ip as in dt_okta_authn_start. DT_E_LIMIT. */
DT_MUST_USE int dt_okta_begin_form(dt_config const *c, char const *path, char const *client_ip,
                                   dt_http_request *out);

#endif
