/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl policy import: an Okta policy becomes a policy file and zones of ours. Each is written
 * whole or not at all, and what is wrong with either is found before the first is. */
#include "devtrustctl/policy_import.h"

#include "devtrustctl/certificate_file.h"
#include "devtrustctl/policy_simulate.h"

#include "core/policy/policy.h"
#include "edge/file.h"
#include "edge/geo_maxmind.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOTES_MAX (16 * 1024 * 1024)
#define PATH_LEN_MAX 4096
#define POLICY_MODE 0644 /* the modules run as users of their own */
#define INDENT 4

/* --- converting -------------------------------------------------------------------------------- */

void dt_import_run_init(dt_import_run *r)
{
    dt_buf_init(&r->notes, NOTES_MAX);
    dt_buf_init(&r->policy, DT_POLICY_TEXT_MAX);
    dt_buf_init(&r->zones, DT_CTL_ZONES_TEXT_MAX);
}

void dt_import_run_free(dt_import_run *r)
{
    dt_buf_free(&r->zones);
    dt_buf_free(&r->policy);
    dt_buf_free(&r->notes);
    dt_json_free(&r->document);
    dt_site_free(&r->site);
}

static void on_note(void *ctx, dt_import_note const *n)
{
    dt_import_run *r = ctx;

    if (!r->json && !r->quiet && n->rule[0] != '\0')
        dt_out_line("%-9s \"%s\" %s: %s", dt_import_kind_name(n->kind), n->rule, n->pointer,
                    n->text);
    else if (!r->json && !r->quiet)
        dt_out_line("%-9s %s: %s", dt_import_kind_name(n->kind), n->pointer, n->text);
    dt_buf_puts(&r->notes, r->notes.len > 0 ? ",{" : "{");
    dt_out_member(&r->notes, "kind", dt_import_kind_name(n->kind));
    dt_out_member(&r->notes, "rule", n->rule);
    dt_out_member(&r->notes, "pointer", n->pointer);
    dt_out_member(&r->notes, "text", n->text);
    dt_buf_putc(&r->notes, '}');
}

int dt_import_run_convert(dt_import_run *r, dt_error *e)
{
    dt_import_options o = {.file = r->source.from != NULL ? r->source.from : "the org's answers",
                           .application = r->application,
                           .org = r->source.org,
                           .tighten = r->tighten,
                           .report = on_note,
                           .ctx = r};
    int rc = dt_names_split(r->skip_zones, r->skip_storage, o.skip_zones, e);

    if (rc == DT_OK)
        rc = dt_policy_document_get(&r->source, &r->site, &r->document, &o.policy, &o.app, e);
    if (rc == DT_OK)
        rc = dt_okta_import(r->document, &o, &r->policy, &r->zones, &r->counts, e);
    return rc;
}

/* --- the command line -------------------------------------------------------------------------- */

typedef struct importing {
    dt_import_run run;
    char const *directory, *zones_file; /* instead of the configuration's */
    char const *max_cases;
    size_t most; /* cases to simulate */
    bool replace, dry_run, simulate;
    char policy_path[PATH_LEN_MAX], zones_path[PATH_LEN_MAX];
    size_t zones_kept;
    bool overwrites; /* a policy, or another zone, that is there already */
} importing;

/* A file of the name must lie in the directory and nowhere else. */
static bool is_application(char const *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    return s[0] != '\0' && s[n] == '\0' && n < DT_APPLICATION_MAX && s[0] != '.' && s[0] != '-';
}

static int check_org_options(importing const *x, dt_error *e)
{
    dt_policy_source const *s = &x->run.source;

    if (x->run.application != NULL || s->policy != NULL || s->app != NULL || x->directory != NULL)
        return dt_error_set(
            e, DT_E_INVALID,
            "--org-sign-on cannot be used with --application, --policy, --app or --directory");
    if (s->from != NULL && s->save != NULL)
        return dt_error_set(e, DT_E_INVALID, "use either --from or --save");
    return DT_OK;
}

/* The simulation asks the org about its policy as it is now, and nothing is written. */
static int check_simulate_options(importing *x, dt_error *e)
{
    dt_policy_source const *s = &x->run.source;

    if (x->max_cases != NULL && !x->simulate)
        return dt_error_set(e, DT_E_INVALID, "--max-cases can only be used with --simulate");
    if (x->simulate && (s->org || s->from != NULL || x->replace))
        return dt_error_set(e, DT_E_INVALID,
                            "--simulate cannot be used with --org-sign-on, --from or --replace");
    return dt_policy_simulate_most(x->max_cases, &x->most, e);
}

static int read_options(importing *x, int argc, char **argv, char const **rest, dt_error *e)
{
    dt_policy_source *s = &x->run.source;
    dt_option const options[] = {{"--config", "-c", &s->config, NULL},
                                 {"--application", NULL, &x->run.application, NULL},
                                 {"--policy", NULL, &s->policy, NULL},
                                 {"--app", NULL, &s->app, NULL},
                                 {"--org-sign-on", NULL, NULL, &s->org},
                                 {"--from", NULL, &s->from, NULL},
                                 {"--save", NULL, &s->save, NULL},
                                 {"--directory", NULL, &x->directory, NULL},
                                 {"--zones", NULL, &x->zones_file, NULL},
                                 {"--skip-zones", NULL, &x->run.skip_zones, NULL},
                                 {"--replace", NULL, NULL, &x->replace},
                                 {"--tighten", NULL, NULL, &x->run.tighten},
                                 {"--dry-run", NULL, NULL, &x->dry_run},
                                 {"--simulate", NULL, NULL, &x->simulate},
                                 {"--max-cases", NULL, &x->max_cases, NULL},
                                 {"--json", NULL, NULL, &x->run.json},
                                 {NULL, NULL, NULL, NULL}};
    size_t count = 0;
    int rc = dt_options_parse(options, argc, argv, rest, &count, e);

    if (rc != DT_OK)
        return rc;
    if (count > 0)
        return dt_error_set(e, DT_E_INVALID, "import takes options only");
    rc = check_simulate_options(x, e);
    if (rc != DT_OK)
        return rc;
    if (s->org)
        return check_org_options(x, e);
    if (x->run.application == NULL || !is_application(x->run.application))
        return dt_error_set(
            e, DT_E_INVALID,
            "import needs --application NAME, a PAM service or a RADIUS application");
    if (s->policy != NULL && s->app != NULL)
        return dt_error_set(e, DT_E_INVALID, "use either --policy or --app");
    if (s->from == NULL && s->policy == NULL && s->app == NULL)
        return dt_error_set(e, DT_E_INVALID, "import needs --policy, --app or --from");
    if (s->from != NULL && s->save != NULL)
        return dt_error_set(e, DT_E_INVALID, "use either --from or --save");
    return DT_OK;
}

/* --- where to ---------------------------------------------------------------------------------- */

static int make_paths(importing *x, dt_error *e)
{
    dt_config const *c = x->run.site != NULL ? dt_site_config(x->run.site) : NULL;
    char const *directory = x->directory, *zones = x->zones_file;
    dt_buf b;

    if (c != NULL && directory == NULL)
        directory = c->policy.directory;
    if (c != NULL && zones == NULL)
        zones = c->policy.zones_file;
    if (zones == NULL || (x->run.source.org ? c == NULL : directory == NULL))
        return dt_error_set(e, DT_E_NOT_FOUND, "no configuration; name --directory and --zones");
    dt_buf_init_fixed(&b, x->policy_path, sizeof(x->policy_path));
    if (x->run.source.org) {
        dt_buf_puts(&b, c->policy.org_file);
    } else {
        dt_buf_puts(&b, directory);
        dt_buf_putc(&b, '/');
        dt_buf_puts(&b, x->run.application);
        dt_buf_puts(&b, ".json");
    }
    if (dt_buf_error(&b) < 0 || dt_str_copy(x->zones_path, sizeof(x->zones_path), zones) != DT_OK)
        return dt_error_set(e, DT_E_LIMIT, "the paths are too long");
    return DT_OK;
}

/* --- zones ------------------------------------------------------------------------------------- */

static dt_json const *zone_named(dt_json const *root, char const *name)
{
    dt_json const *zones = dt_json_get(root, "zones");

    for (size_t i = 0; i < dt_json_size(zones); i++) {
        char const *is = dt_json_string(dt_json_get(dt_json_at(zones, i), "name"));
        if (is != NULL && name != NULL && strcmp(is, name) == 0)
            return dt_json_at(zones, i);
    }
    return NULL;
}

static bool is_same(dt_json const *a, dt_json const *b)
{
    dt_buf x, y;
    bool same;

    dt_buf_init(&x, DT_CTL_ZONES_TEXT_MAX);
    dt_buf_init(&y, DT_CTL_ZONES_TEXT_MAX);
    dt_json_put_value(&x, a, 0);
    dt_json_put_value(&y, b, 0);
    same = dt_buf_error(&x) == 0 && dt_buf_error(&y) == 0 &&
           dt_bytes_equal(dt_buf_bytes(&x), dt_buf_bytes(&y));
    dt_buf_free(&x);
    dt_buf_free(&y);
    return same;
}

/* The file's other zones stay: other policies may name them. One that is another there is replaced
 * only with --replace. */
static int merge_zones(importing *x, dt_json const *old, dt_json const *made, dt_buf *out,
                       dt_error *e)
{
    dt_json const *zones = dt_json_get(made, "zones"), *others = dt_json_get(old, "zones");
    char shown[DT_POLICY_NAME_MAX];
    bool first = true;

    dt_buf_puts(out, "{\"zones\":[");
    for (size_t i = 0; i < dt_json_size(zones); i++) {
        char const *name = dt_json_string(dt_json_get(dt_json_at(zones, i), "name"));
        dt_json const *same = zone_named(old, name);
        bool other = same != NULL && !is_same(same, dt_json_at(zones, i));
        x->overwrites = x->overwrites || other;
        if (other && !x->replace && !x->dry_run)
            return dt_error_set(e, DT_E_EXISTS, "%s has another zone \"%s\"; see --replace",
                                x->zones_path, dt_str_escape(shown, sizeof(shown), name));
        dt_buf_puts(out, first ? "" : ",");
        dt_json_put_value(out, dt_json_at(zones, i), 0);
        first = false;
    }
    for (size_t i = 0; i < dt_json_size(others); i++) {
        char const *name = dt_json_string(dt_json_get(dt_json_at(others, i), "name"));
        if (zone_named(made, name) != NULL)
            continue;
        dt_buf_puts(out, first ? "" : ",");
        dt_json_put_value(out, dt_json_at(others, i), 0);
        first = false;
        x->zones_kept++;
    }
    dt_buf_puts(out, "]}");
    return dt_buf_error(out) == DT_OK
               ? DT_OK
               : dt_error_set(e, dt_buf_error(out), "the zones take too much memory");
}

/* The zones as they will be: *out is the tree, or NULL when the file need not change. */
static int zones_make(importing *x, dt_json **out, dt_error *e)
{
    dt_json *old = NULL, *made = NULL;
    dt_error why = {0};
    dt_buf text;
    int rc = dt_json_file_read(x->zones_path, DT_CTL_ZONES_TEXT_MAX, &old, &why);

    *out = NULL;
    dt_buf_init(&text, DT_CTL_ZONES_TEXT_MAX);
    if (rc == DT_E_NOT_FOUND)
        rc = DT_OK;
    else if (rc != DT_OK)
        *e = why;
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(&x->run.zones), &made, e);
    if (rc == DT_OK)
        rc = merge_zones(x, old, made, &text, e);
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(&text), out, e);
    dt_buf_free(&text);
    dt_json_free(&made);
    dt_json_free(&old);
    return rc;
}

/* --- writing ----------------------------------------------------------------------------------- */

/* A zone of places or providers that the site's databases cannot answer would keep everybody out. For
 * files elsewhere nobody knows which databases will be there. */
static int check_databases(importing const *x, dt_zones *z, dt_geo **geo, dt_error *e)
{
    dt_config const *c = x->run.site != NULL ? dt_site_config(x->run.site) : NULL;
    int rc;

    if (c == NULL || x->zones_file != NULL)
        return DT_OK;
    rc = dt_geo_open(c, geo, e);
    return rc == DT_OK ? dt_zones_set_geo(z, *geo, x->zones_path, e) : rc;
}

/* Both are held to what a login holds them to before anything is written. */
static int check_both(importing const *x, dt_json const *zones, dt_json const *policy, dt_error *e)
{
    dt_geo *geo = NULL;
    dt_zones *z = NULL;
    dt_policy *p = NULL;
    int rc = dt_zones_parse(zones, x->zones_path, &z, e);

    if (rc == DT_OK)
        rc = check_databases(x, z, &geo, e);
    if (rc == DT_OK)
        rc = (x->run.source.org ? dt_org_policy_parse : dt_policy_parse)(policy, x->policy_path, z,
                                                                         &p, e);
    dt_policy_free(&p);
    dt_zones_free(&z);
    dt_geo_free(&geo);
    return rc;
}

static int write_json(char const *path, dt_json const *v, bool replace, dt_error *e)
{
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_CTL_ZONES_TEXT_MAX);
    dt_json_put_value(&text, v, INDENT);
    dt_buf_putc(&text, '\n');
    rc = dt_buf_error(&text);
    if (rc != DT_OK)
        (void)dt_error_set(e, rc, "%s takes too much memory", path);
    else
        rc = dt_file_write(path, dt_buf_bytes(&text), replace, POLICY_MODE, e);
    dt_buf_free(&text);
    return rc;
}

static bool has_folder(char const *path)
{
    char folder[PATH_LEN_MAX];
    char *slash;

    if (dt_str_copy(folder, sizeof(folder), path) != DT_OK)
        return false;
    slash = strrchr(folder, '/');
    if (slash == NULL)
        return true; /* the working directory */
    *(slash == folder ? slash + 1 : slash) = '\0';
    return dt_path_is_folder(folder);
}

/* Whether a policy may be put there; asked before the zones are touched. */
static int check_free(importing *x, dt_error *e)
{
    dt_json *old = NULL;
    dt_error why = {0};
    int rc = dt_json_file_read(x->policy_path, DT_POLICY_TEXT_MAX, &old, &why);

    dt_json_free(&old);
    if (rc == DT_E_NOT_FOUND && !has_folder(x->policy_path))
        return dt_error_set(e, DT_E_NOT_FOUND, "%s: its directory does not exist", x->policy_path);
    if (rc == DT_E_NOT_FOUND)
        return DT_OK;
    if (rc == DT_OK || rc == DT_E_PARSE) {
        x->overwrites = true;
        return x->replace || x->dry_run
                   ? DT_OK
                   : dt_error_set(e, DT_E_EXISTS, "%s already exists; see --replace",
                                  x->policy_path);
    }
    *e = why;
    return rc;
}

/* A zones file that the configuration names has to be there, if only with an empty list. */
static bool zones_are_written(importing const *x, dt_json const *zones)
{
    return dt_json_size(dt_json_get(zones, "zones")) > 0 ||
           (x->zones_file == NULL &&
            dt_config_line(dt_site_config(x->run.site), "policy", "zones_file") > 0);
}

/* The zones first: a policy whose zones are missing would not load. */
static int write_both(importing *x, dt_error *e)
{
    dt_json *zones = NULL, *policy = NULL;
    int rc = make_paths(x, e);

    if (rc == DT_OK)
        rc = check_free(x, e);
    if (rc == DT_OK)
        rc = zones_make(x, &zones, e);
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(&x->run.policy), &policy, e);
    if (rc == DT_OK)
        rc = check_both(x, zones, policy, e);
    if (rc == DT_OK && !x->dry_run && zones_are_written(x, zones))
        rc = write_json(x->zones_path, zones, true, e);
    if (rc == DT_OK && !x->dry_run)
        rc = write_json(x->policy_path, policy, x->replace, e);
    dt_json_free(&policy);
    dt_json_free(&zones);
    return rc;
}

/* --- printing ---------------------------------------------------------------------------------- */

static void print_result_json(importing *x, bool written)
{
    dt_buf *b = &x->run.notes, out;

    dt_buf_init(&out, DT_CTL_ZONES_TEXT_MAX);
    dt_buf_puts(&out, "{\"application\":");
    dt_json_put_string(&out, x->run.source.org ? "" : x->run.application);
    dt_buf_puts(&out, written ? ",\"written\":true" : ",\"written\":false");
    for (int k = 0; k < DT_IMPORT_KINDS; k++)
        dt_buf_printf(&out, ",\"%s\":%zu", dt_import_kind_name((dt_import_kind)k),
                      x->run.counts.of[k]);
    dt_buf_puts(&out, ",\"policy\":");
    dt_buf_puts(&out, x->run.policy.len > 0 ? (char const *)x->run.policy.p : "null");
    dt_buf_puts(&out, ",\"zones\":");
    dt_buf_puts(&out, x->run.zones.len > 0 ? (char const *)x->run.zones.p : "null");
    dt_buf_puts(&out, ",\"notes\":[");
    dt_buf_put(&out, b->p, b->len);
    dt_buf_puts(&out, "]}");
    if (dt_buf_error(&out) < 0 || dt_buf_error(b) < 0)
        dt_err_line("the report is too large for JSON; run it without --json");
    else
        dt_out_buf(&out);
    dt_buf_free(&out);
}

/* A policy says who may pass, and not that only people of the app may: at Okta nobody else gets to it. */
static void print_okta_app(importing const *x)
{
    dt_config const *c = x->run.site != NULL ? dt_site_config(x->run.site) : NULL;
    char const *app = x->run.source.app;
    char section[DT_CONFIG_SECTION_MAX];

    if (x->run.source.org || c == NULL || c->policy.okta_app[0] != '\0' ||
        snprintf(section, sizeof(section), "application %s", x->run.application) < 0 ||
        dt_config_line(c, section, "okta_app") > 0)
        return;
    dt_out_line(
        "also      at Okta only people assigned to the app may sign on: to have it so here, "
        "write okta_app = %s under [%s] in devtrust.conf",
        app != NULL && dt_okta_is_id(app) ? app : "ID (0oa... of the app)", section);
}

static void print_result_lines(importing *x, bool refused)
{
    size_t const *of = x->run.counts.of;

    dt_out_line("summary   %zu refused, %zu changed, %zu left out, %zu kept", of[DT_IMPORT_REFUSED],
                of[DT_IMPORT_CHANGED], of[DT_IMPORT_LEFT_OUT], of[DT_IMPORT_KEPT]);
    print_okta_app(x);
    if (refused)
        dt_out_line("nothing   was written: what was refused has no equally strict form here; "
                    "change it in Okta, write the policy by hand, or see --tighten");
    else if (x->dry_run)
        dt_out_line("nothing   was written: --dry-run%s",
                    x->overwrites && !x->replace ? "; to overwrite existing files use --replace"
                                                 : "");
    else
        dt_out_line("written   %s with %zu rules; zones in %s, %zu others kept", x->policy_path,
                    x->run.counts.rules, x->zones_path, x->zones_kept);
}

static dt_ctl_exit import_and_report(importing *x, dt_error *e)
{
    bool refused;
    int rc = dt_import_run_convert(&x->run, e);

    if (rc != DT_OK)
        return dt_err_fault(e);
    refused = x->run.counts.of[DT_IMPORT_REFUSED] > 0;
    if (x->simulate && !refused)
        return dt_policy_simulate(&x->run, x->most, e);
    x->dry_run = x->dry_run || x->simulate;
    if (!refused)
        rc = write_both(x, e);
    if (rc != DT_OK)
        return dt_err_fault(e);
    if (x->run.json)
        print_result_json(x, !refused && !x->dry_run);
    else
        print_result_lines(x, refused);
    return refused ? DT_CTL_NO : DT_CTL_YES;
}

dt_ctl_exit dt_policy_import_run(dt_ctl_command const *self, int argc, char **argv)
{
    importing *x = calloc(1, sizeof(*x));
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_ctl_exit result = DT_CTL_FAULT;
    dt_error e = {0};

    if (x == NULL || rest == NULL)
        dt_err_line("out of memory");
    else {
        dt_import_run_init(&x->run);
        if (read_options(x, argc, argv, rest, &e) != DT_OK)
            result = dt_err_usage(self, &e);
        else
            result = import_and_report(x, &e);
        dt_import_run_free(&x->run);
    }
    free(rest);
    free(x);
    return result;
}
