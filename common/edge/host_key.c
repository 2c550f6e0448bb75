/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This host's device key: loaded once from PEM, then signs the nonces that prove it is here. */
#include "edge/host_key.h"

#include "edge/file.h"
#include "edge/x509_internal.h"

#include <stdlib.h>
#include <string.h>

#define DT_HOST_CHAIN_MAX 8 /* as many as a dt_sign_result carries */

typedef struct der_copy {
    unsigned char *p;
    size_t len;
} der_copy;

struct dt_host_key {
    EVP_PKEY *key;
    dt_key_kind kind;
    der_copy certificate;
    der_copy chain[DT_HOST_CHAIN_MAX];
    size_t chain_count;
};

void dt_host_key_free(dt_host_key **k)
{
    if (*k == NULL)
        return;
    EVP_PKEY_free((*k)->key);
    OPENSSL_free((*k)->certificate.p);
    for (size_t i = 0; i < (*k)->chain_count; i++)
        OPENSSL_free((*k)->chain[i].p);
    free(*k);
    *k = NULL;
}

static int copy_der(X509 *x, der_copy *out)
{
    int const len = i2d_X509(x, &out->p);
    if (len <= 0)
        return DT_E_NOMEM;
    out->len = (size_t)len;
    return 0;
}

/* Takes the leaf, which stands first, and what stands behind it. */
static int take_certificates(dt_host_key *k, STACK_OF(X509) *all, dt_error *e)
{
    int rc = copy_der(sk_X509_value(all, 0), &k->certificate);
    for (int i = 1; rc == 0 && i < sk_X509_num(all); i++) {
        rc = copy_der(sk_X509_value(all, i), &k->chain[k->chain_count]);
        if (rc == 0)
            k->chain_count++;
    }
    return rc == 0 ? 0 : dt_error_set(e, rc, "out of memory");
}

static int check_pair(dt_host_key *k, X509 *leaf, dt_error *e)
{
    k->kind = dt_key_kind_of(k->key);
    if (k->kind == DT_KEY_REFUSED)
        return dt_error_set(e, DT_E_CRYPTO,
                            "the key is none of RSA 2048 to 8192, P-256, P-384, P-521, Ed25519");
    EVP_PKEY *theirs = X509_get0_pubkey(leaf);
    if (theirs == NULL || EVP_PKEY_eq(theirs, k->key) != 1)
        return dt_error_set(e, DT_E_CRYPTO,
                            "the key does not belong to the first certificate of the "
                            "certificate file");
    return 0;
}

static int load_certificates(char const *path, STACK_OF(X509) *all, dt_error *e)
{
    dt_buf pem;
    dt_buf_init(&pem, DT_PEM_MAX);
    int rc = dt_file_read(path, DT_FILE_TRUSTED, DT_PEM_MAX, &pem, e);
    if (rc == 0) {
        rc = dt_pem_certificates(dt_buf_bytes(&pem), all, 1 + DT_HOST_CHAIN_MAX, e);
        if (rc != 0)
            (void)dt_error_prefix(e, "%s", path);
    }
    dt_buf_free(&pem);
    return rc;
}

static int load_key(dt_host_key *k, char const *path, X509 *leaf, dt_error *e)
{
    dt_secret *pem = NULL;
    int rc = dt_file_read_secret(path, false, &pem, e);
    if (rc != 0)
        return rc;
    rc = dt_pem_private_key(dt_secret_bytes(pem), &k->key, e);
    dt_secret_free(&pem);
    if (rc == 0)
        rc = check_pair(k, leaf, e);
    if (rc != 0)
        (void)dt_error_prefix(e, "%s", path);
    return rc;
}

int dt_host_key_load(char const *certificate_file, char const *key_file, dt_host_key **out,
                     dt_error *e)
{
    *out = NULL;
    dt_openssl_enter();
    dt_host_key *k = calloc(1, sizeof(*k));
    STACK_OF(X509) *all = sk_X509_new_null();
    int rc = k != NULL && all != NULL ? 0 : dt_error_set(e, DT_E_NOMEM, "out of memory");
    if (rc == 0)
        rc = load_certificates(certificate_file, all, e);
    if (rc == 0)
        rc = load_key(k, key_file, sk_X509_value(all, 0), e);
    if (rc == 0)
        rc = take_certificates(k, all, e);
    sk_X509_pop_free(all, X509_free);
    if (rc != 0)
        dt_host_key_free(&k);
    *out = k;
    dt_openssl_leave();
    return rc;
}

/* The counterpart of dt_x509_verify. */
static bool make_signature(dt_host_key const *k, dt_bytes message, uint8_t *storage, size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return false;
    EVP_MD const *hash = k->kind == DT_KEY_ED25519 ? NULL : EVP_sha256();
    *len = DT_SIGNATURE_MAX;
    bool const made = EVP_DigestSignInit(ctx, NULL, hash, NULL, k->key) == 1 &&
                      EVP_DigestSign(ctx, storage, len, message.p, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    return made;
}

void dt_host_key_sign(dt_host_key const *k, dt_sign_request const *r, uint8_t *storage,
                      dt_sign_result *out)
{
    *out = (dt_sign_result){.error = DT_E_NOT_FOUND, .text = "no host certificate is configured"};
    if (k == NULL)
        return;
    dt_openssl_enter();
    size_t len = 0;
    bool const made = make_signature(k, dt_bytes_of(r->nonce, sizeof(r->nonce)), storage, &len);
    dt_openssl_leave();
    if (!made) {
        out->error = DT_E_CRYPTO;
        out->text = "the host key could not sign";
        return;
    }
    out->error = 0;
    out->text = "";
    out->signature = dt_bytes_of(storage, len);
    out->certificate = dt_bytes_of(k->certificate.p, k->certificate.len);
    for (size_t i = 0; i < k->chain_count; i++)
        out->chain[i] = dt_bytes_of(k->chain[i].p, k->chain[i].len);
    out->chain_count = k->chain_count;
}
