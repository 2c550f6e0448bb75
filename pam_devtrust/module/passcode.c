/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A passcode after the password, "password,123456", for programs that ask once and show no prompt. A line
 * of ours in front of the one that checks the password takes it off; the line that decides sends it. */
#include "pam_devtrust/module/module.h"

#include "core/okta/passcode.h"

#include <security/pam_ext.h>
#include <stdlib.h>
#include <string.h>

#define DATA_NAME "devtrust_passcode"
#define MARK "dt-pass" /* another module could keep something under our name */

typedef struct taken {
    char mark[sizeof(MARK)];
    char digits[DT_TYPED_MAX]; /* or the word for a factor */
} taken;

static void taken_free(pam_handle_t *pamh, void *data, int status)
{
    (void)pamh;
    (void)status;
    explicit_bzero(data, sizeof(taken));
    free(data);
}

static taken *find(pam_handle_t *pamh)
{
    void const *data = NULL;

    if (pam_get_data(pamh, DATA_NAME, &data) != PAM_SUCCESS || data == NULL ||
        memcmp(data, MARK, sizeof(MARK)) != 0)
        return NULL;
    return (taken *)(uintptr_t)data; /* ours, and to be wiped */
}

char const *dt_pam_passcode_get(pam_handle_t *pamh)
{
    taken const *t = find(pamh);

    return t != NULL ? t->digits : "";
}

void dt_pam_passcode_forget(pam_handle_t *pamh)
{
    taken *t = find(pamh);

    if (t != NULL)
        explicit_bzero(t->digits, sizeof(t->digits));
}

static int keep(pam_handle_t *pamh, char const *digits)
{
    taken *t = calloc(1, sizeof(*t));
    int code;

    if (t == NULL)
        return PAM_BUF_ERR;
    memcpy(t->mark, MARK, sizeof(MARK));
    memcpy(t->digits, digits, sizeof(t->digits));
    code = pam_set_data(pamh, DATA_NAME, t, taken_free);
    if (code != PAM_SUCCESS)
        taken_free(pamh, t, code);
    return code;
}

/* The password is what stands before the last comma. One whose own end looks like a passcode wants a comma
 * and a passcode after it each time. */
static int split(pam_handle_t *pamh, char const *typed, char const *comma, char const *digits)
{
    char *password = strndup(typed, (size_t)(comma - typed));
    int code = PAM_BUF_ERR;

    if (password == NULL)
        return code;
    /* A password is nothing to send as a passcode, however it got there. */
    code = strcmp(password, digits) == 0 ? PAM_SUCCESS : keep(pamh, digits);
    if (code == PAM_SUCCESS)
        code = pam_set_item(pamh, PAM_AUTHTOK, password);
    explicit_bzero(password, strlen(password));
    free(password);
    return code;
}

int dt_pam_passcode_take(pam_handle_t *pamh)
{
    char digits[DT_TYPED_MAX]; /* or the word for a factor */
    char const *typed = NULL;
    int code;

    dt_pam_passcode_forget(pamh);
    code = pam_get_authtok(pamh, PAM_AUTHTOK, &typed, NULL);
    if (code != PAM_SUCCESS || typed == NULL)
        return code == PAM_CONV_AGAIN ? PAM_INCOMPLETE : code == PAM_SUCCESS ? PAM_AUTH_ERR : code;
    char const *comma = strrchr(typed, ',');

    if (comma == NULL || comma == typed)
        return PAM_IGNORE;
    dt_bytes behind = {.p = (uint8_t const *)comma + 1, .len = strlen(comma + 1)};

    if (dt_passcode_read_along(behind, digits))
        code = split(pamh, typed, comma, digits);
    explicit_bzero(digits, sizeof(digits));
    return code == PAM_SUCCESS ? PAM_IGNORE : code;
}
