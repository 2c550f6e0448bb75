/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading managed app configuration, and what it says for this host. */
#include "core/device/managed_config.h"

#include "core/base/json.h"
#include "core/base/plist.h"

#include <string.h>

#define KIND "androidenterprise#managedConfiguration"
#define PRODUCT_PREFIX "app:com.okta."

/* --- the accepted secret keys -------------------------------------------------------------------- */

static int hint_check(dt_bytes line, int number, dt_error *e)
{
    if (line.len < DT_MANAGED_HINT_MIN || line.len > DT_MANAGED_HINT_MAX)
        return dt_error_set(e, DT_E_INVALID,
                            "line %d: a secret key has %d to %d characters; copy it from Okta's "
                            "Device Trust settings",
                            number, DT_MANAGED_HINT_MIN, DT_MANAGED_HINT_MAX);
    for (size_t i = 0; i < line.len; i++) {
        if (line.p[i] <= ' ' || line.p[i] > '~')
            return dt_error_set(e, DT_E_INVALID,
                                "line %d: a secret key contains only printable ASCII and no "
                                "spaces; write it alone, without quotes or a name before it",
                                number);
    }
    return DT_OK;
}

static int hint_add(dt_managed_hints *h, dt_bytes line, int number, dt_error *e)
{
    int rc = hint_check(line, number, e);

    for (size_t i = 0; rc == DT_OK && i < h->count; i++) {
        if (dt_secret_equal(h->items[i], line))
            rc = dt_error_set(e, DT_E_INVALID, "line %d: duplicate secret key", number);
    }
    if (rc < 0)
        return rc;
    if (h->count == DT_MANAGED_HINTS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "line %d: more than %d secret keys", number,
                            DT_MANAGED_HINTS_MAX);
    rc = dt_secret_new(line, &h->items[h->count]);
    if (rc < 0)
        return dt_error_set(e, rc, "out of memory");
    h->count++;
    return DT_OK;
}

int dt_managed_hints_parse(dt_bytes text, dt_managed_hints *out, dt_error *e)
{
    int rc = DT_OK, number = 0;

    memset(out, 0, sizeof(*out));
    while (rc == DT_OK && text.len > 0) {
        uint8_t const *end = memchr(text.p, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.p) : text.len;
        dt_bytes line = dt_bytes_of(text.p, len);

        number++;
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        if (line.len > 0 && line.p[0] != '#')
            rc = hint_add(out, line, number, e);
        len += end != NULL;
        text = dt_bytes_of(text.p + len, text.len - len);
    }
    if (rc == DT_OK && out->count == 0)
        rc = dt_error_set(e, DT_E_INVALID, "no secret key; write one per line");
    if (rc < 0)
        dt_managed_hints_free(out);
    return rc;
}

void dt_managed_hints_free(dt_managed_hints *h)
{
    for (size_t i = 0; i < h->count; i++)
        dt_secret_free(&h->items[i]);
    h->count = 0;
}

/* Every key is compared, whichever matches. */
static bool hint_matches(dt_managed_hints const *h, char const *hint)
{
    bool found = false;

    for (size_t i = 0; i < h->count; i++) {
        bool equal = dt_secret_equal(h->items[i], dt_bytes_str(hint));
        found = found || equal;
    }
    return found;
}

/* --- both forms ---------------------------------------------------------------------------------- */

typedef struct reading {
    dt_managed_hints const *hints;
    dt_managed_facts *facts;
    dt_error *e;
    char const *site_key; /* siteName or Domain, whichever the form has */
} reading;

static int take_text(reading *r, char const *key, char const *value, char *dst, size_t size)
{
    if (dst[0] != '\0')
        return dt_error_set(r->e, DT_E_PARSE, "%s occurs twice", key);
    if (value[0] == '\0')
        return dt_error_set(r->e, DT_E_PARSE, "%s is empty", key);
    if (dt_str_copy(dst, size, value) < 0)
        return dt_error_set(r->e, DT_E_LIMIT, "%s is longer than %zu bytes", key, size - 1);
    return DT_OK;
}

static int read_entry(void *ctx, char const *key, char const *value)
{
    reading *r = ctx;

    if (strcmp(key, r->site_key) == 0)
        return take_text(r, key, value, r->facts->site, sizeof(r->facts->site));
    if (strcmp(key, "username") == 0)
        return take_text(r, key, value, r->facts->username, sizeof(r->facts->username));
    if (strcmp(key, "managementHint") != 0)
        return DT_OK; /* the app has settings of other kinds, too */
    if (r->facts->hint_given)
        return dt_error_set(r->e, DT_E_PARSE, "managementHint occurs twice");
    r->facts->hint_given = true;
    r->facts->hint_matches = hint_matches(r->hints, value);
    return DT_OK;
}

/* --- Android Enterprise -------------------------------------------------------------------------- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Does some "valueString" stand before something else than a string? Guides print them so. */
static bool has_bare_value(dt_bytes text)
{
    static char const key[] = "\"valueString\"";
    size_t len = sizeof(key) - 1;

    for (size_t i = 0; i + len < text.len; i++) {
        size_t at = i + len;

        if (memcmp(text.p + i, key, len) != 0)
            continue;
        while (at < text.len && (is_blank(text.p[at]) || text.p[at] == ':'))
            at++;
        if (at < text.len && text.p[at] != '"')
            return true;
    }
    return false;
}

static int property_read(reading *r, dt_json const *p, size_t i)
{
    char const *key = dt_json_string(dt_json_get(p, "key"));
    dt_json const *value = dt_json_get(p, "valueString");

    if (key == NULL)
        return dt_error_set(r->e, DT_E_PARSE, "managedProperty/%zu has no key", i);
    if (value == NULL)
        return DT_OK; /* valueBool, valueInteger...: none of those that are read here */
    if (dt_json_string(value) == NULL)
        return dt_error_set(r->e, DT_E_PARSE, "managedProperty/%zu: valueString is not a string",
                            i);
    return read_entry(r, key, dt_json_string(value));
}

static int android_check(dt_json const *root, dt_error *e)
{
    char const *kind = dt_json_string(dt_json_get(root, "kind"));
    char const *product = dt_json_string(dt_json_get(root, "productId"));

    if (kind == NULL || strcmp(kind, KIND) != 0)
        return dt_error_set(e, DT_E_PARSE, "kind is not \"" KIND "\"");
    if (product == NULL || strncmp(product, PRODUCT_PREFIX, sizeof(PRODUCT_PREFIX) - 1) != 0)
        return dt_error_set(e, DT_E_PARSE,
                            "productId is not one of Okta's apps (\"" PRODUCT_PREFIX "...\")");
    if (dt_json_typeof(dt_json_get(root, "managedProperty")) != DT_JSON_ARRAY)
        return dt_error_set(e, DT_E_PARSE, "managedProperty is not a list");
    return DT_OK;
}

static int android_read(reading *r, dt_bytes text)
{
    dt_json *root = NULL;
    dt_error why = {0};
    int rc = dt_json_parse(text, &root, &why);

    if (rc < 0)
        return dt_error_set(
            r->e, rc == DT_E_NOMEM || rc == DT_E_LIMIT ? rc : DT_E_PARSE, "%s%s", why.text,
            has_bare_value(text) ? ": a valueString has no quotes, which is not JSON; write "
                                   "\"valueString\": \"...\""
                                 : "");
    rc = android_check(root, r->e);
    dt_json const *list = dt_json_get(root, "managedProperty");
    if (rc == DT_OK && dt_json_size(list) > DT_MANAGED_PROPERTIES_MAX)
        rc = dt_error_set(r->e, DT_E_LIMIT, "managedProperty has more than %d members",
                          DT_MANAGED_PROPERTIES_MAX);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++)
        rc = property_read(r, dt_json_at(list, i), i);
    dt_json_free_wiped(&root);
    return rc;
}

int dt_managed_config_read(dt_bytes text, dt_managed_hints const *hints, dt_managed_facts *out,
                           dt_error *e)
{
    reading r = {.hints = hints, .facts = out, .e = e, .site_key = "siteName"};
    int rc;

    memset(out, 0, sizeof(*out));
    if (text.len > DT_MANAGED_TEXT_MAX)
        return dt_error_set(e, DT_E_LIMIT, "it is larger than %d bytes", DT_MANAGED_TEXT_MAX);
    if (dt_plist_is(text)) {
        static char const *const keys[] = {"Domain", "username", "managementHint", NULL};
        r.site_key = "Domain";
        rc = dt_plist_strings(text, keys, read_entry, &r, e);
    } else {
        rc = android_read(&r, text);
    }
    if (rc < 0)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* --- evidence ------------------------------------------------------------------------------------ */

/* "https://example.okta.com/", "example.okta.com": the same org as org_url, which is "https://" and
 * a host in lower case. */
static bool site_is_ours(char const *site, dt_config const *c)
{
    static char const scheme[] = "https://";
    size_t skip = sizeof(scheme) - 1;
    char text[DT_MANAGED_SITE_MAX];
    size_t len = 0;

    if (strncmp(c->okta.org_url, scheme, skip) != 0 || dt_str_copy(text, sizeof(text), site) < 0)
        return false;
    len = strlen(text);
    if (len > 0 && text[len - 1] == '/')
        text[len - 1] = '\0';
    site = strncmp(text, scheme, skip) == 0 ? text + skip : text;
    return site[0] != '\0' && dt_str_equal_nocase(site, c->okta.org_url + skip);
}

static bool user_is(dt_managed_facts const *f, char const *user, char const *login)
{
    return f->username[0] == '\0' || dt_str_equal_nocase(f->username, user) ||
           dt_str_equal_nocase(f->username, login);
}

/* NULL when the facts speak for the host; else what is wrong with them. */
static char const *facts_judge(dt_managed_facts const *f, dt_config const *c, char const *user,
                               char const *login)
{
    if (!f->hint_given)
        return "it contains no managementHint";
    if (!f->hint_matches)
        return "its managementHint matches none of the secret keys in management_hint_file";
    if (!site_is_ours(f->site, c))
        return f->site[0] == '\0' ? "it names no org (siteName or Domain)"
                                  : "it is for another Okta org than org_url";
    if (!user_is(f, user, login))
        return "it is for another user than the one who signs on";
    return NULL;
}

void dt_managed_evidence(dt_managed_result const *r, dt_config const *c, char const *user,
                         char const *login, dt_time now, dt_evidence *out, dt_error *why)
{
    char const *wrong = NULL;

    memset(out, 0, sizeof(*out));
    out->source = DT_SOURCE_MANAGEMENT_HINT;
    out->observed = now;
    why->text[0] = '\0';
    switch (r->status) {
    case DT_MANAGED_READ:
        wrong = facts_judge(&r->facts, c, user, login);
        break;
    case DT_MANAGED_ABSENT:
        out->reason = DT_REASON_NOT_MANAGED;
        (void)dt_error_set(why, DT_E_NOT_FOUND, "%s", r->text);
        return;
    case DT_MANAGED_REFUSED:
        wrong = r->text;
        break;
    default:
        out->finding = DT_FINDING_UNKNOWN;
        out->reason = DT_REASON_LOOKUP_UNAVAILABLE;
        (void)dt_error_set(why, DT_E_UNAVAILABLE, "%s", r->text);
        return;
    }
    if (wrong != NULL) {
        out->reason = DT_REASON_MANAGEMENT_HINT_MISMATCH;
        (void)dt_error_set(why, DT_E_INVALID, "%s", wrong);
        return;
    }
    out->finding = DT_FINDING_FOR;
    out->assurance = DT_PROVED;        /* by the secret key, not by a key pair */
    out->platform = DT_PLATFORM_LINUX; /* this host is what is spoken of */
}
