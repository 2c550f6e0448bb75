/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and networks: what is read and what is refused, and the tries against a list that is
 * walked from end to end. */
#include "core/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RANDOM_SEED 20261123u
#define RANDOM_NETWORKS 3000
#define RANDOM_LOOKUPS 20000

/* --- addresses -------------------------------------------------------------------------------- */

static void addresses_are_read(void **state)
{
    static struct {
        char const *text, *same_as;
    } const cases[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1:500", "192.0.2.1"},
        {"192.0.2.1:65535", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::FFFF:c000:201", "192.0.2.1"},
        {"[::ffff:192.0.2.1]:22", "192.0.2.1"},
        {"0.0.0.0", "::ffff:0:0"},
        {"255.255.255.255", "::ffff:ffff:ffff"},
        {"2001:db8::1", "2001:DB8:0:0:0:0:0:1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:443", "2001:db8::1"},
        {"fe80::1%eth0", "fe80::1"},
        {"[fe80::1%eth0]:22", "fe80::1"},
        {"::", "0:0:0:0:0:0:0:0"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_ip a, b;
        assert_int_equal(dt_ip_parse(cases[i].text, &a), DT_OK);
        assert_int_equal(dt_ip_parse(cases[i].same_as, &b), DT_OK);
        assert_true(a.set);
        assert_memory_equal(a.octets, b.octets, sizeof(a.octets));
    }
}

static void other_text_is_no_address(void **state)
{
    static char const *const cases[] = {
        "",
        " ",
        "localhost",
        "192.0.2",
        "192.0.2.1.5",
        "192.0.2.256",
        "192.0.2.01",
        "192.0.2.1 ",
        " 192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:1000000",
        "192.0.2.1:22x",
        "192.0.2.1:-1",
        "[192.0.2.1]",
        "[192.0.2.1]:22",
        "[2001:db8::1",
        "]",
        "[",
        "[]",
        "[]:22",
        "2001:db8::1]",
        "[2001:db8::1]22",
        "[2001:db8::1]:",
        "[2001:db8::1]:0",
        "[2001:db8::1]:99999",
        "[[2001:db8::1]]",
        "2001:db8::1::2",
        "2001:db8:::1",
        "12345::",
        ":",
        ":1",
        "fe80::1%",
        "192.0.2.1%eth0",
        "%eth0",
        "00-11-22-33-44-55",
        "00:11:22:33:44:55",
        "192.0.2.1/24",
        "192.0.2.1-192.0.2.2",
        "0x7f.1",
        "2130706433",
        "1.2.3.4\n",
        "2001:db8:1234:5678:9abc:def0:1234:5678:9999",
        "fe80::1%an-interface-name-that-is-far-longer-than-any-that-exists-here",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_ip ip;
        memset(&ip, 0xff, sizeof(ip));
        if (dt_ip_parse(cases[i], &ip) != DT_E_PARSE)
            fail_msg("\"%s\" was taken for an address", cases[i]);
        assert_false(ip.set);
    }
    dt_ip ip;
    assert_int_equal(dt_ip_parse(NULL, &ip), DT_E_PARSE);
    assert_false(ip.set);
}

static void loopback_is_known(void **state)
{
    static struct {
        char const *text;
        bool loopback;
    } const cases[] = {
        {"127.0.0.1", true},
        {"127.255.255.255", true},
        {"::1", true},
        {"::ffff:127.0.0.1", true},
        {"126.255.255.255", false},
        {"128.0.0.1", false},
        {"::", false},
        {"::2", false},
        {"::127.0.0.1", false},
        {"7f00::1", false},
        {"::1:0:0:1", false},
    };
    dt_ip unset = {{0}, false};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_ip ip;
        assert_int_equal(dt_ip_parse(cases[i].text, &ip), DT_OK);
        assert_int_equal(dt_ip_is_loopback(&ip), cases[i].loopback);
    }
    unset.octets[15] = 1;
    assert_false(dt_ip_is_loopback(&unset));
    assert_false(dt_ip_is_loopback(NULL));
}

/* --- networks --------------------------------------------------------------------------------- */

/* The tags below 64, as bits. */
static uint64_t look_at(dt_network_set const *s, dt_ip const *ip)
{
    dt_tag_set found = {{0}};
    dt_network_set_lookup(s, ip, &found);
    for (size_t i = 1; i < DT_NETWORK_WORDS; i++)
        assert_true(found.words[i] == 0);
    return found.words[0];
}

static uint64_t look(dt_network_set const *s, char const *text)
{
    dt_ip ip;
    assert_int_equal(dt_ip_parse(text, &ip), DT_OK);
    return look_at(s, &ip);
}

static dt_network_set *set_of(char const *text)
{
    dt_network_set *s;
    dt_error e = {0};
    assert_int_equal(dt_network_set_new(&s), DT_OK);
    if (dt_network_set_add(s, text, 0, &e) != DT_OK)
        fail_msg("%s: %s", text, e.text);
    return s;
}

static void networks_end_where_they_say(void **state)
{
    static struct {
        char const *network, *first, *last, *before, *after;
    } const cases[] = {
        {"192.0.2.0/24", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
        {"192.0.2.77/24", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
        {"192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"},
        {"192.0.2.7/32", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"},
        {"128.0.0.0/1", "128.0.0.0", "255.255.255.255", "127.255.255.255", "::1"},
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255", "::", "::1:0:0:0"},
        {"::ffff:192.0.2.0/120", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
        {"::ffff:0:0/96", "0.0.0.0", "255.255.255.255", "::fffe:ffff:ffff", "::1:0:0:0"},
        {"2001:db8::/32", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
         "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
        {"2001:db8::5/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff",
         "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:0:1::"},
        {"2001:db8::5/63", "2001:db8::", "2001:db8:0:1:ffff:ffff:ffff:ffff",
         "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:0:2::"},
        {"2001:db8::8/65", "2001:db8::", "2001:db8::7fff:ffff:ffff:ffff",
         "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::8000:0:0:0"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::1", "2001:db8::", "2001:db8::2"},
        {"192.0.2.10-192.0.2.20", "192.0.2.10", "192.0.2.20", "192.0.2.9", "192.0.2.21"},
        {"192.0.2.255-192.0.3.0", "192.0.2.255", "192.0.3.0", "192.0.2.254", "192.0.3.1"},
        {"192.0.2.5-192.0.2.5", "192.0.2.5", "192.0.2.5", "192.0.2.4", "192.0.2.6"},
        {"0.0.0.1-255.255.255.254", "0.0.0.1", "255.255.255.254", "0.0.0.0", "255.255.255.255"},
        {"0.0.0.0-255.255.255.255", "0.0.0.0", "255.255.255.255", "::", "::1"},
        {"::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "::1",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe",
         "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"2001:db8::ffff:ffff:ffff:ffff-2001:db8:0:1::", "2001:db8::ffff:ffff:ffff:ffff",
         "2001:db8:0:1::", "2001:db8::ffff:ffff:ffff:fffe", "2001:db8:0:1::1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_network_set *s = set_of(cases[i].network);
        if (look(s, cases[i].first) != 1 || look(s, cases[i].last) != 1 ||
            look(s, cases[i].before) != 0 || look(s, cases[i].after) != 0)
            fail_msg("%s has other edges", cases[i].network);
        dt_network_set_free(&s);
        assert_null(s);
    }
}

/* "::/0" says "all of IPv6": that IPv4 is kept as IPv4-mapped IPv6 is our own affair. */
static void ipv6_networks_hold_no_ipv4(void **state)
{
    static char const *const networks[] = {"::/0", "::/80", "::fffe:0:0/95",
                                           "::-ffff:ffff::", "::fffe:ffff:ffff-::1:0:0:0"};
    (void)state;
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++) {
        dt_network_set *s = set_of(networks[i]);
        assert_int_equal(look(s, "192.0.2.1"), 0);
        assert_int_equal(look(s, "0.0.0.0"), 0);
        assert_int_equal(look(s, "::fffe:ffff:ffff"), 1);
        dt_network_set_free(&s);
    }
}

static void values_of_all_networks_are_joined(void **state)
{
    dt_network_set *s;
    (void)state;
    assert_int_equal(dt_network_set_new(&s), DT_OK);
    assert_int_equal(look(s, "192.0.2.1"), 0);
    assert_int_equal(dt_network_set_add(s, "192.0.2.0/24", 0, NULL), DT_OK);
    assert_int_equal(dt_network_set_add(s, "192.0.0.0/16", 1, NULL), DT_OK);
    assert_int_equal(dt_network_set_add(s, "192.0.2.1", 2, NULL), DT_OK);
    assert_int_equal(dt_network_set_add(s, "192.0.2.0/24", 3, NULL), DT_OK);
    assert_int_equal(dt_network_set_add(s, "0.0.0.0/0", 63, NULL), DT_OK);
    assert_int_equal(dt_network_set_add(s, "192.0.2.0/25", DT_NETWORK_NO_TAG, NULL), DT_OK);
    assert_true(look(s, "192.0.2.1") == (UINT64_C(1) << 63 | 15));
    assert_true(look(s, "192.0.2.2") == (UINT64_C(1) << 63 | 11));
    assert_true(look(s, "192.0.3.1") == (UINT64_C(1) << 63 | 2));
    assert_true(look(s, "10.0.0.1") == UINT64_C(1) << 63);
    assert_int_equal(look(s, "2001:db8::1"), 0);
    dt_network_set_free(&s);
}

static void nobody_and_nowhere_have_no_value(void **state)
{
    dt_network_set *s = set_of("0.0.0.0/0");
    dt_ip unset = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, false};
    dt_network_set *none = NULL;
    (void)state;
    assert_int_equal(dt_network_set_add(s, "::/0", 0, NULL), DT_OK);
    assert_int_equal(look_at(s, &unset), 0);
    assert_int_equal(look_at(s, NULL), 0);
    unset.set = true;
    assert_int_equal(look_at(s, &unset), 1);
    assert_int_equal(look_at(NULL, &unset), 0);
    dt_network_set_free(&s);
    dt_network_set_free(&none);
    dt_network_set_free(NULL);
}

static void other_text_is_no_network(void **state)
{
    static char const *const cases[] = {
        "",
        " ",
        "/",
        "-",
        "/24",
        "192.0.2.0/",
        "192.0.2.0/33",
        "192.0.2.0/-1",
        "192.0.2.0/024",
        "192.0.2.0/+24",
        "192.0.2.0/ 24",
        "192.0.2.0/24 ",
        "192.0.2.0/24/24",
        "192.0.2.0/1000",
        "192.0.2.0/99999999999999999999",
        "192.0.2.0/255.255.255.0",
        "192.0.2/24",
        "192.0.2.256/24",
        "192.0.2.1:80",
        "[2001:db8::]/32",
        "2001:db8::/129",
        "2001:db8::/0128",
        "2001:db8::/",
        "fe80::%eth0/64",
        "192.0.2.1-",
        "-192.0.2.1",
        "192.0.2.2-192.0.2.1",
        "192.0.2.1-2001:db8::1",
        "2001:db8::1-192.0.2.1",
        "::1-192.0.2.1",
        "2001:db8::2-2001:db8::1",
        "192.0.2.1-192.0.2.9-192.0.2.20",
        "192.0.2.0/24-192.0.3.0/24",
        "192.0.2.1 - 192.0.2.9",
        "192.0.2.1-9",
        "office",
        "ALL_ZONES",
        "192.0.2.0/24\n",
        "\x1b[2J",
    };
    dt_network_set *s;
    (void)state;
    assert_int_equal(dt_network_set_new(&s), DT_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_error e = {0};
        if (dt_network_set_add(s, cases[i], 1, &e) != DT_E_INVALID)
            fail_msg("\"%s\" was taken for a network", cases[i]);
        assert_int_equal(e.code, DT_E_INVALID);
        assert_null(strpbrk(e.text, "\x1b\n"));
    }
    assert_int_equal(dt_network_set_add(s, NULL, 1, NULL), DT_E_INVALID);
    assert_int_equal(look(s, "192.0.2.1"), 0);
    assert_int_equal(look(s, "2001:db8::1"), 0);
    dt_network_set_free(&s);
}

/* --- against a list --------------------------------------------------------------------------- */

typedef struct listed {
    uint8_t first[16], last[16];
    bool ipv4;
    uint64_t value;
} listed;

static unsigned random_state;

static unsigned random_below(unsigned n)
{
    return (unsigned)rand_r(&random_state) % n;
}

/* Few different octets, so that networks nest and addresses fall into them. */
static void random_address(bool ipv4, uint8_t out[16])
{
    static uint8_t const octets[] = {0, 1, 127, 128, 192, 255};
    memset(out, 0, 16);
    if (ipv4)
        out[10] = out[11] = 0xff;
    else
        out[0] = 0x20;
    for (int i = ipv4 ? 12 : 1; i < 16; i++)
        out[i] = octets[random_below(sizeof(octets))];
}

static void address_text(uint8_t const a[16], bool ipv4, char out[64])
{
    if (ipv4)
        snprintf(out, 64, "%u.%u.%u.%u", a[12], a[13], a[14], a[15]);
    else
        snprintf(out, 64, "%x:%x:%x:%x:%x:%x:%x:%x", a[0] << 8 | a[1], a[2] << 8 | a[3],
                 a[4] << 8 | a[5], a[6] << 8 | a[7], a[8] << 8 | a[9], a[10] << 8 | a[11],
                 a[12] << 8 | a[13], a[14] << 8 | a[15]);
}

/* Sets the bits behind `len` to 0 or 1, one at a time. */
static void fill_bits(uint8_t a[16], int len, bool one)
{
    for (int bit = len; bit < 128; bit++) {
        if (one)
            a[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
        else
            a[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    }
}

static void random_network(listed *l, char text[160])
{
    uint8_t a[16], b[16];
    char at[64], bt[64];
    bool ipv4 = random_below(2);

    random_address(ipv4, a);
    l->ipv4 = ipv4;
    l->value = UINT64_C(1) << random_below(64);
    address_text(a, ipv4, at);
    if (random_below(3) == 0) {
        random_address(ipv4, b);
        bool turned = memcmp(a, b, 16) > 0;
        address_text(b, ipv4, bt);
        memcpy(l->first, turned ? b : a, 16);
        memcpy(l->last, turned ? a : b, 16);
        snprintf(text, 160, "%s-%s", turned ? bt : at, turned ? at : bt);
        return;
    }
    int len = (int)random_below(ipv4 ? 33 : 129);
    int base = ipv4 ? 96 : 0;
    memcpy(l->first, a, 16);
    memcpy(l->last, a, 16);
    fill_bits(l->first, base + len, false);
    fill_bits(l->last, base + len, true);
    snprintf(text, 160, "%s/%d", at, len);
}

static uint64_t list_lookup(listed const *list, size_t n, uint8_t const a[16], bool ipv4)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        if (list[i].ipv4 == ipv4 && memcmp(list[i].first, a, 16) <= 0 &&
            memcmp(a, list[i].last, 16) <= 0)
            value |= list[i].value;
    return value;
}

/* The address itself, or one of a network's edges, or just outside of it. */
static void random_probe(listed const *list, uint8_t a[16], bool *ipv4)
{
    listed const *l = &list[random_below(RANDOM_NETWORKS)];
    *ipv4 = l->ipv4;
    switch (random_below(3)) {
    case 0:
        *ipv4 = random_below(2);
        random_address(*ipv4, a);
        return;
    case 1:
        memcpy(a, l->first, 16);
        break;
    default:
        memcpy(a, l->last, 16);
        break;
    }
    if (random_below(2))
        a[15] = (uint8_t)(a[15] + (random_below(2) ? 1 : 255));
}

static void tries_agree_with_a_list(void **state)
{
    static listed list[RANDOM_NETWORKS];
    dt_network_set *s;
    size_t held = 0;
    (void)state;

    random_state = RANDOM_SEED;
    assert_int_equal(dt_network_set_new(&s), DT_OK);
    for (size_t i = 0; i < RANDOM_NETWORKS; i++) {
        char text[160];
        dt_error e = {0};
        random_network(&list[i], text);
        if (dt_network_set_add(s, text, (uint32_t)__builtin_ctzll(list[i].value), &e) != DT_OK)
            fail_msg("%s: %s", text, e.text);
    }
    for (size_t i = 0; i < RANDOM_LOOKUPS; i++) {
        dt_ip ip = {.set = true};
        bool ipv4;
        random_probe(list, ip.octets, &ipv4);
        uint64_t want = list_lookup(list, RANDOM_NETWORKS, ip.octets, ipv4);
        assert_true(look_at(s, &ip) == want);
        held += want != 0;
    }
    /* Neither all nor none, or the comparison says little. */
    assert_in_range(held, RANDOM_LOOKUPS / 10, RANDOM_LOOKUPS);
    dt_network_set_free(&s);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(other_text_is_no_address),
        cmocka_unit_test(loopback_is_known),
        cmocka_unit_test(networks_end_where_they_say),
        cmocka_unit_test(ipv6_networks_hold_no_ipv4),
        cmocka_unit_test(values_of_all_networks_are_joined),
        cmocka_unit_test(nobody_and_nowhere_have_no_value),
        cmocka_unit_test(other_text_is_no_network),
        cmocka_unit_test(tries_agree_with_a_list),
    };
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
