/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OCSP (RFC 6960, in the profile of RFC 5019): what is asked about a device certificate, what the
 * answer says, and how long it may be used. Encoding, signatures and times within the answer are the
 * X.509 port's (core/device/x509.h); when to ask is signon_ocsp.c's. */
#ifndef DT_CORE_OCSP_H
#define DT_CORE_OCSP_H

#include "core/device/evidence.h"
#include "core/base/step.h"

#define DT_OCSP_URL_MAX 512
#define DT_OCSP_ISSUER_MAX 4096 /* DER bytes of a CA whose certificates are asked about */
#define DT_OCSP_SERIAL_MAX 40   /* DER bytes; RFC 5280 section 4.1.2.2 allows 22 */
#define DT_OCSP_REQUEST_MAX 256
#define DT_OCSP_RESPONSE_MAX (64 * 1024)
#define DT_OCSP_SINGLES_MAX 64       /* certificates that one answer may speak of */
#define DT_OCSP_CERTIFICATES_MAX 8   /* that an answer may bring along */
#define DT_OCSP_SKEW DT_MINUTES(5)   /* how far clocks may be apart */
#define DT_OCSP_SHORT DT_MINUTES(10) /* an answer without nextUpdate is believed for so long */
#define DT_OCSP_KEPT_MAX DT_DAYS(7)  /* no answer is used for longer, whatever it says */
/* For so long nobody asks again after a responder was unreachable, or gave no usable answer. */
#define DT_OCSP_FAILURE_KEPT DT_SECONDS(10)

/* The zero value says nothing, which is never good. */
typedef enum dt_ocsp_status {
    DT_OCSP_NO_ANSWER = 0,
    DT_OCSP_UNKNOWN, /* the responder does not know the certificate: not the same as good */
    DT_OCSP_REVOKED,
    DT_OCSP_GOOD,
} dt_ocsp_status;

/* What is still to be asked about one certificate. Filled by dt_x509_judge_online; a plain value. */
typedef struct dt_ocsp_question {
    bool open;            /* false: there is nothing to ask, and the rest means nothing */
    dt_reason otherwise;  /* what the certificate is when nobody answers; NONE denies */
    bool unchecked;       /* then it, or a CA above it, is let pass by SOFT */
    bool above_unchecked; /* a CA above it is let pass by SOFT, whatever the answer */
    bool listed;          /* a revocation list in force has it as good */
    char key[65];         /* names certificate and issuer: hex SHA-256, for the cache */
    char url[DT_OCSP_URL_MAX];
    uint8_t serial[DT_OCSP_SERIAL_MAX]; /* DER INTEGER */
    size_t serial_len;
    uint8_t issuer[DT_OCSP_ISSUER_MAX]; /* DER certificate of the CA that signed it */
    size_t issuer_len;
} dt_ocsp_question;

/* An answer that was checked. */
typedef struct dt_ocsp_answer {
    dt_ocsp_status status;
    dt_time this_update;
    dt_time next_update; /* 0: not reported */
    dt_time fetched;
    dt_time until; /* not used from here on; set by dt_ocsp_keep */
} dt_ocsp_answer;

/* Whether a URL may be asked: http or https, at most DT_OCSP_URL_MAX - 1 bytes, no credentials, no
 * fragment, nothing that RFC 3986 does not have. (Answers are signed, which is why RFC 5019 lets them
 * come by http.) */
bool dt_ocsp_url_is_usable(char const *url);

/* How long the configuration lets an answer be used. */
typedef struct dt_ocsp_limits {
    dt_time longest; /* after it was fetched: ocsp_cache_max */
    dt_time max_age; /* of a GOOD one after thisUpdate: ocsp_max_age */
} dt_ocsp_limits;
dt_ocsp_limits dt_ocsp_limits_of(dt_config const *c);
/* Sets answer->until: by nextUpdate, DT_OCSP_SHORT where that is missing, DT_OCSP_FAILURE_KEPT where
 * there is no answer or the status is UNKNOWN; never beyond the limits or DT_OCSP_KEPT_MAX after
 * `fetched`. */
void dt_ocsp_keep(dt_ocsp_answer *answer, dt_ocsp_limits limits);
/* Whether a kept answer may be used now: not before it was fetched (the clock went back), and not for
 * longer than the configuration in force allows. */
bool dt_ocsp_is_usable(dt_ocsp_answer const *answer, dt_ocsp_limits limits, dt_time now);
/* It is near its end: time to ask again in the background. */
bool dt_ocsp_is_ageing(dt_ocsp_answer const *answer, dt_ocsp_limits limits, dt_time now);

/* The rows in DT_TABLE_LOOKUP. */
#define DT_OCSP_RECORD_MAX 128
void dt_ocsp_store_key(dt_ocsp_question const *q, char out[DT_STORE_KEY_MAX]);
/* That of a responder that is unreachable. DT_E_*. */
DT_MUST_USE int dt_ocsp_failure_key(dt_ocsp_question const *q, char out[DT_STORE_KEY_MAX]);
/* DT_E_INVALID for an answer that makes no sense. */
DT_MUST_USE int dt_ocsp_pack(dt_ocsp_answer const *a, dt_buf *out);
/* DT_E_PARSE for anything it did not write itself. */
DT_MUST_USE int dt_ocsp_unpack(dt_bytes record, dt_ocsp_answer *out);

/* The request: POST of application/ocsp-request (RFC 6960 appendix A.1). DT_E_*. */
DT_MUST_USE int dt_ocsp_request(dt_config const *c, dt_ocsp_question const *q,
                                dt_http_request *out);

typedef enum dt_ocsp_reply {
    DT_OCSP_REPLY_UNUSABLE = 0, /* came, and says nothing about the certificate; *e says why */
    DT_OCSP_REPLY_UNREACHABLE,  /* no reply, or the server is overloaded or broken */
    DT_OCSP_REPLY_ANSWER,       /* *out is an answer, good or not */
    DT_OCSP_REPLY_LOCAL,        /* it was not asked, by something of ours: dt_http_is_local */
} dt_ocsp_reply;

struct dt_trust_store;
/* Reads what came. *out is zero but for ANSWER; dt_ocsp_keep has been called on it. */
dt_ocsp_reply dt_ocsp_read(dt_config const *c, struct dt_trust_store const *anchors,
                           dt_ocsp_question const *q, dt_http_response const *r, dt_time now,
                           dt_ocsp_answer *out, dt_error *e);

/* What a certificate is with this answer about it: TRUSTED, CERTIFICATE_REVOKED, or what it is without. */
dt_reason dt_ocsp_reason(dt_ocsp_question const *q, dt_ocsp_status s);

/* "good", "revoked", "unknown", "no answer". Never NULL. */
char const *dt_ocsp_status_name(dt_ocsp_status s);

#endif
