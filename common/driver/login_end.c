/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks this host's logind to end or lock a session. See dae.h. */
#include "driver/dae.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct ask {
    dt_end_fn *done;
    void *ctx;
} ask;

static void refuse(void *ctx)
{
    ask *a = ctx;
    dt_end_result r = {.outcome = DT_END_FAILED};

    (void)snprintf(r.text, sizeof(r.text), "%s",
                   "this version of devtrust cannot end sessions of a host");
    a->done(a->ctx, &r);
    free(a);
}

int dt_login_end(dt_driver *d, dt_session_at_host const *session, dt_login_ask what,
                 dt_end_fn *done, void *ctx)
{
    ask *a = calloc(1, sizeof(*a));
    int rc;

    (void)session;
    (void)what;
    if (a == NULL)
        return DT_E_NOMEM;
    *a = (ask){done, ctx};
    rc = dt_driver_post(d, refuse, a);
    if (rc != 0)
        free(a);
    return rc;
}
