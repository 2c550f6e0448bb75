/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which known word somebody meant who typed another one: for "did you mean ...". */
#ifndef DT_CORE_NEAREST_H
#define DT_CORE_NEAREST_H

#include <stddef.h>

#define DT_NEAREST_WORD_MAX 48 /* longest word that is compared */

typedef struct dt_nearest {
    char const *typed;
    char const
        *best; /* borrowed from the words that were offered; NULL while none is near enough */
    size_t distance;
} dt_nearest;

/* Starts a search. `typed` is borrowed. */
dt_nearest dt_nearest_begin(char const *typed);

/* Offers one known word. It becomes the best one if fewer letters have to be inserted, removed, replaced or
 * swapped with their neighbour than for any word before, and at most a third of the word's. */
void dt_nearest_offer(dt_nearest *n, char const *word);

#endif
