/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One piece of news: somebody said that something has changed about a device or a person. It is a reason to ask the
 * services again, and nothing else.
 *
 * News travels as one line of JSON, {"v":1,"at":...,"source":...,"about":...,"id":...,"what":...,"ref":...}, from the
 * program that hears it to those that hold sessions (edge/news_file.h). */
#ifndef DT_CORE_NEWS_H
#define DT_CORE_NEWS_H

#include "core/signals/signals.h"

#define DT_NEWS_REFERENCE_MAX                                                                      \
    128 /* the jti or event id as it is kept for the log, its NUL included */
/* Longest line, without its end: each byte of the id and of the reference may take six as \uXXXX. */
#define DT_NEWS_LINE_MAX 3072

typedef struct dt_news {
    dt_time
        at; /* when this host heard it, by its own clock. A look-up that began later knows it already. */
    dt_news_source source;
    dt_news_about about;
    dt_news_what what;
    /* GUIDs in the form of dt_guid. A login is as it was written: compare it without case. */
    char id[DT_LOGIN_MAX];
    char reference[DT_NEWS_REFERENCE_MAX]; /* of the event at its source, for the log; may be "" */
} dt_news;

/* Makes news of its parts, strictly: `id` must have the form of `about` (a GUID; an id of Okta's own form; a login of
 * printable UTF-8 without blanks). A reference that is too long is cut, what cannot be shown in it is escaped; NULL
 * is "". DT_E_INVALID, and *out is zero, when something is not of its form. Pure; thread safe. */
DT_MUST_USE int dt_news_make(dt_news_source source, dt_news_about about, char const *id,
                             dt_news_what what, char const *reference, dt_time at, dt_news *out);
/* Appends the line and its '\n'. DT_E_INVALID for what dt_news_make would not have made; DT_E_LIMIT, DT_E_NOMEM. */
DT_MUST_USE int dt_news_put_line(dt_news const *n, dt_buf *out);
/* Reads one line, without its '\n': exactly the members above, each of its form. DT_E_PARSE, DT_E_LIMIT, DT_E_NOMEM;
 * *out is zero then. */
DT_MUST_USE int dt_news_read_line(dt_bytes line, dt_news *out);

/* The words; NULL for what is none of them. */
char const *dt_news_source_word(dt_news_source s);
char const *dt_news_about_word(dt_news_about a);
char const *dt_news_what_word(dt_news_what w);

#endif
