/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Okta's network zones as ours. Source: Okta management API reference, NetworkZone. */
#include "devtrustctl/policy/okta_import_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void unusable(dt_import_zone *z, char const *why)
{
    z->state = DT_IMPORT_ZONE_UNUSABLE;
    if (z->why[0] == '\0')
        (void)snprintf(z->why, sizeof(z->why), "%s", why);
}

/* A name that our files can hold. */
static bool is_name(char const *s)
{
    size_t len = s == NULL ? 0 : strlen(s);

    if (len == 0 || len >= DT_POLICY_NAME_MAX || s[0] == ' ' || s[len - 1] == ' ')
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return strcmp(s, "ALL_ZONES") != 0;
}

/* --- IP ---------------------------------------------------------------------------------------- */

static bool gateway_is_good(dt_json const *v)
{
    dt_json const *type = dt_import_given(v, "type");
    char const *value = dt_json_string(dt_import_given(v, "value"));
    dt_network_set *probe = NULL;
    bool good = false;

    if (value == NULL || strlen(value) >= DT_POLICY_NAME_MAX ||
        !(dt_import_is(type, "CIDR") || dt_import_is(type, "RANGE")) ||
        (strchr(value, '-') != NULL) != dt_import_is(type, "RANGE"))
        return false;
    if (dt_network_set_new(&probe) == DT_OK)
        good = dt_network_set_add(probe, value, 1, NULL) == DT_OK;
    dt_network_set_free(&probe);
    return good;
}

/* The i-th network of the zone. A zone that blocks has those of its proxies after its gateways: who
 * stands there has no right to more than who came through. Of others the proxies are left out. */
static dt_json const *ip_network(dt_import_zone const *z, size_t i)
{
    dt_json const *gateways = dt_import_given(z->json, "gateways");
    size_t count = dt_json_size(gateways);

    if (i < count)
        return dt_json_at(gateways, i);
    return z->blocks ? dt_json_at(dt_import_given(z->json, "proxies"), i - count) : NULL;
}

static bool is_list(dt_json const *v)
{
    return v == NULL || dt_json_typeof(v) == DT_JSON_ARRAY;
}

static void ip_check(dt_import_zone *z)
{
    bool lists = is_list(dt_import_given(z->json, "gateways")) &&
                 is_list(dt_import_given(z->json, "proxies"));

    z->empty = lists && ip_network(z, 0) == NULL;
    if (!lists || z->empty)
        unusable(z, "has no gateways");
    for (size_t i = 0; z->why[0] == '\0' && ip_network(z, i) != NULL; i++)
        if (!gateway_is_good(ip_network(z, i)))
            unusable(z, "has a gateway that is neither a CIDR nor a RANGE");
}

static void ip_put(dt_import_zone const *z, dt_buf *b)
{
    dt_import_put_name(b, "gateways");
    dt_buf_putc(b, '[');
    for (size_t i = 0; ip_network(z, i) != NULL; i++) {
        dt_json const *v = ip_network(z, i);
        dt_buf_puts(b, i > 0 ? ",{\"type\":" : "{\"type\":");
        dt_buf_puts(b, dt_import_is(dt_json_get(v, "type"), "RANGE") ? "\"RANGE\"" : "\"CIDR\"");
        dt_import_put_name(b, "value");
        dt_json_put_string(b, dt_json_string(dt_json_get(v, "value")));
        dt_buf_putc(b, '}');
    }
    dt_buf_putc(b, ']');
}

/* --- DYNAMIC ----------------------------------------------------------------------------------- */

/* A list of a zone: the array itself (DYNAMIC), or the "include" of an object (DYNAMIC_V2). *good is
 * false for another form, or where something is excluded, which a zone of ours cannot. */
static dt_json const *dynamic_list(dt_json const *zone, char const *member, bool *good)
{
    dt_json const *v = dt_import_given(zone, member);
    dt_json const *list = v;

    if (dt_json_typeof(v) == DT_JSON_OBJECT) {
        dt_json const *exclude = dt_import_given(v, "exclude");
        list = dt_import_given(v, "include");
        *good = *good && is_list(exclude) && dt_json_size(exclude) == 0;
    }
    *good = *good && is_list(list);
    return list;
}

/* "EU" and "AP" are Okta's words for "of no country in particular", which databases here do not have. */
static bool is_country(char const *s)
{
    return s != NULL && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z' && s[2] == '\0' &&
           strcmp(s, "EU") != 0 && strcmp(s, "AP") != 0;
}

/* "CA" or "US-CA", of that country. */
static bool is_region(dt_json const *v, char const *country)
{
    char const *s = dt_json_string(v);

    if (v == NULL)
        return true;
    if (s != NULL && strlen(s) > 3 && strncmp(s, country, 2) == 0 && s[2] == '-')
        s += 3;
    return s != NULL && s[0] != '\0' && strlen(s) <= 3 &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(s);
}

/* RFC 6793: 32 bits; 0 is nobody's (RFC 7607). */
static bool is_asn(dt_json const *v)
{
    char const *s = dt_json_string(v);

    return s != NULL && s[0] >= '1' && s[0] <= '9' && strlen(s) <= 10 &&
           strspn(s, "0123456789") == strlen(s) && (strlen(s) < 10 || strcmp(s, "4294967295") <= 0);
}

/* null, "" and "null" ask nothing of proxies. Every other word does, and no source here knows proxies. */
static bool asks_for_proxies(dt_json const *zone)
{
    dt_json const *proxy = dt_import_given(zone, "proxyType");
    dt_json const *services = dt_import_given(zone, "ipServiceCategories");
    bool nothing = true;

    if (proxy != NULL && !dt_import_is(proxy, "") && !dt_import_is(proxy, "null"))
        return true;
    return dt_json_size(dynamic_list(zone, "ipServiceCategories", &nothing)) > 0 ||
           (services != NULL && !nothing);
}

static bool places_are_good(dt_json const *places)
{
    for (size_t i = 0; i < dt_json_size(places); i++) {
        dt_json const *v = dt_json_at(places, i);
        char const *country = dt_json_string(dt_import_given(v, "country"));
        if (!is_country(country) || !is_region(dt_import_given(v, "region"), country))
            return false;
    }
    return true;
}

static void dynamic_check(dt_import_zone *z)
{
    bool good = true;
    dt_json const *places = dynamic_list(z->json, "locations", &good);
    dt_json const *asns = dynamic_list(z->json, "asns", &good);

    if (asks_for_proxies(z->json))
        unusable(z, "asks for kinds of proxies");
    else if (!good)
        unusable(z, "excludes places or networks, or has another form");
    else if (dt_json_size(places) + dt_json_size(asns) == 0)
        unusable(z, "names neither places nor networks");
    else if (dt_json_size(places) > DT_ZONE_PLACES_MAX || dt_json_size(asns) > DT_ZONE_PLACES_MAX)
        unusable(z, "names too many places or networks");
    else if (!places_are_good(places))
        unusable(z, "names a place that is not a country or region here");
    for (size_t i = 0; z->why[0] == '\0' && i < dt_json_size(asns); i++)
        if (!is_asn(dt_json_at(asns, i)))
            unusable(z, "names a network by something that is not an AS number");
}

static void place_put(dt_json const *v, dt_buf *b)
{
    dt_buf_puts(b, "{\"country\":");
    dt_json_put_string(b, dt_json_string(dt_json_get(v, "country")));
    if (dt_import_given(v, "region") != NULL) {
        dt_import_put_name(b, "region");
        dt_json_put_string(b, dt_json_string(dt_json_get(v, "region")));
    }
    dt_buf_putc(b, '}');
}

/* Where both are named both must hold, there as here: what Okta leaves open is everywhere. */
static void dynamic_put(dt_import_zone const *z, dt_buf *b)
{
    bool good = true;
    dt_json const *places = dynamic_list(z->json, "locations", &good);
    dt_json const *asns = dynamic_list(z->json, "asns", &good);

    if (dt_json_size(places) > 0) {
        dt_import_put_name(b, "locations");
        dt_buf_putc(b, '[');
        for (size_t i = 0; i < dt_json_size(places); i++) {
            dt_buf_puts(b, i > 0 ? "," : "");
            place_put(dt_json_at(places, i), b);
        }
        dt_buf_putc(b, ']');
    }
    if (dt_json_size(asns) > 0) {
        dt_import_put_name(b, "asns");
        dt_json_put_value(b, asns, 0);
    }
}

/* --- reading ----------------------------------------------------------------------------------- */

static bool is_skipped(dt_importing const *m, char const *name)
{
    for (size_t i = 0; i < DT_IMPORT_SKIPPED_ZONES && m->o->skip_zones[i] != NULL; i++)
        if (strcmp(m->o->skip_zones[i], name) == 0)
            return true;
    return false;
}

static void zone_read(dt_importing *m, dt_json const *v, size_t index, dt_import_zone *z)
{
    char const *name = dt_json_string(dt_import_given(v, "name"));

    *z = (dt_import_zone){.json = v, .index = index, .state = DT_IMPORT_ZONE_USABLE};
    z->id = dt_json_string(dt_import_given(v, "id"));
    z->blocks = dt_import_is(dt_import_given(v, "usage"), "BLOCKLIST");
    if (dt_str_copy(z->name, sizeof(z->name), name != NULL ? name : "") != DT_OK || !is_name(name))
        unusable(z, "has a name that a zones file cannot contain");
    for (size_t i = 0; i < m->zone_count; i++)
        if (strcmp(m->zones[i].name, z->name) == 0)
            unusable(z, "has the name of another");
    if (dt_import_is(dt_import_given(v, "status"), "INACTIVE"))
        z->state = DT_IMPORT_ZONE_INACTIVE;
    else if (is_skipped(m, z->name))
        z->state = DT_IMPORT_ZONE_SKIPPED;
    else if (!dt_import_is(dt_import_given(v, "status"), "ACTIVE"))
        unusable(z, "has a status that this version does not know");
    else if (dt_import_is(dt_import_given(v, "type"), "IP"))
        ip_check(z);
    else if (dt_import_is(dt_import_given(v, "type"), "DYNAMIC") ||
             dt_import_is(dt_import_given(v, "type"), "DYNAMIC_V2"))
        dynamic_check(z);
    else
        unusable(z, "is of a type that cannot be evaluated here");
}

int dt_import_zones_read(dt_importing *m, dt_json const *zones)
{
    size_t mark = dt_json_reader_enter(&m->r, "zones");
    int rc = zones == NULL ? DT_OK : dt_json_reader_array(&m->r, zones, 0, DT_OKTA_ZONES_MAX);

    if (rc == DT_OK && dt_json_size(zones) > 0) {
        m->zones = calloc(dt_json_size(zones), sizeof(*m->zones));
        rc = m->zones == NULL ? dt_json_reader_nomem(&m->r) : DT_OK;
    }
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(zones); i++) {
        zone_read(m, dt_json_at(zones, i), i, &m->zones[i]);
        m->zone_count = i + 1;
    }
    dt_json_reader_leave(&m->r, mark);
    return rc;
}

dt_import_zone *dt_import_zone_find(dt_importing *m, char const *id)
{
    for (size_t i = 0; i < m->zone_count; i++)
        if (m->zones[i].id != NULL && strcmp(m->zones[i].id, id) == 0)
            return &m->zones[i];
    return NULL;
}

static bool is_ip(dt_import_zone const *z)
{
    return dt_import_is(dt_import_given(z->json, "type"), "IP");
}

/* --- writing ----------------------------------------------------------------------------------- */

/* Whoever comes from such a zone is not blocked at Okta, whatever zone else blocks him. */
static bool exempts(dt_import_zone const *z)
{
    bool yes = false;

    return !z->empty && dt_json_bool(dt_import_given(z->json, "useAsExemptList"), &yes) && yes;
}

/* A zone that blocks denies before any rule: to leave it out lets somebody in. */
static void report_zone(dt_importing *m, dt_import_zone const *z)
{
    if (z->state == DT_IMPORT_ZONE_INACTIVE)
        dt_import_report(m, DT_IMPORT_LEFT_OUT, "zone \"%.80s\" is INACTIVE", z->name);
    else if (z->state == DT_IMPORT_ZONE_SKIPPED)
        dt_import_report(m, DT_IMPORT_LEFT_OUT, "zone \"%.80s\", by --skip-zones", z->name);
    else if (z->blocks && z->empty)
        dt_import_report(m, DT_IMPORT_LEFT_OUT, "zone \"%.80s\" blocks nobody: it has no gateways",
                         z->name);
    else if (z->blocks && z->state == DT_IMPORT_ZONE_UNUSABLE)
        dt_import_report(m, DT_IMPORT_REFUSED,
                         "zone \"%.80s\" blocks, and %s; to import without it: --skip-zones",
                         z->name, z->why);
    else if (z->blocks && dt_json_size(dt_import_given(z->json, "proxies")) > 0)
        dt_import_report(m, DT_IMPORT_CHANGED,
                         "zone \"%.80s\" blocks before any rule; its proxies are blocked as well",
                         z->name);
    else if (z->blocks)
        dt_import_report(m, DT_IMPORT_KEPT, "zone \"%.80s\" blocks before any rule", z->name);
    else if (exempts(z))
        dt_import_report(m, DT_IMPORT_CHANGED,
                         "zone \"%.80s\" exempts from blocking, which no zone does here: blocked "
                         "people are blocked from there, too",
                         z->name);
    else if (!z->used)
        dt_import_report(m, DT_IMPORT_LEFT_OUT, "zone \"%.80s\": no rule names it", z->name);
    else if (dt_json_size(dt_import_given(z->json, "proxies")) > 0)
        dt_import_report(m, DT_IMPORT_CHANGED,
                         "zone \"%.80s\": its proxies are left out, because there are none here",
                         z->name);
    else
        dt_import_report(m, DT_IMPORT_KEPT, "zone \"%.80s\"", z->name);
}

void dt_import_zones_put(dt_importing *m, dt_buf *b)
{
    size_t mark = dt_json_reader_enter(&m->r, "zones");
    bool first = true;

    dt_buf_puts(b, "{\"zones\":[");
    for (size_t i = 0; i < m->zone_count; i++) {
        dt_import_zone const *z = &m->zones[i];
        size_t element = dt_json_reader_enter_at(&m->r, z->index);
        report_zone(m, z);
        dt_json_reader_leave(&m->r, element);
        if (z->state != DT_IMPORT_ZONE_USABLE || !(z->used || z->blocks))
            continue;
        dt_buf_puts(b, first ? "{" : ",{");
        first = false;
        dt_import_put_name(b, "name");
        dt_json_put_string(b, z->name);
        dt_buf_puts(b, is_ip(z) ? ",\"type\":\"IP\"" : ",\"type\":\"DYNAMIC\"");
        dt_buf_puts(b, ",\"status\":\"ACTIVE\"");
        dt_buf_puts(b, z->blocks ? ",\"usage\":\"BLOCKLIST\"" : "");
        (is_ip(z) ? ip_put : dynamic_put)(z, b);
        dt_buf_putc(b, '}');
    }
    dt_buf_puts(b, "]}");
    dt_json_reader_leave(&m->r, mark);
}
