/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is there a name that is like some patterns and not like others? Finds the shortest. */
#ifndef DT_CTL_PROVE_PATTERN_H
#define DT_CTL_PROVE_PATTERN_H

#include "core/policy/policy.h"

#define DT_PATTERN_NAMES_MAX 4096  /* patterns and names of one question */
#define DT_PATTERN_POSITIONS 65536 /* characters of all of them together */
#define DT_PATTERN_STATES 10000    /* that the search looks at */

/* What a name must be; a byte per pattern of the question. */
typedef enum dt_likeness { DT_LIKE_ANY = 0, DT_LIKE_YES, DT_LIKE_NO } dt_likeness;

/* Patterns as policies have them (folded; a name without marks is like itself alone). */
typedef struct dt_pattern_question {
    char const *const *patterns;
    size_t count;
    uint8_t const *name;  /* dt_likeness of the name, one for each pattern */
    uint8_t const *login; /* NULL; or: of a login, which is the name, an at sign and a realm */
    char const *begin;    /* NULL; or: the name, of which only the login is searched */
} dt_pattern_question;

typedef enum dt_pattern_answer {
    DT_PATTERN_LIMIT = 0, /* too much to search */
    DT_PATTERN_NONE,
    DT_PATTERN_FOUND,
} dt_pattern_answer;

/* `name` gets the name, `login` the login where one was asked for. Names are of DT_GROUP_NAME_MAX - 1
 * bytes at most, and so is what is searched. */
DT_MUST_USE dt_pattern_answer dt_pattern_find(dt_pattern_question const *q,
                                              char name[DT_GROUP_NAME_MAX],
                                              char login[DT_GROUP_NAME_MAX]);

#endif
