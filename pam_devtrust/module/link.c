/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to the daemon: its socket, when the right user listens there; else, for root, a daemon of
 * this login's own on a socket pair. What is said over the descriptor is all that counts: a child's
 * exit status is never looked at, since a caller that ignores SIGCHLD makes it mean nothing. */
#include "pam_devtrust/module/module.h"

#include "pam_devtrust/protocol/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <security/pam_ext.h>
#include <security/pam_modutil.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)
#define CONNECT_PAUSE 20 /* milliseconds, while the queue is full */
#define REAP_PAUSE 10
#define DAEMON_FD 3 /* where `devtrustd --one` finds its connection */
#define REPORT_FD 4 /* of its start, until exec */
#define SOCKET_FLAGS (SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK)

int64_t dt_pam_mono(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- who is at the other end ---------------------------------------------------------------------- */

static bool is_ours(pam_handle_t *pamh, uid_t uid)
{
    if (uid == 0)
        return true;
    struct passwd const *pw = pam_modutil_getpwnam(pamh, DT_PAM_SERVICE_USER);

    return pw != NULL && pw->pw_uid == uid;
}

/* The directory in which the socket lies, in `out`. */
static bool directory_of(char const *path, char *out, size_t size)
{
    char const *slash = strrchr(path, '/');

    if (slash == NULL)
        return false;
    size_t len = slash == path ? 1 : (size_t)(slash - path);

    if (len >= size)
        return false;
    memcpy(out, path, len);
    out[len] = '\0';
    return true;
}

/* Nobody else may put a socket there. */
static bool directory_is_safe(pam_handle_t *pamh, char const *path)
{
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct stat st;

    if (!directory_of(path, directory, sizeof(directory)) || lstat(directory, &st) != 0 ||
        !S_ISDIR(st.st_mode) || (st.st_mode & OTHERS_WRITE) != 0 || !is_ours(pamh, st.st_uid)) {
        pam_syslog(pamh, LOG_ERR,
                   "%s: the directory of the daemon's socket must belong to root or %s and not be "
                   "writable by others",
                   path, DT_PAM_SERVICE_USER);
        return false;
    }
    return true;
}

static bool peer_is_ours(pam_handle_t *pamh, char const *path, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || len != sizeof(peer))
        return false;
    if (is_ours(pamh, peer.uid))
        return true;
    pam_syslog(pamh, LOG_ALERT, "%s: uid %u listens there, who is neither root nor %s", path,
               (unsigned)peer.uid, DT_PAM_SERVICE_USER);
    return false;
}

/* --- the daemon that runs -------------------------------------------------------------------------- */

/* 0, or an errno. A full queue is waited for, a while. */
static int connect_patiently(int fd, char const *path, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int64_t limit = dt_pam_mono() + DT_PAM_CONNECT_MS;

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    limit = limit < deadline ? limit : deadline;
    for (;;) {
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
            return 0;
        if (errno != EAGAIN && errno != EINTR)
            return errno;
        if (dt_pam_mono() >= limit)
            return ETIMEDOUT;
        (void)poll(NULL, 0, CONNECT_PAUSE);
    }
}

/* DT_E_NOT_FOUND when nobody listens. */
static int connect_daemon(pam_handle_t *pamh, char const *path, int64_t deadline, int *out)
{
    int fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    int error = fd >= 0 ? connect_patiently(fd, path, deadline) : errno;

    if (error == 0 && directory_is_safe(pamh, path) && peer_is_ours(pamh, path, fd)) {
        *out = fd;
        return DT_OK;
    }
    if (fd >= 0)
        close(fd);
    if (error == ENOENT || error == ECONNREFUSED)
        return DT_E_NOT_FOUND;
    if (error == 0)
        return DT_E_PERMISSION;
    pam_syslog(pamh, LOG_ERR, "%s: devtrustd cannot be reached: %s", path, strerror(error));
    return DT_E_UNAVAILABLE;
}

/* --- a daemon of this login's own ------------------------------------------------------------------ */

static bool daemon_is_safe(pam_handle_t *pamh, char const *path)
{
    struct stat st = {0};
    int error = stat(path, &st) == 0 ? 0 : errno;

    if (error == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && (st.st_mode & OTHERS_WRITE) == 0)
        return true;
    if (error != 0) {
        pam_syslog(
            pamh, LOG_ERR,
            "no devtrustd runs, and %s cannot be started: %s; start the service devtrustd, or "
            "install the program there",
            path, strerror(error));
        return false;
    }
    pam_syslog(pamh, LOG_ERR,
               "no devtrustd runs, and %s cannot be started: it must belong to root and not be "
               "writable by others",
               path);
    return false;
}

/* `from` becomes `to`, by way of a number that none of ours has. Returns an errno. */
static int move_file(int from, int to, int flags)
{
    int spare = fcntl(from, F_DUPFD_CLOEXEC, REPORT_FD + 1);

    return spare >= 0 && dup3(spare, to, flags) >= 0 ? 0 : errno;
}

/* Descriptors 0 to 2 lead to /dev/null, 3 is the connection, 4 the pipe; the rest is closed. */
static int arrange_files(int fd, int *report)
{
    int spare = fcntl(fd, F_DUPFD_CLOEXEC, REPORT_FD + 1);
    int error = spare < 0 ? errno : move_file(*report, REPORT_FD, O_CLOEXEC);

    if (error != 0)
        return error;
    *report = REPORT_FD;
    if (dup2(spare, DAEMON_FD) < 0)
        return errno;
    closefrom(REPORT_FD + 1);
    for (int i = 0; i < DAEMON_FD; i++)
        close(i);
    return dt_inherited_fill_standard_files();
}

/* The child. Nothing of the caller's is left when the daemon starts, not even for the dynamic loader. A
 * session of its own, so that ^C at the terminal does not end the daemon before it has cancelled a push.
 * Errors reach the parent by a pipe, which exec closes. */
static _Noreturn void become_daemon(char const *path, int fd, int report)
{
    char name[] = "devtrustd";
    char one[] = "--one";
    char search[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    char *const argv[] = {name, one, NULL};
    char *const environment[] = {search, NULL};
    int error = dt_inherited_reset();

    if (error == 0)
        error = arrange_files(fd, &report);
    if (error == 0) {
        (void)setsid();
        execve(path, argv, environment);
        error = errno;
    }
    (void)!write(report, &error, sizeof(error));
    _exit(EXIT_FAILURE);
}

/* posix_spawn(3) cannot set resource limits. _Fork(3) runs no handlers of the application's. */
static int spawn(char const *path, int fd, pid_t *child)
{
    int report[2];
    int error = 0;
    ssize_t n;

    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    *child = _Fork();
    if (*child == 0)
        become_daemon(path, fd, report[1]);
    error = *child < 0 ? errno : 0;
    close(report[1]);
    if (*child > 0) {
        do {
            n = read(report[0], &error, sizeof(error));
        } while (n < 0 && errno == EINTR);
        if (error != 0)
            (void)waitpid(*child, NULL, 0);
    }
    close(report[0]);
    return error;
}

static int start_daemon(pam_handle_t *pamh, char const *path, dt_link *out)
{
    int pair[2];
    int error;

    if (!daemon_is_safe(pamh, path))
        return DT_E_UNAVAILABLE;
    if (socketpair(AF_UNIX, SOCKET_FLAGS, 0, pair) != 0) {
        pam_syslog(pamh, LOG_ERR, "no socket pair: %s", strerror(errno));
        return DT_E_UNAVAILABLE;
    }
    error = spawn(path, pair[1], &out->child);
    close(pair[1]);
    if (error == 0) {
        out->fd = pair[0];
        return DT_OK;
    }
    out->child = 0;
    close(pair[0]);
    pam_syslog(pamh, LOG_ERR, "%s cannot be started: %s", path, strerror(error));
    return DT_E_UNAVAILABLE;
}

/* A lock screen that is not root's. */
static int open_lock_screen(pam_handle_t *pamh, char const *socket, int64_t deadline, int *fd)
{
    char path[DT_SOCKET_PATH_MAX];
    int rc;

    if (dt_lock_screen_path(socket, path) < 0) {
        pam_syslog(pamh, LOG_ERR, "socket=%s: the path is too long", socket);
        return DT_E_INVALID;
    }
    rc = connect_daemon(pamh, path, deadline, fd);
    if (rc != DT_E_NOT_FOUND)
        return rc;
    pam_syslog(pamh, LOG_ERR,
               "%s: no devtrustd listens there (it does where lock_screen_services are set), and "
               "only root may start one",
               path);
    return DT_E_UNAVAILABLE;
}

int dt_link_open(pam_handle_t *pamh, dt_pam_args const *a, int64_t deadline, dt_link *out)
{
    int rc;

    *out = (dt_link){.fd = -1};
    if (geteuid() != 0)
        return open_lock_screen(pamh, a->socket, deadline, &out->fd);
    rc = connect_daemon(pamh, a->socket, deadline, &out->fd);
    return rc == DT_E_NOT_FOUND ? start_daemon(pamh, a->daemon, out) : rc;
}

int dt_link_find(pam_handle_t *pamh, dt_pam_args const *a, int64_t deadline, dt_link *out)
{
    *out = (dt_link){.fd = -1};
    return geteuid() == 0 ? connect_daemon(pamh, a->socket, deadline, &out->fd) : DT_E_NOT_FOUND;
}

/* `devtrustd --one` leaves its parent at once, so this hardly waits; and where the caller reaps its
 * children itself, or has them reaped by the kernel, there is nothing to wait for. */
static void reap(pid_t child)
{
    int64_t limit = dt_pam_mono() + DT_PAM_REAP_MS;

    while (waitpid(child, NULL, WNOHANG) == 0 && dt_pam_mono() < limit)
        (void)poll(NULL, 0, REAP_PAUSE);
}

void dt_link_close(dt_link *l)
{
    if (l->fd >= 0)
        close(l->fd);
    if (l->child > 0)
        reap(l->child);
    *l = (dt_link){.fd = -1};
}
