/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl policy import --simulate. */
#include "devtrustctl/policy_simulate.h"

#include "devtrustctl/okta_client.h"
#include "devtrustctl/policy/simulate_answer.h"
#include "devtrustctl/policy/simulate_cases.h"

#include <stdlib.h>
#include <string.h>

#define JSON_MAX (16 * 1024 * 1024)
#define PATH "/api/v1/policies/simulate?expand=EVALUATED"
#define USER_GROUPS_MAX 200 /* of one person; with more, that person's cases are not asked about */

typedef struct simulating {
    dt_import_run *run;
    dt_okta_client *client;
    dt_json const *entry; /* of the document */
    char const *policy_id;
    char app[DT_OKTA_ID_MAX];
    dt_zones *zones;
    dt_policy *policy;
    dt_simulate_cases *cases;
    dt_json *user_groups[DT_SIMULATE_VALUES_MAX]; /* of a person who is a user, once asked for */
    size_t same, differences, undefined;
    dt_buf json;
} simulating;

int dt_policy_simulate_most(char const *text, size_t *out, dt_error *e)
{
    size_t n = 0;

    for (char const *p = text; p != NULL && *p != '\0' && n <= DT_SIMULATE_CASES_MAX; p++)
        n = *p >= '0' && *p <= '9' ? 10 * n + (size_t)(*p - '0') : DT_SIMULATE_CASES_MAX + 1;
    *out = text == NULL ? DT_SIMULATE_MOST_DEFAULT : n;
    return *out > 0 && *out <= DT_SIMULATE_CASES_MAX
               ? DT_OK
               : dt_error_set(e, DT_E_INVALID, "--max-cases needs a number from 1 to %d",
                              DT_SIMULATE_CASES_MAX);
}

/* --- what is asked ----------------------------------------------------------------------------- */

/* An app that the policy is mapped to: "https://ORG/api/v1/apps/ID". */
static int find_app(simulating *x, dt_error *e)
{
    dt_json const *mappings = dt_json_get(x->entry, "mappings");

    for (size_t i = 0; i < dt_json_size(mappings); i++) {
        char const *href = dt_json_string(
            dt_json_path(dt_json_at(mappings, i), "_links", "application", "href", NULL));
        char const *id = href != NULL ? strrchr(href, '/') : NULL;
        if (id != NULL && dt_str_copy(x->app, sizeof(x->app), id + 1) == DT_OK && x->app[0] != '\0')
            return DT_OK;
    }
    return dt_error_set(e, DT_E_NOT_FOUND,
                        "the policy is mapped to no app; the simulation asks for one");
}

static void put_body(simulating const *x, dt_simulate_case const *c, dt_buf *b)
{
    dt_simulate_person const *p = &x->cases->people[c->person];
    char ip[DT_IP_PLAIN_MAX];
    bool registered, managed;
    dt_platform platform;

    (void)dt_simulate_device(c->device, &registered, &managed);
    dt_ip_text(&x->cases->addresses[c->address], ip);
    dt_buf_puts(b, "[{\"appInstance\":");
    dt_json_put_string(b, x->app);
    dt_buf_puts(b, ",\"policyTypes\":[\"ACCESS_POLICY\"],\"policyContext\":{");
    if (p->user != NULL) {
        dt_buf_puts(b, "\"user\":{\"id\":");
        dt_json_put_string(b, p->user);
        dt_buf_putc(b, '}');
    } else {
        dt_buf_puts(b, "\"groups\":{\"ids\":[");
        if (p->group != NULL)
            dt_json_put_string(b, p->group);
        dt_buf_puts(b, "]}");
    }
    dt_buf_printf(
        b, ",\"ip\":\"%s\",\"device\":{\"platform\":\"%s\",\"registered\":%s,\"managed\":%s}}}]",
        ip, dt_simulate_platform(c->platform, &platform), registered ? "true" : "false",
        managed ? "true" : "false");
}

/* --- what is decided here ---------------------------------------------------------------------- */

static char const *login_of(simulating const *x, char const *id)
{
    dt_json const *users = dt_json_get(x->run->document, "users");

    for (size_t i = 0; i < dt_json_size(users); i++) {
        dt_json const *u = dt_json_at(users, i);
        char const *is = dt_json_string(dt_json_get(u, "id"));
        if (is != NULL && strcmp(is, id) == 0)
            return dt_json_string(dt_json_path(u, "profile", "login", NULL));
    }
    return NULL;
}

static int ask_groups(simulating *x, size_t person, dt_error *e)
{
    char path[DT_URL_MAX], next[DT_URL_MAX];
    dt_buf b;
    int rc;

    if (x->user_groups[person] != NULL)
        return DT_OK;
    dt_buf_init_fixed(&b, path, sizeof(path));
    dt_buf_printf(&b, "/api/v1/users/%s/groups?limit=%d", x->cases->people[person].user,
                  USER_GROUPS_MAX);
    rc = dt_okta_client_get(x->client, path, &x->user_groups[person], next, e);
    if (rc == DT_OK && (dt_json_typeof(x->user_groups[person]) != DT_JSON_ARRAY ||
                        dt_json_size(x->user_groups[person]) > USER_GROUPS_MAX || next[0] != '\0'))
        rc = dt_error_set(e, DT_E_LIMIT, "the groups of user %s are not a list, or too many",
                          x->cases->people[person].user);
    return rc;
}

static int decide(simulating *x, dt_simulate_case const *c, dt_decision *out, dt_error *e)
{
    dt_simulate_person const *p = &x->cases->people[c->person];
    char ids[USER_GROUPS_MAX + 1][DT_GROUP_ID_MAX]; /* the group of the case, and the user's */
    char const *groups[USER_GROUPS_MAX + 1];
    dt_policy_input in = {.user = "-", .groups = groups, .group_knowledge = DT_GROUPS_KNOWN};
    bool registered, managed;
    int rc = p->user != NULL ? ask_groups(x, c->person, e) : DT_OK;

    (void)dt_simulate_device(c->device, &registered, &managed);
    (void)dt_simulate_platform(c->platform, &in.platform);
    in.ip = x->cases->addresses[c->address];
    in.trust = managed ? DT_TRUST_TRUSTED : DT_TRUST_NOT_TRUSTED;
    in.reason = managed      ? DT_REASON_TRUSTED
                : registered ? DT_REASON_NOT_MANAGED
                             : DT_REASON_NOT_ENROLLED;
    if (rc == DT_OK && p->user != NULL)
        in.login = login_of(x, p->user);
    if (rc == DT_OK && p->group != NULL && dt_group_of_id(p->group, ids[0]))
        groups[in.group_count++] = ids[0];
    for (size_t i = 0;
         rc == DT_OK && p->user != NULL && i < dt_json_size(x->user_groups[c->person]); i++) {
        char const *id =
            dt_json_string(dt_json_get(dt_json_at(x->user_groups[c->person], i), "id"));
        if (!dt_group_of_id(id, ids[in.group_count]))
            return dt_error_set(e, DT_E_PARSE, "a group of user %s has no id", p->user);
        groups[in.group_count] = ids[in.group_count];
        in.group_count++;
    }
    if (rc == DT_OK)
        dt_policy_decide(x->policy, &in, out);
    return rc;
}

/* --- comparing --------------------------------------------------------------------------------- */

/* The name of a rule of the document; NULL for one that it does not have. */
static char const *rule_name(simulating const *x, char const *id)
{
    dt_json const *rules = dt_json_get(x->entry, "rules");

    for (size_t i = 0; i < dt_json_size(rules); i++) {
        char const *is = dt_json_string(dt_json_get(dt_json_at(rules, i), "id"));
        if (is != NULL && strcmp(is, id) == 0)
            return dt_json_string(dt_json_get(dt_json_at(rules, i), "name"));
    }
    return NULL;
}

static void put_case(simulating const *x, dt_simulate_case const *c, dt_buf *b)
{
    dt_simulate_person const *p = &x->cases->people[c->person];
    char ip[DT_IP_PLAIN_MAX];
    bool registered, managed;
    dt_platform platform;

    (void)dt_simulate_device(c->device, &registered, &managed);
    dt_ip_text(&x->cases->addresses[c->address], ip);
    dt_buf_printf(b, "%s %s from %s on %s, %s", p->user != NULL ? "user" : "group",
                  p->user != NULL    ? p->user
                  : p->group != NULL ? p->group
                                     : "(none)",
                  ip, dt_simulate_platform(c->platform, &platform),
                  managed      ? "managed"
                  : registered ? "registered"
                               : "not registered");
}

static void print_difference(simulating *x, dt_simulate_case const *c, char const *kind,
                             char const *org, dt_decision const *d)
{
    char text[512];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    put_case(x, c, &b);
    dt_buf_puts(&x->json, x->json.len > 0 ? ",{" : "{");
    dt_out_member(&x->json, "kind", kind);
    dt_out_member(&x->json, "case", text);
    dt_out_member(&x->json, "org", org);
    dt_out_member(&x->json, "here", d->rule);
    dt_out_member(&x->json, "access", dt_access_name(d->access));
    dt_buf_putc(&x->json, '}');
    if (!x->run->json)
        dt_out_line("%-9s %s: the org's rule is %s%s%s, here %s%s%s (%s)", kind, text,
                    org[0] != '\0' ? "\"" : "", org[0] != '\0' ? org : "none",
                    org[0] != '\0' ? "\"" : "", d->rule[0] != '\0' ? "\"" : "",
                    d->rule[0] != '\0' ? d->rule : "none", d->rule[0] != '\0' ? "\"" : "",
                    dt_access_name(d->access));
}

static int compare(simulating *x, dt_simulate_case const *c, dt_simulate_answer const *a,
                   dt_error *e)
{
    char const *name = a->rule != NULL ? rule_name(x, a->rule) : "";
    dt_decision d = {0};
    int rc = decide(x, c, &d, e);

    if (rc != DT_OK)
        return rc;
    if (name == NULL)
        return dt_error_set(e, DT_E_PARSE,
                            "Okta's answer names a rule that the policy does not have; was it "
                            "changed meanwhile?");
    if (a->undefined) {
        x->undefined++;
        print_difference(x, c, "undefined", name, &d);
    } else if (strcmp(name, d.rule) == 0)
        x->same++;
    else {
        x->differences++;
        print_difference(x, c, "differs", name, &d);
    }
    return DT_OK;
}

static int ask(simulating *x, dt_simulate_case const *c, dt_error *e)
{
    char body[DT_HTTP_BODY_MAX];
    dt_simulate_answer answer;
    dt_json *root = NULL;
    dt_buf b;
    int rc;

    dt_buf_init_fixed(&b, body, sizeof(body));
    put_body(x, c, &b);
    if (dt_buf_error(&b) < 0)
        return dt_error_set(e, DT_E_LIMIT, "a case is too long to be asked about");
    rc = dt_okta_client_post(x->client, PATH, dt_buf_bytes(&b), &root, e);
    if (rc == DT_OK)
        rc = dt_simulate_answer_read(root, x->policy_id, &answer, e);
    if (rc == DT_OK)
        rc = compare(x, c, &answer, e);
    dt_json_free(&root);
    return rc;
}

/* --- all of it --------------------------------------------------------------------------------- */

static int parse_made(simulating *x, dt_error *e)
{
    dt_json *zones = NULL, *policy = NULL;
    int rc = dt_json_parse(dt_buf_bytes(&x->run->zones), &zones, e);

    if (rc == DT_OK)
        rc = dt_zones_parse(zones, "the zones that were made", &x->zones, e);
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(&x->run->policy), &policy, e);
    if (rc == DT_OK)
        rc = dt_policy_parse(policy, "the policy that was made", x->zones, &x->policy, e);
    dt_json_free(&zones);
    dt_json_free(&policy);
    return rc;
}

static int prepare(simulating *x, size_t most, dt_error *e)
{
    int rc = dt_okta_document_policy(x->run->document, NULL, NULL, &x->entry, NULL, e);

    if (rc == DT_OK)
        x->policy_id = dt_json_string(dt_json_path(x->entry, "policy", "id", NULL));
    if (rc == DT_OK && x->policy_id == NULL)
        rc = dt_error_set(e, DT_E_PARSE, "the org's policy has no id");
    if (rc == DT_OK)
        rc = find_app(x, e);
    if (rc == DT_OK)
        rc = parse_made(x, e);
    if (rc == DT_OK)
        rc = dt_okta_client_new(x->run->site, DT_OKTA_IMPORT_SCOPES, &x->client, e);
    if (rc == DT_OK)
        dt_simulate_cases_make(x->run->document, x->entry, most, x->cases);
    return rc;
}

static void report_end(simulating *x)
{
    dt_buf line;

    if (!x->run->json) {
        dt_out_line(
            "simulated %zu cases: %zu the same, %zu differences, %zu that Okta cannot decide, "
            "%zu not asked about (--max-cases)",
            x->cases->count, x->same, x->differences, x->undefined, x->cases->left_out);
        return;
    }
    dt_buf_init(&line, JSON_MAX);
    dt_buf_printf(
        &line,
        "{\"cases\":%zu,\"same\":%zu,\"differences\":%zu,\"undefined\":%zu,\"notAsked\":%zu,"
        "\"list\":[",
        x->cases->count, x->same, x->differences, x->undefined, x->cases->left_out);
    dt_buf_put(&line, x->json.p, x->json.len);
    dt_buf_puts(&line, "]}");
    if (dt_buf_error(&line) < 0 || dt_buf_error(&x->json) < 0)
        dt_err_line("the result is too large for JSON; run it without --json");
    else
        dt_out_buf(&line);
    dt_buf_free(&line);
}

static void simulating_end(simulating *x)
{
    for (size_t i = 0; i < DT_SIMULATE_VALUES_MAX; i++)
        dt_json_free(&x->user_groups[i]);
    dt_okta_client_free(&x->client);
    dt_policy_free(&x->policy);
    dt_zones_free(&x->zones);
    dt_buf_free(&x->json);
    free(x->cases);
    free(x);
}

static dt_ctl_exit result_of(simulating const *x)
{
    if (x->differences > 0)
        return DT_CTL_NO;
    return x->undefined > 0 || x->cases->left_out > 0 || x->cases->values_left_out ? DT_CTL_OPEN
                                                                                   : DT_CTL_YES;
}

dt_ctl_exit dt_policy_simulate(dt_import_run *r, size_t most, dt_error *e)
{
    simulating *x = calloc(1, sizeof(*x));
    dt_ctl_exit result;
    int rc;

    if (x == NULL) {
        (void)dt_error_set(e, DT_E_NOMEM, "out of memory");
        return dt_err_fault(e);
    }
    x->run = r;
    dt_buf_init(&x->json, JSON_MAX);
    x->cases = calloc(1, sizeof(*x->cases));
    rc = x->cases != NULL ? prepare(x, most, e) : dt_error_set(e, DT_E_NOMEM, "out of memory");
    for (size_t i = 0; rc == DT_OK && i < x->cases->count; i++)
        rc = ask(x, &x->cases->items[i], e);
    if (rc == DT_OK)
        report_end(x);
    result = rc == DT_OK ? result_of(x) : dt_err_fault(e);
    simulating_end(x);
    return result;
}
