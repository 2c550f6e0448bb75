/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files about open sessions share: session_book.c (the rows), session_recheck.c (looking again),
 * session_loss.c (what is done). On the loop's thread, but for session_book.c, which other threads use when there is much to
 * write. */
#ifndef DT_DRIVER_SESSION_INTERNAL_H
#define DT_DRIVER_SESSION_INTERNAL_H

#include "driver/internal.h"
#include "driver/sessions.h"
#include "edge/news_file.h"

#include <stdatomic.h>

#define DT_SESSION_TICK_MS 100
#define DT_SESSION_TOGETHER                                                                        \
    DT_SECONDS(2) /* an answer is good for the other sessions of the device */
#define DT_SESSION_LIST_EVERY DT_SECONDS(10) /* the list is read so often, or more often */
#define DT_SESSION_NEWS_BATCH 64             /* pieces of news that one tick takes */
#define DT_SESSION_CHECKS_MAX 64             /* under way at a time */
#define DT_SESSION_TRIES_MAX 5               /* to end one session */
#define DT_SESSION_RETRY DT_SECONDS(10)      /* between two of them */
#define DT_SESSION_SAY_AGAIN DT_MINUTES(10)  /* between two lines of one kind in the log */
#define DT_SESSION_NODE_KEPT                                                                       \
    3 /* rechecks that a node may miss before others look after its sessions */
#define DT_SESSION_EARLY_STOP                                                                      \
    DT_SECONDS(30) /* that the clocks of a NAS and of this host may differ */

#define DT_SESSION_NOTES_MAX 1024 /* more are written by who brings them */
#define DT_SESSION_WRITTEN_SLOTS 4096
#define DT_SESSION_WRITTEN_KEPT DT_SECONDS(2)
#define DT_SESSION_ENTRY_KEY_MAX 80 /* "session:" and a digest in hex */

/* A session as it is remembered between two looks at it. */
typedef struct dt_session_entry {
    char key[DT_SESSION_ENTRY_KEY_MAX];
    char login[DT_LOGIN_MAX];
    dt_guid device_id, entra_id; /* as found when it was last looked at; unset: not yet */
    char okta_user_id[DT_OKTA_ID_MAX];
    dt_time known;        /* when it was last certain; the first look counts as certain */
    dt_time due;          /* monotonic milliseconds */
    dt_time known_since;  /* what is older is to be asked again */
    dt_time wanted_since; /* the same, because of news */
    bool asks_person;     /* news was about the person */
    bool busy;
    bool urgent;           /* an administrator wants it ended */
    bool soon;             /* it is looked at before it is due, which stays as it is */
    bool by_rules;         /* because rules have changed: what is kept of the device will do */
    dt_news_source source; /* why it is looked at */
    char reference[DT_NEWS_REFERENCE_MAX];
} dt_session_entry;

typedef struct dt_sessions {
    struct event *timer;
    dt_session_entry *entries; /* sorted by device, then key */
    size_t count, room;
    int64_t read_at, pass_at; /* monotonic: when the list was read, and is read next */
    uint64_t generation;      /* of the site at the last look */
    dt_news_follower *news;   /* NULL: none is followed */
    char *news_path;          /* that it follows; or NULL */
    int checks;               /* under way */
    _Atomic(int64_t) said_unreadable, said_failed, said_too_many;
    atomic_int notes;    /* of doors, that wait for the loop */
    atomic_bool changed; /* there may be sessions that are not on the list */
    /* What was written a moment ago: a sign-on that says the same is not written again. */
    _Atomic(uint64_t) written[DT_SESSION_WRITTEN_SLOTS];
    _Atomic(int64_t) written_at[DT_SESSION_WRITTEN_SLOTS]; /* monotonic milliseconds */
    _Atomic(uint64_t) ends;                                /* sessions that were said to end */
    size_t unreadable;
} dt_sessions;

/* --- session_book.c --- */
/* The row of a key. NOT_FOUND; PARSE: it cannot be read. What the session borrows points into `row`. */
DT_MUST_USE int dt_session_row_get(dt_driver *d, char const *key, dt_buf *row, dt_session *out);
/* Writes it in place of `row`, unless that has changed meanwhile: DT_E_STATE. DT_E_UNAVAILABLE. */
DT_MUST_USE int dt_session_row_replace(dt_driver *d, char const *key, dt_bytes row,
                                       dt_session const *s);
void dt_session_row_delete(dt_driver *d, char const *key);
/* How often sessions are looked at; 0 = never. */
dt_time dt_sessions_interval(dt_driver *d);
/* A line for the door's log, not more than one of its kind within DT_SESSION_SAY_AGAIN. */
void dt_sessions_say(dt_driver *d, _Atomic(int64_t) *said, char const *text);

/* --- session_recheck.c --- */
DT_MUST_USE int dt_sessions_open(dt_driver *d);
void dt_sessions_close(dt_driver *d);
/* A reason to look now at what the pieces of news are about. */
void dt_sessions_news(dt_driver *d, dt_news const *news, size_t count);

/* --- session_loss.c --- */
/* It no longer meets its rule, for this cause; or did not before, and what is to be done has not succeeded. */
typedef struct dt_session_loss {
    char const *key;
    dt_bytes row;
    dt_session const *session;
    char const *cause;
    dt_outcome const *now; /* how it is decided now */
    dt_news_source source;
    char const *reference;
    dt_on_loss on_loss;
} dt_session_loss;
void dt_session_lost(dt_driver *d, dt_session_loss const *l);

#endif
