/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry's record as JSON text, so that an administrator can read it in the store. */
#include "core/device_record.h"

#include "core/json.h"
#include "core/utf8.h"

#include <string.h>

#define RECORD_VERSION 1

void dt_device_store_key(char const fingerprint[65], char out[DT_STORE_KEY_MAX])
{
    dt_buf b;
    dt_buf_init_fixed(&b, out, DT_STORE_KEY_MAX);
    dt_buf_puts(&b, "ssh:");
    dt_buf_puts(&b, fingerprint);
}

/* Whether the name is a C string of valid UTF-8: anything else would not come back as it went. */
static bool is_text(char const name[DT_DEVICE_NAME_MAX])
{
    size_t const len = strnlen(name, DT_DEVICE_NAME_MAX);
    uint32_t point = 0;
    for (size_t i = 0; i < len;) {
        size_t const n = dt_utf8_decode((uint8_t const *)name + i, len - i, &point);
        if (n == 0)
            return false;
        i += n;
    }
    return len < DT_DEVICE_NAME_MAX;
}

int dt_device_record_pack(dt_device_record const *r, dt_buf *out)
{
    if (r->added < 0 || r->der_len == 0 || r->der_len > sizeof(r->der) || !is_text(r->name))
        return DT_E_INVALID;
    dt_buf_puts(out, "{\"v\":");
    dt_buf_put_int(out, RECORD_VERSION);
    dt_buf_puts(out, ",\"added\":");
    dt_buf_put_int(out, r->added);
    dt_buf_puts(out, ",\"name\":");
    dt_json_put_string(out, r->name);
    dt_buf_puts(out, ",\"certificate\":\"");
    dt_base64_encode(out, dt_bytes_of(r->der, r->der_len));
    dt_buf_puts(out, "\"}");
    return dt_buf_error(out);
}

static int read_certificate(dt_json const *v, dt_device_record *out)
{
    char const *text = dt_json_string(v);
    if (text == NULL)
        return DT_E_PARSE;
    dt_buf der;
    dt_buf_init(&der, sizeof(out->der));
    int rc = dt_base64_decode(&der, dt_bytes_str(text));
    if (rc == 0 && der.len == 0)
        rc = DT_E_PARSE;
    if (rc == 0) {
        memcpy(out->der, der.p, der.len);
        out->der_len = der.len;
    }
    dt_buf_free(&der);
    return rc;
}

static int read_record(dt_json const *root, dt_device_record *out)
{
    int64_t version = 0, added = 0;
    if (!dt_json_integer(dt_json_get(root, "v"), &version) || version != RECORD_VERSION)
        return DT_E_PARSE;
    if (!dt_json_integer(dt_json_get(root, "added"), &added) || added < 0)
        return DT_E_PARSE;
    char const *name = dt_json_string(dt_json_get(root, "name"));
    if (name == NULL || dt_json_size(root) != 4)
        return DT_E_PARSE;
    out->added = added;
    int const rc = dt_str_copy(out->name, sizeof(out->name), name);
    return rc != 0 ? rc : read_certificate(dt_json_get(root, "certificate"), out);
}

int dt_device_record_unpack(dt_bytes text, dt_device_record *out)
{
    out->added = 0;
    out->name[0] = '\0';
    out->der_len = 0;
    if (text.len > DT_DEVICE_RECORD_MAX)
        return DT_E_LIMIT;
    dt_json *root = NULL;
    int rc = dt_json_parse(text, &root, NULL);
    if (rc == 0)
        rc = read_record(root, out);
    dt_json_free(&root);
    if (rc != 0)
        out->der_len = 0;
    return rc;
}
