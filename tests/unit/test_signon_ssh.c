/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSH keys and certificates as evidence, and the list of trusted devices.
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
#include <stdlib.h>
#include <string.h>

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
    world_open(&w, ONLY_TRUSTED, ssh);
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

/* --- certificates, keys without a certificate, hardware, the list of trusted devices --------- */

#define SSH_HARD_INFO /* an Ed25519 key that says it is in a security key; see PROTOCOL.u2f */     \
    "publickey sk-ssh-ed25519@openssh.com "                                                        \
    "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"     \
    "AAAABHNzaDo=\n"

/* ssh-keygen -l of SSH_INFO */
#define SSH_FINGERPRINT "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"

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

/* What the event will say was presented; "" after the last. */
static void assert_presented(world const *w, size_t at, dt_source source, char const *name)
{
    dt_audit_context c;

    dt_signon_audit_context(w->machine, &c);
    assert_string_equal(c.keys[at].name, name);
    if (name[0] != '\0')
        assert_int_equal(c.keys[at].source, source);
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
        world_open(&w, ONLY_TRUSTED, with_registry);
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
    world_open(&w, ONLY_TRUSTED, with_registry);
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
    world_open(&w, ONLY_TRUSTED, with_registry);
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
    world_open(&w, ONLY_TRUSTED, only_key);
    enrol_key(&w, SSH_INFO, WORLD_DEVICE);
    run_ssh(&w, SSH_INFO, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(dt_signon_evidence(w.machine)->count, 1);
    world_close(&w);
}

/* A key that nobody has enrolled is no evidence; the administrator has to see which one it was. */
static void test_the_event_names_a_key_that_is_not_enrolled(void **state)
{
    static char const *const only_key[] = {"device_trust", "trusted_when", "ssh-key", NULL};
    char info[1024];
    world w;

    (void)state;
    for (int save = 0; save < 2; save++) {
        world_open(&w, ONLY_TRUSTED, only_key);
        w.save_each_step = save == 1;
        run_ssh(&w, SSH_INFO, DT_DENY, DT_CAUSE_RULE_DENY);
        assert_int_equal(dt_signon_evidence(w.machine)->count, 0);
        assert_presented(&w, 0, DT_SOURCE_SSH_KEY, SSH_FINGERPRINT);
        assert_presented(&w, 1, 0, "");
        run_ssh(&w, "", DT_DENY, DT_CAUSE_RULE_DENY);
        assert_presented(&w, 0, 0, "");
        world_close(&w);
    }
    /* the same key again is one key; more keys than are named are left out */
    world_open(&w, ONLY_TRUSTED, only_key);
    (void)snprintf(info, sizeof(info), "%s%s%s", SSH_INFO, SSH_INFO, SSH_HARD_INFO);
    run_ssh(&w, info, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_presented(&w, 0, DT_SOURCE_SSH_KEY, SSH_FINGERPRINT);
    assert_presented(&w, 2, 0, "");
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
        world_open(&w, ONLY_TRUSTED, hard);
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
    world_open(&w, ONLY_TRUSTED, only_key);
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

/* Whoever signed it. */
static void assert_certificate_presented(world const *w)
{
    static char const ending[] = " ID 8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e5f";
    dt_audit_context c;

    dt_signon_audit_context(w->machine, &c);
    assert_int_equal(c.keys[0].source, DT_SOURCE_SSH_CERTIFICATE);
    assert_int_equal(strncmp(c.keys[0].name, "SHA256:", 7), 0);
    assert_int_equal(strlen(c.keys[0].name), 7 + 43 + strlen(ending));
    assert_string_equal(c.keys[0].name + 7 + 43, ending);
    assert_string_equal(c.keys[1].name, "");
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
    world_open(&w, ONLY_TRUSTED, ssh);
    w.ruleset.ssh_cas = cas;
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
    run_ssh(&w, info, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->verdict.sources,
                     DT_SOURCE_SSH_CERTIFICATE | DT_SOURCE_INTUNE);
    assert_int_equal(strlen(world_outcome(&w)->verdict.key_id), 64);
    assert_certificate_presented(&w);
    run_ssh(&w, other, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_certificate_presented(&w);
    assert_int_equal(world_outcome(&w)->verdict.reason, DT_REASON_UNTRUSTED_ISSUER);
    w.now += DT_HOURS(1); /* and no call for a stranger's device */
    run_ssh(&w, other, DT_DENY, DT_CAUSE_RULE_DENY);
    w.ruleset.ssh_cas = NULL;
    run_ssh(&w, info, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_certificate_presented(&w);
    assert_int_equal(dt_signon_evidence(w.machine)->count, 0);
    world_all_used(&w);
    world_close(&w);
    dt_ssh_cas_free(&cas);
    dt_ssh_cas_free(&others);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_an_enrolled_ssh_key_is_trusted),
        cmocka_unit_test(test_a_listed_device_with_a_proved_key_is_trusted),
        cmocka_unit_test(test_a_listed_device_with_a_certificate_is_trusted),
        cmocka_unit_test(test_the_list_of_trusted_devices_fails_closed),
        cmocka_unit_test(test_the_list_has_no_say_unless_it_is_named),
        cmocka_unit_test(test_the_event_names_a_key_that_is_not_enrolled),
        cmocka_unit_test(test_keys_in_hardware_can_be_demanded),
        cmocka_unit_test(test_two_devices_are_none),
        cmocka_unit_test(test_an_ssh_certificate_of_a_device_ca_is_evidence),
    };

    return world_run_tests_twice("signon ssh", tests);
}
