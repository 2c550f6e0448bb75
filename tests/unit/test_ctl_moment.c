/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moments as they are typed, in several time zones, on the days on which clocks are changed, and everything
 * that is none. */
#include "devtrustctl/moment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NOW INT64_C(1787220672500)      /* 2026-08-20T10:11:12.500Z */
#define MIDNIGHT INT64_C(1787184000000) /* 2026-08-20T00:00:00Z */

static void use_zone(char const *name)
{
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
}

static dt_time moment(char const *text, dt_moment_side side)
{
    dt_time t = -1;
    dt_error e = {0};

    if (dt_moment_read("--since", text, NOW, side, &t, &e) < 0)
        fail_msg("%s: %s", text, e.text);
    return t;
}

static void reads_what_is_typed(void **state)
{
    static struct {
        char const *zone, *text;
        dt_time since, until;
    } const cases[] = {
        {"UTC", "2h", NOW - DT_HOURS(2), NOW - DT_HOURS(2)},
        {"UTC", "7d", NOW - DT_DAYS(7), NOW - DT_DAYS(7)},
        {"UTC", "now", NOW, NOW},
        {"UTC", "today", MIDNIGHT, MIDNIGHT + DT_DAYS(1)},
        {"UTC", "yesterday", MIDNIGHT - DT_DAYS(1), MIDNIGHT},
        {"UTC", "2026-08-20", MIDNIGHT, MIDNIGHT + DT_DAYS(1)},
        {"UTC", "2026-08-20T08:00", MIDNIGHT + DT_HOURS(8), MIDNIGHT + DT_HOURS(8)},
        {"UTC", "2026-08-20 08:00:30", MIDNIGHT + DT_HOURS(8) + 30000,
         MIDNIGHT + DT_HOURS(8) + 30000},
        {"UTC", "2026-08-20T10:11:12.500Z", NOW, NOW},
        {"UTC", "2026-08-20T10:11:12.5000009Z", NOW, NOW},
        {"Europe/Berlin", "2026-08-20", MIDNIGHT - DT_HOURS(2), MIDNIGHT + DT_HOURS(22)},
        {"Europe/Berlin", "today", MIDNIGHT - DT_HOURS(2), MIDNIGHT + DT_HOURS(22)},
        {"Europe/Berlin", "2026-08-20T12:11:12", NOW - 500, NOW - 500},
        {"Europe/Berlin", "2026-08-20T10:11:12.5Z", NOW, NOW},
        {"Europe/Berlin", "2026-08-20T02:00+02:00", MIDNIGHT, MIDNIGHT},
        {"Europe/Berlin", "2026-08-19 19:00-05:00", MIDNIGHT, MIDNIGHT},
        {"Europe/Berlin", "2026-08-20T01:00+01:00", MIDNIGHT, MIDNIGHT},
        {"Europe/Berlin", "2026-08-20Z", MIDNIGHT, MIDNIGHT + DT_DAYS(1)},
        {"America/New_York", "yesterday", MIDNIGHT - DT_HOURS(20), MIDNIGHT + DT_HOURS(4)},
        /* a day of 25 hours, and one of 23 */
        {"Europe/Berlin", "2026-10-25", INT64_C(1792879200000),
         INT64_C(1792879200000) + DT_HOURS(25)},
        {"Europe/Berlin", "2026-03-29", INT64_C(1774738800000),
         INT64_C(1774738800000) + DT_HOURS(23)},
        /* there is no such time on that day */
        {"Europe/Berlin", "2026-03-29T02:30", INT64_C(1774747800000), INT64_C(1774747800000)},
        {"UTC", "2024-02-29", INT64_C(1709164800000), INT64_C(1709251200000)},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        use_zone(cases[i].zone);
        if (moment(cases[i].text, DT_MOMENT_SINCE) != cases[i].since ||
            moment(cases[i].text, DT_MOMENT_UNTIL) != cases[i].until)
            fail_msg("%s in %s: %lld, %lld", cases[i].text, cases[i].zone,
                     (long long)moment(cases[i].text, DT_MOMENT_SINCE),
                     (long long)moment(cases[i].text, DT_MOMENT_UNTIL));
    }
}

static void refuses_the_rest(void **state)
{
    static char const *const bad[] = {"",
                                      " ",
                                      "tomorrow",
                                      "Today",
                                      "-2h",
                                      "2",
                                      "2026",
                                      "2026-8-20",
                                      "2026-13-01",
                                      "2026-02-30",
                                      "2025-02-29",
                                      "2026-08-20T",
                                      "2026-08-20T24:00",
                                      "2026-08-20T08",
                                      "2026-08-20T08:60",
                                      "2026-08-20T08:00:60",
                                      "2026-08-20T08:00:30.",
                                      "2026-08-20T08:00+16:00",
                                      "2026-08-20T08:00+1",
                                      "2026-08-20T08:00+01:",
                                      "2026-08-20T08:00+01:00x",
                                      "2026-08-20T08:00Zx",
                                      "2026-08-20 08:00 ",
                                      "1970-12-31",
                                      "08:00",
                                      "\x1b[31m2026"};

    (void)state;
    use_zone("UTC");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dt_time t = -1;
        dt_error e = {0};

        if (dt_moment_read("--until", bad[i], NOW, DT_MOMENT_SINCE, &t, &e) != DT_E_INVALID)
            fail_msg("%s was read", bad[i]);
        assert_int_equal(t, 0);
        assert_non_null(strstr(e.text, "--until"));
        assert_null(strchr(e.text, '\x1b'));
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(reads_what_is_typed),
        cmocka_unit_test(refuses_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
