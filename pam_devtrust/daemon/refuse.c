/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A daemon that cannot read its configuration refuses: at once and with a reason, instead of leaving
 * people in front of a login that hangs. It needs neither the driver nor its loop. */
#include "pam_devtrust/daemon/daemon.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits until `fd` can be read, at most until `limit`. */
static bool readable(int fd, int64_t limit)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t left = limit - dt_daemon_mono();

    return left > 0 && poll(&p, 1, (int)left) > 0;
}

static void refuse_one(int fd, int64_t limit)
{
    dt_message answer = {.type = DT_MESSAGE_RESULT,
                         .result = DT_RESULT_DENY,
                         .cause = dt_cause_name(DT_CAUSE_CONFIG),
                         .message = "The sign-on could not be checked. Tell your administrator."};
    uint8_t *packet = malloc(DT_PROTOCOL_REQUEST_MAX);
    dt_message m;

    /* Its request is taken first: to close with bytes unread would hide the answer. */
    if (packet != NULL && readable(fd, limit) &&
        dt_message_receive(fd, packet, DT_PROTOCOL_REQUEST_MAX, &m) == DT_OK)
        (void)!dt_message_send(fd, &answer);
    free(packet);
    close(fd);
}

void dt_refuse(int fd, bool listening)
{
    int64_t limit = dt_daemon_mono() + DT_DAEMON_REFUSE_MS;

    if (!listening) {
        refuse_one(fd, limit);
        return;
    }
    while (readable(fd, limit)) {
        int one = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (one >= 0)
            refuse_one(one, limit);
    }
}
