/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "edge/managed_file.h"

#include "edge/file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* What identifies a version of a file. */
typedef struct version {
    dev_t device;
    ino_t inode;
    off_t size;
    uid_t owner;
    struct timespec modified, changed;
} version;

struct dt_managed_file {
    pthread_mutex_t lock;
    char *path;
    dt_managed_hints const *hints;
    bool known;
    version of;
    dt_time read_at; /* monotonic */
    dt_managed_result result;
};

int dt_managed_file_new(char const *path, dt_managed_hints const *hints, dt_managed_file **out)
{
    dt_managed_file *f = calloc(1, sizeof(*f));

    *out = NULL;
    if (f == NULL)
        return DT_E_NOMEM;
    f->path = strdup(path);
    if (f->path == NULL || pthread_mutex_init(&f->lock, NULL) != 0) {
        free(f->path);
        free(f);
        return DT_E_NOMEM;
    }
    f->hints = hints;
    *out = f;
    return DT_OK;
}

void dt_managed_file_free(dt_managed_file **f)
{
    if (*f == NULL)
        return;
    pthread_mutex_destroy(&(*f)->lock);
    free((*f)->path);
    free(*f);
    *f = NULL;
}

static dt_time monotonic(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return DT_SECONDS(t.tv_sec) + t.tv_nsec / 1000000;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_version(version const *a, version const *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->owner == b->owner && same_time(a->modified, b->modified) &&
           same_time(a->changed, b->changed);
}

/* 0 or errno. */
static int look(char const *path, version *out)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno;
    *out = (version){.device = st.st_dev,
                     .inode = st.st_ino,
                     .size = st.st_size,
                     .owner = st.st_uid,
                     .modified = st.st_mtim,
                     .changed = st.st_ctim};
    return 0;
}

static void set_result(dt_managed_result *r, dt_managed_status status, char const *path,
                       char const *what)
{
    dt_error e = {0};

    memset(r, 0, sizeof(*r));
    r->status = status;
    (void)dt_error_set(&e, DT_E_IO, "%s: %s", path, what);
    (void)!dt_str_copy(r->text, sizeof(r->text), e.text);
}

static void set_missing(dt_managed_result *r, char const *path, int error)
{
    bool absent = error == ENOENT || error == ENOTDIR;

    set_result(r, absent ? DT_MANAGED_ABSENT : DT_MANAGED_UNREADABLE, path,
               absent ? "no managed app configuration exists there" : strerror(error));
}

/* A file that is not there (any more), or that the disk does not give, is distinguished from one that is
 * there and must not be believed. */
static dt_managed_status status_of(int error)
{
    switch (error) {
    case DT_E_NOT_FOUND:
        return DT_MANAGED_ABSENT;
    case DT_E_NOMEM:
    case DT_E_IO:
        return DT_MANAGED_UNREADABLE;
    default:
        return DT_MANAGED_REFUSED;
    }
}

static void read_file(dt_managed_file const *f, version const *v, dt_managed_result *r)
{
    dt_error e = {0};
    dt_buf text;
    int rc;

    if (v->owner != 0) {
        set_result(r, DT_MANAGED_REFUSED, f->path, "it does not belong to root; chown root PATH");
        return;
    }
    memset(r, 0, sizeof(*r));
    dt_buf_init(&text, DT_MANAGED_TEXT_MAX);
    rc = dt_file_read(f->path, DT_FILE_SECRET, DT_MANAGED_TEXT_MAX, &text, &e);
    if (rc == DT_OK) {
        rc = dt_managed_config_read(dt_buf_bytes(&text), f->hints, &r->facts, &e);
        if (rc < 0)
            dt_error_prefix(&e, "%s", f->path);
    }
    dt_buf_free(&text);
    r->status = rc == DT_OK ? DT_MANAGED_READ : status_of(rc);
    if (rc < 0)
        (void)!dt_str_copy(r->text, sizeof(r->text), e.text);
}

/* The lock is held. */
static void refresh(dt_managed_file *f)
{
    version before = {0}, after = {0};
    dt_time now = monotonic();
    int error = look(f->path, &before);

    if (error != 0) {
        f->known = false;
        set_missing(&f->result, f->path, error);
        return;
    }
    if (f->known && same_version(&before, &f->of) && now - f->read_at < DT_MANAGED_RECHECK)
        return;
    read_file(f, &before, &f->result);
    error = look(f->path, &after);
    if (error == 0 && !same_version(&before, &after))
        set_result(&f->result, DT_MANAGED_UNREADABLE, f->path, "it was replaced while it was read");
    f->known = error == 0 && same_version(&before, &after);
    f->of = after;
    f->read_at = now;
}

void dt_managed_file_read(dt_managed_file *f, dt_managed_result *out)
{
    if (f == NULL) {
        set_result(out, DT_MANAGED_ABSENT, "managed_configuration_file", "it is not configured");
        return;
    }
    pthread_mutex_lock(&f->lock);
    refresh(f);
    *out = f->result;
    pthread_mutex_unlock(&f->lock);
}
