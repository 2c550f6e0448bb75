/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step machine under a script and a fake clock: who gets in, who is asked, who is refused. Every
 * test runs twice: as it is, and with the machine saved and loaded before each step. */
#include "signon_world.h"

#include "core/device/device_record.h"
#include "core/signon/signon_internal.h" /* to make saved machines that could not have come about */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULE(name, priority, trust, action)                                                        \
    "{\"name\":\"" name "\",\"priority\":" priority ",\"status\":\"ACTIVE\","                      \
    "\"conditions\":{\"device\":{\"trust\":\"" trust "\"}},\"actions\":{\"appSignOn\":" action     \
    "}}"
#define ALLOW "{\"access\":\"ALLOW\"}"
#define DENY "{\"access\":\"DENY\"}"
#define MFA(frequency)                                                                             \
    "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"" frequency "\",\"factors\":"      \
    "[\"push\",\"token:software:totp\"]}}"
#define CATCH_ALL                                                                                  \
    "{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":{},"                  \
    "\"actions\":{\"appSignOn\":" DENY "}}"
#define POLICY(rules)                                                                              \
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[" rules "," CATCH_ALL "]}"

static char const GUIDE[] = POLICY(RULE("trusted", "1", "TRUSTED", ALLOW) "," RULE(
    "not trusted", "2", "NOT_TRUSTED", MFA("EVERY_SIGN_ON")));
static char const DAILY[] = POLICY(RULE("trusted", "1", "TRUSTED", MFA("ONCE_A_DAY")) "," RULE(
    "not trusted", "2", "NOT_TRUSTED", MFA("ONCE_A_DAY")));
static char const ONLY_TRUSTED[] = POLICY(RULE("trusted", "1", "TRUSTED", ALLOW));
static char const GROUPS[] =
    POLICY("{\"name\":\"staff\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{\"people\":"
           "{\"groups\":{\"include\":[\"Staff\"]}}},\"actions\":{\"appSignOn\":" ALLOW "}}");

/* One key, as sshd tells it. */
static char const SSH_INFO[] =
    "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8"
    "QERITFBUWFxgZGhscHR4f\n";

static bool saving;

static void open_world(world *w, char const *policy, char const *const *extra)
{
    world_open(w, policy, extra);
    w->save_each_step = saving;
}

static void assert_end(world *w, dt_result result, dt_cause cause)
{
    dt_outcome const *o = world_outcome(w);

    if (o->result != result || o->cause != cause)
        fail_msg("got %s %s (%s), wanted %s", o->result == DT_ALLOW ? "ALLOW" : "DENY",
                 dt_cause_name(o->cause), o->detail, dt_cause_name(cause));
    world_all_used(w);
}

static void expect_user_and_factors(world *w, char const *factors)
{
    world_expect(w, DT_HTTP_GET, "/api/v1/users/ann%40example.com", 200, OKTA_USER);
    world_expect(w, DT_HTTP_GET, "/api/v1/users/00u1/factors", 200, factors);
}

static void expect_push(world *w, char const *reply)
{
    expect_user_and_factors(w, OKTA_FACTORS);
    world_expect(w, DT_HTTP_POST, "/factors/opf1/verify", 201, reply);
}

static dt_request with_certificate(world const *w)
{
    dt_request r = world_request();

    r.certificate = dt_bytes_of(w->leaf, w->leaf_len);
    r.handshake_finished = true;
    return r;
}

/* --- trust ------------------------------------------------------------------------------------ */

static void test_trusted_device_sees_no_prompt(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, GUIDE, NULL);
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

        open_world(&w, ONLY_TRUSTED, owner);
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
    open_world(&w, GUIDE, NULL);
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
    open_world(&w, GUIDE, report);
    r = with_certificate(&w);
    r.only_looks_up = true;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 404, GRAPH_NOT_FOUND);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_false(dt_outcome_passes(world_outcome(&w)));
    world_close(&w);
}

static void test_certificate_without_proof_is_not_trusted(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, ONLY_TRUSTED, NULL);
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
    open_world(&w, policy, NULL);
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
    open_world(&w, GUIDE, NULL);
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
    open_world(&w, GUIDE, deny);
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
    open_world(&w, GUIDE, NULL);
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
    static dt_http_failure const failures[] = {DT_HTTP_LOCAL, DT_HTTP_UNTRUSTED, DT_HTTP_QUEUED,
                                               DT_HTTP_ABANDONED, (dt_http_failure)99};

    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        world w;
        dt_request r;

        open_world(&w, GUIDE, NULL);
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
    open_world(&w, ONLY_TRUSTED, NULL);
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
    open_world(&w, ONLY_TRUSTED, NULL);
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
    open_world(&w, ONLY_TRUSTED, NULL);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    world_close(&w);
    open_world(&w, ONLY_TRUSTED, named);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_string_equal(world_outcome(&w)->verdict.key_id, "");
    world_close(&w);
}

static void test_host_certificate_needs_its_key(void **state)
{
    static char const *const host[] = {"device_trust",
                                       "host_certificate_file",
                                       "/etc/devtrust/h.pem",
                                       "device_trust",
                                       "host_key_file",
                                       "/etc/devtrust/h.key",
                                       NULL};
    static uint8_t const junk[64] = {1, 2, 3};
    world w;
    dt_request r = world_request();

    (void)state;
    r.host_evidence = true;
    open_world(&w, ONLY_TRUSTED, host);
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
    open_world(&w, GUIDE, deny);
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
    open_world(&w, ONLY_TRUSTED, NULL);
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
    assert_non_null(strstr(world_outcome(&w)->detail, "does not hold the SSH key"));
    world_close(&w);
}

/* --- push ------------------------------------------------------------------------------------- */

static void test_push_with_number_approved(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT); /* the number is not there yet: no prompt */
    assert_non_null(strstr(w.last_body, "useNumberMatchingChallenge\":true"));
    assert_int_equal(w.step.until - w.now, DT_SECONDS(1));
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "42"));
    assert_non_null(strstr(w.step.prompt->text, "press Enter"));
    assert_false(w.step.suspend);
    assert_int_equal(world_show(&w), DT_STEP_WAIT);
    assert_true(w.step.prompt_open);
    assert_int_equal(w.step.until - w.now, DT_SECONDS(4));
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, ""), DT_STEP_DONE); /* Enter looks at once */
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->okta_calls, 3);
    assert_int_equal(world_outcome(&w)->polls, 3);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_PUSH);
    world_close(&w);
}

static void push_ends(int status, char const *reply, dt_result result, dt_cause cause)
{
    world w;
    dt_request r = world_request();

    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", status, reply);
    if (cause == DT_CAUSE_CONFIG) /* the push itself is still there: taken back */
        world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    world_wait(&w);
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_push_denied_timed_out_gone(void **state)
{
    (void)state;
    push_ends(200, OKTA_REJECTED, DT_DENY, DT_CAUSE_MFA_REJECTED);
    push_ends(200, OKTA_TIMEOUT, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    push_ends(200, "{\"factorResult\":\"CANCELLED\"}", DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    push_ends(401, OKTA_INVALID_TOKEN, DT_DENY, DT_CAUSE_CONFIG);
    push_ends(403, "{\"errorCode\":\"E0000006\",\"errorSummary\":\"not yours\"}", DT_DENY,
              DT_CAUSE_CONFIG);
}

/* What else Okta says of a push while it is waited for has a cause of its own. */
static void test_push_ends_for_other_reasons(void **state)
{
    static struct {
        int status;
        char const *reply;
        dt_cause cause;
    } const rows[] = {
        {200, "{\"factorResult\":\"LOCKED_OUT\"}", DT_CAUSE_MFA_LOCKED},
        {200, "{\"status\":\"LOCKED_OUT\"}", DT_CAUSE_MFA_LOCKED},
        {200, "{\"status\":\"LOCKED_OUT\",\"factorResult\":\"WAITING\"}", DT_CAUSE_MFA_LOCKED},
        {200, "{\"status\":\"LOCKED_OUT\",\"factorResult\":\"SUCCESS\"}", DT_CAUSE_MFA_LOCKED},
        {403, "{\"errorCode\":\"E0000069\",\"errorSummary\":\"locked\"}", DT_CAUSE_MFA_LOCKED},
        {403, "{\"errorCode\":\"E0000119\",\"errorSummary\":\"locked\"}", DT_CAUSE_MFA_LOCKED},
        {403, "{\"errorCode\":\"E0000073\",\"errorSummary\":\"no\"}", DT_CAUSE_MFA_REJECTED},
        {403, "{\"errorCode\":\"E0000152\",\"errorSummary\":\"device\"}", DT_CAUSE_OKTA_REFUSED},
        {403, "{\"errorCode\":\"E0000079\",\"errorSummary\":\"state\"}", DT_CAUSE_OKTA_REFUSED},
        {400, "{\"errorCode\":\"E0000001\",\"errorSummary\":\"form\"}", DT_CAUSE_OKTA_REFUSED},
        {403, "", DT_CAUSE_OKTA_REFUSED},
        {404, "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}",
         DT_CAUSE_MFA_NO_FACTOR},
        {410, "{\"errorCode\":\"E0000153\",\"errorSummary\":\"gone\"}", DT_CAUSE_MFA_NO_FACTOR},
        {410, "{\"errorCode\":\"E0000154\",\"errorSummary\":\"gone\"}", DT_CAUSE_MFA_NO_FACTOR},
        {423, "{\"errorCode\":\"E0000155\",\"errorSummary\":\"not active\"}",
         DT_CAUSE_OKTA_REFUSED},
        {423, "{\"errorCode\":\"E0000180\",\"errorSummary\":\"suspended\"}", DT_CAUSE_OKTA_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        push_ends(rows[i].status, rows[i].reply, DT_DENY, rows[i].cause);
}

static void test_poll_garbage_never_allows(void **state)
{
    static char const *const garbage[] = {OKTA_BROKEN,
                                          "",
                                          "{}",
                                          "[]",
                                          "null",
                                          "\"SUCCESS\"",
                                          "{\"factorResult\":\"success\"}",
                                          "{\"factorResult\":\"SUCCESS \"}",
                                          "{\"factorResult\":[\"SUCCESS\"]}",
                                          "{\"status\":\"SUCCESS\"}",
                                          "{\"factorResult\":\"CHALLENGE\"}",
                                          "{\"factorResult\":\"ERROR\"}",
                                          "{\"factorResult\":null}"};

    (void)state;
    for (size_t g = 0; g < sizeof(garbage) / sizeof(garbage[0]); g++) {
        world w;
        dt_request r = world_request();

        open_world(&w, GUIDE, NULL);
        expect_push(&w, OKTA_PUSH_NUMBER);
        world_begin(&w, &r);
        world_run(&w);
        world_show(&w);
        for (int i = 0; i < 6; i++)
            world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, garbage[g]);
        world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
        for (int i = 0; i < 6; i++)
            world_wait(&w);
        if (!dt_signon_is_done(w.machine))
            fail_msg("%s: still waiting", garbage[g]);
        assert_end(&w, DT_DENY, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
        world_close(&w);
    }
}

static void test_push_nobody_answers_is_cancelled(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    for (int i = 0; i < 13; i++)
        world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    while (!dt_signon_is_done(w.machine))
        world_wait(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    assert_int_equal(w.now - WORLD_START, DT_SECONDS(55));
    world_close(&w);
}

static void test_person_leaves(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

static void test_person_leaves_while_the_push_is_sent(void **state)
{
    world w;
    dt_request r = world_request();
    dt_step step;
    dt_http_response reply = {.failure = DT_HTTP_OK,
                              .status = 201,
                              .body = dt_bytes_str(OKTA_PUSH_NUMBER),
                              .error = "",
                              .rate_limit = -1,
                              .rate_remaining = -1,
                              .next_link = ""};

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    w.save_each_step = false;
    world_begin(&w, &r);
    for (;;) { /* up to the POST, by hand */
        dt_signon_next(w.machine, w.now, &step);
        if (step.kind == DT_STEP_HTTP && step.http->method == DT_HTTP_POST)
            break;
        if (step.kind == DT_STEP_STORE) {
            dt_store_result ok = {.status = DT_STORE_OK, .count = 1};
            if (step.store->verb == DT_STORE_GET)
                ok.status = DT_STORE_NOT_FOUND;
            dt_signon_store_done(w.machine, &ok, w.now);
        } else {
            dt_http_response one = reply;
            one.status = 200;
            one.body = dt_bytes_str(w.replies[w.reply_at++].body);
            dt_signon_http_done(w.machine, &one, w.now);
        }
    }
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_false(dt_signon_is_done(w.machine));
    dt_signon_http_done(w.machine, &reply, w.now);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

static void test_abandon_with_an_allowing_cause_denies(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_MFA_SUCCESS, w.now);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    world_close(&w);
}

static void test_push_is_never_sent_twice_blindly(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 500, OKTA_BROKEN);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    world_close(&w);
}

static void test_push_that_cannot_be_sent_falls_back_to_a_passcode(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 0, "");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "passcode"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* A link that leads to another person's or another factor's transaction is not followed. */
static void test_a_strangers_transaction_is_not_polled(void **state)
{
    static char const *const links[] = {
        "https://example.okta.com/api/v1/users/00u2/factors/opf1/transactions/t",
        "https://example.okta.com/api/v1/users/00u1/factors/opf2/transactions/t",
        "https://example.okta.com/api/v1/users/00u1/factors/opf1/verify",
        "https://example.okta.com.evil.example/api/v1/users/00u1/factors/opf1/transactions/t",
        "http://example.okta.com/api/v1/users/00u1/factors/opf1/transactions/t"};

    (void)state;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        world w;
        dt_request r = world_request();
        char body[512];

        snprintf(body, sizeof(body),
                 "{\"factorResult\":\"WAITING\",\"_links\":{\"poll\":{\"href\":\"%s\"}}}",
                 links[i]);
        open_world(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
        world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, body);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
        world_close(&w);
    }
}

static void test_rate_limit_is_obeyed(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 429, OKTA_RATE_LIMITED);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_true(w.step.until - w.now >= DT_SECONDS(3));
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 429, OKTA_RATE_LIMITED);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_true(w.step.until - w.now >= DT_SECONDS(3));
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_rate_limit_that_does_not_end_refuses(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 429, OKTA_RATE_LIMITED);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_RATE_LIMITED);
    world_close(&w);
}

static void test_push_limit_stops_fatigue(void **state)
{
    static char const *const two[] = {"mfa", "push_limit", "2", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, two);
    for (int i = 0; i < 3; i++) {
        char key[8];

        snprintf(key, sizeof(key), "key%d", i);
        r.push_key = key;
        if (i == 0)
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_PUSH);
        if (i < 2)
            world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
        world_begin(&w, &r);
        world_run(&w);
        if (i < 2) {
            world_show(&w);
            world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
            dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
            world_run(&w);
        }
    }
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_LIMIT);
    world_close(&w);
}

/* --- one push per person ---------------------------------------------------------------------- */

static void second_joins(char const *result, dt_result wanted, dt_cause cause)
{
    world w;
    dt_request r = world_request();
    dt_signon *first = calloc(1, dt_signon_size());
    dt_signon *second;
    dt_http_response reply = {.failure = DT_HTTP_OK,
                              .status = 200,
                              .body = dt_bytes_str(result),
                              .error = "",
                              .rate_limit = -1,
                              .rate_remaining = -1,
                              .next_link = ""};
    dt_step step;

    assert_non_null(first);
    r.conversation = DT_CONVERSATION_NONE;
    r.push_key = "ann|198.51.100.1|192.0.2.7";
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    memcpy(first, w.machine, dt_signon_size());
    /* The same person again, by another packet: no second POST is expected, so none may come. */
    r.id = "ffffffffffffffffffffffffffffffff";
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    /* The first one gets the answer and leaves it for the second. */
    second = w.machine;
    w.machine = first;
    dt_signon_next(first, w.now + DT_SECONDS(4), &step);
    assert_int_equal(step.kind, DT_STEP_HTTP);
    dt_signon_http_done(first, &reply, w.now + DT_SECONDS(4));
    world_run(&w);
    assert_int_equal(dt_signon_outcome(first)->result, wanted);
    w.machine = second;
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, wanted, cause);
    free(first);
    world_close(&w);
}

static void test_retransmit_joins_the_push(void **state)
{
    (void)state;
    second_joins(OKTA_SUCCESS, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    second_joins(OKTA_REJECTED, DT_DENY, DT_CAUSE_MFA_REJECTED);
    second_joins(OKTA_TIMEOUT, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    second_joins("{\"factorResult\":\"LOCKED_OUT\"}", DT_DENY, DT_CAUSE_MFA_LOCKED);
}

static void test_an_approved_push_is_not_used_again(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    r.push_key = "ann|nas|station";
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_begin(&w, &r);
    world_run(&w);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    /* A second later a new sign-on asks anew. */
    w.now += DT_SECONDS(1);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    world_close(&w);
}

static void test_a_push_of_another_person_is_not_joined(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    r.push_key = "same key by a mistake of the administrator";
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    world_run(&w);
    r.user = "bob";
    world_expect(
        &w, DT_HTTP_GET, "/api/v1/users/bob%40example.com", 200,
        "{\"id\":\"00u1\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"bob@example.com\"}}");
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    world_close(&w);
}

/* --- passcode --------------------------------------------------------------------------------- */

static void test_passcode_while_the_push_is_pending(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    assert_int_equal(world_answer(&w, " 123456\n"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_TOTP);
    world_close(&w);
}

static void test_wrong_passcodes_are_counted(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "000000"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "not accepted"));
    world_show(&w);
    assert_int_equal(world_answer(&w, "not a code"), DT_STEP_PROMPT); /* costs no call */
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

static void passcode_reply(int status, char const *reply)
{
    static char const *const once[] = {
        "mfa", "passcode_attempts", "1", "policy", "okta_unavailable", "deny", NULL};
    world w;
    dt_request r = world_request();

    open_world(&w, GUIDE, once);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", status, reply);
    world_answer(&w, "123456");
    assert_true(dt_signon_is_done(w.machine));
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    world_close(&w);
}

static void test_only_exactly_success_lets_a_passcode_in(void **state)
{
    (void)state;
    passcode_reply(200, "{\"factorResult\":\"CHALLENGE\"}");
    passcode_reply(200, "{\"factorResult\":\"WAITING\"}");
    passcode_reply(200, "{\"factorResult\":\"PASSCODE_REPLAYED\"}");
    passcode_reply(200, "{\"factorResult\":\"TIME_WINDOW_EXCEEDED\"}");
    passcode_reply(200, "{\"factorResult\":\"SUCCEEDED\"}");
    passcode_reply(200, "{}");
    passcode_reply(200, "");
    passcode_reply(200, OKTA_BROKEN);
    passcode_reply(403, "{\"errorCode\":\"E0000082\",\"errorSummary\":\"used\"}");
    passcode_reply(403, "{\"errorCode\":\"E0000069\",\"errorSummary\":\"locked\"}");
    passcode_reply(403, OKTA_SUCCESS);
    passcode_reply(500, OKTA_SUCCESS);
    passcode_reply(302, OKTA_SUCCESS);
    passcode_reply(0, OKTA_SUCCESS);
}

static void test_passcode_given_along(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = "123456";
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    w.save_each_step = false; /* a saved machine holds no passcode */
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

/* --- challenge conversation ------------------------------------------------------------------- */

static void test_challenge_for_a_passcode_survives_saving(void **state)
{
    world w;
    dt_request r = world_request();
    dt_buf b;

    (void)state;
    r.conversation = DT_CONVERSATION_CHALLENGE;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_true(w.step.suspend);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &b), 0);
    memset(w.machine, 0, dt_signon_size());
    w.now += DT_MINUTES(3);
    assert_int_equal(dt_signon_load(w.machine, &w.site, dt_buf_bytes(&b)), 0);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    dt_buf_free(&b);
    world_close(&w);
}

static void test_silent_push_asks_for_no_number(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_CHALLENGE;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_null(strstr(w.last_body, "useNumberMatchingChallenge\":true"));
    /* The org forces a number all the same: then it is shown by a challenge. */
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    assert_true(w.step.suspend);
    assert_non_null(strstr(w.step.prompt->text, "42"));
    world_close(&w);
}

static void test_number_where_nothing_can_be_shown_is_refused(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    assert_non_null(strstr(world_outcome(&w)->detail, "number challenge"));
    world_close(&w);
}

/* --- where it is not known whether a prompt is seen ------------------------------------------------- */

/* Until the push, or its absence: the person's factors are known by now. */
static void begin_unproven(world *w, dt_conversation conversation, char const *factors)
{
    dt_request r = world_request();

    r.conversation = conversation;
    r.prompts_unproven = true;
    open_world(w, GUIDE, NULL);
    expect_user_and_factors(w, factors);
    world_begin(w, &r);
}

static void offer(world *w)
{
    begin_unproven(w, DT_CONVERSATION_LIVE, OKTA_FACTORS);
    assert_int_equal(world_run(w), DT_STEP_PROMPT);
    assert_non_null(strstr(w->step.prompt->text, "Press Enter to be sent a push"));
    assert_non_null(strstr(w->step.prompt->text, "passcode"));
    assert_int_equal(world_show(w), DT_STEP_WAIT);
}

static void test_offered_push_is_sent_after_enter(void **state)
{
    world w;

    (void)state;
    offer(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "42"));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, ""), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_offered_push_takes_a_passcode(void **state)
{
    world w;

    (void)state;
    offer(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    /* The push is still offered. */
    assert_non_null(strstr(w.step.prompt->text, "Press Enter to be sent a push"));
    assert_non_null(strstr(w.step.prompt->note, "not accepted"));
    world_show(&w);
    assert_int_equal(world_answer(&w, "what?"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "not a passcode"));
    assert_non_null(strstr(w.step.prompt->text, "Press Enter to be sent a push"));
    world_show(&w);
    assert_int_equal(world_answer(&w, "x"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

/* Whatever ends it before an answer, no push was sent: world_close would miss its request. */
static void test_unanswered_offer_sends_no_push(void **state)
{
    world w;

    (void)state;
    offer(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_PROMPT);
    assert_non_null(strstr(world_outcome(&w)->message, "nothing can be asked here"));
    world_close(&w);
    offer(&w);
    w.now += DT_MINUTES(5);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    world_close(&w);
    /* A passcode is asked for by a prompt that sends nothing; once one was answered, the person left. */
    begin_unproven(&w, DT_CONVERSATION_LIVE, OKTA_FACTORS_TOTP);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_PROMPT);
    world_close(&w);
    offer(&w);
    world_answer(&w, "what?");
    world_show(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

static void test_nobody_to_ask_sends_no_push(void **state)
{
    static char const *const factors[] = {OKTA_FACTORS, OKTA_FACTORS_PUSH, OKTA_FACTORS_TOTP};
    world w;

    (void)state;
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        begin_unproven(&w, DT_CONVERSATION_NONE, factors[i]);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_PROMPT);
        assert_non_null(strstr(world_outcome(&w)->detail, "no push was sent"));
        world_close(&w);
    }
}

static void test_offer_survives_saving(void **state)
{
    dt_buf b;
    world w;

    (void)state;
    offer(&w);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &b), DT_OK);
    assert_int_equal(dt_signon_load(w.machine, &w.site, dt_bytes_of(b.p, b.len)), DT_OK);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    dt_buf_free(&b);
    world_close(&w);
}

/* --- remembered MFA --------------------------------------------------------------------------- */

static void test_remembered_for_a_day_on_the_proved_key_only(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, DAILY, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    /* Later the same day. */
    w.now += DT_MINUTES(9);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_REMEMBERED);
    /* The same person without the key: asked. */
    r = world_request();
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/00u1/factors", 200, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

/* --- failing ---------------------------------------------------------------------------------- */

static void okta_down(char const *as, bool trusted, dt_result result, dt_cause cause)
{
    char const *extra[] = {"policy", "okta_unavailable", as, NULL};
    world w;
    dt_request r;

    open_world(&w, DAILY, extra);
    r = trusted ? with_certificate(&w) : world_request();
    if (trusted)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 0, "");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_okta_down_is_as_configured(void **state)
{
    (void)state;
    okta_down("deny", true, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    okta_down("deny", false, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    okta_down("allow_trusted", true, DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW);
    okta_down("allow_trusted", false, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    okta_down("allow", false, DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW);
}

static void test_okta_down_after_a_refusal_does_not_allow(void **state)
{
    static char const *const allow[] = {"policy", "okta_unavailable", "allow", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, allow);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    world_answer(&w, "000000");
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 503, OKTA_BROKEN);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    world_close(&w);
}

/* Odd answers are answers: the absence of Okta that follows does not let anybody in. */
static void odd_passcode_reply(int status, char const *body)
{
    static char const *const allow[] = {
        "policy", "okta_unavailable", "allow", "mfa", "passcode_attempts", "1", NULL};
    world w;
    dt_request r = world_request();

    open_world(&w, GUIDE, allow);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", status, body);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    world_all_used(&w);
    world_close(&w);
}

static void test_odd_answers_to_a_passcode_never_allow(void **state)
{
    (void)state;
    odd_passcode_reply(200, "{\"factorResult\":\"CHALLENGE\"}");
    odd_passcode_reply(201, OKTA_SUCCESS);
    odd_passcode_reply(403, OKTA_SUCCESS);
    odd_passcode_reply(403, OKTA_BROKEN);
    odd_passcode_reply(403, "");
    odd_passcode_reply(403, "{}");
    odd_passcode_reply(400, OKTA_WRONG_CODE);
    odd_passcode_reply(401, OKTA_INVALID_TOKEN);
    odd_passcode_reply(404, "{\"errorCode\":\"E0000007\",\"errorSummary\":\"no factor\"}");
    odd_passcode_reply(423, "{\"errorCode\":\"E0000180\",\"errorSummary\":\"suspended\"}");
}

static void odd_push_reply(int status, char const *body)
{
    static char const *const allow[] = {"policy", "okta_unavailable", "allow", NULL};
    world w;
    dt_request r = world_request();

    open_world(&w, GUIDE, allow);
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", status, body);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    world_close(&w);
}

static void test_odd_answers_to_a_push_never_allow(void **state)
{
    (void)state;
    odd_push_reply(200, OKTA_SUCCESS);
    odd_push_reply(201, OKTA_SUCCESS);
    odd_push_reply(200, "{\"factorResult\":\"CHALLENGE\"}");
    odd_push_reply(201, "{\"factorResult\":\"WAITING\"}"); /* nothing to poll */
    odd_push_reply(403, "");
    odd_push_reply(403, OKTA_BROKEN);
    odd_push_reply(403, "{\"errorCode\":\"E0000079\",\"errorSummary\":\"no\"}");
    odd_push_reply(400, "{\"errorCode\":\"E0000001\",\"errorSummary\":\"no\"}");
    odd_push_reply(423, "{\"errorCode\":\"E0000155\",\"errorSummary\":\"not active\"}");
    odd_push_reply(404, "{\"errorCode\":\"E0000007\",\"errorSummary\":\"no factor\"}");
    odd_push_reply(401, OKTA_INVALID_TOKEN);
}

static void okta_user_refused(int status, char const *body, dt_cause cause)
{
    static char const *const allow[] = {"policy", "okta_unavailable", "allow", NULL};
    world w;
    dt_request r = world_request();

    open_world(&w, GUIDE, allow); /* even then: these are answers, not absence */
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", status, body);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, cause);
    world_close(&w);
}

static void test_okta_user_that_may_not(void **state)
{
    (void)state;
    okta_user_refused(404, "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}",
                      DT_CAUSE_OKTA_REFUSED);
    okta_user_refused(200, "{\"id\":\"00u1\",\"status\":\"SUSPENDED\"}", DT_CAUSE_OKTA_REFUSED);
    okta_user_refused(200, "{\"id\":\"00u1\",\"status\":\"DEPROVISIONED\"}", DT_CAUSE_OKTA_REFUSED);
    okta_user_refused(200, "{\"id\":\"00u1\",\"status\":\"active\"}", DT_CAUSE_OKTA_REFUSED);
    okta_user_refused(200,
                      "{\"id\":\"00u2\",\"status\":\"ACTIVE\",\"profile\":{\"login\":"
                      "\"ann@example.org\"}}",
                      DT_CAUSE_OKTA_REFUSED);
    okta_user_refused(401, OKTA_INVALID_TOKEN, DT_CAUSE_CONFIG);
}

static void test_broken_store_asks_for_mfa(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, DAILY, NULL);
    w.store_broken = true;
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_non_null(strstr(world_outcome(&w)->detail, "disk I/O error"));
    world_close(&w);
}

static void test_no_policy_is_a_config_fault(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    w.site.policy = NULL;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_CONFIG);
    world_close(&w);
}

static void test_names_that_do_not_fit_are_refused(void **state)
{
    world w;
    dt_request r = world_request();
    char longest[600];

    (void)state;
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    open_world(&w, GUIDE, NULL);
    r.user = longest;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_USER_NAME);
    r.user = "";
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_USER_NAME);
    world_close(&w);
}

static void test_results_out_of_order_deny(void **state)
{
    world w;
    dt_request r = world_request();
    dt_http_response reply = {
        .status = 200, .body = dt_bytes_str(OKTA_SUCCESS), .error = "", .next_link = ""};
    dt_store_result stored = {.status = DT_STORE_OK};
    dt_sign_result signed_ = {.text = ""};

    (void)state;
    for (int i = 0; i < 4; i++) {
        open_world(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        if (i == 0)
            dt_signon_http_done(w.machine, &reply, w.now);
        if (i == 1)
            dt_signon_store_done(w.machine, &stored, w.now);
        if (i == 2)
            dt_signon_sign_done(w.machine, &signed_, w.now);
        if (i == 3) {
            dt_signon_prompt_shown(w.machine, w.now);
            dt_signon_answer(w.machine, dt_bytes_str("1"), w.now);
            dt_signon_prompt_shown(w.machine, w.now);
            dt_signon_answer(w.machine, dt_bytes_str("2"), w.now);
            dt_signon_prompt_shown(w.machine, w.now);
            dt_signon_answer(w.machine, dt_bytes_str("3"), w.now);
        }
        world_run(&w);
        assert_true(dt_signon_is_done(w.machine));
        assert_int_equal(dt_signon_outcome(w.machine)->result, DT_DENY);
        world_close(&w);
    }
}

/* --- groups ----------------------------------------------------------------------------------- */

/* Of a name that a rule says and a group has that is not Okta's own, the org is asked which groups have it. */
#define ASKED_STAFF                                                                                \
    "example.okta.com/api/v1/groups?limit=200&search=profile.name%20eq%20%22Staff%22"
#define ONE_STAFF "[{\"id\":\"00g1\",\"profile\":{\"name\":\"Staff\"}}]"

static void test_groups_from_okta(void **state)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GROUPS, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200,
                 "[{\"id\":\"00g1\",\"profile\":{\"name\":\"Staff\"}},"
                 "{\"id\":\"00g2\",\"profile\":{\"name\":\"Everyone\"}}]");
    world_expect(&w, DT_HTTP_GET, ASKED_STAFF, 200, ONE_STAFF);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    world_begin(&w, &r); /* cached */
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->okta_calls, 0);
    world_close(&w);
}

static void test_groups_that_cannot_be_had_deny(void **state)
{
    static char const *const okta[] = {"policy",           "groups_from", "okta", "policy",
                                       "okta_unavailable", "allow",       NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GROUPS, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 503, OKTA_BROKEN);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    world_close(&w);
    open_world(&w, GROUPS, NULL);
    r.group_knowledge = DT_GROUPS_UNKNOWN;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    world_close(&w);
}

/* --- saving ----------------------------------------------------------------------------------- */

static void test_a_saved_machine_must_be_whole(void **state)
{
    world w;
    dt_request r = world_request();
    dt_signon *copy = calloc(1, dt_signon_size());
    uint8_t *bytes;
    dt_buf b;

    (void)state;
    assert_non_null(copy);
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &b), 0);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(dt_signon_load(copy, &w.site, dt_bytes_of(b.p, len)), DT_E_PARSE);
    bytes = malloc(b.len + 1);
    assert_non_null(bytes);
    memcpy(bytes, b.p, b.len);
    bytes[b.len] = 0;
    assert_int_equal(dt_signon_load(copy, &w.site, dt_bytes_of(bytes, b.len + 1)), DT_E_PARSE);
    /* Any single changed byte: refused, or a machine that has not allowed anything. */
    for (size_t i = 0; i < b.len; i++) {
        bytes[i] ^= 0x01;
        if (dt_signon_load(copy, &w.site, dt_bytes_of(bytes, b.len)) == DT_OK)
            assert_int_not_equal(dt_signon_outcome(copy)->result, DT_ALLOW);
        bytes[i] ^= 0x01;
    }
    free(bytes);
    free(copy);
    dt_buf_free(&b);
    world_close(&w);
}

static void test_a_saved_machine_holds_no_passcode(void **state)
{
    world w;
    dt_request r = world_request();
    dt_buf b;

    (void)state;
    r.passcode = "918273";
    open_world(&w, GUIDE, NULL);
    w.save_each_step = false;
    world_begin(&w, &r);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &b), 0);
    assert_null(memmem(b.p, b.len, "918273", 6));
    dt_buf_free(&b);
    world_close(&w);
}

static void test_explain_asks_nobody_for_mfa(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.explain = true;
    open_world(&w, GUIDE, NULL);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    world_all_used(&w);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    assert_int_equal(world_outcome(&w)->decision.access, DT_ACCESS_ALLOW_AFTER_MFA);
    assert_string_equal(world_outcome(&w)->decision.rule, "not trusted");
    world_close(&w);
}

static void test_refresh_fills_the_cache(void **state)
{
    world w;
    dt_request r;
    dt_guid id;

    (void)state;
    open_world(&w, GUIDE, NULL);
    assert_int_equal(dt_guid_parse(dt_bytes_str(WORLD_DEVICE), &id), 0);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    dt_signon_begin_refresh(w.machine, &w.site, &id, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    r = with_certificate(&w);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->graph_calls, 0);
    world_close(&w);
}

/* --- coming too late -------------------------------------------------------------------------- */

/* Performs steps by hand up to an HTTPS request, which it leaves under way. */
static void run_to_http(world *w, dt_http_method method, char const *url_part)
{
    for (int i = 0; i < 100; i++) {
        dt_signon_next(w->machine, w->now, &w->step);
        if (w->step.kind == DT_STEP_HTTP && w->step.http->method == method &&
            strstr(w->step.http->url, url_part))
            return;
        world_step(w);
    }
    fail_msg("%s was never asked", url_part);
}

static void reply(world *w, int status, char const *body)
{
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .status = status,
                          .body = dt_bytes_str(body),
                          .error = "",
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .next_link = ""};

    if (status == 0)
        r.failure = DT_HTTP_ABANDONED;
    dt_signon_http_done(w->machine, &r, w->now);
}

static void test_success_after_the_person_left_lets_nobody_in(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    w.now = w.step.until;
    run_to_http(&w, DT_HTTP_GET, "/transactions/v2mst1");
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_false(dt_signon_is_done(w.machine));
    reply(&w, 200, OKTA_SUCCESS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

/* The driver's stop is no outage of Okta's, whatever okta_unavailable says. */
static void test_a_stop_is_no_outage(void **state)
{
    static char const *const allow[] = {"policy", "okta_unavailable", "allow", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, allow);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    run_to_http(&w, DT_HTTP_POST, "/factors/ost1/verify");
    dt_signon_abandon(w.machine, DT_CAUSE_BUSY, w.now);
    reply(&w, 0, "");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_BUSY);
    world_close(&w);
}

static void test_person_leaves_while_the_end_is_written(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    run_to_http(&w, DT_HTTP_POST, "/factors/ost1/verify");
    reply(&w, 200, OKTA_SUCCESS);
    run_to_http(&w, DT_HTTP_DELETE, "/transactions/mst1");
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    reply(&w, 204, "");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

/* --- running out of time ---------------------------------------------------------------------- */

/* Whoever waits until a request has no time left must not get in by its time-out. */
static void test_a_request_cut_short_is_no_outage(void **state)
{
    static char const *const allow[] = {"policy", "okta_unavailable", "allow", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, allow);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    w.now += DT_SECONDS(54);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", WORLD_TIMEOUT, "");
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    world_close(&w);
}

static void test_a_push_cut_short_is_no_outage(void **state)
{
    static char const *const allow[] = {"policy", "okta_unavailable", "allow", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    r.wait_limit = DT_SECONDS(5);
    open_world(&w, GUIDE, allow);
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", WORLD_TIMEOUT, "");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    world_close(&w);
}

/* A network that swallows everything, at the shortest wait of all: that is an outage. */
static void test_an_outage_is_seen_within_a_short_wait(void **state)
{
    static char const *const allow[] = {"policy", "okta_unavailable", "allow", NULL};
    world w;
    dt_request r;

    (void)state;
    open_world(&w, GUIDE, allow);
    r = with_certificate(&w);
    r.wait_limit = DT_SECONDS(25);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", WORLD_TIMEOUT, "");
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", WORLD_TIMEOUT, "");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW);
    world_close(&w);
}

static void test_groups_cut_short_are_not_known(void **state)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    r.wait_limit = DT_SECONDS(5);
    open_world(&w, GROUPS, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", WORLD_TIMEOUT, "");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    world_close(&w);
}

static void test_no_push_is_sent_when_the_time_is_over(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    world_begin(&w, &r);
    run_to_http(&w, DT_HTTP_GET, "/users/ann");
    reply(&w, 200, OKTA_USER);
    run_to_http(&w, DT_HTTP_GET, "/factors");
    w.now += r.wait_limit;
    reply(&w, 200, OKTA_FACTORS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    assert_null(world_find(&w, DT_TABLE_PUSH_COUNT, ""));
    world_close(&w);
}

/* --- what the store says of pushes and of MFA ------------------------------------------------- */

static void test_push_limit_holds_for_every_spelling(void **state)
{
    static char const *const one[] = {"mfa", "push_limit", "1", NULL};
    static char const *const spellings[] = {"ann", "ANN", "ann@example.com", "Ann@Example.COM"};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, one);
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        r.user = r.push_key = spellings[i];
        if (i == 0) /* they are one login */
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_PUSH);
        if (i == 0)
            world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
        world_begin(&w, &r);
        if (world_run(&w) == DT_STEP_PROMPT) {
            world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
            dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
            world_run(&w);
        } else {
            assert_end(&w, DT_DENY, DT_CAUSE_MFA_LIMIT);
        }
    }
    world_close(&w);
}

static void test_no_push_at_all_holds_without_a_store(void **state)
{
    static char const *const none[] = {"mfa", "push_limit", "0", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, none);
    w.store_broken = true;
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_LIMIT);
    world_close(&w);
}

#define TRANSACTION "https://example.okta.com/api/v1/users/00u1/factors/opf1/transactions/t"
#define STRANGERS "https://example.okta.com/api/v1/users/00u2/factors/opf9/transactions/t"

enum { STARTING = 1, WAITING, APPROVED, REJECTED, OVER, LOCKED };

/* Puts a push's record under the key that the machine is about to claim or has joined. */
static void put_push(world *w, int state, char const *login, char const *owner, char const *poll,
                     char const *cancel)
{
    world_row *row = world_find(w, DT_TABLE_PUSH, "push:");

    if (!row)
        row = &w->rows[WORLD_ROWS_MAX - 1];
    row->table = DT_TABLE_PUSH;
    if (!row->key[0])
        memcpy(row->key, w->step.store->key, sizeof(row->key));
    row->len = (size_t)snprintf(row->value, sizeof(row->value),
                                "{\"v\":1,\"state\":%d,\"number\":-1,\"at\":%lld,\"login\":\"%s\","
                                "\"owner\":\"%s\",\"share\":\"%s\",\"poll\":\"%s\",\"cancel\":"
                                "\"%s\"}",
                                state, state == REJECTED ? (long long)w->now : 0, login, owner,
                                w->machine->push_key, poll, cancel);
    row->expires = w->now + DT_MINUTES(1);
}

/* A sign-on of ann that is about to claim her push. */
static void run_to_claim(world *w, dt_request *r)
{
    r->conversation = DT_CONVERSATION_NONE;
    r->push_key = "ann|nas|station";
    expect_user_and_factors(w, OKTA_FACTORS);
    world_begin(w, r);
    for (int i = 0; i < 100; i++) {
        dt_signon_next(w->machine, w->now, &w->step);
        if (w->step.kind == DT_STEP_STORE && w->step.store->table == DT_TABLE_PUSH)
            return;
        world_step(w);
    }
    fail_msg("no push was claimed");
}

typedef enum found { JOINS, SENDS, ASKS_NOBODY } found;

/* What of a record lets a sign-on join, what makes it send a push of its own, and what lets it do neither:
 * a push of this person that is not known to be over. */
static void found_record(int state, char const *login, char const *poll, char const *cancel,
                         found wanted)
{
    world w;
    dt_request r = world_request();

    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, state, login, "f", poll, cancel);
    if (wanted == SENDS)
        world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    assert_int_equal(world_run(&w), wanted == ASKS_NOBODY ? DT_STEP_DONE : DT_STEP_WAIT);
    if (wanted == ASKS_NOBODY)
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_PUSH_PENDING);
    world_all_used(&w);
    world_close(&w);
}

static void test_only_ones_own_push_is_joined(void **state)
{
    (void)state;
    found_record(STARTING, "ann@example.com", "", "", JOINS);
    found_record(WAITING, "ann@example.com", TRANSACTION, TRANSACTION, JOINS);
    found_record(WAITING, "ANN@example.com", TRANSACTION, TRANSACTION, JOINS);
    found_record(WAITING, "ann@example.com", "", "", ASKS_NOBODY);
    found_record(WAITING, "ann@example.com", STRANGERS, "", ASKS_NOBODY);
    found_record(WAITING, "ann@example.com", TRANSACTION, STRANGERS, ASKS_NOBODY);
    found_record(WAITING, "ann@example.com", "https://example.okta.com/api/v1/users/me", "",
                 ASKS_NOBODY);
    found_record(STARTING, "bob@example.com", "", "", SENDS);
    found_record(WAITING, "bob@example.com", TRANSACTION, "", SENDS);
    found_record(REJECTED, "bob@example.com", TRANSACTION, "", SENDS);
    found_record(APPROVED, "ann@example.com", TRANSACTION, "", SENDS);
    found_record(OVER, "ann@example.com", "", "", SENDS);
    found_record(LOCKED, "ann@example.com", "", "", SENDS);
}

static void test_a_refusal_of_a_moment_ago_stands(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, REJECTED, "ann@example.com", "f", TRANSACTION, "");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
    world_close(&w);
}

/* What a sign-on that has joined makes of the record that it finds later. */
static void joined_finds(int state, char const *login, char const *owner, char const *poll,
                         dt_result result, dt_cause cause)
{
    world w;
    dt_request r = world_request();

    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, STARTING, "ann@example.com", "f", "", "");
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    put_push(&w, state, login, owner, poll, "");
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_a_joined_push_must_stay_the_same(void **state)
{
    (void)state;
    joined_finds(APPROVED, "ann@example.com", "f", TRANSACTION, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    joined_finds(APPROVED, "ann@example.com", "g", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(APPROVED, "bob@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(APPROVED, "ann@example.com", "f", STRANGERS, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(APPROVED, "ann@example.com", "f", "", DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(WAITING, "ann@example.com", "f", STRANGERS, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(WAITING, "ann@example.com", "f", "", DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(OVER, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(REJECTED, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_REJECTED);
    joined_finds(LOCKED, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_LOCKED);
    joined_finds(LOCKED, "ann@example.com", "g", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(LOCKED + 1, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(0, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
}

/* The one that claimed it died before it was sent: whoever joined does not wait for ever. */
static void test_a_push_whose_owner_died_ends(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, STARTING, "ann@example.com", "f", "", "");
    world_find(&w, DT_TABLE_PUSH, "push:")->expires = DT_TIME_NEVER;
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    while (!dt_signon_is_done(w.machine))
        world_wait(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    assert_int_equal(w.now, WORLD_START + r.wait_limit);
    world_close(&w);
}

/* --- saved machines that make no sense -------------------------------------------------------- */

/* One field each that a machine of its own making would never have so. False past the last. */
static bool spoil_phase(dt_signon *s, int which)
{
    switch (which) {
    case 0:
        s->phase = DT_PHASE_SSH_GET;
        s->ssh_at = s->ssh.count = DT_SSH_KEYS_MAX;
        return true;
    case 1:
        s->phase = DT_PHASE_PUSH_POLL;
        s->push.poll_url[0] = '\0';
        return true;
    case 2:
        s->phase = DT_PHASE_PASSCODE_WAIT;
        s->totp_count = 0;
        return true;
    case 3:
        s->phase = DT_PHASE_PASSCODE_HTTP;
        s->totp_at = s->totp_count;
        return true;
    case 4:
        s->phase = DT_PHASE_RETRY_WAIT;
        s->retry_phase = DT_PHASE_DONE;
        return true;
    case 5:
        s->phase = DT_PHASE_RETRY_WAIT;
        s->retry_phase = DT_PHASE_REMEMBERED_PUT;
        return true;
    case 6:
        s->retry_phase = DT_PHASE_PASSCODE_HTTP;
        return true;
    case 7:
        s->phase = DT_PHASE_PUSH_FINISH;
        return true;
    case 8:
        s->phase = DT_PHASE_PUSH_HTTP;
        s->push_factor[0] = '\0';
        return true;
    case 9:
        s->phase = DT_PHASE_PUSH_CLAIM;
        s->user_id[0] = '\0';
        return true;
    case 10:
        s->phase = DT_PHASE_COUNT;
        return true;
    case 11:
        s->finishing = true;
        s->phase = DT_PHASE_CANCEL_HTTP;
        s->push.cancel_url[0] = '\0';
        return true;
    case 12:
        s->phase = DT_PHASE_PASSCODE_WAIT;
        s->user_id[0] = '\0';
        return true;
    default:
        return false;
    }
}

static bool spoil_end(dt_signon *s, int which)
{
    switch (which) {
    case 0:
        s->finishing = true;
        return true;
    case 1:
        s->final_result = DT_ALLOW;
        s->final_cause = DT_CAUSE_MFA_SUCCESS;
        return true;
    case 2:
        s->outcome.result = DT_ALLOW;
        s->outcome.cause = DT_CAUSE_MFA_SUCCESS;
        return true;
    case 3:
        s->phase = DT_PHASE_DONE;
        s->outcome.result = DT_ALLOW;
        s->outcome.cause = DT_CAUSE_RULE_ALLOW; /* no rule said so */
        return true;
    case 4:
        s->phase = DT_PHASE_DONE;
        s->outcome.result = DT_ALLOW;
        s->outcome.cause = DT_CAUSE_RULE_DENY;
        return true;
    case 5:
        s->outcome.decision.access = DT_ACCESS_DENY;
        return true;
    case 6:
        s->outcome.decision.access = DT_ACCESS_ALLOW;
        return true;
    case 7:
        s->outcome.decision.cause = DT_DECISION_NO_RULE;
        return true;
    case 8:
        s->outcome.decision.cause = DT_DECISION_UNKNOWN_GROUPS;
        return true;
    case 9:
        s->refresh_only = true;
        return true;
    case 10:
        s->mfa_done = true;
        return true;
    case 11:
        s->abandoned = true;
        s->abandon_cause = DT_CAUSE_MFA_SUCCESS;
        return true;
    case 12:
        s->phase = DT_PHASE_GROUPS_HTTP;
        s->outcome.decision.cause = DT_DECISION_UNKNOWN_DEVICE;
        return true;
    case 13:
        s->finishing = true;
        s->phase = DT_PHASE_PUSH_FINISH;
        s->final_result = DT_ALLOW;
        s->final_cause = DT_CAUSE_MFA_TIMEOUT;
        return true;
    case 14:
        s->phase = DT_PHASE_DONE;
        s->outcome.result = DT_ALLOW;
        s->outcome.cause = DT_CAUSE_MFA_SUCCESS;
        s->outcome.decision.cause = DT_DECISION_NO_RULE;
        return true;
    case 15:
        s->phase = DT_PHASE_REMEMBERED_GET;
        s->outcome.decision.cause = DT_DECISION_UNKNOWN_GROUPS;
        return true;
    default:
        return false;
    }
}

static bool spoil_number(dt_signon *s, int which)
{
    switch (which) {
    case 0:
        s->deadline = INT64_MAX;
        return true;
    case 1:
        s->until = INT64_MIN;
        return true;
    case 2:
        s->wait_limit = DT_SIGNON_WAIT_MAX + 1;
        return true;
    case 3:
        s->wait_limit = -1;
        return true;
    case 4:
        s->attempts = INT32_MAX;
        return true;
    case 5:
        s->retries = INT32_MAX;
        return true;
    case 6:
        s->poll_failures = INT32_MAX;
        return true;
    case 7:
        s->steps = INT32_MAX;
        return true;
    case 8:
        s->user_fetched = INT64_MAX;
        return true;
    default:
        return false;
    }
}

static bool spoil_fact(dt_signon *s, int which)
{
    switch (which) {
    case 0:
        s->evidence.count = 1;
        s->evidence.items[0].source = DT_SOURCE_CERTIFICATE | DT_SOURCE_INTUNE;
        s->evidence.items[0].finding = DT_FINDING_FOR;
        return true;
    case 1:
        s->evidence.count = 1;
        s->evidence.items[0].source = DT_SOURCE_INTUNE;
        s->evidence.items[0].observed = INT64_MIN;
        return true;
    case 2:
        s->groups_len = 3;
        memcpy(s->groups, "a\0b", 3);
        s->group_count = 1;
        return true;
    case 3:
        s->groups_len = 2;
        memcpy(s->groups, "a", 2);
        s->group_count = 2;
        return true;
    case 4:
        memcpy(s->lookup_id.text, "8B1C5D3E-0F4A-4C77-9A53-6A1B2C3D4E5F", 37);
        return true;
    case 5:
        memcpy(s->lookup_id.text, "no GUID", 8);
        return true;
    default:
        return false;
    }
}

static bool (*const spoilers[])(dt_signon *s, int which) = {spoil_phase, spoil_end, spoil_number,
                                                            spoil_fact};

/* What was spoilt is not loaded; a machine as it was is. */
static void load_spoilt(world *w, dt_signon const *copy, bool spoilt)
{
    dt_signon *loaded = calloc(1, dt_signon_size());
    dt_buf b;

    assert_non_null(loaded);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(copy, &b), 0);
    assert_int_equal(dt_signon_load(loaded, &w->site, dt_buf_bytes(&b)),
                     spoilt ? DT_E_PARSE : DT_OK);
    if (spoilt) { /* what is left denies */
        assert_true(dt_signon_is_done(loaded));
        assert_int_equal(dt_signon_outcome(loaded)->result, DT_DENY);
        assert_string_equal(loaded->user_id, "");
    }
    dt_buf_free(&b);
    free(loaded);
}

static void test_a_saved_machine_must_make_sense(void **state)
{
    world w;
    dt_request r = world_request();
    dt_signon *copy = calloc(1, dt_signon_size());
    int spoilt = 0;

    (void)state;
    assert_non_null(copy);
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    assert_int_equal(w.machine->phase, DT_PHASE_PUSH_WAIT);
    for (size_t i = 0; i < sizeof(spoilers) / sizeof(spoilers[0]); i++) {
        bool more = true;

        for (int which = 0; more; which++, spoilt += more) {
            memcpy(copy, w.machine, dt_signon_size());
            more = spoilers[i](copy, which);
            load_spoilt(&w, copy, more);
        }
    }
    assert_int_equal(spoilt, 44);
    free(copy);
    world_close(&w);
}

/* A passcode that had to be sent twice leaves no trace that makes a loaded machine ask for it. */
static void test_a_machine_saved_after_a_retry_goes_on(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    w.save_each_step = false;
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 429, OKTA_RATE_LIMITED);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    world_save_and_load(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, ""), DT_STEP_DONE);
    world_save_and_load(&w);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* Saved while a passcode was on its way: it is asked for again, and nothing is sent for it. */
static void test_a_passcode_on_its_way_is_asked_for_again(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int retried = 0; retried < 2; retried++) {
        open_world(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        world_run(&w);
        world_show(&w);
        dt_signon_answer(w.machine, dt_bytes_str("918273"), w.now);
        run_to_http(&w, DT_HTTP_POST, "/factors/ost1/verify");
        if (retried) {
            reply(&w, 429, OKTA_RATE_LIMITED);
            assert_int_equal(w.machine->phase, DT_PHASE_RETRY_WAIT);
        }
        world_save_and_load(&w);
        assert_null(memmem(w.machine, dt_signon_size(), "918273", 6));
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        assert_int_equal(world_show(&w), DT_STEP_WAIT);
        assert_int_equal(w.step.until, WORLD_START + r.wait_limit);
        world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
        assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        world_close(&w);
    }
}

static void test_a_machine_loaded_without_its_policy_denies(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    w.site.policy = NULL;
    world_save_and_load(&w);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_CONFIG);
    world_close(&w);
}

/* --- waits that would not end ----------------------------------------------------------------- */

static void test_a_passcode_nobody_can_type_is_not_waited_for(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int shown = 0; shown < 2; shown++) {
        open_world(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        if (shown)
            world_show(&w);
        dt_signon_set_conversation(w.machine, DT_CONVERSATION_NONE);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
        world_close(&w);
    }
}

static void test_a_push_is_waited_for_without_its_prompt(void **state)
{
    static char const *const never[] = {"mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, never);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    dt_signon_set_conversation(w.machine, DT_CONVERSATION_NONE);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_false(w.step.prompt_open);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* Goes on until the machine waits: its push is not answered. Counts the polls. */
static void nobody_answers(world *w, int *polls, int *cancels)
{
    for (;;) {
        dt_signon_next(w->machine, w->now, &w->step);
        if (w->step.kind == DT_STEP_WAIT || w->step.kind == DT_STEP_DONE)
            return;
        if (w->step.kind != DT_STEP_HTTP) {
            world_step(w);
            continue;
        }
        assert_true(w->step.prompt_open == (w->step.http->method != DT_HTTP_DELETE));
        *(w->step.http->method == DT_HTTP_DELETE ? cancels : polls) += 1;
        reply(w, 200, OKTA_WAITING);
    }
}

static void test_a_clock_set_back_makes_no_wait_longer(void **state)
{
    world w;
    dt_request r = world_request();
    dt_time set_back;
    int polls = 0, cancels = 0;

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    set_back = w.now -= DT_DAYS(1);
    for (nobody_answers(&w, &polls, &cancels); !dt_signon_is_done(w.machine);) {
        assert_true(w.step.until <= set_back + r.wait_limit);
        w.now = w.step.until;
        nobody_answers(&w, &polls, &cancels);
    }
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    assert_int_equal(cancels, 1);
    world_close(&w);
}

static void test_a_wait_has_its_limit(void **state)
{
    static dt_time const limits[] = {INT64_MAX, DT_DAYS(1), 0, -1, INT64_MIN};
    world w;
    dt_request r = world_request();

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        dt_time most = limits[i] > 0 ? DT_SIGNON_WAIT_MAX : 0;

        r.wait_limit = limits[i];
        open_world(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        world_run(&w);
        if (w.step.kind == DT_STEP_PROMPT)
            world_show(&w);
        if (most > 0)
            assert_int_equal(w.step.until, w.now + most);
        w.now += most;
        world_run(&w);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
        world_close(&w);
    }
}

/* --- a push is taken back, whatever went wrong ------------------------------------------------ */

static void test_an_answer_nobody_asked_for_takes_the_push_back(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    assert_non_null(strstr(world_outcome(&w)->detail, "not asked for"));
    world_close(&w);
}

static void test_too_many_steps_take_the_push_back(void **state)
{
    world w;
    dt_request r = world_request();
    int polls = 0, cancels = 0;

    (void)state;
    r.wait_limit = DT_SIGNON_WAIT_MAX;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    while (!dt_signon_is_done(w.machine)) {
        w.now = w.step.until;
        nobody_answers(&w, &polls, &cancels);
    }
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    assert_true(polls > DT_SIGNON_STEPS_MAX / 2 && polls <= DT_SIGNON_STEPS_MAX);
    assert_int_equal(cancels, 1);
    world_close(&w);
}

/* --- this host's key, and what people read ---------------------------------------------------- */

static void test_host_certificate_with_its_key_is_proved(void **state)
{
    static char const *const host[] = {"device_trust",
                                       "host_certificate_file",
                                       "/etc/devtrust/h.pem",
                                       "device_trust",
                                       "host_key_file",
                                       "/etc/devtrust/h.key",
                                       NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, ONLY_TRUSTED, host);
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
    static char const *const host[] = {"device_trust",
                                       "host_certificate_file",
                                       "/etc/devtrust/h.pem",
                                       "device_trust",
                                       "host_key_file",
                                       "/etc/devtrust/h.key",
                                       NULL};
    world w;
    dt_request r = world_request();
    dt_sign_request old = {{9}};

    (void)state;
    r.host_evidence = true;
    r.random[0] = 1;
    open_world(&w, ONLY_TRUSTED, host);
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

/* However long the administrator's words are, what has to be done is in the prompt. */
static void longest_prompt(char const *push, char const *wanted)
{
    char text[301];
    char const *extra[] = {
        "device_trust", "check_access_text", text, "mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    open_world(&w, GUIDE, extra);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_push(&w, push);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, text));
    assert_non_null(strstr(w.step.prompt->text, wanted));
    assert_non_null(strstr(w.step.prompt->text, "(or type a passcode): "));
    world_close(&w);
}

static void test_what_has_to_be_done_always_fits(void **state)
{
    (void)state;
    longest_prompt(OKTA_PUSH_NUMBER, "Choose the number 42 in Okta Verify");
    longest_prompt(OKTA_PUSH, "press Enter here to see its number");
}

/* The number comes only once the phone shows it: the prompt that is open by then says the way. */
static void test_a_number_that_comes_late_is_shown_by_enter(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    for (int i = 0; i < DT_SIGNON_EARLY_POLLS; i++) {
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING);
        assert_int_equal(w.step.until - w.now, DT_SIGNON_EARLY_POLL_INTERVAL);
        world_wait(&w);
    }
    assert_int_equal(w.step.kind, DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "press Enter here to see its number"));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "Choose the number 42 in Okta Verify"));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_answer(&w, "");
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* --- what a push leaves behind ---------------------------------------------------------------- */

static void test_a_push_without_a_cancel_link_just_ends(void **state)
{
    static char const body[] =
        "{\"factorResult\":\"WAITING\",\"_links\":{\"poll\":{\"href\":\"" TRANSACTION "\"}}}";
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, body);
    world_begin(&w, &r);
    world_run(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

/* A push that was given up is over for the next sign-on, which sends its own at once. */
static void test_a_push_given_up_is_joined_by_nobody(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        open_world(&w, GUIDE, NULL);
        r.push_key = "ann|nas|station";
        if (sent) {
            expect_push(&w, OKTA_PUSH);
        } else {
            expect_user_and_factors(&w, OKTA_FACTORS);
            world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 429, OKTA_RATE_LIMITED);
        }
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        if (sent)
            world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
        dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
        world_run(&w);
        assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
        world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        world_all_used(&w);
        world_close(&w);
    }
}

/* Whoever joined a push and leaves takes nothing away from its owner. */
static void test_a_guest_leaves_the_push_alone(void **state)
{
    world w;
    dt_request r = world_request();
    world_row before;

    (void)state;
    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, WAITING, "ann@example.com", "f", TRANSACTION, TRANSACTION);
    before = *world_find(&w, DT_TABLE_PUSH, "push:");
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    assert_memory_equal(&before, world_find(&w, DT_TABLE_PUSH, "push:"), sizeof(before));
    world_close(&w);
}

static void test_a_guest_whose_store_breaks(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        open_world(&w, GUIDE, NULL);
        run_to_claim(&w, &r);
        put_push(&w, sent ? WAITING : STARTING, "ann@example.com", "f", sent ? TRANSACTION : "",
                 "");
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        w.limits_broken = true;
        if (sent)
            world_expect(&w, DT_HTTP_GET, "/transactions/t", 200, OKTA_SUCCESS);
        assert_int_equal(world_wait(&w), DT_STEP_DONE);
        if (sent)
            assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        else
            assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
        world_close(&w);
    }
}

static void test_a_record_too_long_is_not_taken_over(void **state)
{
    world w;
    dt_request r = world_request();
    world_row *row;

    (void)state;
    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, OVER, "", "", "", "");
    row = world_find(&w, DT_TABLE_PUSH, "push:");
    memset(row->value, 'x', DT_SIGNON_RECORD_MAX + 1);
    row->len = DT_SIGNON_RECORD_MAX + 1;
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    world_close(&w);
}

/* A store that always says that somebody was quicker. */
static void test_a_claim_is_not_tried_for_ever(void **state)
{
    static char const over[] =
        "{\"v\":1,\"state\":5,\"number\":-1,\"at\":0,\"login\":\"ann@example.com\","
        "\"owner\":\"f\",\"share\":\"\",\"poll\":\"\",\"cancel\":\"\"}";
    world w;
    dt_request r = world_request();
    int tries = 0;

    (void)state;
    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    while (w.step.kind == DT_STEP_STORE && w.step.store->table == DT_TABLE_PUSH &&
           w.step.store->verb != DT_STORE_PUT) {
        dt_store_result quicker = {.status = DT_STORE_EXISTS, .value = dt_bytes_str(over)};

        assert_true(++tries < 10);
        dt_signon_store_done(w.machine, &quicker, w.now);
        dt_signon_next(w.machine, w.now, &w.step);
    }
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    world_close(&w);
}

static void test_what_came_before_the_person_left_stands(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int late = 0; late < 2; late++) {
        open_world(&w, GUIDE, NULL);
        expect_push(&w, OKTA_PUSH_NUMBER);
        world_begin(&w, &r);
        world_run(&w);
        world_show(&w);
        w.now = w.step.until;
        run_to_http(&w, DT_HTTP_GET, "/transactions/v2mst1");
        if (late) {
            reply(&w, 200, OKTA_REJECTED);
            assert_false(dt_signon_is_done(w.machine)); /* its end is to be written */
        }
        dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
        dt_signon_abandon(w.machine, DT_CAUSE_BUSY, w.now);
        if (!late)
            reply(&w, 200, OKTA_REJECTED);
        world_run(&w);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
        world_close(&w);
    }
}

static void test_the_first_to_leave_says_why(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    world_begin(&w, &r);
    run_to_http(&w, DT_HTTP_GET, "/users/ann");
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    dt_signon_abandon(w.machine, DT_CAUSE_BUSY, w.now);
    reply(&w, 200, OKTA_USER);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

/* An answer that crosses with the end changes nothing of it. */
static void test_an_answer_crosses_with_the_end(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    w.now = w.step.until;
    run_to_http(&w, DT_HTTP_GET, "/transactions/v2mst1");
    reply(&w, 200, OKTA_SUCCESS);
    assert_false(dt_signon_is_done(w.machine));
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    reply(&w, 200, OKTA_REJECTED);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_string_equal(world_outcome(&w)->detail, "");
    world_close(&w);
}

/* --- MFA is remembered for a proved key and where the rule says so ------------------------------ */

static void mfa_leaves(char const *policy, bool key, bool remembered)
{
    world w;
    dt_request r;

    open_world(&w, policy, NULL);
    r = key ? with_certificate(&w) : world_request();
    if (key)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    world_answer(&w, "123456");
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_find(&w, DT_TABLE_REMEMBERED, "mfa:") != NULL, remembered);
    world_close(&w);
}

static void test_what_is_remembered(void **state)
{
    (void)state;
    mfa_leaves(DAILY, true, true);
    mfa_leaves(DAILY, false, false);
    mfa_leaves(GUIDE, true, false);
    mfa_leaves(GUIDE, false, false);
}

/* --- names, groups, evidence ------------------------------------------------------------------ */

static void test_every_name_must_fit(void **state)
{
    static char longest[600];
    world w;

    (void)state;
    memset(longest, '1', sizeof(longest) - 1);
    for (int i = 0; i < 11; i++) {
        dt_request r = world_request();
        char const **const fields[] = {&r.id,  &r.application, &r.user,    &r.client_ip,
                                       &r.nas, &r.station,     &r.passcode};

        if (i < 7)
            *fields[i] = longest;
        else if (i < 9)
            *fields[i - 6] = NULL;
        else
            *fields[i - 8] = "";
        open_world(&w, GUIDE, NULL);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        bool user = *fields[2] != world_request().user;

        assert_end(&w, DT_DENY, user ? DT_CAUSE_USER_NAME : DT_CAUSE_INTERNAL);
        assert_non_null(strstr(world_outcome(&w)->detail, i == 2 ? "longer than 255 bytes"
                                                          : user
                                                              ? "the user name is empty"
                                                              : "missing, or a name is too long"));
        world_close(&w);
    }
}

static void test_no_configuration_denies(void **state)
{
    world w;
    dt_request r = world_request();
    dt_site none = {0};
    dt_step step;

    (void)state;
    open_world(&w, GUIDE, NULL);
    dt_signon_begin(w.machine, &none, &r, w.now);
    dt_signon_next(w.machine, w.now, &step);
    assert_int_equal(step.kind, DT_STEP_DONE);
    assert_int_equal(step.outcome->result, DT_DENY);
    assert_int_equal(step.outcome->cause, DT_CAUSE_CONFIG);
    world_close(&w);
}

/* The start of a rule that names groups, and what comes between two of them: all in one list, or each in a
 * rule of its own. */
static void put_group(dt_buf *b, size_t i, bool apart, char const *name)
{
    if (i > 0)
        dt_buf_puts(b, apart ? "]}}},\"actions\":{\"appSignOn\":" ALLOW "}}," : ",");
    if (i == 0 || apart)
        dt_buf_printf(b,
                      "{\"name\":\"staff %zu\",\"priority\":%zu,\"status\":\"ACTIVE\","
                      "\"conditions\":{\"people\":{\"groups\":{\"include\":[",
                      i, i + 1);
    dt_buf_printf(b, "\"%s\"", name);
}

/* A policy that names `count` groups of names `len` long; a person who is in all of them, and in as
 * many that it does not name. */
static void many_groups(size_t count, size_t len, bool apart, dt_result result, dt_cause cause)
{
    static char names[256][80], policy[64 * 1024];
    char const *groups[256];
    world w;
    dt_request r = world_request();
    dt_buf b;

    dt_buf_init_fixed(&b, policy, sizeof(policy));
    dt_buf_puts(&b, "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[");
    for (size_t i = 0; i < 2 * count; i++) {
        snprintf(names[i], sizeof(names[i]), "%s%03zu", i < count ? "other" : "named", i);
        memset(names[i] + 8, 'g', len - 8);
        names[i][len] = '\0';
        groups[i] = names[i];
        if (i >= count)
            put_group(&b, i - count, apart, names[i]);
    }
    dt_buf_puts(&b, "]}}},\"actions\":{\"appSignOn\":" ALLOW "}}," CATCH_ALL "]}");
    assert_int_equal(dt_buf_error(&b), 0);
    open_world(&w, policy, NULL);
    r.groups = groups;
    r.group_count = 2 * count;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_more_groups_than_fit_are_not_known(void **state)
{
    (void)state;
    many_groups(DT_SIGNON_GROUPS_MAX, 8, true, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    many_groups(DT_SIGNON_GROUPS_MAX + 1, 8, true, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    many_groups(64, 63, true, DT_ALLOW, DT_CAUSE_RULE_ALLOW); /* DT_SIGNON_GROUPS_TEXT_MAX */
    many_groups(64, 64, true, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
}

/* Of many that one list of a rule names, no more are carried than tell something. */
static void test_more_groups_of_one_list_than_fit_are_known(void **state)
{
    (void)state;
    many_groups(DT_SIGNON_GROUPS_MAX + 1, 8, false, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    many_groups(128, 64, false, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
}

/* What the decision does not need is not looked up. */
static void test_nothing_is_asked_in_vain(void **state)
{
    static char const *const certificate[] = {"device_trust", "trusted_when", "certificate", NULL};
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r;

    (void)state;
    open_world(&w, ONLY_TRUSTED, certificate); /* Intune is configured, and has no say */
    r = with_certificate(&w);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    world_close(&w);
    open_world(&w, ONLY_TRUSTED, okta); /* no rule names a group */
    r = world_request();
    r.host_evidence = true; /* and this host has no certificate */
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_string_equal(world_outcome(&w)->detail, "");
    world_close(&w);
}

/* Only what may pass by itself is asked again, and only while there is time. */
static void intune_says(int status, char const *body, dt_time limit, int calls)
{
    static char const *const deny[] = {"policy", "unknown_device_as", "deny", NULL};
    world w;
    dt_request r;

    open_world(&w, GUIDE, deny);
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

/* --- passcodes and prompts -------------------------------------------------------------------- */

static char const OKTA_FACTORS_MANY[] =
    "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"},"
    "{\"id\":\"opf2\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"},"
    "{\"id\":\"ost1\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":"
    "\"ACTIVE\"},"
    "{\"id\":\"uft2\",\"factorType\":\"token:software:totp\",\"provider\":\"GOOGLE\",\"status\":"
    "\"ACTIVE\"},"
    "{\"id\":\"uft3\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":"
    "\"ACTIVE\"}]";

/* --- the provider belongs to the factor ------------------------------------------------------- */

#define TOTP_OF(id, provider)                                                                      \
    "[{\"id\":\"" id "\",\"factorType\":\"token:software:totp\"," provider "\"status\":"           \
    "\"ACTIVE\"}]"
#define BY(factors)                                                                                \
    POLICY(RULE("mfa", "1", "NOT_TRUSTED",                                                         \
                "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\","      \
                "\"factors\":[" factors "]}}"))

static struct {
    char const *policy, *factors;
    char const *prompt; /* NULL: no factor */
    dt_factor_type factor;
} const by_provider[] = {
    {BY("\"token:software:totp/OKTA\""), TOTP_OF("f1", "\"provider\":\"OKTA\","),
     "Okta Verify passcode: ", DT_FACTOR_TOTP},
    {BY("\"token:software:totp/OKTA\""), TOTP_OF("f1", "\"provider\":\"GOOGLE\","), NULL, 0},
    {BY("\"push\",\"token:software:totp/OKTA\""), TOTP_OF("f1", "\"provider\":\"GOOGLE\","), NULL,
     0},
    {BY("\"token:software:totp/GOOGLE\""), TOTP_OF("f1", "\"provider\":\"OKTA\","), NULL, 0},
    {BY("\"token:software:totp/GOOGLE\""), TOTP_OF("f1", "\"provider\":\"GOOGLE\","),
     "Google Authenticator passcode: ", DT_FACTOR_TOTP_GOOGLE},
    {BY("\"token:software:totp\""), TOTP_OF("f1", "\"provider\":\"GOOGLE\","),
     "Google Authenticator passcode: ", DT_FACTOR_TOTP_GOOGLE},
    {BY("\"token:software:totp\""), TOTP_OF("f1", ""), NULL, 0},
    {BY("\"token:software:totp\""), TOTP_OF("f1", "\"provider\":null,"), NULL, 0},
    {BY("\"token:software:totp\""), TOTP_OF("f1", "\"provider\":\"CUSTOM\","), NULL, 0},
    {BY("\"token:software:totp\""), TOTP_OF("f1", "\"provider\":\"google\","), NULL, 0},
    {BY("\"push\""),
     "[{\"id\":\"f1\",\"factorType\":\"push\",\"provider\":\"CUSTOM\",\"status\":\"ACTIVE\"}]",
     NULL, 0},
    {BY("\"token:software:totp\""),
     "[{\"id\":\"f1\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":"
     "\"ACTIVE\"},"
     "{\"id\":\"f2\",\"factorType\":\"token:software:totp\",\"provider\":\"GOOGLE\",\"status\":"
     "\"ACTIVE\"}]",
     "Okta Verify or Google Authenticator passcode: ", DT_FACTOR_TOTP},
};

static void test_the_provider_belongs_to_the_factor(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(by_provider) / sizeof(by_provider[0]); i++) {
        world w;
        dt_request r = world_request();

        open_world(&w, by_provider[i].policy, NULL);
        w.save_each_step = true;
        expect_user_and_factors(&w, by_provider[i].factors);
        world_begin(&w, &r);
        if (by_provider[i].prompt == NULL) {
            assert_int_equal(world_run(&w), DT_STEP_DONE);
            assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
        } else {
            assert_int_equal(world_run(&w), DT_STEP_PROMPT);
            assert_non_null(strstr(w.step.prompt->text, by_provider[i].prompt));
            world_show(&w);
            world_expect(&w, DT_HTTP_POST, "/factors/f1/verify", 200, OKTA_SUCCESS);
            assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
            assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
            assert_int_equal(world_outcome(&w)->factor, by_provider[i].factor);
        }
        world_close(&w);
    }
}

/* The second of two authenticators answered: the outcome says which. */
static void test_the_authenticator_that_answered_is_told(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    w.save_each_step = false;
    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = "123456";
    expect_user_and_factors(&w, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    world_expect(&w, DT_HTTP_POST, "/factors/uft2/verify", 200, OKTA_SUCCESS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_TOTP_GOOGLE);
    world_close(&w);
}

static void test_what_is_no_passcode_costs_no_call(void **state)
{
    static dt_bytes const answers[] = {
        {(uint8_t const *)"", 0},          {(uint8_t const *)"   ", 3},
        {(uint8_t const *)"\r\n", 2},      {(uint8_t const *)"12345", 5},
        {(uint8_t const *)"123456789", 9}, {(uint8_t const *)"12345a", 6},
        {(uint8_t const *)"12345/", 6},    {(uint8_t const *)"12345:", 6},
        {(uint8_t const *)"123 45", 6},    {(uint8_t const *)"123456", 7},
        {(uint8_t const *)"-12345", 6},    {(uint8_t const *)"\xd9\xa1\xd9\xa2\xd9\xa3", 6},
    };
    static char const *const once[] = {"mfa", "passcode_attempts", "1", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        world w;
        dt_request r = world_request();

        open_world(&w, GUIDE, once);
        expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        world_run(&w);
        world_show(&w);
        dt_signon_answer(w.machine, answers[i], w.now);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
        world_close(&w);
    }
}

static void test_what_is_a_passcode(void **state)
{
    static char const *const answers[] = {"918273",  "91827364", "\t 918273 \t\r\n",
                                          "918 273", "918-273",  "918\xc2\xa0\x32\x37\x33"};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        world w;
        dt_request r = world_request();

        open_world(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        world_run(&w);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
        world_answer(&w, answers[i]);
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        assert_null(memmem(w.machine, dt_signon_size(), "91827", 5)); /* the passcode is gone */
        world_close(&w);
    }
}

/* The passcode is that of either authenticator: a wrong one is tried with the other, at most two. */
static void second_authenticator(int status, char const *first, char const *second)
{
    static char const *const once[] = {"mfa", "passcode_attempts", "1", NULL};
    world w;
    dt_request r = world_request();

    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = "123456";
    open_world(&w, GUIDE, once);
    w.save_each_step = false;
    expect_user_and_factors(&w, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", status, first);
    if (second)
        world_expect(&w, DT_HTTP_POST, "/factors/uft2/verify", second == OKTA_SUCCESS ? 200 : 403,
                     second);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    if (second == OKTA_SUCCESS)
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    else
        assert_end(&w, DT_DENY,
                   strstr(first, "E0000069") ? DT_CAUSE_MFA_LOCKED : DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

static void test_a_passcode_of_either_authenticator(void **state)
{
    (void)state;
    second_authenticator(403, OKTA_WRONG_CODE, OKTA_SUCCESS);
    second_authenticator(403, OKTA_WRONG_CODE, OKTA_WRONG_CODE);
    second_authenticator(200, "{\"factorResult\":\"PASSCODE_REPLAYED\"}", NULL);
    second_authenticator(403, "{\"errorCode\":\"E0000069\",\"errorSummary\":\"locked\"}", NULL);
}

static void test_locked_is_not_asked_again(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL); /* three attempts */
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403,
                 "{\"errorCode\":\"E0000069\",\"errorSummary\":\"locked\"}");
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_LOCKED);
    world_close(&w);
}

/* A passcode that came along and cannot be used is forgotten, and a push is sent. */
static void passcode_along(char const *passcode, char const *factors)
{
    world w;
    dt_request r = world_request();

    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = passcode;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, factors);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    assert_null(memmem(w.machine, dt_signon_size(), "91827", 5));
    world_close(&w);
}

static void test_a_useless_passcode_is_forgotten(void **state)
{
    (void)state;
    passcode_along("918273", OKTA_FACTORS_PUSH);
    passcode_along("91827", OKTA_FACTORS_MANY);
    passcode_along("91827x", OKTA_FACTORS_MANY);
}

static void test_a_challenge_shows_the_number(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_CHALLENGE;
    r.push_prompt = true;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_true(w.step.suspend);
    assert_non_null(strstr(w.step.prompt->text, "42"));
    assert_non_null(strstr(w.last_body, "useNumberMatchingChallenge\":true"));
    world_show(&w);
    w.now += DT_MINUTES(2); /* a new round has its own patience */
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_no_number_where_none_can_be_shown(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    r.push_prompt = true; /* means nothing without a challenge */
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_string_equal(w.last_body, "");
    assert_int_equal(w.step.until - w.now, DT_SECONDS(4)); /* no quick look for a number */
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* What is open stays open: a prompt that sshd shows cannot be taken back. */
static void test_an_open_prompt_is_not_replaced(void **state)
{
    static char const *const never[] = {"mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, never);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_string_equal(w.last_body, "");
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_true(w.step.prompt_open);
    world_close(&w);
}

static void test_an_odd_push_reply_leaves_the_passcode(void **state)
{
    static char const stranger[] =
        "{\"factorResult\":\"WAITING\",\"_links\":{\"poll\":{\"href\":\"" TRANSACTION "\"},"
        "\"cancel\":{\"href\":\"" STRANGERS "\"}}}";
    static char const *const bodies[] = {"{\"factorResult\":\"CHALLENGE\"}", OKTA_BROKEN, stranger};

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        world w;
        dt_request r = world_request();

        open_world(&w, GUIDE, NULL);
        expect_push(&w, bodies[i]);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        assert_non_null(strstr(w.step.prompt->text, "Okta Verify passcode"));
        world_all_used(&w);
        world_close(&w);
    }
}

/* A poll's reply without links says what it says. */
static void test_a_poll_without_links_goes_on(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    for (int i = 0; i < DT_SIGNON_POLL_FAILURES_MAX + 2; i++) {
        world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 202,
                     "{\"errorCode\":\"E0000070\",\"errorSummary\":\"waiting\"}");
        assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    }
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 423,
                 "{\"errorCode\":\"E0000180\",\"errorSummary\":\"suspended\"}");
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_REFUSED);
    world_close(&w);
}

/* --- Okta's look-ups -------------------------------------------------------------------------- */

static void okta_user_call(int status, dt_time limit, int calls, dt_result result, dt_cause cause)
{
    static char const *const allow[] = {"policy", "okta_unavailable", "allow", NULL};
    world w;
    dt_request r = world_request();

    r.wait_limit = limit;
    open_world(&w, GUIDE, allow);
    for (int i = 0; i < calls; i++)
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", status,
                     status == 429 ? OKTA_RATE_LIMITED : "");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT) {
        assert_true(w.step.until < WORLD_START + limit);
        w.now = w.step.until;
    }
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_when_okta_is_asked_again(void **state)
{
    dt_cause const away = DT_CAUSE_OKTA_UNAVAILABLE_ALLOW;

    (void)state;
    okta_user_call(0, DT_SECONDS(55), 3, DT_ALLOW, away);
    okta_user_call(0, DT_SECONDS(5), 3, DT_ALLOW, away); /* refused at once: that is an outage */
    okta_user_call(503, DT_SECONDS(5), 3, DT_ALLOW, away);
    okta_user_call(WORLD_TIMEOUT, DT_SECONDS(55), 3, DT_ALLOW, away);
    okta_user_call(WORLD_TIMEOUT, DT_SECONDS(15), 1, DT_ALLOW, away);
    okta_user_call(WORLD_TIMEOUT, DT_SECONDS(5), 1, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    /* A limit is an answer: whoever can use it up does not get in by it. */
    okta_user_call(429, DT_SECONDS(55), 3, DT_DENY, DT_CAUSE_MFA_RATE_LIMITED);
    okta_user_call(429, DT_SECONDS(3), 1, DT_DENY, DT_CAUSE_MFA_RATE_LIMITED);
    okta_user_call(403, DT_SECONDS(55), 1, DT_DENY, DT_CAUSE_CONFIG);
}

static void test_a_look_up_retried_goes_on(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 429, OKTA_RATE_LIMITED);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 429, OKTA_RATE_LIMITED);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

static void put_row(world *w, char const *key, char const *value)
{
    world_row *row = &w->rows[0];

    row->table = DT_TABLE_LOOKUP;
    snprintf(row->key, sizeof(row->key), "%s", key);
    row->len = (size_t)snprintf(row->value, sizeof(row->value), "%s", value);
    row->expires = DT_TIME_NEVER;
}

static void cached_user(char const *record, bool used)
{
    world w;
    dt_request r = world_request();

    open_world(&w, GUIDE, NULL);
    put_row(&w, "okta-user:ann@example.com", record);
    if (!used)
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, used ? "/users/00u9/factors" : "/users/00u1/factors", 200,
                 OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

static void test_a_remembered_user_at_its_edges(void **state)
{
    (void)state;
    cached_user("{\"v\":1,\"at\":1700000000000,\"id\":\"00u9\"}", true);
    cached_user("{\"v\":1,\"at\":1699999400001,\"id\":\"00u9\"}", true);
    cached_user("{\"v\":1,\"at\":1699999400000,\"id\":\"00u9\"}", false); /* ten minutes */
    cached_user("{\"v\":1,\"at\":1700000000001,\"id\":\"00u9\"}", false); /* of tomorrow */
    cached_user("{\"v\":1,\"at\":-9223372036854775808,\"id\":\"00u9\"}", false);
    cached_user("{\"v\":2,\"at\":1700000000000,\"id\":\"00u9\"}", false);
    cached_user("{\"v\":1,\"at\":1700000000000,\"id\":\"\"}", false);
    cached_user("{\"v\":1,\"at\":1700000000000,\"id\":7}", false);
    cached_user("{\"v\":1,\"at\":1700000000000}", false);
    cached_user("{\"v\":1,\"id\":\"00u9\"}", false);
    cached_user("oops", false);
}

static void test_a_user_gone_is_asked_for_once_more(void **state)
{
    static char const gone[] = "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}";
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    put_row(&w, "okta-user:ann@example.com", "{\"v\":1,\"at\":1700000000000,\"id\":\"00u9\"}");
    world_expect(&w, DT_HTTP_GET, "/users/00u9/factors", 404, gone);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 404, gone);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_REFUSED);
    world_close(&w);
}

static void cached_groups(char const *record, bool used)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    open_world(&w, GROUPS, okta);
    put_row(&w, "okta-groups:::vpn:ann@example.com", record);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    if (!used)
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, "[]");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    if (used)
        assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    else
        assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    world_close(&w);
}

static void test_remembered_groups_at_their_edges(void **state)
{
    (void)state;
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":[\"Staff\"]}", true);
    cached_groups("{\"v\":1,\"at\":1699999400000,\"one_each\":true,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000001,\"one_each\":true,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":[\"Staff\",7]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":\"Staff\"}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":{\"Staff\":1}}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000}", false);
    /* of earlier versions, which told names alone, and took each for one group; of ids alone; of nobody
     * knows what */
    cached_groups("{\"v\":1,\"at\":1700000000000,\"names\":true,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"groups\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":false,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":2,\"at\":1700000000000,\"one_each\":true,\"okta\":[\"Staff\"]}", false);
    cached_groups("", false);
}

/* --- groups by their id at Okta ------------------------------------------------------------------ */

#define BY_ID(what)                                                                                \
    POLICY("{\"name\":\"vpn\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{\"people\":"    \
           "{\"groups\":{" what "}}},\"actions\":{\"appSignOn\":" ALLOW "}}")
#define VPN_ADMINS "{\"id\":\"00gVPN1\",\"name\":\"VPN Admins\"}"
#define OKTA_GROUP(id, name) "{\"id\":\"" id "\",\"profile\":{\"name\":\"" name "\"}}"

static struct {
    char const *policy, *from, *told, *okta; /* told: a group that the request tells; okta: asked */
    dt_result result;
    dt_cause cause;
} const by_id[] = {
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gVPN1", "VPN Admins") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* renamed since */
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gVPN1", "Admins of VPN") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* another group of that name */
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gAPP9", "VPN Admins") "]", DT_DENY, DT_CAUSE_RULE_DENY},
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gvpn1", "VPN Admins") "]", DT_DENY, DT_CAUSE_RULE_DENY},
    {BY_ID("\"exclude\":[" VPN_ADMINS "]"), "okta", NULL, "[" OKTA_GROUP("00gVPN1", "x") "]",
     DT_DENY, DT_CAUSE_RULE_DENY},
    {BY_ID("\"exclude\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gAPP9", "VPN Admins") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* Okta is asked for ids, whoever tells names; and a name that the request tells is no id */
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request", "VPN Admins", "[]", DT_DENY,
     DT_CAUSE_RULE_DENY},
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request", "00gVPN1", "[]", DT_DENY,
     DT_CAUSE_RULE_DENY},
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request", "Staff",
     "[" OKTA_GROUP("00gVPN1", "VPN Admins") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "request",
     "\x1f"
     "00gVPN1",
     NULL, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request",
     "\x1f"
     "00gVPN1",
     "[]", DT_DENY, DT_CAUSE_RULE_DENY},
    /* nobody else is missed where rules name ids alone; where one names a name, he is */
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request", NULL,
     "[" OKTA_GROUP("00gVPN1", "VPN Admins") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "request", NULL, NULL, DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    /* names are the request's to tell there, and Okta's are not looked at */
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "request", "staff", "[]", DT_ALLOW,
     DT_CAUSE_RULE_ALLOW},
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "request", "Guests",
     "[" OKTA_GROUP("00g1", "Staff") "]", DT_DENY, DT_CAUSE_RULE_DENY},
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00g1", "Staff") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* a pattern is of names, never of ids */
    {BY_ID("\"include\":[\"*VPN1\"," VPN_ADMINS "],\"exclude\":[\"*gVPN?\"]"), "okta", NULL,
     "[" OKTA_GROUP("00gVPN1", "x") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* a group without an id is not a group that is not there */
    {BY_ID("\"exclude\":[" VPN_ADMINS "]"), "okta", NULL,
     "[{\"profile\":{\"name\":\"VPN Admins\"}}]", DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
};

static void test_okta_groups_are_what_their_id_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(by_id) / sizeof(by_id[0]); i++) {
        char const *const from[] = {"policy", "groups_from", by_id[i].from, NULL};
        char const *const told[] = {by_id[i].told};
        world w;
        dt_request r = world_request();

        r.groups = told;
        r.group_count = by_id[i].told != NULL;
        r.group_knowledge = by_id[i].told != NULL ? DT_GROUPS_KNOWN : DT_GROUPS_UNKNOWN;
        open_world(&w, by_id[i].policy, from);
        if (by_id[i].okta != NULL) {
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
            world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, by_id[i].okta);
        }
        if (strcmp(by_id[i].from, "okta") == 0 && by_id[i].okta != NULL &&
            strstr(by_id[i].okta, "\"Staff\"") != NULL)
            world_expect(&w, DT_HTTP_GET, ASKED_STAFF, 200, ONE_STAFF);
        world_begin(&w, &r);
        if (world_run(&w) != DT_STEP_DONE || world_outcome(&w)->cause != by_id[i].cause)
            fail_msg("%zu: %s", i, dt_cause_name(world_outcome(&w)->cause));
        assert_end(&w, by_id[i].result, by_id[i].cause);
        world_close(&w);
    }
}

static void page(world *w, char const *body, char const *next)
{
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .status = 200,
                          .body = dt_bytes_str(body),
                          .error = "",
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .next_link = next};

    dt_signon_http_done(w->machine, &r, w->now);
}

#define NEXT "https://example.okta.com/api/v1/users/00u1/groups?after="

/* Pages of groups up to the last, or to one too many, or to a link that does not fit. */
static void pages_of_groups(int pages, char const *next, dt_result result, dt_cause cause)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    open_world(&w, GROUPS, okta);
    world_begin(&w, &r);
    run_to_http(&w, DT_HTTP_GET, "/users/ann");
    reply(&w, 200, OKTA_USER);
    for (int i = 1; i <= pages; i++) {
        run_to_http(&w, DT_HTTP_GET, i == 1 ? "/users/00u1/groups" : next);
        page(&w, i == 1 ? "[{\"profile\":{\"name\":\"Staff\"}}]" : "[]", i < pages ? next : "");
        if (dt_signon_is_done(w.machine))
            break;
    }
    if (!dt_signon_is_done(w.machine)) {
        run_to_http(&w, DT_HTTP_GET, ASKED_STAFF);
        page(&w, ONE_STAFF, "");
    }
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_groups_come_in_pages(void **state)
{
    static char longest[700] = NEXT;

    (void)state;
    memset(longest + sizeof(NEXT) - 1, 'x', sizeof(longest) - sizeof(NEXT));
    pages_of_groups(1, "", DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    pages_of_groups(2, NEXT "x", DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    pages_of_groups(DT_SIGNON_GROUP_PAGES_MAX, NEXT "x", DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    pages_of_groups(DT_SIGNON_GROUP_PAGES_MAX + 1, NEXT "x", DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    pages_of_groups(2, longest, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
}

/* --- groups that rules call by a name ------------------------------------------------------------ */

#define STAFF_OF(id) OKTA_GROUP(id, "Staff")
#define STAFF_TYPE(type) "{\"id\":\"00g\",\"type\":\"" type "\",\"profile\":{\"name\":\"Staff\"}}"
#define NEXT_NAMED "https://example.okta.com/api/v1/groups?after="

/* What the org says of the name "Staff", which a rule says and which one of the person's groups has. */
static struct {
    char const *what;
    int status;
    char const *pages[3]; /* of groups called so, up to a NULL */
    dt_result result;
    dt_cause cause;
} const called[] = {
    {"one", 200, {"[" STAFF_OF("00g1") "]"}, DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    {"one among others",
     200,
     {"[" OKTA_GROUP("00g7", "Staff of Rome") "," STAFF_OF("00g1") "]"},
     DT_ALLOW,
     DT_CAUSE_RULE_ALLOW},
    {"one on two pages", 200, {"[" STAFF_OF("00g1") "]", "[]"}, DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    {"two", 200, {"[" STAFF_OF("00g1") "," STAFF_OF("00g9") "]"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"two that differ in case",
     200,
     {"[" STAFF_OF("00g1") "," OKTA_GROUP("00g9", "sTAFF") "]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"two on two pages",
     200,
     {"[" STAFF_OF("00g1") "]", "[" STAFF_OF("00g9") "]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"none", 200, {"[]"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"another",
     200,
     {"[" OKTA_GROUP("00g1", "Staff of Rome") "]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"one without an id",
     200,
     {"[" STAFF_OF("00g1") ",{\"profile\":{\"name\":\"Staff\"}}]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"one without a name",
     200,
     {"[" STAFF_OF("00g1") ",{\"id\":\"00g9\"}]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"one whose name cannot be read",
     200,
     {"[" STAFF_OF("00g1") "," OKTA_GROUP("00g9", "Staff\\u0000") "]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"no list", 200, {"{}"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"no JSON", 200, {"<html>"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"not to be searched", 400, {"{\"errorCode\":\"E0000031\"}"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"not there", 404, {"{\"errorCode\":\"E0000007\"}"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"not for this token", 403, {"{\"errorCode\":\"E0000006\"}"}, DT_DENY, DT_CAUSE_CONFIG},
    {"away", 503, {OKTA_BROKEN}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
};

static void answer_name(world *w, size_t row)
{
    for (size_t k = 0; called[row].pages[k] != NULL; k++) {
        bool more = called[row].pages[k + 1] != NULL;

        if (!dt_signon_is_done(w->machine)) {
            run_to_http(w, DT_HTTP_GET, k == 0 ? ASKED_STAFF : NEXT_NAMED);
            if (called[row].status != 200)
                reply(w, called[row].status, called[row].pages[k]);
            else
                page(w, called[row].pages[k], more ? NEXT_NAMED "x" : "");
        }
    }
}

static void test_a_name_is_that_of_one_group(void **state)
{
    static char const *const okta[] = {"policy",           "groups_from", "okta", "policy",
                                       "okta_unavailable", "allow",       NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(called) / sizeof(called[0]); i++) {
        world w;
        dt_request r = world_request();

        open_world(&w, GROUPS, okta);
        world_begin(&w, &r);
        run_to_http(&w, DT_HTTP_GET, "/users/ann");
        reply(&w, 200, OKTA_USER);
        run_to_http(&w, DT_HTTP_GET, "/users/00u1/groups");
        page(&w, "[" STAFF_OF("00g9") "]", "");
        answer_name(&w, i);
        for (int k = 0; k < DT_SIGNON_RETRIES_MAX && called[i].status == 503; k++)
            world_expect(&w, DT_HTTP_GET, ASKED_STAFF, 503, OKTA_BROKEN);
        while (world_run(&w) == DT_STEP_WAIT)
            w.now = w.step.until;
        world_all_used(&w);
        if (world_outcome(&w)->cause != called[i].cause)
            fail_msg("%s: %s, %s", called[i].what, dt_cause_name(world_outcome(&w)->cause),
                     world_outcome(&w)->detail);
        assert_end(&w, called[i].result, called[i].cause);
        if (called[i].status == 200 && strncmp(called[i].what, "two", 3) == 0)
            assert_non_null(strstr(world_outcome(&w)->detail, "\"Staff\""));
        world_close(&w);
    }
}

/* What was found of a name is kept for everybody, for so long and no longer; what was found of a group
 * that is not said by its name alone is nothing that is asked. */
static void kept_name(char const *record, dt_cause cause)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    open_world(&w, GROUPS, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, "[" STAFF_OF("00g1") "]");
    /* SHA-256 of "staff" */
    put_row(&w,
            "okta-group-name:"
            "1562206543da764123c21bd524674f0a8aaf49c8a89744c97352fe677f7e4006",
            record);
    if (cause == DT_CAUSE_NONE)
        world_expect(&w, DT_HTTP_GET, ASKED_STAFF, 200, ONE_STAFF);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    if (world_outcome(&w)->cause != (cause == DT_CAUSE_NONE ? DT_CAUSE_RULE_ALLOW : cause))
        fail_msg("%s: %s", record, dt_cause_name(world_outcome(&w)->cause));
    world_all_used(&w);
    world_close(&w);
}

static void test_a_kept_name_at_its_edges(void **state)
{
    (void)state;
    kept_name("{\"v\":1,\"at\":1700000000000,\"one\":true}", DT_CAUSE_RULE_ALLOW);
    kept_name("{\"v\":1,\"at\":1699999400001,\"one\":true}", DT_CAUSE_RULE_ALLOW);
    kept_name("{\"v\":1,\"at\":1700000000000,\"one\":false}", DT_CAUSE_GROUPS_UNKNOWN);
    kept_name("{\"v\":1,\"at\":1699999400000,\"one\":true}", DT_CAUSE_NONE);
    kept_name("{\"v\":1,\"at\":1700000000001,\"one\":true}", DT_CAUSE_NONE);
    kept_name("{\"v\":1,\"at\":1700000000000,\"one\":1}", DT_CAUSE_NONE);
    kept_name("{\"v\":1,\"at\":1700000000000}", DT_CAUSE_NONE);
    kept_name("{\"v\":2,\"at\":1700000000000,\"one\":true}", DT_CAUSE_NONE);
    kept_name("", DT_CAUSE_NONE);
}

/* Of two groups of one name that a person is in, Okta's own counts, whichever comes first. A pattern is of
 * names, whatever groups have them; an id is a group. */
static void test_only_names_are_looked_up(void **state)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    static struct {
        char const *list, *groups;
    } const rows[] = {
        {"\"include\":[\"Sta*\"]", "[" STAFF_OF("00g1") "]"},
        {"\"include\":[{\"id\":\"00g1\",\"name\":\"Staff\"}]", "[" STAFF_OF("00g1") "]"},
        {"\"include\":[{\"id\":\"00g1\",\"name\":\"Staff\"},\"S?aff\"]", "[" STAFF_OF("00g1") "]"},
        {"\"include\":[\"Staff\"]", "[" STAFF_TYPE("OKTA_GROUP") "]"},
        {"\"include\":[\"staff\"]", "[" STAFF_TYPE("BUILT_IN") "]"},
        {"\"include\":[\"Staff\"]", "[" STAFF_TYPE("APP_GROUP") "," STAFF_TYPE("OKTA_GROUP") "]"},
        {"\"include\":[\"Staff\"]", "[" STAFF_TYPE("OKTA_GROUP") "," STAFF_TYPE("APP_GROUP") "]"},
        {"\"include\":[\"Staff\"]",
         "[" OKTA_GROUP("00g9", "Stuff") "," STAFF_TYPE("OKTA_GROUP") "]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char policy[2048];
        world w;
        dt_request r = world_request();

        snprintf(policy, sizeof(policy),
                 POLICY("{\"name\":\"vpn\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":"
                        "{\"people\":{\"groups\":{%s}}},\"actions\":{\"appSignOn\":" ALLOW "}}"),
                 rows[i].list);
        open_world(&w, policy, okta);
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, rows[i].groups);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
        world_all_used(&w);
        world_close(&w);
    }
}

/* One sign-on asks about so many names and no more; the next ones go on with what is kept. */
static void test_many_names_are_looked_up_in_turn(void **state)
{
    enum { NAMES = DT_SIGNON_GROUP_NAMES_MAX + 3 };
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    char policy[16 * 1024], mine[4096];
    dt_buf rules, groups;
    world w;
    dt_request r = world_request();

    (void)state;
    dt_buf_init_fixed(&rules, policy, sizeof(policy));
    dt_buf_init_fixed(&groups, mine, sizeof(mine));
    dt_buf_puts(&rules, "{\"name\":\"p\",\"application\":\"vpn\",\"rules\":[");
    for (int i = 1; i <= NAMES; i++) {
        dt_buf_printf(&rules,
                      "{\"name\":\"%d\",\"priority\":%d,\"status\":\"ACTIVE\",\"conditions\":{"
                      "\"people\":{\"groups\":{\"include\":[\"Team %d\"]}},\"network\":{"
                      "\"connection\":\"ANYWHERE\"}},\"actions\":{\"appSignOn\":" ALLOW "}},",
                      i, i, i);
        dt_buf_printf(&groups, "%c" OKTA_GROUP("00g%d", "Team %d"), i > 1 ? ',' : '[', i, i);
    }
    dt_buf_puts(&groups, "]");
    dt_buf_puts(
        &rules,
        "{\"name\":\"last\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{"
        "\"appSignOn\":" DENY "}}]}");
    open_world(&w, policy, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    for (int i = 0, asked = 0; i < 2; i++) {
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, mine);
        for (int k = 0; k < DT_SIGNON_GROUP_NAMES_MAX && asked < NAMES; k++) {
            static char answer[NAMES][128];

            snprintf(answer[asked], sizeof(answer[0]), "[" OKTA_GROUP("00g%d", "Team %d") "]",
                     asked + 1, asked + 1);
            world_expect(&w, DT_HTTP_GET, "/api/v1/groups?", 200, answer[asked]);
            asked++;
        }
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        if (i == 0)
            assert_end(&w, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
        else
            assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
        world_all_used(&w);
    }
    world_close(&w);
}

/* --- results that nobody asked for ------------------------------------------------------------ */

static void test_every_odd_result_is_refused(void **state)
{
    static char const *const host[] = {"device_trust",
                                       "host_certificate_file",
                                       "/etc/devtrust/h.pem",
                                       "device_trust",
                                       "host_key_file",
                                       "/etc/devtrust/h.key",
                                       NULL};
    dt_store_result stored = {.status = DT_STORE_OK, .count = 1};
    dt_sign_result signed_ = {.error = DT_E_NOT_FOUND, .text = ""};

    (void)state;
    for (int at = 0; at < 4; at++) { /* SIGN, STORE, HTTP, PROMPT */
        for (int what = 0; what < 3; what++) {
            world w;
            dt_request r = world_request();

            if (at == what)
                continue;
            r.host_evidence = at == 0;
            open_world(&w, DAILY, at == 0 ? host : NULL);
            world_begin(&w, &r);
            dt_signon_next(w.machine, w.now, &w.step);
            if (at == 2)
                run_to_http(&w, DT_HTTP_GET, "/users/ann");
            if (at == 3) {
                expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
                world_run(&w);
            }
            if (what == 0)
                dt_signon_sign_done(w.machine, &signed_, w.now);
            else if (what == 1)
                dt_signon_store_done(w.machine, &stored, w.now);
            else
                reply(&w, 200, OKTA_SUCCESS);
            assert_true(dt_signon_is_done(w.machine));
            assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
            assert_non_null(strstr(world_outcome(&w)->detail, "not asked for"));
            world_close(&w);
        }
    }
}

/* --- what is told ----------------------------------------------------------------------------- */

static void test_the_audit_context_tells_all(void **state)
{
    world w;
    dt_request r = world_request();
    dt_audit_context c;

    (void)state;
    r.station = "02-00-00-00-00-01";
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    memset(&c, 0xff, sizeof(c));
    dt_signon_audit_context(w.machine, &c);
    assert_string_equal(c.id, r.id);
    assert_string_equal(c.application, "vpn");
    assert_string_equal(c.user, "ann");
    assert_string_equal(c.login, "ann@example.com");
    assert_string_equal(c.client_ip, r.client_ip);
    assert_string_equal(c.nas, r.nas);
    assert_string_equal(c.station, r.station);
    assert_string_equal(c.policy_hash, "");
    assert_int_equal(c.started, WORLD_START);
    assert_true(c.device_event);
    assert_null(c.host);
    assert_null(c.door);
    world_close(&w);
}

/* The words of a refusal, and the way out where there is one. */
static void refusal(char const *graph, int status, char const *message)
{
    world w;
    dt_request r;

    open_world(&w, ONLY_TRUSTED, NULL);
    r = graph ? with_certificate(&w) : world_request();
    if (graph)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", status, graph);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_string_equal(world_outcome(&w)->message, message);
    assert_int_equal(world_outcome(&w)->graph_calls, graph ? 1 : 0);
    world_close(&w);
}

static void test_a_refusal_shows_the_way_out(void **state)
{
    (void)state;
#define NO "Your company's sign-on policy does not allow this sign-on. "
    refusal(NULL, 0, NO "This device is not enrolled. Enrol it: https://enrol.example.com");
    refusal(GRAPH_NOT_FOUND, 404,
            NO "This device is not enrolled. Enrol it: https://enrol.example.com");
    refusal(GRAPH_NONCOMPLIANT, 200,
            NO "This device does not meet your company's compliance and security policies. In "
               "Company Portal, choose LAPTOP-1, then Check access; it can take 10 minutes.");
}

static void test_words_of_ones_own(void **state)
{
    static char const *const own[] = {"device_trust", "check_access_text", "Ask Bob.", NULL};
    world w;
    dt_request r;

    (void)state;
    open_world(&w, ONLY_TRUSTED, own);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(world_outcome(&w)->message, NO "Ask Bob.");
    world_close(&w);
}

static void test_the_words_of_the_prompts(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(
        w.step.prompt->text,
        "Choose the number 42 in Okta Verify, then press Enter (or type a passcode): ");
    assert_string_equal(w.step.prompt->note, "");
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_PROMPT);
    assert_string_equal(
        w.step.prompt->text,
        "Choose the number 42 in Okta Verify, then press Enter (or type a passcode): ");
    assert_string_equal(w.step.prompt->note, "That passcode was not accepted.");
    assert_non_null(strstr(dt_signon_outcome(w.machine)->detail, "E0000068"));
    world_close(&w);
}

static void test_the_words_of_the_prompts_without_a_number(void **state)
{
    static char const *const never[] = {"mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, never);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(
        w.step.prompt->text,
        "Approve the push in Okta Verify (press Enter here to see its number, if any), "
        "then press Enter (or type a passcode): ");
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING);
    assert_int_equal(world_answer(&w, ""), DT_STEP_WAIT); /* nothing new: nothing is shown */
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_REJECTED);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_PUSH);
    assert_non_null(strstr(world_outcome(&w)->message, "rejected in Okta Verify"));
    world_close(&w);
}

static void test_the_administrator_is_told_why(void **state)
{
    static struct {
        char const *body;
        int status;
        char const *detail;
    } const users[] = {
        {"{\"id\":\"00u1\",\"status\":\"SUSPENDED\",\"profile\":{\"login\":\"ann@example.com\"}}",
         200, "status SUSPENDED"},
        {"{\"id\":\"00u1\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"eve@example.com\"}}", 200,
         "answered with eve@example.com"},
        {"{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}", 404, "E0000007"},
    };
    world w;
    dt_request r = world_request();

    (void)state;
    for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
        open_world(&w, GUIDE, NULL);
        world_expect(&w, DT_HTTP_GET, "/users/ann", users[i].status, users[i].body);
        world_begin(&w, &r);
        world_run(&w);
        assert_end(&w, DT_DENY, DT_CAUSE_OKTA_REFUSED);
        assert_non_null(strstr(world_outcome(&w)->detail, users[i].detail));
        world_close(&w);
    }
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, "[]");
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    assert_non_null(strstr(world_outcome(&w)->detail, "no enrolled factor"));
    world_close(&w);
}

/* --- who and what the policy sees ------------------------------------------------------------- */

#define PEOPLE(name, priority, people, action)                                                     \
    "{\"name\":\"" name "\",\"priority\":" priority ",\"status\":\"ACTIVE\",\"conditions\":{"      \
    "\"people\":" people "},\"actions\":{\"appSignOn\":" action "}}"

static void test_every_group_counts(void **state)
{
    static char const policy[] =
        POLICY(PEOPLE("b", "1", "{\"groups\":{\"include\":[\"B\"]}}",
                      ALLOW) "," PEOPLE("a", "2", "{\"groups\":{\"include\":[\"A\"]}}", DENY));
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    static char const *const groups[] = {"A", "B"};
    world w;
    dt_request r = world_request();

    (void)state;
    r.groups = groups;
    r.group_count = 2;
    open_world(&w, policy, NULL);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    world_close(&w);
    open_world(&w, policy, okta); /* then what the host says of groups has no say */
    r.group_count = 1;
    world_expect(&w, DT_HTTP_GET, "/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200,
                 "[{\"profile\":{\"name\":\"A\"}},{\"profile\":{\"name\":\"B\"}}]");
    world_expect(&w, DT_HTTP_GET, "name%20eq%20%22A%22", 200, "[" OKTA_GROUP("1", "A") "]");
    world_expect(&w, DT_HTTP_GET, "name%20eq%20%22B%22", 200, "[" OKTA_GROUP("2", "B") "]");
    for (int cached = 0; cached < 2; cached++) {
        world_begin(&w, &r);
        world_run(&w);
        assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    }
    world_close(&w);
}

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
    open_world(&w, by_login, NULL);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    world_close(&w);
    open_world(&w, by_platform, NULL);
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
        open_world(&w, ONLY_TRUSTED, enabled ? windows : macos);
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

/* The SSH key that sshd verified is that of an enrolled device's certificate. */
static void test_an_enrolled_ssh_key_is_trusted(void **state)
{
    static char const *const ssh[] = {"device_trust", "trusted_when", "ssh-key+intune", NULL};
    char info[1024];
    uint8_t storage[512];
    dt_buf blob, text;
    world w;
    dt_request r = world_request();
    dt_ssh_keys keys;
    dt_device_record record = {.added = WORLD_START};
    world_row *row;

    (void)state;
    open_world(&w, ONLY_TRUSTED, ssh);
    dt_buf_init_fixed(&blob, storage, sizeof(storage));
    assert_int_equal(dt_x509_ssh_blob(dt_bytes_of(w.leaf, w.leaf_len), &blob), 0);
    dt_buf_init_fixed(&text, info, sizeof(info));
    dt_buf_puts(&text, SSH_INFO); /* and another key, which nobody enrolled */
    dt_buf_puts(&text, "publickey ecdsa-sha2-nistp256 ");
    dt_base64_encode(&text, dt_buf_bytes(&blob));
    dt_buf_puts(&text, "\n");
    assert_int_equal(dt_ssh_auth_info_parse(dt_bytes_str(info), &keys, NULL), 0);
    assert_int_equal(keys.count, 2);
    memcpy(record.der, w.leaf, w.leaf_len);
    record.der_len = w.leaf_len;
    row = &w.rows[0];
    dt_buf_init_fixed(&text, row->value, sizeof(row->value));
    assert_int_equal(dt_device_record_pack(&record, &text), 0);
    row->table = DT_TABLE_DEVICE;
    row->len = text.len;
    row->expires = DT_TIME_NEVER;
    dt_device_store_key(keys.items[1].fingerprint, row->key);
    r.ssh_auth_info = info;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(strlen(world_outcome(&w)->verdict.key_id), 64);
    /* Without the key there is only the other one, which tells nothing. */
    r.ssh_auth_info = SSH_INFO;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    r.ssh_auth_info = "publickey ecdsa-sha2-nistp256 !";
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_non_null(strstr(world_outcome(&w)->detail, "SSH_AUTH_INFO_0"));
    world_close(&w);
}

/* --- SSH: certificates, keys without a certificate, hardware, the list of trusted devices ---------- */

#define SSH_HARD_INFO /* an Ed25519 key that says it is in a security key; see PROTOCOL.u2f */     \
    "publickey sk-ssh-ed25519@openssh.com "                                                        \
    "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"     \
    "AAAABHNzaDo=\n"

static world_row *free_row(world *w)
{
    for (int i = 0; i < WORLD_ROWS_MAX; i++) {
        if (w->rows[i].table == DT_TABLE_NONE)
            return &w->rows[i];
    }
    fail_msg("no room in the store");
    return &w->rows[0];
}

static void file_row(world_row *row, dt_buf const *text)
{
    row->table = DT_TABLE_DEVICE;
    row->len = text->len;
    row->expires = DT_TIME_NEVER;
}

/* Enrols the one key of `info`, without a certificate. */
static void enrol_key(world *w, char const *info, char const *device)
{
    dt_device_record record = {.added = WORLD_START, .name = "bench"};
    world_row *row = free_row(w);
    dt_ssh_keys keys;
    dt_buf blob, text;

    assert_int_equal(dt_ssh_auth_info_parse(dt_bytes_str(info), &keys, NULL), 0);
    assert_int_equal(keys.count, 1);
    dt_buf_init(&blob, DT_SSH_KEY_MAX);
    char const *base64 = strrchr(info, ' ') + 1;

    assert_int_equal(dt_base64_decode(&blob, dt_bytes_of(base64, strcspn(base64, "\n"))), 0);
    memcpy(record.key, blob.p, blob.len);
    record.key_len = blob.len;
    assert_int_equal(dt_guid_parse(dt_bytes_str(device), &record.device_id), 0);
    dt_buf_init_fixed(&text, row->value, sizeof(row->value));
    assert_int_equal(dt_device_record_pack(&record, &text), 0);
    dt_device_store_key(keys.items[0].fingerprint, row->key);
    file_row(row, &text);
    dt_buf_free(&blob);
}

static world_row *trust_device(world *w, char const *device)
{
    dt_trusted_record record = {.added = WORLD_START, .name = "bench"};
    world_row *row = free_row(w);
    dt_buf text;

    assert_int_equal(dt_guid_parse(dt_bytes_str(device), &record.device_id), 0);
    dt_buf_init_fixed(&text, row->value, sizeof(row->value));
    assert_int_equal(dt_trusted_record_pack(&record, &text), 0);
    dt_trusted_store_key(&record.device_id, row->key);
    file_row(row, &text);
    return row;
}

static void run_ssh(world *w, char const *info, dt_result result, dt_cause cause)
{
    dt_request r = world_request();

    r.ssh_auth_info = info;
    world_begin(w, &r);
    world_run(w);
    assert_end(w, result, cause);
}

static char const *const with_registry[] = {"device_trust", "trusted_when",
                                            "ssh-key+registry, certificate+registry", NULL};

static void test_a_listed_device_with_a_proved_key_is_trusted(void **state)
{
    world w;

    (void)state;
    for (int save = 0; save < 2; save++) {
        open_world(&w, ONLY_TRUSTED, with_registry);
        w.save_each_step = save == 1;
        run_ssh(&w, SSH_INFO, DT_DENY, DT_CAUSE_RULE_DENY); /* neither enrolled nor listed */
        enrol_key(&w, SSH_INFO, WORLD_DEVICE);
        run_ssh(&w, SSH_INFO, DT_DENY, DT_CAUSE_RULE_DENY); /* enrolled only */
        assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_NOT_ENROLLED);
        trust_device(&w, WORLD_DEVICE);
        run_ssh(&w, SSH_INFO, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
        assert_int_equal(world_outcome(&w)->verdict.sources,
                         DT_SOURCE_SSH_KEY | DT_SOURCE_REGISTRY);
        assert_string_equal(world_outcome(&w)->verdict.device_id.text, WORLD_DEVICE);
        assert_string_equal(world_outcome(&w)->verdict.device_name, "bench");
        assert_int_equal(strlen(world_outcome(&w)->verdict.key_id), 64);
        run_ssh(&w, SSH_HARD_INFO, DT_DENY, DT_CAUSE_RULE_DENY); /* another key */
        world_close(&w);
    }
}

static void test_a_listed_device_with_a_certificate_is_trusted(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    open_world(&w, ONLY_TRUSTED, with_registry);
    trust_device(&w, WORLD_DEVICE);
    r.certificate = dt_bytes_of(w.leaf, w.leaf_len);
    r.handshake_finished = true;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    r.handshake_finished = false;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    world_close(&w);
}

/* The list tells nothing about a device that is only claimed, is not read for one, and what is wrong
 * with it makes nobody trusted. */
static void test_the_list_of_trusted_devices_fails_closed(void **state)
{
    dt_request r = world_request();
    world_row *row;
    world w;

    (void)state;
    open_world(&w, ONLY_TRUSTED, with_registry);
    enrol_key(&w, SSH_INFO, WORLD_DEVICE);
    row = trust_device(&w, WORLD_DEVICE);
    r.vpn_device_id = WORLD_DEVICE;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    /* a record that says it is of another device, and one that is none */
    char kept[sizeof(row->value)];

    memcpy(kept, row->value, sizeof(kept));
    *strstr(row->value, "8b1c5d3e") = '9';
    run_ssh(&w, SSH_INFO, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_UNKNOWN);
    memcpy(row->value, kept, sizeof(kept));
    row->value[0] = '[';
    run_ssh(&w, SSH_INFO, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_UNKNOWN);
    memcpy(row->value, kept, sizeof(kept));
    run_ssh(&w, SSH_INFO, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    w.store_broken = true;
    run_ssh(&w, SSH_INFO, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_UNKNOWN);
    world_close(&w);
}

/* The registry is not read where no alternative names it. */
static void test_the_list_has_no_say_unless_it_is_named(void **state)
{
    static char const *const only_key[] = {"device_trust", "trusted_when", "ssh-key", NULL};
    world w;

    (void)state;
    open_world(&w, ONLY_TRUSTED, only_key);
    enrol_key(&w, SSH_INFO, WORLD_DEVICE);
    run_ssh(&w, SSH_INFO, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(dt_signon_evidence(w.machine)->count, 1);
    world_close(&w);
}

static void test_keys_in_hardware_can_be_demanded(void **state)
{
    static char const *const hard[] = {"device_trust",
                                       "trusted_when",
                                       "ssh-key",
                                       "device_trust",
                                       "ssh_require_hardware_key",
                                       "yes",
                                       NULL};
    world w;

    (void)state;
    for (int save = 0; save < 2; save++) {
        open_world(&w, ONLY_TRUSTED, hard);
        w.save_each_step = save == 1;
        enrol_key(&w, SSH_INFO, WORLD_DEVICE);
        enrol_key(&w, SSH_HARD_INFO, "00000000-0000-4000-8000-000000000002");
        run_ssh(&w, SSH_INFO, DT_DENY, DT_CAUSE_RULE_DENY);
        assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_KEY_NOT_HARDWARE);
        run_ssh(&w, SSH_HARD_INFO, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
        world_close(&w);
    }
}

/* Two enrolled keys of two devices in one login: a contradiction. */
static void test_two_devices_are_none(void **state)
{
    static char const *const only_key[] = {"device_trust", "trusted_when", "ssh-key", NULL};
    world w;

    (void)state;
    open_world(&w, ONLY_TRUSTED, only_key);
    enrol_key(&w, SSH_INFO, WORLD_DEVICE);
    enrol_key(&w, SSH_HARD_INFO, "00000000-0000-4000-8000-000000000002");
    char both[1024];

    snprintf(both, sizeof(both), "%s%s", SSH_INFO, SSH_HARD_INFO);
    run_ssh(&w, both, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_NO_PROOF_OF_POSSESSION);
    world_close(&w);
}

/* ssh-keygen makes a CA and has it sign a key; SSH_AUTH_INFO_0 as sshd would write it, and the CA. */
static void make_ssh_certificate(char const *options, char info[8192], dt_ssh_cas **cas)
{
    char directory[] = "/tmp/dt-test-signon-XXXXXX", command[1024], ca[1024] = "";
    FILE *out;

    assert_non_null(mkdtemp(directory));
    snprintf(command, sizeof(command),
             "cd %s && ssh-keygen -q -t ed25519 -N '' -f ca && ssh-keygen -q -t ecdsa -N '' -f key "
             "&& ssh-keygen -q -s ca %s key.pub && cat ca.pub && cut -d' ' -f1,2 key-cert.pub "
             "&& rm -r %s",
             directory, options, directory);
    out = popen(command, "r");
    assert_non_null(out);
    assert_non_null(fgets(ca, sizeof(ca), out));
    memcpy(info, "publickey ", 10);
    assert_non_null(fgets(info + 10, 8192 - 10, out));
    assert_int_equal(pclose(out), 0);
    assert_int_equal(dt_ssh_cas_new(cas), 0);
    assert_int_equal(dt_ssh_cas_add_text(*cas, dt_bytes_str(ca), NULL), 0);
}

static void test_an_ssh_certificate_of_a_device_ca_is_evidence(void **state)
{
    static char const *const ssh[] = {"device_trust",
                                      "trusted_when",
                                      "ssh-certificate+intune",
                                      "device_trust",
                                      "ssh_device_ca_file",
                                      "/etc/devtrust/ssh-ca.pub",
                                      NULL};
    char info[8192], other[8192];
    dt_ssh_cas *cas, *others;
    world w;

    (void)state;
    make_ssh_certificate("-I 8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e5f -n ann", info, &cas);
    make_ssh_certificate("-I 8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e5f -n ann", other, &others);
    open_world(&w, ONLY_TRUSTED, ssh);
    w.site.ssh_cas = cas;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
    run_ssh(&w, info, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->verdict.sources,
                     DT_SOURCE_SSH_CERTIFICATE | DT_SOURCE_INTUNE);
    assert_int_equal(strlen(world_outcome(&w)->verdict.key_id), 64);
    run_ssh(&w, other, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_UNTRUSTED_ISSUER);
    w.now += DT_HOURS(1); /* and no call for a stranger's device */
    run_ssh(&w, other, DT_DENY, DT_CAUSE_RULE_DENY);
    w.site.ssh_cas = NULL;
    run_ssh(&w, info, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_int_equal(dt_signon_evidence(w.machine)->count, 0);
    world_all_used(&w);
    world_close(&w);
    dt_ssh_cas_free(&cas);
    dt_ssh_cas_free(&others);
}

/* --- more of pushes and passcodes ------------------------------------------------------------- */

/* Whoever knows the password must not ride on the approval that somebody else waits for. */
static void test_another_station_gets_no_push_meanwhile(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    r.push_key = "ann|nas|one";
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    r.push_key = "ann|nas|two";
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "passcode"));
    assert_null(strstr(w.step.prompt->text, "42"));
    world_all_used(&w);
    world_close(&w);
}

/* A second sign-on that comes while the first one's POST is under way sends none of its own. */
static void test_a_push_being_sent_is_joined(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    run_to_http(&w, DT_HTTP_POST, "/factors/opf1/verify");
    assert_non_null(strstr(world_find(&w, DT_TABLE_PUSH, "push:")->value, r.id));
    r.id = "ffffffffffffffffffffffffffffffff";
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    world_close(&w);
}

static void test_how_long_records_live(void **state)
{
    world w;
    dt_request r;
    world_row *row;

    (void)state;
    open_world(&w, DAILY, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    run_to_http(&w, DT_HTTP_POST, "/factors/opf1/verify");
    row = world_find(&w, DT_TABLE_PUSH, "push:");
    assert_int_equal(row->expires, WORLD_START + r.wait_limit + DT_SIGNON_PUSH_RESULT_KEPT);
    world_run(&w);
    assert_int_equal(row->expires, WORLD_START + r.wait_limit + DT_SIGNON_PUSH_RESULT_KEPT);
    assert_non_null(strstr(row->value, r.id));
    world_show(&w);
    assert_int_equal(world_find(&w, DT_TABLE_PUSH_COUNT, "pushes:ann@example.com")->expires,
                     WORLD_START + DT_MINUTES(10));
    assert_int_equal(world_find(&w, DT_TABLE_LOOKUP, "okta-user:")->expires,
                     WORLD_START + DT_HOURS(24));
    assert_int_equal(world_find(&w, DT_TABLE_LOOKUP, WORLD_DEVICE)->expires,
                     WORLD_START + DT_HOURS(24));
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(row->expires, w.now + DT_SIGNON_PUSH_RESULT_KEPT);
    assert_int_equal(world_find(&w, DT_TABLE_REMEMBERED, "mfa:")->expires,
                     w.now + DT_REMEMBERED_KEPT);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_REMEMBERED);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_PUSH);
    world_close(&w);
}

static void test_a_push_that_failed_is_joined_by_nobody(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 500, OKTA_BROKEN);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(world_find(&w, DT_TABLE_PUSH, "push:")->value, "\"state\":5"));
    assert_int_equal(dt_signon_outcome(w.machine)->factor, DT_FACTOR_TOTP);
    assert_non_null(strstr(dt_signon_outcome(w.machine)->detail, "Okta: push:"));
    world_close(&w);
}

static void test_a_push_rejected_at_once(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_REJECTED);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
    assert_non_null(strstr(world_find(&w, DT_TABLE_PUSH, "push:")->value, "\"state\":4"));
    world_close(&w);
}

/* Words that are no answer are no outage either. */
static void test_odd_polls_never_allow(void **state)
{
    static char const *const allow[] = {"policy", "okta_unavailable", "allow", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, allow);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, "{\"factorResult\":\"CHALLENGE\"}");
    for (int i = 0; i < DT_SIGNON_POLL_FAILURES_MAX; i++)
        world_expect(&w, DT_HTTP_GET, "/transactions/", 500, "");
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    while (!dt_signon_is_done(w.machine))
        world_wait(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    assert_non_null(strstr(world_outcome(&w)->detail, "Okta: poll:"));
    world_close(&w);
}

static void test_polls_may_fail_now_and_then(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.wait_limit = DT_MINUTES(5);
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < DT_SIGNON_POLL_FAILURES_MAX; k++)
            world_expect(&w, DT_HTTP_GET, "/transactions/", k % 2 ? 500 : 0, "");
        world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_WAITING);
    }
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_SUCCESS);
    while (!dt_signon_is_done(w.machine))
        world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_a_passcode_typed_during_a_poll(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    w.now = w.step.until;
    run_to_http(&w, DT_HTTP_GET, "/transactions/");
    dt_signon_answer(w.machine, dt_bytes_str("918273"), w.now);
    reply(&w, 200, OKTA_WAITING_NUMBER);
    run_to_http(&w, DT_HTTP_POST, "/factors/ost1/verify");
    assert_non_null(strstr(w.step.http->body, "918273"));
    reply(&w, 403, OKTA_WRONG_CODE);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_null(memmem(w.machine, dt_signon_size(), "918273", 6));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    dt_signon_answer(w.machine, dt_bytes_str("123456"), w.now);
    w.save_each_step = false;
    for (int i = 0; i < 3; i++) { /* looked up, counted, then sent */
        dt_signon_next(w.machine, w.now, &w.step);
        world_step(&w);
    }
    dt_signon_next(w.machine, w.now, &w.step);
    assert_int_equal(w.step.http->method, DT_HTTP_DELETE);
    assert_int_equal(w.step.http->timeout, DT_SIGNON_CANCEL_TIMEOUT);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 500, ""); /* whatever it says */
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->polls, 1);
    world_close(&w);
}

static void test_each_passcode_is_tried_with_both(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 0, "");
    world_begin(&w, &r);
    world_run(&w);
    for (int i = 0; i < 2; i++) {
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
        world_expect(&w, DT_HTTP_POST, "/factors/uft2/verify", 403, OKTA_WRONG_CODE);
        assert_int_equal(world_answer(&w, i == 0 ? "123456" : "123457"), DT_STEP_PROMPT);
    }
    world_all_used(&w);
    world_close(&w);
}

/* The number is shown again, and what was typed is neither Enter nor a guess. */
static void stray(world *w, char const *typed, char const *told)
{
    dt_time until = w->step.until;

    assert_int_equal(world_answer(w, typed), DT_STEP_PROMPT);
    if (strstr(w->step.prompt->note, told) == NULL ||
        strstr(w->step.prompt->text, "Choose the number 42 in Okta Verify") == NULL)
        fail_msg("%s: %s", typed, w->step.prompt->text);
    world_show(w);
    assert_int_equal(w->step.kind, DT_STEP_WAIT);
    assert_true(w->step.until >= until);
}

static void test_text_at_a_push_is_not_enter(void **state)
{
    static char const *const typed[] = {"yes", "12345", "123 456 789"};
    static char const *const once[] = {"mfa", "passcode_attempts", "1", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, once);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    for (int i = 0; i < DT_SIGNON_STRAY_ANSWERS_MAX; i++)
        stray(&w, typed[i], "That is not a passcode");
    /* Nothing more is said to whoever goes on, and the push may still be approved. */
    assert_int_equal(world_answer(&w, "yes"), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_all_used(&w);
    world_close(&w);
}

/* After text that is not a passcode, a passcode still counts, however it is written. */
static void test_a_passcode_after_text(void **state)
{
    static char const *const once[] = {"mfa", "passcode_attempts", "1", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, once);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    stray(&w, "What?", "That is not a passcode");
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    assert_int_equal(world_answer(&w, "123 456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* Every prompt, broken into lines as PAM shows it: none is wider than a small screen, and a number is in the
 * first line, with the longest help that an administrator may write. */
static void narrow(char const *push, char const *factors, char const *answer)
{
    char text[301];
    char const *extra[] = {"device_trust", "check_access_text", text, NULL};
    world w;
    dt_request r;

    memset(text, 0, sizeof(text));
    for (size_t i = 0; i + 1 < sizeof(text); i++)
        text[i] = i % 7 == 6 ? ' ' : 'x';
    text[299] = 'x';
    open_world(&w, GUIDE, extra);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_user_and_factors(&w, factors);
    if (push != NULL)
        world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, push);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT) {
        world_expect(&w, DT_HTTP_GET, "mst1", 200, OKTA_WAITING);
        w.now = w.step.until;
    }
    for (int i = 0; i < 2; i++) {
        dt_prompt p = *w.step.prompt;

        assert_int_equal(w.step.kind, DT_STEP_PROMPT);
        if (push != NULL && strstr(push, "42") != NULL)
            assert_true(strstr(p.text, "number 42") != NULL &&
                        strstr(p.text, "number 42") < p.text + 20);
        assert_true(p.note[0] != '\0');
        dt_text_wrap(p.text);
        dt_text_wrap(p.note);
        for (char const *line = p.text, *end; line != NULL; line = end != NULL ? end + 1 : NULL) {
            end = strchr(line, '\n');
            assert_true((end != NULL ? (size_t)(end - line) : strlen(line)) <= DT_TEXT_COLUMNS + 1);
        }
        for (char const *line = p.note, *end; line != NULL; line = end != NULL ? end + 1 : NULL) {
            end = strchr(line, '\n');
            assert_true((end != NULL ? (size_t)(end - line) : strlen(line)) <= DT_TEXT_COLUMNS);
        }
        world_show(&w);
        if (i == 0)
            assert_int_equal(world_answer(&w, answer), DT_STEP_PROMPT);
    }
    world_close(&w);
}

static void test_every_prompt_fits_a_narrow_screen(void **state)
{
    (void)state;
    narrow(OKTA_PUSH_NUMBER, OKTA_FACTORS_MANY, "what?");
    narrow(OKTA_PUSH_NUMBER, OKTA_FACTORS_PUSH, "what?");
    narrow(NULL, OKTA_FACTORS_TOTP, "what?");
}

static void test_wrapping(void **state)
{
    static char const *const rows[][2] = {
        {"", ""},
        {"short", "short"},
        {"1234567890 1234567890 1234567890 1234567 9",
         "1234567890 1234567890 1234567890 1234567\n9"},
        {"https://example.com/a/very/long/link/that/must/stay/whole now",
         "https://example.com/a/very/long/link/that/must/stay/whole\nnow"},
        {"1234567890 1234567890 1234567890 123456: ", "1234567890 1234567890 1234567890 123456: "},
        /* columns, not bytes */
        {"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 1234567890 1234567890 123456789012 x",
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 1234567890 1234567890 123456789012\nx"},
        {"a line\nof its own 1234567890 1234567890 1234567890",
         "a line\nof its own 1234567890 1234567890\n1234567890"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[100];

        snprintf(text, sizeof(text), "%s", rows[i][0]);
        dt_text_wrap(text);
        assert_string_equal(text, rows[i][1]);
    }
}

static void test_prompt_and_note_as_one(void **state)
{
    dt_prompt p = {.text = "Choose the number 42 in Okta Verify, then press Enter: "};
    char out[DT_PROMPT_TEXT_MAX];

    (void)state;
    dt_prompt_join(&p, out);
    assert_string_equal(out, p.text);
    snprintf(p.note, sizeof(p.note), "Help.");
    dt_prompt_join(&p, out);
    assert_string_equal(out, "Choose the number 42 in Okta Verify, then press Enter. Help.");
    memset(p.note, 'x', sizeof(p.note) - 1);
    dt_prompt_join(&p, out);
    assert_int_equal(strlen(out), DT_PROMPT_TEXT_MAX - 1);
}

static void test_a_passcode_where_none_is_taken(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    stray(&w, "123456", "No passcode can be used here");
    assert_null(
        strstr(w.step.kind == DT_STEP_PROMPT ? w.step.prompt->text : "", "type a passcode"));
    world_close(&w);
}

/* What is typed while Okta is being asked is answered when Okta has answered. */
static void test_text_typed_during_a_poll(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    w.now = w.step.until;
    run_to_http(&w, DT_HTTP_GET, "/transactions/");
    dt_signon_answer(w.machine, dt_bytes_str("yes"), w.now);
    reply(&w, 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "That is not a passcode"));
    world_close(&w);
}

/* Whoever types it again gets no other answer, and Okta no other guess. */
static void test_a_wrong_passcode_is_sent_once(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    w.save_each_step = false;
    expect_user_and_factors(&w, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 0, "");
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    world_expect(&w, DT_HTTP_POST, "/factors/uft2/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_PROMPT);
    world_show(&w);
    assert_int_equal(world_answer(&w, " 123456 "), DT_STEP_PROMPT); /* nothing is sent */
    world_show(&w);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    /* nor in the sign-on after it, of the same person */
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/00u1/factors", 200, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 0, "");
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

/* A locker that gives the same eight digits at every prompt: one of them goes to Okta, and the push is still
 * there to be approved. */
static void test_a_locker_that_answers_everything(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    w.save_each_step = false;
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "12345678"), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_not_equal(world_answer(&w, "12345678"), DT_STEP_DONE);
    while (w.step.kind == DT_STEP_PROMPT)
        world_show(&w);
    assert_int_equal(w.step.kind, DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "mst1", 200, OKTA_SUCCESS);
    w.now = w.step.until;
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_a_passcode_not_needed_is_forgotten(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, GUIDE, NULL);
    w.save_each_step = false;
    r = with_certificate(&w);
    r.passcode = "918273";
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_null(memmem(w.machine, dt_signon_size(), "918273", 6));
    world_close(&w);
}

/* --- odd beginnings and ends ------------------------------------------------------------------ */

static void test_logins_that_cannot_be_asked_for(void **state)
{
    static char suffix[129], user[251];
    char const *extra[] = {"user_name", "login_suffix", suffix, NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    memset(user, 'u', sizeof(user) - 1);
    memset(suffix, 's', sizeof(suffix) - 1);
    suffix[0] = '@';
    open_world(&w, GUIDE, extra);
    r.user = user;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_USER_NAME);
    world_close(&w);
    open_world(&w, GUIDE, NULL);
    r.user = "../ann";
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_non_null(w.step.outcome);
    assert_end(&w, DT_DENY, DT_CAUSE_USER_NAME);
    assert_non_null(strstr(world_outcome(&w)->detail, "begins with a dot"));
    assert_non_null(strstr(world_outcome(&w)->message, "tell your administrator"));
    world_close(&w);
}

static void test_leaving_at_any_step(void **state)
{
    static char const *const host[] = {"device_trust",
                                       "host_certificate_file",
                                       "/etc/devtrust/h.pem",
                                       "device_trust",
                                       "host_key_file",
                                       "/etc/devtrust/h.key",
                                       NULL};

    (void)state;
    for (int at = 0; at < 12; at++) {
        world w;
        dt_request r;
        int i = 0;

        open_world(&w, DAILY, host);
        w.host_signs = true;
        r = with_certificate(&w);
        r.host_evidence = true;
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
        expect_push(&w, OKTA_PUSH_NUMBER);
        world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
        world_begin(&w, &r);
        for (dt_signon_next(w.machine, w.now, &w.step); !dt_signon_is_done(w.machine);
             dt_signon_next(w.machine, w.now, &w.step)) {
            if (i++ == at)
                dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
            if (dt_signon_is_done(w.machine) || w.step.kind == DT_STEP_PROMPT)
                break;
            world_step(&w);
            if (at < i) /* at most the end of a push is left to do */
                assert_true(dt_signon_is_done(w.machine) || w.machine->finishing);
        }
        world_run(&w);
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_CLIENT_GONE);
        world_close(&w);
    }
}

static void test_a_refresh_that_fails_ends(void **state)
{
    world w;
    dt_guid id;
    int waits = 0;

    (void)state;
    open_world(&w, GUIDE, NULL);
    assert_int_equal(dt_guid_parse(dt_bytes_str(WORLD_DEVICE), &id), 0);
    w.site.policy = NULL;
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 429, "{}");
    dt_signon_begin_refresh(w.machine, &w.site, &id, w.now);
    while (world_run(&w) == DT_STEP_WAIT) {
        assert_true(w.step.until > w.now);
        w.now = w.step.until;
        waits++;
    }
    assert_int_equal(waits, 2);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_non_null(strstr(world_outcome(&w)->detail, "Intune:"));
    assert_null(world_find(&w, DT_TABLE_LOOKUP, WORLD_DEVICE));
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    dt_signon_begin_refresh(w.machine, &w.site, &id, w.now);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_non_null(world_find(&w, DT_TABLE_LOOKUP, WORLD_DEVICE));
    world_close(&w);
}

/* What is saved comes back, to the last field that people or logs see. */
static void test_a_saved_machine_comes_back_whole(void **state)
{
    world w;
    dt_request r;
    dt_signon *before = calloc(1, dt_signon_size());
    dt_evidence const *a, *b;

    (void)state;
    assert_non_null(before);
    open_world(&w, GUIDE, NULL);
    r = with_certificate(&w);
    memset(r.random, 0x5a, sizeof(r.random));
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    memcpy(before->evidence.items[0].entra_id.text, "11111111-2222-3333-4444-555555555555", 37);
    w.machine->evidence.items[0].entra_id = before->evidence.items[0].entra_id;
    memcpy(before, w.machine, dt_signon_size());
    world_save_and_load(&w);
    assert_int_equal(w.machine->evidence.count, before->evidence.count);
    for (size_t i = 0; i < before->evidence.count; i++) {
        a = &before->evidence.items[i];
        b = &w.machine->evidence.items[i];
        assert_string_equal(a->device_id.text, b->device_id.text);
        assert_string_equal(a->entra_id.text, b->entra_id.text);
        assert_string_equal(a->key_id, b->key_id);
        assert_string_equal(a->device_name, b->device_name);
        assert_int_equal(a->source, b->source);
        assert_int_equal(a->finding, b->finding);
        assert_int_equal(a->assurance, b->assurance);
        assert_int_equal(a->reason, b->reason);
        assert_int_equal(a->observed, b->observed);
        assert_int_equal(a->platform, b->platform);
    }
    assert_string_equal(before->outcome.verdict.device_id.text,
                        w.machine->outcome.verdict.device_id.text);
    assert_string_equal(before->outcome.decision.rule, w.machine->outcome.decision.rule);
    assert_string_equal(before->outcome.detail, w.machine->outcome.detail);
    assert_string_equal(before->push.poll_url, w.machine->push.poll_url);
    assert_string_equal(before->push.cancel_url, w.machine->push.cancel_url);
    assert_string_equal(before->push.owner, w.machine->push.owner);
    assert_string_equal(before->prompt.text, w.machine->prompt.text);
    assert_memory_equal(before->random, w.machine->random, sizeof(before->random));
    assert_int_equal(before->deadline, w.machine->deadline);
    assert_int_equal(before->steps, w.machine->steps);
    free(before);
    world_close(&w);
}

/* --- the last edges --------------------------------------------------------------------------- */

static void test_each_look_up_has_its_own_retries(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
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

/* Denied in the middle of a wait for a second try; what is saved then can be loaded. */
static void test_an_odd_result_while_waiting_to_retry(void **state)
{
    world w;
    dt_request r = world_request();
    dt_store_result stored = {.status = DT_STORE_OK};

    (void)state;
    open_world(&w, GUIDE, NULL);
    world_expect(&w, DT_HTTP_GET, "/users/ann", 429, OKTA_RATE_LIMITED);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    dt_signon_store_done(w.machine, &stored, w.now);
    world_save_and_load(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    world_close(&w);
}

static void push_in_a_challenge(bool prompt, char const *push, char const *wanted)
{
    static char const *const never[] = {"mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r = world_request();

    r.conversation = DT_CONVERSATION_CHALLENGE;
    r.push_prompt = prompt;
    open_world(&w, GUIDE, never);
    expect_push(&w, push);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), wanted ? DT_STEP_PROMPT : DT_STEP_WAIT);
    if (wanted)
        assert_non_null(strstr(w.step.prompt->text, wanted));
    world_close(&w);
}

static void test_when_a_challenge_shows_the_push(void **state)
{
    static char const zero[] =
        "{\"factorResult\":\"WAITING\",\"_embedded\":{\"challenge\":{\"correctAnswer\":0}},"
        "\"_links\":{\"poll\":{\"href\":\"" TRANSACTION "\"}}}";

    (void)state;
    push_in_a_challenge(true, OKTA_PUSH, "Approve the push");
    push_in_a_challenge(false, OKTA_PUSH, NULL);
    push_in_a_challenge(true, OKTA_PUSH_NUMBER, "the number 42 in");
    push_in_a_challenge(false, OKTA_PUSH_NUMBER, "the number 42 in");
    push_in_a_challenge(false, zero, "the number 0 in");
}

static void test_the_way_out_is_told_only_where_it_leads_out(void **state)
{
    static char const *const no_url[] = {"device_trust", "enrollment_url", "", NULL};
    world w;
    dt_request r;

    (void)state;
    open_world(&w, ONLY_TRUSTED, no_url);
    r = world_request();
    r.vpn_device_id = "";
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(world_outcome(&w)->detail, "");
    assert_string_equal(world_outcome(&w)->message,
                        "Your company's sign-on policy does not allow this sign-on.");
    world_close(&w);
    open_world(&w, ONLY_TRUSTED, NULL); /* enrolling again would not mend the clock */
    r = with_certificate(&w);
    w.now += DT_DAYS(400);
    world_begin(&w, &r);
    world_run(&w);
    assert_string_equal(world_outcome(&w)->message,
                        NO "This device's certificate is not valid at this time. See that its "
                           "clock is right and let it sync with your company.");
    world_close(&w);
    open_world(&w, GUIDE, NULL); /* a fault of the administrator's is not the device's */
    r = world_request();
    world_expect(&w, DT_HTTP_GET, "/users/ann", 401, OKTA_INVALID_TOKEN);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_CONFIG);
    assert_string_equal(world_outcome(&w)->message,
                        "The sign-on could not be checked. Tell your administrator.");
    world_close(&w);
}

static void test_the_device_is_spoken_of_once(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, GUIDE, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_push(&w, OKTA_PUSH);
    for (int i = 0; i < DT_SIGNON_EARLY_POLLS; i++)
        world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_WAITING);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_non_null(strstr(w.step.prompt->note, "This device does not meet"));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    assert_null(strstr(w.step.prompt->text, "This device"));
    assert_null(strstr(w.step.prompt->note, "This device"));
    world_close(&w);
}

/* Who explains may suppose a device and a moment; a login may not. */
static void test_what_is_imagined_counts_for_explain_alone(void **state)
{
    (void)state;
    for (int explain = 0; explain < 2; explain++) {
        dt_policy_origins from;
        dt_origins_text text;
        dt_policy_input in;
        world w;
        dt_request r = world_request();
        r.explain = explain == 1;
        r.imagined = (dt_imagined){true, DT_TRUST_TRUSTED, DT_REASON_IN_GRACE_PERIOD, 12345};
        open_world(&w, GUIDE, NULL);
        world_begin(&w, &r);
        if (explain)
            (void)world_run(&w);
        else
            run_to_http(&w, DT_HTTP_GET, "/users/ann");
        assert_int_equal(dt_signon_outcome(w.machine)->verdict.trust,
                         explain ? DT_TRUST_TRUSTED : DT_TRUST_NOT_TRUSTED);
        assert_int_equal(dt_signon_outcome(w.machine)->decision.access,
                         explain ? DT_ACCESS_ALLOW : DT_ACCESS_ALLOW_AFTER_MFA);
        assert_int_equal(dt_signon_outcome(w.machine)->result,
                         DT_DENY); /* not asked yet; or never let in */
        dt_signon_policy_input(w.machine, &in, w.now);
        assert_true(in.now == (explain ? 12345 : w.now));
        assert_int_equal(in.reason, explain ? DT_REASON_IN_GRACE_PERIOD : DT_REASON_NO_CERTIFICATE);
        dt_signon_origins(w.machine, &text, &from);
        assert_string_equal(from.time.from, explain ? "the question" : "this host's clock");
        world_close(&w);
    }
}

/* The values of an explanation, by whom they were told and when. */
static void test_origins_name_the_sources(void **state)
{
    dt_policy_origins from;
    dt_origins_text text;
    dt_request r;
    world w;
    (void)state;

    open_world(&w, GUIDE, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    dt_signon_origins(w.machine, &text, &from);
    assert_string_equal(from.device.from, "certificate+intune");
    assert_true(from.device.learnt > 0 && from.device.learnt <= w.now);
    assert_non_null(strstr(from.platform.from, "intune"));
    assert_string_equal(from.address.from, "the request");
    assert_string_equal(from.address_text, r.client_ip);
    world_close(&w);

    r = world_request();
    r.platform_hint = DT_PLATFORM_IOS;
    r.explain = true;
    open_world(&w, GUIDE, NULL);
    world_begin(&w, &r);
    (void)world_run(&w);
    dt_signon_origins(w.machine, &text, &from);
    assert_string_equal(from.device.from, ""); /* nobody told anything */
    assert_string_equal(from.platform.from, "the request");
    world_close(&w);
}

static void test_explain_ends_after_its_look_ups(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, GUIDE, NULL);
    r = with_certificate(&w);
    r.explain = true;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_NONE);
    assert_int_equal(world_outcome(&w)->decision.access, DT_ACCESS_ALLOW);
    world_close(&w);
}

static void test_a_guest_polls_once_the_push_is_sent(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, STARTING, "ann@example.com", "f", "", "");
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    put_push(&w, WAITING, "ann@example.com", "f", TRANSACTION, "");
    world_expect(&w, DT_HTTP_GET, "/transactions/t", 200, OKTA_SUCCESS);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* The record of a push that is over expires just when it is to be taken over. */
static void test_a_record_that_expires_is_claimed_anew(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, OVER, "ann@example.com", "f", "", "");
    world_step(&w);
    dt_signon_next(w.machine, w.now, &w.step);
    assert_int_equal(w.step.store->verb, DT_STORE_REPLACE);
    memset(world_find(&w, DT_TABLE_PUSH, "push:"), 0, sizeof(world_row));
    world_step(&w);
    dt_signon_next(w.machine, w.now, &w.step);
    assert_int_equal(w.step.store->verb, DT_STORE_PUT_IF_ABSENT);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    world_close(&w);
}

static int run_plain(void **state)
{
    (void)state;
    saving = false;
    return 0;
}

static int run_saving(void **state)
{
    (void)state;
    saving = true;
    return 0;
}

static struct CMUnitTest const tests[] = {
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
    cmocka_unit_test(test_push_with_number_approved),
    cmocka_unit_test(test_push_denied_timed_out_gone),
    cmocka_unit_test(test_push_ends_for_other_reasons),
    cmocka_unit_test(test_the_provider_belongs_to_the_factor),
    cmocka_unit_test(test_the_authenticator_that_answered_is_told),
    cmocka_unit_test(test_poll_garbage_never_allows),
    cmocka_unit_test(test_push_nobody_answers_is_cancelled),
    cmocka_unit_test(test_person_leaves),
    cmocka_unit_test(test_person_leaves_while_the_push_is_sent),
    cmocka_unit_test(test_abandon_with_an_allowing_cause_denies),
    cmocka_unit_test(test_push_is_never_sent_twice_blindly),
    cmocka_unit_test(test_push_that_cannot_be_sent_falls_back_to_a_passcode),
    cmocka_unit_test(test_a_strangers_transaction_is_not_polled),
    cmocka_unit_test(test_rate_limit_is_obeyed),
    cmocka_unit_test(test_rate_limit_that_does_not_end_refuses),
    cmocka_unit_test(test_push_limit_stops_fatigue),
    cmocka_unit_test(test_retransmit_joins_the_push),
    cmocka_unit_test(test_an_approved_push_is_not_used_again),
    cmocka_unit_test(test_a_push_of_another_person_is_not_joined),
    cmocka_unit_test(test_passcode_while_the_push_is_pending),
    cmocka_unit_test(test_wrong_passcodes_are_counted),
    cmocka_unit_test(test_only_exactly_success_lets_a_passcode_in),
    cmocka_unit_test(test_passcode_given_along),
    cmocka_unit_test(test_challenge_for_a_passcode_survives_saving),
    cmocka_unit_test(test_silent_push_asks_for_no_number),
    cmocka_unit_test(test_number_where_nothing_can_be_shown_is_refused),
    cmocka_unit_test(test_offered_push_is_sent_after_enter),
    cmocka_unit_test(test_offered_push_takes_a_passcode),
    cmocka_unit_test(test_unanswered_offer_sends_no_push),
    cmocka_unit_test(test_nobody_to_ask_sends_no_push),
    cmocka_unit_test(test_offer_survives_saving),
    cmocka_unit_test(test_remembered_for_a_day_on_the_proved_key_only),
    cmocka_unit_test(test_okta_down_is_as_configured),
    cmocka_unit_test(test_okta_down_after_a_refusal_does_not_allow),
    cmocka_unit_test(test_odd_answers_to_a_push_never_allow),
    cmocka_unit_test(test_odd_answers_to_a_passcode_never_allow),
    cmocka_unit_test(test_okta_user_that_may_not),
    cmocka_unit_test(test_broken_store_asks_for_mfa),
    cmocka_unit_test(test_no_policy_is_a_config_fault),
    cmocka_unit_test(test_names_that_do_not_fit_are_refused),
    cmocka_unit_test(test_results_out_of_order_deny),
    cmocka_unit_test(test_groups_from_okta),
    cmocka_unit_test(test_groups_that_cannot_be_had_deny),
    cmocka_unit_test(test_a_saved_machine_must_be_whole),
    cmocka_unit_test(test_a_saved_machine_holds_no_passcode),
    cmocka_unit_test(test_explain_asks_nobody_for_mfa),
    cmocka_unit_test(test_what_is_imagined_counts_for_explain_alone),
    cmocka_unit_test(test_origins_name_the_sources),
    cmocka_unit_test(test_refresh_fills_the_cache),
    cmocka_unit_test(test_success_after_the_person_left_lets_nobody_in),
    cmocka_unit_test(test_a_stop_is_no_outage),
    cmocka_unit_test(test_person_leaves_while_the_end_is_written),
    cmocka_unit_test(test_a_request_cut_short_is_no_outage),
    cmocka_unit_test(test_a_push_cut_short_is_no_outage),
    cmocka_unit_test(test_an_outage_is_seen_within_a_short_wait),
    cmocka_unit_test(test_groups_cut_short_are_not_known),
    cmocka_unit_test(test_no_push_is_sent_when_the_time_is_over),
    cmocka_unit_test(test_push_limit_holds_for_every_spelling),
    cmocka_unit_test(test_no_push_at_all_holds_without_a_store),
    cmocka_unit_test(test_only_ones_own_push_is_joined),
    cmocka_unit_test(test_a_refusal_of_a_moment_ago_stands),
    cmocka_unit_test(test_a_joined_push_must_stay_the_same),
    cmocka_unit_test(test_a_push_whose_owner_died_ends),
    cmocka_unit_test(test_a_saved_machine_must_make_sense),
    cmocka_unit_test(test_a_machine_saved_after_a_retry_goes_on),
    cmocka_unit_test(test_a_passcode_on_its_way_is_asked_for_again),
    cmocka_unit_test(test_a_machine_loaded_without_its_policy_denies),
    cmocka_unit_test(test_a_passcode_nobody_can_type_is_not_waited_for),
    cmocka_unit_test(test_a_push_is_waited_for_without_its_prompt),
    cmocka_unit_test(test_a_clock_set_back_makes_no_wait_longer),
    cmocka_unit_test(test_a_wait_has_its_limit),
    cmocka_unit_test(test_an_answer_nobody_asked_for_takes_the_push_back),
    cmocka_unit_test(test_too_many_steps_take_the_push_back),
    cmocka_unit_test(test_host_certificate_with_its_key_is_proved),
    cmocka_unit_test(test_an_old_signature_proves_nothing),
    cmocka_unit_test(test_what_has_to_be_done_always_fits),
    cmocka_unit_test(test_a_number_that_comes_late_is_shown_by_enter),
    cmocka_unit_test(test_a_push_without_a_cancel_link_just_ends),
    cmocka_unit_test(test_a_push_given_up_is_joined_by_nobody),
    cmocka_unit_test(test_a_guest_leaves_the_push_alone),
    cmocka_unit_test(test_a_guest_whose_store_breaks),
    cmocka_unit_test(test_a_record_too_long_is_not_taken_over),
    cmocka_unit_test(test_a_claim_is_not_tried_for_ever),
    cmocka_unit_test(test_what_came_before_the_person_left_stands),
    cmocka_unit_test(test_the_first_to_leave_says_why),
    cmocka_unit_test(test_an_answer_crosses_with_the_end),
    cmocka_unit_test(test_what_is_remembered),
    cmocka_unit_test(test_every_name_must_fit),
    cmocka_unit_test(test_no_configuration_denies),
    cmocka_unit_test(test_more_groups_than_fit_are_not_known),
    cmocka_unit_test(test_more_groups_of_one_list_than_fit_are_known),
    cmocka_unit_test(test_nothing_is_asked_in_vain),
    cmocka_unit_test(test_when_intune_is_asked_again),
    cmocka_unit_test(test_what_is_no_passcode_costs_no_call),
    cmocka_unit_test(test_what_is_a_passcode),
    cmocka_unit_test(test_a_passcode_of_either_authenticator),
    cmocka_unit_test(test_locked_is_not_asked_again),
    cmocka_unit_test(test_a_useless_passcode_is_forgotten),
    cmocka_unit_test(test_a_challenge_shows_the_number),
    cmocka_unit_test(test_no_number_where_none_can_be_shown),
    cmocka_unit_test(test_an_open_prompt_is_not_replaced),
    cmocka_unit_test(test_an_odd_push_reply_leaves_the_passcode),
    cmocka_unit_test(test_a_poll_without_links_goes_on),
    cmocka_unit_test(test_when_okta_is_asked_again),
    cmocka_unit_test(test_a_look_up_retried_goes_on),
    cmocka_unit_test(test_a_remembered_user_at_its_edges),
    cmocka_unit_test(test_a_user_gone_is_asked_for_once_more),
    cmocka_unit_test(test_remembered_groups_at_their_edges),
    cmocka_unit_test(test_okta_groups_are_what_their_id_says),
    cmocka_unit_test(test_groups_come_in_pages),
    cmocka_unit_test(test_a_name_is_that_of_one_group),
    cmocka_unit_test(test_a_kept_name_at_its_edges),
    cmocka_unit_test(test_only_names_are_looked_up),
    cmocka_unit_test(test_many_names_are_looked_up_in_turn),
    cmocka_unit_test(test_every_odd_result_is_refused),
    cmocka_unit_test(test_the_audit_context_tells_all),
    cmocka_unit_test(test_a_refusal_shows_the_way_out),
    cmocka_unit_test(test_words_of_ones_own),
    cmocka_unit_test(test_the_words_of_the_prompts),
    cmocka_unit_test(test_the_words_of_the_prompts_without_a_number),
    cmocka_unit_test(test_the_administrator_is_told_why),
    cmocka_unit_test(test_every_group_counts),
    cmocka_unit_test(test_the_policy_sees_login_and_platform),
    cmocka_unit_test(test_trust_where_few_platforms_are_enabled),
    cmocka_unit_test(test_an_enrolled_ssh_key_is_trusted),
    cmocka_unit_test(test_a_listed_device_with_a_proved_key_is_trusted),
    cmocka_unit_test(test_a_listed_device_with_a_certificate_is_trusted),
    cmocka_unit_test(test_the_list_of_trusted_devices_fails_closed),
    cmocka_unit_test(test_the_list_has_no_say_unless_it_is_named),
    cmocka_unit_test(test_keys_in_hardware_can_be_demanded),
    cmocka_unit_test(test_two_devices_are_none),
    cmocka_unit_test(test_an_ssh_certificate_of_a_device_ca_is_evidence),
    cmocka_unit_test(test_another_station_gets_no_push_meanwhile),
    cmocka_unit_test(test_a_push_being_sent_is_joined),
    cmocka_unit_test(test_how_long_records_live),
    cmocka_unit_test(test_a_push_that_failed_is_joined_by_nobody),
    cmocka_unit_test(test_a_push_rejected_at_once),
    cmocka_unit_test(test_odd_polls_never_allow),
    cmocka_unit_test(test_polls_may_fail_now_and_then),
    cmocka_unit_test(test_a_passcode_typed_during_a_poll),
    cmocka_unit_test(test_each_passcode_is_tried_with_both),
    cmocka_unit_test(test_text_at_a_push_is_not_enter),
    cmocka_unit_test(test_a_passcode_after_text),
    cmocka_unit_test(test_every_prompt_fits_a_narrow_screen),
    cmocka_unit_test(test_wrapping),
    cmocka_unit_test(test_prompt_and_note_as_one),
    cmocka_unit_test(test_a_passcode_where_none_is_taken),
    cmocka_unit_test(test_text_typed_during_a_poll),
    cmocka_unit_test(test_a_wrong_passcode_is_sent_once),
    cmocka_unit_test(test_a_locker_that_answers_everything),
    cmocka_unit_test(test_a_passcode_not_needed_is_forgotten),
    cmocka_unit_test(test_logins_that_cannot_be_asked_for),
    cmocka_unit_test(test_leaving_at_any_step),
    cmocka_unit_test(test_a_refresh_that_fails_ends),
    cmocka_unit_test(test_a_saved_machine_comes_back_whole),
    cmocka_unit_test(test_each_look_up_has_its_own_retries),
    cmocka_unit_test(test_an_odd_result_while_waiting_to_retry),
    cmocka_unit_test(test_when_a_challenge_shows_the_push),
    cmocka_unit_test(test_the_way_out_is_told_only_where_it_leads_out),
    cmocka_unit_test(test_the_device_is_spoken_of_once),
    cmocka_unit_test(test_explain_ends_after_its_look_ups),
    cmocka_unit_test(test_a_guest_polls_once_the_push_is_sent),
    cmocka_unit_test(test_a_record_that_expires_is_claimed_anew),
};

int main(void)
{
    int failed = cmocka_run_group_tests_name("signon", tests, run_plain, NULL);

    return failed + cmocka_run_group_tests_name("signon, saved and loaded at each step", tests,
                                                run_saving, NULL);
}
