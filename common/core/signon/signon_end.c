/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a sign-on ends: what is still to be done once its outcome is known. */
#include "core/signon/signon_internal.h"

/* What is still to be done before the outcome is given, in this order, each at most once. */
void dt_signon_finish_stage(dt_signon *s, dt_time now)
{
    (void)now;
    if (dt_signon_cancel_factors(s) || dt_signon_cancel_way(s))
        return;
    if (s->answer_unjudged) {
        s->answer_unjudged = false;
        dt_signon_set_phase(s, DT_PHASE_ANSWER_UNCOUNT);
        return;
    }
    if (s->mfa_done && !s->limits_cleared) {
        s->limits_cleared = true;
        dt_signon_set_phase(s, DT_PHASE_LIMITS_CLEAR);
        return;
    }
    /* Which factor was used has to be known: once it is removed, the MFA counts no longer. */
    if (s->mfa_done && dt_signon_remembers(s) && dt_signon_that_answered(s) != NULL) {
        s->mfa_done = false;
        dt_signon_set_phase(s, DT_PHASE_REMEMBERED_PUT);
        return;
    }
    dt_outcome_set(&s->outcome, s->final_result, s->final_cause);
    dt_signon_set_message(s);
    dt_signon_done(s);
}

void dt_signon_finish(dt_signon *s, dt_result result, dt_cause cause, dt_time now)
{
    /* It came too late: nobody is there to be let in. Or our own stop kept a call from being made. */
    if (s->abandoned && (result == DT_ALLOW || cause == DT_CAUSE_OVERLOADED)) {
        result = DT_DENY;
        cause = s->abandon_cause;
    }
    if (dt_signon_person_ends(s, &cause))
        return;
    if (result == DT_ALLOW && !dt_signon_may_allow(s, cause)) {
        result = DT_DENY;
        cause = DT_CAUSE_INTERNAL;
    }
    s->finishing = true;
    s->retry_phase = DT_PHASE_DONE;
    s->prompt_state = DT_PROMPT_NONE;
    s->final_result = result;
    s->final_cause = cause;
    s->mfa_done = result == DT_ALLOW && cause == DT_CAUSE_MFA_SUCCESS;
    if (s->mfa_done)
        dt_signon_mfa_given(s, now, &s->outcome.mfa);
    dt_signon_go(s, DT_STAGE_FINISH);
}

/* Not taken off, or not cleared: counted still. */
static void go_on(dt_signon *s, dt_store_result const *r, dt_time now)
{
    (void)r;
    (void)now;
    dt_signon_go(s, DT_STAGE_FINISH);
}

/* --- the phases ------------------------------------------------------------------------------- */

static int render_uncount(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_PUSH_COUNT, DT_STORE_UNCOUNT);
    return dt_signon_limit_key(s, "passcodes");
}

static int render_clear(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_PUSH_COUNT, DT_STORE_DELETE);
    return dt_signon_limit_key(s, "passcodes");
}

dt_phase_row const dt_row_answer_uncount = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_END,
    .render = render_uncount,
    .store_done = go_on,
};
dt_phase_row const dt_row_limits_clear = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_END,
    .render = render_clear,
    .store_done = go_on,
};
