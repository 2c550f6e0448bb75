/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an administrator wants to be true of a policy, whoever signs on, in the words of its rules: a small
 * file beside the policy, for `devtrustctl policy prove` and `policy test`.
 * conf/policies/properties.schema.json is the published JSON Schema. */
#ifndef DT_CTL_POLICY_PROPERTIES_H
#define DT_CTL_POLICY_PROPERTIES_H

#include "core/policy/policy.h"

#define DT_PROPERTIES_TEXT_MAX (1024 * 1024)
#define DT_PROPERTIES_MAX 256

/* 1 << dt_access each. */
#define DT_ACCESS_BIT(a) (1u << (a))

/* Of every sign-on that fits the conditions, `access` says what never comes of it, or what always does.
 * What is not known of a sign-on (a group, an address) counts against the policy where it could get more
 * than it should, and not where it could get less: "never ALLOW" is about all that may fit, "always
 * ALLOW" about all that fit for sure. */
typedef struct dt_property {
    char const *name; /* borrowed from the tree; or made of the place in the file */
    bool always;      /* else never */
    bool known;       /* only of sign-ons of which everything is known */
    bool
        unknown_device; /* of devices whose verdict is UNKNOWN; the conditions say nothing of devices */
    unsigned access; /* DT_ACCESS_BIT bits */
} dt_property;

typedef struct dt_properties {
    dt_property *items;
    size_t count;
    dt_policy *conditions; /* its rule i, in evaluation order, has the conditions of items[i] */
    char (*names)[40];     /* of those that have none */
} dt_properties;

/* Reads {"properties":[{"name","never":{...}},{"name","always":{...}}]}. `policy` is the tree of the
 * policy that they are of, whose groups within groups count here, too; it and `root` live as long as the
 * result, `zones` as well. DT_E_INVALID with file, line and pointer; DT_E_NOMEM. */
DT_MUST_USE int dt_properties_parse(dt_json const *root, dt_json_source const *source,
                                    dt_json const *policy, dt_zones const *zones,
                                    dt_properties **out, dt_error *e);
void dt_properties_free(dt_properties **p);

/* Whether a decision about a sign-on breaks property i. Thread safe. */
bool dt_property_is_broken(dt_properties const *p, size_t i, dt_policy_input const *in,
                           dt_access access);

/* What breaks a property: access bits that break it for a sign-on that may fit the conditions, and those
 * that do so only for one that fits for sure. */
typedef struct dt_property_faults {
    unsigned may_fit, fits;
} dt_property_faults;
dt_property_faults dt_property_faults_of(dt_property const *p);
/* True when nothing that rules look at is unknown. */
bool dt_policy_input_is_known(dt_policy_input const *in);

#endif
