/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A passcode of an authenticator app or of a token: digits that may be typed at any time, and for which nothing is
 * sent. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

#define TYPES (DT_FACTOR_TOTPS | DT_FACTOR_HOTP | DT_FACTOR_SYMANTEC)

static void ask(dt_signon *s, char const *note, dt_time now)
{
    (void)now;
    dt_signon_ask_answer(s, TYPES, note);
}

dt_factor const dt_factor_passcode = {
    .types = TYPES,
    .most = 2, /* of whatever type: a passcode is tried with each, and each time counts */
    .is_usable = dt_signon_can_ask,
    .begin = dt_signon_begin_asking,
    .ask = ask,
    .read = dt_passcode_read,
    .misread = DT_WORDS_NOTE_NOT_A_PASSCODE,
    .wrong = DT_WORDS_NOTE_PASSCODE_WRONG,
    .prompt = DT_WORDS_PROMPT_PASSCODE,
    .label = DT_WORDS_PROMPT_MENU_PASSCODE,
};
