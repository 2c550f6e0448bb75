/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ID token of the org (OpenID Connect Core 1.0): who signed on there, when, and by what.
 *
 * Only a token that the token endpoint has answered to devtrust's own request may be checked here. Its signature is
 * not verified: OpenID Connect Core 1.0, section 3.1.3.7, step 6, allows the TLS server validation in place of the
 * signature when the client gets the token directly from the token endpoint. devtrust does get it there: from
 * [okta] org_url, over TLS with verification and without redirects (edge/http_curl.c). A token that came in any
 * other way proves nothing. The header is still checked, so a token that says that it is unsigned is refused.
 *
 * Pure and thread-safe. */
#ifndef DT_CORE_ID_TOKEN_H
#define DT_CORE_ID_TOKEN_H

#include "core/base/bytes.h"

#define DT_ID_TOKEN_MAX 8192             /* longest token that is looked at, bytes */
#define DT_ID_TOKEN_LEEWAY DT_MINUTES(5) /* by which Okta's clock and ours may differ */
#define DT_ID_TOKEN_AGE_MAX                                                                        \
    DT_MINUTES(10) /* since it was issued, leeway aside: it is an answer to a request of just now */
#define DT_ID_TOKEN_AMR_MAX 32 /* most members of amr */

/* What amr says that the person used, as far as it matters here; a bit each. Source: RFC 8176 section 2, and "phr"
 * and "phrh" of OpenID Connect Extended Authentication Profile (EAP) ACR Values 1.0. */
typedef enum dt_amr {
    DT_AMR_PASSWORD = 1 << 0,   /* pwd, pin */
    DT_AMR_KNOWLEDGE = 1 << 1,  /* kba */
    DT_AMR_HARDWARE = 1 << 2,   /* hwk */
    DT_AMR_SOFTWARE = 1 << 3,   /* swk */
    DT_AMR_POSSESSION = 1 << 4, /* pop, sc, phr, phrh */
    DT_AMR_OTP = 1 << 5,        /* otp */
    DT_AMR_PHONE = 1 << 6,      /* sms, tel */
    DT_AMR_MFA = 1 << 7,        /* mfa: more than one factor; says nothing about which */
} dt_amr;
/* Words that name something that the person has. "mfa" is not one of them: a password and a security question are
 * two factors, too. */
#define DT_AMR_ANY_POSSESSION                                                                      \
    ((unsigned)(DT_AMR_HARDWARE | DT_AMR_SOFTWARE | DT_AMR_POSSESSION | DT_AMR_OTP | DT_AMR_PHONE))

/* What the token has to be about. All borrowed. */
typedef struct dt_id_token_expected {
    char const *issuer;    /* exactly: the org's URL, or that of an authorization server */
    char const *client_id; /* of the app that asked */
    char const *nonce;     /* that was sent with the request; NULL or "" = none was sent */
    char const *user_id;   /* Okta's id of the person who signs on, as the look-up found it */
    char const *login;     /* and the login by which it was looked up */
    bool by_login; /* nobody was looked up yet: the login alone says who it is, and not user_id */
} dt_id_token_expected;

typedef struct dt_id_token {
    unsigned amr;      /* dt_amr bits; words that are not known count for nothing */
    dt_time auth_time; /* when the person authenticated; 0 = the token does not say */
    dt_time issued_at;
} dt_id_token;

typedef enum dt_id_token_verdict {
    DT_ID_TOKEN_UNUSABLE = 0, /* not a token for us, or not one of now */
    DT_ID_TOKEN_OK,
    DT_ID_TOKEN_OTHER_PERSON, /* good, but somebody else signed on */
} dt_id_token_verdict;

/* Checks a token. OK only when all of this holds: three parts of base64url; alg RS256 or ES256, no crit; iss, aud
 * and azp are those that are expected; exp is not over, iat neither in the future nor long ago, each by `now` with
 * DT_ID_TOKEN_LEEWAY; the nonce is the one that was sent, or there is none; sub is the expected user_id *and*
 * preferred_username that person's login (dt_okta_user_is). *out is all zero unless OK. `e` says what is wrong with
 * it; it quotes nothing of the token but, of another person, the escaped login. */
dt_id_token_verdict dt_id_token_check(dt_bytes token, dt_id_token_expected const *expected,
                                      dt_time now, dt_id_token *out, dt_error *e);

#endif
