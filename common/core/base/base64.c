/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base64 and base64url (RFC 4648 sections 4 and 5), strict in what they take. */
#include "core/base/bytes.h"

static char const standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static char const url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(dt_buf *out, dt_bytes in, char const *alphabet, bool padded)
{
    for (size_t i = 0; i < in.len && out->error == 0; i += 3) {
        size_t rest = in.len - i;
        size_t n = rest < 3 ? rest : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < n ? in.p[i + k] : 0);
        char group[4] = {alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63],
                         alphabet[v & 63]};
        for (size_t k = n + 1; padded && k < 4; k++)
            group[k] = '=';
        dt_buf_put(out, group, padded ? 4 : n + 1);
    }
}

void dt_base64_encode(dt_buf *out, dt_bytes in)
{
    encode(out, in, standard, true);
}

void dt_base64url_encode(dt_buf *out, dt_bytes in)
{
    encode(out, in, url_safe, false);
}

/* The six bits of a character; -1 when it is of neither alphabet's common part nor c62, c63. */
static int digit(uint8_t c, char c62, char c63)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == (uint8_t)c62 ? 62 : c == (uint8_t)c63 ? 63 : -1;
}

/* Decodes one group of 2 to 4 digits. Bits that no byte takes must be zero: otherwise several texts
 * would mean the same bytes. */
static int decode_group(dt_buf *out, uint8_t const *p, size_t n, char c62, char c63)
{
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        int d = i < n ? digit(p[i], c62, c63) : 0;
        if (d < 0)
            return DT_E_PARSE;
        v = v << 6 | (uint32_t)d;
    }
    if (n < 2 || (n == 2 && (v & 0xffff) != 0) || (n == 3 && (v & 0xff) != 0))
        return DT_E_PARSE;
    uint8_t bytes[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    dt_buf_put(out, bytes, n - 1);
    return dt_buf_error(out);
}

static int decode(dt_buf *out, dt_bytes in, char c62, char c63)
{
    size_t before = out->len;
    int rc = dt_buf_error(out);
    for (size_t i = 0; i < in.len && rc == DT_OK; i += 4)
        rc = decode_group(out, in.p + i, in.len - i < 4 ? in.len - i : 4, c62, c63);
    if (rc != DT_OK)
        dt_buf_truncate(out, before);
    return rc;
}

int dt_base64_decode(dt_buf *out, dt_bytes in)
{
    if (in.len % 4 != 0)
        return DT_E_PARSE;
    size_t padding = 0;
    while (padding < 2 && padding < in.len && in.p[in.len - 1 - padding] == '=')
        padding++;
    return decode(out, dt_bytes_of(in.p, in.len - padding), '+', '/');
}

int dt_base64url_decode(dt_buf *out, dt_bytes in)
{
    return decode(out, in, '-', '_');
}
