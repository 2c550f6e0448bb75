/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An Okta policy as ours: which one, its rules in order, and which of them may be taken in another
 * form. */
#include "devtrustctl/policy/okta_import_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CATCH_ALL_NAME "Catch-all"
#define ORG_NAME "The org's own sign-on rules"
#define NAME_TRIES 10000 /* numbers after a name that is there already */
#define NUMBER_MAX 8     /* " (9999)" */

char const *dt_import_kind_name(dt_import_kind k)
{
    static char const *const names[DT_IMPORT_KINDS] = {"refused", "changed", "left-out", "kept"};

    return (size_t)k < DT_IMPORT_KINDS ? names[k] : names[0];
}

/* --- what the parts share ---------------------------------------------------------------------- */

dt_json const *dt_import_given(dt_json const *v, char const *name)
{
    dt_json const *member = dt_json_get(v, name);

    return dt_json_typeof(member) == DT_JSON_NULL ? NULL : member;
}

bool dt_import_is(dt_json const *v, char const *word)
{
    char const *s = dt_json_string(v);

    return s != NULL && dt_str_equal_nocase(s, word);
}

void dt_import_put_name(dt_buf *b, char const *name)
{
    if (b->len > 0 && b->p[b->len - 1] != '{')
        dt_buf_putc(b, ',');
    dt_json_put_string(b, name);
    dt_buf_putc(b, ':');
}

static void report_at(dt_importing *m, dt_import_kind kind, char const *pointer, char const *text)
{
    dt_import_note note = {kind, m->rule, pointer, text};

    if (m->muted)
        return;
    m->counts->of[kind]++;
    if (m->o->report != NULL)
        m->o->report(m->o->ctx, &note);
}

void dt_import_report(dt_importing *m, dt_import_kind kind, char const *fmt, ...)
{
    char text[DT_IMPORT_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    report_at(m, kind, m->r.pointer, text);
}

void dt_import_doubt_add(dt_importing *m, char const *fmt, ...)
{
    dt_import_doubt *d;
    va_list args;

    /* Past the limit the last one is noted: that there are doubts is what counts. */
    if (m->doubt_count == DT_IMPORT_DOUBTS_MAX)
        m->doubt_count--;
    d = &m->doubts[m->doubt_count++];
    (void)snprintf(d->pointer, sizeof(d->pointer), "%s", m->r.pointer);
    va_start(args, fmt);
    (void)vsnprintf(d->text, sizeof(d->text), fmt, args);
    va_end(args);
}

/* --- the document ------------------------------------------------------------------------------ */

static bool is_text(dt_json const *v, char const *wanted)
{
    char const *s = dt_json_string(v);

    return s != NULL && strcmp(s, wanted) == 0;
}

/* Whether the entry's policy is mapped to an app: its mappings link to /api/v1/apps/{id}. */
static bool is_mapped(dt_json const *entry, char const *app)
{
    dt_json const *mappings = dt_import_given(entry, "mappings");

    for (size_t i = 0; i < dt_json_size(mappings); i++) {
        char const *href = dt_json_string(
            dt_json_path(dt_json_at(mappings, i), "_links", "application", "href", NULL));
        char const *last = href == NULL ? NULL : strrchr(href, '/');
        if (last != NULL && strcmp(last + 1, app) == 0)
            return true;
    }
    return false;
}

static bool is_chosen(dt_json const *entry, char const *policy, char const *app)
{
    dt_json const *p = dt_import_given(entry, "policy");

    if (!dt_import_is(dt_import_given(p, "type"), "ACCESS_POLICY"))
        return false;
    if (policy != NULL)
        return is_text(dt_import_given(p, "id"), policy) ||
               is_text(dt_import_given(p, "name"), policy);
    return app == NULL || is_mapped(entry, app);
}

static int no_choice(dt_json const *policies, size_t found, dt_error *e)
{
    char names[DT_IMPORT_TEXT_MAX], shown[DT_POLICY_NAME_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, names, sizeof(names));
    for (size_t i = 0; i < dt_json_size(policies); i++) {
        dt_json const *p = dt_import_given(dt_json_at(policies, i), "policy");
        char const *name = dt_json_string(dt_import_given(p, "name"));
        if (!dt_import_is(dt_import_given(p, "type"), "ACCESS_POLICY"))
            continue;
        dt_buf_puts(&b, b.len > 0 ? ", " : "");
        dt_buf_puts(&b, dt_str_escape(shown, sizeof(shown), name != NULL ? name : ""));
    }
    return dt_error_set(e, DT_E_NOT_FOUND, "%s ACCESS_POLICY matches; policies: %s",
                        found == 0 ? "no" : "more than one", names);
}

static int document_check(dt_json const *document, dt_error *e)
{
    dt_json const *policies = dt_import_given(document, "policies");

    if (is_text(dt_json_get(document, "format"), DT_OKTA_DOCUMENT_FORMAT) &&
        dt_json_typeof(policies) == DT_JSON_ARRAY && dt_json_size(policies) <= DT_OKTA_POLICIES_MAX)
        return DT_OK;
    return dt_error_set(
        e, DT_E_INVALID,
        "not a document that devtrustctl policy fetch has written (format " DT_OKTA_DOCUMENT_FORMAT
        ")");
}

int dt_okta_document_policy(dt_json const *document, char const *policy, char const *app,
                            dt_json const **entry, size_t *index, dt_error *e)
{
    dt_json const *policies = dt_import_given(document, "policies");
    size_t found = 0;

    *entry = NULL;
    if (document_check(document, e) != DT_OK)
        return DT_E_INVALID;
    for (size_t i = 0; i < dt_json_size(policies); i++) {
        if (!is_chosen(dt_json_at(policies, i), policy, app))
            continue;
        found++;
        *entry = dt_json_at(policies, i);
        if (index != NULL)
            *index = i;
    }
    if (found == 1)
        return DT_OK;
    *entry = NULL;
    return no_choice(policies, found, e);
}

/* --- names of groups and users ----------------------------------------------------------------- */

static int compare_ids(void const *a, void const *b)
{
    return strcmp(((dt_import_name const *)a)->id, ((dt_import_name const *)b)->id);
}

static int compare_names(void const *a, void const *b)
{
    dt_import_name const *x = *(dt_import_name *const *)a, *y = *(dt_import_name *const *)b;

    return strcasecmp(x->name, y->name);
}

/* Two ids under one name cannot be distinguished by it. */
static int mark_ambiguous(dt_importing *m, dt_import_name *names, size_t count)
{
    dt_import_name **by_name = calloc(count + 1, sizeof(*by_name));

    if (by_name == NULL)
        return dt_json_reader_nomem(&m->r);
    for (size_t i = 0; i < count; i++)
        by_name[i] = &names[i];
    qsort(by_name, count, sizeof(*by_name), compare_names);
    for (size_t i = 1; i < count; i++)
        if (compare_names(&by_name[i - 1], &by_name[i]) == 0)
            by_name[i - 1]->ambiguous = by_name[i]->ambiguous = true;
    free(by_name);
    return DT_OK;
}

/* A name that our files can hold as it is; others are as good as none. */
static bool is_storable(char const *s)
{
    size_t len = s == NULL ? 0 : strlen(s);

    if (len == 0 || len >= DT_GROUP_NAME_MAX || s[0] == ' ' || s[len - 1] == ' ')
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return true;
}

static int names_read(dt_importing *m, dt_json const *list, char const *member, char const *label,
                      dt_import_name **out, size_t *count)
{
    size_t mark = dt_json_reader_enter(&m->r, member);
    int rc = list == NULL ? DT_OK : dt_json_reader_array(&m->r, list, 0, DT_OKTA_NAMES_MAX);

    if (rc == DT_OK) {
        *out = calloc(dt_json_size(list) + 1, sizeof(**out));
        rc = *out == NULL ? dt_json_reader_nomem(&m->r) : DT_OK;
    }
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++) {
        dt_json const *v = dt_json_at(list, i);
        char const *id = dt_json_string(dt_import_given(v, "id"));
        char const *name = dt_json_string(dt_json_path(v, "profile", label, NULL));
        if (id == NULL || name == NULL)
            continue;
        (*out)[(*count)++] =
            (dt_import_name){.id = id,
                             .name = name,
                             .everyone = strcmp(name, "Everyone") == 0 &&
                                         dt_import_is(dt_import_given(v, "type"), "BUILT_IN"),
                             .unstorable = !is_storable(name),
                             .type = dt_json_string(dt_import_given(v, "type"))};
    }
    if (rc == DT_OK)
        qsort(*out, *count, sizeof(**out), compare_ids);
    if (rc == DT_OK)
        rc = mark_ambiguous(m, *out, *count);
    dt_json_reader_leave(&m->r, mark);
    return rc;
}

/* --- rules: names and order -------------------------------------------------------------------- */

static bool is_taken(dt_importing const *m, char const *name, size_t before)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(m->rules[i].name, name) == 0)
            return true;
    return false;
}

/* Copies what our files may hold of a name, cut at a character. Returns whether it is the same. */
static bool name_clean(char const *s, size_t max, char *out)
{
    size_t n = 0, len = strlen(s);

    while (*s == ' ')
        s++;
    for (; n < max && s[n] != '\0'; n++)
        out[n] = (unsigned char)s[n] < 0x20 || s[n] == 0x7f ? ' ' : s[n];
    while (n > 0 && s[n] != '\0' && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
    return n == len && strcmp(s, out) == 0;
}

/* Gives a rule a name that is its own among the first `before` rules. */
static void name_set(dt_importing *m, char const *name, size_t before, char out[DT_POLICY_NAME_MAX])
{
    char base[DT_POLICY_NAME_MAX];
    bool same = name_clean(name != NULL ? name : "", sizeof(base) - 1, base);

    if (base[0] == '\0')
        (void)snprintf(base, sizeof(base), "Rule");
    memcpy(out, base, sizeof(base));
    for (unsigned i = 2; i < NAME_TRIES && is_taken(m, out, before); i++) {
        dt_buf b;
        same = false;
        (void)name_clean(base, DT_POLICY_NAME_MAX - 1 - NUMBER_MAX, out);
        dt_buf_init_fixed(&b, out + strlen(out), NUMBER_MAX + 1);
        dt_buf_printf(&b, " (%u)", i);
    }
    m->rule = out;
    if (!same && name != NULL)
        dt_import_report(m, DT_IMPORT_CHANGED, "the rule has another name here");
}

/* False when the rule takes no part. */
static bool rule_counts(dt_importing *m, dt_json const *v)
{
    dt_json const *type = dt_import_given(v, "type");
    dt_json const *status = dt_import_given(v, "status");
    char const *name = dt_json_string(dt_import_given(v, "name"));

    m->rule = name != NULL ? name : "";
    if (type == NULL) /* where a published example has it */
        type = dt_json_path(v, "actions", "type", NULL);
    if (dt_import_is(status, "INACTIVE")) {
        dt_import_report(m, DT_IMPORT_LEFT_OUT, "the rule is INACTIVE");
        return false;
    }
    if (!dt_import_is(status, "ACTIVE") ||
        !dt_import_is(type, m->org ? "SIGN_ON" : "ACCESS_POLICY")) {
        dt_import_report(m, DT_IMPORT_REFUSED, "not an ACTIVE or INACTIVE rule of an %s",
                         m->org ? "OKTA_SIGN_ON policy" : "ACCESS_POLICY");
        return false;
    }
    return true;
}

static int compare_rules(void const *a, void const *b)
{
    dt_import_rule const *x = a, *y = b;

    if (x->policy_system != y->policy_system)
        return x->policy_system ? 1 : -1;
    if (x->policy_priority != y->policy_priority)
        return x->policy_priority < y->policy_priority ? -1 : 1;
    if (x->policy != y->policy)
        return x->policy < y->policy ? -1 : 1;
    if (x->system != y->system)
        return x->system ? 1 : -1;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static size_t rule_enter(dt_importing *m, dt_import_rule const *rule)
{
    size_t mark = dt_json_reader_enter(&m->r, "policies");

    (void)dt_json_reader_enter_at(&m->r, rule->policy);
    (void)dt_json_reader_enter(&m->r, "rules");
    (void)dt_json_reader_enter_at(&m->r, rule->index);
    return mark;
}

static bool order_is_certain(dt_import_rule const *x, dt_import_rule const *y)
{
    if (x->policy != y->policy)
        return x->policy_system != y->policy_system ||
               (!x->policy_system && x->policy_priority != y->policy_priority);
    return x->system != y->system || (!x->system && x->priority != y->priority);
}

/* The org's own catch-all is last whatever its number says: an org may have more than 99 rules. */
static void rules_order(dt_importing *m)
{
    qsort(m->rules, m->rule_count, sizeof(*m->rules), compare_rules);
    for (size_t i = 1; i < m->rule_count; i++) {
        dt_import_rule const *x = &m->rules[i - 1], *y = &m->rules[i];
        size_t mark = rule_enter(m, y);
        char const *name = dt_json_string(dt_import_given(y->json, "name"));
        m->rule = name != NULL ? name : "";
        if (!order_is_certain(x, y))
            dt_import_report(m, DT_IMPORT_REFUSED, "it is unknown whether rule %zu comes before it",
                             x->index);
        dt_json_reader_leave(&m->r, mark);
    }
}

static int rules_grow(dt_importing *m, size_t more)
{
    dt_import_rule *grown;

    if (m->rule_count + more > DT_OKTA_RULES_MAX)
        return dt_json_reader_fail(&m->r, "more than %d rules", DT_OKTA_RULES_MAX);
    grown = realloc(m->rules, (m->rule_count + more + 1) * sizeof(*grown));
    if (grown == NULL)
        return dt_json_reader_nomem(&m->r);
    m->rules = grown;
    return DT_OK;
}

/* Adds the ACTIVE rules of one policy; `like` has what they share. */
static int rules_read(dt_importing *m, dt_json const *rules, dt_import_rule const *like)
{
    int rc = dt_json_reader_array(&m->r, rules, 0, DT_OKTA_RULES_MAX);

    if (rc == DT_OK)
        rc = rules_grow(m, dt_json_size(rules));
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(rules); i++) {
        dt_json const *v = dt_json_at(rules, i);
        dt_import_rule *rule = &m->rules[m->rule_count];
        size_t mark = dt_json_reader_enter_at(&m->r, i);
        if (rule_counts(m, v)) {
            *rule = *like;
            rule->json = v;
            rule->index = i;
            (void)dt_json_bool(dt_json_get(v, "system"), &rule->system);
            if (!dt_json_integer(dt_json_get(v, "priority"), &rule->priority) && !rule->system)
                dt_import_report(m, DT_IMPORT_REFUSED, "the rule has no priority");
            m->rule_count++;
        }
        dt_json_reader_leave(&m->r, mark);
    }
    return rc;
}

static void action_read(dt_importing *m, dt_json const *rule, dt_import_action *out)
{
    (m->org ? dt_import_signon_read : dt_import_action_read)(m, rule, out);
}

/* Whether a rule asks for nothing but maybe the device's state: read as it will be written, and not
 * told of. */
static bool is_for_all(dt_importing *m, dt_import_rule const *rule)
{
    static char const device[] = "{\"device\":";
    dt_buf b;
    bool all;

    dt_buf_init(&b, DT_POLICY_TEXT_MAX);
    m->policy_groups = rule->groups;
    m->narrow = false;
    dt_import_conditions_put(m, rule->json, false, &b);
    all = dt_bytes_equal(dt_buf_bytes(&b), dt_bytes_str("null")) ||
          (b.len > sizeof(device) && memcmp(b.p, device, sizeof(device) - 1) == 0 &&
           memchr(b.p + 1, '}', b.len - 1) == b.p + b.len - 2);
    all = all && dt_buf_error(&b) == DT_OK && !m->never && m->doubt_count == m->state_doubt;
    dt_buf_free(&b);
    return all;
}

/* Names, actions and devices of all rules, since what one may become depends on those after it. */
static void rules_prepare(dt_importing *m)
{
    for (size_t i = 0; i < m->rule_count; i++) {
        dt_import_rule *rule = &m->rules[i];
        size_t mark = rule_enter(m, rule);
        name_set(m, dt_json_string(dt_import_given(rule->json, "name")), i, rule->name);
        m->muted = true;
        action_read(m, rule->json, &rule->action);
        m->muted = false;
        rule->states = dt_import_states_of(
            m->org ? NULL : dt_json_path(rule->json, "conditions", "device", NULL));
        rule->for_all = is_for_all(m, rule);
        dt_json_reader_leave(&m->r, mark);
    }
}

/* --- which other form is safe ------------------------------------------------------------------ */

/* The rule may hold for more sign-ons: each of those gets no more than the first rule after that holds
 * for it would give. What no rule after holds for is denied, so in the end one has to hold always. Of a
 * rule of which only the state of the device is in doubt, those are in the states that it gains. */
static bool may_widen(dt_importing const *m, size_t i)
{
    dt_import_rule const *rule = &m->rules[i];
    bool state_only = m->state_doubt && m->doubt_count == 1;
    unsigned left = state_only ? m->wide & ~rule->states.must : m->wide;

    if (rule->action.access == DT_ACCESS_DENY)
        return true;
    for (size_t k = i + 1; k < m->rule_count && left != 0; k++) {
        dt_import_rule const *behind = &m->rules[k];
        if ((behind->states.may & left) != 0 &&
            !dt_import_action_within(&rule->action, &behind->action))
            return false;
        if (behind->for_all)
            left &= ~behind->states.must;
    }
    return left == 0;
}

/* The rule may hold for fewer, in the states `left`: no rule behind gives those it no longer holds for
 * more. */
static bool may_narrow(dt_importing const *m, size_t i, unsigned left)
{
    for (size_t k = i + 1; k < m->rule_count && left != 0; k++) {
        dt_import_rule const *behind = &m->rules[k];
        if ((behind->states.may & left) != 0 &&
            !dt_import_action_within(&behind->action, &m->rules[i].action))
            return false;
        if (behind->for_all)
            left &= ~behind->states.must;
    }
    return true;
}

static void report_doubts(dt_importing *m, dt_import_kind kind, char const *what)
{
    char text[DT_IMPORT_TEXT_MAX * 2];

    for (size_t i = 0; i < m->doubt_count; i++) {
        (void)snprintf(text, sizeof(text), "%s: %s", m->doubts[i].text, what);
        report_at(m, kind, m->doubts[i].pointer, text);
    }
}

typedef enum form { FORM_NONE = 0, FORM_WIDE, FORM_NARROW } form;

/* Which form a rule with doubts is kept in; its action may become a denial. */
static form form_choose(dt_importing *m, size_t i)
{
    dt_import_rule *rule = &m->rules[i];

    if (may_widen(m, i)) {
        report_doubts(m, DT_IMPORT_CHANGED,
                      "ignored, so the rule matches more; no later rule gives less");
        return FORM_WIDE;
    }
    if (m->narrows && m->doubt_count == 1 &&
        may_narrow(m, i, rule->states.may & ~DT_IMPORT_MANAGED)) {
        report_doubts(m, DT_IMPORT_CHANGED,
                      "replaced by TRUSTED, so the rule matches fewer; no later rule gives more");
        return FORM_NARROW;
    }
    if (may_narrow(m, i, rule->states.may)) {
        report_doubts(m, DT_IMPORT_CHANGED, "the rule is left out; no later rule gives more");
        return FORM_NONE;
    }
    if (m->o->tighten) {
        report_doubts(m, DT_IMPORT_CHANGED, "ignored, so the rule matches more, and denies");
        rule->action = (dt_import_action){.access = DT_ACCESS_DENY};
        return FORM_WIDE;
    }
    report_doubts(m, DT_IMPORT_REFUSED,
                  "without it this or a later rule would give more; see --tighten");
    return FORM_NONE;
}

/* --- writing ----------------------------------------------------------------------------------- */

typedef struct writing {
    dt_buf *b;
    bool renumber, closed; /* closed: a rule without conditions is written */
    int64_t last;          /* priority of the last rule written */
} writing;

static void head_put(dt_importing *m, writing *w, char const *name, int64_t priority)
{
    w->last = w->renumber ? w->last + 1 : priority;
    dt_buf_puts(w->b, m->counts->rules > 0 ? ",{" : "{");
    dt_import_put_name(w->b, "name");
    dt_json_put_string(w->b, name);
    dt_import_put_name(w->b, "priority");
    dt_buf_put_int(w->b, w->last);
    dt_buf_puts(w->b, ",\"status\":\"ACTIVE\",\"conditions\":");
}

static void rule_put(dt_importing *m, writing *w, size_t i)
{
    dt_import_rule *rule = &m->rules[i];
    size_t begin = w->b->len, conditions;
    int64_t last = w->last;
    form f = FORM_WIDE;

    m->policy_groups = rule->groups;
    action_read(m, rule->json, &rule->action);
    head_put(m, w, rule->name, rule->priority);
    conditions = w->b->len;
    m->narrow = false;
    dt_import_conditions_put(m, rule->json, true, w->b);
    if (m->never) {
        dt_import_report(m, DT_IMPORT_LEFT_OUT, "the rule can match nobody");
        f = FORM_NONE;
    } else if (m->doubt_count > 0)
        f = form_choose(m, i);
    if (f == FORM_NARROW) {
        m->narrow = true;
        dt_buf_truncate(w->b, conditions);
        dt_import_conditions_put(m, rule->json, false, w->b);
    }
    if (f == FORM_NONE) {
        dt_buf_truncate(w->b, begin);
        w->last = last;
        return;
    }
    w->closed = w->b->len - conditions == 4; /* null */
    dt_import_put_name(w->b, "actions");
    (m->org ? dt_import_signon_put : dt_import_action_put)(&rule->action, w->b);
    dt_buf_putc(w->b, '}');
    m->counts->rules++;
}

static bool must_renumber(dt_importing const *m)
{
    for (size_t i = 0; i < m->rule_count; i++) {
        int64_t p = m->rules[i].priority;
        if (m->org || p < 0 || p >= DT_IMPORT_PRIORITY_MAX ||
            (i > 0 && p <= m->rules[i - 1].priority))
            return true;
    }
    return false;
}

/* Nobody gets in by no rule, in the org and here; ours says so in a rule. */
static void catch_all_put(dt_importing *m, writing *w)
{
    dt_import_action const deny = {.access = DT_ACCESS_DENY};
    char name[DT_POLICY_NAME_MAX];

    name_set(m, CATCH_ALL_NAME, m->rule_count, name);
    m->rule = "";
    head_put(m, w, name, w->last + 1);
    dt_buf_puts(w->b, "null,\"actions\":");
    (m->org ? dt_import_signon_put : dt_import_action_put)(&deny, w->b);
    dt_buf_putc(w->b, '}');
    m->counts->rules++;
}

static void report_renumbered(dt_importing *m)
{
    size_t mark = dt_json_reader_enter(&m->r, "policies");

    if (!m->org) {
        (void)dt_json_reader_enter_at(&m->r, m->rules[0].policy);
        (void)dt_json_reader_enter(&m->r, "rules");
    }
    dt_import_report(m, DT_IMPORT_CHANGED, "the rules are renumbered, in the same order");
    dt_json_reader_leave(&m->r, mark);
}

static void rules_put(dt_importing *m, dt_buf *b)
{
    writing w = {.b = b, .renumber = must_renumber(m), .last = 0};

    m->rule = "";
    if (w.renumber)
        report_renumbered(m);
    for (size_t i = 0; i < m->rule_count; i++) {
        size_t mark = rule_enter(m, &m->rules[i]);
        m->rule = m->rules[i].name;
        if (w.closed)
            dt_import_report(m, DT_IMPORT_LEFT_OUT,
                             "never reached: the rule before it always matches");
        else
            rule_put(m, &w, i);
        dt_json_reader_leave(&m->r, mark);
    }
    m->rule = "";
    if (!w.closed)
        catch_all_put(m, &w);
}

/* Reads the rules of one entry of the document. An OKTA_SIGN_ON policy that is not ACTIVE takes no
 * part in the org either. */
static int policy_read(dt_importing *m, dt_json const *entry, size_t index)
{
    dt_json const *policy = dt_import_given(entry, "policy");
    dt_import_rule like = {.policy = index};
    size_t mark = dt_json_reader_enter(&m->r, "policies");
    bool active = dt_import_is(dt_import_given(policy, "status"), "ACTIVE");
    int rc = DT_OK;

    (void)dt_json_reader_enter_at(&m->r, index);
    if (!active)
        dt_import_report(m, m->org ? DT_IMPORT_LEFT_OUT : DT_IMPORT_REFUSED,
                         "the policy is not ACTIVE");
    if (m->org) {
        like.groups = dt_json_path(policy, "conditions", "people", "groups", "include", NULL);
        (void)dt_json_bool(dt_json_get(policy, "system"), &like.policy_system);
        if (!dt_json_integer(dt_json_get(policy, "priority"), &like.policy_priority) &&
            !like.policy_system)
            dt_import_report(m, DT_IMPORT_REFUSED, "the policy has no priority");
    }
    (void)dt_json_reader_enter(&m->r, "rules");
    if (active || !m->org)
        rc = rules_read(m, dt_import_given(entry, "rules"), &like);
    dt_json_reader_leave(&m->r, mark);
    return rc;
}

static void policy_put(dt_importing *m, char const *given, dt_buf *b)
{
    char name[DT_POLICY_NAME_MAX];

    (void)name_clean(given != NULL ? given : "", sizeof(name) - 1, name);
    if (name[0] == '\0')
        (void)dt_str_copy(name, sizeof(name), "Okta policy");
    dt_buf_puts(b, "{");
    dt_buf_puts(b, m->org ? "\"$schema\":\"policies/okta-sign-on.schema.json\""
                          : "\"$schema\":\"policy.schema.json\"");
    dt_import_put_name(b, "name");
    dt_json_put_string(b, name);
    if (!m->org) {
        dt_import_put_name(b, "application");
        dt_json_put_string(b, m->o->application);
    }
    dt_buf_puts(b, ",\"rules\":[");
    rules_order(m);
    rules_prepare(m);
    rules_put(m, b);
    dt_buf_puts(b, "]}");
    m->rule = "";
}

static int org_read(dt_importing *m, dt_json const *document, dt_error *e)
{
    dt_json const *policies = dt_import_given(document, "policies");
    size_t found = 0;
    int rc = document_check(document, e);

    for (size_t i = 0; rc == DT_OK && i < dt_json_size(policies); i++) {
        dt_json const *entry = dt_json_at(policies, i);
        if (!dt_import_is(dt_json_path(entry, "policy", "type", NULL), "OKTA_SIGN_ON"))
            continue;
        found++;
        rc = policy_read(m, entry, i);
    }
    if (rc == DT_OK && found == 0)
        rc = dt_error_set(e, DT_E_NOT_FOUND, "the document contains no OKTA_SIGN_ON policy");
    return rc;
}

static int app_read(dt_importing *m, dt_json const *document, char const **name, dt_error *e)
{
    dt_json const *entry = NULL;
    size_t index = 0;
    int rc = dt_okta_document_policy(document, m->o->policy, m->o->app, &entry, &index, e);

    *name = dt_json_string(dt_json_path(entry, "policy", "name", NULL));
    return rc == DT_OK ? policy_read(m, entry, index) : rc;
}

/* --- the whole --------------------------------------------------------------------------------- */

/* What was made is held to what any policy is held to. */
static int check(dt_importing const *m, dt_buf const *policy, dt_buf const *zones, dt_error *e)
{
    dt_json *z = NULL, *p = NULL;
    dt_zones *compiled_zones = NULL;
    dt_policy *compiled = NULL;
    int rc = dt_json_parse(dt_buf_bytes(zones), &z, e);

    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(policy), &p, e);
    if (rc == DT_OK)
        rc = dt_zones_parse(z, "imported zones", &compiled_zones, e);
    if (rc == DT_OK)
        rc = (m->org ? dt_org_policy_parse : dt_policy_parse)(p, "imported policy", compiled_zones,
                                                              &compiled, e);
    dt_policy_free(&compiled);
    dt_zones_free(&compiled_zones);
    dt_json_free(&p);
    dt_json_free(&z);
    return rc;
}

static void mark_zones_named(dt_importing *m, dt_json const *list)
{
    for (size_t i = 0; i < dt_json_size(list); i++) {
        char const *name = dt_json_string(dt_json_at(list, i));
        for (size_t k = 0; name != NULL && k < m->zone_count; k++)
            if (strcmp(m->zones[k].name, name) == 0)
                m->zones[k].used = true;
    }
}

/* The zones that the policy names as it was written. Rules that were read and left out name none. */
static int mark_zones(dt_importing *m, dt_buf const *policy, dt_error *e)
{
    dt_json *p = NULL;
    int rc = dt_json_parse(dt_buf_bytes(policy), &p, e);
    dt_json const *rules = dt_json_get(p, "rules");

    for (size_t i = 0; i < dt_json_size(rules); i++) {
        dt_json const *network = dt_json_path(dt_json_at(rules, i), "conditions", "network", NULL);
        mark_zones_named(m, dt_json_get(network, "include"));
        mark_zones_named(m, dt_json_get(network, "exclude"));
    }
    dt_json_free(&p);
    return rc;
}

static int convert(dt_importing *m, dt_json const *document, dt_buf *policy, dt_buf *zones,
                   dt_error *e)
{
    char const *name = ORG_NAME;
    int rc = m->org ? org_read(m, document, e) : app_read(m, document, &name, e);

    if (rc == DT_OK)
        rc = names_read(m, dt_import_given(document, "groups"), "groups", "name", &m->groups,
                        &m->group_count);
    if (rc == DT_OK)
        rc = names_read(m, dt_import_given(document, "users"), "users", "login", &m->users,
                        &m->user_count);
    if (rc == DT_OK)
        rc = dt_import_zones_read(m, dt_import_given(document, "zones"));
    if (rc != DT_OK)
        return rc;
    policy_put(m, name, policy);
    if (dt_buf_error(policy) == DT_OK)
        rc = mark_zones(m, policy, e);
    if (rc != DT_OK)
        return rc;
    dt_import_zones_put(m, zones);
    if (dt_buf_error(policy) < 0 || dt_buf_error(zones) < 0)
        return dt_error_set(e,
                            dt_buf_error(policy) < 0 ? dt_buf_error(policy) : dt_buf_error(zones),
                            "the imported policy or its zones are too large");
    return m->counts->of[DT_IMPORT_REFUSED] > 0 ? DT_OK : check(m, policy, zones, e);
}

int dt_okta_import(dt_json const *document, dt_import_options const *o, dt_buf *policy,
                   dt_buf *zones, dt_import_counts *counts, dt_error *e)
{
    dt_importing *m = calloc(1, sizeof(*m));
    int rc;

    *counts = (dt_import_counts){.rules = 0};
    if (m == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    m->o = o;
    m->org = o->org;
    m->counts = counts;
    m->rule = "";
    dt_json_reader_init(&m->r, &(dt_json_source){.file = o->file}, e);
    rc = convert(m, document, policy, zones, e);
    if (rc != DT_OK || counts->of[DT_IMPORT_REFUSED] > 0) {
        dt_buf_reset(policy);
        dt_buf_reset(zones);
    }
    free(m->rules);
    free(m->zones);
    free(m->groups);
    free(m->users);
    free(m);
    return rc;
}
