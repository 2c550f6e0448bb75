/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outcome to PAM code, once for all phases. Names, not numbers, come over the socket, so that a
 * module and a daemon of different versions cannot take one cause for another. */
#include "pam_devtrust/module/module.h"

#include <stddef.h>
#include <string.h>

typedef struct row {
    char const *cause; /* dt_cause_name() */
    int code;
} row;

static row const rows[] = {
    {"RULE_ALLOW", PAM_SUCCESS},
    {"MFA_SUCCESS", PAM_SUCCESS},
    {"MFA_REMEMBERED", PAM_SUCCESS},
    {"OKTA_UNAVAILABLE_ALLOW", PAM_SUCCESS},
    {"BREAK_GLASS", PAM_SUCCESS},
    {"BREAK_GLASS_REFUSED", PAM_PERM_DENIED},
    {"RULE_DENY", PAM_PERM_DENIED},
    {"NO_RULE", PAM_PERM_DENIED},
    {"DEVICE_UNKNOWN", PAM_PERM_DENIED},
    {"GROUPS_UNKNOWN", PAM_PERM_DENIED},
    {"NETWORK_UNKNOWN", PAM_PERM_DENIED},
    {"PLATFORM_UNKNOWN", PAM_PERM_DENIED},
    {"TIME_UNKNOWN", PAM_PERM_DENIED},
    {"BLOCKED_ZONE", PAM_PERM_DENIED},
    {"OKTA_REFUSED", PAM_PERM_DENIED},
    {"PRIMARY_MISSING", PAM_PERM_DENIED},
    {"MFA_REJECTED", PAM_AUTH_ERR},
    {"MFA_TIMEOUT", PAM_AUTH_ERR},
    /* Not PAM_MAXTRIES: sshd then offers no method at all, and its client takes that as leave to ask
     * for a password. What bounds guessing are passcode_attempts, passcode_limit and push_limit. */
    {"MFA_FAILED", PAM_AUTH_ERR},
    {"MFA_PUSH_LIMIT", PAM_AUTH_ERR},
    {"MFA_LOCKED", PAM_AUTH_ERR},
    {"MFA_PASSCODE_LIMIT", PAM_AUTH_ERR},
    {"MFA_PUSH_PENDING", PAM_AUTH_ERR},
    {"MFA_PUSH_PAUSED", PAM_AUTH_ERR},
    {"MFA_PUSH_SPENT", PAM_AUTH_ERR},
    {"MFA_NO_PROMPT", PAM_PERM_DENIED},
    {"MFA_OTHER_PERSON", PAM_AUTH_ERR},
    {"MFA_TOO_WEAK", PAM_AUTH_ERR},
    {"APP_NOT_ASSIGNED", PAM_PERM_DENIED},
    {"OKTA_USER_UNKNOWN", PAM_PERM_DENIED},
    {"OKTA_USER_SUSPENDED", PAM_PERM_DENIED},
    {"OKTA_USER_DEACTIVATED", PAM_PERM_DENIED},
    {"OKTA_USER_NOT_ACTIVATED", PAM_PERM_DENIED},
    {"OKTA_PASSWORD_EXPIRED", PAM_PERM_DENIED},
    {"LIMITS_UNAVAILABLE", PAM_SYSTEM_ERR},
    {"STATE_INVALID", PAM_AUTH_ERR},
    {"MFA_NO_FACTOR", PAM_CRED_INSUFFICIENT},
    /* Stacks may let in on PAM_AUTHINFO_UNAVAIL, so it is not returned for an answer of Okta's. */
    {"MFA_RATE_LIMITED", PAM_AUTH_ERR},
    {"OKTA_ANSWER_UNUSABLE", PAM_AUTH_ERR},
    {"OKTA_UNTRUSTED", PAM_AUTH_ERR},
    {"MFA_CODE_SENT", PAM_AUTH_ERR},
    {"MFA_PROVIDER_FAILED", PAM_AUTH_ERR},
    {"OVERLOADED", PAM_SYSTEM_ERR},
    {"LOCAL_FAULT", PAM_SYSTEM_ERR},
    {"OKTA_UNAVAILABLE", PAM_AUTHINFO_UNAVAIL},
    {"BUSY", PAM_AUTHINFO_UNAVAIL},
    {"ORG_RULE_DENY", PAM_PERM_DENIED},
    {"USER_NAME_INVALID", PAM_PERM_DENIED},
    {"MACHINE_ACCOUNT", PAM_PERM_DENIED},
    {"PRIMARY_FAILED", PAM_AUTH_ERR},
    {"PRIMARY_REFUSED", PAM_AUTH_ERR},
    {"PRIMARY_EXPIRED", PAM_AUTH_ERR},
    {"PRIMARY_LOCKED", PAM_AUTH_ERR},
    {"PRIMARY_ENROLL", PAM_AUTH_ERR},
    {"PRIMARY_LIMIT", PAM_AUTH_ERR},
    {"PRIMARY_RATE_LIMITED", PAM_AUTH_ERR},
    {"CLIENT_GONE", PAM_ABORT},
    {"CONFIG", PAM_SYSTEM_ERR},
    {"AUDIT_FAILED", PAM_SYSTEM_ERR},
    {"INTERNAL", PAM_SYSTEM_ERR},
    /* What it says is DT_RESULT_LATER's to say (signon.c): as a cause it lets nobody in. */
    {"SESSION_DECIDES", PAM_PERM_DENIED},
    /* Not enforced. Where nothing else in the stack succeeds, libpam refuses a login in which every
     * module was to be ignored. */
    {"REPORT_ONLY", PAM_IGNORE},
};

int dt_pam_code(uint32_t result, char const *cause)
{
    int code = PAM_AUTH_ERR;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].cause, cause) == 0)
            code = rows[i].code;
    }
    /* Result and cause must agree: either alone lets nobody in. */
    if ((result == DT_RESULT_ALLOW) != (code == PAM_SUCCESS) ||
        (result == DT_RESULT_PASS) != (code == PAM_IGNORE))
        return PAM_AUTH_ERR;
    return code;
}
