/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit file and the system log. The log is spoken to on a socket of our own: syslog(3) would
 * use the name and the connection of the server that we are a module of, and may block. */
#include "edge/audit_sink.h"

#include "edge/file_advice.h"
#include "core/signon/outcome.h"
#include "edge/kernel_log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define SINK_PATH_MAX 1024
#define SYSLOG_LINE_MAX 2048 /* RFC 3164 says 1024; journald and rsyslog take more */
#define SYSLOG_SOCKET "/dev/log"
#define SYSLOG_NAME "devtrust"
#define JOURNAL_LINK                                                                               \
    "/run/systemd/journal/dev-log" /* where /dev/log leads when it is the journal's */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define JOURNAL_MESSAGE_MAX (16 * 1024)
#define WRITE_ROUNDS_MAX 64 /* partial writes of one batch */

struct dt_audit_sink {
    pthread_mutex_t lock;
    char path[SINK_PATH_MAX]; /* "" = no file */
    int fd;
    bool torn; /* the last write ended within a line */
    bool syslog;
    int socket;
    bool takes_fields;
    bool journal;         /* the socket is the journal's own: fields go along */
    dt_kernel_log kernel; /* the last resort */
    unsigned long lost;   /* lines the log daemon did not take */
    dt_error fault;       /* at the opening; code 0: none */
};

/* --- the file --------------------------------------------------------------------------------- */

static int check_file(int fd, char const *path, dt_error *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return dt_error_set(e, DT_E_IO, "audit file %s: %s", path, strerror(errno));
    if (S_ISCHR(st.st_mode))
        return DT_OK; /* /dev/null and the like */
    if (!S_ISREG(st.st_mode))
        return dt_error_set(e, DT_E_PERMISSION, "audit file %s is not a regular file", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return dt_error_set(
            e, DT_E_PERMISSION, "audit file %s belongs to another user (uid %u); run: chown %u %s",
            path, (unsigned)st.st_uid, (unsigned)geteuid(), dt_advice_quote(path).text);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return dt_error_set(e, DT_E_PERMISSION,
                            "audit file %s can be written by others; run: chmod go-w %s", path,
                            dt_advice_quote(path).text);
    return DT_OK;
}

static int open_file(char const *path, int *out, dt_error *e)
{
    /* O_NONBLOCK: a FIFO without a reader must not hold us; it means nothing for a file. */
    int fd = open(
        path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0)
        return dt_error_set(e, errno == ELOOP ? DT_E_PERMISSION : DT_E_IO,
                            errno == ELOOP
                                ? "audit file %s is a symbolic link; use the path that it points to"
                                : "audit file %s: %s; create its directory, owned by the user who "
                                  "runs this (uid %u)",
                            path, strerror(errno), (unsigned)geteuid());
    int rc = check_file(fd, path, e);
    if (rc != 0) {
        close(fd);
        return rc;
    }
    *out = fd;
    return DT_OK;
}

/* True when the path no longer leads to the open file: it was rotated or removed. */
static bool was_rotated(dt_audit_sink const *s)
{
    struct stat open_one, named;
    if (fstat(s->fd, &open_one) != 0 || stat(s->path, &named) != 0)
        return true;
    return open_one.st_dev != named.st_dev || open_one.st_ino != named.st_ino;
}

static int reopen_when_rotated(dt_audit_sink *s)
{
    if (s->fd >= 0 && !was_rotated(s))
        return DT_OK;
    int fd = -1;
    int rc = open_file(s->path, &fd, NULL);
    if (rc != 0)
        return DT_E_IO;
    if (s->fd >= 0)
        close(s->fd);
    s->fd = fd;
    s->torn = false;
    return DT_OK;
}

static int write_all(dt_audit_sink *s, dt_bytes lines)
{
    for (int round = 0; lines.len > 0 && round < WRITE_ROUNDS_MAX; round++) {
        ssize_t n = write(s->fd, lines.p, lines.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        s->torn = lines.p[n - 1] != '\n';
        lines = dt_bytes_of(lines.p + n, lines.len - (size_t)n);
    }
    /* A line that lacks nothing but its end stands: the end comes before whatever is written next. */
    return lines.len == 0 || (lines.len == 1 && s->torn) ? DT_OK : DT_E_IO;
}

int dt_audit_sink_write(dt_audit_sink *s, dt_bytes lines)
{
    if (s->path[0] == '\0' || lines.len == 0)
        return DT_OK;
    pthread_mutex_lock(&s->lock);
    int rc = reopen_when_rotated(s);
    /* A full disk cut a line: what comes now must not be glued to its half. */
    if (rc == 0 && s->torn)
        rc = write_all(s, dt_bytes_str("\n"));
    if (rc == 0)
        rc = write_all(s, lines);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* --- the system log --------------------------------------------------------------------------- */

static int log_connect(char const *path)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    (void)dt_str_copy(to.sun_path, sizeof(to.sun_path), path);
    if (connect(fd, (struct sockaddr const *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool is_journals(void)
{
    char target[sizeof(JOURNAL_LINK)];
    ssize_t n = readlink(SYSLOG_SOCKET, target, sizeof(target));

    return n == (ssize_t)strlen(JOURNAL_LINK) && memcmp(target, JOURNAL_LINK, (size_t)n) == 0;
}

static void log_open(dt_audit_sink *s)
{
    s->socket = is_journals() ? log_connect(JOURNAL_SOCKET) : -1;
    s->journal = s->socket >= 0;
    if (!s->journal)
        s->socket = log_connect(SYSLOG_SOCKET);
}

/* The line without its fields. */
static dt_bytes line_alone(char const *line)
{
    char const *fields = strstr(line, DT_AUDIT_FIELDS_BEGIN);

    return fields != NULL ? dt_bytes_of(line, (size_t)(fields - line)) : dt_bytes_str(line);
}

/* A message of the journal: NAME=value and a line end each. No value has a line end in it: the line is escaped here,
 * the fields are by dt_audit_fields. */
static void journal_format(dt_buf *b, int priority, char const *line)
{
    dt_bytes const text = line_alone(line);

    dt_buf_printf(b,
                  "PRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=" SYSLOG_NAME
                  "\nSYSLOG_PID=%d\nMESSAGE=",
                  priority, LOG_FAC(LOG_AUTHPRIV), (int)getpid());
    dt_buf_put_escaped(b, text);
    dt_buf_puts(b, line + text.len);
    dt_buf_putc(b, '\n');
}

/* A datagram as local syslog takes it: <priority>Mmm dd hh:mm:ss name[pid]: text. Not by strftime,
 * which would speak the server's language. */
static void log_format(dt_buf *b, int priority, char const *line)
{
    static char const months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm t = {0};
    localtime_r(&now, &t);
    dt_buf_printf(b, "<%d>%s %2d %02d:%02d:%02d " SYSLOG_NAME "[%d]: ", LOG_AUTHPRIV | priority,
                  months[t.tm_mon % 12], t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)getpid());
    dt_buf_put_escaped(b, line_alone(line));
}

typedef enum log_answer { LOG_GONE = 0, LOG_WRITTEN, LOG_SLOW } log_answer;

static bool is_slow(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS;
}

/* `wait`: milliseconds for a log daemon that lags behind. */
static log_answer log_try(dt_audit_sink *s, int priority, char const *line, int wait)
{
    char storage[JOURNAL_MESSAGE_MAX];
    dt_buf b;

    if (s->socket < 0)
        log_open(s);
    if (s->socket < 0)
        return LOG_GONE;
    dt_buf_init_fixed(&b, storage, s->journal ? sizeof(storage) : SYSLOG_LINE_MAX);
    (s->journal ? journal_format : log_format)(&b, priority, line);
    dt_bytes const text = dt_buf_bytes(&b);
    for (int tries = 2; tries > 0; tries--) {
        if (send(s->socket, text.p, text.len, MSG_NOSIGNAL) >= 0)
            return LOG_WRITTEN;
        if (!is_slow(errno))
            break;
        struct pollfd room = {.fd = s->socket, .events = POLLOUT};
        if (tries == 1 || poll(&room, 1, wait) <= 0)
            return LOG_SLOW;
    }
    close(s->socket); /* restarted: connect anew */
    s->socket = -1;
    return LOG_GONE;
}

static log_answer log_send(dt_audit_sink *s, int priority, char const *line, int wait)
{
    bool fresh = s->socket < 0;
    log_answer a = log_try(s, priority, line, wait);
    return a == LOG_GONE && !fresh ? log_try(s, priority, line, wait) : a;
}

/* With the lock. */
static log_answer log_locked(dt_audit_sink *s, int priority, char const *line, int wait)
{
    log_answer a = LOG_WRITTEN;
    if (s->lost > 0) {
        char text[128];
        dt_buf b;
        dt_buf_init_fixed(&b, text, sizeof(text));
        dt_buf_printf(&b, "the system log did not accept %lu lines before this one", s->lost);
        a = log_send(s, LOG_ERR, text, wait);
        s->lost = a == LOG_WRITTEN ? 0 : s->lost;
    }
    if (a == LOG_WRITTEN)
        a = log_send(s, priority, line, wait);
    s->lost += a == LOG_GONE;
    return a;
}

static log_answer log_line(dt_audit_sink *s, int priority, char const *line)
{
    pthread_mutex_lock(&s->lock);
    log_answer a = log_locked(s, priority, line, DT_AUDIT_SINK_WAIT_MS);
    pthread_mutex_unlock(&s->lock);
    return a;
}

/* The line without what could write another: the kernel's log takes one line a record. */
static bool kernel_line(dt_audit_sink *s, int priority, char const *line, int64_t mono)
{
    char text[DT_KERNEL_LOG_LINE_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_put_escaped(&b, line_alone(line));
    return dt_kernel_log_write(&s->kernel, LOG_AUTHPRIV | priority, text, mono);
}

bool dt_audit_sink_accept(dt_audit_sink *s, char const *line, int64_t mono)
{
    pthread_mutex_lock(&s->lock);
    bool taken = s->syslog && log_locked(s, LOG_INFO, line, DT_AUDIT_SINK_ACCEPT_MS) == LOG_WRITTEN;
    taken = taken || kernel_line(s, LOG_INFO, line, mono);
    pthread_mutex_unlock(&s->lock);
    return taken;
}

bool dt_audit_sink_line(dt_audit_sink *s, bool success, char const *line)
{
    return !s->syslog || log_line(s, success ? LOG_INFO : LOG_WARNING, line) != LOG_SLOW;
}

static int64_t monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void dt_audit_sink_alert(dt_audit_sink *s, char const *line)
{
    pthread_mutex_lock(&s->lock);
    if (log_locked(s, LOG_ALERT, line, DT_AUDIT_SINK_ACCEPT_MS) != LOG_WRITTEN)
        (void)kernel_line(s, LOG_ALERT, line, monotonic());
    pthread_mutex_unlock(&s->lock);
}

/* It has no fields: what looks like some is text. */
bool dt_audit_sink_alarm(dt_audit_sink *s, char const *line)
{
    char text[SYSLOG_LINE_MAX];

    dt_str_escape(text, sizeof(text), line);
    pthread_mutex_lock(&s->lock);
    log_answer a = log_locked(s, LOG_ERR, text, DT_AUDIT_SINK_WAIT_MS);
    if (a == LOG_GONE)
        (void)kernel_line(s, LOG_ERR, text, monotonic());
    pthread_mutex_unlock(&s->lock);
    return a != LOG_SLOW;
}

void dt_audit_sink_set_kernel_log(dt_audit_sink *s, int fd)
{
    s->kernel.fd = fd;
}

bool dt_audit_sink_takes_fields(dt_audit_sink const *s)
{
    return s->takes_fields;
}

bool dt_audit_sink_has_file(dt_audit_sink const *s)
{
    return s->path[0] != '\0';
}

/* --- opening ---------------------------------------------------------------------------------- */

int dt_audit_sink_open(char const *file, bool syslog, dt_audit_sink **out, dt_error *e)
{
    *out = NULL;
    dt_audit_sink *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    pthread_mutex_init(&s->lock, NULL);
    s->fd = -1;
    s->socket = -1;
    s->syslog = syslog;
    s->takes_fields = syslog && is_journals();
    int rc = dt_str_copy(s->path, sizeof(s->path), file);
    if (rc != 0)
        dt_error_set(e, rc, "the audit file's path is too long");
    else if (s->path[0] != '\0')
        rc = open_file(s->path, &s->fd, &s->fault);
    if (rc == DT_E_IO && syslog) /* the other sink goes on, and this one is tried again */
        rc = DT_OK;
    if (rc != DT_OK && s->fault.code != 0)
        (void)dt_error_set(e, s->fault.code, "%s", s->fault.text);
    if (rc != 0) {
        dt_audit_sink_close(&s);
        return rc;
    }
    *out = s;
    return DT_OK;
}

char const *dt_audit_sink_fault(dt_audit_sink const *s)
{
    return s->fault.code != 0 ? s->fault.text : NULL;
}

void dt_audit_sink_close(dt_audit_sink **s)
{
    if (s == NULL || *s == NULL)
        return;
    if ((*s)->fd >= 0)
        close((*s)->fd);
    if ((*s)->socket >= 0)
        close((*s)->socket);
    if ((*s)->kernel.fd > 0)
        close((*s)->kernel.fd);
    pthread_mutex_destroy(&(*s)->lock);
    free(*s);
    *s = NULL;
}
