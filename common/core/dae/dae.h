/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room dae: asks a NAS to end a session, or to have its person sign on again ("dynamic authorization extensions",
 * RFC 5176). It makes the packets, reads the replies strictly, and says when a packet is sent again; it opens no socket.
 *
 * Begin with dt_dae_make, which makes a request about a session, and dt_dae_read, which reads what comes back. nas.h has
 * what each kind of NAS knows a session by, and which section [nas NAME] is for which NAS; packet.h the parts of any
 * RADIUS packet. */
#ifndef DT_CORE_DAE_H
#define DT_CORE_DAE_H

#include "core/dae/nas.h"
#include "core/dae/packet.h"

typedef enum dt_dae_code {
    DT_DAE_DISCONNECT_REQUEST = 40,
    DT_DAE_DISCONNECT_ACK = 41,
    DT_DAE_DISCONNECT_NAK = 42,
    DT_DAE_COA_REQUEST = 43,
    DT_DAE_COA_ACK = 44,
    DT_DAE_COA_NAK = 45,
} dt_dae_code;

/* RFC 5176 section 3.5. */
enum {
    DT_DAE_CAUSE_SESSION_NOT_FOUND = 503,
    DT_DAE_CAUSE_REQUEST_INITIATED = 507,
};

typedef struct dt_dae_question {
    dt_nas_kind kind;
    dt_nas_again
        again; /* DT_NAS_AGAIN_DISCONNECT: a Disconnect-Request; else a CoA-Request that asks so */
    uint8_t identifier;
    dt_nas_session const *session;
    dt_time
        now; /* of Event-Timestamp: the packet, and with it this, stays the same however often it is sent */
} dt_dae_question;

/* Appends the request to `out`, which is empty and may take DT_RADIUS_LONGEST bytes. DT_E_INVALID, with `e` in words,
 * where the session is not known by what such a NAS needs, or a value of it is not of its form; DT_E_LIMIT, DT_E_NOMEM,
 * DT_E_CRYPTO. */
DT_MUST_USE int dt_dae_make(dt_dae_question const *q, dt_bytes secret, dt_buf *out, dt_error *e);

/* The zero value is a refusal without a cause. */
typedef struct dt_dae_reply {
    bool ack;
    unsigned error_cause; /* 0: none was given */
} dt_dae_reply;
/* Reads what came back for `request`, which is as dt_dae_make made it. DT_E_PARSE for bytes that are not a reply, or not
 * one to such a request; DT_E_STATE for a reply to another one; DT_E_CRYPTO for one of somebody without the secret. *out is zero
 * then. */
DT_MUST_USE int dt_dae_read(dt_bytes reply, dt_bytes request, dt_bytes secret, dt_dae_reply *out);
/* What a NAS means by an Error-Cause, and what to do about it; of 0 and of numbers that are none, too. Static. */
char const *dt_dae_cause_text(unsigned error_cause);

/* When a request is sent again: RFC 5080 section 2.2.1, with the values that RFC 3579 and FreeRADIUS use. */
#define DT_DAE_IRT DT_SECONDS(2)  /* until the second packet */
#define DT_DAE_MRT DT_SECONDS(16) /* the longest time between two */
#define DT_DAE_MRC 5              /* most packets */
#define DT_DAE_MRD DT_SECONDS(30) /* from the first packet to the end */
#define DT_DAE_JITTER 100         /* thousandths of an interval that `jitter` may be, either way */
typedef struct dt_dae_schedule {
    unsigned sent;
    dt_time began, interval;
} dt_dae_schedule;
/* A packet was sent at `now`, monotonic. Gives the time to wait until, without a reply; *last: then it is over, else
 * the packet is sent again. `jitter`: random, from -DT_DAE_JITTER to DT_DAE_JITTER. Begin with a schedule of zeros. */
dt_time dt_dae_schedule_sent(dt_dae_schedule *s, dt_time now, int jitter, bool *last);

#endif
