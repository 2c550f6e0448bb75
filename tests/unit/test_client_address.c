/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of the values that a request brings is the client's address, and that none is made up. */
#include "core/policy/client_address.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#define NEXT "\n" /* the next place is looked into, if it is asked for */

static void look(dt_client_address *a, char const *const *values)
{
    memset(a, 0, sizeof(*a));
    for (size_t i = 0; values[i] != NULL; i++) {
        if (strcmp(values[i], NEXT) != 0)
            dt_client_address_value(a, dt_bytes_str(values[i]));
        else if (dt_client_address_is_settled(a))
            return;
    }
}

static void test_what_is_told(void **state)
{
    static struct {
        char const *values[8];
        bool known, unreadable;
        char const *text;
    } const cases[] = {
        {{NULL}, false, false, ""},
        {{""}, false, false, ""},
        {{"192.0.2.7"}, true, false, "192.0.2.7"},
        {{"::ffff:192.0.2.7"}, true, false, "::ffff:192.0.2.7"},
        {{"2001:db8::1"}, true, false, "2001:db8::1"},
        {{"192.0.2.7", "192.0.2.7"}, true, false, "192.0.2.7"},
        {{"192.0.2.7", "::ffff:192.0.2.7"}, true, false, "::ffff:192.0.2.7"},
        {{"192.0.2.7", "192.0.2.8"}, false, true, "(several addresses)"},
        {{"192.0.2.7", "192.0.2.8", "192.0.2.7"}, false, true, "(several addresses)"},
        {{"192.0.2.7", "host.example"}, false, true, "host.example"},
        {{"host.example", "192.0.2.7"}, false, true, "host.example"},
        {{"host.example", NEXT, "192.0.2.7"}, false, true, "host.example"},
        {{"", NEXT, "192.0.2.7"}, true, false, "192.0.2.7"},
        {{"192.0.2.7", NEXT, "192.0.2.8"}, true, false, "192.0.2.7"},
        {{"02-00-00-00-00-07"}, false, false, "02-00-00-00-00-07"},
        {{"02-00-00-00-00-07", NEXT, "192.0.2.7"}, true, false, "192.0.2.7"},
        {{"192.0.2.7", "02-00-00-00-00-07"}, true, false, "192.0.2.7"},
        {{"02:00:00:00:00:07", NEXT, "host.example", NEXT, "192.0.2.7"},
         false,
         true,
         "host.example"},
        {{"0.0.0.0"}, false, true, "0.0.0.0"},
        {{"0.0.0.0", NEXT, "192.0.2.7"}, false, true, "0.0.0.0"},
        {{"::"}, false, true, "::"},
        {{"255.255.255.254"}, false, true, "255.255.255.254"},
        {{"255.255.255.255"}, false, true, "255.255.255.255"},
        {{"224.0.0.1"}, false, true, "224.0.0.1"},
        {{"239.255.255.255"}, false, true, "239.255.255.255"},
        {{"240.0.0.1"}, true, false, "240.0.0.1"},
        {{"223.255.255.255"}, true, false, "223.255.255.255"},
        {{"255.255.255.253"}, true, false, "255.255.255.253"},
        {{"0.0.0.1"}, true, false, "0.0.0.1"},
        {{"ff02::1"}, false, true, "ff02::1"},
        {{"::1"}, true, false, "::1"},
        {{"2001:db8::/64"}, false, true, "2001:db8::/64"},
        {{"192.0.2.7/24"}, false, true, "192.0.2.7/24"},
        {{" 192.0.2.7"}, false, true, " 192.0.2.7"},
        {{"192.0.2.7, 192.0.2.8"}, false, true, "192.0.2.7, 192.0.2.8"},
        {{"ff-ff-ff-ff-ff-ff"}, false, true, "ff-ff-ff-ff-ff-ff"}, /* nobody's */
        {{"anonymous"}, false, true, "anonymous"},
        {{"0123456789012345678901234567890123456789012345678901234567890123"},
         false,
         true,
         "(unreadable)"},
    };
    dt_client_address a;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        look(&a, cases[i].values);
        if (a.known != cases[i].known || a.unreadable != cases[i].unreadable ||
            strcmp(a.text, cases[i].text) != 0)
            fail_msg("case %zu: known %d, unreadable %d, \"%s\"", i, a.known, a.unreadable, a.text);
        assert_int_equal(dt_client_address_is_settled(&a), a.known || a.unreadable);
    }
}

static void test_a_value_that_cannot_be_looked_at(void **state)
{
    dt_client_address a = {0};

    (void)state;
    dt_client_address_value(&a, dt_bytes_str("192.0.2.7"));
    dt_client_address_garbled(&a);
    assert_true(dt_client_address_is_settled(&a));
    assert_false(a.known);
    dt_client_address_value(&a, dt_bytes_str("192.0.2.7"));
    assert_false(a.known);
    assert_string_equal(a.text, "(unreadable)");
    memset(&a, 0, sizeof(a));
    dt_client_address_value(&a, dt_bytes_of("192.0.2.7\0", 10));
    assert_false(a.known);
    assert_true(a.unreadable);
}

int main(void)
{
    static struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_what_is_told),
        cmocka_unit_test(test_a_value_that_cannot_be_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
