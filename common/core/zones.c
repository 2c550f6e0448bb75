/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network zones: the file that says which networks have which name. All zones' networks lie in one
 * set, so that one look-up tells every zone that holds an address. */
#include "core/json_reader.h"
#include "core/policy_rules.h"

#include <stdlib.h>
#include <string.h>

static dt_config_word const zone_types[] = {{"IP", 0}, {NULL, 0}};
static dt_config_word const zone_status[] = {{"ACTIVE", 1}, {"INACTIVE", 0}, {NULL, 0}};

typedef enum gateway_type { GATEWAY_CIDR = 0, GATEWAY_RANGE } gateway_type;
static dt_config_word const gateway_types[] = {
    {"CIDR", GATEWAY_CIDR}, {"RANGE", GATEWAY_RANGE}, {NULL, 0}};

/* Reads {"type","value"} and adds it under the zone's bit; 0 of an INACTIVE zone checks only. */
static int gateway_parse(dt_json_reader *r, dt_json const *v, dt_zones *z, uint64_t bit)
{
    static dt_json_field const fields[] = {{"type", true}, {"value", true}, {NULL, false}};
    char const *value = NULL;
    int type = GATEWAY_CIDR;
    dt_error why = {0};
    int rc = dt_json_reader_object(r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(r, v, "type", gateway_types, &type);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(r, v, "value", DT_POLICY_NAME_MAX, &value);
    if (rc != DT_OK)
        return rc;
    if ((strchr(value, '-') != NULL) != (type == GATEWAY_RANGE))
        return dt_json_reader_fail(r, "a CIDR has no \"-\", a RANGE is first-last");
    rc = dt_network_set_add(z->networks, value, bit, &why);
    if (rc == DT_E_NOMEM)
        return dt_json_reader_nomem(r);
    return rc == DT_OK ? DT_OK : dt_json_reader_fail(r, "%s", why.text);
}

static int gateways_parse(dt_json_reader *r, dt_json const *v, dt_zones *z, uint64_t bit)
{
    int rc = dt_json_reader_array(r, v, 1, DT_NETWORKS_MAX);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(r, i);
        rc = gateway_parse(r, dt_json_at(v, i), z, bit);
        dt_json_reader_leave(r, mark);
    }
    return rc;
}

static int zone_parse(dt_json_reader *r, dt_json const *v, dt_zones *z)
{
    static dt_json_field const fields[] = {
        {"name", true}, {"type", true}, {"status", true}, {"gateways", true}, {NULL, false}};
    char const *name = NULL;
    int type = 0, active = 0;
    size_t mark;
    int rc = dt_json_reader_object(r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_text(r, v, "name", DT_POLICY_NAME_MAX, &name);
    if (rc == DT_OK)
        rc = dt_json_reader_member_word(r, v, "type", zone_types, &type);
    if (rc == DT_OK)
        rc = dt_json_reader_member_word(r, v, "status", zone_status, &active);
    if (rc != DT_OK)
        return rc;
    if (strcmp(name, "ALL_ZONES") == 0)
        return dt_json_reader_fail(r, "the name ALL_ZONES means every zone; choose another");
    if (dt_zones_find(z, name) >= 0)
        return dt_json_reader_fail(r, "another zone has this name");
    rc = dt_str_copy(z->names[z->count], DT_POLICY_NAME_MAX, name);
    if (rc != DT_OK)
        return rc;
    mark = dt_json_reader_enter(r, "gateways");
    rc = gateways_parse(r, dt_json_get(v, "gateways"), z, active ? UINT64_C(1) << z->count : 0);
    dt_json_reader_leave(r, mark);
    z->active |= active ? UINT64_C(1) << z->count : 0;
    z->count++;
    return rc;
}

static int root_parse(dt_json_reader *r, dt_json const *root, dt_zones *z)
{
    static dt_json_field const fields[] = {{"$schema", false}, {"zones", true}, {NULL, false}};
    dt_json const *zones = dt_json_get(root, "zones");
    char const *schema = NULL;
    size_t mark;
    int rc = dt_json_reader_object(r, root, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_text(r, root, "$schema", DT_POLICY_NAME_MAX, &schema);
    if (rc != DT_OK)
        return rc;
    mark = dt_json_reader_enter(r, "zones");
    rc = dt_json_reader_array(r, zones, 0, DT_ZONES_MAX);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(zones); i++) {
        size_t element = dt_json_reader_enter_at(r, i);
        rc = zone_parse(r, dt_json_at(zones, i), z);
        dt_json_reader_leave(r, element);
    }
    dt_json_reader_leave(r, mark);
    return rc;
}

int dt_zones_parse(dt_json const *root, char const *file, dt_zones **out, dt_error *e)
{
    dt_json_reader r;
    dt_zones *z = calloc(1, sizeof(*z));
    int rc = DT_E_NOMEM;

    *out = NULL;
    dt_json_reader_init(&r, file, e);
    if (z == NULL || dt_network_set_new(&z->networks) != DT_OK) {
        rc = dt_json_reader_nomem(&r);
        goto out;
    }
    rc = root_parse(&r, root, z);
    if (rc != DT_OK)
        goto out;
    *out = z;
    z = NULL;
out:
    dt_zones_free(&z);
    return rc;
}

void dt_zones_free(dt_zones **z)
{
    if (z == NULL || *z == NULL)
        return;
    dt_network_set_free(&(*z)->networks);
    free(*z);
    *z = NULL;
}

int dt_zones_find(dt_zones const *z, char const *name)
{
    for (size_t i = 0; z != NULL && i < z->count; i++)
        if (strcmp(z->names[i], name) == 0)
            return (int)i;
    return -1;
}

uint64_t dt_zones_lookup(dt_zones const *z, dt_ip const *ip)
{
    return z == NULL ? 0 : dt_network_set_lookup(z->networks, ip);
}
