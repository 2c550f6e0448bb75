/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See jwks.h. */
#include "core/signals/jwks.h"

#include "core/base/crypto.h"
#include "core/base/json.h"

#include <stdlib.h>
#include <string.h>

#define RSA_BYTES_MIN 256 /* 2048 bits: RFC 7518 section 3.3 */
#define RSA_BYTES_MAX 1024
#define EXPONENT_BYTES_MAX 8
#define COORDINATE_LEN 32 /* of P-256: RFC 7518 section 6.2.1.2 */
#define KEYS_LISTED_MAX 256

typedef struct key {
    char kid[DT_KID_MAX];
    dt_jws_alg alg;
    uint8_t bytes[RSA_BYTES_MAX]; /* the modulus, or the point */
    size_t len;
    uint8_t exponent[EXPONENT_BYTES_MAX];
    size_t exponent_len;
} key;

struct dt_jwks {
    size_t count;
    key keys[DT_JWKS_KEYS_MAX];
};

dt_jws_alg dt_jws_alg_of(char const *word)
{
#define X(NAME, text)                                                                              \
    if (word != NULL && strcmp(word, text) == 0)                                                   \
        return DT_JWS_##NAME;
    DT_JWS_ALGS(X)
#undef X
    return DT_JWS_NONE;
}

static bool is_text(dt_json const *v, char const *text)
{
    char const *s = dt_json_string(v);
    return s != NULL && strcmp(s, text) == 0;
}

static bool is_absent_or(dt_json const *v, char const *text)
{
    return dt_json_typeof(v) == DT_JSON_NONE || is_text(v, text);
}

/* A number as base64url, without zeros in front; false when there is none that fits. */
static bool read_number(dt_json const *v, uint8_t *out, size_t max, size_t *len)
{
    char const *text = dt_json_string(v);
    dt_buf b;
    dt_buf_init(&b, max);
    bool good = text != NULL && dt_base64url_decode(&b, dt_bytes_str(text)) == DT_OK && b.len > 0;
    if (good) {
        memcpy(out, b.p, b.len);
        *len = b.len;
    }
    dt_buf_free(&b);
    return good;
}

static bool read_rsa(dt_json const *v, key *out)
{
    size_t const most = sizeof(out->bytes);
    out->alg = DT_JWS_RS256;
    return read_number(dt_json_get(v, "n"), out->bytes, most, &out->len) &&
           read_number(dt_json_get(v, "e"), out->exponent, sizeof(out->exponent),
                       &out->exponent_len) &&
           out->len >= RSA_BYTES_MIN && (out->bytes[0] & 0x80) != 0 &&
           (out->exponent[out->exponent_len - 1] & 1) != 0 &&
           (out->exponent_len > 1 || out->exponent[0] > 1);
}

static bool read_point(dt_json const *v, key *out)
{
    size_t x = 0, y = 0;
    out->alg = DT_JWS_ES256;
    out->bytes[0] = 0x04; /* SEC 1 section 2.3.3 */
    out->len = 1 + 2 * COORDINATE_LEN;
    return is_text(dt_json_get(v, "crv"), "P-256") &&
           read_number(dt_json_get(v, "x"), out->bytes + 1, COORDINATE_LEN, &x) &&
           read_number(dt_json_get(v, "y"), out->bytes + 1 + COORDINATE_LEN, COORDINATE_LEN, &y) &&
           x == COORDINATE_LEN && y == COORDINATE_LEN;
}

/* Whether this is a key that can be used, which is then in *out. */
static bool read_key(dt_json const *v, key *out)
{
    char const *kid = dt_json_string(dt_json_get(v, "kid"));
    dt_json const *kty = dt_json_get(v, "kty");
    memset(out, 0, sizeof(*out));
    if (kid == NULL || kid[0] == '\0' || dt_str_copy(out->kid, sizeof(out->kid), kid) != DT_OK ||
        !is_absent_or(dt_json_get(v, "use"), "sig"))
        return false;
    if (is_text(kty, "RSA"))
        return is_absent_or(dt_json_get(v, "alg"), "RS256") && read_rsa(v, out);
    if (is_text(kty, "EC"))
        return is_absent_or(dt_json_get(v, "alg"), "ES256") && read_point(v, out);
    return false;
}

static key const *find(dt_jwks const *k, char const *kid, dt_jws_alg alg)
{
    for (size_t i = 0; k != NULL && i < k->count; i++)
        if (k->keys[i].alg == alg && strcmp(k->keys[i].kid, kid) == 0)
            return &k->keys[i];
    return NULL;
}

static int read_keys(dt_json const *list, dt_jwks *out, dt_error *e)
{
    key k;
    size_t const n = dt_json_size(list);
    if (dt_json_typeof(list) != DT_JSON_ARRAY || n > KEYS_LISTED_MAX)
        return dt_error_set(e, DT_E_PARSE, "the keys are not a list of at most %d",
                            KEYS_LISTED_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!read_key(dt_json_at(list, i), &k))
            continue;
        if (find(out, k.kid, k.alg) != NULL)
            return dt_error_set(e, DT_E_PARSE, "two of the keys have the same kid");
        if (out->count == DT_JWKS_KEYS_MAX)
            return dt_error_set(e, DT_E_LIMIT, "there are more than %d keys", DT_JWKS_KEYS_MAX);
        out->keys[out->count++] = k;
    }
    return out->count > 0
               ? DT_OK
               : dt_error_set(e, DT_E_PARSE,
                              "none of the keys is RSA (RS256, 2048 bits or more) or P-256 (ES256) "
                              "with a kid");
}

int dt_jwks_read(dt_bytes text, dt_jwks **out, dt_error *e)
{
    dt_json *root = NULL;
    *out = NULL;
    if (text.len > DT_JWKS_TEXT_MAX)
        return dt_error_set(e, DT_E_LIMIT, "the keys are more than %d bytes", DT_JWKS_TEXT_MAX);
    int rc = dt_json_parse(text, &root, e);
    dt_jwks *k = rc == DT_OK ? calloc(1, sizeof(*k)) : NULL;
    if (rc == DT_OK && k == NULL)
        rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    if (rc == DT_OK)
        rc = read_keys(dt_json_get(root, "keys"), k, e);
    dt_json_free(&root);
    if (rc != DT_OK)
        dt_jwks_free(&k);
    *out = k;
    return rc;
}

void dt_jwks_free(dt_jwks **k)
{
    free(*k);
    *k = NULL;
}

size_t dt_jwks_count(dt_jwks const *k)
{
    return k != NULL ? k->count : 0;
}

bool dt_jwks_has(dt_jwks const *k, char const *kid, dt_jws_alg alg)
{
    return find(k, kid, alg) != NULL;
}

/* ECDSA's two numbers stand side by side (RFC 7518 section 3.4); RSA's is as long as its modulus (RFC 8017 section
 * 8.2.2). */
static bool split_signature(key const *k, dt_bytes signature, dt_raw_signature *out)
{
    *out = (dt_raw_signature){0};
    if (k->alg == DT_JWS_RS256) {
        out->value = signature;
        return signature.len == k->len;
    }
    if (signature.len != 2 * COORDINATE_LEN)
        return false;
    out->r = dt_bytes_of(signature.p, COORDINATE_LEN);
    out->s = dt_bytes_of(signature.p + COORDINATE_LEN, COORDINATE_LEN);
    return true;
}

int dt_jwks_verify(dt_jwks const *k, char const *kid, dt_jws_alg alg, dt_bytes message,
                   dt_bytes signature)
{
    key const *one = find(k, kid, alg);
    dt_raw_signature raw;
    if (one == NULL)
        return DT_E_NOT_FOUND;
    dt_public_key const public = {
        .algorithm = alg == DT_JWS_RS256 ? DT_KEY_ALG_RSA : DT_KEY_ALG_P256,
        .modulus = dt_bytes_of(one->bytes, one->len),
        .exponent = dt_bytes_of(one->exponent, one->exponent_len),
        .point = dt_bytes_of(one->bytes, one->len),
    };
    if (!split_signature(one, signature, &raw))
        return DT_E_CRYPTO;
    return dt_crypto_verify(&public, 256, message, &raw);
}
