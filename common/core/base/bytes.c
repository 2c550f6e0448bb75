/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes, the growing buffer, bounded string copies, hex and escapes. See also base64.c, secret.c. */
#include "core/base/bytes.h"

#include "core/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_CAP 256      /* first growth of a buffer, bytes */
#define BUF_MAX (SIZE_MAX / 8) /* largest ceiling: doubling must not overflow */

/* What an empty buffer's p points to, so that it is a C string before anything is allocated. Its
 * cap is 0, so it is never written. */
static uint8_t no_storage[1];

dt_bytes dt_bytes_of(void const *p, size_t len)
{
    return (dt_bytes){.p = p, .len = len};
}

dt_bytes dt_bytes_str(char const *s)
{
    return dt_bytes_of(s, s == NULL ? 0 : strlen(s));
}

bool dt_bytes_equal(dt_bytes a, dt_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* A NUL is in no text of blanks. */
static bool is_one_of(uint8_t c, char const *blanks)
{
    return c != '\0' && strchr(blanks, c) != NULL;
}

dt_bytes dt_bytes_trim(dt_bytes b, char const *blanks)
{
    while (b.len > 0 && is_one_of(b.p[0], blanks))
        b = dt_bytes_of(b.p + 1, b.len - 1);
    while (b.len > 0 && is_one_of(b.p[b.len - 1], blanks))
        b.len--;
    return b;
}

void dt_buf_init(dt_buf *b, size_t max)
{
    *b = (dt_buf){.p = no_storage, .max = max < BUF_MAX ? max : BUF_MAX};
}

void dt_buf_init_fixed(dt_buf *b, void *storage, size_t size)
{
    if (size == 0) {
        *b = (dt_buf){.p = no_storage, .fixed = true};
        return;
    }
    *b = (dt_buf){.p = storage, .cap = size, .max = size - 1, .fixed = true};
    b->p[0] = '\0';
}

void dt_buf_free(dt_buf *b)
{
    if (b->cap > 0)
        explicit_bzero(b->p, b->cap);
    if (!b->fixed && b->cap > 0)
        free(b->p);
    *b = (dt_buf){0};
}

void dt_buf_reset(dt_buf *b)
{
    b->len = 0;
    b->error = 0;
    if (b->cap > 0)
        b->p[0] = '\0';
}

void dt_buf_truncate(dt_buf *b, size_t len)
{
    if (len >= b->len)
        return;
    b->len = len;
    b->p[len] = '\0';
}

/* Moves the content to a new allocation. By hand and not by realloc, which would leave a copy of the
 * old one behind unwiped. */
static bool buf_grow(dt_buf *b, size_t need)
{
    size_t cap = b->cap == 0 ? BUF_FIRST_CAP : b->cap * 2;
    if (cap - 1 > b->max)
        cap = b->max + 1;
    cap = cap < need ? need : cap;
    uint8_t *p = malloc(cap);
    if (p == NULL) {
        b->error = DT_E_NOMEM;
        return false;
    }
    if (b->cap > 0) {
        memcpy(p, b->p, b->len);
        explicit_bzero(b->p, b->cap);
        free(b->p);
    }
    p[b->len] = '\0';
    b->p = p;
    b->cap = cap;
    return true;
}

/* Makes room for `more` bytes and the NUL; false, with the error set, when there is none. */
static bool buf_reserve(dt_buf *b, size_t more)
{
    if (b->error != 0)
        return false;
    if (more > b->max - b->len) {
        b->error = DT_E_LIMIT;
        return false;
    }
    size_t need = b->len + more + 1;
    return need <= b->cap || buf_grow(b, need);
}

void dt_buf_put(dt_buf *b, void const *p, size_t len)
{
    if (len == 0 || !buf_reserve(b, len))
        return;
    memcpy(b->p + b->len, p, len);
    b->len += len;
    b->p[b->len] = '\0';
}

void dt_buf_puts(dt_buf *b, char const *s)
{
    if (s != NULL)
        dt_buf_put(b, s, strlen(s));
}

void dt_buf_putc(dt_buf *b, char c)
{
    dt_buf_put(b, &c, 1);
}

void dt_buf_printf(dt_buf *b, char const *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        b->error = b->error != 0 ? b->error : DT_E_LIMIT;
    if (n <= 0 || !buf_reserve(b, (size_t)n))
        return;
    va_start(args, fmt);
    (void)vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, args);
    va_end(args);
    b->len += (size_t)n;
}

void dt_buf_put_int(dt_buf *b, int64_t v)
{
    char text[20]; /* "-9223372036854775808" */
    size_t at = sizeof(text);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0)
        text[--at] = '-';
    dt_buf_put(b, text + at, sizeof(text) - at);
}

int dt_buf_error(dt_buf const *b)
{
    return b->error;
}

dt_bytes dt_buf_bytes(dt_buf const *b)
{
    return dt_bytes_of(b->p, b->len);
}

int dt_str_copy_bytes(char *dst, size_t size, dt_bytes src)
{
    if (size == 0)
        return DT_E_LIMIT;
    dst[0] = '\0';
    if (src.len > 0 && memchr(src.p, '\0', src.len) != NULL)
        return DT_E_PARSE;
    if (src.len >= size)
        return DT_E_LIMIT;
    if (src.len > 0)
        memmove(dst, src.p, src.len);
    dst[src.len] = '\0';
    return DT_OK;
}

int dt_str_copy(char *dst, size_t size, char const *src)
{
    return dt_str_copy_bytes(dst, size, dt_bytes_str(src));
}

static unsigned char ascii_lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

bool dt_str_equal_nocase(char const *a, char const *b)
{
    if (a == NULL || b == NULL)
        return false;
    while (*a != '\0' && ascii_lower(*a) == ascii_lower(*b)) {
        a++;
        b++;
    }
    return ascii_lower(*a) == ascii_lower(*b);
}

void dt_hex(char *dst, uint8_t const *p, size_t len)
{
    static char const digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        dst[2 * i] = digits[p[i] >> 4];
        dst[2 * i + 1] = digits[p[i] & 0x0f];
    }
    dst[2 * len] = '\0';
}

void dt_buf_put_escaped(dt_buf *b, dt_bytes src)
{
    for (size_t i = 0; i < src.len;) {
        uint32_t cp = 0;
        size_t n = dt_utf8_decode(src.p + i, src.len - i, &cp);
        bool shown = n > 0 && dt_utf8_is_shown(cp);
        n = n == 0 ? 1 : n;
        if (b->error != 0 || (shown ? n : 4 * n) > b->max - b->len)
            return;
        for (size_t k = 0; !shown && k < n; k++) {
            char hex[5] = "\\x";
            dt_hex(hex + 2, src.p + i + k, 1);
            dt_buf_put(b, hex, 4);
        }
        if (shown)
            dt_buf_put(b, src.p + i, n);
        i += n;
    }
}

char *dt_str_escape(char *dst, size_t size, char const *src)
{
    dt_buf b;
    dt_buf_init_fixed(&b, dst, size);
    dt_buf_put_escaped(&b, dt_bytes_str(src));
    return dst;
}
