/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passcodes as people type them: "123 456", "123-456", pasted with a no-break space. */
#ifndef DT_CORE_PASSCODE_H
#define DT_CORE_PASSCODE_H

#include "core/base/words.h"

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

/* A word of DT_FACTOR_CHOICES in whatever case, with blanks around it or not, and "" or a digit from 1 to 9 behind it:
 * the factors' bits, and in *which the digit (1 where there is none). `out` gets it in lower case; at least
 * DT_CHOICE_MAX bytes. 0 for anything else, and `out` is "". Pure. */
#define DT_CHOICE_MAX 8
unsigned dt_choice_read(dt_bytes typed, char out[DT_CHOICE_MAX], unsigned *which);

/* What may follow a password and a comma: a passcode, that of a YubiKey, or such a word. Its form that is sent
 * on is in `out`; false, and "", for anything else. */
#define DT_TYPED_MAX 128
bool dt_passcode_read_along(dt_bytes typed, char out[DT_TYPED_MAX]);

/* The others are read into a buffer of DT_TYPED_MAX bytes, which is all zeros unless the result is
 * DT_TYPED_PASSCODE. ASCII blanks at both ends are ignored. Pure. */
/* What a YubiKey types (Yubico OTP): 32 to 48 letters of its own alphabet, which is on the same keys of all
 * keyboards, in upper case where the keyboard is. `out` gets them in lower case. */
dt_typed dt_passcode_read_yubikey(dt_bytes typed, char out[DT_TYPED_MAX]);
/* A token's passcode, with its PIN where it has one: 4 to 32 letters and digits of ASCII. */
dt_typed dt_passcode_read_token(dt_bytes typed, char out[DT_TYPED_MAX]);
/* The answer to a security question: 4 characters or more of UTF-8 without controls, shorter than DT_TYPED_MAX
 * bytes. */
dt_typed dt_passcode_read_answer(dt_bytes typed, char out[DT_TYPED_MAX]);

#endif
