/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Saved machines: what comes back, and what is refused because it could not have come about.
 * Each test runs twice: as it is, and with the machine saved and loaded before every step. */
#include "signon_policies.h"
#include "signon_world.h"

#include "core/signon/signon_internal.h" /* to make saved machines that could not have come about */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void test_a_saved_machine_must_be_whole(void **state)
{
    world w;
    dt_request r = world_request();
    dt_signon *copy = world_machine_new();
    uint8_t *bytes;
    dt_buf b;

    (void)state;
    assert_non_null(copy);
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &b), 0);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(dt_signon_load(copy, &w.ruleset, dt_bytes_of(b.p, len)), DT_E_PARSE);
    bytes = malloc(b.len + 1);
    assert_non_null(bytes);
    memcpy(bytes, b.p, b.len);
    bytes[b.len] = 0;
    assert_int_equal(dt_signon_load(copy, &w.ruleset, dt_bytes_of(bytes, b.len + 1)), DT_E_PARSE);
    /* Any single changed byte: refused, or a machine that has not allowed anything. */
    for (size_t i = 0; i < b.len; i++) {
        bytes[i] ^= 0x01;
        if (dt_signon_load(copy, &w.ruleset, dt_bytes_of(bytes, b.len)) == DT_OK)
            assert_int_not_equal(dt_signon_outcome(copy)->result, DT_ALLOW);
        bytes[i] ^= 0x01;
    }
    free(bytes);
    free(copy);
    dt_buf_free(&b);
    world_close(&w);
}

static void test_a_saved_machine_holds_no_passcode(void **state)
{
    world w;
    dt_request r = world_request();
    dt_buf b;

    (void)state;
    r.passcode = "918273";
    world_open(&w, GUIDE, NULL);
    w.save_each_step = false;
    world_begin(&w, &r);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &b), 0);
    assert_null(memmem(b.p, b.len, "918273", 6));
    dt_buf_free(&b);
    world_close(&w);
}

/* What is saved comes back, to the last field that people or logs see. */
static void test_a_saved_machine_comes_back_whole(void **state)
{
    world w;
    dt_request r;
    dt_signon *before = world_machine_new();
    dt_evidence const *a, *b;

    (void)state;
    assert_non_null(before);
    world_open(&w, GUIDE, NULL);
    r = with_certificate(&w);
    memset(r.random, 0x5a, sizeof(r.random));
    world_expect(&w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    memcpy(before->scratch->evidence.items[0].entra_id.text, "11111111-2222-3333-4444-555555555555",
           37);
    w.machine->scratch->evidence.items[0].entra_id = before->scratch->evidence.items[0].entra_id;
    dt_signon_copy(before, w.machine);
    world_save_and_load(&w);
    assert_int_equal(w.machine->scratch->evidence.count, before->scratch->evidence.count);
    for (size_t i = 0; i < before->scratch->evidence.count; i++) {
        a = &before->scratch->evidence.items[i];
        b = &w.machine->scratch->evidence.items[i];
        assert_string_equal(a->device_id.text, b->device_id.text);
        assert_string_equal(a->entra_id.text, b->entra_id.text);
        assert_string_equal(a->key_id, b->key_id);
        assert_string_equal(a->device_name, b->device_name);
        assert_int_equal(a->source, b->source);
        assert_int_equal(a->finding, b->finding);
        assert_int_equal(a->assurance, b->assurance);
        assert_int_equal(a->reason, b->reason);
        assert_int_equal(a->observed, b->observed);
        assert_int_equal(a->platform, b->platform);
    }
    assert_string_equal(before->outcome.verdict.device_id.text,
                        w.machine->outcome.verdict.device_id.text);
    assert_string_equal(before->outcome.decision.rule, w.machine->outcome.decision.rule);
    assert_string_equal(before->outcome.detail, w.machine->outcome.detail);
    assert_string_equal(before->push.poll_url, w.machine->push.poll_url);
    assert_string_equal(before->push.cancel_url, w.machine->push.cancel_url);
    assert_string_equal(before->push.owner, w.machine->push.owner);
    assert_string_equal(before->prompt.text, w.machine->prompt.text);
    assert_memory_equal(before->random, w.machine->random, sizeof(before->random));
    assert_int_equal(before->deadline, w.machine->deadline);
    assert_int_equal(before->steps, w.machine->steps);
    free(before);
    world_close(&w);
}

/* A passcode that had to be sent twice leaves no trace that makes a loaded machine ask for it. */
static void test_a_machine_saved_after_a_retry_goes_on(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open_at_push(&w, GUIDE, NULL, OKTA_PUSH_NUMBER, &r);
    w.save_each_step = false;
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 429, OKTA_RATE_LIMITED);
    assert_int_equal(world_answer(&w, "123456"), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    world_save_and_load(&w);
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_SUCCESS);
    assert_int_equal(world_answer(&w, ""), DT_STEP_DONE);
    world_save_and_load(&w);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    world_close(&w);
}

/* Saved while a passcode was on its way: it is asked for again, and nothing is sent for it. */
static void test_a_passcode_on_its_way_is_asked_for_again(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    for (int retried = 0; retried < 2; retried++) {
        world_open_at_passcode(&w, GUIDE, NULL, &r);
        dt_signon_answer(w.machine, dt_bytes_str("918273"), w.now);
        world_run_to_http(&w, DT_HTTP_POST, "/factors/ost1/verify");
        if (retried) {
            world_feed(&w, 429, OKTA_RATE_LIMITED);
            assert_int_equal(w.machine->phase, DT_PHASE_RETRY_WAIT);
        }
        world_save_and_load(&w);
        assert_false(world_machine_holds(w.machine, "918273"));
        assert_int_equal(world_run(&w), DT_STEP_PROMPT);
        assert_int_equal(world_show(&w), DT_STEP_WAIT);
        assert_int_equal(w.step.until, WORLD_START + r.wait_limit);
        world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 200, OKTA_SUCCESS);
        assert_int_equal(world_answer(&w, "123456"), DT_STEP_DONE);
        assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
        world_close(&w);
    }
}

static void test_a_machine_loaded_without_its_policy_denies(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_user_and_factors(&w, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    world_run(&w);
    w.ruleset.policy = NULL;
    world_save_and_load(&w);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_CONFIG);
    world_close(&w);
}

/* --- saved machines that make no sense ------------------------------------------------------- */

/* One field each that a machine of its own making would never have so. False past the last. */
static bool spoil_phase(dt_signon *s, int which)
{
    switch (which) {
    case 0:
        s->phase = DT_PHASE_SSH_GET;
        s->ssh_at = s->scratch->ssh.count = DT_SSH_KEYS_MAX;
        return true;
    case 1:
        s->phase = DT_PHASE_POLL_HTTP;
        s->push.poll_url[0] = '\0';
        return true;
    case 2:
        s->phase = DT_PHASE_ANSWER_WAIT;
        s->enrolled_count = 0;
        return true;
    case 3:
        s->phase = DT_PHASE_ANSWER_HTTP;
        s->answer_at = s->enrolled_count;
        return true;
    case 4:
        s->phase = DT_PHASE_RETRY_WAIT;
        s->retry_phase = DT_PHASE_DONE;
        return true;
    case 5:
        s->phase = DT_PHASE_RETRY_WAIT;
        s->retry_phase = DT_PHASE_REMEMBERED_PUT;
        return true;
    case 6:
        s->retry_phase = DT_PHASE_ANSWER_HTTP;
        return true;
    case 7:
        s->phase = DT_PHASE_PUSH_FINISH;
        return true;
    case 8:
        s->phase = DT_PHASE_SEND_HTTP;
        s->in_use = 1; /* an authenticator, for which nothing is sent */
        return true;
    case 9:
        s->phase = DT_PHASE_PUSH_CLAIM;
        s->user_id[0] = '\0';
        return true;
    case 10:
        s->phase = DT_PHASE_COUNT;
        return true;
    case 11:
        s->finishing = true;
        s->phase = DT_PHASE_CANCEL_HTTP;
        s->push.cancel_url[0] = '\0';
        return true;
    case 12:
        s->phase = DT_PHASE_ANSWER_WAIT;
        s->user_id[0] = '\0';
        return true;
    default:
        return false;
    }
}

static bool spoil_end(dt_signon *s, int which)
{
    switch (which) {
    case 0:
        s->finishing = true;
        return true;
    case 1:
        s->final_result = DT_ALLOW;
        s->final_cause = DT_CAUSE_MFA_SUCCESS;
        return true;
    case 2:
        s->outcome.result = DT_ALLOW;
        s->outcome.cause = DT_CAUSE_MFA_SUCCESS;
        return true;
    case 3:
        s->phase = DT_PHASE_DONE;
        s->outcome.result = DT_ALLOW;
        s->outcome.cause = DT_CAUSE_RULE_ALLOW; /* no rule said so */
        return true;
    case 4:
        s->phase = DT_PHASE_DONE;
        s->outcome.result = DT_ALLOW;
        s->outcome.cause = DT_CAUSE_RULE_DENY;
        return true;
    case 5:
        s->outcome.decision.access = DT_ACCESS_DENY;
        return true;
    case 6:
        s->outcome.decision.access = DT_ACCESS_ALLOW;
        return true;
    case 7:
        s->outcome.decision.cause = DT_DECISION_NO_RULE;
        return true;
    case 8:
        s->outcome.decision.cause = DT_DECISION_UNKNOWN_GROUPS;
        return true;
    case 9:
        s->refresh_only = true;
        return true;
    case 10:
        s->mfa_done = true;
        return true;
    case 11:
        s->abandoned = true;
        s->abandon_cause = DT_CAUSE_MFA_SUCCESS;
        return true;
    case 12:
        s->phase = DT_PHASE_LOOKUP_HTTP;
        s->lookup.question = DT_QUESTION_GROUPS;
        s->outcome.decision.cause = DT_DECISION_UNKNOWN_DEVICE;
        return true;
    case 13:
        s->finishing = true;
        s->phase = DT_PHASE_PUSH_FINISH;
        s->final_result = DT_ALLOW;
        s->final_cause = DT_CAUSE_MFA_TIMEOUT;
        return true;
    case 14:
        s->phase = DT_PHASE_DONE;
        s->outcome.result = DT_ALLOW;
        s->outcome.cause = DT_CAUSE_MFA_SUCCESS;
        s->outcome.decision.cause = DT_DECISION_NO_RULE;
        return true;
    case 15:
        s->phase = DT_PHASE_REMEMBERED_GET;
        s->outcome.decision.cause = DT_DECISION_UNKNOWN_GROUPS;
        return true;
    default:
        return false;
    }
}

static bool spoil_number(dt_signon *s, int which)
{
    switch (which) {
    case 0:
        s->deadline = INT64_MAX;
        return true;
    case 1:
        s->until = INT64_MIN;
        return true;
    case 2:
        s->wait_limit = DT_SIGNON_WAIT_MAX + 1;
        return true;
    case 3:
        s->wait_limit = -1;
        return true;
    case 4:
        s->attempts = INT32_MAX;
        return true;
    case 5:
        s->retries = INT32_MAX;
        return true;
    case 6:
        s->poll_failures = INT32_MAX;
        return true;
    case 7:
        s->steps = INT32_MAX;
        return true;
    case 8:
        s->user_fetched = INT64_MAX;
        return true;
    default:
        return false;
    }
}

static bool spoil_fact(dt_signon *s, int which)
{
    switch (which) {
    case 0:
        s->scratch->evidence.count = 1;
        s->scratch->evidence.items[0].source = DT_SOURCE_CERTIFICATE | DT_SOURCE_INTUNE;
        s->scratch->evidence.items[0].finding = DT_FINDING_FOR;
        return true;
    case 1:
        s->scratch->evidence.count = 1;
        s->scratch->evidence.items[0].source = DT_SOURCE_INTUNE;
        s->scratch->evidence.items[0].observed = INT64_MIN;
        return true;
    case 2:
        s->groups_len = 3;
        memcpy(s->scratch->groups, "a\0b", 3);
        s->group_count = 1;
        return true;
    case 3:
        s->groups_len = 2;
        memcpy(s->scratch->groups, "a", 2);
        s->group_count = 2;
        return true;
    case 4:
        memcpy(s->lookup_id.text, "8B1C5D3E-0F4A-4C77-9A53-6A1B2C3D4E5F", 37);
        return true;
    case 5:
        memcpy(s->lookup_id.text, "no GUID", 8);
        return true;
    default:
        return false;
    }
}

static bool (*const spoilers[])(dt_signon *s, int which) = {spoil_phase, spoil_end, spoil_number,
                                                            spoil_fact};

/* What was spoilt is not loaded; a machine as it was is. */
static void load_spoilt(world *w, dt_signon const *copy, bool spoilt)
{
    dt_signon *loaded = world_machine_new();
    dt_buf b;

    assert_non_null(loaded);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(copy, &b), 0);
    assert_int_equal(dt_signon_load(loaded, &w->ruleset, dt_buf_bytes(&b)),
                     spoilt ? DT_E_PARSE : DT_OK);
    if (spoilt) { /* what is left denies */
        assert_true(dt_signon_is_done(loaded));
        assert_int_equal(dt_signon_outcome(loaded)->result, DT_DENY);
        assert_string_equal(loaded->user_id, "");
    }
    dt_buf_free(&b);
    free(loaded);
}

static void test_a_saved_machine_must_make_sense(void **state)
{
    world w;
    dt_request r = world_request();
    dt_signon *copy = world_machine_new();
    int spoilt = 0;

    (void)state;
    assert_non_null(copy);
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    assert_int_equal(w.machine->phase, DT_PHASE_POLL_WAIT);
    for (size_t i = 0; i < sizeof(spoilers) / sizeof(spoilers[0]); i++) {
        bool more = true;

        for (int which = 0; more; which++, spoilt += more) {
            dt_signon_copy(copy, w.machine);
            more = spoilers[i](copy, which);
            load_spoilt(&w, copy, more);
        }
    }
    assert_int_equal(spoilt, 44);
    free(copy);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_a_saved_machine_must_be_whole),
        cmocka_unit_test(test_a_saved_machine_holds_no_passcode),
        cmocka_unit_test(test_a_saved_machine_must_make_sense),
        cmocka_unit_test(test_a_machine_saved_after_a_retry_goes_on),
        cmocka_unit_test(test_a_passcode_on_its_way_is_asked_for_again),
        cmocka_unit_test(test_a_machine_loaded_without_its_policy_denies),
        cmocka_unit_test(test_a_saved_machine_comes_back_whole),
    };

    return world_run_tests_twice("signon save", tests);
}
