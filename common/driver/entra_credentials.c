/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of [intune] that prove to Entra who asks, and the token request made of them. */
#include "driver/entra_credentials.h"

#include "core/base/crypto.h"

#include "edge/file.h"
#include "edge/host.h"
#include "edge/jose.h"

#include <stdlib.h>
#include <string.h>

#define PEM_MAX (64 * 1024)
#define ASSERTION_MAX 4096
#define CLAIMS_MAX 2048

struct dt_entra_credentials { /* one of the two */
    dt_assertion_key *key;
    dt_secret *secret;
    uint8_t share_key[DT_SHA256_LEN];
};

/* Of what is read from the file that proves who asks. */
static int make_share_key(dt_entra_credentials *k, dt_secret const *of)
{
    static char const label[] = "devtrust: tokens shared between processes";
    dt_buf text;
    dt_buf_init(&text, sizeof(label) + DT_SECRET_MAX);
    dt_buf_put(&text, label, sizeof(label));
    dt_buf_put(&text, dt_secret_bytes(of).p, dt_secret_bytes(of).len);
    int rc = dt_buf_error(&text);
    if (rc == 0)
        rc = dt_crypto_sha256(dt_buf_bytes(&text), k->share_key);
    dt_buf_free(&text);
    return rc;
}

static int load_secret(dt_config const *c, dt_entra_credentials *k, dt_error *e)
{
    int rc = dt_file_read_secret(c->intune.client_secret_file, true, &k->secret, e);
    if (rc == 0 && (rc = make_share_key(k, k->secret)) != 0)
        (void)dt_error_set(e, rc, "the secret cannot be hashed");
    if (rc != 0)
        dt_config_blame(c, "intune", "client_secret_file", e, rc);
    return rc;
}

static void blame_pair(dt_config const *c, bool of_key, dt_error *e, int rc)
{
    if (of_key)
        (void)dt_error_prefix(e, "%s", c->intune.key_file);
    else
        (void)dt_error_prefix(e, "%s, key_file %s", c->intune.certificate_file, c->intune.key_file);
    (void)dt_config_blame(c, "intune", of_key ? "key_file" : "certificate_file", e, rc);
}

static int load_key(dt_config const *c, dt_entra_credentials *k, dt_error *e)
{
    dt_buf certificate;
    dt_buf_init(&certificate, PEM_MAX);
    dt_secret *key = NULL;
    int rc = dt_file_read(c->intune.certificate_file, DT_FILE_TRUSTED, PEM_MAX, &certificate, e);
    if (rc != 0)
        (void)dt_config_blame(c, "intune", "certificate_file", e, rc);
    if (rc == 0 && (rc = dt_file_read_secret(c->intune.key_file, false, &key, e)) != 0)
        (void)dt_config_blame(c, "intune", "key_file", e, rc);
    if (rc == 0) {
        bool of_key = false;
        rc = dt_assertion_key_new(key, dt_buf_bytes(&certificate), &k->key, &of_key, e);
        if (rc != 0)
            blame_pair(c, of_key, e, rc);
        else if ((rc = make_share_key(k, key)) != 0)
            (void)dt_error_set(e, rc, "the key for Entra cannot be hashed");
    }
    dt_secret_free(&key);
    dt_buf_free(&certificate);
    return rc;
}

int dt_entra_credentials_load(dt_config const *c, dt_entra_credentials **out, dt_error *e)
{
    bool secret = c->intune.client_secret_file[0] != '\0';
    *out = NULL;
    if (!secret && (c->intune.certificate_file[0] == '\0' || c->intune.key_file[0] == '\0'))
        return DT_OK;
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    int rc = secret ? load_secret(c, *out, e) : load_key(c, *out, e);
    if (rc != 0)
        dt_entra_credentials_free(out);
    return rc;
}

void dt_entra_credentials_free(dt_entra_credentials **k)
{
    if (*k == NULL)
        return;
    dt_secret_free(&(*k)->secret);
    dt_assertion_key_free(&(*k)->key);
    explicit_bzero((*k)->share_key, sizeof((*k)->share_key));
    free(*k);
    *k = NULL;
}

static int make_assertion(dt_entra_credentials const *k, dt_config const *c, dt_buf *out,
                          dt_error *e)
{
    uint8_t jti[16];
    dt_buf claims;
    dt_buf_init(&claims, CLAIMS_MAX);
    int rc = dt_host_random(jti, sizeof(jti));
    if (rc == 0)
        rc = dt_entra_assertion_claims(c, jti, dt_host_now(), &claims);
    if (rc != 0)
        dt_error_set(e, rc, "the client assertion could not be made (%s)", dt_err_name(rc));
    else
        rc = dt_assertion_sign(k->key, c->intune.assertion_alg, dt_buf_bytes(&claims),
                               dt_host_now(), out, e);
    dt_buf_free(&claims);
    return rc;
}

int dt_entra_credentials_request(dt_entra_credentials const *k, dt_config const *c,
                                 dt_entra_audience audience, dt_http_request *out, dt_error *e)
{
    dt_buf assertion, body;
    memset(out, 0, sizeof(*out));
    dt_buf_init(&assertion, ASSERTION_MAX);
    dt_buf_init_fixed(&body, out->body, sizeof(out->body));
    out->service = DT_HTTP_ENTRA;
    out->method = DT_HTTP_POST;
    out->form = true;
    out->timeout = c->intune.timeout;
    int rc = k->secret != NULL ? DT_OK : make_assertion(k, c, &assertion, e);
    if (rc == 0) {
        rc = dt_entra_token_url(c, out->url);
        if (rc == 0)
            rc = dt_entra_token_body(c, audience,
                                     k->secret != NULL ? NULL : (char const *)assertion.p,
                                     k->secret, &body);
        if (rc == 0)
            rc = dt_buf_error(&body);
        if (rc != 0)
            dt_error_set(e, rc, "the token request could not be made (%s)", dt_err_name(rc));
    }
    out->body_len = body.len;
    dt_buf_free(&assertion);
    return rc;
}

uint8_t const *dt_entra_credentials_share_key(dt_entra_credentials const *k)
{
    return k->share_key;
}

int dt_entra_bearer(dt_secret const *token, dt_secret **out)
{
    uint8_t storage[DT_SECRET_MAX + 1];
    dt_buf b;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_bytes value = dt_secret_bytes(token);
    dt_buf_puts(&b, "Bearer ");
    dt_buf_put(&b, value.p, value.len);
    int rc = dt_buf_error(&b);
    if (rc == 0)
        rc = dt_secret_new(dt_buf_bytes(&b), out);
    explicit_bzero(storage, sizeof(storage));
    return rc;
}
