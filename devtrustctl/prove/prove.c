/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The prover's rounds: ask the solver, make a sign-on of what it found, hold it against the evaluator. */
#include "devtrustctl/prove/prove.h"

#include <stdlib.h>
#include <string.h>

#define SIMPLER_TRIES 1000
#define SIMPLER_TERMS (64 * 1024 * 1024) /* terms that are evaluated for it */

/* --- beginning and end ------------------------------------------------------------------------- */

static int side_translate(dt_prover *v, dt_prove_side *side, dt_error *e)
{
    int rc = dt_translate_policy(v->s, side->app, false, &side->app_terms, e);

    if (rc == DT_OK && side->org != NULL)
        rc = dt_translate_policy(v->s, side->org, true, &side->org_terms, e);
    if (rc == DT_OK)
        side->access = dt_translate_access(v->s, &side->app_terms,
                                           side->org != NULL ? &side->org_terms : NULL);
    return rc;
}

int dt_prover_begin(dt_prover *v, dt_policy const *const *conditions, size_t count, dt_error *e)
{
    dt_policy const *all[DT_SPACE_POLICIES_MAX];
    size_t sides = v->has_old ? 2 : 1, n = 0;
    int rc;

    for (size_t i = 0; i < sides; i++) {
        all[n++] = v->sides[i].app;
        all[n++] = v->sides[i].org;
    }
    for (size_t i = 0; i < count && n < DT_SPACE_POLICIES_MAX; i++)
        all[n++] = conditions[i];
    rc = dt_space_new(all, n, &v->s, e);
    for (size_t i = 0; rc == DT_OK && i < sides; i++)
        rc = side_translate(v, &v->sides[i], e);
    if (rc == DT_OK)
        rc = dt_solver_new(v->s, &v->solver, e);
    if (rc != DT_OK)
        return rc;
    v->values = calloc(dt_formula_fact_count(v->s->f) + 1, sizeof(*v->values));
    if (v->values == NULL || dt_prove_request_new(v->s, &v->request) != DT_OK)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    return DT_OK;
}

void dt_prover_free(dt_prover *v)
{
    for (size_t i = 0; i < 2; i++) {
        dt_policy_terms_free(&v->sides[i].app_terms);
        dt_policy_terms_free(&v->sides[i].org_terms);
    }
    dt_prove_request_free(&v->request);
    dt_solver_free(&v->solver);
    dt_space_free(&v->s);
    free(v->lemmas);
    free(v->values);
    free(v->truth);
    v->lemmas = NULL;
    v->values = NULL;
    v->truth = NULL;
}

int64_t dt_prover_time_left(dt_prover const *v)
{
    int64_t left = v->deadline - v->now();

    return left > 0 ? left : 0;
}

/* --- the evaluator ----------------------------------------------------------------------------- */

void dt_prove_decide(dt_prove_side const *side, dt_prove_request const *r, dt_prove_decision *out)
{
    bool waived = r->org_waives && r->in.trust == DT_TRUST_TRUSTED;

    dt_policy_decide(side->app, &r->in, &out->own);
    out->both = out->own;
    (void)dt_policy_decide_org(side->org, &r->in, waived, &out->both, &out->org);
}

/* Whether the rule that lets in or denies is the rule of the terms; no rule when none decided. */
static bool policy_agrees(dt_policy_terms const *t, uint8_t const *truth, dt_decision const *d)
{
    bool rule = d->cause == DT_DECISION_RULE;
    bool begins = d->cause != DT_DECISION_BLOCKED_ZONE;

    if (truth[t->allows] != (d->access == DT_ACCESS_ALLOW) ||
        truth[t->asks] != (d->access == DT_ACCESS_ALLOW_AFTER_MFA) ||
        truth[t->blocked] != !begins || truth[t->left] != (d->cause == DT_DECISION_NO_RULE))
        return false;
    if (!rule)
        return true;
    return d->rule_index < t->p->rule_count && truth[t->decides[d->rule_index]] != 0 &&
           truth[t->begins] != 0;
}

bool dt_prove_agrees(dt_prove_side const *side, uint8_t const *truth, dt_prove_decision const *d)
{
    return policy_agrees(&side->app_terms, truth, &d->own) &&
           (side->org == NULL || policy_agrees(&side->org_terms, truth, &d->org)) &&
           truth[side->access.allows] == (d->both.access == DT_ACCESS_ALLOW) &&
           truth[side->access.asks] == (d->both.access == DT_ACCESS_ALLOW_AFTER_MFA);
}

/* --- one question ------------------------------------------------------------------------------ */

static bool truth_make(dt_prover *v)
{
    size_t count = dt_formula_term_count(v->s->f);
    uint8_t *truth;

    if (count > v->truth_cap) {
        truth = realloc(v->truth, count * 2);
        if (truth == NULL)
            return false;
        v->truth = truth;
        v->truth_cap = count * 2;
    }
    dt_formula_evaluate(v->s->f, v->values, v->truth);
    return true;
}

static bool still_holds(dt_prover *v, dt_term goal)
{
    if (!dt_values_fit(v->s, v->values) || !truth_make(v) || v->truth[goal] == 0)
        return false;
    for (size_t i = 0; i < v->lemma_count; i++)
        if (v->truth[v->lemmas[i]] == 0)
            return false;
    return true;
}

/* Facts that go together: the minutes and the offset between them. */
static bool try_times(dt_prover *v, uint32_t const *usual, dt_term goal)
{
    dt_fact const times[] = {v->s->utc, v->s->local, v->s->offset};
    uint32_t was[3];

    for (size_t i = 0; i < 3; i++) {
        was[i] = v->values[times[i]];
        v->values[times[i]] = usual[times[i]];
    }
    if (still_holds(v, goal))
        return true;
    for (size_t i = 0; i < 3; i++)
        v->values[times[i]] = was[i];
    return false;
}

/* What the sign-on does not need becomes as usual, so that people see what matters. */
static void simplify(dt_prover *v, dt_term goal)
{
    uint32_t count = dt_formula_fact_count(v->s->f);
    uint32_t *usual = calloc(count + 1, sizeof(*usual));
    size_t tries = SIMPLER_TERMS / dt_formula_term_count(v->s->f);

    if (usual == NULL)
        return;
    dt_values_usual(v->s, usual);
    tries = tries < SIMPLER_TRIES ? tries : SIMPLER_TRIES;
    (void)try_times(v, usual, goal);
    for (dt_fact i = count; i-- > 0 && tries > 0;) {
        uint32_t was = v->values[i];
        if (was == usual[i])
            continue;
        v->values[i] = usual[i];
        tries--;
        if (!still_holds(v, goal))
            v->values[i] = was;
    }
    free(usual);
}

int dt_prover_require(dt_prover *v, dt_term lemma)
{
    void *lemmas = v->lemmas;

    if (dt_array_grow(&lemmas, v->lemma_count, &v->lemma_cap, sizeof(*v->lemmas)) != DT_OK)
        return DT_E_NOMEM;
    v->lemmas = lemmas;
    v->lemmas[v->lemma_count++] = lemma;
    if (v->solver != NULL)
        dt_solver_require(v->solver, lemma);
    return DT_OK;
}

int dt_prover_solver(dt_prover *v, dt_solver **out, dt_error *e)
{
    int rc = dt_solver_new(v->s, out, e);

    for (size_t i = 0; rc == DT_OK && i < v->lemma_count; i++)
        dt_solver_require(*out, v->lemmas[i]);
    return rc;
}

/* Both sides of the sign-on that was made, as the terms and as the evaluator have it. */
dt_proof dt_prover_compare(dt_prover *v, dt_term goal)
{
    bool agrees;

    dt_request_values(v->s, &v->request->in, v->request->org_waives, v->values);
    if (!truth_make(v))
        return DT_PROOF_UNDECIDED;
    agrees = v->truth[goal] != 0;
    for (size_t i = 0; i < (v->has_old ? 2 : 1); i++) {
        dt_prove_decision d;
        dt_prove_decide(&v->sides[i], v->request, &d);
        agrees = agrees && dt_prove_agrees(&v->sides[i], v->truth, &d);
    }
    return agrees ? DT_PROOF_FOUND : DT_PROOF_DISAGREES;
}

/* True when a question has to be asked again, for its answer was a person in too many groups. */
static bool has_too_many_groups(dt_prover *v, dt_solver *solver)
{
    dt_space const *s = v->s;
    size_t groups = 0;

    for (size_t i = 0; i < s->groups.count; i++)
        groups += v->values[s->member[i]];
    for (size_t i = 0; i < s->groups_like.count; i++)
        groups += v->values[s->member_like[i]];
    if (groups > DT_GROUPS_MAX)
        dt_solver_limit_groups(solver);
    return groups > DT_GROUPS_MAX;
}

bool dt_prover_look(dt_prover *v, dt_solver *solver)
{
    dt_values_usual(v->s, v->values);
    dt_solver_values(solver, v->values);
    return !has_too_many_groups(v, solver) && truth_make(v);
}

dt_request_made dt_prover_make(dt_prover *v, dt_solver *solver)
{
    dt_term lemma = DT_TERM_TRUE;
    dt_request_made made = dt_request_make(v->s, v->values, v->request, &lemma);

    if (made != DT_REQUEST_IMPOSSIBLE)
        return made;
    if (dt_formula_failed(v->s->f) || dt_prover_require(v, lemma) != DT_OK)
        return DT_REQUEST_LIMIT;
    if (solver != v->solver)
        dt_solver_require(solver, lemma);
    return made;
}

dt_proof dt_prover_find(dt_prover *v, dt_term goal)
{
    for (int round = 0; round < DT_PROVE_ROUNDS_MAX; round++) {
        dt_request_made made;
        dt_solved solved = dt_solver_ask(v->solver, &goal, 1, dt_prover_time_left(v));
        if (solved != DT_SOLVED_FOUND)
            return solved == DT_SOLVED_NEVER ? DT_PROOF_NEVER : DT_PROOF_UNDECIDED;
        if (!dt_prover_look(v, v->solver))
            continue;
        if (!still_holds(v, goal))
            return DT_PROOF_DISAGREES;
        if (!v->as_it_is)
            simplify(v, goal);
        made = dt_prover_make(v, v->solver);
        if (made == DT_REQUEST_MADE)
            return dt_prover_compare(v, goal);
        if (made == DT_REQUEST_LIMIT)
            return DT_PROOF_UNDECIDED;
    }
    return DT_PROOF_UNDECIDED;
}

/* --- properties -------------------------------------------------------------------------------- */

dt_term dt_prove_known(dt_space *s)
{
    uint8_t device[DT_SPACE_DEVICES_MAX] = {0};
    uint8_t *places = calloc(s->piece_count + s->location_count + DT_SPACE_ADDRESSES, 1);
    dt_term all[7];

    if (places == NULL)
        return dt_formula_fail(s->f);
    for (uint32_t i = 0; i < s->device_count; i++)
        device[i] =
            s->devices[i].trust != DT_TRUST_UNKNOWN &&
            (s->devices[i].reason != DT_REASON_NONE || s->devices[i].trust == DT_TRUST_TRUSTED);
    for (size_t i = 0; i < s->location_count; i++)
        places[i] = s->locations[i].known == (DT_GEO_COUNTRY | DT_GEO_REGION);
    all[0] = dt_term_member(s->f, s->location, places);
    memset(places, 1, s->piece_count + DT_SPACE_ADDRESSES);
    places[s->piece_count + DT_SPACE_ADDRESS_UNKNOWN] = 0;
    places[s->piece_count + DT_SPACE_ADDRESS_ABSENT] = 0;
    all[1] = dt_term_member(s->f, s->address, places);
    all[2] = dt_term_not(s->f, dt_term_equals(s->f, s->asn, 0));
    all[3] = dt_term_member(s->f, s->device, device);
    all[4] = dt_term_not(s->f, dt_term_equals(s->f, s->platform, 0));
    all[5] = dt_term_both(s->f, dt_term_equals(s->f, s->time_known, 1),
                          dt_term_equals(s->f, s->offset_known, 1));
    all[6] = dt_term_equals(s->f, s->groups_known, 1);
    free(places);
    return dt_term_all(s->f, all, 7);
}

/* The sign-on gets one of these. */
static dt_term access_is_one_of(dt_prover *v, unsigned access)
{
    dt_formula *f = v->s->f;
    dt_access_terms const *a = &v->sides[0].access;
    dt_term any[3] = {DT_TERM_FALSE, DT_TERM_FALSE, DT_TERM_FALSE};

    if ((access & DT_ACCESS_BIT(DT_ACCESS_ALLOW)) != 0)
        any[0] = a->allows;
    if ((access & DT_ACCESS_BIT(DT_ACCESS_ALLOW_AFTER_MFA)) != 0)
        any[1] = a->asks;
    if ((access & DT_ACCESS_BIT(DT_ACCESS_DENY)) != 0)
        any[2] = dt_term_not(f, dt_term_either(f, a->allows, a->asks));
    return dt_term_any(f, any, 3);
}

dt_term dt_prove_broken(dt_prover *v, dt_properties const *p, size_t i)
{
    dt_formula *f = v->s->f;
    dt_property const *property = &p->items[i];
    dt_property_faults faults = dt_property_faults_of(property);
    dt_rule_terms fit = dt_translate_rule(v->s, p->conditions, &p->conditions->rules[i]);
    dt_term may = dt_term_both(f, dt_term_either(f, fit.holds, fit.maybe),
                               access_is_one_of(v, faults.may_fit));
    dt_term unread = dt_term_both(f, dt_translate_trust(v->s, DT_TRUST_UNKNOWN),
                                  dt_term_equals(f, v->s->unknown_denies, 1));
    dt_term broken;

    /* An UNKNOWN device that is taken for nothing is neither of the two for sure. */
    if (p->conditions->rules[i].devices != DT_DEVICES_ANY)
        fit.holds = dt_term_both(f, fit.holds, dt_term_not(f, unread));
    broken = dt_term_either(f, may, dt_term_both(f, fit.holds, access_is_one_of(v, faults.fits)));
    if (property->known)
        broken = dt_term_both(f, broken, dt_prove_known(v->s));
    if (property->unknown_device)
        broken = dt_term_both(f, broken, dt_translate_trust(v->s, DT_TRUST_UNKNOWN));
    return broken;
}
