/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The budget of requests to Okta, against an org that counts as Okta does, by a clock of the test's own. */
#include "core/okta/okta_budget.h"

#include "core/okta/okta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#define EPOCH INT64_C(1790000000000)
#define SKEW INT64_C(7000000) /* Okta's clock is ahead of ours */
#define PENDING 5000

/* --- the org: one bucket, for us and for browsers --------------------------------------------------- */

typedef struct org {
    int64_t limit, used, refused, ours, most_ours;
    dt_time window; /* that is counted, by its number */
} org;

static dt_http_response org_answer(org *o, dt_time now, bool our)
{
    dt_time okta_now = now + SKEW, window = okta_now / DT_OKTA_WINDOW;
    dt_http_response r = {.failure = DT_HTTP_OK, .error = "", .next_link = "", .status = 200};

    if (window != o->window)
        o->window = window, o->used = o->ours = 0;
    o->used++;
    o->ours += our;
    o->most_ours = o->ours > o->most_ours ? o->ours : o->most_ours;
    if (o->used > o->limit) {
        r.status = 429;
        o->refused++;
    }
    r.rate_limit = o->limit;
    r.rate_remaining = o->used < o->limit ? o->limit - o->used : 0;
    r.rate_reset = (window + 1) * DT_OKTA_WINDOW;
    r.date = okta_now / 1000 * 1000;
    return r;
}

static dt_http_response told(int64_t limit, int64_t left, dt_time reset_in)
{
    return (dt_http_response){.failure = DT_HTTP_OK,
                              .error = "",
                              .next_link = "",
                              .status = 200,
                              .rate_limit = limit,
                              .rate_remaining = left,
                              .date = EPOCH,
                              .rate_reset = EPOCH + reset_in};
}

/* A request of this kind that gets this reply. */
static void ask(dt_okta_budget *b, dt_okta_kind kind, dt_http_response const *r, dt_time now)
{
    dt_okta_budget_sent(b, kind, now);
    dt_okta_budget_ended(b, kind, r, 0, now);
}

/* --- many pushes -------------------------------------------------------------------------------- */

typedef struct crowd {
    dt_time due[PENDING], polled[PENDING], longest;
} crowd;

/* As the driver does it: whoever has been due for longest is polled. */
static void poll_oldest(dt_okta_budget *b, org *o, crowd *c, dt_time now)
{
    while (dt_okta_budget_wait(b, DT_OKTA_KIND_POLL, now) == 0) {
        size_t at = 0;
        for (size_t i = 1; i < PENDING; i++)
            if (c->due[i] < c->due[at])
                at = i;
        if (c->due[at] > now)
            return;
        dt_http_response r = org_answer(o, now, true);
        ask(b, DT_OKTA_KIND_POLL, &r, now);
        if (now - c->polled[at] > c->longest)
            c->longest = now - c->polled[at];
        c->polled[at] = now;
        c->due[at] = now + DT_SECONDS(4);
    }
}

static void crowd_begins(crowd *c, dt_time now)
{
    for (size_t i = 0; i < PENDING; i++) {
        c->polled[i] = now;
        c->due[i] = now + DT_SECONDS(4) + (dt_time)(i % 100);
    }
    c->longest = 0;
}

/* Nobody gets a 429, our share is kept in each window, and nobody waits much longer than the limit makes
 * necessary: everybody once per round. */
static void pending_5000(int64_t limit, int share, int64_t browsers, dt_time longest)
{
    static crowd c;
    dt_okta_budget b;
    org o = {.limit = limit};
    dt_time begin = EPOCH + 12345, end = begin + DT_SECONDS(150);

    dt_okta_budget_init(&b, share);
    crowd_begins(&c, begin);
    for (dt_time now = begin; now < end; now += 10) {
        if ((now - begin) % 60000 < browsers * 10)
            (void)org_answer(&o, now, false);
        poll_oldest(&b, &o, &c, now);
    }
    assert_int_equal(o.refused, 0);
    assert_true(o.most_ours <= limit * share / 100);
    for (size_t i = 0; i < PENDING; i++)
        if (end - c.polled[i] > c.longest)
            c.longest = end - c.polled[i];
    if (c.longest > longest)
        fail_msg("limit %d: a poll waited %d ms", (int)limit, (int)c.longest);
}

static void many_pushes_cause_no_429(void **state)
{
    (void)state;
    pending_5000(200000, 50, 2000, DT_SECONDS(9)); /* enough for all, every 4 s */
    pending_5000(60000, 50, 2000,
                 DT_SECONDS(30)); /* 22,500 polls a minute: each person every 13 s */
    pending_5000(20000, 50, 2000, DT_SECONDS(100)); /* 7,500 a minute: every 40 s */
    pending_5000(600, 50, 250, DT_SECONDS(150));    /* hopeless; and still nobody is refused */
    pending_5000(600, 10, 500, DT_SECONDS(150));
}

/* --- the rules one by one ----------------------------------------------------------------------- */

static void nothing_is_known_at_first(void **state)
{
    (void)state;
    dt_okta_budget b;
    dt_okta_budget_init(&b, 50);
    for (int kind = 0; kind < DT_OKTA_KINDS; kind++)
        assert_int_equal(dt_okta_budget_wait(&b, (dt_okta_kind)kind, EPOCH), 0);
    for (int i = 0; i < DT_OKTA_POLLS_AT_ONCE; i++) {
        assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_POLL, EPOCH), 0);
        dt_okta_budget_sent(&b, DT_OKTA_KIND_POLL, EPOCH);
    }
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_POLL, EPOCH), DT_OKTA_WAIT_DEFAULT);
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_VERIFY, EPOCH), 0);
    dt_okta_budget_ended(&b, DT_OKTA_KIND_POLL, NULL, 0, EPOCH);
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_POLL, EPOCH), 0);
}

static int sent_until_it_waits(dt_okta_budget *b, dt_okta_kind kind, dt_time now)
{
    int count = 0;
    while (count < 100000 && dt_okta_budget_wait(b, kind, now) == 0) {
        dt_okta_budget_sent(b, kind, now);
        dt_okta_budget_ended(b, kind, NULL, 0, now);
        b->next_poll = 0; /* without the even spread */
        count++;
    }
    return count;
}

static void share_is_kept(void **state)
{
    (void)state;
    static struct {
        int share, all, polls;
    } const rows[] = {{50, 300, 225}, {100, 582, 450}, {10, 60, 45}, {1, 6, 4}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_okta_budget b;
        dt_http_response r = told(600, 599, DT_SECONDS(40));
        dt_okta_budget_init(&b, rows[i].share);
        ask(&b, DT_OKTA_KIND_VERIFY, &r, EPOCH);
        assert_in_range(sent_until_it_waits(&b, DT_OKTA_KIND_VERIFY, EPOCH) + 1, rows[i].all - 2,
                        rows[i].all);
        assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_VERIFY, EPOCH), DT_SECONDS(40));
        /* Another bucket is not touched by it; polls leave a quarter of theirs. */
        r = told(500 + 100, 599, DT_SECONDS(30));
        ask(&b, DT_OKTA_KIND_POLL, &r, EPOCH);
        assert_in_range(sent_until_it_waits(&b, DT_OKTA_KIND_POLL, EPOCH) + 1, rows[i].polls - 1,
                        rows[i].polls);
        /* The window ends. */
        assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_VERIFY, EPOCH + DT_SECONDS(40)), 0);
    }
}

static void one_bucket_is_shared_by_kinds(void **state)
{
    (void)state;
    dt_okta_budget b;
    dt_http_response r = told(600, 599, DT_SECONDS(40));
    dt_okta_budget_init(&b, 50);
    for (int i = 0; i < 150; i++) {
        ask(&b, DT_OKTA_KIND_USER, &r, EPOCH);
        ask(&b, DT_OKTA_KIND_VERIFY, &r, EPOCH);
    }
    assert_true(dt_okta_budget_wait(&b, DT_OKTA_KIND_USER, EPOCH) > 0);
    assert_true(dt_okta_budget_wait(&b, DT_OKTA_KIND_VERIFY, EPOCH) > 0);
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_DEVICE, EPOCH), 0);
    ask(&b, DT_OKTA_KIND_POLL, &r, EPOCH);
    assert_true(dt_okta_budget_wait(&b, DT_OKTA_KIND_POLL, EPOCH) > 0);
}

static void others_use_the_org(void **state)
{
    (void)state;
    dt_okta_budget b;
    dt_http_response r = told(600, 15, DT_SECONDS(20));
    dt_okta_budget_init(&b, 50);
    ask(&b, DT_OKTA_KIND_VERIFY, &r, EPOCH);
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_VERIFY, EPOCH), DT_SECONDS(20));
    /* What a late reply says of more left is not believed within the window. */
    r = told(600, 500, DT_SECONDS(20));
    ask(&b, DT_OKTA_KIND_VERIFY, &r, EPOCH + 1);
    assert_true(dt_okta_budget_wait(&b, DT_OKTA_KIND_VERIFY, EPOCH + 1) > 0);
    /* Nor what is said of the window before. */
    r = told(600, 500, DT_SECONDS(-40));
    r.date = r.rate_reset - DT_SECONDS(1);
    ask(&b, DT_OKTA_KIND_VERIFY, &r, EPOCH + 2);
    assert_true(dt_okta_budget_wait(&b, DT_OKTA_KIND_VERIFY, EPOCH + 2) > 0);
    r = told(600, 599, DT_SECONDS(80));
    ask(&b, DT_OKTA_KIND_VERIFY, &r, EPOCH + DT_SECONDS(21));
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_VERIFY, EPOCH + DT_SECONDS(21)), 0);
}

static void polls_are_spread(void **state)
{
    (void)state;
    dt_okta_budget b;
    dt_http_response r = told(800, 799, DT_SECONDS(60));
    dt_time now = EPOCH, end = EPOCH + DT_SECONDS(30);
    int count = 0;
    dt_okta_budget_init(&b, 50);
    ask(&b, DT_OKTA_KIND_POLL, &r, now);
    for (; now < end; now += 10)
        while (dt_okta_budget_wait(&b, DT_OKTA_KIND_POLL, now) == 0) {
            dt_okta_budget_sent(&b, DT_OKTA_KIND_POLL, now);
            dt_okta_budget_ended(&b, DT_OKTA_KIND_POLL, NULL, 0, now);
            count++;
        }
    assert_in_range(count, 130, 160); /* half the window, half of 300 */
}

static void a_refused_poll_stops_all(void **state)
{
    (void)state;
    dt_okta_budget b;
    dt_http_response r = told(600, 0, DT_SECONDS(8));
    dt_okta_budget_init(&b, 50);
    r.status = 429;
    dt_okta_budget_sent(&b, DT_OKTA_KIND_POLL, EPOCH);
    dt_okta_budget_ended(&b, DT_OKTA_KIND_POLL, &r, 1999, EPOCH);
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_POLL, EPOCH), DT_SECONDS(8) + 1999);
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_POLL, EPOCH + DT_SECONDS(10)), 0);
    /* A limit on one person's calls closes nothing for others. */
    ask(&b, DT_OKTA_KIND_AUTHN, &r, EPOCH);
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_AUTHN, EPOCH), 0);
}

static void too_many_at_a_time(void **state)
{
    (void)state;
    dt_okta_budget b;
    dt_http_response r = told(0, 0, DT_SECONDS(40)), fine = told(600, 500, DT_SECONDS(40));
    dt_okta_budget_init(&b, 50);
    r.status = 429;
    ask(&b, DT_OKTA_KIND_POLL, &r, EPOCH);
    assert_int_equal(b.polls_max, DT_OKTA_POLLS_AT_ONCE / 2);
    assert_int_equal(dt_okta_budget_wait(&b, DT_OKTA_KIND_POLL, EPOCH), DT_OKTA_WAIT_DEFAULT);
    for (int i = 0; i < 20; i++)
        ask(&b, DT_OKTA_KIND_POLL, &r, EPOCH);
    assert_int_equal(b.polls_max, 1);
    for (int i = 0; i < 100; i++)
        ask(&b, DT_OKTA_KIND_POLL, &fine, EPOCH + DT_SECONDS(3));
    assert_int_equal(b.polls_max, DT_OKTA_POLLS_AT_ONCE);
}

/* What makes no sense changes nothing, and nothing waits for longer than a minute. */
static void nonsense(void **state)
{
    (void)state;
    static int64_t const numbers[] = {INT64_MIN, -1, 0, 1, 600, 1000000, 1000001, INT64_MAX};
    size_t const n = sizeof(numbers) / sizeof(numbers[0]);
    for (size_t i = 0; i < n * n * n; i++) {
        dt_okta_budget b;
        dt_http_response r = told(numbers[i % n], numbers[i / n % n], 0);
        int64_t reset = numbers[i / n / n % n];
        r.rate_reset = reset > 0 && reset < INT64_MAX ? EPOCH + reset : reset;
        dt_okta_budget_init(&b, 50);
        for (int kind = 0; kind < DT_OKTA_KINDS; kind++) {
            r.status = 200;
            ask(&b, (dt_okta_kind)kind, &r, EPOCH);
            r.status = 429;
            ask(&b, (dt_okta_kind)kind, &r, EPOCH);
            r.failure = DT_HTTP_TIMEOUT;
            ask(&b, (dt_okta_kind)kind, &r, EPOCH);
            r.failure = DT_HTTP_OK;
            assert_in_range(dt_okta_budget_wait(&b, (dt_okta_kind)kind, EPOCH), 0,
                            DT_OKTA_WAIT_MAX + DT_SECONDS(5));
        }
        assert_int_equal(
            dt_okta_budget_wait(&b, DT_OKTA_KIND_POLL, EPOCH + DT_OKTA_WAIT_MAX + DT_SECONDS(10)),
            0);
    }
}

/* Polls at the token endpoint and polls of transactions wait in one line: a bucket of either that is used up, or closed,
 * holds up all, and what is under way of both counts. */
static void polls_of_both_kinds_are_one_line(void **state)
{
    static dt_okta_kind const kinds[] = {DT_OKTA_KIND_POLL, DT_OKTA_KIND_TOKEN_POLL};
    dt_http_response const refused = {.failure = DT_HTTP_OK,
                                      .status = 429,
                                      .rate_limit = 10,
                                      .rate_remaining = 0,
                                      .retry_after = DT_SECONDS(7)};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        dt_okta_budget b;
        dt_okta_budget_init(&b, 100);
        dt_okta_budget_sent(&b, kinds[i], 1000);
        dt_okta_budget_ended(&b, kinds[i], &refused, 0, 1000);
        assert_int_equal(dt_okta_budget_wait(&b, kinds[0], 1000), DT_SECONDS(7));
        assert_int_equal(dt_okta_budget_wait(&b, kinds[1], 1000), DT_SECONDS(7));
        dt_okta_budget_init(&b, 100);
        for (int n = 0; n < DT_OKTA_POLLS_AT_ONCE; n++)
            dt_okta_budget_sent(&b, kinds[n % 2], 100000 + n * 1000);
        assert_int_equal(dt_okta_budget_wait(&b, kinds[i], 200000), DT_OKTA_WAIT_DEFAULT);
    }
}

static void kinds(void **state)
{
    (void)state;
    static struct {
        dt_http_method method;
        char const *path;
        dt_okta_kind kind;
    } const rows[] = {
        {DT_HTTP_GET, "/api/v1/users/a%40b", DT_OKTA_KIND_USER},
        {DT_HTTP_GET, "/api/v1/users/00u1/groups", DT_OKTA_KIND_USER},
        {DT_HTTP_GET, "/api/v1/groups?search=x", DT_OKTA_KIND_USER},
        {DT_HTTP_GET, "/api/v1/users/00u1/factors", DT_OKTA_KIND_USER},
        {DT_HTTP_POST, "/api/v1/users/00u1/factors/opf1/verify", DT_OKTA_KIND_VERIFY},
        {DT_HTTP_GET, "/api/v1/users/00u1/factors/opf1/transactions/t", DT_OKTA_KIND_POLL},
        {DT_HTTP_DELETE, "/api/v1/users/00u1/factors/opf1/transactions/t", DT_OKTA_KIND_VERIFY},
        {DT_HTTP_POST, "/api/v1/authn", DT_OKTA_KIND_AUTHN},
        {DT_HTTP_POST, "/api/v1/authn/cancel", DT_OKTA_KIND_AUTHN},
        {DT_HTTP_GET, "/api/v1/users/00u1/devices", DT_OKTA_KIND_DEVICE},
        {DT_HTTP_GET, "/api/v1/devices/guo1", DT_OKTA_KIND_DEVICE},
        {DT_HTTP_GET, "/api/v1/apps", DT_OKTA_KIND_OTHER},
        {DT_HTTP_POST, "/oauth2/v1/token", DT_OKTA_KIND_TOKEN},
        {DT_HTTP_POST, "/oauth2/v1/challenge", DT_OKTA_KIND_TOKEN},
        {DT_HTTP_POST, "/oauth2/v1/primary-authenticate", DT_OKTA_KIND_TOKEN},
    };
    dt_http_request poll = {.method = DT_HTTP_POST,
                            .url = "https://example.okta.com/oauth2/v1/token",
                            .form = true,
                            .body = "client_id=0oa1&grant_type=x&oob_code=c"};
    assert_int_equal(dt_okta_kind_of(&poll), DT_OKTA_KIND_TOKEN_POLL);
    strcat(poll.body, "&binding_code=1"); /* a code that was typed is checked at once */
    assert_int_equal(dt_okta_kind_of(&poll), DT_OKTA_KIND_TOKEN);
    strcpy(poll.body, "client_id=0oa1&grant_type=x&device_code=c"); /* a sign-in with a browser */
    assert_int_equal(dt_okta_kind_of(&poll), DT_OKTA_KIND_TOKEN_POLL);
    strcpy(poll.url, "https://example.okta.com/oauth2/v1/device/authorize");
    assert_int_equal(dt_okta_kind_of(&poll), DT_OKTA_KIND_TOKEN);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_http_request r = {.method = rows[i].method};
        snprintf(r.url, sizeof(r.url), "https://example.okta.com%s", rows[i].path);
        assert_int_equal(dt_okta_kind_of(&r), rows[i].kind);
    }
}

static void spread(void **state)
{
    (void)state;
    assert_int_equal(dt_okta_spread(0, UINT32_MAX), 0);
    assert_int_equal(dt_okta_spread(2000, 0), 2000);
    for (uint32_t i = 0; i < 3000; i++) {
        assert_in_range(dt_okta_spread(2000, i * 2654435761u), 2000, 2500);
        assert_in_range(dt_okta_spread(DT_SECONDS(60), i * 2654435761u), DT_SECONDS(60),
                        DT_SECONDS(65));
    }
    assert_int_not_equal(dt_okta_spread(2000, 1), dt_okta_spread(2000, 2));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(many_pushes_cause_no_429),
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(share_is_kept),
        cmocka_unit_test(one_bucket_is_shared_by_kinds),
        cmocka_unit_test(others_use_the_org),
        cmocka_unit_test(polls_are_spread),
        cmocka_unit_test(a_refused_poll_stops_all),
        cmocka_unit_test(too_many_at_a_time),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(polls_of_both_kinds_are_one_line),
        cmocka_unit_test(kinds),
        cmocka_unit_test(spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
