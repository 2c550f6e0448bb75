/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Okta Devices API: readers and records alone, then the whole sign-on under a script. Every sign-on
 * runs twice: as it is, and with the machine saved and loaded before each step. */
#include "signon_world.h"

#include "core/okta/okta_device.h"
#include "core/signon/signon_internal.h" /* to make saved machines that could not have come about */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEVICE "8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e5f"
#define RULE(name, priority, trust, access)                                                        \
    "{\"name\":\"" name "\",\"priority\":" priority ",\"status\":\"ACTIVE\","                      \
    "\"conditions\":{\"device\":{\"trust\":\"" trust "\"}},\"actions\":{\"appSignOn\":"            \
    "{\"access\":\"" access "\"}}}"
static char const ONLY_TRUSTED[] = "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[" RULE(
    "trusted", "1", "TRUSTED",
    "ALLOW") ",{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":{},"
             "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";

#define ITEM(id, status, profile)                                                                  \
    "{\"created\":\"2023-01-01T00:00:00.000Z\",\"deviceUserId\":\"duo1\",\"device\":{\"id\":\"" id \
    "\",\"status\":\"" status "\",\"profile\":{\"displayName\":\"Ann's Mac\",\"platform\":"        \
    "\"MACOS\",\"registered\":true" profile "},\"resourceType\":\"UDDevice\"}}"
#define UDID ",\"udid\":\"8B1C5D3E-0F4A-4C77-9A53-6A1B2C3D4E5F\""
#define OTHER_UDID ",\"udid\":\"11111111-0F4A-4C77-9A53-6A1B2C3D4E5F\""
#define SERIAL ",\"serialNumber\":\"PF3 ABC-12\""
#define LINK(user, managed)                                                                        \
    "{\"created\":\"2023-01-01T00:00:00.000Z\",\"managementStatus\":\"" managed                    \
    "\",\"screenLockType\":\"BIOMETRIC\",\"user\":{\"id\":\"" user "\",\"status\":\"ACTIVE\"}}"

static char const *const RULE_OKTA[] = {"device_trust", "trusted_when", "certificate+okta-device",
                                        NULL};
static char const *const RULE_BOTH[] = {"device_trust", "trusted_when",
                                        "certificate+intune+okta-device", NULL};
static char const *const RULE_EITHER[] = {"device_trust", "trusted_when",
                                          "certificate+intune, certificate+okta-device", NULL};

static void open_world(world *w, char const *const *extra)
{
    world_open(w, ONLY_TRUSTED, extra);
}

static void begin(world *w)
{
    dt_request r = world_request();

    r.certificate = dt_bytes_of(w->leaf, w->leaf_len);
    r.handshake_finished = true;
    world_begin(w, &r);
}

static void expect_user(world *w)
{
    world_expect(w, DT_HTTP_GET, "/api/v1/users/ann%40example.com", 200, OKTA_USER);
}

static void expect_devices(world *w, char const *items)
{
    world_expect(w, DT_HTTP_GET, "/api/v1/users/00u1/devices", 200, items);
}

static void expect_users(world *w, char const *links)
{
    world_expect(w, DT_HTTP_GET, "/api/v1/devices/guo1/users", 200, links);
}

static void assert_verdict(world *w, dt_trust trust, dt_reason reason)
{
    dt_verdict const *v = &world_outcome(w)->verdict;

    if (v->trust != trust || v->reason != reason)
        fail_msg("got %s %s (%s), wanted %s %s", dt_trust_name(v->trust), dt_reason_name(v->reason),
                 world_outcome(w)->detail, dt_trust_name(trust), dt_reason_name(reason));
    assert_int_equal(world_outcome(w)->result, trust == DT_TRUST_TRUSTED ? DT_ALLOW : DT_DENY);
    world_all_used(w);
}

static void run(world *w, dt_trust trust, dt_reason reason)
{
    begin(w);
    assert_int_equal(world_run(w), DT_STEP_DONE);
    assert_verdict(w, trust, reason);
}

/* --- trusted ------------------------------------------------------------------------------------- */

static void test_managed_device_is_trusted_and_kept(void **state)
{
    dt_guid const *device;
    char const *login;
    world w;

    (void)state;
    open_world(&w, RULE_OKTA);
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo9", "ACTIVE", OTHER_UDID) "," ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u2", "NOT_MANAGED") "," LINK("00u1", "MANAGED") "]");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_int_equal(world_outcome(&w)->okta_calls, 3);
    assert_int_equal(world_outcome(&w)->verdict.platform, DT_PLATFORM_MACOS);
    assert_string_equal(world_outcome(&w)->verdict.device_name, "Ann's Mac");
    assert_int_equal(world_outcome(&w)->verdict.sources,
                     DT_SOURCE_CERTIFICATE | DT_SOURCE_OKTA_DEVICE);
    /* Warm: nobody is asked, and not even who the person is. */
    w.now += DT_MINUTES(11);
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_int_equal(world_outcome(&w)->okta_calls, 0);
    assert_false(dt_signon_device_refresh_hint(w.machine, &device, &login));
    w.now += DT_MINUTES(3);
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_true(dt_signon_device_refresh_hint(w.machine, &device, &login));
    assert_string_equal(device->text, DEVICE);
    assert_string_equal(login, "ann@example.com");
    world_close(&w);
}

/* The proof names the serial number too; written otherwise, it is the same. */
static void test_serial_number_of_the_certificate(void **state)
{
    world w;

    (void)state;
    open_world(&w, RULE_OKTA);
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", SERIAL) "]");
    expect_users(&w, "[" LINK("00u1", "MANAGED") "]");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    world_close(&w);
}

static void test_beside_intune(void **state)
{
    world w;

    (void)state;
    open_world(&w, RULE_BOTH);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u1", "MANAGED") "]");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    world_close(&w);
    /* What Intune says no to, Okta is not asked about. */
    open_world(&w, RULE_BOTH);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_NONCOMPLIANT);
    run(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_COMPLIANT);
    world_close(&w);
    /* One of the two is enough: the second is asked only when the first does not do. */
    open_world(&w, RULE_EITHER);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    world_close(&w);
    open_world(&w, RULE_EITHER);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 404, GRAPH_NOT_FOUND);
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u1", "MANAGED") "]");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    world_close(&w);
}

static void test_pages(void **state)
{
    static char const next[] = "https://example.okta.com/api/v1/users/00u1/devices?after=2";
    static char const more[] = "https://example.okta.com/api/v1/devices/guo1/users?after=2";
    world w;

    (void)state;
    open_world(&w, RULE_OKTA);
    expect_user(&w);
    expect_devices(&w, "[]");
    w.replies[w.reply_count - 1].next_link = next;
    world_expect(&w, DT_HTTP_GET, "/users/00u1/devices?after=2", 200,
                 "[" ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u2", "MANAGED") "]");
    w.replies[w.reply_count - 1].next_link = more;
    world_expect(&w, DT_HTTP_GET, "/devices/guo1/users?after=2", 200,
                 "[" LINK("00u1", "MANAGED") "]");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    world_close(&w);
}

/* --- refused ------------------------------------------------------------------------------------- */

static void test_what_the_list_says_no_to(void **state)
{
    static struct {
        char const *devices;
        dt_reason reason;
    } const rows[] = {
        {"[]", DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "ACTIVE", OTHER_UDID) "]", DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "ACTIVE", "") "]", DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "ACTIVE", ",\"udid\":null,\"serialNumber\":\"\"") "]",
         DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "ACTIVE", ",\"serialNumber\":\"PF3ABC1\"") "]", DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "SUSPENDED", UDID) "]", DT_REASON_DEVICE_DEACTIVATED},
        {"[" ITEM("guo1", "DEACTIVATED", UDID) "]", DT_REASON_DEVICE_DEACTIVATED},
        {"[" ITEM("guo1", "CREATED", UDID) "]", DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "UNSUSPENDED", UDID) "]", DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "active", UDID) "]", DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "ACTIVE", UDID ",\"integrityJailbreak\":true") "]",
         DT_REASON_NOT_COMPLIANT},
        {"[" ITEM("guo1", "ACTIVE", UDID ",\"integrityJailbreak\":\"false\"") "]",
         DT_REASON_NOT_COMPLIANT},
        /* two that could be it, by whatever names; the same one twice */
        {"[" ITEM("guo1", "ACTIVE", UDID) "," ITEM("guo2", "ACTIVE", UDID) "]",
         DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "ACTIVE", SERIAL) "," ITEM("guo2", "ACTIVE", SERIAL) "]",
         DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "ACTIVE", UDID) "," ITEM("guo2", "ACTIVE", SERIAL) "]",
         DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "ACTIVE", UDID) "," ITEM("guo1", "SUSPENDED", UDID) "]",
         DT_REASON_NOT_ENROLLED},
        {"[" ITEM("guo1", "SUSPENDED", UDID) "," ITEM("guo2", "ACTIVE", UDID) "]",
         DT_REASON_NOT_ENROLLED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;

        open_world(&w, RULE_OKTA);
        expect_user(&w);
        expect_devices(&w, rows[i].devices);
        run(&w, DT_TRUST_NOT_TRUSTED, rows[i].reason);
        /* The same from the cache, for a short while. */
        w.now += DT_SECONDS(30);
        run(&w, DT_TRUST_NOT_TRUSTED, rows[i].reason);
        assert_int_equal(world_outcome(&w)->okta_calls, 0);
        /* Then Okta is asked anew, so that what was mended is soon seen. */
        w.now += DT_SECONDS(31);
        expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
        expect_users(&w, "[" LINK("00u1", "MANAGED") "]");
        run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
        world_close(&w);
    }
}

static void test_what_the_link_says_no_to(void **state)
{
    static struct {
        char const *links;
        dt_reason reason;
    } const rows[] = {
        {"[]", DT_REASON_NOT_ENROLLED},
        {"[" LINK("00u2", "MANAGED") "]", DT_REASON_NOT_ENROLLED},
        {"[" LINK("00u1", "NOT_MANAGED") "]", DT_REASON_NOT_MANAGED},
        {"[" LINK("00u1", "managed") "]", DT_REASON_NOT_MANAGED},
        {"[" LINK("00u1", "") "]", DT_REASON_NOT_MANAGED},
        {"[{\"user\":{\"id\":\"00u1\"}}]", DT_REASON_NOT_MANAGED},
        {"[{\"user\":{\"id\":\"00u1\"},\"managementStatus\":null}]", DT_REASON_NOT_MANAGED},
        {"[" LINK("00u2", "MANAGED") "," LINK("00u1", "NOT_MANAGED") "]", DT_REASON_NOT_MANAGED},
        {"[" LINK("00u1", "MANAGED") "," LINK("00u1", "NOT_MANAGED") "]", DT_REASON_NOT_MANAGED},
        {"[" LINK("00u1", "NOT_MANAGED") "," LINK("00u1", "MANAGED") "]", DT_REASON_NOT_MANAGED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;

        open_world(&w, RULE_OKTA);
        expect_user(&w);
        expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
        expect_users(&w, rows[i].links);
        run(&w, DT_TRUST_NOT_TRUSTED, rows[i].reason);
        world_close(&w);
    }
}

static void test_a_person_who_is_nobody_there(void **state)
{
    static char const inactive[] =
        "{\"id\":\"00u1\",\"status\":\"SUSPENDED\",\"profile\":{\"login\":\"ann@example.com\"}}";
    static char const gone[] = "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}";
    world w;

    (void)state;
    open_world(&w, RULE_OKTA);
    world_expect(&w, DT_HTTP_GET, "/users/ann%40example.com", 404, gone);
    run(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
    world_expect(&w, DT_HTTP_GET, "/users/ann%40example.com", 200, inactive);
    run(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
    /* The device was deleted between the two questions. */
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    world_expect(&w, DT_HTTP_GET, "/devices/guo1/users", 404, gone);
    run(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
    world_close(&w);
}

/* An answer about Ann is no answer about Bob. */
static void test_the_answer_is_one_persons(void **state)
{
    static char const bob[] =
        "{\"id\":\"00u2\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"bob@example.com\"}}";
    dt_request r = world_request();
    world w;

    (void)state;
    open_world(&w, RULE_OKTA);
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u1", "MANAGED") "," LINK("00u2", "NOT_MANAGED") "]");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    r.user = "bob";
    r.certificate = dt_bytes_of(w.leaf, w.leaf_len);
    r.handshake_finished = true;
    world_expect(&w, DT_HTTP_GET, "/users/bob%40example.com", 200, bob);
    world_expect(&w, DT_HTTP_GET, "/users/00u2/devices", 200, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u1", "MANAGED") "," LINK("00u2", "NOT_MANAGED") "]");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_verdict(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_MANAGED);
    world_close(&w);
}

/* Nothing was proved, or there is nothing that Okta could add: it is not asked. */
static void test_without_a_proof_nobody_is_asked(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    open_world(&w, RULE_OKTA);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_verdict(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    r.certificate = dt_bytes_of(w.leaf, w.leaf_len);
    r.handshake_finished = false;
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_verdict(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_PROOF_OF_POSSESSION);
    world_close(&w);
    open_world(&w, NULL);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 404, GRAPH_NOT_FOUND);
    run(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
    world_close(&w);
}

/* --- no answer ----------------------------------------------------------------------------------- */

typedef struct failure {
    int status;
    char const *body;
} failure;

static failure const failures[] = {
    {WORLD_TIMEOUT, ""},
    {200, "<html>oops"},
    {200, "{}"},
    {200, "null"},
    {200, "[{}]"},
    {200, "[null]"},
    {200, "[{\"device\":{\"id\":\"guo1\",\"status\":\"ACTIVE\"}}]"},
    {200, "[{\"device\":{\"id\":\"../x\",\"status\":\"ACTIVE\",\"profile\":{}},\"user\":{\"id\":"
          "\"../x\"}}]"},
    {200, "[{\"device\":{\"id\":\"guo1\",\"profile\":{}}}]"},
    {204, "[]"},
    {302, "[]"},
    {401, "{\"errorCode\":\"E0000011\",\"errorSummary\":\"Invalid token provided\"}"},
    {401, "{\"errorCode\":\"E0000015\",\"errorSummary\":\"no feature\"}"},
    {403, "{\"errorCode\":\"E0000006\",\"errorSummary\":\"no permission\"}"},
    {403, "<html>"},
    {404, "<html>"},
    {400, "{\"errorCode\":\"E0000001\",\"errorSummary\":\"bad\"}"},
};

static void test_no_answer_is_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        world w;

        open_world(&w, RULE_OKTA);
        expect_user(&w);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/devices", failures[i].status, failures[i].body);
        run(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
        /* Nothing of it is kept. */
        expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
        world_expect(&w, DT_HTTP_GET, "/devices/guo1/users", failures[i].status, failures[i].body);
        w.now += DT_SECONDS(1);
        run(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
        assert_null(world_find(&w, DT_TABLE_LOOKUP, "okta-device:"));
        world_close(&w);
    }
}

static void test_what_passes_is_tried_again(void **state)
{
    static int const statuses[] = {0, 503, 429};

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        world w;

        open_world(&w, RULE_OKTA);
        expect_user(&w);
        for (int n = 0; n < 1 + DT_SIGNON_RETRIES_MAX; n++)
            world_expect(&w, DT_HTTP_GET, "/users/00u1/devices", statuses[i], OKTA_RATE_LIMITED);
        begin(&w);
        while (world_run(&w) == DT_STEP_WAIT)
            w.now = w.step.until;
        assert_verdict(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
        world_close(&w);
    }
}

/* While Okta is away an answer within stale_limit counts, as STALE; past it, none. Nobody waits. */
static void test_stale(void **state)
{
    world w;

    (void)state;
    open_world(&w, RULE_OKTA);
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u1", "MANAGED") "]");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    w.now += DT_HOURS(23);
    world_expect(&w, DT_HTTP_GET, "/users/ann%40example.com", 0, "");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_STALE);
    assert_true(world_outcome(&w)->stale);
    expect_user(&w);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/devices", 503, "{}");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_STALE);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    world_expect(&w, DT_HTTP_GET, "/devices/guo1/users", 429, OKTA_RATE_LIMITED);
    run(&w, DT_TRUST_TRUSTED, DT_REASON_STALE);
    /* Not by a failure of ours. */
    w.now += DT_MINUTES(11);
    world_expect_failure(&w, DT_HTTP_GET, "/users/ann%40example.com", DT_HTTP_QUEUED);
    run(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    expect_user(&w);
    world_expect_failure(&w, DT_HTTP_GET, "/users/00u1/devices", DT_HTTP_LOCAL);
    run(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    /* An answer, once there is one, beats what was kept. */
    expect_devices(&w, "[" ITEM("guo1", "SUSPENDED", UDID) "]");
    run(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_DEVICE_DEACTIVATED);
    /* Past the limit. */
    w.now += DT_HOURS(25);
    for (int n = 0; n < 1 + DT_SIGNON_RETRIES_MAX; n++)
        world_expect(&w, DT_HTTP_GET, "/users/ann%40example.com", 0, "");
    run(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

/* A negative answer that is kept stays negative while Okta is away. */
static void test_a_stale_no_is_a_no(void **state)
{
    world w;

    (void)state;
    open_world(&w, RULE_OKTA);
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo1", "SUSPENDED", UDID) "]");
    run(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_DEVICE_DEACTIVATED);
    w.now += DT_MINUTES(2);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/devices", 0, "");
    run(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_DEVICE_DEACTIVATED);
    world_close(&w);
}

static void test_a_broken_store_costs_calls_only(void **state)
{
    world w;

    (void)state;
    open_world(&w, RULE_OKTA);
    w.store_broken = true;
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u1", "MANAGED") "]");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    world_close(&w);
}

static void test_links_that_lead_elsewhere_or_nowhere(void **state)
{
    static char const *const links[] = {
        "https://evil.example.com/api/v1/users/00u1/devices?after=2",
        "http://example.okta.com/api/v1/users/00u1/devices?after=2",
        "https://example.okta.com.evil.example/api/v1/users/00u1/devices?after=2",
        "https://example.okta.com:8443/api/v1/users/00u1/devices?after=2",
        "https://ann@example.okta.com/api/v1/users/00u1/devices",
        "not a link",
    };
    world w;

    (void)state;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        open_world(&w, RULE_OKTA);
        expect_user(&w);
        expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
        w.replies[w.reply_count - 1].next_link = links[i];
        run(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
        world_close(&w);
    }
    /* A list without an end. */
    open_world(&w, RULE_OKTA);
    expect_user(&w);
    for (int i = 0; i < DT_OKTA_DEVICE_PAGES_MAX; i++) {
        expect_devices(&w, "[" ITEM("guo9", "ACTIVE", OTHER_UDID) "]");
        w.replies[w.reply_count - 1].next_link =
            "https://example.okta.com/api/v1/users/00u1/devices?after=2";
    }
    run(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

/* --- refresh ------------------------------------------------------------------------------------- */

static void test_refresh_ahead(void **state)
{
    dt_signon *done = world_machine_new();
    world w;

    (void)state;
    assert_non_null(done);
    open_world(&w, RULE_OKTA);
    expect_user(&w);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u1", "MANAGED") "]");
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    w.now += DT_MINUTES(14);
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    dt_signon_copy(done, w.machine);
    expect_devices(&w, "[" ITEM("guo1", "ACTIVE", UDID) "]");
    expect_users(&w, "[" LINK("00u1", "MANAGED") "]");
    dt_signon_begin_device_refresh(w.machine, &w.ruleset, done, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    world_all_used(&w);
    /* The answer is a new one. */
    w.now += DT_MINUTES(10);
    run(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_int_equal(world_outcome(&w)->okta_calls, 0);
    /* One that fails leaves the old one, and lets nobody in. */
    world_expect(&w, DT_HTTP_GET, "/users/00u1/devices", 401, OKTA_INVALID_TOKEN);
    dt_signon_begin_device_refresh(w.machine, &w.ruleset, done, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(dt_signon_outcome(w.machine)->result, DT_DENY);
    world_close(&w);
    free(done);
}

/* --- saved forms --------------------------------------------------------------------------------- */

/* What no machine comes to is not loaded: a step without what it is made of, a user look-up for a
 * device after there was a decision. */
static void test_saved_forms_that_could_not_be(void **state)
{
    world w;

    (void)state;
    for (int i = 0; i < 6; i++) {
        dt_buf b;
        dt_signon *s;

        world_open(&w, ONLY_TRUSTED, RULE_OKTA);
        begin(&w);
        s = w.machine;
        assert_int_equal(s->phase, DT_PHASE_LOOKUP_GET);
        assert_int_equal(s->lookup.question, DT_QUESTION_OKTA_DEVICE);
        memcpy(s->okta_device.user_id, "00u1", 5);
        memcpy(s->okta_device.id, "guo1", 5);
        s->phase = DT_PHASE_LOOKUP_HTTP;
        s->lookup.part = 1;
        if (i == 1)
            s->okta_device.user_id[0] = '\0';
        if (i == 2)
            s->okta_device.id[0] = '\0';
        if (i == 3)
            s->okta_device.device_id.text[0] = '\0';
        if (i == 4)
            s->phase = DT_PHASE_LOOKUP_PUT;
        if (i == 5) {
            s->lookup.question = DT_QUESTION_FACTORS;
            s->lookup.outer = DT_QUESTION_OKTA_DEVICE;
            s->lookup.part = 0;
        }
        dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
        assert_int_equal(dt_signon_save(s, &b), 0);
        assert_int_equal(dt_signon_load(s, &w.ruleset, dt_buf_bytes(&b)), i == 0 ? 0 : DT_E_PARSE);
        dt_buf_free(&b);
        world_close(&w);
    }
}

/* --- records and serial numbers ------------------------------------------------------------------ */

static void test_serial_numbers(void **state)
{
    static struct {
        char const *text, *normal;
    } const rows[] = {
        {"PF3ABC12", "PF3ABC12"},
        {"pf3-abc 12", "PF3ABC12"},
        {"VMware-56 4d 4f 6e", "VMWARE564D4F6E"},
        {"To be filled by O.E.M.", NULL},
        {"Default string", NULL},
        {"None", NULL},
        {"0000000000", NULL},
        {"----", NULL},
        {"", NULL},
        {"abc", NULL},
        {"PF3:ABC12", NULL},
        {"PF3\nABC12", NULL},
        {"PF3\xc3\xa4"
         "BC12",
         NULL},
        {"0123456789012345678901234567890123456789012345678901234567890123", NULL},
    };
    char out[DT_HARDWARE_SERIAL_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(dt_hardware_serial(dt_bytes_str(rows[i].text), out),
                         rows[i].normal != NULL);
        assert_string_equal(out, rows[i].normal != NULL ? rows[i].normal : "");
    }
}

static dt_okta_device sample(void)
{
    dt_okta_device d = {.serial = "PF3ABC12",
                        .user_id = "00u1",
                        .state = DT_OKTA_DEVICE_MANAGED,
                        .id = "guo1",
                        .platform = DT_PLATFORM_MACOS,
                        .fetched = 1000,
                        .name = "Ann's Mac"};

    assert_int_equal(dt_guid_parse(dt_bytes_str(DEVICE), &d.device_id), 0);
    return d;
}

static void test_records(void **state)
{
    dt_okta_device d = sample(), back;
    char text[DT_OKTA_DEVICE_RECORD_MAX + 2];
    dt_buf b;

    (void)state;
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_okta_device_pack(&d, &b), 0);
    assert_string_equal(text, "dt-okta-device 1 6 2 1000 " DEVICE " 00u1 guo1 PF3ABC12\n"
                              "Ann's Mac\n");
    assert_int_equal(dt_okta_device_unpack(dt_buf_bytes(&b), &back), 0);
    assert_memory_equal(&back, &d, sizeof(d));
    for (size_t len = 0; len < b.len; len++) /* every cut */
        assert_int_equal(dt_okta_device_unpack(dt_bytes_of(text, len), &back), DT_E_PARSE);
    static char const *const bad[] = {
        "dt-okta-device 2 6 2 1000 " DEVICE " 00u1 guo1 PF3ABC12\nn\n",
        "dt-okta-device 1 7 2 1000 " DEVICE " 00u1 guo1 PF3ABC12\nn\n",
        "dt-okta-device 1 06 2 1000 " DEVICE " 00u1 guo1 PF3ABC12\nn\n",
        "dt-okta-device 1 6 3 1000 " DEVICE " 00u1 guo1 PF3ABC12\nn\n",
        "dt-okta-device 1 6 2 0 " DEVICE " 00u1 guo1 PF3ABC12\nn\n",
        "dt-okta-device 1 6 2 1000 - 00u1 guo1 PF3ABC12\nn\n",
        "dt-okta-device 1 6 2 1000 " DEVICE " - guo1 PF3ABC12\nn\n",
        "dt-okta-device 1 6 2 1000 " DEVICE " 00u1 - PF3ABC12\nn\n",
        "dt-okta-device 1 6 2 1000 " DEVICE " 00u1 g/o1 PF3ABC12\nn\n",
        "dt-okta-device 1 6 2 1000 " DEVICE " 00u1 guo1 pf3abc12\nn\n",
        "dt-okta-device 1 6 2 1000 " DEVICE " 00u1 guo1 PF3ABC12\nn\nmore",
        "dt-okta-device 1 6 2 1000 " DEVICE " 00u1 guo1 PF3ABC12\nn\x7f\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(dt_okta_device_unpack(dt_bytes_str(bad[i]), &back), DT_E_PARSE);
    d.state = DT_OKTA_DEVICE_ABSENT;
    d.id[0] = d.serial[0] = '\0';
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_okta_device_pack(&d, &b), 0);
    assert_int_equal(dt_okta_device_unpack(dt_buf_bytes(&b), &back), 0);
    d.fetched = 0;
    assert_int_equal(dt_okta_device_pack(&d, &b), DT_E_INVALID);
}

static void test_freshness(void **state)
{
    dt_okta_device d = sample();
    dt_config *c = NULL;
    dt_error e = {0};

    (void)state;
    assert_int_equal(dt_config_new(&c, &e), 0);
    d.fetched = DT_DAYS(10);
    assert_int_equal(dt_okta_device_freshness(&d, c, d.fetched + DT_MINUTES(14)), DT_FRESH);
    assert_int_equal(dt_okta_device_freshness(&d, c, d.fetched + DT_MINUTES(16)), DT_STALE);
    assert_int_equal(dt_okta_device_freshness(&d, c, d.fetched + DT_HOURS(25)), DT_TOO_OLD);
    assert_int_equal(dt_okta_device_freshness(&d, c, d.fetched - DT_MINUTES(1)), DT_STALE);
    assert_int_equal(dt_okta_device_freshness(&d, c, d.fetched - DT_HOURS(25)), DT_TOO_OLD);
    d.state = DT_OKTA_DEVICE_NOT_MANAGED;
    assert_int_equal(dt_okta_device_freshness(&d, c, d.fetched + DT_SECONDS(59)), DT_FRESH);
    assert_int_equal(dt_okta_device_freshness(&d, c, d.fetched + DT_SECONDS(61)), DT_STALE);
    dt_config_free(&c);
}

static void test_requests(void **state)
{
    dt_http_request q;
    dt_config *c = NULL;
    dt_error e = {0};
    static char const *const bad[] = {"", "a/b", "a?b", "..", "a%2fb", "a b"};

    (void)state;
    assert_int_equal(dt_config_new(&c, &e), 0);
    assert_int_equal(dt_config_set(c, "t", 1, "okta", "org_url", "https://example.okta.com", &e),
                     0);
    assert_int_equal(dt_okta_get_user_devices(c, "00u1", &q), 0);
    assert_string_equal(q.url, "https://example.okta.com/api/v1/users/00u1/devices");
    assert_true(dt_okta_is_device_request(&q));
    assert_int_equal(dt_okta_get_device_users(c, "guo1", &q), 0);
    assert_string_equal(q.url, "https://example.okta.com/api/v1/devices/guo1/users");
    assert_true(dt_okta_is_device_request(&q));
    q.method = DT_HTTP_POST;
    assert_false(dt_okta_is_device_request(&q));
    assert_int_equal(dt_okta_get_factors(c, "00u1", &q), 0);
    assert_false(dt_okta_is_device_request(&q));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(dt_okta_get_user_devices(c, bad[i], &q), DT_E_INVALID);
        assert_int_equal(dt_okta_get_device_users(c, bad[i], &q), DT_E_INVALID);
    }
    dt_config_free(&c);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        WORLD_TWICE(test_managed_device_is_trusted_and_kept),
        WORLD_TWICE(test_serial_number_of_the_certificate),
        WORLD_TWICE(test_beside_intune),
        WORLD_TWICE(test_pages),
        WORLD_TWICE(test_what_the_list_says_no_to),
        WORLD_TWICE(test_what_the_link_says_no_to),
        WORLD_TWICE(test_a_person_who_is_nobody_there),
        WORLD_TWICE(test_the_answer_is_one_persons),
        WORLD_TWICE(test_without_a_proof_nobody_is_asked),
        WORLD_TWICE(test_no_answer_is_unknown),
        WORLD_TWICE(test_what_passes_is_tried_again),
        WORLD_TWICE(test_stale),
        WORLD_TWICE(test_a_stale_no_is_a_no),
        WORLD_TWICE(test_a_broken_store_costs_calls_only),
        WORLD_TWICE(test_links_that_lead_elsewhere_or_nowhere),
        WORLD_TWICE(test_refresh_ahead),
        cmocka_unit_test(test_saved_forms_that_could_not_be),
        cmocka_unit_test(test_serial_numbers),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_freshness),
        cmocka_unit_test(test_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
