/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Access tokens for Graph: client credentials with a signed assertion (Microsoft identity platform;
 * RFC 7523 section 2.2), whose signature edge/jose makes, or with a client secret. */
#include "core/intune/compliance_service.h"
#include "core/base/oauth.h"
#include "core/base/url.h"

#include <string.h>

#define SHOWN_MAX 300 /* of Entra's text in a message for the administrator, bytes */
#define PUBLIC_GRAPH "https://graph.microsoft.com"

int dt_entra_token_url(dt_config const *c, char out[DT_URL_MAX])
{
    dt_buf url;
    dt_buf_init_fixed(&url, out, DT_URL_MAX);
    if (!dt_guid_is_set(&c->intune.tenant_id) || c->intune.login_url[0] == '\0')
        return DT_E_INVALID;
    dt_buf_puts(&url, c->intune.login_url);
    dt_buf_putc(&url, '/');
    dt_buf_puts(&url, c->intune.tenant_id.text);
    dt_buf_puts(&url, "/oauth2/v2.0/token");
    if (dt_buf_error(&url) != DT_OK)
        dt_buf_reset(&url);
    return url.len == 0 ? DT_E_LIMIT : DT_OK;
}

/* The random bytes as a GUID (RFC 4122 section 4.4: version 4, variant 1). */
static void put_jti(dt_buf *b, uint8_t const jti[16])
{
    uint8_t raw[16];
    char hex[2 * sizeof(raw) + 1];
    memcpy(raw, jti, sizeof(raw));
    raw[6] = (uint8_t)((raw[6] & 0x0f) | 0x40);
    raw[8] = (uint8_t)((raw[8] & 0x3f) | 0x80);
    dt_hex(hex, raw, sizeof(raw));
    static size_t const groups[] = {8, 4, 4, 4, 12};
    for (size_t i = 0, at = 0; i < 5; at += groups[i++]) {
        if (i > 0)
            dt_buf_putc(b, '-');
        dt_buf_put(b, hex + at, groups[i]);
    }
}

int dt_entra_assertion_claims(dt_config const *c, uint8_t const jti[16], dt_time now, dt_buf *out)
{
    char audience[DT_URL_MAX];
    int rc = dt_entra_token_url(c, audience);
    if (rc != DT_OK)
        return rc;
    if (c->intune.client_id[0] == '\0' || now < 0 || now > DT_TIME_NEVER - DT_DAYS(1))
        return DT_E_INVALID;
    dt_buf_puts(out, "{\"aud\":");
    dt_json_put_string(out, audience);
    dt_buf_puts(out, ",\"iss\":");
    dt_json_put_string(out, c->intune.client_id);
    dt_buf_puts(out, ",\"sub\":");
    dt_json_put_string(out, c->intune.client_id);
    dt_buf_puts(out, ",\"jti\":\"");
    put_jti(out, jti);
    dt_buf_puts(out, "\",\"nbf\":");
    dt_buf_put_int(out, now / DT_SECONDS(1));
    dt_buf_puts(out, ",\"iat\":");
    dt_buf_put_int(out, now / DT_SECONDS(1));
    dt_buf_puts(out, ",\"exp\":");
    dt_buf_put_int(out, (now + DT_ENTRA_ASSERTION_LIFETIME) / DT_SECONDS(1));
    dt_buf_putc(out, '}');
    return dt_buf_error(out);
}

/* The name of Graph as Entra knows it. It is the service's name, not the way there: whoever reaches
 * the public cloud by a gateway still asks for a token of the public cloud. */
static char const *graph_resource(char const *graph_url)
{
    static char const *const national[] = {
        "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
    };
    dt_url url, known;
    if (dt_url_parse(graph_url, &url) != DT_OK)
        return PUBLIC_GRAPH;
    for (size_t i = 0; i < sizeof(national) / sizeof(national[0]); i++)
        if (dt_url_parse(national[i], &known) == DT_OK && dt_url_same_origin(&url, &known))
            return national[i];
    return PUBLIC_GRAPH;
}

#define SCOPE_MAX (DT_CONFIG_VALUE_MAX + 16)

static int make_scope(dt_config const *c, dt_entra_audience audience, char scope[SCOPE_MAX])
{
    bool graph = audience == DT_ENTRA_FOR_GRAPH;
    char const *resource = graph ? graph_resource(c->intune.graph_url) : dt_compliance_resource(c);
    dt_buf b;
    dt_buf_init_fixed(&b, scope, SCOPE_MAX);
    if (resource == NULL || (unsigned)audience >= DT_ENTRA_AUDIENCE_COUNT)
        return DT_E_INVALID;
    dt_buf_puts(&b, resource);
    dt_buf_puts(&b, graph ? "/.default" : "//.default");
    return dt_buf_error(&b);
}

/* A client secret is text; Entra makes them of 40 visible characters. */
static int put_secret(dt_buf *out, dt_secret const *secret)
{
    char text[DT_SECRET_MAX + 1];
    dt_bytes value = dt_secret_bytes(secret);
    int rc = value.len > 0 ? dt_str_copy_bytes(text, sizeof(text), value) : DT_E_INVALID;
    if (rc == DT_OK)
        dt_oauth_put_field(out, "client_secret", text);
    explicit_bzero(text, sizeof(text));
    return rc;
}

int dt_entra_token_body(dt_config const *c, dt_entra_audience audience, char const *assertion,
                        dt_secret const *secret, dt_buf *out)
{
    char scope[SCOPE_MAX];
    if ((assertion != NULL) == (secret != NULL) || c->intune.client_id[0] == '\0' ||
        (assertion != NULL && !dt_oauth_is_compact_jws(assertion)))
        return DT_E_INVALID;
    int made = make_scope(c, audience, scope);
    if (made != DT_OK)
        return made;
    dt_oauth_put_field(out, "client_id", c->intune.client_id);
    dt_oauth_put_field(out, "scope", scope);
    dt_oauth_put_field(out, "grant_type", "client_credentials");
    if (assertion == NULL) {
        int rc = put_secret(out, secret);
        return rc == DT_OK ? dt_buf_error(out) : rc;
    }
    dt_oauth_put_field(out, "client_assertion_type", DT_OAUTH_ASSERTION_TYPE);
    dt_oauth_put_field(out, "client_assertion", assertion);
    return dt_buf_error(out);
}

/* --- the reply -------------------------------------------------------------------------------- */

static dt_intune_answer unusable(dt_error *e, dt_http_response const *r, char const *what)
{
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "Entra's answer (HTTP %d) cannot be used: %s",
                       r->status, what);
    return DT_INTUNE_UNUSABLE;
}

/* No token goes along with a request for one, so that there is none cannot be Entra's answer. */
static dt_intune_answer answer_of_failure(dt_http_response const *r, dt_error *e)
{
    dt_intune_answer answer = dt_intune_no_status(r, "Entra", e);
    return answer == DT_INTUNE_UNAUTHORIZED ? DT_INTUNE_UNUSABLE : answer;
}

/* Every status but 200: {"error","error_description":"AADSTS...",...} */
static dt_intune_answer answer_of_status(dt_http_response const *r, dt_json const *root,
                                         dt_error *e)
{
    char word[64], text[SHOWN_MAX];
    char const *error = dt_json_string(dt_json_get(root, "error"));
    (void)dt_str_escape(word, sizeof(word), error);
    (void)dt_str_escape(text, sizeof(text), dt_json_string(dt_json_get(root, "error_description")));
    (void)dt_error_set(e, DT_E_UNAVAILABLE, "Entra answered HTTP %d, %s: %s", r->status, word,
                       text);
    if (r->status == 429)
        return DT_INTUNE_RATE_LIMITED;
    if (dt_http_is_unavailable(r->failure, r->status))
        return DT_INTUNE_SERVER_ERROR;
    if (error != NULL && (r->status == 400 || r->status == 401 || r->status == 403))
        return DT_INTUNE_UNAUTHORIZED;
    return unusable(e, r, "an unexpected status");
}

dt_intune_answer dt_entra_read_token(dt_http_response const *r, dt_time now, dt_secret **token,
                                     dt_time *renew_at, dt_time *expires, dt_error *e)
{
    dt_json *root = NULL;
    dt_error why = {0};
    dt_intune_answer answer;
    *token = NULL;
    *renew_at = *expires = 0;
    if (r->failure != DT_HTTP_OK)
        return answer_of_failure(r, e);
    int rc = dt_json_parse(r->body, &root, &why);
    if (r->status != 200) {
        answer = answer_of_status(r, root, e);
    } else {
        char const *wrong = rc == DT_OK
                                ? dt_oauth_read_grant(root, "Bearer", now, token, renew_at, expires)
                                : why.text;
        answer = wrong == NULL ? DT_INTUNE_OK : unusable(e, r, wrong);
    }
    dt_json_free_wiped(&root);
    return answer;
}
