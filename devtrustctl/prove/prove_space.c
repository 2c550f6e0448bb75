/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The space of sign-ons: people, groups, devices and times. */
#include "devtrustctl/prove/prove_space.h"

#include <stdlib.h>
#include <string.h>

static int nomem(dt_error *e)
{
    return dt_error_set(e, DT_E_NOMEM, "out of memory");
}

/* --- names ------------------------------------------------------------------------------------- */

static int names_push(dt_space_names *names, dt_policy const *p, dt_name_list list)
{
    for (uint32_t i = 0; i < list.count; i++) {
        void *items = names->items;
        if (dt_array_grow(&items, names->count, &names->cap, sizeof(*names->items)) != DT_OK)
            return DT_E_NOMEM;
        names->items = items;
        names->items[names->count++] = p->names[list.first + i];
    }
    return DT_OK;
}

static int compare_names(void const *a, void const *b)
{
    dt_folded_name const *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return strcmp(x->text, y->text);
}

static void names_sort(dt_space_names *names)
{
    size_t kept = 0;

    if (names->count > 1)
        qsort(names->items, names->count, sizeof(*names->items), compare_names);
    for (size_t i = 0; i < names->count; i++)
        if (kept == 0 || compare_names(&names->items[kept - 1], &names->items[i]) != 0)
            names->items[kept++] = names->items[i];
    names->count = kept;
}

size_t dt_space_find(dt_space_names const *names, dt_folded_name name)
{
    dt_folded_name const *at =
        names->count == 0 ? NULL
                          : bsearch(&name, names->items, names->count, sizeof(name), compare_names);

    return at == NULL ? names->count : (size_t)(at - names->items);
}

static int names_collect(dt_space *s, dt_policy const *p)
{
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < p->rule_count; i++) {
        dt_rule const *r = &p->rules[i];
        struct {
            dt_space_names *names;
            dt_name_list list;
        } const lists[] = {{&s->users, r->users_include},     {&s->users, r->users_exclude},
                           {&s->users_like, r->users_like},   {&s->users_like, r->users_unlike},
                           {&s->groups, r->groups_include},   {&s->groups, r->groups_exclude},
                           {&s->groups_like, r->groups_like}, {&s->groups_like, r->groups_unlike}};
        for (size_t k = 0; rc == DT_OK && r->active && k < sizeof(lists) / sizeof(lists[0]); k++)
            rc = names_push(lists[k].names, p, lists[k].list);
        if (r->active && r->spans_include.count + r->spans_exclude.count > 0) {
            s->uses_utc = s->uses_utc || r->utc;
            s->uses_local = s->uses_local || !r->utc;
        }
    }
    return rc;
}

static dt_fact *facts_new(dt_space *s, size_t count)
{
    dt_fact *facts = calloc(count + 1, sizeof(*facts));

    for (size_t i = 0; facts != NULL && i < count; i++)
        facts[i] = dt_formula_fact(s->f, 2);
    return facts;
}

/* One of the three names is this one, or like this pattern. */
static dt_term name_is(dt_space *s, size_t user)
{
    dt_term each[DT_SPACE_NAMES];

    for (size_t k = 0; k < DT_SPACE_NAMES; k++)
        each[k] = dt_term_equals(s->f, s->name[k], (uint32_t)user + 1);
    return dt_term_any(s->f, each, DT_SPACE_NAMES);
}

static dt_term name_is_like(dt_space *s, size_t pattern, uint8_t *member)
{
    dt_term each[2 * DT_SPACE_NAMES];

    memset(member, 0, s->users.count + 2);
    for (size_t i = 0; i < s->users.count; i++)
        member[i + 1] =
            dt_pattern_matches(s->users_like.items[pattern].text, s->users.items[i].text);
    for (size_t k = 0; k < DT_SPACE_NAMES; k++) {
        each[2 * k] = dt_term_member(s->f, s->name[k], member);
        each[2 * k + 1] = dt_term_both(s->f, dt_term_equals(s->f, s->name[k], 0),
                                       dt_term_equals(s->f, s->like[k][pattern], 1));
    }
    return dt_term_any(s->f, each, 2 * DT_SPACE_NAMES);
}

/* The number of the listed name that is this login without its suffix; 0 for one that no rule lists, and
 * past the last when there is none. */
static uint32_t short_of(dt_space const *s, char const *login)
{
    char const *at = strrchr(login, '@');
    char name[DT_GROUP_NAME_MAX];
    size_t found;

    if (at == NULL || at == login || at[1] == '\0' ||
        dt_str_copy_bytes(name, sizeof(name), dt_bytes_of(login, (size_t)(at - login))) != DT_OK)
        return (uint32_t)s->users.count + 1;
    found = dt_space_find(&s->users, (dt_folded_name){dt_name_hash(name), name});
    return found < s->users.count ? (uint32_t)found + 1 : 0;
}

/* The short login is the login without its suffix. What patterns say of both is looked at when a sign-on
 * is made. */
static dt_term names_fit(dt_space *s)
{
    dt_formula *f = s->f;
    uint32_t count = (uint32_t)s->users.count, none = count + 1;
    dt_fact login = s->name[1], brief = s->name[2];
    dt_term *pairs = calloc((size_t)count + 2, sizeof(*pairs)), any;
    uint8_t *has_short = calloc((size_t)count + 2, 1);
    size_t n = 0;

    if (pairs == NULL || has_short == NULL) {
        free(pairs);
        free(has_short);
        return dt_formula_fail(f);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t is = short_of(s, s->users.items[i].text);
        has_short[i + 1] = is == 0;
        if (is > 0 && is < none)
            pairs[n++] =
                dt_term_both(f, dt_term_equals(f, login, i + 1), dt_term_equals(f, brief, is));
    }
    /* Another short form: of another login, or of a listed one. And a listed one: of another login. */
    pairs[n++] = dt_term_both(
        f, dt_term_equals(f, brief, 0),
        dt_term_either(f, dt_term_equals(f, login, 0), dt_term_member(f, login, has_short)));
    if (count > 0)
        pairs[n++] =
            dt_term_both(f, dt_term_between(f, brief, 1, count), dt_term_equals(f, login, 0));
    any = dt_term_either(f, dt_term_equals(f, brief, none), dt_term_any(f, pairs, n));
    free(pairs);
    free(has_short);
    return any;
}

static int people_make(dt_space *s)
{
    uint8_t *member = calloc(s->users.count + 2, 1);

    s->machine = dt_formula_fact(s->f, 2);
    s->users.terms = calloc(s->users.count + 1, sizeof(dt_term));
    s->users_like.terms = calloc(s->users_like.count + 1, sizeof(dt_term));
    for (size_t k = 0; k < DT_SPACE_NAMES; k++) {
        s->name[k] = dt_formula_fact(s->f, (uint32_t)s->users.count + (k == 0 ? 1 : 2));
        s->like[k] = facts_new(s, s->users_like.count);
        if (s->like[k] == NULL || member == NULL || s->users.terms == NULL ||
            s->users_like.terms == NULL) {
            free(member);
            return DT_E_NOMEM;
        }
    }
    s->names_fit = names_fit(s);
    for (size_t i = 0; i < s->users.count; i++)
        s->users.terms[i] = name_is(s, i);
    for (size_t i = 0; i < s->users_like.count; i++)
        s->users_like.terms[i] = name_is_like(s, i, member);
    free(member);
    return DT_OK;
}

/* A pattern is of names, never of ids. */
static int groups_make(dt_space *s)
{
    dt_term *any = calloc(s->groups.count + 1, sizeof(*any));

    s->groups_known = dt_formula_fact(s->f, 2);
    s->member = facts_new(s, s->groups.count);
    s->member_like = facts_new(s, s->groups_like.count);
    s->groups.terms = calloc(s->groups.count + 1, sizeof(dt_term));
    s->groups_like.terms = calloc(s->groups_like.count + 1, sizeof(dt_term));
    if (any == NULL || s->member == NULL || s->member_like == NULL || s->groups.terms == NULL ||
        s->groups_like.terms == NULL) {
        free(any);
        return DT_E_NOMEM;
    }
    for (size_t i = 0; i < s->groups.count; i++)
        s->groups.terms[i] = dt_term_equals(s->f, s->member[i], 1);
    for (size_t i = 0; i < s->groups_like.count; i++) {
        size_t count = 0;
        for (size_t k = 0; k < s->groups.count; k++)
            if (!dt_group_is_id(s->groups.items[k].text) &&
                dt_pattern_matches(s->groups_like.items[i].text, s->groups.items[k].text))
                any[count++] = s->groups.terms[k];
        any[count++] = dt_term_equals(s->f, s->member_like[i], 1);
        s->groups_like.terms[i] = dt_term_any(s->f, any, count);
    }
    free(any);
    return DT_OK;
}

/* --- device and time --------------------------------------------------------------------------- */

/* Every pair that a verdict can have. Why a device is UNKNOWN counts for nothing. */
static void device_make(dt_space *s)
{
    for (int r = DT_REASON_NONE; r < DT_REASON_COUNT; r++) {
        if (r == DT_REASON_NONE || dt_policy_reason_fits((dt_reason)r, true))
            s->devices[s->device_count++] = (dt_space_device){DT_TRUST_TRUSTED, (dt_reason)r};
        if (r == DT_REASON_NONE || dt_policy_reason_fits((dt_reason)r, false))
            s->devices[s->device_count++] = (dt_space_device){DT_TRUST_NOT_TRUSTED, (dt_reason)r};
    }
    s->devices[s->device_count++] = (dt_space_device){DT_TRUST_UNKNOWN, DT_REASON_NONE};
    s->device = dt_formula_fact(s->f, s->device_count);
    s->platform = dt_formula_fact(s->f, 9);
    s->unknown_denies = dt_formula_fact(s->f, 2);
    s->org_waives = dt_formula_fact(s->f, 2);
}

static void time_make(dt_space *s)
{
    s->time_known = dt_formula_fact(s->f, 2);
    s->offset_known = dt_formula_fact(s->f, 2);
    s->utc = dt_formula_fact(s->f, DT_MINUTES_OF_WEEK);
    s->local = dt_formula_fact(s->f, DT_MINUTES_OF_WEEK);
    s->offset = dt_formula_fact(s->f, DT_SPACE_OFFSETS);
}

/* --- the whole --------------------------------------------------------------------------------- */

size_t dt_space_zone_set(dt_space const *s, dt_zones const *z)
{
    size_t i = 0;

    while (i < s->zone_sets && s->zones[i] != z)
        i++;
    return i;
}

static int policies_collect(dt_space *s, dt_policy const *const *policies, size_t count,
                            dt_error *e)
{
    for (size_t i = 0; i < count; i++) {
        dt_policy const *p = policies[i];
        if (p == NULL)
            continue;
        if (dt_space_zone_set(s, p->zones) == s->zone_sets) {
            if (s->zone_sets == DT_SPACE_ZONE_SETS)
                return dt_error_set(e, DT_E_LIMIT, "more than %d files of zones",
                                    DT_SPACE_ZONE_SETS);
            s->zones[s->zone_sets++] = p->zones;
        }
        if (names_collect(s, p) != DT_OK)
            return nomem(e);
    }
    names_sort(&s->users);
    names_sort(&s->users_like);
    names_sort(&s->groups);
    names_sort(&s->groups_like);
    return DT_OK;
}

int dt_space_new(dt_policy const *const *policies, size_t count, dt_space **out, dt_error *e)
{
    dt_space *s = calloc(1, sizeof(*s));
    int rc = s == NULL || dt_formula_new(&s->f) != DT_OK ? nomem(e) : DT_OK;

    *out = NULL;
    if (rc == DT_OK)
        rc = policies_collect(s, policies, count, e);
    if (rc == DT_OK && (people_make(s) != DT_OK || groups_make(s) != DT_OK))
        rc = nomem(e);
    if (rc == DT_OK) {
        device_make(s);
        time_make(s);
        rc = dt_space_zones_make(s, e);
    }
    if (rc == DT_OK && dt_formula_failed(s->f))
        rc = nomem(e);
    if (rc == DT_OK)
        *out = s;
    else
        dt_space_free(&s);
    return rc;
}

void dt_space_free(dt_space **s)
{
    if (s == NULL || *s == NULL)
        return;
    dt_space_names *const all[] = {&(*s)->users, &(*s)->users_like, &(*s)->groups,
                                   &(*s)->groups_like};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]->items);
        free(all[i]->terms);
    }
    for (size_t k = 0; k < DT_SPACE_NAMES; k++)
        free((*s)->like[k]);
    free((*s)->member);
    free((*s)->member_like);
    dt_space_zones_free(*s);
    dt_formula_free(&(*s)->f);
    free(*s);
    *s = NULL;
}
