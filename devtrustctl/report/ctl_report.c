/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl report: what became of the sign-ons of some days, as text, as JSON, and as a page. */
#include "devtrustctl/audit_read.h"
#include "devtrustctl/ctl.h"
#include "devtrustctl/device_alias.h"
#include "devtrustctl/options.h"
#include "devtrustctl/registry.h"
#include "devtrustctl/report/report.h"
#include "devtrustctl/site.h"

#include "edge/file.h"
#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

#define SINCE_USUAL "7d"
#define PAGE_MAX (16 * 1024 * 1024) /* above what full tables of the longest texts take */
#define NOTES_MAX 512

typedef struct reporting {
    dt_report_data *report;
    dt_audit_filter filter;
    dt_audit_reading reading;
    char const *config, *file, *html;
    bool json;
    dt_time now;
    char notes[NOTES_MAX]; /* what is not in it */
} reporting;

static int on_event(void *ctx, dt_audit_event const *event)
{
    reporting *x = ctx;

    if (dt_audit_event_matches(event, &x->filter))
        dt_report_add(x->report, event);
    return DT_OK;
}

/* --- enrolled certificates -------------------------------------------------------------------- */

typedef struct enrolled {
    reporting *x;
    dt_site const *site;
} enrolled;

static int on_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    enrolled const *c = ctx;
    dt_trusted_record trusted;
    dt_enrolment *row;

    (void)expires;
    if (dt_device_alias_is_row(key) || dt_registry_is_trusted_row(key, value, &trusted))
        return DT_OK;
    row = calloc(1, sizeof(*row)); /* it holds a whole certificate */
    if (row == NULL)
        return DT_E_NOMEM;
    dt_enrolment_judge(dt_site_anchors(c->site), &dt_site_config(c->site)->device_trust.tenant_id,
                       c->x->now, key, value, row);
    if (row->state == DT_ENROLMENT_JUDGED && row->record.der_len > 0)
        dt_report_add_certificate(c->x->report, row->certificate.device_id.text, row->record.name,
                                  row->certificate.not_after, c->x->now);
    free(row);
    return DT_OK;
}

/* Not of another host's log. What cannot be read is said, and the rest is shown. */
static void read_registry(reporting *x)
{
    dt_site *site = NULL;
    dt_store *store = NULL;
    dt_error e = {0};
    enrolled c = {.x = x};
    dt_buf b;

    if (x->file != NULL)
        return;
    int rc = dt_ctl_store_open(x->config, &site, &store, &e);
    c.site = site;
    if (rc == DT_OK)
        rc = dt_store_each(store, DT_TABLE_DEVICE, x->now, on_row, &c, &e);
    dt_ctl_store_close(&site, &store);
    if (rc == DT_OK)
        return;
    dt_buf_init_fixed(&b, x->notes, sizeof(x->notes));
    dt_buf_puts(&b, "Enrolled certificates are not in this report: ");
    dt_buf_put_escaped(&b, dt_bytes_str(e.text[0] != '\0' ? e.text : dt_err_name(rc)));
    dt_err_line("%s", x->notes);
}

/* --- text and JSON ---------------------------------------------------------------------------- */

static void put_seconds(dt_buf *b, dt_report_waits const *w, unsigned percent)
{
    int64_t const ms = dt_report_percentile(w, percent);

    if (ms < 0)
        dt_buf_printf(b, " %8s", "-");
    else
        dt_buf_printf(b, " %6lld.%lld", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
}

static void print_row(dt_report_table const *t, dt_report_row const *row, char const *others)
{
    dt_buf b;

    dt_buf_init(&b, DT_CTL_LINE_MAX);
    dt_buf_printf(&b, "%9llu", (unsigned long long)row->sign_ons);
    if (t->outcomes) {
        dt_buf_printf(&b, " %9llu %9llu %9llu", (unsigned long long)row->allowed,
                      (unsigned long long)row->refused, (unsigned long long)row->reported);
        put_seconds(&b, &row->waits, 50);
        put_seconds(&b, &row->waits, 95);
    }
    dt_buf_puts(&b, "  ");
    dt_buf_puts(&b, others);
    for (size_t i = 0; others[0] == '\0' && i < DT_REPORT_NAMES_MAX && t->heads[i] != NULL; i++) {
        dt_buf_puts(&b, i > 0 ? ", " : "");
        dt_buf_puts(&b, row->names[i][0] != '\0' ? row->names[i] : "-");
    }
    dt_out_folded(&b);
    dt_buf_free(&b);
}

static void print_table(dt_report_table const *t)
{
    dt_out_line("%s", "");
    dt_out_line("%s", t->title);
    if (t->count == 0) {
        dt_out_line("  none");
        return;
    }
    dt_out_line(t->outcomes ? "%9s %9s %9s %9s %8s %8s" : "%9s", "sign-ons", "let in", "refused",
                "reported", "median s", "95% s");
    for (size_t i = 0; i < t->count; i++)
        print_row(t, &t->rows[i], "");
    if (t->others.sign_ons > 0)
        print_row(t, &t->others, "others");
}

static void print_text(reporting const *x)
{
    char since[25], until[25];

    dt_time_format(since, x->filter.since);
    dt_time_format(until, x->filter.until > 0 ? x->filter.until : x->now);
    dt_out_line(
        "sign-ons from %s to %s: %llu, of which %llu were let in, %llu refused, %llu reported "
        "only",
        since, until, (unsigned long long)x->report->all.sign_ons,
        (unsigned long long)x->report->all.allowed, (unsigned long long)x->report->all.refused,
        (unsigned long long)x->report->all.reported);
    for (size_t i = 0; i < DT_REPORT_KINDS; i++)
        print_table(&x->report->tables[i]);
}

static void put_time_member(dt_buf *b, char const *name, dt_time t)
{
    char text[25];

    dt_time_format(text, t);
    dt_out_member(b, name, text);
}

static void put_counts(dt_buf *b, dt_report_row const *row, bool outcomes)
{
    dt_out_member_int(b, "signOns", (int64_t)row->sign_ons);
    if (outcomes) {
        dt_out_member_int(b, "letIn", (int64_t)row->allowed);
        dt_out_member_int(b, "refused", (int64_t)row->refused);
        dt_out_member_int(b, "reportOnly", (int64_t)row->reported);
    }
    if (outcomes && row->waits.count > 0) {
        dt_out_member_int(b, "waitMedianMs", dt_report_percentile(&row->waits, 50));
        dt_out_member_int(b, "wait95Ms", dt_report_percentile(&row->waits, 95));
    }
    if (row->last > 0)
        put_time_member(b, "last", row->last);
}

/* "Application" is the member "application". */
static void put_names(dt_buf *b, dt_report_table const *t, dt_report_row const *row)
{
    for (size_t i = 0; i < DT_REPORT_NAMES_MAX && t->heads[i] != NULL; i++) {
        char name[32];

        (void)!dt_str_copy(name, sizeof(name), t->heads[i]);
        name[0] = (char)(name[0] + ('a' - 'A'));
        dt_out_member(b, name, row->names[i]);
    }
}

static void print_row_json(dt_report_table const *t, dt_report_row const *row, bool others)
{
    dt_buf b;

    dt_out_begin(&b);
    dt_out_member(&b, "table", t->id);
    if (others)
        dt_out_member_bool(&b, "others", true);
    else
        put_names(&b, t, row);
    put_counts(&b, row, t->outcomes);
    dt_out_finish(&b);
}

static void print_json(reporting const *x)
{
    dt_buf b;

    dt_out_begin(&b);
    dt_out_member(&b, "table", "summary");
    put_time_member(&b, "since", x->filter.since);
    put_time_member(&b, "until", x->filter.until > 0 ? x->filter.until : x->now);
    put_counts(&b, &x->report->all, true);
    dt_out_member_int(&b, "brokenLines", (int64_t)x->reading.broken);
    if (x->notes[0] != '\0')
        dt_out_member(&b, "notes", x->notes);
    dt_out_finish(&b);
    for (size_t i = 0; i < DT_REPORT_KINDS; i++) {
        dt_report_table const *t = &x->report->tables[i];

        for (size_t k = 0; k < t->count; k++)
            print_row_json(t, &t->rows[k], false);
        if (t->others.sign_ons > 0)
            print_row_json(t, &t->others, true);
    }
}

/* --- the command ------------------------------------------------------------------------------ */

static int write_page(reporting *x, dt_error *e)
{
    dt_buf page;
    int rc;

    dt_buf_init(&page, PAGE_MAX);
    dt_report_html(x->report, x->filter.since, x->filter.until, x->notes, x->now, &page);
    rc = dt_buf_error(&page);
    if (rc < 0)
        rc = dt_error_set(e, rc, "%s: no memory for the page", x->html);
    else
        rc = dt_file_write(x->html, dt_buf_bytes(&page), true, 0600, e);
    dt_buf_free(&page);
    return rc;
}

static dt_ctl_exit run(reporting *x)
{
    dt_error e = {0};

    x->reading = (dt_audit_reading){.on_event = on_event, .ctx = x, .since = x->filter.since};
    if (dt_audit_read(&x->reading, x->config, x->file, &e) < 0)
        return dt_err_fault(&e);
    read_registry(x);
    dt_report_finish(x->report);
    if (x->html != NULL && write_page(x, &e) < 0)
        return dt_err_fault(&e);
    if (x->json)
        print_json(x);
    else if (x->html == NULL)
        print_text(x);
    if (x->reading.fault)
        return DT_CTL_FAULT;
    return x->report->all.sign_ons > 0 ? DT_CTL_YES : DT_CTL_NO;
}

static int read_options(reporting *x, int argc, char **argv, char const **rest, dt_error *e)
{
    char const *since = NULL, *until = NULL;
    dt_option const options[] = {{"--config", "-c", &x->config, NULL},
                                 {"--file", NULL, &x->file, NULL},
                                 {"--since", NULL, &since, NULL},
                                 {"--until", NULL, &until, NULL},
                                 {"--application", NULL, &x->filter.application, NULL},
                                 {"--user", NULL, &x->filter.user, NULL},
                                 {"--html", NULL, &x->html, NULL},
                                 {"--json", NULL, NULL, &x->json},
                                 {NULL, NULL, NULL, NULL}};
    size_t count = 0;
    int rc = dt_options_parse(options, argc, argv, rest, &count, e);

    if (rc == DT_OK && count > 0)
        rc = dt_error_set(e, DT_E_INVALID, "takes options only; write a page with --html FILE");
    if (rc == DT_OK)
        rc = dt_audit_since(since != NULL ? since : SINCE_USUAL, &x->filter.since, e);
    if (rc == DT_OK)
        rc = dt_audit_until(until, &x->filter.until, e);
    return rc;
}

dt_ctl_exit dt_ctl_report(dt_ctl_command const *self, int argc, char **argv)
{
    reporting x = {.now = dt_host_now(), .report = dt_report_new()};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_error e = {0};
    dt_ctl_exit result;
    int rc = rest == NULL || x.report == NULL ? dt_error_set(&e, DT_E_NOMEM, "out of memory")
                                              : read_options(&x, argc, argv, rest, &e);

    result = rc == DT_OK ? run(&x) : dt_err_usage(self, &e);
    dt_report_free(&x.report);
    free(rest);
    return result;
}
