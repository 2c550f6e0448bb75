/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deciding by a compiled policy. This runs at every sign-on, under every front door, so it allocates
 * nothing, looks at what is cheap first, and does what costs (zones, groups) at most once and only
 * when a rule is reached that asks for it. */
#include "core/policy.h"

#include "core/policy_rules.h"

#include <string.h>

/* A condition on people may hang on groups that nobody could tell us. */
typedef enum dt_holds { DT_HOLDS_NO = 0, DT_HOLDS_YES, DT_HOLDS_UNKNOWN } dt_holds;

/* One decision under way: the input, and what was made of it so far. */
typedef struct dt_deciding {
    dt_policy const *policy;
    dt_policy_input const *in;
    dt_trust trust;
    uint64_t user_hash, login_hash;
    bool zones_looked_up;
    uint64_t zones;
    bool groups_hashed;
    uint64_t group_hashes[DT_GROUPS_MAX];
} dt_deciding;

char const *dt_condition_name(dt_condition c)
{
    switch (c) {
    case DT_CONDITION_NONE:
        return "none";
    case DT_CONDITION_INACTIVE:
        return "inactive";
    case DT_CONDITION_PEOPLE:
        return "people";
    case DT_CONDITION_NETWORK:
        return "network";
    case DT_CONDITION_PLATFORM:
        return "platform";
    case DT_CONDITION_DEVICE:
        return "device";
    }
    return "unknown";
}

/* --- names ------------------------------------------------------------------------------------- */

uint64_t dt_name_hash(char const *name)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (; *name != '\0'; name++) {
        unsigned char c = (unsigned char)*name;
        h = (h ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * UINT64_C(1099511628211);
    }
    return h;
}

static bool list_has(dt_policy const *p, dt_name_list list, uint64_t hash, char const *name)
{
    dt_folded_name const *names = p->names + list.first;
    uint32_t low = 0, high = list.count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (names[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < list.count && names[low].hash == hash; low++)
        if (dt_str_equal_nocase(names[low].text, name))
            return true;
    return false;
}

static bool is_named(char const *s)
{
    return s != NULL && *s != '\0';
}

static bool list_has_user(dt_deciding const *d, dt_name_list list)
{
    if (list.count == 0)
        return false;
    return list_has(d->policy, list, d->user_hash, d->in->user) ||
           (is_named(d->in->login) && list_has(d->policy, list, d->login_hash, d->in->login));
}

/* Whether the person is in one of the groups of either list; unknown when the groups are not known,
 * or are more than can be looked at (to leave some out could overlook an exclusion). */
static bool groups_ready(dt_deciding *d)
{
    dt_policy_input const *in = d->in;

    if (d->groups_hashed)
        return true;
    if (in->group_knowledge != DT_GROUPS_KNOWN || in->group_count > DT_GROUPS_MAX)
        return false;
    for (size_t i = 0; i < in->group_count; i++) {
        if (in->groups[i] == NULL)
            return false;
        d->group_hashes[i] = dt_name_hash(in->groups[i]);
    }
    d->groups_hashed = true;
    return true;
}

static bool list_has_a_group(dt_deciding const *d, dt_name_list list)
{
    for (size_t i = 0; list.count > 0 && i < d->in->group_count; i++)
        if (list_has(d->policy, list, d->group_hashes[i], d->in->groups[i]))
            return true;
    return false;
}

/* --- conditions -------------------------------------------------------------------------------- */

/* Included by name or by group (an include without any name is everyone), and excluded by neither.
 * Groups are asked for only where the names of people leave it open. */
static dt_holds people_hold(dt_deciding *d, dt_rule const *r)
{
    bool everyone = r->users_include.count == 0 && r->groups_include.count == 0;
    bool included;

    if (r->anyone)
        return DT_HOLDS_YES;
    if (list_has_user(d, r->users_exclude))
        return DT_HOLDS_NO;
    included = everyone || list_has_user(d, r->users_include);
    if (included && r->groups_exclude.count == 0)
        return DT_HOLDS_YES;
    if (!included && r->groups_include.count == 0)
        return DT_HOLDS_NO;
    if (!groups_ready(d))
        return DT_HOLDS_UNKNOWN;
    if (list_has_a_group(d, r->groups_exclude))
        return DT_HOLDS_NO;
    return included || list_has_a_group(d, r->groups_include) ? DT_HOLDS_YES : DT_HOLDS_NO;
}

static bool network_holds(dt_deciding *d, dt_rule const *r)
{
    if (!r->in_zone)
        return true;
    /* From where is not known: neither "in" nor "not in" can be said. */
    if (!d->in->ip.set)
        return false;
    if (!d->zones_looked_up) {
        d->zones = dt_zones_lookup(d->policy->zones, &d->in->ip);
        d->zones_looked_up = true;
    }
    if (d->zones & r->zones_exclude)
        return false;
    return r->zones_include == 0 || (d->zones & r->zones_include) != 0;
}

/* A platform that is not known is 0 and so matches no bit, neither included nor left over. */
static bool platform_holds(dt_deciding const *d, dt_rule const *r)
{
    return r->any_client || ((unsigned)d->in->platform & r->platforms) != 0;
}

static bool device_holds(dt_deciding const *d, dt_rule const *r)
{
    switch (r->device) {
    case DT_DEVICE_ANY:
        return true;
    case DT_DEVICE_TRUSTED:
        return d->trust == DT_TRUST_TRUSTED;
    case DT_DEVICE_NOT_TRUSTED:
        return d->trust == DT_TRUST_NOT_TRUSTED;
    default:
        return false;
    }
}

/* --- deciding ---------------------------------------------------------------------------------- */

/* False when nobody asks. d->group_hashes is filled only when needed: clearing it would cost more
 * than most decisions do. */
static bool deciding_begin(dt_deciding *d, dt_policy const *p, dt_policy_input const *in)
{
    if (!is_named(in->user))
        return false;
    d->policy = p;
    d->in = in;
    d->trust = in->trust;
    if (d->trust != DT_TRUST_TRUSTED && d->trust != DT_TRUST_NOT_TRUSTED)
        d->trust =
            in->unknown_as == DT_UNKNOWN_NOT_TRUSTED ? DT_TRUST_NOT_TRUSTED : DT_TRUST_UNKNOWN;
    d->user_hash = dt_name_hash(in->user);
    d->login_hash = is_named(in->login) ? dt_name_hash(in->login) : 0;
    d->zones_looked_up = false;
    d->zones = 0;
    d->groups_hashed = false;
    return true;
}

static void decision_fill(dt_policy const *p, dt_rule const *r, dt_decision *out)
{
    out->access = (dt_access)r->access;
    out->cause = DT_DECISION_RULE;
    out->frequency = (dt_frequency)r->frequency;
    out->lifetime = r->lifetime;
    out->factors = r->factors;
    out->remember_by = r->remember_by;
    out->rule_index = (uint32_t)(r - p->rules);
    out->policy_stamp = p->stamp;
    out->priority = r->priority;
    /* The parser lets no longer name in. */
    if (dt_str_copy(out->rule, sizeof(out->rule), r->name) != DT_OK)
        out->access = DT_ACCESS_DENY;
}

void dt_policy_decide(dt_policy const *p, dt_policy_input const *in, dt_decision *out)
{
    dt_deciding d;

    memset(out, 0, sizeof(*out));
    if (p == NULL || in == NULL || !deciding_begin(&d, p, in))
        return;
    if (d.trust == DT_TRUST_UNKNOWN) {
        out->cause = DT_DECISION_UNKNOWN_DEVICE;
        return;
    }
    for (dt_rule const *r = p->rules, *end = r + p->rule_count; r < end; r++) {
        if (!r->active || !device_holds(&d, r) || !platform_holds(&d, r) || !network_holds(&d, r))
            continue;
        switch (people_hold(&d, r)) {
        case DT_HOLDS_NO:
            break;
        case DT_HOLDS_YES:
            decision_fill(p, r, out);
            return;
        case DT_HOLDS_UNKNOWN:
            out->cause = DT_DECISION_UNKNOWN_GROUPS;
            return;
        }
    }
}

dt_condition dt_policy_explain_rule(dt_policy const *p, size_t i, dt_policy_input const *in,
                                    char const **rule_name)
{
    dt_deciding d;
    dt_rule const *r;

    *rule_name = "";
    if (p == NULL || in == NULL || i >= p->rule_count)
        return DT_CONDITION_INACTIVE;
    r = &p->rules[i];
    *rule_name = r->name;
    if (!r->active)
        return DT_CONDITION_INACTIVE;
    if (!deciding_begin(&d, p, in) || people_hold(&d, r) != DT_HOLDS_YES)
        return DT_CONDITION_PEOPLE;
    if (!network_holds(&d, r))
        return DT_CONDITION_NETWORK;
    if (!platform_holds(&d, r))
        return DT_CONDITION_PLATFORM;
    return device_holds(&d, r) ? DT_CONDITION_NONE : DT_CONDITION_DEVICE;
}

/* --- what a policy is -------------------------------------------------------------------------- */

char const *dt_policy_application(dt_policy const *p)
{
    return p == NULL ? "" : p->application;
}

char const *dt_policy_application_group(dt_policy const *p)
{
    return p == NULL ? "" : p->application_group;
}

void dt_policy_set_hash(dt_policy *p, char const hash[65])
{
    if (dt_str_copy(p->hash, sizeof(p->hash), hash) != DT_OK)
        p->hash[0] = '\0';
    p->stamp = dt_name_hash(p->hash);
}

char const *dt_policy_hash(dt_policy const *p)
{
    return p == NULL ? "" : p->hash;
}

/* The rule that decided; NULL when none did, or not of this policy. */
static dt_rule const *rule_of(dt_policy const *p, dt_decision const *d)
{
    dt_rule const *r;

    if (p == NULL || d->cause != DT_DECISION_RULE || d->policy_stamp != p->stamp ||
        d->rule_index >= p->rule_count)
        return NULL;
    r = &p->rules[d->rule_index];
    return strcmp(r->name, d->rule) == 0 ? r : NULL;
}

int dt_policy_reply(dt_policy const *p, dt_decision const *d, dt_reply_attribute const **out,
                    size_t *count)
{
    dt_rule const *r = rule_of(p, d);

    *out = NULL;
    *count = 0;
    if (d->cause != DT_DECISION_RULE)
        return DT_OK;
    if (r == NULL)
        return DT_E_STATE;
    *count = r->reply_count;
    *out = r->reply_count > 0 ? p->replies + r->reply_first : NULL;
    return DT_OK;
}

dt_reply_attribute const *dt_policy_rule_reply(dt_policy const *p, size_t i, char const **rule,
                                               size_t *count)
{
    *rule = "";
    *count = 0;
    if (p == NULL || i >= p->rule_count)
        return NULL;
    *rule = p->rules[i].name;
    *count = p->rules[i].reply_count;
    return *count > 0 ? p->replies + p->rules[i].reply_first : NULL;
}

char const *dt_policy_message(dt_policy const *p, dt_decision const *d)
{
    dt_rule const *r = rule_of(p, d);
    return r == NULL || d->access != DT_ACCESS_DENY ? "" : r->message;
}

bool dt_policy_needs_groups(dt_policy const *p)
{
    return p != NULL && p->all_groups.count > 0;
}

bool dt_policy_names_group(dt_policy const *p, char const *group)
{
    return p != NULL && is_named(group) && list_has(p, p->all_groups, dt_name_hash(group), group);
}

dt_report dt_policy_report(dt_policy const *p)
{
    return p == NULL ? DT_REPORT_UNSAID : p->report;
}

size_t dt_policy_rule_count(dt_policy const *p)
{
    return p == NULL ? 0 : p->rule_count;
}

bool dt_policy_asks_for(dt_policy const *p, dt_trust trust)
{
    dt_device_condition wanted = DT_DEVICE_ANY;

    if (trust == DT_TRUST_TRUSTED)
        wanted = DT_DEVICE_TRUSTED;
    else if (trust == DT_TRUST_NOT_TRUSTED)
        wanted = DT_DEVICE_NOT_TRUSTED;
    for (size_t i = 0; wanted != DT_DEVICE_ANY && i < dt_policy_rule_count(p); i++) {
        if (p->rules[i].active && p->rules[i].device == wanted)
            return true;
    }
    return false;
}
