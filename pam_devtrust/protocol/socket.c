/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages over a socket. Nothing here waits: whoever calls has polled, and minds the clock. */
#include "pam_devtrust/protocol/protocol.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one descriptor. */
typedef union control {
    struct cmsghdr header;
    uint8_t room[CMSG_SPACE(sizeof(int))];
} control;

static void pass(struct msghdr *m, control *c, int fd)
{
    memset(c, 0, sizeof(*c));
    m->msg_control = c->room;
    m->msg_controllen = sizeof(c->room);
    c->header.cmsg_level = SOL_SOCKET;
    c->header.cmsg_type = SCM_RIGHTS;
    c->header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&c->header), &fd, sizeof(fd));
}

static int send_packet(int fd, uint8_t *packet, size_t len, int passed)
{
    struct iovec part = {.iov_base = packet, .iov_len = len};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    control c;
    ssize_t n;

    if (passed >= 0)
        pass(&m, &c, passed);
    do {
        n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
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
    return dt_message_send_passing(fd, m, -1);
}

int dt_message_send_passing(int fd, dt_message const *m, int passed)
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
        rc = send_packet(fd, packet, len, passed);
    explicit_bzero(packet, size);
    free(packet);
    return rc;
}

/* When a peer closes with bytes of ours unread, the first call says ECONNRESET, and only the next
 * one gives what the peer had said before: the result may be waiting there. */
static ssize_t receive_packet(int fd, struct msghdr *m)
{
    ssize_t n = -1;

    for (int i = 0; i < 4; i++) {
        n = recvmsg(fd, m, MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_CLOEXEC);
        if (n >= 0 || (errno != EINTR && errno != ECONNRESET))
            break;
    }
    return n;
}

/* The descriptor in the packet, or -1. */
static int descriptor_of(struct msghdr const *m)
{
    struct cmsghdr const *c = m->msg_controllen > 0 ? CMSG_FIRSTHDR(m) : NULL;
    int fd = -1;

    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

/* What a call that gave `n` means, before what came is looked at. */
static int received(ssize_t n, size_t cap)
{
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return DT_E_NOT_FOUND;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return DT_E_GONE;
    if (n < 0)
        return DT_E_IO;
    return (size_t)n > cap ? DT_E_PARSE : DT_OK;
}

static int read_packet(ssize_t n, uint8_t const *buf, size_t cap, struct msghdr const *m,
                       dt_message *out)
{
    int rc = received(n, cap);

    if (rc < 0)
        return rc;
    /* Without room for descriptors the kernel closes those that were passed, and says so. */
    if (m->msg_control != NULL && (m->msg_flags & MSG_CTRUNC) != 0)
        return DT_E_PARSE;
    return dt_message_decode(buf, (size_t)n, out);
}

static int receive(int fd, uint8_t *buf, size_t cap, dt_message *out, struct msghdr *m)
{
    memset(out, 0, sizeof(*out));
    return read_packet(receive_packet(fd, m), buf, cap, m, out);
}

int dt_message_receive(int fd, uint8_t *buf, size_t cap, dt_message *out)
{
    struct iovec part = {.iov_base = buf, .iov_len = cap};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

    return receive(fd, buf, cap, out, &m);
}

int dt_message_receive_passed(int fd, uint8_t *buf, size_t cap, dt_message *out, int *passed)
{
    control c;
    struct iovec part = {.iov_base = buf, .iov_len = cap};
    /* Not all of the room: in what aligns it, a second descriptor would fit. */
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = c.room,
                       .msg_controllen = CMSG_LEN(sizeof(int))};
    int rc = receive(fd, buf, cap, out, &m);

    *passed = -1;
    if (rc == DT_E_NOT_FOUND || rc == DT_E_IO)
        return rc; /* nothing came, and nothing with it */
    *passed = descriptor_of(&m);
    if (rc < 0 && *passed >= 0) {
        close(*passed);
        *passed = -1;
    }
    return rc;
}

int dt_message_pass_on(int from, int to, uint8_t *buf, size_t cap)
{
    struct iovec part = {.iov_base = buf, .iov_len = cap};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = receive_packet(from, &m);
    int rc = received(n, cap);

    if (rc == DT_OK)
        rc = send_packet(to, buf, (size_t)n, -1);
    if (n > 0)
        explicit_bzero(buf, (size_t)n < cap ? (size_t)n : cap);
    return rc;
}

int dt_lock_screen_path(char const *socket, char out[DT_SOCKET_PATH_MAX])
{
    static char const name[] = "lock-screen.sock";
    char const *slash = strrchr(socket, '/');
    size_t directory = slash != NULL ? (size_t)(slash - socket) + 1 : 0;

    if (socket[0] != '/' || directory + sizeof(name) > DT_SOCKET_PATH_MAX)
        return DT_E_INVALID;
    memcpy(out, socket, directory);
    memcpy(out + directory, name, sizeof(name));
    return DT_OK;
}
