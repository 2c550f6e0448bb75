/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The org's own sign-on rules: their actions, and how their decision goes together with that of an
 * application. Source: Okta management API, Policy, OKTA_SIGN_ON rules (actions.signon). */
#include "core/policy/policy_compile.h"

#include <string.h>

/* factorPromptMode. */
typedef enum prompt_mode { ALWAYS = 0, DEVICE, SESSION } prompt_mode;

/* Minutes. 0 and nothing at all: at every sign-on. */
static int lifetime_parse(dt_compiler *c, dt_json const *v, dt_time *out)
{
    size_t mark = dt_json_reader_enter(&c->r, "factorLifetime");
    int64_t minutes = 0;
    int rc = DT_OK;

    if (v != NULL && (!dt_json_integer(v, &minutes) || minutes < 0 ||
                      minutes > DT_FREQUENCY_MAX / DT_MINUTES(1)))
        rc = dt_json_reader_fail(&c->r, "must be minutes, a whole number from 0 to %d",
                                 (int)(DT_FREQUENCY_MAX / DT_MINUTES(1)));
    *out = DT_MINUTES(minutes);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

/* How often. DEVICE: once on each device, which here is a proved device key; without one, always. */
static int prompt_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_config_word const words[] = {
        {"ALWAYS", ALWAYS}, {"DEVICE", DEVICE}, {"SESSION", SESSION}, {NULL, 0}};
    int mode = ALWAYS;
    dt_time lifetime = 0;
    int rc = dt_json_reader_member_word(&c->r, v, "factorPromptMode", words, &mode);

    if (rc == DT_OK)
        rc = lifetime_parse(c, dt_json_get(v, "factorLifetime"), &lifetime);
    if (rc == DT_OK && mode == DEVICE) {
        rule->frequency = DT_FREQUENCY_ONLY_ONCE;
        rule->lifetime = DT_TIME_NEVER;
    } else if (rc == DT_OK && mode == SESSION && lifetime > 0) {
        rule->frequency = DT_FREQUENCY_DURATION;
        rule->lifetime = lifetime;
    }
    return rc;
}

static int signon_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"access", true},
                                           {"requireFactor", false},
                                           {"factorPromptMode", false},
                                           {"factorLifetime", false},
                                           {NULL, false}};
    static dt_config_word const words[] = {
        {"ALLOW", DT_ACCESS_ALLOW}, {"DENY", DT_ACCESS_DENY}, {NULL, 0}};
    dt_json const *factor = dt_json_get(v, "requireFactor");
    int access = DT_ACCESS_DENY;
    bool required = false;
    int rc = dt_json_reader_object(&c->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&c->r, v, "access", words, &access);
    if (rc == DT_OK && factor != NULL && !dt_json_bool(factor, &required)) {
        (void)dt_json_reader_enter(&c->r, "requireFactor");
        return dt_json_reader_fail(&c->r, "must be true or false");
    }
    if (rc == DT_OK)
        rc = prompt_parse(c, v, rule);
    if (rc != DT_OK)
        return rc;
    rule->access = (uint8_t)access;
    if (access == DT_ACCESS_ALLOW && required)
        rule->access = DT_ACCESS_ALLOW_AFTER_MFA;
    rule->factors = DT_FACTOR_POSSESSION;
    return DT_OK;
}

int dt_org_actions_parse(dt_compiler *c, dt_json const *v, dt_rule *rule)
{
    static dt_json_field const fields[] = {{"signon", true}, {NULL, false}};
    int rc = dt_json_reader_object(&c->r, v, fields);

    rule->message = "";
    if (rc != DT_OK)
        return rc;
    size_t mark = dt_json_reader_enter(&c->r, "signon");
    rc = signon_parse(c, dt_json_get(v, "signon"), rule);
    dt_json_reader_leave(&c->r, mark);
    return rc;
}

/* The one that asks more often. Of an MFA once per session nothing is kept beyond the session, so it
 * yields only to one at every sign-on. */
static void take_frequency(dt_decision *d, dt_decision const *org)
{
    bool always = org->frequency == DT_FREQUENCY_EVERY_SIGN_ON;

    if (d->frequency == DT_FREQUENCY_EVERY_SIGN_ON)
        return;
    if (!always && (d->frequency == DT_FREQUENCY_ONCE_PER_SESSION || d->lifetime <= org->lifetime))
        return;
    d->frequency = org->frequency;
    d->lifetime = org->lifetime;
}

void dt_decision_combine(dt_decision *d, dt_decision const *org, bool without_mfa)
{
    dt_decision const undecided = {.cause = org->cause == DT_DECISION_RULE ? DT_DECISION_NO_RULE
                                                                           : org->cause,
                                   .unknown = d->unknown | org->unknown};

    d->unknown |= org->unknown;
    if (org->cause != DT_DECISION_RULE || org->access == DT_ACCESS_DENY) {
        *d = undecided;
        return;
    }
    if (without_mfa || org->access != DT_ACCESS_ALLOW_AFTER_MFA || d->cause != DT_DECISION_RULE)
        return;
    if (d->access == DT_ACCESS_ALLOW) {
        d->access = DT_ACCESS_ALLOW_AFTER_MFA;
        d->frequency = org->frequency;
        d->lifetime = org->lifetime;
        d->factors = org->factors;
        d->remember_by = DT_REMEMBER_BY_KEY_ONLY;
    } else if (d->access == DT_ACCESS_ALLOW_AFTER_MFA) {
        take_frequency(d, org);
    }
}

bool dt_policy_decide_org(dt_policy const *org, dt_policy_input const *in, bool mfa_waived,
                          dt_decision *d, dt_decision *own)
{
    dt_policy_input of_person = *in;
    bool without = d->access == DT_ACCESS_ALLOW;

    *own = (dt_decision){.access = DT_ACCESS_DENY};
    if (org == NULL)
        return false;
    of_person.unknown_as = DT_UNKNOWN_NOT_TRUSTED;
    dt_policy_decide(org, &of_person, own);
    dt_decision_combine(d, own, mfa_waived);
    return without && d->access == DT_ACCESS_ALLOW_AFTER_MFA;
}
