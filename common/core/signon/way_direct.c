/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct Authentication as a way to Okta: the password and MFA, which the org's own policy for the native app decides
 * about. Where Okta has checked the password, its transaction goes on with a second factor; where others have
 * identified the person, the factor is the first one that Okta sees. Okta chooses the device, and takes back nothing
 * that was sent. */
#include "core/okta/okta_direct.h"
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

#include <string.h>

static dt_direct direct(dt_signon const *s)
{
    return (dt_direct){.login = s->who.login,
                       .user_id = s->user_id,
                       .client_ip = s->client_ip,
                       .mfa_token = s->scratch->secrets.transaction,
                       .oob_code = s->scratch->secrets.oob_code,
                       .expires = s->oob_expires};
}

static int password(dt_signon const *s, dt_http_request *out)
{
    dt_direct d = direct(s);

    return dt_direct_password(s->ruleset.config, &d, s->scratch->secrets.password, out);
}

static dt_okta_answer read_password(dt_signon const *s, dt_http_response const *r, dt_time now,
                                    dt_okta_authn *out, dt_error *e)
{
    dt_direct d = direct(s);

    return dt_direct_read_password(s->ruleset.config, r, &d, now, out, e);
}

/* Okta decides whether a push has a number: this API has no word for it. */
static int send(dt_signon const *s, dt_enrolled const *f, bool number, dt_http_request *out)
{
    dt_direct d = direct(s);

    (void)number;
    return dt_direct_begin(s->ruleset.config, &d, f->type, out);
}

static int answer(dt_signon const *s, dt_enrolled const *f, char const *text, dt_http_request *out)
{
    dt_direct d = direct(s);

    return (f->type & DT_FACTOR_CODES) != 0 ? dt_direct_code(s->ruleset.config, &d, text, out)
                                            : dt_direct_passcode(s->ruleset.config, &d, text, out);
}

static int poll(dt_signon const *s, dt_http_request *out)
{
    dt_direct d = direct(s);

    return dt_direct_poll(s->ruleset.config, &d, out);
}

static dt_okta_answer read_sent(dt_signon *s, dt_http_response const *r, dt_time now,
                                dt_okta_verification *out, dt_error *e)
{
    dt_direct d = direct(s);
    dt_direct_begun begun;
    dt_okta_answer a =
        dt_direct_read_begin(s->ruleset.config, r, &d, dt_signon_in_use(s)->type, out, &begun, e);

    if (a == DT_OKTA_OK) {
        memcpy(s->scratch->secrets.oob_code, begun.oob_code, sizeof(begun.oob_code));
        s->oob_expires = begun.lifetime > 0 ? now + begun.lifetime : 0;
        s->poll_every = begun.interval;
        s->poll_from = now + s->poll_every;
    }
    explicit_bzero(&begun, sizeof(begun));
    return a;
}

/* Okta gives tokens for an oob_code once, and has one word for "given already" and for "denied": after a poll whose
 * reply was lost, nobody knows which it is. */
static void doubt_denial(dt_signon const *s, dt_okta_verification *out, dt_error *e)
{
    if (out->result != DT_OKTA_RESULT_REJECTED || s->poll_failures == 0)
        return;
    out->result = DT_OKTA_RESULT_CANCELLED;
    (void)dt_error_set(e, DT_E_UNAVAILABLE,
                       "the push was denied, or approved in a reply that did not arrive");
}

static dt_okta_answer read_poll(dt_signon *s, dt_http_response const *r, dt_time now,
                                dt_okta_verification *out, dt_error *e)
{
    dt_direct d = direct(s);
    bool slow_down = false;
    dt_okta_answer a =
        dt_direct_read_token(s->ruleset.config, r, &d, DT_DIRECT_POLL, now, out, &slow_down, e);

    if (slow_down)
        s->poll_every += DT_DIRECT_SLOW_DOWN;
    if (s->poll_every > DT_DIRECT_INTERVAL_MAX)
        s->poll_every = DT_DIRECT_INTERVAL_MAX;
    s->poll_from = now + s->poll_every;
    doubt_denial(s, out, e);
    return a;
}

static dt_okta_answer read_answer(dt_signon *s, dt_http_response const *r, dt_time now,
                                  dt_okta_verification *out, dt_error *e)
{
    dt_direct d = direct(s);
    bool slow_down = false;

    return dt_direct_read_token(s->ruleset.config, r, &d, DT_DIRECT_ANSWER, now, out, &slow_down,
                                e);
}

static dt_time poll_interval(dt_signon const *s)
{
    return s->poll_every;
}

/* There are no links: every push is asked about at the token endpoint, by its oob_code. */
static bool is_ours(dt_signon const *s, dt_enrolled const *f, char const *url)
{
    (void)f;
    return dt_direct_is_endpoint(s->ruleset.config, url);
}

dt_way const dt_way_direct = {
    .factors = DT_DIRECT_FACTORS,
    .password = password,
    .read_password = read_password,
    .send = send,
    .answer = answer,
    .poll = poll,
    .read_sent = read_sent,
    .read_poll = read_poll,
    .read_answer = read_answer,
    .alike = DT_DIRECT_PASSCODES,
    .number_at_once = true,
    .poll_interval = poll_interval,
    .polls_alone = true,
    .is_ours = is_ours,
};
