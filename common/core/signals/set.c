/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See set.h. The events are in set_events.c. */
#include "core/signals/set.h"

#include "core/base/jwt.h"
#include "core/signals/set_internal.h"

#include <string.h>

#define TYPE "secevent+jwt"
#define TYPE_LONG "application/" TYPE

char const *dt_set_fault_word(dt_set_fault f)
{
#define X(NAME, word)                                                                              \
    if (f == DT_SET_##NAME)                                                                        \
        return word;
    DT_SET_FAULTS(X)
#undef X
    return "invalid_request";
}

/* --- the form ------------------------------------------------------------------------------------- */

static bool is_there(dt_json const *v)
{
    return dt_json_typeof(v) != DT_JSON_NONE;
}

/* --- header and signature ------------------------------------------------------------------------- */

static char const *check_header(dt_json const *header, dt_jws_alg *alg, char const **kid)
{
    char const *typ = dt_json_string(dt_json_get(header, "typ"));
    *alg = dt_jws_alg_of(dt_json_string(dt_json_get(header, "alg")));
    *kid = dt_json_string(dt_json_get(header, "kid"));
    if (typ == NULL || (!dt_str_equal_nocase(typ, TYPE) && !dt_str_equal_nocase(typ, TYPE_LONG)))
        return "its typ is not secevent+jwt";
    if (*alg == DT_JWS_NONE)
        return "its algorithm is neither RS256 nor ES256";
    if (is_there(dt_json_get(header, "crit")))
        return "it has a critical extension";
    if (*kid == NULL || **kid == '\0' || strlen(*kid) >= DT_KID_MAX)
        return "it does not name its key (kid)";
    return NULL;
}

/* Of the whole token: what was signed are its first two parts with the dot between them. */
static int check_signature(dt_bytes token, dt_bytes const part[DT_JWT_PARTS], dt_jwks const *keys,
                           char const *kid, dt_jws_alg alg)
{
    dt_buf raw;
    dt_buf_init(&raw, DT_SET_MAX);
    int rc = dt_base64url_decode(&raw, part[2]);
    if (rc == DT_OK)
        rc = dt_jwks_verify(keys, kid, alg, dt_bytes_of(token.p, token.len - part[2].len - 1),
                            dt_buf_bytes(&raw));
    dt_buf_free(&raw);
    return rc;
}

/* --- claims --------------------------------------------------------------------------------------- */

static bool is_ours(char const *audience, dt_set_expected const *x)
{
    for (size_t i = 0; audience != NULL && i < x->audience_count; i++)
        if (strcmp(audience, x->audiences[i]) == 0)
            return true;
    return false;
}

static bool is_audience(dt_json const *aud, dt_set_expected const *x)
{
    if (dt_json_typeof(aud) != DT_JSON_ARRAY)
        return is_ours(dt_json_string(aud), x);
    bool ours = false;
    for (size_t i = 0; i < dt_json_size(aud); i++) {
        char const *one = dt_json_string(dt_json_at(aud, i));
        if (one == NULL)
            return false;
        ours = ours || is_ours(one, x);
    }
    return ours && dt_json_size(aud) <= DT_SET_AUDIENCES_MAX;
}

/* A claim in seconds since 1970, made milliseconds. */
static bool read_seconds(dt_json const *v, dt_time *out)
{
    int64_t seconds;
    if (!dt_json_integer(v, &seconds) || seconds <= 0 || seconds >= INT64_MAX / DT_SECONDS(2))
        return false;
    *out = DT_SECONDS(seconds);
    return true;
}

static dt_set_fault check_parties(dt_json const *claims, dt_set_expected const *x,
                                  char const **wrong)
{
    char const *iss = dt_json_string(dt_json_get(claims, "iss"));
    *wrong = "it is of another issuer";
    if (iss == NULL || strcmp(iss, x->issuer) != 0)
        return DT_SET_INVALID_ISSUER;
    *wrong = "it is for another receiver (aud)";
    return is_audience(dt_json_get(claims, "aud"), x) ? DT_SET_FAULT_NONE : DT_SET_INVALID_AUDIENCE;
}

static char const *check_times(dt_json const *claims, dt_time now, dt_set *out)
{
    dt_json const *toe = dt_json_get(claims, "toe");
    if (!read_seconds(dt_json_get(claims, "iat"), &out->issued_at))
        return "it does not say when it was issued (iat)";
    if (is_there(toe) && !read_seconds(toe, &out->event_at))
        return "its toe is not a time";
    if (out->issued_at > now + DT_SET_LEEWAY)
        return "it is of the future; check the clock of this host";
    if (out->issued_at < now - DT_SET_AGE_MAX)
        return "it was issued too long ago";
    /* RFC 8417 section 2.2 and SSF 4.1: a token with these could be taken for one of another kind. */
    if (is_there(dt_json_get(claims, "exp")) || is_there(dt_json_get(claims, "sub")))
        return "it has exp or sub, which an event never has";
    return NULL;
}

static char const *read_id(dt_json const *claims, dt_set *out)
{
    char const *jti = dt_json_string(dt_json_get(claims, "jti"));
    dt_json const *txn = dt_json_get(claims, "txn");
    if (jti == NULL || jti[0] == '\0' || dt_str_copy(out->jti, sizeof(out->jti), jti) != DT_OK)
        return "it has no jti, or one that is too long";
    return is_there(txn) && dt_json_string(txn) == NULL ? "its txn is not a text" : NULL;
}

/* --- the whole ------------------------------------------------------------------------------------ */

static dt_set_verdict refuse(dt_set *out, dt_set_fault fault, char const *wrong, dt_error *e)
{
    memset(out, 0, sizeof(*out));
    out->fault = fault;
    (void)dt_error_set(e, DT_E_PARSE, "the security event cannot be used: %s", wrong);
    return DT_SET_REFUSED;
}

static dt_set_verdict read_claims(dt_json const *claims, dt_set_expected const *x, dt_time now,
                                  dt_set *out, dt_error *e)
{
    char const *wrong;
    dt_set_fault const fault = check_parties(claims, x, &wrong);
    if (fault != DT_SET_FAULT_NONE)
        return refuse(out, fault, wrong, e);
    wrong = check_times(claims, now, out);
    if (wrong == NULL)
        wrong = read_id(claims, out);
    if (wrong == NULL) {
        out->news.source = DT_NEWS_CAEP;
        out->news.reference = out->jti;
        out->news.okta_issuer = x->okta_issuer;
        out->news.at = now;
        wrong = dt_set_read_events(claims, x, out);
    }
    /* What was borrowed does not outlive the call. */
    out->news.reference = out->news.okta_issuer = NULL;
    return wrong == NULL ? DT_SET_OK : refuse(out, DT_SET_INVALID_REQUEST, wrong, e);
}

static dt_set_verdict check_signed(dt_bytes token, dt_bytes const part[DT_JWT_PARTS],
                                   dt_json const *header, dt_jwks const *keys, dt_set *out,
                                   dt_error *e)
{
    dt_jws_alg alg;
    char const *kid;
    char const *wrong = check_header(header, &alg, &kid);
    if (wrong != NULL)
        return refuse(out, DT_SET_INVALID_REQUEST, wrong, e);
    switch (check_signature(token, part, keys, kid, alg)) {
    case DT_OK:
        return DT_SET_OK;
    case DT_E_NOT_FOUND:
        (void)refuse(out, DT_SET_INVALID_KEY, "its issuer has no such key (kid)", e);
        return DT_SET_UNKNOWN_KEY;
    case DT_E_CRYPTO:
        return refuse(out, DT_SET_AUTHENTICATION_FAILED, "its signature is not valid", e);
    default:
        return refuse(out, DT_SET_INVALID_REQUEST, "its signature is not base64url", e);
    }
}

dt_set_verdict dt_set_read(dt_bytes token, dt_jwks const *keys, dt_set_expected const *x,
                           dt_time now, dt_set *out, dt_error *e)
{
    dt_bytes part[DT_JWT_PARTS];
    memset(out, 0, sizeof(*out));
    if (token.len > DT_SET_MAX)
        return refuse(out, DT_SET_INVALID_REQUEST, "it is too long", e);
    if (!dt_jwt_split(token, part))
        return refuse(out, DT_SET_INVALID_REQUEST, "it is not three parts of base64url", e);
    dt_json *header = dt_jwt_object(part[0], DT_SET_MAX), *claims = NULL;
    dt_set_verdict v = header == NULL
                           ? refuse(out, DT_SET_INVALID_REQUEST, "its header is not JSON", e)
                           : check_signed(token, part, header, keys, out, e);
    if (v == DT_SET_OK) {
        claims = dt_jwt_object(part[1], DT_SET_MAX);
        v = claims == NULL ? refuse(out, DT_SET_INVALID_REQUEST, "its claims are not JSON", e)
                           : read_claims(claims, x, now, out, e);
    }
    dt_json_free(&header);
    dt_json_free(&claims);
    return v;
}
