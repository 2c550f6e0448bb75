/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What counts as a difference between two policies and what does not. Texts are written with ' for ". */
#include "devtrustctl/policy/policy_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_MAX 16384

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

/* "kind rule member: ours | theirs; ..." */
static void collect(void *ctx, dt_diff_note const *n)
{
    char *out = ctx;
    size_t len = strlen(out);

    snprintf(out + len, TEXT_MAX - len, "%s %s %s: %s | %s; ", dt_diff_kind_name(n->kind), n->rule,
             n->member, n->ours, n->theirs);
}

#define RULE(name, priority, conditions, actions)                                                  \
    "{'name':'" name "','priority':" priority ",'status':'ACTIVE','conditions':" conditions        \
    ",'actions':" actions "}"
#define ALLOW "{'appSignOn':{'access':'ALLOW'}}"
#define DENY "{'appSignOn':{'access':'DENY'}}"
#define MFA(rest) "{'appSignOn':{'access':'ALLOW','promptForFactor':{" rest "}}}"
#define POLICY(rules) "{'name':'x','application':'vpn','rules':[" rules "]}"

static struct {
    char const *ours, *theirs, *says;
} const policies[] = {
    /* differs */
    {RULE("A", "1", "null", ALLOW), RULE("A", "1", "null", DENY),
     "changed A actions/appSignOn/access: 'ALLOW' | 'DENY'; "},
    {RULE("A", "1", "null", ALLOW), RULE("A", "1", "null", MFA("'frequency':'EVERY_SIGN_ON'")),
     "added A actions/appSignOn/promptForFactor/frequency:  | 'EVERY_SIGN_ON'; "},
    {RULE("A", "1", "{'device':{'trust':'TRUSTED'}}", ALLOW), RULE("A", "1", "null", ALLOW),
     "removed A conditions/device/trust: 'TRUSTED' | ; "},
    {RULE("A", "1", "{'people':{'groups':{'include':['x']}}}", ALLOW),
     RULE("A", "1", "{'people':{'groups':{'include':['x','y']}}}", ALLOW),
     "changed A conditions/people/groups/include: ['x'] | ['x','y']; "},
    {RULE("A", "1", "{'people':{'groups':{'include':['x']}}}", ALLOW),
     RULE("A", "1", "{'people':{'groups':{'exclude':['x']}}}", ALLOW),
     "added A conditions/people/groups/exclude:  | ['x']; "
     "removed A conditions/people/groups/include: ['x'] | ; "},
    {RULE("A", "1", "{'network':{'connection':'ZONE','include':['Office']}}", ALLOW),
     RULE("A", "1", "{'network':{'connection':'ZONE','include':['office']}}", ALLOW),
     "changed A conditions/network/include: ['Office'] | ['office']; "},
    {RULE("A", "1", "{'platform':{'include':[{'type':'MOBILE'}]}}", ALLOW),
     RULE("A", "1", "{'platform':{'include':[{'type':'ANY','os':{'type':'IOS'}}]}}", ALLOW),
     "changed A conditions/platform: ['ios','android','other-mobile'] | ['ios']; "},
    {RULE("A", "1", "null", MFA("'frequency':'PT23H'")),
     RULE("A", "1", "null", MFA("'frequency':'ONCE_A_DAY'")),
     "changed A actions/appSignOn/promptForFactor/frequency: 'PT23H' | 'ONCE_A_DAY'; "},
    {RULE("A", "1", "null", MFA("'frequency':'EVERY_SIGN_ON','factors':['push']")),
     RULE("A", "1", "null", MFA("'frequency':'EVERY_SIGN_ON'")),
     "removed A actions/appSignOn/promptForFactor/factors: ['push'] | ; "},
    {RULE("A", "1", "{'device':{'trust':'TRUSTED'}}", ALLOW) "," RULE("B", "2", "null", DENY),
     RULE("C", "1", "{'device':{'trust':'TRUSTED'}}", ALLOW) "," RULE("B", "2", "null", DENY),
     "removed A :  | ; added C :  | ; "},
    {RULE("A", "1", "null", DENY) "," RULE("B", "2", "null", DENY) "," RULE("C", "3", "null", DENY),
     RULE("B", "1", "null", DENY) "," RULE("A", "2", "null", DENY) "," RULE("C", "3", "null", DENY),
     "order B :  | ; "},
    {RULE("A", "1", "null", "{'appSignOn':{'access':'ALLOW'},'reply':{'vlan':7}}"),
     RULE("A", "1", "null", ALLOW), "removed A actions/reply/vlan: 7 | ; "},
    /* does not */
    {RULE("A", "1", "null", ALLOW), RULE("A", "77", "{}", ALLOW), ""},
    {RULE("B", "2", "null", DENY) "," RULE("A", "1", "{'device':{'trust':'TRUSTED'}}", ALLOW),
     RULE("A", "5", "{'device':{'trust':'TRUSTED'}}", ALLOW) "," RULE("B", "6", "null", DENY), ""},
    {RULE("A", "1",
          "{'network':{'connection':'ANYWHERE'},'device':{'trust':'ANY'},"
          "'platform':{'include':[{'type':'ANY','os':{'type':'ANY'}}]},"
          "'people':{'users':{'include':[]}}}",
          ALLOW),
     RULE("A", "1", "null", ALLOW), ""},
    {RULE("A", "1", "{'people':{'users':{'include':['Anna','ben']}}}", ALLOW),
     RULE("A", "1", "{'people':{'users':{'include':['BEN','anna']}}}", ALLOW), ""},
    {RULE("A", "1", "{'platform':{'include':[{'type':'DESKTOP'},{'type':'MOBILE'}]}}", ALLOW),
     RULE("A", "1", "null", ALLOW), ""},
    {RULE("A", "1", "null",
          MFA("'frequency':'PT24H','factors':['token:software:totp','push','email','sms','call','"
              "token',"
              "'token:hotp','token:hardware','browser']")),
     RULE("A", "1", "null", MFA("'frequency':'ONCE_A_DAY'")), ""},
    {RULE("A", "1", "null", MFA("'frequency':'PT0S'")),
     RULE("A", "1", "null", MFA("'frequency':'EVERY_SIGN_ON'")), ""},
    {RULE("A", "1", "null", MFA("'frequency':'PT168H'")),
     RULE("A", "1", "null", MFA("'frequency':'ONCE_A_WEEK'")), ""},
    {RULE("A", "2", "null", ALLOW) ",{'name':'Asleep','priority':1,'status':'INACTIVE',"
                                   "'conditions':{'device':{'trust':'TRUSTED'}},'actions':" DENY
                                   "}",
     RULE("A", "1", "null", ALLOW), ""},
};

static void assert_says(char const *name, char const *got, char const *want, size_t count)
{
    char *text = strdup(want);
    size_t notes = 0;

    for (char *p = text; *p != '\0'; p++) {
        if (*p == '\'')
            *p = '"';
        notes += *p == ';';
    }
    if (strcmp(got, text) != 0 || notes != count)
        fail_msg("%s: \"%s\", not \"%s\"", name, got, text);
    free(text);
}

static void policies_are_compared_by_meaning(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(policies); i++) {
        char ours[TEXT_MAX], theirs[TEXT_MAX], got[TEXT_MAX] = "";
        size_t count = 99;
        dt_error e = {0};
        dt_json *a, *b;
        snprintf(ours, sizeof(ours), "{'name':'x','application':'vpn','rules':[%s]}",
                 policies[i].ours);
        snprintf(theirs, sizeof(theirs), "{'name':'y','application':'vpn','rules':[%s]}",
                 policies[i].theirs);
        a = tree_of(ours);
        b = tree_of(theirs);
        assert_int_equal(dt_policy_diff(a, b, collect, got, &count, &e), DT_OK);
        assert_says(ours, got, policies[i].says, count);
        /* The other way round as many. */
        got[0] = '\0';
        size_t back = 99;
        assert_int_equal(dt_policy_diff(b, a, collect, got, &back, &e), DT_OK);
        assert_int_equal(back, count);
        dt_json_free(&a);
        dt_json_free(&b);
    }
}

#define ZONE(name, gateways)                                                                       \
    "{'name':'" name "','type':'IP','status':'ACTIVE','gateways':[" gateways "]}"
#define PLACES(place) "{'name':'A','type':'DYNAMIC','status':'ACTIVE','locations':[{" place "}]}"
#define PROVIDERS(asns) "{'name':'A','type':'DYNAMIC','status':'ACTIVE','asns':[" asns "]}"
#define USED(usage, status)                                                                        \
    "{'name':'A','type':'IP','status':'" status "','usage':'" usage                                \
    "','gateways':[" CIDR("10.0.0.0/8") "]}"
#define CIDR(value) "{'type':'CIDR','value':'" value "'}"

static struct {
    char const *ours, *theirs;
    size_t count;
} const zones[] = {
    {ZONE("A", CIDR("10.0.0.0/8")), ZONE("A", CIDR("10.0.0.0/9")), 1},
    {ZONE("A", CIDR("10.0.0.0/8")), ZONE("A", CIDR("11.0.0.0/8")), 1},
    {ZONE("A", CIDR("10.0.0.0/8")), ZONE("A", CIDR("10.0.0.0/8") "," CIDR("192.0.2.1")), 1},
    {ZONE("A", CIDR("2001:db8::/32")), ZONE("A", CIDR("2001:db8::/33")), 1},
    {"", ZONE("A", CIDR("10.0.0.0/8")), 1},
    {ZONE("A", CIDR("10.0.0.0/8")),
     "{'name':'A','type':'IP','status':'INACTIVE','gateways':[" CIDR("10.0.0.0/8") "]}", 1},
    {ZONE("A", CIDR("10.0.0.0/8")), "", 0},
    {ZONE("A", CIDR("10.1.2.3/8")), ZONE("A", CIDR("10.0.0.0/8")), 0},
    {ZONE("A", CIDR("192.0.2.1/32") "," CIDR("10.0.0.0/8")),
     ZONE("A", CIDR("10.0.0.0/8") "," CIDR("192.0.2.1")), 0},
    {ZONE("A", "'10.0.0.0/8'"), ZONE("A", CIDR("10.0.0.0/8")), 0},
    {ZONE("A", "'10.0.0.0/8'"), ZONE("A", CIDR("10.0.0.0/9")), 1},
    {PLACES("'country':'US','region':'US-CA'"), PLACES("'country':'US','region':'CA'"), 0},
    {PLACES("'country':'US','region':'CA'"), PLACES("'country':'US','region':'NY'"), 1},
    {PLACES("'country':'US','region':'CA'"), PLACES("'country':'MX','region':'CA'"), 1},
    {PLACES("'country':'US','region':null"), PLACES("'country':'US'"), 0},
    {PLACES("'country':'US'"), PLACES("'country':'US','region':'CA'"), 1},
    {PLACES("'country':'US'},{'country':'DE'"), PLACES("'country':'DE'},{'country':'US'"), 0},
    {PROVIDERS("64500,7"), PROVIDERS("'7','64500'"), 0},
    {PROVIDERS("64500"), PROVIDERS("'64501'"), 1},
    {PROVIDERS("64500"), PLACES("'country':'US'"), 2},
    {ZONE("A", CIDR("10.0.0.0/8")), USED("POLICY", "ACTIVE"), 0},
    {ZONE("A", CIDR("10.0.0.0/8")), USED("BLOCKLIST", "ACTIVE"), 1},
    {USED("BLOCKLIST", "ACTIVE"), ZONE("A", CIDR("10.0.0.0/8")), 1},
    /* Only ours. */
    {USED("BLOCKLIST", "ACTIVE"), "", 1},
    {USED("BLOCKLIST", "INACTIVE"), "", 0},
    {USED("POLICY", "ACTIVE"), "", 0},
    {ZONE("A", CIDR("2001:DB8:0::1/32")), ZONE("A", CIDR("2001:db8::/32")), 0},
};

static void zones_are_compared_by_their_networks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(zones); i++) {
        char ours[TEXT_MAX], theirs[TEXT_MAX], got[TEXT_MAX] = "";
        size_t count = 0;
        dt_error e = {0};
        dt_json *a, *b;
        snprintf(ours, sizeof(ours), "{'zones':[%s]}", zones[i].ours);
        snprintf(theirs, sizeof(theirs), "{'zones':[%s]}", zones[i].theirs);
        a = tree_of(ours);
        b = tree_of(theirs);
        assert_int_equal(dt_zones_diff(a, b, collect, got, &count, &e), DT_OK);
        if (count != zones[i].count)
            fail_msg("%zu differences, not %zu: %s %s: %s", count, zones[i].count, ours, theirs,
                     got);
        dt_json_free(&a);
        dt_json_free(&b);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(policies_are_compared_by_meaning),
        cmocka_unit_test(zones_are_compared_by_their_networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
