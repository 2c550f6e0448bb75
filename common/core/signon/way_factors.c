/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Factors API as a way to Okta: MFA alone, of a person whom this host has identified. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

static int request_send(dt_signon const *s, dt_enrolled const *f, bool number, dt_http_request *out)
{
    int rc = dt_okta_send(s->ruleset.config, s->user_id, f->id, number, out);

    dt_okta_forward_for(out, s->client_ip);
    return rc;
}

static int answer(dt_signon const *s, dt_enrolled const *f, char const *text, dt_http_request *out)
{
    int rc = f->type == DT_FACTOR_QUESTION
                 ? dt_okta_answer_question(s->ruleset.config, s->user_id, f->id, text, out)
                 : dt_okta_passcode(s->ruleset.config, s->user_id, f->id, text, out);

    dt_okta_forward_for(out, s->client_ip);
    return rc;
}

static int request_poll(dt_signon const *s, dt_http_request *out)
{
    return dt_okta_poll(s->ruleset.config, s->push.poll_url, out);
}

static int cancel(dt_signon const *s, dt_http_request *out)
{
    return dt_okta_cancel(s->ruleset.config, s->push.cancel_url, out);
}

static dt_okta_answer read_verification(dt_signon const *s, dt_http_response const *r,
                                        dt_okta_verification *out, dt_error *e)
{
    return dt_okta_read_verification(s->ruleset.config, r, out, e);
}

static bool is_ours(dt_signon const *s, dt_enrolled const *f, char const *url)
{
    return dt_okta_link_belongs(s->ruleset.config, url, s->user_id, f->id);
}

dt_way const dt_way_factors = {
    .factors = DT_FACTOR_LISTED,
    .send = request_send,
    .answer = answer,
    .poll = request_poll,
    .cancel = cancel,
    .read = read_verification,
    .is_ours = is_ours,
};
