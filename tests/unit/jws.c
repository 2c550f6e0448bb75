/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "jws.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define COORDINATE 32

static void must(bool good)
{
    if (!good)
        abort();
}

EVP_PKEY *jws_make_rsa(unsigned bits)
{
    EVP_PKEY *key = EVP_RSA_gen(bits);
    must(key != NULL);
    return key;
}

EVP_PKEY *jws_make_p256(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    must(key != NULL);
    return key;
}

static void put_number(dt_buf *out, EVP_PKEY *key, char const *param, char const *name, int len)
{
    uint8_t bytes[1024];
    BIGNUM *n = NULL;
    must(EVP_PKEY_get_bn_param(key, param, &n) == 1);
    int const size = len > 0 ? len : BN_num_bytes(n);
    must(BN_bn2binpad(n, bytes, size) == size);
    dt_buf_printf(out, ",\"%s\":\"", name);
    dt_base64url_encode(out, dt_bytes_of(bytes, (size_t)size));
    dt_buf_puts(out, "\"");
    BN_free(n);
}

void jws_put_jwk(dt_buf *out, EVP_PKEY *key, char const *more)
{
    bool const rsa = EVP_PKEY_is_a(key, "RSA");
    dt_buf_printf(out, "{\"kty\":\"%s\"", rsa ? "RSA" : "EC");
    if (rsa) {
        put_number(out, key, OSSL_PKEY_PARAM_RSA_N, "n", 0);
        put_number(out, key, OSSL_PKEY_PARAM_RSA_E, "e", 0);
    } else {
        dt_buf_puts(out, ",\"crv\":\"P-256\"");
        put_number(out, key, OSSL_PKEY_PARAM_EC_PUB_X, "x", COORDINATE);
        put_number(out, key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", COORDINATE);
    }
    dt_buf_printf(out, "%s%s}", more[0] != '\0' ? "," : "", more);
}

/* ECDSA's DER as two numbers side by side (RFC 7518 section 3.4). */
static size_t raw_ecdsa(uint8_t *sig, size_t len)
{
    uint8_t const *p = sig;
    ECDSA_SIG *both = d2i_ECDSA_SIG(NULL, &p, (long)len);
    must(both != NULL);
    must(BN_bn2binpad(ECDSA_SIG_get0_r(both), sig, COORDINATE) == COORDINATE);
    must(BN_bn2binpad(ECDSA_SIG_get0_s(both), sig + COORDINATE, COORDINATE) == COORDINATE);
    ECDSA_SIG_free(both);
    return (size_t)2 * COORDINATE;
}

static size_t sign(EVP_PKEY *key, dt_bytes message, uint8_t sig[1024])
{
    static uint8_t const zeros[32];
    size_t len = 1024;
    unsigned n = 0;
    if (key == NULL) {
        must(HMAC(EVP_sha256(), zeros, sizeof(zeros), message.p, message.len, sig, &n) != NULL);
        return n;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    must(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
    must(EVP_DigestSign(ctx, sig, &len, message.p, message.len) == 1);
    EVP_MD_CTX_free(ctx);
    return EVP_PKEY_is_a(key, "RSA") ? len : raw_ecdsa(sig, len);
}

void jws_put_token(dt_buf *out, EVP_PKEY *key, char const *header, char const *claims)
{
    uint8_t sig[1024];
    size_t const start = out->len;
    dt_base64url_encode(out, dt_bytes_str(header));
    dt_buf_putc(out, '.');
    dt_base64url_encode(out, dt_bytes_str(claims));
    size_t const len = sign(key, dt_bytes_of(out->p + start, out->len - start), sig);
    dt_buf_putc(out, '.');
    dt_base64url_encode(out, dt_bytes_of(sig, len));
    must(dt_buf_error(out) == DT_OK);
}
