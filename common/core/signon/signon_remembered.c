/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Remembered MFA within a sign-on: what one given now would be bound to, whether one given earlier is
 * still good under the rule that matches now, and whether Okta still knows password, account and
 * factor as they were.
 *
 * Okta is asked about the person at most once per user_ttl; between, what it said is in the cache, so
 * that a remembered sign-on costs no call. While it cannot be asked, what it said last is believed up
 * to [okta] stale_limit. */
#include "core/signon/signon_internal.h"

#include <string.h>

/* --- what it is bound to ---------------------------------------------------------------------- */

static bool fill_binding(dt_signon const *s, dt_remembered *out)
{
    dt_decision const *d = &s->outcome.decision;
    dt_verdict const *v = &s->outcome.verdict;

    if (d->access != DT_ACCESS_ALLOW_AFTER_MFA || d->cause != DT_DECISION_RULE)
        return false;
    if (d->frequency == DT_FREQUENCY_ONCE_PER_SESSION ? !s->session[0] : d->lifetime <= 0)
        return false;
    memset(out, 0, sizeof(*out));
    memcpy(out->login, s->who.login, sizeof(out->login));
    memcpy(out->application, s->application, sizeof(out->application));
    if (dt_str_copy(out->group, sizeof(out->group),
                    dt_policy_application_group(s->ruleset.policy)) < 0)
        return false;
    memcpy(out->key_id, v->key_id, sizeof(out->key_id));
    out->by = v->key_id[0] ? 0 : d->remember_by;
    if (out->by & DT_REMEMBER_BY_CLIENT_IP)
        memcpy(out->client_ip, s->client_ip, sizeof(out->client_ip));
    if (out->by & DT_REMEMBER_BY_STATION)
        memcpy(out->station, s->station, sizeof(out->station));
    if (d->frequency == DT_FREQUENCY_ONCE_PER_SESSION)
        memcpy(out->session, s->session, sizeof(out->session));
    memcpy(out->device_id, v->device_id.text, sizeof(out->device_id));
    out->lifetime = d->lifetime;
    return true;
}

bool dt_signon_remembers(dt_signon const *s)
{
    dt_remembered r;
    char key[DT_STORE_KEY_MAX];

    return fill_binding(s, &r) && dt_remembered_key(&r, key) == DT_OK;
}

int dt_signon_remembered_key(dt_signon const *s, char out[DT_STORE_KEY_MAX])
{
    dt_remembered r;

    return fill_binding(s, &r) ? dt_remembered_key(&r, out) : DT_E_STATE;
}

void dt_signon_mfa_given(dt_signon const *s, dt_time now, dt_mfa_given *out)
{
    dt_enrolled const *f = dt_signon_that_answered(s);

    memset(out, 0, sizeof(*out));
    if (f == NULL)
        return;
    (void)dt_factor_stamp(out->factor_stamp, f->id, f->created);
    out->at = now;
    out->factor = s->outcome.factor;
    memcpy(out->user_id, s->user_id, sizeof(out->user_id));
    out->password_changed = s->password_changed;
    out->status_changed = s->status_changed;
}

static int pack(dt_signon const *s, dt_buf *out, dt_time now, dt_time *expires)
{
    dt_remembered r;
    dt_mfa_given given;

    dt_signon_mfa_given(s, now, &given);
    if (!fill_binding(s, &r) || given.at == 0)
        return DT_E_STATE;
    r.at = now;
    r.factor = given.factor;
    memcpy(r.factor_stamp, given.factor_stamp, sizeof(r.factor_stamp));
    memcpy(r.user_id, given.user_id, sizeof(r.user_id));
    r.password_changed = given.password_changed;
    r.status_changed = given.status_changed;
    *expires = dt_remembered_expiry(&r);
    return dt_remembered_pack(&r, out);
}

/* --- looking for one -------------------------------------------------------------------------- */

/* Nothing that counts is remembered: the person is asked. */
static void ask(dt_signon *s, dt_time now)
{
    memset(&s->earlier, 0, sizeof(s->earlier));
    if (dt_lookup_has_stale(s, DT_QUESTION_USER)) {
        /* good enough to compare with, not to ask about somebody's phone */
        dt_lookup_forget_stale(s, DT_QUESTION_USER);
        s->user_id[0] = '\0';
    }
    if (!dt_signon_person_begin(s, now) &&
        (dt_signon_only_reports(s, now) || dt_signon_only_continues(s, now)))
        return;
    if (s->factors_known)
        dt_signon_go(s, DT_STAGE_CONVERSATION);
    else if (s->user_id[0])
        dt_signon_want_factors(s, now);
    else
        dt_lookup_begin(s, DT_QUESTION_USER, now);
}

/* What has ended once does not come back, whatever clock, rule or account do later. */
static void has_ended(dt_signon *s, char const *why, dt_time now)
{
    dt_signon_detail(s, "the remembered MFA has ended: %s", why);
    memset(&s->earlier, 0, sizeof(s->earlier));
    if (s->continues) { /* whoever keeps it drops it; another may be remembered by the rule */
        s->continues = false;
        memset(&s->continued, 0, sizeof(s->continued));
        if (dt_signon_remembers(s))
            dt_signon_set_phase(s, DT_PHASE_REMEMBERED_GET);
        else
            dt_lookup_begin(s, DT_QUESTION_USER, now);
        return;
    }
    dt_signon_set_phase(s, DT_PHASE_REMEMBERED_DROP);
}

static void user_to_be_checked(dt_signon *s, dt_time now);

bool dt_signon_is_as_continued(dt_signon const *s)
{
    dt_continued const *c = &s->continued;

    return s->outcome.decision.cause == DT_DECISION_RULE &&
           strcmp(c->rule, s->outcome.decision.rule) == 0 && c->trust == s->outcome.verdict.trust &&
           c->reason == s->outcome.verdict.reason &&
           strcmp(c->key_id, s->outcome.verdict.key_id) == 0;
}

static bool may_continue(dt_signon const *s, dt_time now)
{
    dt_mfa_given const *mfa = &s->continued.mfa;

    return mfa->at > 0 && mfa->at <= now &&
           s->outcome.decision.access == DT_ACCESS_ALLOW_AFTER_MFA &&
           (mfa->factor & dt_signon_factors_allowed(s)) != 0 && dt_signon_is_as_continued(s);
}

/* Looks for one that the rule accepts, and else has the person asked. */
void dt_signon_remembered_stage(dt_signon *s, dt_time now)
{
    s->continues = may_continue(s, now);
    if (s->continues) {
        s->earlier = s->continued.mfa;
        user_to_be_checked(s, now);
    } else if (dt_signon_remembers(s))
        dt_signon_set_phase(s, DT_PHASE_REMEMBERED_GET);
    else
        ask(s, now);
}

static bool matches_key(dt_signon const *s, dt_remembered const *r)
{
    char wanted[DT_STORE_KEY_MAX], own[DT_STORE_KEY_MAX];

    return dt_signon_remembered_key(s, wanted) == DT_OK && dt_remembered_key(r, own) == DT_OK &&
           strcmp(wanted, own) == 0;
}

static void user_to_be_checked(dt_signon *s, dt_time now)
{
    if (s->user_id[0])
        dt_signon_remembered_user(s, now);
    else
        dt_lookup_begin(s, DT_QUESTION_USER, now);
}

static void got(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_remembered record;

    if (r->status != DT_STORE_OK) {
        ask(s, now);
        return;
    }
    if (dt_remembered_unpack(r->value, &record) < 0 || !matches_key(s, &record)) {
        has_ended(s, "its record cannot be read", now);
        return;
    }
    if (!dt_remembered_is_good(&record, &s->outcome.decision, dt_signon_factors_allowed(s), now)) {
        has_ended(s,
                  record.at > now ? "it lies in the future: the clock was set back"
                                  : "the rule no longer accepts it",
                  now);
        return;
    }
    s->earlier.at = record.at;
    s->earlier.factor = record.factor;
    s->earlier.password_changed = record.password_changed;
    s->earlier.status_changed = record.status_changed;
    memcpy(s->earlier.user_id, record.user_id, sizeof(s->earlier.user_id));
    memcpy(s->earlier.factor_stamp, record.factor_stamp, sizeof(s->earlier.factor_stamp));
    user_to_be_checked(s, now);
}

/* --- is all as it was at Okta? ---------------------------------------------------------------- */

bool dt_signon_checks_remembered(dt_signon const *s)
{
    return s->earlier.at > 0;
}

static char const *what_changed(dt_signon const *s)
{
    if (strcmp(s->user_id, s->earlier.user_id) != 0)
        return "the login belongs to another account at Okta";
    if (s->password_changed != s->earlier.password_changed)
        return "the password at Okta was changed";
    if (s->status_changed != s->earlier.status_changed)
        return "the status of the account at Okta was changed";
    return NULL;
}

void dt_signon_remembered_user(dt_signon *s, dt_time now)
{
    char const *changed = what_changed(s);

    if (changed)
        has_ended(s, changed, now);
    else
        dt_lookup_begin(s, DT_QUESTION_FACTORS, now);
}

static void allow_remembered(dt_signon *s, dt_time now)
{
    s->outcome.factor = s->earlier.factor;
    s->outcome.mfa = s->earlier;
    if (s->continues && !s->outcome.detail[0])
        dt_signon_detail(s, "%s: it continues the sign-on that it began with",
                         s->continued.by == DT_CONTINUED_BY_TLS
                             ? "a resumed TLS session"
                             : "a re-authentication in the session of the NAS");
    dt_signon_finish(s, DT_ALLOW, DT_CAUSE_MFA_REMEMBERED, now);
}

static bool factor_is_listed(dt_signon const *s)
{
    char const *at = s->scratch->expected, *end = at + s->expected_len;
    bool found = false;

    for (; at < end && !found; at += strlen(at) + 1)
        found = strcmp(at, s->earlier.factor_stamp) == 0;
    return found;
}

void dt_signon_remembered_factors(dt_signon *s, dt_time now)
{
    if (!dt_signon_checks_remembered(s))
        dt_signon_go(s, DT_STAGE_CONVERSATION);
    else if (factor_is_listed(s))
        allow_remembered(s, now);
    else
        has_ended(s, "its factor was reset or removed at Okta", now);
}

void dt_signon_remembered_forget(dt_signon *s)
{
    memset(&s->earlier, 0, sizeof(s->earlier));
}

static void dropped(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    ask(s, now);
}

/* Not remembered costs one more MFA. */
static void remembered(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    (void)now;
    dt_signon_go(s, DT_STAGE_FINISH);
}

/* --- the phases ------------------------------------------------------------------------------- */

static int render_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_REMEMBERED, DT_STORE_GET);
    return dt_signon_remembered_key(s, s->scratch->store.key);
}

static int render_put(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_time expires = 0;
    int rc;

    dt_signon_store(s, DT_TABLE_REMEMBERED, DT_STORE_PUT);
    rc = dt_signon_remembered_key(s, s->scratch->store.key);
    if (rc == DT_OK)
        rc = pack(s, value, now, &expires);
    return rc < 0 ? rc : dt_signon_store_value(s, value, expires);
}

static int render_drop(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_REMEMBERED, DT_STORE_DELETE);
    return dt_signon_remembered_key(s, s->scratch->store.key);
}

dt_phase_row const dt_row_remembered_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_get,
    .store_done = got,
};
dt_phase_row const dt_row_remembered_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_END,
    .render = render_put,
    .store_done = remembered,
};
dt_phase_row const dt_row_remembered_drop = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_drop,
    .store_done = dropped,
};
