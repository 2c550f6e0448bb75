/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/device/device_help.h"

#include <string.h>

#define LINK "{link}"
#define DEVICE "{device}"

/* --- words of our own -------------------------------------------------------------------------- */

/* What Microsoft's apps call it: the user help of Company Portal and of the Intune app for Linux. */
static char const *check_access(dt_platform p)
{
    switch (p) {
    case DT_PLATFORM_ANDROID:
        return "In Company Portal, choose " DEVICE ", then Check device settings; it can take 10 "
               "minutes.";
    case DT_PLATFORM_IOS:
    case DT_PLATFORM_MACOS:
        return "In Company Portal, choose " DEVICE ", then Check status; it can take 10 minutes.";
    case DT_PLATFORM_LINUX:
        return "In the Microsoft Intune app, choose " DEVICE ", see View issues, then refresh; it "
               "can take 10 minutes.";
    default:
        return "In Company Portal, choose " DEVICE ", then Check access; it can take 10 minutes.";
    }
}

static char const *enrol(dt_platform p)
{
    switch (p) {
    case DT_PLATFORM_ANDROID:
    case DT_PLATFORM_IOS:
    case DT_PLATFORM_MACOS:
        return "This device is not enrolled. Enrol it with the Company Portal app: " LINK;
    case DT_PLATFORM_LINUX:
        return "This device is not enrolled. Enrol it with the Microsoft Intune app: " LINK;
    default:
        return "This device is not enrolled. Enrol it: " LINK;
    }
}

/* What is wrong, where the person can fix the device; then comes check_access. */
static char const *compliance(dt_reason r)
{
    switch (r) {
    case DT_REASON_NOT_COMPLIANT:
        return "This device does not meet your company's compliance and security policies.";
    case DT_REASON_IN_GRACE_PERIOD:
        return "This device does not meet your company's compliance policies yet, and its grace "
               "period is running.";
    case DT_REASON_STALE:
        return "This device has not reported to your company for too long.";
    default:
        return "";
    }
}

static bool is_unenrolled(dt_reason r)
{
    return r == DT_REASON_NOT_ENROLLED || r == DT_REASON_NO_CERTIFICATE ||
           r == DT_REASON_NOT_MANAGED;
}

/* The others reveal only what a person with the device in hand knows. */
static char const *own_words(dt_reason r)
{
    switch (r) {
    case DT_REASON_CERTIFICATE_EXPIRED:
    case DT_REASON_CERTIFICATE_NOT_YET_VALID:
        return "This device's certificate is not valid at this time. Check its clock and let it "
               "sync with your company.";
    case DT_REASON_CERTIFICATE_REVOKED:
    case DT_REASON_CERTIFICATE_INVALID:
    case DT_REASON_UNTRUSTED_ISSUER:
    case DT_REASON_WRONG_TENANT:
        return "This device's certificate was not accepted. Ask your help desk.";
    case DT_REASON_DEVICE_DEACTIVATED:
        return "This device was deactivated in Okta. Ask your help desk.";
    case DT_REASON_MANAGEMENT_HINT_MISMATCH:
        return "It could not be confirmed that your company manages this device. Ask your help "
               "desk.";
    case DT_REASON_PLATFORM_NOT_ENABLED:
        return "Devices of this kind do not count as trusted here.";
    case DT_REASON_KEY_NOT_HARDWARE:
        return "Use an SSH key in a security key.";
    case DT_REASON_NOT_OWNER:
        return "This device is assigned to somebody else. Use your own, or ask your help desk.";
    default:
        return "";
    }
}

/* --- which text ------------------------------------------------------------------------------- */

static dt_config_message const *section_of(dt_config const *c, char const *name)
{
    for (size_t i = 0; i < c->message_count; i++) {
        if (strcmp(c->messages[i]->name, name) == 0)
            return c->messages[i];
    }
    return NULL;
}

/* 0 for what is not a single platform: there stands the text of all. */
static size_t slot_of(dt_platform p)
{
    size_t slot = 1;

    if (p == DT_PLATFORM_UNKNOWN || !dt_platform_is_one((int64_t)p))
        return 0;
    for (unsigned bit = (unsigned)p; bit > 1; bit >>= 1)
        slot++;
    return slot;
}

/* "" when the section, or both of its texts, are not there. */
static char const *configured(dt_config const *c, char const *name, dt_platform p)
{
    dt_config_message const *m = section_of(c, name);

    if (m == NULL)
        return "";
    return *m->texts[slot_of(p)] != '\0' ? m->texts[slot_of(p)] : m->texts[0];
}

static bool has_verdict(dt_verdict const *v)
{
    return v->trust != DT_TRUST_TRUSTED && v->reason != DT_REASON_NONE &&
           v->reason != DT_REASON_TRUSTED;
}

static dt_platform platform_of(dt_verdict const *v, dt_platform hint)
{
    return v->platform != DT_PLATFORM_UNKNOWN ? v->platform : hint;
}

/* --- placeholders ----------------------------------------------------------------------------- */

/* A name of the device, cut between characters; shown only to a person who proved its key. */
static void put_device(dt_verdict const *v, dt_buf *out)
{
    char name[DT_DEVICE_HELP_NAME_MAX + 1];

    dt_str_escape(name, sizeof(name), v->device_name);
    dt_buf_puts(out, v->key_id[0] != '\0' && name[0] != '\0' ? name : "this device");
}

static bool begins(char const *text, char const *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void expand(char const *text, char const *link, dt_verdict const *v, dt_buf *out)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "{");

        dt_buf_put_escaped(out, dt_bytes_of(text, len));
        text += len;
        if (begins(text, LINK)) {
            dt_buf_put_escaped(out, dt_bytes_str(link));
            text += strlen(LINK);
        } else if (begins(text, DEVICE)) {
            put_device(v, out);
            text += strlen(DEVICE);
        } else if (*text != '\0') {
            dt_buf_putc(out, *text++);
        }
    }
}

/* --- the help --------------------------------------------------------------------------------- */

static void put_own(dt_config const *c, dt_verdict const *v, dt_platform p, dt_buf *out)
{
    char const *link = c->device_trust.enrollment_url;
    char const *wrong = compliance(v->reason);

    if (v->trust != DT_TRUST_NOT_TRUSTED)
        return;
    if (*wrong != '\0') {
        dt_buf_puts(out, wrong);
        dt_buf_putc(out, ' ');
        expand(check_access(p), link, v, out);
    } else if (!is_unenrolled(v->reason)) {
        dt_buf_puts(out, own_words(v->reason));
    } else if (*link != '\0') { /* without it that cannot be known */
        expand(enrol(p), link, v, out);
    }
}

void dt_device_help(dt_config const *c, dt_verdict const *v, dt_platform platform, dt_buf *out)
{
    dt_platform p = platform_of(v, platform);
    char const *text;

    if (!has_verdict(v))
        return;
    text = configured(c, dt_reason_name(v->reason), p);
    if (*text == '\0' && v->trust == DT_TRUST_NOT_TRUSTED && *compliance(v->reason) != '\0' &&
        *c->device_trust.check_access_text != '\0') {
        dt_buf_put_escaped(out, dt_bytes_str(c->device_trust.check_access_text));
        return;
    }
    if (*text == '\0')
        text = configured(c, DT_CONFIG_MESSAGE_ANY, p);
    if (*text != '\0')
        expand(text, c->device_trust.enrollment_url, v, out);
    else
        put_own(c, v, p, out);
}

bool dt_device_help_goes_with_prompt(dt_config const *c, dt_verdict const *v, dt_platform platform)
{
    if (!has_verdict(v))
        return false;
    return (v->trust == DT_TRUST_NOT_TRUSTED && *compliance(v->reason) != '\0') ||
           *configured(c, dt_reason_name(v->reason), platform_of(v, platform)) != '\0';
}

/* --- the check when it is loaded --------------------------------------------------------------- */

static bool placeholders_are_known(char const *text)
{
    for (text += strcspn(text, "{}"); *text != '\0'; text += strcspn(text, "{}")) {
        if (begins(text, LINK))
            text += strlen(LINK);
        else if (begins(text, DEVICE))
            text += strlen(DEVICE);
        else
            return false;
    }
    return true;
}

/* With the longest name that is shown. */
static bool fits_reply(char const *text, char const *link)
{
    static dt_verdict longest;
    char storage[DT_DEVICE_HELP_MAX + 2]; /* room for one byte too many, and the NUL */
    dt_verdict v = longest;
    dt_buf b;

    memset(v.device_name, 'x', DT_DEVICE_HELP_NAME_MAX);
    v.key_id[0] = 'x';
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    expand(text, link, &v, &b);
    return dt_buf_error(&b) == DT_OK && b.len <= DT_DEVICE_HELP_MAX;
}

char const *dt_device_help_fault(char const *text, char const *link)
{
    if (!placeholders_are_known(text))
        return "contains an unknown placeholder; only {link} and {device} are known";
    if (*link == '\0' && strstr(text, LINK) != NULL)
        return "contains {link}, but [device_trust] enrollment_url is empty; set it, or remove "
               "{link}";
    if (!fits_reply(text, link))
        return "is too long for one Reply-Message; at most 253 bytes are allowed, where {device} "
               "counts 40 and {link} the length of enrollment_url";
    return NULL;
}
