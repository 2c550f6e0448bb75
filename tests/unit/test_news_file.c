/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of news: nothing that was appended is lost to a reader, over rotations, restarts and broken lines. */
#include "edge/news_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW ((dt_time)1700000000000)

static char dir[64], path[96], old[96];

static int make_dir(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/devtrust-news.XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/news", dir);
    (void)snprintf(old, sizeof(old), "%s/news.1", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(old);
    return rmdir(dir);
}

static dt_news news_at(int n, dt_time at)
{
    dt_news out;
    char id[32];
    (void)snprintf(id, sizeof(id), "user-%d", n);
    assert_int_equal(
        dt_news_make(DT_NEWS_CAEP, DT_NEWS_OKTA_USER, id, DT_NEWS_LIFECYCLE, "", at, &out), DT_OK);
    return out;
}

static dt_news_writer *open_writer(size_t max)
{
    dt_news_writer *w = NULL;
    dt_error e = {0};
    if (dt_news_writer_open(path, max, &w, &e) != DT_OK)
        fail_msg("%s", e.text);
    return w;
}

static void append_range(dt_news_writer *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        dt_error e = {0};
        dt_news const n = news_at(i, NOW + i);
        if (dt_news_writer_append(w, &n, 1, &e) != DT_OK)
            fail_msg("%s", e.text);
    }
}

static dt_news_follower *follow(dt_time since)
{
    dt_news_follower *f = NULL;
    assert_int_equal(dt_news_follower_open(path, since, &f), DT_OK);
    return f;
}

/* Reads `from` to `to` - 1, in this order, and nothing else. */
static void expect_range(dt_news_follower *f, int from, int to)
{
    dt_news got[7];
    size_t n;
    int next = from;
    while ((n = dt_news_follower_read(f, got, 7)) > 0)
        for (size_t i = 0; i < n; i++, next++) {
            dt_news const want = news_at(next, NOW + next);
            assert_memory_equal(&got[i], &want, sizeof(want));
        }
    assert_int_equal(next, to);
}

static void a_reader_gets_what_is_appended(void **state)
{
    (void)state;
    dt_news_follower *f = follow(0);
    dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX);
    expect_range(f, 0, 0);
    append_range(w, 0, 3);
    expect_range(f, 0, 3);
    append_range(w, 3, 30);
    expect_range(f, 3, 30);
    expect_range(f, 30, 30);
    dt_news_follower *late = follow(0);
    expect_range(late, 0, 30);
    dt_news_follower_close(&late);
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
    assert_null(f);
}

static void a_batch_is_one_append(void **state)
{
    dt_news batch[DT_NEWS_BATCH_MAX + 1];
    dt_error e = {0};
    (void)state;
    dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX);
    for (int i = 0; i <= DT_NEWS_BATCH_MAX; i++)
        batch[i] = news_at(i, NOW + i);
    assert_int_equal(dt_news_writer_append(w, batch, DT_NEWS_BATCH_MAX + 1, &e), DT_E_LIMIT);
    assert_int_equal(dt_news_writer_append(w, batch, 0, &e), DT_OK);
    batch[3].what = DT_NEWS_WHAT_NONE; /* one that cannot be written: nothing is */
    assert_int_equal(dt_news_writer_append(w, batch, DT_NEWS_BATCH_MAX, &e), DT_E_INVALID);
    batch[3] = news_at(3, NOW + 3);
    dt_news_follower *f = follow(0);
    expect_range(f, 0, 0);
    assert_int_equal(dt_news_writer_append(w, batch, DT_NEWS_BATCH_MAX, &e), DT_OK);
    expect_range(f, 0, DT_NEWS_BATCH_MAX);
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

/* Whatever the order of reads and rotations, as long as no two rotations come between two reads. */
static void a_rotation_loses_nothing(void **state)
{
    (void)state;
    dt_news_writer *w = open_writer(1000); /* some seven lines */
    dt_news_follower *f = follow(0);
    for (int i = 0, seen = 0; i < 200; i++) {
        append_range(w, i, i + 1);
        if (i % 9 == 0) {
            expect_range(f, seen, i + 1);
            seen = i + 1;
        }
    }
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= 1000);
    assert_int_equal(stat(old, &st), 0);
    assert_true(st.st_size <= 1000);
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

/* A reader that fell behind by whole files goes on with what is still there. */
static void a_late_reader_gets_both_files(void **state)
{
    dt_news got[64];
    (void)state;
    dt_news_writer *w = open_writer(1000);
    append_range(w, 0, 2);
    dt_news_follower *f = follow(0);
    expect_range(f, 0, 2);
    append_range(w, 2, 40);
    size_t n = dt_news_follower_read(f, got, 64);
    assert_true(n > 8); /* the end of what was open, and both files */
    assert_string_equal(got[n - 1].id, "user-39");
    assert_string_equal(got[0].id, "user-2");
    dt_news_follower *fresh = follow(0);
    size_t m = dt_news_follower_read(fresh, got, 64);
    assert_true(m > 7 && m < n);
    assert_string_equal(got[m - 1].id, "user-39");
    dt_news_follower_close(&fresh);
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

/* What is older is left out at the start only: a clock that is set back later costs nothing. */
static void a_reader_starts_at_a_time(void **state)
{
    (void)state;
    dt_news_writer *w = open_writer(1000);
    append_range(w, 0, 10);
    dt_news_follower *f = follow(NOW + 6);
    expect_range(f, 6, 10);
    dt_news const back = news_at(1, NOW - DT_HOURS(1));
    dt_news got;
    assert_int_equal(dt_news_writer_append(w, &back, 1, NULL), DT_OK);
    assert_int_equal(dt_news_follower_read(f, &got, 1), 1);
    assert_int_equal(got.at, NOW - DT_HOURS(1));
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

static void put_raw(char const *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void other_lines_are_skipped_and_counted(void **state)
{
    static char long_line[5 * DT_NEWS_LINE_MAX + 2];
    (void)state;
    memset(long_line, 'x', sizeof(long_line) - 2);
    long_line[sizeof(long_line) - 2] = '\n';
    dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX);
    append_range(w, 0, 1);
    put_raw("\nnot news\n{\"v\":1}\n");
    append_range(w, 1, 2);
    put_raw(long_line);
    append_range(w, 2, 3);
    dt_news_follower *f = follow(0);
    expect_range(f, 0, 3);
    assert_int_equal(dt_news_follower_skipped(f), 4);
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

/* A writer that was killed within a line does not spoil the next one's first line. */
static void a_torn_line_is_ended(void **state)
{
    (void)state;
    put_raw("{\"v\":1,\"at\":\"20");
    dt_news_follower *f = follow(0);
    expect_range(f, 0, 0);
    dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX);
    append_range(w, 0, 2);
    expect_range(f, 0, 2);
    assert_int_equal(dt_news_follower_skipped(f), 1);
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

static void one_line_may_come_in_pieces(void **state)
{
    char text[DT_NEWS_LINE_MAX + 2];
    dt_buf b;
    dt_news n = news_at(0, NOW), got;
    (void)state;
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_news_put_line(&n, &b), DT_OK);
    dt_news_follower *f = follow(0);
    for (size_t i = 0; i + 1 < b.len; i++) {
        put_raw((char[]){text[i], '\0'});
        assert_int_equal(dt_news_follower_read(f, &got, 1), 0);
    }
    put_raw("\n");
    assert_int_equal(dt_news_follower_read(f, &got, 1), 1);
    assert_memory_equal(&n, &got, sizeof(n));
    dt_news_follower_close(&f);
}

static void a_file_that_goes_comes_back(void **state)
{
    (void)state;
    dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX);
    dt_news_follower *f = follow(0);
    append_range(w, 0, 1);
    expect_range(f, 0, 1);
    assert_int_equal(unlink(path), 0);
    append_range(w, 1, 2);
    expect_range(f, 1, 2);
    dt_news_writer_close(&w);
    w = open_writer(DT_NEWS_FILE_MAX);
    append_range(w, 2, 3);
    expect_range(f, 2, 3);
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

static void there_is_one_writer(void **state)
{
    dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX), *second = NULL;
    dt_error e = {0};
    (void)state;
    assert_int_equal(dt_news_writer_open(path, DT_NEWS_FILE_MAX, &second, &e), DT_E_EXISTS);
    assert_null(second);
    assert_non_null(strstr(e.text, dir));
    dt_news_writer_close(&w);
    second = open_writer(DT_NEWS_FILE_MAX);
    dt_news_writer_close(&second);
}

static void the_group_reads_it_whatever_the_umask(void **state)
{
    struct stat st;
    mode_t const before = umask(077);
    (void)state;
    dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX);
    (void)umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, DT_NEWS_FILE_MODE);
    dt_news_writer_close(&w);
}

/* Neither follows a link, and a reader does not hang on a pipe. */
static void odd_files_are_refused(void **state)
{
    dt_news_writer *w = NULL;
    dt_news got;
    dt_error e = {0};
    (void)state;
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_int_equal(dt_news_writer_open(path, DT_NEWS_FILE_MAX, &w, &e), DT_E_IO);
    dt_news_follower *f = follow(0);
    assert_int_equal(dt_news_follower_read(f, &got, 1), 0);
    assert_int_equal(dt_news_follower_skipped(f), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0640), 0);
    assert_true(dt_news_writer_open(path, DT_NEWS_FILE_MAX, &w, &e) < 0);
    assert_int_equal(dt_news_follower_read(f, &got, 1), 0);
    assert_int_equal(unlink(path), 0);
    w = open_writer(DT_NEWS_FILE_MAX);
    append_range(w, 0, 1);
    expect_range(f, 0, 1);
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

static bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return fd >= 0 && poll(&p, 1, 0) == 1;
}

static void a_reader_is_woken(void **state)
{
    (void)state;
    dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX);
    dt_news_follower *f = follow(0);
    expect_range(f, 0, 0);
    assert_false(is_readable(dt_news_follower_fd(f)));
    append_range(w, 0, 1);
    assert_true(is_readable(dt_news_follower_fd(f)));
    expect_range(f, 0, 1);
    assert_false(is_readable(dt_news_follower_fd(f)));
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

/* The directory is made after the reader started, and made again. */
static void the_directory_may_come_later(void **state)
{
    (void)state;
    assert_int_equal(rmdir(dir), 0);
    dt_news_follower *f = follow(0);
    assert_int_equal(dt_news_follower_fd(f), -1);
    expect_range(f, 0, 0);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(mkdir(dir, 0755), 0);
        expect_range(f, 0, 0);
        dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX);
        append_range(w, 0, 1);
        assert_true(is_readable(dt_news_follower_fd(f)));
        expect_range(f, 0, 1);
        dt_news_writer_close(&w);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
        expect_range(f, 0, 0);
        assert_int_equal(dt_news_follower_fd(f), -1);
    }
    assert_int_equal(mkdir(dir, 0755), 0);
    dt_news_follower_close(&f);
}

static void a_missing_directory_is_named(void **state)
{
    dt_news_writer *w = NULL;
    dt_error e = {0};
    char far[160];
    (void)state;
    (void)snprintf(far, sizeof(far), "%s/none/news", dir);
    assert_int_equal(dt_news_writer_open(far, DT_NEWS_FILE_MAX, &w, &e), DT_E_NOT_FOUND);
    assert_non_null(strstr(e.text, "/none"));
    assert_non_null(strstr(e.text, "systemd-tmpfiles --create"));
}

/* The limit of a file's size ends a write within a line, as a full disk does. */
static void a_full_disk_is_an_error_and_later_none(void **state)
{
    dt_news batch[20];
    dt_error e = {0};
    struct rlimit before, small = {.rlim_cur = 1000, .rlim_max = RLIM_INFINITY};
    (void)state;
    for (int i = 0; i < 20; i++)
        batch[i] = news_at(i, NOW + i);
    dt_news_writer *w = open_writer(DT_NEWS_FILE_MAX);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(dt_news_writer_append(w, batch, 20, &e), DT_E_IO);
    assert_non_null(strstr(e.text, path));
    assert_int_equal(dt_news_writer_append(w, batch, 20, &e), DT_E_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    dt_news_follower *f = follow(NOW);
    dt_news got[40];
    size_t const some = dt_news_follower_read(f, got, 40);
    assert_true(some > 0 && some < 20);
    assert_int_equal(dt_news_writer_append(w, batch, 20, &e), DT_OK);
    expect_range(f, 0, 20);
    assert_int_equal(dt_news_follower_skipped(f), 1);
    dt_news_writer_close(&w);
    dt_news_follower_close(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
    struct CMUnitTest const tests[] = {
        TEST(a_reader_gets_what_is_appended),
        TEST(a_batch_is_one_append),
        TEST(a_rotation_loses_nothing),
        TEST(a_late_reader_gets_both_files),
        TEST(a_reader_starts_at_a_time),
        TEST(other_lines_are_skipped_and_counted),
        TEST(a_torn_line_is_ended),
        TEST(one_line_may_come_in_pieces),
        TEST(a_file_that_goes_comes_back),
        TEST(there_is_one_writer),
        TEST(the_group_reads_it_whatever_the_umask),
        TEST(odd_files_are_refused),
        TEST(a_reader_is_woken),
        TEST(the_directory_may_come_later),
        TEST(a_missing_directory_is_named),
        TEST(a_full_disk_is_an_error_and_later_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
