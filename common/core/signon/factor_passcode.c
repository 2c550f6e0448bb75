/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A passcode of an authenticator app: it may be typed at any time, and nothing is sent for it. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

static bool is_usable(dt_signon const *s)
{
    return s->conversation != DT_CONVERSATION_NONE;
}

static void ask(dt_signon *s, char const *note, dt_time now)
{
    (void)now;
    dt_signon_ask_answer(s, DT_FACTOR_TOTPS, note);
}

static void begin(dt_signon *s, dt_time now)
{
    s->outcome.factor = dt_signon_in_use(s)->type;
    ask(s, s->blocked != 0 ? dt_signon_no_push_text(s) : "", now);
}

dt_factor const dt_factor_passcode = {
    .types = DT_FACTOR_TOTPS,
    .most = 2, /* Okta Verify, and another one */
    .is_usable = is_usable,
    .begin = begin,
    .ask = ask,
    .read = dt_passcode_read,
    .misread = DT_WORDS_NOTE_NOT_A_PASSCODE,
};
