/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of cases: what is refused, what fails, what passes. Texts are written with ' for ". */
#include "devtrustctl/policy/policy_cases.h"

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
    "{'name':'Late','priority':3,'status':'ACTIVE','conditions':{'people':{'users':{'include':"
    "['late']}},'time':{'zone':'LOCAL','include':[{'days':['MONDAY'],'from':'22:00','to':'23:00'}]}"
    "},"
    "'actions':{'appSignOn':{'access':'ALLOW','promptForFactor':{'frequency':'EVERY_SIGN_ON'}}}},"
    "{'name':'Late UTC','priority':4,'status':'ACTIVE','conditions':{'people':{'users':{'include':"
    "['late']}},'time':{'zone':'UTC','include':[{'days':['TUESDAY']}]}},"
    "'actions':{'appSignOn':{'access':'ALLOW'}}},"
    "{'name':'Ill','priority':5,'status':'ACTIVE','conditions':{'people':{'users':{'include':"
    "['ill']}},'device':{'trust':'NOT_TRUSTED','reasons':['NOT_COMPLIANT']}},"
    "'actions':{'appSignOn':{'access':'ALLOW','promptForFactor':{'frequency':'PT1H'}}}},"
    "{'name':'Grace','priority':6,'status':'ACTIVE','conditions':{'people':{'users':{'include':"
    "['ill']}},'device':{'trust':'TRUSTED','reasons':['IN_GRACE_PERIOD']}},"
    "'actions':{'appSignOn':{'access':'ALLOW'}}},"
    "{'name':'Home','priority':7,'status':'ACTIVE','conditions':{'people':{'users':{'include':"
    "['far']}},'network':{'connection':'ZONE','include':['Home']}},"
    "'actions':{'appSignOn':{'access':'ALLOW','promptForFactor':{'frequency':'PT1H'}}}},"
    "{'name':'Last','priority':9,'status':'ACTIVE','conditions':null,'actions':{'appSignOn':"
    "{'access':'DENY'}}}]}";
static char const zones_text[] = "{'zones':[{'name':'Office','type':'IP','status':'ACTIVE',"
                                 "'gateways':[{'type':'CIDR','value':'192.0.2.0/24'}]},"
                                 "{'name':'Home','type':'DYNAMIC','status':'ACTIVE','asns':[64500],"
                                 "'locations':[{'country':'US','region':'CA'},{'country':'DE'}]}]}";
static char const org_text[] =
    "{'name':'org','rules':["
    "{'name':'Out','priority':1,'status':'ACTIVE','conditions':{'people':{'users':{'include':['out'"
    "]"
    "}}},'actions':{'signon':{'access':'DENY'}}},"
    "{'name':'Asks','priority':2,'status':'ACTIVE','conditions':{'people':{'users':{'include':["
    "'asked']}}},'actions':{'signon':{'access':'ALLOW','requireFactor':true,'factorPromptMode':"
    "'SESSION','factorLifetime':480}}},"
    "{'name':'Default','priority':3,'status':'ACTIVE','conditions':null,'actions':{'signon':{"
    "'access':'ALLOW','requireFactor':false}}}]}";

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
static dt_policy *policy, *org;

static int set_up(void **state)
{
    dt_json *tree = tree_of(zones_text);
    dt_error e = {0};
    (void)state;

    assert_int_equal(dt_zones_parse(tree, "zones", &zones, &e), DT_OK);
    dt_json_free(&tree);
    tree = tree_of(policy_text);
    if (dt_policy_parse(tree, "policy", zones, &policy, &e) != DT_OK)
        fail_msg("%s", e.text);
    dt_json_free(&tree);
    tree = tree_of(org_text);
    if (dt_org_policy_parse(tree, "org", zones, &org, &e) != DT_OK)
        fail_msg("%s", e.text);
    dt_json_free(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dt_policy_free(&org);
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

static int run(dt_policy const *with_org, bool application_only, char const *cases, char *got,
               size_t *failed, dt_error *e)
{
    dt_cases_rules const rules = {policy, with_org, application_only};
    char text[TEXT_MAX];
    dt_json *tree;
    int rc;

    snprintf(text, sizeof(text), "{'policy':'vpn.json','cases':[%s]}", cases);
    tree = tree_of(text);
    rc = dt_cases_run(tree, "vpn.cases.json", &rules, collect, got, failed, e);
    dt_json_free(&tree);
    return rc;
}

#define CASE_OF(user, who, expect) "{'name':'c','user':'" user "'," who ",'expect':" expect "}"
#define CASE(who, expect) CASE_OF("u", who, expect)

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
     "/ip: is not an IP address"},
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
     "/expect/factors/0: unknown factor"},
    {"{'name':'a','user':'u','device':'TRUSTED','expect':{'access':'ALLOW_AFTER_MFA','factors':[]}"
     "}",
     "/expect/factors: must have"},
    {"{'name':'a','user':'u','device':'TRUSTED','expect':{'access':'ALLOW','frequency':'PT1H'}}",
     "/expect: frequency and factors can only be used with"},
    {CASE("'device':'TRUSTED','reason':'NOT_COMPLIANT'", "{'access':'DENY'}"),
     "/reason: is not a reason for"},
    {CASE("'device':'NOT_TRUSTED','reason':'TRUSTED'", "{'access':'DENY'}"),
     "/reason: is not a reason for"},
    {CASE("'device':'NOT_TRUSTED','reason':'BAD_MOOD'", "{'access':'DENY'}"),
     "/reason: unknown reason"},
    {CASE("'device':'NOT_TRUSTED','reason':'NONE'", "{'access':'DENY'}"), "/reason: unknown"},
    {CASE("'device':'NOT_TRUSTED','reason':7", "{'access':'DENY'}"), "/reason: must be a string"},
    {CASE("'device':'TRUSTED','time':'2026-03-02T09:30'", "{'access':'DENY'}"),
     "/time: must be a local time with its offset"},
    {CASE("'device':'TRUSTED','time':'monday'", "{'access':'DENY'}"), "/time: must be"},
    {CASE("'device':'TRUSTED','time':''", "{'access':'DENY'}"), "/time: must have"},
    {CASE("'device':'TRUSTED','time':0", "{'access':'DENY'}"), "/time: must be a string"},
    {CASE("'device':'TRUSTED','ip':'192.0.2.1','country':'de'", "{'access':'DENY'}"),
     "/country: must be two capital"},
    {CASE("'device':'TRUSTED','ip':'192.0.2.1','country':'DEU'", "{'access':'DENY'}"),
     "/country: must be two capital"},
    {CASE("'device':'TRUSTED','ip':'192.0.2.1','region':'CA'", "{'access':'DENY'}"),
     "/region: needs country"},
    {CASE("'device':'TRUSTED','ip':'192.0.2.1','country':'US','region':'DE-BE'",
          "{'access':'DENY'}"),
     "/region: must be an ISO 3166-2 code"},
    {CASE("'device':'TRUSTED','ip':'192.0.2.1','country':'US','region':'CALIFORNIA'",
          "{'access':'DENY'}"),
     "/region: must be an ISO 3166-2 code"},
    {CASE("'device':'TRUSTED','ip':'192.0.2.1','asn':'64500'", "{'access':'DENY'}"),
     "/asn: must be a number"},
    {CASE("'device':'TRUSTED','ip':'192.0.2.1','asn':4294967296", "{'access':'DENY'}"),
     "/asn: must be a number"},
    {CASE("'device':'TRUSTED','asn':1", "{'access':'DENY'}"), "need \"ip\", which is missing"},
    {CASE("'device':'TRUSTED','country':null", "{'access':'DENY'}"),
     "need \"ip\", which is missing"},
    {CASE("'device':'TRUSTED','orgMfa':'never'", "{'access':'DENY'}"), "/orgMfa: must be one"},
    {CASE("'device':'TRUSTED','applicationOnly':1", "{'access':'DENY'}"),
     "/applicationOnly: must be true or false"},
    {CASE("'device':'TRUSTED'", "{'access':'DENY','orgRule':'Out'}"), "/expect: orgRule needs"},
};

static void bad_cases_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char got[TEXT_MAX] = "";
        size_t failed = 0;
        dt_error e = {0};
        if (run(NULL, false, bad[i].cases, got, &failed, &e) != DT_E_INVALID ||
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
        assert_int_equal(run(NULL, false, cases[i].one, got, &failed, &e), DT_OK);
        if (strcmp(got, cases[i].wrong) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", cases[i].one, got, cases[i].wrong);
        assert_int_equal(failed, cases[i].wrong[0] != '\0');
        expected_failures += failed;
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i > 0 ? "," : "",
                 cases[i].one);
    }
    got[0] = '\0';
    assert_int_equal(run(NULL, false, all, got, &failed, &e), DT_OK);
    assert_int_equal(failed, expected_failures);
}

/* 2026-03-02 is a Monday. */
static struct {
    char const *one, *wrong;
} const more[] = {
    /* time */
    {CASE_OF("late", "'device':'TRUSTED','time':'2026-03-02T22:30+01:00'",
             "{'access':'ALLOW_AFTER_MFA','rule':'Late'}"),
     ""},
    {CASE_OF("late", "'device':'TRUSTED','time':'2026-03-02T21:59:59+01:00'",
             "{'access':'ALLOW_AFTER_MFA'}"),
     "access ALLOW_AFTER_MFA/DENY; "},
    {CASE_OF("late", "'device':'TRUSTED','time':'2026-03-02T22:30-05:00'",
             "{'access':'ALLOW_AFTER_MFA','rule':'Late'}"),
     ""},
    {CASE_OF("late", "'device':'TRUSTED','time':'2026-03-02T20:30-05:00'",
             "{'access':'ALLOW','rule':'Late UTC'}"),
     ""},
    {CASE_OF("late", "'device':'TRUSTED','time':'2026-03-02T22:30Z'",
             "{'access':'ALLOW_AFTER_MFA','rule':'Late'}"),
     ""},
    {CASE_OF("late", "'device':'TRUSTED','time':'2026-03-03T00:30+01:00'", "{'access':'DENY'}"),
     ""},
    /* Not given is no "denied". */
    {CASE_OF("late", "'device':'TRUSTED'", "{'access':'DENY'}"),
     "time one, because a rule asks for it (null: not known)/none; "},
    {CASE_OF("late", "'device':'TRUSTED','time':null", "{'access':'DENY'}"), ""},
    {CASE("'device':'TRUSTED'", "{'access':'DENY'}"), ""},
    /* reason */
    {CASE_OF("ill", "'device':'NOT_TRUSTED','reason':'NOT_COMPLIANT'",
             "{'access':'ALLOW_AFTER_MFA','rule':'Ill'}"),
     ""},
    {CASE_OF("ill", "'device':'NOT_TRUSTED','reason':'NOT_ENROLLED'",
             "{'access':'ALLOW_AFTER_MFA'}"),
     "access ALLOW_AFTER_MFA/DENY; "},
    {CASE_OF("ill", "'device':'TRUSTED','reason':'IN_GRACE_PERIOD'",
             "{'access':'ALLOW','rule':'Grace'}"),
     ""},
    {CASE_OF("ill", "'device':'TRUSTED','reason':'TRUSTED'", "{'access':'ALLOW'}"),
     "access ALLOW/DENY; "},
    {CASE_OF("ill", "'device':'TRUSTED'", "{'access':'DENY','rule':'Last'}"), ""},
    {CASE_OF("ill", "'device':'NOT_TRUSTED'", "{'access':'DENY'}"),
     "reason one, because a rule asks for it (null: not known)/none; "},
    {CASE_OF("ill", "'device':'NOT_TRUSTED','reason':null", "{'access':'DENY'}"), ""},
    {CASE_OF("ill", "'device':'UNKNOWN','unknownDeviceAs':'not_trusted'", "{'access':'DENY'}"), ""},
    /* where the address is */
    {CASE_OF("far", "'device':'TRUSTED','ip':'203.0.113.1','country':'DE','asn':64500",
             "{'access':'ALLOW_AFTER_MFA','rule':'Home'}"),
     ""},
    {CASE_OF("far",
             "'device':'TRUSTED','ip':'203.0.113.1','country':'US','region':'US-CA','asn':64500",
             "{'access':'ALLOW_AFTER_MFA','rule':'Home'}"),
     ""},
    {CASE_OF("far",
             "'device':'TRUSTED','ip':'203.0.113.1','country':'US','region':'NY','asn':64500",
             "{'access':'DENY','rule':'Last'}"),
     ""},
    {CASE_OF("far", "'device':'TRUSTED','ip':'203.0.113.1','country':'DE','asn':1",
             "{'access':'DENY','rule':'Last'}"),
     ""},
    {CASE_OF("far", "'device':'TRUSTED','ip':'203.0.113.1'", "{'access':'DENY'}"),
     "country one, or an asn, because a zone asks for it (null: not known)/none; "},
    {CASE_OF("far", "'device':'TRUSTED','ip':'203.0.113.1','country':null", "{'access':'DENY'}"),
     ""},
    {CASE_OF("far", "'device':'TRUSTED'", "{'access':'DENY','rule':'Last'}"), ""},
};

static void what_cases_imagine_is_decided_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(more); i++) {
        char got[TEXT_MAX] = "";
        size_t failed = 0;
        dt_error e = {0};
        if (run(NULL, false, more[i].one, got, &failed, &e) != DT_OK)
            fail_msg("%s: %s", more[i].one, e.text);
        if (strcmp(got, more[i].wrong) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", more[i].one, got, more[i].wrong);
        assert_int_equal(failed, more[i].wrong[0] != '\0');
    }
}

#define OFFICE "'device':'TRUSTED','ip':'192.0.2.1'"

static struct {
    char const *one, *wrong, *alone; /* wrong with the org's rules, and with application_only */
} const with_org[] = {
    {CASE_OF("u", OFFICE, "{'access':'ALLOW','rule':'Office','orgRule':'Default'}"), "", ""},
    {CASE_OF("u", OFFICE, "{'access':'ALLOW','orgRule':'Asks'}"), "orgRule Asks/Default; ", ""},
    {CASE_OF("out", OFFICE, "{'access':'DENY','orgRule':'Out'}"), "", "access DENY/ALLOW; "},
    {CASE_OF("out", OFFICE, "{'access':'ALLOW'}"), "access ALLOW/DENY; ", ""},
    {CASE_OF("out", OFFICE ",'applicationOnly':true", "{'access':'ALLOW'}"), "", ""},
    {CASE_OF("out", OFFICE ",'applicationOnly':false", "{'access':'ALLOW'}"), "access ALLOW/DENY; ",
     ""},
    {CASE_OF("asked", OFFICE,
             "{'access':'ALLOW_AFTER_MFA','rule':'Office','orgRule':'Asks',"
             "'frequency':'PT8H'}"),
     "", "access ALLOW_AFTER_MFA/ALLOW; frequency PT8H/none; "},
    {CASE_OF("asked", OFFICE ",'orgMfa':'enforce'", "{'access':'ALLOW'}"),
     "access ALLOW/ALLOW_AFTER_MFA; ", ""},
    {CASE_OF("asked", OFFICE ",'orgMfa':'unless_trusted'", "{'access':'ALLOW'}"), "", ""},
    {CASE_OF("asked", "'device':'NOT_TRUSTED','groups':['staff'],'orgMfa':'unless_trusted'",
             "{'access':'ALLOW_AFTER_MFA','frequency':'PT8H'}"),
     "", "frequency PT8H/P1D; "},
    {CASE_OF("out", OFFICE ",'orgMfa':'unless_trusted'", "{'access':'DENY'}"), "",
     "access DENY/ALLOW; "},
    {CASE_OF("u", "'device':'UNKNOWN'", "{'access':'DENY','orgRule':'Default'}"), "", ""},
};

/* What the person would get is what both say, and the application's policy can be had alone. */
static void the_org_s_rules_come_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(with_org); i++) {
        bool alone = i % 2 == 1;
        char const *want = alone ? with_org[i / 2].alone : with_org[i / 2].wrong;
        char got[TEXT_MAX] = "";
        size_t failed = 0;
        dt_error e = {0};
        if (run(org, alone, with_org[i / 2].one, got, &failed, &e) != DT_OK)
            fail_msg("%s: %s", with_org[i / 2].one, e.text);
        if (strcmp(got, want) != 0)
            fail_msg("%s (%d): \"%s\", not \"%s\"", with_org[i / 2].one, alone, got, want);
    }
}

static void an_org_s_rule_is_expected_only_where_it_is_asked(void **state)
{
    char got[TEXT_MAX] = "";
    size_t failed = 0;
    dt_error e = {0};
    (void)state;

    assert_int_equal(
        run(org, false,
            CASE(OFFICE ",'applicationOnly':true", "{'access':'ALLOW','orgRule':'Default'}"), got,
            &failed, &e),
        DT_E_INVALID);
    assert_non_null(strstr(e.text, "orgRule needs the org's rules"));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(bad_cases_are_refused),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(cases_come_out),
        cmocka_unit_test(what_cases_imagine_is_decided_on),
        cmocka_unit_test(the_org_s_rules_come_first),
        cmocka_unit_test(an_org_s_rule_is_expected_only_where_it_is_asked),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
