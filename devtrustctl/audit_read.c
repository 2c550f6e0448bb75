/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to the audit events: which files, in which order, line by line. */
#include "devtrustctl/audit_read.h"

#include "devtrustctl/audit_files.h"
#include "devtrustctl/ctl.h"

#include "edge/gzip_zlib.h"
#include "edge/host.h"
#include "edge/site.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BROKEN_SHOWN_MAX 20 /* broken lines of one file that are named one by one */
#define STDIN_NAME "standard input"

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

static int read_file(dt_audit_reading *r, char const *path)
{
    dt_error e = {0};
    int fd = open_file(path, &e);

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

static int read_rotated(dt_audit_reading *r, char const *path, dt_error *e)
{
    dt_audit_files files;
    int rc = dt_audit_files_find(path, &files, e);

    if (rc < 0)
        return rc;
    r->left_out = files.compressed;
    if (files.compressed > 0)
        dt_err_line("%zu files beside %s are not compressed by gzip and were not read; decompress "
                    "one and name it with -f, or: xzcat FILE | devtrustctl log -f -",
                    files.compressed, path);
    for (size_t i = 0; rc == DT_OK && i < files.count; i++)
        rc = read_file(r, files.paths[i]);
    dt_audit_files_free(&files);
    return rc;
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

    if (file != NULL)
        rc = strcmp(file, "-") == 0 ? read_stdin(r, e) : read_file(r, file);
    else {
        rc = audit_path(config_path, &config, e);
        if (rc == DT_OK)
            rc = read_rotated(r, config->audit.file, e);
        dt_config_free(&config);
    }
    if (rc < 0 && e->code == 0)
        (void)dt_error_set(e, rc, "out of memory");
    return rc;
}

/* An age counts from now. */
int dt_audit_since(char const *text, dt_time *since, dt_error *e)
{
    int64_t age = 0;
    dt_time now = dt_host_now();

    *since = 0;
    if (text == NULL)
        return DT_OK;
    if (dt_duration_parse(text, &age) == DT_OK && age >= 0) {
        *since = age < now ? now - age : 0;
        return DT_OK;
    }
    if (dt_time_parse(text, since) == DT_OK)
        return DT_OK;
    return dt_error_set(
        e, DT_E_INVALID,
        "--since needs an age such as 30m, 1h or 7d, or a time such as 2026-11-23T08:00:00Z");
}
