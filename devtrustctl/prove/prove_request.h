/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between facts and sign-ons: a sign-on that has the values of facts, for the evaluator and for people;
 * and the values that a sign-on has. */
#ifndef DT_CTL_PROVE_REQUEST_H
#define DT_CTL_PROVE_REQUEST_H

#include "devtrustctl/prove/prove_space.h"

/* A sign-on as the evaluator takes it. Large: on the heap. */
typedef struct dt_prove_request {
    dt_policy_input in; /* borrows what is below, and names of the policies */
    char names[DT_SPACE_NAMES][DT_GROUP_NAME_MAX];
    char const *groups[DT_GROUPS_MAX];
    char (*made_groups)[DT_GROUP_NAME_MAX];
    size_t made_count;
    dt_geo_place place;
    bool org_waives; /* [policy] org_mfa = unless_trusted */
} dt_prove_request;

/* DT_E_NOMEM. Free with dt_prove_request_free. */
DT_MUST_USE int dt_prove_request_new(dt_space const *s, dt_prove_request **out);
void dt_prove_request_free(dt_prove_request **r);

typedef enum dt_request_made {
    DT_REQUEST_LIMIT = 0,  /* too much to search */
    DT_REQUEST_IMPOSSIBLE, /* no sign-on has these values; *lemma says which of them, for all */
    DT_REQUEST_MADE,
} dt_request_made;

/* The sign-on of these values. *lemma, of the space's formula, is true of all sign-ons, and false for
 * these values. */
DT_MUST_USE dt_request_made dt_request_make(dt_space *s, uint32_t const *values,
                                            dt_prove_request *out, dt_term *lemma);
/* The values that a sign-on has. */
void dt_request_values(dt_space const *s, dt_policy_input const *in, bool org_waives,
                       uint32_t *values);
/* False for values that no sign-on has, because of what a solver is given in any case: the times do not fit
 * together, or a short login without a login. */
bool dt_values_fit(dt_space const *s, uint32_t const *values);
/* What is supposed where nothing depends on it. */
void dt_values_usual(dt_space const *s, uint32_t *values);

#endif
