/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Properties that every policy is asked for. */
#ifndef DT_CTL_PROVE_BUILTIN_H
#define DT_CTL_PROVE_BUILTIN_H

#include "devtrustctl/prove/prove.h"

typedef enum dt_builtin {
    DT_BUILTIN_MFA = 0,
    DT_BUILTIN_OUTSIDERS,
    DT_BUILTIN_BLOCKLIST,
    DT_BUILTIN_DECIDED,
    DT_BUILTIN_COUNT, /* not one */
} dt_builtin;
/* "mfa", ...: how --skip and the output name it. */
char const *dt_builtin_name(dt_builtin b);
/* What it says, as a sentence. */
char const *dt_builtin_text(dt_builtin b);

/* A policy of one rule whose conditions are: none of the people, and in none of the groups, that a rule
 * of `p` which lets in names. *out stays NULL when none names any. `p` lives as long. DT_E_NOMEM. Free
 * with dt_policy_free. */
DT_MUST_USE int dt_outsiders_new(dt_policy const *p, dt_policy **out, dt_error *e);

/* "Some sign-on breaks it." `outsiders` is what dt_outsiders_new has made. False, and no term, where it
 * says nothing of this policy; *why says why. */
bool dt_builtin_broken(dt_prover *v, dt_builtin b, dt_policy const *outsiders, dt_term *out,
                       char const **why);

#endif
