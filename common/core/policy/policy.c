/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deciding by a compiled policy. This runs at every sign-on, under every front door, so it allocates
 * nothing, looks at what is cheap first, and does what costs (zones, groups) at most once and only
 * when a rule is reached that asks for it. */
#include "core/policy/policy.h"

#include "core/policy/policy_rules.h"

#include <string.h>

/* One decision under way: the input, and what was made of it so far. `screen` has the bits of all that
 * the input could meet. */
#define DT_CALLED_MAX 3 /* local name, Okta login, short login */

typedef struct dt_deciding {
    dt_policy const *policy;
    dt_policy_input const *in;
    dt_trust trust;
    bool trust_guessed; /* UNKNOWN that is taken for NOT_TRUSTED: its reason is nobody's */
    bool groups_known;
    dt_rule_screen screen;
    uint64_t called_hashes[DT_CALLED_MAX]; /* of the names that the person has */
    dt_tag_set zones_in, zones_unknown;
    uint64_t group_hashes[DT_GROUPS_MAX];
} dt_deciding;

char const *dt_condition_name(dt_condition c)
{
    static char const *const names[DT_CONDITION_COUNT] = {
        [DT_CONDITION_NONE] = "none",         [DT_CONDITION_INACTIVE] = "inactive",
        [DT_CONDITION_PEOPLE] = "people",     [DT_CONDITION_NETWORK] = "network",
        [DT_CONDITION_PLATFORM] = "platform", [DT_CONDITION_DEVICE] = "device",
        [DT_CONDITION_TIME] = "time",
    };

    return (unsigned)c < DT_CONDITION_COUNT ? names[c] : "unknown";
}

char const *dt_decision_cause_name(dt_decision_cause c)
{
    static char const *const names[DT_DECISION_CAUSE_COUNT] = {
        [DT_DECISION_NO_RULE] = "NO_RULE",
        [DT_DECISION_RULE] = "RULE",
        [DT_DECISION_UNKNOWN_DEVICE] = "DEVICE_UNKNOWN",
        [DT_DECISION_UNKNOWN_GROUPS] = "GROUPS_UNKNOWN",
        [DT_DECISION_UNKNOWN_NETWORK] = "NETWORK_UNKNOWN",
        [DT_DECISION_UNKNOWN_PLATFORM] = "PLATFORM_UNKNOWN",
        [DT_DECISION_UNKNOWN_TIME] = "TIME_UNKNOWN",
        [DT_DECISION_BLOCKED_ZONE] = "BLOCKED_ZONE",
    };

    return (unsigned)c < DT_DECISION_CAUSE_COUNT ? names[c] : names[DT_DECISION_NO_RULE];
}

char const *dt_access_name(dt_access a)
{
    switch (a) {
    case DT_ACCESS_ALLOW:
        return "ALLOW";
    case DT_ACCESS_ALLOW_AFTER_MFA:
        return "ALLOW_AFTER_MFA";
    case DT_ACCESS_DENY:
        break;
    }
    return "DENY";
}

/* --- names ------------------------------------------------------------------------------------- */

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

uint64_t dt_name_hash(char const *name)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (; *name != '\0'; name++)
        h = (h ^ fold(*name)) * UINT64_C(1099511628211);
    return h;
}

static uint64_t hash_bit(uint64_t hash)
{
    return UINT64_C(1) << (hash >> 58);
}

/* Past one character of UTF-8; past one byte of malformed UTF-8. */
static char const *next_character(char const *text)
{
    bool many = (unsigned char)*text++ >= 0x80;

    while (many && ((unsigned char)*text & 0xc0) == 0x80)
        text++;
    return text;
}

/* Greedy, with one place to come back to: the last "*" (no worse than its length times the text's). */
bool dt_pattern_matches(char const *pattern, char const *text)
{
    char const *star = NULL, *from = NULL;

    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern == '?') {
            pattern++;
            text = next_character(text);
        } else if (*pattern != '\0' && fold(*pattern) == fold(*text)) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool dt_group_is_id(char const *group)
{
    return group[0] == DT_GROUP_ID_MARK;
}

bool dt_group_of_id(char const *id, char out[DT_GROUP_ID_MAX])
{
    static char const allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

    out[0] = DT_GROUP_ID_MARK;
    return id != NULL && id[0] != '\0' && id[strspn(id, allowed)] == '\0' &&
           dt_str_copy(out + 1, DT_GROUP_ID_MAX - 1, id) == DT_OK;
}

/* Names are compared with their case folded; ids that differ in case are two. */
static bool is_same_name(char const *text, char const *name)
{
    return dt_group_is_id(text) ? strcmp(text, name) == 0 : dt_str_equal_nocase(text, name);
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
        if (is_same_name(names[low].text, name))
            return true;
    return false;
}

static bool is_named(char const *s)
{
    return s != NULL && *s != '\0';
}

static bool patterns_match(dt_policy const *p, dt_name_list patterns, char const *name)
{
    /* A pattern is of names, never of ids. */
    for (uint32_t i = 0; i < patterns.count && is_named(name) && !dt_group_is_id(name); i++)
        if (dt_pattern_matches(p->names[patterns.first + i].text, name))
            return true;
    return false;
}

static bool lists_have_user(dt_deciding const *d, dt_name_list names, dt_name_list patterns)
{
    dt_policy const *p = d->policy;
    char const *called[DT_CALLED_MAX] = {d->in->user, d->in->login, d->in->short_login};

    for (size_t i = 0; i < DT_CALLED_MAX; i++)
        if (is_named(called[i]) &&
            ((names.count > 0 && list_has(p, names, d->called_hashes[i], called[i])) ||
             patterns_match(p, patterns, called[i])))
            return true;
    return false;
}

static bool lists_have_a_group(dt_deciding const *d, dt_name_list names, dt_name_list patterns)
{
    for (size_t i = 0; names.count + patterns.count > 0 && i < d->in->group_count; i++)
        if ((names.count > 0 && list_has(d->policy, names, d->group_hashes[i], d->in->groups[i])) ||
            patterns_match(d->policy, patterns, d->in->groups[i]))
            return true;
    return false;
}

/* --- conditions -------------------------------------------------------------------------------- */

/* Included by name or by group (an include without any name is everyone), and excluded by neither.
 * Groups are asked for only where the names of people leave it open. */
static dt_holds people_hold(dt_deciding const *d, dt_rule const *r)
{
    bool by_user = r->users_include.count + r->users_like.count > 0;
    bool by_group = r->groups_include.count + r->groups_like.count > 0;
    bool unlike_group = r->groups_exclude.count + r->groups_unlike.count > 0;
    bool included;

    if (r->anyone)
        return DT_HOLDS_YES;
    if (d->in->machine) /* it is not one of the people, whatever it calls itself */
        return by_user || by_group ? DT_HOLDS_NO : DT_HOLDS_YES;
    if (lists_have_user(d, r->users_exclude, r->users_unlike))
        return DT_HOLDS_NO;
    included = (!by_user && !by_group) || lists_have_user(d, r->users_include, r->users_like);
    if (included && !unlike_group)
        return DT_HOLDS_YES;
    if (!included && !by_group)
        return DT_HOLDS_NO;
    if (!d->groups_known)
        return DT_HOLDS_UNKNOWN;
    if (lists_have_a_group(d, r->groups_exclude, r->groups_unlike))
        return DT_HOLDS_NO;
    return included || lists_have_a_group(d, r->groups_include, r->groups_like) ? DT_HOLDS_YES
                                                                                : DT_HOLDS_NO;
}

/* Is the address in one of the zones? Of two answers the surer counts. */
static dt_holds in_one_of(dt_deciding const *d, dt_name_list zones)
{
    dt_holds holds = DT_HOLDS_NO;

    for (uint32_t i = 0; i < zones.count; i++) {
        uint32_t zone = d->policy->zone_ids[zones.first + i];
        if (dt_tag_set_has(&d->zones_in, zone))
            return DT_HOLDS_YES;
        if (dt_tag_set_has(&d->zones_unknown, zone))
            holds = DT_HOLDS_UNKNOWN;
    }
    return holds;
}

/* Where nobody knows the address, neither "in" nor "not in" can be said; at this host it is in none. */
static dt_holds network_holds(dt_deciding const *d, dt_rule const *r)
{
    dt_holds include, exclude;

    if (!r->in_zone)
        return DT_HOLDS_YES;
    if (!d->in->ip.set)
        return d->in->address != DT_ADDRESS_LOCAL ? DT_HOLDS_UNKNOWN
               : r->zones_include.count > 0       ? DT_HOLDS_NO
                                                  : DT_HOLDS_YES;
    include = r->zones_include.count == 0 ? DT_HOLDS_YES : in_one_of(d, r->zones_include);
    exclude = in_one_of(d, r->zones_exclude);
    if (include == DT_HOLDS_NO || exclude == DT_HOLDS_YES)
        return DT_HOLDS_NO;
    return include == DT_HOLDS_YES && exclude == DT_HOLDS_NO ? DT_HOLDS_YES : DT_HOLDS_UNKNOWN;
}

static dt_holds platform_holds(dt_deciding const *d, dt_rule const *r)
{
    if (r->platforms == DT_PLATFORMS_ANY)
        return DT_HOLDS_YES;
    if (d->in->platform == DT_PLATFORM_UNKNOWN)
        return DT_HOLDS_UNKNOWN;
    return ((unsigned)d->in->platform & r->platforms) != 0 ? DT_HOLDS_YES : DT_HOLDS_NO;
}

/* A rule that names reasons cannot be judged where the reason is not known. */
static dt_holds device_holds(dt_deciding const *d, dt_rule const *r)
{
    uint64_t all = d->trust == DT_TRUST_TRUSTED ? DT_DEVICES_TRUSTED : DT_DEVICES_NOT_TRUSTED;

    if ((r->devices & all) == all)
        return DT_HOLDS_YES;
    if ((r->devices & all) == 0)
        return DT_HOLDS_NO;
    if (d->trust_guessed || (d->in->reason == DT_REASON_NONE && d->trust != DT_TRUST_TRUSTED))
        return DT_HOLDS_UNKNOWN;
    return (r->devices & d->screen.devices) != 0 ? DT_HOLDS_YES : DT_HOLDS_NO;
}

/* Minutes since Monday 00:00; the first of 1970 was a Thursday. */
unsigned dt_minute_of_week(dt_policy_input const *in, bool utc)
{
    int64_t minutes = in->now / DT_MINUTES(1) + (utc ? 0 : in->utc_offset) + 3 * DT_MINUTES_OF_DAY;
    int64_t of_week = minutes % DT_MINUTES_OF_WEEK;

    return (unsigned)(of_week < 0 ? of_week + DT_MINUTES_OF_WEEK : of_week);
}

static bool in_a_span(dt_policy const *p, dt_name_list spans, unsigned minute)
{
    for (uint32_t i = 0; i < spans.count; i++) {
        dt_time_span const *s = &p->spans[spans.first + i];
        if (minute >= s->begin && minute < s->end)
            return true;
    }
    return false;
}

static dt_holds time_holds(dt_deciding const *d, dt_rule const *r)
{
    unsigned minute;

    if (r->spans_include.count + r->spans_exclude.count == 0)
        return DT_HOLDS_YES;
    if (d->in->now <= 0 || (!r->utc && !d->in->utc_offset_known))
        return DT_HOLDS_UNKNOWN;
    minute = dt_minute_of_week(d->in, r->utc);
    if (in_a_span(d->policy, r->spans_exclude, minute))
        return DT_HOLDS_NO;
    return r->spans_include.count == 0 || in_a_span(d->policy, r->spans_include, minute)
               ? DT_HOLDS_YES
               : DT_HOLDS_NO;
}

/* All conditions of a rule that is ACTIVE, those that cost little first. NO outweighs UNKNOWN; *at gets
 * the first condition that does not hold, or that is not known. */
static dt_holds rule_holds(dt_deciding const *d, dt_rule const *r, dt_condition *at)
{
    static struct {
        dt_condition condition;
        dt_holds (*holds)(dt_deciding const *, dt_rule const *);
    } const tests[] = {{DT_CONDITION_DEVICE, device_holds},
                       {DT_CONDITION_PLATFORM, platform_holds},
                       {DT_CONDITION_TIME, time_holds},
                       {DT_CONDITION_NETWORK, network_holds},
                       {DT_CONDITION_PEOPLE, people_hold}};
    dt_holds all = DT_HOLDS_YES;

    *at = DT_CONDITION_NONE;
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        dt_holds one = tests[i].holds(d, r);
        if (one == DT_HOLDS_YES || (one == DT_HOLDS_UNKNOWN && all == DT_HOLDS_UNKNOWN))
            continue;
        all = one;
        *at = tests[i].condition;
        if (one == DT_HOLDS_NO)
            return one;
    }
    return all;
}

/* --- deciding ---------------------------------------------------------------------------------- */

static void begin_people(dt_deciding *d)
{
    dt_policy_input const *in = d->in;
    bool asked = d->policy->all_groups.count + d->policy->all_group_patterns.count > 0;

    char const *called[DT_CALLED_MAX] = {in->user, in->login, in->short_login};

    d->screen.people = 0;
    for (size_t i = 0; i < DT_CALLED_MAX; i++) {
        d->called_hashes[i] = is_named(called[i]) ? dt_name_hash(called[i]) : 0;
        d->screen.people |= hash_bit(d->called_hashes[i]);
    }
    /* More than can be looked at: to leave some out could overlook an exclusion. */
    d->groups_known = in->group_knowledge == DT_GROUPS_KNOWN && in->group_count <= DT_GROUPS_MAX;
    for (size_t i = 0; asked && d->groups_known && i < in->group_count; i++) {
        d->groups_known = in->groups[i] != NULL;
        if (d->groups_known) {
            d->group_hashes[i] = dt_name_hash(in->groups[i]);
            d->screen.people |= hash_bit(d->group_hashes[i]);
        }
    }
    if (!d->groups_known)
        d->screen.people = UINT64_MAX;
}

/* The first word of a set is folded over the others: one bit for each zone modulo 64. */
static void begin_network(dt_deciding *d)
{
    size_t words = dt_zones_words(d->policy->zones);

    d->screen.zones = 0;
    if (!d->in->ip.set) {
        d->screen.zones = d->in->address == DT_ADDRESS_LOCAL ? 0 : UINT64_MAX;
        memset(d->zones_in.words, 0, words * sizeof(d->zones_in.words[0]));
        memset(d->zones_unknown.words, 0, words * sizeof(d->zones_unknown.words[0]));
        return;
    }
    dt_zones_locate(d->policy->zones, &d->in->ip, d->in->place, &d->zones_in, &d->zones_unknown);
    for (size_t i = 0; i < words; i++)
        d->screen.zones |= d->zones_in.words[i] | d->zones_unknown.words[i];
}

static void begin_device(dt_deciding *d)
{
    dt_policy_input const *in = d->in;
    dt_reason reason = in->reason;

    d->trust = in->trust;
    d->trust_guessed = in->trust != DT_TRUST_TRUSTED && in->trust != DT_TRUST_NOT_TRUSTED;
    if (d->trust_guessed)
        d->trust =
            in->unknown_as == DT_UNKNOWN_NOT_TRUSTED ? DT_TRUST_NOT_TRUSTED : DT_TRUST_UNKNOWN;
    if ((unsigned)reason >= DT_REASON_COUNT)
        reason = DT_REASON_NONE;
    if (d->trust == DT_TRUST_TRUSTED)
        d->screen.devices = UINT64_C(1)
                            << (DT_DEVICE_TRUSTED_SHIFT +
                                (reason == DT_REASON_NONE ? DT_REASON_TRUSTED : reason));
    else if (d->trust_guessed || reason == DT_REASON_NONE)
        d->screen.devices = DT_DEVICES_NOT_TRUSTED;
    else
        d->screen.devices = UINT64_C(1) << reason;
}

/* False when nobody asks. What is big is filled as far as it is needed only: clearing it would cost
 * more than most decisions do. */
static bool deciding_begin(dt_deciding *d, dt_policy const *p, dt_policy_input const *in)
{
    if (!is_named(in->user))
        return false;
    d->policy = p;
    d->in = in;
    d->screen.platforms =
        in->platform == DT_PLATFORM_UNKNOWN ? DT_PLATFORMS_ANY : (uint8_t)in->platform;
    begin_device(d);
    begin_people(d);
    begin_network(d);
    return true;
}

/* BLOCKLIST zones deny before any rule, also where nobody can say that the address is not in one. */
static dt_decision_cause blocklist_cause(dt_deciding const *d)
{
    dt_zones const *z = d->policy->zones;
    bool maybe = false;

    if (z == NULL || z->blocklists == 0)
        return DT_DECISION_RULE;
    if (!d->in->ip.set)
        return d->in->address == DT_ADDRESS_UNKNOWN ? DT_DECISION_UNKNOWN_NETWORK
                                                    : DT_DECISION_RULE;
    for (size_t i = 0; i < dt_zones_words(z); i++) {
        if ((z->blocklist.words[i] & d->zones_in.words[i]) != 0)
            return DT_DECISION_BLOCKED_ZONE;
        maybe = maybe || (z->blocklist.words[i] & d->zones_unknown.words[i]) != 0;
    }
    return maybe ? DT_DECISION_UNKNOWN_NETWORK : DT_DECISION_RULE;
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

static dt_decision_cause unknown_cause(dt_condition c)
{
    switch (c) {
    case DT_CONDITION_PEOPLE:
        return DT_DECISION_UNKNOWN_GROUPS;
    case DT_CONDITION_NETWORK:
        return DT_DECISION_UNKNOWN_NETWORK;
    case DT_CONDITION_PLATFORM:
        return DT_DECISION_UNKNOWN_PLATFORM;
    case DT_CONDITION_TIME:
        return DT_DECISION_UNKNOWN_TIME;
    default:
        return DT_DECISION_UNKNOWN_DEVICE;
    }
}

/* Takes a rule that holds, or of which that is not known. False when the rules after it count. */
static bool take_rule(dt_deciding const *d, dt_rule const *r, dt_decision_cause *passed,
                      dt_decision *out)
{
    dt_condition at;
    dt_holds holds = rule_holds(d, r, &at);

    if (holds == DT_HOLDS_NO)
        return false;
    if (holds == DT_HOLDS_UNKNOWN) {
        out->unknown |= 1u << at;
        if (*passed == DT_DECISION_NO_RULE)
            *passed = unknown_cause(at);
        if (r->plain_allow)
            return false;
        out->cause = *passed;
        return true;
    }
    if (r->access == DT_ACCESS_DENY && *passed != DT_DECISION_NO_RULE)
        out->cause = *passed;
    else
        decision_fill(d->policy, r, out);
    return true;
}

static bool screen_lets(dt_rule_screen const *rule, dt_rule_screen const *in)
{
    return (rule->devices & in->devices) != 0 && (rule->platforms & in->platforms) != 0 &&
           (rule->people & in->people) != 0 &&
           ((rule->zones & in->zones) != 0 || rule->zones == UINT64_MAX);
}

void dt_policy_decide(dt_policy const *p, dt_policy_input const *in, dt_decision *out)
{
    dt_decision_cause passed = DT_DECISION_NO_RULE, blocked;
    dt_deciding d;

    memset(out, 0, sizeof(*out));
    if (p == NULL || in == NULL || !deciding_begin(&d, p, in))
        return;
    blocked = blocklist_cause(&d);
    if (blocked != DT_DECISION_RULE) {
        out->cause = blocked;
        return;
    }
    if (d.trust == DT_TRUST_UNKNOWN) {
        out->cause = DT_DECISION_UNKNOWN_DEVICE;
        return;
    }
    for (size_t i = 0; i < p->rule_count; i++) {
        if (screen_lets(&p->screens[i], &d.screen) && take_rule(&d, &p->rules[i], &passed, out))
            return;
    }
    out->cause = passed;
}

dt_condition dt_policy_explain_rule(dt_policy const *p, size_t i, dt_policy_input const *in,
                                    char const **rule_name)
{
    dt_deciding d;
    dt_condition at;

    *rule_name = "";
    if (p == NULL || in == NULL || i >= p->rule_count)
        return DT_CONDITION_INACTIVE;
    *rule_name = p->rules[i].name;
    if (!p->rules[i].active)
        return DT_CONDITION_INACTIVE;
    if (!deciding_begin(&d, p, in))
        return DT_CONDITION_PEOPLE;
    if (d.trust == DT_TRUST_UNKNOWN)
        d.trust = DT_TRUST_NOT_TRUSTED; /* for the other conditions; no rule decides then */
    (void)rule_holds(&d, &p->rules[i], &at);
    return at;
}

bool dt_policy_rule_is_unknown(dt_policy const *p, size_t i, dt_policy_input const *in)
{
    dt_deciding d;
    dt_condition at;

    if (p == NULL || in == NULL || i >= p->rule_count || !p->rules[i].active ||
        !deciding_begin(&d, p, in))
        return false;
    return rule_holds(&d, &p->rules[i], &at) == DT_HOLDS_UNKNOWN;
}

char const *dt_policy_blocking_zone(dt_policy const *p, dt_policy_input const *in)
{
    dt_tag_set zones, unknown;

    if (p == NULL || in == NULL || p->zones == NULL || !in->ip.set)
        return "";
    dt_zones_locate(p->zones, &in->ip, in->place, &zones, &unknown);
    for (uint32_t i = 0; i < p->zones->count; i++)
        if (dt_tag_set_has(&p->zones->blocklist, i) && dt_tag_set_has(&zones, i))
            return p->zones->zones[i].name;
    return "";
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
    return p != NULL && p->all_groups.count + p->all_group_patterns.count > 0;
}

bool dt_policy_names_group(dt_policy const *p, char const *group)
{
    return p != NULL && is_named(group) &&
           (list_has(p, p->all_groups, dt_name_hash(group), group) ||
            patterns_match(p, p->all_group_patterns, group));
}

bool dt_policy_has_group_name(dt_policy const *p, char const *group)
{
    return p != NULL && is_named(group) && !dt_group_is_id(group) &&
           list_has(p, p->all_groups, dt_name_hash(group), group);
}

char const *dt_policy_group_named(dt_policy const *p, size_t i, bool *pattern)
{
    *pattern = p != NULL && i >= p->all_groups.count;
    if (p == NULL || i >= (size_t)p->all_groups.count + p->all_group_patterns.count)
        return NULL;
    return p
        ->names[*pattern ? p->all_group_patterns.first + (i - p->all_groups.count)
                         : p->all_groups.first + i]
        .text;
}

static bool packed_has(dt_policy const *p, dt_name_list names, dt_name_list patterns, dt_bytes kept)
{
    char const *at = (char const *)kept.p;

    for (size_t used = 0; used < kept.len; used += strlen(at + used) + 1) {
        char const *name = at + used;
        if (list_has(p, names, dt_name_hash(name), name) || patterns_match(p, patterns, name))
            return true;
    }
    return false;
}

/* A rule asks of each of its two lists whether any of the person's groups is in it: a group tells
 * nothing new where each list that it is in has one already. */
bool dt_policy_group_is_relevant(dt_policy const *p, dt_bytes kept, char const *group)
{
    bool listed = false;

    if (!dt_policy_names_group(p, group))
        return false;
    for (size_t i = 0; i < p->rule_count; i++) {
        dt_rule const *r = &p->rules[i];
        dt_name_list const lists[][2] = {{r->groups_include, r->groups_like},
                                         {r->groups_exclude, r->groups_unlike}};
        for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++) {
            if (!list_has(p, lists[k][0], dt_name_hash(group), group) &&
                !patterns_match(p, lists[k][1], group))
                continue;
            listed = true;
            if (!packed_has(p, lists[k][0], lists[k][1], kept))
                return true;
        }
    }
    return !listed; /* named elsewhere: kept, to be safe */
}

static bool names_some(dt_policy const *p, bool ids)
{
    for (uint32_t i = 0; p != NULL && i < p->all_groups.count; i++)
        if (dt_group_is_id(p->names[p->all_groups.first + i].text) == ids)
            return true;
    return false;
}

bool dt_policy_names_ids(dt_policy const *p)
{
    return names_some(p, true);
}

bool dt_policy_names_names(dt_policy const *p)
{
    return p != NULL && (p->all_group_patterns.count > 0 || names_some(p, false));
}

static char const *name_beside(char const *id)
{
    return id + strlen(id) + 1;
}

char const *dt_policy_group_meant(dt_policy const *p, char const *word, size_t i)
{
    for (uint32_t k = 0; p != NULL && k < p->all_groups.count; k++) {
        char const *text = p->names[p->all_groups.first + k].text;
        if (dt_group_is_id(text) &&
            (strcmp(text + 1, word) == 0 || dt_str_equal_nocase(name_beside(text), word)) &&
            i-- == 0)
            return text;
    }
    return NULL;
}

char *dt_policy_group_shown(dt_policy const *p, char const *group, char out[DT_GROUP_SHOWN_MAX])
{
    char const *name = "";
    dt_buf b;

    dt_buf_init_fixed(&b, out, DT_GROUP_SHOWN_MAX);
    dt_buf_puts(&b, dt_group_is_id(group) ? group + 1 : group);
    for (uint32_t k = 0; dt_group_is_id(group) && p != NULL && k < p->all_groups.count; k++) {
        char const *text = p->names[p->all_groups.first + k].text;
        if (strcmp(text, group) == 0)
            name = name_beside(text);
    }
    if (name[0] != '\0')
        dt_buf_printf(&b, " (%s)", name);
    return out;
}

bool dt_policy_needs_time(dt_policy const *p)
{
    return p != NULL && p->needs_time;
}

dt_report dt_policy_report(dt_policy const *p)
{
    return p == NULL ? DT_REPORT_UNSET : p->report;
}

size_t dt_policy_rule_count(dt_policy const *p)
{
    return p == NULL ? 0 : p->rule_count;
}

char const *dt_policy_warning(dt_policy const *p, size_t i)
{
    return p != NULL && i < p->warning_count && i <= DT_POLICY_WARNINGS_MAX ? p->warnings[i] : NULL;
}

bool dt_policy_asks_for(dt_policy const *p, dt_trust trust)
{
    uint64_t other = trust == DT_TRUST_TRUSTED       ? DT_DEVICES_NOT_TRUSTED
                     : trust == DT_TRUST_NOT_TRUSTED ? DT_DEVICES_TRUSTED
                                                     : 0;

    for (size_t i = 0; other != 0 && i < dt_policy_rule_count(p); i++) {
        if (p->rules[i].active && (p->rules[i].devices & other) == 0)
            return true;
    }
    return false;
}

char const *dt_policy_find_user(dt_policy const *p, bool (*is_wrong)(void *ctx, char const *name),
                                void *ctx, char const **rule)
{
    for (size_t i = 0; p != NULL && i < p->rule_count; i++) {
        dt_name_list const lists[] = {p->rules[i].users_include, p->rules[i].users_exclude};

        for (size_t j = 0; j < 2; j++) {
            for (uint32_t k = 0; k < lists[j].count; k++) {
                char const *name = p->names[lists[j].first + k].text;

                if (is_wrong(ctx, name)) {
                    *rule = p->rules[i].name;
                    return name;
                }
            }
        }
    }
    return NULL;
}
