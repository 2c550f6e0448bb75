/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which services are variants of which, and what lists of services say of them. */
#include "core/ruleset/service.h"
#include "core/signon/signon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static dt_string_list list_of(char **items, size_t count)
{
    return (dt_string_list){.items = items, .count = count};
}

static void test_base(void **state)
{
    (void)state;
    assert_string_equal(dt_service_base("sudo-i"), "sudo");
    assert_string_equal(dt_service_base("su-l"), "su");
    assert_string_equal(dt_service_base("remote"), "login");
    assert_string_equal(dt_service_base("runuser-l"), "runuser");
    assert_string_equal(dt_service_base("gdm-fingerprint"), "gdm-password");
    assert_string_equal(dt_service_base("lightdm-autologin"), "lightdm");
}

/* Nothing is taken for a variant by how it looks. */
static void test_no_variant(void **state)
{
    static char const *const others[] = {"sudo",
                                         "su",
                                         "sshd",
                                         "login",
                                         "",
                                         "sudo-",
                                         "sudo-ii",
                                         "-i",
                                         "SUDO-I",
                                         "sudo-i ",
                                         "su-l2",
                                         "lightdm-greeter",
                                         "gdm-launch-environment",
                                         "sshd-i",
                                         "cron"};

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_null(dt_service_base(others[i]));
}

/* A chain of variants would need a loop where dt_site_application_of takes one step; a name that does
 * not fit would never be found. */
static void test_table_holds_together(void **state)
{
    char const *base, *name;
    size_t count = 0;

    (void)state;
    for (; (name = dt_service_variant(count, &base)) != NULL; count++) {
        assert_string_equal(dt_service_base(name), base);
        assert_null(dt_service_base(base));
        assert_true(strlen(name) < DT_APPLICATION_MAX);
        for (size_t i = 0; i < count; i++) {
            char const *other;
            assert_string_not_equal(dt_service_variant(i, &other), name);
        }
    }
    assert_true(count > 10);
    assert_null(base);
}

static void test_lists(void **state)
{
    char su_name[] = "su", login[] = "login", su_l_name[] = "su-l", sudo_name[] = "sudo";
    char remote_name[] = "remote";
    char *su[] = {su_name, login}, *su_l[] = {su_l_name}, *sudo[] = {sudo_name};
    char *remote[] = {remote_name};
    dt_string_list a = list_of(su, 2), b = list_of(su_l, 1), c = list_of(sudo, 1),
                   r = list_of(remote, 1), none = list_of(NULL, 0);

    (void)state;
    assert_true(dt_service_is_in(&a, "su"));
    assert_true(dt_service_is_in(&a, "su-l"));
    assert_false(dt_service_is_in(&a, "sudo-i"));
    assert_false(dt_service_is_in(&b, "su")); /* a base is none of its variants */
    assert_true(dt_service_is_in(&b, "su-l"));
    assert_false(dt_service_is_in(&none, "su-l"));
    assert_true(dt_service_lists_overlap(&a, &b));
    assert_true(dt_service_lists_overlap(&b, &a));
    assert_false(dt_service_lists_overlap(&a, &c));
    assert_false(dt_service_lists_overlap(&a, &none));
    /* Somebody elsewhere does not sit here because login's people do. */
    assert_true(dt_service_is_in(&a, "remote"));
    assert_false(dt_service_is_local(&a, "remote"));
    assert_true(dt_service_is_local(&r, "remote"));
    assert_true(dt_service_is_local(&a, "su-l"));
    assert_true(dt_service_is_local(&a, "login"));
    assert_false(dt_service_is_local(&none, "login"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base), cmocka_unit_test(test_no_variant),
        cmocka_unit_test(test_table_holds_together), cmocka_unit_test(test_lists)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
