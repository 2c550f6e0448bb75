/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens the site and its store. */
#include "devtrustctl/site.h"

int dt_ctl_site_load(char const *path, dt_site **out, dt_error *e)
{
    return dt_site_load(path != NULL ? path : DT_CONFIG_DEFAULT_PATH, out, e);
}

int dt_ctl_store_open(char const *path, dt_site **files, dt_store **store, dt_error *e)
{
    int rc = dt_ctl_site_load(path, files, e);

    *store = NULL;
    if (rc == DT_OK)
        rc = dt_store_open(dt_site_config(*files)->store.path,
                           dt_site_config(*files)->store.size_limit, store, e);
    if (rc < 0)
        dt_ctl_store_close(files, store);
    return rc;
}

void dt_ctl_store_close(dt_site **files, dt_store **store)
{
    if (*store != NULL)
        dt_store_close(store);
    dt_site_free(files);
}
