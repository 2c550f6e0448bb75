/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every reply of Okta that is read, spoilt in every way: cut off at every byte; every member missing, null, of another
 * type, huge. None of it says more than the whole reply says, and what a sign-on goes by is gone when it is spoilt. */
#include "core/okta/okta.h"
#include "core/okta/okta_device.h"
#include "core/okta/okta_direct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (256 * 1024)
#define HUGE_LEN (128 * 1024)
#define ORG "https://example.okta.com"
#define FACTOR_URL ORG "/api/v1/users/00u1/factors/opf1"

#define NOW ((dt_time)1700000000000)

static char org_url[] = ORG, native_app[] = "0oa1native";
static dt_config config = {
    .okta = {.org_url = org_url, .native_client_id = native_app, .timeout = DT_SECONDS(10)}};
static char tokens[4096]; /* with an ID token of ann's: make_tokens */
static char body[BODY_MAX], huge[HUGE_LEN + 3];

/* What a sign-on may go by after this reply; 0 when there is nothing. */
typedef int reader(dt_http_response const *r);

static int read_user(dt_http_response const *r)
{
    dt_okta_user u;
    dt_okta_answer a = dt_okta_read_user(r, &u, NULL);
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    return a == DT_OKTA_OK && u.active && dt_okta_user_is(&u, "ann@example.com") &&
           strcmp(u.id, "00u1") == 0;
}

static bool every_group(void const *ctx, char const *group)
{
    (void)ctx;
    return group[0] != '\0';
}

static int read_groups(dt_http_response const *r)
{
    static dt_okta_group_filter const filter = {.wants = every_group, .ids = true, .names = true};
    char next[DT_URL_MAX];
    dt_buf groups;
    dt_buf_init(&groups, 64 * 1024);
    dt_okta_answer a = dt_okta_read_groups(&config, r, &filter, &groups, next, NULL);
    int told = groups.len > 0 && memmem(groups.p, groups.len, "Everyone", 8) != NULL;
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    assert_true(a == DT_OKTA_OK || groups.len == 0);
    dt_buf_free(&groups);
    return told;
}

static int read_factors(dt_http_response const *r)
{
    dt_okta_factors f;
    dt_okta_answer a = dt_okta_read_factors(r, &f, NULL);
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    for (size_t i = 0; a == DT_OKTA_OK && i < f.count; i++)
        if (f.items[i].type == DT_FACTOR_PUSH && strcmp(f.items[i].id, "opf1") == 0)
            return 1;
    return 0;
}

static int read_success(dt_http_response const *r)
{
    dt_okta_verification v;
    dt_okta_answer a = dt_okta_read_verification(&config, r, &v, NULL);
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    return a == DT_OKTA_OK && v.result == DT_OKTA_RESULT_SUCCESS;
}

static int read_pending(dt_http_response const *r)
{
    dt_okta_verification v;
    dt_okta_answer a = dt_okta_read_verification(&config, r, &v, NULL);
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    assert_true(a != DT_OKTA_OK || v.result != DT_OKTA_RESULT_SUCCESS);
    return a == DT_OKTA_OK && v.result == DT_OKTA_RESULT_WAITING &&
           dt_okta_link_belongs(&config, v.poll_url, "00u1", "opf1");
}

static int read_password(dt_http_response const *r)
{
    dt_okta_authn out;
    dt_okta_answer a = dt_okta_read_authn(r, "ann@example.com", &out, NULL);
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    return a == DT_OKTA_OK &&
           (out.result == DT_OKTA_PASSWORD_VERIFIED || out.result == DT_OKTA_PASSWORD_MFA);
}

static dt_direct const ann = {.login = "ann@example.com",
                              .user_id = "00u1",
                              .client_ip = "",
                              .mfa_token = "mfa",
                              .oob_code = "oob"};

static int read_tokens(dt_http_response const *r)
{
    dt_okta_verification v;
    bool slow_down;
    dt_okta_answer a =
        dt_direct_read_token(&config, r, &ann, DT_DIRECT_POLL, NOW, &v, &slow_down, NULL);
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    return a == DT_OKTA_OK && v.result == DT_OKTA_RESULT_SUCCESS;
}

static int read_begun(dt_http_response const *r)
{
    dt_okta_verification v;
    dt_direct_begun begun;
    dt_okta_answer a = dt_direct_read_begin(&config, r, &ann, DT_FACTOR_PUSH, &v, &begun, NULL);
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    assert_true(a == DT_OKTA_OK || begun.oob_code[0] == '\0');
    return a == DT_OKTA_OK && v.result == DT_OKTA_RESULT_WAITING && v.number == 95 &&
           strcmp(begun.oob_code, "oc") == 0;
}

static int read_mfa_required(dt_http_response const *r)
{
    dt_http_response refusal = *r;
    dt_okta_authn out;
    refusal.status = 403;
    dt_okta_answer a = dt_direct_read_password(&config, &refusal, &ann, NOW, &out, NULL);
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    assert_true(out.result != DT_OKTA_PASSWORD_VERIFIED);
    return a == DT_OKTA_OK && out.result == DT_OKTA_PASSWORD_MFA &&
           strcmp(out.state_token, "mT") == 0;
}

static dt_okta_answer read_transaction(dt_http_response const *r, dt_okta_verification *v)
{
    static dt_okta_transaction const ours = {.state_token = "00token",
                                             .login = "ann@example.com",
                                             .user_id = "00u1",
                                             .factor_id = "opf1"};
    dt_okta_answer a = dt_okta_read_transaction(&config, r, &ours, v, NULL);
    assert_true(a == DT_OKTA_OK || a == DT_OKTA_UNUSABLE);
    return a;
}

static int read_transaction_success(dt_http_response const *r)
{
    dt_okta_verification v;
    return read_transaction(r, &v) == DT_OKTA_OK && v.result == DT_OKTA_RESULT_SUCCESS;
}

static int read_transaction_pending(dt_http_response const *r)
{
    dt_okta_verification v;
    dt_okta_answer a = read_transaction(r, &v);
    assert_true(v.result != DT_OKTA_RESULT_SUCCESS);
    return a == DT_OKTA_OK && v.result == DT_OKTA_RESULT_WAITING &&
           dt_okta_authn_link_belongs(&config, v.poll_url, "opf1");
}

static int read_transaction_required(dt_http_response const *r)
{
    dt_okta_verification v;
    return read_transaction(r, &v) == DT_OKTA_OK && v.result == DT_OKTA_RESULT_REQUIRED;
}

/* `needed`: members without which there is nothing to go by, each with blanks around it. */
static struct spoilt {
    char const *name, *text, *needed;
    reader *read;
} const replies[] = {
    {"user",
     "{\"id\":\"00u1\",\"status\":\"ACTIVE\",\"passwordChanged\":\"2026-01-01T00:00:00.000Z\","
     "\"statusChanged\":null,\"profile\":{\"login\":\"ann@example.com\",\"email\":\"a@b\"}}",
     " id status profile login ", read_user},
    {"groups",
     "[{\"id\":\"00g1\",\"type\":\"BUILT_IN\",\"profile\":{\"name\":\"Everyone\","
     "\"description\":null}}]",
     " profile name ", read_groups},
    {"factors",
     "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\","
     "\"created\":\"2026-01-01T00:00:00.000Z\",\"profile\":{\"name\":\"Phone\"}}]",
     " id factorType provider status ", read_factors},
    {"success", "{\"factorResult\":\"SUCCESS\",\"profile\":{\"x\":1}}", " factorResult ",
     read_success},
    {"waiting",
     "{\"factorResult\":\"WAITING\",\"expiresAt\":\"2026-01-01T00:00:00.000Z\","
     "\"_embedded\":{\"challenge\":{\"correctAnswer\":92}},\"_links\":{\"poll\":{\"href\":"
     "\"" FACTOR_URL "/transactions/t1\"},\"cancel\":{\"href\":\"" FACTOR_URL
     "/transactions/t1\"}}}",
     " factorResult _links poll ", read_pending},
    {"password",
     "{\"status\":\"SUCCESS\",\"expiresAt\":\"2026-01-01T00:00:00.000Z\",\"_embedded\":{\"user\":{"
     "\"id\":\"00u1\",\"profile\":{\"login\":\"ann@example.com\"}}}}",
     " status ", read_password},
    {"tokens", tokens, " id_token ", read_tokens},
    {"out of band",
     "{\"challenge_type\":\"http://auth0.com/oauth/grant-type/mfa-oob\",\"oob_code\":\"oc\","
     "\"channel\":\"push\",\"binding_method\":\"transfer\",\"binding_code\":\"95\","
     "\"expires_in\":300,\"interval\":5}",
     " challenge_type oob_code channel binding_method binding_code ", read_begun},
    {"mfa_required",
     "{\"error\":\"mfa_required\",\"error_description\":\"MFA is required\","
     "\"mfa_token\":\"mT\"}",
     " error mfa_token ", read_mfa_required},
    {"transaction: success",
     "{\"expiresAt\":\"2026-01-01T00:00:00.000Z\",\"status\":\"SUCCESS\",\"sessionToken\":"
     "\"20111\","
     "\"_embedded\":{\"user\":{\"id\":\"00u1\",\"profile\":{\"login\":\"ann@example.com\"}}}}",
     " status _embedded user id profile login ", read_transaction_success},
    {"transaction: waiting",
     "{\"stateToken\":\"00token\",\"status\":\"MFA_CHALLENGE\",\"factorResult\":\"WAITING\",\"_"
     "embedded\":{"
     "\"factor\":{\"id\":\"opf1\",\"_embedded\":{\"challenge\":{\"correctAnswer\":92}}}},\"_"
     "links\":{"
     "\"next\":{\"name\":\"poll\",\"href\":\"" ORG
     "/api/v1/authn/factors/opf1/verify\"},\"cancel\":{"
     "\"href\":\"" ORG "/api/v1/authn/cancel\"}}}",
     " stateToken status factorResult factor id _links next name ", read_transaction_pending},
    {"transaction: required",
     "{\"stateToken\":\"00token\",\"status\":\"MFA_REQUIRED\",\"_embedded\":{\"user\":{\"id\":"
     "\"00u1\","
     "\"profile\":{\"login\":\"ann@example.com\"}}}}",
     " stateToken status _embedded user id profile login ", read_transaction_required},
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int answered(struct spoilt const *s, char const *text, size_t len)
{
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .error = "",
                          .status = 200,
                          .body = dt_bytes_of(text, len),
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .next_link = ""};
    return s->read(&r);
}

static void whole_replies_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++)
        if (answered(&replies[i], replies[i].text, strlen(replies[i].text)) != 1)
            fail_msg("%s", replies[i].name);
}

static void cut_off_at_every_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++)
        for (size_t len = 0; len < strlen(replies[i].text); len++) {
            char *cut = malloc(len + 1); /* so that a sanitizer sees what is read beyond it */
            assert_non_null(cut);
            memcpy(cut, replies[i].text, len);
            if (answered(&replies[i], cut, len) != 0)
                fail_msg("%s, cut off after %zu", replies[i].name, len);
            free(cut);
        }
}

/* Another status than 200 allows nothing, whatever the body says. */
static void another_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++)
        for (int status = 100; status < 600; status++) {
            dt_http_response r = {.failure = DT_HTTP_OK,
                                  .error = "",
                                  .status = status,
                                  .body = dt_bytes_str(replies[i].text),
                                  .rate_limit = -1,
                                  .rate_remaining = -1,
                                  .next_link = ""};
            dt_okta_verification v;
            dt_okta_verification of_transaction;
            dt_okta_authn authn;
            (void)dt_okta_read_verification(&config, &r, &v, NULL);
            (void)dt_okta_read_transaction(&config, &r,
                                           &(dt_okta_transaction){.state_token = "00token",
                                                                  .login = "ann@example.com",
                                                                  .user_id = "00u1",
                                                                  .factor_id = "opf1"},
                                           &of_transaction, NULL);
            assert_true(status == 200 || of_transaction.result != DT_OKTA_RESULT_SUCCESS);
            (void)dt_okta_read_authn(&r, "ann@example.com", &authn, NULL);
            assert_true(status == 200 || v.result != DT_OKTA_RESULT_SUCCESS);
            assert_true(status == 200 || authn.result != DT_OKTA_PASSWORD_VERIFIED);
        }
}

/* The end of the JSON value that begins at `at`. */
static char const *end_of_value(char const *at)
{
    int depth = 0;
    bool quoted = false;
    for (; *at != '\0'; at++) {
        if (*at == '"')
            quoted = !quoted;
        if (quoted)
            continue;
        if (depth == 0 && (*at == ',' || *at == '}' || *at == ']'))
            return at;
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
    }
    return at;
}

/* Puts `value` in place of what is from `from` to `to`. */
static size_t replace(char const *text, char const *from, char const *to, char const *value)
{
    int n = snprintf(body, sizeof(body), "%.*s%s%s", (int)(from - text), text, value, to);
    assert_true(n > 0 && (size_t)n < sizeof(body));
    return (size_t)n;
}

static bool is_needed(struct spoilt const *s, char const *name, size_t len)
{
    char word[64];
    snprintf(word, sizeof(word), " %.*s ", (int)len, name);
    return strstr(s->needed, word) != NULL;
}

/* The member whose name begins at `name` (behind its quote), with each of these values, and without it. */
static void spoil_member(struct spoilt const *s, char const *name)
{
    static char const *const values[] = {"null",  "true",     "false", "0",  "-1",
                                         "1e999", "\"\"",     "\"x\"", "[]", "{}",
                                         "[{}]",  "[[[[]]]]", huge};
    size_t len = (size_t)(strchr(name, '"') - name);
    char const *value = name + len + 2, *end = end_of_value(value);
    bool needed = is_needed(s, name, len);

    for (size_t i = 0; i < COUNT(values); i++)
        if (answered(s, body, replace(s->text, value, end, values[i])) != 0 && needed)
            fail_msg("%s: %.*s is %.10s", s->name, (int)len, name, values[i]);
    if (answered(s, body, replace(s->text, name, name, "x")) != 0 && needed)
        fail_msg("%s: %.*s is missing", s->name, (int)len, name);
    /* Given twice, nobody knows which of them is meant. */
    char twice[1024];
    snprintf(twice, sizeof(twice), "%.*s,\"%.*s\":null", (int)(end - value), value, (int)len, name);
    if (answered(s, body, replace(s->text, value, end, twice)) != 0)
        fail_msg("%s: %.*s is there twice", s->name, (int)len, name);
}

static void every_member(void **state)
{
    (void)state;
    size_t count = 0;
    memset(huge, 'A', sizeof(huge) - 1);
    huge[0] = huge[sizeof(huge) - 2] = '"';
    for (size_t i = 0; i < COUNT(replies); i++)
        for (char const *at = replies[i].text; *at != '\0'; at++)
            if ((at[0] == '{' || at[0] == ',') && at[1] == '"') {
                spoil_member(&replies[i], at + 2);
                count++;
            }
    assert_in_range(count, 55, 90);
}

static void put_part(dt_buf *b, char const *part, char const *after)
{
    dt_base64url_encode(b, dt_bytes_str(part));
    dt_buf_puts(b, after);
}

static void make_tokens(void)
{
    dt_buf b;
    dt_buf_init_fixed(&b, tokens, sizeof(tokens));
    dt_buf_puts(&b, "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"at\","
                    "\"scope\":\"openid profile\",\"id_token\":\"");
    put_part(&b, "{\"alg\":\"RS256\"}", ".");
    put_part(&b,
             "{\"iss\":\"" ORG "\",\"aud\":\"0oa1native\",\"exp\":1700003600,"
             "\"iat\":1700000000,\"sub\":\"00u1\",\"preferred_username\":\"ann@example.com\"}",
             ".c2ln\"}");
    dt_buf_putc(&b, '\0');
    assert_int_equal(dt_buf_error(&b), 0);
}

int main(void)
{
    make_tokens();
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(whole_replies_are_read),
        cmocka_unit_test(cut_off_at_every_byte),
        cmocka_unit_test(another_status),
        cmocka_unit_test(every_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
