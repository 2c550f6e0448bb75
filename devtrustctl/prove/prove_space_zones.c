/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The space of sign-ons: addresses and places. All addresses that lie in the same zones are one piece:
 * no rule distinguishes them. */
#include "devtrustctl/prove/prove_space.h"

#include <stdlib.h>
#include <string.h>

#define REGION_NOWHERE "0" /* a known region that no zone lists; tried first */
#define FIRST_HASH 256

static int nomem(dt_error *e)
{
    return dt_error_set(e, DT_E_NOMEM, "out of memory");
}

/* --- pieces of the addresses ------------------------------------------------------------------- */

static bool same_zones(dt_space const *s, dt_space_piece const *a, dt_space_piece const *b)
{
    bool same = a->private == b->private;

    for (size_t k = 0; same && k < s->zone_sets; k++)
        same = memcmp(a->in[k].words, b->in[k].words,
                      dt_zones_words(s->zones[k]) * sizeof(uint64_t)) == 0;
    return same;
}

static size_t piece_hash(dt_space const *s, dt_space_piece const *p)
{
    uint64_t h = p->private;

    for (size_t k = 0; k < s->zone_sets; k++)
        for (size_t i = 0; i < dt_zones_words(s->zones[k]); i++) {
            h = (h ^ p->in[k].words[i]) * UINT64_C(0x9e3779b97f4a7c15);
            h ^= h >> 31;
        }
    return (size_t)h;
}

static size_t piece_place(dt_space const *s, dt_space_piece const *p)
{
    size_t at = piece_hash(s, p) & (s->piece_hash_size - 1);

    while (s->piece_hash[at] != 0 && !same_zones(s, &s->pieces[s->piece_hash[at] - 1], p))
        at = (at + 1) & (s->piece_hash_size - 1);
    return at;
}

static int hash_grow(dt_space *s)
{
    size_t size = s->piece_hash_size == 0 ? FIRST_HASH : 2 * s->piece_hash_size;

    if (s->piece_count * 2 < s->piece_hash_size)
        return DT_OK;
    free(s->piece_hash);
    s->piece_hash = calloc(size, sizeof(*s->piece_hash));
    s->piece_hash_size = size;
    if (s->piece_hash == NULL)
        return DT_E_NOMEM;
    for (size_t i = 0; i < s->piece_count; i++)
        s->piece_hash[piece_place(s, &s->pieces[i])] = (uint32_t)i + 1;
    return DT_OK;
}

static dt_space_piece piece_with(dt_space const *s, dt_ip const *ip)
{
    dt_space_piece p = {.ip = *ip, .private = dt_ip_is_private(ip)};

    for (size_t k = 0; k < s->zone_sets; k++)
        if (s->zones[k] != NULL)
            dt_network_set_lookup(s->zones[k]->networks, ip, &p.in[k]);
    return p;
}

uint32_t dt_space_piece_of(dt_space const *s, dt_ip const *ip)
{
    dt_space_piece p = piece_with(s, ip);
    uint32_t number = s->piece_hash[piece_place(s, &p)];

    return number == 0 ? 0 : number - 1;
}

/* Notes the piece that an address is of. What is shown of it should be an address that a host has. */
static int address_add(dt_space *s, dt_ip const *ip)
{
    dt_space_piece p = piece_with(s, ip);
    void *pieces = s->pieces;
    size_t at;

    if (hash_grow(s) != DT_OK)
        return DT_E_NOMEM;
    at = piece_place(s, &p);
    if (s->piece_hash[at] != 0) {
        dt_space_piece *have = &s->pieces[s->piece_hash[at] - 1];
        if (!dt_ip_is_of_a_host(&have->ip) && dt_ip_is_of_a_host(ip))
            have->ip = *ip;
        return DT_OK;
    }
    if (s->piece_count == DT_SPACE_PIECES_MAX)
        return DT_E_LIMIT;
    if (dt_array_grow(&pieces, s->piece_count, &s->piece_cap, sizeof(p)) != DT_OK)
        return DT_E_NOMEM;
    s->pieces = pieces;
    s->pieces[s->piece_count] = p;
    s->piece_hash[at] = (uint32_t)++s->piece_count;
    return DT_OK;
}

/* The second address of a piece looks more like a host's; it may be of another piece already. */
static int on_edge(void *ctx, dt_ip const *first)
{
    dt_ip second = *first;
    int rc;

    for (int i = 15; i >= 0 && ++second.octets[i] == 0; i--)
        ;
    rc = address_add(ctx, &second);
    return rc == DT_OK ? address_add(ctx, first) : rc;
}

static int pieces_make(dt_space *s, dt_error *e)
{
    static char const *const usual[] = {"203.0.113.7", "2001:db8::7", "10.0.0.7"};
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < sizeof(usual) / sizeof(usual[0]); i++) {
        dt_ip ip;
        rc = dt_ip_parse(usual[i], &ip);
        if (rc == DT_OK)
            rc = address_add(s, &ip);
    }
    if (rc == DT_OK)
        rc = dt_ip_private_each(on_edge, s);
    for (size_t k = 0; rc == DT_OK && k < s->zone_sets; k++)
        if (s->zones[k] != NULL)
            rc = dt_network_set_each(s->zones[k]->networks, on_edge, s);
    if (rc == DT_E_LIMIT)
        return dt_error_set(e, rc, "the zones overlap in more than %d ways", DT_SPACE_PIECES_MAX);
    if (rc != DT_OK)
        return nomem(e);
    s->address = dt_formula_fact(s->f, (uint32_t)s->piece_count + DT_SPACE_ADDRESSES);
    return DT_OK;
}

/* --- places ------------------------------------------------------------------------------------ */

static void place_of(uint64_t key, dt_geo_place *at)
{
    *at = (dt_geo_place){.known = DT_GEO_COUNTRY};
    at->country[0] = (char)(key >> 32 & 0xff);
    at->country[1] = (char)(key >> 24 & 0xff);
    if ((key & 0xffffff) == 0)
        return;
    at->known |= DT_GEO_REGION;
    for (int i = 0; i < 3; i++)
        at->region[i] = (char)(key >> (16 - 8 * i) & 0xff);
}

static bool same_place(dt_geo_place const *a, dt_geo_place const *b)
{
    return a->known == b->known && a->asn == b->asn && strcmp(a->country, b->country) == 0 &&
           strcmp(a->region, b->region) == 0;
}

static int place_add(dt_geo_place **list, size_t *count, size_t *cap, dt_geo_place const *at)
{
    void *items = *list;

    for (size_t i = 0; i < *count; i++)
        if (same_place(&(*list)[i], at))
            return DT_OK;
    if (dt_array_grow(&items, *count, cap, sizeof(*at)) != DT_OK)
        return DT_E_NOMEM;
    *list = items;
    (*list)[(*count)++] = *at;
    return DT_OK;
}

static bool zones_list(dt_space const *s, dt_geo_place const *at)
{
    for (size_t k = 0; k < s->zone_sets; k++)
        for (size_t i = 0; s->zones[k] != NULL && i < s->zones[k]->place_count; i++) {
            dt_geo_place listed;
            place_of(s->zones[k]->places[i], &listed);
            if (strcmp(listed.country, at->country) == 0 && strcmp(listed.region, at->region) == 0)
                return true;
        }
    return false;
}

/* A code that no zone lists: of a region in this country, or of a country. */
static void other_code(dt_space const *s, dt_geo_place *at, char *code, bool region)
{
    for (int i = 0; i < 26 * 26; i++) {
        code[0] = region && i == 0 ? REGION_NOWHERE[0] : (char)('Z' - i / 26);
        code[1] = region && i == 0 ? '\0' : (char)('Z' - i % 26);
        if (!zones_list(s, at))
            return;
    }
}

/* A listed country or region, the country without a region, and with another one. */
static int location_add(dt_space *s, uint64_t key)
{
    dt_geo_place at;
    int rc;

    place_of(key, &at);
    rc = place_add(&s->locations, &s->location_count, &s->location_cap, &at);
    place_of(key & ~UINT64_C(0xffffff), &at);
    if (rc == DT_OK)
        rc = place_add(&s->locations, &s->location_count, &s->location_cap, &at);
    at.known |= DT_GEO_REGION;
    other_code(s, &at, at.region, true);
    if (rc == DT_OK)
        rc = place_add(&s->locations, &s->location_count, &s->location_cap, &at);
    return rc;
}

static uint32_t other_asn(dt_space const *s)
{
    for (uint32_t asn = 64496;; asn++) { /* kept for documentation, RFC 5398 */
        bool listed = false;
        for (size_t k = 0; k < s->zone_sets; k++)
            for (size_t i = 0; s->zones[k] != NULL && i < s->zones[k]->asn_count; i++)
                listed = listed || s->zones[k]->asns[i] == asn;
        if (!listed)
            return asn;
    }
}

/* Not known, another one, and each that some zone lists. */
static int places_make(dt_space *s)
{
    dt_geo_place const nothing = {.known = 0};
    dt_geo_place elsewhere = {.known = DT_GEO_COUNTRY | DT_GEO_REGION, .region = REGION_NOWHERE};
    dt_geo_place asn = {.known = DT_GEO_ASN, .asn = other_asn(s)};
    int rc = place_add(&s->locations, &s->location_count, &s->location_cap, &nothing);

    other_code(s, &elsewhere, elsewhere.country, false);
    if (rc == DT_OK)
        rc = place_add(&s->locations, &s->location_count, &s->location_cap, &elsewhere);
    if (rc == DT_OK)
        rc = place_add(&s->asns, &s->asn_count, &s->asn_cap, &nothing);
    if (rc == DT_OK)
        rc = place_add(&s->asns, &s->asn_count, &s->asn_cap, &asn);
    for (size_t k = 0; k < s->zone_sets; k++) {
        dt_zones const *z = s->zones[k];
        for (size_t i = 0; rc == DT_OK && z != NULL && i < z->place_count; i++)
            rc = location_add(s, z->places[i]);
        for (size_t i = 0; rc == DT_OK && z != NULL && i < z->asn_count; i++) {
            asn.asn = z->asns[i];
            rc = place_add(&s->asns, &s->asn_count, &s->asn_cap, &asn);
        }
    }
    s->location = dt_formula_fact(s->f, (uint32_t)s->location_count);
    s->asn = dt_formula_fact(s->f, (uint32_t)s->asn_count);
    return rc;
}

/* --- zones ------------------------------------------------------------------------------------- */

/* What a DYNAMIC zone says of a place: by its lists as they are written. */
static dt_holds location_in(dt_zones const *z, dt_zone const *zone, dt_geo_place const *at)
{
    dt_holds holds = DT_HOLDS_NO;

    if (zone->place_count == 0)
        return DT_HOLDS_YES;
    if ((at->known & DT_GEO_COUNTRY) == 0)
        return DT_HOLDS_UNKNOWN;
    for (uint32_t i = 0; i < zone->place_count; i++) {
        dt_geo_place listed;
        place_of(z->places[zone->place_first + i], &listed);
        if (strcmp(listed.country, at->country) != 0)
            continue;
        if (listed.region[0] == '\0' ||
            ((at->known & DT_GEO_REGION) != 0 && strcmp(listed.region, at->region) == 0))
            return DT_HOLDS_YES;
        if ((at->known & DT_GEO_REGION) == 0)
            holds = DT_HOLDS_UNKNOWN;
    }
    return holds;
}

static dt_holds asn_in(dt_zones const *z, dt_zone const *zone, dt_geo_place const *at)
{
    if (zone->asn_count == 0)
        return DT_HOLDS_YES;
    if ((at->known & DT_GEO_ASN) == 0)
        return DT_HOLDS_UNKNOWN;
    for (uint32_t i = 0; i < zone->asn_count; i++)
        if (z->asns[zone->asn_first + i] == at->asn)
            return DT_HOLDS_YES;
    return DT_HOLDS_NO;
}

typedef struct place_terms {
    dt_term location_yes, location_no, asn_yes, asn_no;
} place_terms;

static place_terms place_terms_make(dt_space *s, dt_zones const *z, dt_zone const *zone,
                                    uint8_t *member)
{
    place_terms t = {DT_TERM_FALSE, DT_TERM_FALSE, DT_TERM_FALSE, DT_TERM_FALSE};

    for (int yes = 0; yes < 2; yes++) {
        dt_holds want = yes ? DT_HOLDS_YES : DT_HOLDS_NO;
        for (size_t i = 0; i < s->location_count; i++)
            member[i] = location_in(z, zone, &s->locations[i]) == want;
        *(yes ? &t.location_yes : &t.location_no) = dt_term_member(s->f, s->location, member);
        for (size_t i = 0; i < s->asn_count; i++)
            member[i] = asn_in(z, zone, &s->asns[i]) == want;
        *(yes ? &t.asn_yes : &t.asn_no) = dt_term_member(s->f, s->asn, member);
    }
    return t;
}

static void zone_make(dt_space *s, size_t set, size_t tag, uint8_t *member)
{
    dt_zones const *z = s->zones[set];
    dt_zone const *zone = &z->zones[tag];
    dt_term public, sure, out;
    place_terms t;

    memset(member, 0, s->piece_count + DT_SPACE_ADDRESSES);
    for (size_t i = 0; i < s->piece_count; i++)
        member[i] = zone->dynamic ? !s->pieces[i].private
                                  : dt_tag_set_has(&s->pieces[i].in[set], (uint32_t)tag);
    public = dt_term_member(s->f, s->address, member);
    s->zone_in[set][tag] = public;
    s->zone_maybe[set][tag] = DT_TERM_FALSE;
    if (!zone->dynamic)
        return;
    t = place_terms_make(s, z, zone, member);
    sure = dt_term_both(s->f, t.location_yes, t.asn_yes);
    out = dt_term_either(s->f, t.location_no, t.asn_no);
    s->zone_in[set][tag] = dt_term_both(s->f, public, sure);
    s->zone_maybe[set][tag] =
        dt_term_both(s->f, public, dt_term_not(s->f, dt_term_either(s->f, sure, out)));
}

int dt_space_zones_make(dt_space *s, dt_error *e)
{
    int rc = pieces_make(s, e);
    size_t most;
    uint8_t *member;

    if (rc != DT_OK)
        return rc;
    if (places_make(s) != DT_OK)
        return nomem(e);
    most = s->piece_count + DT_SPACE_ADDRESSES + s->location_count + s->asn_count;
    member = calloc(most, 1);
    for (size_t k = 0; member != NULL && k < s->zone_sets; k++) {
        size_t count = s->zones[k] == NULL ? 0 : s->zones[k]->count;
        s->zone_in[k] = calloc(count + 1, sizeof(dt_term));
        s->zone_maybe[k] = calloc(count + 1, sizeof(dt_term));
        if (s->zone_in[k] == NULL || s->zone_maybe[k] == NULL) {
            free(member);
            return nomem(e);
        }
        for (size_t i = 0; i < count; i++)
            if (s->zones[k]->zones[i].active)
                zone_make(s, k, i, member);
    }
    rc = member == NULL ? nomem(e) : DT_OK;
    free(member);
    return rc;
}

void dt_space_zones_free(dt_space *s)
{
    for (size_t k = 0; k < DT_SPACE_ZONE_SETS; k++) {
        free(s->zone_in[k]);
        free(s->zone_maybe[k]);
    }
    free(s->pieces);
    free(s->piece_hash);
    free(s->locations);
    free(s->asns);
}
