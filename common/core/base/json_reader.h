/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strict reading of a JSON file that an administrator writes: every member is known, every value has
 * its type and its bounds, and every error names the file and the JSON pointer (RFC 6901). Policies
 * and zones are both read through it. */
#ifndef DT_CORE_JSON_READER_H
#define DT_CORE_JSON_READER_H

#include "core/base/faults.h"
#include "core/base/words.h"
#include "core/base/json.h"

#define DT_JSON_POINTER_MAX 256 /* longest pointer that is shown whole */

/* A file, for messages: its name, and its text for the line; without text, messages name no line. With a list, all
 * faults of it are gathered instead of the first. Borrowed. */
typedef struct dt_json_source {
    char const *file;
    dt_bytes text;
    dt_faults *faults;
    bool no_zones; /* the zones have faults: names of zones are not looked up */
} dt_json_source;

typedef struct dt_json_reader {
    dt_json_source source;
    dt_error *e;
    char pointer[DT_JSON_POINTER_MAX]; /* of the value being read; "" is the root */
    size_t len;
} dt_json_reader;

/* A member that an object may have. */
typedef struct dt_json_field {
    char const *name; /* NULL ends a list of fields */
    bool required;
} dt_json_field;

/* What the source names, and `e`, are borrowed as long as the reader is used. */
void dt_json_reader_init(dt_json_reader *r, dt_json_source const *source, dt_error *e);

/* Sets the error "file:line#pointer: text", escaped, and returns DT_E_INVALID. */
int dt_json_reader_fail(dt_json_reader *r, char const *fmt, ...) DT_PRINTF(2, 3);
/* Writes the same into `out` as a warning: nothing fails. */
void dt_json_reader_warning(dt_json_reader const *r, char out[DT_ERROR_TEXT_MAX], char const *fmt,
                            ...) DT_PRINTF(3, 4);
/* The line, from 1, on which the value of a pointer begins, or the nearest value above it that is
 * there; 0 for an empty text. `text` is one that dt_json_parse has parsed. (json_line.c) */
size_t dt_json_line(dt_bytes text, char const *pointer);
int dt_json_reader_nomem(dt_json_reader *r);

/* Goes down to a member or an element; the result is handed to dt_json_reader_leave to come back. A
 * pointer too long to show stops growing. */
size_t dt_json_reader_enter(dt_json_reader *r, char const *member);
size_t dt_json_reader_enter_at(dt_json_reader *r, size_t index);
void dt_json_reader_leave(dt_json_reader *r, size_t mark);

/* Where all faults are gathered: comes back to `mark` and goes on after a fault of what was read there; else returns
 * rc. See dt_faults_keep and dt_faults_end; `before` is dt_json_reader_faults of the beginning. */
DT_MUST_USE int dt_json_reader_keep(dt_json_reader *r, size_t mark, int rc);
size_t dt_json_reader_faults(dt_json_reader const *r);
DT_MUST_USE int dt_json_reader_end(dt_json_reader const *r, size_t before, int rc);

/* `v` is an object that has every required member and no member that is not in `fields`. Where all faults are gathered,
 * unknown members do not keep the others from being read. */
DT_MUST_USE int dt_json_reader_object(dt_json_reader *r, dt_json const *v,
                                      dt_json_field const *fields);
/* `v` is an array of min to max elements. */
DT_MUST_USE int dt_json_reader_array(dt_json_reader *r, dt_json const *v, size_t min, size_t max);
/* `v` is a string of 1 to max - 1 bytes, without control characters and without a space at either
 * end (which nobody sees and which would make it match nothing). Borrowed from the tree. */
DT_MUST_USE int dt_json_reader_text(dt_json_reader *r, dt_json const *v, size_t max,
                                    char const **out);
/* `v` is one of the words; the list ends with a NULL word. */
DT_MUST_USE int dt_json_reader_word(dt_json_reader *r, dt_json const *v,
                                    dt_config_word const *words, int *out);
/* As above, of a member, which need not be there: *out then stays as it is. */
DT_MUST_USE int dt_json_reader_member_text(dt_json_reader *r, dt_json const *v, char const *member,
                                           size_t max, char const **out);
DT_MUST_USE int dt_json_reader_member_word(dt_json_reader *r, dt_json const *v, char const *member,
                                           dt_config_word const *words, int *out);

#endif
