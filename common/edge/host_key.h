/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This host's device certificate and key: PEM files. Signs nonces for dt_sign_request. */
#ifndef DT_EDGE_HOST_KEY_H
#define DT_EDGE_HOST_KEY_H

#include "core/step.h"

typedef struct dt_host_key dt_host_key;

/* The certificate file may hold intermediates behind the leaf. DT_E_CRYPTO when key and certificate
 * do not belong together. */
DT_MUST_USE int dt_host_key_load(char const *certificate_file, char const *key_file,
                                 dt_host_key **out, dt_error *e);
void dt_host_key_free(dt_host_key **k);
/* Fills the result; its bytes are borrowed: certificate and chain from k, signature from `storage`
 * (DT_SIGNATURE_MAX bytes). NULL k gives DT_E_NOT_FOUND. Thread safe. */
void dt_host_key_sign(dt_host_key const *k, dt_sign_request const *r, uint8_t *storage,
                      dt_sign_result *out);

#endif
