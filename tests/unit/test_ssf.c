/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A transmitter's metadata, its streams, and polling: what is asked, and which replies are taken. */
#include "core/signals/ssf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ISS "https://tr.example.com/t1"

static void the_well_known_part_comes_after_the_host(void **state)
{
    static char const *const urls[][2] = {
        {"https://tr.example.com", "https://tr.example.com/.well-known/ssf-configuration"},
        {"https://tr.example.com/", "https://tr.example.com/.well-known/ssf-configuration"},
        {ISS, "https://tr.example.com/.well-known/ssf-configuration/t1"},
        {ISS "/", "https://tr.example.com/.well-known/ssf-configuration/t1"},
        {"https://tr.example.com:8443/a/b",
         "https://tr.example.com:8443/.well-known/ssf-configuration/a/b"},
    };
    char out[DT_URL_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        assert_int_equal(dt_ssf_metadata_url(urls[i][0], out), DT_OK);
        assert_string_equal(out, urls[i][1]);
    }
    char long_url[DT_URL_MAX];
    memset(long_url, 'a', sizeof(long_url));
    memcpy(long_url, "https://", 8);
    long_url[sizeof(long_url) - 1] = '\0';
    assert_int_equal(dt_ssf_metadata_url(long_url, out), DT_E_LIMIT);
}

#define METADATA                                                                                   \
    "{\"issuer\":\"" ISS "\",\"jwks_uri\":\"https://keys.example.com/k\","                         \
    "\"configuration_endpoint\":\"https://tr.example.com/stream\",\"status_endpoint\":null,"       \
    "\"verification_endpoint\":\"https://tr.example.com/verify\",\"spec_version\":\"1_0\","        \
    "\"delivery_methods_supported\":[\"urn:ietf:rfc:8936\",\"urn:ietf:rfc:8935\",7,\"x\"]}"

/* `text` with `old` replaced by `new`, once. Valid until the next call. */
static char const *with(char const *text, char const *old, char const *new)
{
    static char out[8192];
    char const *at = strstr(text, old);
    if (at == NULL)
        fail_msg("%s is not in %s", old, text);
    (void)snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    return out;
}

static void metadata_is_of_the_issuer(void **state)
{
    dt_ssf_metadata m;
    dt_error e = {0};
    (void)state;
    assert_int_equal(dt_ssf_metadata_read(dt_bytes_str(METADATA), ISS, &m, &e), DT_OK);
    assert_string_equal(m.jwks_uri, "https://keys.example.com/k");
    assert_string_equal(m.configuration_endpoint, "https://tr.example.com/stream");
    assert_string_equal(m.status_endpoint, "");
    assert_string_equal(m.verification_endpoint, "https://tr.example.com/verify");
    assert_int_equal(m.deliveries, DT_SSF_POLL | DT_SSF_PUSH);
    static char const *const odd[][2] = {
        {ISS, ISS "/"},
        {ISS, "https://other.example.com"},
        {"\"issuer\":\"" ISS "\",", ""},
        {"https://keys.example.com/k", "http://keys.example.com/k"},
        {"https://keys.example.com/k", "https://a:b@keys.example.com/k"},
        {"https://keys.example.com/k", "https://keys.example.com/k#x"},
        {"https://keys.example.com/k", "file:///etc/passwd"},
        {"\"https://keys.example.com/k\"", "7"},
        {"\"jwks_uri\":\"https://keys.example.com/k\",", ""},
        {"https://tr.example.com/stream", "http://tr.example.com/stream"},
        {"https://tr.example.com/verify", "tr.example.com"},
        {"null", "[]"},
        {"{", "[{"},
        {"}", ""},
    };
    for (size_t i = 0; i < COUNT(odd); i++) {
        static dt_ssf_metadata const zero;
        e = (dt_error){0};
        if (dt_ssf_metadata_read(dt_bytes_str(with(METADATA, odd[i][0], odd[i][1])), ISS, &m, &e) ==
            DT_OK)
            fail_msg("row %zu", i);
        assert_memory_equal(&m, &zero, sizeof(m));
        assert_true(e.text[0] != '\0');
    }
}

#define STREAM                                                                                     \
    "{\"stream_id\":\"s1\",\"iss\":\"" ISS "\",\"aud\":[\"a\",\"b\"],\"delivery\":{"               \
    "\"method\":\"urn:ietf:rfc:8936\",\"endpoint_url\":\"https://tr.example.com/poll\"},"          \
    "\"min_verification_interval\":60}"
#define PUSHED                                                                                     \
    "{\"stream_id\":\"p1\",\"iss\":\"" ISS "\",\"aud\":\"a\",\"delivery\":{"                       \
    "\"method\":\"https://schemas.openid.net/secevent/risc/delivery-method/push\","                \
    "\"endpoint_url\":\"https://us.example.com/ssf/t1\"}}"

static dt_ssf_wanted const poll_wanted = {
    .issuer = ISS, .id = "", .delivery = DT_SSF_POLL, .push_url = ""};
static dt_ssf_wanted const push_wanted = {
    .issuer = ISS, .id = "", .delivery = DT_SSF_PUSH, .push_url = "https://us.example.com/ssf/t1"};

static int read_stream(char const *text, dt_ssf_wanted const *w, dt_ssf_stream *s)
{
    dt_error e = {0};
    memset(s, 1, sizeof(*s));
    int const rc = dt_ssf_stream_read(dt_bytes_str(text), w, s, &e);
    assert_int_equal(rc, e.code);
    assert_true(rc == DT_OK || s->id[0] == '\0');
    return rc;
}

static void a_stream_is_found(void **state)
{
    dt_ssf_stream s;
    (void)state;
    assert_int_equal(read_stream(STREAM, &poll_wanted, &s), DT_OK);
    assert_string_equal(s.id, "s1");
    assert_int_equal(s.audience_count, 2);
    assert_string_equal(s.audiences[1], "b");
    assert_string_equal(s.endpoint_url, "https://tr.example.com/poll");
    assert_int_equal(s.min_verification_interval, DT_MINUTES(1));
    assert_int_equal(read_stream("[" PUSHED "," STREAM "]", &poll_wanted, &s), DT_OK);
    assert_string_equal(s.id, "s1");
    assert_int_equal(read_stream("[" STREAM "," PUSHED "]", &push_wanted, &s), DT_OK);
    assert_string_equal(s.id, "p1");
    assert_int_equal(s.audience_count, 1);
}

static void a_stream_of_another_is_not_taken(void **state)
{
    dt_ssf_stream s;
    dt_ssf_wanted w = poll_wanted;
    (void)state;
    assert_int_equal(read_stream("[]", &poll_wanted, &s), DT_E_NOT_FOUND);
    assert_int_equal(read_stream("{}", &poll_wanted, &s), DT_E_NOT_FOUND);
    assert_int_equal(read_stream("[7,null]", &poll_wanted, &s), DT_E_NOT_FOUND);
    assert_int_equal(read_stream(STREAM, &push_wanted, &s), DT_E_NOT_FOUND);
    assert_int_equal(read_stream(PUSHED, &poll_wanted, &s), DT_E_NOT_FOUND);
    w.id = "s2";
    assert_int_equal(read_stream(STREAM, &w, &s), DT_E_NOT_FOUND);
    w = push_wanted;
    w.push_url = "https://other.example.com/ssf/t1";
    assert_int_equal(read_stream(PUSHED, &w, &s), DT_E_NOT_FOUND);
    w.id = "p1"; /* named by the administrator */
    assert_int_equal(read_stream(PUSHED, &w, &s), DT_OK);
    assert_int_equal(read_stream(with(STREAM, ISS, ISS "/"), &poll_wanted, &s), DT_E_PARSE);
    assert_int_equal(read_stream(with(STREAM, "https://tr", "http://tr"), &poll_wanted, &s),
                     DT_E_PARSE);
    assert_int_equal(read_stream(with(STREAM, "[\"a\",\"b\"]", "[\"a\",7]"), &poll_wanted, &s),
                     DT_E_PARSE);
    assert_int_equal(read_stream(with(STREAM, "\"s1\"", "\"\""), &poll_wanted, &s), DT_E_PARSE);
    assert_int_equal(
        read_stream(with(STREAM, ",\"endpoint_url\":\"https://tr.example.com/poll\"", ""),
                    &poll_wanted, &s),
        DT_E_PARSE);
    assert_int_equal(read_stream("{\"stream_id\":", &poll_wanted, &s), DT_E_PARSE);
}

static void a_status_is_of_the_stream(void **state)
{
    (void)state;
    assert_int_equal(
        dt_ssf_status_read(dt_bytes_str("{\"stream_id\":\"s\",\"status\":\"paused\"}"), "s"),
        DT_STREAM_PAUSED);
    assert_int_equal(dt_ssf_status_read(dt_bytes_str("{\"status\":\"enabled\"}"), "s"),
                     DT_STREAM_ENABLED);
    assert_int_equal(
        dt_ssf_status_read(dt_bytes_str("{\"stream_id\":\"t\",\"status\":\"paused\"}"), "s"),
        DT_STREAM_UNKNOWN);
    assert_int_equal(dt_ssf_status_read(dt_bytes_str("{\"status\":\"on\"}"), "s"),
                     DT_STREAM_UNKNOWN);
    assert_int_equal(dt_ssf_status_read(dt_bytes_str("["), "s"), DT_STREAM_UNKNOWN);
}

static void requests_for_streams_fit_a_body(void **state)
{
    char text[DT_HTTP_BODY_MAX], secret[513];
    dt_buf b;
    dt_secret *s = NULL;
    dt_json *root = NULL;
    (void)state;
    memset(secret, '"', sizeof(secret));
    assert_int_equal(dt_secret_new(dt_bytes_of(secret, 200), &s), DT_OK);
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_ssf_put_create(&push_wanted, s, &b), DT_OK);
    assert_int_equal(dt_json_parse(dt_buf_bytes(&b), &root, NULL), DT_OK);
    assert_string_equal(dt_json_string(dt_json_path(root, "delivery", "method", NULL)),
                        "urn:ietf:rfc:8935");
    assert_int_equal(
        strlen(dt_json_string(dt_json_path(root, "delivery", "authorization_header", NULL))), 200);
    assert_true(dt_json_size(dt_json_get(root, "events_requested")) > 5);
    dt_json_free(&root);
    dt_secret_free(&s);
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_ssf_put_create(&poll_wanted, NULL, &b), DT_OK);
    assert_int_equal(dt_json_parse(dt_buf_bytes(&b), &root, NULL), DT_OK);
    assert_null(dt_json_path(root, "delivery", "endpoint_url", NULL));
    dt_json_free(&root);
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_ssf_put_verify("s\"1", "abc", &b), DT_OK);
    assert_string_equal(text, "{\"stream_id\":\"s\\\"1\",\"state\":\"abc\"}");
}

/* --- polling --------------------------------------------------------------------------------------- */

static char const *poll_body(dt_ssf_ack const *acks, size_t count, int events, bool at_once,
                             size_t *used)
{
    static char text[DT_HTTP_BODY_MAX];
    dt_buf b;
    dt_buf_init_fixed(&b, text, sizeof(text));
    *used = dt_ssf_put_poll(acks, count, events, at_once, &b);
    assert_int_equal(dt_buf_error(&b), DT_OK);
    return text;
}

static void a_poll_says_what_was_taken(void **state)
{
    size_t used;
    dt_ssf_ack const acks[] = {{"a", DT_SET_FAULT_NONE},
                               {"b\"\n", DT_SET_FAULT_NONE},
                               {"c", DT_SET_INVALID_AUDIENCE},
                               {"d", DT_SET_FAULT_NONE}};
    (void)state;
    assert_string_equal(poll_body(NULL, 0, 24, false, &used),
                        "{\"maxEvents\":24,\"returnImmediately\":false,\"ack\":[]}");
    assert_int_equal(used, 0);
    assert_string_equal(
        poll_body(acks, 2, 24, true, &used),
        "{\"maxEvents\":24,\"returnImmediately\":true,\"ack\":[\"a\",\"b\\\"\\n\"]}");
    assert_int_equal(used, 2);
    /* what comes after a refusal waits for the next poll, which is the order they are in */
    assert_string_equal(poll_body(acks, 4, 0, false, &used),
                        "{\"maxEvents\":0,\"returnImmediately\":true,\"ack\":[\"a\",\"b\\\"\\n\"],"
                        "\"setErrs\":{\"c\":{\"err\":\"invalid_audience\",\"description\":"
                        "\"the token was refused\"}}}");
    assert_int_equal(used, 3);
    (void)poll_body(acks + 3, 1, 0, false, &used);
    assert_int_equal(used, 1);
}

static void as_many_as_fit_are_acknowledged(void **state)
{
    static dt_ssf_ack acks[DT_SSF_POLL_SETS_MAX];
    size_t used, rounds = 0;
    dt_json *root = NULL;
    (void)state;
    for (size_t i = 0; i < COUNT(acks); i++) {
        memset(acks[i].jti, i % 2 == 0 ? 'x' : '\x01',
               DT_JTI_MAX - 1); /* some take six bytes each */
        (void)snprintf(acks[i].jti, 8, "%zu", i);
        acks[i].jti[strlen(acks[i].jti)] = 'y';
        acks[i].fault = i % 3 == 0 ? DT_SET_INVALID_REQUEST : DT_SET_FAULT_NONE;
    }
    for (size_t at = 0; at < COUNT(acks); at += used, rounds++) {
        char const *text = poll_body(acks + at, COUNT(acks) - at, 0, true, &used);
        assert_true(used > 0); /* it always goes on */
        assert_int_equal(dt_json_parse(dt_bytes_str(text), &root, NULL), DT_OK);
        assert_int_equal(dt_json_size(dt_json_get(root, "ack")) +
                             dt_json_size(dt_json_get(root, "setErrs")),
                         used);
        dt_json_free(&root);
    }
    assert_true(rounds > 10);
}

static void a_reply_has_tokens_by_their_ids(void **state)
{
    dt_ssf_reply r;
    dt_error e = {0};
    char const *jti, *token;
    (void)state;
    assert_int_equal(dt_ssf_reply_read(dt_bytes_str("{\"sets\":{\"a\":\"x.y.z\",\"b\":7},"
                                                    "\"moreAvailable\":true,\"x\":1}"),
                                       &r, &e),
                     DT_OK);
    assert_int_equal(r.count, 2);
    assert_true(r.more);
    dt_ssf_reply_at(&r, 0, &jti, &token);
    assert_string_equal(jti, "a");
    assert_string_equal(token, "x.y.z");
    dt_ssf_reply_at(&r, 1, &jti, &token);
    assert_string_equal(jti, "b");
    assert_string_equal(token, "");
    dt_ssf_reply_free(&r);
    assert_int_equal(dt_ssf_reply_read(dt_bytes_str("{\"sets\":{}}"), &r, &e), DT_OK);
    assert_int_equal(r.count, 0);
    assert_false(r.more);
    dt_ssf_reply_free(&r);
    static char const *const bad[] = {"",        "{}",
                                      "[]",      "{\"sets\":[]}",
                                      "{\"s\":", "{\"sets\":{},\"moreAvailable\":\"yes\"}",
                                      "null",    "{\"sets\":{\"a\":\"x\",\"a\":\"y\"}}"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(dt_ssf_reply_read(dt_bytes_str(bad[i]), &r, &e), DT_E_PARSE);
        assert_null(r.root);
    }
    dt_buf b;
    dt_buf_init(&b, 65536);
    dt_buf_puts(&b, "{\"sets\":{");
    for (int i = 0; i <= DT_SSF_POLL_SETS_MAX; i++)
        dt_buf_printf(&b, "%s\"%d\":\"x\"", i > 0 ? "," : "", i);
    dt_buf_puts(&b, "}}");
    assert_int_equal(dt_ssf_reply_read(dt_buf_bytes(&b), &r, &e), DT_OK);
    assert_int_equal(r.count, DT_SSF_POLL_SETS_MAX); /* the rest comes again */
    assert_true(r.more);
    dt_ssf_reply_free(&r);
    dt_buf_free(&b);
}

static void waits_grow_and_end(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 100; n++) {
        dt_time const least = dt_ssf_wait(n, 0, 0), most = dt_ssf_wait(n, 0, 0xffff);
        assert_true(least >= DT_SSF_WAIT_MIN / 2 && least * 2 <= most + 1);
        assert_true(most <= DT_SSF_WAIT_MAX);
        assert_true(n == 1 || most >= dt_ssf_wait(n - 1, 0, 0xffff));
    }
    assert_int_equal(dt_ssf_wait(1, 0, 0xffff), DT_SSF_WAIT_MIN);
    assert_int_equal(dt_ssf_wait(50, 0, 0xffff), DT_SSF_WAIT_MAX);
    assert_int_equal(dt_ssf_wait(1, DT_SECONDS(30), 0), DT_SECONDS(30));
    assert_int_equal(dt_ssf_wait(50, DT_SECONDS(30), 0xffff), DT_SSF_WAIT_MAX);
    assert_int_equal(dt_ssf_wait(1, DT_DAYS(9), 0), DT_SSF_RETRY_AFTER_MAX);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(the_well_known_part_comes_after_the_host),
        cmocka_unit_test(metadata_is_of_the_issuer),
        cmocka_unit_test(a_stream_is_found),
        cmocka_unit_test(a_stream_of_another_is_not_taken),
        cmocka_unit_test(a_status_is_of_the_stream),
        cmocka_unit_test(requests_for_streams_fit_a_body),
        cmocka_unit_test(a_poll_says_what_was_taken),
        cmocka_unit_test(as_many_as_fit_are_acknowledged),
        cmocka_unit_test(a_reply_has_tokens_by_their_ids),
        cmocka_unit_test(waits_grow_and_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
