/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Compliance Retrieval service: where its token may go, what is believed of where it is, and which of
 * its answers speak for a device. Everything unknown, missing, twice or odd must make the answer
 * unusable. */
#include "core/intune/compliance_service.h"
#include "core/config/config.h"
#include "core/ruleset/config_check.h"
#include "core/base/xml.h"

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
#define OTHER "5f3a0c1e-1111-4222-8333-444455556667"
#define NOW INT64_C(1790000000000)
#define SPACE                                                                                      \
    "http://schemas.datacontract.org/2004/07/"                                                     \
    "Microsoft.Intune.ResourceAccess.ComplianceRetrievalService.Model"
#define SERVICE                                                                                    \
    "https://fef.amsua0102.manage.microsoft.com/TrafficGateway/TrafficRoutingService/"             \
    "ResourceAccess/ComplianceRetrievalService"
#define ENDPOINTS                                                                                  \
    "https://graph.microsoft.com/v1.0/servicePrincipals/"                                          \
    "appId=0000000a-0000-0000-c000-000000000000/endpoints"

static dt_guid const device = {ID};
static dt_config *config;

static void set(char const *section, char const *name, char const *value)
{
    dt_error e = {0};
    if (dt_config_set(config, "t.conf", 1, section, name, value, &e) < 0)
        fail_msg("%s", e.text);
}

static int finish(dt_error *e)
{
    int status = dt_config_finish(config, "t.conf", e);
    return status < 0 ? status : dt_config_check(config, "t.conf", e);
}

static void begin(void)
{
    dt_error e = {0};
    dt_config_free(&config);
    assert_int_equal(dt_config_new(&config, &e), 0);
    set("okta", "org_url", "https://example.okta.com");
    set("okta", "api_token_file", "/etc/devtrust/okta_token");
    set("intune", "tenant_id", "11111111-2222-4333-8444-555555555555");
    set("intune", "client_id", "c1c1c1c1-0000-4000-8000-000000000001");
    set("intune", "certificate_file", "/etc/devtrust/graph.pem");
    set("intune", "key_file", "/etc/devtrust/graph.key");
    set("device_trust", "ca_file", "/etc/devtrust/ca.pem");
}

static int setup(void **state)
{
    (void)state;
    begin();
    set("intune", "service", "compliance-retrieval");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dt_config_free(&config);
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

/* --- where a token may go ----------------------------------------------------------------------- */

static void only_at_or_below_the_host(void **state)
{
    (void)state;
    static char const *const good[] = {SERVICE, "https://manage.microsoft.com/x",
                                       "https://FEF.Manage.Microsoft.Com:443/x"};
    static char const *const bad[] = {
        "",
        "https://evil.example/x",
        "https://manage.microsoft.com.evil.example/x",
        "https://evilmanage.microsoft.com/x",
        "https://managf.microsoft.com/x",
        "https://x.managf.microsoft.com/x",
        "https://microsoft.com/x",
        "https://com/x",
        "http://fef.manage.microsoft.com/x",
        "ftp://fef.manage.microsoft.com/x",
        "//fef.manage.microsoft.com/x",
        "https://fef.manage.microsoft.com@evil.example/x",
        "https://user@fef.manage.microsoft.com/x",
        "https://evil.example\\.manage.microsoft.com/x",
        "https://evil.example/.manage.microsoft.com",
        "https://evil.example?.manage.microsoft.com",
        "https://evil.example#.manage.microsoft.com",
        "https://fef.manage.microsoft.com/a/../../x",
        "https://fef.manage.microsoft.com/%2e%2e/x",
        "https://fef.manage.microsoft.com:0/x",
        "https://fef.manage.microsoft.com./x",
        "https://[::1]/x",
        "https://.manage.microsoft.com\n/x",
    };
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(dt_compliance_is_allowed(config, good[i]));
    for (size_t i = 0; i < COUNT(bad); i++) {
        dt_compliance_address at = {.found = NOW};
        dt_http_request q;
        dt_buf b;
        if (dt_compliance_is_allowed(config, bad[i]))
            fail_msg("%s is allowed", bad[i]);
        snprintf(at.url, sizeof(at.url), "%s", bad[i]);
        assert_int_equal(dt_compliance_get_device(config, &at, &device, &q), DT_E_INVALID);
        assert_string_equal(q.url, "");
        dt_buf_init(&b, 4096);
        assert_int_equal(dt_compliance_pack(config, &at, &b), DT_E_INVALID);
        dt_buf_free(&b);
    }
}

static void each_cloud_has_its_own(void **state)
{
    (void)state;
    static char const *const rows[][3] = {
        {"https://graph.microsoft.com", "https://api.manage.microsoft.com", "manage.microsoft.com"},
        {"https://graph.microsoft.us", "https://api.manage.microsoft.us", "manage.microsoft.us"},
        {"https://dod-graph.microsoft.us", "https://api.manage.microsoft.us",
         "manage.microsoft.us"},
        {"https://microsoftgraph.chinacloudapi.cn", NULL, NULL},
        {"https://graph.microsoft.com.evil.example", NULL, NULL},
        {"https://graph.microsoft.com:8443", NULL, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        begin();
        set("intune", "graph_url", rows[i][0]);
        if (rows[i][1] == NULL) {
            assert_null(dt_compliance_resource(config));
            assert_null(dt_compliance_host(config));
            assert_false(dt_compliance_is_allowed(config, SERVICE));
        } else {
            assert_string_equal(dt_compliance_resource(config), rows[i][1]);
            assert_string_equal(dt_compliance_host(config), rows[i][2]);
        }
    }
    begin();
    set("intune", "graph_url", "https://microsoftgraph.chinacloudapi.cn");
    set("intune", "compliance_resource", "https://api.example.cn/");
    set("intune", "compliance_host", "manage.example.cn");
    assert_string_equal(dt_compliance_resource(config), "https://api.example.cn");
    assert_true(dt_compliance_is_allowed(config, "https://x.manage.example.cn/y"));
    assert_false(dt_compliance_is_allowed(config, SERVICE));
}

/* The slash that the resource ends in, and then that of the scope. */
static void its_token_is_for_it_alone(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, DT_HTTP_BODY_MAX);
    assert_int_equal(dt_entra_token_body(config, DT_ENTRA_FOR_COMPLIANCE, "a.b.c", NULL, &b), 0);
    assert_non_null(
        strstr((char *)b.p, "&scope=https%3A%2F%2Fapi.manage.microsoft.com%2F%2F.default&"));
    dt_buf_reset(&b);
    assert_int_equal(dt_entra_token_body(config, DT_ENTRA_FOR_GRAPH, "a.b.c", NULL, &b), 0);
    assert_non_null(strstr((char *)b.p, "&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&"));
    dt_buf_reset(&b);
    set("intune", "graph_url", "https://microsoftgraph.chinacloudapi.cn");
    assert_int_equal(dt_entra_token_body(config, DT_ENTRA_FOR_COMPLIANCE, "a.b.c", NULL, &b),
                     DT_E_INVALID);
    assert_int_equal(dt_entra_token_body(config, DT_ENTRA_AUDIENCE_COUNT, "a.b.c", NULL, &b),
                     DT_E_INVALID);
    dt_buf_free(&b);
}

/* What the service does not tell cannot be demanded; each row alone makes the file wrong. */
static void no_demand_that_it_cannot_meet(void **state)
{
    (void)state;
    static char const *const rows[][4] = {
        {"device_trust", "require_owner", "yes", "require_owner"},
        {"device_trust", "max_sync_age", "7d", "max_sync_age"},
        {"device_trust", "trust_in_grace_period", "yes", "trust_in_grace_period"},
        {"device_trust", "platforms", "windows", "platforms"},
        {"intune", "graph_url", "https://microsoftgraph.chinacloudapi.cn", "compliance_resource"},
        {"intune", "compliance_host", "com", "compliance_host"},
        {"intune", "compliance_host", "https://manage.microsoft.com", "compliance_host"},
        {"intune", "compliance_host", ".manage.microsoft.com", "compliance_host"},
        {"intune", "compliance_host", "manage..com", "compliance_host"},
        {"intune", "compliance_host", "manage.microsoft.com.", "compliance_host"},
        {"intune", "compliance_host", "Manage.Microsoft.com", "compliance_host"},
        {"intune", "compliance_host", "manage.microsoft.com/x", "compliance_host"},
    };
    dt_error e = {0};
    assert_int_equal(finish(&e), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        setup(NULL);
        set(rows[i][0], rows[i][1], rows[i][2]);
        assert_int_equal(finish(&e), DT_E_INVALID);
        if (!strstr(e.text, rows[i][3]))
            fail_msg("row %zu: %s", i, e.text);
        if (strcmp(rows[i][0], "device_trust") != 0)
            continue;
        begin(); /* Graph can meet all of them */
        set(rows[i][0], rows[i][1], rows[i][2]);
        assert_int_equal(finish(&e), 0);
    }
}

static void nor_for_one_application(void **state)
{
    (void)state;
    dt_error e = {0};
    assert_int_equal(dt_config_open_section(config, "t.conf", 3, "application wifi", &e), 0);
    set("application wifi", "max_sync_age", "7d");
    assert_int_equal(finish(&e), DT_E_INVALID);
    assert_non_null(strstr(e.text, "[application wifi] max_sync_age"));
}

/* --- where it is -------------------------------------------------------------------------------- */

#define ENTRY(name, uri) "{\"providerName\":\"" name "\",\"uri\":\"" uri "\"}"
#define OLD ENTRY("NACAPIService", "https://fef.manage.microsoft.com/StatelessNACService")
#define NAMED(uri) ENTRY("ComplianceRetrievalService", uri)
#define LIST(entries) "{\"value\":[" entries "]}"
#define LIST_NEXT(entries, link) "{\"value\":[" entries "],\"@odata.nextLink\":\"" link "\"}"

static dt_intune_answer read_list(int status, char const *body, dt_compliance_address *at,
                                  char next[DT_URL_MAX])
{
    static dt_compliance_address const nowhere;
    dt_http_response r = reply(status, body);
    dt_error e = {0};
    memset(at, 'x', sizeof(*at));
    dt_intune_answer a = dt_compliance_read_endpoints(config, &r, NOW, at, next, &e);
    if (a != DT_INTUNE_OK) {
        assert_true(e.code < 0 && e.text[0] != '\0');
        assert_memory_equal(at, &nowhere, sizeof(nowhere));
    }
    return a;
}

static void the_place_that_graph_names(void **state)
{
    (void)state;
    static char const *const good[] = {
        LIST(OLD "," NAMED(SERVICE)),
        LIST(NAMED(SERVICE "/")),
        LIST(NAMED(SERVICE) "," NAMED(SERVICE)),
        LIST("{},[],null,1," NAMED(SERVICE)),
        LIST_NEXT(NAMED(SERVICE), "https://evil.example/"),
    };
    dt_compliance_address at;
    dt_http_request q;
    char next[DT_URL_MAX];
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(read_list(200, good[i], &at, next), DT_INTUNE_OK);
        assert_string_equal(at.url, SERVICE);
        assert_int_equal(at.found, NOW);
        assert_string_equal(next, "");
    }
    assert_int_equal(dt_compliance_list_endpoints(config, "", &q), 0);
    assert_string_equal(q.url, ENDPOINTS);
    assert_int_equal(q.service, DT_HTTP_GRAPH);
    assert_int_equal(dt_compliance_get_device(config, &at, &device, &q), 0);
    assert_string_equal(q.url, SERVICE "/cisco/devices/?paging=0&querycriteria=guid&value=" ID
                                       "&filter=all");
    assert_int_equal(q.service, DT_HTTP_COMPLIANCE);
    assert_int_equal(q.timeout, config->intune.timeout);
    assert_int_equal(dt_compliance_get_device(config, &at, &(dt_guid){""}, &q), DT_E_INVALID);
}

static void no_other_place(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"value\":{}}",
        "{\"value\":[",
        LIST(""),
        LIST(OLD),
        LIST(ENTRY("complianceretrievalservice", SERVICE)),
        LIST(ENTRY("ComplianceRetrievalService2", SERVICE)),
        LIST("{\"providerName\":\"ComplianceRetrievalService\"}"),
        LIST("{\"providerName\":\"ComplianceRetrievalService\",\"uri\":null}"),
        LIST("{\"providerName\":\"ComplianceRetrievalService\",\"uri\":[\"" SERVICE "\"]}"),
        LIST(NAMED("")),
        LIST(NAMED("/")),
        LIST(NAMED("http://fef.manage.microsoft.com/x")),
        LIST(NAMED("https://evil.example/x")),
        LIST(NAMED("https://fef.manage.microsoft.com@evil/")),
        LIST(NAMED("https://fef.manage.microsoft.com/x?y=z")),
        LIST(NAMED("https://fef.manage.microsoft.com/x?")),
        LIST(NAMED("https://fef.manage.microsoft.com/x#y")),
        LIST(NAMED("https://fef.manage.microsoft.com/x\\u0000")),
        LIST(NAMED(SERVICE) "," NAMED("https://other.manage.microsoft.com/x")),
        LIST(NAMED(SERVICE) "," NAMED("https://evil.example/x")),
        LIST_NEXT(OLD, "https://evil.example/v1.0/servicePrincipals/x"),
        LIST_NEXT(OLD, "https://graph.microsoft.com/v1.0/users"),
        "{\"value\":[],\"@odata.nextLink\":7}",
    };
    static int const statuses[][2] = {{404, DT_INTUNE_UNUSABLE},     {401, DT_INTUNE_UNAUTHORIZED},
                                      {403, DT_INTUNE_UNAUTHORIZED}, {429, DT_INTUNE_RATE_LIMITED},
                                      {503, DT_INTUNE_SERVER_ERROR}, {302, DT_INTUNE_UNUSABLE},
                                      {204, DT_INTUNE_UNUSABLE}};
    dt_compliance_address at;
    dt_http_request q;
    char next[DT_URL_MAX];
    for (size_t i = 0; i < COUNT(bad); i++)
        if (read_list(200, bad[i], &at, next) != DT_INTUNE_UNUSABLE)
            fail_msg("row %zu: %s", i, bad[i]);
    for (size_t i = 0; i < COUNT(statuses); i++) {
        assert_int_equal(read_list(statuses[i][0], LIST(NAMED(SERVICE)), &at, next),
                         statuses[i][1]);
        assert_int_equal(
            read_list(statuses[i][0], "{\"error\":{\"code\":\"x\",\"message\":\"y\"}}", &at, next),
            statuses[i][1]);
    }
    assert_int_equal(read_list(200, LIST_NEXT(OLD, ENDPOINTS "?$skiptoken=2"), &at, next),
                     DT_INTUNE_OK);
    assert_string_equal(at.url, "");
    assert_string_equal(next, ENDPOINTS "?$skiptoken=2");
    assert_int_equal(dt_compliance_list_endpoints(config, next, &q), 0);
    assert_string_equal(q.url, next);
    assert_int_equal(dt_compliance_list_endpoints(config, "https://evil.example/", &q),
                     DT_E_INVALID);
    assert_string_equal(q.url, "");
}

static void an_address_is_kept(void **state)
{
    (void)state;
    dt_compliance_address at = {.url = SERVICE, .found = NOW}, back;
    char key[DT_STORE_KEY_MAX], text[1024];
    dt_buf b;
    dt_compliance_store_key(config, key);
    assert_string_equal(key, "compliance-service:11111111-2222-4333-8444-555555555555");
    dt_buf_init(&b, DT_COMPLIANCE_RECORD_MAX);
    assert_int_equal(dt_compliance_pack(config, &at, &b), 0);
    assert_int_equal(dt_compliance_unpack(config, dt_buf_bytes(&b), &back), 0);
    assert_string_equal(back.url, SERVICE);
    assert_int_equal(back.found, NOW);
    for (size_t n = 0; n < b.len; n++) {
        assert_int_equal(dt_compliance_unpack(config, dt_bytes_of(b.p, n), &back), DT_E_PARSE);
        assert_string_equal(back.url, "");
    }
    static char const *const bad[] = {
        "dt-compliance-service 2 1 " SERVICE "\n",
        "dt-compliance-service 1 0 " SERVICE "\n",
        "dt-compliance-service 1 -1 " SERVICE "\n",
        "dt-compliance-service 1 1 " SERVICE "\nx",
        "dt-compliance-service 1 1 https://evil.example/x\n",
        "dt-compliance-service 1 1 http://fef.manage.microsoft.com/x\n",
        "dt-compliance-service 1 1 \n",
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(dt_compliance_unpack(config, dt_bytes_str(bad[i]), &back), DT_E_PARSE);
    snprintf(text, sizeof(text), "%s", (char *)b.p); /* another cloud: it is no place any more */
    set("intune", "compliance_host", "manage.microsoft.us");
    assert_int_equal(dt_compliance_unpack(config, dt_bytes_str(text), &back), DT_E_PARSE);
    dt_buf_free(&b);
}

/* --- what it says of a device ------------------------------------------------------------------- */

#define HEAD "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
#define API(in) HEAD "<ise_api xmlns=\"" SPACE "\">" in "</ise_api>"
#define VERSION "<name>attributes</name><api_version>3</api_version>"
#define ONE(in) API(VERSION "<deviceList><device>" in "</device></deviceList>")
#define COMPLIANT "<Compliance><status>true</status></Compliance>"
#define REGISTERED "<register_status>true</register_status>"
#define GUID(id) "<guid>" id "</guid>"
#define WITH(attributes) ONE(GUID(ID) "<Attributes>" attributes "</Attributes>")
#define GOOD WITH(GUID(ID) REGISTERED COMPLIANT)

static dt_intune_answer read_reply(dt_http_response r, dt_intune_device *d, dt_error *e)
{
    static dt_intune_device const nothing;
    memset(d, 'x', sizeof(*d));
    dt_intune_answer a = dt_compliance_read_device(&r, &device, NOW, d, e);
    assert_int_equal(dt_compliance_read_device(&r, &device, NOW, d, NULL), a);
    if (a != DT_INTUNE_OK && a != DT_INTUNE_NOT_ENROLLED) {
        assert_true(e->code < 0 && e->text[0] != '\0');
        assert_memory_equal(d, &nothing, sizeof(nothing));
    } else {
        dt_buf record; /* all that is read can be kept */
        dt_buf_init(&record, DT_INTUNE_RECORD_MAX);
        assert_int_equal(dt_intune_pack(d, &record), 0);
        dt_buf_free(&record);
    }
    return a;
}

static dt_finding finding_of(char const *body, dt_reason *reason)
{
    dt_intune_device d;
    dt_error err = {0};
    dt_evidence ev;
    dt_intune_answer a = read_reply(reply(200, body), &d, &err);
    if (a != DT_INTUNE_OK && a != DT_INTUNE_NOT_ENROLLED)
        dt_intune_evidence_unavailable(&device, NOW, &ev);
    else
        dt_intune_evidence(&d, config, NOW, false, &ev);
    *reason = ev.reason;
    assert_true(dt_guid_equal(&ev.device_id, &device));
    assert_int_equal(ev.assurance, DT_ASSERTED);
    return ev.finding;
}

static void answers_and_what_they_are_evidence_of(void **state)
{
    (void)state;
    static struct {
        char const *body;
        dt_finding finding;
        dt_reason reason;
    } const rows[] = {
        {GOOD, DT_FINDING_FOR, DT_REASON_NONE},
        /* as it was seen, with a namespace of the instance and spaces */
        {HEAD "\n<ise_api xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns=\"" SPACE
              "\">\n <name>attributes</name>\n <api_version>3</api_version>\n <deviceList>\n"
              "  <device>\n   <guid>5F3A0C1E-1111-4222-8333-444455556666</guid>\n   <Attributes>\n"
              "    <guid>" ID "</guid>\n    <register_status>true</register_status>\n"
              "    <Compliance>\n     <status>true</status>\n    </Compliance>\n   </Attributes>\n"
              "  </device>\n </deviceList>\n</ise_api>\n",
         DT_FINDING_FOR, DT_REASON_NONE},
        /* more than we know of */
        {WITH(GUID(ID) "<model a=\"b\">x</model>" REGISTERED COMPLIANT "<more><status>false"
                       "</status></more>"),
         DT_FINDING_FOR, DT_REASON_NONE},
        {WITH(REGISTERED COMPLIANT), DT_FINDING_FOR, DT_REASON_NONE},
        {WITH(GUID(ID) REGISTERED "<Compliance><status>false</status></Compliance>"),
         DT_FINDING_AGAINST, DT_REASON_NOT_COMPLIANT},
        {WITH(GUID(ID) "<register_status>false</register_status>" COMPLIANT), DT_FINDING_AGAINST,
         DT_REASON_NOT_ENROLLED},
        {WITH(GUID(ID) "<register_status>false</register_status>"), DT_FINDING_AGAINST,
         DT_REASON_NOT_ENROLLED},
        {API(VERSION "<deviceList/>"), DT_FINDING_AGAINST, DT_REASON_NOT_ENROLLED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_reason reason;
        dt_finding f = finding_of(rows[i].body, &reason);
        if (f != rows[i].finding || reason != rows[i].reason)
            fail_msg("row %zu: finding %d, reason %d", i, f, reason);
    }
}

/* Each is UNKNOWN, and none is ever evidence for, or against, a device. */
static char const *const unusable[] = {
    "",
    " ",
    "x",
    "{\"compliant\":true}",
    "<ise_api/>",
    HEAD,
    "<html><body>Sign in</body></html>",
    /* of another device, or of several */
    ONE(GUID(OTHER) "<Attributes>" GUID(OTHER) REGISTERED COMPLIANT "</Attributes>"),
    ONE(GUID(OTHER) "<Attributes>" GUID(ID) REGISTERED COMPLIANT "</Attributes>"),
    WITH(GUID(OTHER) REGISTERED COMPLIANT),
    ONE("<Attributes>" GUID(ID) REGISTERED COMPLIANT "</Attributes>"),
    ONE("<guid/><Attributes>" GUID(ID) REGISTERED COMPLIANT "</Attributes>"),
    ONE(GUID(ID) GUID(ID) "<Attributes>" REGISTERED COMPLIANT "</Attributes>"),
    ONE(GUID(ID " ") "<Attributes>" REGISTERED COMPLIANT "</Attributes>"),
    API(VERSION "<deviceList><device>" GUID(ID) "<Attributes>" REGISTERED COMPLIANT
                                                "</Attributes></device><device>" GUID(
                                                    OTHER) "</device></deviceList>"),
    API(VERSION "<deviceList><device>" GUID(ID) "<Attributes>" REGISTERED COMPLIANT
                                                "</Attributes></device><device/></deviceList>"),
    API(VERSION "<deviceList/><deviceList><device>" GUID(ID) "<Attributes>" REGISTERED COMPLIANT
                                                             "</Attributes></device></deviceList>"),
    /* words that are not known */
    WITH(GUID(ID) REGISTERED "<Compliance><status>True</status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status>1</status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status>compliant</status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status>unknown</status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status> true</status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status></status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status/></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance/>"),
    WITH(GUID(ID) REGISTERED),
    WITH(GUID(ID) COMPLIANT),
    WITH(GUID(ID) "<register_status>TRUE</register_status>" COMPLIANT),
    WITH(GUID(ID) "<register_status>yes</register_status>" COMPLIANT),
    WITH(GUID(ID) "<register_status/>" COMPLIANT),
    ONE(GUID(ID)),
    ONE(GUID(ID) "<Attributes/>"),
    /* twice, and one says otherwise */
    WITH(GUID(ID) REGISTERED COMPLIANT "<Compliance><status>false</status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status>false</status><status>true</status>"
                             "</Compliance>"),
    WITH(GUID(ID) REGISTERED "<register_status>false</register_status>" COMPLIANT),
    ONE(GUID(ID) "<Attributes>" REGISTERED COMPLIANT "</Attributes><Attributes>" REGISTERED
                 "<Compliance><status>false</status></Compliance></Attributes>"),
    /* elsewhere than they belong */
    ONE(GUID(ID) REGISTERED COMPLIANT),
    ONE(GUID(ID) "<x><Attributes>" REGISTERED COMPLIANT "</Attributes></x>"),
    ONE(GUID(ID) "<attributes>" REGISTERED COMPLIANT "</attributes>"),
    WITH(GUID(ID) REGISTERED "<status>true</status>"),
    WITH(GUID(ID) REGISTERED "<compliance><status>true</status></compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status><x>true</x></status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance status=\"true\"/>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status xmlns=\"urn:other\">true</status>"
                             "</Compliance>"),
    "<x>"
    "<ise_api>" VERSION "<deviceList/></ise_api></x>",
    /* another kind of answer, or another version */
    API("<name>attributes</name><deviceList/>"),
    API("<api_version>3</api_version><deviceList/>"),
    API("<name>attributes</name><api_version>2</api_version><deviceList/>"),
    API("<name>attributes</name><api_version>30</api_version><deviceList/>"),
    API("<name>mdminfo</name><api_version>3</api_version><deviceList/>"),
    API(VERSION),
    API(VERSION "<deviceList xmlns=\"urn:other\"/>"),
    API(VERSION VERSION "<deviceList/>"),
    /* no whole document, or one that brings a document type */
    HEAD "<!DOCTYPE ise_api><ise_api xmlns=\"" SPACE "\">" VERSION "<deviceList/></ise_api>",
    HEAD "<!DOCTYPE ise_api [<!ENTITY t \"true\">]><ise_api xmlns=\"" SPACE "\">" VERSION
         "<deviceList><device>" GUID(
             ID) "<Attributes>" REGISTERED
                 "<Compliance><status>&t;</status></Compliance></Attributes></device></deviceList>"
                 "</ise_api>",
    HEAD "<!DOCTYPE ise_api SYSTEM \"file:///etc/passwd\"><ise_api/>",
    WITH(GUID(ID) REGISTERED "<Compliance><status>&t;</status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status>tr\x01ue</status></Compliance>"),
    WITH(GUID(ID) REGISTERED "<Compliance><status>\xff</status></Compliance>"),
    GOOD "<ise_api/>",
    GOOD "x",
};

static void answers_that_cannot_be_used(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(unusable); i++) {
        dt_reason reason;
        if (finding_of(unusable[i], &reason) != DT_FINDING_UNKNOWN ||
            reason != DT_REASON_LOOKUP_UNAVAILABLE)
            fail_msg("row %zu: %s", i, unusable[i]);
    }
}

static void cut_off_anywhere(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(GOOD); n++) {
        dt_intune_device d;
        dt_error e = {0};
        dt_http_response r = reply(200, GOOD);
        r.body.len = n;
        assert_int_equal(read_reply(r, &d, &e), DT_INTUNE_UNUSABLE);
    }
}

static void statuses(void **state)
{
    (void)state;
    static int const rows[][2] = {
        {201, DT_INTUNE_UNUSABLE},     {204, DT_INTUNE_UNUSABLE},     {301, DT_INTUNE_UNUSABLE},
        {302, DT_INTUNE_UNUSABLE},     {400, DT_INTUNE_UNUSABLE},     {404, DT_INTUNE_UNUSABLE},
        {401, DT_INTUNE_UNAUTHORIZED}, {403, DT_INTUNE_UNAUTHORIZED}, {429, DT_INTUNE_RATE_LIMITED},
        {500, DT_INTUNE_SERVER_ERROR}, {503, DT_INTUNE_SERVER_ERROR}, {599, DT_INTUNE_SERVER_ERROR},
        {600, DT_INTUNE_UNUSABLE},     {0, DT_INTUNE_UNUSABLE}};
    static int const failures[][2] = {
        {DT_HTTP_REFUSED, DT_INTUNE_UNREACHABLE}, {DT_HTTP_TIMEOUT, DT_INTUNE_UNREACHABLE},
        {DT_HTTP_ABANDONED, DT_INTUNE_LOCAL},     {DT_HTTP_LOCAL, DT_INTUNE_LOCAL},
        {DT_HTTP_QUEUED, DT_INTUNE_LOCAL},        {DT_HTTP_UNTRUSTED, DT_INTUNE_LOCAL},
        {DT_HTTP_BROKEN, DT_INTUNE_UNUSABLE},     {DT_HTTP_NO_CREDENTIALS, DT_INTUNE_UNAUTHORIZED}};
    dt_intune_device d;
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_error e = {0};
        assert_int_equal(read_reply(reply(rows[i][0], GOOD), &d, &e), rows[i][1]);
    }
    for (size_t i = 0; i < COUNT(failures); i++) {
        dt_http_response r = reply(0, GOOD);
        dt_error e = {0};
        r.failure = (dt_http_failure)failures[i][0];
        r.error = "a\x1b[2J";
        assert_int_equal(read_reply(r, &d, &e), failures[i][1]);
        assert_null(strchr(e.text, '\x1b'));
    }
}

/* --- the limits of XML -------------------------------------------------------------------------- */

static int seen, closed, deepest;

static int note_open(void *ctx, int depth, char const *space, char const *name)
{
    (void)space;
    seen++;
    deepest = depth > deepest ? depth : deepest;
    return ctx != NULL && strcmp(name, ctx) == 0 ? DT_E_STATE : DT_OK;
}

static int note_close(void *ctx, int depth, char const *text)
{
    (void)ctx;
    (void)text;
    (void)depth;
    closed++;
    return DT_OK;
}

static int walk_text(char const *text, size_t len, char const *stop)
{
    static dt_xml_handler const handler = {.open = note_open, .close = note_close};
    dt_error e = {0};
    seen = closed = deepest = 0;
    int rc = dt_xml_walk(dt_bytes_of(text, len), &handler, (void *)(uintptr_t)stop, &e);
    assert_true(rc == DT_OK || rc == DT_E_STATE || e.text[0] != '\0');
    return rc;
}

static char *repeat(char const *before, char const *what, size_t times, char const *after)
{
    dt_buf b;
    dt_buf_init(&b, 4 * DT_XML_MAX);
    dt_buf_puts(&b, before);
    for (size_t i = 0; i < times; i++)
        dt_buf_puts(&b, what);
    dt_buf_puts(&b, after);
    assert_int_equal(dt_buf_error(&b), 0);
    char *text = strdup((char *)b.p);
    dt_buf_free(&b);
    return text;
}

static void xml_is_bounded(void **state)
{
    (void)state;
    static struct {
        char const *before, *what, *after;
        size_t most;
        int rc;
    } const rows[] = {
        {"<a>", "<b/>", "</a>", DT_XML_ELEMENTS_MAX - 1, DT_E_LIMIT},
        {"<a>", "x", "</a>", DT_XML_TEXT_MAX, DT_E_LIMIT},
        {"<a>", "<!-->", "</a>", 0, DT_E_PARSE},
        {"<a>", "<?p x?>", "</a>", (DT_XML_MAX - 7) / 7, DT_E_LIMIT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *fits = repeat(rows[i].before, rows[i].what, rows[i].most, rows[i].after);
        char *more = repeat(rows[i].before, rows[i].what, rows[i].most + 1, rows[i].after);
        assert_int_equal(walk_text(fits, strlen(fits), NULL), 0);
        assert_int_equal(walk_text(more, strlen(more), NULL), rows[i].rc);
        free(fits);
        free(more);
    }
    for (int depth = DT_XML_DEPTH_MAX; depth < DT_XML_DEPTH_MAX + 2; depth++) {
        char *in = repeat("", "<a>", (size_t)depth + 1, "");
        char *both = repeat(in, "</a>", (size_t)depth + 1, "");
        int rc = walk_text(both, strlen(both), NULL);
        assert_int_equal(rc, depth == DT_XML_DEPTH_MAX ? DT_OK : DT_E_LIMIT);
        assert_int_equal(deepest, DT_XML_DEPTH_MAX);
        free(in);
        free(both);
    }
    char *space = repeat("<a xmlns=\"", "u", DT_XML_SPACE_MAX, "\"/>");
    assert_int_equal(walk_text(space, strlen(space), NULL), DT_E_LIMIT);
    assert_int_equal(seen, 0);
    free(space);
}

static void a_handler_ends_it(void **state)
{
    (void)state;
    static char const text[] = "<a><b/><c><d/></c><e/></a>";
    assert_int_equal(walk_text(text, strlen(text), "c"), DT_E_STATE);
    assert_int_equal(seen, 3); /* nothing behind it is told */
    assert_int_equal(closed, 1);
    assert_int_equal(walk_text(text, strlen(text), NULL), 0);
    assert_int_equal(closed, 5);
    assert_int_equal(walk_text("<a>\0</a>", 8, NULL), DT_E_PARSE);
    assert_int_equal(walk_text("\xff\xfe<\0a\0/\0>\0", 10, NULL), DT_E_PARSE); /* UTF-16 */
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test_setup_teardown(only_at_or_below_the_host, setup, teardown),
        cmocka_unit_test_setup_teardown(each_cloud_has_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(its_token_is_for_it_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(no_demand_that_it_cannot_meet, setup, teardown),
        cmocka_unit_test_setup_teardown(nor_for_one_application, setup, teardown),
        cmocka_unit_test_setup_teardown(the_place_that_graph_names, setup, teardown),
        cmocka_unit_test_setup_teardown(no_other_place, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_and_what_they_are_evidence_of, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_that_cannot_be_used, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_off_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(statuses, setup, teardown),
        cmocka_unit_test(xml_is_bounded),
        cmocka_unit_test(a_handler_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
