/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Security Event Tokens (RFC 8417) as the OpenID Shared Signals Framework 1.0 has them (sections 4, 5 and 8.1.4), with
 * the events of CAEP 1.0 and RISC 1.0: checked strictly, and made news.
 *
 * A token is taken only if it is signed by a key of its issuer with a named algorithm, comes from the configured
 * issuer, is for us, and is of a time that makes sense. Even then it is a reason to ask, no more. An event that is not
 * known makes no news and is not an error: transmitters send new kinds.
 *
 * Deviations that are taken, because real transmitters have them: a subject within the event (Okta, Google and
 * transmitters of earlier drafts), one without "format" around user and device (Okta), event_timestamp in
 * milliseconds (Okta), "non-compliant" (Okta's example), "iss-sub" and subject_type (Google).
 *
 * set_events.c defines dt_stream_status_of and dt_stream_status_word. */
#ifndef DT_CORE_SET_H
#define DT_CORE_SET_H

#include "core/signals/jwks.h"
#include "core/signals/subject.h"

#define DT_SET_MAX (16 * 1024) /* bytes of a token */
#define DT_SET_AGE_MAX                                                                             \
    DT_DAYS(7) /* delivery may be late: what was held for long is still a reason to ask */
#define DT_SET_LEEWAY DT_SECONDS(300) /* for the clocks of two hosts */
#define DT_SET_EVENTS_MAX 4           /* of one token: the same event by other names */
#define DT_SET_AUDIENCES_MAX 16       /* members of one aud */
#define DT_JTI_MAX 256                /* the id of a token, its NUL included */
#define DT_SET_EVENT_MAX 128          /* the name of an event in a log, its NUL included */
#define DT_SET_STATE_MAX 128          /* of a verification, its NUL included */

/* The error codes of RFC 8935 section 2.4 and of SSF: what a transmitter is sent. */
#define DT_SET_FAULTS(X)                                                                           \
    X(INVALID_REQUEST, "invalid_request")                                                          \
    X(INVALID_KEY, "invalid_key")                                                                  \
    X(INVALID_ISSUER, "invalid_issuer")                                                            \
    X(INVALID_AUDIENCE, "invalid_audience")                                                        \
    X(AUTHENTICATION_FAILED, "authentication_failed")                                              \
    X(ACCESS_DENIED, "access_denied")                                                              \
    X(INVALID_STATE, "invalid_state")
typedef enum dt_set_fault {
    DT_SET_FAULT_NONE = 0,
#define X(NAME, word) DT_SET_##NAME,
    DT_SET_FAULTS(X)
#undef X
} dt_set_fault;
/* The code's word; "invalid_request" for what is none. */
char const *dt_set_fault_word(dt_set_fault f);

typedef struct dt_set_expected {
    char const *issuer;           /* exactly the iss */
    char const *const *audiences; /* one of which the aud must have */
    size_t audience_count;        /* 0: nothing is for us */
    char const *okta_issuer;      /* the Okta org's URL, for iss_sub subjects; NULL: none */
    char const *stream_id;        /* of verification and stream-updated; NULL: not known */
} dt_set_expected;

typedef enum dt_set_verdict {
    DT_SET_REFUSED = 0,
    DT_SET_UNKNOWN_KEY, /* no key of this kid: ask again with new keys. The token was not judged. */
    DT_SET_OK,
} dt_set_verdict;

typedef enum dt_set_kind {
    DT_SET_KIND_NONE = 0,
    DT_SET_KIND_EVENT,
    DT_SET_KIND_VERIFICATION,
    DT_SET_KIND_STREAM_UPDATED,
} dt_set_kind;

typedef enum dt_stream_status {
    DT_STREAM_UNKNOWN = 0,
    DT_STREAM_ENABLED,
    DT_STREAM_PAUSED,
    DT_STREAM_DISABLED,
} dt_stream_status;
/* DT_STREAM_UNKNOWN for every other word, and for NULL. */
dt_stream_status dt_stream_status_of(char const *word);
char const *dt_stream_status_word(dt_stream_status s);

typedef struct dt_set {
    dt_set_kind kind;
    char jti[DT_JTI_MAX];
    dt_time issued_at;
    dt_time event_at;             /* when the event happened, as the token has it; else issued_at */
    char event[DT_SET_EVENT_MAX]; /* of the first event, for the log, escaped */
    bool is_known;                /* the event is one that can mean something to devtrust */
    char state[DT_SET_STATE_MAX]; /* VERIFICATION; "" = none: the transmitter's own */
    dt_stream_status status;      /* STREAM_UPDATED */
    dt_news_list news;            /* may be empty: of an unknown event, or about nobody we know */
    dt_set_fault fault;           /* REFUSED: what the transmitter is sent */
} dt_set;

/* Checks the signature, then the claims, then reads the events. `e` says what is wrong; its text quotes nothing
 * of the token. Except with DT_SET_OK, *out is zero but for the fault. Whether the jti was seen before, the caller
 * knows (seen.h). Pure; thread safe. */
dt_set_verdict dt_set_read(dt_bytes token, dt_jwks const *keys, dt_set_expected const *x,
                           dt_time now, dt_set *out, dt_error *e);

#endif
