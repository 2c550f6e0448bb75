/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store on SQLite in WAL mode. One connection, used by one thread at a time; what is read on
 * every sign-on is answered from memory (store_hot.c) without coming here.
 *
 * Rows of hot tables carry a sequence number that every change raises, and a deleted one stays for a
 * while as a tombstone (no value). So another process's changes are found by asking for the rows
 * above the number seen last, and only when PRAGMA data_version says that there are any. */
#include "edge/store.h"

#include "edge/store_hot.h"
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
#define SCHEMA_VERSION 2

#define PAGES_PER_MIB 256 /* of 4 KiB */
#define SOFT_PERCENT 75   /* of the file may be used by all but limits and the registry */
#define HIT_TRUST_MS 1000 /* a row in memory is believed this long without a look at the disk */
#define MISS_TRUST_MS 10  /* that a row is not there, this long */
#define MISS_TRUST_BUSY_MS 1000 /* the same while another thread holds the connection */
#define PURGE_INTERVAL DT_SECONDS(1)
#define PURGE_ROWS_MAX 1000 /* of a table in one go, so that nobody waits long for the lock */
#define PURGE_PER_ROW 2     /* with each new row of a table: so no writer is faster than this */
#define PURGE_WHEN_FULL 256
#define HOT_EXPIRE_INTERVAL DT_MINUTES(1)
#define MERGE_ROWS_MAX 64 /* moved from memory into the store in one tick */
#define TOMBSTONE_LIFETIME DT_HOURS(1)
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
    STMT_ENTOMB,
    STMT_NEXT_SEQ,
    STMT_META,
    STMT_CHANGED,
    STMT_DATA_VERSION,
    STMT_NOTE_PURGED,
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
    [STMT_GET] = "SELECT value, count, expires FROM rows WHERE tbl = ?1 AND key = ?2 "
                 "AND value IS NOT NULL AND expires > ?3",
    [STMT_UPDATE] = "UPDATE rows SET value = ?3, count = ?4, expires = ?5, seq = ?6 "
                    "WHERE tbl = ?1 AND key = ?2",
    [STMT_INSERT] = "INSERT INTO rows (tbl, key, value, count, expires, seq) "
                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STMT_DELETE] = "DELETE FROM rows WHERE tbl = ?1 AND key = ?2",
    [STMT_ENTOMB] = "UPDATE rows SET value = NULL, count = 0, expires = ?3, seq = ?4 "
                    "WHERE tbl = ?1 AND key = ?2",
    [STMT_NEXT_SEQ] = "UPDATE meta SET seq = seq + 1 RETURNING seq",
    [STMT_META] = "SELECT seq, purged FROM meta",
    [STMT_CHANGED] = "SELECT tbl, key, value, count, expires, seq FROM rows WHERE seq > ?1 "
                     "ORDER BY seq",
    [STMT_DATA_VERSION] = "PRAGMA data_version",
    [STMT_NOTE_PURGED] = "UPDATE meta SET purged = max(purged, ?1)",
    /* The oldest first; of each, its number if it is a tombstone. */
    [STMT_PURGE] = "DELETE FROM rows WHERE rowid IN (SELECT rowid FROM rows WHERE tbl = ?1 "
                   "AND expires <= ?2 ORDER BY expires LIMIT ?3) "
                   "RETURNING iif(value IS NULL, seq, 0)",
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
                  "AND value IS NOT NULL AND expires > ?3 ORDER BY key LIMIT ?4",
    /* In no table that an operation can name. */
    [STMT_CLOCK] = "SELECT coalesce((SELECT count FROM rows WHERE tbl = 0 AND key = 'clock'), 0)",
    [STMT_NOTE_CLOCK] = "INSERT INTO rows (tbl, key, value, count, expires, seq) "
                        "VALUES (0, 'clock', '', ?1, 9223372036854775807, 0) "
                        "ON CONFLICT (tbl, key) DO UPDATE SET count = excluded.count",
    [STMT_FORGET_MFA] = "UPDATE rows SET value = NULL, count = 0, expires = ?2, seq = ?3 "
                        "WHERE tbl = ?1 AND value IS NOT NULL",
    [STMT_SYNC_FULL] = "PRAGMA synchronous = FULL",
    [STMT_SYNC_NORMAL] = "PRAGMA synchronous = NORMAL",
};

/* One thread at a time, with a limit on the wait by the monotonic clock (a plain mutex has none). */
typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t left;
    bool taken;
} gate;

struct dt_store {
    char path[DT_STORE_PATH_MAX];
    pid_t pid; /* an SQLite connection must not be used in a forked child */
    gate gate;
    /* behind the gate */
    sqlite3 *db;
    sqlite3_stmt *stmt[STMT_COUNT];
    int64_t deadline; /* of the operation under way: monotonic milliseconds */
    int64_t data_version;
    int64_t seq_seen;
    int64_t purged_at; /* monotonic milliseconds */
    int64_t hot_expired_at;
    bool purge_again; /* more has expired than was dropped at once */
    int size_mib;
    /* free for all */
    dt_spare *spare;       /* borrowed, or NULL */
    _Atomic int64_t clock; /* the highest time that is known to have been; 0: not read yet */
    dt_hot *hot;
    atomic_bool loaded;
    atomic_uint reloads;       /* odd while memory is being filled anew */
    _Atomic int64_t refreshed; /* monotonic milliseconds of the last look at the disk */
};

static int64_t mono_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- the gate --------------------------------------------------------------------------------- */

static void gate_init(gate *g)
{
    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&g->left, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void gate_destroy(gate *g)
{
    pthread_cond_destroy(&g->left);
    pthread_mutex_destroy(&g->lock);
}

static bool gate_enter(gate *g, int64_t deadline)
{
    struct timespec until = {.tv_sec = deadline / 1000, .tv_nsec = (deadline % 1000) * 1000000};
    pthread_mutex_lock(&g->lock);
    int rc = 0;
    while (g->taken && rc == 0)
        rc = pthread_cond_timedwait(&g->left, &g->lock, &until);
    bool entered = !g->taken;
    g->taken = g->taken || entered;
    pthread_mutex_unlock(&g->lock);
    return entered;
}

static void gate_leave(gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->taken = false;
    pthread_cond_signal(&g->left);
    pthread_mutex_unlock(&g->lock);
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
        return "; another process holds it";
    case DT_E_PARSE:
        return "; it is damaged or not a store: move it away, a new one is made at the next start";
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

static bool table_is_hot(dt_store_table t)
{
    return t == DT_TABLE_DEVICE || t == DT_TABLE_LOOKUP || t == DT_TABLE_REMEMBERED;
}

/* --- rows on disk; behind the gate, within a transaction where they write ---------------------- */

typedef struct row {
    bool found;
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
    sqlite3_bind_int64(st, 3, now);
    int rc = sqlite3_step(st);
    int result = DT_OK;
    if (rc == SQLITE_ROW) {
        out->found = true;
        dt_buf_put(value, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
        out->count = sqlite3_column_int64(st, 1);
        out->expires = sqlite3_column_int64(st, 2);
        if (dt_buf_error(value) != 0)
            result = dt_error_set(e, dt_buf_error(value), "store %s: no room for a row's value",
                                  s->path);
    } else if (rc != SQLITE_DONE) {
        result = store_error(s, "reading", e);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return result;
}

/* A number for a change to a hot table; 0 for the others, which nobody keeps in memory. */
static int next_seq(dt_store const *s, dt_store_table table, int64_t *out, dt_error *e)
{
    *out = 0;
    return table_is_hot(table) ? run_number(s, STMT_NEXT_SEQ, out, e) : DT_OK;
}

/* --- how many rows there may be --------------------------------------------------------------- */

/* Rows of each table for each MiB of the file. Together those of limits take less than a quarter of
 * it, which is kept for them. */
static int64_t rows_max(dt_store const *s, dt_store_op const *op)
{
    static int const per_mib[DT_TABLE_COUNT] = {
        [DT_TABLE_LOOKUP] = 1000,    [DT_TABLE_REMEMBERED] = 1000, [DT_TABLE_PUSH] = 64,
        [DT_TABLE_PUSH_COUNT] = 512, [DT_TABLE_STATE] = 32,        [DT_TABLE_PASSWORD_COUNT] = 384,
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
    int64_t tombstone = 0;
    int rc;

    *dropped = 0;
    sqlite3_bind_int(st, 1, (int)table);
    sqlite3_bind_int64(st, 2, now);
    sqlite3_bind_int(st, 3, most);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        int64_t seq = sqlite3_column_int64(st, 0);

        tombstone = seq > tombstone ? seq : tombstone;
        (*dropped)++;
    }
    int result = rc == SQLITE_DONE ? DT_OK : store_error(s, "purging", e);
    sqlite3_reset(st);
    if (result == DT_OK && tombstone > 0) {
        sqlite3_bind_int64(statement(s, STMT_NOTE_PURGED), 1, tombstone);
        result = run(s, STMT_NOTE_PURGED, "purging", e);
    }
    return result == DT_OK && *dropped > 0 ? add_rows(s, table, -*dropped, e) : result;
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

/* The first of the rows that belong to the same owner, and what lies behind the last of them. */
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
                          "store %s: no more rows fit its table %s; [store] size_limit is %d MiB",
                          s->path, dt_store_table_name(op->table), s->size_mib);
    return rc == DT_OK ? add_rows(s, op->table, 1, e) : rc;
}

static void bind_row(sqlite3_stmt *st, dt_store_op const *op, dt_bytes value, row const *r,
                     int64_t seq)
{
    bind_key(st, op->table, op->key);
    /* A NULL pointer would bind NULL, which is a tombstone. */
    sqlite3_bind_blob(st, 3, value.len == 0 ? "" : (void const *)value.p, (int)value.len,
                      SQLITE_STATIC);
    sqlite3_bind_int64(st, 4, r->count);
    sqlite3_bind_int64(st, 5, r->expires);
    sqlite3_bind_int64(st, 6, seq);
}

static int row_put(dt_store const *s, dt_store_op const *op, dt_time now, dt_bytes value,
                   row const *r, int64_t *seq, dt_error *e)
{
    int rc = next_seq(s, op->table, seq, e);
    if (rc != 0)
        return rc;
    bind_row(statement(s, STMT_UPDATE), op, value, r, *seq);
    rc = run(s, STMT_UPDATE, "writing", e);
    if (rc != 0 || sqlite3_changes(s->db) > 0)
        return rc;
    rc = make_room(s, op, now, e);
    if (rc != 0)
        return rc;
    bind_row(statement(s, STMT_INSERT), op, value, r, *seq);
    return run(s, STMT_INSERT, "writing", e);
}

static int row_remove(dt_store const *s, dt_store_op const *op, dt_time now, int64_t *seq,
                      dt_error *e)
{
    int rc = next_seq(s, op->table, seq, e);
    if (rc != 0)
        return rc;
    int which = table_is_hot(op->table) ? STMT_ENTOMB : STMT_DELETE;
    sqlite3_stmt *st = statement(s, which);
    bind_key(st, op->table, op->key);
    if (which == STMT_ENTOMB) {
        sqlite3_bind_int64(st, 3, now + TOMBSTONE_LIFETIME);
        sqlite3_bind_int64(st, 4, *seq);
    }
    rc = run(s, which, "deleting", e);
    if (rc == 0 && which == STMT_DELETE && sqlite3_changes(s->db) > 0)
        rc = add_rows(s, op->table, -1, e);
    return rc;
}

/* --- memory ----------------------------------------------------------------------------------- */

static void apply_changed_row(dt_store *s, sqlite3_stmt *st)
{
    dt_hot_row r = {
        .table = (dt_store_table)sqlite3_column_int(st, 0),
        .key = (char const *)sqlite3_column_text(st, 1),
        .count = sqlite3_column_int64(st, 3),
        .expires = sqlite3_column_int64(st, 4),
    };
    if (r.key == NULL || !table_is_hot(r.table))
        return;
    if (sqlite3_column_type(st, 2) == SQLITE_NULL) {
        dt_hot_remove(s->hot, r.table, r.key);
        return;
    }
    void const *value = sqlite3_column_blob(st, 2);
    r.value = dt_bytes_of(value, (size_t)sqlite3_column_bytes(st, 2));
    dt_hot_put(s->hot, &r);
}

static int apply_changes(dt_store *s, dt_error *e)
{
    sqlite3_stmt *st = statement(s, STMT_CHANGED);
    sqlite3_bind_int64(st, 1, s->seq_seen);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        apply_changed_row(s, st);
        s->seq_seen = sqlite3_column_int64(st, 5);
    }
    int result = rc == SQLITE_DONE ? DT_OK : store_error(s, "reading", e);
    sqlite3_reset(st);
    return result;
}

/* Starts from nothing: readers go to the disk until it is done. */
static int reload(dt_store *s, dt_error *e)
{
    atomic_store(&s->loaded, false);
    atomic_fetch_add(&s->reloads, 1);
    dt_hot_clear(s->hot);
    s->seq_seen = 0;
    int rc = apply_changes(s, e);
    atomic_fetch_add(&s->reloads, 1);
    atomic_store(&s->loaded, rc == 0);
    return rc;
}

/* Tombstones that went before this process saw them make the change list incomplete. */
static int catch_up(dt_store *s, dt_error *e)
{
    int64_t purged = 0;
    sqlite3_stmt *st = statement(s, STMT_META);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        purged = sqlite3_column_int64(st, 1);
    int result = rc == SQLITE_ROW ? DT_OK : store_error(s, "reading", e);
    sqlite3_reset(st);
    if (result != 0)
        return result;
    return !atomic_load(&s->loaded) || s->seq_seen < purged ? reload(s, e) : apply_changes(s, e);
}

/* Brings memory up to what is on disk. Behind the gate. */
static int refresh(dt_store *s, dt_error *e)
{
    int64_t now = mono_now();
    int64_t version = 0;
    int rc = run_number(s, STMT_DATA_VERSION, &version, e);
    if (rc == 0 && (version != s->data_version || !atomic_load(&s->loaded))) {
        rc = run(s, STMT_BEGIN_READ, "reading", e);
        if (rc == 0)
            rc = catch_up(s, e);
        if (!sqlite3_get_autocommit(s->db))
            (void)run(s, STMT_COMMIT, "reading", NULL);
        if (rc == 0)
            s->data_version = version;
    }
    if (rc == 0)
        atomic_store(&s->refreshed, now);
    return rc;
}

/* What was just committed, so that this process need not read it back. */
static void remember(dt_store *s, dt_store_op const *op, dt_bytes value, row const *r, bool removed,
                     int64_t seq)
{
    if (seq == 0 || !atomic_load(&s->loaded))
        return;
    if (removed) {
        dt_hot_remove(s->hot, op->table, op->key);
    } else {
        dt_hot_row h = {op->table, op->key, value, r->count, r->expires};
        dt_hot_put(s->hot, &h);
    }
    /* With a gap before it, another process's change is still to be read. */
    if (seq == s->seq_seen + 1)
        s->seq_seen = seq;
}

/* --- operations that write -------------------------------------------------------------------- */

/* What a transaction did, for memory to follow. */
typedef struct change {
    bool put, removed;
    row row;
    dt_bytes value;
    int64_t seq;
} change;

static int do_put(dt_store *s, dt_store_op const *op, dt_time now, change *c, dt_error *e)
{
    c->put = true;
    c->value = op->value;
    c->row.expires = op->expires;
    return row_put(s, op, now, c->value, &c->row, &c->seq, e);
}

static int do_remove(dt_store *s, dt_store_op const *op, dt_time now, change *c, dt_error *e)
{
    c->removed = true;
    return row_remove(s, op, now, &c->seq, e);
}

static int do_count(dt_store *s, dt_store_op const *op, dt_time now, row const *old, change *c,
                    dt_store_result *out, dt_error *e)
{
    out->count = c->row.count = old->found ? old->count : 0;
    if (op->most > 0 && c->row.count >= op->most) {
        out->status = DT_STORE_EXISTS;
        return DT_OK;
    }
    c->put = true;
    c->row.count += c->row.count < INT64_MAX;
    c->row.expires = old->found ? old->expires : op->expires;
    out->count = c->row.count;
    return row_put(s, op, now, c->value, &c->row, &c->seq, e);
}

static int do_uncount(dt_store *s, dt_store_op const *op, dt_time now, row const *old, change *c,
                      dt_store_result *out, dt_error *e)
{
    if (old->count <= 1)
        return do_remove(s, op, now, c, e);
    c->put = true;
    c->row = *old;
    out->count = --c->row.count;
    return row_put(s, op, now, c->value, &c->row, &c->seq, e);
}

/* The verbs, each on the row as it is within the transaction. */
static int do_verb(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch, change *c,
                   dt_store_result *out, dt_error *e)
{
    row old = {0};
    int rc = op->verb == DT_STORE_PUT ? DT_OK : row_get(s, op, now, scratch, &old, e);
    if (rc != 0)
        return rc;
    out->status = DT_STORE_OK;
    switch (op->verb) {
    case DT_STORE_PUT:
        return do_put(s, op, now, c, e);
    case DT_STORE_PUT_IF_ABSENT:
        if (!old.found)
            return do_put(s, op, now, c, e);
        out->status = DT_STORE_EXISTS;
        return DT_OK;
    case DT_STORE_REPLACE:
        if (old.found && dt_bytes_equal(dt_buf_bytes(scratch), op->expected)) {
            dt_buf_reset(scratch);
            return do_put(s, op, now, c, e);
        }
        out->status = old.found ? DT_STORE_EXISTS : DT_STORE_NOT_FOUND;
        return DT_OK;
    case DT_STORE_TAKE:
    case DT_STORE_DELETE:
        if (op->verb == DT_STORE_DELETE)
            dt_buf_reset(scratch);
        if (old.found)
            return do_remove(s, op, now, c, e);
        out->status = DT_STORE_NOT_FOUND;
        return DT_OK;
    case DT_STORE_COUNT:
        dt_buf_reset(scratch);
        return do_count(s, op, now, &old, c, out, e);
    case DT_STORE_UNCOUNT:
        dt_buf_reset(scratch);
        if (old.found)
            return do_uncount(s, op, now, &old, c, out, e);
        out->status = DT_STORE_NOT_FOUND;
        return DT_OK;
    case DT_STORE_GET:
        break;
    }
    return dt_error_set(e, DT_E_INVALID, "store: no such operation");
}

static int write_in_transaction(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                                change *c, dt_store_result *out, dt_error *e)
{
    int rc = run(s, STMT_BEGIN_WRITE, "writing", e);
    if (rc == 0)
        rc = do_verb(s, op, now, scratch, c, out, e);
    if (rc == 0)
        rc = run(s, STMT_COMMIT, "writing", e);
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        (void)run(s, STMT_ROLLBACK, "writing", NULL);
    return rc;
}

static int do_write(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                    dt_store_result *out, dt_error *e)
{
    change c = {0};
    /* PRAGMA synchronous takes effect when it is compiled: hence exec, not a prepared statement. */
    int rc = DT_OK;
    if (op->sync && sqlite3_exec(s->db, statement_text[STMT_SYNC_FULL], NULL, NULL, NULL) != 0)
        rc = store_error(s, "asking for synced writes", e);
    if (rc == 0)
        rc = write_in_transaction(s, op, now, scratch, &c, out, e);
    if (op->sync)
        (void)sqlite3_exec(s->db, statement_text[STMT_SYNC_NORMAL], NULL, NULL, NULL);
    if (rc == 0 && (c.put || c.removed))
        remember(s, op, c.value, &c.row, c.removed, c.seq);
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_from_disk(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                          dt_store_result *out, dt_error *e)
{
    row r;
    int rc = row_get(s, op, now, scratch, &r, e);
    out->status = r.found ? DT_STORE_OK : DT_STORE_NOT_FOUND;
    out->count = r.count;
    return rc;
}

/* A hot row when memory alone cannot tell: look at the disk, then again at memory. */
static int read_hot_slowly(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                           dt_store_result *out, dt_error *e)
{
    int rc = refresh(s, e);
    if (rc != 0)
        return rc;
    if (dt_hot_get(s->hot, op->table, op->key, now, scratch, &out->count)) {
        out->status = DT_STORE_OK;
        return DT_OK;
    }
    if (!dt_hot_is_complete(s->hot))
        return read_from_disk(s, op, now, scratch, out, e);
    out->status = DT_STORE_NOT_FOUND;
    return DT_OK;
}

/* True when memory alone answered. */
static bool read_hot(dt_store *s, dt_store_op const *op, dt_time now, int64_t trust_miss,
                     dt_buf *scratch, dt_store_result *out)
{
    unsigned reloads = atomic_load(&s->reloads);
    int64_t age = mono_now() - atomic_load(&s->refreshed);
    if (!atomic_load(&s->loaded) || age > HIT_TRUST_MS)
        return false;
    if (dt_hot_get(s->hot, op->table, op->key, now, scratch, &out->count)) {
        out->status = DT_STORE_OK;
        return true;
    }
    bool steady = (reloads & 1) == 0 && reloads == atomic_load(&s->reloads);
    if (age > trust_miss || !steady || !dt_hot_is_complete(s->hot))
        return false;
    out->status = DT_STORE_NOT_FOUND;
    return true;
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
static int forget_mfa(dt_store *s, dt_time now, dt_error *e)
{
    int64_t seq = 0;
    int rc = run_number(s, STMT_NEXT_SEQ, &seq, e);
    sqlite3_stmt *st = statement(s, STMT_FORGET_MFA);

    if (rc != 0)
        return rc;
    sqlite3_bind_int(st, 1, DT_TABLE_REMEMBERED);
    sqlite3_bind_int64(st, 2, now + TOMBSTONE_LIFETIME);
    sqlite3_bind_int64(st, 3, seq);
    return run(s, STMT_FORGET_MFA, "forgetting remembered MFA", e);
}

/* Within a transaction. *seen becomes the highest time there was; *forgot, whether the clock was set
 * back since: another process may have seen to it already. */
static int note_clock(dt_store *s, dt_time now, int64_t *seen, bool *forgot, dt_error *e)
{
    int rc = run_number(s, STMT_CLOCK, seen, e);

    *forgot = rc == 0 && *seen - now > CLOCK_TOLERANCE;
    if (*forgot)
        rc = forget_mfa(s, now, e);
    else if (*seen >= now)
        return rc;
    if (rc != 0)
        return rc;
    *seen = now;
    sqlite3_bind_int64(statement(s, STMT_NOTE_CLOCK), 1, now);
    return run(s, STMT_NOTE_CLOCK, "noting the time", e);
}

/* Behind the gate. */
static int watch_clock(dt_store *s, dt_time now, dt_error *e)
{
    int64_t seen = 0;
    bool forgot = false;
    int rc = run(s, STMT_BEGIN_WRITE, "noting the time", e);

    if (rc == 0)
        rc = note_clock(s, now, &seen, &forgot, e);
    if (rc == 0)
        rc = run(s, STMT_COMMIT, "noting the time", e);
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        (void)run(s, STMT_ROLLBACK, "noting the time", NULL);
    if (rc != 0)
        return rc;
    if (forgot) /* it must go from memory, too */
        atomic_store(&s->loaded, false);
    atomic_store(&s->clock, seen);
    return DT_OK;
}

static int do_behind_gate(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                          dt_store_result *out, dt_error *e)
{
    if (op->table == DT_TABLE_REMEMBERED && clock_is_due(s, now)) {
        int rc = watch_clock(s, now, e);

        /* Nothing that is remembered is given out in doubt. */
        if (rc != 0 && clock_is_in_doubt(s, now))
            return rc;
    }
    if (op->verb != DT_STORE_GET)
        return do_write(s, op, now, scratch, out, e);
    return table_is_hot(op->table) ? read_hot_slowly(s, op, now, scratch, out, e)
                                   : read_from_disk(s, op, now, scratch, out, e);
}

static int perform(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                   dt_store_result *out, dt_error *e)
{
    int rc = check_op(s, op, e);
    if (rc != 0)
        return rc;
    bool hot = op->verb == DT_STORE_GET && table_is_hot(op->table) &&
               (op->table != DT_TABLE_REMEMBERED || !clock_is_due(s, now));
    if (hot && read_hot(s, op, now, MISS_TRUST_MS, scratch, out))
        return DT_OK;
    int64_t deadline = mono_now() + DT_STORE_BUSY_MS;
    /* Somebody else's slow write is no reason to wait for the news that nothing has changed. */
    if (!gate_enter(&s->gate, hot ? 0 : deadline)) {
        if (hot && read_hot(s, op, now, MISS_TRUST_BUSY_MS, scratch, out))
            return DT_OK;
        if (!hot || !gate_enter(&s->gate, deadline))
            return dt_error_set(e, DT_E_UNAVAILABLE, "store %s: too many wait for it", s->path);
    }
    s->deadline = deadline;
    rc = do_behind_gate(s, op, now, scratch, out, e);
    gate_leave(&s->gate);
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

/* What the file can still tell of a counter that it cannot write. */
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
    if (rc == 0)
        rc = run(s, STMT_COMMIT, "purging", NULL);
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        (void)run(s, STMT_ROLLBACK, "purging", NULL);
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
    if (s->hot_expired_at == 0 || at - s->hot_expired_at >= HOT_EXPIRE_INTERVAL) {
        dt_hot_expire(s->hot, now);
        s->hot_expired_at = at;
    }
}

/* Adds what was counted in memory to the row in the file. */
static int move_count(dt_store *s, dt_store_op const *op, int64_t count, dt_time now)
{
    uint8_t storage[DT_SPARE_VALUE_MAX];
    row r = {0};
    int64_t seq = 0;
    dt_buf value;

    dt_buf_init_fixed(&value, storage, sizeof(storage));
    int rc = run(s, STMT_BEGIN_WRITE, "writing", NULL);
    if (rc != 0)
        return rc;
    rc = row_get(s, op, now, &value, &r, NULL);
    r.expires = r.found ? r.expires : op->expires;
    r.count = r.count < INT64_MAX - count ? r.count + count : INT64_MAX;
    if (rc == 0)
        rc = row_put(s, op, now, dt_buf_bytes(&value), &r, &seq, NULL);
    if (rc == 0)
        rc = run(s, STMT_COMMIT, "writing", NULL);
    if (rc != 0 && !sqlite3_get_autocommit(s->db))
        (void)run(s, STMT_ROLLBACK, "writing", NULL);
    return rc;
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
    if (s->pid != getpid() || !gate_enter(&s->gate, 0))
        return;
    s->deadline = 0;
    if (clock_is_due(s, now))
        (void)watch_clock(s, now, NULL);
    if (atomic_load(&s->loaded))
        (void)refresh(s, NULL);
    if (s->purged_at == 0 || s->purge_again || mono_now() - s->purged_at >= PURGE_INTERVAL)
        purge(s, now);
    if (s->spare != NULL && !dt_spare_is_empty(s->spare))
        merge_spare(s, now);
    gate_leave(&s->gate);
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
    if (!gate_enter(&s->gate, mono_now() + DT_STORE_BUSY_MS))
        return dt_error_set(e, DT_E_UNAVAILABLE, "store %s: too many wait for it", s->path);
    s->deadline = mono_now() + DT_STORE_BUSY_MS;
    sqlite3_stmt *st = statement(s, STMT_PAGE);
    bind_key(st, t, after);
    sqlite3_bind_int64(st, 3, now);
    sqlite3_bind_int(st, 4, EACH_PAGE_ROWS);
    int rc, result = DT_OK;
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
    gate_leave(&s->gate);
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
        /* The gate is open while fn runs, so that it may use the store. */
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
    " count INTEGER NOT NULL, expires INTEGER NOT NULL, seq INTEGER NOT NULL, "
    " PRIMARY KEY (tbl, key));"
    "CREATE INDEX rows_by_age ON rows (tbl, expires);"
    "CREATE INDEX rows_by_seq ON rows (seq) WHERE seq > 0;"
    "CREATE TABLE meta (seq INTEGER NOT NULL, purged INTEGER NOT NULL);"
    "INSERT INTO meta VALUES (0, 0);"
    /* How many rows each table has, expired ones and tombstones included. */
    "CREATE TABLE tables (tbl INTEGER PRIMARY KEY, rows INTEGER NOT NULL);"
    "INSERT INTO tables VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0);"
    "PRAGMA application_id = 0x44545253;"
    "PRAGMA user_version = 2;";

/* Version 1 did not bound its tables, and had all counters in one. */
static char const from_version_1[] =
    "DROP INDEX rows_by_expiry;"
    "CREATE INDEX rows_by_age ON rows (tbl, expires);"
    "UPDATE rows SET tbl = 7 WHERE tbl = 5 AND key >= 'passwords:' AND key < 'passwords;';"
    "CREATE TABLE tables (tbl INTEGER PRIMARY KEY, rows INTEGER NOT NULL);"
    "INSERT INTO tables VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0);"
    "UPDATE tables SET rows = (SELECT count(*) FROM rows WHERE rows.tbl = tables.tbl);"
    "PRAGMA user_version = 2;";

_Static_assert(DT_TABLE_STATE == 6 && DT_TABLE_PASSWORD_COUNT == 7 && DT_TABLE_COUNT == 8,
               "the schema lists the tables by number");

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
    if (version == 1)
        return exec(s, from_version_1, "bringing it up to this version", e);
    if (version != SCHEMA_VERSION)
        return dt_error_set(e, DT_E_PARSE,
                            "store %s is of version %lld, this program knows %d; move it away or "
                            "use the program that made it",
                            s->path, (long long)version, SCHEMA_VERSION);
    return DT_OK;
}

static int prepare_schema(dt_store *s, dt_error *e)
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
            rc = dt_error_set(e, DT_E_PARSE, "store %s: %s; it is not as this program makes it",
                              s->path, sqlite3_errmsg(s->db));
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
    gate_init(&s->gate);
    s->pid = getpid();
    s->size_mib = size_mib;
    int rc = dt_store_path_check(path, s->path, e);
    if (rc == 0) {
        rc = dt_hot_new(DT_STORE_HOT_ROWS_MAX, &s->hot);
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
    dt_hot_free(&s->hot);
    gate_destroy(&s->gate);
    free(s);
}
