/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and networks: what is read and what is refused, and look-ups against a list that is walked
 * from end to end. */
#include "core/policy/network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RANDOM_SEED 20261123u
#define LISTED_MAX 40000
#define SMALL_ROUNDS 600 /* of up to SMALL_MAX networks, each edge of each looked at */
#define SMALL_MAX 60
#define EDGES 4 /* of a network: the last address before, the first, the last, the first behind */

/* --- memory runs out --------------------------------------------------------------------------- */

static long allocations_left = -1; /* -1: without end */

static bool may_allocate(void)
{
    if (allocations_left < 0)
        return true;
    return allocations_left > 0 && allocations_left-- > 0;
}

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
    return may_allocate() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t size)
{
    return may_allocate() ? __real_realloc(p, size) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return may_allocate() ? __real_aligned_alloc(alignment, size) : NULL;
}

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
        "192.0.2.1[",
        "192.0.2.1[]",
        "192.0.2.1[0]",
        "192.0.2.1[65536]",
        "192.0.2.1[22",
        "192.0.2.1[22]x",
        "192.0.2.1:22[22]",
        "192.0.2.1[22]:22",
        "2001:db8::1[]",
        "[2001:db8::1][22]",
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
        for (int sealed = 0; sealed < 2; sealed++) {
            if (look(s, cases[i].first) != 1 || look(s, cases[i].last) != 1 ||
                look(s, cases[i].before) != 0 || look(s, cases[i].after) != 0)
                fail_msg("%s has other edges, %d", cases[i].network, sealed);
            assert_int_equal(dt_network_set_seal(s), DT_OK);
        }
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
        for (int sealed = 0; sealed < 2; sealed++) {
            assert_int_equal(look(s, "192.0.2.1"), 0);
            assert_int_equal(look(s, "0.0.0.0"), 0);
            assert_int_equal(look(s, "::fffe:ffff:ffff"), 1);
            assert_int_equal(dt_network_set_seal(s), DT_OK);
        }
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
    for (int sealed = 0; sealed < 2; sealed++) {
        assert_true(look(s, "192.0.2.1") == (UINT64_C(1) << 63 | 15));
        assert_true(look(s, "192.0.2.2") == (UINT64_C(1) << 63 | 11));
        assert_true(look(s, "192.0.3.1") == (UINT64_C(1) << 63 | 2));
        assert_true(look(s, "10.0.0.1") == UINT64_C(1) << 63);
        assert_int_equal(look(s, "2001:db8::1"), 0);
        assert_int_equal(dt_network_set_seal(s), DT_OK);
    }
    dt_network_set_free(&s);
}

static void nobody_and_nowhere_have_no_value(void **state)
{
    dt_network_set *s = set_of("0.0.0.0/0");
    dt_ip unset = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}, false};
    dt_network_set *none = NULL;
    (void)state;
    assert_int_equal(dt_network_set_add(s, "::/0", 0, NULL), DT_OK);
    assert_int_equal(dt_network_set_seal(s), DT_OK);
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
    uint32_t tag; /* DT_NETWORK_NO_TAG: only checked */
    char text[160];
} listed;

/* How the networks of one list are spread. */
typedef struct spread {
    uint8_t octets[8]; /* what addresses are made of: few, so that they nest; none: any octet */
    size_t octet_count;
    uint32_t tags;            /* so many different ones */
    int shortest4, shortest6; /* prefixes */
    unsigned same6;           /* IPv6 addresses begin with so many octets that are the same */
} spread;

static listed list[LISTED_MAX];
static unsigned random_state;

static unsigned random_below(unsigned n)
{
    return (unsigned)rand_r(&random_state) % n;
}

static uint8_t random_octet(spread const *how)
{
    return how->octet_count > 0 ? how->octets[random_below((unsigned)how->octet_count)]
                                : (uint8_t)(random_below(65536) >> 4);
}

static void random_address(spread const *how, bool ipv4, uint8_t out[16])
{
    memset(out, 0, 16);
    if (ipv4)
        out[10] = out[11] = 0xff;
    else
        out[0] = 0x20;
    for (unsigned i = ipv4 ? 12 : 1; i < 16; i++)
        if (ipv4 || i >= how->same6)
            out[i] = random_octet(how);
}

static void address_text(uint8_t const a[16], bool ipv4, char out[64])
{
    if (ipv4)
        snprintf(out, 64, "%s%u.%u.%u.%u", random_below(8) == 0 ? "::ffff:" : "", a[12], a[13],
                 a[14], a[15]);
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

static void random_range(spread const *how, listed *l, char text[160])
{
    uint8_t a[16], b[16];
    char first[64], last[64];
    bool turned;

    random_address(how, l->ipv4, a);
    random_address(how, l->ipv4, b);
    turned = memcmp(a, b, 16) > 0;
    memcpy(l->first, turned ? b : a, 16);
    memcpy(l->last, turned ? a : b, 16);
    address_text(l->first, l->ipv4, first);
    address_text(l->last, l->ipv4, last);
    snprintf(text, 160, "%s-%s", first, last);
}

/* Every length, the shortest and the longest more often than by chance. */
static int random_length(int shortest, int longest)
{
    switch (random_below(16)) {
    case 0:
        return shortest;
    case 1:
        return longest;
    default:
        return shortest + (int)random_below((unsigned)(longest - shortest + 1));
    }
}

static void random_prefix(spread const *how, listed *l, char text[160])
{
    uint8_t a[16];
    char at[64];
    bool mapped;
    int len = random_length(l->ipv4 ? how->shortest4 : how->shortest6, l->ipv4 ? 32 : 128);
    int base = l->ipv4 ? 96 : 0;

    random_address(how, l->ipv4, a);
    address_text(a, l->ipv4, at);
    mapped = l->ipv4 && strchr(at, ':') != NULL;
    memcpy(l->first, a, 16);
    memcpy(l->last, a, 16);
    fill_bits(l->first, base + len, false);
    fill_bits(l->last, base + len, true);
    if (len == (l->ipv4 ? 32 : 128) && random_below(2))
        snprintf(text, 160, "%s", at);
    else
        snprintf(text, 160, "%s/%d", at, mapped ? base + len : len);
}

/* Network i of the list, its text added to the set; now and then one that was there before, under the
 * same or another tag. */
static void random_network(spread const *how, size_t i, dt_network_set *s)
{
    listed *l = &list[i];
    dt_error e = {0};

    if (i > 0 && random_below(12) == 0) {
        *l = list[random_below((unsigned)i)];
    } else {
        l->ipv4 = random_below(2);
        (random_below(4) == 0 ? random_range : random_prefix)(how, l, l->text);
    }
    l->tag = random_below(20) == 0 ? DT_NETWORK_NO_TAG : random_below(how->tags);
    if (dt_network_set_add(s, l->text, l->tag, &e) != DT_OK)
        fail_msg("%s: %s", l->text, e.text);
}

static void list_lookup(size_t n, dt_ip const *ip, dt_tag_set *out)
{
    static uint8_t const mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool ipv4 = memcmp(ip->octets, mapped, sizeof(mapped)) == 0;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < n; i++)
        if (list[i].tag != DT_NETWORK_NO_TAG && list[i].ipv4 == ipv4 &&
            memcmp(list[i].first, ip->octets, 16) <= 0 && memcmp(ip->octets, list[i].last, 16) <= 0)
            out->words[list[i].tag / 64] |= UINT64_C(1) << list[i].tag % 64;
}

/* One up or down, with carry. */
static void step(uint8_t a[16], bool up)
{
    for (int i = 15; i >= 0; i--) {
        a[i] = (uint8_t)(a[i] + (up ? 1 : 255));
        if (a[i] != (up ? 0 : 255))
            return;
    }
}

static dt_ip edge_of(listed const *l, int edge)
{
    dt_ip ip = {.set = true};

    memcpy(ip.octets, edge < 2 ? l->first : l->last, 16);
    if (edge == 0 || edge == 3)
        step(ip.octets, edge == 3);
    return ip;
}

/* Looks one address up both ways; true when some network holds it. */
static bool agree_at(dt_network_set const *s, size_t n, dt_ip const *ip)
{
    dt_tag_set want, got = {{0}}, none = {{0}};

    list_lookup(n, ip, &want);
    dt_network_set_lookup(s, ip, &got);
    assert_memory_equal(&got, &want, sizeof(want));
    return memcmp(&want, &none, sizeof(none)) != 0;
}

/* The edges of the networks, all of them or so many by chance, and addresses by chance. Counts those
 * that lie in some network. */
static size_t agree(spread const *how, dt_network_set const *s, size_t n, size_t looks)
{
    size_t held = 0;

    for (size_t i = 0; i < looks; i++) {
        dt_ip ip = {.set = true};
        if (i % 8 == 7 || n == 0)
            random_address(how, random_below(2), ip.octets);
        else
            ip = edge_of(&list[looks < n * EDGES ? random_below((unsigned)n) : i / EDGES % n],
                         (int)(looks < n * EDGES ? random_below(EDGES) : i % EDGES));
        held += agree_at(s, n, &ip);
    }
    return held;
}

static size_t compare_with_list(spread const *how, size_t n, size_t looks)
{
    dt_network_set *s;
    size_t held;

    assert_int_equal(dt_network_set_new(&s), DT_OK);
    for (size_t i = 0; i < n; i++)
        random_network(how, i, s);
    (void)agree(how, s, n, looks / 16);
    assert_int_equal(dt_network_set_seal(s), DT_OK);
    held = agree(how, s, n, looks);
    dt_network_set_free(&s);
    return held;
}

static spread const spreads[] = {
    {{0, 1, 127, 128, 192, 255}, 6, 64, 0, 0, 0}, /* nest, at the edges of octets */
    {{0, 255}, 2, 3, 0, 0, 0},                    /* the first and last addresses, few tags */
    {{0}, 0, DT_NETWORK_TAGS_MAX, 0, 0, 0},       /* anywhere, all tags */
    {{0}, 0, 5, 16, 48, 0},                       /* side by side */
    {{0}, 0, 40, 24, 64, 8},                      /* IPv6 in one /64: the lower half decides */
    {{0, 1, 2, 3}, 4, 1, 28, 120, 14},            /* neighbours that become one */
};
#define SPREADS (sizeof(spreads) / sizeof(spreads[0]))

static void small_sets_agree_with_a_list(void **state)
{
    (void)state;
    random_state = RANDOM_SEED;
    for (size_t round = 0; round < SMALL_ROUNDS; round++) {
        size_t n = round % (SMALL_MAX + 1);
        (void)compare_with_list(&spreads[round % SPREADS], n, n * EDGES + 64);
    }
}

static void sets_agree_with_a_list(void **state)
{
    (void)state;
    random_state = RANDOM_SEED + 1;
    for (size_t i = 0; i < SPREADS; i++) {
        size_t looks = 12000, held = compare_with_list(&spreads[i], 3000, looks);
        /* Neither all nor none, or the comparison says little. */
        assert_in_range(held, looks / 10, looks);
    }
}

/* As deep as trees become in practice. */
static void large_sets_agree_with_a_list(void **state)
{
    (void)state;
    random_state = RANDOM_SEED + 2;
    (void)compare_with_list(&spreads[3], LISTED_MAX, 1000);
    (void)compare_with_list(&spreads[4], LISTED_MAX, 1000);
    (void)compare_with_list(&spreads[2], 10000, 4000);
}

/* Each nests in all before it and has a tag of its own: the deepest that networks can nest. */
static void every_length_nests(void **state)
{
    static char const *const addresses[] = {"203.0.113.85",
                                            "2001:db8:5555:aaaa:5555:aaaa:5555:aaaa"};
    (void)state;
    for (unsigned family = 0; family < 2; family++) {
        unsigned longest = family == 0 ? 32 : 128;
        dt_network_set *s;
        dt_ip ip;
        assert_int_equal(dt_network_set_new(&s), DT_OK);
        assert_int_equal(dt_ip_parse(addresses[family], &ip), DT_OK);
        for (unsigned len = 0; len <= longest; len++) {
            char text[64];
            snprintf(text, sizeof(text), "%s/%u", addresses[family], longest - len);
            assert_int_equal(dt_network_set_add(s, text, longest - len, NULL), DT_OK);
        }
        assert_int_equal(dt_network_set_seal(s), DT_OK);
        for (unsigned bit = 0; bit <= longest; bit++) {
            /* An address that has the first `bit` bits and not the next. */
            dt_ip other = ip;
            dt_tag_set got = {{0}};
            if (bit < longest)
                other.octets[(128 - longest + bit) / 8] ^= (uint8_t)(0x80 >> bit % 8);
            dt_network_set_lookup(s, &other, &got);
            for (unsigned tag = 0; tag < DT_NETWORK_TAGS_MAX; tag++)
                assert_int_equal(got.words[tag / 64] >> tag % 64 & 1, tag <= bit);
        }
        dt_network_set_free(&s);
    }
}

/* The whole of both families in every zone there can be. */
static void every_tag_fits_on_one_network(void **state)
{
    dt_network_set *s;
    dt_tag_set got = {{0}};
    dt_ip ip;
    (void)state;
    assert_int_equal(dt_network_set_new(&s), DT_OK);
    for (uint32_t tag = 0; tag < DT_NETWORK_TAGS_MAX; tag++) {
        assert_int_equal(dt_network_set_add(s, "0.0.0.0/0", tag, NULL), DT_OK);
        assert_int_equal(dt_network_set_add(s, "::/0", DT_NETWORK_TAGS_MAX - 1 - tag, NULL), DT_OK);
    }
    assert_int_equal(dt_network_set_add(s, "::/0", DT_NETWORK_TAGS_MAX, NULL), DT_E_LIMIT);
    assert_int_equal(dt_network_set_seal(s), DT_OK);
    assert_int_equal(dt_ip_parse("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &ip), DT_OK);
    dt_network_set_lookup(s, &ip, &got);
    for (size_t i = 0; i < DT_NETWORK_WORDS; i++)
        assert_true(got.words[i] == UINT64_MAX);
    memset(&got, 0, sizeof(got));
    assert_int_equal(dt_ip_parse("0.0.0.0", &ip), DT_OK);
    dt_network_set_lookup(s, &ip, &got);
    for (size_t i = 0; i < DT_NETWORK_WORDS; i++)
        assert_true(got.words[i] == UINT64_MAX);
    dt_network_set_free(&s);
}

/* Zone 0 in some zones in each zone: so many different sets of tags, told apart. */
static void sets_of_tags_are_told_apart(void **state)
{
    enum { MIDDLES = 100, SETS = DT_NETWORK_TAGS_MAX * MIDDLES };
    dt_network_set *s;
    (void)state;
    assert_int_equal(dt_network_set_new(&s), DT_OK);
    for (uint32_t i = 0; i < SETS; i++) {
        uint32_t tags[] = {i / MIDDLES, i % MIDDLES, 0};
        for (unsigned k = 0; k < 3; k++) {
            char text[64];
            snprintf(text, sizeof(text), "10.%u.%u.%u/%u", i >> 11, i >> 3 & 0xff, i << 5 & 0xff,
                     27 + k);
            assert_int_equal(dt_network_set_add(s, text, tags[k], NULL), DT_OK);
        }
    }
    assert_int_equal(dt_network_set_seal(s), DT_OK);
    for (uint32_t i = 0; i < SETS; i++) {
        dt_ip ip = {.octets = {[10] = 0xff, [11] = 0xff, [12] = 10}, .set = true};
        dt_tag_set want = {{1}}, got = {{0}};
        ip.octets[13] = (uint8_t)(i >> 11);
        ip.octets[14] = (uint8_t)(i >> 3);
        ip.octets[15] = (uint8_t)(i << 5);
        want.words[i / MIDDLES / 64] |= UINT64_C(1) << i / MIDDLES % 64;
        want.words[i % MIDDLES / 64] |= UINT64_C(1) << i % MIDDLES % 64;
        dt_network_set_lookup(s, &ip, &got);
        assert_memory_equal(&got, &want, sizeof(want));
    }
    dt_network_set_free(&s);
}

static void a_sealed_set_takes_no_more(void **state)
{
    dt_network_set *s = set_of("192.0.2.0/24");
    dt_error e = {0};
    (void)state;
    assert_int_equal(dt_network_set_seal(s), DT_OK);
    assert_int_equal(dt_network_set_seal(s), DT_OK);
    assert_int_equal(dt_network_set_add(s, "198.51.100.0/24", 1, &e), DT_E_STATE);
    assert_int_equal(e.code, DT_E_STATE);
    assert_int_equal(look(s, "192.0.2.1"), 1);
    assert_int_equal(look(s, "198.51.100.1"), 0);
    dt_network_set_free(&s);
}

/* A set that cannot be sealed for want of memory is as it was, and can be later. */
static void every_allocation_may_fail(void **state)
{
    dt_network_set *s;
    int rc = DT_E_NOMEM;
    (void)state;

    random_state = RANDOM_SEED + 3;
    allocations_left = 0;
    assert_int_equal(dt_network_set_new(&s), DT_E_NOMEM);
    assert_null(s);
    allocations_left = -1;
    assert_int_equal(dt_network_set_new(&s), DT_OK);
    allocations_left = 0;
    assert_int_equal(dt_network_set_add(s, "192.0.2.0/24", 0, NULL), DT_E_NOMEM);
    assert_int_equal(dt_network_set_add(s, "2001:db8::/32", 0, NULL), DT_E_NOMEM);
    allocations_left = -1;
    for (size_t i = 0; i < 200; i++)
        random_network(&spreads[0], i, s);
    for (long n = 0; rc != DT_OK; n++) {
        assert_in_range(n, 0, 50);
        allocations_left = n;
        rc = dt_network_set_seal(s);
        allocations_left = -1;
        assert_true(rc == DT_OK || (rc == DT_E_NOMEM && n < 50));
        (void)agree(&spreads[0], s, 200, 200 * EDGES);
    }
    dt_network_set_free(&s);
}

/* As many as there may be, and one more, which may also be the last piece of a range; and what each
 * takes in memory. */
static void networks_have_a_limit(void **state)
{
    dt_network_set *s;
    dt_error e = {0};
    (void)state;
    assert_int_equal(dt_network_set_new(&s), DT_OK);
    for (unsigned i = 0; i < DT_NETWORKS_MAX - 1; i++) {
        char text[32];
        snprintf(text, sizeof(text), "%u.%u.%u.%u", 10 + (i >> 23 & 1), i >> 15 & 0xff,
                 i >> 7 & 0xff, i << 1 & 0xff);
        assert_int_equal(dt_network_set_add(s, text, i % 2, NULL), DT_OK);
    }
    assert_int_equal(dt_network_set_add(s, "192.0.2.0-192.0.2.2", 2, &e), DT_E_LIMIT);
    assert_string_equal(e.text, "more than 2000000 networks");
    assert_int_equal(dt_network_set_add(s, "192.0.2.0-192.0.2.1", DT_NETWORK_NO_TAG, NULL), DT_OK);
    assert_int_equal(dt_network_set_add(s, "192.0.2.8", 2, NULL), DT_E_LIMIT);
    assert_int_equal(dt_network_set_seal(s), DT_OK);
    assert_int_equal(look(s, "10.0.0.0"), 1);
    assert_int_equal(look(s, "10.0.0.2"), 2);
    assert_int_equal(look(s, "10.0.0.3"), 0);
    assert_int_equal(look(s, "192.0.2.1"), 0);
    assert_in_range(dt_network_set_memory(s), DT_NETWORKS_MAX, DT_NETWORKS_MAX * 20);
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
        cmocka_unit_test(small_sets_agree_with_a_list),
        cmocka_unit_test(sets_agree_with_a_list),
        cmocka_unit_test(large_sets_agree_with_a_list),
        cmocka_unit_test(every_length_nests),
        cmocka_unit_test(every_tag_fits_on_one_network),
        cmocka_unit_test(sets_of_tags_are_told_apart),
        cmocka_unit_test(a_sealed_set_takes_no_more),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(networks_have_a_limit),
    };
    return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
