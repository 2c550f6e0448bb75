/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks and creates the store's file. */
#include "edge/store_path.h"

#include "edge/file_advice.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)
#define OTHERS_ANY (S_IRWXG | S_IRWXO)

static bool owner_is_trusted(uid_t owner)
{
    return owner == 0 || owner == geteuid();
}

static int check_ancestor(char const *path, dt_error *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    if (!owner_is_trusted(st.st_uid) && geteuid() != 0)
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s belongs to another user (uid %u); run: chown root %s", path,
                            (unsigned)st.st_uid, dt_advice_quote(path).text);
    if ((st.st_mode & OTHERS_WRITE) != 0 && (st.st_mode & S_ISVTX) == 0)
        return dt_error_set(e, DT_E_PERMISSION, "%s can be written by others; run: chmod go-w %s",
                            path, dt_advice_quote(path).text);
    return DT_OK;
}

/* Every directory above the store's own. `path` is absolute and without links. */
static int check_ancestors(char const *path, dt_error *e)
{
    char prefix[DT_STORE_PATH_MAX];
    for (char const *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        memcpy(prefix, path, (size_t)(slash - path));
        prefix[slash - path] = '\0';
        int rc = check_ancestor(prefix, e);
        if (rc != 0)
            return rc;
    }
    return DT_OK;
}

/* The directory that holds the store: nobody else may make a file beside it, so the sticky bit does
 * not help here (SQLite keeps a log and an index next to the file). */
static int check_directory(char const *path, struct stat *st, dt_error *e)
{
    if (stat(path, st) != 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(st->st_mode))
        return dt_error_set(e, DT_E_IO, "%s is not a directory", path);
    if (!owner_is_trusted(st->st_uid) && geteuid() != 0)
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s belongs to another user (uid %u); run: chown %u %s", path,
                            (unsigned)st->st_uid, (unsigned)geteuid(), dt_advice_quote(path).text);
    if ((st->st_mode & OTHERS_WRITE) != 0)
        return dt_error_set(e, DT_E_PERMISSION, "%s can be written by others; run: chmod go-w %s",
                            path, dt_advice_quote(path).text);
    return check_ancestors(path, e);
}

static int check_file(int fd, char const *path, struct stat const *directory, dt_error *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return dt_error_set(e, DT_E_PERMISSION, "%s is not a regular file", path);
    if (!owner_is_trusted(st.st_uid) && !(geteuid() == 0 && st.st_uid == directory->st_uid))
        return dt_error_set(
            e, DT_E_PERMISSION, "%s belongs to another user (uid %u); run: chown %u %s", path,
            (unsigned)st.st_uid, (unsigned)directory->st_uid, dt_advice_quote(path).text);
    if ((st.st_mode & OTHERS_ANY) != 0)
        return dt_error_set(e, DT_E_PERMISSION, "%s can be used by others; run: chmod 600 %s", path,
                            dt_advice_quote(path).text);
    return DT_OK;
}

static int make_file(char const *path, struct stat const *directory, dt_error *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return DT_OK; /* another process was quicker */
    if (fd < 0)
        return dt_error_set(e, DT_E_IO, "cannot create %s: %s", path, strerror(errno));
    int rc = DT_OK;
    bool give = geteuid() == 0 && directory->st_uid != 0;
    if (give && fchown(fd, directory->st_uid, directory->st_gid) != 0)
        rc = dt_error_set(e, DT_E_IO, "cannot give %s to its directory's owner: %s", path,
                          strerror(errno));
    close(fd);
    return rc;
}

/* Creates what is not there and checks what is. */
static int prepare_file(char const *path, struct stat const *directory, dt_error *e)
{
    int rc = access(path, F_OK) == 0 ? DT_OK : make_file(path, directory, e);
    if (rc != 0)
        return rc;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return dt_error_set(e, errno == EACCES || errno == ELOOP ? DT_E_PERMISSION : DT_E_IO,
                            "cannot open %s: %s", path, strerror(errno));
    rc = check_file(fd, path, directory, e);
    close(fd);
    return rc;
}

/* Splits into directory and name; the directory's links are resolved. */
static int resolve(char const *path, char out[DT_STORE_PATH_MAX], size_t *directory_len,
                   dt_error *e)
{
    char const *slash = strrchr(path, '/');
    if (path[0] != '/' || slash[1] == '\0')
        return dt_error_set(e, DT_E_INVALID, "%s is not the absolute path of a file", path);
    char directory[DT_STORE_PATH_MAX], real[PATH_MAX];
    size_t len = slash == path ? 1 : (size_t)(slash - path);
    if (len >= sizeof(directory))
        return dt_error_set(e, DT_E_LIMIT, "the store's path is too long");
    memcpy(directory, path, len);
    directory[len] = '\0';
    if (realpath(directory, real) == NULL)
        return dt_error_set(e, errno == ENOENT ? DT_E_NOT_FOUND : DT_E_IO,
                            "the store's directory %s: %s", directory, strerror(errno));
    *directory_len = strlen(real);
    dt_buf b;
    dt_buf_init_fixed(&b, out, DT_STORE_PATH_MAX);
    dt_buf_puts(&b, real);
    dt_buf_puts(&b, real[1] == '\0' ? slash + 1 : slash);
    if (dt_buf_error(&b) != 0)
        return dt_error_set(e, DT_E_LIMIT, "the store's path is too long");
    return DT_OK;
}

int dt_store_path_check(char const *path, char out[DT_STORE_PATH_MAX], dt_error *e)
{
    size_t directory_len = 0;
    int rc = resolve(path, out, &directory_len, e);
    if (rc != 0)
        return rc;
    char directory[DT_STORE_PATH_MAX];
    memcpy(directory, out, directory_len);
    directory[directory_len] = '\0';
    struct stat st;
    rc = check_directory(directory, &st, e);
    return rc != 0 ? rc : prepare_file(out, &st, e);
}
