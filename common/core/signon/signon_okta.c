/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a sign-on that finds out who the person is at Okta: id, groups, factors. */
#include "core/signon/signon_internal.h"

#include <string.h>

/* The look-up serves the decision (groups), which is not made yet, and not the MFA. */
static bool is_for_groups(dt_signon const *s)
{
    return s->outcome.decision.cause == DT_DECISION_UNKNOWN_GROUPS;
}

void dt_signon_okta_unavailable(dt_signon *s, dt_time now)
{
    dt_unavailable_as as = s->site.config->policy.okta_unavailable;
    bool trusted = s->outcome.verdict.trust == DT_TRUST_TRUSTED;

    if (dt_signon_remembered_unavailable(s, now))
        return;
    if (!s->negative &&
        (as == DT_UNAVAILABLE_ALLOW || (as == DT_UNAVAILABLE_ALLOW_TRUSTED && trusted))) {
        dt_signon_finish(s, DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW, now);
        return;
    }
    dt_signon_finish(s, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE, now);
}

static dt_time fair_timeout(dt_signon const *s)
{
    dt_time own = s->site.config->okta.timeout;

    return own < DT_SIGNON_FAIR_TIMEOUT ? own : DT_SIGNON_FAIR_TIMEOUT;
}

bool dt_signon_was_cut_short(dt_signon const *s, dt_http_response const *r)
{
    return r->failure == DT_HTTP_TIMEOUT && s->asked_for < fair_timeout(s);
}

/* A GET may be sent again; what makes somebody's phone ring or uses up a passcode may not, unless
 * Okta said that it did nothing (429). */
static bool may_retry(dt_signon const *s, dt_okta_answer a, dt_http_response const *r, dt_time wait,
                      dt_time now)
{
    if (s->retries >= DT_SIGNON_RETRIES_MAX || now + wait >= s->deadline ||
        !dt_signon_remembered_may_wait(s) ||
        (s->device_wants_user && s->okta_device_kept.fetched > 0))
        return false;
    if (r->failure == DT_HTTP_TIMEOUT && now + fair_timeout(s) > s->deadline)
        return false; /* the next one could only be cut short */
    return a == DT_OKTA_RATE_LIMITED ||
           (dt_phase_row_of(s->phase)->repeatable && dt_okta_is_unavailable(a));
}

dt_cause dt_signon_cause_of(dt_okta_answer a)
{
    switch (a) {
    case DT_OKTA_UNREACHABLE:
    case DT_OKTA_SERVER_ERROR:
        return DT_CAUSE_OKTA_UNAVAILABLE;
    case DT_OKTA_RATE_LIMITED:
        return DT_CAUSE_MFA_RATE_LIMITED;
    case DT_OKTA_NOT_FOUND:
    case DT_OKTA_NOT_ACTIVE:
        return DT_CAUSE_OKTA_REFUSED;
    case DT_OKTA_UNAUTHORIZED:
        return DT_CAUSE_CONFIG;
    case DT_OKTA_PROVIDER_FAILED:
        return DT_CAUSE_MFA_PROVIDER_FAILED;
    case DT_OKTA_UNTRUSTED:
        return DT_CAUSE_OKTA_UNTRUSTED;
    case DT_OKTA_OVERLOADED:
        return DT_CAUSE_OVERLOADED;
    case DT_OKTA_LOCAL:
        return DT_CAUSE_LOCAL_FAULT;
    case DT_OKTA_UNUSABLE:
    case DT_OKTA_OK: /* read, and not understood */
        break;
    }
    return DT_CAUSE_OKTA_ANSWER_UNUSABLE;
}

bool dt_signon_okta_failed(dt_signon *s, dt_okta_answer a, dt_http_response const *r,
                           dt_error const *e, dt_time now)
{
    dt_time wait = a == DT_OKTA_RATE_LIMITED ? dt_okta_rate_wait(r) : 0;

    if (a == DT_OKTA_OK)
        return false;
    dt_signon_detail(s, "Okta: %s", e->text);
    if (!s->device_wants_user)
        s->negative = s->negative || !dt_okta_is_unavailable(a);
    if (may_retry(s, a, r, wait, now)) {
        dt_signon_retry(s, s->phase, now + wait);
        return true;
    }
    if (s->device_wants_user) {
        dt_signon_device_user_failed(s, a, now);
        return true;
    }
    if (is_for_groups(s) && a != DT_OKTA_UNAUTHORIZED && !dt_okta_is_local(a))
        dt_signon_go(s, DT_STAGE_DECISION); /* with groups unknown: denies */
    else if (dt_signon_was_cut_short(s, r))
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
    else if (dt_okta_is_unavailable(a))
        dt_signon_okta_unavailable(s, now);
    else
        dt_signon_finish(s, DT_DENY, dt_signon_cause_of(a), now);
    return true;
}

static void user_known(dt_signon *s)
{
    if (s->device_wants_user)
        dt_signon_device_user_known(s);
    else if (is_for_groups(s))
        dt_signon_set_phase(s, DT_PHASE_GROUPS_GET);
    else if (dt_signon_checks_remembered(s))
        dt_signon_remembered_user(s);
    else
        dt_signon_set_phase(s, DT_PHASE_FACTORS_HTTP);
}

static void user_read(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_user user;
    dt_error err = {0};
    dt_okta_answer a = dt_okta_read_user(r, &user, &err);

    if (a == DT_OKTA_OK && !user.active) {
        dt_error_set(&err, DT_E_INVALID, "user %s has status %s", s->who.login, user.status);
        a = DT_OKTA_NOT_ACTIVE;
    }
    /* Okta also finds people by id or by a short login: it must be the person that was asked for. */
    if (a == DT_OKTA_OK && !dt_okta_user_is(&user, s->who.login)) {
        dt_error_set(&err, DT_E_INVALID, "asked for %s, it answered with %s", s->who.login,
                     user.login);
        a = DT_OKTA_NOT_ACTIVE;
    }
    if (dt_signon_okta_failed(s, a, r, &err, now))
        return;
    memcpy(s->user_id, user.id, sizeof(s->user_id));
    s->password_changed = user.password_changed;
    s->status_changed = user.status_changed;
    s->user_cached = s->user_stale = false;
    s->user_fetched = now;
    dt_signon_set_phase(s, DT_PHASE_USER_PUT);
}

/* The group that Okta told by this name, in any case; group_count for none. */
static size_t told_by_okta(dt_signon const *s, char const *name)
{
    char const *at = s->scratch->groups;

    for (size_t i = 0; i < s->group_count; i++) {
        if (i >= s->told_count && dt_str_equal_nocase(at, name))
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
    same = told_by_okta(s, name);
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
    return (s->site.config->policy.groups_from & DT_GROUPS_FROM_OKTA) != 0 &&
           dt_site_names_names(&s->site);
}

static bool wants_group(void const *site, char const *group)
{
    return dt_site_names_group(site, group);
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
    return dt_policy_has_group_name(s->site.policy, group) ||
           dt_policy_has_group_name(s->site.org, group);
}

char const *dt_signon_group_name(dt_signon const *s)
{
    char const *group;

    if (s->name_at < s->told_count || s->name_at >= s->group_count ||
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
                     "Okta: group \"%.100s\": %s; write {\"id\": ...} of the one that is meant in "
                     "place of its name in the policy",
                     shown, why);
    dt_signon_go(s, DT_STAGE_DECISION);
}

/* A name is no group: whoever names one means Okta's own group of that name, or else the only one. So each
 * name of another group that a rule says is looked up at the org, from name_at on; then the person's groups
 * are known. */
static void next_name(dt_signon *s, dt_time now)
{
    while (s->name_at < s->group_count && dt_signon_group_name(s) == NULL)
        s->name_at++;
    if (s->name_at < s->group_count) {
        dt_signon_set_phase(s, DT_PHASE_GROUP_NAME_GET);
        return;
    }
    s->group_knowledge = DT_GROUPS_KNOWN;
    s->groups_learnt = now;
    dt_signon_set_phase(s, DT_PHASE_GROUPS_PUT);
}

static void name_known(dt_signon *s, bool one, dt_time now)
{
    if (!one) {
        name_in_doubt(s, "not exactly one group of the org has this name");
        return;
    }
    s->name_at++;
    next_name(s, now);
}

static void group_name_got(dt_signon *s, dt_store_result const *r, dt_time now)
{
    bool one = false;

    if (r->status == DT_STORE_OK && dt_signon_group_name_unpack(s, r->value, now, &one) == 0) {
        name_known(s, one, now);
        return;
    }
    if (s->names_asked >= DT_SIGNON_GROUP_NAMES_MAX) {
        name_in_doubt(s, "too many names of groups to look up at once");
        return;
    }
    s->names_asked++;
    s->name_pages = 1;
    s->named = 0;
    s->scratch->next_url[0] = '\0';
    dt_signon_set_phase(s, DT_PHASE_GROUP_NAME_HTTP);
}

static void groups_read(dt_signon *s, dt_http_response const *r, dt_time now)
{
    uint8_t storage[32 * 1024];
    dt_okta_group_filter const filter = {
        .wants = wants_group,
        .ctx = &s->site,
        .ids = dt_site_names_ids(&s->site),
        .names = dt_signon_okta_names(s),
    };
    dt_buf names;
    dt_error err = {0};
    char next[DT_URL_MAX];
    dt_okta_answer a;

    dt_buf_init_fixed(&names, storage, sizeof(storage));
    a = dt_okta_read_groups(s->site.config, r, &filter, &names, next, &err);
    if (dt_signon_okta_failed(s, a, r, &err, now))
        return;
    if (dt_buf_error(&names) < 0 || !take_group_names(s, dt_buf_bytes(&names)) ||
        dt_str_copy(s->scratch->next_url, sizeof(s->scratch->next_url), next) < 0 ||
        (s->scratch->next_url[0] && s->group_pages >= DT_SIGNON_GROUP_PAGES_MAX)) {
        dt_signon_detail(s, "Okta: the user has more groups than can be taken in");
        dt_signon_go(s, DT_STAGE_DECISION);
        return;
    }
    if (s->scratch->next_url[0]) {
        s->group_pages++;
        return; /* the same phase again, for the next page */
    }
    s->name_at = s->told_count;
    next_name(s, now);
}

/* A page of the org's groups of one name. */
static void group_name_read(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_error err = {0};
    char next[DT_URL_MAX];
    dt_okta_answer a = dt_okta_count_named_groups(s->site.config, r, dt_signon_group_name(s),
                                                  &s->named, next, &err);

    if (dt_signon_okta_failed(s, a, r, &err, now))
        return;
    s->scratch->next_url[0] = '\0';
    if (s->named < 2 && next[0] != '\0') {
        if (s->name_pages >= DT_SIGNON_NAME_PAGES_MAX ||
            dt_str_copy(s->scratch->next_url, sizeof(s->scratch->next_url), next) < 0) {
            name_in_doubt(s, "whether other groups have its name cannot be told");
            return;
        }
        s->name_pages++;
        return; /* the same phase again, for the next page */
    }
    dt_signon_set_phase(s, DT_PHASE_GROUP_NAME_PUT);
}

unsigned dt_signon_factors_allowed(dt_signon const *s)
{
    return s->site.config->mfa.factors & s->outcome.decision.factors;
}

/* Keeps what the company, the rule and this version allow. */
static void take_factors(dt_signon *s, dt_okta_factors const *f)
{
    unsigned allowed = dt_signon_factors_allowed(s);

    s->push_factor[0] = '\0';
    s->totp_count = 0;
    for (size_t i = 0; i < f->count; i++) {
        dt_okta_factor const *one = &f->items[i];

        if (!(one->type & allowed))
            continue;
        if (one->type == DT_FACTOR_PUSH && !s->push_factor[0]) {
            memcpy(s->push_factor, one->id, sizeof(s->push_factor));
            s->push_created = one->created;
        }
        if ((one->type & DT_FACTOR_TOTPS) != 0 && s->totp_count < DT_SIGNON_TOTP_MAX) {
            s->totp_created[s->totp_count] = one->created;
            s->totp_type[s->totp_count] = one->type;
            memcpy(s->totp_factor[s->totp_count++], one->id, sizeof(one->id));
        }
    }
}

/* What remembered MFA is compared with; of more than fit, the last count as not enrolled. */
static void list_factors(dt_signon *s, dt_okta_factors const *f)
{
    char stamp[DT_FACTOR_STAMP_MAX];

    s->expected_len = 0;
    for (size_t i = 0; i < f->count; i++) {
        size_t len = strlen(dt_factor_stamp(stamp, f->items[i].id, f->items[i].created)) + 1;

        if (f->items[i].type == DT_FACTOR_NONE ||
            len > sizeof(s->scratch->expected) - s->expected_len)
            continue;
        memcpy(s->scratch->expected + s->expected_len, stamp, len);
        s->expected_len += len;
    }
}

static void factors_read(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_factors factors;
    dt_error err = {0};
    dt_okta_answer a = dt_okta_read_factors(r, &factors, &err);

    if (a == DT_OKTA_NOT_FOUND && s->user_cached) {
        /* The id we remembered is no longer anybody's: ask who the login is now, once. */
        s->user_cached = false;
        dt_signon_set_phase(s, DT_PHASE_USER_HTTP);
        return;
    }
    if (dt_signon_okta_failed(s, a, r, &err, now))
        return;
    take_factors(s, &factors);
    s->factors_known = true;
    if (!dt_signon_remembers(s) && !dt_signon_checks_remembered(s)) {
        dt_signon_go(s, DT_STAGE_CONVERSATION);
        return;
    }
    list_factors(s, &factors);
    dt_signon_set_phase(s, DT_PHASE_FACTORS_PUT);
}

static void user_got(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_freshness f = DT_TOO_OLD;

    if (r->status == DT_STORE_OK)
        f = dt_signon_user_unpack(s, r->value, now);
    s->user_cached = f == DT_FRESH;
    s->user_stale = f == DT_STALE && dt_signon_checks_remembered(s);
    if (s->user_cached) {
        user_known(s);
        return;
    }
    if (!s->user_stale)
        s->user_id[0] = '\0';
    dt_signon_set_phase(s, DT_PHASE_USER_HTTP);
}

/* Not kept: asked again next time. */
static void user_put(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    (void)now;
    user_known(s);
}

static void groups_got(dt_signon *s, dt_store_result const *r, dt_time now)
{
    if (r->status == DT_STORE_OK && dt_signon_groups_unpack(s, r->value, now) == 0) {
        s->group_knowledge = DT_GROUPS_KNOWN;
        dt_signon_go(s, DT_STAGE_DECISION);
        return;
    }
    s->scratch->next_url[0] = '\0';
    dt_signon_set_phase(s, DT_PHASE_GROUPS_HTTP);
}

static void groups_put(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    (void)now;
    dt_signon_go(s, DT_STAGE_DECISION);
}

/* Not kept: asked again next time. */
static void group_name_put(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    name_known(s, s->named == 1, now);
}

/* --- the phases ------------------------------------------------------------------------------- */

static int render_user_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    return dt_signon_store_key(s, "okta-user", s->who.login);
}

static int render_user(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_okta_get_user(s->site.config, s->who.login, &s->scratch->http);
}

static int render_groups_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    return dt_signon_groups_key(s);
}

static int render_groups(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_signon_page(s, dt_okta_get_groups(s->site.config, s->user_id, &s->scratch->http));
}

static int render_group_name_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_LOOKUP, DT_STORE_GET);
    return dt_signon_group_name_key(s);
}

static int render_group_name(dt_signon *s, dt_buf *value, dt_time now)
{
    char const *name = dt_signon_group_name(s);

    (void)value;
    (void)now;
    return name == NULL
               ? DT_E_INVALID
               : dt_signon_page(s, dt_okta_find_groups(s->site.config, name, &s->scratch->http));
}

static int render_factors(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_okta_get_factors(s->site.config, s->user_id, &s->scratch->http);
}

static bool has_group_name(dt_signon const *s)
{
    return s->user_id[0] && s->group_knowledge == DT_GROUPS_UNKNOWN &&
           dt_signon_group_name(s) != NULL;
}

dt_phase_row const dt_row_user_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_USER,
    .render = render_user_get,
    .store_done = user_got,
};
dt_phase_row const dt_row_user_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_USER,
    .retried = true,
    .repeatable = true,
    .render = render_user,
    .http_done = user_read,
};
dt_phase_row const dt_row_user_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_USER,
    .render = dt_signon_user_put,
    .store_done = user_put,
};
dt_phase_row const dt_row_groups_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_GROUPS,
    .render = render_groups_get,
    .store_done = groups_got,
};
dt_phase_row const dt_row_groups_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_GROUPS,
    .retried = true,
    .repeatable = true,
    .render = render_groups,
    .http_done = groups_read,
};
dt_phase_row const dt_row_groups_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_GROUPS,
    .render = dt_signon_groups_put,
    .store_done = groups_put,
};
dt_phase_row const dt_row_group_name_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_GROUPS,
    .render = render_group_name_get,
    .store_done = group_name_got,
    .has_fields = has_group_name,
};
dt_phase_row const dt_row_group_name_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_GROUPS,
    .retried = true,
    .repeatable = true,
    .render = render_group_name,
    .http_done = group_name_read,
    .has_fields = has_group_name,
};
dt_phase_row const dt_row_group_name_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_GROUPS,
    .render = dt_signon_group_name_put,
    .store_done = group_name_put,
    .has_fields = has_group_name,
};
dt_phase_row const dt_row_factors_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_MFA,
    .retried = true,
    .repeatable = true,
    .render = render_factors,
    .http_done = factors_read,
};
