/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Okta Devices API: requests, strict readers, and what an answer is evidence of.
 * okta_device_record.c keeps answers for the cache. */
#include "core/okta/okta_device.h"

#include "core/base/json.h"

#include <string.h>

#define API_PREFIX "/api/v1/"

/* --- requests --------------------------------------------------------------------------------- */

/* GET {what}/{id}/{of_it} */
static int get(dt_config const *c, char const *what, char const *id, char const *of_it,
               dt_http_request *out)
{
    dt_buf url;
    memset(out, 0, sizeof(*out));
    if (!dt_okta_is_id(id))
        return DT_E_INVALID;
    dt_buf_init_fixed(&url, out->url, sizeof(out->url));
    dt_buf_puts(&url, c->okta.org_url);
    dt_buf_puts(&url, API_PREFIX);
    dt_buf_puts(&url, what);
    dt_buf_puts(&url, id);
    dt_buf_puts(&url, of_it);
    if (dt_buf_error(&url) != DT_OK) {
        memset(out, 0, sizeof(*out));
        return DT_E_LIMIT;
    }
    out->service = DT_HTTP_OKTA;
    out->method = DT_HTTP_GET;
    out->timeout = c->okta.timeout;
    return DT_OK;
}

int dt_okta_get_user_devices(dt_config const *c, char const *user_id, dt_http_request *out)
{
    return get(c, "users/", user_id, "/devices", out);
}

int dt_okta_get_device_users(dt_config const *c, char const *okta_device_id, dt_http_request *out)
{
    return get(c, "devices/", okta_device_id, "/users", out);
}

bool dt_okta_is_device_request(dt_http_request const *r)
{
    static char const end[] = "/devices";
    size_t n = strlen(r->url), tail = sizeof(end) - 1;
    if (r->service != DT_HTTP_OKTA || r->method != DT_HTTP_GET || r->body_len > 0)
        return false;
    return strstr(r->url, API_PREFIX "devices/") != NULL ||
           (n > tail && strcmp(r->url + n - tail, end) == 0);
}

/* --- replies ---------------------------------------------------------------------------------- */

/* Opens a page: *root is an array of at most DT_OKTA_DEVICES_PER_PAGE, to be freed by the caller. */
static dt_okta_answer open_page(dt_config const *c, dt_http_response const *r, dt_json **root,
                                char next_url[DT_URL_MAX], dt_error *e)
{
    dt_okta_answer answer = dt_okta_read_json(c, r, root, next_url, e);
    if (answer == DT_OKTA_UNAUTHORIZED) {
        dt_error why = *e;
        (void)dt_error_set(e, DT_E_PERMISSION,
                           "%.300s; its administrator has to be allowed to read devices "
                           "(okta.users.read and okta.devices.read), which only an org of Okta "
                           "Identity Engine has",
                           why.text);
    }
    if (answer == DT_OKTA_OK && (dt_json_typeof(*root) != DT_JSON_ARRAY ||
                                 dt_json_size(*root) > DT_OKTA_DEVICES_PER_PAGE)) {
        (void)dt_error_set(e, DT_E_UNAVAILABLE,
                           "Okta's answer (HTTP %d) cannot be used: not a list, or too long",
                           r->status);
        answer = DT_OKTA_UNUSABLE;
    }
    if (answer != DT_OKTA_OK)
        next_url[0] = '\0';
    return answer;
}

static dt_okta_answer unusable(dt_http_response const *r, char const *what,
                               char next_url[DT_URL_MAX], dt_error *e)
{
    next_url[0] = '\0';
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta's answer (HTTP %d) cannot be used: %s", r->status,
                       what);
    return DT_OKTA_UNUSABLE;
}

/* Is it the device that was proved? udid is a GUID on a Mac; other forms of it name nothing here. */
static bool matches_device(dt_json const *profile, dt_okta_device const *d)
{
    char const *udid = dt_json_string(dt_json_get(profile, "udid"));
    char const *serial = dt_json_string(dt_json_get(profile, "serialNumber"));
    char normal[DT_HARDWARE_SERIAL_MAX];
    dt_guid id;
    if (udid != NULL && dt_guid_parse(dt_bytes_str(udid), &id) == DT_OK &&
        dt_guid_equal(&id, &d->device_id))
        return true;
    return serial != NULL && d->serial[0] != '\0' &&
           dt_hardware_serial(dt_bytes_str(serial), normal) && strcmp(normal, d->serial) == 0;
}

static dt_okta_device_state state_of(char const *status, dt_json const *profile)
{
    bool jailbroken = true;
    if (strcmp(status, "SUSPENDED") == 0 || strcmp(status, "DEACTIVATED") == 0)
        return DT_OKTA_DEVICE_DISABLED;
    if (strcmp(status, "ACTIVE") != 0)
        return DT_OKTA_DEVICE_OTHER_STATUS;
    dt_json const *broken = dt_json_get(profile, "integrityJailbreak");
    /* Where it is reported, only a plain false is good. */
    jailbroken = dt_json_typeof(broken) != DT_JSON_NONE && dt_json_typeof(broken) != DT_JSON_NULL &&
                 (!dt_json_bool(broken, &jailbroken) || jailbroken);
    return jailbroken ? DT_OKTA_DEVICE_JAILBROKEN : DT_OKTA_DEVICE_NOT_MANAGED;
}

/* Takes in one of the person's devices. NULL, or what is wrong with it. */
static char const *take_device(dt_json const *item, dt_okta_device *d, bool *several)
{
    dt_json const *device = dt_json_get(item, "device");
    dt_json const *profile = dt_json_get(device, "profile");
    char const *id = dt_json_string(dt_json_get(device, "id"));
    char const *status = dt_json_string(dt_json_get(device, "status"));
    if (id == NULL || !dt_okta_is_id(id))
        return "a device without an id";
    if (status == NULL || dt_json_typeof(profile) != DT_JSON_OBJECT)
        return "a device without status or profile";
    if (!matches_device(profile, d))
        return NULL;
    if (d->id[0] != '\0') {
        *several = true;
        return NULL;
    }
    if (dt_str_copy(d->id, sizeof(d->id), id) != DT_OK)
        return "a device whose id is too long";
    d->state = state_of(status, profile);
    d->platform = dt_platform_from_text(dt_json_string(dt_json_get(profile, "platform")));
    (void)dt_str_escape(d->name, sizeof(d->name),
                        dt_json_string(dt_json_get(profile, "displayName")));
    return NULL;
}

dt_okta_answer dt_okta_read_user_devices(dt_config const *c, dt_http_response const *r,
                                         dt_okta_device *d, char next_url[DT_URL_MAX], dt_error *e)
{
    dt_json *root = NULL;
    dt_okta_device with = *d;
    bool several = d->state == DT_OKTA_DEVICE_AMBIGUOUS;
    char const *wrong = NULL;
    dt_okta_answer answer = open_page(c, r, &root, next_url, e);
    if (answer != DT_OKTA_OK)
        goto out;
    for (size_t i = 0; wrong == NULL && i < dt_json_size(root); i++)
        wrong = take_device(dt_json_at(root, i), &with, &several);
    if (wrong != NULL) {
        answer = unusable(r, wrong, next_url, e);
        goto out;
    }
    if (several)
        with.state = DT_OKTA_DEVICE_AMBIGUOUS;
    *d = with;
out:
    dt_json_free(&root);
    return answer;
}

/* Takes in one of the device's people. NULL, or what is wrong with it. */
static char const *take_user(dt_json const *item, dt_okta_device *d)
{
    char const *id = dt_json_string(dt_json_path(item, "user", "id", NULL));
    char const *managed = dt_json_string(dt_json_get(item, "managementStatus"));
    if (id == NULL || !dt_okta_is_id(id))
        return "a device's user without an id";
    if (strcmp(id, d->user_id) != 0)
        return NULL; /* somebody else's link says nothing about this person's */
    if (managed == NULL || strcmp(managed, "MANAGED") != 0)
        d->state = DT_OKTA_DEVICE_NOT_MANAGED;
    else if (d->state != DT_OKTA_DEVICE_NOT_MANAGED)
        d->state = DT_OKTA_DEVICE_MANAGED;
    return NULL;
}

dt_okta_answer dt_okta_read_device_users(dt_config const *c, dt_http_response const *r,
                                         dt_okta_device *d, char next_url[DT_URL_MAX], dt_error *e)
{
    dt_json *root = NULL;
    dt_okta_device with = *d;
    char const *wrong = NULL;
    dt_okta_answer answer = open_page(c, r, &root, next_url, e);
    if (answer != DT_OKTA_OK)
        goto out;
    for (size_t i = 0; wrong == NULL && i < dt_json_size(root); i++)
        wrong = take_user(dt_json_at(root, i), &with);
    if (wrong != NULL)
        answer = unusable(r, wrong, next_url, e);
    else
        *d = with;
out:
    dt_json_free(&root);
    return answer;
}

/* --- evidence --------------------------------------------------------------------------------- */

char const *dt_okta_device_state_text(dt_okta_device_state s)
{
    static char const *const texts[DT_OKTA_DEVICE_STATE_COUNT] = {
        [DT_OKTA_DEVICE_ABSENT] = "not among the person's devices",
        [DT_OKTA_DEVICE_AMBIGUOUS] = "several of the person's devices could be it",
        [DT_OKTA_DEVICE_DISABLED] = "suspended or deactivated",
        [DT_OKTA_DEVICE_OTHER_STATUS] = "not active",
        [DT_OKTA_DEVICE_JAILBROKEN] = "jailbroken",
        [DT_OKTA_DEVICE_NOT_MANAGED] = "not managed",
        [DT_OKTA_DEVICE_MANAGED] = "managed",
    };
    return (unsigned)s < DT_OKTA_DEVICE_STATE_COUNT ? texts[s] : texts[DT_OKTA_DEVICE_ABSENT];
}

static dt_reason reason_of(dt_okta_device_state s)
{
    switch (s) {
    case DT_OKTA_DEVICE_DISABLED:
        return DT_REASON_DEVICE_DEACTIVATED;
    case DT_OKTA_DEVICE_JAILBROKEN:
        return DT_REASON_NOT_COMPLIANT;
    case DT_OKTA_DEVICE_NOT_MANAGED:
        return DT_REASON_NOT_MANAGED;
    default:
        return DT_REASON_NOT_ENROLLED;
    }
}

dt_freshness dt_okta_device_freshness(dt_okta_device const *d, dt_config const *c, dt_time now)
{
    if (d->fetched <= 0 || now < 0)
        return DT_TOO_OLD;
    bool ahead = d->fetched > now;
    dt_time age = ahead ? d->fetched - now : now - d->fetched;
    bool good = d->state == DT_OKTA_DEVICE_MANAGED;
    if (!ahead && age < (good ? c->device_trust.cache_ttl : c->device_trust.negative_ttl))
        return DT_FRESH;
    return age <= c->device_trust.stale_limit ? DT_STALE : DT_TOO_OLD;
}

void dt_okta_device_evidence(dt_okta_device const *d, dt_time now, bool stale, dt_evidence *out)
{
    (void)now;
    memset(out, 0, sizeof(*out));
    out->source = DT_SOURCE_OKTA_DEVICE;
    out->assurance = DT_ASSERTED;
    out->device_id = d->device_id;
    out->platform = d->platform;
    memcpy(out->device_name, d->name, sizeof(out->device_name));
    out->observed = d->fetched;
    if (d->state == DT_OKTA_DEVICE_MANAGED) {
        out->finding = DT_FINDING_FOR;
        out->reason = stale ? DT_REASON_STALE : DT_REASON_NONE;
    } else {
        out->reason = reason_of(d->state);
    }
}

void dt_okta_device_evidence_unavailable(dt_guid const *device_id, dt_time now, dt_evidence *out)
{
    memset(out, 0, sizeof(*out));
    out->source = DT_SOURCE_OKTA_DEVICE;
    out->finding = DT_FINDING_UNKNOWN;
    out->reason = DT_REASON_LOOKUP_UNAVAILABLE;
    out->device_id = *device_id;
    out->observed = now;
}
