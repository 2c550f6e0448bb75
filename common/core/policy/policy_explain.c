/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules in words. Asks policy.c which condition failed, and says of that one what it wants and what it
 * got. */
#include "core/policy/policy_explain.h"

#include "core/base/json.h"
#include "core/policy/policy_rules.h"

#include <string.h>

#define NAMES_SHOWN 4      /* of a list of zones or groups; the rest is counted */
#define DECIDING_ROOM 1100 /* of an event's explanation, kept for the rule that decided */
#define JSON_NAME_CUT 160  /* bytes of a name in an event */
#define JSON_TEXT_CUT 280  /* bytes of a comparison in an event */

/* "a, b and 3 more" */
typedef struct name_words {
    dt_buf *b;
    size_t shown, left_out;
} name_words;

static void put_name(name_words *w, char const *name)
{
    if (w->shown == NAMES_SHOWN) {
        w->left_out++;
        return;
    }
    dt_buf_printf(w->b, "%s%s", w->shown > 0 ? ", " : "", name);
    w->shown++;
}

static void put_rest(name_words const *w)
{
    if (w->left_out > 0)
        dt_buf_printf(w->b, " and %zu more", w->left_out);
}

/* --- where values come from --------------------------------------------------------------------- */

void dt_explain_put_age(dt_buf *out, dt_time learnt, dt_time now)
{
    dt_time seconds = learnt > 0 && learnt < now ? (now - learnt) / 1000 : 0;

    if (seconds == 0) {
        dt_buf_puts(out, "just now");
        return;
    }
    if (seconds >= 3600)
        dt_buf_printf(out, "%lld h ", (long long)seconds / 3600);
    if (seconds >= 60)
        dt_buf_printf(out, "%lld min ", (long long)seconds / 60 % 60);
    dt_buf_printf(out, "%lld s ago", (long long)seconds % 60);
}

/* " (by intune, 2 min 5 s ago)"; " (by the request)" for what came with it */
static void put_origin(dt_buf *b, dt_origin const *o, dt_time now)
{
    if (o->from == NULL || *o->from == '\0')
        return;
    dt_buf_printf(b, " (by %s", o->from);
    if (o->learnt > 0) {
        dt_buf_puts(b, ", ");
        dt_explain_put_age(b, o->learnt, now);
    }
    dt_buf_putc(b, ')');
}

/* --- conditions ------------------------------------------------------------------------------- */

/* Names, then patterns; false when there are none. */
static bool put_names(dt_buf *b, dt_policy const *p, char const *before, dt_name_list names,
                      dt_name_list patterns)
{
    char shown[DT_GROUP_SHOWN_MAX];
    name_words w = {.b = b};

    if (names.count + patterns.count == 0)
        return false;
    dt_buf_puts(b, before);
    for (uint32_t i = 0; i < names.count; i++)
        put_name(&w, dt_policy_group_shown(p, p->names[names.first + i].text, shown));
    for (uint32_t i = 0; i < patterns.count; i++)
        put_name(&w, p->names[patterns.first + i].text);
    put_rest(&w);
    return true;
}

static void put_own_groups(dt_buf *b, dt_policy const *p, dt_policy_input const *in,
                           dt_policy_origins const *from)
{
    char shown[DT_GROUP_SHOWN_MAX];
    name_words w = {.b = b};

    if (in->group_knowledge != DT_GROUPS_KNOWN) {
        dt_buf_puts(b, "; the person's groups are not known");
        return;
    }
    dt_buf_puts(b, in->group_count > 0 ? "; of the groups that rules name, the person is in "
                                       : "; the person is in no group that a rule names");
    for (size_t i = 0; i < in->group_count; i++)
        put_name(&w, in->groups[i] != NULL ? dt_policy_group_shown(p, in->groups[i], shown) : "?");
    put_rest(&w);
    put_origin(b, &from->groups, from->now);
}

static void people(dt_policy const *p, dt_rule const *r, dt_policy_input const *in,
                   dt_policy_origins const *from, dt_buf *b)
{
    bool groups = r->groups_include.count + r->groups_exclude.count + r->groups_like.count +
                      r->groups_unlike.count >
                  0;
    bool users;

    dt_buf_puts(b, "requires");
    users = put_names(b, p, " users ", r->users_include, r->users_like);
    if (!put_names(b, p, users ? " or groups " : " groups ", r->groups_include, r->groups_like) &&
        !users)
        dt_buf_puts(b, " anybody");
    (void)put_names(b, p, ", not users ", r->users_exclude, r->users_unlike);
    (void)put_names(b, p, ", not groups ", r->groups_exclude, r->groups_unlike);
    dt_buf_printf(b, "; the %s is %s", in->machine ? "machine" : "person",
                  in->user != NULL ? in->user : "nobody");
    if (in->user != NULL && in->login != NULL && *in->login != '\0' &&
        strcmp(in->login, in->user) != 0)
        dt_buf_printf(b, ", at Okta %s", in->login);
    if (groups)
        put_own_groups(b, p, in, from);
}

static void put_zone_ids(dt_buf *b, dt_policy const *p, dt_name_list ids)
{
    name_words w = {.b = b};

    for (uint32_t i = 0; i < ids.count; i++)
        put_name(&w, p->zones->zones[p->zone_ids[ids.first + i]].name);
    put_rest(&w);
}

/* Zones of a set; true when there are any. */
static bool put_zone_set(dt_buf *b, dt_zones const *z, char const *before, dt_tag_set const *set)
{
    name_words w = {.b = b};

    for (uint32_t i = 0; z != NULL && i < z->count; i++) {
        if (!dt_tag_set_has(set, i))
            continue;
        if (w.shown == 0)
            dt_buf_puts(b, before);
        put_name(&w, z->zones[i].name);
    }
    put_rest(&w);
    return w.shown > 0;
}

/* Where zones of places and providers find it. */
static void put_place(dt_policy const *p, dt_policy_input const *in, dt_buf *b)
{
    dt_geo_place at;

    if (!dt_zones_place(p->zones, &in->ip, in->place, &at))
        return;
    if ((at.known & DT_GEO_COUNTRY) != 0)
        dt_buf_printf(b, ", of %s%s%s", at.country, (at.known & DT_GEO_REGION) != 0 ? "-" : "",
                      (at.known & DT_GEO_REGION) != 0 ? at.region : "");
    else
        dt_buf_puts(b, ", of no known country");
    if ((at.known & DT_GEO_ASN) != 0)
        dt_buf_printf(b, ", AS%u,", (unsigned)at.asn);
    else
        dt_buf_puts(b, ", no known AS,");
}

static void own_address(dt_policy const *p, dt_policy_input const *in,
                        dt_policy_origins const *from, dt_buf *b)
{
    dt_tag_set own, maybe;

    if (!in->ip.set) {
        dt_buf_puts(b, in->address == DT_ADDRESS_LOCAL ? "; the person sits at this host"
                                                       : "; the address is not known");
        return;
    }
    dt_buf_puts(b, "; the address");
    if (from->address_text != NULL && *from->address_text != '\0')
        dt_buf_printf(b, " %s", from->address_text);
    put_origin(b, &from->address, from->now);
    put_place(p, in, b);
    dt_zones_locate(p->zones, &in->ip, in->place, &own, &maybe);
    if (!put_zone_set(b, p->zones, " is in ", &own))
        dt_buf_puts(b, " is in no zone");
    (void)put_zone_set(b, p->zones, ", and it is not known for ", &maybe);
}

static void network(dt_policy const *p, dt_rule const *r, dt_policy_input const *in,
                    dt_policy_origins const *from, dt_buf *b)
{
    dt_buf_puts(b, "requires an address");
    if (r->zones_include.count > 0) {
        dt_buf_puts(b, " in zone ");
        put_zone_ids(b, p, r->zones_include);
    }
    if (r->zones_exclude.count > 0) {
        dt_buf_puts(b, r->zones_include.count > 0 ? " and not in zone " : " not in zone ");
        put_zone_ids(b, p, r->zones_exclude);
    }
    own_address(p, in, from, b);
}

static void platform(dt_rule const *r, dt_policy_input const *in, dt_policy_origins const *from,
                     dt_buf *b)
{
    name_words w = {.b = b};

    dt_buf_puts(b, "requires ");
    for (unsigned bit = 1; bit <= DT_PLATFORM_OTHER_MOBILE; bit <<= 1) {
        if (r->platforms & bit)
            put_name(&w, dt_platform_name((dt_platform)bit));
    }
    put_rest(&w);
    dt_buf_printf(b, "; the device's platform is %s", dt_platform_name(in->platform));
    put_origin(b, &from->platform, from->now);
}

/* The reasons that a rule names; none when it takes every one. */
static void put_reasons(dt_buf *b, uint64_t devices, bool trusted)
{
    uint64_t all = trusted ? DT_DEVICES_TRUSTED : DT_DEVICES_NOT_TRUSTED;
    name_words w = {.b = b};

    if ((devices & all) == all)
        return;
    dt_buf_puts(b, " (");
    for (int i = 0; i < DT_REASON_COUNT; i++) {
        if ((devices >> (i + (trusted ? DT_DEVICE_TRUSTED_SHIFT : 0)) & 1) != 0)
            put_name(&w, dt_reason_name((dt_reason)i));
    }
    put_rest(&w);
    dt_buf_putc(b, ')');
}

static void device(dt_rule const *r, dt_policy_input const *in, dt_policy_origins const *from,
                   dt_buf *b)
{
    bool trusted = (r->devices & DT_DEVICES_TRUSTED) != 0;

    dt_buf_printf(b, "requires a %s device", trusted ? "TRUSTED" : "NOT_TRUSTED");
    put_reasons(b, r->devices, trusted);
    dt_buf_printf(b, "; this one is %s", dt_trust_name(in->trust));
    if (in->reason != DT_REASON_NONE && in->reason != DT_REASON_TRUSTED)
        dt_buf_printf(b, ", %s", dt_reason_name(in->reason));
    if (in->trust == DT_TRUST_UNKNOWN && in->unknown_as == DT_UNKNOWN_NOT_TRUSTED)
        dt_buf_puts(b, ", treated as NOT_TRUSTED");
    put_origin(b, &from->device, from->now);
}

static void put_minute(dt_buf *b, unsigned minute)
{
    static char const *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

    dt_buf_printf(b, "%s %02u:%02u", days[minute / DT_MINUTES_OF_DAY % 7],
                  minute % DT_MINUTES_OF_DAY / 60, minute % 60);
}

static void put_spans(dt_buf *b, dt_policy const *p, dt_name_list spans)
{
    for (uint32_t i = 0; i < spans.count && i < NAMES_SHOWN; i++) {
        dt_buf_puts(b, i > 0 ? ", " : "");
        put_minute(b, p->spans[spans.first + i].begin);
        dt_buf_puts(b, " to ");
        put_minute(b, p->spans[spans.first + i].end);
    }
    if (spans.count > NAMES_SHOWN)
        dt_buf_printf(b, " and %u more", (unsigned)spans.count - NAMES_SHOWN);
}

static void time_of(dt_policy const *p, dt_rule const *r, dt_policy_input const *in,
                    dt_policy_origins const *from, dt_buf *b)
{
    dt_buf_printf(b, "requires %s time", r->utc ? "UTC" : "local");
    if (r->spans_include.count > 0) {
        dt_buf_puts(b, " from ");
        put_spans(b, p, r->spans_include);
    }
    if (r->spans_exclude.count > 0) {
        dt_buf_puts(b, ", not from ");
        put_spans(b, p, r->spans_exclude);
    }
    if (in->now <= 0 || (!r->utc && !in->utc_offset_known)) {
        dt_buf_puts(b, "; the time is not known");
        return;
    }
    dt_buf_puts(b, "; it is ");
    put_minute(b, dt_minute_of_week(in, r->utc));
    if (from->time.from != NULL)
        dt_buf_printf(b, " (by %s)", from->time.from);
}

static void compare(dt_policy const *p, dt_rule const *r, dt_policy_input const *in,
                    dt_policy_origins const *from, dt_condition failed, dt_buf *b)
{
    switch (failed) {
    case DT_CONDITION_PEOPLE:
        people(p, r, in, from, b);
        return;
    case DT_CONDITION_NETWORK:
        network(p, r, in, from, b);
        return;
    case DT_CONDITION_PLATFORM:
        platform(r, in, from, b);
        return;
    case DT_CONDITION_DEVICE:
        device(r, in, from, b);
        return;
    case DT_CONDITION_TIME:
        time_of(p, r, in, from, b);
        return;
    default:
        return;
    }
}

void dt_policy_explain(dt_policy const *p, size_t i, dt_policy_input const *in,
                       dt_policy_origins const *from, dt_rule_explanation *out)
{
    static dt_policy_origins const none = {.address_text = NULL};
    dt_buf b;

    out->failed = dt_policy_explain_rule(p, i, in, &out->name);
    out->priority = 0;
    out->compared[0] = '\0';
    if (p == NULL || in == NULL || i >= p->rule_count)
        return;
    out->priority = p->rules[i].priority;
    dt_buf_init_fixed(&b, out->compared, sizeof(out->compared)); /* what does not fit is cut */
    compare(p, &p->rules[i], in, from != NULL ? from : &none, out->failed, &b);
    out->compared[sizeof(out->compared) - 1] = '\0';
}

/* --- a decision ------------------------------------------------------------------------------- */

size_t dt_policy_rule_of_priority(dt_policy const *p, int priority)
{
    size_t low = 0, high = dt_policy_rule_count(p);

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (p->rules[middle].priority < priority)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < dt_policy_rule_count(p) && p->rules[low].priority == priority)
        return low;
    return dt_policy_rule_count(p);
}

/* A text of at most `max` bytes, not ending within a UTF-8 sequence. */
static void put_cut(dt_buf *out, char const *text, size_t max)
{
    char cut[JSON_TEXT_CUT + 1];
    size_t n = strnlen(text, max + 1);

    if (n > max) {
        n = max;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(cut, text, n);
    cut[n] = '\0';
    dt_json_put_string(out, cut);
}

static void put_rule(dt_rule_explanation const *x, bool first, dt_buf *out)
{
    dt_buf_puts(out, first ? "{\"rule\":" : ",{\"rule\":");
    put_cut(out, x->name, JSON_NAME_CUT);
    if (x->failed == DT_CONDITION_NONE) {
        dt_buf_puts(out, ",\"matches\":true}");
        return;
    }
    dt_buf_puts(out, ",\"matches\":false,\"failed\":\"");
    dt_buf_puts(out, dt_condition_name(x->failed));
    dt_buf_puts(out, "\"");
    if (x->compared[0] != '\0') {
        dt_buf_puts(out, ",\"compared\":");
        put_cut(out, x->compared, JSON_TEXT_CUT);
    }
    dt_buf_putc(out, '}');
}

/* False when it does not fit into what the caller leaves it; `out` is then as before. */
static bool put_rule_within(dt_policy const *p, size_t i, dt_policy_input const *in,
                            dt_policy_origins const *from, size_t room, bool first, dt_buf *out)
{
    char storage[DT_EXPLAIN_EVENT_MAX];
    dt_rule_explanation x;
    dt_buf b;

    dt_policy_explain(p, i, in, from, &x);
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    put_rule(&x, first, &b);
    if (dt_buf_error(&b) < 0 || b.len > room)
        return false;
    dt_buf_put(out, b.p, b.len);
    return true;
}

/* The rule that decided, held or reached without the groups that it asks for. */
static size_t rules_passed_over(dt_policy const *p, dt_decision const *d)
{
    size_t count = dt_policy_rule_count(p);

    if (d->cause == DT_DECISION_RULE)
        return dt_policy_rule_of_priority(p, d->priority);
    return d->cause == DT_DECISION_UNKNOWN_DEVICE ? 0 : count;
}

static void put_deciding(dt_decision const *d, bool first, dt_buf *out)
{
    if (d->cause != DT_DECISION_RULE)
        return;
    dt_buf_puts(out, first ? "{\"rule\":" : ",{\"rule\":");
    put_cut(out, d->rule, JSON_NAME_CUT);
    dt_buf_puts(out, ",\"matches\":true}");
}

void dt_policy_explain_json(dt_policy const *p, dt_policy_input const *in,
                            dt_policy_origins const *from, dt_decision const *d, dt_buf *out)
{
    size_t start = out->len, passed = rules_passed_over(p, d), i = 0;

    dt_buf_putc(out, '[');
    while (i < passed && i < DT_EXPLAIN_RULES_MAX) {
        size_t used = out->len - start;

        if (used + DECIDING_ROOM >= DT_EXPLAIN_EVENT_MAX ||
            !put_rule_within(p, i, in, from, DT_EXPLAIN_EVENT_MAX - DECIDING_ROOM - used, i == 0,
                             out))
            break;
        i++;
    }
    if (i < passed)
        dt_buf_printf(out, "%s{\"more\":%zu}", i > 0 ? "," : "", passed - i);
    put_deciding(d, passed == 0, out);
    dt_buf_putc(out, ']');
}
