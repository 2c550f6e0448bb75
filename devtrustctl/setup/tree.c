/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/tree.h"

#include "edge/file_advice.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_SIZE 256
#define BESIDE_MAX (NAME_SIZE + 32)

static int fail(char const *path, int number, dt_error *e)
{
    if (number == ELOOP || number == ENOTDIR)
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s is a symbolic link, or something else than a directory; "
                            "setup changes nothing through links",
                            path);
    return dt_error_set(e, number == EACCES || number == EPERM ? DT_E_PERMISSION : DT_E_IO,
                        "%s: %s", path, strerror(number));
}

static int check_directory(int fd, uid_t also, char const *path, dt_error *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return fail(path, errno, e);
    if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0)
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s can be written by others than its owner; run: chmod go-w %s", path,
                            dt_advice_quote(path).text);
    if (st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != also)
        return dt_error_set(
            e, DT_E_PERMISSION,
            "%s belongs to uid %u, who could replace what is in it; run: chown root %s", path,
            (unsigned)st.st_uid, dt_advice_quote(path).text);
    return DT_OK;
}

int dt_tree_open(dt_tree *t, char const *root, dt_error *e)
{
    char const *path = *root != '\0' ? root : "/";

    t->root = strdup(strcmp(path, "/") == 0 ? "" : path);
    t->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (t->root == NULL || t->fd < 0)
        return fail(path, t->root == NULL ? ENOMEM : errno, e);
    t->also = 0;
    if (check_directory(t->fd, 0, path, e) < 0)
        return e->code;
    (void)dt_tree_user(t, "freerad", &t->also);
    return DT_OK;
}

void dt_tree_close(dt_tree *t)
{
    free(t->root);
    t->root = NULL;
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

/* The directory that the path is in, open, and the last name. *fd is -1 where a directory is missing. */
static int walk(dt_tree const *t, char const *path, int *fd, char name[NAME_SIZE], dt_error *e)
{
    char const *at = path;
    char upto[PATH_MAX]; /* the directory that is opened, for messages */
    int rc = DT_OK;

    *fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 3);
    while (*fd >= 0 && rc == DT_OK) {
        size_t len;
        int next;

        at += strspn(at, "/");
        len = strcspn(at, "/");
        if (len == 0 || len >= NAME_SIZE || (len == 2 && at[0] == '.' && at[1] == '.')) {
            rc = dt_error_set(e, DT_E_INVALID, "%s is not the path of a file", path);
            break;
        }
        memcpy(name, at, len);
        name[len] = '\0';
        at += len;
        if (*at == '\0')
            return DT_OK;
        next = openat(*fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0 && errno == ENOENT) {
            close(*fd);
            *fd = -1;
            return DT_OK;
        }
        (void)snprintf(upto, sizeof(upto), "%s%.*s", t->root, (int)(at - path), path);
        rc = next < 0 ? fail(upto, errno, e) : check_directory(next, t->also, upto, e);
        close(*fd);
        *fd = next;
    }
    if (rc == DT_OK)
        rc = fail(path, errno, e);
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return rc;
}

/* --- looking ---------------------------------------------------------------------------------- */

static int read_link(int at, char const *name, char const *path, dt_node *out, dt_error *e)
{
    char target[4096];
    ssize_t n = readlinkat(at, name, target, sizeof(target));

    if (n < 0 || n == (ssize_t)sizeof(target))
        return fail(path, n < 0 ? errno : ENAMETOOLONG, e);
    dt_buf_put(&out->content, target, (size_t)n);
    return dt_buf_error(&out->content);
}

static int read_file(int at, char const *name, char const *path, dt_node *out, dt_error *e)
{
    char block[16384];
    int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = 0;
    int number = errno;

    while (fd >= 0 && (n = read(fd, block, sizeof(block))) != 0) {
        if (n < 0 && errno != EINTR)
            break;
        if (n > 0)
            dt_buf_put(&out->content, block, (size_t)n);
        if (dt_buf_error(&out->content) < 0)
            break;
        number = errno;
    }
    if (fd >= 0 && n < 0)
        number = errno;
    if (fd >= 0)
        close(fd);
    explicit_bzero(block, sizeof(block));
    if (fd < 0 || n < 0)
        return fail(path, number, e);
    if (dt_buf_error(&out->content) < 0)
        return dt_error_set(e, DT_E_LIMIT, "%s is larger than %d bytes", path, DT_EDIT_FILE_MAX);
    return DT_OK;
}

static int look_at(int at, char const *name, char const *path, dt_node *out, dt_error *e)
{
    struct stat st;

    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? DT_OK : fail(path, errno, e);
    out->mode = st.st_mode & 07777;
    out->uid = st.st_uid;
    out->gid = st.st_gid;
    if (S_ISDIR(st.st_mode)) {
        out->type = DT_NODE_DIRECTORY;
        return DT_OK;
    }
    if (S_ISLNK(st.st_mode)) {
        out->type = DT_NODE_LINK;
        return read_link(at, name, path, out, e);
    }
    if (!S_ISREG(st.st_mode))
        return dt_error_set(e, DT_E_PERMISSION, "%s is not a regular file", path);
    out->type = DT_NODE_FILE;
    return read_file(at, name, path, out, e);
}

int dt_tree_look(dt_tree const *t, char const *path, dt_node *out, dt_error *e)
{
    char name[NAME_SIZE];
    int at, rc = walk(t, path, &at, name, e);

    dt_buf_reset(&out->content);
    out->type = DT_NODE_ABSENT;
    if (rc < 0 || at < 0)
        return rc;
    rc = look_at(at, name, path, out, e);
    close(at);
    return rc;
}

/* --- putting ---------------------------------------------------------------------------------- */

static void name_beside(char out[BESIDE_MAX], char const *name)
{
    (void)snprintf(out, BESIDE_MAX, ".%.240s.devtrust-setup", name);
}

static int write_file(int at, char const *name, dt_node const *n)
{
    dt_bytes left = dt_buf_bytes(&n->content);
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -1 : 0;

    while (rc == 0 && left.len > 0) {
        ssize_t done = write(fd, left.p, left.len);

        if (done < 0 && errno == EINTR)
            continue;
        rc = done < 0 ? -1 : 0;
        if (done > 0)
            left = dt_bytes_of(left.p + done, left.len - (size_t)done);
    }
    if (rc == 0 && (fchown(fd, n->uid, n->gid) != 0 || fchmod(fd, n->mode) != 0 || fsync(fd) != 0))
        rc = -1;
    if (fd >= 0) {
        int number = errno;
        close(fd);
        errno = number;
    }
    return rc;
}

static int write_link(int at, char const *name, dt_node const *n)
{
    if (symlinkat((char const *)n->content.p, at, name) != 0)
        return -1;
    return fchownat(at, name, n->uid, n->gid, AT_SYMLINK_NOFOLLOW);
}

static int make_directory(int at, char const *name, dt_node const *n)
{
    if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
        return -1;
    if (fchownat(at, name, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) != 0)
        return -1;
    return fchmodat(at, name, n->mode, 0);
}

static void sync_directory(int at)
{
    int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

static int remove_at(int at, char const *name)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    return unlinkat(at, name, AT_REMOVEDIR);
}

static int put_at(int at, char const *name, dt_node const *n)
{
    char beside[BESIDE_MAX];
    int rc;

    if (n->type == DT_NODE_ABSENT)
        return remove_at(at, name);
    if (n->type == DT_NODE_DIRECTORY)
        return make_directory(at, name, n);
    name_beside(beside, name);
    (void)unlinkat(at, beside, 0);
    rc = n->type == DT_NODE_FILE ? write_file(at, beside, n) : write_link(at, beside, n);
    if (rc == 0)
        rc = renameat(at, beside, at, name);
    if (rc != 0) {
        int number = errno;
        (void)unlinkat(at, beside, 0);
        errno = number;
    }
    return rc;
}

int dt_tree_put(dt_tree const *t, char const *path, dt_node const *n, dt_error *e)
{
    char name[NAME_SIZE];
    int at, rc = walk(t, path, &at, name, e);

    if (rc < 0)
        return rc;
    if (at < 0)
        return n->type == DT_NODE_ABSENT ? DT_OK : fail(path, ENOENT, e);
    if (put_at(at, name, n) != 0)
        rc = errno == ENOTEMPTY || errno == EEXIST
                 ? dt_error_set(e, DT_E_EXISTS, "%s is not empty, and stays", path)
                 : fail(path, errno, e);
    else
        sync_directory(at);
    close(at);
    return rc;
}

void dt_tree_clear(dt_tree const *t, char const *path)
{
    char name[NAME_SIZE], beside[BESIDE_MAX];
    int at;

    if (walk(t, path, &at, name, NULL) < 0 || at < 0)
        return;
    name_beside(beside, name);
    (void)unlinkat(at, beside, 0);
    close(at);
}

/* The third field of a line of passwd(5) or group(5). */
static bool find_id(dt_tree const *t, char const *path, char const *name, unsigned long *out)
{
    char head[80], *at = NULL;
    dt_error ignored = {0};
    dt_node text;

    dt_node_init(&text);
    (void)snprintf(head, sizeof(head), "%s:", name);
    if (dt_tree_look(t, path, &text, &ignored) == DT_OK && text.content.len > 0) {
        at = (char *)text.content.p;
        while (at != NULL && strncmp(at, head, strlen(head)) != 0)
            at = strchr(at, '\n') != NULL ? strchr(at, '\n') + 1 : NULL;
        at = at != NULL ? strchr(at + strlen(head), ':') : NULL;
        if (at != NULL)
            *out = strtoul(at + 1, NULL, 10);
    }
    dt_node_free(&text);
    return at != NULL;
}

bool dt_tree_user(dt_tree const *t, char const *name, uid_t *out)
{
    unsigned long id = 0;
    bool there = find_id(t, "/etc/passwd", name, &id);

    if (there)
        *out = (uid_t)id;
    return there;
}

int dt_tree_group(dt_tree const *t, char const *name, gid_t *out, dt_error *e)
{
    unsigned long id = 0;

    if (!find_id(t, "/etc/group", name, &id))
        return dt_error_set(
            e, DT_E_NOT_FOUND,
            "there is no group %s; install the package of devtrust that brings it, or "
            "run systemd-sysusers",
            name);
    *out = (gid_t)id;
    return DT_OK;
}
