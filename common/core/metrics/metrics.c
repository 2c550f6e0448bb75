/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting. Every counter stands for itself, so the order in which other threads see them does not matter
 * (relaxed); only a rule's names must be there before anybody compares them (acquire, release). */
#include "core/metrics/metrics.h"

#include "core/base/utf8.h"

#include <string.h>

/* How often a row is looked at again while another thread writes two short names into it. */
#define ROW_TRIES 10000

#define X(ms) +1
_Static_assert(DT_METRICS_BUCKET_COUNT == 1 DT_METRICS_BUCKETS(X), "a bucket without a bound");
#undef X

static void add(dt_metrics_counter *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static void observe(dt_metrics_histogram *h, dt_time wait)
{
#define X(ms) ms,
    static dt_time const bounds[] = {DT_METRICS_BUCKETS(X)};
#undef X
    size_t i = 0;

    wait = wait < 0 ? 0 : wait;
    while (i < sizeof(bounds) / sizeof(bounds[0]) && wait > bounds[i])
        i++;
    add(&h->buckets[i], 1);
    add(&h->sum, (uint64_t)wait);
}

/* --- rules ---------------------------------------------------------------------------------------- */

static size_t hash(char const *application, char const *name)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (; *application != '\0'; application++)
        h = (h ^ (uint8_t)*application) * 16777619u;
    h *= 16777619u;
    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return h;
}

/* As it is shown: what is not text that can be shown becomes '?', and what is too long is cut, not within a
 * character. Whoever compares compares this form, so that no two series have the same labels. */
static void copy_label(char to[DT_METRICS_LABEL_MAX + 1], char const *from)
{
    size_t len = strnlen(from, DT_METRICS_LABEL_MAX + 4), at = 0;

    for (size_t n = 0; len > 0; from += n, len -= n) {
        uint32_t c = 0;
        n = dt_utf8_decode((uint8_t const *)from, len, &c);
        bool shown = n > 0 && dt_utf8_is_shown(c);
        n = n > 0 ? n : 1;
        if (at + n > DT_METRICS_LABEL_MAX)
            break;
        memcpy(to + at, shown ? from : "?", shown ? n : 1);
        at += shown ? n : 1;
    }
    to[at] = '\0';
}

/* The state of a row, claimed for this rule (names of copy_label) if it was free. Still CLAIMED: another thread has
 * been writing for long. */
static unsigned claim(dt_metrics_rule *row, char const *application, char const *name)
{
    unsigned state = DT_METRICS_ROW_FREE;

    if (atomic_compare_exchange_strong_explicit(&row->state, &state, DT_METRICS_ROW_CLAIMED,
                                                memory_order_acquire, memory_order_acquire)) {
        (void)dt_str_copy(row->application, sizeof(row->application), application);
        (void)dt_str_copy(row->name, sizeof(row->name), name);
        atomic_store_explicit(&row->state, DT_METRICS_ROW_READY, memory_order_release);
        return DT_METRICS_ROW_READY;
    }
    for (int i = 0; state == DT_METRICS_ROW_CLAIMED && i < ROW_TRIES; i++)
        state = atomic_load_explicit(&row->state, memory_order_acquire);
    return state;
}

/* NULL where it has none: all rows are others', or it is not known whose one is. Two rows for one rule would be two
 * series with the same labels. */
static dt_metrics_rule *rule_row(dt_metrics *m, char const *application, char const *rule)
{
    char a[DT_METRICS_LABEL_MAX + 1], n[DT_METRICS_LABEL_MAX + 1];

    copy_label(a, application == NULL ? "" : application);
    copy_label(n, rule);
    for (size_t i = 0, at = hash(a, n); i < DT_METRICS_RULES_MAX; i++, at++) {
        dt_metrics_rule *row = &m->rules[at % DT_METRICS_RULES_MAX];
        if (claim(row, a, n) != DT_METRICS_ROW_READY)
            return NULL;
        if (strcmp(row->application, a) == 0 && strcmp(row->name, n) == 0)
            return row;
    }
    return NULL;
}

/* --- sign-ons ------------------------------------------------------------------------------------- */

static size_t factor_column(dt_factor_type f)
{
    for (size_t i = 0; i + 1 < DT_METRICS_FACTORS; i++)
        if (((unsigned)f >> i & 1) != 0)
            return i + 1;
    return 0;
}

static dt_metrics_result result_of(dt_outcome const *o)
{
    if (dt_outcome_is_report_only(o))
        return DT_METRICS_REPORTED;
    return o->result == DT_ALLOW && dt_cause_allows(o->cause) ? DT_METRICS_ALLOWED
                                                              : DT_METRICS_DENIED;
}

static bool is_within(unsigned value, unsigned count)
{
    return value < count;
}

void dt_metrics_count_signon(dt_metrics *m, dt_outcome const *o, char const *application,
                             dt_time wait)
{
    dt_metrics_result const result = result_of(o);
    dt_cause const cause = result != DT_METRICS_REPORTED     ? o->cause
                           : o->would_cause == DT_CAUSE_NONE ? DT_CAUSE_REPORT_ONLY
                                                             : o->would_cause;
    size_t const factor = factor_column(o->factor);

    if (is_within(cause, DT_CAUSE_COUNT))
        add(&m->signons[result][cause], 1);
    if (is_within(o->verdict.trust, DT_TRUST_TRUSTED + 1) &&
        is_within(o->verdict.reason, DT_REASON_COUNT))
        add(&m->verdicts[o->verdict.trust][o->verdict.reason], 1);
    if (factor != 0)
        add(&m->factors[result][factor], 1);
    if (o->stale)
        add(&m->stale, 1);
    observe(&m->waits[factor], wait);
    if (o->decision.rule[0] != '\0') {
        dt_metrics_rule *row = rule_row(m, application, o->decision.rule);
        add(row != NULL ? &row->results[result] : &m->other_rules[result], 1);
    }
}

/* --- the rest ------------------------------------------------------------------------------------- */

void dt_metrics_count_kept(dt_metrics *m, dt_question q, dt_metrics_kept kept)
{
    if (is_within(q, DT_QUESTION_COUNT) && is_within(kept, DT_METRICS_KEPTS))
        add(&m->kept[q][kept], 1);
}

int dt_metrics_status(size_t i)
{
    static uint16_t const statuses[DT_METRICS_STATUSES] = {
        0,   200, 201, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405,
        406, 407, 408, 409, 410, 412, 413, 415, 422, 429, 500, 501, 502, 503, 504};

    return i < DT_METRICS_STATUSES ? statuses[i] : 0;
}

static size_t status_column(int status)
{
    for (size_t i = 1; i < DT_METRICS_STATUSES; i++)
        if (dt_metrics_status(i) == status)
            return i;
    return 0;
}

void dt_metrics_count_call(dt_metrics *m, dt_http_service service, dt_http_failure failure,
                           int status, dt_time wait)
{
    if (!is_within(service, DT_HTTP_SERVICES) || !is_within(failure, DT_HTTP_FAILURES))
        return;
    if (failure == DT_HTTP_OK)
        add(&m->statuses[service][status_column(status)], 1);
    else
        add(&m->failures[service][failure], 1);
    observe(&m->calls[service], wait);
}

void dt_metrics_count_reload(dt_metrics *m, bool taken)
{
    add(&m->reloads[taken], 1);
}

void dt_metrics_count_loss(dt_metrics *m, dt_metrics_loss l)
{
    if ((unsigned)l < DT_METRICS_LOSSES)
        add(&m->losses[l], 1);
}
