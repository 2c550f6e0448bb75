/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Open sessions: the row is read as it was written and nothing else is; a request asks the same again; and what of a
 * new decision is a loss. */
#include "core/session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define NOW 1700000000000
#define DEVICE "11111111-2222-3333-4444-555555555555"

static uint8_t const certificate[] = {0x30, 0x03, 0x01, 0x00, 0xff};
static char const *const two_groups[] = {"staff", "admins"};

static dt_request wifi(void)
{
    return (dt_request){.application = "wifi",
                        .user = "ann",
                        .client_ip = "192.0.2.7",
                        .nas = "ap-1",
                        .station = "02-00-00-00-00-01",
                        .session = "8:ap-1 4711",
                        .groups = two_groups,
                        .group_count = 2,
                        .group_knowledge = DT_GROUPS_KNOWN,
                        .certificate = {certificate, sizeof(certificate)},
                        .chain = {{certificate, 3}},
                        .chain_count = 1,
                        .handshake_finished = true,
                        .primary = DT_PRIMARY_HANDSHAKE,
                        .vpn_device_id = ""};
}

static dt_outcome let_in(void)
{
    dt_outcome o = {.result = DT_ALLOW,
                    .cause = DT_CAUSE_RULE_ALLOW,
                    .verdict = {.trust = DT_TRUST_TRUSTED, .reason = DT_REASON_TRUSTED},
                    .decision = {.access = DT_ACCESS_ALLOW, .cause = DT_DECISION_RULE}};

    strcpy(o.verdict.device_id.text, DEVICE);
    strcpy(o.decision.rule, "Trusted");
    return o;
}

static dt_session at_nas(void)
{
    dt_session s = {.door = DT_SESSION_RADIUS,
                    .state = DT_SESSION_PENDING,
                    .started = NOW,
                    .seen = NOW,
                    .expires = NOW + DT_HOURS(12),
                    .node = "radius-1"};
    dt_request r = wifi();
    dt_outcome o = let_in();

    assert_int_equal(dt_session_of_request(&s, &r), 0);
    dt_session_of_outcome(&s, &o, "0123456789abcdef0123456789abcdef", "ann@example.com");
    strcpy(s.at_nas.session_id, "4711");
    strcpy(s.at_nas.user_name, "anonymous");
    strcpy(s.at_nas.framed_ip, "10.0.0.1");
    strcpy(s.at_nas.chargeable_id, "00ff");
    return s;
}

static dt_session at_host(void)
{
    dt_session s = at_nas();

    s.door = DT_SESSION_HOST;
    strcpy(s.at_host.boot, "6f2d9a0c-1b7e-4c0e-9c5b-3a7d8e41f026");
    strcpy(s.at_host.id, "c3");
    strcpy(s.at_host.service, "sshd");
    s.at_host.leader = 4242;
    s.at_host.leader_start = 123456;
    return s;
}

static void pack(dt_session const *s, dt_buf *row)
{
    dt_buf_init(row, DT_SESSION_ROW_MAX);
    assert_int_equal(dt_session_pack(s, row), 0);
}

static void test_there_and_back(void **state)
{
    dt_session s = at_nas(), back;
    dt_buf row;

    (void)state;
    strcpy(s.lost_cause, "RULE_DENY");
    s.lost = NOW + 5;
    s.tries = 2;
    pack(&s, &row);
    assert_int_equal(dt_session_unpack(dt_buf_bytes(&row), &back), 0);
    assert_string_equal(back.login, "ann@example.com");
    assert_string_equal(back.rule, "Trusted");
    assert_string_equal(back.device_id.text, DEVICE);
    assert_string_equal(back.at_nas.session_id, "4711");
    assert_string_equal(back.at_nas.framed_ip, "10.0.0.1");
    assert_string_equal(back.at_nas.chargeable_id, "00ff");
    assert_string_equal(back.lost_cause, "RULE_DENY");
    assert_true(back.tries == 2 && back.lost == NOW + 5 && back.state == DT_SESSION_PENDING);
    assert_true(dt_bytes_equal(back.certificate, s.certificate));
    assert_memory_equal(back.groups, "staff\0admins", 13);
    dt_buf_free(&row);
    s = at_host();
    pack(&s, &row);
    assert_int_equal(dt_session_unpack(dt_buf_bytes(&row), &back), 0);
    assert_true(back.at_host.leader == 4242 && back.at_host.leader_start == 123456);
    assert_string_equal(back.at_host.id, "c3");
    assert_string_equal(back.at_nas.session_id, "");
    dt_buf_free(&row);
}

static void test_a_row_that_is_cut_or_longer_is_refused(void **state)
{
    dt_session s = at_nas(), back;
    dt_buf row;

    (void)state;
    pack(&s, &row);
    for (size_t i = 0; i < row.len; i++) {
        assert_int_equal(dt_session_unpack(dt_bytes_of(row.p, i), &back), DT_E_PARSE);
        assert_true(back.door == DT_SESSION_NO_DOOR && back.user[0] == '\0');
    }
    dt_buf_putc(&row, '\0');
    assert_int_equal(dt_session_unpack(dt_buf_bytes(&row), &back), DT_E_PARSE);
    dt_buf_free(&row);
}

/* A byte changed anywhere: refused, or a row that can be written again to the same bytes, so nothing in it is read as
 * something else. */
static void test_hostile_bytes(void **state)
{
    static uint8_t const values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    dt_session s = at_nas(), back;
    dt_buf row, again;
    size_t refused = 0;

    (void)state;
    pack(&s, &row);
    for (size_t i = 0; i < row.len; i++) {
        uint8_t was = row.p[i];
        for (size_t v = 0; v < sizeof(values); v++) {
            row.p[i] = values[v];
            if (dt_session_unpack(dt_buf_bytes(&row), &back) != 0) {
                refused++;
                assert_true(back.started == 0);
                continue;
            }
            pack(&back, &again);
            assert_true(dt_bytes_equal(dt_buf_bytes(&again), dt_buf_bytes(&row)));
            dt_buf_free(&again);
        }
        row.p[i] = was;
    }
    assert_true(refused > row.len);
    dt_buf_free(&row);
}

static void refuse_row(dt_session const *s)
{
    dt_buf row;

    dt_buf_init(&row, DT_SESSION_ROW_MAX);
    assert_int_equal(dt_session_pack(s, &row), DT_E_INVALID);
    dt_buf_free(&row);
}

/* What no sign-on leaves behind cannot be written, nor, forged, be read: the reader uses the same check. */
static void test_what_is_not_a_session(void **state)
{
    dt_session zero = {0}, s;

    (void)state;
    refuse_row(&zero);
    s = at_nas();
    s.state = DT_SESSION_NONE;
    refuse_row(&s);
    s = at_nas();
    s.cause = DT_CAUSE_RULE_DENY;
    refuse_row(&s);
    s = at_nas();
    s.expires = s.started;
    refuse_row(&s);
    s = at_nas();
    s.user[0] = '\0';
    refuse_row(&s);
    s = at_nas();
    s.lost = NOW; /* for no cause */
    refuse_row(&s);
    s = at_nas();
    s.groups_len = sizeof(s.groups) + 1;
    refuse_row(&s);
    s = at_nas();
    s.chain_count = DT_CHAIN_MAX + 1;
    refuse_row(&s);
}

static char const *key_of(dt_session const *s)
{
    static char keys[4][DT_STORE_KEY_MAX];
    static int at;

    at = (at + 1) % 4;
    assert_int_equal(dt_session_key(s, keys[at]), 0);
    assert_true(dt_session_is_key(keys[at]));
    return keys[at];
}

static void test_keys(void **state)
{
    dt_session a = at_nas(), b = at_nas();
    char key[DT_STORE_KEY_MAX], id[DT_SESSION_ID_LEN + 1];

    (void)state;
    strcpy(b.at_nas.user_name, "another name outside");
    assert_string_equal(key_of(&a), key_of(&b)); /* what the NAS calls it is enough */
    strcpy(b.nas, "ap-2");
    assert_string_not_equal(key_of(&a), key_of(&b));
    b = at_nas();
    strcpy(b.at_nas.session_id, "4712");
    assert_string_not_equal(key_of(&a), key_of(&b));
    /* No part runs into the next one. */
    strcpy(a.nas, "ap-1:4");
    strcpy(a.at_nas.session_id, "711");
    b = at_nas();
    assert_string_not_equal(key_of(&a), key_of(&b));
    b.at_nas.session_id[0] = '\0';
    assert_int_equal(dt_session_key_by_station(&b, key), 0);
    assert_string_equal(key_of(&b), key);
    b.station[0] = '\0';
    assert_string_not_equal(key_of(&b), key);
    b.at_nas.user_name[0] = '\0';
    assert_int_equal(dt_session_key(&b, key), DT_E_INVALID);
    assert_string_equal(key, "");
    b = at_host();
    assert_string_not_equal(key_of(&b), key_of(&a));
    strcpy(key, key_of(&b));
    b.at_host.leader_start++; /* the pid changed hands */
    assert_string_not_equal(key_of(&b), key);
    b.at_host.boot[0] = '\0';
    assert_int_equal(dt_session_key(&b, key), DT_E_INVALID);
    dt_session_id(key_of(&a), id);
    assert_int_equal(strlen(id), DT_SESSION_ID_LEN);
    dt_session_id("node:radius-1", id);
    assert_string_equal(id, "");
    assert_false(dt_session_is_key("node:radius-1"));
}

static void test_the_request_asks_the_same_again(void **state)
{
    dt_session s = at_nas();
    char const *groups[DT_GROUPS_MAX];
    dt_request r;

    (void)state;
    dt_session_request(&s, groups, &r);
    assert_true(r.explain && r.conversation == DT_CONVERSATION_NONE && !r.agent);
    assert_string_equal(r.user, "ann");
    assert_string_equal(r.application, "wifi");
    assert_string_equal(r.nas, "ap-1");
    assert_int_equal(r.group_count, 2);
    assert_string_equal(r.groups[1], "admins");
    assert_true(r.group_knowledge == DT_GROUPS_KNOWN && r.handshake_finished);
    assert_true(dt_bytes_equal(r.certificate, dt_bytes_of(certificate, sizeof(certificate))));
    assert_true(r.chain_count == 1 && r.chain[0].len == 3);
    assert_null(r.ssh_auth_info);
}

/* A certificate whose key was not proved proves nothing later either. */
static void test_only_what_was_proved_is_kept(void **state)
{
    dt_request r = wifi();
    dt_session s = {0};
    char const *groups[DT_GROUPS_MAX];

    (void)state;
    r.handshake_finished = false;
    assert_int_equal(dt_session_of_request(&s, &r), 0);
    assert_int_equal(s.certificate.len, 0);
    dt_session_request(&s, groups, &r);
    assert_false(r.handshake_finished);
}

static void test_what_is_too_long(void **state)
{
    static char info[DT_SESSION_PROOF_MAX + 1];
    static char name[DT_USER_MAX + 8];
    char const *many[DT_GROUPS_MAX];
    char long_group[DT_GROUP_NAME_MAX];
    dt_request r = wifi();
    dt_session s = {0};

    (void)state;
    memset(info, 'k', sizeof(info) - 1);
    r.ssh_auth_info = info;
    assert_int_equal(dt_session_of_request(&s, &r), 0);
    assert_true(s.proof_left_out && s.certificate.len == 0 && s.ssh_auth_info.len == 0);
    r = wifi();
    memset(long_group, 'g', sizeof(long_group) - 1);
    long_group[sizeof(long_group) - 1] = '\0';
    for (size_t i = 0; i < 20; i++)
        many[i] = long_group;
    r.groups = many;
    r.group_count = 20;
    s = (dt_session){0};
    assert_int_equal(dt_session_of_request(&s, &r), 0);
    assert_true(s.group_knowledge == DT_GROUPS_UNKNOWN && s.group_count == 0);
    memset(name, 'n', sizeof(name) - 1);
    r = wifi();
    r.user = name;
    s = (dt_session){0};
    assert_int_equal(dt_session_of_request(&s, &r), DT_E_LIMIT);
}

/* --- the judgement ------------------------------------------------------------------------------------------- */

static dt_session_now now_of(dt_session const *s, dt_outcome const *o, char const *cause)
{
    dt_person_at_okta nobody = {0};
    dt_session_judgement j;

    dt_session_judge(s, o, &nobody, &j);
    if (cause != NULL)
        assert_string_equal(j.cause, cause);
    return j.now;
}

static dt_outcome decided(dt_access access, dt_trust trust, dt_reason reason)
{
    return (dt_outcome){.decision = {.access = access, .cause = DT_DECISION_RULE},
                        .verdict = {.trust = trust, .reason = reason}};
}

static void test_who_was_let_in_without_mfa(void **state)
{
    dt_session s = at_nas();
    dt_outcome o = decided(DT_ACCESS_ALLOW, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);

    (void)state;
    assert_int_equal(now_of(&s, &o, NULL), DT_SESSION_MEETS);
    o = decided(DT_ACCESS_DENY, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_COMPLIANT);
    assert_int_equal(now_of(&s, &o, "RULE_DENY"), DT_SESSION_NO_LONGER);
    o = decided(DT_ACCESS_ALLOW_AFTER_MFA, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_COMPLIANT);
    assert_int_equal(now_of(&s, &o, "MFA_DUE"), DT_SESSION_NO_LONGER);
    o = decided(DT_ACCESS_ALLOW, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    o.org = (dt_decision){.cause = DT_DECISION_RULE, .access = DT_ACCESS_DENY};
    assert_int_equal(now_of(&s, &o, "ORG_RULE_DENY"), DT_SESSION_NO_LONGER);
    o = decided(DT_ACCESS_DENY, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    o.decision.cause = DT_DECISION_BLOCKED_ZONE;
    assert_int_equal(now_of(&s, &o, "BLOCKED_ZONE"), DT_SESSION_NO_LONGER);
}

static void test_who_gave_mfa(void **state)
{
    dt_session s = at_nas();
    dt_outcome o =
        decided(DT_ACCESS_ALLOW_AFTER_MFA, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);

    (void)state;
    s.factor = DT_FACTOR_PUSH;
    s.cause = DT_CAUSE_MFA_SUCCESS;
    o.decision.factors = DT_FACTOR_PUSH | DT_FACTOR_TOTP;
    assert_int_equal(now_of(&s, &o, NULL), DT_SESSION_MEETS);
    o.decision.factors = DT_FACTOR_TOTP;
    assert_int_equal(now_of(&s, &o, "MFA_DUE"), DT_SESSION_NO_LONGER);
    o.decision.access = DT_ACCESS_DENY;
    assert_int_equal(now_of(&s, &o, "RULE_DENY"), DT_SESSION_NO_LONGER);
    s.factor = 0;
    s.cause = DT_CAUSE_OKTA_UNAVAILABLE_ALLOW;
    o.decision.access = DT_ACCESS_ALLOW_AFTER_MFA;
    assert_int_equal(now_of(&s, &o, NULL), DT_SESSION_MEETS);
}

/* Nothing that is not known ends a session: a service that does not answer, groups that were not kept, a fault of
 * ours, a proof that nobody can ask for again, and an outcome in which nothing was decided. */
static void test_what_is_not_known_is_no_loss(void **state)
{
    static dt_decision_cause const unknown[] = {
        DT_DECISION_UNKNOWN_DEVICE,   DT_DECISION_UNKNOWN_GROUPS, DT_DECISION_UNKNOWN_NETWORK,
        DT_DECISION_UNKNOWN_PLATFORM, DT_DECISION_UNKNOWN_TIME,   DT_DECISION_NO_RULE};
    dt_session s = at_nas();
    dt_outcome o = {0};

    (void)state;
    assert_int_equal(now_of(&s, &o, NULL), DT_SESSION_NOT_KNOWN);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        o = decided(DT_ACCESS_DENY, DT_TRUST_NOT_TRUSTED, DT_REASON_NOT_COMPLIANT);
        o.decision.cause = unknown[i];
        assert_int_equal(now_of(&s, &o, NULL), DT_SESSION_NOT_KNOWN);
    }
    o = decided(DT_ACCESS_DENY, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_int_equal(now_of(&s, &o, "DEVICE_UNKNOWN"), DT_SESSION_NOT_KNOWN);
    o = decided(DT_ACCESS_ALLOW_AFTER_MFA, DT_TRUST_TRUSTED, DT_REASON_STALE);
    assert_int_equal(now_of(&s, &o, "DEVICE_UNKNOWN"), DT_SESSION_NOT_KNOWN);
    o = (dt_outcome){.cause = DT_CAUSE_CONFIG};
    assert_int_equal(now_of(&s, &o, "CONFIG"), DT_SESSION_NOT_KNOWN);
    o = (dt_outcome){.cause = DT_CAUSE_INTERNAL};
    assert_int_equal(now_of(&s, &o, "INTERNAL"), DT_SESSION_NOT_KNOWN);
    o = decided(DT_ACCESS_DENY, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    s.agent = true;
    assert_int_equal(now_of(&s, &o, "PROOF_NOT_KEPT"), DT_SESSION_NOT_KNOWN);
    s.agent = false;
    s.proof_left_out = true;
    assert_int_equal(now_of(&s, &o, "PROOF_NOT_KEPT"), DT_SESSION_NOT_KNOWN);
    s.proof_left_out = false;
    assert_int_equal(now_of(&s, &o, "RULE_DENY"), DT_SESSION_NO_LONGER);
}

static void test_the_person(void **state)
{
    dt_session s = at_nas();
    dt_outcome o = decided(DT_ACCESS_ALLOW, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    dt_person_at_okta p = {.on = true, .known = true, .cause = DT_CAUSE_OKTA_USER_SUSPENDED};
    dt_session_judgement j;

    (void)state;
    dt_session_judge(&s, &o, &p, &j);
    assert_int_equal(j.now, DT_SESSION_NO_LONGER);
    assert_string_equal(j.cause, "OKTA_USER_SUSPENDED");
    p.known = false;
    dt_session_judge(&s, &o, &p, &j);
    assert_int_equal(j.now, DT_SESSION_MEETS);
    p.known = true;
    p.cause = DT_CAUSE_OKTA_UNAVAILABLE;
    dt_session_judge(&s, &o, &p, &j);
    assert_int_equal(j.now, DT_SESSION_MEETS);
    p.cause = DT_CAUSE_NONE;
    o = (dt_outcome){.cause = DT_CAUSE_USER_NAME_INVALID};
    dt_session_judge(&s, &o, &p, &j);
    assert_int_equal(j.now, DT_SESSION_NO_LONGER);
}

static void test_words(void **state)
{
    (void)state;
    assert_string_equal(dt_session_door_name(DT_SESSION_HOST), "host");
    assert_string_equal(dt_session_door_name((dt_session_door)9), "none");
    assert_string_equal(dt_session_state_name(DT_SESSION_ACTED), "acted");
    assert_string_equal(dt_session_state_name((dt_session_state)9), "none");
    assert_string_equal(dt_session_now_name((dt_session_now)0), "unknown");
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_a_row_that_is_cut_or_longer_is_refused),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_what_is_not_a_session),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_the_request_asks_the_same_again),
        cmocka_unit_test(test_only_what_was_proved_is_kept),
        cmocka_unit_test(test_what_is_too_long),
        cmocka_unit_test(test_who_was_let_in_without_mfa),
        cmocka_unit_test(test_who_gave_mfa),
        cmocka_unit_test(test_what_is_not_known_is_no_loss),
        cmocka_unit_test(test_the_person),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
