/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines that fit what people read them on. Pure; thread safe. */
#ifndef DT_CORE_TEXT_WRAP_H
#define DT_CORE_TEXT_WRAP_H

/* Columns of a line: what a small terminal shows, and a greeter at 1024 pixels. */
#define DT_TEXT_COLUMNS 40

/* Breaks the lines of a text at blanks. A word that is longer stays whole: it may be a link. So does a line that
 * begins with a block (U+2580 to U+259F): it is part of a drawing. The length in bytes stays the same. */
void dt_text_wrap(char *text);

#endif
