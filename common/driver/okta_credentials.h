/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this site asks Okta for tokens with: the keys of a service app, and the key that its tokens are
 * bound to. Used by one thread. */
#ifndef DT_DRIVER_OKTA_CREDENTIALS_H
#define DT_DRIVER_OKTA_CREDENTIALS_H

#include "core/okta/okta_oauth.h"
#include "edge/http_way.h"

typedef struct dt_okta_credentials dt_okta_credentials;

#define DT_OKTA_ROUNDS_MAX                                                                         \
    5 /* token requests for one token: nonce, clock, other key, nonce again */

/* Reads the keys that [okta] names. *out is the caller's to free; NULL, with DT_OK, where there is no
 * app. The error names file, line and key. */
DT_MUST_USE int dt_okta_credentials_load(dt_config const *c, dt_okta_credentials **out,
                                         dt_error *e);
void dt_okta_credentials_free(dt_okta_credentials **k);

/* The request for a token, and the proof that goes with it ("": none). Both are secret: wipe them. */
DT_MUST_USE int dt_okta_credentials_request(dt_okta_credentials *k, dt_config const *c,
                                            char const *scopes, dt_http_request *out,
                                            char proof[DT_PROOF_MAX], dt_error *e);

typedef enum dt_okta_token_end {
    DT_OKTA_TOKEN_FAILED = 0,
    DT_OKTA_TOKEN_GOT,
    DT_OKTA_TOKEN_AGAIN, /* ask once more: at most DT_OKTA_ROUNDS_MAX times until one of the others */
} dt_okta_token_end;
/* Takes the reply. GOT: *authorization is the Authorization header, the caller's to free. */
dt_okta_token_end dt_okta_credentials_take(dt_okta_credentials *k, dt_config const *c,
                                           char const *scopes, dt_http_response const *r,
                                           dt_secret **authorization, dt_time *renew_at,
                                           dt_time *expires, dt_error *e);
/* The proof for a request with this Authorization header; "" where tokens are not bound. */
DT_MUST_USE int dt_okta_credentials_proof(dt_okta_credentials *k, dt_http_request const *r,
                                          dt_secret const *authorization, char proof[DT_PROOF_MAX],
                                          dt_error *e);
/* A service answered with a nonce. True when a request that it refused may be sent again with it. */
bool dt_okta_credentials_take_nonce(dt_okta_credentials *k, dt_http_response const *r);

/* For other processes with the same keys: who may read what they share, and the key that a token is
 * bound to as text ("" without DPoP), which is secret. */
uint8_t const *dt_okta_credentials_share_key(dt_okta_credentials const *k);
DT_MUST_USE int dt_okta_credentials_save_key(dt_okta_credentials const *k, dt_buf *out);
DT_MUST_USE int dt_okta_credentials_load_key(dt_okta_credentials *k, char const *text);

#endif
