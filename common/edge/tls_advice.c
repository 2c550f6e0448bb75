/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See tls_advice.h. */
#include "edge/tls_advice.h"

#include <string.h>

typedef enum of_key { OF_NONE, OF_CA, OF_URL } of_key;

/* A part of the reason; what to do; and which key that is about, whose name follows. The first row that fits counts. */
static struct {
    char const *reason, *advice;
    of_key key;
} const rows[] = {
    {"certificate has expired",
     "renew the server's certificate; if it is in force, set this host's clock", OF_NONE},
    {"certificate is not yet valid",
     "set this host's clock; if it is right, wait, or replace the server's certificate", OF_NONE},
    {"subject name", "the certificate is for another host; correct the host in ", OF_URL},
    {"unsuitable certificate purpose",
     "the certificate is not for servers; give the server one with serverAuth", OF_NONE},
    {"too weak", "give the server a certificate with stronger keys and signatures", OF_NONE},
    {"self-signed certificate",
     "no CA that is trusted signed it; if it is the right server, add its CA to ", OF_CA},
    {"self signed certificate",
     "no CA that is trusted signed it; if it is the right server, add its CA to ", OF_CA},
    {"issuer certificate",
     "no CA that is trusted signed it; if it is the right server, add its CA to ", OF_CA},
    {"unable to verify the first certificate",
     "no CA that is trusted signed it; if it is the right server, add its CA to ", OF_CA},
    {"certificate", "correct the server's certificate", OF_NONE},
    {"wrong version number", "what answers there does not speak TLS; correct the port in ", OF_URL},
    {"packet length too long", "what answers there does not speak TLS; correct the port in ",
     OF_URL},
    {"unsupported protocol", "the server has no TLS 1.2 or newer; update it", OF_NONE},
    {"protocol version", "the server has no TLS 1.2 or newer; update it", OF_NONE},
    {"handshake failure", "the server has no cipher that this host accepts; update it", OF_NONE},
    {"cipher", "the server has no cipher that this host accepts; update it", OF_NONE},
    {"", "the TLS handshake was broken off; look for a firewall in between, and check the port in ",
     OF_URL},
};

void dt_tls_put_advice(dt_buf *b, char const *reason, dt_tls_keys const *keys)
{
    size_t i = 0;

    while (strstr(reason, rows[i].reason) == NULL) /* the last row fits all */
        i++;
    dt_buf_printf(b, "; %s%s", rows[i].advice,
                  rows[i].key == OF_CA    ? keys->ca
                  : rows[i].key == OF_URL ? keys->url
                                          : "");
}
