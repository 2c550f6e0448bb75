/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl forget: ends remembered MFA, of a person, at an application, of a device, or all; or what
 * Okta answered about people's groups; or what was counted against their limits. Modules that run see it within
 * a second. */
#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"
#include "devtrustctl/site.h"

#include "core/signon/remembered.h"
#include "core/signon/session_record.h"
#include "core/signon/signon.h"
#include "edge/host.h"
#include "edge/site.h"

#include <stdlib.h>
#include <string.h>

/* What is to be forgotten; what is NULL does not matter. */
typedef struct forgetting {
    char const *user, *application, *device, *config;
    char const *deciding; /* the application whose policy is that of `application`; the site's */
    dt_identity who;      /* `user`; zero: as it was given */
    bool all, groups, limits, json;
    dt_store *store;
    dt_store_table table; /* that is being walked through */
    dt_time now;
    dt_buf scratch;
    size_t forgotten;
    dt_error error;
} forgetting;

/* The login of the person whom the name means, or the login as it was given. */
static bool is_user(forgetting const *f, char const *login)
{
    return dt_str_equal_nocase(login, f->user) ||
           (f->who.kind == DT_IDENTITY_PERSON && dt_str_equal_nocase(login, f->who.login));
}

/* A name that means nobody may be a whole login that the table gives somebody. */
static int find_person(forgetting *f, dt_site const *files)
{
    int rc = f->user != NULL ? dt_site_identity(files, f->user, &f->who, &f->error) : DT_OK;

    return rc == DT_E_INVALID && strchr(f->user, '@') != NULL ? DT_OK : rc;
}

/* A variant as sudo-i without a policy of its own has everything under the name of its base. */
static bool is_application(forgetting const *f, char const *application)
{
    return f->application == NULL || strcmp(application, f->application) == 0 ||
           strcmp(application, f->deciding) == 0;
}

/* That of a TLS session, which its door goes on with, says as much of itself. */
static bool read_row(dt_bytes value, dt_remembered *r)
{
    dt_session_owner o;

    if (dt_remembered_unpack(value, r) == DT_OK)
        return true;
    if (dt_session_record_owner(value, &o) != DT_OK)
        return false;
    memcpy(r->login, o.login, sizeof(r->login));
    memcpy(r->application, o.application, sizeof(r->application));
    memcpy(r->device_id, o.device_id, sizeof(r->device_id));
    memcpy(r->key_id, o.key_id, sizeof(r->key_id));
    return true;
}

/* A row that cannot be read is nobody's: no sign-on believes it either, and --all takes it away. */
static bool is_meant(forgetting const *f, dt_bytes value)
{
    dt_remembered r;

    if (f->all)
        return true;
    if (!read_row(value, &r))
        return false;
    if (f->user != NULL && !is_user(f, r.login))
        return false;
    /* One of a group is good for each application of it. */
    if (!is_application(f, r.application) && !is_application(f, r.group))
        return false;
    return f->device == NULL || dt_str_equal_nocase(r.device_id, f->device) ||
           dt_str_equal_nocase(r.key_id, f->device);
}

/* "okta-groups:POLICY:ORG:APPLICATION:LOGIN", as core/signon/signon_record.c has it; and "okta-user:LOGIN", or a
 * person whom Okta has just disabled would go on being known. */
static bool is_membership_meant(forgetting const *f, char const *key)
{
    char application[DT_APPLICATION_MAX];
    char const *colon;

    if (strncmp(key, "okta-user:", 10) == 0)
        return f->application == NULL && (f->user == NULL || is_user(f, key + 10));
    if (strncmp(key, "okta-group-name:", 16) == 0) /* how many groups have a name: nobody's */
        return f->application == NULL;
    if (strncmp(key, "okta-groups:", 12) != 0)
        return false;
    for (int i = 0; i < 3 && key != NULL; i++) {
        key = strchr(key, ':');
        key = key == NULL ? NULL : key + 1;
    }
    colon = key == NULL ? NULL : strchr(key, ':');
    if (colon == NULL || dt_str_copy_bytes(application, sizeof(application),
                                           dt_bytes_of(key, (size_t)(colon - key))) != DT_OK)
        return f->all;
    return (f->user == NULL || is_user(f, colon + 1)) && is_application(f, application);
}

/* "KIND:LOGIN", as dt_signon_limit_key makes it; an SSH connection has no login. A push that waits for its
 * answer stays: without its row the person would get a second one. */
static bool is_limit_meant(forgetting const *f, char const *key, dt_bytes value)
{
    char const *colon = strchr(key, ':');

    if (f->table == DT_TABLE_PUSH && dt_signon_push_is_pending(value))
        return false;
    if (f->all)
        return true;
    return colon != NULL && strncmp(key, "connection:", 11) != 0 && is_user(f, colon + 1);
}

static bool is_row_meant(forgetting const *f, char const *key, dt_bytes value)
{
    if (f->limits)
        return is_limit_meant(f, key, value);
    return f->groups ? is_membership_meant(f, key) : is_meant(f, value);
}

static int forget_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    forgetting *f = ctx;
    dt_store_op op = {.table = f->table, .verb = DT_STORE_DELETE, .sync = true};
    dt_store_result result = {0};

    (void)expires;
    if (!is_row_meant(f, key, value))
        return DT_OK;
    int rc = dt_str_copy(op.key, sizeof(op.key), key);

    if (rc == DT_OK)
        dt_store_do(f->store, &op, f->now, &f->scratch, &result);
    if (rc != DT_OK || result.status == DT_STORE_ERROR)
        return dt_error_set(&f->error, DT_E_UNAVAILABLE, "%s", result.error);
    f->forgotten += result.status == DT_STORE_OK;
    return DT_OK;
}

static int forget_rows(forgetting *f)
{
    static dt_store_table const limits[] = {DT_TABLE_PUSH_COUNT, DT_TABLE_PASSWORD_COUNT,
                                            DT_TABLE_PUSH};
    static dt_store_table const groups[] = {DT_TABLE_LOOKUP};
    static dt_store_table const remembered[] = {DT_TABLE_REMEMBERED};
    dt_store_table const *tables = f->limits ? limits : f->groups ? groups : remembered;
    size_t count = f->limits ? sizeof(limits) / sizeof(limits[0]) : 1;
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < count; i++) {
        f->table = tables[i];
        rc = dt_store_each(f->store, f->table, f->now, forget_row, f, &f->error);
    }
    return rc;
}

static void report_count(forgetting const *f)
{
    dt_buf b;

    if (!f->json) {
        dt_out_line("%zu forgotten", f->forgotten);
        return;
    }
    dt_out_begin(&b);
    dt_out_member(&b, "what", f->limits ? "limits" : f->groups ? "groups" : "mfa");
    dt_out_member_int(&b, "forgotten", (int64_t)f->forgotten);
    dt_out_finish(&b);
}

static dt_ctl_exit forget(forgetting *f)
{
    dt_site *files = NULL;
    int rc = dt_ctl_store_open(f->config, &files, &f->store, &f->error);

    if (rc == DT_OK && (rc = find_person(f, files)) < 0)
        dt_ctl_store_close(&files, &f->store);
    if (rc < 0)
        return dt_err_fault(&f->error);
    if (f->application != NULL)
        f->deciding = dt_site_application_of(files, f->application);
    f->now = dt_host_now();
    dt_buf_init(&f->scratch, DT_STORE_VALUE_MAX);
    rc = forget_rows(f);
    dt_buf_free(&f->scratch);
    dt_ctl_store_close(&files, &f->store);
    report_count(f);
    if (rc < 0)
        return dt_err_fault(&f->error);
    return f->forgotten > 0 ? DT_CTL_YES : DT_CTL_NO;
}

dt_ctl_exit dt_ctl_forget(dt_ctl_command const *self, int argc, char **argv)
{
    forgetting f = {0};
    dt_option const options[] = {{"--user", NULL, &f.user, NULL},
                                 {"--application", NULL, &f.application, NULL},
                                 {"--device", NULL, &f.device, NULL},
                                 {"--all", NULL, NULL, &f.all},
                                 {"--groups", NULL, NULL, &f.groups},
                                 {"--limits", NULL, NULL, &f.limits},
                                 {"--json", NULL, NULL, &f.json},
                                 {"--config", "-c", &f.config, NULL},
                                 {NULL, NULL, NULL, NULL}};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    size_t count = 0;
    bool named = false;
    int rc;

    if (rest == NULL) {
        dt_err_line("out of memory");
        return DT_CTL_FAULT;
    }
    rc = dt_options_parse(options, argc, argv, rest, &count, &f.error);
    free(rest);
    named = f.user != NULL || f.application != NULL || f.device != NULL;
    if (rc == DT_OK && f.groups && f.device != NULL)
        rc = dt_error_set(&f.error, DT_E_INVALID, "--groups cannot be used with --device");
    if (rc == DT_OK && f.limits && (f.groups || f.application != NULL || f.device != NULL))
        rc = dt_error_set(&f.error, DT_E_INVALID,
                          "--limits apply to people at all applications: use --user or --all");
    if (rc == DT_OK && (count > 0 || named == f.all))
        rc = dt_error_set(&f.error, DT_E_INVALID,
                          "use --user, --application or --device, alone or together, or --all");
    return rc == DT_OK ? forget(&f) : dt_err_usage(self, &f.error);
}
