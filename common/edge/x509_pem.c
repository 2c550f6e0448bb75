/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From bytes to OpenSSL's objects: DER and PEM, strictly, and which keys are good enough. */
#include "edge/x509_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <string.h>

void dt_openssl_enter(void)
{
    (void)ERR_set_mark();
}

void dt_openssl_leave(void)
{
    (void)ERR_pop_to_mark();
}

int dt_x509_parse(dt_bytes der, X509 **out, dt_error *e)
{
    *out = NULL;
    if (der.len > DT_CERTIFICATE_MAX)
        return dt_error_set(e, DT_E_LIMIT, "the certificate is longer than %d bytes",
                            DT_CERTIFICATE_MAX);
    unsigned char const *p = der.p;
    X509 *x = der.len > 0 ? d2i_X509(NULL, &p, (long)der.len) : NULL;
    if (x == NULL)
        return dt_error_set(e, DT_E_PARSE, "not a certificate in DER");
    if (p != der.p + der.len) {
        X509_free(x);
        return dt_error_set(e, DT_E_PARSE, "trailing data after the certificate");
    }
    *out = x;
    return 0;
}

/* One block read from a PEM text. */
typedef struct pem_block {
    char *name;
    char *header;
    unsigned char *data;
    long len;
} pem_block;

static void block_free(pem_block *b)
{
    OPENSSL_free(b->name);
    OPENSSL_free(b->header);
    OPENSSL_clear_free(b->data, b->len > 0 ? (size_t)b->len : 0);
    *b = (pem_block){0};
}

/* The next block: 1, 0 at the end of the text, or DT_E_PARSE when it is cut off or garbled. */
static int next_block(BIO *in, pem_block *b, dt_error *e)
{
    *b = (pem_block){0};
    (void)ERR_set_mark();
    bool const found = PEM_read_bio(in, &b->name, &b->header, &b->data, &b->len) == 1;
    unsigned long const why = found ? 0 : ERR_peek_last_error();
    (void)ERR_pop_to_mark();
    if (found)
        return 1;
    if (ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE)
        return 0;
    return dt_error_set(e, DT_E_PARSE, "the PEM text is damaged");
}

/* How many blocks a text begins. OpenSSL passes over a BEGIN line that is garbled itself, and the
 * CA after it would be missing without a word. */
int dt_pem_count_begins(dt_bytes pem)
{
    static char const begin[] = "-----BEGIN";
    int n = 0;
    while (pem.len > 0) {
        uint8_t const *at = memmem(pem.p, pem.len, begin, sizeof(begin) - 1);
        if (at == NULL)
            break;
        n++;
        size_t const used = (size_t)(at - pem.p) + sizeof(begin) - 1;
        pem = dt_bytes_of(pem.p + used, pem.len - used);
    }
    return n;
}

static BIO *open_pem(dt_bytes pem)
{
    return pem.len > 0 && pem.len <= DT_PEM_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
}

/* Puts the certificate of one block on the stack. */
static int push_block(pem_block const *b, STACK_OF(X509) *out, size_t max, dt_error *e)
{
    if (strcmp(b->name, PEM_STRING_X509) != 0) {
        char name[64];
        return dt_error_set(e, DT_E_PARSE,
                            "contains a block \"%s\" where only \"CERTIFICATE\" is allowed",
                            dt_str_escape(name, sizeof(name), b->name));
    }
    if ((size_t)sk_X509_num(out) >= max)
        return dt_error_set(e, DT_E_LIMIT, "more than %zu certificates", max);
    X509 *x = NULL;
    int const rc = dt_x509_parse(dt_bytes_of(b->data, (size_t)b->len), &x, e);
    if (rc != 0) {
        (void)dt_error_prefix(e, "certificate %d", sk_X509_num(out) + 1);
        return rc;
    }
    if (sk_X509_push(out, x) > 0)
        return 0;
    X509_free(x);
    return dt_error_set(e, DT_E_NOMEM, "out of memory");
}

int dt_pem_certificates(dt_bytes pem, STACK_OF(X509) *out, size_t max, dt_error *e)
{
    int const before = sk_X509_num(out);
    if (pem.len > DT_PEM_MAX)
        return dt_error_set(e, DT_E_LIMIT, "longer than %d bytes", DT_PEM_MAX);
    BIO *in = open_pem(pem);
    if (in == NULL)
        return dt_error_set(e, DT_E_PARSE, "empty; a certificate in PEM is needed");
    pem_block b;
    int rc = 1;
    while (rc == 1 && (rc = next_block(in, &b, e)) == 1) {
        int const pushed = push_block(&b, out, max, e);
        rc = pushed != 0 ? pushed : 1;
        block_free(&b);
    }
    BIO_free(in);
    if (rc == 0 && sk_X509_num(out) == before)
        rc = dt_error_set(e, DT_E_PARSE, "contains no certificate in PEM");
    if (rc == 0 && sk_X509_num(out) - before != dt_pem_count_begins(pem))
        rc = dt_error_set(e, DT_E_PARSE, "the PEM text is damaged");
    return rc;
}

/* Where OpenSSL would ask the terminal for a pass phrase. */
static int no_pass_phrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing, (void)ctx;
    return -1;
}

int dt_pem_private_key(dt_bytes pem, EVP_PKEY **out, dt_error *e)
{
    *out = NULL;
    BIO *in = open_pem(pem);
    EVP_PKEY *key = in != NULL ? PEM_read_bio_PrivateKey(in, NULL, no_pass_phrase, NULL) : NULL;
    BIO_free(in);
    if (key != NULL) {
        *out = key;
        return 0;
    }
    static char const locked[] = "ENCRYPTED";
    if (pem.len > 0 && memmem(pem.p, pem.len, locked, sizeof(locked) - 1) != NULL)
        return dt_error_set(e, DT_E_INVALID,
                            "the private key has a pass phrase; remove it (openssl pkey) and keep "
                            "the file readable by its owner only");
    return dt_error_set(e, DT_E_PARSE, "contains no private key in PEM");
}
