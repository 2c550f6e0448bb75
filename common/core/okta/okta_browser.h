/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OAuth 2.0 Device Authorization Grant (RFC 8628) at the org: the person opens a page of the org in any browser,
 * enters a code and signs in there with whatever the org offers, FastPass and security keys among it. Meanwhile the
 * token endpoint is asked whether they have.
 *
 * Whoever enters the code signs in, so the ID token must name the person who signs on here (id_token.h). It must also
 * say that something was used that the person has, and that they authenticated during this sign-on: a session that the
 * browser had already does not count as MFA of now.
 *
 * Source: RFC 8628; Okta, "Configure device authorization grant flow", and the OpenAPI description of
 * /oauth2/v1/device/authorize. Pure and thread-safe. */
#ifndef DT_CORE_OKTA_BROWSER_H
#define DT_CORE_OKTA_BROWSER_H

#include "core/okta/okta.h"

#define DT_BROWSER_DEVICE_CODE_MAX 512 /* longest device_code, its NUL included */
#define DT_BROWSER_USER_CODE_MAX 24    /* the same of user_code */
#define DT_BROWSER_URL_MAX                                                                         \
    112 /* of verification_uri: it is shown beside the code in one Reply-Message */
#define DT_BROWSER_LINK_MAX 200                   /* of verification_uri_complete */
#define DT_BROWSER_INTERVAL_DEFAULT DT_SECONDS(5) /* RFC 8628 section 3.2 */
#define DT_BROWSER_INTERVAL_MAX DT_SECONDS(60)    /* a longer one is taken for this */
#define DT_BROWSER_SLOW_DOWN DT_SECONDS(5)        /* RFC 8628 section 3.5: added to the interval */
#define DT_BROWSER_LIFETIME_MAX DT_MINUTES(10)    /* of the codes; a longer one is taken for this */

/* What is shown to the person, and what the token endpoint is asked with. */
typedef struct dt_browser_begun {
    char device_code[DT_BROWSER_DEVICE_CODE_MAX]; /* secret: wipe it */
    char user_code[DT_BROWSER_USER_CODE_MAX];     /* letters, digits and dashes */
    char url[DT_BROWSER_URL_MAX];   /* https, of the org's own origin, without a query */
    char link[DT_BROWSER_LINK_MAX]; /* the same with the code in it; "" = none, or a long one */
    dt_time interval;               /* between polls, at least */
    dt_time lifetime;               /* of the codes */
} dt_browser_begun;

/* Requests. They carry the client id of [okta] native_client_id and none of our credentials. DT_E_INVALID without such
 * an app, or without a device_code; DT_E_LIMIT. On failure nothing is in *out. The body of a poll is secret: wipe it.
 * client_ip as in dt_okta_authn_start. */
DT_MUST_USE int dt_browser_begin(dt_config const *c, char const *client_ip, dt_http_request *out);
DT_MUST_USE int dt_browser_poll(dt_config const *c, char const *device_code, char const *client_ip,
                                dt_http_request *out);
/* True for a poll: which of the requests to the token endpoint it is, the budget has to know. */
bool dt_browser_is_poll(dt_http_request const *r);
/* The URL that polls go to. DT_E_LIMIT. */
DT_MUST_USE int dt_browser_put_token_url(dt_config const *c, char out[DT_URL_MAX]);
bool dt_browser_is_token_url(dt_config const *c, char const *url);

/* The reply to dt_browser_begin. UNAUTHORIZED where the org does not let the app do this. *out is all zero unless
 * OK. */
dt_okta_answer dt_browser_read_begin(dt_config const *c, dt_http_response const *r,
                                     dt_browser_begun *out, dt_error *e);

/* Who must have signed in, and since when. Borrowed. */
typedef struct dt_browser_person {
    char const *user_id; /* as the look-up found it */
    char const *login;
    dt_time since;           /* when this sign-on began */
    char const *device_code; /* that was sent, which must not get into a message */
} dt_browser_person;

/* The reply to a poll. SUCCESS only with HTTP 200 and an ID token of this person, who has authenticated since then by
 * something that they have. Each HTTP 200 ends the sign-on: OTHER_PERSON, TOO_WEAK, or UNUSABLE for what is not a good ID
 * token. WAITING for authorization_pending and slow_down; *slow_down: Okta wants DT_BROWSER_SLOW_DOWN more between
 * polls. access_denied is REJECTED, expired_token TIMEOUT. */
dt_okta_answer dt_browser_read_poll(dt_config const *c, dt_http_response const *r,
                                    dt_browser_person const *who, dt_time now,
                                    dt_okta_verification *out, bool *slow_down, dt_error *e);

#endif
