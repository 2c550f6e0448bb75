/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl policy diff: the policy that is in force here against what an import would make of the
 * org's, rule by rule. */
#include "devtrustctl/policy_import.h"

#include "core/policy/policy.h"
#include "devtrustctl/policy/policy_diff.h"
#include "edge/file.h"

#include <stdlib.h>
#include <string.h>

#define PATH_LEN_MAX 4096
#define JSON_MAX (64 * 1024 * 1024)

typedef struct comparing {
    dt_import_run run;
    char const *policy_file, *zones_file; /* instead of the configuration's */
    char policy_path[PATH_LEN_MAX], zones_path[PATH_LEN_MAX];
    dt_json *ours, *theirs, *our_zones, *their_zones;
    size_t count;
    dt_buf json;
} comparing;

static int read_options(comparing *x, int argc, char **argv, char const **rest, dt_error *e)
{
    dt_policy_source *s = &x->run.source;
    dt_option const options[] = {{"--config", "-c", &s->config, NULL},
                                 {"--application", NULL, &x->run.application, NULL},
                                 {"--policy", NULL, &s->policy, NULL},
                                 {"--app", NULL, &s->app, NULL},
                                 {"--from", NULL, &s->from, NULL},
                                 {"--save", NULL, &s->save, NULL},
                                 {"--policy-file", NULL, &x->policy_file, NULL},
                                 {"--zones", NULL, &x->zones_file, NULL},
                                 {"--skip-zones", NULL, &x->run.skip_zones, NULL},
                                 {"--tighten", NULL, NULL, &x->run.tighten},
                                 {"--json", NULL, NULL, &x->run.json},
                                 {NULL, NULL, NULL, NULL}};
    size_t count = 0;
    int rc = dt_options_parse(options, argc, argv, rest, &count, e);

    if (rc == DT_OK && (count > 0 || x->run.application == NULL))
        return dt_error_set(e, DT_E_INVALID, "diff needs --application NAME");
    if (rc == DT_OK && s->policy != NULL && s->app != NULL)
        return dt_error_set(e, DT_E_INVALID, "use either --policy or --app");
    if (rc == DT_OK && s->from == NULL && s->policy == NULL && s->app == NULL)
        return dt_error_set(e, DT_E_INVALID, "diff needs --policy, --app or --from");
    if (rc == DT_OK && s->from != NULL && s->save != NULL)
        return dt_error_set(e, DT_E_INVALID, "use either --from or --save");
    return rc;
}

/* --- both sides -------------------------------------------------------------------------------- */

static int make_paths(comparing *x, dt_error *e)
{
    dt_config const *c = x->run.site != NULL ? dt_site_config(x->run.site) : NULL;
    dt_buf b;

    if (c == NULL && (x->policy_file == NULL || x->zones_file == NULL))
        return dt_error_set(e, DT_E_NOT_FOUND, "no configuration; name --policy-file and --zones");
    dt_buf_init_fixed(&b, x->policy_path, sizeof(x->policy_path));
    if (x->policy_file != NULL)
        dt_buf_puts(&b, x->policy_file);
    else {
        dt_buf_puts(&b, c->policy.directory);
        dt_buf_putc(&b, '/');
        dt_buf_puts(&b, x->run.application);
        dt_buf_puts(&b, ".json");
    }
    if (dt_buf_error(&b) < 0 ||
        dt_str_copy(x->zones_path, sizeof(x->zones_path),
                    x->zones_file != NULL ? x->zones_file : c->policy.zones_file) != DT_OK)
        return dt_error_set(e, DT_E_LIMIT, "the paths are too long");
    return DT_OK;
}

/* What is here has to be good: a comparison with what does not load would mean nothing. */
static int read_ours(comparing *x, dt_error *e)
{
    dt_zones *zones = NULL;
    dt_policy *policy = NULL;
    int rc = dt_json_file_read(x->zones_path, DT_CTL_ZONES_TEXT_MAX, &x->our_zones, e);

    if (rc == DT_E_NOT_FOUND)
        rc = DT_OK;
    else if (rc == DT_OK)
        rc = dt_zones_parse(x->our_zones, x->zones_path, &zones, e);
    if (rc == DT_OK)
        rc = dt_json_file_read(x->policy_path, DT_POLICY_TEXT_MAX, &x->ours, e);
    if (rc == DT_OK)
        rc = dt_policy_parse(x->ours, x->policy_path, zones, &policy, e);
    dt_policy_free(&policy);
    dt_zones_free(&zones);
    return rc;
}

static void report_refusals(comparing *x)
{
    dt_json *notes = NULL;
    dt_buf list;

    dt_buf_init(&list, JSON_MAX);
    dt_buf_putc(&list, '[');
    dt_buf_put(&list, x->run.notes.p, x->run.notes.len);
    dt_buf_putc(&list, ']');
    if (dt_json_parse(dt_buf_bytes(&list), &notes, NULL) != DT_OK)
        notes = NULL;
    for (size_t i = 0; i < dt_json_size(notes); i++) {
        dt_json const *n = dt_json_at(notes, i);
        char const *kind = dt_json_string(dt_json_get(n, "kind"));
        if (kind != NULL && strcmp(kind, dt_import_kind_name(DT_IMPORT_REFUSED)) == 0)
            dt_err_line("refused \"%s\" %s: %s", dt_json_string(dt_json_get(n, "rule")),
                        dt_json_string(dt_json_get(n, "pointer")),
                        dt_json_string(dt_json_get(n, "text")));
    }
    dt_json_free(&notes);
    dt_buf_free(&list);
}

static int read_theirs(comparing *x, dt_error *e)
{
    int rc = DT_OK;

    if (x->run.counts.of[DT_IMPORT_REFUSED] > 0) {
        report_refusals(x);
        return dt_error_set(e, DT_E_INVALID,
                            "the org's policy cannot be compared as a whole: see import, --tighten "
                            "and --skip-zones");
    }
    rc = dt_json_parse(dt_buf_bytes(&x->run.policy), &x->theirs, e);
    return rc == DT_OK ? dt_json_parse(dt_buf_bytes(&x->run.zones), &x->their_zones, e) : rc;
}

/* --- printing ---------------------------------------------------------------------------------- */

static void on_difference(void *ctx, dt_diff_note const *n)
{
    comparing *x = ctx;
    char const *what = n->zone ? "zone" : "rule";

    dt_buf_puts(&x->json, x->json.len > 0 ? ",{" : "{");
    dt_out_member(&x->json, "kind", dt_diff_kind_name(n->kind));
    dt_out_member(&x->json, what, n->rule);
    dt_out_member(&x->json, "member", n->member);
    dt_out_member(&x->json, "here", n->ours);
    dt_out_member(&x->json, "org", n->theirs);
    dt_buf_putc(&x->json, '}');
    if (x->run.json)
        return;
    if (n->kind == DT_DIFF_ORDER)
        dt_out_line("order     rule \"%s\" is at another position", n->rule);
    else if (n->member[0] == '\0')
        dt_out_line("%-9s %s \"%s\": only %s has it", dt_diff_kind_name(n->kind), what, n->rule,
                    n->kind == DT_DIFF_ADDED ? "the org"
                    : n->zone                ? "the zones file"
                                             : "this policy");
    else
        dt_out_line("%-9s %s \"%s\" %s: here %s, in the org %s", dt_diff_kind_name(n->kind), what,
                    n->rule, n->member, n->ours[0] != '\0' ? n->ours : "nothing",
                    n->theirs[0] != '\0' ? n->theirs : "nothing");
}

static void report_end(comparing *x)
{
    dt_buf line;

    if (!x->run.json) {
        dt_out_line("summary   %zu difference%s", x->count, x->count == 1 ? "" : "s");
        return;
    }
    dt_buf_init(&line, JSON_MAX);
    dt_buf_printf(&line, "{\"count\":%zu,\"differences\":[", x->count);
    dt_buf_put(&line, x->json.p, x->json.len);
    dt_buf_puts(&line, "]}");
    if (dt_buf_error(&line) < 0 || dt_buf_error(&x->json) < 0)
        dt_err_line("the differences are too many for JSON; run it without --json");
    else
        dt_out_buf(&line);
    dt_buf_free(&line);
}

static int compare(comparing *x, dt_error *e)
{
    int rc = dt_import_run_convert(&x->run, e);

    if (rc == DT_OK)
        rc = make_paths(x, e);
    if (rc == DT_OK)
        rc = read_ours(x, e);
    if (rc == DT_OK)
        rc = read_theirs(x, e);
    if (rc == DT_OK)
        rc = dt_policy_diff(x->ours, x->theirs, on_difference, x, &x->count, e);
    if (rc == DT_OK)
        rc = dt_zones_diff(x->our_zones, x->their_zones, on_difference, x, &x->count, e);
    if (rc == DT_OK)
        report_end(x);
    return rc;
}

static void comparing_end(comparing *x)
{
    dt_json_free(&x->ours);
    dt_json_free(&x->theirs);
    dt_json_free(&x->our_zones);
    dt_json_free(&x->their_zones);
    dt_buf_free(&x->json);
    dt_import_run_free(&x->run);
}

dt_ctl_exit dt_policy_diff_run(dt_ctl_command const *self, int argc, char **argv)
{
    comparing *x = calloc(1, sizeof(*x));
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_ctl_exit result = DT_CTL_FAULT;
    dt_error e = {0};

    if (x == NULL || rest == NULL)
        dt_err_line("out of memory");
    else {
        dt_import_run_init(&x->run);
        dt_buf_init(&x->json, JSON_MAX);
        x->run.quiet = true;
        if (read_options(x, argc, argv, rest, &e) != DT_OK)
            result = dt_err_usage(self, &e);
        else if (compare(x, &e) != DT_OK)
            result = dt_err_fault(&e);
        else
            result = x->count > 0 ? DT_CTL_NO : DT_CTL_YES;
        comparing_end(x);
    }
    free(rest);
    free(x);
    return result;
}
