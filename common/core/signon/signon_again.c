/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sign-on that was kept (behind a RADIUS State) and goes on under another policy, configuration or
 * set of CA certificates than it began with. It must not get in by what is no longer in force, so it
 * is decided once more, by what was kept of it and the site in force:
 *
 * - denied now: denied;
 * - MFA now: it goes on, if the factors under way are among those the rule now allows;
 * - no MFA now: it goes on with the MFA that was begun, under the rule that now lets in;
 * - unknown (groups that the former policy did not name, certificates judged by CAs that have
 *   changed): it has to begin again. */
#include "core/signon/signon_internal.h"

static void begin_again(dt_signon *s, char const *why, dt_time now)
{
    dt_signon_detail(s, "%s: the sign-on has to begin again", why);
    dt_signon_finish(s, DT_DENY, DT_CAUSE_STATE_INVALID, now);
}

static void decide(dt_signon *s, bool other_policy, dt_time now)
{
    dt_decision before = s->outcome.decision;
    dt_policy_input in;

    dt_verdict_judge(&s->scratch->evidence, s->ruleset.config, now, &s->outcome.verdict);
    dt_signon_policy_input(s, &in, now);
    s->decided_apart = other_policy;
    if (other_policy) /* only groups that the former policy named were kept */
        in.group_knowledge = DT_GROUPS_UNKNOWN;
    dt_policy_decide(s->ruleset.policy, &in, &s->outcome.decision);
    dt_signon_decide_org(&s->ruleset, &in, &s->outcome);
    if (s->outcome.decision.cause != DT_DECISION_RULE ||
        s->outcome.decision.access == DT_ACCESS_DENY) {
        if (s->outcome.decision.cause == DT_DECISION_UNKNOWN_GROUPS)
            begin_again(s, "the policy has changed and needs groups that were not kept", now);
        else
            dt_signon_refuse(s, &in, now);
        return;
    }
    if (s->outcome.decision.access == DT_ACCESS_ALLOW) {
        /* Under the rule in force, whose reply can be given, with the MFA that was begun. */
        s->decided_apart = true;
        s->outcome.decision.access = DT_ACCESS_ALLOW_AFTER_MFA;
        s->outcome.decision.factors = before.factors;
        s->outcome.decision.frequency = DT_FREQUENCY_EVERY_SIGN_ON;
        s->outcome.decision.lifetime = 0;
        dt_signon_detail(s, "the policy has changed and no longer requires MFA; the MFA already "
                            "begun was continued");
    }
    if (!dt_signon_app_is_assigned(s))
        begin_again(s, "okta_app has changed", now);
    else if (dt_signon_factors_asked_for(s) & ~dt_signon_factors_allowed(s))
        begin_again(s, "the policy has changed and no longer allows the requested factor", now);
}

void dt_signon_decide_again(dt_signon *s, dt_time now)
{
    unsigned outdated = s->outdated;
    dt_decision const *d = &s->outcome.decision;

    s->outdated = 0;
    if (outdated == 0 || s->phase == DT_PHASE_DONE || s->refresh_only)
        return;
    if (s->finishing) {
        if (s->final_result == DT_ALLOW)
            dt_signon_fail(s, DT_CAUSE_STATE_INVALID, "the policy changed during the last step");
        return;
    }
    if (outdated & DT_OUTDATED_CA)
        begin_again(s, "the CA certificates have changed", now);
    else if (d->cause != DT_DECISION_RULE || d->access != DT_ACCESS_ALLOW_AFTER_MFA)
        begin_again(s, "the policy has changed before there was a decision", now);
    else
        decide(s, (outdated & DT_OUTDATED_POLICY) != 0, now);
}
