/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The token by which a transmitter knows this receiver: one of a file, or had by OAuth 2.0 client credentials (RFC 6749
 * section 4.4) with a secret or a signed assertion (RFC 7523). */
#include "devtrust_signals/receiver.h"

#include "core/base/oauth.h"
#include "edge/file.h"
#include "edge/host.h"

#include <stdio.h>
#include <string.h>

#define ASSERTION_LIFETIME 300 /* seconds */
#define ASSERTION_MAX 2048     /* bytes of a signed assertion */
#define CLAIMS_MAX 1024
#define BEARER "Bearer "

static int set_authorization(dt_transmitter *t, dt_bytes token)
{
    dt_buf b;

    dt_secret_free(&t->authorization);
    dt_buf_init(&b, DT_SECRET_MAX);
    dt_buf_puts(&b, BEARER);
    dt_buf_put(&b, token.p, token.len);
    int rc = dt_buf_error(&b);
    if (rc == DT_OK)
        rc = dt_secret_new(dt_buf_bytes(&b), &t->authorization);
    dt_buf_free(&b);
    return rc;
}

/* It goes into a header: visible characters alone. */
static bool is_token(dt_bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        if (b.p[i] < 0x21 || b.p[i] > 0x7e)
            return false;
    }
    return b.len > 0 && b.len < DT_SECRET_MAX - sizeof(BEARER);
}

static int load_fixed(dt_transmitter *t, dt_error *e)
{
    dt_secret *token = NULL;
    int rc = dt_file_read_secret(t->config->token_file, true, &token, e);

    if (rc == DT_OK && !is_token(dt_secret_bytes(token)))
        rc = dt_error_set(e, DT_E_INVALID,
                          "%s does not hold a token alone on one line, in printable ASCII",
                          t->config->token_file);
    if (rc == DT_OK)
        rc = set_authorization(t, dt_secret_bytes(token));
    dt_secret_free(&token);
    t->is_fixed = rc == DT_OK;
    return rc;
}

static int load_key(dt_transmitter *t, dt_error *e)
{
    dt_secret *pem = NULL;
    int rc = dt_file_read_secret(t->config->key_file, false, &pem, e);

    if (rc == DT_OK)
        rc = dt_jws_key_new(pem, &t->key, e);
    dt_secret_free(&pem);
    return rc;
}

int dt_token_load(dt_transmitter *t, dt_error *e)
{
    dt_config_transmitter const *c = t->config;
    char section[DT_CONFIG_SECTION_MAX];
    char const *key = "token_file";
    int rc = DT_OK;

    (void)snprintf(section, sizeof(section), "transmitter %s", c->name);
    if (*c->token_file != '\0') {
        rc = load_fixed(t, e);
    } else if (*c->client_secret_file != '\0') {
        key = "client_secret_file";
        rc = dt_file_read_secret(c->client_secret_file, true, &t->client_secret, e);
    } else if (*c->key_file != '\0') {
        key = "key_file";
        rc = load_key(t, e);
    }
    return rc == DT_OK ? DT_OK : dt_config_blame(t->receiver->config, section, key, e, rc);
}

bool dt_token_is_due(dt_transmitter const *t)
{
    return t->authorization == NULL || (!t->is_fixed && dt_host_now() >= t->renew_at);
}

void dt_token_drop(dt_transmitter *t)
{
    if (!t->is_fixed)
        dt_secret_free(&t->authorization);
}

/* RFC 7523 section 3. */
static int sign_assertion(dt_transmitter *t, dt_buf *out, dt_error *e)
{
    char id[33], text[CLAIMS_MAX];
    int64_t const now = dt_host_now() / 1000, ends = now + ASSERTION_LIFETIME;
    dt_buf claims;
    int const rc = dt_host_random_id(id);

    if (rc != DT_OK)
        return dt_error_set(e, rc, "no random id for an assertion");
    dt_buf_init_fixed(&claims, text, sizeof(text));
    dt_buf_puts(&claims, "{\"iss\":");
    dt_json_put_string(&claims, t->config->client_id);
    dt_buf_puts(&claims, ",\"sub\":");
    dt_json_put_string(&claims, t->config->client_id);
    dt_buf_puts(&claims, ",\"aud\":");
    dt_json_put_string(&claims, t->config->token_url);
    dt_buf_printf(&claims, ",\"jti\":\"%s\",\"iat\":%lld,\"exp\":%lld}", id, (long long)now,
                  (long long)ends);
    if (dt_buf_error(&claims) != DT_OK)
        return dt_error_set(e, DT_E_LIMIT, "the claims of an assertion are too long");
    return dt_jws_sign(t->key, "JWT", t->config->key_id, false, dt_buf_bytes(&claims), out, e);
}

static int put_credentials(dt_transmitter *t, dt_buf *body, dt_error *e)
{
    char text[ASSERTION_MAX];
    dt_buf b;
    int rc = DT_OK;

    dt_buf_init_fixed(&b, text, sizeof(text));
    if (t->key != NULL) {
        rc = sign_assertion(t, &b, e);
        dt_oauth_put_field(body, "client_assertion_type", DT_OAUTH_ASSERTION_TYPE);
        dt_oauth_put_field(body, "client_assertion", text);
    } else {
        dt_bytes const secret = dt_secret_bytes(t->client_secret);
        dt_buf_put(&b, secret.p, secret.len);
        dt_oauth_put_field(body, "client_secret", text);
        rc = dt_buf_error(&b);
    }
    explicit_bzero(text, sizeof(text));
    return rc;
}

int dt_token_request(dt_transmitter *t, dt_http_request *q, dt_error *e)
{
    dt_buf body;
    int rc = dt_str_copy(q->url, sizeof(q->url), t->config->token_url);

    q->method = DT_HTTP_POST;
    q->form = true;
    q->anonymous = true;
    dt_buf_init_fixed(&body, q->body, sizeof(q->body));
    dt_oauth_put_field(&body, "grant_type", "client_credentials");
    dt_oauth_put_field(&body, "client_id", t->config->client_id);
    if (*t->config->scope != '\0')
        dt_oauth_put_field(&body, "scope", t->config->scope);
    if (rc == DT_OK)
        rc = put_credentials(t, &body, e);
    if (rc == DT_OK && dt_buf_error(&body) != DT_OK)
        rc = dt_error_set(e, DT_E_LIMIT, "the request for a token does not fit %d bytes",
                          DT_HTTP_BODY_MAX);
    q->body_len = body.len;
    return rc;
}

char const *dt_token_take(dt_transmitter *t, dt_http_response const *r)
{
    dt_json *root = NULL;
    dt_secret *token = NULL;
    dt_time expires;
    char const *wrong = "it is not JSON";

    if (dt_json_parse(r->body, &root, NULL) == DT_OK)
        wrong = dt_oauth_read_grant(root, "Bearer", dt_host_now(), &token, &t->renew_at, &expires);
    dt_json_free_wiped(&root);
    if (wrong == NULL && set_authorization(t, dt_secret_bytes(token)) != DT_OK)
        wrong = "its token is too long";
    dt_secret_free(&token);
    return wrong;
}
