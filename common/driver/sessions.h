/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open sessions: doors say which begin and end, and the driver looks again and again whether each still meets the rule
 * that let it in ([sessions] of devtrust.conf). The sessions are rows of the store, so several processes and nodes have
 * the same; each looks after its own, and after those of a node that is gone.
 *
 * All functions are thread safe; the work is done on the loop's thread. They do nothing where `[sessions] recheck` is
 * 0. session_book.c defines dt_sessions_let_in, _note and _nas_gone, session_recheck.c dt_driver_news. */
#ifndef DT_DRIVER_SESSIONS_H
#define DT_DRIVER_SESSIONS_H

#include "core/session/session.h"
#include "core/signals/news.h"
#include "driver/driver.h"

/* A sign-on let somebody in: a session is about to begin, or goes on after a re-authentication in it. The session has
 * its facts, its outcome and its names; the rest is set here. `limit`: of its length, as the door sent it to the NAS; 0 =
 * none. A session that is called nothing, or for which memory or the store fail, is not looked after, which the system log says. */
void dt_sessions_let_in(dt_driver *d, dt_session const *s, dt_time limit);

typedef enum dt_session_said {
    DT_SESSION_SAID_NOTHING = 0,
    DT_SESSION_SAID_START,
    DT_SESSION_SAID_ALIVE,
    DT_SESSION_SAID_STOP,
} dt_session_said;

/* What accounting says of a session, or the session line of PAM. `s` has its door and its names. `age`: for how long the
 * session has lasted by then; it matters where a NAS names no Acct-Session-Id when it asks. */
void dt_sessions_note(dt_driver *d, dt_session_said said, dt_session const *s, dt_time age);
/* The NAS begins anew, or ends: none of its sessions is open (RFC 2866, Accounting-On and -Off). */
void dt_sessions_nas_gone(dt_driver *d, char const *nas);

/* A reason to look again now: drops what is kept of the device or person, and rechecks their open sessions. */
void dt_driver_news(dt_driver *d, dt_news const *news);

#endif
