/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl log: searches the audit events as one searches Okta's System Log. Any number of events
 * goes through in constant memory: only the last N, where they are asked for, are held. */
#include "devtrustctl/audit_files.h"
#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"

#include "edge/file.h"
#include "edge/host.h"
#include "edge/ini.h"
#include "edge/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST_MAX 10000      /* most events that are held back for --last */
#define BROKEN_SHOWN_MAX 20 /* broken lines of one file that are told one by one */
#define STDIN_NAME "standard input"

typedef struct log_search {
    dt_audit_filter filter;
    bool json, explain;
    char const *file; /* being read */
    size_t broken;    /* lines of it that are no events */
    size_t found;
    char **last; /* a ring of `last_count` lines; NULL without --last */
    size_t last_count;
    bool fault;
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
static void put_lines(char const *text)
{
    while (text != NULL && *text != '\0') {
        size_t len = strcspn(text, "\n");
        dt_buf b;

        dt_buf_init(&b, DT_CTL_LINE_MAX);
        dt_buf_put(&b, text, len);
        dt_out_buf(&b);
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
        put_lines((char const *)line.p);
    s->found++;
    dt_buf_free(&line);
    return rc;
}

static void say_broken(log_search *s, size_t number, char const *why)
{
    if (s->broken++ < BROKEN_SHOWN_MAX)
        dt_err_line("%s:%zu: %s; passed over", s->file, number, why);
}

static int on_line(void *ctx, size_t number, dt_bytes line, bool too_long)
{
    log_search *s = ctx;
    dt_audit_event event;
    dt_error e = {0};
    int rc = DT_OK;

    if (line.len == 0)
        return DT_OK;
    if (too_long) {
        say_broken(s, number, "longer than any audit event");
        return DT_OK;
    }
    if (dt_audit_event_read(line, &event, &e) < 0) {
        say_broken(s, number, e.text);
        return DT_OK;
    }
    if (dt_audit_event_matches(&event, &s->filter))
        rc = show(s, &event);
    dt_audit_event_free(&event);
    return rc;
}

/* --- files ------------------------------------------------------------------------------------ */

static int open_file(char const *path, dt_error *e)
{
    struct stat st;
    /* O_NONBLOCK: a FIFO without a writer must not hold us up. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return dt_error_set(e, DT_E_INVALID, "%s is not a regular file", path);
    }
    return fd;
}

static int read_lines(log_search *s, int fd, char const *name, dt_error *e)
{
    int rc;

    s->file = name;
    s->broken = 0;
    rc = dt_audit_lines(fd, on_line, s, e);
    if (s->broken > BROKEN_SHOWN_MAX)
        dt_err_line("%s: %zu more lines are no audit events", name, s->broken - BROKEN_SHOWN_MAX);
    if (rc < 0 && e->code == 0)
        (void)dt_error_set(e, rc, "out of memory");
    else if (rc < 0)
        (void)dt_error_prefix(e, "%s", name);
    return rc;
}

/* A file that cannot be read is said and passed over: the others may hold what is looked for. */
static void read_file(log_search *s, char const *path)
{
    dt_error e = {0};
    int fd = open_file(path, &e);
    int rc = fd < 0 ? fd : read_lines(s, fd, path, &e);

    if (fd >= 0)
        close(fd);
    if (rc < 0) {
        (void)dt_err_fault(&e);
        s->fault = true;
    }
}

static int read_stdin(log_search *s)
{
    dt_error e = {0};

    if (read_lines(s, STDIN_FILENO, STDIN_NAME, &e) < 0) {
        (void)dt_err_fault(&e);
        s->fault = true;
    }
    return DT_OK;
}

static int read_rotated(log_search *s, char const *path, dt_error *e)
{
    dt_audit_files files;
    int rc = dt_audit_files_find(path, &files, e);

    if (rc < 0)
        return rc;
    if (files.compressed > 0)
        dt_err_line("%zu compressed files beside %s were not read; unpack one and name it with -f, "
                    "or: zcat FILE | devtrustctl log -f -",
                    files.compressed, path);
    for (size_t i = 0; i < files.count; i++)
        read_file(s, files.paths[i]);
    dt_audit_files_free(&files);
    return DT_OK;
}

/* Only the configuration is read: what is wrong elsewhere must not hide the log that tells of it. */
static int audit_path(char const *config_path, dt_config **config, dt_error *e)
{
    dt_buf text;
    int rc;

    *config = NULL;
    if (config_path == NULL)
        config_path = DT_CONFIG_DEFAULT_PATH;
    dt_buf_init(&text, DT_CONFIG_FILE_MAX);
    rc = dt_file_read(config_path, DT_FILE_TRUSTED, DT_CONFIG_FILE_MAX, &text, e);
    if (rc == DT_OK)
        rc = dt_config_new(config, e);
    if (rc == DT_OK)
        rc = dt_ini_parse(dt_buf_bytes(&text), config_path, *config, e);
    if (rc == DT_OK && (*config)->audit.file[0] == '\0')
        rc =
            dt_error_set(e, DT_E_NOT_FOUND,
                         "%s: [audit] file is empty: no events are written to a file", config_path);
    dt_buf_free(&text);
    return rc;
}

static int search(log_search *s, char const *config_path, char const *file, dt_error *e)
{
    dt_config *config = NULL;
    int rc;

    if (file != NULL && strcmp(file, "-") == 0)
        return read_stdin(s);
    if (file != NULL) {
        read_file(s, file);
        return DT_OK;
    }
    rc = audit_path(config_path, &config, e);
    if (rc == DT_OK)
        rc = read_rotated(s, config->audit.file, e);
    dt_config_free(&config);
    return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

static void print_last(log_search *s)
{
    size_t count = s->found < s->last_count ? s->found : s->last_count;

    for (size_t i = s->found - count; i < s->found; i++) {
        put_lines(s->last[i % s->last_count]);
    }
}

static void free_last(log_search *s)
{
    for (size_t i = 0; s->last != NULL && i < s->last_count; i++)
        free(s->last[i]);
    free(s->last);
    s->last = NULL;
}

/* An age counts from now. */
static int take_since(char const *text, dt_time *since, dt_error *e)
{
    int64_t age = 0;
    dt_time now = dt_host_now();

    if (text == NULL)
        return DT_OK;
    if (dt_duration_parse(text, &age) == DT_OK && age >= 0) {
        *since = age < now ? now - age : 0;
        return DT_OK;
    }
    if (dt_time_parse(text, since) == DT_OK)
        return DT_OK;
    return dt_error_set(e, DT_E_INVALID,
                        "--since wants an age such as 30m, 1h or 7d, or a time such as "
                        "2026-11-23T08:00:00Z");
}

static int take_last(log_search *s, char const *text, dt_error *e)
{
    size_t n = 0;

    if (text == NULL)
        return DT_OK;
    for (char const *p = text; *p != '\0' && n <= LAST_MAX; p++)
        n = *p >= '0' && *p <= '9' ? 10 * n + (size_t)(*p - '0') : LAST_MAX + 1;
    if (n == 0 || n > LAST_MAX)
        return dt_error_set(e, DT_E_INVALID, "--last wants a number from 1 to %d", LAST_MAX);
    s->last = calloc(n, sizeof(*s->last));
    s->last_count = n;
    return s->last != NULL ? DT_OK : dt_error_set(e, DT_E_NOMEM, "out of memory");
}

static dt_ctl_exit run(log_search *s, char const *config, char const *file)
{
    dt_error e = {0};

    if (search(s, config, file, &e) < 0)
        return dt_err_fault(&e);
    if (s->last != NULL)
        print_last(s);
    if (s->fault)
        return DT_CTL_FAULT;
    return s->found > 0 ? DT_CTL_YES : DT_CTL_NO;
}

dt_ctl_exit dt_ctl_log(dt_ctl_command const *self, int argc, char **argv)
{
    log_search s = {0};
    char const *config = NULL, *file = NULL, *since = NULL, *last = NULL;
    dt_option const options[] = {{"--config", "-c", &config, NULL},
                                 {"--file", "-f", &file, NULL},
                                 {"--query", NULL, &s.filter.query, NULL},
                                 {"--since", NULL, &since, NULL},
                                 {"--user", NULL, &s.filter.user, NULL},
                                 {"--application", NULL, &s.filter.application, NULL},
                                 {"--result", NULL, &s.filter.result, NULL},
                                 {"--last", "-n", &last, NULL},
                                 {"--id", NULL, &s.filter.id, NULL},
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
        rc = dt_error_set(&e, DT_E_INVALID, "takes options only; search with --query TEXT");
    if (rc == DT_OK)
        rc = take_since(since, &s.filter.since, &e);
    if (rc == DT_OK)
        rc = take_last(&s, last, &e);
    x = rc < 0 ? dt_err_usage(self, &e) : run(&s, config, file);
    free_last(&s);
    free(rest);
    return x;
}
