/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cryptography port's signatures by keys that come as numbers, on OpenSSL. */
#include "core/base/crypto.h"
#include "edge/x509_internal.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <string.h>

static EVP_PKEY *key_from(char const *type, OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *key_rsa(dt_public_key const *k)
{
    BIGNUM *n = BN_bin2bn(k->modulus.p, (int)k->modulus.len, NULL);
    BIGNUM *e = BN_bin2bn(k->exponent.p, (int)k->exponent.len, NULL);
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (n != NULL && e != NULL && b != NULL &&
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(b);
    if (params != NULL)
        key = key_from("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    BN_free(e);
    BN_free(n);
    return key;
}

static EVP_PKEY *key_ec(dt_public_key const *k, char const *group)
{
    OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (b != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, k->point.p, k->point.len) == 1)
        params = OSSL_PARAM_BLD_to_param(b);
    if (params != NULL)
        key = key_from("EC", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(b);
    return key;
}

static EVP_PKEY *key_of(dt_public_key const *k)
{
    switch (k->algorithm) {
    case DT_KEY_ALG_RSA:
        return key_rsa(k);
    case DT_KEY_ALG_P256:
        return key_ec(k, "prime256v1");
    case DT_KEY_ALG_P384:
        return key_ec(k, "secp384r1");
    case DT_KEY_ALG_P521:
        return key_ec(k, "secp521r1");
    case DT_KEY_ALG_ED25519:
        return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->point.p, k->point.len);
    case DT_KEY_ALG_NONE:
        break;
    }
    return NULL;
}

static EVP_MD const *hash_of(dt_key_algorithm a, unsigned hash, bool *known)
{
    *known = true;
    if (a == DT_KEY_ALG_ED25519)
        return NULL;
    switch (hash) {
    case 256:
        return EVP_sha256();
    case 384:
        return EVP_sha384();
    case 512:
        return EVP_sha512();
    default:
        *known = false;
        return NULL;
    }
}

/* ECDSA's two numbers as DER, into `out`; 0 when it cannot be done. */
static size_t ecdsa_der(dt_raw_signature const *s, uint8_t *out, size_t size)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(s->r.p, (int)s->r.len, NULL);
    BIGNUM *t = BN_bin2bn(s->s.p, (int)s->s.len, NULL);
    int len = 0;

    if (sig != NULL && r != NULL && t != NULL && ECDSA_SIG_set0(sig, r, t) == 1) {
        r = t = NULL;
        len = i2d_ECDSA_SIG(sig, NULL);
        len = len > 0 && (size_t)len <= size ? i2d_ECDSA_SIG(sig, &out) : 0;
    }
    BN_free(r);
    BN_free(t);
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

/* The signature as OpenSSL wants it. RSA's is as long as the modulus; zeros at its front may be
 * missing on the wire. */
static size_t signature_bytes(EVP_PKEY *key, dt_public_key const *k, dt_raw_signature const *s,
                              uint8_t *out, size_t size)
{
    if (k->algorithm != DT_KEY_ALG_RSA && k->algorithm != DT_KEY_ALG_ED25519)
        return ecdsa_der(s, out, size);
    int const whole = k->algorithm == DT_KEY_ALG_RSA ? EVP_PKEY_get_size(key) : (int)s->value.len;
    size_t const len = whole > 0 ? (size_t)whole : 0;

    if (len == 0 || len > size || s->value.len > len)
        return 0;
    memset(out, 0, len - s->value.len);
    memcpy(out + (len - s->value.len), s->value.p, s->value.len);
    return len;
}

static bool signature_is_valid(EVP_PKEY *key, EVP_MD const *hash, dt_bytes message,
                               uint8_t const *sig, size_t len)
{
    static uint8_t const empty[1];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool const good =
        ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, hash, NULL, key) == 1 &&
        EVP_DigestVerify(ctx, sig, len, message.len > 0 ? message.p : empty, message.len) == 1;

    EVP_MD_CTX_free(ctx);
    return good;
}

int dt_crypto_verify(dt_public_key const *k, unsigned hash, dt_bytes message,
                     dt_raw_signature const *signature)
{
    uint8_t sig[DT_RSA_BITS_MAX / 8];
    bool known;

    dt_openssl_enter();
    EVP_MD const *md = hash_of(k->algorithm, hash, &known);
    EVP_PKEY *key = known ? key_of(k) : NULL;
    size_t const len = key != NULL ? signature_bytes(key, k, signature, sig, sizeof(sig)) : 0;
    bool const good = len > 0 && signature_is_valid(key, md, message, sig, len);

    EVP_PKEY_free(key);
    dt_openssl_leave();
    return good ? DT_OK : DT_E_CRYPTO;
}
