/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver: performs the steps of any number of sign-ons on one event loop (libevent), without a thread each.
 * Kept connections, the Graph token, the audit sink and the store are shared by all. live.c defines
 * dt_driver_acquire, _acquire_service, _release, _files and _site, run.c dt_driver_submit and dt_driver_store_do,
 * inline.c dt_driver_run_blocking, refresh.c dt_driver_ocsp_wait, room.c dt_driver_machine_new and _free. */
#ifndef DT_DRIVER_DRIVER_H
#define DT_DRIVER_DRIVER_H

#include "core/base/expiry.h"
#include "core/session/session.h"
#include "core/signon/signon.h"
#include "edge/site.h"

struct event_base;

typedef struct dt_driver dt_driver;
typedef struct dt_run dt_run; /* one sign-on under way in the loop */

#define DT_DRIVER_RUNS_MAX 20000 /* default ceiling on sign-ons under way */

/* Callbacks to a front door. Called on the loop's thread. Outcomes come exactly once per run, after
 * which the dt_run is gone. */
typedef struct dt_door {
    char const *name; /* "pam", "radius", "cli" */
    void (*prompt)(void *ctx, dt_run *run, dt_prompt const *prompt);
    /* A CHALLENGE conversation stops here: the machine waits for an answer that will come with
     * another request. The door saves it (borrowed during the call); the run then ends. */
    void (*suspend)(void *ctx, dt_run *run, dt_signon const *machine, dt_prompt const *prompt);
    /* `machine` is borrowed during the call; NULL where memory ran out for it, and the outcome denies. */
    void (*done)(void *ctx, dt_outcome const *outcome, dt_signon const *machine);
    bool unaudited; /* nobody signs on: the machine only explains, and there is no event */
} dt_door;

/* How much a line for the door's log matters. */
typedef enum dt_notice {
    DT_NOTICE_NEWS = 0,
    DT_NOTICE_WARNING, /* all works; something ends soon */
    DT_NOTICE_FAULT,
} dt_notice;

typedef struct dt_driver_options {
    char const *config_path;
    int runs_max;    /* 0 = DT_DRIVER_RUNS_MAX */
    bool own_thread; /* start the loop in a thread (modules); else the caller runs it */
    bool quiet;      /* write no audit events (explain) */
    /* Export metrics, where [metrics] says so, under the name of this door ("pam", "radius"); borrowed for as long as
     * the driver lives. NULL: do not. */
    char const *export_door;
    /* Whose open sessions this process looks after (driver/sessions.h); NO_DOOR: none. */
    dt_session_door sessions;
    /* Take changed files without a restart: they are looked at every few seconds, and whenever
     * dt_driver_reload is called. The functions are called on a thread of the driver's own, one at a
     * time, and may be NULL. */
    bool watch;
    /* Whether the door can work with a site that it has not used so far; an error keeps it away. */
    int (*accept)(void *ctx, dt_site const *files, dt_error *e);
    /* What came of it, and once a day what of the site has ended or is about to, for the door's own log.
     * `text` is one line, safe for a terminal. */
    void (*notify)(void *ctx, dt_notice notice, char const *text);
    /* For the service manager: which configuration is in force, and when the files were read. Like notify, after each
     * try to load changed files. */
    void (*status)(void *ctx, char const *text);
    void *watch_ctx;
    /* Descriptor of the kernel's log (edge/kernel_log.h), opened before root was given up, which the
     * driver takes over; below 0: there is none. 0: the driver tries to open it itself. */
    int kernel_log;
} dt_driver_options;

/* Loads the site, opens store and audit sink, makes the loop. */
DT_MUST_USE int dt_driver_new(dt_driver_options const *o, dt_driver **out, dt_error *e);
/* Ends all runs (BUSY; pushes under way are cancelled, for at most a few seconds), flushes the audit
 * queue, joins the thread. Every door has had its outcomes when it returns; what a door has in the
 * base (sockets, timers) is then no longer served and must be freed before dt_driver_free. Not from
 * a callback. Does nothing the second time. */
void dt_driver_close(dt_driver *d);
/* dt_driver_close, then frees. In a forked child it only forgets: the rest is the parent's. */
void dt_driver_free(dt_driver **d);
/* Runs the loop on the calling thread until dt_driver_stop. */
DT_MUST_USE int dt_driver_run(dt_driver *d);
/* Thread and signal safe. */
void dt_driver_stop(dt_driver *d);
/* The site in force; borrowed. Of a driver that watches the files it may go at any time: there it is
 * only for who has just made the driver and not yet run it; all else takes hold. */
dt_site const *dt_driver_site(dt_driver *d);
/* Takes hold of the site in force, as one application sees it: whatever is loaded meanwhile, it stays
 * as it is until dt_driver_release. A machine begun with it may run inline, be submitted (the loop then
 * has a hold of its own) or be loaded, as long as it is held. Thread safe, without a lock. */
void dt_driver_acquire(dt_driver *d, char const *application, dt_ruleset *out);
/* Like dt_driver_acquire, for a PAM service, which may be a variant. Gives the application
 * (dt_site_application_of), of the site that is held or the argument. */
char const *dt_driver_acquire_service(dt_driver *d, char const *service, dt_ruleset *out);
/* Gives it back; does nothing for a zero ruleset. */
void dt_driver_release(dt_ruleset *ruleset);
/* All of it. Borrowed from the hold. */
dt_site const *dt_driver_files(dt_ruleset const *ruleset);
/* Looks at the files soon, and loads them whether they seem changed or not. Nothing where the driver
 * does not watch. Thread safe. */
void dt_driver_reload(dt_driver *d);
/* For a door's own sockets and timers, on the loop's thread (or before it runs). */
struct event_base *dt_driver_base(dt_driver *d);

/* Runs `fn` on the loop's thread soon. Thread safe. DT_E_LIMIT when the queue is full. */
DT_MUST_USE int dt_driver_post(dt_driver *d, void (*fn)(void *ctx), void *ctx);

/* Storage for a machine with its scratch attached, to begin or load one in; NULL without memory. Thread
 * safe. */
dt_signon *dt_driver_machine_new(void);
/* Wipes, frees and nulls; nothing for NULL. */
void dt_driver_machine_free(dt_signon **machine);

/* Performs steps on the calling thread as long as none must wait: store operations and signatures. Returns true
 * when the machine is done (its audit event has been queued, unless it only looked up), false when it now wants
 * HTTP, a prompt or a wait: then hand it to dt_driver_submit, or save it. Thread safe for different machines.
 * `door_name` as in dt_door. */
DT_MUST_USE bool dt_driver_run_inline(dt_driver *d, dt_signon *machine, char const *door_name);

/* Takes over a machine (copied) and drives it to its end on the loop. Thread safe: may be called from any thread;
 * callbacks come on the loop's thread. `run_out`, if not NULL, is set before any callback and may be used on the
 * loop's thread only. DT_E_LIMIT when runs_max are under way. */
DT_MUST_USE int dt_driver_submit(dt_driver *d, dt_signon const *machine, dt_door const *door,
                                 void *ctx, dt_run **run_out);
/* On the loop's thread: */
/* The machine may ask an SSH agent (dt_request.agent): `fd`, which is taken over, is connected to it.
 * Right after dt_driver_submit. Only what is sent and read without waiting is: it may be shared. */
void dt_run_take_agent(dt_run *run, int fd);
void dt_run_answer(dt_run *run, dt_bytes answer);
void dt_run_abandon(dt_run *run, dt_cause cause);
/* What the door knows of the way to the person, for the event, while it has no other note; "" takes it
 * back. */
void dt_run_note(dt_run *run, char const *why);
/* The door's context is no longer there: no callback will come any more; the machine is abandoned and
 * finishes (cancelling its push) on its own. */
void dt_run_detach(dt_run *run, dt_cause cause);

/* Drives a machine and blocks the calling thread until its outcome, at most `limit` milliseconds
 * (then it is abandoned and denied). For EAP-TLS's last round only. At most `blocking_max` threads
 * may be in here at once (counted by the caller). */
DT_MUST_USE int dt_driver_run_blocking(dt_driver *d, dt_signon *machine, char const *door_name,
                                       dt_time limit, dt_outcome *out);

/* Starts a background refresh of a device's Intune answer unless one for it is under way. Thread safe. */
void dt_driver_refresh(dt_driver *d, dt_guid const *device_id);
/* The same, and blocks the calling thread until that refresh (or the one that is under way) has
 * ended, at most `limit` milliseconds. For a thread that cannot leave its sign-on to the loop, so that
 * a look-up does not have to be waited for as long as a person. Such threads are counted by the
 * caller. Thread safe; returns at once on the loop's own thread. */
void dt_driver_refresh_wait(dt_driver *d, dt_guid const *device_id, dt_time limit);

/* Like dt_driver_refresh_wait, for what an OCSP responder says of a certificate. */
void dt_driver_ocsp_wait(dt_driver *d, dt_ocsp_question const *question, dt_time limit);

/* Performs one store operation on the calling thread, such as keeping or taking the saved sign-on
 * behind a RADIUS State. `scratch` and `out` as in dt_store_do. Thread safe. */
void dt_driver_store_do(dt_driver *d, dt_store_op const *op, dt_buf *scratch, dt_store_result *out);

/* Writes the audit events of a refusal: of a machine that ended, or made by the door itself before any
 * machine ran, with machine NULL and ctx filled. Queued; formatted here; thread safe. */
void dt_driver_audit(dt_driver *d, dt_outcome const *o, dt_signon const *machine,
                     char const *door_name, dt_audit_context const *ctx);

typedef struct dt_driver_stats {
    uint64_t runs, runs_under_way, http_calls, audit_dropped;
} dt_driver_stats;
/* Hands each thing of the site in force whose end is known to `fn`, the soonest first; borrowed during the call. Once
 * the driver is made; thread safe. */
void dt_driver_expiries(dt_driver *d, void (*fn)(void *ctx, dt_expiry const *x), void *ctx);
void dt_driver_stats_get(dt_driver *d, dt_driver_stats *out);

#endif
