/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walking over the text of JSON without making a tree of it: for the line of a value, and for lists
 * that are too long for one. No parser: what is walked over is parsed as well, before or after, and
 * only then is anything believed. Never leaves the text, whatever it is. (json_line.c) */
#ifndef DT_CORE_JSON_WALK_H
#define DT_CORE_JSON_WALK_H

#include "core/base/bytes.h"

typedef struct dt_json_walk {
    uint8_t const *p, *end;
    size_t line; /* from 1; only blanks are counted, for strings have no line ends */
} dt_json_walk;

static inline bool dt_json_walk_at(dt_json_walk const *w, char c)
{
    return w->p < w->end && *w->p == (uint8_t)c;
}

void dt_json_walk_blank(dt_json_walk *w);
/* Past the string that begins here. Gives its raw content without the quotes. */
dt_bytes dt_json_walk_string(dt_json_walk *w);
/* Past a whole value: brackets are counted. */
void dt_json_walk_value(dt_json_walk *w);
/* Past a whole value and the comma after it, to what comes next; false when there is no comma. */
DT_MUST_USE bool dt_json_walk_next(dt_json_walk *w);
/* Past a member's name and colon, to its value; gives the raw name. False when there is none. */
DT_MUST_USE bool dt_json_walk_name(dt_json_walk *w, dt_bytes *name);

#endif
