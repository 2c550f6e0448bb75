/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The public key of a device certificate: is it good enough, is a signature valid, and how does
 * SSH write it. */
#include "edge/x509_internal.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>

#include <string.h>

#define DT_EC_FIELD_MAX 66 /* bytes of a P-521 coordinate */
#define DT_MPINT_MAX (DT_RSA_BITS_MAX / 8 + 1)

/* OpenSSL's name of a curve, and SSH's (RFC 5656 section 10.1). */
typedef struct curve {
    char const *name;
    char const *ssh;
    size_t field; /* bytes of a coordinate */
    dt_key_type type;
} curve;

static curve const *curve_of(EVP_PKEY *key)
{
    static curve const curves[] = {
        {"prime256v1", "nistp256", 32, DT_KEY_TYPE_P256},
        {"secp384r1", "nistp384", 48, DT_KEY_TYPE_P384},
        {"secp521r1", "nistp521", DT_EC_FIELD_MAX, DT_KEY_TYPE_P521},
    };
    char name[32];
    size_t len = 0;
    if (EVP_PKEY_get_group_name(key, name, sizeof(name), &len) != 1)
        return NULL;
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
        if (strcmp(curves[i].name, name) == 0)
            return &curves[i];
    }
    return NULL;
}

dt_key_kind dt_key_kind_of(EVP_PKEY *key)
{
    if (key == NULL)
        return DT_KEY_REFUSED;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: {
        int const bits = EVP_PKEY_get_bits(key);
        return bits >= DT_RSA_BITS_MIN && bits <= DT_RSA_BITS_MAX ? DT_KEY_RSA : DT_KEY_REFUSED;
    }
    case EVP_PKEY_EC:
        return curve_of(key) != NULL ? DT_KEY_EC : DT_KEY_REFUSED;
    case EVP_PKEY_ED25519:
        return DT_KEY_ED25519;
    default:
        return DT_KEY_REFUSED;
    }
}

unsigned dt_key_type_of(EVP_PKEY *key)
{
    switch (dt_key_kind_of(key)) {
    case DT_KEY_RSA:
        return DT_KEY_TYPE_RSA;
    case DT_KEY_EC:
        return curve_of(key)->type;
    case DT_KEY_ED25519:
        return DT_KEY_TYPE_ED25519;
    default:
        return 0;
    }
}

/* --- proof of possession ------------------------------------------------------------------- */

static bool signature_holds(EVP_PKEY *key, dt_bytes message, dt_bytes signature)
{
    dt_key_kind const kind = dt_key_kind_of(key);
    if (kind == DT_KEY_REFUSED || signature.len == 0)
        return false;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return false;
    /* Ed25519 brings its own hash (RFC 8032 section 5.1). RSA's padding is PKCS#1 v1.5 unless told
     * otherwise. */
    EVP_MD const *hash = kind == DT_KEY_ED25519 ? NULL : EVP_sha256();
    static uint8_t const empty[1];
    bool const holds = EVP_DigestVerifyInit(ctx, NULL, hash, NULL, key) == 1 &&
                       EVP_DigestVerify(ctx, signature.p, signature.len,
                                        message.len > 0 ? message.p : empty, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    return holds;
}

int dt_x509_verify(dt_bytes der, dt_bytes message, dt_bytes signature)
{
    dt_openssl_enter();
    X509 *x = NULL;
    int rc = dt_x509_parse_kept(der, &x, NULL) == 0 ? 0 : DT_E_CRYPTO;
    if (rc == 0 && !signature_holds(X509_get0_pubkey(x), message, signature))
        rc = DT_E_CRYPTO;
    X509_free(x);
    dt_openssl_leave();
    return rc;
}

/* --- SSH's form ---------------------------------------------------------------------------- */

/* RFC 4251 section 5, "string". */
static void put_string(dt_buf *out, void const *p, size_t len)
{
    uint8_t const n[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                          (uint8_t)len};
    dt_buf_put(out, n, sizeof(n));
    dt_buf_put(out, p, len);
}

/* RFC 4251 section 5, "mpint": big-endian, a zero byte before a set top bit. */
static int put_mpint(dt_buf *out, EVP_PKEY *key, char const *param)
{
    uint8_t bytes[DT_MPINT_MAX] = {0};
    BIGNUM *n = NULL;
    if (EVP_PKEY_get_bn_param(key, param, &n) != 1)
        return DT_E_CRYPTO;
    int const len = BN_num_bytes(n);
    bool const fits = len > 0 && (size_t)len < sizeof(bytes) && BN_bn2bin(n, bytes + 1) == len;
    BN_free(n);
    if (!fits)
        return DT_E_LIMIT;
    if (bytes[1] & 0x80)
        put_string(out, bytes, (size_t)len + 1);
    else
        put_string(out, bytes + 1, (size_t)len);
    return 0;
}

/* RFC 4253 section 6.6: "ssh-rsa", e, n. */
static int put_rsa(dt_buf *out, EVP_PKEY *key)
{
    put_string(out, "ssh-rsa", 7);
    int const rc = put_mpint(out, key, OSSL_PKEY_PARAM_RSA_E);
    return rc != 0 ? rc : put_mpint(out, key, OSSL_PKEY_PARAM_RSA_N);
}

static int coordinate(EVP_PKEY *key, char const *param, uint8_t *dst, size_t field)
{
    BIGNUM *n = NULL;
    if (EVP_PKEY_get_bn_param(key, param, &n) != 1)
        return DT_E_CRYPTO;
    int const len = BN_bn2binpad(n, dst, (int)field);
    BN_free(n);
    return len == (int)field ? 0 : DT_E_CRYPTO;
}

/* RFC 5656 section 3.1: type, curve, the point uncompressed, however the certificate writes it. */
static int put_ec(dt_buf *out, EVP_PKEY *key)
{
    curve const *c = curve_of(key);
    if (c == NULL)
        return DT_E_INVALID;
    uint8_t point[1 + 2 * DT_EC_FIELD_MAX] = {0x04};
    int rc = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, point + 1, c->field);
    if (rc == 0)
        rc = coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, point + 1 + c->field, c->field);
    if (rc != 0)
        return rc;
    char type[40];
    dt_buf t;
    dt_buf_init_fixed(&t, type, sizeof(type));
    dt_buf_puts(&t, "ecdsa-sha2-");
    dt_buf_puts(&t, c->ssh);
    put_string(out, type, t.len);
    put_string(out, c->ssh, strlen(c->ssh));
    put_string(out, point, 1 + 2 * c->field);
    return dt_buf_error(&t);
}

/* RFC 8709 section 4. */
static int put_ed25519(dt_buf *out, EVP_PKEY *key)
{
    uint8_t raw[32];
    size_t len = sizeof(raw);
    if (EVP_PKEY_get_raw_public_key(key, raw, &len) != 1 || len != sizeof(raw))
        return DT_E_CRYPTO;
    put_string(out, "ssh-ed25519", 11);
    put_string(out, raw, len);
    return 0;
}

static int put_key(dt_buf *out, EVP_PKEY *key)
{
    switch (dt_key_kind_of(key)) {
    case DT_KEY_RSA:
        return put_rsa(out, key);
    case DT_KEY_EC:
        return put_ec(out, key);
    case DT_KEY_ED25519:
        return put_ed25519(out, key);
    case DT_KEY_REFUSED:
        break;
    }
    return DT_E_INVALID;
}

int dt_x509_ssh_blob(dt_bytes der, dt_buf *out)
{
    dt_openssl_enter();
    X509 *x = NULL;
    int rc = dt_x509_parse_kept(der, &x, NULL);
    if (rc == 0)
        rc = put_key(out, X509_get0_pubkey(x));
    X509_free(x);
    dt_openssl_leave();
    return rc != 0 ? rc : dt_buf_error(out);
}
