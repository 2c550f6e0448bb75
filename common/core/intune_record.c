/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer of Intune as the cache keeps it: read at every sign-on of a trusted device, so it is a
 * plain line of fields and not JSON. Version 1:
 *
 *   dt-intune 1 ENROLLED MANAGED COMPLIANCE PLATFORM LAST_SYNC GRACE FETCHED DEVICE ENTRA\n
 *   DEVICE NAME\n
 *   USER\n
 *
 * Numbers are decimal without leading zeros, an unset ENTRA is "-": a record has one form only. */
#include "core/intune.h"

#include <string.h>

#define RECORD_PREFIX "dt-intune 1 "
#define KEY_PREFIX "intune:"

void dt_intune_store_key(dt_guid const *device_id, char out[DT_STORE_KEY_MAX])
{
    size_t n = sizeof(KEY_PREFIX) - 1;
    memcpy(out, KEY_PREFIX, n);
    memcpy(out + n, device_id->text, sizeof(device_id->text));
}

static bool is_line(char const *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static bool is_platform(int64_t p)
{
    int64_t known = DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE;
    return p >= 0 && (p & ~known) == 0 && (p & (p - 1)) == 0;
}

/* Holds for everything that dt_intune_read_device makes; asked in both directions. */
static bool makes_sense(dt_intune_device const *d)
{
    if (!dt_guid_is_set(&d->device_id) || !is_platform(d->platform))
        return false;
    if (d->compliance < DT_COMPLIANCE_UNKNOWN || d->compliance > DT_COMPLIANCE_IN_GRACE_PERIOD)
        return false;
    if (!d->enrolled && (d->managed || d->compliance != DT_COMPLIANCE_UNKNOWN))
        return false;
    return d->last_sync >= 0 && d->grace_expires >= 0 && d->fetched > 0 &&
           is_line(d->device_name) && is_line(d->user);
}

int dt_intune_pack(dt_intune_device const *d, dt_buf *out)
{
    size_t before = out->len;
    if (!makes_sense(d))
        return DT_E_INVALID;
    int64_t const numbers[] = {d->enrolled,  d->managed,       d->compliance, d->platform,
                               d->last_sync, d->grace_expires, d->fetched};
    dt_buf_puts(out, RECORD_PREFIX);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        dt_buf_put_int(out, numbers[i]);
        dt_buf_putc(out, ' ');
    }
    dt_buf_puts(out, d->device_id.text);
    dt_buf_putc(out, ' ');
    dt_buf_puts(out, dt_guid_is_set(&d->entra_id) ? d->entra_id.text : "-");
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

/* Takes everything up to `end` off the text's beginning, and `end` with it. */
static bool take_until(dt_bytes *text, char end, dt_bytes *out)
{
    uint8_t const *p = text->len == 0 ? NULL : memchr(text->p, end, text->len);
    if (p == NULL)
        return false;
    *out = dt_bytes_of(text->p, (size_t)(p - text->p));
    *text = dt_bytes_of(p + 1, text->len - out->len - 1);
    return true;
}

/* A number of 0..max as dt_buf_put_int writes it, and the blank behind it. */
static bool take_number(dt_bytes *text, int64_t max, int64_t *out)
{
    dt_bytes digits;
    int64_t n = 0;
    if (!take_until(text, ' ', &digits) || digits.len == 0)
        return false;
    if (digits.p[0] == '0' && digits.len > 1)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        int digit = digits.p[i] - '0';
        if (digit < 0 || digit > 9 || n > (INT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *out = n;
    return n <= max;
}

/* A GUID in the one form that dt_guid keeps. */
static bool take_guid(dt_bytes *text, char end, bool may_lack, dt_guid *out)
{
    dt_bytes word;
    if (!take_until(text, end, &word))
        return false;
    if (may_lack && dt_bytes_equal(word, dt_bytes_str("-")))
        return true;
    return dt_guid_parse(word, out) == DT_OK && dt_bytes_equal(word, dt_bytes_str(out->text));
}

static bool take_line(dt_bytes *text, char *dst, size_t size)
{
    dt_bytes line;
    return take_until(text, '\n', &line) && dt_str_copy_bytes(dst, size, line) == DT_OK;
}

static bool unpack(dt_bytes text, dt_intune_device *d)
{
    size_t n = sizeof(RECORD_PREFIX) - 1;
    int64_t enrolled, managed, compliance, platform;
    if (text.len > DT_INTUNE_RECORD_MAX || text.len < n || memcmp(text.p, RECORD_PREFIX, n) != 0)
        return false;
    text = dt_bytes_of(text.p + n, text.len - n);
    if (!take_number(&text, 1, &enrolled) || !take_number(&text, 1, &managed) ||
        !take_number(&text, DT_COMPLIANCE_IN_GRACE_PERIOD, &compliance) ||
        !take_number(&text, INT32_MAX, &platform) ||
        !take_number(&text, INT64_MAX, &d->last_sync) ||
        !take_number(&text, INT64_MAX, &d->grace_expires) ||
        !take_number(&text, INT64_MAX, &d->fetched))
        return false;
    d->enrolled = enrolled == 1;
    d->managed = managed == 1;
    d->compliance = (dt_compliance)compliance;
    d->platform = (dt_platform)platform;
    return take_guid(&text, ' ', false, &d->device_id) &&
           take_guid(&text, '\n', true, &d->entra_id) &&
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
