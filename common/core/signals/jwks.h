/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The public keys of an issuer (RFC 7517 section 5), and signatures by them (RFC 7515). Pure: the signature itself is
 * checked by the port core/base/crypto.h. */
#ifndef DT_CORE_JWKS_H
#define DT_CORE_JWKS_H

#include "core/base/base.h"

#define DT_JWKS_TEXT_MAX (64 * 1024)
#define DT_JWKS_KEYS_MAX 32 /* that can be used; one with more is refused */
#define DT_KID_MAX 256      /* the id of a key, its NUL included */

/* The algorithms that are taken, and no others: never "none", never one with a shared secret (RFC 8725 section 3.2).
 * Each has its word; both hash by SHA-256 (RFC 7518 section 3.1). */
#define DT_JWS_ALGS(X)                                                                             \
    X(RS256, "RS256")                                                                              \
    X(ES256, "ES256")
typedef enum dt_jws_alg {
    DT_JWS_NONE = 0,
#define X(NAME, word) DT_JWS_##NAME,
    DT_JWS_ALGS(X)
#undef X
} dt_jws_alg;
/* DT_JWS_NONE for every other word, and for NULL. */
dt_jws_alg dt_jws_alg_of(char const *word);

typedef struct dt_jwks dt_jwks;

/* Reads a set of keys. Keys of other kinds, for other uses, with weak numbers or without a kid are left out; a set of
 * which none is left, or that has two keys of one kid and algorithm, is refused. DT_E_PARSE, DT_E_LIMIT, DT_E_NOMEM;
 * *out is the caller's to free. Thread safe. */
DT_MUST_USE int dt_jwks_read(dt_bytes text, dt_jwks **out, dt_error *e);
void dt_jwks_free(dt_jwks **k);
size_t dt_jwks_count(dt_jwks const *k);
/* Whether the set has a key of this kid that is for this algorithm. NULL has none. */
bool dt_jwks_has(dt_jwks const *k, char const *kid, dt_jws_alg alg);
/* Is `signature` one over `message` by the key of this kid? DT_E_NOT_FOUND without such a key, DT_E_CRYPTO when it is
 * not. Thread safe. */
DT_MUST_USE int dt_jwks_verify(dt_jwks const *k, char const *kid, dt_jws_alg alg, dt_bytes message,
                               dt_bytes signature);

#endif
