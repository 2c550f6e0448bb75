/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules that never decide, and rules that change nothing. Most rules matter, and the evaluator shows it
 * by a sign-on that is made to fit them; the solver is asked about those for which no such sign-on was
 * found. */
#include "devtrustctl/prove/prove_rules.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 24       /* sign-ons that are made for a rule, at first */
#define MORE_TRIES 400 /* for one that seems not to matter */

typedef struct looking {
    dt_prover *v;
    dt_policy_terms *t;
    dt_policy const *p;
    dt_rule_report *out;
    dt_policy without; /* the policy with one rule switched off; borrows all but the screens */
    bool *decides;     /* was seen to decide */
    dt_solver *solver; /* for the rule that is looked at */
    dt_term *terms;    /* that it is asked */
    size_t *rules;     /* of terms: which rule does not stop the evaluation */
    size_t count;      /* of both */
    dt_term **suffix;  /* by rule, for its effect: see suffix_make */
    uint32_t random;
} looking;

/* --- effects ----------------------------------------------------------------------------------- */

static bool same_reply(dt_policy const *p, dt_rule const *a, dt_policy const *q, dt_rule const *b)
{
    if (a->reply_count != b->reply_count)
        return false;
    for (uint32_t i = 0; i < a->reply_count; i++) {
        dt_reply_attribute const *x = &p->replies[a->reply_first + i];
        dt_reply_attribute const *y = &q->replies[b->reply_first + i];
        if (strcmp(x->name, y->name) != 0 || strcmp(x->value, y->value) != 0)
            return false;
    }
    return true;
}

static bool same_effect(dt_policy const *p, dt_rule const *a, dt_policy const *q, dt_rule const *b)
{
    bool mfa = a->access == DT_ACCESS_ALLOW_AFTER_MFA;

    if (a->access != b->access)
        return false;
    if (a->access == DT_ACCESS_DENY)
        return strcmp(a->message, b->message) == 0;
    return same_reply(p, a, q, b) &&
           (!mfa || (a->frequency == b->frequency && a->lifetime == b->lifetime &&
                     a->factors == b->factors && a->remember_by == b->remember_by));
}

/* What no rule decides. */
static dt_rule const nobody = {.access = DT_ACCESS_DENY, .message = "", .name = ""};

bool dt_decision_same(dt_policy const *p, dt_decision const *a, dt_policy const *q,
                      dt_decision const *b)
{
    dt_rule const *x = a->cause == DT_DECISION_RULE ? &p->rules[a->rule_index] : &nobody;
    dt_rule const *y = b->cause == DT_DECISION_RULE ? &q->rules[b->rule_index] : &nobody;

    return same_effect(p, x, q, y);
}

/* --- sign-ons made for a rule ------------------------------------------------------------------- */

static uint32_t random_below(looking *l, size_t n)
{
    l->random = l->random * 1664525u + 1013904223u;
    return n == 0 ? 0 : (uint32_t)((uint64_t)(l->random >> 8) * n >> 24);
}

/* A sign-on that is made for a rule and, it may be, for another one behind it. */
typedef struct making {
    dt_rule const *rules[2];
    size_t count; /* of them */
    dt_policy_input in;
    char const *groups[2];
    dt_geo_place place;
} making;

/* Somebody whom the lists of include of each of the rules name. */
static void make_person(looking *l, making *m)
{
    dt_folded_name const *names = l->p->names;

    m->in.user = "someone";
    m->in.groups = m->groups;
    m->in.group_knowledge = DT_GROUPS_KNOWN;
    for (size_t k = 0; k < m->count; k++) {
        dt_rule const *r = m->rules[k];
        uint32_t users = r->users_include.count, groups = r->groups_include.count;
        uint32_t pick = random_below(l, users + groups);
        if (users + groups == 0)
            continue;
        if (pick < users)
            m->in.user = names[r->users_include.first + pick].text;
        else
            m->groups[m->in.group_count++] = names[r->groups_include.first + pick - users].text;
    }
}

static bool in_list(looking const *l, dt_name_list zones, dt_tag_set const *in)
{
    for (uint32_t i = 0; i < zones.count; i++)
        if (dt_tag_set_has(in, l->p->zone_ids[zones.first + i]))
            return true;
    return false;
}

static bool piece_fits(looking const *l, making const *m, dt_space_piece const *piece)
{
    dt_tag_set const *in = &piece->in[dt_space_zone_set(l->v->s, l->p->zones)];

    for (size_t k = 0; k < m->count; k++)
        if ((m->rules[k]->zones_include.count > 0 && !in_list(l, m->rules[k]->zones_include, in)) ||
            in_list(l, m->rules[k]->zones_exclude, in))
            return false;
    return true;
}

static void make_place(looking *l, making *m)
{
    dt_space const *s = l->v->s;
    uint32_t from = random_below(l, s->piece_count);

    m->place = s->locations[random_below(l, s->location_count)];
    m->place.asn = s->asns[random_below(l, s->asn_count)].asn;
    m->place.known |= m->place.asn != 0 ? DT_GEO_ASN : 0;
    m->in.place = &m->place;
    m->in.ip = s->pieces[from].ip;
    for (size_t i = 0; i < s->piece_count; i++) {
        dt_space_piece const *piece = &s->pieces[(from + i) % s->piece_count];
        if (!piece_fits(l, m, piece))
            continue;
        m->in.ip = piece->ip;
        return;
    }
}

static void make_device(looking *l, making *m)
{
    dt_space const *s = l->v->s;
    uint32_t from = random_below(l, s->device_count);
    uint64_t devices = m->rules[0]->devices & m->rules[m->count - 1]->devices;
    unsigned platforms = m->rules[0]->platforms & m->rules[m->count - 1]->platforms;
    unsigned bit = random_below(l, 8);

    for (uint32_t i = 0; i < s->device_count; i++) {
        dt_space_device const *d = &s->devices[(from + i) % s->device_count];
        uint64_t half = d->trust == DT_TRUST_TRUSTED ? devices >> DT_DEVICE_TRUSTED_SHIFT
                                                     : devices & DT_DEVICES_NOT_TRUSTED;
        if (d->trust == DT_TRUST_UNKNOWN || d->reason == DT_REASON_NONE ||
            (half >> d->reason & 1) == 0)
            continue;
        m->in.trust = d->trust;
        m->in.reason = d->reason;
        break;
    }
    for (int i = 0; i < 8 && (platforms >> bit & 1) == 0; i++)
        bit = (bit + 1) % 8;
    m->in.platform = (dt_platform)(1u << bit);
}

static void make_time(looking *l, making *m)
{
    dt_rule const *r = m->rules[random_below(l, m->count)];
    uint32_t minute = random_below(l, DT_MINUTES_OF_WEEK);

    if (r->spans_include.count > 0) {
        dt_time_span const *span =
            &l->p->spans[r->spans_include.first + random_below(l, r->spans_include.count)];
        minute = span->begin + random_below(l, (size_t)span->end - span->begin);
    }
    m->in.now = DT_MINUTES((int64_t)minute + 4 * DT_MINUTES_OF_DAY); /* a Monday in 1970 */
    m->in.utc_offset_known = true;
}

/* Switches a rule off for one decision. */
static void decide_without(looking *l, size_t i, dt_policy_input const *in, dt_decision *out)
{
    uint8_t platforms = l->without.screens[i].platforms;

    l->without.screens[i].platforms = 0;
    dt_policy_decide(&l->without, in, out);
    l->without.screens[i].platforms = platforms;
}

/* A sign-on that some rule decides: does it matter to the sign-on? */
static void note(looking *l, dt_policy_input const *in)
{
    dt_decision d, other;
    dt_rule_finding *finding;

    dt_policy_decide(l->p, in, &d);
    if (d.cause != DT_DECISION_RULE)
        return;
    l->decides[d.rule_index] = true;
    finding = &l->out->of[d.rule_index];
    if (*finding != DT_RULE_UNDECIDED)
        return;
    decide_without(l, d.rule_index, in, &other);
    if (!dt_decision_same(l->p, &d, l->p, &other))
        *finding = DT_RULE_MATTERS;
}

static void try_rule(looking *l, size_t i, int tries)
{
    for (int n = 0; n < tries && l->out->of[i] == DT_RULE_UNDECIDED; n++) {
        size_t behind = l->p->rule_count - i - 1;
        making m = {.rules = {&l->p->rules[i]}, .count = 1};
        if (n % 2 == 1 && behind > 0)
            m.rules[m.count++] = &l->p->rules[i + 1 + random_below(l, behind)];
        m.in.unknown_as = DT_UNKNOWN_NOT_TRUSTED;
        make_person(l, &m);
        make_place(l, &m);
        make_device(l, &m);
        make_time(l, &m);
        note(l, &m.in);
    }
}

/* --- what is left to the solver ------------------------------------------------------------------ */

/* The solver is asked about one rule, and given others one by one: each that came before it, or
 * after it, in a sign-on that it has found. So it sees the few rules that matter to this one. */

#define FIRST_TERMS 2 /* the rules are looked at; this one holds */

static void look_begin(looking *l, dt_term holds)
{
    l->terms[0] = l->t->begins;
    l->terms[1] = holds;
    l->count = FIRST_TERMS;
}

/* The rule before `i` that ended the evaluation in the sign-on that was found; i when none did. */
static size_t stopped_before(looking const *l, size_t i)
{
    size_t k = 0;

    while (k < i && l->v->truth[l->t->stops[k]] == 0)
        k++;
    return k;
}

/* A sign-on that gets as far as the rule and fits it: FOUND when it was made. */
static dt_proof reach(looking *l, size_t i)
{
    while (true) {
        dt_solved solved = dt_solver_ask(l->solver, l->terms, l->count, dt_prover_time_left(l->v));
        dt_request_made made;
        size_t before;
        if (solved != DT_SOLVED_FOUND)
            return solved == DT_SOLVED_NEVER ? DT_PROOF_NEVER : DT_PROOF_UNDECIDED;
        if (!dt_prover_look(l->v, l->solver))
            continue;
        before = stopped_before(l, i);
        if (before < i) {
            l->rules[l->count] = before;
            l->terms[l->count++] = dt_term_not(l->v->s->f, l->t->stops[before]);
            continue;
        }
        made = dt_prover_make(l->v, l->solver);
        if (made == DT_REQUEST_LIMIT)
            return DT_PROOF_UNDECIDED;
        if (made == DT_REQUEST_MADE)
            return dt_prover_compare(l->v, l->t->reached[i]);
    }
}

/* Leaves out rules without which it is as hidden. */
static void hiding_keep(looking *l, size_t i)
{
    size_t n = 0;

    for (size_t k = FIRST_TERMS; k < l->count;) {
        dt_term was = l->terms[k];
        l->terms[k] = DT_TERM_TRUE;
        if (dt_solver_ask(l->solver, l->terms, l->count, dt_prover_time_left(l->v)) ==
            DT_SOLVED_NEVER) {
            l->terms[k] = l->terms[--l->count];
            l->rules[k] = l->rules[l->count];
        } else {
            l->terms[k++] = was;
        }
    }
    for (size_t k = FIRST_TERMS; k < l->count && n < DT_HIDING_MAX; k++)
        l->out->hiding[i][n++] = l->rules[k];
    l->out->hiding_count[i] = n;
}

/* Can it decide at all? UNDECIDED when it can, or the time has ended it. */
static dt_rule_finding look(looking *l, size_t i)
{
    dt_proof proof;

    look_begin(l, l->t->rules[i].holds);
    proof = reach(l, i);
    if (proof == DT_PROOF_FOUND)
        note(l, &l->v->request->in);
    l->decides[i] = l->decides[i] || proof == DT_PROOF_FOUND;
    l->out->disagrees = l->out->disagrees || proof == DT_PROOF_DISAGREES;
    if (proof != DT_PROOF_NEVER)
        return l->out->of[i];
    hiding_keep(l, i);
    return DT_RULE_HIDDEN;
}

static int look_at_rest(looking *l, dt_error *e)
{
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < l->p->rule_count; i++) {
        if (l->out->of[i] == DT_RULE_UNDECIDED)
            try_rule(l, i, MORE_TRIES);
        if (l->out->of[i] != DT_RULE_UNDECIDED || l->decides[i] || dt_prover_time_left(l->v) == 0)
            continue;
        rc = dt_prover_solver(l->v, &l->solver, e);
        if (rc == DT_OK)
            l->out->of[i] = look(l, i);
        dt_solver_free(&l->solver);
    }
    return rc;
}

/* --- rules that decide, and seem not to matter ---------------------------------------------------- */

/* "Evaluation from rule i on comes out as rule `like` would", for all i at once. Past the last rule
 * nobody is let in, and so is it where a rule refuses of which nothing can be said. */
static dt_term *suffix_make(looking *l, dt_rule const *like)
{
    dt_formula *f = l->v->s->f;
    size_t count = l->p->rule_count;
    bool denies = same_effect(l->p, like, l->p, &nobody);
    dt_term *same = calloc(count + 1, sizeof(*same));

    if (same == NULL)
        return NULL;
    same[count] = denies ? DT_TERM_TRUE : DT_TERM_FALSE;
    for (size_t i = count; i-- > 0;) {
        dt_rule const *r = &l->p->rules[i];
        dt_term unsure = r->plain_allow || !denies ? DT_TERM_FALSE : l->t->rules[i].maybe;
        dt_term here = same_effect(l->p, like, l->p, r) ? l->t->rules[i].holds : DT_TERM_FALSE;
        same[i] = dt_term_either(f, dt_term_either(f, here, unsure),
                                 dt_term_both(f, dt_term_not(f, l->t->stops[i]), same[i + 1]));
    }
    return same;
}

/* Made once for all rules with one effect; `at` is where it is kept. */
static dt_term suffix_at(looking *l, dt_rule const *like, size_t at, size_t i)
{
    for (size_t k = 0; k < at && k < l->p->rule_count; k++)
        if (l->suffix[k] != NULL && same_effect(l->p, &l->p->rules[k], l->p, like))
            return l->suffix[k][i];
    if (l->suffix[at] == NULL)
        l->suffix[at] = suffix_make(l, like);
    return l->suffix[at] == NULL ? dt_formula_fail(l->v->s->f) : l->suffix[at][i];
}

/* Without the rule, something else comes of the sign-on. */
static dt_term matters_term(looking *l, size_t i)
{
    dt_formula *f = l->v->s->f;
    dt_rule const *r = &l->p->rules[i];
    dt_term same = suffix_at(l, r, i, i + 1), unsure = DT_TERM_FALSE;

    if (!r->plain_allow)
        unsure = dt_term_both(f, dt_term_both(f, l->t->reached[i], l->t->rules[i].maybe),
                              dt_term_not(f, suffix_at(l, &nobody, l->p->rule_count, i + 1)));
    return dt_term_either(f, unsure, dt_term_both(f, l->t->decides[i], dt_term_not(f, same)));
}

/* The catch-all has to be there, and is not asked about. */
static void settle_rest(looking *l)
{
    size_t last = l->p->rule_count - 1;

    for (size_t i = 0; i <= last && dt_prover_time_left(l->v) > 0; i++) {
        dt_proof proof;
        if (l->out->of[i] != DT_RULE_UNDECIDED || !l->decides[i])
            continue;
        if (i == last) {
            l->out->of[i] = DT_RULE_MATTERS;
            continue;
        }
        proof = dt_prover_find(l->v, matters_term(l, i));
        if (proof == DT_PROOF_FOUND || proof == DT_PROOF_NEVER)
            l->out->of[i] = proof == DT_PROOF_FOUND ? DT_RULE_MATTERS : DT_RULE_REDUNDANT;
        l->out->disagrees = l->out->disagrees || proof == DT_PROOF_DISAGREES;
    }
}

/* --- the whole --------------------------------------------------------------------------------- */

static bool begin(looking *l)
{
    size_t count = l->p->rule_count;
    dt_rule_report *out = l->out;

    out->of = calloc(count + 1, sizeof(*out->of));
    out->hiding = calloc(count + 1, sizeof(*out->hiding));
    out->hiding_count = calloc(count + 1, sizeof(*out->hiding_count));
    out->count = count;
    l->decides = calloc(count + 1, sizeof(*l->decides));
    l->suffix = calloc(count + 1, sizeof(*l->suffix));
    l->terms = calloc(count + FIRST_TERMS, sizeof(*l->terms));
    l->rules = calloc(count + FIRST_TERMS, sizeof(*l->rules));
    l->without = *l->p;
    l->without.screens = calloc(count + 1, sizeof(*l->without.screens));
    if (out->of == NULL || out->hiding == NULL || out->hiding_count == NULL || l->decides == NULL ||
        l->terms == NULL || l->suffix == NULL || l->rules == NULL || l->without.screens == NULL)
        return false;
    memcpy(l->without.screens, l->p->screens, count * sizeof(*l->without.screens));
    return true;
}

int dt_prove_rules(dt_prover *v, bool org, dt_rule_report *out, dt_error *e)
{
    dt_prove_side *side = &v->sides[0];
    looking l = {.v = v, .out = out, .random = 1};
    int rc = DT_OK;

    *out = (dt_rule_report){.count = 0};
    l.p = org ? side->org : side->app;
    l.t = org ? &side->org_terms : &side->app_terms;
    if (!begin(&l))
        rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == DT_OK && i < out->count; i++) {
        if (!l.p->rules[i].active)
            out->of[i] = DT_RULE_INACTIVE;
        else
            try_rule(&l, i, TRIES);
    }
    if (rc == DT_OK)
        rc = look_at_rest(&l, e);
    if (rc == DT_OK) {
        v->as_it_is = true;
        settle_rest(&l);
        v->as_it_is = false;
    }
    for (size_t i = 0; l.suffix != NULL && i <= out->count; i++)
        free(l.suffix[i]);
    free(l.suffix);
    free(l.decides);
    free(l.terms);
    free(l.rules);
    free(l.without.screens);
    if (rc != DT_OK)
        dt_rule_report_free(out);
    return rc;
}

void dt_rule_report_free(dt_rule_report *r)
{
    free(r->of);
    free(r->hiding);
    free(r->hiding_count);
    *r = (dt_rule_report){.count = 0};
}
