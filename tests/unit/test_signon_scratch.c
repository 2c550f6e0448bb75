/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a machine works in is brought by whoever drives it. Without it nobody is let in, whatever is asked of
 * the machine or fed to it; with it, a machine is small. */
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

#define PASSWORD "korrekt battery staple"

static void a_machine_is_small(void **state)
{
    (void)state;
    assert_true(dt_signon_size() <= (size_t)12 * 1024);
}

/* Each of them can be called, and none lets in. */
static void assert_denied(dt_signon *s, dt_time now)
{
    dt_step step;
    dt_policy_input in;
    dt_buf b;

    dt_signon_next(s, now, &step);
    assert_int_equal(step.kind, DT_STEP_DONE);
    assert_ptr_equal(step.outcome, dt_signon_outcome(s));
    assert_int_equal(step.outcome->result, DT_DENY);
    assert_int_equal(step.outcome->cause, DT_CAUSE_INTERNAL);
    assert_non_null(strstr(step.outcome->detail, "no room to work in"));
    assert_true(dt_signon_is_done(s));
    assert_int_equal(dt_signon_evidence(s)->count, 0);
    assert_null(dt_signon_ocsp_question(s));
    assert_null(dt_signon_ocsp_hint(s));
    dt_signon_policy_input(s, &in, now);
    assert_int_equal(in.trust, DT_TRUST_UNKNOWN);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    dt_signon_explain(s, &b);
    dt_signon_policy_record(s, &b);
    assert_int_equal(b.len, 0);
    assert_int_equal(dt_signon_save(s, &b), DT_E_STATE);
    assert_int_equal(dt_signon_pack(s, &b), DT_E_STATE);
    dt_buf_free(&b);
}

static void a_machine_begun_without_scratch_denies(void **state)
{
    world w;
    dt_request r;
    dt_guid id = {0};
    dt_ocsp_question const q = {.open = true};
    dt_signon *of = world_machine_new();

    (void)state;
    world_open(&w, GUIDE, NULL);
    memcpy(id.text, WORLD_DEVICE, sizeof(id.text));
    for (int i = 0; i < 5; i++) {
        world_machine_spoil(w.machine);
        dt_signon_attach(w.machine, NULL);
        r = with_certificate(&w);
        r.passcode = "123456";
        r.password = i == 1 ? PASSWORD : "";
        if (i < 2)
            dt_signon_begin(w.machine, &w.ruleset, &r, w.now);
        else if (i == 2)
            dt_signon_begin_refresh(w.machine, &w.ruleset, &id, w.now);
        else if (i == 3)
            dt_signon_begin_device_refresh(w.machine, &w.ruleset, of, w.now);
        else
            dt_signon_begin_ocsp(w.machine, &w.ruleset, &q, w.now);
        assert_denied(w.machine, w.now);
    }
    free(of);
    world_close(&w);
}

static void feed(world *w, int which)
{
    dt_http_response const http = {.failure = DT_HTTP_OK,
                                   .status = 200,
                                   .body = dt_bytes_str(OKTA_SUCCESS),
                                   .error = "",
                                   .rate_limit = -1,
                                   .rate_remaining = -1,
                                   .next_link = ""};

    switch (which) {
    case 0:
        dt_signon_http_done(w->machine, &http, w->now);
        break;
    case 1:
        dt_signon_store_done(w->machine, &(dt_store_result){.status = DT_STORE_OK}, w->now);
        break;
    case 2:
        dt_signon_sign_done(w->machine, &w->sign, w->now);
        break;
    case 3:
        dt_signon_agent_done(w->machine, &(dt_agent_result){.text = ""}, w->now);
        break;
    case 4:
        dt_signon_managed_done(w->machine, &w->managed, w->now);
        break;
    case 5:
        dt_signon_answer(w->machine, dt_bytes_str("123456"), w->now);
        break;
    case 6:
        dt_signon_abandon(w->machine, DT_CAUSE_CLIENT_GONE, w->now);
        break;
    default:
        dt_signon_prompt_shown(w->machine, w->now);
        break;
    }
}

/* Takes the scratch away after so many steps of a sign-on by push. False: it has not so many. */
static bool lose_scratch(int steps, int fed)
{
    world w;
    dt_request r = world_request();

    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_SUCCESS);
    world_begin(&w, &r);
    dt_signon_next(w.machine, w.now, &w.step);
    for (int i = 0; i < steps && w.step.kind != DT_STEP_DONE; i++) {
        if (w.step.kind == DT_STEP_PROMPT)
            dt_signon_prompt_shown(w.machine, w.now);
        else if (w.step.kind == DT_STEP_WAIT)
            w.now = w.step.until;
        else
            world_step(&w);
        dt_signon_next(w.machine, w.now, &w.step);
    }
    bool more = w.step.kind != DT_STEP_DONE;
    if (more) {
        dt_signon_attach(w.machine, NULL);
        feed(&w, fed);
        assert_denied(w.machine, w.now);
    }
    world_close(&w);
    return more;
}

static void a_machine_that_loses_its_scratch_denies(void **state)
{
    int steps = 0;

    (void)state;
    for (bool more = true; more; steps += more)
        for (int fed = 0; fed < 8; fed++)
            more = lose_scratch(steps, fed);
    assert_in_range(steps, 10, 40);
}

/* One that was let in before stays so: the outcome is of the machine. */
static void an_outcome_needs_no_scratch(void **state)
{
    world w;
    dt_request r = world_request();
    dt_step step;

    (void)state;
    world_open(&w, GUIDE, NULL);
    world_expect(&w, DT_HTTP_GET, "/users/", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS_TOTP);
    world_expect(&w, DT_HTTP_POST, "/verify", 200, OKTA_SUCCESS);
    r.passcode = "918273";
    w.save_each_step = false; /* a passcode on its way is never saved */
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    dt_signon_attach(w.machine, NULL);
    dt_signon_next(w.machine, w.now, &step);
    assert_int_equal(step.kind, DT_STEP_DONE);
    assert_int_equal(step.outcome->result, DT_ALLOW);
    world_close(&w);
}

static void a_saved_machine_needs_scratch(void **state)
{
    world w;
    dt_request r = world_request();
    dt_buf b;

    (void)state;
    world_open(&w, GUIDE, NULL);
    expect_push(&w, OKTA_PUSH_NUMBER);
    world_begin(&w, &r);
    world_run(&w);
    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w.machine, &b), 0);
    dt_signon_attach(w.machine, NULL);
    assert_int_equal(dt_signon_load(w.machine, &w.ruleset, dt_buf_bytes(&b)), DT_E_STATE);
    assert_true(dt_signon_is_done(w.machine));
    assert_int_equal(dt_signon_outcome(w.machine)->result, DT_DENY);
    dt_buf_free(&b);
    world_close(&w);
}

/* A copy goes on by itself; what is wiped has nothing of the person left, and can be begun anew. */
static void a_copy_is_a_machine_of_its_own(void **state)
{
    world w;
    dt_request r = world_request();
    dt_signon *copy = world_machine_new(), *own;

    (void)state;
    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = "918273";
    r.account = "maximiliane";
    world_open(&w, GUIDE, NULL);
    world_expect(&w, DT_HTTP_GET, "/users/", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS_TOTP);
    world_expect(&w, DT_HTTP_POST, "/verify", 200, OKTA_SUCCESS);
    world_begin(&w, &r);
    dt_signon_copy(copy, w.machine);
    assert_true(world_machine_holds(w.machine, "918273"));
    assert_true(world_machine_holds(w.machine, "maximiliane"));
    dt_signon_wipe(w.machine);
    assert_false(world_machine_holds(w.machine, "918273"));
    assert_false(world_machine_holds(w.machine, "maximiliane"));
    own = w.machine;
    w.machine = copy;
    w.save_each_step = false; /* a passcode on its way is never saved */
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_MFA_SUCCESS);
    w.machine = own;
    free(copy);
    r.passcode = "";
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_MFA_NO_FACTOR);
    world_close(&w);
}

/* --- the packed form ---------------------------------------------------------------------------- */

/* A sign-on in the middle of a push, with evidence about a device. */
static void waiting_push(world *w)
{
    dt_request r;

    world_open(w, GUIDE, NULL);
    r = with_certificate(w);
    world_expect(w, DT_HTTP_GET, "/managedDevices/", 200, GRAPH_NONCOMPLIANT);
    expect_push(w, OKTA_PUSH_NUMBER);
    world_begin(w, &r);
    assert_int_equal(world_run(w), DT_STEP_PROMPT);
}

/* What did not come from dt_signon_pack, or is cut: a machine that denies. Extra bytes are not passed over. */
static void a_packed_machine_must_be_whole(void **state)
{
    world w;
    dt_signon *copy = world_machine_new();
    dt_buf b;

    (void)state;
    waiting_push(&w);
    dt_buf_init(&b, DT_SIGNON_PACKED_MAX);
    assert_int_equal(dt_signon_pack(w.machine, &b), 0);
    assert_in_range(b.len, 500, 4096);
    for (size_t len = 0; len < b.len; len++) {
        assert_int_equal(dt_signon_unpack(copy, dt_bytes_of(b.p, len)), DT_E_PARSE);
        assert_true(dt_signon_is_done(copy));
        assert_int_equal(dt_signon_outcome(copy)->result, DT_DENY);
    }
    assert_int_equal(dt_signon_unpack(copy, dt_buf_bytes(&b)), 0);
    assert_int_equal(copy->phase, w.machine->phase);
    dt_buf_putc(&b, '\0');
    assert_int_equal(dt_signon_unpack(copy, dt_buf_bytes(&b)), DT_E_PARSE);
    dt_buf_free(&b);
    free(copy);
    world_close(&w);
}

static void a_packed_machine_has_room_for_its_parts_only(void **state)
{
    world w;
    dt_signon *copy = world_machine_new();

    (void)state;
    waiting_push(&w);
    for (int i = 0; i < 5; i++) {
        dt_buf b;

        dt_signon_copy(copy, w.machine);
        copy->expected_len = i == 0 ? sizeof(copy->scratch->expected) + 1 : 0;
        copy->groups_len = i == 1 ? sizeof(copy->scratch->groups) + 1 : 0;
        copy->agent.count = i == 2 ? DT_AGENT_IDENTITIES_MAX + 1 : 0;
        copy->agent.blob_len = i == 3 ? DT_AGENT_BLOB_MAX + 1 : 0;
        dt_buf_init(&b, DT_SIGNON_PACKED_MAX);
        assert_int_equal(dt_signon_pack(copy, &b), i < 4 ? DT_E_INVALID : 0);
        dt_buf_free(&b);
    }
    free(copy);
    world_close(&w);
}

/* However full a machine is, its packed form stays below the limit. */
static void the_packed_form_is_bounded(void **state)
{
    dt_signon *full = world_machine_new();
    dt_signon_scratch *scratch = full->scratch;
    dt_buf b;

    (void)state;
    memset(full, 1, dt_signon_size());
    memset(scratch, 1, dt_signon_scratch_size());
    full->scratch = scratch;
    full->expected_len = sizeof(scratch->expected);
    full->groups_len = sizeof(scratch->groups);
    full->agent.count = DT_AGENT_IDENTITIES_MAX;
    full->agent.blob_len = DT_AGENT_BLOB_MAX;
    dt_buf_init(&b, DT_SIGNON_PACKED_MAX);
    assert_int_equal(dt_signon_pack(full, &b), 0);
    assert_true(b.len > dt_signon_size());
    dt_buf_free(&b);
    free(full);
}

/* A secret is kept as long as it is needed, and is gone once it was used. */
static void a_packed_machine_keeps_its_secret_until_it_is_used(void **state)
{
    world w;
    dt_request r = world_request();
    dt_buf b;

    (void)state;
    world_open(&w, GUIDE, NULL);
    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = "918273";
    world_expect(&w, DT_HTTP_GET, "/users/", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/factors", 200, OKTA_FACTORS_TOTP);
    world_expect(&w, DT_HTTP_POST, "/verify", 403, OKTA_WRONG_CODE);
    world_begin(&w, &r);
    dt_buf_init(&b, DT_SIGNON_PACKED_MAX);
    assert_int_equal(dt_signon_pack(w.machine, &b), 0);
    assert_non_null(memmem(b.p, b.len, "918273", 6));
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    world_all_used(&w); /* it was sent, though the machine was packed before each step */
    dt_buf_reset(&b);
    assert_int_equal(dt_signon_pack(w.machine, &b), 0);
    assert_null(memmem(b.p, b.len, "918273", 6));
    dt_buf_free(&b);
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(a_machine_is_small),
        cmocka_unit_test(a_machine_begun_without_scratch_denies),
        cmocka_unit_test(a_machine_that_loses_its_scratch_denies),
        cmocka_unit_test(an_outcome_needs_no_scratch),
        cmocka_unit_test(a_saved_machine_needs_scratch),
        cmocka_unit_test(a_copy_is_a_machine_of_its_own),
        cmocka_unit_test(a_packed_machine_must_be_whole),
        cmocka_unit_test(a_packed_machine_has_room_for_its_parts_only),
        cmocka_unit_test(the_packed_form_is_bounded),
        cmocka_unit_test(a_packed_machine_keeps_its_secret_until_it_is_used),
    };

    return cmocka_run_group_tests_name("signon scratch", tests, NULL, NULL);
}
