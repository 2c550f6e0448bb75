/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Okta's event hooks (Okta API, Event Hooks 1.0.0): several events of the System Log in one POST, made news. Nothing is
 * signed: that the request had the header that was agreed is the caller's to check. */
#ifndef DT_CORE_OKTA_HOOK_H
#define DT_CORE_OKTA_HOOK_H

#include "core/signals/subject.h"

#define DT_OKTA_HOOK_BODY_MAX (512 * 1024)
#define DT_OKTA_HOOK_EVENTS_MAX 500    /* of one POST */
#define DT_OKTA_HOOK_TARGETS_MAX 32    /* of one event that are looked at */
#define DT_OKTA_HOOK_ID_MAX 128        /* of a POST, of an event; its NUL included */
#define DT_OKTA_HOOK_CHALLENGE_MAX 512 /* of the verification, its NUL included */

typedef struct dt_okta_hook_event {
    char const *uuid;  /* shared with the System Log */
    char const *type;  /* "user.lifecycle.suspend"; as it came: escape it */
    dt_news_list news; /* empty for a type that says nothing about trust that was given */
} dt_okta_hook_event;

/* Called for each event in its order; false stops the reading. What it is given is borrowed. */
typedef bool dt_okta_hook_take(void *ctx, dt_okta_hook_event const *event);

/* Reads a POST: first all of it is checked, then each event is handed over. `now` is when it came. DT_E_PARSE,
 * DT_E_LIMIT with what is wrong, and nothing was handed over; DT_E_STATE when `take` stopped; DT_E_NOMEM. Thread safe. */
DT_MUST_USE int dt_okta_hook_read(dt_bytes body, dt_time now, dt_okta_hook_take *take, void *ctx,
                                  dt_error *e);
/* The answer to the one-time verification of a hook: {"verification":"..."}. DT_E_INVALID for a challenge that is not
 * one word of visible ASCII, shorter than DT_OKTA_HOOK_CHALLENGE_MAX. */
DT_MUST_USE int dt_okta_hook_put_verification(char const *challenge, dt_buf *out);

#endif
