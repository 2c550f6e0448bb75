/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often a caller other than root may ask the daemon. */
#include "pam_devtrust/daemon/daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static dt_rate slots[DT_DAEMON_RATE_SLOTS];

static int setup(void **state)
{
    (void)state;
    memset(slots, 0, sizeof(slots));
    return 0;
}

static void use_up(uid_t uid, int64_t now)
{
    for (int i = 0; i < DT_DAEMON_RATE_MAX; i++)
        assert_int_equal(dt_rate_take(slots, uid, now), DT_RATE_OK);
}

static void test_window(void **state)
{
    (void)state;
    use_up(1000, 5);
    assert_int_equal(dt_rate_take(slots, 1000, 5), DT_RATE_FIRST_OVER);
    assert_int_equal(dt_rate_take(slots, 1000, 5), DT_RATE_OVER);
    assert_int_equal(dt_rate_take(slots, 1000, 4 + DT_DAEMON_RATE_WINDOW), DT_RATE_OVER);
    use_up(1000, 5 + DT_DAEMON_RATE_WINDOW);
    assert_int_equal(dt_rate_take(slots, 1000, 5 + DT_DAEMON_RATE_WINDOW), DT_RATE_FIRST_OVER);
}

static void test_each_its_own(void **state)
{
    (void)state;
    use_up(1000, 5);
    use_up(1001, 5);
    assert_int_equal(dt_rate_take(slots, 1000, 6), DT_RATE_FIRST_OVER);
    assert_int_equal(dt_rate_take(slots, 1001, 6), DT_RATE_FIRST_OVER);
    assert_int_equal(dt_rate_take(slots, 1002, 6), DT_RATE_OK);
}

/* Asking on and on must not wrap around to being allowed. */
static void test_saturates(void **state)
{
    (void)state;
    use_up(1000, 5);
    assert_int_equal(dt_rate_take(slots, 1000, 5), DT_RATE_FIRST_OVER);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(dt_rate_take(slots, 1000, 5), DT_RATE_OVER);
}

static void test_more_callers_than_slots(void **state)
{
    (void)state;
    for (uid_t uid = 1; uid <= DT_DAEMON_RATE_SLOTS; uid++)
        assert_int_equal(dt_rate_take(slots, uid, 5), DT_RATE_OK);
    assert_int_equal(dt_rate_take(slots, 5000, 5), DT_RATE_OVER);
    assert_int_equal(dt_rate_take(slots, 1, 5), DT_RATE_OK);
    /* once the others' windows are over there is room again */
    assert_int_equal(dt_rate_take(slots, 5000, 5 + DT_DAEMON_RATE_WINDOW), DT_RATE_OK);
}

/* A slot of another caller that is over comes first: the own count behind it still holds. */
static void test_own_slot_behind_a_free_one(void **state)
{
    (void)state;
    assert_int_equal(dt_rate_take(slots, 1, 5), DT_RATE_OK);
    use_up(2, DT_DAEMON_RATE_WINDOW);
    assert_int_equal(dt_rate_take(slots, 2, 6 + DT_DAEMON_RATE_WINDOW), DT_RATE_FIRST_OVER);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test_setup(test_window, setup),
        cmocka_unit_test_setup(test_each_its_own, setup),
        cmocka_unit_test_setup(test_saturates, setup),
        cmocka_unit_test_setup(test_more_callers_than_slots, setup),
        cmocka_unit_test_setup(test_own_slot_behind_a_free_one, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
