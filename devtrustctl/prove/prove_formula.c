/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formulas: terms that are made once each, and their value for given facts. */
#include "devtrustctl/prove/prove_formula.h"

#include <stdlib.h>
#include <string.h>

#define ARRAY_MIN 64

typedef struct node {
    uint32_t kind;
    uint32_t a, b; /* fact and value; or where the parts begin, and how many */
} node;

struct dt_formula {
    node *nodes;
    size_t count, cap;
    dt_term *parts;
    size_t part_count, part_cap;
    uint32_t *ranges; /* of the facts */
    size_t fact_count, fact_cap;
    dt_term *known; /* hash table: term + 1 */
    size_t known_size;
    bool failed;
};

/* Room for so many more; false when memory is out. */
static bool grow(void **items, size_t count, size_t *cap, size_t more, size_t size)
{
    size_t want = *cap < ARRAY_MIN ? ARRAY_MIN : *cap;
    void *grown;

    if (count + more <= *cap)
        return true;
    while (want < count + more)
        want *= 2;
    grown = realloc(*items, want * size);
    if (grown == NULL)
        return false;
    *items = grown;
    *cap = want;
    return true;
}

int dt_formula_new(dt_formula **out)
{
    dt_formula *f = calloc(1, sizeof(*f));
    void *nodes = NULL;

    *out = NULL;
    if (f == NULL || !grow(&nodes, 0, &f->cap, 2, sizeof(*f->nodes))) {
        free(f);
        return DT_E_NOMEM;
    }
    f->nodes = nodes;
    f->nodes[DT_TERM_FALSE] = (node){DT_TERM_CONSTANT, 0, 0};
    f->nodes[DT_TERM_TRUE] = (node){DT_TERM_CONSTANT, 0, 1};
    f->count = 2;
    *out = f;
    return DT_OK;
}

void dt_formula_free(dt_formula **f)
{
    if (f == NULL || *f == NULL)
        return;
    free((*f)->nodes);
    free((*f)->parts);
    free((*f)->ranges);
    free((*f)->known);
    free(*f);
    *f = NULL;
}

bool dt_formula_failed(dt_formula const *f)
{
    return f->failed;
}

dt_term dt_formula_fail(dt_formula *f)
{
    f->failed = true;
    return DT_TERM_FALSE;
}

dt_fact dt_formula_fact(dt_formula *f, uint32_t count)
{
    void *ranges = f->ranges;

    if (!grow(&ranges, f->fact_count, &f->fact_cap, 1, sizeof(*f->ranges))) {
        f->failed = true;
        return 0;
    }
    f->ranges = ranges;
    f->ranges[f->fact_count] = count;
    return (dt_fact)f->fact_count++;
}

uint32_t dt_formula_fact_count(dt_formula const *f)
{
    return (uint32_t)f->fact_count;
}

uint32_t dt_formula_fact_range(dt_formula const *f, dt_fact fact)
{
    return f->ranges[fact];
}

/* --- each term once ---------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static uint64_t node_hash(node const *n, dt_term const *parts)
{
    uint64_t h = mix(n->kind, n->b);

    if (n->kind < DT_TERM_NOT)
        return mix(h, n->a);
    for (uint32_t i = 0; i < n->b; i++)
        h = mix(h, parts[i]);
    return h;
}

static bool node_equals(dt_formula const *f, node const *have, node const *want,
                        dt_term const *parts)
{
    if (have->kind != want->kind || have->b != want->b)
        return false;
    if (want->kind < DT_TERM_NOT)
        return have->a == want->a;
    return memcmp(f->parts + have->a, parts, want->b * sizeof(*parts)) == 0;
}

static bool known_grow(dt_formula *f)
{
    size_t size = f->known_size == 0 ? 1024 : f->known_size * 2;
    dt_term *known;

    if (f->count * 2 < f->known_size)
        return true;
    known = calloc(size, sizeof(*known));
    if (known == NULL)
        return false;
    for (size_t t = 2; t < f->count; t++) {
        node const *n = &f->nodes[t];
        size_t at = node_hash(n, f->parts + n->a) & (size - 1);
        while (known[at] != 0)
            at = (at + 1) & (size - 1);
        known[at] = (dt_term)t + 1;
    }
    free(f->known);
    f->known = known;
    f->known_size = size;
    return true;
}

static bool has_room(dt_formula *f, size_t parts)
{
    void *nodes = f->nodes, *list = f->parts;
    bool room =
        f->count < DT_FORMULA_TERMS_MAX && grow(&nodes, f->count, &f->cap, 1, sizeof(*f->nodes));

    f->nodes = nodes;
    room = room && grow(&list, f->part_count, &f->part_cap, parts, sizeof(*f->parts));
    f->parts = list;
    return room && known_grow(f);
}

/* The term of a node; `parts` are of NOT, ALL and ANY. */
static dt_term make(dt_formula *f, node n, dt_term const *parts)
{
    size_t at;

    if (f->failed || !has_room(f, n.kind < DT_TERM_NOT ? 0 : n.b))
        return dt_formula_fail(f);
    for (at = node_hash(&n, parts) & (f->known_size - 1); f->known[at] != 0;
         at = (at + 1) & (f->known_size - 1))
        if (node_equals(f, &f->nodes[f->known[at] - 1], &n, parts))
            return f->known[at] - 1;
    if (n.kind >= DT_TERM_NOT) {
        memcpy(f->parts + f->part_count, parts, n.b * sizeof(*parts));
        n.a = (uint32_t)f->part_count;
        f->part_count += n.b;
    }
    f->nodes[f->count] = n;
    f->known[at] = (dt_term)f->count + 1;
    return (dt_term)f->count++;
}

/* --- terms ------------------------------------------------------------------------------------- */

dt_term dt_term_equals(dt_formula *f, dt_fact fact, uint32_t value)
{
    if (value >= f->ranges[fact])
        return DT_TERM_FALSE;
    if (f->ranges[fact] == 1)
        return DT_TERM_TRUE;
    if (f->ranges[fact] == 2 && value == 0)
        return dt_term_not(f, dt_term_equals(f, fact, 1));
    return make(f, (node){DT_TERM_EQUALS, fact, value}, NULL);
}

static dt_term at_most(dt_formula *f, dt_fact fact, uint32_t value)
{
    return value >= f->ranges[fact] - 1 ? DT_TERM_TRUE
           : value == 0                 ? dt_term_equals(f, fact, 0)
                                        : make(f, (node){DT_TERM_AT_MOST, fact, value}, NULL);
}

dt_term dt_term_between(dt_formula *f, dt_fact fact, uint32_t from, uint32_t to)
{
    dt_term high;

    if (from > to)
        return DT_TERM_FALSE;
    if (from == to)
        return dt_term_equals(f, fact, from);
    high = at_most(f, fact, to);
    return from == 0 ? high : dt_term_both(f, high, dt_term_not(f, at_most(f, fact, from - 1)));
}

dt_term dt_term_member(dt_formula *f, dt_fact fact, uint8_t const *member)
{
    uint32_t range = f->ranges[fact];
    dt_term any, *runs = calloc(range + 1, sizeof(*runs));
    size_t count = 0;

    if (runs == NULL)
        return dt_formula_fail(f);
    for (uint32_t v = 0; v < range; v++) {
        uint32_t from = v;
        if (member[v] == 0)
            continue;
        while (v + 1 < range && member[v + 1] != 0)
            v++;
        runs[count++] = dt_term_between(f, fact, from, v);
    }
    any = dt_term_any(f, runs, count);
    free(runs);
    return any;
}

dt_term dt_term_not(dt_formula *f, dt_term a)
{
    if (a <= DT_TERM_TRUE)
        return a ^ 1u;
    if (f->nodes[a].kind == DT_TERM_NOT)
        return f->parts[f->nodes[a].a];
    return make(f, (node){DT_TERM_NOT, 0, 1}, &a);
}

static int compare_terms(void const *a, void const *b)
{
    dt_term x = *(dt_term const *)a, y = *(dt_term const *)b;
    return x < y ? -1 : x > y;
}

static bool is_there(dt_term const *sorted, size_t count, dt_term t)
{
    return bsearch(&t, sorted, count, sizeof(t), compare_terms) != NULL;
}

/* ALL and ANY are the same but for what ends them (`zero`) and what says nothing. */
static dt_term join(dt_formula *f, dt_term_kind kind, dt_term const *terms, size_t count)
{
    dt_term zero = kind == DT_TERM_ALL ? DT_TERM_FALSE : DT_TERM_TRUE, result = zero;
    dt_term *sorted = malloc((count + 1) * sizeof(*sorted));
    size_t kept = 0, unique = 0;

    if (sorted == NULL)
        return dt_formula_fail(f);
    for (size_t i = 0; i < count; i++)
        if (terms[i] != (zero ^ 1u))
            sorted[kept++] = terms[i];
    if (kept > 1)
        qsort(sorted, kept, sizeof(*sorted), compare_terms);
    for (size_t i = 0; i < kept; i++)
        if (unique == 0 || sorted[unique - 1] != sorted[i])
            sorted[unique++] = sorted[i];
    for (size_t i = 0; i < unique; i++)
        if (sorted[i] == zero || (f->nodes[sorted[i]].kind == DT_TERM_NOT &&
                                  is_there(sorted, unique, f->parts[f->nodes[sorted[i]].a])))
            goto out;
    result = unique == 0   ? zero ^ 1u
             : unique == 1 ? sorted[0]
                           : make(f, (node){kind, 0, (uint32_t)unique}, sorted);
out:
    free(sorted);
    return result;
}

dt_term dt_term_all(dt_formula *f, dt_term const *terms, size_t count)
{
    return join(f, DT_TERM_ALL, terms, count);
}

dt_term dt_term_any(dt_formula *f, dt_term const *terms, size_t count)
{
    return join(f, DT_TERM_ANY, terms, count);
}

dt_term dt_term_both(dt_formula *f, dt_term a, dt_term b)
{
    dt_term const terms[] = {a, b};
    return join(f, DT_TERM_ALL, terms, 2);
}

dt_term dt_term_either(dt_formula *f, dt_term a, dt_term b)
{
    dt_term const terms[] = {a, b};
    return join(f, DT_TERM_ANY, terms, 2);
}

/* --- looking at them --------------------------------------------------------------------------- */

size_t dt_formula_term_count(dt_formula const *f)
{
    return f->count;
}

dt_term_view dt_formula_view(dt_formula const *f, dt_term t)
{
    node const *n = &f->nodes[t];

    if (n->kind >= DT_TERM_NOT)
        return (dt_term_view){.kind = n->kind, .parts = f->parts + n->a, .count = n->b};
    return (dt_term_view){.kind = n->kind, .fact = n->a, .value = n->b};
}

static uint8_t parts_truth(dt_formula const *f, node const *n, uint8_t const *truth)
{
    dt_term const *parts = f->parts + n->a;
    uint8_t until = n->kind == DT_TERM_ANY;

    if (n->kind == DT_TERM_NOT)
        return !truth[parts[0]];
    for (uint32_t i = 0; i < n->b; i++)
        if (truth[parts[i]] == until)
            return until;
    return !until;
}

void dt_formula_evaluate(dt_formula const *f, uint32_t const *values, uint8_t *truth)
{
    for (size_t t = 0; t < f->count; t++) {
        node const *n = &f->nodes[t];

        if (n->kind == DT_TERM_CONSTANT)
            truth[t] = (uint8_t)n->b;
        else if (n->kind == DT_TERM_EQUALS)
            truth[t] = values[n->a] == n->b;
        else if (n->kind == DT_TERM_AT_MOST)
            truth[t] = values[n->a] <= n->b;
        else
            truth[t] = parts_truth(f, n, truth);
    }
}
