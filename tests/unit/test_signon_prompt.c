/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prompts: which are shown, when, what is in them, and what is made of the answer.
 * Each test runs twice: as it is, and with the machine saved and loaded before every step. */
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

static void test_challenge_for_a_passcode_survives_saving(void **state)
{
    world w;
    dt_request r = world_request();
    dt_buf b;

    (void)state;
    r.conversation = DT_CONVERSATION_CHALLENGE;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_true(w.step.suspend);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &b), 0);
    world_machine_spoil(w.machine);
    w.now += DT_MINUTES(3);
    assert_int_equal(dt_signon_load(w.machine, &w.ruleset, dt_buf_bytes(&b)), 0);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    dt_buf_free(&b);
    world_close(&w);
}

static void test_silent_push_asks_for_no_number(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_CHALLENGE;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_null(strstr(w.last_body, "useNumberMatchingChallenge\":true"));
    /* The org forces a number all the same: then it is shown by a challenge. */
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    assert_true(w.step.suspend);
    assert_non_null(strstr(w.step.prompt->text, "42"));
    world_close(&w);
}

static void test_number_where_nothing_can_be_shown_is_refused(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    assert_non_null(strstr(world_outcome(&w)->detail, "number challenge"));
    world_close(&w);
}

static void test_a_challenge_shows_the_number(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_CHALLENGE;
    r.push_prompt = true;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_true(w.step.suspend);
    assert_non_null(strstr(w.step.prompt->text, "42"));
    assert_non_null(strstr(w.last_body, "useNumberMatchingChallenge\":true"));
    world_show(&w);
    w.now += DT_MINUTES(2); /* a new round has its own patience */
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void push_in_a_challenge(bool prompt, char const *push, char const *wanted)
{
    static char const *const never[] = {"mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r = world_request();

    r.conversation = DT_CONVERSATION_CHALLENGE;
    r.push_prompt = prompt;
    world_open(&w, GUIDE, never);
    expect_push(&w, push);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), wanted ? DT_STEP_PROMPT : DT_STEP_WAIT);
    if (wanted)
        assert_non_null(strstr(w.step.prompt->text, wanted));
    world_close(&w);
}

static void test_when_a_challenge_shows_the_push(void **state)
{
    static char const zero[] =
        "{\"factorResult\":\"WAITING\",\"_embedded\":{\"challenge\":{\"correctAnswer\":0}},"
        "\"_links\":{\"poll\":{\"href\":\"" TRANSACTION "\"}}}";

    (void)state;
    push_in_a_challenge(true, OKTA_PUSH, "Approve the push");
    push_in_a_challenge(false, OKTA_PUSH, NULL);
    push_in_a_challenge(true, OKTA_PUSH_NUMBER, "the number 42 in");
    push_in_a_challenge(false, OKTA_PUSH_NUMBER, "the number 42 in");
    push_in_a_challenge(false, zero, "the number 0 in");
}

static void test_no_number_where_none_can_be_shown(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    r.push_prompt = true; /* means nothing without a challenge */
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_string_equal(w.last_body, "");
    assert_int_equal(w.step.until - w.now, DT_SECONDS(4)); /* no quick look for a number */
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* --- where it is not known whether a prompt is seen ------------------------------------------ */

/* Until the push, or its absence: the person's factors are known by now. */
static void begin_unproven(world *w, dt_conversation conversation, char const *factors)
{
    dt_request r = world_request();

    r.conversation = conversation;
    r.prompts_unproven = true;
    world_open(w, GUIDE, NULL);
    expect_user_and_factors(w, factors);
    world_begin(w, &r);
}

static void offer(world *w)
{
    begin_unproven(w, DT_CONVERSATION_LIVE, OKTA_FACTORS);
    assert_int_equal(world_run(w), DT_STEP_PROMPT);
    assert_non_null(strstr(w->step.prompt->text, "Press Enter to be sent a push"));
    assert_non_null(strstr(w->step.prompt->text, "passcode"));
    assert_int_equal(world_show(w), DT_STEP_WAIT);
}

static void test_offered_push_is_sent_after_enter(void **state)
{
    world w;

    (void)state;
    offer(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "42"));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, ""), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_offered_push_takes_a_passcode(void **state)
{
    world w;

    (void)state;
    offer(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    /* The push is still offered. */
    assert_non_null(strstr(w.step.prompt->text, "Press Enter to be sent a push"));
    assert_non_null(strstr(w.step.prompt->note, "not accepted"));
    world_show(&w);
    assert_int_equal(world_answer(&w, "what?"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "not a passcode"));
    assert_non_null(strstr(w.step.prompt->text, "Press Enter to be sent a push"));
    world_show(&w);
    assert_int_equal(world_answer(&w, "x"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_FAILED);
    world_close(&w);
}

/* Whatever ends it before an answer, no push was sent: world_close would miss its request. */
static void test_unanswered_offer_sends_no_push(void **state)
{
    world w;

    (void)state;
    offer(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_PROMPT);
    assert_non_null(strstr(world_outcome(&w)->message, "no prompt can be shown here"));
    world_close(&w);
    offer(&w);
    w.now += DT_MINUTES(5);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    world_close(&w);
    /* A passcode is asked for by a prompt that sends nothing; once one was answered, the person left. */
    begin_unproven(&w, DT_CONVERSATION_LIVE, OKTA_FACTORS_TOTP);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_PROMPT);
    world_close(&w);
    offer(&w);
    world_answer(&w, "what?");
    world_show(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

static void test_nobody_to_ask_sends_no_push(void **state)
{
    static char const *const factors[] = {OKTA_FACTORS, OKTA_FACTORS_PUSH, OKTA_FACTORS_TOTP};
    world w;

    (void)state;
    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        begin_unproven(&w, DT_CONVERSATION_NONE, factors[i]);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_PROMPT);
        assert_non_null(strstr(world_outcome(&w)->detail, "no push was sent"));
        world_close(&w);
    }
}

static void test_offer_survives_saving(void **state)
{
    dt_buf b;
    world w;

    (void)state;
    offer(&w);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &b), DT_OK);
    assert_int_equal(dt_signon_load(w.machine, &w.ruleset, dt_bytes_of(b.p, b.len)), DT_OK);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    dt_buf_free(&b);
    world_close(&w);
}

/* --- a prompt that is open ------------------------------------------------------------------- */

/* What is open stays open: a prompt that sshd shows cannot be taken back. */
static void test_an_open_prompt_is_not_replaced(void **state)
{
    static char const *const never[] = {"mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, never);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_string_equal(w.last_body, "");
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_true(w.step.prompt_open);
    world_close(&w);
}

/* The number comes only once the phone shows it: the prompt that is open by then says the way. */
static void test_a_number_that_comes_late_is_shown_by_enter(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    for (int i = 0; i < DT_SIGNON_EARLY_POLLS; i++) {
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING);
        assert_int_equal(w.step.until - w.now, DT_SIGNON_EARLY_POLL_INTERVAL);
        world_wait(&w);
    }
    assert_int_equal(w.step.kind, DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "press Enter here to see its number"));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_answer(&w, ""), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "Choose the number 42 in Okta Verify"));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_answer(&w, "");
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* The number is shown again, and what was typed is neither Enter nor a guess. */
static void stray(world *w, char const *typed, char const *told)
{
    dt_time until = w->step.until;

    assert_int_equal(world_answer(w, typed), DT_STEP_PROMPT);
    if (strstr(w->step.prompt->note, told) == NULL ||
        strstr(w->step.prompt->text, "Choose the number 42 in Okta Verify") == NULL)
        fail_msg("%s: %s", typed, w->step.prompt->text);
    world_show(w);
    assert_int_equal(w->step.kind, DT_STEP_WAIT);
    assert_true(w->step.until >= until);
}

static void test_text_at_a_push_is_not_enter(void **state)
{
    static char const *const typed[] = {"yes", "12345", "123 456 789"};
    static char const *const once[] = {"mfa", "passcode_attempts", "1", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, once, OKTA_PUSH_NUMBER, &r);
    for (int i = 0; i < DT_SIGNON_STRAY_ANSWERS_MAX; i++)
        stray(&w, typed[i], "That is not a passcode");
    /* Nothing more is said to whoever goes on, and the push may still be approved. */
    assert_int_equal(world_answer(&w, "yes"), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_all_used(&w);
    world_close(&w);
}

/* After text that is not a passcode, a passcode still counts, however it is written. */
static void test_a_passcode_after_text(void **state)
{
    static char const *const once[] = {"mfa", "passcode_attempts", "1", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, once, OKTA_PUSH_NUMBER, &r);
    stray(&w, "What?", "That is not a passcode");
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    assert_int_equal(world_answer(&w, "123 456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_a_passcode_where_none_is_taken(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    world_show(&w);
    stray(&w, "123456", "No passcode can be used here");
    assert_null(
        strstr(w.step.kind == DT_STEP_PROMPT ? w.step.prompt->text : "", "type a passcode"));
    world_close(&w);
}

/* --- how much fits --------------------------------------------------------------------------- */

/* However long the administrator's words are, what has to be done is in the prompt. */
static void longest_prompt(char const *push, char const *wanted)
{
    char text[301];
    char const *extra[] = {
        "device_trust", "check_access_text", text, "mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    world_open(&w, GUIDE, extra);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_push(&w, push);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, text));
    assert_non_null(strstr(w.step.prompt->text, wanted));
    assert_non_null(strstr(w.step.prompt->text, "(or type a passcode): "));
    world_close(&w);
}

static void test_what_has_to_be_done_always_fits(void **state)
{
    (void)state;
    longest_prompt(OKTA_PUSH_NUMBER, "Choose the number 42 in Okta Verify");
    longest_prompt(OKTA_PUSH, "press Enter here to see its number");
}

/* Every prompt, broken into lines as PAM shows it: none is wider than a small screen, and a number is in the
 * first line, with the longest help that an administrator may write. */
static void narrow(char const *push, char const *factors, char const *answer)
{
    char text[301];
    char const *extra[] = {"device_trust", "check_access_text", text, NULL};
    world w;
    dt_request r;

    memset(text, 0, sizeof(text));
    for (size_t i = 0; i + 1 < sizeof(text); i++)
        text[i] = i % 7 == 6 ? ' ' : 'x';
    text[299] = 'x';
    world_open(&w, GUIDE, extra);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_user_and_factors(&w, factors);
    if (push != NULL)
        world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, push);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT) {
        world_expect(&w, DT_HTTP_GET, "mst1", 200, OKTA_WAITING);
        w.now = w.step.until;
    }
    for (int i = 0; i < 2; i++) {
        dt_prompt p = *w.step.prompt;

        assert_int_equal(w.step.kind, DT_STEP_PROMPT);
        if (push != NULL && strstr(push, "42") != NULL)
            assert_true(strstr(p.text, "number 42") != NULL &&
                        strstr(p.text, "number 42") < p.text + 20);
        assert_true(p.note[0] != '\0');
        dt_text_wrap(p.text);
        dt_text_wrap(p.note);
        for (char const *line = p.text, *end; line != NULL; line = end != NULL ? end + 1 : NULL) {
            end = strchr(line, '\n');
            assert_true((end != NULL ? (size_t)(end - line) : strlen(line)) <= DT_TEXT_COLUMNS + 1);
        }
        for (char const *line = p.note, *end; line != NULL; line = end != NULL ? end + 1 : NULL) {
            end = strchr(line, '\n');
            assert_true((end != NULL ? (size_t)(end - line) : strlen(line)) <= DT_TEXT_COLUMNS);
        }
        world_show(&w);
        if (i == 0)
            assert_int_equal(world_answer(&w, answer), DT_STEP_PROMPT);
    }
    world_close(&w);
}

static void test_every_prompt_fits_a_narrow_screen(void **state)
{
    (void)state;
    narrow(OKTA_PUSH_NUMBER, OKTA_FACTORS_MANY, "what?");
    narrow(OKTA_PUSH_NUMBER, OKTA_FACTORS_PUSH, "what?");
    narrow(NULL, OKTA_FACTORS_TOTP, "what?");
}

static void test_wrapping(void **state)
{
    static char const *const rows[][2] = {
        {"", ""},
        {"short", "short"},
        {"1234567890 1234567890 1234567890 1234567 9",
         "1234567890 1234567890 1234567890 1234567\n9"},
        {"https://example.com/a/very/long/link/that/must/stay/whole now",
         "https://example.com/a/very/long/link/that/must/stay/whole\nnow"},
        {"1234567890 1234567890 1234567890 123456: ", "1234567890 1234567890 1234567890 123456: "},
        /* columns, not bytes */
        {"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 1234567890 1234567890 123456789012 x",
         "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 1234567890 1234567890 123456789012\nx"},
        {"a line\nof its own 1234567890 1234567890 1234567890",
         "a line\nof its own 1234567890 1234567890\n1234567890"},
        /* A drawing stays as it is; what is no drawing breaks beside it. */
        {"\xe2\x96\x88 1234567890 1234567890 1234567890 1234567890",
         "\xe2\x96\x88 1234567890 1234567890 1234567890 1234567890"},
        {"\xe2\x96\x80 1234567890 1234567890 1234567890 123\n12345678 1234567890 1234567890 "
         "1234567890",
         "\xe2\x96\x80 1234567890 1234567890 1234567890 123\n12345678 1234567890 "
         "1234567890\n1234567890"},
        {"\xe2\x96\xa0 1234567890 1234567890 1234567890 1234567890",
         "\xe2\x96\xa0 1234567890 1234567890 1234567890\n1234567890"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[120];

        snprintf(text, sizeof(text), "%s", rows[i][0]);
        dt_text_wrap(text);
        assert_string_equal(text, rows[i][1]);
    }
}

static void test_prompt_and_note_as_one(void **state)
{
    dt_prompt p = {.text = "Choose the number 42 in Okta Verify, then press Enter: "};
    char out[DT_PROMPT_TEXT_MAX];

    (void)state;
    dt_prompt_join(&p, out);
    assert_string_equal(out, p.text);
    snprintf(p.note, sizeof(p.note), "Help.");
    dt_prompt_join(&p, out);
    assert_string_equal(out, "Choose the number 42 in Okta Verify, then press Enter. Help.");
    memset(p.note, 'x', sizeof(p.note) - 1);
    dt_prompt_join(&p, out);
    assert_int_equal(strlen(out), DT_PROMPT_TEXT_MAX - 1);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_challenge_for_a_passcode_survives_saving),
        cmocka_unit_test(test_silent_push_asks_for_no_number),
        cmocka_unit_test(test_number_where_nothing_can_be_shown_is_refused),
        cmocka_unit_test(test_offered_push_is_sent_after_enter),
        cmocka_unit_test(test_offered_push_takes_a_passcode),
        cmocka_unit_test(test_unanswered_offer_sends_no_push),
        cmocka_unit_test(test_nobody_to_ask_sends_no_push),
        cmocka_unit_test(test_offer_survives_saving),
        cmocka_unit_test(test_what_has_to_be_done_always_fits),
        cmocka_unit_test(test_a_number_that_comes_late_is_shown_by_enter),
        cmocka_unit_test(test_a_challenge_shows_the_number),
        cmocka_unit_test(test_no_number_where_none_can_be_shown),
        cmocka_unit_test(test_an_open_prompt_is_not_replaced),
        cmocka_unit_test(test_text_at_a_push_is_not_enter),
        cmocka_unit_test(test_a_passcode_after_text),
        cmocka_unit_test(test_every_prompt_fits_a_narrow_screen),
        cmocka_unit_test(test_wrapping),
        cmocka_unit_test(test_prompt_and_note_as_one),
        cmocka_unit_test(test_a_passcode_where_none_is_taken),
        cmocka_unit_test(test_when_a_challenge_shows_the_push),
    };

    return world_run_tests_twice("signon prompt", tests);
}
