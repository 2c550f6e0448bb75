/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit trail: the file with its rotations and full disks, the system log, and the queue before
 * them. The log daemon is a socket of this test: connect(2) is wrapped to lead there. */
#include "core/signon/outcome.h"
#include "driver/audit_queue.h"
#include "edge/audit_sink.h"
#include "edge/kernel_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define WRITERS 4
#define WRITER_LINES 500

typedef struct fixture {
    char dir[64];
    char path[128];
    dt_audit_sink *sink;
} fixture;

/* --- a log daemon ------------------------------------------------------------------------------- */

static char log_path[128];
static int log_socket = -1;
static bool is_journal;      /* /dev/log leads to the journal */
static bool journal_is_gone; /* nobody listens at its own socket */
static bool at_journal;      /* the last connection was to it */

int __real_connect(int fd, struct sockaddr const *a, socklen_t len);
int __wrap_connect(int fd, struct sockaddr const *a, socklen_t len);

int __wrap_connect(int fd, struct sockaddr const *a, socklen_t len)
{
    (void)len;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    assert_int_equal(a->sa_family, AF_UNIX);
    char const *path = ((struct sockaddr_un const *)(void const *)a)->sun_path;
    at_journal = strcmp(path, "/run/systemd/journal/socket") == 0;
    if (at_journal && journal_is_gone) {
        errno = ECONNREFUSED;
        return -1;
    }
    assert_true(at_journal ? is_journal : strcmp(path, "/dev/log") == 0);
    snprintf(to.sun_path, sizeof(to.sun_path), "%s", log_path);
    return __real_connect(fd, (struct sockaddr *)&to, sizeof(to));
}

ssize_t __wrap_readlink(char const *path, char *to, size_t size);

ssize_t __wrap_readlink(char const *path, char *to, size_t size)
{
    static char const target[] = "/run/systemd/journal/dev-log";
    assert_string_equal(path, "/dev/log");
    if (!is_journal) {
        errno = EINVAL; /* a socket, not a link */
        return -1;
    }
    assert_true(size >= strlen(target));
    memcpy(to, target, strlen(target));
    return (ssize_t)strlen(target);
}

static void log_start(fixture const *f)
{
    snprintf(log_path, sizeof(log_path), "%s/log", f->dir);
    unlink(log_path);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", log_path);
    log_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(log_socket, (struct sockaddr *)&a, sizeof(a)), 0);
}

static void log_stop(void)
{
    if (log_socket >= 0)
        close(log_socket);
    log_socket = -1;
    unlink(log_path);
}

/* The next datagram; "" when there is none. A local datagram is there once send(2) has returned. */
static char const *log_read(void)
{
    static char line[8192];
    ssize_t n = recv(log_socket, line, sizeof(line) - 1, 0);
    line[n < 0 ? 0 : n] = '\0';
    return line;
}

static void assert_logged(int priority, char const *text)
{
    char const *line = log_read();
    char start[32];
    snprintf(start, sizeof(start), "<%d>", LOG_AUTHPRIV | priority);
    if (strncmp(line, start, strlen(start)) != 0 || strstr(line, text) == NULL)
        print_error("%s\n", line);
    assert_int_equal(strncmp(line, start, strlen(start)), 0);
    assert_non_null(strstr(line, text));
    assert_non_null(strstr(line, " devtrust["));
}

/* --- files -------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/dt-audit-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/audit.log", f->dir);
    is_journal = journal_is_gone = at_journal = false;
    log_start(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    char command[160];
    dt_audit_sink_close(&f->sink);
    log_stop();
    snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void open_sink(fixture *f)
{
    dt_error e = {0};
    assert_int_equal(dt_audit_sink_open(f->path, true, &f->sink, &e), 0);
}

static int write_sink(fixture *f, char const *lines)
{
    return dt_audit_sink_write(f->sink, dt_bytes_str(lines));
}

static void assert_file(char const *path, char const *content)
{
    char text[4096];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    assert_string_equal(text, content);
}

static void test_appends(void **state)
{
    fixture *f = *state;
    struct stat st;
    mode_t before = umask(0);
    open_sink(f);
    umask(before);
    assert_int_equal(write_sink(f, "{\"a\":1}\n{\"a\":2}\n"), 0);
    assert_int_equal(write_sink(f, ""), 0);
    dt_audit_sink_close(&f->sink);
    assert_null(f->sink);
    open_sink(f);
    assert_int_equal(write_sink(f, "{\"a\":3}\n"), 0);
    assert_file(f->path, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_rotation(void **state)
{
    fixture *f = *state;
    char old[160];
    snprintf(old, sizeof(old), "%s.1", f->path);
    open_sink(f);
    assert_int_equal(write_sink(f, "one\n"), 0);
    assert_int_equal(rename(f->path, old), 0);
    assert_int_equal(write_sink(f, "two\n"), 0);
    assert_file(old, "one\n");
    assert_file(f->path, "two\n");
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(write_sink(f, "three\n"), 0);
    assert_file(f->path, "three\n");
    /* copytruncate */
    assert_int_equal(truncate(f->path, 0), 0);
    assert_int_equal(write_sink(f, "four\n"), 0);
    assert_file(f->path, "four\n");
}

/* After a rotation the new file is judged like the first. */
static void test_rotation_to_a_bad_file(void **state)
{
    fixture *f = *state;
    open_sink(f);
    assert_int_equal(write_sink(f, "one\n"), 0);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(symlink("/tmp/elsewhere", f->path), 0);
    assert_int_equal(write_sink(f, "two\n"), DT_E_IO);
    assert_int_equal(unlink(f->path), 0);
    int fd = open(f->path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(fchmod(fd, 0666), 0);
    close(fd);
    assert_int_equal(write_sink(f, "three\n"), DT_E_IO);
    assert_file(f->path, "");
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(write_sink(f, "four\n"), 0);
    assert_file(f->path, "four\n");
}

static void test_directory_gone(void **state)
{
    fixture *f = *state;
    char moved[96];
    snprintf(moved, sizeof(moved), "%s-moved", f->dir);
    open_sink(f);
    assert_int_equal(write_sink(f, "one\n"), 0);
    assert_int_equal(rename(f->dir, moved), 0);
    assert_int_equal(write_sink(f, "two\n"), DT_E_IO);
    assert_int_equal(rename(moved, f->dir), 0);
    assert_int_equal(write_sink(f, "three\n"), 0);
    assert_file(f->path, "one\nthree\n");
}

static void test_refused_files(void **state)
{
    fixture *f = *state;
    dt_error e = {0};
    static mode_t const bad[] = {0620, 0602, 0666};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int fd = open(f->path, O_CREAT | O_WRONLY, 0600);
        assert_int_equal(fchmod(fd, bad[i]), 0);
        close(fd);
        assert_int_equal(dt_audit_sink_open(f->path, false, &f->sink, &e), DT_E_PERMISSION);
        assert_non_null(strstr(e.text, "chmod go-w"));
    }
    unlink(f->path);
    assert_int_equal(symlink("/dev/null", f->path), 0);
    assert_int_equal(dt_audit_sink_open(f->path, false, &f->sink, &e), DT_E_PERMISSION);
    unlink(f->path);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_int_not_equal(dt_audit_sink_open(f->path, false, &f->sink, &e), 0);
    unlink(f->path);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_not_equal(dt_audit_sink_open(f->path, false, &f->sink, &e), 0);
    assert_int_equal(dt_audit_sink_open("/no/such/dir/audit.log", false, &f->sink, &e), DT_E_IO);
    assert_non_null(strstr(e.text, "/no/such/dir/audit.log"));
    char long_path[3000];
    memset(long_path, 'x', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_equal(dt_audit_sink_open(long_path, false, &f->sink, &e), DT_E_LIMIT);
    if (geteuid() == 0) {
        rmdir(f->path);
        close(open(f->path, O_CREAT | O_WRONLY, 0600));
        assert_int_equal(chown(f->path, 12345, 12345), 0);
        assert_int_equal(dt_audit_sink_open(f->path, false, &f->sink, &e), DT_E_PERMISSION);
    }
    assert_null(f->sink);
}

static void test_full_device(void **state)
{
    fixture *f = *state;
    strcpy(f->path, "/dev/full");
    open_sink(f);
    assert_int_equal(write_sink(f, "one\n"), DT_E_IO);
    assert_int_equal(write_sink(f, "two\n"), DT_E_IO);
}

/* The disk fills up within a line: no later line is glued to the torn one. */
static int child_torn(fixture *f)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 6, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || write_sink(f, "one\ntwo\n") != DT_E_IO ||
        write_sink(f, "three\n") != DT_E_IO)
        return 1;
    limit.rlim_cur = RLIM_INFINITY;
    return setrlimit(RLIMIT_FSIZE, &limit) != 0 || write_sink(f, "two\nthree\n") != 0 ? 2 : 0;
}

static void test_torn_line(void **state)
{
    fixture *f = *state;
    open_sink(f);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_torn(f));
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
    assert_file(f->path, "one\ntw\ntwo\nthree\n");
}

/* A line that lacks nothing but its end is an event, and is said to be one. */
static int child_unended(fixture *f)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 3, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || write_sink(f, "one\n") != 0)
        return 1;
    limit.rlim_cur = RLIM_INFINITY;
    return setrlimit(RLIMIT_FSIZE, &limit) != 0 || write_sink(f, "two\n") != 0 ? 2 : 0;
}

static void test_unended_line(void **state)
{
    fixture *f = *state;
    open_sink(f);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_unended(f));
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
    assert_file(f->path, "one\ntwo\n");
}

static void test_no_file(void **state)
{
    fixture *f = *state;
    assert_int_equal(dt_audit_sink_open("", false, &f->sink, NULL), 0);
    assert_int_equal(write_sink(f, "one\n"), 0);
    dt_audit_sink_line(f->sink, true, "not asked for");
    assert_string_equal(log_read(), "");
}

/* --- the system log ----------------------------------------------------------------------------- */

static void test_log_lines(void **state)
{
    fixture *f = *state;
    open_sink(f);
    dt_audit_sink_line(f->sink, true, "ann signed on");
    assert_logged(LOG_INFO, "]: ann signed on");
    dt_audit_sink_line(f->sink, false, "ann was refused");
    assert_logged(LOG_WARNING, "]: ann was refused");
    dt_audit_sink_alarm(f->sink, "trouble");
    assert_logged(LOG_ERR, "]: trouble");
    dt_audit_sink_line(f->sink, false, "a\nb\x1b[31mc\x7f%s%n");
    assert_logged(LOG_WARNING, "]: a\\x0ab\\x1b[31mc\\x7f%s%n");
    char long_line[5000];
    memset(long_line, 'x', sizeof(long_line));
    long_line[sizeof(long_line) - 1] = '\0';
    dt_audit_sink_line(f->sink, true, long_line);
    assert_true(strlen(log_read()) < 2048);
    assert_string_equal(log_read(), "");
}

/* The alarm is heard also where the outcomes are not wanted in the log. */
static void test_alarm_without_syslog(void **state)
{
    fixture *f = *state;
    assert_int_equal(dt_audit_sink_open(f->path, false, &f->sink, NULL), 0);
    dt_audit_sink_line(f->sink, true, "quiet");
    dt_audit_sink_alarm(f->sink, "loud");
    assert_logged(LOG_ERR, "loud");
    dt_audit_sink_alert(f->sink, "louder");
    assert_logged(LOG_ALERT, "louder");
    assert_string_equal(log_read(), "");
}

static void test_log_restarts(void **state)
{
    fixture *f = *state;
    open_sink(f);
    dt_audit_sink_line(f->sink, true, "one");
    assert_logged(LOG_INFO, "one");
    log_stop();
    dt_audit_sink_line(f->sink, true, "lost");
    dt_audit_sink_line(f->sink, false, "lost as well");
    log_start(f);
    dt_audit_sink_line(f->sink, true, "two");
    assert_logged(LOG_ERR, "did not accept 2 lines");
    assert_logged(LOG_INFO, "two");
    /* It was restarted between two lines: nothing is lost. */
    log_stop();
    log_start(f);
    dt_audit_sink_line(f->sink, true, "three");
    assert_logged(LOG_INFO, "three");
}

/* A log daemon that hangs does not hold us. */
static void test_log_hangs(void **state)
{
    fixture *f = *state;
    open_sink(f);
    int taken = 0;
    while (taken < 100000 && dt_audit_sink_line(f->sink, true, "again and again"))
        taken++;
    assert_true(taken > 0 && taken < 100000);
    assert_false(dt_audit_sink_line(f->sink, true, "too much"));
    assert_false(dt_audit_sink_alarm(f->sink, "too much"));
    for (int i = 0; i < taken; i++)
        assert_logged(LOG_INFO, "again and again");
    assert_true(dt_audit_sink_line(f->sink, true, "at last"));
    assert_logged(LOG_INFO, "at last");
    assert_string_equal(log_read(), "");
}

/* --- what lets somebody in ----------------------------------------------------------------------- */

/* The kernel's log is a pipe of this test, which shows what is written to it. */
static int kernel_log(fixture *f)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    dt_audit_sink_set_kernel_log(f->sink, ends[1]);
    return ends[0];
}

static char const *kernel_read(int fd)
{
    static char record[8192];
    ssize_t n = read(fd, record, sizeof(record) - 1);
    record[n < 0 ? 0 : n] = '\0';
    return record;
}

static void test_accepted_by_syslog(void **state)
{
    fixture *f = *state;
    open_sink(f);
    int kernel = kernel_log(f);
    assert_true(dt_audit_sink_accept(f->sink, "ann is in", 1));
    assert_logged(LOG_INFO, "ann is in");
    assert_string_equal(kernel_read(kernel), "");
    close(kernel);
}

/* The log daemon is gone, or hangs: the kernel's log is asked, in one escaped record of its size. */
static void test_accepted_by_the_kernel_log(void **state)
{
    fixture *f = *state;
    char long_line[4096];
    open_sink(f);
    int kernel = kernel_log(f);
    while (dt_audit_sink_line(f->sink, true, "again and again"))
        ;
    assert_true(dt_audit_sink_accept(f->sink, "one\ntwo", 1));
    char const *record = kernel_read(kernel);
    assert_int_equal(strncmp(record, "<86>devtrust[", strlen("<86>devtrust[")), 0);
    assert_non_null(strstr(record, "one\\x0atwo"));
    assert_null(strchr(record, '\n'));
    log_stop();
    memset(long_line, 'x', sizeof(long_line));
    long_line[sizeof(long_line) - 1] = '\0';
    assert_true(dt_audit_sink_accept(f->sink, long_line, 2));
    assert_in_range(strlen(kernel_read(kernel)), 500, DT_KERNEL_LOG_LINE_MAX);
    close(kernel);
}

/* The kernel drops without a word what is written too fast, so it is not counted as written. */
static void test_kernel_log_is_not_flooded(void **state)
{
    fixture *f = *state;
    open_sink(f);
    log_stop();
    int kernel = kernel_log(f);
    for (int i = 0; i < DT_KERNEL_LOG_BURST; i++)
        assert_true(dt_audit_sink_accept(f->sink, "in", 1000 + i));
    assert_false(dt_audit_sink_accept(f->sink, "in", 1000 + DT_KERNEL_LOG_WINDOW - 1));
    assert_true(dt_audit_sink_accept(f->sink, "in", 1000 + DT_KERNEL_LOG_WINDOW));
    assert_false(dt_audit_sink_accept(f->sink, "in", 1000 + DT_KERNEL_LOG_WINDOW));
    close(kernel);
}

static void test_accepted_by_nobody(void **state)
{
    fixture *f = *state;
    open_sink(f);
    log_stop();
    assert_false(dt_audit_sink_accept(f->sink, "in", 1)); /* there is no kernel log */
    int kernel = kernel_log(f);
    close(kernel); /* it refuses */
    signal(SIGPIPE, SIG_IGN);
    assert_false(dt_audit_sink_accept(f->sink, "in", 1));
    signal(SIGPIPE, SIG_DFL);
}

/* Syslog is not asked where the administrator does not want it. */
static void test_accept_without_syslog(void **state)
{
    fixture *f = *state;
    assert_int_equal(dt_audit_sink_open(f->path, false, &f->sink, NULL), 0);
    assert_false(dt_audit_sink_accept(f->sink, "in", 1));
    assert_string_equal(log_read(), "");
}

/* --- the queue ---------------------------------------------------------------------------------- */

static dt_audit_queue *queue_of(fixture *f)
{
    dt_audit_queue *q = NULL;
    open_sink(f);
    assert_int_equal(dt_audit_queue_new(f->sink, &q, NULL), 0);
    f->sink = NULL; /* the queue's now */
    return q;
}

static dt_audit_urgency queue_put(dt_audit_queue *q, char const *lines, bool success,
                                  char const *note)
{
    return dt_audit_queue_put(q, dt_bytes_str(lines), success, note);
}

static void test_queue_order_and_urgency(void **state)
{
    fixture *f = *state;
    dt_audit_queue *q = queue_of(f);
    assert_int_equal(dt_audit_queue_flush(q, 1), 0);
    assert_int_equal(queue_put(q, "1\n2\n", true, "one"), DT_AUDIT_SOON);
    assert_int_equal(queue_put(q, "3\n", false, "two"), DT_AUDIT_NOTHING);
    assert_file(f->path, "");
    assert_int_equal(dt_audit_queue_flush(q, 1), 0);
    assert_file(f->path, "1\n2\n3\n");
    assert_logged(LOG_INFO, "one");
    assert_logged(LOG_WARNING, "two");
    assert_int_equal(queue_put(q, "4\n", true, "three"), DT_AUDIT_SOON);
    char large[DT_AUDIT_FLUSH_BYTES];
    memset(large, 'x', sizeof(large));
    large[sizeof(large) - 2] = '\n';
    large[sizeof(large) - 1] = '\0';
    assert_int_equal(queue_put(q, large, true, "four"), DT_AUDIT_NOW);
    assert_int_equal(queue_put(q, "5\n", true, "five"), DT_AUDIT_NOTHING);
    assert_int_equal(dt_audit_queue_dropped(q), 0);
    dt_audit_queue_free(&q);
}

static void test_queue_keeps_what_the_disk_refuses(void **state)
{
    fixture *f = *state;
    char moved[96];
    dt_audit_queue *q = queue_of(f);
    snprintf(moved, sizeof(moved), "%s-moved", f->dir);
    assert_int_equal(rename(f->dir, moved), 0);
    snprintf(log_path, sizeof(log_path), "%s/log", moved);
    queue_put(q, "1\n", true, "one");
    assert_int_equal(dt_audit_queue_flush(q, 1000), DT_AUDIT_RETRY_MS);
    assert_logged(LOG_INFO, "one");
    assert_logged(LOG_ERR, "cannot be written");
    queue_put(q, "2\n", true, "two");
    assert_int_equal(dt_audit_queue_flush(q, 2000), DT_AUDIT_RETRY_MS);
    assert_logged(LOG_INFO, "two");
    assert_string_equal(log_read(), ""); /* not said twice a minute */
    assert_int_equal(dt_audit_queue_flush(q, 2000 + DT_AUDIT_ALARM_INTERVAL), DT_AUDIT_RETRY_MS);
    assert_logged(LOG_ERR, "cannot be written");
    assert_int_equal(rename(moved, f->dir), 0);
    assert_int_equal(dt_audit_queue_flush(q, 3000 + DT_AUDIT_ALARM_INTERVAL), 0);
    assert_logged(LOG_ERR, "can be written again");
    assert_file(f->path, "1\n2\n");
    dt_audit_queue_free(&q);
}

/* Takes all that was logged, the text only. */
static void hear(char *all, size_t size)
{
    char const *line;
    while ((line = log_read())[0] != '\0') {
        size_t len = strlen(all);
        snprintf(all + len, size - len, "%s\n", strstr(line, "]: "));
    }
}

/* More lines for the log than its daemon takes at once: they come later, in order. */
static bool queue_accept(dt_audit_queue *q, char const *lines, char const *note)
{
    dt_audit_urgency urgency = DT_AUDIT_NOTHING;
    return dt_audit_queue_accept(q, dt_bytes_str(lines), note, 1, &urgency);
}

/* The event is in the file when the person is let in, without any flush; syslog has it later. */
static void test_queue_accepts_by_the_file(void **state)
{
    fixture *f = *state;
    dt_audit_queue *q = queue_of(f);
    assert_true(queue_accept(q, "1\n", "one"));
    assert_file(f->path, "1\n");
    assert_int_equal(dt_audit_queue_flush(q, 1), 0);
    assert_file(f->path, "1\n");
    assert_logged(LOG_INFO, "one");
    assert_string_equal(log_read(), "");
    dt_audit_queue_free(&q);
}

/* By syslog when the disk refuses; the file has the event once it can be written. What nobody took is
 * written nowhere later: the person was not let in. */
static void test_queue_accepts_by_syslog_or_not(void **state)
{
    fixture *f = *state;
    char moved[96];
    dt_audit_queue *q = queue_of(f);
    snprintf(moved, sizeof(moved), "%s-moved", f->dir);
    assert_int_equal(rename(f->dir, moved), 0);
    snprintf(log_path, sizeof(log_path), "%s/log", moved);
    assert_true(queue_accept(q, "1\n", "one"));
    assert_logged(LOG_INFO, "one");
    log_stop();
    assert_false(queue_accept(q, "2\n", "two"));
    assert_int_equal(rename(moved, f->dir), 0);
    assert_int_equal(dt_audit_queue_flush(q, 1), 0);
    assert_file(f->path, "1\n");
    dt_audit_queue_free(&q);
}

/* An event that was too long for the file was not taken by it. */
static void test_queue_accepts_no_empty_event(void **state)
{
    fixture *f = *state;
    dt_audit_queue *q = queue_of(f);
    log_stop();
    assert_false(queue_accept(q, "", "one"));
    dt_audit_queue_free(&q);
}

static void test_queue_waits_for_the_log(void **state)
{
    fixture *f = *state;
    dt_audit_queue *q = queue_of(f);
    int const count = 3000;
    for (int i = 0; i < count; i++) {
        char note[32];
        snprintf(note, sizeof(note), "note %d", i);
        queue_put(q, "x\n", i % 2 == 0, note);
    }
    int next = 0, rounds = 0;
    while (next < count) {
        assert_true(rounds++ < count);
        dt_audit_queue_flush(q, 1);
        for (int i; sscanf(log_read(), "%*[^]]]: note %d", &i) == 1; next++)
            assert_int_equal(i, next);
    }
    assert_true(rounds > 1);
    assert_int_equal(dt_audit_queue_flush(q, 1), 0);
    assert_int_equal(dt_audit_queue_dropped(q), 0);
    dt_audit_queue_free(&q);
}

static void test_queue_is_bounded(void **state)
{
    fixture *f = *state;
    strcpy(f->path, "/dev/full");
    dt_audit_queue *q = queue_of(f);
    size_t const size = 1024 * 1024;
    char *large = malloc(size);
    memset(large, 'x', size);
    large[size - 2] = '\n';
    large[size - 1] = '\0';
    int fit = DT_AUDIT_QUEUE_MAX / (int)(size - 1);
    for (int i = 0; i < fit + 3; i++)
        queue_put(q, large, true, "note");
    assert_int_equal(dt_audit_queue_dropped(q), 3);
    char heard[4096] = "";
    for (int i = 0; i < 100 && strstr(heard, "lines were lost") == NULL; i++) {
        assert_int_not_equal(dt_audit_queue_flush(q, 1), 0);
        hear(heard, sizeof(heard));
    }
    assert_non_null(strstr(heard, "cannot be written"));
    assert_non_null(strstr(heard, "3 audit events or log lines were lost"));
    dt_audit_queue_drop(q, 2);
    assert_int_equal(dt_audit_queue_flush(q, 2), DT_AUDIT_RETRY_MS);
    assert_logged(LOG_ERR, "2 audit events or log lines were lost");
    dt_audit_queue_free(&q);
    char text[64];
    snprintf(text, sizeof(text), "%d audit events were lost", fit);
    assert_logged(LOG_ERR, text);
    free(large);
}

static void *write_many(void *arg)
{
    for (int i = 0; i < WRITER_LINES; i++) {
        char line[32];
        snprintf(line, sizeof(line), "line %d\n", i);
        queue_put(arg, line, true, "note");
    }
    return NULL;
}

static void test_queue_threads(void **state)
{
    fixture *f = *state;
    assert_int_equal(dt_audit_sink_open(f->path, false, &f->sink, NULL), 0);
    dt_audit_queue *q = NULL;
    assert_int_equal(dt_audit_queue_new(f->sink, &q, NULL), 0);
    f->sink = NULL;
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, q), 0);
    for (int i = 0; i < 20; i++)
        dt_audit_queue_flush(q, i);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; dt_audit_queue_flush(q, i) != 0; i++) /* the notes go in batches */
        assert_true(i < WRITERS * WRITER_LINES);
    assert_int_equal(dt_audit_queue_dropped(q), 0);
    dt_audit_queue_free(&q);
    int seen[WRITER_LINES] = {0};
    FILE *file = fopen(f->path, "r");
    for (int i; fscanf(file, "line %d\n", &i) == 1;)
        seen[i]++;
    fclose(file);
    for (int i = 0; i < WRITER_LINES; i++)
        assert_int_equal(seen[i], WRITERS);
}

/* --- the journal --------------------------------------------------------------------------------- */

#define FIELDS DT_AUDIT_FIELDS_BEGIN "\nDEVTRUST_CAUSE=RULE_DENY\nDEVTRUST_USER=anna"

static void has_field(char const *message, char const *field)
{
    char line[256];
    snprintf(line, sizeof(line), "\n%s\n", field);
    if (strstr(message, line) == NULL)
        fail_msg("no %s in %s", field, message);
}

/* Line and fields, each on a line of its own; a failure is a warning of authpriv. */
static void test_journal_gets_fields(void **state)
{
    fixture *f = *state;
    is_journal = true;
    open_sink(f);
    assert_true(dt_audit_sink_takes_fields(f->sink));
    assert_true(dt_audit_sink_line(f->sink, false, "denied user=\"anna\"\x1b" FIELDS));
    char const *got = log_read();
    assert_true(at_journal);
    assert_int_equal(strncmp(got, "PRIORITY=4\n", 11), 0);
    has_field(got, "SYSLOG_FACILITY=10");
    has_field(got, "SYSLOG_IDENTIFIER=devtrust");
    has_field(got, "MESSAGE=denied user=\"anna\"\\x1b");
    has_field(got, "DEVTRUST_CAUSE=RULE_DENY");
    has_field(got, "DEVTRUST_USER=anna");
    assert_true(dt_audit_sink_accept(f->sink, "allowed" FIELDS, 0));
    got = log_read();
    has_field(got, "MESSAGE=allowed");
    has_field(got, "DEVTRUST_USER=anna");
    dt_audit_sink_alert(f->sink, "BREAK-GLASS" FIELDS);
    assert_int_equal(strncmp(log_read(), "PRIORITY=1\n", 11), 0);
}

/* What is no sign-on's line has no fields, whatever is in it. */
static void test_alarms_forge_no_field(void **state)
{
    fixture *f = *state;
    is_journal = true;
    open_sink(f);
    assert_true(dt_audit_sink_alarm(f->sink, "cannot write /a" DT_AUDIT_FIELDS_BEGIN
                                             "\nDEVTRUST_RESULT=allowed"));
    char const *got = log_read();
    assert_null(strstr(got, "\nDEVTRUST"));
    assert_null(strstr(got, "\nMESSAGE_ID"));
    assert_non_null(strstr(got, "\nMESSAGE=cannot write /a\\x0aMESSAGE_ID="));
    /* Of a line, too, only what begins as fields do is fields. */
    assert_true(dt_audit_sink_line(f->sink, true, "a\nDEVTRUST_RESULT=allowed"));
    has_field(log_read(), "MESSAGE=a\\x0aDEVTRUST_RESULT=allowed");
}

static void test_syslog_gets_the_line_alone(void **state)
{
    fixture *f = *state;
    open_sink(f);
    assert_false(dt_audit_sink_takes_fields(f->sink));
    assert_true(dt_audit_sink_line(f->sink, true, "allowed" FIELDS));
    char const *got = log_read();
    assert_false(at_journal);
    assert_non_null(strstr(got, "]: allowed"));
    assert_null(strstr(got, "DEVTRUST"));
}

/* A journal whose own socket does not answer is spoken to as any log daemon, and found again later. */
static void test_journal_that_does_not_answer(void **state)
{
    fixture *f = *state;
    is_journal = journal_is_gone = true;
    open_sink(f);
    assert_true(dt_audit_sink_line(f->sink, true, "first" FIELDS));
    assert_logged(LOG_INFO, "first");
    journal_is_gone = false;
    log_stop();
    log_start(f);
    assert_true(dt_audit_sink_line(f->sink, true, "second" FIELDS));
    has_field(log_read(), "DEVTRUST_USER=anna");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    struct CMUnitTest const tests[] = {
        T(test_journal_gets_fields),
        T(test_alarms_forge_no_field),
        T(test_syslog_gets_the_line_alone),
        T(test_journal_that_does_not_answer),
        T(test_appends),
        T(test_rotation),
        T(test_rotation_to_a_bad_file),
        T(test_directory_gone),
        T(test_refused_files),
        T(test_full_device),
        T(test_torn_line),
        T(test_unended_line),
        T(test_no_file),
        T(test_log_lines),
        T(test_alarm_without_syslog),
        T(test_log_restarts),
        T(test_log_hangs),
        T(test_accepted_by_syslog),
        T(test_accepted_by_the_kernel_log),
        T(test_kernel_log_is_not_flooded),
        T(test_accepted_by_nobody),
        T(test_accept_without_syslog),
        T(test_queue_accepts_by_the_file),
        T(test_queue_accepts_by_syslog_or_not),
        T(test_queue_accepts_no_empty_event),
        T(test_queue_order_and_urgency),
        T(test_queue_keeps_what_the_disk_refuses),
        T(test_queue_waits_for_the_log),
        T(test_queue_is_bounded),
        T(test_queue_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
