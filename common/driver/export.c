/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this process counts, for whoever watches it: as a file that is replaced every few seconds, and on a socket
 * (export_socket.c). Both on the loop's thread, which owns what is looked at. Nothing of it holds up a sign-on: a
 * file or socket that cannot be made is reported once, and tried again. */
#include "driver/export.h"

#include "core/base/version.h"
#include "edge/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MODE 0644 /* node_exporter's user reads it; there is nothing secret in it */
#define LOCK_SUFFIX ".lock"
#define NEW_SUFFIX ".new"
#define PATH_MAX_HERE 1100 /* of the configuration's longest path and a suffix */

struct dt_export {
    dt_driver *driver;
    dt_time started;
    struct event *timer;
    int64_t interval; /* milliseconds */
    dt_export_output file, socket;
    dt_export_socket *listener; /* NULL: not made (yet) */
};

/* --- the text ------------------------------------------------------------------------------------- */

static void add_expiry(void *ctx, dt_expiry const *x)
{
    dt_expiries_add(ctx, x);
}

static int write_text(dt_export const *x, dt_metrics_format format, dt_buf *out)
{
    dt_driver *d = x->driver;
    dt_live_site *l = dt_live_site_current(d);
    dt_driver_stats stats;
    dt_expiries expiries = {0};
    int const waiting = atomic_load(&d->runs_now);

    dt_driver_stats_get(d, &stats);
    dt_driver_expiries(d, add_expiry, &expiries);
    dt_metrics_sample const sample = {
        .door = d->options.export_door,
        .version = DT_VERSION,
        .started = x->started,
        .waiting = waiting < 0 ? 0 : (uint64_t)waiting,
        .waiting_max = (uint64_t)d->runs_max,
        .audit_lost = stats.audit_dropped,
        .sessions = (uint64_t)atomic_load(&d->sessions_now),
        .store_open = atomic_load(&d->store) != NULL,
        .generation = dt_site_generation(l->files),
        .loaded = dt_site_loaded(l->files),
        .budget = &d->budget,
        .expiries = &expiries,
    };
    dt_metrics_text(out, &d->metrics, &sample, format);
    dt_live_site_release(l);
    return dt_buf_error(out);
}

int dt_export_text(dt_export *x, dt_metrics_format format, dt_buf *out)
{
    return write_text(x, format, out);
}

/* --- what cannot be made -------------------------------------------------------------------------- */

/* Each fault once, until it is another or gone. */
static void report(dt_export *x, dt_export_output *o, int rc, dt_error const *why)
{
    dt_driver *d = x->driver;

    if (rc == DT_OK) {
        o->said[0] = '\0';
        return;
    }
    if (strcmp(o->said, why->text) == 0)
        return;
    memcpy(o->said, why->text, sizeof(o->said));
    dt_error e = *why;
    dt_live_site *l = dt_live_site_current(d);
    (void)dt_config_blame(l->config, "metrics", o->key, &e, rc);
    dt_live_site_release(l);
    if (d->options.notify != NULL)
        d->options.notify(d->options.watch_ctx, true, e.text);
}

int dt_export_lock(dt_export_output *o, dt_error *e)
{
    char path[PATH_MAX_HERE];

    if (o->lock >= 0)
        return DT_OK;
    (void)snprintf(path, sizeof(path), "%s" LOCK_SUFFIX, o->path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return dt_error_set(e, DT_E_IO,
                            "%s: %s; its directory must exist, and the user who runs this (uid %u) "
                            "must be allowed to write to it",
                            path, strerror(errno), (unsigned)geteuid());
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return dt_error_set(e, DT_E_EXISTS,
                            "another process exports metrics there (%s is locked); FreeRADIUS "
                            "beside devtrustd needs [radius] metrics_%s",
                            path, o->key);
    }
    o->lock = fd;
    return DT_OK;
}

/* The lock's file stays: who waits for the lock may have it open. */
static void unlock(dt_export_output *o)
{
    if (o->lock >= 0)
        close(o->lock);
    o->lock = -1;
}

/* --- the file ------------------------------------------------------------------------------------- */

static int open_new(char const *path, dt_error *e)
{
    int const flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int fd = open(path, flags, FILE_MODE);

    if (fd < 0 && errno == EEXIST && unlink(path) == 0) /* of a process that was killed */
        fd = open(path, flags, FILE_MODE);
    if (fd < 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    (void)fchmod(fd, FILE_MODE); /* whatever the umask */
    return fd;
}

/* Readers find the former file or the new one. It is not synced: after a crash the next one is soon there. */
static int replace_file(char const *path, dt_bytes text, dt_error *e)
{
    char fresh[PATH_MAX_HERE];

    (void)snprintf(fresh, sizeof(fresh), "%s" NEW_SUFFIX, path);
    int fd = open_new(fresh, e);
    if (fd < 0)
        return fd;
    ssize_t n = write(fd, text.p, text.len);
    int error = n < 0 ? errno : n != (ssize_t)text.len ? ENOSPC : 0;
    if (close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 && rename(fresh, path) == 0)
        return DT_OK;
    if (error == 0)
        error = errno;
    (void)unlink(fresh);
    return dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(error));
}

static int write_file(dt_export *x, dt_error *e)
{
    dt_buf text;
    int rc = dt_export_lock(&x->file, e);

    if (rc != DT_OK)
        return rc;
    dt_buf_init(&text, DT_METRICS_TEXT_MAX);
    rc = write_text(x, DT_METRICS_PROMETHEUS, &text);
    if (rc != DT_OK)
        (void)dt_error_set(e, rc, "no memory for the metrics");
    else
        rc = replace_file(x->file.path, dt_buf_bytes(&text), e);
    dt_buf_free(&text);
    return rc;
}

/* --- its life ------------------------------------------------------------------------------------- */

static void on_time(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    dt_export *x = ctx;
    dt_error e = {0};
    struct timeval tv = {.tv_sec = x->interval / 1000, .tv_usec = x->interval % 1000 * 1000};

    event_add(x->timer, &tv);
    if (x->file.path[0] != '\0')
        report(x, &x->file, write_file(x, &e), &e);
    if (x->socket.path[0] == '\0')
        return;
    if (x->listener != NULL)
        dt_export_socket_resume(x->listener);
    else
        report(x, &x->socket, dt_export_socket_open(x, &x->socket, &x->listener, &e), &e);
}

struct event_base *dt_export_base(dt_export *x)
{
    return x->driver->base;
}

static int set_output(dt_export_output *o, char const *key, char const *path)
{
    o->key = key;
    o->lock = -1;
    o->said[0] = '\0';
    return (o->path = strdup(path)) != NULL ? DT_OK : DT_E_NOMEM;
}

int dt_export_open(dt_driver *d, dt_error *e)
{
    dt_config const *c = dt_site_config(dt_driver_site(d));
    struct timeval const soon = {.tv_sec = 0, .tv_usec = DT_EXPORT_FIRST_MS * 1000};

    if (d->options.export_door == NULL ||
        (c->metrics.socket[0] == '\0' && c->metrics.textfile[0] == '\0'))
        return DT_OK;
    dt_export *x = calloc(1, sizeof(*x));
    if (x == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    d->export = x;
    x->driver = d;
    x->started = dt_host_now();
    x->interval = c->metrics.interval;
    x->timer = evtimer_new(d->base, on_time, x);
    int const file = set_output(&x->file, "textfile", c->metrics.textfile);
    int const socket = set_output(&x->socket, "socket", c->metrics.socket);
    if (x->timer == NULL || file != DT_OK || socket != DT_OK)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    event_add(x->timer, &soon);
    return DT_OK;
}

/* Numbers of a process that has ended would be taken for those of one that stands still. */
void dt_export_close(dt_driver *d)
{
    dt_export *x = d->export;

    if (x == NULL)
        return;
    d->export = NULL;
    dt_export_socket_close(&x->listener);
    if (x->file.lock >= 0)
        (void)unlink(x->file.path);
    unlock(&x->file);
    unlock(&x->socket);
    if (x->timer != NULL)
        event_free(x->timer);
    free(x->file.path);
    free(x->socket.path);
    free(x);
}
