/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices when the files that a site is made of have changed: devtrust.conf, every file that one of
 * its reloadable keys names, and the policies. Exists apart from site.h because it is asked every few
 * seconds, and must neither parse nor judge anything. */
#ifndef DT_EDGE_SITE_WATCH_H
#define DT_EDGE_SITE_WATCH_H

#include "core/config/config.h"
#include "core/base/crypto.h"

/* Largest file whose content is looked at; of a larger one, what stat(2) says of it. */
#define DT_SITE_WATCH_FILE_MAX (256 * 1024 * 1024)

/* What stands for all the files together: equal marks, equal files. */
typedef struct dt_site_mark {
    uint8_t bytes[DT_SHA256_LEN];
} dt_site_mark;
bool dt_site_mark_equal(dt_site_mark const *a, dt_site_mark const *b);

/* By what stat(2) says of each file (who owns it, who may write it, when it was changed, that it is
 * missing) and by which policies there are. Cheap. A file written again within one tick of the kernel's
 * clock, at the same length and in place, looks the same. DT_E_NOMEM, DT_E_CRYPTO. Thread safe. */
DT_MUST_USE int dt_site_mark_stat(char const *config_path, dt_config const *c, dt_site_mark *out);
/* By what is in them: files that were only touched, or replaced by the like, have the same mark. */
DT_MUST_USE int dt_site_mark_content(char const *config_path, dt_config const *c,
                                     dt_site_mark *out);

#endif
