/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages over a socket. Nothing here waits: whoever calls has polled, and minds the clock. */
#include "pam_devtrust/protocol/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int send_packet(int fd, uint8_t const *packet, size_t len)
{
    ssize_t n;

    do {
        n = send(fd, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n == (ssize_t)len)
        return DT_OK;
    if (n >= 0)
        return DT_E_IO;
    /* The few messages of a sign-on always fit; a full queue means that nobody reads. */
    return errno == EPIPE || errno == ECONNRESET || errno == EAGAIN ? DT_E_GONE : DT_E_IO;
}

int dt_message_send(int fd, dt_message const *m)
{
    size_t size = dt_message_size(m);
    size_t len = 0;

    if (size == 0)
        return DT_E_INVALID;
    uint8_t *packet = malloc(size);

    if (packet == NULL)
        return DT_E_NOMEM;
    int rc = dt_message_encode(m, packet, size, &len);

    if (rc == DT_OK)
        rc = send_packet(fd, packet, len);
    explicit_bzero(packet, size);
    free(packet);
    return rc;
}

/* When a peer closes with bytes of ours unread, the first recv says ECONNRESET, and only the next
 * one gives what the peer had said before: the result may be waiting there. */
static ssize_t receive_packet(int fd, uint8_t *buf, size_t cap)
{
    ssize_t n = -1;

    for (int i = 0; i < 4; i++) {
        n = recv(fd, buf, cap, MSG_DONTWAIT | MSG_TRUNC);
        if (n >= 0 || (errno != EINTR && errno != ECONNRESET))
            break;
    }
    return n;
}

int dt_message_receive(int fd, uint8_t *buf, size_t cap, dt_message *out)
{
    ssize_t n = receive_packet(fd, buf, cap);

    memset(out, 0, sizeof(*out));
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return DT_E_NOT_FOUND;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return DT_E_GONE;
    if (n < 0)
        return DT_E_IO;
    if ((size_t)n > cap)
        return DT_E_PARSE;
    return dt_message_decode(buf, (size_t)n, out);
}
