/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deciding by a policy: each condition at its edges, what is not known, the order of rules, and
 * random policies against an evaluator that is written plainly. */
#include "core/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT_MAX_LEN (64 * 1024)
#define RANDOM_SEED 20261123u
#define RANDOM_POLICIES 400
#define RANDOM_INPUTS 100
#define RANDOM_RULES 12

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char const zones_text[] =
    "{\"zones\":["
    "{\"name\":\"Office\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":["
    "{\"type\":\"CIDR\",\"value\":\"192.0.2.0/24\"},"
    "{\"type\":\"CIDR\",\"value\":\"2001:db8::/32\"}]},"
    "{\"name\":\"Guests\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":["
    "{\"type\":\"RANGE\",\"value\":\"192.0.2.200-192.0.2.220\"}]},"
    "{\"name\":\"Lab\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":["
    "{\"type\":\"CIDR\",\"value\":\"10.0.0.0/8\"}]},"
    "{\"name\":\"Closed\",\"type\":\"IP\",\"status\":\"INACTIVE\",\"gateways\":["
    "{\"type\":\"CIDR\",\"value\":\"198.51.100.0/24\"}]}]}";

static dt_zones *zones;

static int zones_setup(void **state)
{
    dt_json *tree = NULL;
    dt_error e = {0};
    (void)state;
    if (dt_json_parse(dt_bytes_str(zones_text), &tree, &e) != DT_OK ||
        dt_zones_parse(tree, "zones.json", &zones, &e) != DT_OK) {
        fprintf(stderr, "%s\n", e.text);
        return -1;
    }
    dt_json_free(&tree);
    return 0;
}

static int zones_teardown(void **state)
{
    (void)state;
    dt_zones_free(&zones);
    return 0;
}

static dt_policy *policy_of(char const *text)
{
    dt_json *tree = NULL;
    dt_policy *p = NULL;
    dt_error e = {0};
    if (dt_json_parse(dt_bytes_str(text), &tree, &e) != DT_OK ||
        dt_policy_parse(tree, "x.json", zones, &p, &e) != DT_OK)
        fail_msg("%s\n%s", e.text, text);
    dt_json_free(&tree);
    return p;
}

/* One rule "R" that allows, with these conditions; everybody else is denied. */
static dt_policy *policy_with(char const *conditions)
{
    char text[TEXT_MAX_LEN];
    snprintf(text, sizeof(text),
             "{\"name\":\"x\",\"application\":\"x\",\"rules\":["
             "{\"name\":\"R\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":%s,"
             "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
             "{\"name\":\"Rest\",\"priority\":2,\"status\":\"ACTIVE\",\"conditions\":{},"
             "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}",
             conditions);
    return policy_of(text);
}

static dt_policy_input person(void)
{
    return (dt_policy_input){.user = "anna",
                             .login = "anna@example.com",
                             .group_knowledge = DT_GROUPS_KNOWN,
                             .trust = DT_TRUST_NOT_TRUSTED};
}

/* Whether the rule holds; checks that nothing but the rule allows and that explain says the same. */
static bool holds(char const *conditions, dt_policy_input const *in)
{
    dt_policy *p = policy_with(conditions);
    dt_decision d;
    char const *name;
    dt_policy_decide(p, in, &d);
    bool allowed = d.access == DT_ACCESS_ALLOW;
    assert_int_equal(d.cause, DT_DECISION_RULE);
    assert_string_equal(d.rule, allowed ? "R" : "Rest");
    assert_int_equal(d.priority, allowed ? 1 : 2);
    assert_int_equal(d.factors, 0);
    assert_int_equal(dt_policy_explain_rule(p, 0, in, &name) == DT_CONDITION_NONE, allowed);
    assert_string_equal(name, "R");
    dt_policy_free(&p);
    return allowed;
}

/* --- people ------------------------------------------------------------------------------------ */

static void users_match_by_name_or_login(void **state)
{
    static struct {
        char const *lists;
        bool holds;
    } const cases[] = {
        {"\"include\":[\"anna\"]", true},
        {"\"include\":[\"ANNA\"]", true},
        {"\"include\":[\"Anna@Example.COM\"]", true},
        {"\"include\":[\"ben\",\"carl\",\"anna\"]", true},
        {"\"include\":[\"ann\"]", false},
        {"\"include\":[\"annaa\"]", false},
        {"\"include\":[\"anna@example.org\"]", false},
        {"\"include\":[\"*\"]", false},
        {"\"include\":[\"ben\"]", false},
        {"\"exclude\":[\"anna\"]", false},
        {"\"exclude\":[\"aNNa\"]", false},
        {"\"exclude\":[\"anna@example.com\"]", false},
        {"\"exclude\":[\"ben\"]", true},
        {"\"include\":[\"anna\"],\"exclude\":[\"anna\"]", false},
        {"\"include\":[\"anna\"],\"exclude\":[\"ANNA@EXAMPLE.COM\"]", false},
        {"\"include\":[\"anna\"],\"exclude\":[\"ben\"]", true},
        {"\"include\":[],\"exclude\":[\"ben\"]", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[512];
        dt_policy_input in = person();
        snprintf(text, sizeof(text), "{\"people\":{\"users\":{%s}}}", cases[i].lists);
        if (holds(text, &in) != cases[i].holds)
            fail_msg("%s", cases[i].lists);
    }
}

/* Only ASCII letters have two cases: a locale must not decide who gets in. */
static void other_letters_have_one_case(void **state)
{
    dt_policy_input in = person();
    (void)state;
    in.user = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    assert_true(
        holds("{\"people\":{\"users\":{\"include\":[\"abcdefghijklmnopqrstuvwxyz\"]}}}", &in));
    in.user = "\xc3\xa4nne"; /* a umlaut */
    assert_true(holds("{\"people\":{\"users\":{\"include\":[\"\xc3\xa4NNE\"]}}}", &in));
    assert_false(holds("{\"people\":{\"users\":{\"include\":[\"\xc3\x84nne\"]}}}", &in));
    in.user = "@[`{";
    assert_false(holds("{\"people\":{\"users\":{\"include\":[\"`{@[\"]}}}", &in));
}

static void nobody_is_let_in_without_a_name(void **state)
{
    dt_policy *p = policy_with("{\"device\":{\"trust\":\"NOT_TRUSTED\"}}");
    dt_policy_input in = person();
    dt_decision d;
    char const *name;
    (void)state;
    in.user = "";
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.access, DT_ACCESS_DENY);
    assert_int_equal(d.cause, DT_DECISION_NO_RULE);
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_PEOPLE);
    in.user = NULL;
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.access, DT_ACCESS_DENY);
    assert_string_equal(d.rule, "");
    dt_policy_free(&p);
}

static void a_missing_login_is_nobodys(void **state)
{
    dt_policy_input in = person();
    (void)state;
    in.login = NULL;
    assert_true(holds("{\"people\":{\"users\":{\"include\":[\"anna\"]}}}", &in));
    assert_false(holds("{\"people\":{\"users\":{\"include\":[\"anna@example.com\"]}}}", &in));
    in.login = "";
    assert_false(holds("{\"people\":{\"users\":{\"include\":[\"anna@example.com\"]}}}", &in));
}

static void groups_match(void **state)
{
    static char const *const mine[] = {"Staff", "developers"};
    static struct {
        char const *people;
        bool holds;
    } const cases[] = {
        {"\"groups\":{\"include\":[\"staff\"]}", true},
        {"\"groups\":{\"include\":[\"DEVELOPERS\"]}", true},
        {"\"groups\":{\"include\":[\"admins\",\"staff\"]}", true},
        {"\"groups\":{\"include\":[\"admins\"]}", false},
        {"\"groups\":{\"include\":[\"anna\"]}", false},
        {"\"groups\":{\"exclude\":[\"staff\"]}", false},
        {"\"groups\":{\"exclude\":[\"admins\"]}", true},
        {"\"groups\":{\"include\":[\"staff\"],\"exclude\":[\"developers\"]}", false},
        {"\"users\":{\"include\":[\"ben\"]},\"groups\":{\"include\":[\"staff\"]}", true},
        {"\"users\":{\"include\":[\"anna\"]},\"groups\":{\"include\":[\"admins\"]}", true},
        {"\"users\":{\"include\":[\"ben\"]},\"groups\":{\"include\":[\"admins\"]}", false},
        {"\"users\":{\"exclude\":[\"anna\"]},\"groups\":{\"include\":[\"staff\"]}", false},
        {"\"users\":{\"include\":[\"anna\"]},\"groups\":{\"exclude\":[\"staff\"]}", false},
        {"\"users\":{\"include\":[\"staff\"]}", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[512];
        dt_policy_input in = person();
        in.groups = mine;
        in.group_count = COUNT(mine);
        snprintf(text, sizeof(text), "{\"people\":{%s}}", cases[i].people);
        if (holds(text, &in) != cases[i].holds)
            fail_msg("%s", cases[i].people);
    }
}

/* Where the answer hangs on groups that are not known, nobody gets in; where it does not, they are
 * not missed. */
static void unknown_groups_deny_where_they_matter(void **state)
{
    static struct {
        char const *conditions;
        dt_access access;
        dt_decision_cause cause;
    } const cases[] = {
        {"{\"people\":{\"groups\":{\"include\":[\"staff\"]}}}", DT_ACCESS_DENY,
         DT_DECISION_UNKNOWN_GROUPS},
        {"{\"people\":{\"groups\":{\"exclude\":[\"staff\"]}}}", DT_ACCESS_DENY,
         DT_DECISION_UNKNOWN_GROUPS},
        {"{\"people\":{\"users\":{\"include\":[\"ben\"]},\"groups\":{\"include\":[\"staff\"]}}}",
         DT_ACCESS_DENY, DT_DECISION_UNKNOWN_GROUPS},
        {"{\"people\":{\"users\":{\"include\":[\"anna\"]},\"groups\":{\"exclude\":[\"staff\"]}}}",
         DT_ACCESS_DENY, DT_DECISION_UNKNOWN_GROUPS},
        /* the names of people decide */
        {"{\"people\":{\"users\":{\"include\":[\"anna\"]},\"groups\":{\"include\":[\"staff\"]}}}",
         DT_ACCESS_ALLOW, DT_DECISION_RULE},
        {"{\"people\":{\"users\":{\"exclude\":[\"anna\"]},\"groups\":{\"include\":[\"staff\"]}}}",
         DT_ACCESS_DENY, DT_DECISION_RULE},
        {"{\"people\":{\"users\":{\"include\":[\"ben\"]},\"groups\":{\"exclude\":[\"staff\"]}}}",
         DT_ACCESS_DENY, DT_DECISION_RULE},
        /* another condition decides */
        {"{\"people\":{\"groups\":{\"include\":[\"staff\"]}},\"device\":{\"trust\":\"TRUSTED\"}}",
         DT_ACCESS_DENY, DT_DECISION_RULE},
        {"{\"people\":{\"groups\":{\"include\":[\"staff\"]}},"
         "\"network\":{\"connection\":\"ZONE\",\"include\":[\"Lab\"]}}",
         DT_ACCESS_DENY, DT_DECISION_RULE},
        {"{\"people\":{\"groups\":{\"include\":[\"staff\"]}},"
         "\"platform\":{\"include\":[{\"type\":\"MOBILE\"}]}}",
         DT_ACCESS_DENY, DT_DECISION_RULE},
        {"{\"people\":{\"users\":{\"include\":[\"anna\"]}}}", DT_ACCESS_ALLOW, DT_DECISION_RULE},
    };
    static char const *const mine[] = {"staff"};
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        dt_policy *p = policy_with(cases[i].conditions);
        dt_policy_input in = person();
        dt_decision d;
        in.group_knowledge = DT_GROUPS_UNKNOWN;
        in.groups = mine; /* what is not known is not looked at */
        in.group_count = 1;
        dt_policy_decide(p, &in, &d);
        if (d.access != cases[i].access || d.cause != cases[i].cause)
            fail_msg("%s: %d, %d", cases[i].conditions, d.access, d.cause);
        if (d.cause == DT_DECISION_UNKNOWN_GROUPS)
            assert_string_equal(d.rule, "");
        dt_policy_free(&p);
    }
}

/* More groups than can be looked at are as good as unknown: one that is left out could be the one
 * that excludes. */
static void too_many_groups_are_unknown(void **state)
{
    static char names[DT_GROUPS_MAX + 1][16];
    static char const *groups[DT_GROUPS_MAX + 1];
    dt_policy *p = policy_with("{\"people\":{\"groups\":{\"exclude\":[\"g256\"]}}}");
    dt_policy_input in = person();
    dt_decision d;
    (void)state;
    for (size_t i = 0; i <= DT_GROUPS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "g%zu", i);
        groups[i] = names[i];
    }
    in.groups = groups;
    in.group_count = DT_GROUPS_MAX;
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.access, DT_ACCESS_ALLOW);
    in.group_count = DT_GROUPS_MAX + 1;
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.access, DT_ACCESS_DENY);
    assert_int_equal(d.cause, DT_DECISION_UNKNOWN_GROUPS);
    groups[7] = NULL;
    in.group_count = 8;
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.cause, DT_DECISION_UNKNOWN_GROUPS);
    dt_policy_free(&p);
}

static void a_policy_says_which_groups_it_names(void **state)
{
    dt_policy *p = policy_of(
        "{\"name\":\"x\",\"application\":\"x\",\"rules\":["
        "{\"name\":\"a\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{\"people\":{"
        "\"groups\":{\"include\":[\"Staff\",\"x\"],\"exclude\":[\"guests\"]}}},"
        "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
        "{\"name\":\"b\",\"priority\":2,\"status\":\"INACTIVE\",\"conditions\":{\"people\":{"
        "\"groups\":{\"include\":[\"retired\"]}}},"
        "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
        "{\"name\":\"c\",\"priority\":3,\"status\":\"ACTIVE\",\"conditions\":{\"people\":{"
        "\"users\":{\"include\":[\"anna\"]},\"groups\":{\"include\":[\"STAFF\"]}}},"
        "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
        "{\"name\":\"d\",\"priority\":4,\"status\":\"ACTIVE\",\"conditions\":null,"
        "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}");
    (void)state;
    assert_true(dt_policy_needs_groups(p));
    assert_true(dt_policy_names_group(p, "staff"));
    assert_true(dt_policy_names_group(p, "GUESTS"));
    assert_true(dt_policy_names_group(p, "x"));
    assert_false(dt_policy_names_group(p, "retired"));
    assert_false(dt_policy_names_group(p, "anna"));
    assert_false(dt_policy_names_group(p, "staf"));
    assert_false(dt_policy_names_group(p, ""));
    assert_false(dt_policy_names_group(p, NULL));
    assert_false(dt_policy_names_group(NULL, "staff"));
    assert_false(dt_policy_needs_groups(NULL));
    dt_policy_free(&p);
}

/* --- network ----------------------------------------------------------------------------------- */

static void zones_match(void **state)
{
    static struct {
        char const *network, *ip;
        bool holds;
    } const cases[] = {
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", "192.0.2.1", true},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", "192.0.2.0", true},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", "192.0.2.255", true},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", "192.0.3.0", false},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", "192.0.1.255", false},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", "2001:db8:ffff::1", true},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", "2001:db9::1", false},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", "::ffff:192.0.2.1", true},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\",\"Lab\"]", "10.1.2.3", true},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"],\"exclude\":[\"Guests\"]", "192.0.2.199",
         true},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"],\"exclude\":[\"Guests\"]", "192.0.2.200",
         false},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"],\"exclude\":[\"Guests\"]", "192.0.2.220",
         false},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"],\"exclude\":[\"Guests\"]", "192.0.2.221",
         true},
        {"\"connection\":\"ZONE\",\"exclude\":[\"Office\"]", "192.0.2.1", false},
        {"\"connection\":\"ZONE\",\"exclude\":[\"Office\"]", "203.0.113.1", true},
        {"\"connection\":\"ZONE\",\"exclude\":[\"Office\"]", NULL, false},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", NULL, false},
        {"\"connection\":\"ZONE\",\"include\":[\"ALL_ZONES\"]", "10.0.0.1", true},
        {"\"connection\":\"ZONE\",\"include\":[\"ALL_ZONES\"]", "203.0.113.1", false},
        {"\"connection\":\"ZONE\",\"include\":[\"ALL_ZONES\"]", "198.51.100.1", false},
        {"\"connection\":\"ZONE\",\"include\":[\"ALL_ZONES\"]", NULL, false},
        {"\"connection\":\"ZONE\",\"exclude\":[\"ALL_ZONES\"]", "10.0.0.1", false},
        {"\"connection\":\"ZONE\",\"exclude\":[\"ALL_ZONES\"]", "198.51.100.1", true},
        {"\"connection\":\"ZONE\",\"exclude\":[\"ALL_ZONES\"]", NULL, false},
        {"\"connection\":\"ZONE\",\"include\":[\"Lab\"],\"exclude\":[\"ALL_ZONES\"]", "10.0.0.1",
         false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[512];
        dt_policy_input in = person();
        if (cases[i].ip != NULL)
            assert_int_equal(dt_ip_parse(cases[i].ip, &in.ip), DT_OK);
        snprintf(text, sizeof(text), "{\"network\":{%s}}", cases[i].network);
        if (holds(text, &in) != cases[i].holds)
            fail_msg("%s from %s", cases[i].network, cases[i].ip);
    }
}

static void anywhere_is_anywhere(void **state)
{
    dt_policy_input in = person();
    (void)state;
    assert_true(holds("{\"network\":{\"connection\":\"ANYWHERE\"},"
                      "\"device\":{\"trust\":\"NOT_TRUSTED\"}}",
                      &in));
    assert_int_equal(dt_ip_parse("198.51.100.1", &in.ip), DT_OK);
    assert_true(holds("{\"network\":{\"connection\":\"ANYWHERE\",\"include\":[]},"
                      "\"device\":{\"trust\":\"NOT_TRUSTED\"}}",
                      &in));
}

/* --- platform ---------------------------------------------------------------------------------- */

static void platforms_match(void **state)
{
    static struct {
        char const *platform;
        unsigned holds_for; /* dt_platform bits; bit 8 stands for a platform that is not known */
    } const cases[] = {
        {"\"include\":[{\"type\":\"DESKTOP\"}]", 0x1f},
        {"\"include\":[{\"type\":\"DESKTOP\",\"os\":{\"type\":\"ANY\"}}]", 0x1f},
        {"\"include\":[{\"type\":\"MOBILE\"}]", 0xe0},
        {"\"include\":[{\"type\":\"ANY\"}],\"exclude\":[{\"type\":\"MOBILE\"}]", 0x1f},
        {"\"exclude\":[{\"type\":\"DESKTOP\"}]", 0xe0},
        {"\"include\":[{\"type\":\"DESKTOP\",\"os\":{\"type\":\"WINDOWS\"}}]", DT_PLATFORM_WINDOWS},
        {"\"include\":[{\"type\":\"ANY\",\"os\":{\"type\":\"MACOS\"}}]", DT_PLATFORM_MACOS},
        {"\"include\":[{\"type\":\"ANY\",\"os\":{\"type\":\"LINUX\"}}]", DT_PLATFORM_LINUX},
        {"\"include\":[{\"type\":\"ANY\",\"os\":{\"type\":\"CHROMEOS\"}}]", DT_PLATFORM_CHROMEOS},
        {"\"include\":[{\"type\":\"MOBILE\",\"os\":{\"type\":\"IOS\"}}]", DT_PLATFORM_IOS},
        {"\"include\":[{\"type\":\"MOBILE\",\"os\":{\"type\":\"ANDROID\"}}]", DT_PLATFORM_ANDROID},
        {"\"include\":[{\"type\":\"DESKTOP\",\"os\":{\"type\":\"OTHER\"}}]",
         DT_PLATFORM_OTHER_DESKTOP},
        {"\"include\":[{\"type\":\"MOBILE\",\"os\":{\"type\":\"OTHER\"}}]",
         DT_PLATFORM_OTHER_MOBILE},
        {"\"include\":[{\"type\":\"ANY\",\"os\":{\"type\":\"OTHER\"}}]",
         DT_PLATFORM_OTHER_DESKTOP | DT_PLATFORM_OTHER_MOBILE},
        {"\"include\":[{\"type\":\"MOBILE\"},{\"type\":\"DESKTOP\",\"os\":{\"type\":\"LINUX\"}}],"
         "\"exclude\":[{\"type\":\"MOBILE\",\"os\":{\"type\":\"ANDROID\"}}]",
         DT_PLATFORM_LINUX | DT_PLATFORM_IOS | DT_PLATFORM_OTHER_MOBILE},
        {"\"exclude\":[{\"type\":\"ANY\",\"os\":{\"type\":\"WINDOWS\"}}]", 0xfe},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned bit = 1; bit <= 0x100; bit <<= 1) {
            char text[512];
            dt_policy_input in = person();
            in.platform = (dt_platform)(bit & 0xff);
            snprintf(text, sizeof(text), "{\"platform\":{%s}}", cases[i].platform);
            if (holds(text, &in) != ((cases[i].holds_for & bit) != 0))
                fail_msg("%s for 0x%x", cases[i].platform, bit);
        }
    }
}

static void any_platform_is_also_an_unknown_one(void **state)
{
    dt_policy_input in = person();
    (void)state;
    assert_true(holds("{\"platform\":{\"include\":[{\"type\":\"ANY\"}]},"
                      "\"device\":{\"trust\":\"NOT_TRUSTED\"}}",
                      &in));
    assert_true(holds("{\"platform\":{},\"device\":{\"trust\":\"NOT_TRUSTED\"}}", &in));
}

/* --- device ------------------------------------------------------------------------------------ */

static void trust_matches(void **state)
{
    enum { ALLOW, NEXT, UNKNOWN };
    static struct {
        char const *rule;
        dt_trust trust;
        dt_unknown_as as;
        int want;
    } const cases[] = {
        {"TRUSTED", DT_TRUST_TRUSTED, DT_UNKNOWN_DENY, ALLOW},
        {"TRUSTED", DT_TRUST_TRUSTED, DT_UNKNOWN_NOT_TRUSTED, ALLOW},
        {"TRUSTED", DT_TRUST_NOT_TRUSTED, DT_UNKNOWN_DENY, NEXT},
        {"TRUSTED", DT_TRUST_NOT_TRUSTED, DT_UNKNOWN_NOT_TRUSTED, NEXT},
        {"TRUSTED", DT_TRUST_UNKNOWN, DT_UNKNOWN_DENY, UNKNOWN},
        {"TRUSTED", DT_TRUST_UNKNOWN, DT_UNKNOWN_NOT_TRUSTED, NEXT},
        {"NOT_TRUSTED", DT_TRUST_TRUSTED, DT_UNKNOWN_DENY, NEXT},
        {"NOT_TRUSTED", DT_TRUST_TRUSTED, DT_UNKNOWN_NOT_TRUSTED, NEXT},
        {"NOT_TRUSTED", DT_TRUST_NOT_TRUSTED, DT_UNKNOWN_DENY, ALLOW},
        {"NOT_TRUSTED", DT_TRUST_NOT_TRUSTED, DT_UNKNOWN_NOT_TRUSTED, ALLOW},
        {"NOT_TRUSTED", DT_TRUST_UNKNOWN, DT_UNKNOWN_DENY, UNKNOWN},
        {"NOT_TRUSTED", DT_TRUST_UNKNOWN, DT_UNKNOWN_NOT_TRUSTED, ALLOW},
        /* values from beyond the lists are not known either */
        {"TRUSTED", (dt_trust)7, DT_UNKNOWN_DENY, UNKNOWN},
        {"TRUSTED", (dt_trust)7, DT_UNKNOWN_NOT_TRUSTED, NEXT},
        {"NOT_TRUSTED", DT_TRUST_UNKNOWN, (dt_unknown_as)7, UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256];
        dt_policy_input in = person();
        dt_decision d;
        snprintf(text, sizeof(text), "{\"device\":{\"trust\":\"%s\"}}", cases[i].rule);
        dt_policy *p = policy_with(text);
        in.trust = cases[i].trust;
        in.unknown_as = cases[i].as;
        dt_policy_decide(p, &in, &d);
        assert_int_equal(d.access, cases[i].want == ALLOW ? DT_ACCESS_ALLOW : DT_ACCESS_DENY);
        assert_int_equal(d.cause,
                         cases[i].want == UNKNOWN ? DT_DECISION_UNKNOWN_DEVICE : DT_DECISION_RULE);
        assert_string_equal(d.rule, cases[i].want == ALLOW  ? "R"
                                    : cases[i].want == NEXT ? "Rest"
                                                            : "");
        dt_policy_free(&p);
    }
}

/* unknown_device_as = deny is about the device, whatever the rules look at. */
static void an_unknown_device_is_denied_before_any_rule(void **state)
{
    dt_policy *p = policy_with("{\"people\":{\"users\":{\"include\":[\"anna\"]}}}");
    dt_policy_input in = person();
    dt_decision d;
    (void)state;
    in.trust = DT_TRUST_UNKNOWN;
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.access, DT_ACCESS_DENY);
    assert_int_equal(d.cause, DT_DECISION_UNKNOWN_DEVICE);
    in.unknown_as = DT_UNKNOWN_NOT_TRUSTED;
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.access, DT_ACCESS_ALLOW);
    dt_policy_free(&p);
}

/* --- order, actions, explain ------------------------------------------------------------------- */

static char const ordered_text[] =
    "{\"name\":\"x\",\"application\":\"x\",\"rules\":["
    "{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":null,"
    "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\","
    "\"promptForFactor\":{\"frequency\":\"ONCE_A_DAY\"}}}},"
    "{\"name\":\"third\",\"priority\":30,\"status\":\"ACTIVE\","
    "\"conditions\":{\"people\":{\"users\":{\"include\":[\"anna\",\"ben\"]}}},"
    "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\",\"promptForFactor\":{"
    "\"frequency\":\"EVERY_SIGN_ON\",\"factors\":[\"token:software:totp\"]}}}},"
    "{\"name\":\"off\",\"priority\":0,\"status\":\"INACTIVE\","
    "\"conditions\":{\"people\":{\"users\":{\"include\":[\"anna\"]}}},"
    "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
    "{\"name\":\"second\",\"priority\":20,\"status\":\"ACTIVE\","
    "\"conditions\":{\"people\":{\"users\":{\"include\":[\"anna\"]}},"
    "\"device\":{\"trust\":\"TRUSTED\"}},"
    "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";

static void the_first_by_priority_decides(void **state)
{
    dt_policy *p = policy_of(ordered_text);
    dt_policy_input in = person();
    dt_decision d;
    (void)state;
    in.trust = DT_TRUST_TRUSTED;
    dt_policy_decide(p, &in, &d);
    assert_string_equal(d.rule, "second");
    assert_int_equal(d.access, DT_ACCESS_DENY);
    assert_int_equal(d.cause, DT_DECISION_RULE);
    assert_int_equal(d.priority, 20);

    in.trust = DT_TRUST_NOT_TRUSTED;
    dt_policy_decide(p, &in, &d);
    assert_string_equal(d.rule, "third");
    assert_int_equal(d.access, DT_ACCESS_ALLOW_AFTER_MFA);
    assert_int_equal(d.frequency, DT_FREQUENCY_EVERY_SIGN_ON);
    assert_int_equal(d.factors, DT_FACTOR_TOTP);

    in.user = "zoe";
    in.login = "zoe@example.com";
    dt_policy_decide(p, &in, &d);
    assert_string_equal(d.rule, "rest");
    assert_int_equal(d.access, DT_ACCESS_ALLOW_AFTER_MFA);
    assert_int_equal(d.frequency, DT_FREQUENCY_ONCE_A_DAY);
    assert_int_equal(d.factors, DT_FACTOR_ALL);
    dt_policy_free(&p);
}

static void explain_names_the_condition(void **state)
{
    static struct {
        char const *name;
        dt_condition condition;
    } const want[] = {{"off", DT_CONDITION_INACTIVE},
                      {"second", DT_CONDITION_DEVICE},
                      {"third", DT_CONDITION_NONE},
                      {"rest", DT_CONDITION_NONE}};
    dt_policy *p = policy_of(ordered_text);
    dt_policy_input in = person();
    char const *name;
    (void)state;
    assert_int_equal(dt_policy_rule_count(p), COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_int_equal(dt_policy_explain_rule(p, i, &in, &name), want[i].condition);
        assert_string_equal(name, want[i].name);
    }
    assert_int_equal(dt_policy_explain_rule(p, COUNT(want), &in, &name), DT_CONDITION_INACTIVE);
    assert_string_equal(name, "");
    assert_int_equal(dt_policy_explain_rule(NULL, 0, &in, &name), DT_CONDITION_INACTIVE);
    assert_int_equal(dt_policy_explain_rule(p, 1, NULL, &name), DT_CONDITION_INACTIVE);
    dt_policy_free(&p);

    p = policy_with("{\"people\":{\"users\":{\"include\":[\"anna\"]}},"
                    "\"network\":{\"connection\":\"ZONE\",\"include\":[\"Office\"]},"
                    "\"platform\":{\"include\":[{\"type\":\"MOBILE\"}]},"
                    "\"device\":{\"trust\":\"TRUSTED\"}}");
    in.user = "ben";
    in.login = NULL;
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_PEOPLE);
    in.user = "anna";
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_NETWORK);
    assert_int_equal(dt_ip_parse("192.0.2.1", &in.ip), DT_OK);
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_PLATFORM);
    in.platform = DT_PLATFORM_IOS;
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_DEVICE);
    in.trust = DT_TRUST_TRUSTED;
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_NONE);
    dt_policy_free(&p);
}

static void without_a_policy_nobody_gets_in(void **state)
{
    dt_policy_input in = person();
    dt_decision d;
    (void)state;
    memset(&d, 0xff, sizeof(d));
    dt_policy_decide(NULL, &in, &d);
    assert_int_equal(d.access, DT_ACCESS_DENY);
    assert_int_equal(d.cause, DT_DECISION_NO_RULE);
    assert_string_equal(d.rule, "");
    assert_int_equal(d.factors, 0);
    dt_policy *p = policy_of(ordered_text);
    memset(&d, 0xff, sizeof(d));
    dt_policy_decide(p, NULL, &d);
    assert_int_equal(d.access, DT_ACCESS_DENY);
    dt_policy_free(&p);
    assert_string_equal(dt_policy_application(NULL), "");
    assert_int_equal(dt_policy_rule_count(NULL), 0);
}

/* --- actions ------------------------------------------------------------------------------------ */

static void frequencies_have_names_and_lengths(void **state)
{
    static struct {
        dt_frequency frequency;
        char const *name;
        dt_time lifetime;
    } const all[] = {
        {DT_FREQUENCY_EVERY_SIGN_ON, "EVERY_SIGN_ON", 0},
        {DT_FREQUENCY_ONCE_PER_SESSION, "ONCE_PER_SESSION", 0},
        {DT_FREQUENCY_ONCE_A_DAY, "ONCE_A_DAY", INT64_C(86400000)},
        {DT_FREQUENCY_ONCE_A_WEEK, "ONCE_A_WEEK", INT64_C(604800000)},
        {DT_FREQUENCY_ONCE_A_MONTH, "ONCE_A_MONTH", INT64_C(2592000000)},
        {DT_FREQUENCY_ONCE_PER_SIX_MONTHS, "ONCE_PER_SIX_MONTHS", INT64_C(15552000000)},
        {DT_FREQUENCY_ONLY_ONCE, "ONLY_ONCE", DT_TIME_NEVER},
        {DT_FREQUENCY_DURATION, "DURATION", 0},
        {DT_FREQUENCY_COUNT, "EVERY_SIGN_ON", 0},
    };
    (void)state;
    assert_int_equal(COUNT(all), DT_FREQUENCY_COUNT + 1);
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_string_equal(dt_frequency_name(all[i].frequency), all[i].name);
        assert_true(dt_frequency_lifetime(all[i].frequency) == all[i].lifetime);
    }
    assert_string_equal(dt_condition_name(DT_CONDITION_NONE), "none");
    assert_string_equal(dt_condition_name(DT_CONDITION_DEVICE), "device");
    assert_string_equal(dt_condition_name((dt_condition)99), "unknown");
}

static void durations_are_read_and_written(void **state)
{
    static struct {
        char const *text;
        int rc;
        dt_time length;
        char const *again;
    } const cases[] = {
        {"PT0S", DT_OK, 0, "PT0S"},
        {"P0D", DT_OK, 0, "PT0S"},
        {"PT1S", DT_OK, 1000, "PT1S"},
        {"PT8H", DT_OK, DT_HOURS(8), "PT8H"},
        {"PT90M", DT_OK, DT_MINUTES(90), "PT1H30M"},
        {"P1D", DT_OK, DT_DAYS(1), "P1D"},
        {"PT24H", DT_OK, DT_DAYS(1), "P1D"},
        {"P2W", DT_OK, DT_DAYS(14), "P14D"},
        {"P1M", DT_OK, DT_DAYS(30), "P30D"},
        {"PT1M", DT_OK, DT_MINUTES(1), "PT1M"},
        {"P1Y", DT_OK, DT_DAYS(365), "P365D"},
        {"P007D", DT_OK, DT_DAYS(7), "P7D"},
        {"P1Y2M3W4DT5H6M7S", DT_OK,
         DT_DAYS(365 + 60 + 21 + 4) + DT_HOURS(5) + DT_MINUTES(6) + DT_SECONDS(7), "P450DT5H6M7S"},
        {"P10Y", DT_OK, DT_FREQUENCY_MAX, "P3650D"},
        {"P3650D", DT_OK, DT_FREQUENCY_MAX, "P3650D"},
        {"P3650DT1S", DT_E_LIMIT, 0, NULL},
        {"P3651D", DT_E_LIMIT, 0, NULL},
        {"P11Y", DT_E_LIMIT, 0, NULL},
        {"P99999999999999999999999999999999999999Y", DT_E_LIMIT, 0, NULL},
        {"P9223372036854775807Y9223372036854775807M", DT_E_LIMIT, 0, NULL},
        {"PT18446744073709551617S", DT_E_LIMIT, 0, NULL},
        {"P1Y1M1X", DT_E_PARSE, 0, NULL},
        {"", DT_E_PARSE, 0, NULL},
        {"P", DT_E_PARSE, 0, NULL},
        {"T8H", DT_E_PARSE, 0, NULL},
        {"PT", DT_E_PARSE, 0, NULL},
        {"P1DT", DT_E_PARSE, 0, NULL},
        {"P1D1Y", DT_E_PARSE, 0, NULL},
        {"P1D1D", DT_E_PARSE, 0, NULL},
        {"PT1S1H", DT_E_PARSE, 0, NULL},
        {"P1H", DT_E_PARSE, 0, NULL},
        {"PT1Y", DT_E_PARSE, 0, NULL},
        {"PD", DT_E_PARSE, 0, NULL},
        {"P-1D", DT_E_PARSE, 0, NULL},
        {"P+1D", DT_E_PARSE, 0, NULL},
        {"P1.5D", DT_E_PARSE, 0, NULL},
        {"p1d", DT_E_PARSE, 0, NULL},
        {"P1D ", DT_E_PARSE, 0, NULL},
        {"P1DT1H1", DT_E_PARSE, 0, NULL},
        {"P1DTT1H", DT_E_PARSE, 0, NULL},
    };
    char text[DT_DURATION_TEXT_MAX];
    dt_time length = 7;
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (dt_iso_duration_parse(cases[i].text, &length) != cases[i].rc ||
            length != cases[i].length)
            fail_msg("%s: %lld", cases[i].text, (long long)length);
        if (cases[i].rc == DT_OK)
            assert_string_equal(dt_iso_duration_format(text, length), cases[i].again);
    }
    assert_int_equal(dt_iso_duration_parse(NULL, &length), DT_E_PARSE);
    assert_string_equal(dt_iso_duration_format(text, DT_TIME_NEVER), "P106751991167DT7H12M55S");
    assert_string_equal(dt_iso_duration_format(text, -1), "PT0S");
}

/* What rule "R" with these actions decides for everybody on an untrusted device. */
static dt_policy *policy_doing(char const *head, char const *actions)
{
    char text[4096];
    snprintf(text, sizeof(text),
             "{\"name\":\"x\",\"application\":\"x\",%s\"rules\":["
             "{\"name\":\"R\",\"priority\":1,\"status\":\"ACTIVE\","
             "\"conditions\":{\"device\":{\"trust\":\"NOT_TRUSTED\"}},\"actions\":{%s}},"
             "{\"name\":\"Rest\",\"priority\":2,\"status\":\"ACTIVE\",\"conditions\":{},"
             "\"actions\":{\"appSignOn\":{\"access\":\"DENY\",\"message\":\"Not here.\"},"
             "\"reply\":{\"attributes\":[{\"name\":\"Class\",\"value\":\"denied\"}]}}}]}",
             head, actions);
    return policy_of(text);
}

static void a_prompt_says_how_long_it_is_good(void **state)
{
    static struct {
        char const *prompt;
        dt_frequency frequency;
        dt_time lifetime;
        unsigned factors, by;
        char const *text;
    } const cases[] = {
        {"\"frequency\":\"EVERY_SIGN_ON\"", DT_FREQUENCY_EVERY_SIGN_ON, 0, DT_FACTOR_ALL, 0,
         "EVERY_SIGN_ON"},
        {"\"frequency\":\"PT0S\"", DT_FREQUENCY_EVERY_SIGN_ON, 0, DT_FACTOR_ALL, 0,
         "EVERY_SIGN_ON"},
        {"\"frequency\":\"ONCE_PER_SESSION\"", DT_FREQUENCY_ONCE_PER_SESSION, 0, DT_FACTOR_ALL, 0,
         "ONCE_PER_SESSION"},
        {"\"frequency\":\"ONCE_PER_SIX_MONTHS\"", DT_FREQUENCY_ONCE_PER_SIX_MONTHS, DT_DAYS(180),
         DT_FACTOR_ALL, 0, "ONCE_PER_SIX_MONTHS"},
        {"\"frequency\":\"ONLY_ONCE\",\"factors\":[\"push\"]", DT_FREQUENCY_ONLY_ONCE,
         DT_TIME_NEVER, DT_FACTOR_PUSH, 0, "ONLY_ONCE"},
        {"\"frequency\":\"PT8H\",\"remember\":{\"by\":[\"USER\"]}", DT_FREQUENCY_DURATION,
         DT_HOURS(8), DT_FACTOR_ALL, DT_REMEMBER_BY_USER, "PT8H"},
        {"\"remember\":{\"by\":[\"STATION\",\"CLIENT_IP\"]},\"frequency\":\"P1M\"",
         DT_FREQUENCY_DURATION, DT_DAYS(30), DT_FACTOR_ALL,
         DT_REMEMBER_BY_CLIENT_IP | DT_REMEMBER_BY_STATION, "P30D"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char actions[256], text[DT_DURATION_TEXT_MAX];
        dt_policy_input in = person();
        dt_decision d;
        dt_time now = 1700000000000;
        snprintf(actions, sizeof(actions),
                 "\"appSignOn\":{\"access\":\"ALLOW\",\"promptForFactor\":{%s}}", cases[i].prompt);
        dt_policy *p = policy_doing("", actions);
        dt_policy_decide(p, &in, &d);
        assert_int_equal(d.access, DT_ACCESS_ALLOW_AFTER_MFA);
        assert_int_equal(d.frequency, cases[i].frequency);
        assert_true(d.lifetime == cases[i].lifetime);
        assert_int_equal(d.factors, cases[i].factors);
        assert_int_equal(d.remember_by, cases[i].by);
        assert_string_equal(dt_decision_frequency_text(text, &d), cases[i].text);
        assert_true(dt_decision_expiry(&d, now) ==
                    (d.lifetime == DT_TIME_NEVER ? DT_TIME_NEVER : now + d.lifetime));
        assert_true(dt_decision_expiry(&d, DT_TIME_NEVER - 1) >= DT_TIME_NEVER - 1);
        assert_true(dt_decision_expiry(&d, -5) >= -5);
        d.access = DT_ACCESS_DENY;
        assert_true(dt_decision_expiry(&d, now) == now);
        dt_policy_free(&p);
    }
}

static void assert_attribute(dt_reply_attribute const *a, char const *name, char const *value)
{
    assert_string_equal(a->name, name);
    assert_string_equal(a->value, value);
}

static void the_rule_that_decided_has_its_reply(void **state)
{
    dt_policy_input in = person();
    dt_reply_attribute const *reply;
    dt_decision d;
    size_t count;
    char const *rule;
    dt_policy *p = policy_doing("", "\"appSignOn\":{\"access\":\"ALLOW\"},\"reply\":{"
                                    "\"attributes\":[{\"name\":\"Session-Timeout\",\"value\":3600},"
                                    "{\"name\":\"Filter-Id:1\",\"value\":\"%{User-Name} x\"}],"
                                    "\"vlan\":\"quarantine\"}");
    (void)state;
    dt_policy_decide(p, &in, &d);
    assert_int_equal(dt_policy_reply(p, &d, &reply, &count), DT_OK);
    assert_int_equal(count, 5);
    assert_attribute(&reply[0], "Tunnel-Type", "VLAN");
    assert_attribute(&reply[1], "Tunnel-Medium-Type", "IEEE-802");
    assert_attribute(&reply[2], "Tunnel-Private-Group-Id", "quarantine");
    assert_attribute(&reply[3], "Session-Timeout", "3600");
    assert_attribute(&reply[4], "Filter-Id:1", "%{User-Name} x");
    assert_string_equal(dt_policy_message(p, &d), "");
    in.trust = DT_TRUST_TRUSTED;
    dt_policy_decide(p, &in, &d);
    assert_int_equal(dt_policy_reply(p, &d, &reply, &count), DT_OK);
    assert_int_equal(count, 1);
    assert_attribute(&reply[0], "Class", "denied");
    assert_string_equal(dt_policy_message(p, &d), "Not here.");

    assert_ptr_equal(dt_policy_rule_reply(p, 1, &rule, &count), reply);
    assert_int_equal(count, 1);
    assert_string_equal(rule, "Rest");
    assert_non_null(dt_policy_rule_reply(p, 0, &rule, &count));
    assert_null(dt_policy_rule_reply(p, 2, &rule, &count));
    assert_int_equal(count, 0);
    assert_null(dt_policy_rule_reply(NULL, 0, &rule, &count));
    dt_policy_free(&p);
}

/* A reply could have put the person into a quarantine: where the policy is another one by now, "no
 * attributes" would be a wrong answer. */
static void another_policys_decision_has_no_reply(void **state)
{
    static char const hash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static char const other[] = "10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    dt_policy_input in = person();
    dt_reply_attribute const *reply;
    dt_decision d, changed;
    size_t count;
    dt_policy *p = policy_doing("", "\"appSignOn\":{\"access\":\"ALLOW\"},\"reply\":{\"vlan\":7}");
    (void)state;
    dt_policy_set_hash(p, hash);
    dt_policy_decide(p, &in, &d);
    assert_int_equal(dt_policy_reply(p, &d, &reply, &count), DT_OK);
    assert_int_equal(count, 3);
    assert_attribute(&reply[2], "Tunnel-Private-Group-Id", "7");

    assert_int_equal(dt_policy_reply(NULL, &d, &reply, &count), DT_E_STATE);
    changed = d;
    changed.rule_index = 1;
    assert_int_equal(dt_policy_reply(p, &changed, &reply, &count), DT_E_STATE);
    changed.rule_index = 99;
    assert_int_equal(dt_policy_reply(p, &changed, &reply, &count), DT_E_STATE);
    assert_int_equal(count, 0);
    assert_null(reply);
    dt_policy_set_hash(p, other);
    assert_int_equal(dt_policy_reply(p, &d, &reply, &count), DT_E_STATE);
    assert_string_equal(dt_policy_message(p, &d), "");

    memset(&d, 0, sizeof(d)); /* no rule decided: there is none to have a reply */
    assert_int_equal(dt_policy_reply(p, &d, &reply, &count), DT_OK);
    assert_int_equal(count, 0);
    dt_policy_free(&p);
}

static void applications_may_share_a_group(void **state)
{
    dt_policy *p = policy_doing("\"applicationGroup\":\"remote.access\",",
                                "\"appSignOn\":{\"access\":\"DENY\"}");
    (void)state;
    assert_string_equal(dt_policy_application_group(p), "remote.access");
    dt_policy_free(&p);
    p = policy_doing("", "\"appSignOn\":{\"access\":\"DENY\"}");
    assert_string_equal(dt_policy_application_group(p), "");
    dt_policy_free(&p);
    assert_string_equal(dt_policy_application_group(NULL), "");
}

/* --- random policies against a plain evaluator -------------------------------------------------- */

static char const *const people_words[] = {"anna", "ben", "carl", "anna@x", "ben@x", "zoe"};
static char const *const group_words[] = {"staff", "admins", "guests", "lab"};
static char const *const zone_words[] = {"Office", "Guests", "Lab"};
static char const *const ip_words[] = {NULL,       "192.0.2.5",   "192.0.2.210",
                                       "10.0.0.9", "2001:db8::5", "203.0.113.1"};
/* Which zones hold ip_words[i], bits in the order of zone_words: said by hand. */
static unsigned const ip_zones[] = {0, 1, 3, 4, 1, 0};

static struct {
    char const *text;
    unsigned bits;
} const platform_words[] = {
    {"{\"type\":\"DESKTOP\"}", 0x1f},
    {"{\"type\":\"MOBILE\"}", 0xe0},
    {"{\"type\":\"DESKTOP\",\"os\":{\"type\":\"LINUX\"}}", DT_PLATFORM_LINUX},
    {"{\"type\":\"ANY\",\"os\":{\"type\":\"IOS\"}}", DT_PLATFORM_IOS},
};

/* A rule as sets of bits, one per word above. */
typedef struct plain_rule {
    unsigned users_in, users_out, groups_in, groups_out;
    unsigned zones_in, zones_out;
    unsigned platforms_in, platforms_out;
    int trust;  /* 0 any, 1 trusted, 2 not trusted */
    int access; /* 0 deny, 1 allow, 2 allow after MFA */
    int priority;
    bool active, zone, all_zones;
} plain_rule;

typedef struct plain_input {
    unsigned user, login, groups; /* user and login: one bit; login 0 = none */
    bool groups_known;
    unsigned ip; /* index of ip_words */
    unsigned platform;
    int trust; /* 0 unknown, 1 not trusted, 2 trusted */
    bool unknown_denies;
} plain_input;

static unsigned random_state;

static unsigned random_below(unsigned n)
{
    return (unsigned)rand_r(&random_state) % n;
}

/* Often nothing, so that rules hold now and then. */
static unsigned random_set(unsigned words)
{
    return random_below(3) != 0 ? 0 : random_below(1u << words);
}

static void random_rule(plain_rule *r, int priority)
{
    memset(r, 0, sizeof(*r));
    r->active = random_below(5) != 0;
    r->users_in = random_set(COUNT(people_words));
    r->users_out = random_set(COUNT(people_words));
    r->groups_in = random_set(COUNT(group_words));
    r->groups_out = random_set(COUNT(group_words));
    r->zones_in = random_set(COUNT(zone_words));
    r->zones_out = random_set(COUNT(zone_words));
    r->all_zones = random_below(8) == 0;
    if (r->all_zones)
        r->zones_in = 7;
    r->zone = r->zones_in != 0 || r->zones_out != 0;
    r->platforms_in = random_set(COUNT(platform_words));
    r->platforms_out = random_below(4) == 0 ? 1u << (2 + random_below(2)) : 0;
    if ((r->platforms_in == 4 || r->platforms_in == 8) && r->platforms_out == r->platforms_in)
        r->platforms_out = 0;
    if (r->platforms_in == 12)
        r->platforms_out = 0;
    r->trust = 1 + (int)random_below(2); /* a rule that always holds may only be the last */
    r->access = (int)random_below(3);
    r->priority = priority;
}

static void put_words(dt_buf *b, char const *name, char const *const *words, unsigned count,
                      unsigned set)
{
    bool first = true;
    dt_buf_printf(b, "\"%s\":[", name);
    for (unsigned i = 0; i < count; i++) {
        if ((set >> i & 1) == 0)
            continue;
        dt_buf_printf(b, "%s\"%s\"", first ? "" : ",", words[i]);
        first = false;
    }
    dt_buf_puts(b, "]");
}

static void put_platforms(dt_buf *b, char const *name, unsigned set)
{
    bool first = true;
    dt_buf_printf(b, "\"%s\":[", name);
    for (unsigned i = 0; i < COUNT(platform_words); i++) {
        if ((set >> i & 1) == 0)
            continue;
        dt_buf_printf(b, "%s%s", first ? "" : ",", platform_words[i].text);
        first = false;
    }
    dt_buf_puts(b, "]");
}

static void put_conditions(dt_buf *b, plain_rule const *r)
{
    static char const *const trusts[] = {"ANY", "TRUSTED", "NOT_TRUSTED"};
    dt_buf_puts(b, "{\"people\":{\"users\":{");
    put_words(b, "include", people_words, COUNT(people_words), r->users_in);
    dt_buf_puts(b, ",");
    put_words(b, "exclude", people_words, COUNT(people_words), r->users_out);
    dt_buf_puts(b, "},\"groups\":{");
    put_words(b, "include", group_words, COUNT(group_words), r->groups_in);
    dt_buf_puts(b, ",");
    put_words(b, "exclude", group_words, COUNT(group_words), r->groups_out);
    dt_buf_printf(b, "}},\"network\":{\"connection\":\"%s\",", r->zone ? "ZONE" : "ANYWHERE");
    if (r->all_zones)
        dt_buf_puts(b, "\"include\":[\"ALL_ZONES\"]");
    else
        put_words(b, "include", zone_words, COUNT(zone_words), r->zones_in);
    dt_buf_puts(b, ",");
    put_words(b, "exclude", zone_words, COUNT(zone_words), r->zones_out);
    dt_buf_puts(b, "},\"platform\":{");
    put_platforms(b, "include", r->platforms_in);
    dt_buf_puts(b, ",");
    put_platforms(b, "exclude", r->platforms_out);
    dt_buf_printf(b, "},\"device\":{\"trust\":\"%s\"}}", trusts[r->trust]);
}

static void put_rule(dt_buf *b, plain_rule const *r)
{
    static char const *const actions[] = {
        "\"access\":\"DENY\"", "\"access\":\"ALLOW\"",
        "\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"ONCE_A_DAY\"}"};
    dt_buf_printf(b, "{\"name\":\"r%d\",\"priority\":%d,\"status\":\"%s\",\"conditions\":",
                  r->priority, r->priority, r->active ? "ACTIVE" : "INACTIVE");
    if (r->trust == 0)
        dt_buf_puts(b, "null");
    else
        put_conditions(b, r);
    dt_buf_printf(b, ",\"actions\":{\"appSignOn\":{%s}}}", actions[r->access]);
}

/* Rules in a random order of the file, the catch-all somewhere among them. */
static dt_policy *random_policy(plain_rule rules[RANDOM_RULES + 1], size_t *count)
{
    static char storage[TEXT_MAX_LEN];
    size_t order[RANDOM_RULES + 1] = {0};
    dt_buf b;
    size_t n = random_below(RANDOM_RULES + 1);
    for (size_t i = 0; i < n; i++)
        random_rule(&rules[i], (int)(i * 3 + random_below(3)));
    rules[n] = (plain_rule){.active = true, .access = (int)random_below(3), .priority = 900};
    *count = n + 1;
    for (size_t i = 0; i <= n; i++) {
        size_t j = random_below((unsigned)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_puts(&b, "{\"name\":\"x\",\"application\":\"x\",\"rules\":[");
    for (size_t i = 0; i <= n; i++) {
        dt_buf_puts(&b, i == 0 ? "" : ",");
        put_rule(&b, &rules[order[i]]);
    }
    dt_buf_puts(&b, "]}");
    assert_int_equal(dt_buf_error(&b), DT_OK);
    return policy_of(storage);
}

static unsigned platform_set(unsigned set)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < COUNT(platform_words); i++)
        if (set >> i & 1)
            bits |= platform_words[i].bits;
    return bits;
}

/* All but people. */
static bool plain_rest_holds(plain_rule const *r, plain_input const *in)
{
    if (r->trust == 1 && in->trust != 2)
        return false;
    if (r->trust == 2 && in->trust == 2)
        return false;
    if (r->zone) {
        if (ip_words[in->ip] == NULL || (ip_zones[in->ip] & r->zones_out) != 0)
            return false;
        if (r->zones_in != 0 && (ip_zones[in->ip] & r->zones_in) == 0)
            return false;
    }
    if (r->platforms_in == 0 && r->platforms_out == 0)
        return true;
    unsigned included = r->platforms_in == 0 ? 0xff : platform_set(r->platforms_in);
    unsigned left = included & ~platform_set(r->platforms_out);
    return left == 0xff || (left & in->platform) != 0;
}

/* 0 no, 1 yes, 2 nobody can tell. Tries every answer the groups could give, where unknown. */
static int plain_people_hold(plain_rule const *r, plain_input const *in)
{
    unsigned me = in->user | in->login;
    bool may_be[2] = {false, false};
    unsigned from = in->groups_known ? in->groups : 0;
    unsigned to = in->groups_known ? in->groups : (1u << COUNT(group_words)) - 1;
    for (unsigned groups = from; groups <= to; groups++) {
        bool in_lists = (r->users_in & me) != 0 || (r->groups_in & groups) != 0 ||
                        (r->users_in == 0 && r->groups_in == 0);
        bool out_lists = (r->users_out & me) != 0 || (r->groups_out & groups) != 0;
        may_be[in_lists && !out_lists] = true;
    }
    /* That all groups of include are in exclude as well is not looked through. */
    if (!in->groups_known && r->groups_in != 0 && (r->users_out & me) == 0)
        may_be[1] = true;
    return may_be[0] && may_be[1] ? 2 : may_be[1];
}

static void plain_decide(plain_rule const *rules, size_t n, plain_input const *in, dt_decision *out)
{
    static dt_access const accesses[] = {DT_ACCESS_DENY, DT_ACCESS_ALLOW,
                                         DT_ACCESS_ALLOW_AFTER_MFA};
    memset(out, 0, sizeof(*out));
    if (in->trust == 0 && in->unknown_denies) {
        out->cause = DT_DECISION_UNKNOWN_DEVICE;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        int people = plain_people_hold(&rules[i], in);
        if (!rules[i].active || !plain_rest_holds(&rules[i], in) || people == 0)
            continue;
        if (people == 2) {
            out->cause = DT_DECISION_UNKNOWN_GROUPS;
            return;
        }
        out->cause = DT_DECISION_RULE;
        out->access = accesses[rules[i].access];
        out->priority = rules[i].priority;
        snprintf(out->rule, sizeof(out->rule), "r%d", rules[i].priority);
        return;
    }
}

static void random_input(plain_input *in)
{
    in->user = 1u << random_below(3);
    in->login = random_below(2) ? 1u << (3 + random_below(2)) : 0;
    in->groups = random_below(1u << COUNT(group_words));
    in->groups_known = random_below(4) != 0;
    in->ip = random_below(COUNT(ip_words));
    in->platform = random_below(9) == 0 ? 0 : 1u << random_below(8);
    in->trust = (int)random_below(3);
    in->unknown_denies = random_below(2);
}

static char const *word_of(char const *const *words, unsigned bit)
{
    return bit == 0 ? NULL : words[__builtin_ctz(bit)];
}

/* The same input as the policy wants it, with names in another case now and then. */
static void as_policy_input(plain_input const *in, char const **groups, dt_policy_input *out)
{
    static char const *const shouted[] = {"STAFF", "Admins", "guestS", "lab"};
    memset(out, 0, sizeof(*out));
    out->user = word_of(people_words, in->user);
    out->login = word_of(people_words, in->login);
    out->groups = groups;
    for (unsigned i = 0; i < COUNT(group_words); i++)
        if (in->groups >> i & 1)
            groups[out->group_count++] = random_below(2) ? group_words[i] : shouted[i];
    out->group_knowledge = in->groups_known ? DT_GROUPS_KNOWN : DT_GROUPS_UNKNOWN;
    if (ip_words[in->ip] != NULL)
        assert_int_equal(dt_ip_parse(ip_words[in->ip], &out->ip), DT_OK);
    out->platform = (dt_platform)in->platform;
    out->trust = (dt_trust)in->trust;
    out->unknown_as = in->unknown_denies ? DT_UNKNOWN_DENY : DT_UNKNOWN_NOT_TRUSTED;
}

/* Every rule in front of the one that decided says which condition failed; that one says none. */
static void check_explain(dt_policy const *p, dt_policy_input const *in, dt_decision const *d)
{
    for (size_t i = 0; i < dt_policy_rule_count(p); i++) {
        char const *name;
        dt_condition c = dt_policy_explain_rule(p, i, in, &name);
        if (d->cause == DT_DECISION_RULE && strcmp(name, d->rule) == 0) {
            assert_int_equal(c, DT_CONDITION_NONE);
            return;
        }
        if (d->cause == DT_DECISION_RULE)
            assert_int_not_equal(c, DT_CONDITION_NONE);
    }
    assert_int_not_equal(d->cause, DT_DECISION_RULE);
}

static void random_policies_agree_with_a_plain_evaluator(void **state)
{
    size_t seen[4] = {0};
    size_t by_rule = 0;
    (void)state;
    random_state = RANDOM_SEED;
    for (int i = 0; i < RANDOM_POLICIES; i++) {
        plain_rule rules[RANDOM_RULES + 1] = {{0}};
        size_t n;
        dt_policy *p = random_policy(rules, &n);
        for (int k = 0; k < RANDOM_INPUTS; k++) {
            char const *groups[COUNT(group_words)];
            plain_input plain;
            dt_policy_input in;
            dt_decision want, got;
            random_input(&plain);
            as_policy_input(&plain, groups, &in);
            plain_decide(rules, n, &plain, &want);
            dt_policy_decide(p, &in, &got);
            assert_int_equal(got.cause, want.cause);
            assert_int_equal(got.access, want.access);
            assert_int_equal(got.priority, want.priority);
            assert_string_equal(got.rule, want.rule);
            check_explain(p, &in, &got);
            seen[got.cause]++;
            by_rule += got.cause == DT_DECISION_RULE && got.priority != 900;
        }
        dt_policy_free(&p);
    }
    assert_int_equal(seen[DT_DECISION_NO_RULE], 0); /* there is a catch-all */
    assert_true(seen[DT_DECISION_UNKNOWN_DEVICE] > 1000);
    assert_true(seen[DT_DECISION_UNKNOWN_GROUPS] > 1000);
    assert_true(by_rule > 5000);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(users_match_by_name_or_login),
        cmocka_unit_test(other_letters_have_one_case),
        cmocka_unit_test(nobody_is_let_in_without_a_name),
        cmocka_unit_test(a_missing_login_is_nobodys),
        cmocka_unit_test(groups_match),
        cmocka_unit_test(unknown_groups_deny_where_they_matter),
        cmocka_unit_test(too_many_groups_are_unknown),
        cmocka_unit_test(a_policy_says_which_groups_it_names),
        cmocka_unit_test(zones_match),
        cmocka_unit_test(anywhere_is_anywhere),
        cmocka_unit_test(platforms_match),
        cmocka_unit_test(any_platform_is_also_an_unknown_one),
        cmocka_unit_test(trust_matches),
        cmocka_unit_test(an_unknown_device_is_denied_before_any_rule),
        cmocka_unit_test(the_first_by_priority_decides),
        cmocka_unit_test(explain_names_the_condition),
        cmocka_unit_test(without_a_policy_nobody_gets_in),
        cmocka_unit_test(frequencies_have_names_and_lengths),
        cmocka_unit_test(durations_are_read_and_written),
        cmocka_unit_test(a_prompt_says_how_long_it_is_good),
        cmocka_unit_test(the_rule_that_decided_has_its_reply),
        cmocka_unit_test(another_policys_decision_has_no_reply),
        cmocka_unit_test(applications_may_share_a_group),
        cmocka_unit_test(random_policies_agree_with_a_plain_evaluator),
    };
    return cmocka_run_group_tests_name("policy", tests, zones_setup, zones_teardown);
}
