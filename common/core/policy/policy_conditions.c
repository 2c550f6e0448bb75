/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiling a rule's conditions: who, from where, on what. */
#include "core/policy/policy_compile.h"

#include <stdlib.h>
#include <string.h>

#define DT_TEXT_BLOCK (64 * 1024) /* bytes of one allocation for strings */
#define DT_PLATFORMS_MAX 16       /* members of one list of platforms */
#define DT_ALL_ZONES "ALL_ZONES"
#define DT_DAYS_OF_WEEK 7

int dt_compiler_nomem(dt_compiler *c)
{
    return dt_json_reader_nomem(&c->r);
}

/* --- strings and names ------------------------------------------------------------------------- */

static char *keep_bytes(dt_policy *p, void const *s, size_t need)
{
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

char *dt_compiler_keep(dt_policy *p, char const *s)
{
    return keep_bytes(p, s, strlen(s) + 1);
}

int dt_compiler_grow(dt_compiler *c, void **items, size_t count, size_t *cap, size_t size)
{
    return dt_array_grow(items, count, cap, size) == DT_OK ? DT_OK : dt_compiler_nomem(c);
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

int dt_compiler_name_add(dt_compiler *c, char const *s)
{
    char *text = dt_compiler_keep(c->p, s);
    if (text == NULL)
        return dt_compiler_nomem(c);
    for (char *t = text; *t != '\0'; t++)
        if (*t >= 'A' && *t <= 'Z')
            *t = (char)(*t + 32);
    return dt_compiler_name_push(c, (dt_folded_name){dt_name_hash(text), text});
}

int dt_compiler_id_add(dt_compiler *c, char const *id, char const *name)
{
    char both[DT_GROUP_ID_MAX + DT_GROUP_NAME_MAX];
    char *text;
    dt_buf b;

    dt_buf_init_fixed(&b, both, sizeof(both));
    dt_buf_put(&b, id, strlen(id) + 1);
    dt_buf_put(&b, name, strlen(name) + 1);
    if (dt_buf_error(&b) < 0)
        return dt_json_reader_fail(&c->r, "is too long");
    text = keep_bytes(c->p, both, b.len);
    if (text == NULL)
        return dt_compiler_nomem(c);
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

int dt_compiler_list_end(dt_compiler *c, dt_name_list *out)
{
    char const *twice;

    out->count = (uint32_t)(c->p->name_count - out->first);
    twice = dt_compiler_list_sort(c->p, *out);
    if (twice == NULL)
        return DT_OK;
    return dt_json_reader_fail(&c->r, "\"%.80s\" occurs twice",
                               twice + (dt_group_is_id(twice) ? 1 : 0));
}

/* --- conditions: people ------------------------------------------------------------------------ */

static bool is_pattern(char const *name)
{
    return strpbrk(name, "*?") != NULL;
}

static int pattern_check(dt_compiler *c, char const *name, size_t count)
{
    if (strspn(name, "*") == strlen(name))
        return dt_json_reader_fail(&c->r, "\"*\" matches everybody: omit the list");
    if (count == DT_POLICY_PATTERNS_MAX)
        return dt_json_reader_fail(&c->r, "more than %d patterns", DT_POLICY_PATTERNS_MAX);
    return DT_OK;
}

/* {"id","name"}: a group of Okta by what it is; the name is for people. */
static int group_take(dt_compiler *c, dt_json const *v)
{
    static dt_json_field const fields[] = {{"id", true}, {"name", false}, {NULL, false}};
    char const *id = NULL, *name = "";
    char group[DT_GROUP_ID_MAX];
    size_t mark;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc != DT_OK)
        return rc;
    mark = dt_json_reader_enter(&c->r, "id");
    rc = dt_json_reader_text(&c->r, dt_json_get(v, "id"), DT_GROUP_NAME_MAX, &id);
    if (rc == DT_OK && !dt_group_of_id(id, group))
        rc = dt_json_reader_fail(&c->r, "is not an Okta group id");
    dt_json_reader_leave(&c->r, mark);
    if (rc == DT_OK && dt_json_get(v, "name") != NULL) {
        mark = dt_json_reader_enter(&c->r, "name");
        rc = dt_json_reader_text(&c->r, dt_json_get(v, "name"), DT_GROUP_NAME_MAX, &name);
        dt_json_reader_leave(&c->r, mark);
    }
    return rc == DT_OK ? dt_compiler_id_add(c, group, name) : rc;
}

/* Takes the list's names and ids, or its patterns: each of the two is to lie together. */
static int names_take(dt_compiler *c, dt_json const *v, bool groups, bool patterns,
                      dt_name_list *out)
{
    int rc = DT_OK;

    out->first = (uint32_t)c->p->name_count;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        char const *name = NULL;
        if (groups && dt_json_typeof(dt_json_at(v, i)) == DT_JSON_OBJECT) {
            rc = patterns ? DT_OK : group_take(c, dt_json_at(v, i));
            dt_json_reader_leave(&c->r, mark);
            continue;
        }
        rc = dt_json_reader_text(&c->r, dt_json_at(v, i), DT_GROUP_NAME_MAX, &name);
        if (rc == DT_OK && is_pattern(name) == patterns) {
            if (patterns)
                rc = pattern_check(c, name, c->p->name_count - out->first);
            if (rc == DT_OK)
                rc = dt_compiler_name_add(c, name);
        }
        dt_json_reader_leave(&c->r, mark);
    }
    return rc == DT_OK ? dt_compiler_list_end(c, out) : rc;
}

static int names_parse(dt_compiler *c, dt_json const *v, bool groups, dt_name_list *names,
                       dt_name_list *patterns, bool include)
{
    int rc = dt_json_reader_array(&c->r, v, 0, DT_POLICY_LIST_MAX);

    if (rc == DT_OK && include && dt_json_size(v) == 0)
        return dt_json_reader_fail(&c->r,
                                   "is empty and would match nobody: omit it to match everybody");
    if (rc == DT_OK)
        rc = names_take(c, v, groups, false, names);
    return rc == DT_OK ? names_take(c, v, groups, true, patterns) : rc;
}

/* {"include":[...],"exclude":[...]}; lists: names and patterns of include, then of exclude. */
static int name_lists_parse(dt_compiler *c, dt_json const *v, bool groups,
                            dt_name_list *const lists[4])
{
    static dt_json_field const fields[] = {{"include", false}, {"exclude", false}, {NULL, false}};
    int rc = dt_json_reader_object(&c->r, v, fields);

    for (size_t i = 0; rc == DT_OK && i < 2; i++) {
        dt_json const *list = dt_json_get(v, fields[i].name);
        if (list == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = names_parse(c, list, groups, lists[2 * i], lists[2 * i + 1], i == 0);
        dt_json_reader_leave(&c->r, mark);
    }
    return rc;
}

static int groups_within(dt_compiler *c, dt_rule *rule)
{
    int rc = dt_compiler_groups_within(c, &rule->groups_include, rule->groups_like);

    return rc == DT_OK ? dt_compiler_groups_within(c, &rule->groups_exclude, rule->groups_unlike)
                       : rc;
}

static int people_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"users", false}, {"groups", false}, {NULL, false}};
    dt_name_list *const lists[2][4] = {
        {&rule->users_include, &rule->users_like, &rule->users_exclude, &rule->users_unlike},
        {&rule->groups_include, &rule->groups_like, &rule->groups_exclude, &rule->groups_unlike}};
    int rc = dt_json_reader_object(&c->r, v, fields);

    for (size_t i = 0; rc == DT_OK && i < 2; i++) {
        dt_json const *part = dt_json_get(v, fields[i].name);
        if (part == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = name_lists_parse(c, part, i == 1, lists[i]);
        if (rc == DT_OK && i == 1)
            rc = groups_within(c, rule);
        dt_json_reader_leave(&c->r, mark);
    }
    for (size_t i = 0; i < 8; i++)
        rule->anyone = rule->anyone && lists[i / 4][i % 4]->count == 0;
    return rc;
}

/* --- conditions: network ----------------------------------------------------------------------- */

static int zone_id_push(dt_compiler *c, size_t id, dt_name_list *out)
{
    dt_policy *p = c->p;
    void *ids = p->zone_ids;
    int rc = dt_compiler_grow(c, &ids, p->zone_id_count, &c->zone_ids_cap, sizeof(*p->zone_ids));

    p->zone_ids = ids;
    if (rc != DT_OK)
        return rc;
    for (uint32_t i = 0; i < out->count; i++)
        if (p->zone_ids[out->first + i] == id)
            return dt_json_reader_fail(&c->r, "zone \"%.80s\" occurs twice",
                                       p->zones->zones[id].name);
    p->zone_ids[p->zone_id_count++] = (uint16_t)id;
    out->count++;
    return DT_OK;
}

static int all_zones_add(dt_compiler *c, size_t of, dt_name_list *out)
{
    dt_zones const *zones = c->p->zones;
    int rc = DT_OK;

    if (of != 1)
        return dt_json_reader_fail(&c->r, DT_ALL_ZONES " must be the only element");
    if (zones == NULL || zones->rule_zones == 0)
        return dt_json_reader_fail(&c->r, DT_ALL_ZONES ", but no ACTIVE zone is defined");
    for (size_t i = 0; rc == DT_OK && i < zones->count; i++)
        if (zones->zones[i].active && !zones->zones[i].blocklist)
            rc = zone_id_push(c, i, out);
    return rc;
}

static int zone_add(dt_compiler *c, dt_json const *v, size_t of, dt_name_list *out)
{
    dt_zones const *zones = c->p->zones;
    char const *name = NULL;
    int index, rc = dt_json_reader_text(&c->r, v, DT_POLICY_NAME_MAX, &name);

    if (rc != DT_OK)
        return rc;
    if (strcmp(name, DT_ALL_ZONES) == 0)
        return all_zones_add(c, of, out);
    index = dt_zones_find(zones, name);
    if (index < 0)
        return dt_json_reader_fail(&c->r, "no zone \"%.80s\" is defined in the zones file", name);
    if (!zones->zones[index].active)
        return dt_json_reader_fail(&c->r, "zone \"%.80s\" is INACTIVE", name);
    if (zones->zones[index].blocklist)
        return dt_json_reader_fail(
            &c->r, "zone \"%.80s\" is a BLOCKLIST: it denies before any rule", name);
    return zone_id_push(c, (size_t)index, out);
}

static int zones_parse(dt_compiler *c, dt_json const *v, char const *member, dt_name_list *out)
{
    dt_json const *list = dt_json_get(v, member);
    size_t mark, before = dt_json_reader_faults(&c->r);
    int rc;

    if (list == NULL || c->r.source.no_zones)
        return DT_OK;
    mark = dt_json_reader_enter(&c->r, member);
    rc = dt_json_reader_array(&c->r, list, strcmp(member, "include") == 0, DT_ZONES_MAX);
    out->first = (uint32_t)c->p->zone_id_count;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        size_t element = dt_json_reader_enter_at(&c->r, i);
        rc = dt_json_reader_keep(&c->r, element,
                                 zone_add(c, dt_json_at(list, i), dt_json_size(list), out));
    }
    return dt_json_reader_end(&c->r, before, dt_json_reader_keep(&c->r, mark, rc));
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
    named = rule->zones_include.count != 0 || rule->zones_exclude.count != 0;
    if (c->r.source.no_zones)
        named = zone;
    if (zone && !named)
        return dt_json_reader_fail(&c->r, "ZONE needs a zone in include or exclude");
    if (!zone && named)
        return dt_json_reader_fail(&c->r, "ANYWHERE cannot have include or exclude");
    rule->in_zone = zone;
    return DT_OK;
}

/* --- conditions: platform ---------------------------------------------------------------------- */

static dt_config_word const platform_types[] = {
    {"ANY", DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE},
    {"DESKTOP", DT_PLATFORM_ANY_DESKTOP},
    {"MOBILE", DT_PLATFORM_ANY_MOBILE},
    {NULL, 0}};

static dt_config_word const os_types[] = {{"ANY", DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE},
                                          {"WINDOWS", DT_PLATFORM_WINDOWS},
                                          {"MACOS", DT_PLATFORM_MACOS},
                                          {"LINUX", DT_PLATFORM_LINUX},
                                          {"CHROMEOS", DT_PLATFORM_CHROMEOS},
                                          {"IOS", DT_PLATFORM_IOS},
                                          {"ANDROID", DT_PLATFORM_ANDROID},
                                          {"OTHER", DT_PLATFORM_OTHER_OF_OKTA},
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
        return dt_json_reader_fail(&c->r, "unknown operating system for this type");
    *out |= (unsigned)(type & bits);
    return DT_OK;
}

static int platforms_parse(dt_compiler *c, dt_json const *v, char const *member, unsigned *out)
{
    dt_json const *list = dt_json_get(v, member);
    size_t mark = dt_json_reader_enter(&c->r, member);
    size_t min = strcmp(member, "include") == 0;
    int rc = list == NULL ? DT_OK : dt_json_reader_array(&c->r, list, min, DT_PLATFORMS_MAX);

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
        return dt_json_reader_fail(&c->r, "no platform is left: exclude covers all of include");
    rule->platforms = (uint8_t)(include & ~exclude);
    return DT_OK;
}

/* --- conditions: device ------------------------------------------------------------------------ */

bool dt_policy_reason_fits(dt_reason r, bool trusted)
{
    if (r == DT_REASON_TRUSTED)
        return trusted;
    return !trusted || r == DT_REASON_STALE || r == DT_REASON_IN_GRACE_PERIOD;
}

static int reason_parse(dt_compiler *c, dt_json const *v, bool trusted, uint64_t *out)
{
    char const *text = NULL;
    int rc = dt_json_reader_text(&c->r, v, DT_POLICY_NAME_MAX, &text);

    if (rc != DT_OK)
        return rc;
    for (int i = DT_REASON_NONE + 1; i < DT_REASON_COUNT; i++) {
        uint64_t bit = UINT64_C(1) << (i + (trusted ? DT_DEVICE_TRUSTED_SHIFT : 0));
        if (strcmp(text, dt_reason_name((dt_reason)i)) != 0)
            continue;
        if (!dt_policy_reason_fits((dt_reason)i, trusted))
            return dt_json_reader_fail(&c->r, "%s is not a reason for a device to be %s", text,
                                       trusted ? "TRUSTED" : "NOT_TRUSTED");
        if ((*out & bit) != 0)
            return dt_json_reader_fail(&c->r, "this reason occurs twice");
        *out |= bit;
        return DT_OK;
    }
    return dt_json_reader_fail(&c->r, "unknown reason \"%.80s\"; see devtrust-policy(5)", text);
}

static int reasons_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    bool trusted = rule->devices == DT_DEVICES_TRUSTED;
    uint64_t devices = 0;
    int rc = dt_json_reader_array(&c->r, v, 1, DT_REASON_COUNT);

    if (rule->devices == DT_DEVICES_ANY)
        return dt_json_reader_fail(&c->r, "go with TRUSTED or NOT_TRUSTED");
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        rc = reason_parse(c, dt_json_at(v, i), trusted, &devices);
        dt_json_reader_leave(&c->r, mark);
    }
    rule->devices = devices;
    return rc;
}

static int device_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"trust", true}, {"reasons", false}, {NULL, false}};
    static dt_config_word const words[] = {
        {"ANY", 0}, {"TRUSTED", 1}, {"NOT_TRUSTED", 2}, {NULL, 0}};
    static uint64_t const states[] = {DT_DEVICES_ANY, DT_DEVICES_TRUSTED, DT_DEVICES_NOT_TRUSTED};
    dt_json const *reasons = dt_json_get(v, "reasons");
    int trust = 0;
    size_t mark;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "trust", words, &trust);
    rule->devices = states[trust];
    if (rc != DT_OK || reasons == NULL)
        return rc;
    mark = dt_json_reader_enter(&c->r, "reasons");
    rc = reasons_parse(c, reasons, rule);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

/* --- conditions: time -------------------------------------------------------------------------- */

static int span_push(dt_compiler *c, int begin, int end, dt_name_list *out)
{
    dt_policy *p = c->p;
    void *spans = p->spans;
    int rc = dt_compiler_grow(c, &spans, p->span_count, &c->spans_cap, sizeof(*p->spans));

    p->spans = spans;
    if (rc != DT_OK)
        return rc;
    p->spans[p->span_count++] = (dt_time_span){(uint16_t)begin, (uint16_t)end};
    out->count++;
    return DT_OK;
}

/* "08:30" as minutes of the day, "24:00" included. */
static int clock_parse(dt_compiler *c, dt_json const *v, char const *member, int *out)
{
    dt_json const *m = dt_json_get(v, member);
    char const *s = dt_json_string(m);
    size_t mark;
    int rc = DT_OK;

    if (m == NULL)
        return DT_OK;
    mark = dt_json_reader_enter(&c->r, member);
    if (s == NULL || strlen(s) != 5 || strspn(s, "0123456789") != 2 || s[2] != ':' ||
        strspn(s + 3, "0123456789") != 2) {
        rc = dt_json_reader_fail(&c->r, "must be hours and minutes, such as \"08:30\"");
    } else {
        int hours = (s[0] - '0') * 10 + s[1] - '0', minutes = (s[3] - '0') * 10 + s[4] - '0';
        *out = hours * 60 + minutes;
        if (minutes > 59 || *out > DT_MINUTES_OF_DAY)
            rc = dt_json_reader_fail(&c->r, "must be from \"00:00\" to \"24:00\"");
    }
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

/* Days as bits, Monday first; without the member every day. */
static int days_parse(dt_compiler *c, dt_json const *v, unsigned *out)
{
    static dt_config_word const words[] = {{"MONDAY", 0},   {"TUESDAY", 1}, {"WEDNESDAY", 2},
                                           {"THURSDAY", 3}, {"FRIDAY", 4},  {"SATURDAY", 5},
                                           {"SUNDAY", 6},   {NULL, 0}};
    dt_json const *list = dt_json_get(v, "days");
    size_t mark;
    int rc;

    *out = (1u << DT_DAYS_OF_WEEK) - 1;
    if (list == NULL)
        return DT_OK;
    *out = 0;
    mark = dt_json_reader_enter(&c->r, "days");
    rc = dt_json_reader_array(&c->r, list, 1, DT_DAYS_OF_WEEK);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        size_t element = dt_json_reader_enter_at(&c->r, i);
        int day = 0;
        rc = dt_json_reader_word(&c->r, dt_json_at(list, i), words, &day);
        if (rc == DT_OK && (*out >> day & 1) != 0)
            rc = dt_json_reader_fail(&c->r, "this day occurs twice");
        *out |= 1u << day;
        dt_json_reader_leave(&c->r, element);
    }
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

/* A span that ends before it begins goes on after midnight, and belongs to the day it begins on. */
static int spans_push(dt_compiler *c, unsigned days, int from, int to, dt_name_list *out)
{
    int length = to > from ? to - from : to - from + DT_MINUTES_OF_DAY;
    int rc = DT_OK;

    for (int day = 0; rc == DT_OK && day < DT_DAYS_OF_WEEK; day++) {
        int begin = day * DT_MINUTES_OF_DAY + from, end = begin + length;
        if ((days >> day & 1) == 0)
            continue;
        rc = span_push(c, begin, end < DT_MINUTES_OF_WEEK ? end : DT_MINUTES_OF_WEEK, out);
        if (rc == DT_OK && end > DT_MINUTES_OF_WEEK) /* from Sunday into Monday */
            rc = span_push(c, 0, end - DT_MINUTES_OF_WEEK, out);
    }
    return rc;
}

static int span_parse(dt_compiler *c, dt_json const *v, dt_name_list *out)
{
    static dt_json_field const fields[] = {
        {"days", false}, {"from", false}, {"to", false}, {NULL, false}};
    int from = 0, to = DT_MINUTES_OF_DAY;
    unsigned days = 0;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK && dt_json_size(v) == 0)
        return dt_json_reader_fail(&c->r, "needs days, from or to");
    if (rc == DT_OK)
        rc = days_parse(c, v, &days);
    if (rc == DT_OK)
        rc = clock_parse(c, v, "from", &from);
    if (rc == DT_OK)
        rc = clock_parse(c, v, "to", &to);
    if (rc != DT_OK)
        return rc;
    if (from == DT_MINUTES_OF_DAY || to == 0 || from == to)
        return dt_json_reader_fail(&c->r, "from and to must be different times, from before "
                                          "\"24:00\" and to after \"00:00\"");
    return spans_push(c, days, from, to, out);
}

static int spans_parse(dt_compiler *c, dt_json const *v, char const *member, dt_name_list *out)
{
    dt_json const *list = dt_json_get(v, member);
    size_t mark;
    int rc;

    if (list == NULL)
        return DT_OK;
    mark = dt_json_reader_enter(&c->r, member);
    rc = dt_json_reader_array(&c->r, list, 1, DT_POLICY_SPANS_MAX);
    out->first = (uint32_t)c->p->span_count;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        size_t element = dt_json_reader_enter_at(&c->r, i);
        rc = span_parse(c, dt_json_at(list, i), out);
        dt_json_reader_leave(&c->r, element);
    }
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int time_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {
        {"zone", true}, {"include", false}, {"exclude", false}, {NULL, false}};
    static dt_config_word const words[] = {{"LOCAL", 0}, {"UTC", 1}, {NULL, 0}};
    int utc = 0;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "zone", words, &utc);
    if (rc == DT_OK)
        rc = spans_parse(c, v, "include", &rule->spans_include);
    if (rc == DT_OK)
        rc = spans_parse(c, v, "exclude", &rule->spans_exclude);
    if (rc == DT_OK && rule->spans_include.count + rule->spans_exclude.count == 0)
        rc = dt_json_reader_fail(&c->r, "needs include or exclude");
    rule->utc = utc;
    return rc;
}

/* --- all of them ------------------------------------------------------------------------------- */

static dt_json_field const condition_fields[] = {{"people", false},   {"network", false},
                                                 {"platform", false}, {"device", false},
                                                 {"time", false},     {NULL, false}};

int dt_compiler_condition_parse(dt_compiler *c, char const *member, dt_json const *v, dt_rule *rule)
{
    static int (*const parsers[])(dt_compiler *, dt_json const *, dt_rule *) = {
        people_parse, network_parse, platform_parse, device_parse, time_parse};
    size_t i = 0, mark;
    int rc;

    while (condition_fields[i].name != NULL && strcmp(condition_fields[i].name, member) != 0)
        i++;
    if (condition_fields[i].name == NULL)
        return dt_json_reader_fail(&c->r, "\"%.80s\" is not a condition", member);
    mark = dt_json_reader_enter(&c->r, member);
    rc = parsers[i](c, v, rule);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

int dt_rule_conditions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    size_t before = dt_json_reader_faults(&c->r);
    int rc;

    rule->anyone = true;
    rule->platforms = DT_PLATFORMS_ANY;
    rule->devices = DT_DEVICES_ANY;
    rule->catch_all = dt_json_typeof(v) == DT_JSON_NULL ||
                      (dt_json_typeof(v) == DT_JSON_OBJECT && dt_json_size(v) == 0);
    if (rule->catch_all)
        return DT_OK;
    rc = dt_json_reader_object(&c->r, v, condition_fields);
    for (size_t i = 0; rc == DT_OK && condition_fields[i].name != NULL; i++) {
        dt_json const *part = dt_json_get(v, condition_fields[i].name);
        if (part != NULL)
            rc = dt_json_reader_keep(
                &c->r, c->r.len,
                dt_compiler_condition_parse(c, condition_fields[i].name, part, rule));
    }
    return dt_json_reader_end(&c->r, before, rc);
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
    size_t before = dt_json_reader_faults(&c->r);
    int rc = DT_OK;

    rule->anyone = true;
    rule->platforms = DT_PLATFORMS_ANY;
    rule->devices = DT_DEVICES_ANY;
    if (dt_json_typeof(v) != DT_JSON_NULL)
        rc = dt_json_reader_object(&c->r, v, fields);
    for (size_t i = 0; rc == DT_OK && fields[i].name != NULL; i++) {
        dt_json const *part = dt_json_get(v, fields[i].name);
        if (part == NULL)
            continue;
        size_t mark = dt_json_reader_enter(&c->r, fields[i].name);
        rc = dt_json_reader_keep(&c->r, mark, parsers[i](c, part, rule));
    }
    rc = dt_json_reader_end(&c->r, before, rc);
    rule->catch_all = rc == DT_OK && rule->active && dt_rule_is_unconditional(rule);
    return rc;
}

bool dt_rule_is_unconditional(dt_rule const *r)
{
    return r->anyone && !r->in_zone && r->platforms == DT_PLATFORMS_ANY &&
           r->devices == DT_DEVICES_ANY && r->spans_include.count == 0 &&
           r->spans_exclude.count == 0;
}
