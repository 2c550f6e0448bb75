/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conversation with Okta: requests to the letter, and replies that lie, break off, or say
 * something new. Nothing but HTTP 200 with factorResult SUCCESS may ever read as success. */
#include "core/okta/okta.h"
#include "core/policy/policy.h"
#include "core/base/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define USER "00u15s1KDETTQMQYABRL"
#define FACTOR "opfh52xcuft3J4uZc0g3"
#define BASE "https://example.okta.com/api/v1/users/" USER
#define POLL BASE "/factors/" FACTOR "/transactions/v2mst.GldKV5VxTrifyeZmWSQguA"

static char org_url[] = "https://example.okta.com";
static dt_config config = {.okta = {.org_url = org_url, .timeout = DT_SECONDS(10)}};

static dt_http_response reply(int status, char const *body)
{
    return (dt_http_response){.failure = DT_HTTP_OK,
                              .error = "",
                              .status = status,
                              .body = dt_bytes_str(body),
                              .rate_limit = -1,
                              .rate_remaining = -1,
                              .next_link = ""};
}

static dt_http_response failed(dt_http_failure f)
{
    return (dt_http_response){.failure = f, .error = "https://x: \x1b[31mno", .next_link = ""};
}

static char const *error_json(char const *code)
{
    static char text[256];
    snprintf(text, sizeof(text),
             "{\"errorCode\":\"%s\",\"errorSummary\":\"what went wrong\\u001b[31m\","
             "\"errorLink\":\"%s\",\"errorId\":\"oaex\",\"errorCauses\":[]}",
             code, code);
    return text;
}

/* --- URLs --------------------------------------------------------------------------------------- */

static void segments_are_encoded(void **state)
{
    (void)state;
    static char const *const rows[][2] = {
        {"jane.doe@example.com", "jane.doe%40example.com"},
        {"a b/c?d#e%f", "a%20b%2Fc%3Fd%23e%25f"},
        {"J\xc3\xb6rg", "J%C3%B6rg"},
        {"AZaz09-._~", "AZaz09-._~"},
        {"+&=;", "%2B%26%3D%3B"},
        {"", ""},
        {NULL, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char storage[64];
        dt_buf b;
        dt_buf_init_fixed(&b, storage, sizeof(storage));
        dt_url_put_segment(&b, rows[i][0]);
        assert_string_equal(storage, rows[i][1]);
    }
}

static void urls_come_apart(void **state)
{
    (void)state;
    dt_url u;
    assert_int_equal(dt_url_parse("https://Example.okta.com:8443/api/v1/?a=b?c", &u), 0);
    assert_true(dt_bytes_equal(u.host, dt_bytes_str("Example.okta.com")));
    assert_int_equal(u.port, 8443);
    assert_true(dt_bytes_equal(u.path, dt_bytes_str("/api/v1/")));
    assert_true(dt_bytes_equal(u.query, dt_bytes_str("a=b?c")));
    assert_int_equal(dt_url_parse("https://[::1]:1/", &u), 0);
    assert_true(u.literal);
    assert_true(dt_bytes_equal(u.host, dt_bytes_str("::1")));
    assert_int_equal(dt_url_parse("https://h", &u), 0);
    assert_int_equal(u.port, 443);
    assert_int_equal(u.path.len, 0);
    assert_int_equal(dt_url_parse("https://h?q", &u), 0);
    assert_true(dt_bytes_equal(u.query, dt_bytes_str("q")));
    assert_int_equal(dt_url_parse("https://h/a.b/..c/.../%2e%2e%2e/v2mst.x", &u), 0);
}

static void odd_urls_are_refused(void **state)
{
    (void)state;
    static char const *const bad[] = {"",
                                      "h",
                                      "//h/",
                                      "http://h/",
                                      "HTTPS://h/",
                                      "https:/h/",
                                      "https:///x",
                                      "https://",
                                      "https://:443/",
                                      "https://h:/",
                                      "https://h:0/",
                                      "https://h:0443/",
                                      "https://h:65536/",
                                      "https://h:99999/",
                                      "https://h:443443/",
                                      "https://h:4a/",
                                      "https://h:-1/",
                                      "https://h: 1/",
                                      "https://u@h/",
                                      "https://u:p@h/",
                                      "https://h@/",
                                      "https://a b/",
                                      "https://h/a b",
                                      "https://h/\\x",
                                      "https://h\\@x/",
                                      "https://h/#f",
                                      "https://h#f",
                                      "https://h/a\n",
                                      "https://h/a\tb",
                                      "https://h\n/",
                                      "https://h/\x7f",
                                      "https://h/\xc3\xb6",
                                      "https://\xc3\xb6/",
                                      "https://h/..",
                                      "https://h/.",
                                      "https://h/a/../b",
                                      "https://h/a/./b",
                                      "https://h/a/..",
                                      "https://h/%2e%2E/x",
                                      "https://h/a/.%2e",
                                      "https://h/%2e",
                                      "https://h/%",
                                      "https://h/%4",
                                      "https://h/%4g",
                                      "https://h/<",
                                      "https://h/\"",
                                      "https://h/{a}",
                                      "https://h/a|b",
                                      "https://h/a^b",
                                      "https://h/`",
                                      "https://[::1",
                                      "https://[::1]x/",
                                      "https://[]/",
                                      "https://[::1%25lo]/",
                                      "https://[h]/",
                                      "https://h[/",
                                      "https://h]/",
                                      "https://h%2f/",
                                      "https://h,x/",
                                      "https://h/?a b",
                                      "https://h/?#"};
    dt_url u;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (dt_url_parse(bad[i], &u) != DT_E_PARSE)
            fail_msg("%s was taken", bad[i]);
    assert_int_equal(dt_url_parse(NULL, &u), DT_E_PARSE);
}

static void links_elsewhere_are_not_ours(void **state)
{
    (void)state;
    static char const *const ours[] = {
        POLL, "https://example.okta.com:443/api/v1/x", "https://EXAMPLE.okta.COM/api/v1/x",
        "https://example.okta.com/api/v1/users/u/groups?after=x&limit=2"};
    static char const *const foreign[] = {"http://example.okta.com/api/v1/x",
                                          "https://example.okta.com.evil.net/api/v1/x",
                                          "https://evil.net/api/v1/x",
                                          "https://exampla.okta.com/api/v1/x",
                                          "https://example.okta.con/api/v1/x",
                                          "https://evil.net/example.okta.com/api/v1/x",
                                          "https://example.okta.com@evil.net/api/v1/x",
                                          "https://example.okta.com:8443/api/v1/x",
                                          "https://example.okta.com:80/api/v1/x",
                                          "https://xexample.okta.com/api/v1/x",
                                          "https://example.okta.co/api/v1/x",
                                          "https://example.okta.com./api/v1/x",
                                          "https://example.okta.com/api/v2/x",
                                          "https://example.okta.com/api/v1",
                                          "https://example.okta.com/API/V1/x",
                                          "https://example.okta.com/x/api/v1/x",
                                          "https://example.okta.com//api/v1/x",
                                          "https://example.okta.com/api/v1/../../evil",
                                          "https://example.okta.com/api/v1/%2e%2e/evil",
                                          "https://example.okta.com?/api/v1/x",
                                          "https://[example.okta.com]/api/v1/x",
                                          "//example.okta.com/api/v1/x",
                                          "/api/v1/x",
                                          "",
                                          "file:///etc/passwd"};
    for (size_t i = 0; i < COUNT(ours); i++)
        assert_true(dt_okta_link_is_ours(&config, ours[i]));
    for (size_t i = 0; i < COUNT(foreign); i++)
        if (dt_okta_link_is_ours(&config, foreign[i]))
            fail_msg("%s is not ours", foreign[i]);
    assert_false(dt_okta_link_is_ours(&config, NULL));
    char other[] = "https://example.okta.com:8443";
    dt_config c = {.okta = {.org_url = other}};
    assert_true(dt_okta_link_is_ours(&c, "https://example.okta.com:8443/api/v1/x"));
    assert_false(dt_okta_link_is_ours(&c, "https://example.okta.com/api/v1/x"));
    char empty[] = "";
    dt_config none = {.okta = {.org_url = empty}};
    assert_false(dt_okta_link_is_ours(&none, POLL));
}

static void transactions_belong_to_one_factor(void **state)
{
    (void)state;
    assert_true(dt_okta_link_belongs(&config, POLL, USER, FACTOR));
    assert_true(
        dt_okta_link_belongs(&config, BASE "/factors/" FACTOR "/transactions/mst1", USER, FACTOR));
    static char const *const others[] = {
        "https://example.okta.com/api/v1/users/00uOTHER/factors/" FACTOR "/transactions/t",
        BASE "/factors/opfOTHER/transactions/t",
        BASE "/factors/" FACTOR "x/transactions/t",
        BASE "x/factors/" FACTOR "/transactions/t",
        BASE "/factors/" FACTOR "/transactions/",
        BASE "/factors/" FACTOR "/transactions/t/verify",
        BASE "/factors/" FACTOR "/transactions/t%2Fverify",
        BASE "/factors/" FACTOR "/transactions/t?user=00uOTHER",
        BASE "/factors/" FACTOR "/verify",
        BASE "/factors/" FACTOR,
        "https://evil.net/api/v1/users/" USER "/factors/" FACTOR "/transactions/t",
        ""};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(dt_okta_link_belongs(&config, others[i], USER, FACTOR));
    assert_false(dt_okta_link_belongs(&config, POLL, "", FACTOR));
    assert_false(dt_okta_link_belongs(&config, POLL, USER, ""));
    assert_false(dt_okta_link_belongs(&config, POLL, NULL, NULL));
    assert_false(dt_okta_link_belongs(&config, NULL, USER, FACTOR));
}

/* --- requests ----------------------------------------------------------------------------------- */

static void check_request(dt_http_request const *q, dt_http_method method, char const *url,
                          char const *body)
{
    assert_int_equal(q->service, DT_HTTP_OKTA);
    assert_int_equal(q->method, method);
    assert_string_equal(q->url, url);
    assert_string_equal(q->body, body);
    assert_int_equal(q->body_len, strlen(body));
    assert_false(q->form);
    assert_int_equal(q->timeout, DT_SECONDS(10));
}

static void requests_to_the_letter(void **state)
{
    (void)state;
    dt_http_request q;
    assert_int_equal(dt_okta_get_user(&config, "jane+x@example.com", &q), 0);
    check_request(&q, DT_HTTP_GET, "https://example.okta.com/api/v1/users/jane%2Bx%40example.com",
                  "");
    assert_int_equal(dt_okta_get_groups(&config, USER, &q), 0);
    check_request(&q, DT_HTTP_GET, BASE "/groups", "");
    assert_int_equal(dt_okta_get_factors(&config, USER, &q), 0);
    check_request(&q, DT_HTTP_GET, BASE "/factors", "");
    assert_int_equal(dt_okta_send(&config, USER, FACTOR, false, &q), 0);
    check_request(&q, DT_HTTP_POST, BASE "/factors/" FACTOR "/verify", "");
    assert_int_equal(dt_okta_send(&config, USER, FACTOR, true, &q), 0);
    check_request(&q, DT_HTTP_POST, BASE "/factors/" FACTOR "/verify",
                  "{\"useNumberMatchingChallenge\":true}");
    assert_int_equal(dt_okta_passcode(&config, USER, FACTOR, "012345", &q), 0);
    check_request(&q, DT_HTTP_POST, BASE "/factors/" FACTOR "/verify", "{\"passCode\":\"012345\"}");
    assert_int_equal(dt_okta_passcode(&config, USER, FACTOR, "\",\"x\":\"\\", &q), 0);
    check_request(&q, DT_HTTP_POST, BASE "/factors/" FACTOR "/verify",
                  "{\"passCode\":\"\\\",\\\"x\\\":\\\"\\\\\"}");
    assert_int_equal(dt_okta_poll(&config, POLL, &q), 0);
    check_request(&q, DT_HTTP_GET, POLL, "");
    assert_int_equal(dt_okta_cancel(&config, POLL, &q), 0);
    check_request(&q, DT_HTTP_DELETE, POLL, "");
}

static void check_nothing(dt_http_request const *q)
{
    static dt_http_request const nothing;
    assert_memory_equal(q, &nothing, sizeof(nothing));
}

static void absurd_logins_are_refused(void **state)
{
    (void)state;
    char longest[DT_OKTA_LOGIN_MAX + 1];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    char const *bad[] = {"",     NULL,    "me",   "ME",           "Me",           ".",
                         "..",   "a/b",   "/",    "a\\b",         "a\nb",         "\x1b[0m",
                         "\x7f", "a\xff", "\xc3", "\xed\xa0\x80", "\xe2\x80\xae", longest};
    dt_http_request q;
    for (size_t i = 0; i < COUNT(bad); i++) {
        memset(&q, 'x', sizeof(q));
        assert_int_equal(dt_okta_get_user(&config, bad[i], &q), DT_E_INVALID);
        check_nothing(&q);
    }
    longest[DT_OKTA_LOGIN_MAX - 1] = '\0';
    assert_int_equal(dt_okta_get_user(&config, longest, &q), 0);
    assert_int_equal(dt_okta_get_user(&config, "mel", &q), 0);
    assert_int_equal(dt_okta_get_user(&config, "...", &q), 0);
}

static void absurd_ids_are_refused(void **state)
{
    (void)state;
    char longest[DT_OKTA_ID_MAX + 1];
    memset(longest, 'a', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    char const *bad[] = {"",     NULL,       "a b", "a/b", "..", ".",    "a.b",
                         "a%2f", "\xc3\xb6", "a\n", "a?x", "a#", longest};
    dt_http_request q;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(dt_okta_get_groups(&config, bad[i], &q), DT_E_INVALID);
        check_nothing(&q);
        assert_int_equal(dt_okta_get_factors(&config, bad[i], &q), DT_E_INVALID);
        assert_int_equal(dt_okta_send(&config, bad[i], FACTOR, true, &q), DT_E_INVALID);
        check_nothing(&q);
        assert_int_equal(dt_okta_send(&config, USER, bad[i], false, &q), DT_E_INVALID);
        assert_int_equal(dt_okta_passcode(&config, bad[i], FACTOR, "1", &q), DT_E_INVALID);
        check_nothing(&q);
    }
}

static void absurd_passcodes_are_refused(void **state)
{
    (void)state;
    char longest[DT_OKTA_PASSCODE_MAX + 2];
    memset(longest, '1', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    char const *bad[] = {"", NULL, "12 34", "1\n", "\x7f", "\xd9\xa1", longest};
    dt_http_request q;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(dt_okta_passcode(&config, USER, FACTOR, bad[i], &q), DT_E_INVALID);
        check_nothing(&q);
    }
}

static void foreign_links_are_not_followed(void **state)
{
    (void)state;
    dt_http_request q;
    assert_int_equal(dt_okta_poll(&config, "https://evil.net/api/v1/x", &q), DT_E_INVALID);
    check_nothing(&q);
    assert_int_equal(dt_okta_poll(&config, "", &q), DT_E_INVALID);
    assert_int_equal(dt_okta_cancel(&config, NULL, &q), DT_E_INVALID);
    assert_int_equal(dt_okta_cancel(&config, "https://example.okta.com/login", &q), DT_E_INVALID);
    check_nothing(&q);
}

static void too_long_urls_are_refused(void **state)
{
    (void)state;
    static char url[DT_URL_MAX + 1];
    memset(url, 'a', sizeof(url) - 1);
    memcpy(url, "https://example.okta.com/api/v1/", 32);
    dt_http_request q;
    assert_int_equal(dt_okta_poll(&config, url, &q), DT_E_LIMIT);
    check_nothing(&q);
    dt_config c = {.okta = {.org_url = url}};
    assert_int_equal(dt_okta_get_user(&c, "x", &q), DT_E_LIMIT);
    assert_int_equal(dt_okta_send(&c, USER, FACTOR, true, &q), DT_E_LIMIT);
    assert_int_equal(dt_okta_passcode(&c, USER, FACTOR, "123456", &q), DT_E_LIMIT);
    check_nothing(&q);
}

/* --- what every reply may be -------------------------------------------------------------------- */

typedef dt_okta_answer read_fn(dt_http_response const *r, dt_error *e);

static dt_okta_answer read_user(dt_http_response const *r, dt_error *e)
{
    dt_okta_user u;
    memset(&u, 'x', sizeof(u));
    dt_okta_answer a = dt_okta_read_user(r, &u, e);
    if (a != DT_OKTA_OK)
        assert_true(!u.active && u.id[0] == '\0' && u.login[0] == '\0' && u.status[0] == '\0');
    return a;
}

static bool wants_all(void const *ctx, char const *group)
{
    (void)ctx;
    return group[0] != '\0';
}

static dt_okta_group_filter const by_name = {.wants = wants_all, .names = true};

static dt_okta_answer read_groups(dt_http_response const *r, dt_error *e)
{
    char next[DT_URL_MAX] = "x";
    dt_buf names;
    dt_buf_init(&names, 4096);
    dt_buf_puts(&names, "before");
    dt_okta_answer a = dt_okta_read_groups(&config, r, &by_name, &names, next, e);
    if (a != DT_OKTA_OK) {
        assert_string_equal((char *)names.p, "before");
        assert_string_equal(next, "");
    }
    dt_buf_free(&names);
    return a;
}

static dt_okta_answer read_factors(dt_http_response const *r, dt_error *e)
{
    dt_okta_factors f;
    memset(&f, 'x', sizeof(f));
    dt_okta_answer a = dt_okta_read_factors(r, &f, e);
    if (a != DT_OKTA_OK)
        assert_int_equal(f.count, 0);
    return a;
}

static dt_okta_answer read_verification(dt_http_response const *r, dt_error *e)
{
    dt_okta_verification v;
    memset(&v, 1, sizeof(v));
    dt_okta_answer a = dt_okta_read_verification(&config, r, &v, e);
    assert_int_not_equal(v.result, DT_OKTA_RESULT_SUCCESS);
    if (a != DT_OKTA_OK)
        assert_true(v.result == DT_OKTA_RESULT_NONE && v.poll_url[0] == '\0' &&
                    v.cancel_url[0] == '\0' && v.number == -1 && v.expires == 0);
    return a;
}

static read_fn *const readers[] = {read_user, read_groups, read_factors, read_verification};

static void expect_all(dt_http_response r, dt_okta_answer answer)
{
    for (size_t i = 0; i < COUNT(readers); i++) {
        dt_error e = {0};
        dt_okta_answer a = readers[i](&r, &e);
        if (a != answer)
            fail_msg("reader %zu, HTTP %d: %d, not %d: %s", i, r.status, a, answer, e.text);
        assert_true(e.code < 0 && e.text[0] != '\0');
        assert_null(strchr(e.text, '\x1b'));
        assert_int_equal(readers[i](&r, NULL), answer);
    }
}

/* The enumeration is closed: what is not in this list is no outage, and nothing that is not in the other
 * says anything about the service. */
static void what_is_unavailable(void **state)
{
    (void)state;
    static dt_http_failure const outages[] = {
        DT_HTTP_NO_NAME, DT_HTTP_NO_ROUTE,     DT_HTTP_REFUSED, DT_HTTP_RESET,
        DT_HTTP_TIMEOUT, DT_HTTP_PROXY_FAILED, DT_HTTP_PAUSED};
    static dt_http_failure const remote[] = {DT_HTTP_OK, DT_HTTP_BROKEN, DT_HTTP_NO_CREDENTIALS};
    for (int f = -2; f < DT_HTTP_FAILURES + 100; f++) {
        bool outage = false, told = false;
        for (size_t i = 0; i < COUNT(outages); i++)
            outage = outage || f == (int)outages[i];
        for (size_t i = 0; i < COUNT(remote); i++)
            told = told || f == (int)remote[i];
        for (int status = -1; status < 1000; status++) {
            bool server = f == DT_HTTP_OK && status >= 500 && status < 600;
            assert_int_equal(dt_http_is_unavailable((dt_http_failure)f, status), outage || server);
        }
        assert_int_equal(dt_http_is_local((dt_http_failure)f), !outage && !told);
    }
    for (int a = -2; a < DT_OKTA_ANSWERS + 100; a++) {
        assert_int_equal(dt_okta_is_unavailable((dt_okta_answer)a),
                         a == DT_OKTA_UNREACHABLE || a == DT_OKTA_SERVER_ERROR);
        assert_int_equal(dt_okta_is_local((dt_okta_answer)a),
                         a == DT_OKTA_UNTRUSTED || a == DT_OKTA_OVERLOADED || a == DT_OKTA_LOCAL);
    }
}

/* Okta says that another service fails, one that a single factor goes through. */
static void failures_of_one_factors_provider(void **state)
{
    (void)state;
    static char const *const codes[] = {"E0000067", "E0000138", "E0000139"};
    static int const statuses[] = {500, 503, 504};
    for (size_t i = 0; i < COUNT(codes); i++)
        for (size_t j = 0; j < COUNT(statuses); j++)
            expect_all(reply(statuses[j], error_json(codes[i])), DT_OKTA_PROVIDER_FAILED);
    expect_all(reply(500, error_json("E0000009")), DT_OKTA_SERVER_ERROR);
    expect_all(reply(503, error_json("E0000010")), DT_OKTA_SERVER_ERROR);
    expect_all(reply(504, "<html>E0000067</html>"), DT_OKTA_SERVER_ERROR);
}

static void failures_without_a_status(void **state)
{
    (void)state;
    static dt_okta_answer const answers[DT_HTTP_FAILURES] = {
        [DT_HTTP_LOCAL] = DT_OKTA_LOCAL,          [DT_HTTP_NO_NAME] = DT_OKTA_UNREACHABLE,
        [DT_HTTP_NO_ROUTE] = DT_OKTA_UNREACHABLE, [DT_HTTP_REFUSED] = DT_OKTA_UNREACHABLE,
        [DT_HTTP_RESET] = DT_OKTA_UNREACHABLE,    [DT_HTTP_TIMEOUT] = DT_OKTA_UNREACHABLE,
        [DT_HTTP_BROKEN] = DT_OKTA_UNUSABLE,      [DT_HTTP_UNTRUSTED] = DT_OKTA_UNTRUSTED,
        [DT_HTTP_QUEUED] = DT_OKTA_OVERLOADED,    [DT_HTTP_NO_CREDENTIALS] = DT_OKTA_UNAUTHORIZED,
        [DT_HTTP_ABANDONED] = DT_OKTA_OVERLOADED, [DT_HTTP_PROXY_FAILED] = DT_OKTA_UNREACHABLE,
        [DT_HTTP_PAUSED] = DT_OKTA_UNREACHABLE,   [DT_HTTP_PROXY_REFUSED] = DT_OKTA_UNAUTHORIZED,
    };
    for (int f = 0; f < DT_HTTP_FAILURES; f++)
        if (f != DT_HTTP_OK)
            expect_all(failed((dt_http_failure)f), answers[f]);
    expect_all(failed((dt_http_failure)99), DT_OKTA_LOCAL);
    expect_all(failed((dt_http_failure)-1), DT_OKTA_LOCAL);
    /* A failure is one whatever came with it. */
    dt_http_response r = reply(200, "{\"factorResult\":\"SUCCESS\"}");
    r.failure = DT_HTTP_BROKEN;
    expect_all(r, DT_OKTA_UNUSABLE);
    r.error = NULL;
    expect_all(r, DT_OKTA_UNUSABLE);
}

static void statuses_that_mean_the_same_for_all(void **state)
{
    (void)state;
    static char const *const bodies[] = {
        "", "<html>busy</html>", "{}", "[]", "null", "{\"factorResult\":\"SUCCESS\"}"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        expect_all(reply(429, bodies[i]), DT_OKTA_RATE_LIMITED);
        expect_all(reply(500, bodies[i]), DT_OKTA_SERVER_ERROR);
        expect_all(reply(503, bodies[i]), DT_OKTA_SERVER_ERROR);
        expect_all(reply(504, bodies[i]), DT_OKTA_SERVER_ERROR);
        expect_all(reply(401, bodies[i]), DT_OKTA_UNAUTHORIZED);
        expect_all(reply(410, bodies[i]), DT_OKTA_NOT_FOUND);
        expect_all(reply(423, bodies[i]), DT_OKTA_NOT_ACTIVE);
        /* Whoever wrote these was not Okta's API: an outage, a proxy, a wrong org_url. */
        expect_all(reply(404, bodies[i]), DT_OKTA_UNUSABLE);
        expect_all(reply(400, bodies[i]), DT_OKTA_UNUSABLE);
        expect_all(reply(302, bodies[i]), DT_OKTA_UNUSABLE);
        expect_all(reply(304, bodies[i]), DT_OKTA_UNUSABLE);
        expect_all(reply(202, bodies[i]), DT_OKTA_UNUSABLE);
        expect_all(reply(204, bodies[i]), DT_OKTA_UNUSABLE);
        expect_all(reply(0, bodies[i]), DT_OKTA_UNUSABLE);
        expect_all(reply(-200, bodies[i]), DT_OKTA_UNUSABLE);
        expect_all(reply(600, bodies[i]), DT_OKTA_UNUSABLE);
        expect_all(reply(999, bodies[i]), DT_OKTA_UNUSABLE);
    }
    expect_all(reply(429, error_json("E0000047")), DT_OKTA_RATE_LIMITED);
    expect_all(reply(404, error_json("E0000007")), DT_OKTA_NOT_FOUND);
    expect_all(reply(410, error_json("E0000154")), DT_OKTA_NOT_FOUND);
    expect_all(reply(401, error_json("E0000011")), DT_OKTA_UNAUTHORIZED);
    expect_all(reply(403, error_json("E0000006")), DT_OKTA_UNAUTHORIZED);
    expect_all(reply(423, error_json("E0000155")), DT_OKTA_NOT_ACTIVE);
    expect_all(reply(423, error_json("E0000180")), DT_OKTA_NOT_ACTIVE);
    expect_all(reply(500, error_json("E0000009")), DT_OKTA_SERVER_ERROR);
}

static void bodies_that_cannot_be_read(void **state)
{
    (void)state;
    static char const *const bodies[] = {
        "",
        " ",
        "null",
        "true",
        "42",
        "\"SUCCESS\"",
        "SUCCESS",
        "{",
        "[",
        "{\"id\"",
        "<html>",
        "{\"factorResult\":\"SUCCESS\"",
        "{\"factorResult\":\"SUCCESS\"}}",
        "{\"factorResult\":\"SUCCESS\",\"factorResult\":\"SUCCESS\"}",
        "[{\"id\":",
        "{\"factorResult\":\"SUCC\\u0000ESS\"}",
        "{\"factorResult\":\"SUCCESS\\u0000\"}",
        "{\"factorResult\":\"SUCCESS\",\"x\":1e999}"};
    for (size_t i = 0; i < COUNT(bodies); i++)
        expect_all(reply(200, bodies[i]), DT_OKTA_UNUSABLE);
    dt_http_response r = reply(200, "");
    r.body = dt_bytes_of(NULL, 0);
    expect_all(r, DT_OKTA_UNUSABLE);
    r.body = dt_bytes_of("{}\0{}", 5);
    expect_all(r, DT_OKTA_UNUSABLE);
}

/* What Okta refuses must not look like an outage: okta_unavailable may be `allow`. */
static void refusals_are_no_outage(void **state)
{
    (void)state;
    static char const *const codes[] = {"E0000001", "E0000014", "E0000021", "E0000022", "E0000058",
                                        "E0000074", "E0000079", "E0000113", "E0000152", "E9999999"};
    static int const statuses[] = {400, 405, 409, 411, 422, 499};
    for (size_t i = 0; i < COUNT(codes) * COUNT(statuses); i++) {
        dt_http_response r =
            reply(statuses[i % COUNT(statuses)], error_json(codes[i / COUNT(statuses)]));
        dt_error e = {0};
        assert_int_equal(read_user(&r, &e), DT_OKTA_NOT_ACTIVE);
        assert_int_equal(read_groups(&r, &e), DT_OKTA_NOT_ACTIVE);
        assert_int_equal(read_factors(&r, &e), DT_OKTA_NOT_ACTIVE);
        assert_int_equal(read_verification(&r, &e), DT_OKTA_OK); /* with RESULT_NONE */
        assert_non_null(strstr(e.text, codes[i / COUNT(statuses)]));
    }
    dt_http_response r = reply(403, error_json("E0000152"));
    dt_error e = {0};
    assert_int_equal(read_user(&r, &e), DT_OKTA_UNAUTHORIZED);
    assert_int_equal(read_verification(&r, &e), DT_OKTA_OK);
}

static void error_codes_have_one_form(void **state)
{
    (void)state;
    static char const *const codes[] = {"",         "E000000",   "E00000070",
                                        "e0000007", "F0000007",  "E000000x",
                                        "E-000007", " E0000007", "E0000007\\n"};
    for (size_t i = 0; i < COUNT(codes); i++)
        expect_all(reply(404, error_json(codes[i])), DT_OKTA_UNUSABLE);
    expect_all(reply(404, "{\"errorCode\":7}"), DT_OKTA_UNUSABLE);
    expect_all(reply(404, "{\"errorCode\":null}"), DT_OKTA_UNUSABLE);
    expect_all(reply(404, "{\"errorCode\":[\"E0000007\"]}"), DT_OKTA_UNUSABLE);
    expect_all(reply(404, "[{\"errorCode\":\"E0000007\"}]"), DT_OKTA_UNUSABLE);
    expect_all(reply(404, "{\"errorCode\":\"E0000007\"}"), DT_OKTA_NOT_FOUND);
    expect_all(reply(404, "{\"errorCode\":\"E0000007\",\"errorSummary\":{}}"), DT_OKTA_NOT_FOUND);
    /* The OAuth shape of errors is none of ours here. */
    expect_all(reply(400, "{\"error\":\"invalid_grant\"}"), DT_OKTA_UNUSABLE);
}

static void errors_are_cut_and_escaped(void **state)
{
    (void)state;
    char body[4096];
    memset(body, 'A', sizeof(body));
    static char const head[] = "{\"errorCode\":\"E0000007\",\"errorSummary\":\"\\u202e\\n";
    memcpy(body, head, sizeof(head) - 1);
    memcpy(body + sizeof(body) - 3, "\"}", 3);
    dt_http_response r = reply(404, body);
    dt_error e = {0};
    assert_int_equal(read_user(&r, &e), DT_OKTA_NOT_FOUND);
    assert_non_null(strstr(e.text, "\\xe2\\x80\\xae\\x0aAAAA"));
    assert_null(strchr(e.text, '\n'));
}

/* --- users -------------------------------------------------------------------------------------- */

static dt_okta_answer user_of(char const *body, dt_okta_user *u)
{
    dt_http_response r = reply(200, body);
    return dt_okta_read_user(&r, u, NULL);
}

static void only_ACTIVE_users_are_active(void **state)
{
    (void)state;
    static char const *const others[] = {
        "active",           "Active",
        "ACTIVE ",          " ACTIVE",
        "ACTIVE\\n",        "",
        "DEPROVISIONED",    "LOCKED_OUT",
        "PASSWORD_EXPIRED", "PROVISIONED",
        "RECOVERY",         "STAGED",
        "SUSPENDED",        "ACTIVATING",
        "INACTIVE",         "SOMETHING_NEW_THAT_IS_LONGER_THAN_ANY_STATUS_OF_TODAY"};
    dt_okta_user u;
    assert_int_equal(user_of("{\"id\":\"" USER "\",\"status\":\"ACTIVE\",\"profile\":{\"login\":"
                             "\"Jane@example.com\"},\"new\":[1.5]}",
                             &u),
                     DT_OKTA_OK);
    assert_true(u.active);
    assert_string_equal(u.id, USER);
    assert_string_equal(u.status, "ACTIVE");
    assert_string_equal(u.login, "Jane@example.com");
    for (size_t i = 0; i < COUNT(others); i++) {
        char body[256];
        snprintf(body, sizeof(body), "{\"id\":\"" USER "\",\"status\":\"%s\"}", others[i]);
        assert_int_equal(user_of(body, &u), DT_OKTA_OK);
        assert_false(u.active);
        assert_string_equal(u.login, "");
    }
}

static void users_of_other_shapes(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "[]",
        "{}",
        "{\"id\":\"" USER "\"}",
        "{\"status\":\"ACTIVE\"}",
        "{\"id\":null,\"status\":\"ACTIVE\"}",
        "{\"id\":\"\",\"status\":\"ACTIVE\"}",
        "{\"id\":5,\"status\":\"ACTIVE\"}",
        "{\"id\":\"../x\",\"status\":\"ACTIVE\"}",
        "{\"id\":\"a b\",\"status\":\"ACTIVE\"}",
        "{\"id\":\"a/b\",\"status\":\"ACTIVE\"}",
        "{\"id\":\"\\u00f6\",\"status\":\"ACTIVE\"}",
        "{\"id\":\"" USER "\",\"status\":null}",
        "{\"id\":\"" USER "\",\"status\":true}",
        "{\"id\":\"" USER "\",\"status\":[\"ACTIVE\"]}",
        "[{\"id\":\"" USER "\",\"status\":\"ACTIVE\"}]",
        "{\"user\":{\"id\":\"" USER "\",\"status\":\"ACTIVE\"}}",
        "{\"id\":\"0123456789012345678901234567890123456789012345678901234567890123\","
        "\"status\":\"ACTIVE\"}"};
    dt_okta_user u;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(user_of(bad[i], &u), DT_OKTA_UNUSABLE);
        assert_false(u.active);
        assert_string_equal(u.id, "");
    }
    /* 201 is no answer to a question. */
    dt_http_response r = reply(201, "{\"id\":\"" USER "\",\"status\":\"ACTIVE\"}");
    assert_int_equal(dt_okta_read_user(&r, &u, NULL), DT_OKTA_UNUSABLE);
    assert_false(u.active);
}

static void the_user_is_who_was_asked_for(void **state)
{
    (void)state;
    dt_okta_user u = {.id = USER, .active = true, .login = "Jane.Doe@example.com"};
    assert_true(dt_okta_user_is(&u, "jane.doe@EXAMPLE.com"));
    assert_true(dt_okta_user_is(&u, "jane.doe"));
    static char const *const others[] = {USER,
                                         "jane",
                                         "jane.doe@",
                                         "jane.doe@example.org",
                                         "jane.doe@example.com.evil.net",
                                         "",
                                         "@example.com",
                                         "jane.doe@example.com "};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_false(dt_okta_user_is(&u, others[i]));
    assert_false(dt_okta_user_is(&u, NULL));
    dt_okta_user nobody = {.id = USER, .active = true};
    assert_false(dt_okta_user_is(&nobody, USER));
    assert_false(dt_okta_user_is(&nobody, ""));
    dt_okta_user odd = {.login = "@example.com"};
    assert_false(dt_okta_user_is(&odd, ""));
    assert_false(dt_okta_user_is(&odd, "example.com"));
}

/* --- groups ------------------------------------------------------------------------------------- */

static void groups_over_pages(void **state)
{
    (void)state;
    char next[DT_URL_MAX];
    dt_buf names;
    dt_buf_init(&names, 1024);
    dt_http_response r = reply(200, "[{\"id\":\"00g1\",\"type\":\"BUILT_IN\",\"profile\":{\"name\":"
                                    "\"Everyone\",\"description\":null}},{\"profile\":{\"name\":"
                                    "\"VPN \\u00fcsers\"}}]");
    r.next_link = BASE "/groups?after=x&limit=2";
    assert_int_equal(dt_okta_read_groups(&config, &r, &by_name, &names, next, NULL), DT_OKTA_OK);
    assert_string_equal(next, r.next_link);
    dt_http_request q;
    assert_int_equal(dt_okta_poll(&config, next, &q), 0);
    r = reply(200, "[{\"profile\":{\"name\":\"Third\"}}]");
    assert_int_equal(dt_okta_read_groups(&config, &r, &by_name, &names, next, NULL), DT_OKTA_OK);
    assert_string_equal(next, "");
    r = reply(200, "[]");
    r.next_link = NULL;
    assert_int_equal(dt_okta_read_groups(&config, &r, &by_name, &names, next, NULL), DT_OKTA_OK);
    static char const expected[] = "Everyone\0\x1eVPN \xc3\xbcsers\0\x1eThird";
    assert_true(dt_bytes_equal(dt_buf_bytes(&names), dt_bytes_of(expected, sizeof(expected))));
    dt_buf_free(&names);
}

static void groups_of_other_shapes(void **state)
{
    (void)state;
    static char const *const bad[] = {"{}",
                                      "{\"value\":[]}",
                                      "[null]",
                                      "[1]",
                                      "[\"Everyone\"]",
                                      "[[]]",
                                      "[{}]",
                                      "[{\"profile\":null}]",
                                      "[{\"profile\":{}}]",
                                      "[{\"profile\":{\"name\":null}}]",
                                      "[{\"profile\":{\"name\":\"\"}}]",
                                      "[{\"profile\":{\"name\":7}}]",
                                      "[{\"name\":\"x\"}]",
                                      "[{\"profile\":{\"name\":\"good\"}},{}]",
                                      "[{\"profile\":{\"name\":\"a\\u0000b\"}}]"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        dt_http_response r = reply(200, bad[i]);
        dt_error e = {0};
        assert_int_equal(read_groups(&r, &e), DT_OKTA_UNUSABLE);
    }
    char body[512];
    memset(body, 'g', sizeof(body));
    memcpy(body, "[{\"profile\":{\"name\":\"", 21);
    strcpy(body + 21 + DT_GROUP_NAME_MAX - 1, "\"}}]");
    dt_http_response r = reply(200, body);
    assert_int_equal(read_groups(&r, NULL), DT_OKTA_OK);
    body[21 + DT_GROUP_NAME_MAX - 1] = 'g';
    strcpy(body + 21 + DT_GROUP_NAME_MAX, "\"}}]");
    /* Whoever wants it has it, whatever its length: what is wanted is what a rule names. */
    assert_int_equal(
        read_groups(
            &(dt_http_response){.failure = DT_HTTP_OK, .status = 200, .body = dt_bytes_str(body)},
            NULL),
        DT_OKTA_OK);
}

static bool wants_two(void const *ctx, char const *group)
{
    (void)ctx;
    return strcmp(group, "\x1f"
                         "00gVPN1") == 0 ||
           strcmp(group, "VPN Admins") == 0;
}

#define VPN_TYPE(type)                                                                             \
    "{\"id\":\"00gVPN1\",\"type\":" type ",\"profile\":{\"name\":\"VPN Admins\"}}"

/* Only what rules name is kept, by id and by name; what is looked at has to be there. */
static void groups_by_id_and_by_name(void **state)
{
    static struct {
        bool ids, names;
        char const *page;
        dt_okta_answer answer;
        char const *kept; /* with | for NUL */
    } const rows[] = {
        /* a name that cannot be read is nothing to ids, and unknown to names */
        {true, false, "[{\"id\":\"00gVPN1\",\"profile\":{\"name\":\"V\\u0000\"}}]", DT_OKTA_OK,
         "\x1f"
         "00gVPN1|"},
        {true, true, "[{\"id\":\"00gVPN1\",\"profile\":{\"name\":\"V\\u0000\"}}]", DT_OKTA_UNUSABLE,
         ""},
        {true, false, "[{\"id\":\"\\ud800\",\"profile\":{\"name\":\"x\"}}]", DT_OKTA_UNUSABLE, ""},
        {true, false, "[{\"id\":\"00gVPN1\",\"profile\":{\"name\":\"VPN Admins\"}}]", DT_OKTA_OK,
         "\x1f"
         "00gVPN1|"},
        {true, true, "[{\"id\":\"00gVPN1\",\"profile\":{\"name\":\"VPN Admins\"}}]", DT_OKTA_OK,
         "\x1f"
         "00gVPN1|\x1eVPN Admins|"},
        {false, true, "[{\"id\":\"00gVPN1\",\"profile\":{\"name\":\"VPN Admins\"}}]", DT_OKTA_OK,
         "\x1eVPN Admins|"},
        /* a name is sure to be one group's among those that are Okta's own */
        {false, true, "[" VPN_TYPE("\"OKTA_GROUP\"") "]", DT_OKTA_OK, "VPN Admins|"},
        {false, true, "[" VPN_TYPE("\"BUILT_IN\"") "]", DT_OKTA_OK, "VPN Admins|"},
        {false, true, "[" VPN_TYPE("\"APP_GROUP\"") "]", DT_OKTA_OK, "\x1eVPN Admins|"},
        {false, true, "[" VPN_TYPE("\"okta_group\"") "]", DT_OKTA_OK, "\x1eVPN Admins|"},
        {false, true, "[" VPN_TYPE("\"\"") "]", DT_OKTA_OK, "\x1eVPN Admins|"},
        {false, true, "[" VPN_TYPE("null") "]", DT_OKTA_OK, "\x1eVPN Admins|"},
        {false, true, "[" VPN_TYPE("[\"OKTA_GROUP\"]") "]", DT_OKTA_OK, "\x1eVPN Admins|"},
        {false, true, "[{\"id\":\"1\",\"profile\":{\"name\":\"\\u001eVPN Admins\"}}]",
         DT_OKTA_UNUSABLE, ""},
        /* the homonym, and an id that differs in case */
        {true, false, "[{\"id\":\"00gOTHER\",\"profile\":{\"name\":\"VPN Admins\"}}]", DT_OKTA_OK,
         ""},
        {true, false, "[{\"id\":\"00gvpn1\",\"profile\":{\"name\":\"VPN Admins\"}}]", DT_OKTA_OK,
         ""},
        {true, false, "[{\"profile\":{\"name\":\"VPN Admins\"}}]", DT_OKTA_UNUSABLE, ""},
        {true, false, "[{\"id\":7,\"profile\":{\"name\":\"VPN Admins\"}}]", DT_OKTA_UNUSABLE, ""},
        {true, false, "[{\"id\":\"\",\"profile\":{\"name\":\"x\"}}]", DT_OKTA_UNUSABLE, ""},
        {true, false, "[{\"id\":\"a b\",\"profile\":{\"name\":\"x\"}}]", DT_OKTA_UNUSABLE, ""},
        {true, false, "[{\"id\":\"00g1\"}]", DT_OKTA_OK, ""},
        {true, true, "[{\"id\":\"00g1\"}]", DT_OKTA_UNUSABLE, ""},
        {true, true, "[{\"id\":\"00g1\",\"profile\":{\"name\":\"\\u001f00gVPN1\"}}]",
         DT_OKTA_UNUSABLE, ""},
        {true, false, "[{\"id\":\"00gVPN1\"},7]", DT_OKTA_UNUSABLE, ""},
        {true, false, "[null]", DT_OKTA_UNUSABLE, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_okta_group_filter filter = {
            .wants = wants_two, .ids = rows[i].ids, .names = rows[i].names};
        dt_http_response r = reply(200, rows[i].page);
        char next[DT_URL_MAX], storage[256];
        dt_buf b;
        dt_buf_init_fixed(&b, storage, sizeof(storage));
        assert_int_equal(dt_okta_read_groups(&config, &r, &filter, &b, next, NULL), rows[i].answer);
        for (size_t k = 0; k < b.len; k++)
            b.p[k] = b.p[k] == '\0' ? '|' : b.p[k];
        assert_true(dt_bytes_equal(dt_buf_bytes(&b), dt_bytes_str(rows[i].kept)));
    }
}

/* How many groups of the org have a name. */
static void groups_of_a_name(void **state)
{
    static struct {
        char const *page, *next;
        dt_okta_answer answer;
        int count;
    } const rows[] = {
        {"[]", "", DT_OKTA_OK, 0},
        {"[" VPN_TYPE("1") "]", "", DT_OKTA_OK, 1},
        {"[" VPN_TYPE("1") ",{\"id\":\"2\",\"profile\":{\"name\":\"vpn ADMINS\"}}]", "", DT_OKTA_OK,
         2},
        {"[" VPN_TYPE("1") ",{\"id\":\"2\",\"profile\":{\"name\":\"VPN Admins 2\"}}]", BASE "/x",
         DT_OKTA_OK, 1},
        {"[" VPN_TYPE("1") ",{\"id\":\"2\",\"profile\":{}}]", "", DT_OKTA_UNUSABLE, 0},
        {"[" VPN_TYPE("1") ",{\"profile\":{\"name\":\"VPN Admins\"}}]", "", DT_OKTA_UNUSABLE, 0},
        {"[" VPN_TYPE("1") ",7]", "", DT_OKTA_UNUSABLE, 0},
        {"[" VPN_TYPE("1") "]", "https://evil.example/api/v1/groups", DT_OKTA_UNUSABLE, 0},
        {"{}", "", DT_OKTA_UNUSABLE, 0},
        {"", "", DT_OKTA_UNUSABLE, 0},
    };
    dt_http_request q;
    char long_name[DT_GROUP_NAME_MAX], next[DT_URL_MAX];

    (void)state;
    assert_int_equal(dt_okta_find_groups(&config, "A \"b\" \\ & c", &q), 0);
    assert_non_null(strstr(q.url, "/api/v1/groups?limit=200&search=profile.name%20eq%20%22A%20"
                                  "%5C%22b%5C%22%20%5C%5C%20%26%20c%22"));
    assert_int_equal(q.method, DT_HTTP_GET);
    memset(long_name, '"', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(dt_okta_find_groups(&config, long_name, &q), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_http_response r = reply(200, rows[i].page);
        int count = 0;

        r.next_link = rows[i].next;
        assert_int_equal(dt_okta_count_named_groups(&config, &r, "VPN Admins", &count, next, NULL),
                         rows[i].answer);
        assert_int_equal(count, rows[i].count);
        assert_string_equal(next, rows[i].answer == DT_OKTA_OK ? rows[i].next : "");
    }
}

/* 90 Japanese characters are 270 bytes; thousands of groups that no rule names take no room. */
static void groups_that_nobody_names_may_be_of_any_size(void **state)
{
    dt_okta_group_filter const filter = {.wants = wants_two, .ids = true, .names = true};
    char next[DT_URL_MAX], storage[64];
    dt_buf page, kept;

    (void)state;
    dt_buf_init(&page, 4 << 20);
    dt_buf_putc(&page, '[');
    for (int i = 0; i < DT_OKTA_GROUPS_PER_PAGE - 1; i++) {
        dt_buf_printf(&page, "{\"id\":\"00g%d\",\"profile\":{\"name\":\"", i);
        for (int k = 0; k < 90; k++)
            dt_buf_puts(&page, "\xe8\xaa\x9e");
        dt_buf_puts(&page, "\"}},");
    }
    dt_buf_puts(&page, "{\"id\":\"00gVPN1\",\"profile\":{\"name\":\"VPN Admins\"}}]");
    dt_buf_putc(&page, '\0');
    dt_buf_init_fixed(&kept, storage, sizeof(storage));
    dt_http_response r = reply(200, (char const *)page.p);
    assert_int_equal(dt_okta_read_groups(&config, &r, &filter, &kept, next, NULL), DT_OKTA_OK);
    assert_int_equal(kept.len, sizeof("\x1f"
                                      "00gVPN1") +
                                   sizeof("\x1eVPN Admins"));
    dt_buf_free(&page);
}

static void groups_that_do_not_fit_are_no_groups(void **state)
{
    (void)state;
    char next[DT_URL_MAX];
    char storage[12];
    dt_buf names;
    dt_buf_init_fixed(&names, storage, sizeof(storage));
    dt_http_response r = reply(200, "[{\"profile\":{\"name\":\"Everyone\"}},{\"profile\":{\"name\":"
                                    "\"Barred\"}}]");
    assert_int_equal(dt_okta_read_groups(&config, &r, &by_name, &names, next, NULL),
                     DT_OKTA_UNUSABLE);
    assert_int_equal(names.len, 0);
    size_t n = DT_OKTA_GROUPS_PER_PAGE + 1;
    char const *one = "{\"profile\":{\"name\":\"g\"}},";
    char *body = calloc(1, n * strlen(one) + 2);
    assert_non_null(body);
    body[0] = '[';
    for (size_t i = 0; i < n; i++)
        memcpy(body + 1 + i * strlen(one), one, strlen(one));
    body[n * strlen(one)] = ']';
    dt_buf many;
    dt_buf_init(&many, 1 << 20);
    r = reply(200, body);
    assert_int_equal(dt_okta_read_groups(&config, &r, &by_name, &many, next, NULL),
                     DT_OKTA_UNUSABLE);
    assert_int_equal(many.len, 0);
    dt_buf_free(&many);
    free(body);
}

static void groups_pages_lead_nowhere_else(void **state)
{
    (void)state;
    static char const *const foreign[] = {
        "https://evil.net/api/v1/users/u/groups?after=x", "http://example.okta.com/api/v1/x",
        "/api/v1/users/u/groups", "https://example.okta.com/login", "x"};
    for (size_t i = 0; i < COUNT(foreign); i++) {
        dt_http_response r = reply(200, "[{\"profile\":{\"name\":\"Everyone\"}}]");
        r.next_link = foreign[i];
        assert_int_equal(read_groups(&r, NULL), DT_OKTA_UNUSABLE);
    }
    static char url[DT_URL_MAX + 64];
    memset(url, 'a', sizeof(url) - 1);
    memcpy(url, "https://example.okta.com/api/v1/", 32);
    dt_http_response r = reply(200, "[]");
    r.next_link = url;
    assert_int_equal(read_groups(&r, NULL), DT_OKTA_UNUSABLE);
}

/* --- factors ------------------------------------------------------------------------------------ */

static void only_ACTIVE_factors_count(void **state)
{
    (void)state;
    dt_okta_factors f;
    dt_http_response r = reply(
        200,
        "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\","
        "\"profile\":{}},"
        "{\"id\":\"opf2\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"PENDING_"
        "ACTIVATION\"},"
        "{\"id\":\"opf3\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"INACTIVE\"},"
        "{\"id\":\"opf4\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"active\"},"
        "{\"id\":\"opf5\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"EXPIRED\"},"
        "{\"id\":\"opf6\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"NEW_WORD\"},"
        "{\"id\":\"ost1\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":"
        "\"ACTIVE\"},"
        "{\"id\":\"fwf1\",\"factorType\":\"webauthn\",\"status\":\"ACTIVE\"},"
        "{\"id\":\"odd id\",\"factorType\":\"future\",\"status\":\"ACTIVE\"},"
        "{\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"NOT_SETUP\"},"
        "{\"id\":\"x1\",\"factorType\":\"Push\",\"status\":\"ACTIVE\"}]");
    assert_int_equal(dt_okta_read_factors(&r, &f, NULL), DT_OKTA_OK);
    assert_int_equal(f.count, 4);
    assert_string_equal(f.items[0].id, "opf1");
    assert_int_equal(f.items[0].type, DT_FACTOR_PUSH);
    assert_string_equal(f.items[1].id, "ost1");
    assert_int_equal(f.items[1].type, DT_FACTOR_TOTP);
    assert_int_equal(f.items[2].type, DT_FACTOR_NONE);
    assert_int_equal(f.items[3].type, DT_FACTOR_NONE);
    r = reply(200, "[]");
    assert_int_equal(dt_okta_read_factors(&r, &f, NULL), DT_OKTA_OK);
    assert_int_equal(f.count, 0);
}

static void factors_of_other_shapes(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "{}",
        "{\"factors\":[]}",
        "[null]",
        "[[]]",
        "[\"push\"]",
        "[{}]",
        "[{\"id\":\"opf1\",\"status\":\"ACTIVE\"}]",
        "[{\"id\":\"opf1\",\"factorType\":\"push\"}]",
        "[{\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"}]",
        "[{\"id\":\"\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"}]",
        "[{\"id\":\"a/../b\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"}]",
        "[{\"id\":null,\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":"
        "\"ACTIVE\"}]",
        "[{\"id\":\"opf1\",\"factorType\":null,\"status\":\"ACTIVE\"}]",
        "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":null}]",
        "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"},"
        "7]"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        dt_http_response r = reply(200, bad[i]);
        dt_error e = {0};
        assert_int_equal(read_factors(&r, &e), DT_OKTA_UNUSABLE);
        assert_non_null(strstr(e.text, "factors"));
    }
}

static void factors_we_can_use_find_room(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, 1 << 16);
    dt_buf_putc(&b, '[');
    for (int i = 0; i < 2 * DT_OKTA_FACTORS_MAX; i++)
        dt_buf_printf(&b, "{\"id\":\"fwf%d\",\"factorType\":\"webauthn\",\"status\":\"ACTIVE\"},",
                      i);
    dt_buf_puts(
        &b,
        "{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"}]");
    dt_okta_factors f;
    dt_http_response r = reply(200, (char *)b.p);
    assert_int_equal(dt_okta_read_factors(&r, &f, NULL), DT_OKTA_OK);
    assert_int_equal(f.count, DT_OKTA_FACTORS_MAX);
    size_t pushes = 0;
    for (size_t i = 0; i < f.count; i++)
        pushes += f.items[i].type == DT_FACTOR_PUSH && strcmp(f.items[i].id, "opf1") == 0;
    assert_int_equal(pushes, 1);
    dt_buf_reset(&b);
    dt_buf_putc(&b, '[');
    for (int i = 0; i < 2 * DT_OKTA_FACTORS_MAX; i++)
        dt_buf_printf(&b,
                      "%s{\"id\":\"opf%d\",\"factorType\":\"push\",\"provider\":\"OKTA\","
                      "\"status\":\"ACTIVE\"}",
                      i > 0 ? "," : "", i);
    dt_buf_putc(&b, ']');
    r = reply(200, (char *)b.p);
    assert_int_equal(dt_okta_read_factors(&r, &f, NULL), DT_OKTA_OK);
    assert_int_equal(f.count, DT_OKTA_FACTORS_MAX);
    assert_string_equal(f.items[0].id, "opf0");
    dt_buf_free(&b);
}

/* --- verification ------------------------------------------------------------------------------- */

static dt_okta_answer verify(int status, char const *body, dt_okta_verification *v)
{
    dt_http_response r = reply(status, body);
    dt_error e = {0};
    dt_okta_answer a = dt_okta_read_verification(&config, &r, v, &e);
    if (a == DT_OKTA_OK && v->result != DT_OKTA_RESULT_SUCCESS &&
        v->result != DT_OKTA_RESULT_WAITING)
        assert_true(e.text[0] != '\0'); /* the administrator is told */
    return a;
}

static void a_push_is_made(void **state)
{
    (void)state;
    dt_okta_verification v;
    assert_int_equal(
        verify(201,
               "{\"expiresAt\":\"2026-04-01T15:57:32.000Z\",\"factorResult\":\"WAITING\","
               "\"_links\":{\"poll\":{\"href\":\"" POLL "\",\"hints\":{\"allow\":[\"GET\"]}},"
               "\"cancel\":{\"href\":\"" POLL "\",\"hints\":{\"allow\":[\"DELETE\"]}}},"
               "\"_embedded\":{\"challenge\":{\"correctAnswer\":72}}}",
               &v),
        DT_OKTA_OK);
    assert_int_equal(v.result, DT_OKTA_RESULT_WAITING);
    assert_string_equal(v.poll_url, POLL);
    assert_string_equal(v.cancel_url, POLL);
    assert_int_equal(v.number, 72);
    assert_true(v.expires == INT64_C(1775059052000));
    /* The first replies to a poll may lack the number; nulls are as good as nothing. */
    assert_int_equal(verify(200,
                            "{\"factorResult\":\"WAITING\",\"expiresAt\":null,\"profile\":null,"
                            "\"_embedded\":null,\"_links\":{\"poll\":null,\"cancel\":null}}",
                            &v),
                     DT_OKTA_OK);
    assert_int_equal(v.result, DT_OKTA_RESULT_WAITING);
    assert_string_equal(v.poll_url, "");
    assert_string_equal(v.cancel_url, "");
    assert_int_equal(v.number, -1);
    assert_int_equal(v.expires, 0);
}

static void success_is_200_and_SUCCESS(void **state)
{
    (void)state;
    dt_okta_verification v;
    assert_int_equal(verify(200, "{\"factorResult\":\"SUCCESS\"}", &v), DT_OKTA_OK);
    assert_int_equal(v.result, DT_OKTA_RESULT_SUCCESS);
    assert_int_equal(verify(200, "{\"factorResult\":\"SUCC\\u0045SS\"}", &v), DT_OKTA_OK);
    assert_int_equal(v.result, DT_OKTA_RESULT_SUCCESS); /* the same word to JSON */
    static char const *const not_success[] = {
        "{\"factorResult\":\"success\"}",
        "{\"factorResult\":\"Success\"}",
        "{\"factorResult\":\"SUCCESS \"}",
        "{\"factorResult\":\" SUCCESS\"}",
        "{\"factorResult\":\"SUCCESS\\n\"}",
        "{\"factorResult\":\"SUCCESSFUL\"}",
        "{\"factorResult\":\"SUCCES\"}",
        "{\"factorResult\":\"\"}",
        "{\"factorResult\":\"CHALLENGE\"}",
        "{\"factorResult\":\"ERROR\"}",
        "{\"factorResult\":\"FAILED\"}",
        "{\"factorResult\":\"NEW_WORD\"}",
        "{\"factorResult\":\"FAILED\",\"status\":\"SUCCESS\"}"};
    for (size_t i = 0; i < COUNT(not_success); i++) {
        assert_int_equal(verify(200, not_success[i], &v), DT_OKTA_OK);
        assert_int_equal(v.result, DT_OKTA_RESULT_NONE);
        assert_int_equal(v.challenged, strstr(not_success[i], "CHALLENGE") != NULL);
    }
    /* Something was sent, and its answer is waited for: of 200 alone. */
    assert_int_equal(verify(201, "{\"factorResult\":\"CHALLENGE\"}", &v), DT_OKTA_OK);
    assert_true(v.result == DT_OKTA_RESULT_NONE && !v.challenged);
    assert_int_equal(verify(200, "{\"factorResult\":\"CHALLENGE\",\"status\":\"LOCKED_OUT\"}", &v),
                     DT_OKTA_OK);
    assert_true(v.result == DT_OKTA_RESULT_LOCKED && !v.challenged);
    static char const *const unusable[] = {"{}",
                                           "[]",
                                           "{\"factorResult\":null}",
                                           "{\"factorResult\":true}",
                                           "{\"factorResult\":1}",
                                           "{\"factorResult\":[\"SUCCESS\"]}",
                                           "{\"factorResult\":{\"SUCCESS\":1}}",
                                           "{\"FactorResult\":\"SUCCESS\"}",
                                           "{\"factorresult\":\"SUCCESS\"}",
                                           "{\"status\":\"SUCCESS\"}",
                                           "[{\"factorResult\":\"SUCCESS\"}]",
                                           "{\"x\":{\"factorResult\":\"SUCCESS\"}}",
                                           "{\"sessionToken\":\"x\",\"status\":\"SUCCESS\"}",
                                           "{\"errorCode\":\"E0000068\"}"};
    for (size_t i = 0; i < COUNT(unusable); i++) {
        assert_int_equal(verify(200, unusable[i], &v), DT_OKTA_UNUSABLE);
        assert_int_equal(v.result, DT_OKTA_RESULT_NONE);
    }
    /* The word under any other status is none. */
    for (int status = -1; status < 700; status++) {
        if (status == 200)
            continue;
        (void)verify(status, "{\"factorResult\":\"SUCCESS\",\"errorCode\":\"E0000068\"}", &v);
        assert_int_not_equal(v.result, DT_OKTA_RESULT_SUCCESS);
    }
}

static void other_results(void **state)
{
    (void)state;
    static struct {
        char const *word;
        dt_okta_result result;
    } const rows[] = {{"REJECTED", DT_OKTA_RESULT_REJECTED},
                      {"TIMEOUT", DT_OKTA_RESULT_TIMEOUT},
                      {"EXPIRED", DT_OKTA_RESULT_TIMEOUT},
                      {"CANCELLED", DT_OKTA_RESULT_CANCELLED},
                      {"CANCELED", DT_OKTA_RESULT_CANCELLED},
                      {"PASSCODE_REPLAYED", DT_OKTA_RESULT_REPLAYED},
                      {"TIME_WINDOW_EXCEEDED", DT_OKTA_RESULT_OUTSIDE_WINDOW},
                      {"WAITING", DT_OKTA_RESULT_WAITING}};
    dt_okta_verification v;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[512];
        /* After a push has ended its links lead to `verify`, which must never be followed. */
        snprintf(body, sizeof(body),
                 "{\"factorResult\":\"%s\",\"_links\":{\"verify\":{\"href\":\"" BASE
                 "/factors/" FACTOR "/verify\"},\"factor\":{\"href\":\"" BASE "/factors/" FACTOR
                 "\"}}}",
                 rows[i].word);
        assert_int_equal(verify(200, body, &v), DT_OKTA_OK);
        assert_int_equal(v.result, rows[i].result);
        assert_string_equal(v.poll_url, "");
        assert_string_equal(v.cancel_url, "");
    }
}

static void refused_passcodes(void **state)
{
    (void)state;
    static struct {
        char const *code;
        dt_okta_result result;
    } const rows[] = {{"E0000068", DT_OKTA_RESULT_WRONG_CODE},
                      {"E0000082", DT_OKTA_RESULT_REPLAYED},
                      {"E0000083", DT_OKTA_RESULT_OUTSIDE_WINDOW},
                      {"E0000069", DT_OKTA_RESULT_LOCKED},
                      {"E0000119", DT_OKTA_RESULT_LOCKED},
                      {"E0000073", DT_OKTA_RESULT_REJECTED},
                      {"E0000079", DT_OKTA_RESULT_NONE},
                      {"E0000014", DT_OKTA_RESULT_NONE},
                      {"E0000004", DT_OKTA_RESULT_NONE}};
    dt_okta_verification v;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(verify(403, error_json(rows[i].code), &v), DT_OKTA_OK);
        assert_int_equal(v.result, rows[i].result);
        assert_int_equal(v.number, -1);
        /* The status belongs to it. */
        assert_int_equal(verify(400, error_json(rows[i].code), &v), DT_OKTA_OK);
        assert_int_equal(v.result, DT_OKTA_RESULT_NONE);
        assert_int_equal(verify(429, error_json(rows[i].code), &v), DT_OKTA_RATE_LIMITED);
        assert_int_equal(v.result, DT_OKTA_RESULT_NONE);
    }
    assert_int_equal(verify(409, error_json("E0000113"), &v), DT_OKTA_OK);
    assert_int_equal(v.result, DT_OKTA_RESULT_NEXT_CODE);
    assert_int_equal(verify(403, error_json("E0000113"), &v), DT_OKTA_OK);
    assert_int_equal(v.result, DT_OKTA_RESULT_NONE);
    assert_int_equal(verify(409, error_json("E0000068"), &v), DT_OKTA_OK);
    assert_int_equal(v.result, DT_OKTA_RESULT_NONE);
    assert_int_equal(verify(202, error_json("E0000070"), &v), DT_OKTA_OK);
    assert_int_equal(v.result, DT_OKTA_RESULT_WAITING);
    assert_int_equal(verify(202, error_json("E0000068"), &v), DT_OKTA_UNUSABLE);
    assert_int_equal(verify(302, error_json("E0000068"), &v), DT_OKTA_UNUSABLE);
}

static void numbers_of_other_shapes(void **state)
{
    (void)state;
    static struct {
        char const *json;
        int number;
    } const rows[] = {{"0", 0},
                      {"7", 7},
                      {"99", 99},
                      {"\"72\"", -1},
                      {"72.0", -1},
                      {"-1", -1},
                      {"1000000", -1},
                      {"4294967368", -1},
                      {"null", -1},
                      {"true", -1},
                      {"[72]", -1},
                      {"{\"correctAnswer\":72}", -1},
                      {"-9223372036854775808", -1}};
    dt_okta_verification v;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[256];
        snprintf(
            body, sizeof(body),
            "{\"factorResult\":\"WAITING\",\"_embedded\":{\"challenge\":{\"correctAnswer\":%s}}}",
            rows[i].json);
        assert_int_equal(verify(201, body, &v), DT_OKTA_OK);
        assert_int_equal(v.number, rows[i].number);
    }
}

static void foreign_links_spoil_the_reply(void **state)
{
    (void)state;
    static char const *const links[] = {
        "{\"href\":\"https://evil.net/api/v1/users/u/factors/f/transactions/t\"}",
        "{\"href\":\"http://example.okta.com/api/v1/x\"}",
        "{\"href\":\"https://example.okta.com:444/api/v1/x\"}",
        "{\"href\":\"https://example.okta.com@evil.net/api/v1/x\"}",
        "{\"href\":\"https://example.okta.com/oauth2/v1/token\"}",
        "{\"href\":\"https://example.okta.com/api/v1/../../x\"}",
        "{\"href\":\"\"}",
        "{\"href\":null}",
        "{\"href\":7}",
        "{}",
        "[]",
        "7",
        "true",
        "\"https://example.okta.com/api/v1/x\"",
        "[{\"href\":\"" POLL "\"}]"};
    static char const *const words[] = {"WAITING", "SUCCESS", "REJECTED"};
    static char const *const names[] = {"poll", "cancel"};
    dt_okta_verification v;
    for (size_t i = 0; i < COUNT(links) * COUNT(words) * COUNT(names); i++) {
        char body[512];
        snprintf(body, sizeof(body), "{\"factorResult\":\"%s\",\"_links\":{\"%s\":%s}}",
                 words[i % 3], names[i / 3 % 2], links[i / 6]);
        assert_int_equal(verify(200, body, &v), DT_OKTA_UNUSABLE);
        assert_int_equal(v.result, DT_OKTA_RESULT_NONE);
        assert_string_equal(v.poll_url, "");
        assert_string_equal(v.cancel_url, "");
    }
    /* A good link does not outlive a bad one beside it. */
    assert_int_equal(verify(200,
                            "{\"factorResult\":\"WAITING\",\"_links\":{\"poll\":{\"href\":\"" POLL
                            "\"},\"cancel\":{\"href\":\"https://evil.net/api/v1/x\"}}}",
                            &v),
                     DT_OKTA_UNUSABLE);
    assert_string_equal(v.poll_url, "");
    char body[DT_URL_MAX + 256];
    memset(body, 'a', sizeof(body));
    static char const head[] = "{\"factorResult\":\"WAITING\",\"_links\":{\"poll\":{\"href\":\""
                               "https://example.okta.com/api/v1/";
    memcpy(body, head, sizeof(head) - 1);
    strcpy(body + sizeof(body) - 5, "\"}}}");
    assert_int_equal(verify(200, body, &v), DT_OKTA_UNUSABLE);
}

static void odd_expiry_dates_are_none(void **state)
{
    (void)state;
    static char const *const dates[] = {
        "\"\"", "\"soon\"", "7", "null", "\"2026-13-01T00:00:00Z\"", "[]", "\"2026-04-01\""};
    dt_okta_verification v;
    for (size_t i = 0; i < COUNT(dates); i++) {
        char body[128];
        snprintf(body, sizeof(body), "{\"factorResult\":\"WAITING\",\"expiresAt\":%s}", dates[i]);
        assert_int_equal(verify(201, body, &v), DT_OKTA_OK);
        assert_int_equal(v.expires, 0);
    }
}

/* --- rate limits -------------------------------------------------------------------------------- */

static dt_time const date = INT64_C(1790000000000);

static void waits_after_429(void **state)
{
    (void)state;
    struct {
        int64_t limit, remaining;
        dt_time reset_in, retry_after, expected;
    } const rows[] = {
        {-1, -1, 0, 0, DT_SECONDS(2)},                 /* nothing said */
        {600, 0, DT_SECONDS(30), 0, DT_SECONDS(30)},   /* the bucket */
        {600, 0, DT_SECONDS(-5), 0, DT_SECONDS(1)},    /* just over */
        {600, 0, DT_SECONDS(3000), 0, DT_SECONDS(60)}, /* absurd */
        {0, 0, DT_SECONDS(30), 0, DT_SECONDS(2)},      /* too many at the same time */
        {0, 0, DT_SECONDS(30), DT_SECONDS(7), DT_SECONDS(7)},
        {600, 0, DT_SECONDS(30), DT_SECONDS(7), DT_SECONDS(7)},
        {600, 0, DT_SECONDS(30), 1, DT_SECONDS(1)},
        {600, 0, DT_SECONDS(30), DT_TIME_NEVER, DT_SECONDS(60)},
        {600, 0, DT_SECONDS(30), -7, DT_SECONDS(30)},
        {600, 0, DT_TIME_NEVER - date, 0, DT_SECONDS(60)},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_http_response r = reply(429, "");
        r.date = date;
        r.rate_limit = rows[i].limit;
        r.rate_remaining = rows[i].remaining;
        r.rate_reset = rows[i].reset_in == 0 ? 0 : date + rows[i].reset_in;
        r.retry_after = rows[i].retry_after;
        assert_int_equal(dt_okta_rate_wait(&r), rows[i].expected);
    }
    dt_http_response r = reply(429, "");
    r.rate_reset = date; /* without a Date the reset says nothing */
    assert_int_equal(dt_okta_rate_wait(&r), DT_SECONDS(2));
    r.date = INT64_MIN;
    assert_int_equal(dt_okta_rate_wait(&r), DT_SECONDS(2));
    r.date = date;
    r.rate_reset = INT64_MIN;
    assert_int_equal(dt_okta_rate_wait(&r), DT_SECONDS(2));
}

static dt_time interval(int64_t limit, int64_t remaining, dt_time reset_in, dt_time wanted)
{
    dt_http_response r = reply(200, "");
    r.date = date;
    r.rate_limit = limit;
    r.rate_remaining = remaining;
    r.rate_reset = date + reset_in;
    return dt_okta_poll_interval(&r, wanted);
}

static void polls_slow_down(void **state)
{
    (void)state;
    dt_time four = DT_SECONDS(4);
    assert_int_equal(interval(600, 500, DT_SECONDS(30), four), four);
    assert_int_equal(interval(600, 150, DT_SECONDS(30), four), four);
    assert_int_equal(interval(600, 75, DT_SECONDS(30), four), DT_SECONDS(8));
    assert_int_equal(interval(600, 1, DT_SECONDS(30), four), DT_SECONDS(30));
    assert_int_equal(interval(600, 0, DT_SECONDS(30), four), DT_SECONDS(30));
    assert_int_equal(interval(600, 0, DT_SECONDS(2), four), four);
    assert_int_equal(interval(10, 3, DT_SECONDS(60), four), DT_SECONDS(20));
    /* The concurrency limit's zeros, missing headers, and nonsense change nothing. */
    assert_int_equal(interval(0, 0, DT_SECONDS(30), four), four);
    assert_int_equal(interval(-1, -1, DT_SECONDS(30), four), four);
    assert_int_equal(interval(600, -5, DT_SECONDS(30), four), four);
    assert_int_equal(interval(INT64_MAX, INT64_MAX, DT_SECONDS(30), four), four);
    assert_int_equal(interval(INT64_MAX, 1, DT_TIME_NEVER - date, DT_TIME_NEVER), DT_SECONDS(60));
    assert_int_equal(interval(INT64_MIN, INT64_MIN, INT64_MIN + 2 * date, INT64_MIN), 0);
    dt_http_response r = reply(200, "");
    assert_int_equal(dt_okta_poll_interval(&r, four), four);
    /* Fewer left never means sooner. */
    for (int64_t left = 600; left > 0; left--)
        assert_true(interval(600, left - 1, DT_SECONDS(40), four) >=
                    interval(600, left, DT_SECONDS(40), four));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(segments_are_encoded),
        cmocka_unit_test(urls_come_apart),
        cmocka_unit_test(odd_urls_are_refused),
        cmocka_unit_test(links_elsewhere_are_not_ours),
        cmocka_unit_test(transactions_belong_to_one_factor),
        cmocka_unit_test(requests_to_the_letter),
        cmocka_unit_test(absurd_logins_are_refused),
        cmocka_unit_test(absurd_ids_are_refused),
        cmocka_unit_test(absurd_passcodes_are_refused),
        cmocka_unit_test(foreign_links_are_not_followed),
        cmocka_unit_test(too_long_urls_are_refused),
        cmocka_unit_test(failures_without_a_status),
        cmocka_unit_test(what_is_unavailable),
        cmocka_unit_test(failures_of_one_factors_provider),
        cmocka_unit_test(statuses_that_mean_the_same_for_all),
        cmocka_unit_test(bodies_that_cannot_be_read),
        cmocka_unit_test(refusals_are_no_outage),
        cmocka_unit_test(error_codes_have_one_form),
        cmocka_unit_test(errors_are_cut_and_escaped),
        cmocka_unit_test(only_ACTIVE_users_are_active),
        cmocka_unit_test(users_of_other_shapes),
        cmocka_unit_test(the_user_is_who_was_asked_for),
        cmocka_unit_test(groups_over_pages),
        cmocka_unit_test(groups_of_other_shapes),
        cmocka_unit_test(groups_by_id_and_by_name),
        cmocka_unit_test(groups_of_a_name),
        cmocka_unit_test(groups_that_nobody_names_may_be_of_any_size),
        cmocka_unit_test(groups_that_do_not_fit_are_no_groups),
        cmocka_unit_test(groups_pages_lead_nowhere_else),
        cmocka_unit_test(only_ACTIVE_factors_count),
        cmocka_unit_test(factors_of_other_shapes),
        cmocka_unit_test(factors_we_can_use_find_room),
        cmocka_unit_test(a_push_is_made),
        cmocka_unit_test(success_is_200_and_SUCCESS),
        cmocka_unit_test(other_results),
        cmocka_unit_test(refused_passcodes),
        cmocka_unit_test(numbers_of_other_shapes),
        cmocka_unit_test(foreign_links_spoil_the_reply),
        cmocka_unit_test(odd_expiry_dates_are_none),
        cmocka_unit_test(waits_after_429),
        cmocka_unit_test(polls_slow_down),
    };
    return cmocka_run_group_tests_name("okta", tests, NULL, NULL);
}
