/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a prompt reaches somebody, where the program's own options and descriptors decide: sudo with -n asks
 * nobody, with -S it reads standard input and writes to standard error, with -A it calls a program that asks, and
 * without these it needs a terminal; su reads and writes like sudo -S. What the caller makes of it can only keep a
 * push from being sent. */
#include "pam_devtrust/module/module.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define COMMAND_LINE "/proc/self/cmdline"
#define COMMAND_LINE_MAX 65536
#define TERMINAL "/dev/tty"
#define WITH_ARGUMENT "aCcDghpRrTtUu" /* of sudo's short options */

typedef struct ways {
    bool nobody;   /* -n */
    bool standard; /* -S */
    bool program;  /* -A */
} ways;

/* getopt_long(3) takes any beginning that means one option. */
static bool begins(char const *word, size_t len, char const *option)
{
    return len > 0 && len <= strlen(option) && strncmp(word, option, len) == 0;
}

/* True when the next word is this one's argument. */
static bool read_long_option(char const *name, ways *out)
{
    static char const *const with_argument[] = {
        "auth-type", "chdir", "chroot",      "close-from", "command-timeout",
        "group",     "host",  "login-class", "other-user", "prompt",
        "role",      "type",  "user"};
    size_t len = strcspn(name, "=");

    out->nobody = out->nobody || begins(name, len, "non-interactive");
    out->standard = out->standard || (len > 1 && begins(name, len, "stdin"));
    out->program = out->program || begins(name, len, "askpass");
    for (size_t i = 0; name[len] == '\0' && i < sizeof(with_argument) / sizeof(*with_argument);
         i++) {
        if (begins(name, len, with_argument[i]))
            return true;
    }
    return false;
}

static bool read_short_options(char const *cluster, ways *out)
{
    for (; *cluster != '\0'; cluster++) {
        out->nobody = out->nobody || *cluster == 'n';
        out->standard = out->standard || *cluster == 'S';
        out->program = out->program || *cluster == 'A';
        if (strchr(WITH_ARGUMENT, *cluster) != NULL)
            return cluster[1] == '\0';
    }
    return false;
}

/* sudo(8): options and VARIABLE=value come before the command. `words` are NUL-terminated, one after the
 * other, the program's name first. */
static void read_options(char const *words, size_t len, ways *out)
{
    bool argument = true; /* the program's name is not one of them */

    for (size_t at = 0; at < len; at += strlen(words + at) + 1) {
        char const *word = words + at;

        if (argument)
            argument = false;
        else if (strcmp(word, "--") == 0 || (word[0] != '-' && strchr(word, '=') == NULL))
            return;
        else if (word[0] == '-')
            argument = word[1] == '-' ? read_long_option(word + 2, out)
                                      : read_short_options(word + 1, out);
    }
}

/* What cannot be read leaves out nothing but the options: the terminal is looked at as well. */
static void read_command_line(ways *out)
{
    int fd = open(COMMAND_LINE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    char *words = fd >= 0 ? malloc(COMMAND_LINE_MAX + 1) : NULL;
    size_t len = 0;
    ssize_t n = 1;

    while (words != NULL && n > 0 && len < COMMAND_LINE_MAX) {
        n = read(fd, words + len, COMMAND_LINE_MAX - len);
        len += n > 0 ? (size_t)n : 0;
    }
    if (words != NULL) {
        words[len] = '\0';
        read_options(words, len, out);
    }
    free(words);
    if (fd >= 0)
        close(fd);
}

static bool is_null_device(struct stat const *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* A terminal, or something that has the answer already. */
static bool has_input(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct stat st;

    if (fstat(fd, &st) != 0 || is_null_device(&st))
        return false;
    if (S_ISREG(st.st_mode))
        return lseek(fd, 0, SEEK_CUR) < st.st_size;
    return S_ISCHR(st.st_mode) || (poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0);
}

static bool is_unseen(int fd)
{
    struct stat st;

    return fstat(fd, &st) != 0 || is_null_device(&st);
}

/* sudo puts something that cannot be read where there was nothing, and takes the error for Enter. */
static bool is_unreadable(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || (flags & O_ACCMODE) == O_WRONLY;
}

static dt_pam_shown look_at_standard(void)
{
    if (is_unreadable(STDIN_FILENO) || is_unseen(STDERR_FILENO))
        return DT_PAM_SHOWN_NOT;
    return has_input(STDIN_FILENO) ? DT_PAM_SHOWN : DT_PAM_SHOWN_UNPROVEN;
}

static bool has_terminal(void)
{
    int fd = open(TERMINAL, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

bool dt_pam_sudo_asks_at_terminal(void)
{
    ways w = {0};

    read_command_line(&w);
    return !w.nobody && !w.standard && !w.program && has_terminal();
}

dt_pam_shown dt_pam_look_whether_shown(bool is_sudo, bool has_answered)
{
    ways w = {0};

    if (!is_sudo)
        return strcmp(program_invocation_short_name, "su") == 0 ? look_at_standard() : DT_PAM_SHOWN;
    read_command_line(&w);
    if (w.nobody)
        return DT_PAM_SHOWN_UNPROVEN;
    if (w.standard)
        return look_at_standard();
    return has_answered || (!w.program && has_terminal()) ? DT_PAM_SHOWN : DT_PAM_SHOWN_UNPROVEN;
}
