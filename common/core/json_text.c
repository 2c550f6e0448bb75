/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing JSON strings. Apart from the parser, since what we write needs no library. */
#include "core/json.h"

#include "core/utf8.h"

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
