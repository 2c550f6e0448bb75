/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proving a policy, and printing the result: properties that every policy is asked for, those of an
 * administrator, what rules do to each other, and a policy against the one before. */
#ifndef DT_CTL_PROVE_RUN_H
#define DT_CTL_PROVE_RUN_H

#include "devtrustctl/ctl.h"
#include "devtrustctl/prove/prove_builtin.h"

#define DT_PROVE_SECONDS 60 /* unless --seconds says otherwise */
#define DT_PROVE_SECONDS_MAX 86400
#define DT_PROVE_JSON_MAX (64 * 1024 * 1024)
#define DT_PROVE_FINDINGS_SHOWN 200 /* of a kind, in lines; JSON has all */

typedef struct dt_proving {
    dt_prover v;               /* whoever begins sets the sides and has_old */
    dt_properties *properties; /* the administrator's; NULL: none */
    bool json;
    bool skip[DT_BUILTIN_COUNT];
    int unknown_as, org_mfa; /* dt_unknown_as, dt_org_mfa; -1: either */
    int64_t seconds;
    dt_policy *outsiders;
    size_t proved, refuted, undecided, disagreed, not_asked, findings;
    int64_t properties_took; /* milliseconds until all properties were asked; set by who asks */
    size_t open;             /* rules of which is not known whether they matter */
    dt_buf properties_json, findings_json;
} dt_proving;

void dt_proving_init(dt_proving *p);
/* Translates, and starts the clock and the solver. */
DT_MUST_USE int dt_proving_begin(dt_proving *p, dt_error *e);
void dt_proving_builtins(dt_proving *p);
void dt_proving_own(dt_proving *p);
DT_MUST_USE int dt_proving_rules(dt_proving *p, dt_error *e);
DT_MUST_USE int dt_proving_against(dt_proving *p, dt_error *e);
/* DISAGREES outweighs NO, and that UNDECIDED. */
dt_ctl_exit dt_proving_exit(dt_proving const *p);
/* All but what whoever began it has set. */
void dt_proving_free(dt_proving *p);

#endif
