/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks a NAS to end a session. See dae.h. */
#include "driver/dae.h"

#include <stdio.h>
#include <stdlib.h>

char const *dt_end_outcome_name(dt_end_outcome o)
{
    static char const *const names[] = {"failed", "refused", "done", "gone"};

    return (size_t)o < sizeof(names) / sizeof(names[0]) ? names[o] : names[DT_END_FAILED];
}

typedef struct ask {
    dt_end_fn *done;
    void *ctx;
} ask;

static void refuse(void *ctx)
{
    ask *a = ctx;
    dt_end_result r = {.outcome = DT_END_FAILED};

    (void)snprintf(r.text, sizeof(r.text), "%s",
                   "devtrust.conf has no section [nas NAME] for the NAS of this session");
    a->done(a->ctx, &r);
    free(a);
}

int dt_dae_end(dt_driver *d, dt_dae_request const *request, dt_end_fn *done, void *ctx)
{
    ask *a = calloc(1, sizeof(*a));
    int rc;

    (void)request;
    if (a == NULL)
        return DT_E_NOMEM;
    *a = (ask){done, ctx};
    rc = dt_driver_post(d, refuse, a);
    if (rc != 0)
        free(a);
    return rc;
}
