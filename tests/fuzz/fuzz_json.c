/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON from anywhere: either refused with a reason that quotes nothing odd, or a tree that every
 * getter can walk. */
#include "core/base/json.h"

#include "core/base/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_string(char const *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n;) {
        uint32_t cp = 0;
        size_t step = dt_utf8_decode((uint8_t const *)s + i, n - i, &cp);
        require(step > 0);
        i += step;
    }
}

static void walk(dt_json const *v, int depth)
{
    int64_t n;
    bool b;
    char const *name;
    dt_json_type t = dt_json_typeof(v);
    require(t != DT_JSON_NONE && depth <= DT_JSON_DEPTH_MAX + 1);
    require(dt_json_integer(v, &n) == (t == DT_JSON_INTEGER));
    require(dt_json_bool(v, &b) == (t == DT_JSON_BOOL));
    require((dt_json_string(v) != NULL) == (t == DT_JSON_STRING));
    if (t == DT_JSON_STRING)
        check_string(dt_json_string(v));
    size_t size = dt_json_size(v);
    require(size == 0 || t == DT_JSON_ARRAY || t == DT_JSON_OBJECT);
    for (size_t i = 0; i < size && i < 64; i++) {
        dt_json const *item = dt_json_at(v, i);
        if (t == DT_JSON_OBJECT) {
            item = dt_json_member(v, i, &name);
            require(name != NULL && dt_json_get(v, name) == item); /* no member twice */
        }
        walk(item, depth + 1);
    }
    require(dt_json_at(v, size) == NULL && dt_json_member(v, size, &name) == NULL);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    dt_json *root = NULL;
    dt_error e = {0};
    int rc = dt_json_parse(dt_bytes_of(data, size), &root, &e);
    require((rc == 0) == (root != NULL));
    require(rc == 0 || rc == DT_E_PARSE || rc == DT_E_LIMIT);
    if (rc == 0) {
        require(e.code == 0);
        walk(root, 1);
        dt_json_free_wiped(&root);
    } else {
        require(e.code == rc && e.text[0] != '\0');
        for (char const *c = e.text; *c != '\0'; c++)
            require(*c >= 0x20 && *c < 0x7f);
    }
    return 0;
}
