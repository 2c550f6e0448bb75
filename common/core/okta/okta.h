/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room okta: what is asked of Okta, and what its answers mean.
 *
 * Each question has a function that builds the dt_http_request and a strict reader of the reply; nothing here
 * sends, waits or has a state of its own. Sources: Okta management API reference, Users, Groups and UserFactor
 * (Factors API).
 *
 * Begin with dt_okta_answer: whatever Okta answers is either read whole or unusable, and never looks like an
 * outage. Who somebody is: dt_okta_user, groups; with what they prove it: dt_okta_factors, dt_okta_push,
 * dt_okta_passcode, dt_okta_authn_start for a password. okta_device.h is the Devices API. passcode.h and scrv1.h
 * read what people and VPN clients type. okta_oauth.h: the access tokens of a service app, which asks in place of
 * an API token. id_token.h: ID tokens, which say who signed on at Okta, and by what. okta_browser.h: signing in there
 * with a browser. okta_direct.h: Direct Authentication. okta_budget.h: how many requests of one process Okta gets.
 * okta_request.h and oauth_reply.h: what several files of this room make requests and read replies with.
 *
 * okta_reply.c defines the readers (dt_okta_read_*, dt_okta_count_named_groups) and dt_okta_is_local and
 * _is_unavailable, okta_rate.c dt_okta_poll_interval. */
#ifndef DT_CORE_OKTA_H
#define DT_CORE_OKTA_H

#include "core/config/config.h"
#include "core/base/json.h"
#include "core/base/step.h"

#define DT_OKTA_FACTORS_MAX 32
#define DT_OKTA_FACTOR_NAME_MAX 48   /* a factor's name, its NUL included; longer ones are cut */
#define DT_OKTA_LOGIN_MAX 256        /* longest login, its NUL included */
#define DT_OKTA_PASSCODE_MAX 64      /* longest passcode that is sent, bytes */
#define DT_PASSWORD_MAX 256          /* longest password that is sent, its NUL included */
#define DT_OKTA_GROUPS_PER_PAGE 2000 /* most groups one reply may name */
#define DT_OKTA_NUMBER_MAX 999999    /* largest number of a number challenge that is believed */
#define DT_OKTA_WAIT_DEFAULT DT_SECONDS(2)
#define DT_OKTA_WAIT_MIN DT_SECONDS(1)
#define DT_OKTA_WAIT_MAX DT_SECONDS(60)

/* What became of a request. Whatever Okta answers, however little sense it makes, must not look like an
 * outage, since okta_unavailable may be `allow`: see dt_okta_is_unavailable. */
typedef enum dt_okta_answer {
    DT_OKTA_UNUSABLE = 0, /* not what the API promises: broken, truncated, other shape */
    DT_OKTA_OK,
    DT_OKTA_UNREACHABLE,  /* dt_http_is_unavailable, without a status */
    DT_OKTA_RATE_LIMITED, /* 429, whatever the body says */
    DT_OKTA_NOT_FOUND,    /* 404 with E0000007; 410 */
    DT_OKTA_UNAUTHORIZED, /* 401, 403: our token; the administrator must act. Of a verification only
                             403 E0000006: other 403s are about the person */
    DT_OKTA_NOT_ACTIVE, /* 423: user or factor; of a look-up also every other 4xx with an errorCode */
    DT_OKTA_SERVER_ERROR,    /* 5xx */
    DT_OKTA_PROVIDER_FAILED, /* 5xx with E0000067, E0000138 or E0000139: Okta is there, and the service
                                behind one factor is not */
    DT_OKTA_UNTRUSTED,       /* its certificate was not accepted, or TLS failed: it was not asked */
    DT_OKTA_OVERLOADED,      /* it was not asked: too many calls of ours wait, or we are stopping */
    DT_OKTA_LOCAL,           /* it was not asked: descriptors, memory, ...: see DT_HTTP_LOCAL */
} dt_okta_answer;
#define DT_OKTA_ANSWERS (DT_OKTA_LOCAL + 1)

/* True for UNREACHABLE and SERVER_ERROR: what `okta_unavailable` is about. */
bool dt_okta_is_unavailable(dt_okta_answer a);
/* True where we did not get as far as asking, by something of ours: dt_http_is_local. */
bool dt_okta_is_local(dt_okta_answer a);

/* The status of an account. Only ACTIVE may sign on. */
typedef enum dt_okta_user_state {
    DT_OKTA_USER_OTHER = 0, /* a word that is not listed here */
    DT_OKTA_USER_ACTIVE,
    DT_OKTA_USER_SUSPENDED,
    DT_OKTA_USER_DEPROVISIONED,
    DT_OKTA_USER_NOT_ACTIVATED,    /* STAGED, PROVISIONED, ACTIVATING */
    DT_OKTA_USER_PASSWORD_EXPIRED, /* PASSWORD_EXPIRED, RECOVERY: a new password is due */
    DT_OKTA_USER_LOCKED_OUT,
} dt_okta_user_state;

typedef struct dt_okta_user {
    char id[DT_OKTA_ID_MAX];
    dt_okta_user_state state;
    bool active;                   /* state is ACTIVE */
    char status[32];               /* escaped, cut */
    char login[DT_OKTA_LOGIN_MAX]; /* profile.login; "" when not reported */
    dt_time password_changed; /* passwordChanged; 0 when not reported, as of a password that another
                                      directory keeps */
    dt_time status_changed;   /* statusChanged; 0 when not reported */
} dt_okta_user;

typedef struct dt_okta_factor {
    char id[DT_OKTA_ID_MAX];
    dt_factor_type type;                /* DT_FACTOR_NONE for types this version does not do */
    dt_time created;                    /* 0 when not reported */
    char name[DT_OKTA_FACTOR_NAME_MAX]; /* see dt_okta_read_factors */
} dt_okta_factor;

typedef struct dt_okta_factors {
    dt_okta_factor items[DT_OKTA_FACTORS_MAX]; /* status ACTIVE only */
    size_t count;
} dt_okta_factors;

typedef enum dt_okta_result {
    DT_OKTA_RESULT_NONE = 0, /* unknown word, or an errorCode not listed here: never success */
    DT_OKTA_RESULT_SUCCESS,  /* HTTP 200 and exactly "SUCCESS" */
    DT_OKTA_RESULT_WAITING,
    DT_OKTA_RESULT_REJECTED,       /* REJECTED, E0000073 */
    DT_OKTA_RESULT_TIMEOUT,        /* TIMEOUT, EXPIRED */
    DT_OKTA_RESULT_CANCELLED,      /* CANCELLED, CANCELED: both are on the wire */
    DT_OKTA_RESULT_WRONG_CODE,     /* 403 E0000068 */
    DT_OKTA_RESULT_REPLAYED,       /* E0000082, PASSCODE_REPLAYED */
    DT_OKTA_RESULT_OUTSIDE_WINDOW, /* E0000083, TIME_WINDOW_EXCEEDED */
    DT_OKTA_RESULT_NEXT_CODE, /* 409 E0000113: the code of a token that has drifted; it wants the next one, too */
    DT_OKTA_RESULT_LOCKED, /* E0000069, E0000119, LOCKED_OUT */
    /* Of a transaction (dt_okta_read_transaction); each ends the sign-on. */
    DT_OKTA_RESULT_PASSWORD_EXPIRED, /* PASSWORD_EXPIRED, PASSWORD_RESET: they may come after the MFA */
    DT_OKTA_RESULT_ENROLL,           /* MFA_ENROLL, MFA_ENROLL_ACTIVATE */
    DT_OKTA_RESULT_REQUIRED,         /* MFA_REQUIRED of this person: a factor may be begun */
    DT_OKTA_RESULT_OVER,             /* 401 E0000011: it has expired, or Okta does not know it */
    DT_OKTA_RESULT_REFUSED,          /* every other status, 401 E0000004, 403 E0000079 */
    /* Of an ID token; each ends the sign-on. */
    DT_OKTA_RESULT_OTHER_PERSON, /* somebody else signed in */
    DT_OKTA_RESULT_TOO_WEAK,     /* not by something that the person has, or not now */
    DT_OKTA_RESULT_UNUSABLE,     /* HTTP 200, and no ID token that counts: it does not come again */
} dt_okta_result;

/* Why Okta did not send a code. */
typedef enum dt_okta_not_sent {
    DT_OKTA_NOT_SENT_NONE = 0,
    DT_OKTA_NOT_SENT_TOO_SOON, /* one was sent a moment ago: E0000109, 118, 133, 150, 151, 204, 205 */
    DT_OKTA_NOT_SENT_QUOTA,    /* the org has used up its messages: E0000146, 147, 186 */
} dt_okta_not_sent;

typedef struct dt_okta_verification {
    dt_okta_result result;
    dt_okta_not_sent not_sent; /* with OK and RATE_LIMITED */
    bool open; /* MFA_CHALLENGE: the transaction waits for this factor, and for no other */
    char poll_url[DT_URL_MAX]; /* "" when none; always of our org's origin, else UNUSABLE */
    char cancel_url[DT_URL_MAX];
    bool
        challenged; /* 200 and exactly "CHALLENGE", which is NONE: something was sent to the person, and
                        the answer is waited for */
    int number;     /* correctAnswer; -1 when none was given */
    dt_time expires; /* expiresAt; 0 when none */
} dt_okta_verification;

/* What became of a password. Only VERIFIED and MFA say that it is right and may be used. */
typedef enum dt_okta_password {
    DT_OKTA_PASSWORD_NONE = 0, /* an unknown word, RECOVERY and the like: never right */
    DT_OKTA_PASSWORD_VERIFIED, /* HTTP 200 and exactly "SUCCESS" */
    DT_OKTA_PASSWORD_MFA,      /* right; MFA_REQUIRED, MFA_CHALLENGE: the org's policy asks for MFA.
                                  PASSWORD_WARN too: whether it would is not known then */
    DT_OKTA_PASSWORD_WRONG,   /* 401 E0000004, E0000207: wrong, unknown, hidden lockout or policy */
    DT_OKTA_PASSWORD_EXPIRED, /* PASSWORD_EXPIRED, PASSWORD_RESET, E0000064 */
    DT_OKTA_PASSWORD_LOCKED,  /* LOCKED_OUT, which comes with HTTP 200; E0000069, E0000119 */
    DT_OKTA_PASSWORD_ENROLL,  /* MFA_ENROLL, MFA_ENROLL_ACTIVATE */
} dt_okta_password;

#define DT_OKTA_STATE_TOKEN_MAX 1024
typedef struct dt_okta_authn {
    dt_okta_password result;
    /* Of a transaction that is open, for dt_okta_authn_cancel and nothing else; "" when there is
     * none, or none of a form that could be sent. Secret: wipe it. */
    char state_token[DT_OKTA_STATE_TOKEN_MAX];
} dt_okta_authn;

/* An id of Okta's own form: letters, digits, - and _ of ASCII, shorter than DT_OKTA_ID_MAX. */
bool dt_okta_is_id(char const *id);

/* True when `url` may be followed with our token: https, host and port those of org_url, a path that
 * begins with /api/v1/ and has no dot segments, no user info, no fragment, nothing but URL
 * characters (RFC 3986). */
bool dt_okta_link_is_ours(dt_config const *c, char const *url);
/* True when `url` is ours and leads to a transaction of exactly this factor of this user:
 * /api/v1/users/{user_id}/factors/{factor_id}/transactions/{one segment}. A poll or cancel link that
 * does not must not be followed: it would report on another person's phone. */
bool dt_okta_link_belongs(dt_config const *c, char const *url, char const *user_id,
                          char const *factor_id);
/* True when the user that was found is the one that was asked for: profile.login equals `login`,
 * ASCII case folded, or, when `login` has no "@", its part before the "@". Okta also takes a user id
 * in place of a login, so a person could be named like somebody's id. */
bool dt_okta_user_is(dt_okta_user const *u, char const *login);

/* Requests. DT_E_LIMIT when a URL does not fit; DT_E_INVALID for an empty or absurd login/id
 * (slash or controls in a login; "me", which is whoever owns the token; ids of other characters than
 * [A-Za-z0-9_-]; a link that is not ours). On failure *out is a GET of nothing. */
DT_MUST_USE int dt_okta_get_user(dt_config const *c, char const *login, dt_http_request *out);
DT_MUST_USE int dt_okta_get_groups(dt_config const *c, char const *user_id, dt_http_request *out);
DT_MUST_USE int dt_okta_get_factors(dt_config const *c, char const *user_id, dt_http_request *out);
/* Is the person assigned to this app? */
DT_MUST_USE int dt_okta_get_assignment(dt_config const *c, char const *app, char const *user_id,
                                       dt_http_request *out);
/* Has the request say for whom it is made: X-Forwarded-For. An address that is none, or this host's own, is left
 * out. */
void dt_okta_forward_for(dt_http_request *out, char const *client_ip);
/* Has Okta send what the factor sends: a push, for which `number` asks for a number challenge. Goes out once:
 * never retried blindly. */
DT_MUST_USE int dt_okta_send(dt_config const *c, char const *user_id, char const *factor_id,
                             bool number, dt_http_request *out);
DT_MUST_USE int dt_okta_passcode(dt_config const *c, char const *user_id, char const *factor_id,
                                 char const *passcode, dt_http_request *out);
/* The answer to a security question: UTF-8 without controls, DT_OKTA_ANSWER_MIN characters or more. The body holds
 * a secret: wipe it, as that of a passcode. */
#define DT_OKTA_ANSWER_MIN 4
DT_MUST_USE int dt_okta_answer_question(dt_config const *c, char const *user_id,
                                        char const *factor_id, char const *answer,
                                        dt_http_request *out);
DT_MUST_USE int dt_okta_poll(dt_config const *c, char const *poll_url, dt_http_request *out);
DT_MUST_USE int dt_okta_cancel(dt_config const *c, char const *cancel_url, dt_http_request *out);

/* Asks whether this is the person's password (Authn API, POST /api/v1/authn as a trusted application).
 * `client_ip` goes along as X-Forwarded-For when it is an address; Okta heeds it where the sender is
 * a trusted proxy of the org. DT_E_INVALID also for a password that is empty, has control characters or
 * is not UTF-8; DT_E_LIMIT past DT_PASSWORD_MAX. The body holds the password: wipe it. */
DT_MUST_USE int dt_okta_authn_start(dt_config const *c, char const *login, char const *password,
                                    char const *client_ip, dt_http_request *out);
/* Ends an open transaction. */
DT_MUST_USE int dt_okta_authn_end(dt_config const *c, char const *state_token,
                                  dt_http_request *out);

/* An open transaction, and whom and which factor of theirs the next request is about. Borrowed. */
typedef struct dt_okta_transaction {
    char const *state_token, *login, *user_id, *factor_id;
    char const *client_ip; /* as in dt_okta_authn_start */
} dt_okta_transaction;
/* POST /api/v1/authn/factors/{factor_id}/verify: begins with a factor, and asks again what became of a push. */
DT_MUST_USE int dt_okta_authn_verify(dt_config const *c, dt_okta_transaction const *t,
                                     dt_http_request *out);
/* Has another code sent. */
DT_MUST_USE int dt_okta_authn_resend(dt_config const *c, dt_okta_transaction const *t,
                                     dt_http_request *out);
/* Gives a passcode, or the answer to a security question. The body is secret: wipe it. */
DT_MUST_USE int dt_okta_authn_passcode(dt_config const *c, dt_okta_transaction const *t,
                                       char const *passcode, dt_http_request *out);
DT_MUST_USE int dt_okta_authn_question(dt_config const *c, dt_okta_transaction const *t,
                                       char const *answer, dt_http_request *out);
/* POST /api/v1/authn/previous: leaves the factor that the transaction waits for, so that another can be begun. Okta
 * takes what is sent about another factor before for an answer to the first. What was sent for it is void. */
DT_MUST_USE int dt_okta_authn_previous(dt_config const *c, char const *state_token,
                                       dt_http_request *out);
/* True when the link is the one that verifies this factor, or that ends a transaction. */
bool dt_okta_authn_link_belongs(dt_config const *c, char const *url, char const *factor_id);

/* Appends the value of "search" that asks for groups of this name, not yet percent-encoded. Okta compares
 * names without their case. */
void dt_okta_put_group_search(dt_buf *b, char const *name);
/* The org's groups of this name. */
#define DT_OKTA_NAMED_GROUPS_PER_PAGE 200
DT_MUST_USE int dt_okta_find_groups(dt_config const *c, char const *name, dt_http_request *out);

/* Replies. `e` gets, for the administrator, HTTP status, errorCode and errorSummary (escaped). */
dt_okta_answer dt_okta_read_user(dt_http_response const *r, dt_okta_user *out, dt_error *e);
/* Which of a person's groups are wanted: by id, as dt_group_of_id makes it, and by name. */
typedef struct dt_okta_group_filter {
    bool (*wants)(void const *ctx, char const *group);
    void const *ctx;
    bool ids, names; /* what is looked at */
} dt_okta_group_filter;
/* Appends the ids and names of groups that are wanted to a list, each NUL-terminated. No two groups that
 * are Okta's own (OKTA_GROUP, and the built-in Everyone) have one name; the name of one that came from an app
 * or a directory is preceded by DT_GROUP_UNSURE_MARK. A list that would
 * miss one (a group without an id or without a name, where that is looked at; more than
 * DT_OKTA_GROUPS_PER_PAGE; more than `groups` holds) is UNUSABLE, since rules may exclude groups;
 * `groups` is then as it was. The next page's URL, for dt_okta_poll, goes to next_url ("" at the end;
 * refused when of another origin). */
dt_okta_answer dt_okta_read_groups(dt_config const *c, dt_http_response const *r,
                                   dt_okta_group_filter const *filter, dt_buf *groups,
                                   char next_url[DT_URL_MAX], dt_error *e);
/* Adds to *count the groups of one page that have the name, in any case (ASCII). An answer with a group
 * whose id or name cannot be read is UNUSABLE. The next page's URL as above. */
dt_okta_answer dt_okta_count_named_groups(dt_config const *c, dt_http_response const *r,
                                          char const *name, int *count, char next_url[DT_URL_MAX],
                                          dt_error *e);
/* *assigned: the app's own status of this person lets them use it (ACTIVE, PROVISIONED, IMPLICIT); else `e` says
 * which it is. A reply about another person is UNUSABLE. NOT_FOUND: not assigned, or there is no such app. */
dt_okta_answer dt_okta_read_assignment(dt_http_response const *r, char const *user_id,
                                       bool *assigned, dt_error *e);
/* Any other look-up that answers 200 with JSON: *root is the caller's to free, NULL unless OK. The
 * next page's URL as above; next_url may be NULL where there are no pages. */
dt_okta_answer dt_okta_read_json(dt_config const *c, dt_http_response const *r, dt_json **root,
                                 char *next_url, dt_error *e);
/* Each factor's name is what tells it from others of the person: that of the device, the end of the phone number,
 * a masked address, the question. It is escaped, and "" where there is none. */
dt_okta_answer dt_okta_read_factors(dt_http_response const *r, dt_okta_factors *out, dt_error *e);
/* Of push, poll and passcode alike. A link of another origin than org_url makes it UNUSABLE. With
 * OK and anything but SUCCESS and WAITING, `e` says what Okta said. */
dt_okta_answer dt_okta_read_verification(dt_config const *c, dt_http_response const *r,
                                         dt_okta_verification *out, dt_error *e);
/* Of the requests about a transaction, in the same words. SUCCESS only with HTTP 200, the status SUCCESS, and the
 * user of the transaction, by id and by login. A reply about another person, transaction or factor is UNUSABLE. */
dt_okta_answer dt_okta_read_transaction(dt_config const *c, dt_http_response const *r,
                                        dt_okta_transaction const *t, dt_okta_verification *out,
                                        dt_error *e);
/* Of dt_okta_authn_start for this login. With OK and anything but VERIFIED, `e` says what Okta said; a
 * reply about another person is UNUSABLE. UNAUTHORIZED only when our token is at fault. */
dt_okta_answer dt_okta_read_authn(dt_http_response const *r, char const *login, dt_okta_authn *out,
                                  dt_error *e);
/* How long to wait after RATE_LIMITED: max(1 s, reset - Date), or Retry-After; both limits 0 (the
 * concurrency limit) or nothing said: 2 s. Never above 60 s. */
dt_time dt_okta_rate_wait(dt_http_response const *r);
/* The next poll: `interval`, longer when the bucket runs low (so that the remaining polls last
 * until its reset). */
dt_time dt_okta_poll_interval(dt_http_response const *r, dt_time interval);

#endif
