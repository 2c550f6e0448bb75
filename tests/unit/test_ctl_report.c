/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counts of a report: percentiles, bounds, certificates; and that a page has no text of an event as it is. */
#include "devtrustctl/report/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1787220672500)
#define EVENT                                                                                      \
    "{\"published\":\"2026-08-20T10:11:12.500Z\",\"displayMessage\":\"m\",\"outcome\":{"           \
    "\"result\":"                                                                                  \
    "\"SUCCESS\",\"reason\":\"R\"},\"actor\":{\"alternateId\":\"%s\"},\"debugContext\":{"          \
    "\"debugData\":"                                                                               \
    "{\"application\":\"sshd\",\"factor\":\"push\",\"durationMs\":%lld}}}"

static void add(dt_report_data *r, char const *user, long long ms)
{
    char text[1024];
    dt_audit_event v;
    dt_error e = {0};

    (void)snprintf(text, sizeof(text), EVENT, user, ms);
    if (dt_audit_event_read(dt_bytes_str(text), &v, &e) < 0)
        fail_msg("%s", e.text);
    dt_report_add(r, &v);
    dt_audit_event_free(&v);
}

static void a_percentile_is_at_most_a_tenth_too_high(void **state)
{
    dt_report_data *r = dt_report_new();
    dt_report_waits const none = {0};

    (void)state;
    assert_non_null(r);
    assert_int_equal(dt_report_percentile(&none, 50), -1);
    for (long long ms = 1; ms <= 1000; ms++)
        add(r, "a", ms);
    static unsigned const percents[] = {1, 50, 95, 99, 100};
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        int64_t const exact = 10 * (int64_t)percents[i];
        int64_t const got = dt_report_percentile(&r->all.waits, percents[i]);

        assert_true(got >= exact && got <= exact + exact / 10);
    }
    dt_report_free(&r);
}

/* A clock that jumps, or somebody who writes to the file. */
static void any_duration_is_counted(void **state)
{
    static long long const odd[] = {0, -1, INT64_MIN + 1, INT64_MAX, 3600000};
    dt_report_data *r = dt_report_new();

    (void)state;
    assert_non_null(r);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        add(r, "a", odd[i]);
    assert_int_equal(r->all.waits.count, sizeof(odd) / sizeof(odd[0]));
    assert_true(dt_report_percentile(&r->all.waits, 100) >= 3600000);
    dt_report_free(&r);
}

static void certificates_that_end_are_listed(void **state)
{
    dt_report_data *r = dt_report_new();
    dt_report_table const *t;

    (void)state;
    assert_non_null(r);
    t = &r->tables[DT_REPORT_LOSING];
    dt_report_add_certificate(r, "later", "n", NOW + DT_DAYS(30) + 1, NOW);
    dt_report_add_certificate(r, "never", "n", DT_TIME_NEVER, NOW);
    assert_int_equal(t->count, 0);
    dt_report_add_certificate(r, "soon", "n", NOW + DT_DAYS(30), NOW);
    dt_report_add_certificate(r, "past", "n", NOW - DT_DAYS(1), NOW);
    assert_int_equal(t->count, 2);
    assert_string_equal(t->rows[0].names[3], "its certificate ends on 2026-09-19");
    assert_string_equal(t->rows[1].names[3], "its certificate ended on 2026-08-19");
    for (int i = 0; i < 2 * DT_REPORT_ROWS_MAX; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "d%d", i);
        dt_report_add_certificate(r, name, "n", NOW, NOW);
    }
    assert_int_equal(t->count, DT_REPORT_ROWS_MAX);
    assert_int_equal(t->others.sign_ons, DT_REPORT_ROWS_MAX + 2);
    dt_report_free(&r);
}

static void a_page_escapes_whatever_it_shows(void **state)
{
    static char const hostile[] = "<b>&'>\x1b\x7f\xe2\x80\xae";
    dt_report_data *r = dt_report_new();
    dt_buf page;

    (void)state;
    assert_non_null(r);
    dt_report_add_certificate(r, hostile, hostile, NOW, NOW);
    dt_report_finish(r);
    dt_buf_init(&page, 1 << 20);
    dt_report_html(r, NOW - DT_DAYS(7), 0, hostile, NOW, &page);
    assert_int_equal(dt_buf_error(&page), DT_OK);
    assert_null(strstr((char *)page.p, "<b>"));
    assert_non_null(strstr((char *)page.p, "&lt;b&gt;&amp;&#39;&gt;\\x1b\\x7f"));
    assert_null(strpbrk((char *)page.p, "\x1b\x7f"));
    assert_null(strstr((char *)page.p, "\xe2\x80\xae"));
    dt_buf_free(&page);
    /* a page that does not fit is not half a page */
    dt_buf_init(&page, 1000);
    dt_report_html(r, NOW, 0, "", NOW, &page);
    assert_true(dt_buf_error(&page) < 0);
    dt_buf_free(&page);
    dt_report_free(&r);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(a_percentile_is_at_most_a_tenth_too_high),
        cmocka_unit_test(any_duration_is_counted),
        cmocka_unit_test(certificates_that_end_are_listed),
        cmocka_unit_test(a_page_escapes_whatever_it_shows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
