/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The property list port: what the core needs of a reader of Apple's property lists, XML and binary.
 * edge/plist_libplist.c implements it. Pure: it reads text that it is given and keeps no state. */
#ifndef DT_CORE_PLIST_H
#define DT_CORE_PLIST_H

#include "core/base/bytes.h"

#define DT_PLIST_MAX (64 * 1024)  /* largest property list that is read, bytes */
#define DT_PLIST_DEPTH_MAX 32     /* deepest nesting of an XML one */
#define DT_PLIST_OBJECTS_MAX 1024 /* most objects of a binary one, however they are nested */

/* Called for each member that is asked for and there, and whose value is a string; both borrowed
 * during the call, both without a NUL inside. Returns 0 to go on, else the error to end with. */
typedef int dt_plist_string_fn(void *ctx, char const *key, char const *value);

/* True when the text begins as a property list does: "bplist00", or "<?xml" or "<plist". */
bool dt_plist_is(dt_bytes text);

/* Looks the `keys` (ended by NULL) up in a list whose root is a dictionary; of a key that is there
 * twice the first counts. Their values are wiped from whatever the reader kept. DT_E_PARSE for
 * anything else than such a list, and for a value that is not a string (`e` quotes nothing of it);
 * DT_E_LIMIT past the limits above, or what `fn` gave. Thread safe. */
DT_MUST_USE int dt_plist_strings(dt_bytes text, char const *const *keys, dt_plist_string_fn *fn,
                                 void *ctx, dt_error *e);

#endif
