/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two RADIUS packets of the hop from the server to its own waiting room: the parked request that
 * comes in and the one answer that goes back. Exists so that what reads bytes from a socket is a
 * small pure part, tested and fuzzed without a server. Sources: RFC 2865 section 3 (packet), 5.24
 * (State), 5.33 (Proxy-State); RFC 3579 section 3.2 (Message-Authenticator); RFC 6613 section 2.6
 * (framing over TCP). */
#ifndef DT_RLM_RADIUS_PACKET_H
#define DT_RLM_RADIUS_PACKET_H

#include "core/base/bytes.h"

#define DT_RADIUS_HEADER_LEN 20
#define DT_RADIUS_PACKET_MAX 4096
#define DT_RADIUS_VALUE_MAX 253
#define DT_RADIUS_AUTHENTICATOR_LEN 16
#define DT_RADIUS_TICKET_LEN 16 /* random; names one parked request, carried as its State */
#define DT_RADIUS_ECHO_MAX 512  /* bytes of Proxy-State attributes that an answer repeats */

typedef enum dt_radius_code {
    DT_RADIUS_ACCESS_REQUEST = 1,
    DT_RADIUS_ACCESS_ACCEPT = 2,
    DT_RADIUS_ACCESS_REJECT = 3,
    DT_RADIUS_ACCESS_CHALLENGE = 11,
} dt_radius_code;

/* What of a request is needed to answer it. A plain value. */
typedef struct dt_radius_query {
    uint8_t id;
    uint8_t authenticator[DT_RADIUS_AUTHENTICATOR_LEN];
    uint8_t ticket[DT_RADIUS_TICKET_LEN];
    uint8_t echo[DT_RADIUS_ECHO_MAX]; /* whole Proxy-State attributes, in their order */
    size_t echo_len;
} dt_radius_query;

/* The length of the packet that begins at `head`; DT_E_STATE while fewer than 4 bytes are there,
 * DT_E_PARSE when no RADIUS packet can be so long. */
DT_MUST_USE int dt_radius_frame(dt_bytes head, size_t *length);

/* Reads one whole packet. 0 only for an Access-Request whose Message-Authenticator holds under
 * `secret` and that carries exactly one State of DT_RADIUS_TICKET_LEN bytes. DT_E_PARSE, DT_E_LIMIT
 * (echo), DT_E_CRYPTO else. Pure and thread safe. */
DT_MUST_USE int dt_radius_read(dt_bytes packet, dt_bytes secret, dt_radius_query *out);

/* How many bytes of a text of `len` go into its first Reply-Message, of those that are to come: all that
 * fit (RFC 2865 section 5.18), up to the last blank or line end within them unless that is near the
 * beginning, so that no word, and no link, is torn apart that need not be; never within a UTF-8
 * character. At least 1 where len is. */
size_t dt_radius_message_part(char const *text, size_t len);

/* Appends the answer: Message-Authenticator, the echoed Proxy-States, `message` as one or more
 * Reply-Message attributes cut as dt_radius_message_part says, `state` as State when not empty. DT_E_LIMIT
 * when it is too long for a packet or `state` for an attribute, DT_E_CRYPTO when the library fails;
 * nothing has been appended then. */
DT_MUST_USE int dt_radius_write(dt_radius_query const *q, dt_bytes secret, dt_radius_code code,
                                char const *message, dt_bytes state, dt_buf *out);

#endif
