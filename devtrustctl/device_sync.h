/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filling the cache for a whole fleet: Graph's list of devices, page by page, each answer kept as a
 * sign-on would keep it. Where it is interrupted, the next one goes on. */
#ifndef DT_CTL_DEVICE_SYNC_H
#define DT_CTL_DEVICE_SYNC_H

#include "devtrustctl/graph_client.h"

#include "edge/store.h"

#define DT_SYNC_RESUME_MAX DT_HOURS(1) /* an older place in the list is not gone back to */
#define DT_SYNC_PAGES_MAX 20000        /* of one sync: a list without an end is a fault */
#define DT_SYNC_PAUSE                                                                              \
    50 /* milliseconds between two pages: 20 a second at most,
                                                 a fifth of what Intune grants an application */
#define DT_SYNC_PROGRESS_LINES DT_SECONDS(10) /* between two lines, where no terminal is */

typedef struct dt_sync_options {
    int page_size; /* 1..DT_INTUNE_PAGE_MAX */
    bool restart;  /* from the beginning, whatever was kept */
    bool quiet;
    bool aliases; /* file the devices' names, too (devtrustctl/device_alias.h) */
} dt_sync_options;

typedef struct dt_sync_result {
    int64_t devices; /* kept, those of the earlier part included */
    int64_t
        unusable; /* entries of this run that make no sense: left out, as if they were not there */
    int calls;    /* of this run */
    bool resumed;
} dt_sync_result;

/* Keeps what Graph says of every device. Nothing is removed: an answer about a device that is no longer
 * in the list goes its own time. On an error the place is kept. */
DT_MUST_USE int dt_device_sync(dt_site const *site, dt_store *store, dt_sync_options const *o,
                               dt_sync_result *out, dt_error *e);
/* Keeps one answer as a sign-on would. */
DT_MUST_USE int dt_device_answer_put(dt_store *store, dt_config const *c, dt_intune_device const *d,
                                     dt_error *e);

#endif
