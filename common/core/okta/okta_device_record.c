/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer of the Okta Devices API as the cache keeps it: a plain line of fields, since it is read
 * at every sign-on of a trusted device. Version 1, numbers without leading zeros, "-" for what is not
 * there: a record has one form only.
 *
 *   dt-okta-device 1 STATE PLATFORM FETCHED DEVICE USER OKTA_DEVICE SERIAL\n
 *   DEVICE NAME\n
 */
#include "core/okta/okta_device.h"

#include "core/base/record_text.h"

#include <string.h>

#define RECORD_PREFIX "dt-okta-device 1 "

int dt_okta_device_store_key(dt_guid const *device, char const *serial, char const *login,
                             char out[DT_STORE_KEY_MAX])
{
    dt_buf b;
    dt_buf_init_fixed(&b, out, DT_STORE_KEY_MAX);
    dt_buf_puts(&b, DT_OKTA_DEVICE_KEY_PREFIX);
    dt_buf_puts(&b, device->text);
    dt_buf_putc(&b, ':');
    dt_buf_puts(&b, serial);
    dt_buf_putc(&b, ':');
    for (; *login != '\0'; login++)
        dt_buf_putc(&b, *login >= 'A' && *login <= 'Z' ? (char)(*login - 'A' + 'a') : *login);
    return dt_buf_error(&b);
}

static bool is_serial(char const *serial)
{
    char normal[DT_HARDWARE_SERIAL_MAX];
    return serial[0] == '\0' ||
           (dt_hardware_serial(dt_bytes_str(serial), normal) && strcmp(serial, normal) == 0);
}

/* Holds for everything that the readers make; asked in both directions. */
static bool makes_sense(dt_okta_device const *d)
{
    bool found = d->state > DT_OKTA_DEVICE_AMBIGUOUS;
    if (!dt_guid_is_set(&d->device_id) || !dt_okta_is_id(d->user_id) || !is_serial(d->serial))
        return false;
    if ((unsigned)d->state >= DT_OKTA_DEVICE_STATE_COUNT || !dt_platform_is_one(d->platform))
        return false;
    if (found && !dt_okta_is_id(d->id))
        return false;
    if (d->id[0] != '\0' && !dt_okta_is_id(d->id))
        return false;
    return d->fetched > 0 && dt_record_is_line(d->name);
}

static void put_word(dt_buf *out, char const *word, char end)
{
    dt_buf_puts(out, word[0] != '\0' ? word : "-");
    dt_buf_putc(out, end);
}

int dt_okta_device_pack(dt_okta_device const *d, dt_buf *out)
{
    size_t before = out->len;
    if (!makes_sense(d))
        return DT_E_INVALID;
    int64_t const numbers[] = {d->state, d->platform, d->fetched};
    dt_buf_puts(out, RECORD_PREFIX);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        dt_buf_put_int(out, numbers[i]);
        dt_buf_putc(out, ' ');
    }
    put_word(out, d->device_id.text, ' ');
    put_word(out, d->user_id, ' ');
    put_word(out, d->id, ' ');
    put_word(out, d->serial, '\n');
    dt_buf_puts(out, d->name);
    dt_buf_putc(out, '\n');
    if (dt_buf_error(out) == DT_OK && out->len - before > DT_OKTA_DEVICE_RECORD_MAX) {
        dt_buf_truncate(out, before);
        return DT_E_LIMIT;
    }
    return dt_buf_error(out);
}

static bool take_word(dt_bytes *text, char end, char *dst, size_t size)
{
    dt_bytes word;
    dst[0] = '\0';
    if (!dt_record_take(text, end, &word) || word.len == 0)
        return false;
    return dt_bytes_equal(word, dt_bytes_str("-")) || dt_str_copy_bytes(dst, size, word) == DT_OK;
}

static bool unpack(dt_bytes text, dt_okta_device *d)
{
    size_t n = sizeof(RECORD_PREFIX) - 1;
    int64_t state, platform;
    char device[DT_GUID_LEN + 1];
    dt_bytes name;
    if (text.len > DT_OKTA_DEVICE_RECORD_MAX || text.len < n ||
        memcmp(text.p, RECORD_PREFIX, n) != 0)
        return false;
    text = dt_bytes_of(text.p + n, text.len - n);
    if (!dt_record_take_number(&text, ' ', DT_OKTA_DEVICE_STATE_COUNT - 1, &state) ||
        !dt_record_take_number(&text, ' ', INT32_MAX, &platform) ||
        !dt_record_take_number(&text, ' ', INT64_MAX, &d->fetched) ||
        !take_word(&text, ' ', device, sizeof(device)) ||
        !take_word(&text, ' ', d->user_id, sizeof(d->user_id)) ||
        !take_word(&text, ' ', d->id, sizeof(d->id)) ||
        !take_word(&text, '\n', d->serial, sizeof(d->serial)) ||
        !dt_record_take(&text, '\n', &name) ||
        dt_str_copy_bytes(d->name, sizeof(d->name), name) != DT_OK)
        return false;
    d->state = (dt_okta_device_state)state;
    d->platform = (dt_platform)platform;
    return dt_guid_parse(dt_bytes_str(device), &d->device_id) == DT_OK &&
           strcmp(device, d->device_id.text) == 0 && text.len == 0 && makes_sense(d);
}

int dt_okta_device_unpack(dt_bytes record, dt_okta_device *out)
{
    memset(out, 0, sizeof(*out));
    if (unpack(record, out))
        return DT_OK;
    memset(out, 0, sizeof(*out));
    return DT_E_PARSE;
}
