/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ending a login of this host: devtrust has no right to, and reports how the administrator does it. See dae.h. */
#include "driver/dae.h"

#include "core/base/bytes.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct ask {
    dt_end_fn *done;
    void *ctx;
    dt_session_at_host session;
    dt_login_ask what;
} ask;

static void refuse(void *ctx)
{
    ask *a = ctx;
    dt_end_result r = {.outcome = DT_END_FAILED};
    char const *verb = a->what == DT_LOGIN_LOCK ? "lock" : "terminate";
    dt_buf text;

    dt_buf_init_fixed(&text, r.text, sizeof(r.text));
    dt_buf_printf(&text, "devtrust cannot %s a login at a host yet; as root: ", verb);
    if (a->session.id[0] != '\0') {
        dt_buf_printf(&text, "loginctl %s-session ", verb);
        dt_buf_put_escaped(&text, dt_bytes_str(a->session.id));
    } else {
        dt_buf_printf(&text, "kill %" PRId64, a->session.leader);
    }
    a->done(a->ctx, &r);
    free(a);
}

int dt_login_end(dt_driver *d, dt_session_at_host const *session, dt_login_ask what,
                 dt_end_fn *done, void *ctx)
{
    ask *a = calloc(1, sizeof(*a));
    int rc;

    if (a == NULL)
        return DT_E_NOMEM;
    *a = (ask){done, ctx, *session, what};
    rc = dt_driver_post(d, refuse, a);
    if (rc != 0)
        free(a);
    return rc;
}
