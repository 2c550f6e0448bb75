/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/record_walk.h"

#include <string.h>

void dt_walk_raw(dt_walk *w, void *p, size_t len)
{
    if (w->out) {
        dt_buf_put(w->out, p, len);
        return;
    }
    if (w->broken || w->in.len < len) {
        w->broken = true;
        memset(p, 0, len);
        return;
    }
    if (len > 0)
        memcpy(p, w->in.p, len);
    w->in.p += len;
    w->in.len -= len;
}

int64_t dt_walk_number(dt_walk *w, int64_t value, int64_t max)
{
    uint8_t b[8];
    uint64_t u = (uint64_t)value;

    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(u >> (56 - 8 * i));
    dt_walk_raw(w, b, sizeof(b));
    if (w->out)
        return value;
    u = 0;
    for (int i = 0; i < 8; i++)
        u = u << 8 | b[i];
    if ((int64_t)u < 0 || (int64_t)u > max) {
        w->broken = true;
        return 0;
    }
    return (int64_t)u;
}

void dt_walk_text(dt_walk *w, char *p, size_t size)
{
    size_t len = w->out ? strlen(p) : 0;

    DT_WALK_NUMBER(w, len, size - 1);
    dt_walk_raw(w, p, len);
    p[len] = '\0';
    if (strlen(p) != len)
        w->broken = true;
}

void dt_walk_bytes(dt_walk *w, dt_bytes *p, size_t max)
{
    size_t len = p->len;

    DT_WALK_NUMBER(w, len, max);
    if (w->out) {
        dt_buf_put(w->out, p->p, p->len);
        return;
    }
    if (w->broken || w->in.len < len) {
        w->broken = true;
        *p = dt_bytes_of(NULL, 0);
        return;
    }
    *p = dt_bytes_of(w->in.p, len);
    w->in.p += len;
    w->in.len -= len;
}
