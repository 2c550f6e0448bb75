/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What protects one person over all sign-ons: how many passcodes may be wrong, one push at a time, none
 * after one that was denied, one for each SSH connection; and what happens where nobody can count. */
#include "core/signon/signon_internal.h"
#include "signon_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char const POLICY[] =
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"all\",\"priority\":1,"
    "\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\","
    "\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\",\"factors\":[\"push\","
    "\"token:software:totp\"]}}}}]}";
static char const PASSCODE_URL[] = "/factors/ost1/verify";
static char const PUSH_URL[] = "/factors/opf1/verify";

static int64_t counted(world *w, char const *key)
{
    world_row const *row = world_find(w, DT_TABLE_PUSH_COUNT, key);

    return row != NULL ? row->count : 0;
}

/* Runs to where the person's factors are asked for; the user is known from the second time on. */
static dt_step_kind begin(world *w, dt_request const *r, char const *factors)
{
    if (world_find(w, DT_TABLE_LOOKUP, "okta-user:") == NULL)
        world_expect(w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
    world_expect(w, DT_HTTP_GET, "/users/00u1/factors", 200, factors);
    world_begin(w, r);
    return world_run(w);
}

/* --- passcodes ---------------------------------------------------------------------------------- */

/* One sign-on in which one passcode is typed at a prompt that no push is behind. */
static dt_step_kind type_passcode(world *w, char const *code, int status, char const *reply)
{
    dt_request r = world_request();

    assert_int_equal(begin(w, &r, OKTA_FACTORS_TOTP), DT_STEP_PROMPT);
    world_show(w);
    if (reply != NULL)
        world_expect(w, DT_HTTP_POST, PASSCODE_URL, status, reply);
    return world_answer(w, code);
}

static void leave(world *w)
{
    dt_signon_abandon(w->machine, DT_CAUSE_CLIENT_GONE, w->now);
    world_run(w);
}

/* Another one each time: a wrong passcode is not sent again. */
static char const *next_guess(void)
{
    static char code[7];
    static unsigned number;

    snprintf(code, sizeof(code), "%06u", number++ % 100000);
    return code;
}

static void guess_wrong(world *w, int times)
{
    for (int i = 0; i < times; i++) {
        assert_int_equal(type_passcode(w, next_guess(), 403, OKTA_WRONG_CODE), DT_STEP_PROMPT);
        leave(w);
    }
}

static void guesses_count_over_all_sign_ons(void **state)
{
    world w;

    (void)state;
    world_open(&w, POLICY, NULL);
    guess_wrong(&w, 4);
    assert_int_equal(type_passcode(&w, "123456", 0, NULL), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_PASSCODE_LIMIT);
    assert_non_null(strstr(world_outcome(&w)->detail, "forget --limits"));
    assert_non_null(strstr(world_outcome(&w)->message, "push"));
    assert_int_equal(counted(&w, "passcodes:ann@example.com"), 4);
    /* However old they are. */
    w.now += DT_DAYS(400);
    dt_request r = world_request();
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_PASSCODE_LIMIT);
    world_close(&w);
}

static void a_right_passcode_begins_anew(void **state)
{
    world w;

    (void)state;
    world_open(&w, POLICY, NULL);
    guess_wrong(&w, 3);
    assert_int_equal(type_passcode(&w, "123456", 200, OKTA_SUCCESS), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(counted(&w, "passcodes:"), 0);
    guess_wrong(&w, 4);
    assert_int_equal(type_passcode(&w, "123456", 0, NULL), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_PASSCODE_LIMIT);
    world_close(&w);
}

static void a_push_still_works_and_begins_anew(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY, NULL);
    guess_wrong(&w, 4);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, PUSH_URL, 201, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_show(&w);
    /* Typed all the same: Okta is not asked, and the push goes on. */
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "No passcode is accepted"));
    assert_null(strstr(w.step.prompt->text, "type a passcode"));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, ""), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(counted(&w, "passcodes:"), 0);
    assert_int_equal(type_passcode(&w, "123456", 200, OKTA_SUCCESS), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* A hundred at the same time: as many as are left are sent, and not one more. */
static void guesses_at_once_cannot_outrun_the_limit(void **state)
{
    enum { AT_ONCE = 100 };
    world w;
    dt_request r = world_request();
    dt_signon *machines[AT_ONCE], *own;
    int sent = 0;

    (void)state;
    world_open(&w, POLICY, NULL);
    own = w.machine;
    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = "000000";
    for (int i = 0; i < AT_ONCE; i++) {
        w.machine = machines[i] = world_machine_new();
        assert_non_null(w.machine);
        if (i == 0)
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_TOTP);
        world_begin(&w, &r);
        for (;;) { /* until it would send the passcode, or has ended */
            dt_signon_next(w.machine, w.now, &w.step);
            if (w.step.kind == DT_STEP_DONE ||
                (w.step.kind == DT_STEP_HTTP && strstr(w.step.http->url, PASSCODE_URL)))
                break;
            world_step(&w);
        }
        sent += w.step.kind == DT_STEP_HTTP;
        if (w.step.kind == DT_STEP_DONE)
            assert_end(&w, DT_DENY, DT_CAUSE_MFA_PASSCODE_LIMIT);
        w.reply_count = w.reply_at = 0;
    }
    assert_int_equal(sent, 4);
    for (int i = 0; i < AT_ONCE; i++)
        free(machines[i]);
    w.machine = own;
    world_close(&w);
}

/* Each door's way to a passcode. */
static void every_way_of_giving_a_passcode_counts(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    /* With the request, as "password,123456" is. */
    world_open(&w, POLICY, NULL);
    r.conversation = DT_CONVERSATION_NONE;
    for (int i = 0; i < 5; i++) {
        if (i < 4)
            assert_int_equal(counted(&w, "passcodes:"), i);
        if (world_find(&w, DT_TABLE_LOOKUP, "okta-user:") == NULL)
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
        if (i < 4)
            world_expect(&w, DT_HTTP_POST, PASSCODE_URL, 403, OKTA_WRONG_CODE);
        r.passcode = next_guess();
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, i < 4 ? DT_CAUSE_MFA_FAILED : DT_CAUSE_MFA_PASSCODE_LIMIT);
    }
    world_close(&w);
    /* At a challenge, and while a push is pending. */
    for (int push = 0; push < 2; push++) {
        r = world_request();
        r.conversation = DT_CONVERSATION_CHALLENGE;
        r.push_prompt = push;
        world_open(&w, POLICY, NULL);
        if (push) {
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
            world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
            world_expect(&w, DT_HTTP_POST, PUSH_URL, 201, OKTA_PUSH_NUMBER);
            world_begin(&w, &r);
            assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        } else {
            assert_int_equal(begin(&w, &r, OKTA_FACTORS_TOTP), DT_STEP_PROMPT);
        }
        assert_true(w.step.suspend);
        world_show(&w);
        world_save_and_load(&w);
        world_expect(&w, DT_HTTP_POST, PASSCODE_URL, 403, OKTA_WRONG_CODE);
        world_answer(&w, "000000");
        assert_int_equal(counted(&w, "passcodes:"), 1);
        world_close(&w);
    }
}

static void each_authenticator_counts(void **state)
{
    static char const two[] =
        "[{\"id\":\"ost1\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\","
        "\"status\":\"ACTIVE\"},{\"id\":\"ost2\",\"factorType\":\"token:software:totp\","
        "\"provider\":\"GOOGLE\",\"status\":\"ACTIVE\"}]";
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY, NULL);
    r.conversation = DT_CONVERSATION_NONE;
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, two);
        if (i < 2) {
            world_expect(&w, DT_HTTP_POST, PASSCODE_URL, 403, OKTA_WRONG_CODE);
            world_expect(&w, DT_HTTP_POST, "/factors/ost2/verify", 403, OKTA_WRONG_CODE);
        }
        r.passcode = next_guess();
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, i < 2 ? DT_CAUSE_MFA_FAILED : DT_CAUSE_MFA_PASSCODE_LIMIT);
    }
    world_close(&w);
}

/* Okta did not look at it: not counted. It may have: counted. */
static void only_what_okta_may_have_judged_counts(void **state)
{
    static struct {
        int status;
        char const *body;
        int64_t counts;
    } const rows[] = {
        {0, "", 0},     {WORLD_TIMEOUT, "", 1}, {500, "", 1},       {502, "<html>", 1},
        {200, "{}", 1}, {204, "", 1},           {200, "<html>", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;
        dt_request r = world_request();

        world_open(&w, POLICY, NULL);
        r.conversation = DT_CONVERSATION_NONE;
        r.passcode = "000000";
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_TOTP);
        world_expect(&w, DT_HTTP_POST, PASSCODE_URL, rows[i].status, rows[i].body);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        if (counted(&w, "passcodes:") != rows[i].counts)
            fail_msg("%d \"%s\" counts as %d", rows[i].status, rows[i].body,
                     (int)counted(&w, "passcodes:"));
        world_close(&w);
    }
}

static void a_passcode_that_was_rate_limited_is_given_back(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int leaves = 0; leaves < 2; leaves++) {
        world_open(&w, POLICY, NULL);
        r.conversation = DT_CONVERSATION_NONE;
        r.passcode = "000000";
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_TOTP);
        for (int i = 0; i < (leaves ? 1 : 3); i++)
            world_expect(&w, DT_HTTP_POST, PASSCODE_URL, 429, OKTA_RATE_LIMITED);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        assert_int_equal(counted(&w, "passcodes:"), 1);
        if (leaves)
            leave(&w);
        while (!dt_signon_is_done(w.machine))
            world_wait(&w);
        assert_end(&w, DT_DENY, leaves ? DT_CAUSE_CLIENT_GONE : DT_CAUSE_MFA_RATE_LIMITED);
        assert_int_equal(counted(&w, "passcodes:"), 0);
        world_close(&w);
    }
}

/* --- pushes ------------------------------------------------------------------------------------- */

/* A sign-on of ann that sends a push and waits for it without a prompt. */
static void send_push(world *w, dt_request *r, char const *push_key)
{
    r->conversation = DT_CONVERSATION_NONE;
    r->push_key = push_key;
    if (world_find(w, DT_TABLE_LOOKUP, "okta-user:") == NULL)
        world_expect(w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
    world_expect(w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_expect(w, DT_HTTP_POST, PUSH_URL, 201, OKTA_PUSH);
    world_begin(w, r);
    assert_int_equal(world_run(w), DT_STEP_WAIT);
    world_all_used(w);
}

static void end_push(world *w, char const *reply, dt_result result, dt_cause cause)
{
    world_expect(w, DT_HTTP_GET, "/transactions/v2mst1", 200, reply);
    assert_int_equal(world_wait(w), DT_STEP_DONE);
    assert_end(w, result, cause);
}

/* A sign-on that may send none: refused where nothing else is possible, else asked for a passcode. */
static void gets_no_push(world *w, char const *push_key, char const *connection, dt_cause cause)
{
    int64_t pushes = counted(w, "pushes:");
    dt_request r = world_request();

    r.id = "ffffffffffffffffffffffffffffffff";
    r.push_key = push_key;
    r.connection = connection;
    r.conversation = DT_CONVERSATION_NONE;
    world_expect(w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(w, &r);
    assert_int_equal(world_run(w), DT_STEP_DONE);
    assert_end(w, DT_DENY, cause);
    assert_true(world_outcome(w)->message[0] != '\0');
    r.conversation = DT_CONVERSATION_LIVE;
    world_expect(w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(w, &r);
    assert_int_equal(world_run(w), DT_STEP_PROMPT);
    assert_non_null(strstr(w->step.prompt->text, "passcode"));
    world_show(w);
    world_expect(w, DT_HTTP_POST, PASSCODE_URL, 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(w, "123456"), DT_STEP_DONE);
    assert_end(w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_int_equal(counted(w, "pushes:"), pushes); /* what was refused is no push */
}

static void one_push_at_a_time(void **state)
{
    world w;
    dt_request r = world_request();
    dt_signon *waiting, *other;

    (void)state;
    world_open(&w, POLICY, NULL);
    send_push(&w, &r, "vpn|ann|one");
    waiting = w.machine;
    w.machine = other = world_machine_new();
    gets_no_push(&w, "vpn|ann|two", NULL, DT_CAUSE_MFA_PUSH_PENDING);
    gets_no_push(&w, "wifi|ann|one", "connection", DT_CAUSE_MFA_PUSH_PENDING);
    gets_no_push(&w, "", NULL, DT_CAUSE_MFA_PUSH_PENDING);
    /* Another spelling of the login is the same person. */
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    r.user = "ANN";
    r.push_key = "vpn|ANN|one";
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_PUSH_PENDING);
    /* The retransmit joins. */
    r.user = "ann";
    r.push_key = "vpn|ann|one";
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    w.machine = waiting;
    w.step = (dt_step){.kind = DT_STEP_WAIT, .until = w.now + DT_SECONDS(4)};
    end_push(&w, OKTA_SUCCESS, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    /* It is over: the next one may. */
    r.push_key = "vpn|ann|two";
    send_push(&w, &r, "vpn|ann|two");
    free(other);
    world_close(&w);
}

/* Who joined and saw the approval first has used it up. */
static void an_approval_is_used_by_its_own_sign_on_only(void **state)
{
    world w;
    dt_request r = world_request();
    dt_signon *owner, *guest;

    (void)state;
    world_open(&w, POLICY, NULL);
    send_push(&w, &r, "vpn|ann|one");
    owner = w.machine;
    w.machine = guest = world_machine_new();
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    r.id = "ffffffffffffffffffffffffffffffff";
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    end_push(&w, OKTA_SUCCESS, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    assert_non_null(strstr(world_find(&w, DT_TABLE_PUSH, "push:")->value, "\"state\":3"));
    /* The owner is not there any more; a third one of the same sign-on asks anew. */
    send_push(&w, &r, "vpn|ann|one");
    w.machine = owner;
    free(guest);
    world_close(&w);
}

static void a_denied_push_pauses_all(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY, NULL);
    send_push(&w, &r, "vpn|ann|one");
    end_push(&w, OKTA_REJECTED, DT_DENY, DT_CAUSE_MFA_REJECTED);
    /* Its retransmit is denied with it. */
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_REJECTED);
    gets_no_push(&w, "vpn|ann|two", NULL, DT_CAUSE_MFA_PUSH_PAUSED);
    gets_no_push(&w, "", "connection", DT_CAUSE_MFA_PUSH_PAUSED);
    w.now += DT_MINUTES(4);
    gets_no_push(&w, "vpn|ann|one", NULL, DT_CAUSE_MFA_PUSH_PAUSED);
    w.now += DT_MINUTES(1);
    world_find(&w, DT_TABLE_LOOKUP, "okta-user:");
    send_push(&w, &r, "vpn|ann|one");
    world_close(&w);
}

static void no_pause_where_none_is_wanted(void **state)
{
    static char const *const none[] = {"mfa", "push_pause", "0", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY, none);
    send_push(&w, &r, "vpn|ann|one");
    end_push(&w, OKTA_REJECTED, DT_DENY, DT_CAUSE_MFA_REJECTED);
    send_push(&w, &r, "vpn|ann|two");
    world_close(&w);
}

static void one_push_for_each_connection(void **state)
{
    static char const *const no_pause[] = {"mfa", "push_pause", "0", NULL};
    static char const *const ends[] = {OKTA_TIMEOUT, OKTA_REJECTED};
    static dt_cause const causes[] = {DT_CAUSE_MFA_TIMEOUT, DT_CAUSE_MFA_REJECTED};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        world w;
        dt_request r = world_request();

        world_open(&w, POLICY, no_pause);
        r.connection = "boot:17:400";
        send_push(&w, &r, "a");
        end_push(&w, ends[i], DT_DENY, causes[i]);
        gets_no_push(&w, "b", "boot:17:400", DT_CAUSE_MFA_PUSH_SPENT);
        w.now += DT_MINUTES(9);
        gets_no_push(&w, "c", "boot:17:400", DT_CAUSE_MFA_PUSH_SPENT);
        r.connection = "boot:18:401";
        send_push(&w, &r, "d");
        world_close(&w);
    }
}

/* Over and over at the limit: each refusal leaves the number as it is. */
static void what_push_limit_refuses_is_no_push(void **state)
{
    static char const *const one[] = {"mfa", "push_limit", "1", "okta", "user_ttl", "1d", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY, one);
    send_push(&w, &r, "a");
    end_push(&w, OKTA_TIMEOUT, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    for (int i = 0; i < 3; i++)
        gets_no_push(&w, "b", NULL, DT_CAUSE_MFA_PUSH_LIMIT);
    w.now += DT_MINUTES(10);
    send_push(&w, &r, "c");
    world_close(&w);
}

/* Past its deadline a sign-on sends no push: the record that keeps others from sending one may have run out. */
static void no_push_is_sent_after_the_deadline(void **state)
{
    world w;
    dt_request r = world_request();
    bool counted = false;

    (void)state;
    world_open(&w, POLICY, NULL);
    r.conversation = DT_CONVERSATION_LIVE;
    world_expect(&w, DT_HTTP_GET, "/users/", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS_PUSH);
    world_begin(&w, &r);
    for (dt_signon_next(w.machine, w.now, &w.step); w.step.kind != DT_STEP_DONE;
         dt_signon_next(w.machine, w.now, &w.step)) {
        bool push = w.step.kind == DT_STEP_STORE && w.step.store->table == DT_TABLE_PUSH_COUNT &&
                    strncmp(w.step.store->key, "pushes", 6) == 0;
        counted = counted || push;
        if (push)
            w.now += DT_MINUTES(10); /* a step of the clock */
        world_step(&w);
    }
    assert_true(counted);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_MFA_TIMEOUT);
    world_all_used(&w); /* and no push */
    world_close(&w);
}

/* A challenge that waits for its answer keeps its push pending, whether anybody polls or not. */
static void a_challenge_holds_its_push_for_as_long_as_it_lives(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY, NULL);
    r.conversation = DT_CONVERSATION_CHALLENGE;
    r.push_prompt = true;
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, PUSH_URL, 201, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    w.now += DT_MINUTES(5);
    gets_no_push(&w, "vpn|ann|two", NULL, DT_CAUSE_MFA_PUSH_PENDING);
    w.now += DT_MINUTES(1);
    send_push(&w, &r, "vpn|ann|two");
    world_close(&w);
}

/* --- rows that anybody can cause ------------------------------------------------------------------ */

static void devices_that_are_made_up_are_soon_forgotten(void **state)
{
    static char const *const claims[] = {"device_trust", "trusted_when",
                                         "vpn-client+intune, certificate+intune", NULL};
    world w;
    dt_request r;

    (void)state;
    for (int proved = 0; proved < 2; proved++) {
        world_open(&w, POLICY, claims);
        r = world_request();
        r.conversation = DT_CONVERSATION_NONE;
        r.vpn_device_id = proved ? "" : WORLD_DEVICE;
        if (proved) {
            r.certificate = dt_bytes_of(w.leaf, w.leaf_len);
            r.handshake_finished = true;
        }
        world_expect(&w, DT_HTTP_GET, "/managedDevices/", 404, GRAPH_NOT_FOUND);
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
        world_expect(&w, DT_HTTP_POST, PUSH_URL, 201, OKTA_PUSH);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_WAIT);
        assert_int_equal(world_find(&w, DT_TABLE_LOOKUP, WORLD_DEVICE)->expires,
                         w.now + (proved ? DT_HOURS(24) : DT_MINUTES(1)));
        world_close(&w);
    }
}

/* --- where nobody can count ---------------------------------------------------------------------- */

static void what_cannot_be_counted_is_refused(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int passcode = 0; passcode < 2; passcode++) {
        world_open(&w, POLICY, WORLD_OKTA_UNAVAILABLE_ALLOW);
        w.limits_broken = true;
        r.conversation = DT_CONVERSATION_NONE;
        r.connection = "connection";
        r.passcode = passcode ? "123456" : "";
        assert_int_equal(begin(&w, &r, OKTA_FACTORS), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_LIMITS_UNAVAILABLE);
        world_close(&w);
    }
}

/* Whether another push is under way is not known; all else can be counted. */
static void a_claim_that_cannot_be_made_sends_nothing(void **state)
{
    dt_store_result broken = {.status = DT_STORE_ERROR, .error = "disk I/O error"};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, POLICY, NULL);
    r.conversation = DT_CONVERSATION_NONE;
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
    world_begin(&w, &r);
    while (w.machine->phase != DT_PHASE_PUSH_CLAIM) {
        dt_signon_next(w.machine, w.now, &w.step);
        world_step(&w);
    }
    dt_signon_next(w.machine, w.now, &w.step);
    dt_signon_store_done(w.machine, &broken, w.now);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_LIMITS_UNAVAILABLE);
    world_close(&w);
}

/* It expired meanwhile, and somebody else has claimed it: what ends here is not their push. */
static void a_record_that_is_anothers_by_now_is_left_alone(void **state)
{
    world w;
    dt_request r = world_request();
    world_row *row;

    (void)state;
    world_open(&w, POLICY, NULL);
    send_push(&w, &r, "a");
    row = world_find(&w, DT_TABLE_PUSH, "push:");
    row->len = (size_t)snprintf(row->value, sizeof(row->value), "another's");
    end_push(&w, OKTA_TIMEOUT, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    assert_string_equal(row->value, "another's");
    assert_int_equal(row->len, 9);
    /* But a denial is for all. */
    memset(row, 0, sizeof(*row));
    send_push(&w, &r, "b");
    row = world_find(&w, DT_TABLE_PUSH, "push:");
    row->len = (size_t)snprintf(row->value, sizeof(row->value), "another's");
    end_push(&w, OKTA_REJECTED, DT_DENY, DT_CAUSE_MFA_REJECTED);
    gets_no_push(&w, "c", NULL, DT_CAUSE_MFA_PUSH_PAUSED);
    world_close(&w);
}

/* The claim is written, and then nothing more is. */
static void counters_that_break_after_the_claim(void **state)
{
    static dt_phase const at[] = {DT_PHASE_PUSH_CONNECTION, DT_PHASE_SEND_COUNT};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        world w;
        dt_request r = world_request();

        world_open(&w, POLICY, NULL);
        r.conversation = DT_CONVERSATION_NONE;
        r.connection = "connection";
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS);
        world_begin(&w, &r);
        while (w.machine->phase != at[i]) {
            dt_signon_next(w.machine, w.now, &w.step);
            world_step(&w);
        }
        w.limits_broken = true;
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_DENY, DT_CAUSE_LIMITS_UNAVAILABLE);
        world_close(&w);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(guesses_count_over_all_sign_ons),
        cmocka_unit_test(a_right_passcode_begins_anew),
        cmocka_unit_test(a_push_still_works_and_begins_anew),
        cmocka_unit_test(guesses_at_once_cannot_outrun_the_limit),
        cmocka_unit_test(every_way_of_giving_a_passcode_counts),
        cmocka_unit_test(each_authenticator_counts),
        cmocka_unit_test(only_what_okta_may_have_judged_counts),
        cmocka_unit_test(a_passcode_that_was_rate_limited_is_given_back),
        cmocka_unit_test(one_push_at_a_time),
        cmocka_unit_test(an_approval_is_used_by_its_own_sign_on_only),
        cmocka_unit_test(a_denied_push_pauses_all),
        cmocka_unit_test(no_pause_where_none_is_wanted),
        cmocka_unit_test(one_push_for_each_connection),
        cmocka_unit_test(what_push_limit_refuses_is_no_push),
        cmocka_unit_test(no_push_is_sent_after_the_deadline),
        cmocka_unit_test(a_challenge_holds_its_push_for_as_long_as_it_lives),
        cmocka_unit_test(devices_that_are_made_up_are_soon_forgotten),
        cmocka_unit_test(what_cannot_be_counted_is_refused),
        cmocka_unit_test(a_claim_that_cannot_be_made_sends_nothing),
        cmocka_unit_test(a_record_that_is_anothers_by_now_is_left_alone),
        cmocka_unit_test(counters_that_break_after_the_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
