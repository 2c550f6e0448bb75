/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal on which prompts are shown: how large it is, and whether it shows UTF-8. sshd has none while it
 * authenticates, a greeter draws a window: nothing is known of these. */
#include "pam_devtrust/module/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

/* su(1) and login(1) show information on standard output, prompts on standard error, and read standard input. */
static bool is_one_terminal(void)
{
    struct stat in, out, err;

    return isatty(STDIN_FILENO) && fstat(STDIN_FILENO, &in) == 0 &&
           fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
           S_ISCHR(out.st_mode) && S_ISCHR(err.st_mode) && in.st_rdev == out.st_rdev &&
           in.st_rdev == err.st_rdev;
}

static int open_terminal(bool is_sudo)
{
    if (is_sudo)
        return dt_pam_sudo_asks_at_terminal()
                   ? open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
                   : -1;
    if (strcmp(program_invocation_short_name, "su") != 0 &&
        strcmp(program_invocation_short_name, "login") != 0)
        return -1;
    return is_one_terminal() ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
}

/* locale(7): the first of these that is not empty says the character set. NULL: none does. */
static char const *locale_of_environment(void)
{
    static char const *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char const *value = getenv(names[i]);

        if (value != NULL && value[0] != '\0')
            return value;
    }
    return NULL;
}

/* login(1) has no locale: there the terminal says whether what is typed is UTF-8 (termios(3)), as the console and
 * the emulators of terminals set it. */
static bool shows_utf8(int fd)
{
    char const *locale = locale_of_environment();
    struct termios t;

    if (locale != NULL)
        return strcasestr(locale, "UTF-8") != NULL || strcasestr(locale, "UTF8") != NULL;
    return tcgetattr(fd, &t) == 0 && (t.c_iflag & IUTF8) != 0;
}

static uint32_t side(unsigned short size)
{
    return size < DT_PROTOCOL_SIDE_MAX ? size : DT_PROTOCOL_SIDE_MAX;
}

/* Editors run programs at terminals that only print lines. */
static bool is_dumb(void)
{
    char const *kind = getenv("TERM");

    return kind != NULL && strcmp(kind, "dumb") == 0;
}

dt_pam_terminal dt_pam_terminal_look(bool is_sudo)
{
    dt_pam_terminal t = {0};
    int fd = is_dumb() ? -1 : open_terminal(is_sudo);
    struct winsize size = {0};

    if (fd < 0)
        return t;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
        t = (dt_pam_terminal){
            .columns = side(size.ws_col), .rows = side(size.ws_row), .utf8 = shows_utf8(fd)};
    close(fd);
    return t;
}
