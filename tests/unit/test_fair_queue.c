/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fair queue beside a plain model of it, and what it promises: nobody waits behind a crowd. */
#include "edge/fair_queue.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 2000
#define NASES 5
#define IDENTITIES 40

typedef struct waiter {
    dt_fair_item item;
    int nas, identity, number;
    bool waits;
} waiter;

static waiter waiters[ITEMS];
static int added;

static int setup(void **state)
{
    dt_fair_queue *q = NULL;

    memset(waiters, 0, sizeof(waiters));
    added = 0;
    assert_int_equal(dt_fair_queue_new(&q), DT_OK);
    *state = q;
    return 0;
}

static int teardown(void **state)
{
    dt_fair_queue *q = *state;

    while (dt_fair_queue_take(q) != NULL)
        ;
    dt_fair_queue_free(&q);
    assert_null(q);
    return 0;
}

static waiter *add(dt_fair_queue *q, int nas, int identity)
{
    waiter *w = &waiters[added];
    char n[16], i[16];

    assert_true(added < ITEMS);
    *w = (waiter){.nas = nas, .identity = identity, .number = added++, .waits = true};
    snprintf(n, sizeof(n), "nas%d", nas);
    snprintf(i, sizeof(i), "who%d", identity);
    assert_int_equal(dt_fair_queue_add(q, &w->item, n, i), DT_OK);
    return w;
}

static waiter *take(dt_fair_queue *q)
{
    waiter *w = (waiter *)dt_fair_queue_take(q); /* the item is its first member */

    if (w != NULL) {
        assert_true(w->waits);
        assert_null(w->item.share);
        w->waits = false;
    }
    return w;
}

static void test_empty(void **state)
{
    size_t count = 7;

    assert_null(dt_fair_queue_take(*state));
    assert_null(dt_fair_queue_oldest(*state));
    assert_null(dt_fair_queue_heaviest(*state, &count));
    assert_int_equal(count, 0);
    assert_int_equal(dt_fair_queue_count(*state), 0);
    assert_int_equal(dt_fair_queue_waiting(*state, "nas", "who"), 0);
    dt_fair_queue_free(NULL);
}

/* One alone has every turn, in order. */
static void test_alone(void **state)
{
    for (int i = 0; i < 100; i++)
        add(*state, 0, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(take(*state)->number, i);
    assert_null(take(*state));
}

/* Whoever comes to a crowd of the same NAS has the next turn but one. */
static void test_a_crowd_of_one(void **state)
{
    for (int i = 0; i < 1000; i++)
        add(*state, 0, 0);
    waiter *ann = add(*state, 0, 1), *bob = add(*state, 0, 2);
    take(*state);
    assert_ptr_equal(take(*state), ann);
    assert_ptr_equal(take(*state), bob);
    ann = add(*state, 0, 1);
    assert_int_equal(take(*state)->identity, 0);
    assert_ptr_equal(take(*state), ann);
}

/* A NAS has its turn however many identities another one has. */
static void test_a_crowd_of_many(void **state)
{
    for (int i = 0; i < 1000; i++)
        add(*state, 0, i);
    for (int i = 0; i < 10; i++)
        add(*state, 1, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(take(*state)->nas, i % 2);
    for (int i = 10; i < 1000; i++)
        assert_int_equal(take(*state)->identity, i);
}

static void test_names_are_kept_apart(void **state)
{
    dt_fair_item items[4];

    assert_int_equal(dt_fair_queue_add(*state, &items[0], "a", "bc"), DT_OK);
    assert_int_equal(dt_fair_queue_add(*state, &items[1], "ab", "c"), DT_OK);
    assert_int_equal(dt_fair_queue_add(*state, &items[2], "", "abc"), DT_OK);
    assert_int_equal(dt_fair_queue_add(*state, &items[3], "abc", ""), DT_OK);
    assert_int_equal(dt_fair_queue_waiting(*state, "a", "bc"), 1);
    assert_int_equal(dt_fair_queue_waiting(*state, "ab", "c"), 1);
    assert_int_equal(dt_fair_queue_waiting(*state, "", "abc"), 1);
    assert_int_equal(dt_fair_queue_waiting(*state, "abc", ""), 1);
    assert_int_equal(dt_fair_queue_waiting(*state, "abc", "abc"), 0);
    while (dt_fair_queue_take(*state) != NULL)
        continue;
}

static void test_heaviest(void **state)
{
    size_t count = 0;
    waiter *last = NULL;

    add(*state, 0, 0);
    for (int i = 0; i < 3; i++)
        last = add(*state, 1, 0);
    add(*state, 1, 1);
    assert_ptr_equal(dt_fair_queue_heaviest(*state, &count), &last->item);
    assert_int_equal(count, 3);
    dt_fair_queue_remove(*state, &last->item);
    dt_fair_queue_remove(*state, dt_fair_queue_heaviest(*state, &count));
    assert_int_equal(dt_fair_queue_waiting(*state, "nas1", "who0"), 1);
    while (take(*state) != NULL)
        continue;
}

/* --- beside a model: turns counted by hand ----------------------------------------------------- */

static uint32_t seed;

static int below(int n)
{
    seed = seed * 1664525u + 1013904223u;
    return (int)((seed >> 8) % (unsigned)n);
}

/* In a row of turns nobody who waits the whole time is passed over twice by another. */
static void test_no_one_is_passed_over(void **state)
{
    for (seed = 1; seed < 50; seed += 7) {
        int taken[NASES] = {0}, before[NASES];
        size_t count = 0;
        added = 0;
        for (int i = 0; i < ITEMS; i++, count++)
            add(*state, below(i % 7 == 0 ? NASES : 1), below(i % 3 == 0 ? IDENTITIES : 2));
        for (int i = 0; i < ITEMS / 4; i++) {
            waiter *gone = &waiters[below(ITEMS)];
            if (!gone->waits)
                continue;
            dt_fair_queue_remove(*state, &gone->item);
            gone->waits = false;
            count--;
        }
        while (dt_fair_queue_count(*state) > 0) {
            assert_int_equal(dt_fair_queue_count(*state), count--);
            bool waiting[NASES] = {false};
            waiter const *oldest = (waiter const *)dt_fair_queue_oldest(*state);
            for (int i = 0; i < ITEMS; i++) {
                waiting[waiters[i].nas] = waiting[waiters[i].nas] || waiters[i].waits;
                assert_false(waiters[i].waits && waiters[i].number < oldest->number);
            }
            memcpy(before, taken, sizeof(taken));
            waiter *w = take(*state);
            taken[w->nas]++;
            for (int n = 0; n < NASES; n++)
                assert_true(!waiting[n] || before[w->nas] <= before[n]);
            for (int i = 0; i < w->number; i++) /* of one identity, the oldest first */
                assert_false(waiters[i].waits && waiters[i].nas == w->nas &&
                             waiters[i].identity == w->identity);
        }
        assert_int_equal(count, 0);
        assert_null(take(*state));
    }
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    struct CMUnitTest const tests[] = {
        T(test_empty),
        T(test_alone),
        T(test_a_crowd_of_one),
        T(test_a_crowd_of_many),
        T(test_names_are_kept_apart),
        T(test_heaviest),
        T(test_no_one_is_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
