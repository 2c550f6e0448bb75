/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What keeps limits alive: tables that do not grow past their bounds, room in the file that is the
 * limits' own, and memory for as long as the file takes nothing. */
#include "edge/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW DT_SECONDS(1700000000)
#define SIZE_MIB 4
#define SIZE_BYTES ((off_t)SIZE_MIB * 1024 * 1024)
#define STRANGERS (SIZE_MIB * 384 / 4) /* rows of passwords of people whom nobody knows */
#define THREADS 8
#define THREAD_GUESSES 50

typedef struct fixture {
    char dir[64], path[128];
    dt_store *store;
    dt_spare *spare;
    dt_buf scratch;
    dt_store_result r;
} fixture;

static void open_store(fixture *f)
{
    dt_error e = {0};
    int rc = dt_store_open(f->path, SIZE_MIB, &f->store, &e);

    if (rc != 0)
        fail_msg("%s", e.text);
    dt_store_use_spare(f->store, f->spare);
}

static int setup_closed(void **state)
{
    fixture *f = calloc(1, sizeof(*f));

    strcpy(f->dir, "/tmp/dt-limits-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/state.db", f->dir);
    dt_buf_init(&f->scratch, DT_STORE_VALUE_MAX);
    assert_int_equal(dt_spare_new(&f->spare), 0);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    setup_closed(state);
    open_store(*state);
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    char command[160];

    dt_store_close(&f->store);
    dt_spare_free(&f->spare);
    dt_buf_free(&f->scratch);
    snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static dt_store_op op_of(dt_store_table t, dt_store_verb v, char const *key, dt_time expires)
{
    dt_store_op op = {.table = t, .verb = v, .expires = expires};

    snprintf(op.key, sizeof(op.key), "%s", key);
    return op;
}

static dt_store_status perform(fixture *f, dt_store_op const *op, dt_time now)
{
    dt_store_do(f->store, op, now, &f->scratch, &f->r);
    return f->r.status;
}

static dt_store_status put(fixture *f, dt_store_table t, char const *key, size_t len,
                           dt_time expires, dt_time now)
{
    static char value[DT_STORE_VALUE_MAX];
    dt_store_op op = op_of(t, DT_STORE_PUT, key, expires);

    memset(value, 'v', sizeof(value));
    op.value = dt_bytes_of(value, len);
    return perform(f, &op, now);
}

static dt_store_status count_up(fixture *f, dt_store_table t, char const *key, int64_t most,
                                bool stranger, dt_time expires)
{
    dt_store_op op = op_of(t, DT_STORE_COUNT, key, expires);

    op.most = most;
    op.stranger = stranger;
    return perform(f, &op, NOW);
}

static dt_store_status guess(fixture *f, char const *key)
{
    return count_up(f, DT_TABLE_PUSH_COUNT, key, 4, false, DT_TIME_NEVER);
}

static int64_t number(fixture const *f, char const *sql)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    int64_t n = 0;

    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

/* The number that the store keeps of each table's rows is what a count of them gives. */
static void assert_rows_add_up(fixture const *f)
{
    assert_int_equal(number(f, "SELECT count(*) FROM tables WHERE rows != "
                               "(SELECT count(*) FROM rows WHERE rows.tbl = tables.tbl)"),
                     0);
}

/* --- counters ----------------------------------------------------------------------------------- */

static void a_counter_goes_no_higher_than_it_may(void **state)
{
    fixture *f = *state;
    dt_store_op uncount = op_of(DT_TABLE_PUSH_COUNT, DT_STORE_UNCOUNT, "k", 0);

    for (int i = 1; i <= 4; i++) {
        assert_int_equal(guess(f, "k"), DT_STORE_OK);
        assert_int_equal(f->r.count, i);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(guess(f, "k"), DT_STORE_EXISTS);
        assert_int_equal(f->r.count, 4);
    }
    assert_int_equal(perform(f, &uncount, NOW), DT_STORE_OK);
    assert_int_equal(guess(f, "k"), DT_STORE_OK);
    assert_int_equal(f->r.count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(perform(f, &uncount, NOW), DT_STORE_OK);
    assert_int_equal(perform(f, &uncount, NOW), DT_STORE_NOT_FOUND);
    assert_int_equal(number(f, "SELECT count(*) FROM rows WHERE tbl = 5"), 0);
    assert_int_equal(guess(f, "k"), DT_STORE_OK);
    assert_int_equal(f->r.count, 1);
    assert_rows_add_up(f);
}

/* --- bounds ------------------------------------------------------------------------------------- */

/* Until it is full, and as much again: the file stays within its size, and limits are counted. */
static void a_full_file_still_counts(void **state)
{
    static dt_store_table const tables[] = {DT_TABLE_LOOKUP, DT_TABLE_STATE, DT_TABLE_REMEMBERED};
    fixture *f = *state;
    struct stat st;
    char key[32];

    assert_int_equal(guess(f, "ann"), DT_STORE_OK);
    for (size_t t = 0; t < 3; t++) {
        int refused = 0;

        for (int i = 0; i < 3000 && refused < 10; i++) {
            snprintf(key, sizeof(key), "%d", i);
            refused += put(f, tables[t], key, 8192, DT_TIME_NEVER, NOW) == DT_STORE_ERROR;
        }
        assert_int_equal(refused, 10);
        assert_non_null(strstr(f->r.error, "size_limit"));
    }
    for (int i = 2; i <= 4; i++) {
        assert_int_equal(guess(f, "ann"), DT_STORE_OK);
        assert_int_equal(f->r.count, i);
    }
    assert_int_equal(guess(f, "ann"), DT_STORE_EXISTS);
    for (int i = 0; i < 2 * SIZE_MIB * 64; i++) {
        snprintf(key, sizeof(key), "person%d", i);
        assert_int_equal(guess(f, key), DT_STORE_OK);
        assert_int_equal(put(f, DT_TABLE_PUSH, key, 1024, DT_TIME_NEVER, NOW), DT_STORE_OK);
    }
    /* The device that an administrator enrols. */
    assert_int_equal(put(f, DT_TABLE_DEVICE, "device", 512, DT_TIME_NEVER, NOW), DT_STORE_OK);
    assert_int_equal(stat(f->path, &st), 0);
    assert_true(st.st_size <= SIZE_BYTES);
    assert_rows_add_up(f);
}

/* Whoever tries names uses up what there is for strangers, and nothing else. */
static void strangers_have_their_own_share(void **state)
{
    fixture *f = *state;
    int64_t const in_memory = DT_SPARE_STRANGERS_MAX;
    char key[32];

    for (int i = 0; i < STRANGERS + in_memory; i++) {
        snprintf(key, sizeof(key), "nobody%d", i);
        assert_int_equal(count_up(f, DT_TABLE_PASSWORD_COUNT, key, 5, true, NOW + 1000),
                         DT_STORE_OK);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM rows WHERE tbl = 7"), STRANGERS);
    assert_int_equal(count_up(f, DT_TABLE_PASSWORD_COUNT, "one-more", 5, true, NOW + 1000),
                     DT_STORE_ERROR);
    assert_non_null(strstr(f->r.error, "size_limit"));
    /* Those that are counted stay counted, in the file and in memory. */
    for (int round = 2; round <= 5; round++) {
        assert_int_equal(count_up(f, DT_TABLE_PASSWORD_COUNT, "nobody0", 5, true, NOW + 1000),
                         DT_STORE_OK);
        assert_int_equal(f->r.count, round);
        assert_int_equal(count_up(f, DT_TABLE_PASSWORD_COUNT, key, 5, true, NOW + 1000),
                         DT_STORE_OK);
        assert_int_equal(f->r.count, round);
    }
    assert_int_equal(count_up(f, DT_TABLE_PASSWORD_COUNT, "nobody0", 5, true, 0), DT_STORE_EXISTS);
    assert_int_equal(count_up(f, DT_TABLE_PASSWORD_COUNT, key, 5, true, 0), DT_STORE_EXISTS);
    /* Of whom Okta has told. */
    assert_int_equal(count_up(f, DT_TABLE_PASSWORD_COUNT, "one-more", 5, false, NOW + 1000),
                     DT_STORE_OK);
    /* And once they have expired there is room again. */
    dt_store_op op = op_of(DT_TABLE_PASSWORD_COUNT, DT_STORE_COUNT, "late", NOW + 9000);
    op.stranger = true;
    assert_int_equal(perform(f, &op, NOW + 1000), DT_STORE_OK);
    assert_rows_add_up(f);
}

/* As fast as rows come, as fast as they go, without a tick. */
static void purging_keeps_up_with_the_writer(void **state)
{
    fixture *f = *state;
    char key[32];

    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "row%d", i);
        assert_int_equal(put(f, DT_TABLE_STATE, key, 100, NOW + i + 50, NOW + i), DT_STORE_OK);
    }
    assert_true(number(f, "SELECT count(*) FROM rows WHERE tbl = 6") <= 60);
    assert_rows_add_up(f);
    /* And ticks take what is left, all of it. */
    dt_store_tick(f->store, NOW + DT_HOURS(1));
    assert_int_equal(number(f, "SELECT count(*) FROM rows WHERE tbl = 6"), 0);
}

static void the_oldest_expired_go_first(void **state)
{
    fixture *f = *state;

    assert_int_equal(put(f, DT_TABLE_STATE, "c", 1, NOW + 3, NOW), DT_STORE_OK);
    assert_int_equal(put(f, DT_TABLE_STATE, "a", 1, NOW + 1, NOW), DT_STORE_OK);
    assert_int_equal(put(f, DT_TABLE_STATE, "b", 1, NOW + 2, NOW), DT_STORE_OK);
    assert_int_equal(put(f, DT_TABLE_STATE, "d", 1, NOW + 9, NOW + 5), DT_STORE_OK);
    assert_int_equal(number(f, "SELECT count(*) FROM rows WHERE tbl = 6 AND key IN ('c', 'd')"), 2);
    assert_int_equal(number(f, "SELECT count(*) FROM rows WHERE tbl = 6"), 2);
}

static dt_store_status keep(fixture *f, char const *key, dt_time expires)
{
    dt_store_op op = op_of(DT_TABLE_STATE, DT_STORE_PUT, key, expires);

    op.own_max = 3;
    op.value = dt_bytes_str("v");
    return perform(f, &op, NOW);
}

static void one_owner_has_so_many_rows(void **state)
{
    fixture *f = *state;
    char key[32];

    assert_int_equal(keep(f, "bob:1", NOW + 1), DT_STORE_OK);
    assert_int_equal(keep(f, "annabel:1", NOW + 1), DT_STORE_OK);
    for (int i = 1; i <= 20; i++) {
        snprintf(key, sizeof(key), "ann:%d", i);
        assert_int_equal(keep(f, key, NOW + 100 + i), DT_STORE_OK);
    }
    assert_int_equal(number(f, "SELECT count(*) FROM rows WHERE key LIKE 'ann:%'"), 3);
    assert_int_equal(
        number(f, "SELECT count(*) FROM rows WHERE key IN ('ann:18', 'ann:19', 'ann:20')"), 3);
    assert_int_equal(number(f, "SELECT count(*) FROM rows WHERE tbl = 6"), 5);
    assert_rows_add_up(f);
}

static void make_file(fixture const *f, char const *text)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(chmod(f->path, 0600), 0);
}

#define OLD_TABLES                                                                                 \
    "PRAGMA journal_mode = WAL;"                                                                   \
    "CREATE TABLE rows (tbl INTEGER NOT NULL, key TEXT NOT NULL, value BLOB, "                     \
    " count INTEGER NOT NULL, expires INTEGER NOT NULL, seq INTEGER NOT NULL, "                    \
    " PRIMARY KEY (tbl, key));"                                                                    \
    "CREATE INDEX rows_by_seq ON rows (seq) WHERE seq > 0;"                                        \
    "CREATE TABLE meta (seq INTEGER NOT NULL, purged INTEGER NOT NULL);"                           \
    "INSERT INTO meta VALUES (1, 0);"

/* A store of a version before: its rows stay, and are counted. */
static void a_store_of_version_1_is_taken_over(void **state)
{
    static char const version_1[] = OLD_TABLES
        "CREATE INDEX rows_by_expiry ON rows (expires);"
        "INSERT INTO rows VALUES (1, 'device', 'v', 0, 9223372036854775807, 1);"
        "INSERT INTO rows VALUES (5, 'passwords:ann@example.com', '', 5, 1800000000000, 0);"
        "INSERT INTO rows VALUES (5, 'pushes:00u1', '', 2, 1800000000000, 0);"
        "PRAGMA application_id = 0x44545253; PRAGMA user_version = 1;";
    fixture *f = *state;

    make_file(f, version_1);
    open_store(f);
    dt_store_op get = op_of(DT_TABLE_DEVICE, DT_STORE_GET, "device", 0);
    assert_int_equal(perform(f, &get, NOW), DT_STORE_OK);
    assert_int_equal(count_up(f, DT_TABLE_PASSWORD_COUNT, "passwords:ann@example.com", 5, true, 0),
                     DT_STORE_EXISTS);
    assert_int_equal(f->r.count, 5);
    assert_rows_add_up(f);
    dt_store_close(&f->store);
    open_store(f);
    assert_rows_add_up(f);
}

/* What had been deleted, and left a row without a value, stays deleted. */
static void a_store_of_version_2_is_taken_over(void **state)
{
    static char const version_2[] = OLD_TABLES
        "CREATE INDEX rows_by_age ON rows (tbl, expires);"
        "CREATE TABLE tables (tbl INTEGER PRIMARY KEY, rows INTEGER NOT NULL);"
        "INSERT INTO tables VALUES (1, 1), (2, 0), (3, 2), (4, 0), (5, 1), (6, 0), (7, 0);"
        "INSERT INTO rows VALUES (1, 'device', 'v', 0, 9223372036854775807, 1);"
        "INSERT INTO rows VALUES (3, 'mfa', 'v', 0, 9223372036854775807, 2);"
        "INSERT INTO rows VALUES (3, 'forgotten', NULL, 0, 1800000000000, 3);"
        "INSERT INTO rows VALUES (5, 'pushes:00u1', '', 2, 1800000000000, 0);"
        "INSERT INTO rows VALUES (0, 'clock', '', 1700000000000, 9223372036854775807, 0);"
        "PRAGMA application_id = 0x44545253; PRAGMA user_version = 2;";
    fixture *f = *state;

    make_file(f, version_2);
    open_store(f);
    dt_store_op get = op_of(DT_TABLE_DEVICE, DT_STORE_GET, "device", 0);
    assert_int_equal(perform(f, &get, NOW), DT_STORE_OK);
    get = op_of(DT_TABLE_REMEMBERED, DT_STORE_GET, "mfa", 0);
    assert_int_equal(perform(f, &get, NOW), DT_STORE_OK);
    get = op_of(DT_TABLE_REMEMBERED, DT_STORE_GET, "forgotten", 0);
    assert_int_equal(perform(f, &get, NOW), DT_STORE_NOT_FOUND);
    assert_int_equal(count_up(f, DT_TABLE_PUSH_COUNT, "pushes:00u1", 2, true, 0), DT_STORE_EXISTS);
    assert_rows_add_up(f);
    assert_int_equal(number(f, "SELECT count(*) FROM rows"), 4);
}

/* A file of version 3 made by a release that knew no sessions: their rows are counted, and so bounded, and that release
 * still opens it. */
static void a_store_without_sessions_gets_their_table(void **state)
{
    fixture *f = *state;

    open_store(f);
    dt_store_close(&f->store);
    make_file(f, "DELETE FROM tables WHERE tbl = 8;");
    open_store(f);
    assert_int_equal(number(f, "SELECT count(*) FROM tables"), 8);
    assert_int_equal(put(f, DT_TABLE_SESSION, "one", 100, NOW + 9, NOW), DT_STORE_OK);
    assert_int_equal(number(f, "SELECT rows FROM tables WHERE tbl = 8"), 1);
    assert_int_equal(number(f, "PRAGMA user_version"), 3);
}

/* --- a file that takes nothing ------------------------------------------------------------------- */

/* Another process holds the lock. What the file has counted counts, and what memory counts is in the file
 * once it lets go. */
static void a_locked_file(void **state)
{
    fixture *f = *state;
    sqlite3 *db = NULL;

    assert_int_equal(guess(f, "ann"), DT_STORE_OK);
    assert_int_equal(guess(f, "ann"), DT_STORE_OK);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(guess(f, "ann"), DT_STORE_OK);
    assert_int_equal(f->r.count, 3);
    assert_int_equal(guess(f, "ann"), DT_STORE_OK);
    assert_int_equal(guess(f, "ann"), DT_STORE_EXISTS);
    assert_int_equal(f->r.count, 4);
    assert_int_equal(guess(f, "bob"), DT_STORE_OK);
    dt_store_op claim = op_of(DT_TABLE_PUSH, DT_STORE_PUT_IF_ABSENT, "push:ann", NOW + 1000);
    claim.value = dt_bytes_str("mine");
    assert_int_equal(perform(f, &claim, NOW), DT_STORE_OK);
    assert_int_equal(perform(f, &claim, NOW), DT_STORE_EXISTS);
    assert_int_equal(f->r.value.len, 4);
    dt_store_tick(f->store, NOW);
    assert_int_equal(guess(f, "ann"), DT_STORE_EXISTS);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    /* The file takes rows again, and memory still counts. */
    assert_int_equal(guess(f, "ann"), DT_STORE_EXISTS);
    assert_int_equal(perform(f, &claim, NOW), DT_STORE_EXISTS);
    dt_store_tick(f->store, NOW);
    assert_int_equal(number(f, "SELECT count FROM rows WHERE key = 'ann'"), 4);
    assert_int_equal(number(f, "SELECT count FROM rows WHERE key = 'bob'"), 1);
    assert_int_equal(guess(f, "ann"), DT_STORE_EXISTS);
    /* Which a success, or an administrator, clears. */
    dt_store_op clear = op_of(DT_TABLE_PUSH_COUNT, DT_STORE_DELETE, "ann", 0);
    assert_int_equal(perform(f, &clear, NOW), DT_STORE_OK);
    assert_int_equal(guess(f, "ann"), DT_STORE_OK);
    assert_int_equal(f->r.count, 1);
}

static void cleared_in_memory_too(void **state)
{
    fixture *f = *state;
    sqlite3 *db = NULL;
    dt_store_op clear = op_of(DT_TABLE_PUSH_COUNT, DT_STORE_DELETE, "ann", 0);

    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(guess(f, "ann"), DT_STORE_OK);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    (void)perform(f, &clear, NOW);
    assert_int_equal(guess(f, "ann"), DT_STORE_OK);
    assert_int_equal(f->r.count, 1);
}

/* Not a byte more may be written, as on a full disk. */
static void a_full_disk(void **state)
{
    fixture *f = *state;
    pid_t pid;
    int status = 0;

    dt_store_close(&f->store);
    pid = fork();
    if (pid == 0) {
        struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};

        open_store(f);
        signal(SIGXFSZ, SIG_IGN);
        if (guess(f, "ann") != DT_STORE_OK || guess(f, "ann") != DT_STORE_OK ||
            setrlimit(RLIMIT_FSIZE, &none) != 0)
            _exit(1);
        if (guess(f, "ann") != DT_STORE_OK || f->r.count != 3 || guess(f, "ann") != DT_STORE_OK ||
            guess(f, "ann") != DT_STORE_EXISTS)
            _exit(2);
        /* What is no limit is not kept. */
        if (put(f, DT_TABLE_LOOKUP, "k", 100, DT_TIME_NEVER, NOW) != DT_STORE_ERROR)
            _exit(3);
        none.rlim_cur = RLIM_INFINITY;
        (void)setrlimit(RLIMIT_FSIZE, &none);
        if (guess(f, "ann") != DT_STORE_EXISTS)
            _exit(4);
        dt_store_tick(f->store, NOW);
        _exit(dt_spare_is_empty(f->spare) && guess(f, "ann") == DT_STORE_EXISTS ? 0 : 5);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(number(f, "SELECT count FROM rows WHERE key = 'ann'"), 4);
}

/* All of the file is overwritten while it is open: nothing can be read either. */
static void a_damaged_file(void **state)
{
    fixture *f = *state;
    char junk[4096], key[32];
    struct stat st;
    int fd;

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "%d", i);
        assert_int_equal(put(f, DT_TABLE_PUSH, key, 2000, DT_TIME_NEVER, NOW), DT_STORE_OK);
    }
    dt_store_close(&f->store); /* so that all of it is in the file */
    open_store(f);
    memset(junk, 0xa5, sizeof(junk));
    fd = open(f->path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t at = 4096; at < st.st_size; at += (off_t)sizeof(junk))
        assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
    close(fd);
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "damaged%d", i);
        for (int k = 0; k < 4; k++)
            assert_int_equal(guess(f, key), DT_STORE_OK);
        assert_int_equal(guess(f, key), DT_STORE_EXISTS);
        assert_int_equal(f->r.count, 4);
    }
}

/* Neither takes one more: the answer is an error, and what is guarded is refused. */
static void memory_is_bounded_and_forgets_nothing(void **state)
{
    fixture *f = *state;
    sqlite3 *db = NULL;
    char key[32];

    for (int i = 0; i < DT_SPARE_ROWS_MAX; i++) {
        dt_store_op op = op_of(DT_TABLE_PUSH_COUNT, DT_STORE_COUNT, "", NOW + 1000);

        snprintf(op.key, sizeof(op.key), "key%d", i);
        dt_spare_do(f->spare, &op, 0, NOW, &f->scratch, &f->r);
        assert_int_equal(f->r.status, DT_STORE_OK);
    }
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(guess(f, "one more"), DT_STORE_ERROR);
    assert_non_null(strstr(f->r.error, "another process"));
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    for (int i = 0; i < DT_SPARE_ROWS_MAX; i += 97) {
        int64_t count = 0;

        snprintf(key, sizeof(key), "key%d", i);
        assert_true(dt_spare_has(f->spare, DT_TABLE_PUSH_COUNT, key, NOW, &count));
        assert_int_equal(count, 1);
    }
    /* Expired ones make room. */
    dt_store_op late = op_of(DT_TABLE_PUSH_COUNT, DT_STORE_COUNT, "late", NOW + 9000);
    dt_spare_do(f->spare, &late, 0, NOW + 1000, &f->scratch, &f->r);
    assert_int_equal(f->r.status, DT_STORE_OK);
}

static void *guesser(void *ctx)
{
    fixture mine = *(fixture *)ctx;
    int64_t taken = 0;

    dt_buf_init(&mine.scratch, DT_STORE_VALUE_MAX);
    for (int i = 0; i < THREAD_GUESSES; i++)
        taken += guess(&mine, "ann") == DT_STORE_OK;
    dt_buf_free(&mine.scratch);
    return (void *)(intptr_t)taken;
}

static int64_t guess_at_once(fixture *f)
{
    pthread_t threads[THREADS];
    int64_t taken = 0;

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guesser, f), 0);
    for (int i = 0; i < THREADS; i++) {
        void *one = NULL;

        pthread_join(threads[i], &one);
        taken += (intptr_t)one;
    }
    return taken;
}

/* 400 at once are no more than four, in the file or in memory. */
static void threads_cannot_outrun_a_counter(void **state)
{
    fixture *f = *state;
    dt_store_op clear = op_of(DT_TABLE_PUSH_COUNT, DT_STORE_DELETE, "ann", 0);
    sqlite3 *db = NULL;

    assert_int_equal(guess_at_once(f), 4);
    assert_int_equal(perform(f, &clear, NOW), DT_STORE_OK);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(guess_at_once(f), 4);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    struct CMUnitTest const tests[] = {
        WITH(a_counter_goes_no_higher_than_it_may),
        WITH(a_full_file_still_counts),
        WITH(strangers_have_their_own_share),
        WITH(purging_keeps_up_with_the_writer),
        WITH(the_oldest_expired_go_first),
        WITH(one_owner_has_so_many_rows),
        cmocka_unit_test_setup_teardown(a_store_of_version_1_is_taken_over, setup_closed, teardown),
        cmocka_unit_test_setup_teardown(a_store_of_version_2_is_taken_over, setup_closed, teardown),
        cmocka_unit_test_setup_teardown(a_store_without_sessions_gets_their_table, setup_closed,
                                        teardown),
        WITH(a_locked_file),
        WITH(cleared_in_memory_too),
        WITH(a_full_disk),
        WITH(a_damaged_file),
        WITH(memory_is_bounded_and_forgets_nothing),
        WITH(threads_cannot_outrun_a_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
