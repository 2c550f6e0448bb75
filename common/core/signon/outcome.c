/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The outcome of a sign-on: the list of causes, and the one place that says which of them allow. */
#include "core/signon/outcome.h"

#include <string.h>

char const *dt_cause_name(dt_cause c)
{
    static char const *const names[DT_CAUSE_COUNT] = {
        [DT_CAUSE_NONE] = "NONE",
        [DT_CAUSE_RULE_ALLOW] = "RULE_ALLOW",
        [DT_CAUSE_MFA_SUCCESS] = "MFA_SUCCESS",
        [DT_CAUSE_MFA_REMEMBERED] = "MFA_REMEMBERED",
        [DT_CAUSE_OKTA_UNAVAILABLE_ALLOW] = "OKTA_UNAVAILABLE_ALLOW",
        [DT_CAUSE_RULE_DENY] = "RULE_DENY",
        [DT_CAUSE_NO_RULE] = "NO_RULE",
        [DT_CAUSE_DEVICE_UNKNOWN] = "DEVICE_UNKNOWN",
        [DT_CAUSE_GROUPS_UNKNOWN] = "GROUPS_UNKNOWN",
        [DT_CAUSE_NETWORK_UNKNOWN] = "NETWORK_UNKNOWN",
        [DT_CAUSE_PLATFORM_UNKNOWN] = "PLATFORM_UNKNOWN",
        [DT_CAUSE_TIME_UNKNOWN] = "TIME_UNKNOWN",
        [DT_CAUSE_BLOCKED_ZONE] = "BLOCKED_ZONE",
        [DT_CAUSE_MFA_REJECTED] = "MFA_REJECTED",
        [DT_CAUSE_MFA_TIMEOUT] = "MFA_TIMEOUT",
        [DT_CAUSE_MFA_FAILED] = "MFA_FAILED",
        [DT_CAUSE_MFA_NO_FACTOR] = "MFA_NO_FACTOR",
        [DT_CAUSE_MFA_PUSH_LIMIT] = "MFA_PUSH_LIMIT",
        [DT_CAUSE_MFA_RATE_LIMITED] = "MFA_RATE_LIMITED",
        [DT_CAUSE_OKTA_UNAVAILABLE] = "OKTA_UNAVAILABLE",
        [DT_CAUSE_OKTA_REFUSED] = "OKTA_REFUSED",
        [DT_CAUSE_STATE_INVALID] = "STATE_INVALID",
        [DT_CAUSE_PRIMARY_MISSING] = "PRIMARY_MISSING",
        [DT_CAUSE_CLIENT_GONE] = "CLIENT_GONE",
        [DT_CAUSE_BUSY] = "BUSY",
        [DT_CAUSE_CONFIG] = "CONFIG",
        [DT_CAUSE_INTERNAL] = "INTERNAL",
        [DT_CAUSE_REPORT_ONLY] = "REPORT_ONLY",
        [DT_CAUSE_PRIMARY_FAILED] = "PRIMARY_FAILED",
        [DT_CAUSE_PRIMARY_EXPIRED] = "PRIMARY_EXPIRED",
        [DT_CAUSE_PRIMARY_LOCKED] = "PRIMARY_LOCKED",
        [DT_CAUSE_PRIMARY_ENROLL] = "PRIMARY_ENROLL",
        [DT_CAUSE_PRIMARY_REFUSED] = "PRIMARY_REFUSED",
        [DT_CAUSE_PRIMARY_LIMIT] = "PRIMARY_LIMIT",
        [DT_CAUSE_PRIMARY_RATE_LIMITED] = "PRIMARY_RATE_LIMITED",
        [DT_CAUSE_ORG_RULE_DENY] = "ORG_RULE_DENY",
        [DT_CAUSE_MFA_LOCKED] = "MFA_LOCKED",
        [DT_CAUSE_USER_NAME_INVALID] = "USER_NAME_INVALID",
        [DT_CAUSE_MACHINE_ACCOUNT] = "MACHINE_ACCOUNT",
        [DT_CAUSE_OKTA_ANSWER_UNUSABLE] = "OKTA_ANSWER_UNUSABLE",
        [DT_CAUSE_OKTA_UNTRUSTED] = "OKTA_UNTRUSTED",
        [DT_CAUSE_MFA_CODE_SENT] = "MFA_CODE_SENT",
        [DT_CAUSE_MFA_PROVIDER_FAILED] = "MFA_PROVIDER_FAILED",
        [DT_CAUSE_OVERLOADED] = "OVERLOADED",
        [DT_CAUSE_LOCAL_FAULT] = "LOCAL_FAULT",
        [DT_CAUSE_MFA_PASSCODE_LIMIT] = "MFA_PASSCODE_LIMIT",
        [DT_CAUSE_MFA_PUSH_PENDING] = "MFA_PUSH_PENDING",
        [DT_CAUSE_MFA_PUSH_PAUSED] = "MFA_PUSH_PAUSED",
        [DT_CAUSE_MFA_PUSH_SPENT] = "MFA_PUSH_SPENT",
        [DT_CAUSE_LIMITS_UNAVAILABLE] = "LIMITS_UNAVAILABLE",
        [DT_CAUSE_AUDIT_FAILED] = "AUDIT_FAILED",
        [DT_CAUSE_MFA_NO_PROMPT] = "MFA_NO_PROMPT",
        [DT_CAUSE_APP_NOT_ASSIGNED] = "APP_NOT_ASSIGNED",
        [DT_CAUSE_OKTA_USER_UNKNOWN] = "OKTA_USER_UNKNOWN",
        [DT_CAUSE_OKTA_USER_SUSPENDED] = "OKTA_USER_SUSPENDED",
        [DT_CAUSE_OKTA_USER_DEACTIVATED] = "OKTA_USER_DEACTIVATED",
        [DT_CAUSE_OKTA_USER_NOT_ACTIVATED] = "OKTA_USER_NOT_ACTIVATED",
        [DT_CAUSE_OKTA_PASSWORD_EXPIRED] = "OKTA_PASSWORD_EXPIRED",
        [DT_CAUSE_MFA_OTHER_PERSON] = "MFA_OTHER_PERSON",
        [DT_CAUSE_MFA_TOO_WEAK] = "MFA_TOO_WEAK",
        [DT_CAUSE_SESSION_DECIDES] = "SESSION_DECIDES",
        [DT_CAUSE_BREAK_GLASS] = "BREAK_GLASS",
        [DT_CAUSE_BREAK_GLASS_REFUSED] = "BREAK_GLASS_REFUSED",
    };
    return (unsigned)c < DT_CAUSE_COUNT && names[c] != NULL ? names[c] : "UNKNOWN";
}

char const *dt_primary_name(dt_primary p)
{
    static char const *const names[DT_PRIMARY_COUNT] = {
        [DT_PRIMARY_STACK] = "stack",
        [DT_PRIMARY_HANDSHAKE] = "handshake",
        [DT_PRIMARY_OKTA_PENDING] = "okta-password-pending",
        [DT_PRIMARY_OKTA_VERIFIED] = "okta-password",
    };
    return (unsigned)p < DT_PRIMARY_COUNT ? names[p] : "unknown";
}

char const *dt_revocation_by_name(dt_revocation_by b)
{
    static char const *const names[DT_REVOCATION_BY_COUNT] = {
        [DT_REVOCATION_BY_UNASKED] = "unasked",
        [DT_REVOCATION_BY_NONE] = "none",
        [DT_REVOCATION_BY_LIST] = "crl",
        [DT_REVOCATION_BY_OCSP] = "ocsp",
        [DT_REVOCATION_BY_OCSP_CACHE] = "ocsp-cache",
    };
    return (unsigned)b < DT_REVOCATION_BY_COUNT ? names[b] : "unasked";
}

bool dt_cause_allows(dt_cause c)
{
    switch (c) {
    case DT_CAUSE_RULE_ALLOW:
    case DT_CAUSE_MFA_SUCCESS:
    case DT_CAUSE_MFA_REMEMBERED:
    case DT_CAUSE_OKTA_UNAVAILABLE_ALLOW:
    case DT_CAUSE_BREAK_GLASS:
        return true;
    default:
        return false;
    }
}

char const *dt_would_name(dt_would w)
{
    switch (w) {
    case DT_WOULD_DENY:
        return "DENY";
    case DT_WOULD_ASK:
        return "MFA";
    case DT_WOULD_ALLOW:
        return "ALLOW";
    case DT_WOULD_NONE:
        break;
    }
    return "NONE";
}

/* With a fault nobody knows what the administrator wants: it is not a decision that could be reported, nor is
 * what another request decides. */
static bool is_undecided(dt_outcome const *o, dt_cause c)
{
    if (o->decided && (c == DT_CAUSE_CONFIG || c == DT_CAUSE_INTERNAL))
        return false;
    return c == DT_CAUSE_NONE || c == DT_CAUSE_SESSION_DECIDES || c == DT_CAUSE_CONFIG ||
           c == DT_CAUSE_INTERNAL || c == DT_CAUSE_PRIMARY_MISSING;
}

bool dt_outcome_is_report_only(dt_outcome const *o)
{
    return o->report_only && o->cause == DT_CAUSE_REPORT_ONLY && o->would != DT_WOULD_NONE;
}

static bool is_break_glass(dt_cause c)
{
    return c == DT_CAUSE_BREAK_GLASS || c == DT_CAUSE_BREAK_GLASS_REFUSED;
}

bool dt_outcome_alarms(dt_outcome const *o)
{
    return is_break_glass(o->cause) || is_break_glass(o->would_cause);
}

static void report(dt_outcome *o, dt_result r, dt_cause c)
{
    bool allow = r == DT_ALLOW && dt_cause_allows(c);

    o->would = c == DT_CAUSE_REPORT_ONLY ? DT_WOULD_ASK : allow ? DT_WOULD_ALLOW : DT_WOULD_DENY;
    o->would_cause = c == DT_CAUSE_REPORT_ONLY ? DT_CAUSE_NONE : c;
    o->result = DT_DENY;
    o->cause = DT_CAUSE_REPORT_ONLY;
}

void dt_outcome_set(dt_outcome *o, dt_result r, dt_cause c)
{
    if (o->report_only && !is_undecided(o, c)) {
        report(o, r, c);
        return;
    }
    if (c == DT_CAUSE_REPORT_ONLY) /* of a sign-on that is not */
        c = DT_CAUSE_INTERNAL;
    o->would = DT_WOULD_NONE;
    o->would_cause = DT_CAUSE_NONE;
    o->result = r == DT_ALLOW && dt_cause_allows(c) ? DT_ALLOW : DT_DENY;
    o->cause = c;
}

char const *dt_outcome_code(dt_outcome const *o)
{
    return o->result == DT_ALLOW || dt_outcome_is_report_only(o) ? "" : o->code;
}

/* As much of a text as fits into `room` bytes, not ending within a UTF-8 sequence. */
static size_t length_within(char const *text, size_t room)
{
    size_t n = strlen(text);

    if (n > room) {
        n = room;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    return n;
}

void dt_outcome_text(dt_outcome const *o, char const *message, char out[DT_MESSAGE_MAX])
{
    char const *code = dt_outcome_code(o);
    char line[sizeof("\nCode: ") + DT_REFUSAL_CODE_MAX] = "";
    dt_buf b;

    dt_buf_init_fixed(&b, line, sizeof(line));
    if (code[0] != '\0') {
        dt_buf_puts(&b, message[0] != '\0' ? "\nCode: " : "Code: ");
        dt_buf_puts(&b, code);
    }
    dt_buf_init_fixed(&b, out, DT_MESSAGE_MAX);
    dt_buf_put(&b, message, length_within(message, DT_MESSAGE_MAX - 1 - strlen(line)));
    dt_buf_puts(&b, line);
}
