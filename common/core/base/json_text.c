/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing JSON strings. Apart from the parser, since what we write needs no library. */
#include "core/base/json.h"

#include "core/base/utf8.h"

#include <string.h>

/* Written as it stands, without a look at what follows. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_escape(dt_buf *b, uint32_t cp)
{
    static char const digits[] = "0123456789abcdef";
    switch (cp) {
    case '"':
        dt_buf_puts(b, "\\\"");
        return;
    case '\\':
        dt_buf_puts(b, "\\\\");
        return;
    case '\n':
        dt_buf_puts(b, "\\n");
        return;
    case '\t':
        dt_buf_puts(b, "\\t");
        return;
    default:
        break;
    }
    char text[6] = {
        '\\',           'u', digits[cp >> 12 & 15], digits[cp >> 8 & 15], digits[cp >> 4 & 15],
        digits[cp & 15]};
    dt_buf_put(b, text, sizeof(text));
}

void dt_json_put_string(dt_buf *b, char const *s)
{
    dt_bytes text = dt_bytes_str(s);
    dt_buf_putc(b, '"');
    for (size_t i = 0; i < text.len && b->error == 0;) {
        size_t run = i;
        while (run < text.len && is_plain(text.p[run]))
            run++;
        dt_buf_put(b, text.p + i, run - i);
        i = run;
        if (i == text.len)
            break;
        uint32_t cp = 0xfffd;
        size_t n = dt_utf8_decode(text.p + i, text.len - i, &cp);
        if (n == 0)
            dt_buf_puts(b, "\xef\xbf\xbd");       /* U+FFFD */
        else if (n == 1 || !dt_utf8_is_shown(cp)) /* all that is not shown is below U+10000 */
            put_escape(b, cp);
        else
            dt_buf_put(b, text.p + i, n);
        i += n == 0 ? 1 : n;
    }
    dt_buf_putc(b, '"');
}

/* --- odd strings in what others wrote ------------------------------------------------------------- */

/* The four hex digits at `at`; -1 for anything else. */
static int32_t code_unit(dt_bytes text, size_t at)
{
    int32_t unit = 0;
    for (size_t i = at; i < at + 4; i++) {
        uint8_t c = i < text.len ? text.p[i] : 0;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

/* The bytes of an escape at `at`; *odd for one that stands for no character that a text may have. */
static size_t escape_len(dt_bytes text, size_t at, bool *odd)
{
    if (at + 1 >= text.len || text.p[at + 1] != 'u')
        return 2;
    int32_t unit = code_unit(text, at + 2), low = -1;
    if (unit < 0xd800 || unit > 0xdfff) {
        *odd = *odd || unit == 0;
        return 6;
    }
    if (unit < 0xdc00 && at + 7 < text.len && text.p[at + 6] == '\\' && text.p[at + 7] == 'u')
        low = code_unit(text, at + 8);
    if (low >= 0xdc00 && low <= 0xdfff)
        return 12;
    *odd = true;
    return 6;
}

/* The place after the string that begins at `at`. */
static size_t string_end(dt_bytes text, size_t at, bool *odd)
{
    *odd = false;
    for (size_t i = at + 1; i < text.len;) {
        uint32_t cp = 0;
        size_t n = 1;
        if (text.p[i] == '"')
            return i + 1;
        if (text.p[i] == '\\')
            n = escape_len(text, i, odd);
        else if (text.p[i] >= 0x80 && (n = dt_utf8_decode(text.p + i, text.len - i, &cp)) == 0)
            *odd = true;
        i += n == 0 ? 1 : n;
    }
    return text.len;
}

static bool is_member_name(dt_bytes text, size_t behind)
{
    while (behind < text.len && strchr(" \t\r\n", text.p[behind]) != NULL && text.p[behind] != 0)
        behind++;
    return behind < text.len && text.p[behind] == ':';
}

bool dt_json_blank_odd(dt_bytes text, dt_buf *out)
{
    bool any = false;
    for (size_t i = 0; i < text.len;) {
        bool odd = false;
        size_t end = i + 1;
        if (text.p[i] == '"')
            end = string_end(text, i, &odd);
        if (odd && !is_member_name(text, end)) {
            any = true;
            dt_buf_puts(out, "[]");
        } else {
            dt_buf_put(out, text.p + i, end > text.len ? text.len - i : end - i);
        }
        i = end;
    }
    return any;
}

int dt_json_parse_list(dt_bytes text, dt_json **out, dt_error *e)
{
    dt_error why = {0};
    int rc = dt_json_parse(text, out, e);
    if (rc != DT_E_PARSE)
        return rc;
    dt_buf blanked;
    dt_buf_init(&blanked, text.len + 1);
    if (dt_json_blank_odd(text, &blanked) && dt_buf_error(&blanked) == DT_OK &&
        dt_json_parse(dt_buf_bytes(&blanked), out, &why) == DT_OK)
        rc = DT_OK;
    dt_buf_free(&blanked);
    return rc;
}
