/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ends sessions that somebody else has: asks a NAS (RFC 5176, "dynamic authorization extensions") or this host's
 * logind. What comes of it is said in words, for the log and for people. login_end.c defines dt_login_end. */
#ifndef DT_DRIVER_DAE_H
#define DT_DRIVER_DAE_H

#include "core/session/session.h"
#include "driver/driver.h"

/* What is to happen. */
typedef enum dt_dae_ask {
    DT_DAE_DISCONNECT = 0, /* the session ends */
    DT_DAE_REAUTHENTICATE, /* the person signs on again; where the NAS cannot do that: the session ends */
} dt_dae_ask;

typedef struct dt_dae_request {
    dt_dae_ask ask;
    dt_nas_session session;
} dt_dae_request;

/* The zero value is a failure. */
typedef enum dt_end_outcome {
    DT_END_FAILED = 0, /* the session may go on: it could not be asked for, or nobody answered */
    DT_END_REFUSED,    /* whoever has the session said no; asking again does not help */
    DT_END_DONE,       /* it was ended, moved or locked */
    DT_END_GONE,       /* it had ended before */
} dt_end_outcome;
/* "failed", "refused", "done", "gone". */
char const *dt_end_outcome_name(dt_end_outcome o);

typedef struct dt_end_result {
    dt_end_outcome outcome;
    bool reauthenticates; /* of DONE: the session was kept, and its person has to sign on again */
    bool retry;           /* of FAILED: it may work later, as it is configured */
    unsigned error_cause; /* what the NAS gave (RFC 5176 section 3.5); 0 = nothing */
    unsigned packets;     /* that were sent to the NAS */
    char nas[DT_CONFIG_NAME_MAX]; /* the NAME of [nas NAME]; "" = no section is for it */
    char text[DT_ERROR_TEXT_MAX]; /* one line, safe for a terminal, without secrets; never empty */
} dt_end_result;
/* Called once for each call that gave 0, on the loop's thread, never from within that call. */
typedef void dt_end_fn(void *ctx, dt_end_result const *r);

/* Asks the NAS that has the session, as its section [nas NAME] of the site in force says. `request` is copied. A
 * NAS that does not answer is asked again for DT_DAE_LIMIT at most; then the result is FAILED. What cannot be sent,
 * because no section is for the NAS or it does not know the session by enough, is a result, too. DT_E_LIMIT when
 * DT_DAE_MAX requests are under way, DT_E_NOMEM, DT_E_STATE once the driver is closed. Any thread. */
DT_MUST_USE int dt_dae_end(dt_driver *d, dt_dae_request const *request, dt_end_fn *done, void *ctx);
#define DT_DAE_MAX 1024             /* requests under way in one process */
#define DT_DAE_LIMIT DT_SECONDS(30) /* longest time from the first packet to the result */

typedef enum dt_login_ask {
    DT_LOGIN_TERMINATE = 0, /* all its processes end */
    DT_LOGIN_LOCK, /* a desktop locks its screen; there is nothing to lock of a session by SSH */
} dt_login_ask;

/* Asks logind for one session of this host. It ends nothing unless the session is still the one that was recorded:
 * this boot, this leader, begun at this time. `session` is copied. Errors and threads as dt_dae_end. */
DT_MUST_USE int dt_login_end(dt_driver *d, dt_session_at_host const *session, dt_login_ask ask,
                             dt_end_fn *done, void *ctx);
#define DT_LOGIN_LIMIT DT_SECONDS(5) /* longest wait for logind */
#define DT_LOGIN_MAX_ENDS 256        /* requests to logind under way in one process */

#endif
