/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a decision was made on, as the audit event of the sign-on keeps it, so that another policy can be
 * asked about the same sign-on later: devtrustctl policy replay. The address, the device's trust and its
 * reason stand elsewhere in the event. */
#ifndef DT_CORE_POLICY_RECORD_H
#define DT_CORE_POLICY_RECORD_H

#include "core/policy/policy.h"

#define DT_POLICY_RECORD_MAX 4096      /* bytes of a record */
#define DT_POLICY_RECORD_LIST_MAX 1400 /* bytes of one of its lists of groups */

typedef enum dt_groups_lookup {
    DT_GROUPS_LOOKUP_NOT_MADE = 0, /* no rule that was reached needed them */
    DT_GROUPS_LOOKUP_FAILED,       /* no source answered */
    DT_GROUPS_LOOKUP_ANSWERED,
    DT_GROUPS_LOOKUP_COUNT, /* not a value */
} dt_groups_lookup;
/* "NOT_MADE", "FAILED", "ANSWERED"; "NOT_MADE" for anything else. */
char const *dt_groups_lookup_name(dt_groups_lookup t);
/* "ip" where the input has an address, else "unknown", "absent", "local". */
char const *dt_address_name(dt_policy_input const *in);

/* All borrowed. */
typedef struct dt_policy_record {
    dt_policy_input const *in; /* its groups are those that the rules below name */
    dt_policy const *policy, *org;
    dt_decision const *decision;
    dt_groups_lookup groups_lookup;
    uint64_t unsure; /* a bit for each group: others at Okta may have its name, too */
    bool selected;   /* of those, only the ones that can change a decision of these rules */
} dt_policy_record;

/* Appends a JSON object: "at", "utcOffset" (minutes, or null), "names" (local name, Okta login, short
 * login), "address", "platform", "unknownDeviceAs", "groupsLookup", "groups" and "groupsAsked" (all that
 * rules name, patterns as {"like"}; an id as {"id"}; one of several of its name as {"unsure"}),
 * "groupsSelected", "orgPolicyHash", "factors" (that the decision takes for its MFA). A list that is longer
 * than its limit is null; a record that is, {}. */
void dt_policy_record_put(dt_policy_record const *r, dt_buf *out);

#endif
