/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrust-signals: hears shared signals (SSF, CAEP, RISC) and Okta's event hooks, and writes news. One thread, one
 * loop.
 *
 * It believes nothing and decides nothing: what it writes causes look-ups by those that hold sessions. It has no secret
 * but those by which transmitters know it and it knows them.
 *
 * main.c starts; loop.c is the event loop with libcurl on it; transmitter.c speaks with one transmitter and polls it
 * (poll.c), token.c has its credentials; listen.c is the listener for pushes and hooks; take.c makes news of what came;
 * status.c writes what devtrustctl shows. */
#ifndef DEVTRUST_SIGNALS_RECEIVER_H
#define DEVTRUST_SIGNALS_RECEIVER_H

#include "core/config/config.h"
#include "core/signals/okta_hook.h"
#include "core/signals/seen.h"
#include "core/signals/ssf.h"
#include "edge/http_curl.h"
#include "edge/jose.h"
#include "edge/news_file.h"

#include <event2/event.h>

#define DT_SIGNALS_USER "devtrust-signals"
#define DT_SIGNALS_SECRET_MIN 16 /* bytes of a secret that comes in a header */
#define DT_SIGNALS_KEYS_PAUSE                                                                      \
    DT_SECONDS(10) /* between two reads of an issuer's keys because one was unknown */
#define DT_SIGNALS_KEYS_AGE DT_HOURS(1)     /* then they are read again */
#define DT_SIGNALS_VERIFY_EVERY DT_HOURS(1) /* a stream is asked for a sign of life */
#define DT_SIGNALS_LOG_MAX 30 /* refusals that are logged in a minute; the rest is counted */
#define DT_SIGNALS_AUDIENCE_TEXT_MAX DT_CONFIG_VALUE_MAX

typedef struct dt_receiver dt_receiver;
typedef struct dt_transmitter dt_transmitter;
typedef struct dt_loop dt_loop;
typedef struct dt_listener dt_listener;

/* What came by one way, for the status. */
typedef struct dt_signals_counts {
    uint64_t events;   /* taken, whatever they said */
    uint64_t news;     /* pieces of news that were written */
    uint64_t repeated; /* seen before */
    uint64_t unknown;  /* of a kind, or about somebody, that is not known */
    uint64_t refused;
    dt_time last_event; /* 0 = none yet */
} dt_signals_counts;

struct dt_receiver {
    dt_config *config;
    dt_loop *loop;
    dt_listener *listener; /* NULL: nothing listens */
    dt_news_writer *news;
    dt_seen *seen;
    dt_http_proxy *proxy;   /* NULL: none */
    dt_secret *hook_secret; /* NULL: hooks are refused */
    dt_signals_counts hooks;
    dt_transmitter *transmitters[DT_CONFIG_TRANSMITTERS_MAX];
    size_t transmitter_count;
    struct event *status_timer;
    bool status_due;
    bool stopping;
    int64_t log_minute; /* of the refusals that were logged */
    unsigned logged;
};

/* --- main.c -------------------------------------------------------------------------------------- */

/* To syslog (daemon), escaped. */
void dt_signals_log(int priority, char const *fmt, ...) DT_PRINTF(2, 3);
/* One more refusal; logged unless there were too many in this minute. */
void dt_signals_log_refusal(dt_receiver *r, char const *who, char const *why);
/* Reads the secret of a header: at least DT_SIGNALS_SECRET_MAX of visible ASCII. DT_OK and NULL for an empty path. */
DT_MUST_USE int dt_signals_header_secret(dt_config const *c, char const *section, char const *key,
                                         char const *path, dt_secret **out, dt_error *e);

/* --- loop.c -------------------------------------------------------------------------------------- */

DT_MUST_USE int dt_loop_new(dt_loop **out, dt_error *e);
/* Ends all requests; their callbacks come from within. */
void dt_loop_free(dt_loop **l);
struct event_base *dt_loop_base(dt_loop *l);
dt_http *dt_loop_http(dt_loop *l);
/* Runs until dt_loop_stop. */
void dt_loop_run(dt_loop *l);
void dt_loop_stop(dt_loop *l);
int64_t dt_loop_mono(void);
struct timeval dt_loop_time(dt_time milliseconds);

/* --- take.c -------------------------------------------------------------------------------------- */

typedef enum dt_taken {
    DT_TAKEN_REFUSED = 0, /* the transmitter learns why: *fault */
    DT_TAKEN_OK,          /* its news is written, or there is none */
    DT_TAKEN_KEY,         /* the issuer's keys have to be read again first */
    DT_TAKEN_NOT_WRITTEN, /* our own trouble: it has to come again */
} dt_taken;

/* Takes a token of this transmitter. `id` is the jti by which it was delivered; NULL where none was. */
dt_taken dt_take_token(dt_transmitter *t, dt_bytes token, char const *id, dt_set_fault *fault,
                       dt_error *e);
/* Takes the body of an event hook. REFUSED: it is not one. */
dt_taken dt_take_hook(dt_receiver *r, dt_bytes body, dt_error *e);

/* --- transmitter.c, poll.c, token.c --------------------------------------------------------------- */

typedef enum dt_task {
    DT_TASK_NONE = 0,
    DT_TASK_METADATA,
    DT_TASK_KEYS,
    DT_TASK_TOKEN,
    DT_TASK_STREAM,
    DT_TASK_CREATE,
    DT_TASK_STATUS,
    DT_TASK_VERIFY,
    DT_TASK_POLL,
} dt_task;

struct dt_transmitter {
    dt_receiver *receiver;
    dt_config_transmitter const *config;
    dt_tls_anchors *anchors; /* NULL: the system's */
    dt_secret *push_secret;  /* NULL: none is asked for */
    /* the credentials */
    dt_secret *authorization; /* "Bearer ..."; NULL: none yet */
    dt_secret *client_secret;
    dt_jws_key *key;
    bool is_fixed; /* the token is that of token_file */
    dt_time renew_at;
    /* what is known of it */
    dt_ssf_metadata metadata;
    bool has_metadata;
    dt_jwks *keys;
    int64_t keys_at;   /* monotonic, when they were last asked for; 0 = never */
    int64_t wanted_at; /* the same, because one was not known */
    bool keys_wanted;  /* for a token whose key is not among them */
    bool keys_asked;   /* they were, since then */
    dt_ssf_stream stream;
    bool has_stream, create;
    dt_stream_status status;
    int64_t status_at; /* monotonic; 0 = never */
    char verify_state[33];
    int64_t verify_at; /* monotonic, when it was last asked for; 0 = it is to be */
    dt_time verified;  /* 0 = not yet */
    char audience_text[DT_SIGNALS_AUDIENCE_TEXT_MAX];
    char const *audiences[DT_SET_AUDIENCES_MAX];
    size_t audience_count;
    /* what is under way */
    dt_task task;
    dt_http_call *call;
    int64_t started; /* monotonic */
    struct event *timer;
    unsigned failures;
    char error[DT_ERROR_TEXT_MAX]; /* of the last failure; "" = it works */
    /* polling */
    dt_ssf_ack acks[DT_SSF_POLL_SETS_MAX];
    size_t ack_count, acks_sent;
    dt_ssf_reply reply; /* tokens that wait for keys */
    bool more;
    dt_signals_counts counts;
};

DT_MUST_USE int dt_transmitter_new(dt_receiver *r, dt_config_transmitter const *c,
                                   dt_transmitter **out, dt_error *e);
void dt_transmitter_free(dt_transmitter **t);
/* Does what comes next, unless something is under way. */
void dt_transmitter_advance(dt_transmitter *t);
/* Comes back to dt_transmitter_advance after this time. */
void dt_transmitter_schedule(dt_transmitter *t, dt_time wait);
/* Something did not work: waits, longer each time, and comes back. */
void dt_transmitter_fail(dt_transmitter *t, dt_time retry_after, char const *fmt, ...)
    DT_PRINTF(3, 4);
void dt_transmitter_succeed(dt_transmitter *t);
/* Asks for a sign of life of the stream. */
void dt_transmitter_verify(dt_transmitter *t);
/* Its keys are to be read again, because one was not found. False when that takes longer: they were just now, or the
 * transmitter does not answer. */
bool dt_transmitter_want_keys(dt_transmitter *t);
/* What a token of this transmitter must be. Borrowed. */
dt_set_expected dt_transmitter_expected(dt_transmitter const *t);
/* Whether the stream can be read and polled: there are credentials. */
bool dt_transmitter_is_managed(dt_transmitter const *t);
/* Fails as the status of a reply says; always. */
void dt_transmitter_refused(dt_transmitter *t, dt_http_response const *r, char const *what);
/* Starts a request with the transmitter's own token. */
void dt_transmitter_ask(dt_transmitter *t, dt_task task, dt_http_request *q);

void dt_poll_start(dt_transmitter *t);
void dt_poll_take_reply(dt_transmitter *t, dt_http_response const *r);
/* The keys were read again, or could not be: goes on with the tokens that wait for them. */
void dt_poll_go_on(dt_transmitter *t, bool read);

DT_MUST_USE int dt_token_load(dt_transmitter *t, dt_error *e);
bool dt_token_is_due(dt_transmitter const *t);
DT_MUST_USE int dt_token_request(dt_transmitter *t, dt_http_request *q, dt_error *e);
/* NULL, or what is wrong with the reply. */
char const *dt_token_take(dt_transmitter *t, dt_http_response const *r);
/* The transmitter does not take it any more. */
void dt_token_drop(dt_transmitter *t);

/* --- listen.c ------------------------------------------------------------------------------------ */

DT_MUST_USE int dt_listener_new(dt_receiver *r, dt_listener **out, dt_error *e);
void dt_listener_free(dt_listener **l);
/* The keys of a transmitter were read again, or could not be: answers the pushes that wait for them. */
void dt_listener_go_on(dt_listener *l, dt_transmitter *t);

/* --- status.c ------------------------------------------------------------------------------------ */

/* Something has changed: the status is written soon. */
void dt_status_touch(dt_receiver *r);
DT_MUST_USE int dt_status_start(dt_receiver *r, dt_error *e);
void dt_status_stop(dt_receiver *r);

#endif
