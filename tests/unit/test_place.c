/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One place has one form, however it is written; no two places share one. */
#include "core/policy/network.h"
#include "core/policy/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MAC "02-00-5E-10-00-AF"

static void test_forms(void **state)
{
    static struct {
        char const *text, *form;
        dt_place_kind kind;
    } const cases[] = {
        {"198.51.100.7", "198.51.100.7", DT_PLACE_ADDRESS},
        {"198.51.100.7:51234", "198.51.100.7", DT_PLACE_ADDRESS},
        {"198.51.100.7[4500]", "198.51.100.7", DT_PLACE_ADDRESS},
        {" 198.51.100.7 ", "198.51.100.7", DT_PLACE_ADDRESS},
        {"::ffff:198.51.100.7", "198.51.100.7", DT_PLACE_ADDRESS},
        {"[::ffff:198.51.100.7]:1", "198.51.100.7", DT_PLACE_ADDRESS},
        {"2001:db8::7", "2001:db8::7", DT_PLACE_ADDRESS},
        {"2001:DB8:0:0::7", "2001:db8::7", DT_PLACE_ADDRESS},
        {"[2001:db8::7]", "2001:db8::7", DT_PLACE_ADDRESS},
        {"[2001:db8::7]:4500", "2001:db8::7", DT_PLACE_ADDRESS},
        {"2001:db8::7[4500]", "2001:db8::7", DT_PLACE_ADDRESS},
        {"fe80::7%eth0", "fe80::7", DT_PLACE_ADDRESS},
        {"127.0.0.1", "127.0.0.1", DT_PLACE_ADDRESS},
        {MAC, MAC, DT_PLACE_MAC},
        {"02-00-5e-10-00-af", MAC, DT_PLACE_MAC},
        {"02:00:5e:10:00:AF", MAC, DT_PLACE_MAC},
        {"0200.5e10.00af", MAC, DT_PLACE_MAC},
        {"0200-5E10-00AF", MAC, DT_PLACE_MAC},
        {"0200:5e10:00af", MAC, DT_PLACE_MAC},
        {"02005e-1000af", MAC, DT_PLACE_MAC},
        {"02005E:1000AF", MAC, DT_PLACE_MAC},
        {"02005e1000af", MAC, DT_PLACE_MAC},
        {"\t02005e1000AF\r\n", MAC, DT_PLACE_MAC},
        {"gateway-1", "gateway-1", DT_PLACE_NAME},
        {"Gateway-1", "Gateway-1", DT_PLACE_NAME},
        {" gate way ", "gate way", DT_PLACE_NAME},
        /* nearly an address: never cut to one */
        {"198.51.100.7:", "198.51.100.7:", DT_PLACE_NAME},
        {"198.51.100.7:0", "198.51.100.7:0", DT_PLACE_NAME},
        {"198.51.100.7[]", "198.51.100.7[]", DT_PLACE_NAME},
        {"198.51.100.7[0]", "198.51.100.7[0]", DT_PLACE_NAME},
        {"198.51.100.7[65536]", "198.51.100.7[65536]", DT_PLACE_NAME},
        {"198.51.100.7[4500", "198.51.100.7[4500", DT_PLACE_NAME},
        {"198.51.100.7[4500]x", "198.51.100.7[4500]x", DT_PLACE_NAME},
        {"198.51.100.7:1[4500]", "198.51.100.7:1[4500]", DT_PLACE_NAME},
        {"198.51.100.7[4500]:1", "198.51.100.7[4500]:1", DT_PLACE_NAME},
        {"198.51.100.7[1][2]", "198.51.100.7[1][2]", DT_PLACE_NAME},
        {"[198.51.100.7]", "[198.51.100.7]", DT_PLACE_NAME},
        {"198.51.100.7, 198.51.100.8", "198.51.100.7, 198.51.100.8", DT_PLACE_NAME},
        {"198.51.100.0/24", "198.51.100.0/24", DT_PLACE_NAME},
        {"02-00:5e-10-00-af", "02-00:5e-10-00-af", DT_PLACE_NAME},
        {"02-00-5e-10-00", "02-00-5e-10-00", DT_PLACE_NAME},
        {"02-00-5e-10-00-ag", "02-00-5e-10-00-ag", DT_PLACE_NAME},
        {"2005e-1000aff", "2005e-1000aff", DT_PLACE_NAME},
        {"02005e1000af0", "02005e1000af0", DT_PLACE_NAME},
        /* what tells no place from another */
        {"", "", DT_PLACE_NONE},
        {" \t ", "", DT_PLACE_NONE},
        {"0.0.0.0", "", DT_PLACE_NONE},
        {"0.0.0.0:500", "", DT_PLACE_NONE},
        {"::", "", DT_PLACE_NONE},
        {"255.255.255.254", "", DT_PLACE_NONE},
        {"255.255.255.255", "", DT_PLACE_NONE},
        {"224.0.0.1", "", DT_PLACE_NONE},
        {"ff02::1", "", DT_PLACE_NONE},
        {"00-00-00-00-00-00", "", DT_PLACE_NONE},
        {"0000.0000.0000", "", DT_PLACE_NONE},
        {"ff:FF:ff:ff:ff:ff", "", DT_PLACE_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_place p = {.kind = DT_PLACE_NAME, .text = "left over"};
        assert_int_equal(dt_place_read(dt_bytes_str(cases[i].text), &p), DT_OK);
        if (p.kind != cases[i].kind || strcmp(p.text, cases[i].form) != 0)
            fail_msg("\"%s\" gives %d, \"%s\"", cases[i].text, p.kind, p.text);
    }
}

static void test_what_cannot_be_read(void **state)
{
    char longest[DT_USER_MAX + 1];
    dt_place p;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    assert_int_equal(dt_place_read(dt_bytes_of(longest, DT_USER_MAX - 1), &p), DT_OK);
    assert_int_equal(p.kind, DT_PLACE_NAME);
    assert_int_equal(dt_place_read(dt_bytes_of(longest, DT_USER_MAX), &p), DT_E_LIMIT);
    assert_int_equal(p.kind, DT_PLACE_NONE);
    assert_string_equal(p.text, "");
    assert_int_equal(dt_place_read(dt_bytes_of("gate\0way", 8), &p), DT_E_PARSE);
    assert_int_equal(p.kind, DT_PLACE_NONE);
    assert_string_equal(p.text, "");
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void read_form(char const *text, dt_place *out)
{
    dt_place again;

    assert_int_equal(dt_place_read(dt_bytes_str(text), out), DT_OK);
    assert_int_equal(dt_place_read(dt_bytes_str(out->text), &again), DT_OK);
    assert_int_equal(again.kind, out->kind);
    assert_string_equal(again.text, out->text);
    assert_int_equal(out->kind == DT_PLACE_NONE, out->text[0] == '\0');
}

/* The pairs of digits with a separator after every `group` of them. */
static void put_mac(char *out, unsigned const m[6], size_t group, char separator, bool upper)
{
    for (size_t i = 0; i < 6; i++) {
        if (i > 0 && i % group == 0)
            *out++ = separator;
        out += snprintf(out, 3, upper ? "%02X" : "%02x", m[i]);
    }
}

/* All notations of a random MAC address have one form, and another address has another. */
static void test_every_mac(void **state)
{
    static struct {
        size_t group;
        char const *separators;
    } const notations[] = {{1, ":-"}, {2, ".:-"}, {3, ".:-"}, {6, " "}};
    uint32_t seed = 5;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        unsigned m[6];
        char text[64], form[64];
        dt_place p;
        for (size_t i = 0; i < 6; i++)
            m[i] = next(&seed) & 0xff;
        put_mac(form, m, 1, '-', true);
        for (size_t i = 0; i < sizeof(notations) / sizeof(notations[0]); i++) {
            for (char const *s = notations[i].separators; *s != '\0'; s++) {
                put_mac(text, m, notations[i].group, *s, next(&seed) % 2 == 0);
                read_form(text, &p);
                assert_int_equal(p.kind, DT_PLACE_MAC);
                assert_string_equal(p.text, form);
            }
        }
        m[next(&seed) % 6] ^= 1u << next(&seed) % 8;
        put_mac(text, m, 2, '.', false);
        read_form(text, &p);
        assert_string_not_equal(p.text, form);
    }
}

#define ADDRESS_NOTATIONS 6

static void put_address(char *out, size_t size, char const *plain, bool is_v4, int notation,
                        unsigned port)
{
    switch (notation) {
    case 0:
        snprintf(out, size, " %s", plain);
        break;
    case 1:
        snprintf(out, size, "%s[%u]", plain, port);
        break;
    case 2:
        snprintf(out, size, is_v4 ? "%s:%u" : "[%s]:%u", plain, port);
        break;
    case 3:
        snprintf(out, size, is_v4 ? "[::ffff:%s]" : "[%s]", plain);
        break;
    case 4:
        snprintf(out, size, is_v4 ? "[::ffff:%s]:%u" : "%s%%eth%u", plain, port);
        break;
    default:
        snprintf(out, size, is_v4 ? "::FFFF:%s" : "%s", plain);
    }
}

/* So have all of an address, with every port. */
static void test_every_address(void **state)
{
    uint32_t seed = 7;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        char plain[DT_IP_PLAIN_MAX], text[96];
        dt_ip ip = {.set = true};
        bool is_v4 = round % 2 == 0;
        dt_place p;
        for (size_t i = 0; i < 16; i++)
            ip.octets[i] = (uint8_t)next(&seed);
        ip.octets[0] = 0x20;
        if (is_v4) {
            memset(ip.octets, 0, 10);
            ip.octets[10] = ip.octets[11] = 0xff;
            ip.octets[12] = (uint8_t)(1 + next(&seed) % 223);
        }
        dt_ip_text(&ip, plain);
        for (int i = 0; i < ADDRESS_NOTATIONS; i++) {
            put_address(text, sizeof(text), plain, is_v4, i, 1 + next(&seed) % 65535);
            read_form(text, &p);
            assert_int_equal(p.kind, DT_PLACE_ADDRESS);
            assert_string_equal(p.text, plain);
        }
    }
}

int main(void)
{
    static struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_what_cannot_be_read),
        cmocka_unit_test(test_every_mac),
        cmocka_unit_test(test_every_address),
    };

    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
