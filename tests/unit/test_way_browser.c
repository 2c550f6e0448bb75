/* SPDX-License-Identifier: GPL-2.0-or-later */
/* [mfa] okta_way = browser: the Device Authorization Grant. Nobody gets in without an ID token of this person, who has
 * authenticated during this sign-on by something that they have. Each test runs twice: as it is, and with the machine
 * saved and loaded before every step. */
#include "core/okta/id_token.h"
#include "core/signon/signon_internal.h"
#include "signon_policies.h"
#include "signon_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define AUTHORIZE "https://example.okta.com/oauth2/v1/device/authorize"
#define TOKEN "https://example.okta.com/oauth2/v1/token"
#define DEVICE_CODE "5cbeb234-7e00-4ff7-9aa2-b1a4558a75d2"
#define PAGE "https://example.okta.com/activate"
#define CODES_OF(device_code, user_code, url, link, rest)                                          \
    "{\"device_code\":" device_code ",\"user_code\":" user_code ",\"verification_uri\":" url       \
    ",\"verification_uri_complete\":" link rest "}"
#define CODES_AT(url, link)                                                                        \
    CODES_OF("\"" DEVICE_CODE "\"", "\"RGTCFDTL\"", "\"" url "\"", "\"" link "\"",                 \
             ",\"expires_in\":600,\"interval\":5")
#define CODES CODES_AT(PAGE, PAGE "?user_code=RGTCFDTL")
#define ERROR(word) "{\"error\":\"" word "\",\"error_description\":\"why " DEVICE_CODE "\"}"
#define PENDING ERROR("authorization_pending")

static char const ANY_FACTOR[] =
    POLICY(RULE("any", "1", "NOT_TRUSTED",
                "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\"}}"));
static char const PUSH_ONLY[] =
    POLICY(RULE("push", "1", "NOT_TRUSTED",
                "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\","
                "\"factors\":[\"push\"]}}"));
static char const REMEMBERS[] =
    POLICY(RULE("any", "1", "NOT_TRUSTED",
                "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"ONCE_A_DAY\"}}"));

#define BROWSER                                                                                    \
    "okta", "native_client_id", "0oa1native", "mfa", "okta_way", "browser", "mfa", "factors",      \
        "push, browser"
static char const *const settings[] = {BROWSER, NULL};

/* --- ID tokens ------------------------------------------------------------------------------------ */

/* Replies are borrowed until the world is closed. */
#define TEXT_MAX 4096

static char const *reply_of(char const *header, char const *claims)
{
    static char texts[4][TEXT_MAX];
    static size_t at;
    char *text = texts[at++ % 4];
    dt_buf b;

    dt_buf_init_fixed(&b, text, TEXT_MAX);
    dt_buf_puts(&b,
                "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"eyJhY2Nlc3M\","
                "\"scope\":\"openid profile\",\"id_token\":\"");
    dt_base64url_encode(&b, dt_bytes_str(header));
    dt_buf_putc(&b, '.');
    dt_base64url_encode(&b, dt_bytes_str(claims));
    dt_buf_puts(&b, ".c2ln\"}");
    assert_int_equal(dt_buf_error(&b), 0);
    return text;
}

#define RS256 "{\"alg\":\"RS256\",\"kid\":\"k\"}"
#define ISS "\"iss\":\"https://example.okta.com\","
#define AUD "\"aud\":\"0oa1native\","
#define TIMES "\"iat\":1700000030,\"exp\":1700003630,"
#define ANN "\"sub\":\"00u1\",\"preferred_username\":\"ann@example.com\","
#define NOW_BY(amr) "\"auth_time\":1700000020,\"amr\":[" amr "]"
#define GOOD "{" ISS AUD TIMES ANN NOW_BY("\"pwd\",\"mfa\",\"swk\"") "}"

static char const *good(void)
{
    return reply_of(RS256, GOOD);
}

/* --- the world ------------------------------------------------------------------------------------ */

static void open_world(world *w, char const *policy)
{
    world_open(w, policy, settings);
    expect_user_and_factors(w, OKTA_FACTORS);
}

static dt_step_kind begin_as(world *w, dt_request const *r)
{
    world_begin(w, r);
    return world_run(w);
}

static dt_step_kind begin(world *w)
{
    dt_request r = world_request();

    return begin_as(w, &r);
}

/* As far as the prompt with the code, which is shown, in a window of time in which the person may answer. */
static void open_at_code(world *w)
{
    open_world(w, ANY_FACTOR);
    world_expect(w, DT_HTTP_POST, AUTHORIZE, 200, CODES);
    assert_int_equal(begin(w), DT_STEP_PROMPT);
    assert_int_equal(world_show(w), DT_STEP_WAIT);
}

static void assert_ended(world *w, dt_result result, dt_cause cause)
{
    assert_end(w, result, cause);
    assert_false(world_machine_holds(w->machine, DEVICE_CODE));
    assert_null(strstr(world_outcome(w)->detail, DEVICE_CODE));
    assert_null(strstr(world_outcome(w)->message, DEVICE_CODE));
    world_close(w);
}

/* Every poll gets this reply, until the sign-on has ended. */
static void end_with_polls(world *w, int status, char const *body)
{
    for (int i = 0; i < 40 && !dt_signon_is_done(w->machine); i++) {
        w->reply_count = w->reply_at = 0;
        world_expect(w, DT_HTTP_POST, TOKEN, status, body);
        (void)world_wait(w);
    }
    w->reply_count = w->reply_at = 0;
    assert_true(dt_signon_is_done(w->machine));
}

/* --- who gets in ---------------------------------------------------------------------------------- */

static void test_who_signs_in_with_a_browser_gets_in(void **state)
{
    world w;

    (void)state;
    open_world(&w, ANY_FACTOR);
    world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, CODES);
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    assert_string_equal(w.last_body, "client_id=0oa1native&scope=openid%20profile");
    assert_string_equal(w.step.prompt->text, "Enter the code RGTCFDTL at " PAGE
                                             " in a browser and sign in, then press Enter: ");
    assert_string_equal(w.step.prompt->link, PAGE "?user_code=RGTCFDTL");
    assert_int_equal(w.step.prompt->until, w.now + DT_SECONDS(55));
    assert_string_equal(w.step.prompt->note,
                        "The code signs on to vpn (192.0.2.7). If somebody else asks for it, do "
                        "not enter it.");
    assert_int_equal(world_show(&w), DT_STEP_WAIT);
    assert_int_equal(w.step.until, w.now + DT_SECONDS(5));
    assert_true(w.step.polls);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, PENDING);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_string_equal(w.last_body,
                        "client_id=0oa1native&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%"
                        "3Adevice_code&device_code=" DEVICE_CODE);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, good());
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_BROWSER);
    assert_int_equal(world_outcome(&w)->polls, 2);
    assert_ended(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
}

/* No credential of ours goes with what is asked in the name of the native app. */
static void test_requests_are_anonymous(void **state)
{
    world w;
    dt_http_request q;

    (void)state;
    world_open(&w, ANY_FACTOR, settings);
    assert_int_equal(dt_browser_begin(w.config, "192.0.2.7", &q), 0);
    assert_true(q.anonymous && q.form && q.service == DT_HTTP_OKTA && q.method == DT_HTTP_POST);
    assert_string_equal(q.forwarded_for, "192.0.2.7");
    assert_false(dt_browser_is_poll(&q));
    assert_int_equal(dt_browser_poll(w.config, DEVICE_CODE, "", &q), 0);
    assert_true(q.anonymous && q.form);
    assert_true(dt_browser_is_poll(&q));
    assert_int_equal(dt_browser_poll(w.config, "", "", &q), DT_E_INVALID);
    assert_int_equal(dt_browser_poll(w.config, "a b", "", &q), DT_E_INVALID);
    assert_int_equal(dt_browser_poll(w.config, NULL, "", &q), DT_E_INVALID);
    assert_int_equal(q.body_len, 0);
    world_close(&w);
}

/* Enter does not have Okta asked earlier than it wants; nothing else that is typed is sent anywhere. */
static void test_what_is_typed_does_not_hasten_it(void **state)
{
    world w;
    dt_time until;

    (void)state;
    open_at_code(&w);
    until = w.step.until;
    w.now += 1000;
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "No passcode can be used here."));
    assert_non_null(strstr(w.step.prompt->text, "RGTCFDTL"));
    assert_int_equal(world_show(&w), DT_STEP_WAIT);
    assert_int_equal(world_answer(&w, ""), DT_STEP_WAIT);
    assert_int_equal(w.step.until, until);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, good());
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_ended(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
}

/* A RADIUS challenge: the machine is put away while the person is in the browser. */
static void test_a_challenge_goes_on_with_its_code(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    r.conversation = DT_CONVERSATION_CHALLENGE;
    r.push_prompt = false; /* wait = hybrid shows the code as well */
    open_world(&w, ANY_FACTOR);
    world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, CODES);
    assert_int_equal(begin_as(&w, &r), DT_STEP_PROMPT);
    assert_true(w.step.suspend);
    dt_signon_prompt_shown(w.machine, w.now);
    world_save_and_load(&w);
    w.now += DT_SECONDS(40);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, PENDING);
    assert_int_equal(world_answer(&w, ""), DT_STEP_WAIT);
    assert_non_null(strstr(w.last_body, "device_code=" DEVICE_CODE));
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, good());
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_ended(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
}

static void test_slow_down_adds_five_seconds_each_time(void **state)
{
    world w;

    (void)state;
    open_at_code(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, ERROR("slow_down"));
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_int_equal(w.step.until, w.now + DT_SECONDS(10));
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, ERROR("slow_down"));
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_int_equal(w.step.until, w.now + DT_SECONDS(15));
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, PENDING);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_int_equal(w.step.until, w.now + DT_SECONDS(15));
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, good());
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_ended(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
}

static void test_poll_interval_of_ours_is_the_shortest(void **state)
{
    static char const *const slow[] = {BROWSER, "okta", "poll_interval", "9s", NULL};
    world w;

    (void)state;
    world_open(&w, ANY_FACTOR, slow);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, CODES);
    assert_int_equal(begin(&w), DT_STEP_PROMPT);
    assert_int_equal(world_show(&w), DT_STEP_WAIT);
    assert_int_equal(w.step.until, w.now + DT_SECONDS(9));
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, good());
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_ended(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
}

/* Okta's list has no browser, so its absence there ends nothing. */
static void test_it_is_remembered(void **state)
{
    dt_request r;
    world w;

    (void)state;
    world_open(&w, REMEMBERS, settings);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, CODES);
    assert_int_equal(begin_as(&w, &r), DT_STEP_PROMPT);
    assert_int_equal(world_show(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, good());
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    for (int hour = 0; hour < 2; hour++) {
        w.now += DT_HOURS(1); /* what was kept of Okta's and Intune's answers is too old */
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
        expect_user_and_factors(&w, OKTA_FACTORS);
        assert_int_equal(begin_as(&w, &r), DT_STEP_DONE);
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_REMEMBERED);
        assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_BROWSER);
    }
    world_close(&w);
}

/* --- who does not --------------------------------------------------------------------------------- */

static struct {
    char const *header, *claims;
    dt_cause cause;
} const tokens[] = {
    /* another person */
    {RS256,
     "{" ISS AUD TIMES
     "\"sub\":\"00u2\",\"preferred_username\":\"bob@example.com\"," NOW_BY("\"mfa\",\"hwk\"") "}",
     DT_CAUSE_MFA_OTHER_PERSON},
    {RS256,
     "{" ISS AUD TIMES
     "\"sub\":\"00u2\",\"preferred_username\":\"ann@example.com\"," NOW_BY("\"mfa\",\"hwk\"") "}",
     DT_CAUSE_MFA_OTHER_PERSON},
    {RS256,
     "{" ISS AUD TIMES
     "\"sub\":\"00u1\",\"preferred_username\":\"bob@example.com\"," NOW_BY("\"mfa\",\"hwk\"") "}",
     DT_CAUSE_MFA_OTHER_PERSON},
    /* without something that the person has */
    {RS256, "{" ISS AUD TIMES ANN NOW_BY("\"pwd\"") "}", DT_CAUSE_MFA_TOO_WEAK},
    {RS256, "{" ISS AUD TIMES ANN NOW_BY("\"pwd\",\"kba\",\"mfa\"") "}", DT_CAUSE_MFA_TOO_WEAK},
    {RS256, "{" ISS AUD TIMES ANN NOW_BY("") "}", DT_CAUSE_MFA_TOO_WEAK},
    {RS256, "{" ISS AUD TIMES ANN NOW_BY("\"unknown\"") "}", DT_CAUSE_MFA_TOO_WEAK},
    {RS256, "{" ISS AUD TIMES ANN "\"auth_time\":1700000020}", DT_CAUSE_MFA_TOO_WEAK},
    /* not now: an old session of the browser */
    {RS256, "{" ISS AUD TIMES ANN "\"amr\":[\"mfa\",\"hwk\"]}", DT_CAUSE_MFA_TOO_WEAK},
    {RS256, "{" ISS AUD TIMES ANN "\"auth_time\":1699999699,\"amr\":[\"mfa\",\"hwk\"]}",
     DT_CAUSE_MFA_TOO_WEAK},
    /* no ID token of now, of the org, for the app */
    {"{\"alg\":\"none\"}", GOOD, DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {"{\"alg\":\"HS256\"}", GOOD, DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {RS256, "{\"iss\":\"https://evil.okta.com\"," AUD TIMES ANN NOW_BY("\"hwk\"") "}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {RS256, "{" ISS "\"aud\":\"0oa2other\"," TIMES ANN NOW_BY("\"hwk\"") "}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {RS256, "{" ISS AUD "\"iat\":1699990000,\"exp\":1699993600," ANN NOW_BY("\"hwk\"") "}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {RS256, "{" ISS AUD "\"iat\":1700009000,\"exp\":1700013600," ANN NOW_BY("\"hwk\"") "}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {RS256, "{" ISS AUD TIMES ANN "\"nonce\":\"n\"," NOW_BY("\"hwk\"") "}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {RS256, "{" ISS AUD TIMES "\"preferred_username\":\"ann@example.com\"," NOW_BY("\"hwk\"") "}",
     DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {RS256, "{}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
};

/* The first HTTP 200 ends it: a token does not come again. */
static void test_tokens_that_let_nobody_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(tokens); i++) {
        world w;

        open_at_code(&w);
        world_expect(&w, DT_HTTP_POST, TOKEN, 200, reply_of(tokens[i].header, tokens[i].claims));
        assert_int_equal(world_wait(&w), DT_STEP_DONE);
        if (world_outcome(&w)->cause != tokens[i].cause)
            fail_msg("%s: %s", dt_cause_name(world_outcome(&w)->cause), tokens[i].claims);
        if (tokens[i].cause != DT_CAUSE_OKTA_ANSWER_UNUSABLE)
            assert_true(*world_outcome(&w)->message != '\0' && *world_outcome(&w)->detail != '\0');
        assert_ended(&w, DT_DENY, tokens[i].cause);
    }
}

/* The event names who it was. */
static void test_the_other_person_is_named(void **state)
{
    world w;

    (void)state;
    open_at_code(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 200, reply_of(RS256, tokens[0].claims));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_non_null(strstr(world_outcome(&w)->detail, "bob@example.com"));
    assert_null(strstr(world_outcome(&w)->message, "bob"));
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_OTHER_PERSON);
}

static void test_replies_that_end_it(void **state)
{
    static struct {
        int status;
        char const *body;
        dt_cause cause;
    } const rows[] = {
        {403, ERROR("access_denied"), DT_CAUSE_MFA_REJECTED},
        {400, ERROR("access_denied"), DT_CAUSE_MFA_REJECTED},
        {400, ERROR("expired_token"), DT_CAUSE_MFA_TIMEOUT},
        {400, ERROR("invalid_grant"), DT_CAUSE_OKTA_REFUSED},
        {400, ERROR("something_new"), DT_CAUSE_OKTA_REFUSED},
        {401, ERROR("invalid_client"), DT_CAUSE_CONFIG},
        {400, ERROR("unauthorized_client"), DT_CAUSE_CONFIG},
        {400, ERROR("unsupported_grant_type"), DT_CAUSE_CONFIG},
        {200, "{}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {200, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {200, "{\"id_token\":null}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {200, "{\"id_token\":1}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {200, "{\"id_token\":\"\"}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {200, "{\"id_token\":\"a.b.c\"}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {200, "{\"status\":\"SUCCESS\",\"factorResult\":\"SUCCESS\"}",
         DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {200, ERROR("authorization_pending"), DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        world w;

        open_at_code(&w);
        world_expect(&w, DT_HTTP_POST, TOKEN, rows[i].status, rows[i].body);
        assert_int_equal(world_wait(&w), DT_STEP_DONE);
        if (world_outcome(&w)->cause != rows[i].cause)
            fail_msg("%s: %d %s", dt_cause_name(world_outcome(&w)->cause), rows[i].status,
                     rows[i].body);
        assert_ended(&w, DT_DENY, rows[i].cause);
    }
}

/* Nothing that is odd for long lets anybody in, although Okta's absence would. */
static void test_odd_replies_to_polls_let_nobody_in(void **state)
{
    static char const *const allows[] = {BROWSER, "policy", "okta_unavailable", "allow", NULL};
    static struct {
        int status;
        char const *body;
    } const rows[] = {{200, ""},
                      {200, "<html>"},
                      {200, "[]"},
                      {201, "{}"},
                      {204, ""},
                      {302, ""},
                      {400, ""},
                      {400, "{\"error\":1}"},
                      {404, ERROR("authorization_pending")},
                      {429, ERROR("invalid_grant")},
                      {400, PENDING}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        world w;

        world_open(&w, ANY_FACTOR, allows);
        expect_user_and_factors(&w, OKTA_FACTORS);
        world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, CODES);
        assert_int_equal(begin(&w), DT_STEP_PROMPT);
        assert_int_equal(world_show(&w), DT_STEP_WAIT);
        end_with_polls(&w, rows[i].status, rows[i].body);
        if (world_outcome(&w)->result != DT_DENY)
            fail_msg("allowed after %d %s", rows[i].status, rows[i].body);
        assert_false(world_machine_holds(w.machine, DEVICE_CODE));
        world_close(&w);
    }
}

/* A good token under another status is none. */
static void test_a_token_comes_with_200(void **state)
{
    static int const statuses[] = {201, 202, 203, 206, 299, 302, 400, 403, 404};

    (void)state;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        world w;

        open_at_code(&w);
        end_with_polls(&w, statuses[i], good());
        if (world_outcome(&w)->result != DT_DENY)
            fail_msg("allowed after %d", statuses[i]);
        world_close(&w);
    }
}

static struct {
    char const *body;
} const bad_codes[] = {
    {""},
    {"{}"},
    {"[]"},
    {"{\"error\":\"x\"}"},
    {CODES_OF("null", "\"R\"", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":600")},
    {CODES_OF("\"\"", "\"R\"", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":600")},
    {CODES_OF("\"a b\"", "\"R\"", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":600")},
    {CODES_OF("1", "\"R\"", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":600")},
    {CODES_OF("\"d\"", "null", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":600")},
    {CODES_OF("\"d\"", "\"\"", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":600")},
    {CODES_OF("\"d\"", "\"R T\"", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":600")},
    {CODES_OF("\"d\"", "\"R\\u001b[2J\"", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":600")},
    {CODES_OF("\"d\"", "\"ABCDEFGHIJKLMNOPQRSTUVWXYZ\"", "\"" PAGE "\"", "\"" PAGE "\"",
              ",\"expires_in\":600")},
    {CODES_AT("http://example.okta.com/activate", PAGE)},
    {CODES_AT("https://evil.example/activate", PAGE)},
    {CODES_AT("https://example.okta.com.evil.example/activate", PAGE)},
    {CODES_AT("https://example.okta.com:444/activate", PAGE)},
    {CODES_AT("https://example.okta.com@evil.example/activate", PAGE)},
    {CODES_AT("https://evil-example.okta.com/activate", PAGE)},
    {CODES_AT("https://example.okta.com/activate?next=https://evil.example", PAGE)},
    {CODES_AT("https://example.okta.com/activate#x", PAGE)},
    {CODES_AT("https://example.okta.com/activ ate", PAGE)},
    {CODES_AT("javascript:alert(1)", PAGE)},
    {CODES_AT("", PAGE)},
    {CODES_AT("https://example.okta.com/"
              "0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
              "234567890123456789",
              PAGE)},
    {CODES_AT(PAGE, "https://evil.example/activate?user_code=RGTCFDTL")},
    {CODES_AT(PAGE, "http://example.okta.com/activate?user_code=RGTCFDTL")},
    {CODES_OF("\"d\"", "\"R\"", "\"" PAGE "\"", "null", ",\"expires_in\":600")},
    {CODES_OF("\"d\"", "\"R\"", "\"" PAGE "\"", "1", ",\"expires_in\":600")},
    {CODES_OF("\"d\"", "\"R\"", "[\"" PAGE "\"]", "\"" PAGE "\"", ",\"expires_in\":600")},
    {CODES_OF("\"d\"", "\"R\"", "\"" PAGE "\"", "\"" PAGE "\"", "")},
    {CODES_OF("\"d\"", "\"R\"", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":0")},
    {CODES_OF("\"d\"", "\"R\"", "\"" PAGE "\"", "\"" PAGE "\"", ",\"expires_in\":\"600\"")},
    {CODES_OF("\"d\"", "\"R\"", "\"" PAGE "\"", "\"" PAGE "\"",
              ",\"expires_in\":600,\"interval\":0")},
    {CODES_OF("\"d\"", "\"R\"", "\"" PAGE "\"", "\"" PAGE "\"",
              ",\"expires_in\":600,\"interval\":null")},
};

static void test_codes_that_are_not_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_codes); i++) {
        world w;

        open_world(&w, ANY_FACTOR);
        world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, bad_codes[i].body);
        if (begin(&w) != DT_STEP_DONE)
            fail_msg("shown: %s", bad_codes[i].body);
        assert_ended(&w, DT_DENY, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
    }
}

static void test_codes_cut_off_anywhere_are_not_shown(void **state)
{
    size_t const len = strlen(CODES);

    (void)state;
    for (size_t i = 1; i < len; i++) {
        world w;

        open_world(&w, ANY_FACTOR);
        world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, CODES);
        w.replies[w.reply_count - 1].body_len = i;
        assert_int_equal(begin(&w), DT_STEP_DONE);
        assert_ended(&w, DT_DENY, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
    }
}

static void test_tokens_cut_off_anywhere_let_nobody_in(void **state)
{
    size_t const len = strlen(good());

    (void)state;
    for (size_t i = 1; i < len; i += world_is_saving() ? 7 : 1) {
        world w;

        open_at_code(&w);
        world_expect(&w, DT_HTTP_POST, TOKEN, 200, good());
        w.replies[w.reply_count - 1].body_len = i;
        if (world_wait(&w) != DT_STEP_DONE)
            end_with_polls(&w, 400, ERROR("invalid_grant"));
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        world_close(&w);
    }
}

/* The org does not let the app do this. */
static void test_an_app_that_may_not_is_a_fault_of_the_configuration(void **state)
{
    static struct {
        int status;
        char const *body;
        dt_cause cause;
    } const rows[] = {
        {400,
         "{\"error\":\"unauthorized_client\",\"error_description\":\"The client is not "
         "authorized to use the provided grant type.\"}",
         DT_CAUSE_CONFIG},
        {401, "{\"error\":\"invalid_client\"}", DT_CAUSE_CONFIG},
        {400, "{\"error\":\"invalid_scope\"}", DT_CAUSE_CONFIG},
        {400, "{\"error\":\"something_new\"}", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {404, "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}",
         DT_CAUSE_OKTA_ANSWER_UNUSABLE},
        {500, "{}", DT_CAUSE_OKTA_UNAVAILABLE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        world w;

        open_world(&w, ANY_FACTOR);
        world_expect(&w, DT_HTTP_POST, AUTHORIZE, rows[i].status, rows[i].body);
        assert_int_equal(begin(&w), DT_STEP_DONE);
        if (world_outcome(&w)->cause != rows[i].cause)
            fail_msg("%s: %d %s", dt_cause_name(world_outcome(&w)->cause), rows[i].status,
                     rows[i].body);
        assert_ended(&w, DT_DENY, rows[i].cause);
    }
}

/* --- where nothing can be shown ------------------------------------------------------------------- */

static void test_where_no_code_can_be_shown_none_is_asked_for(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    open_world(&w, ANY_FACTOR);
    assert_int_equal(begin_as(&w, &r), DT_STEP_DONE);
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_NO_PROMPT);

    r.conversation = DT_CONVERSATION_LIVE;
    r.prompts_unseen = true;
    open_world(&w, ANY_FACTOR);
    assert_int_equal(begin_as(&w, &r), DT_STEP_DONE);
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_NO_PROMPT);
}

/* Nobody may be there: the code is asked for when somebody has answered. */
static void test_an_offer_comes_first_where_prompts_are_unproven(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    r.prompts_unproven = true;
    open_world(&w, ANY_FACTOR);
    assert_int_equal(begin_as(&w, &r), DT_STEP_PROMPT);
    assert_string_equal(w.step.prompt->text, "Press Enter to sign in to Okta with a browser: ");
    assert_int_equal(world_show(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, CODES);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "RGTCFDTL"));
    assert_int_equal(world_show(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_POST, TOKEN, 403, ERROR("access_denied"));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_non_null(strstr(world_outcome(&w)->message, "The sign-on was rejected in the browser."));
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
}

/* A rule that names other factors does not take a browser, whatever was used there. */
static void test_a_rule_has_to_take_it(void **state)
{
    world w;

    (void)state;
    open_world(&w, PUSH_ONLY);
    assert_int_equal(begin(&w), DT_STEP_DONE);
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
}

/* Okta's list cannot bring it into another way. */
static void test_another_way_has_no_browser(void **state)
{
    static char const *const others[] = {"mfa", "factors", "push, browser", NULL};
    world w;

    (void)state;
    world_open(&w, ANY_FACTOR, others);
    expect_user_and_factors(&w, "[{\"id\":\"b1\",\"factorType\":\"browser\",\"provider\":\"OKTA\","
                                "\"status\":\"ACTIVE\"}]");
    assert_int_equal(begin(&w), DT_STEP_DONE);
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
}

static void test_a_passcode_along_is_not_sent(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    r.passcode = "123456";
    open_world(&w, ANY_FACTOR);
    world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, CODES);
    assert_int_equal(begin_as(&w, &r), DT_STEP_PROMPT);
    assert_int_equal(world_show(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_POST, TOKEN, 400, ERROR("expired_token"));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
}

/* --- limits --------------------------------------------------------------------------------------- */

/* What is pending for one sign-on is not for another: nobody rides on it, and no second code is asked for. */
static void test_one_at_a_time_for_each_person(void **state)
{
    dt_request r = world_request();
    dt_signon *first;
    world w;

    (void)state;
    open_at_code(&w);
    first = w.machine;
    w.machine = world_machine_new();
    r.id = "fedcba9876543210fedcba9876543210";
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_MFA_PUSH_PENDING);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    free(w.machine);
    w.machine = first;
    world_close(&w);
}

static void test_a_denial_pauses_what_comes_next(void **state)
{
    dt_request r = world_request();
    world w;

    (void)state;
    open_at_code(&w);
    world_expect(&w, DT_HTTP_POST, TOKEN, 403, ERROR("access_denied"));
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
    r.id = "fedcba9876543210fedcba9876543210";
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_PUSH_PAUSED);
}

static void test_push_limit_counts_it(void **state)
{
    static char const *const none[] = {BROWSER, "mfa", "push_limit", "0", NULL};
    world w;

    (void)state;
    world_open(&w, ANY_FACTOR, none);
    expect_user_and_factors(&w, OKTA_FACTORS);
    assert_int_equal(begin(&w), DT_STEP_DONE);
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_PUSH_LIMIT);
}

/* The codes end when Okta says, and at our own limit, however long a challenge may be answered. */
static void test_the_codes_end(void **state)
{
    static struct {
        char const *expires;
        dt_time lifetime;
    } const rows[] = {
        {",\"expires_in\":30,\"interval\":5", DT_SECONDS(30)},
        {",\"expires_in\":86400,\"interval\":5", DT_BROWSER_LIFETIME_MAX},
        {",\"expires_in\":9223372036854775807,\"interval\":5", DT_BROWSER_LIFETIME_MAX}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_request r = world_request();
        char codes[1024];
        world w;

        snprintf(codes, sizeof(codes),
                 "{\"device_code\":\"" DEVICE_CODE "\",\"user_code\":\"RGTCFDTL\","
                 "\"verification_uri\":\"" PAGE "\"%s}",
                 rows[i].expires);
        r.conversation = DT_CONVERSATION_CHALLENGE;
        open_world(&w, ANY_FACTOR);
        world_expect(&w, DT_HTTP_POST, AUTHORIZE, 200, codes);
        assert_int_equal(begin_as(&w, &r), DT_STEP_PROMPT);
        dt_signon_prompt_shown(w.machine, w.now);
        world_save_and_load(&w);
        w.now += rows[i].lifetime;
        assert_int_equal(world_answer(&w, ""), DT_STEP_DONE); /* Okta is not asked any more */
        assert_ended(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    }
}

static void test_it_waits_no_longer_than_it_may(void **state)
{
    world w;

    (void)state;
    open_at_code(&w);
    end_with_polls(&w, 400, PENDING);
    assert_true(w.now <= WORLD_START + DT_SECONDS(60));
    assert_ended(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
}

/* Whoever leaves is not let in by who signs in later, and nothing is left of the secret. */
static void test_who_leaves_is_not_let_in(void **state)
{
    world w;

    (void)state;
    open_at_code(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_ended(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_who_signs_in_with_a_browser_gets_in),
        cmocka_unit_test(test_requests_are_anonymous),
        cmocka_unit_test(test_what_is_typed_does_not_hasten_it),
        cmocka_unit_test(test_a_challenge_goes_on_with_its_code),
        cmocka_unit_test(test_slow_down_adds_five_seconds_each_time),
        cmocka_unit_test(test_poll_interval_of_ours_is_the_shortest),
        cmocka_unit_test(test_it_is_remembered),
        cmocka_unit_test(test_tokens_that_let_nobody_in),
        cmocka_unit_test(test_the_other_person_is_named),
        cmocka_unit_test(test_replies_that_end_it),
        cmocka_unit_test(test_odd_replies_to_polls_let_nobody_in),
        cmocka_unit_test(test_a_token_comes_with_200),
        cmocka_unit_test(test_codes_that_are_not_shown),
        cmocka_unit_test(test_codes_cut_off_anywhere_are_not_shown),
        cmocka_unit_test(test_tokens_cut_off_anywhere_let_nobody_in),
        cmocka_unit_test(test_an_app_that_may_not_is_a_fault_of_the_configuration),
        cmocka_unit_test(test_where_no_code_can_be_shown_none_is_asked_for),
        cmocka_unit_test(test_an_offer_comes_first_where_prompts_are_unproven),
        cmocka_unit_test(test_a_rule_has_to_take_it),
        cmocka_unit_test(test_another_way_has_no_browser),
        cmocka_unit_test(test_a_passcode_along_is_not_sent),
        cmocka_unit_test(test_one_at_a_time_for_each_person),
        cmocka_unit_test(test_a_denial_pauses_what_comes_next),
        cmocka_unit_test(test_push_limit_counts_it),
        cmocka_unit_test(test_the_codes_end),
        cmocka_unit_test(test_it_waits_no_longer_than_it_may),
        cmocka_unit_test(test_who_leaves_is_not_let_in),
    };
    return world_run_tests_twice("way browser", tests);
}
