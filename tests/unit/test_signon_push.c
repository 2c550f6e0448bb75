/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A push: how it is sent, waited for, how it ends, and that it is taken back.
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

static void test_push_with_number_approved(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT); /* the number is not there yet: no prompt */
    assert_non_null(strstr(w.last_body, "useNumberMatchingChallenge\":true"));
    assert_int_equal(w.step.until - w.now, DT_SECONDS(1));
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "42"));
    assert_non_null(strstr(w.step.prompt->text, "press Enter"));
    assert_false(w.step.suspend);
    assert_int_equal(world_show(&w), DT_STEP_WAIT);
    assert_true(w.step.prompt_open);
    assert_int_equal(w.step.until - w.now, DT_SECONDS(4));
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, ""), DT_STEP_DONE); /* Enter looks at once */
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(world_outcome(&w)->okta_calls, 3);
    assert_int_equal(world_outcome(&w)->polls, 3);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_PUSH);
    world_close(&w);
}

static void push_ends(int status, char const *reply, dt_result result, dt_cause cause)
{
    world w;
    dt_request r = world_request();

    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", status, reply);
    if (cause == DT_CAUSE_CONFIG) /* the push itself is still there: taken back */
        world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    world_wait(&w);
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_push_denied_timed_out_gone(void **state)
{
    (void)state;
    push_ends(200, OKTA_REJECTED, DT_DENY, DT_CAUSE_MFA_REJECTED);
    push_ends(200, OKTA_TIMEOUT, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    push_ends(200, "{\"factorResult\":\"CANCELLED\"}", DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    push_ends(401, OKTA_INVALID_TOKEN, DT_DENY, DT_CAUSE_CONFIG);
    push_ends(403, "{\"errorCode\":\"E0000006\",\"errorSummary\":\"not yours\"}", DT_DENY,
              DT_CAUSE_CONFIG);
}

/* What else Okta says of a push while it is waited for has a cause of its own. */
static void test_push_ends_for_other_reasons(void **state)
{
    static struct {
        int status;
        char const *reply;
        dt_cause cause;
    } const rows[] = {
        {200, "{\"factorResult\":\"LOCKED_OUT\"}", DT_CAUSE_MFA_LOCKED},
        {200, "{\"status\":\"LOCKED_OUT\"}", DT_CAUSE_MFA_LOCKED},
        {200, "{\"status\":\"LOCKED_OUT\",\"factorResult\":\"WAITING\"}", DT_CAUSE_MFA_LOCKED},
        {200, "{\"status\":\"LOCKED_OUT\",\"factorResult\":\"SUCCESS\"}", DT_CAUSE_MFA_LOCKED},
        {403, "{\"errorCode\":\"E0000069\",\"errorSummary\":\"locked\"}", DT_CAUSE_MFA_LOCKED},
        {403, "{\"errorCode\":\"E0000119\",\"errorSummary\":\"locked\"}", DT_CAUSE_MFA_LOCKED},
        {403, "{\"errorCode\":\"E0000073\",\"errorSummary\":\"no\"}", DT_CAUSE_MFA_REJECTED},
        {403, "{\"errorCode\":\"E0000152\",\"errorSummary\":\"device\"}", DT_CAUSE_OKTA_REFUSED},
        {403, "{\"errorCode\":\"E0000079\",\"errorSummary\":\"state\"}", DT_CAUSE_OKTA_REFUSED},
        {400, "{\"errorCode\":\"E0000001\",\"errorSummary\":\"form\"}", DT_CAUSE_OKTA_REFUSED},
        {403, "", DT_CAUSE_OKTA_REFUSED},
        {404, "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}",
         DT_CAUSE_MFA_NO_FACTOR},
        {410, "{\"errorCode\":\"E0000153\",\"errorSummary\":\"gone\"}", DT_CAUSE_MFA_NO_FACTOR},
        {410, "{\"errorCode\":\"E0000154\",\"errorSummary\":\"gone\"}", DT_CAUSE_MFA_NO_FACTOR},
        {423, "{\"errorCode\":\"E0000155\",\"errorSummary\":\"not active\"}",
         DT_CAUSE_OKTA_REFUSED},
        {423, "{\"errorCode\":\"E0000180\",\"errorSummary\":\"suspended\"}", DT_CAUSE_OKTA_REFUSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        push_ends(rows[i].status, rows[i].reply, DT_DENY, rows[i].cause);
}

static void test_poll_garbage_never_allows(void **state)
{
    static char const *const garbage[] = {OKTA_BROKEN,
                                          "",
                                          "{}",
                                          "[]",
                                          "null",
                                          "\"SUCCESS\"",
                                          "{\"factorResult\":\"success\"}",
                                          "{\"factorResult\":\"SUCCESS \"}",
                                          "{\"factorResult\":[\"SUCCESS\"]}",
                                          "{\"status\":\"SUCCESS\"}",
                                          "{\"factorResult\":\"CHALLENGE\"}",
                                          "{\"factorResult\":\"ERROR\"}",
                                          "{\"factorResult\":null}"};

    (void)state;
    for (size_t g = 0; g < sizeof(garbage) / sizeof(garbage[0]); g++) {
        world w;
        dt_request r = world_request();

        world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
        for (int i = 0; i < 6; i++)
            world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, garbage[g]);
        world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
        for (int i = 0; i < 6; i++)
            world_wait(&w);
        if (!dt_signon_is_done(w.machine))
            fail_msg("%s: still waiting", garbage[g]);
        assert_end(&w, DT_DENY, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
        world_close(&w);
    }
}

static void test_push_nobody_answers_is_cancelled(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    for (int i = 0; i < 13; i++)
        world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    while (!dt_signon_is_done(w.machine))
        world_wait(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    assert_int_equal(w.now - WORLD_START, DT_SECONDS(55));
    world_close(&w);
}

static void test_push_is_never_sent_twice_blindly(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 500, OKTA_BROKEN);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    world_close(&w);
}

static void test_push_that_cannot_be_sent_falls_back_to_a_passcode(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 0, "");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "passcode"));
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* A link that leads to another person's or another factor's transaction is not followed. */
static void test_a_strangers_transaction_is_not_polled(void **state)
{
    static char const *const links[] = {
        "https://example.okta.com/api/v1/users/00u2/factors/opf1/transactions/t",
        "https://example.okta.com/api/v1/users/00u1/factors/opf2/transactions/t",
        "https://example.okta.com/api/v1/users/00u1/factors/opf1/verify",
        "https://example.okta.com.evil.example/api/v1/users/00u1/factors/opf1/transactions/t",
        "http://example.okta.com/api/v1/users/00u1/factors/opf1/transactions/t"};

    (void)state;
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        world w;
        dt_request r = world_request();
        char body[512];

        snprintf(body, sizeof(body),
                 "{\"factorResult\":\"WAITING\",\"_links\":{\"poll\":{\"href\":\"%s\"}}}",
                 links[i]);
        world_open(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
        world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, body);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_OKTA_ANSWER_UNUSABLE);
        world_close(&w);
    }
}

static void test_rate_limit_is_obeyed(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 429, OKTA_RATE_LIMITED);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_true(w.step.until - w.now >= DT_SECONDS(3));
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 429, OKTA_RATE_LIMITED);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    assert_true(w.step.until - w.now >= DT_SECONDS(3));
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_rate_limit_that_does_not_end_refuses(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 429, OKTA_RATE_LIMITED);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_RATE_LIMITED);
    world_close(&w);
}

static void test_push_limit_stops_fatigue(void **state)
{
    static char const *const two[] = {"mfa", "push_limit", "2", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, two);
    for (int i = 0; i < 3; i++) {
        char key[8];

        snprintf(key, sizeof(key), "key%d", i);
        r.push_key = key;
        if (i == 0)
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_PUSH);
        if (i < 2)
            world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
        world_begin(&w, &r);
        world_run(&w);
        if (i < 2) {
            world_show(&w);
            world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
            dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
            world_run(&w);
        }
    }
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_PUSH_LIMIT);
    world_close(&w);
}

static void test_push_limit_holds_for_every_spelling(void **state)
{
    static char const *const one[] = {"mfa", "push_limit", "1", NULL};
    static char const *const spellings[] = {"ann", "ANN", "ann@example.com", "Ann@Example.COM"};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, one);
    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        r.user = r.push_key = spellings[i];
        if (i == 0) /* they are one login */
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_PUSH);
        if (i == 0)
            world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
        world_begin(&w, &r);
        if (world_run(&w) == DT_STEP_PROMPT) {
            world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
            dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
            world_run(&w);
        } else {
            assert_end(&w, DT_DENY, DT_CAUSE_MFA_PUSH_LIMIT);
        }
    }
    world_close(&w);
}

static void test_no_push_at_all_holds_without_a_store(void **state)
{
    static char const *const none[] = {"mfa", "push_limit", "0", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, none);
    w.store_broken = true;
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_PUSH_LIMIT);
    world_close(&w);
}

static void test_a_push_rejected_at_once(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_REJECTED);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
    assert_non_null(strstr(world_find(&w, DT_TABLE_PUSH, "push:")->value, "\"state\":4"));
    world_close(&w);
}

/* --- odd answers ----------------------------------------------------------------------------- */

static void odd_push_reply(int status, char const *body)
{
    world w;
    dt_request r = world_request();

    world_open(&w, GUIDE, WORLD_OKTA_UNAVAILABLE_ALLOW);
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", status, body);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    world_close(&w);
}

static void test_odd_answers_to_a_push_never_allow(void **state)
{
    (void)state;
    odd_push_reply(200, OKTA_SUCCESS);
    odd_push_reply(201, OKTA_SUCCESS);
    odd_push_reply(200, "{\"factorResult\":\"CHALLENGE\"}");
    odd_push_reply(201, "{\"factorResult\":\"WAITING\"}"); /* nothing to poll */
    odd_push_reply(403, "");
    odd_push_reply(403, OKTA_BROKEN);
    odd_push_reply(403, "{\"errorCode\":\"E0000079\",\"errorSummary\":\"no\"}");
    odd_push_reply(400, "{\"errorCode\":\"E0000001\",\"errorSummary\":\"no\"}");
    odd_push_reply(423, "{\"errorCode\":\"E0000155\",\"errorSummary\":\"not active\"}");
    odd_push_reply(404, "{\"errorCode\":\"E0000007\",\"errorSummary\":\"no factor\"}");
    odd_push_reply(401, OKTA_INVALID_TOKEN);
}

/* Words that are no answer are no outage either. */
static void test_odd_polls_never_allow(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, WORLD_OKTA_UNAVAILABLE_ALLOW, OKTA_PUSH_NUMBER, &r);
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, "{\"factorResult\":\"CHALLENGE\"}");
    for (int i = 0; i < DT_SIGNON_POLL_FAILURES_MAX; i++)
        world_expect(&w, DT_HTTP_GET, "/transactions/", 500, "");
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    while (!dt_signon_is_done(w.machine))
        world_wait(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_UNAVAILABLE);
    assert_non_null(strstr(world_outcome(&w)->detail, "Okta: poll:"));
    world_close(&w);
}

static void test_polls_may_fail_now_and_then(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.wait_limit = DT_MINUTES(5);
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < DT_SIGNON_POLL_FAILURES_MAX; k++)
            world_expect(&w, DT_HTTP_GET, "/transactions/", k % 2 ? 500 : 0, "");
        world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_WAITING);
    }
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_SUCCESS);
    while (!dt_signon_is_done(w.machine))
        world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_an_odd_push_reply_leaves_the_passcode(void **state)
{
    static char const stranger[] =
        "{\"factorResult\":\"WAITING\",\"_links\":{\"poll\":{\"href\":\"" TRANSACTION "\"},"
        "\"cancel\":{\"href\":\"" STRANGERS "\"}}}";
    static char const *const bodies[] = {"{\"factorResult\":\"CHALLENGE\"}", OKTA_BROKEN, stranger};

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        world w;
        dt_request r = world_request();

        world_open(&w, GUIDE, NULL);
        expect_push(&w, bodies[i]);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        assert_non_null(strstr(w.step.prompt->text, "Okta Verify passcode"));
        world_all_used(&w);
        world_close(&w);
    }
}

/* A poll's reply without links says what it says. */
static void test_a_poll_without_links_goes_on(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    for (int i = 0; i < DT_SIGNON_POLL_FAILURES_MAX + 2; i++) {
        world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 202,
                     "{\"errorCode\":\"E0000070\",\"errorSummary\":\"waiting\"}");
        assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    }
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 423,
                 "{\"errorCode\":\"E0000180\",\"errorSummary\":\"suspended\"}");
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_REFUSED);
    world_close(&w);
}

/* --- waits that would not end ---------------------------------------------------------------- */

static void test_a_push_cut_short_is_no_outage(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.wait_limit = DT_SECONDS(5);
    world_open(&w, GUIDE, WORLD_OKTA_UNAVAILABLE_ALLOW);
    expect_user_and_factors(&w, OKTA_FACTORS_PUSH);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", WORLD_TIMEOUT, "");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    world_close(&w);
}

static void test_no_push_is_sent_when_the_time_is_over(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    world_begin(&w, &r);
    world_run_to_http(&w, DT_HTTP_GET, "/users/ann");
    world_feed(&w, 200, OKTA_USER);
    world_run_to_http(&w, DT_HTTP_GET, "/factors");
    w.now += r.wait_limit;
    world_feed(&w, 200, OKTA_FACTORS);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    assert_null(world_find(&w, DT_TABLE_PUSH_COUNT, ""));
    world_close(&w);
}

static void test_a_push_is_waited_for_without_its_prompt(void **state)
{
    static char const *const never[] = {"mfa", "number_challenge", "never", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, never);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    dt_signon_set_conversation(w.machine, DT_CONVERSATION_NONE);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_false(w.step.prompt_open);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* Goes on until the machine waits: its push is not answered. Counts the polls. */
static void nobody_answers(world *w, int *polls, int *cancels)
{
    for (;;) {
        dt_signon_next(w->machine, w->now, &w->step);
        if (w->step.kind == DT_STEP_WAIT || w->step.kind == DT_STEP_DONE)
            return;
        if (w->step.kind != DT_STEP_HTTP) {
            world_step(w);
            continue;
        }
        assert_true(w->step.prompt_open == (w->step.http->method != DT_HTTP_DELETE));
        *(w->step.http->method == DT_HTTP_DELETE ? cancels : polls) += 1;
        world_feed(w, 200, OKTA_WAITING);
    }
}

static void test_a_clock_set_back_makes_no_wait_longer(void **state)
{
    world w;
    dt_request r = world_request();
    dt_time set_back;
    int polls = 0, cancels = 0;

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    set_back = w.now -= DT_DAYS(1);
    for (nobody_answers(&w, &polls, &cancels); !dt_signon_is_done(w.machine);) {
        assert_true(w.step.until <= set_back + r.wait_limit);
        w.now = w.step.until;
        nobody_answers(&w, &polls, &cancels);
    }
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    assert_int_equal(cancels, 1);
    world_close(&w);
}

static void test_a_wait_has_its_limit(void **state)
{
    static dt_time const limits[] = {INT64_MAX, DT_DAYS(1), 0, -1, INT64_MIN};
    world w;
    dt_request r = world_request();

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        dt_time most = limits[i] > 0 ? DT_SIGNON_WAIT_MAX : 0;

        r.wait_limit = limits[i];
        world_open(&w, GUIDE, NULL);
        expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        world_run(&w);
        if (w.step.kind == DT_STEP_PROMPT)
            world_show(&w);
        if (most > 0)
            assert_int_equal(w.step.until, w.now + most);
        w.now += most;
        world_run(&w);
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
        world_close(&w);
    }
}

/* --- a push is taken back, whatever went wrong ----------------------------------------------- */

static void test_an_answer_nobody_asked_for_takes_the_push_back(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    assert_non_null(strstr(world_outcome(&w)->detail, "not requested"));
    world_close(&w);
}

static void test_too_many_steps_take_the_push_back(void **state)
{
    world w;
    dt_request r = world_request();
    int polls = 0, cancels = 0;

    (void)state;
    r.wait_limit = DT_SIGNON_WAIT_MAX;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    while (!dt_signon_is_done(w.machine)) {
        w.now = w.step.until;
        nobody_answers(&w, &polls, &cancels);
    }
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    assert_true(polls > DT_SIGNON_STEPS_MAX / 2 && polls <= DT_SIGNON_STEPS_MAX);
    assert_int_equal(cancels, 1);
    world_close(&w);
}

static void test_a_push_without_a_cancel_link_just_ends(void **state)
{
    static char const body[] =
        "{\"factorResult\":\"WAITING\",\"_links\":{\"poll\":{\"href\":\"" TRANSACTION "\"}}}";
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, body);
    world_begin(&w, &r);
    world_run(&w);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_push_with_number_approved),
        cmocka_unit_test(test_push_denied_timed_out_gone),
        cmocka_unit_test(test_push_ends_for_other_reasons),
        cmocka_unit_test(test_poll_garbage_never_allows),
        cmocka_unit_test(test_push_nobody_answers_is_cancelled),
        cmocka_unit_test(test_push_is_never_sent_twice_blindly),
        cmocka_unit_test(test_push_that_cannot_be_sent_falls_back_to_a_passcode),
        cmocka_unit_test(test_a_strangers_transaction_is_not_polled),
        cmocka_unit_test(test_rate_limit_is_obeyed),
        cmocka_unit_test(test_rate_limit_that_does_not_end_refuses),
        cmocka_unit_test(test_push_limit_stops_fatigue),
        cmocka_unit_test(test_odd_answers_to_a_push_never_allow),
        cmocka_unit_test(test_a_push_cut_short_is_no_outage),
        cmocka_unit_test(test_no_push_is_sent_when_the_time_is_over),
        cmocka_unit_test(test_push_limit_holds_for_every_spelling),
        cmocka_unit_test(test_no_push_at_all_holds_without_a_store),
        cmocka_unit_test(test_a_push_is_waited_for_without_its_prompt),
        cmocka_unit_test(test_a_clock_set_back_makes_no_wait_longer),
        cmocka_unit_test(test_a_wait_has_its_limit),
        cmocka_unit_test(test_an_answer_nobody_asked_for_takes_the_push_back),
        cmocka_unit_test(test_too_many_steps_take_the_push_back),
        cmocka_unit_test(test_a_push_without_a_cancel_link_just_ends),
        cmocka_unit_test(test_an_odd_push_reply_leaves_the_passcode),
        cmocka_unit_test(test_a_poll_without_links_goes_on),
        cmocka_unit_test(test_a_push_rejected_at_once),
        cmocka_unit_test(test_odd_polls_never_allow),
        cmocka_unit_test(test_polls_may_fail_now_and_then),
    };

    return world_run_tests_twice("signon push", tests);
}
