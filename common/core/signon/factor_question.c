/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A security question. Its answer is a secret like a password, and any text can be one: it is asked for by itself,
 * and nothing that was typed for something else is sent to Okta as one. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

static void ask(dt_signon *s, char const *note, dt_time now)
{
    (void)now;
    dt_signon_ask_answer(s, DT_FACTOR_QUESTION, note);
}

dt_factor const dt_factor_question = {
    .types = DT_FACTOR_QUESTION,
    .most = 1,
    .is_usable = dt_signon_can_ask,
    .begin = dt_signon_begin_asking,
    .ask = ask,
    .read = dt_passcode_read_answer,
    .misread = DT_WORDS_NOTE_NOT_AN_ANSWER,
    .wrong = DT_WORDS_NOTE_ANSWER_WRONG,
    .prompt = DT_WORDS_PROMPT_QUESTION,
    .by_itself = true,
    .label = DT_WORDS_PROMPT_MENU_QUESTION,
};
