/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A code that Okta sends by SMS, a phone call or email, and that the person types. Enter has another one sent. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

/* Where nothing can be asked, only who asked for it is sent a code: "password,sms". */
static bool is_usable(dt_signon const *s)
{
    return dt_signon_can_ask(s) || s->word_types != 0;
}

/* Where it is not known whether a prompt is seen, the phone must not ring before one was answered. */
static void begin(dt_signon *s, dt_time now)
{
    if (now >= s->deadline) { /* nobody could type it in time */
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_TIMEOUT, now);
        return;
    }
    s->outcome.factor = dt_signon_in_use(s)->type;
    s->codes_sent = 0;
    if (s->prompts_unproven && dt_signon_can_ask(s))
        dt_signon_offer(s, "");
    else
        dt_signon_send(s);
}

static int request(dt_signon *s, dt_http_request *out)
{
    return dt_signon_way(s)->send(s, dt_signon_in_use(s), false, out);
}

static void ask(dt_signon *s, char const *note, dt_time now)
{
    (void)now;
    if (s->push_offered)
        dt_signon_offer(s, note);
    else
        dt_signon_ask_answer(s, dt_signon_in_use(s)->type, note);
}

/* Whoever has had one may still type it. */
static void not_sent(dt_signon *s, dt_cause why)
{
    if (s->codes_sent > 0 && why != DT_CAUSE_MFA_TIMEOUT)
        dt_signon_ask_answer(s, dt_signon_in_use(s)->type,
                             dt_words_text(s->ruleset.config, DT_WORDS_NOTE_NO_MORE_CODES));
    else
        dt_signon_block(s, dt_signon_in_use(s)->type, why);
}

/* The note on a code that was sent: why it is not a push, the first time. */
static char const *note_of_sent(dt_signon const *s)
{
    if (s->codes_sent > 1)
        return dt_words_text(s->ruleset.config, DT_WORDS_NOTE_CODE_AGAIN);
    return s->blocked != 0 ? dt_signon_no_push_text(s) : "";
}

static dt_cause cause_of_not_sent(dt_okta_answer a, dt_okta_verification const *v)
{
    if (v->not_sent == DT_OKTA_NOT_SENT_QUOTA || a == DT_OKTA_PROVIDER_FAILED)
        return DT_CAUSE_MFA_PROVIDER_FAILED;
    if (dt_signon_cause_of_result(v->result) != DT_CAUSE_NONE)
        return dt_signon_cause_of_result(v->result);
    return a == DT_OKTA_NOT_FOUND || a == DT_OKTA_NOT_ACTIVE ? DT_CAUSE_MFA_NO_FACTOR
                                                             : DT_CAUSE_OKTA_ANSWER_UNUSABLE;
}

static void sent(dt_signon *s, dt_http_response const *r, dt_time now)
{
    dt_okta_verification v;
    dt_error err = {0};
    dt_okta_answer a = dt_signon_read_sent(s, r, now, &v, &err);

    if (v.not_sent == DT_OKTA_NOT_SENT_TOO_SOON && !dt_signon_can_ask(s)) {
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_CODE_SENT, now);
        return;
    }
    if (v.not_sent == DT_OKTA_NOT_SENT_TOO_SOON) { /* the one before is good still */
        s->codes_sent++;
        ask(s, dt_words_text(s->ruleset.config, DT_WORDS_NOTE_CODE_TOO_SOON), now);
        return;
    }
    if (a == DT_OKTA_OK && v.challenged && !dt_signon_can_ask(s)) { /* the next sign-on brings it */
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MFA_CODE_SENT, now);
        return;
    }
    if (a == DT_OKTA_OK && v.challenged) {
        s->codes_sent++;
        ask(s, note_of_sent(s), now);
        return;
    }
    if (v.not_sent == DT_OKTA_NOT_SENT_NONE && a != DT_OKTA_NOT_FOUND && a != DT_OKTA_NOT_ACTIVE &&
        a != DT_OKTA_PROVIDER_FAILED && dt_signon_okta_failed(s, a, r, &err, now))
        return;
    s->negative = true;
    dt_signon_detail(s, "Okta: %s: %s", dt_factor_name(dt_signon_in_use(s)->type),
                     err.text[0] ? err.text : "an answer of unknown type");
    not_sent(s, cause_of_not_sent(a, &v));
}

static void enter(dt_signon *s, dt_time now)
{
    if (s->push_offered) {
        s->push_offered = false;
        dt_signon_send(s);
    } else if (s->codes_sent > DT_SIGNON_RESENDS_MAX) {
        dt_signon_ask_anew(s, dt_words_text(s->ruleset.config, DT_WORDS_NOTE_NO_MORE_CODES), now);
    } else {
        dt_signon_send(s);
    }
}

dt_factor const dt_factor_code = {
    .types = DT_FACTOR_CODES,
    .most = 3, /* one of each */
    .is_usable = is_usable,
    .begin = begin,
    .sends = "messages",
    .sends_codes = true,
    .request = request,
    .sent = sent,
    .not_sent = not_sent,
    .ask = ask,
    .enter = enter,
    .read = dt_passcode_read,
    .misread = DT_WORDS_NOTE_NOT_A_PASSCODE,
    .wrong = DT_WORDS_NOTE_PASSCODE_WRONG,
    .prompt = DT_WORDS_PROMPT_CODE,
    .label = DT_WORDS_PROMPT_MENU_CODE,
};
