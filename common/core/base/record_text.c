/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/record_text.h"

#include <string.h>

bool dt_record_take(dt_bytes *text, char end, dt_bytes *out)
{
    uint8_t const *p = text->len == 0 ? NULL : memchr(text->p, end, text->len);
    if (p == NULL)
        return false;
    *out = dt_bytes_of(text->p, (size_t)(p - text->p));
    *text = dt_bytes_of(p + 1, text->len - out->len - 1);
    return true;
}

bool dt_record_take_number(dt_bytes *text, char end, int64_t max, int64_t *out)
{
    dt_bytes digits;
    int64_t n = 0;
    if (!dt_record_take(text, end, &digits) || digits.len == 0)
        return false;
    if (digits.p[0] == '0' && digits.len > 1)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        int digit = digits.p[i] - '0';
        if (digit < 0 || digit > 9 || n > (INT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return n <= max;
}

bool dt_record_is_line(char const *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}
