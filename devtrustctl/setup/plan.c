/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/plan.h"

#include "devtrustctl/setup/text_edit.h"

#include <stdio.h>
#include <string.h>

#define ETC "/etc/devtrust/"
#define SHARE "/usr/share/devtrust/"
#define CONF ETC "devtrust.conf"
#define RADIUS_STORE "/var/lib/devtrust-radius/state.db"
#define RADIUS_AUDIT "/var/log/devtrust-radius/audit.log"
#define RADIUS_STATE_KEY ETC "radius-state.key"
#define EAP_CAS ETC "eap-ca.pem"
#define CLIENTS_FILE "clients-devtrust.conf"
#define SSHD_DROP_IN "/etc/ssh/sshd_config.d/devtrust.conf"
#define REQUEST_SECONDS 65 /* [mfa] wait_vpn of 55 s and the time of the requests to Okta */
#define CLIENT_SECRET_MIN 8
#define CLIENT_SECRET_LONGEST 256
#define MODE_PUBLIC 0644U
#define MODE_SECRET 0640U
#define MODE_PRIVATE 0600U
#define MODE_DIRECTORY 0755U

typedef struct planning {
    dt_setup_input const *in;
    dt_edits *out;
    dt_error *e;
} planning;

static char const *answer(planning const *p, dt_answer_id id)
{
    return p->in->answers->values[id];
}

static bool has(planning const *p, dt_answer_id id)
{
    return answer(p, id)[0] != '\0';
}

bool dt_setup_wants_radius(dt_answers const *a)
{
    return dt_apps_have(a->values[DT_ANSWER_APPLICATIONS], "vpn") ||
           dt_apps_have(a->values[DT_ANSWER_APPLICATIONS], "wifi");
}

static int is_pam(void *ctx, dt_app const *app, bool named)
{
    (void)named;
    *(bool *)ctx = *(bool *)ctx || app->door == DT_APP_PAM;
    return DT_OK;
}

bool dt_setup_wants_pam(dt_answers const *a)
{
    bool wants = false;

    return dt_apps_each(a->values[DT_ANSWER_APPLICATIONS], is_pam, &wants) >= 0 && wants;
}

/* --- edits ------------------------------------------------------------------------------------ */

/* The edit of a path: before is what is there, after the same until somebody changes it. */
static int edit_of(planning *p, char const *path, dt_edit **out)
{
    int rc;

    *out = dt_edits_find(p->out, path);
    if (*out != NULL)
        return DT_OK;
    *out = dt_edits_add(p->out, path);
    if (*out == NULL)
        return dt_error_set(p->e, DT_E_LIMIT, "%s: more than %d files", path, DT_EDITS_MAX);
    rc = p->in->look(p->in->ctx, path, &(*out)->before, p->e);
    if (rc == DT_OK && dt_node_copy(&(*out)->after, &(*out)->before) < 0)
        rc = dt_error_set(p->e, DT_E_NOMEM, "out of memory");
    return rc;
}

static int want_file(planning *p, dt_edit *edit)
{
    if (edit->before.type == DT_NODE_LINK)
        return dt_error_set(
            p->e, DT_E_PERMISSION,
            "%s is a symbolic link; setup changes nothing through links: put the file "
            "in its place",
            edit->path);
    if (edit->before.type == DT_NODE_DIRECTORY)
        return dt_error_set(p->e, DT_E_PERMISSION, "%s is a directory", edit->path);
    return DT_OK;
}

static int set_content(planning *p, dt_edit *edit, dt_bytes content)
{
    dt_buf_reset(&edit->after.content);
    dt_buf_put(&edit->after.content, content.p, content.len);
    return dt_buf_error(&edit->after.content) < 0
               ? dt_error_set(p->e, DT_E_LIMIT, "%s would be too long", edit->path)
               : DT_OK;
}

static void set_rights(planning *p, dt_edit *edit, unsigned mode, gid_t gid)
{
    edit->after.type = DT_NODE_FILE;
    edit->after.mode = mode;
    edit->after.uid = p->in->owner;
    edit->after.gid = gid;
}

/* A file of setup's own: content, owner and mode are as given. */
static int put_file(planning *p, char const *path, dt_bytes content, unsigned mode, gid_t gid)
{
    dt_edit *edit;
    int rc = edit_of(p, path, &edit);

    if (rc == DT_OK)
        rc = want_file(p, edit);
    if (rc == DT_OK)
        rc = set_content(p, edit, content);
    if (rc == DT_OK) {
        set_rights(p, edit, mode, gid);
        edit->secret = mode != MODE_PUBLIC;
    }
    return rc;
}

/* A file that is changed: it keeps owner and mode. One that was not there gets `mode` and `gid`. */
static int put_changed(planning *p, char const *path, dt_bytes content, unsigned mode, gid_t gid)
{
    dt_edit *edit;
    int rc = edit_of(p, path, &edit);

    if (rc == DT_OK)
        rc = want_file(p, edit);
    if (rc == DT_OK)
        rc = set_content(p, edit, content);
    if (rc == DT_OK && edit->before.type == DT_NODE_ABSENT)
        set_rights(p, edit, mode, gid);
    return rc;
}

static int put_directory(planning *p, char const *path, unsigned mode, gid_t gid)
{
    dt_edit *edit;
    int rc = edit_of(p, path, &edit);

    if (rc < 0 || edit->before.type == DT_NODE_DIRECTORY)
        return rc;
    if (edit->before.type != DT_NODE_ABSENT)
        return dt_error_set(p->e, DT_E_PERMISSION, "%s is not a directory", path);
    set_rights(p, edit, mode, gid);
    edit->after.type = DT_NODE_DIRECTORY;
    return rc;
}

/* target NULL: the link goes. */
static int put_link(planning *p, char const *path, char const *target)
{
    dt_edit *edit;
    int rc = edit_of(p, path, &edit);

    if (rc < 0 || (target == NULL && edit->before.type == DT_NODE_ABSENT))
        return rc;
    if (edit->before.type != DT_NODE_LINK && edit->before.type != DT_NODE_ABSENT)
        return dt_error_set(p->e, DT_E_PERMISSION,
                            "%s is not a symbolic link, as FreeRADIUS has it; move it away", path);
    edit->after.type = target != NULL ? DT_NODE_LINK : DT_NODE_ABSENT;
    if (edit->before.type == DT_NODE_ABSENT) {
        edit->after.uid = p->in->owner;
        edit->after.gid = 0;
    }
    return set_content(p, edit, dt_bytes_str(target)); /* NULL is empty */
}

/* What a file of the system holds. DT_E_NOT_FOUND with `hint` when it is not there. */
static int read_file(planning *p, char const *path, char const *hint, dt_node *out)
{
    int rc;

    dt_node_init(out);
    rc = p->in->look(p->in->ctx, path, out, p->e);
    if (rc == DT_OK && out->type != DT_NODE_FILE)
        rc = dt_error_set(p->e, DT_E_NOT_FOUND, "%s does not exist; %s", path, hint);
    return rc;
}

/* --- devtrust.conf and what it names ----------------------------------------------------------- */

/* Files that are copied, and the keys that name them. */
static struct placed {
    dt_answer_id id;
    char const *path;
    char const *section, *key; /* NULL: FreeRADIUS's own configuration names it */
} const placed_files[] = {
    {DT_ANSWER_API_TOKEN_FILE, ETC "okta.token", "okta", "api_token_file"},
    {DT_ANSWER_KEY_FILE, ETC "okta.key", "okta", "key_file"},
    {DT_ANSWER_OKTA_CA_FILE, ETC "okta-ca.pem", "okta", "ca_file"},
    {DT_ANSWER_INTUNE_CERTIFICATE_FILE, ETC "graph.pem", "intune", "certificate_file"},
    {DT_ANSWER_INTUNE_KEY_FILE, ETC "graph.key", "intune", "key_file"},
    {DT_ANSWER_INTUNE_CLIENT_SECRET_FILE, ETC "graph.secret", "intune", "client_secret_file"},
    {DT_ANSWER_INTUNE_CA_FILE, ETC "intune-ca.pem", "intune", "ca_file"},
    {DT_ANSWER_COMPANY_CA_FILE, ETC "device-ca.pem", "device_trust", "ca_file"},
    {DT_ANSWER_SHARED_CA_FILE, ETC "shared-ca.pem", "device_trust", "shared_ca_file"},
    {DT_ANSWER_RADIUS_CERTIFICATE_FILE, ETC "radius-server.pem", NULL, NULL},
    {DT_ANSWER_RADIUS_KEY_FILE, ETC "radius-server.key", NULL, NULL},
};
#define PLACED (sizeof(placed_files) / sizeof(placed_files[0]))

/* Values that are written as they are. */
static struct plain {
    char const *section, *key;
    dt_answer_id id;
    bool always; /* an empty answer is written, too: the sample has a placeholder there */
} const plain_values[] = {
    {"okta", "org_url", DT_ANSWER_ORG_URL, true},
    {"okta", "client_id", DT_ANSWER_CLIENT_ID, false},
    {"okta", "key_id", DT_ANSWER_KEY_ID, false},
    {"okta", "dpop", DT_ANSWER_DPOP, false},
    {"user_name", "login_suffix", DT_ANSWER_LOGIN_SUFFIX, true},
    {"intune", "tenant_id", DT_ANSWER_TENANT_ID, true},
    {"intune", "client_id", DT_ANSWER_INTUNE_CLIENT_ID, true},
    {"intune", "login_url", DT_ANSWER_LOGIN_URL, false},
    {"intune", "graph_url", DT_ANSWER_GRAPH_URL, false},
};
#define PLAIN (sizeof(plain_values) / sizeof(plain_values[0]))

void dt_setup_settle(dt_answers const *a, dt_answers *out)
{
    *out = *a;
    for (size_t i = 0; i < PLACED; i++) {
        if (a->values[placed_files[i].id][0] != '\0')
            (void)dt_str_copy(out->values[placed_files[i].id], DT_SETUP_ANSWER_MAX,
                              placed_files[i].path);
    }
}

static int edit_values(planning *p, dt_buf *text)
{
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < PLAIN; i++) {
        struct plain const *v = &plain_values[i];
        bool set = v->always || has(p, v->id);

        rc = dt_edit_conf(text, v->section, v->key, set ? answer(p, v->id) : NULL, p->e);
    }
    for (size_t i = 0; rc == DT_OK && i < PLACED; i++) {
        struct placed const *f = &placed_files[i];

        if (f->key != NULL)
            rc = dt_edit_conf(text, f->section, f->key, has(p, f->id) ? f->path : NULL, p->e);
    }
    return rc;
}

static int edit_radius_section(planning *p, dt_buf *text)
{
    bool radius = dt_setup_wants_radius(p->in->answers);
    int rc = dt_edit_conf(text, "radius", "store_path", radius ? RADIUS_STORE : NULL, p->e);

    if (rc == DT_OK)
        rc = dt_edit_conf(text, "radius", "audit_file", radius ? RADIUS_AUDIT : NULL, p->e);
    if (rc == DT_OK)
        rc = dt_edit_conf(text, "radius", "state_key_file", radius ? RADIUS_STATE_KEY : NULL, p->e);
    return rc;
}

static int plan_conf(planning *p)
{
    dt_node now, sample;
    int rc = read_file(p, CONF, "", &now);

    dt_node_init(&sample);
    if (rc == DT_E_NOT_FOUND) {
        dt_node_free(&sample);
        rc = read_file(p, SHARE "devtrust.conf", "install devtrust-common", &sample);
    }
    if (rc == DT_OK) {
        dt_buf *text = now.type == DT_NODE_FILE ? &now.content : &sample.content;

        rc = edit_values(p, text);
        if (rc == DT_OK)
            rc = edit_radius_section(p, text);
        if (rc == DT_OK)
            rc = dt_edit_conf(text, "policy", "report_only",
                              dt_answer_is_yes(p->in->answers, DT_ANSWER_ENFORCE) ? "no" : "yes",
                              p->e);
        if (rc == DT_OK)
            rc = put_changed(p, CONF, dt_buf_bytes(text), MODE_PUBLIC, 0);
    }
    dt_node_free(&now);
    dt_node_free(&sample);
    return rc;
}

static int plan_placed(planning *p)
{
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < PLACED; i++) {
        struct placed const *f = &placed_files[i];
        bool secret = dt_answer_row_of(f->id)->type == DT_ANSWER_SECRET;
        gid_t gid = !secret ? 0 : f->key != NULL ? p->in->devtrust : p->in->freerad;

        if (has(p, f->id))
            rc = put_file(p, f->path, dt_buf_bytes(&p->in->files[f->id].content),
                          secret ? MODE_SECRET : MODE_PUBLIC, gid);
    }
    return rc;
}

static int plan_answers(planning *p)
{
    dt_answers settled;
    dt_buf text;
    int rc;

    dt_setup_settle(p->in->answers, &settled);
    dt_buf_init(&text, DT_ANSWERS_FILE_MAX);
    dt_buf_puts(&text,
                "# What devtrustctl setup was answered; it is what the next run begins with.\n");
    dt_answers_put(&settled, &text);
    rc = put_file(p, DT_SETUP_ANSWERS_PATH, dt_buf_bytes(&text), MODE_PRIVATE, 0);
    if (rc == DT_OK)
        dt_edits_find(p->out, DT_SETUP_ANSWERS_PATH)->secret = false;
    dt_buf_free(&text);
    return rc;
}

/* --- policies --------------------------------------------------------------------------------- */

/* A policy that comes with devtrust, or that of sudo under another name. One that is there stays. */
static int plan_policy(planning *p, char const *application)
{
    char path[DT_EDIT_PATH_MAX], source[DT_EDIT_PATH_MAX];
    dt_node there, sample;
    dt_buf text;
    int rc;

    (void)snprintf(path, sizeof(path), ETC "policies/%s.json", application);
    (void)snprintf(source, sizeof(source), SHARE "policies/%s.json", application);
    dt_node_init(&there);
    dt_node_init(&sample);
    dt_buf_init(&text, DT_EDIT_TEXT_MAX);
    rc = p->in->look(p->in->ctx, path, &there, p->e);
    if (rc < 0 || there.type != DT_NODE_ABSENT)
        goto out;
    rc = p->in->look(p->in->ctx, source, &sample, p->e);
    if (rc == DT_OK && sample.type == DT_NODE_FILE) {
        dt_buf_put(&text, sample.content.p, sample.content.len);
    } else if (rc == DT_OK) {
        dt_node_free(&sample);
        rc = read_file(p, SHARE "policies/sudo.json", "install devtrust-common", &sample);
        for (char const *at = (char const *)sample.content.p; rc == DT_OK && *at != '\0';) {
            if (strncmp(at, "\"sudo\"", 6) == 0) {
                dt_buf_printf(&text, "\"%s\"", application);
                at += 6;
            } else {
                dt_buf_putc(&text, *at++);
            }
        }
    }
    if (rc == DT_OK)
        rc = put_file(p, path, dt_buf_bytes(&text), MODE_PUBLIC, 0);
out:
    dt_node_free(&there);
    dt_node_free(&sample);
    dt_buf_free(&text);
    return rc;
}

/* --- PAM -------------------------------------------------------------------------------------- */

static int edit_service(planning *p, dt_app const *app, char const *service, dt_node const *now)
{
    char path[DT_EDIT_PATH_MAX];
    bool sshd = strcmp(app->name, "sshd") == 0;
    /* In report-only mode people get in as before: by their key, or by their password. */
    dt_pam_shape const shape = {.account = app->account,
                                .rootok = strcmp(app->name, "su") == 0,
                                .session = sshd,
                                .take_passcode = app->blind,
                                .key_only =
                                    sshd && dt_answer_is_yes(p->in->answers, DT_ANSWER_ENFORCE)};
    dt_buf text;
    int rc;

    (void)snprintf(path, sizeof(path), "/etc/pam.d/%s", service);
    dt_buf_init(&text, DT_EDIT_TEXT_MAX);
    rc = dt_edit_pam(dt_buf_bytes(&now->content), path, &shape, &text, p->e);
    if (rc == DT_OK)
        rc = put_changed(p, path, dt_buf_bytes(&text), MODE_PUBLIC, 0);
    dt_buf_free(&text);
    return rc;
}

static int look_at_service(planning *p, char const *service, dt_node *out)
{
    char path[DT_EDIT_PATH_MAX];
    dt_edit *edit;
    int rc;

    (void)snprintf(path, sizeof(path), "/etc/pam.d/%s", service);
    rc = edit_of(p, path, &edit);
    if (rc == DT_OK)
        rc = want_file(p, edit);
    if (rc == DT_OK && dt_node_copy(out, &edit->before) < 0)
        rc = dt_error_set(p->e, DT_E_NOMEM, "out of memory");
    return rc;
}

static int plan_variant(planning *p, dt_app const *app)
{
    dt_node now;
    int rc = DT_OK;

    if (app->variant == NULL)
        return DT_OK;
    dt_node_init(&now);
    rc = look_at_service(p, app->variant, &now);
    /* One that includes its base is asked by that. */
    if (rc == DT_OK && now.type == DT_NODE_FILE &&
        dt_pam_has_include(dt_buf_bytes(&now.content), "common-auth"))
        rc = edit_service(p, app, app->variant, &now);
    dt_node_free(&now);
    return rc;
}

static int plan_pam_app(void *ctx, dt_app const *app, bool named)
{
    planning *p = ctx;
    dt_node now;
    int rc;

    if (app->door != DT_APP_PAM)
        return DT_OK;
    dt_node_init(&now);
    rc = look_at_service(p, app->name, &now);
    if (rc == DT_OK && now.type == DT_NODE_FILE) {
        rc = edit_service(p, app, app->name, &now);
        if (rc == DT_OK)
            rc = plan_variant(p, app);
        if (rc == DT_OK)
            rc = plan_policy(p, app->name);
    } else if (rc == DT_OK && named) {
        rc = dt_error_set(p->e, DT_E_NOT_FOUND,
                          "/etc/pam.d/%s does not exist; install what brings it, or take %s out of "
                          "applications",
                          app->name, app->name);
    }
    dt_node_free(&now);
    return rc;
}

typedef struct wanted {
    char const *name;
    bool is;
} wanted;

static int is_wanted(void *ctx, dt_app const *app, bool named)
{
    wanted *w = ctx;

    (void)named;
    w->is = w->is || strcmp(app->name, w->name) == 0;
    return DT_OK;
}

static int release_service(planning *p, char const *service)
{
    dt_node now;
    dt_buf text;
    int rc;

    dt_node_init(&now);
    dt_buf_init(&text, DT_EDIT_TEXT_MAX);
    rc = look_at_service(p, service, &now);
    if (rc == DT_OK && now.type == DT_NODE_FILE &&
        dt_edit_pam_remove(dt_buf_bytes(&now.content), &text)) {
        char path[DT_EDIT_PATH_MAX];

        (void)snprintf(path, sizeof(path), "/etc/pam.d/%s", service);
        rc = put_changed(p, path, dt_buf_bytes(&text), MODE_PUBLIC, 0);
    }
    dt_node_free(&now);
    dt_buf_free(&text);
    /* A link or a directory that setup never wrote to is not its business. */
    return rc == DT_E_PERMISSION ? DT_OK : rc;
}

/* Services that an earlier run has edited, and that are no longer named. */
static int plan_released(planning *p)
{
    dt_app const *app;
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && (app = dt_app_at(i)) != NULL; i++) {
        wanted w = {.name = app->name};

        if (app->door != DT_APP_PAM ||
            dt_apps_each(answer(p, DT_ANSWER_APPLICATIONS), is_wanted, &w) < 0 || w.is)
            continue;
        rc = release_service(p, app->name);
        if (rc == DT_OK && app->variant != NULL)
            rc = release_service(p, app->variant);
    }
    return rc;
}

/* sshd demands the key and the conversation only once devtrust decides. */
static int plan_sshd(planning *p)
{
    bool due = dt_apps_have(answer(p, DT_ANSWER_APPLICATIONS), "sshd") &&
               dt_answer_is_yes(p->in->answers, DT_ANSWER_ENFORCE);
    dt_node sample;
    dt_edit *edit = NULL;
    int rc = due ? put_directory(p, "/etc/ssh/sshd_config.d", MODE_DIRECTORY, 0) : DT_OK;

    if (rc == DT_OK)
        rc = edit_of(p, SSHD_DROP_IN, &edit);
    if (rc < 0 || (!due && edit->before.type == DT_NODE_ABSENT))
        return rc;
    rc = read_file(p, SHARE "sshd/devtrust.conf", "install libpam-devtrust", &sample);
    if (rc == DT_OK && due)
        rc = put_file(p, SSHD_DROP_IN, dt_buf_bytes(&sample.content), MODE_PUBLIC, 0);
    else if (rc == DT_OK &&
             dt_bytes_equal(dt_buf_bytes(&edit->before.content), dt_buf_bytes(&sample.content)))
        edit->after.type = DT_NODE_ABSENT;
    dt_node_free(&sample);
    return rc;
}

/* --- FreeRADIUS ------------------------------------------------------------------------------- */

static int raddb_path(char out[DT_EDIT_PATH_MAX], char const *folder, char const *name)
{
    int n = snprintf(out, DT_EDIT_PATH_MAX, DT_SETUP_RADDB "/%s/%s", folder, name);

    return n > 0 && n < DT_EDIT_PATH_MAX ? DT_OK : DT_E_LIMIT;
}

/* A file that devtrust ships; one that is there keeps what was changed in it, but for `key`. */
static int plan_shipped(planning *p, char const *folder, char const *name, char const *key,
                        char const *value)
{
    char path[DT_EDIT_PATH_MAX], source[DT_EDIT_PATH_MAX];
    dt_node from;
    dt_edit *edit = NULL;
    dt_buf text;
    int rc = raddb_path(path, folder, name);

    dt_node_init(&from);
    dt_buf_init(&text, DT_EDIT_TEXT_MAX);
    (void)snprintf(source, sizeof(source), SHARE "raddb/%s/%s", folder, name);
    if (rc == DT_OK)
        rc = edit_of(p, path, &edit);
    if (rc == DT_OK)
        rc = want_file(p, edit);
    if (rc == DT_OK && edit->before.type == DT_NODE_FILE)
        rc = dt_node_copy(&from, &edit->before);
    else if (rc == DT_OK)
        rc = read_file(p, source, "install freeradius-devtrust", &from);
    if (rc == DT_OK && key != NULL)
        dt_edit_values(dt_buf_bytes(&from.content), key, value, &text);
    else if (rc == DT_OK)
        dt_buf_put(&text, from.content.p, from.content.len);
    if (rc == DT_OK)
        rc = put_changed(p, path, dt_buf_bytes(&text), MODE_SECRET, p->in->freerad);
    dt_node_free(&from);
    dt_buf_free(&text);
    return rc;
}

static int plan_enabled(planning *p, char const *kind, char const *name, bool on)
{
    char folder[32], path[DT_EDIT_PATH_MAX], target[DT_EDIT_PATH_MAX];
    dt_node there;
    int rc;

    (void)snprintf(folder, sizeof(folder), "%s-enabled", kind);
    (void)snprintf(target, sizeof(target), "../%s-available/%s", kind, name);
    rc = raddb_path(path, folder, name);
    if (rc == DT_OK && !on) {
        dt_node_init(&there);
        rc = p->in->look(p->in->ctx, path, &there, p->e);
        on = there.type != DT_NODE_LINK;
        dt_node_free(&there);
        return rc < 0 || on ? rc : put_link(p, path, NULL);
    }
    return rc == DT_OK ? put_link(p, path, target) : rc;
}

static int check_client_secret(planning *p, dt_radius_client const *c, dt_bytes secret)
{
    for (size_t i = 0; i < secret.len; i++) {
        if (secret.p[i] <= ' ' || secret.p[i] > '~' || strchr("\"'\\$%", secret.p[i]) != NULL)
            return dt_error_set(
                p->e, DT_E_INVALID,
                "%s: the secret of RADIUS client %s may hold printable ASCII characters "
                "without blanks and without \" ' \\ $ %% only",
                c->secret_file, c->name);
    }
    if (secret.len < CLIENT_SECRET_MIN || secret.len > CLIENT_SECRET_LONGEST)
        return dt_error_set(
            p->e, DT_E_INVALID,
            "%s: the secret of RADIUS client %s must have %d to %d characters; make one "
            "with: openssl rand -hex 24",
            c->secret_file, c->name, CLIENT_SECRET_MIN, CLIENT_SECRET_LONGEST);
    return DT_OK;
}

static int plan_clients(planning *p)
{
    dt_buf text;
    int rc = DT_OK;

    dt_buf_init(&text, DT_EDIT_TEXT_MAX);
    dt_buf_puts(&text, "# Written by devtrustctl setup. Other clients belong into clients.conf.\n");
    for (size_t i = 0; rc == DT_OK && i < p->in->client_count; i++) {
        dt_radius_client const *c = &p->in->clients[i];
        dt_bytes secret = dt_bytes_trim(dt_buf_bytes(&p->in->client_secrets[i].content), "\r\n");

        rc = check_client_secret(p, c, secret);
        dt_buf_printf(&text, "\nclient %s {\n\tipaddr = %s\n\tsecret = \"", c->name, c->address);
        dt_buf_put(&text, secret.p, secret.len);
        dt_buf_puts(&text, "\"\n\trequire_message_authenticator = yes\n\tlimit {\n"
                           "\t\tmax_connections = 16\n\t}\n}\n");
    }
    if (rc == DT_OK)
        rc = put_file(p, DT_SETUP_RADDB "/" CLIENTS_FILE, dt_buf_bytes(&text), MODE_SECRET,
                      p->in->freerad);
    dt_buf_free(&text);
    return rc;
}

static int plan_radiusd(planning *p)
{
    static char const path[] = DT_SETUP_RADDB "/radiusd.conf";
    dt_node now;
    dt_buf text;
    int rc = read_file(p, path, "install freeradius", &now);

    dt_buf_init(&text, DT_EDIT_TEXT_MAX);
    if (rc == DT_OK)
        rc = dt_edit_radiusd(dt_buf_bytes(&now.content), path, REQUEST_SECONDS,
                             p->in->client_count > 0 ? CLIENTS_FILE : NULL, &text, p->e);
    if (rc == DT_OK)
        rc = put_changed(p, path, dt_buf_bytes(&text), MODE_SECRET, p->in->freerad);
    dt_node_free(&now);
    dt_buf_free(&text);
    return rc;
}

/* FreeRADIUS's user reads the secrets of group devtrust: they are there once. */
static int plan_member(planning *p, char const *path)
{
    dt_node now;
    dt_buf text;
    int rc = DT_OK;

    dt_node_init(&now);
    dt_buf_init(&text, DT_EDIT_FILE_MAX);
    rc = p->in->look(p->in->ctx, path, &now, p->e);
    if (rc == DT_OK && now.type == DT_NODE_FILE) {
        rc = dt_edit_member(dt_buf_bytes(&now.content), "devtrust", "freerad", true, &text, p->e);
        if (rc == DT_OK)
            rc = put_changed(p, path, dt_buf_bytes(&text), MODE_PUBLIC, 0);
        if (rc == DT_OK)
            dt_edits_find(p->out, path)->member = dt_edits_find(p->out, path)->secret = true;
        /* Not every system keeps the second file. */
        rc = rc == DT_E_NOT_FOUND && strcmp(path, "/etc/gshadow") == 0 ? DT_OK : rc;
    }
    dt_node_free(&now);
    dt_buf_free(&text);
    return rc;
}

static int plan_state_key(planning *p)
{
    dt_node there;
    dt_buf text;
    int rc;

    dt_node_init(&there);
    dt_buf_init(&text, 2 * DT_SETUP_STATE_KEY_HEX);
    rc = p->in->look(p->in->ctx, RADIUS_STATE_KEY, &there, p->e);
    dt_buf_printf(&text, "%s\n", p->in->state_key);
    if (rc == DT_OK)
        rc = put_file(p, RADIUS_STATE_KEY,
                      dt_buf_bytes(there.type == DT_NODE_FILE ? &there.content : &text),
                      MODE_SECRET, p->in->freerad);
    dt_node_free(&there);
    dt_buf_free(&text);
    return rc;
}

static int plan_eap(planning *p)
{
    dt_buf cas;
    int rc;

    dt_buf_init(&cas, DT_EDIT_FILE_MAX);
    for (dt_answer_id id = DT_ANSWER_COMPANY_CA_FILE; id <= DT_ANSWER_SHARED_CA_FILE; id++) {
        dt_bytes pem = dt_buf_bytes(&p->in->files[id].content);

        if (has(p, id))
            dt_buf_put(&cas, pem.p, pem.len);
        if (has(p, id) && pem.len > 0 && pem.p[pem.len - 1] != '\n')
            dt_buf_putc(&cas, '\n');
    }
    rc = put_file(p, EAP_CAS, dt_buf_bytes(&cas), MODE_PUBLIC, 0);
    if (rc == DT_OK)
        rc = plan_shipped(p, "mods-available", "eap_devtrust", NULL, NULL);
    if (rc == DT_OK)
        rc = plan_shipped(p, "sites-available", "devtrust-wifi", NULL, NULL);
    dt_buf_free(&cas);
    return rc;
}

static int plan_sites(planning *p)
{
    bool vpn = dt_apps_have(answer(p, DT_ANSWER_APPLICATIONS), "vpn");
    bool wifi = dt_apps_have(answer(p, DT_ANSWER_APPLICATIONS), "wifi");
    int rc = plan_enabled(p, "mods", "devtrust", true);

    if (rc == DT_OK)
        rc = plan_enabled(p, "mods", "eap_devtrust", wifi);
    if (rc == DT_OK)
        rc = plan_enabled(p, "sites", "devtrust-vpn", vpn);
    if (rc == DT_OK)
        rc = plan_enabled(p, "sites", "devtrust-wifi", wifi);
    /* It has the ports of devtrust-vpn. */
    if (rc == DT_OK && vpn)
        rc = put_link(p, DT_SETUP_RADDB "/sites-enabled/default", NULL);
    return rc;
}

static int plan_radius(planning *p)
{
    bool wifi = dt_apps_have(answer(p, DT_ANSWER_APPLICATIONS), "wifi");
    int rc = plan_policy(p, "vpn");

    /* The module's instances for Wi-Fi want a policy, too, wherever the module is loaded. */
    if (rc == DT_OK)
        rc = plan_policy(p, "wifi");
    if (rc == DT_OK)
        rc = plan_member(p, "/etc/group");
    if (rc == DT_OK)
        rc = plan_member(p, "/etc/gshadow");
    if (rc == DT_OK)
        rc = plan_state_key(p);
    if (rc == DT_OK && p->in->client_count > 0 && !p->in->keep_clients)
        rc = plan_clients(p);
    if (rc == DT_OK)
        rc = plan_radiusd(p);
    if (rc == DT_OK)
        rc = plan_shipped(p, "mods-available", "devtrust", "config", CONF);
    if (rc == DT_OK)
        rc = plan_shipped(p, "sites-available", "devtrust-vpn", NULL, NULL);
    if (rc == DT_OK && wifi)
        rc = plan_eap(p);
    return rc == DT_OK ? plan_sites(p) : rc;
}

/* --- everything ------------------------------------------------------------------------------- */

int dt_setup_plan(dt_setup_input const *in, dt_edits *out, dt_error *e)
{
    planning p = {in, out, e};
    int rc = put_directory(&p, "/etc/devtrust", MODE_DIRECTORY, 0);

    if (rc == DT_OK)
        rc = put_directory(&p, "/etc/devtrust/policies", MODE_DIRECTORY, 0);
    if (rc == DT_OK)
        rc = plan_placed(&p);
    if (rc == DT_OK)
        rc = plan_conf(&p);
    if (rc == DT_OK && dt_setup_wants_radius(in->answers))
        rc = plan_radius(&p);
    if (rc == DT_OK)
        rc = plan_released(&p);
    /* What decides about logins comes last: until then nobody is asked by a half of a configuration. */
    if (rc == DT_OK)
        rc = dt_apps_each(answer(&p, DT_ANSWER_APPLICATIONS), plan_pam_app, &p);
    if (rc == DT_OK)
        rc = plan_sshd(&p);
    if (rc == DT_OK)
        rc = plan_answers(&p);
    if (rc == DT_OK)
        dt_edits_drop_equal(out);
    return rc;
}
