/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "devtrustctl/setup/journal.h"

#include "devtrustctl/setup/text_edit.h"

#include "core/base/json.h"
#include "edge/file_advice.h"
#include "edge/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DONE DT_JOURNAL_DIRECTORY "/setup.json"
#define PENDING DT_JOURNAL_DIRECTORY "/pending.json"
#define VERSION 1
#define RUN_MAX 40
#define GROUP_DEVTRUST "devtrust"
#define MEMBER_FREERAD "freerad"

/* A record as it is kept. */
typedef struct record {
    char run[RUN_MAX];
    bool undo; /* the run under way is one back */
    dt_edits edits;
} record;

static char const *const type_names[] = {"absent", "file", "link", "directory"};

/* --- as JSON ---------------------------------------------------------------------------------- */

static void put_node(dt_buf *b, char const *name, dt_node const *n)
{
    dt_buf_printf(b, "\"%s\":{\"type\":\"%s\",\"mode\":%u,\"uid\":%u,\"gid\":%u", name,
                  type_names[n->type], n->mode, (unsigned)n->uid, (unsigned)n->gid);
    if (n->digest[0] != '\0') {
        dt_buf_printf(b, ",\"sha256\":\"%s\"", n->digest);
    } else {
        dt_buf_puts(b, ",\"content\":\"");
        dt_base64_encode(b, dt_buf_bytes(&n->content));
        dt_buf_putc(b, '"');
    }
    dt_buf_putc(b, '}');
}

static void put_record(dt_buf *b, record const *r)
{
    dt_buf_printf(b, "{\"version\":%d,\"run\":\"%s\",\"undo\":%s,\"edits\":[", VERSION, r->run,
                  r->undo ? "true" : "false");
    for (size_t i = 0; i < r->edits.count; i++) {
        dt_edit const *edit = &r->edits.items[i];

        dt_buf_puts(b, i > 0 ? ",\n{\"path\":" : "\n{\"path\":");
        dt_json_put_string(b, edit->path);
        dt_buf_printf(b, ",\"secret\":%s,\"member\":%s,", edit->secret ? "true" : "false",
                      edit->member ? "true" : "false");
        put_node(b, "before", &edit->before);
        dt_buf_putc(b, ',');
        put_node(b, "after", &edit->after);
        dt_buf_putc(b, '}');
    }
    dt_buf_puts(b, "\n]}\n");
}

static bool read_number(dt_json const *v, char const *name, unsigned *out)
{
    int64_t n = 0;

    if (!dt_json_integer(dt_json_get(v, name), &n) || n < 0 || n > UINT32_MAX)
        return false;
    *out = (unsigned)n;
    return true;
}

static bool read_node(dt_json const *v, dt_node *out)
{
    char const *type = dt_json_string(dt_json_get(v, "type"));
    char const *content = dt_json_string(dt_json_get(v, "content"));
    char const *digest = dt_json_string(dt_json_get(v, "sha256"));
    size_t i = 0;

    while (type != NULL && i < sizeof(type_names) / sizeof(type_names[0]) &&
           strcmp(type, type_names[i]) != 0)
        i++;
    if (type == NULL || i == sizeof(type_names) / sizeof(type_names[0]) ||
        !read_number(v, "mode", &out->mode) || !read_number(v, "uid", &out->uid) ||
        !read_number(v, "gid", &out->gid) || out->mode > 07777)
        return false;
    out->type = (dt_node_type)i;
    if (digest != NULL)
        return strlen(digest) == 64 &&
               dt_str_copy(out->digest, sizeof(out->digest), digest) == DT_OK;
    return content != NULL && dt_base64_decode(&out->content, dt_bytes_str(content)) == DT_OK;
}

static bool read_edit(dt_json const *v, dt_edits *l)
{
    char const *path = dt_json_string(dt_json_get(v, "path"));
    dt_edit *edit = path != NULL && path[0] == '/' ? dt_edits_add(l, path) : NULL;

    return edit != NULL && dt_json_bool(dt_json_get(v, "secret"), &edit->secret) &&
           dt_json_bool(dt_json_get(v, "member"), &edit->member) &&
           read_node(dt_json_get(v, "before"), &edit->before) &&
           read_node(dt_json_get(v, "after"), &edit->after);
}

static bool read_record(dt_json const *root, record *out)
{
    char const *run = dt_json_string(dt_json_get(root, "run"));
    dt_json const *edits = dt_json_get(root, "edits");
    int64_t version = 0;
    bool ok = dt_json_integer(dt_json_get(root, "version"), &version) && version == VERSION &&
              run != NULL && dt_str_copy(out->run, sizeof(out->run), run) == DT_OK &&
              dt_json_bool(dt_json_get(root, "undo"), &out->undo) &&
              dt_json_typeof(edits) == DT_JSON_ARRAY;

    for (size_t i = 0; ok && i < dt_json_size(edits); i++)
        ok = read_edit(dt_json_at(edits, i), &out->edits);
    return ok;
}

/* --- the two files ---------------------------------------------------------------------------- */

static int look_at_record(dt_tree const *t, char const *path, dt_node *n, dt_error *e)
{
    int rc;

    dt_node_init(n);
    n->content.max = DT_JOURNAL_FILE_MAX;
    rc = dt_tree_look(t, path, n, e);
    if (rc == DT_OK && n->type != DT_NODE_ABSENT && n->type != DT_NODE_FILE)
        rc = dt_error_set(e, DT_E_PERMISSION, "%s is not a regular file", path);
    if (rc == DT_OK && n->type == DT_NODE_FILE && (n->mode & 077) != 0)
        rc = dt_error_set(e, DT_E_PERMISSION, "%s can be read by others; run: chmod 600 %s", path,
                          dt_advice_quote(path).text);
    return rc;
}

/* *there false: there is no such record. The record's list is initialised, and the caller's to free. */
static int load(dt_tree const *t, char const *path, record *out, bool *there, dt_error *e)
{
    dt_node n;
    dt_json *root = NULL;
    int rc = dt_edits_init(&out->edits, e);

    *there = false;
    if (rc < 0)
        return rc;
    rc = look_at_record(t, path, &n, e);
    if (rc == DT_OK && n.type == DT_NODE_FILE) {
        rc = dt_json_parse(dt_buf_bytes(&n.content), &root, e);
        if (rc < 0)
            (void)dt_error_prefix(e, "%s", path);
        else if (!read_record(root, out))
            rc = dt_error_set(e, DT_E_PARSE,
                              "%s is not a record of this version of devtrustctl setup", path);
        *there = rc == DT_OK;
    }
    dt_json_free_wiped(&root);
    dt_node_free(&n);
    return rc;
}

static int save(dt_tree const *t, char const *path, record const *r, dt_error *e)
{
    dt_node n;
    int rc;

    dt_node_init(&n);
    n.content.max = DT_JOURNAL_FILE_MAX;
    n.type = DT_NODE_FILE;
    n.mode = 0600;
    n.uid = geteuid();
    n.gid = getegid();
    put_record(&n.content, r);
    rc = dt_buf_error(&n.content) < 0
             ? dt_error_set(e, dt_buf_error(&n.content), "%s would be too large", path)
             : dt_tree_put(t, path, &n, e);
    dt_node_free(&n);
    return rc;
}

static int drop(dt_tree const *t, char const *path, dt_error *e)
{
    dt_node none;
    int rc;

    dt_node_init(&none);
    rc = dt_tree_put(t, path, &none, e);
    dt_node_free(&none);
    return rc;
}

static int ensure_directory(dt_tree const *t, char const *path, unsigned mode, dt_error *e)
{
    dt_node n;
    int rc;

    dt_node_init(&n);
    rc = dt_tree_look(t, path, &n, e);
    if (rc == DT_OK && n.type == DT_NODE_ABSENT) {
        n.type = DT_NODE_DIRECTORY;
        n.mode = mode;
        n.uid = geteuid();
        n.gid = getegid();
        rc = dt_tree_put(t, path, &n, e);
    } else if (rc == DT_OK && n.type != DT_NODE_DIRECTORY) {
        rc = dt_error_set(e, DT_E_PERMISSION, "%s is not a directory", path);
    }
    dt_node_free(&n);
    return rc;
}

int dt_journal_open(dt_journal *j, dt_tree const *t, dt_error *e)
{
    char path[] = "." DT_JOURNAL_DIRECTORY;
    int rc = ensure_directory(t, "/var", 0755, e);

    j->tree = t;
    j->lock = -1;
    if (rc == DT_OK)
        rc = ensure_directory(t, "/var/backups", 0755, e);
    if (rc == DT_OK)
        rc = ensure_directory(t, DT_JOURNAL_DIRECTORY, 0700, e);
    if (rc < 0)
        return rc;
    j->lock = openat(t->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (j->lock < 0 || flock(j->lock, LOCK_EX | LOCK_NB) != 0)
        return dt_error_set(e, DT_E_STATE,
                            errno == EWOULDBLOCK
                                ? "%s is locked: another setup is running; wait for it"
                                : "%s cannot be locked",
                            DT_JOURNAL_DIRECTORY);
    return DT_OK;
}

void dt_journal_close(dt_journal *j)
{
    dt_error ignored = {0};

    if (j->lock < 0)
        return;
    /* Goes when it is empty. */
    (void)drop(j->tree, DT_JOURNAL_DIRECTORY, &ignored);
    close(j->lock);
    j->lock = -1;
}

/* --- back ------------------------------------------------------------------------------------- */

/* Another program has changed the file of groups as well: only our member goes. */
static int take_member_out(dt_tree const *t, dt_edit const *edit, dt_node const *now, dt_error *e)
{
    dt_node n;
    int rc;

    dt_node_init(&n);
    n.type = DT_NODE_FILE;
    n.mode = now->mode;
    n.uid = now->uid;
    n.gid = now->gid;
    rc = dt_edit_member(dt_buf_bytes(&now->content), GROUP_DEVTRUST, MEMBER_FREERAD, false,
                        &n.content, e);
    /* The group itself may be gone. */
    if (rc == DT_OK)
        rc = dt_tree_put(t, edit->path, &n, e);
    dt_node_free(&n);
    return rc == DT_E_NOT_FOUND ? DT_OK : rc;
}

/* A directory that was made, but not yet given its owner and mode. */
static bool is_new_directory(dt_edit const *edit, dt_node const *now)
{
    return edit->before.type == DT_NODE_ABSENT && edit->after.type == DT_NODE_DIRECTORY &&
           now->type == DT_NODE_DIRECTORY;
}

static int refuse_changed(char const *path, dt_error *e)
{
    return dt_error_set(e, DT_E_STATE,
                        "%s has changed while setup was at work; see %s for what was there before",
                        path, PENDING);
}

static int take_back(dt_tree const *t, dt_edit const *edit, dt_error *e)
{
    dt_node now;
    int rc;

    dt_tree_clear(t, edit->path);
    dt_node_init(&now);
    rc = dt_tree_look(t, edit->path, &now, e);
    if (rc == DT_OK && !dt_node_equal(&now, &edit->before)) {
        if (dt_node_equal(&now, &edit->after) || is_new_directory(edit, &now))
            rc = dt_tree_put(t, edit->path, &edit->before, e);
        else
            rc = edit->member ? take_member_out(t, edit, &now, e) : refuse_changed(edit->path, e);
    }
    dt_node_free(&now);
    return rc;
}

static int take_all_back(dt_tree const *t, dt_edits const *l, dt_error *e)
{
    int rc = DT_OK;

    for (size_t i = l->count; i-- > 0;) {
        dt_error why = {0};
        int one = take_back(t, &l->items[i], &why);

        if (one < 0 && rc == DT_OK)
            rc = dt_error_set(e, one, "%s", why.text);
    }
    return rc;
}

bool dt_journal_is_pending(dt_tree const *t)
{
    dt_error ignored = {0};
    dt_node n;
    bool is;

    is = look_at_record(t, PENDING, &n, &ignored) < 0 || n.type != DT_NODE_ABSENT;
    dt_node_free(&n);
    return is;
}

int dt_journal_recover(dt_journal *j, bool *did, dt_error *e)
{
    record pending = {0}, finished = {0};
    bool there = false, is_done = false;
    int rc;

    *did = false;
    dt_tree_clear(j->tree, PENDING);
    dt_tree_clear(j->tree, DONE);
    rc = load(j->tree, PENDING, &pending, &there, e);
    if (rc == DT_OK && there)
        rc = load(j->tree, DONE, &finished, &is_done, e);
    if (rc == DT_OK && there) {
        /* Was it only the end of the record that was missing? */
        bool complete = pending.undo ? !is_done : is_done && strcmp(pending.run, finished.run) == 0;

        *did = !complete;
        if (!complete)
            rc = take_all_back(j->tree, &pending.edits, e);
        if (rc == DT_OK)
            rc = drop(j->tree, PENDING, e);
    }
    dt_edits_free(&pending.edits);
    dt_edits_free(&finished.edits);
    return rc;
}

/* --- forth ------------------------------------------------------------------------------------ */

static int copy_edit(dt_edits *to, dt_edit const *from, dt_error *e)
{
    dt_edit *edit = dt_edits_add(to, from->path);
    int rc = edit != NULL ? dt_node_copy(&edit->before, &from->before) : DT_E_LIMIT;

    if (rc == DT_OK)
        rc = dt_node_copy(&edit->after, &from->after);
    if (rc == DT_OK)
        rc = dt_node_forget(&edit->after);
    if (rc < 0)
        return dt_error_set(e, rc, "%s: the record of the run cannot be made", from->path);
    edit->secret = from->secret;
    edit->member = from->member;
    return DT_OK;
}

static int begin(record *r, dt_edits const *edits, bool undo, dt_error *e)
{
    int rc = dt_edits_init(&r->edits, e);

    r->undo = undo;
    if (rc == DT_OK && dt_host_random_id(r->run) < 0)
        rc = dt_error_set(e, DT_E_IO, "the system provides no random numbers");
    for (size_t i = 0; rc == DT_OK && i < edits->count; i++)
        rc = copy_edit(&r->edits, &edits->items[i], e);
    return rc;
}

static int carry_out(dt_tree const *t, dt_edits const *edits, dt_error *e)
{
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < edits->count; i++) {
        dt_edit const *edit = &edits->items[i];
        dt_node now;

        dt_node_init(&now);
        rc = dt_tree_look(t, edit->path, &now, e);
        /* Between the plan and now somebody may have written to it. */
        if (rc == DT_OK && !dt_node_equal(&now, &edit->before))
            rc = dt_error_set(e, DT_E_STATE,
                              "%s has just been changed by somebody else; run setup again",
                              edit->path);
        dt_node_free(&now);
        if (rc == DT_OK)
            rc = dt_tree_put(t, edit->path, &edit->after, e);
    }
    return rc;
}

/* What the record of all runs becomes: of each path what was there first, and what is there now. */
static int merge(record *all, record const *run, dt_error *e)
{
    int rc = DT_OK;

    memcpy(all->run, run->run, sizeof(all->run));
    for (size_t i = 0; rc == DT_OK && i < run->edits.count; i++) {
        dt_edit *known = dt_edits_find(&all->edits, run->edits.items[i].path);

        if (known == NULL)
            rc = copy_edit(&all->edits, &run->edits.items[i], e);
        else if (dt_node_copy(&known->after, &run->edits.items[i].after) < 0)
            rc = dt_error_set(e, DT_E_NOMEM, "out of memory");
    }
    return rc;
}

static int commit(dt_tree const *t, record const *run, dt_error *e)
{
    record all = {0};
    bool there = false;
    int rc = load(t, DONE, &all, &there, e);

    if (rc == DT_OK)
        rc = merge(&all, run, e);
    if (rc == DT_OK)
        rc = save(t, DONE, &all, e);
    dt_edits_free(&all.edits);
    return rc;
}

int dt_journal_apply(dt_journal *j, dt_edits *edits, dt_journal_check *check, void *ctx,
                     dt_error *e)
{
    record run = {0};
    dt_error why = {0};
    int rc = begin(&run, edits, false, e);

    if (rc == DT_OK)
        rc = save(j->tree, PENDING, &run, e);
    if (rc < 0)
        goto out;
    rc = carry_out(j->tree, edits, e);
    if (rc == DT_OK && check != NULL)
        rc = check(ctx, e);
    if (rc == DT_OK)
        rc = commit(j->tree, &run, e);
    if (rc < 0 && take_all_back(j->tree, &run.edits, &why) < 0) {
        (void)dt_error_prefix(&why, "not everything could be put back: %s; and before", e->text);
        *e = why;
        rc = why.code;
        goto out;
    }
    /* Where it stays, the next run finds that this one was complete, or that nothing is left of it. */
    (void)drop(j->tree, PENDING, &why);
out:
    dt_edits_free(&run.edits);
    return rc;
}

/* --- undo ------------------------------------------------------------------------------------- */

static int plan_one_back(dt_tree const *t, dt_edit const *edit, bool force, dt_edits *l,
                         dt_buf *changed, dt_error *e)
{
    dt_edit *back = dt_edits_add(l, edit->path);
    int rc = back != NULL ? dt_tree_look(t, edit->path, &back->before, e)
                          : dt_error_set(e, DT_E_LIMIT, "more than %d edits", DT_EDITS_MAX);

    if (rc < 0)
        return rc;
    back->secret = edit->secret;
    if (edit->member && !dt_node_equal(&back->before, &edit->after)) {
        rc = dt_node_copy(&back->after, &back->before);
        dt_buf_reset(&back->after.content);
        if (rc == DT_OK)
            rc = dt_edit_member(dt_buf_bytes(&back->before.content), GROUP_DEVTRUST, MEMBER_FREERAD,
                                false, &back->after.content, e);
        return rc == DT_E_NOT_FOUND ? dt_node_copy(&back->after, &back->before) : rc;
    }
    if (!force && !dt_node_equal(&back->before, &edit->after) &&
        !dt_node_equal(&back->before, &edit->before))
        dt_buf_printf(changed, "%s%s", changed->len > 0 ? ", " : "", edit->path);
    return dt_node_copy(&back->after, &edit->before);
}

int dt_journal_plan_undo(dt_tree const *t, bool force, dt_edits *l, dt_error *e)
{
    char text[DT_ERROR_TEXT_MAX / 2];
    record all = {0};
    dt_buf changed;
    bool there = false;
    int rc = load(t, DONE, &all, &there, e);

    dt_buf_init_fixed(&changed, text, sizeof(text));
    if (rc == DT_OK && !there)
        rc = dt_error_set(e, DT_E_NOT_FOUND, "there is nothing to undo: %s does not exist", DONE);
    for (size_t i = all.edits.count; rc == DT_OK && i-- > 0;)
        rc = plan_one_back(t, &all.edits.items[i], force, l, &changed, e);
    if (rc == DT_OK && changed.len > 0)
        rc = dt_error_set(
            e, DT_E_STATE,
            "changed since setup wrote it: %s; --undo --force puts the file of before in "
            "its place all the same, and the changes are lost",
            text);
    if (rc == DT_OK)
        dt_edits_drop_equal(l);
    dt_edits_free(&all.edits);
    return rc;
}

/* A directory that is in use by now stays. */
static int carry_back(dt_tree const *t, dt_edits const *l, dt_error *e)
{
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < l->count; i++) {
        rc = dt_tree_put(t, l->items[i].path, &l->items[i].after, e);
        if (rc == DT_E_EXISTS)
            rc = DT_OK;
    }
    return rc;
}

int dt_journal_undo(dt_journal *j, dt_edits *l, dt_error *e)
{
    record run = {0};
    dt_error why = {0};
    int rc = begin(&run, l, true, e);

    if (rc == DT_OK)
        rc = save(j->tree, PENDING, &run, e);
    if (rc == DT_OK) {
        rc = carry_back(j->tree, l, e);
        if (rc == DT_OK)
            rc = drop(j->tree, DONE, e);
        if (rc < 0 && take_all_back(j->tree, &run.edits, &why) < 0)
            (void)dt_error_prefix(e, "not everything could be put back (%s)", why.text);
        else
            (void)drop(j->tree, PENDING, &why);
    }
    dt_edits_free(&run.edits);
    return rc;
}
