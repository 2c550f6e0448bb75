/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When an Okta rule holds, in the words of our policies. Source: Okta management API reference, Policy:
 * AccessPolicyRuleConditions.
 *
 * Whatever cannot be said exactly is left away, so that the rule holds for more sign-ons ("the wide
 * form"), and noted as a doubt; okta_import.c decides whether that may be. */
#include "devtrustctl/policy/okta_import_internal.h"

#include <string.h>

#define PLATFORMS_MAX 64 /* members of one list of platforms that are looked at */
#define ALL_PLATFORMS (DT_PLATFORM_ANY_DESKTOP | DT_PLATFORM_ANY_MOBILE)

/* --- people ------------------------------------------------------------------------------------ */

static dt_import_name const *name_find(dt_import_name const *names, size_t count, char const *id)
{
    size_t low = 0, high = count;

    while (id != NULL && low < high) {
        size_t middle = low + (high - low) / 2;
        int c = strcmp(names[middle].id, id);
        if (c == 0)
            return &names[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

typedef struct people {
    dt_import_name const *names;
    size_t count;
    char const *what; /* "user", "group" */
    bool by_id;       /* they are what their id says; else what their name says */
} people;

/* Why somebody cannot be named; NULL when he can. A group's id always can, once it is known. */
static char const *unnamed(people const *p, dt_import_name const *n)
{
    char group[DT_GROUP_ID_MAX];

    if (n == NULL)
        return "is not known to the org, or not shown to the token";
    if (p->by_id)
        return dt_group_of_id(n->id, group) ? NULL : "has an id of another form";
    if (n->unstorable)
        return "has a name that a policy cannot contain";
    if (n->ambiguous)
        return "has the same name as another";
    /* A person or a group that is called so, not everybody who fits. */
    if (strpbrk(n->name, "*?") != NULL)
        return "has a name that would be a pattern here";
    return NULL;
}

/* Notes that a group shares its name: a reader of the org's console may mean the other. */
static void report_homonyms(dt_importing *m, people const *p, dt_import_name const *n)
{
    for (size_t i = 0; n->ambiguous && i < p->count; i++)
        if (&p->names[i] != n && dt_str_equal_nocase(p->names[i].name, n->name))
            dt_import_report(
                m, DT_IMPORT_KEPT,
                "group \"%.80s\" is %.64s; %.64s%s%.20s has the same name and is not meant",
                n->name, n->id, p->names[i].id, p->names[i].type != NULL ? ", " : "",
                p->names[i].type != NULL ? p->names[i].type : "");
}

/* Whether the list can be given by name, whole. */
static bool all_named(dt_importing *m, people const *p, dt_json const *list)
{
    bool all = true;

    if (dt_json_size(list) > DT_POLICY_LIST_MAX) {
        dt_import_doubt_add(m, "has more than %d members", DT_POLICY_LIST_MAX);
        return false;
    }
    for (size_t i = 0; i < dt_json_size(list); i++) {
        char const *id = dt_json_string(dt_json_at(list, i));
        dt_import_name const *n = name_find(p->names, p->count, id);
        char const *why = unnamed(p, n);
        size_t mark = dt_json_reader_enter_at(&m->r, i);
        if (why == NULL && p->by_id && m->aloud)
            report_homonyms(m, p, n);
        if (why != NULL)
            dt_import_doubt_add(m, "%s %.64s %s", p->what, id != NULL ? id : "", why);
        all = all && why == NULL;
        dt_json_reader_leave(&m->r, mark);
    }
    return all;
}

static bool has_everyone(people const *p, dt_json const *list)
{
    for (size_t i = 0; i < dt_json_size(list); i++) {
        dt_import_name const *n =
            name_find(p->names, p->count, dt_json_string(dt_json_at(list, i)));
        if (n != NULL && n->everyone)
            return true;
    }
    return false;
}

static bool any_named(people const *p, dt_json const *list)
{
    for (size_t i = 0; i < dt_json_size(list); i++)
        if (unnamed(p, name_find(p->names, p->count, dt_json_string(dt_json_at(list, i)))) == NULL)
            return true;
    return false;
}

/* A name that is there twice (an id given twice) is written once: ours refuses doubles. */
static bool named_before(dt_json const *list, size_t i)
{
    char const *id = dt_json_string(dt_json_at(list, i));

    for (size_t k = 0; k < i; k++) {
        char const *other = dt_json_string(dt_json_at(list, k));
        if (other != NULL && id != NULL && strcmp(other, id) == 0)
            return true;
    }
    return false;
}

/* The name is for people: where our files cannot hold it, it is left away. */
static void group_put(dt_import_name const *n, dt_buf *b)
{
    dt_buf_puts(b, "{\"id\":");
    dt_json_put_string(b, n->id);
    if (!n->unstorable) {
        dt_buf_puts(b, ",\"name\":");
        dt_json_put_string(b, n->name);
    }
    dt_buf_putc(b, '}');
}

/* Appends the names of those in the list that have one. */
static void names_put(people const *p, dt_json const *list, dt_buf *b)
{
    bool first = true;

    dt_buf_putc(b, '[');
    for (size_t i = 0; i < dt_json_size(list); i++) {
        dt_import_name const *n =
            name_find(p->names, p->count, dt_json_string(dt_json_at(list, i)));
        if (unnamed(p, n) != NULL || named_before(list, i))
            continue;
        dt_buf_puts(b, first ? "" : ",");
        if (p->by_id)
            group_put(n, b);
        else
            dt_json_put_string(b, n->name);
        first = false;
    }
    dt_buf_putc(b, ']');
}

/* Whether an include can be kept: it asks for somebody, and each of them has a name. */
static bool is_askable(people const *p, dt_json const *include)
{
    bool named = dt_json_size(include) > 0 && dt_json_size(include) <= DT_POLICY_LIST_MAX;

    for (size_t i = 0; named && i < dt_json_size(include); i++)
        named = unnamed(p, name_find(p->names, p->count, dt_json_string(dt_json_at(include, i)))) ==
                NULL;
    return named && !has_everyone(p, include);
}

/* One of users, groups: {"include","exclude"}. With one name missing the whole include goes: what is
 * left of it would hold for fewer. */
static void persons_put(dt_importing *m, people const *p, dt_json const *v, dt_json const *include,
                        bool keep_include, dt_buf *b)
{
    dt_json const *exclude = dt_import_given(v, "exclude");
    size_t begin = b->len, mark;

    dt_buf_putc(b, '{');
    if (dt_json_size(include) > 0 && !has_everyone(p, include)) {
        mark = dt_json_reader_enter(&m->r, "include");
        if (all_named(m, p, include) && keep_include) {
            dt_import_put_name(b, "include");
            names_put(p, include, b);
        }
        dt_json_reader_leave(&m->r, mark);
    }
    if (dt_json_size(exclude) > 0) {
        mark = dt_json_reader_enter(&m->r, "exclude");
        m->never = m->never || has_everyone(p, exclude);
        (void)all_named(m, p, exclude);
        if (any_named(p, exclude)) {
            dt_import_put_name(b, "exclude");
            names_put(p, exclude, b);
        }
        dt_json_reader_leave(&m->r, mark);
    }
    dt_buf_putc(b, '}');
    if (b->len - begin <= 2)
        dt_buf_truncate(b, begin);
}

static bool is_name_lists(dt_json const *v)
{
    static char const *const lists[] = {"include", "exclude"};

    if (v == NULL)
        return true;
    if (dt_json_typeof(v) != DT_JSON_OBJECT)
        return false;
    for (size_t i = 0; i < 2; i++) {
        dt_json const *list = dt_import_given(v, lists[i]);
        if (list != NULL && dt_json_typeof(list) != DT_JSON_ARRAY)
            return false;
    }
    return true;
}

static void both_parts_put(dt_importing *m, dt_json const *const parts[2],
                           dt_json const *const includes[2], people const of[2], bool const keep[2],
                           dt_buf *b)
{
    static char const *const names[] = {"users", "groups"};

    for (size_t i = 0; i < 2; i++) {
        size_t at = b->len, value, mark = dt_json_reader_enter(&m->r, names[i]);
        dt_import_put_name(b, names[i]);
        value = b->len;
        persons_put(m, &of[i], parts[i], includes[i], keep[i], b);
        if (b->len == value)
            dt_buf_truncate(b, at);
        dt_json_reader_leave(&m->r, mark);
    }
}

/* The groups that a policy of the org is for hold for each of its rules. Where the rule includes
 * somebody, too, both would have to hold, which ours cannot say. */
static void take_policy_groups(dt_importing *m, people const *groups, dt_json const *includes[2])
{
    dt_json const *own = m->policy_groups;

    if (dt_json_size(own) == 0 || has_everyone(groups, own))
        return;
    if (dt_json_size(includes[0]) + dt_json_size(includes[1]) > 0)
        dt_import_doubt_add(m, "the policy's own groups beside those of the rule");
    else
        includes[1] = own;
}

/* Where an include of users stands beside one of groups, no document says whether one is enough. Ours
 * takes either; when one has to go, the other goes with it, for alone it would hold for fewer. */
static void people_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    dt_json const *parts[2] = {dt_import_given(v, "users"), dt_import_given(v, "groups")};
    dt_json const *includes[2] = {dt_import_given(parts[0], "include"),
                                  dt_import_given(parts[1], "include")};
    people const of[2] = {{m->users, m->user_count, "user", false},
                          {m->groups, m->group_count, "group", true}};
    bool keep[2];
    size_t begin = b->len, value;

    if ((v != NULL && dt_json_typeof(v) != DT_JSON_OBJECT) || !is_name_lists(parts[0]) ||
        !is_name_lists(parts[1])) {
        dt_import_doubt_add(m, "people in a form that this version does not know");
        return;
    }
    take_policy_groups(m, &of[1], includes);
    keep[0] = is_askable(&of[0], includes[0]);
    keep[1] = is_askable(&of[1], includes[1]);
    if (dt_json_size(includes[0]) > 0 && dt_json_size(includes[1]) > 0) {
        dt_import_doubt_add(m, "it is unknown whether users and groups must both match");
        keep[0] = keep[1] = keep[0] && keep[1];
    }
    dt_import_put_name(b, "people");
    value = b->len;
    dt_buf_putc(b, '{');
    both_parts_put(m, parts, includes, of, keep, b);
    dt_buf_putc(b, '}');
    if (b->len - value <= 2)
        dt_buf_truncate(b, begin);
}

/* --- network ----------------------------------------------------------------------------------- */

/* Why a zone cannot be named in a rule; NULL when it can. */
static char const *zone_doubt(dt_import_zone const *z)
{
    if (z == NULL)
        return "is not known to the org";
    switch (z->state) {
    case DT_IMPORT_ZONE_USABLE:
        return NULL;
    case DT_IMPORT_ZONE_INACTIVE:
        return "is INACTIVE";
    case DT_IMPORT_ZONE_SKIPPED:
        return "is left out by --skip-zones";
    case DT_IMPORT_ZONE_UNUSABLE:
        break;
    }
    return z->why;
}

static void zone_put(dt_import_zone const *z, bool *first, dt_buf *b)
{
    dt_buf_puts(b, *first ? "" : ",");
    dt_json_put_string(b, z->name);
    *first = false;
}

/* ALL_ZONES becomes the list of them, since the zones file may hold others of the administrator. */
static void all_zones_put(dt_importing *m, bool *whole, dt_buf *b)
{
    bool first = true;

    for (size_t i = 0; i < m->zone_count; i++) {
        dt_import_zone *z = &m->zones[i];
        char const *why = zone_doubt(z);
        if (z->blocks || z->state == DT_IMPORT_ZONE_INACTIVE)
            continue;
        if (why != NULL) {
            dt_import_doubt_add(m, "ALL_ZONES: zone \"%.80s\" %s", z->name, why);
            *whole = false;
            continue;
        }
        zone_put(z, &first, b);
    }
}

static bool listed_before(dt_json const *list, size_t i, char const *id)
{
    for (size_t k = 0; k < i; k++)
        if (dt_json_string(dt_json_at(list, k)) != NULL &&
            strcmp(dt_json_string(dt_json_at(list, k)), id) == 0)
            return true;
    return false;
}

/* Appends [names]; *whole is false when one is missing. */
static void zones_list_put(dt_importing *m, dt_json const *list, bool *whole, dt_buf *b)
{
    bool first = true;

    dt_buf_putc(b, '[');
    for (size_t i = 0; i < dt_json_size(list); i++) {
        char const *id = dt_json_string(dt_json_at(list, i));
        dt_import_zone *z = id == NULL ? NULL : dt_import_zone_find(m, id);
        char const *why = zone_doubt(z);
        size_t mark = dt_json_reader_enter_at(&m->r, i);
        if (id != NULL && strcmp(id, "ALL_ZONES") == 0 && dt_json_size(list) == 1)
            all_zones_put(m, whole, b);
        else if (z != NULL && z->blocks && z->state == DT_IMPORT_ZONE_USABLE)
            ; /* who comes from there is denied before any rule */
        else if (why != NULL) {
            dt_import_doubt_add(m, "zone \"%.80s\" %s",
                                z != NULL    ? z->name
                                : id != NULL ? id
                                             : "",
                                why);
            *whole = false;
        } else if (!listed_before(list, i, id))
            zone_put(z, &first, b);
        dt_json_reader_leave(&m->r, mark);
    }
    dt_buf_putc(b, ']');
}

/* True when something was written. */
static bool zones_member_put(dt_importing *m, dt_json const *v, char const *member, bool must_whole,
                             dt_buf *b)
{
    dt_json const *list = dt_import_given(v, member);
    size_t begin = b->len, mark;
    bool whole = true;

    if (list == NULL || (dt_json_typeof(list) == DT_JSON_ARRAY && dt_json_size(list) == 0))
        return false;
    mark = dt_json_reader_enter(&m->r, member);
    dt_import_put_name(b, member);
    if (dt_json_typeof(list) != DT_JSON_ARRAY || dt_json_size(list) > DT_OKTA_ZONES_MAX) {
        dt_import_doubt_add(m, "zones in a form that this version does not know");
        whole = false;
    } else
        zones_list_put(m, list, &whole, b);
    dt_json_reader_leave(&m->r, mark);
    /* An empty list of ours would mean something else. */
    if ((!whole && must_whole) || dt_json_typeof(list) != DT_JSON_ARRAY ||
        (b->len >= 2 && b->p[b->len - 2] == '[')) {
        if (whole && must_whole)
            m->never = true; /* in ALL_ZONES, and there is none */
        dt_buf_truncate(b, begin);
        return false;
    }
    return true;
}

static void network_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    dt_json const *connection = dt_import_given(v, "connection");
    size_t begin = b->len;
    bool any = false;

    if (dt_import_is(connection, "ANYWHERE"))
        return;
    if (connection != NULL && !dt_import_is(connection, "ZONE")) {
        dt_import_doubt_add(m, "a connection that this version does not know");
        return;
    }
    if (dt_json_size(dt_import_given(v, "include")) + dt_json_size(dt_import_given(v, "exclude")) ==
        0) {
        if (connection != NULL)
            dt_import_doubt_add(m, "ZONE, and no zone is named");
        return;
    }
    dt_import_put_name(b, "network");
    dt_buf_puts(b, "{\"connection\":\"ZONE\"");
    any = zones_member_put(m, v, "include", true, b);
    any = zones_member_put(m, v, "exclude", false, b) || any;
    dt_buf_putc(b, '}');
    if (!any)
        dt_buf_truncate(b, begin);
}

/* --- platform ---------------------------------------------------------------------------------- */

typedef struct platform_word {
    char const *word;
    unsigned bits;
} platform_word;

static platform_word const type_words[] = {{"ANY", ALL_PLATFORMS},
                                           {"DESKTOP", DT_PLATFORM_ANY_DESKTOP},
                                           {"MOBILE", DT_PLATFORM_ANY_MOBILE},
                                           {"OTHER", DT_PLATFORM_OTHER_OF_OKTA},
                                           {NULL, 0}};
/* OSX is MACOS in old orgs. OTHER of a desktop is shown as "Other desktop (such as Linux)". */
static platform_word const os_words[] = {{"ANY", ALL_PLATFORMS},
                                         {"WINDOWS", DT_PLATFORM_WINDOWS},
                                         {"MACOS", DT_PLATFORM_MACOS},
                                         {"OSX", DT_PLATFORM_MACOS},
                                         {"LINUX", DT_PLATFORM_LINUX},
                                         {"CHROMEOS", DT_PLATFORM_CHROMEOS},
                                         {"IOS", DT_PLATFORM_IOS},
                                         {"ANDROID", DT_PLATFORM_ANDROID},
                                         {"OTHER", DT_PLATFORM_OTHER_OF_OKTA},
                                         {NULL, 0}};

/* Everything when nothing is said; 0 for a word that is not known. */
static unsigned word_bits(platform_word const *words, dt_json const *v)
{
    if (v == NULL)
        return ALL_PLATFORMS;
    for (platform_word const *w = words; w->word != NULL; w++)
        if (dt_import_is(v, w->word))
            return w->bits;
    return 0;
}

/* The platforms of one element; *exact is false when it asks for more than that. */
static unsigned platform_bits(dt_json const *v, bool *exact)
{
    dt_json const *os = dt_import_given(v, "os");
    dt_json const *expression = dt_import_given(os, "expression");
    unsigned bits = word_bits(type_words, dt_import_given(v, "type")) &
                    word_bits(os_words, dt_import_given(os, "type"));

    *exact = dt_json_typeof(v) == DT_JSON_OBJECT && bits != 0 &&
             (expression == NULL || dt_import_is(expression, "")) &&
             dt_json_size(dt_import_given(os, "version")) == 0;
    return bits;
}

/* The wide form: what may be included is, what may not be excluded is not. */
static unsigned platforms_bits(dt_importing *m, dt_json const *v, char const *member, bool exclude)
{
    dt_json const *list = dt_import_given(v, member);
    size_t mark = dt_json_reader_enter(&m->r, member);
    unsigned bits = 0;

    if (list != NULL &&
        (dt_json_typeof(list) != DT_JSON_ARRAY || dt_json_size(list) > PLATFORMS_MAX)) {
        dt_import_doubt_add(m, "platforms in a form that this version does not know");
        dt_json_reader_leave(&m->r, mark);
        return exclude ? 0 : ALL_PLATFORMS;
    }
    for (size_t i = 0; i < dt_json_size(list); i++) {
        size_t element = dt_json_reader_enter_at(&m->r, i);
        bool exact = false;
        unsigned one = platform_bits(dt_json_at(list, i), &exact);
        if (!exact)
            dt_import_doubt_add(m, "an expression, a version or a platform that is not known");
        if (exact || !exclude)
            bits |= one != 0 ? one : ALL_PLATFORMS;
        dt_json_reader_leave(&m->r, element);
    }
    dt_json_reader_leave(&m->r, mark);
    return bits;
}

unsigned dt_okta_platform_bits(dt_json const *platform)
{
    unsigned bits[2] = {0, 0};
    static char const *const members[] = {"include", "exclude"};

    for (size_t k = 0; k < 2; k++) {
        dt_json const *list = dt_import_given(platform, members[k]);
        for (size_t i = 0; i < dt_json_size(list); i++) {
            bool exact = false;
            unsigned one = platform_bits(dt_json_at(list, i), &exact);
            if (exact || k == 0)
                bits[k] |= one;
        }
    }
    return (bits[0] == 0 ? ALL_PLATFORMS : bits[0]) & ~bits[1];
}

static void platforms_put(unsigned bits, dt_buf *b)
{
    static struct {
        unsigned bits;
        char const *text;
    } const words[] = {
        {DT_PLATFORM_ANY_DESKTOP, "{\"type\":\"DESKTOP\",\"os\":{\"type\":\"ANY\"}}"},
        {DT_PLATFORM_ANY_MOBILE, "{\"type\":\"MOBILE\",\"os\":{\"type\":\"ANY\"}}"},
        {DT_PLATFORM_WINDOWS, "{\"type\":\"DESKTOP\",\"os\":{\"type\":\"WINDOWS\"}}"},
        {DT_PLATFORM_MACOS, "{\"type\":\"DESKTOP\",\"os\":{\"type\":\"MACOS\"}}"},
        {DT_PLATFORM_LINUX, "{\"type\":\"DESKTOP\",\"os\":{\"type\":\"LINUX\"}}"},
        {DT_PLATFORM_CHROMEOS, "{\"type\":\"DESKTOP\",\"os\":{\"type\":\"CHROMEOS\"}}"},
        {DT_PLATFORM_OTHER_DESKTOP, "{\"type\":\"DESKTOP\",\"os\":{\"type\":\"OTHER\"}}"},
        {DT_PLATFORM_IOS, "{\"type\":\"MOBILE\",\"os\":{\"type\":\"IOS\"}}"},
        {DT_PLATFORM_ANDROID, "{\"type\":\"MOBILE\",\"os\":{\"type\":\"ANDROID\"}}"},
        {DT_PLATFORM_OTHER_MOBILE, "{\"type\":\"MOBILE\",\"os\":{\"type\":\"OTHER\"}}"},
    };
    bool first = true;
    bool no_linux = (bits & DT_PLATFORM_OTHER_DESKTOP) != 0 && (bits & DT_PLATFORM_LINUX) == 0;

    dt_import_put_name(b, "platform");
    dt_buf_puts(b, "{\"include\":[");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if ((bits & words[i].bits) != words[i].bits)
            continue;
        dt_buf_puts(b, first ? "" : ",");
        dt_buf_puts(b, words[i].text);
        bits &= ~words[i].bits;
        first = false;
    }
    dt_buf_puts(b, "]");
    /* OTHER of a desktop names Linux, too. */
    if (no_linux)
        dt_buf_puts(b, ",\"exclude\":[{\"type\":\"DESKTOP\",\"os\":{\"type\":\"LINUX\"}}]");
    dt_buf_puts(b, "}");
}

static void platform_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    unsigned include, exclude;

    if (dt_json_typeof(v) != DT_JSON_OBJECT) {
        dt_import_doubt_add(m, "a platform in a form that this version does not know");
        return;
    }
    include = platforms_bits(m, v, "include", false);
    exclude = platforms_bits(m, v, "exclude", true);
    include = (include == 0 ? ALL_PLATFORMS : include) & ~exclude;
    if (include == 0)
        m->never = true;
    else if (include != ALL_PLATFORMS)
        platforms_put(include, b);
}

/* --- device ------------------------------------------------------------------------------------ */

typedef struct device_words {
    bool registered, not_registered, managed, not_managed, odd;
} device_words;

static device_words device_read(dt_json const *v)
{
    static struct {
        char const *name;
        int is_assurance;
    } const known[] = {{"registered", 0}, {"managed", 0}, {"assurance", 1}};
    dt_json const *registered = dt_import_given(v, "registered");
    dt_json const *managed = dt_import_given(v, "managed");
    device_words w = {.odd = v != NULL && dt_json_typeof(v) != DT_JSON_OBJECT};
    bool is = false;

    if (dt_json_bool(registered, &is))
        *(is ? &w.registered : &w.not_registered) = true;
    else
        w.odd = w.odd || registered != NULL;
    if (dt_json_bool(managed, &is))
        *(is ? &w.managed : &w.not_managed) = true;
    else
        w.odd = w.odd || managed != NULL;
    for (size_t i = 0; i < dt_json_size(v); i++) {
        char const *name = NULL;
        dt_json const *member = dt_json_member(v, i, &name);
        bool is_known = dt_json_typeof(member) == DT_JSON_NULL;
        for (size_t k = 0; !is_known && k < sizeof(known) / sizeof(known[0]); k++)
            is_known = strcmp(known[k].name, name) == 0;
        w.odd = w.odd || !is_known;
    }
    return w;
}

static dt_import_device device_of(device_words const *w)
{
    if (w->managed)
        return DT_IMPORT_DEVICE_TRUSTED;
    return w->not_managed || w->not_registered ? DT_IMPORT_DEVICE_NOT_TRUSTED
                                               : DT_IMPORT_DEVICE_ANY;
}

static bool is_assured(dt_json const *device)
{
    return dt_json_size(dt_json_path(device, "assurance", "include", NULL)) > 0;
}

/* "managed" without "registered" is not documented: it may mean either. */
dt_import_states dt_import_states_of(dt_json const *v)
{
    device_words w = device_read(v);
    dt_import_states s = {DT_IMPORT_STATES, DT_IMPORT_STATES};

    if (w.managed)
        s.may = s.must = DT_IMPORT_MANAGED;
    else if (w.not_managed && w.registered)
        s.may = s.must = DT_IMPORT_REGISTERED;
    else if (w.not_registered)
        s.may = s.must = DT_IMPORT_UNREGISTERED;
    else if (w.not_managed)
        s = (dt_import_states){DT_IMPORT_REGISTERED | DT_IMPORT_UNREGISTERED, DT_IMPORT_REGISTERED};
    else if (w.registered)
        s.may = s.must = DT_IMPORT_MANAGED | DT_IMPORT_REGISTERED;
    if (w.odd || is_assured(v) || (w.managed && w.not_registered))
        s.must = 0;
    return s;
}

/* What Okta calls managed is what we call trusted. */
static void device_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    device_words w = device_read(v);
    dt_import_device device = device_of(&w);
    size_t before = m->doubt_count;

    m->wide = device == DT_IMPORT_DEVICE_ANY       ? DT_IMPORT_STATES
              : device == DT_IMPORT_DEVICE_TRUSTED ? DT_IMPORT_MANAGED
                                                   : DT_IMPORT_REGISTERED | DT_IMPORT_UNREGISTERED;
    if (w.odd || (w.managed && w.not_registered))
        dt_import_doubt_add(m, "a device state that this version does not know");
    if (is_assured(v))
        dt_import_doubt_add(m, "no source of evidence here reports device assurance");
    before = m->doubt_count - before;
    if (w.not_managed && !w.not_registered)
        dt_import_doubt_add(m, "registered and not managed becomes NOT_TRUSTED, which also matches "
                               "a device that is not registered");
    if (w.not_registered && !w.managed)
        dt_import_doubt_add(m, "not registered becomes NOT_TRUSTED, which also matches a device "
                               "that is registered and not managed");
    if (w.registered && device == DT_IMPORT_DEVICE_ANY) {
        dt_import_doubt_add(m, "whether a device is only registered is not known here");
        m->narrows = true;
        device = m->narrow ? DT_IMPORT_DEVICE_TRUSTED : DT_IMPORT_DEVICE_ANY;
    }
    m->state_doubt = before == 0 && m->wide != dt_import_states_of(v).must;
    if (device == DT_IMPORT_DEVICE_ANY)
        return;
    dt_import_put_name(b, "device");
    dt_buf_puts(b, device == DT_IMPORT_DEVICE_TRUSTED ? "{\"trust\":\"TRUSTED\"}"
                                                      : "{\"trust\":\"NOT_TRUSTED\"}");
}

/* --- what only Okta can evaluate --------------------------------------------------------------- */

/* True when an object says nothing but that its one member is `nothing`. */
static bool says_nothing(dt_json const *v, char const *member, char const *nothing)
{
    dt_json const *word = dt_import_given(v, member);

    for (size_t i = 0; i < dt_json_size(v); i++) {
        char const *name = NULL;
        dt_json const *other = dt_json_member(v, i, &name);
        if (name == NULL || (strcmp(name, member) != 0 && dt_json_typeof(other) != DT_JSON_NULL))
            return false;
    }
    return dt_json_typeof(v) == DT_JSON_OBJECT && (word == NULL || dt_import_is(word, nothing));
}

static void risk_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    (void)b;
    if (!says_nothing(v, "level", "ANY"))
        dt_import_doubt_add(m, "Okta's risk score is not known here");
}

static void user_type_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    (void)b;
    if (dt_json_typeof(v) != DT_JSON_OBJECT || dt_json_size(dt_import_given(v, "include")) > 0 ||
        dt_json_size(dt_import_given(v, "exclude")) > 0)
        dt_import_doubt_add(m, "Okta's user type is not known here");
}

static void expression_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    (void)b;
    if (!says_nothing(v, "condition", ""))
        dt_import_doubt_add(m, "an expression of Okta's language is not evaluated here");
}

/* --- the whole --------------------------------------------------------------------------------- */

/* {"authType"}: what devtrust guards is RADIUS to Okta. */
static void auth_context_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    dt_json const *type = dt_import_given(v, "authType");

    (void)b;
    if (dt_import_is(type, "LDAP_INTERFACE"))
        m->never = true;
    else if (type != NULL && !dt_import_is(type, "ANY") && !dt_import_is(type, "RADIUS"))
        dt_import_doubt_add(m, "an authentication context that this version does not know");
}

static void provider_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    (void)b;
    if (!dt_import_is(dt_import_given(v, "provider"), "ANY"))
        dt_import_doubt_add(m, "which identity provider people come from is not known here");
}

static void behaviors_put(dt_importing *m, dt_json const *v, dt_buf *b)
{
    (void)b;
    if (dt_json_typeof(v) != DT_JSON_OBJECT || dt_json_size(dt_import_given(v, "behaviors")) > 0)
        dt_import_doubt_add(m, "behaviours are not known here");
}

typedef struct condition {
    char const *name;
    void (*put)(dt_importing *m, dt_json const *v, dt_buf *b);
} condition;

static condition const app_conditions[] = {
    {"people", people_put},          {"network", network_put},
    {"platform", platform_put},      {"device", device_put},
    {"riskScore", risk_put},         {"userType", user_type_put},
    {"elCondition", expression_put}, {NULL, NULL},
};
static condition const org_conditions[] = {
    {"people", people_put},
    {"network", network_put},
    {"riskScore", risk_put},
    {"authContext", auth_context_put},
    {"risk", behaviors_put},
    {"identityProvider", provider_put},
    {NULL, NULL},
};

static void condition_put(dt_importing *m, char const *name, dt_json const *v, bool aloud,
                          dt_buf *b)
{
    size_t mark = dt_json_reader_enter(&m->r, name), doubts = m->doubt_count, begin = b->len;
    condition const *c = m->org ? org_conditions : app_conditions;

    while (c->name != NULL && strcmp(c->name, name) != 0)
        c++;
    if (c->name != NULL)
        c->put(m, v, b);
    else
        dt_import_doubt_add(m, "a condition that this version does not know");
    if (aloud && m->doubt_count == doubts && b->len > begin)
        dt_import_report(m, DT_IMPORT_KEPT, "has the same effect here");
    dt_json_reader_leave(&m->r, mark);
}

void dt_import_conditions_put(dt_importing *m, dt_json const *rule, bool aloud, dt_buf *b)
{
    dt_json const *v = dt_import_given(rule, "conditions");
    size_t begin = b->len, mark = dt_json_reader_enter(&m->r, "conditions");

    m->doubt_count = 0;
    m->never = false;
    m->narrows = false;
    m->state_doubt = false;
    m->aloud = aloud;
    m->wide = DT_IMPORT_STATES;
    dt_buf_putc(b, '{');
    if (v != NULL && dt_json_typeof(v) != DT_JSON_OBJECT)
        dt_import_doubt_add(m, "conditions in a form that this version does not know");
    for (size_t i = 0; i < dt_json_size(v); i++) {
        char const *name = NULL;
        dt_json const *member = dt_json_member(v, i, &name);
        if (dt_json_typeof(v) == DT_JSON_OBJECT && dt_json_typeof(member) != DT_JSON_NULL)
            condition_put(m, name, member, aloud, b);
    }
    if (dt_json_size(m->policy_groups) > 0 && dt_import_given(v, "people") == NULL)
        condition_put(m, "people", NULL, aloud, b);
    dt_buf_putc(b, '}');
    if (b->len - begin <= 2) {
        dt_buf_truncate(b, begin);
        dt_buf_puts(b, "null");
    }
    dt_json_reader_leave(&m->r, mark);
}
