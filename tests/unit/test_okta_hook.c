/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Event hooks of Okta: which events are news, about whom, and which requests are none. */
#include "core/signals/okta_hook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW ((dt_time)1700000000000)

#define ADMIN                                                                                      \
    "\"actor\":{\"id\":\"00u9admin\",\"type\":\"User\",\"alternateId\":\"admin@example.com\"}"
#define ANN "{\"id\":\"00u1ann\",\"type\":\"User\",\"alternateId\":\"ann@example.com\"}"
#define LAPTOP "{\"id\":\"guo1dev\",\"type\":\"Device\",\"alternateId\":null}"
#define GROUP "{\"id\":\"00g1\",\"type\":\"UserGroup\",\"alternateId\":\"unknown\"}"
#define EVENT(uuid, type, targets)                                                                 \
    "{\"uuid\":\"" uuid "\",\"eventType\":\"" type "\"," ADMIN ",\"target\":" targets "}"
#define HOOK(events)                                                                               \
    "{\"eventType\":\"com.okta.event_hook\",\"eventTypeVersion\":\"1.0\","                         \
    "\"cloudEventsVersion\":\"0.1\",\"source\":\"https://example.okta.com/api/v1/eventHooks/"      \
    "who\","                                                                                       \
    "\"eventId\":\"e1\",\"data\":{\"events\":[" events "]}}"

typedef struct taken {
    int count, stop_at;
    char text[4096];
} taken;

static bool take(void *ctx, dt_okta_hook_event const *event)
{
    taken *t = ctx;
    size_t at = strlen(t->text);
    if (++t->count == t->stop_at)
        return false;
    at += (size_t)snprintf(t->text + at, sizeof(t->text) - at, "%s:", event->uuid);
    for (size_t i = 0; i < event->news.count; i++) {
        dt_news const *n = &event->news.items[i];
        assert_int_equal(n->at, NOW);
        assert_int_equal(n->source, DT_NEWS_OKTA_HOOK);
        assert_string_equal(n->reference, event->uuid);
        at += (size_t)snprintf(t->text + at, sizeof(t->text) - at, " %s %s %s;",
                               dt_news_what_word(n->what), dt_news_about_word(n->about), n->id);
    }
    return true;
}

static void expect(char const *body, char const *text)
{
    taken t = {0};
    dt_error e = {0};
    if (dt_okta_hook_read(dt_bytes_str(body), NOW, take, &t, &e) != DT_OK)
        fail_msg("%s: %s", body, e.text);
    assert_string_equal(t.text, text);
}

static void events_are_about_their_targets(void **state)
{
    (void)state;
    expect(HOOK(EVENT("u1", "user.lifecycle.suspend", "[" ANN "]")),
           "u1: lifecycle okta-user 00u1ann; lifecycle login ann@example.com;");
    expect(HOOK(EVENT("u1", "device.lifecycle.deactivate", "[" LAPTOP "," ANN "]")),
           "u1: lifecycle okta-device guo1dev; lifecycle okta-user 00u1ann; lifecycle login "
           "ann@example.com;");
    expect(HOOK(EVENT("u1", "group.user_membership.remove", "[" ANN "," GROUP "]")),
           "u1: lifecycle okta-user 00u1ann; lifecycle login ann@example.com;");
    expect(HOOK(EVENT("u1", "policy.rule.update", "[" ANN "]")), "u1:");
    /* without a target that we know, whoever acted */
    expect(HOOK(EVENT("u1", "user.session.end", "null")),
           "u1: session-revoked okta-user 00u9admin; session-revoked login admin@example.com;");
    expect(
        HOOK(EVENT("u1", "device.lifecycle.delete", "[" LAPTOP "]") "," EVENT(
            "u2", "user.session.start", "[" ANN "]") "," EVENT("u3", "user.mfa.factor.reset_all",
                                                               "[" ANN "]")),
        "u1: lifecycle okta-device guo1dev;u2:u3: credential okta-user 00u1ann; credential login "
        "ann@example.com;");
}

static void each_type_says_what_it_says(void **state)
{
    static struct {
        char const *type;
        dt_news_what what;
    } const types[] = {
        {"device.lifecycle.activate", DT_NEWS_LIFECYCLE},
        {"device.lifecycle.suspend", DT_NEWS_LIFECYCLE},
        {"device.enrollment.create", DT_NEWS_LIFECYCLE},
        {"device.user.remove", DT_NEWS_LIFECYCLE},
        {"user.lifecycle.deactivate", DT_NEWS_LIFECYCLE},
        {"user.lifecycle.delete.initiated", DT_NEWS_LIFECYCLE},
        {"user.session.clear", DT_NEWS_SESSION_REVOKED},
        {"user.session.end", DT_NEWS_SESSION_REVOKED},
        {"user.authentication.universal_logout", DT_NEWS_SESSION_REVOKED},
        {"user.mfa.factor.deactivate", DT_NEWS_CREDENTIAL},
        {"user.account.reset_password", DT_NEWS_CREDENTIAL},
        {"user.account.update_password", DT_NEWS_CREDENTIAL},
        {"user.account.lock", DT_NEWS_LIFECYCLE},
        {"user.risk.change", DT_NEWS_LIFECYCLE},
        {"policy.auth_reevaluate.fail", DT_NEWS_SESSION_REVOKED},
        {"group.user_membership.add", DT_NEWS_LIFECYCLE},
        {"application.user_membership.remove", DT_NEWS_LIFECYCLE},
        {"user.session.start", DT_NEWS_WHAT_NONE},
        {"user.authentication.sso", DT_NEWS_WHAT_NONE},
        {"user.session.ended", DT_NEWS_WHAT_NONE},
        {"zone.update", DT_NEWS_WHAT_NONE},
        {"device", DT_NEWS_WHAT_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(types); i++) {
        char body[2048], want[256];
        (void)snprintf(body, sizeof(body), HOOK(EVENT("u1", "%s", "[" LAPTOP "]")), types[i].type);
        (void)snprintf(want, sizeof(want), "u1:%s%s%s", types[i].what != 0 ? " " : "",
                       types[i].what != 0 ? dt_news_what_word(types[i].what) : "",
                       types[i].what != 0 ? " okta-device guo1dev;" : "");
        expect(body, want);
    }
}

static void ids_of_no_form_name_nobody(void **state)
{
    (void)state;
    expect(HOOK("{\"uuid\":\"u1\",\"eventType\":\"user.lifecycle.suspend\",\"target\":[{\"id\":"
                "\"00u/..\",\"type\":\"User\",\"alternateId\":\"a b\"},7,null,{}]}"),
           "u1:");
    expect(HOOK("{\"uuid\":\"u1\",\"eventType\":\"user.lifecycle.suspend\"}"), "u1:");
}

static void refuse(char const *body, int code)
{
    taken t = {0};
    dt_error e = {0};
    if (dt_okta_hook_read(dt_bytes_str(body), NOW, take, &t, &e) != code)
        fail_msg("%s", body);
    assert_int_equal(t.count, 0); /* not even the events before the bad one */
    assert_true(e.text[0] != '\0');
}

static void other_requests_are_refused_whole(void **state)
{
    (void)state;
    refuse("", DT_E_PARSE);
    refuse("[]", DT_E_PARSE);
    refuse("{}", DT_E_PARSE);
    refuse(HOOK(""), DT_E_PARSE);
    refuse(HOOK("{}"), DT_E_PARSE);
    refuse(HOOK("7"), DT_E_PARSE);
    refuse(HOOK("{\"uuid\":\"u\"}"), DT_E_PARSE);
    refuse(HOOK("{\"uuid\":\"\",\"eventType\":\"a\"}"), DT_E_PARSE);
    refuse(HOOK("{\"uuid\":7,\"eventType\":\"a\"}"), DT_E_PARSE);
    refuse(HOOK(EVENT("u1", "user.lifecycle.suspend", "{}")), DT_E_PARSE);
    refuse(HOOK(EVENT("u1", "user.lifecycle.suspend", "[" ANN "]") ",{}"), DT_E_PARSE);
    refuse("{\"eventType\":\"com.okta.other\",\"eventId\":\"e\",\"data\":{\"events\":[{\"uuid\":"
           "\"u\",\"eventType\":\"a\"}]}}",
           DT_E_PARSE);
    refuse("{\"eventType\":\"com.okta.event_hook\",\"data\":{\"events\":[{\"uuid\":"
           "\"u\",\"eventType\":\"a\"}]}}",
           DT_E_PARSE);
    refuse("{\"eventType\":\"com.okta.event_hook\",\"eventId\":\"e\",\"data\":{\"events\":{}}}",
           DT_E_PARSE);
    char const *whole = HOOK(EVENT("u1", "user.lifecycle.suspend", "[" ANN "]"));
    for (size_t n = 0; n < strlen(whole); n++) {
        char cut[2048];
        (void)snprintf(cut, sizeof(cut), "%.*s", (int)n, whole);
        refuse(cut, DT_E_PARSE);
    }
}

static void a_post_has_so_many_events(void **state)
{
    dt_buf b;
    taken t = {0};
    dt_error e = {0};
    (void)state;
    for (int more = 0; more < 2; more++) {
        dt_buf_init(&b, DT_OKTA_HOOK_BODY_MAX + 1);
        dt_buf_puts(
            &b, "{\"eventType\":\"com.okta.event_hook\",\"eventId\":\"e\",\"data\":{\"events\":[");
        for (int i = 0; i < DT_OKTA_HOOK_EVENTS_MAX + more; i++)
            dt_buf_printf(&b, "%s{\"uuid\":\"u\",\"eventType\":\"a\"}", i > 0 ? "," : "");
        dt_buf_puts(&b, "]}}");
        assert_int_equal(dt_okta_hook_read(dt_buf_bytes(&b), NOW, take, &t, &e),
                         more == 0 ? DT_OK : DT_E_PARSE);
        assert_int_equal(t.count, DT_OKTA_HOOK_EVENTS_MAX);
        dt_buf_free(&b);
    }
    dt_buf_init(&b, DT_OKTA_HOOK_BODY_MAX + 1);
    while (b.len <= DT_OKTA_HOOK_BODY_MAX)
        dt_buf_putc(&b, ' ');
    assert_int_equal(dt_okta_hook_read(dt_buf_bytes(&b), NOW, take, &t, &e), DT_E_LIMIT);
    dt_buf_free(&b);
}

static void whoever_takes_may_stop(void **state)
{
    taken t = {.stop_at = 2};
    dt_error e = {0};
    (void)state;
    assert_int_equal(dt_okta_hook_read(dt_bytes_str(HOOK(EVENT("u1", "a", "[]") "," EVENT(
                                           "u2", "a", "[]") "," EVENT("u3", "a", "[]"))),
                                       NOW, take, &t, &e),
                     DT_E_STATE);
    assert_string_equal(t.text, "u1:");
}

static void a_challenge_is_given_back(void **state)
{
    char text[2 * DT_OKTA_HOOK_CHALLENGE_MAX], long_one[DT_OKTA_HOOK_CHALLENGE_MAX + 1];
    dt_buf b;
    (void)state;
    dt_buf_init_fixed(&b, text, sizeof(text));
    assert_int_equal(dt_okta_hook_put_verification("a-B_9\"<script>", &b), DT_OK);
    assert_string_equal(text, "{\"verification\":\"a-B_9\\\"<script>\"}");
    memset(long_one, 'x', sizeof(long_one));
    long_one[DT_OKTA_HOOK_CHALLENGE_MAX] = '\0';
    static char const *const bad[] = {"", "a b", "a\n", "\xc3\xa4", NULL};
    for (size_t i = 0; i < COUNT(bad); i++) {
        dt_buf_reset(&b);
        assert_int_equal(dt_okta_hook_put_verification(bad[i], &b), DT_E_INVALID);
        assert_int_equal(b.len, 0);
    }
    assert_int_equal(dt_okta_hook_put_verification(long_one, &b), DT_E_INVALID);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(events_are_about_their_targets),
        cmocka_unit_test(each_type_says_what_it_says),
        cmocka_unit_test(ids_of_no_form_name_nobody),
        cmocka_unit_test(other_requests_are_refused_whole),
        cmocka_unit_test(a_post_has_so_many_events),
        cmocka_unit_test(whoever_takes_may_stop),
        cmocka_unit_test(a_challenge_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
