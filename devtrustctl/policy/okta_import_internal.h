/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of okta_import.h: what its parts share. */
#ifndef DT_CORE_OKTA_IMPORT_INTERNAL_H
#define DT_CORE_OKTA_IMPORT_INTERNAL_H

#include "core/base/json_reader.h"
#include "core/policy/network.h"
#include "devtrustctl/policy/okta_import.h"
#include "core/policy/policy.h"

/* What stands for "any factor that the person has". In a browser the org's policy for another app decides what is
 * asked for, so no imported rule takes that. */
#define DT_IMPORT_FACTORS (DT_FACTOR_POSSESSION & ~(unsigned)DT_FACTOR_BROWSER)

#define DT_IMPORT_PRIORITY_MAX 1000000 /* as in policy.schema.json */
#define DT_IMPORT_DOUBTS_MAX 16        /* noted for one rule; more are counted with the last */

/* What a rule gives. Zero denies. */
typedef struct dt_import_action {
    bool refused;     /* cannot be given here: taken for DENY in every comparison */
    dt_access access; /* ALLOW, ALLOW_AFTER_MFA or DENY */
    dt_time lifetime; /* of an MFA; 0: every sign-on; DT_TIME_NEVER: only once */
    unsigned factors; /* dt_factor_type bits */
} dt_import_action;

/* How a device condition reads here. */
typedef enum dt_import_device {
    DT_IMPORT_DEVICE_ANY = 0,
    DT_IMPORT_DEVICE_TRUSTED,
    DT_IMPORT_DEVICE_NOT_TRUSTED,
} dt_import_device;

/* The states of a device that an org distinguishes, a bit each. Ours are TRUSTED, which is the first, and
 * NOT_TRUSTED, which is the two others. */
#define DT_IMPORT_MANAGED (1u << 0)
#define DT_IMPORT_REGISTERED (1u << 1) /* and not managed */
#define DT_IMPORT_UNREGISTERED (1u << 2)
#define DT_IMPORT_STATES (DT_IMPORT_MANAGED | DT_IMPORT_REGISTERED | DT_IMPORT_UNREGISTERED)

/* The states that a condition may hold for, and those for which it surely does. */
typedef struct dt_import_states {
    unsigned may, must;
} dt_import_states;

typedef struct dt_import_rule {
    dt_json const *json;
    size_t policy, index; /* in the document */
    dt_json const
        *groups; /* the policy's own include of groups, or NULL; of the org's rules only */
    bool policy_system, system;
    int64_t policy_priority, priority;
    char name[DT_POLICY_NAME_MAX]; /* as it will be called here */
    dt_import_action action;
    dt_import_states states; /* of the device, in the org */
    bool for_all;            /* it asks for nothing but the device */
} dt_import_rule;

typedef enum dt_import_zone_state {
    DT_IMPORT_ZONE_UNUSABLE = 0, /* cannot be evaluated here */
    DT_IMPORT_ZONE_INACTIVE,
    DT_IMPORT_ZONE_SKIPPED, /* by the administrator's word */
    DT_IMPORT_ZONE_USABLE,
} dt_import_zone_state;

typedef struct dt_import_zone {
    dt_json const *json;
    size_t index;
    char const *id;
    char name[DT_POLICY_NAME_MAX];
    dt_import_zone_state state;
    bool blocks;                  /* usage BLOCKLIST */
    bool empty;                   /* of type IP, and has no address */
    bool used;                    /* a rule of ours names it */
    char why[DT_IMPORT_TEXT_MAX]; /* it is not usable */
} dt_import_zone;

/* An id and what it is called; sorted by id. */
typedef struct dt_import_name {
    char const *id, *name;
    bool everyone;    /* the built-in group of everybody */
    bool ambiguous;   /* another id has the same name */
    bool unstorable;  /* the name is one that our files cannot hold */
    char const *type; /* of a group, as Okta has it; NULL when not reported */
} dt_import_name;

typedef struct dt_import_doubt {
    char pointer[DT_IMPORT_POINTER_MAX];
    char text[DT_IMPORT_TEXT_MAX];
} dt_import_doubt;

typedef struct dt_importing {
    dt_import_options const *o;
    dt_json_reader r; /* for the pointer, and for errors of the document's form */
    dt_import_counts *counts;
    bool org;                     /* the org's own sign-on rules are read, OKTA_SIGN_ON */
    dt_json const *policy_groups; /* of the rule that is being converted */
    char const *rule;             /* that notes are about; "" for none */
    bool muted;                   /* nothing is noted or counted */
    bool aloud;                   /* what is kept of the conditions is noted */
    dt_import_name *groups, *users;
    size_t group_count, user_count;
    dt_import_zone *zones;
    size_t zone_count;
    dt_import_rule *rules; /* ACTIVE, in evaluation order */
    size_t rule_count;
    /* of the rule that is being converted */
    dt_import_doubt doubts[DT_IMPORT_DOUBTS_MAX];
    size_t doubt_count;
    bool never;       /* it can hold for nobody */
    bool state_doubt; /* of the device, only that the wide form holds for more states is in doubt */
    unsigned wide;    /* the states that the wide form holds for: DT_IMPORT_MANAGED and so on */
    bool narrow;      /* the narrow form of the device condition is asked for */
    bool narrows;     /* there is one: with no doubt but that, the whole rule has a narrow form */
} dt_importing;

/* A member of an object that is there and not null; else NULL. */
dt_json const *dt_import_given(dt_json const *v, char const *name);
/* True when a string equals a word, ASCII case folded: Okta's examples write either case. */
bool dt_import_is(dt_json const *v, char const *word);
/* Reports one piece at the reader's pointer. */
void dt_import_report(dt_importing *m, dt_import_kind kind, char const *fmt, ...) DT_PRINTF(3, 4);
/* A condition at the reader's pointer that cannot be kept as it is. */
void dt_import_doubt_add(dt_importing *m, char const *fmt, ...) DT_PRINTF(2, 3);
/* Writes `"name":` after a comma where one is due. */
void dt_import_put_name(dt_buf *b, char const *name);

/* --- okta_import_actions.c --- */
/* Reads a rule's actions (the reader stands at the rule) and notes what became of them. */
void dt_import_action_read(dt_importing *m, dt_json const *rule, dt_import_action *out);
/* Like dt_import_action_read, for a rule of an OKTA_SIGN_ON policy. */
void dt_import_signon_read(dt_importing *m, dt_json const *rule, dt_import_action *out);
/* Appends {"signon":{...}}. */
void dt_import_signon_put(dt_import_action const *a, dt_buf *b);
/* Notes an action that cannot be translated: it is refused, or denies. */
void dt_import_action_refuse(dt_importing *m, dt_import_action *out, char const *why);
/* The first member that is not null and not among `known` (which ends with NULL), or NULL. */
char const *dt_import_unknown_member(dt_json const *v, char const *const *known);
/* `a` gives no more than `b`: whoever passes a passes b, at least as often asked. */
bool dt_import_action_within(dt_import_action const *a, dt_import_action const *b);
/* Appends {"appSignOn":{...}}. */
void dt_import_action_put(dt_import_action const *a, dt_buf *b);

/* --- okta_import_conditions.c --- */
/* Appends the conditions of a rule (the reader stands at the rule) in their wide form, or with
 * m->narrow in their narrow form: an object, or null when nothing is asked. Fills doubts, never and
 * narrows; notes what is kept when `aloud`. */
void dt_import_conditions_put(dt_importing *m, dt_json const *rule, bool aloud, dt_buf *b);
/* The states that a device condition asks for. */
dt_import_states dt_import_states_of(dt_json const *device);

/* --- okta_import_zones.c --- */
DT_MUST_USE int dt_import_zones_read(dt_importing *m, dt_json const *zones);
dt_import_zone *dt_import_zone_find(dt_importing *m, char const *id);
/* Notes every zone, and appends {"zones":[...]} of those that are used or block. */
void dt_import_zones_put(dt_importing *m, dt_buf *b);

#endif
