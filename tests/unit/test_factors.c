/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Codes that are sent, security questions, and tokens: what is sent, counted, shown and taken. Each test runs twice:
 * as it is, and with the machine saved and loaded before every step. */
#include "signon_policies.h"
#include "signon_world.h"

#include "core/signon/signon_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define ONE(id, type, provider, profile)                                                           \
    "{\"id\":\"" id "\",\"factorType\":\"" type "\",\"provider\":\"" provider                      \
    "\",\"status\":\"ACTIVE\",\"profile\":" profile "}"
#define SMS ONE("sms1", "sms", "OKTA", "{\"phoneNumber\":\"+1-555-415-1337\"}")
#define CALL ONE("clf1", "call", "OKTA", "{\"phoneNumber\":\"+1-555-415-1338\"}")
#define EMAIL ONE("emf1", "email", "OKTA", "{\"email\":\"ann.smith@example.com\"}")
#define QUESTION                                                                                   \
    ONE("ufs1", "question", "OKTA",                                                                \
        "{\"question\":\"disliked_food\",\"questionText\":\"What food do you dislike?\"}")
#define YUBIKEY ONE("ykf1", "token:hardware", "YUBICO", "{\"credentialId\":\"000004102994\"}")
#define RSA ONE("rsa1", "token", "RSA", "{\"credentialId\":\"ann\"}")
#define HOTP ONE("chf1", "token:hotp", "CUSTOM", "{}")
#define VIP ONE("vip1", "token", "SYMANTEC", "{}")
#define TOUCH "ccccccbcgujhingjrdejhgfnuetrgigvejhhgbkugded"
#define PUSH "{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"}"
#define PUSH2 ONE("opf2", "push", "OKTA", "{\"name\":\"Ann's phone\"}")
#define TOTP ONE("ost1", "token:software:totp", "OKTA", "{}")
#define WAITING_2                                                                                  \
    "{\"factorResult\":\"WAITING\",\"_links\":{\"poll\":{\"href\":\"https://example.okta.com/api/" \
    "v1/users/"                                                                                    \
    "00u1/factors/opf2/transactions/t2\"}}}"
#define CHALLENGE "{\"factorResult\":\"CHALLENGE\"}"
#define VERIFY "/factors/sms1/verify"

/* Who is not trusted is asked for any factor that the company allows. */
static char const ANY_FACTOR[] =
    POLICY(RULE("any", "1", "NOT_TRUSTED",
                "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\"}}"));

static char const *const with_sms[] = {"mfa", "factors", "push, token:software:totp, sms", NULL};

static dt_step_kind begin(world *w, char const *const *settings, char const *factors, int status,
                          char const *reply)
{
    dt_request r = world_request();

    world_open(w, ANY_FACTOR, settings);
    expect_user_and_factors(w, factors);
    if (reply != NULL)
        world_expect(w, DT_HTTP_POST, VERIFY, status, reply);
    world_begin(w, &r);
    return world_run(w);
}

static void test_a_code_is_sent_and_typed(void **state)
{
    world w;

    (void)state;
    assert_int_equal(begin(&w, with_sms, "[" SMS "]", 200, CHALLENGE), DT_STEP_PROMPT);
    assert_string_equal(w.step.prompt->text,
                        "Code sent by SMS (...1337) (or press Enter for a new one): ");
    assert_null(strstr(w.last_body, "passCode"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY, 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, "123 456"), DT_STEP_DONE);
    assert_non_null(strstr(w.last_body, "123456"));
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_SMS);
    assert_string_equal(world_outcome(&w)->mfa.factor_stamp, "sms1:0");
    world_close(&w);
}

static void test_where_it_is_not_allowed_none_is_sent(void **state)
{
    world w;

    (void)state;
    assert_int_equal(begin(&w, NULL, "[" SMS "]", 0, NULL), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    world_close(&w);
}

static void test_nothing_but_challenge_says_that_one_was_sent(void **state)
{
    static struct {
        int status;
        char const *reply;
    } const odd[] = {{200, OKTA_SUCCESS},
                     {201, CHALLENGE},
                     {200, "{\"factorResult\":\"WAITING\"}"},
                     {200, "{\"factorResult\":\"REJECTED\"}"},
                     {200, "{\"factorResult\":\"challenge\"}"},
                     {200, "{}"},
                     {200, "[]"},
                     {200, "{\"factorResult\":\"CHALLENGE\""},
                     {403, OKTA_WRONG_CODE},
                     {500, ""},
                     {404, "{\"errorCode\":\"E0000007\"}"}};

    (void)state;
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        world w;

        assert_int_equal(begin(&w, with_sms, "[" SMS "]", odd[i].status, odd[i].reply),
                         DT_STEP_DONE);
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        world_all_used(&w);
        world_close(&w);
    }
}

static void test_an_answer_that_is_not_success_lets_nobody_in(void **state)
{
    static char const *const replies[] = {CHALLENGE, "{\"factorResult\":\"WAITING\"}",
                                          "{\"factorResult\":\"FAILED\"}", "{}"};
    static char const *const once[] = {"mfa", "factors", "sms", "mfa", "passcode_attempts",
                                       "1",   NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        world w;

        begin(&w, once, "[" SMS "]", 200, CHALLENGE);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, VERIFY, 200, replies[i]);
        assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        world_close(&w);
    }
}

static void test_a_wrong_code_is_asked_for_anew_and_not_sent_twice(void **state)
{
    world w;

    (void)state;
    begin(&w, with_sms, "[" SMS "]", 200, CHALLENGE);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY, 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "not accepted"));
    world_show(&w);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT); /* Okta is not asked */
    world_show(&w);
    assert_int_equal(world_answer(&w, "no code"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

static void test_codes_count_as_passcodes_do(void **state)
{
    static char const *const few[] = {
        "mfa", "factors",           "sms", "mfa", "passcode_limit", "1",
        "mfa", "passcode_attempts", "9",   NULL};
    world w;

    (void)state;
    begin(&w, few, "[" SMS "]", 200, CHALLENGE);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY, 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    world_show(&w);
    assert_int_equal(world_answer(&w, "222222"), DT_STEP_DONE); /* Okta is not asked */
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_PASSCODE_LIMIT);
    world_close(&w);
}

static void test_messages_are_counted_before_one_is_sent(void **state)
{
    static char const *const none[] = {"mfa", "factors", "sms", "mfa", "message_limit", "0", NULL};
    world w;

    (void)state;
    assert_int_equal(begin(&w, none, "[" SMS "]", 0, NULL), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_PUSH_LIMIT);
    world_close(&w);

    begin(&w, with_sms, "[" SMS "]", 200, CHALLENGE);
    assert_non_null(world_find(&w, DT_TABLE_PUSH_COUNT, "messages:"));
    world_close(&w);
}

/* Where nothing can be asked, a code is sent to who asks for it, and comes along with the next sign-on. */
static dt_step_kind begin_mute(world *w, char const *along, char const *factors)
{
    dt_request r = world_request();

    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = along;
    world_open(w, ANY_FACTOR, with_sms);
    expect_user_and_factors(w, factors);
    world_begin(w, &r);
    return DT_STEP_HTTP;
}

static void test_none_is_sent_where_nobody_can_type_it(void **state)
{
    world w;

    (void)state;
    begin_mute(&w, "", "[" SMS "]");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    world_close(&w);
}

static void test_a_code_by_two_sign_ons(void **state)
{
    world w;

    (void)state;
    begin_mute(&w, "SMS", "[" PUSH "," SMS "]");
    world_expect(&w, DT_HTTP_POST, VERIFY, 200, CHALLENGE);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_CODE_SENT);
    assert_non_null(strstr(world_outcome(&w)->message, "comma and the code"));
    world_close(&w);

    if (world_is_saving())
        return; /* a passcode that came along is never saved */
    begin_mute(&w, "123456", "[" PUSH "," SMS "]");
    world_expect(&w, DT_HTTP_POST, VERIFY, 200, OKTA_SUCCESS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_SMS);
    world_close(&w);

    begin_mute(&w, "123456", "[" PUSH "," SMS "]");
    world_expect(&w, DT_HTTP_POST, VERIFY, 403, OKTA_WRONG_CODE);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

/* Who asks for a factor gets that one or none. */
static void test_a_word_for_what_is_not_there(void **state)
{
    static char const *const words[] = {"call", "email", "sms2", "phone", "push2"};

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        world w;

        begin_mute(&w, words[i], "[" PUSH "," SMS "]");
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
        world_close(&w);
    }
}

/* Nor does the phone ring instead when the code cannot be sent. */
static void test_a_word_for_what_fails(void **state)
{
    world w;

    (void)state;
    begin_mute(&w, "sms", "[" PUSH "," SMS "]");
    world_expect(&w, DT_HTTP_POST, VERIFY, 500, "{\"errorCode\":\"E0000138\"}");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_PROVIDER_FAILED);
    world_close(&w);
}

static void test_the_second_device_by_its_word(void **state)
{
    world w;

    (void)state;
    begin_mute(&w, "push2", "[" PUSH "," PUSH2 "]");
    world_expect(&w, DT_HTTP_POST, "/factors/opf2/verify", 201, WAITING_2);
    world_run(&w);
    world_expect(&w, DT_HTTP_GET, "/factors/opf2/transactions/t2", 200, OKTA_SUCCESS);
    while (w.step.kind == DT_STEP_WAIT)
        world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    if (!world_is_saving()) /* what was given is not saved: it is kept at the end alone */
        assert_string_equal(world_outcome(&w)->mfa.factor_stamp, "opf2:0");
    world_close(&w);
}

/* The links of the reply lead to the person's other device. */
static void test_a_push_of_another_device_is_not_followed(void **state)
{
    world w;

    (void)state;
    begin_mute(&w, "push", "[" PUSH "," PUSH2 "]");
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, WAITING_2);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
    world_close(&w);
}

static char const *const all_factors[] = {
    "mfa", "factors", "push, token:software:totp, sms, call, email, question", NULL};

static dt_step_kind show_menu(world *w, char const *factors)
{
    dt_request r = world_request();

    world_open(w, ANY_FACTOR, all_factors);
    expect_user_and_factors(w, factors);
    world_begin(w, &r);
    return world_run(w);
}

static void test_a_menu(void **state)
{
    static struct {
        char const *typed, *verify, *prompt;
    } const choices[] = {{"3", "/factors/sms1/verify", "Code sent by SMS (...1337)"},
                         {" 4 ", "/factors/clf1/verify", "Code sent by phone call"},
                         {"Phone", "/factors/clf1/verify", "Code sent by phone call"},
                         {"sms", "/factors/sms1/verify", "Code sent by SMS (...1337)"}};

    (void)state;
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        world w;

        assert_int_equal(show_menu(&w, "[" CALL "," SMS "," TOTP "," PUSH2 "]"), DT_STEP_PROMPT);
        assert_string_equal(w.step.prompt->text, "1. Push to Ann's phone\n"
                                                 "2. Okta Verify passcode\n"
                                                 "3. Code by SMS (...1337)\n"
                                                 "4. Code by phone call (...1338)\n"
                                                 "Type a number, or press Enter for 1: ");
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, choices[i].verify, 200, CHALLENGE);
        assert_int_equal(world_answer(&w, choices[i].typed), DT_STEP_PROMPT);
        assert_non_null(strstr(w.step.prompt->text, choices[i].prompt));
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, choices[i].verify, 200, OKTA_SUCCESS);
        assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        world_close(&w);
    }
}

static void test_enter_at_the_menu_sends_the_push(void **state)
{
    world w;

    (void)state;
    show_menu(&w, "[" SMS "," PUSH2 "]");
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/opf2/verify", 201, WAITING_2);
    world_expect(&w, DT_HTTP_GET, "/factors/opf2/transactions/t2", 200, OKTA_SUCCESS);
    world_answer(&w, "");
    while (w.step.kind != DT_STEP_DONE) {
        if (w.step.kind == DT_STEP_PROMPT)
            world_show(&w);
        else
            world_wait(&w);
    }
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* A passcode may be typed at once; what is neither is said to be so, and comes to an end. */
static void test_what_else_is_typed_at_the_menu(void **state)
{
    world w;

    (void)state;
    show_menu(&w, "[" TOTP "," SMS "," PUSH "]");
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);

    show_menu(&w, "[" TOTP "," SMS "," PUSH "]");
    for (int i = 0; i < 2; i++) {
        world_show(&w);
        assert_int_equal(world_answer(&w, i == 0 ? "9" : "0"), DT_STEP_PROMPT);
        assert_non_null(strstr(w.step.prompt->note, "not a number of the list"));
        assert_non_null(strstr(w.step.prompt->text, "3. Code by SMS"));
    }
    world_show(&w);
    assert_int_equal(world_answer(&w, "my password"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

/* What cannot be sent is not in the next menu. */
static void test_a_menu_without_what_failed(void **state)
{
    world w;

    (void)state;
    show_menu(&w, "[" CALL "," SMS "," EMAIL "]");
    assert_non_null(strstr(w.step.prompt->text, "1. Code by SMS"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY, 500, "{\"errorCode\":\"E0000138\"}");
    assert_int_equal(world_answer(&w, "1"), DT_STEP_PROMPT);
    assert_non_null(
        strstr(w.step.prompt->text, "1. Code by phone call (...1338)\n2. Code by email"));
    world_close(&w);
}

/* Eight lines with long names fit into one Reply-Message. */
/* After a push that could not be sent the menu waits for another choice, also in another process. */
static void test_a_menu_after_a_push_that_failed(void **state)
{
    world w;

    (void)state;
    show_menu(&w, "[" CALL "," SMS "," PUSH2 "]");
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/opf2/verify", 403,
                 "{\"errorCode\":\"E0000014\",\"errorSummary\":\"no\"}");
    assert_int_equal(world_answer(&w, "1"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "1. Code by SMS"));
    world_show(&w);
    world_save_and_load(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/sms1/verify", 200, CHALLENGE);
    assert_int_equal(world_answer(&w, "1"), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/sms1/verify", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_a_menu_fits(void **state)
{
#define LONG "a phone with a name that is longer than any line of a screen should ever be"
    world w;

    (void)state;
    assert_int_equal(
        show_menu(&w, "[" ONE("opf3", "push", "OKTA", "{\"name\":\"" LONG "\"}") "," ONE(
                          "opf4", "push", "OKTA",
                          "{\"name\":\"" LONG
                          "\"}") "," ONE("opf5", "push", "OKTA",
                                         "{\"name\":\"" LONG
                                         "\"}") "," TOTP "," ONE("uft1", "token:software:totp",
                                                                 "GOOGLE", "{}") "," SMS "," CALL
                                                                                 "," EMAIL
                                                                                 "," QUESTION "]"),
        DT_STEP_PROMPT);
    assert_true(strlen(w.step.prompt->text) <= 253);
    assert_non_null(strstr(w.step.prompt->text, "\n8. "));
    assert_null(strstr(w.step.prompt->text, "\n9. "));
    world_close(&w);
}

static void test_a_push_comes_first_and_an_sms_after_it(void **state)
{
    static char const *const no_push[] = {"mfa",        "factors", "push, sms", "mfa",
                                          "push_limit", "0",       NULL};
    world w;

    (void)state;
    assert_int_equal(begin(&w, no_push, "[" SMS "," PUSH "]", 200, CHALLENGE), DT_STEP_PROMPT);
    world_show(&w);
    assert_int_equal(world_answer(&w, "push"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "you have had too many"));
    assert_non_null(strstr(w.step.prompt->text, "Code sent by SMS"));
    world_close(&w);
}

static void test_it_is_sent_again_after_429_alone(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, ANY_FACTOR, with_sms);
    expect_user_and_factors(&w, "[" SMS "]");
    world_expect(&w, DT_HTTP_POST, VERIFY, 429, OKTA_RATE_LIMITED);
    world_expect(&w, DT_HTTP_POST, VERIFY, 200, CHALLENGE);
    world_begin(&w, &r);
    world_run(&w);
    while (w.step.kind == DT_STEP_WAIT)
        world_wait(&w);
    assert_int_equal(w.step.kind, DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

/* How a code is sent does not matter: the same is true of each. */
static void test_each_way_of_sending(void **state)
{
    static struct {
        char const *list, *word, *verify, *prompt;
        dt_factor_type type;
    } const ways[] = {
        {"[" SMS "]", "sms", "/factors/sms1/verify", "SMS (...1337)", DT_FACTOR_SMS},
        {"[" CALL "]", "call", "/factors/clf1/verify", "phone call (...1338)", DT_FACTOR_CALL},
        {"[" EMAIL "]", "email", "/factors/emf1/verify", "email (a...@example.com)",
         DT_FACTOR_EMAIL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char const *const only[] = {"mfa", "factors", ways[i].word, NULL};
        world w;
        dt_request r = world_request();

        world_open(&w, ANY_FACTOR, only);
        expect_user_and_factors(&w, ways[i].list);
        world_expect(&w, DT_HTTP_POST, ways[i].verify, 200, CHALLENGE);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        assert_non_null(strstr(w.step.prompt->text, ways[i].prompt));
        assert_null(strstr(w.step.prompt->text, "555"));
        assert_null(strstr(w.step.prompt->text, "smith"));
        assert_false(w.step.prompt->echo);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, ways[i].verify, 200, OKTA_SUCCESS);
        assert_int_equal(world_answer(&w, "001 234"), DT_STEP_DONE);
        assert_string_equal(w.last_body, "{\"passCode\":\"001234\"}");
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        assert_int_equal(world_outcome(&w)->factor, ways[i].type);
        world_close(&w);
    }
}

static void test_enter_sends_another_code_within_limits(void **state)
{
    static char const *const two[] = {"mfa", "factors", "sms", "mfa", "message_limit", "2", NULL};
    world w;

    (void)state;
    begin(&w, two, "[" SMS "]", 200, CHALLENGE);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY, 200, CHALLENGE);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "new code was sent"));
    world_show(&w);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT); /* nothing is sent any more */
    assert_non_null(strstr(w.step.prompt->note, "No more codes"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY, 200, OKTA_SUCCESS); /* the last one is good still */
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* A program that presses Enter at every prompt comes to an end, whatever the limit. */
static void test_enter_for_ever_ends(void **state)
{
    static char const *const many[] = {"mfa",           "factors", "sms", "mfa",
                                       "message_limit", "1000",    NULL};
    int sent = 1;
    world w;

    (void)state;
    begin(&w, many, "[" SMS "]", 200, CHALLENGE);
    while (w.step.kind == DT_STEP_PROMPT && sent < 20) {
        world_show(&w);
        if (sent <= 3)
            world_expect(&w, DT_HTTP_POST, VERIFY, 200, CHALLENGE);
        world_answer(&w, "");
        sent++;
    }
    assert_int_equal(w.step.kind, DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_all_used(&w);
    world_close(&w);
}

/* One was sent a moment ago, as by the sign-on before: that one is good. */
static void test_too_soon_asks_for_the_code_before(void **state)
{
    static char const *const codes[] = {"E0000109", "E0000118", "E0000133", "E0000204"};

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char reply[64];
        world w;

        snprintf(reply, sizeof(reply), "{\"errorCode\":\"%s\"}", codes[i]);
        assert_int_equal(begin(&w, with_sms, "[" SMS "]", 429, reply), DT_STEP_PROMPT);
        assert_non_null(strstr(w.step.prompt->note, "a moment ago"));
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, VERIFY, 200, OKTA_SUCCESS);
        assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        world_close(&w);
    }
}

static void test_a_used_up_quota_is_not_tried_again(void **state)
{
    static struct {
        int status;
        char const *reply;
    } const refused[] = {{429, "{\"errorCode\":\"E0000146\"}"},
                         {429, "{\"errorCode\":\"E0000147\"}"},
                         {429, "{\"errorCode\":\"E0000186\"}"},
                         {500, "{\"errorCode\":\"E0000138\"}"},
                         {503, "{\"errorCode\":\"E0000139\"}"}};

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        world w;

        assert_int_equal(begin(&w, with_sms, "[" SMS "]", refused[i].status, refused[i].reply),
                         DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_PROVIDER_FAILED);
        world_all_used(&w);
        world_close(&w);
    }
}

/* Where nobody may be there, Enter comes first. */
static void test_no_code_before_a_prompt_was_answered(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.prompts_unproven = true;
    world_open(&w, ANY_FACTOR, with_sms);
    expect_user_and_factors(&w, "[" SMS "]");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "Press Enter to be sent a code by SMS (...1337)"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY, 200, CHALLENGE);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, VERIFY, 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static char const NAMES_QUESTION[] =
    POLICY(RULE("any", "1", "NOT_TRUSTED",
                "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\","
                "\"factors\":[\"question\"]}}"));
static char const *const with_question[] = {"mfa", "factors", "question, push", NULL};

static dt_step_kind ask_question(world *w, char const *policy)
{
    dt_request r = world_request();

    world_open(w, policy, with_question);
    expect_user_and_factors(w, "[" QUESTION "]");
    world_begin(w, &r);
    return world_run(w);
}

static void test_a_security_question(void **state)
{
    world w;

    (void)state;
    assert_int_equal(ask_question(&w, NAMES_QUESTION), DT_STEP_PROMPT);
    assert_string_equal(w.step.prompt->text, "What food do you dislike?: ");
    assert_false(w.step.prompt->echo);
    world_show(&w);
    assert_int_equal(world_answer(&w, "abc"), DT_STEP_PROMPT); /* too short: Okta is not asked */
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ufs1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "brussels sprouts"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "answer was not accepted"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ufs1/verify", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, " l\"amb \\ "), DT_STEP_DONE);
    assert_string_equal(w.last_body, "{\"answer\":\"l\\\"amb \\\\\"}");
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_null(strstr(world_outcome(&w)->detail, "sprouts"));
    assert_false(world_machine_holds(w.machine, "amb"));
    assert_false(world_machine_holds(w.machine, "sprouts"));
    world_close(&w);
}

/* It is knowledge, as the password is. */
static void test_a_rule_has_to_name_the_question(void **state)
{
    world w;

    (void)state;
    assert_int_equal(ask_question(&w, ANY_FACTOR), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    world_close(&w);
}

/* What came along, or was typed for something else, is not sent as the answer of a question or a token. */
static void test_nothing_else_is_an_answer(void **state)
{
    static char const *const with_token[] = {"mfa", "factors", "token, push, question", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    r.passcode = "hunter2x";
    world_open(&w, ANY_FACTOR, with_token);
    expect_user_and_factors(&w, "[" PUSH "," RSA "," QUESTION "]");
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_WAITING);
    world_begin(&w, &r);
    world_run(&w);
    while (w.step.kind == DT_STEP_WAIT && !w.step.prompt_open) {
        world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_WAITING);
        world_wait(&w);
    }
    assert_int_equal(w.step.kind, DT_STEP_PROMPT);
    world_show(&w);
    world_answer(&w, "hunter2x"); /* no request for it */
    assert_null(strstr(w.last_body, "hunter2x"));
    world_close(&w);
}

static void test_tokens(void **state)
{
    static char const *const tokens[] = {
        "mfa", "factors", "token, token:hotp, token:hardware, token:software:totp", NULL};
    static struct {
        char const *list, *verify, *prompt, *typed, *body, *misread;
        dt_factor_type type;
    } const rows[] = {
        {"[" YUBIKEY "]", "/factors/ykf1/verify", "YubiKey passcode: ", TOUCH "\n",
         "{\"passCode\":\"" TOUCH "\"}", "123456", DT_FACTOR_YUBIKEY},
        {"[" RSA "]", "/factors/rsa1/verify", "RSA SecurID passcode: ", "pin7123456",
         "{\"passCode\":\"pin7123456\"}", "pass word!", DT_FACTOR_RSA},
        {"[" HOTP "]", "/factors/chf1/verify", "Token passcode: ", "00 12 34",
         "{\"passCode\":\"001234\"}", TOUCH, DT_FACTOR_HOTP},
        {"[" VIP "]", "/factors/vip1/verify", "Symantec VIP passcode: ", "123456",
         "{\"passCode\":\"123456\"}", "12345", DT_FACTOR_SYMANTEC},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;
        dt_request r = world_request();

        world_open(&w, ANY_FACTOR, tokens);
        expect_user_and_factors(&w, rows[i].list);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        assert_string_equal(w.step.prompt->text, rows[i].prompt);
        world_show(&w);
        assert_int_equal(world_answer(&w, rows[i].misread), DT_STEP_PROMPT);
        world_show(&w);
        world_expect(&w, DT_HTTP_POST, rows[i].verify, 200, OKTA_SUCCESS);
        assert_int_equal(world_answer(&w, rows[i].typed), DT_STEP_DONE);
        assert_string_equal(w.last_body, rows[i].body);
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        assert_int_equal(world_outcome(&w)->factor, rows[i].type);
        world_close(&w);
    }
}

/* Of another provider, or of another status, it is nobody's. */
static void test_other_providers_and_states(void **state)
{
    static char const *const lists[] = {
        "[" ONE("x1", "sms", "DUO", "{}") "]",
        "[" ONE("x1", "token", "OKTA", "{}") "]",
        "[" ONE("x1", "token:hardware", "RSA", "{}") "]",
        "[" ONE("x1", "u2f", "FIDO", "{}") "," ONE("x2", "webauthn", "FIDO", "{}") "]",
        "[" ONE("x1", "signed_nonce", "OKTA", "{}") "," ONE("x2", "web", "DUO", "{}") "]",
        "[{\"id\":\"x1\",\"factorType\":\"sms\",\"provider\":\"OKTA\",\"status\":"
        "\"PENDING_ACTIVATION\"}]",
        "[{\"id\":\"x1\",\"factorType\":\"sms\",\"provider\":\"OKTA\",\"status\":\"EXPIRED\"}]",
    };
    static char const *const all[] = {
        "mfa", "factors",
        "push, token:software:totp, token:hotp, token, token:hardware, sms, call, email", NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        world w;

        assert_int_equal(begin(&w, all, lists[i], 0, NULL), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
        world_close(&w);
    }
}

/* Who has set up nothing that the rule takes is told where to do so; who has, is not. */
static void test_where_to_enrol(void **state)
{
    static char const *const only_push[] = {"mfa", "factors", "push", NULL};
    static char const text[] = "(Set one up at https://example.okta.com)";
    world w;

    (void)state;
    begin(&w, only_push, "[" SMS "]", 0, NULL);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    assert_non_null(strstr(world_outcome(&w)->message, text));
    assert_true(world_outcome(&w)->links_org);
    world_close(&w);

    begin(&w, only_push, "[]", 0, NULL);
    assert_non_null(strstr(world_outcome(&w)->message, text));
    world_close(&w);

    begin_mute(&w, "call", "[" PUSH "," SMS "]");
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    assert_null(strstr(world_outcome(&w)->message, text));
    assert_false(world_outcome(&w)->links_org);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_a_code_is_sent_and_typed),
        cmocka_unit_test(test_where_it_is_not_allowed_none_is_sent),
        cmocka_unit_test(test_nothing_but_challenge_says_that_one_was_sent),
        cmocka_unit_test(test_an_answer_that_is_not_success_lets_nobody_in),
        cmocka_unit_test(test_a_wrong_code_is_asked_for_anew_and_not_sent_twice),
        cmocka_unit_test(test_codes_count_as_passcodes_do),
        cmocka_unit_test(test_messages_are_counted_before_one_is_sent),
        cmocka_unit_test(test_none_is_sent_where_nobody_can_type_it),
        cmocka_unit_test(test_a_code_by_two_sign_ons),
        cmocka_unit_test(test_a_word_for_what_is_not_there),
        cmocka_unit_test(test_a_word_for_what_fails),
        cmocka_unit_test(test_the_second_device_by_its_word),
        cmocka_unit_test(test_a_push_of_another_device_is_not_followed),
        cmocka_unit_test(test_a_menu),
        cmocka_unit_test(test_enter_at_the_menu_sends_the_push),
        cmocka_unit_test(test_what_else_is_typed_at_the_menu),
        cmocka_unit_test(test_a_menu_without_what_failed),
        cmocka_unit_test(test_a_menu_after_a_push_that_failed),
        cmocka_unit_test(test_a_menu_fits),
        cmocka_unit_test(test_where_to_enrol),
        cmocka_unit_test(test_a_push_comes_first_and_an_sms_after_it),
        cmocka_unit_test(test_it_is_sent_again_after_429_alone),
        cmocka_unit_test(test_each_way_of_sending),
        cmocka_unit_test(test_enter_sends_another_code_within_limits),
        cmocka_unit_test(test_enter_for_ever_ends),
        cmocka_unit_test(test_too_soon_asks_for_the_code_before),
        cmocka_unit_test(test_a_used_up_quota_is_not_tried_again),
        cmocka_unit_test(test_no_code_before_a_prompt_was_answered),
        cmocka_unit_test(test_a_security_question),
        cmocka_unit_test(test_a_rule_has_to_name_the_question),
        cmocka_unit_test(test_nothing_else_is_an_answer),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_other_providers_and_states),
    };

    return world_run_tests_twice("factors", tests);
}