/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates for unit tests: the test PKI of tests/pki with its index, and a maker of single
 * certificates for what the index does not hold. Every failure fails the test. */
#ifndef DT_TESTS_UNIT_PKI_H
#define DT_TESTS_UNIT_PKI_H

#include "core/base/bytes.h"
#include "core/base/json.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

/* The directory of the test PKI: $DEVTRUST_PKI, or made for this run under the build. */
char const *pki_dir(void);
/* Its index.json, parsed once. */
dt_json const *pki_index(void);
/* Appends a file; a relative path is below pki_dir(). */
void pki_read(char const *path, dt_buf *out);
void pki_write(char const *path, dt_bytes text, unsigned mode);
/* Removes what was made for this run. */
void pki_forget(void);

#define CERT_EXTENSIONS_MAX 12

typedef struct cert_extension {
    char const *name;  /* as in openssl.cnf: a name, or an OID with a value "DER:hex" */
    char const *value; /* may begin with "critical," */
} cert_extension;

/* How a certificate is made. What is zero or NULL is left out or takes the default. */
typedef struct cert_spec {
    char const *cn;
    size_t cn_len;             /* 0 = strlen(cn); for names with a NUL inside */
    char const *cn2;           /* a second common name */
    char const *serial_number; /* of the subject: a device's, not the certificate's */
    EVP_PKEY *key;
    X509 *issuer; /* NULL = self-signed */
    EVP_PKEY *issuer_key;
    EVP_MD const *hash; /* NULL = SHA-256, or none where the key brings its own */
    long starts, ends;  /* seconds from cert_now(); both 0 = a day before, a year after */
    bool version1;
    cert_extension extensions[CERT_EXTENSIONS_MAX];
} cert_spec;

/* The fixed time that all made certificates are about, seconds since 1970. */
#define CERT_NOW 1750000000L

X509 *cert_make(cert_spec const *spec);
EVP_PKEY *cert_key(char const *kind); /* "rsa2048", ..., "rsa-pss", or a curve's name, "ed25519" */
/* Appends DER, or PEM. */
void cert_der(X509 *x, dt_buf *out);
void cert_pem(X509 *x, dt_buf *out);
void key_pem(EVP_PKEY *key, dt_buf *out);

#endif
