/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A daemon that cannot read its configuration refuses: at once and with a reason, instead of leaving
 * people in front of a login that hangs. It needs neither the driver nor its loop. */
#include "pam_devtrust/daemon/daemon.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits until one of them can be read, at most until `limit`. */
static bool wait_for(struct pollfd *p, nfds_t count, int64_t limit)
{
    int64_t left = limit - dt_daemon_mono();

    return left > 0 && poll(p, count, (int)left) > 0;
}

static void refuse_one(int fd, int64_t limit)
{
    dt_message answer = {.type = DT_MESSAGE_RESULT,
                         .result = DT_RESULT_DENY,
                         .cause = dt_cause_name(DT_CAUSE_CONFIG),
                         .message = "The sign-on could not be checked. Tell your administrator."};
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t *packet = malloc(DT_PROTOCOL_REQUEST_MAX);
    dt_message m;

    /* Its request is taken first: to close with bytes unread would hide the answer. */
    if (packet != NULL && wait_for(&p, 1, limit) &&
        dt_message_receive(fd, packet, DT_PROTOCOL_REQUEST_MAX, &m) == DT_OK)
        (void)!dt_message_send(fd, &answer);
    free(packet);
    close(fd);
}

static void refuse_next(struct pollfd const *p, int64_t limit)
{
    int one = p->revents != 0 ? accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

    if (one >= 0)
        refuse_one(one, limit);
}

void dt_refuse(dt_sockets const *sockets, bool one)
{
    int64_t limit = dt_daemon_mono() + DT_DAEMON_REFUSE_MS;
    /* poll(2) passes over a descriptor below zero. */
    struct pollfd p[] = {{.fd = sockets->main, .events = POLLIN},
                         {.fd = sockets->lock_screen, .events = POLLIN}};

    if (one) {
        refuse_one(sockets->main, limit);
        return;
    }
    while (wait_for(p, 2, limit)) {
        refuse_next(&p[0], limit);
        refuse_next(&p[1], limit);
    }
}
