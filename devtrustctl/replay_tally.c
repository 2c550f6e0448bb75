/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows by what would change. All texts come from the log or the policy: they are escaped when they are
 * printed, and cut when they are kept. */
#include "devtrustctl/replay_tally.h"

#include "devtrustctl/ctl.h"

#include "core/base/json.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 2048     /* of a row, bytes */
#define PERSON_MAX 512   /* of a person's name; longer ones are cut */
#define EXAMPLE_MAX 1024 /* of an example; the same */

typedef struct person {
    size_t count;
    char name[];
} person;

typedef struct row {
    bool change;
    size_t count, people_count, people_left_out;
    void *people; /* a tree of `person` */
    char **examples;
    size_t example_count;
    char difference[16];
    dt_replay_decision before, after;
    char key[]; /* what it is, in words; unique */
} row;

struct dt_tally {
    size_t examples; /* kept of each row */
    row *rows[DT_TALLY_ROWS_MAX];
    size_t count, people;
    size_t changed, lacked;
    size_t left_out; /* sign-ons for which there was no row any more */
};

dt_tally *dt_tally_new(size_t examples)
{
    dt_tally *t = calloc(1, sizeof(*t));

    if (t != NULL)
        t->examples = examples;
    return t;
}

static void free_row(row *r)
{
    for (size_t i = 0; i < r->example_count; i++)
        free(r->examples[i]);
    free(r->examples);
    tdestroy(r->people, free);
    free(r);
}

void dt_tally_free(dt_tally **t)
{
    if (*t == NULL)
        return;
    for (size_t i = 0; i < (*t)->count; i++)
        free_row((*t)->rows[i]);
    free(*t);
    *t = NULL;
}

/* --- rows -------------------------------------------------------------------------------------- */

static row *find_row(dt_tally *t, char const *key, bool change)
{
    size_t len = strlen(key) + 1;
    row *r;

    for (size_t i = 0; i < t->count; i++)
        if (t->rows[i]->change == change && strcmp(t->rows[i]->key, key) == 0)
            return t->rows[i];
    if (t->count == DT_TALLY_ROWS_MAX)
        return NULL;
    r = calloc(1, sizeof(*r) + len);
    if (r == NULL)
        return NULL;
    memcpy(r->key, key, len);
    r->change = change;
    r->examples = calloc(t->examples + 1, sizeof(*r->examples));
    if (r->examples == NULL) {
        free(r);
        return NULL;
    }
    t->rows[t->count++] = r;
    return r;
}

static int compare_people(void const *a, void const *b)
{
    return strcmp(((person const *)a)->name, ((person const *)b)->name);
}

static int add_person(dt_tally *t, row *r, dt_audit_event const *event)
{
    char const *name = event->login[0] != '\0' ? event->login : event->user;
    size_t len = strnlen(name, PERSON_MAX);
    person *p = calloc(1, sizeof(*p) + len + 1);
    person **found;

    if (p == NULL)
        return DT_E_NOMEM;
    memcpy(p->name, name, len);
    found = tfind(p, &r->people, compare_people);
    if (found != NULL) {
        (*found)->count++;
        free(p);
        return DT_OK;
    }
    if (t->people == DT_TALLY_PEOPLE_MAX) {
        r->people_left_out++;
        free(p);
        return DT_OK;
    }
    p->count = 1;
    if (tsearch(p, &r->people, compare_people) == NULL) {
        free(p);
        return DT_E_NOMEM;
    }
    t->people++;
    r->people_count++;
    return DT_OK;
}

/* The event as `devtrustctl log` shows it. */
static int add_example(dt_tally const *t, row *r, dt_audit_event const *event)
{
    dt_buf line;
    char *text;

    if (r->example_count == t->examples)
        return DT_OK;
    dt_buf_init(&line, 4 * DT_AUDIT_LINE_MAX);
    dt_audit_event_print(event, &line);
    dt_buf_puts(&line, "  id=");
    dt_json_put_string(&line, event->id);
    text = dt_buf_error(&line) == DT_OK ? strndup((char const *)line.p, EXAMPLE_MAX) : NULL;
    dt_buf_free(&line);
    if (text == NULL)
        return DT_E_NOMEM;
    r->examples[r->example_count++] = text;
    return DT_OK;
}

static int count_in(dt_tally *t, char const *key, bool change, dt_audit_event const *event,
                    row **out)
{
    bool full = t->count == DT_TALLY_ROWS_MAX;
    row *r = find_row(t, key, change);
    int rc;

    *out = r;
    if (r == NULL) {
        t->left_out++;
        return full ? DT_OK : DT_E_NOMEM;
    }
    r->count++;
    rc = add_person(t, r, event);
    return rc == DT_OK ? add_example(t, r, event) : rc;
}

/* `ALLOW_AFTER_MFA EVERY_SIGN_ON of push by "Ask"` */
static void put_decision(dt_buf *b, dt_replay_decision const *d)
{
    unsigned factors = d->factors;
    char const *word;

    dt_buf_puts(b, dt_access_name(d->access));
    if (d->frequency[0] != '\0')
        dt_buf_printf(b, " %s", d->frequency);
    for (char const *before = " by "; (word = dt_factor_word_next(&factors)) != NULL; before = ", ")
        dt_buf_printf(b, "%s%s", before, word);
    dt_buf_puts(b, d->rule[0] != '\0' ? ", rule " : ", no rule");
    if (d->rule[0] != '\0')
        dt_json_put_string(b, d->rule);
    if (d->org_rule[0] != '\0') {
        dt_buf_puts(b, ", the org's rule ");
        dt_json_put_string(b, d->org_rule);
    }
}

int dt_tally_change(dt_tally *t, dt_audit_event const *event, dt_replay_decision const *before,
                    dt_replay_decision const *after, char const *difference)
{
    char key[KEY_MAX];
    dt_buf b;
    row *r = NULL;
    int rc;

    t->changed++;
    dt_buf_init_fixed(&b, key, sizeof(key));
    put_decision(&b, before);
    dt_buf_puts(&b, " -> ");
    put_decision(&b, after);
    rc = count_in(t, key, true, event, &r);
    if (r == NULL)
        return rc;
    r->before = *before;
    r->after = *after;
    (void)dt_str_copy(r->difference, sizeof(r->difference), difference);
    return rc;
}

int dt_tally_lacking(dt_tally *t, dt_audit_event const *event, char const *why)
{
    row *r = NULL;

    t->lacked++;
    return count_in(t, why, false, event, &r);
}

size_t dt_tally_changed(dt_tally const *t)
{
    return t->changed;
}

size_t dt_tally_lacked(dt_tally const *t)
{
    return t->lacked;
}

/* --- showing ----------------------------------------------------------------------------------- */

static int compare_rows(void const *a, void const *b)
{
    row const *x = *(row *const *)a, *y = *(row *const *)b;

    if (x->change != y->change)
        return x->change ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->key, y->key);
}

/* The people of a row, those with the most sign-ons first. */
typedef struct crowd {
    person const *first[DT_TALLY_PEOPLE_SHOWN_MAX];
    size_t count;
} crowd;

static void place_person(void const *node, VISIT visit, void *ctx)
{
    person const *p = *(person *const *)node;
    crowd *c = ctx;
    size_t i;

    if (visit != postorder && visit != leaf)
        return;
    for (i = c->count; i > 0 && c->first[i - 1]->count < p->count; i--)
        if (i < DT_TALLY_PEOPLE_SHOWN_MAX)
            c->first[i] = c->first[i - 1];
    if (i == DT_TALLY_PEOPLE_SHOWN_MAX)
        return;
    c->first[i] = p;
    if (c->count < DT_TALLY_PEOPLE_SHOWN_MAX)
        c->count++;
}

static void print_row(row const *r)
{
    crowd c = {.count = 0};

    if (r->change)
        dt_out_line("changed   %zu sign-ons of %zu people: %s", r->count, r->people_count, r->key);
    else
        dt_out_line("unknown   %zu sign-ons cannot be decided again: %s", r->count, r->key);
    twalk_r(r->people, place_person, &c);
    for (size_t i = 0; r->change && i < c.count; i++)
        dt_out_line("  person  %zu of \"%s\"", c.first[i]->count, c.first[i]->name);
    if (r->change && c.count < r->people_count)
        dt_out_line("  person  and %zu more people", r->people_count - c.count);
    for (size_t i = 0; i < r->example_count; i++)
        dt_out_line("  such as %s", r->examples[i]);
}

void dt_tally_print(dt_tally *t)
{
    qsort(t->rows, t->count, sizeof(t->rows[0]), compare_rows);
    for (size_t i = 0; i < t->count; i++)
        print_row(t->rows[i]);
    if (t->left_out > 0)
        dt_out_line("  more    %zu sign-ons are too different to be listed", t->left_out);
}

static void put_decision_json(dt_buf *b, char const *name, dt_replay_decision const *d)
{
    unsigned factors = d->factors;
    char const *word;
    bool first = true;

    dt_buf_printf(b, ",\"%s\":{\"access\":\"%s\"", name, dt_access_name(d->access));
    dt_out_member(b, "rule", d->rule);
    dt_out_member(b, "orgRule", d->org_rule);
    dt_out_member(b, "frequency", d->frequency);
    dt_buf_puts(b, ",\"factors\":[");
    for (; (word = dt_factor_word_next(&factors)) != NULL; first = false)
        dt_buf_printf(b, "%s\"%s\"", first ? "" : ",", word);
    dt_buf_puts(b, "]}");
}

static void put_row_json(dt_buf *b, row const *r)
{
    crowd c = {.count = 0};

    dt_buf_printf(b, "{\"count\":%zu,\"people\":%zu", r->count, r->people_count);
    if (r->change) {
        dt_out_member(b, "difference", r->difference);
        put_decision_json(b, "before", &r->before);
        put_decision_json(b, "after", &r->after);
    } else
        dt_out_member(b, "why", r->key);
    dt_buf_puts(b, ",\"persons\":[");
    twalk_r(r->people, place_person, &c);
    for (size_t i = 0; i < c.count; i++) {
        dt_buf_puts(b, i > 0 ? ",{" : "{");
        dt_out_member(b, "person", c.first[i]->name);
        dt_buf_printf(b, ",\"count\":%zu}", c.first[i]->count);
    }
    dt_buf_puts(b, "],\"examples\":[");
    for (size_t i = 0; i < r->example_count; i++) {
        if (i > 0)
            dt_buf_putc(b, ',');
        dt_json_put_string(b, r->examples[i]);
    }
    dt_buf_puts(b, "]}");
}

static void put_rows_json(dt_tally const *t, dt_buf *b, char const *name, bool change)
{
    bool first = true;

    dt_buf_printf(b, ",\"%s\":[", name);
    for (size_t i = 0; i < t->count; i++) {
        if (t->rows[i]->change != change)
            continue;
        if (!first)
            dt_buf_putc(b, ',');
        put_row_json(b, t->rows[i]);
        first = false;
    }
    dt_buf_putc(b, ']');
}

void dt_tally_print_json(dt_tally *t, dt_buf *out)
{
    qsort(t->rows, t->count, sizeof(t->rows[0]), compare_rows);
    put_rows_json(t, out, "changes", true);
    put_rows_json(t, out, "notDecided", false);
    dt_buf_printf(out, ",\"notListed\":%zu", t->left_out);
}
