/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hardware token whose passcode may begin with a PIN, which may have letters. That looks like many a password, so
 * it is asked for by itself: nothing that was typed for something else is sent to Okta as one. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

static void ask(dt_signon *s, char const *note, dt_time now)
{
    (void)now;
    dt_signon_ask_answer(s, DT_FACTOR_RSA, note);
}

dt_factor const dt_factor_token = {
    .types = DT_FACTOR_RSA,
    .most = 1,
    .is_usable = dt_signon_can_ask,
    .begin = dt_signon_begin_asking,
    .ask = ask,
    .read = dt_passcode_read_token,
    .misread = DT_WORDS_NOTE_NOT_A_TOKEN_CODE,
    .wrong = DT_WORDS_NOTE_PASSCODE_WRONG,
    .prompt = DT_WORDS_PROMPT_PASSCODE,
    .by_itself = true,
    .label = DT_WORDS_PROMPT_MENU_PASSCODE,
};
