/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text: one list of families, each with its head (type, unit, help) once and its samples after it. */
#include "core/base/utf8.h"
#include "core/metrics/metrics.h"

#include <string.h>

/* The text under way. */
typedef struct writer {
    dt_buf *out;
    dt_metrics const *m;
    dt_metrics_sample const *s;
    dt_metrics_format format;
    char const *name; /* of the family */
    bool counter;
} writer;

typedef struct family {
    char const *name; /* without "_total" */
    char const *type; /* "counter", "gauge", "histogram", "info" */
    char const *unit; /* "" = none; else the name ends with it */
    char const *help; /* one line, without quotes and backslashes */
    void (*samples)(writer *w);
} family;

static uint64_t get(dt_metrics_counter const *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

/* --- lines ---------------------------------------------------------------------------------------- */

/* A label's value: what is not text that can be shown becomes '?'. */
static void put_value(dt_buf *out, char const *s)
{
    size_t len = strlen(s);

    for (size_t n = 0; len > 0; s += n, len -= n) {
        uint32_t c = 0;
        n = dt_utf8_decode((uint8_t const *)s, len, &c);
        if (n == 0 || !dt_utf8_is_shown(c)) {
            n = n == 0 ? 1 : n;
            dt_buf_putc(out, '?');
            continue;
        }
        if (c == '"' || c == '\\')
            dt_buf_putc(out, '\\');
        dt_buf_put(out, s, n);
    }
}

static void put_label(writer *w, char const *name, char const *value)
{
    dt_buf_putc(w->out, ',');
    dt_buf_puts(w->out, name);
    dt_buf_puts(w->out, "=\"");
    put_value(w->out, value);
    dt_buf_putc(w->out, '"');
}

/* Every series says of which door it is: both may be on one host, and read by one node_exporter. */
static void begin(writer *w, char const *suffix)
{
    dt_buf_puts(w->out, w->name);
    dt_buf_puts(w->out, w->counter ? "_total" : suffix);
    dt_buf_puts(w->out, "{door=\"");
    put_value(w->out, w->s->door);
    dt_buf_putc(w->out, '"');
}

static void end(writer *w, uint64_t value)
{
    dt_buf_printf(w->out, "} %llu\n", (unsigned long long)value);
}

/* Seconds, with the milliseconds as a fraction. */
static void end_seconds(writer *w, uint64_t ms)
{
    dt_buf_printf(w->out, "} %llu.%03u\n", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
}

static void end_time(writer *w, dt_time at)
{
    end_seconds(w, at > 0 ? (uint64_t)at : 0);
}

static char const *result_name(size_t r)
{
    return r == DT_METRICS_ALLOWED ? "allowed" : r == DT_METRICS_DENIED ? "denied" : "report_only";
}

static void put_bound(writer *w, size_t i)
{
#define X(ms) ms,
    static unsigned const bounds[] = {DT_METRICS_BUCKETS(X)};
#undef X
    char text[32] = "+Inf";
    dt_buf b;

    if (i < sizeof(bounds) / sizeof(bounds[0])) {
        dt_buf_init_fixed(&b, text, sizeof(text));
        dt_buf_printf(&b, "%u.%03u", bounds[i] / 1000, bounds[i] % 1000);
        while (b.len > 3 && text[b.len - 1] == '0' && text[b.len - 2] != '.')
            dt_buf_truncate(&b, b.len - 1);
    }
    put_label(w, "le", text);
}

/* The lines of one histogram; `label` NULL: it has no more of them. The count is that of the buckets, so that both
 * agree while others count. */
static void put_histogram(writer *w, dt_metrics_histogram const *h, char const *label,
                          char const *value, char const *label2, char const *value2)
{
    uint64_t count = 0, sum = get(&h->sum);
    char const *const suffixes[] = {"_count", "_sum"};

    for (size_t i = 0; i < DT_METRICS_BUCKET_COUNT; i++) {
        count += get(&h->buckets[i]);
        begin(w, "_bucket");
        put_label(w, label, value);
        if (label2 != NULL)
            put_label(w, label2, value2);
        put_bound(w, i);
        end(w, count);
    }
    for (size_t i = 0; i < 2; i++) {
        begin(w, suffixes[i]);
        put_label(w, label, value);
        if (label2 != NULL)
            put_label(w, label2, value2);
        if (i == 0)
            end(w, count);
        else
            end_seconds(w, sum);
    }
}

static bool is_used(dt_metrics_histogram const *h)
{
    for (size_t i = 0; i < DT_METRICS_BUCKET_COUNT; i++)
        if (get(&h->buckets[i]) != 0)
            return true;
    return false;
}

/* --- sign-ons ------------------------------------------------------------------------------------- */

/* A cause is there from the start with the result that it has, so that the first one is seen as an increase. */
static void put_signons(writer *w)
{
    for (size_t r = 0; r < DT_METRICS_RESULTS; r++) {
        for (size_t c = 0; c < DT_CAUSE_COUNT; c++) {
            uint64_t n = get(&w->m->signons[r][c]);
            bool usual = r != DT_METRICS_REPORTED && c != DT_CAUSE_SESSION_DECIDES &&
                         c != DT_CAUSE_REPORT_ONLY &&
                         dt_cause_allows((dt_cause)c) == (r == DT_METRICS_ALLOWED);
            if (n == 0 && !usual)
                continue;
            begin(w, "");
            put_label(w, "result", result_name(r));
            put_label(w, "cause", c == DT_CAUSE_REPORT_ONLY ? "MFA" : dt_cause_name((dt_cause)c));
            end(w, n);
        }
    }
}

static void put_rule(writer *w, char const *application, char const *rule,
                     dt_metrics_counter const results[DT_METRICS_RESULTS])
{
    for (size_t r = 0; r < DT_METRICS_RESULTS; r++) {
        uint64_t n = get(&results[r]);
        if (n == 0)
            continue;
        begin(w, "");
        put_label(w, "application", application);
        put_label(w, "rule", rule);
        put_label(w, "result", result_name(r));
        end(w, n);
    }
}

static bool is_other(dt_metrics_rule const *row)
{
    return strcmp(row->application, "other") == 0 && strcmp(row->name, "other") == 0;
}

/* A rule that is called "other" itself is counted among the rest. */
static void put_rules(writer *w)
{
    dt_metrics_counter other[DT_METRICS_RESULTS];

    for (size_t r = 0; r < DT_METRICS_RESULTS; r++)
        atomic_init(&other[r], get(&w->m->other_rules[r]));
    for (size_t i = 0; i < DT_METRICS_RULES_MAX; i++) {
        dt_metrics_rule const *row = &w->m->rules[i];
        if (atomic_load_explicit(&row->state, memory_order_acquire) != DT_METRICS_ROW_READY)
            continue;
        if (!is_other(row)) {
            put_rule(w, row->application, row->name, row->results);
            continue;
        }
        for (size_t r = 0; r < DT_METRICS_RESULTS; r++)
            atomic_fetch_add(&other[r], get(&row->results[r]));
    }
    put_rule(w, "other", "other", other);
}

static void put_verdicts(writer *w)
{
    for (size_t t = 0; t <= DT_TRUST_TRUSTED; t++) {
        for (size_t r = 0; r < DT_REASON_COUNT; r++) {
            uint64_t n = get(&w->m->verdicts[t][r]);
            if (n == 0)
                continue;
            begin(w, "");
            put_label(w, "verdict", dt_trust_name((dt_trust)t));
            put_label(w, "reason", dt_reason_name((dt_reason)r));
            end(w, n);
        }
    }
}

static dt_factor_type factor_of(size_t column)
{
    return column == 0 ? DT_FACTOR_NONE : (dt_factor_type)(1u << (column - 1));
}

static char const *factor_name(size_t column)
{
    char const *name = dt_factor_name(factor_of(column));

    return name != NULL ? name : "none";
}

static char const *factor_provider(size_t column)
{
    char const *provider = dt_factor_provider(factor_of(column));

    return provider != NULL ? provider : "none";
}

static void put_factors(writer *w)
{
    for (size_t f = 1; f < DT_METRICS_FACTORS; f++) {
        for (size_t r = 0; r < DT_METRICS_RESULTS; r++) {
            uint64_t n = get(&w->m->factors[r][f]);
            if (n == 0)
                continue;
            begin(w, "");
            put_label(w, "factor", factor_name(f));
            put_label(w, "provider", factor_provider(f));
            put_label(w, "result", result_name(r));
            end(w, n);
        }
    }
}

static void put_waits(writer *w)
{
    for (size_t f = 0; f < DT_METRICS_FACTORS; f++)
        if (f == 0 || is_used(&w->m->waits[f]))
            put_histogram(w, &w->m->waits[f], "factor", factor_name(f), "provider",
                          factor_provider(f));
}

static void put_stale(writer *w)
{
    begin(w, "");
    end(w, get(&w->m->stale));
}

static void put_waiting(writer *w)
{
    begin(w, "");
    end(w, w->s->waiting);
}

static void put_waiting_max(writer *w)
{
    begin(w, "");
    end(w, w->s->waiting_max);
}

/* --- services ------------------------------------------------------------------------------------- */

static void put_kept(writer *w)
{
    static char const *const questions[DT_QUESTION_COUNT] = {
#define X(NAME, name) [DT_QUESTION_##NAME] = #name,
        DT_QUESTIONS(X)
#undef X
    };
    static char const *const results[DT_METRICS_KEPTS] = {
        [DT_METRICS_MISS] = "miss", [DT_METRICS_HIT] = "hit", [DT_METRICS_OLD] = "stale"};

    for (size_t q = DT_QUESTION_NONE + 1; q < DT_QUESTION_COUNT; q++) {
        for (size_t k = 0; k < DT_METRICS_KEPTS; k++) {
            begin(w, "");
            put_label(w, "question", questions[q]);
            put_label(w, "result", results[k]);
            end(w, get(&w->m->kept[q][k]));
        }
    }
}

static char const *service_name(size_t service)
{
    static char const *const names[DT_HTTP_SERVICES] = {
        [DT_HTTP_OKTA] = "okta", [DT_HTTP_GRAPH] = "graph",           [DT_HTTP_ENTRA] = "entra",
        [DT_HTTP_OCSP] = "ocsp", [DT_HTTP_COMPLIANCE] = "compliance", [DT_HTTP_SIGNALS] = "signals",
    };

    return names[service] != NULL ? names[service] : "other";
}

static char const *failure_name(size_t failure)
{
    static char const *const names[DT_HTTP_FAILURES] = {
        [DT_HTTP_LOCAL] = "local",
        [DT_HTTP_NO_NAME] = "no_name",
        [DT_HTTP_NO_ROUTE] = "no_route",
        [DT_HTTP_REFUSED] = "refused",
        [DT_HTTP_RESET] = "reset",
        [DT_HTTP_TIMEOUT] = "timeout",
        [DT_HTTP_PROXY_FAILED] = "proxy_failed",
        [DT_HTTP_PAUSED] = "paused",
        [DT_HTTP_BROKEN] = "broken",
        [DT_HTTP_UNTRUSTED] = "untrusted",
        [DT_HTTP_QUEUED] = "queued",
        [DT_HTTP_PROXY_REFUSED] = "proxy_refused",
        [DT_HTTP_NO_CREDENTIALS] = "no_credentials",
        [DT_HTTP_ABANDONED] = "abandoned",
    };

    return names[failure];
}

static void put_call(writer *w, size_t service, char const *status, uint64_t n)
{
    if (n == 0)
        return;
    begin(w, "");
    put_label(w, "service", service_name(service));
    put_label(w, "status", status);
    end(w, n);
}

static void put_calls(writer *w)
{
    for (size_t s = 0; s < DT_HTTP_SERVICES; s++) {
        for (size_t i = 0; i < DT_METRICS_STATUSES; i++) {
            char text[16];
            dt_buf b;

            dt_buf_init_fixed(&b, text, sizeof(text));
            dt_buf_put_int(&b, dt_metrics_status(i));
            put_call(w, s, i == 0 ? "other" : text, get(&w->m->statuses[s][i]));
        }
        for (size_t f = 0; f < DT_HTTP_FAILURES; f++)
            if (f != DT_HTTP_OK)
                put_call(w, s, failure_name(f), get(&w->m->failures[s][f]));
    }
}

static void put_call_times(writer *w)
{
    for (size_t s = 0; s < DT_HTTP_SERVICES; s++)
        if (is_used(&w->m->calls[s]))
            put_histogram(w, &w->m->calls[s], "service", service_name(s), NULL, NULL);
}

static char const *bucket_name(size_t kind)
{
    static char const *const names[DT_OKTA_KINDS] = {
        [DT_OKTA_KIND_OTHER] = "other",
        [DT_OKTA_KIND_POLL] = "poll",
        [DT_OKTA_KIND_USER] = "user",
        [DT_OKTA_KIND_VERIFY] = "verify",
        [DT_OKTA_KIND_AUTHN] = "authn",
        [DT_OKTA_KIND_DEVICE] = "device",
        [DT_OKTA_KIND_TOKEN_POLL] = "token_poll",
        [DT_OKTA_KIND_TOKEN] = "token",
    };

    return names[kind] != NULL ? names[kind] : "unnamed";
}

static void put_windows(writer *w, bool limit)
{
    for (size_t k = 0; k < DT_OKTA_KINDS; k++) {
        dt_okta_window const *window = &w->s->budget->windows[k];
        int64_t n = limit ? window->limit : window->left;

        if (window->limit == 0)
            continue;
        begin(w, "");
        put_label(w, "bucket", bucket_name(k));
        end(w, n > 0 ? (uint64_t)n : 0);
    }
}

static void put_limits(writer *w)
{
    put_windows(w, true);
}

static void put_remaining(writer *w)
{
    put_windows(w, false);
}

/* --- the process ---------------------------------------------------------------------------------- */

/* The soonest come first, and one series stands for all of a key, such as the CA certificates of one file. */
static bool is_first_of_key(dt_expiries const *all, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(all->items[k].key, all->items[i].key) == 0)
            return false;
    return true;
}

static void put_expiries(writer *w)
{
    dt_expiries const *all = w->s->expiries;

    for (size_t i = 0; i < all->count; i++) {
        if (!is_first_of_key(all, i))
            continue;
        begin(w, "");
        put_label(w, "key", all->items[i].key);
        end_time(w, all->items[i].end);
    }
}

static void put_lost(writer *w)
{
    begin(w, "");
    end(w, w->s->audit_lost);
}

static void put_store(writer *w)
{
    begin(w, "");
    end(w, w->s->store_open ? 1 : 0);
}

static void put_reloads(writer *w)
{
    for (size_t taken = 0; taken < 2; taken++) {
        begin(w, "");
        put_label(w, "result", taken ? "applied" : "refused");
        end(w, get(&w->m->reloads[taken]));
    }
}

static void put_sessions(writer *w)
{
    begin(w, "");
    end(w, w->s->sessions);
}

static void put_losses(writer *w)
{
    static char const *const words[DT_METRICS_LOSSES] = {"failed", "reported", "ended"};

    for (size_t i = 0; i < DT_METRICS_LOSSES; i++) {
        begin(w, "");
        put_label(w, "result", words[i]);
        end(w, get(&w->m->losses[i]));
    }
}

static void put_generation(writer *w)
{
    begin(w, "");
    end(w, w->s->generation);
}

static void put_loaded(writer *w)
{
    begin(w, "");
    end_time(w, w->s->loaded);
}

static void put_started(writer *w)
{
    begin(w, "");
    end_time(w, w->s->started);
}

static void put_build(writer *w)
{
    begin(w, "_info");
    put_label(w, "version", w->s->version);
    end(w, 1);
}

/* --- all ------------------------------------------------------------------------------------------ */

static family const families[] = {
    {"devtrust_build", "info", "", "The version of devtrust.", put_build},
    {"devtrust_start_time_seconds", "gauge", "seconds", "When the process began to use devtrust.",
     put_started},
    {"devtrust_signons", "counter", "", "Sign-ons that ended, by result and cause.", put_signons},
    {"devtrust_rule_signons", "counter", "", "Sign-ons that a rule decided, by application.",
     put_rules},
    {"devtrust_device_verdicts", "counter", "", "What sign-ons found of the device, and why.",
     put_verdicts},
    {"devtrust_mfa_signons", "counter", "",
     "Sign-ons in which a factor answered or was asked, by the last one.", put_factors},
    {"devtrust_signon_duration_seconds", "histogram", "seconds",
     "How long sign-ons took, waits for people included.", put_waits},
    {"devtrust_stale_signons", "counter", "",
     "Sign-ons that used an old answer because a service gave none.", put_stale},
    {"devtrust_signons_waiting", "gauge", "",
     "Sign-ons and look-ups that wait for a person or a service now.", put_waiting},
    {"devtrust_signons_waiting_max", "gauge", "", "How many of these may wait at the same time.",
     put_waiting_max},
    {"devtrust_cache_lookups", "counter", "", "Looks for a kept answer, by question and result.",
     put_kept},
    {"devtrust_service_requests", "counter", "",
     "Requests to services, by HTTP status or by what failed.", put_calls},
    {"devtrust_service_request_duration_seconds", "histogram", "seconds",
     "How long requests to services took, waits in our own queue included.", put_call_times},
    {"devtrust_okta_rate_limit", "gauge", "",
     "Requests that Okta takes in one window, by kind of request.", put_limits},
    {"devtrust_okta_rate_limit_remaining", "gauge", "",
     "Requests that are left of these in the present window.", put_remaining},
    {"devtrust_expiry_timestamp_seconds", "gauge", "seconds",
     "When a certificate, revocation list or account of the configuration ends.", put_expiries},
    {"devtrust_audit_events_lost", "counter", "",
     "Audit events and log lines that could not be written.", put_lost},
    {"devtrust_store_open", "gauge", "", "Whether the store can be used.", put_store},
    {"devtrust_sessions", "gauge", "", "Open sessions that the process looks after.", put_sessions},
    {"devtrust_session_losses", "counter", "",
     "Sessions that no longer met the rule that let them in, by what came of it.", put_losses},
    {"devtrust_config_reloads", "counter", "", "Changed configurations, by what became of them.",
     put_reloads},
    {"devtrust_config_generation", "gauge", "", "Number of the configuration in force.",
     put_generation},
    {"devtrust_config_loaded_timestamp_seconds", "gauge", "seconds",
     "Since when the configuration is in force.", put_loaded},
};

static void put_head_line(writer *w, char const *what, char const *suffix, char const *text)
{
    dt_buf_puts(w->out, what);
    dt_buf_puts(w->out, w->name);
    dt_buf_puts(w->out, suffix);
    dt_buf_putc(w->out, ' ');
    dt_buf_puts(w->out, text);
    dt_buf_putc(w->out, '\n');
}

/* Text 0.0.4 names a family as its samples are named, knows no infos, and no units. */
static void put_head(writer *w, family const *f)
{
    bool const old = w->format == DT_METRICS_PROMETHEUS, info = strcmp(f->type, "info") == 0;
    char const *suffix = !old ? "" : w->counter ? "_total" : info ? "_info" : "";

    put_head_line(w, "# TYPE ", suffix, old && info ? "gauge" : f->type);
    if (!old && f->unit[0] != '\0')
        put_head_line(w, "# UNIT ", suffix, f->unit);
    put_head_line(w, "# HELP ", suffix, f->help);
}

void dt_metrics_text(dt_buf *out, dt_metrics const *m, dt_metrics_sample const *s,
                     dt_metrics_format format)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        family const *f = &families[i];
        writer w = {.out = out,
                    .m = m,
                    .s = s,
                    .format = format,
                    .name = f->name,
                    .counter = strcmp(f->type, "counter") == 0};
        put_head(&w, f);
        f->samples(&w);
    }
    if (format == DT_METRICS_OPENMETRICS)
        dt_buf_puts(out, "# EOF\n");
}
