/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store: every verb, expiry to the millisecond, several processes, kill -9 in the middle of
 * writes, and files that are not what they should be. */
#include "edge/store.h"
#include "edge/store_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOW DT_SECONDS(1700000000)
#define PATIENCE DT_SECONDS(60) /* for a condition that must come true */
#define KILLS 12
#define NOBODY 65534
#define RACERS 8
#define RACE_ROUNDS 40
#define THREADS 4
#define THREAD_STEPS 400

typedef struct fixture {
    char dir[64];
    char path[128];
    dt_store *store;
    dt_buf scratch;
    dt_store_result r;
} fixture;

static int64_t mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void open_store(fixture *f)
{
    dt_error e = {0};
    int rc = dt_store_open(f->path, DT_STORE_SIZE_DEFAULT, &f->store, &e);
    if (rc != 0)
        print_error("%s\n", e.text);
    assert_int_equal(rc, 0);
}

static int setup_directory(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/dt-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/state.db", f->dir);
    dt_buf_init(&f->scratch, DT_STORE_VALUE_MAX);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    setup_directory(state);
    open_store(*state);
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    dt_store_close(&f->store);
    dt_buf_free(&f->scratch);
    char command[160];
    snprintf(command, sizeof(command), "rm -rf '%s'", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

static dt_store_op op_of(dt_store_table t, dt_store_verb v, char const *key, char const *value,
                         dt_time expires)
{
    dt_store_op op;
    memset(&op, 0, sizeof(op));
    op.table = t;
    op.verb = v;
    snprintf(op.key, sizeof(op.key), "%s", key);
    op.value = dt_bytes_str(value);
    op.expires = expires;
    return op;
}

static dt_store_status ask(fixture *f, dt_store_table t, dt_store_verb v, char const *key,
                           char const *value, dt_time expires, dt_time now)
{
    dt_store_op op = op_of(t, v, key, value, expires);
    dt_store_do(f->store, &op, now, &f->scratch, &f->r);
    return f->r.status;
}

static void put(fixture *f, dt_store_table t, char const *key, char const *value, dt_time expires)
{
    assert_int_equal(ask(f, t, DT_STORE_PUT, key, value, expires, NOW), DT_STORE_OK);
}

static void assert_value(fixture const *f, char const *value)
{
    assert_int_equal(f->r.value.len, strlen(value));
    assert_memory_equal(f->r.value.p, value, strlen(value));
}

static void assert_is(fixture *f, dt_store_table t, char const *key, char const *value, dt_time now)
{
    assert_int_equal(ask(f, t, DT_STORE_GET, key, NULL, 0, now), DT_STORE_OK);
    assert_value(f, value);
}

static void assert_absent(fixture *f, dt_store_table t, char const *key, dt_time now)
{
    assert_int_equal(ask(f, t, DT_STORE_GET, key, NULL, 0, now), DT_STORE_NOT_FOUND);
    assert_int_equal(f->r.value.len, 0);
}

/* One table of answers and one of limits: every verb must do the same on both. */
static dt_store_table const both[] = {DT_TABLE_LOOKUP, DT_TABLE_PUSH};
#define EACH_TABLE(t) for (size_t i_##t = 0; i_##t < 2; i_##t++)

/* --- verbs ------------------------------------------------------------------------------------ */

static void test_put_get_delete(void **state)
{
    fixture *f = *state;
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        assert_absent(f, t, "k", NOW);
        put(f, t, "k", "one", DT_TIME_NEVER);
        assert_is(f, t, "k", "one", NOW);
        put(f, t, "k", "two", DT_TIME_NEVER);
        assert_is(f, t, "k", "two", NOW);
        put(f, t, "empty", "", DT_TIME_NEVER);
        assert_is(f, t, "empty", "", NOW);
        assert_absent(f, t, "K", NOW);
        assert_absent(f, t, "k ", NOW);
        assert_int_equal(ask(f, t, DT_STORE_DELETE, "k", NULL, 0, NOW), DT_STORE_OK);
        assert_absent(f, t, "k", NOW);
        assert_int_equal(ask(f, t, DT_STORE_DELETE, "k", NULL, 0, NOW), DT_STORE_NOT_FOUND);
        put(f, t, "k", "three", DT_TIME_NEVER);
        assert_is(f, t, "k", "three", NOW);
    }
}

static void test_tables_are_apart(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_LOOKUP, "k", "lookup", DT_TIME_NEVER);
    assert_absent(f, DT_TABLE_REMEMBERED, "k", NOW);
    assert_absent(f, DT_TABLE_STATE, "k", NOW);
    put(f, DT_TABLE_STATE, "k", "state", DT_TIME_NEVER);
    assert_is(f, DT_TABLE_LOOKUP, "k", "lookup", NOW);
    assert_is(f, DT_TABLE_STATE, "k", "state", NOW);
}

static void test_expiry_edges(void **state)
{
    fixture *f = *state;
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        put(f, t, "k", "v", NOW + 10);
        assert_is(f, t, "k", "v", NOW + 9);
        assert_absent(f, t, "k", NOW + 10);
        assert_absent(f, t, "k", NOW + 11);
        assert_is(f, t, "k", "v", NOW - DT_DAYS(1));
        put(f, t, "past", "v", NOW - 1);
        assert_absent(f, t, "past", NOW);
        put(f, t, "never", "v", DT_TIME_NEVER);
        assert_is(f, t, "never", "v", DT_TIME_NEVER - 1);
        assert_int_equal(ask(f, t, DT_STORE_TAKE, "k", NULL, 0, NOW + 10), DT_STORE_NOT_FOUND);
        assert_int_equal(ask(f, t, DT_STORE_DELETE, "k", NULL, 0, NOW + 10), DT_STORE_NOT_FOUND);
    }
}

static void test_put_if_absent(void **state)
{
    fixture *f = *state;
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        assert_int_equal(ask(f, t, DT_STORE_PUT_IF_ABSENT, "k", "mine", NOW + 10, NOW),
                         DT_STORE_OK);
        assert_int_equal(ask(f, t, DT_STORE_PUT_IF_ABSENT, "k", "yours", NOW + 20, NOW + 9),
                         DT_STORE_EXISTS);
        assert_value(f, "mine");
        assert_int_equal(ask(f, t, DT_STORE_PUT_IF_ABSENT, "k", "yours", NOW + 20, NOW + 10),
                         DT_STORE_OK);
        assert_is(f, t, "k", "yours", NOW + 10);
        /* Deleted is absent. */
        assert_int_equal(ask(f, t, DT_STORE_DELETE, "k", NULL, 0, NOW), DT_STORE_OK);
        assert_int_equal(ask(f, t, DT_STORE_PUT_IF_ABSENT, "k", "third", NOW + 20, NOW),
                         DT_STORE_OK);
        assert_is(f, t, "k", "third", NOW);
    }
}

static dt_store_status replace(fixture *f, dt_store_table t, char const *from, char const *to,
                               dt_time now)
{
    dt_store_op op = op_of(t, DT_STORE_REPLACE, "k", to, NOW + 100);
    op.expected = dt_bytes_str(from);
    dt_store_do(f->store, &op, now, &f->scratch, &f->r);
    return f->r.status;
}

static void test_replace(void **state)
{
    fixture *f = *state;
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        assert_int_equal(replace(f, t, "", "b", NOW), DT_STORE_NOT_FOUND);
        put(f, t, "k", "a", NOW + 10);
        assert_int_equal(replace(f, t, "x", "b", NOW), DT_STORE_EXISTS);
        assert_value(f, "a");
        assert_int_equal(replace(f, t, "", "b", NOW), DT_STORE_EXISTS);
        assert_int_equal(replace(f, t, "a ", "b", NOW), DT_STORE_EXISTS);
        assert_is(f, t, "k", "a", NOW);
        assert_int_equal(replace(f, t, "a", "b", NOW + 10), DT_STORE_NOT_FOUND);
        assert_int_equal(replace(f, t, "a", "b", NOW), DT_STORE_OK);
        assert_is(f, t, "k", "b", NOW + 99);
        assert_int_equal(replace(f, t, "a", "c", NOW), DT_STORE_EXISTS);
    }
}

static void test_take_is_single_use(void **state)
{
    fixture *f = *state;
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        assert_int_equal(ask(f, t, DT_STORE_TAKE, "k", NULL, 0, NOW), DT_STORE_NOT_FOUND);
        put(f, t, "k", "once", NOW + 10);
        assert_int_equal(ask(f, t, DT_STORE_TAKE, "k", NULL, 0, NOW), DT_STORE_OK);
        assert_value(f, "once");
        assert_int_equal(ask(f, t, DT_STORE_TAKE, "k", NULL, 0, NOW), DT_STORE_NOT_FOUND);
        assert_int_equal(f->r.value.len, 0);
        assert_absent(f, t, "k", NOW);
    }
}

static void test_count(void **state)
{
    fixture *f = *state;
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        for (int i = 1; i <= 3; i++) {
            /* The window stays that of the first: a later `expires` does not stretch it. */
            assert_int_equal(ask(f, t, DT_STORE_COUNT, "k", NULL, NOW + 10 * i, NOW), DT_STORE_OK);
            assert_int_equal(f->r.count, i);
        }
        assert_int_equal(ask(f, t, DT_STORE_GET, "k", NULL, 0, NOW + 9), DT_STORE_OK);
        assert_int_equal(f->r.count, 3);
        assert_absent(f, t, "k", NOW + 10);
        assert_int_equal(ask(f, t, DT_STORE_COUNT, "k", NULL, NOW + 50, NOW + 10), DT_STORE_OK);
        assert_int_equal(f->r.count, 1);
    }
}

static void test_large_values_and_keys(void **state)
{
    fixture *f = *state;
    char *value = malloc(DT_STORE_VALUE_MAX + 2);
    memset(value, 'v', DT_STORE_VALUE_MAX + 1);
    value[DT_STORE_VALUE_MAX + 1] = '\0';
    char key[DT_STORE_KEY_MAX];
    memset(key, 'k', sizeof(key));
    key[sizeof(key) - 1] = '\0';
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        assert_int_equal(ask(f, t, DT_STORE_PUT, key, value, DT_TIME_NEVER, NOW), DT_STORE_ERROR);
        assert_true(f->r.error[0] != '\0');
        assert_absent(f, t, key, NOW);
        value[DT_STORE_VALUE_MAX] = '\0';
        put(f, t, key, value, DT_TIME_NEVER);
        assert_is(f, t, key, value, NOW);
        value[DT_STORE_VALUE_MAX] = 'v';
        key[sizeof(key) - 2] = '\0'; /* a shorter one is another */
        assert_absent(f, t, key, NOW);
        key[sizeof(key) - 2] = 'k';
    }
    free(value);
}

static void test_bad_operations(void **state)
{
    fixture *f = *state;
    assert_int_equal(ask(f, DT_TABLE_NONE, DT_STORE_PUT, "k", "v", NOW + 1, NOW), DT_STORE_ERROR);
    assert_int_equal(ask(f, DT_TABLE_COUNT, DT_STORE_GET, "k", "v", NOW + 1, NOW), DT_STORE_ERROR);
    assert_int_equal(ask(f, (dt_store_table)-1, DT_STORE_GET, "k", "v", 0, NOW), DT_STORE_ERROR);
    assert_int_equal(ask(f, DT_TABLE_PUSH, DT_STORE_GET, "", NULL, 0, NOW), DT_STORE_ERROR);
    assert_int_equal(ask(f, DT_TABLE_PUSH, (dt_store_verb)99, "k", NULL, 0, NOW), DT_STORE_ERROR);
    dt_store_op op = op_of(DT_TABLE_PUSH, DT_STORE_GET, "k", NULL, 0);
    memset(op.key, 'x', sizeof(op.key)); /* no end */
    dt_store_do(f->store, &op, NOW, &f->scratch, &f->r);
    assert_int_equal(f->r.status, DT_STORE_ERROR);
}

static void test_small_scratch_is_an_error(void **state)
{
    fixture *f = *state;
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        put(f, t, "k", "0123456789", DT_TIME_NEVER);
        char storage[8];
        dt_buf small;
        dt_buf_init_fixed(&small, storage, sizeof(storage));
        dt_store_op op = op_of(t, DT_STORE_GET, "k", NULL, 0);
        dt_store_do(f->store, &op, NOW, &small, &f->r);
        assert_int_equal(f->r.status, DT_STORE_ERROR);
        assert_int_equal(f->r.value.len, 0);
        /* A row whose value could not be handed over is not taken either. */
        op.verb = DT_STORE_TAKE;
        dt_store_do(f->store, &op, NOW, &small, &f->r);
        assert_int_equal(f->r.status, DT_STORE_ERROR);
        assert_is(f, t, "k", "0123456789", NOW);
    }
}

static void test_survives_reopening(void **state)
{
    fixture *f = *state;
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        put(f, t, "k", "kept", DT_TIME_NEVER);
        put(f, t, "gone", "x", DT_TIME_NEVER);
        ask(f, t, DT_STORE_DELETE, "gone", NULL, 0, NOW);
        ask(f, t, DT_STORE_COUNT, "n", NULL, NOW + 10, NOW);
    }
    dt_store_close(&f->store);
    assert_null(f->store);
    open_store(f);
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        assert_is(f, t, "k", "kept", NOW);
        assert_absent(f, t, "gone", NOW);
        ask(f, t, DT_STORE_COUNT, "n", NULL, NOW + 10, NOW);
        assert_int_equal(f->r.count, 2);
    }
}

static void test_synced_take(void **state)
{
    fixture *f = *state;
    dt_store_op op = op_of(DT_TABLE_STATE, DT_STORE_PUT, "s", "state", NOW + 10);
    op.sync = true;
    dt_store_do(f->store, &op, NOW, &f->scratch, &f->r);
    assert_int_equal(f->r.status, DT_STORE_OK);
    op.verb = DT_STORE_TAKE;
    dt_store_do(f->store, &op, NOW, &f->scratch, &f->r);
    assert_int_equal(f->r.status, DT_STORE_OK);
    assert_value(f, "state");
    dt_store_do(f->store, &op, NOW, &f->scratch, &f->r);
    assert_int_equal(f->r.status, DT_STORE_NOT_FOUND);
}

/* --- walking ---------------------------------------------------------------------------------- */

typedef struct walk {
    fixture *f;
    int count, stop_at;
    char last[DT_STORE_KEY_MAX];
} walk;

static int on_row(void *ctx, char const *key, dt_bytes value, dt_time expires)
{
    walk *w = ctx;
    assert_true(strcmp(key, w->last) > 0);
    snprintf(w->last, sizeof(w->last), "%s", key);
    assert_int_equal(value.len, strlen(key));
    assert_memory_equal(value.p, key, value.len);
    assert_int_equal(expires, DT_TIME_NEVER);
    w->count++;
    /* The store may be used from within. */
    assert_int_equal(ask(w->f, DT_TABLE_DEVICE, DT_STORE_DELETE, key, NULL, 0, NOW), DT_STORE_OK);
    return w->count == w->stop_at ? DT_E_GONE : 0;
}

static void test_each(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%d", i);
        put(f, DT_TABLE_DEVICE, key, key, DT_TIME_NEVER);
        put(f, DT_TABLE_LOOKUP, key, "other table", DT_TIME_NEVER);
    }
    put(f, DT_TABLE_DEVICE, "old", "old", NOW);
    walk w = {.f = f, .stop_at = 70};
    assert_int_equal(dt_store_each(f->store, DT_TABLE_DEVICE, NOW, on_row, &w, NULL), DT_E_GONE);
    assert_int_equal(w.count, 70);
    w = (walk){.f = f};
    assert_int_equal(dt_store_each(f->store, DT_TABLE_DEVICE, NOW, on_row, &w, NULL), 0);
    assert_int_equal(w.count, 130);
    w = (walk){.f = f};
    assert_int_equal(dt_store_each(f->store, DT_TABLE_DEVICE, NOW, on_row, &w, NULL), 0);
    assert_int_equal(w.count, 0);
}

/* --- several processes ------------------------------------------------------------------------ */

/* Runs fn in a child with a store of its own; its result is the child's exit status. */
static pid_t spawn(fixture *f, int (*fn)(fixture *child, void *arg), void *arg)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    fixture child = {.store = NULL};
    memcpy(child.path, f->path, sizeof(child.path));
    dt_buf_init(&child.scratch, DT_STORE_VALUE_MAX);
    int rc = dt_store_open(child.path, DT_STORE_SIZE_DEFAULT, &child.store, NULL) != 0
                 ? 99
                 : fn(&child, arg);
    dt_store_close(&child.store);
    _exit(rc);
}

static void assert_exits(pid_t pid, int status)
{
    int how = 0;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), status);
}

static int child_put(fixture *f, void *arg)
{
    dt_store_status s = DT_STORE_OK;
    for (char const *const *pair = arg; pair[0] != NULL && s == DT_STORE_OK; pair += 2)
        s = pair[1] != NULL
                ? ask(f, DT_TABLE_LOOKUP, DT_STORE_PUT, pair[0], pair[1], DT_TIME_NEVER, NOW)
                : ask(f, DT_TABLE_LOOKUP, DT_STORE_DELETE, pair[0], NULL, 0, NOW);
    return s == DT_STORE_OK ? 0 : 1;
}

static void test_sees_other_processes_changes(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_LOOKUP, "changed", "before", DT_TIME_NEVER);
    put(f, DT_TABLE_LOOKUP, "deleted", "before", DT_TIME_NEVER);
    put(f, DT_TABLE_LOOKUP, "kept", "before", DT_TIME_NEVER);
    assert_absent(f, DT_TABLE_LOOKUP, "new", NOW);
    char const *changes[] = {"changed", "after", "new", "after", "deleted", NULL, NULL};
    assert_exits(spawn(f, child_put, changes), 0);
    dt_store_tick(f->store, NOW);
    assert_is(f, DT_TABLE_LOOKUP, "changed", "after", NOW);
    assert_is(f, DT_TABLE_LOOKUP, "new", "after", NOW);
    assert_absent(f, DT_TABLE_LOOKUP, "deleted", NOW);
    assert_is(f, DT_TABLE_LOOKUP, "kept", "before", NOW);
    /* Ours again, over theirs. */
    put(f, DT_TABLE_LOOKUP, "changed", "ours", DT_TIME_NEVER);
    char const *more[] = {"new", "again", NULL};
    assert_exits(spawn(f, child_put, more), 0);
    dt_store_tick(f->store, NOW);
    assert_is(f, DT_TABLE_LOOKUP, "changed", "ours", NOW);
    assert_is(f, DT_TABLE_LOOKUP, "new", "again", NOW);
}

/* Ours is written before theirs was seen: theirs must not be skipped for it. */
static void test_own_change_behind_an_unseen_one(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_LOOKUP, "changed", "before", DT_TIME_NEVER);
    assert_is(f, DT_TABLE_LOOKUP, "changed", "before", NOW);
    char const *changes[] = {"changed", "after", NULL};
    assert_exits(spawn(f, child_put, changes), 0);
    put(f, DT_TABLE_LOOKUP, "ours", "x", DT_TIME_NEVER);
    assert_is(f, DT_TABLE_LOOKUP, "ours", "x", NOW);
    dt_store_tick(f->store, NOW);
    assert_is(f, DT_TABLE_LOOKUP, "changed", "after", NOW);
    assert_is(f, DT_TABLE_LOOKUP, "ours", "x", NOW);
}

/* A registry entry that was just added, or taken away, must count although nobody ticks. */
static void test_sees_changes_without_a_tick(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_LOOKUP, "deleted", "x", DT_TIME_NEVER);
    assert_absent(f, DT_TABLE_LOOKUP, "new", NOW);
    char const *changes[] = {"new", "after", "deleted", NULL, NULL};
    assert_exits(spawn(f, child_put, changes), 0);
    int64_t start = mono();
    while (ask(f, DT_TABLE_LOOKUP, DT_STORE_GET, "new", NULL, 0, NOW) != DT_STORE_OK)
        assert_true(mono() - start < PATIENCE);
    while (ask(f, DT_TABLE_LOOKUP, DT_STORE_GET, "deleted", NULL, 0, NOW) != DT_STORE_NOT_FOUND)
        assert_true(mono() - start < PATIENCE);
}

static void sql(fixture const *f, char const *text)
{
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    int rc = sqlite3_exec(db, text, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        print_error("%s\n", sqlite3_errmsg(db));
    assert_int_equal(rc, SQLITE_OK);
    sqlite3_close(db);
}

/* Whoever deletes a row, memory does not keep it. */
static void test_sees_what_anybody_deletes(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_REMEMBERED, "k", "v", DT_TIME_NEVER);
    put(f, DT_TABLE_REMEMBERED, "other", "v", DT_TIME_NEVER);
    assert_is(f, DT_TABLE_REMEMBERED, "k", "v", NOW);
    sql(f, "DELETE FROM rows WHERE key = 'k'");
    dt_store_tick(f->store, NOW);
    assert_absent(f, DT_TABLE_REMEMBERED, "k", NOW);
    assert_is(f, DT_TABLE_REMEMBERED, "other", "v", NOW);
}

static int child_take(fixture *f, void *arg)
{
    (void)arg;
    int taken = 0;
    for (int i = 0; i < RACE_ROUNDS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "race%d", i);
        dt_store_status s;
        int64_t start = mono();
        do {
            s = ask(f, DT_TABLE_STATE, DT_STORE_TAKE, key, NULL, 0, NOW);
        } while (s == DT_STORE_ERROR && mono() - start < PATIENCE); /* busy: all want the lock */
        if (s == DT_STORE_ERROR)
            return 98;
        taken += s == DT_STORE_OK;
    }
    return taken;
}

static void test_racing_takes(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < RACE_ROUNDS; i++) {
        char key[16];
        snprintf(key, sizeof(key), "race%d", i);
        put(f, DT_TABLE_STATE, key, "once", NOW + 10);
    }
    pid_t racers[RACERS];
    for (int i = 0; i < RACERS; i++)
        racers[i] = spawn(f, child_take, NULL);
    int taken = 0;
    for (int i = 0; i < RACERS; i++) {
        int how = 0;
        assert_int_equal(waitpid(racers[i], &how, 0), racers[i]);
        assert_true(WIFEXITED(how) && WEXITSTATUS(how) <= RACE_ROUNDS);
        taken += WEXITSTATUS(how);
    }
    assert_int_equal(taken, RACE_ROUNDS);
}

static int child_count(fixture *f, void *arg)
{
    (void)arg;
    for (int i = 0; i < RACE_ROUNDS; i++) {
        int64_t start = mono();
        while (ask(f, DT_TABLE_PUSH_COUNT, DT_STORE_COUNT, "u", NULL, NOW + 10, NOW) != DT_STORE_OK)
            if (mono() - start > PATIENCE)
                return 98;
    }
    return 0;
}

static void test_racing_counts(void **state)
{
    fixture *f = *state;
    pid_t racers[RACERS];
    for (int i = 0; i < RACERS; i++)
        racers[i] = spawn(f, child_count, NULL);
    for (int i = 0; i < RACERS; i++)
        assert_exits(racers[i], 0);
    ask(f, DT_TABLE_PUSH_COUNT, DT_STORE_COUNT, "u", NULL, NOW + 10, NOW);
    assert_int_equal(f->r.count, RACERS * RACE_ROUNDS + 1);
}

static void test_creation_race(void **state)
{
    fixture *f = *state;
    pid_t racers[RACERS];
    for (int i = 0; i < RACERS; i++)
        racers[i] = spawn(f, child_count, NULL); /* each creates or finds the file */
    for (int i = 0; i < RACERS; i++)
        assert_exits(racers[i], 0);
    open_store(f);
    ask(f, DT_TABLE_PUSH_COUNT, DT_STORE_COUNT, "u", NULL, NOW + 10, NOW);
    assert_int_equal(f->r.count, RACERS * RACE_ROUNDS + 1);
}

static void test_refused_in_a_forked_child(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_LOOKUP, "k", "v", DT_TIME_NEVER);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int ok = ask(f, DT_TABLE_LOOKUP, DT_STORE_GET, "k", NULL, 0, NOW) == DT_STORE_ERROR &&
                 ask(f, DT_TABLE_PUSH, DT_STORE_PUT, "k", "v", NOW + 1, NOW) == DT_STORE_ERROR &&
                 dt_store_each(f->store, DT_TABLE_LOOKUP, NOW, on_row, NULL, NULL) == DT_E_STATE;
        dt_store_tick(f->store, NOW);
        dt_store_close(&f->store);
        _exit(ok ? 0 : 1);
    }
    assert_exits(pid, 0);
    assert_is(f, DT_TABLE_LOOKUP, "k", "v", NOW);
    put(f, DT_TABLE_PUSH, "after", "v", DT_TIME_NEVER);
}

/* Writes until it is killed, and says through a pipe what it was told is on disk. */
static int child_write(fixture *f, void *arg)
{
    int fd = *(int *)arg;
    for (unsigned i = 0;; i++) {
        char value[64];
        snprintf(value, sizeof(value), "%u %u", i, i * 2654435761u);
        dt_store_op op = op_of(DT_TABLE_STATE, DT_STORE_PUT, "synced", value, DT_TIME_NEVER);
        op.sync = true;
        dt_store_do(f->store, &op, NOW, &f->scratch, &f->r);
        if (f->r.status != DT_STORE_OK || ask(f, DT_TABLE_REMEMBERED, DT_STORE_PUT, "hot", value,
                                              DT_TIME_NEVER, NOW) != DT_STORE_OK)
            return 1;
        if (write(fd, &i, sizeof(i)) != sizeof(i))
            return 2;
    }
}

static unsigned assert_intact(fixture *f, dt_store_table t, char const *key)
{
    unsigned i = 0, check = 0;
    assert_int_equal(ask(f, t, DT_STORE_GET, key, NULL, 0, NOW), DT_STORE_OK);
    char text[64];
    assert_true(f->r.value.len < sizeof(text));
    memcpy(text, f->r.value.p, f->r.value.len);
    text[f->r.value.len] = '\0';
    assert_int_equal(sscanf(text, "%u %u", &i, &check), 2);
    assert_int_equal(check, i * 2654435761u);
    return i;
}

static void test_kill_nine(void **state)
{
    fixture *f = *state;
    for (int round = 0; round < KILLS; round++) {
        int pipes[2];
        unsigned told = 0, last = 0, reports = 0;
        assert_int_equal(pipe(pipes), 0);
        pid_t pid = spawn(f, child_write, &pipes[1]);
        close(pipes[1]);
        while (reports < 3 + 7 * (unsigned)round && read(pipes[0], &told, sizeof(told)) > 0) {
            last = told;
            reports++;
        }
        kill(pid, SIGKILL);
        while (read(pipes[0], &told, sizeof(told)) == sizeof(told))
            last = told;
        close(pipes[0]);
        int how = 0;
        assert_int_equal(waitpid(pid, &how, 0), pid);
        assert_true(WIFSIGNALED(how));
        open_store(f);
        assert_true(assert_intact(f, DT_TABLE_STATE, "synced") >= last);
        assert_true(assert_intact(f, DT_TABLE_REMEMBERED, "hot") >= last);
        put(f, DT_TABLE_PUSH, "still", "writable", DT_TIME_NEVER);
        dt_store_close(&f->store);
    }
}

#define ROW_KILLS 40

typedef struct rows_to_write {
    int fd;
    unsigned from;
} rows_to_write;

/* Row after row, each under a key of its own; says of each that it was told to be kept. */
static int child_write_rows(fixture *f, void *arg)
{
    rows_to_write const *w = arg;

    for (unsigned i = w->from;; i++) {
        char key[32], value[64];
        snprintf(key, sizeof(key), "row-%u", i);
        snprintf(value, sizeof(value), "%u %u", i, i * 2654435761u);
        if (ask(f, DT_TABLE_REMEMBERED, DT_STORE_PUT, key, value, DT_TIME_NEVER, NOW) !=
            DT_STORE_OK)
            return 1;
        if (write(w->fd, &i, sizeof(i)) != sizeof(i))
            return 2;
    }
}

static dt_store_status row_status(fixture *f, unsigned i)
{
    char key[32];

    snprintf(key, sizeof(key), "row-%u", i);
    return ask(f, DT_TABLE_REMEMBERED, DT_STORE_GET, key, NULL, 0, NOW);
}

/* Killed again and again in the middle of writing: each row that was told to be kept is there, whole, and
 * at most the one that was under way is there or not. The next one goes on from there. */
static void test_kill_nine_loses_one_row_at_most(void **state)
{
    fixture *f = *state;
    unsigned next = 0, lost = 0;

    srand(20261124);
    for (int round = 0; round < ROW_KILLS; round++) {
        unsigned told = 0, wanted = 1 + (unsigned)rand() % 60;
        rows_to_write w = {.from = next};
        int pipes[2], how = 0;

        assert_int_equal(pipe(pipes), 0);
        w.fd = pipes[1];
        pid_t pid = spawn(f, child_write_rows, &w);
        close(pipes[1]);
        for (unsigned i = 0; i < wanted; i++)
            assert_int_equal(read(pipes[0], &told, sizeof(told)), sizeof(told));
        kill(pid, SIGKILL);
        while (read(pipes[0], &told, sizeof(told)) == sizeof(told))
            continue;
        close(pipes[0]);
        assert_int_equal(waitpid(pid, &how, 0), pid);
        assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        open_store(f);
        for (unsigned i = 0; i <= told; i++) {
            char key[32];
            snprintf(key, sizeof(key), "row-%u", i);
            assert_int_equal(assert_intact(f, DT_TABLE_REMEMBERED, key), i);
        }
        next = told + 1;
        if (row_status(f, next) == DT_STORE_OK)
            next++;
        else
            lost++;
        assert_int_equal(row_status(f, next), DT_STORE_NOT_FOUND);
        dt_store_close(&f->store);
    }
    assert_true(next > ROW_KILLS && lost <= ROW_KILLS);
}

/* --- a clock that is set back ----------------------------------------------------------------- */

static dt_store_status remembered_at(fixture *f, dt_time now)
{
    return ask(f, DT_TABLE_REMEMBERED, DT_STORE_GET, "mfa", NULL, 0, now);
}

static void test_clock_set_back(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_REMEMBERED, "mfa", "v", DT_TIME_NEVER);
    put(f, DT_TABLE_LOOKUP, "answer", "v", DT_TIME_NEVER);
    dt_store_tick(f->store, NOW);
    assert_int_equal(remembered_at(f, NOW - DT_MINUTES(2)), DT_STORE_OK); /* clocks do that */
    dt_store_tick(f->store, NOW + DT_HOURS(23)); /* nobody signs on all day */
    assert_int_equal(remembered_at(f, NOW + DT_HOURS(13)), DT_STORE_NOT_FOUND);
    assert_int_equal(remembered_at(f, NOW + DT_HOURS(23)), DT_STORE_NOT_FOUND); /* for good */
    assert_is(f, DT_TABLE_LOOKUP, "answer", "v", NOW + DT_HOURS(13));
    /* From here on the new time is the time. */
    assert_int_equal(
        ask(f, DT_TABLE_REMEMBERED, DT_STORE_PUT, "mfa", "v", DT_TIME_NEVER, NOW + DT_HOURS(13)),
        DT_STORE_OK);
    assert_int_equal(remembered_at(f, NOW + DT_HOURS(14)), DT_STORE_OK);
}

static void test_clock_set_back_while_nobody_ran(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_REMEMBERED, "mfa", "v", DT_TIME_NEVER);
    dt_store_tick(f->store, NOW + DT_HOURS(1));
    dt_store_close(&f->store);
    open_store(f);
    assert_int_equal(remembered_at(f, NOW + DT_HOURS(1)), DT_STORE_OK);
    dt_store_close(&f->store);
    open_store(f);
    assert_int_equal(remembered_at(f, NOW), DT_STORE_NOT_FOUND);
    dt_store_close(&f->store);
    open_store(f);
    assert_int_equal(remembered_at(f, NOW + DT_HOURS(1)), DT_STORE_NOT_FOUND);
}

/* In small steps it comes to the same. */
static void test_clock_set_back_by_and_by(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_REMEMBERED, "mfa", "v", DT_TIME_NEVER);
    dt_store_tick(f->store, NOW);
    assert_int_equal(remembered_at(f, NOW - DT_MINUTES(1)), DT_STORE_OK);
    assert_int_equal(remembered_at(f, NOW - DT_MINUTES(2)), DT_STORE_OK);
    assert_int_equal(remembered_at(f, NOW - DT_MINUTES(2) - 1), DT_STORE_NOT_FOUND);
}

static void test_clock_set_back_is_seen_by_all(void **state)
{
    fixture *f = *state;
    dt_store *first = f->store;
    put(f, DT_TABLE_REMEMBERED, "mfa", "v", DT_TIME_NEVER);
    dt_store_tick(first, NOW);
    assert_int_equal(remembered_at(f, NOW), DT_STORE_OK);
    open_store(f); /* another process */
    dt_store *second = f->store;
    assert_int_equal(remembered_at(f, NOW - DT_HOURS(1)), DT_STORE_NOT_FOUND);
    f->store = first;
    dt_store_tick(first, NOW);
    assert_int_equal(remembered_at(f, NOW), DT_STORE_NOT_FOUND);
    f->store = second;
    dt_store_close(&f->store);
    f->store = first;
}

/* --- another process holds the lock ----------------------------------------------------------- */

static void test_busy(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_LOOKUP, "hot", "v", DT_TIME_NEVER);
    put(f, DT_TABLE_PUSH, "cold", "v", DT_TIME_NEVER);
    assert_is(f, DT_TABLE_LOOKUP, "hot", "v", NOW);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    int64_t start = mono();
    assert_int_equal(ask(f, DT_TABLE_PUSH, DT_STORE_PUT, "k", "v", NOW + 1, NOW), DT_STORE_ERROR);
    assert_true(mono() - start >= DT_STORE_BUSY_MS / 2);
    assert_non_null(strstr(f->r.error, "another process"));
    assert_int_equal(ask(f, DT_TABLE_PUSH, DT_STORE_TAKE, "cold", NULL, 0, NOW), DT_STORE_ERROR);
    assert_int_equal(f->r.value.len, 0);
    /* Reading goes on, and a tick does not wait. */
    assert_is(f, DT_TABLE_LOOKUP, "hot", "v", NOW);
    assert_is(f, DT_TABLE_PUSH, "cold", "v", NOW);
    dt_store_tick(f->store, NOW);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(ask(f, DT_TABLE_PUSH, DT_STORE_TAKE, "cold", NULL, 0, NOW), DT_STORE_OK);
}

/* Holds the lock from when it says so until it is told to let go. */
static int child_hold(fixture *f, void *arg)
{
    int const *ends = arg; /* of a socket pair; the second is ours */
    char word = 'h';
    sqlite3 *db = NULL;
    close(ends[0]); /* so that it ends with the test */
    if (sqlite3_open(f->path, &db) != SQLITE_OK ||
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        write(ends[1], &word, 1) != 1 || read(ends[1], &word, 1) != 1)
        return 1;
    sqlite3_close(db);
    return 0;
}

/* Starts it, once nobody else holds the file in this process: locks are a process's, and a child's SQLite
 * would believe that it has those of before the fork. */
static pid_t hold(fixture *f, int ends[2])
{
    char word = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t holder = spawn(f, child_hold, ends);
    assert_int_equal(read(ends[0], &word, 1), 1);
    return holder;
}

static void let_go(pid_t holder, int const ends[2])
{
    assert_int_equal(write(ends[0], "e", 1), 1);
    assert_exits(holder, 0);
    close(ends[0]);
    close(ends[1]);
}

/* Who opens waits longer than who is in the middle of a sign-on: many logins may start at once, each
 * with a daemon of its own. */
static void test_opening_waits_for_others(void **state)
{
    static char const *const pair[] = {"opened", "v", NULL};
    fixture *f = *state;
    int ends[2];
    pid_t holder = hold(f, ends);
    pid_t opener = spawn(f, child_put, (void *)pair);
    int64_t start = mono();
    while (mono() - start < 3 * DT_STORE_BUSY_MS)
        assert_int_equal(waitpid(opener, NULL, WNOHANG), 0);
    let_go(holder, ends);
    assert_exits(opener, 0);
    open_store(f);
    assert_is(f, DT_TABLE_LOOKUP, "opened", "v", NOW);
}

static void test_opening_does_not_wait_for_ever(void **state)
{
    fixture *f = *state;
    int ends[2];
    pid_t holder = hold(f, ends);
    dt_error e = {0};
    assert_int_equal(dt_store_open(f->path, DT_STORE_SIZE_DEFAULT, &f->store, &e),
                     DT_E_UNAVAILABLE);
    assert_null(f->store);
    assert_non_null(strstr(e.text, f->path));
    let_go(holder, ends);
    open_store(f);
}

/* --- purge ------------------------------------------------------------------------------------ */

static int rows_on_disk(fixture const *f)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM rows", -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int rows = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return rows;
}

static void test_purge(void **state)
{
    fixture *f = *state;
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        put(f, t, "old", "v", NOW + 10);
        put(f, t, "new", "v", NOW + DT_DAYS(1));
        put(f, t, "deleted", "v", DT_TIME_NEVER);
        ask(f, t, DT_STORE_DELETE, "deleted", NULL, 0, NOW);
    }
    assert_int_equal(rows_on_disk(f), 4);
    dt_store_tick(f->store, NOW + DT_HOURS(2));
    assert_int_equal(rows_on_disk(f), 3); /* and the highest time seen */
    EACH_TABLE(t)
    {
        dt_store_table t = both[i_t];
        assert_is(f, t, "new", "v", NOW + DT_HOURS(2));
        assert_absent(f, t, "deleted", NOW);
        assert_absent(f, t, "old", NOW);
    }
}

/* --- files that are not as they should be ------------------------------------------------------- */

static void assert_refused(fixture *f, int code, char const *says)
{
    dt_error e = {0};
    int rc = dt_store_open(f->path, DT_STORE_SIZE_DEFAULT, &f->store, &e);
    assert_null(f->store);
    if (rc != code || strstr(e.text, says) == NULL)
        print_error("%s: %s\n", dt_err_name(rc), e.text);
    assert_int_equal(rc, code);
    assert_non_null(strstr(e.text, says));
}

static void write_file(char const *path, void const *p, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void make_and_close(fixture *f)
{
    open_store(f);
    put(f, DT_TABLE_LOOKUP, "k", "v", DT_TIME_NEVER);
    dt_store_close(&f->store);
}

static void test_created_private(void **state)
{
    fixture *f = *state;
    struct stat st;
    mode_t before = umask(0);
    open_store(f);
    put(f, DT_TABLE_LOOKUP, "k", "v", DT_TIME_NEVER);
    umask(before);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    char beside[160];
    snprintf(beside, sizeof(beside), "%s-wal", f->path);
    assert_int_equal(stat(beside, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    snprintf(beside, sizeof(beside), "%s-shm", f->path);
    assert_int_equal(stat(beside, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_file_rights(void **state)
{
    fixture *f = *state;
    make_and_close(f);
    static mode_t const bad[] = {0666, 0620, 0602, 0640, 0604, 0660};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(chmod(f->path, bad[i]), 0);
        assert_refused(f, DT_E_PERMISSION, "chmod 600");
    }
    assert_int_equal(chmod(f->path, 0600), 0);
    make_and_close(f);
}

static void test_directory_rights(void **state)
{
    fixture *f = *state;
    static mode_t const bad[] = {0777, 0770, 01777, 0722};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(chmod(f->dir, bad[i]), 0);
        assert_refused(f, DT_E_PERMISSION, "chmod go-w");
    }
    assert_int_equal(chmod(f->dir, 0755), 0);
    make_and_close(f);
}

static void test_directory_above_rights(void **state)
{
    fixture *f = *state;
    char below[100];
    snprintf(below, sizeof(below), "%s/below", f->dir);
    assert_int_equal(mkdir(below, 0700), 0);
    assert_int_equal(chmod(f->dir, 0777), 0);
    snprintf(f->path, sizeof(f->path), "%s/state.db", below);
    assert_refused(f, DT_E_PERMISSION, "written by others");
    assert_int_equal(chmod(f->dir, 01777), 0);
    make_and_close(f);
}

static void test_other_owner(void **state)
{
    fixture *f = *state;
    if (geteuid() != 0)
        skip();
    make_and_close(f);
    assert_int_equal(chown(f->path, 12345, 12345), 0);
    assert_refused(f, DT_E_PERMISSION, "belongs to another");
    /* Root may use a service's store, and what root makes there belongs to the service. */
    assert_int_equal(chown(f->dir, 12345, 12345), 0);
    make_and_close(f);
    assert_int_equal(unlink(f->path), 0);
    make_and_close(f);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_uid, 12345);
}

static void test_not_a_file(void **state)
{
    fixture *f = *state;
    char target[128];
    snprintf(target, sizeof(target), "%s/target", f->dir);
    write_file(target, "", 0, 0600);
    assert_int_equal(symlink(target, f->path), 0);
    assert_refused(f, DT_E_PERMISSION, f->path);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(symlink("/nowhere/at/all", f->path), 0);
    dt_error e = {0};
    assert_int_not_equal(dt_store_open(f->path, DT_STORE_SIZE_DEFAULT, &f->store, &e), 0);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkfifo(f->path, 0600), 0);
    assert_refused(f, DT_E_PERMISSION, "not a regular file");
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_refused(f, DT_E_PERMISSION, "not a regular file");
}

static void test_bad_paths(void **state)
{
    fixture *f = *state;
    dt_error e;
    static char const *const bad[] = {"state.db", "", "/tmp/", "/"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(dt_store_open(bad[i], DT_STORE_SIZE_DEFAULT, &f->store, &e), DT_E_INVALID);
    assert_int_equal(
        dt_store_open("/no/such/directory/state.db", DT_STORE_SIZE_DEFAULT, &f->store, &e),
        DT_E_NOT_FOUND);
    char long_path[3000];
    memset(long_path, 'a', sizeof(long_path));
    long_path[0] = '/';
    long_path[sizeof(long_path) - 1] = '\0';
    assert_int_not_equal(dt_store_open(long_path, DT_STORE_SIZE_DEFAULT, &f->store, &e), 0);
    long_path[2000] = '/';
    assert_int_equal(dt_store_open(long_path, DT_STORE_SIZE_DEFAULT, &f->store, &e), DT_E_LIMIT);
    assert_null(f->store);
}

static void test_foreign_files(void **state)
{
    fixture *f = *state;
    write_file(f->path, "this is no database, however long it may go on and on and on", 60, 0600);
    assert_refused(f, DT_E_PARSE, "not a store");
    unlink(f->path);
    sql(f, "CREATE TABLE theirs (x)");
    chmod(f->path, 0600);
    assert_refused(f, DT_E_PARSE, "not a devtrust store");
    unlink(f->path);
    sql(f, "PRAGMA application_id = 77");
    chmod(f->path, 0600);
    assert_refused(f, DT_E_PARSE, "not a devtrust store");
    unlink(f->path);
    make_and_close(f);
    sql(f, "PRAGMA user_version = 4");
    assert_refused(f, DT_E_PARSE, "version 4");
    sql(f, "PRAGMA user_version = 0");
    assert_refused(f, DT_E_PARSE, "version 0");
    sql(f, "PRAGMA user_version = 3; DROP TABLE tables");
    assert_refused(f, DT_E_PARSE, "not those of this program");
}

static void test_truncated_file(void **state)
{
    fixture *f = *state;
    make_and_close(f);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    for (off_t size = st.st_size - 1; size > 0; size = size * 2 / 3) {
        assert_int_equal(truncate(f->path, size), 0);
        dt_error e = {0};
        if (dt_store_open(f->path, DT_STORE_SIZE_DEFAULT, &f->store, &e) == 0) {
            /* Whatever it says about rows that are cut off, it says it without falling over. */
            ask(f, DT_TABLE_LOOKUP, DT_STORE_GET, "k", NULL, 0, NOW);
            ask(f, DT_TABLE_PUSH, DT_STORE_PUT, "k", "v", NOW + 1, NOW);
        } else {
            assert_true(e.text[0] != '\0');
        }
        dt_store_close(&f->store);
    }
}

static void test_damaged_while_open(void **state)
{
    fixture *f = *state;
    char value[2000];
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    make_and_close(f);
    open_store(f);
    for (int i = 0; i < 500; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        put(f, DT_TABLE_PUSH, key, value, DT_TIME_NEVER);
    }
    dt_store_close(&f->store);
    open_store(f);
    int fd = open(f->path, O_RDWR);
    char junk[4096];
    memset(junk, 0xa5, sizeof(junk));
    for (off_t at = 4096; at < 900 * 1024; at += 8192)
        assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
    close(fd);
    int errors = 0;
    for (int i = 0; i < 500; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d", i);
        if (ask(f, DT_TABLE_PUSH, DT_STORE_TAKE, key, NULL, 0, NOW) == DT_STORE_OK)
            assert_value(f, value);
        else if (f->r.status == DT_STORE_ERROR && f->r.error[0] != '\0')
            errors++;
        if (ask(f, DT_TABLE_LOOKUP, DT_STORE_GET, "k", NULL, 0, NOW) == DT_STORE_ERROR)
            errors++;
    }
    assert_true(errors > 0);
    dt_store_tick(f->store, NOW);
}

/* The disk is full from one write to the next. */
static int child_full_disk(fixture *f, void *arg)
{
    (void)arg;
    struct stat st;
    if (ask(f, DT_TABLE_PUSH, DT_STORE_PUT, "k", "v", DT_TIME_NEVER, NOW) != DT_STORE_OK ||
        ask(f, DT_TABLE_LOOKUP, DT_STORE_PUT, "k", "before", DT_TIME_NEVER, NOW) != DT_STORE_OK ||
        stat(f->path, &st) != 0)
        return 1;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 16384, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 2;
    char value[8192];
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    if (ask(f, DT_TABLE_LOOKUP, DT_STORE_PUT, "k", value, DT_TIME_NEVER, NOW) != DT_STORE_ERROR ||
        f->r.error[0] == '\0' ||
        ask(f, DT_TABLE_PUSH, DT_STORE_TAKE, "k", NULL, 0, NOW) != DT_STORE_ERROR ||
        f->r.value.len != 0)
        return 3;
    /* What could not be written is not believed in memory either. */
    if (ask(f, DT_TABLE_LOOKUP, DT_STORE_GET, "k", NULL, 0, NOW) != DT_STORE_OK ||
        f->r.value.len != 6)
        return 4;
    limit.rlim_cur = RLIM_INFINITY;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 5;
    return ask(f, DT_TABLE_PUSH, DT_STORE_TAKE, "k", NULL, 0, NOW) == DT_STORE_OK ? 0 : 6;
}

static void test_full_disk(void **state)
{
    fixture *f = *state;
    assert_exits(spawn(f, child_full_disk, NULL), 0);
}

static void test_read_only(void **state)
{
    fixture *f = *state;
    if (geteuid() != 0)
        skip();
    make_and_close(f);
    assert_int_equal(chown(f->dir, NOBODY, NOBODY), 0);
    assert_int_equal(chown(f->path, NOBODY, NOBODY), 0);
    assert_int_equal(chmod(f->path, 0400), 0);
    assert_int_equal(chmod(f->dir, 0500), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dt_error e = {0};
        dt_store *s = NULL;
        if (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)
            _exit(1);
        int rc = dt_store_open(f->path, DT_STORE_SIZE_DEFAULT, &s, &e);
        _exit(rc != 0 && s == NULL && e.text[0] != '\0' ? 0 : 2);
    }
    assert_exits(pid, 0);
}

/* --- memory ----------------------------------------------------------------------------------- */

static void test_cache_tells_absent_from_unknown(void **state)
{
    fixture *f = *state;
    dt_store_cache *c = NULL;
    int64_t count = 0;
    assert_int_equal(dt_store_cache_new(&c), 0);
    assert_int_equal(dt_store_cache_get(c, DT_TABLE_LOOKUP, "k", NOW, &f->scratch, &count),
                     DT_CACHED_UNKNOWN);
    dt_store_cache_put(c, DT_TABLE_LOOKUP, "k", dt_bytes_str("v"), 7, NOW + 10);
    dt_store_cache_put(c, DT_TABLE_LOOKUP, "none", dt_bytes_str(""), 0, 0);
    assert_int_equal(dt_store_cache_get(c, DT_TABLE_LOOKUP, "k", NOW + 9, &f->scratch, &count),
                     DT_CACHED_FOUND);
    assert_int_equal(count, 7);
    assert_int_equal(f->scratch.len, 1);
    assert_int_equal(dt_store_cache_get(c, DT_TABLE_LOOKUP, "k", NOW + 10, &f->scratch, &count),
                     DT_CACHED_ABSENT);
    assert_int_equal(dt_store_cache_get(c, DT_TABLE_LOOKUP, "none", NOW, &f->scratch, &count),
                     DT_CACHED_ABSENT);
    assert_int_equal(dt_store_cache_get(c, DT_TABLE_DEVICE, "k", NOW, &f->scratch, &count),
                     DT_CACHED_UNKNOWN);
    dt_store_cache_forget(c, DT_TABLE_LOOKUP, "none");
    assert_int_equal(dt_store_cache_get(c, DT_TABLE_LOOKUP, "none", NOW, &f->scratch, &count),
                     DT_CACHED_UNKNOWN);
    dt_store_cache_clear(c);
    assert_int_equal(dt_store_cache_get(c, DT_TABLE_LOOKUP, "k", NOW, &f->scratch, &count),
                     DT_CACHED_UNKNOWN);
    dt_store_cache_free(&c);
}

/* Past its bound it starts anew, and what it then says is right. */
static void test_cache_is_bounded(void **state)
{
    fixture *f = *state;
    dt_store_cache *c = NULL;
    int64_t count = 0;
    int found = 0;
    char key[32];
    assert_int_equal(dt_store_cache_new(&c), 0);
    for (int i = 0; i < DT_STORE_CACHE_ROWS_MAX + 100; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        dt_store_cache_put(c, DT_TABLE_LOOKUP, key, dt_bytes_str("v"), i, DT_TIME_NEVER);
    }
    for (int i = 0; i < DT_STORE_CACHE_ROWS_MAX + 100; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        dt_buf_reset(&f->scratch);
        dt_cached is = dt_store_cache_get(c, DT_TABLE_LOOKUP, key, NOW, &f->scratch, &count);
        assert_true(is == DT_CACHED_UNKNOWN || (is == DT_CACHED_FOUND && count == i));
        found += is == DT_CACHED_FOUND;
    }
    assert_true(found > 0 && found <= DT_STORE_CACHE_ROWS_MAX);
    dt_store_cache_free(&c);
}

/* --- threads ---------------------------------------------------------------------------------- */

typedef struct worker {
    fixture *f;
    int number;
    atomic_int *bad;
} worker;

static void *work(void *arg)
{
    worker *w = arg;
    fixture mine = {.store = w->f->store};
    dt_buf_init(&mine.scratch, DT_STORE_VALUE_MAX);
    char own[16];
    snprintf(own, sizeof(own), "own%d", w->number);
    for (int i = 0; i < THREAD_STEPS; i++) {
        char value[16];
        snprintf(value, sizeof(value), "%d", i);
        dt_store_status s = ask(&mine, DT_TABLE_LOOKUP, DT_STORE_GET, "shared", NULL, 0, NOW);
        if (s != DT_STORE_OK || mine.r.value.len != 6)
            atomic_fetch_add(w->bad, 1);
        if (i % 16 == 0) {
            ask(&mine, DT_TABLE_LOOKUP, DT_STORE_PUT, own, value, DT_TIME_NEVER, NOW);
            if (ask(&mine, DT_TABLE_LOOKUP, DT_STORE_GET, own, NULL, 0, NOW) != DT_STORE_OK ||
                mine.r.value.len != strlen(value) ||
                memcmp(mine.r.value.p, value, mine.r.value.len) != 0)
                atomic_fetch_add(w->bad, 1);
            ask(&mine, DT_TABLE_LOOKUP, DT_STORE_PUT, "shared", i % 32 ? "first!" : "second",
                DT_TIME_NEVER, NOW);
            ask(&mine, DT_TABLE_PUSH_COUNT, DT_STORE_COUNT, "n", NULL, DT_TIME_NEVER, NOW);
        }
        if (i % 64 == 0)
            dt_store_tick(mine.store, NOW);
    }
    dt_buf_free(&mine.scratch);
    return NULL;
}

static void test_threads(void **state)
{
    fixture *f = *state;
    put(f, DT_TABLE_LOOKUP, "shared", "first!", DT_TIME_NEVER);
    atomic_int bad = 0;
    pthread_t threads[THREADS];
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){f, i, &bad};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(bad, 0);
    ask(f, DT_TABLE_PUSH_COUNT, DT_STORE_COUNT, "n", NULL, DT_TIME_NEVER, NOW);
    assert_int_equal(f->r.count, THREADS * (THREAD_STEPS / 16) + 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define WITHOUT(fn) cmocka_unit_test_setup_teardown(fn, setup_directory, teardown)
    struct CMUnitTest const tests[] = {
        T(test_put_get_delete),
        T(test_tables_are_apart),
        T(test_expiry_edges),
        T(test_put_if_absent),
        T(test_replace),
        T(test_take_is_single_use),
        T(test_count),
        T(test_large_values_and_keys),
        T(test_bad_operations),
        T(test_small_scratch_is_an_error),
        T(test_survives_reopening),
        T(test_synced_take),
        T(test_each),
        T(test_sees_other_processes_changes),
        T(test_own_change_behind_an_unseen_one),
        T(test_sees_changes_without_a_tick),
        T(test_sees_what_anybody_deletes),
        T(test_racing_takes),
        T(test_racing_counts),
        WITHOUT(test_creation_race),
        T(test_refused_in_a_forked_child),
        T(test_clock_set_back),
        T(test_clock_set_back_while_nobody_ran),
        T(test_clock_set_back_by_and_by),
        T(test_clock_set_back_is_seen_by_all),
        WITHOUT(test_kill_nine),
        WITHOUT(test_kill_nine_loses_one_row_at_most),
        T(test_busy),
        WITHOUT(test_opening_waits_for_others),
        WITHOUT(test_opening_does_not_wait_for_ever),
        T(test_purge),
        WITHOUT(test_created_private),
        WITHOUT(test_file_rights),
        WITHOUT(test_directory_rights),
        WITHOUT(test_directory_above_rights),
        WITHOUT(test_other_owner),
        WITHOUT(test_not_a_file),
        WITHOUT(test_bad_paths),
        WITHOUT(test_foreign_files),
        WITHOUT(test_truncated_file),
        WITHOUT(test_damaged_while_open),
        WITHOUT(test_full_disk),
        WITHOUT(test_read_only),
        T(test_cache_tells_absent_from_unknown),
        T(test_cache_is_bounded),
        T(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
