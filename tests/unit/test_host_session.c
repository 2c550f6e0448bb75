/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which login session a process is in, by what the kernel says of it. */
#include "core/remembered.h"
#include "edge/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the kernel lets a process with CAP_AUDIT_CONTROL do, as pam_loginuid does. */
static bool begin_session(char const *uid)
{
    int fd = open("/proc/self/loginuid", O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, uid, strlen(uid)) == (ssize_t)strlen(uid);

    if (fd >= 0)
        close(fd);
    return ok;
}

/* The session of a child that begins one, and of its own child; exits 77 where it may not. */
static void child(int out)
{
    char names[2][DT_SESSION_NAME_MAX] = {"", ""};
    int status = 0;

    if (!begin_session("61001"))
        _exit(77);
    if (dt_host_session(getpid(), names[0], sizeof(names[0])) != 0)
        _exit(1);
    pid_t grandchild = fork();

    if (grandchild == 0) {
        if (dt_host_session(getpid(), names[1], sizeof(names[1])) != 0)
            _exit(1);
        _exit(strcmp(names[0], names[1]) == 0 ? 0 : 2);
    }
    waitpid(grandchild, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        _exit(3);
    _exit(write(out, names[0], sizeof(names[0])) == sizeof(names[0]) ? 0 : 4);
}

/* False where this process may begin none. */
static bool session_of_a_child(char name[DT_SESSION_NAME_MAX])
{
    int pipes[2], status;

    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();

    if (pid == 0)
        child(pipes[1]);
    close(pipes[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) {
        close(pipes[0]);
        return false;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(read(pipes[0], name, DT_SESSION_NAME_MAX), DT_SESSION_NAME_MAX);
    close(pipes[0]);
    return true;
}

static void test_each_login_is_a_session_of_its_own(void **state)
{
    char first[DT_SESSION_NAME_MAX], second[DT_SESSION_NAME_MAX];

    (void)state;
    if (!session_of_a_child(first)) {
        print_message("no session can be begun here\n");
        skip();
    }
    assert_true(session_of_a_child(second));
    assert_int_equal(strncmp(first, "login:", 6), 0);
    assert_string_equal(strrchr(first, ':'), ":61001");
    assert_string_not_equal(first, second);
}

static void test_a_process_that_is_not_there_is_in_none(void **state)
{
    char name[DT_SESSION_NAME_MAX] = "x";
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(dt_host_session(pid, name, sizeof(name)) < 0);
    assert_string_equal(name, "");
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_each_login_is_a_session_of_its_own),
        cmocka_unit_test(test_a_process_that_is_not_there_is_in_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
