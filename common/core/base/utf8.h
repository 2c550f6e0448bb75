/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8, one code point at a time: what may be shown to a person, and what must be escaped. */
#ifndef DT_CORE_UTF8_H
#define DT_CORE_UTF8_H

#include "core/base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the code point that starts at p, of which len bytes are there. Returns its length, 1..4,
 * or 0 when it is not well formed: RFC 3629 section 4 (over-long forms, surrogates, above U+10FFFF
 * and sequences cut short are not). */
size_t dt_utf8_decode(uint8_t const *p, size_t len, uint32_t *code_point);

/* False for what changes how other text is shown, or moves the cursor: C0 and C1 controls, DEL, line
 * and paragraph separators, marks and overrides of writing direction (Unicode UAX 9), the BOM. */
bool dt_utf8_is_shown(uint32_t code_point);

/* What is wrong with the beginning of a text that should be plain UTF-8, with what to do: a byte order mark, or
 * UTF-16, both of which editors on Windows write. NULL where nothing is. A static string. Thread-safe. */
char const *dt_text_encoding_fault(dt_bytes text);

#endif
