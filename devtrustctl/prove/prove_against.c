/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing two policies over all sign-ons. Rules with one effect are one; each pair of effects is
 * compared once, as decisions are. */
#include "devtrustctl/prove/prove_against.h"

#include "devtrustctl/prove/prove_rules.h"

#include <stdlib.h>
#include <string.h>

/* What rules with the same effect decide. */
typedef struct effect {
    dt_decision d; /* cause NO_RULE: nobody is let in */
    dt_term when;
    dt_term *parts;
    size_t count, cap;
} effect;

typedef struct effects {
    effect *items;
    size_t count, cap;
} effects;

char const *dt_more_text(dt_more m)
{
    static char const *const texts[] = {
        [DT_MORE_NOTHING] = "nothing",
        [DT_MORE_ACCESS] = "access",
        [DT_MORE_SELDOM] = "MFA is asked for less often",
        [DT_MORE_FACTORS] = "another factor suffices",
        [DT_MORE_REPLY] = "the reply carries other attributes",
    };

    return texts[m];
}

/* --- decisions --------------------------------------------------------------------------------- */

static int rank(dt_access a)
{
    return a == DT_ACCESS_ALLOW ? 2 : a == DT_ACCESS_ALLOW_AFTER_MFA ? 1 : 0;
}

/* A session has no length here: it is longer than one sign-on, and no more can be said. */
static bool asks_less_often(dt_decision const *of, dt_decision const *than)
{
    if (of->frequency == DT_FREQUENCY_EVERY_SIGN_ON)
        return false;
    if (than->frequency == DT_FREQUENCY_EVERY_SIGN_ON)
        return true;
    if ((of->frequency == DT_FREQUENCY_ONCE_PER_SESSION) !=
        (than->frequency == DT_FREQUENCY_ONCE_PER_SESSION))
        return true;
    return of->lifetime > than->lifetime ||
           (of->remember_by != than->remember_by && of->remember_by != DT_REMEMBER_BY_KEY_ONLY);
}

static bool other_reply(dt_policy const *p, dt_decision const *a, dt_policy const *q,
                        dt_decision const *b)
{
    dt_rule const *x = &p->rules[a->rule_index], *y = &q->rules[b->rule_index];

    if (x->reply_count != y->reply_count)
        return true;
    for (uint32_t i = 0; i < x->reply_count; i++)
        if (strcmp(p->replies[x->reply_first + i].name, q->replies[y->reply_first + i].name) != 0 ||
            strcmp(p->replies[x->reply_first + i].value, q->replies[y->reply_first + i].value) != 0)
            return true;
    return false;
}

dt_more dt_decision_more(dt_prove_side const *side, dt_decision const *of,
                         dt_prove_side const *other, dt_decision const *than)
{
    if (rank(of->access) != rank(than->access))
        return rank(of->access) > rank(than->access) ? DT_MORE_ACCESS : DT_MORE_NOTHING;
    if (rank(of->access) == 0)
        return DT_MORE_NOTHING;
    if (rank(of->access) == 1 && asks_less_often(of, than))
        return DT_MORE_SELDOM;
    if (rank(of->access) == 1 && (of->factors & ~than->factors) != 0)
        return DT_MORE_FACTORS;
    return other_reply(side->app, of, other->app, than) ? DT_MORE_REPLY : DT_MORE_NOTHING;
}

/* --- effects ----------------------------------------------------------------------------------- */

static dt_decision decision_of(dt_policy const *p, size_t i)
{
    dt_rule const *r = &p->rules[i];

    return (dt_decision){.access = (dt_access)r->access,
                         .cause = DT_DECISION_RULE,
                         .frequency = (dt_frequency)r->frequency,
                         .lifetime = r->lifetime,
                         .factors = r->factors,
                         .remember_by = r->remember_by,
                         .rule_index = (uint32_t)i};
}

static int effect_part(effect *to, dt_term t)
{
    void *parts = to->parts;

    if (dt_array_grow(&parts, to->count, &to->cap, sizeof(t)) != DT_OK)
        return DT_E_NOMEM;
    to->parts = parts;
    to->parts[to->count++] = t;
    return DT_OK;
}

static int effect_add(effects *all, dt_policy const *p, dt_decision const *d, dt_term when)
{
    void *items = all->items;

    for (size_t i = 0; i < all->count; i++)
        if (p != NULL && dt_decision_same(p, &all->items[i].d, p, d))
            return effect_part(&all->items[i], when);
    if (dt_array_grow(&items, all->count, &all->cap, sizeof(*all->items)) != DT_OK)
        return DT_E_NOMEM;
    all->items = items;
    all->items[all->count] = (effect){.d = *d};
    return effect_part(&all->items[all->count++], when);
}

/* All ways in which a policy lets in, and the one in which it does not. Without a policy, the org's that
 * there are not: everybody is let in. */
static int effects_make(dt_prover *v, dt_policy const *p, dt_policy_terms const *t, effects *out)
{
    dt_decision nobody = {.access = DT_ACCESS_DENY};
    dt_term let = DT_TERM_TRUE;
    int rc = DT_OK;

    if (p == NULL) {
        dt_decision const all = {.access = DT_ACCESS_ALLOW, .cause = DT_DECISION_RULE};
        rc = effect_add(out, NULL, &all, DT_TERM_TRUE);
    } else {
        let = dt_term_either(v->s->f, t->allows, t->asks);
        rc = effect_add(out, NULL, &nobody, dt_term_not(v->s->f, let));
    }
    for (size_t i = 0; rc == DT_OK && p != NULL && i < p->rule_count; i++) {
        dt_decision d = decision_of(p, i);
        if (d.access != DT_ACCESS_DENY && t->decides[i] != DT_TERM_FALSE)
            rc = effect_add(out, p, &d, t->decides[i]);
    }
    for (size_t i = 0; i < out->count; i++)
        out->items[i].when = dt_term_any(v->s->f, out->items[i].parts, out->items[i].count);
    return rc;
}

static void effects_free(effects *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->items[i].parts);
    free(all->items);
}

/* --- pairs ------------------------------------------------------------------------------------- */

typedef struct pairing {
    dt_prover *v;
    effects app[2], org[2];
    dt_term waived;
    dt_term *found;
    size_t count, cap;
} pairing;

static dt_decision combined(dt_prove_side const *side, effect const *app, effect const *org,
                            bool waived)
{
    dt_decision d = app->d;

    if (side->org != NULL)
        dt_decision_combine(&d, &org->d, waived);
    return d;
}

static int pair(pairing *p, size_t more, effect const *const of[2], effect const *const than[2])
{
    dt_formula *f = p->v->s->f;
    dt_prove_side const *side = &p->v->sides[more], *other = &p->v->sides[1 - more];
    void *found = p->found;
    dt_term when = DT_TERM_FALSE;

    for (int waived = 0; waived < 2; waived++) {
        dt_decision a = combined(side, of[0], of[1], waived != 0);
        dt_decision b = combined(other, than[0], than[1], waived != 0);
        if (dt_decision_more(side, &a, other, &b) != DT_MORE_NOTHING)
            when = dt_term_either(f, when, waived ? p->waived : dt_term_not(f, p->waived));
    }
    if (when == DT_TERM_FALSE)
        return DT_OK;
    for (size_t i = 0; i < 2; i++)
        when = dt_term_both(f, when, dt_term_both(f, of[i]->when, than[i]->when));
    if (dt_array_grow(&found, p->count, &p->cap, sizeof(when)) != DT_OK)
        return DT_E_NOMEM;
    p->found = found;
    p->found[p->count++] = when;
    return DT_OK;
}

static int pairs(pairing *p, size_t more)
{
    effects const *of = &p->app[more], *of_org = &p->org[more];
    effects const *than = &p->app[1 - more], *than_org = &p->org[1 - more];
    int rc = DT_OK;

    if (of->count * than->count * of_org->count * than_org->count > DT_AGAINST_PAIRS_MAX)
        return DT_E_LIMIT;
    for (size_t a = 0; a < of->count; a++)
        for (size_t b = 0; b < than->count; b++)
            for (size_t c = 0; c < of_org->count; c++)
                for (size_t d = 0; rc == DT_OK && d < than_org->count; d++)
                    rc = pair(p, more, (effect const *[]){&of->items[a], &of_org->items[c]},
                              (effect const *[]){&than->items[b], &than_org->items[d]});
    return rc;
}

int dt_prove_more(dt_prover *v, size_t more, dt_term *out, dt_error *e)
{
    pairing p = {.v = v};
    int rc = DT_OK;

    *out = DT_TERM_FALSE;
    p.waived = dt_term_both(v->s->f, dt_term_equals(v->s->f, v->s->org_waives, 1),
                            dt_translate_trust(v->s, DT_TRUST_TRUSTED));
    for (size_t i = 0; rc == DT_OK && i < 2; i++) {
        rc = effects_make(v, v->sides[i].app, &v->sides[i].app_terms, &p.app[i]);
        if (rc == DT_OK)
            rc = effects_make(v, v->sides[i].org, &v->sides[i].org_terms, &p.org[i]);
    }
    if (rc == DT_OK)
        rc = pairs(&p, more);
    if (rc == DT_OK)
        *out = dt_term_any(v->s->f, p.found, p.count);
    for (size_t i = 0; i < 2; i++) {
        effects_free(&p.app[i]);
        effects_free(&p.org[i]);
    }
    free(p.found);
    if (rc == DT_E_LIMIT)
        return dt_error_set(e, rc, "more than %d pairs of effects to compare",
                            DT_AGAINST_PAIRS_MAX);
    return rc == DT_OK && !dt_formula_failed(v->s->f)
               ? DT_OK
               : dt_error_set(e, DT_E_NOMEM, "out of memory");
}
