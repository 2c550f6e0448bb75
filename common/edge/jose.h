/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The signed client assertion for Entra (RFC 7523), by a JOSE library. The one file that knows it. */
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

#endif
