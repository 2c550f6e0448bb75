/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libpam calls. Authentication asks the daemon; account management repeats the answer that
 * authentication got in this very handle, or asks on its own where authentication did not run (sshd
 * with public keys alone). In sshd the session line decides about those whom neither has met. PAM_IGNORE is
 * given for a sign-on that is only reported (pam_code.c; not after a key that sshd has verified, see signon.c) and by
 * a line that takes a passcode and decides nothing (passcode.c), and for nothing else: in a stack with "sufficient" or "optional" in it, it could
 * become a success. */
#include "pam_devtrust/module/module.h"

#include <security/pam_ext.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define DATA_NAME "devtrust_answer"
#define ACCOUNT_NAME "devtrust_account" /* of account management on its own */

/* What the decision was about: a module after us may change any of it. */
static int const bound_items[] = {PAM_USER, PAM_SERVICE, PAM_TTY, PAM_RHOST, PAM_RUSER};
#define BOUND_ITEMS (sizeof(bound_items) / sizeof(bound_items[0]))

/* What was decided, for whom, and for which line. */
typedef struct answer {
    int code;
    bool spent; /* another line has taken the success over: no third one does */
    int64_t at; /* monotonic milliseconds */
    /* The line's own, and the name of the service, which is another once libpam reads the stack anew. Both
     * are libpam's, to be compared, not followed. */
    char const *const *argv;
    char const *service;
    char user[DT_PROTOCOL_NAME_MAX + 1];
    char bound[BOUND_ITEMS][DT_PROTOCOL_NAME_MAX + 1];
    dt_pam_args args;
    char *socket, *daemon; /* that `args` point to: libpam frees its own when PAM_SERVICE is set */
} answer;

static void answer_free(pam_handle_t *pamh, void *data, int status)
{
    answer *a = data;

    (void)pamh;
    (void)status;
    free(a->socket);
    free(a->daemon);
    free(a);
}

static char const *current_user(pam_handle_t *pamh)
{
    void const *user = NULL;

    return pam_get_item(pamh, PAM_USER, &user) == PAM_SUCCESS && user != NULL ? user : "";
}

static char const *text_item(pam_handle_t *pamh, int type)
{
    void const *value = NULL;

    return pam_get_item(pamh, type, &value) == PAM_SUCCESS && value != NULL ? value : "";
}

/* Without memory for it the success is nobody else's. */
static void keep_args(answer *a, dt_pam_args const *args)
{
    a->spent = args == NULL;
    if (args == NULL)
        return;
    a->socket = strdup(args->socket);
    a->daemon = strdup(args->daemon);
    a->args = *args;
    a->args.socket = a->socket;
    a->args.daemon = a->daemon;
    a->spent = a->socket == NULL || a->daemon == NULL;
}

/* False: account management would not find it, so success must not be given. */
static bool remember(pam_handle_t *pamh, char const *name, int code, char const **argv,
                     dt_pam_args const *args)
{
    char const *user = current_user(pamh);
    answer *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return false;
    a->code = code;
    a->at = dt_pam_mono();
    a->argv = argv;
    a->service = text_item(pamh, PAM_SERVICE);
    keep_args(a, args);
    for (size_t i = 0; i < BOUND_ITEMS; i++) {
        char const *value = text_item(pamh, bound_items[i]);

        if (strnlen(value, sizeof(a->bound[i])) < sizeof(a->bound[i]))
            memcpy(a->bound[i], value, strlen(value) + 1);
        else
            a->spent = true;
    }
    if (strlen(user) < sizeof(a->user))
        memcpy(a->user, user, strlen(user) + 1);
    else
        a->code = PAM_AUTH_ERR;
    if (pam_set_data(pamh, name, a, answer_free) == PAM_SUCCESS)
        return true;
    answer_free(pamh, a, PAM_SUCCESS);
    return false;
}

static bool has_same_args(dt_pam_args const *a, dt_pam_args const *b)
{
    return a->password == b->password && a->timeout == b->timeout &&
           strcmp(a->socket, b->socket) == 0 && strcmp(a->daemon, b->daemon) == 0;
}

/* A second line of ours in the same stack, as an include may bring it, takes over the success of the first:
 * once, within seconds, with the same arguments, and for the same person at the same place. A refusal is not
 * taken over, nor is a success by the line that gave it: sudo and login call the stack again in one handle.
 * libpam gives lines without arguments the same argv, NULL: of those, a second try within the seconds rides
 * once on the approval of the first. */
static bool take_over(pam_handle_t *pamh, char const *name, char const **argv,
                      dt_pam_args const *args)
{
    void const *data = NULL;

    if (pam_get_data(pamh, name, &data) != PAM_SUCCESS || data == NULL)
        return false;
    answer const *a = data;

    if (a->code != PAM_SUCCESS || a->spent || dt_pam_mono() - a->at > DT_PAM_TAKE_OVER_MS ||
        (argv != NULL && a->argv == argv) || a->service != text_item(pamh, PAM_SERVICE) ||
        args->password != DT_PAM_NO_PASSWORD || !has_same_args(&a->args, args))
        return false;
    for (size_t i = 0; i < BOUND_ITEMS; i++) {
        if (strcmp(a->bound[i], text_item(pamh, bound_items[i])) != 0)
            return false;
    }
    return remember(pamh, name, PAM_SUCCESS, argv, NULL);
}

/* The password comes before everything, so that no account, rule or device is revealed by its not being
 * asked for; and what did not let in takes its time, whether Okta was asked or not. */
static int authenticate(pam_handle_t *pamh, int flags, dt_pam_args const *a)
{
    char const *password = "";
    int code = dt_pam_password_get(pamh, a, &password);

    if (a->password != DT_PAM_NO_PASSWORD)
        (void)pam_fail_delay(pamh, DT_PAM_FAIL_DELAY_US);
    if (code == PAM_SUCCESS)
        code = dt_pam_signon(pamh, DT_PAM_AUTH, flags, a, password);
    /* Okta's refusals and ours look alike. */
    if (a->password != DT_PAM_NO_PASSWORD && (code == PAM_USER_UNKNOWN || code == PAM_PERM_DENIED))
        code = PAM_AUTH_ERR;
    return code;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    dt_pam_args args;
    char const *user = NULL;
    bool understood = dt_pam_args_parse(pamh, argc, argv, &args);
    int code;

    if (understood && args.take_passcode)
        return dt_pam_passcode_take(pamh);
    if (understood && take_over(pamh, DATA_NAME, argv, &args))
        return PAM_SUCCESS;
    /* Whatever ends this early, account management must not find an older answer. */
    if (!remember(pamh, DATA_NAME, PAM_AUTH_ERR, argv, NULL))
        return PAM_BUF_ERR;
    if (!understood)
        return PAM_SYSTEM_ERR;
    code = pam_get_user(pamh, &user, NULL);
    if (code != PAM_SUCCESS)
        return code == PAM_CONV_AGAIN ? PAM_INCOMPLETE : code;
    code = authenticate(pamh, flags, &args);
    return remember(pamh, DATA_NAME, code, argv, &args) ? code : PAM_BUF_ERR;
}

/* sshd sets SSH_AUTH_INFO_0 at each phase. After a key alone it is still empty at the account lines. */
static bool sshd_verifies_later(pam_handle_t *pamh)
{
    char const *keys = pam_getenv(pamh, "SSH_AUTH_INFO_0");

    return keys != NULL && keys[0] == '\0';
}

static bool is_sshd(pam_handle_t *pamh)
{
    return pam_getenv(pamh, "SSH_AUTH_INFO_0") != NULL ||
           strcmp(text_item(pamh, PAM_TTY), "ssh") == 0 ||
           strcmp(text_item(pamh, PAM_SERVICE), "sshd") == 0;
}

static int decide_account(pam_handle_t *pamh, int flags, char const **argv, dt_pam_args const *args)
{
    int code;

    if (take_over(pamh, ACCOUNT_NAME, argv, args))
        return PAM_SUCCESS;
    /* What is said here is not a decision: it is not remembered, and the session line asks for one. */
    if (sshd_verifies_later(pamh) && dt_pam_session_decides(text_item(pamh, PAM_SERVICE)))
        return dt_pam_signon(pamh, DT_PAM_EARLY, flags, args, "");
    if (sshd_verifies_later(pamh))
        pam_syslog(pamh, LOG_WARNING,
                   "with AuthenticationMethods publickey sshd does not show the key to account "
                   "lines: to recognize trusted devices, make \"session required pam_devtrust.so\" "
                   "the first session line of this service");
    code = dt_pam_signon(pamh, DT_PAM_ACCOUNT, flags, args, "");
    return remember(pamh, ACCOUNT_NAME, code, argv, args) ? code : PAM_BUF_ERR;
}

/* The answer that was given under this name in this very handle for this user. */
static bool repeat(pam_handle_t *pamh, char const *name, int *code)
{
    void const *data = NULL;

    if (pam_get_data(pamh, name, &data) != PAM_SUCCESS || data == NULL)
        return false;
    answer const *a = data;

    *code = a->code;
    return strcmp(a->user, current_user(pamh)) == 0;
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    dt_pam_args args;
    int code;

    if (!dt_pam_args_parse(pamh, argc, argv, &args))
        return PAM_SYSTEM_ERR;
    if (args.take_passcode) {
        pam_syslog(pamh, LOG_ERR, "take_passcode is for auth lines: the login is refused");
        return PAM_SYSTEM_ERR;
    }
    return repeat(pamh, DATA_NAME, &code) ? code : decide_account(pamh, flags, argv, &args);
}

/* devtrust has no credentials to give: what it decides, it decides before. libpam asks for these
 * after authentication succeeded; they take no part in the decision. */
int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_SUCCESS;
}

/* sshd only: who came by a key alone is decided about here, where it reports the key. Of others in the same
 * connection the daemon knows that they were let in. */
static int decide_session(pam_handle_t *pamh, int flags, dt_pam_args const *args)
{
    int code;

    if (!is_sshd(pamh))
        return PAM_SUCCESS;
    if (repeat(pamh, DATA_NAME, &code) || repeat(pamh, ACCOUNT_NAME, &code))
        return code;
    return dt_pam_signon(pamh, DT_PAM_SESSION, flags, args, "");
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    dt_pam_args args;

    if (!dt_pam_args_parse(pamh, argc, argv, &args) || args.take_passcode)
        return PAM_SYSTEM_ERR;
    int code = decide_session(pamh, flags, &args);

    if (code == PAM_SUCCESS)
        dt_pam_say_session(pamh, &args, DT_SESSION_LINE_OPENED);
    return code;
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    dt_pam_args args;

    (void)flags;
    if (dt_pam_args_parse(pamh, argc, argv, &args) && !args.take_passcode)
        dt_pam_say_session(pamh, &args, DT_SESSION_LINE_CLOSED);
    return PAM_SUCCESS;
}

/* devtrust does nothing in a password stack; the log says so. */
int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    (void)flags;
    (void)argc;
    (void)argv;
    pam_syslog(pamh, LOG_ERR,
               "pam_devtrust.so cannot change passwords: remove it from the password lines");
    return PAM_AUTHTOK_ERR;
}
