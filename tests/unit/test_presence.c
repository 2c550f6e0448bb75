/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a person is: the rules, and what is read of logind's state and of the kernel's. */
#include "core/config/presence.h"
#include "edge/login_session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUTO DT_PRESENCE_BY_AUTO
#define SEAT DT_PRESENCE_BY_SEAT
#define SERVICE DT_PRESENCE_BY_SERVICE
#define UNKNOWN DT_PRESENCE_UNKNOWN
#define REMOTE DT_PRESENCE_REMOTE
#define HERE DT_PRESENCE_HERE

/* --- the rules ---------------------------------------------------------------------------------- */

typedef struct row {
    char const *what;
    dt_presence_by by;
    dt_presence_facts f;
    dt_presence wanted;
} row;

#define SEATS .seats_kept = true
#define IN SEATS, .in_session = true
#define HAS_SEAT IN, .session_has_seat = true

static row const rows[] = {
    {"nothing is known", AUTO, {0}, UNKNOWN},
    {"nothing is known, to a strict one", SEAT, {0}, UNKNOWN},
    {"nothing is known, to a service", SERVICE, {0}, UNKNOWN},
    /* login */
    {"login at a virtual terminal", AUTO, {.rhost = "", .tty = "tty1", SEATS}, HERE},
    {"the same without logind", AUTO, {.rhost = "", .tty = "tty1"}, HERE},
    {"the same, strictly", SEAT, {.rhost = "", .tty = "/dev/tty63"}, HERE},
    {"login -h", AUTO, {.rhost = "198.51.100.7", .tty = "tty1", SEATS}, REMOTE},
    {"login -h, no logind", AUTO, {.rhost = "198.51.100.7", .tty = "tty1"}, REMOTE},
    {"login -h, the administrator's word",
     SERVICE,
     {.rhost = "198.51.100.7", .tty = "tty1"},
     REMOTE},
    {"a name", SERVICE, {.rhost = "laptop.example.com", .tty = ""}, REMOTE},
    {"this host's own name", SERVICE, {.rhost = "localhost", .tty = "pts/0"}, REMOTE},
    {"a display as the host", SERVICE, {.rhost = ":0", .tty = ""}, REMOTE},
    {"telnetd", AUTO, {.rhost = "198.51.100.7", .tty = "pts/3", SEATS}, REMOTE},
    {"telnetd that says nothing",
     AUTO,
     {.rhost = "", .tty = "pts/3", .below_network_daemon = true},
     REMOTE},
    {"the same at a host with logind", AUTO, {.rhost = "", .tty = "pts/3", SEATS}, UNKNOWN},
    {"a serial line", AUTO, {.rhost = "", .tty = "ttyS0", SEATS}, UNKNOWN},
    {"another", AUTO, {.rhost = "", .tty = "ttyUSB0", SEATS}, UNKNOWN},
    {"a console that may be one", AUTO, {.rhost = "", .tty = "console", SEATS}, UNKNOWN},
    {"tty0 is none", AUTO, {.rhost = "", .tty = "tty0", SEATS}, UNKNOWN},
    {"tty is none", AUTO, {.rhost = "", .tty = "tty", SEATS}, UNKNOWN},
    {"tty1x is none", AUTO, {.rhost = "", .tty = "tty1x", SEATS}, UNKNOWN},
    {"a serial line, the administrator's word",
     SERVICE,
     {.rhost = "", .tty = "ttyS0", SEATS},
     HERE},
    {"a serial line, strictly", SEAT, {.rhost = "", .tty = "ttyS0"}, UNKNOWN},
    {"login by root in an SSH session",
     AUTO,
     {.rhost = "", .tty = "tty1", IN, .session_remote = true},
     REMOTE},
    /* sshd */
    {"sshd", SERVICE, {.rhost = "", .tty = "ssh"}, REMOTE},
    {"sshd with a seat", AUTO, {.rhost = "", .tty = "ssh", HAS_SEAT}, REMOTE},
    /* su, sudo */
    {"sudo at the desktop", AUTO, {.rhost = "", .tty = "pts/0", HAS_SEAT}, HERE},
    {"sudo at the desktop, strictly", SEAT, {.rhost = "", .tty = "/dev/pts/0", HAS_SEAT}, HERE},
    {"sudo without a terminal", AUTO, {.rhost = "", .tty = "", HAS_SEAT}, HERE},
    {"sudo in an SSH session",
     AUTO,
     {.rhost = "", .tty = "pts/0", IN, .session_remote = true},
     REMOTE},
    {"with a seat it cannot have",
     AUTO,
     {.rhost = "", .tty = "pts/0", HAS_SEAT, .session_remote = true},
     REMOTE},
    {"sudo in an SSH session, the administrator's word",
     SERVICE,
     {.rhost = "", .tty = "pts/0", IN, .session_remote = true},
     HERE},
    {"sudo in tmux, seen from elsewhere",
     AUTO,
     {.rhost = "", .tty = "pts/0", HAS_SEAT, .also_remote = true},
     UNKNOWN},
    {"sudo at a virtual terminal meanwhile",
     AUTO,
     {.rhost = "", .tty = "tty2", HAS_SEAT, .also_remote = true},
     HERE},
    {"cron, at, machinectl shell: a session without a seat",
     AUTO,
     {.rhost = "", .tty = "cron", IN},
     UNKNOWN},
    {"VNC: the same with a display", AUTO, {.rhost = "", .tty = ":1", IN}, UNKNOWN},
    {"sudo in no session", AUTO, {.rhost = "", .tty = "pts/0", SEATS}, UNKNOWN},
    {"sudo in no session below sshd",
     AUTO,
     {.rhost = "", .tty = "", SEATS, .below_network_daemon = true},
     REMOTE},
    {"sudo without logind", AUTO, {.rhost = "", .tty = "pts/0"}, HERE},
    {"sudo without logind, strictly", SEAT, {.rhost = "", .tty = "pts/0"}, UNKNOWN},
    {"sudo without logind below sshd",
     AUTO,
     {.rhost = "", .tty = "pts/0", .below_network_daemon = true},
     REMOTE},
    {"the same, the administrator's word",
     SERVICE,
     {.rhost = "", .tty = "pts/0", .below_network_daemon = true},
     HERE},
    /* display managers */
    {"a display of a seat",
     AUTO,
     {.rhost = "", .tty = ":0", SEATS, .display_has_seat = true},
     HERE},
    {"its screen", AUTO, {.rhost = "", .tty = ":0.0", SEATS, .display_has_seat = true}, HERE},
    {"a display of no seat", AUTO, {.rhost = "", .tty = ":0", SEATS}, UNKNOWN},
    {"XDMCP", AUTO, {.rhost = "", .tty = "192.0.2.7:0", SEATS, .display_has_seat = true}, REMOTE},
    {"X over SSH", SERVICE, {.rhost = "", .tty = "localhost:10.0"}, REMOTE},
    {"unix:0", AUTO, {.rhost = "", .tty = "unix:0", SEATS, .display_has_seat = true}, HERE},
    {"unix of another", SERVICE, {.rhost = "", .tty = "unix2:0"}, REMOTE},
    {"no number", SERVICE, {.rhost = "", .tty = ":"}, REMOTE},
    {"two of them", SERVICE, {.rhost = "", .tty = ":0:1"}, REMOTE},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_presence p = dt_presence_judge(rows[i].by, &rows[i].f);

        if (p != rows[i].wanted)
            print_error("%s: %s\n", rows[i].what, dt_presence_name(p));
        assert_int_equal(p, rows[i].wanted);
    }
}

typedef struct terminal_row {
    dt_presence_facts f;
    bool wanted;
} terminal_row;

static void test_at_a_terminal(void **state)
{
    (void)state;
    static terminal_row const terminals[] = {
        {{.rhost = "", .tty = "tty1"}, true},
        {{.rhost = "", .tty = "/dev/tty63"}, true},
        {{.rhost = "", .tty = "tty1", HAS_SEAT}, true},
        {{.rhost = "", .tty = "ttyS0"}, true},
        {{.rhost = "", .tty = "/dev/ttyUSB0"}, true},
        {{.rhost = "", .tty = "ttyS0", IN}, true}, /* logind gives it no seat */
        {{.tty = "tty1"}, false},
        {{.rhost = ""}, false},
        {{.rhost = "198.51.100.7", .tty = "tty1"}, false},
        {{.rhost = "localhost", .tty = "ttyS0"}, false},
        {{.rhost = "", .tty = "tty1", IN}, false},
        {{.rhost = "", .tty = "tty1", HAS_SEAT, .session_remote = true}, false},
        {{.rhost = "", .tty = "ttyS0", IN, .session_remote = true}, false},
        {{.rhost = "", .tty = "tty1", .below_network_daemon = true}, false},
        {{.rhost = "", .tty = "ttyS0", .below_network_daemon = true}, false},
        {{.rhost = "", .tty = ""}, false},
        {{.rhost = "", .tty = "tty"}, false},
        {{.rhost = "", .tty = "tty0"}, false},
        {{.rhost = "", .tty = "ttyS"}, false},
        {{.rhost = "", .tty = "tty1x"}, false},
        {{.rhost = "", .tty = "ttyS0x"}, false},
        {{.rhost = "", .tty = "ttyp0"}, false}, /* a pseudo-terminal of old */
        {{.rhost = "", .tty = "console"}, false},
        {{.rhost = "", .tty = "pts/1"}, false},
        {{.rhost = "", .tty = "/dev/pts/1", HAS_SEAT}, false},
        {{.rhost = "", .tty = "ssh"}, false},
        {{.rhost = "", .tty = ":0", HAS_SEAT, .display_has_seat = true}, false},
        {{.rhost = "", .tty = "cron"}, false},
    };

    for (size_t i = 0; i < sizeof(terminals) / sizeof(terminals[0]); i++) {
        if (dt_presence_at_terminal(&terminals[i].f) != terminals[i].wanted)
            fail_msg("row %zu: %s", i, terminals[i].f.tty == NULL ? "" : terminals[i].f.tty);
    }
}

/* Whatever else holds, a remote host or terminal is never here, and taking a fact that speaks against it
 * away from anything brings nobody nearer than they were. */
static void test_every_combination(void **state)
{
    (void)state;
    static char const *const ttys[] = {"", "ssh", "tty1", "pts/0", ":0", "host:0", "ttyS0"};

    for (unsigned i = 0; i < 1u << 7; i++) {
        for (size_t t = 0; t < sizeof(ttys) / sizeof(ttys[0]); t++) {
            for (dt_presence_by by = AUTO; by <= SERVICE; by++) {
                dt_presence_facts f = {"",           ttys[t],      (i & 1) != 0,  (i & 2) != 0,
                                       (i & 4) != 0, (i & 8) != 0, (i & 16) != 0, (i & 32) != 0,
                                       (i & 64) != 0};
                dt_presence near = dt_presence_judge(by, &f);

                if (strcmp(ttys[t], "ssh") == 0 || strcmp(ttys[t], "host:0") == 0)
                    assert_int_equal(near, REMOTE);
                if (by == SEAT && near == HERE)
                    assert_true(dt_presence_judge(AUTO, &f) == HERE);
                if (by == SEAT && f.in_session && (f.session_remote || !f.session_has_seat))
                    assert_true(near != HERE);
                f.rhost = "192.0.2.1";
                assert_int_equal(dt_presence_judge(by, &f), REMOTE);
            }
        }
    }
}

/* --- what is read --------------------------------------------------------------------------------- */

static char root[64], proc[96], run[96];

static void put(char const *base, char const *name, char const *text)
{
    char path[192];

    snprintf(path, sizeof(path), "%s/%s", base, name);
    for (char *at = path + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0755);
        *at = '/';
    }
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    (void)state;
    strcpy(root, "/tmp/dt-presence-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(proc, sizeof(proc), "%s/proc", root);
    snprintf(run, sizeof(run), "%s/run", root);
    put(run, "seats/seat0", "IS_SEAT0=1\nCAN_MULTI_SESSION=1\n");
    put(proc, "100/stat", "100 (sudo) S 90 100 90 34816 1\n");
    put(proc, "90/stat", "90 (bash) S 80 90 90 34816 1\n");
    put(proc, "80/stat", "80 (a ) (b) S 1 80 80 0 1\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[96];

    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    return system(command);
}

static void by_audit(char const *session, char const *uid)
{
    put(proc, "100/sessionid", session);
    put(proc, "100/loginuid", uid);
}

static dt_login_session look(char const *display)
{
    dt_login_session s;

    dt_login_session_read(proc, run, 100, display, &s);
    return s;
}

#define LOCAL "UID=1000\nUSER=ann\nREMOTE=0\nTYPE=x11\nCLASS=user\nSEAT=seat0\nDISPLAY=:0\n"
#define FROM_AFAR "UID=1000\nREMOTE=1\nCLASS=user\nTTY=pts/1\nREMOTE_HOST=198.51.100.7\n"

static void test_no_logind(void **state)
{
    (void)state;
    char seat[128];

    snprintf(seat, sizeof(seat), "%s/seats/seat0", run);
    assert_int_equal(unlink(seat), 0);
    put(run, "sessions/2", LOCAL); /* left behind by one that ran once */
    by_audit("2", "1000");
    dt_login_session s = look("");

    assert_false(s.seats_kept || s.found || s.remote || s.below_network_daemon);
}

static void test_session_of_the_audit(void **state)
{
    (void)state;
    put(run, "sessions/2", LOCAL);
    put(run, "sessions/3", FROM_AFAR);
    put(run, "users/1000", "NAME=ann\nDISPLAY=2\nSESSIONS=2\n");
    by_audit("2", "1000");
    dt_login_session s = look("");

    assert_true(s.seats_kept && s.found && !s.remote && !s.also_remote);
    assert_string_equal(s.seat, "seat0");
    by_audit("3", "1000\n");
    s = look("");
    assert_true(s.found && s.remote);
    assert_string_equal(s.seat, "");
    assert_string_equal(s.remote_host, "198.51.100.7");
    /* the number of somebody else's session */
    by_audit("2", "1001");
    assert_false(look("").found);
    /* not set: in no session */
    by_audit("4294967295", "4294967295");
    assert_false(look("").found);
}

static void test_also_remote(void **state)
{
    (void)state;
    put(run, "sessions/2", LOCAL);
    put(run, "sessions/3", FROM_AFAR);
    put(run, "users/1000", "NAME=ann\nDISPLAY=2\nSESSIONS=2 9 3\n");
    by_audit("2", "1000");
    assert_true(look("").found && look("").also_remote);
}

/* A desktop's terminal, which the person's service manager has started. */
static void test_session_of_the_service_manager(void **state)
{
    (void)state;
    put(run, "sessions/2", LOCAL);
    put(run, "users/1000", "NAME=ann\nDISPLAY=2\nSESSIONS=2\n");
    by_audit("4", "1000"); /* its own session is not kept */
    assert_true(look("").found && !look("").remote);
    put(run, "users/1000", "NAME=ann\nSESSIONS=\n");
    assert_false(look("").found);
    put(run, "users/1000", "NAME=ann\nDISPLAY=5\nSESSIONS=5\n");
    put(run, "sessions/5", "UID=1001\nREMOTE=0\nSEAT=seat0\n"); /* somebody else's */
    assert_false(look("").found);
}

static void test_session_of_the_control_group(void **state)
{
    (void)state;
    put(run, "sessions/c2", LOCAL);
    by_audit("4294967295", "4294967295");
    put(proc, "100/cgroup", "0::/user.slice/user-1000.slice/session-c2.scope\n");
    assert_true(look("").found);
    put(proc, "100/cgroup", "0::/user.slice/user-1001.slice/session-c2.scope\n");
    assert_false(look("").found);
    put(proc, "100/cgroup", "0::/user.slice/user-1000.slice/session-../c2.scope\n");
    assert_false(look("").found);
    put(proc, "100/cgroup", "0::/system.slice/cron.service\n");
    assert_false(look("").found);
}

/* What does not say that it is local is not. */
static void test_torn_state(void **state)
{
    (void)state;
    by_audit("2", "1000");
    put(run, "sessions/2", "UID=1000\nSEAT=seat0\n");
    assert_true(look("").remote);
    put(run, "sessions/2", "UID=1000\nREMOTE=\nSEAT=seat0\n");
    assert_true(look("").remote);
    put(run, "sessions/2", "");
    assert_false(look("").found);
}

static void test_display(void **state)
{
    (void)state;
    put(run, "sessions/c1", "UID=110\nREMOTE=0\nCLASS=greeter\nSEAT=seat0\nDISPLAY=:0\n");
    put(run, "sessions/7", "UID=1000\nREMOTE=1\nDISPLAY=:10\nSEAT=\n");
    put(run, "sessions/8", "UID=1000\nREMOTE=0\nDISPLAY=:11\n");
    assert_true(look(":0").display_has_seat);
    assert_true(look(":0.1").display_has_seat);
    assert_false(look(":1").display_has_seat);
    assert_false(look(":10").display_has_seat);
    assert_false(look(":11").display_has_seat);
    assert_false(look("").display_has_seat);
}

static void test_ancestors(void **state)
{
    (void)state;
    assert_false(look("").below_network_daemon);
    put(proc, "80/stat", "80 (sshd) S 1 80 80 0 1\n");
    assert_true(look("").below_network_daemon);
    put(proc, "80/stat", "80 (sshd2) S 1 80 80 0 1\n");
    assert_false(look("").below_network_daemon);
    put(proc, "80/stat", "80 (bash) S 100 80 80 0 1\n"); /* in a circle */
    assert_false(look("").below_network_daemon);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_at_a_terminal),
        cmocka_unit_test(test_every_combination),
        T(test_no_logind),
        T(test_session_of_the_audit),
        T(test_also_remote),
        T(test_session_of_the_service_manager),
        T(test_session_of_the_control_group),
        T(test_torn_state),
        T(test_display),
        T(test_ancestors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
