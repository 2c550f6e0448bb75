/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file through which devtrust-signals hands news (core/signals/news.h) to the processes that hold sessions: one
 * writer appends lines, any number of readers follow it. Nothing that stands in it is believed, so whoever can write
 * it can cause look-ups, and no more. Linux's inotify is here. */
#ifndef DT_EDGE_NEWS_FILE_H
#define DT_EDGE_NEWS_FILE_H

#include "core/signals/news.h"

#define DT_NEWS_FILE_MAX                                                                           \
    (256 * 1024)               /* bytes at which the file becomes PATH.1 and a new one begins */
#define DT_NEWS_FILE_MODE 0640 /* the group is the directory's, which has the setgid bit */
#define DT_NEWS_BATCH_MAX 512  /* lines of one append */
/* Where inotify gives nothing (the directory was made later, or is on another host), a reader looks this often. */
#define DT_NEWS_LINES_MAX 4096 /* lines that one read goes over, news or not */
#define DT_NEWS_LOOK DT_SECONDS(1)

/* --- writing ----------------------------------------------------------------------------------------- */

typedef struct dt_news_writer dt_news_writer;

/* Opens the file at the end, or makes it. Its directory must be there. A second writer of the same directory is
 * refused (DT_E_EXISTS). `max` is DT_NEWS_FILE_MAX but in tests. DT_E_NOT_FOUND, DT_E_PERMISSION, DT_E_IO, DT_E_NOMEM
 * with what to do. One thread at a time. */
DT_MUST_USE int dt_news_writer_open(char const *path, size_t max, dt_news_writer **out,
                                    dt_error *e);
/* Appends up to DT_NEWS_BATCH_MAX pieces of news with one write. After DT_OK every reader will find all of them;
 * after a failure maybe some: append the same again, twice does no harm. A file that somebody removed or replaced is
 * made anew. */
DT_MUST_USE int dt_news_writer_append(dt_news_writer *w, dt_news const *news, size_t count,
                                      dt_error *e);
void dt_news_writer_close(dt_news_writer **w);

/* --- reading ----------------------------------------------------------------------------------------- */

typedef struct dt_news_follower dt_news_follower;

/* Follows PATH from what is in PATH.1 and PATH now and has an `at` of `since` or later (0: all of it; what is
 * appended from now on comes whatever its `at`). The file and its directory need not be there yet. DT_E_NOMEM,
 * DT_E_LIMIT for a path that is too long. One thread at a time. */
DT_MUST_USE int dt_news_follower_open(char const *path, dt_time since, dt_news_follower **out);
/* A descriptor to wait for: readable when dt_news_follower_read may have something. -1 where there is none now. It
 * may change with every read. Owned by the follower. */
int dt_news_follower_fd(dt_news_follower const *f);
/* Takes up to `max` pieces of news, in the order in which they were appended. Returns how many; when that is `max`,
 * ask again at once. Never waits. A file that cannot be read is one in which there is nothing new. */
size_t dt_news_follower_read(dt_news_follower *f, dt_news *out, size_t max);
/* How many lines were no news, since the opening: they are skipped. */
uint64_t dt_news_follower_skipped(dt_news_follower const *f);
void dt_news_follower_close(dt_news_follower **f);

#endif
