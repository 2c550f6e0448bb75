/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this site asks Entra for tokens with: a certificate's key or a client secret; and the request
 * made of it. */
#ifndef DT_DRIVER_ENTRA_CREDENTIALS_H
#define DT_DRIVER_ENTRA_CREDENTIALS_H

#include "core/intune/compliance_service.h"

typedef struct dt_entra_credentials dt_entra_credentials;

/* Reads the files that [intune] names. *out is the caller's to free; NULL, with DT_OK, where Intune is
 * not configured. The error names the file. Not changed afterwards: any thread may use it. */
DT_MUST_USE int dt_entra_credentials_load(dt_config const *c, dt_entra_credentials **out,
                                          dt_error *e);
void dt_entra_credentials_free(dt_entra_credentials **c);
/* The request for a token for this service, now. It is secret: wipe it after use. */
DT_MUST_USE int dt_entra_credentials_request(dt_entra_credentials const *k, dt_config const *c,
                                             dt_entra_audience audience, dt_http_request *out,
                                             dt_error *e);
/* Known to those alone who could fetch such tokens themselves. */
uint8_t const *dt_entra_credentials_share_key(dt_entra_credentials const *k);
/* The Authorization header of a token: "Bearer ...". *out is the caller's to free. */
DT_MUST_USE int dt_entra_bearer(dt_secret const *token, dt_secret **out);

#endif
