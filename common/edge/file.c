/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads files that a login depends on. The path is walked from the root, one open directory after
 * the other and never through a link, so that what was judged is what is read, whatever others do to
 * the names meanwhile. */
#include "edge/file.h"

#include "core/config/config.h"

#include "edge/file_advice.h"
#include "edge/host.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_MAX 64
#define SHOWN_MAX 200           /* as much of a path as a message repeats */
#define NSS_BUF_MAX (64 * 1024) /* longest entry of the user or group database */
#define OTHERS_WRITE (S_IWGRP | S_IWOTH)
#define OTHERS_READ (S_IROTH | S_IWOTH | S_IXOTH)
#define OPEN_FLAGS (O_NOFOLLOW | O_CLOEXEC)

/* Who devtrust's parts run as: its daemon, and FreeRADIUS by the names distributions give it. */
static char const *const service_names[] = {"devtrust", "freerad", "radiusd"};
#define SERVICES (sizeof(service_names) / sizeof(service_names[0]))

typedef struct shown {
    char text[SHOWN_MAX];
} shown;

static shown show(char const *path)
{
    shown s;

    dt_str_escape(s.text, sizeof(s.text), path);
    return s;
}

static bool is_service_user(uid_t uid)
{
    struct passwd pw;
    struct passwd *found = NULL;
    char *buf = malloc(NSS_BUF_MAX);
    bool is = false;

    for (size_t i = 0; buf != NULL && !is && i < SERVICES; i++)
        is = getpwnam_r(service_names[i], &pw, buf, NSS_BUF_MAX, &found) == 0 && found != NULL &&
             pw.pw_uid == uid;
    free(buf);
    return is;
}

static bool is_service_group(gid_t gid)
{
    struct group gr;
    struct group *found = NULL;
    char *buf = malloc(NSS_BUF_MAX);
    bool is = false;

    for (size_t i = 0; buf != NULL && !is && i < SERVICES; i++)
        is = getgrnam_r(service_names[i], &gr, buf, NSS_BUF_MAX, &found) == 0 && found != NULL &&
             gr.gr_gid == gid;
    free(buf);
    return is;
}

static bool owner_is_trusted(uid_t owner)
{
    return owner == 0 || owner == geteuid() || (geteuid() == 0 && is_service_user(owner));
}

/* Another's directory could be swapped under us; so could an entry of one that others write to,
 * unless it is sticky and the entry below belongs to us, which is demanded of each in any case. */
static int check_directory(int fd, char const *path, dt_error *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", show(path).text, strerror(errno));
    if (S_ISLNK(st.st_mode))
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s is a symbolic link; use the path that it points to",
                            show(path).text);
    if (!S_ISDIR(st.st_mode))
        return dt_error_set(e, DT_E_NOT_FOUND, "%s is not a directory", show(path).text);
    if (!owner_is_trusted(st.st_uid))
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s belongs to another user (uid %u), who could replace what is in it; "
                            "use another directory, or run: chown root %s",
                            show(path).text, (unsigned)st.st_uid, dt_advice_quote(path).text);
    if ((st.st_mode & OTHERS_WRITE) != 0 && (st.st_mode & S_ISVTX) == 0)
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s can be written by others, who could replace what is in it; run: "
                            "chmod go-w %s",
                            show(path).text, dt_advice_quote(path).text);
    return DT_OK;
}

static bool is_credential(char const *path)
{
    return strncmp(path, DT_CONFIG_CREDENTIAL, sizeof(DT_CONFIG_CREDENTIAL) - 1) == 0;
}

static int check_secret(struct stat const *st, char const *path, dt_error *e)
{
    if (is_credential(path) && st->st_uid == 0 && st->st_gid == 0 &&
        (st->st_mode & (OTHERS_READ | S_IWGRP)) == 0)
        return DT_OK;
    if ((st->st_mode & OTHERS_READ) != 0)
        return dt_advice_secret(path, st->st_uid, "others", e);
    if ((st->st_mode & S_IRWXG) != 0 &&
        (st->st_uid != 0 || (st->st_gid != getegid() && !is_service_group(st->st_gid)))) {
        char who[32];

        (void)snprintf(who, sizeof(who), "its group (gid %u)", (unsigned)st->st_gid);
        return dt_advice_secret(path, st->st_uid, who, e);
    }
    return DT_OK;
}

static int check_file(int fd, char const *path, dt_file_kind kind, dt_error *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", show(path).text, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return dt_error_set(e, DT_E_PERMISSION, "%s is not a regular file", show(path).text);
    if (!owner_is_trusted(st.st_uid))
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s belongs to another user (uid %u); run: chown root %s",
                            show(path).text, (unsigned)st.st_uid, dt_advice_quote(path).text);
    if ((st.st_mode & OTHERS_WRITE) != 0)
        return dt_error_set(e, DT_E_PERMISSION, "%s can be written by others; run: chmod go-w %s",
                            show(path).text, dt_advice_quote(path).text);
    return kind == DT_FILE_SECRET ? check_secret(&st, path, e) : DT_OK;
}

static int refuse_errno(char const *path, int number, dt_error *e)
{
    switch (number) {
    case ENOENT:
        return dt_error_set(e, DT_E_NOT_FOUND, "%s does not exist", show(path).text);
    case ELOOP:
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s is a symbolic link; use the path that it points to",
                            show(path).text);
    case EACCES:
    case EPERM:
        return dt_advice_unreadable(path, e);
    default:
        return dt_error_set(e, DT_E_IO, "%s: %s", show(path).text, strerror(number));
    }
}

/* Makes a path absolute. */
static int path_absolute(char const *path, char out[PATH_MAX], dt_error *e)
{
    dt_buf b;

    dt_buf_init_fixed(&b, out, PATH_MAX);
    if (*path != '/') {
        char cwd[PATH_MAX];
        if (getcwd(cwd, sizeof(cwd)) == NULL)
            return dt_error_set(e, DT_E_IO, "the working directory: %s", strerror(errno));
        dt_buf_puts(&b, cwd);
        dt_buf_putc(&b, '/');
    }
    dt_buf_puts(&b, path);
    if (dt_buf_error(&b) < 0 || *path == '\0')
        return dt_error_set(e, DT_E_INVALID, "the path \"%s\" is empty or too long",
                            show(path).text);
    return DT_OK;
}

/* One step down: closes *fd and puts the directory `name` in its place. `upto` is the path as far as
 * this, for messages. */
static int walk_into(int *fd, char const *name, char const *upto, dt_error *e)
{
    int next = openat(*fd, name, O_PATH | OPEN_FLAGS);
    int number = errno;

    close(*fd);
    *fd = next;
    return next < 0 ? refuse_errno(upto, number, e) : check_directory(next, upto, e);
}

/* Opens the directory that `path` (absolute, modified meanwhile) is in; *name is what remains. */
static int walk(char *path, int *fd, char const **name, dt_error *e)
{
    char *at = path;
    int error;

    *fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return refuse_errno("/", errno, e);
    error = check_directory(*fd, "/", e);
    for (int depth = 0; error == DT_OK; depth++) {
        char *slash;
        while (*at == '/')
            at++;
        slash = strchr(at, '/');
        if (slash == NULL)
            break;
        if (depth == DT_FILE_DEPTH_MAX)
            return dt_error_set(e, DT_E_INVALID, "%s has too many directories", show(path).text);
        *slash = '\0';
        if (strcmp(at, "..") == 0)
            error = dt_error_set(e, DT_E_INVALID, "%s: use a path without ..", show(path).text);
        else if (strcmp(at, ".") != 0)
            error = walk_into(fd, at, path, e);
        *slash = '/';
        at = slash + 1;
    }
    *name = at;
    return error;
}

void dt_file_locate(char const *path, char out[DT_FILE_PATH_MAX])
{
    char const *directory = secure_getenv("CREDENTIALS_DIRECTORY");

    if (is_credential(path))
        (void)snprintf(out, DT_FILE_PATH_MAX, "%s/%s",
                       directory != NULL && directory[0] == '/' ? directory : DT_FILE_CREDENTIALS,
                       path + sizeof(DT_CONFIG_CREDENTIAL) - 1);
    else
        (void)snprintf(out, DT_FILE_PATH_MAX, "%s", path);
}

/* A credential that is not there: the service was not given it. */
static int explain_missing(char const *path, char const *located, dt_error *e)
{
    return dt_error_set(
        e, DT_E_NOT_FOUND,
        "%s: there is no %s; add LoadCredential=%s:/PATH/OF/THE/SECRET to the unit of "
        "the service and restart it",
        show(path).text, show(located).text, path + sizeof(DT_CONFIG_CREDENTIAL) - 1);
}

/* An open descriptor of the file, judged. */
static int file_open(char const *path, dt_file_kind kind, int *out, dt_error *e)
{
    char located[DT_FILE_PATH_MAX], absolute[PATH_MAX];
    char const *name = NULL;
    int directory = -1;
    int fd = -1;
    int error;

    dt_file_locate(path, located);
    error = path_absolute(is_credential(path) ? located : path, absolute, e);

    if (error == DT_OK)
        error = walk(absolute, &directory, &name, e);
    if (error < 0)
        goto out;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        error = dt_error_set(e, DT_E_INVALID, "%s is not a file name", show(path).text);
        goto out;
    }
    /* O_NONBLOCK: a FIFO without a writer must not hold us up before it is judged. */
    fd = openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | OPEN_FLAGS);
    error = fd < 0 ? refuse_errno(located, errno, e) : check_file(fd, path, kind, e);
out:
    if (directory >= 0)
        close(directory);
    if (error < 0 && fd >= 0)
        close(fd);
    else
        *out = fd;
    return error == DT_E_NOT_FOUND && is_credential(path) ? explain_missing(path, located, e)
                                                          : error;
}

int dt_file_open(char const *path, dt_file_kind kind, size_t max, int *fd, dt_error *e)
{
    struct stat st;
    int error = file_open(path, kind, fd, e);

    if (error < 0)
        return error;
    if (fstat(*fd, &st) != 0)
        error = refuse_errno(path, errno, e);
    else if ((uint64_t)st.st_size > max)
        error = dt_error_set(e, DT_E_LIMIT, "%s is larger than %zu bytes", show(path).text, max);
    if (error < 0)
        close(*fd);
    return error;
}

/* Reads to the end; one byte more than max is too much. *len is set on success. */
static int read_all(int fd, char const *path, uint8_t *storage, size_t max, size_t *len,
                    dt_error *e)
{
    size_t used = 0;

    for (;;) {
        ssize_t n = read(fd, storage + used, max + 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse_errno(path, errno, e);
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > max)
            return dt_error_set(e, DT_E_LIMIT, "%s is larger than %zu bytes", show(path).text, max);
    }
    *len = used;
    return DT_OK;
}

static size_t size_now(int fd, size_t max)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_size >= 0 && (uint64_t)st.st_size < max ? (size_t)st.st_size
                                                                                : max;
}

int dt_file_read(char const *path, dt_file_kind kind, size_t max, dt_buf *out, dt_error *e)
{
    int fd = -1;
    size_t len = 0;
    size_t before = out->len;
    uint8_t *storage = NULL;
    int error = file_open(path, kind, &fd, e);

    if (error < 0)
        return error;
    /* Room for what is there now, and one byte to notice that it has grown meanwhile. */
    max = size_now(fd, max);
    storage = malloc(max + 1);
    if (storage == NULL) {
        error = dt_error_set(e, DT_E_NOMEM, "out of memory");
        goto out;
    }
    error = read_all(fd, path, storage, max, &len, e);
    if (error < 0)
        goto out;
    dt_buf_put(out, storage, len);
    error = dt_buf_error(out);
    if (error < 0) {
        out->len = before;
        error = dt_error_set(e, error, "%s does not fit into memory", show(path).text);
    }
out:
    if (storage != NULL)
        explicit_bzero(storage, max + 1);
    free(storage);
    close(fd);
    return error;
}

int dt_file_read_secret(char const *path, bool text, dt_secret **out, dt_error *e)
{
    uint8_t storage[DT_SECRET_MAX + 1];
    int fd = -1;
    size_t len = 0;
    int error = file_open(path, DT_FILE_SECRET, &fd, e);

    *out = NULL;
    if (error < 0)
        return error;
    error = read_all(fd, path, storage, DT_SECRET_MAX, &len, e);
    close(fd);
    if (error == DT_OK && text && len > 0 && storage[len - 1] == '\n')
        len--;
    if (error == DT_OK && text && len > 0 && storage[len - 1] == '\r')
        len--;
    if (error == DT_OK && len == 0)
        error =
            dt_error_set(e, DT_E_INVALID, "%s is empty; write the secret into it", show(path).text);
    if (error == DT_OK) {
        error = dt_secret_new(dt_bytes_of(storage, len), out);
        if (error < 0)
            dt_error_set(e, error, "%s does not fit into memory", show(path).text);
    }
    explicit_bzero(storage, sizeof(storage));
    return error;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int write_all(int fd, dt_bytes content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.p, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        content = dt_bytes_of(content.p + n, content.len - (size_t)n);
    }
    return fsync(fd);
}

/* Looks at what is to be replaced. *there says whether something is. */
static int check_replaced(int directory, char const *name, char const *path, bool replace,
                          struct stat *st, bool *there, dt_error *e)
{
    *there = fstatat(directory, name, st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!*there)
        return errno == ENOENT ? DT_OK : refuse_errno(path, errno, e);
    if (!S_ISREG(st->st_mode))
        return dt_error_set(e, DT_E_PERMISSION, "%s is not a regular file", show(path).text);
    if (!replace)
        return dt_error_set(e, DT_E_EXISTS, "%s already exists", show(path).text);
    return DT_OK;
}

/* Renames the finished file; without `replace` only where still nothing is. */
static int put_in_place(int directory, char const *from, char const *name, bool replace)
{
    int rc = renameat2(directory, from, directory, name, replace ? 0 : RENAME_NOREPLACE);
    int top = rc == 0 ? openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (top >= 0) {
        (void)fsync(top);
        close(top);
    }
    return rc;
}

static int write_beside(int directory, char const *name, char const *path, dt_bytes content,
                        bool replace, unsigned mode, dt_error *e)
{
    char beside[TEMPORARY_MAX];
    struct stat old;
    bool there = false, made = false;
    int fd = -1, number = 0,
        error = check_replaced(directory, name, path, replace, &old, &there, e);
    char id[33];

    if (error < 0)
        return error;
    if (dt_host_random_id(id) < 0)
        return dt_error_set(e, DT_E_IO, "the system provides no random numbers");
    (void)snprintf(beside, sizeof(beside), ".devtrust-%s.tmp", id);
    fd = openat(directory, beside, O_WRONLY | O_CREAT | O_EXCL | OPEN_FLAGS, S_IRUSR | S_IWUSR);
    made = fd >= 0;
    if (!made || write_all(fd, content) != 0 ||
        (there && fchown(fd, old.st_uid, old.st_gid) != 0) ||
        fchmod(fd, there ? old.st_mode & 07777 : mode) != 0 ||
        put_in_place(directory, beside, name, replace) != 0)
        number = errno;
    if (number != 0 && made)
        (void)unlinkat(directory, beside, 0);
    if (fd >= 0)
        close(fd);
    if (number == EEXIST && made)
        return dt_error_set(e, DT_E_EXISTS, "%s already exists", show(path).text);
    if (number != 0)
        return dt_error_set(e, number == EACCES || number == EPERM ? DT_E_PERMISSION : DT_E_IO,
                            "%s cannot be written: %s", show(path).text, strerror(number));
    return DT_OK;
}

int dt_file_write(char const *path, dt_bytes content, bool replace, unsigned mode, dt_error *e)
{
    char absolute[PATH_MAX];
    char const *name = NULL;
    int directory = -1;
    int error = path_absolute(path, absolute, e);

    if (error == DT_OK)
        error = walk(absolute, &directory, &name, e);
    if (error == DT_OK && (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0))
        error = dt_error_set(e, DT_E_INVALID, "%s is not a file name", show(path).text);
    if (error == DT_OK)
        error = write_beside(directory, name, path, content, replace, mode, e);
    if (directory >= 0)
        close(directory);
    return error;
}
