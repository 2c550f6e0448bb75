/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formulas over yes-or-no facts and numbers of a small range. A policy becomes one of them. It is
 * evaluated here for one request (the test against the evaluator does that a million times), and handed
 * to the solver node by node (prove_z3.c), so that both see the same.
 *
 * Equal terms are the same term, and a term's parts have smaller numbers than the term. When memory
 * ends, terms become false and dt_formula_failed says so: ask before you believe a result. */
#ifndef DT_CTL_PROVE_FORMULA_H
#define DT_CTL_PROVE_FORMULA_H

#include "core/base/bytes.h"

#define DT_FORMULA_TERMS_MAX (32 * 1024 * 1024)

typedef struct dt_formula dt_formula;
typedef uint32_t dt_term; /* a node of a formula */
typedef uint32_t dt_fact; /* a variable: a fact, or a number */

#define DT_TERM_FALSE 0u
#define DT_TERM_TRUE 1u

typedef enum dt_term_kind {
    DT_TERM_CONSTANT = 0,
    DT_TERM_EQUALS,  /* a fact has this value; of yes and no, 1 is yes */
    DT_TERM_AT_MOST, /* a fact has at most this value */
    DT_TERM_NOT,
    DT_TERM_ALL,
    DT_TERM_ANY,
} dt_term_kind;

typedef struct dt_term_view {
    dt_term_kind kind;
    dt_fact fact;         /* of EQUALS and AT_MOST */
    uint32_t value;       /* the same */
    dt_term const *parts; /* of NOT, ALL, ANY; borrowed until the next term is made */
    uint32_t count;
} dt_term_view;

/* DT_E_NOMEM. Free with dt_formula_free. */
DT_MUST_USE int dt_formula_new(dt_formula **out);
void dt_formula_free(dt_formula **f);
bool dt_formula_failed(dt_formula const *f);
/* Says that memory has ended; false. */
dt_term dt_formula_fail(dt_formula *f);

/* A fact whose values are 0 to count - 1; count 2 is "no" and "yes". */
dt_fact dt_formula_fact(dt_formula *f, uint32_t count);
uint32_t dt_formula_fact_count(dt_formula const *f);
uint32_t dt_formula_fact_range(dt_formula const *f, dt_fact fact);

dt_term dt_term_equals(dt_formula *f, dt_fact fact, uint32_t value);
/* `from` <= fact <= `to`. */
dt_term dt_term_between(dt_formula *f, dt_fact fact, uint32_t from, uint32_t to);
/* The fact has one of the values whose byte is not 0; `member` has a byte per value. */
dt_term dt_term_member(dt_formula *f, dt_fact fact, uint8_t const *member);
dt_term dt_term_not(dt_formula *f, dt_term a);
dt_term dt_term_both(dt_formula *f, dt_term a, dt_term b);
dt_term dt_term_either(dt_formula *f, dt_term a, dt_term b);
/* All of none is true, any of none is false. */
dt_term dt_term_all(dt_formula *f, dt_term const *terms, size_t count);
dt_term dt_term_any(dt_formula *f, dt_term const *terms, size_t count);

size_t dt_formula_term_count(dt_formula const *f);
dt_term_view dt_formula_view(dt_formula const *f, dt_term t);

/* What every term is when the facts have these values: a byte per term into `truth`. */
void dt_formula_evaluate(dt_formula const *f, uint32_t const *values, uint8_t *truth);

#endif
