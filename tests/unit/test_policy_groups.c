/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups within groups: who is in one of them is in those that contain it, however deep; and random
 * nestings against a search that is written plainly. */
#include "core/policy/policy.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define RANDOM_SEED 20261124u
#define RANDOM_POLICIES 3000
#define RANDOM_PEOPLE 40
#define GROUPS 12

static dt_policy *policy_of(char const *text)
{
    dt_json *tree = NULL;
    dt_policy *p = NULL;
    dt_error e = {0};

    if (dt_json_parse(dt_bytes_str(text), &tree, &e) != DT_OK ||
        dt_policy_parse(tree, "x.json", NULL, &p, &e) != DT_OK)
        fail_msg("%s\n%s", e.text, text);
    dt_json_free(&tree);
    return p;
}

/* One rule, for these groups; the rest is denied. */
static dt_policy *policy_for(char const *groups, char const *lists)
{
    char text[8192];

    snprintf(
        text, sizeof(text),
        "{\"name\":\"x\",\"application\":\"x\",\"groups\":[%s],\"rules\":[{\"name\":\"R\","
        "\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{\"people\":{\"groups\":{%s}}},"
        "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},{\"name\":\"Rest\",\"priority\":2,"
        "\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":"
        "{\"access\":\"DENY\"}}}]}",
        groups, lists);
    return policy_of(text);
}

static dt_decision decide(dt_policy const *p, char const *const *groups, size_t count)
{
    dt_policy_input in = {.user = "anna",
                          .groups = groups,
                          .group_count = count,
                          .group_knowledge = DT_GROUPS_KNOWN,
                          .trust = DT_TRUST_NOT_TRUSTED};
    dt_decision d;

    dt_policy_decide(p, &in, &d);
    return d;
}

static char const company[] = "{\"name\":\"Staff\",\"contains\":[\"engineering\",\"Sales\"]},"
                              "{\"name\":\"engineering\",\"contains\":[\"platform\",\"web\"]},"
                              "{\"name\":\"vpn-all\",\"contains\":[\"staff\",\"partners\"]}";

static void within_is_in(void **state)
{
    static struct {
        char const *lists;
        char const *group;
        bool holds;
    } const cases[] = {
        {"\"include\":[\"staff\"]", "staff", true},
        {"\"include\":[\"staff\"]", "engineering", true},
        {"\"include\":[\"STAFF\"]", "SALES", true},
        {"\"include\":[\"staff\"]", "web", true},
        {"\"include\":[\"staff\"]", "partners", false},
        {"\"include\":[\"staff\"]", "vpn-all", false}, /* the other way round nothing follows */
        {"\"include\":[\"web\"]", "engineering", false},
        {"\"include\":[\"vpn-all\"]", "web", true},
        {"\"include\":[\"vpn-all\"]", "partners", true},
        {"\"include\":[\"vpn-all\"]", "other", false},
        {"\"include\":[\"vpn-*\"]", "platform",
         true}, /* a pattern means a group that contains it */
        {"\"include\":[\"vpn-*\"]", "vpn-some", true},
        {"\"include\":[\"vpn-*\"]", "other", false},
        {"\"include\":[\"*eng*\"]", "web", true},
        {"\"include\":[\"*eng*\"]", "sales", false},
        {"\"exclude\":[\"staff\"]", "web", false},
        {"\"exclude\":[\"staff\"]", "partners", true},
        {"\"exclude\":[\"vpn-*\"]", "partners", false},
        {"\"include\":[\"vpn-all\"],\"exclude\":[\"engineering\"]", "web", false},
        {"\"include\":[\"vpn-all\"],\"exclude\":[\"engineering\"]", "sales", true},
        {"\"include\":[\"staff\",\"sales\",\"engineering\"]", "sales", true}, /* named twice over */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        dt_policy *p = policy_for(company, cases[i].lists);
        dt_decision d = decide(p, &cases[i].group, 1);

        if ((d.access == DT_ACCESS_ALLOW) != cases[i].holds)
            fail_msg("%s: %s", cases[i].lists, cases[i].group);
        assert_true(dt_policy_needs_groups(p));
        dt_policy_free(&p);
    }
}

/* What is carried through a sign-on: all that the rules mean, and nothing else. */
static void what_is_worth_carrying(void **state)
{
    dt_policy *p = policy_for(company, "\"include\":[\"staff\"]");

    (void)state;
    assert_true(dt_policy_names_group(p, "staff"));
    assert_true(dt_policy_names_group(p, "Web"));
    assert_false(dt_policy_names_group(p, "vpn-all"));
    assert_false(dt_policy_names_group(p, "partners"));
    dt_policy_free(&p);
}

/* Groups that are not known stay so, whatever contains what. */
static void nesting_makes_nothing_known(void **state)
{
    static char const *const lists[] = {"\"include\":[\"staff\"]", "\"exclude\":[\"staff\"]"};

    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++) {
        dt_policy *p = policy_for(company, lists[i]);
        dt_policy_input in = {.user = "anna", .trust = DT_TRUST_NOT_TRUSTED};
        dt_decision d;

        dt_policy_decide(p, &in, &d);
        assert_int_equal(d.access, DT_ACCESS_DENY);
        assert_int_equal(d.cause, DT_DECISION_UNKNOWN_GROUPS);
        dt_policy_free(&p);
    }
}

/* As deep as may be; one deeper is an error of tests/data/policies/bad_policies.json. */
static void as_deep_as_may_be(void **state)
{
    char groups[4096], deepest[16];
    char const *group = deepest;
    dt_buf b;
    dt_policy *p;

    (void)state;
    dt_buf_init_fixed(&b, groups, sizeof(groups));
    for (int i = 0; i < DT_GROUP_DEPTH_MAX; i++)
        dt_buf_printf(&b, "%s{\"name\":\"g%d\",\"contains\":[\"g%d\"]}", i > 0 ? "," : "", i,
                      i + 1);
    assert_int_equal(dt_buf_error(&b), DT_OK);
    snprintf(deepest, sizeof(deepest), "g%d", DT_GROUP_DEPTH_MAX);
    p = policy_for(groups, "\"include\":[\"g0\"]");
    assert_int_equal(decide(p, &group, 1).access, DT_ACCESS_ALLOW);
    dt_policy_free(&p);
}

/* Each contains all below it twice over: worked out once each, however many ways lead there. */
static void many_ways_lead_there(void **state)
{
    char groups[4096];
    char const *group = "x14";
    dt_buf b;
    dt_policy *p;

    (void)state;
    dt_buf_init_fixed(&b, groups, sizeof(groups));
    for (int i = 0; i < 14; i++)
        dt_buf_printf(&b,
                      "%s{\"name\":\"x%d\",\"contains\":[\"x%d\",\"y%d\"]},"
                      "{\"name\":\"y%d\",\"contains\":[\"x%d\",\"y%d\"]}",
                      i > 0 ? "," : "", i, i + 1, i + 1, i, i + 1, i + 1);
    assert_int_equal(dt_buf_error(&b), DT_OK);
    p = policy_for(groups, "\"include\":[\"y0\"]");
    assert_int_equal(decide(p, &group, 1).access, DT_ACCESS_ALLOW);
    group = "x0";
    assert_int_equal(decide(p, &group, 1).access, DT_ACCESS_DENY);
    dt_policy_free(&p);
}

/* --- random nestings --------------------------------------------------------------------------- */

static uint32_t seed = RANDOM_SEED;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

typedef struct nesting {
    uint16_t
        contains[GROUPS]; /* bits; only of groups with a higher number, so there is no circle */
    uint16_t include, exclude;
} nesting;

/* Written plainly: is somebody who is in `group` in `wanted`? */
static bool plain_is_in(nesting const *n, unsigned group, unsigned wanted)
{
    if (group == wanted)
        return true;
    for (unsigned i = 0; i < GROUPS; i++)
        if ((n->contains[wanted] >> i & 1) != 0 && plain_is_in(n, group, i))
            return true;
    return false;
}

static bool plain_one_of(nesting const *n, uint16_t person, uint16_t wanted)
{
    for (unsigned g = 0; g < GROUPS; g++)
        for (unsigned w = 0; w < GROUPS; w++)
            if ((person >> g & 1) != 0 && (wanted >> w & 1) != 0 && plain_is_in(n, g, w))
                return true;
    return false;
}

static void put_bits(dt_buf *b, uint16_t bits)
{
    bool first = true;

    for (unsigned i = 0; i < GROUPS; i++) {
        if ((bits >> i & 1) == 0)
            continue;
        dt_buf_printf(b, "%s\"group-%u\"", first ? "" : ",", i);
        first = false;
    }
}

static dt_policy *policy_of_nesting(nesting const *n)
{
    char groups[4096], lists[1024];
    bool first = true;
    dt_buf b;

    groups[0] = '\0';
    dt_buf_init_fixed(&b, groups, sizeof(groups));
    for (unsigned i = 0; i < GROUPS; i++) {
        if (n->contains[i] == 0)
            continue;
        dt_buf_printf(&b, "%s{\"name\":\"Group-%u\",\"contains\":[", first ? "" : ",", i);
        put_bits(&b, n->contains[i]);
        dt_buf_puts(&b, "]}");
        first = false;
    }
    assert_int_equal(dt_buf_error(&b), DT_OK);
    dt_buf_init_fixed(&b, lists, sizeof(lists));
    dt_buf_puts(&b, "\"include\":[");
    put_bits(&b, n->include);
    dt_buf_puts(&b, "],\"exclude\":[");
    put_bits(&b, n->exclude);
    dt_buf_puts(&b, "]");
    assert_int_equal(dt_buf_error(&b), DT_OK);
    return policy_for(groups, lists);
}

static void random_nesting(nesting *n)
{
    memset(n, 0, sizeof(*n));
    for (unsigned i = 0; i + 1 < GROUPS; i++)
        for (unsigned k = i + 1; k < GROUPS; k++)
            if (any(5) == 0)
                n->contains[i] |= (uint16_t)(1u << k);
    n->include = (uint16_t)(1u << any(GROUPS) | 1u << any(GROUPS));
    n->exclude = any(2) == 0 ? 0 : (uint16_t)(1u << any(GROUPS));
}

static void random_nestings_agree_with_a_search(void **state)
{
    static char names[GROUPS][16];
    size_t held = 0;

    (void)state;
    for (unsigned i = 0; i < GROUPS; i++)
        snprintf(names[i], sizeof(names[i]), "GROUP-%u", i);
    for (int k = 0; k < RANDOM_POLICIES; k++) {
        nesting n;
        dt_policy *p;

        random_nesting(&n);
        p = policy_of_nesting(&n);
        for (int i = 0; i < RANDOM_PEOPLE; i++) {
            uint16_t person = (uint16_t)(any(1u << GROUPS) & any(1u << GROUPS));
            char const *groups[GROUPS];
            size_t count = 0;
            bool expected =
                plain_one_of(&n, person, n.include) && !plain_one_of(&n, person, n.exclude);

            for (unsigned g = 0; g < GROUPS; g++)
                if ((person >> g & 1) != 0)
                    groups[count++] = names[g];
            if ((decide(p, groups, count).access == DT_ACCESS_ALLOW) != expected)
                fail_msg("policy %d, person %x", k, person);
            held += expected;
        }
        dt_policy_free(&p);
    }
    assert_true(held > RANDOM_POLICIES && held < (size_t)RANDOM_POLICIES * (RANDOM_PEOPLE - 1));
}

/* --- what need not be carried ------------------------------------------------------------------- */

/* Several rules, with names and patterns in both lists, some for the person herself. */
static dt_policy *random_rules(void)
{
    static char const *const wanted[] = {"group-1",  "group-2", "group-7", "group-1?",
                                         "group-*0", "*-3",     "group-*", "other"};
    char text[8192];
    dt_buf b;
    unsigned rules = 1 + any(6);

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_puts(&b, "{\"name\":\"x\",\"application\":\"x\",\"rules\":[");
    for (unsigned i = 0; i < rules; i++) {
        unsigned one = any(COUNT(wanted) - 1);

        dt_buf_printf(&b,
                      "{\"name\":\"R%u\",\"priority\":%u,\"status\":\"%s\",\"conditions\":"
                      "{\"people\":{%s\"groups\":{\"include\":[\"%s\",\"%s\"]",
                      i, i + 1, any(8) == 0 ? "INACTIVE" : "ACTIVE",
                      any(4) == 0 ? "\"users\":{\"include\":[\"anna\"]}," : "", wanted[one],
                      wanted[one + 1]);
        if (any(2) == 0)
            dt_buf_printf(&b, ",\"exclude\":[\"%s\"]", wanted[any(COUNT(wanted))]);
        dt_buf_printf(&b, "}}},\"actions\":{\"appSignOn\":{\"access\":\"%s\"}}},",
                      any(2) == 0 ? "ALLOW" : "DENY");
    }
    dt_buf_puts(&b, "{\"name\":\"Rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":"
                    "{},\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}");
    assert_int_equal(dt_buf_error(&b), DT_OK);
    return policy_of(text);
}

/* Without the groups that tell nothing every decision is the same, by the same rule. */
static void what_tells_nothing_changes_nothing(void **state)
{
    size_t left_out = 0, allowed = 0;

    (void)state;
    for (int k = 0; k < RANDOM_POLICIES; k++) {
        dt_policy *p = random_rules();

        for (int i = 0; i < RANDOM_PEOPLE; i++) {
            static char names[40][16];
            char const *all[40], *kept[40];
            char packed[40 * 16];
            size_t count = any(40), kept_count = 0, used = 0;
            dt_decision with, without;

            for (size_t g = 0; g < count; g++) {
                snprintf(names[g], sizeof(names[g]), "Group-%u", (unsigned)any(30));
                all[g] = names[g];
                if (!dt_policy_group_is_relevant(p, dt_bytes_of(packed, used), names[g]))
                    continue;
                kept[kept_count++] = names[g];
                memcpy(packed + used, names[g], strlen(names[g]) + 1);
                used += strlen(names[g]) + 1;
            }
            with = decide(p, all, count);
            without = decide(p, kept, kept_count);
            if (with.access != without.access || with.rule_index != without.rule_index)
                fail_msg("policy %d, person %d", k, i);
            left_out += count - kept_count;
            allowed += with.access == DT_ACCESS_ALLOW;
        }
        dt_policy_free(&p);
    }
    assert_true(left_out > (size_t)RANDOM_POLICIES * RANDOM_PEOPLE);
    assert_true(allowed > RANDOM_POLICIES);
}

int main(void)
{
    static struct CMUnitTest const tests[] = {
        cmocka_unit_test(within_is_in),
        cmocka_unit_test(what_is_worth_carrying),
        cmocka_unit_test(nesting_makes_nothing_known),
        cmocka_unit_test(as_deep_as_may_be),
        cmocka_unit_test(many_ways_lead_there),
        cmocka_unit_test(random_nestings_agree_with_a_search),
        cmocka_unit_test(what_tells_nothing_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
