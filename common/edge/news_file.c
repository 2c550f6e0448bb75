/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See news_file.h. */
#include "edge/news_file.h"

#include "edge/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_LEN (DT_FILE_PATH_MAX - 2) /* ".1" must fit after it */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* The directory of `path` into `out`. */
static void put_directory(char const *path, char out[DT_FILE_PATH_MAX])
{
    char copy[DT_FILE_PATH_MAX];
    (void)snprintf(copy, sizeof(copy), "%s", path);
    (void)snprintf(out, DT_FILE_PATH_MAX, "%s",
                   dirname(copy)); /* POSIX's, which may write its argument */
}

static bool is_same_file(struct stat const *a, struct stat const *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* --- writing ----------------------------------------------------------------------------------------- */

struct dt_news_writer {
    char path[DT_FILE_PATH_MAX], old[DT_FILE_PATH_MAX];
    size_t max;
    int lock;  /* the directory, which the one writer has locked */
    int fd;    /* -1 after a failure: the next append opens it again */
    bool torn; /* the file may end within a line */
};

static int fail_with_errno(dt_error *e, char const *path, char const *what)
{
    int const code = errno == ENOENT                     ? DT_E_NOT_FOUND
                     : errno == EACCES || errno == EPERM ? DT_E_PERMISSION
                                                         : DT_E_IO;
    return dt_error_set(e, code, "%s: %s: %s", path, what, strerror(errno));
}

static int lock_directory(dt_news_writer *w, dt_error *e)
{
    char directory[DT_FILE_PATH_MAX];
    put_directory(w->path, directory);
    w->lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->lock < 0)
        return fail_with_errno(e, directory,
                               "the directory of the news cannot be opened; "
                               "systemd-tmpfiles --create makes it");
    if (flock(w->lock, LOCK_EX | LOCK_NB) == 0)
        return DT_OK;
    if (errno == EWOULDBLOCK)
        return dt_error_set(e, DT_E_EXISTS,
                            "%s: another process writes news here; only one may run", directory);
    return fail_with_errno(e, directory, "the directory of the news cannot be locked");
}

static bool ends_within_line(int fd, off_t size)
{
    char last = '\n';
    return size > 0 && (pread(fd, &last, 1, size - 1) != 1 || last != '\n');
}

static int open_file(dt_news_writer *w, dt_error *e)
{
    struct stat st;
    w->fd =
        open(w->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
             DT_NEWS_FILE_MODE);
    if (w->fd < 0)
        return fail_with_errno(e, w->path, "the news cannot be opened");
    if (fstat(w->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close_fd(&w->fd);
        return dt_error_set(e, DT_E_PERMISSION, "%s is not a regular file; remove it", w->path);
    }
    /* The umask may have taken the group's right to read. */
    if ((st.st_mode & 07777) != DT_NEWS_FILE_MODE && fchmod(w->fd, DT_NEWS_FILE_MODE) != 0) {
        int const rc = fail_with_errno(e, w->path, "its mode cannot be set; remove it");
        close_fd(&w->fd);
        return rc;
    }
    w->torn = ends_within_line(w->fd, st.st_size);
    return DT_OK;
}

int dt_news_writer_open(char const *path, size_t max, dt_news_writer **out, dt_error *e)
{
    *out = NULL;
    if (strlen(path) > PATH_MAX_LEN)
        return dt_error_set(e, DT_E_LIMIT, "the path of the news is too long");
    dt_news_writer *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    w->max = max;
    w->fd = w->lock = -1;
    (void)snprintf(w->path, sizeof(w->path), "%s", path);
    (void)snprintf(w->old, sizeof(w->old), "%s.1", path);
    int rc = lock_directory(w, e);
    if (rc == DT_OK)
        rc = open_file(w, e);
    if (rc != DT_OK)
        dt_news_writer_close(&w);
    *out = w;
    return rc;
}

void dt_news_writer_close(dt_news_writer **w)
{
    if (*w == NULL)
        return;
    close_fd(&(*w)->fd);
    close_fd(&(*w)->lock);
    free(*w);
    *w = NULL;
}

/* Makes sure that the file at the path is open, has a name, and has room for `len` bytes. */
static int prepare_file(dt_news_writer *w, size_t len, dt_error *e)
{
    struct stat ours, named;
    if (w->fd >= 0 &&
        (fstat(w->fd, &ours) != 0 || lstat(w->path, &named) != 0 || !is_same_file(&ours, &named)))
        close_fd(&w->fd);
    if (w->fd < 0) {
        int const rc = open_file(w, e);
        return rc;
    }
    if (ours.st_size == 0 || (size_t)ours.st_size + len <= w->max)
        return DT_OK;
    if (rename(w->path, w->old) != 0)
        return fail_with_errno(e, w->path, "it is full and cannot be renamed");
    close_fd(&w->fd);
    return open_file(w, e);
}

static int write_lines(dt_news_writer *w, dt_bytes lines, dt_error *e)
{
    if (w->torn && write(w->fd, "\n", 1) != 1)
        return fail_with_errno(e, w->path, "the news cannot be written");
    w->torn = true;
    for (size_t done = 0; done < lines.len;) {
        ssize_t const n = write(w->fd, lines.p + done, lines.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_with_errno(e, w->path, "the news cannot be written");
        done += (size_t)n;
    }
    w->torn = false;
    return DT_OK;
}

int dt_news_writer_append(dt_news_writer *w, dt_news const *news, size_t count, dt_error *e)
{
    dt_buf lines;
    int rc = DT_OK;
    if (count > DT_NEWS_BATCH_MAX)
        return dt_error_set(e, DT_E_LIMIT, "more than %d pieces of news at once",
                            DT_NEWS_BATCH_MAX);
    dt_buf_init(&lines, (size_t)DT_NEWS_BATCH_MAX * (DT_NEWS_LINE_MAX + 1));
    for (size_t i = 0; i < count && rc == DT_OK; i++)
        rc = dt_news_put_line(&news[i], &lines);
    if (rc != DT_OK)
        (void)dt_error_set(e, rc, "a piece of news cannot be written as a line");
    else if (count > 0)
        rc = prepare_file(w, lines.len, e);
    if (rc == DT_OK && count > 0)
        rc = write_lines(w, dt_buf_bytes(&lines), e);
    dt_buf_free(&lines);
    return rc;
}

/* --- reading ----------------------------------------------------------------------------------------- */

struct dt_news_follower {
    char path[DT_FILE_PATH_MAX], old[DT_FILE_PATH_MAX], directory[DT_FILE_PATH_MAX];
    struct stat watched; /* the directory, when `watch` is there */
    dt_time since;       /* what is older is left out, until the end of PATH was seen once */
    int inotify;         /* -1: there is none */
    int watch;           /* of the directory; -1: there is none yet */
    int fd;              /* the file that is read; -1: none yet */
    bool whole;          /* PATH was followed to its end once */
    bool too_long;       /* what is read now belongs to a line that is too long */
    uint64_t skipped;
    size_t from, to; /* what of `text` is read and not yet taken */
    uint8_t text[2 * (DT_NEWS_LINE_MAX + 1)];
};

static int open_for_reading(char const *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
        close_fd(&fd);
    return fd;
}

/* Watches the directory that has the name now. One that was removed may live on, without a name, as long as a file
 * of it is open: the kernel says nothing of it then. */
static void watch_directory(dt_news_follower *f)
{
    struct stat st = {0};
    bool const there = stat(f->directory, &st) == 0;
    if (f->watch >= 0 && (!there || !is_same_file(&st, &f->watched))) {
        (void)inotify_rm_watch(f->inotify, f->watch);
        f->watch = -1;
    }
    if (f->inotify < 0 || f->watch >= 0 || !there)
        return;
    f->watched = st;
    f->watch = inotify_add_watch(f->inotify, f->directory,
                                 IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
}

int dt_news_follower_open(char const *path, dt_time since, dt_news_follower **out)
{
    *out = NULL;
    if (strlen(path) > PATH_MAX_LEN)
        return DT_E_LIMIT;
    dt_news_follower *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return DT_E_NOMEM;
    f->since = since;
    (void)snprintf(f->path, sizeof(f->path), "%s", path);
    (void)snprintf(f->old, sizeof(f->old), "%s.1", path);
    put_directory(path, f->directory);
    f->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    f->watch = -1;
    watch_directory(f);
    f->fd = open_for_reading(f->old);
    *out = f;
    return DT_OK;
}

int dt_news_follower_fd(dt_news_follower const *f)
{
    return f->watch >= 0 ? f->inotify : -1;
}

uint64_t dt_news_follower_skipped(dt_news_follower const *f)
{
    return f->skipped;
}

void dt_news_follower_close(dt_news_follower **f)
{
    if (*f == NULL)
        return;
    close_fd(&(*f)->fd);
    close_fd(&(*f)->inotify);
    free(*f);
    *f = NULL;
}

/* Empties inotify's queue: what there is to read, the files say. */
static void drain_inotify(dt_news_follower *f)
{
    _Alignas(struct inotify_event) char events[4096];
    watch_directory(f);
    while (f->inotify >= 0 && read(f->inotify, events, sizeof(events)) > 0)
        ;
}

/* The file after `done`: PATH.1 when it is another one (more than one has begun since), else PATH. -1 when `done` is
 * PATH itself, or there is none. */
static int open_next(dt_news_follower const *f, struct stat const *done)
{
    struct stat named, old;
    bool const begun = lstat(f->path, &named) == 0;
    if (!begun || (done != NULL && is_same_file(&named, done)))
        return -1;
    int fd = done != NULL ? open_for_reading(f->old) : -1;
    if (fd >= 0 && (fstat(fd, &old) != 0 || is_same_file(&old, done)))
        close_fd(&fd);
    return fd >= 0 ? fd : open_for_reading(f->path);
}

/* Goes on with the next file. False when there is none; PATH was then read to its end. */
static bool go_on(dt_news_follower *f, int next)
{
    if (next < 0)
        return false;
    if (f->to > f->from || f->too_long)
        f->skipped++; /* a line that was never ended */
    f->from = f->to = 0;
    f->too_long = false;
    close_fd(&f->fd);
    f->fd = next;
    return true;
}

/* Reads on into the room behind what is not yet taken. False when there is nothing more now. */
static bool read_more(dt_news_follower *f)
{
    memmove(f->text, f->text + f->from, f->to - f->from);
    f->to -= f->from;
    f->from = 0;
    if (f->to == sizeof(f->text)) { /* no line is that long */
        f->to = 0;
        f->too_long = true;
    }
    ssize_t const n = f->fd >= 0 ? read(f->fd, f->text + f->to, sizeof(f->text) - f->to) : 0;
    f->to += n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* Like read_more, over the files. The next file is looked for before the last read of this one: whoever renamed it
 * writes no more to it. */
static bool read_on(dt_news_follower *f)
{
    struct stat done;
    if (read_more(f))
        return true;
    int next = open_next(f, f->fd >= 0 && fstat(f->fd, &done) == 0 ? &done : NULL);
    if (next >= 0 && read_more(f)) {
        close_fd(&next);
        return true;
    }
    if (go_on(f, next))
        return read_more(f);
    f->whole = true;
    return false;
}

static bool take_line(dt_news_follower *f, dt_bytes *line)
{
    uint8_t const *start = f->text + f->from;
    uint8_t const *end = f->to > f->from ? memchr(start, '\n', f->to - f->from) : NULL;
    if (end == NULL)
        return false;
    *line = dt_bytes_of(start, (size_t)(end - start));
    f->from += line->len + 1;
    return true;
}

/* Whether the line is news that is wanted. */
static bool read_line(dt_news_follower *f, dt_bytes line, dt_news *out)
{
    if (f->too_long || dt_news_read_line(line, out) != DT_OK) {
        f->too_long = false;
        f->skipped++;
        return false;
    }
    return f->whole || out->at >= f->since;
}

size_t dt_news_follower_read(dt_news_follower *f, dt_news *out, size_t max)
{
    size_t n = 0, lines = 0;
    dt_bytes line;
    drain_inotify(f);
    while (n < max && lines < DT_NEWS_LINES_MAX) {
        if (take_line(f, &line)) {
            n += read_line(f, line, &out[n]) ? 1 : 0;
            lines++;
        } else if (!read_on(f)) {
            break;
        }
    }
    return n;
}
