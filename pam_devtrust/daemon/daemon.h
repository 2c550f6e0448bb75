/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of devtrustd: the front door for PAM. It takes requests from pam_devtrust.so over a
 * socket, decides who may ask for whom, and has the driver carry out the sign-ons.
 *
 * One thread does everything on the driver's loop. Only what may block has threads of its own, and is
 * handed back by dt_driver_post: what the name service is asked (groups, the caller's own name), and
 * what comes from callers other than root. */
#ifndef DT_PAM_DAEMON_H
#define DT_PAM_DAEMON_H

#include "core/base/bytes.h"
#include "driver/driver.h"
#include "pam_devtrust/protocol/protocol.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#define DT_DAEMON_FD 3            /* of --one, and the first of systemd's */
#define DT_DAEMON_BACKLOG 128     /* connections that the kernel keeps for us */
#define DT_DAEMON_REQUEST_MS 5000 /* from connecting until the request is there */
#define DT_DAEMON_DRAIN_MS                                                                         \
    62000 /* from SIGTERM on, for those who wait: the longest wait_pam and a little */
#define DT_DAEMON_STOP_MS 4000   /* at the end, for cancelling pushes and answering the modules */
#define DT_DAEMON_REFUSE_MS 2000 /* a daemon without a configuration refuses for so long */
#define DT_DAEMON_WATCHDOG_MAX_MS (24 * 3600 * 1000) /* longest time of the service manager's */
#define DT_DAEMON_PAUSE_MS 200 /* without accepting, when descriptors have run out */
#define DT_DAEMON_SPARE 64     /* connections beyond max_sign_ons, to be answered that it is busy */
#define DT_DAEMON_LOOKUPS_MAX 32 /* threads in the name service */
#define DT_DAEMON_THREAD_STACK (256 * 1024)
#define DT_DAEMON_CARRIERS_MAX 64 /* connections of lock screens, each with a thread */
#define DT_DAEMON_GROUPS_BYTES (DT_GROUPS_MAX * DT_GROUP_NAME_MAX)
#define DT_DAEMON_PER_USER_MAX 8 /* connections of one caller other than root */
#define DT_DAEMON_RATE_MAX 30    /* connections of one caller other than root within a window */
#define DT_DAEMON_RATE_WINDOW DT_SECONDS(60)
#define DT_DAEMON_RATE_SLOTS 256 /* callers other than root that are counted at a time */
#define DT_DAEMON_HOST_MAX 256
#define DT_DAEMON_ADMITTED_KEPT DT_MINUTES(10) /* from being let in to the session line of sshd */
#define DT_DAEMON_ADMITTED_BYTES 64            /* of the cause's name, which is the row's value */
#define DT_DAEMON_SERVICE_USER "devtrust"

typedef struct dt_rate {
    uid_t uid;
    unsigned count;  /* 0: the slot is free */
    int64_t started; /* monotonic milliseconds */
} dt_rate;

/* What is listened on, or in `main` the one connection of --one; -1 = none. */
typedef struct dt_sockets {
    int main;        /* of root's modules */
    int lock_screen; /* of everybody else's */
} dt_sockets;

/* Where the person reads what a connection shows; zero: not known. */
typedef struct dt_terminal {
    uint32_t columns, rows;
    bool utf8;
} dt_terminal;

typedef struct dt_daemon dt_daemon;
typedef struct dt_lookup dt_lookup;

/* One connection: one sign-on of one module. It lives until its run has ended, even when the module
 * has left: until then it counts against the limits. */
typedef struct dt_conn {
    dt_daemon *daemon;
    struct dt_conn *previous, *next;
    int fd;    /* -1 once the module has left */
    int agent; /* connected to the person's SSH agent, until a run takes it; -1 = none */
    uid_t uid;
    pid_t pid; /* who connected; good as long as they have not hung up */
    bool over_limit;
    bool asked; /* the request has come */
    struct event *readable, *timer;
    dt_lookup *lookup; /* under way */
    dt_run *run;       /* under way */
    uint32_t number;   /* of the last prompt */
    dt_terminal terminal;
    bool drawn; /* a link was drawn: once is enough */
    dt_pam_phase phase;
    bool key_verified;                /* by sshd, before it asked; see DT_REPORT_ONLY_AFTER_KEY */
    dt_buf facts;                     /* of the session that would begin; see session.c */
    char admission[DT_STORE_KEY_MAX]; /* where to keep that it was let in; "" = nowhere */
} dt_conn;

struct dt_daemon {
    dt_driver *driver;
    int max_sign_ons;
    bool one;          /* serves one connection, then ends */
    char const *limit; /* of whoever started the login, in the way and not to be lifted; or NULL */
    bool stopping;
    bool retiring; /* ends once it has no connection */
    bool draining; /* and in DT_DAEMON_DRAIN_MS at the latest */
    int listen_fd;
    struct event *listen_event, *pause_timer, *stop_timer;
    struct event *watchdog; /* NULL: nobody waits for signs of life */
    struct event *signals[4];
    dt_conn *first;
    int count; /* connections */
    int lookups;
    bool has_lock_screens;
    bool logged_strangers;
    uint8_t *packet; /* DT_PROTOCOL_REQUEST_MAX bytes */
    pthread_mutex_t post_lock;
    bool posts_end; /* under post_lock: the driver is going, threads must not touch it */
};

/* --- log.c ------------------------------------------------------------------------------------------ */
/* To syslog; with `also_stderr` to standard error too. */
void dt_log_open(bool also_stderr);
void dt_log(int priority, char const *fmt, ...) DT_PRINTF(2, 3);

/* --- connection.c; on the loop's thread ------------------------------------------------------------- */
/* Takes `fd` over, which root's module has connected to; others are sent away. */
void dt_conn_open(dt_daemon *d, int fd);
/* Takes `fd` over, over which packets of that peer come. */
void dt_conn_open_for(dt_daemon *d, int fd, struct ucred const *peer);
/* Sends the module the outcome and ends the connection, which is freed. The address that the outcome's message sends
 * the person to is drawn where `machine`, whose outcome it is, says which; NULL: there is none. */
void dt_conn_finish(dt_conn *c, dt_outcome const *o, dt_signon const *machine);
/* The module has left, or broke the protocol: what is under way is given up. The connection may be
 * gone then. */
void dt_conn_release(dt_conn *c);
/* Drops all without a word: after the loop. */
void dt_conns_drop(dt_daemon *d);

/* --- request.c; on the loop's thread ---------------------------------------------------------------- */
/* Starts what a REQUEST asks for; `packet` holds it. The connection may be gone afterwards. */
void dt_request_start(dt_conn *c, dt_message const *m, uint8_t const *packet, size_t len);
/* The connection is gone: a look-up that is under way has nobody to answer. */
void dt_request_forget(dt_conn *c);

/* --- drawing.c --------------------------------------------------------------------------------------- */
#define DT_DAEMON_DRAWING_MAX 8192 /* bytes of a drawing; a larger one is left out */
/* What is known of the terminal of a request, and what [mfa] qr_code makes of it. */
dt_terminal dt_terminal_of(dt_message const *m, dt_config const *config, bool sshd);
/* Sends the link as a QR code, in front of `text`, which the person reads below it: nothing where it is empty, was
 * drawn before or does not fit together with the text. False when the module takes nothing more. */
DT_MUST_USE bool dt_conn_draw(dt_conn *c, char const *link, char const *text);
/* Sends information or a prompt. False as above. */
DT_MUST_USE bool dt_conn_send_text(dt_conn *c, dt_prompt_style style, char const *text);

/* What the session line says. The connection stays. */
void dt_request_session(dt_conn *c, dt_message const *m);

/* --- session.c --------------------------------------------------------------------------------------- */
/* Keeps of a sign-on what its session will be known by, where it may begin one. */
void dt_session_facts_keep(dt_conn *c, dt_message const *m, dt_ruleset const *ruleset,
                           dt_request const *r);
/* It was let in: the session is about to begin. Nothing where there are no facts. */
void dt_session_facts_use(dt_conn *c, dt_outcome const *o);
/* A session of this user was opened or closed. */
void dt_session_line(dt_conn *c, dt_message const *m, char const *user, dt_ruleset const *ruleset);

/* --- admission.c ------------------------------------------------------------------------------------- */
/* The row of an SSH connection (dt_host_connection) and the account that is opened. False, and "", where one
 * of them is not known. */
bool dt_admission_key(char const *connection, char const *service, char const *account,
                      char out[DT_STORE_KEY_MAX]);
/* A store that takes nothing is logged: the session line then decides anew. */
void dt_admission_keep(dt_daemon *d, char const *key, dt_cause cause);
/* True, and the outcome of then, when that connection was let in for that account; once. */
bool dt_admission_take(dt_daemon *d, char const *key, dt_outcome *out);

/* --- lock_screen.c ----------------------------------------------------------------------------------- */
/* Takes connections of callers other than root until the process ends, in threads of its own, and hands
 * each to the loop as it asks. `d` and `listen_fd` must stay until then. DT_E_NOMEM. */
/* Whether any of lock_screen_services has a policy, so that a lock screen can be answered at all. */
bool dt_lock_screens_wanted(dt_ruleset const *ruleset);
DT_MUST_USE int dt_lock_screen_serve(dt_daemon *d, int listen_fd);

/* --- rate.c ------------------------------------------------------------------------------------------ */
typedef enum dt_rate_answer {
    DT_RATE_OVER = 0,   /* one too many, or more callers than can be counted */
    DT_RATE_FIRST_OVER, /* the first of these within the window: worth a line in the log */
    DT_RATE_OK,
} dt_rate_answer;
/* Counts one more connection of a caller. `now` is monotonic milliseconds. */
dt_rate_answer dt_rate_take(dt_rate slots[DT_DAEMON_RATE_SLOTS], uid_t uid, int64_t now);

/* --- socket.c ---------------------------------------------------------------------------------------- */
/* The listening sockets that systemd hands over; main is -1 when it handed over none. The lock screens' is
 * the one that is named so (FileDescriptorName=, systemd.socket(5)). DT_E_INVALID when what it handed
 * over is something else. */
DT_MUST_USE int dt_socket_inherited(dt_sockets *out, dt_error *e);
/* Which socket of the file system one is. */
typedef struct dt_socket_place {
    dev_t device;
    ino_t inode; /* 0: none */
} dt_socket_place;

/* Makes one at `path`, for root alone to connect to, or for everybody, and holds PATH.lock as long as
 * the process lives. One that nobody listens on is replaced; where somebody does, or may, it is
 * DT_E_EXISTS. *made is for dt_socket_remove. */
DT_MUST_USE int dt_socket_listen(char const *path, bool for_all, int *fd, dt_socket_place *made,
                                 dt_error *e);
/* Removes it, unless another is there by now. */
void dt_socket_remove(char const *path, dt_socket_place const *made);
/* DT_E_INVALID unless `fd` is a connected SOCK_SEQPACKET Unix socket. */
DT_MUST_USE int dt_socket_check_connected(int fd, dt_error *e);
/* Sends the service manager "READY=1", "STOPPING=1", when it wants to know. */
void dt_notify(char const *state);

/* --- process.c --------------------------------------------------------------------------------------- */
/* The first of all, before anything is opened and before root is given up. With `one`: nothing that a
 * caller of a setuid program may have brought along stays (pam_devtrust/protocol/inherited.h), the
 * environment included. Else signals and closed standard files alone: limits are the service
 * manager's. */
DT_MUST_USE int dt_process_begin(bool one, dt_error *e);
/* Leaves the parent, which is a PAM application that must not be burdened with a child. */
DT_MUST_USE int dt_process_detach(dt_error *e);
/* Becomes `user` when started as root (NULL: devtrust, or stays root where there is no such user), then
 * forgoes core dumps, the working directory, and files that others can read. */
DT_MUST_USE int dt_process_settle(char const *user, dt_error *e);

/* A detached thread. False when there cannot be one. */
bool dt_thread_start(void *(*fn)(void *), void *ctx);

/* --- refuse.c ---------------------------------------------------------------------------------------- */
/* Without a configuration: refuses what comes, for a short while. With `one` the main socket is the one
 * connection. */
void dt_refuse(dt_sockets const *sockets, bool one);

/* --- daemon.c ---------------------------------------------------------------------------------------- */
/* Monotonic milliseconds. */
int64_t dt_daemon_mono(void);
/* A timer's time. */
struct timeval dt_daemon_time(int milliseconds);
/* A connection has gone: listen again, or end. */
void dt_daemon_conn_gone(dt_daemon *d);
/* Serves until a signal ends it. */
DT_MUST_USE int dt_daemon_serve(dt_driver *driver, dt_sockets const *sockets, bool one,
                                dt_error *e);

#endif
