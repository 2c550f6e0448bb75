/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For each rule a sign-on that its conditions mean, and from there each edge one after another. */
#include "devtrustctl/policy/simulate_cases.h"

#include "devtrustctl/policy/okta_import.h"

#include <stdlib.h>
#include <string.h>

#define IPV4_PREFIX 96 /* bits before an IPv4 address among octets */

static struct {
    char const *word;
    dt_platform platform;
} const platforms[] = {{"WINDOWS", DT_PLATFORM_WINDOWS},
                       {"MACOS", DT_PLATFORM_MACOS},
                       {"IOS", DT_PLATFORM_IOS},
                       {"ANDROID", DT_PLATFORM_ANDROID},
                       {"CHROMEOS", DT_PLATFORM_CHROMEOS}};
#define PLATFORMS (sizeof(platforms) / sizeof(platforms[0]))
#define DEVICES 3

char const *dt_simulate_platform(size_t i, dt_platform *out)
{
    if (i >= PLATFORMS)
        return NULL;
    *out = platforms[i].platform;
    return platforms[i].word;
}

bool dt_simulate_device(size_t i, bool *registered, bool *managed)
{
    *registered = i > 0;
    *managed = i > 1;
    return i < DEVICES;
}

/* --- people ------------------------------------------------------------------------------------ */

static bool is_same(char const *a, char const *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Its index; 0, nobody, where there is no room. */
static size_t put_person(dt_simulate_cases *c, char const *group, char const *user)
{
    for (size_t i = 0; i < c->people_count; i++)
        if (is_same(c->people[i].group, group) && is_same(c->people[i].user, user))
            return i;
    if (c->people_count == DT_SIMULATE_VALUES_MAX) {
        c->values_left_out = true;
        return 0;
    }
    c->people[c->people_count] = (dt_simulate_person){group, user};
    return c->people_count++;
}

/* The first of a list becomes *first, if that is still nobody. */
static void put_people(dt_simulate_cases *c, dt_json const *people, char const *kind,
                       char const *list, size_t *first)
{
    dt_json const *ids = dt_json_path(people, kind, list, NULL);

    for (size_t i = 0; i < dt_json_size(ids); i++) {
        char const *id = dt_json_string(dt_json_at(ids, i));
        size_t at = id == NULL                   ? 0
                    : strcmp(kind, "users") == 0 ? put_person(c, NULL, id)
                                                 : put_person(c, id, NULL);
        if (first != NULL && *first == 0)
            *first = at;
    }
}

/* --- addresses --------------------------------------------------------------------------------- */

static size_t put_address(dt_simulate_cases *c, dt_ip const *ip)
{
    for (size_t i = 0; i < c->address_count; i++)
        if (memcmp(c->addresses[i].octets, ip->octets, sizeof(ip->octets)) == 0)
            return i;
    if (c->address_count == DT_SIMULATE_VALUES_MAX) {
        c->values_left_out = true;
        return 0;
    }
    c->addresses[c->address_count] = *ip;
    return c->address_count++;
}

/* The address before or after; one that is not there is left as it is. */
static dt_ip neighbour_of(dt_ip ip, int step)
{
    dt_ip out = ip;

    for (size_t i = sizeof(ip.octets); i-- > 0;) {
        out.octets[i] = (uint8_t)(ip.octets[i] + step);
        if (step > 0 ? out.octets[i] != 0 : out.octets[i] != 0xff)
            return out;
    }
    return ip;
}

static void put_edges(dt_simulate_cases *c, dt_ip first, dt_ip last, size_t *inside)
{
    dt_ip const edges[] = {first, last, neighbour_of(first, -1), neighbour_of(last, 1)};

    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        size_t at = put_address(c, &edges[i]);
        if (i == 0 && inside != NULL && *inside == 0)
            *inside = at;
    }
}

static void mask(dt_ip *ip, unsigned bits, bool ones)
{
    for (unsigned i = bits; i < 8 * sizeof(ip->octets); i++) {
        uint8_t bit = (uint8_t)(0x80 >> i % 8);
        ip->octets[i / 8] = (uint8_t)(ones ? ip->octets[i / 8] | bit : ip->octets[i / 8] & ~bit);
    }
}

/* "192.0.2.0/24" or "192.0.2.1-192.0.2.9"; false for another form. */
static bool network_of(char const *text, dt_ip *first, dt_ip *last)
{
    char copy[128];
    char *end, *sign;
    unsigned long bits;

    if (text == NULL || dt_str_copy(copy, sizeof(copy), text) != DT_OK)
        return false;
    sign = copy + strcspn(copy, "/-");
    if (*sign == '\0')
        return false;
    bool range = *sign == '-';
    *sign++ = '\0';
    if (dt_ip_parse(copy, first) != DT_OK)
        return false;
    *last = *first;
    if (range)
        return dt_ip_parse(sign, last) == DT_OK;
    bits = strtoul(sign, &end, 10) + (strchr(copy, ':') == NULL ? IPV4_PREFIX : 0);
    if (end == sign || *end != '\0' || bits > 128)
        return false;
    mask(first, (unsigned)bits, false);
    mask(last, (unsigned)bits, true);
    return true;
}

static void put_zone(dt_simulate_cases *c, dt_json const *zone, size_t *inside)
{
    dt_json const *gateways = dt_json_get(zone, "gateways");
    dt_ip first = {0}, last = {0};

    for (size_t i = 0; i < dt_json_size(gateways); i++)
        if (network_of(dt_json_string(dt_json_get(dt_json_at(gateways, i), "value")), &first,
                       &last))
            put_edges(c, first, last, inside);
}

static bool is_listed(dt_json const *ids, char const *id)
{
    for (size_t i = 0; id != NULL && i < dt_json_size(ids); i++) {
        char const *one = dt_json_string(dt_json_at(ids, i));
        if (one != NULL && (strcmp(one, id) == 0 || strcmp(one, "ALL_ZONES") == 0))
            return true;
    }
    return false;
}

static void put_zones(dt_simulate_cases *c, dt_json const *document, dt_json const *network,
                      size_t *inside)
{
    dt_json const *zones = dt_json_get(document, "zones");

    for (size_t i = 0; i < dt_json_size(zones); i++) {
        dt_json const *zone = dt_json_at(zones, i);
        char const *id = dt_json_string(dt_json_get(zone, "id"));
        if (is_listed(dt_json_get(network, "include"), id))
            put_zone(c, zone, inside);
        else if (is_listed(dt_json_get(network, "exclude"), id))
            put_zone(c, zone, NULL);
    }
}

/* --- cases ------------------------------------------------------------------------------------- */

static void put_case(dt_simulate_cases *c, size_t most, dt_simulate_case one)
{
    for (size_t i = 0; i < c->count; i++)
        if (memcmp(&c->items[i], &one, sizeof(one)) == 0)
            return;
    if (c->count >= most || c->count == DT_SIMULATE_CASES_MAX) {
        c->left_out++;
        return;
    }
    c->items[c->count++] = one;
}

static size_t device_of(dt_json const *device)
{
    bool registered = false, managed = false;

    if (dt_json_bool(dt_json_get(device, "managed"), &managed) && managed)
        return 2;
    return dt_json_bool(dt_json_get(device, "registered"), &registered) && registered ? 1 : 0;
}

static size_t platform_of(dt_json const *conditions)
{
    unsigned bits = dt_json_get(conditions, "platform") == NULL
                        ? DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE
                        : dt_okta_platform_bits(dt_json_get(conditions, "platform"));

    for (size_t i = 0; i < PLATFORMS; i++)
        if (((unsigned)platforms[i].platform & bits) != 0)
            return i;
    return 0;
}

static dt_simulate_case base_of(dt_simulate_cases *c, dt_json const *document, dt_json const *rule)
{
    dt_json const *conditions = dt_json_get(rule, "conditions");
    dt_json const *people = dt_json_get(conditions, "people");
    size_t person = 0, address = 0;

    put_people(c, people, "groups", "include", &person);
    put_people(c, people, "users", "include", &person);
    put_people(c, people, "groups", "exclude", NULL);
    put_people(c, people, "users", "exclude", NULL);
    put_zones(c, document, dt_json_get(conditions, "network"), &address);
    return (dt_simulate_case){(uint16_t)person, (uint16_t)address,
                              (uint16_t)platform_of(conditions),
                              (uint16_t)device_of(dt_json_get(conditions, "device"))};
}

static void put_around(dt_simulate_cases *c, size_t most, dt_simulate_case base)
{
    dt_simulate_case one;

    put_case(c, most, base);
    for (one = base, one.device = 0; one.device < DEVICES; one.device++)
        put_case(c, most, one);
    for (one = base, one.person = 0; one.person < c->people_count; one.person++)
        put_case(c, most, one);
    for (one = base, one.address = 0; one.address < c->address_count; one.address++)
        put_case(c, most, one);
    for (one = base, one.platform = 0; one.platform < PLATFORMS; one.platform++)
        put_case(c, most, one);
}

void dt_simulate_cases_make(dt_json const *document, dt_json const *entry, size_t most,
                            dt_simulate_cases *out)
{
    dt_json const *rules = dt_json_get(entry, "rules");
    dt_ip outside = {0};

    memset(out, 0, sizeof(*out));
    out->people_count = 1; /* nobody */
    if (dt_ip_parse("203.0.113.77", &outside) == DT_OK)
        (void)put_address(out, &outside);
    /* First all values, then the cases: each rule meets the edges of all. */
    for (size_t i = 0; i < dt_json_size(rules); i++)
        (void)base_of(out, document, dt_json_at(rules, i));
    for (size_t i = 0; i < dt_json_size(rules); i++)
        put_around(out, most, base_of(out, document, dt_json_at(rules, i)));
}
