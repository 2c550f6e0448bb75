/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events that came before: bounded, by issuer, for a time. */
#include "core/signals/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#define NOW ((dt_time)1700000000000)

static char const *name(int i)
{
    static char text[32];
    (void)snprintf(text, sizeof(text), "jti-%d", i);
    return text;
}

static dt_seen *make(size_t max)
{
    dt_seen *s = NULL;
    assert_int_equal(dt_seen_new(max, &s), DT_OK);
    return s;
}

static void what_was_added_is_known(void **state)
{
    dt_seen *s = make(8);
    (void)state;
    assert_false(dt_seen_has(s, "a", "1", NOW));
    dt_seen_add(s, "a", "1", NOW);
    assert_true(dt_seen_has(s, "a", "1", NOW));
    assert_false(dt_seen_has(s, "b", "1", NOW));
    assert_false(dt_seen_has(s, "a", "2", NOW));
    assert_false(dt_seen_has(s, "a1", "", NOW));
    assert_false(dt_seen_has(s, "", "a1", NOW));
    dt_seen_free(&s);
    assert_null(s);
    dt_seen_free(&s);
}

static void it_is_known_for_a_time(void **state)
{
    dt_seen *s = make(8);
    (void)state;
    dt_seen_add(s, "a", "1", NOW);
    assert_true(dt_seen_has(s, "a", "1", NOW + DT_SEEN_KEEP - 1));
    assert_false(dt_seen_has(s, "a", "1", NOW + DT_SEEN_KEEP));
    dt_seen_add(s, "a", "1", NOW + DT_SEEN_KEEP);
    assert_true(dt_seen_has(s, "a", "1", NOW + DT_SEEN_KEEP));
    dt_seen_free(&s);
}

/* The oldest is forgotten first, whatever chains the ids are in. */
static void the_oldest_is_forgotten_first(void **state)
{
    enum { MAX = 100, ALL = 1000 };
    dt_seen *s = make(MAX);
    (void)state;
    for (int i = 0; i < ALL; i++) {
        assert_false(dt_seen_has(s, "a", name(i), NOW));
        dt_seen_add(s, "a", name(i), NOW);
        for (int k = i - MAX - 5 > 0 ? i - MAX - 5 : 0; k <= i; k++)
            if (dt_seen_has(s, "a", name(k), NOW) != (k > i - MAX))
                fail_msg("%d after %d", k, i);
    }
    dt_seen_free(&s);
}

static void twice_is_once(void **state)
{
    dt_seen *s = make(2);
    (void)state;
    dt_seen_add(s, "a", "1", NOW);
    for (int i = 0; i < 5; i++)
        dt_seen_add(s, "a", "2", NOW);
    assert_true(dt_seen_has(s, "a", "1", NOW));
    assert_true(dt_seen_has(s, "a", "2", NOW));
    dt_seen_free(&s);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(what_was_added_is_known),
        cmocka_unit_test(it_is_known_for_a_time),
        cmocka_unit_test(the_oldest_is_forgotten_first),
        cmocka_unit_test(twice_is_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
