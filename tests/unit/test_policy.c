/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Deciding by a policy: each condition at its edges, what is not known, the order of rules, and
 * random policies against an evaluator that is written plainly. */
#include "core/policy/policy.h"
#include "core/base/time_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TEXT_MAX_LEN (64 * 1024)
#define RANDOM_SEED 20261123u
#define RANDOM_POLICIES 10000 /* times RANDOM_INPUTS: a million decisions */
#define RANDOM_INPUTS 100
#define EXPLAIN_EVERY 16
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
        {"\"include\":[\"an*\"]", true},
        {"\"include\":[\"AN*\"]", true},
        {"\"include\":[\"anna*\"]", true},
        {"\"include\":[\"*n*n*a\"]", true},
        {"\"include\":[\"*@EXAMPLE.com\"]", true},
        {"\"include\":[\"a??a\"]", true},
        {"\"include\":[\"a???a\"]", false},
        {"\"include\":[\"anna?\"]", false},
        {"\"include\":[\"nn*\"]", false},
        {"\"include\":[\"*nn\"]", false},
        {"\"include\":[\"*@example.org\"]", false},
        {"\"include\":[\"ben\",\"an*\"]", true},
        {"\"exclude\":[\"an*\"]", false},
        {"\"exclude\":[\"*@example.com\"]", false},
        {"\"exclude\":[\"*z*\"]", true},
        {"\"include\":[\"an*\"],\"exclude\":[\"anna\"]", false},
        {"\"include\":[\"anna\"],\"exclude\":[\"a*\"]", false},
        {"\"include\":[\"ben\"]", false},
        {"\"exclude\":[\"anna\"]", false},
        {"\"exclude\":[\"aNNa\"]", false},
        {"\"exclude\":[\"anna@example.com\"]", false},
        {"\"exclude\":[\"ben\"]", true},
        {"\"include\":[\"anna\"],\"exclude\":[\"anna\"]", false},
        {"\"include\":[\"anna\"],\"exclude\":[\"ANNA@EXAMPLE.COM\"]", false},
        {"\"include\":[\"anna\"],\"exclude\":[\"ben\"]", true},
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

/* "?" is one character, not one byte. */
static void a_mark_stands_for_one_character(void **state)
{
    dt_policy_input in = person();
    (void)state;
    in.user = "j\xc3\xb6rg";
    in.login = NULL;
    assert_true(holds("{\"people\":{\"users\":{\"include\":[\"j?rg\"]}}}", &in));
    assert_true(holds("{\"people\":{\"users\":{\"include\":[\"????\"]}}}", &in));
    assert_true(holds("{\"people\":{\"users\":{\"include\":[\"*?rg\"]}}}", &in));
    assert_false(holds("{\"people\":{\"users\":{\"include\":[\"j??rg\"]}}}", &in));
    assert_false(holds("{\"people\":{\"users\":{\"include\":[\"?????\"]}}}", &in));
    in.user = "j\xf0\x9f\x98\x80"; /* of four bytes */
    assert_true(holds("{\"people\":{\"users\":{\"include\":[\"j?\"]}}}", &in));
    in.user = "j\xc3"; /* cut short */
    assert_true(holds("{\"people\":{\"users\":{\"include\":[\"j?\"]}}}", &in));
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
    static char const *const mine[] = {"Staff", "developers",
                                       "\x1f"
                                       "00gA1"};
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
        {"\"groups\":{\"include\":[{\"id\":\"00gA1\"}]}", true},
        {"\"groups\":{\"include\":[{\"id\":\"00gA1\",\"name\":\"Whatever\"}]}", true},
        {"\"groups\":{\"include\":[{\"id\":\"00ga1\",\"name\":\"Staff\"}]}", false},
        {"\"groups\":{\"include\":[{\"id\":\"00gB2\",\"name\":\"Staff\"}]}", false},
        {"\"groups\":{\"include\":[\"00gA1\"]}", false},
        {"\"groups\":{\"include\":[\"?00gA1\"]}", false},
        {"\"groups\":{\"exclude\":[{\"id\":\"00gA1\",\"name\":\"Whatever\"}]}", false},
        {"\"groups\":{\"exclude\":[{\"id\":\"00gB2\",\"name\":\"Staff\"}]}", true},
        {"\"groups\":{\"include\":[\"staff\"],\"exclude\":[{\"id\":\"00gA1\"}]}", false},
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
        assert_int_equal(dt_ip_parse("203.0.113.1", &in.ip), DT_OK);
        in.platform = DT_PLATFORM_LINUX;
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
        {"\"connection\":\"ZONE\",\"exclude\":[\"Office\"]", NULL, true},
        {"\"connection\":\"ZONE\",\"include\":[\"Office\"]", NULL, false},
        {"\"connection\":\"ZONE\",\"include\":[\"ALL_ZONES\"]", "10.0.0.1", true},
        {"\"connection\":\"ZONE\",\"include\":[\"ALL_ZONES\"]", "203.0.113.1", false},
        {"\"connection\":\"ZONE\",\"include\":[\"ALL_ZONES\"]", "198.51.100.1", false},
        {"\"connection\":\"ZONE\",\"include\":[\"ALL_ZONES\"]", NULL, false},
        {"\"connection\":\"ZONE\",\"exclude\":[\"ALL_ZONES\"]", "10.0.0.1", false},
        {"\"connection\":\"ZONE\",\"exclude\":[\"ALL_ZONES\"]", "198.51.100.1", true},
        {"\"connection\":\"ZONE\",\"exclude\":[\"ALL_ZONES\"]", NULL, true},
        {"\"connection\":\"ZONE\",\"include\":[\"Lab\"],\"exclude\":[\"ALL_ZONES\"]", "10.0.0.1",
         false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[512];
        dt_policy_input in = person();
        in.address = DT_ADDRESS_LOCAL;
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
    assert_true(holds("{\"network\":{\"connection\":\"ANYWHERE\",\"exclude\":[]},"
                      "\"device\":{\"trust\":\"NOT_TRUSTED\"}}",
                      &in));
}

/* --- platform ---------------------------------------------------------------------------------- */

static void platforms_match(void **state)
{
    static struct {
        char const *platform;
        unsigned is_valid_for; /* dt_platform bits */
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
         DT_PLATFORM_OTHER_DESKTOP | DT_PLATFORM_LINUX},
        {"\"include\":[{\"type\":\"DESKTOP\",\"os\":{\"type\":\"OTHER\"}}],"
         "\"exclude\":[{\"type\":\"DESKTOP\",\"os\":{\"type\":\"LINUX\"}}]",
         DT_PLATFORM_OTHER_DESKTOP},
        {"\"include\":[{\"type\":\"MOBILE\",\"os\":{\"type\":\"OTHER\"}}]",
         DT_PLATFORM_OTHER_MOBILE},
        {"\"include\":[{\"type\":\"ANY\",\"os\":{\"type\":\"OTHER\"}}]",
         DT_PLATFORM_OTHER_DESKTOP | DT_PLATFORM_OTHER_MOBILE | DT_PLATFORM_LINUX},
        {"\"include\":[{\"type\":\"MOBILE\"},{\"type\":\"DESKTOP\",\"os\":{\"type\":\"LINUX\"}}],"
         "\"exclude\":[{\"type\":\"MOBILE\",\"os\":{\"type\":\"ANDROID\"}}]",
         DT_PLATFORM_LINUX | DT_PLATFORM_IOS | DT_PLATFORM_OTHER_MOBILE},
        {"\"exclude\":[{\"type\":\"ANY\",\"os\":{\"type\":\"WINDOWS\"}}]", 0xfe},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (unsigned bit = 1; bit <= 0x80; bit <<= 1) {
            char text[512];
            dt_policy_input in = person();
            in.platform = (dt_platform)bit;
            snprintf(text, sizeof(text), "{\"platform\":{%s}}", cases[i].platform);
            if (holds(text, &in) != ((cases[i].is_valid_for & bit) != 0))
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
    assert_int_equal(d.factors, DT_FACTOR_TOTPS);

    in.user = "zoe";
    in.login = "zoe@example.com";
    dt_policy_decide(p, &in, &d);
    assert_string_equal(d.rule, "rest");
    assert_int_equal(d.access, DT_ACCESS_ALLOW_AFTER_MFA);
    assert_int_equal(d.frequency, DT_FREQUENCY_ONCE_A_DAY);
    assert_int_equal(d.factors, DT_FACTOR_POSSESSION);
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
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_DEVICE);
    in.trust = DT_TRUST_TRUSTED;
    in.platform = DT_PLATFORM_LINUX;
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_PLATFORM);
    in.platform = DT_PLATFORM_IOS;
    in.address = DT_ADDRESS_LOCAL;
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_NETWORK);
    assert_int_equal(dt_ip_parse("192.0.2.1", &in.ip), DT_OK);
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_PEOPLE);
    in.user = "anna";
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_NONE);
    assert_false(dt_policy_rule_is_unknown(p, 0, &in));
    in.platform = DT_PLATFORM_UNKNOWN;
    assert_int_equal(dt_policy_explain_rule(p, 0, &in, &name), DT_CONDITION_PLATFORM);
    assert_true(dt_policy_rule_is_unknown(p, 0, &in));
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
        {"\"frequency\":\"EVERY_SIGN_ON\"", DT_FREQUENCY_EVERY_SIGN_ON, 0, DT_FACTOR_POSSESSION, 0,
         "EVERY_SIGN_ON"},
        {"\"frequency\":\"PT0S\"", DT_FREQUENCY_EVERY_SIGN_ON, 0, DT_FACTOR_POSSESSION, 0,
         "EVERY_SIGN_ON"},
        {"\"frequency\":\"ONCE_PER_SESSION\"", DT_FREQUENCY_ONCE_PER_SESSION, 0,
         DT_FACTOR_POSSESSION, 0, "ONCE_PER_SESSION"},
        {"\"frequency\":\"ONCE_PER_SIX_MONTHS\"", DT_FREQUENCY_ONCE_PER_SIX_MONTHS, DT_DAYS(180),
         DT_FACTOR_POSSESSION, 0, "ONCE_PER_SIX_MONTHS"},
        {"\"frequency\":\"ONLY_ONCE\",\"factors\":[\"push\"]", DT_FREQUENCY_ONLY_ONCE,
         DT_TIME_NEVER, DT_FACTOR_PUSH, 0, "ONLY_ONCE"},
        {"\"frequency\":\"PT8H\",\"remember\":{\"by\":[\"USER\"]}", DT_FREQUENCY_DURATION,
         DT_HOURS(8), DT_FACTOR_POSSESSION, DT_REMEMBER_BY_USER, "PT8H"},
        {"\"remember\":{\"by\":[\"STATION\",\"CLIENT_IP\"]},\"frequency\":\"P1M\"",
         DT_FREQUENCY_DURATION, DT_DAYS(30), DT_FACTOR_POSSESSION,
         DT_REMEMBER_BY_CLIENT_IP | DT_REMEMBER_BY_STATION, "P30D"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char actions[256], text[DT_DURATION_TEXT_MAX];
        dt_policy_input in = person();
        dt_decision d;
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

/* --- what is not known -------------------------------------------------------------------------- */

/* `rule` and a catch-all that lets in. */
static dt_policy *policy_before_allow(char const *conditions, char const *actions)
{
    char text[TEXT_MAX_LEN];
    snprintf(text, sizeof(text),
             "{\"name\":\"x\",\"application\":\"x\",\"rules\":["
             "{\"name\":\"R\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":%s,"
             "\"actions\":%s},"
             "{\"name\":\"Rest\",\"priority\":2,\"status\":\"ACTIVE\",\"conditions\":{},"
             "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}}]}",
             conditions, actions);
    return policy_of(text);
}

/* A rule of which nobody can say whether it holds refuses, unless it would only let in. */
static void what_is_not_known_never_lets_in(void **state)
{
    static struct {
        char const *conditions;
        dt_decision_cause cause;
    } const unknown[] = {
        {"{\"network\":{\"connection\":\"ZONE\",\"include\":[\"Office\"]}}",
         DT_DECISION_UNKNOWN_NETWORK},
        {"{\"network\":{\"connection\":\"ZONE\",\"exclude\":[\"Office\"]}}",
         DT_DECISION_UNKNOWN_NETWORK},
        {"{\"platform\":{\"include\":[{\"type\":\"MOBILE\"}]}}", DT_DECISION_UNKNOWN_PLATFORM},
        {"{\"platform\":{\"exclude\":[{\"type\":\"MOBILE\"}]}}", DT_DECISION_UNKNOWN_PLATFORM},
        {"{\"time\":{\"zone\":\"UTC\",\"include\":[{\"from\":\"08:00\"}]}}",
         DT_DECISION_UNKNOWN_TIME},
        {"{\"time\":{\"zone\":\"LOCAL\",\"exclude\":[{\"days\":[\"SUNDAY\"]}]}}",
         DT_DECISION_UNKNOWN_TIME},
        {"{\"people\":{\"groups\":{\"include\":[\"staff\"]}}}", DT_DECISION_UNKNOWN_GROUPS},
        {"{\"people\":{\"groups\":{\"include\":[\"st*\"]}}}", DT_DECISION_UNKNOWN_GROUPS},
        {"{\"people\":{\"groups\":{\"exclude\":[\"st*\"]}}}", DT_DECISION_UNKNOWN_GROUPS},
        {"{\"device\":{\"trust\":\"NOT_TRUSTED\",\"reasons\":[\"NOT_COMPLIANT\"]}}",
         DT_DECISION_UNKNOWN_DEVICE},
    };
    static char const *const refusing[] = {
        "{\"appSignOn\":{\"access\":\"DENY\"}}",
        "{\"appSignOn\":{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"PT1H\"}}}",
        "{\"appSignOn\":{\"access\":\"ALLOW\"},\"reply\":{\"vlan\":7}}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(unknown); i++) {
        dt_policy_input in = {.user = "anna", .trust = DT_TRUST_UNKNOWN};
        dt_decision d;
        in.unknown_as = DT_UNKNOWN_NOT_TRUSTED;
        for (size_t k = 0; k < COUNT(refusing); k++) {
            dt_policy *p = policy_before_allow(unknown[i].conditions, refusing[k]);
            dt_policy_decide(p, &in, &d);
            if (d.access != DT_ACCESS_DENY || d.cause != unknown[i].cause || d.unknown == 0)
                fail_msg("%s %s: %d", unknown[i].conditions, refusing[k], d.cause);
            dt_policy_free(&p);
        }
        dt_policy *p = policy_with(unknown[i].conditions);
        dt_policy_decide(p, &in, &d);
        assert_int_equal(d.access, DT_ACCESS_DENY);
        assert_int_equal(d.cause, unknown[i].cause);
        dt_policy_free(&p);
        p = policy_before_allow(unknown[i].conditions, "{\"appSignOn\":{\"access\":\"ALLOW\"}}");
        dt_policy_decide(p, &in, &d);
        assert_int_equal(d.access, DT_ACCESS_ALLOW);
        assert_string_equal(d.rule, "Rest");
        dt_policy_free(&p);
    }
}

/* A BLOCKLIST zone of which nobody can tell refuses, whatever is known of the zones behind it. */
static void an_unknown_blocklist_among_many_refuses(void **state)
{
    static char text[TEXT_MAX_LEN];
    dt_zones *before = zones, *many = NULL;
    dt_json *tree = NULL;
    dt_error e = {0};
    dt_buf b;
    (void)state;
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_puts(&b, "{\"zones\":[{\"name\":\"Bad\",\"type\":\"DYNAMIC\",\"status\":\"ACTIVE\","
                    "\"usage\":\"BLOCKLIST\",\"asns\":[64500]}");
    for (int i = 0; i < 199; i++)
        dt_buf_printf(&b,
                      ",{\"name\":\"z%d\",\"type\":\"IP\",\"status\":\"ACTIVE\","
                      "\"gateways\":[\"10.0.%d.0/24\"]}",
                      i, i);
    dt_buf_puts(&b, "]}");
    assert_int_equal(dt_buf_error(&b), DT_OK);
    assert_int_equal(dt_json_parse(dt_bytes_str(text), &tree, &e), DT_OK);
    assert_int_equal(dt_zones_parse(tree, "zones.json", &many, &e), DT_OK);
    dt_json_free(&tree);
    zones = many;
    dt_policy *p = policy_before_allow("{\"device\":{\"trust\":\"TRUSTED\"}}",
                                       "{\"appSignOn\":{\"access\":\"ALLOW\"}}");
    dt_policy_input in = person();
    dt_decision d;
    assert_int_equal(dt_ip_parse("203.0.113.1", &in.ip), DT_OK);
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.access, DT_ACCESS_DENY);
    assert_int_equal(d.cause, DT_DECISION_UNKNOWN_NETWORK);
    assert_int_equal(dt_ip_parse("10.0.7.1", &in.ip), DT_OK); /* private: announced by nobody */
    dt_policy_decide(p, &in, &d);
    assert_int_equal(d.access, DT_ACCESS_ALLOW);
    dt_policy_free(&p);
    zones = before;
    dt_zones_free(&many);
}

static void reasons_match(void **state)
{
    static char const both[] = "{\"device\":{\"trust\":\"NOT_TRUSTED\","
                               "\"reasons\":[\"NOT_COMPLIANT\",\"NOT_ENROLLED\"]}}";
    dt_policy_input in = person();
    (void)state;
    in.reason = DT_REASON_NOT_COMPLIANT;
    assert_true(holds(both, &in));
    in.reason = DT_REASON_NOT_ENROLLED;
    assert_true(holds(both, &in));
    in.reason = DT_REASON_CERTIFICATE_REVOKED;
    assert_false(holds(both, &in));
    in.trust = DT_TRUST_TRUSTED;
    in.reason = DT_REASON_STALE;
    assert_false(holds(both, &in));
    assert_true(holds("{\"device\":{\"trust\":\"TRUSTED\",\"reasons\":[\"STALE\"]}}", &in));
    assert_false(holds("{\"device\":{\"trust\":\"TRUSTED\",\"reasons\":[\"TRUSTED\"]}}", &in));
    in.reason = DT_REASON_TRUSTED;
    assert_true(holds("{\"device\":{\"trust\":\"TRUSTED\",\"reasons\":[\"TRUSTED\"]}}", &in));
    assert_false(holds("{\"device\":{\"trust\":\"TRUSTED\",\"reasons\":[\"STALE\"]}}", &in));
}

/* Each edge to the minute; 2026-11-23 is a Monday. */
static void times_match(void **state)
{
    static dt_time const monday = INT64_C(1795392000000);
    static struct {
        char const *time;
        int day, hour, minute, offset;
        bool holds;
    } const cases[] = {
        {"\"UTC\",\"include\":[{\"from\":\"08:00\",\"to\":\"18:00\"}]", 0, 7, 59, 0, false},
        {"\"UTC\",\"include\":[{\"from\":\"08:00\",\"to\":\"18:00\"}]", 0, 8, 0, 0, true},
        {"\"UTC\",\"include\":[{\"from\":\"08:00\",\"to\":\"18:00\"}]", 6, 17, 59, 0, true},
        {"\"UTC\",\"include\":[{\"from\":\"08:00\",\"to\":\"18:00\"}]", 6, 18, 0, 0, false},
        {"\"UTC\",\"include\":[{\"from\":\"22:00\",\"to\":\"24:00\"}]", 0, 23, 59, 0, true},
        {"\"UTC\",\"include\":[{\"days\":[\"MONDAY\"]}]", 0, 0, 0, 0, true},
        {"\"UTC\",\"include\":[{\"days\":[\"MONDAY\"]}]", 6, 23, 59, 0, false},
        {"\"UTC\",\"include\":[{\"days\":[\"MONDAY\"]}]", 1, 0, 0, 0, false},
        /* over midnight: of the day it begins on; from Sunday into Monday */
        {"\"UTC\",\"include\":[{\"days\":[\"SUNDAY\"],\"from\":\"22:00\",\"to\":\"06:00\"}]", 6, 21,
         59, 0, false},
        {"\"UTC\",\"include\":[{\"days\":[\"SUNDAY\"],\"from\":\"22:00\",\"to\":\"06:00\"}]", 6, 22,
         0, 0, true},
        {"\"UTC\",\"include\":[{\"days\":[\"SUNDAY\"],\"from\":\"22:00\",\"to\":\"06:00\"}]", 0, 5,
         59, 0, true},
        {"\"UTC\",\"include\":[{\"days\":[\"SUNDAY\"],\"from\":\"22:00\",\"to\":\"06:00\"}]", 0, 6,
         0, 0, false},
        {"\"UTC\",\"include\":[{\"days\":[\"SUNDAY\"],\"from\":\"22:00\",\"to\":\"06:00\"}]", 6, 5,
         0, 0, false},
        {"\"UTC\",\"exclude\":[{\"days\":[\"MONDAY\"]}]", 0, 12, 0, 0, false},
        {"\"UTC\",\"exclude\":[{\"days\":[\"MONDAY\"]}]", 1, 12, 0, 0, true},
        {"\"UTC\",\"include\":[{\"from\":\"08:00\"}],\"exclude\":[{\"from\":\"12:00\"}]", 0, 12, 0,
         0, false},
        {"\"UTC\",\"include\":[{\"from\":\"08:00\"}],\"exclude\":[{\"from\":\"12:00\"}]", 0, 11, 59,
         0, true},
        /* local time */
        {"\"LOCAL\",\"include\":[{\"days\":[\"MONDAY\"]}]", 0, 22, 59, 60, true},
        {"\"LOCAL\",\"include\":[{\"days\":[\"MONDAY\"]}]", 0, 23, 0, 60, false},
        {"\"LOCAL\",\"include\":[{\"days\":[\"MONDAY\"]}]", 6, 23, 30, 60, true},
        {"\"LOCAL\",\"include\":[{\"days\":[\"MONDAY\"]}]", 1, 2, 0, -180, true},
        {"\"UTC\",\"include\":[{\"days\":[\"MONDAY\"]}]", 0, 23, 0, 60, true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[512];
        dt_policy_input in = person();
        in.now =
            monday + DT_DAYS(cases[i].day) + DT_HOURS(cases[i].hour) + DT_MINUTES(cases[i].minute);
        in.utc_offset = cases[i].offset;
        in.utc_offset_known = true;
        snprintf(text, sizeof(text), "{\"time\":{\"zone\":%s}}", cases[i].time);
        if (holds(text, &in) != cases[i].holds)
            fail_msg("%s on day %d at %d:%d", cases[i].time, cases[i].day, cases[i].hour,
                     cases[i].minute);
    }
}

/* --- random policies against a plain evaluator -------------------------------------------------- */

/* The first five are people, the others patterns. */
static char const *const people_words[] = {"anna", "ben", "carl", "anna@x", "ben@x",
                                           "zoe",  "*n*", "?e?",  "*@X"};
/* Whom people_words[i] means, bits in the order of the first five: said by hand. */
static unsigned const people_meant[] = {1, 2, 4, 8, 16, 0, 1 | 2 | 8 | 16, 2, 8 | 16};
static char const *const group_words[] = {"staff", "admins", "guests", "lab", "*S", "?ab", "*f*"};
static unsigned const group_meant[] = {1, 2, 4, 8, 2 | 4, 8, 1};
#define GROUPS_REAL 4
/* The last one only in the second set of zones, where Abroad is looked up in the database below. */
static char const *const zone_words[] = {"Office", "Guests", "Lab", "Abroad"};
static char const *const ip_words[] = {NULL,          "192.0.2.5",   "192.0.2.210", "10.0.0.9",
                                       "2001:db8::5", "203.0.113.1", "203.0.113.2", "203.0.113.66"};
/* Which zones hold ip_words[i], bits in the order of zone_words, and of which nobody can tell: said by
 * hand. The last address is in a BLOCKLIST zone of the second set. */
static unsigned const ip_zones[] = {0, 1, 3, 4, 1, 8, 0, 0};
static unsigned const ip_zones_unknown[] = {0, 0, 8, 0, 8, 0, 0, 8};

struct dt_geo {
    int unused;
};

/* The database of these tests: 203.0.113.1 is in Germany, 203.0.113.2 and 192.0.2.5 in France; of the
 * others it knows nothing. */
unsigned dt_geo_kinds(dt_geo const *g)
{
    return g == NULL ? 0 : DT_GEO_COUNTRY;
}

void dt_geo_lookup(dt_geo const *g, dt_ip const *ip, dt_geo_place *out)
{
    uint8_t const *v4 = ip->octets + 12;
    bool german = v4[0] == 203 && v4[3] == 1;
    memset(out, 0, sizeof(*out));
    if (g == NULL || !(german || (v4[0] == 203 && v4[3] == 2) || (v4[0] == 192 && v4[3] == 5)))
        return;
    out->known = DT_GEO_COUNTRY;
    memcpy(out->country, german ? "DE" : "FR", 3);
}

/* Spans of time, and whether a day (0 = Sunday) and minute lie in them: said by hand. */
static char const *const span_words[] = {
    "{\"from\":\"08:00\",\"to\":\"18:00\"}", "{\"days\":[\"SATURDAY\",\"SUNDAY\"]}",
    "{\"days\":[\"SUNDAY\",\"WEDNESDAY\"],\"from\":\"22:00\",\"to\":\"06:00\"}"};

static unsigned spans_at(int day, int minute)
{
    bool late = minute >= 22 * 60, early = minute < 6 * 60;
    return (minute >= 8 * 60 && minute < 18 * 60 ? 1u : 0) | (day == 6 || day == 0 ? 2u : 0) |
           (((day == 0 || day == 3) && late) || ((day == 1 || day == 4) && early) ? 4u : 0);
}

static struct {
    char const *name;
    dt_reason reason;
} const reason_words[] = {{"NOT_COMPLIANT", DT_REASON_NOT_COMPLIANT},
                          {"NOT_ENROLLED", DT_REASON_NOT_ENROLLED},
                          {"STALE", DT_REASON_STALE},
                          {"TRUSTED", DT_REASON_TRUSTED}};

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
    unsigned spans_in, spans_out;
    unsigned reasons; /* bits of reason_words; 0 = any */
    int trust;        /* 0 any, 1 trusted, 2 not trusted */
    int access;       /* 0 deny, 1 allow, 2 allow after MFA, 3 allow with a reply */
    int priority;
    bool active, zone, all_zones, utc, catch_all;
} plain_rule;

typedef struct plain_input {
    unsigned user, login, groups; /* user and login: one bit; login 0 = none */
    bool groups_known;
    unsigned ip; /* index of ip_words */
    unsigned platform;
    int trust;  /* 0 unknown, 1 not trusted, 2 trusted */
    int reason; /* index of reason_words; -1 = none */
    bool unknown_denies;
    int address; /* without an address: 0 not known, 1 none, 2 at this host */
    dt_time now; /* 0 = not known */
    int offset;
    bool offset_known;
} plain_input;

static unsigned random_state;
static bool more_zones; /* the second set is in use */

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
    r->zones_in = random_set(more_zones ? 4 : 3);
    r->zones_out = random_set(more_zones ? 4 : 3);
    r->all_zones = random_below(8) == 0;
    if (r->all_zones)
        r->zones_in = more_zones ? 15 : 7;
    r->zone = r->zones_in != 0 || r->zones_out != 0;
    r->spans_in = random_set(COUNT(span_words));
    r->spans_out = random_below(3) == 0 ? random_set(COUNT(span_words)) : 0;
    r->utc = random_below(2);
    r->platforms_in = random_set(COUNT(platform_words));
    r->platforms_out = random_below(4) == 0 ? 1u << (2 + random_below(2)) : 0;
    if ((r->platforms_in == 4 || r->platforms_in == 8) && r->platforms_out == r->platforms_in)
        r->platforms_out = 0;
    if (r->platforms_in == 12)
        r->platforms_out = 0;
    r->trust = (int)random_below(3);
    if (r->trust != 0 && random_below(3) == 0)
        r->reasons = 1 + random_below(3); /* NOT_COMPLIANT, NOT_ENROLLED */
    if (r->trust == 1 && r->reasons != 0)
        r->reasons <<= 2; /* STALE, TRUSTED */
    r->access = (int)random_below(4);
    r->priority = priority;
}

static void put_words(dt_buf *b, char const *name, char const *const *words, unsigned count,
                      unsigned set)
{
    bool first = true;
    if (set == 0)
        return;
    dt_buf_printf(b, "%s\"%s\":[", b->p[b->len - 1] == '{' ? "" : ",", name);
    for (unsigned i = 0; i < count; i++) {
        char const *quote = words[i][0] == '{' ? "" : "\"";
        if ((set >> i & 1) == 0)
            continue;
        dt_buf_printf(b, "%s%s%s%s", first ? "" : ",", quote, words[i], quote);
        first = false;
    }
    dt_buf_puts(b, "]");
}

static void put_platforms(dt_buf *b, char const *name, unsigned set)
{
    char const *texts[COUNT(platform_words)];
    for (unsigned i = 0; i < COUNT(platform_words); i++)
        texts[i] = platform_words[i].text;
    put_words(b, name, texts, COUNT(platform_words), set);
}

static void put_device(dt_buf *b, plain_rule const *r)
{
    static char const *const trusts[] = {"ANY", "TRUSTED", "NOT_TRUSTED"};
    char const *names[COUNT(reason_words)];
    for (unsigned i = 0; i < COUNT(reason_words); i++)
        names[i] = reason_words[i].name;
    dt_buf_printf(b, "\"device\":{\"trust\":\"%s\"", trusts[r->trust]);
    put_words(b, "reasons", names, COUNT(reason_words), r->reasons);
    dt_buf_puts(b, "}");
}

static void put_conditions(dt_buf *b, plain_rule const *r)
{
    dt_buf_puts(b, "{\"people\":{\"users\":{");
    put_words(b, "include", people_words, COUNT(people_words), r->users_in);
    put_words(b, "exclude", people_words, COUNT(people_words), r->users_out);
    dt_buf_puts(b, "},\"groups\":{");
    put_words(b, "include", group_words, COUNT(group_words), r->groups_in);
    put_words(b, "exclude", group_words, COUNT(group_words), r->groups_out);
    dt_buf_printf(b, "}},\"network\":{\"connection\":\"%s\"", r->zone ? "ZONE" : "ANYWHERE");
    if (r->all_zones)
        dt_buf_puts(b, ",\"include\":[\"ALL_ZONES\"]");
    else
        put_words(b, "include", zone_words, COUNT(zone_words), r->zones_in);
    put_words(b, "exclude", zone_words, COUNT(zone_words), r->zones_out);
    dt_buf_puts(b, "},\"platform\":{");
    put_platforms(b, "include", r->platforms_in);
    put_platforms(b, "exclude", r->platforms_out);
    dt_buf_puts(b, "},");
    if (r->spans_in != 0 || r->spans_out != 0) {
        dt_buf_printf(b, "\"time\":{\"zone\":\"%s\"", r->utc ? "UTC" : "LOCAL");
        put_words(b, "include", span_words, COUNT(span_words), r->spans_in);
        put_words(b, "exclude", span_words, COUNT(span_words), r->spans_out);
        dt_buf_puts(b, "},");
    }
    put_device(b, r);
    dt_buf_puts(b, "}");
}

static void put_rule(dt_buf *b, plain_rule const *r)
{
    static char const *const actions[] = {
        "\"access\":\"DENY\"}", "\"access\":\"ALLOW\"}",
        "\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"ONCE_A_DAY\"}}",
        "\"access\":\"ALLOW\"},\"reply\":{\"vlan\":7}"};
    dt_buf_printf(b, "{\"name\":\"r%d\",\"priority\":%d,\"status\":\"%s\",\"conditions\":",
                  r->priority, r->priority, r->active ? "ACTIVE" : "INACTIVE");
    if (r->catch_all)
        dt_buf_puts(b, "null");
    else
        put_conditions(b, r);
    dt_buf_printf(b, ",\"actions\":{\"appSignOn\":{%s}}", actions[r->access]);
}

static unsigned platform_set(unsigned set)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < COUNT(platform_words); i++)
        if (set >> i & 1)
            bits |= platform_words[i].bits;
    return bits;
}

static unsigned platforms_left(plain_rule const *r)
{
    unsigned included = r->platforms_in == 0 ? 0xff : platform_set(r->platforms_in);
    return included & ~platform_set(r->platforms_out);
}

static bool always_holds(plain_rule const *r)
{
    return r->users_in + r->users_out + r->groups_in + r->groups_out == 0 && !r->zone &&
           platforms_left(r) == 0xff && r->trust == 0 && r->spans_in + r->spans_out == 0;
}

/* Rules in a random order of the file, the catch-all somewhere among them. */
static dt_policy *random_policy(plain_rule rules[RANDOM_RULES + 1], size_t *count)
{
    static char storage[TEXT_MAX_LEN];
    size_t order[RANDOM_RULES + 1] = {0};
    dt_buf b;
    size_t n = random_below(RANDOM_RULES + 1);
    for (size_t i = 0; i < n; i++)
        do
            random_rule(&rules[i], (int)(i * 3 + random_below(3)));
        while (always_holds(&rules[i])); /* such a one may only be the last */
    rules[n] = (plain_rule){
        .active = true, .catch_all = true, .access = (int)random_below(4), .priority = 900};
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

enum { NO, YES, MAYBE };

/* Each condition by itself: does it hold? */
static int plain_device(plain_rule const *r, plain_input const *in)
{
    bool trusted = in->trust == 2;
    if (r->trust != 0 && (r->trust == 1) != trusted)
        return NO;
    if (r->reasons == 0)
        return YES;
    if (in->trust == 0 || (!trusted && in->reason < 0))
        return MAYBE;
    return (r->reasons >> (in->reason < 0 ? 3 : in->reason) & 1) != 0 ? YES : NO;
}

static int plain_platform(plain_rule const *r, plain_input const *in)
{
    unsigned left = platforms_left(r);
    if (left == 0xff)
        return YES;
    if (in->platform == 0)
        return MAYBE;
    return (left & in->platform) != 0 ? YES : NO;
}

static int plain_time(plain_rule const *r, plain_input const *in)
{
    if (r->spans_in == 0 && r->spans_out == 0)
        return YES;
    if (in->now == 0 || (!r->utc && !in->offset_known))
        return MAYBE;
    time_t seconds = (time_t)(in->now / 1000) + (r->utc ? 0 : in->offset * 60);
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    unsigned at = spans_at(tm.tm_wday, tm.tm_hour * 60 + tm.tm_min);
    if ((at & r->spans_out) != 0)
        return NO;
    return r->spans_in == 0 || (at & r->spans_in) != 0 ? YES : NO;
}

/* Tries every answer that the zones could give of which nobody can tell. */
static int plain_network(plain_rule const *r, plain_input const *in)
{
    bool may_be[2] = {false, false};
    if (!r->zone)
        return YES;
    if (ip_words[in->ip] == NULL && in->address != 2)
        return MAYBE;
    for (unsigned guess = 0; guess < 16; guess++) {
        unsigned there = ip_zones[in->ip];
        if ((guess & ~ip_zones_unknown[in->ip]) != 0)
            continue;
        there |= guess;
        may_be[(r->zones_in == 0 || (there & r->zones_in) != 0) && (there & r->zones_out) == 0] =
            true;
    }
    /* That a zone is in both lists is not looked through. */
    if ((ip_zones[in->ip] & r->zones_out) == 0 &&
        (ip_zones_unknown[in->ip] & r->zones_in & r->zones_out) != 0)
        may_be[1] = true;
    return may_be[0] && may_be[1] ? MAYBE : may_be[1] ? YES : NO;
}

static unsigned meant(unsigned const *of, size_t count, unsigned set)
{
    unsigned who = 0;
    for (size_t i = 0; i < count; i++)
        if (set >> i & 1)
            who |= of[i];
    return who;
}

/* Tries every answer that the groups could give, where they are not known. */
static int plain_people(plain_rule const *r, plain_input const *in)
{
    unsigned me = in->user | in->login;
    bool named = (meant(people_meant, COUNT(people_words), r->users_in) & me) != 0;
    bool barred = (meant(people_meant, COUNT(people_words), r->users_out) & me) != 0;
    unsigned groups_in = meant(group_meant, COUNT(group_words), r->groups_in);
    unsigned groups_out = meant(group_meant, COUNT(group_words), r->groups_out);
    bool may_be[2] = {false, false};
    for (unsigned groups = 0; groups < 1u << GROUPS_REAL; groups++) {
        if (in->groups_known && groups != in->groups)
            continue;
        bool in_lists =
            named || (groups_in & groups) != 0 || (r->users_in == 0 && r->groups_in == 0);
        may_be[in_lists && !barred && (groups_out & groups) == 0] = true;
    }
    /* That all groups of include are in exclude as well is not looked through. */
    if (!in->groups_known && r->groups_in != 0 && !barred)
        may_be[1] = true;
    return may_be[0] && may_be[1] ? MAYBE : may_be[1] ? YES : NO;
}

static int plain_rule_holds(plain_rule const *r, plain_input const *in, dt_decision_cause *unknown)
{
    struct {
        int holds;
        dt_decision_cause unknown;
    } const all[] = {{plain_device(r, in), DT_DECISION_UNKNOWN_DEVICE},
                     {plain_platform(r, in), DT_DECISION_UNKNOWN_PLATFORM},
                     {plain_time(r, in), DT_DECISION_UNKNOWN_TIME},
                     {plain_network(r, in), DT_DECISION_UNKNOWN_NETWORK},
                     {plain_people(r, in), DT_DECISION_UNKNOWN_GROUPS}};
    int holds = YES;
    for (size_t i = 0; i < COUNT(all); i++) {
        if (all[i].holds == NO)
            return NO;
        if (all[i].holds == MAYBE && holds == YES) {
            holds = MAYBE;
            *unknown = all[i].unknown;
        }
    }
    return holds;
}

static bool plain_refuses_first(plain_input const *in, dt_decision *out)
{
    if (more_zones && ip_words[in->ip] == NULL && in->address == 0)
        out->cause = DT_DECISION_UNKNOWN_NETWORK;
    else if (more_zones && in->ip == COUNT(ip_words) - 1)
        out->cause = DT_DECISION_BLOCKED_ZONE;
    else if (in->trust == 0 && in->unknown_denies)
        out->cause = DT_DECISION_UNKNOWN_DEVICE;
    return out->cause != DT_DECISION_NO_RULE;
}

static void plain_decide(plain_rule const *rules, size_t n, plain_input const *in, dt_decision *out)
{
    static dt_access const accesses[] = {DT_ACCESS_DENY, DT_ACCESS_ALLOW, DT_ACCESS_ALLOW_AFTER_MFA,
                                         DT_ACCESS_ALLOW};
    dt_decision_cause passed = DT_DECISION_NO_RULE;
    memset(out, 0, sizeof(*out));
    if (plain_refuses_first(in, out))
        return;
    for (size_t i = 0; i < n; i++) {
        dt_decision_cause unknown = DT_DECISION_NO_RULE;
        int holds = rules[i].active ? plain_rule_holds(&rules[i], in, &unknown) : NO;
        if (holds == MAYBE && passed == DT_DECISION_NO_RULE)
            passed = unknown;
        if (holds == NO || (holds == MAYBE && rules[i].access == 1))
            continue;
        if (holds == MAYBE || (rules[i].access == 0 && passed != DT_DECISION_NO_RULE)) {
            out->cause = passed;
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
    in->groups = random_below(1u << GROUPS_REAL);
    in->groups_known = random_below(4) != 0;
    in->ip = random_below(COUNT(ip_words));
    in->platform = random_below(9) == 0 ? 0 : 1u << random_below(8);
    in->trust = (int)random_below(3);
    in->unknown_denies = random_below(2);
    /* Of a device that is not known there may be a reason, too: why it is not. */
    in->reason = in->trust == 2 ? 1 + (int)random_below(3) : (int)random_below(3) - 1;
    if (in->trust == 2 && in->reason == 1)
        in->reason = -1;
    in->address = (int)random_below(3);
    in->now = random_below(5) == 0 ? 0 : DT_MINUTES(30000000 + (int64_t)random_below(1000000));
    in->offset = (int)random_below(2 * DT_UTC_OFFSET_MAX) - DT_UTC_OFFSET_MAX;
    in->offset_known = random_below(5) != 0;
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
    for (unsigned i = 0; i < GROUPS_REAL; i++)
        if (in->groups >> i & 1)
            groups[out->group_count++] = random_below(2) ? group_words[i] : shouted[i];
    out->group_knowledge = in->groups_known ? DT_GROUPS_KNOWN : DT_GROUPS_UNKNOWN;
    if (ip_words[in->ip] != NULL)
        assert_int_equal(dt_ip_parse(ip_words[in->ip], &out->ip), DT_OK);
    out->platform = (dt_platform)in->platform;
    out->trust = (dt_trust)in->trust;
    out->reason = in->reason < 0 ? DT_REASON_NONE : reason_words[in->reason].reason;
    out->address = (dt_address)in->address;
    out->now = in->now;
    out->utc_offset = in->offset;
    out->utc_offset_known = in->offset_known;
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

static char const more_zones_text[] =
    "{\"name\":\"Abroad\",\"type\":\"DYNAMIC\",\"status\":\"ACTIVE\","
    "\"locations\":[{\"country\":\"DE\"}]},"
    "{\"name\":\"Bad\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"usage\":\"BLOCKLIST\",\"gateways\":["
    "{\"type\":\"CIDR\",\"value\":\"203.0.113.64/26\"}]}]}";

static dt_zones *more_zones_make(dt_geo const *geo)
{
    char text[2 * sizeof(zones_text) + sizeof(more_zones_text)];
    dt_json *tree = NULL;
    dt_zones *made = NULL;
    dt_error e = {0};
    snprintf(text, sizeof(text), "%.*s,%s", (int)strlen(zones_text) - 2, zones_text,
             more_zones_text);
    if (dt_json_parse(dt_bytes_str(text), &tree, &e) != DT_OK ||
        dt_zones_parse(tree, "zones.json", &made, &e) != DT_OK ||
        dt_zones_set_geo(made, geo, "zones.json", &e) != DT_OK)
        fail_msg("%s", e.text);
    dt_json_free(&tree);
    return made;
}

/* One policy against many inputs; counts the causes that it saw. */
static void random_policy_agrees(size_t seen[DT_DECISION_CAUSE_COUNT], size_t *by_rule)
{
    plain_rule rules[RANDOM_RULES + 1] = {{0}};
    size_t n;
    dt_policy *p = random_policy(rules, &n);
    for (int k = 0; k < RANDOM_INPUTS; k++) {
        char const *groups[GROUPS_REAL];
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
        if (k % EXPLAIN_EVERY == 0)
            check_explain(p, &in, &got);
        seen[got.cause]++;
        *by_rule += got.cause == DT_DECISION_RULE && got.priority != 900;
    }
    dt_policy_free(&p);
}

static void random_policies_agree_with_a_plain_evaluator(void **state)
{
    struct dt_geo geo = {0};
    size_t seen[DT_DECISION_CAUSE_COUNT] = {0}, by_rule = 0;
    dt_zones *first = zones, *second = more_zones_make(&geo);
    (void)state;
    random_state = RANDOM_SEED;
    print_message("seed %u, %d policies, %d sign-ons each\n", RANDOM_SEED, RANDOM_POLICIES,
                  RANDOM_INPUTS);
    for (int i = 0; i < RANDOM_POLICIES; i++) {
        more_zones = random_below(2);
        zones = more_zones ? second : first;
        random_policy_agrees(seen, &by_rule);
    }
    zones = first;
    dt_zones_free(&second);
    assert_int_equal(seen[DT_DECISION_NO_RULE], 0); /* there is a catch-all */
    for (int c = DT_DECISION_RULE; c < DT_DECISION_CAUSE_COUNT; c++)
        if (seen[c] < 1000)
            fail_msg("%s was seen %zu times only", dt_decision_cause_name((dt_decision_cause)c),
                     seen[c]);
    assert_true(by_rule > 100000);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(users_match_by_name_or_login),
        cmocka_unit_test(other_letters_have_one_case),
        cmocka_unit_test(a_mark_stands_for_one_character),
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
        cmocka_unit_test(what_is_not_known_never_lets_in),
        cmocka_unit_test(an_unknown_blocklist_among_many_refuses),
        cmocka_unit_test(reasons_match),
        cmocka_unit_test(times_match),
        cmocka_unit_test(random_policies_agree_with_a_plain_evaluator),
    };
    return cmocka_run_group_tests_name("policy", tests, zones_setup, zones_teardown);
}
