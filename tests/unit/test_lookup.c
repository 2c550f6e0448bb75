/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The look-up machine, with a small question of its own and one that it needs: kept answers, requests, pages,
 * retries, limits, and what no saved machine may be in. Each test runs twice, the second time with the machine saved
 * and loaded before each step. Then the rows of all questions. */
#include "core/signon/lookup.h"
#include "core/signon/signon_internal.h"
#include "tests/unit/signon_policies.h"
#include "tests/unit/signon_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rows stand under numbers of others, which nobody asks here. */
#define COLOUR DT_QUESTION_INTUNE
#define LIGHT DT_QUESTION_SERVICE

#define PAGES 3
#define TTL DT_MINUTES(10)
#define STALE_LIMIT DT_HOURS(1)
#define FAILURE_KEPT DT_SECONDS(30)
#define URL "https://colours.example.com/"
#define NEXT URL "next"

/* What the questions say of themselves, and what became of the last look-up. */
static struct {
    bool needs_light, refuses, unkept, keeps_failures, two_lists;
    bool light_again; /* the first reply wants the light asked again */
    int sum;
    dt_time fetched;
    int ended;
    dt_lookup_end end;
    bool kept_failure, endless, failed;
    int light, light_ends;
} colour;

/* --- the questions ------------------------------------------------------------------------------- */

static int colour_key(dt_signon *s)
{
    return dt_signon_store_key(s, "colour", s->who.login);
}

static int colour_failure_key(dt_signon *s)
{
    return colour.keeps_failures ? dt_signon_store_key(s, "colour-failure", "service") : DT_E_STATE;
}

static dt_freshness colour_unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    char text[64] = "", *end;
    dt_time age;

    (void)s;
    if (kept.len >= sizeof(text))
        return DT_TOO_OLD;
    memcpy(text, kept.p, kept.len);
    colour.sum = (int)strtol(text, &end, 10);
    if (end == text || *end != ' ')
        return DT_TOO_OLD;
    colour.fetched = strtoll(end + 1, NULL, 10);
    age = now - colour.fetched;
    return age < 0 || age >= STALE_LIMIT ? DT_TOO_OLD : age < TTL ? DT_FRESH : DT_STALE;
}

static bool colour_is_ageing(dt_signon const *s, dt_time now)
{
    (void)s;
    return (now - colour.fetched) * 100 >= TTL * DT_SIGNON_REFRESH_AT_PERCENT;
}

static dt_question colour_needs(dt_signon *s, dt_lookup_step step, dt_lookup_step *with)
{
    (void)s;
    (void)with;
    return step == DT_LOOKUP_ASK && colour.needs_light ? LIGHT : DT_QUESTION_NONE;
}

static void colour_resume(dt_signon *s, dt_question inner, dt_lookup_end e,
                          dt_lookup_reply const *why, dt_time now)
{
    assert_int_equal(inner, LIGHT);
    colour.light_ends++;
    if (e == DT_LOOKUP_NONE)
        dt_lookup_end_without(s, why, now);
    else
        dt_lookup_go(s, DT_LOOKUP_ASK, now);
}

static bool colour_may_ask(dt_signon *s)
{
    (void)s;
    colour.sum = 0;
    return !colour.refuses;
}

static int make_request(dt_signon *s, char const *what)
{
    dt_http_request *q = &s->scratch->http;

    memset(q, 0, sizeof(*q));
    q->service = DT_HTTP_GRAPH;
    q->method = DT_HTTP_GET;
    q->timeout = DT_SECONDS(2);
    (void)snprintf(q->url, sizeof(q->url), URL "%s", what);
    return dt_signon_page(s, DT_OK);
}

static int colour_request(dt_signon *s)
{
    return make_request(s, s->lookup.part == 0 ? "colour" : "shade");
}

static void read_failure(dt_http_response const *r, dt_lookup_reply *out)
{
    out->no_old = r->failure == DT_HTTP_LOCAL;
    out->again = r->status == 429 || r->status == 503 || r->failure == DT_HTTP_REFUSED;
    out->wait = r->status == 429 ? DT_SECONDS(3) : 0;
    out->keep_failure = colour.keeps_failures && r->failure == DT_HTTP_REFUSED;
    (void)dt_error_set(&out->why, DT_E_UNAVAILABLE, "it is away");
}

/* "NUMBER" or "NUMBER LINK". */
static void colour_read(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    char text[DT_URL_MAX] = "", *end;

    if (r->status == 200 && colour.light_again) {
        colour.light_again = false;
        *out =
            (dt_lookup_reply){.kind = DT_REPLY_INNER, .inner = LIGHT, .inner_step = DT_LOOKUP_ASK};
        return;
    }
    if (r->status != 200 || r->body.len >= sizeof(text)) {
        read_failure(r, out);
        return;
    }
    memcpy(text, r->body.p, r->body.len);
    colour.sum += (int)strtol(text, &end, 10);
    if (end == text)
        return; /* a reply that makes no sense */
    (void)!dt_str_copy(out->next, sizeof(out->next), *end == ' ' ? end + 1 : "");
    colour.fetched = now;
    out->unkept = colour.unkept;
    out->kind = colour.two_lists && out->next[0] == '\0' && s->lookup.part == 0 ? DT_REPLY_PART
                                                                                : DT_REPLY_ANSWER;
}

static int colour_pack(dt_signon *s, dt_buf *out, dt_time now, dt_time *expires)
{
    (void)s;
    *expires = now + STALE_LIMIT;
    dt_buf_printf(out, "%d %lld", colour.sum, (long long)colour.fetched);
    return dt_buf_error(out);
}

static void colour_answered(dt_signon *s, dt_lookup_end e, dt_lookup_reply const *why, dt_time now)
{
    (void)now;
    colour.ended++;
    colour.end = e;
    colour.failed = why != NULL;
    colour.kept_failure = why != NULL && why->kept_failure;
    colour.endless = why != NULL && why->endless;
    dt_signon_fail(s, DT_CAUSE_NONE, NULL);
}

static bool colour_has_fields(dt_signon const *s, dt_lookup_step step)
{
    (void)step;
    return s->who.login[0] != '\0';
}

static dt_question_row colour_row = {
    .service = "Colours",
    .part = DT_PART_EVIDENCE,
    .called = DT_CALLED_GRAPH,
    .inner = DT_QUESTION_BIT(LIGHT),
    .needs = colour_needs,
    .resume = colour_resume,
    .key = colour_key,
    .unpack = colour_unpack,
    .is_ageing = colour_is_ageing,
    .failure_kept = FAILURE_KEPT,
    .may_ask = colour_may_ask,
    .request = colour_request,
    .read = colour_read,
    .pages = PAGES,
    .pack = colour_pack,
    .answered = colour_answered,
    .has_fields = colour_has_fields,
};

static int light_key(dt_signon *s)
{
    return dt_signon_store_key(s, "light", s->who.login);
}

static dt_freshness light_unpack(dt_signon *s, dt_bytes kept, dt_time now)
{
    (void)s;
    (void)now;
    return dt_bytes_equal(kept, dt_bytes_str("on")) ? DT_FRESH : DT_TOO_OLD;
}

static int light_request(dt_signon *s)
{
    return make_request(s, "light");
}

static void light_read(dt_signon *s, dt_http_response const *r, dt_time now, dt_lookup_reply *out)
{
    (void)s;
    (void)now;
    if (r->status == 200) {
        out->kind = DT_REPLY_ANSWER;
        colour.light++;
    } else {
        read_failure(r, out);
    }
}

static int light_pack(dt_signon *s, dt_buf *out, dt_time now, dt_time *expires)
{
    (void)s;
    *expires = now + TTL;
    dt_buf_puts(out, "on");
    return dt_buf_error(out);
}

static dt_question_row const light_row = {
    .service = "Lights",
    .part = DT_PART_EVIDENCE,
    .only_inner = true,
    .key = light_key,
    .unpack = light_unpack,
    .request = light_request,
    .read = light_read,
    .pack = light_pack,
};

static bool only_real_rows;
dt_question_row const *__real_dt_question_row_of(dt_question q);
dt_question_row const *__wrap_dt_question_row_of(dt_question q);

dt_question_row const *__wrap_dt_question_row_of(dt_question q)
{
    if (!only_real_rows && (q == COLOUR || q == LIGHT))
        return q == COLOUR ? &colour_row : &light_row;
    return __real_dt_question_row_of(q);
}

/* --- the look-up ---------------------------------------------------------------------------------- */

static void open_lookups(world *w)
{
    memset(&colour, 0, sizeof(colour));
    colour_row.failure_key = NULL;
    world_open(w, GUIDE, NULL);
}

/* The failure of its service is kept from now on. */
static void keep_failures(void)
{
    colour.keeps_failures = true;
    colour_row.failure_key = colour_failure_key;
}

static void begin(world *w, bool kept)
{
    dt_request r = world_request();

    r.user = "ann";
    world_begin(w, &r);
    colour.ended = 0;
    w->reply_count = w->reply_at = 0;
    if (kept)
        dt_lookup_begin(w->machine, COLOUR, w->now);
    else
        dt_lookup_refresh(w->machine, COLOUR, w->now);
}

static void expect(world *w, char const *what, int status, char const *body)
{
    world_expect(w, DT_HTTP_GET, what, status, body);
}

static void ends(world *w, dt_lookup_end e, int sum)
{
    while (world_run(w) == DT_STEP_WAIT)
        (void)world_wait(w);
    assert_true(dt_signon_is_done(w->machine));
    world_all_used(w);
    assert_int_equal(colour.ended, 1);
    assert_int_equal(colour.end, e);
    if (e != DT_LOOKUP_NONE)
        assert_int_equal(colour.sum, sum);
    assert_int_equal(w->machine->lookup.question, DT_QUESTION_NONE);
    assert_int_equal(w->machine->lookup.outer, DT_QUESTION_NONE);
}

/* Asks once, so that an answer is kept. */
static void fill(world *w)
{
    begin(w, true);
    expect(w, "colour", 200, "7");
    ends(w, DT_LOOKUP_FRESH, 7);
}

static void test_absent_then_fresh(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    fill(&w);
    assert_int_equal(w.machine->outcome.graph_calls, 1);
    begin(&w, true); /* nobody is asked */
    ends(&w, DT_LOOKUP_FRESH, 7);
    assert_false(colour.failed);
    assert_false(dt_lookup_is_ageing(w.machine, COLOUR));
    assert_true(dt_lookup_was_asked(w.machine, COLOUR));
    assert_false(dt_lookup_was_asked(w.machine, LIGHT));
    world_close(&w);
}

/* It is used, and whoever drives the machine is told to refresh it. */
static void test_near_its_end(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    fill(&w);
    w.now += TTL * DT_SIGNON_REFRESH_AT_PERCENT / 100 - 1;
    begin(&w, true);
    ends(&w, DT_LOOKUP_FRESH, 7);
    assert_false(dt_lookup_is_ageing(w.machine, COLOUR));
    w.now++;
    begin(&w, true);
    ends(&w, DT_LOOKUP_FRESH, 7);
    assert_true(dt_lookup_is_ageing(w.machine, COLOUR));
    w.now = WORLD_START + TTL;
    begin(&w, true);
    expect(&w, "colour", 200, "8");
    ends(&w, DT_LOOKUP_FRESH, 8);
    assert_false(dt_lookup_is_ageing(w.machine, COLOUR));
    world_close(&w);
}

/* A refresh does not look at the kept answer, and ends without a word to the subject. */
static void test_refresh(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    fill(&w);
    begin(&w, false);
    expect(&w, "colour", 200, "9");
    ends(&w, DT_LOOKUP_FRESH, 9);
    begin(&w, false);
    w.machine->refresh_only = true;
    expect(&w, "colour", 200, "10");
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_int_equal(colour.ended, 0);
    assert_int_equal(dt_signon_outcome(w.machine)->result, DT_DENY);
    begin(&w, true);
    ends(&w, DT_LOOKUP_FRESH, 10);
    world_close(&w);
}

static void test_stale(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    fill(&w);
    w.now += TTL;
    begin(&w, true); /* once: a person waits, and there is an answer */
    expect(&w, "colour", 503, "");
    ends(&w, DT_LOOKUP_STALE, 0);
    assert_true(colour.failed);
    assert_true(dt_lookup_is_ageing(w.machine, COLOUR));
    assert_non_null(strstr(w.machine->outcome.detail, "Colours: it is away"));
    begin(&w, true);
    expect(&w, "colour", 200, "8"); /* the new one takes its place */
    ends(&w, DT_LOOKUP_FRESH, 8);
    begin(&w, true);
    ends(&w, DT_LOOKUP_FRESH, 8);
    world_close(&w);
}

/* No old answer counts because of a failure of ours, and none that is too old because of anything. */
static void test_stale_does_not_count(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    fill(&w);
    w.now += TTL;
    begin(&w, true);
    world_expect_failure(&w, DT_HTTP_GET, "colour", DT_HTTP_LOCAL);
    ends(&w, DT_LOOKUP_NONE, 0);
    assert_false(dt_lookup_has_stale(w.machine, COLOUR));
    w.now = WORLD_START + STALE_LIMIT;
    begin(&w, true);
    expect(&w, "colour", 404, "");
    ends(&w, DT_LOOKUP_NONE, 0);
    world_close(&w);
}

/* A row that cannot be read, or of the time to come, is none. */
static void test_hostile_rows(void **state)
{
    static char const *const rows[] = {"", "7", "x 1", "7 99999999999999", " ", "7 -"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_row *row;
        world w;

        open_lookups(&w);
        fill(&w);
        row = world_find(&w, DT_TABLE_LOOKUP, "colour:");
        row->len = (size_t)snprintf(row->value, sizeof(row->value), "%s", rows[i]);
        begin(&w, true);
        expect(&w, "colour", 200, "3");
        ends(&w, DT_LOOKUP_FRESH, 3);
        world_close(&w);
    }
}

/* A store that is broken costs requests, and no answer. */
static void test_broken_store(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    w.store_broken = true;
    for (int i = 0; i < 2; i++)
        fill(&w);
    world_close(&w);
}

static void test_hostile_replies(void **state)
{
    static struct {
        int status;
        char const *body;
    } const rows[] = {{200, ""}, {200, "red"}, {204, ""}, {302, "7"}, {401, "7"}, {404, ""}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world w;

        open_lookups(&w);
        begin(&w, true);
        expect(&w, "colour", rows[i].status, rows[i].body);
        ends(&w, DT_LOOKUP_NONE, 0);
        assert_null(world_find(&w, DT_TABLE_LOOKUP, "colour:"));
        world_close(&w);
    }
}

/* --- again ---------------------------------------------------------------------------------------- */

static void test_retries(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    begin(&w, true);
    for (int i = 0; i < DT_SIGNON_RETRIES_MAX; i++)
        expect(&w, "colour", 503, "");
    expect(&w, "colour", 200, "7");
    ends(&w, DT_LOOKUP_FRESH, 7);
    world_find(&w, DT_TABLE_LOOKUP, "colour:")->expires = 0;
    begin(&w, true);
    for (int i = 0; i <= DT_SIGNON_RETRIES_MAX; i++) /* and no more */
        expect(&w, "colour", 503, "");
    ends(&w, DT_LOOKUP_NONE, 0);
    begin(&w, true);
    expect(&w, "colour", WORLD_TIMEOUT, ""); /* the row does not want this one again */
    ends(&w, DT_LOOKUP_NONE, 0);
    world_close(&w);
}

/* Who is offline waits once. */
static void test_no_retry_after_a_long_time(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    for (int n = 0; n < 2; n++) {
        begin(&w, true);
        for (int i = 0; i <= DT_SIGNON_RETRIES_MAX; i++) {
            expect(&w, "colour", i == 0 ? 503 : 0, "");
            w.replies[w.reply_count - 1].took = DT_HTTP_LONG - 1;
        }
        if (n == 1) {
            w.reply_count -= DT_SIGNON_RETRIES_MAX;
            w.replies[w.reply_count - 1].took = DT_HTTP_LONG;
        }
        ends(&w, DT_LOOKUP_NONE, 0);
    }
    begin(&w, true);
    expect(&w, "colour", 429, ""); /* an answer, whenever it came */
    w.replies[w.reply_count - 1].took = DT_HTTP_LONG;
    expect(&w, "colour", 200, "7");
    ends(&w, DT_LOOKUP_FRESH, 7);
    world_close(&w);
}

/* It waits as long as it is told to, and not past the person's time. */
static void test_rate_limit(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    begin(&w, true);
    expect(&w, "colour", 429, "");
    expect(&w, "colour", 200, "7");
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    assert_int_equal(w.machine->phase, DT_PHASE_RETRY_WAIT);
    assert_int_equal(w.step.until, w.now + DT_SECONDS(3));
    ends(&w, DT_LOOKUP_FRESH, 7);
    world_find(&w, DT_TABLE_LOOKUP, "colour:")->expires = 0;
    begin(&w, true);
    w.machine->wait_limit = DT_SECONDS(3);
    w.machine->deadline = w.now + DT_SECONDS(3);
    expect(&w, "colour", 429, "");
    ends(&w, DT_LOOKUP_NONE, 0);
    assert_int_equal(w.now, WORLD_START + DT_SECONDS(3));
    world_close(&w);
}

static void test_kept_failure(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    keep_failures();
    begin(&w, true);
    for (int i = 0; i <= DT_SIGNON_RETRIES_MAX; i++)
        expect(&w, "colour", 0, "");
    ends(&w, DT_LOOKUP_NONE, 0);
    assert_false(colour.kept_failure);
    begin(&w, true); /* it is left alone */
    ends(&w, DT_LOOKUP_NONE, 0);
    assert_true(colour.kept_failure);
    w.now += FAILURE_KEPT;
    begin(&w, true);
    expect(&w, "colour", 503, ""); /* which the row does not keep */
    expect(&w, "colour", 200, "7");
    ends(&w, DT_LOOKUP_FRESH, 7);
    world_close(&w);
}

/* A service that has failed a moment ago is no reason to forget what it said before. */
static void test_kept_failure_and_stale(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    keep_failures();
    fill(&w);
    w.now += TTL;
    begin(&w, true);
    expect(&w, "colour", 0, "");
    ends(&w, DT_LOOKUP_STALE, 0);
    begin(&w, true);
    ends(&w, DT_LOOKUP_STALE, 7);
    assert_true(colour.kept_failure);
    world_close(&w);
}

static void test_may_not_be_asked(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    fill(&w);
    colour.refuses = true;
    begin(&w, true);
    ends(&w, DT_LOOKUP_FRESH, 7);
    w.now += TTL;
    begin(&w, true);
    ends(&w, DT_LOOKUP_STALE, 0);
    assert_false(colour.failed);
    w.now += STALE_LIMIT;
    begin(&w, true);
    ends(&w, DT_LOOKUP_NONE, 0);
    world_close(&w);
}

static void test_unkept(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    colour.unkept = true;
    fill(&w);
    assert_null(world_find(&w, DT_TABLE_LOOKUP, "colour:"));
    world_close(&w);
}

/* --- pages and lists ------------------------------------------------------------------------------ */

static void test_pages(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    begin(&w, true);
    expect(&w, "colour", 200, "1 " NEXT "2");
    expect(&w, NEXT "2", 503, ""); /* the same page once more */
    expect(&w, NEXT "2", 200, "2 " NEXT "3");
    expect(&w, NEXT "3", 200, "4");
    ends(&w, DT_LOOKUP_FRESH, 7);
    world_close(&w);
}

static void test_too_many_pages(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    begin(&w, true);
    for (int i = 0; i < PAGES; i++)
        expect(&w, i == 0 ? "colour" : NEXT, 200, "1 " NEXT);
    ends(&w, DT_LOOKUP_NONE, 0);
    assert_true(colour.endless);
    assert_null(world_find(&w, DT_TABLE_LOOKUP, "colour:"));
    world_close(&w);
}

static void test_a_link_that_does_not_fit(void **state)
{
    char body[2 * DT_SIGNON_LINK_MAX] = "1 " URL;
    world w;

    (void)state;
    memset(body + strlen(body), 'x', DT_SIGNON_LINK_MAX);
    open_lookups(&w);
    begin(&w, true);
    expect(&w, "colour", 200, body);
    ends(&w, DT_LOOKUP_NONE, 0);
    assert_true(colour.endless);
    world_close(&w);
}

/* Each list has its own pages and retries. */
static void test_two_lists(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    colour.two_lists = true;
    begin(&w, true);
    for (int i = 0; i < 2; i++)
        expect(&w, "colour", 503, "");
    expect(&w, "colour", 200, "1 " NEXT "2");
    expect(&w, NEXT "2", 200, "1 " NEXT "3");
    expect(&w, NEXT "3", 200, "1");
    for (int i = 0; i < 2; i++)
        expect(&w, "shade", 503, "");
    expect(&w, "shade", 200, "1 " NEXT "2");
    expect(&w, NEXT "2", 200, "1 " NEXT "3");
    expect(&w, NEXT "3", 200, "1");
    ends(&w, DT_LOOKUP_FRESH, 6);
    world_close(&w);
}

/* --- a question that is needed first --------------------------------------------------------------- */

static void test_inner(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    colour.needs_light = true;
    begin(&w, true);
    for (int i = 0; i < DT_SIGNON_RETRIES_MAX; i++)
        expect(&w, "light", 503, "");
    expect(&w, "light", 200, "");
    for (int i = 0; i < DT_SIGNON_RETRIES_MAX; i++) /* of its own */
        expect(&w, "colour", 503, "");
    expect(&w, "colour", 200, "7");
    ends(&w, DT_LOOKUP_FRESH, 7);
    assert_int_equal(colour.light, 1);
    begin(&w, true); /* kept: the light does not matter */
    ends(&w, DT_LOOKUP_FRESH, 7);
    begin(&w, false); /* the light is kept, too */
    expect(&w, "colour", 200, "8");
    ends(&w, DT_LOOKUP_FRESH, 8);
    assert_int_equal(colour.light, 1);
    world_close(&w);
}

static void test_inner_without_an_answer(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    colour.needs_light = true;
    begin(&w, true);
    expect(&w, "light", 404, "");
    ends(&w, DT_LOOKUP_NONE, 0);
    assert_int_equal(colour.light_ends, 1);
    assert_true(colour.failed);
    world_close(&w);
}

/* The kept answer of the question that waits is one that would do: nobody asks twice for the other. A fault of ours
 * ends it. */
static void test_inner_and_stale(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    fill(&w);
    colour.needs_light = true;
    w.now += TTL;
    begin(&w, true);
    expect(&w, "light", 503, "");
    ends(&w, DT_LOOKUP_STALE, 7);
    begin(&w, true);
    world_expect_failure(&w, DT_HTTP_GET, "light", DT_HTTP_LOCAL);
    ends(&w, DT_LOOKUP_NONE, 0);
    world_close(&w);
}

static void test_inner_again(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    colour.light_again = true;
    begin(&w, true);
    expect(&w, "colour", 200, "1");
    expect(&w, "light", 200, "");
    expect(&w, "colour", 200, "7");
    ends(&w, DT_LOOKUP_FRESH, 7);
    world_close(&w);
}

/* One that the row does not name is a fault of the row's: it denies. */
static void test_inner_that_is_none(void **state)
{
    world w;

    (void)state;
    open_lookups(&w);
    colour_row.inner = 0;
    colour.needs_light = true;
    begin(&w, true);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    colour_row.inner = DT_QUESTION_BIT(LIGHT);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_INTERNAL);
    assert_int_equal(colour.ended, 0);
    world_close(&w);
}

/* --- machines that make no sense ------------------------------------------------------------------- */

/* What was not asked for denies, in each phase. */
static void test_out_of_order(void **state)
{
    dt_store_result const stored = {.status = DT_STORE_OK};
    dt_http_response const reply = {
        .failure = DT_HTTP_OK, .status = 200, .error = "", .next_link = ""};

    (void)state;
    for (int steps = 0; steps < 3; steps++) {
        world w;

        open_lookups(&w);
        begin(&w, true);
        expect(&w, "colour", 200, "7");
        for (int i = 0; i < steps; i++) {
            dt_signon_next(w.machine, w.now, &w.step);
            world_step(&w);
        }
        dt_signon_next(w.machine, w.now, &w.step);
        if (w.step.kind == DT_STEP_HTTP)
            dt_signon_store_done(w.machine, &stored, w.now);
        else
            dt_signon_http_done(w.machine, &reply, w.now);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_INTERNAL);
        assert_int_equal(colour.ended, 0);
        world_close(&w);
    }
}

/* One field each that a machine of its own making would never have so. False past the last. */
static bool mark_unreadable(dt_signon *s, int which)
{
    dt_lookup *l = &s->lookup;

    switch (which) {
    case 1:
        l->question = DT_QUESTION_NONE;
        return true;
    case 2:
        l->question = DT_QUESTION_COUNT;
        return true;
    case 3:
        l->question = LIGHT; /* which nobody asks for its own sake */
        return true;
    case 4:
        l->outer = DT_QUESTION_OCSP; /* which waits for no other */
        return true;
    case 5:
        l->outer = COLOUR; /* for itself */
        return true;
    case 6:
        l->pages = PAGES + 1;
        return true;
    case 7:
        l->part = DT_LOOKUP_PARTS_MAX;
        return true;
    case 8:
        s->phase = DT_PHASE_LOOKUP_FAILURE_GET; /* which the row has not */
        return true;
    case 9:
        s->phase = DT_PHASE_LOOKUP_FAILURE_PUT;
        return true;
    case 10:
        s->phase = DT_PHASE_REMEMBERED_GET; /* in which nothing is looked up */
        return true;
    case 11:
        s->who.login[0] = '\0'; /* of which the key is made */
        return true;
    case 12:
        s->phase = DT_PHASE_RETRY_WAIT;
        s->retry_phase = DT_PHASE_LOOKUP_PUT; /* only requests are sent again */
        return true;
    case 13:
        l->asked = (uint16_t)DT_QUESTION_BIT(DT_QUESTION_COUNT);
        return true;
    case 14:
        s->finishing = true; /* nothing is looked up once the outcome is known */
        return true;
    default:
        return false;
    }
}

static void test_saved_machines_that_cannot_be(void **state)
{
    bool more = true;

    (void)state;
    for (int i = 0; more; i++) {
        dt_buf b;
        world w;

        open_lookups(&w);
        begin(&w, true);
        dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
        more = mark_unreadable(w.machine, i) || i == 0;
        assert_int_equal(dt_signon_save(w.machine, &b), 0);
        if (more)
            assert_int_equal(dt_signon_load(w.machine, &w.ruleset, dt_buf_bytes(&b)),
                             i == 0 ? 0 : DT_E_PARSE);
        dt_buf_free(&b);
        world_close(&w);
    }
}

/* --- the rows of all questions --------------------------------------------------------------------- */

static char const *const names[] = {"NONE",
#define X(NAME, name) #NAME,
                                    DT_QUESTIONS(X)
#undef X
};

/* What the machine calls without asking whether it is there. */
static void test_each_row_is_whole(void **state)
{
    (void)state;
    only_real_rows = true;
    for (int q = 1; q < DT_QUESTION_COUNT; q++) {
        dt_question_row const *r = dt_question_row_of((dt_question)q);

        if (!r->key || !r->unpack || !r->request || !r->read || !r->pack || !r->service[0] ||
            !r->has_fields || r->part == DT_PART_NONE || r->part == DT_PART_LOOKUP)
            fail_msg("%s: its row lacks something", names[q]);
        if ((r->answered == NULL) != r->only_inner)
            fail_msg("%s: who gets its answer?", names[q]);
        if ((r->resume == NULL) != (r->inner == 0))
            fail_msg("%s: it waits for another one, and does not go on", names[q]);
        if ((r->failure_key == NULL) != (r->failure_kept == 0))
            fail_msg("%s: how long are failures kept?", names[q]);
        if (r->pages > DT_LOOKUP_PAGES_MAX)
            fail_msg("%s: more pages than are read", names[q]);
    }
    only_real_rows = false;
}

/* A question that another one waits for must not itself have to wait: dt_lookup has one place for that. */
static void test_nobody_waits_for_one_that_waits(void **state)
{
    (void)state;
    only_real_rows = true;
    for (int q = 1; q < DT_QUESTION_COUNT; q++) {
        unsigned inner = dt_question_row_of((dt_question)q)->inner;

        for (int i = 1; i < DT_QUESTION_COUNT; i++) {
            if ((inner & DT_QUESTION_BIT(i)) != 0 && dt_question_row_of((dt_question)i)->inner != 0)
                fail_msg("%s waits for %s, which waits", names[q], names[i]);
        }
    }
    only_real_rows = false;
}

static void test_a_number_that_is_no_question(void **state)
{
    (void)state;
    assert_null(dt_question_row_of(DT_QUESTION_NONE)->read);
    assert_null(dt_question_row_of(DT_QUESTION_COUNT)->read);
    assert_null(dt_question_row_of((dt_question)-1)->request);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_absent_then_fresh),
        cmocka_unit_test(test_near_its_end),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_stale_does_not_count),
        cmocka_unit_test(test_hostile_rows),
        cmocka_unit_test(test_broken_store),
        cmocka_unit_test(test_hostile_replies),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_no_retry_after_a_long_time),
        cmocka_unit_test(test_rate_limit),
        cmocka_unit_test(test_kept_failure),
        cmocka_unit_test(test_kept_failure_and_stale),
        cmocka_unit_test(test_may_not_be_asked),
        cmocka_unit_test(test_unkept),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_too_many_pages),
        cmocka_unit_test(test_a_link_that_does_not_fit),
        cmocka_unit_test(test_two_lists),
        cmocka_unit_test(test_inner),
        cmocka_unit_test(test_inner_without_an_answer),
        cmocka_unit_test(test_inner_and_stale),
        cmocka_unit_test(test_inner_again),
        cmocka_unit_test(test_inner_that_is_none),
        cmocka_unit_test(test_out_of_order),
    };
    struct CMUnitTest const once[] = {
        cmocka_unit_test(test_saved_machines_that_cannot_be),
        cmocka_unit_test(test_each_row_is_whole),
        cmocka_unit_test(test_nobody_waits_for_one_that_waits),
        cmocka_unit_test(test_a_number_that_is_no_question),
    };
    return world_run_tests_twice("lookup", tests) +
           cmocka_run_group_tests_name("lookup, rows", once, NULL, NULL);
}
