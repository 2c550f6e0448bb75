/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Edits of devtrustctl setup are carried out all or none, also when the process is killed at any of its steps; and
 * undone byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "devtrustctl/setup/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Steps that are left until the process is killed before or after one; 0: never. With `only_fails` that one fails. */
static long steps_left;
static bool only_fails, after_it;

static bool step_fails(void)
{
    if (steps_left == 0 || --steps_left > 0)
        return false;
    if (only_fails) {
        errno = ENOSPC;
        return true;
    }
    if (!after_it)
        (void)kill(getpid(), SIGKILL);
    return false;
}

static void step_done(long before)
{
    if (before == 1 && steps_left == 0 && after_it && !only_fails)
        (void)kill(getpid(), SIGKILL);
}

#define STEP(ret, name, parameters, arguments)                                                     \
    ret __real_##name parameters;                                                                  \
    ret __wrap_##name parameters;                                                                  \
    ret __wrap_##name parameters                                                                   \
    {                                                                                              \
        long before = steps_left;                                                                  \
        ret rc;                                                                                    \
                                                                                                   \
        if (step_fails())                                                                          \
            return -1;                                                                             \
        rc = __real_##name arguments;                                                              \
        step_done(before);                                                                         \
        return rc;                                                                                 \
    }
STEP(int, renameat, (int a, char const *b, int c, char const *d), (a, b, c, d))
STEP(int, unlinkat, (int a, char const *b, int c), (a, b, c))
STEP(int, mkdirat, (int a, char const *b, mode_t c), (a, b, c))
STEP(int, symlinkat, (char const *a, int b, char const *c), (a, b, c))
STEP(int, fsync, (int a), (a))
STEP(int, fchown, (int a, uid_t b, gid_t c), (a, b, c))
STEP(int, fchmodat, (int a, char const *b, mode_t c, int d), (a, b, c, d))

/* --- a small system ---------------------------------------------------------------------------- */

static char root[64];

static void write_at(char const *path, char const *text, mode_t mode)
{
    char full[200];
    int fd;

    (void)snprintf(full, sizeof(full), "%s%s", root, path);
    fd = open(full, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void make_at(char const *path)
{
    char full[200];

    (void)snprintf(full, sizeof(full), "%s%s", root, path);
    assert_int_equal(mkdir(full, 0755), 0);
}

static int make_system(void **state)
{
    char link[200];

    (void)state;
    steps_left = 0;
    only_fails = after_it = false;
    strcpy(root, "/tmp/devtrust-journal-XXXXXX");
    assert_non_null(mkdtemp(root));
    make_at("/etc");
    make_at("/var");
    make_at("/var/backups");
    write_at("/etc/changed", "before\n", 0640);
    write_at("/etc/removed", "goes\n", 0600);
    write_at("/etc/group", "root:x:0:\ndevtrust:x:990:\nusers:x:100:ann\n", 0644);
    (void)snprintf(link, sizeof(link), "%s/etc/link", root);
    assert_int_equal(symlink("old-target", link), 0);
    return 0;
}

static int remove_entry(char const *path, struct stat const *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static int remove_system(void **state)
{
    (void)state;
    steps_left = 0;
    return nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Every name, mode, target and content below the root. */
static char snapshot[16384];

static int add_entry(char const *path, struct stat const *st, int type, struct FTW *where)
{
    size_t len = strlen(snapshot);
    char content[512] = "";

    (void)where;
    if (type == FTW_F) {
        int fd = open(path, O_RDONLY);
        ssize_t n = read(fd, content, sizeof(content) - 1);
        content[n > 0 ? n : 0] = '\0';
        close(fd);
    } else if (type == FTW_SL) {
        ssize_t n = readlink(path, content, sizeof(content) - 1);
        content[n > 0 ? n : 0] = '\0';
    }
    (void)snprintf(snapshot + len, sizeof(snapshot) - len, "%s %o %s\n", path + strlen(root),
                   st->st_mode, content);
    return 0;
}

static int compare_lines(void const *a, void const *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* nftw has no order of its own: the lines are sorted. */
static char *take_snapshot(void)
{
    static char sorted[16384];
    char *lines[256], *save = NULL;
    size_t count = 0;

    snapshot[0] = sorted[0] = '\0';
    assert_int_equal(nftw(root, add_entry, 16, FTW_PHYS), 0);
    for (char *at = strtok_r(snapshot, "\n", &save); at != NULL; at = strtok_r(NULL, "\n", &save))
        lines[count++] = at;
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    for (size_t i = 0; i < count; i++) {
        strcat(sorted, lines[i]);
        strcat(sorted, "\n");
    }
    return strdup(sorted);
}

static void set_after(dt_edit *edit, dt_node_type type, unsigned mode, char const *text)
{
    edit->after.type = type;
    edit->after.mode = mode;
    edit->after.uid = geteuid();
    edit->after.gid = getegid();
    dt_buf_reset(&edit->after.content);
    dt_buf_puts(&edit->after.content, text);
}

static void make_edits(dt_tree const *t, dt_edits *l)
{
    static struct {
        char const *path;
        dt_node_type type;
        unsigned mode;
        char const *text;
    } const wanted[] = {
        {"/etc/new", DT_NODE_DIRECTORY, 0750, ""},
        {"/etc/new/file", DT_NODE_FILE, 0640, "secret\n"},
        {"/etc/changed", DT_NODE_FILE, 0600, "after\n"},
        {"/etc/link", DT_NODE_LINK, 0, "new-target"},
        {"/etc/new/link", DT_NODE_LINK, 0, "../target"},
        {"/etc/removed", DT_NODE_ABSENT, 0, ""},
        {"/etc/group", DT_NODE_FILE, 0644, "root:x:0:\ndevtrust:x:990:freerad\nusers:x:100:ann\n"},
    };
    dt_error e = {0};

    assert_int_equal(dt_edits_init(l, &e), DT_OK);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        dt_edit *edit = dt_edits_add(l, wanted[i].path);

        assert_non_null(edit);
        assert_int_equal(dt_tree_look(t, edit->path, &edit->before, &e), DT_OK);
        set_after(edit, wanted[i].type, wanted[i].mode, wanted[i].text);
        edit->member = strcmp(edit->path, "/etc/group") == 0;
    }
}

static int apply(dt_journal_check *check, dt_error *e)
{
    dt_tree t;
    dt_journal j = {.lock = -1};
    dt_edits l;
    bool did;
    int rc;

    assert_int_equal(dt_tree_open(&t, root, e), DT_OK);
    rc = dt_journal_open(&j, &t, e);
    if (rc == DT_OK)
        rc = dt_journal_recover(&j, &did, e);
    make_edits(&t, &l);
    dt_edits_drop_equal(&l);
    if (rc == DT_OK && l.count > 0)
        rc = dt_journal_apply(&j, &l, check, NULL, e);
    dt_journal_close(&j);
    dt_edits_free(&l);
    dt_tree_close(&t);
    return rc;
}

static int undo(bool force, dt_error *e)
{
    dt_tree t;
    dt_journal j = {.lock = -1};
    dt_edits l;
    bool did;
    int rc;

    assert_int_equal(dt_tree_open(&t, root, e), DT_OK);
    assert_int_equal(dt_edits_init(&l, e), DT_OK);
    rc = dt_journal_open(&j, &t, e);
    if (rc == DT_OK)
        rc = dt_journal_recover(&j, &did, e);
    if (rc == DT_OK)
        rc = dt_journal_plan_undo(&t, force, &l, e);
    if (rc == DT_OK)
        rc = dt_journal_undo(&j, &l, e);
    dt_journal_close(&j);
    dt_edits_free(&l);
    dt_tree_close(&t);
    return rc;
}

/* Takes back what a killed run left, and nothing else. */
static int recover(dt_error *e)
{
    dt_tree t;
    dt_journal j = {.lock = -1};
    bool did;
    int rc;

    assert_int_equal(dt_tree_open(&t, root, e), DT_OK);
    rc = dt_journal_open(&j, &t, e);
    if (rc == DT_OK)
        rc = dt_journal_recover(&j, &did, e);
    dt_journal_close(&j);
    dt_tree_close(&t);
    return rc;
}

/* --- tests ------------------------------------------------------------------------------------- */

static void forth_and_back(void **state)
{
    char *before = take_snapshot(), *after, *undone;
    dt_error e = {0};

    (void)state;
    assert_int_equal(apply(NULL, &e), DT_OK);
    after = take_snapshot();
    assert_non_null(strstr(after, "/etc/new/file 100640 secret"));
    assert_non_null(strstr(after, "/etc/changed 100600 after"));
    assert_null(strstr(after, "/etc/removed"));
    assert_non_null(strstr(after, "new-target"));
    /* A second run has nothing to do. */
    assert_int_equal(apply(NULL, &e), DT_OK);
    undone = take_snapshot();
    assert_string_equal(after, undone);
    free(undone);
    assert_int_equal(undo(false, &e), DT_OK);
    undone = take_snapshot();
    assert_string_equal(before, undone);
    assert_int_equal(undo(false, &e), DT_E_NOT_FOUND);
    free(before);
    free(after);
    free(undone);
}

static int refuse(void *ctx, dt_error *e)
{
    (void)ctx;
    return dt_error_set(e, DT_E_UNAVAILABLE, "sshd -t failed");
}

static void a_failed_check_leaves_nothing(void **state)
{
    char *before = take_snapshot(), *after;
    dt_error e = {0};

    (void)state;
    assert_int_equal(apply(refuse, &e), DT_E_UNAVAILABLE);
    assert_string_equal(e.text, "sshd -t failed");
    after = take_snapshot();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Runs `work` in a process that is killed at step n. True when it was killed. */
static bool killed_at(long n, bool after, int (*work)(dt_error *e))
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        dt_error e = {0};
        steps_left = n;
        after_it = after;
        _exit(work(&e) == DT_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status))
        return true;
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static int apply_all(dt_error *e)
{
    return apply(NULL, e);
}

static int undo_all(dt_error *e)
{
    return undo(false, e);
}

static void again(void **state)
{
    assert_int_equal(remove_system(state), 0);
    assert_int_equal(make_system(state), 0);
}

/* After a kill the next run finds everything as it was before, or as it is afterwards; and --undo works. */
static void killed_while_it_writes(void **state)
{
    char *before = take_snapshot(), *after, *now;
    dt_error e = {0};
    long n;

    assert_int_equal(apply(NULL, &e), DT_OK);
    after = take_snapshot();
    for (n = 1;; n++) {
        again(state);
        if (!killed_at(n / 2 + 1, n % 2 == 0, apply_all))
            break;
        assert_int_equal(recover(&e), DT_OK);
        now = take_snapshot();
        if (strcmp(now, before) != 0) {
            /* The record differs by its run's id. */
            assert_non_null(strstr(now, "/etc/new/file 100640 secret"));
            assert_int_equal(undo(false, &e), DT_OK);
            free(now);
            now = take_snapshot();
            assert_string_equal(now, before);
        }
        free(now);
        assert_int_equal(apply(NULL, &e), DT_OK);
        assert_int_equal(undo(false, &e), DT_OK);
        now = take_snapshot();
        assert_string_equal(now, before);
        free(now);
    }
    assert_true(n > 40);
    free(before);
    free(after);
}

static void killed_while_it_goes_back(void **state)
{
    char *before = take_snapshot(), *now;
    dt_error e = {0};
    long n;

    for (n = 1;; n++) {
        again(state);
        assert_int_equal(apply(NULL, &e), DT_OK);
        if (!killed_at(n / 2 + 1, n % 2 == 0, undo_all))
            break;
        assert_int_equal(recover(&e), DT_OK);
        now = take_snapshot();
        if (strcmp(now, before) != 0)
            assert_int_equal(undo(false, &e), DT_OK);
        free(now);
        now = take_snapshot();
        assert_string_equal(now, before);
        free(now);
    }
    assert_true(n > 30);
    free(before);
}

/* A full disk at any step: the error is reported, and everything is as before. */
static void a_step_that_fails_leaves_nothing(void **state)
{
    char *before = take_snapshot(), *now;
    bool was_ok = false;
    size_t failed = 0;

    for (long n = 1; n < 60; n++) {
        dt_error e = {0};
        int rc;

        again(state);
        steps_left = n;
        only_fails = true;
        rc = apply(NULL, &e);
        was_ok = rc == DT_OK;
        steps_left = 0;
        only_fails = false;
        failed += !was_ok;
        if (was_ok)
            assert_int_equal(undo(false, &e), DT_OK);
        else
            assert_int_equal(recover(&e), DT_OK);
        now = take_snapshot();
        assert_string_equal(now, before);
        free(now);
    }
    assert_true(failed > 10);
    free(before);
}

static void what_was_changed_since_is_not_lost(void **state)
{
    char *before = take_snapshot(), *now;
    dt_error e = {0};

    (void)state;
    assert_int_equal(apply(NULL, &e), DT_OK);
    write_at("/etc/changed", "an administrator's\n", 0600);
    assert_int_equal(undo(false, &e), DT_E_STATE);
    assert_non_null(strstr(e.text, "/etc/changed"));
    assert_int_equal(undo(true, &e), DT_OK);
    now = take_snapshot();
    assert_string_equal(now, before);
    free(before);
    free(now);
}

/* Others change the file of groups, too: their changes stay, and only the member goes. */
static void a_group_keeps_what_others_add(void **state)
{
    dt_error e = {0};
    char *now;

    (void)state;
    assert_int_equal(apply(NULL, &e), DT_OK);
    write_at("/etc/group", "root:x:0:\ndevtrust:x:990:freerad,bob\nusers:x:100:ann\nnew:x:5:\n",
             0644);
    assert_int_equal(undo(false, &e), DT_OK);
    now = take_snapshot();
    assert_non_null(strstr(now, "devtrust:x:990:bob\nusers:x:100:ann\n") != NULL
                        ? now
                        : strstr(now, "devtrust:x:990:bob"));
    assert_null(strstr(now, "freerad"));
    free(now);
}

static int write_meanwhile(void *ctx, dt_error *e)
{
    (void)ctx;
    write_at("/etc/changed", "somebody else's\n", 0600);
    return dt_error_set(e, DT_E_UNAVAILABLE, "the check failed");
}

static void another_writer_is_not_overwritten(void **state)
{
    dt_error e = {0};
    char *now;

    (void)state;
    assert_int_equal(apply(write_meanwhile, &e), DT_E_STATE);
    assert_non_null(strstr(e.text, "/etc/changed has changed"));
    now = take_snapshot();
    assert_non_null(strstr(now, "somebody else's"));
    free(now);
}

static void links_lead_nowhere(void **state)
{
    char outside[] = "/tmp/devtrust-outside-XXXXXX", from[200];
    dt_error e = {0};
    dt_tree t;
    dt_node n;

    (void)state;
    assert_non_null(mkdtemp(outside));
    (void)snprintf(from, sizeof(from), "%s/etc/away", root);
    assert_int_equal(symlink(outside, from), 0);
    assert_int_equal(dt_tree_open(&t, root, &e), DT_OK);
    dt_node_init(&n);
    n.type = DT_NODE_FILE;
    n.mode = 0600;
    dt_buf_puts(&n.content, "x");
    assert_int_equal(dt_tree_put(&t, "/etc/away/file", &n, &e), DT_E_PERMISSION);
    assert_int_equal(dt_tree_look(&t, "/etc/away/file", &n, &e), DT_E_PERMISSION);
    assert_int_equal(dt_tree_put(&t, "/etc/../file", &n, &e), DT_E_INVALID);
    dt_node_free(&n);
    dt_tree_close(&t);
    assert_int_equal(rmdir(outside), 0);
}

static void two_do_not_run_at_once(void **state)
{
    dt_journal first = {.lock = -1}, second = {.lock = -1};
    dt_error e = {0};
    dt_tree t;

    (void)state;
    assert_int_equal(dt_tree_open(&t, root, &e), DT_OK);
    assert_int_equal(dt_journal_open(&first, &t, &e), DT_OK);
    assert_int_equal(dt_journal_open(&second, &t, &e), DT_E_STATE);
    dt_journal_close(&second);
    dt_journal_close(&first);
    dt_tree_close(&t);
}

static void a_record_of_others_is_refused(void **state)
{
    dt_error e = {0};

    (void)state;
    assert_int_equal(apply(NULL, &e), DT_OK);
    write_at("/var/backups/devtrust/setup.json", "{\"version\":2}", 0600);
    assert_int_equal(undo(false, &e), DT_E_PARSE);
    write_at("/var/backups/devtrust/setup.json", "{}", 0644);
    assert_int_equal(undo(false, &e), DT_E_PERMISSION);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_system, remove_system)
int main(void)
{
    struct CMUnitTest const tests[] = {
        TEST(forth_and_back),
        TEST(a_failed_check_leaves_nothing),
        TEST(killed_while_it_writes),
        TEST(killed_while_it_goes_back),
        TEST(a_step_that_fails_leaves_nothing),
        TEST(what_was_changed_since_is_not_lost),
        TEST(a_group_keeps_what_others_add),
        TEST(another_writer_is_not_overwritten),
        TEST(links_lead_nowhere),
        TEST(two_do_not_run_at_once),
        TEST(a_record_of_others_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
