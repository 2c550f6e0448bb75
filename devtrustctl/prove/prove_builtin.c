/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The properties that every policy is asked for. */
#include "devtrustctl/prove/prove_builtin.h"

#include <stdlib.h>
#include <string.h>

char const *dt_builtin_name(dt_builtin b)
{
    static char const *const names[DT_BUILTIN_COUNT] = {
        [DT_BUILTIN_MFA] = "mfa",
        [DT_BUILTIN_OUTSIDERS] = "outsiders",
        [DT_BUILTIN_BLOCKLIST] = "blocklist",
        [DT_BUILTIN_DECIDED] = "decided",
    };

    return names[b];
}

char const *dt_builtin_text(dt_builtin b)
{
    static char const *const texts[DT_BUILTIN_COUNT] = {
        [DT_BUILTIN_MFA] = "no device that is not TRUSTED gets in without MFA",
        [DT_BUILTIN_OUTSIDERS] =
            "nobody gets in who is outside the groups and people that rules name",
        [DT_BUILTIN_BLOCKLIST] = "nobody gets in from a BLOCKLIST zone, or from where one may be",
        [DT_BUILTIN_DECIDED] = "every sign-on of which enough is known is decided by some rule",
    };

    return texts[b];
}

/* --- outsiders --------------------------------------------------------------------------------- */

typedef struct list_of_rule {
    size_t offset; /* of the list in a rule */
    size_t to;     /* where the outsiders' rule has it */
} list_of_rule;

static list_of_rule const lists[] = {
    {offsetof(dt_rule, users_include), offsetof(dt_rule, users_exclude)},
    {offsetof(dt_rule, users_like), offsetof(dt_rule, users_unlike)},
    {offsetof(dt_rule, groups_include), offsetof(dt_rule, groups_exclude)},
    {offsetof(dt_rule, groups_like), offsetof(dt_rule, groups_unlike)},
};
#define LISTS (sizeof(lists) / sizeof(lists[0]))

static dt_name_list list_at(dt_rule const *r, size_t offset)
{
    dt_name_list list;

    memcpy(&list, (char const *)r + offset, sizeof(list));
    return list;
}

static int compare_names(void const *a, void const *b)
{
    dt_folded_name const *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return strcmp(x->text, y->text);
}

/* All names of one kind of list, sorted, each once, after those that are there. */
static dt_name_list collect(dt_policy const *from, dt_policy *to, size_t offset)
{
    dt_name_list all = {(uint32_t)to->name_count, 0};
    dt_folded_name *names = to->names + all.first;
    size_t count = 0;

    for (size_t i = 0; i < from->rule_count; i++) {
        dt_rule const *r = &from->rules[i];
        dt_name_list list = list_at(r, offset);
        for (uint32_t k = 0; r->active && r->access != DT_ACCESS_DENY && k < list.count; k++)
            names[count++] = from->names[list.first + k];
    }
    if (count > 1)
        qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count; i++)
        if (all.count == 0 || compare_names(&names[all.count - 1], &names[i]) != 0)
            names[all.count++] = names[i];
    to->name_count += all.count;
    return all;
}

static size_t names_room(dt_policy const *p)
{
    size_t room = 0;

    for (size_t i = 0; i < p->rule_count; i++)
        for (size_t k = 0; k < LISTS; k++)
            room += list_at(&p->rules[i], lists[k].offset).count;
    return room;
}

int dt_outsiders_new(dt_policy const *p, dt_policy **out, dt_error *e)
{
    dt_policy *made = calloc(1, sizeof(*made));
    dt_rule *r;

    *out = NULL;
    if (made != NULL) {
        made->zones = p->zones;
        made->names = calloc(names_room(p) + 1, sizeof(*made->names));
        made->rules = calloc(1, sizeof(*made->rules));
        made->screens = calloc(1, sizeof(*made->screens));
    }
    if (made == NULL || made->names == NULL || made->rules == NULL || made->screens == NULL) {
        dt_policy_free(&made);
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    r = made->rules;
    *r = (dt_rule){.active = true,
                   .platforms = DT_PLATFORMS_ANY,
                   .devices = DT_DEVICES_ANY,
                   .name = "outsiders",
                   .message = ""};
    for (size_t k = 0; k < LISTS; k++) {
        dt_name_list list = collect(p, made, lists[k].offset);
        memcpy((char *)r + lists[k].to, &list, sizeof(list));
    }
    made->rule_count = 1;
    made->all_groups = r->groups_exclude;
    made->all_group_patterns = r->groups_unlike;
    made->screens[0] = (dt_rule_screen){UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT8_MAX};
    if (made->name_count == 0)
        dt_policy_free(&made);
    *out = made;
    return DT_OK;
}

/* --- what breaks them -------------------------------------------------------------------------- */

static dt_term allows_access(dt_prover *v)
{
    return dt_term_either(v->s->f, v->sides[0].access.allows, v->sides[0].access.asks);
}

/* A sign-on that no rule decides, although the rules are looked at and nothing is missing. */
static dt_term undecided(dt_prover *v)
{
    dt_prove_side const *side = &v->sides[0];
    dt_term left = side->app_terms.left;

    return side->org == NULL ? left : dt_term_either(v->s->f, left, side->org_terms.left);
}

bool dt_builtin_broken(dt_prover *v, dt_builtin b, dt_policy const *outsiders, dt_term *out,
                       char const **why)
{
    dt_formula *f = v->s->f;
    dt_policy_terms const *app = &v->sides[0].app_terms;
    dt_rule_terms fit;

    *out = DT_TERM_FALSE;
    *why = "";
    switch (b) {
    case DT_BUILTIN_MFA:
        *out = dt_term_both(f, v->sides[0].access.allows,
                            dt_term_not(f, dt_translate_trust(v->s, DT_TRUST_TRUSTED)));
        return true;
    case DT_BUILTIN_OUTSIDERS:
        *why = "no rule that allows names people or groups, so anybody may get in";
        if (outsiders == NULL)
            return false;
        fit = dt_translate_rule(v->s, outsiders, &outsiders->rules[0]);
        *out = dt_term_both(f, dt_term_either(f, fit.holds, fit.maybe), allows_access(v));
        return true;
    case DT_BUILTIN_BLOCKLIST:
        *why = "no zone is an ACTIVE BLOCKLIST";
        if (app->p->zones == NULL || app->p->zones->blocklists == 0)
            return false;
        *out =
            dt_term_both(f, dt_term_either(f, app->blocked, app->maybe_blocked), allows_access(v));
        return true;
    default:
        *out = undecided(v);
        return true;
    }
}
