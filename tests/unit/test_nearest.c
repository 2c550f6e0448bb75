/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": slips find the word, other words find none. */
#include "core/base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static char const *nearest(char const *typed)
{
    static char const *const words[] = {"check-config", "check-pam", "explain", "device",
                                        "policy",       "log",       "forget",  "version"};
    dt_nearest n = dt_nearest_begin(typed);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        dt_nearest_offer(&n, words[i]);
    return n.best != NULL ? n.best : "none";
}

static void slips(void **state)
{
    static char const *const rows[][2] = {
        {"chek-config", "check-config"},
        {"checkconfig", "check-config"},
        {"check_pam", "check-pam"},
        {"explian", "explain"},
        {"devices", "device"},
        {"lgo", "log"},
        {"polcy", "policy"},
        {"log", "log"},
        {"xyzzy", "none"},
        {"", "none"},
        {"o", "none"},
        {"users", "none"},
        {"--version", "version"},
    };
    char longest[4 * DT_NEAREST_WORD_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(nearest(rows[i][0]), rows[i][1]);
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_string_equal(nearest(longest), "none");
}

int main(void)
{
    struct CMUnitTest const tests[] = {cmocka_unit_test(slips)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
