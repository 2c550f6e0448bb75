/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Putting a whole file in the place of another: what is refused leaves everything as it was, what is
 * replaced keeps owner and mode, and nothing is left beside it. */
#include "edge/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOMEBODY 54321 /* an uid and gid that nobody has */

static char g_dir[64];

/* The rename fails as if the disk had gone. */
static int g_rename_error;

int __real_renameat2(int from_dir, char const *from, int to_dir, char const *to, unsigned flags);
int __wrap_renameat2(int from_dir, char const *from, int to_dir, char const *to, unsigned flags);

int __wrap_renameat2(int from_dir, char const *from, int to_dir, char const *to, unsigned flags)
{
    if (g_rename_error == 0)
        return __real_renameat2(from_dir, from, to_dir, to, flags);
    errno = g_rename_error;
    return -1;
}

static char const *path_of(char const *name)
{
    static char path[4][PATH_MAX];
    static int next;
    char *p = path[next++ % 4];

    snprintf(p, PATH_MAX, "%s/%s", g_dir, name);
    return p;
}

static int setup(void **state)
{
    (void)state;
    strcpy(g_dir, "/tmp/dt-test-write-XXXXXX");
    umask(022);
    g_rename_error = 0;
    return mkdtemp(g_dir) == NULL || chmod(g_dir, 0755) != 0 ? -1 : 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", g_dir);
    return system(command);
}

static void put(char const *name, char const *text, mode_t mode)
{
    FILE *f = fopen(path_of(name), "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static void assert_holds(char const *name, char const *text)
{
    char got[64] = "";
    FILE *f = fopen(path_of(name), "r");

    assert_non_null(f);
    assert_int_equal(fread(got, 1, sizeof(got) - 1, f), strlen(text));
    fclose(f);
    assert_string_equal(got, text);
}

static size_t entries(void)
{
    DIR *d = opendir(g_dir);
    size_t n = 0;

    assert_non_null(d);
    /* The stream is ours alone. */
    /* cppcheck-suppress readdirCalled */
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n - 2;
}

static int write_file(char const *name, char const *text, bool replace, dt_error *e)
{
    *e = (dt_error){0};
    return dt_file_write(path_of(name), dt_bytes_str(text), replace, 0640, e);
}

static void what_is_there_stays(void **state)
{
    dt_error e;
    (void)state;

    put("a", "old", 0644);
    assert_int_equal(write_file("a", "new", false, &e), DT_E_EXISTS);
    assert_non_null(strstr(e.text, "/a already exists"));
    assert_holds("a", "old");
    assert_int_equal(entries(), 1);
}

static void only_regular_files_are_replaced(void **state)
{
    dt_error e;
    (void)state;

    put("real", "old", 0644);
    assert_int_equal(symlink("real", path_of("link")), 0);
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_int_equal(mkdir(path_of("dir"), 0755), 0);
    assert_int_equal(write_file("link", "new", true, &e), DT_E_PERMISSION);
    assert_int_equal(write_file("fifo", "new", true, &e), DT_E_PERMISSION);
    assert_int_equal(write_file("dir", "new", true, &e), DT_E_PERMISSION);
    assert_int_equal(write_file("", "new", true, &e), DT_E_INVALID);
    assert_int_equal(write_file("..", "new", true, &e), DT_E_INVALID);
    assert_int_equal(write_file("none/a", "new", true, &e), DT_E_NOT_FOUND);
    assert_holds("real", "old");
    assert_int_equal(entries(), 4);
}

/* Whoever may write the directory could put another file there. */
static void directories_of_everybody_are_refused(void **state)
{
    dt_error e;
    (void)state;

    assert_int_equal(mkdir(path_of("open"), 0777), 0);
    assert_int_equal(chmod(path_of("open"), 0777), 0);
    assert_int_equal(write_file("open/a", "new", true, &e), DT_E_PERMISSION);
}

static void a_failure_leaves_everything(void **state)
{
    dt_error e;
    (void)state;

    put("a", "old", 0644);
    g_rename_error = EIO;
    assert_int_equal(write_file("a", "new", true, &e), DT_E_IO);
    assert_int_equal(write_file("b", "new", false, &e), DT_E_IO);
    g_rename_error = EEXIST; /* somebody was quicker */
    assert_int_equal(write_file("b", "new", false, &e), DT_E_EXISTS);
    assert_holds("a", "old");
    assert_int_equal(entries(), 1);
}

static void a_new_file_gets_the_mode(void **state)
{
    struct stat st;
    dt_error e;
    (void)state;

    assert_int_equal(write_file("a", "new", false, &e), DT_OK);
    assert_holds("a", "new");
    assert_int_equal(stat(path_of("a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(write_file("b", "", true, &e), DT_OK);
    assert_holds("b", "");
    assert_int_equal(entries(), 2);
}

static void owner_and_mode_stay(void **state)
{
    struct stat st;
    dt_error e;
    (void)state;

    put("a", "old", 0604);
    if (geteuid() == 0)
        assert_int_equal(chown(path_of("a"), 0, SOMEBODY), 0);
    assert_int_equal(write_file("a", "new", true, &e), DT_OK);
    assert_holds("a", "new");
    assert_int_equal(stat(path_of("a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
    if (geteuid() == 0)
        assert_int_equal(st.st_gid, SOMEBODY);
    assert_int_equal(entries(), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    struct CMUnitTest const tests[] = {
        TEST(what_is_there_stays),
        TEST(only_regular_files_are_replaced),
        TEST(directories_of_everybody_are_refused),
        TEST(a_failure_leaves_everything),
        TEST(a_new_file_gets_the_mode),
        TEST(owner_and_mode_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
