/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The form of a signed token: JWS compact serialization (RFC 7515 section 7.1). What it says and who signed it is for
 * the caller to check. Pure, thread safe.
 * jwt.c defines what is declared here. */
#ifndef DT_CORE_BASE_JWT_H
#define DT_CORE_BASE_JWT_H

#include "core/base/bytes.h"
#include "core/base/json.h"

#define DT_JWT_PARTS 3 /* header, claims, signature */

/* Cuts "a.b.c" into its parts, borrowed from the token; false when there are more or fewer, or one of them is empty.
 * Then *part has no meaning. */
DT_MUST_USE bool dt_jwt_split(dt_bytes token, dt_bytes part[DT_JWT_PARTS]);

/* The JSON object in a part of at most `limit` bytes when decoded; NULL when there is none. The caller's to free. */
dt_json *dt_jwt_object(dt_bytes part, size_t limit);

#endif
