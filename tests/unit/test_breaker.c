/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The circuit breaker, by a fake clock: what opens it and what does not, pauses, probes, recovery. */
#include "core/base/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define START 1000000

static dt_breaker_end const refused = {.failure = DT_HTTP_REFUSED, .person = 7};

static dt_breaker_change end(dt_breaker *b, dt_breaker_end e, dt_time now)
{
    return dt_breaker_ended(b, &e, 0, now);
}

static void open_it(dt_breaker *b, dt_time now)
{
    bool probe;

    for (int i = 0; i < DT_BREAKER_FAILURES; i++) {
        assert_true(dt_breaker_admits(b, now, &probe) && !probe);
        assert_int_equal(end(b, refused, now),
                         i + 1 < DT_BREAKER_FAILURES ? DT_BREAKER_SAME : DT_BREAKER_OPENED);
    }
    assert_int_equal(b->state, DT_BREAKER_OPEN);
}

static void what_opens_it(void **state)
{
    dt_http_failure const outages[] = {DT_HTTP_NO_NAME, DT_HTTP_NO_ROUTE, DT_HTTP_REFUSED,
                                       DT_HTTP_RESET,   DT_HTTP_TIMEOUT,  DT_HTTP_PROXY_FAILED};

    (void)state;
    for (size_t i = 0; i < sizeof(outages) / sizeof(outages[0]); i++) {
        dt_breaker b = {0};
        bool probe;

        for (int n = 0; n < DT_BREAKER_FAILURES; n++)
            (void)end(&b, (dt_breaker_end){.failure = outages[i], .person = 7}, START);
        assert_int_equal(b.state, DT_BREAKER_OPEN);
        assert_false(dt_breaker_admits(&b, START, &probe));
    }
}

/* A call that waited long for a connection is tried once, and counts as the tries that are left out. One that was
 * answered too late counts once, as ever. */
static void long_waits_count_more(void **state)
{
    (void)state;
    for (int reached = 0; reached <= 1; reached++) {
        dt_breaker b = {0};
        int calls = 0;

        while (b.state == DT_BREAKER_CLOSED && calls < 2 * DT_BREAKER_FAILURES) {
            calls++;
            (void)end(&b,
                      (dt_breaker_end){.failure = DT_HTTP_TIMEOUT,
                                       .reached = reached == 1,
                                       .long_wait = true,
                                       .person = (uint64_t)calls},
                      START);
        }
        assert_int_equal(calls, reached == 1 ? DT_BREAKER_FAILURES
                                             : DT_BREAKER_FAILURES / DT_BREAKER_LONG_COUNTS + 1);
    }
}

/* Every other failure, and none of them ever. PAUSED is the breaker's own. */
static void what_does_not(void **state)
{
    (void)state;
    for (int f = -1; f <= DT_HTTP_FAILURES; f++) {
        dt_breaker b = {0};
        bool probe;

        if (dt_http_is_unavailable((dt_http_failure)f, 0) && f != DT_HTTP_PAUSED)
            continue;
        for (int n = 0; n < 10 * DT_BREAKER_FAILURES; n++)
            assert_int_equal(
                end(&b, (dt_breaker_end){.failure = (dt_http_failure)f, .person = (uint64_t)n},
                    START),
                DT_BREAKER_SAME);
        assert_int_equal(b.state, DT_BREAKER_CLOSED);
        assert_true(dt_breaker_admits(&b, START, &probe));
    }
}

/* Any answer begins the count anew, also one that cannot be used; what is ours does not. */
static void an_answer_begins_anew(void **state)
{
    dt_http_failure const answers[] = {DT_HTTP_OK, DT_HTTP_BROKEN, DT_HTTP_UNTRUSTED,
                                       DT_HTTP_PROXY_REFUSED};
    dt_http_failure const ours[] = {DT_HTTP_LOCAL, DT_HTTP_QUEUED, DT_HTTP_ABANDONED,
                                    DT_HTTP_NO_CREDENTIALS, DT_HTTP_PAUSED};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        dt_breaker b = {0};

        dt_breaker_end const answered = {.failure = answers[i]};

        for (int n = 0; n < 10 * DT_BREAKER_FAILURES; n++)
            (void)end(&b, n % DT_BREAKER_FAILURES == 0 ? answered : refused, START);
        assert_int_equal(b.state, DT_BREAKER_CLOSED);
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        dt_breaker b = {0};

        for (int n = 0; n < DT_BREAKER_FAILURES; n++) {
            (void)end(&b, refused, START);
            (void)end(&b, (dt_breaker_end){.failure = ours[i]}, START);
        }
        assert_int_equal(b.state, DT_BREAKER_OPEN);
    }
}

/* One person, whose calls fail after they were sent, however often. */
static void nobody_opens_it_for_others(void **state)
{
    dt_http_failure const after_sending[] = {DT_HTTP_TIMEOUT, DT_HTTP_RESET};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        dt_breaker b = {0};

        for (int n = 0; n < 1000; n++)
            (void)end(&b,
                      (dt_breaker_end){.failure = after_sending[i], .reached = true, .person = 7},
                      START);
        assert_int_equal(b.state, DT_BREAKER_CLOSED);
        for (uint64_t person = 8; person < 7 + DT_BREAKER_FAILURES; person++)
            (void)end(
                &b,
                (dt_breaker_end){.failure = after_sending[i], .reached = true, .person = person},
                START);
        assert_int_equal(b.state, DT_BREAKER_OPEN); /* everybody's do */
    }
}

/* Whoever has little time left learns nothing about the service. */
static void a_short_time_does_not_count(void **state)
{
    dt_breaker b = {0};

    (void)state;
    for (uint64_t n = 0; n < 1000; n++)
        (void)end(&b, (dt_breaker_end){.failure = DT_HTTP_TIMEOUT, .short_time = true, .person = n},
                  START);
    assert_int_equal(b.state, DT_BREAKER_CLOSED);
    for (int n = 0; n < DT_BREAKER_FAILURES; n++) /* refused is refused, in however little time */
        (void)end(&b, (dt_breaker_end){.failure = DT_HTTP_REFUSED, .short_time = true}, START);
    assert_int_equal(b.state, DT_BREAKER_OPEN);
}

static void one_probe_at_a_time(void **state)
{
    dt_breaker b = {0};
    bool probe;

    (void)state;
    open_it(&b, START);
    assert_false(dt_breaker_admits(&b, START + DT_BREAKER_PAUSE_MIN - 1, &probe));
    assert_true(dt_breaker_admits(&b, START + DT_BREAKER_PAUSE_MIN, &probe) && probe);
    for (int i = 0; i < 100; i++)
        assert_false(dt_breaker_admits(&b, START + DT_BREAKER_PROBE_MAX, &probe) || probe);
    assert_int_equal(end(&b, (dt_breaker_end){.failure = DT_HTTP_OK, .probe = true}, START),
                     DT_BREAKER_CLOSED_AGAIN);
    assert_true(dt_breaker_admits(&b, START, &probe) && !probe);
    open_it(&b, START); /* and it begins with the shortest pause */
    assert_int_equal(b.pause, DT_BREAKER_PAUSE_MIN);
}

static void pauses_grow_up_to_the_longest(void **state)
{
    dt_breaker b = {0};
    dt_time now = START, last = 0;
    bool probe;

    (void)state;
    open_it(&b, now);
    for (int i = 0; i < 12; i++) {
        assert_true(b.pause >= last && b.pause <= DT_BREAKER_PAUSE_MAX);
        last = b.pause;
        now = b.until;
        assert_true(dt_breaker_admits(&b, now, &probe) && probe);
        assert_int_equal(end(&b, (dt_breaker_end){.failure = DT_HTTP_REFUSED, .probe = true}, now),
                         DT_BREAKER_SAME);
    }
    assert_int_equal(b.pause, DT_BREAKER_PAUSE_MAX);
    assert_true(b.until > now);
}

/* The spread adds a quarter at most, and takes nothing off. */
static void pauses_are_spread(void **state)
{
    (void)state;
    for (uint32_t random = 0; random < 5000; random += 7) {
        dt_breaker b = {0};

        for (int i = 0; i < DT_BREAKER_FAILURES; i++)
            (void)dt_breaker_ended(&b, &refused, random, START);
        assert_true(b.until >= START + DT_BREAKER_PAUSE_MIN);
        assert_true(b.until <= START + DT_BREAKER_PAUSE_MIN + DT_BREAKER_PAUSE_MIN / 4);
    }
}

/* A probe that was given up, or failed by something of ours, lets the next call be it, at once. */
static void a_probe_that_says_nothing(void **state)
{
    dt_breaker b = {0};
    dt_time const later = START + DT_BREAKER_PAUSE_MIN;
    bool probe;

    (void)state;
    open_it(&b, START);
    assert_true(dt_breaker_admits(&b, later, &probe) && probe);
    dt_breaker_dropped(&b, true, later);
    assert_true(dt_breaker_admits(&b, later, &probe) && probe);
    assert_int_equal(end(&b, (dt_breaker_end){.failure = DT_HTTP_QUEUED, .probe = true}, later),
                     DT_BREAKER_SAME);
    assert_true(dt_breaker_admits(&b, later, &probe) && probe);
    dt_breaker_dropped(&b, false, later); /* another call: the probe is still under way */
    assert_false(dt_breaker_admits(&b, later, &probe));
}

/* One that never ends shuts nobody out for good. */
static void a_probe_that_never_ends(void **state)
{
    dt_breaker b = {0};
    dt_time const later = START + DT_BREAKER_PAUSE_MIN;
    bool probe;

    (void)state;
    open_it(&b, START);
    assert_true(dt_breaker_admits(&b, later, &probe) && probe);
    assert_false(dt_breaker_admits(&b, later + DT_BREAKER_PROBE_MAX - 1, &probe));
    assert_true(dt_breaker_admits(&b, later + DT_BREAKER_PROBE_MAX, &probe) && probe);
}

/* Calls that were sent before it opened: a failure changes nothing, an answer closes it. */
static void calls_that_come_late(void **state)
{
    dt_breaker b = {0};
    dt_time until;

    (void)state;
    open_it(&b, START);
    until = b.until;
    for (int i = 0; i < 100; i++)
        assert_int_equal(end(&b, refused, START + 10), DT_BREAKER_SAME);
    assert_int_equal(b.until, until);
    assert_int_equal(end(&b, (dt_breaker_end){.failure = DT_HTTP_OK}, START + 10),
                     DT_BREAKER_CLOSED_AGAIN);
    assert_int_equal(b.state, DT_BREAKER_CLOSED);
}

/* One person's probe that fails after it was sent does not make the others wait longer. */
static void a_probe_of_one_person(void **state)
{
    dt_breaker b = {0};
    dt_time now = START;
    bool probe;

    (void)state;
    open_it(&b, now);
    for (int i = 0; i < 5; i++) {
        now = b.until;
        assert_true(dt_breaker_admits(&b, now, &probe) && probe);
        (void)end(&b,
                  (dt_breaker_end){
                      .failure = DT_HTTP_TIMEOUT, .reached = true, .person = 7, .probe = true},
                  now);
        assert_int_equal(b.pause, DT_BREAKER_PAUSE_MIN);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(what_opens_it),
        cmocka_unit_test(long_waits_count_more),
        cmocka_unit_test(what_does_not),
        cmocka_unit_test(an_answer_begins_anew),
        cmocka_unit_test(nobody_opens_it_for_others),
        cmocka_unit_test(a_short_time_does_not_count),
        cmocka_unit_test(one_probe_at_a_time),
        cmocka_unit_test(pauses_grow_up_to_the_longest),
        cmocka_unit_test(pauses_are_spread),
        cmocka_unit_test(a_probe_that_says_nothing),
        cmocka_unit_test(a_probe_that_never_ends),
        cmocka_unit_test(calls_that_come_late),
        cmocka_unit_test(a_probe_of_one_person),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
