/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the store says of pushes: one for a person at a time, who may join it, and what it leaves behind.
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
#include <stdlib.h>
#include <string.h>

static void second_joins(char const *result, dt_result wanted, dt_cause cause)
{
    world w;
    dt_request r = world_request();
    dt_signon *first = world_machine_new();
    dt_signon *second;
    dt_http_response reply = {.failure = DT_HTTP_OK,
                              .status = 200,
                              .body = dt_bytes_str(result),
                              .error = "",
                              .rate_limit = -1,
                              .rate_remaining = -1,
                              .next_link = ""};
    dt_step step;

    assert_non_null(first);
    r.conversation = DT_CONVERSATION_NONE;
    r.push_key = "ann|198.51.100.1|192.0.2.7";
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    dt_signon_copy(first, w.machine);
    /* The same person again, by another packet: no second POST is expected, so none may come. */
    r.id = "ffffffffffffffffffffffffffffffff";
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    /* The first one gets the answer and leaves it for the second. */
    second = w.machine;
    w.machine = first;
    dt_signon_next(first, w.now + DT_SECONDS(4), &step);
    assert_int_equal(step.kind, DT_STEP_HTTP);
    dt_signon_http_done(first, &reply, w.now + DT_SECONDS(4));
    world_run(&w);
    assert_int_equal(dt_signon_outcome(first)->result, wanted);
    w.machine = second;
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, wanted, cause);
    free(first);
    world_close(&w);
}

static void test_retransmit_joins_the_push(void **state)
{
    (void)state;
    second_joins(OKTA_SUCCESS, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    second_joins(OKTA_REJECTED, DT_DENY, DT_CAUSE_MFA_REJECTED);
    second_joins(OKTA_TIMEOUT, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    second_joins("{\"factorResult\":\"LOCKED_OUT\"}", DT_DENY, DT_CAUSE_MFA_LOCKED);
}

static void test_an_approved_push_is_not_used_again(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    r.push_key = "ann|nas|station";
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_begin(&w, &r);
    world_run(&w);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    /* A second later a new sign-on asks anew. */
    w.now += DT_SECONDS(1);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    world_close(&w);
}

static void test_a_push_of_another_person_is_not_joined(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    r.push_key = "same key by a mistake of the administrator";
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH);
    world_begin(&w, &r);
    world_run(&w);
    r.user = "bob";
    world_expect(
        &w, DT_HTTP_GET, "/api/v1/users/bob%40example.com", 200,
        "{\"id\":\"00u1\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"bob@example.com\"}}");
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    world_close(&w);
}

/* --- which record may be joined -------------------------------------------------------------- */

enum { STARTING = 1, WAITING, APPROVED, REJECTED, OVER, LOCKED };

/* Puts a push's record under the key that the machine is about to claim or has joined. */
static void put_push(world *w, int state, char const *login, char const *owner, char const *poll,
                     char const *cancel)
{
    world_row *row = world_find(w, DT_TABLE_PUSH, "push:");

    if (!row)
        row = &w->rows[WORLD_ROWS_MAX - 1];
    row->table = DT_TABLE_PUSH;
    if (!row->key[0])
        memcpy(row->key, w->step.store->key, sizeof(row->key));
    row->len = (size_t)snprintf(row->value, sizeof(row->value),
                                "{\"v\":1,\"state\":%d,\"number\":-1,\"at\":%lld,\"login\":\"%s\","
                                "\"owner\":\"%s\",\"share\":\"%s\",\"poll\":\"%s\",\"cancel\":"
                                "\"%s\"}",
                                state, state == REJECTED ? (long long)w->now : 0, login, owner,
                                w->machine->push_key, poll, cancel);
    row->expires = w->now + DT_MINUTES(1);
}

/* A sign-on of ann that is about to claim her push. */
static void run_to_claim(world *w, dt_request *r)
{
    r->conversation = DT_CONVERSATION_NONE;
    r->push_key = "ann|nas|station";
    expect_user_and_factors(w, OKTA_FACTORS);
    world_begin(w, r);
    for (int i = 0; i < 100; i++) {
        dt_signon_next(w->machine, w->now, &w->step);
        if (w->step.kind == DT_STEP_STORE && w->step.store->table == DT_TABLE_PUSH)
            return;
        world_step(w);
    }
    fail_msg("no push was claimed");
}

typedef enum found { JOINS, SENDS, ASKS_NOBODY } found;

/* What of a record lets a sign-on join, what makes it send a push of its own, and what lets it do neither:
 * a push of this person that is not known to be over. */
static void found_record(int state, char const *login, char const *poll, char const *cancel,
                         found wanted)
{
    world w;
    dt_request r = world_request();

    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, state, login, "f", poll, cancel);
    if (wanted == SENDS)
        world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    assert_int_equal(world_run(&w), wanted == ASKS_NOBODY ? DT_STEP_DONE : DT_STEP_WAIT);
    if (wanted == ASKS_NOBODY)
        assert_end(&w, DT_DENY, DT_CAUSE_MFA_PUSH_PENDING);
    world_all_used(&w);
    world_close(&w);
}

static void test_only_ones_own_push_is_joined(void **state)
{
    (void)state;
    found_record(STARTING, "ann@example.com", "", "", JOINS);
    found_record(WAITING, "ann@example.com", TRANSACTION, TRANSACTION, JOINS);
    found_record(WAITING, "ANN@example.com", TRANSACTION, TRANSACTION, JOINS);
    found_record(WAITING, "ann@example.com", "", "", ASKS_NOBODY);
    found_record(WAITING, "ann@example.com", STRANGERS, "", ASKS_NOBODY);
    found_record(WAITING, "ann@example.com", TRANSACTION, STRANGERS, ASKS_NOBODY);
    found_record(WAITING, "ann@example.com", "https://example.okta.com/api/v1/users/me", "",
                 ASKS_NOBODY);
    found_record(STARTING, "bob@example.com", "", "", SENDS);
    found_record(WAITING, "bob@example.com", TRANSACTION, "", SENDS);
    found_record(REJECTED, "bob@example.com", TRANSACTION, "", SENDS);
    found_record(APPROVED, "ann@example.com", TRANSACTION, "", SENDS);
    found_record(OVER, "ann@example.com", "", "", SENDS);
    found_record(LOCKED, "ann@example.com", "", "", SENDS);
}

static void test_a_refusal_of_a_moment_ago_stands(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, REJECTED, "ann@example.com", "f", TRANSACTION, "");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
    world_close(&w);
}

/* What a sign-on that has joined makes of the record that it finds later. */
static void joined_finds(int state, char const *login, char const *owner, char const *poll,
                         dt_result result, dt_cause cause)
{
    world w;
    dt_request r = world_request();

    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, STARTING, "ann@example.com", "f", "", "");
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    put_push(&w, state, login, owner, poll, "");
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_a_joined_push_must_stay_the_same(void **state)
{
    (void)state;
    joined_finds(APPROVED, "ann@example.com", "f", TRANSACTION, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    joined_finds(APPROVED, "ann@example.com", "g", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(APPROVED, "bob@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(APPROVED, "ann@example.com", "f", STRANGERS, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(APPROVED, "ann@example.com", "f", "", DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(WAITING, "ann@example.com", "f", STRANGERS, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(WAITING, "ann@example.com", "f", "", DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(OVER, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(REJECTED, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_REJECTED);
    joined_finds(LOCKED, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_LOCKED);
    joined_finds(LOCKED, "ann@example.com", "g", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(LOCKED + 1, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    joined_finds(0, "ann@example.com", "f", TRANSACTION, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
}

/* The one that claimed it died before it was sent: whoever joined does not wait for ever. */
static void test_a_push_whose_owner_died_ends(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, STARTING, "ann@example.com", "f", "", "");
    world_find(&w, DT_TABLE_PUSH, "push:")->expires = DT_TIME_NEVER;
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    while (!dt_signon_is_done(w.machine))
        world_wait(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    assert_int_equal(w.now, WORLD_START + r.wait_limit);
    world_close(&w);
}

/* Whoever knows the password must not ride on the approval that somebody else waits for. */
static void test_another_station_gets_no_push_meanwhile(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    r.push_key = "ann|nas|one";
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    r.push_key = "ann|nas|two";
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->text, "passcode"));
    assert_null(strstr(w.step.prompt->text, "42"));
    world_all_used(&w);
    world_close(&w);
}

/* A second sign-on that comes while the first one's POST is under way sends none of its own. */
static void test_a_push_being_sent_is_joined(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    world_run_to_http(&w, DT_HTTP_POST, "/factors/opf1/verify");
    assert_non_null(strstr(world_find(&w, DT_TABLE_PUSH, "push:")->value, r.id));
    r.id = "ffffffffffffffffffffffffffffffff";
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    world_close(&w);
}

static void test_a_record_too_long_is_not_taken_over(void **state)
{
    world w;
    dt_request r = world_request();
    world_row *row;

    (void)state;
    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, OVER, "", "", "", "");
    row = world_find(&w, DT_TABLE_PUSH, "push:");
    memset(row->value, 'x', DT_SIGNON_RECORD_MAX + 1);
    row->len = DT_SIGNON_RECORD_MAX + 1;
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    world_close(&w);
}

/* A store that always says that somebody was quicker. */
static void test_a_claim_is_not_tried_for_ever(void **state)
{
    static char const over[] =
        "{\"v\":1,\"state\":5,\"number\":-1,\"at\":0,\"login\":\"ann@example.com\","
        "\"owner\":\"f\",\"share\":\"\",\"poll\":\"\",\"cancel\":\"\"}";
    world w;
    dt_request r = world_request();
    int tries = 0;

    (void)state;
    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    while (w.step.kind == DT_STEP_STORE && w.step.store->table == DT_TABLE_PUSH &&
           w.step.store->verb != DT_STORE_PUT) {
        dt_store_result quicker = {.status = DT_STORE_EXISTS, .value = dt_bytes_str(over)};

        assert_true(++tries < 10);
        dt_signon_store_done(w.machine, &quicker, w.now);
        dt_signon_next(w.machine, w.now, &w.step);
    }
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_INTERNAL);
    world_close(&w);
}

/* The record of a push that is over expires just when it is to be taken over. */
static void test_a_record_that_expires_is_claimed_anew(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, OVER, "ann@example.com", "f", "", "");
    world_step(&w);
    dt_signon_next(w.machine, w.now, &w.step);
    assert_int_equal(w.step.store->verb, DT_STORE_REPLACE);
    memset(world_find(&w, DT_TABLE_PUSH, "push:"), 0, sizeof(world_row));
    world_step(&w);
    dt_signon_next(w.machine, w.now, &w.step);
    assert_int_equal(w.step.store->verb, DT_STORE_PUT_IF_ABSENT);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_all_used(&w);
    world_close(&w);
}

/* --- what a push leaves behind --------------------------------------------------------------- */

/* A push that was given up is over for the next sign-on, which sends its own at once. */
static void test_a_push_given_up_is_joined_by_nobody(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        world_open(&w, GUIDE, NULL);
        r.push_key = "ann|nas|station";
        if (sent) {
            expect_push(&w, OKTA_PUSH);
        } else {
            expect_user_and_factors(&w, OKTA_FACTORS);
            world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 429, OKTA_RATE_LIMITED);
        }
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        if (sent)
            world_expect(&w, DT_HTTP_DELETE, "/transactions/mst1", 204, "");
        dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
        world_run(&w);
        assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
        world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        world_all_used(&w);
        world_close(&w);
    }
}

static void test_a_push_that_failed_is_joined_by_nobody(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 500, OKTA_BROKEN);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_non_null(strstr(world_find(&w, DT_TABLE_PUSH, "push:")->value, "\"state\":5"));
    assert_int_equal(dt_signon_outcome(w.machine)->factor, DT_FACTOR_TOTP);
    assert_non_null(strstr(dt_signon_outcome(w.machine)->detail, "Okta: push:"));
    world_close(&w);
}

/* Whoever joined a push and leaves takes nothing away from its owner. */
static void test_a_guest_leaves_the_push_alone(void **state)
{
    world w;
    dt_request r = world_request();
    world_row before;

    (void)state;
    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, WAITING, "ann@example.com", "f", TRANSACTION, TRANSACTION);
    before = *world_find(&w, DT_TABLE_PUSH, "push:");
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_CLIENT_GONE);
    assert_memory_equal(&before, world_find(&w, DT_TABLE_PUSH, "push:"), sizeof(before));
    world_close(&w);
}

static void test_a_guest_whose_store_breaks(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int sent = 0; sent < 2; sent++) {
        world_open(&w, GUIDE, NULL);
        run_to_claim(&w, &r);
        put_push(&w, sent ? WAITING : STARTING, "ann@example.com", "f", sent ? TRANSACTION : "",
                 "");
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        w.limits_broken = true;
        if (sent)
            world_expect(&w, DT_HTTP_GET, "/transactions/t", 200, OKTA_SUCCESS);
        assert_int_equal(world_wait(&w), DT_STEP_DONE);
        if (sent)
            assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        else
            assert_end(&w, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
        world_close(&w);
    }
}

static void test_a_guest_polls_once_the_push_is_sent(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    run_to_claim(&w, &r);
    put_push(&w, STARTING, "ann@example.com", "f", "", "");
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    put_push(&w, WAITING, "ann@example.com", "f", TRANSACTION, "");
    world_expect(&w, DT_HTTP_GET, "/transactions/t", 200, OKTA_SUCCESS);
    assert_int_equal(world_wait(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

static void test_how_long_records_live(void **state)
{
    world w;
    dt_request r;
    world_row *row;

    (void)state;
    world_open(&w, DAILY, NULL);
    r = with_certificate(&w);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_COMPLIANT);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run_to_http(&w, DT_HTTP_POST, "/factors/opf1/verify");
    row = world_find(&w, DT_TABLE_PUSH, "push:");
    assert_int_equal(row->expires, WORLD_START + r.wait_limit + DT_SIGNON_PUSH_RESULT_KEPT);
    world_run(&w);
    assert_int_equal(row->expires, WORLD_START + r.wait_limit + DT_SIGNON_PUSH_RESULT_KEPT);
    assert_non_null(strstr(row->value, r.id));
    world_show(&w);
    assert_int_equal(world_find(&w, DT_TABLE_PUSH_COUNT, "pushes:ann@example.com")->expires,
                     WORLD_START + DT_MINUTES(10));
    assert_int_equal(world_find(&w, DT_TABLE_LOOKUP, "okta-user:")->expires,
                     WORLD_START + DT_HOURS(24));
    assert_int_equal(world_find(&w, DT_TABLE_LOOKUP, WORLD_DEVICE)->expires,
                     WORLD_START + DT_HOURS(24));
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    world_wait(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(row->expires, w.now + DT_SIGNON_PUSH_RESULT_KEPT);
    assert_int_equal(world_find(&w, DT_TABLE_REMEMBERED, "mfa:")->expires,
                     w.now + DT_REMEMBERED_KEPT);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_REMEMBERED);
    assert_int_equal(world_outcome(&w)->factor, DT_FACTOR_PUSH);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_retransmit_joins_the_push),
        cmocka_unit_test(test_an_approved_push_is_not_used_again),
        cmocka_unit_test(test_a_push_of_another_person_is_not_joined),
        cmocka_unit_test(test_only_ones_own_push_is_joined),
        cmocka_unit_test(test_a_refusal_of_a_moment_ago_stands),
        cmocka_unit_test(test_a_joined_push_must_stay_the_same),
        cmocka_unit_test(test_a_push_whose_owner_died_ends),
        cmocka_unit_test(test_a_push_given_up_is_joined_by_nobody),
        cmocka_unit_test(test_a_guest_leaves_the_push_alone),
        cmocka_unit_test(test_a_guest_whose_store_breaks),
        cmocka_unit_test(test_a_record_too_long_is_not_taken_over),
        cmocka_unit_test(test_a_claim_is_not_tried_for_ever),
        cmocka_unit_test(test_another_station_gets_no_push_meanwhile),
        cmocka_unit_test(test_a_push_being_sent_is_joined),
        cmocka_unit_test(test_how_long_records_live),
        cmocka_unit_test(test_a_push_that_failed_is_joined_by_nobody),
        cmocka_unit_test(test_a_guest_polls_once_the_push_is_sent),
        cmocka_unit_test(test_a_record_that_expires_is_claimed_anew),
    };

    return world_run_tests_twice("signon record", tests);
}
