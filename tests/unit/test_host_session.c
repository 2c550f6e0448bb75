/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which login session a process is in, by what the kernel says of it. */
#include "core/signon/remembered.h"
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
    if (dt_host_session_name(getpid(), names[0], sizeof(names[0])) != 0)
        _exit(1);
    pid_t grandchild = fork();

    if (grandchild == 0) {
        if (dt_host_session_name(getpid(), names[1], sizeof(names[1])) != 0)
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
    assert_true(dt_host_session_name(pid, name, sizeof(name)) < 0);
    assert_string_equal(name, "");
}

/* What a server's process of one connection, or one of its children, is called. */
typedef struct names {
    char leader[DT_SESSION_NAME_MAX], below[DT_SESSION_NAME_MAX], deep[DT_SESSION_NAME_MAX];
} names;

static void name_of_child(char out[DT_SESSION_NAME_MAX], bool again, char deep[DT_SESSION_NAME_MAX])
{
    int pipes[2], status = 0;
    pid_t pid;

    if (pipe(pipes) != 0 || (pid = fork()) < 0)
        _exit(1);
    if (pid == 0) {
        char mine[2][DT_SESSION_NAME_MAX] = {"", ""};

        if (dt_host_connection(getpid(), mine[0], sizeof(mine[0])) != 0)
            _exit(1);
        if (again)
            name_of_child(mine[1], false, NULL);
        _exit(write(pipes[1], mine, sizeof(mine)) == sizeof(mine) ? 0 : 1);
    }
    char got[2][DT_SESSION_NAME_MAX];

    if (read(pipes[0], got, sizeof(got)) != sizeof(got) || waitpid(pid, &status, 0) != pid ||
        status != 0)
        _exit(1);
    close(pipes[0]);
    close(pipes[1]);
    memcpy(out, got[0], sizeof(got[0]));
    if (deep != NULL)
        memcpy(deep, got[1], sizeof(got[1]));
}

/* A child in a session of its own, as sshd makes one for each connection, or in the parent's; its child,
 * and the child of that. */
static char *shown; /* what /proc says that this process was called with */
static size_t shown_len;

/* As setproctitle(3) of sshd does it. */
static void show(char const *title)
{
    assert_true(strlen(title) < shown_len);
    memset(shown, 0, shown_len);
    memcpy(shown, title, strlen(title));
}

static names names_of(bool session)
{
    names n = {0};
    int pipes[2], status = 0;

    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();

    if (pid == 0) {
        if (session && setsid() < 0)
            _exit(1);
        if (dt_host_connection(getpid(), n.leader, sizeof(n.leader)) != 0)
            _exit(1);
        name_of_child(n.below, true, n.deep);
        _exit(write(pipes[1], &n, sizeof(n)) == sizeof(n) ? 0 : 1);
    }
    assert_int_equal(read(pipes[0], &n, sizeof(n)), sizeof(n));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(pipes[0]);
    close(pipes[1]);
    return n;
}

static void test_a_connection_is_one_whoever_of_it_asks(void **state)
{
    char own[DT_SESSION_NAME_MAX];

    (void)state;
    show("served: ann [priv]");
    names one = names_of(true), other = names_of(true);

    assert_true(one.leader[0] != '\0');
    assert_string_equal(one.leader, one.below);
    assert_string_equal(one.leader, one.deep);
    assert_string_not_equal(one.leader, other.leader);
    assert_int_equal(dt_host_connection(getpid(), own, sizeof(own)), 0);
    assert_string_not_equal(own, one.leader);
    /* A server that begins no session, as sshd -d, serves one connection. */
    assert_string_equal(names_of(false).deep, own);
}

/* A program that runs others, none of which serves a connection with it. */
static void test_processes_without_a_title_are_connections_of_their_own(void **state)
{
    char own[DT_SESSION_NAME_MAX];

    (void)state;
    show("python3");
    names one = names_of(false);

    assert_int_equal(dt_host_connection(getpid(), own, sizeof(own)), 0);
    assert_string_not_equal(one.leader, own);
    assert_string_not_equal(one.leader, one.below);
    assert_string_not_equal(one.below, one.deep);
}

static void test_no_connection_of_a_process_that_is_gone(void **state)
{
    char name[DT_SESSION_NAME_MAX] = "x";
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0)
        _exit(0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(dt_host_connection(pid, name, sizeof(name)), DT_E_NOT_FOUND);
    assert_string_equal(name, "");
    assert_int_equal(dt_host_connection(getpid(), name, 8), DT_E_LIMIT);
    assert_string_equal(name, "");
}

int main(int argc, char **argv)
{
    (void)argc;
    shown = argv[0];
    shown_len = strlen(argv[0]);
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_each_login_is_a_session_of_its_own),
        cmocka_unit_test(test_a_process_that_is_not_there_is_in_none),
        cmocka_unit_test(test_a_connection_is_one_whoever_of_it_asks),
        cmocka_unit_test(test_processes_without_a_title_are_connections_of_their_own),
        cmocka_unit_test(test_no_connection_of_a_process_that_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
