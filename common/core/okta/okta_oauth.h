/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Access tokens of a service app at Okta: client credentials by private_key_jwt, bound to a key of ours
 * (DPoP, RFC 9449) where that is configured. Source: Okta, "Implement OAuth for Okta with a service app"
 * and "Configure OAuth 2.0 Demonstrating Proof-of-Possession". */
#ifndef DT_CORE_OKTA_OAUTH_H
#define DT_CORE_OKTA_OAUTH_H

#include "core/base/step.h"
#include "core/config/config.h"

#define DT_OKTA_ASSERTION_LIFETIME DT_MINUTES(5) /* Okta takes an hour at most */
#define DT_OKTA_SCOPES_MAX 512                   /* with their blanks and the NUL */
#define DT_OKTA_NONCE_MAX 256                    /* of a DPoP-Nonce header, its NUL included */
#define DT_JTI_LEN 16 /* random bytes that make a proof unlike any other */

/* True when the configuration names a service app; the API token is then for the Authn API alone. */
bool dt_okta_has_app(dt_config const *c);
/* True for requests that Okta takes no access token for: those of the Authn API. */
bool dt_okta_is_authn(dt_config const *c, char const *url);
/* The fewest scopes that sign-ons of this configuration need. `group_names`: Okta is asked about groups by name. Of a
 * site: dt_site_okta_scopes. */
void dt_okta_scopes(dt_config const *c, bool group_names, char out[DT_OKTA_SCOPES_MAX]);

/* The claims of the client assertion. They have no iat, which must not be in the future of Okta's clock.
 * DT_E_INVALID without an app. */
DT_MUST_USE int dt_okta_assertion_claims(dt_config const *c, uint8_t const jti[DT_JTI_LEN],
                                         dt_time now, dt_buf *out);
/* The request for a token. The assertion in it is secret for as long as it lives. DT_E_INVALID, DT_E_LIMIT. */
DT_MUST_USE int dt_okta_token_request(dt_config const *c, char const *scopes, char const *assertion,
                                      dt_http_request *out);

/* What a DPoP proof is about. */
typedef struct dt_okta_proof {
    dt_http_method method;
    char const *url;   /* its query and fragment are left out (RFC 9449 section 4.2) */
    dt_bytes token;    /* empty for a token request; borrowed, as all here */
    char const *nonce; /* the server's; "" = none */
    uint8_t jti[DT_JTI_LEN];
} dt_okta_proof;
/* Its claims. DT_E_CRYPTO when the token cannot be hashed. */
DT_MUST_USE int dt_okta_proof_claims(dt_okta_proof const *p, dt_time now, dt_buf *out);

typedef enum dt_okta_grant {
    DT_OKTA_GRANT_FAILED = 0,
    DT_OKTA_GRANT_OK,
    DT_OKTA_GRANT_NONCE,  /* once more, with the nonce that came */
    DT_OKTA_GRANT_CLIENT, /* who asks was not believed: another key, or Okta's clock, may help */
} dt_okta_grant;
/* Reads what came of a token request. On failure `e` says what an administrator can do. *token is the
 * caller's to free. */
dt_okta_grant dt_okta_read_grant(dt_config const *c, dt_http_response const *r, char const *scopes,
                                 dt_time now, dt_secret **token, dt_time *renew_at,
                                 dt_time *expires, dt_error *e);
/* True when a service answered that it wants its nonce in the proof, which is in r->dpop_nonce: nothing
 * was done, and the request may be sent again. */
bool dt_okta_wants_nonce(dt_http_response const *r);

#endif
