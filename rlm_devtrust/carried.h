/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A decision on its way from the round of a PEAP or TTLS conversation in which it was made to the next one, in
 * which the server lets the person in or not. Exists so that what binds the one to the other is a small
 * pure part: a decision that could be taken in another conversation, another round or for another person
 * would let somebody in. Knows nothing of FreeRADIUS. Sources: RFC 3748 section 4.1 (identifier),
 * draft-josefsson-pppext-eap-tls-eap-06 (PEAP: a protected result goes before EAP-Success). */
#ifndef DT_RLM_CARRIED_H
#define DT_RLM_CARRIED_H

#include "core/signon/signon.h"

#define DT_EAP_TYPE_TTLS 21
#define DT_EAP_TYPE_PEAP 25

/* Where a round takes place: all as the request from the network says it. Borrowed. */
typedef struct dt_carried_place {
    char const *application;
    dt_bytes user, nas, nas_address, station, source; /* raw attributes; empty = not sent */
    dt_bytes eap; /* EAP-Message, at least its first 5 bytes: code, identifier, length, type */
} dt_carried_place;

/* A plain value; the zero value fits nowhere. */
typedef struct dt_carried {
    bool made;
    bool allowed;
    uint8_t type;                 /* of EAP */
    uint8_t round;                /* identifier of the EAP response of the round */
    uint8_t place[DT_SHA256_LEN]; /* of application, user, NAS, station and source */
    char id[DT_SIGNON_ID_LEN + 1];
    dt_outcome outcome;
} dt_carried;

/* The type of an EAP message that is a response of PEAP or TTLS; else 0. */
uint8_t dt_carried_type(dt_bytes eap);
/* Notes a decision with the round it was made in. DT_E_INVALID when that is not one of PEAP or TTLS, DT_E_CRYPTO;
 * *out is zero then. */
DT_MUST_USE int dt_carried_make(dt_carried_place const *where, char const *id, bool allowed,
                                dt_outcome const *outcome, dt_carried *out);
/* Whether `where` is the very next round of the conversation that the decision was made in. */
DT_MUST_USE bool dt_carried_fits(dt_carried const *c, dt_carried_place const *where);

#endif
