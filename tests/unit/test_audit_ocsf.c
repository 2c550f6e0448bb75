/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events in the form of OCSF: what stands where, what is left out when it is not known, and that no text from
 * outside forges a member or makes an event too long. tests/integration/test_siem.py holds real ones against the
 * class. */
#include "core/signon/audit_ocsf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define NOW INT64_C(1787220672500)
#define LONG_TEXT 5000

static char const id[] = "0123456789abcdef0123456789abcdef";
static char storage[2 * DT_AUDIT_OCSF_EVENT_MAX];
static dt_buf buf;
static json_t *root;

static int teardown(void **state)
{
    (void)state;
    json_decref(root);
    root = NULL;
    return 0;
}

/* One line of JSON, printable, no name twice, not longer than an event may be. */
static void read_event(void)
{
    json_error_t why;
    assert_int_equal(dt_buf_error(&buf), DT_OK);
    assert_in_range(buf.len, 2, DT_AUDIT_OCSF_EVENT_MAX);
    for (size_t i = 0; i + 1 < buf.len; i++)
        assert_true(buf.p[i] >= 0x20 && buf.p[i] != 0x7f);
    assert_int_equal(buf.p[buf.len - 1], '\n');
    json_decref(root);
    root = json_loadb((char *)buf.p, buf.len, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL)
        fail_msg("%s\n%s", why.text, (char *)buf.p);
}

static void signon(dt_outcome const *o, dt_audit_context const *ctx)
{
    dt_buf_init_fixed(&buf, storage, sizeof(storage));
    dt_audit_ocsf_signon(&buf, o, ctx, NOW);
    read_event();
}

/* NULL where there is none. */
static json_t *find(char const *path)
{
    char copy[128];
    json_t *v = root;
    assert_int_equal(dt_str_copy(copy, sizeof(copy), path), DT_OK);
    for (char *save = NULL, *step = strtok_r(copy, ".", &save); v != NULL && step != NULL;
         step = strtok_r(NULL, ".", &save))
        v = json_is_array(v) ? json_array_get(v, (size_t)atoi(step)) : json_object_get(v, step);
    return v;
}

static void has_text(char const *path, char const *want)
{
    char const *got = json_string_value(find(path));
    if (got == NULL || strcmp(got, want) != 0)
        fail_msg("%s is %s, not %s", path, got == NULL ? "no text" : got, want);
}

static void has_number(char const *path, json_int_t want)
{
    if (!json_is_integer(find(path)) || json_integer_value(find(path)) != want)
        fail_msg("%s is %lld, not %lld", path, (long long)json_integer_value(find(path)),
                 (long long)want);
}

static void has_bool(char const *path, bool want)
{
    assert_true(json_is_boolean(find(path)));
    assert_int_equal(json_is_true(find(path)), want);
}

static dt_audit_context somewhere(void)
{
    return (dt_audit_context){.id = id,
                              .application = "sshd",
                              .user = "anna",
                              .login = "anna@example.com",
                              .client_ip = "192.0.2.1",
                              .host = "host1",
                              .door = "pam",
                              .policy_hash = "feed",
                              .started = NOW - 1234};
}

static dt_outcome trusted(void)
{
    dt_outcome o = {.verdict = {.trust = DT_TRUST_TRUSTED,
                                .reason = DT_REASON_TRUSTED,
                                .sources = DT_SOURCE_CERTIFICATE | DT_SOURCE_INTUNE,
                                .platform = DT_PLATFORM_LINUX,
                                .device_name = "LAPTOP-7"},
                    .decision = {.access = DT_ACCESS_ALLOW, .rule = "Trusted"}};
    dt_outcome_set(&o, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    return o;
}

/* --- what stands where ------------------------------------------------------------------------------ */

static void test_allowed(void **state)
{
    dt_outcome const o = trusted();
    dt_audit_context const ctx = somewhere();
    (void)state;
    signon(&o, &ctx);
    has_number("class_uid", 3002);
    has_number("category_uid", 3);
    has_number("activity_id", 1);
    has_number("type_uid", 300201);
    has_number("time", NOW);
    has_number("duration", 1234);
    has_number("severity_id", 1);
    has_number("status_id", 1);
    has_text("status_code", "RULE_ALLOW");
    has_number("action_id", 1);
    has_number("disposition_id", 1);
    has_text("metadata.version", "1.8.0");
    has_text("metadata.product.name", "devtrust");
    has_text("metadata.uid", "01234567-89ab-8def-8123-456789abcdef");
    has_text("metadata.correlation_uid", id);
    has_text("user.name", "anna");
    has_text("user.uid", "anna@example.com");
    has_number("user.type_id", 1);
    has_text("actor.authorizations.0.decision", "Allow");
    has_text("actor.authorizations.0.policy.name", "Trusted");
    has_bool("device.is_trusted", true);
    has_bool("device.is_compliant", true);
    has_bool("device.is_managed", true);
    has_text("device.name", "LAPTOP-7");
    has_number("device.os.type_id", 200);
    has_text("src_endpoint.ip", "192.0.2.1");
    has_text("dst_endpoint.hostname", "host1");
    has_text("service.name", "sshd");
    has_number("logon_type_id", 10);
    has_bool("is_remote", true);
    has_bool("is_mfa", false);
    assert_null(find("auth_factors"));
    has_text("observables.1.value", "192.0.2.1");
    has_text("unmapped.devtrust.outcome.reason", "RULE_ALLOW");
    has_text("unmapped.devtrust.debugContext.debugData.cause", "RULE_ALLOW");
}

static void test_denied(void **state)
{
    dt_outcome o = {.verdict = {.trust = DT_TRUST_NOT_TRUSTED,
                                .reason = DT_REASON_NOT_COMPLIANT,
                                .platform = DT_PLATFORM_IOS},
                    .decision = {.access = DT_ACCESS_DENY, .rule = "Rest"},
                    .detail = "because"};
    dt_audit_context ctx = somewhere();
    (void)state;
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_RULE_DENY);
    ctx.door = "radius";
    ctx.nas = "gw1";
    ctx.station = "00-11-22-33-44-55";
    signon(&o, &ctx);
    has_number("status_id", 2);
    has_number("action_id", 2);
    has_number("disposition_id", 2);
    has_number("severity_id", 2);
    has_text("status_detail", "because");
    has_text("actor.authorizations.0.decision", "Deny");
    has_bool("device.is_trusted", false);
    has_bool("device.is_compliant", false);
    assert_null(find("device.is_managed"));
    has_number("device.type_id", 5);
    has_number("auth_protocol_id", 10);
    has_number("logon_type_id", 3);
    has_text("src_endpoint.mac", "00-11-22-33-44-55");
    has_text("dst_endpoint.name", "gw1");
    static char const *const others[] = {
        "00-11-22-33-44-55:guests", "00-11-22-33-44-5",  "anna",
        "00-11-22-33-44-5g",        "00.11.22.33.44.55", "+4930123456"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        ctx.station = others[i];
        signon(&o, &ctx);
        assert_null(find("src_endpoint.mac"));
    }
}

/* An ALLOW whose cause does not allow is a failure in every member. */
static void test_no_success_without_a_cause(void **state)
{
    dt_outcome o = trusted();
    dt_audit_context const ctx = somewhere();
    (void)state;
    o.cause = DT_CAUSE_INTERNAL;
    signon(&o, &ctx);
    has_number("status_id", 2);
    has_number("action_id", 2);
    has_number("severity_id", 4);
    o = (dt_outcome){0};
    signon(&o, &ctx);
    has_number("status_id", 2);
    has_number("action_id", 2);
}

static void test_what_is_not_known_is_left_out(void **state)
{
    dt_outcome const o = {0};
    dt_audit_context const nobody = {0};
    (void)state;
    signon(&o, &nobody);
    has_text("user.name", "unknown");
    has_text("dst_endpoint.hostname", "unknown");
    has_text("service.name", "unknown");
    assert_null(find("device.is_trusted"));
    assert_null(find("device.is_compliant"));
    assert_null(find("src_endpoint"));
    assert_null(find("actor"));
    assert_null(find("is_remote"));
    assert_null(find("duration"));
    assert_null(find("metadata.uid"));
    has_number("logon_type_id", 0);
}

static void test_factors(void **state)
{
    static struct {
        dt_factor_type factor;
        int type_id;
    } const list[] = {{DT_FACTOR_PUSH, 5},     {DT_FACTOR_SMS, 1},         {DT_FACTOR_CALL, 3},
                      {DT_FACTOR_EMAIL, 8},    {DT_FACTOR_QUESTION, 2},    {DT_FACTOR_TOTP, 7},
                      {DT_FACTOR_HOTP, 7},     {DT_FACTOR_TOTP_GOOGLE, 7}, {DT_FACTOR_RSA, 7},
                      {DT_FACTOR_SYMANTEC, 7}, {DT_FACTOR_YUBIKEY, 6},     {DT_FACTOR_BROWSER, 99}};
    dt_audit_context const ctx = somewhere();
    unsigned seen = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        dt_outcome o = trusted();
        dt_outcome_set(&o, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        o.factor = list[i].factor;
        o.primary = DT_PRIMARY_OKTA_VERIFIED;
        seen |= (unsigned)o.factor;
        signon(&o, &ctx);
        has_bool("is_mfa", true);
        has_number("auth_factors.0.factor_type_id", 11);
        has_number("auth_factors.1.factor_type_id", list[i].type_id);
        has_text("auth_factors.1.provider", dt_factor_provider(o.factor));
    }
    assert_int_equal(seen, DT_FACTOR_ALL); /* a new factor gets its number */
}

static void test_account_switch_and_alarm(void **state)
{
    dt_outcome o = trusted();
    dt_audit_context ctx = somewhere();
    (void)state;
    dt_outcome_set(&o, DT_ALLOW, DT_CAUSE_BREAK_GLASS);
    ctx.account = "root";
    ctx.caller = "anna";
    ctx.client_ip = "";
    ctx.tty = "tty1";
    signon(&o, &ctx);
    has_number("activity_id", 7);
    has_number("type_uid", 300207);
    has_number("severity_id", 5);
    has_text("user.name", "anna");
    has_text("user.account.name", "root");
    has_text("actor.user.name", "anna");
    has_text("src_endpoint.name", "tty1");
    has_number("logon_type_id", 2);
    has_bool("is_remote", false);
}

static void test_report_only(void **state)
{
    dt_outcome o = {.report_only = true, .decision = {.access = DT_ACCESS_DENY, .rule = "Rest"}};
    dt_audit_context const ctx = somewhere();
    (void)state;
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_RULE_DENY);
    signon(&o, &ctx);
    has_number("status_id", 99);
    has_number("action_id", 3);
    assert_null(find("disposition_id"));
    has_bool("actor.authorizations.0.policy.is_applied", false);
    has_text("unmapped.devtrust.debugContext.debugData.would", "DENY");
}

static void test_device_and_reload(void **state)
{
    dt_outcome const o = trusted();
    dt_audit_context const ctx = somewhere();
    dt_evidence_set const set = {.count = 1, .items = {{.source = DT_SOURCE_CERTIFICATE}}};
    dt_audit_reload_facts const facts = {.text = "line 7 is \"wrong\"", .host = "host1"};
    (void)state;
    dt_buf_init_fixed(&buf, storage, sizeof(storage));
    dt_audit_ocsf_device(&buf, &o, &set, &ctx, NOW);
    read_event();
    has_number("activity_id", 99);
    has_number("type_uid", 300299);
    has_number("action_id", 3);
    has_text("status_code", "TRUSTED");
    has_text("metadata.uid", "01234567-89ab-8def-9123-456789abcdef");
    has_text("unmapped.devtrust.displayMessage", "Authentication of device via certificate");
    dt_buf_init_fixed(&buf, storage, sizeof(storage));
    dt_audit_ocsf_reload(&buf, &facts, NOW);
    read_event();
    has_number("class_uid", 0);
    has_number("status_id", 2);
    has_text("message", "line 7 is \"wrong\"");
    has_text("unmapped.devtrust.outcome.result", "FAILURE");
}

/* --- hostile ---------------------------------------------------------------------------------------- */

static void fill(dt_audit_context *ctx, dt_outcome *o, char const *text)
{
    ctx->application = ctx->user = ctx->login = ctx->client_ip = ctx->nas = ctx->station = text;
    ctx->host = ctx->door = ctx->policy_hash = ctx->account = ctx->caller = ctx->tty = text;
    ctx->service = ctx->realm = ctx->name = ctx->ruser = ctx->seat = ctx->place = text;
    snprintf(o->decision.rule, sizeof(o->decision.rule), "%s", text);
    snprintf(o->detail, sizeof(o->detail), "%s", text);
    snprintf(o->message, sizeof(o->message), "%s", text);
    snprintf(o->verdict.device_name, sizeof(o->verdict.device_name), "%s", text);
}

static void test_hostile_texts(void **state)
{
    static char const *const texts[] = {"a\",\"status_id\":1,\"x\":\"",
                                        "\"}}\n{\"class_uid\":3002}",
                                        "\\",
                                        "\x01\x02\x1b[31m\x7f",
                                        "\xff\xfe\x80",
                                        "\xe2\x80\xae",
                                        "{",
                                        "[",
                                        "\"",
                                        "\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        dt_outcome o = {0};
        dt_audit_context ctx = {.id = id};
        dt_outcome_set(&o, DT_DENY, DT_CAUSE_RULE_DENY);
        fill(&ctx, &o, texts[i]);
        signon(&o, &ctx);
        has_number("status_id", 2);
        has_number("action_id", 2);
        assert_null(find("x"));
        assert_null(find("src_endpoint.mac"));
        assert_null(memchr(buf.p, '\n', buf.len - 1));
    }
}

/* With all texts as long and as expensive as they can be, it is whole and fits. */
static void test_longest(void **state)
{
    static char const *const units[] = {"x", "\"", "\x01", "\xff", "\xc3\xa4", "\xf0\x9f\x98\x80"};
    static char text[LONG_TEXT + 8];
    (void)state;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        dt_outcome o = trusted();
        dt_audit_context ctx = {.id = id, .started = 1};
        text[0] = '\0';
        while (strlen(text) < LONG_TEXT)
            strcat(text, units[i]);
        fill(&ctx, &o, text);
        o.factor = DT_FACTOR_PUSH;
        o.primary = DT_PRIMARY_OKTA_VERIFIED;
        memset(&o.verdict.device_id, 'a', sizeof(o.verdict.device_id.text) - 1);
        signon(&o, &ctx);
    }
}

static void test_no_room(void **state)
{
    dt_outcome const o = trusted();
    dt_audit_context const ctx = somewhere();
    char small[1000];
    (void)state;
    dt_buf_init_fixed(&buf, small, sizeof(small));
    dt_buf_puts(&buf, "before\n");
    dt_audit_ocsf_signon(&buf, &o, &ctx, NOW);
    assert_true(dt_buf_error(&buf) < 0);
    assert_int_equal(buf.len, strlen("before\n"));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test_teardown(test_allowed, teardown),
        cmocka_unit_test_teardown(test_denied, teardown),
        cmocka_unit_test_teardown(test_no_success_without_a_cause, teardown),
        cmocka_unit_test_teardown(test_what_is_not_known_is_left_out, teardown),
        cmocka_unit_test_teardown(test_factors, teardown),
        cmocka_unit_test_teardown(test_account_switch_and_alarm, teardown),
        cmocka_unit_test_teardown(test_report_only, teardown),
        cmocka_unit_test_teardown(test_device_and_reload, teardown),
        cmocka_unit_test_teardown(test_hostile_texts, teardown),
        cmocka_unit_test_teardown(test_longest, teardown),
        cmocka_unit_test_teardown(test_no_room, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
