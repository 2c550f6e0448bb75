/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket of the lock screens, to which everybody may connect.
 *
 * A packet may have descriptors with it, and whoever takes or drops the packet closes them. That may wait for
 * as long as their owner likes (SO_LINGER, socket(7)). So the loop's thread, on which everybody's sign-ons
 * run, touches nothing of a stranger's: each connection has a thread of its own, which passes packets on
 * between it and a socket pair. The other end of that pair is what the loop sees. */
#include "pam_devtrust/daemon/daemon.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

typedef struct dt_lock_screens {
    dt_daemon *daemon;
    int listen_fd;
    dt_rate rates[DT_DAEMON_RATE_SLOTS]; /* of the accepting thread */
    pthread_mutex_t lock;                /* for `carriers` */
    struct {
        bool taken;
        uid_t uid;
    } carriers[DT_DAEMON_CARRIERS_MAX];
} dt_lock_screens;

/* One connection and the thread that carries its packets. */
typedef struct carrier {
    dt_lock_screens *screens;
    size_t slot;
    struct ucred peer;
    int outer; /* the stranger's */
    int inner; /* our end of the pair */
} carrier;

/* --- the loop's end -------------------------------------------------------------------------------------- */

typedef struct arrival {
    dt_daemon *daemon;
    int fd;
    struct ucred peer;
} arrival;

static void arrived(void *ctx)
{
    arrival *a = ctx;

    dt_conn_open_for(a->daemon, a->fd, &a->peer);
    free(a);
}

/* Hands `fd` to the loop, or closes it. */
static void hand_over(dt_daemon *d, int fd, struct ucred const *peer)
{
    arrival *a = malloc(sizeof(*a));
    bool taken = false;

    if (a != NULL) {
        *a = (arrival){.daemon = d, .fd = fd, .peer = *peer};
        pthread_mutex_lock(&d->post_lock);
        taken = !d->posts_end && dt_driver_post(d->driver, arrived, a) == DT_OK;
        pthread_mutex_unlock(&d->post_lock);
    }
    if (taken)
        return;
    close(fd);
    free(a);
}

/* --- carrying -------------------------------------------------------------------------------------------- */

static bool pass_packet(struct pollfd const *from, int to, uint8_t *packet)
{
    int rc;

    if (from->revents == 0)
        return true;
    rc = dt_message_pass_on(from->fd, to, packet, DT_PROTOCOL_REQUEST_MAX);
    return rc == DT_OK || rc == DT_E_NOT_FOUND;
}

/* False when either side has left, or sends what is not a packet of the protocol's size. How long there may be
 * silence is the loop's to say: it closes its end. */
static bool carry_both(carrier const *c, uint8_t *packet)
{
    struct pollfd p[] = {{.fd = c->outer, .events = POLLIN}, {.fd = c->inner, .events = POLLIN}};

    if (poll(p, 2, -1) < 0)
        return errno == EINTR;
    return pass_packet(&p[0], c->inner, packet) && pass_packet(&p[1], c->outer, packet);
}

static void give_back(dt_lock_screens *s, size_t slot)
{
    pthread_mutex_lock(&s->lock);
    s->carriers[slot].taken = false;
    pthread_mutex_unlock(&s->lock);
}

static void *run(void *ctx)
{
    carrier *c = ctx;
    uint8_t *packet = malloc(DT_PROTOCOL_REQUEST_MAX);

    while (packet != NULL && carry_both(c, packet)) {
    }
    free(packet);
    close(c->inner);
    close(c->outer); /* as long as this takes, it counts against its owner's limit */
    give_back(c->screens, c->slot);
    free(c);
    return NULL;
}

static bool start(carrier *c)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return false;
    struct ucred peer = c->peer;
    dt_daemon *d = c->screens->daemon;

    c->inner = pair[0];
    if (!dt_thread_start(run, c)) {
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    hand_over(d, pair[1], &peer); /* the carrier may be gone by now */
    return true;
}

/* --- accepting --------------------------------------------------------------------------------------------- */

/* Room for one more of this caller's; DT_DAEMON_CARRIERS_MAX when there is none. */
static size_t take_slot(dt_lock_screens *s, uid_t uid)
{
    size_t room = DT_DAEMON_CARRIERS_MAX;
    size_t mine = 0;

    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < DT_DAEMON_CARRIERS_MAX; i++) {
        if (!s->carriers[i].taken)
            room = i;
        else if (s->carriers[i].uid == uid)
            mine++;
    }
    if (mine >= DT_DAEMON_PER_USER_MAX)
        room = DT_DAEMON_CARRIERS_MAX;
    if (room < DT_DAEMON_CARRIERS_MAX) {
        s->carriers[room].taken = true;
        s->carriers[room].uid = uid;
    }
    pthread_mutex_unlock(&s->lock);
    return room;
}

static bool asks_too_often(dt_lock_screens *s, uid_t uid)
{
    dt_rate_answer rate = dt_rate_take(s->rates, uid, dt_daemon_mono());

    if (rate == DT_RATE_FIRST_OVER)
        dt_log(LOG_WARNING, "uid %u asks too often and is rejected", (unsigned)uid);
    return rate != DT_RATE_OK;
}

/* Takes `fd` over, or says no. Root's modules have a socket of their own. */
static bool accept_screen(dt_lock_screens *s, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof(peer) ||
        peer.uid == 0 || asks_too_often(s, peer.uid))
        return false;
    size_t slot = take_slot(s, peer.uid);

    if (slot == DT_DAEMON_CARRIERS_MAX)
        return false;
    carrier *c = malloc(sizeof(*c));

    if (c != NULL) {
        *c = (carrier){.screens = s, .slot = slot, .peer = peer, .outer = fd, .inner = -1};
        if (start(c))
            return true;
    }
    free(c);
    give_back(s, slot);
    return false;
}

/* Who is not taken is closed here: that may keep other lock screens waiting, and nobody else. */
static void *accept_all(void *ctx)
{
    dt_lock_screens *s = ctx;
    struct pollfd p = {.fd = s->listen_fd, .events = POLLIN};

    for (;;) {
        (void)poll(&p, 1, -1);
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            if (!accept_screen(s, fd))
                close(fd);
        } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            dt_log(LOG_ERR, "no connection of a lock screen can be accepted: %s", strerror(errno));
            (void)poll(NULL, 0, DT_DAEMON_PAUSE_MS);
        }
    }
    return NULL;
}

bool dt_lock_screens_wanted(dt_ruleset const *ruleset)
{
    dt_string_list const *services = &ruleset->config->daemon.lock_screen_services;
    dt_site const *files = dt_driver_files(ruleset);

    for (size_t i = 0; i < services->count; i++) {
        if (dt_site_policy(files, dt_site_application_of(files, services->items[i])) != NULL)
            return true;
    }
    return false;
}

int dt_lock_screen_serve(dt_daemon *d, int listen_fd)
{
    dt_lock_screens *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return DT_E_NOMEM;
    s->daemon = d;
    s->listen_fd = listen_fd;
    if (pthread_mutex_init(&s->lock, NULL) == 0) {
        if (dt_thread_start(accept_all, s))
            return DT_OK;
        pthread_mutex_destroy(&s->lock);
    }
    free(s);
    return DT_E_NOMEM;
}
