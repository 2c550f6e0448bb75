/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An answer that the person typed, of whatever factor, on its way to Okta. Every one is counted before it is sent,
 * so that guesses at the same time cannot outrun the limit. One that was wrong a moment ago is not sent at all:
 * programs that answer every prompt with the same password would lock the account at Okta. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

#include <stdio.h>
#include <string.h>

/* The row of the factor whose answer it is. */
static dt_factor const *answering(dt_signon const *s)
{
    return dt_factor_row(s->enrolled[s->answer_at].type);
}

/* The row of the factor that the person was asked for. */
static dt_factor const *in_use(dt_signon const *s)
{
    dt_enrolled const *f = dt_signon_in_use(s);

    return f != NULL ? dt_factor_row(f->type) : answering(s);
}

/* The person may still say yes without an answer, and see that here. */
static bool may_be_approved(dt_signon const *s)
{
    dt_factor const *f = in_use(s);

    return f->is_pending != NULL && f->is_pending(s) && s->conversation != DT_CONVERSATION_NONE;
}

bool dt_signon_has_answer_factor(dt_signon const *s)
{
    return s->user_id[0] && s->answer_at < s->enrolled_count && answering(s)->read != NULL;
}

void dt_signon_send_answer(dt_signon *s, size_t at)
{
    s->answer_at = at;
    dt_signon_set_phase(s, DT_PHASE_TRIED_GET);
}

/* The answer may be that of this factor as well. */
static bool is_of_kind(dt_signon const *s, size_t at)
{
    dt_factor const *one = answering(s), *other = dt_factor_row(s->enrolled[at].type);

    if (one->sends_codes || other->sends_codes) /* which of them sent it, nobody knows there */
        return s->conversation == DT_CONVERSATION_NONE && one->read == other->read;
    return one == other;
}

/* The person's next factor of the same kind, enrolled_count when there is none. */
static size_t next_of_kind(dt_signon const *s)
{
    size_t at = s->answer_at + 1;

    while (at < s->enrolled_count && !is_of_kind(s, at))
        at++;
    return at;
}

static void wrong_answer(dt_signon *s, dt_time now)
{
    dt_words words = s->next_code ? DT_WORDS_NOTE_NEXT_CODE : answering(s)->wrong;

    s->next_code = false;
    dt_signon_ask_anew(s, dt_words_text(s->ruleset.config, words), now);
}

/* Answers are refused without asking Okta. A push that is under way may still be approved. */
static void answer_refused(dt_signon *s, dt_cause cause, dt_time now)
{
    explicit_bzero(s->scratch->secrets.answer, sizeof(s->scratch->secrets.answer));
    s->answers_locked = true;
    s->attempts++;
    if (!may_be_approved(s) || s->attempts >= s->ruleset.config->mfa.passcode_attempts)
        dt_signon_finish(s, DT_DENY, cause, now);
    else
        in_use(s)->ask(s, dt_words_text(s->ruleset.config, DT_WORDS_NOTE_PASSCODE_LIMIT), now);
}

/* Counts as pressing Enter while a push may be approved, else as a wrong one; at Okta as nothing. */
static void tried_before(dt_signon *s, dt_time now)
{
    dt_signon_detail(s, "a recently rejected passcode was entered again: Okta was not asked");
    if (!may_be_approved(s)) {
        wrong_answer(s, now);
        return;
    }
    explicit_bzero(s->scratch->secrets.answer, sizeof(s->scratch->secrets.answer));
    in_use(s)->enter(s, now);
}

static void tried_looked_up(dt_signon *s, dt_store_result const *r, dt_time now)
{
    if (r->status == DT_STORE_OK)
        tried_before(s, now);
    else
        dt_signon_set_phase(s, DT_PHASE_ANSWER_COUNT);
}

static void answer_counted(dt_signon *s, dt_store_result const *r, dt_time now)
{
    if (r->status == DT_STORE_OK) {
        dt_signon_set_phase(s, DT_PHASE_ANSWER_HTTP);
        return;
    }
    if (r->status == DT_STORE_EXISTS)
        dt_signon_detail(s,
                         "%lld wrong passcodes since the last MFA, passcode_limit is %d: Okta was "
                         "not asked; devtrustctl forget --limits --user %s resets it",
                         (long long)r->count, s->ruleset.config->mfa.passcode_limit, s->who.login);
    answer_refused(
        s, r->status == DT_STORE_EXISTS ? DT_CAUSE_MFA_PASSCODE_LIMIT : DT_CAUSE_LIMITS_UNAVAILABLE,
        now);
}

/* Okta has not looked at it: it was never sent, or Okta says so. After any other failure it may have. */
static bool was_not_judged(dt_okta_answer a, dt_http_response const *r)
{
    return a == DT_OKTA_RATE_LIMITED || r->failure == DT_HTTP_NO_NAME ||
           r->failure == DT_HTTP_NO_ROUTE || r->failure == DT_HTTP_REFUSED ||
           r->failure == DT_HTTP_QUEUED || r->failure == DT_HTTP_NO_CREDENTIALS ||
           r->failure == DT_HTTP_PROXY_FAILED || r->failure == DT_HTTP_PAUSED ||
           r->failure == DT_HTTP_PROXY_REFUSED;
}

static void answer_checked(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_verification v;
    dt_error err = {0};
    dt_okta_answer a;
    size_t next = next_of_kind(s);

    if (dt_signon_must_leave(s, s->answer_at)) {
        dt_signon_left(s, r, now);
        return;
    }
    a = dt_signon_read_answer(s, r, now, &v, &err);
    s->answer_unjudged = was_not_judged(a, r);
    if (dt_signon_okta_failed(s, a, r, &err, now))
        return; /* after RETRY_WAIT the same answer is sent again: it was not looked at (429) */
    s->outcome.factor = s->enrolled[s->answer_at].type;
    if (v.result == DT_OKTA_RESULT_SUCCESS) {
        explicit_bzero(s->scratch->secrets.answer, sizeof(s->scratch->secrets.answer));
        dt_signon_finish(s, DT_ALLOW, DT_CAUSE_MFA_SUCCESS, now);
        return;
    }
    s->negative = true;
    s->next_code = v.result == DT_OKTA_RESULT_NEXT_CODE;
    dt_signon_detail(s, "Okta: passcode: %s", err.text[0] ? err.text : "not accepted");
    if (dt_signon_cause_of_result(v.result) != DT_CAUSE_NONE) {
        dt_signon_finish(s, DT_DENY, dt_signon_cause_of_result(v.result), now);
        return;
    }
    if (v.result == DT_OKTA_RESULT_WRONG_CODE && next < s->enrolled_count) {
        s->answer_at = next; /* the person's other authenticator: that is another guess */
        dt_signon_set_phase(s, DT_PHASE_ANSWER_COUNT);
        return;
    }
    dt_signon_set_phase(s, DT_PHASE_TRIED_PUT);
}

/* It is kept from now on that this very answer was wrong, or could not be. */
static void tried_kept(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    wrong_answer(s, now);
}

/* --- the phases ----------------------------------------------------------------------------------- */

/* What was typed may be a password, so the key is a digest; the driver makes a keyed one of it. */
static int render_tried(dt_signon *s, dt_store_verb verb, dt_time now)
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];
    char text[DT_LOGIN_MAX + DT_ANSWER_MAX];
    int n = snprintf(text, sizeof(text), "%s %s", s->scratch->secrets.answer, s->who.login);
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
static int render_answer_count(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store_count(s, DT_TABLE_PUSH_COUNT, s->ruleset.config->mfa.passcode_limit,
                          DT_TIME_NEVER);
    return dt_signon_limit_key(s, "passcodes");
}

static int render_answer(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    if (dt_signon_must_leave(s, s->answer_at))
        return dt_signon_way(s)->leave(s, &s->scratch->http);
    return dt_signon_way(s)->answer(s, &s->enrolled[s->answer_at], s->scratch->secrets.answer,
                                    &s->scratch->http);
}

/* The answer is never saved: it has to be typed again. */
static void ask_again(dt_signon *s)
{
    s->retry_phase = DT_PHASE_DONE;
    dt_signon_ask_answer(s, answering(s)->types, "");
}

dt_phase_row const dt_row_tried_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_tried_get,
    .store_done = tried_looked_up,
    .has_fields = dt_signon_has_answer_factor,
    .loaded = ask_again,
};
dt_phase_row const dt_row_answer_count = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_answer_count,
    .store_done = answer_counted,
    .has_fields = dt_signon_has_answer_factor,
    .loaded = ask_again,
};
dt_phase_row const dt_row_answer_http = {
    .kind = DT_PHASE_IS_HTTP,
    .part = DT_PART_MFA,
    .retried = true,
    .render = render_answer,
    .http_done = answer_checked,
    .has_fields = dt_signon_has_answer_factor,
    .loaded = ask_again,
};
dt_phase_row const dt_row_tried_put = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_MFA,
    .render = render_tried_put,
    .store_done = tried_kept,
    .has_fields = dt_signon_has_answer_factor,
    .loaded = ask_again,
};
