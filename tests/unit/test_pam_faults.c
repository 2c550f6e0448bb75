/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pam_devtrust.so while libc and libpam fail under it: the first call fails, then the second, and so
 * on through a whole login. A daemon that refuses must stay a refusal whatever fails, and no run may
 * crash, hang, or leave a descriptor open. */
#include "pam_devtrust/module/module.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define CALLS_MAX 500 /* a login makes far fewer */

/* --- failing calls ------------------------------------------------------------------------------- */

static _Thread_local int fail_at; /* the call that fails, counted from 1; 0 = none */
static _Thread_local int calls;
static _Thread_local bool counting;

static bool fails(void)
{
    return counting && ++calls == fail_at;
}

/* A call that returns -1 and sets errno. */
#define WRAP_ERRNO(type, name, args, pass, code)                                                   \
    type __real_##name args;                                                                       \
    type __wrap_##name args;                                                                       \
    type __wrap_##name args                                                                        \
    {                                                                                              \
        if (!fails())                                                                              \
            return __real_##name pass;                                                             \
        errno = (code);                                                                            \
        return -1;                                                                                 \
    }

#define WRAP(type, name, args, pass, failure)                                                      \
    type __real_##name args;                                                                       \
    type __wrap_##name args;                                                                       \
    type __wrap_##name args                                                                        \
    {                                                                                              \
        return fails() ? (failure) : __real_##name pass;                                           \
    }

WRAP_ERRNO(int, socket, (int d, int t, int p), (d, t, p), EMFILE)
WRAP_ERRNO(int, connect, (int f, struct sockaddr const *a, socklen_t l), (f, a, l), EACCES)
WRAP_ERRNO(int, getsockopt, (int f, int l, int o, void *v, socklen_t *n), (f, l, o, v, n), EBADF)
WRAP_ERRNO(int, lstat, (char const *p, struct stat *s), (p, s), EACCES)
WRAP_ERRNO(int, poll, (struct pollfd * f, nfds_t n, int t), (f, n, t), EINTR)
WRAP_ERRNO(ssize_t, send, (int f, void const *b, size_t l, int g), (f, b, l, g), EPIPE)
WRAP_ERRNO(ssize_t, recv, (int f, void *b, size_t l, int g), (f, b, l, g), ECONNRESET)
WRAP(void *, malloc, (size_t n), (n), NULL)
WRAP(void *, calloc, (size_t n, size_t m), (n, m), NULL)
WRAP(int, pam_get_item, (pam_handle_t const *h, int i, void const **v), (h, i, v), PAM_SYSTEM_ERR)
WRAP(int, pam_get_user, (pam_handle_t * h, char const **u, char const *p), (h, u, p), PAM_CONV_ERR)
/* libpam keeps these for modules that it has called itself. */
static void *kept;
static void (*end_of_kept)(pam_handle_t *, void *, int);

int __wrap_pam_set_data(pam_handle_t *pamh, char const *name, void *data,
                        void (*cleanup)(pam_handle_t *, void *, int));
int __wrap_pam_set_data(pam_handle_t *pamh, char const *name, void *data,
                        void (*cleanup)(pam_handle_t *, void *, int))
{
    (void)name;
    if (fails())
        return PAM_BUF_ERR;
    if (kept != NULL)
        end_of_kept(pamh, kept, 0);
    kept = data;
    end_of_kept = cleanup;
    return PAM_SUCCESS;
}

int __wrap_pam_get_data(pam_handle_t const *pamh, char const *name, void const **data);
int __wrap_pam_get_data(pam_handle_t const *pamh, char const *name, void const **data)
{
    (void)pamh;
    (void)name;
    if (kept == NULL || fails())
        return PAM_NO_MODULE_DATA;
    *data = kept;
    return PAM_SUCCESS;
}

struct passwd *__wrap_pam_modutil_getpwnam(pam_handle_t *pamh, char const *user);
struct passwd *__wrap_pam_modutil_getpwnam(pam_handle_t *pamh, char const *user)
{
    static char name[] = "root";
    static struct passwd root = {.pw_name = name};

    (void)pamh;
    (void)user;
    return fails() ? NULL : &root;
}

struct passwd *__wrap_pam_modutil_getpwuid(pam_handle_t *pamh, uid_t uid);
struct passwd *__wrap_pam_modutil_getpwuid(pam_handle_t *pamh, uid_t uid)
{
    (void)uid;
    return __wrap_pam_modutil_getpwnam(pamh, "root");
}

/* --- a daemon ------------------------------------------------------------------------------------ */

typedef struct fake {
    char directory[64];
    char path[80];
    int listening;
    dt_answer_result result;
    char const *cause;
    bool prompts;
    pthread_t thread;
} fake;

static fake the_daemon;

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    (void)poll(&p, 1, -1);
}

static void say(int fd, dt_message const *m)
{
    int rc = dt_message_send(fd, m);

    (void)rc; /* the module may have given up */
}

static void serve_one(fake *f, int fd)
{
    uint8_t *packet = malloc(DT_PROTOCOL_REQUEST_MAX);
    dt_message m;
    dt_message prompt = {
        .type = DT_MESSAGE_PROMPT, .number = 1, .style = DT_PROMPT_HIDDEN, .text = "Code: "};
    dt_message result = {.type = DT_MESSAGE_RESULT, .result = f->result, .cause = f->cause};

    wait_readable(fd);
    if (packet != NULL && dt_message_receive(fd, packet, DT_PROTOCOL_REQUEST_MAX, &m) == DT_OK) {
        if (f->prompts) {
            say(fd, &prompt);
            wait_readable(fd);
        }
        say(fd, &result);
    }
    free(packet);
    close(fd);
}

static void *serve(void *ctx)
{
    fake *f = ctx;
    int fd;

    while ((fd = accept4(f->listening, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        serve_one(f, fd);
    return NULL;
}

/* libpam starts for no service that it has no file for; its lines are never run. */
static void write_service(char const *directory)
{
    char path[100];

    snprintf(path, sizeof(path), "%s/faults", directory);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs("auth required pam_deny.so\n", file);
    fclose(file);
}

static void daemon_start(dt_answer_result result, char const *cause, bool prompts)
{
    fake *f = &the_daemon;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *f = (fake){.result = result, .cause = cause, .prompts = prompts};
    strcpy(f->directory, "/tmp/devtrust-faults-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    write_service(f->directory);
    snprintf(f->path, sizeof(f->path), "%s/sock", f->directory);
    strcpy(address.sun_path, f->path);
    f->listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(f->listening >= 0);
    assert_int_equal(bind(f->listening, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(f->listening, 8), 0);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void daemon_stop(void)
{
    shutdown(the_daemon.listening, SHUT_RDWR);
    pthread_join(the_daemon.thread, NULL);
    close(the_daemon.listening);
    unlink(the_daemon.path);
    snprintf(the_daemon.path, sizeof(the_daemon.path), "%s/faults", the_daemon.directory);
    unlink(the_daemon.path);
    rmdir(the_daemon.directory);
}

/* --- logins --------------------------------------------------------------------------------------- */

static int converse(int n, struct pam_message const **messages, struct pam_response **out,
                    void *ctx)
{
    (void)messages;
    (void)ctx;
    *out = calloc((size_t)n, sizeof(**out));
    if (*out == NULL)
        return PAM_BUF_ERR;
    for (int i = 0; i < n; i++)
        (*out)[i].resp = strdup("123456");
    return PAM_SUCCESS;
}

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(dir);
    /* cppcheck-suppress readdirCalled */
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* The daemon's end of a connection closes a moment after the module's. */
static void wait_for_descriptors(int wanted)
{
    int count = count_descriptors();

    for (int i = 0; i < 2000 && count != wanted; i++) {
        (void)poll(NULL, 0, 10);
        count = count_descriptors();
    }
    assert_int_equal(count, wanted);
}

typedef struct codes {
    int authenticate;
    int account;
} codes;

/* One login whose call number `at` fails; *reached tells whether there were so many. */
static codes log_in(int at, bool *reached)
{
    static struct pam_conv const conversation = {converse, NULL};
    char socket_argument[100];
    char const *argv[] = {socket_argument, "timeout=1", "daemon=/nonexistent"};
    pam_handle_t *pamh = NULL;
    codes got;

    snprintf(socket_argument, sizeof(socket_argument), "socket=%s", the_daemon.path);
    assert_int_equal(
        pam_start_confdir("faults", "root", &conversation, the_daemon.directory, &pamh), 0);
    calls = 0;
    fail_at = at;
    counting = true;
    got.authenticate = pam_sm_authenticate(pamh, 0, 3, argv);
    got.account = pam_sm_acct_mgmt(pamh, 0, 3, argv);
    counting = false;
    *reached = calls >= at;
    if (kept != NULL)
        end_of_kept(pamh, kept, 0);
    kept = NULL;
    pam_end(pamh, 0);
    return got;
}

static bool can_run(void)
{
    if (geteuid() == 0)
        return true;
    print_message("only root owns the directory that the module asks for\n");
    return false;
}

/* Fails each call of a login in turn; calls `check` for what it got. */
static void fail_each(void (*check)(codes got, bool failed))
{
    bool reached = true;
    int before;
    int at;

    openlog(NULL, LOG_NDELAY, LOG_AUTHPRIV); /* libc keeps it open, where there is a syslog */
    before = count_descriptors();
    check(log_in(0, &reached), false);
    for (at = 1; at < CALLS_MAX; at++) {
        codes got = log_in(at, &reached);

        if (!reached)
            break;
        check(got, true);
        wait_for_descriptors(before);
    }
    assert_in_range(at, 10, CALLS_MAX - 1); /* it did fail some, and came to the end */
}

static void check_refused(codes got, bool failed)
{
    (void)failed;
    assert_int_not_equal(got.authenticate, PAM_SUCCESS);
    assert_int_not_equal(got.authenticate, PAM_IGNORE);
    assert_int_not_equal(got.account, PAM_SUCCESS);
    assert_int_not_equal(got.account, PAM_IGNORE);
}

static void check_allowed(codes got, bool failed)
{
    assert_int_not_equal(got.authenticate, PAM_IGNORE);
    assert_int_not_equal(got.account, PAM_IGNORE);
    if (!failed) {
        assert_int_equal(got.authenticate, PAM_SUCCESS);
        assert_int_equal(got.account, PAM_SUCCESS);
    }
}

static void test_refusal_stays_one(void **state)
{
    (void)state;
    if (!can_run())
        return;
    daemon_start(DT_RESULT_DENY, "RULE_DENY", false);
    fail_each(check_refused);
    daemon_stop();
}

static void test_refusal_after_a_prompt_stays_one(void **state)
{
    (void)state;
    if (!can_run())
        return;
    daemon_start(DT_RESULT_DENY, "MFA_REJECTED", true);
    fail_each(check_refused);
    daemon_stop();
}

static void test_nonsense_stays_a_refusal(void **state)
{
    (void)state;
    if (!can_run())
        return;
    daemon_start(DT_RESULT_ALLOW, "RULE_DENY", false);
    fail_each(check_refused);
    daemon_stop();
}

static void test_success_without_faults(void **state)
{
    (void)state;
    if (!can_run())
        return;
    daemon_start(DT_RESULT_ALLOW, "MFA_SUCCESS", true);
    fail_each(check_allowed);
    daemon_stop();
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_refusal_stays_one),
        cmocka_unit_test(test_refusal_after_a_prompt_stays_one),
        cmocka_unit_test(test_nonsense_stays_a_refusal),
        cmocka_unit_test(test_success_without_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
