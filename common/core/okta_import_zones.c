/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Okta's network zones as ours. Source: Okta management API reference, NetworkZone. */
#include "core/okta_import_internal.h"

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

static void ip_check(dt_import_zone *z)
{
    dt_json const *gateways = dt_import_given(z->json, "gateways");

    if (dt_json_typeof(gateways) != DT_JSON_ARRAY || dt_json_size(gateways) == 0)
        unusable(z, "has no gateways");
    for (size_t i = 0; z->why[0] == '\0' && i < dt_json_size(gateways); i++)
        if (!gateway_is_good(dt_json_at(gateways, i)))
            unusable(z, "has a gateway that is neither a CIDR nor a RANGE");
}

static void ip_put(dt_import_zone const *z, dt_buf *b)
{
    dt_json const *gateways = dt_import_given(z->json, "gateways");

    dt_import_put_name(b, "gateways");
    dt_buf_putc(b, '[');
    for (size_t i = 0; i < dt_json_size(gateways); i++) {
        dt_json const *v = dt_json_at(gateways, i);
        dt_buf_puts(b, i > 0 ? ",{\"type\":" : "{\"type\":");
        dt_buf_puts(b, dt_import_is(dt_json_get(v, "type"), "RANGE") ? "\"RANGE\"" : "\"CIDR\"");
        dt_import_put_name(b, "value");
        dt_json_put_string(b, dt_json_string(dt_json_get(v, "value")));
        dt_buf_putc(b, '}');
    }
    dt_buf_putc(b, ']');
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
        unusable(z, "has a name that a zones file cannot hold");
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

/* --- writing ----------------------------------------------------------------------------------- */

/* A zone that blocks denies before any rule: to leave it out lets somebody in. */
static void zone_tell(dt_importing *m, dt_import_zone const *z)
{
    if (z->state == DT_IMPORT_ZONE_INACTIVE)
        dt_import_tell(m, DT_IMPORT_LEFT_OUT, "zone \"%.80s\" is INACTIVE", z->name);
    else if (z->state == DT_IMPORT_ZONE_SKIPPED)
        dt_import_tell(m, DT_IMPORT_LEFT_OUT, "zone \"%.80s\", by --skip-zones", z->name);
    else if (z->blocks && z->state == DT_IMPORT_ZONE_UNUSABLE)
        dt_import_tell(m, DT_IMPORT_REFUSED,
                       "zone \"%.80s\" blocks, and %s; to do without it: --skip-zones", z->name,
                       z->why);
    else if (z->blocks)
        dt_import_tell(m, DT_IMPORT_REFUSED,
                       "zone \"%.80s\" blocks, which zones here do not; to do without it: "
                       "--skip-zones",
                       z->name);
    else if (!z->used)
        dt_import_tell(m, DT_IMPORT_LEFT_OUT, "zone \"%.80s\": no rule names it", z->name);
    else if (dt_json_size(dt_import_given(z->json, "proxies")) > 0)
        dt_import_tell(m, DT_IMPORT_CHANGED,
                       "zone \"%.80s\": its proxies are left out, for none stands between here",
                       z->name);
    else
        dt_import_tell(m, DT_IMPORT_KEPT, "zone \"%.80s\"", z->name);
}

void dt_import_zones_put(dt_importing *m, dt_buf *b)
{
    size_t mark = dt_json_reader_enter(&m->r, "zones");
    bool first = true;

    dt_buf_puts(b, "{\"zones\":[");
    for (size_t i = 0; i < m->zone_count; i++) {
        dt_import_zone const *z = &m->zones[i];
        size_t element = dt_json_reader_enter_at(&m->r, z->index);
        zone_tell(m, z);
        dt_json_reader_leave(&m->r, element);
        if (z->state != DT_IMPORT_ZONE_USABLE || !z->used)
            continue;
        dt_buf_puts(b, first ? "{" : ",{");
        first = false;
        dt_import_put_name(b, "name");
        dt_json_put_string(b, z->name);
        dt_buf_puts(b, ",\"type\":\"IP\",\"status\":\"ACTIVE\"");
        ip_put(z, b);
        dt_buf_putc(b, '}');
    }
    dt_buf_puts(b, "]}");
    dt_json_reader_leave(&m->r, mark);
}
