/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl policy test: a table of cases against the policy that it names. Reads files and nothing
 * else: no configuration, no network, no store. */
#include "devtrustctl/certificate_file.h"
#include "devtrustctl/policy_prove.h"

#include "devtrustctl/policy/policy_cases.h"
#include "core/policy/policy_explain.h"

#include <stdlib.h>
#include <string.h>

#define PATH_LEN_MAX 4096
#define RULES_SHOWN_MAX 200 /* of the rules that did not hold, for one case */

typedef struct testing {
    char const *file, *policy_file, *zones_file, *org_file, *properties_file;
    bool json, application_only;
    dt_json *table, *policy_root, *zones_root, *org_root;
    dt_zones *zones;
    dt_policy *policy, *org; /* org: NULL without the org's own rules */
    dt_cases_head head;
    dt_buf out; /* JSON of the cases */
    dt_policy_text properties_text;
    dt_proving proving; /* of the properties */
    bool proved;        /* they were asked */
} testing;

/* A path of the table counts from where the table is. */
static int path_beside(char const *file, char const *path, char out[PATH_LEN_MAX], dt_error *e)
{
    char const *slash = strrchr(file, '/');
    dt_buf b;

    dt_buf_init_fixed(&b, out, PATH_LEN_MAX);
    if (path[0] != '/' && slash != NULL)
        dt_buf_put(&b, file, (size_t)(slash - file) + 1);
    dt_buf_puts(&b, path);
    return dt_buf_error(&b) == DT_OK
               ? DT_OK
               : dt_error_set(e, DT_E_LIMIT, "%s: the path is too long", file);
}

static int read_tree(char const *path, size_t max, dt_json **out, dt_error *e)
{
    dt_error why = {0};
    dt_buf text;
    int rc;

    dt_buf_init(&text, max);
    rc = dt_plain_file_read(path, &text, e);
    if (rc == DT_OK) {
        rc = dt_json_parse(dt_buf_bytes(&text), out, &why);
        if (rc != DT_OK)
            (void)dt_error_set(e, rc, "%s: %s", path, why.text);
    }
    dt_buf_free(&text);
    return rc;
}

/* The file that the command line names, else the one that the table does. */
static int file_path(testing const *t, char const *given, char const *named, char out[PATH_LEN_MAX],
                     dt_error *e)
{
    return given != NULL ? path_beside("", given, out, e) : path_beside(t->file, named, out, e);
}

static int load_zones(testing *t, dt_error *e)
{
    char path[PATH_LEN_MAX];
    int rc;

    if (t->zones_file == NULL && t->head.zones == NULL)
        return DT_OK;
    rc = file_path(t, t->zones_file, t->head.zones, path, e);
    if (rc == DT_OK)
        rc = read_tree(path, DT_CTL_ZONES_TEXT_MAX, &t->zones_root, e);
    return rc == DT_OK ? dt_zones_parse(t->zones_root, path, &t->zones, e) : rc;
}

static int load_policy(testing *t, dt_error *e)
{
    char path[PATH_LEN_MAX];
    int rc = file_path(t, t->policy_file, t->head.policy, path, e);

    if (rc == DT_OK)
        rc = read_tree(path, DT_POLICY_TEXT_MAX, &t->policy_root, e);
    return rc == DT_OK ? dt_policy_parse(t->policy_root, path, t->zones, &t->policy, e) : rc;
}

static int load_org(testing *t, dt_error *e)
{
    char path[PATH_LEN_MAX];
    int rc;

    if (t->application_only || (t->org_file == NULL && t->head.org == NULL))
        return DT_OK;
    rc = file_path(t, t->org_file, t->head.org, path, e);
    if (rc == DT_OK)
        rc = read_tree(path, DT_POLICY_TEXT_MAX, &t->org_root, e);
    return rc == DT_OK ? dt_org_policy_parse(t->org_root, path, t->zones, &t->org, e) : rc;
}

/* The properties that the table, or the command line, names: for every sign-on, not only for the cases. */
static int prove(testing *t, dt_error *e)
{
    char path[PATH_LEN_MAX];
    int rc;

    if (t->properties_file == NULL && t->head.properties == NULL)
        return DT_OK;
    rc = file_path(t, t->properties_file, t->head.properties, path, e);
    if (rc == DT_OK)
        rc = dt_policy_text_read(path, DT_PROPERTIES_TEXT_MAX, &t->properties_text, e);
    if (rc == DT_OK)
        rc = dt_properties_parse(t->properties_text.root, &t->properties_text.source,
                                 t->policy_root, t->zones, &t->proving.properties, e);
    if (rc != DT_OK)
        return rc;
    t->proving.json = t->json;
    t->proving.v.sides[0] = (dt_prove_side){.app = t->policy, .org = t->org};
    rc = dt_proving_begin(&t->proving, e);
    if (rc == DT_OK)
        dt_proving_own(&t->proving);
    t->proved = true;
    return rc;
}

/* --- showing ----------------------------------------------------------------------------------- */

/* The rules up to the one that decided, and why those before it did not. */
static void show_rules(char const *word, dt_policy const *p, dt_policy_input const *in)
{
    size_t count = dt_policy_rule_count(p);

    for (size_t i = 0; i < count && i < RULES_SHOWN_MAX; i++) {
        dt_rule_explanation r;
        dt_policy_explain(p, i, in, NULL, &r);
        if (r.failed == DT_CONDITION_NONE) {
            dt_out_line("  %-9s \"%s\": matches", word, r.name);
            return;
        }
        if (r.failed == DT_CONDITION_INACTIVE)
            dt_out_line("  %-9s \"%s\": is inactive", word, r.name);
        else
            dt_out_line("  %-9s \"%s\": %s: %s: %s", word, r.name,
                        dt_policy_rule_is_unknown(p, i, in) ? "is not known" : "does not match",
                        dt_condition_name(r.failed), r.compared);
    }
}

static char const *cause_text(dt_decision_cause c)
{
    if (c == DT_DECISION_UNKNOWN_DEVICE)
        return "the device is UNKNOWN, and unknownDeviceAs is deny";
    if (c == DT_DECISION_UNKNOWN_GROUPS)
        return "a rule that was reached needs groups, which are not known";
    if (c == DT_DECISION_UNKNOWN_NETWORK)
        return "a rule that was reached needs the address, which is not known";
    if (c == DT_DECISION_UNKNOWN_PLATFORM)
        return "a rule that was reached needs the platform, which is not known";
    if (c == DT_DECISION_UNKNOWN_TIME)
        return "a rule that was reached needs the time, which is not known";
    if (c == DT_DECISION_BLOCKED_ZONE)
        return "the address is in a BLOCKLIST zone";
    return c == DT_DECISION_NO_RULE ? "no rule matches" : NULL;
}

/* The org's rules know no device, and nothing in a case says UNKNOWN to them. */
static void show_reasons(testing const *t, dt_case_result const *r)
{
    dt_policy_input of_person = *r->in;

    of_person.unknown_as = DT_UNKNOWN_NOT_TRUSTED;
    if (r->org != NULL) {
        if (cause_text(r->org->cause) != NULL)
            dt_out_line("  because   of the org's rules: %s", cause_text(r->org->cause));
        show_rules("org rule", t->org, &of_person);
    }
    if (cause_text(r->own->cause) != NULL)
        dt_out_line("  because   %s", cause_text(r->own->cause));
    if (r->own->cause != DT_DECISION_UNKNOWN_DEVICE)
        show_rules("rule", t->policy, r->in);
}

static void put_json(testing *t, dt_case_result const *r)
{
    dt_buf_puts(&t->out, t->out.len > 0 ? ",{" : "{");
    dt_out_member(&t->out, "name", r->name);
    dt_out_member(&t->out, "access", dt_access_name(r->decision->access));
    dt_out_member(&t->out, "cause", dt_decision_cause_name(r->decision->cause));
    dt_out_member(&t->out, "rule", r->decision->rule);
    dt_out_member(&t->out, "orgRule", r->org != NULL ? r->org->rule : "");
    dt_buf_printf(&t->out, ",\"passed\":%s,\"wrong\":[", r->wrong_count == 0 ? "true" : "false");
    for (size_t i = 0; i < r->wrong_count; i++) {
        dt_buf_puts(&t->out, i > 0 ? ",{" : "{");
        dt_out_member(&t->out, "member", r->wrong[i].member);
        dt_out_member(&t->out, "expected", r->wrong[i].expected);
        dt_out_member(&t->out, "got", r->wrong[i].got);
        dt_buf_putc(&t->out, '}');
    }
    dt_buf_puts(&t->out, "]}");
}

static void on_case(void *ctx, dt_case_result const *r)
{
    testing *t = ctx;

    put_json(t, r);
    if (t->json || r->wrong_count == 0)
        return;
    dt_out_line("FAILED      \"%s\" (/cases/%zu)", r->name, r->index);
    for (size_t i = 0; i < r->wrong_count; i++)
        dt_out_line("  %-9s expected %s, got %s", r->wrong[i].member, r->wrong[i].expected,
                    r->wrong[i].got);
    show_reasons(t, r);
}

static void show_end(testing *t, size_t failed)
{
    dt_buf line;

    if (!t->json) {
        dt_out_line("%s   %zu of %zu cases passed, policy \"%s\", %s",
                    failed > 0 ? "failed  " : "passed  ", t->head.count - failed, t->head.count,
                    dt_policy_application(t->policy),
                    t->org != NULL        ? "the org's own rules before it"
                    : t->application_only ? "alone, without the org's own rules"
                                          : "alone: the table names no org's own rules");
        if (t->proved)
            dt_out_line("properties  %zu proved, %zu refuted, %zu undecided", t->proving.proved,
                        t->proving.refuted, t->proving.undecided);
        return;
    }
    dt_buf_init(&line, DT_CTL_ZONES_TEXT_MAX);
    dt_buf_printf(&line, "{\"passed\":%zu,\"failed\":%zu,\"org\":%s,\"cases\":[",
                  t->head.count - failed, failed, t->org != NULL ? "true" : "false");
    dt_buf_put(&line, t->out.p, t->out.len);
    dt_buf_puts(&line, "],\"properties\":[");
    dt_buf_put(&line, t->proving.properties_json.p, t->proving.properties_json.len);
    dt_buf_puts(&line, "]}");
    if (dt_buf_error(&line) < 0 || dt_buf_error(&t->out) < 0)
        dt_err_line("the result is too large for JSON; run it without --json");
    else
        dt_out_buf(&line);
    dt_buf_free(&line);
}

static int run(testing *t, size_t *failed, dt_error *e)
{
    int rc = read_tree(t->file, DT_CASES_TEXT_MAX, &t->table, e);

    if (rc == DT_OK)
        rc = dt_cases_head_read(t->table, t->file, &t->head, e);
    if (rc == DT_OK)
        rc = load_zones(t, e);
    if (rc == DT_OK)
        rc = load_policy(t, e);
    if (rc == DT_OK)
        rc = load_org(t, e);
    if (rc == DT_OK)
        rc = dt_cases_run(t->table, t->file,
                          &(dt_cases_rules){t->policy, t->org, t->application_only}, on_case, t,
                          failed, e);
    if (rc == DT_OK)
        rc = prove(t, e);
    if (rc == DT_OK)
        show_end(t, *failed);
    return rc;
}

static void testing_end(testing *t)
{
    dt_proving_free(&t->proving);
    dt_properties_free(&t->proving.properties);
    dt_policy_text_free(&t->properties_text);
    dt_policy_free(&t->org);
    dt_policy_free(&t->policy);
    dt_zones_free(&t->zones);
    dt_json_free(&t->org_root);
    dt_json_free(&t->policy_root);
    dt_json_free(&t->zones_root);
    dt_json_free(&t->table);
    dt_buf_free(&t->out);
}

dt_ctl_exit dt_policy_test_run(dt_ctl_command const *self, int argc, char **argv)
{
    testing t = {.json = false};
    dt_option const options[] = {{"--policy", NULL, &t.policy_file, NULL},
                                 {"--zones", NULL, &t.zones_file, NULL},
                                 {"--org", NULL, &t.org_file, NULL},
                                 {"--properties", NULL, &t.properties_file, NULL},
                                 {"--application-only", NULL, NULL, &t.application_only},
                                 {"--json", NULL, NULL, &t.json},
                                 {NULL, NULL, NULL, NULL}};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    dt_ctl_exit result = DT_CTL_FAULT;
    size_t count = 0, failed = 0;
    dt_error e = {0};
    int rc = rest == NULL ? dt_error_set(&e, DT_E_NOMEM, "out of memory")
                          : dt_options_parse(options, argc, argv, rest, &count, &e);

    dt_buf_init(&t.out, DT_CTL_ZONES_TEXT_MAX);
    dt_proving_init(&t.proving);
    if (rc == DT_OK && count != 1)
        rc = dt_error_set(&e, DT_E_INVALID, "test needs one file of cases");
    if (rc == DT_OK && t.org_file != NULL && t.application_only)
        rc = dt_error_set(&e, DT_E_INVALID, "use either --org or --application-only");
    if (rc != DT_OK)
        result = dt_err_usage(self, &e);
    else {
        t.file = rest[0];
        result = run(&t, &failed, &e) != DT_OK            ? dt_err_fault(&e)
                 : failed > 0 && t.proving.disagreed == 0 ? DT_CTL_NO
                                                          : dt_proving_exit(&t.proving);
    }
    testing_end(&t);
    free(rest);
    return result;
}
