/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GUIDs: all the forms in which the same device is written, and everything that is none. */
#include "core/base/guid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define GUID "01234567-89ab-cdef-fedc-ba9876543210"

static int parse(char const *text, dt_guid *out)
{
    memset(out, 'x', sizeof(*out));
    return dt_guid_parse(dt_bytes_str(text), out);
}

static void parses_every_form(void **state)
{
    (void)state;
    static char const *const forms[] = {
        GUID,
        "01234567-89AB-CDEF-FEDC-BA9876543210",
        "01234567-89aB-CdEf-fEdC-bA9876543210",
        "{" GUID "}",
        "{01234567-89AB-CDEF-FEDC-BA9876543210}",
        "0123456789abcdeffedcba9876543210",
        "0123456789ABCDEFFEDCBA9876543210",
        "{0123456789abcdeffedcba9876543210}",
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        dt_guid g;
        assert_int_equal(parse(forms[i], &g), 0);
        assert_string_equal(g.text, GUID);
    }
}

static void refuses_what_is_none(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "",
        "{}",
        "{",
        "}",
        "-",
        "laptop-0001",
        "{" GUID,
        GUID "}",
        "{{" GUID "}}",
        "(" GUID ")",
        " " GUID,
        GUID " ",
        GUID "\n",
        GUID "0",
        "01234567-89ab-cdef-fedc-ba987654321",
        "01234567-89ab-cdef-fedc-ba987654321g",
        "g1234567-89ab-cdef-fedc-ba9876543210",
        "0123456789ab-cdef-fedc-ba98765432100",
        "012345678-9ab-cdef-fedc-ba9876543210",
        "01234567-89abcdef-fedc-ba9876543210-",
        "01234567_89ab_cdef_fedc_ba9876543210",
        "01234567--9ab-cdef-fedc-ba9876543210",
        "0123456789abcdeffedcba987654321",
        "0123456789abcdeffedcba98765432101",
        "0123456789abcdef-fedcba987654321",
        "00000000-0000-0000-0000-000000000000",
        "{00000000-0000-0000-0000-000000000000}",
        "00000000000000000000000000000000",
        "+1234567-89ab-cdef-fedc-ba9876543210",
        "0x234567-89ab-cdef-fedc-ba9876543210",
        "\xff"
        "1234567-89ab-cdef-fedc-ba9876543210",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dt_guid g;
        if (parse(bad[i], &g) != DT_E_PARSE)
            fail_msg("accepted \"%s\"", bad[i]);
        assert_string_equal(g.text, "");
    }
}

/* One character at a time is changed to each of a few that do not belong there. */
static void refuses_any_wrong_character(void **state)
{
    (void)state;
    static char const wrong[] = {'-', 'g', '\0', ' ', '/', ':', '@', 'G', '`', '{', '\x80'};
    for (size_t i = 0; i < DT_GUID_LEN; i++) {
        for (size_t k = 0; k < sizeof(wrong); k++) {
            char text[] = GUID;
            if (text[i] == wrong[k])
                continue;
            text[i] = wrong[k];
            dt_guid g;
            assert_int_equal(dt_guid_parse(dt_bytes_of(text, DT_GUID_LEN), &g), DT_E_PARSE);
            assert_false(dt_guid_is_set(&g));
        }
    }
}

static void does_not_read_past_the_end(void **state)
{
    (void)state;
    char text[] = GUID;
    for (size_t len = 0; len < DT_GUID_LEN; len++) {
        /* Its own allocation, so that a sanitizer sees a read behind it. */
        char *copy = test_malloc(len + 1);
        memcpy(copy, text, len);
        dt_guid g;
        assert_int_equal(dt_guid_parse(dt_bytes_of(copy, len), &g), DT_E_PARSE);
        test_free(copy);
    }
    dt_guid g;
    assert_int_equal(dt_guid_parse(dt_bytes_of(NULL, 0), &g), DT_E_PARSE);
}

/* The bytes of the same GUID as Windows keeps them. */
static void reads_little_endian(void **state)
{
    (void)state;
    static uint8_t const raw[16] = {0x67, 0x45, 0x23, 0x01, 0xab, 0x89, 0xef, 0xcd,
                                    0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
    dt_guid g;
    assert_int_equal(dt_guid_from_le(dt_bytes_of(raw, sizeof(raw)), &g), 0);
    assert_string_equal(g.text, GUID);
}

static void refuses_other_raw_bytes(void **state)
{
    (void)state;
    static uint8_t const raw[18] = {1};
    static uint8_t const nil[16];
    dt_guid g;
    for (size_t len = 0; len <= sizeof(raw); len++) {
        memset(&g, 'x', sizeof(g));
        assert_int_equal(dt_guid_from_le(dt_bytes_of(raw, len), &g), len == 16 ? 0 : DT_E_PARSE);
        assert_int_equal(dt_guid_is_set(&g), len == 16);
    }
    assert_int_equal(dt_guid_from_le(dt_bytes_of(nil, sizeof(nil)), &g), DT_E_PARSE);
    assert_false(dt_guid_is_set(&g));
}

static void equality_needs_both(void **state)
{
    (void)state;
    dt_guid a, b, unset = {0}, also_unset = {0};
    assert_int_equal(parse(GUID, &a), 0);
    assert_int_equal(parse("{0123456789ABCDEFFEDCBA9876543210}", &b), 0);
    assert_true(dt_guid_equal(&a, &b));
    assert_false(dt_guid_equal(&a, &unset));
    assert_false(dt_guid_equal(&unset, &a));
    assert_false(dt_guid_equal(&unset, &also_unset));
    assert_int_equal(parse("01234567-89ab-cdef-fedc-ba9876543211", &b), 0);
    assert_false(dt_guid_equal(&a, &b));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(parses_every_form),           cmocka_unit_test(refuses_what_is_none),
        cmocka_unit_test(refuses_any_wrong_character), cmocka_unit_test(does_not_read_past_the_end),
        cmocka_unit_test(reads_little_endian),         cmocka_unit_test(refuses_other_raw_bytes),
        cmocka_unit_test(equality_needs_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
