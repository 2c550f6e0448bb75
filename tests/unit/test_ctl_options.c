/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of devtrustctl: what is taken, and that no slip of the fingers is passed over. */
#include "devtrustctl/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 16

static char const *g_user, *g_config;
static bool g_json;
static char const *g_rest[ARGUMENTS_MAX];
static size_t g_rest_count;
static dt_error g_error;

/* Splits a line at blanks; "''" stands for an empty argument. */
static int parse(char const *line)
{
    static char text[8192];
    char *argv[ARGUMENTS_MAX], *save = NULL;
    int argc = 0;
    dt_option const options[] = {{"--user", NULL, &g_user, NULL},
                                 {"--config", "-c", &g_config, NULL},
                                 {"--json", NULL, NULL, &g_json},
                                 {NULL, NULL, NULL, NULL}};

    g_user = g_config = NULL;
    g_json = false;
    g_error = (dt_error){0};
    assert_true(strlen(line) < sizeof(text));
    strcpy(text, line);
    for (char *a = strtok_r(text, " ", &save); a != NULL; a = strtok_r(NULL, " ", &save)) {
        assert_true(argc < ARGUMENTS_MAX);
        argv[argc++] = strcmp(a, "''") == 0 ? a + 2 : a;
    }
    return dt_options_parse(options, argc, argv, g_rest, &g_rest_count, &g_error);
}

static void takes_options_and_names_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(parse(""), 0);
    assert_int_equal(g_rest_count, 0);
    assert_int_equal(parse("add --user alice one --json two -c /etc/x"), 0);
    assert_string_equal(g_user, "alice");
    assert_string_equal(g_config, "/etc/x");
    assert_true(g_json);
    assert_int_equal(g_rest_count, 3);
    assert_string_equal(g_rest[0], "add");
    assert_string_equal(g_rest[1], "one");
    assert_string_equal(g_rest[2], "two");
    assert_int_equal(parse("--user=alice --config=/a=b"), 0);
    assert_string_equal(g_user, "alice");
    assert_string_equal(g_config, "/a=b");
    assert_false(g_json);
}

static void a_value_may_look_like_an_option(void **state)
{
    (void)state;
    assert_int_equal(parse("--user --json"), 0);
    assert_string_equal(g_user, "--json");
    assert_false(g_json);
}

static void two_dashes_end_the_options(void **state)
{
    (void)state;
    assert_int_equal(parse("-- --user -c - --"), 0);
    assert_null(g_user);
    assert_int_equal(g_rest_count, 4);
    assert_string_equal(g_rest[0], "--user");
    assert_string_equal(g_rest[3], "--");
    assert_int_equal(parse("-"), 0);
    assert_int_equal(g_rest_count, 1);
}

static void refuses(char const *line, char const *why)
{
    assert_int_equal(parse(line), DT_E_INVALID);
    assert_int_equal(g_error.code, DT_E_INVALID);
    if (strstr(g_error.text, why) == NULL)
        fail_msg("\"%s\" said: %s", line, g_error.text);
}

static void refuses_slips(void **state)
{
    (void)state;
    refuses("--usr alice", "--usr is not an option");
    refuses("--user", "needs a value");
    refuses("--user ''", "needs a value");
    refuses("--user=", "needs a value");
    refuses("-c", "needs a value");
    refuses("-cx", "-cx is not an option");
    refuses("-c=x", "is not an option");
    refuses("--user a --user b", "is given twice");
    refuses("--config a -c b", "is given twice");
    refuses("--json --json", "is given twice");
    refuses("--json=yes", "takes no value");
    refuses("--use a", "is not an option");
    refuses("--user-name a", "is not an option");
    refuses("-j", "is not an option");
    refuses("one ---", "is not an option");
    refuses("--x\x1b[31m", "--x\\x1b[31m is not an option");
}

static void refuses_what_is_too_long(void **state)
{
    (void)state;
    char line[DT_ARGUMENT_MAX + 64] = "--user ";
    size_t at = strlen(line);
    memset(line + at, 'x', DT_ARGUMENT_MAX);
    assert_int_equal(parse(line), 0);
    memset(line + at, 'x', DT_ARGUMENT_MAX + 1);
    refuses(line, "too long");
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(takes_options_and_names_in_any_order),
        cmocka_unit_test(a_value_may_look_like_an_option),
        cmocka_unit_test(two_dashes_end_the_options),
        cmocka_unit_test(refuses_slips),
        cmocka_unit_test(refuses_what_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
