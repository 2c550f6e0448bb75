/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See okta_browser.h. */
#include "core/okta/okta_browser.h"

#include "core/base/oauth.h"
#include "core/base/url.h"
#include "core/okta/id_token.h"
#include "core/okta/oauth_reply.h"
#include "core/okta/okta_request.h"

#include <string.h>

#define AUTHORIZE_PATH "/oauth2/v1/device/authorize"
#define TOKEN_PATH "/oauth2/v1/token"
#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:device_code"
#define SCOPE "openid profile" /* profile: else the ID token has no preferred_username */

/* --- requests ------------------------------------------------------------------------------------- */

/* Visible ASCII. It goes into forms alone, where it is encoded. */
static bool is_device_code(char const *text)
{
    size_t n = text == NULL ? 0 : strlen(text);
    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    return n > 0 && n < DT_BROWSER_DEVICE_CODE_MAX;
}

int dt_browser_begin(dt_config const *c, char const *client_ip, dt_http_request *out)
{
    dt_buf body;
    int rc = dt_okta_begin_form(c, AUTHORIZE_PATH, client_ip, out, &body);
    dt_oauth_put_field(&body, "scope", SCOPE);
    return dt_okta_end_body(rc, &body, out);
}

int dt_browser_poll(dt_config const *c, char const *device_code, char const *client_ip,
                    dt_http_request *out)
{
    dt_buf body;
    int rc = dt_okta_begin_form(c, TOKEN_PATH, client_ip, out, &body);
    if (rc == DT_OK && !is_device_code(device_code))
        rc = DT_E_INVALID;
    if (rc == DT_OK) {
        dt_oauth_put_field(&body, "grant_type", GRANT_TYPE);
        dt_oauth_put_field(&body, "device_code", device_code);
    }
    return dt_okta_end_body(rc, &body, out);
}

bool dt_browser_is_poll(dt_http_request const *r)
{
    size_t const path = strlen(TOKEN_PATH), len = strlen(r->url);
    return r->form && len > path && strcmp(r->url + len - path, TOKEN_PATH) == 0 &&
           strstr(r->body, "&device_code=") != NULL;
}

int dt_browser_put_token_url(dt_config const *c, char out[DT_URL_MAX])
{
    return dt_okta_put_url(c, TOKEN_PATH, out);
}

bool dt_browser_is_token_url(dt_config const *c, char const *url)
{
    char ours[DT_URL_MAX];
    return dt_browser_put_token_url(c, ours) == DT_OK && strcmp(ours, url) == 0;
}

/* --- the codes ------------------------------------------------------------------------------------ */

static dt_okta_answer unusable(dt_error *e, dt_http_response const *r, char const *what)
{
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta's answer (HTTP %d) cannot be used: %s", r->status,
                       what);
    return DT_OKTA_UNUSABLE;
}

/* A page of the org: people are sent there to sign in. */
static bool is_of_org(dt_config const *c, char const *text, bool may_have_query)
{
    dt_url url, org;
    return text != NULL && dt_url_parse(text, &url) == DT_OK &&
           dt_url_parse(c->okta.org_url, &org) == DT_OK && dt_url_same_origin(&url, &org) &&
           (may_have_query || url.query.len == 0);
}

static bool copy_user_code(char const *code, char dst[DT_BROWSER_USER_CODE_MAX])
{
    static char const allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    return code != NULL && code[0] != '\0' && code[strspn(code, allowed)] == '\0' &&
           dt_str_copy(dst, DT_BROWSER_USER_CODE_MAX, code) == DT_OK;
}

/* A length of time in seconds, positive, `most` at most. */
static bool read_time(dt_json const *v, dt_time most, dt_time *out)
{
    int64_t seconds;
    if (!dt_json_integer(v, &seconds) || seconds <= 0)
        return false;
    *out = seconds < most / DT_SECONDS(1) ? DT_SECONDS(seconds) : most;
    return true;
}

/* NULL, or what is wrong with it. */
static char const *read_codes(dt_config const *c, dt_json const *root, dt_browser_begun *out)
{
    char const *code = dt_json_string(dt_json_get(root, "device_code"));
    char const *url = dt_json_string(dt_json_get(root, "verification_uri"));
    dt_json const *link = dt_json_get(root, "verification_uri_complete");
    dt_json const *interval = dt_json_get(root, "interval");
    if (!is_device_code(code))
        return "no device_code, or one of an unknown form";
    memcpy(out->device_code, code, strlen(code) + 1);
    if (!copy_user_code(dt_json_string(dt_json_get(root, "user_code")), out->user_code))
        return "no user_code, or one of an unknown form";
    if (!is_of_org(c, url, false))
        return "its verification_uri is not a page of [okta] org_url";
    if (dt_str_copy(out->url, sizeof(out->url), url) != DT_OK)
        return "its verification_uri is too long to be shown";
    if (dt_json_typeof(link) != DT_JSON_NONE && !is_of_org(c, dt_json_string(link), true))
        return "its verification_uri_complete is not a page of [okta] org_url";
    (void)!dt_str_copy(out->link, sizeof(out->link), dt_json_string(link)); /* "" when too long */
    if (!read_time(dt_json_get(root, "expires_in"), DT_BROWSER_LIFETIME_MAX, &out->lifetime))
        return "no expires_in";
    out->interval = DT_BROWSER_INTERVAL_DEFAULT;
    if (dt_json_typeof(interval) != DT_JSON_NONE &&
        !read_time(interval, DT_BROWSER_INTERVAL_MAX, &out->interval))
        return "its interval is not a time";
    return NULL;
}

dt_okta_answer dt_browser_read_begin(dt_config const *c, dt_http_response const *r,
                                     dt_browser_begun *out, dt_error *e)
{
    static char const *const no_secrets[] = {NULL};
    dt_oauth_reply p;
    memset(out, 0, sizeof(*out));
    dt_okta_answer answer = dt_oauth_reply_open(&p, r, no_secrets, e);
    if (answer == DT_OKTA_OK && r->status == 200) {
        char const *wrong = read_codes(c, p.root, out);
        if (wrong != NULL)
            answer = unusable(e, r, wrong);
    } else if ((answer == DT_OKTA_OK && p.error[0] != '\0') || answer == DT_OKTA_NOT_FOUND ||
               answer == DT_OKTA_NOT_ACTIVE) {
        answer =
            DT_OKTA_UNUSABLE; /* a no of another kind, and not about a factor: `e` says which */
    } else if (answer == DT_OKTA_OK) {
        answer = unusable(e, r, "an unexpected status");
    }
    if (answer != DT_OKTA_OK)
        explicit_bzero(out, sizeof(*out));
    dt_oauth_reply_close(&p);
    return answer;
}

/* --- the token ------------------------------------------------------------------------------------ */

static dt_okta_result no(dt_error *e, dt_okta_result result, char const *why)
{
    (void)dt_error_set(e, DT_E_PERMISSION, "%s", why);
    return result;
}

/* Okta's clock and ours may differ by the leeway. */
static dt_okta_result judge(dt_id_token const *t, dt_time since, dt_error *e)
{
    if ((t->amr & DT_AMR_ANY_POSSESSION) == 0)
        return no(e, DT_OKTA_RESULT_TOO_WEAK,
                  "the person signed in without anything that they have (amr of the ID token); let "
                  "the app's sign-in policy at Okta require a possession factor");
    if (t->auth_time == 0 || t->auth_time < since - DT_ID_TOKEN_LEEWAY)
        return no(e, DT_OKTA_RESULT_TOO_WEAK,
                  "the person has not authenticated since this sign-on began (auth_time of the ID "
                  "token); let the app's sign-in policy at Okta ask for it at every sign-in");
    return DT_OKTA_RESULT_SUCCESS;
}

static dt_okta_result read_token(dt_config const *c, dt_json const *root,
                                 dt_browser_person const *who, dt_time now, dt_error *e)
{
    dt_id_token_expected const expected = {.issuer = c->okta.org_url,
                                           .client_id = c->okta.native_client_id,
                                           .user_id = who->user_id,
                                           .login = who->login};
    char const *text = dt_json_string(dt_json_get(root, "id_token"));
    dt_id_token token;
    if (text == NULL)
        return no(e, DT_OKTA_RESULT_UNUSABLE, "Okta's answer has no ID token");
    switch (dt_id_token_check(dt_bytes_str(text), &expected, now, &token, e)) {
    case DT_ID_TOKEN_OK:
        return judge(&token, who->since, e);
    case DT_ID_TOKEN_OTHER_PERSON:
        return DT_OKTA_RESULT_OTHER_PERSON;
    case DT_ID_TOKEN_UNUSABLE:
        break;
    }
    return DT_OKTA_RESULT_UNUSABLE;
}

static dt_okta_result result_of_error(dt_oauth_reply const *p, dt_http_response const *r,
                                      bool *slow_down)
{
    *slow_down = dt_oauth_reply_is(p, r, 400, "slow_down");
    if (*slow_down || dt_oauth_reply_is(p, r, 400, "authorization_pending"))
        return DT_OKTA_RESULT_WAITING;
    if (dt_oauth_reply_is(p, r, 400, "expired_token"))
        return DT_OKTA_RESULT_TIMEOUT;
    if (dt_oauth_reply_is(p, r, 403, "access_denied") ||
        dt_oauth_reply_is(p, r, 400, "access_denied"))
        return DT_OKTA_RESULT_REJECTED;
    return DT_OKTA_RESULT_NONE;
}

dt_okta_answer dt_browser_read_poll(dt_config const *c, dt_http_response const *r,
                                    dt_browser_person const *who, dt_time now,
                                    dt_okta_verification *out, bool *slow_down, dt_error *e)
{
    char const *const secrets[] = {who->device_code, NULL};
    dt_okta_verification const nothing = {.number = -1};
    dt_oauth_reply p;
    *out = nothing;
    *slow_down = false;
    dt_okta_answer answer = dt_oauth_reply_open(&p, r, secrets, e);
    if (answer == DT_OKTA_OK && r->status == 200)
        out->result = read_token(c, p.root, who, now, e);
    else if (answer == DT_OKTA_OK && r->status >= 400)
        out->result = result_of_error(&p, r, slow_down);
    else if (answer == DT_OKTA_OK)
        answer = unusable(e, r, "an unexpected status");
    dt_oauth_reply_close(&p);
    return answer;
}
