/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store on SQLite in WAL mode. One connection, used by one thread at a time; what every sign-on reads is
 * answered from memory (store_cache.c) without coming here. */
#include "edge/store.h"

#include "edge/store_cache.h"
#include "edge/store_path.h"
#include "edge/store_spare.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define APPLICATION_ID 0x44545253 /* "DTRS", in the file's header */
#define SCHEMA_VERSION 3

#define PAGES_PER_MIB 256        /* of 4 KiB */
#define SOFT_PERCENT 75          /* of the file may be used by all but limits and the registry */
#define CACHE_TRUST_MS 10        /* the cache is believed so long without a look at the file */
#define CACHE_TRUST_BUSY_MS 1000 /* the same while another thread holds the connection */
#define PURGE_INTERVAL DT_SECONDS(1)
#define PURGE_ROWS_MAX 1000 /* of a table in one go, so that nobody waits long for the lock */
#define PURGE_PER_ROW 2     /* with each new row of a table: so no writer is faster than this */
#define PURGE_WHEN_FULL 256
#define MERGE_ROWS_MAX 64               /* moved from memory into the store in one tick */
#define CLOCK_NOTED_EVERY DT_MINUTES(1) /* the highest time seen is on disk so often */
#define CLOCK_TOLERANCE DT_MINUTES(2)   /* clocks are set back so far all the time */
#define BUSY_POLL_NANOSECONDS 2000000
#define EACH_PAGE_ROWS 64

enum {
    STMT_BEGIN_WRITE = 0,
    STMT_BEGIN_READ,
    STMT_COMMIT,
    STMT_ROLLBACK,
    STMT_GET,
    STMT_UPDATE,
    STMT_INSERT,
    STMT_DELETE,
    STMT_DATA_VERSION,
    STMT_PURGE,
    STMT_HAS_EXPIRED,
    STMT_ROWS,
    STMT_ADD_ROWS,
    STMT_OWN_ROWS,
    STMT_DELETE_OLDEST_OWN,
    STMT_PAGES_USED,
    STMT_PAGES_FREE,
    STMT_PAGE,
    STMT_CLOCK,
    STMT_NOTE_CLOCK,
    STMT_FORGET_MFA,
    STMT_SYNC_FULL,
    STMT_SYNC_NORMAL,
    STMT_COUNT,
};

static char const *const statement_text[STMT_COUNT] = {
    [STMT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STMT_BEGIN_READ] = "BEGIN",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ROLLBACK] = "ROLLBACK",
    [STMT_GET] = "SELECT value, count, expires FROM rows WHERE tbl = ?1 AND key = ?2",
    [STMT_UPDATE] = "UPDATE rows SET value = ?3, count = ?4, expires = ?5 "
                    "WHERE tbl = ?1 AND key = ?2",
    [STMT_INSERT] = "INSERT INTO rows (tbl, key, value, count, expires) "
                    "VALUES (?1, ?2, ?3, ?4, ?5)",
    [STMT_DELETE] = "DELETE FROM rows WHERE tbl = ?1 AND key = ?2",
    [STMT_DATA_VERSION] = "PRAGMA data_version", /* changes when another process writes */
    /* The oldest first. */
    [STMT_PURGE] = "DELETE FROM rows WHERE rowid IN (SELECT rowid FROM rows WHERE tbl = ?1 "
                   "AND expires <= ?2 ORDER BY expires LIMIT ?3)",
    [STMT_HAS_EXPIRED] = "SELECT EXISTS (SELECT 1 FROM rows WHERE tbl = ?1 AND expires <= ?2)",
    [STMT_ROWS] = "SELECT coalesce((SELECT rows FROM tables WHERE tbl = ?1), 0)",
    [STMT_ADD_ROWS] = "UPDATE tables SET rows = rows + ?2 WHERE tbl = ?1",
    [STMT_OWN_ROWS] = "SELECT count(*) FROM rows WHERE tbl = ?1 AND key >= ?2 AND key < ?3",
    [STMT_DELETE_OLDEST_OWN] = "DELETE FROM rows WHERE rowid = (SELECT rowid FROM rows "
                               "WHERE tbl = ?1 AND key >= ?2 AND key < ?3 ORDER BY expires "
                               "LIMIT 1)",
    [STMT_PAGES_USED] = "PRAGMA page_count",
    [STMT_PAGES_FREE] = "PRAGMA freelist_count",
    [STMT_PAGE] = "SELECT key, value, expires FROM rows WHERE tbl = ?1 AND key > ?2 "
                  "AND expires > ?3 ORDER BY key LIMIT ?4",
    /* In no table that an operation can name. */
    [STMT_CLOCK] = "SELECT coalesce((SELECT count FROM rows WHERE tbl = 0 AND key = 'clock'), 0)",
    [STMT_NOTE_CLOCK] = "INSERT INTO rows (tbl, key, value, count, expires) "
                        "VALUES (0, 'clock', '', ?1, 9223372036854775807) "
                        "ON CONFLICT (tbl, key) DO UPDATE SET count = excluded.count",
    [STMT_FORGET_MFA] = "DELETE FROM rows WHERE tbl = ?1",
    [STMT_SYNC_FULL] = "PRAGMA synchronous = FULL",
    [STMT_SYNC_NORMAL] = "PRAGMA synchronous = NORMAL",
};

struct dt_store {
    char path[DT_STORE_PATH_MAX];
    pid_t pid; /* an SQLite connection must not be used in a forked child */
    int size_mib;
    pthread_mutex_t lock; /* around the next */
    sqlite3 *db;
    sqlite3_stmt *stmt[STMT_COUNT];
    int64_t deadline;     /* of the operation under way: monotonic milliseconds */
    int64_t data_version; /* of the file when the cache was looked after last */
    int64_t purged_at;    /* monotonic milliseconds */
    bool purge_again;     /* more has expired than was dropped at once */
    /* free for all */
    dt_spare *spare; /* borrowed, or NULL */
    dt_store_cache *cache;
    _Atomic int64_t
        refreshed; /* monotonic milliseconds of the last look whether the cache still holds */
    _Atomic int64_t clock; /* the highest time that is known to have been; 0: not read yet */
};

static int64_t mono_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* gcc 12's ThreadSanitizer does not know pthread_mutex_clocklock. */
#ifdef __SANITIZE_THREAD__
#define LOCK_UNTIL(lock, until) ((void)(until), pthread_mutex_lock(lock))
#else
#define LOCK_UNTIL(lock, until) pthread_mutex_clocklock((lock), CLOCK_MONOTONIC, (until))
#endif

/* Waits until the deadline for other threads, or fails with DT_E_UNAVAILABLE; SQLite then waits until it for
 * other processes. */
static int acquire(dt_store *s, int64_t deadline, dt_error *e)
{
    struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = (deadline % 1000) * 1000000};

    /* Who gets no processor for so long may find the lock free after all. */
    if (LOCK_UNTIL(&s->lock, &until) != 0 && pthread_mutex_trylock(&s->lock) != 0)
        return dt_error_set(e, DT_E_UNAVAILABLE, "store %s: too many operations are waiting for it",
                            s->path);
    s->deadline = deadline;
    return DT_OK;
}

/* Called by SQLite while another process holds the lock. */
static int on_busy(void *ctx, int count)
{
    (void)count;
    dt_store const *s = ctx;
    if (mono_now() >= s->deadline)
        return 0;
    struct timespec pause = {.tv_nsec = BUSY_POLL_NANOSECONDS};
    nanosleep(&pause, NULL);
    return 1;
}

/* --- errors ----------------------------------------------------------------------------------- */

static int code_of(int sqlite_code)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_NOMEM:
        return DT_E_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return DT_E_UNAVAILABLE;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return DT_E_PARSE;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return DT_E_PERMISSION;
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
        return DT_E_LIMIT;
    default:
        return DT_E_IO;
    }
}

static char const *advice_of(int code)
{
    switch (code) {
    case DT_E_UNAVAILABLE:
        return "; another process has locked it";
    case DT_E_PARSE:
        return "; it is damaged or not a store: move it away; a new one is created at the next "
               "start";
    case DT_E_PERMISSION:
        return "; the file and its directory must be writable for the service";
    case DT_E_LIMIT:
        return "; the disk or the store is full";
    default:
        return "";
    }
}

static int store_error(dt_store const *s, char const *doing, dt_error *e)
{
    int code = s->db == NULL ? DT_E_NOMEM : code_of(sqlite3_errcode(s->db));
    char const *what = s->db == NULL ? "out of memory" : sqlite3_errmsg(s->db);
    return dt_error_set(e, code, "store %s: %s: %s%s", s->path, doing, what, advice_of(code));
}

/* --- statements ------------------------------------------------------------------------------- */

static sqlite3_stmt *statement(dt_store const *s, int which)
{
    return s->stmt[which];
}

/* Runs a statement that gives no rows, or whose rows do not matter. */
static int run(dt_store const *s, int which, char const *doing, dt_error *e)
{
    sqlite3_stmt *st = statement(s, which);
    int rc;
    do {
        rc = sqlite3_step(st);
    } while (rc == SQLITE_ROW);
    int result = rc == SQLITE_DONE ? DT_OK : store_error(s, doing, e);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return result;
}

/* The first column of the first row as a number. */
static int run_number(dt_store const *s, int which, int64_t *out, dt_error *e)
{
    sqlite3_stmt *st = statement(s, which);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *out = sqlite3_column_int64(st, 0);
        while ((rc = sqlite3_step(st)) == SQLITE_ROW)
            ;
    }
    int result = rc == SQLITE_DONE ? DT_OK : store_error(s, "reading", e);
    sqlite3_reset(st);
    return result;
}

static void bind_key(sqlite3_stmt *st, dt_store_table table, char const *key)
{
    sqlite3_bind_int(st, 1, (int)table);
    sqlite3_bind_text(st, 2, key, -1, SQLITE_STATIC);
}

/* --- rows; within a transaction where they write ---------------------------------------------- */

typedef struct row {
    bool found;  /* and not past its time */
    bool absent; /* there is none, not even one past its time */
    int64_t count;
    dt_time expires;
} row;

/* The unexpired row; its value is put in place of what `value` held. */
static int row_get(dt_store const *s, dt_store_op const *op, dt_time now, dt_buf *value, row *out,
                   dt_error *e)
{
    *out = (row){0};
    dt_buf_reset(value);
    sqlite3_stmt *st = statement(s, STMT_GET);
    bind_key(st, op->table, op->key);
    int rc = sqlite3_step(st);
    int result = DT_OK;
    out->absent = rc == SQLITE_DONE;
    out->found = rc == SQLITE_ROW && sqlite3_column_int64(st, 2) > now;
    if (out->found) {
        dt_buf_put(value, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
        out->count = sqlite3_column_int64(st, 1);
        out->expires = sqlite3_column_int64(st, 2);
        if (dt_buf_error(value) != 0)
            result = dt_error_set(e, dt_buf_error(value), "store %s: no room for a row's value",
                                  s->path);
    } else if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        result = store_error(s, "reading", e);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return result;
}

/* --- how many rows there may be --------------------------------------------------------------- */

/* Rows of each table for each MiB of the file. Together those of limits take less than a quarter of
 * it, which is kept for them. */
static int64_t rows_max(dt_store const *s, dt_store_op const *op)
{
    static int const per_mib[DT_TABLE_COUNT] = {
        [DT_TABLE_LOOKUP] = 1000,    [DT_TABLE_REMEMBERED] = 1000, [DT_TABLE_PUSH] = 64,
        [DT_TABLE_PUSH_COUNT] = 512, [DT_TABLE_STATE] = 32,        [DT_TABLE_PASSWORD_COUNT] = 384,
        [DT_TABLE_SESSION] = 64,
    };
    int64_t most = (int64_t)per_mib[op->table] * s->size_mib;

    if (op->table == DT_TABLE_DEVICE) /* the administrator's own */
        return INT64_MAX;
    return op->stranger ? most / 4 : most;
}

static int table_rows(dt_store const *s, dt_store_table table, int64_t *out, dt_error *e)
{
    sqlite3_bind_int(statement(s, STMT_ROWS), 1, (int)table);
    return run_number(s, STMT_ROWS, out, e);
}

static int add_rows(dt_store const *s, dt_store_table table, int64_t number, dt_error *e)
{
    sqlite3_stmt *st = statement(s, STMT_ADD_ROWS);

    sqlite3_bind_int(st, 1, (int)table);
    sqlite3_bind_int64(st, 2, number);
    return run(s, STMT_ADD_ROWS, "writing", e);
}

/* Drops expired rows of a table, at most `most`, the oldest first. */
static int purge_table(dt_store const *s, dt_store_table table, dt_time now, int most, int *dropped,
                       dt_error *e)
{
    sqlite3_stmt *st = statement(s, STMT_PURGE);

    sqlite3_bind_int(st, 1, (int)table);
    sqlite3_bind_int64(st, 2, now);
    sqlite3_bind_int(st, 3, most);
    int rc = run(s, STMT_PURGE, "purging", e);
    *dropped = rc == DT_OK ? sqlite3_changes(s->db) : 0;
    return *dropped > 0 ? add_rows(s, table, -*dropped, e) : rc;
}

/* The rest of the file is for limits, and for the devices that the administrator enrols. */
static int pages_are_left(dt_store const *s, dt_store_table table, bool *left, dt_error *e)
{
    int64_t used = 0, unused = 0;
    int rc = DT_OK;

    *left = true;
    if (dt_store_table_is_limit(table) || table == DT_TABLE_DEVICE)
        return DT_OK;
    rc = run_number(s, STMT_PAGES_USED, &used, e);
    if (rc == DT_OK)
        rc = run_number(s, STMT_PAGES_FREE, &unused, e);
    *left = used - unused < (int64_t)s->size_mib * PAGES_PER_MIB * SOFT_PERCENT / 100;
    return rc;
}

static int has_room(dt_store const *s, dt_store_op const *op, bool *room, dt_error *e)
{
    int64_t rows = 0;
    int rc = table_rows(s, op->table, &rows, e);

    *room = rows < rows_max(s, op);
    return rc == DT_OK && *room ? pages_are_left(s, op->table, room, e) : rc;
}

/* The first of the rows that belong to the same owner, and what lies after the last of them. */
static bool owner_range(char const *key, char from[DT_STORE_KEY_MAX], char to[DT_STORE_KEY_MAX])
{
    char const *colon = strchr(key, ':');
    size_t len = colon != NULL ? (size_t)(colon - key) + 1 : 0;

    if (len == 0 || len >= DT_STORE_KEY_MAX)
        return false;
    memcpy(from, key, len);
    memcpy(to, key, len);
    from[len] = to[len] = '\0';
    to[len - 1] = ';'; /* the character after the colon */
    return true;
}

static int bind_owner(dt_store const *s, int which, dt_store_table table, char const *from,
                      char const *to)
{
    sqlite3_stmt *st = statement(s, which);

    bind_key(st, table, from);
    return sqlite3_bind_text(st, 3, to, -1, SQLITE_STATIC);
}

/* A person with many open challenges gives up their own oldest one. */
static int make_room_of_own(dt_store const *s, dt_store_op const *op, dt_error *e)
{
    char from[DT_STORE_KEY_MAX], to[DT_STORE_KEY_MAX];
    int64_t rows = 0;

    if (op->own_max <= 0 || !owner_range(op->key, from, to))
        return DT_OK;
    (void)bind_owner(s, STMT_OWN_ROWS, op->table, from, to);
    int rc = run_number(s, STMT_OWN_ROWS, &rows, e);

    for (; rc == DT_OK && rows >= op->own_max; rows--) {
        (void)bind_owner(s, STMT_DELETE_OLDEST_OWN, op->table, from, to);
        rc = run(s, STMT_DELETE_OLDEST_OWN, "deleting", e);
        if (rc == DT_OK)
            rc = add_rows(s, op->table, -1, e);
    }
    return rc;
}

/* A new row comes in place of expired ones. Rows that are alive never make room for others'. */
static int make_room(dt_store const *s, dt_store_op const *op, dt_time now, dt_error *e)
{
    bool room = false;
    int dropped = 0;
    int rc = make_room_of_own(s, op, e);

    if (rc == DT_OK)
        rc = purge_table(s, op->table, now, PURGE_PER_ROW, &dropped, e);
    if (rc == DT_OK)
        rc = has_room(s, op, &room, e);
    if (rc == DT_OK && !room)
        rc = purge_table(s, op->table, now, PURGE_WHEN_FULL, &dropped, e);
    if (rc == DT_OK && !room)
        rc = has_room(s, op, &room, e);
    if (rc == DT_OK && !room)
        rc = dt_error_set(e, DT_E_LIMIT,
                          "store %s: its table %s is full; [store] size_limit is %d MiB", s->path,
                          dt_store_table_name(op->table), s->size_mib);
    return rc == DT_OK ? add_rows(s, op->table, 1, e) : rc;
}

static void bind_row(sqlite3_stmt *st, dt_store_op const *op, dt_bytes value, row const *r)
{
    bind_key(st, op->table, op->key);
    /* A NULL pointer would bind NULL. */
    sqlite3_bind_blob(st, 3, value.len == 0 ? "" : (void const *)value.p, (int)value.len,
                      SQLITE_STATIC);
    sqlite3_bind_int64(st, 4, r->count);
    sqlite3_bind_int64(st, 5, r->expires);
}

static int row_put(dt_store const *s, dt_store_op const *op, dt_time now, dt_bytes value,
                   row const *r, dt_error *e)
{
    bind_row(statement(s, STMT_UPDATE), op, value, r);
    int rc = run(s, STMT_UPDATE, "writing", e);
    if (rc != 0 || sqlite3_changes(s->db) > 0)
        return rc;
    rc = make_room(s, op, now, e);
    if (rc != 0)
        return rc;
    bind_row(statement(s, STMT_INSERT), op, value, r);
    return run(s, STMT_INSERT, "writing", e);
}

static int row_remove(dt_store const *s, dt_store_op const *op, dt_error *e)
{
    bind_key(statement(s, STMT_DELETE), op->table, op->key);
    int rc = run(s, STMT_DELETE, "deleting", e);
    if (rc == 0 && sqlite3_changes(s->db) > 0)
        rc = add_rows(s, op->table, -1, e);
    return rc;
}

/* --- operations that write -------------------------------------------------------------------- */

static int do_put(dt_store const *s, dt_store_op const *op, dt_time now, dt_error *e)
{
    row r = {.expires = op->expires};

    return row_put(s, op, now, op->value, &r, e);
}

static int do_count(dt_store const *s, dt_store_op const *op, dt_time now, row const *old,
                    dt_store_result *out, dt_error *e)
{
    row r = {.expires = old->found ? old->expires : op->expires};

    out->count = r.count = old->found ? old->count : 0;
    if (op->most > 0 && r.count >= op->most) {
        out->status = DT_STORE_EXISTS;
        return DT_OK;
    }
    r.count += r.count < INT64_MAX;
    out->count = r.count;
    return row_put(s, op, now, dt_bytes_of(NULL, 0), &r, e);
}

static int do_uncount(dt_store const *s, dt_store_op const *op, dt_time now, row const *old,
                      dt_store_result *out, dt_error *e)
{
    row r = *old;

    if (old->count <= 1)
        return row_remove(s, op, e);
    out->count = --r.count;
    return row_put(s, op, now, dt_bytes_of(NULL, 0), &r, e);
}

/* The verbs, each on the row as it is within the transaction. */
static int do_verb(dt_store const *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                   dt_store_result *out, dt_error *e)
{
    row old = {0};
    int rc = op->verb == DT_STORE_PUT ? DT_OK : row_get(s, op, now, scratch, &old, e);
    if (rc != 0)
        return rc;
    out->status = DT_STORE_OK;
    switch (op->verb) {
    case DT_STORE_PUT:
        return do_put(s, op, now, e);
    case DT_STORE_PUT_IF_ABSENT:
        if (!old.found)
            return do_put(s, op, now, e);
        out->status = DT_STORE_EXISTS;
        return DT_OK;
    case DT_STORE_REPLACE:
        if (old.found && dt_bytes_equal(dt_buf_bytes(scratch), op->expected)) {
            dt_buf_reset(scratch);
            return do_put(s, op, now, e);
        }
        out->status = old.found ? DT_STORE_EXISTS : DT_STORE_NOT_FOUND;
        return DT_OK;
    case DT_STORE_TAKE:
    case DT_STORE_DELETE:
        if (op->verb == DT_STORE_DELETE)
            dt_buf_reset(scratch);
        if (old.found)
            return row_remove(s, op, e);
        out->status = DT_STORE_NOT_FOUND;
        return DT_OK;
    case DT_STORE_COUNT:
        dt_buf_reset(scratch);
        return do_count(s, op, now, &old, out, e);
    case DT_STORE_UNCOUNT:
        dt_buf_reset(scratch);
        if (old.found)
            return do_uncount(s, op, now, &old, out, e);
        out->status = DT_STORE_NOT_FOUND;
        return DT_OK;
    case DT_STORE_GET:
        break;
    }
    return dt_error_set(e, DT_E_INVALID, "store: no such operation");
}

/* Ends a transaction: all of it is kept, or nothing. */
static int end_write(dt_store const *s, int rc, char const *doing, dt_error *e)
{
    if (rc == 0)
        rc = run(s, STMT_COMMIT, doing, e);
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        (void)run(s, STMT_ROLLBACK, doing, NULL);
    return rc;
}

static int write_in_transaction(dt_store const *s, dt_store_op const *op, dt_time now,
                                dt_buf *scratch, dt_store_result *out, dt_error *e)
{
    int rc = run(s, STMT_BEGIN_WRITE, "writing", e);
    if (rc == 0)
        rc = do_verb(s, op, now, scratch, out, e);
    return end_write(s, rc, "writing", e);
}

/* PRAGMA synchronous takes effect when it is compiled: hence exec, not a prepared statement. */
static int do_write(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                    dt_store_result *out, dt_error *e)
{
    sqlite3 *db = s->db;
    int rc = DT_OK;

    if (op->sync && sqlite3_exec(db, statement_text[STMT_SYNC_FULL], NULL, NULL, NULL) != 0)
        rc = store_error(s, "asking for synced writes", e);
    if (rc == 0)
        rc = write_in_transaction(s, op, now, scratch, out, e);
    if (op->sync)
        (void)sqlite3_exec(db, statement_text[STMT_SYNC_NORMAL], NULL, NULL, NULL);
    dt_store_cache_forget(s->cache, op->table, op->key);
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* The tables that sign-ons without MFA read. */
static bool table_is_cached(dt_store_table t)
{
    return t == DT_TABLE_DEVICE || t == DT_TABLE_LOOKUP || t == DT_TABLE_REMEMBERED;
}

/* True when memory alone answered; it is believed for trust_ms after the last look at the file. */
static bool read_cached(dt_store *s, dt_store_op const *op, dt_time now, int64_t trust_ms,
                        dt_buf *scratch, dt_store_result *out)
{
    if (mono_now() - atomic_load(&s->refreshed) > trust_ms)
        return false;
    dt_cached is = dt_store_cache_get(s->cache, op->table, op->key, now, scratch, &out->count);
    out->status = is == DT_CACHED_FOUND ? DT_STORE_OK : DT_STORE_NOT_FOUND;
    return is != DT_CACHED_UNKNOWN;
}

/* Empties the cache when another process has written. */
static int refresh_cache(dt_store *s, dt_error *e)
{
    int64_t at = mono_now(), version = 0;
    int rc = run_number(s, STMT_DATA_VERSION, &version, e);

    if (rc != DT_OK)
        return rc;
    if (version != s->data_version)
        dt_store_cache_clear(s->cache);
    s->data_version = version;
    atomic_store(&s->refreshed, at);
    return DT_OK;
}

static int read_file(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                     dt_store_result *out, dt_error *e)
{
    row r;
    int rc = row_get(s, op, now, scratch, &r, e);

    out->status = r.found ? DT_STORE_OK : DT_STORE_NOT_FOUND;
    out->count = r.count;
    if (rc == DT_OK && table_is_cached(op->table) && (r.found || r.absent))
        dt_store_cache_put(s->cache, op->table, op->key, dt_buf_bytes(scratch), r.count, r.expires);
    return rc;
}

static int do_read(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                   dt_store_result *out, dt_error *e)
{
    int rc = table_is_cached(op->table) ? refresh_cache(s, e) : DT_OK;

    if (rc == DT_OK && table_is_cached(op->table) &&
        read_cached(s, op, now, CACHE_TRUST_MS, scratch, out))
        return DT_OK;
    return rc == DT_OK ? read_file(s, op, now, scratch, out, e) : rc;
}

/* --- the public operation --------------------------------------------------------------------- */

static int check_op(dt_store const *s, dt_store_op const *op, dt_error *e)
{
    if (s->pid != getpid())
        return dt_error_set(e, DT_E_STATE, "store %s: used in a forked child", s->path);
    if (op->table <= DT_TABLE_NONE || op->table >= DT_TABLE_COUNT || op->key[0] == '\0' ||
        memchr(op->key, '\0', sizeof(op->key)) == NULL)
        return dt_error_set(e, DT_E_INVALID, "store: bad table or key");
    if (op->value.len > DT_STORE_VALUE_MAX)
        return dt_error_set(e, DT_E_LIMIT, "store: a value of %zu bytes is too large",
                            op->value.len);
    return DT_OK;
}

/* --- a clock that is set back ------------------------------------------------------------------- */

/* The clock has been set back, or that it was not is not known. */
static bool clock_is_in_doubt(dt_store *s, dt_time now)
{
    int64_t seen = atomic_load(&s->clock);

    return seen == 0 || seen - now > CLOCK_TOLERANCE;
}

static bool clock_is_due(dt_store *s, dt_time now)
{
    return clock_is_in_doubt(s, now) || now - atomic_load(&s->clock) >= CLOCK_NOTED_EVERY;
}

/* All of them at once, for other processes too: by what this clock says, none can be judged. */
static int forget_mfa(dt_store const *s, dt_error *e)
{
    dt_store_cache_clear(s->cache);
    sqlite3_bind_int(statement(s, STMT_FORGET_MFA), 1, DT_TABLE_REMEMBERED);
    int rc = run(s, STMT_FORGET_MFA, "forgetting remembered MFA", e);

    return rc == DT_OK ? add_rows(s, DT_TABLE_REMEMBERED, -(int64_t)sqlite3_changes(s->db), e) : rc;
}

/* Within a transaction. *seen becomes the highest time there was. */
static int note_clock(dt_store const *s, dt_time now, int64_t *seen, dt_error *e)
{
    int rc = run_number(s, STMT_CLOCK, seen, e);

    if (rc == DT_OK && *seen - now > CLOCK_TOLERANCE)
        rc = forget_mfa(s, e);
    else if (*seen >= now)
        return rc;
    if (rc != 0)
        return rc;
    *seen = now;
    sqlite3_bind_int64(statement(s, STMT_NOTE_CLOCK), 1, now);
    return run(s, STMT_NOTE_CLOCK, "noting the time", e);
}

/* The lock is held. Nothing that is remembered is given out in doubt. */
static int watch_clock(dt_store *s, dt_time now, dt_error *e)
{
    int64_t seen = 0;
    int rc = run(s, STMT_BEGIN_WRITE, "noting the time", e);

    if (rc == 0)
        rc = note_clock(s, now, &seen, e);
    rc = end_write(s, rc, "noting the time", e);
    if (rc == 0)
        atomic_store(&s->clock, seen);
    return rc != DT_OK && clock_is_in_doubt(s, now) ? rc : DT_OK;
}

/* The lock is held. */
static int do_locked(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                     dt_store_result *out, dt_error *e)
{
    int rc = DT_OK;

    if (op->table == DT_TABLE_REMEMBERED && clock_is_due(s, now))
        rc = watch_clock(s, now, e);
    if (rc != DT_OK)
        return rc;
    return op->verb == DT_STORE_GET ? do_read(s, op, now, scratch, out, e)
                                    : do_write(s, op, now, scratch, out, e);
}

static int perform(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                   dt_store_result *out, dt_error *e)
{
    int rc = check_op(s, op, e);
    if (rc != DT_OK)
        return rc;
    bool cached = op->verb == DT_STORE_GET && table_is_cached(op->table) &&
                  (op->table != DT_TABLE_REMEMBERED || !clock_is_due(s, now));
    if (cached && read_cached(s, op, now, CACHE_TRUST_MS, scratch, out))
        return DT_OK;
    int64_t deadline = mono_now() + DT_STORE_BUSY_MS;
    /* Somebody else's slow write is no reason to wait for the news that nothing has changed. */
    if (acquire(s, cached ? 0 : deadline, NULL) != DT_OK) {
        if (cached && read_cached(s, op, now, CACHE_TRUST_BUSY_MS, scratch, out))
            return DT_OK;
        rc = acquire(s, deadline, e);
    }
    if (rc != DT_OK)
        return rc;
    s->deadline = deadline;
    rc = do_locked(s, op, now, scratch, out, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

static void do_in_file(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                       dt_store_result *out)
{
    dt_error e;
    dt_buf_reset(scratch);
    out->status = DT_STORE_ERROR;
    out->value = dt_bytes_of(NULL, 0);
    out->count = 0;
    out->error[0] = '\0';
    e.code = 0;
    int rc = perform(s, op, now, scratch, out, &e);
    if (rc == 0 && dt_buf_error(scratch) != 0)
        rc = dt_error_set(&e, dt_buf_error(scratch), "store: no room for a row's value");
    if (rc == 0) {
        out->value = dt_buf_bytes(scratch);
        return;
    }
    out->status = DT_STORE_ERROR;
    out->count = 0;
    memcpy(out->error, e.text, sizeof(out->error));
}

/* --- limits, which are kept in memory where the file does not take them ------------------------- */

/* What can still be read of a counter that cannot be written. */
static int64_t count_in_file(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch)
{
    dt_store_op get = {.table = op->table, .verb = DT_STORE_GET};
    dt_store_result r = {0};

    memcpy(get.key, op->key, sizeof(get.key));
    do_in_file(s, &get, now, scratch, &r);
    return r.status == DT_STORE_OK ? r.count : 0;
}

/* What is counted in memory counts as well, until it has been moved into the file. */
static void do_count_of_limit(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                              dt_store_result *out)
{
    char error[DT_ERROR_TEXT_MAX];
    dt_store_op left = *op;
    int64_t held = 0;

    (void)dt_spare_has(s->spare, op->table, op->key, now, &held);
    left.most = op->most - held;
    if (op->most > 0 && left.most <= 0) {
        *out = (dt_store_result){.status = DT_STORE_EXISTS, .count = held};
        return;
    }
    do_in_file(s, &left, now, scratch, out);
    out->count += held;
    if (out->status != DT_STORE_ERROR)
        return;
    memcpy(error, out->error, sizeof(error));
    dt_spare_do(s->spare, op, count_in_file(s, op, now, scratch), now, scratch, out);
    if (out->status == DT_STORE_ERROR)
        memcpy(out->error, error, sizeof(error));
}

/* A row that is in memory is where it lives, as long as it does. */
static void do_limit(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                     dt_store_result *out)
{
    int64_t held = 0;

    if (op->verb == DT_STORE_COUNT) {
        do_count_of_limit(s, op, now, scratch, out);
        return;
    }
    bool here = dt_spare_has(s->spare, op->table, op->key, now, &held);

    if (here)
        dt_spare_do(s->spare, op, 0, now, scratch, out);
    if (here && op->verb != DT_STORE_DELETE)
        return;
    do_in_file(s, op, now, scratch, out);
    if (out->status == DT_STORE_ERROR && op->verb != DT_STORE_DELETE &&
        op->verb != DT_STORE_UNCOUNT)
        dt_spare_do(s->spare, op, 0, now, scratch, out);
}

void dt_store_do(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                 dt_store_result *out)
{
    if (s->spare != NULL && dt_store_table_is_limit(op->table))
        do_limit(s, op, now, scratch, out);
    else
        do_in_file(s, op, now, scratch, out);
}

void dt_store_use_spare(dt_store *s, dt_spare *spare)
{
    s->spare = spare;
}

/* --- now and then ----------------------------------------------------------------------------- */

static bool has_expired(dt_store const *s, dt_store_table table, dt_time now)
{
    sqlite3_stmt *st = statement(s, STMT_HAS_EXPIRED);
    int64_t has = 0;

    sqlite3_bind_int(st, 1, (int)table);
    sqlite3_bind_int64(st, 2, now);
    return run_number(s, STMT_HAS_EXPIRED, &has, NULL) == 0 && has != 0;
}

static void purge_in_transaction(dt_store *s, dt_store_table table, dt_time now)
{
    int dropped = 0;

    if (run(s, STMT_BEGIN_WRITE, "purging", NULL) != 0)
        return; /* somebody else writes: there is no hurry */
    int rc = purge_table(s, table, now, PURGE_ROWS_MAX, &dropped, NULL);
    rc = end_write(s, rc, "purging", NULL);
    s->purge_again = s->purge_again || (rc == 0 && dropped == PURGE_ROWS_MAX);
}

static void purge(dt_store *s, dt_time now)
{
    int64_t at = mono_now();

    s->purge_again = false;
    for (int t = DT_TABLE_NONE + 1; t < DT_TABLE_COUNT; t++) {
        if (has_expired(s, (dt_store_table)t, now))
            purge_in_transaction(s, (dt_store_table)t, now);
    }
    s->purged_at = at;
}

/* Adds what was counted in memory to the row in the file. */
static int move_count(dt_store *s, dt_store_op const *op, int64_t count, dt_time now)
{
    uint8_t storage[DT_SPARE_VALUE_MAX];
    row r = {0};
    dt_buf value;

    dt_buf_init_fixed(&value, storage, sizeof(storage));
    int rc = run(s, STMT_BEGIN_WRITE, "writing", NULL);
    if (rc != 0)
        return rc;
    rc = row_get(s, op, now, &value, &r, NULL);
    r.expires = r.found ? r.expires : op->expires;
    r.count = r.count < INT64_MAX - count ? r.count + count : INT64_MAX;
    if (rc == 0)
        rc = row_put(s, op, now, dt_buf_bytes(&value), &r, NULL);
    return end_write(s, rc, "writing", NULL);
}

/* For a moment a counter counts twice: that is the safe side. */
static void merge_spare(dt_store *s, dt_time now)
{
    dt_store_op op;
    int64_t count = 0;

    for (int i = 0; i < MERGE_ROWS_MAX && dt_spare_first_count(s->spare, now, &op, &count); i++) {
        if (move_count(s, &op, count, now) != 0)
            return; /* it still takes no rows */
        dt_spare_moved(s->spare, &op, count);
    }
    dt_spare_expire(s->spare, now);
}

void dt_store_tick(dt_store *s, dt_time now)
{
    if (s->pid != getpid() || pthread_mutex_trylock(&s->lock) != 0)
        return;
    s->deadline = 0; /* another process is not waited for */
    if (clock_is_due(s, now))
        (void)watch_clock(s, now, NULL);
    (void)refresh_cache(s, NULL);
    if (s->purged_at == 0 || s->purge_again || mono_now() - s->purged_at >= PURGE_INTERVAL)
        purge(s, now);
    if (s->spare != NULL && !dt_spare_is_empty(s->spare))
        merge_spare(s, now);
    pthread_mutex_unlock(&s->lock);
}

/* --- walking a table -------------------------------------------------------------------------- */

typedef struct page_row {
    char key[DT_STORE_KEY_MAX];
    dt_bytes value; /* an offset until all are read: the buffer moves as it grows */
    size_t at;
    dt_time expires;
} page_row;

static int read_page(dt_store *s, dt_store_table t, char const *after, dt_time now, page_row *rows,
                     size_t *count, dt_buf *values, dt_error *e)
{
    *count = 0;
    dt_buf_reset(values);
    int rc = acquire(s, mono_now() + DT_STORE_BUSY_MS, e);
    if (rc != DT_OK)
        return rc;
    sqlite3_stmt *st = statement(s, STMT_PAGE);
    bind_key(st, t, after);
    sqlite3_bind_int64(st, 3, now);
    sqlite3_bind_int(st, 4, EACH_PAGE_ROWS);
    int result = DT_OK;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW && result == 0) {
        page_row *r = &rows[(*count)++];
        result = dt_str_copy(r->key, sizeof(r->key), (char const *)sqlite3_column_text(st, 0));
        r->at = values->len;
        r->value.len = (size_t)sqlite3_column_bytes(st, 1);
        dt_buf_put(values, sqlite3_column_blob(st, 1), r->value.len);
        r->expires = sqlite3_column_int64(st, 2);
        if (result == 0)
            result = dt_buf_error(values);
        if (result != 0)
            dt_error_set(e, result, "store %s: a row is too large", s->path);
    }
    if (result == 0 && rc != SQLITE_DONE)
        result = store_error(s, "reading", e);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    pthread_mutex_unlock(&s->lock);
    return result;
}

int dt_store_each(dt_store *s, dt_store_table t, dt_time now, dt_store_row_fn *fn, void *ctx,
                  dt_error *e)
{
    if (s->pid != getpid())
        return dt_error_set(e, DT_E_STATE, "store %s: used in a forked child", s->path);
    page_row *rows = calloc(EACH_PAGE_ROWS, sizeof(*rows));
    if (rows == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    dt_buf values;
    dt_buf_init(&values, (size_t)EACH_PAGE_ROWS * DT_STORE_VALUE_MAX);
    char after[DT_STORE_KEY_MAX] = "";
    size_t count;
    int rc;
    do {
        /* The lock is free while fn runs, so that it may use the store. */
        rc = read_page(s, t, after, now, rows, &count, &values, e);
        for (size_t i = 0; rc == 0 && i < count; i++) {
            rows[i].value.p = values.p + rows[i].at;
            rc = fn(ctx, rows[i].key, rows[i].value, rows[i].expires);
        }
        if (rc == 0 && count > 0)
            memcpy(after, rows[count - 1].key, sizeof(after));
    } while (rc == 0 && count == EACH_PAGE_ROWS);
    dt_buf_free(&values);
    free(rows);
    return rc;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int exec(dt_store const *s, char const *sql, char const *doing, dt_error *e)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? DT_OK
                                                                   : store_error(s, doing, e);
}

static int pragma_number(dt_store const *s, char const *sql, int64_t *out, dt_error *e)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    int result = rc == SQLITE_ROW ? DT_OK : store_error(s, "reading its header", e);
    sqlite3_finalize(st);
    return result;
}

static char const schema[] =
    "CREATE TABLE rows (tbl INTEGER NOT NULL, key TEXT NOT NULL, value BLOB, "
    " count INTEGER NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (tbl, key));"
    "CREATE INDEX rows_by_age ON rows (tbl, expires);"
    /* How many rows each table has, expired ones included. */
    "CREATE TABLE tables (tbl INTEGER PRIMARY KEY, rows INTEGER NOT NULL);"
    "INSERT INTO tables VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), "
    "(8, 0);"
    "PRAGMA application_id = 0x44545253;"
    "PRAGMA user_version = 3;";

/* Version 1 did not bound its tables, and had all counters in one. */
static char const from_version_1[] =
    "DROP INDEX rows_by_expiry;"
    "CREATE INDEX rows_by_age ON rows (tbl, expires);"
    "UPDATE rows SET tbl = 7 WHERE tbl = 5 AND key >= 'passwords:' AND key < 'passwords;';"
    "CREATE TABLE tables (tbl INTEGER PRIMARY KEY, rows INTEGER NOT NULL);"
    "INSERT INTO tables VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0);";

/* Version 2 numbered its changes, and a deleted row stayed for a while without a value. */
static char const from_version_2[] =
    "DROP INDEX rows_by_seq;"
    "DROP TABLE meta;"
    "DELETE FROM rows WHERE value IS NULL;"
    "ALTER TABLE rows DROP COLUMN seq;"
    "UPDATE tables SET rows = (SELECT count(*) FROM rows WHERE rows.tbl = tables.tbl);"
    "PRAGMA user_version = 3;";

/* A file of version 3 that was made before there were sessions. Programs that know none go on using it. */
static char const with_sessions[] = "INSERT OR IGNORE INTO tables VALUES (8, 0);";

_Static_assert(DT_TABLE_STATE == 6 && DT_TABLE_PASSWORD_COUNT == 7 && DT_TABLE_SESSION == 8 &&
                   DT_TABLE_COUNT == 9,
               "the schema lists the tables by number");

static int upgrade(dt_store const *s, int64_t version, dt_error *e)
{
    static char const doing[] = "bringing it up to this version";
    int rc = version == 1 ? exec(s, from_version_1, doing, e) : DT_OK;

    if (rc == DT_OK)
        rc = exec(s, from_version_2, doing, e);
    return rc == DT_OK ? exec(s, with_sessions, doing, e) : rc;
}

/* Within a write transaction, so that of two processes one makes it and the other finds it. */
static int check_or_make_schema(dt_store const *s, dt_error *e)
{
    int64_t id = 0, version = 0, pages = 0;
    int rc = pragma_number(s, "PRAGMA application_id", &id, e);
    if (rc == 0)
        rc = pragma_number(s, "PRAGMA user_version", &version, e);
    if (rc == 0)
        rc = pragma_number(s, "SELECT count(*) FROM sqlite_schema", &pages, e);
    if (rc != 0)
        return rc;
    if (id == 0 && version == 0 && pages == 0)
        return exec(s, schema, "making the tables", e);
    if (id != APPLICATION_ID)
        return dt_error_set(e, DT_E_PARSE, "%s is not a devtrust store; name another file",
                            s->path);
    if (version == 1 || version == 2)
        return upgrade(s, version, e);
    if (version != SCHEMA_VERSION)
        return dt_error_set(e, DT_E_PARSE,
                            "store %s has version %lld, but this program knows version %d; move it "
                            "away, or use the program that created it",
                            s->path, (long long)version, SCHEMA_VERSION);
    rc = exec(s, with_sessions, "opening", e);
    /* Without that table it is not ours, which whoever prepares the statements says. */
    return (sqlite3_extended_errcode(s->db) & 0xff) == SQLITE_ERROR ? DT_OK : rc;
}

static int prepare_schema(dt_store const *s, dt_error *e)
{
    int rc = exec(s, "BEGIN IMMEDIATE", "opening", e);
    if (rc != 0)
        return rc;
    rc = check_or_make_schema(s, e);
    if (rc == 0)
        rc = exec(s, "COMMIT", "opening", e);
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* Changing to WAL needs the file alone, and SQLite does not wait for that by itself. */
static int use_wal(dt_store *s, dt_error *e)
{
    while (sqlite3_exec(s->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL) != SQLITE_OK) {
        if ((sqlite3_errcode(s->db) & 0xff) != SQLITE_BUSY || !on_busy(s, 0))
            return store_error(s, "opening", e);
    }
    return DT_OK;
}

static int configure(dt_store *s, dt_error *e)
{
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_handler(s->db, on_busy, s);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, 4 * DT_STORE_VALUE_MAX);
    return exec(s,
                "PRAGMA cell_size_check = ON; PRAGMA cache_size = -2048;"
                "PRAGMA journal_size_limit = 8388608; PRAGMA synchronous = NORMAL;"
                "PRAGMA temp_store = MEMORY;",
                "opening", e);
}

static int prepare_statements(dt_store *s, dt_error *e)
{
    char text[64];
    dt_buf b;
    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_buf_printf(&b, "PRAGMA max_page_count = %lld", (long long)s->size_mib * PAGES_PER_MIB);
    int rc = exec(s, text, "opening", e);
    for (int i = 0; rc == 0 && i < STMT_SYNC_FULL; i++) {
        if (sqlite3_prepare_v3(s->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[i],
                               NULL) != SQLITE_OK) {
            store_error(s, "opening", e);
            rc = dt_error_set(e, DT_E_PARSE,
                              "store %s: %s; its tables are not those of this program", s->path,
                              sqlite3_errmsg(s->db));
        }
    }
    return rc;
}

static int open_database(dt_store *s, dt_error *e)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
        return store_error(s, "opening", e);
    s->deadline = mono_now() + DT_STORE_OPEN_MS;
    int rc = configure(s, e);
    if (rc == 0)
        rc = prepare_schema(s, e);
    if (rc == 0)
        rc = use_wal(s, e);
    if (rc == 0)
        rc = prepare_statements(s, e);
    if (rc == 0 && sqlite3_db_readonly(s->db, "main") != 0)
        rc = dt_error_set(e, DT_E_PERMISSION, "store %s cannot be written", s->path);
    return rc;
}

int dt_store_open(char const *path, int size_mib, dt_store **out, dt_error *e)
{
    *out = NULL;
    dt_store *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return dt_error_set(e, DT_E_NOMEM, "out of memory");
    pthread_mutex_init(&s->lock, NULL);
    s->pid = getpid();
    s->size_mib = size_mib;
    int rc = dt_store_path_check(path, s->path, e);
    if (rc == 0) {
        rc = dt_store_cache_new(&s->cache);
        if (rc != 0)
            dt_error_set(e, rc, "store %s: no memory or randomness", s->path);
    }
    if (rc == 0)
        rc = open_database(s, e);
    if (rc != 0) {
        dt_store_close(&s);
        return rc;
    }
    *out = s;
    return DT_OK;
}

void dt_store_close(dt_store **store)
{
    if (store == NULL || *store == NULL)
        return;
    dt_store *s = *store;
    *store = NULL;
    /* In a forked child the connection is the parent's: closing it would write to its file. */
    if (s->pid != getpid())
        return;
    for (int i = 0; i < STMT_COUNT; i++)
        sqlite3_finalize(s->stmt[i]);
    sqlite3_close(s->db);
    dt_store_cache_free(&s->cache);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
