/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outcome to PAM code: every cause that the core knows has its row, and success needs a result and a
 * cause that both say so. */
#include "core/signon/outcome.h"
#include "core/base/step.h"
#include "pam_devtrust/module/module.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_allow_needs_both(void **state)
{
    (void)state;
    for (int c = -1; c <= DT_CAUSE_COUNT; c++) {
        char const *name = dt_cause_name((dt_cause)c);
        bool allows = dt_cause_allows((dt_cause)c);

        assert_int_equal(dt_pam_code(DT_RESULT_ALLOW, name) == PAM_SUCCESS, allows);
        assert_int_not_equal(dt_pam_code(DT_RESULT_DENY, name), PAM_SUCCESS);
        assert_int_not_equal(dt_pam_code(DT_RESULT_NONE, name), PAM_SUCCESS);
        assert_int_not_equal(dt_pam_code(DT_RESULT_PASS, name), PAM_SUCCESS);
        assert_int_not_equal(dt_pam_code(DT_RESULT_LATER, name), PAM_SUCCESS);
        assert_int_not_equal(dt_pam_code(DT_RESULT_LATER + 1, name), PAM_SUCCESS);
    }
}

/* PAM_IGNORE lets in by what else stands in the stack: only where both say that nothing is enforced. */
static void test_ignore_only_what_is_reported(void **state)
{
    (void)state;
    for (int c = -1; c <= DT_CAUSE_COUNT; c++) {
        for (uint32_t result = 0; result <= DT_RESULT_LATER + 1; result++)
            assert_int_equal(dt_pam_code(result, dt_cause_name((dt_cause)c)) == PAM_IGNORE,
                             result == DT_RESULT_PASS && c == DT_CAUSE_REPORT_ONLY);
    }
}

/* The row that an unknown word gets is that of causes which nobody thought of: a new cause of the core
 * must be given its own, even if it is the same code. */
static void test_every_cause_has_its_code(void **state)
{
    (void)state;
    struct {
        dt_cause cause;
        int code;
    } const expected[] = {
        {DT_CAUSE_NONE, PAM_AUTH_ERR},
        {DT_CAUSE_RULE_DENY, PAM_PERM_DENIED},
        {DT_CAUSE_NO_RULE, PAM_PERM_DENIED},
        {DT_CAUSE_DEVICE_UNKNOWN, PAM_PERM_DENIED},
        {DT_CAUSE_GROUPS_UNKNOWN, PAM_PERM_DENIED},
        {DT_CAUSE_NETWORK_UNKNOWN, PAM_PERM_DENIED},
        {DT_CAUSE_PLATFORM_UNKNOWN, PAM_PERM_DENIED},
        {DT_CAUSE_TIME_UNKNOWN, PAM_PERM_DENIED},
        {DT_CAUSE_BLOCKED_ZONE, PAM_PERM_DENIED},
        {DT_CAUSE_MFA_REJECTED, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_TIMEOUT, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_FAILED, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_NO_FACTOR, PAM_CRED_INSUFFICIENT},
        {DT_CAUSE_MFA_PUSH_LIMIT, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_RATE_LIMITED, PAM_AUTH_ERR}, /* an answer, not an outage */
        {DT_CAUSE_OKTA_ANSWER_UNUSABLE, PAM_AUTH_ERR},
        {DT_CAUSE_OKTA_UNTRUSTED, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_CODE_SENT, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_OTHER_PERSON, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_TOO_WEAK, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_PROVIDER_FAILED, PAM_AUTH_ERR},
        {DT_CAUSE_OVERLOADED, PAM_SYSTEM_ERR},
        {DT_CAUSE_LOCAL_FAULT, PAM_SYSTEM_ERR},
        {DT_CAUSE_MFA_PASSCODE_LIMIT, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_PUSH_PENDING, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_PUSH_PAUSED, PAM_AUTH_ERR},
        {DT_CAUSE_MFA_PUSH_SPENT, PAM_AUTH_ERR},
        {DT_CAUSE_LIMITS_UNAVAILABLE, PAM_SYSTEM_ERR},
        {DT_CAUSE_OKTA_UNAVAILABLE, PAM_AUTHINFO_UNAVAIL},
        {DT_CAUSE_OKTA_REFUSED, PAM_PERM_DENIED},
        {DT_CAUSE_STATE_INVALID, PAM_AUTH_ERR},
        {DT_CAUSE_PRIMARY_MISSING, PAM_PERM_DENIED},
        {DT_CAUSE_CLIENT_GONE, PAM_ABORT},
        {DT_CAUSE_BUSY, PAM_AUTHINFO_UNAVAIL},
        {DT_CAUSE_CONFIG, PAM_SYSTEM_ERR},
        {DT_CAUSE_INTERNAL, PAM_SYSTEM_ERR},
        {DT_CAUSE_REPORT_ONLY, PAM_AUTH_ERR}, /* with any other result than PASS */
        {DT_CAUSE_PRIMARY_FAILED, PAM_AUTH_ERR},
        {DT_CAUSE_PRIMARY_EXPIRED, PAM_AUTH_ERR},
        {DT_CAUSE_PRIMARY_LOCKED, PAM_AUTH_ERR},
        {DT_CAUSE_PRIMARY_ENROLL, PAM_AUTH_ERR},
        {DT_CAUSE_PRIMARY_REFUSED, PAM_AUTH_ERR},
        {DT_CAUSE_PRIMARY_LIMIT, PAM_AUTH_ERR},
        {DT_CAUSE_PRIMARY_RATE_LIMITED, PAM_AUTH_ERR},
        {DT_CAUSE_ORG_RULE_DENY, PAM_PERM_DENIED},
        {DT_CAUSE_MFA_LOCKED, PAM_AUTH_ERR},
        {DT_CAUSE_USER_NAME_INVALID, PAM_PERM_DENIED},
        {DT_CAUSE_MACHINE_ACCOUNT, PAM_PERM_DENIED},
        {DT_CAUSE_AUDIT_FAILED, PAM_SYSTEM_ERR},
        {DT_CAUSE_SESSION_DECIDES, PAM_PERM_DENIED},
        {DT_CAUSE_MFA_NO_PROMPT, PAM_PERM_DENIED},
        {DT_CAUSE_BREAK_GLASS_REFUSED, PAM_PERM_DENIED},
        {DT_CAUSE_APP_NOT_ASSIGNED, PAM_PERM_DENIED},
        {DT_CAUSE_OKTA_USER_UNKNOWN, PAM_PERM_DENIED},
        {DT_CAUSE_OKTA_USER_SUSPENDED, PAM_PERM_DENIED},
        {DT_CAUSE_OKTA_USER_DEACTIVATED, PAM_PERM_DENIED},
        {DT_CAUSE_OKTA_USER_NOT_ACTIVATED, PAM_PERM_DENIED},
        {DT_CAUSE_OKTA_PASSWORD_EXPIRED, PAM_PERM_DENIED},
    };
    size_t const count = sizeof(expected) / sizeof(expected[0]);
    size_t allowing = 0;

    for (size_t i = 0; i < count; i++)
        assert_int_equal(dt_pam_code(DT_RESULT_DENY, dt_cause_name(expected[i].cause)),
                         expected[i].code);
    for (int c = 0; c < DT_CAUSE_COUNT; c++)
        allowing += dt_cause_allows((dt_cause)c);
    assert_int_equal(count + allowing, DT_CAUSE_COUNT);
}

static void test_foreign_words(void **state)
{
    (void)state;
    char const *const words[] = {"",        "rule_allow", "RULE_ALLOW ",   "RULE_ALLO",
                                 "UNKNOWN", "ALLOW",      "MFA_SUCCESS\n", "%n"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_int_equal(dt_pam_code(DT_RESULT_ALLOW, words[i]), PAM_AUTH_ERR);
        assert_int_equal(dt_pam_code(DT_RESULT_DENY, words[i]), PAM_AUTH_ERR);
    }
    /* a denial that gives an allowing cause for its reason */
    assert_int_equal(dt_pam_code(DT_RESULT_DENY, "RULE_ALLOW"), PAM_AUTH_ERR);
}

/* The core's names and longest texts fit the protocol. */
static void test_fits_the_protocol(void **state)
{
    (void)state;
    for (int c = 0; c < DT_CAUSE_COUNT; c++)
        assert_in_range(__builtin_strlen(dt_cause_name((dt_cause)c)), 1, DT_PROTOCOL_CAUSE_MAX);
    assert_int_equal(DT_MESSAGE_MAX, DT_PROTOCOL_TEXT_MAX + 1);
    assert_int_equal(DT_PROMPT_TEXT_MAX, DT_PROTOCOL_TEXT_MAX + 1);
    assert_int_equal(DT_USER_MAX, DT_PROTOCOL_NAME_MAX + 1);
    assert_int_equal(DT_APPLICATION_MAX, DT_PROTOCOL_SERVICE_MAX + 1);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_allow_needs_both),
        cmocka_unit_test(test_ignore_only_what_is_reported),
        cmocka_unit_test(test_every_cause_has_its_code),
        cmocka_unit_test(test_foreign_words),
        cmocka_unit_test(test_fits_the_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
