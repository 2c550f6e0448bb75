/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiled form of zones and policies, private to zones.c, policy_parse.c and policy.c: what is
 * written once by the compiler and read by many threads. */
#ifndef DT_CORE_POLICY_RULES_H
#define DT_CORE_POLICY_RULES_H

#include "core/base/limits.h"
#include "core/policy/policy.h"

#define DT_PRIORITY_MAX 1000000

/* --- zones ------------------------------------------------------------------------------------ */

typedef struct dt_zone {
    char name[DT_POLICY_NAME_MAX];
    uint64_t hash; /* of the name */
    bool active, blocklist, dynamic;
    uint32_t place_first, place_count; /* slices of dt_zones.places and .asns, sorted */
    uint32_t asn_first, asn_count;
    uint32_t origin; /* index in the file */
} dt_zone;

/* Zone i is tag i of the networks. The networks of an INACTIVE zone are checked and then count for
 * nothing. */
struct dt_zones {
    dt_network_set *networks;
    dt_geo const *geo; /* borrowed; NULL = nobody to ask */
    dt_zone *zones;
    size_t count, cap;
    uint64_t *places; /* country and region as one number: zones.c */
    size_t place_count, place_cap;
    uint32_t *asns;
    size_t asn_count, asn_cap;
    bool any_dynamic;              /* an ACTIVE one */
    size_t rule_zones, blocklists; /* ACTIVE ones that rules may name, and that no rule names */
    dt_tag_set blocklist;
};

/* Makes room for one more element of an array that doubles; *items, NULL at first, moves. DT_E_NOMEM
 * leaves it as it was. */
DT_MUST_USE int dt_array_grow(void **items, size_t count, size_t *cap, size_t size);
/* Index of a zone, or -1. */
int dt_zones_find(dt_zones const *z, char const *name);
/* The zones that hold the address (`place` as in dt_policy_input), and those of which it cannot be
 * said. Of both the first dt_zones_words words are filled. */
void dt_zones_locate(dt_zones const *z, dt_ip const *ip, dt_geo_place const *place, dt_tag_set *in,
                     dt_tag_set *unknown);
size_t dt_zones_words(dt_zones const *z);
/* What DYNAMIC zones go by: where the address is. False when no ACTIVE zone is one, or for an address
 * that is nowhere on the Internet. */
bool dt_zones_place(dt_zones const *z, dt_ip const *ip, dt_geo_place const *place,
                    dt_geo_place *out);

static inline bool dt_tag_set_has(dt_tag_set const *s, uint32_t tag)
{
    return (s->words[tag / 64] >> tag % 64 & 1) != 0;
}

/* --- names of people and groups --------------------------------------------------------------- */

/* A name folded to ASCII lower case, with its hash in front: comparing two numbers decides nearly
 * always. */
typedef struct dt_folded_name {
    uint64_t hash;
    char const
        *text; /* folded; points into the policy's text. The id of a group (dt_group_is_id) is
                         as it is, and after its NUL is the name that people know it by */
} dt_folded_name;

/* Strings of a policy: never moved, freed with it. */
typedef struct dt_text_block {
    struct dt_text_block *next;
    size_t used, size;
    char text[];
} dt_text_block;

/* FNV-1a over the folded name. Names in a policy come from the administrator, so nobody else can
 * choose them to collide; on equal hashes the texts are compared. */
uint64_t dt_name_hash(char const *name);

/* A slice of an array of the policy: of dt_policy.names (sorted by hash), .zone_ids or .spans. */
typedef struct dt_name_list {
    uint32_t first, count;
} dt_name_list;

/* --- rules ------------------------------------------------------------------------------------ */

/* What a condition says of somebody. */
typedef enum dt_holds { DT_HOLDS_NO = 0, DT_HOLDS_YES, DT_HOLDS_UNKNOWN } dt_holds;

/* A device's state is one bit: its reason, in the upper half when it is TRUSTED. */
#define DT_DEVICE_TRUSTED_SHIFT 32
#define DT_DEVICES_NOT_TRUSTED UINT64_C(0x00000000ffffffff)
#define DT_DEVICES_TRUSTED UINT64_C(0xffffffff00000000)
#define DT_DEVICES_ANY UINT64_MAX
_Static_assert(DT_REASON_COUNT <= DT_DEVICE_TRUSTED_SHIFT, "a bit for each reason");
#define DT_PLATFORMS_ANY (DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE)

/* Minutes of a week that begins on Monday, from `begin` up to before `end`. */
#define DT_MINUTES_OF_DAY 1440
#define DT_MINUTES_OF_WEEK (7 * DT_MINUTES_OF_DAY)
typedef struct dt_time_span {
    uint16_t begin, end;
} dt_time_span;

/* What tells most rules apart from most sign-ons, all of them side by side: a rule that cannot hold is
 * left by looking at 32 bytes. A bit that both have says "could", never "does". */
typedef struct dt_rule_screen {
    uint64_t devices;  /* as dt_rule.devices */
    uint64_t people;   /* a bit per name of include, by its hash; all for everyone */
    uint64_t zones;    /* a bit per zone of include, by its number; all for anywhere */
    uint8_t platforms; /* as dt_rule.platforms; 0 = INACTIVE, never holds */
} dt_rule_screen;

typedef struct dt_rule {
    bool active;
    bool anyone;         /* no name in any of the lists */
    bool in_zone;        /* zones are looked at; else from anywhere */
    bool utc;            /* the time spans are of UTC, else of local time */
    bool catch_all;      /* its conditions are null or {} */
    bool plain_allow;    /* lets in, asks for nothing, and has no reply: no rule is laxer */
    uint8_t platforms;   /* dt_platform bits that match; all of them match what is not known, too */
    uint8_t access;      /* dt_access */
    uint8_t frequency;   /* dt_frequency */
    uint8_t remember_by; /* dt_remember_by bits */
    uint64_t devices;    /* states that match */
    unsigned factors;
    int priority;
    dt_time lifetime;
    dt_name_list users_include, users_exclude;
    dt_name_list groups_include, groups_exclude;
    dt_name_list users_like, users_unlike; /* patterns of include and exclude */
    dt_name_list groups_like, groups_unlike;
    dt_name_list zones_include,
        zones_exclude; /* of dt_policy.zone_ids; no include: every address */
    dt_name_list spans_include, spans_exclude; /* of dt_policy.spans */
    char const *name;                          /* points into the policy's text */
    char const *message;                       /* "" = none */
    uint32_t origin;                           /* index in the file, for messages */
    uint32_t reply_first, reply_count;
} dt_rule;

/* Minutes since Monday 00:00, UTC or local. */
unsigned dt_minute_of_week(dt_policy_input const *in, bool utc);

extern dt_config_word const dt_frequency_words[];

struct dt_policy {
    dt_zones const *zones;   /* borrowed */
    dt_rule *rules;          /* by priority */
    dt_rule_screen *screens; /* one for each rule */
    size_t rule_count;
    dt_folded_name *names;
    size_t name_count;
    dt_name_list all_groups; /* every group that any rule names, sorted by hash, each once */
    dt_name_list all_group_patterns;
    uint16_t *zone_ids;
    size_t zone_id_count;
    dt_time_span *spans;
    size_t span_count;
    bool needs_time;
    dt_reply_attribute *replies; /* slices of it are the rules' */
    size_t reply_count;
    char const *warnings[DT_POLICY_WARNINGS_MAX + 1];
    size_t warning_count; /* also of those that are not kept */
    dt_text_block *text;
    char application[DT_APPLICATION_MAX];
    char application_group[DT_APPLICATION_MAX];
    char hash[65];
    dt_report report;
    uint64_t stamp;
};

#endif
