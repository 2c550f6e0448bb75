/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who signs on: the one place that turns the name which a door received into one identity, before any rule,
 * cache, limit or remembered MFA is asked. Whoever had two names would have two limits, and rules that were
 * written for one of them would not hold for the other. All pure and thread safe. */
#ifndef DT_CORE_IDENTITY_H
#define DT_CORE_IDENTITY_H

#include "core/config/config.h"
#include "core/base/limits.h"

#define DT_REALM_MAX 128                 /* longest name of a realm, its NUL included */
#define DT_USER_TABLE_MAX 50000          /* most entries of a table of names */
#define DT_USER_TABLE_FILE_MAX (8 << 20) /* its largest file, bytes */
#define DT_IDENTITY_KEY_MAX (DT_USER_MAX + DT_REALM_MAX + DT_LOGIN_MAX + 32)

typedef enum dt_identity_kind {
    DT_IDENTITY_NONE = 0, /* nobody: lets nobody in */
    DT_IDENTITY_PERSON,
    DT_IDENTITY_MACHINE, /* a computer that signs on for itself, as Windows does before anybody has */
} dt_identity_kind;

/* A plain value. */
typedef struct dt_identity {
    dt_identity_kind kind;
    /* The account's name here, or that of the directory, without a realm, in the case in
     * which that gives it. It is compared without regard to the case of ASCII letters. */
    char local[DT_USER_MAX];
    char realm[DT_REALM_MAX]; /* lower case; "" = the one that login_suffix stands for */
    char login[DT_LOGIN_MAX]; /* lower case (ASCII); "" for a machine, which has none */
} dt_identity;

/* Exceptions: names and their Okta logins. NULL is a table without entries. */
typedef struct dt_user_table dt_user_table;

/* Reads the text of a table: a line `NAME -> LOGIN` each, blank lines and lines that begin with # aside.
 * NAME is a local name, REALM\NAME or NAME@REALM. `file` is for errors, which name it and the line.
 * DT_E_INVALID for a line of another form and for a name that is there twice, in whatever spelling;
 * DT_E_LIMIT for more than DT_USER_TABLE_MAX entries; DT_E_NOMEM. Free it with dt_user_table_free. */
DT_MUST_USE int dt_user_table_parse(dt_config const *c, char const *file, dt_bytes text,
                                    dt_user_table **out, dt_error *e);
void dt_user_table_free(dt_user_table **t);
size_t dt_user_table_count(dt_user_table const *t);
/* The Okta login of a name of the table; NULL when it is not there. `realm` is "" for the own one, and
 * otherwise as dt_identity has it. Borrowed. */
char const *dt_user_table_find(dt_user_table const *t, char const *local, char const *realm);

/* A name as it came. */
typedef struct dt_user_name {
    char const *text;
} dt_user_name;

/* Makes the identity. DT_E_INVALID, with *out zero and what is wrong in `e` (escaped: it may be shown), for
 * a name without exactly one meaning: one that is empty, too long, with a blank, a control character, or
 * another character that no name has; not UTF-8, or not in its one form (core/base/unicode.h); with several
 * realms; of a realm that [user_name] does not know and the table does not name. DT_E_NOMEM. */
DT_MUST_USE int dt_identity_make(dt_config const *c, dt_user_table const *t, dt_user_name const *n,
                                 dt_identity *out, dt_error *e);

/* True when the table names this very name: where an account of this host has several names, they are
 * distinguished apart only so. */
bool dt_user_is_listed(dt_config const *c, dt_user_table const *t, char const *name);

/* The Okta login without login_suffix, or "" where it has another end: what a rule may call the person,
 * besides the local name and the whole login. */
void dt_identity_short(dt_config const *c, dt_identity const *id, char out[DT_LOGIN_MAX]);

/* Text that is the same for two identities exactly when they are the same. */
void dt_identity_key(dt_identity const *id, char out[DT_IDENTITY_KEY_MAX]);
bool dt_identity_equal(dt_identity const *a, dt_identity const *b);

/* What is wrong with [user_name] login_suffix or realms, in words that follow the key; NULL when nothing. */
char const *dt_user_suffix_fault(char const *suffix);
char const *dt_user_realms_fault(char const *realms);

#endif
