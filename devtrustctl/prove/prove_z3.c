/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The prover's solver: Z3, by its C interface. Every term becomes a proposition of its own that is
 * defined by its parts, so that any term can be asked about later without new definitions. */
#include "devtrustctl/prove/prove_solver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <z3.h>

#define OFFSET_BITS 16 /* room for a minute of the week plus an offset, with a sign */

struct dt_solver {
    dt_space const *s;
    Z3_context c;
    Z3_solver solver;
    Z3_model model;
    Z3_ast *facts; /* a proposition, or a bit vector */
    Z3_ast *terms;
    size_t term_cap;
    Z3_ast *list; /* scratch */
    size_t list_cap;
    uint8_t *wanted; /* scratch: a byte per term */
    bool groups_limited, failed;
    pthread_t thread; /* that ends a question when its time has gone */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool watched, asking, ends; /* under the lock, like the next two */
    int64_t deadline, wakes;    /* when the question ends, and when the thread looks at that */
};

/* --- facts ------------------------------------------------------------------------------------- */

static unsigned bits_for(uint32_t range)
{
    unsigned bits = 1;

    while (bits < 32 && range > UINT32_C(1) << bits)
        bits++;
    return bits;
}

static void assert_term(dt_solver *v, Z3_ast a)
{
    Z3_solver_assert(v->c, v->solver, a);
}

static Z3_ast number(dt_solver *v, uint32_t value, unsigned bits)
{
    return Z3_mk_unsigned_int(v->c, value, Z3_mk_bv_sort(v->c, bits));
}

/* A fact is given to Z3 when it is first needed. */
static Z3_ast fact_of(dt_solver *v, dt_fact fact)
{
    uint32_t range = dt_formula_fact_range(v->s->f, fact);
    unsigned bits = bits_for(range);
    Z3_sort sort;

    if (v->facts[fact] != NULL)
        return v->facts[fact];
    sort = range <= 2 ? Z3_mk_bool_sort(v->c) : Z3_mk_bv_sort(v->c, bits);
    v->facts[fact] = Z3_mk_const(v->c, Z3_mk_int_symbol(v->c, 2 * (int)fact), sort);
    if (range > 2 && range < UINT32_C(1) << bits)
        assert_term(v, Z3_mk_bvule(v->c, v->facts[fact], number(v, range - 1, bits)));
    return v->facts[fact];
}

/* Local time is UTC and the offset, around the end of the week. */
static void time_require(dt_solver *v)
{
    dt_space const *s = v->s;
    Z3_context c = v->c;
    Z3_ast utc, local, offset, sum, ways[3];

    if (!s->uses_utc || !s->uses_local)
        return;
    utc = Z3_mk_zero_ext(c, OFFSET_BITS - bits_for(DT_MINUTES_OF_WEEK), fact_of(v, s->utc));
    local = Z3_mk_zero_ext(c, OFFSET_BITS - bits_for(DT_MINUTES_OF_WEEK), fact_of(v, s->local));
    offset = Z3_mk_zero_ext(c, OFFSET_BITS - bits_for(DT_SPACE_OFFSETS), fact_of(v, s->offset));
    sum = Z3_mk_bvadd(c, utc, offset); /* DT_UTC_OFFSET_MAX more than it should be */
    for (uint32_t week = 0; week < 3; week++)
        ways[week] = Z3_mk_eq(
            c, Z3_mk_bvadd(c, sum, number(v, DT_MINUTES_OF_WEEK, OFFSET_BITS)),
            Z3_mk_bvadd(c, local,
                        number(v, DT_UTC_OFFSET_MAX + week * DT_MINUTES_OF_WEEK, OFFSET_BITS)));
    assert_term(v, Z3_mk_or(c, 3, ways));
}

static bool list_reserve(dt_solver *v, size_t count)
{
    Z3_ast *list;

    if (count <= v->list_cap)
        return true;
    list = realloc(v->list, count * sizeof(*list));
    if (list == NULL)
        return false;
    v->list = list;
    v->list_cap = count;
    return true;
}

void dt_solver_limit_groups(dt_solver *v)
{
    dt_space const *s = v->s;
    size_t count = s->groups.count + s->groups_like.count;

    if (v->groups_limited || !list_reserve(v, count))
        return;
    for (size_t i = 0; i < s->groups.count; i++)
        v->list[i] = fact_of(v, s->member[i]);
    for (size_t i = 0; i < s->groups_like.count; i++)
        v->list[s->groups.count + i] = fact_of(v, s->member_like[i]);
    assert_term(v, Z3_mk_atmost(v->c, (unsigned)count, v->list, DT_GROUPS_MAX));
    v->groups_limited = true;
}

/* --- terms ------------------------------------------------------------------------------------- */

static Z3_ast comparison(dt_solver *v, dt_term_view const *t)
{
    uint32_t range = dt_formula_fact_range(v->s->f, t->fact);
    Z3_ast value;

    if (range <= 2)
        return fact_of(v, t->fact);
    value = number(v, t->value, bits_for(range));
    return t->kind == DT_TERM_EQUALS ? Z3_mk_eq(v->c, fact_of(v, t->fact), value)
                                     : Z3_mk_bvule(v->c, fact_of(v, t->fact), value);
}

static Z3_ast joined(dt_solver *v, dt_term_view const *t)
{
    if (!list_reserve(v, t->count)) {
        v->failed = true;
        return Z3_mk_false(v->c);
    }
    for (uint32_t i = 0; i < t->count; i++)
        v->list[i] = v->terms[t->parts[i]];
    return t->kind == DT_TERM_ALL ? Z3_mk_and(v->c, t->count, v->list)
                                  : Z3_mk_or(v->c, t->count, v->list);
}

static void term_make(dt_solver *v, dt_term t)
{
    dt_term_view view = dt_formula_view(v->s->f, t);
    Z3_ast meaning;

    if (view.kind == DT_TERM_CONSTANT) {
        v->terms[t] = t == DT_TERM_TRUE ? Z3_mk_true(v->c) : Z3_mk_false(v->c);
        return;
    }
    if (view.kind == DT_TERM_NOT) {
        v->terms[t] = Z3_mk_not(v->c, v->terms[view.parts[0]]);
        return;
    }
    if (view.kind <= DT_TERM_AT_MOST && dt_formula_fact_range(v->s->f, view.fact) <= 2) {
        v->terms[t] = fact_of(v, view.fact);
        return;
    }
    meaning = view.kind <= DT_TERM_AT_MOST ? comparison(v, &view) : joined(v, &view);
    v->terms[t] = Z3_mk_const(v->c, Z3_mk_int_symbol(v->c, 2 * (int)t + 1), Z3_mk_bool_sort(v->c));
    assert_term(v, Z3_mk_iff(v->c, v->terms[t], meaning));
}

/* Room for terms that came since. */
static bool terms_reserve(dt_solver *v)
{
    size_t count = dt_formula_term_count(v->s->f), cap = count + count / 2;
    Z3_ast *terms;
    uint8_t *wanted;

    if (count > v->term_cap) {
        terms = realloc(v->terms, cap * sizeof(*terms));
        v->terms = terms != NULL ? terms : v->terms;
        wanted = realloc(v->wanted, cap);
        v->wanted = wanted != NULL ? wanted : v->wanted;
        if (terms == NULL || wanted == NULL)
            return false;
        memset(terms + v->term_cap, 0, (cap - v->term_cap) * sizeof(*terms));
        memset(wanted + v->term_cap, 0, cap - v->term_cap);
        v->term_cap = cap;
    }
    return true;
}

/* Gives Z3 the terms and all that they are made of, parts first, each once. */
static void terms_make(dt_solver *v, dt_term const *terms, size_t count)
{
    dt_term most = 0, least = UINT32_MAX;

    if (!terms_reserve(v)) {
        v->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        v->wanted[terms[i]] = v->terms[terms[i]] == NULL;
        most = terms[i] > most ? terms[i] : most;
    }
    for (dt_term t = most + 1; t-- > 0;) {
        dt_term_view view = dt_formula_view(v->s->f, t);
        if (v->wanted[t] == 0)
            continue;
        least = t;
        for (uint32_t k = 0; view.kind >= DT_TERM_NOT && k < view.count; k++)
            v->wanted[view.parts[k]] = v->terms[view.parts[k]] == NULL;
    }
    for (dt_term t = least; t <= most; t++) {
        if (v->wanted[t] != 0)
            term_make(v, t);
        v->wanted[t] = 0;
    }
}

/* --- the end of the time ------------------------------------------------------------------------- */

/* Z3 has a limit of its own, but waits for its timer's thread by spinning each time it is asked, which
 * takes far longer than most questions. So a thread of ours interrupts it. */

static int64_t clock_now(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *watch(void *arg)
{
    dt_solver *v = arg;

    pthread_mutex_lock(&v->lock);
    while (!v->ends) {
        int64_t until = v->asking ? v->deadline : INT64_MAX / 2;
        struct timespec t = {until / 1000, until % 1000 * 1000000};
        if (v->asking && clock_now() >= v->deadline) {
            Z3_solver_interrupt(v->c, v->solver);
            t = (struct timespec){(until + 100) / 1000, (until + 100) % 1000 * 1000000};
            v->deadline += 100; /* again, should it have come before Z3 began */
        }
        v->wakes = v->asking ? v->deadline : INT64_MAX;
        if (v->asking)
            (void)pthread_cond_timedwait(&v->changed, &v->lock, &t);
        else
            (void)pthread_cond_wait(&v->changed, &v->lock);
    }
    pthread_mutex_unlock(&v->lock);
    return NULL;
}

static bool watch_begin(dt_solver *v)
{
    pthread_condattr_t with_clock;
    bool made;

    v->wakes = INT64_MAX;
    made = pthread_condattr_init(&with_clock) == 0;
    made = made && pthread_condattr_setclock(&with_clock, CLOCK_MONOTONIC) == 0 &&
           pthread_mutex_init(&v->lock, NULL) == 0 &&
           pthread_cond_init(&v->changed, &with_clock) == 0 &&
           pthread_create(&v->thread, NULL, watch, v) == 0;
    (void)pthread_condattr_destroy(&with_clock);
    v->watched = made;
    return made;
}

static void watch_end(dt_solver *v)
{
    if (!v->watched)
        return;
    pthread_mutex_lock(&v->lock);
    v->ends = true;
    pthread_cond_signal(&v->changed);
    pthread_mutex_unlock(&v->lock);
    (void)pthread_join(v->thread, NULL);
    (void)pthread_cond_destroy(&v->changed);
    (void)pthread_mutex_destroy(&v->lock);
}

/* The thread is woken only when it would wake too late by itself. */
static void watch_set(dt_solver *v, bool asking, int64_t milliseconds)
{
    pthread_mutex_lock(&v->lock);
    v->asking = asking;
    v->deadline = asking ? clock_now() + milliseconds : INT64_MAX;
    if (v->deadline < v->wakes)
        pthread_cond_signal(&v->changed);
    pthread_mutex_unlock(&v->lock);
}

/* --- the solver -------------------------------------------------------------------------------- */

/* Errors are asked for where they count: an answer that is not "yes" or "no" is UNDECIDED. */
static void on_error(Z3_context c, Z3_error_code code)
{
    (void)c;
    (void)code;
}

static Z3_context context_new(void)
{
    char memory[16];
    Z3_config config = Z3_mk_config();
    Z3_context c;

    (void)snprintf(memory, sizeof(memory), "%d", DT_SOLVER_MEMORY_MAX);
    Z3_global_param_set("memory_max_size", memory);
    c = Z3_mk_context(config);
    Z3_del_config(config);
    if (c != NULL)
        Z3_set_error_handler(c, on_error);
    return c;
}

int dt_solver_new(dt_space const *s, dt_solver **out, dt_error *e)
{
    dt_solver *v = calloc(1, sizeof(*v));

    *out = NULL;
    if (v != NULL)
        v->c = context_new();
    if (v == NULL || v->c == NULL) {
        free(v);
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    v->s = s;
    /* Propositions and bit vectors: one search by a SAT solver, which keeps what it has learnt. */
    v->solver = Z3_mk_solver_for_logic(v->c, Z3_mk_string_symbol(v->c, "QF_FD"));
    Z3_solver_inc_ref(v->c, v->solver);
    v->facts = calloc(dt_formula_fact_count(s->f) + 1, sizeof(*v->facts));
    if (v->facts == NULL || !watch_begin(v))
        v->failed = true;
    else {
        time_require(v);
        dt_solver_require(v, s->names_fit);
    }
    if (v->failed || Z3_get_error_code(v->c) != Z3_OK) {
        dt_solver_free(&v);
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    *out = v;
    return DT_OK;
}

static void model_drop(dt_solver *v)
{
    if (v->model != NULL)
        Z3_model_dec_ref(v->c, v->model);
    v->model = NULL;
}

void dt_solver_free(dt_solver **v)
{
    if (v == NULL || *v == NULL)
        return;
    watch_end(*v);
    model_drop(*v);
    Z3_solver_dec_ref((*v)->c, (*v)->solver);
    Z3_del_context((*v)->c);
    free((*v)->facts);
    free((*v)->terms);
    free((*v)->list);
    free((*v)->wanted);
    free(*v);
    *v = NULL;
}

void dt_solver_require(dt_solver *v, dt_term t)
{
    terms_make(v, &t, 1);
    if (!v->failed)
        assert_term(v, v->terms[t]);
}

dt_solved dt_solver_ask(dt_solver *v, dt_term const *terms, size_t count, int64_t milliseconds)
{
    unsigned asked = 0;
    Z3_lbool answer;

    model_drop(v);
    terms_make(v, terms, count);
    if (milliseconds <= 0 || !list_reserve(v, count + 1) || v->failed || dt_formula_failed(v->s->f))
        return DT_SOLVED_UNDECIDED;
    for (size_t i = 0; i < count; i++) {
        if (terms[i] == DT_TERM_FALSE)
            return DT_SOLVED_NEVER;
        if (terms[i] != DT_TERM_TRUE)
            v->list[asked++] = v->terms[terms[i]];
    }
    watch_set(v, true, milliseconds);
    answer = Z3_solver_check_assumptions(v->c, v->solver, asked, v->list);
    watch_set(v, false, 0);
    if (Z3_get_error_code(v->c) != Z3_OK || answer == Z3_L_UNDEF)
        return DT_SOLVED_UNDECIDED;
    if (answer == Z3_L_FALSE)
        return DT_SOLVED_NEVER;
    v->model = Z3_solver_get_model(v->c, v->solver);
    if (v->model == NULL)
        return DT_SOLVED_UNDECIDED;
    Z3_model_inc_ref(v->c, v->model);
    return DT_SOLVED_FOUND;
}

void dt_solver_values(dt_solver *v, uint32_t *values)
{
    uint32_t count = dt_formula_fact_count(v->s->f);

    for (dt_fact i = 0; v->model != NULL && i < count; i++) {
        Z3_ast value = NULL;
        unsigned n = 0;
        if (v->facts[i] == NULL || !Z3_model_eval(v->c, v->model, v->facts[i], true, &value))
            continue;
        if (dt_formula_fact_range(v->s->f, i) <= 2)
            values[i] = Z3_get_bool_value(v->c, value) == Z3_L_TRUE;
        else if (Z3_get_ast_kind(v->c, value) == Z3_NUMERAL_AST &&
                 Z3_get_numeral_uint(v->c, value, &n))
            values[i] = n;
    }
}

uint64_t dt_solver_memory(void)
{
    return Z3_get_estimated_alloc_size();
}

char const *dt_solver_version(void)
{
    return Z3_get_full_version();
}
