/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Security Event Tokens: which are taken, for which reason the others are not, and what news the events make. */
#include "core/signals/set.h"

#include "jws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW ((dt_time)1700000000000)
#define SECONDS 1700000000
#define ISS "https://tr.example.com/t1"
#define AUD "https://devtrust.example.com"
#define ORG "https://example.okta.com"
#define GUID "6e9f8a3c-3f5c-4b6e-9d58-1c2d3e4f5a6b"
#define CAEP "https://schemas.openid.net/secevent/caep/event-type/"
#define RISC "https://schemas.openid.net/secevent/risc/event-type/"
#define SSF "https://schemas.openid.net/secevent/ssf/event-type/"
#define OKTA "https://schemas.okta.com/secevent/okta/event-type/"

#define HEADER "{\"typ\":\"secevent+jwt\",\"alg\":\"RS256\",\"kid\":\"a\"}"
#define SUB "\"sub_id\":{\"format\":\"email\",\"email\":\"ann@example.com\"}"
#define EVENTS "\"events\":{\"" CAEP "session-revoked\":{\"event_timestamp\":1699999990}}"
#define CLAIMS                                                                                     \
    "{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"iat\":1700000000,\"jti\":\"j1\"," SUB "," EVENTS "}"

static EVP_PKEY *rsa, *stranger, *p256;
static dt_jwks *keys;

static char const *const audiences[] = {AUD, "client-1"};
static dt_set_expected const expected = {.issuer = ISS,
                                         .audiences = audiences,
                                         .audience_count = 2,
                                         .okta_issuer = ORG,
                                         .stream_id = "s1"};

static int make_keys(void **state)
{
    dt_buf b;
    (void)state;
    rsa = jws_make_rsa(2048);
    stranger = jws_make_rsa(2048);
    p256 = jws_make_p256();
    dt_buf_init(&b, DT_JWKS_TEXT_MAX);
    dt_buf_puts(&b, "{\"keys\":[");
    jws_put_jwk(&b, rsa, "\"kid\":\"a\"");
    dt_buf_puts(&b, ",");
    jws_put_jwk(&b, p256, "\"kid\":\"e\"");
    dt_buf_puts(&b, "]}");
    int const rc = dt_jwks_read(dt_buf_bytes(&b), &keys, NULL);
    dt_buf_free(&b);
    return rc;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(stranger);
    EVP_PKEY_free(p256);
    dt_jwks_free(&keys);
    return 0;
}

static bool is_empty_but_fault(dt_set const *s)
{
    return s->kind == DT_SET_KIND_NONE && s->jti[0] == '\0' && s->issued_at == 0 &&
           s->event_at == 0 && s->event[0] == '\0' && !s->is_known && s->state[0] == '\0' &&
           s->status == DT_STREAM_UNKNOWN && s->news.count == 0;
}

static dt_set_verdict read_bytes(dt_bytes token, dt_set *out, dt_error *e)
{
    memset(out, 1, sizeof(*out));
    memset(e, 0, sizeof(*e));
    dt_set_verdict const v = dt_set_read(token, keys, &expected, NOW, out, e);
    assert_true((v == DT_SET_OK) == (e->code == 0));
    if (v != DT_SET_OK) {
        assert_true(is_empty_but_fault(out));
        assert_true(out->fault != DT_SET_FAULT_NONE);
    }
    return v;
}

static dt_set_verdict read_token(EVP_PKEY *key, char const *header, char const *claims, dt_set *out,
                                 dt_error *e)
{
    dt_buf b;
    dt_buf_init(&b, (size_t)1 << 20);
    jws_put_token(&b, key, header, claims);
    dt_set_verdict const v = read_bytes(dt_buf_bytes(&b), out, e);
    dt_buf_free(&b);
    return v;
}

/* `text` with `old` replaced by `new`, once. Valid until the next call. */
static char const *with(char const *text, char const *old, char const *new)
{
    static char out[64 * 1024];
    char const *at = strstr(text, old);
    if (at == NULL)
        fail_msg("%s is not in %s", old, text);
    (void)snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    return out;
}

static void accept(char const *claims, dt_set *out)
{
    dt_error e;
    if (read_token(rsa, HEADER, claims, out, &e) != DT_SET_OK)
        fail_msg("%s: %s", claims, e.text);
}

static void refuse(EVP_PKEY *key, char const *header, char const *claims, dt_set_fault fault,
                   char const *why)
{
    dt_set s;
    dt_error e;
    if (read_token(key, header, claims, &s, &e) != DT_SET_REFUSED)
        fail_msg("taken: %s %s", header, claims);
    if (s.fault != fault || strstr(e.text, why) == NULL)
        fail_msg("%s %s: %s, %s", header, claims, dt_set_fault_word(s.fault), e.text);
}

static void refuse_claims(char const *old, char const *new, dt_set_fault fault, char const *why)
{
    refuse(rsa, HEADER, with(CLAIMS, old, new), fault, why);
}

/* --- the token ------------------------------------------------------------------------------------- */

static void a_signed_event_is_taken(void **state)
{
    dt_set s;
    dt_error e;
    (void)state;
    accept(CLAIMS, &s);
    assert_int_equal(s.kind, DT_SET_KIND_EVENT);
    assert_string_equal(s.jti, "j1");
    assert_int_equal(s.issued_at, NOW);
    assert_int_equal(s.event_at, NOW - DT_SECONDS(10));
    assert_string_equal(s.event, CAEP "session-revoked");
    assert_true(s.is_known);
    assert_int_equal(s.news.count, 1);
    assert_int_equal(s.news.items[0].about, DT_NEWS_LOGIN);
    assert_int_equal(s.news.items[0].what, DT_NEWS_SESSION_REVOKED);
    assert_int_equal(s.news.items[0].source, DT_NEWS_CAEP);
    assert_int_equal(s.news.items[0].at, NOW);
    assert_string_equal(s.news.items[0].id, "ann@example.com");
    assert_string_equal(s.news.items[0].reference, "j1");
    assert_int_equal(read_token(p256,
                                "{\"typ\":\"application/SECEVENT+jwt\",\"alg\":\"ES256\","
                                "\"kid\":\"e\"}",
                                CLAIMS, &s, &e),
                     DT_SET_OK);
}

static void a_header_must_be_exact(void **state)
{
    (void)state;
    static struct {
        char const *header, *why;
    } const bad[] = {
        {"{\"typ\":\"JWT\",\"alg\":\"RS256\",\"kid\":\"a\"}", "typ"},
        {"{\"alg\":\"RS256\",\"kid\":\"a\"}", "typ"},
        {"{\"typ\":[\"secevent+jwt\"],\"alg\":\"RS256\",\"kid\":\"a\"}", "typ"},
        {"{\"typ\":\"secevent+jwt\",\"alg\":\"none\",\"kid\":\"a\"}", "algorithm"},
        {"{\"typ\":\"secevent+jwt\",\"alg\":\"HS256\",\"kid\":\"a\"}", "algorithm"},
        {"{\"typ\":\"secevent+jwt\",\"alg\":\"PS256\",\"kid\":\"a\"}", "algorithm"},
        {"{\"typ\":\"secevent+jwt\",\"alg\":[\"RS256\"],\"kid\":\"a\"}", "algorithm"},
        {"{\"typ\":\"secevent+jwt\",\"kid\":\"a\"}", "algorithm"},
        {"{\"typ\":\"secevent+jwt\",\"alg\":\"RS256\",\"kid\":\"a\",\"crit\":[\"b64\"]}",
         "critical"},
        {"{\"typ\":\"secevent+jwt\",\"alg\":\"RS256\"}", "kid"},
        {"{\"typ\":\"secevent+jwt\",\"alg\":\"RS256\",\"kid\":\"\"}", "kid"},
        {"{\"typ\":\"secevent+jwt\",\"alg\":\"RS256\",\"kid\":7}", "kid"},
        {"{\"typ\":\"secevent+jwt\",\"alg\":\"RS256\",\"alg\":\"none\",\"kid\":\"a\"}", "header"},
        {"[]", "header"},
        {"{", "header"},
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        refuse(rsa, bad[i].header, CLAIMS, DT_SET_INVALID_REQUEST, bad[i].why);
}

/* A key that comes along in the token signs nothing. */
static void the_key_of_a_token_is_not_used(void **state)
{
    dt_buf h;
    (void)state;
    dt_buf_init(&h, 8192);
    dt_buf_puts(&h, "{\"typ\":\"secevent+jwt\",\"alg\":\"RS256\",\"kid\":\"a\",\"jwk\":");
    jws_put_jwk(&h, stranger, "");
    dt_buf_puts(&h, "}");
    refuse(stranger, (char const *)h.p, CLAIMS, DT_SET_AUTHENTICATION_FAILED, "signature");
    dt_buf_free(&h);
}

static void a_signature_of_another_is_refused(void **state)
{
    (void)state;
    refuse(stranger, HEADER, CLAIMS, DT_SET_AUTHENTICATION_FAILED, "signature");
    refuse(p256, HEADER, CLAIMS, DT_SET_AUTHENTICATION_FAILED, "signature");
    refuse(NULL, HEADER, CLAIMS, DT_SET_AUTHENTICATION_FAILED, "signature");
}

static void a_key_that_is_not_known_is_asked_for(void **state)
{
    dt_set s;
    dt_error e;
    (void)state;
    static char const *const headers[] = {
        "{\"typ\":\"secevent+jwt\",\"alg\":\"RS256\",\"kid\":\"b\"}",
        "{\"typ\":\"secevent+jwt\",\"alg\":\"RS256\",\"kid\":\"e\"}", /* of the other kind */
        "{\"typ\":\"secevent+jwt\",\"alg\":\"ES256\",\"kid\":\"a\"}",
    };
    for (size_t i = 0; i < COUNT(headers); i++) {
        assert_int_equal(read_token(rsa, headers[i], CLAIMS, &s, &e), DT_SET_UNKNOWN_KEY);
        assert_int_equal(s.fault, DT_SET_INVALID_KEY);
    }
}

static void every_cut_and_every_changed_byte_is_refused(void **state)
{
    dt_buf b;
    dt_set s;
    dt_error e;
    (void)state;
    dt_buf_init(&b, 8192);
    jws_put_token(&b, rsa, HEADER, CLAIMS);
    for (size_t len = 0; len < b.len; len++)
        assert_true(read_bytes(dt_bytes_of(b.p, len), &s, &e) != DT_SET_OK);
    for (size_t i = 0; i < b.len; i += 3) {
        uint8_t const was = b.p[i];
        b.p[i] = was == 'A' ? 'B' : 'A';
        assert_true(read_bytes(dt_buf_bytes(&b), &s, &e) != DT_SET_OK);
        b.p[i] = was;
    }
    assert_int_equal(read_bytes(dt_buf_bytes(&b), &s, &e), DT_SET_OK);
    dt_buf_puts(&b, ".AAAA");
    assert_int_equal(read_bytes(dt_buf_bytes(&b), &s, &e), DT_SET_REFUSED);
    dt_buf_free(&b);
}

static void a_token_too_long_is_refused(void **state)
{
    static char text[DT_SET_MAX + 2];
    dt_set s;
    dt_error e;
    (void)state;
    memset(text, 'A', sizeof(text));
    assert_int_equal(read_bytes(dt_bytes_of(text, DT_SET_MAX + 1), &s, &e), DT_SET_REFUSED);
    assert_non_null(strstr(e.text, "too long"));
}

/* --- claims ---------------------------------------------------------------------------------------- */

static void the_issuer_is_exactly_ours(void **state)
{
    (void)state;
    refuse_claims(ISS, ISS "/", DT_SET_INVALID_ISSUER, "issuer");
    refuse_claims(ISS, "https://tr.example.com", DT_SET_INVALID_ISSUER, "issuer");
    refuse_claims("\"" ISS "\"", "[\"" ISS "\"]", DT_SET_INVALID_ISSUER, "issuer");
    refuse_claims("\"iss\":\"" ISS "\",", "", DT_SET_INVALID_ISSUER, "issuer");
}

static void the_audience_is_ours_among_others(void **state)
{
    dt_set s;
    (void)state;
    accept(with(CLAIMS, "\"" AUD "\"", "[\"x\",\"client-1\"]"), &s);
    accept(with(CLAIMS, "\"" AUD "\"", "\"client-1\""), &s);
    refuse_claims(AUD, "https://other.example.com", DT_SET_INVALID_AUDIENCE, "aud");
    refuse_claims(AUD, AUD "/", DT_SET_INVALID_AUDIENCE, "aud");
    refuse_claims("\"" AUD "\"", "[]", DT_SET_INVALID_AUDIENCE, "aud");
    refuse_claims("\"" AUD "\"", "[\"x\"]", DT_SET_INVALID_AUDIENCE, "aud");
    refuse_claims("\"" AUD "\"", "[\"" AUD "\",7]", DT_SET_INVALID_AUDIENCE, "aud");
    refuse_claims("\"" AUD "\"", "null", DT_SET_INVALID_AUDIENCE, "aud");
    refuse_claims("\"aud\":\"" AUD "\",", "", DT_SET_INVALID_AUDIENCE, "aud");
    refuse_claims("\"" AUD "\"",
                  "[\"" AUD
                  "\",\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\","
                  "\"12\",\"13\",\"14\",\"15\",\"16\"]",
                  DT_SET_INVALID_AUDIENCE, "aud");
    /* nothing is for a receiver that has no audience */
    dt_set_expected nobody = expected;
    dt_buf b;
    dt_error e = {0};
    nobody.audience_count = 0;
    dt_buf_init(&b, 8192);
    jws_put_token(&b, rsa, HEADER, CLAIMS);
    assert_int_equal(dt_set_read(dt_buf_bytes(&b), keys, &nobody, NOW, &s, &e), DT_SET_REFUSED);
    dt_buf_free(&b);
}

static void its_time_makes_sense(void **state)
{
    dt_set s;
    char iat[32];
    int64_t const age = DT_SET_AGE_MAX / 1000, leeway = DT_SET_LEEWAY / 1000;
    (void)state;
    (void)snprintf(iat, sizeof(iat), "%lld", (long long)(SECONDS - age));
    accept(with(CLAIMS, "1700000000", iat), &s);
    (void)snprintf(iat, sizeof(iat), "%lld", (long long)(SECONDS - age - 1));
    refuse_claims("1700000000", iat, DT_SET_INVALID_REQUEST, "too long ago");
    (void)snprintf(iat, sizeof(iat), "%lld", (long long)(SECONDS + leeway));
    accept(with(CLAIMS, "1700000000", iat), &s);
    (void)snprintf(iat, sizeof(iat), "%lld", (long long)(SECONDS + leeway + 1));
    refuse_claims("1700000000", iat, DT_SET_INVALID_REQUEST, "future");
    refuse_claims("1700000000", "1700000000000", DT_SET_INVALID_REQUEST, "future");
    refuse_claims("1700000000", "9223372036854775807", DT_SET_INVALID_REQUEST, "iat");
    refuse_claims("1700000000", "-1", DT_SET_INVALID_REQUEST, "iat");
    refuse_claims("1700000000", "1700000000.5", DT_SET_INVALID_REQUEST, "iat");
    refuse_claims("1700000000", "\"1700000000\"", DT_SET_INVALID_REQUEST, "iat");
    refuse_claims("\"iat\":1700000000,", "", DT_SET_INVALID_REQUEST, "iat");
    accept(with(CLAIMS, "\"iat\"", "\"toe\":1699990000,\"iat\""), &s);
    assert_int_equal(s.event_at, NOW - DT_SECONDS(10)); /* the event's own time comes first */
    refuse_claims("\"iat\"", "\"toe\":\"now\",\"iat\"", DT_SET_INVALID_REQUEST, "toe");
}

static void a_token_of_another_kind_is_refused(void **state)
{
    (void)state;
    refuse_claims("\"iat\"", "\"exp\":1700000600,\"iat\"", DT_SET_INVALID_REQUEST, "exp");
    refuse_claims("\"iat\"", "\"sub\":\"ann\",\"iat\"", DT_SET_INVALID_REQUEST, "sub");
    refuse_claims("\"iat\"", "\"exp\":null,\"iat\"", DT_SET_INVALID_REQUEST, "exp");
    refuse_claims("\"iat\"", "\"iss\":\"" ISS "\",\"iat\"", DT_SET_INVALID_REQUEST, "JSON");
    refuse(rsa, HEADER, "[]", DT_SET_INVALID_REQUEST, "JSON");
    refuse(rsa, HEADER, "not", DT_SET_INVALID_REQUEST, "JSON");
}

static void it_has_an_id(void **state)
{
    dt_set s;
    char long_id[DT_JTI_MAX + 8];
    (void)state;
    refuse_claims("\"jti\":\"j1\",", "", DT_SET_INVALID_REQUEST, "jti");
    refuse_claims("\"j1\"", "\"\"", DT_SET_INVALID_REQUEST, "jti");
    refuse_claims("\"j1\"", "1", DT_SET_INVALID_REQUEST, "jti");
    memset(long_id, 'x', sizeof(long_id));
    long_id[DT_JTI_MAX - 1] = '\0';
    accept(with(CLAIMS, "j1", long_id), &s);
    assert_string_equal(s.jti, long_id);
    memset(long_id, 'x', DT_JTI_MAX);
    long_id[DT_JTI_MAX] = '\0';
    refuse_claims("j1", long_id, DT_SET_INVALID_REQUEST, "jti");
    accept(with(CLAIMS, "\"jti\"", "\"txn\":\"8675309\",\"unknown\":{},\"jti\""), &s);
    refuse_claims("\"jti\"", "\"txn\":5,\"jti\"", DT_SET_INVALID_REQUEST, "txn");
}

/* --- events ---------------------------------------------------------------------------------------- */

static void events_have_their_form(void **state)
{
    (void)state;
    refuse_claims(EVENTS, "\"x\":1", DT_SET_INVALID_REQUEST, "events");
    refuse_claims(EVENTS, "\"events\":{}", DT_SET_INVALID_REQUEST, "events");
    refuse_claims(EVENTS, "\"events\":[\"" CAEP "session-revoked\"]", DT_SET_INVALID_REQUEST,
                  "events");
    refuse_claims(EVENTS, "\"events\":{\"" CAEP "session-revoked\":null}", DT_SET_INVALID_REQUEST,
                  "object");
    refuse_claims(EVENTS, "\"events\":{\"a\":{},\"b\":{},\"c\":{},\"d\":{},\"e\":{}}",
                  DT_SET_INVALID_REQUEST, "events");
    refuse_claims(EVENTS, "\"events\":{\"a\":7}", DT_SET_INVALID_REQUEST, "object");
    refuse_claims("1699999990", "\"then\"", DT_SET_INVALID_REQUEST, "event_timestamp");
    refuse_claims("1699999990", "-5", DT_SET_INVALID_REQUEST, "event_timestamp");
    refuse_claims("\"event_timestamp\"", "\"initiating_entity\":[],\"event_timestamp\"",
                  DT_SET_INVALID_REQUEST, "initiating_entity");
    refuse_claims(SUB ",", "", DT_SET_INVALID_REQUEST, "subject");
}

static void times_of_events_may_be_milliseconds(void **state)
{
    dt_set s;
    (void)state;
    accept(with(CLAIMS, "1699999990", "1699999990123"), &s);
    assert_int_equal(s.event_at, NOW - DT_SECONDS(10) + 123);
    accept(with(CLAIMS, "{\"event_timestamp\":1699999990}", "{}"), &s);
    assert_int_equal(s.event_at, NOW);
    accept(with(CLAIMS, "{\"event_timestamp\":1699999990}", "{\"event_timestamp\":1.7e9}"), &s);
}

/* One event with a subject of its own inside. */
static char const *event_of(char const *uri, char const *members)
{
    static char out[8192];
    (void)snprintf(out, sizeof(out),
                   "{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\",\"iat\":1700000000,\"jti\":\"j1\","
                   "\"events\":{\"%s\":{\"subject\":{\"format\":\"iss_sub\",\"iss\":\"" ORG
                   "\",\"sub\":\"00u1ann\"}%s%s}}}",
                   uri, members[0] != '\0' ? "," : "", members);
    return out;
}

static struct {
    char const *uri, *members; /* members that it must have */
    dt_news_what what;
} const events[] = {
    {CAEP "session-revoked", "", DT_NEWS_SESSION_REVOKED},
    {CAEP "token-claims-change", "\"claims\":{}", DT_NEWS_LIFECYCLE},
    {CAEP "credential-change",
     "\"credential_type\":\"OKTA_VERIFY_PUSH\",\"change_type\":\"delete\"", DT_NEWS_CREDENTIAL},
    {CAEP "assurance-level-change", "\"namespace\":\"NIST-AAL\",\"current_level\":\"nist-aal1\"",
     DT_NEWS_CREDENTIAL},
    {CAEP "device-compliance-change", "\"current_status\":\"not-compliant\"", DT_NEWS_COMPLIANCE},
    {CAEP "device-compliance-change", "\"current_status\":\"non-compliant\"", DT_NEWS_COMPLIANCE},
    {CAEP "risk-level-change", "\"principal\":\"USER\",\"current_level\":\"HIGH\"",
     DT_NEWS_LIFECYCLE},
    {CAEP "session-established", "", DT_NEWS_WHAT_NONE},
    {CAEP "session-presented", "", DT_NEWS_WHAT_NONE},
    {RISC "account-credential-change-required", "", DT_NEWS_CREDENTIAL},
    {RISC "credential-compromise", "\"credential_type\":\"password\"", DT_NEWS_CREDENTIAL},
    {RISC "account-purged", "", DT_NEWS_LIFECYCLE},
    {RISC "account-disabled", "", DT_NEWS_LIFECYCLE},
    {RISC "account-enabled", "", DT_NEWS_LIFECYCLE},
    {RISC "identifier-changed", "", DT_NEWS_LIFECYCLE},
    {RISC "identifier-recycled", "", DT_NEWS_LIFECYCLE},
    {RISC "sessions-revoked", "", DT_NEWS_SESSION_REVOKED},
    {"https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked", "",
     DT_NEWS_SESSION_REVOKED},
    {"https://schemas.openid.net/secevent/oauth/event-type/token-revoked", "",
     DT_NEWS_SESSION_REVOKED},
    {OKTA "user-risk-change", "\"current_level\":\"high\"", DT_NEWS_LIFECYCLE},
    {OKTA "device-risk-change", "\"current_level\":\"high\"", DT_NEWS_COMPLIANCE},
    {OKTA "ip-change", "", DT_NEWS_WHAT_NONE},
};

static void each_event_says_what_it_says(void **state)
{
    dt_set s;
    (void)state;
    for (size_t i = 0; i < COUNT(events); i++) {
        accept(event_of(events[i].uri, events[i].members), &s);
        assert_true(s.is_known);
        assert_int_equal(s.kind, DT_SET_KIND_EVENT);
        assert_string_equal(s.event, events[i].uri);
        assert_int_equal(s.news.count, events[i].what != DT_NEWS_WHAT_NONE);
        if (s.news.count > 0) {
            assert_int_equal(s.news.items[0].what, events[i].what);
            assert_int_equal(s.news.items[0].about, DT_NEWS_OKTA_USER);
            assert_string_equal(s.news.items[0].id, "00u1ann");
        }
        if (events[i].members[0] != '\0') /* without what it must have, and with a number there */
            refuse(rsa, HEADER, event_of(events[i].uri, ""), DT_SET_INVALID_REQUEST, "member");
    }
    refuse(rsa, HEADER, event_of(CAEP "device-compliance-change", "\"current_status\":1"),
           DT_SET_INVALID_REQUEST, "member");
    refuse(rsa, HEADER, event_of(CAEP "token-claims-change", "\"claims\":\"x\""),
           DT_SET_INVALID_REQUEST, "member");
}

static void an_unknown_event_makes_no_news(void **state)
{
    dt_set s;
    (void)state;
    accept(event_of(CAEP "device-stolen", ""), &s);
    assert_false(s.is_known);
    assert_int_equal(s.news.count, 0);
    assert_string_equal(s.event, CAEP "device-stolen");
    accept(event_of("urn:x:\\u001b[2J\\u202e", ""), &s);
    assert_null(strchr(s.event, '\x1b'));
}

static void two_names_of_one_event_make_news_once(void **state)
{
    dt_set s;
    (void)state;
    accept(with(CLAIMS, EVENTS,
                "\"events\":{\"" CAEP "session-revoked\":{},\"" RISC "sessions-revoked\":{}}"),
           &s);
    assert_int_equal(s.news.count, 1);
    refuse_claims(EVENTS, "\"events\":{\"" CAEP "session-revoked\":{},\"" SSF "verification\":{}}",
                  DT_SET_INVALID_REQUEST, "together");
}

static void a_stream_speaks_of_itself(void **state)
{
    dt_set s;
    char const *stream = "\"sub_id\":{\"format\":\"opaque\",\"id\":\"s1\"}";
    char claims[2048];
    (void)state;
    (void)snprintf(claims, sizeof(claims), "%s", with(CLAIMS, SUB, stream));
    accept(with(claims, EVENTS, "\"events\":{\"" SSF "verification\":{\"state\":\"abc\"}}"), &s);
    assert_int_equal(s.kind, DT_SET_KIND_VERIFICATION);
    assert_string_equal(s.state, "abc");
    assert_int_equal(s.news.count, 0);
    accept(with(claims, EVENTS, "\"events\":{\"" SSF "verification\":{}}"), &s);
    assert_string_equal(s.state, "");
    accept(with(CLAIMS, SUB "," EVENTS, "\"events\":{\"" RISC "verification\":{}}"), &s);
    static char const *const words[] = {"enabled", "paused", "disabled"};
    for (int i = 0; i < 3; i++) {
        char event[256];
        (void)snprintf(event, sizeof(event),
                       "\"events\":{\"" SSF "stream-updated\":{\"status\":\"%s\"}}", words[i]);
        accept(with(claims, EVENTS, event), &s);
        assert_int_equal(s.kind, DT_SET_KIND_STREAM_UPDATED);
        assert_int_equal(s.status, DT_STREAM_ENABLED + i);
        assert_string_equal(dt_stream_status_word(s.status), words[i]);
    }
    refuse(rsa, HEADER, with(claims, EVENTS, "\"events\":{\"" SSF "stream-updated\":{}}"),
           DT_SET_INVALID_REQUEST, "member");
    refuse(rsa, HEADER,
           with(claims, EVENTS, "\"events\":{\"" SSF "stream-updated\":{\"status\":\"on\"}}"),
           DT_SET_INVALID_REQUEST, "status");
    refuse(rsa, HEADER, with(claims, EVENTS, "\"events\":{\"" SSF "verification\":{\"state\":1}}"),
           DT_SET_INVALID_REQUEST, "state");
    char other[2048];
    (void)snprintf(other, sizeof(other), "%s", with(claims, "\"id\":\"s1\"", "\"id\":\"s2\""));
    refuse(rsa, HEADER, with(other, EVENTS, "\"events\":{\"" SSF "verification\":{}}"),
           DT_SET_INVALID_REQUEST, "another stream");
}

/* --- subjects -------------------------------------------------------------------------------------- */

/* "about id" of each piece of news, with "|" between. */
static char const *names(dt_set const *s)
{
    static char out[4096];
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < s->news.count; i++)
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%s %s", i > 0 ? "|" : "",
                               dt_news_about_word(s->news.items[i].about), s->news.items[i].id);
    return out;
}

#define IS(format, rest) "{\"format\":\"" format "\"," rest "}"
#define EMAIL IS("email", "\"email\":\"ann@example.com\"")
#define DEVICE IS("opaque", "\"id\":\"" GUID "\"")
#define BOTH_DEVICES "entra-device " GUID "|intune-device " GUID

static void a_subject_names_whom_it_names(void **state)
{
    static struct {
        char const *subject, *names;
    } const good[] = {
        {EMAIL, "login ann@example.com"},
        {IS("account", "\"uri\":\"acct:ann@example.com\""), "login ann@example.com"},
        {IS("iss_sub", "\"iss\":\"" ORG "\",\"sub\":\"00u1ann\""), "okta-user 00u1ann"},
        {IS("iss_sub", "\"iss\":\"" ORG "/\",\"sub\":\"abc\""), "okta-user abc"},
        {IS("iss_sub", "\"iss\":\"https://example.okta.com.evil.com\",\"sub\":\"abc\""), ""},
        {IS("iss_sub", "\"iss\":\"https://idp.example.com\",\"sub\":\"ann@example.com\""),
         "login ann@example.com"},
        {"{\"subject_type\":\"iss-sub\",\"iss\":\"https://accounts.google.com/\",\"sub\":\"1234\"}",
         ""},
        {DEVICE, BOTH_DEVICES},
        {IS("opaque", "\"id\":\"00u1ann\""), "okta-user 00u1ann"},
        {IS("opaque", "\"id\":\"guo1dev\""), "okta-device guo1dev"},
        {IS("opaque", "\"id\":\"dMTlD|1600802906337.16|16008.16\""), ""},
        {IS("complex", "\"user\":" EMAIL ",\"device\":" DEVICE),
         "login ann@example.com|" BOTH_DEVICES},
        {"{\"user\":" EMAIL ",\"device\":" IS("opaque", "\"id\":\"guo1dev\"") "}",
         "login ann@example.com|okta-device guo1dev"},
        {IS("complex", "\"user\":" DEVICE), ""}, /* a GUID of a person names nobody we know */
        {IS("complex", "\"device\":" IS("opaque", "\"id\":\"00u1ann\"")), ""},
        {IS("complex", "\"device\":" IS(
                           "iss_sub", "\"iss\":\"https://mdm.example.com\",\"sub\":\"" GUID "\"")),
         BOTH_DEVICES},
        {IS("complex", "\"tenant\":" IS("opaque", "\"id\":\"t1\"")), ""},
        {IS("complex", "\"session\":" IS("opaque", "\"id\":\"x\"") ",\"user\":" EMAIL),
         "login ann@example.com"},
        {IS("aliases", "\"identifiers\":[" EMAIL "," IS("opaque", "\"id\":\"00u1ann\"") "]"),
         "login ann@example.com|okta-user 00u1ann"},
        {IS("aliases", "\"identifiers\":[" EMAIL "," EMAIL "]"), "login ann@example.com"},
        {IS("phone_number", "\"phone_number\":\"+12065550100\""), ""},
        {IS("did", "\"url\":\"did:example:123\""), ""},
        {IS("uri", "\"uri\":\"https://x.example.com\""), ""},
        {IS("jwt_id", "\"iss\":\"https://x\",\"jti\":\"B70BA622\""), ""},
        {IS("saml_assertion_id", "\"issuer\":\"https://x\",\"assertion_id\":\"_8e8\""), ""},
        {IS("ip-addresses", "\"ip-addresses\":[\"10.29.37.75\"]"), ""},
        {IS("format-of-tomorrow", "\"x\":1"), ""},
    };
    dt_set s;
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        char subject[1024];
        (void)snprintf(subject, sizeof(subject), "\"sub_id\":%s", good[i].subject);
        accept(with(CLAIMS, SUB, subject), &s);
        if (strcmp(names(&s), good[i].names) != 0)
            fail_msg("%s: %s", subject, names(&s));
    }
}

static void a_subject_of_no_form_is_refused(void **state)
{
    static char const *const bad[] = {
        "null",
        "[]",
        "\"ann@example.com\"",
        "{}",
        "{\"format\":7}",
        "{\"email\":\"ann@example.com\"}",
        "{\"format\":\"email\"}",
        IS("email", "\"email\":\"\""),
        IS("email", "\"email\":\"ann\""),
        IS("email", "\"email\":[\"ann@example.com\"]"),
        IS("account", "\"uri\":\"mailto:ann@example.com\""),
        IS("account", "\"uri\":\"acct:ann\""),
        IS("iss_sub", "\"iss\":\"" ORG "\""),
        IS("iss_sub", "\"sub\":\"00u1\""),
        IS("opaque", "\"ID\":\"x\""),
        IS("opaque", "\"id\":\"\""),
        IS("opaque", "\"id\":1"),
        IS("phone_number", "\"phone\":\"+1\""),
        IS("ip-addresses", "\"ip-addresses\":\"10.0.0.1\""),
        IS("complex", "\"x\":1"),
        IS("complex", "\"user\":\"ann@example.com\""),
        IS("complex", "\"user\":{\"email\":\"ann@example.com\"}"),
        IS("complex", "\"user\":" IS("complex", "\"user\":" EMAIL)),
        IS("complex", "\"user\":" EMAIL ",\"session\":7"),
        IS("complex", "\"user\":" EMAIL ",\"tenant\":{}"),
        IS("aliases", "\"identifiers\":[]"),
        IS("aliases", "\"identifiers\":{}"),
        IS("aliases", "\"identifiers\":[{}]"),
        IS("aliases", "\"identifiers\":[" IS("aliases", "\"identifiers\":[" EMAIL "]") "]"),
        IS("aliases", "\"identifiers\":[" EMAIL "," EMAIL "," EMAIL "," EMAIL "," EMAIL "," EMAIL
                      "," EMAIL "," EMAIL "," EMAIL "]"),
        IS("aliases", "\"identifiers\":[" EMAIL ",7]"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char subject[1024];
        (void)snprintf(subject, sizeof(subject), "\"sub_id\":%s", bad[i]);
        refuse(rsa, HEADER, with(CLAIMS, SUB, subject), DT_SET_INVALID_REQUEST, "");
    }
}

/* Both subjects of a token count. */
static void an_inner_subject_counts_too(void **state)
{
    dt_set s;
    (void)state;
    accept(with(CLAIMS, "{\"event_timestamp\"", "{\"subject\":" DEVICE ",\"event_timestamp\""), &s);
    assert_string_equal(names(&s), "login ann@example.com|" BOTH_DEVICES);
    refuse_claims("{\"event_timestamp\"", "{\"subject\":{},\"event_timestamp\"",
                  DT_SET_INVALID_REQUEST, "subject");
}

static void odd_ids_name_nobody(void **state)
{
    dt_set s;
    (void)state;
    accept(with(CLAIMS, "ann@example.com", "ann@exam ple.com"), &s);
    assert_int_equal(s.news.count, 0);
    accept(with(CLAIMS, "ann@example.com", "ann\\n@example.com"), &s);
    assert_int_equal(s.news.count, 0);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(a_signed_event_is_taken),
        cmocka_unit_test(a_header_must_be_exact),
        cmocka_unit_test(the_key_of_a_token_is_not_used),
        cmocka_unit_test(a_signature_of_another_is_refused),
        cmocka_unit_test(a_key_that_is_not_known_is_asked_for),
        cmocka_unit_test(every_cut_and_every_changed_byte_is_refused),
        cmocka_unit_test(a_token_too_long_is_refused),
        cmocka_unit_test(the_issuer_is_exactly_ours),
        cmocka_unit_test(the_audience_is_ours_among_others),
        cmocka_unit_test(its_time_makes_sense),
        cmocka_unit_test(a_token_of_another_kind_is_refused),
        cmocka_unit_test(it_has_an_id),
        cmocka_unit_test(events_have_their_form),
        cmocka_unit_test(times_of_events_may_be_milliseconds),
        cmocka_unit_test(each_event_says_what_it_says),
        cmocka_unit_test(an_unknown_event_makes_no_news),
        cmocka_unit_test(two_names_of_one_event_make_news_once),
        cmocka_unit_test(a_stream_speaks_of_itself),
        cmocka_unit_test(a_subject_names_whom_it_names),
        cmocka_unit_test(a_subject_of_no_form_is_refused),
        cmocka_unit_test(an_inner_subject_counts_too),
        cmocka_unit_test(odd_ids_name_nobody),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
