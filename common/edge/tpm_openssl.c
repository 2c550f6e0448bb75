/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TPM keys in a library context of their own: the provider and its property query do not get into
 * anybody else's OpenSSL. */
#include "edge/tpm_openssl.h"

#include "edge/x509_internal.h"

#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include <stdlib.h>
#include <string.h>

#define PROPERTIES "?provider=tpm2"
#define TCTI_VARIABLE "TPM2OPENSSL_TCTI"

struct dt_tpm {
    char uri[DT_TPM_URI_MAX];
    dt_secret *pin;
    OSSL_LIB_CTX *context; /* NULL while nothing is open */
    OSSL_PROVIDER *tpm, *plain;
    EVP_PKEY *key;
};

/* So it is at every load of the configuration but the first: then there are threads. */
static bool is_set(char const *tcti)
{
    char const *now = getenv(TCTI_VARIABLE);

    return now != NULL && strcmp(now, tcti) == 0;
}

int dt_tpm_new(char const *uri, char const *tcti, dt_secret **pin, dt_tpm **out, dt_error *e)
{
    dt_tpm *k = calloc(1, sizeof(*k));

    *out = NULL;
    if (k == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    /* The provider takes it from nowhere else: what its configuration section says is not read
     * (tpm2-openssl 1.1.1). */
    if (dt_str_copy(k->uri, sizeof(k->uri), uri) < 0 ||
        (tcti[0] != '\0' && !is_set(tcti) && setenv(TCTI_VARIABLE, tcti, 1) != 0)) {
        free(k);
        return dt_error_set(e, DT_E_LIMIT, "the TPM key's handle or tpm_tcti is too long");
    }
    k->pin = *pin;
    *pin = NULL;
    *out = k;
    return DT_OK;
}

static void close_all(dt_tpm *k)
{
    EVP_PKEY_free(k->key);
    if (k->tpm != NULL)
        OSSL_PROVIDER_unload(k->tpm);
    if (k->plain != NULL)
        OSSL_PROVIDER_unload(k->plain);
    OSSL_LIB_CTX_free(k->context);
    k->key = NULL;
    k->tpm = k->plain = NULL;
    k->context = NULL;
}

void dt_tpm_free(dt_tpm **k)
{
    if (*k == NULL)
        return;
    close_all(*k);
    dt_secret_free(&(*k)->pin);
    free(*k);
    *k = NULL;
}

static int unavailable(char const *what, dt_error *e)
{
    char text[256] = "";
    unsigned long const code = ERR_peek_last_error();

    if (code != 0)
        ERR_error_string_n(code, text, sizeof(text));
    return dt_error_set(e, DT_E_UNAVAILABLE, "TPM: %s%s%s", what, text[0] != '\0' ? ": " : "",
                        text);
}

/* The key's authorization, when the provider asks for it. Nobody is ever asked at a terminal. */
static int give_pin(char *buf, int size, int rwflag, void *ctx)
{
    dt_tpm const *k = ctx;
    dt_bytes const pin = dt_secret_bytes(k->pin);

    (void)rwflag;
    if (k->pin == NULL || size < 0 || pin.len > (size_t)size)
        return -1;
    memcpy(buf, pin.p, pin.len);
    return (int)pin.len;
}

static EVP_PKEY *load_from(OSSL_STORE_CTX *store)
{
    EVP_PKEY *key = NULL;

    for (int i = 0; i < 8 && key == NULL && !OSSL_STORE_eof(store); i++) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (info != NULL && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    return key;
}

static int load_key(dt_tpm *k, dt_error *e)
{
    UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(give_pin, 0);
    OSSL_STORE_CTX *store = NULL;

    if (ui != NULL)
        store = OSSL_STORE_open_ex(k->uri, k->context, PROPERTIES, ui, k, NULL, NULL, NULL);
    if (store != NULL)
        k->key = load_from(store);
    OSSL_STORE_close(store);
    UI_destroy_method(ui);
    return k->key != NULL ? DT_OK : unavailable("the key of host_key cannot be loaded", e);
}

static int open_all(dt_tpm *k, dt_error *e)
{
    k->context = OSSL_LIB_CTX_new();
    if (k->context == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    k->plain = OSSL_PROVIDER_load(k->context, "default");
    k->tpm = OSSL_PROVIDER_load(k->context, "tpm2");
    if (k->plain == NULL || k->tpm == NULL)
        return unavailable("OpenSSL's provider tpm2 cannot be loaded, or cannot reach the TPM "
                           "(package tpm2-openssl; tpm_tcti; the group tss)",
                           e);
    return load_key(k, e);
}

static int sign_once(dt_tpm *k, dt_bytes message, uint8_t *out, size_t *len, dt_error *e)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool const made =
        ctx != NULL &&
        EVP_DigestSignInit_ex(ctx, NULL, "SHA256", k->context, PROPERTIES, k->key, NULL) == 1 &&
        EVP_DigestSign(ctx, out, len, message.p, message.len) == 1;

    EVP_MD_CTX_free(ctx);
    return made ? DT_OK : unavailable("no signature", e);
}

static int try_sign(dt_tpm *k, dt_bytes message, uint8_t *out, size_t *len, dt_error *e)
{
    int rc = k->key != NULL ? DT_OK : open_all(k, e);

    if (rc == DT_OK)
        rc = sign_once(k, message, out, len, e);
    if (rc < 0)
        close_all(k);
    return rc;
}

int dt_tpm_sign(dt_tpm *k, dt_bytes message, uint8_t *out, size_t *len, dt_error *e)
{
    size_t const room = *len;
    bool const was_open = k->key != NULL;

    dt_openssl_enter();
    int rc = try_sign(k, message, out, len, e);

    if (rc < 0 && was_open) { /* the connection to it may have been lost since */
        *len = room;
        if (e != NULL)
            *e = (dt_error){0};
        rc = try_sign(k, message, out, len, e);
    }
    dt_openssl_leave();
    return rc;
}
