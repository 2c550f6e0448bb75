/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SSH agent of the person who calls sudo or su: connects to it, in their name and with no more
 * rights than theirs, and leaves all talking to the daemon.
 *
 * SSH_AUTH_SOCK is theirs to set. So the path is opened as they could open it, it must be a socket of
 * their own, and what is connected to is that very socket, whatever has become of the path by then. */
#include "pam_devtrust/module/module.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <security/pam_modutil.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Who called. Where the kernel still knows, it must agree with what the application says. */
static struct passwd *caller(pam_handle_t *pamh)
{
    void const *name = NULL;
    struct passwd *pw;

    if (geteuid() != 0 || pam_get_item(pamh, PAM_RUSER, &name) != PAM_SUCCESS || name == NULL)
        return NULL;
    pw = pam_modutil_getpwnam(pamh, name);
    return pw != NULL && (getuid() == 0 || getuid() == pw->pw_uid) ? pw : NULL;
}

static bool peer_is(int fd, uid_t uid)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && len == sizeof(peer) &&
           peer.uid == uid;
}

/* Never waits: an agent whose queue is full counts as absent. */
static int connect_to(int socket_inode, uid_t uid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", socket_inode);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        peer_is(fd, uid))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* With the rights of `uid`. */
static int open_agent(char const *path, uid_t uid)
{
    struct stat st;
    int fd = -1;
    int inode = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (inode < 0)
        return -1;
    if (fstat(inode, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == uid)
        fd = connect_to(inode, uid);
    close(inode);
    return fd;
}

int dt_agent_connect(pam_handle_t *pamh)
{
    char const *path = getenv("SSH_AUTH_SOCK");
    struct passwd *pw;
    int fd;
    PAM_MODUTIL_DEF_PRIVS(privileges);

    if (path == NULL || path[0] != '/' || (pw = caller(pamh)) == NULL)
        return -1;
    if (pam_modutil_drop_priv(pamh, &privileges, pw) != 0)
        return -1;
    fd = open_agent(path, pw->pw_uid);
    if (pam_modutil_regain_priv(pamh, &privileges) != 0) {
        if (fd >= 0)
            close(fd);
        return DT_E_PERMISSION;
    }
    return fd;
}
