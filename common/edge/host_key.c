/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This host's device key: loaded once from PEM, or found in a token or TPM at the first signature and
 * kept; then it signs the nonces that prove it is here. */
#include "edge/host_key.h"

#include "edge/file.h"
#include "edge/pkcs11.h"
#include "edge/tpm_openssl.h"
#include "edge/x509_internal.h"

#include <errno.h>
#include <limits.h>
#include <openssl/ecdsa.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DT_HOST_CHAIN_MAX 8 /* as many as a dt_sign_result carries */
#define PKCS11_PREFIX "pkcs11:"
#define HANDLE_PREFIX "handle:"
#define MODULE_MAX (256 * 1024 * 1024)
#define TSS2_BEGIN "-----BEGIN TSS2 PRIVATE KEY-----"

typedef struct der_copy {
    unsigned char *p;
    size_t len;
} der_copy;

_Static_assert(DT_SIGNATURE_MAX >= DT_ERROR_TEXT_MAX, "an error takes the signature's place");

struct dt_host_key {
    EVP_PKEY *key; /* of a file; else one of the next two */
    dt_pkcs11 *token;
    dt_tpm *tpm;
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
    dt_pkcs11_free(&(*k)->token);
    dt_tpm_free(&(*k)->tpm);
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

/* Takes the leaf, which stands first, and what follows it. */
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
        return dt_error_set(
            e, DT_E_CRYPTO,
            "the key is not RSA (2048 to 8192 bits), P-256, P-384, P-521 or Ed25519");
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

static int load_key(dt_host_key *k, char const *path, dt_error *e)
{
    dt_secret *pem = NULL;
    int rc = dt_file_read_secret(path, false, &pem, e);
    if (rc != 0)
        return rc;
    rc = dt_pem_private_key(dt_secret_bytes(pem), &k->key, e);
    dt_secret_free(&pem);
    if (rc != 0)
        (void)dt_error_prefix(e, "%s", path);
    return rc;
}

/* --- where the key is ------------------------------------------------------------------------- */

static bool starts_with(char const *text, char const *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A file that holds a key of a TPM, wrapped. */
static bool is_tss2_file(char const *path)
{
    dt_secret *pem = NULL;
    bool is = false;

    if (dt_file_read_secret(path, false, &pem, NULL) == 0) {
        dt_bytes const b = dt_secret_bytes(pem);
        size_t const len = sizeof(TSS2_BEGIN) - 1;

        is = b.len >= len && memcmp(b.p, TSS2_BEGIN, len) == 0;
    }
    dt_secret_free(&pem);
    return is;
}

static int read_pin(dt_config const *c, dt_secret **out, dt_error *e)
{
    *out = NULL;
    if (*c->device_trust.host_key_pin_file == '\0')
        return 0;
    int const rc = dt_file_read_secret(c->device_trust.host_key_pin_file, true, out, e);
    return rc < 0 ? dt_config_blame(c, "device_trust", "host_key_pin_file", e, rc) : rc;
}

static char const *name_of_key(dt_config const *c)
{
    return *c->device_trust.host_key != '\0' ? "host_key" : "host_key_file";
}

static int blame_key(dt_config const *c, int rc, dt_error *e)
{
    return rc < 0 ? dt_config_blame(c, "device_trust", name_of_key(c), e, rc) : rc;
}

/* What is loaded as a program is judged like any other file first. Distributions put links to modules
 * where they are looked for; what root's link leads to is judged, and loaded, in its place. */
static int check_module(dt_config const *c, char resolved[PATH_MAX], dt_error *e)
{
    char const *path = c->device_trust.pkcs11_module;
    struct stat st;
    int fd = -1, rc = DT_OK;

    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid != 0)
        rc = dt_error_set(e, DT_E_PERMISSION,
                          "%s is a symbolic link of uid %u; use the path that it points to", path,
                          (unsigned)st.st_uid);
    else if (realpath(path, resolved) == NULL)
        rc = dt_error_set(e, DT_E_NOT_FOUND, "%s: %s", path, strerror(errno));
    if (rc == DT_OK)
        rc = dt_file_open(resolved, DT_FILE_TRUSTED, MODULE_MAX, &fd, e);
    if (fd >= 0)
        close(fd);
    return rc < 0 ? dt_config_blame(c, "device_trust", "pkcs11_module", e, rc) : DT_OK;
}

/* UNAVAILABLE says that the module cannot be used; all else is about the URI. */
static int open_token(dt_host_key *k, dt_config const *c, char const *key, char const *module,
                      dt_secret **pin, dt_error *e)
{
    int const rc = dt_pkcs11_new(key, module, pin, &k->token, e);

    return rc == DT_E_UNAVAILABLE ? dt_config_blame(c, "device_trust", "pkcs11_module", e, rc)
                                  : blame_key(c, rc, e);
}

/* A key that is not in this process's memory. Which kind of key it is, the certificate says. */
static int open_device(dt_host_key *k, dt_config const *c, char const *key, X509 *leaf, dt_error *e)
{
    char module[PATH_MAX];
    dt_secret *pin = NULL;
    int rc = read_pin(c, &pin, e);

    k->kind = dt_key_kind_of(X509_get0_pubkey(leaf));
    if (rc == 0 && k->kind == DT_KEY_REFUSED)
        rc = dt_error_set(
            e, DT_E_CRYPTO,
            "the certificate's key is not RSA (2048 to 8192 bits), P-256, P-384, P-521 or Ed25519");
    if (rc == 0 && starts_with(key, PKCS11_PREFIX))
        rc = check_module(c, module, e);
    if (rc == 0 && starts_with(key, PKCS11_PREFIX))
        rc = open_token(k, c, key, module, &pin, e);
    else if (rc == 0)
        rc = blame_key(c, dt_tpm_new(key, c->device_trust.tpm_tcti, &pin, &k->tpm, e), e);
    dt_secret_free(&pin);
    return rc;
}

static int open_key(dt_host_key *k, dt_config const *c, char const *key, X509 *leaf, dt_error *e)
{
    if (starts_with(key, PKCS11_PREFIX) || starts_with(key, HANDLE_PREFIX) || is_tss2_file(key))
        return open_device(k, c, key, leaf, e);
    int rc = load_key(k, key, e);
    if (rc < 0)
        return blame_key(c, rc, e);
    rc = check_pair(k, leaf, e);
    if (rc < 0)
        (void)dt_error_prefix(e, "%s", key);
    if (rc < 0)
        (void)dt_config_blame(c, "device_trust", "host_certificate_file", e, rc);
    return rc;
}

static int open_host_key(dt_config const *c, char const *key, dt_host_key **out, dt_error *e)
{
    dt_openssl_enter();
    dt_host_key *k = calloc(1, sizeof(*k));
    STACK_OF(X509) *all = sk_X509_new_null();
    int rc = k != NULL && all != NULL ? 0 : dt_error_set(e, DT_E_NOMEM, "out of memory");
    if (rc == 0 && (rc = load_certificates(c->device_trust.host_certificate_file, all, e)) != 0)
        (void)dt_config_blame(c, "device_trust", "host_certificate_file", e, rc);
    if (rc == 0)
        rc = open_key(k, c, key, sk_X509_value(all, 0), e);
    if (rc == 0)
        rc = take_certificates(k, all, e);
    sk_X509_pop_free(all, X509_free);
    if (rc != 0)
        dt_host_key_free(&k);
    *out = k;
    dt_openssl_leave();
    return rc;
}

int dt_host_key_open(dt_config const *c, dt_host_key **out, dt_error *e)
{
    char const *key = *c->device_trust.host_key != '\0' ? c->device_trust.host_key
                                                        : c->device_trust.host_key_file;

    *out = NULL;
    if (*key == '\0' || *c->device_trust.host_certificate_file == '\0')
        return 0;
    return open_host_key(c, key, out, e);
}

bool dt_host_key_is_slow(dt_host_key const *k)
{
    return k != NULL && k->key == NULL;
}

/* --- signing ---------------------------------------------------------------------------------- */

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

/* A token's ECDSA signature, r and s one after the other, as DER. */
static bool ecdsa_der(uint8_t const *raw, size_t raw_len, uint8_t *out, size_t *len)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)(raw_len / 2), NULL);
    BIGNUM *t = BN_bin2bn(raw + raw_len / 2, (int)(raw_len / 2), NULL);
    int n = 0;

    if (raw_len > 0 && raw_len % 2 == 0 && sig != NULL && r != NULL && t != NULL &&
        ECDSA_SIG_set0(sig, r, t) == 1) {
        r = t = NULL;
        n = i2d_ECDSA_SIG(sig, NULL);
        n = n > 0 && (size_t)n <= *len ? i2d_ECDSA_SIG(sig, &out) : 0;
    }
    BN_free(r);
    BN_free(t);
    ECDSA_SIG_free(sig);
    *len = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static int token_sign(dt_host_key const *k, dt_bytes message, uint8_t *storage, size_t *len,
                      dt_error *e)
{
    uint8_t raw[DT_SIGNATURE_MAX], digest[32];
    size_t raw_len = sizeof(raw);
    int rc;

    if (k->kind != DT_KEY_EC)
        return dt_pkcs11_sign(k->token,
                              k->kind == DT_KEY_RSA ? DT_PKCS11_RSA_SHA256 : DT_PKCS11_EDDSA,
                              message, storage, len, e);
    if (EVP_Digest(message.p, message.len, digest, NULL, EVP_sha256(), NULL) != 1)
        return dt_error_set(e, DT_E_CRYPTO, "SHA-256 is not available");
    rc = dt_pkcs11_sign(k->token, DT_PKCS11_ECDSA, dt_bytes_of(digest, sizeof(digest)), raw,
                        &raw_len, e);
    if (rc == 0 && !ecdsa_der(raw, raw_len, storage, len))
        rc = dt_error_set(e, DT_E_CRYPTO, "the PKCS#11 token returned no ECDSA signature");
    return rc;
}

static int sign_with(dt_host_key const *k, dt_bytes message, uint8_t *storage, size_t *len,
                     dt_error *e)
{
    *len = DT_SIGNATURE_MAX;
    if (k->token != NULL)
        return token_sign(k, message, storage, len, e);
    if (k->tpm != NULL)
        return dt_tpm_sign(k->tpm, message, storage, len, e);
    if (make_signature(k, message, storage, len))
        return 0;
    return dt_error_set(e, DT_E_CRYPTO, "the host key could not sign");
}

void dt_host_key_sign(dt_host_key const *k, dt_sign_request const *r, uint8_t *storage,
                      dt_sign_result *out)
{
    dt_error e = {0};
    size_t len = 0;

    *out = (dt_sign_result){.error = DT_E_NOT_FOUND, .text = "no host certificate is configured"};
    if (k == NULL)
        return;
    dt_openssl_enter();
    int const rc = sign_with(k, dt_bytes_of(r->nonce, sizeof(r->nonce)), storage, &len, &e);
    dt_openssl_leave();
    if (rc < 0) {
        memcpy(storage, e.text, sizeof(e.text));
        /* Not found is said where no key is configured, and means another thing. */
        out->error = rc == DT_E_NOT_FOUND ? DT_E_UNAVAILABLE : rc;
        out->text = (char const *)storage;
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
