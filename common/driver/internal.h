/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of the driver, shared by its own files only.
 *
 * One thread, the loop's, owns runs, HTTP calls, the token and all events: none of them has a lock.
 * Other threads reach it through a queue of posts and an eventfd. What other threads touch directly
 * (store, audit queue, table of refreshes, counters) has a lock of its own or is atomic. */
#ifndef DT_DRIVER_INTERNAL_H
#define DT_DRIVER_INTERNAL_H

#include "core/base/breaker.h"
#include "core/okta/okta_budget.h"
#include "core/okta/okta_device.h"
#include "core/signon/remembered.h"
#include "core/intune/intune.h"
#include "driver/audit_queue.h"
#include "driver/driver.h"
#include "core/base/oauth.h"
#include "core/metrics/metrics.h"
#include "driver/entra_credentials.h"
#include "driver/okta_credentials.h"
#include "edge/host_key.h"
#include "edge/managed_file.h"
#include "edge/http_curl.h"
#include "edge/site_watch.h"
#include "edge/store.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#define DT_DRIVER_HOST_MAX 256
#define DT_AUDIT_NOTE_MAX 2048    /* of the line for people; longer is cut */
#define DT_DRIVER_POSTS_MAX 65536 /* functions waiting for the loop, starts of runs not counted */
#define DT_DRIVER_DRAIN_MS 4000   /* at the end, for cancelling the pushes that are under way */
#define DT_DRIVER_SLEEP_MAX DT_MINUTES(1) /* of one wait: then the wall clock is asked again */
#define DT_DRIVER_STORE_TICK_MS 200
#define DT_DRIVER_STORE_RETRY DT_SECONDS(5) /* between two tries to open a broken store */
#define DT_DRIVER_ROOMS 4 /* kept for runs that are driven: one ends another now and then */
#define DT_TOKEN_BACKOFF_MIN DT_SECONDS(2) /* after a failed fetch; doubled at each further one */
#define DT_TOKEN_BACKOFF_MAX DT_SECONDS(60)
#define DT_TOKEN_DROP_INTERVAL DT_SECONDS(5) /* between two tokens thrown away for a 401 */
#define DT_TOKEN_LIFE_MIN DT_SECONDS(5)      /* a token that lives shorter is as good as none */
#define DT_SIGN_QUEUE_MAX 32                 /* signatures that wait for a token or a TPM */
#define DT_SIGN_LIMIT_MS 3000                /* longest wait of a sign-on for its own */
#define DT_REFRESH_SLOTS 1024 /* devices and certificates refreshed now or a short while ago */
#define DT_REFRESH_PAUSE DT_SECONDS(10) /* between two refreshes of one device */

#define DT_RELOAD_CHECK DT_SECONDS(3)      /* between two looks at the files */
#define DT_RELOAD_RETRY DT_SECONDS(30)     /* between two tries at files that are broken */
#define DT_RELOAD_SAY_AGAIN DT_MINUTES(10) /* between two lines about the same fault */
#define DT_EXPIRY_SAY_AGAIN DT_DAYS(1)     /* between two warnings of the same end */
#define DT_KEEP_ALIVE_AFTER DT_DAYS(1) /* an API token that nobody has used for so long is used */
#define DT_KEEP_ALIVE_FIRST                                                                        \
    DT_MINUTES(10)              /* after a start: it is not known when it was used last */
#define DT_RELOAD_START_TRIES 3 /* at the start, while the files are being written */

typedef struct dt_live_site dt_live_site;

typedef struct dt_export dt_export;
typedef struct dt_signer dt_signer;
typedef struct dt_sign_job dt_sign_job;
typedef struct dt_agent_link dt_agent_link;

typedef struct dt_post {
    struct dt_post *next;
    void (*fn)(void *ctx);
    void *ctx;
    bool owned; /* freed by the loop; else it is part of what ctx points to */
} dt_post;

/* One HTTPS call and all the runs that wait for it. A question to Graph or Okta about a device, or to an OCSP
 * responder about a certificate, is asked once, however many sign-ons need its answer at the time;
 * every other call has one run. */
#define DT_CIRCUITS_MAX 16
#define DT_CIRCUIT_HOST_MAX 300
#define DT_CIRCUIT_FAIR_TIME                                                                       \
    DT_SECONDS(10) /* without an answer for so long, a service is not there */
#define DT_CIRCUIT_PAUSED_TEXT                                                                     \
    "not asked: calls to this service have failed one after another, and it is tried now and "     \
    "then; the system log "                                                                        \
    "has the reason"

/* One host that calls go to. */
typedef struct dt_circuit {
    char host[DT_CIRCUIT_HOST_MAX]; /* "https://host:port"; "" = free */
    int64_t used;                   /* monotonic milliseconds */
    dt_breaker breaker;
} dt_circuit;

/* A call that was let through. */
typedef struct dt_circuit_call {
    dt_circuit *circuit; /* NULL: it has ended */
    char host[DT_CIRCUIT_HOST_MAX];
    bool probe, short_time;
    uint64_t person;
} dt_circuit_call;

typedef struct dt_shared_call {
    struct dt_shared_call *next; /* under way, and others may join */
    dt_live_site const *live;    /* with whose credentials it was sent */
    dt_http_call *call;
    dt_run *first;
    unsigned token_used;
    bool counted; /* in the budget, as a request of this kind */
    dt_http_service service;
    int64_t begun; /* monotonic milliseconds */
    dt_okta_kind kind;
    dt_circuit_call circuit;
    size_t url_len, body_len; /* the body: of a question by POST; 0 for one by GET */
    char text[];              /* the URL, and the body after it */
} dt_shared_call;

/* A device id, alone or with a login after it; or the key of an OCSP question. */
#define DT_REFRESH_NAME_MAX (DT_GUID_LEN + 1 + DT_LOGIN_MAX)

typedef struct dt_refresh_slot {
    char name[DT_REFRESH_NAME_MAX];
    int64_t started; /* monotonic milliseconds */
    bool busy;
} dt_refresh_slot;

/* Whom a token is for. */
typedef enum dt_token_kind {
    DT_TOKEN_FOR_GRAPH = DT_ENTRA_FOR_GRAPH,
    DT_TOKEN_FOR_COMPLIANCE = DT_ENTRA_FOR_COMPLIANCE,
    DT_TOKEN_FOR_OKTA,
    DT_TOKEN_KINDS,
} dt_token_kind;

/* A run that waits, for whatever it is, has its machine in the packed form; while it is driven, in one of the
 * loop's rooms. Whoever looks at the machine asks dt_run_machine for it. */
struct dt_run {
    dt_driver *driver;
    dt_live_site *live; /* whose site the machine uses; held */
    dt_buf packed;      /* empty while there is `machine` */
    dt_signon *machine; /* NULL while it is packed */
    dt_door door;       /* all NULL for a refresh */
    void *ctx;
    bool is_refresh;
    unsigned refresh_slot;
    dt_run **list; /* head of the list it is in; NULL before it begins */
    dt_run *previous, *next;
    dt_post start;
    struct event *timer;
    bool stepping, again; /* the machine is being driven; somebody asked meanwhile */
    bool detached;
    bool noted;           /* the detail of the outcome is the door's note */
    dt_sign_job *signing; /* a signature that is waited for, until `sign_until` */
    int64_t sign_until;   /* monotonic milliseconds */
    dt_agent_link *agent; /* the person's SSH agent; NULL: none, or no longer needed */
    /* the HTTPS request under way, from asking for a token to the reply */
    bool http_busy;
    dt_shared_call *call;
    dt_run *call_next; /* who waits for the same call */
    dt_http_method method;
    bool
        only_asks; /* no harm is done when it is dropped: a GET, or a question to an OCSP responder */
    char *url;     /* NULL unless http_busy */
    dt_token_kind token_kind; /* of the token that is used or waited for */
    unsigned token_used;      /* generation of the token it was sent with */
    bool token_retried, nonce_retried;
    bool token_waiting;
    dt_run *token_next;
    /* a poll of its push that is due: pace.c */
    bool polls; /* its timer ends a wait for one */
    bool poll_due, poll_released;
    dt_time poll_at, poll_latest;
    dt_run *poll_previous, *poll_next;
};

/* The token for one service. */
typedef struct dt_token {
    dt_live_site *live;  /* whose it is; from the first fetch on */
    dt_secret *bearer;   /* "Bearer ..."; NULL: none */
    dt_secret *refused;  /* the one before, when the service has refused it */
    unsigned generation; /* raised with each new token */
    dt_time renew_at, expires;
    dt_http_call *call; /* the one fetch under way */
    int64_t begun;      /* monotonic milliseconds */
    dt_http_service service;
    int failures;
    int64_t retry_at; /* monotonic milliseconds: no fetch before */
    int64_t dropped_at;
    dt_http_failure failure; /* of the last fetch, with `error`; OK stands for a rate limit */
    char error[DT_ERROR_TEXT_MAX];
    dt_run *first, *last; /* who waits for the fetch, in order */
} dt_token;

/* A site and what belongs to it: it comes and goes as a whole. A former one stays as long as sign-ons that
 * began with it, which all have an end, so there are as many as files change meanwhile. */
struct dt_live_site {
    int users;          /* who holds it, under live_lock */
    dt_live_site *next; /* of those that are no longer in force, under live_lock */
    dt_driver *driver;
    dt_site *files;
    dt_config const *config;
    dt_ruleset bare_ruleset;         /* without a policy: for refreshes */
    dt_secret *okta_authorization;   /* of an API token; NULL where a service app asks */
    dt_okta_credentials *okta;       /* of that app; NULL: there is none; the loop's */
    dt_host_key *host_key;           /* the signer's, when there is one */
    dt_signer *signer;               /* of a key in a token or TPM; else NULL */
    dt_entra_credentials *entra;     /* NULL: Intune is not configured */
    dt_expiries *expiries;           /* what of it ends, and when */
    dt_token tokens[DT_TOKEN_KINDS]; /* the loop's */
};

/* The watch over the files; the watching thread's own, but for what `lock` guards. */
typedef struct dt_reload {
    bool started;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool wanted, stop; /* under the lock */
    char *config_path;
    dt_config *watched;   /* names the files: of the last try, taken or not */
    dt_site_mark judged;  /* of the files at the last try */
    dt_site_mark last;    /* of the files at the last look */
    dt_site_mark content; /* of the site in force */
    uint64_t generation;
    bool failed;
    int64_t retry_at, logged_at; /* monotonic milliseconds */
    uint64_t warned_of; /* the generation that was looked through for what ends; 0: none yet */
    int64_t warn_at;    /* when it is looked through again; monotonic milliseconds */
    char said[DT_ERROR_TEXT_MAX];
} dt_reload;

/* Keeps the API token from ending for want of use; the loop's. Monotonic milliseconds; 0: never. */
typedef struct dt_keep_alive {
    int64_t began, used_at, asked_at, sent_at;
    dt_http_call *call; /* under way */
    dt_live_site *live; /* of the call; held */
} dt_keep_alive;

struct dt_sessions;

struct dt_driver {
    pid_t pid;
    int runs_max;
    bool quiet, own_thread, thread_started;
    pthread_t thread;
    char host[DT_DRIVER_HOST_MAX];
    pthread_mutex_t live_lock;
    dt_live_site *current; /* the site in force */
    dt_live_site *former;  /* sites that sign-ons still use, or that are about to be freed */
    dt_reload reload;
    dt_driver_options options; /* config_path is not kept here */
    char *store_path;
    int store_size;            /* MiB, of the file */
    dt_spare *spare;           /* limits in memory, for as long as the store does not take them */
    _Atomic(dt_store *) store; /* NULL while it cannot be opened: then every operation fails */
    char store_error[DT_ERROR_TEXT_MAX];
    int64_t store_tried;   /* monotonic milliseconds of the last try to open it */
    dt_spare *tried;       /* DT_TABLE_TRIED */
    uint8_t tried_key[32]; /* random, of this process */
    dt_audit_queue *audit;
    bool audit_fields;            /* dt_audit_sink_takes_fields */
    dt_audit_format audit_format; /* of the file: set at the start */
    struct event_base *base;
    dt_http *http;
    struct event **watches; /* by descriptor */
    size_t watch_count;
    struct event *pace_timer, *http_timer, *tick_timer, *flush_timer, *wake_event;
    int wake_fd;
    dt_shared_call *shared;
    dt_okta_budget budget;
    dt_keep_alive keep_alive;
    dt_circuit circuits[DT_CIRCUITS_MAX];
    struct dt_dae_client *dae;      /* NULL: no NAS was asked so far */
    struct dt_sessions *sessions;   /* NULL: this process looks after none */
    dt_export *export;              /* NULL: metrics go nowhere */
    dt_run *poll_first, *poll_last; /* whose polls are due, in the order in which they became so */
    dt_run *runs, *ending;          /* under way; ending because the driver stops */
    dt_signon *rooms[DT_DRIVER_ROOMS]; /* that no run is driven in: the first room_count */
    size_t room_count;
    bool drained;
    /* other threads too */
    dt_metrics metrics;
    pthread_mutex_t post_lock;
    dt_post *post_first, *post_last;
    int posts;
    bool closed; /* nothing is taken any more */
    pthread_mutex_t refresh_lock;
    dt_refresh_slot *refreshes;
    atomic_bool stop;
    atomic_bool flush_wanted, flush_now;
    _Atomic(uint64_t) runs_total, http_total;
    atomic_int runs_now;
    atomic_size_t sessions_now; /* that are looked after */
    atomic_int dae_count;       /* requests to NASes under way */
};

/* Monotonic milliseconds. */
int64_t dt_driver_mono(void);
/* False in a forked child, where neither thread nor connections are ours. */
bool dt_driver_is_usable(dt_driver const *d);
/* Puts a node into the queue; DT_E_STATE once the driver is closed, DT_E_LIMIT. Thread safe. */
DT_MUST_USE int dt_driver_enqueue(dt_driver *d, dt_post *p);
/* Wakes the loop. Thread and signal safe. */
void dt_driver_wake(dt_driver *d);

/* Writes the audit events of a machine that is done. One that allows is withdrawn (AUDIT_FAILED) unless a
 * sink has taken its event; so ask it for its outcome afterwards. Thread safe. */
void dt_driver_audit_machine(dt_driver *d, dt_signon *machine, char const *door_name);
/* Queues an event, and a line for the system log unless `note` is NULL. Thread safe. */
void dt_driver_audit_put(dt_driver *d, dt_bytes lines, bool success, char const *note);

/* --- live.c: the site in force, and those before it --- */
/* Loads a site and all that belongs to it; *out is as it was on failure. */
DT_MUST_USE int dt_live_site_load(char const *config_path, dt_live_site **out, dt_error *e);
void dt_live_site_free(dt_live_site **live);
/* Puts a site in force, and takes it over. Thread safe. */
void dt_live_site_publish(dt_driver *d, dt_live_site *l);
/* Frees the former sites that nobody uses any more: on a thread that may take its time. */
void dt_live_site_reclaim(dt_driver *d);
/* Frees all; nobody uses any. */
void dt_live_sites_free(dt_driver *d);
/* Takes hold of the site in force. Thread safe. */
dt_live_site *dt_live_site_current(dt_driver *d);
/* One more hold on what is held already. Thread safe. */
dt_live_site *dt_live_site_acquire(dt_live_site *l);
void dt_live_site_release(dt_live_site *l);
/* Whose site a machine uses; the one in force for a machine begun without dt_driver_acquire. The caller
 * holds it, by the machine's site or as the only user of the driver. */
dt_live_site *dt_live_site_of(dt_driver *d, dt_signon const *machine);

/* --- reload.c --- */
/* The first load, and with it what later ones are compared to. */
DT_MUST_USE int dt_reload_start(dt_driver *d, char const *config_path, dt_error *e);
/* Starts to watch the files. */
DT_MUST_USE int dt_reload_watch(dt_driver *d, dt_error *e);
/* Stops watching. Does nothing the second time. */
void dt_reload_stop(dt_driver *d);
void dt_reload_free(dt_driver *d);

/* --- run.c, and room.c for where its machine is; on the loop's thread --- */
void dt_run_step(dt_run *run);
/* The signature that was waited for is there, or is known not to come. */
void dt_run_signed(dt_run *run, dt_sign_result const *r);
/* Ends the request under way with a failure made here, and goes on. */
void dt_run_http_failed(dt_run *run, dt_http_failure failure, char const *error);
/* A run for this machine, which is copied, on a site that the caller holds; NULL without memory, or for a
 * machine without a scratch. Not in the list yet. Any thread. */
dt_run *dt_run_new(dt_driver *d, dt_live_site *live, dt_signon const *machine);
/* Its machine, to be looked at and fed; then dt_run_step or dt_run_rest. NULL without memory: then dt_run_step
 * ends it. */
dt_signon *dt_run_machine(dt_run *run);
/* It waits: its machine is packed. Nothing while it is being driven. */
void dt_run_rest(dt_run *run);
/* Wipes it. */
void dt_run_forget_machine(dt_run *run);
/* The rooms; before any run, and after all. */
DT_MUST_USE int dt_rooms_make(dt_driver *d);
void dt_rooms_free(dt_driver *d);
void dt_run_free(dt_run *run);
/* Into the list and off. As a post: ctx is the run. */
void dt_run_begin(void *run);
/* Ends every run: a read is cut short, a push is cancelled. */
void dt_runs_abandon_all(dt_driver *d);
/* Ends whatever is still there, at once; each door gets its outcome. */
void dt_runs_end_all(dt_driver *d);
/* Store operations and signatures of a step; false for any other step. Any thread. */
bool dt_driver_perform(dt_driver *d, dt_signon *machine, dt_step const *step, dt_time now);

/* --- pace.c: the org's limits; on the loop's thread --- */
DT_MUST_USE int dt_pace_open(dt_driver *d);
void dt_pace_close(dt_driver *d);
/* The run waits for a poll that is due: it is stepped when the budget allows the poll, or at its `poll_latest`. */
void dt_pace_enter(dt_run *run);
/* It no longer waits, if it did. */
void dt_pace_leave(dt_run *run);
/* How long a request of this run has to wait; 0: it may be sent now. */
dt_time dt_pace_wait(dt_run *run, dt_http_request const *r);
/* A call is sent; it has ended (r NULL: it was cancelled). */
void dt_pace_sent(dt_driver *d, dt_shared_call *call, dt_http_request const *r);
void dt_pace_ended(dt_driver *d, dt_shared_call *call, dt_http_response const *r);

/* --- circuit.c: services that are not there; on the loop's thread --- */
/* False: the request is not to be sent (DT_HTTP_PAUSED). True: *out is to be ended once. */
bool dt_circuit_admits(dt_driver *d, dt_config const *config, dt_http_request const *r,
                       dt_circuit_call *out);
/* The call has ended; r NULL: it was given up, or never sent. */
void dt_circuit_ended(dt_driver *d, dt_circuit_call *call, dt_http_response const *r);

/* --- keep_alive.c; on the loop's thread --- */
/* Whether a question is due that only uses the token. Pure. */
bool dt_keep_alive_is_due(dt_keep_alive const *k, int64_t mono);
/* Now and then: asks it, when it is due and the site has an API token and no service app. */
void dt_keep_alive_look(dt_driver *d, int64_t mono);
/* Before the end of the HTTP client. */
void dt_keep_alive_close(dt_driver *d);

/* --- token.c; on the loop's thread --- */
typedef enum dt_token_answer { DT_TOKEN_NONE = 0, DT_TOKEN_READY, DT_TOKEN_COMING } dt_token_answer;
/* Any thread, before the parts are shared. */
/* There is something to ask Entra for a token with. */
bool dt_token_is_configured(dt_live_site const *l);
DT_MUST_USE int dt_token_load_key(dt_live_site *l, dt_error *e);
/* READY: the bearer of the run's site for this service may be used now. COMING: the run is among those who wait;
 * dt_run_step or dt_run_http_failed is called when the fetch has ended. NONE: the token's error says
 * why. */
dt_token_answer dt_token_want(dt_run *run, dt_token_kind kind, dt_time now);
/* No longer waits. */
void dt_token_forget(dt_run *run);
/* The service refused its token of this generation. True: it was dropped, ask for another. */
bool dt_token_refused(dt_live_site *l, dt_token_kind kind, unsigned generation);
void dt_token_close(dt_live_site *l);
/* Of a token whose `live` is set. */
dt_token_kind dt_token_kind_of(dt_token const *t);
/* A new token; takes `bearer` over. */
void dt_token_set(dt_token *t, dt_secret *bearer, dt_time renew_at, dt_time expires);

/* --- token_share.c; on the loop's thread --- */
/* Keeps the token for the other processes with this store. */
void dt_token_share(dt_token const *t);
/* Drops what is kept: the service has refused it. */
void dt_token_unshare(dt_token const *t);
/* Takes the one that another process has kept; false when there is none that is good for a while. */
bool dt_token_take_shared(dt_token *t, dt_time now);

/* --- signer.c --- */
/* Takes `key` over unless it fails (DT_E_NOMEM). Any thread. */
DT_MUST_USE int dt_signer_new(dt_host_key *key, dt_signer **out);
/* On the loop's thread. The result comes by dt_run_signed, unless it is forgotten before. NULL when too many wait. */
dt_sign_job *dt_signer_start(dt_signer *s, dt_run *run, dt_sign_request const *r);
void dt_signer_forget(dt_sign_job *job);
/* Any thread. Does not wait for a device that hangs. */
void dt_signer_close(dt_signer **s);

/* --- agent.c; on the loop's thread --- */
typedef enum dt_agent_answer {
    DT_AGENT_FED = 0, /* the machine has the answer, or why there is none */
    DT_AGENT_WAITS,   /* until something comes (dt_run_step is called then) or `until` */
} dt_agent_answer;
/* Carries on with the question of the step. `until`: monotonic milliseconds. */
dt_agent_answer dt_agent_ask(dt_run *run, dt_agent_request const *r, int64_t *until);
/* Hangs up. */
void dt_agent_close(dt_agent_link **a);

/* --- dae.c: requests to NASes --- */
/* Ends those under way; each caller gets its result. After the last post. */
void dt_dae_close(dt_driver *d);

/* --- export.c: what is counted, for whoever watches --- */
/* Begins where the configuration wants it. Before the loop runs. */
DT_MUST_USE int dt_export_open(dt_driver *d, dt_error *e);
/* After the loop has ended. Does nothing the second time. */
void dt_export_close(dt_driver *d);

/* --- refresh.c --- */
void dt_refresh_ended(dt_driver *d, unsigned slot);
void dt_refresh_hinted(dt_driver *d, dt_signon const *machine);

#endif
