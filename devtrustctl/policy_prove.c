/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl policy prove: which files, which settings; the answers are prove_run.c's. */
#include "devtrustctl/policy_prove.h"

#include "devtrustctl/certificate_file.h"
#include "devtrustctl/site.h"

#include <stdlib.h>
#include <string.h>

typedef struct proving_command {
    char const *config, *application;
    char const *zones, *org, *properties, *old, *old_zones, *old_org;
    char const *skip, *unknown_as, *org_mfa, *seconds;
    bool application_only, json, skip_findings;
    char policy_path[DT_PATH_MAX];
    dt_policy_text texts[2]; /* the policy, and the one before */
    dt_policy_text org_texts[2], zones_texts[2], properties_text;
    dt_zones *zone_sets[2];
    dt_policy *policies[2], *orgs[2];
    dt_proving p;
} proving_command;

/* --- files ------------------------------------------------------------------------------------- */

int dt_policy_text_read(char const *path, size_t max, dt_policy_text *out, dt_error *e)
{
    dt_error why = {0};
    int rc;

    out->root = NULL;
    dt_buf_init(&out->text, max);
    rc = dt_plain_file_read(path, &out->text, e);
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(&out->text), &out->root, &why);
    if (rc != DT_OK && why.code != 0)
        (void)dt_error_set(e, rc, "%s: %s", path, why.text);
    out->source = (dt_json_source){.file = path, .text = dt_buf_bytes(&out->text)};
    return rc;
}

void dt_policy_text_free(dt_policy_text *t)
{
    dt_json_free(&t->root);
    dt_buf_free(&t->text);
}

static int zones_load(proving_command *c, size_t i, char const *path, bool wanted, dt_error *e)
{
    int rc;

    if (path == NULL)
        return DT_OK;
    rc = dt_policy_text_read(path, DT_CTL_ZONES_TEXT_MAX, &c->zones_texts[i], e);
    if (rc == DT_E_NOT_FOUND && !wanted)
        return DT_OK;
    if (rc == DT_OK)
        rc = dt_zones_parse(c->zones_texts[i].root, path, &c->zone_sets[i], e);
    return rc;
}

static int policy_load(proving_command *c, size_t i, char const *path, dt_zones const *zones,
                       dt_error *e)
{
    int rc = dt_policy_text_read(path, DT_POLICY_TEXT_MAX, &c->texts[i], e);

    if (rc == DT_OK)
        rc = dt_policy_parse_source(c->texts[i].root, &c->texts[i].source, zones, &c->policies[i],
                                    e);
    c->p.v.sides[i].app = c->policies[i];
    return rc;
}

static int org_load(proving_command *c, size_t i, char const *path, dt_zones const *zones,
                    bool wanted, dt_error *e)
{
    int rc;

    if (path == NULL)
        return DT_OK;
    rc = dt_policy_text_read(path, DT_POLICY_TEXT_MAX, &c->org_texts[i], e);
    if (rc == DT_E_NOT_FOUND && !wanted)
        return DT_OK;
    if (rc == DT_OK)
        rc = dt_org_policy_parse_source(c->org_texts[i].root, &c->org_texts[i].source, zones,
                                        &c->orgs[i], e);
    c->p.v.sides[i].org = c->orgs[i];
    return rc;
}

/* The policy before has the zones and the org's rules of the new one, where it has none of its own. */
static int old_load(proving_command *c, dt_error *e)
{
    dt_zones const *zones = c->zone_sets[0];
    int rc = DT_OK;

    if (c->old == NULL)
        return DT_OK;
    c->p.v.has_old = true;
    if (c->old_zones != NULL) {
        rc = zones_load(c, 1, c->old_zones, true, e);
        zones = c->zone_sets[1];
    }
    if (rc == DT_OK)
        rc = policy_load(c, 1, c->old, zones, e);
    if (rc == DT_OK && c->old_zones != NULL && c->old_org == NULL)
        c->old_org = c->org;
    if (rc == DT_OK && c->old_org != NULL && !c->application_only)
        return org_load(c, 1, c->old_org, zones, true, e);
    c->p.v.sides[1].org = c->orgs[0];
    return rc;
}

/* Beside the policy, NAME.properties.json, unless another file is named. */
static int properties_load(proving_command *c, char const *policy, dt_error *e)
{
    char path[DT_PATH_MAX];
    int rc = DT_OK;

    if (c->properties != NULL)
        rc = dt_str_copy(path, sizeof(path), c->properties);
    else
        rc = dt_properties_path(policy, path);
    if (rc != DT_OK)
        return dt_error_set(e, rc, "the path is too long");
    rc = dt_policy_text_read(path, DT_PROPERTIES_TEXT_MAX, &c->properties_text, e);
    if (rc == DT_E_NOT_FOUND && c->properties == NULL)
        return DT_OK;
    if (rc == DT_OK)
        rc = dt_properties_parse(c->properties_text.root, &c->properties_text.source,
                                 c->texts[0].root, c->zone_sets[0], &c->p.properties, e);
    return rc;
}

int dt_properties_path(char const *policy, char out[DT_PATH_MAX])
{
    size_t len = strlen(policy);
    dt_buf b;

    if (len > 5 && strcmp(policy + len - 5, ".json") == 0)
        len -= 5;
    dt_buf_init_fixed(&b, out, DT_PATH_MAX);
    dt_buf_put(&b, policy, len);
    dt_buf_puts(&b, ".properties.json");
    return dt_buf_error(&b);
}

/* --- the site ---------------------------------------------------------------------------------- */

/* Files and settings of the configuration, where the command line names none. */
static int site_take(proving_command *c, dt_site const *site, bool wanted[2], dt_error *e)
{
    dt_config const *config = dt_site_config(site);
    dt_buf b;

    dt_buf_init_fixed(&b, c->policy_path, sizeof(c->policy_path));
    dt_buf_printf(&b, "%s/%s.json", config->policy.directory, c->application);
    if (dt_buf_error(&b) != DT_OK)
        return dt_error_set(e, DT_E_LIMIT, "the path is too long");
    wanted[0] = c->zones != NULL || dt_config_line(config, "policy", "zones_file") > 0;
    wanted[1] = c->org != NULL || dt_config_line(config, "policy", "org_file") > 0;
    if (c->zones == NULL)
        c->zones = config->policy.zones_file;
    if (c->org == NULL && !c->application_only)
        c->org = config->policy.org_file;
    if (c->p.unknown_as < 0)
        c->p.unknown_as = (int)config->policy.unknown_device_as;
    if (c->p.org_mfa < 0)
        c->p.org_mfa = (int)config->policy.org_mfa;
    return DT_OK;
}

static int files_load(proving_command *c, char const *policy, dt_error *e)
{
    dt_site *site = NULL;
    bool wanted[2] = {true, true};
    int rc = DT_OK;

    if (c->application != NULL) {
        rc = dt_site_load_config(c->config != NULL ? c->config : DT_CONFIG_DEFAULT_PATH, &site, e);
        if (rc == DT_OK)
            rc = site_take(c, site, wanted, e);
        policy = c->policy_path;
    }
    if (rc == DT_OK)
        rc = zones_load(c, 0, c->zones, wanted[0], e);
    if (rc == DT_OK)
        rc = policy_load(c, 0, policy, c->zone_sets[0], e);
    if (rc == DT_OK)
        rc = org_load(c, 0, c->org, c->zone_sets[0], wanted[1], e);
    if (rc == DT_OK)
        rc = old_load(c, e);
    if (rc == DT_OK)
        rc = properties_load(c, policy, e);
    dt_site_free(&site);
    return rc;
}

/* --- the command line -------------------------------------------------------------------------- */

static int word_read(char const *text, char const *option, dt_config_word const *words, int *out,
                     dt_error *e)
{
    if (text == NULL)
        return DT_OK;
    for (dt_config_word const *w = words; w->word != NULL; w++)
        if (strcmp(w->word, text) == 0) {
            *out = w->value;
            return DT_OK;
        }
    return dt_error_set(e, DT_E_INVALID, "%s is %s or %s", option, words[0].word, words[1].word);
}

static int skip_read(proving_command *c, dt_error *e)
{
    char storage[DT_ARGUMENT_MAX + 1];
    char const *names[DT_CTL_LISTED_MAX];
    int rc = dt_names_split(c->skip, storage, names, e);

    for (size_t i = 0; rc == DT_OK && names[i] != NULL; i++) {
        int b = 0;
        if (strcmp(names[i], "findings") == 0) {
            c->skip_findings = true;
            continue;
        }
        while (b < DT_BUILTIN_COUNT && strcmp(dt_builtin_name((dt_builtin)b), names[i]) != 0)
            b++;
        if (b == DT_BUILTIN_COUNT)
            return dt_error_set(
                e, DT_E_INVALID,
                "--skip: \"%.40s\" is not mfa, outsiders, blocklist, decided or findings",
                names[i]);
        c->p.skip[b] = true;
    }
    return rc;
}

static int seconds_read(proving_command *c, dt_error *e)
{
    char *end = NULL;
    long n;

    if (c->seconds == NULL)
        return DT_OK;
    n = strtol(c->seconds, &end, 10);
    if (*end != '\0' || n < 1 || n > DT_PROVE_SECONDS_MAX)
        return dt_error_set(e, DT_E_INVALID, "--seconds needs a number from 1 to %d",
                            DT_PROVE_SECONDS_MAX);
    c->p.seconds = n;
    return DT_OK;
}

static int options_check(proving_command *c, size_t count, dt_error *e)
{
    static dt_config_word const unknown[] = {
        {"deny", DT_UNKNOWN_DENY}, {"not_trusted", DT_UNKNOWN_NOT_TRUSTED}, {NULL, 0}};
    static dt_config_word const mfa[] = {
        {"enforce", DT_ORG_MFA_ENFORCE}, {"unless_trusted", DT_ORG_MFA_UNLESS_TRUSTED}, {NULL, 0}};
    int rc;

    if ((c->application != NULL) + count != 1)
        return dt_error_set(e, DT_E_INVALID, "prove needs the file of a policy, or --application");
    if (c->application == NULL && c->config != NULL)
        return dt_error_set(e, DT_E_INVALID, "--config can only be used with --application");
    if (c->application != NULL && strchr(c->application, '/') != NULL)
        return dt_error_set(e, DT_E_INVALID, "--application is a name, not a path");
    if (c->org != NULL && c->application_only)
        return dt_error_set(e, DT_E_INVALID, "use either --org or --application-only");
    if (c->old == NULL && (c->old_zones != NULL || c->old_org != NULL))
        return dt_error_set(e, DT_E_INVALID,
                            "--against-zones and --against-org can only be used with --against");
    rc = word_read(c->unknown_as, "--unknown-device-as", unknown, &c->p.unknown_as, e);
    if (rc == DT_OK)
        rc = word_read(c->org_mfa, "--org-mfa", mfa, &c->p.org_mfa, e);
    if (rc == DT_OK)
        rc = skip_read(c, e);
    return rc == DT_OK ? seconds_read(c, e) : rc;
}

static int options_read(proving_command *c, int argc, char **argv, char const **rest, dt_error *e)
{
    dt_option const options[] = {{"--config", "-c", &c->config, NULL},
                                 {"--application", NULL, &c->application, NULL},
                                 {"--zones", NULL, &c->zones, NULL},
                                 {"--org", NULL, &c->org, NULL},
                                 {"--application-only", NULL, NULL, &c->application_only},
                                 {"--properties", NULL, &c->properties, NULL},
                                 {"--against", NULL, &c->old, NULL},
                                 {"--against-zones", NULL, &c->old_zones, NULL},
                                 {"--against-org", NULL, &c->old_org, NULL},
                                 {"--unknown-device-as", NULL, &c->unknown_as, NULL},
                                 {"--org-mfa", NULL, &c->org_mfa, NULL},
                                 {"--skip", NULL, &c->skip, NULL},
                                 {"--seconds", NULL, &c->seconds, NULL},
                                 {"--json", NULL, NULL, &c->json},
                                 {NULL, NULL, NULL, NULL}};
    size_t count = 0;
    int rc = dt_options_parse(options, argc, argv, rest, &count, e);

    return rc == DT_OK ? options_check(c, count, e) : rc;
}

/* --- the whole --------------------------------------------------------------------------------- */

static void show_end(proving_command *c)
{
    dt_proving *p = &c->p;
    int64_t spent = p->seconds * 1000 - dt_prover_time_left(&p->v);
    dt_buf line;

    if (!p->json) {
        dt_out_line(
            "summary     %zu proved, %zu refuted, %zu undecided, %zu finding%s; %lld.%03lld s, "
            "%llu MB",
            p->proved, p->refuted, p->undecided, p->findings, p->findings == 1 ? "" : "s",
            (long long)spent / 1000, (long long)spent % 1000,
            (unsigned long long)dt_solver_memory() / 1000000);
        return;
    }
    dt_buf_init(&line, DT_PROVE_JSON_MAX);
    dt_buf_printf(&line,
                  "{\"proved\":%zu,\"refuted\":%zu,\"undecided\":%zu,\"disagreements\":%zu,"
                  "\"openRules\":%zu,\"propertiesMilliseconds\":%lld,"
                  "\"milliseconds\":%lld,\"memory\":%llu",
                  p->proved, p->refuted, p->undecided, p->disagreed, p->open,
                  (long long)p->properties_took, (long long)spent,
                  (unsigned long long)dt_solver_memory());
    dt_out_member(&line, "solver", dt_solver_version());
    dt_buf_puts(&line, ",\"properties\":[");
    dt_buf_put(&line, p->properties_json.p, p->properties_json.len);
    dt_buf_puts(&line, "],\"findings\":[");
    dt_buf_put(&line, p->findings_json.p, p->findings_json.len);
    dt_buf_puts(&line, "]}");
    if (dt_buf_error(&line) < 0 || dt_buf_error(&p->properties_json) < 0 ||
        dt_buf_error(&p->findings_json) < 0)
        dt_err_line("the result is too large for JSON; run it without --json");
    else
        dt_out_buf(&line);
    dt_buf_free(&line);
}

static int prove(proving_command *c, char const *policy, dt_error *e)
{
    int rc = files_load(c, policy, e);

    c->p.json = c->json;
    if (rc == DT_OK)
        rc = dt_proving_begin(&c->p, e);
    if (rc != DT_OK)
        return rc;
    dt_proving_builtins(&c->p);
    dt_proving_own(&c->p);
    if (c->p.v.has_old)
        rc = dt_proving_against(&c->p, e);
    c->p.properties_took = c->p.seconds * 1000 - dt_prover_time_left(&c->p.v);
    if (rc == DT_OK && !c->skip_findings)
        rc = dt_proving_rules(&c->p, e);
    if (rc == DT_OK)
        show_end(c);
    return rc;
}

static void command_free(proving_command *c)
{
    dt_proving_free(&c->p);
    dt_properties_free(&c->p.properties);
    for (size_t i = 0; i < 2; i++) {
        dt_policy_free(&c->orgs[i]);
        dt_policy_free(&c->policies[i]);
        dt_zones_free(&c->zone_sets[i]);
        dt_policy_text_free(&c->texts[i]);
        dt_policy_text_free(&c->org_texts[i]);
        dt_policy_text_free(&c->zones_texts[i]);
    }
    dt_policy_text_free(&c->properties_text);
    free(c);
}

dt_ctl_exit dt_policy_prove_run(dt_ctl_command const *self, int argc, char **argv)
{
    proving_command *c = calloc(1, sizeof(*c));
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_ctl_exit result = DT_CTL_FAULT;
    dt_error e = {0};

    if (c == NULL || rest == NULL)
        dt_err_line("out of memory");
    else {
        dt_proving_init(&c->p);
        if (options_read(c, argc, argv, rest, &e) != DT_OK)
            result = dt_err_usage(self, &e);
        else if (prove(c, rest[0], &e) != DT_OK)
            result = dt_err_fault(&e);
        else
            result = dt_proving_exit(&c->p);
    }
    if (c != NULL)
        command_free(c);
    free(rest);
    return result;
}
