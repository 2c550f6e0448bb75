/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decides a sign-on of the audit log once more. Of a person's groups the event has those that the rules
 * of then named. Where a rule of now names another one, nobody can say whether the person is in it: then
 * the decision counts only if it is the same either way. */
#include "devtrustctl/replay_event.h"

#include "core/signon/signon.h"

#include <string.h>

/* Groups that today's rules name and the event does not record. */
typedef struct unrecorded {
    char const *groups[DT_REPLAY_UNRECORDED_MAX];
    size_t count; /* also of those that do not fit */
    bool patterns;
    char const *first; /* NULL: none */
} unrecorded;

/* --- which groups the event records ------------------------------------------------------------ */

static bool is_same(char const *a, char const *b)
{
    return dt_group_is_id(a) ? strcmp(a, b) == 0 : dt_str_equal_nocase(a, b);
}

/* Whether the rules of then asked about it: by its name or id, or by a pattern that takes it in. */
static bool was_asked(dt_json const *asked, char const *group, bool pattern)
{
    for (size_t i = 0; i < dt_json_size(asked); i++) {
        dt_json const *v = dt_json_at(asked, i);
        char const *name = dt_json_string(v), *id = dt_json_string(dt_json_get(v, "id"));
        char const *like = dt_json_string(dt_json_get(v, "like"));

        if (pattern && like != NULL && dt_str_equal_nocase(like, group))
            return true;
        if (!pattern && id != NULL && dt_group_is_id(group) && strcmp(id, group + 1) == 0)
            return true;
        if (!pattern && !dt_group_is_id(group) &&
            ((name != NULL && dt_str_equal_nocase(name, group)) ||
             (like != NULL && dt_pattern_matches(like, group))))
            return true;
    }
    return false;
}

/* In which the person is, surely. */
static bool is_in(dt_replay_event const *event, char const *group)
{
    for (size_t i = 0; i < event->in.group_count; i++)
        if (!event->unsure[i] && is_same(group, event->groups[i]))
            return true;
    return false;
}

/* One of several groups of its name, of which only patterns were asked. */
static bool is_unsure(dt_replay_event const *event, char const *group)
{
    for (size_t i = 0; i < event->in.group_count; i++)
        if (event->unsure[i] && is_same(group, event->groups[i]))
            return true;
    return false;
}

static bool is_recorded(dt_replay_event const *event, char const *group, bool pattern)
{
    if (event->groups_lookup != DT_GROUPS_LOOKUP_ANSWERED)
        return false;
    if (!pattern && is_in(event, group))
        return true;
    return !event->selected && event->asked != NULL && !is_unsure(event, group) &&
           was_asked(event->asked, group, pattern);
}

static void find_unrecorded(dt_replay_event const *event, dt_policy const *p, unrecorded *u)
{
    bool pattern = false;
    char const *group;

    for (size_t i = 0; (group = dt_policy_group_named(p, i, &pattern)) != NULL; i++) {
        if (is_recorded(event, group, pattern))
            continue;
        if (u->first == NULL)
            u->first = group;
        /* Neither can be tried as one group that the person is in or not. */
        u->patterns = u->patterns || pattern || is_unsure(event, group);
        if (u->count < DT_REPLAY_UNRECORDED_MAX)
            u->groups[u->count] = group;
        u->count++;
    }
}

/* The same rules with the same groups decide the same, whatever was kept of the groups. */
static bool is_same_rules(dt_replay_rules const *rules, dt_replay_event const *event)
{
    return event->policy_hash[0] != '\0' &&
           strcmp(event->policy_hash, dt_policy_hash(rules->policy)) == 0 &&
           strcmp(event->org_hash, dt_policy_hash(rules->org)) == 0;
}

/* --- deciding ---------------------------------------------------------------------------------- */

static void decide(dt_replay_rules const *rules, dt_policy_input const *in, dt_outcome *o)
{
    dt_ruleset const ruleset = {
        .config = rules->config, .policy = rules->policy, .org = rules->org};

    *o = (dt_outcome){.verdict = {.trust = in->trust, .reason = in->reason}};
    dt_policy_decide(rules->policy, in, &o->decision);
    dt_signon_decide_org(&ruleset, in, o);
}

/* The two came about by the same rules. */
static bool is_same_decision(dt_outcome const *a, dt_outcome const *b)
{
    return a->decision.access == b->decision.access && a->decision.cause == b->decision.cause &&
           a->decision.priority == b->decision.priority && a->org.cause == b->org.cause &&
           a->org.priority == b->org.priority && strcmp(a->decision.rule, b->decision.rule) == 0 &&
           strcmp(a->org.rule, b->org.rule) == 0;
}

/* True when it is the same for every choice of groups among those that are not recorded. A rule holds for some
 * choice only if it holds without any of them or with a single one (one group suffices to be included, and
 * each may only exclude), and for every choice only if it also holds with all of them. So no rule before
 * the one that decides without any can ever hold if none does with a single one, and that one always
 * holds if it does with all. */
static bool is_unaffected(dt_replay_rules const *rules, dt_replay_event *event, unrecorded const *u,
                          dt_outcome const *without)
{
    dt_policy_input in = event->in;
    size_t known = in.group_count;
    dt_outcome o;

    if (u->patterns || u->count > DT_REPLAY_UNRECORDED_MAX || known + u->count > DT_GROUPS_MAX)
        return false;
    for (size_t i = 0; i < u->count; i++) {
        event->groups[known] = u->groups[i];
        in.group_count = known + 1;
        decide(rules, &in, &o);
        if (!is_same_decision(&o, without))
            return false;
    }
    for (size_t i = 0; i < u->count; i++)
        event->groups[known + i] = u->groups[i];
    in.group_count = known + u->count;
    decide(rules, &in, &o);
    return is_same_decision(&o, without);
}

static void report_unrecorded(dt_replay_rules const *rules, dt_replay_event const *event,
                              unrecorded const *u, dt_error *e)
{
    char shown[DT_GROUP_SHOWN_MAX];

    if (event->groups_lookup == DT_GROUPS_LOOKUP_NOT_MADE)
        (void)dt_error_set(e, DT_E_NOT_FOUND,
                           "the event has no groups: no rule needed them at that time");
    else if (event->groups_lookup == DT_GROUPS_LOOKUP_FAILED)
        (void)dt_error_set(e, DT_E_NOT_FOUND,
                           "the event has no groups: they were not known at that time");
    else
        (void)dt_error_set(e, DT_E_NOT_FOUND,
                           "the event does not say whether they are in \"%.200s\"",
                           dt_policy_group_shown(rules->policy, u->first, shown));
}

static void fill(dt_outcome const *o, dt_replay_decision *out)
{
    dt_decision const *d = &o->decision;

    *out = (dt_replay_decision){.access = d->access, .org_access = o->org.access};
    memcpy(out->rule, d->rule, sizeof(out->rule));
    memcpy(out->org_rule, o->org.rule, sizeof(out->org_rule));
    if (d->access != DT_ACCESS_ALLOW_AFTER_MFA)
        return;
    (void)dt_decision_frequency_text(out->frequency, d);
    out->factors = d->factors;
}

bool dt_replay_decide(dt_replay_rules const *rules, dt_replay_event *event,
                      dt_replay_decision *after, dt_error *e)
{
    dt_policy_input blind = event->in;
    unrecorded u = {.count = 0};
    dt_outcome o;

    if (!is_same_rules(rules, event)) {
        find_unrecorded(event, rules->policy, &u);
        find_unrecorded(event, rules->org, &u);
    }
    decide(rules, &event->in, &o);
    if (u.count > 0) {
        dt_outcome without = o;
        blind.group_knowledge = DT_GROUPS_UNKNOWN;
        decide(rules, &blind, &o);
        if ((o.decision.unknown | o.org.unknown) != 0) {
            if (event->groups_lookup != DT_GROUPS_LOOKUP_ANSWERED ||
                !is_unaffected(rules, event, &u, &without)) {
                report_unrecorded(rules, event, &u, e);
                return false;
            }
            o = without;
        }
    }
    fill(&o, after);
    return true;
}

/* Events hold as much of a long name as fits. */
static bool is_same_rule(char const *event, char const *rule)
{
    size_t len = dt_audit_rule_length(rule);

    return strlen(event) == len && strncmp(event, rule, len) == 0;
}

char const *dt_replay_difference(dt_replay_decision const *before, dt_replay_decision const *after)
{
    if (before->access != after->access)
        return "access";
    if (strcmp(before->frequency, after->frequency) != 0)
        return "frequency";
    if (before->factors != after->factors)
        return "factors";
    if (!is_same_rule(before->rule, after->rule) ||
        !is_same_rule(before->org_rule, after->org_rule))
        return "rule";
    return NULL;
}
