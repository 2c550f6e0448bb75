/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Authn API as a way to Okta: the password, as first factor. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

static int password(dt_signon const *s, dt_http_request *out)
{
    return dt_okta_authn_start(s->ruleset.config, s->who.login, s->scratch->secrets.password,
                               s->client_ip, out);
}

static dt_okta_answer read_password(dt_signon const *s, dt_http_response const *r,
                                    dt_okta_authn *out, dt_error *e)
{
    return dt_okta_read_authn(r, s->who.login, out, e);
}

static int end_password(dt_signon const *s, dt_http_request *out)
{
    return dt_okta_authn_end(s->ruleset.config, s->scratch->secrets.state_token, out);
}

dt_way const dt_way_authn = {
    .password = password,
    .read_password = read_password,
    .end_password = end_password,
};
