/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading files that a login depends on: opened with O_NOFOLLOW|O_CLOEXEC, then judged by fstat. */
#ifndef DT_EDGE_FILE_H
#define DT_EDGE_FILE_H

#include "core/bytes.h"

typedef enum dt_file_kind {
    DT_FILE_TRUSTED = 0, /* others must not be able to write it, nor the directories above it */
    DT_FILE_SECRET,      /* and others must not be able to read it */
} dt_file_kind;

/* Reads a whole regular file of at most max bytes. It must belong to root or to the process's own
 * effective user; not be group- or world-writable; a secret not be group- or world-readable
 * (group-readable is accepted only when the group is the process's own effective group and the owner
 * is root). Each parent directory must not be writable by others either (sticky ones such as /tmp are fine when the entry below is owned by root or us).
 * DT_E_PERMISSION, DT_E_NOT_FOUND, DT_E_LIMIT, DT_E_IO with what to do ("chmod 600 PATH"). */
DT_MUST_USE int dt_file_read(char const *path, dt_file_kind kind, size_t max, dt_buf *out,
                             dt_error *e);
/* The same into a secret; a trailing newline is dropped when `text`. */
DT_MUST_USE int dt_file_read_secret(char const *path, bool text, dt_secret **out, dt_error *e);

#endif
