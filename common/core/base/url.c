/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Taking URLs apart (RFC 3986), and percent-encoding. */
#include "core/base/url.h"

#include <string.h>

#define HTTPS_SCHEME "https://"
#define HTTPS_PORT 443
#define HTTP_SCHEME "http://"
#define HTTP_PORT 80
#define PORT_MAX 65535

static bool is_alnum(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_unreserved(uint8_t c)
{
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* memchr that knows NUL is in no set. */
static bool is_one_of(uint8_t c, char const *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_path_or_query(dt_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.p[i];
        if (c == '%' && (text.len - i < 3 || !is_hex(text.p[i + 1]) || !is_hex(text.p[i + 2])))
            return false;
        if (c != '%' && !is_unreserved(c) && !is_one_of(c, "!$&'()*+,;=:@/?"))
            return false;
    }
    return true;
}

static dt_bytes bytes_from(dt_bytes text, size_t start)
{
    return dt_bytes_of(text.p + start, text.len - start);
}

/* The length of text's beginning that holds none of the characters of `stop`. */
static size_t span_until(dt_bytes text, char const *stop)
{
    size_t n = 0;
    while (n < text.len && !is_one_of(text.p[n], stop))
        n++;
    return n;
}

/* How many dots a path segment consists of, each plain or as %2e; 0 when it holds anything else. */
static size_t segment_dots(dt_bytes segment)
{
    size_t dots = 0;
    for (size_t i = 0; i < segment.len; dots++) {
        bool coded = segment.len - i >= 3 && segment.p[i] == '%' && segment.p[i + 1] == '2' &&
                     (segment.p[i + 2] | 0x20) == 'e';
        if (segment.p[i] != '.' && !coded)
            return 0;
        i += coded ? 3 : 1;
    }
    return dots;
}

static bool has_dot_segments(dt_bytes path)
{
    while (path.len > 0) {
        path = bytes_from(path, 1); /* the slash */
        size_t n = span_until(path, "/");
        size_t dots = segment_dots(dt_bytes_of(path.p, n));
        if (dots == 1 || dots == 2)
            return true;
        path = bytes_from(path, n);
    }
    return false;
}

static int parse_port(dt_bytes text, unsigned *out)
{
    unsigned port = 0;
    if (text.len == 0 || text.len > 5 || text.p[0] == '0')
        return DT_E_PARSE;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return DT_E_PARSE;
        port = port * 10 + (text.p[i] - '0');
    }
    if (port > PORT_MAX)
        return DT_E_PARSE;
    *out = port;
    return DT_OK;
}

static bool is_host(dt_bytes host, bool literal)
{
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.p[i];
        if (literal ? !is_hex(c) && c != ':' && c != '.' : !is_alnum(c) && !is_one_of(c, "-._"))
            return false;
    }
    return host.len > 0;
}

/* host[:port] or [IPv6][:port]. User info cannot pass: "@" is not a character of a host. */
static int parse_authority(dt_bytes text, unsigned port, dt_url *out)
{
    out->literal = text.len > 0 && text.p[0] == '[';
    if (out->literal)
        text = bytes_from(text, 1);
    size_t n = span_until(text, out->literal ? "]" : ":");
    out->host = dt_bytes_of(text.p, n);
    if (!is_host(out->host, out->literal) || (out->literal && n == text.len))
        return DT_E_PARSE;
    text = bytes_from(text, out->literal ? n + 1 : n);
    out->port = port;
    if (text.len == 0)
        return DT_OK;
    return text.p[0] == ':' ? parse_port(bytes_from(text, 1), &out->port) : DT_E_PARSE;
}

static bool has_scheme(char const *text, char const *scheme)
{
    return text != NULL && strncmp(text, scheme, strlen(scheme)) == 0;
}

static int parse_from(char const *text, char const *scheme, unsigned port, dt_url *out)
{
    memset(out, 0, sizeof(*out));
    dt_bytes rest = bytes_from(dt_bytes_str(text), strlen(scheme));
    size_t n = span_until(rest, "/?");
    int rc = parse_authority(dt_bytes_of(rest.p, n), port, out);
    if (rc != DT_OK)
        return rc;
    rest = bytes_from(rest, n);
    n = span_until(rest, "?");
    out->path = dt_bytes_of(rest.p, n);
    out->query = n < rest.len ? bytes_from(rest, n + 1) : bytes_from(rest, n);
    if (!is_path_or_query(out->path) || !is_path_or_query(out->query))
        return DT_E_PARSE;
    return has_dot_segments(out->path) ? DT_E_PARSE : DT_OK;
}

int dt_url_parse(char const *text, dt_url *out)
{
    memset(out, 0, sizeof(*out));
    return has_scheme(text, HTTPS_SCHEME) ? parse_from(text, HTTPS_SCHEME, HTTPS_PORT, out)
                                          : DT_E_PARSE;
}

int dt_url_parse_http(char const *text, dt_url *out)
{
    return has_scheme(text, HTTP_SCHEME) ? parse_from(text, HTTP_SCHEME, HTTP_PORT, out)
                                         : dt_url_parse(text, out);
}

bool dt_url_same_origin(dt_url const *a, dt_url const *b)
{
    if (a->host.len != b->host.len || a->literal != b->literal || a->port != b->port)
        return false;
    for (size_t i = 0; i < a->host.len; i++) {
        uint8_t x = a->host.p[i], y = b->host.p[i];
        x |= x >= 'A' && x <= 'Z' ? 0x20 : 0;
        y |= y >= 'A' && y <= 'Z' ? 0x20 : 0;
        if (x != y)
            return false;
    }
    return a->host.len > 0;
}

void dt_url_put_segment(dt_buf *b, char const *segment)
{
    static char const digits[] = "0123456789ABCDEF";
    for (char const *s = segment == NULL ? "" : segment; *s != '\0'; s++) {
        uint8_t c = (uint8_t)*s;
        if (is_unreserved(c)) {
            dt_buf_putc(b, *s);
        } else {
            char coded[3] = {'%', digits[c >> 4], digits[c & 15]};
            dt_buf_put(b, coded, sizeof(coded));
        }
    }
}
