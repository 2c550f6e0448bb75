/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is not known, through the whole machine: a condition that nobody can judge refuses with its own
 * cause, message and event, and is neither "yes" nor "no" to any rule. */
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

#define RULE(name, priority, conditions, access)                                                   \
    "{\"name\":\"" name "\",\"priority\":" #priority                                               \
    ",\"status\":\"ACTIVE\",\"conditions\":" conditions                                            \
    ",\"actions\":{\"appSignOn\":{\"access\":\"" access "\"}}}"
#define POLICY(conditions, access, otherwise)                                                      \
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[" RULE(                                  \
        "first", 1, conditions, access) "," RULE("rest", 9, "null", otherwise) "]}"

static char const ZONES[] =
    "{\"zones\":[{\"name\":\"office\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":"
    "[{\"type\":\"CIDR\",\"value\":\"192.0.2.0/24\"}]}]}";
static char const BLOCKED[] =
    "{\"zones\":[{\"name\":\"office\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"gateways\":"
    "[{\"type\":\"CIDR\",\"value\":\"192.0.2.0/24\"}]},"
    "{\"name\":\"bad\",\"type\":\"IP\",\"status\":\"ACTIVE\",\"usage\":\"BLOCKLIST\",\"gateways\":"
    "[{\"type\":\"CIDR\",\"value\":\"203.0.113.0/24\"}]}]}";

#define IN_OFFICE "{\"network\":{\"connection\":\"ZONE\",\"include\":[\"office\"]}}"
#define NOT_OFFICE "{\"network\":{\"connection\":\"ZONE\",\"exclude\":[\"office\"]}}"
#define ON_IOS "{\"platform\":{\"include\":[{\"type\":\"MOBILE\",\"os\":{\"type\":\"IOS\"}}]}}"
#define IN_STAFF "{\"people\":{\"groups\":{\"include\":[\"staff\"]}}}"
#define NOT_STAFF "{\"people\":{\"groups\":{\"exclude\":[\"staff\"]}}}"
#define ON_MONDAYS "{\"time\":{\"zone\":\"LOCAL\",\"include\":[{\"days\":[\"MONDAY\"]}]}}"
#define NOT_COMPLIANT "{\"device\":{\"trust\":\"NOT_TRUSTED\",\"reasons\":[\"NOT_COMPLIANT\"]}}"

typedef struct asked {
    world w;
    dt_zones *zones;
    dt_request r;
} asked;

/* The same world with zones and a policy that names them. */
static void with_zones(asked *a, char const *zones, char const *policy)
{
    dt_json *root = NULL;
    dt_error e = {0};

    dt_policy_free(&a->w.policy);
    assert_int_equal(dt_json_parse(dt_bytes_str(zones), &root, &e), 0);
    if (dt_zones_parse(root, "zones.json", &a->zones, &e) < 0)
        fail_msg("%s", e.text);
    dt_json_free(&root);
    assert_int_equal(dt_json_parse(dt_bytes_str(policy), &root, &e), 0);
    if (dt_policy_parse(root, "vpn.json", a->zones, &a->w.policy, &e) < 0)
        fail_msg("%s", e.text);
    dt_json_free(&root);
    a->w.ruleset.policy = a->w.policy;
}

static void open_asked(asked *a, char const *zones, char const *policy)
{
    char const *const settings[] = {"policy", "unknown_device_as", "not_trusted", NULL};

    memset(a, 0, sizeof(*a));
    world_open(&a->w,
               "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[" RULE("rest", 9, "null",
                                                                            "DENY") "]}",
               settings);
    with_zones(a, zones, policy);
    a->r = world_request();
}

static void close_asked(asked *a)
{
    world_close(&a->w);
    dt_zones_free(&a->zones);
}

/* The event has the cause as outcome.reason, and the doors' code goes by the cause. */
static void assert_refused(asked *a, char const *what, dt_cause cause)
{
    dt_outcome const *o;
    dt_audit_context ctx;
    char storage[16 * 1024], reason[96];
    dt_buf event;

    world_begin(&a->w, &a->r);
    world_run(&a->w);
    o = world_outcome(&a->w);
    if (o->result != DT_DENY || o->cause != cause)
        fail_msg("%s: %s", what, dt_cause_name(o->cause));
    assert_string_not_equal(o->message, "");
    dt_signon_audit_context(a->w.machine, &ctx);
    ctx.door = ctx.host = "test";
    dt_buf_init_fixed(&event, storage, sizeof(storage));
    dt_audit_signon(&event, o, &ctx, a->w.now);
    assert_int_equal(dt_buf_error(&event), DT_OK);
    snprintf(reason, sizeof(reason), "\"reason\":\"%s\"", dt_cause_name(cause));
    if (strstr(storage, reason) == NULL || strstr(storage, "\"result\":\"SUCCESS\"") != NULL)
        fail_msg("%s: no %s in %s", what, reason, storage);
    world_all_used(&a->w);
}

/* --- nobody can say ---------------------------------------------------------------------------- */

typedef struct not_known {
    char const *conditions;
    char const *client_ip; /* "" = none */
    bool address_wanted;
    dt_cause cause;
} not_known;

/* Each is true or false of somebody about whom all is known; here it is neither. */
static not_known const cases[] = {
    {IN_OFFICE, "host.example", false, DT_CAUSE_NETWORK_UNKNOWN},
    {NOT_OFFICE, "host.example", false, DT_CAUSE_NETWORK_UNKNOWN},
    {IN_OFFICE, "02-00-00-00-00-07", false, DT_CAUSE_NETWORK_UNKNOWN},
    {NOT_OFFICE, "02-00-00-00-00-07", true, DT_CAUSE_NETWORK_UNKNOWN},
    {IN_OFFICE, "", false, DT_CAUSE_NETWORK_UNKNOWN},
    {NOT_OFFICE, "", true, DT_CAUSE_NETWORK_UNKNOWN},
    {IN_OFFICE, "0.0.0.0", false, DT_CAUSE_NETWORK_UNKNOWN},
    {NOT_OFFICE, "255.255.255.254", false, DT_CAUSE_NETWORK_UNKNOWN},
    {NOT_OFFICE, "(several addresses)", true, DT_CAUSE_NETWORK_UNKNOWN},
    {ON_IOS, "192.0.2.7", false, DT_CAUSE_PLATFORM_UNKNOWN},
    {IN_STAFF, "192.0.2.7", false, DT_CAUSE_GROUPS_UNKNOWN},
    {NOT_STAFF, "192.0.2.7", false, DT_CAUSE_GROUPS_UNKNOWN},
    {ON_MONDAYS, "192.0.2.7", false, DT_CAUSE_TIME_UNKNOWN},
};

static void begin_case(asked *a, not_known const *c, char const *access, char const *otherwise)
{
    static char policy[2048];

    snprintf(
        policy, sizeof(policy),
        "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"first\",\"priority\":1,"
        "\"status\":\"ACTIVE\",\"conditions\":%s,\"actions\":{\"appSignOn\":{\"access\":\"%s\"}}},"
        "{\"name\":\"rest\",\"priority\":9,\"status\":\"ACTIVE\",\"conditions\":null,"
        "\"actions\":{\"appSignOn\":{\"access\":\"%s\"}}}]}",
        c->conditions, access, otherwise);
    open_asked(a, ZONES, policy);
    a->r.client_ip = c->client_ip;
    a->r.address_wanted = c->address_wanted;
    a->r.group_knowledge =
        c->cause == DT_CAUSE_GROUPS_UNKNOWN ? DT_GROUPS_UNKNOWN : DT_GROUPS_KNOWN;
}

/* As a rule that denies it is not "no": nobody slips by. As one that allows it is not "yes". */
static void test_neither_yes_nor_no(void **state)
{
    asked a;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_case(&a, &cases[i], "DENY", "ALLOW");
        assert_refused(&a, cases[i].conditions, cases[i].cause);
        close_asked(&a);
        begin_case(&a, &cases[i], "ALLOW", "DENY");
        assert_refused(&a, cases[i].conditions, cases[i].cause);
        close_asked(&a);
    }
}

/* Kept between any two steps it stays as unknown as it was. */
static void test_neither_when_saved(void **state)
{
    asked a;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_case(&a, &cases[i], "DENY", "ALLOW");
        a.w.save_each_step = true;
        assert_refused(&a, cases[i].conditions, cases[i].cause);
        close_asked(&a);
    }
}

/* A rule that would only let in is passed over: what lets everybody in behind it is no laxer. */
static void test_what_is_no_laxer(void **state)
{
    asked a;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_case(&a, &cases[i], "ALLOW", "ALLOW");
        world_begin(&a.w, &a.r);
        world_run(&a.w);
        assert_int_equal(world_outcome(&a.w)->cause, DT_CAUSE_RULE_ALLOW);
        assert_string_equal(world_outcome(&a.w)->decision.rule, "rest");
        close_asked(&a);
    }
}

/* The administrator is told what stood in the address's place, and how to mend it. */
static void test_the_administrator_is_told(void **state)
{
    asked a;

    (void)state;
    open_asked(&a, ZONES, POLICY(IN_OFFICE, "ALLOW", "DENY"));
    a.r.client_ip = "host.example";
    assert_refused(&a, "a name", DT_CAUSE_NETWORK_UNKNOWN);
    assert_non_null(strstr(world_outcome(&a.w)->detail, "\"host.example\" is not an address"));
    assert_non_null(strstr(world_outcome(&a.w)->detail, "UseDNS"));
    a.r.client_ip = "";
    assert_refused(&a, "none", DT_CAUSE_NETWORK_UNKNOWN);
    assert_non_null(strstr(world_outcome(&a.w)->detail, "the sign-on has none"));
    close_asked(&a);
}

/* --- what is known ----------------------------------------------------------------------------- */

static dt_cause cause_from(asked *a, char const *client_ip)
{
    a->r.client_ip = client_ip;
    world_begin(&a->w, &a->r);
    world_run(&a->w);
    return world_outcome(&a->w)->cause;
}

static void test_addresses_that_can_be_read(void **state)
{
    asked a;

    (void)state;
    open_asked(&a, ZONES, POLICY(IN_OFFICE, "ALLOW", "DENY"));
    assert_int_equal(cause_from(&a, "192.0.2.7"), DT_CAUSE_RULE_ALLOW);
    assert_int_equal(cause_from(&a, "::ffff:192.0.2.7"), DT_CAUSE_RULE_ALLOW);
    assert_int_equal(cause_from(&a, "::ffff:c000:207"), DT_CAUSE_RULE_ALLOW);
    assert_int_equal(cause_from(&a, "192.0.3.7"), DT_CAUSE_RULE_DENY);
    assert_int_equal(cause_from(&a, "2001:db8::7"), DT_CAUSE_RULE_DENY);
    a.r.local = true; /* counts where there is no address only */
    assert_int_equal(cause_from(&a, ""), DT_CAUSE_RULE_DENY);
    assert_int_equal(cause_from(&a, "192.0.2.7"), DT_CAUSE_RULE_ALLOW);
    assert_int_equal(cause_from(&a, "host.example"), DT_CAUSE_NETWORK_UNKNOWN);
    close_asked(&a);
}

/* --- blocklists -------------------------------------------------------------------------------- */

/* Before any rule, and also where nobody can say that it is not on the list. */
static void test_blocked(void **state)
{
    asked a;

    (void)state;
    open_asked(&a, BLOCKED, POLICY("{\"device\":{\"trust\":\"NOT_TRUSTED\"}}", "ALLOW", "DENY"));
    assert_int_equal(cause_from(&a, "192.0.2.7"), DT_CAUSE_RULE_ALLOW);
    a.r.client_ip = "203.0.113.9";
    assert_refused(&a, "blocked", DT_CAUSE_BLOCKED_ZONE);
    assert_non_null(strstr(world_outcome(&a.w)->detail, "\"bad\""));
    a.r.client_ip = "::ffff:203.0.113.9";
    assert_refused(&a, "blocked, mapped", DT_CAUSE_BLOCKED_ZONE);
    a.r.client_ip = "host.example";
    assert_refused(&a, "a name", DT_CAUSE_NETWORK_UNKNOWN);
    a.r.client_ip = "0.0.0.0";
    assert_refused(&a, "nobody's", DT_CAUSE_NETWORK_UNKNOWN);
    a.r.client_ip = "";
    a.r.address_wanted = true;
    assert_refused(&a, "wanted and not there", DT_CAUSE_NETWORK_UNKNOWN);
    /* 802.1X has none, and a person at this host neither: no list has them. */
    assert_int_equal(cause_from(&a, "02-00-00-00-00-07"), DT_CAUSE_RULE_ALLOW);
    a.r.local = true;
    assert_int_equal(cause_from(&a, ""), DT_CAUSE_RULE_ALLOW);
    a.r.local = a.r.address_wanted = false;
    assert_int_equal(cause_from(&a, ""), DT_CAUSE_RULE_ALLOW);
    close_asked(&a);
}

/* --- the device -------------------------------------------------------------------------------- */

/* What a look-up that failed leaves open is not one of the reasons, and not another either. */
static void test_a_reason_that_is_not_known(void **state)
{
    static char const *const access[][2] = {{"DENY", "ALLOW"}, {"ALLOW", "DENY"}};
    asked a;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        not_known const c = {NOT_COMPLIANT, "192.0.2.7", false, DT_CAUSE_DEVICE_UNKNOWN};

        begin_case(&a, &c, access[i][0], access[i][1]);
        a.r.certificate = dt_bytes_of(a.w.leaf, a.w.leaf_len);
        a.r.handshake_finished = true;
        for (int k = 0; k < 8; k++)
            world_expect(&a.w, DT_HTTP_GET, "/managedDevices/", 503, "");
        world_begin(&a.w, &a.r);
        while (world_run(&a.w) == DT_STEP_WAIT)
            world_wait(&a.w);
        assert_int_equal(world_outcome(&a.w)->cause, DT_CAUSE_DEVICE_UNKNOWN);
        assert_int_equal(world_outcome(&a.w)->result, DT_DENY);
        close_asked(&a);
    }
}

/* --- who tells groups -------------------------------------------------------------------------- */

#define OF_STAFF(access, otherwise) POLICY(IN_STAFF, access, otherwise)
#define NEXT_PAGE "https://example.okta.com/api/v1/users/00u1/groups?after=1&limit=200"

static char const staff_page[] = "[{\"id\":\"00g1\",\"profile\":{\"name\":\"Staff\"}}]";
static char const everyone_page[] = "[{\"id\":\"00g2\",\"profile\":{\"name\":\"Everyone\"}}]";
static char const *const of_staff[] = {"users", "STAFF"};

static char const *const from_okta[] = {"policy", "groups_from", "okta", NULL};
static char const *const from_both[] = {"policy", "groups_from", "request, okta", NULL};

static void open_groups(world *w, dt_request *r, char const *policy, char const *const *settings)
{
    world_open(w, policy, settings);
    w->save_each_step = true;
    *r = world_request();
}

static dt_cause groups_end(world *w, dt_request const *r)
{
    world_begin(w, r);
    while (world_run(w) == DT_STEP_WAIT)
        w->now = w->step.until;
    return world_outcome(w)->cause;
}

static void expect_groups(world *w, char const *page)
{
    world_expect(w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
    world_expect(w, DT_HTTP_GET, "/users/00u1/groups", 200, page);
}

/* What any of them tells counts. */
static void test_several_tell_groups(void **state)
{
    world w;
    dt_request r;

    (void)state;
    open_groups(&w, &r, OF_STAFF("ALLOW", "DENY"), from_both);
    r.groups = of_staff;
    r.group_count = 2;
    expect_groups(&w, everyone_page);
    assert_int_equal(groups_end(&w, &r), DT_CAUSE_RULE_ALLOW);
    world_all_used(&w);
    /* What the request told is not kept as Okta's: whoever it no longer tells of is in no group. */
    r.group_count = 0;
    assert_int_equal(groups_end(&w, &r), DT_CAUSE_RULE_DENY);
    assert_int_equal(world_outcome(&w)->okta_calls, 0);
    /* And what Okta told is kept for so long, and no longer. */
    w.now += w.config->okta.user_ttl;
    expect_groups(&w, staff_page);
    world_expect(&w, DT_HTTP_GET, "/api/v1/groups?", 200, staff_page); /* one is called so */
    assert_int_equal(groups_end(&w, &r), DT_CAUSE_RULE_ALLOW);
    assert_int_equal(groups_end(&w, &r), DT_CAUSE_RULE_ALLOW);
    assert_int_equal(world_outcome(&w)->okta_calls, 0);
    world_all_used(&w);
    world_close(&w);
}

/* What both tell is kept as Okta's, too, and counts when the request no longer tells it, however much the
 * request tells. */
static void test_what_both_tell_is_kept(void **state)
{
    char const *told[DT_SIGNON_GROUPS_MAX];
    world w;
    dt_request r;

    (void)state;
    for (size_t i = 0; i < DT_SIGNON_GROUPS_MAX; i++)
        told[i] = of_staff[1];
    open_groups(&w, &r, OF_STAFF("DENY", "ALLOW"), from_both);
    r.groups = told;
    r.group_count = DT_SIGNON_GROUPS_MAX;
    expect_groups(&w, staff_page);
    world_expect(&w, DT_HTTP_GET, "/api/v1/groups?", 200, staff_page);
    assert_int_equal(groups_end(&w, &r), DT_CAUSE_RULE_DENY);
    r.group_count = 0;
    assert_int_equal(groups_end(&w, &r), DT_CAUSE_RULE_DENY);
    world_all_used(&w);
    world_close(&w);
}

/* Of a saved one, what came with the request is whole names at the front of all. */
static void test_saved_groups_hold_together(void **state)
{
    static struct {
        size_t len, count;
        int error;
    } const told[] = {
        {6, 1, 0},          {6, 0, DT_E_PARSE}, {5, 1, DT_E_PARSE},   {0, 1, DT_E_PARSE},
        {7, 1, DT_E_PARSE}, {6, 2, DT_E_PARSE}, {600, 1, DT_E_PARSE}, {0, 0, 0}};
    world w;
    dt_request r;

    (void)state;
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        dt_buf b;

        open_groups(&w, &r, OF_STAFF("ALLOW", "DENY"), from_both);
        r.groups = of_staff + 1;
        r.group_count = 1;
        world_begin(&w, &r);
        dt_signon_next(w.machine, w.now, &w.step);
        assert_int_equal(w.step.kind, DT_STEP_STORE);
        assert_int_equal(w.machine->request_groups_len, sizeof("STAFF"));
        w.machine->request_groups_len = told[i].len;
        w.machine->request_group_count = told[i].count;
        dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
        assert_int_equal(dt_signon_save(w.machine, &b), 0);
        if (dt_signon_load(w.machine, &w.ruleset, dt_buf_bytes(&b)) != told[i].error)
            fail_msg("case %zu", i);
        dt_buf_free(&b);
        world_close(&w);
    }
}

/* A record that is none is not believed, and takes nothing away that the request told. */
static void test_a_broken_record_of_groups(void **state)
{
    static char const *const records[] = {
        "x",
        "{}",
        "{\"v\":1,\"at\":1,\"one_each\":true,\"okta\":[\"staff\"]}",
        "{\"v\":1,\"at\":9999999999999,\"one_each\":true,\"okta\":[\"staff\"]}",
        "{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":[\"staff\",7]}",
        "{\"v\":1,\"at\":1700000000000,\"one_each\":true,\"okta\":null}"};
    world w;
    dt_request r;

    (void)state;
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        world_row *row;

        open_groups(&w, &r, OF_STAFF("ALLOW", "DENY"), from_both);
        expect_groups(&w, everyone_page);
        assert_int_equal(groups_end(&w, &r), DT_CAUSE_RULE_DENY);
        row = world_find(&w, DT_TABLE_LOOKUP, "okta-groups:");
        assert_non_null(row);
        row->len = strlen(records[i]);
        memcpy(row->value, records[i], row->len);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, everyone_page);
        assert_int_equal(groups_end(&w, &r), DT_CAUSE_RULE_DENY);
        row->len = strlen(records[i]);
        memcpy(row->value, records[i], row->len);
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, everyone_page);
        r.groups = of_staff;
        r.group_count = 2;
        assert_int_equal(groups_end(&w, &r), DT_CAUSE_RULE_ALLOW);
        world_all_used(&w);
        world_close(&w);
    }
}

/* One who does not answer leaves all unknown, whatever the others told. */
static void test_one_who_does_not_tell(void **state)
{
    static char const *const policies[] = {OF_STAFF("ALLOW", "DENY"), OF_STAFF("DENY", "ALLOW"),
                                           POLICY(NOT_STAFF, "ALLOW", "DENY"),
                                           POLICY(NOT_STAFF, "DENY", "ALLOW")};
    world w;
    dt_request r;

    (void)state;
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        open_groups(&w, &r, policies[i], from_both);
        r.group_knowledge = DT_GROUPS_UNKNOWN; /* and Okta is not asked in vain */
        assert_int_equal(groups_end(&w, &r), DT_CAUSE_GROUPS_UNKNOWN);
        assert_int_equal(world_outcome(&w)->okta_calls, 0);
        r.group_knowledge = DT_GROUPS_KNOWN;
        r.groups = of_staff;
        r.group_count = 2;
        world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
        for (int k = 0; k < 3; k++)
            world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 503, OKTA_BROKEN);
        assert_int_equal(groups_end(&w, &r), DT_CAUSE_GROUPS_UNKNOWN);
        world_all_used(&w);
        /* That it did not answer is not kept. */
        world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, everyone_page);
        assert_int_not_equal(groups_end(&w, &r), DT_CAUSE_GROUPS_UNKNOWN);
        world_all_used(&w);
        world_close(&w);
    }
}

typedef struct failing {
    int status;
    char const *body;
    int times; /* that it is asked */
} failing;

/* Wherever it fails: on the way to the person, at the first page, at a later one. */
static void test_groups_failing_at_each_point(void **state)
{
    static failing const ways[] = {
        {503, "", 3},
        {0, "", 3},
        {429, "", 3},
        {200, "<html>", 1},
        {200, "{\"id\":\"00u1\"", 1},
        {404, "{\"errorCode\":\"E0000007\"}", 1},
        {403, "{\"errorCode\":\"E0000006\"}", 1},
        {200, "[{\"id\":\"00g1\",\"profile\":{}}]", 1},
        {200, "[{\"id\":\"00g1\",\"profile\":{\"name\":7}}]", 1},
    };
    static char const *const policies[] = {OF_STAFF("ALLOW", "DENY"), OF_STAFF("DENY", "ALLOW"),
                                           POLICY(NOT_STAFF, "ALLOW", "DENY"),
                                           POLICY(NOT_STAFF, "DENY", "ALLOW")};
    world w;
    dt_request r;

    (void)state;
    for (size_t n = 0; n < 4 * 3 * sizeof(ways) / sizeof(ways[0]); n++) {
        failing const *way = &ways[n / 12];
        unsigned point = n / 4 % 3;
        dt_cause cause;

        open_groups(&w, &r, policies[n % 4], from_okta);
        if (point > 0)
            world_expect(&w, DT_HTTP_GET, "/api/v1/users/ann", 200, OKTA_USER);
        if (point > 1) {
            world_expect(&w, DT_HTTP_GET, "/users/00u1/groups", 200, staff_page);
            w.replies[w.reply_count - 1].next_link = NEXT_PAGE;
        }
        for (int k = 0; k < way->times; k++)
            world_expect(&w, DT_HTTP_GET, point == 0 ? "/users/ann" : "/groups", way->status,
                         way->body);
        cause = groups_end(&w, &r);
        /* A token that Okta does not take is a fault of the configuration, and denies as one. */
        if (cause != DT_CAUSE_GROUPS_UNKNOWN && cause != DT_CAUSE_CONFIG)
            fail_msg("way %zu, point %u, policy %zu: %s", n / 12, point, n % 4,
                     dt_cause_name(cause));
        assert_int_equal(world_outcome(&w)->result, DT_DENY);
        assert_null(world_find(&w, DT_TABLE_LOOKUP, "okta-groups:"));
        world_close(&w);
    }
}

int main(void)
{
    static struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_neither_yes_nor_no),
        cmocka_unit_test(test_neither_when_saved),
        cmocka_unit_test(test_what_is_no_laxer),
        cmocka_unit_test(test_the_administrator_is_told),
        cmocka_unit_test(test_addresses_that_can_be_read),
        cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_a_reason_that_is_not_known),
        cmocka_unit_test(test_several_tell_groups),
        cmocka_unit_test(test_what_both_tell_is_kept),
        cmocka_unit_test(test_saved_groups_hold_together),
        cmocka_unit_test(test_a_broken_record_of_groups),
        cmocka_unit_test(test_one_who_does_not_tell),
        cmocka_unit_test(test_groups_failing_at_each_point),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
