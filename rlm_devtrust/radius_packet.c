/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and writes the packets of the hop to the waiting room. See radius_packet.h. */
#include "rlm_devtrust/radius_packet.h"

#include <openssl/evp.h>
#include <string.h>

#define ATTR_REPLY_MESSAGE 18
#define ATTR_STATE 24
#define ATTR_PROXY_STATE 33
#define ATTR_MESSAGE_AUTHENTICATOR 80

#define MD5_LEN DT_RADIUS_AUTHENTICATOR_LEN
#define AUTHENTICATOR_AT 4
#define ATTR_HEADER_LEN 2
#define MESSAGE_PART_MIN                                                                           \
    64 /* no part ends at a blank before it, or there would be many small ones */

int dt_radius_frame(dt_bytes head, size_t *length)
{
    if (head.len < 4)
        return DT_E_STATE;
    *length = (size_t)head.p[2] << 8 | head.p[3];
    return *length < DT_RADIUS_HEADER_LEN || *length > DT_RADIUS_PACKET_MAX ? DT_E_PARSE : 0;
}

static int hmac_md5(dt_bytes secret, dt_bytes text, uint8_t out[MD5_LEN])
{
    size_t len = 0;
    unsigned char *made = EVP_Q_mac(NULL, "HMAC", NULL, "MD5", NULL, secret.p, secret.len, text.p,
                                    text.len, out, MD5_LEN, &len);
    return made != NULL && len == MD5_LEN ? 0 : DT_E_CRYPTO;
}

/* The Message-Authenticator is an HMAC over the packet with its own value as zeros. */
static int verify(dt_bytes packet, size_t mac_at, dt_bytes secret)
{
    uint8_t copy[DT_RADIUS_PACKET_MAX], mac[MD5_LEN];
    memcpy(copy, packet.p, packet.len);
    memset(copy + mac_at, 0, MD5_LEN);
    int rc = hmac_md5(secret, dt_bytes_of(copy, packet.len), mac);
    if (rc != 0)
        return rc;
    return dt_const_time_equal(mac, packet.p + mac_at, MD5_LEN) ? 0 : DT_E_CRYPTO;
}

static int keep_echo(dt_radius_query *q, uint8_t const *attr, size_t len)
{
    if (len > sizeof(q->echo) - q->echo_len)
        return DT_E_LIMIT;
    memcpy(q->echo + q->echo_len, attr, len);
    q->echo_len += len;
    return 0;
}

typedef struct found {
    size_t mac_at; /* offset of the Message-Authenticator's value; 0 = not seen */
    size_t tickets;
} found;

static int take_attribute(dt_radius_query *q, dt_bytes packet, size_t at, found *f)
{
    uint8_t const *attr = packet.p + at;
    size_t len = attr[1];
    switch (attr[0]) {
    case ATTR_MESSAGE_AUTHENTICATOR:
        if (len != ATTR_HEADER_LEN + MD5_LEN || f->mac_at != 0)
            return DT_E_PARSE;
        f->mac_at = at + ATTR_HEADER_LEN;
        return 0;
    case ATTR_STATE:
        if (len != ATTR_HEADER_LEN + DT_RADIUS_TICKET_LEN || f->tickets++ != 0)
            return DT_E_PARSE;
        memcpy(q->ticket, attr + ATTR_HEADER_LEN, DT_RADIUS_TICKET_LEN);
        return 0;
    case ATTR_PROXY_STATE:
        return keep_echo(q, attr, len);
    default:
        return 0;
    }
}

int dt_radius_read(dt_bytes packet, dt_bytes secret, dt_radius_query *out)
{
    size_t length = 0;
    memset(out, 0, sizeof(*out));
    if (dt_radius_frame(packet, &length) != 0 || length != packet.len ||
        packet.p[0] != DT_RADIUS_ACCESS_REQUEST)
        return DT_E_PARSE;
    out->id = packet.p[1];
    memcpy(out->authenticator, packet.p + AUTHENTICATOR_AT, sizeof(out->authenticator));

    found f = {0, 0};
    for (size_t at = DT_RADIUS_HEADER_LEN; at < packet.len; at += packet.p[at + 1]) {
        if (packet.len - at < ATTR_HEADER_LEN || packet.p[at + 1] < ATTR_HEADER_LEN ||
            packet.p[at + 1] > packet.len - at)
            return DT_E_PARSE;
        int rc = take_attribute(out, packet, at, &f);
        if (rc != 0)
            return rc;
    }
    if (f.mac_at == 0 || f.tickets != 1)
        return DT_E_PARSE;
    return verify(packet, f.mac_at, secret);
}

static void put_attribute(dt_buf *b, uint8_t type, void const *value, size_t len)
{
    uint8_t head[ATTR_HEADER_LEN] = {type, (uint8_t)(len + ATTR_HEADER_LEN)};
    dt_buf_put(b, head, sizeof(head));
    dt_buf_put(b, value, len);
}

size_t dt_radius_message_part(char const *text, size_t len)
{
    if (len <= DT_RADIUS_VALUE_MAX)
        return len;
    size_t part = DT_RADIUS_VALUE_MAX;
    while (part > MESSAGE_PART_MIN && text[part - 1] != ' ' && text[part - 1] != '\n')
        part--;
    if (part > MESSAGE_PART_MIN)
        return part;
    part = DT_RADIUS_VALUE_MAX;
    while (part > DT_RADIUS_VALUE_MAX - 4 && ((unsigned char)text[part] & 0xc0) == 0x80)
        part--;
    return part;
}

static void put_message(dt_buf *b, char const *message)
{
    size_t len = strlen(message);
    while (len > 0) {
        size_t part = dt_radius_message_part(message, len);
        put_attribute(b, ATTR_REPLY_MESSAGE, message, part);
        message += part;
        len -= part;
    }
}

/* RFC 2865 section 3: MD5(Code+ID+Length+RequestAuth+Attributes+Secret), where the
 * Message-Authenticator was computed over the same with the request's authenticator in place. */
static int sign_answer(uint8_t *p, size_t len, size_t mac_at, dt_bytes secret)
{
    int rc = hmac_md5(secret, dt_bytes_of(p, len), p + mac_at);
    if (rc != 0)
        return rc;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (md == NULL)
        return DT_E_NOMEM;
    uint8_t sum[MD5_LEN];
    bool ok = EVP_DigestInit_ex(md, EVP_md5(), NULL) == 1 && EVP_DigestUpdate(md, p, len) == 1 &&
              EVP_DigestUpdate(md, secret.p, secret.len) == 1 &&
              EVP_DigestFinal_ex(md, sum, NULL) == 1;
    EVP_MD_CTX_free(md);
    if (!ok)
        return DT_E_CRYPTO;
    memcpy(p + AUTHENTICATOR_AT, sum, sizeof(sum));
    return 0;
}

int dt_radius_write(dt_radius_query const *q, dt_bytes secret, dt_radius_code code,
                    char const *message, dt_bytes state, dt_buf *out)
{
    static uint8_t const zeros[MD5_LEN];
    uint8_t storage[DT_RADIUS_PACKET_MAX + 1];
    dt_buf b;

    if (state.len > DT_RADIUS_VALUE_MAX)
        return DT_E_LIMIT;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    uint8_t head[AUTHENTICATOR_AT] = {(uint8_t)code, q->id, 0, 0};
    dt_buf_put(&b, head, sizeof(head));
    dt_buf_put(&b, q->authenticator, sizeof(q->authenticator));
    size_t mac_at = b.len + ATTR_HEADER_LEN;
    put_attribute(&b, ATTR_MESSAGE_AUTHENTICATOR, zeros, sizeof(zeros));
    dt_buf_put(&b, q->echo, q->echo_len);
    put_message(&b, message);
    if (state.len > 0)
        put_attribute(&b, ATTR_STATE, state.p, state.len);
    if (dt_buf_error(&b) != 0)
        return dt_buf_error(&b);
    b.p[2] = (uint8_t)(b.len >> 8);
    b.p[3] = (uint8_t)b.len;
    int rc = sign_answer(b.p, b.len, mac_at, secret);
    if (rc != 0)
        return rc;
    dt_buf_put(out, b.p, b.len);
    return dt_buf_error(out);
}
