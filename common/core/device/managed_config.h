/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Managed app configuration: what an MDM puts on a device that it manages, and that only it could
 * have put there, since it holds a secret key (the management hint). Two forms, as Okta documents
 * them for Intune: Android Enterprise JSON ("androidenterprise#managedConfiguration" with a list of
 * managedProperty) and an Apple property list (Domain, managementHint). */
#ifndef DT_CORE_MANAGED_CONFIG_H
#define DT_CORE_MANAGED_CONFIG_H

#include "core/device/evidence.h"

#define DT_MANAGED_TEXT_MAX (64 * 1024) /* largest configuration that is read, bytes */
#define DT_MANAGED_PROPERTIES_MAX 256   /* most members of managedProperty */
#define DT_MANAGED_SITE_MAX 300         /* longest siteName or Domain, its NUL included */
#define DT_MANAGED_USER_MAX 256         /* longest username, its NUL included */
#define DT_MANAGED_HINT_MIN 16          /* shortest secret key, bytes: a shorter one is guessed */
#define DT_MANAGED_HINT_MAX 512         /* longest */
#define DT_MANAGED_HINTS_MAX 4          /* secret keys accepted at once, while they are rotated */

/* The secret keys that count; while they are rotated there are several. Owned by the site. */
typedef struct dt_managed_hints {
    dt_secret *items[DT_MANAGED_HINTS_MAX];
    size_t count;
} dt_managed_hints;

/* Takes the keys from the text of management_hint_file, one a line; empty lines and lines that begin
 * with # do not count. DT_E_INVALID (none, too short, too long, twice, a character that is not
 * printable ASCII: a line number, never the text), DT_E_LIMIT (too many), DT_E_NOMEM; then *out is
 * empty. */
DT_MUST_USE int dt_managed_hints_parse(dt_bytes text, dt_managed_hints *out, dt_error *e);
void dt_managed_hints_free(dt_managed_hints *h);

/* What a configuration says, without its secret. */
typedef struct dt_managed_facts {
    bool hint_given;
    bool hint_matches;                  /* it is one of the accepted secret keys */
    char site[DT_MANAGED_SITE_MAX];     /* siteName or Domain; "" = not given */
    char username[DT_MANAGED_USER_MAX]; /* "" = not given */
} dt_managed_facts;

/* Reads a configuration of either form and compares its management hint with every accepted key, in
 * constant time. DT_E_PARSE (neither form, broken, a member twice, a value of another type),
 * DT_E_LIMIT; `e` says what is wrong and quotes no value; *out is then zero. Nothing of the secret is
 * left behind. Thread safe. */
DT_MUST_USE int dt_managed_config_read(dt_bytes text, dt_managed_hints const *hints,
                                       dt_managed_facts *out, dt_error *e);

/* What became of reading the file; the zero value is a failure. */
typedef enum dt_managed_status {
    DT_MANAGED_UNREADABLE = 0, /* the disk, memory: its content is not known */
    DT_MANAGED_REFUSED,        /* others could write or read it, or it is broken */
    DT_MANAGED_ABSENT,         /* no MDM has put it there */
    DT_MANAGED_READ,
} dt_managed_status;

typedef struct dt_managed_result {
    dt_managed_status status;
    dt_managed_facts facts;
    char text[DT_ERROR_TEXT_MAX]; /* why, for the administrator; "" when READ */
} dt_managed_result;

/* Makes evidence of it for this host: FOR only when the hint matches, the site is the configured
 * org's and the username, where one is given, is the person's (as typed, or the Okta login; ASCII
 * case folded). Else AGAINST with NOT_MANAGED or MANAGEMENT_HINT_MISMATCH, or UNKNOWN. `why` gets
 * the reason in words, "" for FOR. The evidence names no device: it speaks of this host. */
void dt_managed_evidence(dt_managed_result const *r, dt_config const *c, char const *user,
                         char const *login, dt_time now, dt_evidence *out, dt_error *why);

#endif
