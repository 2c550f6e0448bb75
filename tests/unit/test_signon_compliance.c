/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons whose device Intune's Compliance Retrieval service is asked about: which of them get in, where
 * the service is looked for, and what its failures come to. Each case both straight on and saved and
 * loaded at each step. */
#include "core/intune/compliance_service.h"
#include "tests/unit/signon_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static char const ONLY_TRUSTED[] =
    "{\"name\":\"t\",\"application\":\"vpn\",\"rules\":["
    "{\"name\":\"trusted\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":"
    "{\"device\":{\"trust\":\"TRUSTED\"}},\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
    "{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":null,"
    "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";

static char const *const SETTINGS[] = {"intune", "service", "compliance-retrieval", NULL};

#define OLD_PLACE "https://old.manage.microsoft.com/crs"
#define NEW_PLACE "https://new.manage.microsoft.com/crs"
#define KEPT "compliance-service:"
#define OTHER_DEVICE "8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e50"
#define TOO_MANY_PAGES 100

/* What Graph and the service do. */
static struct {
    char const *place; /* what Graph names */
    int graph_status;
    int pages;        /* of endpoints before the one that names it */
    int status;       /* of the service; 0: not reached; WORLD_TIMEOUT */
    int old_status;   /* the same of OLD_PLACE when Graph names another; */
    char const *body; /* NULL: of the device, in these words */
    char const *device, *registered, *compliant;
    int found, asked; /* requests */
} intune;

static world_reply const *endpoints(void)
{
    static char body[2048];
    static world_reply r = {.method = DT_HTTP_GET, .url_part = "/endpoints", .body = body};

    intune.found++;
    r.status = intune.graph_status;
    if (intune.pages > 0) {
        intune.pages--;
        (void)snprintf(body, sizeof(body),
                       "{\"value\":[],\"@odata.nextLink\":\"https://graph.microsoft.com/v1.0/"
                       "servicePrincipals/appId=0000000a-0000-0000-c000-000000000000/endpoints"
                       "?$skiptoken=%d\"}",
                       intune.pages);
    } else {
        (void)snprintf(body, sizeof(body),
                       "{\"value\":[{\"providerName\":\"ComplianceRetrievalService\",\"uri\":"
                       "\"%s\"}]}",
                       intune.place);
    }
    return &r;
}

static world_reply const *answer(world *w, dt_http_request const *q)
{
    static char body[2048];
    static world_reply r = {.method = DT_HTTP_GET, .url_part = "/cisco/devices/", .body = body};

    (void)w;
    if (q->service == DT_HTTP_GRAPH)
        return endpoints();
    assert_int_equal(q->service, DT_HTTP_COMPLIANCE);
    assert_non_null(strstr(q->url, WORLD_DEVICE));
    intune.asked++;
    r.status = intune.status;
    if (strcmp(intune.place, OLD_PLACE) != 0 && strstr(q->url, OLD_PLACE))
        r.status = intune.old_status;
    (void)snprintf(body, sizeof(body),
                   "<ise_api><name>attributes</name><api_version>3</api_version><deviceList>"
                   "<device><guid>%s</guid><Attributes><register_status>%s</register_status>"
                   "<Compliance><status>%s</status></Compliance></Attributes></device>"
                   "</deviceList></ise_api>",
                   intune.device, intune.registered, intune.compliant);
    r.body = intune.body != NULL ? intune.body : body;
    return &r;
}

static void open_world(world *w)
{
    world_open(w, ONLY_TRUSTED, SETTINGS);
    w->org = answer;
    memset(&intune, 0, sizeof(intune));
    intune.place = OLD_PLACE;
    intune.graph_status = intune.status = intune.old_status = 200;
    intune.device = WORLD_DEVICE;
    intune.registered = intune.compliant = "true";
}

static dt_outcome const *sign_on(world *w)
{
    dt_request r = world_request();

    intune.found = intune.asked = 0;
    r.certificate = dt_bytes_of(w->leaf, w->leaf_len);
    r.handshake_finished = true;
    world_begin(w, &r);
    while (world_run(w) == DT_STEP_WAIT)
        (void)world_wait(w);
    assert_int_equal(w->step.kind, DT_STEP_DONE);
    return world_outcome(w);
}

static void expect_unknown(world *w)
{
    dt_outcome const *o = sign_on(w);

    assert_int_equal(o->result, DT_DENY);
    assert_int_equal(o->verdict.trust, DT_TRUST_UNKNOWN);
    assert_int_equal(o->verdict.reason, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_null(world_find(w, DT_TABLE_LOOKUP, "intune:"));
}

/* A device that was asked about, whose answer has just become stale. */
static void make_stale(world *w)
{
    assert_int_equal(sign_on(w)->result, DT_ALLOW);
    w->now += DT_MINUTES(16);
}

/* --- trust -------------------------------------------------------------------------------------- */

static void a_compliant_device_gets_in(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    dt_outcome const *o = sign_on(&w);
    assert_int_equal(o->result, DT_ALLOW);
    assert_int_equal(o->verdict.trust, DT_TRUST_TRUSTED);
    assert_int_equal(o->graph_calls, 2);
    assert_int_equal(intune.found, 1);
    assert_int_equal(intune.asked, 1);
    /* Fresh: nobody is asked. */
    w.now += DT_MINUTES(14);
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    assert_int_equal(intune.found + intune.asked, 0);
    assert_non_null(dt_signon_refresh_hint(w.machine));
    /* Asked again, and where the service is, is known. */
    w.now += DT_MINUTES(2);
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    assert_int_equal(intune.found, 0);
    assert_int_equal(intune.asked, 1);
    world_close(&w);
}

static void others_do_not(void **state)
{
    static struct {
        char const *device, *registered, *compliant;
        dt_trust trust;
        dt_reason reason;
    } const rows[] = {
        {WORLD_DEVICE, "true", "false", DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_COMPLIANT},
        {WORLD_DEVICE, "false", "true", DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED},
        {WORLD_DEVICE, "true", "unknown", DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE},
        {WORLD_DEVICE, "unknown", "true", DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE},
        {OTHER_DEVICE, "true", "true", DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;
        open_world(&w);
        intune.device = rows[i].device;
        intune.registered = rows[i].registered;
        intune.compliant = rows[i].compliant;
        dt_outcome const *o = sign_on(&w);
        assert_int_equal(o->result, DT_DENY);
        assert_int_equal(o->verdict.trust, rows[i].trust);
        assert_int_equal(o->verdict.reason, rows[i].reason);
        /* Kept for a short while where it is an answer, and mended soon after. */
        intune.device = WORLD_DEVICE;
        intune.registered = intune.compliant = "true";
        (void)sign_on(&w);
        assert_int_equal(intune.asked, rows[i].trust == DT_TRUST_UNKNOWN ? 1 : 0);
        w.now += DT_MINUTES(1);
        assert_int_equal(sign_on(&w)->result, DT_ALLOW);
        world_close(&w);
    }
}

static void a_list_without_the_device_is_an_answer(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    intune.body = "<ise_api><name>attributes</name><api_version>3</api_version><deviceList/>"
                  "</ise_api>";
    assert_int_equal(sign_on(&w)->verdict.reason, DT_REASON_NOT_ENROLLED);
    world_close(&w);
}

/* --- failures ----------------------------------------------------------------------------------- */

static void no_failure_is_trust_nor_its_contrary(void **state)
{
    static struct {
        int status;
        char const *body;
    } const rows[] = {
        {0, NULL},          {WORLD_TIMEOUT, NULL},
        {204, NULL},        {302, NULL},
        {400, NULL},        {401, NULL},
        {403, NULL},        {404, NULL},
        {429, NULL},        {500, NULL},
        {503, NULL},        {200, ""},
        {200, "<ise_api>"}, {200, "{\"compliant\":true}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;
        open_world(&w);
        intune.status = rows[i].status;
        intune.body = rows[i].body;
        expect_unknown(&w);
        assert_in_range(intune.asked, 1, 3);
        world_close(&w);
        /* With an answer of a while ago: that one, and it is said to be stale. */
        open_world(&w);
        make_stale(&w);
        intune.status = rows[i].status;
        intune.body = rows[i].body;
        dt_outcome const *o = sign_on(&w);
        assert_int_equal(o->result, DT_ALLOW);
        assert_true(o->stale);
        assert_int_equal(intune.asked, 1);
        w.now += DT_HOURS(24);
        expect_unknown(&w);
        world_close(&w);
    }
}

static void a_service_that_is_not_found(void **state)
{
    static struct {
        int status, pages;
        char const *place;
    } const rows[] = {
        {0, 0, OLD_PLACE},
        {WORLD_TIMEOUT, 0, OLD_PLACE},
        {401, 0, OLD_PLACE},
        {404, 0, OLD_PLACE},
        {429, 0, OLD_PLACE},
        {503, 0, OLD_PLACE},
        {200, TOO_MANY_PAGES, OLD_PLACE},
        {200, 0, ""},
        {200, 0, "http://old.manage.microsoft.com/crs"},
        {200, 0, "https://old.manage.microsoft.com.evil.example/crs"},
        {200, 0, "https://evil.example/old.manage.microsoft.com/crs"},
        {200, 0, "https://old.manage.microsoft.com@evil.example/crs"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;
        open_world(&w);
        intune.graph_status = rows[i].status;
        intune.pages = rows[i].pages;
        intune.place = rows[i].place;
        expect_unknown(&w);
        assert_int_equal(intune.asked, 0); /* its token goes nowhere */
        assert_in_range(intune.found, 1, DT_COMPLIANCE_PAGES_MAX);
        assert_null(world_find(&w, DT_TABLE_LOOKUP, KEPT));
        world_close(&w);
    }
}

static void it_may_stand_on_a_later_page(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    intune.pages = DT_COMPLIANCE_PAGES_MAX - 1;
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    assert_int_equal(intune.found, DT_COMPLIANCE_PAGES_MAX);
    world_close(&w);
}

/* --- the address -------------------------------------------------------------------------------- */

static void it_is_looked_up_every_day(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    w.now += DT_COMPLIANCE_ADDRESS_TTL - 1;
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    assert_int_equal(intune.found, 0);
    w.now += DT_HOURS(1);
    intune.place = NEW_PLACE;
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    assert_int_equal(intune.found, 1);
    assert_non_null(strstr(world_find(&w, DT_TABLE_LOOKUP, KEPT)->value, NEW_PLACE));
    /* Graph is away: where it was a day ago is better than nowhere. */
    w.now += DT_COMPLIANCE_ADDRESS_TTL;
    intune.graph_status = 503;
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    assert_int_equal(intune.found, 1);
    assert_int_equal(intune.asked, 1);
    /* ... but not for ever. */
    w.now += DT_COMPLIANCE_ADDRESS_KEPT;
    expect_unknown(&w);
    assert_int_equal(intune.asked, 0);
    world_close(&w);
}

/* Graph does not tell another, and the old one is of no use: each is asked once, and that is all. */
static void neither_is_asked_twice(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    world_find(&w, DT_TABLE_LOOKUP, "intune:")->table = DT_TABLE_NONE;
    w.now += DT_COMPLIANCE_ADDRESS_TTL;
    intune.graph_status = 403;
    intune.status = 404;
    expect_unknown(&w);
    assert_int_equal(intune.found, 1);
    assert_int_equal(intune.asked, 1);
    world_close(&w);
}

/* The clock was set back: how old it is cannot be said. */
static void an_address_of_the_future(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    w.now -= DT_HOURS(1);
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    assert_int_equal(intune.found, 1);
    world_close(&w);
}

static void a_tenant_that_moved_is_found_again(void **state)
{
    static int const failures[] = {0, 301, 404, 403, 500};

    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        world w;
        open_world(&w);
        assert_int_equal(sign_on(&w)->result, DT_ALLOW);
        w.now += DT_HOURS(1);
        world_find(&w, DT_TABLE_LOOKUP, "intune:")->table = DT_TABLE_NONE;
        intune.place = NEW_PLACE;
        intune.old_status = failures[i];
        assert_int_equal(sign_on(&w)->result, DT_ALLOW);
        assert_int_equal(intune.found, 1);
        assert_int_equal(intune.asked, 2);
        assert_non_null(strstr(world_find(&w, DT_TABLE_LOOKUP, KEPT)->value, NEW_PLACE));
        world_close(&w);
    }
}

/* No time is left in this sign-on: the next one looks it up, and so does one that has a stale answer. */
static void whoever_comes_next_finds_it(void **state)
{
    (void)state;
    for (int stale = 0; stale < 2; stale++) {
        world w;
        open_world(&w);
        make_stale(&w);
        if (stale == 0)
            world_find(&w, DT_TABLE_LOOKUP, "intune:")->table = DT_TABLE_NONE;
        intune.place = NEW_PLACE;
        intune.old_status = stale == 0 ? WORLD_TIMEOUT : 404;
        assert_int_equal(sign_on(&w)->result, stale == 0 ? DT_DENY : DT_ALLOW);
        assert_int_equal(intune.found, 0);
        dt_outcome const *o = sign_on(&w);
        assert_int_equal(o->result, DT_ALLOW);
        assert_false(o->stale);
        assert_int_equal(intune.found, 1);
        assert_int_equal(intune.asked, 1);
        world_close(&w);
    }
}

/* A service that is away is not looked up again at every sign-on, nor for a limit that is used up. */
static void graph_is_not_asked_again_and_again(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    intune.status = 503;
    expect_unknown(&w);
    assert_int_equal(intune.found, 1);
    w.now += DT_SECONDS(10);
    expect_unknown(&w);
    assert_int_equal(intune.found, 0);
    w.now += DT_MINUTES(2);
    expect_unknown(&w);
    assert_int_equal(intune.found, 1);
    w.now += DT_MINUTES(2);
    intune.status = 429;
    expect_unknown(&w);
    assert_int_equal(intune.found, 0);
    world_close(&w);
}

/* What stands in the store is not believed: where the token goes is looked at again. */
static void a_forged_address_is_not_used(void **state)
{
    static char const *const forged[] = {
        "dt-compliance-service 1 1700000000000 https://evil.example/crs\n",
        "dt-compliance-service 1 1700000000000 http://old.manage.microsoft.com/crs\n", "junk"};

    (void)state;
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
        world w;
        open_world(&w);
        assert_int_equal(sign_on(&w)->result, DT_ALLOW);
        world_row *row = world_find(&w, DT_TABLE_LOOKUP, KEPT);
        row->len = (size_t)snprintf(row->value, sizeof(row->value), "%s", forged[i]);
        w.now += DT_MINUTES(16);
        assert_int_equal(sign_on(&w)->result, DT_ALLOW);
        assert_int_equal(intune.found, 1);
        assert_non_null(strstr(row->value, OLD_PLACE));
        world_close(&w);
    }
}

/* --- ahead of time ------------------------------------------------------------------------------ */

static void a_refresh_fills_the_cache(void **state)
{
    dt_guid id;
    world w;

    (void)state;
    open_world(&w);
    assert_int_equal(dt_guid_parse(dt_bytes_str(WORLD_DEVICE), &id), 0);
    dt_signon_begin_refresh(w.machine, &w.ruleset, &id, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(intune.found, 1);
    assert_int_equal(intune.asked, 1);
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    assert_int_equal(intune.found + intune.asked, 0);
    /* One that fails leaves everything as it was. */
    intune.status = 500;
    dt_signon_begin_refresh(w.machine, &w.ruleset, &id, w.now);
    while (world_run(&w) == DT_STEP_WAIT)
        (void)world_wait(&w);
    assert_int_equal(w.step.kind, DT_STEP_DONE);
    assert_int_not_equal(world_outcome(&w)->result, DT_ALLOW);
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    world_close(&w);
}

/* With Graph configured, nothing of this is done. */
static void graph_is_asked_where_it_is_configured(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    world_close(&w);
    world_open(&w, ONLY_TRUSTED, NULL);
    world_expect(&w, DT_HTTP_GET, "/v1.0/deviceManagement/managedDevices/", 200, GRAPH_COMPLIANT);
    assert_int_equal(sign_on(&w)->result, DT_ALLOW);
    world_all_used(&w);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        WORLD_TWICE(a_compliant_device_gets_in),
        WORLD_TWICE(others_do_not),
        WORLD_TWICE(a_list_without_the_device_is_an_answer),
        WORLD_TWICE(no_failure_is_trust_nor_its_contrary),
        WORLD_TWICE(a_service_that_is_not_found),
        WORLD_TWICE(it_may_stand_on_a_later_page),
        WORLD_TWICE(it_is_looked_up_every_day),
        WORLD_TWICE(neither_is_asked_twice),
        WORLD_TWICE(an_address_of_the_future),
        WORLD_TWICE(a_tenant_that_moved_is_found_again),
        WORLD_TWICE(whoever_comes_next_finds_it),
        WORLD_TWICE(graph_is_not_asked_again_and_again),
        WORLD_TWICE(a_forged_address_is_not_used),
        WORLD_TWICE(a_refresh_fills_the_cache),
        WORLD_TWICE(graph_is_asked_where_it_is_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
