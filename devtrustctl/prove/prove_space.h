/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All sign-ons that rules can distinguish, as facts of a formula: who, in which groups (or that nobody
 * knows), from where, with which device, when. What a real sign-on can be, and no more:
 *
 * - A person has up to three names: the local one, the login, and the login without its suffix. Each is
 *   one that some rule lists, or another, of which facts say which patterns it is like. Whether there
 *   is such a name is found out when a sign-on is made of the facts (prove_signon.c).
 * - Groups are yes or no each; for each pattern, there is another group that is like it, or not.
 * - The address is one of the pieces that the zones' networks cut all addresses into.
 * - Country, region and number of the network are what some zone lists, another, or not known.
 * - The time is a minute of the week, in UTC and local, which are at most 15 hours apart. */
#ifndef DT_CTL_PROVE_SPACE_H
#define DT_CTL_PROVE_SPACE_H

#include "devtrustctl/prove/prove_formula.h"

#include "core/base/time_text.h"
#include "core/policy/policy_rules.h"

#define DT_SPACE_NAMES 3        /* local name, login, short login: as in dt_policy_input */
#define DT_SPACE_ZONE_SETS 2    /* the new policy's zones, and the old one's */
#define DT_SPACE_POLICIES_MAX 8 /* that are looked at together */
#define DT_SPACE_PIECES_MAX 65536
#define DT_SPACE_DEVICES_MAX (3 * DT_REASON_COUNT)
#define DT_SPACE_OFFSETS (2 * DT_UTC_OFFSET_MAX + 1)

/* Names of a kind that rules list: sorted, each once. Texts are borrowed from the policies. */
typedef struct dt_space_names {
    dt_folded_name *items;
    size_t count, cap;
    dt_term *terms; /* the person is called so, or is in this group; one for each */
} dt_space_names;

typedef struct dt_space_device {
    dt_trust trust;
    dt_reason reason;
} dt_space_device;

typedef struct dt_space_piece {
    dt_ip ip; /* one address of it */
    dt_tag_set in[DT_SPACE_ZONE_SETS];
    bool private; /* DYNAMIC zones have none of it */
} dt_space_piece;

typedef struct dt_space {
    dt_formula *f;
    dt_zones const *zones[DT_SPACE_ZONE_SETS];
    size_t zone_sets;

    dt_space_names users, users_like, groups, groups_like;
    dt_fact
        name[DT_SPACE_NAMES]; /* 0: another; 1 + i: users.items[i]; last: none, not of the first */
    dt_fact *like[DT_SPACE_NAMES]; /* the other name is like users_like.items[i] */
    dt_fact *member;               /* of groups.items[i] */
    dt_fact *member_like;          /* of another group that is like groups_like.items[i] */
    dt_term names_fit;             /* a short login is that of a login */
    dt_fact machine, groups_known;

    dt_space_piece *pieces;
    size_t piece_count, piece_cap;
    uint32_t *piece_hash;
    size_t piece_hash_size;
    dt_fact address; /* a piece, or past them: not known, none came, at this host */
    dt_geo_place *locations, *asns;
    size_t location_count, location_cap, asn_count, asn_cap;
    dt_fact location, asn;
    dt_term *zone_in[DT_SPACE_ZONE_SETS], *zone_maybe[DT_SPACE_ZONE_SETS];

    dt_space_device devices[DT_SPACE_DEVICES_MAX];
    uint32_t device_count;
    dt_fact device, platform; /* platform 0: not known; 1 + i: bit i */
    dt_fact unknown_denies;   /* unknown_device_as = deny */
    dt_fact org_waives;       /* org_mfa = unless_trusted */

    dt_fact time_known, offset_known, utc, local, offset; /* offset: from -DT_UTC_OFFSET_MAX on */
    bool uses_utc, uses_local;
} dt_space;

/* Values of `address` past the pieces. */
typedef enum dt_space_address {
    DT_SPACE_ADDRESS_UNKNOWN = 0,
    DT_SPACE_ADDRESS_ABSENT,
    DT_SPACE_ADDRESS_LOCAL,
    DT_SPACE_ADDRESSES,
} dt_space_address;

/* Makes the space that all these policies together see; they and their zones live as long. NULL among
 * them is left out. DT_E_NOMEM; DT_E_LIMIT with what is too many. Free with dt_space_free. */
DT_MUST_USE int dt_space_new(dt_policy const *const *policies, size_t count, dt_space **out,
                             dt_error *e);
void dt_space_free(dt_space **s);

/* The index of a name, and its number when it is not there. */
size_t dt_space_find(dt_space_names const *names, dt_folded_name name);
/* The piece that has the address. */
uint32_t dt_space_piece_of(dt_space const *s, dt_ip const *ip);
size_t dt_space_zone_set(dt_space const *s, dt_zones const *z);

/* --- parts (prove_space_zones.c) ---------------------------------------------------------------- */

DT_MUST_USE int dt_space_zones_make(dt_space *s, dt_error *e);
void dt_space_zones_free(dt_space *s);

#endif
