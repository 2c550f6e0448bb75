/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers of devtrustctl setup: what is taken, and above all what is refused, in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "devtrustctl/setup/answers.h"

#include <stdlib.h>
#include <string.h>

static dt_answers *answers_of(char const *text, int expected, dt_error *e)
{
    dt_answers *a = calloc(1, sizeof(*a));

    assert_non_null(a);
    assert_int_equal(dt_answers_parse(dt_bytes_str(text), "answers", a, e), expected);
    return a;
}

static char const whole[] = "org_url = https://corp.okta.com/\n"
                            "login_suffix = @corp.com\n"
                            "api_token_file = /root/token\n"
                            "tenant_id = a1111111-1111-2222-3333-444444444444\n"
                            "intune_client_id = b1111111-1111-2222-3333-444444444444\n"
                            "intune_client_secret_file = /root/secret\n"
                            "company_ca_file = /root/ca.pem\n"
                            "applications = sshd, lock-screen, vpn\n";

static void takes_a_whole_file(void **state)
{
    dt_error e = {0};
    dt_answers *a = answers_of(whole, DT_OK, &e);

    (void)state;
    assert_string_equal(a->values[DT_ANSWER_ORG_URL], "https://corp.okta.com");
    assert_int_equal(dt_answers_check(a, &e), DT_OK);
    assert_true(dt_apps_have(a->values[DT_ANSWER_APPLICATIONS], "vpn"));
    assert_false(dt_apps_have(a->values[DT_ANSWER_APPLICATIONS], "wifi"));
    assert_false(dt_answer_is_yes(a, DT_ANSWER_ENFORCE));
    free(a);
}

static void comes_back_as_it_was_written(void **state)
{
    dt_error e = {0};
    dt_answers *a = answers_of(whole, DT_OK, &e), *b;
    dt_buf text;

    (void)state;
    dt_buf_init(&text, DT_ANSWERS_FILE_MAX);
    dt_answers_put(a, &text);
    b = answers_of((char const *)text.p, DT_OK, &e);
    for (size_t i = 0; i < DT_ANSWER_COUNT; i++)
        assert_string_equal(a->values[i], b->values[i]);
    dt_buf_free(&text);
    free(a);
    free(b);
}

static struct refused {
    char const *text, *says;
} const refused[] = {
    {"org-url = x", "answers:1: unknown key \"org-url\"; did you mean org_url?"},
    {"\n\ntenantid = x", "answers:3: unknown key \"tenantid\"; did you mean tenant_id?"},
    {"zzzzzzzzzzz = x", "see SETUP"},
    {"org_url", "not of the form key = value"},
    {"org_url = https://a.okta.com\norg_url = https://b.okta.com", "answers:2: org_url"},
    {"org_url = https://a.okta.com\norg_url = https://a.okta.com", "answered twice"},
    {"org_url = http://a.okta.com", "https://"},
    {"org_url = https://a.okta.com/api", "nothing after it"},
    {"org_url = https://a.okta.com@evil.com", "nothing after it"},
    {"org_url = https://a-admin.okta.com", "without \"-admin\""},
    {"org_url = https://example.okta.com", "placeholder"},
    {"org_url = \"https://a.okta.com\"", "without quotes"},
    {"org_url = https://a.okta.com # ours", "comments on lines of their own"},
    {"login_suffix = corp.com", "write @"},
    {"login_suffix = @corp.com]\n", "write @"},
    {"login_suffix = @example.com", "placeholder"},
    {"tenant_id = corp.onmicrosoft.com", "01234567-89ab"},
    {"tenant_id = 00000000-1111-2222-3333-444444444444", "placeholder"},
    {"tenant_id = 00000000-0000-0000-0000-000000000000", "01234567-89ab"},
    {"api_token_file = token", "from / on"},
    {"api_token_file = /root/../etc/shadow", "without .."},
    {"api_token_file = /root/", "path of a file"},
    {"api_token_file = /root/$(id)", "character"},
    {"client_id = a b", "letters, digits"},
    {"client_id = a\x1b[2J", "control character"},
    {"client_id = a\xff", "UTF-8"},
    {"client_id = a\xe2\x80\xae", "UTF-8"},
    {"dpop = true", "write yes or no"},
    {"enforce = 1", "write yes or no"},
    {"applications = ssh", "did you mean sshd?"},
    {"applications = sshd, lockscreen", "did you mean lock-screen?"},
    {"applications = sshd, sshd", "named twice"},
    {"applications = sshd,, sudo", "unknown application"},
    {"applications = ../../etc/shadow", "unknown application"},
    {"applications = cron", "unknown application"},
    {"radius_clients = gw 192.0.2.1", "NAME ADDRESS SECRET-FILE"},
    {"radius_clients = gw 192.0.2.1/33 /root/s", "NAME ADDRESS SECRET-FILE"},
    {"radius_clients = gw gateway.corp.com /root/s", "NAME ADDRESS SECRET-FILE"},
    {"radius_clients = gw{ 192.0.2.1 /root/s", "NAME ADDRESS SECRET-FILE"},
    {"radius_clients = gw 192.0.2.1 root/s", "NAME ADDRESS SECRET-FILE"},
    {"radius_clients = gw 192.0.2.1 /s, gw 192.0.2.2 /s", "named twice"},
    {"\xef\xbb\xbforg_url = https://a.okta.com", "byte order mark"},
};

static void refuses_in_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        dt_answers *a = calloc(1, sizeof(*a));
        dt_error e = {0};

        assert_non_null(a);
        assert_true(dt_answers_parse(dt_bytes_str(refused[i].text), "answers", a, &e) < 0);
        if (strstr(e.text, refused[i].says) == NULL)
            fail_msg("%s: \"%s\" lacks \"%s\"", refused[i].text, e.text, refused[i].says);
        free(a);
    }
}

static void refuses_what_is_too_long(void **state)
{
    static char line[3 * DT_SETUP_ANSWER_MAX];
    dt_answers *a = calloc(1, sizeof(*a));
    dt_error e = {0};

    (void)state;
    memset(line, 'a', sizeof(line) - 1);
    memcpy(line, "client_id = ", 12);
    assert_non_null(a);
    assert_int_equal(dt_answers_parse(dt_bytes_str(line), "answers", a, &e), DT_E_LIMIT);
    assert_int_equal(dt_answers_parse(dt_bytes_of("key_id = a\0b", 12), "answers", a, &e),
                     DT_E_LIMIT);
    free(a);
}

/* Each of these lines is needed, and each of the pairs belongs together. */
static void refuses_what_does_not_belong_together(void **state)
{
    static char const *const without[] = {"org_url",
                                          "api_token_file",
                                          "tenant_id",
                                          "intune_client_id",
                                          "intune_client_secret_file",
                                          "company_ca_file",
                                          "applications"};
    static char const *const added[] = {"client_id = 0oa1", "intune_certificate_file = /root/c.pem",
                                        "intune_key_file = /root/c.key"};
    char text[1024];
    dt_error e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        char const *from = strstr(whole, without[i]);
        char const *to = strchr(from, '\n') + 1;
        dt_answers *a;

        text[0] = '\0';
        strncat(text, whole, (size_t)(from - whole));
        strcat(text, to);
        a = answers_of(text, DT_OK, &e);
        assert_true(dt_answers_check(a, &e) < 0);
        free(a);
    }
    for (size_t i = 0; i < sizeof(added) / sizeof(added[0]); i++) {
        dt_answers *a;

        strcpy(text, whole);
        strcat(text, added[i]);
        a = answers_of(text, DT_OK, &e);
        assert_true(dt_answers_check(a, &e) < 0);
        free(a);
    }
}

static int count_app(void *ctx, dt_app const *app, bool named)
{
    (void)named;
    *(size_t *)ctx += app->screen;
    return DT_OK;
}

static void lock_screen_is_all_of_them(void **state)
{
    size_t screens = 0, counted = 0;

    (void)state;
    for (size_t i = 0; dt_app_at(i) != NULL; i++)
        screens += dt_app_at(i)->screen;
    assert_int_equal(dt_apps_each("sshd, lock-screen", count_app, &counted), DT_OK);
    assert_true(screens > 3);
    assert_int_equal(counted, screens);
    assert_true(dt_apps_each("sshd, nothing", count_app, &counted) < 0);
}

static void suggests_what_is_near_only(void **state)
{
    static char const *const words[] = {"sshd", "sudo", "vpn", NULL};

    (void)state;
    assert_string_equal(dt_did_you_mean("sshdd", words), "sshd");
    assert_string_equal(dt_did_you_mean("vnp", words), "vpn");
    assert_null(dt_did_you_mean("printer", words));
    assert_null(dt_did_you_mean("", words));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(takes_a_whole_file),
        cmocka_unit_test(comes_back_as_it_was_written),
        cmocka_unit_test(refuses_in_words),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(refuses_what_does_not_belong_together),
        cmocka_unit_test(lock_screen_is_all_of_them),
        cmocka_unit_test(suggests_what_is_near_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
