/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The port to databases that say where an address is: its country and region, and the number of the
 * network it is announced by (ASN). edge/geo_maxmind.c implements it.
 *
 * A look-up reads memory and nothing else, allocates nothing, and may run in many threads at once. */
#ifndef DT_CORE_GEO_H
#define DT_CORE_GEO_H

#include "core/policy/network.h"

typedef struct dt_geo dt_geo; /* the databases of a site */

/* What a database can answer. */
typedef enum dt_geo_kind {
    DT_GEO_ASN = 1 << 0,
    DT_GEO_COUNTRY = 1 << 1,
    DT_GEO_REGION = 1 << 2,
} dt_geo_kind;

/* 0 = unknown: there is no database, it is broken, or it does not know the
 * address. That is never the same as "somewhere else". */
typedef struct dt_geo_place {
    unsigned known; /* dt_geo_kind bits that were answered */
    uint32_t asn;
    char country[3]; /* ISO 3166-1, two capital letters */
    char region[4];  /* ISO 3166-2 without the country, one to three letters and digits */
} dt_geo_place;

/* What all databases together can answer; 0 for NULL. */
unsigned dt_geo_kinds(dt_geo const *g);
/* NULL knows nothing. */
void dt_geo_lookup(dt_geo const *g, dt_ip const *ip, dt_geo_place *out);

#endif
