/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads the databases behind core/policy/geo.h: MaxMind's DB files. */
#ifndef DT_EDGE_GEO_MAXMIND_H
#define DT_EDGE_GEO_MAXMIND_H

#include "core/config/config.h"
#include "core/policy/geo.h"

#define DT_GEO_FILE_MAX ((size_t)512 * 1024 * 1024) /* largest database */

/* Opens [policy] asn_database and location_database; *out is NULL when there is neither. The files must not be writable by
 * others (edge/file.h). They are mapped, so replace them atomically (rename), never in place. Each is
 * tried with look-ups when it is opened. DT_E_NOT_FOUND, DT_E_PERMISSION, DT_E_PARSE, DT_E_LIMIT. Free
 * with dt_geo_free. */
DT_MUST_USE int dt_geo_open(dt_config const *c, dt_geo **out, dt_error *e);
void dt_geo_free(dt_geo **g);

#endif
