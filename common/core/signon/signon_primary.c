/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first factor of a sign-on where it is the Okta password: Okta is asked once, after the decision
 * and before any MFA. Who is denied anyway costs no call and cannot lock an account; who does not know
 * the password makes nobody's phone ring.
 *
 * The password is tried once and wiped. Only a 429, with which Okta says that it did nothing, is
 * waited out. Every attempt is counted before it is made, and the count is dropped when the password
 * was right: so no more wrong ones than password_limit reach Okta, which would lock the account. */
#include "core/signon/signon_internal.h"

#include <string.h>

void dt_signon_primary_take(dt_signon *s, dt_request const *r)
{
    char const *password = r->password ? r->password : "";
    bool handshake = r->primary == DT_PRIMARY_HANDSHAKE;
    bool okta = !handshake && dt_config_okta_password(s->ruleset.config, s->application);

    s->outcome.primary = okta        ? DT_PRIMARY_OKTA_PENDING
                         : handshake ? DT_PRIMARY_HANDSHAKE
                                     : DT_PRIMARY_STACK;
    if (!okta && password[0])
        dt_signon_fail(s, DT_CAUSE_CONFIG,
                       "a password was sent that nothing would check: [primary] okta_password does "
                       "not name this application");
    else if (okta && dt_str_copy(s->scratch->secrets.password, sizeof(s->scratch->secrets.password),
                                 password) < 0)
        dt_signon_fail(s, DT_CAUSE_PRIMARY_FAILED, "the password is longer than Okta allows");
}

bool dt_signon_primary_is_verified(dt_signon const *s)
{
    dt_primary p = s->outcome.primary;

    if (p == DT_PRIMARY_OKTA_VERIFIED || p == DT_PRIMARY_HANDSHAKE)
        return true;
    return p == DT_PRIMARY_STACK && s->ruleset.config &&
           !dt_config_okta_password(s->ruleset.config, s->application);
}

/* Can Okta be asked about it at all? sshd, for one, sends control characters for whom it does not
 * know. */
static bool is_usable(dt_signon *s)
{
    int rc = dt_signon_password_way(s)->password(s, &s->scratch->http);

    explicit_bzero(s->scratch->http.body, sizeof(s->scratch->http.body));
    s->scratch->http.body_len = 0;
    return rc == DT_OK;
}

/* A rule lets in and the first factor is verified: in, or on to the MFA, if the person may use the app. */
static void admit(dt_signon *s, dt_time now)
{
    if (s->only_continue && !dt_signon_is_as_continued(s) && !s->outcome.report_only) {
        dt_signon_detail(s, "the session was resumed, but another rule or device state applies "
                            "now: the person has to sign on again");
        dt_signon_finish(s, DT_DENY, DT_CAUSE_PRIMARY_MISSING, now);
        return;
    }
    if (dt_signon_app_begin(s, now))
        return;
    if (s->explain) {
        dt_signon_person_ask(s, now);
        return;
    }
    if (s->outcome.decision.access == DT_ACCESS_ALLOW)
        dt_signon_finish(s, DT_ALLOW, DT_CAUSE_RULE_ALLOW, now);
    else if (s->who.kind != DT_IDENTITY_PERSON)
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MACHINE_ACCOUNT, now);
    else
        dt_signon_go(s, DT_STAGE_REMEMBERED);
}

/* Entered once more when the password was found right, and when the person may use the app. */
void dt_signon_primary_stage(dt_signon *s, dt_time now)
{
    if (s->outcome.primary != DT_PRIMARY_OKTA_PENDING || s->explain) {
        admit(s, now);
        return;
    }
    if (!s->scratch->secrets.password[0]) {
        dt_signon_detail(
            s,
            "no password was sent, but [primary] okta_password requires one at this application");
        dt_signon_finish(s, DT_DENY, DT_CAUSE_PRIMARY_MISSING, now);
        return;
    }
    if (!is_usable(s)) {
        dt_signon_detail(s, "the password, or the login, is not one that Okta could have");
        dt_signon_finish(s, DT_DENY, DT_CAUSE_PRIMARY_FAILED, now);
        return;
    }
    dt_signon_set_phase(s, DT_PHASE_PASSWORD_COUNT);
}

static void forget_password(dt_signon *s)
{
    explicit_bzero(s->scratch->secrets.password, sizeof(s->scratch->secrets.password));
}

/* Names that nobody has may have used up the room for counting names. There is more for those that
 * Okta knows. */
static void not_counted(dt_signon *s, dt_time now)
{
    if (!s->person_exists)
        dt_signon_set_phase(s, DT_PHASE_PASSWORD_WHO);
    else
        dt_signon_finish(s, DT_DENY, DT_CAUSE_LIMITS_UNAVAILABLE, now);
}

static void counted(dt_signon *s, dt_store_result const *r, dt_time now)
{
    switch (r->status) {
    case DT_STORE_OK:
        dt_signon_set_phase(s, DT_PHASE_PASSWORD_HTTP);
        return;
    case DT_STORE_EXISTS:
        dt_signon_detail(s,
                         "%lld wrong passwords within password_limit_window; password_limit is %d: "
                         "Okta was not asked",
                         (long long)r->count, s->ruleset.config->primary.password_limit);
        dt_signon_finish(s, DT_DENY, DT_CAUSE_PRIMARY_LIMIT, now);
        return;
    default:
        not_counted(s, now);
        return;
    }
}

/* What Okta says to a password that is right asks for MFA: so does the org's policy, whatever our
 * mirror of it says, unless the administrator lets a trusted device pass. */
static void okta_wants_mfa(dt_signon *s)
{
    dt_decision org = {.access = DT_ACCESS_ALLOW_AFTER_MFA,
                       .cause = DT_DECISION_RULE,
                       .frequency = DT_FREQUENCY_EVERY_SIGN_ON,
                       .factors = DT_FACTOR_ALL};

    if (s->outcome.decision.access == DT_ACCESS_ALLOW && !dt_signon_org_mfa_waived(s)) {
        dt_decision_combine(&s->outcome.decision, &org, false);
        s->outcome.org_mfa = true;
    }
}

static dt_cause cause_of(dt_okta_password p)
{
    switch (p) {
    case DT_OKTA_PASSWORD_WRONG:
        return DT_CAUSE_PRIMARY_FAILED;
    case DT_OKTA_PASSWORD_EXPIRED:
        return DT_CAUSE_PRIMARY_EXPIRED;
    case DT_OKTA_PASSWORD_LOCKED:
        return DT_CAUSE_PRIMARY_LOCKED;
    case DT_OKTA_PASSWORD_ENROLL:
        return DT_CAUSE_PRIMARY_ENROLL;
    default:
        return DT_CAUSE_PRIMARY_REFUSED;
    }
}

/* Okta could not be asked, or said nothing that can be used. okta_unavailable is about MFA: without a
 * password that was found right nobody gets in. */
static dt_cause cause_of_answer(dt_okta_answer a)
{
    switch (a) {
    case DT_OKTA_RATE_LIMITED:
        return DT_CAUSE_PRIMARY_RATE_LIMITED;
    case DT_OKTA_NOT_FOUND:
    case DT_OKTA_NOT_ACTIVE:
        return DT_CAUSE_PRIMARY_REFUSED;
    default:
        return dt_signon_cause_of(a);
    }
}

/* The rule wants MFA, and the transaction that the password has opened at Okta is how it is asked for. */
static bool goes_on_with_transaction(dt_signon const *s)
{
    return dt_signon_way(s) == dt_signon_password_way(s) &&
           s->outcome.decision.access == DT_ACCESS_ALLOW_AFTER_MFA;
}

static void take_answer(dt_signon *s, dt_okta_authn const *a, dt_time now)
{
    bool right = a->result == DT_OKTA_PASSWORD_VERIFIED || a->result == DT_OKTA_PASSWORD_MFA;

    if (!right) {
        dt_signon_finish(s, DT_DENY, cause_of(a->result), now);
        return;
    }
    s->outcome.primary = DT_PRIMARY_OKTA_VERIFIED;
    if (a->result == DT_OKTA_PASSWORD_MFA)
        okta_wants_mfa(s);
    memcpy(goes_on_with_transaction(s) ? s->scratch->secrets.transaction
                                       : s->scratch->secrets.state_token,
           a->state_token, sizeof(a->state_token));
    dt_signon_set_phase(s, DT_PHASE_PASSWORD_UNCOUNT);
}

/* Whether Okta knows the login. Whatever the state of the account is, its password counts. */
static void looked_up(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_user user;
    dt_error err = {0};
    dt_okta_answer a = dt_okta_read_user(r, &user, &err);

    s->person_exists =
        a == DT_OKTA_NOT_ACTIVE || (a == DT_OKTA_OK && dt_okta_user_is(&user, s->who.login));
    if (s->person_exists) {
        dt_signon_set_phase(s, DT_PHASE_PASSWORD_COUNT);
        return;
    }
    forget_password(s);
    dt_signon_detail(
        s, "Okta: %s; too many logins are being counted, so Okta is not asked about unknown ones",
        err.text[0] ? err.text : "unknown login");
    dt_signon_finish(s, DT_DENY,
                     a == DT_OKTA_OK || a == DT_OKTA_NOT_FOUND ? DT_CAUSE_PRIMARY_FAILED
                                                               : cause_of_answer(a),
                     now);
}

static void answered(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_authn authn;
    dt_error err = {0};
    dt_okta_answer a = dt_signon_password_way(s)->read_password(s, r, now, &authn, &err);
    dt_time wait = a == DT_OKTA_RATE_LIMITED ? dt_okta_rate_wait(r) : 0;

    if (err.text[0])
        dt_signon_detail(s, "Okta: password: %s", err.text);
    if (a == DT_OKTA_RATE_LIMITED && s->retries < DT_SIGNON_RETRIES_MAX &&
        now + wait < s->deadline && !s->abandoned) {
        dt_signon_retry(s, DT_PHASE_PASSWORD_HTTP, wait, now);
        return;
    }
    forget_password(s);
    if (a == DT_OKTA_OK)
        take_answer(s, &authn, now);
    else
        dt_signon_finish(s, DT_DENY, cause_of_answer(a), now);
    explicit_bzero(&authn, sizeof(authn));
}

/* The password was found right: the stage goes on from there. */
static void go_on(dt_signon *s)
{
    explicit_bzero(s->scratch->secrets.state_token, sizeof(s->scratch->secrets.state_token));
    dt_signon_go(s, DT_STAGE_PRIMARY);
}

/* Who has not shown the password learns nothing from the refusal but that it is one. */
bool dt_signon_primary_hides_reason(dt_signon const *s)
{
    if (s->outcome.primary != DT_PRIMARY_OKTA_PENDING)
        return false;
    switch (s->outcome.cause) {
    case DT_CAUSE_PRIMARY_EXPIRED:
    case DT_CAUSE_PRIMARY_LOCKED:
    case DT_CAUSE_PRIMARY_ENROLL:
    case DT_CAUSE_PRIMARY_RATE_LIMITED:
    case DT_CAUSE_OKTA_UNAVAILABLE:
    case DT_CAUSE_OKTA_UNTRUSTED:
    case DT_CAUSE_OVERLOADED:
    case DT_CAUSE_LOCAL_FAULT:
    case DT_CAUSE_CLIENT_GONE:
    case DT_CAUSE_BUSY:
    case DT_CAUSE_CONFIG:
    case DT_CAUSE_INTERNAL:
        return false;
    default:
        return true;
    }
}

static void uncounted(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    (void)now;
    if (dt_signon_password_way(s)->end_password != NULL &&
        s->scratch->secrets
            .state_token[0]) /* our policy decides from here: theirs is not carried on */
        dt_signon_set_phase(s, DT_PHASE_PASSWORD_CANCEL);
    else
        go_on(s);
}

/* Cancelled or not: it ends by itself, and nobody has its token. */
static void cancelled(dt_signon *s, dt_http_response const *r, dt_time now)
{
    (void)r;
    (void)now;
    go_on(s);
}

/* --- the phases ------------------------------------------------------------------------------- */

static int render_count(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_config const *c = s->ruleset.config;

    (void)value;
    dt_signon_store_count(s, DT_TABLE_PASSWORD_COUNT, c->primary.password_limit,
                          now + c->primary.password_limit_window);
    s->scratch->store.stranger = !s->person_exists;
    return dt_signon_limit_key(s, "passwords");
}

static int render_uncount(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_PASSWORD_COUNT, DT_STORE_DELETE);
    return dt_signon_limit_key(s, "passwords");
}

static int render_password(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_signon_password_way(s)->password(s, &s->scratch->http);
}

static int render_who(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_okta_get_user(s->ruleset.config, s->who.login, &s->scratch->http);
}

static int render_cancel(dt_signon *s, dt_buf *value, dt_time now)
{
    int rc = dt_signon_password_way(s)->end_password(s, &s->scratch->http);

    (void)value;
    (void)now;
    s->scratch->http.timeout = DT_SIGNON_CANCEL_TIMEOUT;
    return rc;
}

/* Neither the password nor a transaction's token is ever saved. */
static void without_password(dt_signon *s)
{
    dt_signon_fail(s, DT_CAUSE_PRIMARY_MISSING,
                   "the password is not saved with a sign-on that is continued later");
}

static void without_token(dt_signon *s)
{
    s->phase = DT_PHASE_PASSWORD_UNCOUNT; /* done twice, it does no harm */
}

dt_phase_row const dt_row_password_count = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_PASSWORD,
    .render = render_count,
    .store_done = counted,
    .loaded = without_password,
};
dt_phase_row const dt_row_password_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_PASSWORD,
    .retried = true,
    .render = render_password,
    .http_done = answered,
    .loaded = without_password,
};
dt_phase_row const dt_row_password_uncount = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_PASSWORD_RIGHT,
    .render = render_uncount,
    .store_done = uncounted,
};
dt_phase_row const dt_row_password_cancel = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_PASSWORD_RIGHT,
    .render = render_cancel,
    .http_done = cancelled,
    .loaded = without_token,
};
dt_phase_row const dt_row_password_who = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_PASSWORD,
    .render = render_who,
    .http_done = looked_up,
    .loaded = without_password,
};
