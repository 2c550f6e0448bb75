/* SPDX-License-Identifier: GPL-2.0-or-later */
/* okta_unavailable against everything that can become of a request: every failure, many statuses and
 * bodies, at each call of a sign-on, for each of its values. Whoever gets in without MFA must owe it to
 * an outage of the closed enumeration (dt_http_is_unavailable), and to nothing else. Each case runs
 * twice: as it is, and with the machine saved and loaded before each step. */
#include "signon_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ERROR(code) "{\"errorCode\":\"" code "\",\"errorSummary\":\"x\"}"
#define MFA                                                                                        \
    "{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\",\"factors\":"      \
    "[\"push\",\"token:software:totp\"]}}"

static char const ASK_ALL[] =
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"ask\",\"priority\":1,"
    "\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":" MFA "}}]}";
static char const ASK_STAFF[] =
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"staff\",\"priority\":1,"
    "\"status\":\"ACTIVE\",\"conditions\":{\"people\":{\"groups\":{\"include\":[\"Staff\"]}}},"
    "\"actions\":{\"appSignOn\":" MFA "}},{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\","
    "\"conditions\":{},\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";
static char const APPROVED[] = "{\"status\":\"SUCCESS\",\"_embedded\":{\"user\":{\"id\":\"00u1\","
                               "\"profile\":{\"login\":\"ann@example.com\"}}}}";

/* --- what can become of a request ------------------------------------------------------------- */

typedef struct ending {
    dt_http_failure failure;
    int status;
    char const *body;
    dt_cause cause; /* of a look-up that ends so; NONE: any but an outage's */
} ending;

static ending const endings[] = {
    {DT_HTTP_NO_NAME, 0, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_NO_ROUTE, 0, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_REFUSED, 0, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_RESET, 0, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_TIMEOUT, 0, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_PROXY_FAILED, 0, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_PAUSED, 0, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_PROXY_REFUSED, 0, "", DT_CAUSE_CONFIG},
    {DT_HTTP_OK, 500, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_OK, 500, ERROR("E0000009"), DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_OK, 502, "<html>bad gateway</html>", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_OK, 503, "{\"factorResult\":\"SUCCESS\"}", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_OK, 599, "", DT_CAUSE_OKTA_UNAVAILABLE},
    {DT_HTTP_LOCAL, 0, "", DT_CAUSE_LOCAL_FAULT},
    {DT_HTTP_BROKEN, 0, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_UNTRUSTED, 0, "", DT_CAUSE_OKTA_UNTRUSTED},
    {DT_HTTP_QUEUED, 0, "", DT_CAUSE_OVERLOADED},
    {DT_HTTP_NO_CREDENTIALS, 0, "", DT_CAUSE_CONFIG},
    {DT_HTTP_ABANDONED, 0, "", DT_CAUSE_OVERLOADED},
    {(dt_http_failure)99, 0, "", DT_CAUSE_LOCAL_FAULT},
    {(dt_http_failure)-1, 503, "", DT_CAUSE_LOCAL_FAULT},
    {DT_HTTP_OK, 504, ERROR("E0000067"), DT_CAUSE_MFA_PROVIDER_FAILED},
    {DT_HTTP_OK, 500, ERROR("E0000138"), DT_CAUSE_MFA_PROVIDER_FAILED},
    {DT_HTTP_OK, 503, ERROR("E0000139"), DT_CAUSE_MFA_PROVIDER_FAILED},
    {DT_HTTP_OK, 429, ERROR("E0000047"), DT_CAUSE_MFA_RATE_LIMITED},
    {DT_HTTP_OK, 429, "", DT_CAUSE_MFA_RATE_LIMITED},
    {DT_HTTP_OK, 200, "{}", DT_CAUSE_NONE},
    {DT_HTTP_OK, 200, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 200, "null", DT_CAUSE_NONE},
    {DT_HTTP_OK, 200, "[{}]", DT_CAUSE_NONE},
    {DT_HTTP_OK, 200, "\"SUCCESS\"", DT_CAUSE_NONE},
    {DT_HTTP_OK, 200, "<html>Sign in</html>", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 200, "{\"factorResult\":\"SUCC", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 200, "{\"factorResult\":null}", DT_CAUSE_NONE},
    {DT_HTTP_OK, 200, "{\"factorResult\":\"ERROR\"}", DT_CAUSE_NONE},
    {DT_HTTP_OK, 201, "{}", DT_CAUSE_NONE},
    {DT_HTTP_OK, 202, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 204, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 302, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 304, "{}", DT_CAUSE_NONE},
    {DT_HTTP_OK, 400, ERROR("E0000074"), DT_CAUSE_NONE},
    {DT_HTTP_OK, 400, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 401, ERROR("E0000011"), DT_CAUSE_CONFIG},
    {DT_HTTP_OK, 403, ERROR("E0000006"), DT_CAUSE_CONFIG},
    {DT_HTTP_OK, 403, "", DT_CAUSE_NONE},
    {DT_HTTP_OK, 404, "", DT_CAUSE_NONE},
    {DT_HTTP_OK, 410, "", DT_CAUSE_NONE},
    {DT_HTTP_OK, 418, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 423, "", DT_CAUSE_NONE},
    {DT_HTTP_OK, 600, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 999, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
    {DT_HTTP_OK, 0, "", DT_CAUSE_OKTA_ANSWER_UNUSABLE},
};

static bool is_outage(ending const *e)
{
    return e->cause == DT_CAUSE_OKTA_UNAVAILABLE;
}

/* --- the calls of a sign-on ------------------------------------------------------------------- */

typedef struct call {
    char const *name;
    dt_http_method method;
    char const *url; /* ends so, or goes on with something else than it has to */
    char const *policy;
    char const *factors;
    bool password;   /* Okta is asked about the password first */
    bool allows;     /* an outage at this call may let in */
    bool is_look_up; /* its ending's cause is as in the table */
} call;

static call const calls[] = {
    {"user", DT_HTTP_GET, "/users/ann%40example.com", ASK_ALL, OKTA_FACTORS, false, true, true},
    {"factors", DT_HTTP_GET, "/users/00u1/factors", ASK_ALL, OKTA_FACTORS, false, true, true},
    {"push", DT_HTTP_POST, "/factors/opf1/verify", ASK_ALL, OKTA_FACTORS_PUSH, false, true, false},
    {"poll", DT_HTTP_GET, "/transactions/v2mst1", ASK_ALL, OKTA_FACTORS_PUSH, false, true, false},
    {"passcode", DT_HTTP_POST, "/factors/ost1/verify", ASK_ALL, OKTA_FACTORS_TOTP, false, true,
     false},
    {"groups", DT_HTTP_GET, "/users/00u1/groups", ASK_STAFF, OKTA_FACTORS, false, false, false},
    {"user for groups", DT_HTTP_GET, "/users/ann%40example.com", ASK_STAFF, OKTA_FACTORS, false,
     false, false},
    {"password", DT_HTTP_POST, "/api/v1/authn", ASK_ALL, OKTA_FACTORS, true, false, false},
    {"user after the password", DT_HTTP_GET, "/users/ann%40example.com", ASK_ALL, OKTA_FACTORS,
     true, true, true},
};

static call const *now_tried;
static ending const *now_given;
static ending const *now_first; /* of the first such call alone; NULL: the same */
static int times_given;

static bool ends_with(char const *url, char const *end)
{
    size_t n = strlen(url), m = strlen(end);

    return n >= m && strcmp(url + n - m, end) == 0;
}

static bool is_call(dt_http_request const *q, dt_http_method method, char const *url)
{
    char path[DT_URL_MAX];

    snprintf(path, sizeof(path), "%.*s", (int)strcspn(q->url, "?"), q->url);
    return q->method == method && ends_with(path, url);
}

/* Okta and Graph, well but for the call that is tried. */
static world_reply const *org(world *w, dt_http_request const *q)
{
    static world_reply given;
    static struct {
        dt_http_method method;
        char const *url;
        int status;
        char const *body;
    } const good[] = {
        {DT_HTTP_GET, "/users/ann%40example.com", 200, OKTA_USER},
        {DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH},
        {DT_HTTP_GET, "/transactions/v2mst1", 200, OKTA_WAITING},
        {DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE},
        {DT_HTTP_DELETE, "/transactions/mst1", 204, ""},
        {DT_HTTP_GET, "/users/00u1/groups", 200, "[{\"profile\":{\"name\":\"Staff\"}}]"},
        {DT_HTTP_POST, "/api/v1/authn", 200, APPROVED},
    };

    (void)w;
    given = (world_reply){.method = q->method, .url_part = "", .status = 404, .body = ""};
    if (is_call(q, now_tried->method, now_tried->url)) {
        ending const *e = times_given++ == 0 && now_first != NULL ? now_first : now_given;
        bool status = e->failure == DT_HTTP_OK;
        given.status = status && e->status != 0 ? e->status : WORLD_FAILS;
        given.failure = e->failure;
        given.body = e->body;
        return &given;
    }
    if (strstr(q->url, "/managedDevices/") != NULL) {
        given.status = 200;
        given.body = GRAPH_COMPLIANT;
    }
    if (is_call(q, DT_HTTP_GET, "/users/00u1/factors")) {
        given.status = 200;
        given.body = now_tried->factors;
    }
    for (size_t i = 0; i < COUNT(good); i++) {
        if (is_call(q, good[i].method, good[i].url)) {
            given.status = good[i].status;
            given.body = good[i].body;
        }
    }
    return &given;
}

typedef struct setting {
    char const *word;
    bool trusted;
    bool allows;
} setting;

static setting const settings[] = {{"deny", false, false},          {"deny", true, false},
                                   {"allow_trusted", false, false}, {"allow_trusted", true, true},
                                   {"allow", false, true},          {"allow", true, true}};

/* A person who waits, presses Enter and types a passcode, to the end. */
static void sign_on(world *w, setting const *s)
{
    dt_request r = world_request();

    if (s->trusted) {
        r.certificate = dt_bytes_of(w->leaf, w->leaf_len);
        r.handshake_finished = true;
    }
    r.password = now_tried->password ? "Right-1" : NULL;
    r.wait_limit = DT_MINUTES(5);
    world_begin(w, &r);
    for (int i = 0; i < 200 && world_run(w) != DT_STEP_DONE; i++) {
        if (w->step.kind == DT_STEP_PROMPT)
            world_show(w);
        if (w->step.kind == DT_STEP_WAIT && w->step.prompt_open && i == 0)
            world_answer(w, "123456");
        else if (w->step.kind == DT_STEP_WAIT)
            world_wait(w);
    }
    assert_true(dt_signon_is_done(w->machine));
}

static void try_one(setting const *s)
{
    char const *const extra[] = {
        "policy",  "okta_unavailable", s->word,
        "policy",  "groups_from",      now_tried->policy == ASK_STAFF ? "okta" : "request",
        "primary", "okta_password",    now_tried->password ? "vpn" : "sshd",
        NULL};
    bool allowed = now_tried->allows && s->allows && is_outage(now_given) && now_first == NULL;
    dt_outcome const *o;
    world w;

    times_given = 0;
    world_open(&w, now_tried->policy, extra);
    w.save_each_step = world_is_saving() && !now_tried->password; /* which is never saved */
    w.org = org;
    sign_on(&w, s);
    o = world_outcome(&w);
    if (times_given == 0)
        fail_msg("%s was never asked", now_tried->name);
    if ((o->result == DT_ALLOW) != allowed ||
        (o->result == DT_ALLOW) != (o->cause == DT_CAUSE_OKTA_UNAVAILABLE_ALLOW))
        fail_msg("okta_unavailable = %s, %s, failure %d, HTTP %d, \"%s\": %s (%s)", s->word,
                 now_tried->name, now_given->failure, now_given->status, now_given->body,
                 dt_cause_name(o->cause), o->detail);
    if (o->result != DT_ALLOW && is_outage(now_given) && now_tried->is_look_up && now_first == NULL)
        assert_int_equal(o->cause, DT_CAUSE_OKTA_UNAVAILABLE);
    if (!is_outage(now_given) && o->cause == DT_CAUSE_OKTA_UNAVAILABLE)
        fail_msg("%s, failure %d, HTTP %d, \"%s\" is taken for an outage", now_tried->name,
                 now_given->failure, now_given->status, now_given->body);
    if (now_tried->is_look_up && now_first == NULL && now_given->cause != DT_CAUSE_NONE &&
        o->result != DT_ALLOW && o->cause != now_given->cause)
        fail_msg("%s, failure %d, HTTP %d, \"%s\": %s, not %s", now_tried->name, now_given->failure,
                 now_given->status, now_given->body, dt_cause_name(o->cause),
                 dt_cause_name(now_given->cause));
    assert_true(o->result == DT_ALLOW || o->message[0] != '\0');
    assert_true(o->detail[0] != '\0');
    world_close(&w);
}

static void test_nothing_but_an_outage_allows(void **state)
{
    (void)state;
    now_first = NULL;
    for (size_t c = 0; c < COUNT(calls); c++) {
        now_tried = &calls[c];
        for (size_t e = 0; e < COUNT(endings); e++) {
            now_given = &endings[e];
            for (size_t s = 0; s < COUNT(settings); s++)
                try_one(&settings[s]);
        }
    }
}

/* What came before the outage counts: whoever brought that about does not get in by what follows. */
static void test_an_outage_after_an_answer_does_not_allow(void **state)
{
    static ending const refused = {DT_HTTP_REFUSED, 0, "", DT_CAUSE_OKTA_UNAVAILABLE};
    static setting const allow = {"allow", false, true};
    static char const *const asked_again[] = {"user", "factors", "push", "poll", "passcode"};

    (void)state;
    now_given = &refused;
    for (size_t c = 0; c < COUNT(calls); c++) {
        bool again = false;
        for (size_t i = 0; i < COUNT(asked_again); i++)
            again = again || strcmp(calls[c].name, asked_again[i]) == 0;
        now_tried = &calls[c];
        for (size_t e = 0; again && e < COUNT(endings); e++) {
            now_first = &endings[e];
            if (!is_outage(now_first))
                try_one(&allow);
        }
    }
    now_first = NULL;
}

/* --- what people and administrators are told --------------------------------------------------- */

static void test_causes(void **state)
{
    static dt_cause const causes[] = {DT_CAUSE_OKTA_ANSWER_UNUSABLE, DT_CAUSE_OKTA_UNTRUSTED,
                                      DT_CAUSE_MFA_PROVIDER_FAILED, DT_CAUSE_OVERLOADED,
                                      DT_CAUSE_LOCAL_FAULT};

    (void)state;
    for (size_t i = 0; i < COUNT(causes); i++) {
        dt_outcome o = {0};
        assert_false(dt_cause_allows(causes[i]));
        dt_outcome_set(&o, DT_ALLOW, causes[i]);
        assert_int_equal(o.result, DT_DENY);
        assert_string_not_equal(dt_cause_name(causes[i]), "UNKNOWN");
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(dt_cause_name(causes[i]), dt_cause_name(causes[k]));
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        WORLD_TWICE(test_nothing_but_an_outage_allows),
        WORLD_TWICE(test_an_outage_after_an_answer_does_not_allow),
        cmocka_unit_test(test_causes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
