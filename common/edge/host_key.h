/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This host's device certificate, and its key: in a PEM file, a PKCS#11 token or a TPM 2.0. Signs the
 * nonces of dt_sign_request. */
#ifndef DT_EDGE_HOST_KEY_H
#define DT_EDGE_HOST_KEY_H

#include "core/config/config.h"
#include "core/base/step.h"

typedef struct dt_host_key dt_host_key;

/* By [device_trust] host_certificate_file, which may hold intermediates after the leaf, and host_key (or
 * host_key_file). DT_E_CRYPTO when key and certificate do not belong together. *out stays NULL, with DT_OK,
 * where none is configured. A token or TPM is not touched before the first signature, so that one that
 * is missing locks nobody out of devtrustd; what is wrong with the configuration itself is an error. */
DT_MUST_USE int dt_host_key_open(dt_config const *c, dt_host_key **out, dt_error *e);
void dt_host_key_free(dt_host_key **k);
/* The key is in a device that may take its time, and that takes one signature at a time: not for a
 * thread that others wait for. */
bool dt_host_key_is_slow(dt_host_key const *k);
/* Fills the result; its bytes are borrowed: certificate and chain from k, signature and the text of an
 * error from `storage` (DT_SIGNATURE_MAX bytes). NULL k gives DT_E_NOT_FOUND. Thread safe unless the key
 * is slow: then one thread at a time. */
void dt_host_key_sign(dt_host_key const *k, dt_sign_request const *r, uint8_t *storage,
                      dt_sign_result *out);

#endif
