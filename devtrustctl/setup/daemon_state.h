/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether devtrustd goes by the files that were just written: only then may sshd be reloaded, whose new lines rely on
 * it. systemd's reload returns when the signal was sent, not when it was followed. */
#ifndef DT_SETUP_DAEMON_STATE_H
#define DT_SETUP_DAEMON_STATE_H

#include "core/base/bytes.h"

typedef enum dt_daemon_state {
    DT_DAEMON_BEHIND = 0, /* it may still go by older files: ask again */
    DT_DAEMON_CURRENT, /* it read the files after `since`, or is started anew by the next login */
    DT_DAEMON_REFUSES, /* it read them, and does not apply them */
} dt_daemon_state;

/* Reads what `systemctl show -p ActiveState -p ExecMainStartTimestampMonotonic -p StatusText` prints; `since` is in
 * milliseconds of CLOCK_MONOTONIC. devtrustd's status says "files read at N ms"; see devtrustd(8). Pure. */
dt_daemon_state dt_daemon_state_of(char const *shown, int64_t since);

#endif
