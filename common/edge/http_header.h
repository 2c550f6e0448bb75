/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the few response headers that a sign-on looks at. Pure; knows nothing of libcurl. */
#ifndef DT_EDGE_HTTP_HEADER_H
#define DT_EDGE_HTTP_HEADER_H

#include "core/base/step.h"

#define DT_HTTP_NONCE_MAX 256           /* of a DPoP-Nonce header, its NUL included */
#define DT_HTTP_HEADERS_MAX (64 * 1024) /* bytes of all header lines of one response */

typedef struct dt_http_headers {
    size_t bytes;
    dt_time date;                       /* 0 when missing */
    int64_t rate_limit, rate_remaining; /* -1 when missing */
    dt_time rate_reset;                 /* 0 when missing */
    int64_t retry_seconds;              /* Retry-After as seconds; -1 when missing */
    dt_time retry_at;                   /* Retry-After as a date; 0 when missing */
    char next_link[DT_URL_MAX];         /* "" when missing */
    char dpop_nonce
        [DT_HTTP_NONCE_MAX]; /* DPoP-Nonce; "" when missing, or not one (RFC 9449 section 8.1) */
} dt_http_headers;

void dt_http_headers_init(dt_http_headers *h);
/* Takes one line as it came, with its line end. A status line starts anew: what an interim response
 * (RFC 9110 section 15.2) said does not count. DT_E_LIMIT past DT_HTTP_HEADERS_MAX, or when the next
 * page's link does not fit: to lose it would silently cut a list short. */
DT_MUST_USE int dt_http_headers_add(dt_http_headers *h, dt_bytes line);
/* Retry-After as a length of time (RFC 9110 section 10.2.3), by the server's own clock where it
 * gave one; 0 when missing. */
dt_time dt_http_headers_retry_after(dt_http_headers const *h, dt_time now);
/* IMF-fixdate (RFC 9110 section 5.6.7), the one form a server may send; DT_E_PARSE else. */
DT_MUST_USE int dt_http_date_parse(dt_bytes text, dt_time *out);

#endif
