/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room ruleset: what all sign-ons share of one configuration.
 *
 * Begin with dt_ruleset below, which holds it. identity.h: dt_identity_make turns the name that a door received
 * into the one dt_identity that rules, caches, limits and remembered MFA go by. config_check.h has the rules
 * between the keys of devtrust.conf, which is in force only when all of them hold. service.h says which PAM
 * services are variants of one (`sudo -i`). break_glass.h says who gets in when everything else is broken. */
#ifndef DT_CORE_RULESET_H
#define DT_CORE_RULESET_H

#include "core/device/device.h"
#include "core/policy/policy.h"
#include "core/ruleset/break_glass.h"
#include "core/ruleset/config_check.h"
#include "core/ruleset/identity.h"
#include "core/ruleset/service.h"

/* What the sign-ons of one application share: read-only, made once (dt_site_ruleset), replaced as a whole.
 * Borrowed from the site that made it. */
typedef struct dt_ruleset {
    dt_config const *config;
    dt_trust_store const *anchors;
    dt_ssh_cas const *ssh_cas;       /* CAs of devices' SSH certificates; NULL: none */
    dt_policy const *policy;         /* of the application; NULL denies with DT_CAUSE_CONFIG */
    struct dt_managed_file *managed; /* where DT_STEP_MANAGED reads; the core only hands it on */
    /* Which of the sites that one process uses one after another it is, counted from 1, and since
     * when: for the audit. 0 = not counted. */
    uint64_t generation;
    dt_time loaded;
    /* Hex SHA-256 of what the verdict depends on besides the policy: devtrust.conf, and the CAs
     * of certificates. NULL = not known. */
    char const *config_hash, *ca_hash;
    void *owner;          /* of the maker; the core does not read it */
    dt_policy const *org; /* the org's own rules, which come first; NULL: there are none */
    dt_user_table const *user_table; /* of [user_name] table_file; NULL: none */
} dt_ruleset;

/* Whether any of the rules names groups, or this one. */
bool dt_ruleset_needs_groups(dt_ruleset const *ruleset);
bool dt_ruleset_names_group(dt_ruleset const *ruleset, char const *group);
/* Groups that are kept because rules name them; from then on only those without which a decision may be
 * another one. */
#define DT_GROUPS_KEPT_FREELY 32
/* Whether a group of a person has to be carried on, beside the `count` ones of `kept` (names,
 * NUL-terminated one after another). */
bool dt_ruleset_keeps_group(dt_ruleset const *ruleset, dt_bytes kept, size_t count,
                            char const *group);
/* True when some rule names a group by a name or a pattern; by its id at Okta. */
bool dt_ruleset_names_names(dt_ruleset const *ruleset);
bool dt_ruleset_names_ids(dt_ruleset const *ruleset);
/* The sources of groups, dt_groups_from bits: those of [policy] groups_from, and Okta where a rule names a
 * group by its id at Okta; Okta alone where rules name groups only by ids. */
unsigned dt_ruleset_groups_from(dt_ruleset const *ruleset);

/* Whether sign-ons are only reported: as the policy says, or else the configuration; never where the first
 * factor is the Okta password, because devtrust alone checks it. */
bool dt_ruleset_is_report_only(dt_ruleset const *ruleset);

#endif
