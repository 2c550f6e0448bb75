/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/fold.h"

#include "core/base/unicode.h"
#include "core/base/utf8.h"

size_t dt_fold(dt_bytes text, size_t columns, size_t *next)
{
    size_t at = 0, used = 0, blank = 0;

    while (at < text.len) {
        uint32_t point = 0;
        size_t n = dt_utf8_decode(text.p + at, text.len - at, &point);
        size_t const width = n > 0 ? dt_unicode_columns(point) : 1;

        if (text.p[at] == ' ' && at > 0 && text.p[at - 1] != ' ')
            blank = at;
        if (used + width > columns && at > 0)
            break;
        used += width;
        at += n > 0 ? n : 1;
    }
    if (at < text.len && blank > 0)
        at = blank;
    *next = at;
    while (*next < text.len && text.p[*next] == ' ')
        (*next)++;
    return at;
}
