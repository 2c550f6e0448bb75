/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pki.h. */
#include "tests/unit/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PKI_FILE_MAX (1024 * 1024)

static char g_dir[PATH_MAX];
static bool g_ours;
static dt_json *g_index;

static char const *environment(char const *name, char const *fallback)
{
    char const *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : fallback;
}

static void run(char const *fmt, ...) __attribute__((format(printf, 1, 2)));
static void run(char const *fmt, ...)
{
    char command[3 * PATH_MAX];
    va_list args;
    va_start(args, fmt);
    int const len = vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    assert_true(len > 0 && len < (int)sizeof(command));
    assert_int_equal(system(command), 0);
}

char const *pki_dir(void)
{
    if (g_dir[0] != '\0')
        return g_dir;
    if (getenv("DEVTRUST_PKI") != NULL) {
        assert_int_equal(dt_str_copy(g_dir, sizeof(g_dir), getenv("DEVTRUST_PKI")), 0);
        return g_dir;
    }
    int const len =
        snprintf(g_dir, sizeof(g_dir), "%s/pki-XXXXXX", environment("DEVTRUST_BUILD", "/tmp"));
    assert_true(len > 0 && len < (int)sizeof(g_dir));
    assert_non_null(mkdtemp(g_dir));
    g_ours = true;
    run("PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 '%s/tests/pki/pki.py' --out '%s' >/dev/null",
        environment("DEVTRUST_ROOT", "."), g_dir);
    return g_dir;
}

void pki_forget(void)
{
    if (g_ours)
        run("rm -rf '%s'", g_dir);
    g_ours = false;
    g_dir[0] = '\0';
    dt_json_free(&g_index);
}

static void path_of(char const *path, char out[PATH_MAX])
{
    int const len = path[0] == '/' ? snprintf(out, PATH_MAX, "%s", path)
                                   : snprintf(out, PATH_MAX, "%s/%s", pki_dir(), path);
    assert_true(len > 0 && len < PATH_MAX);
}

void pki_read(char const *path, dt_buf *out)
{
    char full[PATH_MAX], chunk[4096];
    path_of(path, full);
    FILE *f = fopen(full, "rb");
    if (f == NULL)
        fail_msg("cannot read %s", full);
    size_t n;
    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
        dt_buf_put(out, chunk, n);
    fclose(f);
    assert_int_equal(dt_buf_error(out), 0);
}

void pki_write(char const *path, dt_bytes text, unsigned mode)
{
    char full[PATH_MAX];
    path_of(path, full);
    int const fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, text.p, text.len), text.len);
    assert_int_equal(close(fd), 0);
}

dt_json const *pki_index(void)
{
    if (g_index != NULL)
        return g_index;
    dt_buf text;
    dt_buf_init(&text, PKI_FILE_MAX);
    pki_read("index.json", &text);
    assert_int_equal(dt_json_parse(dt_buf_bytes(&text), &g_index, NULL), 0);
    dt_buf_free(&text);
    return g_index;
}

/* --- single certificates ------------------------------------------------------------------- */

EVP_PKEY *cert_key(char const *kind)
{
    EVP_PKEY *key = NULL;
    if (strcmp(kind, "ed25519") == 0 || strcmp(kind, "ed448") == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
    } else if (strcmp(kind, "rsa-pss") == 0) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, NULL);
        assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
        assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
        assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
        EVP_PKEY_CTX_free(ctx);
    } else if (strncmp(kind, "rsa", 3) == 0) {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)atoi(kind + 3));
    } else {
        key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
    }
    assert_non_null(key);
    return key;
}

static void add_entry(X509_NAME *name, int nid, char const *text, int len)
{
    unsigned char const *bytes = (unsigned char const *)text;
    assert_int_equal(X509_NAME_add_entry_by_NID(name, nid, V_ASN1_UTF8STRING, bytes, len, -1, 0),
                     1);
}

static void set_subject(X509 *x, cert_spec const *spec)
{
    X509_NAME *name = X509_NAME_new();
    assert_non_null(name);
    if (spec->cn != NULL)
        add_entry(name, NID_commonName, spec->cn, spec->cn_len > 0 ? (int)spec->cn_len : -1);
    if (spec->cn2 != NULL)
        add_entry(name, NID_commonName, spec->cn2, -1);
    if (spec->serial_number != NULL)
        add_entry(name, NID_serialNumber, spec->serial_number, -1);
    assert_int_equal(X509_set_subject_name(x, name), 1);
    if (spec->issuer == NULL)
        assert_int_equal(X509_set_issuer_name(x, name), 1);
    else
        assert_int_equal(X509_set_issuer_name(x, X509_get_subject_name(spec->issuer)), 1);
    X509_NAME_free(name);
}

static void set_times(X509 *x, cert_spec const *spec)
{
    bool const given = spec->starts != 0 || spec->ends != 0;
    long const starts = given ? spec->starts : -86400L, ends = given ? spec->ends : 31536000L;
    assert_non_null(ASN1_TIME_set(X509_getm_notBefore(x), CERT_NOW + starts));
    assert_non_null(ASN1_TIME_set(X509_getm_notAfter(x), CERT_NOW + ends));
}

static void set_extensions(X509 *x, cert_spec const *spec)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, spec->issuer != NULL ? spec->issuer : x, x, NULL, NULL, 0);
    for (size_t i = 0; i < CERT_EXTENSIONS_MAX && spec->extensions[i].name != NULL; i++) {
        cert_extension const *e = &spec->extensions[i];
        X509_EXTENSION *made = X509V3_EXT_nconf(NULL, &ctx, e->name, e->value);
        if (made == NULL)
            fail_msg("cannot make the extension %s=%s", e->name, e->value);
        assert_int_equal(X509_add_ext(x, made, -1), 1);
        X509_EXTENSION_free(made);
    }
}

/* Signs it again as version 1, extensions and all, which X509_sign of OpenSSL 3.5 would make version 3. */
static void sign_as_version1(X509 *x, EVP_PKEY *signer, EVP_MD const *hash)
{
    assert_int_equal(X509_set_version(x, X509_VERSION_1), 1);
    unsigned char *tbs = NULL, signature[1024];
    int const len = i2d_re_X509_tbs(x, &tbs);
    assert_true(len > 0);
    size_t signature_len = sizeof(signature);
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(digest, NULL, hash, NULL, signer), 1);
    assert_int_equal(EVP_DigestSign(digest, signature, &signature_len, tbs, (size_t)len), 1);
    EVP_MD_CTX_free(digest);
    OPENSSL_free(tbs);
    ASN1_BIT_STRING const *there = NULL;
    X509_get0_signature(&there, NULL, x);
    assert_int_equal(
        ASN1_STRING_set((ASN1_BIT_STRING *)(uintptr_t)there, signature, (int)signature_len), 1);
    assert_int_equal(X509_get_version(x), X509_VERSION_1);
}

X509 *cert_make(cert_spec const *spec)
{
    static long serial = 0x1000;
    X509 *x = X509_new();
    assert_non_null(x);
    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial), 1);
    assert_int_equal(X509_set_pubkey(x, spec->key), 1);
    set_subject(x, spec);
    set_times(x, spec);
    set_extensions(x, spec);
    EVP_PKEY *signer = spec->issuer_key != NULL ? spec->issuer_key : spec->key;
    EVP_MD const *hash = spec->hash != NULL ? spec->hash : EVP_sha256();
    int const id = EVP_PKEY_get_base_id(signer);
    bool const own_hash = id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448;
    assert_true(X509_sign(x, signer, own_hash ? NULL : hash) > 0);
    if (spec->version1)
        sign_as_version1(x, signer, own_hash ? NULL : hash);
    return x;
}

void cert_der(X509 *x, dt_buf *out)
{
    unsigned char *der = NULL;
    int const len = i2d_X509(x, &der);
    assert_true(len > 0);
    dt_buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
    assert_int_equal(dt_buf_error(out), 0);
}

static void take_text(BIO *mem, dt_buf *out)
{
    char *text = NULL;
    long const len = BIO_get_mem_data(mem, &text);
    assert_true(len > 0);
    dt_buf_put(out, text, (size_t)len);
    BIO_free(mem);
    assert_int_equal(dt_buf_error(out), 0);
}

void cert_pem(X509 *x, dt_buf *out)
{
    BIO *mem = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(mem, x), 1);
    take_text(mem, out);
}

void key_pem(EVP_PKEY *key, dt_buf *out)
{
    BIO *mem = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(mem, key, NULL, NULL, 0, NULL, NULL), 1);
    take_text(mem, out);
}
