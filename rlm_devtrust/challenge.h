/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a State of an Access-Challenge refers to: the saved sign-on in the store, and the sealed
 * token that names it. Exists so that the binding to a person, the single use and the time limit are
 * in one place for the worker threads (which continue) and the waiting room (which suspends). */
#ifndef DT_RLM_CHALLENGE_H
#define DT_RLM_CHALLENGE_H

#include "core/signon/state_token.h"
#include "driver/driver.h"

#define DT_CHALLENGES_PER_PERSON 16 /* open at a time; the oldest makes room for one more */

#define DT_RLM_BINDING_MAX (DT_IDENTITY_KEY_MAX + DT_USER_MAX + 8)
/* Nobody has answered when a State has expired for so long. */
#define DT_CHALLENGE_OVERDUE DT_SECONDS(5)
/* A sign-on is kept for so long after that, for whoever ends it. */
#define DT_CHALLENGE_KEPT_MORE DT_MINUTES(2)

/* A challenge that was kept: for whoever ends its sign-on when nobody has answered. */
typedef struct dt_challenge_open {
    char user[DT_RLM_BINDING_MAX];
    char id_hex[2 * DT_STATE_ID_LEN + 1];
    char application[DT_APPLICATION_MAX];
    dt_time expires, lifetime;
} dt_challenge_open;

/* Of a State that this server cannot read. */
#define DT_CHALLENGE_ELSEWHERE                                                                     \
    "State was made by another server or with another state key: give all servers that one "       \
    "gateway asks the same [store] state_key_file"

/* The key that seals States, or NULL. Borrowed from the site. Thread safe. */
uint8_t const *dt_challenge_key(dt_ruleset const *ruleset);

/* Keeps the machine and its `luggage` (any bytes, such as keys of the session) for a later request, sealed with
 * the key of States, and puts the State into `state` (at most DT_STATE_TOKEN_MAX bytes, and no NUL). Bound to
 * user, NAS, application and station of the machine's own request. `open`, unless NULL, gets what dt_challenge_end
 * wants. DT_E_INVALID when store.state_key_file is not set, DT_E_UNAVAILABLE when the store does not take it,
 * DT_E_LIMIT when both together are too long for it, DT_E_CRYPTO, DT_E_IO. Thread safe. */
DT_MUST_USE int dt_challenge_keep(dt_driver *d, dt_signon const *machine, dt_bytes luggage,
                                  dt_buf *state, dt_challenge_open *open, dt_error *e);
/* Ends the sign-on of a challenge that nobody has answered: cancels its push and writes its event. Nothing where
 * it was answered, here or by a server with the same store. On the loop's thread. */
void dt_challenge_end(dt_driver *d, dt_challenge_open const *open);

/* Takes the machine that `state` names into `machine`, which has its scratch, and appends what went along
 * with it to `luggage`: once, so that a second use finds nothing. `site` is held by the caller and is the
 * application's; `who` must be whom it was made for. DT_E_CRYPTO (foreign, changed, for
 * another), DT_E_EXPIRED, DT_E_NOT_FOUND (used before, or gone), DT_E_UNAVAILABLE (store),
 * DT_E_PARSE. Thread safe. */
DT_MUST_USE int dt_challenge_take(dt_driver *d, dt_ruleset const *ruleset, dt_bytes state,
                                  dt_state_binding const *who, dt_signon *machine, dt_buf *luggage,
                                  dt_error *e);

/* What identifies an answer to a State, so that a repeated one is recognized: a digest of both under the key of
 * States, so that the answer cannot be guessed from it. Errors as of dt_challenge_take, but nothing is taken.
 * Pure. */
DT_MUST_USE int dt_challenge_answer_key(dt_ruleset const *ruleset, dt_bytes state,
                                        dt_state_binding const *who, dt_bytes answer,
                                        uint8_t out[DT_SHA256_LEN], dt_error *e);

/* Whose State it is: the identity's, and under the very name that it began with, which every NAS repeats, whatever
 * the realm. */
void dt_challenge_user(dt_identity const *who, char const *name, char out[DT_RLM_BINDING_MAX]);

#define DT_CHALLENGE_FORMS 2
/* Whose State an answer under `name` may have: its own; where there is no realm, that of the same name with
 * one, which a server on the way may have stripped; and that of `stripped`, what this server's realm left of it
 * ("" = it took nothing off). Returns how many. */
size_t dt_challenge_forms(dt_identity const *who, char const *name, char const *stripped,
                          char out[DT_CHALLENGE_FORMS][DT_RLM_BINDING_MAX]);

#endif
