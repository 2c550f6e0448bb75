/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RADIUS packets. See packet.h. */
#include "core/dae/packet.h"

#include <string.h>

#define IDENTIFIER_AT 1
#define LENGTH_AT 2
#define AUTHENTICATOR_AT 4
#define ATTRIBUTE_HEAD 2
#define MAC_AT (DT_RADIUS_HEAD_LEN + ATTRIBUTE_HEAD) /* of the packets that are made here */
#define VENDOR_LEN 4

int dt_attribute_next(dt_bytes packet, size_t *at, dt_attribute *out)
{
    size_t left = packet.len - *at;
    uint8_t const *p = packet.p + *at;

    if (left == 0)
        return 0;
    if (left < ATTRIBUTE_HEAD || p[1] < ATTRIBUTE_HEAD || p[1] > left)
        return DT_E_PARSE;
    *out = (dt_attribute){p[0], dt_bytes_of(p + ATTRIBUTE_HEAD, p[1] - (size_t)ATTRIBUTE_HEAD)};
    *at += p[1];
    return 1;
}

void dt_packet_put(dt_buf *out, uint8_t type, dt_bytes value)
{
    uint8_t const head[ATTRIBUTE_HEAD] = {type, (uint8_t)(value.len + ATTRIBUTE_HEAD)};

    if (value.len > DT_RADIUS_TEXT_LONGEST) {
        if (out->error == 0)
            out->error = DT_E_LIMIT;
        return;
    }
    dt_buf_put(out, head, sizeof(head));
    dt_buf_put(out, value.p, value.len);
}

void dt_packet_put_vendor(dt_buf *out, uint32_t vendor, uint8_t type, char const *text)
{
    uint8_t value[DT_RADIUS_TEXT_LONGEST + 1];
    uint8_t const head[VENDOR_LEN] = {(uint8_t)(vendor >> 24), (uint8_t)(vendor >> 16),
                                      (uint8_t)(vendor >> 8), (uint8_t)vendor};
    dt_buf b;

    dt_buf_init_fixed(&b, value, sizeof(value));
    dt_buf_put(&b, head, sizeof(head));
    dt_packet_put(&b, type, dt_bytes_str(text));
    if (dt_buf_error(&b) != 0 && out->error == 0)
        out->error = dt_buf_error(&b);
    dt_packet_put(out, DT_ATTR_VENDOR_SPECIFIC, dt_buf_bytes(&b));
}

void dt_packet_begin(dt_buf *out, uint8_t code, uint8_t identifier)
{
    static uint8_t const zeros[DT_RADIUS_AUTH_LEN];
    uint8_t const head[AUTHENTICATOR_AT] = {code, identifier, 0, 0};

    dt_buf_put(out, head, sizeof(head));
    dt_buf_put(out, zeros, sizeof(zeros));
    dt_packet_put(out, DT_ATTR_MESSAGE_AUTHENTICATOR, dt_bytes_of(zeros, sizeof(zeros)));
}

int dt_packet_sign_request(dt_buf *out, dt_bytes secret)
{
    int rc = dt_buf_error(out);

    if (rc == 0 && out->len > DT_RADIUS_LONGEST)
        rc = DT_E_LIMIT;
    if (rc != 0)
        return rc;
    out->p[LENGTH_AT] = (uint8_t)(out->len >> 8);
    out->p[LENGTH_AT + 1] = (uint8_t)out->len;
    rc = dt_crypto_hmac_md5(secret, dt_buf_bytes(out), out->p + MAC_AT);
    if (rc != 0)
        return rc;
    return dt_crypto_md5(dt_buf_bytes(out), secret, out->p + AUTHENTICATOR_AT);
}

/* The packet at the beginning of `in`. */
static int frame(dt_bytes in, size_t *length)
{
    if (in.len < DT_RADIUS_HEAD_LEN)
        return DT_E_PARSE;
    *length = (size_t)in.p[LENGTH_AT] << 8 | in.p[LENGTH_AT + 1];
    return *length < DT_RADIUS_HEAD_LEN || *length > in.len || *length > DT_RADIUS_LONGEST
               ? DT_E_PARSE
               : 0;
}

/* Where the value of the Message-Authenticator is; 0: there is none. */
static int find_mac(dt_bytes packet, size_t *mac_at)
{
    size_t at = DT_RADIUS_HEAD_LEN;
    dt_attribute a;
    int rc;

    *mac_at = 0;
    while ((rc = dt_attribute_next(packet, &at, &a)) > 0) {
        if (a.type != DT_ATTR_MESSAGE_AUTHENTICATOR)
            continue;
        if (a.value.len != DT_RADIUS_AUTH_LEN || *mac_at != 0)
            return DT_E_PARSE;
        *mac_at = (size_t)(a.value.p - packet.p);
    }
    return rc;
}

static int check_mac(uint8_t *copy, size_t length, dt_bytes reply, dt_bytes secret)
{
    uint8_t sum[DT_MD5_LEN];
    size_t at;
    int rc = find_mac(dt_bytes_of(reply.p, length), &at);

    if (rc != 0 || at == 0)
        return rc;
    memset(copy + at, 0, DT_RADIUS_AUTH_LEN);
    rc = dt_crypto_hmac_md5(secret, dt_bytes_of(copy, length), sum);
    if (rc != 0)
        return rc;
    return dt_const_time_equal(sum, reply.p + at, sizeof(sum)) ? 0 : DT_E_CRYPTO;
}

/* RFC 2865 section 3: MD5 over the reply with the request's authenticator in place of its own. Attributes are looked at
 * only after this has held. */
int dt_packet_check_reply(dt_bytes reply, dt_bytes request, dt_bytes secret, size_t *length)
{
    uint8_t copy[DT_RADIUS_LONGEST], sum[DT_MD5_LEN];
    int rc = frame(reply, length);

    if (rc != 0)
        return rc;
    if (request.len < DT_RADIUS_HEAD_LEN || reply.p[IDENTIFIER_AT] != request.p[IDENTIFIER_AT])
        return DT_E_STATE;
    memcpy(copy, reply.p, *length);
    memcpy(copy + AUTHENTICATOR_AT, request.p + AUTHENTICATOR_AT, DT_RADIUS_AUTH_LEN);
    rc = dt_crypto_md5(dt_bytes_of(copy, *length), secret, sum);
    if (rc != 0)
        return rc;
    if (!dt_const_time_equal(sum, reply.p + AUTHENTICATOR_AT, sizeof(sum)))
        return DT_E_CRYPTO;
    return check_mac(copy, *length, reply, secret);
}
