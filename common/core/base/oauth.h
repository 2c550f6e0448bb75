/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all token services that devtrust asks have in common: OAuth 2.0 client credentials (RFC 6749
 * section 4.4) with a signed assertion (RFC 7523 section 2.2). */
#ifndef DT_CORE_OAUTH_H
#define DT_CORE_OAUTH_H

#include "core/base/json.h"

#define DT_OAUTH_ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define DT_OAUTH_TOKEN_LIFETIME_MAX DT_HOURS(24) /* a token is believed to live no longer */
#define DT_OAUTH_RENEW_EARLY_MIN DT_SECONDS(60)  /* before its end a token is renewed */

/* Appends "name=value", percent-encoded, with an "&" before it where something is there already. */
void dt_oauth_put_field(dt_buf *b, char const *name, char const *value);
/* Three parts of base64url with dots between (RFC 7515 section 7.1). */
bool dt_oauth_is_compact_jws(char const *text);
/* Reads a grant (RFC 6749 section 5.1) of this token type. NULL and *token, which is the caller's to free;
 * or what is wrong with it. `expires` and `renew_at` are by the clock of `now`. */
char const *dt_oauth_read_grant(dt_json const *root, char const *type, dt_time now,
                                dt_secret **token, dt_time *renew_at, dt_time *expires);

#endif
