/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a sign-on that finds out who the person is at Okta, and which factors are
 * enrolled there. The groups are signon_groups.c's. */
#include "core/signon/signon_internal.h"

#include <string.h>

void dt_signon_okta_unavailable(dt_signon *s, dt_time now)
{
    dt_unavailable_as as = s->ruleset.config->policy.okta_unavailable;
    bool trusted = s->outcome.verdict.trust == DT_TRUST_TRUSTED;

    dt_signon_remembered_forget(s);
    if (!s->negative &&
        (as == DT_UNAVAILABLE_ALLOW || (as == DT_UNAVAILABLE_ALLOW_TRUSTED && trusted))) {
        dt_signon_finish(s, DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW, now);
        return;
    }
    dt_signon_finish(s, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE, now);
}

static dt_time fair_timeout(dt_signon const *s)
{
    dt_time own = s->ruleset.config->okta.timeout;

    return own < DT_SIGNON_FAIR_TIMEOUT ? own : DT_SIGNON_FAIR_TIMEOUT;
}

bool dt_signon_was_cut_short(dt_signon const *s, dt_http_response const *r)
{
    return r->failure == DT_HTTP_TIMEOUT && s->asked_for < fair_timeout(s);
}

/* The next one could only be cut short. */
static bool is_late(dt_signon const *s, dt_http_response const *r, dt_time now)
{
    return r->failure == DT_HTTP_TIMEOUT && now + fair_timeout(s) > s->deadline;
}

/* A GET may be sent again; what makes somebody's phone ring or uses up a passcode may not, unless
 * Okta said that it did nothing (429). */
static bool may_retry(dt_signon const *s, dt_okta_answer a, dt_http_response const *r, dt_time wait,
                      dt_time now)
{
    if (s->retries >= DT_SIGNON_RETRIES_MAX || now + wait >= s->deadline || is_late(s, r, now) ||
        dt_http_was_long(r))
        return false;
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

/* The sign-on cannot go on without what Okta was asked for. */
static void end_without(dt_signon *s, dt_okta_answer a, bool cut_short, dt_time now)
{
    if (cut_short)
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
    else if (dt_okta_is_unavailable(a))
        dt_signon_okta_unavailable(s, now);
    else
        dt_signon_finish(s, DT_DENY, dt_signon_cause_of(a), now);
}

void dt_signon_end_without_okta(dt_signon *s, dt_lookup_reply const *why, dt_okta_answer otherwise,
                                dt_time now)
{
    if (why != NULL && why->refusal != DT_CAUSE_NONE)
        dt_signon_finish(s, DT_DENY, why->refusal, now);
    else
        end_without(s, why != NULL ? (dt_okta_answer)why->answer : otherwise,
                    why != NULL && why->cut_short, now);
}

bool dt_signon_okta_failed(dt_signon *s, dt_okta_answer a, dt_http_response const *r,
                           dt_error const *e, dt_time now)
{
    dt_time wait = a == DT_OKTA_RATE_LIMITED ? dt_okta_rate_wait(r) : 0;

    if (a == DT_OKTA_OK)
        return false;
    dt_signon_detail(s, "Okta: %s", e->text);
    s->negative = s->negative || !dt_okta_is_unavailable(a);
    if (may_retry(s, a, r, wait, now))
        dt_signon_retry(s, s->phase, wait, now);
    else
        end_without(s, a, dt_signon_was_cut_short(s, r), now);
    return true;
}

/* --- what all look-ups at Okta have in common ------------------------------------------------- */

static bool is_for_device(dt_signon const *s)
{
    return s->lookup.outer == DT_QUESTION_OKTA_DEVICE;
}

/* An old answer stands in while Okta is unavailable, and after nothing else that it says; where the device is
 * looked up, after everything but a fault of ours. */
bool dt_signon_okta_is_ok(dt_signon *s, dt_okta_answer a, dt_http_response const *r,
                          dt_error const *e, dt_time now, dt_lookup_reply *out)
{
    bool unavailable = dt_okta_is_unavailable(a);

    out->answer = (int)a;
    out->kind = a == DT_OKTA_OK ? DT_REPLY_ANSWER : DT_REPLY_FAILED;
    if (a == DT_OKTA_OK)
        return true;
    dt_signon_detail(s, "Okta: %s", e->text);
    if (!is_for_device(s))
        s->negative = s->negative || !unavailable;
    out->cut_short = dt_signon_was_cut_short(s, r);
    out->no_old = is_for_device(s) ? dt_okta_is_local(a) : !unavailable || out->cut_short;
    out->again = (a == DT_OKTA_RATE_LIMITED || unavailable) && !is_late(s, r, now);
    out->wait = a == DT_OKTA_RATE_LIMITED ? dt_okta_rate_wait(r) : 0;
    return false;
}

/* --- who somebody is -------------------------------------------------------------------------- */

static int user_key(dt_signon *s)
{
    return dt_signon_store_key(s, "okta-user", s->who.login);
}

/* A stale one is good enough to compare an earlier MFA with, and for nothing else. */
static dt_freshness user_unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    dt_freshness f = dt_signon_user_unpack(s, kept, now);

    s->user_cached = f == DT_FRESH;
    return f == DT_STALE && !dt_signon_checks_remembered(s) ? DT_TOO_OLD : f;
}

static bool user_may_ask(dt_signon *s)
{
    s->user_cached = false;
    if (!dt_lookup_has_stale(s, DT_QUESTION_USER))
        s->user_id[0] = '\0';
    return true;
}

static int user_request(dt_signon *s)
{
    return dt_okta_get_user(s->ruleset.config, s->who.login, &s->scratch->http);
}

/* Why somebody is refused whom Okta does not know, or not as active. */
static dt_cause refusal_of(dt_okta_answer a, dt_okta_user_state state)
{
    static dt_cause const causes[] = {
        [DT_OKTA_USER_OTHER] = DT_CAUSE_OKTA_REFUSED,
        [DT_OKTA_USER_ACTIVE] = DT_CAUSE_OKTA_REFUSED,
        [DT_OKTA_USER_SUSPENDED] = DT_CAUSE_OKTA_USER_SUSPENDED,
        [DT_OKTA_USER_DEPROVISIONED] = DT_CAUSE_OKTA_USER_DEACTIVATED,
        [DT_OKTA_USER_NOT_ACTIVATED] = DT_CAUSE_OKTA_USER_NOT_ACTIVATED,
        [DT_OKTA_USER_PASSWORD_EXPIRED] = DT_CAUSE_OKTA_PASSWORD_EXPIRED,
        [DT_OKTA_USER_LOCKED_OUT] = DT_CAUSE_MFA_LOCKED,
    };

    if (a == DT_OKTA_NOT_FOUND)
        return DT_CAUSE_OKTA_USER_UNKNOWN;
    return a == DT_OKTA_NOT_ACTIVE ? causes[state] : DT_CAUSE_NONE;
}

static void user_read(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    dt_okta_user user;
    dt_error err = {0};
    dt_okta_answer a = dt_okta_read_user(r, &user, &err);

    /* Okta also finds people by id or by a short login: it must be the person that was asked for. */
    if (a == DT_OKTA_OK && !dt_okta_user_is(&user, s->who.login)) {
        dt_error_set(&err, DT_E_INVALID, "asked about %s, it answered about %s", s->who.login,
                     user.login);
        a = DT_OKTA_NOT_FOUND;
    } else if (a == DT_OKTA_OK && !user.active) {
        dt_error_set(&err, DT_E_INVALID, "user %s has status %s", s->who.login, user.status);
        a = DT_OKTA_NOT_ACTIVE;
    }
    out->refusal = refusal_of(a, user.state);
    if (!dt_signon_okta_is_ok(s, a, r, &err, now, out))
        return;
    memcpy(s->user_id, user.id, sizeof(s->user_id));
    s->password_changed = user.password_changed;
    s->status_changed = user.status_changed;
    s->user_fetched = now;
    dt_lookup_forget_stale(s, DT_QUESTION_USER);
}

/* Somebody who is asked has to have them now; what is only reported may be as old as what is known of the user. */
void dt_signon_want_factors(dt_signon *s, dt_time now)
{
    if (s->person.on && !s->explain)
        dt_lookup_begin(s, DT_QUESTION_FACTORS, now);
    else
        dt_lookup_refresh(s, DT_QUESTION_FACTORS, now);
}

/* For the MFA: the device and the groups have their own way to go on. */
static void user_answered(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *why, dt_time now)
{
    if (e == DT_LOOKUP_NONE) {
        dt_signon_end_without_okta(s, why, DT_OKTA_UNUSABLE, now);
        return;
    }
    if (e == DT_LOOKUP_STALE)
        s->okta_unreachable = s->outcome.stale = true;
    if (dt_signon_checks_remembered(s))
        dt_signon_remembered_user(s, now);
    else
        dt_signon_want_factors(s, now);
}

static bool user_has_fields(dt_signon const *s, dt_lookup_step step)
{
    return step != DT_LOOKUP_KEEP || s->user_id[0] != '\0';
}

dt_question_row const dt_question_user = {
    .service = "Okta",
    .part = DT_PART_MFA,
    .key = user_key,
    .unpack = user_unpack,
    .may_ask = user_may_ask,
    .request = user_request,
    .read = user_read,
    .pack = dt_signon_user_pack,
    .answered = user_answered,
    .has_fields = user_has_fields,
};

/* --- the factors ------------------------------------------------------------------------------ */

unsigned dt_signon_factors_allowed(dt_signon const *s)
{
    return s->ruleset.config->mfa.factors & s->outcome.decision.factors & dt_signon_way(s)->factors;
}

/* Okta's list does not have it, so it is not known to have been taken away. */
static void list_browser(dt_signon *s)
{
    char stamp[DT_FACTOR_STAMP_MAX];
    size_t len = strlen(dt_factor_stamp(stamp, DT_BROWSER_FACTOR_ID, 0)) + 1;

    if (len > sizeof(s->scratch->expected) - s->expected_len)
        return;
    memcpy(s->scratch->expected + s->expected_len, stamp, len);
    s->expected_len += len;
}

static unsigned types_of(dt_okta_factors const *f)
{
    unsigned types = 0;

    for (size_t i = 0; i < f->count; i++)
        types |= f->items[i].type;
    return types;
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
    list_browser(s);
}

static int factors_key(dt_signon *s)
{
    return dt_signon_store_key(s, "okta-factors", s->user_id);
}

/* While Okta is unreachable, what it said last will do. */
static dt_freshness factors_unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    dt_freshness f = dt_signon_factors_unpack(s, kept, now);

    if (!s->okta_unreachable || f == DT_TOO_OLD)
        return f;
    s->outcome.stale = true;
    return DT_FRESH;
}

static bool factors_may_ask(dt_signon *s)
{
    return !s->okta_unreachable;
}

static int factors_request(dt_signon *s)
{
    return dt_okta_get_factors(s->ruleset.config, s->user_id, &s->scratch->http);
}

static void factors_read(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    dt_okta_factors factors;
    dt_error err = {0};
    dt_okta_answer a = dt_okta_read_factors(r, &factors, &err);

    if (a == DT_OKTA_NOT_FOUND && s->user_cached) {
        /* The id we remembered is no longer anybody's: ask who the login is now, once. */
        out->kind = DT_REPLY_INNER;
        out->inner = DT_QUESTION_USER;
        out->inner_step = DT_LOOKUP_ASK;
        return;
    }
    if (!dt_signon_okta_is_ok(s, a, r, &err, now, out))
        return;
    dt_signon_keep_factors(s, &factors);
    s->factors_known = true;
    s->person.enrolled = types_of(&factors);
    out->unkept = !dt_signon_remembers(s) && !dt_signon_checks_remembered(s) && !s->person.on;
    if (!out->unkept)
        list_factors(s, &factors);
}

/* Who the login is now. */
static void factors_resume(dt_signon *s, dt_question inner, dt_lookup_end e,
                           dt_lookup_reply const *why, dt_time now)
{
    (void)inner;
    if (e == DT_LOOKUP_NONE)
        dt_lookup_end_without(s, why, now);
    else if (dt_signon_checks_remembered(s))
        dt_signon_remembered_user(s, now);
    else
        dt_lookup_go(s, DT_LOOKUP_ASK, now);
}

/* Without a request that failed: Okta is unreachable, and what it said last is too old. */
static void factors_answered(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *why, dt_time now)
{
    if (e == DT_LOOKUP_NONE) {
        dt_signon_end_without_okta(s, why, DT_OKTA_UNREACHABLE, now);
        return;
    }
    if (e == DT_LOOKUP_STALE)
        s->okta_unreachable = s->outcome.stale = true;
    dt_signon_remembered_factors(s, now);
}

/* A list of texts, each with its NUL. */
static bool has_stamps(dt_signon const *s)
{
    return s->factors_known &&
           (s->expected_len == 0 || s->scratch->expected[s->expected_len - 1] == '\0');
}

static bool factors_have_fields(dt_signon const *s, dt_lookup_step step)
{
    if (s->user_id[0] == '\0')
        return false;
    return step == DT_LOOKUP_GET    ? s->earlier.at > 0 || s->person.on
           : step == DT_LOOKUP_KEEP ? has_stamps(s)
                                    : true;
}

dt_question_row const dt_question_factors = {
    .service = "Okta",
    .part = DT_PART_MFA,
    .inner = DT_QUESTION_BIT(DT_QUESTION_USER),
    .resume = factors_resume,
    .key = factors_key,
    .unpack = factors_unpack,
    .may_ask = factors_may_ask,
    .request = factors_request,
    .read = factors_read,
    .pack = dt_signon_factors_pack,
    .answered = factors_answered,
    .has_fields = factors_have_fields,
};
