/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an administrator types so that devtrust can use a file that it refused. Each command leads to a
 * file that the same check then accepts. */
#ifndef DT_EDGE_FILE_ADVICE_H
#define DT_EDGE_FILE_ADVICE_H

#include "core/base/err.h"

#include <sys/types.h>

#define DT_ADVICE_NAME_MAX 64 /* longest name of a group that an advice repeats, its NUL included */
#define DT_ADVICE_PATH_MAX                                                                         \
    256 /* as much of a path as an advice repeats, its quotes and NUL included */

/* A path as a word of a command: escaped, and in quotes where a shell would read something else in it. */
typedef struct dt_advice_path {
    char text[DT_ADVICE_PATH_MAX];
} dt_advice_path;

/* Quotes `path` for a shell. What is too long is cut. Thread-safe. */
dt_advice_path dt_advice_quote(char const *path);

/* The group through which devtrust's service reads files of root: the caller's own, where the caller is not
 * root; else that of the first service user that the system has. "" where there is none. Returns out.
 * Thread-safe. */
char *dt_advice_group(char out[DT_ADVICE_NAME_MAX]);

/* Refuses a secret that belongs to `owner` and that `who` ("others", "its group") can read. Returns DT_E_PERMISSION. Thread-safe. */
int dt_advice_secret(char const *path, uid_t owner, char const *who, dt_error *e);

/* Refuses a path that this user may not read, and names what is in the way: the first directory above it that
 * this user cannot search, or the file. Where the caller is neither root nor a service user, the advice says so. Returns
 * DT_E_PERMISSION. Thread-safe. */
int dt_advice_unreadable(char const *path, dt_error *e);

#endif
