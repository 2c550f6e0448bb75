/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process inherits from whoever started it. su and sudo are started by anybody, with resource
 * limits, signals, timers, a priority and a working directory of their choice, and all of that passes
 * through exec(2) to `devtrustd --one`. These functions put our own in their place. */
#ifndef DT_PAM_INHERITED_H
#define DT_PAM_INHERITED_H

/* Signals to their defaults and none blocked, interval timers off. SIGPIPE and SIGXFSZ are ignored: a
 * write that they are about fails with EPIPE or EFBIG instead, which is reported. For any process of
 * our own that has one thread. Async-signal-safe. */
void dt_inherited_reset_signals(void);

/* Everything above, and resource limits, user and group ids (all of root, no supplementary group),
 * priority and scheduling, timer slack, personality, umask, and the working directory. For a process
 * with one thread that has root's effective uid; called before it opens anything. Async-signal-safe,
 * so that it can stand between fork and exec. Returns 0, or the errno of what must not fail: the ids
 * and the working directory. A limit that cannot be lifted (no CAP_SYS_RESOURCE) stays. */
int dt_inherited_reset(void);

/* Descriptors 0 to 2 lead somewhere afterwards: to /dev/null where they were closed, or a file that is
 * opened later would take the place of standard error. Returns 0 or an errno. Async-signal-safe. */
int dt_inherited_fill_standard_files(void);

/* The first limit that is below what a sign-on may need, by its name as prlimit(1) writes it; NULL when
 * there is none. Async-signal-safe. */
char const *dt_inherited_limit_in_the_way(void);

#endif
