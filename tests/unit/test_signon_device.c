/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Evidence and verdict of a device through the whole machine: who gets in without a prompt.
 * Each test runs twice: as it is, and with the machine saved and loaded before every step. */
#include "signon_policies.h"
#include "signon_world.h"

#include "core/device/device_record.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void test_trusted_device_sees_no_prompt(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->okta_calls, 0);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_TRUSTED);
    assert_string_equal(world_outcome(&w)->decision.rule, "trusted");
    /* Warm: nobody is asked at all. */
    w.now += DT_MINUTES(1);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->graph_calls, 0);
    assert_null(dt_signon_refresh_hint(w.machine));
    /* Near its end, a refresh is hinted at. */
    w.now += DT_MINUTES(13);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_non_null(dt_signon_refresh_hint(w.machine));
    world_close(&w);
}

/* Ann's own device, Bob's, a shared one without a user; and one that was given to Ann meanwhile. */
static void test_require_owner(void **state)
{
    static struct {
        char const *user;
        dt_reason reason;
    } const rows[] = {{"ann@example.com", DT_REASON_TRUSTED},
                      {"ANN@example.com", DT_REASON_TRUSTED},
                      {"bob@example.com", DT_REASON_NOT_OWNER},
                      {"", DT_REASON_NOT_OWNER}};
    static char const *const owner[] = {"device_trust", "require_owner", "yes", NULL};
    char reply[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;
        dt_request r;

        world_open(&w, ONLY_TRUSTED, owner);
        r = with_certificate(&w);
        snprintf(reply, sizeof(reply), "%.*s\"userPrincipalName\":\"%s\"}",
                 (int)(strstr(GRAPH_COMPLIANT, "\"userPrincipalName\"") - GRAPH_COMPLIANT),
                 GRAPH_COMPLIANT, rows[i].user);
        world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, reply);
        world_begin(&w, &r);
        world_run(&w);
        assert_int_equal(world_outcome(&w)->result,
                         rows[i].reason == DT_REASON_TRUSTED ? DT_ALLOW : DT_DENY);
        assert_int_equal(world_outcome(&w)->verdict.reason, rows[i].reason);
        /* From the cache it is the same, and costs nothing. */
        w.now += DT_SECONDS(30);
        world_begin(&w, &r);
        world_run(&w);
        assert_int_equal(world_outcome(&w)->verdict.reason, rows[i].reason);
        assert_int_equal(world_outcome(&w)->graph_calls, 0);
        /* Past negative_ttl, who was not the owner may be it by now. */
        w.now += DT_MINUTES(2);
        if (rows[i].reason == DT_REASON_NOT_OWNER)
            world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
        world_begin(&w, &r);
        world_run(&w);
        assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_TRUSTED);
        world_close(&w);
    }
}

/* Only the cache knows of it afterwards. */
static void test_what_only_looks_up_decides_nothing(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, NULL);
    r = with_certificate(&w);
    r.only_looks_up = true;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_true(dt_signon_only_looks_up(w.machine));
    assert_string_equal(world_outcome(&w)->decision.rule, "");
    assert_int_equal(world_outcome(&w)->verdict.trust, 0);
    r.only_looks_up = false;
    r.graph_calls = world_outcome(&w)->graph_calls;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->graph_calls, 1); /* the one that was made for it */
    world_all_used(&w);
    /* Without a proof nothing is asked. */
    w.now += DT_HOURS(1);
    r = with_certificate(&w);
    r.only_looks_up = true;
    r.handshake_finished = false;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_int_equal(world_outcome(&w)->graph_calls, 0);
    world_close(&w);
}

/* Not even where whoever passes is only reported on. */
static void test_what_only_looks_up_lets_nobody_pass(void **state)
{
    static char const *const report[] = {"policy", "report_only", "yes", NULL};
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, report);
    r = with_certificate(&w);
    r.only_looks_up = true;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 404, GRAPH_NOT_FOUND);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_false(dt_outcome_is_report_only(world_outcome(&w)));
    world_close(&w);
}

static void test_certificate_without_proof_is_not_trusted(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, ONLY_TRUSTED, NULL);
    r = with_certificate(&w);
    r.handshake_finished = false;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_NOT_TRUSTED);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_NO_PROOF_OF_POSSESSION);
    world_close(&w);
}

/* A rule that denies speaks for itself; what helps the device still follows. */
static void test_a_rule_tells_why_it_denies(void **state)
{
    static char const policy[] = POLICY(
        RULE("no", "1", "NOT_TRUSTED",
             "{\"access\":\"DENY\",\"message\":\"Use a managed device: https://help.example\"}"));
    world w;
    dt_request r;

    (void)state;
    world_open(&w, policy, NULL);
    r = with_certificate(&w);
    r.handshake_finished = false;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_memory_equal(world_outcome(&w)->message, "Use a managed device: https://help.example",
                        42);
    assert_null(strstr(world_outcome(&w)->message, "does not allow"));
    world_close(&w);
}

static void test_noncompliant_device_is_asked(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "does not meet"));
    assert_non_null(strstr(w.step.prompt->text, "42"));
    assert_int_equal(dt_signon_outcome(w.machine)->verdict.reason, DT_REASON_NOT_COMPLIANT);
    world_close(&w);
}

static void test_graph_down_is_unknown_not_trusted(void **state)
{
    static char const *const deny[] = {"policy", "unknown_device_as", "deny", NULL};
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, deny);
    r = with_certificate(&w);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 503, "busy");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_DENY, DT_CAUSE_DEVICE_UNKNOWN);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_UNKNOWN);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

static void test_stale_answer_within_its_limit(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, GUIDE, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    world_run(&w);
    w.now += DT_HOURS(2);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 0, "");
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_true(world_outcome(&w)->stale);
    /* Past stale_limit it counts for nothing. */
    w.now += DT_HOURS(25);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 0, "");
    expect_user_and_factors(&w, "[]");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_UNKNOWN);
    world_close(&w);
}

/* No old answer counts because of a failure of ours, which whoever has a reason may bring about. */
static void test_no_stale_answer_for_a_failure_of_ours(void **state)
{
    static dt_http_failure const failures[] = {DT_HTTP_PROXY_REFUSED, DT_HTTP_LOCAL,
                                               DT_HTTP_UNTRUSTED,     DT_HTTP_QUEUED,
                                               DT_HTTP_ABANDONED,     (dt_http_failure)99};

    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        world w;
        dt_request r;

        world_open(&w, GUIDE, NULL);
        r = with_certificate(&w);
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
        world_begin(&w, &r);
        world_run(&w);
        w.now += DT_HOURS(2);
        world_expect_failure(&w, DT_HTTP_GET, "/managedDevices/", failures[i]);
        expect_user_and_factors(&w, "[]");
        world_begin(&w, &r);
        world_run(&w);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
        assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_UNKNOWN);
        assert_false(world_outcome(&w)->stale);
        world_close(&w);
    }
}

static void test_a_cached_answer_of_another_device_is_not_used(void **state)
{
    world w;
    dt_request r;
    world_row *row;

    (void)state;
    world_open(&w, ONLY_TRUSTED, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    world_run(&w);
    row = world_find(&w, DT_TABLE_LOOKUP, WORLD_DEVICE);
    assert_non_null(row);
    memcpy(strstr(row->value, WORLD_DEVICE), "ffffffff", 8);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 404, GRAPH_NOT_FOUND);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_NOT_ENROLLED);
    assert_non_null(strstr(world_outcome(&w)->message, "https://enrol.example.com"));
    world_close(&w);
}

static void test_junk_certificate_costs_no_call(void **state)
{
    world w;
    dt_request r;

    (void)state;
    world_open(&w, ONLY_TRUSTED, NULL);
    r = with_certificate(&w);
    w.now += DT_DAYS(400); /* expired */
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_CERTIFICATE_EXPIRED);
    world_close(&w);
}

static void test_asserted_id_counts_only_where_named(void **state)
{
    static char const *const named[] = {"device_trust", "trusted_when", "vpn-client+intune", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    r.vpn_device_id = WORLD_DEVICE;
    world_open(&w, ONLY_TRUSTED, NULL);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    world_close(&w);
    world_open(&w, ONLY_TRUSTED, named);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_string_equal(world_outcome(&w)->verdict.key_id, "");
    world_close(&w);
}

static void test_host_certificate_needs_its_key(void **state)
{
    static uint8_t const junk[64] = {1, 2, 3};
    world w;
    dt_request r = world_request();

    (void)state;
    r.host_evidence = true;
    world_open(&w, ONLY_TRUSTED, WORLD_HOST_KEY);
    w.sign = (dt_sign_result){.text = "",
                              .certificate = dt_bytes_of(w.leaf, w.leaf_len),
                              .signature = dt_bytes_of(junk, sizeof(junk))};
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_NO_PROOF_OF_POSSESSION);
    w.sign = (dt_sign_result){.error = DT_E_NOT_FOUND, .text = "no key"};
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_NOT_TRUSTED);
    /* a token that is away: nobody knows whether this host is what it says */
    w.sign = (dt_sign_result){.error = DT_E_UNAVAILABLE, .text = "no token"};
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_UNKNOWN);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

static void test_broken_registry_is_unknown(void **state)
{
    static char const *const deny[] = {"policy", "unknown_device_as", "deny", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, deny);
    w.store_broken = true;
    r.ssh_auth_info = SSH_INFO;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_DEVICE_UNKNOWN);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

static void test_tampered_registry_record_gives_nothing(void **state)
{
    /* A key that sshd verified, filed under its fingerprint with the certificate of another key. */
    world w;
    dt_request r = world_request();
    dt_ssh_keys keys;
    dt_device_record record = {.added = WORLD_START};
    world_row *row;
    dt_buf b;

    (void)state;
    world_open(&w, ONLY_TRUSTED, NULL);
    assert_int_equal(dt_ssh_auth_info_parse(dt_bytes_str(SSH_INFO), &keys, NULL), 0);
    assert_int_equal(keys.count, 1);
    memcpy(record.der, w.leaf, w.leaf_len);
    record.der_len = w.leaf_len;
    row = &w.rows[0];
    dt_buf_init_fixed(&b, row->value, sizeof(row->value));
    assert_int_equal(dt_device_record_pack(&record, &b), 0);
    row->table = DT_TABLE_DEVICE;
    row->len = b.len;
    row->expires = DT_TIME_NEVER;
    dt_device_store_key(keys.items[0].fingerprint, row->key);
    r.ssh_auth_info = SSH_INFO;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_NOT_TRUSTED);
    assert_non_null(strstr(world_outcome(&w)->detail, "does not contain the SSH key"));
    world_close(&w);
}

/* --- the key of this host -------------------------------------------------------------------- */

static void test_host_certificate_with_its_key_is_proved(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, ONLY_TRUSTED, WORLD_HOST_KEY);
    w.host_signs = true;
    for (int i = 0; i < 3; i++) { /* whatever the nonce is */
        memset(r.random, i * 77, sizeof(r.random));
        r.host_evidence = true;
        if (i == 0)
            world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
        assert_int_equal(strlen(world_outcome(&w)->verdict.key_id), 64);
    }
    /* Not asked for: the certificate says nothing. */
    r.host_evidence = false;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    world_close(&w);
}

/* A signature over the nonce of another sign-on proves nothing. */
static void test_an_old_signature_proves_nothing(void **state)
{
    world w;
    dt_request r = world_request();
    dt_sign_request old = {{9}};

    (void)state;
    r.host_evidence = true;
    r.random[0] = 1;
    world_open(&w, ONLY_TRUSTED, WORLD_HOST_KEY);
    w.host_signs = true;
    world_begin(&w, &r);
    dt_signon_next(w.machine, w.now, &w.step);
    assert_int_equal(w.step.kind, DT_STEP_SIGN);
    assert_memory_equal(w.step.sign->nonce, r.random, DT_NONCE_LEN);
    w.step.sign = &old;
    world_step(&w);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_NO_PROOF_OF_POSSESSION);
    world_close(&w);
}

/* --- what the verdict is for ----------------------------------------------------------------- */

static void test_the_policy_sees_login_and_platform(void **state)
{
    static char const by_login[] =
        POLICY(PEOPLE("a", "1", "{\"users\":{\"include\":[\"ann@example.com\"]}}", ALLOW));
    static char const by_platform[] =
        POLICY("{\"name\":\"m\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{\"platform\":"
               "{\"include\":[{\"type\":\"DESKTOP\",\"os\":{\"type\":\"MACOS\"}}]}},\"actions\":{"
               "\"appSignOn\":" ALLOW "}}");
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, by_login, NULL);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    world_close(&w);
    world_open(&w, by_platform, NULL);
    r.platform_hint = DT_PLATFORM_MACOS;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    world_close(&w);
}

static void test_trust_where_few_platforms_are_enabled(void **state)
{
    static char const *const windows[] = {"device_trust", "platforms", "windows", NULL};
    static char const *const macos[] = {"device_trust", "platforms", "macos", NULL};
    world w;
    dt_request r;

    (void)state;
    for (int enabled = 0; enabled < 2; enabled++) {
        world_open(&w, ONLY_TRUSTED, enabled ? windows : macos);
        r = with_certificate(&w);
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
        world_begin(&w, &r);
        world_run(&w);
        if (enabled)
            assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
        else
            assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
        world_close(&w);
    }
}

/* --- when Intune is asked again -------------------------------------------------------------- */

/* Only what may pass by itself is asked again, and only while there is time. */
static void intune_says(int status, char const *body, dt_time limit, int calls)
{
    static char const *const deny[] = {"policy", "unknown_device_as", "deny", NULL};
    world w;
    dt_request r;

    world_open(&w, GUIDE, deny);
    r = with_certificate(&w);
    r.wait_limit = limit;
    for (int i = 0; i < calls; i++)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", status, body);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT) {
        assert_true(w.step.until < WORLD_START + limit);
        w.now = w.step.until;
    }
    assert_end(&w, DT_DENY, DT_CAUSE_DEVICE_UNKNOWN);
    world_close(&w);
}

static void test_when_intune_is_asked_again(void **state)
{
    (void)state;
    intune_says(503, "busy", DT_SECONDS(55), 3);
    intune_says(0, "", DT_SECONDS(55), 3);
    intune_says(429, "{}", DT_SECONDS(55), 3);
    intune_says(429, "{}", DT_SECONDS(1), 1);
    intune_says(WORLD_TIMEOUT, "", DT_SECONDS(55), 1);
    intune_says(401, "{}", DT_SECONDS(55), 1);
    intune_says(403, "{}", DT_SECONDS(55), 1);
    intune_says(200, "oops", DT_SECONDS(55), 1);
    intune_says(302, "", DT_SECONDS(55), 1);
}

static void test_each_look_up_has_its_own_retries(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    world_expect(&w, DT_HTTP_GET, "/users/ann", 503, "");
    world_expect(&w, DT_HTTP_GET, "/users/ann", 503, "");
    world_expect(&w, DT_HTTP_GET, "/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 503, "");
    world_expect(&w, DT_HTTP_GET, "/factors", 503, "");
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_int_equal(w.step.kind, DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_trusted_device_sees_no_prompt),
        cmocka_unit_test(test_require_owner),
        cmocka_unit_test(test_what_only_looks_up_decides_nothing),
        cmocka_unit_test(test_what_only_looks_up_lets_nobody_pass),
        cmocka_unit_test(test_certificate_without_proof_is_not_trusted),
        cmocka_unit_test(test_a_rule_tells_why_it_denies),
        cmocka_unit_test(test_noncompliant_device_is_asked),
        cmocka_unit_test(test_graph_down_is_unknown_not_trusted),
        cmocka_unit_test(test_stale_answer_within_its_limit),
        cmocka_unit_test(test_no_stale_answer_for_a_failure_of_ours),
        cmocka_unit_test(test_a_cached_answer_of_another_device_is_not_used),
        cmocka_unit_test(test_junk_certificate_costs_no_call),
        cmocka_unit_test(test_asserted_id_counts_only_where_named),
        cmocka_unit_test(test_host_certificate_needs_its_key),
        cmocka_unit_test(test_broken_registry_is_unknown),
        cmocka_unit_test(test_tampered_registry_record_gives_nothing),
        cmocka_unit_test(test_host_certificate_with_its_key_is_proved),
        cmocka_unit_test(test_an_old_signature_proves_nothing),
        cmocka_unit_test(test_when_intune_is_asked_again),
        cmocka_unit_test(test_the_policy_sees_login_and_platform),
        cmocka_unit_test(test_trust_where_few_platforms_are_enabled),
        cmocka_unit_test(test_each_look_up_has_its_own_retries),
    };

    return world_run_tests_twice("signon device", tests);
}
