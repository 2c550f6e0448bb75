/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a rule of an org's own sign-on policy (OKTA_SIGN_ON) gives. Source: Okta management API
 * reference, Policy: OktaSignOnPolicyRuleSignonActions. */
#include "devtrustctl/policy/okta_import_internal.h"

#include <string.h>

/* How long an MFA is good by factorPromptMode and factorLifetime (minutes). What is not known is every
 * sign-on. */
static dt_time prompt_lifetime(dt_importing *m, dt_json const *v)
{
    dt_json const *mode = dt_import_given(v, "factorPromptMode");
    int64_t minutes = 0;

    if (mode == NULL || dt_import_is(mode, "ALWAYS"))
        return 0;
    if (dt_import_is(mode, "DEVICE"))
        return DT_TIME_NEVER;
    if (dt_import_is(mode, "SESSION") &&
        dt_json_integer(dt_json_get(v, "factorLifetime"), &minutes) && minutes >= 0) {
        if (minutes <= DT_FREQUENCY_MAX / DT_MINUTES(1))
            return DT_MINUTES(minutes);
        dt_import_report(m, DT_IMPORT_CHANGED, "an MFA is remembered for 3650 days at most");
        return DT_FREQUENCY_MAX;
    }
    dt_import_report(m, DT_IMPORT_CHANGED, "unknown way of prompting: MFA at every sign-on");
    return 0;
}

static void allowed_read(dt_importing *m, dt_json const *v, dt_import_action *out)
{
    dt_json const *required = dt_import_given(v, "requireFactor");
    bool is = true;

    if (required == NULL)
        is = false; /* its default */
    else if (!dt_json_bool(required, &is))
        dt_import_report(m, DT_IMPORT_CHANGED, "requireFactor is not a boolean: MFA required");
    out->access = is ? DT_ACCESS_ALLOW_AFTER_MFA : DT_ACCESS_ALLOW;
    out->factors = is ? DT_IMPORT_FACTORS : 0;
    out->lifetime = is ? prompt_lifetime(m, v) : 0;
}

void dt_import_signon_read(dt_importing *m, dt_json const *rule, dt_import_action *out)
{
    /* Of a browser's session, of the device's cookie, and of which first factor Okta wants: nothing of
     * it is ours. */
    static char const *const known[] = {"access",
                                        "requireFactor",
                                        "factorPromptMode",
                                        "factorLifetime",
                                        "rememberDeviceByDefault",
                                        "primaryFactor",
                                        "session",
                                        NULL};
    static char const *const members[] = {"signon", "type", "_links", NULL};
    dt_json const *actions = dt_import_given(rule, "actions");
    dt_json const *v = dt_import_given(actions, "signon");
    dt_json const *access = dt_import_given(v, "access");
    size_t mark = dt_json_reader_enter(&m->r, "actions");

    *out = (dt_import_action){.access = DT_ACCESS_DENY};
    if (dt_json_typeof(v) != DT_JSON_OBJECT || dt_import_unknown_member(actions, members) != NULL ||
        dt_import_unknown_member(v, known) != NULL ||
        !(dt_import_is(access, "ALLOW") || dt_import_is(access, "DENY")))
        dt_import_action_refuse(m, out, "an action that this version does not know");
    else if (dt_import_is(access, "ALLOW"))
        allowed_read(m, v, out);
    if (!out->refused)
        dt_import_report(m, DT_IMPORT_KEPT, "%s",
                         out->access == DT_ACCESS_DENY    ? "denied"
                         : out->access == DT_ACCESS_ALLOW ? "allowed without MFA"
                                                          : "allowed after MFA");
    dt_json_reader_leave(&m->r, mark);
}

void dt_import_signon_put(dt_import_action const *a, dt_buf *b)
{
    bool mfa = a->access == DT_ACCESS_ALLOW_AFTER_MFA;

    dt_buf_puts(b, "{\"signon\":{\"access\":");
    dt_buf_puts(b, a->access == DT_ACCESS_DENY ? "\"DENY\"" : "\"ALLOW\"");
    if (mfa)
        dt_buf_puts(b, ",\"requireFactor\":true,\"factorPromptMode\":");
    if (mfa && a->lifetime == DT_TIME_NEVER)
        dt_buf_puts(b, "\"DEVICE\"");
    else if (mfa && a->lifetime >= DT_MINUTES(1)) {
        dt_buf_puts(b, "\"SESSION\",\"factorLifetime\":");
        dt_buf_put_int(b, a->lifetime / DT_MINUTES(1));
    } else if (mfa)
        dt_buf_puts(b, "\"ALWAYS\"");
    dt_buf_puts(b, "}}");
}
