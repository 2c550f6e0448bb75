/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which proxy a service is reached by, and which credentials are sent to it. */
#include "edge/http_way.h"
#include "edge/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char g_dir[64], g_secret[96], g_other[96];
static dt_http_service const services[] = {DT_HTTP_OKTA, DT_HTTP_GRAPH,      DT_HTTP_ENTRA,
                                           DT_HTTP_OCSP, DT_HTTP_COMPLIANCE, DT_HTTP_SIGNALS};

static void write_file(char const *path, char const *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static int setup(void **state)
{
    (void)state;
    strcpy(g_dir, "/tmp/dt-test-way-XXXXXX");
    if (mkdtemp(g_dir) == NULL)
        return -1;
    snprintf(g_secret, sizeof(g_secret), "%s/secret", g_dir);
    snprintf(g_other, sizeof(g_other), "%s/other", g_dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(g_secret);
    (void)unlink(g_other);
    return rmdir(g_dir);
}

/* The keys in the sections that take them; NULL: not given. */
static dt_config *config(char const *http, char const *okta, char const *ocsp)
{
    char text[2048];
    dt_config *c = NULL;
    dt_error e = {0};

    snprintf(text, sizeof(text),
             "[okta]\norg_url = https://example.okta.com\n%s[http]\n%s[device_trust]\n"
             "trusted_when = certificate\nca_file = /s\n%s",
             okta != NULL ? okta : "", http != NULL ? http : "", ocsp != NULL ? ocsp : "");
    assert_int_equal(dt_config_new(&c, &e), 0);
    if (dt_ini_parse(dt_bytes_str(text), "/d.conf", c, &e) != 0)
        fail_msg("%s", e.text);
    return c;
}

static dt_http_proxy *load(dt_config const *c, dt_http_service service)
{
    dt_http_proxy *p = NULL;
    dt_error e = {0};

    if (dt_http_proxy_load(c, service, &p, &e) != 0)
        fail_msg("%s", e.text);
    return p;
}

static void no_proxy_by_default(void **state)
{
    dt_config *c = config(NULL, NULL, NULL);

    (void)state;
    for (size_t i = 0; i < COUNT(services); i++)
        assert_null(load(c, services[i]));
    dt_config_free(&c);
}

/* A service's own proxy comes before that of all; "none" is none; credentials never cross over. */
static void each_service_its_own(void **state)
{
    char http[256], okta[256];

    (void)state;
    write_file(g_secret, "all:first\n");
    write_file(g_other, "okta:se:cond\n");
    snprintf(http, sizeof(http), "proxy = http://all:1\nproxy_credentials_file = %s\n", g_secret);
    snprintf(okta, sizeof(okta), "proxy = https://own:2\nproxy_credentials_file = %s\n", g_other);
    dt_config *c = config(http, okta, "ocsp_proxy = none\n");
    for (size_t i = 0; i < COUNT(services); i++) {
        char user[DT_PROXY_NAME_MAX], password[DT_PROXY_PASSWORD_MAX];
        dt_http_proxy *p = load(c, services[i]);
        if (services[i] == DT_HTTP_OCSP) {
            assert_null(p);
            continue;
        }
        bool own = services[i] == DT_HTTP_OKTA;
        assert_string_equal(p->url, own ? "https://own:2" : "http://all:1");
        assert_string_equal(p->key, own ? "[okta] proxy" : "[http] proxy");
        assert_int_equal(p->tls, own);
        dt_http_proxy_split(p, user, password);
        assert_string_equal(user, own ? "okta" : "all");
        assert_string_equal(password, own ? "se:cond" : "first");
        dt_http_proxy_free(&p);
    }
    dt_config_free(&c);
    c = config(http, "proxy = http://own:2\n", "ocsp_proxy = http://third:3\n");
    for (size_t i = 0; i < COUNT(services); i++) {
        bool own = services[i] == DT_HTTP_OKTA || services[i] == DT_HTTP_OCSP;
        dt_http_proxy *p = load(c, services[i]);
        assert_int_equal(p->credentials == NULL, own);
        dt_http_proxy_free(&p);
    }
    dt_config_free(&c);
}

static void credentials_that_are_none(void **state)
{
    static char const *const texts[] = {
        "\n",          "user\n",      ":password\n",        "us er:x\n", "user:pass word\n",
        "user:x\ny\n", "user:\x7f\n", "user:caf\xc3\xa9\n", "us\ter:x\n"};
    char http[256], longest[512];

    (void)state;
    snprintf(http, sizeof(http), "proxy = http://all:1\nproxy_credentials_file = %s\n", g_secret);
    dt_config *c = config(http, NULL, NULL);
    memset(longest, 'x', sizeof(longest));
    for (size_t i = 0; i < COUNT(texts) + 2; i++) {
        dt_http_proxy *p = NULL;
        dt_error e = {0};
        longest[sizeof(longest) - 1] = '\0';
        longest[i == COUNT(texts) ? 10 : DT_PROXY_NAME_MAX + 10] = ':';
        write_file(g_secret, i < COUNT(texts) ? texts[i] : longest);
        if (dt_http_proxy_load(c, DT_HTTP_OKTA, &p, &e) == 0)
            fail_msg("row %zu is taken", i);
        assert_null(p);
        assert_non_null(strstr(e.text, "[http] proxy_credentials_file: "));
        assert_null(strstr(e.text, "password"));
    }
    (void)unlink(g_secret);
    dt_http_proxy *p = NULL;
    dt_error e = {0};
    assert_int_equal(dt_http_proxy_load(c, DT_HTTP_OKTA, &p, &e), DT_E_NOT_FOUND);
    write_file(g_secret, "user:password\n");
    assert_int_equal(chmod(g_secret, 0644), 0);
    assert_int_equal(dt_http_proxy_load(c, DT_HTTP_OKTA, &p, &e), DT_E_PERMISSION);
    dt_config_free(&c);
}

/* The file of CAs is that of https:// proxies: for another it is not read. */
static void certificates_of_the_proxy(void **state)
{
    dt_http_proxy *p = NULL;
    dt_error e = {0};
    dt_config *c = config("proxy = http://all:1\nproxy_ca_file = /nowhere/ca.pem\n", NULL, NULL);

    (void)state;
    p = load(c, DT_HTTP_OKTA);
    assert_null(p->anchors);
    dt_http_proxy_free(&p);
    dt_config_free(&c);
    c = config("proxy_ca_file = /nowhere/ca.pem\n", "proxy = https://own:1\n", NULL);
    assert_int_equal(dt_http_proxy_load(c, DT_HTTP_OKTA, &p, &e), DT_E_NOT_FOUND);
    assert_non_null(strstr(e.text, "/d.conf:5: [http] proxy_ca_file: "));
    assert_null(load(c, DT_HTTP_GRAPH));
    dt_config_free(&c);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(no_proxy_by_default),
        cmocka_unit_test(each_service_its_own),
        cmocka_unit_test(credentials_that_are_none),
        cmocka_unit_test(certificates_of_the_proxy),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
