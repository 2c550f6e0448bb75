/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is said between a transmitter of shared signals and its receiver besides the events: the transmitter's metadata,
 * the stream (OpenID Shared Signals Framework 1.0 sections 7 and 8), and polling (RFC 8936). Requests are made here,
 * and replies read strictly. */
#ifndef DT_CORE_SSF_H
#define DT_CORE_SSF_H

#include "core/base/json.h"
#include "core/base/step.h"
#include "core/signals/set.h"

#define DT_SSF_TEXT_MAX (256 * 1024) /* of a reply about metadata or streams */
#define DT_SSF_STREAM_ID_MAX 256     /* its NUL included */
#define DT_SSF_AUDIENCE_MAX 256      /* the same */
#define DT_SSF_STREAMS_MAX 64        /* in a list of them */
#define DT_SSF_POLL_EVENTS                                                                         \
    24 /* asked for at once: a reply of the longest fits DT_HTTP_RESPONSE_MAX */
#define DT_SSF_POLL_SETS_MAX 256 /* taken of one reply, which may have more than was asked for */
#define DT_SSF_WAIT_MIN DT_SECONDS(1) /* after a failure; then twice as long each time */
#define DT_SSF_WAIT_MAX DT_MINUTES(5)
#define DT_SSF_RETRY_AFTER_MAX DT_HOURS(1) /* a Retry-After is believed to be no longer */

/* Ways of delivery, a bit each. */
typedef enum dt_ssf_delivery { DT_SSF_POLL = 1 << 0, DT_SSF_PUSH = 1 << 1 } dt_ssf_delivery;

/* Where the metadata of an issuer is: the well-known part comes between host and path (section 7.2). DT_E_LIMIT. */
DT_MUST_USE int dt_ssf_metadata_url(char const *issuer, char out[DT_URL_MAX]);

typedef struct dt_ssf_metadata {
    char jwks_uri[DT_URL_MAX];
    char configuration_endpoint[DT_URL_MAX]; /* "" where the transmitter has none; so below */
    char status_endpoint[DT_URL_MAX];
    char verification_endpoint[DT_URL_MAX];
    unsigned deliveries; /* dt_ssf_delivery; 0: the transmitter does not say */
} dt_ssf_metadata;
/* Reads metadata whose issuer is exactly this one. All URLs are https. DT_E_PARSE, DT_E_LIMIT with what is wrong, and
 * *out is zero; DT_E_NOMEM. */
DT_MUST_USE int dt_ssf_metadata_read(dt_bytes text, char const *issuer, dt_ssf_metadata *out,
                                     dt_error *e);

typedef struct dt_ssf_stream {
    char id[DT_SSF_STREAM_ID_MAX]; /* "" = there is none that fits */
    char audiences[DT_SET_AUDIENCES_MAX][DT_SSF_AUDIENCE_MAX];
    size_t audience_count;
    dt_ssf_delivery delivery;
    char endpoint_url[DT_URL_MAX];
    dt_time min_verification_interval; /* 0 = the transmitter does not say */
} dt_ssf_stream;
/* Which stream is meant. */
typedef struct dt_ssf_wanted {
    char const *issuer;
    char const *id;           /* "" = any */
    dt_ssf_delivery delivery; /* exactly one */
    char const *push_url;     /* with DT_SSF_PUSH: where it delivers to; "" = anywhere */
} dt_ssf_wanted;
/* Reads a stream, or finds the wanted one in a list of them. DT_E_NOT_FOUND when there is none, DT_E_PARSE when the
 * wanted one cannot be used; *out is zero then. */
DT_MUST_USE int dt_ssf_stream_read(dt_bytes text, dt_ssf_wanted const *w, dt_ssf_stream *out,
                                   dt_error *e);
/* Reads a stream's status. DT_STREAM_UNKNOWN for everything else. */
dt_stream_status dt_ssf_status_read(dt_bytes text, char const *stream_id);

/* The requests' bodies. DT_E_LIMIT when one does not fit. */
DT_MUST_USE int dt_ssf_put_create(dt_ssf_wanted const *w, dt_secret const *authorization,
                                  dt_buf *out);
DT_MUST_USE int dt_ssf_put_verify(char const *stream_id, char const *state, dt_buf *out);

/* --- polling ------------------------------------------------------------------------------------- */

/* What is said of a token that was fetched: taken, or why not. */
typedef struct dt_ssf_ack {
    char jti[DT_JTI_MAX];
    dt_set_fault fault; /* DT_SET_FAULT_NONE: taken */
} dt_ssf_ack;
/* Appends a poll that acknowledges as many of these as fit, in their order, and returns how many. `events` 0: it only
 * acknowledges, and comes back at once (section 2.4). */
size_t dt_ssf_put_poll(dt_ssf_ack const *acks, size_t count, int events, bool at_once, dt_buf *out);
typedef struct dt_ssf_reply {
    dt_json *root; /* dt_ssf_reply_free */
    size_t count;  /* of tokens */
    bool more;     /* ask again at once */
} dt_ssf_reply;
/* Reads a reply. DT_E_PARSE, DT_E_LIMIT, DT_E_NOMEM. */
DT_MUST_USE int dt_ssf_reply_read(dt_bytes text, dt_ssf_reply *out, dt_error *e);
/* Token i and the id by which it is acknowledged, both borrowed from the reply. */
void dt_ssf_reply_at(dt_ssf_reply const *r, size_t i, char const **jti, char const **token);
void dt_ssf_reply_free(dt_ssf_reply *r);

/* How long to wait after the n-th failure in a row (from 1), `random` of 0..65535 making it differ from that of
 * others: half to all of the doubled time. What the transmitter asked for (Retry-After) counts when it is longer. */
dt_time dt_ssf_wait(unsigned failures, dt_time retry_after, unsigned random);

#endif
