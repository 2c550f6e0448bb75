/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a sign-on that finds out in which groups the person is at Okta, for the decision, and whether a name
 * that a rule says is that of one group of the org. */
#include "core/signon/signon_internal.h"

#include <string.h>

/* The index of the group that Okta gave this name, ignoring case; group_count for none. */
static size_t find_okta_group(dt_signon const *s, char const *name)
{
    char const *at = s->scratch->groups;

    for (size_t i = 0; i < s->group_count; i++) {
        if (i >= s->request_group_count && dt_str_equal_nocase(at, name))
            return i;
        at += strlen(at) + 1;
    }
    return s->group_count;
}

/* Where Okta has a group of its own of this name, that is the one that is meant, whoever else is called so. */
static bool take_group_name(dt_signon *s, char const *name)
{
    bool sure = name[0] != DT_GROUP_UNSURE_MARK;
    size_t before = s->group_count, same;

    name += sure ? 0 : 1;
    same = find_okta_group(s, name);
    if (same == before && !dt_signon_add_group(s, name))
        return false;
    if (sure && same < before)
        s->unsure_names &= ~(UINT64_C(1) << same);
    else if (!sure && s->group_count > before)
        s->unsure_names |= UINT64_C(1) << before;
    return true;
}

static bool take_group_names(dt_signon *s, dt_bytes names)
{
    char const *at = (char const *)names.p;
    char const *end = at + names.len;

    while (at < end) {
        size_t len = strnlen(at, (size_t)(end - at));

        if (at + len == end || !take_group_name(s, at))
            return false;
        at += len + 1;
    }
    return true;
}

bool dt_signon_okta_names(dt_signon const *s)
{
    return (s->ruleset.config->policy.groups_from & DT_GROUPS_FROM_OKTA) != 0 &&
           dt_ruleset_names_names(&s->ruleset);
}

static bool wants_group(void const *ruleset, char const *group)
{
    return dt_ruleset_names_group(ruleset, group);
}

static char const *group_at(dt_signon const *s, size_t i)
{
    char const *at = s->scratch->groups;

    for (; i > 0; i--)
        at += strlen(at) + 1;
    return at;
}

/* A rule says this name, and not only a pattern of names or the group's id. */
static bool is_said(dt_signon const *s, char const *group)
{
    return dt_policy_has_group_name(s->ruleset.policy, group) ||
           dt_policy_has_group_name(s->ruleset.org, group);
}

char const *dt_signon_group_name(dt_signon const *s)
{
    char const *group;

    if (s->name_at < s->request_group_count || s->name_at >= s->group_count ||
        (s->unsure_names & UINT64_C(1) << s->name_at) == 0)
        return NULL;
    group = group_at(s, s->name_at);
    return is_said(s, group) ? group : NULL;
}

/* Which of the groups of a name a rule means, nobody can say: the person's groups are not known. */
static void name_in_doubt(dt_signon *s, char const *why)
{
    char shown[DT_GROUP_NAME_MAX];

    (void)dt_str_escape(shown, sizeof(shown), group_at(s, s->name_at));
    dt_signon_detail(s,
                     "Okta: group \"%.100s\": %s; use {\"id\": ...} of the intended group instead "
                     "of its name in the policy",
                     shown, why);
}

/* --- the groups ------------------------------------------------------------------------------- */

/* A name is not a group: whoever names one means Okta's own group of that name, or else the only one. So each
 * name of another group that a rule says is looked up at the org, from name_at on; then the person's groups
 * are known. */
static dt_question groups_need(dt_signon *s, dt_lookup_step step, dt_lookup_step *with)
{
    (void)with;
    if (step == DT_LOOKUP_GET)
        return DT_QUESTION_USER;
    if (step == DT_LOOKUP_ASK)
        return DT_QUESTION_NONE;
    while (s->name_at < s->group_count && dt_signon_group_name(s) == NULL)
        s->name_at++;
    return s->name_at < s->group_count ? DT_QUESTION_GROUP_NAME : DT_QUESTION_NONE;
}

static void name_known(dt_signon *s, dt_time now)
{
    if (s->named != 1) {
        name_in_doubt(s, "the org has no group of this name, or several");
        dt_lookup_end_without(s, NULL, now);
        return;
    }
    s->name_at++;
    dt_lookup_want(s, DT_LOOKUP_KEEP, now);
}

static void name_unknown(dt_signon *s, dt_lookup_reply const *why, dt_time now)
{
    if (why == NULL)
        name_in_doubt(s, "too many group names to look up at once");
    else if (why->endless)
        name_in_doubt(s, "it is unknown whether other groups have its name");
    dt_lookup_end_without(s, why, now);
}

static void groups_resume(dt_signon *s, dt_question inner, dt_lookup_end e,
                          dt_lookup_reply const *why, dt_time now)
{
    if (inner == DT_QUESTION_GROUP_NAME && e == DT_LOOKUP_NONE)
        name_unknown(s, why, now);
    else if (inner == DT_QUESTION_GROUP_NAME)
        name_known(s, now);
    else if (e == DT_LOOKUP_NONE)
        dt_lookup_end_without(s, why, now);
    else
        dt_lookup_go(s, DT_LOOKUP_GET, now);
}

static dt_freshness groups_unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    return dt_signon_groups_unpack(s, kept, now) == DT_OK ? DT_FRESH : DT_TOO_OLD;
}

static int groups_request(dt_signon *s)
{
    return dt_signon_page(s, dt_okta_get_groups(s->ruleset.config, s->user_id, &s->scratch->http));
}

#define TOO_MANY "the user has more groups than can be taken in"

static void groups_read(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    uint8_t storage[32 * 1024];
    dt_okta_group_filter const filter = {
        .wants = wants_group,
        .ctx = &s->ruleset,
        .ids = dt_ruleset_names_ids(&s->ruleset),
        .names = dt_signon_okta_names(s),
    };
    dt_buf names;
    dt_error err = {0};
    dt_okta_answer a;

    dt_buf_init_fixed(&names, storage, sizeof(storage));
    a = dt_okta_read_groups(s->ruleset.config, r, &filter, &names, out->next, &err);
    if (!dt_signon_okta_is_ok(s, a, r, &err, now, out))
        return;
    if (dt_buf_error(&names) < 0 || !take_group_names(s, dt_buf_bytes(&names))) {
        out->kind = DT_REPLY_FAILED;
        (void)dt_error_set(&out->why, DT_E_LIMIT, "%s", TOO_MANY);
        return;
    }
    s->groups_learnt = now;
    s->name_at = s->request_group_count;
}

/* Without the groups it is decided without them, which denies; but not where we are at fault, and say so. */
static void groups_answered(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *why, dt_time now)
{
    dt_okta_answer a = why != NULL ? (dt_okta_answer)why->answer : DT_OKTA_OK;

    if (e == DT_LOOKUP_NONE && (a == DT_OKTA_UNAUTHORIZED || dt_okta_is_local(a))) {
        dt_signon_finish(s, DT_DENY, dt_signon_cause_of(a), now);
        return;
    }
    if (e != DT_LOOKUP_NONE)
        s->group_knowledge = DT_GROUPS_KNOWN;
    dt_signon_go(s, DT_STAGE_DECISION);
}

static bool groups_have_fields(dt_signon const *s, dt_lookup_step step)
{
    (void)step;
    return s->user_id[0] != '\0';
}

dt_question_row const dt_question_groups = {
    .service = "Okta",
    .part = DT_PART_GROUPS,
    .inner = DT_QUESTION_BIT(DT_QUESTION_USER) | DT_QUESTION_BIT(DT_QUESTION_GROUP_NAME),
    .needs = groups_need,
    .resume = groups_resume,
    .key = dt_signon_groups_key,
    .unpack = groups_unpack,
    .request = groups_request,
    .read = groups_read,
    .pages = DT_SIGNON_GROUP_PAGES_MAX,
    .endless = TOO_MANY,
    .pack = dt_signon_groups_pack,
    .answered = groups_answered,
    .has_fields = groups_have_fields,
};

/* --- a name ----------------------------------------------------------------------------------- */

static dt_freshness name_unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    bool one = false;

    if (dt_signon_group_name_unpack(s, kept, now, &one) < 0)
        return DT_TOO_OLD;
    s->named = one ? 1 : 0;
    return DT_FRESH;
}

static bool name_may_ask(dt_signon *s)
{
    if (s->names_asked >= DT_SIGNON_GROUP_NAMES_MAX)
        return false;
    s->names_asked++;
    s->named = 0;
    return true;
}

static int name_request(dt_signon *s)
{
    char const *name = dt_signon_group_name(s);

    return name == NULL
               ? DT_E_INVALID
               : dt_signon_page(s, dt_okta_find_groups(s->ruleset.config, name, &s->scratch->http));
}

/* A page of the org's groups of the name; of two groups the others do not matter. */
static void name_read(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    dt_error err = {0};
    dt_okta_answer a = dt_okta_count_named_groups(s->ruleset.config, r, dt_signon_group_name(s),
                                                  &s->named, out->next, &err);

    if (dt_signon_okta_is_ok(s, a, r, &err, now, out) && s->named >= 2)
        out->next[0] = '\0';
}

static bool name_has_fields(dt_signon const *s, dt_lookup_step step)
{
    (void)step;
    return s->user_id[0] && s->group_knowledge == DT_GROUPS_UNKNOWN &&
           dt_signon_group_name(s) != NULL;
}

dt_question_row const dt_question_group_name = {
    .service = "Okta",
    .part = DT_PART_GROUPS,
    .only_inner = true,
    .key = dt_signon_group_name_key,
    .unpack = name_unpack,
    .may_ask = name_may_ask,
    .request = name_request,
    .read = name_read,
    .pages = DT_SIGNON_NAME_PAGES_MAX,
    .pack = dt_signon_group_name_pack,
    .has_fields = name_has_fields,
};
