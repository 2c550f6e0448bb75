/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MFA conversation of a sign-on: one push per person, a passcode at any time, and the prompts
 * that the door can show. */
#include "core/config/messages.h"
#include "core/okta/passcode.h"
#include "core/signon/signon_internal.h"

#include <stdio.h>
#include <string.h>

/* Every passcode is counted before it is sent, so that guesses at the same time cannot outrun the
 * limit. One that was wrong a moment ago is not sent at all: programs that answer every prompt with the same
 * password would lock the account at Okta. */
static void send_passcode(dt_signon *s, size_t totp_at)
{
    s->totp_at = totp_at;
    dt_signon_set_phase(s, totp_at == 0 ? DT_PHASE_PASSCODE_TRIED_GET : DT_PHASE_PASSCODE_COUNT);
}

static void ask_passcode(dt_signon *s, char const *before)
{
    dt_signon_passcode_prompt(s, before);
    s->until = s->deadline;
    dt_signon_set_phase(s, DT_PHASE_PASSCODE_WAIT);
}

/* Before a push is sent, where nobody knows whether its number would be seen. */
static void offer_push(dt_signon *s, char const *before)
{
    dt_signon_offer_prompt(s, before);
    s->push_offered = true;
    s->until = s->deadline;
    dt_signon_set_phase(s, DT_PHASE_PUSH_OFFER);
}

static void offer_answered(dt_signon *s, dt_typed what)
{
    if (what == DT_TYPED_PASSCODE) {
        send_passcode(s, 0);
        return;
    }
    s->push_offered = false;
    dt_signon_set_phase(s, DT_PHASE_PUSH_CLAIM);
}

/* By what is enrolled, allowed and possible here: a passcode that came along, a push, a prompt for a
 * passcode; nothing of it: refused. */
bool dt_signon_only_reports(dt_signon *s, dt_time now)
{
    if (!s->outcome.report_only)
        return false;
    dt_signon_finish(s, DT_DENY, DT_CAUSE_REPORT_ONLY, now);
    return true;
}

bool dt_signon_only_continues(dt_signon *s, dt_time now)
{
    if (!s->only_continue)
        return false;
    if (!s->outcome.detail[0])
        dt_signon_detail(s, "the session was resumed, and MFA is due that was not given in it");
    dt_signon_finish(s, DT_DENY, DT_CAUSE_PRIMARY_MISSING, now);
    return true;
}

/* What came along with the request, as its digits alone; false, and nothing is left of it, when that is not a
 * passcode. */
static bool has_passcode_along(dt_signon *s)
{
    char digits[DT_PASSCODE_DIGITS_MAX + 1];
    bool has =
        dt_passcode_read(dt_bytes_str(s->scratch->secrets.passcode), digits) == DT_TYPED_PASSCODE;

    explicit_bzero(s->scratch->secrets.passcode, sizeof(s->scratch->secrets.passcode));
    memcpy(s->scratch->secrets.passcode, digits, sizeof(digits));
    explicit_bzero(digits, sizeof(digits));
    return has;
}

/* Where nothing can be shown and nobody is known to be there, the phone must not ring. */
static bool nobody_to_ask(dt_signon *s, dt_time now)
{
    if (!s->prompts_unproven || s->conversation != DT_CONVERSATION_NONE)
        return false;
    dt_signon_detail(s, "MFA is due, and no prompt can be shown here: no push was sent");
    dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_NO_PROMPT, now);
    return true;
}

static bool number_can_be_shown(dt_signon const *s)
{
    return s->conversation == DT_CONVERSATION_LIVE ||
           (s->conversation == DT_CONVERSATION_CHALLENGE && s->push_prompt);
}

static bool number_wanted(dt_signon const *s)
{
    return s->site.config->mfa.number_challenge == DT_NUMBER_WHEN_SHOWN && number_can_be_shown(s);
}

/* A number that nobody sees would be asked for on the phone, and a push without one is not the caller's to
 * choose. */
static void keep_unseen_number(dt_signon *s)
{
    if (!s->prompts_unseen || s->push_blocked || s->push_factor[0] == '\0' || !number_wanted(s))
        return;
    dt_signon_detail(s, "the number of a push could not be seen here: no push was sent");
    s->push_blocked = true;
    s->push_block_cause = DT_CAUSE_MFA_NO_PROMPT;
}

void dt_signon_conversation_stage(dt_signon *s, dt_time now)
{
    if (dt_signon_only_reports(s, now) || dt_signon_only_continues(s, now))
        return;
    if (has_passcode_along(s) && s->totp_count > 0 && s->attempts == 0) {
        send_passcode(s, 0);
        return;
    }
    explicit_bzero(s->scratch->secrets.passcode, sizeof(s->scratch->secrets.passcode));
    if (nobody_to_ask(s, now))
        return;
    keep_unseen_number(s);
    if (s->push_factor[0] && !s->push_blocked) {
        if (now >= s->deadline) { /* nobody could answer it in time */
            dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
            return;
        }
        s->outcome.factor = DT_FACTOR_PUSH;
        if (s->prompts_unproven)
            offer_push(s, "");
        else
            dt_signon_set_phase(s, DT_PHASE_PUSH_CLAIM);
        return;
    }
    if (s->totp_count > 0 && s->conversation != DT_CONVERSATION_NONE) {
        s->outcome.factor = s->totp_type[0];
        ask_passcode(s, s->push_blocked ? dt_signon_no_push_text(s) : "");
        return;
    }
    if (s->push_blocked && s->push_block_cause == DT_CAUSE_OKTA_UNAVAILABLE) {
        dt_signon_okta_unavailable(s, now);
        return;
    }
    if (!s->push_blocked)
        dt_signon_detail(s, "no enrolled factor that the rule allows can be used at this login");
    dt_signon_finish(s, DT_DENY, s->push_blocked ? s->push_block_cause : DT_CAUSE_MFA_NO_FACTOR,
                     now);
}

/* --- push ------------------------------------------------------------------------------------- */

/* A push that was sent, or was denied, leaves none for this sign-on: another factor is tried. */
static void push_refused(dt_signon *s, dt_cause cause)
{
    s->push_blocked = true;
    s->push_block_cause = cause;
    dt_signon_go(s, DT_STAGE_CONVERSATION);
}

/* No push (any more): its record says so, so that nobody waits for it, and another factor is tried. */
static void push_impossible(dt_signon *s, dt_cause cause)
{
    s->push_blocked = true;
    s->push_block_cause = cause;
    s->push.state = DT_PUSH_OVER;
    dt_signon_set_phase(s, DT_PHASE_PUSH_RECORD);
}

static void wait_for_push(dt_signon *s, dt_time now, dt_time interval)
{
    bool early = s->early_polls < DT_SIGNON_EARLY_POLLS && number_wanted(s) &&
                 s->push.number == DT_SIGNON_NUMBER_NONE;

    s->until = now + (early ? DT_SIGNON_EARLY_POLL_INTERVAL : interval);
    if (s->until > s->deadline)
        s->until = s->deadline;
    dt_signon_set_phase(s, DT_PHASE_PUSH_WAIT);
}

/* What must be seen before the wait goes into a prompt: the number, the way to a passcode. */
static void show_push(dt_signon *s, dt_time now)
{
    bool number = s->push.number != DT_SIGNON_NUMBER_NONE;
    bool still_early = number_wanted(s) && !number && s->early_polls < DT_SIGNON_EARLY_POLLS;

    if (number && s->conversation == DT_CONVERSATION_NONE) {
        dt_signon_detail(s, "Okta asks for a number challenge, which this login cannot show; type "
                            "a passcode behind the password, or (RADIUS) set `wait = challenge`");
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_NO_FACTOR, now);
        return;
    }
    if (s->prompt_state != DT_PROMPT_NONE)
        return;
    if (s->stray_answer) {
        s->stray_answer = false;
        dt_signon_passcode_prompt(s, dt_signon_stray_text(s));
        return;
    }
    if (still_early)
        return;
    if (number ? s->number_shown : s->push_prompted || !number_can_be_shown(s))
        return; /* nothing new to say, or nowhere to say it */
    dt_signon_push_prompt(s);
}

static void push_under_way(dt_signon *s, dt_time now)
{
    wait_for_push(s, now, s->site.config->okta.poll_interval);
    show_push(s, now);
}

/* The push limit comes last: what another limit refuses does not count as a push. */
static void claimed(dt_signon *s)
{
    dt_signon_push_written(s);
    s->push.state = DT_PUSH_STARTING;
    s->push.joined = false;
    s->push.number = DT_SIGNON_NUMBER_NONE;
    memcpy(s->push.owner, s->id, sizeof(s->push.owner));
    memcpy(s->push.login, s->who.login, sizeof(s->push.login));
    memcpy(s->push.share, s->push_key, sizeof(s->push.share));
    if (s->site.config->mfa.push_limit == 0) {
        dt_signon_detail(s, "push_limit is 0");
        push_impossible(s, DT_CAUSE_MFA_LIMIT);
        return;
    }
    dt_signon_set_phase(s, s->connection[0] ? DT_PHASE_PUSH_CONNECTION : DT_PHASE_PUSH_COUNT);
}

static void connection_counted(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)now;
    if (r->status == DT_STORE_OK) {
        dt_signon_set_phase(s, DT_PHASE_PUSH_COUNT);
        return;
    }
    if (r->status == DT_STORE_EXISTS)
        dt_signon_detail(s, "this SSH connection has had its push");
    push_impossible(s, r->status == DT_STORE_EXISTS ? DT_CAUSE_MFA_PUSH_SPENT
                                                    : DT_CAUSE_LIMITS_UNAVAILABLE);
}

/* A transaction counts only if it is this person's and this factor's: anybody else's approval must
 * not be read as ours. */
static bool is_our_transaction(dt_signon const *s, char const *url)
{
    return dt_okta_link_belongs(s->site.config, url, s->user_id, s->push_factor);
}

/* Is the record one of this sign-on, sent before? Its links may be followed only if they lead to this
 * person's push. */
static bool is_our_record(dt_signon const *s, dt_push const *p)
{
    if (!dt_str_equal_nocase(p->login, s->who.login) || strcmp(p->share, s->push_key) != 0 ||
        (p->cancel_url[0] && !is_our_transaction(s, p->cancel_url)))
        return false;
    return p->poll_url[0] ? is_our_transaction(s, p->poll_url)
                          : p->state != DT_PUSH_WAITING && p->state != DT_PUSH_APPROVED;
}

/* The person's last push was denied. A retransmit of the sign-on that sent it is denied with it. */
static void was_denied(dt_signon *s, dt_push const *other, dt_time now)
{
    s->negative = true;
    if (is_our_record(s, other) && now - other->at < DT_SIGNON_PUSH_RESULT_KEPT) {
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_REJECTED, now);
        return;
    }
    dt_signon_detail(s, "the last push was denied %lld s ago; push_pause is %lld s",
                     (long long)(now - other->at) / 1000,
                     (long long)s->site.config->mfa.push_pause / 1000);
    push_refused(s, DT_CAUSE_MFA_PUSH_PAUSED);
}

static void join(dt_signon *s, dt_push const *other, dt_time now)
{
    s->push = *other;
    s->push.joined = true;
    push_under_way(s, now);
}

/* This person has a record. A push under way is joined by the sign-on that it is of, and by no other:
 * whoever knows the password must not ride on somebody else's approval. */
static void claim_exists(dt_signon *s, dt_bytes record, dt_time now)
{
    dt_push other;
    bool readable =
        dt_push_unpack(record, &other) == DT_OK && dt_str_equal_nocase(other.login, s->who.login);

    if (readable && other.state == DT_PUSH_REJECTED &&
        (s->site.config->mfa.push_pause > 0 || is_our_record(s, &other))) {
        was_denied(s, &other, now);
        return;
    }
    if (readable && (other.state == DT_PUSH_STARTING || other.state == DT_PUSH_WAITING)) {
        if (is_our_record(s, &other)) {
            join(s, &other, now);
            return;
        }
        dt_signon_detail(s, "a push of sign-on %s waits for this person's answer", other.owner);
        push_refused(s, DT_CAUSE_MFA_PUSH_PENDING);
        return;
    }
    if (record.len > sizeof(s->scratch->expected) || ++s->retries > DT_SIGNON_RETRIES_MAX) {
        push_impossible(s, DT_CAUSE_INTERNAL);
        return;
    }
    if (record.len > 0)
        memcpy(s->scratch->expected, record.p, record.len);
    s->expected_len = record.len;
    s->phase = DT_PHASE_PUSH_RECLAIM;
}

static void claim_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    switch (r->status) {
    case DT_STORE_EXISTS:
        if (s->phase == DT_PHASE_PUSH_CLAIM)
            claim_exists(s, r->value, now);
        else
            s->phase = DT_PHASE_PUSH_CLAIM; /* somebody was quicker: look again */
        return;
    case DT_STORE_NOT_FOUND:
        s->phase = DT_PHASE_PUSH_CLAIM;
        return;
    case DT_STORE_OK:
        claimed(s);
        return;
    default: /* whether another push is under way is not known */
        push_refused(s, DT_CAUSE_LIMITS_UNAVAILABLE);
        return;
    }
}

/* Past the deadline the record that keeps other sign-ons from sending a push may have run out (a step of the
 * clock): then none is sent. */
static void push_counted(dt_signon *s, dt_store_result const *r, dt_time now)
{
    if (r->status == DT_STORE_OK && now < s->deadline) {
        dt_signon_set_phase(s, DT_PHASE_PUSH_HTTP);
        return;
    }
    if (r->status == DT_STORE_OK) {
        push_impossible(s, DT_CAUSE_MFA_TIMEOUT);
        return;
    }
    if (r->status == DT_STORE_EXISTS)
        dt_signon_detail(s, "%lld pushes within push_limit_window, push_limit is %d",
                         (long long)r->count, s->site.config->mfa.push_limit);
    push_impossible(s, r->status == DT_STORE_EXISTS ? DT_CAUSE_MFA_LIMIT
                                                    : DT_CAUSE_LIMITS_UNAVAILABLE);
}

static void push_over(dt_signon *s, dt_cause cause, dt_time now)
{
    s->push.state = DT_PUSH_OVER;
    s->negative = true;
    dt_signon_finish(s, DT_DENY, cause, now);
}

static dt_cause over_cause(dt_okta_result r)
{
    return r == DT_OKTA_RESULT_LOCKED ? DT_CAUSE_MFA_LOCKED : DT_CAUSE_MFA_TIMEOUT;
}

/* The record that others see as this push's end is written by the finish. */
static void push_result(dt_signon *s, dt_okta_verification const *v, dt_time now)
{
    switch (v->result) {
    case DT_OKTA_RESULT_SUCCESS:
        s->push.state = DT_PUSH_APPROVED;
        s->outcome.factor = DT_FACTOR_PUSH;
        dt_signon_finish(s, DT_ALLOW, DT_CAUSE_MFA_SUCCESS, now);
        return;
    case DT_OKTA_RESULT_REJECTED:
        s->push.state = DT_PUSH_REJECTED;
        s->negative = true;
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_REJECTED, now);
        return;
    default:
        push_over(s, over_cause(v->result), now);
        if (v->result == DT_OKTA_RESULT_LOCKED)
            s->push.state = DT_PUSH_LOCKED;
        return;
    }
}

static bool take_links(dt_signon *s, dt_okta_verification const *v)
{
    if (v->number >= 0)
        s->push.number = v->number;
    if (s->push.joined) /* its links were checked by the sign-on that sent it */
        return s->push.poll_url[0] != '\0';
    if ((v->poll_url[0] && !is_our_transaction(s, v->poll_url)) ||
        (v->cancel_url[0] && !is_our_transaction(s, v->cancel_url)))
        return false;
    if (v->poll_url[0] && dt_str_copy(s->push.poll_url, sizeof(s->push.poll_url), v->poll_url) < 0)
        return false;
    if (v->cancel_url[0] &&
        dt_str_copy(s->push.cancel_url, sizeof(s->push.cancel_url), v->cancel_url) < 0)
        return false;
    return s->push.poll_url[0] != '\0';
}

static void push_sent(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_verification v;
    dt_error err = {0};
    dt_okta_answer a = dt_okta_read_verification(s->site.config, r, &v, &err);

    if (a == DT_OKTA_RATE_LIMITED || a == DT_OKTA_UNAUTHORIZED) {
        dt_signon_okta_failed(s, a, r, &err, now);
        return;
    }
    /* Nobody can have approved what was sent this moment: the API knows WAITING here, no success. */
    if (a != DT_OKTA_OK || v.result == DT_OKTA_RESULT_NONE || v.result == DT_OKTA_RESULT_SUCCESS) {
        dt_signon_detail(s, "Okta: push: %s", err.text[0] ? err.text : "an answer of unknown kind");
        s->negative = s->negative || !dt_okta_is_unavailable(a);
        if (dt_signon_was_cut_short(s, r))
            push_impossible(s, DT_CAUSE_MFA_TIMEOUT);
        else
            push_impossible(s, a == DT_OKTA_NOT_FOUND || a == DT_OKTA_NOT_ACTIVE
                                   ? DT_CAUSE_MFA_NO_FACTOR
                                   : dt_signon_cause_of(a));
        return;
    }
    if (v.result != DT_OKTA_RESULT_WAITING) {
        push_result(s, &v, now);
        return;
    }
    if (!take_links(s, &v)) {
        s->negative = true;
        dt_signon_detail(s, "Okta: push: the answer holds no link to poll this person's push");
        push_impossible(s, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
        return;
    }
    s->push.state = DT_PUSH_WAITING;
    dt_signon_set_phase(s, DT_PHASE_PUSH_RECORD);
}

static void passcode_wanted(dt_signon *s)
{
    send_passcode(s, 0);
}

static void poll_failed(dt_signon *s, dt_okta_answer a, dt_http_response const *r,
                        dt_error const *e, dt_time now)
{
    if (a == DT_OKTA_UNAUTHORIZED) {
        dt_signon_okta_failed(s, a, r, e, now);
        return;
    }
    dt_signon_detail(s, "Okta: poll: %s", e->text[0] ? e->text : "an answer of unknown kind");
    s->negative = s->negative || !dt_okta_is_unavailable(a);
    if (a == DT_OKTA_RATE_LIMITED) {
        wait_for_push(s, now, dt_okta_rate_wait(r));
        return;
    }
    if (a == DT_OKTA_NOT_FOUND) { /* the factor was removed meanwhile */
        push_over(s, DT_CAUSE_MFA_NO_FACTOR, now);
        return;
    }
    /* The person or the factor was suspended; or a no of another kind, which no later poll changes. */
    if (a == DT_OKTA_NOT_ACTIVE || (a == DT_OKTA_OK && r->status >= 400)) {
        push_over(s, DT_CAUSE_OKTA_REFUSED, now);
        return;
    }
    if (++s->poll_failures > DT_SIGNON_POLL_FAILURES_MAX) {
        if (dt_okta_is_unavailable(a))
            dt_signon_okta_unavailable(s, now);
        else
            dt_signon_finish(s, DT_DENY, dt_signon_cause_of(a), now);
        return;
    }
    wait_for_push(s, now, s->site.config->okta.poll_interval);
}

static void polled(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_verification v;
    dt_error err = {0};
    dt_okta_answer a = dt_okta_read_verification(s->site.config, r, &v, &err);

    s->early_polls++;
    if (a == DT_OKTA_OK && v.result != DT_OKTA_RESULT_NONE && v.result != DT_OKTA_RESULT_WAITING) {
        if (err.text[0] != '\0')
            dt_signon_detail(s, "Okta: poll: %s", err.text);
        push_result(s, &v, now);
        return;
    }
    if (s->scratch->secrets.passcode[0]) { /* typed while the poll was under way */
        passcode_wanted(s);
        return;
    }
    if (a != DT_OKTA_OK || v.result == DT_OKTA_RESULT_NONE || !take_links(s, &v)) {
        poll_failed(s, a, r, &err, now);
        return;
    }
    s->poll_failures = 0;
    wait_for_push(s, now, dt_okta_poll_interval(r, s->site.config->okta.poll_interval));
    show_push(s, now);
}

/* What the sign-on that owns the push has written meanwhile. */
static void joined_get(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_push other;
    dt_okta_verification v = {.result = DT_OKTA_RESULT_TIMEOUT};

    if (r->status == DT_STORE_ERROR && s->push.poll_url[0]) {
        dt_signon_set_phase(s, DT_PHASE_PUSH_POLL);
        return;
    }
    if (r->status != DT_STORE_OK || dt_push_unpack(r->value, &other) < 0 ||
        strcmp(other.owner, s->push.owner) != 0 || !is_our_record(s, &other)) {
        push_result(s, &v, now);
        return;
    }
    s->push = other;
    s->push.joined = true;
    s->expected_len = r->value.len <= sizeof(s->scratch->expected) ? r->value.len : 0;
    if (s->expected_len > 0)
        memcpy(s->scratch->expected, r->value.p, s->expected_len);
    if (other.state == DT_PUSH_STARTING) {
        wait_for_push(s, now, DT_SIGNON_EARLY_POLL_INTERVAL);
        return;
    }
    if (other.state == DT_PUSH_WAITING) {
        dt_signon_set_phase(s, DT_PHASE_PUSH_POLL);
        return;
    }
    s->expected_len = 0; /* its end is written down already */
    if (other.state == DT_PUSH_APPROVED)
        v.result = DT_OKTA_RESULT_SUCCESS;
    if (other.state == DT_PUSH_REJECTED)
        v.result = DT_OKTA_RESULT_REJECTED;
    if (other.state == DT_PUSH_LOCKED)
        v.result = DT_OKTA_RESULT_LOCKED;
    push_result(s, &v, now);
}

static void push_recorded(dt_signon *s, dt_store_result const *r, dt_time now)
{
    if (r->status == DT_STORE_OK)
        dt_signon_push_written(s);
    if (s->push_blocked)
        dt_signon_go(s, DT_STAGE_CONVERSATION);
    else
        push_under_way(s, now);
}

/* --- passcode --------------------------------------------------------------------------------- */

static void ask_anew(dt_signon *s, char const *why, dt_time now)
{
    bool push_open = s->push.state == DT_PUSH_WAITING;

    explicit_bzero(s->scratch->secrets.passcode, sizeof(s->scratch->secrets.passcode));
    s->attempts++;
    if (s->attempts >= s->site.config->mfa.passcode_attempts ||
        s->conversation == DT_CONVERSATION_NONE) {
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_FAILED, now);
        return;
    }
    if (!push_open) {
        (s->push_offered ? offer_push : ask_passcode)(s, why);
        return;
    }
    wait_for_push(s, now, s->site.config->okta.poll_interval);
    dt_signon_passcode_prompt(s, why);
}

static void wrong_passcode(dt_signon *s, dt_time now)
{
    ask_anew(s, dt_words_text(s->site.config, DT_WORDS_NOTE_PASSCODE_WRONG), now);
}

/* Passcodes are refused without asking Okta. A push that is under way may still be approved. */
static void passcode_refused(dt_signon *s, dt_cause cause, dt_time now)
{
    explicit_bzero(s->scratch->secrets.passcode, sizeof(s->scratch->secrets.passcode));
    s->passcode_locked = true;
    s->attempts++;
    if (s->push.state != DT_PUSH_WAITING || s->conversation == DT_CONVERSATION_NONE ||
        s->attempts >= s->site.config->mfa.passcode_attempts) {
        dt_signon_finish(s, DT_DENY, cause, now);
        return;
    }
    wait_for_push(s, now, s->site.config->okta.poll_interval);
    dt_signon_passcode_prompt(s, dt_words_text(s->site.config, DT_WORDS_NOTE_PASSCODE_LIMIT));
}

/* Counts as pressing Enter while a push may be approved, else as a wrong one; at Okta as nothing. */
static void tried_before(dt_signon *s, dt_time now)
{
    dt_signon_detail(s,
                     "a passcode that was wrong a moment ago was given again: Okta was not asked");
    if (s->push.state != DT_PUSH_WAITING || s->conversation == DT_CONVERSATION_NONE) {
        wrong_passcode(s, now);
        return;
    }
    explicit_bzero(s->scratch->secrets.passcode, sizeof(s->scratch->secrets.passcode));
    wait_for_push(s, now, 0);
}

static void tried_looked_up(dt_signon *s, dt_store_result const *r, dt_time now)
{
    if (r->status == DT_STORE_OK)
        tried_before(s, now);
    else
        dt_signon_set_phase(s, DT_PHASE_PASSCODE_COUNT);
}

static void passcode_counted(dt_signon *s, dt_store_result const *r, dt_time now)
{
    if (r->status == DT_STORE_OK) {
        dt_signon_set_phase(s, DT_PHASE_PASSCODE_HTTP);
        return;
    }
    if (r->status == DT_STORE_EXISTS)
        dt_signon_detail(s,
                         "%lld wrong passcodes since the last MFA, passcode_limit is %d: Okta was "
                         "not asked; devtrustctl forget --limits --user %s ends it",
                         (long long)r->count, s->site.config->mfa.passcode_limit, s->who.login);
    passcode_refused(
        s, r->status == DT_STORE_EXISTS ? DT_CAUSE_MFA_PASSCODE_LIMIT : DT_CAUSE_LIMITS_UNAVAILABLE,
        now);
}

/* Okta has not looked at it: it was never sent, or Okta says so. After any other failure it may have. */
static bool was_not_judged(dt_okta_answer a, dt_http_response const *r)
{
    return a == DT_OKTA_RATE_LIMITED || r->failure == DT_HTTP_NO_NAME ||
           r->failure == DT_HTTP_NO_ROUTE || r->failure == DT_HTTP_REFUSED ||
           r->failure == DT_HTTP_QUEUED || r->failure == DT_HTTP_NO_CREDENTIALS ||
           r->failure == DT_HTTP_PROXY_FAILED || r->failure == DT_HTTP_PROXY_REFUSED;
}

static void passcode_checked(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_verification v;
    dt_error err = {0};
    dt_okta_answer a = dt_okta_read_verification(s->site.config, r, &v, &err);

    s->passcode_unjudged = was_not_judged(a, r);
    if (dt_signon_okta_failed(s, a, r, &err, now))
        return; /* after RETRY_WAIT the same passcode is sent again: it was not looked at (429) */
    if (v.result == DT_OKTA_RESULT_SUCCESS) {
        explicit_bzero(s->scratch->secrets.passcode, sizeof(s->scratch->secrets.passcode));
        s->outcome.factor = s->totp_type[s->totp_at];
        dt_signon_finish(s, DT_ALLOW, DT_CAUSE_MFA_SUCCESS, now);
        return;
    }
    s->negative = true;
    s->outcome.factor = s->totp_type[s->totp_at];
    dt_signon_detail(s, "Okta: passcode: %s", err.text[0] ? err.text : "not accepted");
    if (v.result == DT_OKTA_RESULT_LOCKED) {
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_LOCKED, now);
        return;
    }
    if (v.result == DT_OKTA_RESULT_WRONG_CODE && s->totp_at + 1 < s->totp_count) {
        send_passcode(s, s->totp_at + 1); /* the person's other authenticator */
        return;
    }
    dt_signon_set_phase(s, DT_PHASE_PASSCODE_TRIED_PUT);
}

/* It is kept from now on that this very passcode was wrong, or could not be. */
static void tried_kept(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    wrong_passcode(s, now);
}

/* Text that is neither Enter nor a passcode that is taken here: the person is told, and asked again. It is no
 * guess, and nothing is looked up for it. Of a program that answers every prompt with the same words, only so
 * many are told. */
static void answered_astray(dt_signon *s, dt_time now)
{
    if (s->phase == DT_PHASE_PASSCODE_WAIT || s->phase == DT_PHASE_PUSH_OFFER) {
        ask_anew(s, dt_signon_stray_text(s), now);
        return;
    }
    if (s->stray_answers >= DT_SIGNON_STRAY_ANSWERS_MAX)
        return;
    s->stray_answers++;
    s->stray_answer = true;
    if (s->phase == DT_PHASE_PUSH_WAIT) /* else when the poll that is under way has ended */
        show_push(s, now);
}

void dt_signon_mfa_answered(dt_signon *s, dt_bytes answer, dt_time now)
{
    char digits[DT_PASSCODE_DIGITS_MAX + 1];
    dt_typed what = dt_passcode_read(answer, digits);
    bool taken = s->prompt_takes_passcode && s->totp_count > 0 && !s->passcode_locked;

    if (what == DT_TYPED_PASSCODE && taken)
        memcpy(s->scratch->secrets.passcode, digits, sizeof(digits));
    explicit_bzero(digits, sizeof(digits));
    if (what == DT_TYPED_OTHER || (what == DT_TYPED_PASSCODE && !taken)) {
        answered_astray(s, now);
        return;
    }
    switch (s->phase) {
    case DT_PHASE_PUSH_OFFER:
        offer_answered(s, what);
        return;
    case DT_PHASE_PASSCODE_WAIT:
        if (what == DT_TYPED_PASSCODE)
            passcode_wanted(s);
        else
            ask_anew(s, dt_signon_stray_text(s), now);
        return;
    case DT_PHASE_PUSH_WAIT:
        if (what == DT_TYPED_PASSCODE)
            passcode_wanted(s);
        else
            s->until = now; /* Enter: "I have approved it": look at once */
        return;
    default: /* a poll is under way; its end looks at the passcode */
        return;
    }
}

static void push_time(dt_signon *s, dt_time now)
{
    if (now >= s->deadline) {
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
        return;
    }
    dt_signon_set_phase(s, s->push.joined ? DT_PHASE_PUSH_JOINED_GET : DT_PHASE_PUSH_POLL);
}

static void passcode_time(dt_signon *s, dt_time now)
{
    dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
}

/* --- the phases ------------------------------------------------------------------------------- */

static int render_push_count(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_config const *c = s->site.config;

    (void)value;
    dt_signon_store_count(s, DT_TABLE_PUSH_COUNT, c->mfa.push_limit,
                          now + c->mfa.push_limit_window);
    return dt_signon_limit_key(s, "pushes");
}

static int render_connection(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    dt_signon_store_count(s, DT_TABLE_PUSH_COUNT, 1, now + DT_SIGNON_CONNECTION_KEPT);
    return dt_signon_store_key(s, "connection", s->connection);
}

static int render_joined_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_PUSH, DT_STORE_GET);
    return dt_signon_limit_key(s, "push");
}

static int render_push(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_okta_push(s->site.config, s->user_id, s->push_factor, number_wanted(s),
                        &s->scratch->http);
}

static int render_poll(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_okta_poll(s->site.config, s->push.poll_url, &s->scratch->http);
}

/* What was typed may be a password, so the key is a digest; the driver makes a keyed one of it. */
static int render_tried(dt_signon *s, dt_store_verb verb, dt_time now)
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];
    char text[DT_LOGIN_MAX + DT_ANSWER_MAX];
    int n = snprintf(text, sizeof(text), "%s %s", s->scratch->secrets.passcode, s->who.login);
    int rc = n > 0 && (size_t)n < sizeof(text) ? dt_crypto_sha256(dt_bytes_str(text), digest)
                                               : DT_E_LIMIT;

    explicit_bzero(text, sizeof(text));
    dt_signon_store(s, DT_TABLE_TRIED, verb);
    s->scratch->store.value = dt_bytes_str("1");
    s->scratch->store.expires = now + DT_SIGNON_TRIED_KEPT;
    if (rc < 0)
        return rc;
    dt_hex(hex, digest, sizeof(digest));
    return dt_signon_store_key(s, "tried", hex);
}

static int render_tried_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    return render_tried(s, DT_STORE_GET, now);
}

static int render_tried_put(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    return render_tried(s, DT_STORE_PUT, now);
}

/* However old: time gives no more guesses. */
static int render_passcode_count(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store_count(s, DT_TABLE_PUSH_COUNT, s->site.config->mfa.passcode_limit,
                          DT_TIME_NEVER);
    return dt_signon_limit_key(s, "passcodes");
}

static int render_passcode(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    return dt_okta_passcode(s->site.config, s->user_id, s->totp_factor[s->totp_at],
                            s->scratch->secrets.passcode, &s->scratch->http);
}

static bool has_push_factor(dt_signon const *s)
{
    return s->user_id[0] && s->push_factor[0];
}

static bool has_connection(dt_signon const *s)
{
    return has_push_factor(s) && s->connection[0];
}

static bool has_poll_url(dt_signon const *s)
{
    return s->push.poll_url[0] != '\0';
}

static bool has_push_to_offer(dt_signon const *s)
{
    return has_push_factor(s) && s->push.state == DT_PUSH_NONE;
}

static bool has_totp_factor(dt_signon const *s)
{
    return s->user_id[0] && s->totp_count > 0 && s->totp_at < s->totp_count;
}

/* The passcode is never saved: it has to be typed again. */
static void ask_again(dt_signon *s)
{
    dt_signon_passcode_prompt(s, "");
    s->until = s->deadline;
    s->phase = DT_PHASE_PASSCODE_WAIT;
    s->retry_phase = DT_PHASE_DONE;
}

dt_phase_row const dt_row_push_claim = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = dt_signon_push_claim,
    .store_done = claim_done,
    .has_fields = has_push_factor,
};
dt_phase_row const dt_row_push_reclaim = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = dt_signon_push_reclaim,
    .store_done = claim_done,
    .has_fields = has_push_factor,
};
dt_phase_row const dt_row_push_connection = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_connection,
    .store_done = connection_counted,
    .has_fields = has_connection,
};
dt_phase_row const dt_row_push_count = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_push_count,
    .store_done = push_counted,
    .has_fields = has_push_factor,
};
dt_phase_row const dt_row_push_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_MFA,
    .retried = true,
    .render = render_push,
    .http_done = push_sent,
    .has_fields = has_push_factor,
};
dt_phase_row const dt_row_push_record = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = dt_signon_push_put,
    .store_done = push_recorded,
};
dt_phase_row const dt_row_push_wait = {
    .kind = DT_PHASE_IS_WAIT,
    .part = DT_PART_MFA,
    .time_done = push_time,
};
dt_phase_row const dt_row_push_joined_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_joined_get,
    .store_done = joined_get,
};
dt_phase_row const dt_row_push_poll = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_MFA,
    .called = DT_CALLED_OKTA_POLL,
    .render = render_poll,
    .http_done = polled,
    .has_fields = has_poll_url,
};
dt_phase_row const dt_row_push_offer = {
    .kind = DT_PHASE_IS_WAIT,
    .part = DT_PART_MFA,
    .time_done = passcode_time,
    .has_fields = has_push_to_offer,
};
dt_phase_row const dt_row_passcode_wait = {
    .kind = DT_PHASE_IS_WAIT,
    .part = DT_PART_MFA,
    .time_done = passcode_time,
    .has_fields = has_totp_factor,
};
dt_phase_row const dt_row_passcode_tried_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_tried_get,
    .store_done = tried_looked_up,
    .has_fields = has_totp_factor,
    .loaded = ask_again,
};
dt_phase_row const dt_row_passcode_count = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_passcode_count,
    .store_done = passcode_counted,
    .has_fields = has_totp_factor,
    .loaded = ask_again,
};
dt_phase_row const dt_row_passcode_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_MFA,
    .retried = true,
    .render = render_passcode,
    .http_done = passcode_checked,
    .has_fields = has_totp_factor,
    .loaded = ask_again,
};
dt_phase_row const dt_row_passcode_tried_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_tried_put,
    .store_done = tried_kept,
    .has_fields = has_totp_factor,
    .loaded = ask_again,
};
