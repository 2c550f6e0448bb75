/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons with a certificate that names its device by the Entra device id alone. What such a
 * certificate is worth is tested with the certificates; here it is good, and says what a test wants.
 * Each both straight on and saved and loaded at each step. */
#include "core/device/x509.h"
#include "tests/unit/signon_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define DEVICE "8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e5f"
#define ENTRA "11111111-2222-3333-4444-555555555555"
#define OTHER_DEVICE "0bbbbbbb-1111-4222-8333-444444444444"
#define OTHER_ENTRA "0ccccccc-1111-4222-8333-444444444444"
#define FILTER                                                                                     \
    "managedDevices?$filter=azureADDeviceId%20eq%20'" ENTRA "'&$select=id,azureADDeviceId,"
#define LIST "https://graph.microsoft.com/v1.0/deviceManagement/managedDevices"

#define STATE(id, entra, state)                                                                    \
    "{\"id\":\"" id "\",\"azureADDeviceId\":\"" entra "\",\"complianceState\":\"" state "\","      \
    "\"managementState\":\"managed\",\"operatingSystem\":\"Windows\",\"deviceName\":\"LT\","       \
    "\"lastSyncDateTime\":\"2023-11-14T20:00:00Z\",\"userPrincipalName\":\"ann@example.com\"}"
#define ONE(id, entra) STATE(id, entra, "compliant")
#define PAGE(devices) "{\"value\":[" devices "]}"
#define MORE(devices, link) "{\"value\":[" devices "],\"@odata.nextLink\":\"" link "\"}"
#define NEXT LIST "?$skiptoken=2"

static char const ONLY_TRUSTED[] =
    "{\"name\":\"t\",\"application\":\"vpn\",\"rules\":["
    "{\"name\":\"trusted\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":"
    "{\"device\":{\"trust\":\"TRUSTED\"}},\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
    "{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":null,"
    "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";

/* What each certificate that is judged in a sign-on names; the last one goes on. */
typedef struct named {
    char const *device, *entra, *serial;
} named;
static named const *certificates;
static size_t certificate_count, certificate_at;

dt_reason __wrap_dt_x509_judge_online(dt_trust_store const *anchors, dt_bytes der,
                                      dt_bytes const *chain, size_t chain_count,
                                      dt_guid const *tenant, dt_time now, dt_certificate *out,
                                      dt_ocsp_question *question, dt_error *e);

dt_reason __wrap_dt_x509_judge_online(dt_trust_store const *anchors, dt_bytes der,
                                      dt_bytes const *chain, size_t chain_count,
                                      dt_guid const *tenant, dt_time now, dt_certificate *out,
                                      dt_ocsp_question *question, dt_error *e)
{
    named const *n = &certificates[certificate_at];

    (void)anchors, (void)der, (void)chain, (void)chain_count, (void)tenant, (void)now, (void)e;
    if (certificate_at + 1 < certificate_count)
        certificate_at++;
    memset(out, 0, sizeof(*out));
    if (question != NULL)
        memset(question, 0, sizeof(*question));
    if (n->device != NULL)
        assert_int_equal(dt_guid_parse(dt_bytes_str(n->device), &out->device_id), 0);
    if (n->entra != NULL)
        assert_int_equal(dt_guid_parse(dt_bytes_str(n->entra), &out->entra_id), 0);
    if (n->serial != NULL)
        strcpy(out->hardware_serial, n->serial);
    memset(out->key_id, 'a', sizeof(out->key_id) - 1);
    return DT_REASON_TRUSTED;
}

static void open_world(world *w, char const *trusted_when)
{
    static named const entra_only[] = {{NULL, ENTRA, NULL}};
    char const *const extra[] = {"device_trust",
                                 "trusted_when",
                                 trusted_when,
                                 "device_trust",
                                 "host_certificate_file",
                                 "/etc/devtrust/h.pem",
                                 "device_trust",
                                 "host_key_file",
                                 "/etc/devtrust/h.key",
                                 NULL};

    certificates = entra_only;
    certificate_count = 1;
    world_open(w, ONLY_TRUSTED, extra);
    w->host_signs = true;
}

static void run(world *w, dt_request const *r)
{
    certificate_at = 0;
    world_begin(w, r);
    assert_int_equal(world_run(w), DT_STEP_DONE);
    world_all_used(w);
}

static void assert_trust(world *w, dt_trust trust, dt_reason reason)
{
    dt_verdict const *v = &world_outcome(w)->verdict;

    assert_int_equal(v->trust, trust);
    assert_int_equal(v->reason, reason);
    assert_int_equal(world_outcome(w)->result, trust == DT_TRUST_TRUSTED ? DT_ALLOW : DT_DENY);
}

static void assert_device(world *w)
{
    assert_trust(w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_string_equal(world_outcome(w)->verdict.device_id.text, DEVICE);
    assert_int_equal(strlen(world_outcome(w)->verdict.key_id), 64);
}

static void assert_detail(world *w, char const *part)
{
    if (strstr(world_outcome(w)->detail, part) == NULL)
        fail_msg("%s", world_outcome(w)->detail);
}

static void test_found_and_kept(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune");
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(ONE(DEVICE, ENTRA)));
    run(&w, &r);
    assert_device(&w);
    assert_int_equal(world_outcome(&w)->graph_calls, 1);
    assert_non_null(world_find(&w, DT_TABLE_LOOKUP, "intune-entra:" ENTRA));
    assert_non_null(world_find(&w, DT_TABLE_LOOKUP, "intune:" DEVICE));
    run(&w, &r); /* and nobody is asked */
    assert_device(&w);
    assert_int_equal(world_outcome(&w)->graph_calls, 0);
    /* What is known of the device is asked anew in its time, by the same way. */
    w.now += DT_HOURS(1);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(STATE(DEVICE, ENTRA, "noncompliant")));
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_COMPLIANT);
    world_close(&w);
}

/* The key was not used, so nobody is asked whose it is. */
static void test_without_a_proof(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune");
    r = with_certificate(&w);
    r.handshake_finished = false;
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_PROOF_OF_POSSESSION);
    world_close(&w);
}

static void test_none_has_it(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune");
    r = with_certificate(&w);
    for (int i = 0; i < 2; i++) {
        world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(""));
        run(&w, &r);
        assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
        assert_detail(&w, "no device has Entra's id " ENTRA);
        run(&w, &r); /* for a short while nobody is asked */
        assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
        w.now += DT_MINUTES(1) + 1;
    }
    world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(ONE(DEVICE, ENTRA)));
    run(&w, &r);
    assert_device(&w);
    world_close(&w);
}

/* Never the first one. */
static void test_several_have_it(void **state)
{
    static char const *const replies[][2] = {
        {PAGE(ONE(DEVICE, ENTRA) "," ONE(OTHER_DEVICE, ENTRA)), NULL},
        {MORE(ONE(DEVICE, ENTRA), NEXT), PAGE(ONE(OTHER_DEVICE, ENTRA))},
        {MORE(ONE(DEVICE, ENTRA) "," ONE(OTHER_DEVICE, ENTRA), NEXT), NULL},
        {PAGE(ONE(DEVICE, ENTRA) "," STATE(OTHER_DEVICE, ENTRA, "noncompliant")), NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        world w;
        dt_request r;

        open_world(&w, "certificate+intune");
        r = with_certificate(&w);
        world_expect(&w, DT_HTTP_GET, FILTER, 200, replies[i][0]);
        if (replies[i][1] != NULL)
            world_expect(&w, DT_HTTP_GET, NEXT, 200, replies[i][1]);
        for (int again = 0; again < 2; again++) {
            run(&w, &r);
            assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
            assert_detail(&w, "several devices have Entra's id");
        }
        world_close(&w);
    }
}

static void test_pages(void **state)
{
    static char const *const first[] = {MORE("", NEXT), MORE(ONE(DEVICE, ENTRA), NEXT)};

    (void)state;
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
        world w;
        dt_request r;

        open_world(&w, "certificate+intune");
        r = with_certificate(&w);
        world_expect(&w, DT_HTTP_GET, FILTER, 200, first[i]);
        world_expect(&w, DT_HTTP_GET, NEXT, 200, PAGE(ONE(DEVICE, ENTRA)));
        run(&w, &r); /* the same device twice is one */
        assert_device(&w);
        world_close(&w);
    }
}

/* What may not be taken for an answer is none: UNKNOWN, and nothing is kept. */
static void test_lies_and_faults(void **state)
{
    static struct {
        int status;
        char const *body;
    } const replies[] = {
        {200, PAGE(ONE(DEVICE, OTHER_ENTRA))},
        {200, PAGE(ONE(ENTRA, OTHER_ENTRA))}, /* Entra's id where Intune's belongs */
        {200, PAGE("{\"id\":\"" DEVICE "\",\"complianceState\":\"compliant\","
                   "\"managementState\":\"managed\"}")},
        {200, PAGE(ONE(DEVICE, ENTRA) "," ONE(OTHER_DEVICE, OTHER_ENTRA))},
        {200, PAGE(ONE(DEVICE, ENTRA) ",{}")},
        {200, ONE(DEVICE, ENTRA)},
        {200,
         MORE(ONE(DEVICE, ENTRA), "https://evil.example/v1.0/deviceManagement/managedDevices")},
        {200, MORE(ONE(DEVICE, ENTRA), "https://graph.microsoft.com/v1.0/users")},
        {200, "{\"value\":[" ONE(DEVICE, ENTRA)},
        {200, "{\"value\":{}}"},
        {404, "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"not there\"}}"},
        {400, "{\"error\":{\"code\":\"BadRequest\",\"message\":\"no such filter\"}}"},
        {403, "{\"error\":{\"code\":\"Forbidden\",\"message\":\"no\"}}"},
        {WORLD_TIMEOUT, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        world w;
        dt_request r;

        open_world(&w, "certificate+intune");
        r = with_certificate(&w);
        world_expect(&w, DT_HTTP_GET, FILTER, replies[i].status, replies[i].body);
        run(&w, &r);
        if (world_outcome(&w)->verdict.trust != DT_TRUST_UNKNOWN)
            fail_msg("%s", replies[i].body);
        assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
        assert_null(world_find(&w, DT_TABLE_LOOKUP, "intune"));
        world_close(&w);
    }
}

static void test_pages_without_an_end(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune");
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, MORE(ONE(DEVICE, ENTRA), NEXT));
    for (int i = 0; i < 4; i++)
        world_expect(&w, DT_HTTP_GET, NEXT, 200, MORE("", NEXT));
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_detail(&w, "has too many pages");
    world_close(&w);
}

static void test_tries_again(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune");
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, MORE(ONE(DEVICE, ENTRA), NEXT));
    world_expect(&w, DT_HTTP_GET, NEXT, 503, "");
    world_expect(&w, DT_HTTP_GET, NEXT, 200, PAGE(""));
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    world_all_used(&w);
    assert_device(&w);
    world_close(&w);
}

/* The last answer serves while Graph is away, and only about the device that still has the id. */
static void test_stale(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune");
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(ONE(DEVICE, ENTRA)));
    run(&w, &r);
    w.now += DT_HOURS(1);
    world_expect(&w, DT_HTTP_GET, FILTER, WORLD_TIMEOUT, "");
    run(&w, &r);
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_STALE);
    w.now += DT_HOURS(24);
    world_expect(&w, DT_HTTP_GET, FILTER, WORLD_TIMEOUT, "");
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

/* Half a list is no answer, and what it began with no stale one. */
static void test_half_a_list(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune");
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(ONE(DEVICE, ENTRA)));
    run(&w, &r);
    w.now += DT_HOURS(1);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, MORE(ONE(DEVICE, ENTRA), NEXT));
    world_expect(&w, DT_HTTP_GET, NEXT, WORLD_TIMEOUT, "");
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

/* The device was registered anew since, and has another Entra id: the index is out of date. */
static void test_an_index_that_is_out_of_date(void **state)
{
    world w;
    dt_request r;
    world_row *row;

    (void)state;
    open_world(&w, "certificate+intune");
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(ONE(DEVICE, ENTRA)));
    run(&w, &r);
    row = world_find(&w, DT_TABLE_LOOKUP, "intune:" DEVICE);
    assert_non_null(row);
    memcpy(strstr(row->value, ENTRA), OTHER_ENTRA, strlen(ENTRA));
    world_expect(&w, DT_HTTP_GET, FILTER, WORLD_TIMEOUT, "");
    run(&w, &r); /* nor does it serve as a stale answer */
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(""));
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
    world_close(&w);
}

static void test_an_index_that_cannot_be_read(void **state)
{
    static char const *const broken[] = {"", "x", "**", DEVICE "x",
                                         "8B1C5D3E-0F4A-4C77-9A53-6A1B2C3D4E5F"};

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        world w;
        dt_request r;
        world_row *row;

        open_world(&w, "certificate+intune");
        r = with_certificate(&w);
        world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(ONE(DEVICE, ENTRA)));
        run(&w, &r);
        row = world_find(&w, DT_TABLE_LOOKUP, "intune-entra:" ENTRA);
        assert_non_null(row);
        row->len = strlen(broken[i]);
        memcpy(row->value, broken[i], row->len);
        world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(""));
        run(&w, &r);
        assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
        world_close(&w);
    }
}

/* Where Intune has no say, nobody knows which device it is. */
static void test_where_intune_has_no_say(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate");
    r = with_certificate(&w);
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_detail(&w, "the device with the Entra id " ENTRA " is not known");
    world_close(&w);
}

/* A client's claim of another device does not stand beside what a key proves. */
static void test_a_proof_beats_a_claim(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "vpn-client+intune, certificate+intune");
    r = with_certificate(&w);
    r.vpn_device_id = OTHER_DEVICE;
    world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(ONE(DEVICE, ENTRA)));
    run(&w, &r);
    assert_device(&w);
    world_close(&w);
}

/* Two certificates with their keys: one names the device, the other Entra's id of it or of another. */
static void test_two_proofs(void **state)
{
    static named const two[] = {{DEVICE, NULL, NULL}, {NULL, ENTRA, NULL}};
    static named const both_entra[] = {{NULL, ENTRA, NULL}, {NULL, OTHER_ENTRA, NULL}};
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune");
    r = with_certificate(&w);
    r.host_evidence = true;
    certificates = two;
    certificate_count = 2;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/" DEVICE "?", 200, ONE(DEVICE, ENTRA));
    run(&w, &r);
    assert_device(&w);
    world_close(&w);

    open_world(&w, "certificate+intune");
    certificates = two;
    certificate_count = 2;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/" DEVICE "?", 200, ONE(DEVICE, OTHER_ENTRA));
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
    world_close(&w);

    open_world(&w, "certificate+intune");
    certificates = both_entra;
    certificate_count = 2;
    run(&w,
        &r); /* whichever device has one of them, the other speaks against it: nobody is asked */
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

/* It knows no Entra id: it is not asked, and what it says of a device tells nothing about one. */
static void test_the_compliance_service_does_not_tell(void **state)
{
    static char const found[] =
        "{\"value\":[{\"providerName\":\"ComplianceRetrievalService\",\"uri\":"
        "\"https://x.manage.microsoft.com/crs\"}]}";
    static char const compliant[] =
        "<ise_api><name>attributes</name><api_version>3</"
        "api_version><deviceList><device><guid>" DEVICE
        "</guid><Attributes><register_status>true</register_status><Compliance><status>true"
        "</status></Compliance></Attributes></device></deviceList></ise_api>";
    static named const two[] = {{DEVICE, NULL, NULL}, {NULL, ENTRA, NULL}};
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune");
    assert_int_equal(
        dt_config_set(w.config, "t", 99, "intune", "service", "compliance-retrieval", NULL), 0);
    r = with_certificate(&w);
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);

    r.host_evidence = true;
    certificates = two;
    certificate_count = 2;
    world_expect(&w, DT_HTTP_GET, "/endpoints", 200, found);
    world_expect(&w, DT_HTTP_GET, "/cisco/devices/", 200, compliant);
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

/* --- by serial number --------------------------------------------------------------------------- */

#define SERIAL "PF3ABC12"
#define BY_SERIAL "managedDevices?$filter=serialNumber%20eq%20'" SERIAL "'&$select=id,"
#define WITH_SERIAL(id, serial)                                                                    \
    "{\"id\":\"" id "\",\"azureADDeviceId\":\"" OTHER_ENTRA "\",\"serialNumber\":\"" serial "\","  \
    "\"complianceState\":\"compliant\",\"managementState\":\"managed\",\"operatingSystem\":"       \
    "\"Windows\",\"userPrincipalName\":\"ann@example.com\"}"
static named const serial_only[] = {{NULL, NULL, SERIAL}};

/* As with lookup_by = intune-id, entra-id, serial. */
static void open_serial_world(world *w)
{
    open_world(w, "certificate+intune");
    w->config->intune.lookup_by |= DT_LOOKUP_BY_SERIAL;
    certificates = serial_only;
}

static void test_serial_found_and_kept(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_serial_world(&w);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, BY_SERIAL, 200, PAGE(WITH_SERIAL(DEVICE, "pf-3Abc 12")));
    run(&w, &r);
    assert_device(&w);
    assert_non_null(world_find(&w, DT_TABLE_LOOKUP, "intune-serial:" SERIAL));
    run(&w, &r);
    assert_device(&w);
    assert_int_equal(world_outcome(&w)->graph_calls, 0);
    world_close(&w);
}

/* Unless the administrator says so, nobody is asked by it, and nobody gets in by it. */
static void test_serial_off_by_default(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_world(&w, "certificate+intune, certificate");
    certificates = serial_only;
    r = with_certificate(&w);
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_detail(&w, "the device with the serial number " SERIAL " is not known");
    world_close(&w);
    open_world(&w, "certificate+intune"); /* nor by Entra's id, where that is left out */
    w.config->intune.lookup_by = DT_LOOKUP_BY_INTUNE_ID;
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

/* Makers give one serial number twice, and a device that was enrolled anew leaves its record behind. */
static void test_serial_of_several_or_of_none(void **state)
{
    static char const *const replies[][2] = {
        {PAGE(WITH_SERIAL(DEVICE, SERIAL) "," WITH_SERIAL(OTHER_DEVICE, "pf3abc12")), NULL},
        {MORE(WITH_SERIAL(DEVICE, SERIAL), NEXT), PAGE(WITH_SERIAL(OTHER_DEVICE, SERIAL))},
        {PAGE(""), NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        world w;
        dt_request r;

        open_serial_world(&w);
        r = with_certificate(&w);
        world_expect(&w, DT_HTTP_GET, BY_SERIAL, 200, replies[i][0]);
        if (replies[i][1] != NULL)
            world_expect(&w, DT_HTTP_GET, NEXT, 200, replies[i][1]);
        for (int again = 0; again < 2; again++) {
            run(&w, &r);
            assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
            assert_detail(&w, i < 2 ? "several devices have the serial number " SERIAL
                                    : "no device has the serial number " SERIAL);
        }
        world_close(&w);
    }
}

static void test_serial_lies(void **state)
{
    static char const *const bodies[] = {
        PAGE(WITH_SERIAL(DEVICE, "PF3ABC13")),
        PAGE(WITH_SERIAL(DEVICE, "")),
        PAGE(WITH_SERIAL(DEVICE, "Default string")),
        PAGE(ONE(DEVICE, OTHER_ENTRA)),
        PAGE(WITH_SERIAL(DEVICE, SERIAL) "," WITH_SERIAL(OTHER_DEVICE, "XXXX1234")),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        world w;
        dt_request r;

        open_serial_world(&w);
        r = with_certificate(&w);
        world_expect(&w, DT_HTTP_GET, BY_SERIAL, 200, bodies[i]);
        run(&w, &r);
        assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
        assert_null(world_find(&w, DT_TABLE_LOOKUP, "intune"));
        world_close(&w);
    }
}

/* The mainboard was changed since. */
static void test_serial_index_that_is_out_of_date(void **state)
{
    world w;
    dt_request r;
    world_row *row;

    (void)state;
    open_serial_world(&w);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, BY_SERIAL, 200, PAGE(WITH_SERIAL(DEVICE, SERIAL)));
    run(&w, &r);
    row = world_find(&w, DT_TABLE_LOOKUP, "intune:" DEVICE);
    assert_non_null(row);
    memcpy(strstr(row->value, SERIAL), "PF3ABC99", strlen(SERIAL));
    world_expect(&w, DT_HTTP_GET, BY_SERIAL, WORLD_TIMEOUT, "");
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

/* Whatever names the device more surely counts, and the serial number beside it does not. */
static void test_serial_is_the_last_resort(void **state)
{
    static named const with_entra[] = {{NULL, ENTRA, SERIAL}};
    static named const with_device[] = {{DEVICE, NULL, SERIAL}};
    static named const two[] = {{DEVICE, NULL, NULL}, {NULL, NULL, SERIAL}};
    world w;
    dt_request r;

    (void)state;
    open_serial_world(&w);
    certificates = with_entra;
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, FILTER, 200, PAGE(ONE(DEVICE, ENTRA)));
    run(&w, &r);
    assert_device(&w);
    world_close(&w);

    open_serial_world(&w);
    certificates = with_device;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/" DEVICE "?", 200, ONE(DEVICE, ENTRA));
    run(&w, &r);
    assert_device(&w);
    world_close(&w);

    /* Two proofs are of one device, or of none. */
    for (int same = 0; same < 2; same++) {
        open_serial_world(&w);
        certificates = two;
        certificate_count = 2;
        r.host_evidence = true;
        world_expect(&w, DT_HTTP_GET, "/managedDevices/" DEVICE "?", 200,
                     same ? WITH_SERIAL(DEVICE, SERIAL) : WITH_SERIAL(DEVICE, "PF3ABC13"));
        run(&w, &r);
        if (same)
            assert_device(&w);
        else
            assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_ENROLLED);
        world_close(&w);
    }
}

static struct CMUnitTest const tests[] = {
    cmocka_unit_test(test_serial_found_and_kept),
    cmocka_unit_test(test_serial_off_by_default),
    cmocka_unit_test(test_serial_of_several_or_of_none),
    cmocka_unit_test(test_serial_lies),
    cmocka_unit_test(test_serial_index_that_is_out_of_date),
    cmocka_unit_test(test_serial_is_the_last_resort),
    cmocka_unit_test(test_found_and_kept),
    cmocka_unit_test(test_without_a_proof),
    cmocka_unit_test(test_none_has_it),
    cmocka_unit_test(test_several_have_it),
    cmocka_unit_test(test_pages),
    cmocka_unit_test(test_lies_and_faults),
    cmocka_unit_test(test_pages_without_an_end),
    cmocka_unit_test(test_tries_again),
    cmocka_unit_test(test_stale),
    cmocka_unit_test(test_half_a_list),
    cmocka_unit_test(test_an_index_that_is_out_of_date),
    cmocka_unit_test(test_an_index_that_cannot_be_read),
    cmocka_unit_test(test_where_intune_has_no_say),
    cmocka_unit_test(test_a_proof_beats_a_claim),
    cmocka_unit_test(test_two_proofs),
    cmocka_unit_test(test_the_compliance_service_does_not_tell),
};

int main(void)
{
    return world_run_tests_twice("entra", tests);
}
