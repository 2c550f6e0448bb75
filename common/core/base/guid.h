/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GUIDs, normalised in one place: lower-case, 8-4-4-4-12, no braces. */
#ifndef DT_CORE_GUID_H
#define DT_CORE_GUID_H

#include "core/base/bytes.h"

#define DT_GUID_LEN 36

typedef struct dt_guid {
    char text[DT_GUID_LEN + 1]; /* "" when unset */
} dt_guid;

/* Accepts any case, with or without braces, with hyphens or as 32 bare hex digits. The nil GUID is
 * refused. DT_E_PARSE. */
DT_MUST_USE int dt_guid_parse(dt_bytes text, dt_guid *out);
/* 16 bytes as Microsoft writes them: the first three groups little-endian (RFC 4122 section 4.1.2
 * describes the fields; the byte order is that of Windows' GUID structure). Nil is refused. */
DT_MUST_USE int dt_guid_from_le(dt_bytes raw, dt_guid *out);
bool dt_guid_is_set(dt_guid const *g);
/* False when either is unset. */
bool dt_guid_equal(dt_guid const *a, dt_guid const *b);

#endif
