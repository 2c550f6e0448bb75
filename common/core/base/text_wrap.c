/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Needs nothing of the core: the PAM module links it, too. */
#include "core/base/text_wrap.h"

#include <stdbool.h>
#include <stddef.h>

static size_t columns_of(char const *from, char const *to)
{
    size_t columns = 0;

    for (; from < to; from++)
        columns += ((unsigned char)*from & 0xc0) != 0x80; /* one of UTF-8's first bytes */
    return columns;
}

/* A line of a drawing (core/base/qr.h) begins with one of U+2580 to U+259F. */
static bool is_drawing(char const *line)
{
    return (unsigned char)line[0] == 0xe2 && (unsigned char)line[1] == 0x96 &&
           (unsigned char)line[2] < 0xa0;
}

void dt_text_wrap(char *text)
{
    char *line = text, *blank = NULL; /* where it began; its last blank */

    for (char *p = text; *p != '\0'; p++) {
        if (*p == '\n') {
            line = p + 1;
            blank = NULL;
        } else if (*p != ' ' && blank != NULL && columns_of(line, p + 1) > DT_TEXT_COLUMNS) {
            *blank = '\n';
            line = blank + 1;
            blank = NULL;
        } else if (*p == ' ' && !is_drawing(line)) {
            blank = p;
        }
    }
}
