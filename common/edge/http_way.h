/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to a service: whose certificates are trusted there, by which proxy, with which credentials. */
#ifndef DT_EDGE_HTTP_WAY_H
#define DT_EDGE_HTTP_WAY_H

#include "core/base/step.h"
#include "core/config/config.h"
#include "edge/tls_anchors.h"

#define DT_PROXY_NAME_MAX 128     /* user name of a proxy, bytes, its NUL included */
#define DT_PROOF_MAX 2048         /* of a DPoP header, its NUL included */
#define DT_PROXY_PASSWORD_MAX 256 /* the same of its password */

/* An HTTP proxy, asked for tunnels (CONNECT) alone, so that it sees neither requests nor tokens. */
typedef struct dt_http_proxy {
    char const *url;         /* "http://HOST:PORT" or "https://HOST:PORT"; of the configuration */
    char const *key;         /* that names it, for messages, such as "[http] proxy" */
    char const *key_secret;  /* that names its credentials */
    bool tls;                /* the connection to the proxy is TLS, too */
    dt_secret *credentials;  /* "USER:PASSWORD"; NULL: none are sent */
    dt_tls_anchors *anchors; /* of an https:// proxy; NULL: the system's */
} dt_http_proxy;

/* All is borrowed, and must stay until the call has ended. The zero value: the system's certificates,
 * no proxy, no credentials. */
typedef struct dt_http_way {
    dt_tls_anchors const
        *anchors;               /* NULL: those in the system's hashed directory, /etc/ssl/certs */
    dt_http_proxy const *proxy; /* NULL: none, whatever the environment says */
    dt_secret const *authorization; /* "SSWS ...", "Bearer ...", "DPoP ..."; NULL: none */
    char const *proof;              /* of the DPoP header; NULL: none */
} dt_http_way;

/* The proxy that the configuration names for a service: *out is NULL where it names none. Yours to
 * free; it borrows from `c`. The error has file, line and key. */
DT_MUST_USE int dt_http_proxy_load(dt_config const *c, dt_http_service service, dt_http_proxy **out,
                                   dt_error *e);
void dt_http_proxy_free(dt_http_proxy **p);
/* Takes "USER:PASSWORD" apart, for as long as the texts are needed: wipe them. The credentials were
 * checked by dt_http_proxy_load. */
void dt_http_proxy_split(dt_http_proxy const *p, char user[DT_PROXY_NAME_MAX],
                         char password[DT_PROXY_PASSWORD_MAX]);

#endif
