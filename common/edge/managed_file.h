/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The managed app configuration that an MDM keeps on this host: reads the file and remembers what it
 * said for as long as it stays the same, so that a sign-on costs one stat. */
#ifndef DT_EDGE_MANAGED_FILE_H
#define DT_EDGE_MANAGED_FILE_H

#include "core/device/managed_config.h"

/* What was read is believed for so long at most: rights of the directories above may have changed. */
#define DT_MANAGED_RECHECK DT_SECONDS(60)

typedef struct dt_managed_file dt_managed_file;

/* `hints` is borrowed as long as the object lives. DT_E_NOMEM. Free with dt_managed_file_free. */
DT_MUST_USE int dt_managed_file_new(char const *path, dt_managed_hints const *hints,
                                    dt_managed_file **out);
void dt_managed_file_free(dt_managed_file **f);
/* What the file says now. It must be root's own, writable by nobody else and readable by nobody but
 * root and the service's group (edge/file.h, DT_FILE_SECRET): it holds the secret key. A NULL file is
 * ABSENT. Thread safe. */
void dt_managed_file_read(dt_managed_file *f, dt_managed_result *out);

#endif
