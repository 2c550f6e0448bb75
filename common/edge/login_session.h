/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Login sessions as the host keeps account of them: logind's state, which is root's to write, found by what
 * the kernel says of a process (its audit session, or its control group). */
#ifndef DT_EDGE_LOGIN_SESSION_H
#define DT_EDGE_LOGIN_SESSION_H

#include "core/base/bytes.h"

#include <sys/types.h>

#define DT_LOGIN_SEAT_MAX 32
#define DT_LOGIN_HOST_MAX 64

typedef struct dt_login_session {
    bool seats_kept; /* somebody keeps account of sessions here */
    bool found;      /* the process is in a session that is kept */
    bool remote;
    bool also_remote;                    /* another session of the same person is remote */
    bool display_has_seat;               /* a local session with a seat has the display asked for */
    bool below_network_daemon;           /* sshd, telnetd or their like is an ancestor */
    char seat[DT_LOGIN_SEAT_MAX];        /* "" = none */
    char remote_host[DT_LOGIN_HOST_MAX]; /* of a remote session; "" = not known */
} dt_login_session;

/* Fills *out for the process; what cannot be read is as if it were not there. `display`: ":0" and the like,
 * or "" for none. `proc` and `run` are "/proc" and "/run/systemd"; tests bring others. Whoever calls makes
 * sure that the pid has not changed hands meanwhile. Thread safe. */
void dt_login_session_read(char const *proc, char const *run, pid_t pid, char const *display,
                           dt_login_session *out);

#endif
