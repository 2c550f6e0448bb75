/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Response headers: Date, X-Rate-Limit-*, Retry-After, Link. What is not of its form is as good as
 * missing; nothing here is trusted for more than pacing and paging. */
#include "edge/http_header.h"

#include <curl/curl.h>
#include <string.h>

#define RETRY_AFTER_MAX DT_HOURS(24)
#define EPOCH_SECONDS_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

void dt_http_headers_init(dt_http_headers *h)
{
    *h = (dt_http_headers){.rate_limit = -1, .rate_remaining = -1, .retry_seconds = -1};
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

/* True when `a` begins with `b` (lower case), whatever a's case; ASCII only, in any locale. */
static bool begins_nocase(dt_bytes a, char const *b)
{
    size_t len = strlen(b);
    for (size_t i = 0; i < len; i++) {
        if (i >= a.len || lower(a.p[i]) != (uint8_t)b[i])
            return false;
    }
    return true;
}

static bool is_nocase(dt_bytes a, char const *b)
{
    return a.len == strlen(b) && begins_nocase(a, b);
}

/* Digits only, at most `max`; -1 else. */
static int64_t parse_number(dt_bytes text, int64_t max)
{
    int64_t v = 0;
    if (text.len == 0)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        v = v * 10 + (text.p[i] - '0');
        if (v > max)
            return -1;
    }
    return v;
}

/* --- dates ------------------------------------------------------------------------------------ */

static bool is_of_form(char form, uint8_t c)
{
    if (form == '#')
        return c >= '0' && c <= '9';
    if (form == 'A')
        return c >= 'A' && c <= 'Z';
    return form == 'a' ? c >= 'a' && c <= 'z' : (uint8_t)form == c;
}

int dt_http_date_parse(dt_bytes text, dt_time *out)
{
    /* "Sun, 06 Nov 1994 08:49:37 GMT"; curl_getdate takes much else, and year 0001 for 2001. */
    static char const form[] = "Aaa, ## Aaa #### ##:##:## GMT";
    char date[sizeof(form)] = "";

    *out = 0;
    if (text.len != sizeof(form) - 1)
        return DT_E_PARSE;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_of_form(form[i], text.p[i]))
            return DT_E_PARSE;
    }
    memcpy(date, text.p, text.len);
    time_t t = memcmp(date + 12, "1970", 4) < 0 ? -1 : curl_getdate(date, NULL);
    if (t < 0)
        return DT_E_PARSE;
    *out = DT_SECONDS((int64_t)t);
    return DT_OK;
}

/* --- Link ------------------------------------------------------------------------------------- */

/* True when the parameters after a link's ">" hold rel=next (RFC 8288 section 3.3; the value may be
 * a list of words). */
static bool params_say_next(dt_bytes params)
{
    for (size_t i = 0; i + 4 <= params.len; i++) {
        if (!begins_nocase(dt_bytes_of(params.p + i, params.len - i), "rel="))
            continue;
        if (i > 0 && memchr(" \t;", params.p[i - 1], 3) == NULL)
            continue;
        dt_bytes value = dt_bytes_of(params.p + i + 4, params.len - i - 4);
        if (value.len > 0 && value.p[0] == '"')
            value = dt_bytes_of(value.p + 1, value.len - 1);
        uint8_t const *end = value.len == 0 ? NULL : memchr(value.p, '"', value.len);
        if (end != NULL)
            value.len = (size_t)(end - value.p);
        return is_nocase(dt_bytes_trim(value, " \t\r\n"), "next");
    }
    return false;
}

/* NQCHAR of RFC 6749 appendix A: it goes into JSON, and into no header. */
static void take_nonce(dt_http_headers *h, dt_bytes value)
{
    bool fine = value.len < sizeof(h->dpop_nonce);
    for (size_t i = 0; fine && i < value.len; i++)
        fine = value.p[i] > 0x20 && value.p[i] < 0x7f && value.p[i] != '"' && value.p[i] != '\\';
    h->dpop_nonce[0] = '\0';
    if (fine)
        (void)dt_str_copy_bytes(h->dpop_nonce, sizeof(h->dpop_nonce), value);
}

/* The end of one link's parameters: the comma before the next "<", outside quotes. */
static size_t link_params_length(dt_bytes b)
{
    bool quoted = false;
    for (size_t i = 0; i < b.len; i++) {
        if (b.p[i] == '"')
            quoted = !quoted;
        if (b.p[i] == ',' && !quoted)
            return i;
    }
    return b.len;
}

static int take_link(dt_http_headers *h, dt_bytes value)
{
    while (value.len > 0) {
        uint8_t const *open = memchr(value.p, '<', value.len);
        if (open == NULL)
            return DT_OK;
        value = dt_bytes_of(open + 1, value.len - (size_t)(open - value.p) - 1);
        uint8_t const *close = value.len == 0 ? NULL : memchr(value.p, '>', value.len);
        if (close == NULL)
            return DT_OK;
        dt_bytes url = dt_bytes_of(value.p, (size_t)(close - value.p));
        value = dt_bytes_of(close + 1, value.len - url.len - 1);
        dt_bytes params = dt_bytes_of(value.p, link_params_length(value));
        if (params_say_next(params))
            return dt_str_copy_bytes(h->next_link, sizeof(h->next_link), url);
        value = dt_bytes_of(value.p + params.len, value.len - params.len);
    }
    return DT_OK;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void take_retry_after(dt_http_headers *h, dt_bytes value)
{
    h->retry_seconds = parse_number(value, EPOCH_SECONDS_MAX);
    if (h->retry_seconds < 0 && dt_http_date_parse(value, &h->retry_at) != 0)
        h->retry_at = 0;
}

static int read_header(dt_http_headers *h, dt_bytes name, dt_bytes value)
{
    if (is_nocase(name, "date")) {
        if (dt_http_date_parse(value, &h->date) != 0)
            h->date = 0;
    } else if (is_nocase(name, "x-rate-limit-limit")) {
        h->rate_limit = parse_number(value, INT64_MAX / 16);
    } else if (is_nocase(name, "x-rate-limit-remaining")) {
        h->rate_remaining = parse_number(value, INT64_MAX / 16);
    } else if (is_nocase(name, "x-rate-limit-reset")) {
        int64_t seconds = parse_number(value, EPOCH_SECONDS_MAX);
        h->rate_reset = seconds < 0 ? 0 : DT_SECONDS(seconds);
    } else if (is_nocase(name, "retry-after")) {
        take_retry_after(h, value);
    } else if (is_nocase(name, "dpop-nonce")) {
        take_nonce(h, value);
    } else if (is_nocase(name, "link")) {
        return take_link(h, value);
    }
    return DT_OK;
}

int dt_http_headers_add(dt_http_headers *h, dt_bytes line)
{
    size_t bytes = h->bytes + line.len;
    if (bytes > DT_HTTP_HEADERS_MAX)
        return DT_E_LIMIT;
    if (line.len >= 5 && memcmp(line.p, "HTTP/", 5) == 0)
        dt_http_headers_init(h);
    h->bytes = bytes;
    uint8_t const *colon = line.len == 0 ? NULL : memchr(line.p, ':', line.len);
    if (colon == NULL)
        return DT_OK;
    size_t at = (size_t)(colon - line.p);
    int rc = read_header(h, dt_bytes_of(line.p, at),
                         dt_bytes_trim(dt_bytes_of(line.p + at + 1, line.len - at - 1), " \t\r\n"));
    return rc == 0 ? DT_OK : DT_E_LIMIT;
}

dt_time dt_http_headers_retry_after(dt_http_headers const *h, dt_time now)
{
    dt_time wait = 0;
    if (h->retry_seconds >= 0)
        wait = h->retry_seconds > RETRY_AFTER_MAX / 1000 ? RETRY_AFTER_MAX
                                                         : DT_SECONDS(h->retry_seconds);
    else if (h->retry_at > 0)
        wait = h->retry_at - (h->date > 0 ? h->date : now);
    if (wait < 0)
        return 0;
    return wait > RETRY_AFTER_MAX ? RETRY_AFTER_MAX : wait;
}
