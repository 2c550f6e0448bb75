/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logind writes one file for each session (/run/systemd/sessions/ID), and one for each person who has any
 * (/run/systemd/users/UID): lines NAME=VALUE. sd-login(3) reads the same. elogind has them too. */
#include "edge/login_session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX 8192
#define PATH_MAX_OURS 256
#define NAME_MAX_OURS 64
#define SESSIONS_MAX 512 /* files looked at for a display */
#define ANCESTORS_MAX 64
#define NOT_SET "4294967295" /* of an audit session, and of a login uid */
#define DIGITS "0123456789"

/* Bring people in from elsewhere; by the names of their processes. */
static char const *const network_daemons[] = {
    "sshd",        "sshd-session", "dropbear", "in.telnetd",   "telnetd",     "utelnetd",
    "rshd",        "in.rshd",      "rlogind",  "in.rlogind",   "mosh-server", "xrdp",
    "xrdp-sesman", "Xvnc",         "x11vnc",   "shellinaboxd", "ttyd",        "cockpit-session",
};

/* False, with an empty text, when it cannot be read whole. */
static bool read_file(char const *path, char out[FILE_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    size_t len = 0;
    ssize_t n = 0;

    out[0] = '\0';
    if (fd < 0)
        return false;
    while (len < FILE_MAX - 1) {
        n = read(fd, out + len, FILE_MAX - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    close(fd);
    if (n != 0)
        len = 0;
    out[len] = '\0';
    return len > 0;
}

static bool read_proc(char const *proc, pid_t pid, char const *name, char out[FILE_MAX])
{
    char path[PATH_MAX_OURS];
    int n = snprintf(path, sizeof(path), "%s/%ld/%s", proc, (long)pid, name);

    out[0] = '\0';
    return n > 0 && (size_t)n < sizeof(path) && read_file(path, out);
}

/* A line's value; "" when there is none, or it does not fit. */
static void value_of(char const *text, char const *name, char *out, size_t size)
{
    size_t len = strlen(name);

    out[0] = '\0';
    for (char const *at = text; at != NULL && *at != '\0';) {
        char const *end = strchr(at, '\n');
        size_t line = end != NULL ? (size_t)(end - at) : strlen(at);

        if (line > len && strncmp(at, name, len) == 0 && at[len] == '=') {
            if (line - len - 1 < size) {
                memcpy(out, at + len + 1, line - len - 1);
                out[line - len - 1] = '\0';
            }
            return;
        }
        at = end != NULL ? end + 1 : NULL;
    }
}

/* An id that names a file, and nothing above it. */
static bool is_id(char const *id)
{
    return *id != '\0' && strlen(id) < NAME_MAX_OURS &&
           id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS)] == '\0';
}

static bool read_state(char const *run, char const *kind, char const *id, char out[FILE_MAX])
{
    char path[PATH_MAX_OURS];
    int n = is_id(id) ? snprintf(path, sizeof(path), "%s/%s/%s", run, kind, id) : -1;

    out[0] = '\0';
    return n > 0 && (size_t)n < sizeof(path) && read_file(path, out);
}

static bool is_remote(char const *session)
{
    char word[8];

    /* What does not say that it is local is remote. */
    value_of(session, "REMOTE", word, sizeof(word));
    return strcmp(word, "0") != 0;
}

/* --- whose session ------------------------------------------------------------------------------------ */

static void number_of(char const *proc, pid_t pid, char const *name, char out[NAME_MAX_OURS])
{
    char text[FILE_MAX];

    out[0] = '\0';
    if (!read_proc(proc, pid, name, text))
        return;
    text[strcspn(text, "\n")] = '\0';
    if (text[strspn(text, DIGITS)] == '\0' && strcmp(text, NOT_SET) != 0)
        (void)!dt_str_copy(out, NAME_MAX_OURS, text);
}

/* The part of a control group's path between two words: "/user-" 1000 ".slice", "/session-" c2 ".scope". */
static void group_part(char const *groups, char const *before, char const *after,
                       char out[NAME_MAX_OURS])
{
    char const *at = strstr(groups, before);
    char const *end = at != NULL ? strstr(at, after) : NULL;

    out[0] = '\0';
    if (end == NULL)
        return;
    at += strlen(before);
    if (end > at && (size_t)(end - at) < NAME_MAX_OURS &&
        memchr(at, '/', (size_t)(end - at)) == NULL) {
        memcpy(out, at, (size_t)(end - at));
        out[end - at] = '\0';
    }
}

typedef struct owner {
    char session[NAME_MAX_OURS]; /* its id; "" = none */
    char uid[NAME_MAX_OURS];
} owner;

/* By the audit session, which nobody without CAP_AUDIT_CONTROL chooses; where the kernel keeps none, by the
 * control group, in which root's service manager has put the process. */
static void owner_of(char const *proc, pid_t pid, owner *out)
{
    char groups[FILE_MAX];

    number_of(proc, pid, "sessionid", out->session);
    number_of(proc, pid, "loginuid", out->uid);
    if (out->session[0] != '\0' && out->uid[0] != '\0')
        return;
    (void)read_proc(proc, pid, "cgroup", groups);
    group_part(groups, "/session-", ".scope", out->session);
    group_part(groups, "/user-", ".slice", out->uid);
}

/* --- reading it ----------------------------------------------------------------------------------------- */

static void fill_session(char const *session, dt_login_session *out)
{
    out->found = true;
    out->remote = is_remote(session);
    value_of(session, "SEAT", out->seat, sizeof(out->seat));
    value_of(session, "REMOTE_HOST", out->remote_host, sizeof(out->remote_host));
}

static bool belongs_to(char const *session, char const *uid)
{
    char whose[NAME_MAX_OURS];

    value_of(session, "UID", whose, sizeof(whose));
    return uid[0] != '\0' && strcmp(whose, uid) == 0;
}

/* Whether any of the sessions listed, with blanks between, is remote. One that has gone meanwhile is not. */
static bool any_remote(char const *run, char *ids)
{
    char session[FILE_MAX];
    char *rest = NULL;

    for (char *id = strtok_r(ids, " \"", &rest); id != NULL; id = strtok_r(NULL, " \"", &rest)) {
        if (read_state(run, "sessions", id, session) && is_remote(session))
            return true;
    }
    return false;
}

/* A program of the person's service manager (a desktop's terminal, say) is in no session of its own: theirs
 * is the one that shows the desktop. */
static void read_person(char const *run, owner const *o, dt_login_session *out)
{
    char person[FILE_MAX], session[FILE_MAX], ids[FILE_MAX], display[NAME_MAX_OURS];

    if (!read_state(run, "users", o->uid, person))
        return;
    value_of(person, "SESSIONS", ids, sizeof(ids));
    out->also_remote = any_remote(run, ids);
    value_of(person, "DISPLAY", display, sizeof(display));
    if (!out->found && read_state(run, "sessions", display, session) && belongs_to(session, o->uid))
        fill_session(session, out);
}

static void read_session(char const *run, owner const *o, dt_login_session *out)
{
    char session[FILE_MAX];

    if (read_state(run, "sessions", o->session, session) && belongs_to(session, o->uid))
        fill_session(session, out);
    if (o->uid[0] != '\0')
        read_person(run, o, out);
}

/* --- displays and ancestors --------------------------------------------------------------------------- */

static bool has_display(char const *session, char const *display)
{
    char shown[NAME_MAX_OURS], seat[DT_LOGIN_SEAT_MAX];

    size_t len = strcspn(display, "."); /* the screen's number is not part of it */

    value_of(session, "DISPLAY", shown, sizeof(shown));
    value_of(session, "SEAT", seat, sizeof(seat));
    return len > 0 && strlen(shown) == len && memcmp(shown, display, len) == 0 && seat[0] != '\0' &&
           !is_remote(session);
}

static bool find_display(char const *run, char const *display)
{
    char path[PATH_MAX_OURS], session[FILE_MAX];
    struct dirent const *entry;
    bool found = false;
    int n = snprintf(path, sizeof(path), "%s/sessions", run);
    DIR *dir = n > 0 && (size_t)n < sizeof(path) ? opendir(path) : NULL;

    if (dir == NULL)
        return false;
    /* The stream is our own, which is all that readdir(3) asks of threads. */
    /* cppcheck-suppress readdirCalled */
    for (int i = 0; i < SESSIONS_MAX && !found && (entry = readdir(dir)) != NULL; i++)
        found =
            read_state(run, "sessions", entry->d_name, session) && has_display(session, display);
    closedir(dir);
    return found;
}

static bool is_network_daemon(char const *name, size_t len)
{
    for (size_t i = 0; i < sizeof(network_daemons) / sizeof(network_daemons[0]); i++) {
        if (strlen(network_daemons[i]) == len && memcmp(network_daemons[i], name, len) == 0)
            return true;
    }
    return false;
}

/* proc_pid_stat(5): pid, (name), state, parent. The name may hold anything, so its end is the last ")". */
static pid_t parent_of(char const *stat, bool *network)
{
    char const *name = strchr(stat, '(');
    char const *end = strrchr(stat, ')');
    long parent;

    if (name == NULL || end == NULL || end < name || sscanf(end + 1, " %*c %ld", &parent) != 1)
        return 0;
    *network = *network || is_network_daemon(name + 1, (size_t)(end - name - 1));
    return parent > 1 ? (pid_t)parent : 0;
}

static bool is_below_network_daemon(char const *proc, pid_t pid)
{
    char stat[FILE_MAX];
    bool network = false;

    for (int i = 0; i < ANCESTORS_MAX && pid > 0 && !network; i++)
        pid = read_proc(proc, pid, "stat", stat) ? parent_of(stat, &network) : 0;
    return network;
}

void dt_login_session_read(char const *proc, char const *run, pid_t pid, char const *display,
                           dt_login_session *out)
{
    char path[PATH_MAX_OURS];
    owner o = {0};
    /* The first seat is there as soon as logind has started; directories are without it, too. */
    int n = snprintf(path, sizeof(path), "%s/seats/seat0", run);

    memset(out, 0, sizeof(*out));
    out->below_network_daemon = is_below_network_daemon(proc, pid);
    out->seats_kept = n > 0 && (size_t)n < sizeof(path) && access(path, F_OK) == 0;
    if (!out->seats_kept)
        return;
    owner_of(proc, pid, &o);
    read_session(run, &o, out);
    out->display_has_seat = display[0] != '\0' && find_display(run, display);
}
