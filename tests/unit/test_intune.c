/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Intune's answers: which ones speak for a device, how long they are believed, how they are kept,
 * and the token that is needed to ask. Everything unknown, missing or odd must speak against. */
#include "core/intune/intune.h"
#include "core/base/json.h"
#include "core/signon/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ID "5f3a0c1e-1111-4222-8333-444455556666"
#define ENTRA "0a1b2c3d-aaaa-4bbb-8ccc-ddddeeeeffff"
#define TENANT "11111111-2222-4333-8444-555555555555"
#define NOW INT64_C(1790000000000)

static char graph_url[] = "https://graph.microsoft.com";
static char login_url[] = "https://login.microsoftonline.com";
static char client_id[] = "c1c1c1c1-0000-4000-8000-000000000001";
static dt_guid const device = {ID};
static dt_config config;

static int setup(void **state)
{
    (void)state;
    memset(&config, 0, sizeof(config));
    config.intune.graph_url = graph_url;
    config.intune.login_url = login_url;
    config.intune.client_id = client_id;
    config.intune.tenant_id = (dt_guid){TENANT};
    config.intune.timeout = DT_SECONDS(7);
    config.device_trust.cache_ttl = DT_MINUTES(15);
    config.device_trust.negative_ttl = DT_MINUTES(1);
    config.device_trust.stale_limit = DT_HOURS(24);
    return 0;
}

static dt_http_response reply(int status, char const *body)
{
    return (dt_http_response){.failure = DT_HTTP_OK,
                              .error = "",
                              .status = status,
                              .body = dt_bytes_str(body),
                              .rate_limit = -1,
                              .rate_remaining = -1,
                              .next_link = ""};
}

/* --- asking ------------------------------------------------------------------------------------- */

static void request_to_the_letter(void **state)
{
    (void)state;
    dt_http_request q;
    assert_int_equal(dt_intune_get_device(&config, &device, &q), 0);
    assert_string_equal(q.url,
                        "https://graph.microsoft.com/v1.0/deviceManagement/managedDevices/" ID
                        "?$select=id,azureADDeviceId,deviceName,operatingSystem,"
                        "complianceState,managementState,"
                        "complianceGracePeriodExpirationDateTime,lastSyncDateTime,"
                        "userPrincipalName,deviceRegistrationState,enrolledDateTime,serialNumber");
    assert_int_equal(q.service, DT_HTTP_GRAPH);
    assert_int_equal(q.method, DT_HTTP_GET);
    assert_int_equal(q.body_len, 0);
    assert_int_equal(q.timeout, DT_SECONDS(7));
    dt_guid unset = {""};
    assert_int_equal(dt_intune_get_device(&config, &unset, &q), DT_E_INVALID);
    assert_string_equal(q.url, "");
    static char url[DT_URL_MAX];
    memset(url, 'a', sizeof(url) - 1);
    config.intune.graph_url = url;
    assert_int_equal(dt_intune_get_device(&config, &device, &q), DT_E_LIMIT);
    assert_string_equal(q.url, "");
}

/* --- reading ------------------------------------------------------------------------------------ */

static dt_intune_answer read_reply(dt_http_response r, dt_intune_device *d)
{
    static dt_intune_device const nothing;
    dt_error e = {0};
    memset(d, 'x', sizeof(*d));
    dt_intune_answer a = dt_intune_read_device(&r, &device, NOW, d, &e);
    assert_int_equal(dt_intune_read_device(&r, &device, NOW, d, NULL), a);
    if (a != DT_INTUNE_OK) {
        assert_true(e.code < 0 && e.text[0] != '\0');
        assert_null(strchr(e.text, '\x1b'));
    }
    if (a != DT_INTUNE_OK && a != DT_INTUNE_NOT_ENROLLED)
        assert_memory_equal(d, &nothing, sizeof(nothing));
    return a;
}

static dt_intune_answer read_body(char const *body, dt_intune_device *d)
{
    return read_reply(reply(200, body), d);
}

static void a_compliant_device(void **state)
{
    (void)state;
    dt_intune_device d;
    assert_int_equal(
        read_body("{\"@odata.context\":\"https://graph.microsoft.com/v1.0/$metadata\",\"id\":"
                  "\"5F3A0C1E-1111-4222-8333-444455556666\",\"azureADDeviceId\":\"" ENTRA "\","
                  "\"deviceName\":\"LAPTOP-7\\u001b[2J\",\"operatingSystem\":\"Windows\","
                  "\"complianceState\":\"compliant\",\"managementState\":\"managed\","
                  "\"complianceGracePeriodExpirationDateTime\":\"9999-12-31T23:59:59Z\","
                  "\"lastSyncDateTime\":\"2026-09-21T10:11:12Z\","
                  "\"serialNumber\":\"pf-3abc 12\","
                  "\"enrolledDateTime\":\"2026-09-21T10:11:13Z\","
                  "\"userPrincipalName\":\"jane@example.com\",\"new\":{\"x\":[1.5]}}",
                  &d),
        DT_INTUNE_OK);
    assert_true(d.enrolled && d.managed);
    assert_int_equal(d.compliance, DT_COMPLIANCE_COMPLIANT);
    assert_string_equal(d.device_id.text, ID);
    assert_string_equal(d.entra_id.text, ENTRA);
    assert_int_equal(d.platform, DT_PLATFORM_WINDOWS);
    assert_true(d.last_sync == INT64_C(1789985472000));
    assert_true(d.enrolled_at == INT64_C(1789985473000));
    assert_string_equal(d.serial, "PF3ABC12");
    assert_true(d.grace_expires == DT_TIME_NEVER);
    assert_true(d.fetched == NOW);
    assert_string_equal(d.device_name, "LAPTOP-7\\x1b[2J");
    assert_string_equal(d.user, "jane@example.com");
}

static void nulls_and_absences_speak_for_nobody(void **state)
{
    (void)state;
    static char const *const bodies[] = {
        "{\"id\":\"" ID "\",\"complianceState\":null,\"managementState\":null,\"deviceName\":null,"
        "\"azureADDeviceId\":null,\"operatingSystem\":null,\"lastSyncDateTime\":null,"
        "\"complianceGracePeriodExpirationDateTime\":null,\"userPrincipalName\":null}",
        "{\"id\":\"" ID "\",\"complianceState\":\"unknown\",\"managementState\":\"\"}",
        "{\"id\":\"" ID "\",\"complianceState\":\"unknown\",\"managementState\":\"Managed\","
        "\"azureADDeviceId\":\"00000000-0000-0000-0000-000000000000\",\"operatingSystem\":7,"
        "\"deviceName\":[\"x\"],\"lastSyncDateTime\":1790000000,\"userPrincipalName\":{},"
        "\"complianceGracePeriodExpirationDateTime\":false}",
        "{\"id\":\"" ID "\",\"complianceState\":\"unknown\",\"managementState\":\"managed \","
        "\"azureADDeviceId\":\"not a guid\",\"lastSyncDateTime\":\"0001-01-01T00:00:00Z\","
        "\"complianceGracePeriodExpirationDateTime\":\"yesterday\"}"};
    for (size_t i = 0; i < COUNT(bodies); i++) {
        dt_intune_device d;
        assert_int_equal(read_body(bodies[i], &d), DT_INTUNE_OK);
        assert_true(d.enrolled);
        assert_false(d.managed);
        assert_int_equal(d.compliance, DT_COMPLIANCE_UNKNOWN);
        assert_int_equal(d.platform, DT_PLATFORM_UNKNOWN);
        assert_string_equal(d.entra_id.text, "");
        assert_string_equal(d.device_name, "");
        assert_string_equal(d.user, "");
        assert_int_equal(d.last_sync, 0);
        assert_int_equal(d.grace_expires, 0);
        assert_int_equal(d.enrolled_at, 0);
    }
}

static void only_compliant_is_compliant(void **state)
{
    (void)state;
    static struct {
        char const *word;
        dt_compliance compliance;
    } const rows[] = {{"compliant", DT_COMPLIANCE_COMPLIANT},
                      {"inGracePeriod", DT_COMPLIANCE_IN_GRACE_PERIOD},
                      {"unknown", DT_COMPLIANCE_UNKNOWN},
                      {"noncompliant", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"conflict", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"error", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"configManager", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"Compliant", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"COMPLIANT", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"compliant ", DT_COMPLIANCE_NOT_COMPLIANT},
                      {" compliant", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"compliant\\n", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"ingraceperiod", DT_COMPLIANCE_NOT_COMPLIANT},
                      {"somethingNew", DT_COMPLIANCE_NOT_COMPLIANT}};
    static char const *const states[] = {
        "managed",        "retirePending", "retireFailed",       "wipePending", "wipeFailed",
        "unhealthy",      "deletePending", "retireIssued",       "wipeIssued",  "wipeCanceled",
        "retireCanceled", "discovered",    "unknownFutureValue", "MANAGED",     "managed\\t"};
    for (size_t i = 0; i < COUNT(rows) * COUNT(states); i++) {
        char body[512];
        dt_intune_device d;
        snprintf(body, sizeof(body),
                 "{\"id\":\"" ID "\",\"complianceState\":\"%s\",\"managementState\":\"%s\"}",
                 rows[i % COUNT(rows)].word, states[i / COUNT(rows)]);
        assert_int_equal(read_body(body, &d), DT_INTUNE_OK);
        assert_int_equal(d.compliance, rows[i % COUNT(rows)].compliance);
        assert_int_equal(d.managed, i / COUNT(rows) == 0);
    }
}

/* A registration that was taken back or is not there yet is no management. */
static void only_a_sound_registration_is_managed(void **state)
{
    (void)state;
    static struct {
        char const *word;
        bool managed;
    } const rows[] = {{"\"registered\"", true},
                      {"\"notRegistered\"", true},
                      {"\"unknown\"", true},
                      {"null", true},
                      {"\"revoked\"", false},
                      {"\"keyConflict\"", false},
                      {"\"approvalPending\"", false},
                      {"\"certificateReset\"", false},
                      {"\"notRegisteredPendingEnrollment\"", false},
                      {"\"unknownFutureValue\"", false},
                      {"\"Registered\"", false},
                      {"\"\"", false}};
    char body[512];
    dt_intune_device d;
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(body, sizeof(body),
                 "{\"id\":\"" ID "\",\"complianceState\":\"compliant\","
                 "\"managementState\":\"managed\",\"deviceRegistrationState\":%s}",
                 rows[i].word);
        assert_int_equal(read_body(body, &d), DT_INTUNE_OK);
        assert_int_equal(d.managed, rows[i].managed);
    }
    assert_int_equal(read_body("{\"id\":\"" ID "\",\"complianceState\":\"compliant\","
                               "\"managementState\":\"managed\",\"deviceRegistrationState\":1}",
                               &d),
                     DT_INTUNE_UNUSABLE);
}

static void the_owner_is_who_intune_says(void **state)
{
    (void)state;
    static struct {
        char const *user, *login;
        bool owner;
    } const rows[] = {{"ann@example.com", "ann@example.com", true},
                      {"Ann@EXAMPLE.com", "ann@example.com", true},
                      {"ann@example.com", "ann@example.comm", false},
                      {"ann@example.com", "ann", false},
                      {"ann@example.com", "", false},
                      {"", "", false},
                      {"", "ann@example.com", false},
                      {"a\\x01nn", "a\\x01nn", false}};
    dt_intune_device d = {.enrolled = true};
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(d.user, sizeof(d.user), "%s", rows[i].user);
        assert_int_equal(dt_intune_is_owner(&d, rows[i].login), rows[i].owner);
    }
    /* What fills the room may have been cut. */
    memset(d.user, 'a', sizeof(d.user) - 1);
    d.user[sizeof(d.user) - 1] = '\0';
    assert_false(dt_intune_is_owner(&d, d.user));
}

static void answers_about_others_are_unusable(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "",
        "null",
        "[]",
        "{}",
        "true",
        "\"compliant\"",
        "<html>",
        "{\"id\":\"" ID "\"",
        "{\"id\":\"" ENTRA "\",\"complianceState\":\"compliant\",\"managementState\":\"managed\"}",
        "{\"id\":\"5f3a0c1e-1111-4222-8333-444455556667\",\"complianceState\":\"compliant\","
        "\"managementState\":\"managed\"}",
        "{\"complianceState\":\"compliant\",\"managementState\":\"managed\"}",
        "{\"id\":null,\"complianceState\":\"compliant\",\"managementState\":\"managed\"}",
        "{\"id\":\"\",\"complianceState\":\"compliant\",\"managementState\":\"managed\"}",
        "{\"id\":7,\"complianceState\":\"compliant\",\"managementState\":\"managed\"}",
        "{\"id\":[\"" ID "\"],\"complianceState\":\"compliant\",\"managementState\":\"managed\"}",
        "{\"ID\":\"" ID "\",\"complianceState\":\"compliant\",\"managementState\":\"managed\"}",
        "{\"deviceId\":\"" ID
        "\",\"complianceState\":\"compliant\",\"managementState\":\"managed\"}",
        "{\"id\":\"" ID "\",\"managementState\":\"managed\"}",
        "{\"id\":\"" ID "\",\"complianceState\":\"compliant\"}",
        "{\"id\":\"" ID "\",\"complianceState\":true,\"managementState\":\"managed\"}",
        "{\"id\":\"" ID "\",\"complianceState\":[\"compliant\"],\"managementState\":\"managed\"}",
        "{\"id\":\"" ID "\",\"complianceState\":254,\"managementState\":\"managed\"}",
        "{\"id\":\"" ID "\",\"complianceState\":\"compliant\",\"managementState\":1}",
        "{\"value\":[{\"id\":\"" ID "\",\"complianceState\":\"compliant\",\"managementState\":"
        "\"managed\"}]}",
        "[{\"id\":\"" ID "\",\"complianceState\":\"compliant\",\"managementState\":\"managed\"}]",
        "{\"id\":\"" ID "\",\"complianceState\":\"noncompliant\",\"complianceState\":\"compliant\","
        "\"managementState\":\"managed\"}",
        "{\"id\":\"" ID "\",\"complianceState\":\"compliant\",\"managementState\":\"managed\"}x",
        "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"\"}}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        dt_intune_device d;
        if (read_body(bad[i], &d) != DT_INTUNE_UNUSABLE)
            fail_msg("%s was taken", bad[i]);
    }
}

/* A good answer, cut at every byte, is never one. */
static void truncated_answers_are_unusable(void **state)
{
    (void)state;
    static char const body[] = "{\"id\":\"" ID "\",\"complianceState\":\"compliant\","
                               "\"managementState\":\"managed\",\"operatingSystem\":\"Windows\"}";
    dt_intune_device d;
    assert_int_equal(read_body(body, &d), DT_INTUNE_OK);
    for (size_t n = 0; n < strlen(body); n++) {
        dt_http_response r = reply(200, "");
        r.body = dt_bytes_of(body, n);
        assert_int_equal(read_reply(r, &d), DT_INTUNE_UNUSABLE);
    }
}

static void statuses(void **state)
{
    (void)state;
    static char const graph_error[] =
        "{\"error\":{\"code\":\"ResourceNotFound\\u001b\",\"message\":"
        "\"no such \\u001b[1m device\",\"innerError\":{}}}";
    static char const *const bodies[] = {"",
                                         "{}",
                                         "<html>",
                                         "{\"error\":\"invalid\"}",
                                         "{\"error\":{\"code\":404}}",
                                         "null",
                                         "{\"id\":\"" ID "\",\"complianceState\":\"compliant\","
                                         "\"managementState\":\"managed\"}",
                                         graph_error};
    dt_intune_device d;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        assert_int_equal(read_reply(reply(429, bodies[i]), &d), DT_INTUNE_RATE_LIMITED);
        assert_int_equal(read_reply(reply(401, bodies[i]), &d), DT_INTUNE_UNAUTHORIZED);
        assert_int_equal(read_reply(reply(403, bodies[i]), &d), DT_INTUNE_UNAUTHORIZED);
        assert_int_equal(read_reply(reply(500, bodies[i]), &d), DT_INTUNE_SERVER_ERROR);
        assert_int_equal(read_reply(reply(503, bodies[i]), &d), DT_INTUNE_SERVER_ERROR);
        assert_int_equal(read_reply(reply(400, bodies[i]), &d), DT_INTUNE_UNUSABLE);
        assert_int_equal(read_reply(reply(201, bodies[i]), &d), DT_INTUNE_UNUSABLE);
        assert_int_equal(read_reply(reply(204, bodies[i]), &d), DT_INTUNE_UNUSABLE);
        assert_int_equal(read_reply(reply(301, bodies[i]), &d), DT_INTUNE_UNUSABLE);
        assert_int_equal(read_reply(reply(410, bodies[i]), &d), DT_INTUNE_UNUSABLE);
        assert_int_equal(read_reply(reply(0, bodies[i]), &d), DT_INTUNE_UNUSABLE);
        assert_int_equal(read_reply(reply(-1, bodies[i]), &d), DT_INTUNE_UNUSABLE);
        assert_int_equal(read_reply(reply(600, bodies[i]), &d), DT_INTUNE_UNUSABLE);
        bool graph = bodies[i] == graph_error;
        assert_int_equal(read_reply(reply(404, bodies[i]), &d),
                         graph ? DT_INTUNE_NOT_ENROLLED : DT_INTUNE_UNUSABLE);
    }
    assert_int_equal(read_reply(reply(404, graph_error), &d), DT_INTUNE_NOT_ENROLLED);
    assert_false(d.enrolled || d.managed);
    assert_int_equal(d.compliance, DT_COMPLIANCE_UNKNOWN);
    assert_string_equal(d.device_id.text, ID);
    assert_true(d.fetched == NOW);
}

static void failures_without_a_status(void **state)
{
    (void)state;
    static struct {
        dt_http_failure failure;
        dt_intune_answer answer;
    } const rows[] = {{DT_HTTP_LOCAL, DT_INTUNE_LOCAL},
                      {DT_HTTP_NO_NAME, DT_INTUNE_UNREACHABLE},
                      {DT_HTTP_NO_ROUTE, DT_INTUNE_UNREACHABLE},
                      {DT_HTTP_REFUSED, DT_INTUNE_UNREACHABLE},
                      {DT_HTTP_RESET, DT_INTUNE_UNREACHABLE},
                      {DT_HTTP_TIMEOUT, DT_INTUNE_UNREACHABLE},
                      {DT_HTTP_BROKEN, DT_INTUNE_UNUSABLE},
                      {DT_HTTP_UNTRUSTED, DT_INTUNE_LOCAL},
                      {DT_HTTP_QUEUED, DT_INTUNE_LOCAL},
                      {DT_HTTP_NO_CREDENTIALS, DT_INTUNE_UNAUTHORIZED},
                      {DT_HTTP_PROXY_FAILED, DT_INTUNE_UNREACHABLE},
                      {DT_HTTP_PAUSED, DT_INTUNE_UNREACHABLE},
                      {DT_HTTP_PROXY_REFUSED, DT_INTUNE_LOCAL},
                      {DT_HTTP_ABANDONED, DT_INTUNE_LOCAL},
                      {(dt_http_failure)77, DT_INTUNE_LOCAL}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_intune_device d;
        dt_http_response r = reply(200, "{\"id\":\"" ID "\",\"complianceState\":\"compliant\","
                                        "\"managementState\":\"managed\"}");
        r.failure = rows[i].failure;
        r.error = "https://graph\x1b: no";
        assert_int_equal(read_reply(r, &d), rows[i].answer);
        r.error = NULL;
        assert_int_equal(read_reply(r, &d), rows[i].answer);
    }
}

static void long_names_are_cut(void **state)
{
    (void)state;
    char body[2048], name[1024];
    dt_intune_device d;
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    snprintf(body, sizeof(body),
             "{\"id\":\"" ID "\",\"complianceState\":\"compliant\",\"managementState\":\"managed\","
             "\"deviceName\":\"%s\",\"userPrincipalName\":\"\\u001b%.500s\"}",
             name, name);
    assert_int_equal(read_body(body, &d), DT_INTUNE_OK);
    assert_int_equal(strlen(d.device_name), DT_DEVICE_NAME_MAX - 1);
    assert_int_equal(strlen(d.user), DT_INTUNE_USER_MAX - 1);
    assert_memory_equal(d.user, "\\x1bnnn", 7);
}

static void waits(void **state)
{
    (void)state;
    static dt_time const rows[][2] = {{0, DT_SECONDS(2)},
                                      {-5, DT_SECONDS(2)},
                                      {1, DT_SECONDS(1)},
                                      {DT_SECONDS(5), DT_SECONDS(5)},
                                      {DT_MINUTES(10), DT_SECONDS(60)},
                                      {DT_TIME_NEVER, DT_SECONDS(60)},
                                      {INT64_MIN, DT_SECONDS(2)}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_http_response r = reply(429, "");
        r.retry_after = rows[i][0];
        assert_int_equal(dt_intune_rate_wait(&r), rows[i][1]);
    }
}

static void names_are_asked_for_to_the_letter(void **state)
{
    (void)state;
    dt_http_request q;
    dt_intune_name n = {.serial = "PF'3;&%/+?#=\"<X"};
    assert_int_equal(dt_intune_find_device(&config, &n, "", &q), 0);
    assert_string_equal(q.url, "https://graph.microsoft.com/v1.0/deviceManagement/managedDevices"
                               "?$filter=serialNumber%20eq%20'PF%27%273%3B%26%25%2F%2B%3F%23%3D%22"
                               "%3CX'&$select=id,azureADDeviceId,deviceName,operatingSystem,"
                               "complianceState,managementState,"
                               "complianceGracePeriodExpirationDateTime,lastSyncDateTime,"
                               "userPrincipalName,deviceRegistrationState,enrolledDateTime,"
                               "serialNumber");
    n = (dt_intune_name){.entra_id = {ENTRA}};
    assert_int_equal(dt_intune_find_device(&config, &n, "", &q), 0);
    assert_non_null(strstr(q.url, "?$filter=azureADDeviceId%20eq%20'" ENTRA "'&"));
    strcpy(n.serial, "PF3ABC12"); /* both are no name, as is none */
    assert_int_equal(dt_intune_find_device(&config, &n, "", &q), DT_E_INVALID);
    assert_string_equal(q.url, "");
    n = (dt_intune_name){.serial = ""};
    assert_int_equal(dt_intune_find_device(&config, &n, "", &q), DT_E_INVALID);
    dt_intune_device d = {.enrolled = true};
    assert_false(dt_intune_has_name(&d, &n)); /* a device without a name has not this one */
}

/* --- evidence ----------------------------------------------------------------------------------- */

static dt_intune_device good_device(void)
{
    return (dt_intune_device){.enrolled = true,
                              .managed = true,
                              .compliance = DT_COMPLIANCE_COMPLIANT,
                              .device_id = {ID},
                              .entra_id = {ENTRA},
                              .serial = "PF3ABC12",
                              .platform = DT_PLATFORM_MACOS,
                              .last_sync = NOW - DT_HOURS(2),
                              .grace_expires = DT_TIME_NEVER,
                              .enrolled_at = NOW - DT_DAYS(30),
                              .fetched = NOW - DT_SECONDS(10),
                              .device_name = "MAC-1",
                              .user = "jane@example.com"};
}

static void check_evidence(dt_intune_device const *d, bool stale, dt_finding finding,
                           dt_reason reason)
{
    dt_evidence e;
    memset(&e, 'x', sizeof(e));
    dt_intune_evidence(d, &config, NOW, stale, &e);
    assert_int_equal(e.source, DT_SOURCE_INTUNE);
    assert_int_equal(e.assurance, DT_ASSERTED);
    assert_int_equal(e.finding, finding);
    if (e.reason != reason)
        fail_msg("%s, not %s", dt_reason_name(e.reason), dt_reason_name(reason));
    assert_string_equal(e.device_id.text, d->device_id.text);
    assert_string_equal(e.entra_id.text, d->entra_id.text);
    assert_string_equal(e.device_name, d->device_name);
    assert_string_equal(e.key_id, "");
    assert_int_equal(e.platform, d->platform);
    assert_true(e.observed == d->fetched);
}

static void evidence_for_and_against(void **state)
{
    (void)state;
    dt_intune_device d = good_device();
    check_evidence(&d, false, DT_FINDING_FOR, DT_REASON_NONE);
    check_evidence(&d, true, DT_FINDING_FOR, DT_REASON_STALE);
    d.managed = false;
    check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_MANAGED);
    check_evidence(&d, true, DT_FINDING_AGAINST, DT_REASON_NOT_MANAGED);
    d = good_device();
    d.enrolled = false;
    check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_ENROLLED);
    for (int c = -1; c < 5; c++) {
        if (c == DT_COMPLIANCE_COMPLIANT || c == DT_COMPLIANCE_IN_GRACE_PERIOD)
            continue;
        d = good_device();
        d.compliance = (dt_compliance)c;
        check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_COMPLIANT);
        check_evidence(&d, true, DT_FINDING_AGAINST, DT_REASON_NOT_COMPLIANT);
    }
    dt_intune_device nothing = {0};
    check_evidence(&nothing, false, DT_FINDING_AGAINST, DT_REASON_NOT_ENROLLED);
    dt_evidence e;
    memset(&e, 'x', sizeof(e));
    dt_intune_evidence_unavailable(&device, NOW, &e);
    assert_int_equal(e.source, DT_SOURCE_INTUNE);
    assert_int_equal(e.finding, DT_FINDING_UNKNOWN);
    assert_int_equal(e.reason, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_string_equal(e.device_id.text, ID);
    assert_string_equal(e.device_name, "");
    assert_true(e.observed == NOW);
}

static void grace_periods_end(void **state)
{
    (void)state;
    dt_intune_device d = good_device();
    d.compliance = DT_COMPLIANCE_IN_GRACE_PERIOD;
    d.grace_expires = NOW + 1;
    check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_IN_GRACE_PERIOD);
    config.device_trust.trust_in_grace_period = true;
    check_evidence(&d, false, DT_FINDING_FOR, DT_REASON_IN_GRACE_PERIOD);
    check_evidence(&d, true, DT_FINDING_AGAINST, DT_REASON_IN_GRACE_PERIOD);
    d.grace_expires = DT_TIME_NEVER;
    check_evidence(&d, false, DT_FINDING_FOR, DT_REASON_IN_GRACE_PERIOD);
    static dt_time const over[] = {NOW, NOW - 1, 0, -1, INT64_MIN};
    for (size_t i = 0; i < COUNT(over); i++) {
        d.grace_expires = over[i];
        check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_COMPLIANT);
        check_evidence(&d, true, DT_FINDING_AGAINST, DT_REASON_NOT_COMPLIANT);
    }
    d.grace_expires = NOW + 1;
    d.managed = false;
    check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_MANAGED);
}

/* Intune's first word about a device takes some minutes; nothing else is forgiven, and none of it is
 * prolonged by an answer that was kept. */
static void fresh_enrolments_have_their_time(void **state)
{
    (void)state;
    dt_intune_device d = good_device();
    d.compliance = DT_COMPLIANCE_UNKNOWN;
    d.grace_expires = 0;
    d.enrolled_at = NOW - DT_MINUTES(1);
    config.device_trust.trust_in_grace_period = true;
    check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_COMPLIANT); /* off by default */
    config.device_trust.fresh_enrollment_grace = DT_MINUTES(20);
    check_evidence(&d, false, DT_FINDING_FOR, DT_REASON_IN_GRACE_PERIOD);
    check_evidence(&d, true, DT_FINDING_AGAINST, DT_REASON_IN_GRACE_PERIOD);
    config.device_trust.trust_in_grace_period = false;
    check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_IN_GRACE_PERIOD);
    config.device_trust.trust_in_grace_period = true;
    static dt_time const in_time[] = {NOW - DT_MINUTES(20) + 1, NOW, NOW + 1,
                                      NOW + DT_INTUNE_ENROLLED_AHEAD_MAX};
    static dt_time const not_in_time[] = {NOW - DT_MINUTES(20),
                                          NOW - DT_DAYS(30),
                                          1,
                                          0,
                                          -1,
                                          INT64_MIN,
                                          NOW + DT_INTUNE_ENROLLED_AHEAD_MAX + 1,
                                          DT_TIME_NEVER};
    for (size_t i = 0; i < COUNT(in_time); i++) {
        d.enrolled_at = in_time[i];
        check_evidence(&d, false, DT_FINDING_FOR, DT_REASON_IN_GRACE_PERIOD);
    }
    for (size_t i = 0; i < COUNT(not_in_time); i++) {
        d.enrolled_at = not_in_time[i];
        check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_COMPLIANT);
    }
    d.enrolled_at = NOW;
    for (int c = -1; c < 5; c++) { /* the grace period of a policy has ended, or never began */
        d.compliance = (dt_compliance)c;
        if (c != DT_COMPLIANCE_UNKNOWN && c != DT_COMPLIANCE_COMPLIANT)
            check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_COMPLIANT);
    }
    d.compliance = DT_COMPLIANCE_UNKNOWN;
    d.managed = false;
    check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_MANAGED);
    d.managed = true;
    config.device_trust.max_sync_age = DT_DAYS(7);
    d.last_sync = 0;
    check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_STALE);
}

static void silent_devices_are_stale(void **state)
{
    (void)state;
    dt_intune_device d = good_device();
    static dt_time const silent[] = {
        NOW - DT_DAYS(7) - 1, 0, -1, 1, DT_TIME_NEVER, NOW + DT_INTUNE_CLOCK_SKEW_MAX + 1};
    static dt_time const heard[] = {NOW - DT_DAYS(7), NOW, NOW - 1, NOW + DT_HOURS(1),
                                    NOW + DT_INTUNE_CLOCK_SKEW_MAX};
    for (size_t i = 0; i < COUNT(silent); i++) {
        d.last_sync = silent[i];
        config.device_trust.max_sync_age = 0;
        check_evidence(&d, false, DT_FINDING_FOR, DT_REASON_NONE);
        config.device_trust.max_sync_age = DT_DAYS(7);
        check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_STALE);
        check_evidence(&d, true, DT_FINDING_AGAINST, DT_REASON_STALE);
    }
    for (size_t i = 0; i < COUNT(heard); i++) {
        d.last_sync = heard[i];
        check_evidence(&d, false, DT_FINDING_FOR, DT_REASON_NONE);
    }
    /* Silence is told only of what would be trusted otherwise. */
    d.last_sync = 0;
    d.compliance = DT_COMPLIANCE_NOT_COMPLIANT;
    check_evidence(&d, false, DT_FINDING_AGAINST, DT_REASON_NOT_COMPLIANT);
}

static dt_freshness freshness(dt_intune_device d, dt_time age)
{
    d.fetched = NOW - age;
    return dt_intune_freshness(&d, &config, NOW);
}

static void answers_age(void **state)
{
    (void)state;
    dt_intune_device d = good_device();
    assert_int_equal(freshness(d, 0), DT_FRESH);
    assert_int_equal(freshness(d, DT_MINUTES(15) - 1), DT_FRESH);
    assert_int_equal(freshness(d, DT_MINUTES(15)), DT_STALE);
    assert_int_equal(freshness(d, DT_HOURS(24)), DT_STALE);
    assert_int_equal(freshness(d, DT_HOURS(24) + 1), DT_TOO_OLD);
    assert_int_equal(freshness(d, NOW), DT_TOO_OLD); /* never fetched */
    assert_int_equal(freshness(d, NOW + 5), DT_TOO_OLD);
    /* From the future: the clock went back. */
    assert_int_equal(freshness(d, -1), DT_STALE);
    assert_int_equal(freshness(d, -DT_HOURS(24)), DT_STALE);
    assert_int_equal(freshness(d, -DT_HOURS(24) - 1), DT_TOO_OLD);
    d.fetched = DT_TIME_NEVER;
    assert_int_equal(dt_intune_freshness(&d, &config, NOW), DT_TOO_OLD);
    assert_int_equal(dt_intune_freshness(&d, &config, INT64_MIN), DT_TOO_OLD);
    dt_intune_device nothing = {0};
    assert_int_equal(dt_intune_freshness(&nothing, &config, NOW), DT_TOO_OLD);
    assert_int_equal(dt_intune_freshness(&nothing, &config, 0), DT_TOO_OLD);
    config.device_trust.max_sync_age = DT_DAYS(7);
    dt_evidence e;
    d = good_device();
    dt_intune_evidence(&d, &config, INT64_MIN, false, &e);
    assert_int_equal(e.finding, DT_FINDING_AGAINST);
}

static void fresh_enrolments_are_soon_asked_about_again(void **state)
{
    (void)state;
    dt_intune_device d = good_device();
    d.compliance = DT_COMPLIANCE_UNKNOWN;
    d.enrolled_at = NOW - DT_MINUTES(2);
    config.device_trust.trust_in_grace_period = true;
    config.device_trust.fresh_enrollment_grace = DT_MINUTES(20);
    assert_int_equal(freshness(d, DT_MINUTES(1) - 1), DT_FRESH);
    assert_int_equal(freshness(d, DT_MINUTES(1)), DT_STALE);
    d.compliance = DT_COMPLIANCE_COMPLIANT;
    assert_int_equal(freshness(d, DT_MINUTES(15) - 1), DT_FRESH);
}

static void bad_news_ages_faster(void **state)
{
    (void)state;
    dt_intune_device bad[5];
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = good_device();
    bad[0].enrolled = false;
    bad[1].compliance = DT_COMPLIANCE_NOT_COMPLIANT;
    bad[2].managed = false;
    bad[3].compliance = DT_COMPLIANCE_IN_GRACE_PERIOD;
    bad[4].last_sync = 0;
    config.device_trust.max_sync_age = DT_DAYS(30);
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(freshness(bad[i], DT_MINUTES(1) - 1), DT_FRESH);
        assert_int_equal(freshness(bad[i], DT_MINUTES(1)), DT_STALE);
        assert_int_equal(freshness(bad[i], DT_HOURS(24) + 1), DT_TOO_OLD);
    }
    config.device_trust.trust_in_grace_period = true;
    assert_int_equal(freshness(bad[3], DT_MINUTES(1)), DT_FRESH);
    config.device_trust.cache_ttl = 0;
    config.device_trust.stale_limit = 0;
    assert_int_equal(freshness(good_device(), 0), DT_STALE);
    assert_int_equal(freshness(good_device(), 1), DT_TOO_OLD);
}

/* --- records ------------------------------------------------------------------------------------ */

static void check_same(dt_intune_device const *a, dt_intune_device const *b)
{
    assert_int_equal(a->enrolled, b->enrolled);
    assert_int_equal(a->managed, b->managed);
    assert_int_equal(a->compliance, b->compliance);
    assert_int_equal(a->platform, b->platform);
    assert_true(a->last_sync == b->last_sync && a->grace_expires == b->grace_expires &&
                a->enrolled_at == b->enrolled_at && a->fetched == b->fetched);
    assert_string_equal(a->device_id.text, b->device_id.text);
    assert_string_equal(a->entra_id.text, b->entra_id.text);
    assert_string_equal(a->serial, b->serial);
    assert_string_equal(a->device_name, b->device_name);
    assert_string_equal(a->user, b->user);
}

static void records_come_back(void **state)
{
    (void)state;
    dt_intune_device rows[5];
    for (size_t i = 0; i < COUNT(rows); i++)
        rows[i] = good_device();
    rows[1].enrolled = rows[1].managed = false;
    rows[1].compliance = DT_COMPLIANCE_UNKNOWN;
    rows[2].entra_id = (dt_guid){""};
    rows[2].serial[0] = '\0';
    rows[2].device_name[0] = rows[2].user[0] = '\0';
    rows[2].platform = DT_PLATFORM_UNKNOWN;
    memset(rows[3].device_name, 'd', sizeof(rows[3].device_name) - 1);
    memset(rows[3].user, ' ', sizeof(rows[3].user) - 1);
    rows[3].user[sizeof(rows[3].user) - 1] = '\0';
    rows[3].last_sync = rows[3].grace_expires = rows[3].fetched = DT_TIME_NEVER;
    rows[3].enrolled_at = DT_TIME_NEVER;
    rows[4].compliance = DT_COMPLIANCE_IN_GRACE_PERIOD;
    rows[4].last_sync = rows[4].grace_expires = 0;
    rows[4].platform = DT_PLATFORM_OTHER_MOBILE;
    strcpy(rows[4].device_name, "J\xc3\xb6rg's \\x1b - x");
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_intune_device back;
        dt_buf b;
        dt_buf_init(&b, DT_INTUNE_RECORD_MAX);
        assert_int_equal(dt_intune_pack(&rows[i], &b), 0);
        assert_int_equal(dt_intune_unpack(dt_buf_bytes(&b), &back), 0);
        check_same(&rows[i], &back);
        dt_buf_free(&b);
    }
}

static void nonsense_is_not_packed(void **state)
{
    (void)state;
    dt_intune_device bad[14];
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = good_device();
    bad[12].enrolled_at = -1;
    strcpy(bad[13].serial, "ab-12");
    bad[0].device_id = (dt_guid){""};
    bad[1].enrolled = false;
    bad[2].enrolled = bad[2].managed = false;
    bad[3].last_sync = -1;
    bad[4].grace_expires = -1;
    bad[5].fetched = 0;
    bad[6].fetched = INT64_MIN;
    bad[7].compliance = (dt_compliance)9;
    bad[8].platform = (dt_platform)3;
    bad[9].platform = (dt_platform)0x100;
    memcpy(bad[10].device_name, "a\nb", 4);
    memcpy(bad[11].user, "\x1b", 2);
    for (size_t i = 0; i < COUNT(bad); i++) {
        dt_buf b;
        dt_buf_init(&b, DT_INTUNE_RECORD_MAX);
        dt_buf_puts(&b, "x");
        assert_int_equal(dt_intune_pack(&bad[i], &b), DT_E_INVALID);
        assert_string_equal((char *)b.p, "x");
        dt_buf_free(&b);
    }
    char small[64];
    dt_intune_device d = good_device();
    dt_buf b;
    dt_buf_init_fixed(&b, small, sizeof(small));
    assert_int_equal(dt_intune_pack(&d, &b), DT_E_LIMIT);
}

static void pack_good(char *storage, size_t size, dt_buf *b)
{
    dt_intune_device d = good_device();
    dt_buf_init_fixed(b, storage, size);
    assert_int_equal(dt_intune_pack(&d, b), 0);
}

static void refuse_record(dt_bytes record)
{
    static dt_intune_device const nothing;
    dt_intune_device d;
    memset(&d, 'x', sizeof(d));
    if (dt_intune_unpack(record, &d) != DT_E_PARSE)
        fail_msg("taken: %.*s", (int)record.len, (char const *)record.p);
    assert_memory_equal(&d, &nothing, sizeof(nothing));
}

static void damaged_records_are_refused(void **state)
{
    (void)state;
    char storage[DT_INTUNE_RECORD_MAX + 64];
    dt_buf b;
    pack_good(storage, sizeof(storage), &b);
    for (size_t n = 0; n < b.len; n++)
        refuse_record(dt_bytes_of(storage, n));
    dt_buf_putc(&b, '\n');
    refuse_record(dt_buf_bytes(&b));
    refuse_record(dt_bytes_of(NULL, 0));
    /* Whatever a changed byte still means, it has exactly the form that says so. */
    for (size_t at = 0; at + 1 < b.len; at++) {
        for (int v = 0; v < 256; v++) {
            char copy[DT_INTUNE_RECORD_MAX], again[DT_INTUNE_RECORD_MAX + 1];
            dt_intune_device d;
            size_t n = b.len - 1;
            memcpy(copy, storage, n);
            copy[at] = (char)v;
            if (dt_intune_unpack(dt_bytes_of(copy, n), &d) != DT_OK)
                continue;
            dt_buf c;
            dt_buf_init_fixed(&c, again, sizeof(again));
            assert_int_equal(dt_intune_pack(&d, &c), 0);
            assert_true(dt_bytes_equal(dt_buf_bytes(&c), dt_bytes_of(copy, n)));
        }
    }
}

static void records_of_other_forms_are_refused(void **state)
{
    (void)state;
    static char const tail[] = " " ID " - -\nname\nuser\n";
    static char const *const heads[] = {"dt-intune 1 1 1 1 1 1 1 1",
                                        "dt-intune 4 1 1 1 1 1 1 1 1",
                                        "dt-intune 3 2 1 1 1 1 1 1 1",
                                        "dt-intune 3 1 2 1 1 1 1 1 1",
                                        "dt-intune 3 1 1 4 1 1 1 1 1",
                                        "dt-intune 3 1 1 1 3 1 1 1 1",
                                        "dt-intune 3 1 1 1 256 1 1 1 1",
                                        "dt-intune 3 1 1 1 1 1 -1 1 1",
                                        "dt-intune 3 1 1 1 1 1 01 1 1",
                                        "dt-intune 3 1 1 1 1 1 +1 1 1",
                                        "dt-intune 3 1 1 1 1 1 1 1 0",
                                        "dt-intune 3 1 1 1 1 1 1  1",
                                        "dt-intune 3 1 1 1 1 1 1 1 1 1",
                                        "dt-intune 3 1 1 1 1 1 1 1",
                                        "dt-intune  3 1 1 1 1 1 1 1 1",
                                        "dt-intune 3 0 1 0 1 1 1 1 1",
                                        "dt-intune 3 0 0 1 1 1 1 1 1",
                                        "dt-intune 3 1 1 1 1 1 1 1 9223372036854775808",
                                        "dt-intune 3 1 1 1 1 1 1 1 99999999999999999999",
                                        "dt-intune 3 1 1 1 1 1 1 1 1e3",
                                        "dt-intune 3 1 1 1 1 1 1 1 0x1",
                                        "DT-INTUNE 3 1 1 1 1 1 1 1 1",
                                        "{\"v\":1}"};
    char record[512];
    dt_intune_device d;
    snprintf(record, sizeof(record), "dt-intune 3 1 1 1 1 1 1 1 1%s", tail);
    assert_int_equal(dt_intune_unpack(dt_bytes_str(record), &d), 0);
    for (size_t i = 0; i < COUNT(heads); i++) {
        snprintf(record, sizeof(record), "%s%s", heads[i], tail);
        refuse_record(dt_bytes_str(record));
    }
    static char const *const tails[] = {" 5F3A0C1E-1111-4222-8333-444455556666 - -\nn\nu\n",
                                        " {" ID "} - -\nn\nu\n",
                                        " 5f3a0c1e111142228333444455556666 - -\nn\nu\n",
                                        " - -\nn\nu\n",
                                        " " ID " -\nn\nu\n",
                                        " " ID " x -\nn\nu\n",
                                        " " ID " - \nn\nu\n",
                                        " " ID " - abc123\nn\nu\n",
                                        " " ID " - AB-123\nn\nu\n",
                                        " " ID " - AB1\nn\nu\n",
                                        " " ID " - INVALID\nn\nu\n",
                                        " " ID " - AB:123\nn\nu\n",
                                        " " ID " x\nn\nu\n",
                                        " " ID "  - -\nn\nu\n",
                                        " " ID " - -\nn\nu\nmore\n",
                                        " " ID " - -\nn\nu",
                                        " " ID " - -\nn\tm\nu\n",
                                        " " ID " - -\nn\x7f\nu\n",
                                        " " ID " - -\n\n",
                                        " 00000000-0000-0000-0000-000000000000 - -\nn\nu\n"};
    for (size_t i = 0; i < COUNT(tails); i++) {
        snprintf(record, sizeof(record), "dt-intune 3 1 1 1 1 1 1 1 1%s", tails[i]);
        refuse_record(dt_bytes_str(record));
    }
    snprintf(record, sizeof(record), "dt-intune 3 1 1 1 1 1 1 1 1 " ID " - -\n%0*d\nu\n",
             DT_DEVICE_NAME_MAX, 0);
    refuse_record(dt_bytes_str(record));
    refuse_record(dt_bytes_of("dt-intune 3 1 1 1 1 1 1 1 1 " ID " - -\na\0b\nu\n",
                              sizeof("dt-intune 3 1 1 1 1 1 1 1 1 " ID " - -\na\0b\nu\n") - 1));
    static char huge[DT_INTUNE_RECORD_MAX + 2];
    memset(huge, 'u', sizeof(huge));
    refuse_record(dt_bytes_of(huge, sizeof(huge)));
}

static void keys_name_the_device(void **state)
{
    (void)state;
    char key[DT_STORE_KEY_MAX];
    dt_intune_store_key(&device, key);
    assert_string_equal(key, "intune:" ID);
}

/* --- the token ---------------------------------------------------------------------------------- */

static void claims_to_the_letter(void **state)
{
    (void)state;
    uint8_t const jti[16] = {0, 1, 2, 3, 4, 5, 0xf6, 7, 0xf8, 9, 10, 11, 12, 13, 14, 15};
    dt_buf b;
    dt_buf_init(&b, 2048);
    assert_int_equal(dt_entra_assertion_claims(&config, jti, NOW + 999, &b), 0);
    assert_string_equal((char *)b.p,
                        "{\"aud\":\"https://login.microsoftonline.com/" TENANT
                        "/oauth2/v2.0/token\",\"iss\":\"c1c1c1c1-0000-4000-8000-000000000001\","
                        "\"sub\":\"c1c1c1c1-0000-4000-8000-000000000001\","
                        "\"jti\":\"00010203-0405-4607-b809-0a0b0c0d0e0f\","
                        "\"nbf\":1790000000,\"iat\":1790000000,\"exp\":1790000600}");
    dt_json *root = NULL;
    assert_int_equal(dt_json_parse(dt_buf_bytes(&b), &root, NULL), 0);
    assert_int_equal(dt_json_size(root), 7);
    dt_json_free(&root);
    assert_int_equal(dt_entra_assertion_claims(&config, jti, -1, &b), DT_E_INVALID);
    assert_int_equal(dt_entra_assertion_claims(&config, jti, DT_TIME_NEVER, &b), DT_E_INVALID);
    static char empty[] = "";
    config.intune.client_id = empty;
    assert_int_equal(dt_entra_assertion_claims(&config, jti, NOW, &b), DT_E_INVALID);
    config.intune.client_id = client_id;
    config.intune.tenant_id = (dt_guid){""};
    assert_int_equal(dt_entra_assertion_claims(&config, jti, NOW, &b), DT_E_INVALID);
    config.intune.tenant_id = (dt_guid){TENANT};
    dt_buf_free(&b);
    dt_buf_init(&b, 20);
    assert_int_equal(dt_entra_assertion_claims(&config, jti, NOW, &b), DT_E_LIMIT);
    dt_buf_free(&b);
}

static void token_urls(void **state)
{
    (void)state;
    char url[DT_URL_MAX] = "x";
    assert_int_equal(dt_entra_token_url(&config, url), 0);
    assert_string_equal(url, "https://login.microsoftonline.com/" TENANT "/oauth2/v2.0/token");
    static char longest[DT_URL_MAX];
    memset(longest, 'a', sizeof(longest) - 1);
    config.intune.login_url = longest;
    assert_int_equal(dt_entra_token_url(&config, url), DT_E_LIMIT);
    assert_string_equal(url, "");
    static char empty[] = "";
    config.intune.login_url = empty;
    assert_int_equal(dt_entra_token_url(&config, url), DT_E_INVALID);
    assert_string_equal(url, "");
}

static void token_bodies(void **state)
{
    (void)state;
    static char const *const rows[][2] = {
        {"https://graph.microsoft.com", "https%3A%2F%2Fgraph.microsoft.com%2F.default"},
        {"https://GRAPH.microsoft.us:443", "https%3A%2F%2Fgraph.microsoft.us%2F.default"},
        {"https://dod-graph.microsoft.us", "https%3A%2F%2Fdod-graph.microsoft.us%2F.default"},
        {"https://microsoftgraph.chinacloudapi.cn",
         "https%3A%2F%2Fmicrosoftgraph.chinacloudapi.cn%2F.default"},
        {"https://gateway.example.com:8443", "https%3A%2F%2Fgraph.microsoft.com%2F.default"},
        {"https://graph.microsoft.us.evil.net", "https%3A%2F%2Fgraph.microsoft.com%2F.default"},
        {"", "https%3A%2F%2Fgraph.microsoft.com%2F.default"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        static char expected[512], url[128];
        dt_buf b;
        dt_buf_init(&b, DT_HTTP_BODY_MAX);
        snprintf(url, sizeof(url), "%s", rows[i][0]);
        config.intune.graph_url = url;
        assert_int_equal(
            dt_entra_token_body(&config, DT_ENTRA_FOR_GRAPH, "eyJ0.eyJh_-.c2ln", NULL, &b), 0);
        snprintf(expected, sizeof(expected),
                 "client_id=c1c1c1c1-0000-4000-8000-000000000001&scope=%s"
                 "&grant_type=client_credentials&client_assertion_type=urn%%3Aietf%%3Aparams%%3A"
                 "oauth%%3Aclient-assertion-type%%3Ajwt-bearer&client_assertion=eyJ0.eyJh_-.c2ln",
                 rows[i][1]);
        assert_string_equal((char *)b.p, expected);
        dt_buf_free(&b);
    }
    static char const *const bad[] = {"",       "a",       "a.b",     "a.b.",
                                      ".b.c",   "a..c",    "a.b.c.d", "a.b.c&x=y",
                                      "a.b.c=", "a b.c.d", "a.b.c\n", "a+.b.c"};
    dt_buf b;
    dt_buf_init(&b, DT_HTTP_BODY_MAX);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(dt_entra_token_body(&config, DT_ENTRA_FOR_GRAPH, bad[i], NULL, &b),
                         DT_E_INVALID);
    assert_int_equal(dt_entra_token_body(&config, DT_ENTRA_FOR_GRAPH, NULL, NULL, &b),
                     DT_E_INVALID);
    assert_int_equal(b.len, 0);
    dt_buf_free(&b);
    dt_buf_init(&b, 100);
    assert_int_equal(dt_entra_token_body(&config, DT_ENTRA_FOR_GRAPH, "a.b.c", NULL, &b),
                     DT_E_LIMIT);
    dt_buf_free(&b);
}

static void token_request_with_a_secret(void **state)
{
    (void)state;
    static struct {
        char const *secret;
        size_t len;
        int rc;
    } const rows[] = {{"a~b+c", 5, 0}, {"", 0, DT_E_INVALID}, {"a\0b", 3, DT_E_INVALID}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_secret *secret = NULL;
        dt_buf b;
        dt_buf_init(&b, DT_HTTP_BODY_MAX);
        assert_int_equal(dt_secret_new(dt_bytes_of(rows[i].secret, rows[i].len), &secret), 0);
        int rc = dt_entra_token_body(&config, DT_ENTRA_FOR_GRAPH, NULL, secret, &b);
        assert_true(rows[i].rc == 0 ? rc == 0 : rc < 0);
        if (rc == 0)
            assert_string_equal((char *)b.p,
                                "client_id=c1c1c1c1-0000-4000-8000-000000000001"
                                "&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
                                "&grant_type=client_credentials&client_secret=a~b%2Bc");
        /* Never both. */
        assert_int_equal(dt_entra_token_body(&config, DT_ENTRA_FOR_GRAPH, "a.b.c", secret, &b),
                         DT_E_INVALID);
        dt_secret_free(&secret);
        dt_buf_free(&b);
    }
}

/* --- the list ----------------------------------------------------------------------------------- */

#define LIST "https://graph.microsoft.com/v1.0/deviceManagement/managedDevices"

static void the_list_to_the_letter(void **state)
{
    (void)state;
    dt_http_request q;
    assert_int_equal(dt_intune_list_devices(&config, 500, "", &q), 0);
    assert_string_equal(q.url, LIST "?$select=id,azureADDeviceId,deviceName,operatingSystem,"
                                    "complianceState,managementState,"
                                    "complianceGracePeriodExpirationDateTime,lastSyncDateTime,"
                                    "userPrincipalName,deviceRegistrationState,enrolledDateTime,"
                                    "serialNumber,wiFiMacAddress&$top=500");
    assert_int_equal(q.service, DT_HTTP_GRAPH);
    assert_int_equal(dt_intune_list_devices(&config, 1, LIST "?$skiptoken=%2fx", &q), 0);
    assert_string_equal(q.url, LIST "?$skiptoken=%2fx");
    assert_int_equal(dt_intune_list_devices(&config, 0, "", &q), DT_E_INVALID);
    assert_int_equal(dt_intune_list_devices(&config, DT_INTUNE_PAGE_MAX + 1, "", &q), DT_E_INVALID);
}

/* The token goes with it: nowhere but to the list, at the configured Graph. */
static void no_link_leads_elsewhere(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "https://evil.example/v1.0/deviceManagement/managedDevices?$skiptoken=1",
        "http://graph.microsoft.com/v1.0/deviceManagement/managedDevices?$skiptoken=1",
        "https://graph.microsoft.com:8443/v1.0/deviceManagement/managedDevices?$skiptoken=1",
        "https://graph.microsoft.com.evil.example/v1.0/deviceManagement/managedDevices",
        "https://graph.microsoft.com@evil.example/v1.0/deviceManagement/managedDevices",
        "https://graph.microsoft.com/v1.0/users?$skiptoken=1",
        "https://graph.microsoft.com/beta/deviceManagement/managedDevices?$skiptoken=1",
        LIST "/../users",
        LIST "#x",
        LIST "?a b",
        "//graph.microsoft.com/v1.0/deviceManagement/managedDevices",
        "/v1.0/deviceManagement/managedDevices?$skiptoken=1"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        dt_http_request q;
        assert_int_equal(dt_intune_list_devices(&config, 1, bad[i], &q), DT_E_INVALID);
        assert_string_equal(q.url, "");
    }
}

static int note_device(void *ctx, dt_intune_device const *d)
{
    dt_intune_device *last = ctx;
    *last = *d;
    return d->compliance == DT_COMPLIANCE_NOT_COMPLIANT ? DT_E_IO : 0;
}

static dt_intune_answer read_page(int status, char const *body, dt_intune_device *last,
                                  dt_intune_page *page)
{
    dt_http_response r = {
        .failure = DT_HTTP_OK, .status = status, .body = dt_bytes_str(body), .error = ""};
    dt_error e = {0};
    memset(last, 0, sizeof(*last));
    return dt_intune_read_page(&config, &r, NOW, note_device, last, page, &e);
}

#define ENTRY(id, compliance)                                                                      \
    "{\"id\":\"" id "\",\"complianceState\":\"" compliance "\",\"managementState\":\"managed\"}"

static void pages(void **state)
{
    (void)state;
    dt_intune_page page;
    dt_intune_device last;
    assert_int_equal(read_page(200,
                               "{\"@odata.count\":7,\"value\":[{}," ENTRY(
                                   ID, "compliant") ",3],"
                                                    "\"@odata.nextLink\":\"" LIST
                                                    "?$skiptoken=2\"}",
                               &last, &page),
                     DT_INTUNE_OK);
    assert_int_equal(page.devices, 1);
    assert_int_equal(page.unusable, 2);
    assert_int_equal(page.total, 7);
    assert_string_equal(page.next, LIST "?$skiptoken=2");
    assert_string_equal(last.device_id.text, ID);
    assert_int_equal(last.fetched, NOW);
    /* Empty, and yet not the last. */
    assert_int_equal(
        read_page(200, "{\"value\":[],\"@odata.nextLink\":\"" LIST "?x\"}", &last, &page),
        DT_INTUNE_OK);
    assert_int_equal(page.devices, 0);
    assert_string_equal(page.next, LIST "?x");
    /* The last. */
    assert_int_equal(read_page(200, "{\"value\":[],\"@odata.nextLink\":null}", &last, &page),
                     DT_INTUNE_OK);
    assert_string_equal(page.next, "");
    assert_int_equal(page.total, -1);
    /* Who is told ends the walk. */
    assert_int_equal(read_page(200,
                               "{\"value\":[" ENTRY(ID, "error") "," ENTRY(ENTRA, "compliant") "]}",
                               &last, &page),
                     DT_INTUNE_OK);
    assert_int_equal(page.rc, DT_E_IO);
    assert_int_equal(page.devices, 1);
}

static void pages_that_are_none(void **state)
{
    (void)state;
    static struct {
        int status;
        char const *body;
        dt_intune_answer answer;
    } const rows[] = {
        {200, "", DT_INTUNE_UNUSABLE},
        {200, "[]", DT_INTUNE_UNUSABLE},
        {200, "{}", DT_INTUNE_UNUSABLE},
        {200, "{\"value\":{}}", DT_INTUNE_UNUSABLE},
        {200, "{\"value\":[" ENTRY(ID, "compliant") "],\"@odata.nextLink\":1}", DT_INTUNE_UNUSABLE},
        {200, "{\"value\":[" ENTRY(ID, "compliant") "],\"@odata.nextLink\":\"\"}",
         DT_INTUNE_UNUSABLE},
        {200,
         "{\"value\":[" ENTRY(ID, "compliant") "],\"@odata.nextLink\":\"https://evil.example/v1.0/"
                                               "deviceManagement/managedDevices\"}",
         DT_INTUNE_UNUSABLE},
        {404, "{\"error\":{\"code\":\"ResourceNotFound\"}}", DT_INTUNE_UNUSABLE},
        {403, "{\"error\":{\"code\":\"Forbidden\"}}", DT_INTUNE_UNAUTHORIZED},
        {429, "", DT_INTUNE_RATE_LIMITED},
        {503, "", DT_INTUNE_SERVER_ERROR}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_intune_page page;
        dt_intune_device last;
        assert_int_equal(read_page(rows[i].status, rows[i].body, &last, &page), rows[i].answer);
        assert_int_equal(page.devices, 0);
        assert_string_equal(page.next, "");
        assert_string_equal(last.device_id.text, "");
    }
}

static dt_intune_answer read_token(dt_http_response r, dt_secret **token, dt_time *renew_at,
                                   dt_time *expires)
{
    dt_error e = {0};
    *token = (dt_secret *)(void *)"x";
    dt_intune_answer a = dt_entra_read_token(&r, NOW, token, renew_at, expires, &e);
    if (a != DT_INTUNE_OK) {
        assert_null(*token);
        assert_true(*renew_at == 0 && *expires == 0);
        assert_true(e.code < 0 && e.text[0] != '\0');
        assert_null(strchr(e.text, '\x1b'));
        assert_null(strstr(e.text, "eyJ0"));
        dt_secret *again = NULL;
        assert_int_equal(dt_entra_read_token(&r, NOW, &again, renew_at, expires, NULL), a);
    }
    return a;
}

static void tokens_live_and_are_renewed(void **state)
{
    (void)state;
    static struct {
        char const *life;
        dt_time renew_in, expires_in;
    } const rows[] = {{"3599", DT_SECONDS(3599) - 359900, DT_SECONDS(3599)},
                      {"300", DT_SECONDS(240), DT_SECONDS(300)},
                      {"60", DT_SECONDS(30), DT_SECONDS(60)},
                      {"1", 500, DT_SECONDS(1)},
                      {"86400", DT_SECONDS(77760), DT_SECONDS(86400)},
                      {"9223372036854775807", DT_SECONDS(77760), DT_SECONDS(86400)}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char body[256];
        dt_secret *token;
        dt_time renew_at, expires;
        snprintf(body, sizeof(body),
                 "{\"token_type\":\"bearer\",\"expires_in\":%s,\"ext_expires_in\":1,"
                 "\"access_token\":\"eyJ0.x_-~+/=\"}",
                 rows[i].life);
        assert_int_equal(read_token(reply(200, body), &token, &renew_at, &expires), DT_INTUNE_OK);
        assert_true(dt_secret_equal(token, dt_bytes_str("eyJ0.x_-~+/=")));
        assert_int_equal(renew_at - NOW, rows[i].renew_in);
        assert_int_equal(expires - NOW, rows[i].expires_in);
        dt_secret_free(&token);
    }
}

static void odd_tokens_are_refused(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599}",
        "{\"token_type\":\"Bearer\",\"access_token\":\"eyJ0\"}",
        "{\"expires_in\":3599,\"access_token\":\"eyJ0\"}",
        "{\"token_type\":\"DPoP\",\"expires_in\":3599,\"access_token\":\"eyJ0\"}",
        "{\"token_type\":\"Bearer \",\"expires_in\":3599,\"access_token\":\"eyJ0\"}",
        "{\"token_type\":null,\"expires_in\":3599,\"access_token\":\"eyJ0\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":\"3599\",\"access_token\":\"eyJ0\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599.5,\"access_token\":\"eyJ0\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":0,\"access_token\":\"eyJ0\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":-1,\"access_token\":\"eyJ0\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":null,\"access_token\":\"eyJ0\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":null}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":[\"eyJ0\"]}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJ0\\r\\nX: y\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJ0 x\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJ0\\u00f6\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJ0\" \"SECRET\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"eyJ0\"",
        "{\"token_type\":\"Bearer\",\"expires_in\":1e99,\"access_token\":\"eyJ0\"}"};
    dt_secret *token;
    dt_time renew_at, expires;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (read_token(reply(200, bad[i]), &token, &renew_at, &expires) != DT_INTUNE_UNUSABLE)
            fail_msg("%s was taken", bad[i]);
    static char body[2 * DT_SECRET_MAX];
    snprintf(body, sizeof(body),
             "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"%0*d\"}",
             DT_SECRET_MAX + 1, 0);
    assert_int_equal(read_token(reply(200, body), &token, &renew_at, &expires), DT_INTUNE_UNUSABLE);
    snprintf(body, sizeof(body),
             "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"%0*d\"}",
             DT_SECRET_MAX, 0);
    assert_int_equal(read_token(reply(200, body), &token, &renew_at, &expires), DT_INTUNE_OK);
    dt_secret_free(&token);
}

static void entra_says_no(void **state)
{
    (void)state;
    static char const error[] =
        "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS700027: "
        "\\u001b[1m no\",\"error_codes\":[700027]}";
    static char const good[] = "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":"
                               "\"eyJ0\"}";
    static struct {
        int status;
        dt_intune_answer with_error, without;
    } const rows[] = {{400, DT_INTUNE_UNAUTHORIZED, DT_INTUNE_UNUSABLE},
                      {401, DT_INTUNE_UNAUTHORIZED, DT_INTUNE_UNUSABLE},
                      {403, DT_INTUNE_UNAUTHORIZED, DT_INTUNE_UNUSABLE},
                      {404, DT_INTUNE_UNUSABLE, DT_INTUNE_UNUSABLE},
                      {201, DT_INTUNE_UNUSABLE, DT_INTUNE_UNUSABLE},
                      {302, DT_INTUNE_UNUSABLE, DT_INTUNE_UNUSABLE},
                      {0, DT_INTUNE_UNUSABLE, DT_INTUNE_UNUSABLE},
                      {429, DT_INTUNE_RATE_LIMITED, DT_INTUNE_RATE_LIMITED},
                      {500, DT_INTUNE_SERVER_ERROR, DT_INTUNE_SERVER_ERROR},
                      {503, DT_INTUNE_SERVER_ERROR, DT_INTUNE_SERVER_ERROR}};
    dt_secret *token;
    dt_time renew_at, expires;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int s = rows[i].status;
        assert_int_equal(read_token(reply(s, error), &token, &renew_at, &expires),
                         rows[i].with_error);
        assert_int_equal(read_token(reply(s, "<html>"), &token, &renew_at, &expires),
                         rows[i].without);
        assert_int_equal(read_token(reply(s, good), &token, &renew_at, &expires), rows[i].without);
        assert_int_equal(read_token(reply(s, ""), &token, &renew_at, &expires), rows[i].without);
    }
    dt_http_response r = reply(200, good);
    r.error = "https://login\x1b";
    for (int f = 0; f < DT_HTTP_FAILURES; f++) {
        dt_intune_answer const wanted = dt_http_is_unavailable((dt_http_failure)f, 0)
                                            ? DT_INTUNE_UNREACHABLE
                                        : dt_http_is_local((dt_http_failure)f) ? DT_INTUNE_LOCAL
                                                                               : DT_INTUNE_UNUSABLE;
        r.failure = (dt_http_failure)f;
        if (f != DT_HTTP_OK)
            assert_int_equal(read_token(r, &token, &renew_at, &expires), wanted);
    }
}

/* One device's odd text leaves that device out, by its id; the others are kept. */
static void an_odd_text_leaves_one_device_out(void **state)
{
    static char const *const odd[] = {"\\u0000", "a\\u0000b", "\\ud800",
                                      "\\udc00", "\xff",      "\xed\xa0\x80"};
    static char const *const members[] = {"deviceName", "userPrincipalName", "serialNumber",
                                          "complianceState"};

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        for (size_t m = 0; m < sizeof(members) / sizeof(members[0]); m++) {
            dt_intune_device last;
            dt_intune_page page;
            char body[1024];
            snprintf(body, sizeof(body),
                     "{\"value\":[" ENTRY("11111111-2222-4333-8444-555555555551",
                                          "compliant") ","
                                                       "{\"id\":\"11111111-2222-4333-8444-"
                                                       "555555555552\",%s\"managementState\":"
                                                       "\"managed\",\"%s\":\"%s\"}," ENTRY(
                                                           "11111111-2222-4333-8444-555555555553",
                                                           "compliant") "]}",
                     m == 3 ? "" : "\"complianceState\":\"compliant\",", members[m], odd[i]);
            assert_int_equal(read_page(200, body, &last, &page), DT_INTUNE_OK);
            assert_int_equal(page.devices, 2);
            assert_int_equal(page.unusable, 1);
            assert_string_equal(page.left_out[0].text, "11111111-2222-4333-8444-555555555552");
            assert_string_equal(last.device_id.text, "11111111-2222-4333-8444-555555555553");
        }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test_setup(request_to_the_letter, setup),
        cmocka_unit_test_setup(a_compliant_device, setup),
        cmocka_unit_test_setup(nulls_and_absences_speak_for_nobody, setup),
        cmocka_unit_test_setup(only_compliant_is_compliant, setup),
        cmocka_unit_test_setup(only_a_sound_registration_is_managed, setup),
        cmocka_unit_test_setup(the_owner_is_who_intune_says, setup),
        cmocka_unit_test_setup(token_request_with_a_secret, setup),
        cmocka_unit_test_setup(the_list_to_the_letter, setup),
        cmocka_unit_test_setup(no_link_leads_elsewhere, setup),
        cmocka_unit_test_setup(pages, setup),
        cmocka_unit_test_setup(pages_that_are_none, setup),
        cmocka_unit_test_setup(answers_about_others_are_unusable, setup),
        cmocka_unit_test_setup(truncated_answers_are_unusable, setup),
        cmocka_unit_test_setup(statuses, setup),
        cmocka_unit_test_setup(failures_without_a_status, setup),
        cmocka_unit_test_setup(long_names_are_cut, setup),
        cmocka_unit_test_setup(waits, setup),
        cmocka_unit_test_setup(evidence_for_and_against, setup),
        cmocka_unit_test_setup(names_are_asked_for_to_the_letter, setup),
        cmocka_unit_test_setup(grace_periods_end, setup),
        cmocka_unit_test_setup(fresh_enrolments_have_their_time, setup),
        cmocka_unit_test_setup(silent_devices_are_stale, setup),
        cmocka_unit_test_setup(answers_age, setup),
        cmocka_unit_test_setup(bad_news_ages_faster, setup),
        cmocka_unit_test_setup(fresh_enrolments_are_soon_asked_about_again, setup),
        cmocka_unit_test_setup(records_come_back, setup),
        cmocka_unit_test_setup(nonsense_is_not_packed, setup),
        cmocka_unit_test_setup(damaged_records_are_refused, setup),
        cmocka_unit_test_setup(records_of_other_forms_are_refused, setup),
        cmocka_unit_test_setup(keys_name_the_device, setup),
        cmocka_unit_test_setup(claims_to_the_letter, setup),
        cmocka_unit_test_setup(token_urls, setup),
        cmocka_unit_test_setup(token_bodies, setup),
        cmocka_unit_test_setup(tokens_live_and_are_renewed, setup),
        cmocka_unit_test_setup(odd_tokens_are_refused, setup),
        cmocka_unit_test_setup(entra_says_no, setup),
        cmocka_unit_test_setup(an_odd_text_leaves_one_device_out, setup),
    };
    return cmocka_run_group_tests_name("intune", tests, NULL, NULL);
}
