/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A private key in a PKCS#11 token (a smart card, an HSM), found by a URI (RFC 7512). By p11-kit, which
 * also shares modules with whoever else uses them in this process. */
#ifndef DT_EDGE_PKCS11_H
#define DT_EDGE_PKCS11_H

#include "core/base/bytes.h"

#define DT_PKCS11_SLOTS_MAX 64 /* slots with tokens that are looked at */

typedef struct dt_pkcs11 dt_pkcs11;

/* Reads the URI and loads the module (a shared object); touches no token. Takes `pin` over (NULL: none).
 * DT_E_INVALID for a URI that is not one, that may fit anything, or that holds a PIN or a module;
 * DT_E_UNAVAILABLE for a module that cannot be loaded. */
DT_MUST_USE int dt_pkcs11_new(char const *uri, char const *module, dt_secret **pin, dt_pkcs11 **out,
                              dt_error *e);
void dt_pkcs11_free(dt_pkcs11 **k);

typedef enum dt_pkcs11_mechanism {
    DT_PKCS11_RSA_SHA256 = 0, /* PKCS#1 v1.5 over the message */
    DT_PKCS11_ECDSA,          /* over a hash; gives r and s, each as long as the curve's order */
    DT_PKCS11_EDDSA,          /* over the message */
} dt_pkcs11_mechanism;

/* Signs. The session is opened at the first call and kept; a token that went away and came back is
 * opened again, once within a call. A PIN that was refused is never tried again: a few tries lock a
 * token. Blocks for as long as the token does. One thread at a time. DT_E_NOT_FOUND (no such token or
 * key), DT_E_PERMISSION (PIN), DT_E_UNAVAILABLE, DT_E_INVALID (several fit), DT_E_LIMIT. */
DT_MUST_USE int dt_pkcs11_sign(dt_pkcs11 *k, dt_pkcs11_mechanism m, dt_bytes message, uint8_t *out,
                               size_t *len, dt_error *e);

#endif
