/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading files that a login depends on: opened with O_NOFOLLOW|O_CLOEXEC, then judged by fstat. */
#ifndef DT_EDGE_FILE_H
#define DT_EDGE_FILE_H

#include "core/base/bytes.h"

typedef enum dt_file_kind {
    DT_FILE_TRUSTED = 0, /* others must not be able to write it, nor the directories above it */
    DT_FILE_SECRET,      /* and others must not be able to read it */
} dt_file_kind;

/* Largest file that is read as a secret is DT_SECRET_MAX; deepest path: */
#define DT_FILE_DEPTH_MAX 64
#define DT_FILE_PATH_MAX 4096

/* What a key of the configuration names: its path, or where systemd keeps the credential of
 * "credential:NAME", which is $CREDENTIALS_DIRECTORY/NAME, and without that variable, as in devtrustctl,
 * DT_FILE_CREDENTIALS/NAME. Cut where it does not fit, which opens nothing. Reads the environment. */
#define DT_FILE_CREDENTIALS "/run/credentials/devtrustd.service"
void dt_file_locate(char const *path, char out[DT_FILE_PATH_MAX]);

/* Reads a whole regular file of at most max bytes and appends it to `out`, which the caller made with
 * a ceiling of at least max; on failure `out` is as it was. A relative path counts from the working
 * directory; ".." and symbolic links are refused, also on the way.
 *
 * The file and each directory above it must belong to root or to the process's own effective user
 * (for root also to a service's user: devtrust, freerad, radiusd) and must not be writable by group
 * or others; a directory may when it is sticky, as /tmp is. A secret must not be readable by others,
 * and by a group only when root owns it and the group is the process's effective one or a service's
 * (devtrust, freerad, radiusd). A secret may be a credential of systemd, see dt_file_locate: root's group may
 * read that, since systemd gives it to the service by an ACL, whose mask stands in the place of the group.
 *
 * DT_E_PERMISSION, DT_E_NOT_FOUND, DT_E_LIMIT, DT_E_IO with what to do ("chmod 600 PATH"). Thread
 * safe. */
DT_MUST_USE int dt_file_read(char const *path, dt_file_kind kind, size_t max, dt_buf *out,
                             dt_error *e);
/* Puts a file with this content in the place of `path`: written beside it, synced, then renamed, so
 * that nobody ever reads a part of it. The directory is judged as above. An existing file is replaced
 * only with `replace` (else DT_E_EXISTS), and only a regular one; its owner, group and mode stay. A
 * new one gets `mode`. On failure everything is as it was. DT_E_PERMISSION, DT_E_IO. */
DT_MUST_USE int dt_file_write(char const *path, dt_bytes content, bool replace, unsigned mode,
                              dt_error *e);
/* Opens a regular file, judged as above, for whoever reads it otherwise. The descriptor is yours to
 * close. DT_E_LIMIT when it is larger than max. */
DT_MUST_USE int dt_file_open(char const *path, dt_file_kind kind, size_t max, int *fd, dt_error *e);
/* The same into a secret of at most DT_SECRET_MAX bytes; a trailing newline is dropped when `text`.
 * An empty secret is DT_E_INVALID. No copy is left behind. */
DT_MUST_USE int dt_file_read_secret(char const *path, bool text, dt_secret **out, dt_error *e);

#endif
