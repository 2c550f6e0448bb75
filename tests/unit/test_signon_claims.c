/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons with evidence that no key proves: the managed app configuration of this host, and what a
 * VPN client says of its device. Each both straight on and saved and loaded at each step. */
#include "core/device/device_record.h"
#include "tests/unit/signon_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define OTHER_DEVICE "0bbbbbbb-1111-4222-8333-444444444444"

static char const ONLY_TRUSTED[] =
    "{\"name\":\"t\",\"application\":\"vpn\",\"rules\":["
    "{\"name\":\"trusted\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":"
    "{\"device\":{\"trust\":\"TRUSTED\"}},\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
    "{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":null,"
    "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";

static void open_world(world *w, char const *trusted_when)
{
    char const *const extra[] = {"device_trust",
                                 "trusted_when",
                                 trusted_when,
                                 "device_trust",
                                 "managed_configuration_file",
                                 "/m.json",
                                 "device_trust",
                                 "management_hint_file",
                                 "/hint",
                                 NULL};

    world_open(w, ONLY_TRUSTED, extra);
    /* Only handed on: what the file says, the world answers. */
    w->ruleset.managed = (struct dt_managed_file *)(void *)w;
    w->managed = (dt_managed_result){.status = DT_MANAGED_READ,
                                     .facts = {.hint_given = true, .hint_matches = true}};
    assert_int_equal(
        dt_str_copy(w->managed.facts.site, sizeof(w->managed.facts.site), w->config->okta.org_url),
        0);
}

static void run(world *w, dt_request const *r)
{
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

/* --- managed app configuration -------------------------------------------------------------------- */

static dt_request at_host(void)
{
    dt_request r = world_request();

    r.host_evidence = true;
    return r;
}

static void test_hint_alone(void **state)
{
    world w;
    dt_request r = at_host();

    (void)state;
    open_world(&w, "management-hint");
    run(&w, &r);
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_string_equal(world_outcome(&w)->verdict.device_id.text, "");
    assert_string_equal(world_outcome(&w)->verdict.key_id, "");
    assert_int_equal(world_outcome(&w)->verdict.platform, DT_PLATFORM_LINUX);
    world_close(&w);
}

static void test_hint_that_does_not_hold(void **state)
{
    world w;
    dt_request r = at_host();

    (void)state;
    open_world(&w, "management-hint");
    w.managed.facts.hint_matches = false;
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_MANAGEMENT_HINT_MISMATCH);
    assert_non_null(strstr(world_outcome(&w)->detail, "management-hint: "));
    w.managed.status = DT_MANAGED_ABSENT;
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_MANAGED);
    w.managed.status = DT_MANAGED_UNREADABLE;
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    w.managed.status = DT_MANAGED_REFUSED;
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_MANAGEMENT_HINT_MISMATCH);
    world_close(&w);
}

/* Who signs on from elsewhere gains nothing by how this host is managed. */
static void test_hint_is_about_this_host(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, "management-hint");
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_MANAGED);
    world_close(&w);
}

static void test_hint_only_where_named(void **state)
{
    world w;
    dt_request r = at_host();

    (void)state;
    open_world(&w, "certificate+intune");
    w.managed.facts.hint_matches = false; /* not even looked at */
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    world_close(&w);
}

static dt_evidence evidence(dt_source source, dt_guid const *device)
{
    return (dt_evidence){.source = source,
                         .finding = DT_FINDING_FOR,
                         .assurance = DT_PROVED,
                         .device_id = *device,
                         .observed = 1};
}

static dt_verdict judge(dt_evidence const *items, size_t count, unsigned trusted_when)
{
    dt_config c = {.device_trust = {
                       .trusted_when = {trusted_when}, .trusted_when_count = 1, .platforms = 0xff}};
    dt_evidence_set set = {.count = count};
    dt_verdict v;

    memcpy(set.items, items, count * sizeof(*items));
    dt_verdict_judge(&set, &c, 1, &v);
    return v;
}

/* The hint goes with this host's certificate, and with no other device. */
static void test_hint_beside_others(void **state)
{
    dt_guid const nobody = {""}, device = {OTHER_DEVICE};
    dt_evidence const hint = evidence(DT_SOURCE_MANAGEMENT_HINT, &nobody);
    struct {
        dt_evidence items[2];
        unsigned when;
        dt_trust trust;
    } const cases[] = {
        {{hint, evidence(DT_SOURCE_CERTIFICATE, &device)},
         DT_SOURCE_MANAGEMENT_HINT | DT_SOURCE_CERTIFICATE,
         DT_TRUST_TRUSTED},
        {{hint, evidence(DT_SOURCE_CERTIFICATE, &device)},
         DT_SOURCE_MANAGEMENT_HINT,
         DT_TRUST_TRUSTED},
        {{hint, evidence(DT_SOURCE_SSH_KEY, &device)},
         DT_SOURCE_MANAGEMENT_HINT | DT_SOURCE_SSH_KEY,
         DT_TRUST_NOT_TRUSTED},
        {{hint, evidence(DT_SOURCE_VPN_CLIENT, &device)},
         DT_SOURCE_MANAGEMENT_HINT | DT_SOURCE_VPN_CLIENT,
         DT_TRUST_NOT_TRUSTED},
        {{hint, evidence(DT_SOURCE_CERTIFICATE, &nobody)},
         DT_SOURCE_MANAGEMENT_HINT | DT_SOURCE_CERTIFICATE,
         DT_TRUST_NOT_TRUSTED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_verdict v = judge(cases[i].items, 2, cases[i].when);
        if (v.trust != cases[i].trust)
            fail_msg("case %zu: %s", i, dt_trust_name(v.trust));
    }
}

/* --- VPN clients ---------------------------------------------------------------------------------- */

static void put_alias(world *w, char const *name, char const *text)
{
    world_row *row = &w->rows[WORLD_ROWS_MAX - 1];

    while (row->table != DT_TABLE_NONE)
        row--;
    row->table = DT_TABLE_DEVICE;
    dt_device_alias_key(name, row->key);
    row->len = strlen(text);
    memcpy(row->value, text, row->len + 1);
    row->expires = DT_TIME_NEVER;
}

static void alias_of(char const *device, char out[DT_DEVICE_ALIAS_VALUE_MAX + 1])
{
    dt_guid id;
    dt_buf b;

    assert_int_equal(dt_guid_parse(dt_bytes_str(device), &id), 0);
    dt_buf_init_fixed(&b, out, DT_DEVICE_ALIAS_VALUE_MAX + 1);
    assert_int_equal(dt_device_alias_pack(&(dt_device_alias){.device = id}, &b), 0);
}

static dt_vpn_claims claims_of(char const *const *pairs)
{
    dt_vpn_claims c = {0};

    for (; *pairs != NULL; pairs++)
        dt_vpn_claims_add_pair(&c, dt_bytes_str(*pairs));
    return c;
}

static void test_found_by_a_name(void **state)
{
    static char const *const names[] = {"uid:abc123", "mac:0050562a7711", "name:ann-laptop"};
    char value[DT_DEVICE_ALIAS_VALUE_MAX + 1];
    dt_vpn_claims c = claims_of((char const *const[]){
        "mdm-tlv=device-uid=ABC123", "mdm-tlv=device-mac=00-50-56-bd-8f-3e",
        "mdm-tlv=device-mac=00-50-56-2a-77-11", "mdm-tlv=device-platform=win", NULL});

    (void)state;
    dt_vpn_claims_set_host_name(&c, "ANN-LAPTOP");
    alias_of(WORLD_DEVICE, value);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        world w;
        dt_request r = world_request();

        r.vpn = &c;
        open_world(&w, "vpn-client+intune");
        put_alias(&w, names[i], value);
        world_expect(&w, DT_HTTP_GET, WORLD_DEVICE, 200, GRAPH_COMPLIANT);
        run(&w, &r);
        assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
        assert_string_equal(world_outcome(&w)->verdict.key_id, "");
        world_close(&w);
    }
}

static void test_a_uid_that_is_the_id(void **state)
{
    dt_vpn_claims c = claims_of(
        (char const *const[]){"mdm-tlv=device-uid=x", "device-uid-global=" OTHER_DEVICE, NULL});
    world w;
    dt_request r = world_request();

    (void)state;
    r.vpn = &c;
    open_world(&w, "vpn-client");
    run(&w, &r);
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_string_equal(world_outcome(&w)->verdict.device_id.text, OTHER_DEVICE);
    world_close(&w);
}

static void test_claims_that_find_nothing(void **state)
{
    static char const *const broken[] = {"",
                                         "{}",
                                         "{\"v\":2,\"device\":\"" OTHER_DEVICE "\"}",
                                         "{\"v\":1,\"device\":\"x\"}",
                                         "{\"v\":1}",
                                         "[]"};
    dt_vpn_claims c = claims_of((char const *const[]){"mdm-tlv=device-uid=abc", NULL});

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        world w;
        dt_request r = world_request();

        r.vpn = &c;
        open_world(&w, "vpn-client");
        run(&w, &r);
        assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
        put_alias(&w, "uid:abc", broken[i]);
        run(&w, &r);
        assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
        world_close(&w);
    }
}

static void alias_of_several(char out[DT_DEVICE_ALIAS_VALUE_MAX + 1])
{
    dt_buf b;

    dt_buf_init_fixed(&b, out, DT_DEVICE_ALIAS_VALUE_MAX + 1);
    assert_int_equal(dt_device_alias_pack(&(dt_device_alias){.synced = 1}, &b), 0);
}

/* A name that several devices have finds none of them, and certainly not the first. */
static void test_a_name_of_several_devices(void **state)
{
    char several[DT_DEVICE_ALIAS_VALUE_MAX + 1], value[DT_DEVICE_ALIAS_VALUE_MAX + 1];
    dt_vpn_claims c = claims_of((char const *const[]){
        "mdm-tlv=device-mac=00-50-56-bd-8f-3e", "mdm-tlv=device-mac=00-50-56-2a-77-11", NULL});
    dt_request r = world_request();
    world w;

    (void)state;
    r.vpn = &c;
    open_world(&w, "vpn-client");
    alias_of_several(several);
    alias_of(WORLD_DEVICE, value);
    put_alias(&w, "mac:005056bd8f3e", several);
    run(&w, &r);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    assert_non_null(strstr(world_outcome(&w)->detail, "several devices have the name "
                                                      "mac:005056bd8f3e"));
    put_alias(&w, "mac:0050562a7711", value);
    run(&w, &r); /* by the other card */
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_string_equal(world_outcome(&w)->verdict.device_id.text, WORLD_DEVICE);
    world_close(&w);
}

static void test_claims_count_only_where_named(void **state)
{
    char value[DT_DEVICE_ALIAS_VALUE_MAX + 1];
    dt_vpn_claims c = claims_of((char const *const[]){"mdm-tlv=device-uid=abc", NULL});
    world w;
    dt_request r = world_request();

    (void)state;
    alias_of(WORLD_DEVICE, value);
    r.vpn = &c;
    open_world(&w, "certificate+intune");
    put_alias(&w, "uid:abc", value);
    run(&w, &r); /* and asks nobody */
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    world_close(&w);
}

static void test_a_broken_store_is_unknown(void **state)
{
    dt_vpn_claims c = claims_of((char const *const[]){"mdm-tlv=device-uid=abc", NULL});
    world w;
    dt_request r = world_request();

    (void)state;
    r.vpn = &c;
    open_world(&w, "vpn-client");
    w.store_broken = true;
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    world_close(&w);
}

static void test_a_proof_beats_a_claim(void **state)
{
    char value[DT_DEVICE_ALIAS_VALUE_MAX + 1];
    dt_vpn_claims c = claims_of((char const *const[]){"mdm-tlv=device-uid=abc", NULL});
    world w;
    dt_request r = world_request();

    (void)state;
    alias_of(OTHER_DEVICE, value);
    r.vpn = &c;
    open_world(&w, "certificate+vpn-client, certificate+intune");
    r.certificate = dt_bytes_of(w.leaf, w.leaf_len);
    r.handshake_finished = true;
    put_alias(&w, "uid:abc", value);
    world_expect(&w, DT_HTTP_GET, WORLD_DEVICE, 200, GRAPH_COMPLIANT);
    run(&w, &r);
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_string_equal(world_outcome(&w)->verdict.device_id.text, WORLD_DEVICE);
    world_close(&w);
}

/* --- revocation ----------------------------------------------------------------------------------- */

/* Nobody knows whether the certificate is revoked: UNKNOWN with require, told with soft. */
static void test_no_word_on_revocation(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    open_world(&w, "certificate");
    r.certificate = dt_bytes_of(w.leaf, w.leaf_len);
    r.handshake_finished = true;
    dt_trust_store_set_revocation(w.anchors, DT_REVOCATION_REQUIRE);
    run(&w, &r);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_non_null(strstr(world_outcome(&w)->detail, "revocation list"));
    dt_trust_store_set_revocation(w.anchors, DT_REVOCATION_SOFT);
    run(&w, &r);
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_non_null(strstr(world_outcome(&w)->detail, "accepted because of revocation = soft"));
    /* Without a proof it is not even unknown. */
    r.handshake_finished = false;
    dt_trust_store_set_revocation(w.anchors, DT_REVOCATION_REQUIRE);
    run(&w, &r);
    assert_int_equal(world_outcome(&w)->verdict.trust, DT_TRUST_NOT_TRUSTED);
    world_close(&w);
}

static struct CMUnitTest const tests[] = {
    cmocka_unit_test(test_hint_alone),
    cmocka_unit_test(test_hint_that_does_not_hold),
    cmocka_unit_test(test_hint_is_about_this_host),
    cmocka_unit_test(test_hint_only_where_named),
    cmocka_unit_test(test_hint_beside_others),
    cmocka_unit_test(test_found_by_a_name),
    cmocka_unit_test(test_a_uid_that_is_the_id),
    cmocka_unit_test(test_claims_that_find_nothing),
    cmocka_unit_test(test_a_name_of_several_devices),
    cmocka_unit_test(test_claims_count_only_where_named),
    cmocka_unit_test(test_a_broken_store_is_unknown),
    cmocka_unit_test(test_a_proof_beats_a_claim),
    cmocka_unit_test(test_no_word_on_revocation),
};

int main(void)
{
    return world_run_tests_twice("claims", tests);
}
