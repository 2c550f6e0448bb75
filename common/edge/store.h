/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store: performs dt_store_op. SQLite in WAL mode; what every sign-on reads is also kept in memory. The
 * one file that knows SQLite.
 * store_sqlite.c defines it. */
#ifndef DT_EDGE_STORE_H
#define DT_EDGE_STORE_H

#include "core/base/step.h"
#include "edge/store_spare.h"

typedef struct dt_store dt_store;

#define DT_STORE_BUSY_MS 250       /* longest wait for another process's lock */
#define DT_STORE_OPEN_MS 5000      /* the same while opening: many logins may do so at once */
#define DT_STORE_SIZE_DEFAULT 1024 /* MiB of the file: [store] size_limit */

/* Opens (creating it 0600 in an existing directory that others cannot write). DT_E_PERMISSION,
 * DT_E_IO, DT_E_PARSE (not ours, or of a newer version). One object may be used by many threads. Waits
 * for other processes for DT_STORE_OPEN_MS at most, then DT_E_UNAVAILABLE. */
/* The file grows to `size_mib` MiB. Each table has its number of rows, by that size (the registry of
 * devices has none); a quarter of the file is kept for limits. A new row takes the place of expired
 * rows of its table; where nothing has expired, it is refused. */
DT_MUST_USE int dt_store_open(char const *path, int size_mib, dt_store **out, dt_error *e);
void dt_store_close(dt_store **s);
/* From now on, limits that the file does not take are kept in `spare`, which outlives the store, and are
 * moved into the file (dt_store_tick) once it takes them. Before any other thread uses the store. */
void dt_store_use_spare(dt_store *s, dt_spare *spare);

/* Performs one operation. The answer's bytes live in `scratch` (reset by the call), which is the
 * caller's, so calls from several threads do not meet. Never blocks longer than
 * DT_STORE_BUSY_MS plus the disk. What a GET of a device, an answer or a remembered MFA returns may be 10 ms
 * old, and 1 s while another thread writes. Rows past `expires` are not found. */
void dt_store_do(dt_store *s, dt_store_op const *op, dt_time now, dt_buf *scratch,
                 dt_store_result *out);

/* A remembered MFA must not last longer because a clock is set back: the highest time that was ever given
 * to any process is kept on disk (within a minute), and when a time comes that lies more than two minutes
 * after it, all rows of DT_TABLE_REMEMBERED are dropped, and that time is the highest from then on.
 * Until it is done, operations on that table fail. */

/* Drops rows past their time (each second, and without a pause while there are many), and forgets what is
 * kept in memory when another process has written. Call it every 200 ms. */
void dt_store_tick(dt_store *s, dt_time now);

/* Walks a table's unexpired rows in key order: for `device list`. The callback returns 0 to go on. */
typedef int dt_store_row_fn(void *ctx, char const *key, dt_bytes value, dt_time expires);
DT_MUST_USE int dt_store_each(dt_store *s, dt_store_table t, dt_time now, dt_store_row_fn *fn,
                              void *ctx, dt_error *e);

#endif
