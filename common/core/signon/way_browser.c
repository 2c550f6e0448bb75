/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Device Authorization Grant as a way to Okta: the person signs in there with a browser, by whatever factor the
 * org offers, and the token endpoint says who did. Nothing can be taken back; what nobody asks about any more lets
 * nobody in. */
#include "core/signon/conversation.h"
#include "core/signon/signon_internal.h"

#include <string.h>

static int send(dt_signon const *s, dt_enrolled const *f, bool number, dt_http_request *out)
{
    (void)f;
    (void)number;
    return dt_browser_begin(s->ruleset.config, s->client_ip, out);
}

static int poll(dt_signon const *s, dt_http_request *out)
{
    return dt_browser_poll(s->ruleset.config, s->scratch->secrets.transaction, s->client_ip, out);
}

static void keep(dt_signon *s, dt_browser_begun const *b, dt_time now)
{
    _Static_assert(sizeof(s->scratch->secrets.transaction) >= sizeof(b->device_code), "fits");
    memcpy(s->scratch->secrets.transaction, b->device_code, sizeof(b->device_code));
    memcpy(s->scratch->browser.user_code, b->user_code, sizeof(s->scratch->browser.user_code));
    memcpy(s->scratch->browser.url, b->url, sizeof(s->scratch->browser.url));
    memcpy(s->scratch->browser.link, b->link, sizeof(s->scratch->browser.link));
    s->scratch->browser.interval = b->interval;
    s->scratch->browser.expires = now + b->lifetime;
}

/* It waits for the person like a push; what is polled is the token endpoint. */
static dt_okta_answer read_sent(dt_signon *s, dt_http_response const *r, dt_time now,
                                dt_okta_verification *out, dt_error *e)
{
    dt_browser_begun begun;
    dt_okta_answer a = dt_browser_read_begin(s->ruleset.config, r, &begun, e);

    *out = (dt_okta_verification){.number = DT_SIGNON_NUMBER_NONE};
    if (a == DT_OKTA_OK && dt_browser_put_token_url(s->ruleset.config, out->poll_url) == DT_OK) {
        keep(s, &begun, now);
        out->result = DT_OKTA_RESULT_WAITING;
    }
    explicit_bzero(&begun, sizeof(begun));
    return a;
}

static dt_okta_answer read_poll(dt_signon *s, dt_http_response const *r, dt_time now,
                                dt_okta_verification *out, dt_error *e)
{
    dt_browser_person const who = {.user_id = s->user_id,
                                   .login = s->who.login,
                                   .since = s->started,
                                   .device_code = s->scratch->secrets.transaction};
    bool slow_down;
    dt_okta_answer a = dt_browser_read_poll(s->ruleset.config, r, &who, now, out, &slow_down, e);

    if (slow_down)
        s->scratch->browser.interval += DT_BROWSER_SLOW_DOWN;
    if (s->scratch->browser.interval > DT_BROWSER_INTERVAL_MAX)
        s->scratch->browser.interval = DT_BROWSER_INTERVAL_MAX;
    return a;
}

static dt_time poll_interval(dt_signon const *s)
{
    return s->scratch->browser.interval;
}

/* Who joined the sign-in of the same sign-on has no codes, and asks nobody. */
static bool is_over(dt_signon const *s, dt_time now)
{
    return s->scratch->browser.expires != 0 && now >= s->scratch->browser.expires;
}

static bool has_app(dt_signon const *s)
{
    return s->ruleset.config->okta.native_client_id[0] != '\0';
}

static bool is_ours(dt_signon const *s, dt_enrolled const *f, char const *url)
{
    (void)f;
    return dt_browser_is_token_url(s->ruleset.config, url);
}

dt_way const dt_way_browser = {
    .factors = DT_FACTOR_BROWSER,
    .send = send,
    .poll = poll,
    .read_sent = read_sent,
    .read_poll = read_poll,
    .poll_interval = poll_interval,
    .is_over = is_over,
    .is_ready = has_app,
    .not_ready = "[mfa] okta_way = browser, but [okta] native_client_id names no app",
    .polls_alone = true,
    .is_ours = is_ours,
};
