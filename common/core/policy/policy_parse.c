/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiling a policy: from the JSON tree to flat arrays that are quick to walk. Everything that can
 * be wrong with a policy is found here, when it is loaded, and nothing at a sign-on. */
#include "core/policy/policy_compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    size_t at = c->r.len, before = dt_json_reader_faults(&c->r);
    dt_json const *priority = dt_json_get(v, "priority");
    char const *name = NULL;
    int active = 0;
    int rc = dt_json_reader_member_text(&c->r, v, "name", DT_POLICY_NAME_MAX, &name);

    rc = dt_json_reader_keep(&c->r, at, rc);
    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "status", words, &active);
    rc = dt_json_reader_keep(&c->r, at, rc);
    if (rc == DT_OK && priority != NULL)
        rc = priority_parse(c, priority, &rule->priority);
    rc = dt_json_reader_end(&c->r, before, dt_json_reader_keep(&c->r, at, rc));
    if (rc != DT_OK || name == NULL)
        return rc;
    rule->active = active;
    rule->name = dt_compiler_keep(c->p, name);
    return rule->name == NULL ? dt_compiler_nomem(c) : DT_OK;
}

/* Conditions and actions, where they are there. */
static int rule_body_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    dt_json const *conditions = dt_json_get(v, "conditions"), *actions = dt_json_get(v, "actions");
    size_t mark, before = dt_json_reader_faults(&c->r);
    int rc = DT_OK;

    if (conditions != NULL) {
        mark = dt_json_reader_enter(&c->r, "conditions");
        rc = (c->org ? dt_org_conditions_parse : dt_rule_conditions_parse)(c, conditions, rule);
        rc = dt_json_reader_keep(&c->r, mark, rc);
    }
    if (rc == DT_OK && actions != NULL) {
        mark = dt_json_reader_enter(&c->r, "actions");
        rc = (c->org ? dt_org_actions_parse : dt_rule_actions_parse)(c, actions, rule);
        rc = dt_json_reader_keep(&c->r, mark, rc);
    }
    return dt_json_reader_end(&c->r, before, rc);
}

static int rule_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"name", true},    {"priority", true},
                                           {"status", true},  {"conditions", true},
                                           {"actions", true}, {NULL, false}};
    size_t at = c->r.len, before = dt_json_reader_faults(&c->r);
    int rc = dt_json_reader_keep(&c->r, at, dt_json_reader_object(&c->r, v, fields));

    if (rc == DT_OK && dt_json_typeof(v) == DT_JSON_OBJECT)
        rc = dt_json_reader_keep(&c->r, at, rule_head_parse(c, v, rule));
    if (rc == DT_OK && dt_json_typeof(v) == DT_JSON_OBJECT)
        rc = rule_body_parse(c, v, rule);
    return dt_json_reader_end(&c->r, before, rc);
}

static int rules_parse(dt_compiler *c, dt_json const *v)
{
    dt_policy *p = c->p;
    size_t before = dt_json_reader_faults(&c->r);
    int rc = dt_json_reader_array(&c->r, v, 1, DT_POLICY_RULES_MAX);

    if (rc != DT_OK)
        return rc;
    p->rules = calloc(dt_json_size(v), sizeof(*p->rules));
    if (p->rules == NULL)
        return dt_compiler_nomem(c);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(v); i++) {
        size_t mark = dt_json_reader_enter_at(&c->r, i);
        p->rules[i].origin = (uint32_t)i;
        rc = dt_json_reader_keep(&c->r, mark, rule_parse(c, dt_json_at(v, i), &p->rules[i]));
        p->rule_count = i + 1;
    }
    return dt_json_reader_end(&c->r, before, rc);
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

static bool org_has_catch_all(dt_policy const *p)
{
    bool found = false;

    for (size_t i = 0; i < p->rule_count && !found; i++)
        found = p->rules[i].catch_all;
    return found;
}

/* The last rule is the catch-all, and no rule follows one that always holds. */
static int catch_all_check(dt_compiler *c)
{
    dt_policy const *p = c->p;
    dt_rule const *last = &p->rules[p->rule_count - 1];

    if (c->org && org_has_catch_all(p))
        return DT_OK; /* a rule for RADIUS always holds here; in the org there are others after it */
    for (dt_rule const *r = p->rules; r < last; r++) {
        if (!r->catch_all && !(r->active && dt_rule_is_unconditional(r)))
            continue;
        (void)dt_json_reader_enter_at(&c->r, r->origin);
        (void)dt_json_reader_enter(&c->r, "conditions");
        return dt_json_reader_fail(&c->r, "these always match, so no later rule is ever reached: "
                                          "only the last rule by priority may be so");
    }
    if (last->active && last->catch_all)
        return DT_OK;
    (void)dt_json_reader_enter_at(&c->r, last->origin);
    return dt_json_reader_fail(&c->r, "the last rule by priority must be the catch-all: status "
                                      "ACTIVE, conditions null or {}");
}

/* Collects what ACTIVE rules name of one kind, sorted, each once. */
static int names_collect(dt_compiler *c, bool patterns, dt_name_list *out)
{
    dt_policy *p = c->p;
    dt_name_list all = {(uint32_t)p->name_count, 0};
    size_t kept = 0;

    for (size_t i = 0; i < p->rule_count; i++) {
        dt_rule const *r = &p->rules[i];
        dt_name_list const lists[] = {patterns ? r->groups_like : r->groups_include,
                                      patterns ? r->groups_unlike : r->groups_exclude};
        for (size_t k = 0; r->active && k < 2; k++) {
            for (uint32_t n = 0; n < lists[k].count; n++) {
                int rc = dt_compiler_name_push(c, p->names[lists[k].first + n]);
                if (rc != DT_OK)
                    return rc;
            }
        }
    }
    all.count = (uint32_t)(p->name_count - all.first);
    (void)dt_compiler_list_sort(p, all);
    for (size_t i = 0; i < all.count; i++) {
        dt_folded_name *names = p->names + all.first;
        if (kept == 0 || dt_folded_name_compare(&names[kept - 1], &names[i]) != 0)
            names[kept++] = names[i];
    }
    all.count = (uint32_t)kept;
    p->name_count = all.first + kept;
    *out = all;
    return DT_OK;
}

/* For dt_policy_names_group. */
static int all_groups_collect(dt_compiler *c)
{
    int rc = names_collect(c, false, &c->p->all_groups);

    if (rc == DT_OK)
        rc = names_collect(c, true, &c->p->all_group_patterns);
    if (rc == DT_OK && c->p->all_group_patterns.count > DT_POLICY_GROUP_PATTERNS_MAX)
        rc = dt_json_reader_fail(&c->r, "more than %d different patterns for groups",
                                 DT_POLICY_GROUP_PATTERNS_MAX);
    return rc;
}

/* --- what is looked at first --------------------------------------------------------------------- */

static uint64_t people_bits(dt_policy const *p, dt_rule const *r)
{
    dt_name_list const lists[] = {r->users_include, r->groups_include};
    uint64_t bits = 0;

    if (r->users_like.count + r->groups_like.count > 0 ||
        r->users_include.count + r->groups_include.count == 0)
        return UINT64_MAX;
    for (size_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < lists[k].count; i++)
            bits |= UINT64_C(1) << (p->names[lists[k].first + i].hash >> 58);
    return bits;
}

static uint64_t zone_bits(dt_policy const *p, dt_rule const *r)
{
    uint64_t bits = 0;

    if (r->zones_include.count == 0)
        return UINT64_MAX;
    for (uint32_t i = 0; i < r->zones_include.count; i++)
        bits |= UINT64_C(1) << p->zone_ids[r->zones_include.first + i] % 64;
    return bits;
}

static int screens_make(dt_compiler *c)
{
    dt_policy *p = c->p;

    p->screens = calloc(p->rule_count, sizeof(*p->screens));
    if (p->screens == NULL)
        return dt_compiler_nomem(c);
    for (size_t i = 0; i < p->rule_count; i++) {
        dt_rule *r = &p->rules[i];
        r->plain_allow = r->access == DT_ACCESS_ALLOW && r->reply_count == 0;
        p->needs_time =
            p->needs_time || (r->active && r->spans_include.count + r->spans_exclude.count > 0);
        p->screens[i] = (dt_rule_screen){.devices = r->devices,
                                         .people = people_bits(p, r),
                                         .zones = zone_bits(p, r),
                                         .platforms = r->active ? r->platforms : 0};
    }
    return DT_OK;
}

/* --- what is allowed but risky ---------------------------------------------------------------------------- */

#define COVER_LOOK_BACK 64 /* rules before one that are compared with it */

static int warn_covered(dt_compiler *c, dt_rule const *r, char const *by)
{
    dt_policy *p = c->p;
    char text[DT_ERROR_TEXT_MAX];
    size_t mark;
    int rc = DT_OK;

    p->warning_count++;
    if (p->warning_count > DT_POLICY_WARNINGS_MAX)
        return DT_OK;
    mark = dt_json_reader_enter_at(&c->r, r->origin);
    dt_json_reader_warning(
        &c->r, text,
        "rule \"%.80s\" is never reached: the earlier rule \"%.80s\" matches whenever it does",
        r->name, by);
    p->warnings[p->warning_count - 1] = dt_compiler_keep(p, text);
    if (p->warnings[p->warning_count - 1] == NULL)
        rc = dt_compiler_nomem(c);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

static bool same_ids(dt_policy const *p, dt_name_list a, dt_name_list b)
{
    return a.count == b.count && memcmp(p->zone_ids + a.first, p->zone_ids + b.first,
                                        a.count * sizeof(*p->zone_ids)) == 0;
}

static bool same_names(dt_policy const *p, dt_name_list a, dt_name_list b)
{
    if (a.count != b.count)
        return false;
    for (uint32_t i = 0; i < a.count; i++)
        if (dt_folded_name_compare(&p->names[a.first + i], &p->names[b.first + i]) != 0)
            return false;
    return true;
}

static bool same_people(dt_policy const *p, dt_rule const *a, dt_rule const *b)
{
    return same_names(p, a->users_include, b->users_include) &&
           same_names(p, a->users_exclude, b->users_exclude) &&
           same_names(p, a->groups_include, b->groups_include) &&
           same_names(p, a->groups_exclude, b->groups_exclude) &&
           same_names(p, a->users_like, b->users_like) &&
           same_names(p, a->users_unlike, b->users_unlike) &&
           same_names(p, a->groups_like, b->groups_like) &&
           same_names(p, a->groups_unlike, b->groups_unlike);
}

/* Does `a` hold whenever `b` does? False also where a simple comparison cannot show it. */
static bool rule_covers(dt_policy const *p, dt_rule const *a, dt_rule const *b)
{
    return (b->devices & ~a->devices) == 0 && (b->platforms & ~a->platforms) == 0 &&
           a->spans_include.count + a->spans_exclude.count == 0 &&
           (!a->in_zone || (b->in_zone && same_ids(p, a->zones_include, b->zones_include) &&
                            same_ids(p, a->zones_exclude, b->zones_exclude))) &&
           (a->anyone || same_people(p, a, b));
}

/* Rules that another one before them leaves nothing to; the catch-all may be one. */
static int unreachable_warn(dt_compiler *c)
{
    dt_policy const *p = c->p;
    int rc = DT_OK;

    for (size_t i = 1; rc == DT_OK && i < p->rule_count; i++) {
        size_t first = i > COVER_LOOK_BACK ? i - COVER_LOOK_BACK : 0;
        for (size_t k = first; p->rules[i].active && !p->rules[i].catch_all && k < i; k++) {
            if (!p->rules[k].active || !rule_covers(p, &p->rules[k], &p->rules[i]))
                continue;
            rc = warn_covered(c, &p->rules[i], p->rules[k].name);
            break;
        }
    }
    return rc;
}

/* The one that stands for those that were left out. */
static int warnings_end(dt_compiler *c)
{
    dt_policy *p = c->p;
    char text[64];

    if (p->warning_count <= DT_POLICY_WARNINGS_MAX)
        return DT_OK;
    (void)snprintf(text, sizeof(text), "and %zu more", p->warning_count - DT_POLICY_WARNINGS_MAX);
    p->warnings[DT_POLICY_WARNINGS_MAX] = dt_compiler_keep(p, text);
    return p->warnings[DT_POLICY_WARNINGS_MAX] == NULL ? dt_compiler_nomem(c) : DT_OK;
}

int dt_compiler_rules_end(dt_compiler *c)
{
    int rc = all_groups_collect(c);

    return rc == DT_OK ? screens_make(c) : rc;
}

static int rules_check(dt_compiler *c)
{
    size_t at = c->r.len, before = dt_json_reader_faults(&c->r);
    int rc = dt_json_reader_keep(&c->r, at, rules_sort(c, rule_compare_name, "name"));

    if (rc == DT_OK)
        rc = dt_json_reader_keep(&c->r, at, rules_sort(c, rule_compare_priority, "priority"));
    if (rc == DT_OK)
        rc = dt_json_reader_keep(&c->r, at, catch_all_check(c));
    rc = dt_json_reader_end(&c->r, before, rc);
    if (rc == DT_OK)
        rc = dt_compiler_rules_end(c);
    if (rc == DT_OK)
        rc = unreachable_warn(c);
    return rc == DT_OK ? warnings_end(c) : rc;
}

/* --- the whole --------------------------------------------------------------------------------- */

/* The application is a PAM service's name or the like, and the policy's file is named after it. */
static int application_set(dt_compiler *c, char const *member, char const *name,
                           char out[DT_APPLICATION_MAX])
{
    size_t mark = dt_json_reader_enter(&c->r, member);
    size_t n = 0;

    for (; name[n] != '\0'; n++) {
        bool word = (name[n] >= 'a' && name[n] <= 'z') || (name[n] >= 'A' && name[n] <= 'Z') ||
                    (name[n] >= '0' && name[n] <= '9') || name[n] == '_';
        if (!word && (n == 0 || (name[n] != '.' && name[n] != '-')))
            return dt_json_reader_fail(
                &c->r,
                "must be letters, digits, \"_\", and after the first character \".\" and \"-\"");
    }
    dt_json_reader_leave(&c->r, mark);
    return dt_str_copy(out, DT_APPLICATION_MAX, name);
}

static int names_set(dt_compiler *c, dt_json const *root)
{
    char const *application = "", *group = "";
    int rc =
        dt_json_reader_member_text(&c->r, root, "application", DT_APPLICATION_MAX, &application);

    if (rc == DT_OK)
        rc = application_set(c, "application", application, c->p->application);
    if (rc == DT_OK)
        rc =
            dt_json_reader_member_text(&c->r, root, "applicationGroup", DT_APPLICATION_MAX, &group);
    return rc == DT_OK ? application_set(c, "applicationGroup", group, c->p->application_group)
                       : rc;
}

static int report_set(dt_compiler *c, dt_json const *root)
{
    bool yes = false;
    int rc = DT_OK;

    if (dt_json_get(root, "reportOnly") == NULL)
        return DT_OK;
    size_t at = dt_json_reader_enter(&c->r, "reportOnly");
    if (!dt_json_bool(dt_json_get(root, "reportOnly"), &yes))
        rc = dt_json_reader_fail(&c->r, "must be true or false");
    else
        c->p->report = yes ? DT_REPORT_YES : DT_REPORT_NO;
    dt_json_reader_leave(&c->r, at);
    return rc;
}

static int groups_set(dt_compiler *c, dt_json const *root)
{
    size_t at = dt_json_reader_enter(&c->r, "groups");
    int rc = dt_compiler_groups_parse(c, dt_json_get(root, "groups"));

    if (rc == DT_OK)
        dt_json_reader_leave(&c->r, at);
    return rc;
}

static int root_parse(dt_compiler *c, dt_json const *root)
{
    static dt_json_field const fields[] = {{"$schema", false},    {"name", true},
                                           {"application", true}, {"applicationGroup", false},
                                           {"reportOnly", false}, {"groups", false},
                                           {"rules", true},       {NULL, false}};
    static dt_json_field const org_fields[] = {
        {"$schema", false}, {"name", true}, {"rules", true}, {NULL, false}};
    char const *schema = NULL, *name = NULL;
    size_t before = dt_json_reader_faults(&c->r);
    int rc = dt_json_reader_keep(&c->r, 0,
                                 dt_json_reader_object(&c->r, root, c->org ? org_fields : fields));

    if (rc == DT_OK && dt_json_typeof(root) != DT_JSON_OBJECT)
        return dt_json_reader_end(&c->r, before, rc);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&c->r, root, "$schema", DT_POLICY_NAME_MAX, &schema);
    rc = dt_json_reader_keep(&c->r, 0, rc);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&c->r, root, "name", DT_POLICY_NAME_MAX, &name);
    rc = dt_json_reader_keep(&c->r, 0, rc);
    if (rc == DT_OK && !c->org)
        rc = dt_json_reader_keep(&c->r, 0, names_set(c, root));
    if (rc == DT_OK && !c->org)
        rc = dt_json_reader_keep(&c->r, 0, report_set(c, root));
    if (rc == DT_OK && !c->org)
        rc = dt_json_reader_keep(&c->r, 0, groups_set(c, root));
    if (rc == DT_OK && dt_json_get(root, "rules") != NULL) {
        (void)dt_json_reader_enter(&c->r, "rules");
        rc = rules_parse(c, dt_json_get(root, "rules"));
    }
    /* Rules are compared only when each is in order by itself. */
    rc = dt_json_reader_end(&c->r, before, rc);
    return rc == DT_OK ? rules_check(c) : rc;
}

static int parse(dt_json const *root, dt_json_source const *source, dt_zones const *zones, bool org,
                 dt_policy **out, dt_error *e)
{
    dt_compiler c = {.p = calloc(1, sizeof(dt_policy)), .org = org};
    int rc;

    *out = NULL;
    dt_json_reader_init(&c.r, source, e);
    if (c.p == NULL)
        return dt_compiler_nomem(&c);
    c.p->zones = zones;
    rc = root_parse(&c, root);
    if (rc == DT_OK) {
        *out = c.p;
        c.p = NULL;
    }
    free(c.groups);
    dt_policy_free(&c.p);
    return rc;
}

int dt_policy_parse(dt_json const *root, char const *file, dt_zones const *zones, dt_policy **out,
                    dt_error *e)
{
    dt_json_source source = {.file = file};
    return parse(root, &source, zones, false, out, e);
}

int dt_policy_parse_source(dt_json const *root, dt_json_source const *source, dt_zones const *zones,
                           dt_policy **out, dt_error *e)
{
    return parse(root, source, zones, false, out, e);
}

int dt_org_policy_parse(dt_json const *root, char const *file, dt_zones const *zones,
                        dt_policy **out, dt_error *e)
{
    dt_json_source source = {.file = file};
    return parse(root, &source, zones, true, out, e);
}

int dt_org_policy_parse_source(dt_json const *root, dt_json_source const *source,
                               dt_zones const *zones, dt_policy **out, dt_error *e)
{
    return parse(root, source, zones, true, out, e);
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
    free((*p)->screens);
    free((*p)->zone_ids);
    free((*p)->spans);
    free((*p)->names);
    free((*p)->replies);
    free(*p);
    *p = NULL;
}
