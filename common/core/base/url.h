/* SPDX-License-Identifier: GPL-2.0-or-later */
/* URLs as far as they decide where our credentials go: taken apart strictly, never repaired. */
#ifndef DT_CORE_URL_H
#define DT_CORE_URL_H

#include "core/base/bytes.h"

typedef struct dt_url {
    dt_bytes host;  /* without brackets; borrowed from the text, like all here */
    bool literal;   /* host is an IPv6 literal that stood in brackets */
    unsigned port;  /* 443 when not given */
    dt_bytes path;  /* from its "/" on; may be empty */
    dt_bytes query; /* after the "?"; may be empty */
} dt_url;

/* Reads "https://host[:port][/path][?query]". DT_E_PARSE for another scheme, user info, a fragment,
 * an empty host, a port that is not 1..65535 in plain decimal, any character that RFC 3986 does not
 * have, and dot segments (also percent-encoded), which a client would resolve behind our back. */
DT_MUST_USE int dt_url_parse(char const *text, dt_url *out);
/* The same, and takes "http://" as well (port 80): for what is signed by itself and goes without
 * credentials. */
DT_MUST_USE int dt_url_parse_http(char const *text, dt_url *out);
/* Same scheme, host (ASCII case folded) and port. */
bool dt_url_same_origin(dt_url const *a, dt_url const *b);
/* Percent-encodes a path segment or a form value (RFC 3986 section 2.1: all but unreserved). */
void dt_url_put_segment(dt_buf *b, char const *segment);

#endif
