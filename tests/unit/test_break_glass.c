/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Break-glass accounts: at a terminal of this host and until a time, without anything being asked of anybody; refused
 * everywhere else, whatever the policy says. */
#include "core/ruleset/break_glass.h"

#include "signon_world.h"

#include "core/base/json.h"
#include "core/ruleset/config_check.h"
#include "edge/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY(action)                                                                             \
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"one\",\"priority\":1,"       \
    "\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":{" action "}}}]}"
#define ALLOW "\"access\":\"ALLOW\""
#define DENY "\"access\":\"DENY\""
#define UNTIL "2023-11-15T00:00Z" /* less than two hours after WORLD_START */

static char const *const settings[] = {"user_name",   "realms", "PARTNER -> @partner.example",
                                       "break_glass", "users",  "rescue, rescue2",
                                       "break_glass", "until",  UNTIL,
                                       NULL};
static char const *const with_report[] = {"break_glass", "users", "rescue", "break_glass",
                                          "until",       UNTIL,   "policy", "report_only",
                                          "yes",         NULL};
static char const *const with_okta[] = {"break_glass", "users", "rescue",  "break_glass",
                                        "until",       UNTIL,   "primary", "okta_password",
                                        "vpn",         NULL};

typedef struct attempt {
    char const *policy, *user;
    bool elsewhere;
    dt_time later;
    char const *const *settings;
} attempt;

/* No request is expected of anybody: one that is made fails the test. */
static dt_outcome sign_on(attempt const *a)
{
    world w;
    dt_request r = world_request();

    world_open(&w, a->policy, a->settings != NULL ? a->settings : settings);
    w.now += a->later;
    r.user = a->user;
    r.tty = "tty1";
    r.at_terminal = !a->elsewhere;
    if (a->settings == with_okta)
        r.password = "secret";
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    world_all_used(&w);
    dt_outcome o = *world_outcome(&w);
    world_close(&w);
    return o;
}

static void expect(attempt a, dt_result result, dt_cause cause)
{
    dt_outcome o = sign_on(&a);

    if (o.cause != cause || o.result != result)
        fail_msg("%s: %s (%s), not %s", a.user, dt_cause_name(o.cause), o.detail,
                 dt_cause_name(cause));
    assert_int_equal(dt_outcome_alarms(&o),
                     cause == DT_CAUSE_BREAK_GLASS || cause == DT_CAUSE_BREAK_GLASS_REFUSED);
}

/* The policy denies everybody, and nothing is asked of Okta or Intune. */
static void it_gets_in_at_a_terminal(void **state)
{
    (void)state;
    expect((attempt){POLICY(DENY), "rescue", false, 0, NULL}, DT_ALLOW, DT_CAUSE_BREAK_GLASS);
    expect((attempt){POLICY(DENY), "Rescue2", false, 0, NULL}, DT_ALLOW, DT_CAUSE_BREAK_GLASS);
}

/* The policy allows everybody: it is not asked. */
static void it_is_refused_elsewhere(void **state)
{
    (void)state;
    expect((attempt){POLICY(ALLOW), "rescue", true, 0, NULL}, DT_DENY,
           DT_CAUSE_BREAK_GLASS_REFUSED);
    expect((attempt){POLICY(ALLOW), "RESCUE", true, 0, NULL}, DT_DENY,
           DT_CAUSE_BREAK_GLASS_REFUSED);
    expect((attempt){POLICY(ALLOW), "rescue@example.com", true, 0, NULL}, DT_DENY,
           DT_CAUSE_BREAK_GLASS_REFUSED);
}

static void it_is_refused_after_its_time(void **state)
{
    dt_time until;

    (void)state;
    assert_int_equal(dt_break_glass_until(UNTIL, &until), DT_OK);
    expect((attempt){POLICY(ALLOW), "rescue", false, until - WORLD_START - 1, NULL}, DT_ALLOW,
           DT_CAUSE_BREAK_GLASS);
    expect((attempt){POLICY(ALLOW), "rescue", false, until - WORLD_START, NULL}, DT_DENY,
           DT_CAUSE_BREAK_GLASS_REFUSED);
    expect((attempt){POLICY(ALLOW), "rescue", false, DT_DAYS(4000), NULL}, DT_DENY,
           DT_CAUSE_BREAK_GLASS_REFUSED);
    /* A clock that is at its beginning says nothing. */
    expect((attempt){POLICY(ALLOW), "rescue", false, -WORLD_START, NULL}, DT_DENY,
           DT_CAUSE_BREAK_GLASS_REFUSED);
}

static void others_go_by_the_policy(void **state)
{
    static char const *const names[] = {"ann", "rescue3", "rescu", "PARTNER\\rescue", "root"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        dt_outcome o = sign_on(&(attempt){POLICY(DENY), names[i], false, 0, NULL});

        assert_int_equal(o.result, DT_DENY);
        assert_false(dt_outcome_alarms(&o));
    }
    expect((attempt){POLICY(DENY), "rescue3", false, 0, NULL}, DT_DENY, DT_CAUSE_RULE_DENY);
}

/* Nobody but Okta would have checked the password. */
static void it_needs_a_password_of_this_host(void **state)
{
    (void)state;
    dt_outcome o = sign_on(&(attempt){POLICY(ALLOW), "rescue", false, 0, with_okta});

    assert_int_equal(o.result, DT_DENY);
    assert_int_equal(o.cause, DT_CAUSE_BREAK_GLASS_REFUSED);
    assert_null(strstr(o.message, "emergency"));
}

static void report_only_reports_it(void **state)
{
    (void)state;
    dt_outcome o = sign_on(&(attempt){POLICY(DENY), "rescue", false, 0, with_report});
    assert_int_equal(o.would, DT_WOULD_ALLOW);
    assert_int_equal(o.would_cause, DT_CAUSE_BREAK_GLASS);
    assert_true(dt_outcome_alarms(&o));
    o = sign_on(&(attempt){POLICY(ALLOW), "rescue", true, 0, with_report});
    assert_int_equal(o.would, DT_WOULD_DENY);
    assert_int_equal(o.would_cause, DT_CAUSE_BREAK_GLASS_REFUSED);
    assert_true(dt_outcome_alarms(&o));
}

static void the_person_and_the_administrator_are_told(void **state)
{
    (void)state;
    dt_outcome o = sign_on(&(attempt){POLICY(DENY), "rescue", false, 0, NULL});
    assert_non_null(strstr(o.message, "has been reported"));
    assert_non_null(strstr(o.detail, "tty1"));
    assert_non_null(strstr(o.detail, UNTIL));
    o = sign_on(&(attempt){POLICY(DENY), "rescue", true, 0, NULL});
    assert_null(strstr(o.message, "emergency"));
    assert_non_null(strstr(o.detail, "terminal of this host only"));
}

/* A machine that only looks up decides nothing. */
static void a_look_up_decides_nothing(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY(ALLOW), settings);
    r.user = "rescue";
    r.at_terminal = r.only_looks_up = true;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    world_close(&w);
}

static void nobody_is_one_by_accident(void **state)
{
    dt_config *c = NULL;
    dt_error e = {0};
    char const *why;
    dt_identity nobody = {0}, machine = {.kind = DT_IDENTITY_MACHINE};

    (void)state;
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    assert_int_equal(dt_break_glass_judge(c, &nobody, true, WORLD_START, &why),
                     DT_BREAK_GLASS_NO_ACCOUNT);
    assert_false(dt_break_glass_is_account(c, ""));
    assert_int_equal(dt_config_set(c, "f", 1, "break_glass", "users", "rescue", &e), DT_OK);
    snprintf(machine.local, sizeof(machine.local), "rescue");
    assert_int_equal(dt_break_glass_judge(c, &machine, true, WORLD_START, &why),
                     DT_BREAK_GLASS_NO_ACCOUNT);
    /* Without a time, as no configuration that loads has it, it has expired. */
    machine.kind = DT_IDENTITY_PERSON;
    assert_int_equal(dt_break_glass_judge(c, &machine, true, WORLD_START, &why),
                     DT_BREAK_GLASS_REFUSED);
    dt_config_free(&c);
}

static void times(void **state)
{
    static char const *const bad[] = {"",
                                      "2027-01-31",
                                      "2027-01-31T18:00",
                                      "tomorrow",
                                      "2027-02-30T18:00Z",
                                      "2027-01-31T25:00Z",
                                      "2027-01-31T18:00Z ",
                                      "0"};
    dt_time a, b;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(dt_break_glass_until(bad[i], &a), DT_E_PARSE);
    assert_int_equal(dt_break_glass_until("2027-01-31T18:00Z", &a), DT_OK);
    assert_int_equal(dt_break_glass_until("2027-01-31T19:00+01:00", &b), DT_OK);
    assert_true(a == b);
}

static void expect_fault(char const *section, char const *key, char const *text)
{
    char file[512];
    dt_config *c = NULL;
    dt_error e = {0};

    snprintf(file, sizeof(file), "[okta]\norg_url = https://example.okta.com\n[break_glass]\n%s",
             section);
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    assert_true(dt_ini_parse(dt_bytes_str(file), "f", c, &e) < 0);
    if (strstr(e.text, key) == NULL || strstr(e.text, text) == NULL)
        fail_msg("%s", e.text);
    dt_config_free(&c);
}

static void faults_of_the_configuration(void **state)
{
    (void)state;
    expect_fault("users = rescue\n", "[break_glass] until", "is missing");
    expect_fault("until = 2027-01-31T18:00Z\n", "[break_glass] until", "users is empty");
    expect_fault("users = rescue\nuntil = 2027-01-31\n", "f:5: [break_glass] until",
                 "is not a time");
    expect_fault("users = rescue\nuntil = 2027-01-31T18:00\n", "until", "Z or an offset");
    expect_fault("users = rescue@example.com\nuntil = 2027-01-31T18:00Z\n", "users", "local name");
    expect_fault("users = rescue, rescue\nuntil = 2027-01-31T18:00Z\n", "users", "twice");
    expect_fault("users = EXAMPLE\\rescue\nuntil = 2027-01-31T18:00Z\n", "users", "not a list");
}

/* --- exempt groups ------------------------------------------------------------------------------ */

#define EXEMPT                                                                                     \
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"exempt\",\"priority\":0,"    \
    "\"status\":\"ACTIVE\",\"conditions\":{\"people\":{\"groups\":{\"include\":[\"backup\"]}}},"   \
    "\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},{\"name\":\"last\",\"priority\":9,"       \
    "\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}"

static dt_outcome as_member(char const *group, dt_group_knowledge knowledge)
{
    world w;
    dt_request r;
    char const *const groups[] = {group};

    world_open(&w, EXEMPT, NULL);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", WORLD_TIMEOUT, "");
    r = with_certificate(&w);
    r.groups = groups;
    r.group_count = 1;
    r.group_knowledge = knowledge;
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    dt_outcome o = *world_outcome(&w);
    world_close(&w);
    return o;
}

/* Intune does not answer, and Okta is asked nothing. */
static void an_exempt_group_needs_no_device(void **state)
{
    dt_outcome o = as_member("backup", DT_GROUPS_KNOWN);

    (void)state;
    assert_int_equal(o.verdict.trust, DT_TRUST_UNKNOWN);
    assert_int_equal(o.cause, DT_CAUSE_RULE_ALLOW);
    assert_string_equal(o.decision.rule, "exempt");
    assert_int_equal(o.okta_calls, 0);
    assert_false(dt_outcome_alarms(&o));
    assert_int_equal(as_member("backups", DT_GROUPS_KNOWN).cause, DT_CAUSE_RULE_DENY);
    assert_int_equal(as_member("backup", DT_GROUPS_UNKNOWN).cause, DT_CAUSE_GROUPS_UNKNOWN);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(it_gets_in_at_a_terminal),
        cmocka_unit_test(it_is_refused_elsewhere),
        cmocka_unit_test(it_is_refused_after_its_time),
        cmocka_unit_test(others_go_by_the_policy),
        cmocka_unit_test(it_needs_a_password_of_this_host),
        cmocka_unit_test(report_only_reports_it),
        cmocka_unit_test(the_person_and_the_administrator_are_told),
        cmocka_unit_test(a_look_up_decides_nothing),
        cmocka_unit_test(nobody_is_one_by_accident),
        cmocka_unit_test(times),
        cmocka_unit_test(faults_of_the_configuration),
        cmocka_unit_test(an_exempt_group_needs_no_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
