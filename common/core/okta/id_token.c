/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See id_token.h. */
#include "core/okta/id_token.h"

#include "core/base/json.h"
#include "core/base/jwt.h"
#include "core/okta/okta.h"

#include <string.h>

#define SHOWN_MAX 160 /* of a login in a message for the administrator, bytes */

/* --- the form ------------------------------------------------------------------------------------- */

static bool is_base64url(dt_bytes part)
{
    dt_buf bytes;
    dt_buf_init(&bytes, DT_ID_TOKEN_MAX);
    bool good = dt_base64url_decode(&bytes, part) == DT_OK;
    dt_buf_free(&bytes);
    return good;
}

static bool is_text(dt_json const *v, char const *text)
{
    char const *s = dt_json_string(v);
    return s != NULL && text != NULL && strcmp(s, text) == 0;
}

static bool is_there(dt_json const *v)
{
    return dt_json_typeof(v) != DT_JSON_NONE;
}

/* NULL, or what is wrong with the header. RS256 is what Okta signs with, ES256 its only other algorithm (RFC 7518
 * section 3.1); "none" and the HMACs must never pass. A critical extension is one that we do not know. */
static char const *check_header(dt_json const *header)
{
    dt_json const *alg = dt_json_get(header, "alg");
    if (!is_text(alg, "RS256") && !is_text(alg, "ES256"))
        return "its algorithm is neither RS256 nor ES256";
    if (is_there(dt_json_get(header, "crit")))
        return "it has a critical extension";
    return NULL;
}

/* --- for whom, and by whom ------------------------------------------------------------------------ */

/* The client id alone, or a list of exactly the client id. */
static bool is_audience(dt_json const *aud, char const *client_id)
{
    if (dt_json_typeof(aud) == DT_JSON_ARRAY)
        return dt_json_size(aud) == 1 && is_text(dt_json_at(aud, 0), client_id);
    return is_text(aud, client_id);
}

static bool is_nonce(dt_json const *nonce, char const *sent)
{
    if (sent == NULL || sent[0] == '\0')
        return !is_there(nonce);
    return is_text(nonce, sent);
}

static char const *check_parties(dt_json const *claims, dt_id_token_expected const *x)
{
    dt_json const *azp = dt_json_get(claims, "azp");
    if (!is_text(dt_json_get(claims, "iss"), x->issuer))
        return "it is of another issuer than [okta] org_url";
    if (!is_audience(dt_json_get(claims, "aud"), x->client_id))
        return "it is for another app than [okta] native_client_id";
    if (is_there(azp) && !is_text(azp, x->client_id))
        return "it was issued to another app than [okta] native_client_id";
    if (!is_nonce(dt_json_get(claims, "nonce"), x->nonce))
        return "its nonce is not the one that was sent";
    return NULL;
}

/* --- when ----------------------------------------------------------------------------------------- */

/* A claim in seconds since 1970, made milliseconds. */
static bool read_seconds(dt_json const *v, dt_time *out)
{
    int64_t seconds;
    if (!dt_json_integer(v, &seconds) || seconds <= 0 ||
        seconds >= (DT_TIME_NEVER - DT_DAYS(1)) / DT_SECONDS(1))
        return false;
    *out = DT_SECONDS(seconds);
    return true;
}

static char const *check_times(dt_json const *claims, dt_time now, dt_id_token *out)
{
    dt_json const *auth_time = dt_json_get(claims, "auth_time");
    dt_json const *nbf = dt_json_get(claims, "nbf");
    dt_time expires, begins = 0;
    if (!read_seconds(dt_json_get(claims, "exp"), &expires) ||
        !read_seconds(dt_json_get(claims, "iat"), &out->issued_at))
        return "it does not say when it was issued and when it ends";
    if (is_there(auth_time) && !read_seconds(auth_time, &out->auth_time))
        return "its auth_time is not a time";
    if (is_there(nbf) && !read_seconds(nbf, &begins))
        return "its nbf is not a time";
    if (expires <= now - DT_ID_TOKEN_LEEWAY)
        return "it has expired; check the clock of this host";
    if (out->issued_at > now + DT_ID_TOKEN_LEEWAY || begins > now + DT_ID_TOKEN_LEEWAY)
        return "it is of the future; check the clock of this host";
    if (out->issued_at < now - DT_ID_TOKEN_AGE_MAX - DT_ID_TOKEN_LEEWAY)
        return "it was issued too long ago; check the clock of this host";
    if (out->auth_time > out->issued_at + DT_ID_TOKEN_LEEWAY)
        return "the person authenticated after it was issued";
    return NULL;
}

/* --- by what -------------------------------------------------------------------------------------- */

static struct {
    char const *word;
    dt_amr bit;
} const amr_words[] = {
    {"pwd", DT_AMR_PASSWORD},  {"pin", DT_AMR_PASSWORD},   {"kba", DT_AMR_KNOWLEDGE},
    {"hwk", DT_AMR_HARDWARE},  {"swk", DT_AMR_SOFTWARE},   {"pop", DT_AMR_POSSESSION},
    {"sc", DT_AMR_POSSESSION}, {"phr", DT_AMR_POSSESSION}, {"phrh", DT_AMR_POSSESSION},
    {"otp", DT_AMR_OTP},       {"sms", DT_AMR_PHONE},      {"tel", DT_AMR_PHONE},
    {"mfa", DT_AMR_MFA},
};

static unsigned amr_bit(char const *word)
{
    for (size_t i = 0; i < sizeof(amr_words) / sizeof(amr_words[0]); i++)
        if (strcmp(amr_words[i].word, word) == 0)
            return amr_words[i].bit;
    return 0;
}

static char const *read_amr(dt_json const *amr, unsigned *out)
{
    *out = 0;
    if (!is_there(amr))
        return NULL;
    if (dt_json_typeof(amr) != DT_JSON_ARRAY || dt_json_size(amr) > DT_ID_TOKEN_AMR_MAX)
        return "its amr is not a list";
    for (size_t i = 0; i < dt_json_size(amr); i++) {
        char const *word = dt_json_string(dt_json_at(amr, i));
        if (word == NULL)
            return "its amr is not a list of texts";
        *out |= amr_bit(word);
    }
    return NULL;
}

/* --- who ------------------------------------------------------------------------------------------ */

/* Both must be there to say anything about a person. */
static char const *check_named(dt_json const *claims)
{
    if (!dt_okta_is_id(dt_json_string(dt_json_get(claims, "sub"))))
        return "it has no sub";
    if (dt_json_string(dt_json_get(claims, "preferred_username")) == NULL)
        return "it has no preferred_username";
    return NULL;
}

static bool is_person(dt_json const *claims, dt_id_token_expected const *x)
{
    dt_okta_user user = {0};
    char const *login = dt_json_string(dt_json_get(claims, "preferred_username"));
    bool same = dt_okta_is_id(x->user_id) && is_text(dt_json_get(claims, "sub"), x->user_id);
    return (same || x->by_login) && dt_str_copy(user.login, sizeof(user.login), login) == DT_OK &&
           dt_okta_user_is(&user, x->login);
}

/* --- the whole ------------------------------------------------------------------------------------ */

static dt_id_token_verdict unusable(dt_error *e, char const *wrong)
{
    (void)dt_error_set(e, DT_E_PARSE, "the ID token cannot be used: %s", wrong);
    return DT_ID_TOKEN_UNUSABLE;
}

static dt_id_token_verdict check_claims(dt_json const *header, dt_json const *claims,
                                        dt_id_token_expected const *x, dt_time now,
                                        dt_id_token *out, dt_error *e)
{
    char shown[SHOWN_MAX];
    char const *wrong = check_header(header);
    if (wrong == NULL)
        wrong = check_parties(claims, x);
    if (wrong == NULL)
        wrong = check_times(claims, now, out);
    if (wrong == NULL)
        wrong = read_amr(dt_json_get(claims, "amr"), &out->amr);
    if (wrong == NULL)
        wrong = check_named(claims);
    if (wrong != NULL)
        return unusable(e, wrong);
    if (is_person(claims, x))
        return DT_ID_TOKEN_OK;
    (void)dt_error_set(e, DT_E_PERMISSION, "another person signed on: %s",
                       dt_str_escape(shown, sizeof(shown),
                                     dt_json_string(dt_json_get(claims, "preferred_username"))));
    return DT_ID_TOKEN_OTHER_PERSON;
}

dt_id_token_verdict dt_id_token_check(dt_bytes token, dt_id_token_expected const *expected,
                                      dt_time now, dt_id_token *out, dt_error *e)
{
    dt_bytes part[DT_JWT_PARTS];
    memset(out, 0, sizeof(*out));
    if (token.len > DT_ID_TOKEN_MAX)
        return unusable(e, "it is too long");
    if (!dt_jwt_split(token, part) || !is_base64url(part[2]))
        return unusable(e, "it is not three parts of base64url");
    dt_json *header = dt_jwt_object(part[0], DT_ID_TOKEN_MAX),
            *claims = dt_jwt_object(part[1], DT_ID_TOKEN_MAX);
    dt_id_token_verdict verdict = header == NULL || claims == NULL
                                      ? unusable(e, "its header or its claims are not JSON")
                                      : check_claims(header, claims, expected, now, out, e);
    dt_json_free_wiped(&header);
    dt_json_free_wiped(&claims);
    if (verdict != DT_ID_TOKEN_OK)
        memset(out, 0, sizeof(*out));
    return verdict;
}
