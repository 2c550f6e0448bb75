/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The password with the answer to OpenVPN's static-challenge: one form is read, whatever else begins so is broken. */
#include "core/okta/scrv1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

typedef struct row {
    char const *text;
    dt_scrv1 what;
    char const *password, *answer;
} row;

static row const rows[] = {
    {"SCRV1:aHVudGVy:MTIzNDU2", DT_SCRV1_READ, "hunter", "123456"},
    {"SCRV1:aHVudGVyMg==:MTIzNDU2", DT_SCRV1_READ, "hunter2", "123456"},
    {"SCRV1:YTpi:MTIzNDU2", DT_SCRV1_READ, "a:b", "123456"},
    {"SCRV1:U0NSVjE6:MTIz", DT_SCRV1_READ, "SCRV1:", "123"},
    {"SCRV1:aHVudGVy:", DT_SCRV1_READ, "hunter", ""},
    {"SCRV1:aHVudGVy:eWVz", DT_SCRV1_READ, "hunter", "yes"},
    /* passwords as any other */
    {"", DT_SCRV1_NONE, "", ""},
    {"SCRV1", DT_SCRV1_NONE, "", ""},
    {"scrv1:aHVudGVy:MTIzNDU2", DT_SCRV1_NONE, "", ""},
    {" SCRV1:aHVudGVy:MTIzNDU2", DT_SCRV1_NONE, "", ""},
    {"SCRV2:aHVudGVy:MTIzNDU2", DT_SCRV1_NONE, "", ""},
    {"CRV1:R::aHVudGVy::x", DT_SCRV1_NONE, "", ""},
    {"hunter,123456", DT_SCRV1_NONE, "", ""},
    /* broken */
    {"SCRV1:", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1::", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1::MTIzNDU2", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1:aHVudGVy", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1:aHVudGVy:MTIzNDU2:", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1:aHVudGVy:MTIzNDU2:MTIz", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1:aHVudGV:MTIzNDU2", DT_SCRV1_BROKEN, "", ""}, /* padding is missing */
    {"SCRV1:aHVudGVyMg=:MTIzNDU2", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1:aHVudGVy====:MTIzNDU2", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1:aHVudGVy :MTIzNDU2", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1:aHV-dGVy:MTIzNDU2", DT_SCRV1_BROKEN, "", ""},     /* base64url */
    {"SCRV1:aHVudGVyMh==:MTIzNDU2", DT_SCRV1_BROKEN, "", ""}, /* stray bits */
    {"SCRV1:aHVudGVy:MTIzNDU2\n", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1:AGh1bnRlcg==:MTIzNDU2", DT_SCRV1_BROKEN, "", ""}, /* a NUL in the password */
    {"SCRV1:aHVuAHRlcg==:MTIzNDU2", DT_SCRV1_BROKEN, "", ""},
    {"SCRV1:aHVudGVy:MTIzADQ1Ng==", DT_SCRV1_BROKEN, "", ""}, /* and in the answer */
    {"SCRV1:aHVudGVy:AA==", DT_SCRV1_BROKEN, "", ""},
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char password[64], answer[64];

        memset(password, 'x', sizeof(password));
        memset(answer, 'x', sizeof(answer));
        dt_scrv1 what = dt_scrv1_read(dt_bytes_str(rows[i].text), password, sizeof(password),
                                      answer, sizeof(answer));
        if (what != rows[i].what || strcmp(password, rows[i].password) != 0 ||
            strcmp(answer, rows[i].answer) != 0)
            fail_msg("row %zu \"%s\": %d \"%s\" \"%s\"", i, rows[i].text, (int)what, password,
                     answer);
    }
}

static void test_a_nul_around_it(void **state)
{
    char password[64], answer[64];

    (void)state;
    assert_int_equal(dt_scrv1_read(dt_bytes_of("SCRV1:aHVudGVy:MTIz\0", 20), password,
                                   sizeof(password), answer, sizeof(answer)),
                     DT_SCRV1_BROKEN);
    assert_int_equal(dt_scrv1_read(dt_bytes_of("SCRV1:aHVudGVy\0:MTIz", 20), password,
                                   sizeof(password), answer, sizeof(answer)),
                     DT_SCRV1_BROKEN);
    assert_int_equal(
        dt_scrv1_read(dt_bytes_of(NULL, 0), password, sizeof(password), answer, sizeof(answer)),
        DT_SCRV1_NONE);
}

/* What does not fit is not cut: a cut password could be somebody's. */
static void test_what_does_not_fit(void **state)
{
    static char const text[] = "SCRV1:aHVudGVy:MTIzNDU2";
    char password[64], answer[64], huge[DT_SCRV1_MAX + 64];

    (void)state;
    assert_int_equal(dt_scrv1_read(dt_bytes_str(text), password, 7, answer, 7), DT_SCRV1_READ);
    assert_int_equal(dt_scrv1_read(dt_bytes_str(text), password, 6, answer, 7), DT_SCRV1_BROKEN);
    assert_string_equal(password, "");
    assert_int_equal(dt_scrv1_read(dt_bytes_str(text), password, 7, answer, 6), DT_SCRV1_BROKEN);
    assert_string_equal(password, "");
    assert_string_equal(answer, "");
    memset(huge, 'A', sizeof(huge));
    memcpy(huge, "SCRV1:", 6);
    huge[sizeof(huge) - 1] = '\0';
    assert_int_equal(
        dt_scrv1_read(dt_bytes_str(huge), password, sizeof(password), answer, sizeof(answer)),
        DT_SCRV1_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_forms),
                                       cmocka_unit_test(test_a_nul_around_it),
                                       cmocka_unit_test(test_what_does_not_fit)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
