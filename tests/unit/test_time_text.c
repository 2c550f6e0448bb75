/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times as text: against the C library's calendar, the sentinels of directories, and bad forms. */
#include "core/signon/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define RANDOM_SEED 20261123u
#define RANDOM_TIMES 20000
#define LAST_SECOND INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static void known_times_are_written(void **state)
{
    static struct {
        dt_time t;
        char const *text;
    } const cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {INT64_C(951782399999), "2000-02-28T23:59:59.999Z"},
        {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(951868800000), "2000-03-01T00:00:00.000Z"},
        {INT64_C(1000000000000), "2001-09-09T01:46:40.000Z"},
        {INT64_C(4107542399999), "2100-02-28T23:59:59.999Z"},
        {INT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
        {LAST_SECOND * 1000 + 999, "9999-12-31T23:59:59.999Z"},
        /* beyond the calendar: the nearest that can be written */
        {LAST_SECOND * 1000 + 1000, "9999-12-31T23:59:59.999Z"},
        {DT_TIME_NEVER, "9999-12-31T23:59:59.999Z"},
        {-1, "1970-01-01T00:00:00.000Z"},
        {INT64_MIN, "1970-01-01T00:00:00.000Z"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[25];
        memset(out, 'x', sizeof(out));
        dt_time_format(out, cases[i].t);
        assert_string_equal(out, cases[i].text);
    }
}

static void the_calendar_is_the_librarys(void **state)
{
    unsigned seed = RANDOM_SEED;
    (void)state;
    for (int i = 0; i < RANDOM_TIMES; i++) {
        int64_t r = ((int64_t)rand_r(&seed) << 31 | rand_r(&seed)) % (LAST_SECOND + 1);
        /* every third within a day of a year's or month's end */
        time_t s = (time_t)(i % 3 == 0 ? r / 2629746 * 2629746 : r);
        char want[32], got[25];
        struct tm tm;
        dt_time back;
        assert_non_null(gmtime_r(&s, &tm));
        assert_int_equal(strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.123Z", &tm), 24);
        dt_time_format(got, (dt_time)s * 1000 + 123);
        assert_string_equal(got, want);
        assert_int_equal(dt_time_parse(got, &back), DT_OK);
        assert_true(back == (tm.tm_year == 9999 - 1900 ? DT_TIME_NEVER : (dt_time)s * 1000 + 123));
    }
}

static void services_times_are_read(void **state)
{
    static struct {
        char const *text;
        dt_time t;
    } const cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-08-20T10:11:12Z", INT64_C(1787220672000)},
        {"2026-08-20T10:11:12.5Z", INT64_C(1787220672500)},
        {"2026-08-20T10:11:12.05Z", INT64_C(1787220672050)},
        {"2026-08-20T10:11:12.999Z", INT64_C(1787220672999)},
        {"2026-08-20T10:11:12.1234567Z", INT64_C(1787220672123)},
        {"2026-08-20T10:11:12.000000001Z", INT64_C(1787220672000)},
        {"2000-02-29T23:59:59Z", INT64_C(951868799000)},
        /* a leap second counts as the one behind it */
        {"2016-12-31T23:59:60Z", INT64_C(1483228800000)},
        /* never, and long ago, as directories write them */
        {"0001-01-01T00:00:00Z", 0},
        {"0000-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59.999Z", 0},
        {"1601-01-01T00:00:00Z", 0},
        {"9999-12-31T23:59:59Z", DT_TIME_NEVER},
        {"9999-12-31T23:59:59.9999999Z", DT_TIME_NEVER},
        {"9999-01-01T00:00:00Z", DT_TIME_NEVER},
        {"9998-12-31T23:59:59.999Z", INT64_C(253370764799999)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_time t = -1;
        if (dt_time_parse(cases[i].text, &t) != DT_OK || t != cases[i].t)
            fail_msg("%s: %lld", cases[i].text, (long long)t);
    }
}

static void other_text_is_no_time(void **state)
{
    static char const *const cases[] = {
        "",
        "Z",
        "2026",
        "2026-08-20",
        "2026-08-20T10:11:12",
        "2026-08-20T10:11Z",
        "2026-08-20 10:11:12Z",
        "2026-08-20t10:11:12z",
        "2026-08-20T10:11:12z",
        "2026-08-20T10:11:12+00:00",
        "2026-08-20T10:11:12-07:00",
        "2026-08-20T10:11:12Z ",
        " 2026-08-20T10:11:12Z",
        "2026-08-20T10:11:12ZZ",
        "2026-08-20T10:11:12.Z",
        "2026-08-20T10:11:12.1234567890Z",
        "2026-08-20T10:11:12,5Z",
        "2026-08-20T10:11:12.5",
        "2026-08-20T10:11:12.-5Z",
        "2026-00-20T10:11:12Z",
        "2026-13-20T10:11:12Z",
        "2026-08-00T10:11:12Z",
        "2026-08-32T10:11:12Z",
        "2026-02-29T10:11:12Z",
        "2100-02-29T10:11:12Z",
        "2000-02-30T10:11:12Z",
        "2026-04-31T10:11:12Z",
        "2026-08-20T24:00:00Z",
        "2026-08-20T10:60:12Z",
        "2026-08-20T10:11:61Z",
        "-026-08-20T10:11:12Z",
        "+026-08-20T10:11:12Z",
        "02026-08-20T10:11:12Z",
        "2026-8-20T10:11:12Z",
        "2026-08-20T1:11:12Z",
        "2026/08/20T10:11:12Z",
        "20260820T101112Z",
        "2026-08-20T10:11:1",
        "2026-08-20T10:11:1\xb2Z",
        "1787220672",
        "never",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_time t = -1;
        if (dt_time_parse(cases[i], &t) != DT_E_PARSE)
            fail_msg("\"%s\" was taken for a time", cases[i]);
        assert_true(t == 0);
    }
    dt_time t = -1;
    assert_int_equal(dt_time_parse(NULL, &t), DT_E_PARSE);
    assert_true(t == 0);
}

static void local_times_are_read(void **state)
{
    static struct {
        char const *text;
        dt_time t;
        int offset;
        bool given;
    } const cases[] = {
        {"2026-08-20T10:11Z", INT64_C(1787220660000), 0, true},
        {"2026-08-20T10:11:12Z", INT64_C(1787220672000), 0, true},
        {"2026-08-20T12:11:12+02:00", INT64_C(1787220672000), 120, true},
        {"2026-08-20T04:41:12-05:30", INT64_C(1787220672000), -330, true},
        {"2026-08-20T10:11:12", INT64_C(1787220672000), 0, false},
        {"2026-08-20T10:11", INT64_C(1787220660000), 0, false},
        {"2000-02-29T00:00+00:00", INT64_C(951782400000), 0, true},
        {"2026-08-20T00:00-15:00", INT64_C(1787238000000), -900, true},
        {"1971-01-01T00:00+15:00", INT64_C(31482000000), 900, true},
    };
    static char const *const bad[] = {"",
                                      "Z",
                                      "2026",
                                      "2026-08-20",
                                      "2026-08-20T",
                                      "2026-08-20T10",
                                      "2026-08-20T10:",
                                      "10:11",
                                      "2026-08-20 10:11",
                                      "2026-08-20T10:11:",
                                      "2026-08-20T10:11:12.5Z",
                                      "2026-08-20T10:11z",
                                      "2026-08-20T10:11ZZ",
                                      "2026-08-20T10:11Z ",
                                      " 2026-08-20T10:11Z",
                                      "2026-08-20T10:11+",
                                      "2026-08-20T10:11+2",
                                      "2026-08-20T10:11+02",
                                      "2026-08-20T10:11+0200",
                                      "2026-08-20T10:11+02:60",
                                      "2026-08-20T10:11+15:01",
                                      "2026-08-20T10:11-15:01",
                                      "2026-08-20T10:11+99:00",
                                      "2026-08-20T10:11+02:00Z",
                                      "2026-08-20T10:11 +02:00",
                                      "2026-08-20T24:00Z",
                                      "2026-08-20T10:60Z",
                                      "2026-08-20T10:11:60Z",
                                      "2026-02-29T10:11Z",
                                      "2026-00-20T10:11Z",
                                      "2026-13-20T10:11Z",
                                      "2026-08-00T10:11Z",
                                      "2026-08-32T10:11Z",
                                      "1970-12-31T23:59Z",
                                      "0001-01-01T00:00Z",
                                      "9999-01-01T00:00Z",
                                      "26-08-20T10:11Z",
                                      "-2026-08-20T10:11Z",
                                      "2026-8-20T10:11Z"};
    dt_time t;
    int offset;
    bool given;
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(dt_time_parse_local(cases[i].text, &t, &offset, &given), DT_OK);
        assert_true(t == cases[i].t && offset == cases[i].offset && given == cases[i].given);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (dt_time_parse_local(bad[i], &t, &offset, &given) != DT_E_PARSE)
            fail_msg("%s is taken", bad[i]);
    assert_int_equal(dt_time_parse_local(NULL, &t, &offset, &given), DT_E_PARSE);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(known_times_are_written), cmocka_unit_test(the_calendar_is_the_librarys),
        cmocka_unit_test(services_times_are_read), cmocka_unit_test(other_text_is_no_time),
        cmocka_unit_test(local_times_are_read),
    };
    return cmocka_run_group_tests_name("time_text", tests, NULL, NULL);
}
