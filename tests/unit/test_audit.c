/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outcomes and their audit events: what is in them, and that no text from outside can break a line,
 * forge a field or make an event that is longer than promised. */
#include "core/signon/outcome.h"
#include "core/policy/policy_explain.h"
#include "core/policy/policy_record.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define NOW INT64_C(1787220672500) /* 2026-08-20T10:11:12.500Z */
#define RANDOM_SEED 20261123u
#define RANDOM_EVENTS 2000
#define LONG_TEXT 5000

static char const id[] = "0123456789abcdef0123456789abcdef";
static char const device[] = "11112222-3333-4444-5555-666677778888";

typedef struct event {
    char text[2 * DT_AUDIT_EVENT_MAX];
    dt_buf buf;
    json_t *root;
} event;

/* --- help -------------------------------------------------------------------------------------- */

/* One line of printable text, one JSON value in it, not longer than an event may be. */
static void event_check(event *e)
{
    json_error_t why;
    assert_int_equal(dt_buf_error(&e->buf), DT_OK);
    assert_in_range(e->buf.len, 2, DT_AUDIT_EVENT_MAX);
    assert_int_equal(e->buf.p[e->buf.len - 1], '\n');
    for (size_t i = 0; i + 1 < e->buf.len; i++)
        if (e->buf.p[i] < 0x20 || e->buf.p[i] == 0x7f)
            fail_msg("control character %02x at %zu", e->buf.p[i], i);
    e->root = json_loadb((char *)e->buf.p, e->buf.len, JSON_REJECT_DUPLICATES, &why);
    if (e->root == NULL)
        fail_msg("%s\n%s", why.text, (char *)e->buf.p);
}

static void signon_event(event *e, dt_outcome const *o, dt_audit_context const *ctx)
{
    dt_buf_init_fixed(&e->buf, e->text, sizeof(e->text));
    dt_audit_signon(&e->buf, o, ctx, NOW);
    event_check(e);
}

static void device_event(event *e, dt_outcome const *o, dt_evidence_set const *set,
                         dt_audit_context const *ctx)
{
    dt_buf_init_fixed(&e->buf, e->text, sizeof(e->text));
    dt_audit_device(&e->buf, o, set, ctx, NOW);
    event_check(e);
}

/* The value at a path such as "outcome.reason" or "target.1.displayName". */
static json_t *at(event const *e, char const *path)
{
    char copy[128];
    json_t *v = e->root;
    assert_int_equal(dt_str_copy(copy, sizeof(copy), path), DT_OK);
    for (char *save = NULL, *step = strtok_r(copy, ".", &save); step != NULL;
         step = strtok_r(NULL, ".", &save)) {
        v = json_is_array(v) ? json_array_get(v, (size_t)atoi(step)) : json_object_get(v, step);
        if (v == NULL)
            fail_msg("no %s in %s", path, e->text);
    }
    return v;
}

static void assert_text(event const *e, char const *path, char const *want)
{
    json_t *v = at(e, path);
    if (want == NULL ? !json_is_null(v)
                     : !json_is_string(v) || strcmp(json_string_value(v), want) != 0) {
        char *got = json_dumps(v, JSON_ENCODE_ANY);
        fail_msg("%s is %s, not %s", path, got, want == NULL ? "null" : want);
    }
}

static void assert_number(event const *e, char const *path, json_int_t want)
{
    json_t *v = at(e, path);
    assert_true(json_is_integer(v));
    assert_true(json_integer_value(v) == want);
}

static dt_audit_context somewhere(void)
{
    return (dt_audit_context){.id = id,
                              .application = "sshd",
                              .user = "anna",
                              .login = "anna@example.com",
                              .client_ip = "192.0.2.1",
                              .nas = "10.0.0.1",
                              .station = "00-11-22-33-44-55",
                              .host = "host1",
                              .door = "pam",
                              .policy_hash = "feed",
                              .started = NOW - 1234};
}

static dt_outcome trusted_outcome(void)
{
    dt_outcome o = {.verdict = {.trust = DT_TRUST_TRUSTED,
                                .reason = DT_REASON_TRUSTED,
                                .sources = DT_SOURCE_CERTIFICATE | DT_SOURCE_INTUNE,
                                .platform = DT_PLATFORM_LINUX,
                                .device_name = "LAPTOP-7",
                                .key_id = "abcd",
                                .oldest = NOW - 90500},
                    .decision = {.access = DT_ACCESS_ALLOW,
                                 .cause = DT_DECISION_RULE,
                                 .rule = "Trusted",
                                 .priority = 2}};
    assert_int_equal(dt_guid_parse(dt_bytes_str(device), &o.verdict.device_id), DT_OK);
    dt_outcome_set(&o, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    return o;
}

static dt_outcome push_outcome(dt_result r, dt_cause c)
{
    dt_outcome o = {.verdict = {.trust = DT_TRUST_NOT_TRUSTED,
                                .reason = DT_REASON_NO_CERTIFICATE,
                                .platform = DT_PLATFORM_WINDOWS},
                    .decision = {.access = DT_ACCESS_ALLOW_AFTER_MFA,
                                 .cause = DT_DECISION_RULE,
                                 .frequency = DT_FREQUENCY_ONCE_A_DAY,
                                 .factors = DT_FACTOR_ALL,
                                 .rule = "Not trusted"},
                    .factor = DT_FACTOR_PUSH,
                    .okta_calls = 5,
                    .graph_calls = 1,
                    .polls = 3};
    dt_outcome_set(&o, r, c);
    return o;
}

/* --- outcomes ---------------------------------------------------------------------------------- */

/* Of what is only reported nothing allows, and only faults deny. */
static void what_is_only_reported_allows_nothing(void **state)
{
    (void)state;
    for (int c = 0; c < DT_CAUSE_COUNT; c++) {
        for (int r = DT_DENY; r <= DT_ALLOW; r++) {
            dt_outcome o = {.report_only = true};
            bool fault = c == DT_CAUSE_NONE || c == DT_CAUSE_CONFIG || c == DT_CAUSE_INTERNAL ||
                         c == DT_CAUSE_PRIMARY_MISSING || c == DT_CAUSE_SESSION_DECIDES;

            assert_false(dt_outcome_is_report_only(&o));
            dt_outcome_set(&o, (dt_result)r, (dt_cause)c);
            assert_int_equal(o.result, DT_DENY);
            assert_int_equal(dt_outcome_is_report_only(&o), !fault);
            assert_int_equal(o.cause, fault ? (dt_cause)c : DT_CAUSE_REPORT_ONLY);
            assert_int_equal(o.would == DT_WOULD_ALLOW,
                             r == DT_ALLOW && dt_cause_allows((dt_cause)c));
            o.report_only = false; /* a flag that got lost */
            assert_false(dt_outcome_is_report_only(&o));
        }
    }
}

static void only_five_causes_allow(void **state)
{
    int allowing = 0;
    (void)state;
    for (int c = -1; c <= DT_CAUSE_COUNT + 1; c++) {
        dt_outcome o = {.result = DT_ALLOW};
        dt_outcome_set(&o, DT_ALLOW, (dt_cause)c);
        assert_int_equal(o.result == DT_ALLOW, dt_cause_allows((dt_cause)c));
        /* REPORT_ONLY is no cause of a sign-on that is enforced. */
        assert_true(o.cause == (c == DT_CAUSE_REPORT_ONLY ? DT_CAUSE_INTERNAL : (dt_cause)c));
        allowing += o.result == DT_ALLOW;
        dt_outcome_set(&o, DT_DENY, (dt_cause)c);
        assert_int_equal(o.result, DT_DENY);
        dt_outcome_set(&o, (dt_result)7, (dt_cause)c);
        assert_int_equal(o.result, DT_DENY);
    }
    assert_int_equal(allowing, 5);
    assert_true(dt_cause_allows(DT_CAUSE_RULE_ALLOW));
    assert_true(dt_cause_allows(DT_CAUSE_MFA_SUCCESS));
    assert_true(dt_cause_allows(DT_CAUSE_MFA_REMEMBERED));
    assert_true(dt_cause_allows(DT_CAUSE_OKTA_UNAVAILABLE_ALLOW));
    dt_outcome zero = {0};
    assert_int_equal(zero.result, DT_DENY);
    assert_int_equal(zero.cause, DT_CAUSE_NONE);
    assert_false(dt_cause_allows(zero.cause));
}

static void every_cause_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int c = 0; c < DT_CAUSE_COUNT; c++) {
        char const *name = dt_cause_name((dt_cause)c);
        assert_string_not_equal(name, "UNKNOWN");
        for (char const *p = name; *p != '\0'; p++)
            assert_true(isupper((unsigned char)*p) || *p == '_');
        for (int other = 0; other < c; other++)
            assert_string_not_equal(name, dt_cause_name((dt_cause)other));
    }
    assert_string_equal(dt_cause_name(DT_CAUSE_COUNT), "UNKNOWN");
    assert_string_equal(dt_cause_name((dt_cause)-1), "UNKNOWN");
    assert_string_equal(dt_cause_name(DT_CAUSE_MFA_REJECTED), "MFA_REJECTED");
}

/* --- what is in an event ------------------------------------------------------------------------ */

static void a_trusted_sign_on_is_told(void **state)
{
    dt_outcome o = trusted_outcome();
    dt_audit_context ctx = somewhere();
    event e;
    (void)state;
    signon_event(&e, &o, &ctx);
    assert_text(&e, "uuid", "01234567-89ab-8def-8123-456789abcdef");
    assert_text(&e, "published", "2026-08-20T10:11:12.500Z");
    assert_text(&e, "eventType", "policy.evaluate_sign_on");
    assert_text(&e, "displayMessage", "Evaluation of sign-on policy");
    assert_text(&e, "severity", "INFO");
    assert_text(&e, "outcome.result", "ALLOW");
    assert_text(&e, "outcome.reason", "RULE_ALLOW");
    assert_text(&e, "actor.type", "User");
    assert_text(&e, "actor.alternateId", "anna@example.com");
    assert_text(&e, "actor.displayName", "anna");
    assert_text(&e, "client.device", "Computer");
    assert_text(&e, "client.ipAddress", "192.0.2.1");
    assert_text(&e, "target.0.type", "AppInstance");
    assert_text(&e, "target.0.displayName", "sshd");
    assert_text(&e, "target.1.type", "Device");
    assert_text(&e, "target.1.id", device);
    assert_text(&e, "target.1.displayName", "LAPTOP-7");
    assert_text(&e, "target.2.type", "Rule");
    assert_text(&e, "target.2.displayName", "Trusted");
    assert_text(&e, "transaction.id", id);
    assert_text(&e, "authenticationContext.interface", "pam");
    assert_text(&e, "debugContext.debugData.verdict", "TRUSTED");
    assert_text(&e, "debugContext.debugData.deviceReason", "TRUSTED");
    assert_text(&e, "debugContext.debugData.evidence", "certificate+intune");
    assert_text(&e, "debugContext.debugData.rule", "Trusted");
    assert_text(&e, "debugContext.debugData.cause", "RULE_ALLOW");
    assert_text(&e, "debugContext.debugData.access", "ALLOW");
    assert_text(&e, "debugContext.debugData.factor", NULL);
    assert_text(&e, "debugContext.debugData.policyHash", "feed");
    assert_text(&e, "debugContext.debugData.keyId", "abcd");
    assert_text(&e, "debugContext.debugData.nas", "10.0.0.1");
    assert_text(&e, "debugContext.debugData.station", "00-11-22-33-44-55");
    assert_text(&e, "debugContext.debugData.host", "host1");
    assert_text(&e, "debugContext.debugData.platform", "linux");
    assert_number(&e, "debugContext.debugData.cacheAge", 90);
    assert_number(&e, "debugContext.debugData.oktaCalls", 0);
    assert_number(&e, "debugContext.debugData.durationMs", 1234);
    assert_true(json_is_false(at(&e, "debugContext.debugData.stale")));
    json_decref(e.root);
}

static void an_mfa_sign_on_is_told(void **state)
{
    static struct {
        dt_result result;
        dt_cause cause;
        char const *type, *outcome, *severity;
    } const cases[] = {
        {DT_ALLOW, DT_CAUSE_MFA_SUCCESS, "user.authentication.auth_via_mfa", "SUCCESS", "INFO"},
        {DT_DENY, DT_CAUSE_MFA_REJECTED, "user.authentication.auth_via_mfa", "FAILURE", "WARN"},
        {DT_DENY, DT_CAUSE_MFA_TIMEOUT, "user.authentication.auth_via_mfa", "FAILURE", "WARN"},
        {DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE, "user.authentication.auth_via_mfa", "FAILURE", "WARN"},
        {DT_DENY, DT_CAUSE_INTERNAL, "user.authentication.auth_via_mfa", "FAILURE", "ERROR"},
        {DT_ALLOW, DT_CAUSE_INTERNAL, "user.authentication.auth_via_mfa", "FAILURE", "ERROR"},
        {DT_ALLOW, DT_CAUSE_MFA_REMEMBERED, "policy.evaluate_sign_on", "ALLOW", "INFO"},
        {DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW, "policy.evaluate_sign_on", "ALLOW", "WARN"},
    };
    dt_audit_context ctx = somewhere();
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_outcome o = push_outcome(cases[i].result, cases[i].cause);
        event e;
        signon_event(&e, &o, &ctx);
        assert_text(&e, "eventType", cases[i].type);
        assert_text(&e, "outcome.result", cases[i].outcome);
        assert_text(&e, "outcome.reason", dt_cause_name(cases[i].cause));
        assert_text(&e, "severity", cases[i].severity);
        assert_text(&e, "debugContext.debugData.access", "ALLOW_AFTER_MFA");
        assert_text(&e, "debugContext.debugData.frequency", "ONCE_A_DAY");
        assert_text(&e, "debugContext.debugData.factor", "push");
        assert_text(&e, "debugContext.debugData.evidence", "");
        assert_number(&e, "debugContext.debugData.oktaCalls", 5);
        assert_number(&e, "debugContext.debugData.graphCalls", 1);
        assert_number(&e, "debugContext.debugData.polls", 3);
        json_decref(e.root);
    }
}

/* An outcome that was never decided, of nobody from nowhere. */
static void nothing_at_all_is_told_as_a_refusal(void **state)
{
    dt_outcome o = {0};
    dt_audit_context ctx = {0};
    event e;
    (void)state;
    signon_event(&e, &o, &ctx);
    assert_text(&e, "uuid", NULL);
    assert_text(&e, "outcome.result", "DENY");
    assert_text(&e, "outcome.reason", "NONE");
    assert_text(&e, "severity", "ERROR");
    assert_text(&e, "actor.displayName", NULL);
    assert_text(&e, "client.device", "Unknown");
    assert_text(&e, "client.ipAddress", NULL);
    assert_text(&e, "debugContext.debugData.verdict", "UNKNOWN");
    assert_text(&e, "debugContext.debugData.cacheAge", NULL);
    assert_int_equal(json_array_size(at(&e, "target")), 1);
    assert_number(&e, "debugContext.debugData.durationMs", 0);
    json_decref(e.root);
}

/* By the code a refused person is found; whoever gets in, or is only reported on, has none. */
static void a_refusal_names_its_code(void **state)
{
    dt_outcome o = push_outcome(DT_DENY, DT_CAUSE_MFA_REJECTED);
    dt_evidence_set set = {.count = 0};
    dt_audit_context ctx = somewhere();
    event e;
    (void)state;
    memcpy(o.code, "04HM-ASW9", sizeof(o.code));
    signon_event(&e, &o, &ctx);
    assert_text(&e, "debugContext.debugData.code", "04HM-ASW9");
    json_decref(e.root);
    device_event(&e, &o, &set, &ctx);
    assert_text(&e, "debugContext.debugData.code", "04HM-ASW9");
    json_decref(e.root);
    dt_outcome_set(&o, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    signon_event(&e, &o, &ctx);
    assert_null(json_object_get(at(&e, "debugContext.debugData"), "code"));
    json_decref(e.root);
    o.report_only = true;
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_MFA_REJECTED);
    signon_event(&e, &o, &ctx);
    assert_null(json_object_get(at(&e, "debugContext.debugData"), "code"));
    json_decref(e.root);
}

static void the_keys_that_were_presented_are_named(void **state)
{
    dt_outcome o = trusted_outcome();
    dt_evidence_set set = {.count = 0};
    dt_key_presented keys[DT_KEYS_PRESENTED_MAX] = {
        {DT_SOURCE_CERTIFICATE, "CN=laptop-7"},
        {DT_SOURCE_SSH_KEY, "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"}};
    dt_audit_context ctx = somewhere();
    event e;
    (void)state;
    signon_event(&e, &o, &ctx);
    assert_null(json_object_get(at(&e, "debugContext.debugData"), "keysPresented"));
    json_decref(e.root);
    ctx.keys = keys;
    for (int kind = 0; kind < 2; kind++) {
        if (kind != 0)
            device_event(&e, &o, &set, &ctx);
        else
            signon_event(&e, &o, &ctx);
        assert_int_equal(json_array_size(at(&e, "debugContext.debugData.keysPresented")), 2);
        assert_text(&e, "debugContext.debugData.keysPresented.0.source", "certificate");
        assert_text(&e, "debugContext.debugData.keysPresented.0.name", "CN=laptop-7");
        assert_text(&e, "debugContext.debugData.keysPresented.1.source", "ssh-key");
        assert_text(&e, "debugContext.debugData.keysPresented.1.name", keys[1].name);
        json_decref(e.root);
    }
    memset(keys, 0, sizeof(keys));
    signon_event(&e, &o, &ctx);
    assert_null(json_object_get(at(&e, "debugContext.debugData"), "keysPresented"));
    json_decref(e.root);
}

static void the_clients_kind_is_told(void **state)
{
    static struct {
        dt_platform platform;
        char const *device;
    } const cases[] = {
        {DT_PLATFORM_WINDOWS, "Computer"},    {DT_PLATFORM_OTHER_DESKTOP, "Computer"},
        {DT_PLATFORM_ANDROID, "Mobile"},      {DT_PLATFORM_IOS, "Mobile"},
        {DT_PLATFORM_OTHER_MOBILE, "Mobile"}, {DT_PLATFORM_UNKNOWN, "Unknown"},
    };
    dt_audit_context ctx = somewhere();
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_outcome o = trusted_outcome();
        event e;
        o.verdict.platform = cases[i].platform;
        signon_event(&e, &o, &ctx);
        assert_text(&e, "client.device", cases[i].device);
        json_decref(e.root);
    }
}

/* --- the device -------------------------------------------------------------------------------- */

static void a_trusted_device_is_told(void **state)
{
    dt_outcome o = trusted_outcome();
    dt_audit_context ctx = somewhere();
    dt_evidence_set set = {.count = 2};
    event e;
    (void)state;
    set.items[0] = (dt_evidence){.source = DT_SOURCE_CERTIFICATE,
                                 .assurance = DT_PROVED,
                                 .finding = DT_FINDING_FOR,
                                 .device_id = o.verdict.device_id,
                                 .key_id = "abcd",
                                 .observed = NOW};
    set.items[1] = (dt_evidence){.source = DT_SOURCE_INTUNE,
                                 .finding = DT_FINDING_FOR,
                                 .reason = DT_REASON_STALE,
                                 .device_id = o.verdict.device_id,
                                 .observed = NOW - 90500};
    device_event(&e, &o, &set, &ctx);
    assert_text(&e, "uuid", "01234567-89ab-8def-9123-456789abcdef");
    assert_text(&e, "eventType", "user.authentication.authenticate");
    assert_text(&e, "displayMessage", "Authentication of device via certificate");
    assert_text(&e, "outcome.result", "SUCCESS");
    assert_text(&e, "severity", "INFO");
    assert_text(&e, "debugContext.debugData.facts.0.source", "certificate");
    assert_true(json_is_true(at(&e, "debugContext.debugData.facts.0.proved")));
    assert_text(&e, "debugContext.debugData.facts.0.finding", "FOR");
    assert_text(&e, "debugContext.debugData.facts.0.keyId", "abcd");
    assert_number(&e, "debugContext.debugData.facts.0.age", 0);
    assert_text(&e, "debugContext.debugData.facts.1.source", "intune");
    assert_true(json_is_false(at(&e, "debugContext.debugData.facts.1.proved")));
    assert_text(&e, "debugContext.debugData.facts.1.reason", "STALE");
    assert_text(&e, "debugContext.debugData.facts.1.deviceId", device);
    assert_number(&e, "debugContext.debugData.facts.1.age", 90);
    json_decref(e.root);
}

static void a_device_that_shows_nothing_is_told(void **state)
{
    dt_outcome o = push_outcome(DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    dt_audit_context ctx = somewhere();
    dt_evidence_set set = {.count = 0};
    event e;
    (void)state;
    device_event(&e, &o, &set, &ctx);
    assert_text(&e, "displayMessage", "Authentication of device via certificate");
    assert_text(&e, "outcome.result", "FAILURE");
    assert_text(&e, "outcome.reason", "NO_CERTIFICATE");
    assert_text(&e, "client.device", "Computer");
    assert_int_equal(json_array_size(at(&e, "debugContext.debugData.facts")), 0);
    json_decref(e.root);
}

/* Only TRUSTED is a success: a look-up that failed is none, even after the person got in. */
static void an_unknown_device_is_a_failure(void **state)
{
    dt_outcome o = trusted_outcome();
    dt_audit_context ctx = somewhere();
    dt_evidence_set set = {.count = 1};
    event e;
    (void)state;
    o.verdict.trust = DT_TRUST_UNKNOWN;
    o.verdict.reason = DT_REASON_LOOKUP_UNAVAILABLE;
    set.items[0].source = DT_SOURCE_INTUNE;
    set.items[0].finding = DT_FINDING_UNKNOWN;
    device_event(&e, &o, &set, &ctx);
    assert_text(&e, "displayMessage", "Authentication of device via intune");
    assert_text(&e, "outcome.result", "FAILURE");
    assert_text(&e, "outcome.reason", "LOOKUP_UNAVAILABLE");
    assert_text(&e, "debugContext.debugData.facts.0.finding", "UNKNOWN");
    assert_text(&e, "debugContext.debugData.facts.0.age", NULL);
    json_decref(e.root);
}

static void the_source_of_trust_is_named(void **state)
{
    static struct {
        dt_trust trust;
        unsigned sources; /* that the verdict rests on */
        dt_source items[3];
        char const *via;
    } const cases[] = {
        {DT_TRUST_TRUSTED,
         DT_SOURCE_SSH_KEY | DT_SOURCE_INTUNE,
         {DT_SOURCE_CERTIFICATE, DT_SOURCE_INTUNE, DT_SOURCE_SSH_KEY},
         "ssh-key"},
        {DT_TRUST_TRUSTED,
         DT_SOURCE_CERTIFICATE,
         {DT_SOURCE_SSH_KEY, DT_SOURCE_CERTIFICATE, DT_SOURCE_INTUNE},
         "certificate"},
        {DT_TRUST_NOT_TRUSTED,
         0,
         {DT_SOURCE_VPN_CLIENT, DT_SOURCE_INTUNE, DT_SOURCE_SSH_KEY},
         "ssh-key"},
        {DT_TRUST_NOT_TRUSTED,
         0,
         {DT_SOURCE_VPN_CLIENT, DT_SOURCE_INTUNE, DT_SOURCE_INTUNE},
         "vpn-client"},
        {DT_TRUST_TRUSTED,
         DT_SOURCE_VPN_CLIENT | DT_SOURCE_INTUNE,
         {DT_SOURCE_CERTIFICATE, DT_SOURCE_INTUNE, DT_SOURCE_VPN_CLIENT},
         "intune"},
        {DT_TRUST_NOT_TRUSTED,
         0,
         {(dt_source)(1 << 14), (dt_source)(1 << 14), (dt_source)(1 << 14)},
         "certificate"},
    };
    dt_audit_context ctx = somewhere();
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_outcome o = trusted_outcome();
        dt_evidence_set set = {.count = 3};
        char want[64];
        event e;
        o.verdict.trust = cases[i].trust;
        o.verdict.sources = cases[i].sources;
        for (size_t k = 0; k < 3; k++)
            set.items[k].source = cases[i].items[k];
        device_event(&e, &o, &set, &ctx);
        snprintf(want, sizeof(want), "Authentication of device via %s", cases[i].via);
        assert_text(&e, "displayMessage", want);
        json_decref(e.root);
    }
}

/* --- hostile texts ------------------------------------------------------------------------------ */

static char const *const hostile[] = {
    "anna\n{\"outcome\":{\"result\":\"ALLOW\"}}",
    "anna\",\"outcome\":{\"result\":\"ALLOW\"},\"x\":\"",
    "\\\",\"a\":\"\\",
    "\x1b[2J\x1b]0;owned\x07",
    "\x01\x02\x1f\x7f\r\t\b\f",
    "\xe2\x80\xae"
    "txt.exe", /* right-to-left override */
    "\xc2\x9b"
    "31m",              /* C1 control sequence introducer */
    "\xff\xfe\x80",     /* not UTF-8 */
    "\xed\xa0\x80",     /* a surrogate */
    "\xf4\x90\x80\x80", /* beyond Unicode */
    "\xc3",             /* cut short */
    "J\xc3\xb6rg \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80",
    "</script>",
    "%s%n%x",
};

static void hostile_names_stay_within_their_field(void **state)
{
    dt_evidence_set set = {.count = 1};
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        char const *h = hostile[i];
        dt_outcome o = push_outcome(DT_DENY, DT_CAUSE_MFA_REJECTED);
        dt_key_presented keys[DT_KEYS_PRESENTED_MAX] = {{.source = DT_SOURCE_CERTIFICATE}};
        dt_audit_context ctx = {h,   h,   h,     h, h, h, h, h, h,     h, h, NULL, NULL, 7,
                                NOW, NOW, false, h, h, h, h, h, false, h, h, h,    NULL, keys};
        event e;
        assert_int_equal(dt_str_copy(o.decision.rule, sizeof(o.decision.rule), h), DT_OK);
        assert_int_equal(dt_str_copy(o.message, sizeof(o.message), h), DT_OK);
        assert_int_equal(dt_str_copy(o.detail, sizeof(o.detail), h), DT_OK);
        assert_int_equal(dt_str_copy(o.verdict.device_name, sizeof(o.verdict.device_name), h),
                         DT_OK);
        assert_int_equal(dt_str_copy(set.items[0].key_id, sizeof(set.items[0].key_id), h), DT_OK);
        assert_int_equal(dt_str_copy(keys[0].name, sizeof(keys[0].name), h), DT_OK);
        assert_int_equal(dt_str_copy(o.code, sizeof(o.code), "04HM-ASW9"), DT_OK);
        signon_event(&e, &o, &ctx);
        assert_text(&e, "outcome.result", "FAILURE");
        assert_text(&e, "uuid", NULL);
        json_decref(e.root);
        device_event(&e, &o, &set, &ctx);
        assert_text(&e, "outcome.reason", "NO_CERTIFICATE");
        json_decref(e.root);
    }
}

static void a_good_name_comes_through_unchanged(void **state)
{
    static char const *const names[] = {"J\xc3\xb6rg \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80",
                                        "a\"b\\c/d", "anna\tb\nc"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        dt_outcome o = trusted_outcome();
        dt_audit_context ctx = somewhere();
        event e;
        ctx.user = names[i];
        signon_event(&e, &o, &ctx);
        assert_text(&e, "actor.displayName", names[i]);
        json_decref(e.root);
    }
}

/* Every ASCII character at every place of short and longer names: what is looked at eight bytes at a
 * time must see them all. */
static void every_character_is_seen_wherever_it_stands(void **state)
{
    dt_outcome o = trusted_outcome();
    dt_audit_context ctx = somewhere();
    (void)state;
    for (size_t n = 1; n <= 18; n++) {
        for (size_t place = 0; place < n; place++) {
            for (int c = 1; c < 0x80; c++) {
                char name[32];
                event e;
                memset(name, 'a', n);
                name[n] = '\0';
                name[place] = (char)c;
                ctx.user = name;
                dt_buf_init_fixed(&e.buf, e.text, sizeof(e.text));
                dt_audit_line(&e.buf, &o, &ctx);
                char *quoted = strstr(e.text, "user=") + 5;
                *strstr(quoted, " login=") = '\0';
                json_t *back = json_loads(quoted, JSON_DECODE_ANY, NULL);
                assert_non_null(back);
                assert_string_equal(json_string_value(back), name);
                for (char const *p = quoted; *p != '\0'; p++)
                    assert_in_range(*p, 0x20, 0x7e);
                json_decref(back);
            }
        }
    }
}

/* Fills with one byte over and over, up to `n`. */
static char *fill(char *s, size_t n, char const *with)
{
    size_t len = strlen(with), at_byte = 0;
    while (at_byte + len < n) {
        memcpy(s + at_byte, with, len);
        at_byte += len;
    }
    s[at_byte] = '\0';
    return s;
}

static void the_longest_event_fits(void **state)
{
    static char const *const fillings[] = {
        "\x01", "a",       "\"", "\xff", "\xc2\x80", "\xe2\x80\xae", "\xf0\x9f\x98\x80",
        "\x7f", "\xc3\xb6"};
    static char longest[LONG_TEXT], longer[LONG_TEXT + 1], explanation[DT_EXPLAIN_EVENT_MAX + 1],
        input[DT_POLICY_RECORD_MAX + 1];
    (void)state;
    memset(explanation, 'x', DT_EXPLAIN_EVENT_MAX);
    memcpy(explanation, "[\"", 2);
    memcpy(explanation + DT_EXPLAIN_EVENT_MAX - 2, "\"]", 2);
    memset(input, 'x', DT_POLICY_RECORD_MAX);
    memcpy(input, "[\"", 2);
    memcpy(input + DT_POLICY_RECORD_MAX - 2, "\"]", 2);
    for (size_t i = 0; i < sizeof(fillings) / sizeof(fillings[0]); i++) {
        dt_outcome o = push_outcome(DT_ALLOW, DT_CAUSE_OKTA_UNAVAILABLE_ALLOW);
        char *h = fill(longest, sizeof(longest), fillings[i]);
        /* The name and PAM_RUSER are as long, and differ from the actor and the caller. */
        char *other = fill(longer, sizeof(longer), fillings[i]);
        dt_key_presented keys[DT_KEYS_PRESENTED_MAX] = {0};
        dt_audit_context ctx = {h, h,           h,         h,         h,
                                h, h,           h,         h,         h,
                                h, explanation, "request", INT64_MAX, DT_TIME_NEVER,
                                1, false,       h,         other,     h,
                                h, other,       true,      h,         h,
                                h, input,       keys};
        dt_evidence_set set = {.count = DT_EVIDENCE_MAX};
        event e;

        dt_outcome_set(&o, DT_DENY, DT_CAUSE_OKTA_USER_NOT_ACTIVATED);
        memcpy(o.code, "04HM-ASW9", sizeof(o.code));
        for (size_t k = 0; k < DT_KEYS_PRESENTED_MAX; k++) {
            keys[k].source = DT_SOURCE_SSH_CERTIFICATE;
            fill(keys[k].name, sizeof(keys[k].name), fillings[i]);
        }
        fill(o.decision.rule, sizeof(o.decision.rule), fillings[i]);
        fill(o.message, sizeof(o.message), fillings[i]);
        fill(o.detail, sizeof(o.detail), fillings[i]);
        fill(o.verdict.device_name, sizeof(o.verdict.device_name), fillings[i]);
        fill(o.verdict.key_id, sizeof(o.verdict.key_id), fillings[i]);
        fill(o.verdict.device_id.text, sizeof(o.verdict.device_id.text), fillings[i]);
        o.verdict.sources = ~0u;
        o.verdict.oldest = 1;
        o.okta_calls = o.graph_calls = o.polls = INT32_MIN;
        o.verdict.reason = DT_REASON_CERTIFICATE_NOT_YET_VALID;
        for (size_t k = 0; k < DT_EVIDENCE_MAX; k++) {
            set.items[k] = (dt_evidence){.source = DT_SOURCE_CERTIFICATE,
                                         .reason = DT_REASON_MANAGEMENT_HINT_MISMATCH,
                                         .observed = 1};
            fill(set.items[k].key_id, sizeof(set.items[k].key_id), fillings[i]);
            fill(set.items[k].device_id.text, sizeof(set.items[k].device_id.text), fillings[i]);
        }
        signon_event(&e, &o, &ctx);
        json_decref(e.root);
        device_event(&e, &o, &set, &ctx);
        json_decref(e.root);
    }
}

/* What is cut is cut between characters: half of one would show as another. */
static void long_names_are_cut_between_characters(void **state)
{
    static char const *const letters[] = {"\xc3\xb6", "\xe4\xbd\xa0", "\xf0\x9f\x98\x80"};
    (void)state;
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        for (size_t before = 0; before < 12; before++) {
            char name[1024];
            dt_outcome o = trusted_outcome();
            dt_audit_context ctx = somewhere();
            event e;
            memset(name, 'a', before);
            fill(name + before, sizeof(name) - before, letters[i]);
            ctx.user = name;
            signon_event(&e, &o, &ctx);
            char const *shown = json_string_value(at(&e, "actor.displayName"));
            assert_in_range(strlen(shown), 64, sizeof(name) - 2);
            assert_int_equal(strncmp(shown, name, strlen(shown)), 0);
            json_decref(e.root);
        }
    }
}

/* A set that claims more items than it can hold is not read beyond its end. */
static void a_broken_count_is_bounded(void **state)
{
    dt_outcome o = push_outcome(DT_DENY, DT_CAUSE_MFA_FAILED);
    dt_audit_context ctx = somewhere();
    dt_evidence_set set = {.count = SIZE_MAX};
    event e;
    (void)state;
    device_event(&e, &o, &set, &ctx);
    assert_int_equal(json_array_size(at(&e, "debugContext.debugData.facts")), DT_EVIDENCE_MAX);
    json_decref(e.root);
}

/* Random bytes in every text, of random lengths: always one line of valid JSON. */
static void random_texts_never_break_a_line(void **state)
{
    static char text[16][LONG_TEXT];
    unsigned seed = RANDOM_SEED;
    (void)state;
    for (int i = 0; i < RANDOM_EVENTS; i++) {
        dt_outcome o = push_outcome(DT_DENY, DT_CAUSE_MFA_FAILED);
        dt_audit_context ctx = {text[0],  text[1], text[15], text[2],  text[3],  text[4],  text[5],
                                text[6],  text[7], text[8],  text[9],  NULL,     NULL,     1,
                                NOW,      NOW,     false,    text[10], text[11], text[12], text[13],
                                text[14], false,   text[3],  text[4],  text[5],  NULL,     NULL};
        event e;
        for (size_t k = 0; k < 16; k++) {
            size_t n = (size_t)rand_r(&seed) % (i % 2 ? 60 : 1500);
            for (size_t b = 0; b < n; b++)
                text[k][b] = (char)(1 + rand_r(&seed) % 255);
            text[k][n] = '\0';
        }
        memcpy(o.decision.rule, text[3], sizeof(o.decision.rule) - 1);
        memcpy(o.message, text[4], sizeof(o.message) - 1);
        memcpy(o.detail, text[5], sizeof(o.detail) - 1);
        signon_event(&e, &o, &ctx);
        assert_text(&e, "outcome.result", "FAILURE");
        json_decref(e.root);
    }
}

static void a_full_buffer_says_so(void **state)
{
    dt_outcome o = trusted_outcome();
    dt_audit_context ctx = somewhere();
    char small[300];
    dt_buf b;
    (void)state;
    dt_buf_init_fixed(&b, small, sizeof(small));
    dt_audit_signon(&b, &o, &ctx, NOW);
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    assert_int_equal(b.len, 0); /* half a line would break the next one */
}

static void events_are_appended(void **state)
{
    dt_outcome o = trusted_outcome();
    dt_audit_context ctx = somewhere();
    dt_evidence_set set = {.count = 0};
    dt_buf b;
    (void)state;
    dt_buf_init(&b, (size_t)2 * DT_AUDIT_EVENT_MAX);
    dt_audit_device(&b, &o, &set, &ctx, NOW);
    dt_audit_signon(&b, &o, &ctx, NOW);
    assert_int_equal(dt_buf_error(&b), DT_OK);
    char *second = strchr((char *)b.p, '\n') + 1;
    assert_ptr_equal(strchr(second, '\n') + 1, b.p + b.len);
    assert_non_null(strstr((char *)b.p, "user.authentication.authenticate"));
    assert_non_null(strstr(second, "policy.evaluate_sign_on"));
    dt_buf_free(&b);
}

/* --- the line for people ------------------------------------------------------------------------ */

static void the_line_says_who_what_why(void **state)
{
    dt_outcome o = push_outcome(DT_DENY, DT_CAUSE_MFA_REJECTED);
    dt_audit_context ctx = somewhere();
    char text[DT_AUDIT_EVENT_MAX];
    dt_buf b;
    (void)state;
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_audit_line(&b, &o, &ctx);
    assert_string_equal(
        text, "denied cause=MFA_REJECTED device=NOT_TRUSTED reason=NO_CERTIFICATE user=\"anna\" "
              "login=\"anna@example.com\" application=\"sshd\" from=\"192.0.2.1\" nas=\"10.0.0.1\" "
              "rule=\"Not trusted\" id=\"0123456789abcdef0123456789abcdef\"");
    o = trusted_outcome();
    dt_buf_reset(&b);
    ctx = (dt_audit_context){.user = "anna"};
    dt_audit_line(&b, &o, &ctx);
    assert_string_equal(text,
                        "allowed cause=RULE_ALLOW device=TRUSTED reason=TRUSTED user=\"anna\" "
                        "rule=\"Trusted\"");
}

/* Cut at any length, it stays valid UTF-8 and says the same from its start. */
static void the_line_is_cut_to_its_room(void **state)
{
    dt_outcome o = push_outcome(DT_DENY, DT_CAUSE_MFA_REJECTED);
    dt_audit_context ctx = somewhere();
    char whole[DT_AUDIT_EVENT_MAX], text[DT_AUDIT_EVENT_MAX];
    dt_buf b;
    (void)state;
    ctx.user = "J\xc3\xb6rg \xe4\xbd\xa0\xf0\x9f\x98\x80";
    snprintf(o.detail, sizeof(o.detail), "why");
    dt_buf_init_fixed(&b, whole, sizeof(whole));
    dt_audit_line(&b, &o, &ctx);
    assert_string_equal(whole + b.len - 12, "detail=\"why\"");
    for (size_t room = 0; room <= b.len; room++) {
        dt_buf cut;
        dt_buf_init_fixed(&cut, text, room + 1);
        dt_audit_line(&cut, &o, &ctx);
        assert_int_equal(dt_buf_error(&cut), DT_OK);
        assert_true(cut.len <= room && cut.len + 3 >= room);
        assert_int_equal(strncmp(text, whole, cut.len), 0);
        assert_int_not_equal((unsigned char)whole[cut.len] & 0xc0, 0x80);
    }
}

static void the_line_cannot_be_forged(void **state)
{
    dt_audit_context ctx = somewhere();
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        dt_outcome o = push_outcome(DT_DENY, DT_CAUSE_MFA_REJECTED);
        char text[DT_AUDIT_EVENT_MAX];
        dt_buf b;
        ctx.user = hostile[i];
        ctx.nas = hostile[i];
        snprintf(o.detail, sizeof(o.detail), "%s", hostile[i]);
        dt_buf_init_fixed(&b, text, sizeof(text));
        dt_audit_line(&b, &o, &ctx);
        assert_int_equal(dt_buf_error(&b), DT_OK);
        for (size_t k = 0; k < b.len; k++)
            assert_true((unsigned char)text[k] >= 0x20 && text[k] != 0x7f);
        assert_int_equal(strncmp(text, "denied cause=MFA_REJECTED", 25), 0);
    }
}

/* --- fields of the journal ------------------------------------------------------------------------ */

/* Whatever a text holds, it is the value of one field; each field once, and all fit with texts at their longest. */
static void fields_of_the_journal(void **state)
{
    static char const *const texts[] = {"anna", "a\nDEVTRUST_RESULT=allowed", "\x1b\x01\xff", "="};
    char text[DT_AUDIT_FIELDS_MAX], longest[LONG_TEXT + 1];
    (void)state;
    memset(longest, '\x01', LONG_TEXT);
    longest[LONG_TEXT] = '\0';
    for (size_t i = 0; i <= sizeof(texts) / sizeof(texts[0]); i++) {
        char const *t = i < sizeof(texts) / sizeof(texts[0]) ? texts[i] : longest;
        dt_outcome o = {0};
        dt_audit_context const ctx = {.id = id,
                                      .user = t,
                                      .login = t,
                                      .account = t,
                                      .caller = t,
                                      .application = t,
                                      .service = t,
                                      .door = t,
                                      .client_ip = t,
                                      .station = t,
                                      .nas = t,
                                      .tty = t};
        dt_buf b;
        dt_outcome_set(&o, DT_DENY, DT_CAUSE_RULE_DENY);
        snprintf(o.decision.rule, sizeof(o.decision.rule), "%s", t);
        snprintf(o.verdict.device_name, sizeof(o.verdict.device_name), "%s", t);
        dt_buf_init_fixed(&b, text, sizeof(text));
        dt_audit_fields(&b, &o, &ctx);
        assert_int_equal(dt_buf_error(&b), DT_OK);
        assert_non_null(strstr(text, "\nDEVTRUST_RESULT=denied\n"));
        assert_null(strstr(text, "\nDEVTRUST_RESULT=allowed"));
        assert_non_null(strstr(text, "\nDEVTRUST_CAUSE=RULE_DENY\n"));
        size_t n = 0;
        for (char const *p = text; *p != '\0'; p++) {
            n += *p == '\n';
            assert_true((unsigned char)*p >= 0x20 || *p == '\n');
        }
        assert_int_equal(n, 19);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(fields_of_the_journal),
        cmocka_unit_test(only_five_causes_allow),
        cmocka_unit_test(what_is_only_reported_allows_nothing),
        cmocka_unit_test(every_cause_has_a_name_of_its_own),
        cmocka_unit_test(a_trusted_sign_on_is_told),
        cmocka_unit_test(an_mfa_sign_on_is_told),
        cmocka_unit_test(nothing_at_all_is_told_as_a_refusal),
        cmocka_unit_test(a_refusal_names_its_code),
        cmocka_unit_test(the_keys_that_were_presented_are_named),
        cmocka_unit_test(the_clients_kind_is_told),
        cmocka_unit_test(a_trusted_device_is_told),
        cmocka_unit_test(a_device_that_shows_nothing_is_told),
        cmocka_unit_test(an_unknown_device_is_a_failure),
        cmocka_unit_test(the_source_of_trust_is_named),
        cmocka_unit_test(hostile_names_stay_within_their_field),
        cmocka_unit_test(a_good_name_comes_through_unchanged),
        cmocka_unit_test(every_character_is_seen_wherever_it_stands),
        cmocka_unit_test(the_longest_event_fits),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(a_broken_count_is_bounded),
        cmocka_unit_test(random_texts_never_break_a_line),
        cmocka_unit_test(a_full_buffer_says_so),
        cmocka_unit_test(events_are_appended),
        cmocka_unit_test(the_line_says_who_what_why),
        cmocka_unit_test(the_line_is_cut_to_its_room),
        cmocka_unit_test(the_line_cannot_be_forged),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
