/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passcodes as people type them: "123 456", "123-456", pasted with a no-break space. */
#ifndef DT_CORE_PASSCODE_H
#define DT_CORE_PASSCODE_H

#include "core/base/bytes.h"

#define DT_PASSCODE_DIGITS_MIN 6
#define DT_PASSCODE_DIGITS_MAX 8

typedef enum dt_typed {
    DT_TYPED_OTHER = 0, /* anything else */
    DT_TYPED_NOTHING,   /* Enter: nothing but blanks, line ends and invisible characters */
    DT_TYPED_PASSCODE,
} dt_typed;

/* What somebody typed where a passcode may be typed. Blanks and dashes of every kind around and between the
 * digits are ignored, as are the invisible marks that copying brings along. `out` gets the digits alone, ""
 * where it is not a passcode. Text that is not UTF-8 is DT_TYPED_OTHER. Pure. */
dt_typed dt_passcode_read(dt_bytes typed, char out[DT_PASSCODE_DIGITS_MAX + 1]);

#endif
