/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of cases: what is refused, what fails, what passes. Texts are written with ' for ". */
#include "core/policy_cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_MAX 16384

static char const policy_text[] =
    "{'name':'x','application':'vpn','rules':["
    "{'name':'Office','priority':1,'status':'ACTIVE','conditions':{'network':{'connection':'ZONE',"
    "'include':['Office']},'device':{'trust':'TRUSTED'}},'actions':{'appSignOn':{'access':'ALLOW'}}"
    "},"
    "{'name':'Staff','priority':2,'status':'ACTIVE','conditions':{'people':{'groups':{'include':"
    "['Staff']}}},'actions':{'appSignOn':{'access':'ALLOW','promptForFactor':{'frequency':'PT24H',"
    "'factors':['push']}}}},"
    "{'name':'Last','priority':9,'status':'ACTIVE','conditions':null,'actions':{'appSignOn':"
    "{'access':'DENY'}}}]}";
static char const zones_text[] = "{'zones':[{'name':'Office','type':'IP','status':'ACTIVE',"
                                 "'gateways':[{'type':'CIDR','value':'192.0.2.0/24'}]}]}";

static dt_json *tree_of(char const *text)
{
    char *copy = strdup(text);
    dt_json *tree = NULL;
    dt_error e = {0};

    for (char *p = copy; *p != '\0'; p++)
        if (*p == '\'')
            *p = '"';
    if (dt_json_parse(dt_bytes_str(copy), &tree, &e) != DT_OK)
        fail_msg("%s in %s", e.text, copy);
    free(copy);
    return tree;
}

static dt_zones *zones;
static dt_policy *policy;

static int set_up(void **state)
{
    dt_json *tree = tree_of(zones_text);
    dt_error e = {0};
    (void)state;

    assert_int_equal(dt_zones_parse(tree, "zones", &zones, &e), DT_OK);
    dt_json_free(&tree);
    tree = tree_of(policy_text);
    assert_int_equal(dt_policy_parse(tree, "policy", zones, &policy, &e), DT_OK);
    dt_json_free(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dt_policy_free(&policy);
    dt_zones_free(&zones);
    return 0;
}

/* "member expected/got; ..." */
static void collect(void *ctx, dt_case_result const *r)
{
    char *out = ctx;

    for (size_t i = 0; i < r->wrong_count; i++) {
        size_t len = strlen(out);
        snprintf(out + len, TEXT_MAX - len, "%s %s/%s; ", r->wrong[i].member, r->wrong[i].expected,
                 r->wrong[i].got);
    }
}

static int run(char const *cases, char *got, size_t *failed, dt_error *e)
{
    char text[TEXT_MAX];
    dt_json *tree;
    int rc;

    snprintf(text, sizeof(text), "{'policy':'vpn.json','cases':[%s]}", cases);
    tree = tree_of(text);
    rc = dt_cases_run(tree, "vpn.cases.json", policy, collect, got, failed, e);
    dt_json_free(&tree);
    return rc;
}

static struct {
    char const *cases, *says;
} const bad[] = {
    {"", "#/cases: must have at least 1"},
    {"7", "#/cases/0: must be an object"},
    {"{'name':'a','user':'u','device':'TRUSTED'}", "\"expect\" is missing"},
    {"{'name':'a','user':'u','expect':{'access':'DENY'}}", "\"device\" is missing"},
    {"{'name':'a','device':'TRUSTED','expect':{'access':'DENY'}}", "\"user\" is missing"},
    {"{'user':'u','device':'TRUSTED','expect':{'access':'DENY'}}", "\"name\" is missing"},
    {"{'name':'a','user':'u','device':'trusted','expect':{'access':'DENY'}}",
     "/device: must be one"},
    {"{'name':'a','user':'u','device':'ANY','expect':{'access':'DENY'}}", "/device: must be one"},
    {"{'name':'a','user':'','device':'TRUSTED','expect':{'access':'DENY'}}", "/user: must have"},
    {"{'name':'a','user':'u','device':'TRUSTED','expect':{}}", "\"access\" is missing"},
    {"{'name':'a','user':'u','device':'TRUSTED','expect':{'access':'MFA'}}",
     "/access: must be one"},
    {"{'name':'a','user':'u','device':'TRUSTED','expect':{'access':'DENY','wait':1}}", "\"wait\""},
    {"{'name':'a','user':'u','device':'TRUSTED','color':'red','expect':{'access':'DENY'}}",
     "\"color\""},
    {"{'name':'a','user':'u','device':'TRUSTED','ip':'here','expect':{'access':'DENY'}}",
     "/ip: is no IP address"},
    {"{'name':'a','user':'u','device':'TRUSTED','platform':'IOS','expect':{'access':'DENY'}}",
     "/platform: must be one"},
    {"{'name':'a','user':'u','device':'TRUSTED','groups':'Staff','expect':{'access':'DENY'}}",
     "/groups: must be an array"},
    {"{'name':'a','user':'u','device':'TRUSTED','groups':[1],'expect':{'access':'DENY'}}",
     "/groups/0: must be a string"},
    {"{'name':'a','user':'u','device':'TRUSTED','expect':{'access':'ALLOW_AFTER_MFA',"
     "'frequency':'often'}}",
     "/expect/frequency: is neither"},
    {"{'name':'a','user':'u','device':'TRUSTED','expect':{'access':'ALLOW_AFTER_MFA',"
     "'factors':['sms!']}}",
     "/expect/factors/0: no factor"},
    {"{'name':'a','user':'u','device':'TRUSTED','expect':{'access':'ALLOW_AFTER_MFA','factors':[]}"
     "}",
     "/expect/factors: must have"},
    {"{'name':'a','user':'u','device':'TRUSTED','expect':{'access':'ALLOW','frequency':'PT1H'}}",
     "/expect: frequency and factors go with"},
};

static void bad_cases_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char got[TEXT_MAX] = "";
        size_t failed = 0;
        dt_error e = {0};
        if (run(bad[i].cases, got, &failed, &e) != DT_E_INVALID ||
            strstr(e.text, bad[i].says) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].cases, e.text, bad[i].says);
    }
}

static void bad_heads_are_refused(void **state)
{
    static char const *const heads[] = {"[]",
                                        "{'cases':[1]}",
                                        "{'policy':7,'cases':[1]}",
                                        "{'policy':'a','cases':{}}",
                                        "{'policy':'a'}",
                                        "{'policy':'a','cases':[1],'more':1}"};
    (void)state;

    for (size_t i = 0; i < COUNT(heads); i++) {
        dt_json *tree = tree_of(heads[i]);
        dt_cases_head head;
        dt_error e = {0};
        assert_int_equal(dt_cases_head_read(tree, "f", &head, &e), DT_E_INVALID);
        assert_true(strncmp(e.text, "f#", 2) == 0);
        dt_json_free(&tree);
    }
}

#define CASE(who, expect) "{'name':'c','user':'u'," who ",'expect':" expect "}"

static struct {
    char const *one, *wrong;
} const cases[] = {
    /* fail */
    {CASE("'device':'TRUSTED','ip':'192.0.2.1'", "{'access':'DENY'}"), "access DENY/ALLOW; "},
    {CASE("'device':'TRUSTED','ip':'192.0.2.1'", "{'access':'ALLOW_AFTER_MFA'}"),
     "access ALLOW_AFTER_MFA/ALLOW; "},
    {CASE("'device':'TRUSTED'", "{'access':'ALLOW'}"), "access ALLOW/DENY; "},
    {CASE("'device':'TRUSTED','ip':'192.0.2.1'", "{'access':'ALLOW','rule':'Staff'}"),
     "rule Staff/Office; "},
    {CASE("'device':'NOT_TRUSTED','groups':['staff']",
          "{'access':'ALLOW_AFTER_MFA','frequency':'EVERY_SIGN_ON'}"),
     "frequency EVERY_SIGN_ON/P1D; "},
    {CASE("'device':'NOT_TRUSTED','groups':['staff']",
          "{'access':'ALLOW_AFTER_MFA','frequency':'PT23H'}"),
     "frequency PT23H/P1D; "},
    {CASE("'device':'NOT_TRUSTED','groups':['staff']",
          "{'access':'ALLOW_AFTER_MFA','factors':['push','token:software:totp']}"),
     "factors push, token:software:totp/push; "},
    {CASE("'device':'NOT_TRUSTED'",
          "{'access':'ALLOW_AFTER_MFA','frequency':'PT24H','factors':['push']}"),
     "access ALLOW_AFTER_MFA/DENY; frequency PT24H/none; factors push/none; "},
    {CASE("'device':'UNKNOWN','groups':['staff']", "{'access':'ALLOW_AFTER_MFA','rule':'Staff'}"),
     "access ALLOW_AFTER_MFA/DENY; rule Staff/none; "},
    {CASE("'device':'NOT_TRUSTED','groups':null", "{'access':'ALLOW_AFTER_MFA'}"),
     "access ALLOW_AFTER_MFA/DENY; "},
    /* pass */
    {CASE("'device':'TRUSTED','ip':'192.0.2.1'", "{'access':'ALLOW','rule':'Office'}"), ""},
    {CASE("'device':'NOT_TRUSTED','groups':['staff']",
          "{'access':'ALLOW_AFTER_MFA','frequency':'ONCE_A_DAY','factors':['push']}"),
     ""},
    {CASE("'device':'NOT_TRUSTED','groups':['x','Staff'],'platform':'ios','login':'u@x'",
          "{'access':'ALLOW_AFTER_MFA','frequency':'P1D','rule':'Staff'}"),
     ""},
    {CASE("'device':'NOT_TRUSTED'", "{'access':'DENY','rule':'Last'}"), ""},
    {CASE("'device':'UNKNOWN','unknownDeviceAs':'not_trusted','groups':['staff']",
          "{'access':'ALLOW_AFTER_MFA'}"),
     ""},
    {CASE("'device':'UNKNOWN','unknownDeviceAs':'deny','groups':['staff']", "{'access':'DENY'}"),
     ""},
    {CASE("'device':'NOT_TRUSTED','groups':null", "{'access':'DENY'}"), ""},
};

static void cases_come_out(void **state)
{
    char all[TEXT_MAX] = "";
    size_t expected_failures = 0, failed = 0;
    char got[TEXT_MAX] = "";
    dt_error e = {0};
    (void)state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        got[0] = '\0';
        assert_int_equal(run(cases[i].one, got, &failed, &e), DT_OK);
        if (strcmp(got, cases[i].wrong) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].one, got, cases[i].wrong);
        assert_int_equal(failed, cases[i].wrong[0] != '\0');
        expected_failures += failed;
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i > 0 ? "," : "",
                 cases[i].one);
    }
    got[0] = '\0';
    assert_int_equal(run(all, got, &failed, &e), DT_OK);
    assert_int_equal(failed, expected_failures);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(bad_cases_are_refused),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(cases_come_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
