/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sign-on policy of one application: ordered rules, the first whose conditions all hold
 * decides, what no rule matches is denied. Member names are those of Okta's policy API where it has
 * one. conf/policies/policy.schema.json is the published JSON Schema. */
#ifndef DT_CORE_POLICY_H
#define DT_CORE_POLICY_H

#include "core/evidence.h"
#include "core/json.h"
#include "core/network.h"

#define DT_POLICY_TEXT_MAX (8 * 1024 * 1024)
#define DT_POLICY_RULES_MAX 100000
#define DT_POLICY_NAME_MAX 256
#define DT_POLICY_LIST_MAX 10000 /* members of one include or exclude list */
#define DT_ZONES_MAX 64
#define DT_GROUPS_MAX 256
#define DT_GROUP_NAME_MAX 256

/* --- zones: shared by all policies of a site ------------------------------------------------ */
typedef struct dt_zones dt_zones;
/* {"zones":[{"name","type":"IP","status":"ACTIVE","gateways":[{"type":"CIDR"|"RANGE","value"}]}]} */
DT_MUST_USE int dt_zones_parse(dt_json const *root, char const *file, dt_zones **out, dt_error *e);
void dt_zones_free(dt_zones **z);

/* --- policy --------------------------------------------------------------------------------- */
typedef struct dt_policy dt_policy;

typedef enum dt_frequency {
    DT_FREQUENCY_EVERY_SIGN_ON = 0,
    DT_FREQUENCY_ONCE_A_DAY,
} dt_frequency;
char const *dt_frequency_name(dt_frequency f);
/* How long an MFA is remembered; 0 for EVERY_SIGN_ON. */
dt_time dt_frequency_lifetime(dt_frequency f);

/* Compiles a policy. `zones` may be NULL (no zones) and must outlive the policy. An unknown member,
 * wrong type, duplicate name or priority, unknown zone, missing catch-all: DT_E_INVALID naming the
 * file and the JSON pointer. */
DT_MUST_USE int dt_policy_parse(dt_json const *root, char const *file, dt_zones const *zones,
                                dt_policy **out, dt_error *e);
void dt_policy_free(dt_policy **p);
char const *dt_policy_application(dt_policy const *p);
/* Hex SHA-256 of the text it was compiled from, set by whoever loaded it (64 digits). */
void dt_policy_set_hash(dt_policy *p, char const hash[65]);
char const *dt_policy_hash(dt_policy const *p);
/* True when some ACTIVE rule names groups: whoever asks must bring them. */
bool dt_policy_needs_groups(dt_policy const *p);
/* True when some rule names this group (ASCII case folded): the only ones worth carrying. */
bool dt_policy_names_group(dt_policy const *p, char const *group);
size_t dt_policy_rule_count(dt_policy const *p);
/* True when some ACTIVE rule holds for devices of this trust alone; for TRUSTED and NOT_TRUSTED. */
bool dt_policy_asks_for(dt_policy const *p, dt_trust trust);

typedef enum dt_group_knowledge {
    DT_GROUPS_UNKNOWN = 0, /* the look-up failed or was not made */
    DT_GROUPS_KNOWN,
} dt_group_knowledge;

/* Who asks, from where, on what: what the conditions look at. All borrowed. */
typedef struct dt_policy_input {
    char const *user;  /* as the person typed it */
    char const *login; /* the Okta login made of it; conditions match either, ASCII case folded */
    char const *const *groups;
    size_t group_count;
    dt_group_knowledge group_knowledge;
    dt_ip ip; /* unset: no zone holds it; NOT in a zone does not hold either */
    dt_platform platform;
    dt_trust trust;
    dt_unknown_as unknown_as; /* how UNKNOWN trust is taken; DENY: UNKNOWN denies before any rule */
} dt_policy_input;

typedef enum dt_access { DT_ACCESS_DENY = 0, DT_ACCESS_ALLOW, DT_ACCESS_ALLOW_AFTER_MFA } dt_access;

typedef enum dt_decision_cause {
    DT_DECISION_NO_RULE = 0, /* no rule matched */
    DT_DECISION_RULE,
    DT_DECISION_UNKNOWN_DEVICE, /* unknown_device_as = deny */
    DT_DECISION_UNKNOWN_GROUPS, /* a rule that was reached names groups and they are not known */
} dt_decision_cause;

typedef struct dt_decision {
    dt_access access;
    dt_decision_cause cause;
    dt_frequency frequency;
    unsigned factors;              /* allowed dt_factor_type bits; only with ALLOW_AFTER_MFA */
    char rule[DT_POLICY_NAME_MAX]; /* "" when no rule decided */
    int priority;
} dt_decision;

/* The decision. Thread safe, allocates nothing. NULL policy denies. */
void dt_policy_decide(dt_policy const *p, dt_policy_input const *in, dt_decision *out);

/* Which condition of a rule failed, for `explain`. */
typedef enum dt_condition {
    DT_CONDITION_NONE = 0, /* all held: this rule decides */
    DT_CONDITION_INACTIVE,
    DT_CONDITION_PEOPLE,
    DT_CONDITION_NETWORK,
    DT_CONDITION_PLATFORM,
    DT_CONDITION_DEVICE,
} dt_condition;
char const *dt_condition_name(dt_condition c);
/* Rule i in evaluation order: its name and the first condition that does not hold for `in`. */
dt_condition dt_policy_explain_rule(dt_policy const *p, size_t i, dt_policy_input const *in,
                                    char const **rule_name);

#endif
