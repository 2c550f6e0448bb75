/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room signals: what others say has happened to a device or a person, read strictly and made one kind of news.
 *
 * Begin with news.h: a dt_news says that something is worth a new look-up, and where that was heard. News is never
 * believed: whoever takes it asks the services again, and decides by their answers alone. So forged news costs
 * requests, and no trust is ever gained by it.
 *
 * set.h reads Security Event Tokens (SSF, CAEP, RISC), with jwks.h for the keys that sign them and subject.h for whom
 * they are about; seen.h remembers which came before. ssf.h has what is said with a transmitter besides. okta_hook.h reads
 * the event hooks of Okta.
 *
 * This header brings the room's words; include the others one by one. */
#ifndef DT_CORE_SIGNALS_H
#define DT_CORE_SIGNALS_H

#include "core/base/base.h"

/* Where news was heard. Each has a name and its word. */
#define DT_NEWS_SOURCES(X)                                                                         \
    X(ENTRA_DELTA, "entra-delta")                                                                  \
    X(CAEP, "caep")                                                                                \
    X(OKTA_HOOK, "okta-hook")                                                                      \
    X(RECHECK, "recheck")                                                                          \
    X(OPERATOR, "operator")

/* What kind of id news names its device or person by. */
#define DT_NEWS_ABOUTS(X)                                                                          \
    X(ENTRA_DEVICE, "entra-device")                                                                \
    X(INTUNE_DEVICE, "intune-device")                                                              \
    X(OKTA_DEVICE, "okta-device")                                                                  \
    X(OKTA_USER, "okta-user")                                                                      \
    X(LOGIN, "login")

/* What is said to have changed. */
#define DT_NEWS_WHATS(X)                                                                           \
    X(COMPLIANCE, "compliance")                                                                    \
    X(LIFECYCLE, "lifecycle")                                                                      \
    X(SESSION_REVOKED, "session-revoked")                                                          \
    X(CREDENTIAL, "credential")

#define DT_NEWS_ENUM(NAME, word) , DT_NEWS_##NAME
typedef enum dt_news_source {
    DT_NEWS_SOURCE_NONE = 0 DT_NEWS_SOURCES(DT_NEWS_ENUM)
} dt_news_source;
typedef enum dt_news_about { DT_NEWS_ABOUT_NONE = 0 DT_NEWS_ABOUTS(DT_NEWS_ENUM) } dt_news_about;
typedef enum dt_news_what { DT_NEWS_WHAT_NONE = 0 DT_NEWS_WHATS(DT_NEWS_ENUM) } dt_news_what;
#undef DT_NEWS_ENUM

#endif
