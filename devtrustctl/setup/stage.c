/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/stage.h"

#include "devtrustctl/certificate_file.h"
#include "devtrustctl/check_pam.h"
#include "devtrustctl/graph_client.h"
#include "devtrustctl/okta_client.h"
#include "devtrustctl/registry.h"
#include "devtrustctl/setup/text_edit.h"

#include "driver/okta_credentials.h"
#include "edge/host.h"
#include "edge/site.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAGE_PATH_MAX 512
#define CONF "/etc/devtrust/devtrust.conf"
#define POLICIES "/etc/devtrust/policies"
#define NOBODY "/api/v1/users/nobody-of-devtrustctl-setup"
#define OKTA_NOT_FOUND "E0000007" /* of whoever may look people up */

typedef struct staging {
    char root[64]; /* the folder */
    dt_tree const *tree;
    dt_edits const *edits;
    dt_setup_input const *in;
    dt_stage_report *report;
    dt_site *site;
} staging;

static void put_check(staging *s, char const *what, bool good, bool warning, char const *fmt, ...)
    DT_PRINTF(5, 6);
/* A message names the file that the administrator knows, not its copy. */
static void name_originals(staging const *s, char const *text, char *out, size_t size)
{
    char pam[sizeof(s->root) + 8];
    dt_buf b;

    (void)snprintf(pam, sizeof(pam), "%s/etc/", s->root);
    dt_buf_init_fixed(&b, out, size);
    while (*text != '\0' && b.len + 1 < size) {
        if (strncmp(text, pam, strlen(pam)) == 0) {
            dt_buf_puts(&b, "/etc/");
            text += strlen(pam);
        } else if (s->root[0] != '\0' && strncmp(text, s->root, strlen(s->root)) == 0) {
            dt_buf_puts(&b, "/etc/devtrust");
            text += strlen(s->root);
        } else {
            dt_buf_putc(&b, *text++);
        }
    }
}

static void put_check(staging *s, char const *what, bool good, bool warning, char const *fmt, ...)
{
    char text[sizeof(s->report->checks[0].text)];
    dt_stage_check *c;
    va_list args;

    if (s->report->count == DT_STAGE_CHECKS_MAX)
        s->report->count--;
    c = &s->report->checks[s->report->count++];
    (void)snprintf(c->what, sizeof(c->what), "%s", what);
    c->good = good;
    c->warning = warning;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    name_originals(s, text, c->text, sizeof(c->text));
}

bool dt_stage_failed(dt_stage_report const *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (!r->checks[i].good && !r->checks[i].warning)
            return true;
    }
    return false;
}

/* --- the folder ------------------------------------------------------------------------------- */

static int remove_entry(char const *path, struct stat const *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static void remove_folder(staging *s)
{
    if (s->root[0] != '\0')
        (void)nftw(s->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static int make_folders(staging *s, dt_error *e)
{
    static char const *const names[] = {"", "/etc", "/etc/pam.d", "/policies"};
    char const *top = access("/run", W_OK) == 0 ? "/run" : "/tmp";
    int rc = DT_OK;

    (void)snprintf(s->root, sizeof(s->root), "%s/devtrust-setup-XXXXXX", top);
    if (mkdtemp(s->root) == NULL) {
        s->root[0] = '\0';
        return dt_error_set(e, DT_E_IO, "%s: no folder can be made: %s", top, strerror(errno));
    }
    for (size_t i = 1; rc == DT_OK && i < sizeof(names) / sizeof(names[0]); i++) {
        char path[STAGE_PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s%s", s->root, names[i]);
        if (mkdir(path, 0700) != 0)
            rc = dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
    }
    return rc;
}

static int write_staged(char const *path, dt_bytes content, dt_error *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int rc = fd < 0 ? -1 : 0;

    while (rc == 0 && content.len > 0) {
        ssize_t n = write(fd, content.p, content.len);
        if (n < 0 && errno != EINTR)
            rc = -1;
        else if (n > 0)
            content = dt_bytes_of(content.p + n, content.len - (size_t)n);
    }
    if (fd >= 0)
        close(fd);
    return rc == 0 ? DT_OK : dt_error_set(e, DT_E_IO, "%s: %s", path, strerror(errno));
}

/* The file as it would be: of the edits, else of the system. */
static int wanted_file(staging *s, char const *path, dt_node *out, dt_error *e)
{
    dt_edit const *edit = dt_edits_find(s->edits, path);

    dt_node_init(out);
    return edit != NULL ? dt_node_copy(out, &edit->after) : dt_tree_look(s->tree, path, out, e);
}

/* Every file of a folder of the system, as it would be, and every edit there. */
static int copy_folder(staging *s, char const *folder, char const *to, dt_error *e)
{
    char path[STAGE_PATH_MAX], target[STAGE_PATH_MAX];
    struct dirent *entry;
    DIR *d;
    int rc = DT_OK;

    (void)snprintf(path, sizeof(path), "%s%s", s->tree->root, folder);
    d = opendir(path);
    /* The stream is ours alone. */
    /* cppcheck-suppress readdirCalled */
    while (d != NULL && rc == DT_OK && (entry = readdir(d)) != NULL) {
        dt_error ignored = {0};
        dt_node n;

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%.255s", folder, entry->d_name);
        (void)snprintf(target, sizeof(target), "%s%s/%.255s", s->root, to, entry->d_name);
        if (wanted_file(s, path, &n, &ignored) == DT_OK && n.type == DT_NODE_FILE)
            rc = write_staged(target, dt_buf_bytes(&n.content), e);
        dt_node_free(&n);
    }
    if (d != NULL)
        closedir(d);
    for (size_t i = 0; rc == DT_OK && i < s->edits->count; i++) {
        dt_edit const *edit = &s->edits->items[i];
        size_t len = strlen(folder);

        if (strncmp(edit->path, folder, len) != 0 || edit->path[len] != '/' ||
            strchr(edit->path + len + 1, '/') != NULL || edit->after.type != DT_NODE_FILE)
            continue;
        (void)snprintf(target, sizeof(target), "%s%s%s", s->root, to, edit->path + len);
        rc = write_staged(target, dt_buf_bytes(&edit->after.content), e);
    }
    return rc;
}

/* Puts the staged file in place of `path` wherever the text has it as a value. */
static void replace_value(dt_buf *text, char const *path, char const *with)
{
    char from[STAGE_PATH_MAX + 8];
    dt_buf out;
    char *at = (char *)text->p, *hit;

    (void)snprintf(from, sizeof(from), " = %s\n", path);
    dt_buf_init(&out, DT_EDIT_TEXT_MAX);
    while (at != NULL && (hit = strstr(at, from)) != NULL) {
        dt_buf_put(&out, at, (size_t)(hit - at));
        dt_buf_printf(&out, " = %s\n", with);
        at = hit + strlen(from);
    }
    dt_buf_puts(&out, at != NULL ? at : "");
    dt_buf_reset(text);
    dt_buf_put(text, out.p, out.len);
    dt_buf_free(&out);
}

/* Every file of /etc/devtrust was copied: the configuration names the copies. */
static void name_copies(staging const *s, dt_buf *text)
{
    DIR *d = opendir(s->root);
    struct dirent *entry;

    /* The stream is ours alone. */
    /* cppcheck-suppress readdirCalled */
    while (d != NULL && (entry = readdir(d)) != NULL) {
        char path[STAGE_PATH_MAX], copy[STAGE_PATH_MAX];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "/etc/devtrust/%.255s", entry->d_name);
        (void)snprintf(copy, sizeof(copy), "%s/%.255s", s->root, entry->d_name);
        replace_value(text, path, copy);
    }
    if (d != NULL)
        closedir(d);
}

static int stage_conf(staging *s, char conf[STAGE_PATH_MAX], dt_error *e)
{
    char policies[STAGE_PATH_MAX];
    dt_node n;
    int rc = wanted_file(s, CONF, &n, e);

    (void)snprintf(policies, sizeof(policies), "%s/policies", s->root);
    (void)snprintf(conf, STAGE_PATH_MAX, "%s/devtrust.conf", s->root);
    if (rc == DT_OK) {
        name_copies(s, &n.content);
        rc = dt_edit_conf(&n.content, "policy", "directory", policies, e);
    }
    if (rc == DT_OK)
        rc = write_staged(conf, dt_buf_bytes(&n.content), e);
    dt_node_free(&n);
    return rc;
}

/* --- checks ----------------------------------------------------------------------------------- */

static int judge_device(void *ctx, size_t index, dt_bytes der)
{
    staging *s = ctx;
    dt_certificate c;
    dt_error e = {0};
    dt_reason reason;

    if (index > 1)
        return DT_OK;
    reason = dt_certificate_judge_alone(dt_site_anchors(s->site), der, NULL, 0,
                                        &dt_site_config(s->site)->device_trust.tenant_id,
                                        dt_host_now(), &c, &e);
    if (reason == DT_REASON_TRUSTED)
        put_check(s, "device", true, false, "%s, device %s", c.subject,
                  dt_guid_is_set(&c.device_id) ? c.device_id.text : "without an id");
    else
        put_check(s, "device", false, false, "device_certificate would be refused: %s: %s",
                  dt_reason_name(reason), e.text);
    return DT_OK;
}

static void check_device(staging *s)
{
    dt_bytes pem = dt_buf_bytes(&s->in->files[DT_ANSWER_DEVICE_CERTIFICATE].content);
    dt_error e = {0};

    if (pem.len > 0 && dt_certificates_each(pem, judge_device, s, &e) < 0)
        put_check(s, "device", false, false, "device_certificate: %s", e.text);
}

/* That there is no such person is an answer, which Okta gives to whoever may look people up. */
static void check_okta(staging *s)
{
    dt_okta_client *client = NULL;
    dt_json *root = NULL;
    dt_error e = {0};
    char scopes[DT_OKTA_SCOPES_MAX];
    bool good;
    int rc;

    /* All that sign-ons need: where one is not granted, Okta gives no token at all. */
    dt_site_okta_scopes(s->site, scopes);
    rc = dt_okta_client_new(s->site, scopes, &client, &e);
    if (rc == DT_OK)
        rc = dt_okta_client_get(client, NOBODY, &root, NULL, &e);
    good = rc == DT_OK || (rc == DT_E_NOT_FOUND && strstr(e.text, OKTA_NOT_FOUND) != NULL);
    put_check(s, "okta", good, false, "%s%s%s", dt_site_config(s->site)->okta.org_url,
              good ? " answers, and lets people be looked up" : ": ", good ? "" : e.text);
    dt_json_free(&root);
    dt_okta_client_free(&client);
}

/* An id that no device has: that it is not enrolled is an answer, which Graph gives to whoever may ask. */
static void check_graph(staging *s)
{
    static char const nobody[] = "d0000000-0000-4000-8000-00000000000d";
    dt_graph_client *client = NULL;
    dt_intune_device device;
    dt_error e = {0};
    dt_guid id;
    int rc = dt_guid_parse(dt_bytes_str(nobody), &id);

    if (rc == DT_OK)
        rc = dt_graph_client_new(s->site, &client, &e);
    if (rc == DT_OK)
        rc = dt_graph_client_device(client, &id, &device, &e);
    put_check(s, "intune", rc == DT_OK, false, "%s%s",
              rc == DT_OK ? "Microsoft answers about devices" : "", rc == DT_OK ? "" : e.text);
    dt_graph_client_free(&client);
}

typedef struct named_app {
    char const *service;
    bool is;
} named_app;

static int is_named(void *ctx, dt_app const *app, bool named)
{
    named_app *n = ctx;

    (void)named;
    n->is = n->is || (app->door == DT_APP_PAM &&
                      (strcmp(app->name, n->service) == 0 ||
                       (app->variant != NULL && strcmp(app->variant, n->service) == 0)));
    return DT_OK;
}

static void take_report(void *ctx, dt_pam_report const *r)
{
    staging *s = ctx;
    named_app n = {.service = r->service};

    if (dt_apps_each(s->in->answers->values[DT_ANSWER_APPLICATIONS], is_named, &n) < 0 || !n.is)
        return;
    if (r->verdict == DT_PAM_PROTECTED)
        put_check(s, "pam", true, false, "%s: protected", r->service);
    for (size_t i = 0; i < r->count; i++) {
        dt_pam_finding const *f = &r->findings[i];

        if (f->verdict >= DT_PAM_CANNOT_WORK)
            put_check(s, "pam", false, f->verdict == DT_PAM_BYPASS, "%s %s: %s%s%s", r->service,
                      dt_pam_verdict_name(f->verdict), f->text,
                      f->write[0] != '\0' ? "; write: " : "", f->write);
    }
}

static void check_pam(staging *s)
{
    dt_pam_check const c = {.root = s->root, .skip_sshd = true, .site = s->site};
    dt_error e = {0};

    if (dt_pam_check_run(&c, take_report, s, &e) < 0)
        put_check(s, "pam", false, false, "%s", e.text);
}

static int load(staging *s, char const *conf, dt_error *e)
{
    int rc = dt_site_load(conf, &s->site, e);

    if (rc == DT_OK)
        put_check(s, "configuration", true, false, "loads, with %zu policies",
                  dt_site_policy_count(s->site));
    else
        put_check(s, "configuration", false, false, "%s", e->text);
    return rc;
}

int dt_stage_try(dt_tree const *t, dt_edits const *edits, dt_setup_input const *in, bool online,
                 dt_stage_report *report, dt_error *e)
{
    staging s = {.tree = t, .edits = edits, .in = in, .report = report};
    char conf[STAGE_PATH_MAX];
    dt_error why = {0};
    int rc = make_folders(&s, e);

    report->count = 0;
    if (rc == DT_OK)
        rc = copy_folder(&s, "/etc/devtrust", "", e);
    if (rc == DT_OK)
        rc = copy_folder(&s, POLICIES, "/policies", e);
    if (rc == DT_OK)
        rc = copy_folder(&s, "/etc/pam.d", "/etc/pam.d", e);
    if (rc == DT_OK)
        rc = stage_conf(&s, conf, e);
    if (rc == DT_OK && load(&s, conf, &why) == DT_OK) {
        check_device(&s);
        if (online) {
            check_okta(&s);
            check_graph(&s);
        }
        if (dt_setup_wants_pam(in->answers))
            check_pam(&s);
        dt_site_free(&s.site);
    }
    remove_folder(&s);
    return rc;
}
