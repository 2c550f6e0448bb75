/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer of Intune as the cache keeps it: read at every sign-on of a trusted device, so it is a
 * plain line of fields and not JSON. Version 3:
 *
 *   dt-intune 3 ENROLLED MANAGED COMPLIANCE PLATFORM LAST_SYNC GRACE SINCE FETCHED DEVICE ENTRA SERIAL\n
 *   DEVICE NAME\n
 *   USER\n
 *
 * Numbers are decimal without leading zeros, an unset ENTRA or SERIAL is "-": a record has one form only. */
#include "core/intune/intune.h"

#include "core/device/hardware_serial.h"
#include "core/base/record_text.h"

#include <string.h>

#define RECORD_PREFIX "dt-intune 3 "
#define KEY_PREFIX "intune:"

void dt_intune_store_key(dt_guid const *device_id, char out[DT_STORE_KEY_MAX])
{
    size_t n = sizeof(KEY_PREFIX) - 1;
    memcpy(out, KEY_PREFIX, n);
    memcpy(out + n, device_id->text, sizeof(device_id->text));
}

/* A serial number in the one form in which they are compared, or none: that form has no dash. */
static bool is_serial(char const *serial)
{
    char normal[DT_HARDWARE_SERIAL_MAX];
    return serial[0] == '\0' ||
           (dt_hardware_serial(dt_bytes_str(serial), normal) && strcmp(serial, normal) == 0);
}

/* Holds for everything that dt_intune_read_device makes; asked in both directions. */
static bool makes_sense(dt_intune_device const *d)
{
    if (!dt_guid_is_set(&d->device_id) || !dt_platform_is_one(d->platform))
        return false;
    if (d->compliance < DT_COMPLIANCE_UNKNOWN || d->compliance > DT_COMPLIANCE_IN_GRACE_PERIOD)
        return false;
    if (!d->enrolled && (d->managed || d->compliance != DT_COMPLIANCE_UNKNOWN))
        return false;
    return d->last_sync >= 0 && d->grace_expires >= 0 && d->enrolled_at >= 0 && d->fetched > 0 &&
           is_serial(d->serial) && dt_record_is_line(d->device_name) && dt_record_is_line(d->user);
}

int dt_intune_pack(dt_intune_device const *d, dt_buf *out)
{
    size_t before = out->len;
    if (!makes_sense(d))
        return DT_E_INVALID;
    int64_t const numbers[] = {d->enrolled,  d->managed,       d->compliance,  d->platform,
                               d->last_sync, d->grace_expires, d->enrolled_at, d->fetched};
    dt_buf_puts(out, RECORD_PREFIX);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        dt_buf_put_int(out, numbers[i]);
        dt_buf_putc(out, ' ');
    }
    dt_buf_puts(out, d->device_id.text);
    dt_buf_putc(out, ' ');
    dt_buf_puts(out, dt_guid_is_set(&d->entra_id) ? d->entra_id.text : "-");
    dt_buf_putc(out, ' ');
    dt_buf_puts(out, d->serial[0] != '\0' ? d->serial : "-");
    dt_buf_putc(out, '\n');
    dt_buf_puts(out, d->device_name);
    dt_buf_putc(out, '\n');
    dt_buf_puts(out, d->user);
    dt_buf_putc(out, '\n');
    if (dt_buf_error(out) == DT_OK && out->len - before > DT_INTUNE_RECORD_MAX) {
        dt_buf_truncate(out, before);
        return DT_E_LIMIT;
    }
    return dt_buf_error(out);
}

/* A GUID in the one form that dt_guid keeps. */
static bool take_guid(dt_bytes *text, char end, bool may_lack, dt_guid *out)
{
    dt_bytes word;
    if (!dt_record_take(text, end, &word))
        return false;
    if (may_lack && dt_bytes_equal(word, dt_bytes_str("-")))
        return true;
    return dt_guid_parse(word, out) == DT_OK && dt_bytes_equal(word, dt_bytes_str(out->text));
}

static bool take_serial(dt_bytes *text, char serial[DT_HARDWARE_SERIAL_MAX])
{
    dt_bytes word;
    if (!dt_record_take(text, '\n', &word))
        return false;
    if (dt_bytes_equal(word, dt_bytes_str("-")))
        return true;
    return word.len > 0 && dt_str_copy_bytes(serial, DT_HARDWARE_SERIAL_MAX, word) == DT_OK &&
           is_serial(serial);
}

static bool take_line(dt_bytes *text, char *dst, size_t size)
{
    dt_bytes line;
    return dt_record_take(text, '\n', &line) && dt_str_copy_bytes(dst, size, line) == DT_OK;
}

static bool unpack(dt_bytes text, dt_intune_device *d)
{
    size_t n = sizeof(RECORD_PREFIX) - 1;
    int64_t enrolled, managed, compliance, platform;
    if (text.len > DT_INTUNE_RECORD_MAX || text.len < n || memcmp(text.p, RECORD_PREFIX, n) != 0)
        return false;
    text = dt_bytes_of(text.p + n, text.len - n);
    if (!dt_record_take_number(&text, ' ', 1, &enrolled) ||
        !dt_record_take_number(&text, ' ', 1, &managed) ||
        !dt_record_take_number(&text, ' ', DT_COMPLIANCE_IN_GRACE_PERIOD, &compliance) ||
        !dt_record_take_number(&text, ' ', INT32_MAX, &platform) ||
        !dt_record_take_number(&text, ' ', INT64_MAX, &d->last_sync) ||
        !dt_record_take_number(&text, ' ', INT64_MAX, &d->grace_expires) ||
        !dt_record_take_number(&text, ' ', INT64_MAX, &d->enrolled_at) ||
        !dt_record_take_number(&text, ' ', INT64_MAX, &d->fetched))
        return false;
    d->enrolled = enrolled == 1;
    d->managed = managed == 1;
    d->compliance = (dt_compliance)compliance;
    d->platform = (dt_platform)platform;
    return take_guid(&text, ' ', false, &d->device_id) &&
           take_guid(&text, ' ', true, &d->entra_id) && take_serial(&text, d->serial) &&
           take_line(&text, d->device_name, sizeof(d->device_name)) &&
           take_line(&text, d->user, sizeof(d->user)) && text.len == 0 && makes_sense(d);
}

int dt_intune_unpack(dt_bytes record, dt_intune_device *out)
{
    memset(out, 0, sizeof(*out));
    if (unpack(record, out))
        return DT_OK;
    memset(out, 0, sizeof(*out));
    return DT_E_PARSE;
}

/* --- names ------------------------------------------------------------------------------------ */

void dt_intune_name_store_key(dt_intune_name const *name, char out[DT_STORE_KEY_MAX])
{
    dt_buf b;
    dt_buf_init_fixed(&b, out, DT_STORE_KEY_MAX);
    dt_buf_puts(&b, name->serial[0] != '\0' ? "intune-serial:" : "intune-entra:");
    dt_buf_puts(&b, name->serial[0] != '\0' ? name->serial : name->entra_id.text);
}

int dt_intune_found_pack(dt_intune_found const *f, dt_buf *out)
{
    if (f->count < 0 || f->count > 2 || (f->count == 1 && !dt_guid_is_set(&f->device.device_id)))
        return DT_E_INVALID;
    dt_buf_puts(out, f->count == 1 ? f->device.device_id.text : f->count == 0 ? "-" : "*");
    return dt_buf_error(out);
}

int dt_intune_found_unpack(dt_bytes text, dt_intune_found *out)
{
    dt_guid device = {0};
    memset(out, 0, sizeof(*out));
    if (dt_bytes_equal(text, dt_bytes_str("-")))
        return DT_OK;
    if (dt_bytes_equal(text, dt_bytes_str("*"))) {
        out->count = 2;
        return DT_OK;
    }
    if (dt_guid_parse(text, &device) != DT_OK || !dt_bytes_equal(text, dt_bytes_str(device.text)))
        return DT_E_PARSE;
    out->count = 1;
    out->device.device_id = device;
    return DT_OK;
}
