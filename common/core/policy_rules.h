/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The compiled form of zones and policies, private to zones.c, policy_parse.c and policy.c: what is
 * written once by the compiler and read by many threads. */
#ifndef DT_CORE_POLICY_RULES_H
#define DT_CORE_POLICY_RULES_H

#include "core/outcome.h"
#include "core/policy.h"

#define DT_PRIORITY_MAX 1000000

/* --- zones ------------------------------------------------------------------------------------ */

/* Zone i is bit i of a look-up's answer. The networks of an INACTIVE zone are
 * checked and then count for nothing. */
struct dt_zones {
    dt_network_set *networks;
    size_t count;
    uint64_t active; /* bits of ACTIVE zones */
    char names[DT_ZONES_MAX][DT_POLICY_NAME_MAX];
};

/* Index of a zone, or -1. */
int dt_zones_find(dt_zones const *z, char const *name);
/* 0 for NULL zones or an address that no active zone holds. */
uint64_t dt_zones_lookup(dt_zones const *z, dt_ip const *ip);

/* --- names of people and groups --------------------------------------------------------------- */

/* A name folded to ASCII lower case, with its hash in front: comparing two numbers decides nearly
 * always. */
typedef struct dt_folded_name {
    uint64_t hash;
    char const *text; /* folded; points into the policy's text */
} dt_folded_name;

/* Strings of a policy: never moved, freed with it. */
typedef struct dt_text_block {
    struct dt_text_block *next;
    size_t used, size;
    char text[];
} dt_text_block;

/* FNV-1a over the folded name. Names in a policy come from the administrator, so nobody else can
 * choose them to collide; equal hashes are told apart by the text. */
uint64_t dt_name_hash(char const *name);

/* A slice of dt_policy.names, sorted by hash. */
typedef struct dt_name_list {
    uint32_t first, count;
} dt_name_list;

/* --- rules ------------------------------------------------------------------------------------ */

typedef enum dt_device_condition {
    DT_DEVICE_ANY = 0,
    DT_DEVICE_TRUSTED,
    DT_DEVICE_NOT_TRUSTED,
} dt_device_condition;

typedef struct dt_rule {
    /* What most evaluations look at comes first. */
    bool active;
    bool anyone;         /* no name in any of the lists */
    bool in_zone;        /* zones are looked at; else from anywhere */
    bool any_client;     /* no platform is looked at */
    uint8_t platforms;   /* dt_platform bits that match unless any_client */
    uint8_t device;      /* dt_device_condition */
    uint8_t access;      /* dt_access */
    uint8_t frequency;   /* dt_frequency */
    uint8_t remember_by; /* dt_remember_by bits */
    unsigned factors;
    int priority;
    dt_time lifetime;
    uint64_t zones_include; /* 0 = every address */
    uint64_t zones_exclude;
    dt_name_list users_include, users_exclude;
    dt_name_list groups_include, groups_exclude;
    char const *name; /* points into the policy's text */
    uint32_t origin;  /* index in the file, for messages */
    uint32_t reply_first, reply_count;
    char const *message; /* "" = none */
    bool catch_all;      /* its conditions are null or {} */
} dt_rule;

extern dt_config_word const dt_frequency_words[];

struct dt_policy {
    dt_zones const *zones; /* borrowed */
    dt_rule *rules;        /* by priority */
    size_t rule_count;
    dt_folded_name *names;
    size_t name_count;
    dt_name_list all_groups;     /* every group that any rule names, sorted by hash, each once */
    dt_reply_attribute *replies; /* slices of it are the rules' */
    size_t reply_count;
    dt_text_block *text;
    char application[DT_APPLICATION_MAX];
    char application_group[DT_APPLICATION_MAX];
    char hash[65];
    dt_report report;
    uint64_t stamp;
};

#endif
