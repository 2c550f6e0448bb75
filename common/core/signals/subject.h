/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom an event is about: subject identifiers (RFC 9493; OpenID Shared Signals Framework 1.0 section 3) as news.
 *
 * An identifier that could mean several things becomes news about each of them, because a look-up too many does no
 * harm: a GUID of a device may be Entra's or Intune's. What names nobody that devtrust knows makes no news. */
#ifndef DT_CORE_SUBJECT_H
#define DT_CORE_SUBJECT_H

#include "core/base/json.h"
#include "core/signals/news.h"

#define DT_SUBJECT_ALIASES_MAX 8 /* identifiers of one "aliases" */
#define DT_SUBJECT_NEWS_MAX 16   /* pieces of news that one event makes at most */

/* News in the making: what each piece will say, and those made so far. */
typedef struct dt_news_list {
    dt_news_source source;
    dt_news_what what;
    char const *reference;
    char const *okta_issuer; /* the org's URL: an iss_sub of it names a user of Okta; NULL: none */
    dt_time at;
    dt_news items[DT_SUBJECT_NEWS_MAX];
    size_t count;
} dt_news_list;

/* Appends a piece of news unless there is the same already. False when the id has another form, or the list is full. */
bool dt_news_list_add(dt_news_list *l, dt_news_about about, char const *id);
/* Appends what the subject names. NULL, or what is wrong with its form: then nothing was appended that counts. A
 * format that is not known names nobody. Pure; thread safe. */
char const *dt_subject_read(dt_json const *subject, dt_news_list *l);

#endif
