/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/doctor/subject.h"

#include "devtrustctl/okta_client.h"

#include "core/base/url.h"
#include "core/okta/okta_oauth.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES (DT_URL_MAX - 64)
#define TEXT_MAX 768

/* --- judging ----------------------------------------------------------------------------------- */

typedef struct status_row {
    char const *status, *why, *todo;
} status_row;

/* The statuses in which Okta verifies no factor (Users API, "status"). */
static status_row const statuses[] = {
    {"STAGED", "the account was never activated", "activate it: admin console, Directory, People"},
    {"PROVISIONED", "the person has not yet activated the account",
     "have them follow the link of the activation e-mail"},
    {"DEPROVISIONED", "Okta verifies no factor of theirs",
     "reactivate the account, if they are to get in"},
    {"SUSPENDED", "Okta verifies no factor of theirs",
     "unsuspend the account: admin console, Directory, People"},
    {"LOCKED_OUT", "Okta verifies no factor of theirs",
     "unlock the account: admin console, Directory, People"},
    {"RECOVERY", "the account is being recovered", "have them finish it at the org's address"},
};

static void put_factors(unsigned bits, char out[TEXT_MAX])
{
    unsigned left = bits;
    char const *word;
    dt_buf b;

    dt_buf_init_fixed(&b, out, TEXT_MAX - 1);
    while ((word = dt_factor_word_next(&left)) != NULL)
        dt_buf_printf(&b, "%s%s", b.len > 0 ? ", " : "", word);
    out[b.len] = '\0';
}

static bool judge_status(dt_person_facts const *p, dt_subject_say *say, void *ctx)
{
    char what[TEXT_MAX];

    if (p->status[0] == '\0') {
        (void)snprintf(what, sizeof(what), "Okta knows no login %s", p->login);
        say(ctx, DT_FINDING_FAULT, "user.okta", what, "whoever Okta does not know cannot pass MFA",
            "add the person to the org, or set [user_name] login_suffix, realms or table_file so "
            "that the right login comes out");
        return false;
    }
    (void)snprintf(what, sizeof(what), "%s is %s at Okta", p->login, p->status);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (strcmp(statuses[i].status, p->status) != 0)
            continue;
        say(ctx, DT_FINDING_FAULT, "user.okta", what, statuses[i].why, statuses[i].todo);
        return true;
    }
    say(ctx, DT_FINDING_OK, "user.okta", what, "", "");
    return true;
}

static void judge_factors(dt_person_facts const *p, dt_subject_say *say, void *ctx)
{
    char has[TEXT_MAX], may[TEXT_MAX], what[2 * TEXT_MAX], todo[2 * TEXT_MAX];
    unsigned usable = p->factors & p->allowed;

    put_factors(p->factors, has);
    put_factors(p->allowed, may);
    if (usable != 0) {
        put_factors(usable, has);
        (void)snprintf(what, sizeof(what), "can use %s", has);
        say(ctx, DT_FINDING_OK, "user.factors", what, "", "");
        return;
    }
    (void)snprintf(what, sizeof(what), "no factor of %s can be used: the account has %s%s%s",
                   p->login,
                   has[0] != '\0'    ? has
                   : p->unusable > 0 ? ""
                                     : "none",
                   has[0] != '\0' && p->unusable > 0 ? ", and " : "",
                   p->unusable > 0 ? "some that devtrust does not do" : "");
    (void)snprintf(todo, sizeof(todo), "have them set up one of %s at %s", may, p->org_url);
    say(ctx, DT_FINDING_FAULT, "user.factors", what, "whoever must pass MFA does not get in", todo);
}

void dt_person_judge(dt_person_facts const *p, dt_subject_say *say, void *ctx)
{
    if (judge_status(p, say, ctx))
        judge_factors(p, say, ctx);
}

/* --- asking ------------------------------------------------------------------------------------ */

static void report(void *ctx, dt_finding_status status, char const *check, char const *what,
                   char const *why, char const *todo)
{
    dt_finding_report(
        ctx, &(dt_ctl_finding){
                 .status = status, .check = check, .what = what, .why = why, .todo = todo});
}

static void put_path(char path[PATH_MAX_BYTES], char const *who, char const *below)
{
    dt_buf b;

    dt_buf_init_fixed(&b, path, PATH_MAX_BYTES - 1);
    dt_buf_puts(&b, "/api/v1/users/");
    dt_url_put_segment(&b, who);
    dt_buf_puts(&b, below);
    path[b.len] = '\0';
}

static void take_factors(dt_json const *list, dt_person_facts *p)
{
    for (size_t i = 0; i < dt_json_size(list); i++) {
        dt_json const *f = dt_json_at(list, i);
        char const *status = dt_json_string(dt_json_get(f, "status"));
        dt_factor_type type = dt_factor_of(dt_json_string(dt_json_get(f, "factorType")),
                                           dt_json_string(dt_json_get(f, "provider")));

        if (status == NULL || strcmp(status, "ACTIVE") != 0)
            continue;
        p->factors |= (unsigned)type;
        p->unusable += type == DT_FACTOR_NONE;
    }
}

static int ask(dt_okta_client *c, dt_person_facts *p, dt_error *e)
{
    char path[PATH_MAX_BYTES];
    dt_json *root = NULL;
    char const *status, *id;
    int rc;

    put_path(path, p->login, "");
    rc = dt_okta_client_get(c, path, &root, NULL, e);
    if (rc == DT_E_NOT_FOUND)
        return DT_OK;
    status = dt_json_string(dt_json_get(root, "status"));
    id = dt_json_string(dt_json_get(root, "id"));
    if (rc == DT_OK &&
        (status == NULL || id == NULL || dt_str_copy(p->status, sizeof(p->status), status) < 0))
        rc = dt_error_set(e, DT_E_PARSE, "Okta's answer about %s has no status", p->login);
    if (rc == DT_OK)
        put_path(path, id, "/factors");
    dt_json_free(&root);
    if (rc == DT_OK)
        rc = dt_okta_client_get(c, path, &root, NULL, e);
    if (rc == DT_OK)
        take_factors(root, p);
    dt_json_free(&root);
    return rc;
}

static int find_out(dt_site const *site, char const *user, dt_person_facts *p, dt_error *e)
{
    char scopes[DT_OKTA_SCOPES_MAX];
    dt_okta_client *c = NULL;
    dt_identity id;
    int rc = dt_site_identity(site, user, &id, e);

    if (rc == DT_OK)
        rc = dt_str_copy(p->login, sizeof(p->login), id.login);
    if (rc < 0)
        return rc;
    dt_okta_scopes(dt_site_config(site), false, scopes);
    rc = dt_okta_client_new(site, scopes, &c, e);
    if (rc == DT_OK)
        rc = ask(c, p, e);
    dt_okta_client_free(&c);
    return rc;
}

void dt_doctor_person(dt_site const *site, char const *user, dt_findings *f)
{
    dt_config const *c = dt_site_config(site);
    dt_person_facts p = {.allowed = c->mfa.factors, .org_url = c->okta.org_url};
    dt_error e = {0};
    int rc = find_out(site, user, &p, &e);

    if (rc == DT_E_INVALID)
        report(f, DT_FINDING_FAULT, "user.name", e.text, "a name without one meaning is refused",
               "use the name as the person types it, and see [user_name] in devtrust.conf(5)");
    else if (rc < 0)
        report(f, DT_FINDING_UNSEEN, "user.okta", e.text, "", "");
    else
        dt_person_judge(&p, report, f);
}
