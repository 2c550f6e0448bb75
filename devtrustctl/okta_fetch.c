/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collects policies, their rules and mappings, zones, and the names of the groups and users that the
 * rules know by id. Source: Okta management API reference, Policy, NetworkZone, Group, User,
 * Application. */
#include "devtrustctl/okta_fetch.h"

#include "devtrustctl/ctl.h"

#include "core/signon/outcome.h"
#include "core/base/url.h"
#include "edge/host.h"

#include <stdlib.h>
#include <string.h>

#define API "/api/v1/"
/* Elements of a page: so many that a page stays below the largest answer that is read. */
#define POLICIES_PAGE "?type=%s&limit=50"
#define RULES_PAGE "/rules?limit=50"
#define ZONES_PAGE API "zones?limit=20"
#define PATH_LEN_MAX 1024
#define IDS_FIRST 64
#define APP_CANDIDATES "20"
#define HOMONYMS_PAGE "200"

typedef struct id_list {
    char (*ids)[DT_OKTA_ID_MAX];
    size_t count, cap;
} id_list;

typedef struct fetching {
    dt_okta_client *client;
    dt_buf *out;
    id_list groups, users;
    id_list homonyms;      /* groups that no rule names, with the name of one that one names */
    bool homonyms_unknown; /* the org does not answer who they are */
    bool first;
    /* a policy that is looked for by name or by app */
    char const *wanted;
    char found[DT_OKTA_ID_MAX];
    size_t matches;
} fetching;

/* --- ids --------------------------------------------------------------------------------------- */

static bool is_id(char const *s)
{
    size_t len = s == NULL ? 0 : strlen(s);

    if (len == 0 || len >= DT_OKTA_ID_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static int id_add(id_list *list, char const *id, dt_error *e)
{
    /* What cannot be an id is not asked for; the import says that it is not known. */
    if (!is_id(id))
        return DT_OK;
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->ids[i], id) == 0)
            return DT_OK;
    if (list->count == DT_OKTA_NAMES_MAX)
        return dt_error_set(e, DT_E_LIMIT, "the rules name more than %d users or groups",
                            DT_OKTA_NAMES_MAX);
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? IDS_FIRST : list->cap * 2;
        char(*ids)[DT_OKTA_ID_MAX] = realloc(list->ids, cap * sizeof(*ids));
        if (ids == NULL)
            return dt_error_set(e, DT_E_NOMEM, "out of memory");
        list->ids = ids;
        list->cap = cap;
    }
    return dt_str_copy(list->ids[list->count++], DT_OKTA_ID_MAX, id);
}

/* The ids of {"include","exclude"}. */
static int ids_of_lists(id_list *to, dt_json const *v, dt_error *e)
{
    static char const *const names[] = {"include", "exclude"};
    int rc = DT_OK;

    for (size_t k = 0; k < 2; k++) {
        dt_json const *list = dt_json_get(v, names[k]);
        for (size_t i = 0; rc == DT_OK && i < dt_json_size(list); i++)
            rc = id_add(to, dt_json_string(dt_json_at(list, i)), e);
    }
    return rc;
}

static int ids_of_conditions(fetching *f, dt_json const *policy_or_rule, dt_error *e)
{
    dt_json const *people = dt_json_path(policy_or_rule, "conditions", "people", NULL);
    int rc = ids_of_lists(&f->users, dt_json_get(people, "users"), e);

    return rc == DT_OK ? ids_of_lists(&f->groups, dt_json_get(people, "groups"), e) : rc;
}

/* --- writing lists ----------------------------------------------------------------------------- */

static int put_element(fetching *f, dt_json const *v, dt_error *e)
{
    dt_buf_puts(f->out, f->first ? "" : ",");
    f->first = false;
    dt_json_put_value(f->out, v, 0);
    if (dt_buf_error(f->out) < 0)
        return dt_error_set(e, dt_buf_error(f->out), "the org's policies take more than %d bytes",
                            DT_OKTA_DOCUMENT_MAX);
    return DT_OK;
}

static int on_element(void *ctx, dt_json const *v, dt_error *e)
{
    return put_element(ctx, v, e);
}

static int on_rule(void *ctx, dt_json const *v, dt_error *e)
{
    int rc = ids_of_conditions(ctx, v, e);

    return rc == DT_OK ? put_element(ctx, v, e) : rc;
}

static int put_list(fetching *f, char const *member, char const *path, dt_okta_element_fn *fn,
                    dt_error *e)
{
    int rc;

    dt_buf_puts(f->out, ",\"");
    dt_buf_puts(f->out, member);
    dt_buf_puts(f->out, "\":[");
    f->first = true;
    rc = dt_okta_client_each(f->client, path, fn, f, e);
    dt_buf_putc(f->out, ']');
    return rc;
}

/* --- policies ---------------------------------------------------------------------------------- */

static void policy_path(char out[PATH_LEN_MAX], char const *id, char const *rest)
{
    dt_buf b;

    dt_buf_init_fixed(&b, out, PATH_LEN_MAX);
    dt_buf_puts(&b, API "policies/");
    dt_url_put_segment(&b, id);
    dt_buf_puts(&b, rest);
}

/* {"policy","rules","mappings"} */
static int put_policy(fetching *f, dt_json const *policy, bool first, dt_error *e)
{
    char path[PATH_LEN_MAX];
    char const *id = dt_json_string(dt_json_get(policy, "id"));
    char const *type = dt_json_string(dt_json_get(policy, "type"));
    bool mapped = type != NULL && strcmp(type, "ACCESS_POLICY") == 0;
    int rc;

    if (!is_id(id))
        return dt_error_set(e, DT_E_UNAVAILABLE, "Okta gave a policy without an id");
    dt_buf_puts(f->out, first ? "{\"policy\":" : ",{\"policy\":");
    f->first = true;
    rc = put_element(f, policy, e);
    if (rc == DT_OK)
        rc = ids_of_conditions(f, policy, e);
    policy_path(path, id, RULES_PAGE);
    if (rc == DT_OK)
        rc = put_list(f, "rules", path, on_rule, e);
    policy_path(path, id, "/mappings");
    if (rc == DT_OK && mapped)
        rc = put_list(f, "mappings", path, on_element, e);
    dt_buf_putc(f->out, '}');
    return rc;
}

/* The policies of a type are kept while their rules are asked for: a page cannot be held open. */
typedef struct policy_list {
    dt_buf text; /* a JSON list */
    size_t count;
} policy_list;

static int keep_policy(void *ctx, dt_json const *v, dt_error *e)
{
    policy_list *list = ctx;

    if (list->count++ == DT_OKTA_POLICIES_MAX)
        return dt_error_set(e, DT_E_LIMIT, "the org has more than %d policies of one type",
                            DT_OKTA_POLICIES_MAX);
    dt_buf_puts(&list->text, list->text.len > 1 ? "," : "");
    dt_json_put_value(&list->text, v, 0);
    return dt_buf_error(&list->text) < 0
               ? dt_error_set(e, dt_buf_error(&list->text), "the org's policies are too large")
               : DT_OK;
}

static int list_policies(fetching *f, char const *type, dt_json **out, dt_error *e)
{
    policy_list list = {.count = 0};
    char path[PATH_LEN_MAX];
    dt_buf b;
    int rc;

    *out = NULL;
    dt_buf_init(&list.text, DT_OKTA_DOCUMENT_MAX);
    dt_buf_putc(&list.text, '[');
    dt_buf_init_fixed(&b, path, sizeof(path));
    dt_buf_printf(&b, API "policies" POLICIES_PAGE, type);
    rc = dt_okta_client_each(f->client, path, keep_policy, &list, e);
    dt_buf_putc(&list.text, ']');
    if (rc == DT_OK)
        rc = dt_json_parse(dt_buf_bytes(&list.text), out, e);
    dt_buf_free(&list.text);
    return rc;
}

static int put_policies_of(fetching *f, char const *type, bool *first, dt_error *e)
{
    dt_json *policies = NULL;
    int rc = list_policies(f, type, &policies, e);

    for (size_t i = 0; rc == DT_OK && i < dt_json_size(policies); i++) {
        rc = put_policy(f, dt_json_at(policies, i), *first, e);
        *first = false;
    }
    dt_json_free(&policies);
    return rc;
}

static int put_all(fetching *f, bool org, dt_error *e)
{
    bool first = true;
    int rc = org ? DT_OK : put_policies_of(f, "ACCESS_POLICY", &first, e);

    return rc == DT_OK ? put_policies_of(f, "OKTA_SIGN_ON", &first, e) : rc;
}

/* --- the one policy that is asked for ---------------------------------------------------------- */

static bool is_text(dt_json const *v, char const *wanted)
{
    char const *s = dt_json_string(v);

    return s != NULL && strcmp(s, wanted) == 0;
}

static int find_by_name(fetching *f, char const *name, dt_error *e)
{
    dt_json *policies = NULL;
    int rc = list_policies(f, "ACCESS_POLICY", &policies, e);

    f->matches = 0;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(policies); i++) {
        dt_json const *p = dt_json_at(policies, i);
        char const *id = dt_json_string(dt_json_get(p, "id"));
        if (!is_text(dt_json_get(p, "name"), name) || !is_id(id))
            continue;
        f->matches++;
        rc = dt_str_copy(f->found, sizeof(f->found), id);
    }
    dt_json_free(&policies);
    if (rc == DT_OK && f->matches != 1)
        return dt_error_set(e, DT_E_NOT_FOUND, "%s ACCESS_POLICY of the org is called \"%.200s\"",
                            f->matches == 0 ? "no" : "more than one", name);
    return rc;
}

/* The last segment of a link to a policy. */
static int id_of_link(char const *href, char out[DT_OKTA_ID_MAX])
{
    char const *last = href == NULL ? NULL : strrchr(href, '/');

    return last != NULL && is_id(last + 1) ? dt_str_copy(out, DT_OKTA_ID_MAX, last + 1)
                                           : DT_E_NOT_FOUND;
}

static int on_mapping(void *ctx, dt_json const *v, dt_error *e)
{
    fetching *f = ctx;
    char id[DT_OKTA_ID_MAX];

    (void)e;
    if (id_of_link(dt_json_string(dt_json_path(v, "_links", "application", "href", NULL)), id) ==
            DT_OK &&
        strcmp(id, f->wanted) == 0)
        f->matches++;
    return DT_OK;
}

/* Where an app does not link to its policy: the policy that is mapped to it. */
static int find_by_mapping(fetching *f, char const *app, dt_error *e)
{
    dt_json *policies = NULL;
    size_t found = 0;
    int rc = list_policies(f, "ACCESS_POLICY", &policies, e);

    f->wanted = app;
    for (size_t i = 0; rc == DT_OK && i < dt_json_size(policies); i++) {
        char const *id = dt_json_string(dt_json_get(dt_json_at(policies, i), "id"));
        char path[PATH_LEN_MAX];
        if (!is_id(id))
            continue;
        f->matches = 0;
        policy_path(path, id, "/mappings");
        rc = dt_okta_client_each(f->client, path, on_mapping, f, e);
        if (rc == DT_OK && f->matches > 0) {
            found++;
            rc = dt_str_copy(f->found, sizeof(f->found), id);
        }
    }
    dt_json_free(&policies);
    f->wanted = NULL; /* it may be the caller's */
    if (rc == DT_OK && found != 1)
        return dt_error_set(e, DT_E_NOT_FOUND, "%s ACCESS_POLICY is mapped to the app %.64s",
                            found == 0 ? "no" : "more than one", app);
    return rc;
}

static int on_app(void *ctx, dt_json const *v, dt_error *e)
{
    fetching *f = ctx;
    char const *id = dt_json_string(dt_json_get(v, "id"));

    (void)e;
    if (!is_text(dt_json_get(v, "label"), f->wanted) || !is_id(id))
        return DT_OK;
    f->matches++;
    return dt_str_copy(f->found, sizeof(f->found), id);
}

static int find_app_by_label(fetching *f, char const *label, char id[DT_OKTA_ID_MAX], dt_error *e)
{
    char path[PATH_LEN_MAX];
    dt_buf b;
    int rc;

    dt_buf_init_fixed(&b, path, sizeof(path));
    dt_buf_puts(&b, API "apps?limit=" APP_CANDIDATES "&q=");
    dt_url_put_segment(&b, label);
    if (dt_buf_error(&b) < 0)
        return dt_error_set(e, DT_E_INVALID, "the name of the app is too long");
    f->wanted = label;
    f->matches = 0;
    rc = dt_okta_client_each(f->client, path, on_app, f, e);
    if (rc == DT_OK && f->matches != 1)
        return dt_error_set(e, DT_E_NOT_FOUND, "%s app of the org is called \"%.200s\"",
                            f->matches == 0 ? "no" : "more than one", label);
    return rc == DT_OK ? dt_str_copy(id, DT_OKTA_ID_MAX, f->found) : rc;
}

static int find_by_app(fetching *f, char const *app, dt_error *e)
{
    char path[PATH_LEN_MAX], id[DT_OKTA_ID_MAX] = "";
    dt_json *root = NULL;
    dt_buf b;
    int rc = DT_E_NOT_FOUND;

    for (int by_label = is_id(app) ? 0 : 1; rc == DT_E_NOT_FOUND && by_label < 2; by_label++) {
        rc = by_label ? find_app_by_label(f, app, id, e) : dt_str_copy(id, sizeof(id), app);
        if (rc != DT_OK)
            return rc;
        dt_buf_init_fixed(&b, path, sizeof(path));
        dt_buf_puts(&b, API "apps/");
        dt_url_put_segment(&b, id);
        rc = dt_okta_client_get(f->client, path, &root, NULL, e);
    }
    if (rc == DT_OK &&
        id_of_link(dt_json_string(dt_json_path(root, "_links", "accessPolicy", "href", NULL)),
                   f->found) != DT_OK)
        rc = find_by_mapping(f, id, e);
    dt_json_free(&root);
    return rc;
}

static int put_one(fetching *f, dt_fetch_choice const *choice, dt_error *e)
{
    char path[PATH_LEN_MAX];
    dt_json *policy = NULL;
    int rc = DT_OK;

    if (choice->app != NULL)
        rc = find_by_app(f, choice->app, e);
    else if (is_id(choice->policy))
        rc = dt_str_copy(f->found, sizeof(f->found), choice->policy);
    else
        rc = find_by_name(f, choice->policy, e);
    for (int tries = 0; rc == DT_OK && tries < 2; tries++) {
        policy_path(path, f->found, "");
        rc = dt_okta_client_get(f->client, path, &policy, NULL, e);
        if (rc != DT_E_NOT_FOUND || choice->policy == NULL || tries > 0)
            break;
        /* It looked like an id and is a name. */
        rc = find_by_name(f, choice->policy, e);
    }
    if (rc == DT_OK && !is_text(dt_json_get(policy, "type"), "ACCESS_POLICY"))
        rc = dt_error_set(e, DT_E_NOT_FOUND, "the policy %s is not an ACCESS_POLICY", f->found);
    if (rc == DT_OK)
        rc = put_policy(f, policy, true, e);
    dt_json_free(&policy);
    return rc;
}

/* --- names ------------------------------------------------------------------------------------- */

static void put_name(fetching *f, dt_json const *v, char const *id, char const *label)
{
    char const *type = dt_json_string(dt_json_get(v, "type"));

    dt_buf_puts(f->out, f->first ? "{\"id\":" : ",{\"id\":");
    f->first = false;
    dt_json_put_string(f->out, id);
    if (type != NULL) {
        dt_buf_puts(f->out, ",\"type\":");
        dt_json_put_string(f->out, type);
    }
    dt_buf_puts(f->out, ",\"profile\":{");
    dt_json_put_string(f->out, label);
    dt_buf_putc(f->out, ':');
    dt_json_put_string(f->out, dt_json_string(dt_json_path(v, "profile", label, NULL)));
    dt_buf_puts(f->out, "}}");
}

/* --- groups of the same name -------------------------------------------------------------------- */

/* Okta keeps apart the names of the groups that it makes itself; those that come from an app or a
 * directory may have any. */
typedef struct homonyms {
    fetching *f;
    char const *id, *name; /* the group that a rule names */
} homonyms;

static int on_homonym(void *ctx, dt_json const *v, dt_error *e)
{
    homonyms *h = ctx;
    char const *id = dt_json_string(dt_json_get(v, "id"));
    char const *name = dt_json_string(dt_json_path(v, "profile", "name", NULL));

    if (!is_id(id) || name == NULL || !dt_str_equal_nocase(name, h->name) || strcmp(id, h->id) == 0)
        return DT_OK;
    for (size_t i = 0; i < h->f->groups.count; i++)
        if (strcmp(h->f->groups.ids[i], id) == 0)
            return DT_OK; /* in the document already, or will be */
    for (size_t i = 0; i < h->f->homonyms.count; i++)
        if (strcmp(h->f->homonyms.ids[i], id) == 0)
            return DT_OK;
    put_name(h->f, v, id, "name");
    return id_add(&h->f->homonyms, id, e);
}

/* profile.name eq "..." as a query; false when it does not fit. */
static bool homonyms_path(char path[PATH_LEN_MAX], char const *name)
{
    char expression[PATH_LEN_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, expression, sizeof(expression));
    dt_okta_put_group_search(&b, name);
    if (dt_buf_error(&b) < 0)
        return false;
    dt_buf_init_fixed(&b, path, PATH_LEN_MAX);
    dt_buf_puts(&b, API "groups?limit=" HOMONYMS_PAGE "&search=");
    dt_url_put_segment(&b, expression);
    return dt_buf_error(&b) == DT_OK;
}

/* Rules mean groups by id, so what is not found here changes no rule: it is for people who read names.
 * An org that does not answer the question is asked no more. */
static int put_homonyms(fetching *f, char const *id, char const *name, dt_error *e)
{
    homonyms h = {f, id, name};
    char path[PATH_LEN_MAX];
    dt_error why = {0};
    int rc;

    if (f->homonyms_unknown || name == NULL || !homonyms_path(path, name))
        return DT_OK;
    rc = dt_okta_client_each(f->client, path, on_homonym, &h, &why);
    if (rc == DT_E_NOT_FOUND || rc == DT_E_PERMISSION) {
        dt_err_line("it is unknown whether other groups have the names of those in the rules: %s",
                    why.text);
        f->homonyms_unknown = true;
        return DT_OK;
    }
    if (rc != DT_OK)
        *e = why;
    return rc;
}

/* What Okta does not know, or does not show to this token, stays away. */
static int put_names(fetching *f, char const *member, char const *label, id_list const *list,
                     dt_error *e)
{
    int rc = DT_OK;

    dt_buf_puts(f->out, ",\"");
    dt_buf_puts(f->out, member);
    dt_buf_puts(f->out, "\":[");
    f->first = true;
    for (size_t i = 0; rc == DT_OK && i < list->count; i++) {
        char path[PATH_LEN_MAX];
        dt_json *root = NULL;
        dt_buf b;
        dt_buf_init_fixed(&b, path, sizeof(path));
        dt_buf_puts(&b, API);
        dt_buf_puts(&b, member);
        dt_buf_putc(&b, '/');
        dt_url_put_segment(&b, list->ids[i]);
        rc = dt_okta_client_get(f->client, path, &root, NULL, e);
        /* /users/{id} also takes a login: only who has this very id is meant. */
        if (rc == DT_OK && is_text(dt_json_get(root, "id"), list->ids[i])) {
            put_name(f, root, list->ids[i], label);
            if (list == &f->groups)
                rc = put_homonyms(f, list->ids[i],
                                  dt_json_string(dt_json_path(root, "profile", "name", NULL)), e);
        }
        if (rc == DT_E_NOT_FOUND)
            rc = DT_OK;
        dt_json_free(&root);
    }
    dt_buf_putc(f->out, ']');
    return rc;
}

/* --- the whole --------------------------------------------------------------------------------- */

static void put_head(fetching *f)
{
    char when[25];

    dt_time_format(when, dt_host_now());
    dt_buf_puts(f->out, "{\"format\":\"" DT_OKTA_DOCUMENT_FORMAT "\",\"org\":");
    dt_json_put_string(f->out, dt_okta_client_config(f->client)->okta.org_url);
    dt_buf_puts(f->out, ",\"fetched\":");
    dt_json_put_string(f->out, when);
    dt_buf_puts(f->out, ",\"policies\":[");
}

int dt_okta_fetch(dt_okta_client *c, dt_fetch_choice const *choice, dt_buf *document,
                  char policy_id[DT_OKTA_ID_MAX], dt_error *e)
{
    fetching f = {.client = c, .out = document};
    bool one = choice->policy != NULL || choice->app != NULL;
    int rc;

    put_head(&f);
    rc = one ? put_one(&f, choice, e) : put_all(&f, choice->org, e);
    dt_buf_putc(document, ']');
    if (rc == DT_OK)
        rc = put_list(&f, "zones", ZONES_PAGE, on_element, e);
    if (rc == DT_OK)
        rc = put_names(&f, "groups", "name", &f.groups, e);
    if (rc == DT_OK)
        rc = put_names(&f, "users", "login", &f.users, e);
    dt_buf_putc(document, '}');
    if (rc == DT_OK && dt_buf_error(document) < 0)
        rc = dt_error_set(e, dt_buf_error(document), "the org's policies take more than %d bytes",
                          DT_OKTA_DOCUMENT_MAX);
    if (rc == DT_OK)
        rc = dt_str_copy(policy_id, DT_OKTA_ID_MAX, one ? f.found : "");
    free(f.groups.ids);
    free(f.users.ids);
    free(f.homonyms.ids);
    return rc;
}
