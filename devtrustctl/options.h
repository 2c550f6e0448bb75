/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: options from a table, in any order with the other arguments. Strict: an unknown
 * option, a missing or empty value and an option given twice are errors, so that a slip of the
 * fingers never quietly asks something else. */
#ifndef DT_CTL_OPTIONS_H
#define DT_CTL_OPTIONS_H

#include "core/base/bytes.h"

#define DT_ARGUMENT_MAX 4096 /* longest single argument, bytes */

typedef struct dt_option {
    char const *name;   /* "--user" */
    char const *letter; /* "-u", or NULL */
    char const **value; /* where its value goes (NULL before), or NULL for a flag */
    bool *flag;         /* set when it is given; for a flag */
} dt_option;

/* Reads argc arguments. `options` ends with a row whose name is NULL. What is not an option goes to
 * `rest`, which has room for argc pointers, in order; "--" makes everything after it so. Values
 * are borrowed from argv. A value is the next argument, or follows "=" of a long option.
 * DT_E_INVALID. */
DT_MUST_USE int dt_options_parse(dt_option const *options, int argc, char **argv, char const **rest,
                                 size_t *rest_count, dt_error *e);

#endif
