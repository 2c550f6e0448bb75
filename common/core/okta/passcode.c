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

/* Without blanks at the ends; DT_TYPED_NOTHING when that is all, DT_TYPED_OTHER when it is too long. */
static dt_typed copy_trimmed(dt_bytes typed, char out[DT_TYPED_MAX])
{
    memset(out, 0, DT_TYPED_MAX);
    while (typed.len > 0 && memchr(" \t\r\n", typed.p[0], 4) != NULL) {
        typed.p++;
        typed.len--;
    }
    while (typed.len > 0 && memchr(" \t\r\n", typed.p[typed.len - 1], 4) != NULL)
        typed.len--;
    if (typed.len == 0)
        return DT_TYPED_NOTHING;
    if (typed.len >= DT_TYPED_MAX || memchr(typed.p, 0, typed.len) != NULL)
        return DT_TYPED_OTHER;
    memcpy(out, typed.p, typed.len);
    return DT_TYPED_PASSCODE;
}

static dt_typed unless(bool bad, char out[DT_TYPED_MAX])
{
    if (!bad)
        return DT_TYPED_PASSCODE;
    explicit_bzero(out, DT_TYPED_MAX);
    return DT_TYPED_OTHER;
}

dt_typed dt_passcode_read_yubikey(dt_bytes typed, char out[DT_TYPED_MAX])
{
    dt_typed what = copy_trimmed(typed, out);
    size_t len = strlen(out);

    if (what != DT_TYPED_PASSCODE)
        return what;
    for (char *p = out; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return unless(len < 32 || len > 48 || out[strspn(out, "cbdefghijklnrtuv")] != '\0', out);
}

dt_typed dt_passcode_read_token(dt_bytes typed, char out[DT_TYPED_MAX])
{
    static char const allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    dt_typed what = copy_trimmed(typed, out);
    size_t len = strlen(out);

    if (what != DT_TYPED_PASSCODE)
        return what;
    return unless(len < 4 || len > 32 || out[strspn(out, allowed)] != '\0', out);
}

dt_typed dt_passcode_read_answer(dt_bytes typed, char out[DT_TYPED_MAX])
{
    dt_typed what = copy_trimmed(typed, out);
    size_t len = strlen(out), characters = 0, step;
    bool bad = false;

    if (what != DT_TYPED_PASSCODE)
        return what;
    for (size_t at = 0; at < len && !bad; at += step, characters++) {
        uint32_t c = 0;

        step = dt_utf8_decode((uint8_t const *)out + at, len - at, &c);
        bad = step == 0 || !dt_utf8_is_shown(c);
    }
    return unless(bad || characters < 4, out);
}

static struct {
    char const *word;
    unsigned types;
} const choices[] = {
#define X(word, types) {word, types},
    DT_FACTOR_CHOICES(X)
#undef X
};

unsigned dt_choice_read(dt_bytes typed, char out[DT_CHOICE_MAX], unsigned *which)
{
    char text[DT_TYPED_MAX];
    size_t len;

    memset(out, 0, DT_CHOICE_MAX);
    *which = 1;
    if (copy_trimmed(typed, text) != DT_TYPED_PASSCODE)
        return 0;
    len = strlen(text);
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        size_t n = strlen(choices[i].word);

        if (strncasecmp(text, choices[i].word, n) != 0 || len > n + 1 ||
            (len == n + 1 && (text[n] < '1' || text[n] > '9')))
            continue;
        memcpy(out, choices[i].word, n);
        out[n] = text[n];
        if (len > n)
            *which = (unsigned)(text[n] - '0');
        explicit_bzero(text, sizeof(text));
        return choices[i].types;
    }
    explicit_bzero(text, sizeof(text)); /* it may have been a password */
    return 0;
}

bool dt_passcode_read_along(dt_bytes typed, char out[DT_TYPED_MAX])
{
    unsigned which;

    memset(out, 0, DT_TYPED_MAX);
    return dt_passcode_read(typed, out) == DT_TYPED_PASSCODE ||
           dt_choice_read(typed, out, &which) != 0 ||
           dt_passcode_read_yubikey(typed, out) == DT_TYPED_PASSCODE;
}
