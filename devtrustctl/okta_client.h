/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking Okta's management API one thing after another: an HTTPS client that blocks, for a command
 * that has nothing else to do. Waits where the rate limit is used up. */
#ifndef DT_CTL_OKTA_CLIENT_H
#define DT_CTL_OKTA_CLIENT_H

#include "core/okta/okta.h"
#include "edge/site.h"

#define DT_CLIENT_TRIES_MAX 6              /* of one request that Okta cannot answer now */
#define DT_CLIENT_WAIT_MAX DT_MINUTES(10)  /* of all waits together */
#define DT_CLIENT_REQUESTS_MAX 50000       /* of one command */
#define DT_CLIENT_PAGES_MAX 1000           /* of one list */
#define DT_CLIENT_RETRY_WAIT DT_SECONDS(2) /* after an answer of 5xx, or none */

typedef struct dt_okta_client dt_okta_client;

/* `site` must outlive the client and have a token. */
/* Policies, zones, and the names of groups, people and applications that they know by id. */
#define DT_OKTA_IMPORT_SCOPES                                                                      \
    "okta.policies.read okta.networkZones.read okta.groups.read okta.users.read okta.apps.read"

/* `scopes`: what a service app needs for it, with blanks between; an API token has its own rights. */
DT_MUST_USE int dt_okta_client_new(dt_site const *site, char const *scopes, dt_okta_client **out,
                                   dt_error *e);
void dt_okta_client_free(dt_okta_client **c);
/* It has an API token, or a token that Okta gave the app. */
bool dt_okta_client_has_token(dt_okta_client const *c);
dt_config const *dt_okta_client_config(dt_okta_client const *c);

/* GET of a path after the org's address, such as "/api/v1/zones?limit=20", or of a link of the
 * org's own. *root is the caller's to free; next_url, if not NULL, has room for DT_URL_MAX and gets
 * the next page ("" at the end). DT_E_NOT_FOUND when Okta knows no such thing, DT_E_PERMISSION,
 * DT_E_UNAVAILABLE, DT_E_LIMIT. */
DT_MUST_USE int dt_okta_client_get(dt_okta_client *c, char const *path, dt_json **root,
                                   char *next_url, dt_error *e);

/* POST of a JSON body (at most DT_HTTP_BODY_MAX bytes) that changes nothing, and so may be sent again. Waits
 * before it where the answer before said that the limit is used up. The same errors. */
DT_MUST_USE int dt_okta_client_post(dt_okta_client *c, char const *path, dt_bytes body,
                                    dt_json **root, dt_error *e);

/* One element of a list: 0 goes on; anything else ends the walk and is returned. */
typedef int dt_okta_element_fn(void *ctx, dt_json const *element, dt_error *e);
/* Walks a list through all its pages. */
DT_MUST_USE int dt_okta_client_each(dt_okta_client *c, char const *path, dt_okta_element_fn *fn,
                                    void *ctx, dt_error *e);

#endif
