/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiling a policy: from the JSON tree to flat arrays that are quick to walk. Everything that can
 * be wrong with a policy is found here, when it is loaded, and nothing at a sign-on. */
#include "core/json_reader.h"
#include "core/outcome.h"
#include "core/policy_rules.h"

#include <stdlib.h>
#include <string.h>

#define DT_TEXT_BLOCK (64 * 1024) /* bytes of one allocation for strings */
#define DT_PLATFORMS_MAX 16       /* members of one list of platforms */
#define DT_FACTOR_WORDS 32        /* bits of dt_factor_type */
#define DT_NAMES_FIRST_CAP 64     /* names of the first allocation */
#define DT_ALL_ZONES "ALL_ZONES"

typedef struct dt_compiler {
    dt_json_reader r;
    dt_policy *p;
    size_t names_cap;
} dt_compiler;

static int fail_nomem(dt_compiler *c)
{
    return dt_json_reader_nomem(&c->r);
}

/* --- strings and names ------------------------------------------------------------------------- */

/* Keeps a copy for the life of the policy; NULL when memory is out. */
static char *text_keep(dt_policy *p, char const *s)
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

static int name_push(dt_compiler *c, dt_folded_name name)
{
    dt_policy *p = c->p;

    if (p->name_count == c->names_cap) {
        size_t cap = c->names_cap == 0 ? DT_NAMES_FIRST_CAP : c->names_cap * 2;
        dt_folded_name *names = realloc(p->names, cap * sizeof(*names));
        if (names == NULL)
            return fail_nomem(c);
        p->names = names;
        c->names_cap = cap;
    }
    p->names[p->name_count++] = name;
    return DT_OK;
}

static int name_add(dt_compiler *c, char const *s)
{
    char *text = text_keep(c->p, s);
    if (text == NULL)
        return fail_nomem(c);
    for (char *t = text; *t != '\0'; t++)
        if (*t >= 'A' && *t <= 'Z')
            *t = (char)(*t + 32);
    return name_push(c, (dt_folded_name){dt_name_hash(text), text});
}

static int name_compare(void const *a, void const *b)
{
    dt_folded_name const *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return strcmp(x->text, y->text);
}

/* Sorts the list and looks for a name that is there twice; NULL when there is none. */
static char const *list_sort(dt_policy *p, dt_name_list list)
{
    dt_folded_name *names;

    if (list.count < 2)
        return NULL;
    names = p->names + list.first;
    qsort(names, list.count, sizeof(*names), name_compare);
    for (uint32_t i = 1; i < list.count; i++)
        if (name_compare(&names[i - 1], &names[i]) == 0)
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
    twice = list_sort(c->p, *out);
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

static int conditions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
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

static bool rule_is_unconditional(dt_rule const *r)
{
    return r->anyone && !r->in_zone && r->any_client && r->device == DT_DEVICE_ANY;
}

/* --- actions ----------------------------------------------------------------------------------- */

static int factors_parse(dt_compiler *c, dt_json const *v, unsigned *out)
{
    dt_config_word words[DT_FACTOR_WORDS + 1] = {{NULL, 0}};
    size_t n = 0;
    int rc;

    for (unsigned bit = 0; bit < DT_FACTOR_WORDS - 1; bit++) {
        char const *name = dt_factor_name((dt_factor_type)(1 << bit));
        if (name != NULL)
            words[n++] = (dt_config_word){name, 1 << bit};
    }
    rc = dt_json_reader_array(&c->r, v, 1, n);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        int factor = DT_FACTOR_NONE;
        rc = dt_json_reader_word(&c->r, dt_json_at(v, i), words, &factor);
        if (rc == DT_OK && (*out & (unsigned)factor) != 0)
            rc = dt_json_reader_fail(&c->r, "this factor is there twice");
        *out |= (unsigned)factor;
        dt_json_reader_leave(&c->r, mark);
    }
    return rc;
}

static int prompt_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"frequency", true}, {"factors", false}, {NULL, false}};
    dt_json const *factors = dt_json_get(v, "factors");
    int frequency = DT_FREQUENCY_EVERY_SIGN_ON;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "frequency", dt_frequency_words, &frequency);
    if (rc != DT_OK)
        return rc;
    rule->frequency = (uint8_t)frequency;
    rule->access = DT_ACCESS_ALLOW_AFTER_MFA;
    rule->factors = factors == NULL ? DT_FACTOR_ALL : 0;
    if (factors != NULL) {
        size_t mark = dt_json_reader_enter(&c->r, "factors");
        rc = factors_parse(c, factors, &rule->factors);
        dt_json_reader_leave(&c->r, mark);
    }
    return rc;
}

static int sign_on_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {
        {"access", true}, {"promptForFactor", false}, {NULL, false}};
    static dt_config_word const words[] = {
        {"ALLOW", DT_ACCESS_ALLOW}, {"DENY", DT_ACCESS_DENY}, {NULL, 0}};
    dt_json const *prompt = dt_json_get(v, "promptForFactor");
    int access = DT_ACCESS_DENY;
    size_t mark;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "access", words, &access);
    if (rc != DT_OK)
        return rc;
    rule->access = (uint8_t)access;
    if (prompt == NULL)
        return DT_OK;
    mark = dt_json_reader_enter(&c->r, "promptForFactor");
    if (access == DT_ACCESS_DENY)
        rc = dt_json_reader_fail(&c->r, "a rule that denies asks for no factor");
    else
        rc = prompt_parse(c, prompt, rule);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int actions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"appSignOn", true}, {NULL, false}};
    size_t mark;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc != DT_OK)
        return rc;
    mark = dt_json_reader_enter(&c->r, "appSignOn");
    rc = sign_on_parse(c, dt_json_get(v, "appSignOn"), rule);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

/* --- rules ------------------------------------------------------------------------------------- */

static int priority_parse(dt_compiler *c, dt_json const *v, int *out)
{
    size_t mark = dt_json_reader_enter(&c->r, "priority");
    int64_t n = 0;
    int rc = DT_OK;

    if (!dt_json_integer(v, &n) || n < 0 || n > DT_PRIORITY_MAX)
        rc = dt_json_reader_fail(&c->r, "must be an integer from 0 (first) to %d", DT_PRIORITY_MAX);
    *out = (int)n;
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

/* Name, status and priority. */
static int rule_head_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_config_word const words[] = {{"ACTIVE", 1}, {"INACTIVE", 0}, {NULL, 0}};
    char const *name = NULL;
    int active = 0;
    int rc = dt_json_reader_member_text(&c->r, v, "name", DT_POLICY_NAME_MAX, &name);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "status", words, &active);
    if (rc == DT_OK)
        rc = priority_parse(c, dt_json_get(v, "priority"), &rule->priority);
    if (rc != DT_OK)
        return rc;
    rule->active = active;
    rule->name = text_keep(c->p, name);
    return rule->name == NULL ? fail_nomem(c) : DT_OK;
}

static int rule_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"name", true},    {"priority", true},
                                           {"status", true},  {"conditions", true},
                                           {"actions", true}, {NULL, false}};
    size_t mark;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = rule_head_parse(c, v, rule);
    if (rc != DT_OK)
        return rc;
    mark = dt_json_reader_enter(&c->r, "conditions");
    rc = conditions_parse(c, dt_json_get(v, "conditions"), rule);
    dt_json_reader_leave(&c->r, mark);
    if (rc != DT_OK)
        return rc;
    mark = dt_json_reader_enter(&c->r, "actions");
    rc = actions_parse(c, dt_json_get(v, "actions"), rule);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static int rules_parse(dt_compiler *c, dt_json const *v)
{
    dt_policy *p = c->p;
    int rc = dt_json_reader_array(&c->r, v, 1, DT_POLICY_RULES_MAX);

    if (rc != DT_OK)
        return rc;
    p->rules = calloc(dt_json_size(v), sizeof(*p->rules));
    if (p->rules == NULL)
        return fail_nomem(c);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        p->rules[i].origin = (uint32_t)i;
        rc = rule_parse(c, dt_json_at(v, i), &p->rules[i]);
        dt_json_reader_leave(&c->r, mark);
        p->rule_count = i + 1;
    }
    return rc;
}

/* --- rules among each other -------------------------------------------------------------------- */

static int rule_compare_name(void const *a, void const *b)
{
    return strcmp(((dt_rule const *)a)->name, ((dt_rule const *)b)->name);
}

static int rule_compare_priority(void const *a, void const *b)
{
    int x = ((dt_rule const *)a)->priority, y = ((dt_rule const *)b)->priority;
    return x < y ? -1 : x > y;
}

/* Sorts the rules and refuses two that are equal. */
static int rules_sort(dt_compiler *c, int (*compare)(void const *, void const *), char const *what)
{
    dt_rule *rules = c->p->rules;

    qsort(rules, c->p->rule_count, sizeof(*rules), compare);
    for (size_t i = 1; i < c->p->rule_count; i++) {
        if (compare(&rules[i - 1], &rules[i]) != 0)
            continue;
        (void)dt_json_reader_enter_at(&c->r, rules[i].origin);
        return dt_json_reader_fail(&c->r, "rule %u has the same %s", (unsigned)rules[i - 1].origin,
                                   what);
    }
    return DT_OK;
}

/* The last rule is the catch-all, and no rule stands behind one that always holds. */
static int catch_all_check(dt_compiler *c)
{
    dt_policy const *p = c->p;
    dt_rule const *last = &p->rules[p->rule_count - 1];

    for (dt_rule const *r = p->rules; r < last; r++) {
        if (!r->catch_all && !(r->active && rule_is_unconditional(r)))
            continue;
        (void)dt_json_reader_enter_at(&c->r, r->origin);
        (void)dt_json_reader_enter(&c->r, "conditions");
        return dt_json_reader_fail(&c->r, "these always hold, so no rule behind is ever reached: "
                                          "only the last rule by priority may be so");
    }
    if (last->active && last->catch_all)
        return DT_OK;
    (void)dt_json_reader_enter_at(&c->r, last->origin);
    return dt_json_reader_fail(&c->r, "the last rule by priority must be the catch-all: status "
                                      "ACTIVE, conditions null or {}");
}

/* Collects the groups that ACTIVE rules name, each once, for dt_policy_names_group. */
static int all_groups_collect(dt_compiler *c)
{
    dt_policy *p = c->p;
    dt_name_list all = {(uint32_t)p->name_count, 0};
    size_t kept = 0;

    for (size_t i = 0; i < p->rule_count; i++) {
        dt_rule const *r = &p->rules[i];
        dt_name_list const lists[] = {r->groups_include, r->groups_exclude};
        for (size_t k = 0; r->active && k < 2; k++) {
            for (uint32_t n = 0; n < lists[k].count; n++) {
                int rc = name_push(c, p->names[lists[k].first + n]);
                if (rc != DT_OK)
                    return rc;
            }
        }
    }
    all.count = (uint32_t)(p->name_count - all.first);
    (void)list_sort(p, all);
    for (size_t i = 0; i < all.count; i++) {
        dt_folded_name *names = p->names + all.first;
        if (kept == 0 || name_compare(&names[kept - 1], &names[i]) != 0)
            names[kept++] = names[i];
    }
    all.count = (uint32_t)kept;
    p->name_count = all.first + kept;
    p->all_groups = all;
    return DT_OK;
}

static int rules_check(dt_compiler *c)
{
    int rc = rules_sort(c, rule_compare_name, "name");
    if (rc == DT_OK)
        rc = rules_sort(c, rule_compare_priority, "priority");
    if (rc == DT_OK)
        rc = catch_all_check(c);
    return rc == DT_OK ? all_groups_collect(c) : rc;
}

/* --- the whole --------------------------------------------------------------------------------- */

/* The application is a PAM service's name or the like, and the policy's file is named after it. */
static int application_set(dt_compiler *c, char const *name)
{
    size_t mark = dt_json_reader_enter(&c->r, "application");
    size_t n = 0;

    for (; name[n] != '\0'; n++) {
        bool word = (name[n] >= 'a' && name[n] <= 'z') || (name[n] >= 'A' && name[n] <= 'Z') ||
                    (name[n] >= '0' && name[n] <= '9') || name[n] == '_';
        if (!word && (n == 0 || (name[n] != '.' && name[n] != '-')))
            return dt_json_reader_fail(&c->r, "must be letters, digits, \"_\", and behind the "
                                              "first \".\" and \"-\"");
    }
    dt_json_reader_leave(&c->r, mark);
    return dt_str_copy(c->p->application, sizeof(c->p->application), name);
}

static int root_parse(dt_compiler *c, dt_json const *root)
{
    static dt_json_field const fields[] = {
        {"$schema", false}, {"name", true}, {"application", true}, {"rules", true}, {NULL, false}};
    char const *schema = NULL, *name = NULL, *application = "";
    int rc = dt_json_reader_object(&c->r, root, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&c->r, root, "$schema", DT_POLICY_NAME_MAX, &schema);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&c->r, root, "name", DT_POLICY_NAME_MAX, &name);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&c->r, root, "application", DT_APPLICATION_MAX,
                                        &application);
    if (rc == DT_OK)
        rc = application_set(c, application);
    if (rc != DT_OK)
        return rc;
    (void)dt_json_reader_enter(&c->r, "rules");
    rc = rules_parse(c, dt_json_get(root, "rules"));
    return rc == DT_OK ? rules_check(c) : rc;
}

int dt_policy_parse(dt_json const *root, char const *file, dt_zones const *zones, dt_policy **out,
                    dt_error *e)
{
    dt_compiler c = {.p = calloc(1, sizeof(dt_policy))};
    int rc;

    *out = NULL;
    dt_json_reader_init(&c.r, file, e);
    if (c.p == NULL)
        return fail_nomem(&c);
    c.p->zones = zones;
    rc = root_parse(&c, root);
    if (rc == DT_OK) {
        *out = c.p;
        c.p = NULL;
    }
    dt_policy_free(&c.p);
    return rc;
}

void dt_policy_free(dt_policy **p)
{
    if (p == NULL || *p == NULL)
        return;
    for (dt_text_block *b = (*p)->text; b != NULL;) {
        dt_text_block *next = b->next;
        free(b);
        b = next;
    }
    free((*p)->rules);
    free((*p)->names);
    free(*p);
    *p = NULL;
}
