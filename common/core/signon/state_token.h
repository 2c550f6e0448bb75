/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RADIUS State of a challenge (RFC 2865 section 5.24): a sealed token that says which saved
 * sign-on it continues and for whom. FreeRADIUS restores a State for whoever sends it; binding it to
 * the person is our work. */
#ifndef DT_CORE_STATE_TOKEN_H
#define DT_CORE_STATE_TOKEN_H

#include "core/base/crypto.h"

#define DT_STATE_TOKEN_MAX 253 /* a RADIUS attribute's value */
#define DT_STATE_ID_LEN 16

/* Who may use it: all must be the same again, but that an answer may leave the station out. NAS and station
 * are in the form of core/policy/place.h. Hashed, so of any length. */
typedef struct dt_state_binding {
    char const *user;
    char const *nas; /* never empty: no empty one is the same as another */
    char const *application;
    char const *station; /* "" or NULL = not known */
} dt_state_binding;

/* `random` is 12 + 16 fresh random bytes (nonce, id). The hex of the id goes to id_hex: the key in
 * DT_TABLE_STATE. DT_E_INVALID without a NAS or a time. */
DT_MUST_USE int dt_state_token_make(uint8_t const key[DT_AEAD_KEY_LEN],
                                    uint8_t const random[DT_AEAD_NONCE_LEN + DT_STATE_ID_LEN],
                                    dt_state_binding const *binding, dt_time expires, dt_buf *out,
                                    char id_hex[2 * DT_STATE_ID_LEN + 1]);
/* 0 and the id; DT_E_NOT_FOUND when it was made with another key, DT_E_CRYPTO when it is not one of devtrust's,
 * was changed or is bound to another; DT_E_EXPIRED.
 * Says nothing about reuse: TAKE the saved sign-on, which can be done once. */
DT_MUST_USE int dt_state_token_open(uint8_t const key[DT_AEAD_KEY_LEN], dt_bytes token,
                                    dt_state_binding const *binding, dt_time now,
                                    char id_hex[2 * DT_STATE_ID_LEN + 1]);
/* True when the bytes look like one of devtrust's (magic and length), so that the State of EAP or of
 * another module is left alone. */
bool dt_state_token_is_ours(dt_bytes token);

#endif
