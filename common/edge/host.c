/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host: clock, random numbers, its name, the groups of its users, and what keeps our own
 * processes from being looked into. */
#include "edge/host.h"

#include "edge/name_service.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define TITLE_MAX 64
#define CONNECTION_DEPTH_MAX 16 /* processes of one connection above each other */
#define NOT_SET "4294967295"    /* of an audit session, and of a login uid */
#define NSS_BUF_FIRST 1024
#define NSS_BUF_MAX (1024 * 1024) /* a group's entry lists all its members */
#define USER_MAX 256

dt_time dt_host_now(void)
{
    struct timespec ts;

    if (clock_gettime(CLOCK_REALTIME, &ts) != 0)
        return 0;
    return DT_SECONDS(ts.tv_sec) + ts.tv_nsec / 1000000;
}

int dt_host_random(void *out, size_t len)
{
    uint8_t *p = out;

    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return DT_E_IO;
        p += n;
        len -= (size_t)n;
    }
    return DT_OK;
}

int dt_host_random_id(char out[33])
{
    uint8_t raw[16];
    int error = dt_host_random(raw, sizeof(raw));

    out[0] = '\0';
    if (error == DT_OK)
        dt_hex(out, raw, sizeof(raw));
    return error;
}

void dt_host_exit(int status)
{
    (void)fflush(NULL);
    _exit(status);
}

int dt_host_utc_offset(dt_time at, int *minutes)
{
    time_t seconds = (time_t)(at / DT_SECONDS(1));
    struct tm local;

    *minutes = 0;
    if (localtime_r(&seconds, &local) == NULL)
        return DT_E_IO;
    *minutes = (int)(local.tm_gmtoff / 60);
    return DT_OK;
}

void dt_host_name(char *out, size_t size)
{
    char name[256];

    if (gethostname(name, sizeof(name)) != 0)
        name[0] = '\0';
    name[sizeof(name) - 1] = '\0';
    dt_str_escape(out, size, name[0] == '\0' ? "localhost" : name);
}

/* One account, by its name or, where that is NULL, its uid: what of it is looked at. */
typedef struct account {
    uid_t uid;
    gid_t gid;
    char name[DT_HOST_USER_MAX];
} account;

/* Calls a getXbyY_r with a growing buffer. */
static int account_find(char const *user, uid_t uid, account *out, dt_error *e)
{
    struct passwd pw;
    struct passwd *found = NULL;
    int status = ERANGE, copied = DT_OK;

    for (size_t size = NSS_BUF_FIRST; status == ERANGE && size <= NSS_BUF_MAX; size *= 4) {
        char *buf = malloc(size);
        if (buf == NULL)
            return dt_error_set(e, DT_E_NOMEM, "out of memory");
        status = user != NULL ? getpwnam_r(user, &pw, buf, size, &found)
                              : getpwuid_r(uid, &pw, buf, size, &found);
        if (status == 0 && found != NULL) {
            out->uid = pw.pw_uid;
            out->gid = pw.pw_gid;
            copied = dt_str_copy(out->name, sizeof(out->name), pw.pw_name);
        }
        free(buf);
    }
    if (status != 0 && status != ENOENT && status != ESRCH)
        return dt_error_set(e, DT_E_UNAVAILABLE, "the user database cannot be read: %s",
                            strerror(status));
    if (found == NULL)
        return dt_error_set(e, DT_E_NOT_FOUND, "the user database does not know the user");
    if (copied < 0)
        return dt_error_set(e, DT_E_LIMIT, "the account's name is longer than %d bytes",
                            DT_HOST_USER_MAX - 1);
    return DT_OK;
}

int dt_host_account(char const *user, char name[DT_HOST_USER_MAX], char owner[DT_HOST_USER_MAX],
                    uid_t *uid, dt_error *e)
{
    account a = {0}, first = {0};
    int rc = user != NULL && *user != '\0' ? account_find(user, 0, &a, e)
                                           : dt_error_set(e, DT_E_NOT_FOUND, "no user is named");

    if (rc == DT_OK)
        rc = account_find(NULL, a.uid, &first, e);
    *uid = a.uid;
    memcpy(name, a.name, sizeof(a.name));
    memcpy(owner, first.name, sizeof(first.name));
    return rc;
}

/* A group's name; its number, as id(1) shows it, when the number has no name. */
static int group_name(gid_t gid, dt_buf *out, dt_error *e)
{
    struct group gr;
    struct group *found = NULL;
    int status = ERANGE;

    dt_buf_reset(out);
    for (size_t size = NSS_BUF_FIRST; status == ERANGE && size <= NSS_BUF_MAX; size *= 4) {
        char *buf = malloc(size);
        if (buf == NULL)
            return dt_error_set(e, DT_E_NOMEM, "out of memory");
        status = getgrgid_r(gid, &gr, buf, size, &found);
        if (status == 0 && found != NULL)
            dt_buf_put(out, gr.gr_name, strlen(gr.gr_name) + 1);
        free(buf);
    }
    if (status != 0 && status != ENOENT && status != ESRCH)
        return dt_error_set(e, DT_E_UNAVAILABLE, "the group database cannot be read: %s",
                            strerror(status));
    if (found != NULL)
        return DT_OK;
    dt_buf_put_int(out, (int64_t)gid);
    dt_buf_putc(out, '\0');
    return dt_name_service_is_nameless(gid, e);
}

/* Those of the groups that are wanted, by name. */
static int put_names(gid_t const *gids, size_t n, dt_host_group_fn *keep, void *ctx, dt_buf *out,
                     size_t *count, dt_error *e)
{
    size_t before = out->len;
    int error = DT_OK;
    dt_buf name;

    dt_buf_init(&name, NSS_BUF_MAX);
    for (size_t i = 0; error == DT_OK && i < n; i++) {
        dt_bytes kept = dt_bytes_of(NULL, 0);
        if (out->len > before)
            kept = dt_bytes_of(out->p + before, out->len - before);
        error = group_name(gids[i], &name, e);
        if (error != DT_OK || (keep != NULL && !keep(ctx, kept, *count, (char const *)name.p)))
            continue;
        dt_buf_put(out, name.p, name.len);
        ++*count;
        if (dt_buf_error(&name) < 0 || dt_buf_error(out) < 0)
            error = dt_error_set(e, DT_E_LIMIT, "the names of the user's groups are too long");
    }
    dt_buf_free(&name);
    return error;
}

int dt_host_groups(char const *user, dt_host_group_fn *keep, void *ctx, dt_buf *out, size_t *count,
                   dt_error *e)
{
    gid_t *gids = NULL;
    size_t n = 0;
    account a = {0};
    size_t before = out->len;
    int error = DT_OK;

    *count = 0;
    if (user == NULL || *user == '\0' || strlen(user) >= USER_MAX)
        return dt_error_set(e, DT_E_NOT_FOUND, "the user database does not know the user");
    error = account_find(user, 0, &a, e);
    if (error == DT_OK)
        error = dt_name_service_groups(user, a.gid, &gids, &n, e);
    if (error == DT_OK)
        error = put_names(gids, n, keep, ctx, out, count, e);
    free(gids);
    if (error < 0) {
        *count = 0;
        out->len = before;
        if (out->cap > 0)
            out->p[before] = '\0';
    }
    return error;
}

/* The one short line of a file of /proc, without its end. */
static int proc_line(char const *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT ? DT_E_NOT_FOUND : DT_E_IO;
    do {
        n = read(fd, out, size - 1);
    } while (n < 0 && errno == EINTR);
    close(fd);
    if (n <= 0 || (size_t)n >= size - 1)
        return DT_E_IO;
    out[n] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return DT_OK;
}

/* A number that the kernel gives out; what is not set is the largest. */
static int proc_number(pid_t pid, char const *name, char out[32])
{
    char path[64];
    int rc;

    snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
    rc = proc_line(path, out, 32);
    if (rc < 0)
        return rc;
    if (out[0] == '\0' || out[strspn(out, "0123456789")] != '\0')
        return DT_E_IO;
    return strcmp(out, NOT_SET) == 0 ? DT_E_NOT_FOUND : DT_OK;
}

int dt_host_session_name(pid_t pid, char *out, size_t size)
{
    char boot[64], session[32], uid[32];
    int rc = proc_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
    int n;

    out[0] = '\0';
    if (rc == DT_OK)
        rc = proc_number(pid, "sessionid", session);
    if (rc == DT_OK)
        rc = proc_number(pid, "loginuid", uid);
    if (rc < 0)
        return rc;
    n = snprintf(out, size, "login:%s:%s:%s", boot, session, uid);
    if (n > 0 && (size_t)n < size)
        return DT_OK;
    out[0] = '\0';
    return DT_E_LIMIT;
}

/* A process's "stat" file, proc(5). */
typedef struct proc_stat {
    char command[32];
    long parent, session;
    unsigned long long started; /* in clock ticks since the boot */
} proc_stat;

static int read_stat(pid_t pid, proc_stat *out)
{
    char path[64], line[1024];
    char const *open_, *close_;
    size_t len;
    int rc;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    rc = proc_line(path, line, sizeof(line));
    if (rc < 0)
        return rc;
    /* The command may hold anything, brackets too. */
    open_ = strchr(line, '(');
    close_ = strrchr(line, ')');
    if (open_ == NULL || close_ == NULL || close_ < open_)
        return DT_E_IO;
    len = (size_t)(close_ - open_ - 1);
    if (len >= sizeof(out->command))
        return DT_E_IO;
    memcpy(out->command, open_ + 1, len);
    out->command[len] = '\0';
    return sscanf(close_ + 1,
                  " %*c %ld %*d %ld %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
                  "%llu",
                  &out->parent, &out->session, &out->started) == 3
               ? DT_OK
               : DT_E_IO;
}

/* The first word of the title that a server such as sshd gives itself, "sshd:"; "" for a program that gives
 * itself none, and shows what it was called with. */
static void read_title(pid_t pid, char out[TITLE_MAX])
{
    char path[64];
    int fd;
    ssize_t n = -1;

    snprintf(path, sizeof(path), "/proc/%ld/cmdline", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0) {
        n = read(fd, out, TITLE_MAX - 1);
        close(fd);
    }
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, " ")] = '\0';
    if (out[0] == '\0' || out[strlen(out) - 1] != ':')
        out[0] = '\0';
}

/* Whether `pid`, whose "stat" is `stat`, does the same server's work as the process below it. */
static bool is_of_connection(pid_t pid, proc_stat const *stat, proc_stat const *below,
                             char const *title)
{
    char own[TITLE_MAX];

    if (stat->session != below->session || strcmp(stat->command, below->command) != 0)
        return false;
    read_title(pid, own);
    return strcmp(own, title) == 0;
}

/* The oldest process that does the same server's work in the same session: sshd begins a session for each
 * connection, and all that it forks for it stays there. Another program, such as one that only runs several
 * others, shows no title, and each of its processes is a connection of its own. */
static int first_of_connection(pid_t *pid, proc_stat *stat)
{
    char title[TITLE_MAX];
    int rc = read_stat(*pid, stat);

    read_title(*pid, title);
    for (int i = 0; rc == DT_OK && i < CONNECTION_DEPTH_MAX; i++) {
        proc_stat above;

        if (title[0] == '\0' || stat->session == *pid || stat->parent <= 1 ||
            read_stat((pid_t)stat->parent, &above) < 0 ||
            !is_of_connection((pid_t)stat->parent, &above, stat, title))
            return DT_OK;
        *pid = (pid_t)stat->parent;
        *stat = above;
    }
    return rc == DT_OK ? DT_E_LIMIT : rc;
}

int dt_host_connection(pid_t pid, char *out, size_t size)
{
    char boot[64];
    proc_stat stat = {0};
    int rc = proc_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
    int n;

    out[0] = '\0';
    if (rc == DT_OK)
        rc = first_of_connection(&pid, &stat);
    if (rc < 0)
        return rc;
    n = snprintf(out, size, "%s:%ld:%llu", boot, (long)pid, stat.started);
    if (n > 0 && (size_t)n < size)
        return DT_OK;
    out[0] = '\0';
    return DT_E_LIMIT;
}

static int read_boot(char *boot, size_t size)
{
    char line[64];
    int rc = proc_line("/proc/sys/kernel/random/boot_id", line, sizeof(line));

    return rc == DT_OK ? dt_str_copy(boot, size, line) : rc;
}

int dt_host_process(pid_t pid, char *boot, size_t size, int64_t *started)
{
    proc_stat stat = {0};
    int rc = read_boot(boot, size);

    if (rc == DT_OK)
        rc = read_stat(pid, &stat);
    *started = (int64_t)stat.started;
    return rc;
}

int dt_host_connection_process(pid_t *pid, char *boot, size_t size, int64_t *started)
{
    proc_stat stat = {0};
    int rc = read_boot(boot, size);

    if (rc == DT_OK)
        rc = first_of_connection(pid, &stat);
    *started = (int64_t)stat.started;
    return rc;
}

bool dt_host_process_is(char const *boot, pid_t pid, int64_t started)
{
    char now[64];
    proc_stat stat = {0};
    int rc = read_boot(now, sizeof(now));

    if (rc != DT_OK)
        return true;
    if (strcmp(now, boot) != 0)
        return false;
    rc = read_stat(pid, &stat);
    return rc == DT_E_NOT_FOUND ? false : rc != DT_OK || (int64_t)stat.started == started;
}

int dt_host_become(char const *user, dt_error *e)
{
    /* There is no second thread yet. */
    /* cppcheck-suppress getpwnamCalled */
    struct passwd const *pw = getpwnam(user);

    if (pw == NULL)
        return dt_error_set(e, DT_E_NOT_FOUND, "unknown user %s", user);
    if (initgroups(pw->pw_name, pw->pw_gid) != 0 ||
        setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
        setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
        return dt_error_set(e, DT_E_PERMISSION, "cannot become user %s: %s", user, strerror(errno));
    return DT_OK;
}

int dt_host_harden(dt_error *e)
{
    struct rlimit none = {0, 0};

    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return dt_error_set(e, DT_E_IO, "cannot keep other processes out: %s", strerror(errno));
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return dt_error_set(e, DT_E_IO, "cannot turn core dumps off: %s", strerror(errno));
    return DT_OK;
}
