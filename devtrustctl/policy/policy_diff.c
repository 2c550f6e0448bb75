/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two policies side by side: each rule is laid out flat, as paths and values in one canonical form, and
 * the two lists are walked together. */
#include "devtrustctl/policy/policy_diff.h"

#include "core/policy/network.h"
#include "devtrustctl/policy/okta_import.h"
#include "core/policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYOUT_TEXT_MAX (16 * 1024 * 1024) /* of one rule laid out */
#define NETWORK_TEXT_MAX 80

typedef struct leaf {
    size_t path, value; /* offsets of C strings */
} leaf;

/* A rule or zone laid out. Offsets, since the text moves while it grows. */
typedef struct layout {
    dt_buf text;
    leaf leaves[DT_DIFF_LEAVES_MAX];
    size_t count;
    bool overflow;
} layout;

typedef struct diffing {
    dt_diff_fn *report_difference;
    void *ctx;
    size_t *count;
    bool zone;
    layout *a, *b;
} diffing;

char const *dt_diff_kind_name(dt_diff_kind k)
{
    switch (k) {
    case DT_DIFF_ADDED:
        return "added";
    case DT_DIFF_REMOVED:
        return "removed";
    case DT_DIFF_ORDER:
        return "order";
    case DT_DIFF_CHANGED:
        break;
    }
    return "changed";
}

/* --- values in one form ------------------------------------------------------------------------ */

static bool ends_with(char const *path, char const *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n >= m && strcmp(path + n - m, end) == 0;
}

static bool is_word(dt_json const *v, char const *word)
{
    char const *s = dt_json_string(v);

    return s != NULL && strcmp(s, word) == 0;
}

static void put_folded(dt_buf *b, char const *s)
{
    dt_buf text;

    dt_buf_init(&text, strlen(s) + 1);
    for (; *s != '\0'; s++)
        dt_buf_putc(&text, *s >= 'A' && *s <= 'Z' ? (char)(*s + 32) : *s);
    if (dt_buf_error(&text) < 0)
        b->error = dt_buf_error(&text);
    dt_json_put_string(b, text.p != NULL ? (char const *)text.p : "");
    dt_buf_free(&text);
}

/* "24h" as a duration and ONCE_A_DAY are one. */
static void put_frequency(dt_buf *b, char const *s)
{
    dt_time t = 0;

    if (dt_iso_duration_parse(s, &t) != DT_OK) {
        dt_json_put_string(b, s);
        return;
    }
    for (int f = 0; f < DT_FREQUENCY_COUNT; f++)
        if (f != DT_FREQUENCY_ONCE_PER_SESSION && f != DT_FREQUENCY_DURATION &&
            dt_frequency_lifetime((dt_frequency)f) == t) {
            dt_json_put_string(b, dt_frequency_name((dt_frequency)f));
            return;
        }
    char text[DT_DURATION_TEXT_MAX];
    dt_json_put_string(b, dt_iso_duration_format(text, t));
}

/* Address bits after the prefix are cleared; an address alone is a network of one. */
static void put_network(dt_buf *b, char const *s)
{
    char text[NETWORK_TEXT_MAX], hex[33];
    char *slash, *dash;
    dt_ip ip;
    bool v4;
    int prefix = 128;

    if (dt_str_copy(text, sizeof(text), s) != DT_OK) {
        dt_json_put_string(b, s);
        return;
    }
    slash = strchr(text, '/');
    dash = strchr(text, '-');
    if (slash != NULL)
        *slash = '\0';
    if (dash != NULL || dt_ip_parse(text, &ip) != DT_OK) {
        dt_json_put_string(b, s);
        return;
    }
    v4 = strchr(text, ':') == NULL;
    if (slash != NULL)
        prefix = (int)strtol(slash + 1, NULL, 10) + (v4 ? 96 : 0);
    for (int i = 0; i < 128; i++)
        if (i >= prefix)
            ip.octets[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
    dt_hex(hex, ip.octets, sizeof(ip.octets));
    dt_buf_printf(b, "\"%s/%d\"", hex, prefix);
}

/* A network's number as text and as a number are one. */
static void put_asn(dt_buf *b, dt_json const *v)
{
    int64_t number = 0;

    if (dt_json_integer(v, &number))
        dt_buf_printf(b, "\"%lld\"", (long long)number);
    else
        dt_json_put_value(b, v, 0);
}

/* "US-CA" and "CA" are one: a region is of the country beside it. */
static void put_region(dt_buf *b, char const *s)
{
    dt_json_put_string(b, strlen(s) > 3 && s[2] == '-' ? s + 3 : s);
}

static void put_scalar(dt_buf *b, dt_json const *v, char const *path)
{
    char const *s = dt_json_string(v);

    if (strcmp(path, "asns") == 0)
        put_asn(b, v);
    else if (s == NULL)
        dt_json_put_value(b, v, 0);
    else if (strstr(path, "conditions/people/") != NULL)
        put_folded(b, s);
    else if (ends_with(path, "promptForFactor/frequency"))
        put_frequency(b, s);
    else if (strcmp(path, "gateways") == 0)
        put_network(b, s);
    else if (strcmp(path, "locations/region") == 0)
        put_region(b, s);
    else
        dt_json_put_string(b, s);
}

/* --- laying out -------------------------------------------------------------------------------- */

static void put_canonical(dt_buf *b, dt_json const *v, char const *path);

static int compare_texts(void const *a, void const *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Members, or elements, in the order of their texts. A member that is null is one that is not there. */
static void put_sorted(dt_buf *b, dt_json const *v, char const *path, bool object)
{
    size_t n = dt_json_size(v), made = 0;
    char **texts = calloc(n + 1, sizeof(*texts));
    char at[DT_DIFF_PATH_MAX];

    if (texts == NULL) {
        b->error = DT_E_NOMEM;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char const *name = NULL;
        dt_json const *member = object ? dt_json_member(v, i, &name) : dt_json_at(v, i);
        dt_buf one;
        if (object && dt_json_typeof(member) == DT_JSON_NULL)
            continue;
        dt_buf_init(&one, LAYOUT_TEXT_MAX);
        (void)snprintf(at, sizeof(at), "%s%s%s", path, object ? "/" : "", object ? name : "");
        if (object) {
            dt_json_put_string(&one, name);
            dt_buf_putc(&one, ':');
        }
        put_canonical(&one, member, at);
        dt_buf_putc(&one, '\0');
        if (dt_buf_error(&one) < 0)
            b->error = dt_buf_error(&one);
        texts[made++] = (char *)one.p; /* taken over */
    }
    if (b->error == 0)
        qsort(texts, made, sizeof(*texts), compare_texts);
    for (size_t i = 0; i < made; i++) {
        if (b->error == 0) {
            dt_buf_puts(b, i > 0 ? "," : "");
            dt_buf_puts(b, texts[i]);
        }
        free(texts[i]);
    }
    free(texts);
}

static void put_canonical(dt_buf *b, dt_json const *v, char const *path)
{
    dt_json_type t = dt_json_typeof(v);

    /* {"type","value"} says no more than the value alone, which may stand there as well. */
    if (t == DT_JSON_OBJECT && strcmp(path, "gateways") == 0) {
        v = dt_json_get(v, "value");
        t = dt_json_typeof(v);
    }
    /* Of a group by id the name is for people. */
    if (t == DT_JSON_OBJECT && strstr(path, "conditions/people/groups/") != NULL) {
        dt_buf_puts(b, "{\"id\":");
        dt_json_put_value(b, dt_json_get(v, "id"), 0);
        dt_buf_putc(b, '}');
        return;
    }
    if (t != DT_JSON_ARRAY && t != DT_JSON_OBJECT) {
        put_scalar(b, v, path);
        return;
    }
    dt_buf_putc(b, t == DT_JSON_ARRAY ? '[' : '{');
    put_sorted(b, v, path, t == DT_JSON_OBJECT);
    dt_buf_putc(b, t == DT_JSON_ARRAY ? ']' : '}');
}

static void leaf_begin(layout *l, char const *path)
{
    if (l->count == DT_DIFF_LEAVES_MAX) {
        l->overflow = true;
        return;
    }
    l->leaves[l->count].path = l->text.len;
    dt_buf_put(&l->text, path, strlen(path) + 1);
    l->leaves[l->count++].value = l->text.len;
}

/* Platforms as the words of what they come to. */
static void platform_leaf(layout *l, char const *path, dt_json const *v)
{
    unsigned bits = dt_okta_platform_bits(v);
    bool first = true;

    if (bits == (DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE))
        return;
    leaf_begin(l, path);
    dt_buf_putc(&l->text, '[');
    for (unsigned bit = 1; bit <= DT_PLATFORM_OTHER_MOBILE; bit <<= 1) {
        if ((bits & bit) == 0)
            continue;
        dt_buf_puts(&l->text, first ? "" : ",");
        dt_json_put_string(&l->text, dt_platform_name((dt_platform)bit));
        first = false;
    }
    dt_buf_putc(&l->text, ']');
    dt_buf_putc(&l->text, '\0');
}

/* Whether a value says nothing that its absence would not say. */
static bool is_nothing(char const *path, dt_json const *v)
{
    dt_json_type t = dt_json_typeof(v);

    if (t == DT_JSON_NULL || ((t == DT_JSON_ARRAY || t == DT_JSON_OBJECT) && dt_json_size(v) == 0))
        return true;
    if (strcmp(path, "name") == 0 || strcmp(path, "priority") == 0)
        return true;
    /* The lists say it. */
    if (strcmp(path, "conditions/network/connection") == 0)
        return true;
    if (strcmp(path, "conditions/device/trust") == 0)
        return is_word(v, "ANY");
    if (strcmp(path, "usage") == 0)
        return is_word(v, "POLICY");
    if (ends_with(path, "promptForFactor/factors")) {
        unsigned bits = 0;
        for (size_t i = 0; i < dt_json_size(v); i++)
            bits |= dt_factor_word_bits(dt_json_string(dt_json_at(v, i)));
        return bits == DT_FACTOR_POSSESSION;
    }
    return false;
}

static void lay_out(layout *l, char const *path, dt_json const *v, int depth)
{
    char below[DT_DIFF_PATH_MAX];

    if (path[0] != '\0' && is_nothing(path, v))
        return;
    if (strcmp(path, "conditions/platform") == 0) {
        platform_leaf(l, path, v);
        return;
    }
    if (dt_json_typeof(v) != DT_JSON_OBJECT || depth == DT_JSON_DEPTH_MAX) {
        leaf_begin(l, path);
        put_canonical(&l->text, v, path);
        dt_buf_putc(&l->text, '\0');
        return;
    }
    for (size_t i = 0; i < dt_json_size(v); i++) {
        char const *name = NULL;
        dt_json const *member = dt_json_member(v, i, &name);
        if (snprintf(below, sizeof(below), "%s%s%s", path, path[0] != '\0' ? "/" : "", name) >=
            (int)sizeof(below))
            l->overflow = true;
        lay_out(l, below, member, depth + 1);
    }
}

static char const *text_at(layout const *l, size_t offset)
{
    return (char const *)l->text.p + offset;
}

/* Few leaves: sorted by insertion, by path. */
static void layout_sort(layout *l)
{
    for (size_t i = 1; i < l->count; i++) {
        leaf x = l->leaves[i];
        size_t k = i;
        for (; k > 0 && strcmp(text_at(l, l->leaves[k - 1].path), text_at(l, x.path)) > 0; k--)
            l->leaves[k] = l->leaves[k - 1];
        l->leaves[k] = x;
    }
}

static int layout_make(layout *l, dt_json const *v, dt_error *e)
{
    dt_buf_reset(&l->text);
    l->count = 0;
    l->overflow = false;
    lay_out(l, "", v, 0);
    if (l->overflow || dt_buf_error(&l->text) < 0)
        return dt_error_set(e, l->overflow ? DT_E_LIMIT : dt_buf_error(&l->text),
                            "a rule is too large to be compared");
    layout_sort(l);
    return DT_OK;
}

/* --- comparing --------------------------------------------------------------------------------- */

static void report_difference(diffing *d, dt_diff_kind kind, char const *rule, char const *member,
                              char const *ours, char const *theirs)
{
    char a[DT_DIFF_VALUE_MAX], b[DT_DIFF_VALUE_MAX];
    dt_diff_note note = {kind, d->zone, rule, member, a, b};

    (void)snprintf(a, sizeof(a), "%s", ours);
    (void)snprintf(b, sizeof(b), "%s", theirs);
    (*d->count)++;
    if (d->report_difference != NULL)
        d->report_difference(d->ctx, &note);
}

static int compare(diffing *d, char const *name, dt_json const *ours, dt_json const *theirs,
                   dt_error *e)
{
    layout *a = d->a, *b = d->b;
    size_t i = 0, k = 0;
    int rc = layout_make(a, ours, e);

    if (rc == DT_OK)
        rc = layout_make(b, theirs, e);
    while (rc == DT_OK && (i < a->count || k < b->count)) {
        char const *x = i < a->count ? text_at(a, a->leaves[i].path) : NULL;
        char const *y = k < b->count ? text_at(b, b->leaves[k].path) : NULL;
        int order = x == NULL ? 1 : y == NULL ? -1 : strcmp(x, y);
        char const *value_x = order <= 0 ? text_at(a, a->leaves[i].value) : "";
        char const *value_y = order >= 0 ? text_at(b, b->leaves[k].value) : "";
        if (order != 0 || strcmp(value_x, value_y) != 0)
            report_difference(d,
                              order < 0   ? DT_DIFF_REMOVED
                              : order > 0 ? DT_DIFF_ADDED
                                          : DT_DIFF_CHANGED,
                              name, order > 0 ? y : x, value_x, value_y);
        i += order <= 0;
        k += order >= 0;
    }
    return rc;
}

/* --- rules ------------------------------------------------------------------------------------- */

typedef struct rule_list {
    dt_json const **rules; /* ACTIVE, in evaluation order */
    size_t count;
} rule_list;

static int64_t priority_of(dt_json const *rule)
{
    int64_t p = 0;

    return dt_json_integer(dt_json_get(rule, "priority"), &p) ? p : 0;
}

static int compare_priorities(void const *a, void const *b)
{
    int64_t x = priority_of(*(dt_json const *const *)a),
            y = priority_of(*(dt_json const *const *)b);

    return x < y ? -1 : x > y;
}

static char const *name_of(dt_json const *v)
{
    char const *s = dt_json_string(dt_json_get(v, "name"));

    return s != NULL ? s : "";
}

static int rules_list(dt_json const *policy, rule_list *out, dt_error *e)
{
    dt_json const *rules = dt_json_get(policy, "rules");

    out->count = 0;
    out->rules = calloc(dt_json_size(rules) + 1, sizeof(*out->rules));
    if (out->rules == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    for (size_t i = 0; i < dt_json_size(rules); i++)
        if (is_word(dt_json_get(dt_json_at(rules, i), "status"), "ACTIVE"))
            out->rules[out->count++] = dt_json_at(rules, i);
    qsort(out->rules, out->count, sizeof(*out->rules), compare_priorities);
    return DT_OK;
}

static dt_json const *rule_named(rule_list const *list, char const *name, size_t *place)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(name_of(list->rules[i]), name) != 0)
            continue;
        *place = i;
        return list->rules[i];
    }
    return NULL;
}

static int compare_rules(diffing *d, rule_list const *ours, rule_list const *theirs, dt_error *e)
{
    size_t place, last = 0;
    bool any = false;
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < ours->count; i++) {
        char const *name = name_of(ours->rules[i]);
        dt_json const *other = rule_named(theirs, name, &place);
        if (other == NULL) {
            report_difference(d, DT_DIFF_REMOVED, name, "", "", "");
            continue;
        }
        if (any && place < last)
            report_difference(d, DT_DIFF_ORDER, name, "", "", "");
        last = any && place < last ? last : place;
        any = true;
        rc = compare(d, name, ours->rules[i], other, e);
    }
    for (size_t i = 0; rc == DT_OK && i < theirs->count; i++)
        if (rule_named(ours, name_of(theirs->rules[i]), &place) == NULL)
            report_difference(d, DT_DIFF_ADDED, name_of(theirs->rules[i]), "", "", "");
    return rc;
}

/* --- the whole --------------------------------------------------------------------------------- */

static int diffing_begin(diffing *d, dt_error *e)
{
    d->a = calloc(1, sizeof(*d->a));
    d->b = calloc(1, sizeof(*d->b));
    if (d->a == NULL || d->b == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    dt_buf_init(&d->a->text, LAYOUT_TEXT_MAX);
    dt_buf_init(&d->b->text, LAYOUT_TEXT_MAX);
    return DT_OK;
}

static void diffing_end(diffing *d)
{
    if (d->a != NULL)
        dt_buf_free(&d->a->text);
    if (d->b != NULL)
        dt_buf_free(&d->b->text);
    free(d->a);
    free(d->b);
}

int dt_policy_diff(dt_json const *ours, dt_json const *theirs, dt_diff_fn *fn, void *ctx,
                   size_t *count, dt_error *e)
{
    diffing d = {.report_difference = fn, .ctx = ctx, .count = count};
    rule_list a = {.count = 0}, b = {.count = 0};
    int rc = diffing_begin(&d, e);

    *count = 0;
    if (rc == DT_OK)
        rc = rules_list(ours, &a, e);
    if (rc == DT_OK)
        rc = rules_list(theirs, &b, e);
    if (rc == DT_OK)
        rc = compare_rules(&d, &a, &b, e);
    free(a.rules);
    free(b.rules);
    diffing_end(&d);
    return rc;
}

static dt_json const *zone_of(dt_json const *zones, char const *name)
{
    for (size_t i = 0; i < dt_json_size(zones); i++)
        if (strcmp(name_of(dt_json_at(zones, i)), name) == 0)
            return dt_json_at(zones, i);
    return NULL;
}

static bool blocks(dt_json const *zone)
{
    return is_word(dt_json_get(zone, "usage"), "BLOCKLIST") &&
           is_word(dt_json_get(zone, "status"), "ACTIVE");
}

int dt_zones_diff(dt_json const *ours, dt_json const *theirs, dt_diff_fn *fn, void *ctx,
                  size_t *count, dt_error *e)
{
    diffing d = {.report_difference = fn, .ctx = ctx, .count = count, .zone = true};
    dt_json const *a = dt_json_get(ours, "zones"), *b = dt_json_get(theirs, "zones");
    int rc = diffing_begin(&d, e);

    for (size_t i = 0; rc == DT_OK && i < dt_json_size(b); i++) {
        dt_json const *zone = dt_json_at(b, i), *own = zone_of(a, name_of(zone));
        if (own == NULL)
            report_difference(&d, DT_DIFF_ADDED, name_of(zone), "", "", "");
        else
            rc = compare(&d, name_of(zone), own, zone, e);
    }
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(a); i++)
        if (blocks(dt_json_at(a, i)) && zone_of(b, name_of(dt_json_at(a, i))) == NULL)
            report_difference(&d, DT_DIFF_REMOVED, name_of(dt_json_at(a, i)), "", "", "");
    diffing_end(&d);
    return rc;
}
