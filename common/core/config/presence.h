/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does the person who signs on sit at this host? What this host has to show (its certificate, the managed
 * app configuration) is about the device that the person uses only then. */
#ifndef DT_CORE_PRESENCE_H
#define DT_CORE_PRESENCE_H

#include <stdbool.h>

typedef enum dt_presence {
    DT_PRESENCE_UNKNOWN = 0, /* nothing says so: counts like REMOTE */
    DT_PRESENCE_REMOTE,
    DT_PRESENCE_HERE,
} dt_presence;
/* "unknown", "remote", "here". Never NULL. */
char const *dt_presence_name(dt_presence p);

/* Who is believed ([daemon] person_at_host). */
typedef enum dt_presence_by {
    DT_PRESENCE_BY_AUTO = 0, /* the seat, where the host keeps account of seats; else the service */
    DT_PRESENCE_BY_SEAT,     /* the seat alone */
    DT_PRESENCE_BY_SERVICE,  /* the administrator, who has listed the service */
} dt_presence_by;

/* What is known. The zero value: nothing. */
typedef struct dt_presence_facts {
    char const *rhost; /* PAM_RHOST; "" = none */
    char const *tty;   /* PAM_TTY; "" = none */
    bool seats_kept;   /* logind, or what takes its place, runs here */
    /* of the login session that the process which asks is in, by the kernel's word */
    bool in_session;
    bool session_remote;
    bool session_has_seat;
    bool also_remote; /* the same person has a remote session at the same time */
    /* of the session that has the X display PAM_TTY, if that is one */
    bool display_has_seat;
    bool below_network_daemon; /* sshd, or its like, is among the ancestors of that process */
} dt_presence_facts;

dt_presence dt_presence_judge(dt_presence_by by, dt_presence_facts const *f);

/* True where the person sits at a terminal of this host with a line of its own ("tty1", "/dev/ttyS0"): not at a
 * pseudo-terminal, which any program can make, nor at a display. No setting can loosen it. */
bool dt_presence_at_terminal(dt_presence_facts const *f);

/* True for an X display of this host, such as ":0" or "unix:0.0". */
bool dt_presence_is_display(char const *tty);

#endif
