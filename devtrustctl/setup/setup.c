/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrustctl setup: from answers to a configured host, and back. */
#include "devtrustctl/ctl.h"
#include "devtrustctl/options.h"
#include "devtrustctl/setup/daemon_state.h"
#include "devtrustctl/setup/gather.h"
#include "devtrustctl/setup/journal.h"
#include "devtrustctl/setup/programs.h"
#include "devtrustctl/setup/stage.h"

#include "core/base/json.h"
#include "edge/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS_MAX (DT_ANSWER_COUNT + 16)
#define OPTION_NAME_MAX 48
#define SHOWN_NEW_MAX 1024 /* a longer file that is new is not shown */
#define REPORT_MAX (16 * 1024 * 1024)
#define SSHD "/usr/sbin/sshd"
#define FREERADIUS "/usr/sbin/freeradius"
#define SYSTEMCTL "/usr/bin/systemctl"
#define DAEMON_WAIT_MS 30000 /* for devtrustd to read its files */
#define DAEMON_ASKED_EVERY_MS 50
#define SYSTEMD "/run/systemd/system"

typedef struct setup {
    dt_gather_options gather;
    char const *root;
    bool undo, force, dry_run, yes, offline, json;
    dt_tree tree;
    dt_gathered *gathered;
    dt_edits edits;
    dt_stage_report report;
    dt_buf notes; /* what was done besides, or is left to do, a line each */
    bool failed;  /* something after the writing did not work */
} setup;

static bool is_live(setup const *s)
{
    return s->tree.root[0] == '\0';
}

static bool is_interactive(setup const *s)
{
    return s->gather.answers_file == NULL && isatty(STDIN_FILENO) == 1;
}

/* --- what is shown ---------------------------------------------------------------------------- */

static char const *action_of(dt_edit const *edit)
{
    if (edit->before.type == DT_NODE_ABSENT)
        return "create";
    return edit->after.type == DT_NODE_ABSENT ? "remove" : "change";
}

/* A new file that comes from the package, or from a file that an answer names. */
static bool is_long(dt_edit const *edit)
{
    return edit->before.type == DT_NODE_ABSENT && edit->after.content.len > SHOWN_NEW_MAX;
}

static void put_diff(dt_edit const *edit, dt_buf *out)
{
    static dt_bytes const nothing = {(uint8_t const *)"", 0};

    if (edit->secret) {
        dt_buf_puts(out, "  (not shown)\n");
    } else if (is_long(edit)) {
        dt_buf_printf(out, "  %zu bytes\n", edit->after.content.len);
    } else if (edit->before.type == DT_NODE_LINK || edit->after.type == DT_NODE_LINK) {
        dt_buf_printf(out, "  link to %s\n",
                      (char const *)(edit->after.type == DT_NODE_LINK ? edit->after : edit->before)
                          .content.p);
    } else if (edit->after.type != DT_NODE_DIRECTORY && edit->before.type != DT_NODE_DIRECTORY) {
        dt_diff_put(
            out, edit->path,
            edit->before.type == DT_NODE_ABSENT ? nothing : dt_buf_bytes(&edit->before.content),
            edit->after.type == DT_NODE_ABSENT ? nothing : dt_buf_bytes(&edit->after.content));
    }
}

/* Files are shown with tabs as blanks: what goes to a terminal holds no control characters. */
static void print_line(dt_bytes line)
{
    dt_buf b;

    dt_buf_init(&b, DT_CTL_LINE_MAX);
    for (size_t i = 0; i < line.len; i++) {
        if (line.p[i] == '\t')
            dt_buf_puts(&b, "    ");
        else
            dt_buf_putc(&b, (char)line.p[i]);
    }
    dt_out_buf(&b);
    dt_buf_free(&b);
}

static void print_lines(dt_buf const *text)
{
    dt_bytes rest = dt_buf_bytes(text);

    while (rest.len > 0) {
        uint8_t const *end = memchr(rest.p, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.p) : rest.len;

        print_line(dt_bytes_of(rest.p, len));
        len += end != NULL;
        rest = dt_bytes_of(rest.p + len, rest.len - len);
    }
}

static void print_edits(setup const *s)
{
    for (size_t i = 0; i < s->edits.count; i++) {
        dt_edit const *edit = &s->edits.items[i];
        dt_buf text;

        dt_out_line("%s %s%s", action_of(edit), s->tree.root, edit->path);
        if (edit->after.type != DT_NODE_ABSENT && edit->after.type != DT_NODE_LINK &&
            (edit->before.type == DT_NODE_ABSENT || edit->before.mode != edit->after.mode ||
             edit->before.uid != edit->after.uid || edit->before.gid != edit->after.gid))
            dt_out_line("  mode %04o, owner %u:%u", edit->after.mode, (unsigned)edit->after.uid,
                        (unsigned)edit->after.gid);
        dt_buf_init(&text, REPORT_MAX);
        put_diff(edit, &text);
        print_lines(&text);
        dt_buf_free(&text);
    }
}

static void print_checks(setup const *s)
{
    for (size_t i = 0; i < s->report.count; i++) {
        dt_stage_check const *c = &s->report.checks[i];

        dt_out_line("%-7s %s: %s",
                    c->good      ? "ok"
                    : c->warning ? "warning"
                                 : "FAULT",
                    c->what, c->text);
    }
}

static void put_json_edits(setup const *s, dt_buf *b)
{
    for (size_t i = 0; i < s->edits.count; i++) {
        dt_edit const *edit = &s->edits.items[i];
        dt_buf text;

        dt_buf_init(&text, REPORT_MAX);
        put_diff(edit, &text);
        dt_buf_puts(b, i > 0 ? ",{" : "{");
        dt_out_member(b, "path", edit->path);
        dt_out_member(b, "action", action_of(edit));
        dt_out_member(b, "diff", text.p != NULL ? (char const *)text.p : "");
        dt_buf_putc(b, '}');
        dt_buf_free(&text);
    }
}

static void print_json(setup const *s, char const *outcome)
{
    dt_buf b;

    dt_buf_init(&b, REPORT_MAX);
    dt_buf_putc(&b, '{');
    dt_out_member(&b, "outcome", outcome);
    dt_out_member(&b, "mode",
                  s->undo                                                      ? "undo"
                  : dt_answer_is_yes(&s->gathered->answers, DT_ANSWER_ENFORCE) ? "enforce"
                                                                               : "report-only");
    dt_buf_printf(&b, ",\"changes\":%zu,\"edits\":[", s->edits.count);
    put_json_edits(s, &b);
    dt_buf_puts(&b, "],\"checks\":[");
    for (size_t i = 0; i < s->report.count; i++) {
        dt_stage_check const *c = &s->report.checks[i];

        dt_buf_puts(&b, i > 0 ? ",{" : "{");
        dt_out_member(&b, "check", c->what);
        dt_out_member(&b, "result", c->good ? "ok" : c->warning ? "warning" : "fault");
        dt_out_member(&b, "text", c->text);
        dt_buf_putc(&b, '}');
    }
    dt_buf_puts(&b, "],\"notes\":");
    dt_json_put_string(&b, s->notes.p != NULL ? (char const *)s->notes.p : "");
    dt_buf_putc(&b, '}');
    dt_out_buf(&b);
    dt_buf_free(&b);
}

/* --- planning --------------------------------------------------------------------------------- */

static int look(void *ctx, char const *path, dt_node *out, dt_error *e)
{
    return dt_tree_look(ctx, path, out, e);
}

static int plan(setup *s, dt_setup_input *in, dt_error *e)
{
    uint8_t key[(DT_SETUP_STATE_KEY_HEX - 1) / 2];
    int rc = DT_OK;

    *in = (dt_setup_input){.answers = &s->gathered->answers,
                           .files = s->gathered->files,
                           .clients = s->gathered->clients,
                           .client_secrets = s->gathered->client_secrets,
                           .client_count = s->gathered->client_count,
                           .keep_clients = s->gathered->keep_clients,
                           .look = look,
                           .ctx = &s->tree,
                           .owner = geteuid()};
    rc = dt_tree_group(&s->tree, "devtrust", &in->devtrust, e);
    if (rc == DT_OK && dt_setup_wants_radius(in->answers))
        rc = dt_tree_group(&s->tree, "freerad", &in->freerad, e);
    if (rc == DT_OK && dt_host_random(key, sizeof(key)) < 0)
        rc = dt_error_set(e, DT_E_IO, "the system provides no random numbers");
    if (rc < 0)
        return rc;
    dt_hex(in->state_key, key, sizeof(key));
    explicit_bzero(key, sizeof(key));
    return dt_setup_plan(in, &s->edits, e);
}

/* --- programs --------------------------------------------------------------------------------- */

static bool touches(setup const *s, char const *path)
{
    size_t len = strlen(path);

    for (size_t i = 0; i < s->edits.count; i++) {
        if (strncmp(s->edits.items[i].path, path, len) == 0)
            return true;
    }
    return false;
}

static int run(char const *const *argv, dt_error *e)
{
    dt_buf out;
    int rc;

    dt_buf_init(&out, DT_PROGRAM_OUTPUT_MAX);
    rc = dt_program_run(argv, &out, e);
    dt_buf_free(&out);
    return rc;
}

/* What is written has to be what sshd and FreeRADIUS accept; else it is taken back. */
static int check_programs(void *ctx, dt_error *e)
{
    static char const *const sshd[] = {SSHD, "-t", NULL};
    static char const *const freeradius[] = {FREERADIUS, "-XC", NULL};
    setup *s = ctx;
    int rc = DT_OK;

    if (!is_live(s))
        return DT_OK;
    if (touches(s, "/etc/ssh/"))
        rc = run(sshd, e);
    if (rc == DT_OK && !s->undo && dt_setup_wants_radius(&s->gathered->answers) &&
        (touches(s, DT_SETUP_RADDB) || touches(s, "/etc/devtrust/")))
        rc = run(freeradius, e);
    return rc;
}

static void run_noted(setup *s, char const *const *argv)
{
    dt_error e = {0};
    dt_buf command;

    dt_buf_init(&command, 512);
    for (size_t i = 1; argv[i] != NULL; i++)
        dt_buf_printf(&command, " %s", argv[i]);
    if (access(SYSTEMD, F_OK) != 0) {
        dt_buf_printf(&s->notes, "systemd does not run here; do what this does: systemctl%s\n",
                      (char const *)command.p);
    } else if (run(argv, &e) < 0) {
        s->failed = true;
        dt_buf_printf(&s->notes, "failed: systemctl%s: %s\n", (char const *)command.p, e.text);
    } else {
        dt_buf_printf(&s->notes, "done: systemctl%s\n", (char const *)command.p);
    }
    dt_buf_free(&command);
}

static bool has_unit(char const *name)
{
    static char const *const folders[] = {"/usr/lib/systemd/system", "/lib/systemd/system",
                                          "/etc/systemd/system"};
    char path[128];

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", folders[i], name);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static bool names_screen(setup const *s)
{
    for (size_t i = 0; dt_app_at(i) != NULL; i++) {
        char path[80];

        (void)snprintf(path, sizeof(path), "/etc/pam.d/%s", dt_app_at(i)->name);
        if (dt_app_at(i)->screen && touches(s, path))
            return true;
    }
    return false;
}

static int64_t mono_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A millisecond that begins after what was written, and before what is asked for next. */
static int64_t next_moment(void)
{
    struct timespec const pause = {.tv_nsec = 2 * 1000000L};
    int64_t at = mono_now() + 1;

    while (mono_now() < at)
        (void)nanosleep(&pause, NULL);
    return at;
}

static dt_daemon_state ask_daemon_state(int64_t since)
{
    static char const *const show[] = {
        SYSTEMCTL,     "show",       "-p",
        "ActiveState", "-p",         "ExecMainStartTimestampMonotonic",
        "-p",          "StatusText", "devtrustd.service",
        NULL};
    dt_daemon_state state = DT_DAEMON_BEHIND;
    dt_error e = {0};
    dt_buf out;

    dt_buf_init(&out, DT_PROGRAM_OUTPUT_MAX);
    if (dt_program_run(show, &out, &e) == DT_OK) {
        dt_buf_putc(&out, '\0');
        state = dt_daemon_state_of((char const *)out.p, since);
    }
    dt_buf_free(&out);
    return state;
}

/* What sshd relies on from now on must be in force first: else whom the old configuration lets in gets in for
 * a moment. True once devtrustd goes by what was written. */
static bool wait_for_daemon(setup *s, int64_t since)
{
    struct timespec const pause = {.tv_nsec = DAEMON_ASKED_EVERY_MS * 1000000L};
    dt_daemon_state state = DT_DAEMON_BEHIND;

    if (access(SYSTEMD, F_OK) != 0)
        return true;
    while (state == DT_DAEMON_BEHIND && mono_now() - since < DAEMON_WAIT_MS) {
        state = ask_daemon_state(since);
        if (state == DT_DAEMON_BEHIND)
            (void)nanosleep(&pause, NULL);
    }
    if (state == DT_DAEMON_CURRENT)
        return true;
    s->failed = true;
    dt_buf_printf(
        &s->notes,
        "failed: devtrustd %s; sshd was not reloaded: see \"journalctl -u devtrustd\", then "
        "run: systemctl restart devtrustd && systemctl reload ssh\n",
        state == DT_DAEMON_REFUSES ? "does not apply the new configuration"
                                   : "did not report that it has read its files");
    return false;
}

static void start_services(setup *s)
{
    static char const *const reload[] = {SYSTEMCTL, "reload-or-restart", "ssh.service", NULL};
    /* Both watch their files; what is written now is not to wait for that. */
    static char const *const again[] = {SYSTEMCTL, "try-reload-or-restart", "devtrustd.service",
                                        NULL};
    static char const *const daemon[] = {SYSTEMCTL, "enable", "--now", "devtrustd.socket", NULL};
    static char const *const screens[] = {SYSTEMCTL, "enable", "--now",
                                          "devtrustd-lock-screen.socket", NULL};
    static char const *const enable[] = {SYSTEMCTL, "enable", "freeradius.service", NULL};
    static char const *const restart[] = {SYSTEMCTL, "restart", "freeradius.service", NULL};
    bool current = true;
    int64_t since;

    if (!is_live(s))
        return;
    if (!s->undo && dt_setup_wants_pam(&s->gathered->answers) && has_unit("devtrustd.socket"))
        run_noted(s, daemon);
    since = next_moment();
    if (has_unit("devtrustd.service")) {
        run_noted(s, again);
        current = s->undo || wait_for_daemon(s, since);
    }
    if (!s->undo && names_screen(s))
        run_noted(s, screens);
    if (touches(s, "/etc/ssh/") && has_unit("ssh.service") && current)
        run_noted(s, reload);
    if (touches(s, DT_SETUP_RADDB) || touches(s, "/etc/group")) {
        if (!s->undo)
            run_noted(s, enable);
        run_noted(s, restart);
    }
}

/* --- runs ------------------------------------------------------------------------------------- */

static dt_ctl_exit finish(setup *s, char const *outcome)
{
    if (s->json) {
        print_json(s, outcome);
        return s->failed ? DT_CTL_NO : DT_CTL_YES;
    }
    print_lines(&s->notes);
    dt_out_line("%s", outcome);
    return s->failed ? DT_CTL_NO : DT_CTL_YES;
}

static bool may_write(setup const *s)
{
    return s->yes || !is_interactive(s) || dt_gather_confirm("Write these changes?");
}

static char const *mode_text(setup const *s)
{
    return dt_answer_is_yes(&s->gathered->answers, DT_ANSWER_ENFORCE)
               ? "done; the policies are enforced"
               : "done; report-only: nothing is enforced until devtrustctl setup --enforce";
}

static int open_journal(setup *s, dt_journal *j, dt_error *e)
{
    bool did = false;
    int rc;

    j->lock = -1;
    if (s->dry_run)
        return dt_journal_is_pending(&s->tree)
                   ? dt_error_set(
                         e, DT_E_STATE,
                         "an earlier run was interrupted; run setup or setup --undo without "
                         "--dry-run, which takes it back first")
                   : DT_OK;
    rc = dt_journal_open(j, &s->tree, e);
    if (rc == DT_OK)
        rc = dt_journal_recover(j, &did, e);
    if (rc == DT_OK && did)
        dt_buf_puts(&s->notes, "an earlier run was interrupted, and was taken back\n");
    return rc;
}

static dt_ctl_exit set_up(setup *s, dt_journal *j)
{
    dt_setup_input in;
    dt_error e = {0};
    int rc = dt_gather(&s->tree, &s->gather, &s->gathered, &e);

    if (rc == DT_OK)
        rc = plan(s, &in, &e);
    if (rc == DT_OK)
        rc = dt_stage_try(&s->tree, &s->edits, &in, !s->offline, &s->report, &e);
    if (rc < 0)
        return dt_err_fault(&e);
    if (!s->json) {
        print_edits(s);
        print_checks(s);
    }
    if (dt_stage_failed(&s->report)) {
        s->failed = true;
        return finish(s, "nothing was written: see FAULT");
    }
    if (s->edits.count == 0)
        return finish(s, "nothing to do");
    if (s->dry_run)
        return finish(s, "nothing was written: --dry-run");
    if (!may_write(s)) {
        s->failed = true;
        return finish(s, "nothing was written");
    }
    if (dt_journal_apply(j, &s->edits, check_programs, s, &e) < 0) {
        (void)dt_error_prefix(&e, "nothing was changed");
        return dt_err_fault(&e);
    }
    start_services(s);
    return finish(s, mode_text(s));
}

static dt_ctl_exit undo(setup *s, dt_journal *j)
{
    dt_error e = {0};

    if (dt_journal_plan_undo(&s->tree, s->force, &s->edits, &e) < 0)
        return dt_err_fault(&e);
    if (!s->json)
        print_edits(s);
    if (s->dry_run)
        return finish(s, "nothing was written: --dry-run");
    if (!may_write(s)) {
        s->failed = true;
        return finish(s, "nothing was written");
    }
    if (dt_journal_undo(j, &s->edits, &e) < 0)
        return dt_err_fault(&e);
    start_services(s);
    return finish(s, "done; every file is as it was before setup");
}

static dt_ctl_exit run_setup(setup *s)
{
    dt_journal j = {.lock = -1};
    dt_error e = {0};
    dt_ctl_exit x = DT_CTL_FAULT;
    int rc;

    if (geteuid() != 0) {
        dt_err_line("setup needs root: it writes below /etc, with owners");
        return DT_CTL_FAULT;
    }
    rc = dt_tree_open(&s->tree, s->root != NULL ? s->root : "", &e);
    if (rc == DT_OK)
        rc = dt_edits_init(&s->edits, &e);
    if (rc == DT_OK)
        rc = open_journal(s, &j, &e);
    if (rc < 0)
        x = dt_err_fault(&e);
    else
        x = s->undo ? undo(s, &j) : set_up(s, &j);
    dt_journal_close(&j);
    dt_edits_free(&s->edits);
    dt_gathered_free(&s->gathered);
    dt_tree_close(&s->tree);
    return x;
}

/* --- the command ------------------------------------------------------------------------------ */

/* Each key of the answer file is an option, too. */
static void add_answer_options(setup *s, dt_option *options, char names[][OPTION_NAME_MAX],
                               size_t *count)
{
    for (dt_answer_id id = 0; id < DT_ANSWER_COUNT; id++) {
        if (id == DT_ANSWER_ENFORCE)
            continue;
        (void)snprintf(names[id], OPTION_NAME_MAX, "--%s", dt_answer_row_of(id)->key);
        for (char *c = names[id]; *c != '\0'; c++)
            *c = *c == '_' ? '-' : *c;
        options[(*count)++] = (dt_option){names[id], NULL, &s->gather.values[id], NULL};
    }
}

static int parse(setup *s, int argc, char **argv, dt_error *e)
{
    char names[DT_ANSWER_COUNT][OPTION_NAME_MAX];
    dt_option options[OPTIONS_MAX] = {{"--answers", NULL, &s->gather.answers_file, NULL},
                                      {"--root", NULL, &s->root, NULL},
                                      {"--enforce", NULL, NULL, &s->gather.enforce},
                                      {"--report-only", NULL, NULL, &s->gather.report_only},
                                      {"--undo", NULL, NULL, &s->undo},
                                      {"--force", NULL, NULL, &s->force},
                                      {"--dry-run", NULL, NULL, &s->dry_run},
                                      {"--yes", NULL, NULL, &s->yes},
                                      {"--offline", NULL, NULL, &s->offline},
                                      {"--json", NULL, NULL, &s->json}};
    char const **rest = calloc((size_t)argc + 1, sizeof(*rest));
    size_t count = 10, left = 0;
    int rc = rest != NULL ? DT_OK : dt_error_set(e, DT_E_NOMEM, "out of memory");

    add_answer_options(s, options, names, &count);
    if (rc == DT_OK)
        rc = dt_options_parse(options, argc, argv, rest, &left, e);
    free(rest);
    if (rc == DT_OK && left > 0)
        rc = dt_error_set(e, DT_E_INVALID, "takes options only");
    if (rc == DT_OK && s->gather.enforce && s->gather.report_only)
        rc = dt_error_set(e, DT_E_INVALID, "--enforce and --report-only exclude each other");
    if (rc == DT_OK && s->force && !s->undo)
        rc = dt_error_set(e, DT_E_INVALID, "--force is for --undo");
    if (rc == DT_OK && s->root != NULL && s->root[0] != '/')
        rc = dt_error_set(e, DT_E_INVALID, "--root: write the path from / on");
    s->gather.ask = is_interactive(s);
    return rc;
}

dt_ctl_exit dt_ctl_setup(dt_ctl_command const *self, int argc, char **argv)
{
    setup *s = calloc(1, sizeof(*s));
    dt_error e = {0};
    dt_ctl_exit x;

    if (s == NULL) {
        (void)dt_error_set(&e, DT_E_NOMEM, "out of memory");
        return dt_err_fault(&e);
    }
    s->tree.fd = -1;
    dt_buf_init(&s->notes, 64 * 1024);
    x = parse(s, argc, argv, &e) < 0 ? dt_err_usage(self, &e) : run_setup(s);
    dt_buf_free(&s->notes);
    free(s);
    return x;
}
