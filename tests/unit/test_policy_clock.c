/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times of day and weekdays over more than a year of local time, by the host's own reckoning: an hour
 * that does not exist, one that comes twice, and zones on both sides of the world. */
#include "core/policy/policy.h"
#include "edge/host.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BEGIN INT64_C(1767225600000) /* 2026-01-01T00:00Z */
#define QUARTER DT_MINUTES(15)
#define QUARTERS (425 * 96) /* fourteen months */

/* A week of the clock, said by hand. */
static bool office(struct tm const *t)
{
    return t->tm_wday >= 1 && t->tm_wday <= 5 && t->tm_hour >= 8 && t->tm_hour < 18;
}

static bool sunday_night(struct tm const *t)
{
    return (t->tm_wday == 0 && t->tm_hour >= 22) || (t->tm_wday == 1 && t->tm_hour < 6);
}

static bool two_to_three(struct tm const *t)
{
    return t->tm_hour == 2;
}

static bool not_on_sundays(struct tm const *t)
{
    return t->tm_wday != 0;
}

typedef struct wanted {
    char const *time;
    bool (*holds)(struct tm const *);
} wanted;

static wanted const rules[] = {
    {"\"include\":[{\"days\":[\"MONDAY\",\"TUESDAY\",\"WEDNESDAY\",\"THURSDAY\",\"FRIDAY\"],"
     "\"from\":\"08:00\",\"to\":\"18:00\"}]",
     office},
    {"\"include\":[{\"days\":[\"SUNDAY\"],\"from\":\"22:00\",\"to\":\"06:00\"}]", sunday_night},
    {"\"include\":[{\"from\":\"02:00\",\"to\":\"03:00\"}]", two_to_three},
    {"\"exclude\":[{\"days\":[\"SUNDAY\"]}]", not_on_sundays},
};

static dt_policy *policy_with(char const *zone, char const *time)
{
    char text[2048];
    dt_json *tree = NULL;
    dt_policy *p = NULL;
    dt_error e = {0};

    snprintf(text, sizeof(text),
             "{\"name\":\"x\",\"application\":\"x\",\"rules\":[{\"name\":\"R\",\"priority\":1,"
             "\"status\":\"ACTIVE\",\"conditions\":{\"time\":{\"zone\":\"%s\",%s}},\"actions\":"
             "{\"appSignOn\":{\"access\":\"ALLOW\"}}},{\"name\":\"Rest\",\"priority\":2,\"status\":"
             "\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}",
             zone, time);
    if (dt_json_parse(dt_bytes_str(text), &tree, &e) != DT_OK ||
        dt_policy_parse(tree, "x.json", NULL, &p, &e) != DT_OK)
        fail_msg("%s\n%s", e.text, text);
    dt_json_free(&tree);
    return p;
}

static bool allows(dt_policy const *p, dt_time now)
{
    dt_policy_input in = {.user = "anna", .trust = DT_TRUST_NOT_TRUSTED, .now = now};
    dt_decision d;

    in.utc_offset_known = dt_host_utc_offset(now, &in.utc_offset) == DT_OK;
    assert_true(in.utc_offset_known);
    dt_policy_decide(p, &in, &d);
    return d.access == DT_ACCESS_ALLOW;
}

static struct tm local(dt_time now)
{
    time_t seconds = (time_t)(now / DT_SECONDS(1));
    struct tm t;

    assert_non_null(localtime_r(&seconds, &t));
    return t;
}

static void set_zone(char const *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

static char const berlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";
static char const new_york[] = "EST5EDT,M3.2.0,M11.1.0";
static char const adelaide[] = "ACST-9:30ACDT,M10.1.0,M4.1.0/3";

static void test_fourteen_months(void **state)
{
    static char const *const zones[] = {berlin, new_york, adelaide};

    (void)state;
    for (size_t z = 0; z < COUNT(zones); z++) {
        set_zone(zones[z]);
        for (size_t r = 0; r < COUNT(rules); r++) {
            dt_policy *p = policy_with("LOCAL", rules[r].time);
            size_t held = 0;

            for (dt_time i = 0; i < QUARTERS; i++) {
                struct tm t = local(BEGIN + i * QUARTER);
                bool holds = rules[r].holds(&t);

                if (allows(p, BEGIN + i * QUARTER) != holds)
                    fail_msg("%s: %s at %lld", zones[z], rules[r].time, (long long)i);
                held += holds;
            }
            assert_true(held > 0 && held < QUARTERS);
            dt_policy_free(&p);
        }
    }
}

/* How many quarters of an hour between 02:00 and 03:00 a local day has that begins at `begin`. */
static int quarters_of_the_third_hour(dt_policy const *p, dt_time begin)
{
    int n = 0;

    for (dt_time t = begin; t < begin + DT_HOURS(24); t += QUARTER)
        n += allows(p, t);
    return n;
}

/* The hour that does not exist lets nobody in, the one that comes twice does so twice. */
static void test_the_hour_that_is_missing_and_the_one_that_comes_twice(void **state)
{
    static struct {
        char const *zone;
        dt_time begin; /* midnight there */
        int quarters;
    } const days[] = {
        {berlin, INT64_C(1774652400000), 4},   /* 2026-03-28 */
        {berlin, INT64_C(1774738800000), 0},   /* 2026-03-29: from 02:00 to 03:00 */
        {berlin, INT64_C(1792879200000), 8},   /* 2026-10-25: from 03:00 back to 02:00 */
        {new_york, INT64_C(1772859600000), 4}, /* 2026-03-07 */
        {new_york, INT64_C(1772946000000), 0}, /* 2026-03-08 */
        {new_york, INT64_C(1793505600000), 4}, /* 2026-11-01: what comes twice is 01:00 to 02:00 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(days); i++) {
        dt_policy *p = policy_with("LOCAL", rules[2].time);
        struct tm t;

        set_zone(days[i].zone);
        t = local(days[i].begin);
        assert_int_equal(t.tm_hour * 60 + t.tm_min, 0);
        assert_int_equal(quarters_of_the_third_hour(p, days[i].begin), days[i].quarters);
        dt_policy_free(&p);
    }
}

/* UTC has no such days. */
static void test_utc_has_none(void **state)
{
    dt_policy *p = policy_with("UTC", rules[2].time);

    (void)state;
    set_zone(berlin);
    for (dt_time day = 0; day < 425; day++)
        assert_int_equal(quarters_of_the_third_hour(p, BEGIN + DT_DAYS(day)), 4);
    dt_policy_free(&p);
}

/* The clock is set back within a span, or out of it: only what it says now counts. */
static void test_a_clock_that_is_set(void **state)
{
    dt_policy *p = policy_with("LOCAL", rules[0].time);
    dt_time monday_noon = INT64_C(1767610800000); /* 2026-01-05T12:00 in Berlin */

    (void)state;
    set_zone(berlin);
    assert_true(allows(p, monday_noon));
    assert_true(allows(p, monday_noon - DT_HOURS(4)));
    assert_false(allows(p, monday_noon - DT_HOURS(4) - 1));
    assert_false(allows(p, monday_noon - DT_DAYS(1)));
    assert_true(allows(p, monday_noon + DT_DAYS(7 * 40)));
    assert_true(allows(p, monday_noon));
    dt_policy_free(&p);
}

int main(void)
{
    static struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_fourteen_months),
        cmocka_unit_test(test_the_hour_that_is_missing_and_the_one_that_comes_twice),
        cmocka_unit_test(test_utc_has_none),
        cmocka_unit_test(test_a_clock_that_is_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
