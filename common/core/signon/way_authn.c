/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Authn API as a way to Okta: the password, as first factor; and, where the configuration says so, MFA in the
 * transaction that the password has begun, which the org's own policies decide about. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

static int password(dt_signon const *s, dt_http_request *out)
{
    return dt_okta_authn_start(s->ruleset.config, s->who.login, s->scratch->secrets.password,
                               s->client_ip, out);
}

static dt_okta_answer read_password(dt_signon const *s, dt_http_response const *r, dt_time now,
                                    dt_okta_authn *out, dt_error *e)
{
    (void)now;
    return dt_okta_read_authn(r, s->who.login, out, e);
}

static int end_password(dt_signon const *s, dt_http_request *out)
{
    return dt_okta_authn_end(s->ruleset.config, s->scratch->secrets.state_token, out);
}

/* --- MFA ------------------------------------------------------------------------------------------ */

static dt_okta_transaction transaction(dt_signon const *s, dt_enrolled const *f)
{
    return (dt_okta_transaction){.state_token = s->scratch->secrets.transaction,
                                 .login = s->who.login,
                                 .user_id = s->user_id,
                                 .factor_id = f != NULL ? f->id : "",
                                 .client_ip = s->client_ip};
}

/* Okta decides whether a push has a number: this API has no word for it. */
static int send(dt_signon const *s, dt_enrolled const *f, bool number, dt_http_request *out)
{
    dt_okta_transaction t = transaction(s, f);

    (void)number;
    return s->awaited == s->in_use + 1 && (f->type & DT_FACTOR_CODES) != 0
               ? dt_okta_authn_resend(s->ruleset.config, &t, out)
               : dt_okta_authn_verify(s->ruleset.config, &t, out);
}

static int answer(dt_signon const *s, dt_enrolled const *f, char const *text, dt_http_request *out)
{
    dt_okta_transaction t = transaction(s, f);

    if (f->type == DT_FACTOR_QUESTION)
        return dt_okta_authn_question(s->ruleset.config, &t, text, out);
    return dt_okta_authn_passcode(s->ruleset.config, &t, text, out);
}

/* The link of a poll is the one that had the push sent; which of the two it is, Okta knows by the state. */
static int poll(dt_signon const *s, dt_http_request *out)
{
    dt_okta_transaction t = transaction(s, dt_signon_in_use(s));

    return dt_okta_authn_verify(s->ruleset.config, &t, out);
}

static int cancel(dt_signon const *s, dt_http_request *out)
{
    return dt_okta_authn_end(s->ruleset.config, s->scratch->secrets.transaction, out);
}

static int leave(dt_signon const *s, dt_http_request *out)
{
    return dt_okta_authn_previous(s->ruleset.config, s->scratch->secrets.transaction, out);
}

/* Of the factor whose answer was sent, or that was begun. */
static dt_okta_answer read_verification(dt_signon const *s, dt_http_response const *r,
                                        dt_okta_verification *out, dt_error *e)
{
    dt_okta_transaction t =
        transaction(s, s->phase == DT_PHASE_ANSWER_HTTP && s->answer_at < s->enrolled_count
                           ? &s->enrolled[s->answer_at]
                           : dt_signon_in_use(s));

    return dt_okta_read_transaction(s->ruleset.config, r, &t, out, e);
}

static bool is_ours(dt_signon const *s, dt_enrolled const *f, char const *url)
{
    return dt_okta_authn_link_belongs(s->ruleset.config, url, f->id);
}

static bool has_transaction(dt_signon const *s)
{
    return s->scratch->secrets.transaction[0] != '\0';
}

dt_way const dt_way_authn = {
    .factors = DT_FACTOR_LISTED,
    .password = password,
    .read_password = read_password,
    .end_password = end_password,
    .send = send,
    .answer = answer,
    .poll = poll,
    .cancel = cancel,
    .leave = leave,
    .read = read_verification,
    .is_ready = has_transaction,
    .not_ready = "[mfa] okta_way = authn, but Okta has no transaction to go on with: name the "
                 "application in [primary] okta_password, and have the org's policy require MFA; "
                 "EAP-TLS has no password and needs okta_way = factors",
    .is_open = has_transaction,
    .polls_alone = true,
    .is_ours = is_ours,
};
