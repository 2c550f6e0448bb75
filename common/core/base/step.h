/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a machine of the core may ask for: an HTTPS request, a store operation, a signature, a prompt,
 * a time. The core fills these in; the driver (or a test's script) performs them and feeds the
 * result back. */
#ifndef DT_CORE_STEP_H
#define DT_CORE_STEP_H

#include "core/base/bytes.h"
#include "core/base/text_wrap.h"

/* --- HTTPS ---------------------------------------------------------------------------------- */
#define DT_URL_MAX 2048
#define DT_HTTP_BODY_MAX 2048             /* of a request we send */
#define DT_HTTP_RESPONSE_MAX (512 * 1024) /* of a reply; more is an error, not a cut */

typedef enum dt_http_method { DT_HTTP_GET = 0, DT_HTTP_POST, DT_HTTP_DELETE } dt_http_method;

/* Whose credentials the driver adds. The core never sees them. */
typedef enum dt_http_service {
    DT_HTTP_OKTA = 0, /* Authorization: SSWS; base URL [okta] org_url */
    DT_HTTP_GRAPH,    /* Authorization: Bearer, got and renewed by the driver; [intune] graph_url */
    DT_HTTP_ENTRA,    /* the token endpoint itself, no Authorization; [intune] login_url */
    DT_HTTP_OCSP, /* an OCSP responder: no Authorization, also by http, application/ocsp-request */
    DT_HTTP_COMPLIANCE, /* Intune's Compliance Retrieval service, application/xml; Bearer, of a token
                           for no other; where Graph says it is, below [intune] compliance_host */
    DT_HTTP_SIGNALS, /* a transmitter of shared signals or its token endpoint; of devtrust-signals alone */
} dt_http_service;
#define DT_HTTP_SERVICES (DT_HTTP_SIGNALS + 1)

typedef struct dt_http_request {
    dt_http_service service;
    dt_http_method method;
    char url[DT_URL_MAX];        /* absolute */
    char body[DT_HTTP_BODY_MAX]; /* "" with POST: Content-Length: 0 */
    size_t body_len;
    char forwarded_for[46]; /* X-Forwarded-For: an address in its usual form; "" = not sent */
    bool form;              /* application/x-www-form-urlencoded instead of application/json */
    bool
        anonymous; /* of DT_HTTP_OKTA: no Authorization goes along, because a public client names itself in
                       the form (RFC 6749 section 2.1) */
    dt_time timeout; /* of the whole request, connecting included */
    /* Whose request it is: where many wait for a connection, each NAS gets its turn, and of a NAS each
     * identity. Borrowed until the request has been started; NULL counts as "". */
    char const *nas, *identity;
} dt_http_request;

/* How a request ended. Made where it is known, in edge/http_curl.c and in the driver. What is not known
 * to be something else is our own failure, so that no slip lets anybody in. */
typedef enum dt_http_failure {
    DT_HTTP_LOCAL =
        0,      /* descriptors, memory, threads, a URL or CA file that cannot be used, our own
                          loop too late to look */
    DT_HTTP_OK, /* a status came; says nothing about which */
    /* The service is not there. */
    DT_HTTP_NO_NAME,  /* its name is not resolved */
    DT_HTTP_NO_ROUTE, /* host or network unreachable */
    DT_HTTP_REFUSED,
    DT_HTTP_RESET,   /* the other side ended the connection before the first byte of an answer */
    DT_HTTP_TIMEOUT, /* it had a connection of its own, and no whole answer came in its time */
    DT_HTTP_PROXY_FAILED, /* the proxy says that it does not reach it: CONNECT got 500 to 599 */
    DT_HTTP_PAUSED, /* not asked: several calls before ended in one of these ways (core/base/breaker.h) */
    /* The rest is not an outage. */
    DT_HTTP_BROKEN,    /* an answer that cannot be used: cut off, too large, not HTTP, a redirect */
    DT_HTTP_UNTRUSTED, /* TLS failed: the certificate check, or something that is not TLS */
    DT_HTTP_QUEUED,    /* never sent: our own queue was full, or the wait in it too long */
    DT_HTTP_PROXY_REFUSED,  /* the proxy asks for other credentials, or does not let us through */
    DT_HTTP_NO_CREDENTIALS, /* there is none to send with it; or the token service gave none */
    DT_HTTP_ABANDONED,      /* the driver is stopping */
} dt_http_failure;
#define DT_HTTP_FAILURES (DT_HTTP_ABANDONED + 1)

/* Whether the service could not be reached: DT_HTTP_NO_NAME to DT_HTTP_PAUSED, and a status of 500 to
 * 599. The one place that says so, for every service: `okta_unavailable`, stale answers and
 * `revocation = soft` depend on it. */
bool dt_http_is_unavailable(dt_http_failure failure, int status);
/* Whether the request failed by something of ours, or by a check that we made: nothing was learnt about
 * what the service would have said, and whoever can bring it about must gain nothing by it. True for
 * every value that is not known. */
bool dt_http_is_local(dt_http_failure failure);
struct dt_http_response;
/* Whether the service could not be reached, and the call took DT_HTTP_LONG or more to learn it: it is not sent
 * again, because somebody who is offline would wait for each try. */
bool dt_http_was_long(struct dt_http_response const *r);

/* A call that fails after so long is not sent again: less than DT_HTTP_CONNECT_TIMEOUT_MS (edge/http_curl.h). */
#define DT_HTTP_LONG DT_SECONDS(3)

/* As much of dt_http_response.error as a message repeats, bytes: a URL, what failed, and what to do. */
#define DT_HTTP_SHOWN_MAX 420

/* All borrowed for the duration of the call they are passed to. */
typedef struct dt_http_response {
    dt_http_failure failure;
    char const *error; /* for the administrator: URL and what failed; "" with DT_HTTP_OK */
    int status;        /* 0 unless DT_HTTP_OK */
    bool reached;      /* a connection was made, and the request went out */
    dt_time took;      /* from its turn to its end; 0: not known */
    dt_bytes body;
    dt_time date;           /* Date header; 0 when missing */
    int64_t rate_limit;     /* X-Rate-Limit-Limit; -1 when missing */
    int64_t rate_remaining; /* -1 when missing */
    dt_time rate_reset;     /* X-Rate-Limit-Reset, made milliseconds; 0 when missing */
    dt_time retry_after;    /* Retry-After as a length of time; 0 when missing */
    char const *next_link;  /* Link rel="next"; "" when missing */
    char const *dpop_nonce; /* DPoP-Nonce; "" or NULL when missing */
} dt_http_response;

/* --- store ---------------------------------------------------------------------------------- */
#define DT_STORE_KEY_MAX 512
#define DT_STORE_VALUE_MAX (64 * 1024)

typedef enum dt_store_table {
    DT_TABLE_NONE = 0,
    DT_TABLE_DEVICE,     /* registry: SSH key fingerprint or Intune id -> record; hot */
    DT_TABLE_LOOKUP,     /* answers of Intune and Okta; hot */
    DT_TABLE_REMEMBERED, /* remembered MFA; hot */
    DT_TABLE_PUSH,       /* a person's push, and whether it was denied; never cached */
    DT_TABLE_PUSH_COUNT, /* pushes and passcodes of people whom Okta knows; never cached */
    DT_TABLE_STATE,      /* saved sign-ons waiting for a challenge's answer: single use, synced */
    DT_TABLE_PASSWORD_COUNT, /* passwords by login, whether Okta knows it or not; never cached */
    DT_TABLE_SESSION,        /* open sessions (core/session/session.h); never cached */
    DT_TABLE_COUNT,
    DT_TABLE_TRIED, /* wrong passcodes of the last minutes; never in the store: the driver keeps keyed
                       digests of these keys in memory */
} dt_store_table;
char const *dt_store_table_name(dt_store_table t);
/* True for the tables that limits are made of. The store keeps room for their rows, and where it
 * takes none they are kept in memory (edge/store_spare.h). */
bool dt_store_table_is_limit(dt_store_table t);

typedef enum dt_store_verb {
    DT_STORE_GET = 0,
    DT_STORE_PUT,           /* insert or replace */
    DT_STORE_PUT_IF_ABSENT, /* EXISTS with the current value when there is an unexpired one */
    DT_STORE_REPLACE, /* only when the current value equals `expected`; else EXISTS or NOT_FOUND */
    DT_STORE_TAKE,    /* get and delete in one transaction: single use */
    DT_STORE_DELETE,
    DT_STORE_COUNT,   /* adds one to a counter kept under the key and gives the new number;
                               a counter starts at expiry: `expires` is used only then. EXISTS, with
                               the number as it is, where it has reached `most` */
    DT_STORE_UNCOUNT, /* takes one off again, down to nothing */
} dt_store_verb;

typedef struct dt_store_op {
    dt_store_table table;
    dt_store_verb verb;
    char key[DT_STORE_KEY_MAX];
    dt_bytes value;    /* borrowed until the result is fed back */
    dt_bytes expected; /* REPLACE */
    dt_time expires;   /* DT_TIME_NEVER = does not */
    bool sync;         /* on disk before the answer (used States) */
    int64_t most;      /* COUNT: the number goes no higher; 0 = without a limit */
    bool stranger;     /* nobody has said that this person exists: fewer such rows are kept */
    int own_max; /* of rows whose keys are alike up to the colon, so many are kept, and the oldest
                    of them makes room for a new one; 0 = any number */
} dt_store_op;

typedef enum dt_store_status {
    DT_STORE_ERROR = 0, /* broken; `error` says how */
    DT_STORE_OK,
    DT_STORE_NOT_FOUND, /* or expired */
    DT_STORE_EXISTS,
} dt_store_status;

typedef struct dt_store_result {
    dt_store_status status;
    dt_bytes value; /* borrowed until the next call with the same result object */
    int64_t count;  /* COUNT */
    char error[DT_ERROR_TEXT_MAX];
} dt_store_result;

/* --- signature ------------------------------------------------------------------------------ */
#define DT_NONCE_LEN 32
#define DT_SIGNATURE_MAX 1024

/* Asks the driver to sign a fresh nonce with this host's device key. */
typedef struct dt_sign_request {
    uint8_t nonce[DT_NONCE_LEN];
} dt_sign_request;

typedef struct dt_sign_result {
    int error;            /* 0 or DT_E_* */
    char const *text;     /* what failed; "" with 0 */
    dt_bytes certificate; /* DER, of the configured host certificate */
    dt_bytes chain[8];
    size_t chain_count;
    dt_bytes signature; /* over the nonce; checked by the core with the certificate's key */
} dt_sign_result;

/* --- SSH agent ------------------------------------------------------------------------------ */
#define DT_AGENT_REPLY_MAX (256 * 1024) /* more is an error, not a cut; as OpenSSH has it */

/* Asks the driver to send a message to the agent that came with the sign-on, and to wait for one. */
typedef struct dt_agent_request {
    dt_bytes message; /* its length in front; borrowed from the machine */
    dt_time timeout;  /* until the whole answer is there */
} dt_agent_request;

typedef struct dt_agent_result {
    int error;        /* 0; DT_E_NOT_FOUND when no agent came along; else DT_E_* */
    char const *text; /* what failed; "" with 0 */
    dt_bytes reply;   /* without its length; borrowed for the duration of the call */
} dt_agent_result;

/* --- prompt --------------------------------------------------------------------------------- */
#define DT_PROMPT_TEXT_MAX 512
#define DT_ANSWER_MAX 128

typedef struct dt_prompt {
    char text[DT_PROMPT_TEXT_MAX]; /* escaped, safe for a terminal and for Reply-Message */
    /* What goes with it (help with the device, why it is asked again), the same way; "" = nothing. Shown
     * before the text as information of its own, so that the text is not pushed off a narrow screen. */
    char note[DT_PROMPT_TEXT_MAX];
    /* What the text has opened, as one link that a door may draw; "" = nothing. Borrowed from the scratch, and set
     * anew with each step that shows a prompt. */
    char const *link;
    /* The person may act elsewhere until then, and the sign-on may end without an answer to this; 0 = it does not. */
    dt_time until;
    bool echo; /* show what is typed */
    bool info; /* no answer wanted: shown before the next prompt or the end */
} dt_prompt;

/* Text and note as one, for doors that show one text: the text first, and the number within its first words. */
void dt_prompt_join(dt_prompt const *prompt, char out[DT_PROMPT_TEXT_MAX]);

#endif
