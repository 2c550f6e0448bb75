/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts events in bounded tables. */
#include "devtrustctl/report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FNV_OFFSET 14695981039346656037ULL
#define FNV_PRIME 1099511628211ULL

static dt_report_table const empty_tables[DT_REPORT_KINDS] = {
#define DT_REPORT_TABLE(kind, word, words, outcome, a, b, c, d)                                    \
    {.id = (word), .title = (words), .outcomes = (outcome), .heads = {a, b, c, d}},
    DT_REPORT_TABLES(DT_REPORT_TABLE)
#undef DT_REPORT_TABLE
};

dt_report_data *dt_report_new(void)
{
    dt_report_data *r = calloc(1, sizeof(*r));

    for (size_t i = 0; r != NULL && i < DT_REPORT_KINDS; i++) {
        r->tables[i] = empty_tables[i];
        r->tables[i].rows = calloc(DT_REPORT_ROWS_MAX, sizeof(dt_report_row));
        if (r->tables[i].rows == NULL)
            dt_report_free(&r);
    }
    return r;
}

void dt_report_free(dt_report_data **r)
{
    for (size_t i = 0; *r != NULL && i < DT_REPORT_KINDS; i++)
        free((*r)->tables[i].rows);
    free(*r);
    *r = NULL;
}

/* --- how long ---------------------------------------------------------------------------------- */

/* The upper end of a bin: 1, 2, ... and then a tenth more each. */
static int64_t bin_end(size_t bin)
{
    int64_t end = 1;

    for (size_t i = 0; i < bin; i++)
        end += end / 10 > 0 ? end / 10 : 1;
    return end;
}

static void add_wait(dt_report_waits *w, int64_t ms)
{
    size_t bin = 0;

    for (int64_t end = 1; end < ms && bin < DT_REPORT_BINS - 1; bin++)
        end += end / 10 > 0 ? end / 10 : 1;
    w->count++;
    w->bins[bin]++;
}

int64_t dt_report_percentile(dt_report_waits const *w, unsigned percent)
{
    uint64_t const wanted = (w->count * percent + 99) / 100;
    uint64_t seen = 0;

    for (size_t bin = 0; bin < DT_REPORT_BINS && w->count > 0; bin++) {
        seen += w->bins[bin];
        if (seen >= wanted)
            return bin_end(bin);
    }
    return -1;
}

/* --- rows -------------------------------------------------------------------------------------- */

/* As much as there is room for, not ending within a character. */
static void put_name(char out[DT_REPORT_TEXT_MAX], char const *text)
{
    size_t n = strlen(text);

    if (n >= DT_REPORT_TEXT_MAX) {
        n = DT_REPORT_TEXT_MAX - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(out, text, n);
    out[n] = '\0';
}

static uint64_t hash_of(dt_report_row const *row)
{
    uint64_t h = FNV_OFFSET;

    for (size_t i = 0; i < DT_REPORT_NAMES_MAX; i++) {
        for (char const *p = row->names[i]; *p != '\0'; p++)
            h = (h ^ (unsigned char)*p) * FNV_PRIME;
        h = (h ^ 0xff) * FNV_PRIME;
    }
    return h;
}

static bool is_same(dt_report_row const *a, dt_report_row const *b)
{
    return a->hash == b->hash && memcmp(a->names, b->names, sizeof(a->names)) == 0;
}

/* The row of these names, which is made; NULL where there is no room. */
static dt_report_row *row_of(dt_report_table *t, char const *const names[DT_REPORT_NAMES_MAX])
{
    dt_report_row wanted = {.sign_ons = 0};

    for (size_t i = 0; i < DT_REPORT_NAMES_MAX && names[i] != NULL; i++)
        put_name(wanted.names[i], names[i]);
    wanted.hash = hash_of(&wanted);
    for (size_t i = 0; i < t->count; i++) {
        if (is_same(&t->rows[i], &wanted))
            return &t->rows[i];
    }
    if (t->count == DT_REPORT_ROWS_MAX)
        return NULL;
    t->rows[t->count] = wanted;
    return &t->rows[t->count++];
}

/* --- events ------------------------------------------------------------------------------------ */

static dt_json const *debug_of(dt_audit_event const *v, char const *name)
{
    return dt_json_path(v->root, "debugContext", "debugData", name, NULL);
}

static char const *text_of(dt_audit_event const *v, char const *name)
{
    char const *text = dt_json_string(debug_of(v, name));

    return text != NULL ? text : "";
}

static void count(dt_report_row *row, dt_audit_event const *v)
{
    int64_t ms = 0;

    row->sign_ons++;
    if (v->report_only)
        row->reported++;
    else if (strcmp(v->result, "SUCCESS") == 0 || strcmp(v->result, "ALLOW") == 0)
        row->allowed++;
    else
        row->refused++;
    if (text_of(v, "factor")[0] != '\0' && dt_json_integer(debug_of(v, "durationMs"), &ms))
        add_wait(&row->waits, ms);
    if (v->at > row->last)
        row->last = v->at;
}

static void count_in(dt_report_data *r, dt_report_kind kind, dt_audit_event const *v, char const *a,
                     char const *b, char const *c, char const *d)
{
    char const *const names[DT_REPORT_NAMES_MAX] = {a, b, c, d};
    dt_report_table *t = &r->tables[kind];
    dt_report_row *row = row_of(t, names);

    count(row != NULL ? row : &t->others, v);
}

/* Of the target with this type. */
static char const *target_of(dt_audit_event const *v, char const *type, char const *member)
{
    dt_json const *targets = dt_json_get(v->root, "target");

    for (size_t i = 0; i < dt_json_size(targets); i++) {
        char const *is = dt_json_string(dt_json_get(dt_json_at(targets, i), "type"));
        char const *text = dt_json_string(dt_json_get(dt_json_at(targets, i), member));

        if (is != NULL && strcmp(is, type) == 0)
            return text != NULL ? text : "";
    }
    return "";
}

/* A device of which only a kept answer, or a grace period, still says that it is trusted; no longer once it is
 * seen in order. */
static void look_at_device(dt_report_data *r, dt_audit_event const *v)
{
    dt_report_table *t = &r->tables[DT_REPORT_LOSING];
    char const *reason = text_of(v, "deviceReason"), *device = target_of(v, "Device", "id");
    bool const trusted = strcmp(text_of(v, "verdict"), "TRUSTED") == 0;
    bool const losing =
        trusted && (strcmp(reason, "STALE") == 0 || strcmp(reason, "IN_GRACE_PERIOD") == 0);

    if (device[0] == '\0')
        return;
    for (size_t i = 0; trusted && i < t->count; i++) {
        if (strcmp(t->rows[i].names[0], device) == 0 && v->at >= t->rows[i].last) {
            t->rows[i] = t->rows[--t->count];
            break;
        }
    }
    if (losing)
        count_in(r, DT_REPORT_LOSING, v, device, target_of(v, "Device", "displayName"),
                 v->login[0] != '\0' ? v->login : v->user, reason);
}

static bool ends_a_sign_on(dt_audit_event const *v)
{
    char const *type = dt_json_string(dt_json_get(v->root, "eventType"));

    return type == NULL || (strcmp(type, "user.authentication.authenticate") != 0 &&
                            strcmp(type, "policy.lifecycle.update") != 0);
}

static char const *or_none(char const *text)
{
    return text[0] != '\0' ? text : "(none)";
}

void dt_report_add(dt_report_data *r, dt_audit_event const *v)
{
    char const *who = v->login[0] != '\0' ? v->login : v->user;
    char const *device = target_of(v, "Device", "displayName");

    if (!ends_a_sign_on(v))
        return;
    if (r->first == 0 || v->at < r->first)
        r->first = v->at;
    if (v->at > r->last)
        r->last = v->at;
    count(&r->all, v);
    count_in(r, DT_REPORT_APPLICATIONS, v, or_none(v->application), NULL, NULL, NULL);
    count_in(r, DT_REPORT_VERDICTS, v, or_none(text_of(v, "verdict")), text_of(v, "deviceReason"),
             NULL, NULL);
    count_in(r, DT_REPORT_CAUSES, v, v->result, v->reason, NULL, NULL);
    count_in(r, DT_REPORT_RULES, v, or_none(v->application), or_none(v->rule), NULL, NULL);
    if (text_of(v, "factor")[0] != '\0')
        count_in(r, DT_REPORT_FACTORS, v, text_of(v, "factor"), NULL, NULL, NULL);
    if (v->report_only && strcmp(v->would, "DENY") == 0)
        count_in(r, DT_REPORT_WOULD, v, or_none(who),
                 or_none(device[0] != '\0' ? device : target_of(v, "Device", "id")),
                 or_none(v->application), text_of(v, "wouldCause"));
    look_at_device(r, v);
}

void dt_report_add_certificate(dt_report_data *r, char const *device, char const *name,
                               dt_time not_after, dt_time now)
{
    dt_report_table *t = &r->tables[DT_REPORT_LOSING];
    char day[25], why[64];
    char const *const names[DT_REPORT_NAMES_MAX] = {or_none(device), name, "", why};
    dt_report_row *row;

    if (not_after == DT_TIME_NEVER || not_after - now > DT_REPORT_AHEAD)
        return;
    dt_time_format(day, not_after);
    (void)snprintf(why, sizeof(why), "its certificate %s on %.10s",
                   not_after <= now ? "ended" : "ends", day);
    row = row_of(t, names);
    if (row == NULL)
        t->others.sign_ons++;
}

static int compare(void const *a, void const *b)
{
    dt_report_row const *x = a, *y = b;

    if (x->sign_ons != y->sign_ons)
        return x->sign_ons > y->sign_ons ? -1 : 1;
    return memcmp(x->names, y->names, sizeof(x->names));
}

void dt_report_finish(dt_report_data *r)
{
    for (size_t i = 0; i < DT_REPORT_KINDS; i++)
        qsort(r->tables[i].rows, r->tables[i].count, sizeof(dt_report_row), compare);
}
