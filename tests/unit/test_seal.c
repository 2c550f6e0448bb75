/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sealed rows: what whoever can write the database tries, and the ring of secrets with its file. */
#include "core/seal/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EXPIRES INT64_C(1790000000000)
#define OVERHEAD (1 + 4 + 16 + 12 + 2 + 16)

static char const key_text[] = "push:anna@example.com";
static char const value_text[] = "approved by anna at 192.0.2.1";

typedef struct fixture {
    dt_ring *ring;
    dt_seal_place place;
    char key[DT_STORE_KEY_MAX];
    dt_buf sealed, plain;
} fixture;

static void fill(uint8_t *out, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(seed * 97 + i * 31 + i * i);
}

static void secret_of(unsigned seed, uint8_t out[DT_RING_SECRET_LEN])
{
    fill(out, DT_RING_SECRET_LEN, seed);
}

static dt_ring *ring_of(unsigned index, unsigned secret)
{
    uint8_t a[DT_RING_SECRET_LEN], b[DT_RING_SECRET_LEN];
    dt_ring *ring = NULL;

    secret_of(index, a);
    secret_of(secret, b);
    assert_int_equal(dt_ring_new(a, b, &ring), DT_OK);
    return ring;
}

static void place_of(dt_ring const *ring, dt_store_table table, char const *key, dt_seal_place *out)
{
    char text[DT_STORE_KEY_MAX] = "";

    assert_int_equal(dt_str_copy(text, sizeof(text), key), DT_OK);
    assert_int_equal(dt_seal_place_of(ring, table, text, out), DT_OK);
}

static void seal_with(dt_ring const *ring, dt_seal_place const *place, char const *value,
                      unsigned seed, dt_buf *out)
{
    uint8_t random[DT_SEAL_RANDOM_LEN];

    fill(random, sizeof(random), seed);
    assert_int_equal(
        dt_seal_value(ring, place, key_text, dt_bytes_str(value), EXPIRES, random, out), DT_OK);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->ring = ring_of(1, 2);
    place_of(f->ring, DT_TABLE_PUSH, key_text, &f->place);
    dt_buf_init(&f->sealed, DT_SEAL_VALUE_MAX);
    dt_buf_init(&f->plain, DT_SEAL_VALUE_MAX);
    seal_with(f->ring, &f->place, value_text, 3, &f->sealed);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;

    dt_ring_free(&f->ring);
    dt_buf_free(&f->sealed);
    dt_buf_free(&f->plain);
    free(f);
    return 0;
}

/* What opening gives; a refusal leaves nothing behind. */
static int open_at(fixture *f, dt_ring const *ring, dt_seal_place const *place, dt_time expires,
                   dt_bytes sealed)
{
    dt_bytes value = dt_bytes_str("untouched");
    int rc = dt_seal_open(ring, place, expires, sealed, &f->plain, f->key, &value);

    if (rc == DT_OK) {
        assert_true(dt_bytes_equal(value, dt_bytes_str(value_text)));
        assert_string_equal(f->key, key_text);
    } else {
        assert_int_equal(value.len, 0);
        assert_string_equal(f->key, "");
    }
    return rc;
}

static int open_it(fixture *f, dt_time expires, dt_bytes sealed)
{
    return open_at(f, f->ring, &f->place, expires, sealed);
}

static bool has(dt_buf const *b, char const *text)
{
    return memmem(b->p, b->len, text, strlen(text)) != NULL;
}

static void opens_where_it_was_sealed(void **state)
{
    fixture *f = *state;

    assert_int_equal(f->sealed.len, sizeof(key_text) - 1 + sizeof(value_text) - 1 + OVERHEAD);
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&f->sealed)), DT_OK);
}

static void says_nothing_of_its_content(void **state)
{
    fixture *f = *state;
    dt_buf again;

    assert_false(has(&f->sealed, "anna"));
    assert_false(has(&f->sealed, "push:"));
    assert_false(has(&f->sealed, "approved"));
    assert_null(memmem(f->place.key, DT_SHA256_LEN, "anna", 4));
    dt_buf_init(&again, DT_SEAL_VALUE_MAX);
    seal_with(f->ring, &f->place, value_text, 4, &again);
    assert_int_equal(again.len, f->sealed.len);
    /* Nothing but version and number is alike in two seals of one value. */
    for (size_t i = DT_SEAL_HEAD_LEN; i + 8 <= again.len; i++)
        assert_memory_not_equal(again.p + i, f->sealed.p + i, 8);
    dt_buf_free(&again);
}

static void no_bit_may_change(void **state)
{
    fixture *f = *state;

    for (size_t i = 0; i < f->sealed.len * 8; i++) {
        f->sealed.p[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(open_it(f, EXPIRES, dt_buf_bytes(&f->sealed)), DT_OK);
        f->sealed.p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < f->sealed.len; len++)
        assert_int_not_equal(open_it(f, EXPIRES, dt_bytes_of(f->sealed.p, len)), DT_OK);
    dt_buf_putc(&f->sealed, '\0');
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&f->sealed)), DT_E_CRYPTO);
}

static void cannot_be_prolonged(void **state)
{
    fixture *f = *state;
    dt_time const others[] = {EXPIRES + 1, EXPIRES - 1, 0, -EXPIRES, DT_TIME_NEVER, EXPIRES << 8};

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(open_it(f, others[i], dt_buf_bytes(&f->sealed)), DT_E_CRYPTO);
}

static void cannot_be_moved_to_another_table(void **state)
{
    fixture *f = *state;

    for (int t = DT_TABLE_NONE; t <= DT_TABLE_COUNT; t++) {
        dt_seal_place moved = f->place;
        moved.table = (dt_store_table)t;
        assert_int_equal(open_at(f, f->ring, &moved, EXPIRES, dt_buf_bytes(&f->sealed)),
                         t == DT_TABLE_PUSH ? DT_OK : DT_E_CRYPTO);
    }
}

static void cannot_be_moved_to_another_key(void **state)
{
    fixture *f = *state;
    dt_seal_place other;

    place_of(f->ring, DT_TABLE_PUSH, "push:ben@example.com", &other);
    assert_int_equal(open_at(f, f->ring, &other, EXPIRES, dt_buf_bytes(&f->sealed)), DT_E_CRYPTO);
    other = f->place;
    other.key[31] ^= 1;
    assert_int_equal(open_at(f, f->ring, &other, EXPIRES, dt_buf_bytes(&f->sealed)), DT_E_CRYPTO);
}

static void cannot_be_made_without_the_ring(void **state)
{
    fixture *f = *state;
    dt_ring *thief = ring_of(1, 9); /* whoever guesses all but the secret */
    dt_buf forged;

    dt_buf_init(&forged, DT_SEAL_VALUE_MAX);
    seal_with(thief, &f->place, value_text, 3, &forged);
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&forged)), DT_E_CRYPTO);
    dt_buf_free(&forged);
    dt_ring_free(&thief);
}

/* After a restore: the same secrets, the next epoch. */
static void no_row_of_an_earlier_epoch_opens(void **state)
{
    fixture *f = *state;
    uint8_t index[DT_RING_SECRET_LEN];
    dt_seal_place now;

    secret_of(7, index);
    assert_int_equal(dt_ring_raise(f->ring, index), DT_OK);
    assert_int_equal(f->ring->epoch, 2);
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&f->sealed)), DT_E_CRYPTO);
    place_of(f->ring, DT_TABLE_PUSH, key_text, &now);
    assert_memory_not_equal(now.key, f->place.key, DT_SHA256_LEN);
    assert_memory_not_equal(now.owner, f->place.owner, DT_SHA256_LEN);
    /* Nor by the epoch alone, if somebody edits the file. */
    secret_of(1, index);
    assert_int_equal(dt_ring_raise(f->ring, index), DT_OK);
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&f->sealed)), DT_E_CRYPTO);
    place_of(f->ring, DT_TABLE_PUSH, key_text, &now);
    assert_memory_not_equal(now.key, f->place.key, DT_SHA256_LEN);
}

static void a_key_has_one_place(void **state)
{
    fixture *f = *state;
    dt_ring *other = ring_of(5, 2);
    dt_seal_place p;

    place_of(f->ring, DT_TABLE_PUSH, key_text, &p);
    assert_memory_equal(p.key, f->place.key, DT_SHA256_LEN);
    place_of(f->ring, DT_TABLE_STATE, key_text, &p);
    assert_memory_not_equal(p.key, f->place.key, DT_SHA256_LEN);
    assert_memory_not_equal(p.owner, f->place.owner, DT_SHA256_LEN);
    place_of(f->ring, DT_TABLE_PUSH, "push:anna@example.co", &p);
    assert_memory_not_equal(p.key, f->place.key, DT_SHA256_LEN);
    place_of(other, DT_TABLE_PUSH, key_text, &p);
    assert_memory_not_equal(p.key, f->place.key, DT_SHA256_LEN);
    assert_memory_not_equal(p.owner, f->place.owner, DT_SHA256_LEN);
    dt_ring_free(&other);
}

static void rows_of_one_owner_are_alike(void **state)
{
    fixture *f = *state;
    dt_seal_place a, b;

    place_of(f->ring, DT_TABLE_STATE, "0a0b:1:x", &a);
    place_of(f->ring, DT_TABLE_STATE, "0a0b:2", &b);
    assert_memory_equal(a.owner, b.owner, DT_SHA256_LEN);
    assert_memory_not_equal(a.key, b.key, DT_SHA256_LEN);
    place_of(f->ring, DT_TABLE_STATE, "0a0c:1", &b);
    assert_memory_not_equal(a.owner, b.owner, DT_SHA256_LEN);
    place_of(f->ring, DT_TABLE_STATE, "0a0b", &b);
    assert_memory_not_equal(a.owner, b.owner, DT_SHA256_LEN);
    /* An owner is no key. */
    place_of(f->ring, DT_TABLE_STATE, "0a0b:", &b);
    assert_memory_not_equal(a.owner, b.key, DT_SHA256_LEN);
}

static void bad_keys_have_no_place(void **state)
{
    fixture *f = *state;
    char text[DT_STORE_KEY_MAX] = "x";
    dt_seal_place p;

    assert_int_equal(dt_seal_place_of(f->ring, DT_TABLE_NONE, text, &p), DT_E_INVALID);
    assert_int_equal(dt_seal_place_of(f->ring, DT_TABLE_TRIED, text, &p), DT_E_INVALID);
    text[0] = '\0';
    assert_int_equal(dt_seal_place_of(f->ring, DT_TABLE_PUSH, text, &p), DT_E_INVALID);
    memset(text, 'x', sizeof(text));
    assert_int_equal(dt_seal_place_of(f->ring, DT_TABLE_PUSH, text, &p), DT_E_INVALID);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(dt_seal_place_of(f->ring, DT_TABLE_PUSH, text, &p), DT_OK);
}

static void marks_are_of_a_value_and_a_row(void **state)
{
    fixture *f = *state;
    uint8_t a[DT_SEAL_MARK_LEN], b[DT_SEAL_MARK_LEN];
    dt_seal_place other;

    assert_int_equal(dt_seal_mark(f->ring, &f->place, dt_bytes_str("x"), a), DT_OK);
    assert_int_equal(dt_seal_mark(f->ring, &f->place, dt_bytes_str("x"), b), DT_OK);
    assert_memory_equal(a, b, sizeof(a));
    assert_int_equal(dt_seal_mark(f->ring, &f->place, dt_bytes_str("y"), b), DT_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    place_of(f->ring, DT_TABLE_PUSH, "push:ben@example.com", &other);
    assert_int_equal(dt_seal_mark(f->ring, &other, dt_bytes_str("x"), b), DT_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    other = f->place;
    other.table = DT_TABLE_STATE;
    assert_int_equal(dt_seal_mark(f->ring, &other, dt_bytes_str("x"), b), DT_OK);
    assert_memory_not_equal(a, b, sizeof(a));
}

static void rotation_loses_no_row(void **state)
{
    fixture *f = *state;
    uint8_t secret[DT_RING_SECRET_LEN];
    dt_seal_place after;
    dt_buf fresh;
    uint32_t id = 0;

    secret_of(11, secret);
    assert_int_equal(dt_ring_add(f->ring, secret, &id), DT_OK);
    assert_int_equal(id, 2);
    assert_int_equal(f->ring->current, 0); /* until all nodes can read it */
    assert_int_equal(dt_ring_use(f->ring, 3), DT_E_NOT_FOUND);
    assert_int_equal(dt_ring_retire(f->ring, 1), DT_E_STATE);
    assert_int_equal(dt_ring_use(f->ring, 2), DT_OK);
    place_of(f->ring, DT_TABLE_PUSH, key_text, &after);
    assert_memory_equal(after.key, f->place.key, DT_SHA256_LEN);
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&f->sealed)), DT_OK);
    dt_buf_init(&fresh, DT_SEAL_VALUE_MAX);
    seal_with(f->ring, &f->place, value_text, 5, &fresh);
    assert_int_equal(fresh.p[4], 2);
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&fresh)), DT_OK);
    assert_int_equal(dt_ring_retire(f->ring, 1), DT_OK);
    assert_int_equal(dt_ring_retire(f->ring, 1), DT_E_NOT_FOUND);
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&f->sealed)), DT_E_NOT_FOUND);
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&fresh)), DT_OK);
    /* A number is not given twice, and the number is a part of the seal. */
    assert_int_equal(dt_ring_add(f->ring, secret, &id), DT_OK);
    assert_int_equal(id, 3);
    fresh.p[4] = 3;
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&fresh)), DT_E_CRYPTO);
    dt_buf_free(&fresh);
}

static void a_ring_is_bounded_and_random(void **state)
{
    fixture *f = *state;
    uint8_t secret[DT_RING_SECRET_LEN] = {0};
    dt_ring *none = NULL;
    uint32_t id = 0;

    assert_int_equal(dt_ring_add(f->ring, secret, &id), DT_E_INVALID);
    assert_int_equal(dt_ring_raise(f->ring, secret), DT_E_INVALID);
    assert_int_equal(dt_ring_new(secret, secret, &none), DT_E_INVALID);
    assert_null(none);
    for (unsigned i = 1; i < DT_RING_KEYS_MAX; i++) {
        secret_of(20 + i, secret);
        assert_int_equal(dt_ring_add(f->ring, secret, &id), DT_OK);
    }
    assert_int_equal(dt_ring_add(f->ring, secret, &id), DT_E_LIMIT);
    f->ring->epoch = DT_RING_NUMBER_MAX;
    assert_int_equal(dt_ring_raise(f->ring, secret), DT_E_LIMIT);
}

static void too_long_is_not_sealed(void **state)
{
    fixture *f = *state;
    uint8_t random[DT_SEAL_RANDOM_LEN] = {0};
    uint8_t *big = calloc(1, DT_STORE_VALUE_MAX + 1);
    dt_bytes most = dt_bytes_of(big, DT_STORE_VALUE_MAX), more = dt_bytes_of(big, most.len + 1);

    dt_buf_reset(&f->sealed);
    assert_int_equal(dt_seal_value(f->ring, &f->place, key_text, more, 1, random, &f->sealed),
                     DT_E_LIMIT);
    assert_int_equal(dt_seal_value(f->ring, &f->place, "", most, 1, random, &f->sealed),
                     DT_E_LIMIT);
    assert_int_equal(f->sealed.len, 0);
    assert_int_equal(dt_seal_value(f->ring, &f->place, key_text, most, 1, random, &f->sealed),
                     DT_OK);
    free(big);
}

/* --- the file ------------------------------------------------------------------------------------ */

#define HEX_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX_B "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define HEX_0 "0000000000000000000000000000000000000000000000000000000000000000"
#define HEAD "devtrust-ring 1\nepoch 4\nindex " HEX_A "\n"

static void the_file_comes_back_as_it_was(void **state)
{
    static char const text[] = HEAD "key 3 " HEX_B "\nkey 9 " HEX_A " current\n";
    dt_ring *ring = NULL;
    dt_error e = {0};
    dt_buf out;

    (void)state;
    assert_int_equal(dt_ring_parse(dt_bytes_str(text), &ring, &e), DT_OK);
    assert_int_equal(ring->epoch, 4);
    assert_int_equal(ring->count, 2);
    assert_int_equal(ring->current, 1);
    assert_non_null(dt_ring_secret(ring, 3));
    assert_null(dt_ring_secret(ring, 1));
    dt_buf_init(&out, DT_RING_TEXT_MAX);
    assert_int_equal(dt_ring_put(ring, &out), DT_OK);
    assert_string_equal((char const *)out.p, text);
    dt_buf_free(&out);
    dt_ring_free(&ring);
}

static void a_damaged_file_is_no_ring(void **state)
{
    static struct {
        char const *text, *says;
    } const bad[] = {
        {"", "line 1"},
        {"devtrust-ring 2\n", "line 1"},
        {"devtrust-ring 1", "line 1"},
        {"devtrust-ring 1\n", "line 2"},
        {"devtrust-ring 1\nepoch 0\n", "line 2"},
        {"devtrust-ring 1\nepoch 04\n", "line 2"},
        {"devtrust-ring 1\nepoch 1000000\n", "line 2"},
        {"devtrust-ring 1\nepoch 99999999999999999999\n", "line 2"},
        {"devtrust-ring 1\nepoch 4 \n", "line 2"},
        {"devtrust-ring 1\nepoch 4\nindex " HEX_0 "\n", "line 3: the secret is not random"},
        {"devtrust-ring 1\nepoch 4\nindex 0011\n", "line 3"},
        {"devtrust-ring 1\nepoch 4\nindex " HEX_A "0\n", "line 3"},
        {HEAD, "line 4"},
        {HEAD "key 1 " HEX_B "\n", "no key is current"},
        {HEAD "key 1 " HEX_B " current", "line 4"},
        {HEAD "key 0 " HEX_B " current\n", "line 4"},
        {HEAD "key 1 " HEX_0 " current\n", "line 4: the secret is not random"},
        {HEAD "key 1 " HEX_B " currently\n", "line 4"},
        {HEAD "key 1 " HEX_B " current \n", "line 4"},
        {HEAD "key 1  " HEX_B " current\n", "line 4"},
        {HEAD "key 1 " HEX_B " current\n\n", "line 5"},
        {HEAD "key 1 " HEX_B " current\nkey 1 " HEX_A "\n", "line 5: a key of this number"},
        {HEAD "key 1 " HEX_B " current\nkey 2 " HEX_A " current\n", "line 5: another key"},
        {HEAD "key 1 " HEX_B " current\nepoch 5\n", "line 5"},
        {HEAD "key 1 " HEX_B "\nkey 2 " HEX_B "\nkey 3 " HEX_B "\nkey 4 " HEX_B "\nkey 5 " HEX_B
              "\nkey 6 " HEX_B "\nkey 7 " HEX_B "\nkey 8 " HEX_B "\nkey 9 " HEX_B " current\n",
         "line 12: there are too many keys"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dt_ring *ring = NULL;
        dt_error e = {0};
        assert_int_equal(dt_ring_parse(dt_bytes_str(bad[i].text), &ring, &e), DT_E_PARSE);
        assert_null(ring);
        assert_non_null(strstr(e.text, bad[i].says));
        assert_null(strstr(e.text, "ccbbaa")); /* no secret */
    }
}

/* Two values that by chance have the same nonce do not reveal each other. */
static void each_seal_has_a_key_of_its_own(void **state)
{
    fixture *f = *state;
    uint8_t random[DT_SEAL_RANDOM_LEN];
    dt_buf other;

    fill(random, sizeof(random), 3); /* what the row was sealed with */
    random[0] ^= 1;                  /* the salt; the nonce stays */
    dt_buf_init(&other, DT_SEAL_VALUE_MAX);
    assert_int_equal(dt_seal_value(f->ring, &f->place, key_text, dt_bytes_str(value_text), EXPIRES,
                                   random, &other),
                     DT_OK);
    assert_int_equal(other.len, f->sealed.len);
    assert_memory_not_equal((char const *)other.p + DT_SEAL_HEAD_LEN,
                            (char const *)f->sealed.p + DT_SEAL_HEAD_LEN,
                            f->sealed.len - DT_SEAL_HEAD_LEN - DT_AEAD_TAG_LEN);
    assert_int_equal(open_it(f, EXPIRES, dt_buf_bytes(&other)), DT_OK);
    dt_buf_free(&other);
}

int main(void)
{
#define WITH_ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    struct CMUnitTest const tests[] = {
        WITH_ROW(opens_where_it_was_sealed),
        WITH_ROW(says_nothing_of_its_content),
        WITH_ROW(each_seal_has_a_key_of_its_own),
        WITH_ROW(no_bit_may_change),
        WITH_ROW(cannot_be_prolonged),
        WITH_ROW(cannot_be_moved_to_another_table),
        WITH_ROW(cannot_be_moved_to_another_key),
        WITH_ROW(cannot_be_made_without_the_ring),
        WITH_ROW(no_row_of_an_earlier_epoch_opens),
        WITH_ROW(a_key_has_one_place),
        WITH_ROW(rows_of_one_owner_are_alike),
        WITH_ROW(bad_keys_have_no_place),
        WITH_ROW(marks_are_of_a_value_and_a_row),
        WITH_ROW(rotation_loses_no_row),
        WITH_ROW(a_ring_is_bounded_and_random),
        WITH_ROW(too_long_is_not_sealed),
        cmocka_unit_test(the_file_comes_back_as_it_was),
        cmocka_unit_test(a_damaged_file_is_no_ring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
