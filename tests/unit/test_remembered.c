/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Remembered MFA: what it is bound to, how long it is good, and what ends it. A person signs on
 * again and again under a fake clock; the org answers as it is at the time. */
#include "signon_world.h"

#include "core/signon/remembered.h"
#include "core/signon/signon_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY_FACTOR "\"push\",\"token:software:totp\""
#define POLICY_MAX 2048
#define OCTOBER 1697493600000 /* 2023-10-17T00:00 in Berlin, two weeks before its clocks go back */

/* --- a person, an org, a policy --------------------------------------------------------------- */

typedef struct company {
    world w;
    char user[512], factors[512];
    char const *password, *status_changed, *totp_id, *totp_created;
    char const *user_id;
    bool away;
    world_reply reply;
    int okta_calls;
    dt_request request;
} company;

static company *of_world(world *w)
{
    return (company *)w; /* its first member */
}

/* Okta as it is now, and Intune that knows the device as compliant. */
static world_reply const *org(world *w, dt_http_request const *q)
{
    company *c = of_world(w);

    c->reply = (world_reply){.method = q->method, .url_part = "", .status = 200};
    if (strstr(q->url, "/managedDevices/")) {
        c->reply.body = GRAPH_COMPLIANT;
        return &c->reply;
    }
    c->okta_calls++;
    if (c->away)
        c->reply.status = 0;
    snprintf(c->user, sizeof(c->user),
             "{\"id\":\"%s\",\"status\":\"ACTIVE\",\"statusChanged\":\"%s\",\"passwordChanged\":%s,"
             "\"profile\":{\"login\":\"%s@example.com\"}}",
             c->user_id, c->status_changed, c->password, c->request.user);
    snprintf(c->factors, sizeof(c->factors),
             "[{\"id\":\"%s\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\","
             "\"status\":\"ACTIVE\",\"created\":\"%s\"}]",
             c->totp_id, c->totp_created);
    c->reply.body = strstr(q->url, "/verify")    ? OKTA_SUCCESS
                    : strstr(q->url, "/factors") ? c->factors
                                                 : c->user;
    return &c->reply;
}

/* One rule for all: MFA with this prompt. `group` may be NULL. */
static char *policy_text(char text[POLICY_MAX], char const *frequency, char const *factors,
                         char const *more, char const *group)
{
    snprintf(text, POLICY_MAX,
             "{\"name\":\"vpn\",\"application\":\"vpn\",%s%s%s\"rules\":[{\"name\":\"all\","
             "\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":"
             "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"%s\",\"factors\":[%s]%s}}"
             "}}]}",
             group ? "\"applicationGroup\":\"" : "", group ? group : "", group ? "\"," : "",
             frequency, factors, more);
    return text;
}

static void set_policy(company *c, char const *frequency, char const *factors, char const *more,
                       char const *group)
{
    char text[POLICY_MAX];
    dt_json *root = NULL;
    dt_error e = {0};

    dt_policy_free(&c->w.policy);
    policy_text(text, frequency, factors, more, group);
    if (dt_json_parse(dt_bytes_str(text), &root, &e) < 0 ||
        dt_policy_parse(root, "vpn.json", NULL, &c->w.policy, &e) < 0)
        fail_msg("%s: %s", text, e.text);
    dt_json_free(&root);
    c->w.ruleset.policy = c->w.policy;
}

static void open_company(company *c, char const *frequency, char const *more,
                         char const *const *settings)
{
    char text[POLICY_MAX];

    memset(c, 0, sizeof(*c));
    world_open(&c->w, policy_text(text, frequency, ANY_FACTOR, more, NULL), settings);
    c->w.org = org;
    c->password = "\"2023-01-01T00:00:00.000Z\"";
    c->status_changed = "2022-01-01T00:00:00.000Z";
    c->totp_created = "2022-01-02T00:00:00.000Z";
    c->totp_id = "ost1";
    c->user_id = "00u1";
    c->request = world_request();
    c->request.certificate = dt_bytes_of(c->w.leaf, c->w.leaf_len);
    c->request.handshake_finished = true;
}

static void close_company(company *c)
{
    world_close(&c->w);
}

/* One sign-on, answering whatever is asked. How it ended. */
static dt_cause sign_on(company *c)
{
    world_begin(&c->w, &c->request);
    if (world_run(&c->w) == DT_STEP_PROMPT) {
        world_show(&c->w);
        world_answer(&c->w, "123456");
    }
    return world_outcome(&c->w)->cause;
}

/* The same, by somebody who gives no passcode: DT_CAUSE_NONE when it was asked for. */
static dt_cause look(company *c)
{
    world_begin(&c->w, &c->request);
    return world_run(&c->w) == DT_STEP_DONE ? world_outcome(&c->w)->cause : DT_CAUSE_NONE;
}

#define ASKED(c) assert_int_equal(sign_on(c), DT_CAUSE_MFA_SUCCESS)
#define REMEMBERED(c) assert_int_equal(sign_on(c), DT_CAUSE_MFA_REMEMBERED)

static world_row *row(company *c)
{
    return world_find(&c->w, DT_TABLE_REMEMBERED, "mfa:");
}

static void without_key(company *c)
{
    c->request.certificate = dt_bytes_of(NULL, 0);
    c->request.handshake_finished = false;
}

/* --- frequencies ------------------------------------------------------------------------------ */

static dt_time const step = DT_HOURS(7) + DT_MINUTES(13);

/* A sign-on every few hours for more than a year, both changes of daylight saving in it: MFA is asked
 * for at the first one past the limit, and never before. */
static void over_months(char const *frequency, dt_time lifetime)
{
    company c;
    dt_time last = 0;
    int asked = 0;

    open_company(&c, frequency, "", NULL);
    c.w.now = OCTOBER;
    for (; c.w.now < OCTOBER + DT_DAYS(300); c.w.now += step) {
        dt_cause cause = sign_on(&c);

        if (cause == DT_CAUSE_MFA_SUCCESS) {
            if (asked++ > 0 && (c.w.now - last < lifetime || c.w.now - last > lifetime + step))
                fail_msg("%s: asked after %lld minutes", frequency,
                         (long long)((c.w.now - last) / DT_MINUTES(1)));
            last = c.w.now;
        } else if (cause != DT_CAUSE_MFA_REMEMBERED) {
            fail_msg("%s: %s", frequency, dt_cause_name(cause));
        } else if (c.w.now - last >= lifetime) {
            fail_msg("%s: remembered for %lld minutes", frequency,
                     (long long)((c.w.now - last) / DT_MINUTES(1)));
        }
    }
    assert_true(asked >= 1 && (lifetime > DT_DAYS(300) || asked > 1));
    assert_true(lifetime < DT_DAYS(300) || asked == 1);
    close_company(&c);
}

static void test_frequencies_over_months(void **state)
{
    (void)state;
    over_months("EVERY_SIGN_ON", 0);
    over_months("PT0S", 0);
    over_months("ONCE_A_DAY", DT_DAYS(1));
    over_months("ONCE_A_WEEK", DT_DAYS(7));
    over_months("ONCE_A_MONTH", DT_DAYS(30));
    over_months("ONCE_PER_SIX_MONTHS", DT_DAYS(180));
    over_months("ONLY_ONCE", DT_TIME_NEVER - step);
    over_months("PT8H30M", DT_HOURS(8) + DT_MINUTES(30));
    over_months("P45DT1S", DT_DAYS(45) + DT_SECONDS(1));
}

/* --- the same beside an oracle ------------------------------------------------------------------ */

#define SESSIONS 3
#define OVER_A_YEAR DT_DAYS(390) /* as long as the device certificate is valid */

static uint32_t seed;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* When the person gave MFA last, by the clock of then: in each session, or for all in the first. */
typedef struct oracle {
    dt_time lifetime;
    bool by_session;
    bool given[SESSIONS];
    dt_time at[SESSIONS];
} oracle;

/* Said plainly: good from when it was given until its time is over, and never from the future. */
static bool oracle_remembers(oracle const *o, unsigned session, dt_time now)
{
    unsigned i = o->by_session ? session : 0;

    return o->given[i] && now >= o->at[i] && now - o->at[i] < o->lifetime;
}

static void oracle_give(oracle *o, unsigned session, dt_time now)
{
    unsigned i = o->by_session ? session : 0;

    o->given[i] = true;
    o->at[i] = now;
}

/* Minutes to days go by; now and then the clock is set, back or ahead. */
static dt_time later(dt_time now, int *steps_back, int *steps_ahead)
{
    switch (any(40)) {
    case 0:
        (*steps_back)++;
        return now - DT_SECONDS(1) - DT_MINUTES(any(60 * 60));
    case 1:
        (*steps_ahead)++;
        return now + DT_HOURS(any(24 * 20));
    case 2:
        return now; /* twice in the same millisecond */
    default:
        return now + DT_SECONDS(1) + (any(3) == 0 ? DT_MINUTES(any(60 * 48)) : DT_MINUTES(any(90)));
    }
}

static void beside_the_oracle(char const *frequency, dt_time lifetime)
{
    static char const *const names[SESSIONS] = {"radius:one", "radius:two", "radius:three"};
    oracle o = {.lifetime = lifetime, .by_session = strcmp(frequency, "ONCE_PER_SESSION") == 0};
    int asked = 0, remembered = 0, back = 0, ahead = 0;
    company c;

    seed = 20261124u;
    open_company(&c, frequency, "", NULL);
    for (c.w.now = OCTOBER; c.w.now < OCTOBER + OVER_A_YEAR;
         c.w.now = later(c.w.now, &back, &ahead)) {
        unsigned session = any(SESSIONS);
        bool good = oracle_remembers(&o, session, c.w.now);
        dt_cause cause;

        c.request.session = names[session];
        cause = sign_on(&c);
        if (cause != (good ? DT_CAUSE_MFA_REMEMBERED : DT_CAUSE_MFA_SUCCESS))
            fail_msg("%s: %s at %lld, given at %lld", frequency, dt_cause_name(cause),
                     (long long)c.w.now, (long long)o.at[o.by_session ? session : 0]);
        asked += !good;
        remembered += good;
        if (!good)
            oracle_give(&o, session, c.w.now);
    }
    assert_true(back > 10 && ahead > 10 && asked > 0);
    assert_int_equal(remembered > 0, lifetime > DT_SECONDS(1));
    close_company(&c);
}

static void test_over_a_year_beside_an_oracle(void **state)
{
    (void)state;
    beside_the_oracle("EVERY_SIGN_ON", 0);
    beside_the_oracle("ONCE_PER_SESSION", DT_SESSION_MFA_MAX);
    beside_the_oracle("ONCE_A_DAY", DT_DAYS(1));
    beside_the_oracle("ONCE_A_WEEK", DT_DAYS(7));
    beside_the_oracle("ONCE_A_MONTH", DT_DAYS(30));
    beside_the_oracle("ONCE_PER_SIX_MONTHS", DT_DAYS(180));
    beside_the_oracle("ONLY_ONCE", DT_TIME_NEVER);
    beside_the_oracle("PT8H", DT_HOURS(8));
    beside_the_oracle("P1D", DT_DAYS(1));
    beside_the_oracle("P1M", DT_DAYS(30));
    beside_the_oracle("P1Y", DT_DAYS(365));
    beside_the_oracle("PT1M1S", DT_MINUTES(1) + DT_SECONDS(1));
    beside_the_oracle("P1W", DT_DAYS(7));
}

static void test_to_the_millisecond(void **state)
{
    company c;

    (void)state;
    open_company(&c, "PT8H", "", NULL);
    ASKED(&c);
    c.w.now += DT_HOURS(8) - 1;
    REMEMBERED(&c);
    c.w.now += 1;
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    /* What has ended does not come back with the clock. */
    c.w.now -= DT_HOURS(4);
    ASKED(&c);
    close_company(&c);
}

/* Using it does not make it last longer. */
static void test_use_prolongs_nothing(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    for (int i = 0; i < 23; i++) {
        c.w.now += DT_HOURS(1);
        REMEMBERED(&c);
    }
    c.w.now += DT_HOURS(1);
    ASKED(&c);
    close_company(&c);
}

/* --- the clock -------------------------------------------------------------------------------- */

static void test_clock_set_back(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    c.w.now -= 1;
    ASKED(&c); /* given in the future: not believed, and gone */
    c.w.now += 1;
    REMEMBERED(&c);
    c.w.now -= DT_DAYS(20);
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    c.w.now += DT_DAYS(20);
    assert_int_equal(look(&c), DT_CAUSE_NONE); /* it was dropped, for good */
    close_company(&c);
}

static void test_clock_set_forward(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_WEEK", "", NULL);
    ASKED(&c);
    c.w.now += DT_DAYS(20);
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    c.w.now -= DT_DAYS(20);
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    close_company(&c);
}

/* --- what it is bound to ---------------------------------------------------------------------- */

static void other_user(company *c)
{
    c->request.user = "bob";
    c->user_id = "00u2";
}

static void other_application(company *c)
{
    c->request.application = "wifi";
}

static void key_not_proved(company *c)
{
    c->request.handshake_finished = false;
}

static void other_ip(company *c)
{
    c->request.client_ip = "192.0.2.8";
}

static void no_ip(company *c)
{
    c->request.client_ip = "";
}

static void name_for_ip(company *c)
{
    c->request.client_ip = "host.example.com";
}

static void nobodys_ip(company *c)
{
    c->request.client_ip = "255.255.255.254"; /* what a NAS puts there before it chooses one */
}

static void other_station(company *c)
{
    c->request.station = "192.0.2.77";
}

static void no_station(company *c)
{
    c->request.station = "";
}

static void other_session(company *c)
{
    c->request.session = "radius:2";
}

static void no_session(company *c)
{
    c->request.session = "";
}

static void nothing(company *c)
{
    (void)c;
}

typedef void change(company *c);

/* After an MFA, `what` changes: asked again, or not. */
static void bound(char const *frequency, char const *more, bool key, change *what, bool remembered)
{
    company c;

    open_company(&c, frequency, more, NULL);
    c.request.session = "radius:1";
    if (!key)
        without_key(&c);
    ASKED(&c);
    c.w.now += DT_MINUTES(1);
    what(&c);
    if (remembered)
        REMEMBERED(&c);
    else
        assert_int_equal(look(&c), DT_CAUSE_NONE);
    close_company(&c);
}

#define BY(what) ",\"remember\":{\"by\":[" what "]}"

static void test_bound_to_the_key(void **state)
{
    (void)state;
    bound("ONCE_A_DAY", "", true, nothing, true);
    bound("ONCE_A_DAY", "", true, other_ip, true);
    bound("ONCE_A_DAY", "", true, no_station, true);
    bound("ONCE_A_DAY", "", true, other_session, true);
    bound("ONCE_A_DAY", "", true, other_user, false);
    bound("ONCE_A_DAY", "", true, other_application, false);
    bound("ONCE_A_DAY", "", true, key_not_proved, false);
    bound("ONCE_A_DAY", "", true, without_key, false);
    /* Given with the key, it is the key's, whatever the rule takes for those who have none. */
    bound("ONCE_A_DAY", BY("\"USER\""), true, nothing, true);
    bound("ONCE_A_DAY", BY("\"USER\""), true, without_key, false);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\""), true, key_not_proved, false);
}

static void test_without_a_key_only_where_the_rule_says_so(void **state)
{
    (void)state;
    bound("ONCE_A_DAY", "", false, nothing, false);
    bound("ONLY_ONCE", "", false, nothing, false);
    bound("ONCE_A_DAY", BY("\"USER\""), false, nothing, true);
    bound("ONCE_A_DAY", BY("\"USER\""), false, other_ip, true);
    bound("ONCE_A_DAY", BY("\"USER\""), false, other_user, false);
    bound("ONCE_A_DAY", BY("\"USER\""), false, other_application, false);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\""), false, nothing, true);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\""), false, other_station, true);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\""), false, other_ip, false);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\""), false, no_ip, false);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\""), false, name_for_ip, false);
    bound("ONCE_A_DAY", BY("\"STATION\""), false, nothing, true);
    bound("ONCE_A_DAY", BY("\"STATION\""), false, other_ip, true);
    bound("ONCE_A_DAY", BY("\"STATION\""), false, other_station, false);
    bound("ONCE_A_DAY", BY("\"STATION\""), false, no_station, false);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\",\"STATION\""), false, nothing, true);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\",\"STATION\""), false, other_ip, false);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\",\"STATION\""), false, other_station, false);
    bound("ONCE_A_DAY", BY("\"CLIENT_IP\",\"STATION\""), false, other_user, false);
}

/* Where what the rule names is not known from the start, nothing is kept. */
static void test_what_is_not_known_binds_nothing(void **state)
{
    static change *const unknown[] = {no_ip, name_for_ip, nobodys_ip};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        company c;

        open_company(&c, "ONCE_A_DAY", BY("\"CLIENT_IP\""), NULL);
        without_key(&c);
        unknown[i](&c);
        ASKED(&c);
        assert_null(row(&c));
        ASKED(&c);
        close_company(&c);
    }
}

/* One address has many spellings; that it is one is no reason to ask. */
static void test_one_address(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", BY("\"CLIENT_IP\""), NULL);
    without_key(&c);
    c.request.client_ip = "2001:db8::1";
    ASKED(&c);
    c.request.client_ip = "2001:0DB8:0:0::1";
    REMEMBERED(&c);
    c.request.client_ip = "2001:db8::2";
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    close_company(&c);
}

static void test_a_group_of_applications(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    set_policy(&c, "ONCE_A_DAY", ANY_FACTOR, "", "remote");
    ASKED(&c);
    c.request.application = "wifi";
    REMEMBERED(&c);
    set_policy(&c, "ONCE_A_DAY", ANY_FACTOR, "", "office");
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    set_policy(&c, "ONCE_A_DAY", ANY_FACTOR, "", NULL);
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    /* A group is no application of the same name. */
    c.request.application = "remote";
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    close_company(&c);
}

/* --- sessions --------------------------------------------------------------------------------- */

static void test_once_per_session(void **state)
{
    (void)state;
    bound("ONCE_PER_SESSION", "", true, nothing, true);
    bound("ONCE_PER_SESSION", "", true, other_ip, true);
    bound("ONCE_PER_SESSION", "", true, other_session, false);
    bound("ONCE_PER_SESSION", "", true, no_session, false);
    bound("ONCE_PER_SESSION", "", true, other_user, false);
    bound("ONCE_PER_SESSION", "", true, other_application, false);
    bound("ONCE_PER_SESSION", "", true, without_key, false);
    bound("ONCE_PER_SESSION", "", false, nothing, false);
    bound("ONCE_PER_SESSION", BY("\"USER\""), false, nothing, true);
    bound("ONCE_PER_SESSION", BY("\"USER\""), false, other_session, false);
    bound("ONCE_PER_SESSION", BY("\"STATION\""), false, nothing, true);
    bound("ONCE_PER_SESSION", BY("\"STATION\""), false, other_station, false);
}

static void test_without_a_session_every_sign_on(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_PER_SESSION", "", NULL);
    for (int i = 0; i < 3; i++) {
        ASKED(&c);
        assert_null(row(&c));
    }
    close_company(&c);
}

static void test_a_session_ends(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_PER_SESSION", "", NULL);
    c.request.session = "radius:1";
    ASKED(&c);
    assert_int_equal(row(&c)->expires, c.w.now + DT_SESSION_MFA_MAX);
    row(&c)->expires = DT_TIME_NEVER;
    c.w.now += DT_SESSION_MFA_MAX - 1;
    REMEMBERED(&c);
    c.w.now += 1;
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    close_company(&c);
}

/* One that is good for a day is none of the session, nor the other way round. */
static void test_session_and_day_are_apart(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    c.request.session = "radius:1";
    ASKED(&c);
    set_policy(&c, "ONCE_PER_SESSION", ANY_FACTOR, "", NULL);
    ASKED(&c);
    REMEMBERED(&c);
    memset(row(&c), 0, sizeof(world_row)); /* the first of the two: the day's */
    set_policy(&c, "ONCE_A_DAY", ANY_FACTOR, "", NULL);
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    close_company(&c);
}

/* --- the policy changes ----------------------------------------------------------------------- */

static void test_the_rule_that_matches_now(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    c.w.now += DT_HOURS(9);
    REMEMBERED(&c);
    set_policy(&c, "ONCE_A_WEEK", ANY_FACTOR, "", NULL); /* longer */
    c.w.now += DT_DAYS(3);
    REMEMBERED(&c);
    set_policy(&c, "PT8H", ANY_FACTOR, "", NULL); /* shorter: ended */
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    set_policy(&c, "ONCE_A_WEEK", ANY_FACTOR, "", NULL); /* and ended it stays */
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    close_company(&c);
}

static void tightened(char const *frequency, char const *factors, char const *more)
{
    company c;

    open_company(&c, "ONCE_A_DAY", BY("\"STATION\""), NULL);
    without_key(&c);
    ASKED(&c);
    REMEMBERED(&c);
    set_policy(&c, frequency, factors, more, NULL);
    if (strcmp(factors, "\"push\"") == 0)
        assert_int_equal(sign_on(&c), DT_CAUSE_MFA_NO_FACTOR);
    else
        assert_int_equal(look(&c), DT_CAUSE_NONE);
    close_company(&c);
}

static void test_policies_that_tighten(void **state)
{
    (void)state;
    tightened("EVERY_SIGN_ON", ANY_FACTOR, "");
    tightened("ONCE_PER_SESSION", ANY_FACTOR, BY("\"STATION\""));
    tightened("ONCE_A_DAY", "\"push\"", BY("\"STATION\""));
    tightened("ONCE_A_DAY", ANY_FACTOR, "");
    tightened("ONCE_A_DAY", ANY_FACTOR, BY("\"CLIENT_IP\",\"STATION\""));
}

static void test_a_factor_the_company_no_longer_allows(void **state)
{
    static char const *const push_only[] = {"mfa", "factors", "push", NULL};
    company c, d;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    open_company(&d, "ONCE_A_DAY", "", push_only);
    d.request.certificate = dt_bytes_of(c.w.leaf, c.w.leaf_len);
    memcpy(d.w.rows, c.w.rows, sizeof(d.w.rows));
    dt_trust_store_free(&d.w.anchors);
    d.w.anchors = c.w.anchors;
    d.w.ruleset.anchors = c.w.anchors;
    assert_int_equal(sign_on(&d), DT_CAUSE_MFA_NO_FACTOR);
    d.w.anchors = NULL;
    close_company(&d);
    close_company(&c);
}

/* --- password, account, factor ---------------------------------------------------------------- */

static void password_changed(company *c)
{
    c->password = "\"2023-11-14T22:20:00.000Z\"";
}

static void password_unknown(company *c)
{
    c->password = "null";
}

static void status_changed(company *c)
{
    c->status_changed = "2023-11-14T22:20:00.000Z";
}

static void factor_enrolled_anew(company *c)
{
    c->totp_id = "ost2";
    c->totp_created = "2023-11-14T22:20:00.000Z";
}

static void factor_with_the_same_id(company *c)
{
    c->totp_created = "2023-11-14T22:20:00.000Z";
}

static void another_account(company *c)
{
    c->user_id = "00u2";
}

/* Within user_ttl Okta is not asked, afterwards the change is seen, and what was remembered has ended
 * even when the change is taken back. */
static void ended_by(change *what)
{
    company c;

    open_company(&c, "ONCE_A_WEEK", "", NULL);
    ASKED(&c);
    what(&c);
    c.okta_calls = 0;
    c.w.now += DT_MINUTES(10) - 1;
    REMEMBERED(&c);
    assert_int_equal(c.okta_calls, 0);
    c.w.now += 1;
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    assert_non_null(strstr(dt_signon_outcome(c.w.machine)->detail, "has ended"));
    close_company(&c);
}

static void test_ended_at_okta(void **state)
{
    (void)state;
    ended_by(password_changed);
    ended_by(password_unknown);
    ended_by(status_changed);
    ended_by(factor_enrolled_anew);
    ended_by(factor_with_the_same_id);
    ended_by(another_account);
}

/* The check costs two calls once within user_ttl and none between. */
static void test_what_the_check_costs(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    for (int i = 0; i < 20; i++) {
        c.okta_calls = 0;
        c.w.now += DT_MINUTES(10);
        REMEMBERED(&c);
        assert_int_equal(c.okta_calls, 2);
        c.w.now += DT_MINUTES(9);
        REMEMBERED(&c);
        assert_int_equal(c.okta_calls, 2);
        assert_int_equal(world_outcome(&c.w)->okta_calls, 0);
    }
    close_company(&c);
}

static void test_a_user_who_is_no_longer_active(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    c.w.now += DT_MINUTES(11);
    world_expect(&c.w, DT_HTTP_GET, "/api/v1/users/ann", 200,
                 "{\"id\":\"00u1\",\"status\":\"SUSPENDED\",\"profile\":{\"login\":"
                 "\"ann@example.com\"}}");
    /* Intune's answer is fresh for a quarter of an hour. */
    assert_int_equal(sign_on(&c), DT_CAUSE_OKTA_USER_SUSPENDED);
    close_company(&c);
}

static void test_while_okta_is_away(void **state)
{
    static char const *const short_limit[] = {"okta", "stale_limit", "2h", NULL};
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", short_limit);
    ASKED(&c);
    c.away = true;
    c.w.now += DT_HOURS(2) - 1;
    c.okta_calls = 0;
    REMEMBERED(&c);
    assert_int_equal(c.okta_calls, 1); /* nobody waits for retries */
    assert_true(world_outcome(&c.w)->stale);
    c.w.now += 1;
    assert_int_equal(sign_on(&c), DT_CAUSE_OKTA_UNAVAILABLE);
    c.away = false;
    REMEMBERED(&c); /* the outage ended nothing */
    assert_false(world_outcome(&c.w)->stale);
    close_company(&c);
}

/* The user can be asked about, the factors cannot. */
static void test_half_an_answer(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    c.w.now += DT_MINUTES(11);
    world_expect(
        &c.w, DT_HTTP_GET, "/api/v1/users/ann", 200,
        "{\"id\":\"00u1\",\"status\":\"ACTIVE\",\"statusChanged\":\"2022-01-01T00:00:00Z\","
        "\"passwordChanged\":\"2023-01-01T00:00:00Z\",\"profile\":{\"login\":"
        "\"ann@example.com\"}}");
    world_expect(&c.w, DT_HTTP_GET, "/factors", 503, "{}");
    assert_int_equal(sign_on(&c), DT_CAUSE_MFA_REMEMBERED);
    assert_true(world_outcome(&c.w)->stale);
    close_company(&c);
}

/* What was said last counts while Okta is away, also against the person. */
static void test_away_and_changed(void **state)
{
    company c;
    world_row *user;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    user = world_find(&c.w, DT_TABLE_LOOKUP, "okta-user:");
    user->len = (size_t)snprintf(user->value, sizeof(user->value),
                                 "{\"v\":1,\"at\":%lld,\"password\":5,\"status\":1640995200000,"
                                 "\"id\":\"00u1\"}",
                                 (long long)c.w.now);
    c.w.now += DT_HOURS(1);
    c.away = true;
    assert_int_equal(sign_on(&c), DT_CAUSE_OKTA_UNAVAILABLE);
    c.away = false;
    ASKED(&c);
    close_company(&c);
}

/* --- the store -------------------------------------------------------------------------------- */

static void test_a_lost_store_costs_an_mfa(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONLY_ONCE", "", NULL);
    ASKED(&c);
    assert_int_equal(row(&c)->expires, DT_TIME_NEVER);
    memset(c.w.rows, 0, sizeof(c.w.rows));
    ASKED(&c);
    c.w.store_broken = true;
    ASKED(&c);
    c.w.store_broken = false;
    REMEMBERED(&c);
    close_company(&c);
}

static void test_rows_are_kept_for_the_rules_to_come(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    assert_int_equal(row(&c)->expires, c.w.now + DT_REMEMBERED_KEPT);
    set_policy(&c, "ONCE_PER_SIX_MONTHS", ANY_FACTOR, "", NULL);
    c.w.now += DT_DAYS(32);
    ASKED(&c);
    assert_int_equal(row(&c)->expires, c.w.now + DT_DAYS(180));
    close_company(&c);
}

static void put_record(company *c, dt_remembered const *r)
{
    world_row *at = row(c);
    dt_buf b;

    dt_buf_init_fixed(&b, at->value, sizeof(at->value));
    assert_int_equal(dt_remembered_pack(r, &b), 0);
    at->len = b.len;
}

/* A row that was put under somebody's key, or made longer-lived, says itself whose it is. */
static void test_a_row_under_another_key(void **state)
{
    company c;
    dt_remembered mine, other;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    ASKED(&c);
    assert_int_equal(dt_remembered_unpack(dt_bytes_of(row(&c)->value, row(&c)->len), &mine), 0);
    assert_string_equal(mine.login, "ann@example.com");
    assert_string_equal(mine.device_id, WORLD_DEVICE);
    assert_int_equal(mine.factor, DT_FACTOR_TOTP);
    for (int i = 0; i < 6; i++) {
        other = mine;
        other.at = c.w.now;
        if (i == 0)
            strcpy(other.login, "bob@example.com");
        if (i == 1)
            other.key_id[0] = other.key_id[0] == '0' ? '1' : '0';
        if (i == 2)
            strcpy(other.application, "wifi");
        if (i == 3)
            strcpy(other.group, "vpn");
        if (i == 4)
            strcpy(other.session, "x");
        if (i == 5)
            other.by = DT_REMEMBER_BY_USER;
        put_record(&c, &other);
        assert_int_equal(look(&c), DT_CAUSE_NONE);
        ASKED(&c);
    }
    mine.at = c.w.now;
    put_record(&c, &mine);
    REMEMBERED(&c);
    close_company(&c);
}

static void test_records_that_are_none(void **state)
{
    static char const *const bad[] = {
        "", "yes", "{}", "[]", "null", "{\"v\":1,\"at\":1700000000000,\"factor\":1}",
    };
    company c;
    dt_remembered r;
    char good[4096], text[4096];
    dt_buf b;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ASKED(&c);
        row(&c)->len = (size_t)snprintf(row(&c)->value, sizeof(row(&c)->value), "%s", bad[i]);
        assert_int_equal(look(&c), DT_CAUSE_NONE);
        assert_null(row(&c)); /* gone, so that it costs nothing again */
    }
    ASKED(&c);
    memcpy(good, row(&c)->value, row(&c)->len);
    good[row(&c)->len] = '\0';
    /* Cut anywhere, and every member changed into another's type. */
    for (size_t len = 0; len < strlen(good); len++)
        assert_int_equal(dt_remembered_unpack(dt_bytes_of(good, len), &r), DT_E_PARSE);
    for (char *colon = strchr(good, ':'); colon; colon = strstr(colon + 1, "\":")) {
        char const *value = colon[0] == '"' ? colon + 2 : colon + 1;
        char const *end =
            value[0] == '"' ? strchr(value + 1, '"') + 1 : value + strcspn(value, ",}");

        snprintf(text, sizeof(text), "%.*snull%s", (int)(value - good), good, end);
        assert_int_equal(dt_remembered_unpack(dt_bytes_str(text), &r), DT_E_PARSE);
        assert_int_equal(r.at, 0);
    }
    assert_int_equal(dt_remembered_unpack(dt_bytes_str(good), &r), 0);
    r.factor = DT_FACTOR_PUSH | DT_FACTOR_TOTP; /* one, or none */
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_remembered_pack(&r, &b), 0);
    assert_int_equal(dt_remembered_unpack(dt_buf_bytes(&b), &r), DT_E_PARSE);
    close_company(&c);
}

/* --- ends -------------------------------------------------------------------------------------- */

/* A refusal, a timeout, somebody who left: nothing is remembered. */
static void test_nothing_is_kept_of_a_refusal(void **state)
{
    company c;

    (void)state;
    open_company(&c, "ONCE_A_DAY", "", NULL);
    assert_int_equal(look(&c), DT_CAUSE_NONE);
    dt_signon_abandon(c.w.machine, DT_CAUSE_CLIENT_GONE, c.w.now);
    world_run(&c.w);
    assert_null(row(&c));
    world_begin(&c.w, &c.request);
    world_run(&c.w);
    world_show(&c.w);
    for (int i = 0; i < 3; i++)
        world_expect(&c.w, DT_HTTP_POST, "/verify", 403, OKTA_WRONG_CODE);
    for (int i = 0; i < 3; i++) {
        if (i > 0)
            world_show(&c.w);
        world_answer(&c.w, "000000");
    }
    assert_int_equal(world_outcome(&c.w)->cause, DT_CAUSE_MFA_FAILED);
    assert_null(row(&c));
    close_company(&c);
}

/* A saved machine that claims an earlier MFA where no rule asks for any, or in the middle of a push. */
static void test_saved_machines_that_cannot_be(void **state)
{
    company c;
    dt_signon *s;

    (void)state;
    for (int i = 0; i < 5; i++) {
        dt_buf b;

        open_company(&c, "ONCE_A_DAY", "", NULL);
        c.w.save_each_step = false;
        ASKED(&c);
        world_begin(&c.w, &c.request);
        do {
            dt_signon_next(c.w.machine, c.w.now, &c.w.step);
            if (c.w.machine->phase == DT_PHASE_LOOKUP_GET &&
                c.w.machine->lookup.question == DT_QUESTION_FACTORS)
                break;
            world_step(&c.w);
        } while (c.w.step.kind != DT_STEP_DONE);
        s = c.w.machine;
        assert_int_equal(s->phase, DT_PHASE_LOOKUP_GET);
        assert_int_equal(s->lookup.question, DT_QUESTION_FACTORS);
        if (i == 1)
            s->earlier.at = 0;
        if (i == 2)
            s->earlier.factor_stamp[0] = '\0';
        if (i == 3)
            s->outcome.decision.access = DT_ACCESS_DENY;
        if (i == 4)
            s->user_id[0] = '\0';
        dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
        assert_int_equal(dt_signon_save(s, &b), 0);
        assert_int_equal(dt_signon_load(s, &c.w.ruleset, dt_buf_bytes(&b)),
                         i == 0 ? 0 : DT_E_PARSE);
        dt_buf_free(&b);
        close_company(&c);
    }
}

/* --- keys and records by themselves --------------------------------------------------------------- */

static dt_remembered plain_record(void)
{
    return (dt_remembered){.at = 1,
                           .factor = DT_FACTOR_TOTP,
                           .user_id = "u",
                           .factor_stamp = "f:1",
                           .login = "x",
                           .application = "p",
                           .key_id = "q"};
}

/* No two bindings share a key, however their parts are cut: what stands at the end of one part could
 * be read as the beginning of the next if lengths were not part of it. */
static void test_parts_of_a_key_cannot_move(void **state)
{
    dt_remembered a = plain_record(), b = plain_record();
    char first[DT_STORE_KEY_MAX], second[DT_STORE_KEY_MAX];

    (void)state;
    strcpy(a.key_id, "qn0:s");
    strcpy(b.session, "sn0:");
    assert_int_equal(dt_remembered_key(&a, first), DT_OK);
    assert_int_equal(dt_remembered_key(&b, second), DT_OK);
    assert_string_not_equal(first, second);
    a = b = plain_record();
    strcpy(a.login, "xa0:p");
    strcpy(b.application, "pa0:p");
    assert_int_equal(dt_remembered_key(&a, first), DT_OK);
    assert_int_equal(dt_remembered_key(&b, second), DT_OK);
    assert_string_not_equal(first, second);
}

/* Nothing is no binding: two people without it would share one. */
static void test_an_empty_binding_is_none(void **state)
{
    unsigned const by[] = {0, DT_REMEMBER_BY_STATION, DT_REMEMBER_BY_CLIENT_IP,
                           DT_REMEMBER_BY_USER | DT_REMEMBER_BY_STATION,
                           DT_REMEMBER_BY_USER | DT_REMEMBER_BY_CLIENT_IP};
    char key[DT_STORE_KEY_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(by) / sizeof(by[0]); i++) {
        dt_remembered r = plain_record();
        r.key_id[0] = '\0';
        r.by = by[i];
        assert_int_equal(dt_remembered_key(&r, key), DT_E_INVALID);
        assert_string_equal(key, "");
    }
}

static void test_a_session_is_good_for_sessions(void **state)
{
    dt_remembered r = plain_record();
    dt_decision d = {.access = DT_ACCESS_ALLOW_AFTER_MFA,
                     .cause = DT_DECISION_RULE,
                     .frequency = DT_FREQUENCY_ONCE_PER_SESSION,
                     .lifetime = DT_DAYS(1)};
    dt_time now = DT_MINUTES(1);

    (void)state;
    assert_false(dt_remembered_is_good(&r, &d, DT_FACTOR_TOTP, now));
    strcpy(r.session, "s");
    assert_true(dt_remembered_is_good(&r, &d, DT_FACTOR_TOTP, now));
    d.frequency = DT_FREQUENCY_ONCE_A_DAY;
    assert_false(dt_remembered_is_good(&r, &d, DT_FACTOR_TOTP, now));
    r.session[0] = '\0';
    assert_true(dt_remembered_is_good(&r, &d, DT_FACTOR_TOTP, now));
    assert_false(dt_remembered_is_good(&r, &d, DT_FACTOR_PUSH, now));
}

static void test_records_of_other_versions(void **state)
{
    dt_remembered r = plain_record(), back;
    char text[DT_REMEMBERED_RECORD_MAX];
    dt_buf b;

    (void)state;
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_remembered_pack(&r, &b), DT_OK);
    assert_memory_equal(text, "{\"v\":2,", 7);
    assert_int_equal(dt_remembered_unpack(dt_buf_bytes(&b), &back), DT_OK);
    for (int v = '0'; v <= '9'; v++) {
        text[5] = (char)v;
        assert_int_equal(dt_remembered_unpack(dt_buf_bytes(&b), &back),
                         v == '2' ? DT_OK : DT_E_PARSE);
    }
}

#define T(name) cmocka_unit_test(name)
static struct CMUnitTest const tests[] = {
    T(test_frequencies_over_months),
    T(test_over_a_year_beside_an_oracle),
    T(test_to_the_millisecond),
    T(test_use_prolongs_nothing),
    T(test_clock_set_back),
    T(test_clock_set_forward),
    T(test_bound_to_the_key),
    T(test_without_a_key_only_where_the_rule_says_so),
    T(test_what_is_not_known_binds_nothing),
    T(test_one_address),
    T(test_a_group_of_applications),
    T(test_once_per_session),
    T(test_without_a_session_every_sign_on),
    T(test_a_session_ends),
    T(test_session_and_day_are_apart),
    T(test_the_rule_that_matches_now),
    T(test_policies_that_tighten),
    T(test_a_factor_the_company_no_longer_allows),
    T(test_ended_at_okta),
    T(test_what_the_check_costs),
    T(test_a_user_who_is_no_longer_active),
    T(test_while_okta_is_away),
    T(test_half_an_answer),
    T(test_away_and_changed),
    T(test_a_lost_store_costs_an_mfa),
    T(test_rows_are_kept_for_the_rules_to_come),
    T(test_a_row_under_another_key),
    T(test_records_that_are_none),
    T(test_nothing_is_kept_of_a_refusal),
    T(test_saved_machines_that_cannot_be),
    T(test_parts_of_a_key_cannot_move),
    T(test_an_empty_binding_is_none),
    T(test_a_session_is_good_for_sessions),
    T(test_records_of_other_versions),
};

int main(void)
{
    return world_run_tests_twice("remembered MFA", tests);
}
