/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking Microsoft Graph about a device, reading the answer, and what it is evidence of.
 * intune_record.c keeps answers for the cache, entra.c gets the token. */
#include "core/intune/intune.h"

#include "core/device/hardware_serial.h"

#include "core/base/time_text.h"
#include "core/base/url.h"

#include <string.h>

#define SHOWN_MAX 200 /* of Graph's text in a message for the administrator, bytes */

/* All that is read below, and no more: a property that was not asked for is not there. */
#define SELECTED                                                                                   \
    "id,azureADDeviceId,deviceName,operatingSystem,complianceState,managementState,"               \
    "complianceGracePeriodExpirationDateTime,lastSyncDateTime,userPrincipalName,"                  \
    "deviceRegistrationState,enrolledDateTime,serialNumber"

#define DEVICES_PATH "/v1.0/deviceManagement/managedDevices"
#define READS_DEVICES "DeviceManagementManagedDevices.Read.All"

int dt_intune_finish_get(dt_config const *c, dt_http_service service, dt_buf const *url,
                         dt_http_request *out)
{
    if (dt_buf_error(url) != DT_OK) {
        memset(out, 0, sizeof(*out));
        return DT_E_LIMIT;
    }
    out->service = service;
    out->method = DT_HTTP_GET;
    out->timeout = c->intune.timeout;
    return DT_OK;
}

bool dt_graph_is_link(dt_config const *c, char const *path, char const *link)
{
    char list[DT_URL_MAX];
    dt_buf b;
    dt_url ours, theirs;
    dt_buf_init_fixed(&b, list, sizeof(list));
    dt_buf_puts(&b, c->intune.graph_url);
    dt_buf_puts(&b, path);
    return dt_buf_error(&b) == DT_OK && dt_url_parse(list, &ours) == DT_OK &&
           dt_url_parse(link, &theirs) == DT_OK && dt_url_same_origin(&ours, &theirs) &&
           dt_bytes_equal(ours.path, theirs.path);
}

int dt_graph_list_begin(dt_config const *c, char const *path, char const *next,
                        dt_http_request *out, dt_buf *url)
{
    memset(out, 0, sizeof(*out));
    dt_buf_init_fixed(url, out->url, sizeof(out->url));
    if (next[0] != '\0' && !dt_graph_is_link(c, path, next))
        return DT_E_INVALID;
    dt_buf_puts(url, next[0] != '\0' ? next : c->intune.graph_url);
    dt_buf_puts(url, next[0] != '\0' ? "" : path);
    return DT_OK;
}

int dt_intune_get_device(dt_config const *c, dt_guid const *device_id, dt_http_request *out)
{
    dt_buf url;
    memset(out, 0, sizeof(*out));
    if (!dt_guid_is_set(device_id))
        return DT_E_INVALID;
    dt_buf_init_fixed(&url, out->url, sizeof(out->url));
    dt_buf_puts(&url, c->intune.graph_url);
    dt_buf_puts(&url, DEVICES_PATH "/");
    dt_buf_puts(&url, device_id->text);
    dt_buf_puts(&url, "?$select=" SELECTED);
    return dt_intune_finish_get(c, DT_HTTP_GRAPH, &url, out);
}

int dt_intune_list_devices(dt_config const *c, int size, char const *next, dt_http_request *out)
{
    dt_buf url;
    int rc = dt_graph_list_begin(c, DEVICES_PATH, next, out, &url);
    if (rc != DT_OK || size < 1 || size > DT_INTUNE_PAGE_MAX) {
        memset(out, 0, sizeof(*out));
        return DT_E_INVALID;
    }
    if (next[0] == '\0') {
        dt_buf_puts(&url, "?$select=" SELECTED ",wiFiMacAddress&$top=");
        dt_buf_put_int(&url, size);
    }
    return dt_intune_finish_get(c, DT_HTTP_GRAPH, &url, out);
}

bool dt_intune_name_is_set(dt_intune_name const *n)
{
    return dt_guid_is_set(&n->entra_id) != (n->serial[0] != '\0');
}

bool dt_intune_has_name(dt_intune_device const *d, dt_intune_name const *n)
{
    if (!d->enrolled || !dt_intune_name_is_set(n))
        return false;
    return dt_guid_is_set(&n->entra_id) ? dt_guid_equal(&d->entra_id, &n->entra_id)
                                        : strcmp(d->serial, n->serial) == 0;
}

/* A string of OData (a quote is doubled: OData 4.01 URL conventions, section 5.1.1.14.1) within a URL:
 * whatever could mean anything in either is percent-encoded. */
static void put_odata_string(dt_buf *url, char const *text)
{
    dt_buf_putc(url, '\'');
    for (char const *p = text; *p != '\0'; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '.' || *p == '_' || *p == '-';
        if (plain)
            dt_buf_putc(url, *p);
        else
            dt_buf_printf(url, "%%%02X%s", (unsigned)(unsigned char)*p, *p == '\'' ? "%27" : "");
    }
    dt_buf_putc(url, '\'');
}

int dt_intune_find_device(dt_config const *c, dt_intune_name const *name, char const *next,
                          dt_http_request *out)
{
    dt_buf url;
    int rc = dt_graph_list_begin(c, DEVICES_PATH, next, out, &url);
    if (rc != DT_OK || !dt_intune_name_is_set(name)) {
        memset(out, 0, sizeof(*out));
        return DT_E_INVALID;
    }
    if (next[0] == '\0') {
        dt_buf_puts(&url, "?$filter=");
        dt_buf_puts(&url,
                    name->serial[0] != '\0' ? "serialNumber%20eq%20" : "azureADDeviceId%20eq%20");
        put_odata_string(&url, name->serial[0] != '\0' ? name->serial : name->entra_id.text);
        dt_buf_puts(&url, "&$select=" SELECTED);
    }
    return dt_intune_finish_get(c, DT_HTTP_GRAPH, &url, out);
}

/* --- the reply -------------------------------------------------------------------------------- */

static dt_intune_answer unusable(dt_error *e, dt_http_response const *r, char const *what)
{
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "Graph's answer (HTTP %d) cannot be used: %s",
                       r->status, what);
    return DT_INTUNE_UNUSABLE;
}

dt_intune_answer dt_intune_no_status(dt_http_response const *r, char const *who, dt_error *e)
{
    char shown[DT_HTTP_SHOWN_MAX];
    (void)dt_str_escape(shown, sizeof(shown), r->error);
    if (dt_http_is_unavailable(r->failure, 0)) {
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "%s cannot be reached: %s", who, shown);
        return DT_INTUNE_UNREACHABLE;
    }
    if (r->failure == DT_HTTP_NO_CREDENTIALS) {
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "no access token for %s: %s", who, shown);
        return DT_INTUNE_UNAUTHORIZED;
    }
    if (dt_http_is_local(r->failure)) {
        (void)dt_error_set(e, DT_E_UNAVAILABLE,
                           r->failure == DT_HTTP_UNTRUSTED
                               ? "the server could not be authenticated as %s: %s"
                               : "%s was not asked: %s",
                           who, shown);
        return DT_INTUNE_LOCAL;
    }
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "%s's answer cannot be used: %s", who, shown);
    return DT_INTUNE_UNUSABLE;
}

/* {"error":{"code","message",...}}, for the administrator. False when it is not such an object. */
static bool set_graph_error(dt_http_response const *r, dt_json const *root, int code,
                            char const *advice, dt_error *e)
{
    char shown[SHOWN_MAX], shown_code[64];
    char const *word = dt_json_string(dt_json_path(root, "error", "code", NULL));
    char const *text = dt_json_string(dt_json_path(root, "error", "message", NULL));
    (void)dt_error_set(e, code, "Graph answered HTTP %d, %s: %s%s", r->status,
                       dt_str_escape(shown_code, sizeof(shown_code), word),
                       dt_str_escape(shown, sizeof(shown), text), advice);
    return word != NULL;
}

/* Every status but 200. */
static dt_intune_answer answer_of_status(dt_http_response const *r, dt_json const *root,
                                         char const *permission, dt_error *e)
{
    char advice[SHOWN_MAX] = "";
    dt_buf b;
    dt_buf_init_fixed(&b, advice, sizeof(advice));
    if (r->status == 401 || r->status == 403) {
        dt_buf_puts(&b, "; check the app's ");
        dt_buf_puts(&b, permission);
    }
    bool told = set_graph_error(r, root, DT_E_UNAVAILABLE, advice, e);
    if (r->status == 429)
        return DT_INTUNE_RATE_LIMITED;
    if (dt_http_is_unavailable(r->failure, r->status))
        return DT_INTUNE_SERVER_ERROR;
    if (r->status == 401 || r->status == 403)
        return DT_INTUNE_UNAUTHORIZED;
    /* A 404 that Graph did not write is a wrong address, and says nothing about the device. */
    if (r->status == 404 && told)
        return DT_INTUNE_NOT_ENROLLED;
    return unusable(e, r, "an unexpected status");
}

dt_intune_answer dt_graph_read(dt_http_response const *r, char const *permission, dt_json **root,
                               dt_error *e)
{
    dt_intune_answer answer = DT_INTUNE_OK;
    dt_error why = {0};
    *root = NULL;
    if (r->failure != DT_HTTP_OK)
        return dt_intune_no_status(r, "Graph", e);
    int rc = dt_json_parse_list(r->body, root, &why);
    if (r->status != 200)
        answer = answer_of_status(r, *root, permission, e);
    else if (rc != DT_OK)
        answer = unusable(e, r, why.text);
    if (answer != DT_INTUNE_OK)
        dt_json_free(root);
    return answer;
}

static dt_compliance compliance_of(char const *word)
{
    static struct {
        char const *word;
        dt_compliance compliance;
    } const words[] = {
        {"unknown", DT_COMPLIANCE_UNKNOWN},
        {"compliant", DT_COMPLIANCE_COMPLIANT},
        {"noncompliant", DT_COMPLIANCE_NOT_COMPLIANT},
        {"conflict", DT_COMPLIANCE_NOT_COMPLIANT},
        {"error", DT_COMPLIANCE_NOT_COMPLIANT},
        {"inGracePeriod", DT_COMPLIANCE_IN_GRACE_PERIOD},
        {"configManager",
         DT_COMPLIANCE_NOT_COMPLIANT}, /* another service judges it: not known here */
    };
    for (size_t i = 0; word != NULL && i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i].word) == 0)
            return words[i].compliance;
    return word == NULL ? DT_COMPLIANCE_UNKNOWN : DT_COMPLIANCE_NOT_COMPLIANT;
}

/* deviceRegistrationState. A device that was never registered in Entra may be enrolled all the same
 * (a Mac, a device of the domain); one whose registration was taken back, is in conflict or waits for
 * somebody may not, nor one in a state that is not known here. */
static bool registration_is_sound(char const *word)
{
    static char const *const sound[] = {"registered", "notRegistered", "unknown"};
    for (size_t i = 0; word != NULL && i < sizeof(sound) / sizeof(sound[0]); i++)
        if (strcmp(word, sound[i]) == 0)
            return true;
    return word == NULL;
}

/* A date as a time; 0 when it is missing or unreadable, so that it vouches for nothing. */
static dt_time time_of(dt_json const *v)
{
    dt_time t = 0;
    char const *text = dt_json_string(v);
    return text != NULL && dt_time_parse(text, &t) == DT_OK && t > 0 ? t : 0;
}

static void copy_text(char *dst, size_t size, dt_json const *v)
{
    (void)dt_str_escape(dst, size, dt_json_string(v));
}

/* A member that is a string, or null: anything else is not what was asked for. */
static bool is_text_or_null(dt_json const *v)
{
    return dt_json_typeof(v) == DT_JSON_STRING || dt_json_typeof(v) == DT_JSON_NULL;
}

/* One device; `asked` NULL: any. NULL, or what is wrong with it. */
static char const *read_device(dt_json const *root, dt_guid const *asked, dt_intune_device *d)
{
    char const *id = dt_json_string(dt_json_get(root, "id"));
    dt_json const *state = dt_json_get(root, "complianceState");
    dt_json const *management = dt_json_get(root, "managementState");
    dt_json const *registration = dt_json_get(root, "deviceRegistrationState");
    if (id == NULL || dt_guid_parse(dt_bytes_str(id), &d->device_id) != DT_OK)
        return "no device id";
    if (asked != NULL && !dt_guid_equal(&d->device_id, asked))
        return "it is about another device";
    if (!is_text_or_null(state) || !is_text_or_null(management))
        return "no complianceState or no managementState";
    if (registration != NULL && !is_text_or_null(registration))
        return "deviceRegistrationState is not a word";
    d->enrolled = true;
    d->compliance = compliance_of(dt_json_string(state));
    d->managed = dt_json_string(management) != NULL &&
                 strcmp(dt_json_string(management), "managed") == 0 &&
                 registration_is_sound(dt_json_string(registration));
    char const *entra = dt_json_string(dt_json_get(root, "azureADDeviceId"));
    if (entra == NULL || dt_guid_parse(dt_bytes_str(entra), &d->entra_id) != DT_OK)
        memset(&d->entra_id, 0, sizeof(d->entra_id)); /* nil in a device that has none */
    char const *serial = dt_json_string(dt_json_get(root, "serialNumber"));
    if (serial == NULL || !dt_hardware_serial(dt_bytes_str(serial), d->serial))
        d->serial[0] = '\0';
    char const *os = dt_json_string(dt_json_get(root, "operatingSystem"));
    d->platform = os == NULL ? DT_PLATFORM_UNKNOWN : dt_platform_from_text(os);
    d->last_sync = time_of(dt_json_get(root, "lastSyncDateTime"));
    d->grace_expires = time_of(dt_json_get(root, "complianceGracePeriodExpirationDateTime"));
    d->enrolled_at = time_of(dt_json_get(root, "enrolledDateTime"));
    copy_text(d->device_name, sizeof(d->device_name), dt_json_get(root, "deviceName"));
    copy_text(d->user, sizeof(d->user), dt_json_get(root, "userPrincipalName"));
    char const *mac = dt_json_string(dt_json_get(root, "wiFiMacAddress"));
    if (mac == NULL || dt_mac_of_device(dt_bytes_str(mac), d->wifi_mac) != DT_OK)
        d->wifi_mac[0] = '\0';
    return NULL;
}

dt_intune_answer dt_intune_read_device(dt_http_response const *r, dt_guid const *asked, dt_time now,
                                       dt_intune_device *out, dt_error *e)
{
    dt_json *root = NULL;
    char const *wrong = NULL;
    memset(out, 0, sizeof(*out));
    dt_intune_answer answer = dt_graph_read(r, READS_DEVICES, &root, e);
    if (answer == DT_INTUNE_NOT_ENROLLED)
        out->device_id = *asked;
    else if (answer == DT_INTUNE_OK && (wrong = read_device(root, asked, out)) != NULL)
        answer = unusable(e, r, wrong);
    if (answer == DT_INTUNE_OK || answer == DT_INTUNE_NOT_ENROLLED)
        out->fetched = now;
    else
        memset(out, 0, sizeof(*out));
    dt_json_free(&root);
    return answer;
}

static char const *read_page_head(dt_config const *c, dt_json const *root, dt_intune_page *out)
{
    dt_json const *next = dt_json_get(root, "@odata.nextLink");
    char const *link = dt_json_string(next);
    if (dt_json_typeof(dt_json_get(root, "value")) != DT_JSON_ARRAY)
        return "no list of devices";
    if (!dt_json_integer(dt_json_get(root, "@odata.count"), &out->total) || out->total < 0)
        out->total = -1;
    if (link == NULL)
        return next == NULL || dt_json_typeof(next) == DT_JSON_NULL ? NULL : "malformed next link";
    if (!dt_graph_is_link(c, DEVICES_PATH, link))
        return "the next link leads to another host";
    return dt_str_copy(out->next, sizeof(out->next), link) == DT_OK ? NULL
                                                                    : "the next link is too long";
}

/* A text of it could not be read (dt_json_parse_list). */
static bool is_odd(dt_json const *device)
{
    for (size_t i = 0; i < dt_json_size(device); i++) {
        char const *name = NULL;
        dt_json const *member = dt_json_member(device, i, &name);
        if (dt_json_typeof(member) == DT_JSON_ARRAY)
            return true;
    }
    return false;
}

static void read_page_devices(dt_json const *list, dt_time now, dt_intune_device_fn *fn, void *ctx,
                              dt_intune_page *out)
{
    for (size_t i = 0; i < dt_json_size(list) && out->rc == DT_OK; i++) {
        dt_intune_device d;
        memset(&d, 0, sizeof(d));
        if (read_device(dt_json_at(list, i), NULL, &d) != NULL || is_odd(dt_json_at(list, i))) {
            if (out->unusable++ < DT_INTUNE_LEFT_OUT_NAMED)
                out->left_out[out->unusable - 1] = d.device_id;
            continue;
        }
        d.fetched = now;
        out->rc = fn(ctx, &d);
        out->devices++;
    }
}

dt_intune_answer dt_intune_read_page(dt_config const *c, dt_http_response const *r, dt_time now,
                                     dt_intune_device_fn *fn, void *ctx, dt_intune_page *out,
                                     dt_error *e)
{
    dt_json *root = NULL;
    char const *wrong = NULL;
    memset(out, 0, sizeof(*out));
    dt_intune_answer answer = dt_graph_read(r, READS_DEVICES, &root, e);
    if (answer == DT_INTUNE_NOT_ENROLLED)
        answer = DT_INTUNE_UNUSABLE; /* the list itself is not there */
    else if (answer == DT_INTUNE_OK && (wrong = read_page_head(c, root, out)) != NULL)
        answer = unusable(e, r, wrong);
    if (answer == DT_INTUNE_OK)
        read_page_devices(dt_json_get(root, "value"), now, fn, ctx, out);
    else
        memset(out, 0, sizeof(*out));
    dt_json_free(&root);
    return answer;
}

typedef struct finding_device {
    dt_intune_name const *name;
    dt_intune_found *found;
} finding_device;

static int take_found(void *ctx, dt_intune_device const *d)
{
    finding_device *f = ctx;
    if (!dt_intune_has_name(d, f->name))
        return DT_E_INVALID;
    if (f->found->count == 1 && !dt_guid_equal(&f->found->device.device_id, &d->device_id))
        f->found->count = 2;
    if (f->found->count > 1)
        return DT_OK;
    f->found->count = 1;
    f->found->device = *d;
    return DT_OK;
}

dt_intune_answer dt_intune_read_found(dt_config const *c, dt_http_response const *r,
                                      dt_intune_name const *name, dt_time now, dt_intune_found *io,
                                      char next[DT_URL_MAX], dt_error *e)
{
    finding_device f = {.name = name, .found = io};
    dt_intune_page page;
    dt_intune_answer answer = dt_intune_read_page(c, r, now, take_found, &f, &page, e);
    next[0] = '\0';
    if (answer != DT_INTUNE_OK)
        return answer;
    if (page.rc != DT_OK)
        return unusable(e, r, "it is about another device");
    if (page.unusable > 0)
        return unusable(e, r, "a malformed entry");
    memcpy(next, page.next, DT_URL_MAX);
    return DT_INTUNE_OK;
}

dt_time dt_intune_rate_wait(dt_http_response const *r)
{
    if (r->retry_after <= 0)
        return DT_INTUNE_WAIT_DEFAULT;
    if (r->retry_after < DT_INTUNE_WAIT_MIN)
        return DT_INTUNE_WAIT_MIN;
    return r->retry_after > DT_INTUNE_WAIT_MAX ? DT_INTUNE_WAIT_MAX : r->retry_after;
}

/* --- evidence --------------------------------------------------------------------------------- */

/* Enrolled a moment ago, and Intune has not said yet whether it is compliant: the only state in which a
 * device's compliance is "unknown". What was found not to be compliant has no such time. */
static bool is_fresh_enrolment(dt_intune_device const *d, dt_config const *c, dt_time now)
{
    dt_time limit = c->device_trust.fresh_enrollment_grace;
    if (limit <= 0 || d->compliance != DT_COMPLIANCE_UNKNOWN || d->enrolled_at <= 0 || now < 0)
        return false;
    if (d->enrolled_at > now)
        return d->enrolled_at - now <= DT_INTUNE_ENROLLED_AHEAD_MAX;
    return now - d->enrolled_at < limit;
}

/* complianceState is not judged anew while a device is silent, so silence itself counts. */
static bool is_silent(dt_intune_device const *d, dt_config const *c, dt_time now)
{
    dt_time limit = c->device_trust.max_sync_age;
    if (limit <= 0)
        return false;
    if (d->last_sync <= 0 || now < 0)
        return true;
    if (d->last_sync > now)
        return d->last_sync - now > DT_INTUNE_CLOCK_SKEW_MAX;
    return now - d->last_sync > limit;
}

/* What an answer says for the device, and why. */
static dt_finding judge(dt_intune_device const *d, dt_config const *c, dt_time now, bool stale,
                        dt_reason *reason)
{
    dt_finding finding = DT_FINDING_AGAINST;
    bool graced = (d->compliance == DT_COMPLIANCE_IN_GRACE_PERIOD && d->grace_expires > now) ||
                  is_fresh_enrolment(d, c, now);
    if (!d->enrolled) {
        *reason = DT_REASON_NOT_ENROLLED;
    } else if (!d->managed) {
        *reason = DT_REASON_NOT_MANAGED;
    } else if (d->compliance != DT_COMPLIANCE_COMPLIANT && !graced) {
        *reason = DT_REASON_NOT_COMPLIANT;
    } else if (is_silent(d, c, now)) {
        *reason = DT_REASON_STALE;
    } else if (graced) {
        *reason = DT_REASON_IN_GRACE_PERIOD;
        finding = c->device_trust.trust_in_grace_period && !stale ? DT_FINDING_FOR : finding;
    } else {
        *reason = stale ? DT_REASON_STALE : DT_REASON_NONE;
        finding = DT_FINDING_FOR;
    }
    return finding;
}

dt_freshness dt_intune_freshness(dt_intune_device const *d, dt_config const *c, dt_time now)
{
    dt_reason reason;
    if (d->fetched <= 0 || now < 0)
        return DT_TOO_OLD;
    bool ahead = d->fetched > now;
    dt_time age = ahead ? d->fetched - now : now - d->fetched;
    bool good = judge(d, c, now, false, &reason) == DT_FINDING_FOR &&
                !is_fresh_enrolment(d, c, now); /* Intune is about to judge it */
    if (!ahead && age < (good ? c->device_trust.cache_ttl : c->device_trust.negative_ttl))
        return DT_FRESH;
    return age <= c->device_trust.stale_limit ? DT_STALE : DT_TOO_OLD;
}

void dt_intune_evidence(dt_intune_device const *d, dt_config const *c, dt_time now, bool stale,
                        dt_evidence *out)
{
    memset(out, 0, sizeof(*out));
    out->source = DT_SOURCE_INTUNE;
    out->assurance = DT_ASSERTED; /* Intune vouches for a device, not for who stands before us */
    out->finding = judge(d, c, now, stale, &out->reason);
    out->device_id = d->device_id;
    out->entra_id = d->entra_id;
    out->platform = d->platform;
    memcpy(out->device_name, d->device_name, sizeof(out->device_name));
    out->observed = d->fetched;
}

bool dt_intune_is_owner(dt_intune_device const *d, char const *login)
{
    size_t len = strlen(d->user);
    /* What was escaped or may have been cut is another text than Intune's. */
    if (len == 0 || len + 4 >= sizeof(d->user) || strchr(d->user, '\\') != NULL)
        return false;
    return dt_str_equal_nocase(d->user, login);
}

void dt_intune_evidence_unavailable(dt_guid const *device_id, dt_time now, dt_evidence *out)
{
    memset(out, 0, sizeof(*out));
    out->source = DT_SOURCE_INTUNE;
    out->finding = DT_FINDING_UNKNOWN;
    out->reason = DT_REASON_LOOKUP_UNAVAILABLE;
    out->device_id = *device_id;
    out->observed = now;
}
