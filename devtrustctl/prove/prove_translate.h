/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies as formulas over the space of sign-ons. What dt_policy_decide computes for one sign-on, these
 * terms say of all. They are made from the compiled rules and not by the code that decides, so that a
 * fault of either shows as a sign-on on which the two disagree. */
#ifndef DT_CTL_PROVE_TRANSLATE_H
#define DT_CTL_PROVE_TRANSLATE_H

#include "devtrustctl/prove/prove_space.h"

/* Of a rule's conditions: they all hold; it cannot be said whether they hold. Never both. */
typedef struct dt_rule_terms {
    dt_term holds, maybe;
} dt_rule_terms;

typedef struct dt_policy_terms {
    dt_policy const *p;
    dt_rule_terms *rules; /* by index in evaluation order; INACTIVE ones hold never */
    dt_term *reached; /* no rule before has ended the evaluation; one more than there are rules */
    dt_term *stops;   /* no rule after it counts, if it is reached */
    dt_term *decides; /* the rule is reached and holds */
    dt_term blocked;  /* the address is in a BLOCKLIST zone */
    dt_term maybe_blocked; /* or nobody can say that it is not */
    dt_term begins;        /* the rules are looked at */
    dt_term allows, asks;  /* lets in without MFA; after MFA */
    dt_term refused;       /* a rule was reached of which nothing can be said */
    dt_term left;          /* no rule holds, nor might one */
} dt_policy_terms;

/* One rule, which is of this policy. */
dt_rule_terms dt_translate_rule(dt_space *s, dt_policy const *p, dt_rule const *r);
/* A whole policy. `org`: the org's own rules, to whom an UNKNOWN device is NOT_TRUSTED. DT_E_NOMEM.
 * Free with dt_policy_terms_free. */
DT_MUST_USE int dt_translate_policy(dt_space *s, dt_policy const *p, bool org, dt_policy_terms *out,
                                    dt_error *e);
void dt_policy_terms_free(dt_policy_terms *t);

/* What a sign-on gets of an application's policy and the org's rules before it. */
typedef struct dt_access_terms {
    dt_term allows, asks;
} dt_access_terms;
/* `org` NULL: there are no rules of the org. */
dt_access_terms dt_translate_access(dt_space *s, dt_policy_terms const *app,
                                    dt_policy_terms const *org);
/* The device of the sign-on has this trust; of a verdict, so that UNKNOWN is itself. */
dt_term dt_translate_trust(dt_space *s, dt_trust trust);

#endif
