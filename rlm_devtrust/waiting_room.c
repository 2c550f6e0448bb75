/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The waiting room. See waiting_room.h.
 *
 * Threads: worker threads park, ask for the outcome and leave; everything that touches a socket, a
 * timer or a run happens on the driver's loop. `lock` guards the tables, who joined whom, the counts of shares
 * and an answer once it is there. A parked request has a share for each of: the server's request, the run,
 * the connection that its packet came in by, the table of answers to challenges, who joined it. */
#include "rlm_devtrust/waiting_room.h"

#include "edge/host.h"
#include "rlm_devtrust/challenge.h"
#include "rlm_devtrust/unanswered.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>

#define SECRET_LEN 32
#define BUCKETS 4096 /* a power of two */
#define LISTEN_BACKLOG 256

typedef struct connection connection;

/* What goes back to the server, made once. */
typedef struct answer {
    dt_radius_code code;
    char message[DT_MESSAGE_MAX + DT_PROMPT_TEXT_MAX];
    uint8_t state[DT_STATE_TOKEN_MAX];
    size_t state_len;
} answer;

/* What becomes of a parked request; made when it is known, since nearly all of them wait. */
typedef struct ending {
    answer answer;
    dt_outcome outcome;
} ending;

struct dt_parked {
    dt_waiting_room *room;
    dt_parked *next; /* in its bucket */
    int shares;
    uint8_t ticket[DT_RADIUS_TICKET_LEN];
    dt_time since;
    /* under the lock once `answered` */
    bool answered, suspended;
    char id[DT_SIGNON_ID_LEN + 1];
    /* of an answer to a challenge, under the lock */
    uint8_t key[DT_SHA256_LEN];
    bool listed;            /* in the table of answers: others may join */
    bool remembered;        /* answered, and only kept for who repeats it */
    bool left;              /* its request has left, and it goes on for those who joined */
    dt_parked *next_listed; /* in its bucket of answers */
    dt_parked *first;       /* whom it joined, until it is answered */
    LIST_ENTRY(dt_parked) joining;
    LIST_HEAD(, dt_parked) joined;
    bool report_only; /* of the machine, since parking */
    bool looks_up;    /* the same: no sign-on, so nobody is let in or refused by it */
    dt_buf luggage;   /* since parking */
    ending *ending;   /* NULL without memory, where it is answered: see ending_of */
    /* the loop's */
    dt_run *run;
    connection *at; /* where its packet waits, or NULL */
    LIST_ENTRY(dt_parked) waiting;
    /* of its packet, as dt_radius_query has them: the echo is hardly ever as long as it may be */
    uint8_t packet_id, authenticator[DT_RADIUS_AUTHENTICATOR_LEN];
    dt_buf echo;
    uint64_t const *repeats; /* of its gateway; under the lock */
    uint64_t repeats_seen;
    dt_time heard, longest_pause; /* when the gateway repeated something last */
    bool repeated, silent;
    struct event *deadline;
    struct event *forget; /* while an answer is remembered */
    LIST_ENTRY(dt_parked) remembering;
    char *info; /* goes before the answer's message; NULL = nothing */
};

struct connection {
    dt_waiting_room *room;
    struct bufferevent *stream;
    bool proven; /* one authentic packet came */
    LIST_ENTRY(connection) all;
    LIST_HEAD(, dt_parked) waiting;
};

struct dt_waiting_room {
    dt_driver *driver; /* NULL once closed */
    struct evconnlistener *listener;
    uint16_t port;
    char secret[2 * SECRET_LEN + 1];
    dt_room_options options;
    LIST_HEAD(, connection) connections;
    pthread_mutex_t lock;
    pthread_cond_t closed_cond;
    bool closed, freed;
    dt_parked *buckets[BUCKETS];
    dt_parked *answers[BUCKETS]; /* by their keys */
    size_t remembered; /* of those in the tables, how many are only kept for who repeats them */
    LIST_HEAD(, dt_parked) remembering; /* the loop's */
    dt_room_stats stats;
    size_t connection_count; /* the loop's */
    struct event *watch;     /* the loop's: while anybody waits */
    dt_unanswered *unanswered;
};

static dt_bytes secret_bytes(dt_waiting_room const *r)
{
    return dt_bytes_of(r->secret, 2 * SECRET_LEN);
}

static void count(dt_waiting_room *r, uint64_t *number)
{
    pthread_mutex_lock(&r->lock);
    ++*number;
    pthread_mutex_unlock(&r->lock);
}

/* --- the table ------------------------------------------------------------------------------ */

static dt_parked **bucket(dt_waiting_room *r, uint8_t const ticket[])
{
    size_t i;
    memcpy(&i, ticket, sizeof(i)); /* random already */
    return &r->buckets[i & (BUCKETS - 1)];
}

/* With the lock held. */
static dt_parked *find(dt_waiting_room *r, uint8_t const ticket[])
{
    dt_parked *p = *bucket(r, ticket);
    while (p != NULL && !dt_const_time_equal(p->ticket, ticket, DT_RADIUS_TICKET_LEN))
        p = p->next;
    return p;
}

static void table_remove(dt_waiting_room *r, dt_parked *p)
{
    dt_parked **at = bucket(r, p->ticket);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    r->stats.parked--;
}

static void room_destroy(dt_waiting_room *r)
{
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->closed_cond);
    dt_unanswered_free(r->unanswered);
    explicit_bzero(r->secret, sizeof(r->secret));
    free(r);
}

static void parked_free(dt_parked *p)
{
    dt_buf_free(&p->luggage); /* which wipes it */
    dt_buf_free(&p->echo);
    if (p->ending != NULL)
        explicit_bzero(p->ending, sizeof(*p->ending));
    free(p->ending);
    free(p->info);
    free(p);
}

/* Of one that is answered. Without memory for anything else it is refused. */
static ending const *ending_of(dt_parked const *p)
{
    static ending const refused = {.answer = {.code = DT_RADIUS_ACCESS_REJECT},
                                   .outcome = {.result = DT_DENY, .cause = DT_CAUSE_INTERNAL}};
    return p->ending != NULL ? p->ending : &refused;
}

static ending *ending_make(dt_parked *p)
{
    if (p->ending == NULL)
        p->ending = calloc(1, sizeof(*p->ending));
    return p->ending;
}

/* Gives a share back; the last one frees the request, and the room if that was all it waited for. */
static void drop(dt_parked *p)
{
    dt_waiting_room *r = p->room;
    pthread_mutex_lock(&r->lock);
    bool last = --p->shares == 0;
    if (last)
        table_remove(r, p);
    bool last_of_all = last && r->freed && r->stats.parked == 0;
    pthread_mutex_unlock(&r->lock);
    if (last)
        parked_free(p);
    if (last_of_all)
        room_destroy(r);
}

/* --- answers to challenges: with the lock held -------------------------------------------------- */

static dt_parked **answer_bucket(dt_waiting_room *r, uint8_t const key[])
{
    size_t i;
    memcpy(&i, key, sizeof(i)); /* a digest */
    return &r->answers[i & (BUCKETS - 1)];
}

static dt_parked *answer_find(dt_waiting_room *r, uint8_t const key[])
{
    dt_parked *p = *answer_bucket(r, key);
    while (p != NULL && !dt_const_time_equal(p->key, key, DT_SHA256_LEN))
        p = p->next_listed;
    return p;
}

static void answer_list(dt_waiting_room *r, dt_parked *p)
{
    dt_parked **at = answer_bucket(r, p->key);
    p->next_listed = *at;
    *at = p;
    p->listed = true;
    p->shares++;
}

/* True when the table's share is the caller's now. */
static bool answer_unlist(dt_parked *p)
{
    if (!p->listed)
        return false;
    dt_parked **at = answer_bucket(p->room, p->key);
    while (*at != p)
        at = &(*at)->next_listed;
    *at = p->next_listed;
    p->listed = false;
    return true;
}

/* Gives `p` what became of the first one; refuses it without memory for that. */
static void adopt(dt_parked *p, dt_parked const *first)
{
    ending *e = ending_make(p);
    dt_buf_init(&p->luggage, first->luggage.len);
    dt_buf_put(&p->luggage, first->luggage.p, first->luggage.len);
    p->report_only = first->report_only;
    memcpy(p->id, first->id, sizeof(p->id));
    p->answered = true;
    if (e != NULL && dt_buf_error(&p->luggage) == 0) {
        *e = *ending_of(first);
        p->suspended = first->suspended;
        return;
    }
    free(e);
    p->ending = NULL;
    p->suspended = false;
}

/* Whom `p` joined, with the share that it had of it, or NULL. */
static dt_parked *part(dt_parked *p)
{
    dt_parked *first = p->first;
    if (first != NULL)
        LIST_REMOVE(p, joining);
    p->first = NULL;
    return first;
}

/* --- answering: on the loop ------------------------------------------------------------------ */

/* The packet no longer waits. The caller gives back the connection's share. */
static void unpair(dt_parked *p)
{
    if (p->deadline != NULL)
        event_free(p->deadline);
    p->deadline = NULL;
    LIST_REMOVE(p, waiting);
    p->at = NULL;
}

/* 0, or the error of dt_buf_error: then what the packet carried along is not repeated. */
static int keep_query(dt_parked *p, dt_radius_query const *q)
{
    p->packet_id = q->id;
    memcpy(p->authenticator, q->authenticator, sizeof(p->authenticator));
    dt_buf_free(&p->echo);
    dt_buf_init(&p->echo, q->echo_len);
    if (q->echo_len > 0)
        dt_buf_put(&p->echo, q->echo, q->echo_len);
    return dt_buf_error(&p->echo);
}

static dt_radius_query query_of(dt_parked const *p)
{
    dt_radius_query q = {.id = p->packet_id, .echo_len = p->echo.len};
    memcpy(q.authenticator, p->authenticator, sizeof(q.authenticator));
    memcpy(q.ticket, p->ticket, sizeof(q.ticket));
    if (q.echo_len > 0)
        memcpy(q.echo, p->echo.p, q.echo_len);
    return q;
}

/* Sends the answer if both it and a packet are there. */
static void send_answer(dt_parked *p)
{
    dt_radius_query query;
    dt_buf packet;
    if (!p->answered || p->at == NULL)
        return;
    query = query_of(p);
    dt_buf_init(&packet, DT_RADIUS_PACKET_MAX);
    answer const *a = &ending_of(p)->answer;
    int rc = dt_radius_write(&query, secret_bytes(p->room), a->code, a->message,
                             dt_bytes_of(a->state, a->state_len), &packet);
    if (rc != 0) { /* too long, at the worst: a bare refusal always fits */
        dt_buf_reset(&packet);
        rc = dt_radius_write(&query, secret_bytes(p->room), DT_RADIUS_ACCESS_REJECT, "",
                             dt_bytes_of(NULL, 0), &packet);
    }
    if (rc == 0)
        bufferevent_write(p->at->stream, packet.p, packet.len);
    dt_buf_free(&packet);
    count(p->room, &p->room->stats.answered);
    unpair(p);
    drop(p);
}

static void set_message(answer *a, char const *info, char const *message)
{
    dt_buf b;
    dt_buf_init_fixed(&b, a->message, sizeof(a->message));
    dt_buf_puts(&b, info);
    if (info != NULL && message[0] != '\0')
        dt_buf_putc(&b, '\n');
    dt_buf_puts(&b, message);
}

void dt_room_message(dt_outcome const *o, char out[DT_MESSAGE_MAX])
{
    bool own = o->message[0] != '\0' || o->result == DT_ALLOW;

    if (dt_outcome_is_report_only(o))
        out[0] = '\0';
    else
        dt_outcome_text(o, own ? o->message : "Sign-on refused.", out);
}

/* Who is only reported on gets in by the first factor: it was verified before anybody was parked. */
static dt_radius_code code_of(dt_outcome const *o)
{
    return o->result == DT_ALLOW || dt_outcome_is_report_only(o) ? DT_RADIUS_ACCESS_ACCEPT
                                                                 : DT_RADIUS_ACCESS_REJECT;
}

static void give_up(dt_parked *p, dt_cause cause);

/* Nobody joins it any more. */
static void forget(dt_parked *p)
{
    dt_waiting_room *r = p->room;
    if (p->forget != NULL) {
        event_free(p->forget);
        p->forget = NULL;
        LIST_REMOVE(p, remembering);
    }
    pthread_mutex_lock(&r->lock);
    if (p->remembered)
        r->remembered--;
    p->remembered = false;
    bool was_listed = answer_unlist(p);
    pthread_mutex_unlock(&r->lock);
    if (was_listed)
        drop(p);
}

static void on_forget(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    forget(ctx);
}

/* Keeps what became of an answer for who repeats it; what nobody waited for is not kept. */
static void remember(dt_parked *p)
{
    dt_waiting_room *r = p->room;
    struct timeval tv = {DT_ROOM_REPEAT_SECONDS, 0};
    pthread_mutex_lock(&r->lock);
    bool listed = p->listed && !p->remembered;
    bool keep = listed && !r->closed && r->driver != NULL && r->remembered < DT_ROOM_REPEATS_MAX &&
                ending_of(p)->outcome.cause != DT_CAUSE_CLIENT_GONE;
    if (keep) {
        p->remembered = true;
        r->remembered++;
    }
    pthread_mutex_unlock(&r->lock);
    if (!listed)
        return;
    p->forget = keep ? evtimer_new(dt_driver_base(r->driver), on_forget, p) : NULL;
    if (p->forget != NULL)
        LIST_INSERT_HEAD(&r->remembering, p, remembering);
    if (p->forget == NULL || evtimer_add(p->forget, &tv) != 0)
        forget(p);
}

/* Answers whoever joined `p`, which is answered. */
static void answer_joined(dt_parked *p)
{
    dt_waiting_room *r = p->room;
    for (;;) {
        pthread_mutex_lock(&r->lock);
        dt_parked *q = LIST_FIRST(&p->joined);
        if (q != NULL) {
            (void)part(q);
            if (!q->answered)
                adopt(q, p);
            q->shares++;
        }
        pthread_mutex_unlock(&r->lock);
        if (q == NULL)
            return;
        send_answer(q);
        drop(q);
        drop(p); /* the share that it had of the first */
    }
}

/* One that joined has what it gets. Where it was the last for whom the first one went on, that ends. */
static void leave_first(dt_parked *first)
{
    pthread_mutex_lock(&first->room->lock);
    bool last = first->left && !first->answered && LIST_EMPTY(&first->joined);
    pthread_mutex_unlock(&first->room->lock);
    if (last)
        give_up(first, DT_CAUSE_CLIENT_GONE);
    drop(first);
}

/* With the lock held. */
static void end_with(dt_parked *p, dt_radius_code code, dt_outcome const *o, char const *message,
                     dt_bytes state)
{
    ending *e = ending_make(p);
    p->answered = true;
    if (e == NULL)
        return;
    e->answer.code = p->looks_up ? DT_RADIUS_ACCESS_CHALLENGE : code;
    set_message(&e->answer, p->info, p->looks_up ? "" : message);
    if (state.len > 0)
        memcpy(e->answer.state, state.p, state.len);
    e->answer.state_len = state.len;
    e->outcome = *o;
    p->suspended = e->answer.code == DT_RADIUS_ACCESS_CHALLENGE;
}

/* `state` has at most DT_STATE_TOKEN_MAX bytes. */
static void settle_with(dt_parked *p, dt_radius_code code, dt_outcome const *o, char const *message,
                        dt_bytes state)
{
    dt_waiting_room *r = p->room;
    pthread_mutex_lock(&r->lock);
    p->shares++;
    if (!p->answered)
        end_with(p, code, o, message, state);
    dt_parked *first = part(p);
    pthread_mutex_unlock(&r->lock);
    send_answer(p);
    answer_joined(p);
    remember(p);
    if (first != NULL)
        leave_first(first);
    drop(p);
}

static void settle_parked(dt_parked *p, dt_radius_code code, dt_outcome const *o)
{
    char message[DT_MESSAGE_MAX];

    dt_room_message(o, message);
    settle_with(p, code, o, message, dt_bytes_of(NULL, 0));
}

/* --- the run's door ------------------------------------------------------------------------- */

static void on_prompt(void *ctx, dt_run *run, dt_prompt const *prompt)
{
    dt_parked *p = ctx;
    if (prompt->info) {
        free(p->info);
        p->info = strdup(prompt->text);
        return;
    }
    /* A RADIUS sign-on is suspended at a prompt, never asked live. */
    dt_run_abandon(run, DT_CAUSE_INTERNAL);
}

static void on_suspend(void *ctx, dt_run *run, dt_signon const *machine, dt_prompt const *prompt)
{
    dt_parked *p = ctx;
    dt_outcome o = *dt_signon_outcome(machine);
    dt_challenge_open open;
    uint8_t token[DT_STATE_TOKEN_MAX + 1];
    dt_buf state;
    dt_error e = {0};

    (void)run;
    p->run = NULL;
    dt_buf_init_fixed(&state, token, sizeof(token));
    int rc = p->answered ? DT_E_GONE
                         : dt_challenge_keep(p->room->driver, machine, dt_buf_bytes(&p->luggage),
                                             &state, &open, &e);
    if (rc == 0) {
        dt_unanswered_expect(p->room->unanswered, &open);
        char text[DT_PROMPT_TEXT_MAX];
        dt_prompt_join(prompt, text);
        settle_with(p, DT_RADIUS_ACCESS_CHALLENGE, &o, text, dt_buf_bytes(&state));
    } else {
        dt_audit_context ctx_of = {0};
        dt_outcome_set(&o, DT_DENY, rc == DT_E_INVALID ? DT_CAUSE_CONFIG : DT_CAUSE_INTERNAL);
        dt_str_escape(o.detail, sizeof(o.detail), e.text);
        dt_signon_audit_context(machine, &ctx_of);
        dt_driver_audit(p->room->driver, &o, machine, "radius", &ctx_of);
        settle_parked(p, DT_RADIUS_ACCESS_REJECT, &o);
    }
    drop(p);
}

static void on_done(void *ctx, dt_outcome const *o, dt_signon const *machine)
{
    dt_parked *p = ctx;
    (void)machine;
    p->run = NULL;
    settle_parked(p, code_of(o), o);
    drop(p);
}

static dt_door const radius_door = {
    .name = "radius", .prompt = on_prompt, .suspend = on_suspend, .done = on_done};

/* The run goes on without us, cancels its push and writes its event. */
static void detach_run(dt_parked *p, dt_cause cause)
{
    dt_run *run = p->run;
    if (run == NULL)
        return;
    p->run = NULL;
    dt_run_detach(run, cause);
    drop(p);
}

/* Nobody waits for it. */
static void give_up(dt_parked *p, dt_cause cause)
{
    dt_outcome o = {0};
    dt_outcome_set(&o, DT_DENY, cause);
    settle_with(p, DT_RADIUS_ACCESS_REJECT, &o, "", dt_bytes_of(NULL, 0));
    detach_run(p, cause);
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
    dt_parked *p = ctx;
    dt_outcome o = {.report_only = p->report_only};

    (void)fd;
    (void)what;
    pthread_mutex_lock(&p->room->lock);
    p->shares++;
    pthread_mutex_unlock(&p->room->lock);
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    (void)!dt_str_copy(o.message, sizeof(o.message), "Nobody answered in time. Please try again.");
    dt_refusal_code_make(p->id, o.code); /* of the event that its run will write */
    settle_parked(p, code_of(&o), &o);
    detach_run(p, DT_CAUSE_MFA_TIMEOUT);
    drop(p);
}

/* --- connections: on the loop ---------------------------------------------------------------- */

static void connection_close(connection *c)
{
    while (!LIST_EMPTY(&c->waiting)) {
        dt_parked *p = LIST_FIRST(&c->waiting);
        unpair(p);
        drop(p);
    }
    LIST_REMOVE(c, all);
    c->room->connection_count--;
    bufferevent_free(c->stream);
    free(c);
}

/* Sets the timer by which the parked request is answered come what may. */
static int set_deadline(dt_parked *p)
{
    dt_time left = p->since + p->room->options.answer_within - dt_host_now();
    if (left < 0)
        left = 0;
    if (left > p->room->options.answer_within) /* the clock went back */
        left = p->room->options.answer_within;
    struct timeval tv = {(time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000)};
    p->deadline = evtimer_new(dt_driver_base(p->room->driver), on_deadline, p);
    return p->deadline != NULL && evtimer_add(p->deadline, &tv) == 0 ? 0 : DT_E_NOMEM;
}

/* --- gateways that fall silent: on the loop ---------------------------------------------------- */

static char const silent_text[] = "the gateway had stopped repeating its request: it may have "
                                  "given up and let nobody in; raise its RADIUS timeout";

static void set_silent(dt_parked *p, bool silent)
{
    if (p->silent != silent)
        dt_run_note(p->run, silent ? silent_text : "");
    p->silent = silent;
}

/* A gateway that doubles its pauses is not silent in the next one. */
static void look_at(dt_parked *p, dt_time now)
{
    pthread_mutex_lock(&p->room->lock);
    uint64_t const *repeats = p->repeats;
    pthread_mutex_unlock(&p->room->lock);
    if (repeats == NULL || p->run == NULL)
        return;
    uint64_t seen = __atomic_load_n(repeats, __ATOMIC_RELAXED);
    dt_time pause = now - p->heard;
    if (seen != p->repeats_seen) {
        p->longest_pause = pause > p->longest_pause ? pause : p->longest_pause;
        p->repeats_seen = seen;
        p->heard = now;
        p->repeated = true;
        set_silent(p, false);
    } else if (p->repeated && pause > 2 * p->longest_pause + DT_SECONDS(DT_ROOM_SILENCE_SECONDS)) {
        set_silent(p, true);
    }
}

static void on_watch(evutil_socket_t fd, short what, void *ctx)
{
    dt_waiting_room *r = ctx;
    struct timeval tv = {DT_ROOM_WATCH_SECONDS, 0};
    dt_time now = dt_host_now();
    bool anybody = false;
    connection *c;
    dt_parked *p;

    (void)fd;
    (void)what;
    LIST_FOREACH(c, &r->connections, all)
    {
        LIST_FOREACH(p, &c->waiting, waiting)
        {
            anybody = true;
            look_at(p, now);
        }
    }
    if (anybody)
        evtimer_add(r->watch, &tv);
}

/* Ignored where there is no timer: nothing depends on it. */
static void watch(dt_waiting_room *r)
{
    struct timeval tv = {DT_ROOM_WATCH_SECONDS, 0};
    if (r->watch == NULL)
        r->watch = evtimer_new(dt_driver_base(r->driver), on_watch, r);
    if (r->watch != NULL && !evtimer_pending(r->watch, NULL))
        evtimer_add(r->watch, &tv);
}

/* Puts a packet and its parked request together. The same ticket may come again: by a new
 * connection when the server lost the old one. The newest packet gets the one answer. */
static void pair(connection *c, dt_parked *p, dt_radius_query const *q)
{
    if (p->at != NULL) {
        unpair(p);
        drop(p);
    }
    int kept = keep_query(p, q);
    p->at = c;
    LIST_INSERT_HEAD(&c->waiting, p, waiting);
    if (!p->answered && (kept != 0 || set_deadline(p) != 0)) {
        dt_outcome o = {0};
        dt_outcome_set(&o, DT_DENY, DT_CAUSE_INTERNAL);
        settle_parked(p, DT_RADIUS_ACCESS_REJECT, &o);
        return;
    }
    watch(p->room);
    send_answer(p);
}

/* The request behind the ticket is gone. Its server hardly waits any more, but a home server that
 * leaves packets unanswered is given up some day, and everybody's push with it. */
static void refuse_packet(connection *c, dt_radius_query const *q)
{
    dt_buf packet;
    dt_buf_init(&packet, DT_RADIUS_PACKET_MAX);
    if (dt_radius_write(q, secret_bytes(c->room), DT_RADIUS_ACCESS_REJECT, "", dt_bytes_of(NULL, 0),
                        &packet) == 0)
        bufferevent_write(c->stream, packet.p, packet.len);
    dt_buf_free(&packet);
    count(c->room, &c->room->stats.refused);
}

/* One packet; false when the connection must go because somebody else speaks there. On a connection
 * that proved itself an odd packet is only passed over: many others wait there, and somebody in a
 * tunnel may have had a hand in its attributes. */
static bool take_packet(connection *c, dt_bytes packet)
{
    dt_waiting_room *r = c->room;
    dt_radius_query q;
    if (dt_radius_read(packet, secret_bytes(r), &q) != 0) {
        count(r, &r->stats.refused);
        return c->proven;
    }
    if (!c->proven) {
        c->proven = true;
        bufferevent_set_timeouts(c->stream, NULL, NULL);
    }
    pthread_mutex_lock(&r->lock);
    dt_parked *p = find(r, q.ticket);
    if (p != NULL)
        p->shares++;
    pthread_mutex_unlock(&r->lock);
    if (p == NULL)
        refuse_packet(c, &q);
    else
        pair(c, p, &q);
    return true;
}

static void on_read(struct bufferevent *stream, void *ctx)
{
    connection *c = ctx;
    struct evbuffer *in = bufferevent_get_input(stream);
    uint8_t packet[DT_RADIUS_PACKET_MAX];
    for (;;) {
        size_t length = 0;
        ssize_t got = evbuffer_copyout(in, packet, 4);
        int rc = dt_radius_frame(dt_bytes_of(packet, got > 0 ? (size_t)got : 0), &length);
        if (rc == DT_E_STATE || (rc == 0 && evbuffer_get_length(in) < length))
            return;
        if (rc != 0 || evbuffer_remove(in, packet, length) != (int)length ||
            !take_packet(c, dt_bytes_of(packet, length))) {
            connection_close(c);
            return;
        }
    }
}

static void on_event(struct bufferevent *stream, short what, void *ctx)
{
    (void)stream;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
        connection_close(ctx);
}

/* Makes place by closing one that never proved itself; false when there is none. */
static bool make_place(dt_waiting_room *r)
{
    connection *c;
    if (r->connection_count < DT_ROOM_CONNECTIONS_MAX)
        return true;
    LIST_FOREACH(c, &r->connections, all)
    {
        if (!c->proven) {
            connection_close(c);
            return true;
        }
    }
    return false;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int len, void *ctx)
{
    dt_waiting_room *r = ctx;
    struct timeval unproven = {DT_ROOM_UNPROVEN_SECONDS, 0};
    int on = 1;
    (void)address;
    (void)len;
    connection *c = NULL;
    if (!make_place(r) || (c = calloc(1, sizeof(*c))) == NULL)
        goto refuse;
    c->room = r;
    c->stream =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    if (c->stream == NULL)
        goto refuse;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* answers must not linger */
    LIST_INIT(&c->waiting);
    LIST_INSERT_HEAD(&r->connections, c, all);
    r->connection_count++;
    bufferevent_setcb(c->stream, on_read, NULL, on_event, c);
    bufferevent_set_timeouts(c->stream, &unproven, NULL);
    bufferevent_setwatermark(c->stream, EV_READ, 0, 16 * DT_RADIUS_PACKET_MAX);
    bufferevent_enable(c->stream, EV_READ | EV_WRITE);
    return;
refuse:
    free(c);
    evutil_closesocket(fd);
}

/* --- opening and closing -------------------------------------------------------------------- */

static int listen_on(dt_waiting_room *r, int *out, dt_error *e)
{
    struct sockaddr_in a = {0};
    socklen_t len = sizeof(a);
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    a.sin_family = AF_INET;
    /* Which is all that keeps the network out; the secret shows which program of this host may speak. */
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    a.sin_port = htons(r->options.port);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(fd, LISTEN_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0) {
        int why = errno;
        if (fd >= 0)
            evutil_closesocket(fd);
        return dt_error_set(e, DT_E_IO,
                            "the waiting room cannot listen on 127.0.0.1 port %u: %s; choose "
                            "another waiting_room_port, or 0",
                            r->options.port, strerror(why));
    }
    r->port = ntohs(a.sin_port);
    *out = fd;
    return 0;
}

static int make_secret(dt_waiting_room *r)
{
    uint8_t raw[SECRET_LEN];
    int rc = dt_host_random(raw, sizeof(raw));
    if (rc == 0)
        dt_hex(r->secret, raw, sizeof(raw));
    explicit_bzero(raw, sizeof(raw));
    return rc;
}

/* The loop runs already: the listener is made there. */
static void open_on_loop(void *ctx)
{
    dt_waiting_room *r = ctx;
    evconnlistener_enable(r->listener);
}

int dt_waiting_room_open(dt_driver *d, dt_room_options const *o, dt_waiting_room **out, dt_error *e)
{
    int fd = -1;
    dt_waiting_room *r = calloc(1, sizeof(*r));
    *out = NULL;
    if (r == NULL)
        return dt_error_set(e, DT_E_NOMEM, "no memory for the waiting room");
    r->driver = d;
    r->options = *o;
    LIST_INIT(&r->connections);
    LIST_INIT(&r->remembering);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->closed_cond, NULL);
    r->unanswered = dt_unanswered_new(d);
    int rc = r->unanswered == NULL ? DT_E_NOMEM : make_secret(r);
    if (rc != 0)
        dt_error_set(e, rc, "no memory or random bytes for the waiting room");
    else
        rc = listen_on(r, &fd, e);
    if (rc != 0)
        goto out;
    r->listener =
        evconnlistener_new(dt_driver_base(d), on_accept, r,
                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
    if (r->listener == NULL) {
        evutil_closesocket(fd);
        rc = dt_error_set(e, DT_E_NOMEM, "no memory for the waiting room's listener");
        goto out;
    }
    rc = dt_driver_post(d, open_on_loop, r);
    if (rc != 0)
        dt_error_set(e, rc, "the waiting room could not be opened");
out:
    if (rc != 0) {
        if (r->listener != NULL)
            evconnlistener_free(r->listener);
        room_destroy(r);
        return rc;
    }
    *out = r;
    return 0;
}

uint16_t dt_waiting_room_port(dt_waiting_room const *r)
{
    return r->port;
}

char const *dt_waiting_room_secret(dt_waiting_room const *r)
{
    return r->secret;
}

static void close_on_loop(void *ctx)
{
    dt_waiting_room *r = ctx;
    evconnlistener_free(r->listener);
    r->listener = NULL;
    if (r->watch != NULL)
        event_free(r->watch);
    r->watch = NULL;
    dt_unanswered_close(r->unanswered);
    while (!LIST_EMPTY(&r->connections))
        connection_close(LIST_FIRST(&r->connections));
    while (!LIST_EMPTY(&r->remembering))
        forget(LIST_FIRST(&r->remembering));
    pthread_mutex_lock(&r->lock);
    r->closed = true;
    pthread_cond_signal(&r->closed_cond);
    pthread_mutex_unlock(&r->lock);
}

void dt_waiting_room_close(dt_waiting_room *r)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DT_ROOM_CLOSE_SECONDS;
    if (dt_driver_post(r->driver, close_on_loop, r) != 0)
        return;
    pthread_mutex_lock(&r->lock);
    while (!r->closed && pthread_cond_timedwait(&r->closed_cond, &r->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&r->lock);
}

void dt_waiting_room_free(dt_waiting_room **room)
{
    dt_waiting_room *r = *room;
    *room = NULL;
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->lock);
    r->driver = NULL;
    r->freed = true;
    bool empty = r->stats.parked == 0;
    pthread_mutex_unlock(&r->lock);
    if (empty)
        room_destroy(r);
}

void dt_waiting_room_stats(dt_waiting_room *r, dt_room_stats *out)
{
    pthread_mutex_lock(&r->lock);
    *out = r->stats;
    pthread_mutex_unlock(&r->lock);
}

/* --- parking: any thread -------------------------------------------------------------------- */

/* With the lock held. */
static int table_add(dt_waiting_room *r, dt_parked *p)
{
    bool fits = r->stats.parked - r->remembered < r->options.parked_max && !r->freed;
    if (fits) {
        dt_parked **at = bucket(r, p->ticket);
        p->next = *at;
        *at = p;
        r->stats.parked++;
    }
    return fits ? 0 : DT_E_LIMIT;
}

/* In no table yet; with the share of the server's request. */
static int parked_new(dt_waiting_room *r, dt_parked **out)
{
    dt_parked *p = calloc(1, sizeof(*p));
    *out = NULL;
    if (p == NULL)
        return DT_E_NOMEM;
    p->room = r;
    p->shares = 1;
    p->since = dt_host_now();
    LIST_INIT(&p->joined);
    dt_buf_init(&p->luggage, 0);
    int rc = dt_host_random(p->ticket, sizeof(p->ticket));
    if (rc == 0)
        *out = p;
    else
        parked_free(p);
    return rc;
}

int dt_waiting_room_start(dt_parked *p, dt_signon const *machine, dt_bytes luggage)
{
    dt_waiting_room *r = p->room;
    dt_audit_context ctx = {0};
    dt_signon_audit_context(machine, &ctx);
    pthread_mutex_lock(&r->lock);
    dt_buf_init(&p->luggage, luggage.len);
    dt_buf_put(&p->luggage, luggage.p, luggage.len);
    int rc = dt_buf_error(&p->luggage);
    if (rc == 0)
        rc = dt_str_copy(p->id, sizeof(p->id), ctx.id);
    p->report_only = dt_signon_outcome(machine)->report_only;
    p->looks_up = dt_signon_only_looks_up(machine);
    p->shares++; /* the run's */
    pthread_mutex_unlock(&r->lock);
    if (rc == 0)
        rc = dt_driver_submit(r->driver, machine, &radius_door, p, &p->run);
    if (rc != 0)
        drop(p);
    return rc;
}

int dt_waiting_room_park(dt_waiting_room *r, dt_signon const *machine, dt_bytes luggage,
                         dt_parked **out)
{
    dt_parked *p = NULL;
    int rc = parked_new(r, &p);
    *out = NULL;
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&r->lock);
    rc = table_add(r, p);
    pthread_mutex_unlock(&r->lock);
    if (rc != 0) {
        parked_free(p);
        return rc;
    }
    rc = dt_waiting_room_start(p, machine, luggage);
    if (rc != 0)
        drop(p);
    else
        *out = p;
    return rc;
}

/* With the lock held. */
static void join(dt_parked *p, dt_parked *first)
{
    if (first->answered) {
        adopt(p, first);
        return;
    }
    p->first = first;
    first->shares++;
    LIST_INSERT_HEAD(&first->joined, p, joining);
}

int dt_waiting_room_answer(dt_waiting_room *r, uint8_t const key[DT_SHA256_LEN], dt_parked **out,
                           bool *first)
{
    dt_parked *p = NULL;
    int rc = parked_new(r, &p);
    *out = NULL;
    *first = false;
    if (rc != 0)
        return rc;
    memcpy(p->key, key, sizeof(p->key));
    pthread_mutex_lock(&r->lock);
    rc = table_add(r, p);
    dt_parked *other = answer_find(r, key);
    *first = rc == 0 && other == NULL;
    if (*first)
        answer_list(r, p);
    else if (rc == 0)
        join(p, other);
    pthread_mutex_unlock(&r->lock);
    if (rc != 0)
        parked_free(p);
    else
        *out = p;
    return rc;
}

static void cancel_on_loop(void *ctx)
{
    dt_parked *p = ctx;
    dt_outcome o = ending_of(p)->outcome;
    settle_parked(p, DT_RADIUS_ACCESS_REJECT, &o);
    drop(p);
}

void dt_waiting_room_cancel(dt_parked **parked, dt_outcome const *o)
{
    dt_parked *p = *parked;
    dt_waiting_room *r = p->room;
    *parked = NULL;
    pthread_mutex_lock(&r->lock);
    if (ending_make(p) != NULL)
        p->ending->outcome = *o;
    bool was_listed = answer_unlist(p);
    bool told = r->driver != NULL && dt_driver_post(r->driver, cancel_on_loop, p) == 0;
    pthread_mutex_unlock(&r->lock);
    if (was_listed)
        drop(p);
    if (!told)
        drop(p);
}

void dt_waiting_room_expect(dt_waiting_room *r, dt_challenge_open const *open)
{
    dt_unanswered_expect(r->unanswered, open);
}

void dt_parked_watch(dt_parked *p, uint64_t const *repeats)
{
    pthread_mutex_lock(&p->room->lock);
    p->repeats = repeats;
    p->repeats_seen = __atomic_load_n(repeats, __ATOMIC_RELAXED);
    p->heard = p->since;
    pthread_mutex_unlock(&p->room->lock);
}

void dt_parked_id(dt_parked *p, char out[DT_SIGNON_ID_LEN + 1])
{
    pthread_mutex_lock(&p->room->lock);
    memcpy(out, p->id, sizeof(p->id));
    pthread_mutex_unlock(&p->room->lock);
}

dt_bytes dt_parked_ticket(dt_parked const *p)
{
    return dt_bytes_of(p->ticket, sizeof(p->ticket));
}

dt_bytes dt_parked_luggage(dt_parked const *p)
{
    return dt_buf_bytes(&p->luggage);
}

bool dt_parked_outcome(dt_parked *p, dt_outcome *out, bool *suspended)
{
    pthread_mutex_lock(&p->room->lock);
    bool answered = p->answered;
    if (answered) {
        *out = ending_of(p)->outcome;
        *suspended = p->suspended;
    }
    pthread_mutex_unlock(&p->room->lock);
    return answered;
}

/* The packet leaves with the request: its place is for others, and a late yes is for nobody, unless others
 * have joined: by them the answer still finds whoever gave it. */
static void leave_on_loop(void *ctx)
{
    dt_parked *p = ctx;
    pthread_mutex_lock(&p->room->lock);
    p->left = true;
    bool wanted = !LIST_EMPTY(&p->joined);
    pthread_mutex_unlock(&p->room->lock);
    if (!wanted)
        give_up(p, DT_CAUSE_CLIENT_GONE);
    drop(p);
}

void dt_parked_release(dt_parked **parked)
{
    dt_parked *p = *parked;
    *parked = NULL;
    if (p == NULL)
        return;
    dt_waiting_room *r = p->room;
    pthread_mutex_lock(&r->lock);
    /* The caller's share goes with the message to the loop. When that cannot be sent (the driver
     * stops), the run ends by itself and finds nobody waiting. */
    bool told =
        !p->answered && r->driver != NULL && dt_driver_post(r->driver, leave_on_loop, p) == 0;
    pthread_mutex_unlock(&r->lock);
    if (!told)
        drop(p);
}
