/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is counted of a sign-on, by how many threads at once, and the two texts that come of it: each series once,
 * bounded, escaped. */
#include "core/metrics/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define ROUNDS 3000
#define RULES (2 * DT_METRICS_RULES_MAX)

static dt_metrics *m;
static dt_okta_budget budget;
static dt_buf text;
static dt_expiries expiries;

static int setup(void **state)
{
    (void)state;
    m = calloc(1, sizeof(*m));
    assert_non_null(m);
    dt_okta_budget_init(&budget, 50);
    memset(&expiries, 0, sizeof(expiries));
    dt_buf_init(&text, DT_METRICS_TEXT_MAX);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(m);
    dt_buf_free(&text);
    return 0;
}

static char const *made(dt_metrics_format format)
{
    dt_metrics_sample const s = {.door = "pam",
                                 .version = "1.2.3",
                                 .started = 1700000000123,
                                 .waiting = 3,
                                 .waiting_max = 512,
                                 .audit_lost = 7,
                                 .sessions = 7,
                                 .store_open = true,
                                 .generation = 5,
                                 .loaded = 1700000001000,
                                 .budget = &budget,
                                 .expiries = &expiries};
    dt_buf_reset(&text);
    dt_metrics_text(&text, m, &s, format);
    assert_int_equal(dt_buf_error(&text), 0);
    return (char const *)text.p;
}

static char const *open_metrics(void)
{
    return made(DT_METRICS_OPENMETRICS);
}

static void has_line(char const *all, char const *line)
{
    size_t len = strlen(line);
    for (char const *at = all; (at = strstr(at, line)) != NULL; at++)
        if ((at == all || at[-1] == '\n') && at[len] == '\n')
            return;
    print_error("no line %s\n", line);
    fail();
}

static unsigned long lines_with(char const *all, char const *part)
{
    unsigned long n = 0;
    for (char const *at = all; (at = strstr(at, part)) != NULL; at++)
        n++;
    return n;
}

static dt_outcome outcome(dt_cause cause, char const *rule)
{
    dt_outcome o = {0};
    dt_outcome_set(&o, dt_cause_allows(cause) ? DT_ALLOW : DT_DENY, cause);
    o.verdict.trust = DT_TRUST_TRUSTED;
    o.verdict.reason = DT_REASON_TRUSTED;
    assert_int_equal(dt_str_copy(o.decision.rule, sizeof(o.decision.rule), rule), 0);
    return o;
}

static void count(dt_cause cause, char const *application, char const *rule, dt_time wait)
{
    dt_outcome const o = outcome(cause, rule);
    dt_metrics_count_signon(m, &o, application, wait);
}

/* --- what is counted ------------------------------------------------------------------------------ */

static void test_signon(void **state)
{
    (void)state;
    count(DT_CAUSE_RULE_ALLOW, "sshd", "Trusted", 0);
    count(DT_CAUSE_RULE_ALLOW, "sshd", "Trusted", 2);
    count(DT_CAUSE_RULE_DENY, "sshd", "Rest", 60001);
    char const *t = open_metrics();
    has_line(t, "devtrust_signons_total{door=\"pam\",result=\"allowed\",cause=\"RULE_ALLOW\"} 2");
    has_line(t, "devtrust_signons_total{door=\"pam\",result=\"denied\",cause=\"RULE_DENY\"} 1");
    has_line(t, "devtrust_signons_total{door=\"pam\",result=\"denied\",cause=\"MFA_REJECTED\"} 0");
    has_line(t, "devtrust_rule_signons_total{door=\"pam\",application=\"sshd\",rule=\"Trusted\","
                "result=\"allowed\"} 2");
    has_line(t, "devtrust_device_verdicts_total{door=\"pam\",verdict=\"TRUSTED\","
                "reason=\"TRUSTED\"} 3");
    has_line(t, "devtrust_signon_duration_seconds_bucket{door=\"pam\",factor=\"none\","
                "provider=\"none\",le=\"0.001\"} 1");
    has_line(t, "devtrust_signon_duration_seconds_bucket{door=\"pam\",factor=\"none\","
                "provider=\"none\",le=\"0.005\"} 2");
    has_line(t, "devtrust_signon_duration_seconds_bucket{door=\"pam\",factor=\"none\","
                "provider=\"none\",le=\"60.0\"} 2");
    has_line(t, "devtrust_signon_duration_seconds_bucket{door=\"pam\",factor=\"none\","
                "provider=\"none\",le=\"+Inf\"} 3");
    has_line(t, "devtrust_signon_duration_seconds_count{door=\"pam\",factor=\"none\","
                "provider=\"none\"} 3");
    has_line(t, "devtrust_signon_duration_seconds_sum{door=\"pam\",factor=\"none\","
                "provider=\"none\"} 60.003");
}

/* An ALLOW with a cause that does not allow is none. */
static void test_result_is_that_of_the_cause(void **state)
{
    (void)state;
    dt_outcome o = outcome(DT_CAUSE_RULE_DENY, "");
    o.result = DT_ALLOW;
    dt_metrics_count_signon(m, &o, "sshd", 0);
    char const *t = open_metrics();
    has_line(t, "devtrust_signons_total{door=\"pam\",result=\"denied\",cause=\"RULE_DENY\"} 1");
    assert_null(strstr(t, "devtrust_rule_signons_total{"));
}

static void test_report_only(void **state)
{
    (void)state;
    dt_outcome o = {.report_only = true};
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_RULE_DENY);
    dt_metrics_count_signon(m, &o, "sshd", 0);
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_REPORT_ONLY);
    dt_metrics_count_signon(m, &o, "sshd", 0);
    char const *t = open_metrics();
    has_line(t,
             "devtrust_signons_total{door=\"pam\",result=\"report_only\",cause=\"RULE_DENY\"} 1");
    has_line(t, "devtrust_signons_total{door=\"pam\",result=\"report_only\",cause=\"MFA\"} 1");
    has_line(t, "devtrust_signons_total{door=\"pam\",result=\"denied\",cause=\"RULE_DENY\"} 0");
}

static void test_factors(void **state)
{
    (void)state;
    dt_outcome o = outcome(DT_CAUSE_MFA_SUCCESS, "Ask");
    o.factor = DT_FACTOR_TOTP_GOOGLE;
    o.stale = true;
    dt_metrics_count_signon(m, &o, "vpn", 7000);
    char const *t = open_metrics();
    has_line(t, "devtrust_mfa_signons_total{door=\"pam\",factor=\"token:software:totp\","
                "provider=\"GOOGLE\",result=\"allowed\"} 1");
    has_line(t, "devtrust_signon_duration_seconds_bucket{door=\"pam\","
                "factor=\"token:software:totp\",provider=\"GOOGLE\",le=\"10.0\"} 1");
    has_line(t, "devtrust_signon_duration_seconds_bucket{door=\"pam\","
                "factor=\"token:software:totp\",provider=\"GOOGLE\",le=\"5.0\"} 0");
    has_line(t, "devtrust_stale_signons_total{door=\"pam\"} 1");
}

static void test_calls_and_cache(void **state)
{
    (void)state;
    dt_metrics_count_call(m, DT_HTTP_OKTA, DT_HTTP_OK, 200, 30);
    dt_metrics_count_call(m, DT_HTTP_OKTA, DT_HTTP_OK, 429, 30);
    dt_metrics_count_call(m, DT_HTTP_OKTA, DT_HTTP_OK, 299, 30);
    dt_metrics_count_call(m, DT_HTTP_OKTA, DT_HTTP_OK, 777, 30);
    dt_metrics_count_call(m, DT_HTTP_GRAPH, DT_HTTP_TIMEOUT, 0, 5000);
    dt_metrics_count_call(m, DT_HTTP_OCSP, DT_HTTP_LOCAL, 0, 0);
    dt_metrics_count_kept(m, DT_QUESTION_INTUNE, DT_METRICS_HIT);
    dt_metrics_count_kept(m, DT_QUESTION_USER, DT_METRICS_MISS);
    char const *t = open_metrics();
    has_line(t, "devtrust_service_requests_total{door=\"pam\",service=\"okta\",status=\"200\"} 1");
    has_line(t, "devtrust_service_requests_total{door=\"pam\",service=\"okta\",status=\"429\"} 1");
    has_line(t,
             "devtrust_service_requests_total{door=\"pam\",service=\"okta\",status=\"other\"} 2");
    has_line(
        t, "devtrust_service_requests_total{door=\"pam\",service=\"graph\",status=\"timeout\"} 1");
    has_line(t,
             "devtrust_service_requests_total{door=\"pam\",service=\"ocsp\",status=\"local\"} 1");
    has_line(t,
             "devtrust_service_request_duration_seconds_sum{door=\"pam\",service=\"okta\"} 0.120");
    has_line(t, "devtrust_cache_lookups_total{door=\"pam\",question=\"intune\",result=\"hit\"} 1");
    has_line(t, "devtrust_cache_lookups_total{door=\"pam\",question=\"user\",result=\"miss\"} 1");
    has_line(t, "devtrust_cache_lookups_total{door=\"pam\",question=\"ocsp\",result=\"stale\"} 0");
}

/* Numbers that are not of their lists count nothing, and write nowhere. */
static void test_odd_numbers(void **state)
{
    (void)state;
    dt_metrics before;
    memcpy(&before, m, sizeof(before));
    dt_metrics_count_kept(m, (dt_question)DT_QUESTION_COUNT, DT_METRICS_HIT);
    dt_metrics_count_kept(m, DT_QUESTION_USER, (dt_metrics_kept)-1);
    dt_metrics_count_call(m, (dt_http_service)DT_HTTP_SERVICES, DT_HTTP_OK, 200, 1);
    dt_metrics_count_call(m, DT_HTTP_OKTA, (dt_http_failure)DT_HTTP_FAILURES, 200, 1);
    assert_memory_equal(&before, m, sizeof(before));
    dt_outcome o = {.cause = (dt_cause)DT_CAUSE_COUNT,
                    .verdict = {.trust = (dt_trust)77, .reason = (dt_reason)77}};
    dt_metrics_count_signon(m, &o, NULL, -5);
    has_line(open_metrics(), "devtrust_signon_duration_seconds_sum{door=\"pam\",factor=\"none\","
                             "provider=\"none\"} 0.000");
}

static void add_expiry(char const *key, char const *name, dt_time end)
{
    dt_expiry x = {.end = end};
    assert_int_equal(dt_str_copy(x.key, sizeof(x.key), key), 0);
    assert_int_equal(dt_str_copy(x.name, sizeof(x.name), name), 0);
    dt_expiries_add(&expiries, &x);
}

static void test_sample(void **state)
{
    (void)state;
    dt_http_response const r = {.failure = DT_HTTP_OK,
                                .status = 200,
                                .date = 1000000,
                                .rate_limit = 600,
                                .rate_remaining = 17,
                                .rate_reset = 1030000};
    dt_okta_budget_sent(&budget, DT_OKTA_KIND_VERIFY, 0);
    dt_okta_budget_ended(&budget, DT_OKTA_KIND_VERIFY, &r, 0, 0);
    add_expiry("[device_trust] ca_file", "CN=A", 1800000000000);
    add_expiry("[intune] certificate_file", "CN=00000000-1111-2222-3333-444444444444",
               1700000000500);
    add_expiry("[device_trust] ca_file", "CN=B", 1750000000000);
    char const *t = open_metrics();
    has_line(t, "devtrust_okta_rate_limit{door=\"pam\",bucket=\"verify\"} 600");
    has_line(t, "devtrust_okta_rate_limit_remaining{door=\"pam\",bucket=\"verify\"} 17");
    assert_null(strstr(t, "bucket=\"poll\"")); /* nothing is known of it */
    has_line(t, "devtrust_expiry_timestamp_seconds{door=\"pam\",key=\"[intune] "
                "certificate_file\"} 1700000000.500");
    /* Of two with one key, the one that ends first; no subject, which may name a device. */
    has_line(t, "devtrust_expiry_timestamp_seconds{door=\"pam\",key=\"[device_trust] ca_file\"} "
                "1750000000.000");
    assert_int_equal(lines_with(t, "key=\"[device_trust] ca_file\""), 1);
    assert_null(strstr(t, "CN="));
    has_line(t, "devtrust_signons_waiting{door=\"pam\"} 3");
    has_line(t, "devtrust_audit_events_lost_total{door=\"pam\"} 7");
    has_line(t, "devtrust_store_open{door=\"pam\"} 1");
    has_line(t, "devtrust_sessions{door=\"pam\"} 7");
    has_line(t, "devtrust_session_losses_total{door=\"pam\",result=\"ended\"} 0");
    has_line(t, "devtrust_config_generation{door=\"pam\"} 5");
    has_line(t, "devtrust_start_time_seconds{door=\"pam\"} 1700000000.123");
    has_line(t, "devtrust_build_info{door=\"pam\",version=\"1.2.3\"} 1");
}

/* --- hostile and many ------------------------------------------------------------------------------ */

/* Whatever a rule or an application is called, its series is one line with one value. */
static void test_labels_are_escaped(void **state)
{
    static char const hostile[] = "a\"} 1\nforged{b=\"\\\x1b[31m\x80\xff\xe2\x80\xae";
    (void)state;
    count(DT_CAUSE_RULE_ALLOW, "x\"y\\z", hostile, 0);
    char const *t = open_metrics();
    has_line(t, "devtrust_rule_signons_total{door=\"pam\",application=\"x\\\"y\\\\z\","
                "rule=\"a\\\"} 1?forged{b=\\\"\\\\?[31m???\",result=\"allowed\"} 1");
    assert_null(strstr(t, "\nforged"));
    for (char const *c = t; *c != '\0'; c++)
        assert_true((unsigned char)*c < 0x80 && (*c >= 0x20 || *c == '\n'));
}

/* Two that look alike are one series. */
static void test_alike_names_are_one_series(void **state)
{
    char long_one[DT_METRICS_LABEL_MAX + 30], other[DT_METRICS_LABEL_MAX + 30];
    (void)state;
    memset(long_one, 'l', sizeof(long_one) - 1);
    long_one[sizeof(long_one) - 1] = '\0';
    memcpy(other, long_one, sizeof(other));
    other[sizeof(other) - 2] = 'x';
    count(DT_CAUSE_RULE_ALLOW, "sshd", long_one, 0);
    count(DT_CAUSE_RULE_ALLOW, "sshd", other, 0);
    count(DT_CAUSE_RULE_ALLOW, "sshd", "\x01", 0);
    count(DT_CAUSE_RULE_ALLOW, "sshd", "\x02", 0);
    char const *t = open_metrics();
    assert_int_equal(lines_with(t, "devtrust_rule_signons_total{"), 2);
    assert_int_equal(lines_with(t, "result=\"allowed\"} 2\n"), 2);
    /* Not cut within a character. */
    memset(long_one, 'l', DT_METRICS_LABEL_MAX - 1);
    memcpy(long_one + DT_METRICS_LABEL_MAX - 1, "\xc3\xa4", 3);
    count(DT_CAUSE_RULE_DENY, "sshd", long_one, 0);
    assert_non_null(strstr(open_metrics(), "lll\",result=\"denied\"} 1"));
}

static void test_more_rules_than_series(void **state)
{
    char name[32];
    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < RULES; i++) {
            snprintf(name, sizeof(name), "rule %d", i);
            count(DT_CAUSE_RULE_ALLOW, "sshd", name, 0);
        }
    }
    count(DT_CAUSE_RULE_DENY, "other", "other", 0); /* a rule of that name goes with the rest */
    char const *t = open_metrics();
    assert_int_equal(lines_with(t, "devtrust_rule_signons_total{"), DT_METRICS_RULES_MAX + 2);
    char line[160];
    snprintf(line, sizeof(line),
             "devtrust_rule_signons_total{door=\"pam\",application=\"other\",rule=\"other\","
             "result=\"allowed\"} %d",
             2 * (RULES - DT_METRICS_RULES_MAX));
    has_line(t, line);
    has_line(t, "devtrust_rule_signons_total{door=\"pam\",application=\"other\",rule=\"other\","
                "result=\"denied\"} 1");
}

static void test_too_small_a_buffer(void **state)
{
    char storage[2000];
    dt_buf b;
    dt_metrics_sample const s = {
        .door = "pam", .version = "1", .budget = &budget, .expiries = &expiries};
    (void)state;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_metrics_text(&b, m, &s, DT_METRICS_OPENMETRICS);
    assert_true(dt_buf_error(&b) < 0);
}

/* --- the formats ----------------------------------------------------------------------------------- */

static int compare(void const *a, void const *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each series once, each family in one piece below its head. */
static void check_form(char const *t, bool open)
{
    char *copy = strdup(t), *rest = copy, *line;
    char **series = calloc(100000, sizeof(*series));
    char family[128] = "";
    size_t n = 0;
    bool ended = false;

    assert_non_null(copy);
    assert_non_null(series);
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (rest == NULL) {
            assert_string_equal(line, ""); /* the last line ends, too */
            break;
        }
        assert_false(ended);
        if (strcmp(line, "# EOF") == 0) {
            ended = true;
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(sscanf(line, "# TYPE %127s", family), 1);
        } else if (line[0] == '#') {
            assert_int_equal(strncmp(line + 7, family, strlen(family)), 0);
        } else {
            assert_int_equal(strncmp(line, family, strlen(family)), 0);
            *strrchr(line, ' ') = '\0';
            series[n++] = line;
        }
    }
    assert_int_equal(ended, open);
    qsort(series, n, sizeof(*series), compare);
    for (size_t i = 1; i < n; i++)
        assert_string_not_equal(series[i - 1], series[i]);
    free(series);
    free(copy);
}

static void test_formats(void **state)
{
    (void)state;
    count(DT_CAUSE_RULE_ALLOW, "sshd", "Trusted", 0);
    char const *t = open_metrics();
    check_form(t, true);
    has_line(t, "# TYPE devtrust_signons counter");
    has_line(t, "# TYPE devtrust_build info");
    has_line(t, "# UNIT devtrust_signon_duration_seconds seconds");
    t = made(DT_METRICS_PROMETHEUS);
    check_form(t, false);
    has_line(t, "# TYPE devtrust_signons_total counter");
    has_line(t, "# TYPE devtrust_build_info gauge");
    assert_null(strstr(t, "# UNIT"));
    has_line(t, "devtrust_signons_total{door=\"pam\",result=\"allowed\",cause=\"RULE_ALLOW\"} 1");
}

/* Every word of a label is there: an enumeration that grows gets a name here, too. */
static void test_every_word_has_a_name(void **state)
{
    (void)state;
    for (int s = 0; s < DT_HTTP_SERVICES; s++)
        for (int f = 0; f < DT_HTTP_FAILURES; f++)
            dt_metrics_count_call(m, (dt_http_service)s, (dt_http_failure)f, 200, 1);
    for (int k = 0; k < DT_OKTA_KINDS; k++)
        budget.windows[k].limit = 1;
    char const *t = open_metrics();
    check_form(t, true); /* two without a name would be one series */
    assert_null(strstr(t, "(null)"));
    assert_null(strstr(t, "=\"\""));
    assert_null(strstr(t, "service=\"other\""));
    assert_null(strstr(t, "bucket=\"unnamed\""));
    assert_int_equal(lines_with(t, "devtrust_service_requests_total{"),
                     DT_HTTP_SERVICES * DT_HTTP_FAILURES);
    assert_int_equal(lines_with(t, "devtrust_okta_rate_limit{"), DT_OKTA_KINDS);
}

/* --- threads --------------------------------------------------------------------------------------- */

static void *count_many(void *ctx)
{
    char name[32];
    for (int i = 0; i < ROUNDS; i++) {
        dt_outcome o = outcome(DT_CAUSE_RULE_ALLOW, "Trusted");
        dt_metrics_count_signon(m, &o, "sshd", i % 3);
        snprintf(name, sizeof(name), "rule %d", i % 50);
        o = outcome(DT_CAUSE_RULE_DENY, name);
        dt_metrics_count_signon(m, &o, "sshd", 1);
        dt_metrics_count_kept(m, DT_QUESTION_INTUNE, DT_METRICS_HIT);
    }
    return ctx;
}

static unsigned long long sum_of(char const *t, char const *family)
{
    unsigned long long sum = 0;
    for (char const *at = t; (at = strstr(at, family)) != NULL; at++)
        sum += strtoull(strchr(strchr(at, '}'), ' '), NULL, 10);
    return sum;
}

/* Nothing is lost, no series is there twice, and who reads meanwhile reads whole lines. */
static void test_threads(void **state)
{
    pthread_t threads[THREADS];
    char line[160];
    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    for (int i = 0; i < 50; i++)
        check_form(open_metrics(), true);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    char const *t = open_metrics();
    check_form(t, true);
    assert_int_equal(sum_of(t, "devtrust_rule_signons_total{"), 2 * THREADS * ROUNDS);
    snprintf(line, sizeof(line),
             "devtrust_signons_total{door=\"pam\",result=\"allowed\",cause=\"RULE_ALLOW\"} %d",
             THREADS * ROUNDS);
    has_line(t, line);
    snprintf(line, sizeof(line),
             "devtrust_cache_lookups_total{door=\"pam\",question=\"intune\",result=\"hit\"} %d",
             THREADS * ROUNDS);
    has_line(t, line);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test_setup_teardown(test_signon, setup, teardown),
        cmocka_unit_test_setup_teardown(test_result_is_that_of_the_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_report_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_factors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calls_and_cache, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sample, setup, teardown),
        cmocka_unit_test_setup_teardown(test_labels_are_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alike_names_are_one_series, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_rules_than_series, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_small_a_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_formats, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_word_has_a_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
