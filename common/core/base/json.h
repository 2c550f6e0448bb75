/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON port: what the core needs of a JSON parser. edge/json_jansson.c implements it.
 *
 * It parses text and holds the tree; it does no I/O and keeps no state, so the core stays pure.
 * Every getter takes NULL and gives "not there", so that chains of getters need one check. */
#ifndef DT_CORE_JSON_H
#define DT_CORE_JSON_H

#include "core/base/bytes.h"

typedef struct dt_json dt_json; /* a value in a tree */

typedef enum dt_json_type {
    DT_JSON_NONE = 0, /* not there */
    DT_JSON_NULL,
    DT_JSON_BOOL,
    DT_JSON_INTEGER,
    DT_JSON_REAL,
    DT_JSON_STRING,
    DT_JSON_ARRAY,
    DT_JSON_OBJECT,
} dt_json_type;

#define DT_JSON_DEPTH_MAX 64 /* deepest nesting that is parsed */
/* A text may hold this many arrays and objects, and beyond them one for so many bytes: three bytes
 * of text make some three hundred in memory, and nothing honest is that dense. */
#define DT_JSON_CONTAINERS_FREE 4096
#define DT_JSON_CONTAINER_BYTES 8

/* Parses the whole text as one value: duplicate members, trailing bytes, invalid UTF-8 and strings
 * with U+0000 are refused. On success *out is the root, owned by the caller. On DT_E_PARSE `e`
 * names line and column, and quotes nothing of the text. DT_E_LIMIT past the limits above,
 * DT_E_NOMEM. */
DT_MUST_USE int dt_json_parse(dt_bytes text, dt_json **out, dt_error *e);
/* Like dt_json_parse, for a list that another program wrote, in which one odd text must not end all the others: a
 * value with U+0000, an unpaired surrogate or bytes that are not UTF-8 becomes an empty array, which no
 * reader takes for a text. So what is made of it is not known, and never something else. An odd name of
 * a member is an error as ever. */
/* Appends the text with its odd values replaced so; false when there are none. */
bool dt_json_blank_odd(dt_bytes text, dt_buf *out);
DT_MUST_USE int dt_json_parse_list(dt_bytes text, dt_json **out, dt_error *e);
void dt_json_free(dt_json **root);
/* Like dt_json_free, for a tree that holds a secret: its strings are wiped first. */
void dt_json_free_wiped(dt_json **root);

dt_json_type dt_json_typeof(dt_json const *v);
/* Member of an object, borrowed from the tree; NULL when v is not an object or has no such member. */
dt_json const *dt_json_get(dt_json const *v, char const *name);
/* Walks down: dt_json_path(v, "_embedded", "challenge", NULL). */
dt_json const *dt_json_path(dt_json const *v, ...) __attribute__((sentinel));
/* Elements of an array, members of an object; 0 for everything else. */
size_t dt_json_size(dt_json const *v);
dt_json const *dt_json_at(dt_json const *v, size_t i);
/* Member i of an object in the order of the text; *name borrowed from the tree. NULL past the end. */
dt_json const *dt_json_member(dt_json const *v, size_t i, char const **name);
/* NULL unless v is a string. Borrowed from the tree. */
char const *dt_json_string(dt_json const *v);
/* False unless v is an integer. */
DT_MUST_USE bool dt_json_integer(dt_json const *v, int64_t *out);
/* False unless v is a boolean. */
DT_MUST_USE bool dt_json_bool(dt_json const *v, bool *out);

/* Appends the text of a value, members in their order; indented by so many spaces a level, or on one
 * line with 0. Strings are as they were, so the text is for files, not for terminals. */
void dt_json_put_value(dt_buf *b, dt_json const *v, unsigned indent);

/* Appends a JSON string with its quotes; invalid UTF-8 becomes U+FFFD, and what is not shown
 * (dt_utf8_is_shown: controls, writing direction) is escaped. NULL is "". (core/base/json_text.c) */
void dt_json_put_string(dt_buf *b, char const *s);

#endif
