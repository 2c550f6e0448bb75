/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiling a rule's conditions: who, from where, on what. */
#include "core/policy_compile.h"

#include <stdlib.h>
#include <string.h>

#define DT_TEXT_BLOCK (64 * 1024) /* bytes of one allocation for strings */
#define DT_PLATFORMS_MAX 16       /* members of one list of platforms */
#define DT_ITEMS_FIRST_CAP 64     /* elements of an array's first allocation */
#define DT_ALL_ZONES "ALL_ZONES"

int dt_compiler_nomem(dt_compiler *c)
{
    return dt_json_reader_nomem(&c->r);
}

/* --- strings and names ------------------------------------------------------------------------- */

char *dt_compiler_keep(dt_policy *p, char const *s)
{
    size_t need = strlen(s) + 1;
    dt_text_block *b = p->text;
    char *copy;

    if (b == NULL || b->size - b->used < need) {
        size_t size = need > DT_TEXT_BLOCK ? need : DT_TEXT_BLOCK;
        b = malloc(sizeof(*b) + size);
        if (b == NULL)
            return NULL;
        b->next = p->text;
        b->used = 0;
        b->size = size;
        p->text = b;
    }
    copy = b->text + b->used;
    memcpy(copy, s, need);
    b->used += need;
    return copy;
}

int dt_compiler_grow(dt_compiler *c, void **items, size_t count, size_t *cap, size_t size)
{
    size_t want = *cap == 0 ? DT_ITEMS_FIRST_CAP : *cap * 2;
    void *grown;

    if (count < *cap)
        return DT_OK;
    grown = realloc(*items, want * size);
    if (grown == NULL)
        return dt_compiler_nomem(c);
    *items = grown;
    *cap = want;
    return DT_OK;
}

int dt_compiler_name_push(dt_compiler *c, dt_folded_name name)
{
    dt_policy *p = c->p;
    void *names = p->names;
    int rc = dt_compiler_grow(c, &names, p->name_count, &c->names_cap, sizeof(*p->names));

    p->names = names;
    if (rc == DT_OK)
        p->names[p->name_count++] = name;
    return rc;
}

static int name_add(dt_compiler *c, char const *s)
{
    char *text = dt_compiler_keep(c->p, s);
    if (text == NULL)
        return dt_compiler_nomem(c);
    for (char *t = text; *t != '\0'; t++)
        if (*t >= 'A' && *t <= 'Z')
            *t = (char)(*t + 32);
    return dt_compiler_name_push(c, (dt_folded_name){dt_name_hash(text), text});
}

int dt_folded_name_compare(void const *a, void const *b)
{
    dt_folded_name const *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return strcmp(x->text, y->text);
}

char const *dt_compiler_list_sort(dt_policy *p, dt_name_list list)
{
    dt_folded_name *names;

    if (list.count < 2)
        return NULL;
    names = p->names + list.first;
    qsort(names, list.count, sizeof(*names), dt_folded_name_compare);
    for (uint32_t i = 1; i < list.count; i++)
        if (dt_folded_name_compare(&names[i - 1], &names[i]) == 0)
            return names[i].text;
    return NULL;
}

/* --- conditions: people ------------------------------------------------------------------------ */

static int names_parse(dt_compiler *c, dt_json const *v, dt_name_list *out)
{
    char const *twice;
    int rc = dt_json_reader_array(&c->r, v, 0, DT_POLICY_LIST_MAX);

    out->first = (uint32_t)c->p->name_count;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        char const *name = NULL;
        rc = dt_json_reader_text(&c->r, dt_json_at(v, i), DT_GROUP_NAME_MAX, &name);
        if (rc == DT_OK)
            rc = name_add(c, name);
        dt_json_reader_leave(&c->r, mark);
    }
    if (rc != DT_OK)
        return rc;
    out->count = (uint32_t)(c->p->name_count - out->first);
    twice = dt_compiler_list_sort(c->p, *out);
    return twice == NULL ? DT_OK : dt_json_reader_fail(&c->r, "\"%.80s\" is there twice", twice);
}

/* {"include":[...],"exclude":[...]} */
static int name_lists_parse(dt_compiler *c, dt_json const *v, dt_name_list *include,
                            dt_name_list *exclude)
{
    static dt_json_field const fields[] = {{"include", false}, {"exclude", false}, {NULL, false}};
    dt_name_list *lists[] = {include, exclude};
    int rc = dt_json_reader_object(&c->r, v, fields);

    for (size_t i = 0; rc == DT_OK && i < 2; i++) {
        dt_json const *list = dt_json_get(v, fields[i].name);
        if (list == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = names_parse(c, list, lists[i]);
        dt_json_reader_leave(&c->r, mark);
    }
    return rc;
}

static int people_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"users", false}, {"groups", false}, {NULL, false}};
    dt_name_list *lists[][2] = {{&rule->users_include, &rule->users_exclude},
                                {&rule->groups_include, &rule->groups_exclude}};
    int rc = dt_json_reader_object(&c->r, v, fields);

    for (size_t i = 0; rc == DT_OK && i < 2; i++) {
        dt_json const *part = dt_json_get(v, fields[i].name);
        if (part == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = name_lists_parse(c, part, lists[i][0], lists[i][1]);
        dt_json_reader_leave(&c->r, mark);
    }
    rule->anyone = rule->users_include.count + rule->users_exclude.count +
                       rule->groups_include.count + rule->groups_exclude.count ==
                   0;
    return rc;
}

/* --- conditions: network ----------------------------------------------------------------------- */

static int zone_add(dt_compiler *c, dt_json const *v, size_t of, uint64_t *out)
{
    dt_zones const *zones = c->p->zones;
    char const *name = NULL;
    int index, rc = dt_json_reader_text(&c->r, v, DT_POLICY_NAME_MAX, &name);

    if (rc != DT_OK)
        return rc;
    if (strcmp(name, DT_ALL_ZONES) == 0) {
        if (of != 1)
            return dt_json_reader_fail(&c->r, DT_ALL_ZONES " must stand alone");
        if (zones == NULL || zones->active == 0)
            return dt_json_reader_fail(&c->r, DT_ALL_ZONES ", but no ACTIVE zone is defined");
        *out = zones->active;
        return DT_OK;
    }
    index = dt_zones_find(zones, name);
    if (index < 0)
        return dt_json_reader_fail(&c->r, "no zone \"%.80s\" is defined in the zones file", name);
    if ((zones->active >> index & 1) == 0)
        return dt_json_reader_fail(&c->r, "zone \"%.80s\" is INACTIVE", name);
    if (*out >> index & 1)
        return dt_json_reader_fail(&c->r, "zone \"%.80s\" is there twice", name);
    *out |= UINT64_C(1) << index;
    return DT_OK;
}

static int zones_parse(dt_compiler *c, dt_json const *v, char const *member, uint64_t *out)
{
    dt_json const *list = dt_json_get(v, member);
    size_t mark = dt_json_reader_enter(&c->r, member);
    int rc = list == NULL ? DT_OK : dt_json_reader_array(&c->r, list, 0, DT_ZONES_MAX);

    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        size_t element = dt_json_reader_enter_at(&c->r, i);
        rc = zone_add(c, dt_json_at(list, i), dt_json_size(list), out);
        dt_json_reader_leave(&c->r, element);
    }
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int network_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {
        {"connection", true}, {"include", false}, {"exclude", false}, {NULL, false}};
    static dt_config_word const words[] = {{"ANYWHERE", 0}, {"ZONE", 1}, {NULL, 0}};
    int zone = 0;
    bool named;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "connection", words, &zone);
    if (rc == DT_OK)
        rc = zones_parse(c, v, "include", &rule->zones_include);
    if (rc == DT_OK)
        rc = zones_parse(c, v, "exclude", &rule->zones_exclude);
    if (rc != DT_OK)
        return rc;
    named = rule->zones_include != 0 || rule->zones_exclude != 0;
    if (zone && !named)
        return dt_json_reader_fail(&c->r, "ZONE needs a zone in include or exclude");
    if (!zone && named)
        return dt_json_reader_fail(&c->r, "ANYWHERE goes without include and exclude");
    rule->in_zone = zone;
    return DT_OK;
}

/* --- conditions: platform ---------------------------------------------------------------------- */

static dt_config_word const platform_types[] = {
    {"ANY", DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE},
    {"DESKTOP", DT_PLATFORM_ANY_DESKTOP},
    {"MOBILE", DT_PLATFORM_ANY_MOBILE},
    {NULL, 0}};

static dt_config_word const os_types[] = {
    {"ANY", DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE},
    {"WINDOWS", DT_PLATFORM_WINDOWS},
    {"MACOS", DT_PLATFORM_MACOS},
    {"LINUX", DT_PLATFORM_LINUX},
    {"CHROMEOS", DT_PLATFORM_CHROMEOS},
    {"IOS", DT_PLATFORM_IOS},
    {"ANDROID", DT_PLATFORM_ANDROID},
    {"OTHER", DT_PLATFORM_OTHER_DESKTOP | DT_PLATFORM_OTHER_MOBILE},
    {NULL, 0}};

/* {"type":"DESKTOP","os":{"type":"WINDOWS"}}: the bits of both. */
static int platform_one(dt_compiler *c, dt_json const *v, unsigned *out)
{
    static dt_json_field const fields[] = {{"type", true}, {"os", false}, {NULL, false}};
    static dt_json_field const os_fields[] = {{"type", true}, {NULL, false}};
    dt_json const *os = dt_json_get(v, "os");
    int type = 0, bits = os_types[0].value;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "type", platform_types, &type);
    if (rc == DT_OK && os != NULL) {
        size_t mark = dt_json_reader_enter(&c->r, "os");
        rc = dt_json_reader_object(&c->r, os, os_fields);
        if (rc == DT_OK)
            rc = dt_json_reader_member_word(&c->r, os, "type", os_types, &bits);
        dt_json_reader_leave(&c->r, mark);
    }
    if (rc != DT_OK)
        return rc;
    if ((type & bits) == 0)
        return dt_json_reader_fail(&c->r, "there is no such operating system of this type");
    *out |= (unsigned)(type & bits);
    return DT_OK;
}

static int platforms_parse(dt_compiler *c, dt_json const *v, char const *member, unsigned *out)
{
    dt_json const *list = dt_json_get(v, member);
    size_t mark = dt_json_reader_enter(&c->r, member);
    int rc = list == NULL ? DT_OK : dt_json_reader_array(&c->r, list, 0, DT_PLATFORMS_MAX);

    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        size_t element = dt_json_reader_enter_at(&c->r, i);
        rc = platform_one(c, dt_json_at(list, i), out);
        dt_json_reader_leave(&c->r, element);
    }
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int platform_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"include", false}, {"exclude", false}, {NULL, false}};
    unsigned const all = DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE;
    unsigned include = 0, exclude = 0;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = platforms_parse(c, v, "include", &include);
    if (rc == DT_OK)
        rc = platforms_parse(c, v, "exclude", &exclude);
    if (rc != DT_OK)
        return rc;
    include = include == 0 ? all : include;
    if ((include & ~exclude) == 0)
        return dt_json_reader_fail(&c->r, "no platform is left: exclude takes all of include");
    rule->platforms = (uint8_t)(include & ~exclude);
    rule->any_client = rule->platforms == all;
    return DT_OK;
}

/* --- conditions: device, and all of them ------------------------------------------------------- */

static int device_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"trust", true}, {NULL, false}};
    static dt_config_word const words[] = {{"ANY", DT_DEVICE_ANY},
                                           {"TRUSTED", DT_DEVICE_TRUSTED},
                                           {"NOT_TRUSTED", DT_DEVICE_NOT_TRUSTED},
                                           {NULL, 0}};
    int trust = DT_DEVICE_ANY;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "trust", words, &trust);
    rule->device = (uint8_t)trust;
    return rc;
}

int dt_rule_conditions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"people", false},
                                           {"network", false},
                                           {"platform", false},
                                           {"device", false},
                                           {NULL, false}};
    static int (*const parsers[])(dt_compiler *, dt_json const *, dt_rule *) = {
        people_parse, network_parse, platform_parse, device_parse};
    int rc;

    rule->anyone = true;
    rule->any_client = true;
    rule->catch_all = dt_json_typeof(v) == DT_JSON_NULL ||
                      (dt_json_typeof(v) == DT_JSON_OBJECT && dt_json_size(v) == 0);
    if (rule->catch_all)
        return DT_OK;
    rc = dt_json_reader_object(&c->r, v, fields);
    for (size_t i = 0; rc == DT_OK && fields[i].name != NULL; i++) {
        dt_json const *part = dt_json_get(v, fields[i].name);
        if (part == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = parsers[i](c, part, rule);
        dt_json_reader_leave(&c->r, mark);
    }
    return rc;
}

/* --- conditions of the org's rules ------------------------------------------------------------- */

/* {"authType":"RADIUS"}. Whatever devtrust guards is RADIUS to Okta, so a rule for its LDAP interface
 * is kept and never holds. */
static int auth_context_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"authType", true}, {NULL, false}};
    static dt_config_word const words[] = {
        {"ANY", 1}, {"RADIUS", 1}, {"LDAP_INTERFACE", 0}, {NULL, 0}};
    int ours = 0;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "authType", words, &ours);
    rule->active = rule->active && ours;
    return rc;
}

int dt_org_conditions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {
        {"people", false}, {"network", false}, {"authContext", false}, {NULL, false}};
    static int (*const parsers[])(dt_compiler *, dt_json const *,
                                  dt_rule *) = {people_parse, network_parse, auth_context_parse};
    int rc = DT_OK;

    rule->anyone = true;
    rule->any_client = true;
    if (dt_json_typeof(v) != DT_JSON_NULL)
        rc = dt_json_reader_object(&c->r, v, fields);
    for (size_t i = 0; rc == DT_OK && fields[i].name != NULL; i++) {
        dt_json const *part = dt_json_get(v, fields[i].name);
        if (part == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = parsers[i](c, part, rule);
        dt_json_reader_leave(&c->r, mark);
    }
    rule->catch_all = rc == DT_OK && rule->active && dt_rule_is_unconditional(rule);
    return rc;
}

bool dt_rule_is_unconditional(dt_rule const *r)
{
    return r->anyone && !r->in_zone && r->any_client && r->device == DT_DEVICE_ANY;
}
