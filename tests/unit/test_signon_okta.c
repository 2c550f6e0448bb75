/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who somebody is at Okta: the user, the groups by id and by name, and what is kept of them.
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

static void okta_user_refused(int status, char const *body, dt_cause cause)
{
    world w;
    dt_request r = world_request();

    world_open(&w, GUIDE,
               WORLD_OKTA_UNAVAILABLE_ALLOW); /* even then: these are answers, not absence */
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", status, body);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, cause);
    world_close(&w);
}

#define USER_WITH(status)                                                                          \
    "{\"id\":\"00u1\",\"status\":\"" status "\",\"profile\":{\"login\":\"ann@example.com\"}}"

static void test_okta_user_that_may_not(void **state)
{
    (void)state;
    okta_user_refused(404, "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}",
                      DT_CAUSE_OKTA_USER_UNKNOWN);
    okta_user_refused(200, USER_WITH("SUSPENDED"), DT_CAUSE_OKTA_USER_SUSPENDED);
    okta_user_refused(200, USER_WITH("DEPROVISIONED"), DT_CAUSE_OKTA_USER_DEACTIVATED);
    okta_user_refused(200, USER_WITH("active"), DT_CAUSE_OKTA_REFUSED);
    okta_user_refused(200,
                      "{\"id\":\"00u2\",\"status\":\"ACTIVE\",\"profile\":{\"login\":"
                      "\"ann@example.org\"}}",
                      DT_CAUSE_OKTA_USER_UNKNOWN);
    okta_user_refused(401, OKTA_INVALID_TOKEN, DT_CAUSE_CONFIG);
}

static void okta_user_call(int status, dt_time limit, int calls, dt_result result, dt_cause cause)
{
    world w;
    dt_request r = world_request();

    r.wait_limit = limit;
    world_open(&w, GUIDE, WORLD_OKTA_UNAVAILABLE_ALLOW);
    for (int i = 0; i < calls; i++)
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", status,
                     status == 429 ? OKTA_RATE_LIMITED : "");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT) {
        assert_true(w.step.until < WORLD_START + limit);
        w.now = w.step.until;
    }
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_when_okta_is_asked_again(void **state)
{
    dt_cause const away = DT_CAUSE_OKTA_UNAVAILABLE_ALLOW;

    (void)state;
    okta_user_call(0, DT_SECONDS(55), 3, DT_ALLOW, away);
    okta_user_call(0, DT_SECONDS(5), 3, DT_ALLOW, away); /* refused at once: that is an outage */
    okta_user_call(503, DT_SECONDS(5), 3, DT_ALLOW, away);
    okta_user_call(WORLD_TIMEOUT, DT_SECONDS(55), 3, DT_ALLOW, away);
    okta_user_call(WORLD_TIMEOUT, DT_SECONDS(15), 1, DT_ALLOW, away);
    okta_user_call(WORLD_TIMEOUT, DT_SECONDS(5), 1, DT_DENY, DT_CAUSE_MFA_TIMEOUT);
    /* A limit is an answer: whoever can use it up does not get in by it. */
    okta_user_call(429, DT_SECONDS(55), 3, DT_DENY, DT_CAUSE_MFA_RATE_LIMITED);
    okta_user_call(429, DT_SECONDS(3), 1, DT_DENY, DT_CAUSE_MFA_RATE_LIMITED);
    okta_user_call(403, DT_SECONDS(55), 1, DT_DENY, DT_CAUSE_CONFIG);
}

static void test_a_look_up_retried_goes_on(void **state)
{
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 429, OKTA_RATE_LIMITED);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 429, OKTA_RATE_LIMITED);
    assert_int_equal(world_wait(&w), DT_STEP_WAIT);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 200, OKTA_FACTORS_MANY);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    assert_int_equal(world_wait(&w), DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

static void put_row(world *w, char const *key, char const *value)
{
    world_row *row = &w->rows[0];

    row->table = DT_TABLE_LOOKUP;
    snprintf(row->key, sizeof(row->key), "%s", key);
    row->len = (size_t)snprintf(row->value, sizeof(row->value), "%s", value);
    row->expires = DT_TIME_NEVER;
}

static void cached_user(char const *record, bool used)
{
    world w;
    dt_request r = world_request();

    world_open(&w, GUIDE, NULL);
    put_row(&w, "okta-user:ann@example.com", record);
    if (!used)
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, used ? "/users/00u9/factors" : "/users/00u1/factors", 200,
                 OKTA_FACTORS_TOTP);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    world_all_used(&w);
    world_close(&w);
}

static void test_a_remembered_user_at_its_edges(void **state)
{
    (void)state;
    cached_user("{\"v\":1,\"at\":1700000000000,\"id\":\"00u9\"}", true);
    cached_user("{\"v\":1,\"at\":1699999400001,\"id\":\"00u9\"}", true);
    cached_user("{\"v\":1,\"at\":1699999400000,\"id\":\"00u9\"}", false); /* ten minutes */
    cached_user("{\"v\":1,\"at\":1700000000001,\"id\":\"00u9\"}", false); /* of tomorrow */
    cached_user("{\"v\":1,\"at\":-9223372036854775808,\"id\":\"00u9\"}", false);
    cached_user("{\"v\":2,\"at\":1700000000000,\"id\":\"00u9\"}", false);
    cached_user("{\"v\":1,\"at\":1700000000000,\"id\":\"\"}", false);
    cached_user("{\"v\":1,\"at\":1700000000000,\"id\":7}", false);
    cached_user("{\"v\":1,\"at\":1700000000000}", false);
    cached_user("{\"v\":1,\"id\":\"00u9\"}", false);
    cached_user("oops", false);
}

static void test_a_user_gone_is_asked_for_once_more(void **state)
{
    static char const gone[] = "{\"errorCode\":\"E0000007\",\"errorSummary\":\"Not found\"}";
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GUIDE, NULL);
    put_row(&w, "okta-user:ann@example.com", "{\"v\":1,\"at\":1700000000000,\"id\":\"00u9\"}");
    world_expect(&w, DT_HTTP_GET, "/users/00u9/factors", 404, gone);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/factors", 404, gone);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_DENY, DT_CAUSE_OKTA_REFUSED);
    world_close(&w);
}

/* --- groups ---------------------------------------------------------------------------------- */

#define BY_ID(what)                                                                                \
    POLICY("{\"name\":\"vpn\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{\"people\":"    \
           "{\"groups\":{" what "}}},\"actions\":{\"appSignOn\":" ALLOW "}}")
#define VPN_ADMINS "{\"id\":\"00gVPN1\",\"name\":\"VPN Admins\"}"
#define OKTA_GROUP(id, name) "{\"id\":\"" id "\",\"profile\":{\"name\":\"" name "\"}}"

/* Of a name that a rule says and a group has that is not Okta's own, the org is asked which groups have it. */
#define ASKED_STAFF                                                                                \
    "example.okta.com/api/v1/groups?limit=200&search=profile.name%20eq%20%22Staff%22"
#define ONE_STAFF "[{\"id\":\"00g1\",\"profile\":{\"name\":\"Staff\"}}]"

static void test_groups_from_okta(void **state)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GROUPS, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200,
                 "[{\"id\":\"00g1\",\"profile\":{\"name\":\"Staff\"}},"
                 "{\"id\":\"00g2\",\"profile\":{\"name\":\"Everyone\"}}]");
    world_expect(&w, DT_HTTP_GET, ASKED_STAFF, 200, ONE_STAFF);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    world_begin(&w, &r); /* cached */
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->okta_calls, 0);
    world_close(&w);
}

static void test_groups_that_cannot_be_had_deny(void **state)
{
    static char const *const okta[] = {"policy",           "groups_from", "okta", "policy",
                                       "okta_unavailable", "allow",       NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    world_open(&w, GROUPS, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    for (int i = 0; i < 3; i++)
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 503, OKTA_BROKEN);
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    world_close(&w);
    world_open(&w, GROUPS, NULL);
    r.group_knowledge = DT_GROUPS_UNKNOWN;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    world_close(&w);
}

static void test_groups_cut_short_are_not_known(void **state)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    (void)state;
    r.wait_limit = DT_SECONDS(5);
    world_open(&w, GROUPS, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", WORLD_TIMEOUT, "");
    world_begin(&w, &r);
    while (world_run(&w) == DT_STEP_WAIT)
        w.now = w.step.until;
    assert_end(&w, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    world_close(&w);
}

static void cached_groups(char const *record, bool used)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    world_open(&w, GROUPS, okta);
    put_row(&w, "okta-groups:::vpn:ann@example.com", record);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    if (!used)
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, "[]");
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    if (used)
        assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    else
        assert_end(&w, DT_DENY, DT_CAUSE_RULE_DENY);
    world_close(&w);
}

static void test_remembered_groups_at_their_edges(void **state)
{
    (void)state;
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":[\"Staff\"]}", true);
    cached_groups("{\"v\":1,\"at\":1699999400000,\"one_each\":true,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000001,\"one_each\":true,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":[\"Staff\",7]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":\"Staff\"}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":{\"Staff\":1}}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000}", false);
    /* of earlier versions, which told names alone, and took each for one group; of ids alone; of nobody
     * knows what */
    cached_groups("{\"v\":1,\"at\":1700000000000,\"names\":true,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"groups\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"one_each\":false,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":1,\"at\":1700000000000,\"okta\":[\"Staff\"]}", false);
    cached_groups("{\"v\":2,\"at\":1700000000000,\"one_each\":true,\"okta\":[\"Staff\"]}", false);
    cached_groups("", false);
}

/* The start of a rule that names groups, and what comes between two of them: all in one list, or each in a
 * rule of its own. */
static void put_group(dt_buf *b, size_t i, bool apart, char const *name)
{
    if (i > 0)
        dt_buf_puts(b, apart ? "]}}},\"actions\":{\"appSignOn\":" ALLOW "}}," : ",");
    if (i == 0 || apart)
        dt_buf_printf(b,
                      "{\"name\":\"staff %zu\",\"priority\":%zu,\"status\":\"ACTIVE\","
                      "\"conditions\":{\"people\":{\"groups\":{\"include\":[",
                      i, i + 1);
    dt_buf_printf(b, "\"%s\"", name);
}

/* A policy that names `count` groups of names `len` long; a person who is in all of them, and in as
 * many that it does not name. */
static void many_groups(size_t count, size_t len, bool apart, dt_result result, dt_cause cause)
{
    static char names[256][80], policy[64 * 1024];
    char const *groups[256];
    world w;
    dt_request r = world_request();
    dt_buf b;

    dt_buf_init_fixed(&b, policy, sizeof(policy));
    dt_buf_puts(&b, "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[");
    for (size_t i = 0; i < 2 * count; i++) {
        snprintf(names[i], sizeof(names[i]), "%s%03zu", i < count ? "other" : "named", i);
        memset(names[i] + 8, 'g', len - 8);
        names[i][len] = '\0';
        groups[i] = names[i];
        if (i >= count)
            put_group(&b, i - count, apart, names[i]);
    }
    dt_buf_puts(&b, "]}}},\"actions\":{\"appSignOn\":" ALLOW "}}," CATCH_ALL "]}");
    assert_int_equal(dt_buf_error(&b), 0);
    world_open(&w, policy, NULL);
    r.groups = groups;
    r.group_count = 2 * count;
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_more_groups_than_fit_are_not_known(void **state)
{
    (void)state;
    many_groups(DT_SIGNON_GROUPS_MAX, 8, true, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    many_groups(DT_SIGNON_GROUPS_MAX + 1, 8, true, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    many_groups(64, 63, true, DT_ALLOW, DT_CAUSE_RULE_ALLOW); /* DT_SIGNON_GROUPS_TEXT_MAX */
    many_groups(64, 64, true, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
}

/* Of many that one list of a rule names, no more are carried than tell something. */
static void test_more_groups_of_one_list_than_fit_are_known(void **state)
{
    (void)state;
    many_groups(DT_SIGNON_GROUPS_MAX + 1, 8, false, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    many_groups(128, 64, false, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
}

static void test_every_group_counts(void **state)
{
    static char const policy[] =
        POLICY(PEOPLE("b", "1", "{\"groups\":{\"include\":[\"B\"]}}",
                      ALLOW) "," PEOPLE("a", "2", "{\"groups\":{\"include\":[\"A\"]}}", DENY));
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    static char const *const groups[] = {"A", "B"};
    world w;
    dt_request r = world_request();

    (void)state;
    r.groups = groups;
    r.group_count = 2;
    world_open(&w, policy, NULL);
    world_begin(&w, &r);
    world_run(&w);
    assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    world_close(&w);
    world_open(&w, policy, okta); /* then what the host says of groups has no say */
    r.group_count = 1;
    world_expect(&w, DT_HTTP_GET, "/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200,
                 "[{\"profile\":{\"name\":\"A\"}},{\"profile\":{\"name\":\"B\"}}]");
    world_expect(&w, DT_HTTP_GET, "name%20eq%20%22A%22", 200, "[" OKTA_GROUP("1", "A") "]");
    world_expect(&w, DT_HTTP_GET, "name%20eq%20%22B%22", 200, "[" OKTA_GROUP("2", "B") "]");
    for (int cached = 0; cached < 2; cached++) {
        world_begin(&w, &r);
        world_run(&w);
        assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    }
    world_close(&w);
}

/* --- groups by their id ---------------------------------------------------------------------- */

static struct {
    char const *policy, *from, *told, *okta; /* told: a group that the request tells; okta: asked */
    dt_result result;
    dt_cause cause;
} const by_id[] = {
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gVPN1", "VPN Admins") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* renamed since */
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gVPN1", "Admins of VPN") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* another group of that name */
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gAPP9", "VPN Admins") "]", DT_DENY, DT_CAUSE_RULE_DENY},
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gvpn1", "VPN Admins") "]", DT_DENY, DT_CAUSE_RULE_DENY},
    {BY_ID("\"exclude\":[" VPN_ADMINS "]"), "okta", NULL, "[" OKTA_GROUP("00gVPN1", "x") "]",
     DT_DENY, DT_CAUSE_RULE_DENY},
    {BY_ID("\"exclude\":[" VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00gAPP9", "VPN Admins") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* Okta is asked for ids, whoever tells names; and a name that the request tells is no id */
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request", "VPN Admins", "[]", DT_DENY,
     DT_CAUSE_RULE_DENY},
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request", "00gVPN1", "[]", DT_DENY,
     DT_CAUSE_RULE_DENY},
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request", "Staff",
     "[" OKTA_GROUP("00gVPN1", "VPN Admins") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "request",
     "\x1f"
     "00gVPN1",
     NULL, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request",
     "\x1f"
     "00gVPN1",
     "[]", DT_DENY, DT_CAUSE_RULE_DENY},
    /* nobody else is missed where rules name ids alone; where one names a name, he is */
    {BY_ID("\"include\":[" VPN_ADMINS "]"), "request", NULL,
     "[" OKTA_GROUP("00gVPN1", "VPN Admins") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "request", NULL, NULL, DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    /* names are the request's to tell there, and Okta's are not looked at */
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "request", "staff", "[]", DT_ALLOW,
     DT_CAUSE_RULE_ALLOW},
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "request", "Guests",
     "[" OKTA_GROUP("00g1", "Staff") "]", DT_DENY, DT_CAUSE_RULE_DENY},
    {BY_ID("\"include\":[\"Staff\"," VPN_ADMINS "]"), "okta", NULL,
     "[" OKTA_GROUP("00g1", "Staff") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* a pattern is of names, never of ids */
    {BY_ID("\"include\":[\"*VPN1\"," VPN_ADMINS "],\"exclude\":[\"*gVPN?\"]"), "okta", NULL,
     "[" OKTA_GROUP("00gVPN1", "x") "]", DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    /* a group without an id is not a group that is not there */
    {BY_ID("\"exclude\":[" VPN_ADMINS "]"), "okta", NULL,
     "[{\"profile\":{\"name\":\"VPN Admins\"}}]", DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
};

static void test_okta_groups_are_what_their_id_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(by_id) / sizeof(by_id[0]); i++) {
        char const *const from[] = {"policy", "groups_from", by_id[i].from, NULL};
        char const *const told[] = {by_id[i].told};
        world w;
        dt_request r = world_request();

        r.groups = told;
        r.group_count = by_id[i].told != NULL;
        r.group_knowledge = by_id[i].told != NULL ? DT_GROUPS_KNOWN : DT_GROUPS_UNKNOWN;
        world_open(&w, by_id[i].policy, from);
        if (by_id[i].okta != NULL) {
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
            world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, by_id[i].okta);
        }
        if (strcmp(by_id[i].from, "okta") == 0 && by_id[i].okta != NULL &&
            strstr(by_id[i].okta, "\"Staff\"") != NULL)
            world_expect(&w, DT_HTTP_GET, ASKED_STAFF, 200, ONE_STAFF);
        world_begin(&w, &r);
        if (world_run(&w) != DT_STEP_DONE || world_outcome(&w)->cause != by_id[i].cause)
            fail_msg("%zu: %s", i, dt_cause_name(world_outcome(&w)->cause));
        assert_end(&w, by_id[i].result, by_id[i].cause);
        world_close(&w);
    }
}

static void page(world *w, char const *body, char const *next)
{
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .status = 200,
                          .body = dt_bytes_str(body),
                          .error = "",
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .next_link = next};

    dt_signon_http_done(w->machine, &r, w->now);
}

#define NEXT "https://example.okta.com/api/v1/users/00u1/groups?after="

/* Pages of groups up to the last, or to one too many, or to a link that does not fit. */
static void pages_of_groups(int pages, char const *next, dt_result result, dt_cause cause)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    world_open(&w, GROUPS, okta);
    world_begin(&w, &r);
    world_run_to_http(&w, DT_HTTP_GET, "/users/ann");
    world_feed(&w, 200, OKTA_USER);
    for (int i = 1; i <= pages; i++) {
        world_run_to_http(&w, DT_HTTP_GET, i == 1 ? "/users/00u1/groups" : next);
        page(&w, i == 1 ? "[{\"profile\":{\"name\":\"Staff\"}}]" : "[]", i < pages ? next : "");
        if (dt_signon_is_done(w.machine))
            break;
    }
    if (!dt_signon_is_done(w.machine)) {
        world_run_to_http(&w, DT_HTTP_GET, ASKED_STAFF);
        page(&w, ONE_STAFF, "");
    }
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    assert_end(&w, result, cause);
    world_close(&w);
}

static void test_groups_come_in_pages(void **state)
{
    static char longest[700] = NEXT;

    (void)state;
    memset(longest + sizeof(NEXT) - 1, 'x', sizeof(longest) - sizeof(NEXT));
    pages_of_groups(1, "", DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    pages_of_groups(2, NEXT "x", DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    pages_of_groups(DT_SIGNON_GROUP_PAGES_MAX, NEXT "x", DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    pages_of_groups(DT_SIGNON_GROUP_PAGES_MAX + 1, NEXT "x", DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
    pages_of_groups(2, longest, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
}

/* --- groups that rules call by a name -------------------------------------------------------- */

#define STAFF_OF(id) OKTA_GROUP(id, "Staff")
#define STAFF_TYPE(type) "{\"id\":\"00g\",\"type\":\"" type "\",\"profile\":{\"name\":\"Staff\"}}"
#define NEXT_NAMED "https://example.okta.com/api/v1/groups?after="

/* What the org says of the name "Staff", which a rule says and which one of the person's groups has. */
static struct {
    char const *what;
    int status;
    char const *pages[3]; /* of groups called so, up to a NULL */
    dt_result result;
    dt_cause cause;
} const called[] = {
    {"one", 200, {"[" STAFF_OF("00g1") "]"}, DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    {"one among others",
     200,
     {"[" OKTA_GROUP("00g7", "Staff of Rome") "," STAFF_OF("00g1") "]"},
     DT_ALLOW,
     DT_CAUSE_RULE_ALLOW},
    {"one on two pages", 200, {"[" STAFF_OF("00g1") "]", "[]"}, DT_ALLOW, DT_CAUSE_RULE_ALLOW},
    {"two", 200, {"[" STAFF_OF("00g1") "," STAFF_OF("00g9") "]"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"two that differ in case",
     200,
     {"[" STAFF_OF("00g1") "," OKTA_GROUP("00g9", "sTAFF") "]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"two on two pages",
     200,
     {"[" STAFF_OF("00g1") "]", "[" STAFF_OF("00g9") "]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"none", 200, {"[]"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"another",
     200,
     {"[" OKTA_GROUP("00g1", "Staff of Rome") "]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"one without an id",
     200,
     {"[" STAFF_OF("00g1") ",{\"profile\":{\"name\":\"Staff\"}}]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"one without a name",
     200,
     {"[" STAFF_OF("00g1") ",{\"id\":\"00g9\"}]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"one whose name cannot be read",
     200,
     {"[" STAFF_OF("00g1") "," OKTA_GROUP("00g9", "Staff\\u0000") "]"},
     DT_DENY,
     DT_CAUSE_GROUPS_UNKNOWN},
    {"no list", 200, {"{}"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"no JSON", 200, {"<html>"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"not to be searched", 400, {"{\"errorCode\":\"E0000031\"}"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"not there", 404, {"{\"errorCode\":\"E0000007\"}"}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
    {"not for this token", 403, {"{\"errorCode\":\"E0000006\"}"}, DT_DENY, DT_CAUSE_CONFIG},
    {"away", 503, {OKTA_BROKEN}, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN},
};

static void answer_name(world *w, size_t row)
{
    for (size_t k = 0; called[row].pages[k] != NULL; k++) {
        bool more = called[row].pages[k + 1] != NULL;

        if (!dt_signon_is_done(w->machine)) {
            world_run_to_http(w, DT_HTTP_GET, k == 0 ? ASKED_STAFF : NEXT_NAMED);
            if (called[row].status != 200)
                world_feed(w, called[row].status, called[row].pages[k]);
            else
                page(w, called[row].pages[k], more ? NEXT_NAMED "x" : "");
        }
    }
}

static void test_a_name_is_that_of_one_group(void **state)
{
    static char const *const okta[] = {"policy",           "groups_from", "okta", "policy",
                                       "okta_unavailable", "allow",       NULL};

    (void)state;
    for (size_t i = 0; i < sizeof(called) / sizeof(called[0]); i++) {
        world w;
        dt_request r = world_request();

        world_open(&w, GROUPS, okta);
        world_begin(&w, &r);
        world_run_to_http(&w, DT_HTTP_GET, "/users/ann");
        world_feed(&w, 200, OKTA_USER);
        world_run_to_http(&w, DT_HTTP_GET, "/users/00u1/groups");
        page(&w, "[" STAFF_OF("00g9") "]", "");
        answer_name(&w, i);
        for (int k = 0; k < DT_SIGNON_RETRIES_MAX && called[i].status == 503; k++)
            world_expect(&w, DT_HTTP_GET, ASKED_STAFF, 503, OKTA_BROKEN);
        while (world_run(&w) == DT_STEP_WAIT)
            w.now = w.step.until;
        world_all_used(&w);
        if (world_outcome(&w)->cause != called[i].cause)
            fail_msg("%s: %s, %s", called[i].what, dt_cause_name(world_outcome(&w)->cause),
                     world_outcome(&w)->detail);
        assert_end(&w, called[i].result, called[i].cause);
        if (called[i].status == 200 && strncmp(called[i].what, "two", 3) == 0)
            assert_non_null(strstr(world_outcome(&w)->detail, "\"Staff\""));
        world_close(&w);
    }
}

/* What was found of a name is kept for everybody, for so long and no longer; what was found of a group
 * that is not said by its name alone is nothing that is asked. */
static void kept_name(char const *record, dt_cause cause)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    world w;
    dt_request r = world_request();

    world_open(&w, GROUPS, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, "[" STAFF_OF("00g1") "]");
    /* SHA-256 of "staff" */
    put_row(&w,
            "okta-group-name:"
            "1562206543da764123c21bd524674f0a8aaf49c8a89744c97352fe677f7e4006",
            record);
    if (cause == DT_CAUSE_NONE)
        world_expect(&w, DT_HTTP_GET, ASKED_STAFF, 200, ONE_STAFF);
    world_begin(&w, &r);
    assert_int_equal(world_run(&w), DT_STEP_DONE);
    if (world_outcome(&w)->cause != (cause == DT_CAUSE_NONE ? DT_CAUSE_RULE_ALLOW : cause))
        fail_msg("%s: %s", record, dt_cause_name(world_outcome(&w)->cause));
    world_all_used(&w);
    world_close(&w);
}

static void test_a_kept_name_at_its_edges(void **state)
{
    (void)state;
    kept_name("{\"v\":1,\"at\":1700000000000,\"one\":true}", DT_CAUSE_RULE_ALLOW);
    kept_name("{\"v\":1,\"at\":1699999400001,\"one\":true}", DT_CAUSE_RULE_ALLOW);
    kept_name("{\"v\":1,\"at\":1700000000000,\"one\":false}", DT_CAUSE_GROUPS_UNKNOWN);
    kept_name("{\"v\":1,\"at\":1699999400000,\"one\":true}", DT_CAUSE_NONE);
    kept_name("{\"v\":1,\"at\":1700000000001,\"one\":true}", DT_CAUSE_NONE);
    kept_name("{\"v\":1,\"at\":1700000000000,\"one\":1}", DT_CAUSE_NONE);
    kept_name("{\"v\":1,\"at\":1700000000000}", DT_CAUSE_NONE);
    kept_name("{\"v\":2,\"at\":1700000000000,\"one\":true}", DT_CAUSE_NONE);
    kept_name("", DT_CAUSE_NONE);
}

/* Of two groups of one name that a person is in, Okta's own counts, whichever comes first. A pattern is of
 * names, whatever groups have them; an id is a group. */
static void test_only_names_are_looked_up(void **state)
{
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    static struct {
        char const *list, *groups;
    } const rows[] = {
        {"\"include\":[\"Sta*\"]", "[" STAFF_OF("00g1") "]"},
        {"\"include\":[{\"id\":\"00g1\",\"name\":\"Staff\"}]", "[" STAFF_OF("00g1") "]"},
        {"\"include\":[{\"id\":\"00g1\",\"name\":\"Staff\"},\"S?aff\"]", "[" STAFF_OF("00g1") "]"},
        {"\"include\":[\"Staff\"]", "[" STAFF_TYPE("OKTA_GROUP") "]"},
        {"\"include\":[\"staff\"]", "[" STAFF_TYPE("BUILT_IN") "]"},
        {"\"include\":[\"Staff\"]", "[" STAFF_TYPE("APP_GROUP") "," STAFF_TYPE("OKTA_GROUP") "]"},
        {"\"include\":[\"Staff\"]", "[" STAFF_TYPE("OKTA_GROUP") "," STAFF_TYPE("APP_GROUP") "]"},
        {"\"include\":[\"Staff\"]",
         "[" OKTA_GROUP("00g9", "Stuff") "," STAFF_TYPE("OKTA_GROUP") "]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char policy[2048];
        world w;
        dt_request r = world_request();

        snprintf(policy, sizeof(policy),
                 POLICY("{\"name\":\"vpn\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":"
                        "{\"people\":{\"groups\":{%s}}},\"actions\":{\"appSignOn\":" ALLOW "}}"),
                 rows[i].list);
        world_open(&w, policy, okta);
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, rows[i].groups);
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
        world_all_used(&w);
        world_close(&w);
    }
}

/* One sign-on asks about so many names and no more; the next ones go on with what is kept. */
static void test_many_names_are_looked_up_in_turn(void **state)
{
    enum { NAMES = DT_SIGNON_GROUP_NAMES_MAX + 3 };
    static char const *const okta[] = {"policy", "groups_from", "okta", NULL};
    char policy[16 * 1024], mine[4096];
    dt_buf rules, groups;
    world w;
    dt_request r = world_request();

    (void)state;
    dt_buf_init_fixed(&rules, policy, sizeof(policy));
    dt_buf_init_fixed(&groups, mine, sizeof(mine));
    dt_buf_puts(&rules, "{\"name\":\"p\",\"application\":\"vpn\",\"rules\":[");
    for (int i = 1; i <= NAMES; i++) {
        dt_buf_printf(&rules,
                      "{\"name\":\"%d\",\"priority\":%d,\"status\":\"ACTIVE\",\"conditions\":{"
                      "\"people\":{\"groups\":{\"include\":[\"Team %d\"]}},\"network\":{"
                      "\"connection\":\"ANYWHERE\"}},\"actions\":{\"appSignOn\":" ALLOW "}},",
                      i, i, i);
        dt_buf_printf(&groups, "%c" OKTA_GROUP("00g%d", "Team %d"), i > 1 ? ',' : '[', i, i);
    }
    dt_buf_puts(&groups, "]");
    dt_buf_puts(
        &rules,
        "{\"name\":\"last\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{"
        "\"appSignOn\":" DENY "}}]}");
    world_open(&w, policy, okta);
    world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    for (int i = 0, asked = 0; i < 2; i++) {
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, mine);
        for (int k = 0; k < DT_SIGNON_GROUP_NAMES_MAX && asked < NAMES; k++) {
            static char answer[NAMES][128];

            snprintf(answer[asked], sizeof(answer[0]), "[" OKTA_GROUP("00g%d", "Team %d") "]",
                     asked + 1, asked + 1);
            world_expect(&w, DT_HTTP_GET, "/api/v1/groups?", 200, answer[asked]);
            asked++;
        }
        world_begin(&w, &r);
        assert_int_equal(world_run(&w), DT_STEP_DONE);
        if (i == 0)
            assert_end(&w, DT_DENY, DT_CAUSE_GROUPS_UNKNOWN);
        else
            assert_end(&w, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
        world_all_used(&w);
    }
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_okta_user_that_may_not),
        cmocka_unit_test(test_groups_from_okta),
        cmocka_unit_test(test_groups_that_cannot_be_had_deny),
        cmocka_unit_test(test_groups_cut_short_are_not_known),
        cmocka_unit_test(test_more_groups_than_fit_are_not_known),
        cmocka_unit_test(test_more_groups_of_one_list_than_fit_are_known),
        cmocka_unit_test(test_when_okta_is_asked_again),
        cmocka_unit_test(test_a_look_up_retried_goes_on),
        cmocka_unit_test(test_a_remembered_user_at_its_edges),
        cmocka_unit_test(test_a_user_gone_is_asked_for_once_more),
        cmocka_unit_test(test_remembered_groups_at_their_edges),
        cmocka_unit_test(test_okta_groups_are_what_their_id_says),
        cmocka_unit_test(test_groups_come_in_pages),
        cmocka_unit_test(test_a_name_is_that_of_one_group),
        cmocka_unit_test(test_a_kept_name_at_its_edges),
        cmocka_unit_test(test_only_names_are_looked_up),
        cmocka_unit_test(test_many_names_are_looked_up_in_turn),
        cmocka_unit_test(test_every_group_counts),
    };

    return world_run_tests_twice("signon okta", tests);
}
