/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signed client assertions (RFC 7523) for Entra and Okta, and DPoP proofs (RFC 9449), by a JOSE library. The one file that knows it. */
#ifndef DT_EDGE_JOSE_H
#define DT_EDGE_JOSE_H

#include "core/config/config.h"

typedef struct dt_assertion_key dt_assertion_key; /* private key and its certificate's thumbprint */

/* From PEM: a private key and its certificate, which must belong together (DT_E_CRYPTO else). After a
 * failure *of_key, which may be NULL, says whether it is about the text of the key alone. */
DT_MUST_USE int dt_assertion_key_new(dt_secret const *key_pem, dt_bytes certificate_pem,
                                     dt_assertion_key **out, bool *of_key, dt_error *e);
void dt_assertion_key_free(dt_assertion_key **k);
/* Compact JWS over the claims (JSON). PS256: header x5t#S256 = base64url(SHA-256(DER)); RS256: x5t =
 * base64url(SHA-1(DER)); typ JWT. Appended to out, which is secret enough to wipe after use. DT_E_EXPIRED
 * when the certificate has at `now`. */
DT_MUST_USE int dt_assertion_sign(dt_assertion_key const *k, dt_assertion_alg alg, dt_bytes claims,
                                  dt_time now, dt_buf *out, dt_error *e);

/* --- JSON Web Signatures for Okta: a service app's assertions, and DPoP proofs ------------------- */

typedef struct dt_jws_key dt_jws_key; /* a private key: RSA (RS256) or P-256 (ES256) */

#define DT_JWS_RSA_BITS_MAX 4096 /* an assertion still fits DT_HTTP_BODY_MAX */
#define DT_JWK_TEXT_MAX 1024     /* of a P-256 key as dt_jws_key_save writes it */

/* From PEM, unencrypted: RSA of 2048 to DT_JWS_RSA_BITS_MAX bits, or P-256. */
DT_MUST_USE int dt_jws_key_new(dt_secret const *pem, dt_jws_key **out, dt_error *e);
/* A new P-256 key. */
DT_MUST_USE int dt_jws_key_make(dt_jws_key **out, dt_error *e);
/* A P-256 key as text (a JWK, private): secret. Read back by dt_jws_key_load, which takes nothing else. */
DT_MUST_USE int dt_jws_key_save(dt_jws_key const *k, dt_secret **out);
DT_MUST_USE int dt_jws_key_load(char const *jwk, dt_jws_key **out);
void dt_jws_key_free(dt_jws_key **k);
/* Compact JWS over the claims (JSON), appended to `out`. Its header has alg by the key, `typ`, and `kid`
 * unless that is "". With `with_key` it has the public key as jwk (RFC 9449 section 4.2). */
DT_MUST_USE int dt_jws_sign(dt_jws_key const *k, char const *typ, char const *kid, bool with_key,
                            dt_bytes claims, dt_buf *out, dt_error *e);

#endif
