/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What VPN clients say of their devices: what is read, what is not, and under which names the device
 * is looked for. */
#include "core/device/vpn_claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void add(dt_vpn_claims *c, char const *pair)
{
    dt_vpn_claims_add_pair(c, dt_bytes_str(pair));
}

static void assert_names(dt_vpn_claims const *c, char const *const *names)
{
    char name[DT_VPN_NAME_MAX];
    size_t i = 0;

    for (; names[i] != NULL; i++) {
        assert_true(dt_vpn_claims_name(c, i, name));
        assert_string_equal(name, names[i]);
    }
    assert_false(dt_vpn_claims_name(c, i, name));
    assert_false(dt_vpn_claims_name(c, i + 1, name));
}

static void test_anyconnect(void **state)
{
    static char const *const names[] = {"uid:5b2fa1c0d3",   "uid:b3d9e2",      "mac:005056bd8f3e",
                                        "mac:0050562a7711", "name:ann-laptop", NULL};
    dt_vpn_claims c = {0};

    (void)state;
    add(&c, "mdm-tlv=device-platform=win");
    add(&c, "mdm-tlv=device-platform-version=10.0.19044 ");
    add(&c, "mdm-tlv=device-mac=00-50-56-bd-8f-3e ");
    add(&c, "mdm-tlv=device-mac=00-50-56-2A-77-11");
    add(&c, "mdm-tlv=device-public-mac=00:50:56:bd:8f:3e"); /* again */
    add(&c, "mdm-tlv=device-uid=5B2FA1C0D3");
    add(&c, "device-uid-global=B3D9E2 ");
    add(&c, "mdm-tlv=ac-user-agent=AnyConnect Windows 4.10");
    add(&c, "audit-session-id=0a0a");
    add(&c, "mdm-tlv=device-platform=android"); /* the first counts */
    add(&c, "mdm-tlv=device-uid=other");
    dt_vpn_claims_set_host_name(&c, "ANN-laptop ");
    assert_int_equal(c.platform, DT_PLATFORM_WINDOWS);
    assert_names(&c, names);
}

static void test_not_said(void **state)
{
    static char const *const pairs[] = {
        "",
        "=",
        "mdm-tlv=",
        "mdm-tlv=device-mac",
        "mdm-tlv=device-mac=",
        "mdm-tlv=device-mac=00-50-56-bd-8f",
        "mdm-tlv=device-mac=00-50-56-bd-8f-3e-11",
        "mdm-tlv=device-mac=00-50-56-bd-8f-3g",
        "mdm-tlv=device-mac=00-50:56-bd-8f-3e",
        "mdm-tlv=device-mac=00-00-00-00-00-00",
        "mdm-tlv=device-mac=ff-ff-ff-ff-ff-ff",
        "mdm-tlv=device-mac=02-00-00-00-00-00", /* as phones report */
        "mdm-tlv=device-mac=da-a1-19-4c-2f-01", /* random */
        "mdm-tlv=device-mac=52-54-00-12-34-56",
        "mdm-tlv=device-mac=00-05-9a-3c-7a-00", /* the adapter of a VPN client */
        "mdm-tlv=device-mac=44-44-44-44-44-44",
        "mdm-tlv=device-uid=0000000000",
        "mdm-tlv=device-uid=ffffffff-ffff-ffff-ffff-ffffffffffff",
        "mdm-tlv=device-uid=unknown",
        "mdm-tlv=device-uid-global=00000000-0000-0000-0000-000000000000",
        "mdm-tlv=device-mac=01-50-56-bd-8f-3e",
        "mdm-tlv=device-uid=a b",
        "mdm-tlv=device-uid=a\nb",
        "mdm-tlv=device-uid=a/b",
        "mdm-tlv=device-uid=caf\xc3\xa9",
        "mdm-tlv=device-platform=amiga",
        "MDM-TLV=device-uid=abc",
        "mdm-tlv=Device-uid=abc",
    };
    static char const *const none[] = {NULL};
    dt_vpn_claims c = {0};
    char longest[200];

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        add(&c, pairs[i]);
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "device-uid=", 11);
    dt_vpn_claims_add_pair(&c, dt_bytes_of(longest, sizeof(longest)));
    dt_vpn_claims_add_pair(&c, dt_bytes_of("device-uid=a\0b", 14));
    dt_vpn_claims_set_host_name(&c, "no such name");
    dt_vpn_claims_set_host_name(&c, "");
    assert_names(&c, none);
    assert_int_equal(c.platform, DT_PLATFORM_UNKNOWN);
}

static void test_bounds(void **state)
{
    dt_vpn_claims c = {0};
    char pair[64], name[DT_VPN_NAME_MAX];

    (void)state;
    for (int i = 0; i < 2 * DT_VPN_PAIRS_MAX; i++) {
        snprintf(pair, sizeof(pair), "mdm-tlv=device-mac=00-50-56-00-00-%02x", i);
        add(&c, pair);
    }
    assert_int_equal(c.mac_count, DT_VPN_MACS_MAX);
    assert_int_equal(c.pairs, DT_VPN_PAIRS_MAX);
    add(&c, "mdm-tlv=device-uid=late");
    assert_true(dt_vpn_claims_name(&c, 0, name));
    assert_string_equal(name, "mac:005056000000");
    assert_false(dt_vpn_claims_name(&c, DT_VPN_NAMES_MAX, name));
}

static void test_macs(void **state)
{
    static char const *const good[] = {"0050.56bd.8f3e",    "005056BD8F3E",  "00:50:56:bd:8f:3e",
                                       "00-50-56-BD-8F-3E", "005056-bd8f3e", "0050-56bd-8f3e"};
    static char const *const bad[] = {"",
                                      "0050.56bd.8f3",
                                      "0050-56bd-8f3e-",
                                      "00:50:56:bd:8f:3",
                                      "00.50.56.bd.8f.3e",
                                      " 05056bd8f3e",
                                      "005056bd8f3e "};
    char mac[DT_VPN_MAC_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(dt_mac_parse(dt_bytes_str(good[i]), mac), 0);
        assert_string_equal(mac, "005056bd8f3e");
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(dt_mac_parse(dt_bytes_str(bad[i]), mac), DT_E_PARSE);
        assert_string_equal(mac, "");
    }
}

static void test_platforms(void **state)
{
    static struct {
        char const *text;
        dt_platform platform;
    } const cases[] = {
        {"win", DT_PLATFORM_WINDOWS},
        {"mac-intel", DT_PLATFORM_MACOS},
        {"linux-64", DT_PLATFORM_LINUX},
        {"apple-ios", DT_PLATFORM_IOS},
        {"android", DT_PLATFORM_ANDROID},
        {"Microsoft Windows 10 Pro , 64-bit", DT_PLATFORM_WINDOWS},
        {"Apple Mac OS X 10.15.7", DT_PLATFORM_MACOS},
        {"Linux Ubuntu 20.04", DT_PLATFORM_LINUX},
        {"Google Android 12", DT_PLATFORM_ANDROID},
        {"Windows Phone 8", DT_PLATFORM_OTHER_MOBILE},
        {"chrome", DT_PLATFORM_CHROMEOS},
        {"", DT_PLATFORM_UNKNOWN},
        {"amiga", DT_PLATFORM_UNKNOWN},
        {"darwin", DT_PLATFORM_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (dt_vpn_platform(cases[i].text) != cases[i].platform)
            fail_msg("%s: %d", cases[i].text, (int)dt_vpn_platform(cases[i].text));
    }
    assert_int_equal(dt_vpn_platform(NULL), DT_PLATFORM_UNKNOWN);
}

/* A name as an inventory writes it is the one that a claim of it is looked for by. */
static void test_names_of_an_inventory(void **state)
{
    static struct {
        char const *kind, *text, *name;
    } const cases[] = {
        {"mac:", "005056BD8F3E", "mac:005056bd8f3e"},
        {"mac:", "00:50:56:bd:8f:3e", "mac:005056bd8f3e"},
        {"uid:", "{ABC-123}", "uid:{abc-123}"},
        {"name:", "LT-4711", "name:lt-4711"},
        {"mac:", "", NULL},
        {"mac:", "ffffffffffff", NULL},
        {"mac:", "02:00:00:00:00:00", NULL},
        {"mac:", "020000000000", NULL},
        {"mac:", "06:50:56:bd:8f:3e", NULL},
        {"mac:", "0a:50:56:bd:8f:3e", NULL},
        {"mac:", "0e:50:56:bd:8f:3e", NULL},
        {"mac:", "01:50:56:bd:8f:3e", NULL},
        {"mac:", "44:45:53:54:54:42", NULL},
        {"mac:", "04:50:56:bd:8f:3e", "mac:045056bd8f3e"},
        {"mac:", "9c:50:56:bd:8f:3e", "mac:9c5056bd8f3e"},
        {"name:", "localhost", NULL},
        {"name:", "LOCALHOST.localdomain", NULL},
        {"name:", "unknown", NULL},
        {"name:", "xxxx", NULL},
        {"name:", "x", "name:x"},
        {"uid:", "00000000-0000-0000-0000-000000000000", NULL},
        {"uid:", "0", NULL},
        {"uid:", "Default-String", NULL},
        {"mac:", "LT-4711", NULL},
        {"name:", "", NULL},
        {"name:", "Ann's MacBook", NULL},
        {"name:", "a\nb", NULL},
        {"serial:", "4711", NULL},
        {"", "4711", NULL},
    };
    char name[DT_VPN_NAME_MAX], long_name[DT_DEVICE_NAME_MAX + 1] = "";

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool found = dt_vpn_name_of(cases[i].kind, cases[i].text, name);
        if (found != (cases[i].name != NULL) || strcmp(name, found ? cases[i].name : "") != 0)
            fail_msg("%s %s: %s", cases[i].kind, cases[i].text, name);
    }
    memset(long_name, 'a', DT_DEVICE_NAME_MAX);
    assert_false(dt_vpn_name_of("name:", long_name, name));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_anyconnect), cmocka_unit_test(test_not_said),
        cmocka_unit_test(test_bounds),     cmocka_unit_test(test_macs),
        cmocka_unit_test(test_platforms),  cmocka_unit_test(test_names_of_an_inventory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
