/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules and policies as formulas. */
#include "devtrustctl/prove/prove_translate.h"

#include <stdlib.h>
#include <string.h>

static dt_rule_terms const always = {DT_TERM_TRUE, DT_TERM_FALSE};

/* --- people ------------------------------------------------------------------------------------ */

/* The person is called one of these, or is in one of these groups. */
static dt_term one_of(dt_space *s, dt_policy const *p, dt_space_names const *of, dt_name_list list)
{
    dt_term *terms = calloc(list.count + 1, sizeof(*terms)), any;

    if (terms == NULL)
        return dt_formula_fail(s->f);
    for (uint32_t i = 0; i < list.count; i++)
        terms[i] = of->terms[dt_space_find(of, p->names[list.first + i])];
    any = dt_term_any(s->f, terms, list.count);
    free(terms);
    return any;
}

static dt_term names_or_patterns(dt_space *s, dt_policy const *p, bool groups, dt_name_list names,
                                 dt_name_list patterns)
{
    return dt_term_either(s->f, one_of(s, p, groups ? &s->groups : &s->users, names),
                          one_of(s, p, groups ? &s->groups_like : &s->users_like, patterns));
}

static dt_rule_terms people(dt_space *s, dt_policy const *p, dt_rule const *r)
{
    bool by_user = r->users_include.count + r->users_like.count > 0;
    bool by_group = r->groups_include.count + r->groups_like.count > 0;
    bool unlike_group = r->groups_exclude.count + r->groups_unlike.count > 0;
    dt_formula *f = s->f;
    dt_term machine = dt_term_equals(f, s->machine, 1),
            known = dt_term_equals(f, s->groups_known, 1);
    dt_term barred = names_or_patterns(s, p, false, r->users_exclude, r->users_unlike);
    dt_term named = names_or_patterns(s, p, false, r->users_include, r->users_like);
    dt_term in_group = names_or_patterns(s, p, true, r->groups_include, r->groups_like);
    dt_term out_group = names_or_patterns(s, p, true, r->groups_exclude, r->groups_unlike);
    dt_term person = dt_term_both(f, dt_term_not(f, machine), dt_term_not(f, barred));
    dt_term sure, told, open;

    if (r->anyone)
        return always;
    if (!by_user && !by_group)
        named = DT_TERM_TRUE;
    sure = unlike_group ? DT_TERM_FALSE : named;
    told = dt_term_both(f, dt_term_either(f, named, in_group), dt_term_not(f, out_group));
    open = dt_term_either(f, unlike_group ? named : DT_TERM_FALSE,
                          by_group ? dt_term_not(f, named) : DT_TERM_FALSE);
    return (dt_rule_terms){
        dt_term_either(
            f, by_user || by_group ? DT_TERM_FALSE : machine,
            dt_term_both(f, person, dt_term_either(f, sure, dt_term_both(f, known, told)))),
        dt_term_both(f, person, dt_term_both(f, dt_term_not(f, known), open))};
}

/* --- network ----------------------------------------------------------------------------------- */

static dt_term address_is(dt_space *s, dt_space_address which)
{
    return dt_term_equals(s->f, s->address, (uint32_t)s->piece_count + which);
}

/* In one of the zones; and: in one of them, or nobody can say that it is not. */
static void in_zones(dt_space *s, dt_policy const *p, dt_name_list zones, dt_term *in,
                     dt_term *could)
{
    size_t set = dt_space_zone_set(s, p->zones);
    dt_term *terms = calloc(2 * (size_t)zones.count + 1, sizeof(*terms));

    if (terms == NULL) {
        *in = *could = dt_formula_fail(s->f);
        return;
    }
    for (uint32_t i = 0; i < zones.count; i++) {
        uint16_t zone = p->zone_ids[zones.first + i];
        terms[i] = s->zone_in[set][zone];
        terms[zones.count + i] = s->zone_maybe[set][zone];
    }
    *in = dt_term_any(s->f, terms, zones.count);
    *could = dt_term_any(s->f, terms, 2 * (size_t)zones.count);
    free(terms);
}

static dt_rule_terms network(dt_space *s, dt_policy const *p, dt_rule const *r)
{
    dt_formula *f = s->f;
    dt_term unread, in = DT_TERM_TRUE, could = DT_TERM_TRUE, out, could_out, holds, may;

    if (!r->in_zone)
        return always;
    unread = dt_term_either(f, address_is(s, DT_SPACE_ADDRESS_UNKNOWN),
                            address_is(s, DT_SPACE_ADDRESS_ABSENT));
    if (r->zones_include.count > 0)
        in_zones(s, p, r->zones_include, &in, &could);
    in_zones(s, p, r->zones_exclude, &out, &could_out);
    holds = dt_term_both(f, in, dt_term_not(f, could_out));
    may = dt_term_both(f, could, dt_term_not(f, out));
    holds = dt_term_both(f, dt_term_not(f, unread), holds);
    return (dt_rule_terms){holds,
                           dt_term_either(f, unread, dt_term_both(f, may, dt_term_not(f, holds)))};
}

/* --- platform, device, time -------------------------------------------------------------------- */

static dt_rule_terms platform(dt_space *s, dt_rule const *r)
{
    uint8_t member[9] = {0};

    if (r->platforms == DT_PLATFORMS_ANY)
        return always;
    for (int bit = 0; bit < 8; bit++)
        member[bit + 1] = r->platforms >> bit & 1;
    return (dt_rule_terms){dt_term_member(s->f, s->platform, member),
                           dt_term_equals(s->f, s->platform, 0)};
}

/* What a rule's set of states says of one device. */
static dt_holds device_in(uint64_t devices, dt_space_device const *d)
{
    bool trusted = d->trust == DT_TRUST_TRUSTED;
    uint32_t half = (uint32_t)(trusted ? devices >> DT_DEVICE_TRUSTED_SHIFT : devices);
    dt_reason reason = trusted && d->reason == DT_REASON_NONE ? DT_REASON_TRUSTED : d->reason;

    if (half == 0)
        return DT_HOLDS_NO;
    if (half == UINT32_MAX)
        return DT_HOLDS_YES;
    if (d->trust == DT_TRUST_UNKNOWN || reason == DT_REASON_NONE)
        return DT_HOLDS_UNKNOWN;
    return (half >> reason & 1) != 0 ? DT_HOLDS_YES : DT_HOLDS_NO;
}

static dt_rule_terms device(dt_space *s, dt_rule const *r)
{
    uint8_t yes[DT_SPACE_DEVICES_MAX] = {0}, maybe[DT_SPACE_DEVICES_MAX] = {0};

    for (uint32_t i = 0; i < s->device_count; i++) {
        dt_holds holds = device_in(r->devices, &s->devices[i]);
        yes[i] = holds == DT_HOLDS_YES;
        maybe[i] = holds == DT_HOLDS_UNKNOWN;
    }
    return (dt_rule_terms){dt_term_member(s->f, s->device, yes),
                           dt_term_member(s->f, s->device, maybe)};
}

static dt_term in_spans(dt_space *s, dt_policy const *p, dt_fact minute, dt_name_list spans)
{
    uint8_t member[DT_MINUTES_OF_WEEK] = {0};

    for (uint32_t i = 0; i < spans.count; i++) {
        dt_time_span const *span = &p->spans[spans.first + i];
        for (unsigned m = span->begin; m < span->end; m++)
            member[m] = 1;
    }
    return spans.count == 0 ? DT_TERM_FALSE : dt_term_member(s->f, minute, member);
}

static dt_rule_terms time_of(dt_space *s, dt_policy const *p, dt_rule const *r)
{
    dt_formula *f = s->f;
    dt_fact minute = r->utc ? s->utc : s->local;
    dt_term known = dt_term_equals(f, s->time_known, 1), holds;

    if (r->spans_include.count + r->spans_exclude.count == 0)
        return always;
    if (!r->utc)
        known = dt_term_both(f, known, dt_term_equals(f, s->offset_known, 1));
    holds = dt_term_not(f, in_spans(s, p, minute, r->spans_exclude));
    if (r->spans_include.count > 0)
        holds = dt_term_both(f, holds, in_spans(s, p, minute, r->spans_include));
    return (dt_rule_terms){dt_term_both(f, known, holds), dt_term_not(f, known)};
}

/* --- a rule ------------------------------------------------------------------------------------ */

dt_rule_terms dt_translate_rule(dt_space *s, dt_policy const *p, dt_rule const *r)
{
    dt_rule_terms const all[] = {device(s, r), platform(s, r), time_of(s, p, r), network(s, p, r),
                                 people(s, p, r)};
    dt_term holds[5], could[5], both;

    for (size_t i = 0; i < 5; i++) {
        holds[i] = all[i].holds;
        could[i] = dt_term_either(s->f, all[i].holds, all[i].maybe);
    }
    both = dt_term_all(s->f, holds, 5);
    return (dt_rule_terms){
        both, dt_term_both(s->f, dt_term_all(s->f, could, 5), dt_term_not(s->f, both))};
}

/* --- a policy ---------------------------------------------------------------------------------- */

dt_term dt_translate_trust(dt_space *s, dt_trust trust)
{
    uint8_t member[DT_SPACE_DEVICES_MAX] = {0};

    for (uint32_t i = 0; i < s->device_count; i++)
        member[i] = s->devices[i].trust == trust;
    return dt_term_member(s->f, s->device, member);
}

/* What denies before any rule. */
static void begin(dt_space *s, bool org, dt_policy_terms *t)
{
    dt_zones const *z = t->p->zones;
    size_t set = dt_space_zone_set(s, z);
    dt_term stop = DT_TERM_FALSE, maybe = DT_TERM_FALSE;

    t->blocked = DT_TERM_FALSE;
    for (size_t i = 0; z != NULL && i < z->count; i++) {
        if (!z->zones[i].active || !z->zones[i].blocklist)
            continue;
        t->blocked = dt_term_either(s->f, t->blocked, s->zone_in[set][i]);
        maybe = dt_term_either(s->f, maybe, s->zone_maybe[set][i]);
    }
    if (z != NULL && z->blocklists > 0)
        maybe = dt_term_either(s->f, maybe, address_is(s, DT_SPACE_ADDRESS_UNKNOWN));
    t->maybe_blocked = dt_term_both(s->f, maybe, dt_term_not(s->f, t->blocked));
    if (!org)
        stop = dt_term_both(s->f, dt_translate_trust(s, DT_TRUST_UNKNOWN),
                            dt_term_equals(s->f, s->unknown_denies, 1));
    stop = dt_term_either(s->f, stop, dt_term_either(s->f, t->blocked, maybe));
    t->begins = dt_term_not(s->f, stop);
}

/* The first rule that holds decides. One of which nothing can be said refuses, unless it would only let
 * in. */
static void walk(dt_space *s, dt_policy_terms *t, dt_term *allows, dt_term *asks, dt_term *refuses)
{
    dt_formula *f = s->f;
    size_t count = t->p->rule_count;
    dt_term passed = DT_TERM_FALSE;

    t->reached[0] = t->begins;
    for (size_t i = 0; i < count; i++) {
        dt_rule const *r = &t->p->rules[i];
        dt_rule_terms terms = {DT_TERM_FALSE, DT_TERM_FALSE};
        dt_term stops;
        if (r->active)
            terms = dt_translate_rule(s, t->p, r);
        stops = r->plain_allow ? terms.holds : dt_term_either(f, terms.holds, terms.maybe);
        t->rules[i] = terms;
        t->stops[i] = stops;
        t->decides[i] = dt_term_both(f, t->reached[i], terms.holds);
        allows[i] = r->access == DT_ACCESS_ALLOW ? t->decides[i] : DT_TERM_FALSE;
        asks[i] = r->access == DT_ACCESS_ALLOW_AFTER_MFA ? t->decides[i] : DT_TERM_FALSE;
        refuses[i] = r->plain_allow ? DT_TERM_FALSE : dt_term_both(f, t->reached[i], terms.maybe);
        if (r->plain_allow)
            passed = dt_term_either(f, passed, terms.maybe);
        t->reached[i + 1] = dt_term_both(f, t->reached[i], dt_term_not(f, stops));
    }
    t->allows = dt_term_any(f, allows, count);
    t->asks = dt_term_any(f, asks, count);
    t->refused = dt_term_any(f, refuses, count);
    t->left = dt_term_both(f, t->reached[count], dt_term_not(f, passed));
}

int dt_translate_policy(dt_space *s, dt_policy const *p, bool org, dt_policy_terms *out,
                        dt_error *e)
{
    size_t count = p->rule_count;
    dt_term *room = calloc(3 * count + 1, sizeof(*room));

    *out = (dt_policy_terms){.p = p,
                             .rules = calloc(count + 1, sizeof(*out->rules)),
                             .reached = calloc(count + 1, sizeof(*out->reached)),
                             .stops = calloc(count + 1, sizeof(*out->stops)),
                             .decides = calloc(count + 1, sizeof(*out->decides))};
    if (room != NULL && out->rules != NULL && out->reached != NULL && out->stops != NULL &&
        out->decides != NULL) {
        begin(s, org, out);
        walk(s, out, room, room + count, room + 2 * count);
    } else {
        dt_policy_terms_free(out);
    }
    free(room);
    return out->rules == NULL || dt_formula_failed(s->f)
               ? dt_error_set(e, DT_E_NOMEM, "out of memory")
               : DT_OK;
}

void dt_policy_terms_free(dt_policy_terms *t)
{
    free(t->rules);
    free(t->reached);
    free(t->stops);
    free(t->decides);
    memset(t, 0, sizeof(*t));
}

/* The org's denial is final, and its MFA is due as well, unless the site waives it for TRUSTED devices. */
dt_access_terms dt_translate_access(dt_space *s, dt_policy_terms const *app,
                                    dt_policy_terms const *org)
{
    dt_formula *f = s->f;
    dt_term waived, without, let;

    if (org == NULL)
        return (dt_access_terms){app->allows, app->asks};
    waived = dt_term_both(f, dt_term_equals(f, s->org_waives, 1),
                          dt_translate_trust(s, DT_TRUST_TRUSTED));
    without = dt_term_either(f, org->allows, dt_term_both(f, org->asks, waived));
    let = dt_term_either(f, org->allows, org->asks);
    return (dt_access_terms){dt_term_both(f, app->allows, without),
                             dt_term_either(f, dt_term_both(f, app->asks, let),
                                            dt_term_both(f, dt_term_both(f, app->allows, org->asks),
                                                         dt_term_not(f, waived)))};
}
