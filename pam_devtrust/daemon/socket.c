/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's sockets: systemd's, its own, and the one that --one was started with. The protocols of
 * sd_listen_fds(3) and sd_notify(3) are short enough to be spoken without a library. */
#include "pam_devtrust/daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOCK_SCREEN_NAME "lock-screen" /* devtrustd-lock-screen.socket */
#define LOCK_SUFFIX ".lock"
#define MODE_FOR_ROOT 0600
#define MODE_FOR_ALL 0666 /* who may ask for whom is judged by SO_PEERCRED */

static bool int_option(int fd, int option, int wanted)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

static bool is_seqpacket(int fd, int listening)
{
    return int_option(fd, SO_DOMAIN, AF_UNIX) && int_option(fd, SO_TYPE, SOCK_SEQPACKET) &&
           int_option(fd, SO_ACCEPTCONN, listening);
}

static void set_flags(int fd)
{
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int dt_socket_check_connected(int fd, dt_error *e)
{
    if (!is_seqpacket(fd, 0))
        return dt_error_set(e, DT_E_INVALID,
                            "--one needs a connected SOCK_SEQPACKET socket as descriptor %d; it is "
                            "what pam_devtrust.so starts",
                            fd);
    set_flags(fd);
    return DT_OK;
}

/* The names of what is handed over, separated by ':'. */
static bool next_is_lock_screen(char const **names)
{
    size_t len = strcspn(*names, ":");
    bool is = len == strlen(LOCK_SCREEN_NAME) && memcmp(*names, LOCK_SCREEN_NAME, len) == 0;

    *names += len;
    if (**names == ':')
        (*names)++;
    return is;
}

static bool take_sockets(int count, char const *names, dt_sockets *out)
{
    for (int i = 0; i < count; i++) {
        int *place = next_is_lock_screen(&names) ? &out->lock_screen : &out->main;

        if (*place >= 0 || !is_seqpacket(DT_DAEMON_FD + i, 1))
            return false;
        set_flags(DT_DAEMON_FD + i);
        *place = DT_DAEMON_FD + i;
    }
    return out->main >= 0;
}

int dt_socket_inherited(dt_sockets *out, dt_error *e)
{
    char const *pid = getenv("LISTEN_PID");
    char const *fds = getenv("LISTEN_FDS");
    char const *names = getenv("LISTEN_FDNAMES");
    bool ours = pid != NULL && fds != NULL && strtol(pid, NULL, 10) == (long)getpid();
    int count = !ours ? 0 : strcmp(fds, "1") == 0 ? 1 : strcmp(fds, "2") == 0 ? 2 : -1;
    bool good;

    *out = (dt_sockets){-1, -1};
    good = count == 0 || (count > 0 && take_sockets(count, names != NULL ? names : "", out));
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (good)
        return DT_OK;
    return dt_error_set(e, DT_E_INVALID,
                        "the service manager must pass one socket with ListenSequentialPacket=, "
                        "and at most one more that has FileDescriptorName=" LOCK_SCREEN_NAME);
}

/* --- a socket of our own ---------------------------------------------------------------------------- */

static int open_socket(dt_error *e)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return dt_error_set(e, DT_E_IO, "socket: %s", strerror(errno));
    return fd;
}

/* Whether nobody listens there any more. What cannot be tried (the service manager's socket is root's
 * alone, and this process no longer is root) is somebody's. */
static int check_stale(struct sockaddr_un const *address, struct stat const *st, dt_error *e)
{
    int fd = open_socket(e);

    if (fd < 0)
        return fd;
    int rc = connect(fd, (struct sockaddr const *)address, sizeof(*address));
    int number = rc == 0 ? 0 : errno;

    close(fd);
    if (number == ECONNREFUSED || number == ENOENT)
        return DT_OK;
    if (number == 0 || number == EAGAIN)
        return dt_error_set(
            e, DT_E_EXISTS,
            "another devtrustd, or the service manager for it, listens on %s; stop it (systemctl "
            "stop devtrustd.socket devtrustd.service), or set another path with --socket",
            address->sun_path);
    return dt_error_set(
        e, DT_E_EXISTS,
        "%s exists and belongs to uid %u, as the service manager's does (%s): another devtrustd "
        "may be listening; stop it (systemctl stop devtrustd.socket devtrustd.service), or remove "
        "the socket when nobody uses it, or set another path with --socket",
        address->sun_path, (unsigned)st->st_uid, strerror(number));
}

static int make_room(struct sockaddr_un const *address, dt_error *e)
{
    struct stat st;

    if (lstat(address->sun_path, &st) != 0)
        return DT_OK;
    if (!S_ISSOCK(st.st_mode))
        return dt_error_set(e, DT_E_EXISTS, "%s exists and is not a socket", address->sun_path);
    int rc = check_stale(address, &st, e);

    if (rc < 0)
        return rc;
    if (unlink(address->sun_path) != 0 && errno != ENOENT)
        return dt_error_set(e, DT_E_IO, "%s: %s", address->sun_path, strerror(errno));
    return DT_OK;
}

/* Held as long as the process lives: of two that start at once, one must not remove the other's fresh
 * socket as a stale one. The file stays, since who waits for the lock may have it open. */
static int take_lock(char const *path, dt_error *e)
{
    char name[DT_SOCKET_PATH_MAX + sizeof(LOCK_SUFFIX)];

    (void)snprintf(name, sizeof(name), "%s" LOCK_SUFFIX, path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

    if (fd < 0)
        return dt_error_set(
            e, DT_E_IO,
            "%s: %s; create its directory, owned by the user who runs devtrustd (uid %u)", name,
            strerror(errno), (unsigned)geteuid());
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        /* cppcheck-suppress resourceLeak -- the kernel closes it at the end, and then unlocks */
        return DT_OK;
    close(fd);
    return dt_error_set(e, DT_E_EXISTS, "another devtrustd uses %s (%s is locked); stop it first",
                        path, name);
}

static int bind_socket(int fd, struct sockaddr_un const *address, bool for_all, dt_error *e)
{
    mode_t before = umask(0777 & ~(for_all ? MODE_FOR_ALL : MODE_FOR_ROOT));
    int rc = bind(fd, (struct sockaddr const *)address, sizeof(*address));
    int error = errno;

    umask(before);
    if (rc == 0 && listen(fd, DT_DAEMON_BACKLOG) == 0)
        return DT_OK;
    return dt_error_set(e, DT_E_IO, "%s: %s", address->sun_path, strerror(rc == 0 ? errno : error));
}

void dt_socket_remove(char const *path, dt_socket_place const *made)
{
    struct stat there;

    if (made->inode != 0 && lstat(path, &there) == 0 && there.st_dev == made->device &&
        there.st_ino == made->inode)
        (void)unlink(path);
}

int dt_socket_listen(char const *path, bool for_all, int *out, dt_socket_place *made, dt_error *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int rc;

    *out = -1;
    if (dt_str_copy(address.sun_path, sizeof(address.sun_path), path) < 0 || path[0] != '/')
        return dt_error_set(e, DT_E_INVALID, "%s: not an absolute path of at most %zu bytes", path,
                            sizeof(address.sun_path) - 1);
    rc = take_lock(path, e);
    if (rc == DT_OK)
        rc = make_room(&address, e);
    if (rc < 0)
        return rc;
    int fd = open_socket(e);

    if (fd < 0)
        return fd;
    rc = bind_socket(fd, &address, for_all, e);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    struct stat st;

    *made = lstat(path, &st) == 0 ? (dt_socket_place){.device = st.st_dev, .inode = st.st_ino}
                                  : (dt_socket_place){0};
    *out = fd;
    return DT_OK;
}

/* --- sd_notify(3) ------------------------------------------------------------------------------------ */

void dt_notify(char const *state)
{
    char const *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (path == NULL || (path[0] != '/' && path[0] != '@') ||
        dt_str_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));

    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract name space */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                  (struct sockaddr *)&address, len);
    close(fd);
}
