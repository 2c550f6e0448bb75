/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zones from the text of their file, where the long lists are cut out and read in pieces: the same zones
 * as from a tree of the whole, and refused where that is, whatever is wrong with the text. */
#include "core/policy/policy_rules.h"
#include "core/policy/zones_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RANDOM_SEED 20261124u
#define RANDOM_TEXTS 60000
#define PROBES 12

static int from_tree(dt_bytes text, dt_zones **out, dt_error *e)
{
    dt_json *root = NULL;
    int rc = dt_json_parse(text, &root, e);

    *out = NULL;
    if (rc == DT_OK)
        rc = dt_zones_parse(root, "zones.json", out, e);
    dt_json_free(&root);
    return rc;
}

static int from_text(dt_bytes text, dt_zones **out, dt_error *e)
{
    return dt_zones_parse_text(&(dt_json_source){.file = "zones.json", .text = text}, out, e);
}

/* Lists cut out, and no second reading. */
static int from_cut(dt_bytes text, dt_zones **out)
{
    return dt_zones_parse_cut(&(dt_json_source){.file = "zones.json", .text = text}, out);
}

static void assert_same_zones(dt_zones const *a, dt_zones const *b)
{
    static char const *const probes[PROBES] = {
        "192.0.2.0",   "192.0.2.77", "192.0.2.255",  "192.0.3.0",   "198.51.100.9", "10.1.2.3",
        "2001:db8::1", "2001:db8::", "2001:db8::ff", "2001:db9::1", "0.0.0.0",      "203.0.113.5"};
    assert_int_equal(a->count, b->count);
    assert_true(dt_zones_memory(a) == dt_zones_memory(b));
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->zones[i].name, b->zones[i].name);
        assert_int_equal(a->zones[i].active, b->zones[i].active);
        assert_int_equal(a->zones[i].blocklist, b->zones[i].blocklist);
    }
    for (size_t i = 0; i < PROBES; i++) {
        dt_tag_set x = {{0}}, y = {{0}}, none = {{0}};
        dt_ip ip;
        assert_int_equal(dt_ip_parse(probes[i], &ip), DT_OK);
        dt_zones_locate(a, &ip, NULL, &x, &none);
        dt_zones_locate(b, &ip, NULL, &y, &none);
        assert_memory_equal(&x, &y, sizeof(x));
    }
}

/* The text is taken both ways, and gives the same; or it is refused both ways. */
static int compare(dt_bytes text)
{
    dt_zones *a, *b;
    dt_error ea = {0}, eb = {0};
    int plain = from_tree(text, &a, &ea), cut = from_text(text, &b, &eb);

    if (plain != cut)
        fail_msg("%.*s: %d (%s), not %d (%s)", (int)text.len, (char const *)text.p, cut, eb.text,
                 plain, ea.text);
    if (plain == DT_OK) {
        assert_same_zones(a, b);
    } else {
        assert_null(b);
        assert_int_equal(eb.code, plain);
        assert_int_equal(strncmp(eb.text, "zones.json", strlen("zones.json")), 0);
    }
    dt_zones_free(&a);
    dt_zones_free(&b);
    return plain;
}

#define ZONE(name, more) "{\"name\":\"" name "\",\"type\":\"IP\",\"status\":\"ACTIVE\"," more "}"
#define FILE_OF(zones) "{\"zones\":[" zones "]}"

static char const *const good[] = {
    FILE_OF(""),
    " { \"$schema\" : \"x\" , \"zones\" : [ ] } ",
    FILE_OF(ZONE("a", "\"gateways\":[\"192.0.2.0/24\"]")),
    FILE_OF(ZONE("a", "\"gateways\": [ \"192.0.2.0/24\" , \"10.0.0.0/8\"\n] \t")),
    FILE_OF(ZONE(
        "a",
        "\"gateways\":[{\"type\":\"CIDR\",\"value\":\"192.0.2.0/24\"},"
        "{\"value\":\"2001:db8::-2001:db8::ff\",\"type\":\"RANGE\"}]") ","
                                                                       "{\"name\":\"b\",\"type\":"
                                                                       "\"DYNAMIC\",\"status\":"
                                                                       "\"INACTIVE\",\"asns\":["
                                                                       "64500]}," ZONE(
                                                                           "c\\\"]",
                                                                           "\"usage\":"
                                                                           "\"BLOCKLIST\","
                                                                           "\"gateways\":[\"192.0."
                                                                           "2.77\"]")),
    FILE_OF("{\"gateways\":[\"198.51.100.0/24\"],\"name\":\"gateways\",\"status\":\"ACTIVE\","
            "\"type\":\"IP\"}," ZONE("zones", "\"g\\u0061teways\":[\"192.0.2.0/24\"]")),
    "{\"z\\u006fnes\":[" ZONE("a", "\"gateways\":[\"192.0.2.0/24\"]") "]}",
    FILE_OF(ZONE("a", "\"gateways\":[\"192.0.2.\\u0030/24\"]")),
};

static void good_texts_are_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        dt_zones *z;
        if (compare(dt_bytes_str(good[i])) != DT_OK)
            fail_msg("%s", good[i]);
        if (from_cut(dt_bytes_str(good[i]), &z) != DT_OK)
            fail_msg("%s was read twice", good[i]);
        dt_zones_free(&z);
    }
}

#define BAD(list) FILE_OF(ZONE("a", "\"gateways\":" list))

static void bad_texts_are_refused(void **state)
{
    static char const *const bad[] = {
        "",
        " ",
        "null",
        "[]",
        "\"zones\"",
        "{",
        "{}",
        "{\"zones\"",
        "{\"zones\":",
        "{\"zones\":[",
        "{\"zones\":[}",
        "{\"zones\":[{",
        "{\"zones\":{}}",
        "{\"zones\":[{}]}",
        "{\"zones\":[],}",
        "{\"zones\":[],\"zones\":[]}",
        "{\"zones\":[]}x",
        "{\"zones\":[]}{\"zones\":[]}",
        "{\"zones\":[[" ZONE("a", "\"gateways\":[\"192.0.2.0/24\"]") "]]}",
        BAD("[]"),
        BAD("[ ]"),
        BAD("[,]"),
        BAD("[\"192.0.2.0/24\",]"),
        BAD("[\"192.0.2.0/24\" , ]"),
        BAD("[,\"192.0.2.0/24\"]"),
        BAD("[\"192.0.2.0/24\",,\"10.0.0.0/8\"]"),
        BAD("[\"192.0.2.0/24\" \"10.0.0.0/8\"]"),
        BAD("[\"192.0.2.0/24\"\"10.0.0.0/8\"]"),
        BAD("[\"192.0.2.0/24\":\"10.0.0.0/8\"]"),
        BAD("[\"192.0.2.0/24\"}"),
        BAD("[\"192.0.2.0/24\""),
        BAD("[\"192.0.2.0/24"),
        BAD("[\"192.0.2.0/24]"),
        BAD("[\"192.0.2.0/24\"]]"),
        BAD("[\"192.0.2.0/24\"],[\"10.0.0.0/8\"]"),
        BAD("[\"192.0.2.0/24\"],\"gateways\":[\"10.0.0.0/8\"]"),
        BAD("[\"192.0.2.0/24\"],\"g\\u0061teways\":[\"10.0.0.0/8\"]"),
        BAD("[\"192.0.2.0/24\"],\"more\":1"),
        BAD("[[\"192.0.2.0/24\"]]"),
        BAD("[{\"type\":\"CIDR\",\"type\":\"CIDR\",\"value\":\"192.0.2.0/24\"}]"),
        BAD("[{\"type\":\"CIDR\",\"value\":\"192.0.2.0/24\"]"),
        BAD("[{\"type\":\"CIDR\",\"value\":\"192.0.2.0/24\"}}"),
        BAD("[\"192.0.2.0/24\\u0000\"]"),
        BAD("[\"192.0.2.0/24\xff\"]"),
        BAD("[\"192.0.2.0/24\n\"]"),
        BAD("[\"192.0.2.0/24\" // all of it\n]"),
        BAD("[\"192.0.2.0/33\"]"),
        BAD("[null]"),
        BAD("[1e999]"),
        BAD("{\"0\":\"192.0.2.0/24\"}"),
        BAD("\"192.0.2.0/24\""),
        FILE_OF("{\"name\":\"a\",\"type\":\"DYNAMIC\",\"status\":\"ACTIVE\",\"asns\":[1],"
                "\"gateways\":[\"192.0.2.0/24\"]}"),
        FILE_OF(ZONE("a", "\"gateways\":[\"192.0.2.0/24\"]") "," ZONE(
            "a", "\"gateways\":[\"10.0.0.0/8\"]")),
        FILE_OF(ZONE("a", "\"gateways\":[\"192.0.2.0/24\"]") "," ZONE(
            "b", "\"gateways\":[\"10.0.0.0/8\"]") ","),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (compare(dt_bytes_str(bad[i])) == DT_OK)
            fail_msg("%s", bad[i]);
}

/* A text with a byte changed, put in or left out here and there: nearly all are bad, each in a way of
 * its own. */
static void changed_texts_are_taken_alike(void **state)
{
    static char const bytes[] = "[]{},:\"\\ \n0a/-.\xff";
    unsigned seed = RANDOM_SEED;
    size_t taken = 0;
    (void)state;

    for (size_t round = 0; round < RANDOM_TEXTS; round++) {
        char const *from = good[(size_t)rand_r(&seed) % (sizeof(good) / sizeof(good[0]))];
        size_t len = strlen(from);
        char text[1024];
        assert_true(len + 8 < sizeof(text));
        memcpy(text, from, len + 1);
        for (int changes = 1 + rand_r(&seed) % 3; changes > 0; changes--) {
            size_t at = (size_t)rand_r(&seed) % len;
            char byte = bytes[(size_t)rand_r(&seed) % (sizeof(bytes) - 1)];
            switch (rand_r(&seed) % 3) {
            case 0:
                text[at] = byte;
                break;
            case 1:
                memmove(text + at + 1, text + at, len - at + 1);
                text[at] = byte;
                len++;
                break;
            default:
                memmove(text + at, text + at + 1, len - at);
                len--;
            }
        }
        taken += compare(dt_bytes_of(text, len)) == DT_OK;
    }
    /* Some are good all the same: a blank more, another digit. */
    assert_in_range(taken, RANDOM_TEXTS / 100, RANDOM_TEXTS / 2);
}

/* --- long lists -------------------------------------------------------------------------------- */

/* So many networks, one on a line, line 2 the first; number `odd` is another text. */
static char *long_text(size_t networks, size_t odd, char const *text, size_t *len)
{
    char *all = malloc(networks * 32 + strlen(text) + 256), *p = all;

    assert_non_null(all);
    p += sprintf(
        p, "{\"zones\":[{\"name\":\"a\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":[\n");
    for (size_t i = 0; i < networks; i++) {
        if (i == odd)
            p += sprintf(p, "%s", text);
        else
            p += sprintf(p, "\"10.%zu.%zu.%zu\"", i >> 15 & 0xff, i >> 7 & 0xff, i << 1 & 0xff);
        p += sprintf(p, i + 1 < networks ? ",\n" : "\n");
    }
    p += sprintf(p, "]}]}\n");
    *len = (size_t)(p - all);
    return all;
}

static void long_lists_are_whole(void **state)
{
    size_t const networks = 20000;
    size_t len;
    char *text = long_text(networks, networks, "", &len);
    dt_zones *z;
    (void)state;

    assert_int_equal(from_cut(dt_bytes_of(text, len), &z), DT_OK);
    for (size_t i = 0; i < networks * 2; i++) {
        dt_tag_set in, unknown;
        dt_ip ip;
        char at[32];
        snprintf(at, sizeof(at), "10.%zu.%zu.%zu", i >> 16 & 0xff, i >> 8 & 0xff, i & 0xff);
        assert_int_equal(dt_ip_parse(at, &ip), DT_OK);
        dt_zones_locate(z, &ip, NULL, &in, &unknown);
        assert_int_equal(dt_tag_set_has(&in, 0), i % 2 == 0);
    }
    dt_zones_free(&z);
    free(text);
}

/* As many zones as there may be, one more, and all of them twice. */
static void zones_have_a_limit(void **state)
{
    (void)state;
    for (size_t zones = DT_ZONES_MAX - 1; zones <= DT_ZONES_MAX + 1; zones++) {
        size_t room = 2 * (zones + 1) * 128, len = 0;
        char *text = malloc(room);
        assert_non_null(text);
        for (int twice = 0; twice < 2; twice++) {
            len += (size_t)snprintf(text + len, room - len, "%s\"zones\":[", twice ? "," : "{");
            for (size_t i = 0; i < zones; i++)
                len += (size_t)snprintf(text + len, room - len,
                                        "%s" ZONE("%zu", "\"gateways\":[\"10.0.0.0/8\"]"),
                                        i > 0 ? "," : "", i);
            text[len++] = ']';
            text[len] = '}';
            assert_int_equal(compare(dt_bytes_of(text, len + 1)), twice ? DT_E_PARSE
                                                                  : zones <= DT_ZONES_MAX
                                                                      ? DT_OK
                                                                      : DT_E_INVALID);
        }
        free(text);
    }
}

/* A comma behind the last one, wherever a piece ends. */
static void no_list_ends_with_a_comma(void **state)
{
    (void)state;
    for (size_t networks = 3900; networks < 4600; networks++) {
        size_t len;
        dt_zones *z;
        char *text = long_text(networks, networks, "", &len);
        assert_int_equal(from_cut(dt_bytes_of(text, len), &z), DT_OK);
        dt_zones_free(&z);
        free(text);
        text = long_text(networks, networks - 1, "", &len);
        assert_int_not_equal(from_cut(dt_bytes_of(text, len), &z), DT_OK);
        assert_null(z);
        free(text);
    }
}

/* One that is wrong is found in whatever piece it lies, and told with its line. */
static void what_is_wrong_in_a_long_list_is_told(void **state)
{
    size_t const networks = 12000;
    static size_t const places[] = {0, 1, 5000, 11998, 11999};
    static struct {
        char const *text, *error; /* behind the place */
    } const cases[] = {
        {"\"10.0.0.0/33\"", "\"10.0.0.0/33\" is not a network"},
        {"{\"type\":\"CIDR\"}", "member \"value\" is missing"},
        {"null", "must be an object, not null"},
        {"[]", "must be an object, not an array"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
            char want[128];
            size_t len;
            char *text = long_text(networks, places[i], cases[k].text, &len);
            dt_zones *z;
            dt_error e = {0};
            assert_int_equal(from_text(dt_bytes_of(text, len), &z, &e), DT_E_INVALID);
            snprintf(want, sizeof(want), "zones.json:%zu#/zones/0/gateways/%zu: %s", places[i] + 2,
                     places[i], cases[k].error);
            assert_int_equal(strncmp(e.text, want, strlen(want)), 0);
            free(text);
        }
    }
}

/* What is no JSON, in whatever piece. */
static void what_is_no_json_in_a_long_list_is_told(void **state)
{
    size_t const networks = 12000;
    static size_t const places[] = {0, 1, 5000, 11999};
    static char const *const cases[] = {"",
                                        "]",
                                        "}",
                                        "\"",
                                        "\"a\" \"b\"",
                                        "\"\\u0000\"",
                                        "\"\xc3\"",
                                        "{\"a\":1,\"a\":2}",
                                        "1e999",
                                        "nul",
                                        "\"\t\""};
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
            size_t len;
            unsigned long line;
            char *text = long_text(networks, places[i], cases[k], &len);
            dt_zones *z;
            dt_error e = {0};
            assert_int_equal(from_text(dt_bytes_of(text, len), &z, &e), DT_E_PARSE);
            assert_int_equal(sscanf(e.text, "zones.json: line %lu, column", &line), 1);
            assert_in_range(line, places[i] + 2, places[i] + 3);
            free(text);
        }
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(good_texts_are_the_same),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(changed_texts_are_taken_alike),
        cmocka_unit_test(long_lists_are_whole),
        cmocka_unit_test(zones_have_a_limit),
        cmocka_unit_test(no_list_ends_with_a_comma),
        cmocka_unit_test(what_is_wrong_in_a_long_list_is_told),
        cmocka_unit_test(what_is_no_json_in_a_long_list_is_told),
    };
    return cmocka_run_group_tests_name("zones_text", tests, NULL, NULL);
}
