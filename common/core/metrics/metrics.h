/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room metrics: what one process counts of its sign-ons, and the text that Prometheus and its like read.
 *
 * Begin with dt_metrics, the counters. The dt_metrics_count_... functions count; they are called by the threads that
 * carry sign-ons, allocate nothing and wait for nobody: each counter is atomic. dt_metrics_text writes everything in
 * one of the two text formats, with a dt_metrics_sample of what is not counted but looked at.
 *
 * No label holds the name of a person, a device or an address. The values of all labels but `application` and `rule`
 * are words of ours; of these two, at most DT_METRICS_RULES_MAX pairs have a series of their own, and the rest is
 * counted as "other". Names, help and labels: devtrust-metrics(7), which a test compares with the text.
 *
 * Source of the formats: OpenMetrics 1.0; Prometheus, Exposition formats (text 0.0.4). metrics_text.c defines
 * dt_metrics_text. */
#ifndef DT_CORE_METRICS_H
#define DT_CORE_METRICS_H

#include "core/base/expiry.h"
#include "core/okta/okta_budget.h"
#include "core/signon/lookup.h"
#include "core/signon/outcome.h"

#include <stdatomic.h>

#define DT_METRICS_RULES_MAX 256 /* pairs of application and rule with a series of their own */
#define DT_METRICS_LABEL_MAX                                                                       \
    128 /* bytes of an application or rule in a label; longer ones are cut */
#define DT_METRICS_TEXT_MAX (1024 * 1024)
#define DT_METRICS_TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define DT_METRICS_TYPE_PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

/* Upper bounds of the buckets of both histograms, milliseconds; the last bucket has none. */
#define DT_METRICS_BUCKETS(X)                                                                      \
    X(1) X(5) X(25) X(100) X(250) X(500) X(1000) X(2500) X(5000) X(10000) X(20000) X(30000) X(60000)
#define DT_METRICS_BUCKET_COUNT 14

#define DT_METRICS_FACTORS 33  /* a bit of dt_factor_type each, and none */
#define DT_METRICS_STATUSES 31 /* HTTP statuses with a series of their own, and "other" */

typedef enum dt_metrics_result {
    DT_METRICS_DENIED = 0,
    DT_METRICS_ALLOWED,
    DT_METRICS_REPORTED, /* report_only: neither */
    DT_METRICS_RESULTS,
} dt_metrics_result;

/* What came of looking for a kept answer. */
typedef enum dt_metrics_kept {
    DT_METRICS_MISS = 0,
    DT_METRICS_HIT,
    DT_METRICS_OLD, /* there is one, too old to be used unless the service does not answer */
    DT_METRICS_KEPTS,
} dt_metrics_kept;

typedef _Atomic(uint64_t) dt_metrics_counter;

typedef struct dt_metrics_histogram {
    dt_metrics_counter buckets[DT_METRICS_BUCKET_COUNT]; /* each for itself, not cumulative */
    dt_metrics_counter sum;                              /* milliseconds */
} dt_metrics_histogram;

enum { DT_METRICS_ROW_FREE = 0, DT_METRICS_ROW_CLAIMED, DT_METRICS_ROW_READY };

/* The series of a rule. Its names are written once, by the thread that has claimed it. */
typedef struct dt_metrics_rule {
    _Atomic(unsigned) state; /* DT_METRICS_ROW_... */
    char application[DT_METRICS_LABEL_MAX + 1];
    char name[DT_METRICS_LABEL_MAX + 1];
    dt_metrics_counter results[DT_METRICS_RESULTS];
} dt_metrics_rule;

/* What came of a session that no longer met the rule that let it in. */
typedef enum dt_metrics_loss {
    DT_METRICS_LOSS_FAILED = 0, /* it was to end, and goes on */
    DT_METRICS_LOSS_REPORTED,
    DT_METRICS_LOSS_ENDED,
    DT_METRICS_LOSSES,
} dt_metrics_loss;

/* All zero at the start. */
typedef struct dt_metrics {
    dt_metrics_counter signons[DT_METRICS_RESULTS][DT_CAUSE_COUNT];
    dt_metrics_counter verdicts[DT_TRUST_TRUSTED + 1][DT_REASON_COUNT];
    dt_metrics_counter factors[DT_METRICS_RESULTS][DT_METRICS_FACTORS];
    dt_metrics_counter stale;
    dt_metrics_histogram waits[DT_METRICS_FACTORS];
    dt_metrics_rule rules[DT_METRICS_RULES_MAX];
    dt_metrics_counter other_rules[DT_METRICS_RESULTS];
    dt_metrics_counter kept[DT_QUESTION_COUNT][DT_METRICS_KEPTS];
    dt_metrics_counter statuses[DT_HTTP_SERVICES][DT_METRICS_STATUSES];
    dt_metrics_counter failures[DT_HTTP_SERVICES][DT_HTTP_FAILURES];
    dt_metrics_histogram calls[DT_HTTP_SERVICES];
    dt_metrics_counter reloads[2]; /* that were not taken, that were */
    dt_metrics_counter losses[DT_METRICS_LOSSES];
} dt_metrics;

/* A sign-on has ended. `application` may be NULL. `wait`: how long it took, milliseconds. Thread safe. */
void dt_metrics_count_signon(dt_metrics *m, dt_outcome const *o, char const *application,
                             dt_time wait);
/* The kept answer to a question was looked for. Thread safe. */
void dt_metrics_count_kept(dt_metrics *m, dt_question q, dt_metrics_kept kept);
/* A request has ended, after `wait` milliseconds. `status` counts where `failure` is DT_HTTP_OK. Thread safe. */
void dt_metrics_count_call(dt_metrics *m, dt_http_service service, dt_http_failure failure,
                           int status, dt_time wait);
/* Changed files were taken, or not. Thread safe. */
void dt_metrics_count_reload(dt_metrics *m, bool taken);
/* A session no longer met its rule, and this came of it. Thread safe. */
void dt_metrics_count_loss(dt_metrics *m, dt_metrics_loss l);

/* What is looked at when the text is made. All borrowed. */
typedef struct dt_metrics_sample {
    char const *door;    /* "pam", "radius" */
    char const *version; /* of devtrust */
    dt_time started;     /* the process's use of devtrust */
    uint64_t waiting;    /* sign-ons and look-ups that wait for a person or a service */
    uint64_t waiting_max;
    uint64_t audit_lost; /* events and log lines */
    uint64_t sessions;   /* open ones that the process looks after */
    bool store_open;
    uint64_t generation; /* of the configuration in force */
    dt_time loaded;      /* since when it is */
    dt_okta_budget const *budget;
    dt_expiries const *expiries; /* by key alone: subjects of certificates may name a device */
} dt_metrics_sample;

typedef enum dt_metrics_format {
    DT_METRICS_OPENMETRICS = 0,
    DT_METRICS_PROMETHEUS, /* text 0.0.4, which node_exporter reads */
} dt_metrics_format;

/* Appends all metrics. dt_buf_error(out) tells whether they are all there: a part must not be given to anybody.
 * Thread safe; counts that go on meanwhile are in it or in the next one. */
void dt_metrics_text(dt_buf *out, dt_metrics const *m, dt_metrics_sample const *s,
                     dt_metrics_format format);
/* The status of column `i` of dt_metrics.statuses; 0: any other. */
int dt_metrics_status(size_t i);

#endif
