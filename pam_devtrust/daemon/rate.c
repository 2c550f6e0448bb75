/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often a caller other than root may ask: a screen locker needs a handful a minute, a program that
 * wants to annoy somebody with pushes needs more. */
#include "pam_devtrust/daemon/daemon.h"

static bool is_over(dt_rate const *r, int64_t now)
{
    return r->count == 0 || now - r->started >= DT_DAEMON_RATE_WINDOW;
}

dt_rate_answer dt_rate_take(dt_rate slots[DT_DAEMON_RATE_SLOTS], uid_t uid, int64_t now)
{
    dt_rate *mine = NULL;

    for (int i = 0; i < DT_DAEMON_RATE_SLOTS; i++) {
        dt_rate *r = &slots[i];

        if (r->count > 0 && r->uid == uid) {
            mine = r;
            break;
        }
        if (mine == NULL && is_over(r, now))
            mine = r;
    }
    if (mine == NULL)
        return DT_RATE_OVER;
    if (mine->uid != uid || is_over(mine, now))
        *mine = (dt_rate){.uid = uid, .started = now};
    if (mine->count > DT_DAEMON_RATE_MAX)
        return DT_RATE_OVER;
    mine->count++;
    return mine->count <= DT_DAEMON_RATE_MAX ? DT_RATE_OK : DT_RATE_FIRST_OVER;
}
