/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Token requests of a service app, what Okta says to them, and the claims of proofs. */
#include "core/okta/okta_oauth.h"

#include "core/base/crypto.h"
#include "core/base/oauth.h"

#include <string.h>

#define SHOWN_MAX 160 /* of Okta's text in a message for the administrator, bytes */
#define TOKEN_PATH "/oauth2/v1/token"
#define AUTHN_PATH "/api/v1/authn"

bool dt_okta_has_app(dt_config const *c)
{
    return c->okta.client_id[0] != '\0';
}

bool dt_okta_is_authn(dt_config const *c, char const *url)
{
    size_t base = strlen(c->okta.org_url), path = sizeof(AUTHN_PATH) - 1;
    if (strncmp(url, c->okta.org_url, base) != 0 || strncmp(url + base, AUTHN_PATH, path) != 0)
        return false;
    return url[base + path] == '\0' || url[base + path] == '/';
}

static bool names_source(dt_config const *c, unsigned source)
{
    for (size_t i = 0; i < c->device_trust.trusted_when_count; i++)
        if ((c->device_trust.trusted_when[i] & source) != 0)
            return true;
    return false;
}

static bool anybody_names_source(dt_config const *c, unsigned source)
{
    bool found = names_source(c, source);
    for (size_t i = 0; !found && i < c->application_count; i++)
        found = names_source(&c->applications[i]->own, source);
    return found;
}

static bool anybody_has_okta_app(dt_config const *c)
{
    bool found = c->policy.okta_app[0] != '\0';
    for (size_t i = 0; !found && i < c->application_count; i++)
        found = c->applications[i]->own.policy.okta_app[0] != '\0';
    return found;
}

/* Users, their groups and factors, and the state of a push are read; a factor is verified, and a push
 * cancelled, by okta.users.manage: Okta has no scope for factors alone. */
void dt_okta_scopes(dt_config const *c, bool group_names, char out[DT_OKTA_SCOPES_MAX])
{
    dt_buf b;
    dt_buf_init_fixed(&b, out, DT_OKTA_SCOPES_MAX);
    dt_buf_puts(&b, "okta.users.read okta.users.manage");
    if (anybody_names_source(c, DT_SOURCE_OKTA_DEVICE))
        dt_buf_puts(&b, " okta.devices.read");
    if (anybody_has_okta_app(c))
        dt_buf_puts(&b, " okta.apps.read");
    if (group_names)
        dt_buf_puts(&b, " okta.groups.read");
}

/* --- the request -------------------------------------------------------------------------------- */

static void put_jti(dt_buf *b, uint8_t const jti[DT_JTI_LEN])
{
    char hex[2 * DT_JTI_LEN + 1];
    dt_hex(hex, jti, DT_JTI_LEN);
    dt_buf_puts(b, "\"jti\":\"");
    dt_buf_puts(b, hex);
    dt_buf_putc(b, '"');
}

static void put_claim(dt_buf *b, char const *name, char const *value)
{
    dt_buf_printf(b, "\"%s\":", name);
    dt_json_put_string(b, value);
    dt_buf_putc(b, ',');
}

static bool is_time(dt_time now)
{
    return now >= 0 && now <= DT_TIME_NEVER - DT_DAYS(1);
}

static int put_token_url(dt_config const *c, char out[DT_URL_MAX])
{
    dt_buf url;
    dt_buf_init_fixed(&url, out, DT_URL_MAX);
    dt_buf_puts(&url, c->okta.org_url);
    dt_buf_puts(&url, TOKEN_PATH);
    return dt_buf_error(&url);
}

int dt_okta_assertion_claims(dt_config const *c, uint8_t const jti[DT_JTI_LEN], dt_time now,
                             dt_buf *out)
{
    char audience[DT_URL_MAX];
    int rc = put_token_url(c, audience);
    if (rc != DT_OK)
        return rc;
    if (!dt_okta_has_app(c) || !is_time(now))
        return DT_E_INVALID;
    dt_buf_putc(out, '{');
    put_claim(out, "aud", audience);
    put_claim(out, "iss", c->okta.client_id);
    put_claim(out, "sub", c->okta.client_id);
    put_jti(out, jti);
    dt_buf_puts(out, ",\"exp\":");
    dt_buf_put_int(out, (now + DT_OKTA_ASSERTION_LIFETIME) / DT_SECONDS(1));
    dt_buf_putc(out, '}');
    return dt_buf_error(out);
}

int dt_okta_token_request(dt_config const *c, char const *scopes, char const *assertion,
                          dt_http_request *out)
{
    dt_buf body;
    memset(out, 0, sizeof(*out));
    if (!dt_okta_has_app(c) || scopes[0] == '\0' || !dt_oauth_is_compact_jws(assertion))
        return DT_E_INVALID;
    out->service = DT_HTTP_OKTA;
    out->method = DT_HTTP_POST;
    out->form = true;
    out->timeout = c->okta.timeout;
    int rc = put_token_url(c, out->url);
    dt_buf_init_fixed(&body, out->body, sizeof(out->body));
    dt_oauth_put_field(&body, "grant_type", "client_credentials");
    dt_oauth_put_field(&body, "scope", scopes);
    dt_oauth_put_field(&body, "client_assertion_type", DT_OAUTH_ASSERTION_TYPE);
    dt_oauth_put_field(&body, "client_assertion", assertion);
    out->body_len = body.len;
    return rc != DT_OK ? rc : dt_buf_error(&body);
}

static char const *method_word(dt_http_method m)
{
    return m == DT_HTTP_GET ? "GET" : m == DT_HTTP_POST ? "POST" : "DELETE";
}

static int put_ath(dt_bytes token, dt_buf *out)
{
    uint8_t digest[DT_SHA256_LEN];
    int rc = dt_crypto_sha256(token, digest);
    if (rc != DT_OK)
        return rc;
    dt_buf_puts(out, "\"ath\":\"");
    dt_base64url_encode(out, dt_bytes_of(digest, sizeof(digest)));
    dt_buf_puts(out, "\",");
    return DT_OK;
}

int dt_okta_proof_claims(dt_okta_proof const *p, dt_time now, dt_buf *out)
{
    char url[DT_URL_MAX];
    int rc = dt_str_copy_bytes(url, sizeof(url), dt_bytes_of(p->url, strcspn(p->url, "?#")));
    if (rc != DT_OK || !is_time(now))
        return rc != DT_OK ? rc : DT_E_INVALID;
    dt_buf_putc(out, '{');
    put_claim(out, "htm", method_word(p->method));
    put_claim(out, "htu", url);
    if (p->token.len > 0)
        rc = put_ath(p->token, out);
    if (p->nonce[0] != '\0')
        put_claim(out, "nonce", p->nonce);
    put_jti(out, p->jti);
    dt_buf_puts(out, ",\"iat\":");
    dt_buf_put_int(out, now / DT_SECONDS(1));
    dt_buf_putc(out, '}');
    return rc != DT_OK ? rc : dt_buf_error(out);
}

/* --- the reply ---------------------------------------------------------------------------------- */

static bool is_word(char const *error, char const *word)
{
    return error != NULL && strcmp(error, word) == 0;
}

/* What an administrator can do about it. Okta says invalid_client for all that is wrong with an
 * assertion, and may change its text at any time. */
static void put_advice(dt_buf *b, dt_config const *c, dt_http_response const *r, char const *error,
                       char const *scopes)
{
    if (r->status == 429)
        dt_buf_puts(b, "; the rate limit is used up");
    else if (is_word(error, "invalid_client"))
        dt_buf_puts(
            b, "; check client_id, key_file and key_id of [okta], that this key is active at the "
               "app, and this host's clock");
    else if (is_word(error, "invalid_scope"))
        dt_buf_printf(b, "; grant the app these scopes: %s", scopes);
    else if (is_word(error, "invalid_dpop_proof") && !c->okta.dpop)
        dt_buf_puts(b, "; the app requires DPoP: set dpop = yes in [okta]");
    else if (is_word(error, "access_denied"))
        dt_buf_puts(b, "; is this host's address in the app's network zone?");
}

/* Every status but 200: {"error","error_description"}, or Okta's own {"errorCode","errorSummary"}. */
static dt_okta_grant refused(dt_config const *c, dt_http_response const *r, char const *scopes,
                             dt_json const *root, dt_error *e)
{
    char word[64], text[SHOWN_MAX], said[sizeof(e->text)];
    char const *error = dt_json_string(dt_json_get(root, "error"));
    char const *about = dt_json_string(dt_json_get(root, "error_description"));
    dt_buf b;
    if (error == NULL) {
        error = dt_json_string(dt_json_get(root, "errorCode"));
        about = dt_json_string(dt_json_get(root, "errorSummary"));
    }
    if (is_word(error, "use_dpop_nonce") && r->status == 400 && r->dpop_nonce[0] != '\0')
        return DT_OKTA_GRANT_NONCE;
    dt_buf_init_fixed(&b, said, sizeof(said));
    put_advice(&b, c, r, error, scopes);
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta answered HTTP %d, %s%s: %s", r->status,
                       dt_str_escape(word, sizeof(word), error), b.len > 0 ? said : "",
                       dt_str_escape(text, sizeof(text), about));
    return r->status == 401 || r->status == 400 ? DT_OKTA_GRANT_CLIENT : DT_OKTA_GRANT_FAILED;
}

dt_okta_grant dt_okta_read_grant(dt_config const *c, dt_http_response const *r, char const *scopes,
                                 dt_time now, dt_secret **token, dt_time *renew_at,
                                 dt_time *expires, dt_error *e)
{
    dt_json *root = NULL;
    dt_error why = {0};
    char shown[DT_HTTP_SHOWN_MAX];
    dt_okta_grant grant = DT_OKTA_GRANT_FAILED;
    *token = NULL;
    *renew_at = *expires = 0;
    if (r->failure != DT_HTTP_OK) {
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "%s",
                           dt_str_escape(shown, sizeof(shown), r->error));
        return DT_OKTA_GRANT_FAILED;
    }
    int rc = dt_json_parse(r->body, &root, &why);
    if (r->status != 200) {
        grant = refused(c, r, scopes, root, e);
    } else {
        char const *wrong = rc == DT_OK
                                ? dt_oauth_read_grant(root, c->okta.dpop ? "DPoP" : "Bearer", now,
                                                      token, renew_at, expires)
                                : why.text;
        if (wrong == NULL)
            grant = DT_OKTA_GRANT_OK;
        else
            (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta's answer cannot be used: %s%s", wrong,
                               strstr(wrong, "token_type") != NULL
                                   ? "; is dpop in [okta] as the app requires it?"
                                   : "");
    }
    dt_json_free_wiped(&root);
    return grant;
}

bool dt_okta_wants_nonce(dt_http_response const *r)
{
    return r->failure == DT_HTTP_OK && (r->status == 401 || r->status == 400) &&
           r->dpop_nonce != NULL && r->dpop_nonce[0] != '\0';
}
