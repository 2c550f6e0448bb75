/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Unicode port: which characters a user name may be made of. edge/unicode_unistring.c implements it.
 * Pure: it keeps no state and does not ask the locale. Thread safe. */
#ifndef DT_CORE_UNICODE_H
#define DT_CORE_UNICODE_H

#include "core/base/bytes.h"

#define DT_UNICODE_TEXT_MAX 1024 /* longest text that is looked at, bytes */

/* Whether a text can be written in one way only: UTF-8, in Unicode's normalization form KC (UAX 15), with
 * no upper-case letter beyond ASCII, and beyond ASCII with nothing but letters, their marks and digits.
 * ASCII characters all pass. DT_E_PARSE when it is not UTF-8; DT_E_INVALID with the first character that
 * is at fault in *bad (0 where only the sequence is); DT_E_LIMIT; DT_E_NOMEM. */
DT_MUST_USE int dt_unicode_check(dt_bytes text, uint32_t *bad);

/* Columns that a character takes up on a terminal: 0, 1 or 2 (UAX 11; ambiguous ones are narrow). */
unsigned dt_unicode_columns(uint32_t point);

#endif
