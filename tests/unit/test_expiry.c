/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ends: the list keeps what ends soonest, a warning comes 30 days ahead and not before, and every file of a
 * configuration that holds such a thing is read. */
#include "pki.h"

#include "core/base/expiry.h"
#include "edge/expiry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW (CERT_NOW * 1000)
#define DAY 86400L

static char dir[64];

static dt_expiry thing(dt_time end)
{
    return (dt_expiry){.key = "[x] y",
                       .name = "CN=z",
                       .end = end,
                       .warns_for = DT_EXPIRY_WARNS_FOR,
                       .then = "it is over",
                       .to_do = "renew it"};
}

static void thirty_days_ahead(void **state)
{
    static struct {
        dt_time ahead;
        dt_expiry_state state;
    } const rows[] = {
        {DT_DAYS(365), DT_EXPIRY_FAR},
        {DT_DAYS(31), DT_EXPIRY_FAR},
        {DT_DAYS(30) + 1, DT_EXPIRY_FAR},
        {DT_DAYS(30), DT_EXPIRY_NEAR},
        {DT_DAYS(1), DT_EXPIRY_NEAR},
        {1, DT_EXPIRY_NEAR},
        {0, DT_EXPIRY_PAST},
        {-1, DT_EXPIRY_PAST},
        {-DT_DAYS(10000), DT_EXPIRY_PAST},
    };
    dt_expiry zero = {.end = 0};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_expiry x = thing(NOW + rows[i].ahead);
        assert_int_equal(dt_expiry_judge(&x, NOW), rows[i].state);
    }
    assert_int_equal(dt_expiry_judge(&zero, NOW), DT_EXPIRY_PAST);
    zero.end = NOW + 1; /* is not warned of before its end */
    assert_int_equal(dt_expiry_judge(&zero, NOW), DT_EXPIRY_FAR);
}

static void words(void **state)
{
    char text[DT_EXPIRY_TEXT_MAX];
    dt_expiry x = thing(NOW);

    (void)state;
    assert_string_equal(dt_expiry_text(text, &x, NOW),
                        "[x] y: CN=z expired on 2025-06-15; after that, it is over; renew it");
    assert_string_equal(dt_expiry_text(text, &x, NOW - 1),
                        "[x] y: CN=z expires on 2025-06-15; after that, it is over; renew it");
    x.name[0] = '\0';
    assert_string_equal(dt_expiry_text(text, &x, NOW),
                        "[x] y expired on 2025-06-15; after that, it is over; renew it");
}

static void the_soonest_are_kept(void **state)
{
    dt_expiries list = {.count = 0};

    (void)state;
    for (int i = 0; i < 3 * DT_EXPIRIES_MAX; i++) { /* up and down */
        dt_expiry x = thing(i % 2 == 0 ? 1000 + i : 1000 - i);
        dt_expiries_add(&list, &x);
    }
    assert_int_equal(list.count, DT_EXPIRIES_MAX);
    assert_int_equal(list.left_out, 2 * DT_EXPIRIES_MAX);
    for (size_t i = 1; i < list.count; i++)
        assert_true(list.items[i - 1].end <= list.items[i].end);
    assert_int_equal(list.items[0].end, 1000 - (3 * DT_EXPIRIES_MAX - 1));
    assert_true(list.items[DT_EXPIRIES_MAX - 1].end < 1000);
}

/* --- files ------------------------------------------------------------------------------------- */

static char const *path_of(char const *name)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

/* Appends a certificate that ends in so many days. */
static void put(char const *name, char const *cn, long days)
{
    cert_spec spec = {
        .cn = cn, .key = cert_key("P-256"), .starts = -DAY * 4000, .ends = DAY * days};
    X509 *x = cert_make(&spec);
    FILE *f = fopen(path_of(name), "a");
    dt_buf b;

    dt_buf_init(&b, 16384);
    cert_pem(x, &b);
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.len, f), b.len);
    assert_int_equal(fclose(f), 0);
    dt_buf_free(&b);
    X509_free(x);
    EVP_PKEY_free(spec.key);
}

static void set(dt_config *c, char const *section, char const *key, char const *value)
{
    dt_error e = {0};
    int rc = dt_config_set(c, "f", 1, section, key, value, &e);

    if (rc < 0)
        print_error("%s\n", e.text);
    assert_int_equal(rc, 0);
}

static dt_config *config_of(char const *section, char const *key, char const *file)
{
    dt_config *c = NULL;

    assert_int_equal(dt_config_new(&c, NULL), 0);
    assert_int_equal(dt_config_open_section(c, "f", 1, section, NULL), 0);
    set(c, section, key, path_of(file));
    return c;
}

static int setup(void **state)
{
    (void)state;
    umask(022);
    strcpy(dir, "/tmp/dt-test-expiry-XXXXXX");
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

/* Of each key: its certificates, or the first, or the one that ends last. */
static void each_file_is_read(void **state)
{
    static struct {
        char const *section, *name, *shown;
        size_t count;
        int first; /* days */
    } const rows[] = {
        {"device_trust", "ca_file", "[device_trust] ca_file", 3, -5},
        {"device_trust", "shared_ca_file", "[device_trust] shared_ca_file", 3, -5},
        {"device_trust", "ocsp_responder_file", "[device_trust] ocsp_responder_file", 3, -5},
        {"ca laptops", "certificate_file", "[ca laptops] certificate_file", 3, -5},
        {"device_trust", "host_certificate_file", "[device_trust] host_certificate_file", 1, 9},
        {"intune", "certificate_file", "[intune] certificate_file", 1, 9},
        {"okta", "ca_file", "[okta] ca_file", 1, 700},
        {"intune", "ca_file", "[intune] ca_file", 1, 700},
        {"http", "proxy_ca_file", "[http] proxy_ca_file", 1, 700},
    };

    (void)state;
    put("three.pem", "second", 9);
    put("three.pem", "third", 700);
    put("three.pem", "first", -5);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_config *c = config_of(rows[i].section, rows[i].name, "three.pem");
        dt_expiries list;

        dt_expiries_read(c, NULL, &list);
        assert_int_equal(list.count, rows[i].count);
        assert_string_equal(list.items[0].key, rows[i].shown);
        assert_int_equal(list.items[0].end, (CERT_NOW + DAY * rows[i].first) * 1000);
        assert_true(list.items[0].warns_for == DT_DAYS(30));
        assert_true(list.items[0].then[0] != '\0' && list.items[0].to_do[0] != '\0');
        dt_config_free(&c);
    }
}

static void what_cannot_be_read_has_no_end(void **state)
{
    dt_config *c = config_of("device_trust", "ca_file", "missing.pem");
    dt_expiries list;
    FILE *f;

    (void)state;
    dt_expiries_read(c, NULL, &list);
    assert_int_equal(list.count, 0);
    put("missing.pem", "first", 5);
    assert_int_equal(chmod(path_of("missing.pem"), 0666), 0); /* anybody may have written it */
    dt_expiries_read(c, NULL, &list);
    assert_int_equal(list.count, 0);
    assert_int_equal(chmod(path_of("missing.pem"), 0644), 0);
    f = fopen(path_of("missing.pem"), "a");
    assert_non_null(f);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f);
    fclose(f);
    dt_expiries_read(c, NULL, &list); /* the one before the damaged one */
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].name, "CN=first");
    dt_config_free(&c);
}

static void break_glass(void **state)
{
    dt_config *c = NULL;
    dt_expiries list;

    (void)state;
    assert_int_equal(dt_config_new(&c, NULL), 0);
    dt_expiries_read(c, NULL, &list);
    assert_int_equal(list.count, 0);
    set(c, "break_glass", "until", "2026-01-01T00:00:00Z");
    dt_expiries_read(c, NULL, &list); /* without accounts nothing ends */
    assert_int_equal(list.count, 0);
    set(c, "break_glass", "users", "glass");
    dt_expiries_read(c, NULL, &list);
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].key, "[break_glass] until");
    assert_int_equal(list.items[0].end, 1767225600000);
    dt_config_free(&c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(thirty_days_ahead),    cmocka_unit_test(words),
        cmocka_unit_test(the_soonest_are_kept), T(each_file_is_read),
        T(what_cannot_be_read_has_no_end),      T(break_glass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
