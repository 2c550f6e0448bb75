/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an administrator can do about a server that could not be authenticated. Pure. */
#ifndef DT_EDGE_TLS_ADVICE_H
#define DT_EDGE_TLS_ADVICE_H

#include "core/base/bytes.h"

/* Where the administrator set whom to trust and whom to ask. */
typedef struct dt_tls_keys {
    char const *ca;  /* such as "[okta] ca_file" */
    char const *url; /* such as "[okta] org_url" */
} dt_tls_keys;

/* Appends "; " and what to do, by the words that libcurl and OpenSSL have for it (versions 7.88 to 8.14, and 3.0 to
 * 3.5). What they have no known word for, is a handshake that was broken off. */
void dt_tls_put_advice(dt_buf *b, char const *reason, dt_tls_keys const *keys);

#endif
