/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The NASes that can be asked to end a session: what each kind knows a session by, and which section [nas NAME] is for
 * the NAS of a session. */
#ifndef DT_CORE_DAE_NAS_H
#define DT_CORE_DAE_NAS_H

#include "core/config/config.h"
#include "core/policy/network.h"
#include "core/policy/place.h"
#include "core/session/session.h"

#define DT_DAE_PORT 3799 /* RFC 5176 section 3 */
#define DT_DAE_PORT_CISCO                                                                          \
    1700 /* what Cisco's routers and switches listen on unless set otherwise */
#define DT_NAS_NETWORKS_MAX 64 /* addresses and networks of one section */
#define DT_NAS_SECRET_SHORT 16 /* RFC 2865 section 3: a secret should have so many bytes */

/* What may name a session, a NAS or a time in a request; a bit each. */
typedef enum dt_dae_item {
    DT_DAE_USER_NAME = 1 << 0,
    DT_DAE_NAS_ADDRESS =
        1 << 1, /* NAS-IP-Address or NAS-IPv6-Address, as the NAS itself sends them */
    DT_DAE_NAS_IDENTIFIER = 1 << 2,
    DT_DAE_SESSION_ID = 1 << 3,
    DT_DAE_MULTI_SESSION_ID = 1 << 4,
    DT_DAE_STATION = 1 << 5,
    DT_DAE_CHARGEABLE_ID = 1 << 6,
    DT_DAE_NAS_PORT = 1 << 7,
    DT_DAE_NAS_PORT_ID = 1 << 8,
    DT_DAE_FRAMED_IP = 1 << 9,
    DT_DAE_EVENT_TIMESTAMP = 1 << 10,
} dt_dae_item;

/* One kind of NAS. */
typedef struct dt_nas_rules {
    char const *name;
    unsigned
        sends; /* what is sent when it is known: each attribute more may be refused (RFC 5176 section 3.6) */
    unsigned otherwise; /* sent, too, where Acct-Session-Id is not known */
    unsigned
        any_of; /* one of these must be known: without it the NAS finds no session, or too many */
    dt_nas_again again; /* never DT_NAS_AGAIN_BY_KIND */
    int port;
    bool ends_all; /* it ends all sessions of the person */
} dt_nas_rules;
/* Those of a kind; of the generic one for a number that is none. Static. */
dt_nas_rules const *dt_nas_rules_of(dt_nas_kind kind);
/* How a NAS of this section is asked to have a person sign on again; never DT_NAS_AGAIN_BY_KIND. */
dt_nas_again dt_nas_again_of(dt_config_nas const *c);

/* The sections of a configuration, with their secrets; read-only once made, so it may be shared between threads. */
typedef struct dt_nas_table dt_nas_table;
typedef struct dt_nas {
    dt_config_nas const *config; /* borrowed from the configuration */
    dt_network_set *networks;    /* NULL: address is not set */
    dt_place identifier;         /* the kind NONE: identifier is not set */
    dt_ip send_to;               /* not set: the address of the NAS */
    dt_secret *secret;
} dt_nas;
/* Makes the table, without secrets. DT_E_NOMEM; DT_E_INVALID for what dt_nas_fault says; `e` names the section. Free
 * with dt_nas_table_free; `c` has to live as long. */
DT_MUST_USE int dt_nas_table_new(dt_config const *c, dt_nas_table **out, dt_error *e);
void dt_nas_table_free(dt_nas_table **t);
size_t dt_nas_table_count(dt_nas_table const *t); /* 0 for NULL */
dt_nas const *dt_nas_table_at(dt_nas_table const *t, size_t i);
/* Gives entry i its secret, which is taken over. */
void dt_nas_table_take_secret(dt_nas_table *t, size_t i, dt_secret *secret);

/* The section for the NAS of a session, and the address to ask; NULL: there is none. It is the first section, in the
 * order of the file, all of whose keys fit: address holds what the NAS calls itself (NAS-IP-Address, then
 * NAS-IPv6-Address), identifier is its NAS-Identifier. When no section fits so, one whose address holds the address that
 * the packets come from. */
dt_nas const *dt_nas_table_find(dt_nas_table const *t, dt_nas_session const *s, dt_ip *target);

#endif
