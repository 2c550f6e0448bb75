/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See okta_direct.h. */
#include "core/okta/okta_direct.h"

#include "core/base/oauth.h"
#include "core/okta/id_token.h"
#include "core/okta/oauth_reply.h"
#include "core/okta/okta_request.h"

#include <string.h>

#define TOKEN_PATH "/oauth2/v1/token"
#define CHALLENGE_PATH "/oauth2/v1/challenge"
#define PRIMARY_PATH "/oauth2/v1/primary-authenticate"
#define GRANT_OTP "urn:okta:params:oauth:grant-type:otp"
#define GRANT_OOB "urn:okta:params:oauth:grant-type:oob"
#define GRANT_MFA_OTP "http://auth0.com/oauth/grant-type/mfa-otp"
#define GRANT_MFA_OOB "http://auth0.com/oauth/grant-type/mfa-oob"
#define SCOPE "openid profile" /* profile: else the ID token has no preferred_username */
#define NUMBER_DIGITS_MAX 6

/* --- requests ------------------------------------------------------------------------------------- */

/* A code of Okta's: visible ASCII. It goes into forms alone, where it is encoded. */
static bool is_code(char const *text, size_t size)
{
    size_t n = text == NULL ? 0 : strlen(text);
    for (size_t i = 0; i < n; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    return n > 0 && n < size;
}

static bool has_mfa_token(dt_direct const *d)
{
    return is_code(d->mfa_token, DT_OKTA_STATE_TOKEN_MAX);
}

static bool has_oob_code(dt_direct const *d)
{
    return is_code(d->oob_code, DT_DIRECT_OOB_CODE_MAX);
}

static int invalid(dt_http_request *out)
{
    explicit_bzero(out, sizeof(*out));
    return DT_E_INVALID;
}

static int begin_grant(dt_config const *c, dt_direct const *d, char const *grant,
                       dt_http_request *out, dt_buf *body)
{
    int rc = dt_okta_begin_form(c, TOKEN_PATH, d->client_ip, out, body);
    dt_oauth_put_field(body, "grant_type", grant);
    dt_oauth_put_field(body, "scope", SCOPE);
    return rc;
}

int dt_direct_password(dt_config const *c, dt_direct const *d, char const *password,
                       dt_http_request *out)
{
    dt_buf body;
    if (!dt_okta_is_login(d->login) || !dt_okta_is_password(password))
        return invalid(out);
    int rc = begin_grant(c, d, "password", out, &body);
    dt_oauth_put_field(&body, "username", d->login);
    dt_oauth_put_field(&body, "password", password);
    return dt_okta_end_body(rc, &body, out);
}

static char const *channel_of(dt_factor_type type)
{
    switch (type) {
    case DT_FACTOR_PUSH:
        return "push";
    case DT_FACTOR_SMS:
        return "sms";
    case DT_FACTOR_CALL:
        return "voice";
    default:
        return NULL;
    }
}

int dt_direct_begin(dt_config const *c, dt_direct const *d, dt_factor_type type,
                    dt_http_request *out)
{
    char const *channel = channel_of(type);
    bool second = has_mfa_token(d);
    dt_buf body;
    if (channel == NULL || (!second && !dt_okta_is_login(d->login)))
        return invalid(out);
    int rc =
        dt_okta_begin_form(c, second ? CHALLENGE_PATH : PRIMARY_PATH, d->client_ip, out, &body);
    if (second) {
        dt_oauth_put_field(&body, "mfa_token", d->mfa_token);
        dt_oauth_put_field(&body, "challenge_types_supported", GRANT_MFA_OOB);
    } else {
        dt_oauth_put_field(&body, "login_hint", d->login);
        dt_oauth_put_field(&body, "challenge_hint", GRANT_OOB);
    }
    dt_oauth_put_field(&body, "channel_hint", channel);
    return dt_okta_end_body(rc, &body, out);
}

/* The mfa_token goes along with every request of its transaction: the description demands it, though an example of
 * Okta's leaves it out. */
static int begin_oob_grant(dt_config const *c, dt_direct const *d, dt_http_request *out,
                           dt_buf *body)
{
    bool second = has_mfa_token(d);
    if (!has_oob_code(d))
        return DT_E_INVALID;
    int rc = begin_grant(c, d, second ? GRANT_MFA_OOB : GRANT_OOB, out, body);
    if (second)
        dt_oauth_put_field(body, "mfa_token", d->mfa_token);
    dt_oauth_put_field(body, "oob_code", d->oob_code);
    return rc;
}

int dt_direct_poll(dt_config const *c, dt_direct const *d, dt_http_request *out)
{
    dt_buf body;
    int rc = begin_oob_grant(c, d, out, &body);
    return rc == DT_E_INVALID ? invalid(out) : dt_okta_end_body(rc, &body, out);
}

int dt_direct_code(dt_config const *c, dt_direct const *d, char const *code, dt_http_request *out)
{
    dt_buf body;
    if (!is_code(code, DT_OKTA_PASSCODE_MAX + 1) || !has_oob_code(d))
        return invalid(out);
    int rc = begin_oob_grant(c, d, out, &body);
    dt_oauth_put_field(&body, "binding_code", code);
    return dt_okta_end_body(rc, &body, out);
}

int dt_direct_passcode(dt_config const *c, dt_direct const *d, char const *passcode,
                       dt_http_request *out)
{
    bool second = has_mfa_token(d);
    dt_buf body;
    if (!is_code(passcode, DT_OKTA_PASSCODE_MAX + 1) || (!second && !dt_okta_is_login(d->login)))
        return invalid(out);
    int rc = begin_grant(c, d, second ? GRANT_MFA_OTP : GRANT_OTP, out, &body);
    dt_oauth_put_field(&body, second ? "mfa_token" : "login_hint",
                       second ? d->mfa_token : d->login);
    dt_oauth_put_field(&body, "otp", passcode);
    return dt_okta_end_body(rc, &body, out);
}

bool dt_direct_is_endpoint(dt_config const *c, char const *url)
{
    char endpoint[DT_URL_MAX];
    return dt_okta_put_url(c, TOKEN_PATH, endpoint) == DT_OK && strcmp(url, endpoint) == 0;
}

bool dt_direct_is_poll(dt_http_request const *r)
{
    size_t const path = strlen(TOKEN_PATH), len = strlen(r->url);
    return r->form && len > path && strcmp(r->url + len - path, TOKEN_PATH) == 0 &&
           strstr(r->body, "&oob_code=") != NULL && strstr(r->body, "&binding_code=") == NULL;
}

/* --- replies -------------------------------------------------------------------------------------- */

/* What Okta may quote in an error. */
#define SECRETS(d) ((char const *const[]){(d)->mfa_token, (d)->oob_code, NULL})

static dt_okta_answer unusable(dt_error *e, dt_http_response const *r, char const *what)
{
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta's answer (HTTP %d) cannot be used: %s", r->status,
                       what);
    return DT_OKTA_UNUSABLE;
}

/* 403, as it is on the wire; 400 is what the pages of the API say. */
static bool is_denied(dt_oauth_reply const *p, dt_http_response const *r, char const *error)
{
    return dt_oauth_reply_is(p, r, 403, error) || dt_oauth_reply_is(p, r, 400, error);
}

/* The ID token of a reply. NULL, or what is wrong with it, which is in `e` then. */
static bool is_signed_on(dt_config const *c, dt_oauth_reply const *p, dt_http_response const *r,
                         dt_direct const *d, dt_time now, dt_id_token *token, dt_error *e)
{
    dt_id_token_expected const expected = {.issuer = c->okta.org_url,
                                           .client_id = c->okta.native_client_id,
                                           .user_id = d->user_id,
                                           .login = d->login,
                                           .by_login = d->user_id[0] == '\0'};
    char const *text = dt_json_string(dt_json_get(p->root, "id_token"));
    if (text == NULL) {
        (void)unusable(e, r, "it has no ID token");
        return false;
    }
    return dt_id_token_check(dt_bytes_str(text), &expected, now, token, e) == DT_ID_TOKEN_OK;
}

static dt_okta_answer read_mfa_token(dt_oauth_reply const *p, dt_http_response const *r,
                                     dt_okta_authn *out, dt_error *e)
{
    char const *token = dt_json_string(dt_json_get(p->root, "mfa_token"));
    if (!is_code(token, sizeof(out->state_token)))
        return unusable(e, r, "mfa_required without an mfa_token");
    memcpy(out->state_token, token, strlen(token) + 1);
    out->result = DT_OKTA_PASSWORD_MFA;
    return DT_OKTA_OK;
}

dt_okta_answer dt_direct_read_password(dt_config const *c, dt_http_response const *r,
                                       dt_direct const *d, dt_time now, dt_okta_authn *out,
                                       dt_error *e)
{
    dt_oauth_reply p;
    dt_id_token token;
    memset(out, 0, sizeof(*out));
    dt_okta_answer answer = dt_oauth_reply_open(&p, r, SECRETS(d), e);
    if (answer != DT_OKTA_OK) {
        /* nothing to read */
    } else if (r->status == 200) {
        if (is_signed_on(c, &p, r, d, now, &token, e))
            out->result = DT_OKTA_PASSWORD_VERIFIED;
        else
            answer = DT_OKTA_UNUSABLE;
    } else if (is_denied(&p, r, "mfa_required")) {
        answer = read_mfa_token(&p, r, out, e);
    } else if (dt_oauth_reply_is(&p, r, 400, "invalid_grant")) {
        out->result = DT_OKTA_PASSWORD_WRONG;
    } else if (r->status < 400 || r->status > 499) {
        answer = unusable(e, r, "an unexpected status");
    }
    dt_oauth_reply_close(&p);
    return answer;
}

/* --- something out of band ------------------------------------------------------------------------ */

static bool is_text(dt_json const *root, char const *member, char const *text)
{
    char const *s = dt_json_string(dt_json_get(root, member));
    return s != NULL && strcmp(s, text) == 0;
}

/* A member in seconds, at most `most`; 0 when there is none. False when it is another thing. */
static bool read_seconds(dt_json const *root, char const *member, dt_time most, dt_time *out)
{
    dt_json const *v = dt_json_get(root, member);
    int64_t seconds = 0;
    *out = 0;
    if (dt_json_typeof(v) == DT_JSON_NONE || dt_json_typeof(v) == DT_JSON_NULL)
        return true;
    if (!dt_json_integer(v, &seconds) || seconds < 0)
        return false;
    *out = seconds < most / DT_SECONDS(1) ? DT_SECONDS(seconds) : most;
    return true;
}

/* binding_code: a text in the guide, a number in examples; -1 when it is neither. */
static int number_of(dt_json const *root)
{
    dt_json const *v = dt_json_get(root, "binding_code");
    char const *text = dt_json_string(v);
    int64_t n = 0;
    if (text == NULL)
        return dt_json_integer(v, &n) && n >= 0 && n <= DT_OKTA_NUMBER_MAX ? (int)n : -1;
    size_t len = strlen(text);
    if (len == 0 || len > NUMBER_DIGITS_MAX || text[strspn(text, "0123456789")] != '\0')
        return -1;
    for (; *text != '\0'; text++)
        n = 10 * n + (*text - '0');
    return (int)n;
}

/* How the person says yes: a push is approved, with a number chosen or without one; a code is typed. */
static char const *read_binding(dt_json const *root, dt_factor_type type, dt_okta_verification *v)
{
    if (is_text(root, "binding_method", "prompt") && type != DT_FACTOR_PUSH) {
        v->challenged = true;
        return NULL;
    }
    if (type != DT_FACTOR_PUSH)
        return "its binding_method does not go with a code that is typed";
    if (is_text(root, "binding_method", "transfer")) {
        v->number = number_of(root);
        if (v->number < 0)
            return "a binding_method of transfer without a number";
    } else if (!is_text(root, "binding_method", "none")) {
        return "its binding_method does not go with a push";
    }
    v->result = DT_OKTA_RESULT_WAITING;
    return NULL;
}

/* NULL, or what is wrong with it. */
static char const *read_begun(dt_json const *root, dt_direct const *d, dt_factor_type type,
                              dt_okta_verification *v, dt_direct_begun *begun)
{
    char const *channel = channel_of(type), *code = dt_json_string(dt_json_get(root, "oob_code"));
    if (channel == NULL || !is_text(root, "channel", channel))
        return "it is about another channel";
    if (has_mfa_token(d) && !is_text(root, "challenge_type", GRANT_MFA_OOB))
        return "it is about another challenge_type";
    if (!is_code(code, sizeof(begun->oob_code)))
        return "it has no oob_code";
    if (!read_seconds(root, "interval", DT_DIRECT_INTERVAL_MAX, &begun->interval) ||
        !read_seconds(root, "expires_in", DT_DIRECT_LIFETIME_MAX, &begun->lifetime))
        return "its interval or its expires_in is not a number of seconds";
    memcpy(begun->oob_code, code, strlen(code) + 1);
    return read_binding(root, type, v);
}

/* A reply that is not 200. */
static dt_okta_answer read_not_begun(dt_oauth_reply const *p, dt_http_response const *r,
                                     dt_okta_answer answer, dt_error *e)
{
    if (answer == DT_OKTA_SERVER_ERROR && strcmp(p->error, "server_error") == 0)
        return DT_OKTA_PROVIDER_FAILED;
    if (answer != DT_OKTA_OK)
        return answer;
    if (r->status >= 400 && r->status <= 499)
        return DT_OKTA_NOT_ACTIVE;
    return unusable(e, r, "an unexpected status");
}

dt_okta_answer dt_direct_read_begin(dt_config const *c, dt_http_response const *r,
                                    dt_direct const *d, dt_factor_type type,
                                    dt_okta_verification *out, dt_direct_begun *begun, dt_error *e)
{
    dt_oauth_reply p;
    dt_okta_verification const nothing = {.number = -1};
    *out = nothing;
    memset(begun, 0, sizeof(*begun));
    dt_okta_answer answer = dt_oauth_reply_open(&p, r, SECRETS(d), e);
    if (answer == DT_OKTA_OK && r->status == 200) {
        char const *wrong = read_begun(p.root, d, type, out, begun);
        if (wrong == NULL && out->result == DT_OKTA_RESULT_WAITING &&
            dt_okta_put_url(c, TOKEN_PATH, out->poll_url) != DT_OK)
            wrong = "the URL of the token endpoint is too long";
        if (wrong != NULL)
            answer = unusable(e, r, wrong);
    } else {
        answer = read_not_begun(&p, r, answer, e);
    }
    if (answer != DT_OKTA_OK) {
        *out = nothing;
        explicit_bzero(begun, sizeof(*begun));
    }
    dt_oauth_reply_close(&p);
    return answer;
}

/* --- the token endpoint --------------------------------------------------------------------------- */

static dt_okta_answer read_tokens(dt_config const *c, dt_oauth_reply const *p,
                                  dt_http_response const *r, dt_direct const *d, dt_time now,
                                  dt_okta_verification *out, dt_error *e)
{
    unsigned const known = DT_AMR_PASSWORD | DT_AMR_KNOWLEDGE;
    dt_id_token token;
    if (d->user_id[0] == '\0')
        return unusable(e, r, "nobody is known to whom it could belong");
    if (!is_signed_on(c, p, r, d, now, &token, e))
        return DT_OKTA_UNUSABLE;
    if (token.amr != 0 && (token.amr & ~known) == 0)
        return unusable(e, r, "its ID token says that only something the person knows was used");
    out->result = DT_OKTA_RESULT_SUCCESS;
    return DT_OKTA_OK;
}

/* What a refusal with an OAuth error says; NONE for every other word. */
static dt_okta_result result_of(dt_oauth_reply const *p, dt_http_response const *r,
                                dt_direct const *d, dt_direct_step step, dt_time now)
{
    bool over = d->oob_code[0] != '\0' && d->expires != 0 && now >= d->expires;
    if (dt_oauth_reply_is(p, r, 400, "authorization_pending") ||
        dt_oauth_reply_is(p, r, 400, "slow_down"))
        return step == DT_DIRECT_POLL ? DT_OKTA_RESULT_WAITING : DT_OKTA_RESULT_NONE;
    if (dt_oauth_reply_is(p, r, 400, "invalid_grant"))
        return step == DT_DIRECT_POLL ? DT_OKTA_RESULT_REJECTED : DT_OKTA_RESULT_WRONG_CODE;
    if (dt_oauth_reply_is(p, r, 400, "expired_token"))
        return DT_OKTA_RESULT_TIMEOUT;
    if (is_denied(p, r, "access_denied"))
        return over ? DT_OKTA_RESULT_TIMEOUT : DT_OKTA_RESULT_REFUSED;
    /* Yet another factor is wanted, which would be the third one. */
    return is_denied(p, r, "mfa_required") ? DT_OKTA_RESULT_REFUSED : DT_OKTA_RESULT_NONE;
}

dt_okta_answer dt_direct_read_token(dt_config const *c, dt_http_response const *r,
                                    dt_direct const *d, dt_direct_step step, dt_time now,
                                    dt_okta_verification *out, bool *slow_down, dt_error *e)
{
    dt_oauth_reply p;
    dt_okta_verification const nothing = {.number = -1};
    *out = nothing;
    dt_okta_answer answer = dt_oauth_reply_open(&p, r, SECRETS(d), e);
    if (answer == DT_OKTA_OK && r->status == 200)
        answer = read_tokens(c, &p, r, d, now, out, e);
    else if (answer == DT_OKTA_OK && r->status >= 400 && r->status <= 499)
        out->result = result_of(&p, r, d, step, now);
    else if (answer == DT_OKTA_OK)
        answer = unusable(e, r, "an unexpected status");
    *slow_down = answer == DT_OKTA_OK && out->result == DT_OKTA_RESULT_WAITING &&
                 strcmp(p.error, "slow_down") == 0;
    dt_oauth_reply_close(&p);
    return answer;
}
