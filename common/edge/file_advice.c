/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands that errors about files suggest. */
#include "edge/file_advice.h"

#include "core/base/bytes.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NSS_BUF_MAX (64 * 1024)
#define SHOWN_MAX 200
/* What a shell takes as it stands (POSIX 2.2). */
#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,="

static char const *const service_names[] = {"devtrust", "freerad", "radiusd"};
#define SERVICES (sizeof(service_names) / sizeof(service_names[0]))

dt_advice_path dt_advice_quote(char const *path)
{
    dt_advice_path out;
    char shown[SHOWN_MAX];
    dt_buf b;

    (void)dt_str_escape(shown, sizeof(shown), path);
    dt_buf_init_fixed(&b, out.text, sizeof(out.text));
    if (*shown != '\0' && shown[strspn(shown, PLAIN)] == '\0') {
        dt_buf_puts(&b, shown);
        return out;
    }
    dt_buf_putc(&b, '\'');
    for (char const *p = shown; *p != '\0'; p++) {
        if (*p == '\'')
            dt_buf_puts(&b, "'\"'\"'");
        else
            dt_buf_putc(&b, *p);
    }
    dt_buf_putc(&b, '\'');
    return out;
}

/* Copies the name of a group, found by its name or, where `name` is NULL, by its number. */
static bool find_group(char const *name, gid_t gid, char out[DT_ADVICE_NAME_MAX])
{
    struct group gr;
    struct group *found = NULL;
    char *buf = malloc(NSS_BUF_MAX);
    bool is = buf != NULL &&
              (name != NULL ? getgrnam_r(name, &gr, buf, NSS_BUF_MAX, &found)
                            : getgrgid_r(gid, &gr, buf, NSS_BUF_MAX, &found)) == 0 &&
              found != NULL && dt_str_copy(out, DT_ADVICE_NAME_MAX, gr.gr_name) == DT_OK;

    free(buf);
    return is;
}

char *dt_advice_group(char out[DT_ADVICE_NAME_MAX])
{
    out[0] = '\0';
    if (geteuid() != 0) {
        if (!find_group(NULL, getegid(), out)) {
            dt_buf b;

            dt_buf_init_fixed(&b, out, DT_ADVICE_NAME_MAX);
            dt_buf_put_int(&b, (int64_t)getegid());
        }
        return out;
    }
    for (size_t i = 0; i < SERVICES; i++) {
        if (find_group(service_names[i], 0, out))
            return out;
    }
    out[0] = '\0';
    return out;
}

int dt_advice_secret(char const *path, uid_t owner, char const *who, dt_error *e)
{
    char group[DT_ADVICE_NAME_MAX], shown[SHOWN_MAX];
    dt_advice_path word = dt_advice_quote(path);

    /* The owner itself reads its file. A file of root is read by the service through its group. */
    if (owner != 0 || *dt_advice_group(group) == '\0')
        return dt_error_set(e, DT_E_PERMISSION,
                            "%s contains a secret and can be read by %s; run: chmod 600 %s",
                            dt_str_escape(shown, sizeof(shown), path), who, word.text);
    return dt_error_set(e, DT_E_PERMISSION,
                        "%s contains a secret and can be read by %s; run: chown root:%s %s && "
                        "chmod 640 %s",
                        dt_str_escape(shown, sizeof(shown), path), who, group, word.text,
                        word.text);
}

/* Cuts `path` after the first directory that this user cannot search; false if it can search them all. */
static bool find_closed_directory(char *path)
{
    for (char *p = path; *p != '\0'; p++) {
        char after = p[1];

        if (*p != '/')
            continue;
        p[1] = '\0';
        if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0) {
            if (p > path)
                *p = '\0';
            return true;
        }
        p[1] = after;
    }
    return false;
}

static bool is_service(char const *user)
{
    for (size_t i = 0; i < SERVICES; i++) {
        if (strcmp(user, service_names[i]) == 0)
            return true;
    }
    return false;
}

/* The caller's name; its number where it has none. */
static void name_caller(char *out, size_t size)
{
    struct passwd pw;
    struct passwd *found = NULL;
    char *buf = malloc(NSS_BUF_MAX);
    dt_buf b;

    dt_buf_init_fixed(&b, out, size);
    if (buf != NULL && getpwuid_r(geteuid(), &pw, buf, NSS_BUF_MAX, &found) == 0 && found != NULL)
        dt_buf_puts(&b, pw.pw_name);
    else
        dt_buf_printf(&b, "with the uid %u", (unsigned)geteuid());
    free(buf);
}

int dt_advice_unreadable(char const *path, dt_error *e)
{
    char cause[PATH_MAX], shown[SHOWN_MAX], user[DT_ADVICE_NAME_MAX], group[DT_ADVICE_NAME_MAX];
    char const *as_other = "";
    dt_advice_path word;
    bool directory;

    if (dt_str_copy(cause, sizeof(cause), path) < 0)
        return dt_error_set(e, DT_E_PERMISSION, "%s cannot be read by uid %u",
                            dt_str_escape(shown, sizeof(shown), path), (unsigned)geteuid());
    directory = find_closed_directory(cause);
    (void)dt_str_escape(shown, sizeof(shown), cause);
    word = dt_advice_quote(cause);
    name_caller(user, sizeof(user));
    (void)dt_advice_group(group);
    if (geteuid() != 0 && !is_service(user))
        as_other = "run this as root; or, if the service runs as this user, ";
    if (directory)
        return dt_error_set(
            e, DT_E_PERMISSION,
            "the directory %s cannot be searched by the user %s; %srun: chgrp %s %s "
            "&& chmod g+rx %s",
            shown, user, as_other, group, word.text, word.text);
    return dt_error_set(e, DT_E_PERMISSION,
                        "%s cannot be read by the user %s; %srun: chown root:%s %s && chmod 640 %s",
                        shown, user, as_other, group, word.text, word.text);
}
