/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the person who logs in is still there. sshd does not notify a module that waits when its
 * client has hung up, and sudo holds ^C back: without these two, an abandoned login would keep its
 * processes, and the push on a phone, until the very end. */
#include "pam_devtrust/module/module.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* An address as IPv6, IPv4 mapped into it, so that the two can be compared. */
static bool address_of(struct sockaddr_storage const *ss, struct in6_addr *out)
{
    if (ss->ss_family == AF_INET6) {
        *out = ((struct sockaddr_in6 const *)ss)->sin6_addr;
        return true;
    }
    if (ss->ss_family != AF_INET)
        return false;
    memset(out, 0, sizeof(*out));
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(out->s6_addr + 12, &((struct sockaddr_in const *)ss)->sin_addr, 4);
    return true;
}

static bool address_parse(char const *text, struct in6_addr *out)
{
    struct sockaddr_storage ss = {.ss_family = AF_INET};

    if (text == NULL)
        return false;
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    return inet_pton(AF_INET, text, &((struct sockaddr_in *)&ss)->sin_addr) == 1 &&
           address_of(&ss, out);
}

static bool is_stream(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/* A TCP connection; to `wanted`, when that is known. A directory server's must not be taken for the
 * client's: NSS may have one open in this process. */
static bool is_client(int fd, struct in6_addr const *wanted)
{
    struct sockaddr_storage ss = {0};
    struct in6_addr peer;
    socklen_t len = sizeof(ss);

    if (!is_stream(fd) || getpeername(fd, (struct sockaddr *)&ss, &len) != 0 ||
        !address_of(&ss, &peer))
        return false;
    return wanted == NULL || memcmp(&peer, wanted, sizeof(peer)) == 0;
}

/* The number of an entry of /proc/self/fd; -1 for anything else. */
static int fd_of(char const *name)
{
    char *end = NULL;
    long fd = name[0] >= '0' && name[0] <= '9' ? strtol(name, &end, 10) : -1;

    return end != NULL && *end == '\0' && fd <= INT32_MAX ? (int)fd : -1;
}

/* Without an address to compare with, only a single connection is beyond doubt. */
static int find_client(struct in6_addr const *wanted)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    int found = -1;
    int count = 0;

    if (dir == NULL)
        return -1;
    /* The stream is our own, which is all that readdir(3) asks of threads. */
    /* cppcheck-suppress readdirCalled */
    for (int i = 0; i < DT_PAM_FDS_MAX && (entry = readdir(dir)) != NULL; i++) {
        int fd = fd_of(entry->d_name);

        if (fd >= 0 && is_client(fd, wanted)) {
            found = fd;
            count++;
        }
    }
    closedir(dir);
    return count == 1 || (count > 1 && wanted != NULL) ? found : -1;
}

int dt_watch_client(pam_handle_t *pamh)
{
    void const *tty = NULL;
    void const *rhost = NULL;
    struct in6_addr wanted;

    if (pam_get_item(pamh, PAM_TTY, &tty) != PAM_SUCCESS || tty == NULL || strcmp(tty, "ssh") != 0)
        return -1;
    if (pam_get_item(pamh, PAM_RHOST, &rhost) != PAM_SUCCESS)
        return -1;
    return find_client(address_parse(rhost, &wanted) ? &wanted : NULL);
}

bool dt_watch_signals(void)
{
    static int const ends[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
    sigset_t pending;

    if (sigpending(&pending) != 0)
        return false;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (sigismember(&pending, ends[i]) == 1)
            return true;
    }
    return false;
}
