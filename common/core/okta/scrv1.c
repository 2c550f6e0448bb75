/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See scrv1.h. */
#include "core/okta/scrv1.h"

#include <string.h>

#define PREFIX "SCRV1:"

/* One part, decoded and ended by a NUL that it does not hold itself. */
static bool read_part(dt_bytes part, char *out, size_t size)
{
    dt_buf b;

    dt_buf_init_fixed(&b, out, size);
    bool fits = dt_base64_decode(&b, part) == DT_OK && b.len < size &&
                (b.len == 0 || memchr(out, '\0', b.len) == NULL);
    out[fits ? b.len : 0] = '\0';
    return fits;
}

dt_scrv1 dt_scrv1_read(dt_bytes text, char *password, size_t password_size, char *answer,
                       size_t answer_size)
{
    size_t const head = strlen(PREFIX);

    password[0] = answer[0] = '\0';
    if (text.len < head || memcmp(text.p, PREFIX, head) != 0)
        return DT_SCRV1_NONE;
    dt_bytes rest = dt_bytes_of(text.p + head, text.len - head);
    uint8_t const *colon = rest.len > 0 ? memchr(rest.p, ':', rest.len) : NULL;
    if (text.len <= DT_SCRV1_MAX && colon != NULL) {
        size_t len = (size_t)(colon - rest.p);
        if (read_part(dt_bytes_of(rest.p, len), password, password_size) && password[0] != '\0' &&
            read_part(dt_bytes_of(colon + 1, rest.len - len - 1), answer, answer_size))
            return DT_SCRV1_READ;
    }
    explicit_bzero(password, password_size);
    explicit_bzero(answer, answer_size);
    return DT_SCRV1_BROKEN;
}
