/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/programs.h"

#include "edge/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINES_SHOWN 3 /* of what a program that fails has written */

static int start(char const *const *argv, int in, pid_t *pid)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
    char *const environment[] = {path, locale, NULL};
    posix_spawn_file_actions_t actions;
    int rc = posix_spawn_file_actions_init(&actions);

    if (rc != 0)
        return rc;
    rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, in, 1);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, in, 2);
    if (rc == 0) {
        char *copy[16] = {NULL};
        size_t i = 0;

        for (; argv[i] != NULL && i + 1 < sizeof(copy) / sizeof(copy[0]); i++)
            memcpy(&copy[i], &argv[i], sizeof(copy[i]));
        rc = posix_spawn(pid, argv[0], &actions, NULL, copy, environment);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* False when it took too long. */
static bool read_output(int fd, dt_buf *out)
{
    dt_time until = dt_host_now() + DT_SECONDS(DT_PROGRAM_SECONDS);
    char block[4096];

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        dt_time left = until - dt_host_now();
        ssize_t n;

        if (left <= 0)
            return false;
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        n = read(fd, block, sizeof(block));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        /* What does not fit is read and dropped: the program must not wait for us. */
        if (out->len + (size_t)n <= out->max)
            dt_buf_put(out, block, (size_t)n);
    }
}

/* The last lines, with " | " between them, in `size` bytes. */
static void last_lines(dt_buf const *out, char *lines, size_t size)
{
    dt_bytes text = dt_bytes_trim(dt_buf_bytes(out), " \t\r\n");
    size_t from = text.len;
    dt_buf b;

    for (size_t seen = 0; from > 0 && seen < LINES_SHOWN; from--)
        seen += text.p[from - 1] == '\n';
    if (from > 0 || (text.len > 0 && text.p[0] == '\n'))
        from++;
    dt_buf_init_fixed(&b, lines, size);
    for (; from < text.len && b.len + 4 < size; from++) {
        if (text.p[from] == '\n')
            dt_buf_puts(&b, " | ");
        else
            dt_buf_putc(&b, (char)text.p[from]);
    }
}

int dt_program_run(char const *const *argv, dt_buf *out, dt_error *e)
{
    int ends[2], status = 0, number;
    char lines[300] = "";
    bool ended;
    pid_t pid = -1;

    if (access(argv[0], X_OK) != 0)
        return dt_error_set(e, DT_E_NOT_FOUND, "%s: %s", argv[0], strerror(errno));
    if (pipe2(ends, O_CLOEXEC) != 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", argv[0], strerror(errno));
    number = start(argv, ends[1], &pid);
    close(ends[1]);
    if (number != 0) {
        close(ends[0]);
        return dt_error_set(e, DT_E_IO, "%s: %s", argv[0], strerror(number));
    }
    ended = read_output(ends[0], out);
    close(ends[0]);
    if (!ended)
        (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    last_lines(out, lines, sizeof(lines));
    if (!ended)
        return dt_error_set(e, DT_E_UNAVAILABLE, "%s took longer than %d seconds", argv[0],
                            DT_PROGRAM_SECONDS);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return dt_error_set(e, DT_E_UNAVAILABLE, "%s failed: %s", argv[0], lines);
    return DT_OK;
}
