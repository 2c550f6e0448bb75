/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The site and its store, as most commands open them. */
#ifndef DT_CTL_SITE_H
#define DT_CTL_SITE_H

#include "edge/site.h"
#include "edge/store.h"

/* Loads the site; `path` NULL is DT_CONFIG_DEFAULT_PATH. */
DT_MUST_USE int dt_ctl_site_load(char const *path, dt_site **out, dt_error *e);
/* Loads the site and opens its store. On failure both are NULL. */
DT_MUST_USE int dt_ctl_store_open(char const *path, dt_site **files, dt_store **store, dt_error *e);
/* Closes both; NULL is fine. */
void dt_ctl_store_close(dt_site **files, dt_store **store);

#endif
