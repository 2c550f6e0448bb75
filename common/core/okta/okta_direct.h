/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Direct authentication of the Identity Engine: a native app asks the org's OAuth endpoints to verify a password and
 * factors, and gets an ID token when the org's own policy for the app is satisfied.
 *
 * After a password, which Okta answers with mfa_required and an mfa_token, a factor is the second one of that
 * transaction. Without an mfa_token it is the first one at Okta: that is MFA for who was identified elsewhere, by an
 * SSH key or a certificate. Something out of band (a push, a code by SMS or phone) is begun, and then the token
 * endpoint is asked with its oob_code; a passcode goes there at once.
 *
 * The API has no word for which of several devices is meant, none that asks for a number challenge, and none that
 * takes back what was sent. Source: Okta, "Configure Direct Authentication", and the OpenAPI description of
 * /oauth2/v1/token, /challenge and /primary-authenticate. Pure and thread-safe. */
#ifndef DT_CORE_OKTA_DIRECT_H
#define DT_CORE_OKTA_DIRECT_H

#include "core/okta/okta.h"

#define DT_DIRECT_OOB_CODE_MAX 512            /* longest oob_code, its NUL included */
#define DT_DIRECT_SLOW_DOWN DT_SECONDS(5)     /* RFC 8628 section 3.5: added to the interval */
#define DT_DIRECT_INTERVAL_MAX DT_SECONDS(60) /* a longer one is taken for this */
#define DT_DIRECT_LIFETIME_MAX DT_HOURS(1)    /* the same of expires_in */

/* Factors that can be asked for. */
#define DT_DIRECT_PASSCODES                                                                        \
    ((unsigned)(DT_FACTOR_TOTPS | DT_FACTOR_HOTP | DT_FACTOR_SYMANTEC | DT_FACTOR_YUBIKEY |        \
                DT_FACTOR_RSA))
#define DT_DIRECT_FACTORS                                                                          \
    ((unsigned)(DT_FACTOR_PUSH | DT_FACTOR_SMS | DT_FACTOR_CALL) | DT_DIRECT_PASSCODES)

/* Whom a request is about, and what it goes on with. Borrowed. */
typedef struct dt_direct {
    char const *login;
    char const *user_id;   /* as the look-up found it; "" while it is not known */
    char const *client_ip; /* as in dt_okta_authn_start */
    char const *mfa_token; /* secret; "": the factor is the first one at Okta */
    char const *oob_code;  /* secret; "" unless something out of band was begun */
    dt_time expires;       /* of the oob_code; 0 = not known */
} dt_direct;

/* Requests. They carry the client id of [okta] native_client_id and none of our credentials. DT_E_INVALID without
 * such an app, for an absurd login, or without what the request goes on with; DT_E_LIMIT. On failure nothing is in
 * *out. Each body is secret: wipe it. */
DT_MUST_USE int dt_direct_password(dt_config const *c, dt_direct const *d, char const *password,
                                   dt_http_request *out);
/* Begins something out of band: a factor of DT_FACTOR_PUSH, _SMS or _CALL. Goes out once, as dt_okta_send. */
DT_MUST_USE int dt_direct_begin(dt_config const *c, dt_direct const *d, dt_factor_type type,
                                dt_http_request *out);
/* Has the person approved what was begun? */
DT_MUST_USE int dt_direct_poll(dt_config const *c, dt_direct const *d, dt_http_request *out);
/* Gives the code that was sent. */
DT_MUST_USE int dt_direct_code(dt_config const *c, dt_direct const *d, char const *code,
                               dt_http_request *out);
/* Gives a passcode for which nothing was sent. */
DT_MUST_USE int dt_direct_passcode(dt_config const *c, dt_direct const *d, char const *passcode,
                                   dt_http_request *out);

/* The password. VERIFIED only with an ID token of this person; MFA with an mfa_token, which is in out->state_token.
 * Okta has one word for a wrong password, an expired one, and one that the app's policy does not take. */
dt_okta_answer dt_direct_read_password(dt_config const *c, dt_http_response const *r,
                                       dt_direct const *d, dt_time now, dt_okta_authn *out,
                                       dt_error *e);

/* Something out of band that was begun. */
typedef struct dt_direct_begun {
    char oob_code[DT_DIRECT_OOB_CODE_MAX]; /* secret: wipe it */
    dt_time interval;                      /* between polls, at least; 0 = not said */
    dt_time lifetime;                      /* of the oob_code; 0 = not said */
} dt_direct_begun;
/* WAITING, with the number that the person chooses on the phone if there is one, for a push; `challenged` for a code.
 * NOT_ACTIVE: the person has no such factor, or the org's policy does not take it here. PROVIDER_FAILED: it could not
 * be sent, which is not an outage of Okta. */
dt_okta_answer dt_direct_read_begin(dt_config const *c, dt_http_response const *r,
                                    dt_direct const *d, dt_factor_type type,
                                    dt_okta_verification *out, dt_direct_begun *begun, dt_error *e);

/* What the token endpoint was asked with. */
typedef enum dt_direct_step {
    DT_DIRECT_POLL = 0,
    DT_DIRECT_ANSWER, /* a code or a passcode */
} dt_direct_step;
/* SUCCESS only with HTTP 200 and an ID token of this person that does not say that a password was all. invalid_grant
 * is REJECTED of a poll, and WRONG_CODE of an answer: Okta has one word for both. access_denied is TIMEOUT once the
 * oob_code has expired. *slow_down: Okta wants DT_DIRECT_SLOW_DOWN more between polls. */
dt_okta_answer dt_direct_read_token(dt_config const *c, dt_http_response const *r,
                                    dt_direct const *d, dt_direct_step step, dt_time now,
                                    dt_okta_verification *out, bool *slow_down, dt_error *e);

/* True for the URL that polls go to. */
bool dt_direct_is_endpoint(dt_config const *c, char const *url);
/* True for a poll: which of the requests to the token endpoint it is, the budget has to know. */
bool dt_direct_is_poll(dt_http_request const *r);

#endif
