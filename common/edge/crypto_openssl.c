/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cryptography port on OpenSSL's EVP interface. The algorithms are fetched once and kept for
 * the life of the process: an implicit fetch at each call takes a lock that all threads of a busy
 * server would meet at. */
#include "core/base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Most bytes that are sealed or opened in one go. */
#define DT_SEAL_MAX (1024 * 1024)

static pthread_once_t g_once = PTHREAD_ONCE_INIT;
static EVP_MD *g_sha256;
static EVP_CIPHER *g_aes_gcm;
static EVP_MAC *g_hmac;

static void fetch_algorithms(void)
{
    g_sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    g_aes_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    g_hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

int dt_crypto_sha256(dt_bytes in, uint8_t out[DT_SHA256_LEN])
{
    unsigned int len = 0;
    if (pthread_once(&g_once, fetch_algorithms) != 0 || g_sha256 == NULL)
        return DT_E_CRYPTO;
    if (EVP_Digest(in.len > 0 ? (void const *)in.p : "", in.len, out, &len, g_sha256, NULL) != 1)
        return DT_E_CRYPTO;
    return len == DT_SHA256_LEN ? 0 : DT_E_CRYPTO;
}

int dt_crypto_md5(dt_bytes text, dt_bytes secret, uint8_t out[DT_MD5_LEN])
{
    unsigned int len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return DT_E_NOMEM;
    bool ok = EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, text.p, text.len) == 1 &&
              EVP_DigestUpdate(ctx, secret.p, secret.len) == 1 &&
              EVP_DigestFinal_ex(ctx, out, &len) == 1;
    EVP_MD_CTX_free(ctx);
    return ok && len == DT_MD5_LEN ? 0 : DT_E_CRYPTO;
}

int dt_crypto_hmac_md5(dt_bytes secret, dt_bytes text, uint8_t out[DT_MD5_LEN])
{
    size_t len = 0;
    unsigned char *made = EVP_Q_mac(NULL, "HMAC", NULL, "MD5", NULL, secret.p, secret.len, text.p,
                                    text.len, out, DT_MD5_LEN, &len);
    return made != NULL && len == DT_MD5_LEN ? 0 : DT_E_CRYPTO;
}

int dt_crypto_hmac_sha256(dt_bytes key, dt_bytes in, uint8_t out[DT_SHA256_LEN])
{
    char digest[] = "SHA256";
    OSSL_PARAM const how[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    size_t len = 0;
    if (pthread_once(&g_once, fetch_algorithms) != 0 || g_hmac == NULL || key.len == 0)
        return DT_E_CRYPTO;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(g_hmac);
    bool made = ctx != NULL && EVP_MAC_init(ctx, key.p, key.len, how) == 1 &&
                (in.len == 0 || EVP_MAC_update(ctx, in.p, in.len) == 1) &&
                EVP_MAC_final(ctx, out, &len, DT_SHA256_LEN) == 1 && len == DT_SHA256_LEN;
    EVP_MAC_CTX_free(ctx);
    return made ? DT_OK : DT_E_CRYPTO;
}

/* Key, nonce and additional data into a fresh context: what sealing and opening share. */
static EVP_CIPHER_CTX *start(uint8_t const *key, uint8_t const *nonce, dt_bytes aad, int encrypt)
{
    int len = 0;
    if (pthread_once(&g_once, fetch_algorithms) != 0 || g_aes_gcm == NULL || aad.len > DT_SEAL_MAX)
        return NULL;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL)
        return NULL;
    /* GCM's nonce length is 12 bytes unless set otherwise. */
    if (EVP_CipherInit_ex2(ctx, g_aes_gcm, key, nonce, encrypt, NULL) == 1 &&
        (aad.len == 0 || EVP_CipherUpdate(ctx, NULL, &len, aad.p, (int)aad.len) == 1))
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

/* Runs the text through and ends; for opening, the tag has been set before, and only an end that
 * says 1 vouches for the text. */
static int run(EVP_CIPHER_CTX *ctx, dt_bytes in, uint8_t *out)
{
    int len = 0, rest = 0;
    if (in.len > 0 && EVP_CipherUpdate(ctx, out, &len, in.p, (int)in.len) != 1)
        return DT_E_CRYPTO;
    if (EVP_CipherFinal_ex(ctx, out + len, &rest) != 1)
        return DT_E_CRYPTO;
    return (size_t)len + (size_t)rest == in.len ? 0 : DT_E_CRYPTO;
}

int dt_crypto_seal(uint8_t const key[DT_AEAD_KEY_LEN], uint8_t const nonce[DT_AEAD_NONCE_LEN],
                   dt_bytes aad, dt_bytes plain, dt_buf *out)
{
    if (plain.len > DT_SEAL_MAX)
        return DT_E_LIMIT;
    uint8_t *sealed = malloc(plain.len + DT_AEAD_TAG_LEN);
    if (sealed == NULL)
        return DT_E_NOMEM;
    int rc = DT_E_CRYPTO;
    EVP_CIPHER_CTX *ctx = start(key, nonce, aad, 1);
    if (ctx == NULL || run(ctx, plain, sealed) != 0)
        goto out;
    if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, DT_AEAD_TAG_LEN, sealed + plain.len) != 1)
        goto out;
    dt_buf_put(out, sealed, plain.len + DT_AEAD_TAG_LEN);
    rc = dt_buf_error(out);
out:
    EVP_CIPHER_CTX_free(ctx);
    free(sealed);
    return rc;
}

int dt_crypto_open(uint8_t const key[DT_AEAD_KEY_LEN], uint8_t const nonce[DT_AEAD_NONCE_LEN],
                   dt_bytes aad, dt_bytes sealed, dt_buf *out)
{
    if (sealed.len < DT_AEAD_TAG_LEN)
        return DT_E_CRYPTO;
    if (sealed.len > DT_SEAL_MAX + DT_AEAD_TAG_LEN)
        return DT_E_LIMIT;
    dt_bytes text = {sealed.p, sealed.len - DT_AEAD_TAG_LEN};
    uint8_t tag[DT_AEAD_TAG_LEN];
    memcpy(tag, sealed.p + text.len, sizeof(tag));
    uint8_t *plain = malloc(text.len + 1);
    if (plain == NULL)
        return DT_E_NOMEM;
    int rc = DT_E_CRYPTO;
    EVP_CIPHER_CTX *ctx = start(key, nonce, aad, 0);
    if (ctx == NULL || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, DT_AEAD_TAG_LEN, tag) != 1 ||
        run(ctx, text, plain) != 0)
        goto out;
    dt_buf_put(out, plain, text.len);
    rc = dt_buf_error(out);
out:
    EVP_CIPHER_CTX_free(ctx);
    explicit_bzero(plain, text.len + 1);
    free(plain);
    return rc;
}
