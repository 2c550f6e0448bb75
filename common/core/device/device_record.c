/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry's record as JSON text, so that an administrator can read it in the store. */
#include "core/device/device_record.h"

#include "core/base/json.h"
#include "core/base/utf8.h"

#include <string.h>

#define CERTIFICATE_VERSION 1  /* the first form, of records with a certificate */
#define KEY_VERSION 2          /* with a key and a device id */
#define ALIAS_VERSION 1        /* by an administrator */
#define SYNCED_ALIAS_VERSION 2 /* with when, and maybe without a device */
#define TRUSTED_VERSION 1

void dt_device_store_key(char const fingerprint[65], char out[DT_STORE_KEY_MAX])
{
    dt_buf b;
    dt_buf_init_fixed(&b, out, DT_STORE_KEY_MAX);
    dt_buf_puts(&b, "ssh:");
    dt_buf_puts(&b, fingerprint);
}

void dt_trusted_store_key(dt_guid const *device, char out[DT_STORE_KEY_MAX])
{
    dt_buf b;
    dt_buf_init_fixed(&b, out, DT_STORE_KEY_MAX);
    dt_buf_puts(&b, "trusted:");
    dt_buf_puts(&b, device->text);
}

void dt_device_alias_key(char const *name, char out[DT_STORE_KEY_MAX])
{
    dt_buf b;
    dt_buf_init_fixed(&b, out, DT_STORE_KEY_MAX);
    dt_buf_puts(&b, DT_DEVICE_ALIAS_PREFIX);
    dt_buf_puts(&b, name);
}

bool dt_device_alias_is_row(char const *key)
{
    return strncmp(key, DT_DEVICE_ALIAS_PREFIX, sizeof(DT_DEVICE_ALIAS_PREFIX) - 1) == 0;
}

int dt_device_alias_pack(dt_device_alias const *a, dt_buf *out)
{
    if (a->synced < 0 || (a->synced == 0 && !dt_guid_is_set(&a->device)))
        return DT_E_INVALID;
    dt_buf_puts(out, "{\"v\":");
    dt_buf_put_int(out, a->synced > 0 ? SYNCED_ALIAS_VERSION : ALIAS_VERSION);
    if (a->synced > 0) {
        dt_buf_puts(out, ",\"synced\":");
        dt_buf_put_int(out, a->synced);
    }
    dt_buf_puts(out, ",\"device\":\"");
    dt_buf_puts(out, dt_guid_is_set(&a->device) ? a->device.text : "");
    dt_buf_puts(out, "\"}");
    return dt_buf_error(out);
}

static int read_alias(dt_json const *root, dt_device_alias *out)
{
    int64_t version = 0;
    char const *device = dt_json_string(dt_json_get(root, "device"));
    if (!dt_json_integer(dt_json_get(root, "v"), &version) || device == NULL)
        return DT_E_PARSE;
    if (version == ALIAS_VERSION && dt_json_size(root) == 2)
        return dt_guid_parse(dt_bytes_str(device), &out->device);
    if (version != SYNCED_ALIAS_VERSION || dt_json_size(root) != 3 ||
        !dt_json_integer(dt_json_get(root, "synced"), &out->synced) || out->synced <= 0)
        return DT_E_PARSE;
    return device[0] == '\0' ? DT_OK : dt_guid_parse(dt_bytes_str(device), &out->device);
}

int dt_device_alias_unpack(dt_bytes text, dt_device_alias *out)
{
    dt_json *root = NULL;
    int rc = text.len > DT_DEVICE_ALIAS_VALUE_MAX ? DT_E_LIMIT : dt_json_parse(text, &root, NULL);

    *out = (dt_device_alias){0};
    if (rc == DT_OK)
        rc = read_alias(root, out);
    dt_json_free(&root);
    if (rc != DT_OK)
        *out = (dt_device_alias){0};
    return rc;
}

bool dt_device_alias_found(dt_device_alias const *old, dt_guid const *device, dt_time synced,
                           dt_device_alias *out)
{
    *out = (dt_device_alias){.device = *device, .synced = synced};
    if (old == NULL)
        return true;
    if (old->synced == 0)
        return false;
    if (old->synced == synced && !dt_guid_equal(&old->device, device))
        out->device = (dt_guid){0};
    return old->synced != synced || dt_guid_is_set(&old->device) != dt_guid_is_set(&out->device);
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

/* What all records begin with. */
static void put_head(dt_buf *out, int version, dt_time added, char const *name)
{
    dt_buf_puts(out, "{\"v\":");
    dt_buf_put_int(out, version);
    dt_buf_puts(out, ",\"added\":");
    dt_buf_put_int(out, added);
    dt_buf_puts(out, ",\"name\":");
    dt_json_put_string(out, name);
}

static void put_device(dt_buf *out, dt_guid const *device)
{
    dt_buf_puts(out, ",\"device\":");
    dt_json_put_string(out, device->text);
    dt_buf_puts(out, "}");
}

static int pack_certificate(dt_device_record const *r, dt_buf *out)
{
    if (r->der_len > sizeof(r->der))
        return DT_E_INVALID;
    put_head(out, CERTIFICATE_VERSION, r->added, r->name);
    dt_buf_puts(out, ",\"certificate\":\"");
    dt_base64_encode(out, dt_bytes_of(r->der, r->der_len));
    dt_buf_puts(out, "\"}");
    return dt_buf_error(out);
}

static int pack_key(dt_device_record const *r, dt_buf *out)
{
    if (r->key_len == 0 || r->key_len > sizeof(r->key) || !dt_guid_is_set(&r->device_id))
        return DT_E_INVALID;
    put_head(out, KEY_VERSION, r->added, r->name);
    dt_buf_puts(out, ",\"key\":\"");
    dt_base64_encode(out, dt_bytes_of(r->key, r->key_len));
    dt_buf_puts(out, "\"");
    put_device(out, &r->device_id);
    return dt_buf_error(out);
}

int dt_device_record_pack(dt_device_record const *r, dt_buf *out)
{
    if (r->added < 0 || !is_text(r->name) || (r->der_len > 0 && r->key_len > 0))
        return DT_E_INVALID;
    return r->der_len > 0 ? pack_certificate(r, out) : pack_key(r, out);
}

static int read_base64(dt_json const *v, uint8_t *dst, size_t size, size_t *len)
{
    char const *text = dt_json_string(v);
    if (text == NULL)
        return DT_E_PARSE;
    dt_buf raw;
    dt_buf_init(&raw, size);
    int rc = dt_base64_decode(&raw, dt_bytes_str(text));
    if (rc == 0 && raw.len == 0)
        rc = DT_E_PARSE;
    if (rc == 0) {
        memcpy(dst, raw.p, raw.len);
        *len = raw.len;
    }
    dt_buf_free(&raw);
    return rc;
}

/* A record's version; 0 for anything else. The rest of the head goes to *added and `name`. */
static int64_t read_head(dt_json const *root, dt_time *added, char name[DT_DEVICE_NAME_MAX])
{
    int64_t version = 0;
    char const *text = dt_json_string(dt_json_get(root, "name"));
    if (!dt_json_integer(dt_json_get(root, "v"), &version) ||
        !dt_json_integer(dt_json_get(root, "added"), added) || *added < 0 || text == NULL ||
        dt_str_copy(name, DT_DEVICE_NAME_MAX, text) != 0)
        return 0;
    return version;
}

static int read_device(dt_json const *root, dt_guid *out)
{
    char const *text = dt_json_string(dt_json_get(root, "device"));
    return text != NULL ? dt_guid_parse(dt_bytes_str(text), out) : DT_E_PARSE;
}

static int read_record(dt_json const *root, dt_device_record *out)
{
    int64_t const version = read_head(root, &out->added, out->name);
    if (version == CERTIFICATE_VERSION && dt_json_size(root) == 4)
        return read_base64(dt_json_get(root, "certificate"), out->der, sizeof(out->der),
                           &out->der_len);
    if (version != KEY_VERSION || dt_json_size(root) != 5)
        return DT_E_PARSE;
    int const rc = read_device(root, &out->device_id);
    if (rc != 0)
        return rc;
    return read_base64(dt_json_get(root, "key"), out->key, sizeof(out->key), &out->key_len);
}

int dt_device_record_unpack(dt_bytes text, dt_device_record *out)
{
    out->added = 0;
    out->name[0] = '\0';
    out->der_len = out->key_len = 0;
    out->device_id = (dt_guid){0};
    if (text.len > DT_DEVICE_RECORD_MAX)
        return DT_E_LIMIT;
    dt_json *root = NULL;
    int rc = dt_json_parse(text, &root, NULL);
    if (rc == 0)
        rc = read_record(root, out);
    dt_json_free(&root);
    if (rc != 0) {
        out->der_len = out->key_len = 0;
        out->device_id = (dt_guid){0};
    }
    return rc;
}

/* --- trusted devices -------------------------------------------------------------------------- */

int dt_trusted_record_pack(dt_trusted_record const *r, dt_buf *out)
{
    if (r->added < 0 || !is_text(r->name) || !dt_guid_is_set(&r->device_id))
        return DT_E_INVALID;
    put_head(out, TRUSTED_VERSION, r->added, r->name);
    put_device(out, &r->device_id);
    return dt_buf_error(out);
}

int dt_trusted_record_unpack(dt_bytes text, dt_trusted_record *out)
{
    *out = (dt_trusted_record){0};
    if (text.len > DT_TRUSTED_RECORD_MAX)
        return DT_E_LIMIT;
    dt_json *root = NULL;
    int rc = dt_json_parse(text, &root, NULL);
    if (rc == 0)
        rc = read_head(root, &out->added, out->name) == TRUSTED_VERSION && dt_json_size(root) == 4
                 ? read_device(root, &out->device_id)
                 : DT_E_PARSE;
    dt_json_free(&root);
    if (rc != 0)
        *out = (dt_trusted_record){0};
    return rc;
}
