/* SPDX-License-Identifier: GPL-2.0-or-later */
/* That a sign-on goes by the identity and not by the name: whatever spelling makes the same identity gets
 * the same decision, the same push and the same record; a machine is nobody of the people and gets no MFA. */
#include "signon_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULE(name, number, conditions, action)                                                     \
    "{\"name\":\"" name "\",\"priority\":" number                                                  \
    ",\"status\":\"ACTIVE\",\"conditions\":{" conditions "},\"actions\":{\"appSignOn\":{" action   \
    "}}}"
#define ALLOW "\"access\":\"ALLOW\""
#define DENY "\"access\":\"DENY\""
#define ASK ALLOW ",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\"}"
#define POLICY(first, action)                                                                      \
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[" RULE(                                  \
        "first", "1", first, action) "," RULE("second", "2",                                       \
                                              "\"device\":{\"trust\":\"NOT_TRUSTED\"}",            \
                                              ALLOW) "," RULE("last", "3", "", DENY) "]}"
#define USERS(which, name) "\"people\":{\"users\":{\"" which "\":[\"" name "\"]}}"

static char const *const settings[] = {
    "policy",      "unknown_device_as",
    "not_trusted", "user_name",
    "realms",      "EXAMPLE -> @example.com, PARTNER -> @partner.example",
    NULL};

static char const table_text[] = "asmith -> anna.smith@example.com\nann-adm -> ann@example.com\n";

static dt_outcome sign_on(char const *policy, char const *user, dt_identity *who)
{
    world w;
    dt_user_table *t = NULL;
    dt_error e = {0};
    dt_request r = world_request();
    dt_outcome o;

    world_open(&w, policy, settings);
    assert_int_equal(dt_user_table_parse(w.config, "names", dt_bytes_str(table_text), &t, &e), 0);
    w.ruleset.user_table = t;
    r.user = user;
    r.group_knowledge = DT_GROUPS_UNKNOWN;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    o = *world_outcome(&w);
    if (who != NULL)
        *who = *dt_signon_identity(w.machine);
    dt_user_table_free(&t);
    world_close(&w);
    return o;
}

static char const *const spellings[] = {"ann",
                                        "Ann",
                                        "ann@example.com",
                                        "ANN@EXAMPLE.COM",
                                        "EXAMPLE\\ann",
                                        "ann@example",
                                        "bob",
                                        "EXAMPLE\\bob",
                                        "asmith",
                                        "EXAMPLE\\ASmith",
                                        "anna.smith",
                                        "PARTNER\\ann",
                                        "ann@partner",
                                        "ann-adm",
                                        "LAPTOP$",
                                        "EXAMPLE\\laptop$",
                                        "host/laptop.example.com",
                                        "HOST/LAPTOP.example.com"};
#define SPELLINGS (sizeof(spellings) / sizeof(spellings[0]))

static char const *const policies[] = {
    POLICY(USERS("include", "ann"), DENY),
    POLICY(USERS("include", "ANN"), DENY),
    POLICY(USERS("include", "ann@example.com"), DENY),
    POLICY(USERS("include", "a*"), DENY),
    POLICY(USERS("include", "*@example.com"), DENY),
    POLICY(USERS("include", "asmith"), DENY),
    POLICY(USERS("include", "anna.smith"), DENY),
    POLICY(USERS("include", "anna.smith@example.com"), DENY),
    POLICY(USERS("include", "ann@partner.example"), DENY),
    POLICY(USERS("include", "ann-adm"), DENY),
    POLICY(USERS("include", "laptop$"), DENY),
    POLICY(USERS("include", "host*"), DENY),
    POLICY(USERS("exclude", "ann"), DENY),
    POLICY(USERS("exclude", "ann@example.com"), DENY),
};
#define POLICIES (sizeof(policies) / sizeof(policies[0]))

static void one_identity_one_decision(void **state)
{
    (void)state;
    for (size_t p = 0; p < POLICIES; p++) {
        dt_outcome o[SPELLINGS];
        dt_identity who[SPELLINGS];

        for (size_t i = 0; i < SPELLINGS; i++) {
            o[i] = sign_on(policies[p], spellings[i], &who[i]);
            for (size_t j = 0; j < i; j++) {
                if (!dt_identity_equal(&who[i], &who[j]))
                    continue;
                if (o[i].cause != o[j].cause || strcmp(o[i].decision.rule, o[j].decision.rule) != 0)
                    fail_msg("policy %zu: %s and %s are one and decided otherwise", p, spellings[i],
                             spellings[j]);
            }
        }
    }
}

static void expect(char const *policy, char const *user, dt_cause cause)
{
    dt_outcome o = sign_on(policy, user, NULL);

    if (o.cause != cause)
        fail_msg("%s: %s (%s), not %s", user, dt_cause_name(o.cause), o.detail,
                 dt_cause_name(cause));
}

/* A rule that names ann holds for her under every name, whichever of hers it uses, and for nobody else. */
static void a_rule_holds_for_every_spelling(void **state)
{
    (void)state;
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < 6; i++)
            expect(policies[p], spellings[i], DT_CAUSE_RULE_DENY);
        expect(policies[p], "ann-adm", DT_CAUSE_RULE_DENY); /* the same person at Okta */
        expect(policies[p], "bob", DT_CAUSE_RULE_ALLOW);
        expect(policies[p], "PARTNER\\ann", DT_CAUSE_RULE_ALLOW);
        expect(policies[p], "asmith", DT_CAUSE_RULE_ALLOW);
    }
    for (size_t p = 6; p < 8; p++) {
        expect(policies[p], "asmith", DT_CAUSE_RULE_DENY);
        expect(policies[p], "EXAMPLE\\ASmith", DT_CAUSE_RULE_DENY);
    }
    expect(policies[5], "asmith", DT_CAUSE_RULE_DENY);
    expect(policies[8], "ann@partner", DT_CAUSE_RULE_DENY);
    expect(policies[8], "ann", DT_CAUSE_RULE_ALLOW);
    expect(policies[9], "ann", DT_CAUSE_RULE_ALLOW);
    expect(policies[9], "ann-adm", DT_CAUSE_RULE_DENY);
}

static void names_that_mean_nobody(void **state)
{
    static char const *const bad[] = {
        "ann ",           " ann",    "OTHER\\ann", "ann@other.example",
        "\xef\xbd\x81nn", "ann\xff", "a\\b\\c",    "",
        "host/",          "ann@",    "$"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect(policies[0], bad[i], DT_CAUSE_USER_NAME_INVALID);
}

static void a_machine_is_nobody_of_the_people(void **state)
{
    static char const *const machines[] = {"LAPTOP$", "host/laptop.example.com",
                                           "EXAMPLE\\laptop$"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        dt_outcome o =
            sign_on(POLICY("\"device\":{\"trust\":\"NOT_TRUSTED\"}", ASK), machines[i], NULL);

        assert_int_equal(o.cause, DT_CAUSE_MACHINE_ACCOUNT);
        assert_int_equal(o.result, DT_DENY);
        assert_int_equal(o.okta_calls, 0);
        expect(policies[3], machines[i], DT_CAUSE_RULE_ALLOW);
        expect(policies[10], machines[i], DT_CAUSE_RULE_ALLOW);
        expect(policies[11], machines[i], DT_CAUSE_RULE_ALLOW);
        expect(policies[12], machines[i], DT_CAUSE_RULE_DENY); /* all but ann: it is not ann */
    }
}

/* Groups that nobody told do not hold a machine up: it is in none. */
static void a_machine_is_in_no_group(void **state)
{
    (void)state;
    expect(POLICY("\"people\":{\"groups\":{\"include\":[\"Staff\"]}}", DENY), "LAPTOP$",
           DT_CAUSE_RULE_ALLOW);
    expect(POLICY("\"people\":{\"groups\":{\"exclude\":[\"Staff\"]}}", DENY), "LAPTOP$",
           DT_CAUSE_RULE_DENY);
    expect(POLICY("\"people\":{\"groups\":{\"include\":[\"Staff\"]}}", DENY), "ann",
           DT_CAUSE_GROUPS_UNKNOWN);
}

/* Okta cannot be away for a machine: it is never asked about one. */
static void no_outage_lets_a_machine_in(void **state)
{
    static char const *const open[] = {
        "policy", "okta_unavailable", "allow", "policy", "unknown_device_as", "not_trusted", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY("\"device\":{\"trust\":\"NOT_TRUSTED\"}", ASK), open);
    r.user = "LAPTOP$";
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_MACHINE_ACCOUNT);
    world_all_used(&w);
    world_close(&w);
}

/* Kept and taken up again, it is the same person. */
static void a_saved_sign_on_keeps_the_identity(void **state)
{
    world w;
    dt_request r = world_request();
    dt_identity before;

    (void)state;
    world_open(&w, POLICY("\"device\":{\"trust\":\"NOT_TRUSTED\"}", ASK), settings);
    r.user = "PARTNER\\Ann";
    world_begin(&w, &r);
    before = *dt_signon_identity(w.machine);
    assert_string_equal(before.realm, "partner.example");
    world_save_and_load(&w);
    assert_true(dt_identity_equal(&before, dt_signon_identity(w.machine)));
    world_close(&w);
}

static void the_event_says_who(void **state)
{
    world w;
    dt_request r = world_request();
    dt_audit_context ctx;

    (void)state;
    world_open(&w, policies[0], settings);
    r.user = "ann";
    r.account = "root";
    r.caller = "ann";
    r.ruser = "mallory";
    world_begin(&w, &r);
    dt_signon_audit_context(w.machine, &ctx);
    assert_string_equal(ctx.user, "ann");
    assert_string_equal(ctx.login, "ann@example.com");
    assert_string_equal(ctx.account, "root");
    assert_string_equal(ctx.caller, "ann");
    assert_string_equal(ctx.ruser, "mallory");
    r = world_request();
    r.user = "OTHER\\ann";
    world_begin(&w, &r);
    dt_signon_audit_context(w.machine, &ctx);
    assert_string_equal(ctx.user, "OTHER\\ann");
    assert_string_equal(ctx.login, "");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_identity_one_decision),
        cmocka_unit_test(a_rule_holds_for_every_spelling),
        cmocka_unit_test(names_that_mean_nobody),
        cmocka_unit_test(a_machine_is_nobody_of_the_people),
        cmocka_unit_test(a_machine_is_in_no_group),
        cmocka_unit_test(no_outage_lets_a_machine_in),
        cmocka_unit_test(a_saved_sign_on_keeps_the_identity),
        cmocka_unit_test(the_event_says_who),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
