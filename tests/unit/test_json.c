/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON port: what it refuses, what its getters say of things that are not there, and that what
 * we write is JSON again. */
#include "core/base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static dt_json *parse(char const *text)
{
    dt_json *root = NULL;
    dt_error e = {0};
    if (dt_json_parse(dt_bytes_str(text), &root, &e) != DT_OK)
        fail_msg("%s: %s", text, e.text);
    assert_non_null(root);
    assert_int_equal(e.code, 0);
    return root;
}

static void refuse(dt_bytes text, int code)
{
    dt_json *root = (dt_json *)(void *)"not NULL";
    dt_error e = {0};
    int rc = dt_json_parse(text, &root, &e);
    if (rc != code)
        fail_msg("%.*s: %d, not %d", (int)(text.len < 60 ? text.len : 60), (char const *)text.p, rc,
                 code);
    assert_null(root);
    assert_int_equal(e.code, code);
    assert_true(strlen(e.text) > 0);
    assert_int_equal(dt_json_parse(text, &root, NULL), code);
}

static void broken_text_is_refused(void **state)
{
    (void)state;
    static char const *const bad[] = {"",
                                      " ",
                                      "\n",
                                      "{",
                                      "}",
                                      "[",
                                      "]",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "nul",
                                      "NULL",
                                      "True",
                                      "undefined",
                                      "NaN",
                                      "Infinity",
                                      "-",
                                      "+1",
                                      "01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "0x10",
                                      "1 2",
                                      "{} {}",
                                      "[] x",
                                      "\"",
                                      "\"a",
                                      "\"\\\"",
                                      "\"\\x41\"",
                                      "\"\\u12\"",
                                      "\"\\u123g\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\\ud800\\u0041\"",
                                      "\"a\nb\"",
                                      "\"a\tb\"",
                                      "\"\x01\"",
                                      "\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "\"\xed\xa0\x80\"",
                                      "\"\xf4\x90\x80\x80\"",
                                      "\"\xe2\x82\"",
                                      "\xef\xbb\xbf{}",
                                      "/* */ 1",
                                      "// x\n1",
                                      "<html></html>",
                                      "[1 2]",
                                      "{\"a\" 1}",
                                      "{1:1}",
                                      "{null:1}",
                                      "{\"a\":1 \"b\":2}"};
    for (size_t i = 0; i < COUNT(bad); i++)
        refuse(dt_bytes_str(bad[i]), DT_E_PARSE);
}

static void nul_is_refused_in_every_form(void **state)
{
    (void)state;
    refuse(dt_bytes_of("\"a\0b\"", 5), DT_E_PARSE);
    refuse(dt_bytes_of("{}\0", 3), DT_E_PARSE);
    refuse(dt_bytes_of("\0{}", 3), DT_E_PARSE);
    refuse(dt_bytes_str("\"a\\u0000b\""), DT_E_PARSE);
    refuse(dt_bytes_str("{\"a\\u0000b\":1}"), DT_E_PARSE);
    refuse(dt_bytes_of(NULL, 0), DT_E_PARSE);
}

static void duplicate_members_are_refused(void **state)
{
    (void)state;
    refuse(dt_bytes_str("{\"factorResult\":\"WAITING\",\"factorResult\":\"SUCCESS\"}"), DT_E_PARSE);
    refuse(dt_bytes_str("{\"a\":{\"b\":1,\"b\":1}}"), DT_E_PARSE);
    refuse(dt_bytes_str("{\"a\":1,\"\\u0061\":2}"), DT_E_PARSE);
    refuse(dt_bytes_str("[{\"\":1,\"\":2}]"), DT_E_PARSE);
}

static void huge_numbers_are_refused(void **state)
{
    (void)state;
    refuse(dt_bytes_str("9223372036854775808"), DT_E_PARSE);
    refuse(dt_bytes_str("-9223372036854775809"), DT_E_PARSE);
    refuse(dt_bytes_str("{\"expires_in\":99999999999999999999999999}"), DT_E_PARSE);
    refuse(dt_bytes_str("1e999"), DT_E_PARSE);
    refuse(dt_bytes_str("-1e999"), DT_E_PARSE);
}

static void repeated(char *text, char const *what, size_t n)
{
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * strlen(what), what, strlen(what));
    text[n * strlen(what)] = '\0';
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    char text[4 * DT_JSON_DEPTH_MAX + 16];
    repeated(text, "[", DT_JSON_DEPTH_MAX);
    repeated(text + DT_JSON_DEPTH_MAX, "]", DT_JSON_DEPTH_MAX);
    dt_json *root = parse(text);
    dt_json_free(&root);
    repeated(text, "[", DT_JSON_DEPTH_MAX + 1);
    repeated(text + DT_JSON_DEPTH_MAX + 1, "]", DT_JSON_DEPTH_MAX + 1);
    refuse(dt_bytes_str(text), DT_E_LIMIT);
    /* Brackets in strings are no nesting, whatever stands before their quotes. */
    text[0] = '"';
    repeated(text + 1, "\\\\[{", DT_JSON_DEPTH_MAX);
    strcat(text, "\\\"\"");
    root = parse(text);
    dt_json_free(&root);
    /* Unbalanced ends neither underflow nor pay for what follows. */
    refuse(dt_bytes_str("]]]]]]]]"), DT_E_PARSE);
    refuse(dt_bytes_str("\"\\"), DT_E_PARSE);
}

static void density_is_bounded(void **state)
{
    (void)state;
    size_t n = 100000;
    char *text = calloc(1, 3 * n + 8);
    assert_non_null(text);
    text[0] = '[';
    repeated(text + 1, "[],", n);
    strcpy(text + 1 + 3 * n - 1, "]");
    refuse(dt_bytes_str(text), DT_E_LIMIT);
    /* As many as a policy file of a hundred thousand rules may have. */
    char *more = calloc(1, 64 * 20000 + 8);
    assert_non_null(more);
    more[0] = '[';
    repeated(more + 1, "{\"name\":\"rule\",\"conditions\":{\"people\":{}},\"x\":[]},", 20000);
    more[strlen(more) - 1] = ']';
    dt_json *root = parse(more);
    assert_int_equal(dt_json_size(root), 20000);
    dt_json_free(&root);
    free(text);
    free(more);
}

static void errors_quote_nothing_of_the_text(void **state)
{
    (void)state;
    dt_json *root = NULL;
    dt_error e = {0};
    char const *text = "{\n  \"access_token\": \"eyJhbGciOi\" \"SECRETSECRET\"\n}";
    assert_int_equal(dt_json_parse(dt_bytes_str(text), &root, &e), DT_E_PARSE);
    assert_null(strstr(e.text, "SECRET"));
    assert_non_null(strstr(e.text, "line 2"));
    text = "{\"a\": SECRET\x1b[31m}";
    assert_int_equal(dt_json_parse(dt_bytes_str(text), &root, &e), DT_E_PARSE);
    assert_null(strstr(e.text, "SECRET"));
    assert_null(strchr(e.text, '\x1b'));
    text = "{\"SECRET\":1,\"SECRET\":2}";
    assert_int_equal(dt_json_parse(dt_bytes_str(text), &root, &e), DT_E_PARSE);
    assert_null(strstr(e.text, "SECRET"));
    text = "\"SECRET ' near '";
    assert_int_equal(dt_json_parse(dt_bytes_str(text), &root, &e), DT_E_PARSE);
    assert_null(strstr(e.text, "SECRET"));
}

static void getters_take_what_is_not_there(void **state)
{
    (void)state;
    int64_t n = 5;
    bool b = true;
    char const *name = "x";
    assert_int_equal(dt_json_typeof(NULL), DT_JSON_NONE);
    assert_null(dt_json_get(NULL, "a"));
    assert_null(dt_json_path(NULL, "a", "b", NULL));
    assert_int_equal(dt_json_size(NULL), 0);
    assert_null(dt_json_at(NULL, 0));
    assert_null(dt_json_member(NULL, 0, &name));
    assert_null(name);
    assert_null(dt_json_string(NULL));
    assert_false(dt_json_integer(NULL, &n));
    assert_false(dt_json_bool(NULL, &b));
    assert_int_equal(n, 5);
    dt_json *none = NULL;
    dt_json_free(&none);
    dt_json_free(NULL);
    dt_json_free_wiped(&none);
    dt_json_free_wiped(NULL);
}

static void getters_take_other_types(void **state)
{
    (void)state;
    static char const *const names[] = {"n", "b", "i", "r", "s", "a", "o"};
    static dt_json_type const types[] = {DT_JSON_NULL,  DT_JSON_BOOL,   DT_JSON_INTEGER,
                                         DT_JSON_REAL,  DT_JSON_STRING, DT_JSON_ARRAY,
                                         DT_JSON_OBJECT};
    dt_json *root = parse("{\"n\":null,\"b\":true,\"i\":7,\"r\":7.0,\"s\":\"7\",\"a\":[7],"
                          "\"o\":{\"n\":7}}");
    for (size_t i = 0; i < COUNT(names); i++) {
        dt_json const *v = dt_json_get(root, names[i]);
        dt_json_type t = types[i];
        int64_t n;
        bool b;
        char const *name;
        assert_int_equal(dt_json_typeof(v), t);
        assert_int_equal(dt_json_integer(v, &n), t == DT_JSON_INTEGER);
        assert_int_equal(dt_json_bool(v, &b), t == DT_JSON_BOOL);
        assert_int_equal(dt_json_string(v) != NULL, t == DT_JSON_STRING);
        assert_int_equal(dt_json_size(v), t == DT_JSON_ARRAY || t == DT_JSON_OBJECT);
        assert_int_equal(dt_json_at(v, 0) != NULL, t == DT_JSON_ARRAY);
        assert_int_equal(dt_json_get(v, "n") != NULL, t == DT_JSON_OBJECT);
        assert_int_equal(dt_json_member(v, 0, &name) != NULL, t == DT_JSON_OBJECT);
    }
    assert_null(dt_json_get(root, "N"));
    assert_null(dt_json_path(root, "o", "n", "x", NULL));
    assert_non_null(dt_json_path(root, "o", "n", NULL));
    assert_ptr_equal(dt_json_path(root, NULL), root);
    assert_null(dt_json_at(dt_json_get(root, "a"), 1));
    assert_null(dt_json_at(dt_json_get(root, "a"), SIZE_MAX));
    dt_json_free(&root);
    assert_null(root);
}

static void members_keep_their_order(void **state)
{
    (void)state;
    static char const *const names[] = {"zebra", "apple", "m", "", "a b"};
    dt_json *root = parse("{\"zebra\":0,\"apple\":1,\"m\":2,\"\":3,\"a b\":4}");
    char const *name;
    for (size_t i = 0; i < COUNT(names); i++) {
        int64_t n;
        dt_json const *v = dt_json_member(root, i, &name);
        assert_string_equal(name, names[i]);
        assert_true(dt_json_integer(v, &n));
        assert_int_equal(n, i);
    }
    assert_null(dt_json_member(root, COUNT(names), &name));
    assert_null(name);
    dt_json_free_wiped(&root);
    assert_null(root);
}

static void scalars_are_texts_too(void **state)
{
    (void)state;
    int64_t n;
    dt_json *root = parse(" -9223372036854775808 ");
    assert_true(dt_json_integer(root, &n));
    assert_true(n == INT64_MIN);
    dt_json_free(&root);
    root = parse("\"\\u00e9\\ud83d\\udcbb\"");
    assert_string_equal(dt_json_string(root), "\xc3\xa9\xf0\x9f\x92\xbb");
    dt_json_free_wiped(&root);
}

/* --- writing ------------------------------------------------------------------------------------ */

static void strings_are_escaped(void **state)
{
    (void)state;
    static char const *const rows[][2] = {
        {"plain", "\"plain\""},
        {"", "\"\""},
        {NULL, "\"\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\n\t\r\b\x1f", "\"\\n\\t\\u000d\\u0008\\u001f\""},
        {"\x7f", "\"\\u007f\""},
        {"\xc2\x9b", "\"\\u009b\""},
        {"\xe2\x80\xae", "\"\\u202e\""},
        {"\xe2\x80\xa8", "\"\\u2028\""},
        {"\xef\xbb\xbf", "\"\\ufeff\""},
        {"\xc3\xb6\xe2\x82\xac\xf0\x9f\x92\xbb", "\"\xc3\xb6\xe2\x82\xac\xf0\x9f\x92\xbb\""},
        {"\xff", "\"\xef\xbf\xbd\""},
        {"a\xc3", "\"a\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"</script>", "\"</script>\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_buf b;
        dt_buf_init(&b, 256);
        dt_json_put_string(&b, rows[i][0]);
        assert_string_equal((char *)b.p, rows[i][1]);
        dt_buf_free(&b);
    }
}

/* Every string of two bytes comes back as it was, or with U+FFFD, and shows no control character. */
static void strings_come_back(void **state)
{
    (void)state;
    for (unsigned v = 1; v < 0x10000; v++) {
        char s[3] = {(char)(v & 0xff), (char)(v >> 8), '\0'};
        char storage[64];
        dt_buf b;
        if (s[0] == '\0')
            continue;
        dt_buf_init_fixed(&b, storage, sizeof(storage));
        dt_json_put_string(&b, s);
        assert_int_equal(dt_buf_error(&b), 0);
        for (size_t i = 0; i < b.len; i++)
            assert_true(b.p[i] >= 0x20 && b.p[i] != 0x7f);
        dt_json *root = parse(storage);
        char const *back = dt_json_string(root);
        assert_true(strcmp(back, s) == 0 || strstr(back, "\xef\xbf\xbd") != NULL);
        dt_json_free(&root);
    }
}

static void strings_know_the_ceiling(void **state)
{
    (void)state;
    for (size_t size = 0; size < 10; size++) {
        char storage[16];
        dt_buf b;
        dt_buf_init_fixed(&b, storage, size);
        dt_json_put_string(&b, "ab\n\x01");
        assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    }
}

/* --- memory that runs out --------------------------------------------------------------------- */

static long allocations_left;

static void *malloc_a_while(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

/* jansson often does not say why it gave up, and where a string did not fit says that it is no string:
 * an error all the same, and none of a line that there is not. */
static void every_allocation_may_fail(void **state)
{
    static char const text[] =
        "{\"a\":[1,2.5,true,null,\"\\u00e4\",{\"b\":{}}],\"c\":\"0123456789abcdef\"}";
    int rc = DT_E_NOMEM;
    size_t told = 0;
    (void)state;

    for (long n = 0; rc != DT_OK; n++) {
        dt_json *root = NULL;
        dt_error e = {0};
        assert_in_range(n, 0, 1000);
        allocations_left = n;
        json_set_alloc_funcs(malloc_a_while, free);
        rc = dt_json_parse(dt_bytes_str(text), &root, &e);
        json_set_alloc_funcs(malloc, free);
        assert_true(rc == DT_OK || rc == DT_E_NOMEM || rc == DT_E_PARSE);
        assert_true((rc == DT_OK) == (root != NULL) && e.code == rc);
        assert_null(strstr(e.text, "line -1"));
        told += rc == DT_E_NOMEM;
        dt_json_free(&root);
    }
    assert_true(told > 5);
}

/* One odd text becomes an empty array; all else of the list is as it was, and as strict. */
static void odd_texts_end_no_list(void **state)
{
    static struct {
        char const *text, *read; /* NULL: refused */
    } const rows[] = {
        {"[\"a\",\"b\"]", "[\"a\",\"b\"]"},
        {"[\"a\\u0000\",\"b\"]", "[[],\"b\"]"},
        {"[{\"n\":\"\\u0000\",\"i\":1},{\"n\":\"good\"}]", "[{\"n\":[],\"i\":1},{\"n\":\"good\"}]"},
        {"[\"\\ud800\",\"b\"]", "[[],\"b\"]"},
        {"[\"\\udc00x\",\"b\"]", "[[],\"b\"]"},
        {"[\"\\ud800\\u0041\",\"b\"]", "[[],\"b\"]"},
        {"[\"\\ud83d\\ude00\",\"\\u0000\"]", "[\"\xf0\x9f\x98\x80\",[]]"},
        {"[\"\xff\",\"b\"]", "[[],\"b\"]"},
        {"[\"\xc0\x80\",\"b\"]", "[[],\"b\"]"},
        {"[\"\\\\u0000\"]", "[\"\\\\u0000\"]"},
        {"[\"\\\"\\u0000\",\"b\"]", "[[],\"b\"]"},
        {"{\"a\\u0000\":1}", NULL},
        {"{\"\xff\" : 1}", NULL},
        {"[\"\\u0000\",]", NULL},
        {"[\"\\u0000\"", NULL},
        {"[\"\\u00", NULL},
        {"{\"a\":\"\\u0000\",\"a\":1}", NULL},
        {"[\"\\u0000\"]x", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_json *root = NULL;
        dt_buf b;
        int rc = dt_json_parse_list(dt_bytes_str(rows[i].text), &root, NULL);

        dt_buf_init(&b, 1024);
        if (rc == DT_OK)
            dt_json_put_value(&b, root, 0);
        dt_buf_putc(&b, '\0');
        if (rows[i].read == NULL ? rc == DT_OK
                                 : rc != DT_OK || strcmp((char *)b.p, rows[i].read) != 0)
            fail_msg("%zu: %s", i, (char *)b.p);
        dt_buf_free(&b);
        dt_json_free(&root);
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(broken_text_is_refused),
        cmocka_unit_test(nul_is_refused_in_every_form),
        cmocka_unit_test(duplicate_members_are_refused),
        cmocka_unit_test(huge_numbers_are_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(density_is_bounded),
        cmocka_unit_test(errors_quote_nothing_of_the_text),
        cmocka_unit_test(getters_take_what_is_not_there),
        cmocka_unit_test(getters_take_other_types),
        cmocka_unit_test(members_keep_their_order),
        cmocka_unit_test(scalars_are_texts_too),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(strings_come_back),
        cmocka_unit_test(strings_know_the_ceiling),
        cmocka_unit_test(odd_texts_end_no_list),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
