/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passcodes as people type and paste them, and what is not one. */
#include "core/okta/passcode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static struct {
    char const *typed;
    dt_typed what;
    char const *digits;
} const rows[] = {
    {"123456", DT_TYPED_PASSCODE, "123456"},
    {"12345678", DT_TYPED_PASSCODE, "12345678"},
    {"123 456", DT_TYPED_PASSCODE, "123456"},
    {" \t123  456\r\n", DT_TYPED_PASSCODE, "123456"},
    {"123-456", DT_TYPED_PASSCODE, "123456"},
    {"12-34-56", DT_TYPED_PASSCODE, "123456"},
    {"123 - 456", DT_TYPED_PASSCODE, "123456"},
    {"1 2 3 4 5 6 7 8", DT_TYPED_PASSCODE, "12345678"},
    {"123\xc2\xa0"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* no-break space */
    {"123\xe2\x80\xaf"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* narrow no-break space */
    {"123\xe2\x80\x89"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* thin space */
    {"123\xe2\x80\x87"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* figure space */
    {"123\xe3\x80\x80"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* ideographic space */
    {"123\xe2\x80\x8b"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* zero-width space */
    {"\xe2\x81\xa6"
     "123456"
     "\xe2\x81\xa9",
     DT_TYPED_PASSCODE, "123456"}, /* direction isolates */
    {"\xef\xbb\xbf"
     "123456",
     DT_TYPED_PASSCODE, "123456"}, /* byte order mark */
    {"123\xe2\x80\x93"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* en dash */
    {"123\xe2\x80\x91"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* non-breaking hyphen */
    {"123\xc2\xad"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* soft hyphen */
    {"123\xe2\x88\x92"
     "456",
     DT_TYPED_PASSCODE, "123456"}, /* minus sign */
    {"", DT_TYPED_NOTHING, ""},
    {" \t\r\n", DT_TYPED_NOTHING, ""},
    {"\xc2\xa0", DT_TYPED_NOTHING, ""},
    {"-", DT_TYPED_OTHER, ""},
    {"- -", DT_TYPED_OTHER, ""},
    {"12345", DT_TYPED_OTHER, ""},
    {"123 45", DT_TYPED_OTHER, ""},
    {"123456789", DT_TYPED_OTHER, ""},
    {"1234 56789", DT_TYPED_OTHER, ""},
    {"123.456", DT_TYPED_OTHER, ""},
    {"123,456", DT_TYPED_OTHER, ""},
    {"123_456", DT_TYPED_OTHER, ""},
    {"+123456", DT_TYPED_OTHER, ""},
    {"123456x", DT_TYPED_OTHER, ""},
    {"x 123456", DT_TYPED_OTHER, ""},
    {"12345/", DT_TYPED_OTHER, ""},
    {"12345:", DT_TYPED_OTHER, ""},
    {"yes", DT_TYPED_OTHER, ""},
    {"123\xa0"
     "456",
     DT_TYPED_OTHER, ""},                                                     /* not UTF-8 */
    {"123456\xc2", DT_TYPED_OTHER, ""},                                       /* cut short */
    {"\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4\xd9\xa5\xd9\xa6", DT_TYPED_OTHER, ""}, /* other digits */
};

static void test_what_is_typed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[DT_PASSCODE_DIGITS_MAX + 1];
        dt_typed what;

        memset(out, 'x', sizeof(out));
        what = dt_passcode_read(dt_bytes_str(rows[i].typed), out);
        if (what != rows[i].what || strcmp(out, rows[i].digits) != 0)
            fail_msg("row %zu \"%s\": %d \"%s\"", i, rows[i].typed, (int)what, out);
    }
}

static void test_a_nul_is_no_blank(void **state)
{
    char out[DT_PASSCODE_DIGITS_MAX + 1];

    (void)state;
    assert_int_equal(dt_passcode_read(dt_bytes_of("123456\0", 7), out), DT_TYPED_OTHER);
    assert_int_equal(dt_passcode_read(dt_bytes_of("\0", 1), out), DT_TYPED_OTHER);
    assert_int_equal(dt_passcode_read(dt_bytes_of(NULL, 0), out), DT_TYPED_NOTHING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_typed),
                                       cmocka_unit_test(test_a_nul_is_no_blank)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
