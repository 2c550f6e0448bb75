/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Could the person pass the MFA at Okta? Asked for `explain --online`, and with report_only where
 * [policy] report_only_people says so. Nobody is asked anything: the account and the factors are looked up, and the
 * sign-on ends where the person would be asked.
 *
 * With report_only the answer must not cost the login anything. The look-ups have DT_SIGNON_PERSON_WAIT together, and
 * whatever goes wrong in them is written down, and refuses nobody (dt_outcome.decided). */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

#include <string.h>

dt_person_at_okta const *dt_signon_person(dt_signon const *s)
{
    return &s->person;
}

/* --- begin ---------------------------------------------------------------------------------------- */

bool dt_signon_person_begin(dt_signon *s, dt_time now)
{
    if (!s->outcome.report_only || !s->ruleset.config->policy.report_only_people)
        return false;
    if (s->wait_limit > DT_SIGNON_PERSON_WAIT)
        s->wait_limit = DT_SIGNON_PERSON_WAIT;
    if (s->deadline > now + s->wait_limit)
        s->deadline = now + s->wait_limit;
    s->person.on = s->outcome.decided = true;
    return true;
}

/* What is in the cache may be old: whoever explains wants to know how it is now. */
void dt_signon_person_ask(dt_signon *s, dt_time now)
{
    if (s->who.kind != DT_IDENTITY_PERSON)
        dt_signon_finish(s, DT_DENY, DT_CAUSE_MACHINE_ACCOUNT, now);
    else
        dt_lookup_refresh(s, DT_QUESTION_USER, now);
}

/* --- end ------------------------------------------------------------------------------------------ */

static void put_factors(dt_buf *b, unsigned factors)
{
    char const *word;

    if (factors == 0)
        dt_buf_puts(b, " none");
    while ((word = dt_factor_word_next(&factors)) != NULL)
        dt_buf_printf(b, " %s", word);
}

static void detail_of_factors(dt_signon *s, unsigned enrolled, unsigned allowed)
{
    char text[DT_MESSAGE_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_puts(&b, "enrolled at Okta:");
    put_factors(&b, enrolled);
    dt_buf_puts(&b, "; the rule and [mfa] factors allow:");
    put_factors(&b, allowed);
    dt_signon_detail(s, "%s", text);
}

/* Whether one of these could be asked for here, or its answer came along. */
static unsigned usable_of(dt_signon const *s, unsigned types)
{
    bool along = s->scratch->secrets.answer[0] != '\0';
    unsigned usable = 0;

    for (unsigned bit = 1; bit <= (unsigned)DT_FACTOR_ALL; bit <<= 1) {
        dt_factor const *row = (types & bit) != 0 ? dt_factor_row((dt_factor_type)bit) : NULL;

        if (row != NULL && (row->is_usable == NULL || row->is_usable(s) ||
                            (along && row->read != NULL && s->word_types == 0)))
            usable |= bit;
    }
    return s->word_types != 0 ? usable & s->word_types : usable;
}

static dt_cause judge(dt_signon *s)
{
    unsigned allowed = dt_signon_factors_allowed(s);

    s->person.usable = usable_of(s, s->person.enrolled & allowed);
    if (s->explain && s->outcome.decision.access != DT_ACCESS_ALLOW_AFTER_MFA)
        return DT_CAUSE_NONE; /* no factor is asked for */
    if (s->prompts_unproven && s->conversation == DT_CONVERSATION_NONE &&
        s->scratch->secrets.answer[0] == '\0')
        return DT_CAUSE_MFA_NO_PROMPT;
    if (s->person.usable != 0)
        return DT_CAUSE_NONE;
    detail_of_factors(s, s->person.enrolled, allowed);
    return DT_CAUSE_MFA_NO_FACTOR;
}

bool dt_signon_person_judge(dt_signon *s, dt_time now)
{
    dt_cause cause;

    if (!s->person.on)
        return false;
    cause = judge(s);
    explicit_bzero(s->scratch->secrets.answer, sizeof(s->scratch->secrets.answer));
    dt_signon_finish(s, DT_DENY, cause == DT_CAUSE_NONE ? DT_CAUSE_REPORT_ONLY : cause, now);
    return true;
}

/* Whether it says something of this look, which had less time than a sign-on has, and nothing of the person. */
static bool is_of_the_look(dt_cause c)
{
    switch (c) {
    case DT_CAUSE_MFA_TIMEOUT:
    case DT_CAUSE_MFA_RATE_LIMITED:
    case DT_CAUSE_OVERLOADED:
    case DT_CAUSE_LOCAL_FAULT:
    case DT_CAUSE_BUSY:
    case DT_CAUSE_CLIENT_GONE:
        return true;
    default:
        return false;
    }
}

/* The detail is escaped already. */
static void note_what_is_unknown(dt_signon *s, dt_cause cause)
{
    char text[DT_MESSAGE_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "whether the person could pass MFA is not known: %s", dt_cause_name(cause));
    if (s->outcome.detail[0] != '\0')
        dt_buf_printf(&b, ", %.*s", DT_MESSAGE_MAX - 100, s->outcome.detail);
    memcpy(s->outcome.detail, text, sizeof(text));
}

bool dt_signon_person_ends(dt_signon *s, dt_cause *cause)
{
    if (!s->person.on)
        return false;
    s->person.on = false;
    s->person.cause = *cause == DT_CAUSE_REPORT_ONLY ? DT_CAUSE_NONE : *cause;
    s->person.known = !is_of_the_look(*cause) && *cause != DT_CAUSE_OKTA_UNAVAILABLE &&
                      *cause != DT_CAUSE_OKTA_UNAVAILABLE_ALLOW;
    if (s->explain) {
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
        return true;
    }
    if (is_of_the_look(*cause)) {
        note_what_is_unknown(s, *cause);
        *cause = DT_CAUSE_REPORT_ONLY;
    }
    return false;
}
