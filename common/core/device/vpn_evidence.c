/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a VPN client's claims to evidence. */
#include "core/device/vpn_evidence.h"

#include "core/device/device_record.h"

#include <string.h>

/* --- the registry -------------------------------------------------------------------------------- */

static dt_evidence asserted(dt_vpn_claims const *c, dt_time now)
{
    return (dt_evidence){.source = DT_SOURCE_VPN_CLIENT,
                         .assurance = DT_ASSERTED,
                         .observed = now,
                         .platform = c->platform};
}

/* A name that several devices have names none of them: the next one is tried. */
bool dt_vpn_alias_evidence(dt_vpn_claims const *c, char const *name, dt_store_result const *r,
                           dt_time now, dt_evidence *out, dt_error *why)
{
    dt_device_alias alias = {0};

    *out = asserted(c, now);
    why->text[0] = '\0';
    if (r->status == DT_STORE_ERROR) {
        out->finding = DT_FINDING_UNKNOWN;
        out->reason = DT_REASON_LOOKUP_UNAVAILABLE;
        return true;
    }
    if (r->status != DT_STORE_OK)
        return false;
    if (dt_device_alias_unpack(r->value, &alias) < 0) {
        (void)dt_error_set(why, DT_E_PARSE, "the device registry contains an unreadable alias");
        return false;
    }
    if (!dt_guid_is_set(&alias.device)) {
        (void)dt_error_set(why, DT_E_INVALID, "vpn-client: several devices have the name %s", name);
        return false;
    }
    out->finding = DT_FINDING_FOR;
    out->device_id = alias.device;
    return true;
}

bool dt_vpn_uid_evidence(dt_vpn_claims const *c, dt_time now, dt_evidence *out)
{
    *out = asserted(c, now);
    for (size_t i = 0; i < sizeof(c->uids) / sizeof(c->uids[0]); i++) {
        if (dt_guid_parse(dt_bytes_str(c->uids[i]), &out->device_id) < 0)
            continue;
        out->finding = DT_FINDING_FOR;
        return true;
    }
    return false;
}

/* --- attributes as text ---------------------------------------------------------------------------- */

/* One line: `name` is borrowed, the value stands in `text`, which may hold any bytes. */
typedef struct attribute {
    dt_bytes name;
    uint8_t text[DT_VPN_ATTRIBUTE_MAX];
    size_t len;
} attribute;

/* What may be said once: of several, a server's module takes the first. */
typedef struct once {
    bool host_name, system;
    dt_platform platform;
} once;

static dt_bytes from(dt_bytes b, size_t at)
{
    return dt_bytes_of(b.p + at, b.len - at);
}

static dt_bytes skip_blanks(dt_bytes b)
{
    while (b.len > 0 && (b.p[0] == ' ' || b.p[0] == '\t'))
        b = from(b, 1);
    return b;
}

static bool name_is(dt_bytes name, char const *wanted)
{
    char text[64];

    return dt_str_copy_bytes(text, sizeof(text), name) == DT_OK &&
           dt_str_equal_nocase(text, wanted);
}

static bool is_octal(dt_bytes b, size_t at)
{
    return at + 2 < b.len && b.p[at] >= '0' && b.p[at] <= '3' && b.p[at + 1] >= '0' &&
           b.p[at + 1] <= '7' && b.p[at + 2] >= '0' && b.p[at + 2] <= '7';
}

/* The byte that "\..." at the front of `b` stands for; *used is how long that is. */
static int unescape(dt_bytes b, uint8_t *out, size_t *used)
{
    static char const letters[] = "nrt\"\\'", bytes[] = "\n\r\t\"\\'";
    char const *letter = b.len > 1 && b.p[1] != '\0' ? strchr(letters, b.p[1]) : NULL;

    *used = 2;
    if (letter != NULL) {
        *out = (uint8_t)bytes[letter - letters];
        return DT_OK;
    }
    if (!is_octal(b, 1))
        return DT_E_PARSE;
    *used = 4;
    *out = (uint8_t)((b.p[1] - '0') << 6 | (b.p[2] - '0') << 3 | (b.p[3] - '0'));
    return DT_OK;
}

static int put(attribute *a, uint8_t byte)
{
    if (a->len >= sizeof(a->text) - 1)
        return DT_E_LIMIT;
    a->text[a->len++] = byte;
    return DT_OK;
}

/* Behind the opening quote. Nothing but a comma may follow the closing one. */
static int take_quoted(attribute *a, dt_bytes b)
{
    size_t used;

    for (; b.len > 0 && b.p[0] != '"'; b = from(b, used)) {
        uint8_t byte = b.p[0];
        used = 1;
        int rc = byte == '\\' ? unescape(b, &byte, &used) : DT_OK;
        if (rc == DT_OK)
            rc = put(a, byte);
        if (rc < 0)
            return rc;
    }
    if (b.len == 0)
        return DT_E_PARSE;
    b = from(b, 1);
    return b.len == 0 || (b.len == 1 && b.p[0] == ',') ? DT_OK : DT_E_PARSE;
}

static int take_bare(attribute *a, dt_bytes b)
{
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < b.len; i++)
        rc = put(a, b.p[i]);
    return rc;
}

/* "Name = value", with whichever of the operators "=", ":=", "+=", "==". */
static int take_line(attribute *a, dt_bytes line)
{
    size_t n = 0;

    a->len = 0;
    while (n < line.len && strchr(" \t=:+", line.p[n]) == NULL)
        n++;
    a->name = dt_bytes_of(line.p, n);
    dt_bytes rest = skip_blanks(from(line, n));
    if (rest.len > 1 && (rest.p[0] == ':' || rest.p[0] == '+' || rest.p[0] == '=') &&
        rest.p[1] == '=')
        rest = from(rest, 1);
    if (n == 0 || rest.len == 0 || rest.p[0] != '=')
        return DT_E_PARSE;
    rest = skip_blanks(from(rest, 1));
    return rest.len > 0 && rest.p[0] == '"' ? take_quoted(a, from(rest, 1)) : take_bare(a, rest);
}

/* A value as a C string, which a server's module makes of it: none where a NUL is in it. */
static char const *as_text(attribute *a)
{
    a->text[a->len] = '\0';
    return memchr(a->text, '\0', a->len) == NULL ? (char const *)a->text : "";
}

static void take_attribute(attribute *a, dt_vpn_claims *out, once *o)
{
    if (name_is(a->name, "Cisco-AVPair")) {
        dt_vpn_claims_add_pair(out, dt_bytes_of(a->text, a->len));
    } else if (name_is(a->name, "PaloAlto-Client-Hostname") && !o->host_name) {
        o->host_name = true;
        dt_vpn_claims_set_host_name(out, as_text(a));
    } else if (name_is(a->name, "PaloAlto-Client-OS") && !o->system) {
        o->system = true;
        o->platform = dt_vpn_platform(as_text(a));
    }
}

static int read_line(dt_bytes line, dt_vpn_claims *out, once *o)
{
    static char const tlv[] = "mdm-tlv=";
    attribute a;
    int rc;

    if (line.len == 0 || line.p[0] == '#')
        return DT_OK;
    if (line.len >= sizeof(tlv) - 1 && memcmp(line.p, tlv, sizeof(tlv) - 1) == 0) {
        if (line.len >= DT_VPN_ATTRIBUTE_MAX)
            return DT_E_LIMIT;
        dt_vpn_claims_add_pair(out, line);
        return DT_OK;
    }
    rc = take_line(&a, line);
    if (rc == DT_OK)
        take_attribute(&a, out, o);
    return rc;
}

int dt_vpn_attributes_read(dt_bytes text, dt_vpn_claims *out, dt_error *e)
{
    once o = {0};
    int first = DT_OK, number = 0;

    memset(out, 0, sizeof(*out));
    while (text.len > 0 && number < DT_VPN_ATTRIBUTES_MAX) {
        uint8_t const *end = memchr(text.p, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.p) : text.len;
        int rc = read_line(dt_bytes_trim(dt_bytes_of(text.p, len), " \t\r"), out, &o);

        number++;
        if (rc < 0 && first == DT_OK)
            first = dt_error_set(e, rc, "line %d is not an attribute of a request: %s", number,
                                 rc == DT_E_LIMIT ? "its value is too long"
                                                  : "expected NAME = \"VALUE\"");
        text = from(text, len + (end != NULL));
    }
    if (text.len > 0 && first == DT_OK)
        first = dt_error_set(e, DT_E_LIMIT, "more than %d attributes", DT_VPN_ATTRIBUTES_MAX);
    if (out->platform == DT_PLATFORM_UNKNOWN)
        out->platform = o.platform;
    return first;
}
