/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/gather.h"

#include "devtrustctl/certificate_file.h"
#include "edge/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PEM_MAX (1024 * 1024)

/* --- the terminal ----------------------------------------------------------------------------- */

/* One line from the terminal, without its newline. False at the end of the input. */
static bool read_line(char *out, size_t size, bool echo)
{
    struct termios old, quiet;
    bool is_changed = !echo && tcgetattr(STDIN_FILENO, &old) == 0;
    char *got;

    if (is_changed) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        is_changed = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
        if (!is_changed)
            return false;
    }
    got = fgets(out, (int)size, stdin);
    if (is_changed) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        (void)fputc('\n', stderr);
    }
    if (got != NULL)
        out[strcspn(out, "\n")] = '\0';
    return got != NULL;
}

bool dt_gather_confirm(char const *question)
{
    char line[16];

    (void)fprintf(stderr, "%s (yes or no): ", question);
    return read_line(line, sizeof(line), true) && strcmp(line, "yes") == 0;
}

/* What is one line and may be typed instead of the name of a file. */
static bool may_be_typed(dt_answer_id id)
{
    return id == DT_ANSWER_API_TOKEN_FILE || id == DT_ANSWER_INTUNE_CLIENT_SECRET_FILE;
}

/* Whether the question still has a point after what was answered. */
static bool is_due(dt_answers const *a, dt_answer_id id)
{
    bool token = a->values[DT_ANSWER_API_TOKEN_FILE][0] != '\0';
    bool certificate = a->values[DT_ANSWER_INTUNE_CERTIFICATE_FILE][0] != '\0';
    bool wifi = dt_apps_have(a->values[DT_ANSWER_APPLICATIONS], "wifi");

    switch (id) {
    case DT_ANSWER_CLIENT_ID:
    case DT_ANSWER_KEY_FILE:
    case DT_ANSWER_KEY_ID:
    case DT_ANSWER_DPOP:
        return !token;
    case DT_ANSWER_INTUNE_KEY_FILE:
        return certificate;
    case DT_ANSWER_INTUNE_CLIENT_SECRET_FILE:
        return !certificate;
    case DT_ANSWER_RADIUS_CLIENTS:
        return dt_setup_wants_radius(a);
    case DT_ANSWER_RADIUS_CERTIFICATE_FILE:
    case DT_ANSWER_RADIUS_KEY_FILE:
        return wifi;
    /* Few need these; the first run does not enforce. */
    case DT_ANSWER_OKTA_CA_FILE:
    case DT_ANSWER_INTUNE_CA_FILE:
    case DT_ANSWER_LOGIN_URL:
    case DT_ANSWER_GRAPH_URL:
    case DT_ANSWER_ENFORCE:
        return false;
    default:
        return true;
    }
}

static int ask_one(dt_gathered *g, dt_answer_id id, dt_error *e)
{
    dt_answer_row const *row = dt_answer_row_of(id);
    char line[DT_SETUP_ANSWER_MAX + 1];
    bool typed = may_be_typed(id);

    for (;;) {
        dt_error why = {0};
        int rc;

        (void)fprintf(stderr, "%s: %s%s: ", row->key, row->question,
                      typed ? " (or the secret itself, which is not shown)" : "");
        if (!read_line(line, sizeof(line), !typed))
            return dt_error_set(e, DT_E_INVALID, "%s: the input has ended", row->key);
        if (typed && line[0] != '\0' && line[0] != '/') {
            dt_buf_puts(&g->files[id].content, line);
            dt_buf_putc(&g->files[id].content, '\n');
            g->files[id].type = DT_NODE_FILE;
            rc = dt_answers_set(&g->answers, row->key, row->key, "/etc/devtrust/typed", &why);
        } else {
            rc = dt_answers_set(&g->answers, row->key, row->key, line, &why);
        }
        explicit_bzero(line, sizeof(line));
        if (rc == DT_OK)
            return rc;
        (void)fprintf(stderr, "%s\n", why.text);
    }
}

static int ask_all(dt_gathered *g, dt_error *e)
{
    int rc = DT_OK;

    for (dt_answer_id id = 0; rc == DT_OK && id < DT_ANSWER_COUNT; id++) {
        if (!g->answers.given[id] && is_due(&g->answers, id))
            rc = ask_one(g, id, e);
    }
    return rc;
}

/* --- answers ---------------------------------------------------------------------------------- */

static int read_answers(char const *path, dt_answers *a, dt_error *e)
{
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_ANSWERS_FILE_MAX);
    rc = dt_plain_file_read(path, &text, e);
    if (rc == DT_OK)
        rc = dt_answers_parse(dt_buf_bytes(&text), path, a, e);
    dt_buf_free(&text);
    return rc;
}

static int read_kept(dt_tree const *t, dt_answers *kept, dt_error *e)
{
    dt_node n;
    int rc;

    dt_node_init(&n);
    rc = dt_tree_look(t, DT_SETUP_ANSWERS_PATH, &n, e);
    if (rc == DT_OK && n.type == DT_NODE_FILE)
        rc = dt_answers_parse(dt_buf_bytes(&n.content), DT_SETUP_ANSWERS_PATH, kept, e);
    dt_node_free(&n);
    return rc;
}

static int take_options(dt_gather_options const *o, dt_answers *a, dt_error *e)
{
    int rc = DT_OK;

    for (dt_answer_id id = 0; rc == DT_OK && id < DT_ANSWER_COUNT; id++) {
        char where[64];

        if (o->values[id] == NULL)
            continue;
        (void)snprintf(where, sizeof(where), "--%s", dt_answer_row_of(id)->key);
        rc = dt_answers_set(a, where, dt_answer_row_of(id)->key, o->values[id], e);
    }
    if (rc == DT_OK && (o->enforce || o->report_only)) {
        a->given[DT_ANSWER_ENFORCE] = false;
        rc = dt_answers_set(a, o->enforce ? "--enforce" : "--report-only", "enforce",
                            o->enforce ? "yes" : "no", e);
    }
    return rc;
}

/* What was answered before holds where nothing is answered now. An answer file stands for itself: only whether to
 * enforce is kept, so that running it again does not end enforcement. */
static void keep_old(dt_answers const *kept, bool all, dt_answers *a, bool is_kept[DT_ANSWER_COUNT])
{
    for (dt_answer_id id = 0; id < DT_ANSWER_COUNT; id++) {
        if (a->given[id] || !kept->given[id] || (!all && id != DT_ANSWER_ENFORCE))
            continue;
        memcpy(a->values[id], kept->values[id], sizeof(a->values[id]));
        a->given[id] = is_kept[id] = true;
    }
}

/* --- files ------------------------------------------------------------------------------------ */

static int count_one(void *ctx, size_t index, dt_bytes der)
{
    (void)index;
    (void)der;
    (*(size_t *)ctx)++;
    return DT_OK;
}

static int check_pem(char const *key, char const *path, dt_bytes text, dt_error *e)
{
    size_t count = 0;
    int rc = dt_certificates_each(text, count_one, &count, e);

    if (rc < 0)
        return dt_error_prefix(e, "%s: %s", key, path);
    /* FreeRADIUS and devtrust want PEM, whichever tool wrote the file. */
    if (memmem(text.p, text.len, "-----BEGIN CERTIFICATE-----", 27) == NULL)
        return dt_error_set(e, DT_E_INVALID,
                            "%s: %s is DER; turn it into PEM with: openssl x509 -inform der -in %s",
                            key, path, path);
    return DT_OK;
}

static int read_secret(char const *path, dt_node *out, dt_error *e)
{
    dt_secret *secret = NULL;
    int rc = dt_file_read_secret(path, true, &secret, e);

    if (rc == DT_OK) {
        dt_bytes bytes = dt_secret_bytes(secret);

        dt_buf_put(&out->content, bytes.p, bytes.len);
        dt_buf_putc(&out->content, '\n');
        out->type = DT_NODE_FILE;
        rc = dt_buf_error(&out->content);
    }
    dt_secret_free(&secret);
    return rc;
}

/* `kept`: the file is where setup has put it, below the root. */
static int read_named(dt_tree const *t, dt_gathered *g, dt_answer_id id, bool kept, dt_error *e)
{
    dt_answer_row const *row = dt_answer_row_of(id);
    char const *path = g->answers.values[id];
    dt_node *n = &g->files[id];
    int rc = DT_OK;

    if (n->type == DT_NODE_FILE || *path == '\0')
        return DT_OK;
    if (kept && id != DT_ANSWER_DEVICE_CERTIFICATE)
        rc = dt_tree_look(t, path, n, e);
    else if (row->type == DT_ANSWER_SECRET)
        rc = read_secret(path, n, e);
    else
        rc = dt_plain_file_read(path, &n->content, e);
    if (rc == DT_OK && n->content.len == 0) {
        /* It was only ever needed for a check. */
        if (kept && id == DT_ANSWER_DEVICE_CERTIFICATE)
            return DT_OK;
        rc = dt_error_set(e, DT_E_INVALID, "%s is empty, or does not exist", path);
    }
    if (rc < 0) {
        if (kept && id == DT_ANSWER_DEVICE_CERTIFICATE)
            return DT_OK;
        (void)dt_error_prefix(e, "%s", row->key);
        return rc;
    }
    n->type = DT_NODE_FILE;
    return row->type == DT_ANSWER_PEM ? check_pem(row->key, path, dt_buf_bytes(&n->content), e)
                                      : DT_OK;
}

static int read_clients(dt_gathered *g, bool kept, dt_error *e)
{
    int rc = dt_radius_clients_parse(g->answers.values[DT_ANSWER_RADIUS_CLIENTS], g->clients,
                                     &g->client_count, e);

    for (size_t i = 0; rc == DT_OK && i < g->client_count; i++) {
        rc = read_secret(g->clients[i].secret_file, &g->client_secrets[i], e);
        if (rc == DT_E_NOT_FOUND && kept) {
            g->keep_clients = true;
            return DT_OK;
        }
        if (rc < 0)
            (void)dt_error_prefix(e, "radius_clients: %s", g->clients[i].name);
    }
    return rc;
}

static int read_files(dt_tree const *t, dt_gathered *g, bool const *is_kept, dt_error *e)
{
    int rc = DT_OK;

    for (dt_answer_id id = 0; rc == DT_OK && id < DT_ANSWER_COUNT; id++) {
        dt_answer_type type = dt_answer_row_of(id)->type;

        if (type == DT_ANSWER_SECRET || type == DT_ANSWER_PEM || type == DT_ANSWER_FILE)
            rc = read_named(t, g, id, is_kept[id], e);
    }
    return rc == DT_OK ? read_clients(g, is_kept[DT_ANSWER_RADIUS_CLIENTS], e) : rc;
}

int dt_gather(dt_tree const *t, dt_gather_options const *o, dt_gathered **out, dt_error *e)
{
    bool is_kept[DT_ANSWER_COUNT] = {false};
    dt_answers *kept = calloc(1, sizeof(*kept));
    dt_gathered *g = *out = calloc(1, sizeof(*g));
    int rc = kept != NULL && g != NULL ? DT_OK : dt_error_set(e, DT_E_NOMEM, "out of memory");

    for (size_t i = 0; rc == DT_OK && i < DT_ANSWER_COUNT; i++)
        dt_node_init(&g->files[i]);
    for (size_t i = 0; rc == DT_OK && i < DT_SETUP_CLIENTS_MAX; i++)
        dt_node_init(&g->client_secrets[i]);
    if (rc == DT_OK)
        rc = read_kept(t, kept, e);
    if (rc == DT_OK)
        rc = take_options(o, &g->answers, e);
    if (rc == DT_OK && o->answers_file != NULL) {
        dt_answers *file = calloc(1, sizeof(*file));

        rc = file != NULL ? read_answers(o->answers_file, file, e)
                          : dt_error_set(e, DT_E_NOMEM, "out of memory");
        if (rc == DT_OK) {
            bool ignored[DT_ANSWER_COUNT] = {false};
            keep_old(file, true, &g->answers, ignored);
        }
        free(file);
    }
    if (rc == DT_OK) {
        keep_old(kept, o->answers_file == NULL, &g->answers, is_kept);
        rc = o->ask ? ask_all(g, e) : DT_OK;
    }
    if (rc == DT_OK)
        rc = dt_answers_check(&g->answers, e);
    if (rc == DT_OK)
        rc = read_files(t, g, is_kept, e);
    free(kept);
    return rc;
}

void dt_gathered_free(dt_gathered **g)
{
    if (*g == NULL)
        return;
    for (size_t i = 0; i < DT_ANSWER_COUNT; i++)
        dt_node_free(&(*g)->files[i]);
    for (size_t i = 0; i < DT_SETUP_CLIENTS_MAX; i++)
        dt_node_free(&(*g)->client_secrets[i]);
    free(*g);
    *g = NULL;
}
