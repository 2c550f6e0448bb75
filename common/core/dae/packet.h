/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every RADIUS packet is made of: head, attributes, authenticators. Sources: RFC 2865 section 3 (packet), RFC
 * 2866 section 3 (authenticator of requests other than Access-Request), RFC 3579 section 3.2
 * (Message-Authenticator). */
#ifndef DT_CORE_DAE_PACKET_H
#define DT_CORE_DAE_PACKET_H

#include "core/base/crypto.h"

#define DT_RADIUS_HEAD_LEN 20
#define DT_RADIUS_LONGEST 4096 /* bytes of a packet */
#define DT_RADIUS_AUTH_LEN DT_MD5_LEN
#define DT_RADIUS_TEXT_LONGEST 253 /* bytes of one value */

/* The attributes that are made or read here. */
enum {
    DT_ATTR_USER_NAME = 1,
    DT_ATTR_NAS_IP_ADDRESS = 4,
    DT_ATTR_NAS_PORT = 5,
    DT_ATTR_FRAMED_IP_ADDRESS = 8,
    DT_ATTR_VENDOR_SPECIFIC = 26,
    DT_ATTR_CALLING_STATION_ID = 31,
    DT_ATTR_NAS_IDENTIFIER = 32,
    DT_ATTR_ACCT_SESSION_ID = 44,
    DT_ATTR_ACCT_MULTI_SESSION_ID = 50,
    DT_ATTR_EVENT_TIMESTAMP = 55,
    DT_ATTR_MESSAGE_AUTHENTICATOR = 80,
    DT_ATTR_NAS_PORT_ID = 87,
    DT_ATTR_CHARGEABLE_USER_IDENTITY = 89,
    DT_ATTR_NAS_IPV6_ADDRESS = 95,
    DT_ATTR_ERROR_CAUSE = 101,
};

typedef struct dt_attribute {
    uint8_t type;
    dt_bytes value; /* borrowed from the packet; may be empty */
} dt_attribute;

/* Reads the attribute at *at and moves *at behind it. 1, 0 at the packet's end, DT_E_PARSE where no whole attribute
 * is. Begin at DT_RADIUS_HEAD_LEN; the packet ends at packet.len. */
DT_MUST_USE int dt_attribute_next(dt_bytes packet, size_t *at, dt_attribute *out);

/* Starts a packet: code, identifier, an empty authenticator, and a Message-Authenticator, which is first
 * (CVE-2024-3596) and still empty. `out` is empty. */
void dt_packet_begin(dt_buf *out, uint8_t code, uint8_t identifier);
/* Appends an attribute. A value longer than DT_RADIUS_TEXT_LONGEST makes `out` fail with DT_E_LIMIT. */
void dt_packet_put(dt_buf *out, uint8_t type, dt_bytes value);
/* Appends a text of a vendor (RFC 2865 section 5.26). */
void dt_packet_put_vendor(dt_buf *out, uint32_t vendor, uint8_t type, char const *text);
/* Completes a request other than Access-Request: length, Message-Authenticator, and then the authenticator over it all
 * (RFC 5176 section 2.3). DT_E_LIMIT, DT_E_NOMEM, DT_E_CRYPTO. */
DT_MUST_USE int dt_packet_sign_request(dt_buf *out, dt_bytes secret);
/* Whether `reply` is one to `request` by somebody who has the secret: same identifier, and its authenticator
 * is valid; and so is its Message-Authenticator, if it has one. DT_E_PARSE for bytes that are not a packet, DT_E_STATE for
 * another identifier, DT_E_CRYPTO. Bytes after the packet's length are padding (RFC 2865 section 3): *length is without
 * them. `request` is a whole packet. */
DT_MUST_USE int dt_packet_check_reply(dt_bytes reply, dt_bytes request, dt_bytes secret,
                                      size_t *length);

#endif
