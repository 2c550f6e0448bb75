/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See jwt.h. */
#include "core/base/jwt.h"

#include <string.h>

bool dt_jwt_split(dt_bytes token, dt_bytes part[DT_JWT_PARTS])
{
    for (size_t i = 0; i < DT_JWT_PARTS; i++) {
        uint8_t const *dot = token.len > 0 ? memchr(token.p, '.', token.len) : NULL;
        size_t len = dot != NULL ? (size_t)(dot - token.p) : token.len;
        if (len == 0 || (dot != NULL) != (i < DT_JWT_PARTS - 1))
            return false;
        part[i] = dt_bytes_of(token.p, len);
        if (dot != NULL)
            token = dt_bytes_of(dot + 1, token.len - len - 1);
    }
    return true;
}

dt_json *dt_jwt_object(dt_bytes part, size_t limit)
{
    dt_json *root = NULL;
    dt_buf text;
    dt_buf_init(&text, limit);
    if (dt_base64url_decode(&text, part) != DT_OK ||
        dt_json_parse(dt_buf_bytes(&text), &root, NULL) != DT_OK ||
        dt_json_typeof(root) != DT_JSON_OBJECT)
        dt_json_free_wiped(&root);
    dt_buf_free(&text);
    return root;
}
