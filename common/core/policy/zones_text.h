/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What zones.c and zones_text.c share: lists of networks that are read from the text of the file in
 * pieces, not from a tree of all of it. */
#ifndef DT_CORE_ZONES_TEXT_H
#define DT_CORE_ZONES_TEXT_H

#include "core/policy/policy.h"

/* For each zone by its index in the file the text between the brackets of its "gateways", borrowed;
 * empty where the list is in the tree. */
typedef struct dt_zone_cuts {
    dt_bytes lists[DT_ZONES_MAX];
    size_t zones; /* so many were walked over */
} dt_zone_cuts;

/* Hands over each value of such a list, borrowed until it returns. What is handed on is what `take`
 * returned first that is not DT_OK; DT_E_PARSE when the text is not a list of values. */
DT_MUST_USE int dt_zone_cut_read(dt_bytes list, int (*take)(void *ctx, dt_json const *v),
                                 void *ctx);

/* dt_zones_parse_text without the second reading: what is wrong is only reported by a number that may be
 * another than there. */
DT_MUST_USE int dt_zones_parse_cut(dt_json_source const *source, dt_zones **out);

/* Compiles a tree from which those lists were cut out, or (cuts NULL) a whole one. (zones.c) */
DT_MUST_USE int dt_zones_compile(dt_json const *root, dt_json_source const *source,
                                 dt_zone_cuts const *cuts, dt_zones **out, dt_error *e);

#endif
