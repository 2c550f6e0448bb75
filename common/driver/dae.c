/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks NASes to end sessions. See dae.h.
 *
 * Every request has a socket of its own, connected to the address that is asked: the kernel delivers replies from there
 * only. A NAS may keep its reply by our address, port and identifier, and give it again to another request with the same
 * three (RFC 5176 section 2.3; strongSwan does), so those that were used lately are not used again. */
#include "driver/dae.h"

#include "core/dae/dae.h"
#include "driver/internal.h"
#include "edge/host.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACTIVE_MAX 256 /* requests that wait for a reply; the others wait for their turn */
#define ACTIVE_OF_ONE_MAX                                                                          \
    16                  /* of one NAS: a NAS that does not answer may not keep the others waiting */
#define RECENT_MAX 4096 /* of ports and identifiers: at least as many requests are between two */
#define READS_MAX 16    /* datagrams that are read at once */

typedef struct dt_dae_job {
    struct dt_dae_job *previous, *next; /* in the list of the client */
    dt_driver *driver;
    dt_dae_request request;
    dt_end_fn *done;
    void *ctx;
    /* of the packet under way */
    dt_live_site *live; /* held: it has the secret */
    dt_nas const *nas;
    dt_ip target;
    int port, fd;        /* fd: -1 while it waits for its turn */
    dt_nas_again again;  /* what is asked for now */
    bool fell_back;      /* the NAS has refused to have the person sign on again */
    unsigned fell_cause; /* why */
    unsigned packets;
    dt_buf packet;
    dt_dae_schedule schedule;
    dt_time until; /* the next packet, or the end; monotonic */
    bool last;
    int error; /* errno of the last packet that the network refused; 0 */
    bool forged;
    struct event *event;
} dt_dae_job;

struct dt_dae_client {
    dt_dae_job *first, *last; /* on the loop's thread */
    size_t active;
    uint32_t recent[RECENT_MAX]; /* port and identifier */
    size_t recent_at;
};

char const *dt_end_outcome_name(dt_end_outcome o)
{
    static char const *const names[] = {"failed", "refused", "done", "gone"};

    return (size_t)o < sizeof(names) / sizeof(names[0]) ? names[o] : names[DT_END_FAILED];
}

/* --- the list --------------------------------------------------------------------------------- */

static void enlist(struct dt_dae_client *c, dt_dae_job *j)
{
    j->previous = c->last;
    j->next = NULL;
    *(c->last != NULL ? &c->last->next : &c->first) = j;
    c->last = j;
}

static void delist(struct dt_dae_client *c, dt_dae_job *j)
{
    *(j->previous != NULL ? &j->previous->next : &c->first) = j->next;
    *(j->next != NULL ? &j->next->previous : &c->last) = j->previous;
}

static bool is_same_nas(dt_dae_job const *a, dt_dae_job const *b)
{
    return a->port == b->port &&
           memcmp(a->target.octets, b->target.octets, sizeof(a->target.octets)) == 0;
}

static size_t active_like(struct dt_dae_client const *c, dt_dae_job const *j)
{
    size_t count = 0;

    for (dt_dae_job const *o = c->first; o != NULL; o = o->next)
        count += o->fd >= 0 && is_same_nas(o, j) ? 1 : 0;
    return count;
}

/* --- the end of one --------------------------------------------------------------------------- */

static void close_socket(dt_dae_job *j)
{
    if (j->event != NULL)
        event_free(j->event);
    j->event = NULL;
    if (j->fd >= 0) {
        close(j->fd);
        j->driver->dae->active--;
    }
    j->fd = -1;
}

static void start_waiting(dt_driver *d);

/* The callback comes last: it may ask for more. */
static void finish(dt_dae_job *j, dt_end_result *r)
{
    dt_driver *d = j->driver;

    close_socket(j);
    delist(d->dae, j);
    atomic_fetch_sub(&d->dae_count, 1);
    r->packets = j->packets;
    if (j->nas != NULL)
        (void)dt_str_copy(r->nas, sizeof(r->nas), j->nas->config->name);
    j->done(j->ctx, r);
    if (j->live != NULL)
        dt_live_site_release(j->live);
    dt_buf_free(&j->packet);
    free(j);
}

/* Which NAS, for people. */
static void put_nas(dt_buf *b, dt_dae_job const *j)
{
    char address[DT_IP_PLAIN_MAX];

    dt_ip_text(&j->target, address);
    dt_buf_printf(b, "the NAS %s (%s port %d)", j->nas->config->name, address, j->port);
}

static void finish_in_words(dt_dae_job *j, dt_end_result r, char const *did, char const *why)
{
    dt_buf b;

    dt_buf_init_fixed(&b, r.text, sizeof(r.text));
    put_nas(&b, j);
    dt_buf_printf(&b, " %s", did);
    if (j->fell_back)
        dt_buf_printf(&b, "; it had refused to have the person sign on again (Error-Cause %u)",
                      j->fell_cause);
    if (why != NULL)
        dt_buf_printf(&b, "; %s", why);
    finish(j, &r);
}

static void finish_plainly(dt_dae_job *j, bool retry, char const *text)
{
    dt_end_result r = {.outcome = DT_END_FAILED, .retry = retry};

    (void)dt_str_escape(r.text, sizeof(r.text), text);
    finish(j, &r);
}

/* A NAS that is silent is silent to those that wait for their turn, too. */
static void finish_silent(dt_dae_job *j)
{
    struct dt_dae_client *c = j->driver->dae;
    dt_end_result const r = {.outcome = DT_END_FAILED, .retry = true};
    char why[DT_ERROR_TEXT_MAX] = "check that it allows such requests from this host, and the port "
                                  "and the secret of its section [nas NAME]";

    for (dt_dae_job *o = c->first, *next; o != NULL; o = next) {
        next = o->next;
        if (o != j && o->fd < 0 && o->nas != NULL && is_same_nas(o, j)) {
            /* The callback may change the list: begin anew. */
            finish_in_words(o, r, "was not asked", "it has not answered others");
            next = c->first;
        }
    }
    if (j->error != 0)
        (void)snprintf(why, sizeof(why),
                       "the network says: %s; check address, send_to and port of its section",
                       strerrordesc_np(j->error) != NULL ? strerrordesc_np(j->error) : "error");
    else if (j->forged)
        (void)snprintf(
            why, sizeof(why), "%s",
            "something answered, but not with the secret of its section: check secret_file");
    finish_in_words(j, r, "did not answer", why);
}

/* --- a packet --------------------------------------------------------------------------------- */

static int jitter(void)
{
    uint16_t n = 0;

    if (dt_host_random(&n, sizeof(n)) != 0)
        return 0;
    return (int)(n % (2 * DT_DAE_JITTER + 1)) - DT_DAE_JITTER;
}

/* Waits for a reply until j->until, whatever else comes: forged replies do not lengthen the wait. */
static bool wait_for_reply(dt_dae_job *j)
{
    dt_time const wait = j->until - dt_driver_mono();
    struct timeval const tv = {.tv_sec = wait > 0 ? wait / 1000 : 0,
                               .tv_usec = wait > 0 ? wait % 1000 * 1000 : 0};

    return event_add(j->event, &tv) == 0;
}

/* What the network says of a packet is not signed: it is kept for the text, and the wait goes on. */
static bool transmit(dt_dae_job *j)
{
    ssize_t n;

    do
        n = send(j->fd, j->packet.p, j->packet.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
        j->error = errno;
    j->packets++;
    j->until = dt_dae_schedule_sent(&j->schedule, dt_driver_mono(), jitter(), &j->last);
    return wait_for_reply(j);
}

static bool is_recent(struct dt_dae_client const *c, uint32_t pair)
{
    for (size_t i = 0; i < RECENT_MAX; i++) {
        if (c->recent[i] == pair)
            return true;
    }
    return false;
}

/* An identifier that this port was not used with lately. */
static int draw_identifier(struct dt_dae_client *c, unsigned port, uint8_t *out)
{
    uint8_t first = 0;
    int rc = dt_host_random(&first, sizeof(first));

    for (unsigned i = 0; rc == 0 && i < 256; i++) {
        uint8_t const id = (uint8_t)(first + i);
        uint32_t const pair = (uint32_t)port << 8 | id;

        if (is_recent(c, pair))
            continue;
        c->recent[c->recent_at++ % RECENT_MAX] = pair;
        *out = id;
        return DT_OK;
    }
    return rc != 0 ? rc : DT_E_LIMIT;
}

static socklen_t address_of(dt_ip const *ip, int port, struct sockaddr_storage *out)
{
    static uint8_t const mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    memset(out, 0, sizeof(*out));
    if (memcmp(ip->octets, mapped, sizeof(mapped)) == 0) {
        memcpy(&v4.sin_addr, ip->octets + sizeof(mapped), sizeof(v4.sin_addr));
        memcpy(out, &v4, sizeof(v4));
        return sizeof(v4);
    }
    memcpy(&v6.sin6_addr, ip->octets, sizeof(v6.sin6_addr));
    memcpy(out, &v6, sizeof(v6));
    return sizeof(v6);
}

/* The port that the kernel has chosen; both families have it in the same place. */
static unsigned local_port(int fd)
{
    struct sockaddr_in6 a = {0};
    socklen_t len = sizeof(a);

    return getsockname(fd, (struct sockaddr *)&a, &len) == 0 ? ntohs(a.sin6_port) : 0;
}

static void on_event(evutil_socket_t fd, short what, void *ctx);

/* errno of what failed, or 0. */
static int open_socket(dt_dae_job *j)
{
    struct sockaddr_storage to;
    socklen_t const len = address_of(&j->target, j->port, &to);

    j->fd = socket(to.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (j->fd < 0)
        return errno;
    j->driver->dae->active++;
    if (connect(j->fd, (struct sockaddr *)&to, len) != 0)
        return errno;
    j->event = event_new(j->driver->base, j->fd, EV_READ, on_event, j);
    return j->event != NULL ? 0 : ENOMEM;
}

/* A new packet on a new socket. */
static void begin_packet(dt_dae_job *j)
{
    dt_dae_question q = {.kind = j->nas->config->kind,
                         .again = j->again,
                         .session = &j->request.session,
                         .now = dt_host_now()};
    dt_error e = {0};
    int error, rc;

    close_socket(j);
    j->schedule = (dt_dae_schedule){0};
    dt_buf_reset(&j->packet);
    error = open_socket(j);
    if (error != 0) {
        finish_in_words(j, (dt_end_result){.retry = true}, "could not be asked",
                        strerrordesc_np(error) != NULL ? strerrordesc_np(error) : "no socket");
        return;
    }
    rc = draw_identifier(j->driver->dae, local_port(j->fd), &q.identifier);
    if (rc != DT_OK)
        dt_error_set(&e, rc, "no identifier for the request is free (%s)", dt_err_name(rc));
    else
        rc = dt_dae_make(&q, dt_secret_bytes(j->nas->secret), &j->packet, &e);
    if (rc != DT_OK)
        finish_in_words(j, (dt_end_result){.retry = rc != DT_E_INVALID}, "was not asked", e.text);
    else if (!transmit(j))
        finish_in_words(j, (dt_end_result){.retry = true}, "could not be asked", "out of memory");
}

/* --- replies ---------------------------------------------------------------------------------- */

/* A NAS that does not know how to have somebody sign on again is asked to end the session. */
static void take_nak(dt_dae_job *j, dt_dae_reply const *reply)
{
    dt_end_result r = {.outcome = DT_END_REFUSED, .error_cause = reply->error_cause};
    char did[64];

    if (reply->error_cause == DT_DAE_CAUSE_SESSION_NOT_FOUND) {
        r.outcome = DT_END_GONE;
        finish_in_words(j, r, "has no such session any more", NULL);
        return;
    }
    if (j->again != DT_NAS_AGAIN_DISCONNECT) {
        if (reply->error_cause == DT_DAE_CAUSE_REQUEST_INITIATED) {
            r.outcome = DT_END_DONE;
            r.reauthenticates = true;
            finish_in_words(j, r, "has the person sign on again", NULL);
            return;
        }
        j->fell_back = true;
        j->fell_cause = reply->error_cause;
        j->again = DT_NAS_AGAIN_DISCONNECT;
        begin_packet(j);
        return;
    }
    (void)snprintf(did, sizeof(did), "refused to end the session (Error-Cause %u)",
                   reply->error_cause);
    finish_in_words(j, r, did, dt_dae_cause_text(reply->error_cause));
}

static void take_reply(dt_dae_job *j, dt_dae_reply const *reply)
{
    dt_end_result r = {.outcome = DT_END_DONE, .error_cause = reply->error_cause};

    if (!reply->ack) {
        take_nak(j, reply);
        return;
    }
    r.reauthenticates = j->again != DT_NAS_AGAIN_DISCONNECT;
    finish_in_words(j, r,
                    r.reauthenticates ? "has the person sign on again"
                    : dt_nas_rules_of(j->nas->config->kind)->ends_all
                        ? "ended all sessions of the person"
                        : "ended the session",
                    NULL);
}

typedef enum reading { READ_NOTHING = 0, READ_SOMETHING, READ_REPLY } reading;

/* READ_REPLY: the job may be gone. */
static reading read_one(dt_dae_job *j)
{
    uint8_t bytes[DT_RADIUS_LONGEST + 1];
    dt_dae_reply reply;
    ssize_t n = recv(j->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            j->error = errno;
        return errno == EINTR ? READ_SOMETHING : READ_NOTHING;
    }
    if (dt_dae_read(dt_bytes_of(bytes, (size_t)n), dt_buf_bytes(&j->packet),
                    dt_secret_bytes(j->nas->secret), &reply) != DT_OK) {
        j->forged = true;
        return READ_SOMETHING;
    }
    take_reply(j, &reply);
    return READ_REPLY;
}

static reading read_some(dt_dae_job *j)
{
    reading r = READ_SOMETHING;

    for (int i = 0; i < READS_MAX && r == READ_SOMETHING; i++)
        r = read_one(j);
    return r;
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
    dt_dae_job *j = ctx;
    dt_driver *d = j->driver;
    bool going = true;

    (void)fd;
    if ((what & EV_READ) != 0 && read_some(j) == READ_REPLY) {
        start_waiting(d);
        return;
    }
    if (dt_driver_mono() < j->until)
        going = wait_for_reply(j);
    else if (j->last)
        finish_silent(j);
    else
        going = transmit(j);
    if (!going)
        finish_in_words(j, (dt_end_result){.retry = true}, "could not be asked again",
                        "out of memory");
    start_waiting(d);
}

/* --- whose turn it is ------------------------------------------------------------------------- */

static void start_waiting(dt_driver *d)
{
    struct dt_dae_client *c = d->dae;

    for (dt_dae_job *j = c->first, *next; j != NULL && c->active < ACTIVE_MAX; j = next) {
        next = j->next;
        if (j->fd >= 0 || active_like(c, j) >= ACTIVE_OF_ONE_MAX)
            continue;
        begin_packet(j);
        next = c->first; /* a callback may have changed the list */
    }
}

/* Finds who is to be asked. False: nobody; then it has ended. */
static bool aim(dt_dae_job *j)
{
    dt_nas_table const *table;

    j->live = dt_live_site_current(j->driver);
    table = dt_site_nases(j->live->files);
    j->nas = dt_nas_table_find(table, &j->request.session, &j->target);
    if (j->nas == NULL) {
        char text[DT_ERROR_TEXT_MAX];
        dt_nas_session const *s = &j->request.session;

        (void)snprintf(
            text, sizeof(text),
            "no section [nas NAME] of devtrust.conf is for the NAS of this session (NAS-IP-Address "
            "\"%.45s\", NAS-IPv6-Address \"%.45s\", packets from \"%.45s\", NAS-Identifier "
            "\"%.100s\"); "
            "add one, with its secret",
            s->ip_address, s->ipv6_address, s->source, s->identifier);
        finish_plainly(j, false, text);
        return false;
    }
    j->port = j->nas->config->port != 0 ? j->nas->config->port
                                        : dt_nas_rules_of(j->nas->config->kind)->port;
    j->again = j->request.ask == DT_DAE_REAUTHENTICATE ? dt_nas_again_of(j->nas->config)
                                                       : DT_NAS_AGAIN_DISCONNECT;
    return true;
}

static void begin(void *ctx)
{
    dt_dae_job *j = ctx;
    dt_driver *d = j->driver;

    if (d->dae == NULL)
        d->dae = calloc(1, sizeof(*d->dae));
    if (d->dae == NULL) {
        dt_end_result const r = {.retry = true, .text = "out of memory"};

        atomic_fetch_sub(&d->dae_count, 1);
        j->done(j->ctx, &r);
        free(j);
        return;
    }
    enlist(d->dae, j);
    if (d->closed)
        finish_plainly(j, true, "devtrust is stopping");
    else if (aim(j))
        start_waiting(d);
}

int dt_dae_end(dt_driver *d, dt_dae_request const *request, dt_end_fn *done, void *ctx)
{
    dt_dae_job *j;
    int rc;

    if (atomic_fetch_add(&d->dae_count, 1) >= DT_DAE_MAX) {
        atomic_fetch_sub(&d->dae_count, 1);
        return DT_E_LIMIT;
    }
    j = calloc(1, sizeof(*j));
    if (j != NULL) {
        *j = (dt_dae_job){.driver = d, .request = *request, .done = done, .ctx = ctx, .fd = -1};
        dt_buf_init(&j->packet, DT_RADIUS_LONGEST);
    }
    rc = j == NULL ? DT_E_NOMEM : dt_driver_post(d, begin, j);
    if (rc != DT_OK) {
        atomic_fetch_sub(&d->dae_count, 1);
        free(j);
    }
    return rc;
}

void dt_dae_close(dt_driver *d)
{
    while (d->dae != NULL && d->dae->first != NULL)
        finish_plainly(d->dae->first, true, "devtrust is stopping");
    free(d->dae);
    d->dae = NULL;
}
