/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads, searches and shows one audit event. The file may have been written to by others, so nothing
 * in a line is believed beyond its form. */
#include "devtrustctl/audit_event.h"

#include "core/base/utf8.h"

#include <string.h>

/* --- reading ---------------------------------------------------------------------------------- */

static char const *text_of(dt_json const *v)
{
    char const *s = dt_json_string(v);

    return s != NULL ? s : "";
}

/* The application is the target of this type; older or foreign events only name it in debugData. */
static char const *application_of(dt_json const *root)
{
    dt_json const *targets = dt_json_get(root, "target");

    for (size_t i = 0; i < dt_json_size(targets); i++) {
        dt_json const *t = dt_json_at(targets, i);
        if (strcmp(text_of(dt_json_get(t, "type")), "AppInstance") == 0)
            return text_of(dt_json_get(t, "alternateId"));
    }
    return text_of(dt_json_path(root, "debugContext", "debugData", "application", NULL));
}

static void fill(dt_audit_event *v)
{
    dt_json const *root = v->root;

    v->published = text_of(dt_json_get(root, "published"));
    v->message = text_of(dt_json_get(root, "displayMessage"));
    v->user = text_of(dt_json_path(root, "actor", "displayName", NULL));
    v->login = text_of(dt_json_path(root, "actor", "alternateId", NULL));
    v->application = application_of(root);
    v->service = text_of(dt_json_path(root, "debugContext", "debugData", "service", NULL));
    v->device = text_of(dt_json_path(root, "client", "device", NULL));
    v->result = text_of(dt_json_path(root, "outcome", "result", NULL));
    v->reason = text_of(dt_json_path(root, "outcome", "reason", NULL));
    v->rule = text_of(dt_json_path(root, "debugContext", "debugData", "rule", NULL));
    v->id = text_of(dt_json_path(root, "transaction", "id", NULL));
    v->code = text_of(dt_json_path(root, "debugContext", "debugData", "code", NULL));
    v->detail = text_of(dt_json_path(root, "debugContext", "debugData", "detail", NULL));
    v->would = text_of(dt_json_path(root, "debugContext", "debugData", "would", NULL));
    if (!dt_json_bool(dt_json_path(root, "debugContext", "debugData", "reportOnly", NULL),
                      &v->report_only))
        v->report_only = false;
}

static int check(dt_audit_event *v, dt_error *e)
{
    if (dt_json_typeof(v->root) != DT_JSON_OBJECT)
        return dt_error_set(e, DT_E_PARSE, "not a JSON object");
    if (v->message[0] == '\0' || v->result[0] == '\0')
        return dt_error_set(e, DT_E_PARSE, "not an audit event: no displayMessage or outcome");
    if (dt_time_parse(v->published, &v->at) < 0)
        return dt_error_set(e, DT_E_PARSE, "not an audit event: published is not a time");
    return DT_OK;
}

/* An event of OCSF (core/signon/audit_ocsf.h) has the other form in it. */
static dt_json const *native_of(dt_json const *tree)
{
    dt_json const *native = dt_json_path(tree, "unmapped", "devtrust", NULL);

    return native != NULL && dt_json_get(tree, "class_uid") != NULL ? native : tree;
}

int dt_audit_event_read(dt_bytes line, dt_audit_event *out, dt_error *e)
{
    int rc;

    *out = (dt_audit_event){.line = line};
    rc = dt_json_parse(line, &out->tree, e);
    if (rc < 0)
        return rc;
    out->root = native_of(out->tree);
    fill(out);
    rc = check(out, e);
    if (rc < 0)
        dt_audit_event_free(out);
    return rc;
}

void dt_audit_event_free(dt_audit_event *v)
{
    dt_json_free(&v->tree);
    *v = (dt_audit_event){0};
}

/* --- searching -------------------------------------------------------------------------------- */

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool begins_with(uint8_t const *p, char const *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (fold(p[i]) != fold((uint8_t)text[i]))
            return false;
    }
    return true;
}

static bool contains(dt_bytes haystack, char const *needle)
{
    size_t len = strlen(needle);

    for (size_t i = 0; i + len <= haystack.len; i++) {
        if (begins_with(haystack.p + i, needle, len))
            return true;
    }
    return false;
}

/* Some string of the tree holds it: the line writes quotes and the like in another way. The parser
 * has bounded the depth. */
static bool tree_holds(dt_json const *v, char const *needle)
{
    char const *name;

    if (dt_json_typeof(v) == DT_JSON_STRING)
        return contains(dt_bytes_str(dt_json_string(v)), needle);
    for (size_t i = 0; i < dt_json_size(v); i++) {
        dt_json const *child =
            dt_json_typeof(v) == DT_JSON_ARRAY ? dt_json_at(v, i) : dt_json_member(v, i, &name);
        if (tree_holds(child, needle))
            return true;
    }
    return false;
}

/* "alice" is also alice@example.com; the login's part before its "@". */
static bool is_login_of(char const *login, char const *user)
{
    char const *at = strchr(login, '@');
    size_t len = at != NULL ? (size_t)(at - login) : 0;

    return at != NULL && strlen(user) == len && begins_with((uint8_t const *)login, user, len);
}

static bool is_actor(dt_audit_event const *v, char const *user)
{
    return dt_str_equal_nocase(v->user, user) || dt_str_equal_nocase(v->login, user) ||
           is_login_of(v->login, user);
}

bool dt_audit_event_matches(dt_audit_event const *v, dt_audit_filter const *f)
{
    if (v->at < f->since || (f->until > 0 && v->at >= f->until) ||
        (f->report_only && !v->report_only))
        return false;
    if (f->id != NULL && strcmp(v->id, f->id) != 0)
        return false;
    if (f->code != NULL && strcmp(v->code, f->code) != 0)
        return false;
    if (f->result != NULL && !dt_str_equal_nocase(v->result, f->result))
        return false;
    if (f->application != NULL && !dt_str_equal_nocase(v->application, f->application) &&
        !dt_str_equal_nocase(v->service, f->application))
        return false;
    if (f->user != NULL && !is_actor(v, f->user))
        return false;
    return f->query == NULL || contains(v->line, f->query) || tree_holds(v->tree, f->query);
}

/* --- showing ---------------------------------------------------------------------------------- */

static void put_pair(dt_buf *out, char const *name, char const *text)
{
    if (*text == '\0')
        return;
    dt_buf_putc(out, ' ');
    dt_buf_puts(out, name);
    dt_buf_putc(out, '=');
    dt_json_put_string(out, text);
}

static void put_escaped(dt_buf *out, char const *text)
{
    dt_buf_put_escaped(out, dt_bytes_str(text));
}

/* ` key="SHA256:..."` for each, once: an enrolled key has its fingerprint and its certificate's subject. */
static void put_keys(dt_buf *out, dt_audit_event const *v)
{
    dt_json const *keys = dt_json_path(v->root, "debugContext", "debugData", "keysPresented", NULL);

    for (size_t i = 0; i < dt_json_size(keys) && i < DT_KEYS_PRESENTED_MAX; i++)
        put_pair(out, "key", text_of(dt_json_get(dt_json_at(keys, i), "name")));
}

void dt_audit_event_print(dt_audit_event const *v, dt_buf *out)
{
    char at[25];

    dt_time_format(at, v->at);
    dt_buf_puts(out, at);
    dt_buf_puts(out, "  ");
    put_escaped(out, v->message);
    dt_buf_puts(out, " ");
    put_pair(out, "user", v->login[0] != '\0' ? v->login : v->user);
    put_pair(out, "application", v->application);
    if (v->device[0] != '\0') {
        dt_buf_puts(out, "  Client > Device = ");
        put_escaped(out, v->device);
    }
    dt_buf_puts(out, "  ");
    put_escaped(out, v->result);
    if (v->reason[0] != '\0') {
        dt_buf_puts(out, "/");
        put_escaped(out, v->reason);
    }
    dt_buf_puts(out, " ");
    put_pair(out, "rule", v->rule);
    if (v->report_only) {
        dt_buf_puts(out, "  REPORT ONLY, would be ");
        put_escaped(out, v->would);
    }
    put_keys(out, v);
    put_pair(out, "detail", v->detail);
    put_pair(out, "code", v->code);
    while (out->len > 0 && out->p[out->len - 1] == ' ')
        dt_buf_truncate(out, out->len - 1);
}

static void put_rule(dt_json const *rule, dt_buf *out)
{
    int64_t more = 0;
    bool matches = false;

    if (dt_json_integer(dt_json_get(rule, "more"), &more)) {
        dt_buf_printf(out, "\n  rule ... %lld more that did not match", (long long)more);
        return;
    }
    dt_buf_puts(out, "\n  rule");
    put_pair(out, "", text_of(dt_json_get(rule, "rule")));
    if (dt_json_bool(dt_json_get(rule, "matches"), &matches) && matches) {
        dt_buf_puts(out, " matches");
        return;
    }
    dt_buf_puts(out, " does not match: ");
    put_escaped(out, text_of(dt_json_get(rule, "failed")));
    dt_buf_puts(out, ": ");
    put_escaped(out, text_of(dt_json_get(rule, "compared")));
}

void dt_audit_event_print_explanation(dt_audit_event const *v, dt_buf *out)
{
    dt_json const *rules = dt_json_path(v->root, "debugContext", "debugData", "explanation", NULL);

    if (dt_json_typeof(rules) != DT_JSON_ARRAY)
        return;
    for (size_t i = 0; i < dt_json_size(rules); i++)
        put_rule(dt_json_at(rules, i), out);
}

/* RFC 8259 section 7: beyond U+FFFF as two surrogates. */
static void put_unicode(dt_buf *out, uint32_t point)
{
    if (point > 0xffff) {
        point -= 0x10000;
        dt_buf_printf(out, "\\u%04x", 0xd800 + (point >> 10));
        point = 0xdc00 + (point & 0x3ff);
    }
    dt_buf_printf(out, "\\u%04x", point);
}

void dt_audit_event_print_json(dt_audit_event const *v, dt_buf *out)
{
    for (size_t i = 0; i < v->line.len;) {
        uint8_t const *p = v->line.p + i;
        uint32_t point = 0;
        size_t n = dt_utf8_decode(p, v->line.len - i, &point);

        if (n == 0)
            return; /* the parser let no such text in */
        if (dt_utf8_is_shown(point))
            dt_buf_put(out, p, n);
        else if (point < ' ')
            dt_buf_putc(out, ' '); /* between tokens: within a string the parser takes none */
        else
            put_unicode(out, point);
        i += n;
    }
}
