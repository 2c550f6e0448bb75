/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8 decoding, and the one list of code points that must never reach a log or a terminal. */
#include "core/base/utf8.h"

#include <string.h>

/* The bytes a lead byte announces, 0 when no sequence starts so. */
static size_t utf8_length(uint8_t lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

size_t dt_utf8_decode(uint8_t const *p, size_t len, uint32_t *code_point)
{
    static uint32_t const smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = len == 0 ? 0 : utf8_length(p[0]);
    if (n == 0 || n > len)
        return 0;
    uint32_t cp = n == 1 ? p[0] : p[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (p[i] & 0x3fU);
    }
    if (cp < smallest[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return 0;
    *code_point = cp;
    return n;
}

bool dt_utf8_is_shown(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f))
        return false;
    if (cp == 0x061c || cp == 0x200e || cp == 0x200f || cp == 0xfeff)
        return false;
    return !(cp >= 0x2028 && cp <= 0x202e) && !(cp >= 0x2066 && cp <= 0x2069);
}

char const *dt_text_encoding_fault(dt_bytes text)
{
    if (text.len >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        return "the file begins with a byte order mark (BOM); save it as UTF-8 without one (in "
               "vim: "
               ":set nobomb)";
    if (text.len >= 2 && (memcmp(text.p, "\xff\xfe", 2) == 0 || memcmp(text.p, "\xfe\xff", 2) == 0))
        return "the file is UTF-16; save it as UTF-8, or run: iconv -f UTF-16 -t UTF-8 FILE";
    return NULL;
}
