/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules in words: which condition failed, what it wanted, what it got; whole for an event, within its
 * bounds. */
#include "core/base/json.h"
#include "core/policy/policy_explain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULE(name, priority, conditions)                                                           \
    "{\"name\":\"" name "\",\"priority\":" #priority                                               \
    ",\"status\":\"ACTIVE\",\"conditions\":{" conditions                                           \
    "},\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}}"
#define POLICY(rules) "{\"name\":\"p\",\"application\":\"vpn\",\"rules\":[" rules "]}"
#define ZONES                                                                                      \
    "{\"zones\":[{\"name\":\"Office\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":[{"       \
    "\"type\":\"CIDR\",\"value\":\"192.0.2.0/24\"}]},{\"name\":\"Guests\",\"type\":\"IP\","        \
    "\"status\":\"ACTIVE\",\"gateways\":[{\"type\":\"CIDR\",\"value\":\"198.51.100.0/24\"}]}]}"

static dt_zones *zones;
static dt_policy *policy;

static dt_json *json_of(char const *text)
{
    dt_json *root = NULL;
    dt_error e = {0};

    if (dt_json_parse(dt_bytes_str(text), &root, &e) < 0)
        fail_msg("%s: %s", e.text, text);
    return root;
}

static void parse(char const *text)
{
    dt_error e = {0};
    dt_json *root = json_of(text);

    dt_policy_free(&policy);
    if (dt_policy_parse(root, "vpn.json", zones, &policy, &e) < 0)
        fail_msg("%s", e.text);
    dt_json_free(&root);
}

static int group_setup(void **state)
{
    dt_json *root = json_of(ZONES);
    (void)state;
    int rc = dt_zones_parse(root, "zones.json", &zones, NULL);
    dt_json_free(&root);
    return rc;
}

static int group_teardown(void **state)
{
    (void)state;
    dt_policy_free(&policy);
    dt_zones_free(&zones);
    return 0;
}

static dt_policy_input input(char const *address)
{
    dt_policy_input in = {.user = "ann",
                          .login = "ann@example.com",
                          .group_knowledge = DT_GROUPS_KNOWN,
                          .trust = DT_TRUST_NOT_TRUSTED,
                          .platform = DT_PLATFORM_LINUX};
    if (address != NULL)
        assert_int_equal(dt_ip_parse(address, &in.ip), DT_OK);
    return in;
}

static void expect(dt_policy_input const *in, size_t rule, dt_condition failed, char const *words)
{
    dt_rule_explanation x;

    dt_policy_explain(policy, rule, in, NULL, &x);
    assert_int_equal(x.failed, failed);
    assert_string_equal(x.compared, words);
}

static void each_condition_in_words(void **state)
{
    static char const *const staff[] = {"staff"};
    (void)state;
    parse(POLICY(RULE(
        "people", 1,
        "\"people\":{\"users\":{\"include\":[\"zoe\"],\"exclude\":[\"bob\"]},"
        "\"groups\":{\"include\":[\"admins\"],\"exclude\":[\"staff\"]}}") "," RULE("in", 2,
                                                                                   "\"network\""
                                                                                   ":{"
                                                                                   "\"connectio"
                                                                                   "n\":"
                                                                                   "\"ZONE\","
                                                                                   "\"include\""
                                                                                   ":["
                                                                                   "\"Office\"]"
                                                                                   "}") "," RULE("o"
                                                                                                 "u"
                                                                                                 "t",
                                                                                                 3,
                                                                                                 "\"network\":{\"connection\":\"ZONE\",\"exclude\":[\"Guests\"]}") "," RULE("phones",
                                                                                                                                                                            4,
                                                                                                                                                                            "\"platform\":{\"include\":[{\"type\":\"MOBILE\",\"os\":{\"type\":"
                                                                                                                                                                            "\"IOS\"}}]}") "," RULE("trusted",
                                                                                                                                                                                                    5,
                                                                                                                                                                                                    "\"device\":{\"trust\":\"TRUSTED\"}") "," RULE("last",
                                                                                                                                                                                                                                                   9,
                                                                                                                                                                                                                                                   "")));
    dt_policy_input in = input("198.51.100.7");
    in.groups = staff;
    in.group_count = 1;
    expect(
        &in, 0, DT_CONDITION_PEOPLE,
        "requires users zoe or groups admins, not users bob, not groups staff; the person is ann, "
        "at Okta ann@example.com; of the groups that rules name, the person is in staff");
    expect(&in, 1, DT_CONDITION_NETWORK,
           "requires an address in zone Office; the address is in Guests");
    expect(&in, 2, DT_CONDITION_NETWORK,
           "requires an address not in zone Guests; the address is in Guests");
    expect(&in, 3, DT_CONDITION_PLATFORM, "requires ios; the device's platform is linux");
    expect(&in, 4, DT_CONDITION_DEVICE, "requires a TRUSTED device; this one is NOT_TRUSTED");
    expect(&in, 5, DT_CONDITION_NONE, "");
    in = input(NULL);
    expect(&in, 1, DT_CONDITION_NETWORK,
           "requires an address in zone Office; the address is not known");
    in.group_knowledge = DT_GROUPS_UNKNOWN;
    in.trust = DT_TRUST_UNKNOWN;
    in.unknown_as = DT_UNKNOWN_NOT_TRUSTED;
    expect(
        &in, 0, DT_CONDITION_PEOPLE,
        "requires users zoe or groups admins, not users bob, not groups staff; the person is ann, "
        "at Okta ann@example.com; the person's groups are not known");
    expect(&in, 4, DT_CONDITION_DEVICE,
           "requires a TRUSTED device; this one is UNKNOWN, treated as NOT_TRUSTED");
}

static void expect_from(dt_policy_input const *in, dt_policy_origins const *from, size_t rule,
                        char const *words)
{
    dt_rule_explanation x;

    dt_policy_explain(policy, rule, in, from, &x);
    assert_string_equal(x.compared, words);
}

/* Each value with who told it and how old that is. */
static void values_and_where_they_come_from(void **state)
{
    static char const *const staff[] = {"staff"};
    dt_policy_origins from = {.groups = {"okta", DT_HOURS(1)},
                              .address = {"the request", 0},
                              .device = {"certificate+intune", DT_HOURS(2) - DT_SECONDS(65)},
                              .platform = {"intune", DT_HOURS(2)},
                              .time = {"this host's clock", 0},
                              .address_text = "198.51.100.7",
                              .now = DT_HOURS(2)};
    static char const *const rules[] = {
        RULE("people", 1, "\"people\":{\"groups\":{\"include\":[\"admins\"]}}"),
        RULE("in", 2, "\"network\":{\"connection\":\"ZONE\",\"include\":[\"Office\"]}"),
        RULE("phones", 3,
             "\"platform\":{\"include\":[{\"type\":\"MOBILE\",\"os\":{\"type\":\"IOS\"}}]}"),
        RULE("trusted", 4, "\"device\":{\"trust\":\"TRUSTED\"}"),
        RULE("hours", 5, "\"time\":{\"zone\":\"UTC\",\"include\":[{\"days\":[\"MONDAY\"]}]}"),
        RULE("last", 9, "")};
    dt_policy_input in = input("198.51.100.7");
    dt_buf b;
    (void)state;

    dt_buf_init(&b, DT_POLICY_TEXT_MAX);
    dt_buf_puts(&b, "{\"name\":\"p\",\"application\":\"vpn\",\"rules\":[");
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        dt_buf_printf(&b, "%s%s", i > 0 ? "," : "", rules[i]);
    dt_buf_puts(&b, "]}");
    parse((char const *)b.p);
    dt_buf_free(&b);
    in.groups = staff;
    in.group_count = 1;
    in.now = DT_HOURS(2); /* a Thursday */
    expect_from(&in, &from, 0,
                "requires groups admins; the person is ann, at Okta ann@example.com; of the groups "
                "that rules name, the person is in staff (by okta, 1 h 0 min 0 s ago)");
    expect_from(&in, &from, 1,
                "requires an address in zone Office; the address 198.51.100.7 (by the request) is "
                "in Guests");
    expect_from(&in, &from, 2,
                "requires ios; the device's platform is linux (by intune, just now)");
    expect_from(
        &in, &from, 3,
        "requires a TRUSTED device; this one is NOT_TRUSTED (by certificate+intune, 1 min 5 s "
        "ago)");
    expect_from(&in, &from, 4,
                "requires UTC time from Mon 00:00 to Tue 00:00; it is Thu 02:00 (by this host's "
                "clock)");
    expect_from(&in, &from, 5, "");
    from = (dt_policy_origins){.now = 1};
    expect_from(&in, &from, 3, "requires a TRUSTED device; this one is NOT_TRUSTED");
}

static void an_age_in_words(void **state)
{
    static struct {
        dt_time learnt, now;
        char const *words;
    } const ages[] = {{0, DT_HOURS(1), "just now"},
                      {DT_HOURS(2), DT_HOURS(1), "just now"},
                      {DT_HOURS(1), DT_HOURS(1) + 999, "just now"},
                      {DT_HOURS(1), DT_HOURS(1) + 1000, "1 s ago"},
                      {DT_HOURS(1), DT_HOURS(1) + DT_MINUTES(2), "2 min 0 s ago"},
                      {DT_HOURS(1), DT_HOURS(30) + DT_SECONDS(61), "29 h 1 min 1 s ago"}};
    (void)state;

    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
        char text[40];
        dt_buf b;
        dt_buf_init_fixed(&b, text, sizeof(text));
        dt_explain_put_age(&b, ages[i].learnt, ages[i].now);
        assert_string_equal(text, ages[i].words);
    }
}

static void a_rule_that_is_not_there(void **state)
{
    dt_policy_input in = input(NULL);
    (void)state;
    expect(&in, 1000, DT_CONDITION_INACTIVE, "");
    assert_int_equal(dt_policy_rule_of_priority(policy, 5), 4);
    assert_int_equal(dt_policy_rule_of_priority(policy, 6), dt_policy_rule_count(policy));
    assert_int_equal(dt_policy_rule_of_priority(NULL, 1), 0);
}

/* A policy of `count` rules that do not hold, and one that does. */
static void parse_many(int count, char const *name)
{
    dt_buf b;

    dt_buf_init(&b, DT_POLICY_TEXT_MAX);
    dt_buf_puts(&b, "{\"name\":\"p\",\"application\":\"vpn\",\"rules\":[");
    for (int i = 0; i < count; i++)
        dt_buf_printf(&b,
                      "{\"name\":\"%s %d\",\"priority\":%d,\"status\":\"ACTIVE\",\"conditions\":{"
                      "\"device\":{\"trust\":\"TRUSTED\"}},\"actions\":{\"appSignOn\":{\"access\":"
                      "\"DENY\"}}},",
                      name, i, i + 1);
    dt_buf_puts(&b, RULE("last", 1000000, "") "]}");
    assert_int_equal(dt_buf_error(&b), DT_OK);
    parse((char const *)b.p);
    dt_buf_free(&b);
}

static dt_json *explain(dt_policy_input const *in, size_t *len)
{
    dt_decision d;
    dt_buf b;

    dt_policy_decide(policy, in, &d);
    dt_buf_init(&b, DT_EXPLAIN_EVENT_MAX);
    dt_policy_explain_json(policy, in, NULL, &d, &b);
    assert_int_equal(dt_buf_error(&b), DT_OK);
    dt_json *root = json_of((char const *)b.p);
    *len = b.len;
    dt_buf_free(&b);
    return root;
}

static void assert_last_decides(dt_json const *root)
{
    bool matches = false;
    dt_json const *last = dt_json_at(root, dt_json_size(root) - 1);

    assert_string_equal(dt_json_string(dt_json_get(last, "rule")), "last");
    assert_true(dt_json_bool(dt_json_get(last, "matches"), &matches) && matches);
}

static void the_deciding_rule_is_always_there(void **state)
{
    static char const *const names[] = {"n", "\\u0001\\u0001\\u0001\\u0001\\u0001\\u0001\\u0001",
                                        "\\\"\\\\\\\"\\\\\\\"", "\xe2\x82\xac\xe2\x82\xac"};
    char name[251];
    (void)state;
    memset(name, 'x', sizeof(name) - 10);
    name[sizeof(name) - 11] = '\0';
    for (int count = 0; count <= 10000; count = count < 12 ? count + 1 : count * 10) {
        for (size_t k = 0; k <= sizeof(names) / sizeof(names[0]); k++) {
            if (k == 1 && count > 0) /* control characters are no names */
                continue;
            dt_policy_input in = input(NULL);
            size_t len = 0, passed = 0;
            int64_t more = 0;

            parse_many(count, k == sizeof(names) / sizeof(names[0]) ? name : names[k]);
            dt_json *root = explain(&in, &len);
            assert_true(len <= DT_EXPLAIN_EVENT_MAX);
            assert_last_decides(root);
            for (size_t i = 0; i + 1 < dt_json_size(root); i++) {
                dt_json const *one = dt_json_at(root, i);
                if (!dt_json_integer(dt_json_get(one, "more"), &more)) {
                    passed++;
                    assert_string_equal(dt_json_string(dt_json_get(one, "failed")), "device");
                    assert_non_null(strstr(dt_json_string(dt_json_get(one, "compared")),
                                           "this one is NOT_TRUSTED"));
                }
            }
            assert_int_equal(passed + (size_t)more, count); /* none is dropped in silence */
            dt_json_free(&root);
        }
    }
}

static void what_comes_from_outside_is_quoted(void **state)
{
    dt_policy_input in = input(NULL);
    size_t len = 0;
    (void)state;
    in.user = "a\"},{\"rule\":\"forged\x1b[31m\n";
    parse(POLICY(
        RULE("zoe", 1, "\"people\":{\"users\":{\"include\":[\"zoe\"]}}") "," RULE("last", 2, "")));
    dt_json *root = explain(&in, &len);
    assert_int_equal(dt_json_size(root), 2);
    assert_last_decides(root);
    dt_json_free(&root);
}

static void nothing_decided(void **state)
{
    dt_policy_input in = input(NULL);
    size_t len = 0;
    (void)state;
    parse(POLICY(RULE("trusted", 1, "\"device\":{\"trust\":\"TRUSTED\"}") "," RULE("last", 2, "")));
    in.trust = DT_TRUST_UNKNOWN;
    in.unknown_as = DT_UNKNOWN_DENY; /* before any rule */
    dt_json *root = explain(&in, &len);
    assert_int_equal(dt_json_size(root), 0);
    dt_json_free(&root);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(each_condition_in_words),
        cmocka_unit_test(values_and_where_they_come_from),
        cmocka_unit_test(an_age_in_words),
        cmocka_unit_test(a_rule_that_is_not_there),
        cmocka_unit_test(the_deciding_rule_is_always_there),
        cmocka_unit_test(what_comes_from_outside_is_quoted),
        cmocka_unit_test(nothing_decided),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
