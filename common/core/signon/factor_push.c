/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A push, and a sign-in with a browser, which goes the same way: one per person at a time, over all doors. It is
 * claimed in the store, counted, sent and polled; it is shared with the same sign-on sent again, and taken back when
 * the sign-on ends before it was answered. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

#include <string.h>

static bool number_can_be_shown(dt_signon const *s)
{
    return s->conversation == DT_CONVERSATION_LIVE ||
           (s->conversation == DT_CONVERSATION_CHALLENGE && s->push_prompt);
}

/* The person opens a page and enters a code there, so both must be seen. */
static bool is_browser(dt_signon const *s)
{
    dt_enrolled const *f = dt_signon_in_use(s);

    return f != NULL && f->type == DT_FACTOR_BROWSER;
}

static bool number_wanted(dt_signon const *s)
{
    return s->ruleset.config->mfa.number_challenge == DT_NUMBER_WHEN_SHOWN && !is_browser(s) &&
           number_can_be_shown(s);
}

/* A number that nobody sees would be asked for on the phone, and a push without one is not the caller's to
 * choose. */
static bool would_be_unseen(dt_signon const *s)
{
    return is_browser(s) ? s->prompts_unseen || !dt_signon_can_ask(s)
                         : s->prompts_unseen && number_wanted(s);
}

static void begin(dt_signon *s, dt_time now)
{
    if (would_be_unseen(s)) {
        dt_signon_detail(
            s, is_browser(s) ? "MFA with a browser is required, but its code cannot be shown here"
                             : "the number of a push cannot be shown here: no push was sent");
        dt_signon_block(s, DT_FACTOR_APPROVED, DT_CAUSE_MFA_NO_PROMPT);
        return;
    }
    if (now >= s->deadline) { /* nobody could answer it in time */
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
        return;
    }
    s->outcome.factor = dt_signon_in_use(s)->type;
    if (s->prompts_unproven)
        dt_signon_offer(s, "");
    else
        dt_signon_set_phase(s, DT_PHASE_PUSH_CLAIM);
}

/* No push (any more): its record says so, so that nobody waits for it, and another factor is tried. */
static void push_impossible(dt_signon *s, dt_cause cause)
{
    s->blocked |= DT_FACTOR_APPROVED;
    s->block_cause = cause;
    s->push.state = DT_PUSH_OVER;
    dt_signon_set_phase(s, DT_PHASE_PUSH_RECORD);
}

/* Between two polls. */
static dt_time poll_interval(dt_signon const *s)
{
    dt_time own = s->ruleset.config->okta.poll_interval;
    dt_time theirs =
        dt_signon_way(s)->poll_interval != NULL ? dt_signon_way(s)->poll_interval(s) : 0;

    return theirs > own ? theirs : own;
}

/* Polls that follow each other quickly may still bring a number. */
static bool number_may_come(dt_signon const *s)
{
    return !dt_signon_way(s)->number_at_once && s->early_polls < DT_SIGNON_EARLY_POLLS &&
           number_wanted(s);
}

/* Okta may name an interval, and an earlier poll would be answered by a longer one. A clock that was set back holds
 * up nobody. */
static dt_time earliest_poll(dt_signon const *s, dt_time now)
{
    return s->poll_from < now + s->poll_every ? s->poll_from : now + s->poll_every;
}

static void wait_for_push(dt_signon *s, dt_time now, dt_time interval)
{
    bool early = number_may_come(s) && s->push.number == DT_SIGNON_NUMBER_NONE;

    s->until = now + (early ? DT_SIGNON_EARLY_POLL_INTERVAL : interval);
    if (s->until < earliest_poll(s, now))
        s->until = earliest_poll(s, now);
    if (s->until > s->deadline)
        s->until = s->deadline;
    dt_signon_set_phase(s, DT_PHASE_POLL_WAIT);
}

/* Who joined a browser's sign-in has no code to show. */
static bool push_can_be_shown(dt_signon const *s)
{
    return is_browser(s) ? dt_signon_can_ask(s) && s->scratch->browser.user_code[0] != '\0'
                         : number_can_be_shown(s);
}

/* What must be seen before the wait goes into a prompt: the number, the way to a passcode. */
static void show_push(dt_signon *s, dt_time now)
{
    bool number = s->push.number != DT_SIGNON_NUMBER_NONE;
    bool still_early = !number && number_may_come(s);

    if (number && s->conversation == DT_CONVERSATION_NONE) {
        dt_signon_detail(s, "Okta asks for a number challenge, which this login cannot show; type "
                            "a passcode after the password, or (RADIUS) set `wait = challenge`");
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_NO_FACTOR, now);
        return;
    }
    if (s->prompt_state != DT_PROMPT_NONE)
        return;
    if (s->stray_answer) {
        s->stray_answer = false;
        dt_signon_push_prompt(s, dt_signon_stray_text(s));
        return;
    }
    if (still_early)
        return;
    if (number ? s->number_shown : s->push_prompted || !push_can_be_shown(s))
        return; /* nothing new to say, or nowhere to say it */
    dt_signon_push_prompt(s, "");
    s->push_prompted = true;
}

static void push_under_way(dt_signon *s, dt_time now)
{
    wait_for_push(s, now, poll_interval(s));
    show_push(s, now);
}

/* The push limit comes last: what another limit refuses does not count as a push. */
static void begin_claimed_push(dt_signon *s)
{
    dt_signon_push_written(s);
    s->push.state = DT_PUSH_STARTING;
    s->push.joined = false;
    s->push.number = DT_SIGNON_NUMBER_NONE;
    memcpy(s->push.owner, s->id, sizeof(s->push.owner));
    if (s->connection[0] && s->ruleset.config->mfa.push_limit > 0)
        dt_signon_set_phase(s, DT_PHASE_PUSH_CONNECTION);
    else
        dt_signon_send(s);
}

static void connection_counted(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)now;
    if (r->status == DT_STORE_OK) {
        dt_signon_send(s);
        return;
    }
    if (r->status == DT_STORE_EXISTS)
        dt_signon_detail(s, "this SSH connection has already had its push");
    push_impossible(s, r->status == DT_STORE_EXISTS ? DT_CAUSE_MFA_PUSH_SPENT
                                                    : DT_CAUSE_LIMITS_UNAVAILABLE);
}

/* A transaction counts only if it is this person's and this factor's: anybody else's approval must
 * not be read as ours. */
static bool is_our_transaction(dt_signon const *s, char const *url)
{
    dt_enrolled const *f = dt_signon_in_use(s);

    return f != NULL && dt_signon_way(s)->is_ours(s, f, url);
}

/* Like is_our_transaction, for one that another sign-on of this person sent, to whichever of the person's devices. */
static bool is_their_transaction(dt_signon const *s, char const *url)
{
    for (size_t i = 0; i < s->enrolled_count; i++)
        if ((s->enrolled[i].type & DT_FACTOR_APPROVED) != 0 &&
            dt_signon_way(s)->is_ours(s, &s->enrolled[i], url))
            return true;
    return false;
}

/* Is the record one of this sign-on, sent before? Its links may be followed only if they lead to this
 * person's push. */
static bool is_our_record(dt_signon const *s, dt_push_record const *r)
{
    dt_push const *p = &r->push;

    if (!dt_str_equal_nocase(r->login, s->who.login) || strcmp(r->share, s->push_key) != 0 ||
        (p->cancel_url[0] && !is_their_transaction(s, p->cancel_url)))
        return false;
    return p->poll_url[0] ? is_their_transaction(s, p->poll_url)
                          : p->state != DT_PUSH_WAITING && p->state != DT_PUSH_APPROVED;
}

/* The person's last push was denied. A retransmit of the sign-on that sent it is denied with it. */
static void refuse_after_denial(dt_signon *s, dt_push_record const *other, dt_time now)
{
    s->negative = true;
    if (is_our_record(s, other) && now - other->push.at < DT_SIGNON_PUSH_RESULT_KEPT) {
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_REJECTED, now);
        return;
    }
    dt_signon_detail(s, "the last push was denied %lld s ago; push_pause is %lld s",
                     (long long)(now - other->push.at) / 1000,
                     (long long)s->ruleset.config->mfa.push_pause / 1000);
    dt_signon_block(s, DT_FACTOR_APPROVED, DT_CAUSE_MFA_PUSH_PAUSED);
}

static void join(dt_signon *s, dt_push_record const *other, dt_time now)
{
    s->push = other->push;
    s->push.joined = true;
    push_under_way(s, now);
}

/* This person has a record. A push under way is joined by the sign-on that it is of, and by no other:
 * whoever knows the password must not ride on somebody else's approval. */
static void claim_exists(dt_signon *s, dt_bytes record, dt_time now)
{
    dt_push_record other;
    bool readable =
        dt_push_unpack(record, &other) == DT_OK && dt_str_equal_nocase(other.login, s->who.login);

    if (readable && other.push.state == DT_PUSH_REJECTED &&
        (s->ruleset.config->mfa.push_pause > 0 || is_our_record(s, &other))) {
        refuse_after_denial(s, &other, now);
        return;
    }
    if (readable && (other.push.state == DT_PUSH_STARTING || other.push.state == DT_PUSH_WAITING)) {
        if (is_our_record(s, &other)) {
            join(s, &other, now);
            return;
        }
        dt_signon_detail(s, "a push of sign-on %s is waiting for this person's answer",
                         other.push.owner);
        dt_signon_block(s, DT_FACTOR_APPROVED, DT_CAUSE_MFA_PUSH_PENDING);
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
        begin_claimed_push(s);
        return;
    default: /* whether another push is under way is not known */
        dt_signon_block(s, DT_FACTOR_APPROVED, DT_CAUSE_LIMITS_UNAVAILABLE);
        return;
    }
}

static void push_over(dt_signon *s, dt_cause cause, dt_time now)
{
    s->push.state = DT_PUSH_OVER;
    s->negative = true;
    dt_signon_finish(s, DT_DENY, cause, now);
}

static dt_cause over_cause(dt_okta_result r)
{
    dt_cause ends = dt_signon_cause_of_result(r);

    return ends != DT_CAUSE_NONE ? ends : DT_CAUSE_MFA_TIMEOUT;
}

/* The record that others see as this push's end is written by the finish. */
static void push_result(dt_signon *s, dt_okta_verification const *v, dt_time now)
{
    switch (v->result) {
    case DT_OKTA_RESULT_SUCCESS:
        s->push.state = DT_PUSH_APPROVED;
        s->outcome.factor = dt_signon_in_use(s)->type;
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
    dt_okta_answer a = dt_signon_read_sent(s, r, now, &v, &err);

    if (a == DT_OKTA_RATE_LIMITED || a == DT_OKTA_UNAUTHORIZED) {
        dt_signon_okta_failed(s, a, r, &err, now);
        return;
    }
    /* Nobody can have approved what was sent this moment: the API knows WAITING here, no success. */
    if (a != DT_OKTA_OK || v.result == DT_OKTA_RESULT_NONE || v.result == DT_OKTA_RESULT_SUCCESS) {
        dt_signon_detail(s, "Okta: push: %s", err.text[0] ? err.text : "an answer of unknown type");
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
        dt_signon_detail(s, "Okta: push: the answer contains no link to poll this person's push");
        push_impossible(s, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
        return;
    }
    s->push.state = DT_PUSH_WAITING;
    dt_signon_set_phase(s, DT_PHASE_PUSH_RECORD);
}

static void poll_failed(dt_signon *s, dt_okta_answer a, dt_http_response const *r,
                        dt_error const *e, dt_time now)
{
    if (a == DT_OKTA_UNAUTHORIZED) {
        dt_signon_okta_failed(s, a, r, e, now);
        return;
    }
    dt_signon_detail(s, "Okta: poll: %s", e->text[0] ? e->text : "an answer of unknown type");
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
    wait_for_push(s, now, poll_interval(s));
}

static void polled(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_verification v;
    dt_error err = {0};
    dt_okta_answer a = dt_signon_read_poll(s, r, now, &v, &err);

    s->early_polls++;
    if (a == DT_OKTA_OK && v.result != DT_OKTA_RESULT_NONE && v.result != DT_OKTA_RESULT_WAITING) {
        if (err.text[0] != '\0')
            dt_signon_detail(s, "Okta: poll: %s", err.text);
        push_result(s, &v, now);
        return;
    }
    if (s->scratch->secrets.answer[0]) { /* typed while the poll was under way */
        dt_signon_send_answer(s, s->answer_at);
        return;
    }
    if (a != DT_OKTA_OK || v.result == DT_OKTA_RESULT_NONE || !take_links(s, &v)) {
        poll_failed(s, a, r, &err, now);
        return;
    }
    s->poll_failures = 0;
    wait_for_push(s, now, dt_okta_poll_interval(r, poll_interval(s)));
    show_push(s, now);
}

/* Where only the sign-on that sent the push can ask, its record is looked at again. */
static void poll_joined(dt_signon *s, dt_time now)
{
    if (dt_signon_way(s)->polls_alone)
        wait_for_push(s, now, poll_interval(s));
    else
        dt_signon_set_phase(s, DT_PHASE_POLL_HTTP);
}

/* What the sign-on that owns the push has written meanwhile. */
static void joined_get(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_push_record other;
    dt_okta_verification v = {.result = DT_OKTA_RESULT_TIMEOUT};

    if (r->status == DT_STORE_ERROR && s->push.poll_url[0]) {
        poll_joined(s, now);
        return;
    }
    if (r->status != DT_STORE_OK || dt_push_unpack(r->value, &other) < 0 ||
        strcmp(other.push.owner, s->push.owner) != 0 || !is_our_record(s, &other)) {
        push_result(s, &v, now);
        return;
    }
    s->push = other.push;
    s->push.joined = true;
    s->expected_len = r->value.len <= sizeof(s->scratch->expected) ? r->value.len : 0;
    if (s->expected_len > 0)
        memcpy(s->scratch->expected, r->value.p, s->expected_len);
    if (other.push.state == DT_PUSH_STARTING) {
        wait_for_push(s, now, DT_SIGNON_EARLY_POLL_INTERVAL);
        return;
    }
    if (other.push.state == DT_PUSH_WAITING) {
        poll_joined(s, now);
        return;
    }
    s->expected_len = 0; /* its end is written down already */
    if (other.push.state == DT_PUSH_APPROVED)
        v.result = DT_OKTA_RESULT_SUCCESS;
    if (other.push.state == DT_PUSH_REJECTED)
        v.result = DT_OKTA_RESULT_REJECTED;
    if (other.push.state == DT_PUSH_LOCKED)
        v.result = DT_OKTA_RESULT_LOCKED;
    push_result(s, &v, now);
}

static void push_recorded(dt_signon *s, dt_store_result const *r, dt_time now)
{
    if (r->status == DT_STORE_OK)
        dt_signon_push_written(s);
    if ((s->blocked & DT_FACTOR_APPROVED) != 0)
        dt_signon_go(s, DT_STAGE_CONVERSATION);
    else
        push_under_way(s, now);
}

/* --- the person -------------------------------------------------------------------------------- */

static void ask(dt_signon *s, char const *note, dt_time now)
{
    if (s->push.state == DT_PUSH_WAITING) {
        wait_for_push(s, now, poll_interval(s));
        dt_signon_push_prompt(s, note);
    } else if (s->push_offered) {
        dt_signon_offer(s, note);
    } else {
        dt_signon_ask_answer(s, dt_signon_ready_types(s), note);
    }
}

/* "Send it"; "I have approved it": look at once. */
static void enter(dt_signon *s, dt_time now)
{
    switch (s->phase) {
    case DT_PHASE_PUSH_OFFER:
        s->push_offered = false;
        dt_signon_set_phase(s, DT_PHASE_PUSH_CLAIM);
        return;
    case DT_PHASE_POLL_WAIT:
        if (!is_browser(s)) /* polled too soon, Okta would have it slow down */
            s->until = earliest_poll(s, now) > now ? earliest_poll(s, now) : now;
        return;
    case DT_PHASE_ANSWER_WAIT: /* nothing is pending any more */
        dt_signon_ask_anew(s, dt_signon_stray_text(s), now);
        return;
    default:
        wait_for_push(s, now, 0);
        return;
    }
}

static bool is_pending(dt_signon const *s)
{
    return s->push.state == DT_PUSH_WAITING;
}

static void offer_time(dt_signon *s, dt_time now)
{
    dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
}

static void look(dt_signon *s)
{
    dt_signon_set_phase(s, s->push.joined ? DT_PHASE_PUSH_JOINED_GET : DT_PHASE_POLL_HTTP);
}

/* --- the end ----------------------------------------------------------------------------------- */

/* What waits for an answer is taken back, and its record says what became of it. */
static bool cancel(dt_signon *s)
{
    bool push_open = s->push.state == DT_PUSH_WAITING && !s->push.joined;
    /* Who joined a push and saw its end first says so: what was approved is approved once. */
    bool tells = !s->push.joined || (s->expected_len > 0 && (s->push.state == DT_PUSH_APPROVED ||
                                                             s->push.state == DT_PUSH_REJECTED));

    if (push_open && !s->cancel_tried && s->push.cancel_url[0]) {
        s->cancel_tried = true;
        dt_signon_set_phase(s, DT_PHASE_CANCEL_HTTP);
        return true;
    }
    if (!tells || s->push.state == DT_PUSH_NONE)
        return false;
    if (push_open || s->push.state == DT_PUSH_STARTING)
        s->push.state = DT_PUSH_OVER;
    dt_signon_set_phase(s, DT_PHASE_PUSH_FINISH);
    return true;
}

static void push_finished(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    (void)now;
    s->push.state = DT_PUSH_NONE;
    dt_signon_go(s, DT_STAGE_FINISH);
}

/* Whether or not Okta took the cancellation, this sign-on ignores the push from here on. */
static void cancelled(dt_signon *s, dt_http_response const *r, dt_time now)
{
    (void)r;
    (void)now;
    dt_signon_go(s, DT_STAGE_FINISH);
}

/* --- the phases ------------------------------------------------------------------------------- */

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

static int request(dt_signon *s, dt_http_request *out)
{
    return dt_signon_way(s)->send(s, dt_signon_in_use(s), number_wanted(s), out);
}

static int render_cancel(dt_signon *s, dt_buf *value, dt_time now)
{
    int rc = dt_signon_way(s)->cancel(s, &s->scratch->http);

    (void)value;
    (void)now;
    s->scratch->http.timeout = DT_SIGNON_CANCEL_TIMEOUT;
    return rc;
}

static bool has_cancel_url(dt_signon const *s)
{
    dt_way const *way = dt_signon_way(s);

    return s->push.cancel_url[0] != '\0' || (way->is_open != NULL && way->is_open(s));
}

static bool has_push_factor(dt_signon const *s)
{
    dt_enrolled const *f = dt_signon_in_use(s);

    return s->user_id[0] && f != NULL && (f->type & DT_FACTOR_APPROVED) != 0;
}

static bool has_connection(dt_signon const *s)
{
    return has_push_factor(s) && s->connection[0];
}

/* One that could not be sent is over, and the menu is shown again. */
static bool has_something_to_offer(dt_signon const *s)
{
    dt_enrolled const *f = dt_signon_in_use(s);

    return s->user_id[0] && f != NULL && (s->menu || dt_factor_row(f->type)->sends != NULL) &&
           (s->push.state == DT_PUSH_NONE || s->push.state == DT_PUSH_OVER);
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
dt_phase_row const dt_row_push_record = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = dt_signon_push_put,
    .store_done = push_recorded,
};
dt_phase_row const dt_row_push_joined_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_joined_get,
    .store_done = joined_get,
};
dt_phase_row const dt_row_push_offer = {
    .kind = DT_PHASE_IS_WAIT,
    .part = DT_PART_MFA,
    .for_answer = true,
    .time_done = offer_time,
    .has_fields = has_something_to_offer,
};
dt_phase_row const dt_row_cancel_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_END,
    .render = render_cancel,
    .http_done = cancelled,
    .has_fields = has_cancel_url,
};
dt_phase_row const dt_row_push_finish = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_END,
    .render = dt_signon_push_put,
    .store_done = push_finished,
};

dt_factor const dt_factor_push = {
    .types = DT_FACTOR_APPROVED,
    .most = 3,
    .begin = begin,
    .sends = "pushes",
    .request = request,
    .sent = push_sent,
    .not_sent = push_impossible,
    .ask = ask,
    .look = look,
    .polled = polled,
    .show = show_push,
    .is_pending = is_pending,
    .enter = enter,
    .cancel = cancel,
    .label = DT_WORDS_PROMPT_MENU_PUSH,
};
