/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys and signed tokens for tests: any header, any claims. */
#ifndef DT_TESTS_JWS_H
#define DT_TESTS_JWS_H

#include "core/base/bytes.h"

#include <openssl/evp.h>

/* The caller's to free, like every key here. */
EVP_PKEY *jws_make_rsa(unsigned bits);
EVP_PKEY *jws_make_p256(void);
/* Appends the public half as a JWK; `more` are further members, as "\"kid\":\"a\"". */
void jws_put_jwk(dt_buf *out, EVP_PKEY *key, char const *more);
/* Appends "header.claims.signature": RS256 by an RSA key, ES256 by one of P-256, HS256 by NULL with a key of zeros. */
void jws_put_token(dt_buf *out, EVP_PKEY *key, char const *header, char const *claims);

#endif
