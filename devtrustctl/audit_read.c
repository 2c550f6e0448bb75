/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to the audit events: which files, in which order, line by line. */
#include "devtrustctl/audit_read.h"

#include "devtrustctl/audit_files.h"
#include "devtrustctl/ctl.h"
#include "devtrustctl/moment.h"

#include "edge/gzip_zlib.h"
#include "edge/host.h"
#include "edge/site.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BROKEN_SHOWN_MAX 20 /* broken lines of one file that are named one by one */
#define STDIN_NAME "standard input"
#define CLOCK_SLACK DT_HOURS(1) /* by which the clock may have been wrong when a file was written */

/* --- lines ------------------------------------------------------------------------------------ */

static void report_broken(dt_audit_reading *r, size_t number, char const *why)
{
    r->broken++;
    if (r->broken_in_file++ < BROKEN_SHOWN_MAX)
        dt_err_line("%s:%zu: %s; skipped", r->file, number, why);
}

static int on_line(void *ctx, size_t number, dt_bytes line, bool too_long)
{
    dt_audit_reading *r = ctx;
    dt_audit_event event;
    dt_error e = {0};
    int rc;

    if (line.len == 0)
        return DT_OK;
    if (too_long) {
        report_broken(r, number, "longer than any audit event");
        return DT_OK;
    }
    if (dt_audit_event_read(line, &event, &e) < 0) {
        report_broken(r, number, e.text);
        return DT_OK;
    }
    rc = r->on_event(r->ctx, &event);
    dt_audit_event_free(&event);
    return rc;
}

/* --- files ------------------------------------------------------------------------------------ */

static int open_file(char const *path, dt_error *e)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO without a writer must not hold us up. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return dt_error_set(e, DT_E_INVALID, "%s is not a regular file", path);
    }
    return fd;
}

static bool is_gzip(char const *path)
{
    size_t len = strlen(path), end = strlen(DT_AUDIT_GZIP_SUFFIX);

    return len > end && strcmp(path + len - end, DT_AUDIT_GZIP_SUFFIX) == 0;
}

/* Takes over the descriptor. */
static int read_gzip(dt_audit_reading *r, int fd, dt_error *e)
{
    dt_gzip *g = NULL;
    int rc = dt_gzip_open(fd, &g, e);

    if (rc == DT_OK)
        rc = dt_audit_lines_gzip(g, on_line, r, e);
    dt_gzip_free(&g);
    return rc;
}

/* Takes over the descriptor. A file that cannot be read is named and passed over: the others may hold
 * what is looked for. */
static int read_open(dt_audit_reading *r, int fd, char const *name)
{
    dt_error e = {0};
    int rc;

    r->file = name;
    r->broken_in_file = 0;
    if (is_gzip(name))
        rc = read_gzip(r, fd, &e);
    else {
        rc = dt_audit_lines(fd, on_line, r, &e);
        close(fd);
    }
    if (r->broken_in_file > BROKEN_SHOWN_MAX)
        dt_err_line("%s: %zu more lines are not audit events", name,
                    r->broken_in_file - BROKEN_SHOWN_MAX);
    if (rc >= 0)
        return DT_OK;
    if (e.code == 0) /* of on_event */
        return rc;
    dt_err_line("%s: %s", name, e.text);
    r->fault = true;
    return DT_OK;
}

/* The last event in it is older. */
static bool is_too_old(dt_audit_reading const *r, int fd)
{
    struct stat st;

    return r->since > 0 && fstat(fd, &st) == 0 &&
           DT_SECONDS(st.st_mtim.tv_sec) + CLOCK_SLACK < r->since;
}

static int read_file(dt_audit_reading *r, char const *path)
{
    dt_error e = {0};
    int fd = open_file(path, &e);

    if (fd >= 0 && is_too_old(r, fd)) {
        close(fd);
        return DT_OK;
    }
    if (fd >= 0)
        return read_open(r, fd, path);
    (void)dt_err_fault(&e);
    r->fault = true;
    return DT_OK;
}

static int read_stdin(dt_audit_reading *r, dt_error *e)
{
    int fd = dup(STDIN_FILENO);

    return fd >= 0 ? read_open(r, fd, STDIN_NAME)
                   : dt_error_set(e, DT_E_IO, "%s: %s", STDIN_NAME, strerror(errno));
}

/* Whether `path` is the file that is open, under whatever name. */
static bool is_open_as(char const *path, int fd)
{
    struct stat a, b;

    return fd >= 0 && stat(path, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* Without the file that is open as `except`, and without `path` itself where that is followed. */
static int read_rotated(dt_audit_reading *r, char const *path, int except, dt_error *e)
{
    bool const follows = r->on_idle != NULL;
    dt_audit_files files;
    int rc = dt_audit_files_find(path, &files, e);

    if (rc == DT_E_NOT_FOUND && follows) {
        *e = (dt_error){0};
        return DT_OK;
    }
    if (rc < 0)
        return rc;
    r->left_out = files.compressed;
    if (files.compressed > 0)
        dt_err_line("%zu files beside %s are not compressed by gzip and were not read; decompress "
                    "one and name it with --file, or: xzcat FILE | devtrustctl log --file -",
                    files.compressed, path);
    for (size_t i = 0; rc == DT_OK && i < files.count; i++) {
        if (!follows || (strcmp(files.paths[i], path) != 0 && !is_open_as(files.paths[i], except)))
            rc = read_file(r, files.paths[i]);
    }
    dt_audit_files_free(&files);
    return rc;
}

/* --- a file that grows ------------------------------------------------------------------------ */

typedef struct follower {
    dt_audit_reading *r;
    char const *path;
    int fd; /* -1: it is not there (yet) */
    off_t at;
    bool replaced; /* another file has its name: what is still written to this one is read first */
    dt_audit_splitter *splitter;
} follower;

/* 0 also where there is no such file. */
static int open_followed(follower *f, dt_error *e)
{
    f->fd = open_file(f->path, e);
    f->at = 0;
    f->replaced = false;
    if (f->fd >= 0)
        return DT_OK;
    if (access(f->path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR))
        return e->code;
    *e = (dt_error){0};
    return DT_OK;
}

static int end_followed(follower *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    return dt_audit_splitter_end(f->splitter);
}

/* All that is there now. */
static int read_followed(follower *f, dt_error *e)
{
    char chunk[65536];
    ssize_t n = 1;
    int rc = DT_OK;

    while (rc == DT_OK && n > 0) {
        n = pread(f->fd, chunk, sizeof(chunk), f->at);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            rc = dt_error_set(e, DT_E_IO, "%s: %s", f->path, strerror(errno));
        else if (n > 0) {
            f->at += n;
            rc = dt_audit_splitter_feed(f->splitter, chunk, (size_t)n);
        }
    }
    return rc;
}

/* logrotate has cut it (copytruncate), or renamed it: then another one has its name, or soon will. */
static int look_for_rotation(follower *f)
{
    struct stat st;

    if (f->replaced)
        return end_followed(f);
    if (fstat(f->fd, &st) == 0 && st.st_size < f->at) {
        f->at = 0;
        return dt_audit_splitter_end(f->splitter);
    }
    f->replaced = stat(f->path, &st) == 0 && !is_open_as(f->path, f->fd);
    return DT_OK;
}

/* Sleeps until the next look; ends early, with DT_E_GONE, when nobody reads standard output any more. */
static int wait_a_while(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO};

    if (poll(&p, 1, DT_FOLLOW_WAIT_MS) > 0 && (p.revents & (POLLERR | POLLHUP)) != 0)
        return DT_E_GONE;
    return DT_OK;
}

static int follow_on(follower *f, dt_error *e)
{
    int rc = DT_OK;

    while (rc == DT_OK) {
        bool was_replaced = f->replaced;

        if (f->fd < 0)
            rc = open_followed(f, e);
        if (rc == DT_OK && f->fd >= 0)
            rc = read_followed(f, e);
        if (rc == DT_OK && f->fd >= 0)
            rc = look_for_rotation(f);
        if (rc == DT_OK && !was_replaced)
            rc = f->r->on_idle(f->r->ctx);
        if (rc == DT_OK && !was_replaced)
            rc = wait_a_while();
    }
    return rc;
}

/* The file is opened before the others are looked for: were it renamed in between, none of its events would be
 * seen otherwise. */
static int follow(dt_audit_reading *r, char const *path, bool others, dt_error *e)
{
    follower f = {.r = r, .path = path, .fd = -1, .splitter = dt_audit_splitter_new(on_line, r)};
    int rc = f.splitter != NULL ? open_followed(&f, e) : DT_E_NOMEM;

    if (rc == DT_OK && others)
        rc = read_rotated(r, path, f.fd, e);
    r->file = path;
    r->broken_in_file = 0;
    if (rc == DT_OK)
        rc = follow_on(&f, e);
    if (f.fd >= 0)
        close(f.fd);
    dt_audit_splitter_free(&f.splitter);
    return rc == DT_E_GONE ? DT_OK : rc;
}

/* Only the configuration is read: a fault elsewhere must not hide the log that reports it. */
static int audit_path(char const *config_path, dt_config **config, dt_error *e)
{
    int rc;

    if (config_path == NULL)
        config_path = DT_CONFIG_DEFAULT_PATH;
    rc = dt_site_config_read(config_path, config, e);
    if (rc == DT_OK && (*config)->audit.file[0] == '\0')
        rc =
            dt_error_set(e, DT_E_NOT_FOUND,
                         "%s: [audit] file is empty: no events are written to a file", config_path);
    return rc;
}

int dt_audit_read(dt_audit_reading *r, char const *config_path, char const *file, dt_error *e)
{
    dt_config *config = NULL;
    int rc;

    if (file != NULL && strcmp(file, "-") == 0)
        rc = read_stdin(r, e);
    else if (file != NULL)
        rc = r->on_idle != NULL ? follow(r, file, false, e) : read_file(r, file);
    else {
        rc = audit_path(config_path, &config, e);
        if (rc == DT_OK && r->on_idle != NULL)
            rc = follow(r, config->audit.file, true, e);
        else if (rc == DT_OK)
            rc = read_rotated(r, config->audit.file, -1, e);
        dt_config_free(&config);
    }
    if (rc < 0 && e->code == 0)
        (void)dt_error_set(e, rc, "out of memory");
    return rc;
}

int dt_audit_since(char const *text, dt_time *since, dt_error *e)
{
    *since = 0;
    return text == NULL ? DT_OK
                        : dt_moment_read("--since", text, dt_host_now(), DT_MOMENT_SINCE, since, e);
}

int dt_audit_until(char const *text, dt_time *until, dt_error *e)
{
    *until = 0;
    return text == NULL ? DT_OK
                        : dt_moment_read("--until", text, dt_host_now(), DT_MOMENT_UNTIL, until, e);
}
