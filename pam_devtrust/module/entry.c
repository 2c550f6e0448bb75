/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libpam calls. Authentication asks the daemon; account management repeats the answer that
 * authentication got in this very handle, or asks on its own where authentication did not run (sshd
 * with public keys alone). Nothing here gives PAM_IGNORE: in a stack with "sufficient" or "optional"
 * in it, that could become a success. */
#include "pam_devtrust/module/module.h"

#include <security/pam_ext.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define DATA_NAME "devtrust_answer"

/* What authentication decided, and for whom: a module after us may change PAM_USER. */
typedef struct answer {
    int code;
    char user[DT_PROTOCOL_NAME_MAX + 1];
} answer;

static void answer_free(pam_handle_t *pamh, void *data, int status)
{
    (void)pamh;
    (void)status;
    free(data);
}

static char const *current_user(pam_handle_t *pamh)
{
    void const *user = NULL;

    return pam_get_item(pamh, PAM_USER, &user) == PAM_SUCCESS && user != NULL ? user : "";
}

/* False: account management would not find it, so success must not be given. */
static bool remember(pam_handle_t *pamh, int code)
{
    char const *user = current_user(pamh);
    answer *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return false;
    a->code = code;
    if (strlen(user) < sizeof(a->user))
        memcpy(a->user, user, strlen(user) + 1);
    else
        a->code = PAM_AUTH_ERR;
    if (pam_set_data(pamh, DATA_NAME, a, answer_free) == PAM_SUCCESS)
        return true;
    free(a);
    return false;
}

/* The password comes before everything, so that no account, rule or device is told by its not being
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
    int code;

    /* Whatever ends this early, account management must not find an older answer. */
    if (!remember(pamh, PAM_AUTH_ERR))
        return PAM_BUF_ERR;
    if (!dt_pam_args_parse(pamh, argc, argv, &args))
        return PAM_SYSTEM_ERR;
    code = pam_get_user(pamh, &user, NULL);
    if (code != PAM_SUCCESS)
        return code == PAM_CONV_AGAIN ? PAM_INCOMPLETE : code;
    code = authenticate(pamh, flags, &args);
    return remember(pamh, code) ? code : PAM_BUF_ERR;
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    dt_pam_args args;
    void const *data = NULL;

    if (!dt_pam_args_parse(pamh, argc, argv, &args))
        return PAM_SYSTEM_ERR;
    if (pam_get_data(pamh, DATA_NAME, &data) == PAM_SUCCESS && data != NULL) {
        answer const *a = data;

        if (strcmp(a->user, current_user(pamh)) == 0)
            return a->code;
    }
    return dt_pam_signon(pamh, DT_PAM_ACCOUNT, flags, &args, "");
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

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_SUCCESS;
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    (void)pamh;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_SUCCESS;
}

/* A password stack is no place for us; whoever puts us there is told so. */
int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, char const **argv)
{
    (void)flags;
    (void)argc;
    (void)argv;
    pam_syslog(pamh, LOG_ERR,
               "pam_devtrust.so changes no passwords: take it out of the password "
               "lines");
    return PAM_AUTHTOK_ERR;
}
