/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An administrator's properties of a policy: the reader, and whether one sign-on breaks one. */
#include "devtrustctl/policy/policy_properties.h"

#include "core/policy/policy_compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCESS_IN (DT_ACCESS_BIT(DT_ACCESS_ALLOW) | DT_ACCESS_BIT(DT_ACCESS_ALLOW_AFTER_MFA))
#define ACCESS_ANY (DT_ACCESS_BIT(DT_ACCESS_DENY) | ACCESS_IN)

/* --- reading ----------------------------------------------------------------------------------- */

/* "device": "NOT_TRUSTED", or what a rule has: {"trust","reasons"}. */
static int device_read(dt_compiler *c, dt_json const *v, dt_property *p, dt_rule *rule)
{
    static dt_config_word const words[] = {
        {"ANY", 0}, {"TRUSTED", 1}, {"NOT_TRUSTED", 2}, {"UNKNOWN", 3}, {NULL, 0}};
    static uint64_t const states[] = {DT_DEVICES_ANY, DT_DEVICES_TRUSTED, DT_DEVICES_NOT_TRUSTED,
                                      DT_DEVICES_ANY};
    size_t mark;
    int trust = 0, rc;

    if (dt_json_typeof(v) != DT_JSON_STRING)
        return dt_compiler_condition_parse(c, "device", v, rule);
    mark = dt_json_reader_enter(&c->r, "device");
    rc = dt_json_reader_word(&c->r, v, words, &trust);
    dt_json_reader_leave(&c->r, mark);
    rule->devices = states[trust];
    p->unknown_device = trust == 3;
    return rc;
}

static int access_read(dt_compiler *c, dt_json const *v, dt_property *p)
{
    static dt_config_word const words[] = {
        {"DENY", DT_ACCESS_BIT(DT_ACCESS_DENY)},
        {"ALLOW", ACCESS_IN},
        {"ALLOW_WITHOUT_MFA", DT_ACCESS_BIT(DT_ACCESS_ALLOW)},
        {"ALLOW_AFTER_MFA", DT_ACCESS_BIT(DT_ACCESS_ALLOW_AFTER_MFA)},
        {NULL, 0}};
    int access = 0;
    int rc = dt_json_reader_member_word(&c->r, v, "access", words, &access);

    p->access = (unsigned)access;
    return rc;
}

static int known_read(dt_compiler *c, dt_json const *v, dt_property *p)
{
    dt_json const *known = dt_json_get(v, "known");

    if (known == NULL || dt_json_bool(known, &p->known))
        return DT_OK;
    (void)dt_json_reader_enter(&c->r, "known");
    return dt_json_reader_fail(&c->r, "must be true or false");
}

/* What "never" or "always" says: conditions as a rule has them, and access. */
static int claim_read(dt_compiler *c, dt_json const *v, dt_property *p, dt_rule *rule)
{
    static dt_json_field const fields[] = {
        {"people", false}, {"network", false}, {"platform", false}, {"device", false},
        {"time", false},   {"known", false},   {"access", true},    {NULL, false}};
    static char const *const as_rules[] = {"people", "network", "platform", "time"};
    int rc = dt_json_reader_object(&c->r, v, fields);

    for (size_t i = 0; rc == DT_OK && i < sizeof(as_rules) / sizeof(as_rules[0]); i++)
        if (dt_json_get(v, as_rules[i]) != NULL)
            rc = dt_compiler_condition_parse(c, as_rules[i], dt_json_get(v, as_rules[i]), rule);
    if (rc == DT_OK && dt_json_get(v, "device") != NULL)
        rc = device_read(c, dt_json_get(v, "device"), p, rule);
    if (rc == DT_OK)
        rc = known_read(c, v, p);
    return rc == DT_OK ? access_read(c, v, p) : rc;
}

static int property_read(dt_compiler *c, dt_json const *v, dt_properties *all, size_t i)
{
    static dt_json_field const fields[] = {
        {"name", false}, {"never", false}, {"always", false}, {NULL, false}};
    dt_property *p = &all->items[i];
    dt_rule *rule = &c->p->rules[i];
    char const *which;
    size_t mark;
    int rc = dt_json_reader_object(&c->r, v, fields);

    (void)snprintf(all->names[i], sizeof(all->names[i]), "/properties/%zu", i);
    p->name = all->names[i];
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&c->r, v, "name", DT_POLICY_NAME_MAX, &p->name);
    if (rc != DT_OK)
        return rc;
    if ((dt_json_get(v, "never") == NULL) == (dt_json_get(v, "always") == NULL))
        return dt_json_reader_fail(&c->r, "needs one of never and always");
    p->always = dt_json_get(v, "always") != NULL;
    which = p->always ? "always" : "never";
    rule->active = rule->anyone = true;
    rule->platforms = DT_PLATFORMS_ANY;
    rule->devices = DT_DEVICES_ANY;
    rule->name = p->name;
    rule->message = "";
    mark = dt_json_reader_enter(&c->r, which);
    rc = claim_read(c, dt_json_get(v, which), p, rule);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int list_read(dt_compiler *c, dt_json const *root, dt_properties *all)
{
    static dt_json_field const fields[] = {{"$schema", false}, {"properties", true}, {NULL, false}};
    dt_json const *list = dt_json_get(root, "properties");
    char const *schema = NULL;
    int rc = dt_json_reader_object(&c->r, root, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&c->r, root, "$schema", DT_POLICY_NAME_MAX, &schema);
    if (rc != DT_OK)
        return rc;
    (void)dt_json_reader_enter(&c->r, "properties");
    rc = dt_json_reader_array(&c->r, list, 1, DT_PROPERTIES_MAX);
    if (rc != DT_OK)
        return rc;
    all->items = calloc(dt_json_size(list), sizeof(*all->items));
    all->names = calloc(dt_json_size(list), sizeof(*all->names));
    c->p->rules = calloc(dt_json_size(list), sizeof(*c->p->rules));
    if (all->items == NULL || all->names == NULL || c->p->rules == NULL)
        return dt_compiler_nomem(c);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        rc = property_read(c, dt_json_at(list, i), all, i);
        dt_json_reader_leave(&c->r, mark);
        c->p->rule_count = all->count = i + 1;
    }
    return rc;
}

int dt_properties_parse(dt_json const *root, dt_json_source const *source, dt_json const *policy,
                        dt_zones const *zones, dt_properties **out, dt_error *e)
{
    dt_compiler c = {.p = calloc(1, sizeof(dt_policy))};
    dt_properties *all = calloc(1, sizeof(*all));
    int rc;

    *out = NULL;
    dt_json_reader_init(&c.r, source, e);
    if (c.p == NULL || all == NULL) {
        free(c.p);
        free(all);
        return dt_compiler_nomem(&c);
    }
    c.p->zones = zones;
    all->conditions = c.p;
    rc = dt_compiler_groups_parse(&c, dt_json_get(policy, "groups"));
    if (rc == DT_OK)
        rc = list_read(&c, root, all);
    if (rc == DT_OK)
        rc = dt_compiler_rules_end(&c);
    free(c.groups);
    if (rc == DT_OK)
        *out = all;
    else
        dt_properties_free(&all);
    return rc;
}

void dt_properties_free(dt_properties **p)
{
    if (p == NULL || *p == NULL)
        return;
    dt_policy_free(&(*p)->conditions);
    free((*p)->items);
    free((*p)->names);
    free(*p);
    *p = NULL;
}

/* --- judging ----------------------------------------------------------------------------------- */

/* Access bits of all that is laxer than the laxest of `access`. */
static unsigned laxer(unsigned access)
{
    if ((access & DT_ACCESS_BIT(DT_ACCESS_ALLOW)) != 0)
        return 0;
    return (access & DT_ACCESS_BIT(DT_ACCESS_ALLOW_AFTER_MFA)) != 0 ? DT_ACCESS_BIT(DT_ACCESS_ALLOW)
                                                                    : ACCESS_IN;
}

dt_property_faults dt_property_faults_of(dt_property const *p)
{
    if (!p->always)
        return (dt_property_faults){.may_fit = p->access & ACCESS_IN, .fits = p->access};
    return (dt_property_faults){.may_fit = laxer(p->access), .fits = ACCESS_ANY & ~p->access};
}

bool dt_policy_input_is_known(dt_policy_input const *in)
{
    return in->group_knowledge == DT_GROUPS_KNOWN && in->group_count <= DT_GROUPS_MAX &&
           (in->ip.set || in->address == DT_ADDRESS_LOCAL) && in->platform != DT_PLATFORM_UNKNOWN &&
           in->trust != DT_TRUST_UNKNOWN &&
           (in->reason != DT_REASON_NONE || in->trust == DT_TRUST_TRUSTED) && in->now > 0 &&
           in->utc_offset_known &&
           (in->place == NULL ||
            (~in->place->known & (DT_GEO_ASN | DT_GEO_COUNTRY | DT_GEO_REGION)) == 0);
}

bool dt_property_is_broken(dt_properties const *p, size_t i, dt_policy_input const *in,
                           dt_access access)
{
    dt_property const *property = &p->items[i];
    dt_property_faults faults = dt_property_faults_of(property);
    char const *name;
    bool fits = dt_policy_explain_rule(p->conditions, i, in, &name) == DT_CONDITION_NONE;
    bool may = fits || dt_policy_rule_is_unknown(p->conditions, i, in);

    /* An UNKNOWN device that is taken for nothing is neither TRUSTED nor NOT_TRUSTED for sure. */
    fits = fits && (p->conditions->rules[i].devices == DT_DEVICES_ANY ||
                    in->trust != DT_TRUST_UNKNOWN || in->unknown_as == DT_UNKNOWN_NOT_TRUSTED);
    if (property->known && !dt_policy_input_is_known(in))
        return false;
    if (property->unknown_device && in->trust != DT_TRUST_UNKNOWN)
        return false;
    return ((may ? faults.may_fit : 0) & DT_ACCESS_BIT(access)) != 0 ||
           ((fits ? faults.fits : 0) & DT_ACCESS_BIT(access)) != 0;
}
