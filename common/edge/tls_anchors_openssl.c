/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates of a PEM file as OpenSSL wants them for a connection. */
#include "edge/tls_anchors.h"

#include "core/base/crypto.h"
#include "edge/file.h"
#include "edge/x509_internal.h"

#include <openssl/ssl.h>

#include <stdlib.h>
#include <string.h>

#define NAME_PREFIX "/dev/null/"

struct dt_tls_anchors {
    X509_STORE *store;
    dt_buf pem;
    char name[sizeof(NAME_PREFIX) + 2 * DT_SHA256_LEN];
};

/* As libcurl does with a file: any certificate of it ends a chain, not only a self-signed one. */
static bool fill(X509_STORE *store, STACK_OF(X509) const *certificates)
{
    bool ok = X509_STORE_set_flags(store, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN);

    for (int i = 0; ok && i < sk_X509_num(certificates); i++)
        ok = X509_STORE_add_cert(store, sk_X509_value(certificates, i)) == 1;
    return ok;
}

static int set_name(dt_bytes pem, dt_tls_anchors *a, dt_error *e)
{
    uint8_t digest[DT_SHA256_LEN];
    int rc = dt_crypto_sha256(pem, digest);

    if (rc < 0)
        return dt_error_set(e, rc, "cannot be hashed");
    memcpy(a->name, NAME_PREFIX, sizeof(NAME_PREFIX));
    dt_hex(a->name + sizeof(NAME_PREFIX) - 1, digest, sizeof(digest));
    return DT_OK;
}

static int parse(dt_bytes pem, dt_tls_anchors *a, dt_error *e)
{
    STACK_OF(X509) *certificates = sk_X509_new_null();
    int rc = DT_E_NOMEM;

    a->store = X509_STORE_new();
    if (certificates != NULL && a->store != NULL)
        rc = dt_pem_certificates(pem, certificates, DT_TLS_ANCHORS_MAX, e);
    if (rc == DT_OK && !fill(a->store, certificates))
        rc = DT_E_NOMEM;
    if (rc == DT_E_NOMEM)
        (void)dt_error_set(e, rc, "out of memory");
    sk_X509_pop_free(certificates, X509_free);
    return rc;
}

int dt_tls_anchors_read(char const *path, dt_tls_anchors **out, dt_error *e)
{
    dt_tls_anchors *a = calloc(1, sizeof(*a));
    int rc;

    *out = a;
    if (a == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    dt_buf_init(&a->pem, DT_TLS_ANCHORS_FILE_MAX);
    rc = dt_file_read(path, DT_FILE_TRUSTED, DT_TLS_ANCHORS_FILE_MAX, &a->pem, e);
    if (rc == DT_OK) {
        dt_openssl_enter();
        rc = parse(dt_buf_bytes(&a->pem), a, e);
        if (rc == DT_OK)
            rc = set_name(dt_buf_bytes(&a->pem), a, e);
        dt_openssl_leave();
        if (rc < 0)
            (void)dt_error_prefix(e, "%s", path);
    }
    if (rc < 0)
        dt_tls_anchors_free(out);
    return rc;
}

void dt_tls_anchors_free(dt_tls_anchors **a)
{
    if (*a == NULL)
        return;
    X509_STORE_free((*a)->store);
    dt_buf_free(&(*a)->pem);
    free(*a);
    *a = NULL;
}

char const *dt_tls_anchors_name(dt_tls_anchors const *a)
{
    return a->name;
}

dt_bytes dt_tls_anchors_pem(dt_tls_anchors const *a)
{
    return dt_buf_bytes(&a->pem);
}

void dt_tls_anchors_use(dt_tls_anchors const *a, void *ssl_ctx)
{
    SSL_CTX_set1_cert_store(ssl_ctx, a->store);
}
