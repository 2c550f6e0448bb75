/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The decision stage: the verdict about the device, what the rules say to it, and why a sign-on is refused by them. */
#include "core/signon/signon_internal.h"

#include <string.h>

bool dt_signon_org_denies(dt_signon const *s)
{
    return s->outcome.org.cause == DT_DECISION_RULE && s->outcome.org.access == DT_ACCESS_DENY;
}

/* What no case names is a decision of no rule. */
static dt_cause cause_of(dt_signon const *s)
{
    static dt_cause const causes[DT_DECISION_CAUSE_COUNT] = {
        [DT_DECISION_NO_RULE] = DT_CAUSE_NO_RULE,
        [DT_DECISION_RULE] = DT_CAUSE_RULE_DENY,
        [DT_DECISION_UNKNOWN_DEVICE] = DT_CAUSE_DEVICE_UNKNOWN,
        [DT_DECISION_UNKNOWN_GROUPS] = DT_CAUSE_GROUPS_UNKNOWN,
        [DT_DECISION_UNKNOWN_NETWORK] = DT_CAUSE_NETWORK_UNKNOWN,
        [DT_DECISION_UNKNOWN_PLATFORM] = DT_CAUSE_PLATFORM_UNKNOWN,
        [DT_DECISION_UNKNOWN_TIME] = DT_CAUSE_TIME_UNKNOWN,
        [DT_DECISION_BLOCKED_ZONE] = DT_CAUSE_BLOCKED_ZONE,
    };
    unsigned cause = s->outcome.decision.cause;

    if (dt_signon_org_denies(s))
        return DT_CAUSE_ORG_RULE_DENY;
    return cause < DT_DECISION_CAUSE_COUNT ? causes[cause] : DT_CAUSE_NO_RULE;
}

static void detail_of_the_address(dt_signon *s)
{
    char const *hint = s->address_hint[0] != '\0' ? s->address_hint
                       : s->client_ip[0] != '\0'
                           ? "with UseDNS yes sshd passes names; for rlm_devtrust see client_ip"
                           : "rlm_devtrust: client_ip";

    if (s->client_ip[0] != '\0')
        dt_signon_detail(s, "a rule needs the client's address, but \"%s\" is not an address (%s)",
                         s->client_ip, hint);
    else
        dt_signon_detail(s, "a rule needs the client's address, but the sign-on has none (%s)",
                         hint);
}

void dt_signon_refuse(dt_signon *s, dt_policy_input const *in, dt_time now)
{
    dt_cause cause = cause_of(s);

    if (cause == DT_CAUSE_NETWORK_UNKNOWN && !in->ip.set)
        detail_of_the_address(s);
    if (cause == DT_CAUSE_GROUPS_UNKNOWN && s->outcome.detail[0] == '\0')
        dt_signon_detail(s, "a rule needs the person's groups, which are not known: a source in "
                            "groups_from was not asked, or did not answer");
    if (cause == DT_CAUSE_BLOCKED_ZONE)
        dt_signon_detail(s, "the address is in the BLOCKLIST zone \"%s\"",
                         dt_policy_blocking_zone(s->ruleset.policy, in));
    dt_signon_finish(s, DT_DENY, cause, now);
}

static bool refuses_for_good(dt_policy const *policy, dt_policy_input const *in)
{
    dt_decision d;

    dt_policy_decide(policy, in, &d);
    return d.access == DT_ACCESS_DENY &&
           (d.cause == DT_DECISION_RULE || d.cause == DT_DECISION_NO_RULE ||
            d.cause == DT_DECISION_BLOCKED_ZONE);
}

/* Whatever the device will turn out to be. */
static bool refuses_every_device(dt_signon const *s, dt_policy_input in)
{
    in.trust = DT_TRUST_TRUSTED;
    if (!refuses_for_good(s->ruleset.policy, &in))
        return false;
    in.trust = DT_TRUST_NOT_TRUSTED;
    for (int reason = 0; reason < DT_REASON_COUNT; reason++) {
        in.reason = (dt_reason)reason;
        if (!refuses_for_good(s->ruleset.policy, &in))
            return false;
    }
    return true;
}

static void apply_decision(dt_signon *s, dt_policy_input const *in, dt_time now)
{
    dt_decision const *d = &s->outcome.decision;

    if (s->device_later && (s->outcome.report_only || !refuses_every_device(s, *in))) {
        dt_signon_finish(s, DT_DENY, DT_CAUSE_SESSION_DECIDES, now);
        return;
    }

    if (s->person.on) {
        dt_signon_go(s, DT_STAGE_PRIMARY);
        return;
    }
    if (s->explain) {
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
        return;
    }
    if (d->access != DT_ACCESS_DENY && d->cause == DT_DECISION_RULE) {
        dt_signon_go(s, DT_STAGE_PRIMARY);
        return;
    }
    dt_signon_refuse(s, in, now);
}

/* Before anything is looked up: it must work where no service answers. The password of the account must have been
 * verified by the PAM stack; Okta, which may be what is broken, does not count. */
bool dt_signon_break_glass(dt_signon *s, bool at_terminal, dt_time now)
{
    char const *why = "";
    dt_break_glass verdict =
        dt_break_glass_judge(s->ruleset.config, &s->who, at_terminal, now, &why);

    if (verdict == DT_BREAK_GLASS_NO_ACCOUNT || s->only_looks_up)
        return false;
    s->break_glass = verdict == DT_BREAK_GLASS_ALLOWED && s->outcome.primary == DT_PRIMARY_STACK;
    if (s->break_glass)
        dt_signon_detail(s, "break-glass account, used at %s, valid until %s", s->tty,
                         s->ruleset.config->break_glass.until);
    else
        dt_signon_detail(s, "%s",
                         *why != '\0' ? why
                                      : "the first factor here is the Okta password, and a "
                                        "break-glass account needs one that this host verifies");
    dt_signon_finish(s, s->break_glass ? DT_ALLOW : DT_DENY,
                     s->break_glass ? DT_CAUSE_BREAK_GLASS : DT_CAUSE_BREAK_GLASS_REFUSED, now);
    return true;
}

static bool org_mfa_waived(dt_ruleset const *ruleset, dt_outcome const *o)
{
    return ruleset->config->policy.org_mfa == DT_ORG_MFA_UNLESS_TRUSTED &&
           o->verdict.trust == DT_TRUST_TRUSTED;
}

bool dt_signon_org_mfa_waived(dt_signon const *s)
{
    return org_mfa_waived(&s->ruleset, &s->outcome);
}

void dt_signon_decide_org(dt_ruleset const *ruleset, dt_policy_input const *in, dt_outcome *o)
{
    if (ruleset->org != NULL)
        o->org_mfa = dt_policy_decide_org(ruleset->org, in, org_mfa_waived(ruleset, o),
                                          &o->decision, &o->org);
}

/* Verdict and decision. Entered once more when the decision needs Okta's groups. */
void dt_signon_decision_stage(dt_signon *s, dt_time now)
{
    dt_policy_input in;

    if (s->only_looks_up) {
        dt_signon_fail(s, DT_CAUSE_NONE, NULL);
        return;
    }
    dt_signon_entra_give_up(s);
    dt_verdict_judge(&s->scratch->evidence, s->ruleset.config, now, &s->outcome.verdict);
    if (s->explain && s->what_if.device)
        s->outcome.verdict =
            (dt_verdict){.trust = s->what_if.trust, .reason = s->what_if.reason, .oldest = now};
    dt_signon_policy_input(s, &in, now);
    s->decided_apart = false;
    dt_policy_decide(s->ruleset.policy, &in, &s->outcome.decision);
    dt_signon_decide_org(&s->ruleset, &in, &s->outcome);
    if ((s->outcome.decision.unknown & 1u << DT_CONDITION_PEOPLE) != 0 &&
        !dt_lookup_was_asked(s, DT_QUESTION_GROUPS) && s->okta_groups_missing) {
        /* Nothing is decided until they are here. */
        s->outcome.decision = (dt_decision){.cause = DT_DECISION_UNKNOWN_GROUPS};
        s->outcome.org = (dt_decision){.cause = DT_DECISION_UNKNOWN_GROUPS};
        dt_lookup_begin(s, DT_QUESTION_GROUPS, now);
        return;
    }
    apply_decision(s, &in, now);
}
