/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The distance of two words after Damerau and Levenshtein, with swaps of neighbours only. */
#include "core/base/nearest.h"

#include <string.h>

#define LETTERS_PER_SLIP 3 /* so many letters of a word may hold one slip */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance_of(char const *a, size_t a_len, char const *b, size_t b_len)
{
    size_t row[DT_NEAREST_WORD_MAX + 1][DT_NEAREST_WORD_MAX + 1] = {{0}};

    for (size_t i = 0; i <= a_len; i++) {
        for (size_t k = 0; k <= b_len; k++) {
            if (i == 0 || k == 0) {
                row[i][k] = i + k;
                continue;
            }
            row[i][k] = row[i - 1][k - 1] + (a[i - 1] == b[k - 1] ? 0 : 1);
            row[i][k] = least(row[i][k], least(row[i - 1][k], row[i][k - 1]) + 1);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                row[i][k] = least(row[i][k], row[i - 2][k - 2] + 1);
        }
    }
    return row[a_len][b_len];
}

dt_nearest dt_nearest_begin(char const *typed)
{
    return (dt_nearest){.typed = typed, .distance = DT_NEAREST_WORD_MAX + 1};
}

void dt_nearest_offer(dt_nearest *n, char const *word)
{
    size_t typed_len = strlen(n->typed), len = strlen(word), distance;

    if (len == 0 || len > DT_NEAREST_WORD_MAX || typed_len == 0 || typed_len > DT_NEAREST_WORD_MAX)
        return;
    distance = distance_of(n->typed, typed_len, word, len);
    if (distance > (len + LETTERS_PER_SLIP - 1) / LETTERS_PER_SLIP || distance >= len ||
        distance >= n->distance)
        return;
    n->best = word;
    n->distance = distance;
}
