/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl policy: which subcommand; the org's document; devtrustctl policy fetch. */
#include "devtrustctl/policy.h"

#include "devtrustctl/okta_fetch.h"
#include "devtrustctl/site.h"

#include "edge/file.h"

#include <stdlib.h>
#include <string.h>

#define SAVED_MODE 0600 /* who may do what, and from where: not everybody's to read */

/* --- files and names --------------------------------------------------------------------------- */

int dt_json_file_read(char const *path, size_t max, dt_json **root, dt_error *e)
{
    dt_error why = {0};
    dt_buf text;
    int rc;

    *root = NULL;
    dt_buf_init(&text, max);
    rc = dt_file_read(path, DT_FILE_TRUSTED, max, &text, e);
    if (rc == DT_OK) {
        rc = dt_json_parse(dt_buf_bytes(&text), root, &why);
        if (rc != DT_OK)
            (void)dt_error_set(e, rc, "%s: %s", path, why.text);
    }
    dt_buf_free(&text);
    return rc;
}

int dt_names_split(char const *text, char storage[DT_ARGUMENT_MAX + 1],
                   char const *names[DT_CTL_LISTED_MAX], dt_error *e)
{
    size_t count = 0;

    memset(names, 0, DT_CTL_LISTED_MAX * sizeof(names[0]));
    if (text == NULL)
        return DT_OK;
    if (dt_str_copy(storage, DT_ARGUMENT_MAX + 1, text) != DT_OK)
        return dt_error_set(e, DT_E_LIMIT, "the list of names is too long");
    for (char *at = storage; at != NULL;) {
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma = '\0';
        if (*at == '\0')
            return dt_error_set(e, DT_E_INVALID, "a list needs names separated by commas");
        if (count + 1 == DT_CTL_LISTED_MAX)
            return dt_error_set(e, DT_E_LIMIT, "at most %d names", DT_CTL_LISTED_MAX - 1);
        names[count++] = at;
        at = comma != NULL ? comma + 1 : NULL;
    }
    return DT_OK;
}

/* --- the document ------------------------------------------------------------------------------ */

static int save(char const *path, dt_json const *document, dt_error *e)
{
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_CTL_ZONES_TEXT_MAX);
    dt_json_put_value(&text, document, 2);
    dt_buf_putc(&text, '\n');
    rc = dt_buf_error(&text);
    if (rc != DT_OK)
        (void)dt_error_set(e, rc, "the document is too large to be saved");
    else
        rc = dt_file_write(path, dt_buf_bytes(&text), true, SAVED_MODE, e);
    dt_buf_free(&text);
    return rc;
}

static int fetch(dt_policy_source const *source, dt_site const *site, dt_json **document,
                 dt_error *e)
{
    dt_fetch_choice const choice = {source->policy, source->app, source->org};
    char id[DT_OKTA_ID_MAX];
    dt_okta_client *client = NULL;
    dt_buf text;
    int rc = dt_okta_client_new(site, DT_OKTA_IMPORT_SCOPES, &client, e);

    dt_buf_init(&text, DT_OKTA_DOCUMENT_MAX);
    if (rc == DT_OK)
        rc = dt_okta_fetch(client, &choice, &text, id, e);
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(&text), document, e);
    if (rc == DT_OK && source->save != NULL)
        rc = save(source->save, *document, e);
    dt_okta_client_free(&client);
    dt_buf_free(&text);
    return rc;
}

int dt_policy_document_get(dt_policy_source const *source, dt_site **site, dt_json **document,
                           char const **policy, char const **app, dt_error *e)
{
    char const *config = source->config != NULL ? source->config : DT_CONFIG_DEFAULT_PATH;
    dt_error why = {0};
    int rc;

    *document = NULL;
    *policy = source->policy;
    *app = source->app;
    if (source->from != NULL) {
        /* Paths may all be given; what is missing is then said where it is missed. */
        rc = dt_site_load_config(config, site, &why);
        if (rc != DT_OK && source->config != NULL) {
            if (e != NULL)
                *e = why;
            return rc;
        }
        return dt_json_file_read(source->from, DT_OKTA_DOCUMENT_MAX, document, e);
    }
    rc = dt_site_load_okta(config, site, e);
    if (rc == DT_OK)
        rc = fetch(source, *site, document, e);
    /* What was asked for is the only ACCESS_POLICY in the document. */
    *policy = *app = NULL;
    return rc;
}

/* --- fetch ------------------------------------------------------------------------------------- */

static int count_policies(dt_json const *document, char const *type)
{
    dt_json const *policies = dt_json_get(document, "policies");
    int count = 0;

    for (size_t i = 0; i < dt_json_size(policies); i++) {
        char const *is =
            dt_json_string(dt_json_path(dt_json_at(policies, i), "policy", "type", NULL));
        count += is != NULL && strcmp(is, type) == 0;
    }
    return count;
}

static void report_saved(dt_json const *document, char const *path, bool json)
{
    int access = count_policies(document, "ACCESS_POLICY");
    int sign_on = count_policies(document, "OKTA_SIGN_ON");
    size_t zones = dt_json_size(dt_json_get(document, "zones"));
    size_t groups = dt_json_size(dt_json_get(document, "groups"));
    size_t users = dt_json_size(dt_json_get(document, "users"));
    dt_buf b;

    if (!json) {
        dt_out_line("saved         %d ACCESS_POLICY, %d OKTA_SIGN_ON, %zu zone%s, %zu group%s, %zu "
                    "user%s in %s",
                    access, sign_on, zones, DT_S(zones), groups, DT_S(groups), users, DT_S(users),
                    path);
        return;
    }
    dt_out_begin(&b);
    dt_out_member(&b, "saved", path);
    dt_out_member_int(&b, "accessPolicies", access);
    dt_out_member_int(&b, "orgSignOnPolicies", sign_on);
    dt_out_member_int(&b, "zones", (int64_t)zones);
    dt_out_member_int(&b, "groups", (int64_t)groups);
    dt_out_member_int(&b, "users", (int64_t)users);
    dt_out_finish(&b);
}

dt_ctl_exit dt_policy_fetch_run(dt_ctl_command const *self, int argc, char **argv)
{
    dt_policy_source source = {0};
    bool json = false;
    dt_option const options[] = {{"--config", "-c", &source.config, NULL},
                                 {"--save", NULL, &source.save, NULL},
                                 {"--policy", NULL, &source.policy, NULL},
                                 {"--app", NULL, &source.app, NULL},
                                 {"--json", NULL, NULL, &json},
                                 {NULL, NULL, NULL, NULL}};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    char const *policy, *app;
    dt_site *site = NULL;
    dt_json *document = NULL;
    dt_ctl_exit result = DT_CTL_FAULT;
    size_t count = 0;
    dt_error e = {0};
    int rc = rest == NULL ? dt_error_set(&e, DT_E_NOMEM, "out of memory")
                          : dt_options_parse(options, argc, argv, rest, &count, &e);

    if (rc == DT_OK && (count > 0 || source.save == NULL))
        rc = dt_error_set(&e, DT_E_INVALID, "fetch needs --save FILE");
    if (rc == DT_OK && source.policy != NULL && source.app != NULL)
        rc = dt_error_set(&e, DT_E_INVALID, "use either --policy or --app");
    if (rc != DT_OK)
        result = dt_err_usage(self, &e);
    else if (dt_policy_document_get(&source, &site, &document, &policy, &app, &e) != DT_OK)
        result = dt_err_fault(&e);
    else {
        report_saved(document, source.save, json);
        result = DT_CTL_YES;
    }
    dt_json_free(&document);
    dt_site_free(&site);
    free(rest);
    return result;
}

/* --- which one --------------------------------------------------------------------------------- */

dt_ctl_exit dt_ctl_policy(dt_ctl_command const *self, int argc, char **argv)
{
    static struct {
        char const *name;
        dt_ctl_exit (*run)(dt_ctl_command const *self, int argc, char **argv);
    } const subcommands[] = {{"fetch", dt_policy_fetch_run}, {"import", dt_policy_import_run},
                             {"diff", dt_policy_diff_run},   {"test", dt_policy_test_run},
                             {"prove", dt_policy_prove_run}, {"replay", dt_policy_replay_run}};
    dt_error e = {0};

    for (size_t i = 0; argc > 0 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
        if (strcmp(argv[0], subcommands[i].name) == 0)
            return subcommands[i].run(self, argc - 1, argv + 1);
    (void)dt_error_set(&e, DT_E_INVALID, "needs fetch, import, diff, test, prove or replay first");
    return dt_err_usage(self, &e);
}
