/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secrets: bytes that are wiped when they go and compared in constant time. Nothing here prints. */
#include "core/base/bytes.h"

#include <stdlib.h>
#include <string.h>

struct dt_secret {
    size_t len;
    uint8_t bytes[]; /* and a NUL after them */
};

int dt_secret_new(dt_bytes value, dt_secret **out)
{
    *out = NULL;
    if (value.len > DT_SECRET_MAX)
        return DT_E_LIMIT;
    dt_secret *s = malloc(sizeof(*s) + value.len + 1);
    if (s == NULL)
        return DT_E_NOMEM;
    s->len = value.len;
    if (value.len > 0)
        memcpy(s->bytes, value.p, value.len);
    s->bytes[value.len] = '\0';
    *out = s;
    return DT_OK;
}

void dt_secret_free(dt_secret **s)
{
    if (s == NULL || *s == NULL)
        return;
    explicit_bzero(*s, sizeof(**s) + (*s)->len + 1);
    free(*s);
    *s = NULL;
}

dt_bytes dt_secret_bytes(dt_secret const *s)
{
    return s == NULL ? dt_bytes_of(NULL, 0) : dt_bytes_of(s->bytes, s->len);
}

bool dt_secret_equal(dt_secret const *s, dt_bytes value)
{
    return s != NULL && s->len == value.len && dt_const_time_equal(s->bytes, value.p, value.len);
}

bool dt_const_time_equal(void const *a, void const *b, size_t len)
{
    /* Volatile, so that the compiler cannot leave the loop at the first difference. */
    uint8_t const volatile *x = a;
    uint8_t const volatile *y = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < len; i++)
        difference |= (uint8_t)(x[i] ^ y[i]);
    return difference == 0;
}
