/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a resumed TLS session goes on with: packed and read with its secret alone, and whose it is. */
#include "core/signon/session_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define NOW 1700000000000

static uint8_t const secret[DT_SESSION_SECRET_LEN] = {1, 2, 3}, other[DT_SESSION_SECRET_LEN] = {9};
static uint8_t const nonce[DT_AEAD_NONCE_LEN] = {7};

static void fill(dt_session_record *r)
{
    memset(r, 0, sizeof(*r));
    strcpy(r->owner.login, "ann@example.com");
    strcpy(r->owner.application, "wifi");
    strcpy(r->id, "0123456789abcdef0123456789abcdef");
    strcpy(r->user, "ann");
    strcpy(r->station, "198.51.100.7");
    r->at = NOW;
    r->continued.trust = DT_TRUST_NOT_TRUSTED;
    r->continued.reason = DT_REASON_NO_CERTIFICATE;
    strcpy(r->continued.rule, "Asked");
    r->continued.mfa.at = NOW - 5;
    r->continued.mfa.factor = DT_FACTOR_PUSH;
    strcpy(r->continued.mfa.user_id, "00u1");
    strcpy(r->continued.mfa.factor_stamp, "opf1:5");
    r->group_knowledge = DT_GROUPS_KNOWN;
    memcpy(r->groups, "staff\0admins", 13);
    r->groups_len = 13;
    r->group_count = 2;
    r->reply = dt_bytes_str("the reply, with keys");
}

static void pack(dt_session_record const *r, dt_buf *row)
{
    dt_buf_init(row, DT_STORE_VALUE_MAX);
    assert_int_equal(dt_session_record_pack(r, secret, nonce, row), 0);
}

static int unpack(dt_bytes row, uint8_t const s[], dt_session_record *r, dt_buf *plain)
{
    dt_buf_init(plain, DT_SESSION_RECORD_MAX);
    return dt_session_record_unpack(row, s, plain, r);
}

static void test_there_and_back(void **state)
{
    dt_session_record r, back;
    dt_buf row, plain;

    (void)state;
    fill(&r);
    pack(&r, &row);
    assert_int_equal(unpack(dt_buf_bytes(&row), secret, &back, &plain), 0);
    assert_string_equal(back.user, "ann");
    assert_string_equal(back.station, "198.51.100.7");
    assert_string_equal(back.owner.login, "ann@example.com");
    assert_string_equal(back.continued.rule, "Asked");
    assert_int_equal(back.continued.trust, DT_TRUST_NOT_TRUSTED);
    assert_true(back.continued.mfa.at == NOW - 5 && back.at == NOW);
    assert_int_equal(back.group_count, 2);
    assert_memory_equal(back.groups, "staff\0admins", 13);
    assert_true(dt_bytes_equal(back.reply, r.reply));
    assert_null(memmem(row.p, row.len, "the reply", 9));
    assert_null(memmem(row.p, row.len, "00u1", 4));
    dt_buf_free(&plain);
    dt_buf_free(&row);
}

/* Another session's secret, a byte changed anywhere, a row cut short: nothing is believed. */
static void test_nothing_else_opens_it(void **state)
{
    dt_session_record r, back;
    dt_buf row, plain;

    (void)state;
    fill(&r);
    pack(&r, &row);
    assert_int_equal(unpack(dt_buf_bytes(&row), other, &back, &plain), DT_E_PARSE);
    assert_true(back.at == 0 && back.user[0] == '\0');
    dt_buf_free(&plain);
    for (size_t i = 0; i < row.len; i++) {
        row.p[i] ^= 1;
        assert_int_equal(unpack(dt_buf_bytes(&row), secret, &back, &plain), DT_E_PARSE);
        dt_buf_free(&plain);
        row.p[i] ^= 1;
        assert_int_equal(unpack(dt_bytes_of(row.p, i), secret, &back, &plain), DT_E_PARSE);
        dt_buf_free(&plain);
    }
    dt_buf_free(&row);
}

static void test_whose_it_is(void **state)
{
    dt_session_record r;
    dt_session_owner o;
    dt_buf row;

    (void)state;
    fill(&r);
    pack(&r, &row);
    assert_int_equal(dt_session_record_owner(dt_buf_bytes(&row), &o), 0);
    assert_string_equal(o.login, "ann@example.com");
    assert_string_equal(o.application, "wifi");
    assert_int_equal(dt_session_record_owner(dt_bytes_str("{\"v\":2}"), &o), DT_E_PARSE);
    dt_buf_free(&row);
    strcpy(r.owner.login, "ann\nwifi");
    dt_buf_init(&row, DT_STORE_VALUE_MAX);
    assert_int_equal(dt_session_record_pack(&r, secret, nonce, &row), DT_E_INVALID);
    dt_buf_free(&row);
}

static void test_keys_differ(void **state)
{
    char a[DT_STORE_KEY_MAX], b[DT_STORE_KEY_MAX];

    (void)state;
    assert_int_equal(dt_session_record_key(secret, a), 0);
    assert_int_equal(dt_session_record_key(other, b), 0);
    assert_string_not_equal(a, b);
}

static void test_secret_of_a_name(void **state)
{
    uint8_t a[DT_SESSION_SECRET_LEN], b[DT_SESSION_SECRET_LEN];
    dt_bytes const none = dt_bytes_of(NULL, 0), key = dt_bytes_str("key");

    (void)state;
    assert_int_equal(dt_session_secret_of_name(none, "", a), DT_E_INVALID);
    assert_int_equal(dt_session_secret_of_name(key, "", a), DT_E_INVALID);
    assert_int_equal(dt_session_secret_of_name(none, "radius:1", a), 0);
    assert_int_equal(dt_session_secret_of_name(none, "radius:1", b), 0);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(dt_session_secret_of_name(none, "radius:2", b), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(dt_session_secret_of_name(key, "radius:1", b), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    /* The end of a key is not the beginning of a name. */
    assert_int_equal(dt_session_secret_of_name(dt_bytes_str("keyr"), "adius:1", a), 0);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void test_bounds(void **state)
{
    static uint8_t much[DT_SESSION_REPLY_MAX + 1];
    dt_session_record r;
    dt_buf row;

    (void)state;
    fill(&r);
    r.reply = dt_bytes_of(much, sizeof(much));
    dt_buf_init(&row, DT_STORE_VALUE_MAX);
    assert_int_equal(dt_session_record_pack(&r, secret, nonce, &row), DT_E_LIMIT);
    r.reply = dt_bytes_of(much, sizeof(much) - 1);
    assert_int_equal(dt_session_record_pack(&r, secret, nonce, &row), 0);
    dt_buf_free(&row);
}

static void test_how_long(void **state)
{
    dt_session_record r, none = {0};

    (void)state;
    fill(&r);
    assert_true(dt_session_record_is_good(&r, DT_HOURS(8), NOW));
    assert_true(dt_session_record_is_good(&r, DT_HOURS(8), NOW + DT_HOURS(8) - 1));
    assert_false(dt_session_record_is_good(&r, DT_HOURS(8), NOW + DT_HOURS(8)));
    assert_false(dt_session_record_is_good(&r, DT_HOURS(8), NOW - 1)); /* of the future */
    assert_false(dt_session_record_is_good(&r, 0, NOW));
    assert_false(dt_session_record_is_good(&none, DT_HOURS(8), NOW));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_there_and_back),   cmocka_unit_test(test_nothing_else_opens_it),
        cmocka_unit_test(test_whose_it_is),      cmocka_unit_test(test_keys_differ),
        cmocka_unit_test(test_secret_of_a_name), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_how_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
