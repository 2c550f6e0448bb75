/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zones: the file that gives names to networks, places and providers. All zones' networks lie in one
 * set, so that one look-up tells every zone that holds an address; what is said by place or by the
 * provider's number is asked of a database, once for all zones. */
#include "core/base/json_reader.h"
#include "core/policy/policy_rules.h"
#include "core/policy/zones_text.h"

#include <stdlib.h>
#include <string.h>

#define ASN_MAX UINT32_MAX /* RFC 6793 */
#define ASN_TEXT_MAX 16
#define REGION_TEXT_MAX 8 /* "US-CA" and a NUL, with some room */
#define FIRST_CAP 16      /* elements of an array's first allocation */

static dt_config_word const zone_types[] = {{"IP", 0}, {"DYNAMIC", 1}, {NULL, 0}};
static dt_config_word const zone_status[] = {{"ACTIVE", 1}, {"INACTIVE", 0}, {NULL, 0}};
static dt_config_word const zone_usage[] = {{"POLICY", 0}, {"BLOCKLIST", 1}, {NULL, 0}};

typedef enum gateway_type { GATEWAY_CIDR = 0, GATEWAY_RANGE } gateway_type;
static dt_config_word const gateway_types[] = {
    {"CIDR", GATEWAY_CIDR}, {"RANGE", GATEWAY_RANGE}, {NULL, 0}};

typedef struct zone_reader {
    dt_json_reader r;
    dt_zones *z;
    dt_zone *zone;            /* being read: the one behind the last */
    dt_zone_cuts const *cuts; /* NULL: all is in the tree */
} zone_reader;

int dt_array_grow(void **items, size_t count, size_t *cap, size_t size)
{
    size_t want = *cap == 0 ? FIRST_CAP : *cap * 2;
    void *grown;

    if (count < *cap)
        return DT_OK;
    grown = realloc(*items, want * size);
    if (grown == NULL)
        return DT_E_NOMEM;
    *items = grown;
    *cap = want;
    return DT_OK;
}

/* --- type IP ----------------------------------------------------------------------------------- */

/* The networks of an INACTIVE zone are only checked. */
static int network_add(zone_reader *k, char const *value)
{
    uint32_t tag = k->zone->active ? (uint32_t)k->z->count : DT_NETWORK_NO_TAG;
    dt_error why = {0};
    int rc = dt_network_set_add(k->z->networks, value, tag, &why);

    if (rc == DT_E_NOMEM)
        return dt_json_reader_nomem(&k->r);
    return rc == DT_OK ? DT_OK : dt_json_reader_fail(&k->r, "%s", why.text);
}

/* {"type","value"} as Okta has it, or the value alone: a list of a million is read in half the time
 * and a quarter of the memory then. */
static int gateway_parse(zone_reader *k, dt_json const *v)
{
    static dt_json_field const fields[] = {{"type", true}, {"value", true}, {NULL, false}};
    char const *value = NULL;
    int type = GATEWAY_CIDR;
    int rc;

    if (dt_json_typeof(v) == DT_JSON_STRING) {
        rc = dt_json_reader_text(&k->r, v, DT_POLICY_NAME_MAX, &value);
        return rc == DT_OK ? network_add(k, value) : rc;
    }
    rc = dt_json_reader_object(&k->r, v, fields);
    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&k->r, v, "type", gateway_types, &type);
    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&k->r, v, "value", DT_POLICY_NAME_MAX, &value);
    if (rc != DT_OK)
        return rc;
    if ((strchr(value, '-') != NULL) != (type == GATEWAY_RANGE))
        return dt_json_reader_fail(&k->r, "a CIDR has no \"-\", a RANGE is first-last");
    return network_add(k, value);
}

/* --- type DYNAMIC ------------------------------------------------------------------------------ */

/* Country and region as one number, a country alone in front of its regions. */
static uint64_t place_key(char const *country, char const *region)
{
    uint64_t key = (uint64_t)(unsigned char)country[0] << 8 | (unsigned char)country[1];

    for (int i = 0; i < 3; i++)
        key = key << 8 | (unsigned char)(*region != '\0' ? *region++ : 0);
    return key;
}

static bool is_capital(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* ISO 3166-2 code of a region, with its country in front ("US-CA") or without; NULL when it is
 * neither. */
static char const *region_code(char const *text, char const *country)
{
    size_t n = 0;

    if (is_capital(text[0]) && is_capital(text[1]) && text[2] == '-') {
        if (text[0] != country[0] || text[1] != country[1])
            return NULL;
        text += 3;
    }
    while (is_capital(text[n]) || (text[n] >= '0' && text[n] <= '9'))
        n++;
    return n >= 1 && n <= 3 && text[n] == '\0' ? text : NULL;
}

static int place_add(zone_reader *k, uint64_t key)
{
    dt_zones *z = k->z;
    void *places = z->places;
    int rc = dt_array_grow(&places, z->place_count, &z->place_cap, sizeof(*z->places));

    z->places = places;
    if (rc != DT_OK)
        return dt_json_reader_nomem(&k->r);
    z->places[z->place_count++] = key;
    k->zone->place_count++;
    return DT_OK;
}

static int location_parse(zone_reader *k, dt_json const *v)
{
    static dt_json_field const fields[] = {{"country", true}, {"region", false}, {NULL, false}};
    char const *country = "", *region = NULL, *code = "";
    int rc = dt_json_reader_object(&k->r, v, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&k->r, v, "country", REGION_TEXT_MAX, &country);
    /* Okta writes null for "the whole country". */
    if (rc == DT_OK && dt_json_typeof(dt_json_get(v, "region")) != DT_JSON_NULL)
        rc = dt_json_reader_member_text(&k->r, v, "region", REGION_TEXT_MAX, &region);
    if (rc != DT_OK)
        return rc;
    if (!is_capital(country[0]) || !is_capital(country[1]) || country[2] != '\0')
        return dt_json_reader_fail(&k->r,
                                   "country must be two capital letters (ISO 3166-1), such as DE");
    if (region != NULL)
        code = region_code(region, country);
    if (code == NULL)
        return dt_json_reader_fail(
            &k->r,
            "region must be an ISO 3166-2 code of this country, such as US-CA, or CA for US");
    return place_add(k, place_key(country, code));
}

/* Okta writes them as text. */
static int asn_parse(zone_reader *k, dt_json const *v)
{
    dt_zones *z = k->z;
    char const *text = dt_json_string(v);
    void *asns = z->asns;
    int64_t n = 0;

    if (text != NULL) {
        bool digits = *text >= '1' && *text <= '9' && strlen(text) < ASN_TEXT_MAX &&
                      text[strspn(text, "0123456789")] == '\0';
        for (; digits && *text != '\0'; text++)
            n = n * 10 + (*text - '0');
    } else if (!dt_json_integer(v, &n)) {
        n = 0;
    }
    if (n < 1 || n > ASN_MAX)
        return dt_json_reader_fail(
            &k->r, "must be a number from 1 to 4294967295, such as 64500 or \"64500\"");
    if (dt_array_grow(&asns, z->asn_count, &z->asn_cap, sizeof(*z->asns)) != DT_OK)
        return dt_json_reader_nomem(&k->r);
    z->asns = asns;
    z->asns[z->asn_count++] = (uint32_t)n;
    k->zone->asn_count++;
    return DT_OK;
}

static int compare_place(void const *a, void const *b)
{
    uint64_t x = *(uint64_t const *)a, y = *(uint64_t const *)b;
    return x < y ? -1 : x > y;
}

static int compare_asn(void const *a, void const *b)
{
    uint32_t x = *(uint32_t const *)a, y = *(uint32_t const *)b;
    return x < y ? -1 : x > y;
}

/* --- one zone ---------------------------------------------------------------------------------- */

static int list_parse(zone_reader *k, dt_json const *v, char const *member, size_t max,
                      int (*parse)(zone_reader *, dt_json const *))
{
    dt_json const *list = dt_json_get(v, member);
    size_t mark;
    int rc;

    if (list == NULL)
        return DT_OK;
    mark = dt_json_reader_enter(&k->r, member);
    rc = dt_json_reader_array(&k->r, list, 1, max);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        size_t element = dt_json_reader_enter_at(&k->r, i);
        rc = parse(k, dt_json_at(list, i));
        dt_json_reader_leave(&k->r, element);
    }
    dt_json_reader_leave(&k->r, mark);
    return rc;
}

static int zone_name_parse(zone_reader *k, dt_json const *v)
{
    char const *name = "";
    int rc = dt_json_reader_member_text(&k->r, v, "name", DT_POLICY_NAME_MAX, &name);

    if (rc != DT_OK)
        return rc;
    if (strcmp(name, "ALL_ZONES") == 0)
        return dt_json_reader_fail(&k->r, "the name ALL_ZONES means every zone; choose another");
    if (dt_zones_find(k->z, name) >= 0)
        return dt_json_reader_fail(&k->r, "another zone has this name");
    k->zone->hash = dt_name_hash(name);
    return dt_str_copy(k->zone->name, sizeof(k->zone->name), name);
}

/* Name, type, status, usage. */
static int zone_head_parse(zone_reader *k, dt_json const *v)
{
    static dt_json_field const ip[] = {{"name", true},     {"type", true},   {"status", true},
                                       {"gateways", true}, {"usage", false}, {NULL, false}};
    static dt_json_field const dynamic[] = {{"name", true},   {"type", true},  {"status", true},
                                            {"usage", false}, {"asns", false}, {"locations", false},
                                            {NULL, false}};
    char const *type_word = dt_json_string(dt_json_get(v, "type"));
    int type = 0, active = 0, blocklist = 0;
    int rc = dt_json_reader_object(
        &k->r, v, type_word != NULL && strcmp(type_word, "DYNAMIC") == 0 ? dynamic : ip);

    if (rc == DT_OK)
        rc = zone_name_parse(k, v);
    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&k->r, v, "type", zone_types, &type);
    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&k->r, v, "status", zone_status, &active);
    if (rc == DT_OK)
        rc = dt_json_reader_member_word(&k->r, v, "usage", zone_usage, &blocklist);
    k->zone->dynamic = type;
    k->zone->active = active;
    k->zone->blocklist = blocklist;
    return rc;
}

static int gateway_take(void *ctx, dt_json const *v)
{
    return gateway_parse(ctx, v);
}

/* The list is in the tree, or was cut out of it. */
static int gateways_parse(zone_reader *k, dt_json const *v)
{
    if (k->cuts != NULL && k->cuts->lists[k->zone->origin].len > 0)
        return dt_zone_cut_read(k->cuts->lists[k->zone->origin], gateway_take, k);
    return list_parse(k, v, "gateways", DT_NETWORKS_MAX, gateway_parse);
}

static int zone_body_parse(zone_reader *k, dt_json const *v)
{
    dt_zones *z = k->z;
    dt_zone *zone = k->zone;
    int rc = gateways_parse(k, v);

    zone->place_first = (uint32_t)z->place_count;
    zone->asn_first = (uint32_t)z->asn_count;
    if (rc == DT_OK)
        rc = list_parse(k, v, "locations", DT_ZONE_PLACES_MAX, location_parse);
    if (rc == DT_OK)
        rc = list_parse(k, v, "asns", DT_ZONE_PLACES_MAX, asn_parse);
    if (rc != DT_OK)
        return rc;
    if (zone->dynamic && zone->place_count == 0 && zone->asn_count == 0)
        return dt_json_reader_fail(&k->r, "a DYNAMIC zone needs locations or asns");
    if (zone->place_count > 1)
        qsort(z->places + zone->place_first, zone->place_count, sizeof(*z->places), compare_place);
    if (zone->asn_count > 1)
        qsort(z->asns + zone->asn_first, zone->asn_count, sizeof(*z->asns), compare_asn);
    return DT_OK;
}

static void zone_count_in(dt_zones *z, dt_zone const *zone)
{
    size_t tag = z->count++;

    if (!zone->active)
        return;
    z->any_dynamic = z->any_dynamic || zone->dynamic;
    if (zone->blocklist) {
        z->blocklists++;
        z->blocklist.words[tag / 64] |= UINT64_C(1) << tag % 64;
    } else {
        z->rule_zones++;
    }
}

static int zone_parse(zone_reader *k, dt_json const *v, size_t index)
{
    dt_zones *z = k->z;
    void *zones = z->zones;
    int rc = dt_array_grow(&zones, z->count, &z->cap, sizeof(*z->zones));

    z->zones = zones;
    if (rc != DT_OK)
        return dt_json_reader_nomem(&k->r);
    k->zone = &z->zones[z->count];
    memset(k->zone, 0, sizeof(*k->zone));
    k->zone->origin = (uint32_t)index;
    rc = zone_head_parse(k, v);
    if (rc == DT_OK)
        rc = zone_body_parse(k, v);
    if (rc == DT_OK)
        zone_count_in(z, k->zone);
    return rc;
}

/* --- the file ---------------------------------------------------------------------------------- */

static int root_parse(zone_reader *k, dt_json const *root)
{
    static dt_json_field const fields[] = {{"$schema", false}, {"zones", true}, {NULL, false}};
    dt_json const *zones = dt_json_get(root, "zones");
    char const *schema = NULL;
    size_t mark, before = dt_json_reader_faults(&k->r);
    int rc = dt_json_reader_object(&k->r, root, fields);

    if (rc == DT_OK)
        rc = dt_json_reader_member_text(&k->r, root, "$schema", DT_POLICY_NAME_MAX, &schema);
    if (rc != DT_OK)
        return rc;
    mark = dt_json_reader_enter(&k->r, "zones");
    rc = dt_json_reader_array(&k->r, zones, 0, DT_ZONES_MAX);
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(zones); i++) {
        size_t element = dt_json_reader_enter_at(&k->r, i);
        rc = dt_json_reader_keep(&k->r, element, zone_parse(k, dt_json_at(zones, i), i));
    }
    dt_json_reader_leave(&k->r, mark);
    return dt_json_reader_end(&k->r, before, rc);
}

int dt_zones_compile(dt_json const *root, dt_json_source const *source, dt_zone_cuts const *cuts,
                     dt_zones **out, dt_error *e)
{
    zone_reader k = {.z = calloc(1, sizeof(dt_zones)), .cuts = cuts};
    int rc = DT_E_NOMEM;

    *out = NULL;
    dt_json_reader_init(&k.r, source, e);
    if (k.z == NULL || dt_network_set_new(&k.z->networks) != DT_OK) {
        rc = dt_json_reader_nomem(&k.r);
        goto out;
    }
    rc = root_parse(&k, root);
    if (rc == DT_OK && dt_network_set_seal(k.z->networks) != DT_OK)
        rc = dt_json_reader_nomem(&k.r);
    if (rc != DT_OK)
        goto out;
    *out = k.z;
    k.z = NULL;
out:
    dt_zones_free(&k.z);
    return rc;
}

int dt_zones_parse(dt_json const *root, char const *file, dt_zones **out, dt_error *e)
{
    return dt_zones_compile(root, &(dt_json_source){.file = file}, NULL, out, e);
}

void dt_zones_free(dt_zones **z)
{
    if (z == NULL || *z == NULL)
        return;
    dt_network_set_free(&(*z)->networks);
    free((*z)->zones);
    free((*z)->places);
    free((*z)->asns);
    free(*z);
    *z = NULL;
}

static unsigned zone_needs(dt_zones const *z, dt_zone const *zone)
{
    unsigned needs = zone->asn_count > 0 ? DT_GEO_ASN : 0;

    for (uint32_t i = 0; i < zone->place_count; i++)
        needs |= DT_GEO_COUNTRY |
                 ((z->places[zone->place_first + i] & 0xffffff) != 0 ? DT_GEO_REGION : 0);
    return needs;
}

static char const *database_text(unsigned missing)
{
    if ((missing & DT_GEO_ASN) != 0)
        return "asns needs an ASN database: set [policy] asn_database";
    if ((missing & DT_GEO_COUNTRY) != 0)
        return "locations needs a country database: set [policy] location_database";
    return "a region needs a city database, but [policy] location_database is a country database";
}

int dt_zones_set_geo(dt_zones *z, dt_geo const *geo, char const *file, dt_error *e)
{
    if (z == NULL)
        return DT_OK;
    for (size_t i = 0; i < z->count; i++) {
        dt_zone const *zone = &z->zones[i];
        unsigned missing = zone->active ? zone_needs(z, zone) & ~dt_geo_kinds(geo) : 0;
        char shown[DT_POLICY_NAME_MAX];
        if (missing != 0)
            return dt_error_set(
                e, DT_E_INVALID, "%s#/zones/%u: zone \"%s\": %s", file, (unsigned)zone->origin,
                dt_str_escape(shown, sizeof(shown), zone->name), database_text(missing));
    }
    z->geo = geo;
    return DT_OK;
}

size_t dt_zones_memory(dt_zones const *z)
{
    if (z == NULL)
        return 0;
    return sizeof(*z) + z->cap * sizeof(*z->zones) + z->place_cap * sizeof(*z->places) +
           z->asn_cap * sizeof(*z->asns) + dt_network_set_memory(z->networks);
}

/* --- look-ups ---------------------------------------------------------------------------------- */

int dt_zones_find(dt_zones const *z, char const *name)
{
    uint64_t hash = dt_name_hash(name);

    for (size_t i = 0; z != NULL && i < z->count; i++)
        if (z->zones[i].hash == hash && strcmp(z->zones[i].name, name) == 0)
            return (int)i;
    return -1;
}

size_t dt_zones_words(dt_zones const *z)
{
    return z == NULL ? 0 : (z->count + 63) / 64;
}

static dt_holds asn_holds(dt_zones const *z, dt_zone const *zone, dt_geo_place const *at)
{
    if (zone->asn_count == 0)
        return DT_HOLDS_YES;
    if ((at->known & DT_GEO_ASN) == 0)
        return DT_HOLDS_UNKNOWN;
    return bsearch(&at->asn, z->asns + zone->asn_first, zone->asn_count, sizeof(*z->asns),
                   compare_asn) != NULL
               ? DT_HOLDS_YES
               : DT_HOLDS_NO;
}

static bool zone_has_place(dt_zones const *z, dt_zone const *zone, uint64_t key)
{
    return bsearch(&key, z->places + zone->place_first, zone->place_count, sizeof(*z->places),
                   compare_place) != NULL;
}

/* True when the zone names any region of the country. */
static bool zone_has_region_of(dt_zones const *z, dt_zone const *zone, uint64_t country)
{
    for (uint32_t i = 0; i < zone->place_count; i++)
        if (z->places[zone->place_first + i] >> 24 == country >> 24)
            return true;
    return false;
}

static dt_holds location_holds(dt_zones const *z, dt_zone const *zone, dt_geo_place const *at)
{
    uint64_t country;

    if (zone->place_count == 0)
        return DT_HOLDS_YES;
    if ((at->known & DT_GEO_COUNTRY) == 0)
        return DT_HOLDS_UNKNOWN;
    country = place_key(at->country, "");
    if (zone_has_place(z, zone, country))
        return DT_HOLDS_YES;
    if ((at->known & DT_GEO_REGION) != 0)
        return zone_has_place(z, zone, place_key(at->country, at->region)) ? DT_HOLDS_YES
                                                                           : DT_HOLDS_NO;
    return zone_has_region_of(z, zone, country) ? DT_HOLDS_UNKNOWN : DT_HOLDS_NO;
}

/* A private address is in no country. */
bool dt_zones_place(dt_zones const *z, dt_ip const *ip, dt_geo_place const *place,
                    dt_geo_place *out)
{
    memset(out, 0, sizeof(*out));
    if (z == NULL || !z->any_dynamic || dt_ip_is_private(ip))
        return false;
    if (place != NULL)
        *out = *place;
    else if (z->geo != NULL)
        dt_geo_lookup(z->geo, ip, out);
    return true;
}

/* Networks and places both, where a zone names both. */
static void locate_dynamic(dt_zones const *z, dt_ip const *ip, dt_geo_place const *place,
                           dt_tag_set *in, dt_tag_set *unknown)
{
    dt_geo_place at;

    if (!dt_zones_place(z, ip, place, &at))
        return;
    for (size_t i = 0; i < z->count; i++) {
        dt_zone const *zone = &z->zones[i];
        dt_holds asn, location;
        if (!zone->active || !zone->dynamic)
            continue;
        asn = asn_holds(z, zone, &at);
        location = location_holds(z, zone, &at);
        if (asn == DT_HOLDS_NO || location == DT_HOLDS_NO)
            continue;
        if (asn == DT_HOLDS_YES && location == DT_HOLDS_YES)
            in->words[i / 64] |= UINT64_C(1) << i % 64;
        else
            unknown->words[i / 64] |= UINT64_C(1) << i % 64;
    }
}

void dt_zones_locate(dt_zones const *z, dt_ip const *ip, dt_geo_place const *place, dt_tag_set *in,
                     dt_tag_set *unknown)
{
    size_t bytes = dt_zones_words(z) * sizeof(in->words[0]);

    memset(in->words, 0, bytes);
    memset(unknown->words, 0, bytes);
    if (z == NULL || !ip->set)
        return;
    dt_network_set_lookup(z->networks, ip, in);
    locate_dynamic(z, ip, place, in, unknown);
}
