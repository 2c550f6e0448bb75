/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CA certificates that vouch for a server, read once, so that no connection depends on what
 * happens to a file later.
 * tls_anchors_openssl.c defines it. */
#ifndef DT_EDGE_TLS_ANCHORS_H
#define DT_EDGE_TLS_ANCHORS_H

#include "core/base/bytes.h"

typedef struct dt_tls_anchors dt_tls_anchors;

#define DT_TLS_ANCHORS_FILE_MAX (1024 * 1024) /* PEM text: four times all CAs of a system */
#define DT_TLS_ANCHORS_MAX 1024               /* certificates */

/* Reads a file by edge/file.h's rules, which must hold certificates in PEM and nothing else. *out is
 * yours to free. On failure `e` names the file and says what to do; also DT_E_PARSE, DT_E_LIMIT. */
DT_MUST_USE int dt_tls_anchors_read(char const *path, dt_tls_anchors **out, dt_error *e);
void dt_tls_anchors_free(dt_tls_anchors **a);
/* "/dev/null/" and the SHA-256 of the file: the same for the same certificates, and no file's path. */
char const *dt_tls_anchors_name(dt_tls_anchors const *a);
/* The certificates as PEM, to be given to libcurl where it needs two kinds of them for one call. */
dt_bytes dt_tls_anchors_pem(dt_tls_anchors const *a);
/* Makes them the only ones that a TLS client trusts. `ssl_ctx` is an SSL_CTX of OpenSSL, which keeps
 * what it needs of them. Thread safe. */
void dt_tls_anchors_use(dt_tls_anchors const *a, void *ssl_ctx);

#endif
