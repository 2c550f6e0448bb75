/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the audit files in their order and takes them apart into lines. */
#include "devtrustctl/audit_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_MAX 200 /* as much of a path as a message repeats */
#define DIGITS_MAX 18 /* of a rotation's number; fits 64 bits */
#define DATE_LEN 8    /* YYYYMMDD */

/* --- names ------------------------------------------------------------------------------------ */

typedef struct found {
    dt_rotation rotation;
    uint64_t order;
    char path[DT_AUDIT_PATH_MAX];
} found;

/* Digits at `*text`, which is moved after them. False when there are none, or too many. */
static bool take_digits(char const **text, uint64_t *value)
{
    size_t n = strspn(*text, "0123456789");

    if (n == 0 || n > DIGITS_MAX)
        return false;
    *value = strtoull(*text, NULL, 10);
    *text += n;
    return true;
}

/* Dates come first in the order, then what follows them (an hour, an epoch). */
static bool take_date(char const **text, uint64_t *order)
{
    char const *start = *text;
    uint64_t more = 0;

    if (!take_digits(text, order) || *text - start < DATE_LEN)
        return false;
    if (**text == '-') {
        (*text)++;
        if (!take_digits(text, &more))
            return false;
    }
    *order = *order * 100000000000ULL + more % 100000000000ULL;
    return true;
}

dt_rotation dt_rotation_of(char const *base, char const *name, uint64_t *order)
{
    static char const *const packed[] = {".xz", ".bz2", ".zst"};
    size_t len = strlen(base);
    dt_rotation rotation = DT_ROTATION_NONE;

    *order = 0;
    if (strncmp(name, base, len) != 0 || (name[len] != '.' && name[len] != '-'))
        return DT_ROTATION_NONE;
    rotation = name[len] == '.' ? DT_ROTATION_NUMBERED : DT_ROTATION_DATED;
    name += len + 1;
    if (rotation == DT_ROTATION_NUMBERED ? !take_digits(&name, order) : !take_date(&name, order))
        return DT_ROTATION_NONE;
    if (*name == '\0' || strcmp(name, DT_AUDIT_GZIP_SUFFIX) == 0)
        return rotation;
    for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
        if (strcmp(name, packed[i]) == 0)
            return DT_ROTATION_COMPRESSED;
    }
    return DT_ROTATION_NONE;
}

/* The oldest first: dated ones, then numbered ones, then the file itself. */
static int compare(void const *a, void const *b)
{
    static int const rank[] = {
        [DT_ROTATION_DATED] = 0, [DT_ROTATION_NUMBERED] = 1, [DT_ROTATION_NONE] = 2};
    found const *x = a, *y = b;
    bool less = x->order < y->order;

    if (x->rotation != y->rotation)
        return rank[x->rotation] - rank[y->rotation];
    if (x->order == y->order)
        return strcmp(x->path, y->path);
    if (x->rotation == DT_ROTATION_NUMBERED)
        less = !less;
    return less ? -1 : 1;
}

/* --- the files -------------------------------------------------------------------------------- */

typedef struct search {
    found *items;
    size_t count;
    size_t compressed;
    char const *base;
    char directory[DT_AUDIT_PATH_MAX];
} search;

static int add(search *s, char const *name, dt_rotation rotation, uint64_t order, dt_error *e)
{
    char path[DT_AUDIT_PATH_MAX];
    found *items;
    int n = snprintf(path, sizeof(path), "%s%s", s->directory, name);

    if (n < 0 || (size_t)n >= sizeof(path) || s->count == DT_AUDIT_FILES_MAX)
        return dt_error_set(e, DT_E_LIMIT, "more than %d audit files, or a path that is too long",
                            DT_AUDIT_FILES_MAX);
    items = reallocarray(s->items, s->count + 1, sizeof(*items));
    if (items == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    s->items = items;
    items[s->count] = (found){.rotation = rotation, .order = order};
    memcpy(items[s->count++].path, path, sizeof(path));
    return DT_OK;
}

static int look_at(search *s, char const *name, dt_error *e)
{
    uint64_t order = 0;
    dt_rotation rotation = dt_rotation_of(s->base, name, &order);

    if (strcmp(name, s->base) == 0)
        return add(s, name, DT_ROTATION_NONE, 0, e);
    if (rotation == DT_ROTATION_COMPRESSED)
        s->compressed++;
    if (rotation == DT_ROTATION_NUMBERED || rotation == DT_ROTATION_DATED)
        return add(s, name, rotation, order, e);
    return DT_OK;
}

static int look_around(search *s, dt_error *e)
{
    char shown[SHOWN_MAX];
    struct dirent *entry;
    int rc = DT_OK;
    DIR *d = opendir(s->directory);

    if (d != NULL) {
        /* cppcheck-suppress readdirCalled */
        while (rc == DT_OK && (errno = 0, entry = readdir(d)) != NULL)
            rc = look_at(s, entry->d_name, e);
    }
    if (rc == DT_OK && errno != 0)
        rc = dt_error_set(e, errno == ENOENT ? DT_E_NOT_FOUND : DT_E_IO, "%s: %s",
                          dt_str_escape(shown, sizeof(shown), s->directory), strerror(errno));
    if (d != NULL)
        closedir(d);
    return rc;
}

static int hand_over(search const *s, dt_audit_files *out, dt_error *e)
{
    out->paths = calloc(s->count + 1, sizeof(*out->paths));
    if (out->paths == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    for (size_t i = 0; i < s->count; i++)
        memcpy(out->paths[i], s->items[i].path, sizeof(out->paths[i]));
    out->count = s->count;
    out->compressed = s->compressed;
    return DT_OK;
}

int dt_audit_files_find(char const *path, dt_audit_files *out, dt_error *e)
{
    char shown[SHOWN_MAX];
    char const *slash = strrchr(path, '/');
    size_t len = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    search s = {.base = path + len};
    int rc;

    *out = (dt_audit_files){0};
    if (dt_str_copy_bytes(s.directory, sizeof(s.directory), dt_bytes_of(path, len)) < 0)
        return dt_error_set(e, DT_E_LIMIT, "the audit file's path is too long");
    if (len == 0)
        memcpy(s.directory, "./", sizeof("./"));
    rc = look_around(&s, e);
    if (rc == DT_OK && s.count == 0)
        rc = dt_error_set(e, DT_E_NOT_FOUND, "there is no audit file %s yet",
                          dt_str_escape(shown, sizeof(shown), path));
    if (rc == DT_OK) {
        qsort(s.items, s.count, sizeof(*s.items), compare);
        rc = hand_over(&s, out, e);
    }
    free(s.items);
    return rc;
}

void dt_audit_files_free(dt_audit_files *f)
{
    free(f->paths);
    *f = (dt_audit_files){0};
}

/* --- lines ------------------------------------------------------------------------------------ */

struct dt_audit_splitter {
    char line[DT_AUDIT_LINE_MAX];
    size_t len;
    bool too_long;
    bool any; /* bytes came since the last line end */
    size_t number;
    dt_audit_line_fn *fn;
    void *ctx;
};

static int end_line(dt_audit_splitter *s)
{
    dt_bytes line = dt_bytes_of(s->line, s->len);
    bool too_long = s->too_long;

    s->number++;
    s->len = 0;
    s->too_long = s->any = false;
    return s->fn(s->ctx, s->number, line, too_long);
}

static void put(dt_audit_splitter *s, char const *p, size_t len)
{
    size_t room = sizeof(s->line) - s->len;
    size_t taken = len < room ? len : room;

    memcpy(s->line + s->len, p, taken);
    s->len += taken;
    s->too_long = s->too_long || taken < len;
    s->any = s->any || len > 0;
}

int dt_audit_splitter_feed(dt_audit_splitter *s, char const *p, size_t len)
{
    int rc = DT_OK;

    while (rc == DT_OK && len > 0) {
        char const *end = memchr(p, '\n', len);
        size_t n = end != NULL ? (size_t)(end - p) : len;

        put(s, p, n);
        if (end == NULL)
            break;
        rc = end_line(s);
        p += n + 1;
        len -= n + 1;
    }
    return rc;
}

dt_audit_splitter *dt_audit_splitter_new(dt_audit_line_fn *fn, void *ctx)
{
    dt_audit_splitter *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        s->fn = fn;
        s->ctx = ctx;
    }
    return s;
}

int dt_audit_splitter_end(dt_audit_splitter *s)
{
    int rc = s->any ? end_line(s) : DT_OK;

    s->number = 0;
    return rc;
}

void dt_audit_splitter_free(dt_audit_splitter **s)
{
    free(*s);
    *s = NULL;
}

/* Up to `max` bytes: how many, 0 at the end. */
typedef int read_fn(void *from, void *into, size_t max, dt_error *e);

static int read_plain(void *from, void *into, size_t max, dt_error *e)
{
    ssize_t n;

    do
        n = read(*(int *)from, into, max);
    while (n < 0 && errno == EINTR);
    return n < 0 ? dt_error_set(e, DT_E_IO, "%s", strerror(errno)) : (int)n;
}

static int read_gzip(void *from, void *into, size_t max, dt_error *e)
{
    return dt_gzip_read(from, into, max, e);
}

static int read_lines(read_fn *read_some, void *from, dt_audit_line_fn *fn, void *ctx, dt_error *e)
{
    char chunk[65536];
    dt_audit_splitter *s = dt_audit_splitter_new(fn, ctx);
    int rc = DT_OK;

    if (s == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    while (rc == DT_OK) {
        int n = read_some(from, chunk, sizeof(chunk), e);
        if (n <= 0) {
            rc = n;
            break;
        }
        rc = dt_audit_splitter_feed(s, chunk, (size_t)n);
    }
    if (rc == DT_OK)
        rc = dt_audit_splitter_end(s);
    dt_audit_splitter_free(&s);
    return rc;
}

int dt_audit_lines(int fd, dt_audit_line_fn *fn, void *ctx, dt_error *e)
{
    return read_lines(read_plain, &fd, fn, ctx, e);
}

int dt_audit_lines_gzip(dt_gzip *from, dt_audit_line_fn *fn, void *ctx, dt_error *e)
{
    return read_lines(read_gzip, from, fn, ctx, e);
}
