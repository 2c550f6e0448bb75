/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an audit event says that its sign-on was decided on, and what became of it: for devtrustctl policy
 * replay. Nothing of the event is believed beyond its form, and nothing that it does not say is guessed.
 * replay_decide.c defines dt_replay_difference. */
#ifndef DT_CTL_REPLAY_EVENT_H
#define DT_CTL_REPLAY_EVENT_H

#include "devtrustctl/audit_event.h"

#include "core/policy/policy_record.h"

#define DT_REPLAY_GROUPS_MAX 64 /* of a record: more than devtrust writes is not its form */
#define DT_REPLAY_UNRECORDED_MAX                                                                   \
    64 /* groups that are tried one by one because the event does not say */
#define DT_REPLAY_FREQUENCY_MAX DT_DURATION_TEXT_MAX

/* Of a sign-on: what decided it, or would. */
typedef struct dt_replay_decision {
    dt_access access;
    char rule[DT_POLICY_NAME_MAX], org_rule[DT_POLICY_NAME_MAX]; /* "" = none */
    dt_access org_access;                                        /* means something with org_rule */
    char frequency[DT_REPLAY_FREQUENCY_MAX];                     /* "" without MFA */
    unsigned factors;
} dt_replay_decision;

typedef struct dt_replay_event {
    dt_policy_input in; /* its `groups` are those below */
    char const *groups[DT_GROUPS_MAX];
    char ids[DT_REPLAY_GROUPS_MAX][DT_GROUP_ID_MAX];
    bool unsure[DT_REPLAY_GROUPS_MAX];
    dt_groups_lookup groups_lookup;
    bool selected;
    dt_json const *asked; /* NULL: not held */
    char const *policy_hash, *org_hash;
    dt_replay_decision before;
} dt_replay_event;

typedef enum dt_replay_form {
    DT_REPLAY_OTHER = 0, /* no sign-on: a device, a reload */
    DT_REPLAY_READ,
    DT_REPLAY_UNDECIDED, /* it ended before a policy decided, or under two */
    DT_REPLAY_LACKING,   /* `e` says what the event does not hold */
} dt_replay_form;

/* `out` borrows from the event, and holds pointers into itself: do not copy it. */
dt_replay_form dt_replay_event_read(dt_audit_event const *event, dt_replay_event *out, dt_error *e);

/* The policy that is tried. All borrowed. */
typedef struct dt_replay_rules {
    dt_config const *config;
    dt_policy const *policy, *org;
} dt_replay_rules;

/* Decides once more. False, with why in `e`, where the decision depends on what the event does not say. */
DT_MUST_USE bool dt_replay_decide(dt_replay_rules const *rules, dt_replay_event *event,
                                  dt_replay_decision *after, dt_error *e);
/* What differs: "access", "frequency", "factors", "rule"; NULL for nothing. */
char const *dt_replay_difference(dt_replay_decision const *before, dt_replay_decision const *after);

#endif
