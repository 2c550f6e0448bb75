/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/okta/passcode.h"

#include "core/base/utf8.h"

#include <string.h>

typedef struct range {
    uint32_t first, last;
} range;

/* Unicode's White_Space, and what is not seen at all: zero-width characters and direction marks, which
 * phones and browsers put around copied numbers. */
static range const blanks[] = {
    {0x09, 0x0d},     {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},     {0xad, 0xad},
    {0x61c, 0x61c},   {0x1680, 0x1680}, {0x180e, 0x180e}, {0x2000, 0x200f}, {0x2028, 0x202f},
    {0x205f, 0x2064}, {0x2066, 0x2069}, {0x3000, 0x3000}, {0xfeff, 0xfeff},
};

/* Unicode's Dash_Punctuation as keyboards and word processors make it, and the minus sign. */
static range const dashes[] = {
    {0x2d, 0x2d},     {0x2010, 0x2015}, {0x2043, 0x2043}, {0x2212, 0x2212},
    {0xfe58, 0xfe58}, {0xfe63, 0xfe63}, {0xff0d, 0xff0d},
};

#define IS_IN(table, c) is_in(table, sizeof(table) / sizeof((table)[0]), c)

static bool is_in(range const *table, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count; i++) {
        if (c >= table[i].first && c <= table[i].last)
            return true;
    }
    return false;
}

static dt_typed not_a_passcode(char *out, dt_typed what)
{
    explicit_bzero(out, DT_PASSCODE_DIGITS_MAX + 1);
    return what;
}

dt_typed dt_passcode_read(dt_bytes typed, char out[DT_PASSCODE_DIGITS_MAX + 1])
{
    size_t digits = 0, step;
    bool nothing = true;

    memset(out, 0, DT_PASSCODE_DIGITS_MAX + 1);
    for (size_t at = 0; at < typed.len; at += step) {
        uint32_t c = 0;

        step = dt_utf8_decode(typed.p + at, typed.len - at, &c);
        if (step == 0)
            return not_a_passcode(out, DT_TYPED_OTHER);
        if (IS_IN(blanks, c))
            continue;
        nothing = false;
        if (IS_IN(dashes, c))
            continue;
        if (c < '0' || c > '9' || digits == DT_PASSCODE_DIGITS_MAX)
            return not_a_passcode(out, DT_TYPED_OTHER);
        out[digits++] = (char)c;
    }
    if (digits >= DT_PASSCODE_DIGITS_MIN)
        return DT_TYPED_PASSCODE;
    return not_a_passcode(out, nothing ? DT_TYPED_NOTHING : DT_TYPED_OTHER);
}
