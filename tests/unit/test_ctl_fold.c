/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines that are folded for a terminal: none is wider than it, and nothing is lost. */
#include "devtrustctl/fold.h"

#include "core/base/unicode.h"
#include "core/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The lines, with "|" between them. */
static char const *folded(char const *text, size_t columns, char out[256])
{
    dt_bytes rest = dt_bytes_str(text);
    dt_buf b;

    dt_buf_init_fixed(&b, out, 256);
    while (rest.len > 0) {
        size_t next = 0;
        size_t const n = dt_fold(rest, columns, &next);

        assert_in_range(n, 1, rest.len);
        assert_in_range(next, n, rest.len);
        if (b.len > 0)
            dt_buf_putc(&b, '|');
        dt_buf_put(&b, rest.p, n);
        rest = dt_bytes_of(rest.p + next, rest.len - next);
    }
    return out;
}

static void breaks_at_blanks_where_it_can(void **state)
{
    static struct {
        char const *text;
        size_t columns;
        char const *lines;
    } const cases[] = {
        {"one", 3, "one"},
        {"one two", 7, "one two"},
        {"one two", 6, "one|two"},
        {"one two", 3, "one|two"},
        {"one  two", 4, "one|two"},
        {"onetwo", 3, "one|two"},
        {"a onetwo", 4, "a|onet|wo"},
        {"  one", 3, "  o|ne"},
        {"one ", 3, "one"},
        {"\xc3\xb6\xc3\xb6\xc3\xb6", 2, "\xc3\xb6\xc3\xb6|\xc3\xb6"},
        /* two columns each */
        {"\xe4\xbd\xa0\xe5\xa5\xbd", 2, "\xe4\xbd\xa0|\xe5\xa5\xbd"},
        {"\xe4\xbd\xa0\xe5\xa5\xbd", 3, "\xe4\xbd\xa0|\xe5\xa5\xbd"},
        {"\xe4\xbd\xa0\xe5\xa5\xbd", 1, "\xe4\xbd\xa0|\xe5\xa5\xbd"},
        /* e and its accent */
        {"e\xcc\x81"
         "e\xcc\x81",
         1, "e\xcc\x81|e\xcc\x81"},
    };
    char out[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(folded(cases[i].text, cases[i].columns, out), cases[i].lines);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(breaks_at_blanks_where_it_can),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
