/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keys of a service app at Okta, and what is made with them: assertions and proofs.
 *
 * What Okta says to a token request may be met by another request: it wants its nonce in the proof, it
 * has another time than this host, or it no longer takes this key while the next one is there. */
#include "driver/okta_credentials.h"

#include "core/base/crypto.h"
#include "edge/file.h"
#include "edge/host.h"
#include "edge/jose.h"

#include <stdlib.h>
#include <string.h>

#define KEYS 2
#define CLAIMS_MAX 4096
#define CLOCK_SLACK DT_SECONDS(30)   /* so far apart, two clocks count as the same */
#define CLOCK_APART_MAX DT_HOURS(24) /* a Date that is further away is not believed */

struct dt_okta_credentials {
    dt_jws_key *keys[KEYS]; /* the second may be missing */
    char const *ids[KEYS];  /* borrowed from the configuration */
    int at;                 /* the one in use */
    bool other_tried;       /* since the last token */
    int rounds;             /* requests since the last token */
    dt_time skew;           /* Okta's clock minus ours; 0 as long as that works */
    dt_jws_key *dpop;       /* NULL: tokens are not bound */
    char token_nonce[DT_OKTA_NONCE_MAX], api_nonce[DT_OKTA_NONCE_MAX];
    uint8_t share_key[DT_SHA256_LEN];
};

static int make_share_key(dt_okta_credentials *k, dt_secret const *pem)
{
    static char const label[] = "devtrust: tokens shared between processes";
    dt_buf text;
    dt_buf_init(&text, sizeof(label) + DT_SECRET_MAX);
    dt_buf_put(&text, label, sizeof(label));
    dt_buf_put(&text, dt_secret_bytes(pem).p, dt_secret_bytes(pem).len);
    int rc = dt_buf_error(&text);
    if (rc == 0)
        rc = dt_crypto_sha256(dt_buf_bytes(&text), k->share_key);
    dt_buf_free(&text);
    return rc;
}

static int load_key(dt_config const *c, dt_okta_credentials *k, int i, dt_error *e)
{
    char const *name = i == 0 ? "key_file" : "next_key_file";
    char const *path = i == 0 ? c->okta.key_file : c->okta.next_key_file;
    dt_secret *pem = NULL;
    if (*path == '\0')
        return DT_OK;
    int rc = dt_file_read_secret(path, false, &pem, e);
    if (rc == 0 && (rc = dt_jws_key_new(pem, &k->keys[i], e)) != 0)
        (void)dt_error_prefix(e, "%s", path);
    if (rc == 0 && i == 0 && (rc = make_share_key(k, pem)) != 0)
        (void)dt_error_set(e, rc, "%s cannot be hashed", path);
    dt_secret_free(&pem);
    return rc < 0 ? dt_config_blame(c, "okta", name, e, rc) : DT_OK;
}

int dt_okta_credentials_load(dt_config const *c, dt_okta_credentials **out, dt_error *e)
{
    *out = NULL;
    if (!dt_okta_has_app(c))
        return DT_OK;
    dt_okta_credentials *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    k->ids[0] = c->okta.key_id;
    k->ids[1] = c->okta.next_key_id;
    int rc = load_key(c, k, 0, e);
    if (rc == 0)
        rc = load_key(c, k, 1, e);
    if (rc == 0 && c->okta.dpop)
        rc = dt_jws_key_make(&k->dpop, e);
    if (rc != 0)
        dt_okta_credentials_free(&k);
    *out = k;
    return rc;
}

void dt_okta_credentials_free(dt_okta_credentials **k)
{
    if (*k == NULL)
        return;
    for (int i = 0; i < KEYS; i++)
        dt_jws_key_free(&(*k)->keys[i]);
    dt_jws_key_free(&(*k)->dpop);
    explicit_bzero(*k, sizeof(**k));
    free(*k);
    *k = NULL;
}

/* --- what is signed ------------------------------------------------------------------------------ */

static dt_time okta_now(dt_okta_credentials const *k)
{
    return dt_host_now() + k->skew;
}

static int make_assertion(dt_okta_credentials const *k, dt_config const *c, dt_buf *out,
                          dt_error *e)
{
    uint8_t jti[DT_JTI_LEN];
    dt_buf claims;
    dt_buf_init(&claims, CLAIMS_MAX);
    int rc = dt_host_random(jti, sizeof(jti));
    if (rc == 0)
        rc = dt_okta_assertion_claims(c, jti, okta_now(k), &claims);
    if (rc != 0)
        (void)dt_error_set(e, rc, "the client assertion could not be made (%s)", dt_err_name(rc));
    else
        rc =
            dt_jws_sign(k->keys[k->at], "JWT", k->ids[k->at], false, dt_buf_bytes(&claims), out, e);
    dt_buf_free(&claims);
    return rc;
}

static int make_proof(dt_okta_credentials const *k, dt_okta_proof *p, char out[DT_PROOF_MAX],
                      dt_error *e)
{
    dt_buf claims, proof;
    out[0] = '\0';
    if (k->dpop == NULL)
        return DT_OK;
    dt_buf_init(&claims, CLAIMS_MAX);
    dt_buf_init_fixed(&proof, out, DT_PROOF_MAX);
    int rc = dt_host_random(p->jti, sizeof(p->jti));
    if (rc == 0)
        rc = dt_okta_proof_claims(p, okta_now(k), &claims);
    if (rc != 0)
        (void)dt_error_set(e, rc, "the DPoP proof could not be made (%s)", dt_err_name(rc));
    else
        rc = dt_jws_sign(k->dpop, "dpop+jwt", "", true, dt_buf_bytes(&claims), &proof, e);
    dt_buf_free(&claims);
    return rc;
}

int dt_okta_credentials_request(dt_okta_credentials *k, dt_config const *c, char const *scopes,
                                dt_http_request *out, char proof[DT_PROOF_MAX], dt_error *e)
{
    dt_buf assertion;
    proof[0] = '\0';
    memset(out, 0, sizeof(*out));
    k->rounds++;
    dt_buf_init(&assertion, DT_HTTP_BODY_MAX);
    int rc = make_assertion(k, c, &assertion, e);
    if (rc == 0) {
        rc = dt_okta_token_request(c, scopes, (char const *)assertion.p, out);
        if (rc != 0)
            (void)dt_error_set(e, rc, "the token request could not be made (%s)", dt_err_name(rc));
    }
    dt_buf_free(&assertion);
    dt_okta_proof p = {.method = DT_HTTP_POST, .url = out->url, .nonce = k->token_nonce};
    return rc == 0 ? make_proof(k, &p, proof, e) : rc;
}

/* What follows the scheme, as in "DPoP TOKEN". */
static dt_bytes token_of(dt_secret const *authorization)
{
    dt_bytes b = dt_secret_bytes(authorization);
    uint8_t const *blank = memchr(b.p, ' ', b.len);
    return blank != NULL ? dt_bytes_of(blank + 1, b.len - (size_t)(blank + 1 - b.p))
                         : dt_bytes_of(NULL, 0);
}

int dt_okta_credentials_proof(dt_okta_credentials *k, dt_http_request const *r,
                              dt_secret const *authorization, char proof[DT_PROOF_MAX], dt_error *e)
{
    dt_okta_proof p = {.method = r->method,
                       .url = r->url,
                       .token = token_of(authorization),
                       .nonce = k->api_nonce};
    return make_proof(k, &p, proof, e);
}

/* --- what Okta says ------------------------------------------------------------------------------ */

/* True when it is another one. */
static bool keep_nonce(char nonce[DT_OKTA_NONCE_MAX], dt_http_response const *r)
{
    if (r->dpop_nonce == NULL || r->dpop_nonce[0] == '\0' || strcmp(nonce, r->dpop_nonce) == 0)
        return false;
    return dt_str_copy(nonce, DT_OKTA_NONCE_MAX, r->dpop_nonce) == 0;
}

/* True when it is far enough from what was used for another try to make sense. */
static bool learn_clock(dt_okta_credentials *k, dt_http_response const *r)
{
    dt_time skew = r->date - dt_host_now(), apart = skew - k->skew;
    if (r->date <= 0 || skew > CLOCK_APART_MAX || skew < -CLOCK_APART_MAX)
        return false;
    if (apart <= CLOCK_SLACK && apart >= -CLOCK_SLACK)
        return false;
    k->skew = skew;
    return true;
}

static bool take_other_key(dt_okta_credentials *k)
{
    if (k->other_tried || k->keys[1 - k->at] == NULL)
        return false;
    k->other_tried = true;
    k->at = 1 - k->at;
    return true;
}

static void start_over(dt_okta_credentials *k)
{
    k->rounds = 0;
    k->other_tried = false;
}

static int make_authorization(dt_okta_credentials const *k, dt_secret const *token, dt_secret **out)
{
    char storage[DT_SECRET_MAX + 1];
    dt_buf b;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_puts(&b, k->dpop != NULL ? "DPoP " : "Bearer ");
    dt_buf_put(&b, dt_secret_bytes(token).p, dt_secret_bytes(token).len);
    int rc = dt_buf_error(&b);
    if (rc == 0)
        rc = dt_secret_new(dt_buf_bytes(&b), out);
    explicit_bzero(storage, sizeof(storage));
    return rc;
}

dt_okta_token_end dt_okta_credentials_take(dt_okta_credentials *k, dt_config const *c,
                                           char const *scopes, dt_http_response const *r,
                                           dt_secret **authorization, dt_time *renew_at,
                                           dt_time *expires, dt_error *e)
{
    dt_secret *token = NULL;
    dt_okta_grant g = dt_okta_read_grant(c, r, scopes, dt_host_now(), &token, renew_at, expires, e);
    bool new_nonce = keep_nonce(k->token_nonce, r);
    bool again = false;
    if (g == DT_OKTA_GRANT_OK && make_authorization(k, token, authorization) != 0) {
        (void)dt_error_set(e, DT_E_LIMIT, "the token is too long");
        g = DT_OKTA_GRANT_FAILED;
    }
    dt_secret_free(&token);
    if (g == DT_OKTA_GRANT_NONCE) {
        again = new_nonce && k->dpop != NULL;
        (void)dt_error_set(e, DT_E_UNAVAILABLE, "Okta wants a DPoP proof with its nonce%s",
                           k->dpop == NULL ? "; set dpop = yes in [okta]" : ", again and again");
    }
    if (g == DT_OKTA_GRANT_CLIENT)
        again = learn_clock(k, r) || take_other_key(k);
    if (again && k->rounds < DT_OKTA_ROUNDS_MAX)
        return DT_OKTA_TOKEN_AGAIN;
    start_over(k);
    return g == DT_OKTA_GRANT_OK ? DT_OKTA_TOKEN_GOT : DT_OKTA_TOKEN_FAILED;
}

bool dt_okta_credentials_take_nonce(dt_okta_credentials *k, dt_http_response const *r)
{
    bool wanted = dt_okta_wants_nonce(r);
    return keep_nonce(k->api_nonce, r) && wanted && k->dpop != NULL;
}

/* --- for other processes ------------------------------------------------------------------------- */

uint8_t const *dt_okta_credentials_share_key(dt_okta_credentials const *k)
{
    return k->share_key;
}

int dt_okta_credentials_save_key(dt_okta_credentials const *k, dt_buf *out)
{
    dt_secret *text = NULL;
    if (k->dpop == NULL)
        return DT_OK;
    int rc = dt_jws_key_save(k->dpop, &text);
    if (rc == 0)
        dt_buf_put(out, dt_secret_bytes(text).p, dt_secret_bytes(text).len);
    dt_secret_free(&text);
    return rc != 0 ? rc : dt_buf_error(out);
}

int dt_okta_credentials_load_key(dt_okta_credentials *k, char const *text)
{
    dt_jws_key *key = NULL;
    if (k->dpop == NULL)
        return *text == '\0' ? DT_OK : DT_E_INVALID;
    int rc = dt_jws_key_load(text, &key);
    if (rc != 0)
        return rc;
    dt_jws_key_free(&k->dpop);
    k->dpop = key;
    return DT_OK;
}
