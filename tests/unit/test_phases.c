/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of the sign-on's phases, factors and ways: each says everything that it needs, and nothing else. */
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
    assert_false(dt_row_send_http.repeatable);
    assert_false(dt_row_answer_http.repeatable);
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

static dt_factor_type const types[] = {
#define X(NAME, bit, type, provider, app, row) DT_FACTOR_##NAME,
    DT_FACTORS(X)
#undef X
};
#define TYPES (sizeof(types) / sizeof(types[0]))

static void each_factor_has_a_whole_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        dt_factor const *f = dt_factor_row(types[i]);

        assert_non_null(f);
        if ((f->types & types[i]) == 0 || f->most == 0 || f->begin == NULL || f->ask == NULL)
            fail_msg("%s: cannot be begun, or asked for", dt_factor_name(types[i]));
        if ((f->sends != NULL) != (f->request != NULL) || (f->sends != NULL) != (f->sent != NULL) ||
            (f->sends != NULL) != (f->not_sent != NULL))
            fail_msg("%s: what is sent, or what becomes of it", dt_factor_name(types[i]));
        if ((f->polled != NULL) != (f->look != NULL) || (f->polled != NULL) != (f->show != NULL) ||
            (f->polled != NULL) != (f->is_pending != NULL) || (f->polled && f->enter == NULL))
            fail_msg("%s: how it is polled", dt_factor_name(types[i]));
        if ((f->read != NULL) != (f->misread != DT_WORDS_NONE))
            fail_msg("%s: what cannot be an answer", dt_factor_name(types[i]));
        if (f->polled == NULL && f->read == NULL)
            fail_msg("%s: nobody can say yes", dt_factor_name(types[i]));
    }
    assert_null(dt_factor_row(DT_FACTOR_NONE));
}

static void each_factor_has_room_and_a_bit_of_its_own(void **state)
{
    unsigned seen = 0;
    size_t most = 0;

    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        dt_factor const *f = dt_factor_row(types[i]);

        assert_int_equal(seen & types[i], 0);
        most += (seen & f->types) == 0 ? f->most : 0;
        seen |= types[i];
    }
    assert_int_equal(seen, DT_FACTOR_ALL);
    assert_int_equal(seen & (1u << 1), 0); /* a TOTP of records of earlier versions */
    if (most > DT_SIGNON_FACTORS_MAX)
        fail_msg("DT_SIGNON_FACTORS_MAX must be %zu", most);
}

static void every_way_reads_what_it_asks(void **state)
{
    dt_way const *const ways[] = {
#define X(NAME, word, takes_password) &dt_way_##word,
        DT_OKTA_WAYS(X)
#undef X
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        dt_way const *w = ways[i];

        assert_int_equal(w->password != NULL, w->read_password != NULL);
        if (w->send != NULL)
            assert_true(w->read != NULL || w->read_sent != NULL);
        if (w->answer != NULL)
            assert_true(w->read != NULL || w->read_answer != NULL);
        if (w->poll != NULL)
            assert_true(w->read != NULL || w->read_poll != NULL);
        assert_true(w->read == NULL ||
                    (w->read_sent == NULL && w->read_poll == NULL && w->read_answer == NULL));
        assert_int_equal(w->poll != NULL, w->is_ours != NULL);
        assert_int_not_equal(w->factors, 0);
        assert_int_equal(w->factors & ~(unsigned)DT_FACTOR_ALL, 0);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(each_takes_the_result_of_its_kind),
        cmocka_unit_test(each_makes_its_step),
        cmocka_unit_test(each_belongs_to_a_part),
        cmocka_unit_test(only_requests_are_sent_again),
        cmocka_unit_test(a_number_that_is_no_phase_is_the_end),
        cmocka_unit_test(each_factor_has_a_whole_row),
        cmocka_unit_test(each_factor_has_room_and_a_bit_of_its_own),
        cmocka_unit_test(every_way_reads_what_it_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
