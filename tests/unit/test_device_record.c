/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry's records: back as they went, and nothing else is taken for one. */
#include "core/device/device_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define DEVICE "0f5b9a1e-7f0c-4b73-9a83-6f7c1f8f2a11"

static dt_device_record g_record, g_back;

static void fill(char const *name, size_t der_len)
{
    g_record = (dt_device_record){.added = 1700000000123, .der_len = der_len};
    assert_int_equal(dt_str_copy(g_record.name, sizeof(g_record.name), name), 0);
    for (size_t i = 0; i < der_len; i++)
        g_record.der[i] = (uint8_t)(i * 7);
}

static int unpack(char const *text)
{
    memset(&g_back, 0x5a, sizeof(g_back));
    int const rc = dt_device_record_unpack(dt_bytes_str(text), &g_back);
    if (rc != 0)
        assert_int_equal(g_back.der_len, 0);
    return rc;
}

static void expect_round_trip(void)
{
    dt_buf b;
    dt_buf_init(&b, DT_DEVICE_RECORD_MAX);
    assert_int_equal(dt_device_record_pack(&g_record, &b), 0);
    memset(&g_back, 0x5a, sizeof(g_back));
    assert_int_equal(dt_device_record_unpack(dt_buf_bytes(&b), &g_back), 0);
    assert_int_equal(g_back.added, g_record.added);
    assert_string_equal(g_back.name, g_record.name);
    assert_int_equal(g_back.der_len, g_record.der_len);
    assert_memory_equal(g_back.der, g_record.der, g_record.der_len);
    dt_buf_free(&b);
}

static void comes_back_as_it_went(void **state)
{
    (void)state;
    char longest[DT_DEVICE_NAME_MAX];
    memset(longest, '\1', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    static size_t const lengths[] = {1, 2, 3, 1051, DT_CERTIFICATE_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        fill("Zo\xc3\xab's \"laptop\" \\ \n\x1b[31m", lengths[i]);
        expect_round_trip();
        fill("", lengths[i]);
        expect_round_trip();
        fill(longest, lengths[i]);
        expect_round_trip();
    }
}

static void the_text_holds_no_control_characters(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, DT_DEVICE_RECORD_MAX);
    fill("a\nb\x1b[31m\x7f", 20);
    assert_int_equal(dt_device_record_pack(&g_record, &b), 0);
    for (size_t i = 0; i < b.len; i++)
        assert_true(b.p[i] >= 0x20 && b.p[i] != 0x7f);
    dt_buf_free(&b);
}

static void packs_no_broken_record(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, DT_DEVICE_RECORD_MAX);
    fill("laptop", 0);
    assert_int_equal(dt_device_record_pack(&g_record, &b), DT_E_INVALID);
    fill("laptop", 10);
    g_record.der_len = sizeof(g_record.der) + 1;
    assert_int_equal(dt_device_record_pack(&g_record, &b), DT_E_INVALID);
    fill("laptop", 10);
    g_record.added = -1;
    assert_int_equal(dt_device_record_pack(&g_record, &b), DT_E_INVALID);
    fill("half a character: \xc3", 10);
    assert_int_equal(dt_device_record_pack(&g_record, &b), DT_E_INVALID);
    fill("laptop", 10);
    memset(g_record.name, 'x', sizeof(g_record.name));
    assert_int_equal(dt_device_record_pack(&g_record, &b), DT_E_INVALID);
    assert_int_equal(b.len, 0);
    dt_buf_free(&b);
}

static void keeps_to_the_ceiling(void **state)
{
    (void)state;
    char storage[64];
    dt_buf b;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    fill("laptop", 100);
    assert_int_equal(dt_device_record_pack(&g_record, &b), DT_E_LIMIT);
}

#define GOOD "{\"v\":1,\"added\":5,\"name\":\"n\",\"certificate\":\"AQID\"}"

static void refuses_other_texts(void **state)
{
    (void)state;
    assert_int_equal(unpack(GOOD), 0);
    static char const *const bad[] = {
        "",
        "{}",
        "[]",
        "null",
        "1",
        GOOD "x",
        GOOD GOOD,
        "{\"v\":2,\"added\":5,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":0,\"added\":5,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":\"1\",\"added\":5,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":1.0,\"added\":5,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"added\":5,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":1,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":1,\"added\":-5,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":1,\"added\":5.5,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":1,\"added\":99999999999999999999,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":1,\"added\":null,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":1,\"added\":5,\"certificate\":\"AQID\"}",
        "{\"v\":1,\"added\":5,\"name\":7,\"certificate\":\"AQID\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"certificate\":\"\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"certificate\":\"AQI\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"certificate\":\"AQ D\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"certificate\":\"AQI-\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"certificate\":[1]}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"certificate\":\"AQID\",\"more\":1}",
        "{\"v\":1,\"v\":1,\"added\":5,\"name\":\"n\",\"certificate\":\"AQID\"}",
        "{\"v\":1,\"added\":5,\"name\":\"a\\u0000b\",\"certificate\":\"AQID\"}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (unpack(bad[i]) == 0)
            fail_msg("accepted %s", bad[i]);
    }
}

static void refuses_every_cut(void **state)
{
    (void)state;
    char text[] = GOOD;
    for (size_t len = 0; len < strlen(GOOD); len++) {
        memset(&g_back, 0x5a, sizeof(g_back));
        assert_int_not_equal(dt_device_record_unpack(dt_bytes_of(text, len), &g_back), 0);
        assert_int_equal(g_back.der_len, 0);
    }
}

static void refuses_what_is_too_long(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, 4 * DT_DEVICE_RECORD_MAX);
    dt_buf_puts(&b, "{\"v\":1,\"added\":5,\"name\":\"n\",\"certificate\":\"");
    for (size_t i = 0; i < DT_CERTIFICATE_MAX / 3 + 1; i++)
        dt_buf_puts(&b, "AQID");
    dt_buf_puts(&b, "\"}");
    assert_int_equal(dt_device_record_unpack(dt_buf_bytes(&b), &g_back), DT_E_LIMIT);
    while (b.len <= DT_DEVICE_RECORD_MAX)
        dt_buf_putc(&b, ' ');
    assert_int_equal(dt_device_record_unpack(dt_buf_bytes(&b), &g_back), DT_E_LIMIT);

    dt_buf_reset(&b);
    dt_buf_puts(&b, "{\"v\":1,\"added\":5,\"name\":\"");
    for (size_t i = 0; i < DT_DEVICE_NAME_MAX; i++)
        dt_buf_putc(&b, 'x');
    dt_buf_puts(&b, "\",\"certificate\":\"AQID\"}");
    assert_int_equal(dt_device_record_unpack(dt_buf_bytes(&b), &g_back), DT_E_PARSE);
    dt_buf_free(&b);
}

static void a_key_comes_back_with_its_device(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "{\"v\":2,\"added\":5,\"name\":\"n\",\"key\":\"AQID\"}",
        "{\"v\":2,\"added\":5,\"name\":\"n\",\"key\":\"AQID\",\"device\":\"\"}",
        "{\"v\":2,\"added\":5,\"name\":\"n\",\"key\":\"\",\"device\":\"" DEVICE "\"}",
        "{\"v\":2,\"added\":5,\"name\":\"n\",\"key\":\"!\",\"device\":\"" DEVICE "\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"key\":\"AQID\",\"device\":\"" DEVICE "\"}",
        "{\"v\":2,\"added\":5,\"name\":\"n\",\"certificate\":\"AQID\",\"device\":\"" DEVICE "\"}",
        "{\"v\":2,\"added\":-5,\"name\":\"n\",\"key\":\"AQID\",\"device\":\"" DEVICE "\"}",
        "{\"v\":2,\"added\":5,\"name\":\"n\",\"key\":\"AQID\",\"device\":\"" DEVICE "\",\"x\":1}",
    };
    dt_buf b;
    memset(&g_record, 0, sizeof(g_record));
    g_record.added = 7;
    memset(g_record.key, 0x41, sizeof(g_record.key));
    g_record.key_len = sizeof(g_record.key);
    dt_buf_init(&b, DT_DEVICE_RECORD_MAX);
    assert_int_equal(dt_device_record_pack(&g_record, &b), DT_E_INVALID); /* of no device */
    assert_int_equal(dt_guid_parse(dt_bytes_str(DEVICE), &g_record.device_id), 0);
    assert_int_equal(dt_device_record_pack(&g_record, &b), 0);
    assert_int_equal(dt_device_record_unpack(dt_buf_bytes(&b), &g_back), 0);
    assert_int_equal(g_back.der_len, 0);
    assert_int_equal(g_back.key_len, g_record.key_len);
    assert_memory_equal(g_back.key, g_record.key, g_record.key_len);
    assert_string_equal(g_back.device_id.text, DEVICE);
    g_record.der_len = 1; /* both a key and a certificate */
    assert_int_equal(dt_device_record_pack(&g_record, &b), DT_E_INVALID);
    g_record.der_len = 0;
    g_record.key_len = sizeof(g_record.key) + 1;
    assert_int_equal(dt_device_record_pack(&g_record, &b), DT_E_INVALID);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (unpack(bad[i]) == 0)
            fail_msg("%s", bad[i]);
        assert_int_equal(g_back.key_len, 0);
        assert_string_equal(g_back.device_id.text, "");
    }
    dt_buf_free(&b);
}

static void a_trusted_device_comes_back(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "",
        "{}",
        "{\"v\":2,\"added\":5,\"name\":\"n\",\"device\":\"" DEVICE "\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"device\":\"x\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"device\":7}",
        "{\"v\":1,\"added\":5,\"device\":\"" DEVICE "\"}",
        "{\"v\":1,\"added\":5,\"name\":\"n\",\"device\":\"" DEVICE "\",\"x\":1}",
    };
    dt_trusted_record record = {.added = 5, .name = "a \"name\""}, back;
    dt_trusted_record const none = {0};
    char key[DT_STORE_KEY_MAX];
    dt_buf b;
    dt_buf_init(&b, DT_TRUSTED_RECORD_MAX);
    assert_int_equal(dt_trusted_record_pack(&record, &b), DT_E_INVALID); /* of no device */
    assert_int_equal(dt_guid_parse(dt_bytes_str(DEVICE), &record.device_id), 0);
    assert_int_equal(dt_trusted_record_pack(&record, &b), 0);
    assert_int_equal(dt_trusted_record_unpack(dt_buf_bytes(&b), &back), 0);
    assert_int_equal(back.added, 5);
    assert_string_equal(back.name, record.name);
    assert_string_equal(back.device_id.text, DEVICE);
    dt_trusted_store_key(&back.device_id, key);
    assert_string_equal(key, "trusted:" DEVICE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&back, 0x5a, sizeof(back));
        if (dt_trusted_record_unpack(dt_bytes_str(bad[i]), &back) == 0)
            fail_msg("%s", bad[i]);
        assert_memory_equal(&back, &none, sizeof(none));
    }
    dt_buf_free(&b);
}

static dt_guid guid_of(char const *text)
{
    dt_guid g;
    assert_int_equal(dt_guid_parse(dt_bytes_str(text), &g), 0);
    return g;
}

static void an_alias_comes_back(void **state)
{
    static char const *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"v\":1}",
        "{\"v\":1,\"device\":\"\"}",
        "{\"v\":1,\"device\":\"" DEVICE "\",\"x\":1}",
        "{\"v\":1,\"synced\":5,\"device\":\"" DEVICE "\"}",
        "{\"v\":2,\"device\":\"" DEVICE "\"}",
        "{\"v\":2,\"synced\":0,\"device\":\"\"}",
        "{\"v\":2,\"synced\":-1,\"device\":\"\"}",
        "{\"v\":2,\"synced\":5,\"device\":\"x\"}",
        "{\"v\":2,\"synced\":5,\"device\":null}",
        "{\"v\":3,\"synced\":5,\"device\":\"\"}",
    };
    dt_device_alias const none = {0};
    dt_device_alias const good[] = {{.device = guid_of(DEVICE)},
                                    {.device = guid_of(DEVICE), .synced = INT64_C(1790000000000)},
                                    {.synced = 7}};
    char text[DT_DEVICE_ALIAS_VALUE_MAX + 1];
    dt_device_alias back;
    dt_buf b;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        dt_buf_init_fixed(&b, text, sizeof(text));
        assert_int_equal(dt_device_alias_pack(&good[i], &b), 0);
        assert_int_equal(dt_device_alias_unpack(dt_buf_bytes(&b), &back), 0);
        assert_memory_equal(&back, &good[i], sizeof(back));
    }
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_device_alias_pack(&none, &b), DT_E_INVALID);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(&back, 0x5a, sizeof(back));
        if (dt_device_alias_unpack(dt_bytes_str(bad[i]), &back) == 0)
            fail_msg("%s", bad[i]);
        assert_memory_equal(&back, &none, sizeof(none));
    }
}

/* What a sync makes of a name: of one device, moved, of several, or left to the administrator. */
static void a_sync_finds_names(void **state)
{
    dt_guid const one = guid_of(DEVICE), other = guid_of("00000000-0000-4000-8000-0000000000aa");
    dt_device_alias a, next;

    (void)state;
    assert_true(dt_device_alias_found(NULL, &one, 10, &a));
    assert_true(dt_guid_equal(&a.device, &one) && a.synced == 10);
    assert_false(dt_device_alias_found(&a, &one, 10, &next)); /* the same once more */
    assert_true(dt_device_alias_found(&a, &other, 10, &next));
    assert_false(dt_guid_is_set(&next.device));
    a = next; /* of several it stays, whichever comes now */
    assert_false(dt_device_alias_found(&a, &one, 10, &next));
    assert_false(dt_device_alias_found(&a, &other, 10, &next));
    /* The next sync begins anew, and a device that has taken the name over is found. */
    assert_true(dt_device_alias_found(&a, &other, 20, &next));
    assert_true(dt_guid_equal(&next.device, &other) && next.synced == 20);
    assert_true(dt_device_alias_found(&next, &other, 30, &a)); /* its time begins anew */
    assert_int_equal(a.synced, 30);
    a = (dt_device_alias){.device = one}; /* an administrator's */
    assert_false(dt_device_alias_found(&a, &other, 30, &next));
}

static void the_store_key_is_the_fingerprint(void **state)
{
    (void)state;
    char fingerprint[65], key[DT_STORE_KEY_MAX];
    memset(fingerprint, 'a', 64);
    fingerprint[64] = '\0';
    dt_device_store_key(fingerprint, key);
    assert_int_equal(strlen(key), 68);
    assert_memory_equal(key, "ssh:aaaa", 8);
    assert_string_equal(key + 4, fingerprint);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(comes_back_as_it_went),
        cmocka_unit_test(the_text_holds_no_control_characters),
        cmocka_unit_test(packs_no_broken_record),
        cmocka_unit_test(keeps_to_the_ceiling),
        cmocka_unit_test(refuses_other_texts),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(a_key_comes_back_with_its_device),
        cmocka_unit_test(a_trusted_device_comes_back),
        cmocka_unit_test(an_alias_comes_back),
        cmocka_unit_test(a_sync_finds_names),
        cmocka_unit_test(the_store_key_is_the_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
