/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the store's file may stand: who could exchange it, write it or read it is looked at before
 * SQLite gets to see it. Apart from the store, because it knows the file system and not SQLite. */
#ifndef DT_EDGE_STORE_PATH_H
#define DT_EDGE_STORE_PATH_H

#include "core/base/bytes.h"

#define DT_STORE_PATH_MAX 1024

/* Checks the directory, creates the file 0600 where there is none, checks the file, and gives its
 * path without symbolic links. The directory, each one above it and the file must belong to root or
 * to the process's own user (for root: any owner the directory has), and nobody else may write
 * them; a sticky directory is fine further up. A file that root creates is given to the directory's
 * owner, so that an administrator's command does not lock the service out.
 * DT_E_PERMISSION, DT_E_NOT_FOUND (no directory), DT_E_LIMIT, DT_E_IO. */
DT_MUST_USE int dt_store_path_check(char const *path, char out[DT_STORE_PATH_MAX], dt_error *e);

#endif
