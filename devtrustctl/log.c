/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl log: searches the audit events as one searches Okta's System Log. Any number of events
 * goes through in constant memory: only the last N, where they are asked for, are held. */
#include "devtrustctl/audit_read.h"
#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST_MAX 10000 /* most events that are held back for --last */
#define FOLLOW_LAST 10 /* events of before that --follow begins with, like tail(1) */

typedef struct log_search {
    dt_audit_filter filter;
    char code[DT_REFUSAL_CODE_MAX];
    bool json, explain, follow;
    size_t found;
    char **last; /* a ring of `last_count` lines; NULL without --last */
    size_t last_count;
} log_search;

/* --- lines ------------------------------------------------------------------------------------ */

static int keep(log_search *s, dt_buf const *line)
{
    char **slot = &s->last[s->found % s->last_count];

    free(*slot);
    *slot = strdup(line->p != NULL ? (char const *)line->p : "");
    return *slot != NULL ? DT_OK : DT_E_NOMEM;
}

/* An event, and below it the lines that explain it; what came from outside has no line ends. */
static void put_lines(char const *text, bool as_is)
{
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, "\n");
        dt_buf b;

        dt_buf_init(&b, DT_CTL_LINE_MAX);
        dt_buf_put(&b, text, len);
        if (as_is)
            dt_out_buf(&b);
        else
            dt_out_folded(&b);
        dt_buf_free(&b);
        text += len + (text[len] == '\n' ? 1 : 0);
    }
}

static int show(log_search *s, dt_audit_event const *event)
{
    dt_buf line;
    int rc = DT_OK;

    dt_buf_init(&line, DT_CTL_LINE_MAX);
    if (s->json)
        dt_audit_event_print_json(event, &line);
    else
        dt_audit_event_print(event, &line);
    if (s->explain && !s->json)
        dt_audit_event_print_explanation(event, &line);
    if (dt_buf_error(&line) < 0)
        rc = dt_buf_error(&line);
    else if (s->last != NULL)
        rc = keep(s, &line);
    else
        put_lines((char const *)line.p, s->json);
    s->found++;
    dt_buf_free(&line);
    return rc;
}

static int on_event(void *ctx, dt_audit_event const *event)
{
    log_search *s = ctx;

    return dt_audit_event_matches(event, &s->filter) ? show(s, event) : DT_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

static void print_last(log_search *s)
{
    size_t count = s->found < s->last_count ? s->found : s->last_count;

    for (size_t i = s->found - count; i < s->found; i++) {
        put_lines(s->last[i % s->last_count], s->json);
    }
}

static void free_last(log_search *s)
{
    for (size_t i = 0; s->last != NULL && i < s->last_count; i++)
        free(s->last[i]);
    free(s->last);
    s->last = NULL;
}

static int take_last(log_search *s, char const *text, dt_error *e)
{
    size_t n = s->follow && s->filter.since == 0 ? FOLLOW_LAST : 0;

    if (text == NULL && n == 0)
        return DT_OK;
    if (text != NULL)
        n = 0;
    for (char const *p = text; p != NULL && *p != '\0' && n <= LAST_MAX; p++)
        n = *p >= '0' && *p <= '9' ? 10 * n + (size_t)(*p - '0') : LAST_MAX + 1;
    if (n == 0 || n > LAST_MAX)
        return dt_error_set(e, DT_E_INVALID, "--last needs a number from 1 to %d", LAST_MAX);
    s->last = calloc(n, sizeof(*s->last));
    s->last_count = n;
    return s->last != NULL ? DT_OK : dt_error_set(e, DT_E_NOMEM, "out of memory");
}

static int take_code(log_search *s, char const *text, dt_error *e)
{
    if (text == NULL)
        return DT_OK;
    if (dt_refusal_code_read(text, s->code) < 0)
        return dt_error_set(e, DT_E_INVALID,
                            "--code needs the 8 letters and digits that the person was shown, such "
                            "as 04HM-ASW9; the letter U is never among them");
    s->filter.code = s->code;
    return DT_OK;
}

/* All that is there has been shown. */
static int on_idle(void *ctx)
{
    log_search *s = ctx;

    if (s->last != NULL)
        print_last(s);
    free_last(s);
    return fflush(stdout) == 0 ? DT_OK : DT_E_GONE;
}

static dt_ctl_exit run(log_search *s, char const *config, char const *file)
{
    dt_audit_reading reading = {.on_event = on_event,
                                .ctx = s,
                                .since = s->filter.since,
                                .on_idle = s->follow ? on_idle : NULL};
    dt_error e = {0};

    if (dt_audit_read(&reading, config, file, &e) < 0)
        return dt_err_fault(&e);
    if (s->last != NULL)
        print_last(s);
    if (reading.fault)
        return DT_CTL_FAULT;
    return s->found > 0 ? DT_CTL_YES : DT_CTL_NO;
}

dt_ctl_exit dt_ctl_log(dt_ctl_command const *self, int argc, char **argv)
{
    log_search s = {0};
    char const *config = NULL, *file = NULL, *since = NULL, *until = NULL, *last = NULL,
               *code = NULL;
    dt_option const options[] = {{"--config", "-c", &config, NULL},
                                 {"--file", NULL, &file, NULL},
                                 {"--follow", "-f", NULL, &s.follow},
                                 {"--query", NULL, &s.filter.query, NULL},
                                 {"--since", NULL, &since, NULL},
                                 {"--until", NULL, &until, NULL},
                                 {"--user", NULL, &s.filter.user, NULL},
                                 {"--application", NULL, &s.filter.application, NULL},
                                 {"--result", NULL, &s.filter.result, NULL},
                                 {"--last", "-n", &last, NULL},
                                 {"--id", NULL, &s.filter.id, NULL},
                                 {"--code", NULL, &code, NULL},
                                 {"--explain", NULL, NULL, &s.explain},
                                 {"--report-only", NULL, NULL, &s.filter.report_only},
                                 {"--json", NULL, NULL, &s.json},
                                 {NULL, NULL, NULL, NULL}};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_error e = {0};
    size_t count = 0;
    dt_ctl_exit x = DT_CTL_FAULT;
    int rc = rest != NULL ? DT_OK : dt_error_set(&e, DT_E_NOMEM, "out of memory");

    if (rc == DT_OK)
        rc = dt_options_parse(options, argc, argv, rest, &count, &e);
    if (rc == DT_OK && count > 0)
        rc = dt_error_set(&e, DT_E_INVALID,
                          "takes options only; search with --query TEXT, name a file with --file "
                          "FILE");
    if (rc == DT_OK && s.follow && (until != NULL || (file != NULL && strcmp(file, "-") == 0)))
        rc = dt_error_set(&e, DT_E_INVALID,
                          "--follow waits for events that are still to come in a file: not with "
                          "--until, and not with --file -");
    if (rc == DT_OK)
        rc = dt_audit_since(since, &s.filter.since, &e);
    if (rc == DT_OK)
        rc = dt_audit_until(until, &s.filter.until, &e);
    if (rc == DT_OK)
        rc = take_code(&s, code, &e);
    if (rc == DT_OK)
        rc = take_last(&s, last, &e);
    x = rc < 0 ? dt_err_usage(self, &e) : run(&s, config, file);
    free_last(&s);
    free(rest);
    return x;
}
