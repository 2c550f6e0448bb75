/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes certificates in two ways, told apart by the first byte. Raw: the input is the certificate,
 * which must never be trusted, for the fuzzer has no CA's key. Signed: the input becomes names and
 * extensions of a certificate that a trusted CA signs, so that everything behind the signature is
 * reached; trusted then are only certificates that name one device and no other tenant. */
#include "core/device/x509.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size);

#define NOW 1750000000L
#define TENANT "01234567-89ab-4def-8edc-ba9876543210"

static EVP_PKEY *g_key;
static X509 *g_ca;
static dt_trust_store *g_anchors;
static dt_guid g_tenant;

static void need(bool ok)
{
    if (!ok)
        abort();
}

static void add_extension(X509 *x, char const *oid, bool critical, uint8_t const *p, size_t len)
{
    ASN1_OBJECT *object = OBJ_txt2obj(oid, 0);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    need(object != NULL && value != NULL);
    need(ASN1_OCTET_STRING_set(value, p, (int)len) == 1);
    X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, object, critical, value);
    need(e != NULL && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(object);
}

static X509 *new_certificate(uint8_t const *cn, size_t len, int type)
{
    X509 *x = X509_new();
    need(x != NULL && X509_set_version(x, X509_VERSION_3) == 1);
    need(ASN1_INTEGER_set(X509_get_serialNumber(x), 7) == 1 && X509_set_pubkey(x, g_key) == 1);
    need(ASN1_TIME_set(X509_getm_notBefore(x), NOW - 1000) != NULL);
    need(ASN1_TIME_set(X509_getm_notAfter(x), NOW + 1000) != NULL);
    /* Some types refuse some texts; the certificate then has no subject. */
    (void)X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, type, cn, (int)len,
                                     -1, 0);
    return x;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    static uint8_t const constraints[] = {0x30, 0x03, 0x01, 0x01, 0xff};
    static uint8_t const usage[] = {0x03, 0x02, 0x02, 0x04};
    dt_buf pem;
    g_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    need(g_key != NULL);
    g_ca = new_certificate((uint8_t const *)"CA", 2, V_ASN1_UTF8STRING);
    need(X509_set_issuer_name(g_ca, X509_get_subject_name(g_ca)) == 1);
    add_extension(g_ca, "2.5.29.19", true, constraints, sizeof(constraints));
    add_extension(g_ca, "2.5.29.15", true, usage, sizeof(usage));
    need(X509_sign(g_ca, g_key, EVP_sha256()) > 0);

    unsigned char *der = NULL;
    int const len = i2d_X509(g_ca, &der);
    dt_buf_init(&pem, 65536);
    dt_buf_puts(&pem, "-----BEGIN CERTIFICATE-----\n");
    dt_buf body;
    dt_buf_init(&body, 65536);
    dt_base64_encode(&body, dt_bytes_of(der, (size_t)len));
    for (size_t i = 0; i < body.len; i += 64) {
        dt_buf_put(&pem, body.p + i, body.len - i < 64 ? body.len - i : 64);
        dt_buf_putc(&pem, '\n');
    }
    dt_buf_puts(&pem, "-----END CERTIFICATE-----\n");
    need(dt_trust_store_new(&g_anchors) == 0);
    need(dt_trust_store_add_pem(g_anchors, dt_buf_bytes(&pem), false, NULL) == 0);
    need(dt_guid_parse(dt_bytes_str(TENANT), &g_tenant) == 0);
    dt_buf_free(&pem);
    dt_buf_free(&body);
    OPENSSL_free(der);
    return 0;
}

static dt_reason judge(dt_bytes der, dt_certificate *c)
{
    dt_error e = {0};
    dt_reason const reason = dt_x509_judge(g_anchors, der, NULL, 0, &g_tenant, NOW * 1000, c, &e);
    need((reason == DT_REASON_TRUSTED) == (e.text[0] == '\0'));
    for (char const *p = e.text; *p != '\0'; p++)
        need((unsigned char)*p >= 0x20 && *p != 0x7f);
    return reason;
}

static void try_raw(dt_bytes der)
{
    dt_certificate c;
    dt_buf blob;
    need(judge(der, &c) != DT_REASON_TRUSTED);
    int const read = dt_x509_read(der, &c, NULL);
    need(read == 0 || read == DT_E_PARSE || read == DT_E_LIMIT);
    dt_buf_init(&blob, 65536);
    int const made = dt_x509_ssh_blob(der, &blob);
    need(made == 0 || read != 0 || made == DT_E_INVALID || made == DT_E_CRYPTO);
    need((made == 0) == (blob.len > 0) || made == DT_E_CRYPTO);
    dt_buf_free(&blob);
    need(dt_x509_verify(der, dt_bytes_str("nonce"), dt_bytes_str("signature")) != 0);
}

/* Takes a field: one byte of length, then that many bytes or what is left. */
static dt_bytes take(dt_bytes *rest)
{
    if (rest->len == 0)
        return (dt_bytes){0};
    size_t const want = rest->p[0], have = rest->len - 1;
    dt_bytes const field = dt_bytes_of(rest->p + 1, want < have ? want : have);
    *rest = dt_bytes_of(field.p + field.len, have - field.len);
    return field;
}

static void try_signed(uint8_t how, dt_bytes rest)
{
    static uint8_t const usage[] = {0x03, 0x02, 0x07, 0x80};
    static uint8_t const client[] = {0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06,
                                     0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
    static int const types[] = {V_ASN1_UTF8STRING, V_ASN1_PRINTABLESTRING, V_ASN1_BMPSTRING,
                                V_ASN1_T61STRING};
    static char const *const oids[] = {"2.5.29.17", "1.2.840.113556.5.4", "1.2.840.113556.5.14",
                                       "1.2.840.113556.5.14"};
    dt_bytes const cn = take(&rest);
    X509 *x = new_certificate(cn.len > 0 ? cn.p : (uint8_t const *)"", cn.len, types[how >> 6]);
    need(X509_set_issuer_name(x, X509_get_subject_name(g_ca)) == 1);
    add_extension(x, "2.5.29.15", true, usage, sizeof(usage));
    add_extension(x, "2.5.29.37", false, client, sizeof(client));
    for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++) {
        dt_bytes const value = take(&rest);
        if (how & 2u << i)
            add_extension(x, oids[i], false, value.len > 0 ? value.p : (uint8_t const *)"",
                          value.len);
    }
    /* A name that is no text of its type cannot be encoded, nor then be signed. */
    unsigned char *der = NULL;
    int const len = X509_sign(x, g_key, EVP_sha256()) > 0 ? i2d_X509(x, &der) : 0;
    dt_certificate c;
    if (len > 0 && judge(dt_bytes_of(der, (size_t)len), &c) == DT_REASON_TRUSTED) {
        need(dt_guid_is_set(&c.device_id));
        need(!dt_guid_is_set(&c.tenant_id) || dt_guid_equal(&c.tenant_id, &g_tenant));
        need((how & 8) == 0 || dt_guid_is_set(&c.tenant_id));
        need((how & (8 | 16)) != (8 | 16));
    }
    OPENSSL_free(der);
    X509_free(x);
}

int LLVMFuzzerTestOneInput(uint8_t const *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        try_signed(data[0], dt_bytes_of(data + 1, size - 1));
    else
        try_raw(dt_bytes_of(data + 1, size - 1));
    return 0;
}
