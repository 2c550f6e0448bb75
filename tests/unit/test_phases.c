/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of the sign-on's phases: each says everything that its kind of step needs, and nothing else. */
#include "core/signon/signon_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static char const *const names[] = {
#define X(NAME, name) #NAME,
    DT_PHASES(X)
#undef X
};

/* A bit for each way to take a result. */
static unsigned takers(dt_phase_row const *r)
{
    return (r->time_done ? 1u << DT_PHASE_IS_WAIT : 0) |
           (r->store_done ? 1u << DT_PHASE_IS_STORE : 0) |
           (r->http_done ? 1u << DT_PHASE_IS_HTTP : 0) |
           (r->sign_done ? 1u << DT_PHASE_IS_SIGN : 0) |
           (r->managed_done ? 1u << DT_PHASE_IS_MANAGED : 0) |
           (r->agent_done ? 1u << DT_PHASE_IS_AGENT : 0);
}

static void each_takes_the_result_of_its_kind(void **state)
{
    (void)state;
    for (int p = 1; p < DT_PHASE_COUNT; p++) {
        dt_phase_row const *r = dt_phase_row_of((dt_phase)p);

        if (takers(r) != 1u << r->kind)
            fail_msg("%s: of kind %d, takes %#x", names[p], (int)r->kind, takers(r));
    }
}

static void each_makes_its_step(void **state)
{
    (void)state;
    for (int p = 1; p < DT_PHASE_COUNT; p++) {
        dt_phase_row const *r = dt_phase_row_of((dt_phase)p);

        if ((r->render == NULL) != (r->kind == DT_PHASE_IS_WAIT))
            fail_msg("%s: no step is made, or one that nobody asks for", names[p]);
    }
}

static void each_belongs_to_a_part(void **state)
{
    (void)state;
    for (int p = 1; p < DT_PHASE_COUNT; p++) {
        if ((dt_phase_row_of((dt_phase)p)->part == DT_PART_NONE) != (p == DT_PHASE_RETRY_WAIT))
            fail_msg("%s: of no part", names[p]);
    }
}

static void only_requests_are_sent_again(void **state)
{
    (void)state;
    for (int p = 0; p < DT_PHASE_COUNT; p++) {
        dt_phase_row const *r = dt_phase_row_of((dt_phase)p);

        if ((r->retried || r->repeatable) && r->kind != DT_PHASE_IS_HTTP)
            fail_msg("%s: sent again", names[p]);
    }
    /* Each makes a phone ring, or uses up a code or an attempt: sent again only after a 429. */
    assert_false(dt_row_push_http.repeatable);
    assert_false(dt_row_passcode_http.repeatable);
    assert_false(dt_row_password_http.repeatable);
}

static void a_number_that_is_no_phase_is_the_end(void **state)
{
    (void)state;
    assert_ptr_equal(dt_phase_row_of(DT_PHASE_COUNT), &dt_row_done);
    assert_ptr_equal(dt_phase_row_of((dt_phase)-1), &dt_row_done);
    assert_ptr_equal(dt_phase_row_of(DT_PHASE_DONE), &dt_row_done);
    assert_int_equal(takers(&dt_row_done), 0);
    assert_null(dt_row_done.render);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(each_takes_the_result_of_its_kind),
        cmocka_unit_test(each_makes_its_step),
        cmocka_unit_test(each_belongs_to_a_part),
        cmocka_unit_test(only_requests_are_sent_again),
        cmocka_unit_test(a_number_that_is_no_phase_is_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
