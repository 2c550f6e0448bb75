/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons of facts, and facts of sign-ons. */
#include "devtrustctl/prove/prove_request.h"

#include "devtrustctl/prove/prove_pattern.h"

#include <stdlib.h>
#include <string.h>

#define A_MONDAY (INT64_C(1772409600000)) /* 2026-03-02T00:00Z */
#define USUAL_MINUTE (9 * 60 + 30)

int dt_prove_request_new(dt_space const *s, dt_prove_request **out)
{
    *out = calloc(1, sizeof(**out));
    if (*out == NULL)
        return DT_E_NOMEM;
    (*out)->made_groups = calloc(s->groups_like.count + 1, sizeof(*(*out)->made_groups));
    if ((*out)->made_groups != NULL)
        return DT_OK;
    free(*out);
    *out = NULL;
    return DT_E_NOMEM;
}

void dt_prove_request_free(dt_prove_request **r)
{
    if (r == NULL || *r == NULL)
        return;
    free((*r)->made_groups);
    free(*r);
    *r = NULL;
}

/* --- names ------------------------------------------------------------------------------------- */

/* A search for a name: patterns first, then names that it must not be. */
typedef struct naming {
    dt_space *s;
    uint32_t const *values;
    char const **patterns;
    dt_term *terms; /* what each of them says of the sign-on, as the values have it */
    uint8_t *name, *login;
    size_t count;
} naming;

static bool naming_new(naming *n, dt_space *s, uint32_t const *values, size_t most)
{
    *n = (naming){.s = s, .values = values};
    n->patterns = calloc(most + 1, sizeof(*n->patterns));
    n->terms = calloc(2 * most + 1, sizeof(*n->terms));
    n->name = calloc(most + 1, 1);
    n->login = calloc(most + 1, 1);
    return n->patterns != NULL && n->terms != NULL && n->name != NULL && n->login != NULL;
}

static void naming_free(naming *n)
{
    free(n->patterns);
    free(n->terms);
    free(n->name);
    free(n->login);
}

static uint32_t none_of(dt_space const *s)
{
    return (uint32_t)s->users.count + 1;
}

static bool name_is_wanted(naming const *n, uint8_t const *want, char const *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (want[i] != DT_LIKE_ANY &&
            dt_pattern_matches(n->patterns[i], name) != (want[i] == DT_LIKE_YES))
            return false;
    return true;
}

/* A name that people expect, where one will do: the search takes long with many names. */
static bool usual_name(naming const *n, char const *begin, bool login, char out[DT_GROUP_NAME_MAX],
                       char out_login[DT_GROUP_NAME_MAX])
{
    static char const *const usual[] = {"someone", "somebody", "guest", "visitor"};
    static char const realm[] = "@example.com";

    for (size_t k = 0; k < sizeof(usual) / sizeof(usual[0]); k++) {
        char const *name = begin != NULL ? begin : usual[k];
        dt_buf b;
        if (begin == NULL && !name_is_wanted(n, n->name, name))
            continue;
        if (!login)
            return dt_str_copy(out, DT_GROUP_NAME_MAX, name) == DT_OK;
        dt_buf_init_fixed(&b, out_login, DT_GROUP_NAME_MAX);
        dt_buf_puts(&b, name);
        dt_buf_puts(&b, realm);
        if (dt_buf_error(&b) == DT_OK && name_is_wanted(n, n->login, out_login))
            return begin != NULL || dt_str_copy(out, DT_GROUP_NAME_MAX, name) == DT_OK;
    }
    return false;
}

static dt_pattern_answer ask(naming const *n, char const *begin, bool login,
                             char out[DT_GROUP_NAME_MAX], char out_login[DT_GROUP_NAME_MAX])
{
    dt_pattern_question const q = {n->patterns, n->count, n->name, login ? n->login : NULL, begin};

    if (usual_name(n, begin, login, out, out_login))
        return DT_PATTERN_FOUND;
    return dt_pattern_find(&q, out, out_login);
}

/* Leaves out of the wants what does not matter for there being no such name. */
static void shrink(naming *n, char const *begin, bool login)
{
    char name[DT_GROUP_NAME_MAX], other[DT_GROUP_NAME_MAX];

    for (size_t i = 0; i < 2 * n->count; i++) {
        uint8_t *want = i < n->count ? &n->name[i] : &n->login[i - n->count];
        uint8_t was = *want;
        if (was == DT_LIKE_ANY)
            continue;
        *want = DT_LIKE_ANY;
        if (ask(n, begin, login, name, other) != DT_PATTERN_NONE)
            *want = was;
    }
}

/* Not all that is still wanted. */
static dt_term lemma_of(naming const *n, dt_term also)
{
    dt_formula *f = n->s->f;
    dt_term all = also;

    for (size_t i = 0; i < 2 * n->count; i++) {
        uint8_t want = i < n->count ? n->name[i] : n->login[i - n->count];
        dt_term t = n->terms[i];
        if (want != DT_LIKE_ANY)
            all = dt_term_both(f, all, want == DT_LIKE_YES ? t : dt_term_not(f, t));
    }
    return dt_term_not(f, all);
}

/* What a slot's other name must be like; the names that rules list are others than it. */
static void want_slot(naming *n, size_t slot, uint8_t *want, dt_term *terms)
{
    dt_space *s = n->s;

    n->count = s->users_like.count;
    for (size_t p = 0; p < s->users_like.count; p++) {
        n->patterns[p] = s->users_like.items[p].text;
        terms[p] = dt_term_equals(s->f, s->like[slot][p], 1);
        want[p] = n->values[s->like[slot][p]] != 0 ? DT_LIKE_YES : DT_LIKE_NO;
    }
}

/* Adds the listed names that could be found by mistake. They are always others: no fact says so. */
static void want_unlisted(naming *n, bool login)
{
    dt_space *s = n->s;

    for (size_t i = 0; i < s->users.count && n->count < DT_PATTERN_NAMES_MAX; i++) {
        bool could[2] = {true, login};
        for (size_t p = 0; p < s->users_like.count; p++) {
            bool like = dt_pattern_matches(s->users_like.items[p].text, s->users.items[i].text);
            could[0] = could[0] && like == (n->name[p] == DT_LIKE_YES);
            could[1] = could[1] && like == (n->login[p] == DT_LIKE_YES);
        }
        if (!could[0] && !could[1])
            continue;
        n->patterns[n->count] = s->users.items[i].text;
        n->name[n->count] = could[0] ? DT_LIKE_NO : DT_LIKE_ANY;
        n->login[n->count] = could[1] ? DT_LIKE_NO : DT_LIKE_ANY;
        n->count++;
    }
}

/* `shrink` leaves the listed names: they come last, and their terms say nothing. */
static void terms_arrange(naming *n, dt_term const *name, dt_term const *login, size_t patterns)
{
    for (size_t i = 0; i < n->count; i++) {
        n->terms[i] = i < patterns ? name[i] : DT_TERM_FALSE;
        n->terms[n->count + i] = login != NULL && i < patterns ? login[i] : DT_TERM_FALSE;
    }
}

/* One question about another name of a slot (and of the login, whose short form it is, or which begins
 * with `begin`). */
static dt_request_made other_name(dt_space *s, uint32_t const *values, size_t slot, bool login,
                                  char const *begin, dt_term also, char *out, char *out_login,
                                  dt_term *lemma)
{
    size_t patterns = s->users_like.count;
    dt_term *terms = calloc(2 * patterns + 1, sizeof(*terms));
    dt_request_made made = DT_REQUEST_LIMIT;
    dt_pattern_answer answer;
    naming n;

    if (naming_new(&n, s, values, patterns + s->users.count) && terms != NULL) {
        want_slot(&n, slot, n.name, terms);
        if (login)
            want_slot(&n, 1, n.login, terms + patterns);
        if (begin != NULL)
            memset(n.name, DT_LIKE_ANY, patterns);
        want_unlisted(&n, login);
        terms_arrange(&n, terms, login ? terms + patterns : NULL, patterns);
        answer = ask(&n, begin, login, out, out_login);
        made = answer == DT_PATTERN_FOUND ? DT_REQUEST_MADE : DT_REQUEST_LIMIT;
        if (answer == DT_PATTERN_NONE) {
            shrink(&n, begin, login);
            *lemma = lemma_of(&n, also);
            made = DT_REQUEST_IMPOSSIBLE;
        }
    }
    naming_free(&n);
    free(terms);
    return made;
}

static dt_term slot_is(dt_space *s, uint32_t const *values, size_t slot)
{
    return dt_term_equals(s->f, s->name[slot], values[s->name[slot]]);
}

/* A login that a rule lists, and another short form: what stands before its at sign. */
static dt_request_made short_of_listed(dt_space *s, uint32_t const *values, dt_prove_request *out,
                                       dt_term *lemma)
{
    char const *login = out->names[1], *at = strrchr(login, '@');
    dt_term both = dt_term_both(s->f, slot_is(s, values, 1), slot_is(s, values, 2));
    dt_term wrong = DT_TERM_TRUE;
    size_t len = at == NULL ? 0 : (size_t)(at - login);

    if (len > 0 && at[1] != '\0') {
        memcpy(out->names[2], login, len);
        out->names[2][len] = '\0';
        wrong = DT_TERM_FALSE;
        for (size_t i = 0; i < s->users.count; i++)
            if (strcmp(s->users.items[i].text, out->names[2]) == 0)
                wrong = DT_TERM_TRUE;
        for (size_t p = 0; wrong == DT_TERM_FALSE && p < s->users_like.count; p++) {
            dt_term like = dt_term_equals(s->f, s->like[2][p], 1);
            bool is = dt_pattern_matches(s->users_like.items[p].text, out->names[2]);
            if (is != (values[s->like[2][p]] != 0))
                wrong = is ? dt_term_not(s->f, like) : like;
        }
    }
    *lemma = dt_term_not(s->f, dt_term_both(s->f, both, wrong));
    return wrong == DT_TERM_FALSE ? DT_REQUEST_MADE : DT_REQUEST_IMPOSSIBLE;
}

static bool is_short_of(char const *name, char const *login)
{
    size_t len = strlen(name);

    return strncmp(login, name, len) == 0 && login[len] == '@' && login[len + 1] != '\0' &&
           strchr(login + len + 1, '@') == NULL;
}

/* The login, and its short form, which is its beginning. */
static dt_request_made login_make(dt_space *s, uint32_t const *values, dt_prove_request *out,
                                  dt_term *lemma)
{
    uint32_t login = values[s->name[1]], brief = values[s->name[2]], none = none_of(s);
    dt_term both = dt_term_both(s->f, slot_is(s, values, 1), slot_is(s, values, 2));

    for (size_t k = 1; k < DT_SPACE_NAMES; k++)
        if (values[s->name[k]] != 0 && values[s->name[k]] != none &&
            dt_str_copy(out->names[k], DT_GROUP_NAME_MAX,
                        s->users.items[values[s->name[k]] - 1].text) != DT_OK)
            return DT_REQUEST_LIMIT;
    if (login == 0 && brief == none)
        return other_name(s, values, 1, false, NULL, slot_is(s, values, 1), out->names[1], NULL,
                          lemma);
    if (brief == none)
        return DT_REQUEST_MADE;
    if (login == 0 && brief == 0)
        return other_name(s, values, 2, true, NULL, both, out->names[2], out->names[1], lemma);
    if (login == 0)
        return other_name(s, values, 2, true, out->names[2], both, out->names[2], out->names[1],
                          lemma);
    if (brief == 0)
        return short_of_listed(s, values, out, lemma);
    *lemma = dt_term_not(s->f, both);
    return is_short_of(out->names[2], out->names[1]) ? DT_REQUEST_MADE : DT_REQUEST_IMPOSSIBLE;
}

static dt_request_made names_make(dt_space *s, uint32_t const *values, dt_prove_request *out,
                                  dt_term *lemma)
{
    uint32_t local = values[s->name[0]];
    dt_request_made made = DT_REQUEST_MADE;

    memset(out->names, 0, sizeof(out->names));
    if (local == 0)
        made = other_name(s, values, 0, false, NULL, slot_is(s, values, 0), out->names[0], NULL,
                          lemma);
    else if (dt_str_copy(out->names[0], DT_GROUP_NAME_MAX, s->users.items[local - 1].text) != DT_OK)
        made = DT_REQUEST_LIMIT;
    if (made == DT_REQUEST_MADE)
        made = login_make(s, values, out, lemma);
    out->in.user = out->names[0];
    out->in.login = out->names[1];
    out->in.short_login = out->names[2];
    return made;
}

/* --- groups ------------------------------------------------------------------------------------ */

static bool in_listed(dt_space const *s, uint32_t const *values, char const *pattern)
{
    for (size_t i = 0; i < s->groups.count; i++)
        if (values[s->member[i]] != 0 && !dt_group_is_id(s->groups.items[i].text) &&
            dt_pattern_matches(pattern, s->groups.items[i].text))
            return true;
    return false;
}

/* A group that is like this pattern, and like no pattern that the person has no group for. */
static dt_request_made other_group(dt_space *s, uint32_t const *values, size_t like,
                                   dt_prove_request *out, dt_term *lemma)
{
    dt_formula *f = s->f;
    dt_request_made made = DT_REQUEST_LIMIT;
    dt_pattern_answer answer;
    char unused[DT_GROUP_NAME_MAX];
    naming n;

    if (naming_new(&n, s, values, s->groups_like.count + s->groups.count)) {
        for (size_t p = 0; p < s->groups_like.count; p++) {
            char const *text = s->groups_like.items[p].text;
            bool has = values[s->member_like[p]] != 0 || in_listed(s, values, text);
            n.patterns[p] = text;
            n.terms[p] = s->groups_like.terms[p];
            n.name[p] = p == like ? DT_LIKE_YES : has ? DT_LIKE_ANY : DT_LIKE_NO;
        }
        n.terms[like] = dt_term_equals(f, s->member_like[like], 1);
        n.count = s->groups_like.count;
        for (size_t i = 0; i < s->groups.count && n.count < DT_PATTERN_NAMES_MAX; i++) {
            char const *text = s->groups.items[i].text;
            if (values[s->member[i]] != 0 || dt_group_is_id(text) ||
                !dt_pattern_matches(s->groups_like.items[like].text, text))
                continue;
            n.patterns[n.count] = text;
            n.terms[n.count] = s->groups.terms[i];
            n.name[n.count++] = DT_LIKE_NO;
        }
        answer = ask(&n, NULL, false, out->made_groups[out->made_count], unused);
        made = answer == DT_PATTERN_FOUND ? DT_REQUEST_MADE : DT_REQUEST_LIMIT;
        if (answer == DT_PATTERN_NONE) {
            shrink(&n, NULL, false);
            *lemma = lemma_of(&n, dt_term_equals(f, s->member_like[like], 1));
            made = DT_REQUEST_IMPOSSIBLE;
        }
    }
    naming_free(&n);
    return made;
}

static dt_request_made groups_make(dt_space *s, uint32_t const *values, dt_prove_request *out,
                                   dt_term *lemma)
{
    dt_policy_input *in = &out->in;
    dt_request_made made = DT_REQUEST_MADE;

    in->groups = out->groups;
    in->group_count = out->made_count = 0;
    in->group_knowledge = values[s->groups_known] != 0 ? DT_GROUPS_KNOWN : DT_GROUPS_UNKNOWN;
    if (in->group_knowledge == DT_GROUPS_UNKNOWN)
        return made;
    for (size_t i = 0; i < s->groups.count; i++) {
        if (values[s->member[i]] == 0)
            continue;
        if (in->group_count == DT_GROUPS_MAX)
            return DT_REQUEST_LIMIT;
        out->groups[in->group_count++] = s->groups.items[i].text;
    }
    for (size_t p = 0; made == DT_REQUEST_MADE && p < s->groups_like.count; p++) {
        if (values[s->member_like[p]] == 0 || in_listed(s, values, s->groups_like.items[p].text))
            continue;
        if (in->group_count == DT_GROUPS_MAX)
            return DT_REQUEST_LIMIT;
        made = other_group(s, values, p, out, lemma);
        out->groups[in->group_count++] = out->made_groups[out->made_count++];
    }
    return made;
}

/* --- from where, on what, when ----------------------------------------------------------------- */

static void place_make(dt_space const *s, uint32_t const *values, dt_prove_request *out)
{
    uint32_t at = values[s->address];
    dt_geo_place const *asn = &s->asns[values[s->asn]];
    dt_policy_input *in = &out->in;

    in->ip = (dt_ip){.set = false};
    in->address = at == s->piece_count + DT_SPACE_ADDRESS_ABSENT  ? DT_ADDRESS_ABSENT
                  : at == s->piece_count + DT_SPACE_ADDRESS_LOCAL ? DT_ADDRESS_LOCAL
                                                                  : DT_ADDRESS_UNKNOWN;
    if (at < s->piece_count)
        in->ip = s->pieces[at].ip;
    out->place = s->locations[values[s->location]];
    out->place.known |= asn->known;
    out->place.asn = asn->asn;
    in->place = &out->place;
}

/* Where no rule looks at both clocks, the host's is UTC. */
static void time_make(dt_space const *s, uint32_t const *values, dt_policy_input *in)
{
    bool both = s->uses_utc && s->uses_local;
    uint32_t minute = values[s->uses_local && !s->uses_utc ? s->local : s->utc];

    in->utc_offset = both ? (int)values[s->offset] - DT_UTC_OFFSET_MAX : 0;
    in->utc_offset_known = values[s->offset_known] != 0;
    in->now = values[s->time_known] != 0 ? A_MONDAY + DT_MINUTES((int64_t)minute) : 0;
}

dt_request_made dt_request_make(dt_space *s, uint32_t const *values, dt_prove_request *out,
                                dt_term *lemma)
{
    dt_space_device const *device = &s->devices[values[s->device]];
    dt_request_made made;

    *lemma = DT_TERM_TRUE;
    out->in = (dt_policy_input){
        .machine = values[s->machine] != 0,
        .trust = device->trust,
        .reason = device->reason,
        .unknown_as = values[s->unknown_denies] != 0 ? DT_UNKNOWN_DENY : DT_UNKNOWN_NOT_TRUSTED};
    if (values[s->platform] > 0)
        out->in.platform = (dt_platform)(1 << (values[s->platform] - 1));
    out->org_waives = values[s->org_waives] != 0;
    place_make(s, values, out);
    time_make(s, values, &out->in);
    made = names_make(s, values, out, lemma);
    return made == DT_REQUEST_MADE ? groups_make(s, values, out, lemma) : made;
}

/* --- the values of a sign-on ------------------------------------------------------------------- */

static void fold(char *out, char const *text)
{
    size_t i = 0;

    for (; i < DT_GROUP_NAME_MAX - 1 && text[i] != '\0'; i++)
        out[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    out[i] = '\0';
}

static void name_values(dt_space const *s, size_t slot, char const *name, uint32_t *values)
{
    char folded[DT_GROUP_NAME_MAX];
    size_t at;

    if (name == NULL || *name == '\0') {
        values[s->name[slot]] = none_of(s);
        return;
    }
    fold(folded, name);
    at = dt_space_find(&s->users, (dt_folded_name){dt_name_hash(folded), folded});
    values[s->name[slot]] = at < s->users.count ? (uint32_t)at + 1 : 0;
    for (size_t p = 0; p < s->users_like.count; p++)
        values[s->like[slot][p]] = dt_pattern_matches(s->users_like.items[p].text, name);
}

static void group_values(dt_space const *s, char const *group, uint32_t *values)
{
    char folded[DT_GROUP_NAME_MAX];
    size_t at;

    if (dt_group_is_id(group))
        (void)!dt_str_copy(folded, sizeof(folded), group);
    else
        fold(folded, group);
    at = dt_space_find(&s->groups, (dt_folded_name){dt_name_hash(folded), folded});
    if (at < s->groups.count) {
        values[s->member[at]] = 1;
        return;
    }
    for (size_t p = 0; p < s->groups_like.count && !dt_group_is_id(group); p++)
        if (dt_pattern_matches(s->groups_like.items[p].text, group))
            values[s->member_like[p]] = 1;
}

/* The location that zones take for the same. */
static uint32_t location_value(dt_space const *s, dt_geo_place const *at)
{
    bool listed = false;
    uint32_t other = 1;

    if ((at->known & DT_GEO_COUNTRY) == 0)
        return 0;
    for (uint32_t i = 2; i < s->location_count; i++) {
        dt_geo_place const *is = &s->locations[i];
        if (strcmp(is->country, at->country) != 0)
            continue;
        if ((is->known & DT_GEO_REGION) == (at->known & DT_GEO_REGION) &&
            strcmp(is->region, at->region) == 0)
            return i;
        listed = true;
        other = (at->known & DT_GEO_REGION) != 0 ? i : other; /* the last is the one not listed */
    }
    return listed ? other : 1;
}

static void place_values(dt_space const *s, dt_policy_input const *in, uint32_t *values)
{
    dt_geo_place at = {.known = 0};

    values[s->address] =
        (uint32_t)s->piece_count + (in->address == DT_ADDRESS_LOCAL    ? DT_SPACE_ADDRESS_LOCAL
                                    : in->address == DT_ADDRESS_ABSENT ? DT_SPACE_ADDRESS_ABSENT
                                                                       : DT_SPACE_ADDRESS_UNKNOWN);
    if (in->ip.set)
        values[s->address] = dt_space_piece_of(s, &in->ip);
    for (size_t k = 0; in->ip.set && in->place == NULL && k < s->zone_sets; k++)
        if (dt_zones_place(s->zones[k], &in->ip, NULL, &at))
            break;
    if (in->place != NULL)
        at = *in->place;
    values[s->location] = location_value(s, &at);
    values[s->asn] = (at.known & DT_GEO_ASN) != 0;
    for (uint32_t i = 2; (at.known & DT_GEO_ASN) != 0 && i < s->asn_count; i++)
        if (s->asns[i].asn == at.asn)
            values[s->asn] = i;
}

static void device_values(dt_space const *s, dt_policy_input const *in, uint32_t *values)
{
    for (uint32_t i = 0; i < s->device_count; i++)
        if (s->devices[i].trust == in->trust &&
            (in->trust == DT_TRUST_UNKNOWN || s->devices[i].reason == in->reason))
            values[s->device] = i;
    for (uint32_t bit = 0; bit < 8; bit++)
        if ((unsigned)in->platform == 1u << bit)
            values[s->platform] = bit + 1;
    values[s->unknown_denies] = in->unknown_as != DT_UNKNOWN_NOT_TRUSTED;
}

void dt_request_values(dt_space const *s, dt_policy_input const *in, bool org_waives,
                       uint32_t *values)
{
    char const *names[DT_SPACE_NAMES] = {in->user, in->login, in->short_login};

    memset(values, 0, dt_formula_fact_count(s->f) * sizeof(*values));
    for (size_t k = 0; k < DT_SPACE_NAMES; k++)
        name_values(s, k, names[k], values);
    values[s->machine] = in->machine;
    values[s->groups_known] =
        in->group_knowledge == DT_GROUPS_KNOWN && in->group_count <= DT_GROUPS_MAX;
    for (size_t i = 0; values[s->groups_known] != 0 && i < in->group_count; i++)
        group_values(s, in->groups[i], values);
    place_values(s, in, values);
    device_values(s, in, values);
    values[s->org_waives] = org_waives;
    values[s->time_known] = in->now > 0;
    values[s->offset_known] = in->utc_offset_known;
    values[s->utc] = dt_minute_of_week(in, true);
    values[s->local] = dt_minute_of_week(in, false);
    values[s->offset] = (uint32_t)(in->utc_offset + DT_UTC_OFFSET_MAX);
}

bool dt_values_fit(dt_space const *s, uint32_t const *values)
{
    uint32_t local =
        (values[s->utc] + values[s->offset] + 2 * DT_MINUTES_OF_WEEK - DT_UTC_OFFSET_MAX) %
        DT_MINUTES_OF_WEEK;
    size_t groups = 0;

    for (size_t i = 0; i < s->groups.count; i++)
        groups += values[s->member[i]];
    for (size_t i = 0; i < s->groups_like.count; i++)
        groups += values[s->member_like[i]];
    return groups <= DT_GROUPS_MAX &&
           (!s->uses_utc || !s->uses_local || local == values[s->local]) &&
           (values[s->name[1]] != none_of(s) || values[s->name[2]] == none_of(s));
}

void dt_values_usual(dt_space const *s, uint32_t *values)
{
    memset(values, 0, dt_formula_fact_count(s->f) * sizeof(*values));
    values[s->name[1]] = values[s->name[2]] = none_of(s);
    values[s->groups_known] = values[s->time_known] = values[s->offset_known] = 1;
    values[s->unknown_denies] = 1;
    values[s->location] = values[s->asn] = 1;
    values[s->platform] = 1;
    for (uint32_t i = 0; i < s->device_count; i++)
        if (s->devices[i].trust == DT_TRUST_NOT_TRUSTED &&
            s->devices[i].reason == DT_REASON_NO_CERTIFICATE)
            values[s->device] = i;
    values[s->utc] = values[s->local] = USUAL_MINUTE;
    values[s->offset] = DT_UTC_OFFSET_MAX;
}
