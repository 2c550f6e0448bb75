/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GUIDs from text and from Windows' bytes, normalised so that equal devices compare equal. */
#include "core/base/guid.h"

#include <string.h>

#define GUID_BYTES 16
#define GUID_HEX_DIGITS 32

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Writes the 8-4-4-4-12 form. The nil GUID is what unset fields hold, and the one of all ones what
 * firmware does (RFC 9562, sections 5.9 and 5.10): neither names a device. */
static int guid_from_bytes(uint8_t const raw[GUID_BYTES], dt_guid *out)
{
    static char const digits[] = "0123456789abcdef";
    uint8_t any = 0, all = 0xff;
    char *w = out->text;
    for (size_t i = 0; i < GUID_BYTES; i++) {
        any |= raw[i];
        all &= raw[i];
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *w++ = '-';
        *w++ = digits[raw[i] >> 4];
        *w++ = digits[raw[i] & 15];
    }
    *w = '\0';
    if (any != 0 && all != 0xff)
        return 0;
    out->text[0] = '\0';
    return DT_E_PARSE;
}

/* Whether a hyphen stands before hex digit number n in the hyphenated form. */
static bool hyphen_before(size_t n)
{
    return n == 8 || n == 12 || n == 16 || n == 20;
}

int dt_guid_parse(dt_bytes text, dt_guid *out)
{
    out->text[0] = '\0';
    if (text.len >= 2 && text.p[0] == '{' && text.p[text.len - 1] == '}')
        text = dt_bytes_of(text.p + 1, text.len - 2);
    bool const hyphens = text.len == DT_GUID_LEN;
    if (!hyphens && text.len != GUID_HEX_DIGITS)
        return DT_E_PARSE;
    uint8_t raw[GUID_BYTES] = {0};
    size_t at = 0;
    for (size_t n = 0; n < GUID_HEX_DIGITS; n++) {
        if (hyphens && hyphen_before(n) && text.p[at++] != '-')
            return DT_E_PARSE;
        int const v = hex_digit(text.p[at++]);
        if (v < 0)
            return DT_E_PARSE;
        raw[n / 2] = (uint8_t)(raw[n / 2] << 4 | v);
    }
    return guid_from_bytes(raw, out);
}

int dt_guid_from_le(dt_bytes raw, dt_guid *out)
{
    out->text[0] = '\0';
    if (raw.len != GUID_BYTES)
        return DT_E_PARSE;
    /* Where each byte of the text form stands in Windows' structure. */
    static uint8_t const from[GUID_BYTES] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    uint8_t ordered[GUID_BYTES];
    for (size_t i = 0; i < GUID_BYTES; i++)
        ordered[i] = raw.p[from[i]];
    return guid_from_bytes(ordered, out);
}

bool dt_guid_is_set(dt_guid const *g)
{
    return g->text[0] != '\0';
}

bool dt_guid_equal(dt_guid const *a, dt_guid const *b)
{
    return dt_guid_is_set(a) && dt_guid_is_set(b) && memcmp(a->text, b->text, sizeof(a->text)) == 0;
}
