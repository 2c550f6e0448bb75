/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A private key in a TPM 2.0, by OpenSSL's provider tpm2 (package tpm2-openssl). */
#ifndef DT_EDGE_TPM_OPENSSL_H
#define DT_EDGE_TPM_OPENSSL_H

#include "core/base/bytes.h"

#define DT_TPM_URI_MAX 1024

typedef struct dt_tpm dt_tpm;

/* `uri`: "handle:0x81..." of a persistent key, or the path of a file with a TSS2 PRIVATE KEY. `tcti`: how
 * the TPM is reached, as in "device:/dev/tpmrm0"; "" leaves it to the environment and to tpm2-tss. It is
 * put into the process's environment, so call this before there are threads. Takes `pin` over: the key's
 * authorization; NULL where it has none. Touches no TPM. DT_E_NOMEM, DT_E_LIMIT. */
DT_MUST_USE int dt_tpm_new(char const *uri, char const *tcti, dt_secret **pin, dt_tpm **out,
                           dt_error *e);
void dt_tpm_free(dt_tpm **k);
/* Signs a message as dt_x509_verify wants it. The key is loaded at the first call and kept; where it
 * fails it is loaded anew, once within a call. Blocks for as long as the TPM does. One thread at a
 * time. DT_E_UNAVAILABLE. */
DT_MUST_USE int dt_tpm_sign(dt_tpm *k, dt_bytes message, uint8_t *out, size_t *len, dt_error *e);

#endif
