/* SPDX-License-Identifier: GPL-2.0-or-later */
/* News: what can be made, what a line says, and that a line which is anything else is refused. */
#include "core/signals/news.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW ((dt_time)1700000000123)
#define GUID "6e9f8a3c-3f5c-4b6e-9d58-1c2d3e4f5a6b"

#define LINE                                                                                       \
    "{\"v\":1,\"at\":\"2023-11-14T22:13:20.123Z\",\"source\":\"caep\",\"about\":\"okta-user\","    \
    "\"id\":\"00u1ann\",\"what\":\"session-revoked\",\"ref\":\"jti-1\"}"

static char const *line_of(dt_news const *n)
{
    static char text[DT_NEWS_LINE_MAX + 2];
    dt_buf b;
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_news_put_line(n, &b), DT_OK);
    assert_int_equal(text[b.len - 1], '\n');
    text[b.len - 1] = '\0';
    assert_null(strchr(text, '\n'));
    return text;
}

static void a_line_says_what_news_says(void **state)
{
    (void)state;
    dt_news n;
    assert_int_equal(dt_news_make(DT_NEWS_CAEP, DT_NEWS_OKTA_USER, "00u1ann",
                                  DT_NEWS_SESSION_REVOKED, "jti-1", NOW, &n),
                     DT_OK);
    assert_string_equal(line_of(&n), LINE);
}

/* Every word of every list, with an id of each form. */
static void all_words_go_there_and_back(void **state)
{
    static struct {
        dt_news_about about;
        char const *id, *kept;
    } const subjects[] = {
        {DT_NEWS_ENTRA_DEVICE, "{6E9F8A3C-3F5C-4B6E-9D58-1C2D3E4F5A6B}", GUID},
        {DT_NEWS_INTUNE_DEVICE, GUID, GUID},
        {DT_NEWS_OKTA_DEVICE, "guo4a5u7YAHhjXrMK0g4", "guo4a5u7YAHhjXrMK0g4"},
        {DT_NEWS_OKTA_USER, "00u1ann", "00u1ann"},
        {DT_NEWS_LOGIN, "\xc3\x84nn@example.com", "\xc3\x84nn@example.com"},
    };
    size_t tried = 0;
    (void)state;
    for (int source = 1; dt_news_source_word((dt_news_source)source) != NULL; source++)
        for (int what = 1; dt_news_what_word((dt_news_what)what) != NULL; what++)
            for (size_t i = 0; i < COUNT(subjects); i++, tried++) {
                dt_news n, back;
                assert_int_equal(dt_news_make((dt_news_source)source, subjects[i].about,
                                              subjects[i].id, (dt_news_what)what, "r", NOW, &n),
                                 DT_OK);
                assert_string_equal(n.id, subjects[i].kept);
                assert_int_equal(dt_news_read_line(dt_bytes_str(line_of(&n)), &back), DT_OK);
                assert_memory_equal(&n, &back, sizeof(n));
            }
    assert_int_equal(tried, 5 * 4 * COUNT(subjects));
    assert_null(dt_news_about_word((dt_news_about)(COUNT(subjects) + 1)));
    assert_null(dt_news_source_word(DT_NEWS_SOURCE_NONE));
}

static bool is_zero(dt_news const *n)
{
    return n->at == 0 && n->source == DT_NEWS_SOURCE_NONE && n->about == DT_NEWS_ABOUT_NONE &&
           n->what == DT_NEWS_WHAT_NONE && n->id[0] == '\0' && n->reference[0] == '\0';
}

static void ids_of_another_form_are_refused(void **state)
{
    static char long_login[DT_LOGIN_MAX + 1];
    memset(long_login, 'a', sizeof(long_login) - 1);
    struct {
        dt_news_about about;
        char const *id;
    } const bad[] = {
        {DT_NEWS_ENTRA_DEVICE, ""},
        {DT_NEWS_ENTRA_DEVICE, "6e9f8a3c"},
        {DT_NEWS_INTUNE_DEVICE, "00000000-0000-0000-0000-000000000000"},
        {DT_NEWS_INTUNE_DEVICE, GUID "x"},
        {DT_NEWS_OKTA_DEVICE, "guo/../users"},
        {DT_NEWS_OKTA_USER, ""},
        {DT_NEWS_OKTA_USER, "00u 1"},
        {DT_NEWS_OKTA_USER, "ann@example.com"},
        {DT_NEWS_LOGIN, ""},
        {DT_NEWS_LOGIN, "ann smith@example.com"},
        {DT_NEWS_LOGIN, "ann\n@example.com"},
        {DT_NEWS_LOGIN, "ann\x7f"},
        {DT_NEWS_LOGIN, "ann\xe2\x80\xae"}, /* the direction of writing */
        {DT_NEWS_LOGIN, "ann\xff"},
        {DT_NEWS_LOGIN, long_login},
        {DT_NEWS_LOGIN, NULL},
        {DT_NEWS_ABOUT_NONE, "00u1ann"},
        {(dt_news_about)99, "00u1ann"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        dt_news n;
        memset(&n, 1, sizeof(n));
        if (dt_news_make(DT_NEWS_CAEP, bad[i].about, bad[i].id, DT_NEWS_LIFECYCLE, "", NOW, &n) !=
            DT_E_INVALID)
            fail_msg("row %zu: %s", i, bad[i].id);
        assert_true(is_zero(&n));
    }
}

static void other_parts_must_be_known_too(void **state)
{
    dt_news n;
    (void)state;
    assert_int_equal(dt_news_make(DT_NEWS_SOURCE_NONE, DT_NEWS_OKTA_USER, "00u1", DT_NEWS_LIFECYCLE,
                                  "", NOW, &n),
                     DT_E_INVALID);
    assert_int_equal(
        dt_news_make(DT_NEWS_CAEP, DT_NEWS_OKTA_USER, "00u1", DT_NEWS_WHAT_NONE, "", NOW, &n),
        DT_E_INVALID);
    assert_int_equal(
        dt_news_make(DT_NEWS_CAEP, DT_NEWS_OKTA_USER, "00u1", DT_NEWS_LIFECYCLE, "", 0, &n),
        DT_E_INVALID);
    assert_int_equal(dt_news_make(DT_NEWS_CAEP, DT_NEWS_OKTA_USER, "00u1", DT_NEWS_LIFECYCLE, "",
                                  DT_TIME_NEVER, &n),
                     DT_E_INVALID);
}

/* It is for the log alone: what is odd is escaped, what is long is cut. */
static void a_reference_is_made_fit_for_a_log(void **state)
{
    dt_news n, back;
    char long_one[4 * DT_NEWS_REFERENCE_MAX];
    (void)state;
    assert_int_equal(dt_news_make(DT_NEWS_CAEP, DT_NEWS_OKTA_USER, "00u1", DT_NEWS_LIFECYCLE,
                                  "a\nb\"\\\x1b[2J", NOW, &n),
                     DT_OK);
    assert_string_equal(n.reference, "a\\x0ab\"\\\\x1b[2J");
    assert_int_equal(dt_news_read_line(dt_bytes_str(line_of(&n)), &back), DT_OK);
    assert_string_equal(n.reference, back.reference);
    memset(long_one, 'x', sizeof(long_one));
    long_one[sizeof(long_one) - 1] = '\0';
    assert_int_equal(
        dt_news_make(DT_NEWS_CAEP, DT_NEWS_OKTA_USER, "00u1", DT_NEWS_LIFECYCLE, long_one, NOW, &n),
        DT_OK);
    assert_int_equal(strlen(n.reference), DT_NEWS_REFERENCE_MAX - 1);
    assert_int_equal(
        dt_news_make(DT_NEWS_CAEP, DT_NEWS_OKTA_USER, "00u1", DT_NEWS_LIFECYCLE, NULL, NOW, &n),
        DT_OK);
    assert_string_equal(n.reference, "");
}

static void the_longest_line_fits(void **state)
{
    dt_news n, back;
    char login[DT_LOGIN_MAX], reference[DT_NEWS_REFERENCE_MAX];
    (void)state;
    memset(login, '"', sizeof(login));
    memset(reference, '\\', sizeof(reference));
    login[sizeof(login) - 1] = reference[sizeof(reference) - 1] = '\0';
    assert_int_equal(dt_news_make(DT_NEWS_ENTRA_DELTA, DT_NEWS_LOGIN, login,
                                  DT_NEWS_SESSION_REVOKED, reference, NOW, &n),
                     DT_OK);
    assert_int_equal(dt_news_read_line(dt_bytes_str(line_of(&n)), &back), DT_OK);
    assert_memory_equal(&n, &back, sizeof(n));
}

static void news_that_nobody_made_is_not_written(void **state)
{
    dt_news good, n;
    char text[DT_NEWS_LINE_MAX];
    dt_buf b;
    (void)state;
    assert_int_equal(
        dt_news_make(DT_NEWS_CAEP, DT_NEWS_LOGIN, "ann", DT_NEWS_LIFECYCLE, "", NOW, &good), DT_OK);
    dt_buf_init_fixed(&b, text, sizeof(text));
    n = (dt_news){0};
    assert_int_equal(dt_news_put_line(&n, &b), DT_E_INVALID);
    n = good;
    n.about = DT_NEWS_ENTRA_DEVICE;
    assert_int_equal(dt_news_put_line(&n, &b), DT_E_INVALID);
    n = good;
    memset(n.id, 'a', sizeof(n.id));
    assert_int_equal(dt_news_put_line(&n, &b), DT_E_INVALID);
    n = good;
    memset(n.reference, 'a', sizeof(n.reference));
    assert_int_equal(dt_news_put_line(&n, &b), DT_E_INVALID);
    n = good;
    (void)snprintf(n.id, sizeof(n.id), "a b");
    assert_int_equal(dt_news_put_line(&n, &b), DT_E_INVALID);
    assert_int_equal(b.len, 0);
    /* and nothing of a line that does not fit */
    dt_buf_init_fixed(&b, text, 40);
    assert_int_equal(dt_news_put_line(&good, &b), DT_E_LIMIT);
    assert_int_equal(b.len, 0);
}

static void refuse(char const *line)
{
    dt_news n;
    memset(&n, 1, sizeof(n));
    if (dt_news_read_line(dt_bytes_str(line), &n) == DT_OK)
        fail_msg("taken: %s", line);
    assert_true(is_zero(&n));
}

static void every_cut_line_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < strlen(LINE); len++) {
        char line[sizeof(LINE)];
        (void)snprintf(line, sizeof(line), "%.*s", (int)len, LINE);
        refuse(line);
    }
}

/* `old` replaced in LINE, once. */
static void refuse_with(char const *old, char const *new)
{
    char line[2 * sizeof(LINE)];
    char const *at = strstr(LINE, old);
    assert_non_null(at);
    (void)snprintf(line, sizeof(line), "%.*s%s%s", (int)(at - LINE), LINE, new, at + strlen(old));
    refuse(line);
}

static void other_lines_are_refused(void **state)
{
    (void)state;
    refuse_with("\"v\":1", "\"v\":2");
    refuse_with("\"v\":1", "\"v\":\"1\"");
    refuse_with("\"v\":1,", "");
    refuse_with("\"v\":1", "\"v\":1,\"v\":1");
    refuse_with("\"v\":1", "\"v\":1,\"w\":1");
    refuse_with("2023-11-14T22:13:20.123Z", "2023-11-14");
    refuse_with("2023-11-14T22:13:20.123Z", "9999-01-01T00:00:00Z");
    refuse_with("2023-11-14T22:13:20.123Z", "1969-01-01T00:00:00Z");
    refuse_with("\"2023-11-14T22:13:20.123Z\"", "1700000000123");
    refuse_with("\"caep\"", "\"CAEP\"");
    refuse_with("\"caep\"", "\"\"");
    refuse_with("\"caep\"", "null");
    refuse_with("\"okta-user\"", "\"entra-device\"");
    refuse_with("\"okta-user\"", "[]");
    refuse_with("\"00u1ann\"", "7");
    refuse_with("00u1ann", "");
    refuse_with("00u1ann", "00u1\\u0000ann");
    refuse_with("session-revoked", "sessions-revoked");
    refuse_with("\"jti-1\"", "{}");
    refuse_with("\"ref\"", "\"Ref\"");
    refuse("[" LINE "]");
    refuse(LINE LINE);
    refuse("null");
}

static void a_line_too_long_is_refused(void **state)
{
    static char line[DT_NEWS_LINE_MAX + 2];
    dt_news n;
    (void)state;
    memset(line, ' ', sizeof(line));
    memcpy(line, LINE, strlen(LINE));
    assert_int_equal(dt_news_read_line(dt_bytes_of(line, DT_NEWS_LINE_MAX), &n), DT_OK);
    assert_int_equal(dt_news_read_line(dt_bytes_of(line, DT_NEWS_LINE_MAX + 1), &n), DT_E_LIMIT);
    assert_true(is_zero(&n));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(a_line_says_what_news_says),
        cmocka_unit_test(all_words_go_there_and_back),
        cmocka_unit_test(ids_of_another_form_are_refused),
        cmocka_unit_test(other_parts_must_be_known_too),
        cmocka_unit_test(a_reference_is_made_fit_for_a_log),
        cmocka_unit_test(the_longest_line_fits),
        cmocka_unit_test(news_that_nobody_made_is_not_written),
        cmocka_unit_test(every_cut_line_is_refused),
        cmocka_unit_test(other_lines_are_refused),
        cmocka_unit_test(a_line_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
