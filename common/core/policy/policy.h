/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room policy: the company's rules, compiled once and decided often.
 *
 * The sign-on policy of one application is a list of ordered rules: the first whose conditions all hold decides,
 * what no rule matches is denied. Member names are those of Okta's policy API where it has one.
 * conf/policies/policy.schema.json is the published JSON Schema.
 *
 * Begin with dt_policy_parse, which makes a dt_policy of a JSON text, and dt_policy_decide, which makes a
 * dt_decision of that and of a dt_policy_input, the facts of a sign-on. dt_zones are the named networks and places
 * that rules use: network.h is a set of networks, geo.h the port to databases of places, zones_text.h and
 * network_internal.h belong to their readers. policy_compile.h and policy_rules.h are the compiler and its
 * compiled form.
 *
 * client_address.h and place.h say which address, station and NAS a request means. policy_explain.h says in words
 * why a rule did not hold; policy_record.h keeps in the event what a decision was made on.
 *
 * policy_conditions.c defines dt_policy_reason_fits, policy_frequency.c the durations, policy_org.c
 * dt_decision_combine, policy_parse.c dt_policy_free. */
#ifndef DT_CORE_POLICY_H
#define DT_CORE_POLICY_H

#include "core/device/evidence.h"
#include "core/policy/geo.h"
#include "core/base/json_reader.h"
#include "core/policy/network.h"

#define DT_POLICY_TEXT_MAX (128 * 1024 * 1024)
#define DT_POLICY_RULES_MAX 100000
#define DT_POLICY_NAME_MAX 256
#define DT_POLICY_LIST_MAX 10000          /* members of one include or exclude list */
#define DT_POLICY_PATTERNS_MAX 64         /* patterns of one list */
#define DT_POLICY_GROUP_PATTERNS_MAX 1024 /* different patterns for groups of one policy */
#define DT_POLICY_GROUPS_MAX 1000         /* groups that contain others */
#define DT_GROUP_DEPTH_MAX 16             /* of groups within groups */
#define DT_GROUPS_WITHIN_MAX 200000       /* names in all of what groups contain */
#define DT_POLICY_SPANS_MAX 64            /* time spans of one list */
#define DT_POLICY_WARNINGS_MAX 64         /* kept of one policy; the others are counted */
#define DT_ZONES_MAX DT_NETWORK_TAGS_MAX
#define DT_ZONE_PLACES_MAX 1000 /* locations, and networks by number, of one zone */
#define DT_GROUPS_MAX 256
#define DT_GROUP_NAME_MAX 256
#define DT_POLICY_MESSAGE_MAX 256      /* of a rule that denies, its NUL included */
#define DT_POLICY_REPLY_MAX 16         /* reply attributes of one rule */
#define DT_REPLY_NAME_MAX 64           /* of an attribute, its NUL included */
#define DT_REPLY_VALUE_MAX 248         /* its NUL included: RFC 2865 section 5, less a tag */
#define DT_FREQUENCY_MAX DT_DAYS(3650) /* longest time an MFA is remembered, but for ONLY_ONCE */
#define DT_DURATION_TEXT_MAX 40        /* of an ISO 8601 duration, its NUL included */

/* --- zones: shared by all policies of a site ------------------------------------------------ */
typedef struct dt_zones dt_zones;
/* {"zones":[{"name","type":"IP","status","usage","gateways":[...]},
 *           {"name","type":"DYNAMIC","status","usage","locations":[...],"asns":[...]}]}
 * See devtrust-policy(5). DT_E_INVALID names the file and the JSON pointer. */
DT_MUST_USE int dt_zones_parse(dt_json const *root, char const *file, dt_zones **out, dt_error *e);
/* Like dt_zones_parse, from the text itself, in much less memory where lists are long: then errors name the line,
 * and DT_E_PARSE and DT_E_LIMIT are those of dt_json_parse, after the file. */
DT_MUST_USE int dt_zones_parse_text(dt_json_source const *source, dt_zones **out, dt_error *e);
/* Gives the zones the databases that the DYNAMIC ones ask; borrowed, and may be NULL. DT_E_INVALID
 * when an ACTIVE zone needs what they cannot answer: names the zone and the kind of database. Without them
 * the content of a zone is unknown: no address is known to be in it, nor not to be. */
DT_MUST_USE int dt_zones_set_geo(dt_zones *z, dt_geo const *geo, char const *file, dt_error *e);
/* Bytes of memory that they take. */
size_t dt_zones_memory(dt_zones const *z);
void dt_zones_free(dt_zones **z);

/* --- policy --------------------------------------------------------------------------------- */
typedef struct dt_policy dt_policy;

/* How often MFA is asked for. A month is 30 days, six months are 180, a year is 365: an MFA is good
 * for a length of time, not until a day of the calendar, so daylight saving and leap years do not
 * move it. */
typedef enum dt_frequency {
    DT_FREQUENCY_EVERY_SIGN_ON = 0,
    DT_FREQUENCY_ONCE_PER_SESSION, /* lifetime 0: whoever knows the session knows its end */
    DT_FREQUENCY_ONCE_A_DAY,
    DT_FREQUENCY_ONCE_A_WEEK,
    DT_FREQUENCY_ONCE_A_MONTH,
    DT_FREQUENCY_ONCE_PER_SIX_MONTHS,
    DT_FREQUENCY_ONLY_ONCE, /* lifetime DT_TIME_NEVER */
    DT_FREQUENCY_DURATION,  /* an ISO 8601 duration; never 0, which is EVERY_SIGN_ON */
    DT_FREQUENCY_COUNT,     /* not a frequency */
} dt_frequency;
/* "EVERY_SIGN_ON", ... "DURATION". */
char const *dt_frequency_name(dt_frequency f);
/* How long an MFA is remembered by the word; 0 for EVERY_SIGN_ON, ONCE_PER_SESSION and DURATION. */
dt_time dt_frequency_lifetime(dt_frequency f);

/* An ISO 8601 duration as Okta writes them: P, then nY nM nW nD in this order, then T and nH nM nS, at
 * least one of all, whole numbers (a month is 30 days, a year 365). Milliseconds. DT_E_PARSE for
 * another form, DT_E_LIMIT past DT_FREQUENCY_MAX. */
DT_MUST_USE int dt_iso_duration_parse(char const *text, dt_time *out);
/* A duration as text of at most DT_DURATION_TEXT_MAX - 1 bytes, in days and below: "P7D", "PT8H30M",
 * "PT0S". Returns dst. */
char *dt_iso_duration_format(char dst[DT_DURATION_TEXT_MAX], dt_time duration);

/* What else than a proved device key an MFA may be remembered by: bits. Without any, an MFA is
 * remembered only for a key that was proved. With some, one given without a proved key is remembered
 * for user, application and every thing named here; where one of these is not known, not at all. A
 * proved key is always what it is bound to, where there is one. */
typedef enum dt_remember_by {
    DT_REMEMBER_BY_KEY_ONLY = 0,
    DT_REMEMBER_BY_USER = 1 << 0,      /* nothing but user and application; stands alone */
    DT_REMEMBER_BY_CLIENT_IP = 1 << 1, /* the address the person comes from */
    DT_REMEMBER_BY_STATION = 1 << 2,   /* Calling-Station-Id */
} dt_remember_by;
#define DT_REMEMBER_BY_ALL (DT_REMEMBER_BY_USER | DT_REMEMBER_BY_CLIENT_IP | DT_REMEMBER_BY_STATION)

/* Compiles a policy. `zones` may be NULL (no zones) and must outlive the policy. An unknown member,
 * wrong type, duplicate name or priority, unknown zone, missing catch-all: DT_E_INVALID naming the
 * file and the JSON pointer. */
DT_MUST_USE int dt_policy_parse(dt_json const *root, char const *file, dt_zones const *zones,
                                dt_policy **out, dt_error *e);
/* Like dt_policy_parse, with the text that `root` was parsed from: then errors and warnings name the line. */
DT_MUST_USE int dt_policy_parse_source(dt_json const *root, dt_json_source const *source,
                                       dt_zones const *zones, dt_policy **out, dt_error *e);

/* Compiles the org's own sign-on rules (Okta's OKTA_SIGN_ON policies), which are decided by like any
 * other: {"name","rules":[...]}, each rule with name, priority, status, conditions {people, network,
 * authContext {authType}} and actions {signon {access, requireFactor, factorPromptMode,
 * factorLifetime}}. No application, no device, no message, no reply. Two forms, as dt_policy_parse. */
DT_MUST_USE int dt_org_policy_parse(dt_json const *root, char const *file, dt_zones const *zones,
                                    dt_policy **out, dt_error *e);
DT_MUST_USE int dt_org_policy_parse_source(dt_json const *root, dt_json_source const *source,
                                           dt_zones const *zones, dt_policy **out, dt_error *e);
void dt_policy_free(dt_policy **p);
char const *dt_policy_application(dt_policy const *p);
/* The named group of applications that share remembered MFA with this one; "" when there is none.
 * Names of groups and of applications are apart: one may be called like the other. */
char const *dt_policy_application_group(dt_policy const *p);
/* Hex SHA-256 of the text it was compiled from, set by whoever loaded it (64 digits). */
void dt_policy_set_hash(dt_policy *p, char const hash[65]);
char const *dt_policy_hash(dt_policy const *p);
/* True when some ACTIVE rule names groups: whoever asks must bring them. */
bool dt_policy_needs_groups(dt_policy const *p);
/* A group is known by its name, which any source may give, or by its id at Okta, which only Okta gives
 * and which is the group: names at Okta are not unique. Among groups an id stands as this byte, which no
 * name begins with, and the id, whose case counts. */
#define DT_GROUP_ID_MARK '\x1f'
/* A name that several groups at Okta may have stands as this byte and the name. */
#define DT_GROUP_UNSURE_MARK '\x1e'
#define DT_GROUP_ID_MAX 66 /* with the mark and its NUL */
bool dt_group_is_id(char const *group);
/* Makes one of an id at Okta; false for anything else: letters, digits, - and _, at most 64. */
DT_MUST_USE bool dt_group_of_id(char const *id, char out[DT_GROUP_ID_MAX]);
/* "*" stands for any run of characters and "?" for one; both texts are folded alike. */
bool dt_pattern_matches(char const *pattern, char const *text);
/* True when some rule names this group (names with ASCII case folded): the only ones worth carrying. */
bool dt_policy_names_group(dt_policy const *p, char const *group);
/* Like dt_policy_names_group, but true only when a rule has this very name, and not a pattern for it. */
bool dt_policy_has_group_name(dt_policy const *p, char const *group);
/* The i-th group that some rule names, then the patterns of groups, with *pattern set; NULL past the last.
 * Names are folded to lower case. Borrowed. */
char const *dt_policy_group_named(dt_policy const *p, size_t i, bool *pattern);
/* True when no decision is the same without this group, where the person is also in those of `kept`
 * (names, NUL-terminated one after another). So what is worth carrying is bounded by the rules, and not
 * by how many groups a person is in. */
bool dt_policy_group_is_relevant(dt_policy const *p, dt_bytes kept, char const *group);
/* True when some rule names a group by its id; by a name or a pattern. */
bool dt_policy_names_ids(dt_policy const *p);
bool dt_policy_names_names(dt_policy const *p);
/* The i-th group that some rule names by id and that people mean by `word`: its id, or the name that
 * stands beside it. NULL past the last. */
char const *dt_policy_group_meant(dt_policy const *p, char const *word, size_t i);
/* A group for people: its name, or its id with the name that the policy has beside it. Returns out. */
#define DT_GROUP_SHOWN_MAX 384
char *dt_policy_group_shown(dt_policy const *p, char const *group, char out[DT_GROUP_SHOWN_MAX]);
/* What the policy says of report_only; the configuration's word counts where it says nothing. */
typedef enum dt_report { DT_REPORT_UNSET = 0, DT_REPORT_NO, DT_REPORT_YES } dt_report;
dt_report dt_policy_report(dt_policy const *p);
/* True when some ACTIVE rule looks at the time. */
bool dt_policy_needs_time(dt_policy const *p);
size_t dt_policy_rule_count(dt_policy const *p);
/* What is allowed but risky: warning i as "file:line#/pointer: text"; NULL past the end. The last one says how
 * many were left out, if any were. */
char const *dt_policy_warning(dt_policy const *p, size_t i);
/* True when some ACTIVE rule holds for devices of this trust alone; for TRUSTED and NOT_TRUSTED. */
bool dt_policy_asks_for(dt_policy const *p, dt_trust trust);

/* Whether a verdict can have the reason, where the device is TRUSTED or where it is not. */
bool dt_policy_reason_fits(dt_reason r, bool trusted);

typedef enum dt_group_knowledge {
    DT_GROUPS_UNKNOWN = 0, /* the look-up failed or was not made */
    DT_GROUPS_KNOWN,
} dt_group_knowledge;

/* What is known of the address when it is not set. */
typedef enum dt_address {
    DT_ADDRESS_UNKNOWN = 0, /* there is one, and nobody could read it (a host name) */
    DT_ADDRESS_ABSENT, /* none came with the request (802.1X), so no list has it; where the person
                               comes from is not known for that */
    DT_ADDRESS_LOCAL,  /* none: the person sits at this host, and that is in no zone */
} dt_address;

/* Who asks, from where, on what, when: what the conditions look at. All borrowed. The zero value
 * knows nothing. */
typedef struct dt_policy_input {
    /* What rules may call the person: any of them, ASCII case folded. "" or NULL = has none. */
    char const *user;        /* the local name; must be there */
    char const *login;       /* the Okta login */
    char const *short_login; /* the same without login_suffix */
    bool machine;            /* no person: conditions that name people or groups do not hold */
    char const *const *groups;
    size_t group_count;
    dt_group_knowledge group_knowledge;
    dt_ip ip;
    dt_address address;        /* counts when ip is not set */
    dt_geo_place const *place; /* where ip is, imagined; NULL: the zones' databases are asked */
    dt_platform platform;
    dt_trust trust;
    dt_reason reason;         /* of the trust */
    dt_unknown_as unknown_as; /* how UNKNOWN trust is taken; DENY: UNKNOWN denies before any rule */
    dt_time now;              /* 0 = not known */
    int utc_offset;           /* of the local time at `now`, minutes east of UTC */
    bool utc_offset_known;
} dt_policy_input;

typedef enum dt_access { DT_ACCESS_DENY = 0, DT_ACCESS_ALLOW, DT_ACCESS_ALLOW_AFTER_MFA } dt_access;
/* "DENY", "ALLOW", "ALLOW_AFTER_MFA"; "DENY" for any other number. */
char const *dt_access_name(dt_access a);

/* Which part of a rule. */
typedef enum dt_condition {
    DT_CONDITION_NONE = 0, /* all held: this rule decides */
    DT_CONDITION_INACTIVE,
    DT_CONDITION_PEOPLE,
    DT_CONDITION_NETWORK,
    DT_CONDITION_PLATFORM,
    DT_CONDITION_DEVICE,
    DT_CONDITION_TIME,
    DT_CONDITION_COUNT, /* not a condition */
} dt_condition;
char const *dt_condition_name(dt_condition c);

/* What a rule of which it cannot be said whether it holds does (a group, an address, a platform, a
 * device's state, the time is not known): one that would deny, ask for MFA or put attributes into the
 * reply refuses the sign-on. One that would only let in is passed over, for no rule after it can be
 * laxer; and should one behind it deny, the cause is that it was not known. */
typedef enum dt_decision_cause {
    DT_DECISION_NO_RULE = 0, /* no rule matched */
    DT_DECISION_RULE,
    DT_DECISION_UNKNOWN_DEVICE, /* unknown_device_as = deny; or a rule names reasons */
    DT_DECISION_UNKNOWN_GROUPS, /* a rule that was reached names groups and they are not known */
    DT_DECISION_UNKNOWN_NETWORK,
    DT_DECISION_UNKNOWN_PLATFORM,
    DT_DECISION_UNKNOWN_TIME,
    DT_DECISION_BLOCKED_ZONE, /* the address is in a BLOCKLIST zone; before any rule */
    DT_DECISION_CAUSE_COUNT,  /* not a cause */
} dt_decision_cause;
/* "NO_RULE", "RULE", "DEVICE_UNKNOWN", "GROUPS_UNKNOWN", ... */
char const *dt_decision_cause_name(dt_decision_cause c);

typedef struct dt_decision {
    dt_access access;
    dt_decision_cause cause;
    dt_frequency frequency;
    dt_time lifetime; /* how long an MFA given now is good: 0 = for this sign-on, DT_TIME_NEVER =
                             always; of ONCE_PER_SESSION 0 */
    unsigned factors; /* dt_factor_type bits, one of which must be the one given, also when it is
                             a remembered one; only with ALLOW_AFTER_MFA */
    unsigned remember_by; /* dt_remember_by bits */
    unsigned unknown;     /* 1 << dt_condition: what was not known of rules that were passed over or
                             refused. A better answer could give a laxer decision, never a stricter one */
    char rule[DT_POLICY_NAME_MAX]; /* "" when no rule decided */
    int priority;
    uint32_t rule_index;   /* in evaluation order; with policy_stamp for the accessors below */
    uint64_t policy_stamp; /* of the policy that decided: made of its hash */
} dt_decision;

/* The frequency as the policy would write it: a word, or an ISO 8601 duration. Returns dst. */
char *dt_decision_frequency_text(char dst[DT_DURATION_TEXT_MAX], dt_decision const *d);

/* The decision. Thread safe, allocates nothing. NULL policy denies. */
void dt_policy_decide(dt_policy const *p, dt_policy_input const *in, dt_decision *out);

/* Takes the org's own rules (NULL: it has none) into an application's decision about the same input.
 * `mfa_waived`: their MFA is not due here. *own is what they decide by themselves, all zero without
 * them. They look at no device, so what is not known of it is nothing to them. True when nothing but
 * the org asks for MFA. */
bool dt_policy_decide_org(dt_policy const *org, dt_policy_input const *in, bool mfa_waived,
                          dt_decision *d, dt_decision *own);
/* Adds to an application's decision what the org's asks for: its own denial takes the place of it, and
 * its MFA is due as well, the more often asked for of the two. `without_mfa`: only the denial. */
void dt_decision_combine(dt_decision *d, dt_decision const *org, bool without_mfa);

/* A RADIUS attribute that a rule's reply carries: the name as dictionaries have it, its form checked
 * and no more (the dictionary is the RADIUS module's), and the value as text. */
typedef struct dt_reply_attribute {
    char const *name, *value; /* the policy's, as long as it lives */
} dt_reply_attribute;

/* The reply attributes of the rule that decided, in the order of the file; *count 0 when it has none
 * or no rule decided. DT_E_STATE when `p` is not the very policy that decided (it was loaded anew
 * since): then nothing can be said, and a reply without them could mean more access, not less. */
DT_MUST_USE int dt_policy_reply(dt_policy const *p, dt_decision const *d,
                                dt_reply_attribute const **out, size_t *count);
/* The reply attributes of rule i in evaluation order, whether it is ACTIVE or not, and its name: for
 * whoever checks them against a dictionary when the policy is loaded. NULL and 0 when there are none. */
dt_reply_attribute const *dt_policy_rule_reply(dt_policy const *p, size_t i, char const **rule,
                                               size_t *count);
/* The text for the person of the rule that denied; "" when it has none, no rule denied, or `p` is not
 * the policy that decided. Safe for a terminal. */
char const *dt_policy_message(dt_policy const *p, dt_decision const *d);

/* Rule i in evaluation order: its name and the first condition that does not hold for `in`; of a rule
 * that might hold, the first of which that is not known. */
dt_condition dt_policy_explain_rule(dt_policy const *p, size_t i, dt_policy_input const *in,
                                    char const **rule_name);
/* True when it cannot be said whether rule i holds. */
bool dt_policy_rule_is_unknown(dt_policy const *p, size_t i, dt_policy_input const *in);
/* The first name of a person in the conditions (no pattern) that `is_wrong` says so of, and the rule it is
 * in; NULL when there is none. Both borrowed from the policy. */
char const *dt_policy_find_user(dt_policy const *p, bool (*is_wrong)(void *ctx, char const *name),
                                void *ctx, char const **rule);
/* The first BLOCKLIST zone that has the address; "" when there is none. */
char const *dt_policy_blocking_zone(dt_policy const *p, dt_policy_input const *in);

#endif
