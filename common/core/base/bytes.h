/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes: borrowed (dt_bytes), growing with a ceiling (dt_buf), and secret (dt_secret).
 * secret.c defines dt_const_time_equal, base64.c dt_base64_... and dt_base64url_... */
#ifndef DT_CORE_BYTES_H
#define DT_CORE_BYTES_H

#include "core/base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds since 1970-01-01T00:00:00Z. Everything in the core that speaks of time uses this
 * one type and is handed `now`; only the driver and the edges read a clock. */
typedef int64_t dt_time;
#define DT_TIME_NEVER INT64_MAX
#define DT_SECONDS(n) ((dt_time)(n)*1000)
#define DT_MINUTES(n) DT_SECONDS((dt_time)(n)*60)
#define DT_HOURS(n) DT_MINUTES((dt_time)(n)*60)
#define DT_DAYS(n) DT_HOURS((dt_time)(n)*24)

/* Borrowed bytes: never owned, never freed; valid as long as what they point into. */
typedef struct dt_bytes {
    uint8_t const *p;
    size_t len;
} dt_bytes;

dt_bytes dt_bytes_of(void const *p, size_t len);
/* The bytes of a C string without its NUL; NULL gives empty bytes. */
dt_bytes dt_bytes_str(char const *s);
bool dt_bytes_equal(dt_bytes a, dt_bytes b);
/* Without the bytes of `blanks` at either end. */
dt_bytes dt_bytes_trim(dt_bytes b, char const *blanks);

/* A growing buffer with a ceiling. Errors stick: after the first failed append (memory, ceiling)
 * every append is a no-op and dt_buf_error() is negative, so a run of appends needs one check.
 * The content is always NUL-terminated after `len`, so `(char *)b.p` is a C string. An append that
 * does not fit leaves the content as it was. Memory is wiped before it is given back. */
typedef struct dt_buf {
    uint8_t *p;
    size_t len;
    size_t cap;
    size_t max; /* ceiling on len, set at init */
    int error;  /* 0, DT_E_NOMEM or DT_E_LIMIT */
    bool fixed; /* p is borrowed storage of cap bytes (dt_buf_init_fixed) and never grows */
} dt_buf;

/* Starts an empty buffer that may grow to `max` bytes. Free with dt_buf_free. */
void dt_buf_init(dt_buf *b, size_t max);
/* Starts an empty buffer over the caller's storage; max is size - 1. Needs no free. */
void dt_buf_init_fixed(dt_buf *b, void *storage, size_t size);
void dt_buf_free(dt_buf *b);
/* Empties the buffer, keeps its memory, clears the sticky error. */
void dt_buf_reset(dt_buf *b);
/* Cuts the content back to len bytes; keeps a sticky error. Nothing when it is not longer. */
void dt_buf_truncate(dt_buf *b, size_t len);
void dt_buf_put(dt_buf *b, void const *p, size_t len);
void dt_buf_puts(dt_buf *b, char const *s);
void dt_buf_putc(dt_buf *b, char c);
void dt_buf_printf(dt_buf *b, char const *fmt, ...) DT_PRINTF(2, 3);
/* Appends a decimal number; much cheaper than printf. */
void dt_buf_put_int(dt_buf *b, int64_t v);
DT_MUST_USE int dt_buf_error(dt_buf const *b);
dt_bytes dt_buf_bytes(dt_buf const *b);

/* Copies a C string into `dst` of `size` bytes. 0, or DT_E_LIMIT when it does not fit (dst is then
 * the empty string: a cut name could name somebody else). src NULL gives "". */
DT_MUST_USE int dt_str_copy(char *dst, size_t size, char const *src);
/* Like dt_str_copy, from bytes; DT_E_PARSE when they hold a NUL. */
DT_MUST_USE int dt_str_copy_bytes(char *dst, size_t size, dt_bytes src);
/* ASCII-only, locale-free. */
bool dt_str_equal_nocase(char const *a, char const *b);

/* Writes `src` so that it is safe in a log line or on a terminal: printable ASCII and valid UTF-8
 * above U+009F stay, everything else (control characters, escapes, broken UTF-8, bidi overrides
 * U+202A..202E, U+2066..2069 and their like: dt_utf8_is_shown) becomes \xNN. Cuts at the buffer's
 * ceiling without an error, never within a character. */
void dt_buf_put_escaped(dt_buf *b, dt_bytes src);
/* As a C string in the caller's storage, cut to fit. Returns dst. */
char *dt_str_escape(char *dst, size_t size, char const *src);

/* Lower-case hex; dst needs 2 * len + 1 bytes. */
void dt_hex(char *dst, uint8_t const *p, size_t len);
/* base64 and base64url without padding. Encoders append to `out`. */
void dt_base64_encode(dt_buf *out, dt_bytes in);
void dt_base64url_encode(dt_buf *out, dt_bytes in);
/* Strict decoders: no white space, right padding (base64), no stray bits. DT_E_PARSE else, and `out`
 * is left as it was. */
DT_MUST_USE int dt_base64_decode(dt_buf *out, dt_bytes in);
DT_MUST_USE int dt_base64url_decode(dt_buf *out, dt_bytes in);

/* A secret: owns its bytes, wipes them on every change and on free. There is no way to print one. */
typedef struct dt_secret dt_secret;

/* Longest secret (API token, pass phrase, State key). */
#define DT_SECRET_MAX 4096

/* A new secret with a copy of the bytes. DT_E_NOMEM, DT_E_LIMIT. Free with dt_secret_free. */
DT_MUST_USE int dt_secret_new(dt_bytes value, dt_secret **out);
/* Wipes and frees; nulls the pointer. NULL is fine. */
void dt_secret_free(dt_secret **s);
/* The bytes, borrowed until the secret is changed or freed. */
dt_bytes dt_secret_bytes(dt_secret const *s);
/* Constant time in the content (not in the length). NULL equals nothing, not even NULL. */
bool dt_secret_equal(dt_secret const *s, dt_bytes value);
/* memcmp == 0 in constant time over len bytes. */
bool dt_const_time_equal(void const *a, void const *b, size_t len);

#endif
