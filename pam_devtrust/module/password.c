/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The person's password, where the administrator wants Okta to check it: taken of the module before,
 * or asked for, and left to the modules behind as PAM_AUTHTOK, as is the custom. It stays in the
 * handle, which wipes it; no copy of it is kept here. */
#include "pam_devtrust/module/module.h"

#include <security/pam_ext.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

static char const *earlier_password(pam_handle_t *pamh)
{
    void const *value = NULL;

    return pam_get_item(pamh, PAM_AUTHTOK, &value) == PAM_SUCCESS ? value : NULL;
}

static int ask(pam_handle_t *pamh)
{
    char *answer = NULL;
    int code = pam_prompt(pamh, PAM_PROMPT_ECHO_OFF, &answer, "Okta password: ");

    if (code == PAM_SUCCESS && answer == NULL)
        code = PAM_CONV_ERR;
    if (code == PAM_SUCCESS)
        code = pam_set_item(pamh, PAM_AUTHTOK, answer);
    if (answer != NULL)
        explicit_bzero(answer, strlen(answer));
    free(answer);
    return code;
}

int dt_pam_password_get(pam_handle_t *pamh, dt_pam_args const *a, char const **out)
{
    int code = PAM_SUCCESS;

    *out = "";
    if (a->password == DT_PAM_NO_PASSWORD)
        return PAM_SUCCESS;
    if (a->password == DT_PAM_ASK_PASSWORD ||
        (a->password == DT_PAM_TRY_FIRST_PASS && earlier_password(pamh) == NULL))
        code = ask(pamh);
    if (code != PAM_SUCCESS)
        return code == PAM_CONV_AGAIN ? PAM_INCOMPLETE : code;
    if (earlier_password(pamh) == NULL) {
        pam_syslog(pamh, LOG_NOTICE,
                   "refused: use_first_pass is set, but no earlier module asked for a password");
        return PAM_AUTH_ERR;
    }
    *out = earlier_password(pamh);
    /* Nothing to send is nothing that could be right, and a longer one is cut by nobody. */
    return (*out)[0] != '\0' &&
                   strnlen(*out, DT_PROTOCOL_PASSWORD_MAX + 1) <= DT_PROTOCOL_PASSWORD_MAX
               ? PAM_SUCCESS
               : PAM_AUTH_ERR;
}
