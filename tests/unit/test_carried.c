/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A decision carried from one round of PEAP to the next: it fits there and nowhere else. */
#include "rlm_devtrust/carried.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define ID "0123456789abcdef0123456789abcdef"

static uint8_t const round_one[] = {2, 254, 0, 6, 25, 0}, round_two[] = {2, 255, 0, 6, 25, 0},
                     round_three[] = {2, 0, 0, 6, 25, 0};

static dt_carried_place place(uint8_t const eap[6])
{
    return (dt_carried_place){.application = "wifi",
                              .user = dt_bytes_str("anonymous"),
                              .nas = dt_bytes_str("ap-1"),
                              .nas_address = dt_bytes_of("\x0a\0\0\x01", 4),
                              .station = dt_bytes_str("02-00-00-00-00-01"),
                              .source = dt_bytes_of("\x7f\0\0\x01", 4),
                              .eap = dt_bytes_of(eap, 6)};
}

static void make(dt_carried *c)
{
    dt_carried_place here = place(round_one);
    dt_outcome o = {0};

    assert_int_equal(dt_carried_make(&here, ID, true, &o, c), 0);
}

static void test_next_round(void **state)
{
    dt_carried c;
    dt_carried_place next = place(round_two);

    (void)state;
    make(&c);
    assert_true(dt_carried_fits(&c, &next));
    assert_true(c.allowed);
    assert_string_equal(c.id, ID);
    /* Identifiers go round. */
    assert_int_equal(dt_carried_make(&next, ID, false, &c.outcome, &c), 0);
    next = place(round_three);
    assert_true(dt_carried_fits(&c, &next));
    assert_false(c.allowed);
}

static void test_elsewhere(void **state)
{
    dt_carried c, zero = {0};
    dt_carried_place places[12];
    uint8_t const heads[][6] = {{2, 254, 0, 6, 25, 0},
                                {2, 0, 0, 6, 25, 0},
                                {1, 255, 0, 6, 25, 0},
                                {2, 255, 0, 6, 1, 0},
                                {2, 255, 0, 6, 21, 0}};
    size_t n = 0;

    (void)state;
    make(&c);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        places[i] = place(i < 5 ? heads[i] : round_two);
    n = 5;
    places[n++].application = "vpn";
    places[n++].user = dt_bytes_str("mallory");
    places[n++].nas = dt_bytes_str("ap-2");
    places[n++].nas_address = dt_bytes_of("\x0a\0\0\x02", 4);
    places[n++].station = dt_bytes_str("02-00-00-00-00-02");
    places[n++].source = dt_bytes_of("\x7f\0\0\x02", 4);
    places[n++].eap = dt_bytes_of(round_two, 4); /* cut */
    for (size_t i = 0; i < n; i++)
        assert_false(dt_carried_fits(&c, &places[i]));
    places[0] = place(round_two);
    assert_false(dt_carried_fits(&zero, &places[0]));
    zero.round = 254;
    assert_false(dt_carried_fits(&zero, &places[0]));
}

/* What stands in one attribute is not taken for another's. */
static void test_lengths_count(void **state)
{
    dt_carried c;
    dt_carried_place here = place(round_one), next = place(round_two);
    dt_outcome o = {0};

    (void)state;
    here.nas = dt_bytes_str("ap:1");
    assert_int_equal(dt_carried_make(&here, ID, true, &o, &c), 0);
    next.nas = here.nas;
    assert_true(dt_carried_fits(&c, &next));
    next.user = dt_bytes_str("anonymous:ap");
    next.nas = dt_bytes_str("1");
    assert_false(dt_carried_fits(&c, &next));
    here.user = dt_bytes_str("x0:y"); /* a length that somebody wrote into a name is a part of it */
    here.nas = dt_bytes_str("z");
    assert_int_equal(dt_carried_make(&here, ID, true, &o, &c), 0);
    next.user = dt_bytes_str("x");
    next.nas = dt_bytes_str("y0:z");
    assert_false(dt_carried_fits(&c, &next));
}

/* TTLS with MS-CHAPv2: as PEAP, and never from the one to the other. */
static void test_methods_are_apart(void **state)
{
    uint8_t const ttls[] = {2, 254, 0, 6, 21, 0}, next_ttls[] = {2, 255, 0, 6, 21, 0};
    dt_carried c;
    dt_carried_place here = place(ttls), next = place(next_ttls), peap = place(round_two);
    dt_outcome o = {0};

    (void)state;
    assert_int_equal(dt_carried_make(&here, ID, true, &o, &c), 0);
    assert_true(dt_carried_fits(&c, &next));
    assert_false(dt_carried_fits(&c, &peap));
    assert_false(dt_carried_fits(&c, &here));
    make(&c);
    assert_false(dt_carried_fits(&c, &next));
}

static void test_what_cannot_be_carried(void **state)
{
    uint8_t const identity[] = {2, 1, 0, 6, 1, 'x'}, tls[] = {2, 1, 0, 6, 13, 0};
    dt_carried c;
    dt_carried_place here = place(identity);
    dt_outcome o = {0};
    char long_id[2 * DT_SIGNON_ID_LEN];

    (void)state;
    assert_int_equal(dt_carried_make(&here, ID, true, &o, &c), DT_E_INVALID);
    assert_false(c.made || c.allowed);
    here = place(tls);
    assert_int_equal(dt_carried_make(&here, ID, true, &o, &c), DT_E_INVALID);
    here = place(round_one);
    memset(long_id, 'a', sizeof(long_id));
    long_id[sizeof(long_id) - 1] = '\0';
    assert_true(dt_carried_make(&here, long_id, true, &o, &c) < 0);
    assert_false(c.made || c.allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_round),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_lengths_count),
        cmocka_unit_test(test_methods_are_apart),
        cmocka_unit_test(test_what_cannot_be_carried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
