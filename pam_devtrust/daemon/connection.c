/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections: what comes over them, and what becomes of them when the other side leaves. */
#include "pam_devtrust/daemon/daemon.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

static void list_add(dt_conn *c)
{
    dt_daemon *d = c->daemon;

    c->next = d->first;
    if (d->first != NULL)
        d->first->previous = c;
    d->first = c;
    d->count++;
}

static void list_remove(dt_conn *c)
{
    dt_daemon *d = c->daemon;

    if (c->next != NULL)
        c->next->previous = c->previous;
    *(c->previous != NULL ? &c->previous->next : &d->first) = c->next;
    d->count--;
}

/* From here on there is nobody to talk to. */
static void disconnect(dt_conn *c)
{
    if (c->readable != NULL)
        event_free(c->readable);
    if (c->timer != NULL)
        event_free(c->timer);
    if (c->fd >= 0)
        close(c->fd);
    if (c->agent >= 0)
        close(c->agent);
    c->readable = c->timer = NULL;
    c->fd = c->agent = -1;
}

static void release(dt_conn *c)
{
    dt_daemon *d = c->daemon;

    disconnect(c);
    dt_request_forget(c);
    list_remove(c);
    dt_buf_free(&c->facts);
    free(c);
    dt_daemon_conn_gone(d);
}

static char const *link_of(dt_outcome const *o, dt_signon const *machine)
{
    return o->links_org && machine != NULL ? dt_signon_ruleset(machine)->config->okta.org_url : "";
}

void dt_conn_finish(dt_conn *c, dt_outcome const *o, dt_signon const *machine)
{
    bool passes = dt_outcome_is_report_only(o);
    bool allows = o->result == DT_ALLOW && dt_cause_allows(o->cause);
    char text[DT_MESSAGE_MAX];
    bool keeps = allows && c->admission[0] != '\0';
    bool later = c->phase == DT_PAM_EARLY && o->cause == DT_CAUSE_SESSION_DECIDES;
    dt_message m = {.type = DT_MESSAGE_RESULT,
                    .result = allows   ? DT_RESULT_ALLOW
                              : passes ? DT_RESULT_PASS
                              : later  ? DT_RESULT_LATER
                                       : DT_RESULT_DENY,
                    .cause = passes && c->key_verified ? DT_REPORT_ONLY_AFTER_KEY
                                                       : dt_cause_name(o->cause),
                    .message = passes || later ? "" : text};

    dt_outcome_text(o, o->message, text);
    if (allows)
        dt_session_facts_use(c, o);
    if (keeps && c->daemon->one)
        dt_admission_keep(c->daemon, c->admission, o->cause);
    if (c->fd >= 0 && m.message == text && !allows && !dt_conn_draw(c, link_of(o, machine), text))
        dt_log(LOG_NOTICE, "a module of uid %u did not read a drawing", (unsigned)c->uid);
    if (c->fd >= 0 && dt_message_send(c->fd, &m) != DT_OK)
        dt_log(LOG_NOTICE, "a module of uid %u did not read its answer", (unsigned)c->uid);
    /* The session line asks this very process, which reads nothing before this is kept: the person need not wait for
     * it. Only where each login has a process of its own may another one be asked. */
    if (keeps && !c->daemon->one)
        dt_admission_keep(c->daemon, c->admission, o->cause);
    release(c);
}

void dt_conn_release(dt_conn *c)
{
    disconnect(c);
    if (c->run != NULL)
        dt_run_abandon(c->run, DT_CAUSE_CLIENT_GONE); /* its end releases the connection */
    else
        release(c);
}

void dt_conns_drop(dt_daemon *d)
{
    while (d->first != NULL) {
        dt_conn *c = d->first;

        if (c->run != NULL)
            dt_run_detach(c->run, DT_CAUSE_BUSY);
        release(c);
    }
}

/* --- what comes in ----------------------------------------------------------------------------------- */

static void take_answer(dt_conn *c, dt_message const *m)
{
    /* An answer to an earlier prompt has crossed with the one that took its place. */
    if (c->run != NULL && m->number == c->number)
        dt_run_answer(c->run, dt_bytes_str(m->answer));
}

static void drop_broken(dt_conn *c, char const *what)
{
    dt_log(LOG_WARNING, "a module of uid %u %s", (unsigned)c->uid, what);
    dt_conn_release(c);
}

/* The connection may be gone afterwards. */
static void take_message(dt_conn *c, dt_message const *m, size_t len)
{
    switch (m->type) {
    case DT_MESSAGE_REQUEST:
        if (c->asked)
            break;
        c->asked = true;
        event_del(c->timer);
        dt_request_start(c, m, c->daemon->packet, len);
        return;
    case DT_MESSAGE_ANSWER:
        if (!c->asked)
            break;
        take_answer(c, m);
        return;
    case DT_MESSAGE_SESSION:
        if (c->asked)
            break;
        dt_request_session(c, m);
        dt_conn_release(c);
        return;
    case DT_MESSAGE_CANCEL:
        dt_conn_release(c);
        return;
    default:
        break;
    }
    drop_broken(c, "sent a message out of turn");
}

/* A descriptor comes with the first message or not at all. */
static int receive(dt_conn *c, dt_message *m)
{
    uint8_t *packet = c->daemon->packet;

    if (c->asked)
        return dt_message_receive(c->fd, packet, DT_PROTOCOL_REQUEST_MAX, m);
    return dt_message_receive_passed(c->fd, packet, DT_PROTOCOL_REQUEST_MAX, m, &c->agent);
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    dt_conn *c = ctx;
    dt_daemon *d = c->daemon;
    dt_message m;
    int rc = receive(c, &m);

    (void)fd;

    if (rc == DT_OK)
        take_message(c, &m, dt_message_size(&m));
    else if (rc == DT_E_PARSE)
        drop_broken(c, "sent a malformed message");
    else if (rc != DT_E_NOT_FOUND)
        dt_conn_release(c);
    explicit_bzero(d->packet, DT_PROTOCOL_REQUEST_MAX); /* there may have been a passcode in it */
}

static void on_silence(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    drop_broken(ctx, "connected and sent no request");
}

/* --- new ones ---------------------------------------------------------------------------------------- */

static bool watch(dt_conn *c)
{
    struct event_base *base = dt_driver_base(c->daemon->driver);
    struct timeval limit = dt_daemon_time(DT_DAEMON_REQUEST_MS);

    c->readable = event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
    c->timer = evtimer_new(base, on_silence, c);
    return c->readable != NULL && c->timer != NULL && event_add(c->readable, NULL) == 0 &&
           event_add(c->timer, &limit) == 0;
}

void dt_conn_open_for(dt_daemon *d, int fd, struct ucred const *peer)
{
    dt_conn *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        close(fd);
        return;
    }
    *c = (dt_conn){.daemon = d,
                   .fd = fd,
                   .agent = -1,
                   .uid = peer->uid,
                   .pid = peer->pid,
                   .over_limit = d->count >= d->max_sign_ons};
    list_add(c);
    if (!watch(c))
        dt_conn_release(c);
}

void dt_conn_open(dt_daemon *d, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == sizeof(peer);

    if (known && peer.uid == 0) {
        dt_conn_open_for(d, fd, &peer);
        return;
    }
    if (!d->logged_strangers)
        dt_log(LOG_WARNING,
               "uid %u connected to the socket of root's modules and was rejected: nobody but root "
               "may be able to connect to it (mode 0600)",
               known ? (unsigned)peer.uid : 0U);
    d->logged_strangers = true;
    close(fd);
}
