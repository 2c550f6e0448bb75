/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The State token: whoever is not the one it was made for, comes late, or changed a single bit of it,
 * gets nothing out of it. */
#include "core/signon/state_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN_LEN 80 /* magic 4, key 8, nonce 12, expiry 8, id 16, station 16, tag 16 */
#define HEAD_LEN 12  /* magic, key */
#define EXPIRES INT64_C(1790000000000)

static uint8_t const key[DT_AEAD_KEY_LEN] = {1, 2, 3, 4, 5, 6, 7, 8};
static uint8_t const random_bytes[DT_AEAD_NONCE_LEN + DT_STATE_ID_LEN] = {
    9,    8,    7,    6,    5,    4,    3,    2,    1,    0,    1,    2,    0xa0, 0xb1,
    0xc2, 0xd3, 0xe4, 0xf5, 0x06, 0x17, 0x28, 0x39, 0x4a, 0x5b, 0x6c, 0x7d, 0x8e, 0x9f};
static char const id[] = "a0b1c2d3e4f5061728394a5b6c7d8e9f";
static dt_state_binding const anna = {"anna", "192.0.2.1", "vpn", "00-11-22-33-44-55"};

typedef struct token {
    uint8_t bytes[DT_STATE_TOKEN_MAX + 1];
    dt_buf buf;
} token;

static void make(token *t, dt_state_binding const *b)
{
    char made[2 * DT_STATE_ID_LEN + 1];
    dt_buf_init_fixed(&t->buf, t->bytes, sizeof(t->bytes));
    assert_int_equal(dt_state_token_make(key, random_bytes, b, EXPIRES, &t->buf, made), DT_OK);
    assert_string_equal(made, id);
}

/* What opening gives; a refusal must leave no id behind. */
static int open_with(dt_bytes bytes, dt_state_binding const *b, dt_time now)
{
    char got[2 * DT_STATE_ID_LEN + 1] = "untouched";
    int rc = dt_state_token_open(key, bytes, b, now, got);
    assert_string_equal(got, rc == DT_OK ? id : "");
    return rc;
}

static void its_owner_opens_it_until_it_expires(void **state)
{
    token t;
    (void)state;
    make(&t, &anna);
    dt_bytes bytes = dt_buf_bytes(&t.buf);
    assert_int_equal(bytes.len, TOKEN_LEN);
    assert_true(dt_state_token_is_ours(bytes));
    assert_int_equal(open_with(bytes, &anna, 0), DT_OK);
    assert_int_equal(open_with(bytes, &anna, EXPIRES - 1), DT_OK);
    assert_int_equal(open_with(bytes, &anna, EXPIRES), DT_E_EXPIRED);
    assert_int_equal(open_with(bytes, &anna, EXPIRES + 1), DT_E_EXPIRED);
    assert_int_equal(open_with(bytes, &anna, DT_TIME_NEVER), DT_E_EXPIRED);
}

static void nobody_else_opens_it(void **state)
{
    static dt_state_binding const others[] = {
        {"ben", "192.0.2.1", "vpn", "00-11-22-33-44-55"},
        {"Anna", "192.0.2.1", "vpn", "00-11-22-33-44-55"},
        {"anna", "192.0.2.2", "vpn", "00-11-22-33-44-55"},
        {"anna", "192.0.2.1", "wifi", "00-11-22-33-44-55"},
        {"anna", "192.0.2.1", "vpn", "00-11-22-33-44-56"},
        {"", "192.0.2.1", "vpn", "00-11-22-33-44-55"},
        {NULL, "192.0.2.1", "vpn", "00-11-22-33-44-55"},
        {"anna", NULL, "vpn", "00-11-22-33-44-55"},
        {"anna", "192.0.2.1", NULL, "00-11-22-33-44-55"},
        {"anna", "", "vpn", "00-11-22-33-44-55"},
        {"anna ", "192.0.2.1", "vpn", "00-11-22-33-44-55"},
        /* the same letters, cut elsewhere */
        {"anna192.0.2.1", "", "vpn", "00-11-22-33-44-55"},
        {"ann", "a192.0.2.1", "vpn", "00-11-22-33-44-55"},
        {"anna", "192.0.2.1vpn", "", "00-11-22-33-44-55"},
        {"anna", "192.0.2.1", "vp", "n00-11-22-33-44-55"},
        /* the same fields, in another order */
        {"192.0.2.1", "anna", "vpn", "00-11-22-33-44-55"},
        {"anna", "192.0.2.1", "00-11-22-33-44-55", "vpn"},
        /* whose station is left out: the rest still counts */
        {"ben", "192.0.2.1", "vpn", NULL},
        {"anna", "192.0.2.2", "vpn", ""},
        {"anna", NULL, "vpn", NULL},
        {"anna", "192.0.2.1", "wifi", ""},
    };
    token t;
    (void)state;
    make(&t, &anna);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(open_with(dt_buf_bytes(&t.buf), &others[i], 0), DT_E_CRYPTO);
}

/* An answer without the station is not from another one. */
static void a_station_may_be_left_out(void **state)
{
    dt_state_binding without = anna, empty = anna;
    token t;
    (void)state;
    without.station = NULL;
    empty.station = "";
    make(&t, &anna);
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &without, 0), DT_OK);
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &empty, 0), DT_OK);
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &without, EXPIRES), DT_E_EXPIRED);
    make(&t, &without);
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &without, 0), DT_OK);
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &empty, 0), DT_OK);
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &anna, 0), DT_E_CRYPTO);
}

/* Nothing tells one server without a name from another. */
static void no_server_is_no_server(void **state)
{
    static char const *const none[] = {NULL, ""};
    char made[2 * DT_STATE_ID_LEN + 1] = "untouched";
    uint8_t bytes[DT_STATE_TOKEN_MAX + 1];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        dt_state_binding b = anna;
        dt_buf out;
        b.nas = none[i];
        dt_buf_init_fixed(&out, bytes, sizeof(bytes));
        assert_int_equal(dt_state_token_make(key, random_bytes, &b, EXPIRES, &out, made),
                         DT_E_INVALID);
        assert_string_equal(made, "");
        assert_int_equal(out.len, 0);
    }
}

static void fields_may_be_long_or_missing(void **state)
{
    enum { LONG = 100000 };
    char *user = malloc(LONG + 1);
    dt_state_binding b = {user, "nas", NULL, ""}, same = {user, "nas", "", NULL};
    token t;
    (void)state;
    assert_non_null(user);
    memset(user, 'a', LONG);
    user[LONG] = '\0';
    make(&t, &b);
    assert_int_equal(t.buf.len, TOKEN_LEN);
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &b, 0), DT_OK);
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &same, 0), DT_OK);
    user[LONG - 1] = 'b';
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &b, 0), DT_E_CRYPTO);
    free(user);
}

/* What a change of one of its bytes gives: in the key's name, a State of another server. */
static int refusal_at(size_t at)
{
    return at >= 4 && at < HEAD_LEN ? DT_E_NOT_FOUND : DT_E_CRYPTO;
}

static void every_bit_counts(void **state)
{
    token t;
    (void)state;
    make(&t, &anna);
    for (size_t i = 0; i < t.buf.len * 8; i++) {
        t.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_int_equal(open_with(dt_buf_bytes(&t.buf), &anna, 0), refusal_at(i / 8));
        t.bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_int_equal(open_with(dt_buf_bytes(&t.buf), &anna, 0), DT_OK);
}

static void every_byte_counts(void **state)
{
    token t;
    (void)state;
    make(&t, &anna);
    for (size_t i = 0; i < t.buf.len; i++) {
        uint8_t was = t.bytes[i];
        for (unsigned v = 0; v < 256; v++) {
            t.bytes[i] = (uint8_t)v;
            assert_int_equal(open_with(dt_buf_bytes(&t.buf), &anna, 0),
                             v == was ? DT_OK : refusal_at(i));
        }
        t.bytes[i] = was;
    }
}

static void no_other_length_is_ours(void **state)
{
    token t;
    (void)state;
    make(&t, &anna);
    for (size_t len = 0; len <= DT_STATE_TOKEN_MAX; len++) {
        if (len == TOKEN_LEN)
            continue;
        dt_bytes bytes = dt_bytes_of(t.bytes, len);
        if (len > TOKEN_LEN)
            memset(t.bytes + TOKEN_LEN, 0, sizeof(t.bytes) - TOKEN_LEN);
        assert_false(dt_state_token_is_ours(bytes));
        assert_int_equal(open_with(bytes, &anna, 0), DT_E_CRYPTO);
    }
    assert_false(dt_state_token_is_ours(dt_bytes_of(NULL, 0)));
    assert_int_equal(open_with(dt_bytes_of(NULL, 0), &anna, 0), DT_E_CRYPTO);
}

/* EAP and other modules have States of their own. */
static void foreign_states_are_left_alone(void **state)
{
    uint8_t eap[16] = {0x2b, 0x1c, 0x0d};
    uint8_t ours_by_length[TOKEN_LEN] = {0};
    (void)state;
    assert_false(dt_state_token_is_ours(dt_bytes_of(eap, sizeof(eap))));
    assert_false(dt_state_token_is_ours(dt_bytes_of(ours_by_length, sizeof(ours_by_length))));
    assert_int_equal(open_with(dt_bytes_of(ours_by_length, sizeof(ours_by_length)), &anna, 0),
                     DT_E_CRYPTO);
}

static void another_key_does_not_open_it(void **state)
{
    uint8_t other[DT_AEAD_KEY_LEN];
    char got[2 * DT_STATE_ID_LEN + 1];
    token t;
    (void)state;
    make(&t, &anna);
    for (size_t i = 0; i < sizeof(key); i++) {
        memcpy(other, key, sizeof(other));
        other[i] ^= 0x80;
        assert_int_equal(dt_state_token_open(other, dt_buf_bytes(&t.buf), &anna, 0, got),
                         DT_E_NOT_FOUND);
        assert_string_equal(got, "");
    }
    /* one that only claims to be of this key */
    uint8_t forged[TOKEN_LEN];
    token own;
    other[0] ^= 0x80;
    dt_buf_init_fixed(&own.buf, own.bytes, sizeof(own.bytes));
    assert_int_equal(dt_state_token_make(other, random_bytes, &anna, EXPIRES, &own.buf, got),
                     DT_OK);
    memcpy(forged, own.bytes, sizeof(forged));
    memcpy(forged, t.bytes, HEAD_LEN);
    assert_int_equal(open_with(dt_bytes_of(forged, sizeof(forged)), &anna, 0), DT_E_CRYPTO);
}

/* The nonce is authenticated too: a token's parts cannot be put together anew. */
static void two_tokens_cannot_be_mixed(void **state)
{
    uint8_t random2[sizeof(random_bytes)];
    char made[2 * DT_STATE_ID_LEN + 1];
    uint8_t mixed[TOKEN_LEN];
    token a, b;
    (void)state;
    make(&a, &anna);
    for (size_t i = 0; i < sizeof(random2); i++)
        random2[i] = (uint8_t)(random_bytes[i] + 1);
    dt_buf_init_fixed(&b.buf, b.bytes, sizeof(b.bytes));
    assert_int_equal(dt_state_token_make(key, random2, &anna, EXPIRES + 1, &b.buf, made), DT_OK);
    assert_string_not_equal(made, id);
    for (size_t cut = HEAD_LEN + 1; cut < TOKEN_LEN; cut++) {
        memcpy(mixed, a.bytes, cut);
        memcpy(mixed + cut, b.bytes + cut, TOKEN_LEN - cut);
        assert_int_equal(open_with(dt_bytes_of(mixed, sizeof(mixed)), &anna, 0), DT_E_CRYPTO);
    }
}

static void what_cannot_be_made_is_said(void **state)
{
    char made[2 * DT_STATE_ID_LEN + 1] = "untouched";
    uint8_t small[TOKEN_LEN]; /* one byte too few: the buffer keeps one for its NUL */
    dt_buf b;
    (void)state;
    dt_buf_init_fixed(&b, small, sizeof(small));
    assert_int_equal(dt_state_token_make(key, random_bytes, &anna, EXPIRES, &b, made), DT_E_LIMIT);
    assert_string_equal(made, "");
    dt_buf_init_fixed(&b, small, sizeof(small));
    assert_int_equal(dt_state_token_make(key, random_bytes, &anna, 0, &b, made), DT_E_INVALID);
    assert_int_equal(dt_state_token_make(key, random_bytes, &anna, -1, &b, made), DT_E_INVALID);
    assert_int_equal(b.len, 0);
}

static void nothing_readable_is_in_it(void **state)
{
    token t;
    (void)state;
    make(&t, &anna);
    assert_null(memmem(t.bytes, t.buf.len, "anna", 4));
    assert_null(memmem(t.bytes, t.buf.len, random_bytes + DT_AEAD_NONCE_LEN, 4));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(its_owner_opens_it_until_it_expires),
        cmocka_unit_test(nobody_else_opens_it),
        cmocka_unit_test(a_station_may_be_left_out),
        cmocka_unit_test(no_server_is_no_server),
        cmocka_unit_test(fields_may_be_long_or_missing),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(no_other_length_is_ours),
        cmocka_unit_test(foreign_states_are_left_alone),
        cmocka_unit_test(another_key_does_not_open_it),
        cmocka_unit_test(two_tokens_cannot_be_mixed),
        cmocka_unit_test(what_cannot_be_made_is_said),
        cmocka_unit_test(nothing_readable_is_in_it),
    };
    return cmocka_run_group_tests_name("state_token", tests, NULL, NULL);
}
