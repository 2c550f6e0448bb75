/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers and strings as SSH writes them. */
#include "core/device/ssh_wire.h"

static bool take_bytes(dt_bytes *rest, size_t len, dt_bytes *out)
{
    if (len > rest->len)
        return false;
    *out = dt_bytes_of(rest->p, len);
    *rest = dt_bytes_of(rest->p + len, rest->len - len);
    return true;
}

static uint64_t number_of(dt_bytes b)
{
    uint64_t v = 0;

    for (size_t i = 0; i < b.len; i++)
        v = v << 8 | b.p[i];
    return v;
}

bool dt_ssh_take_byte(dt_bytes *rest, uint8_t *out)
{
    dt_bytes b;

    if (!take_bytes(rest, 1, &b))
        return false;
    *out = b.p[0];
    return true;
}

bool dt_ssh_take_u32(dt_bytes *rest, uint32_t *out)
{
    dt_bytes b;

    if (!take_bytes(rest, 4, &b))
        return false;
    *out = (uint32_t)number_of(b);
    return true;
}

bool dt_ssh_take_u64(dt_bytes *rest, uint64_t *out)
{
    dt_bytes b;

    if (!take_bytes(rest, 8, &b))
        return false;
    *out = number_of(b);
    return true;
}

bool dt_ssh_take_string(dt_bytes *rest, dt_bytes *out)
{
    dt_bytes after = *rest;
    uint32_t len;

    if (!dt_ssh_take_u32(&after, &len) || !take_bytes(&after, len, out))
        return false;
    *rest = after;
    return true;
}

bool dt_ssh_take_positive(dt_bytes *rest, dt_bytes *out)
{
    dt_bytes after = *rest;

    if (!dt_ssh_take_string(&after, out) || out->len == 0 || (out->p[0] & 0x80) != 0)
        return false;
    if (out->p[0] == 0) {
        if (out->len == 1 || (out->p[1] & 0x80) == 0)
            return false;
        *out = dt_bytes_of(out->p + 1, out->len - 1);
    }
    *rest = after;
    return true;
}

void dt_ssh_put_u32(dt_buf *b, uint32_t v)
{
    uint8_t const bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
                              (uint8_t)v};

    dt_buf_put(b, bytes, sizeof(bytes));
}

void dt_ssh_put_string(dt_buf *b, dt_bytes s)
{
    dt_ssh_put_u32(b, (uint32_t)s.len);
    dt_buf_put(b, s.p, s.len);
}
