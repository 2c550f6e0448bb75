/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A YubiKey types its own passcode: the person touches it. Nothing is sent for it. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

static void ask(dt_signon *s, char const *note, dt_time now)
{
    (void)now;
    dt_signon_ask_answer(s, DT_FACTOR_YUBIKEY, note);
}

dt_factor const dt_factor_yubikey = {
    .types = DT_FACTOR_YUBIKEY,
    .most = 1,
    .is_usable = dt_signon_can_ask,
    .begin = dt_signon_begin_asking,
    .ask = ask,
    .read = dt_passcode_read_yubikey,
    .misread = DT_WORDS_NOTE_NOT_A_YUBIKEY,
    .wrong = DT_WORDS_NOTE_PASSCODE_WRONG,
    .prompt = DT_WORDS_PROMPT_PASSCODE,
    .label = DT_WORDS_PROMPT_MENU_PASSCODE,
};
