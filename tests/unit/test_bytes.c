/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes, buffers, escapes, base64, secrets and error texts: what everything else relies on to stay
 * within its bounds. malloc is wrapped, to fail on demand and to look at what is given back. */
#include "core/base/bytes.h"
#include "core/base/step.h"
#include "core/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- malloc that fails, free that looks --------------------------------------------------------- */

void *__real_malloc(size_t n);
void __real_free(void *p);

static bool malloc_fails;
static char const *watched; /* no freed block may hold it */
static size_t watched_size;

void *__wrap_malloc(size_t n)
{
    return malloc_fails ? NULL : __real_malloc(n);
}

void __wrap_free(void *p)
{
    if (p != NULL && watched != NULL && memmem(p, watched_size, watched, strlen(watched)) != NULL)
        fail_msg("memory was given back unwiped");
    __real_free(p);
}

/* --- errors ------------------------------------------------------------------------------------- */

static void error_texts_are_cut_between_characters(void **state)
{
    (void)state;
    dt_error e = {0};
    char text[DT_ERROR_TEXT_MAX + 8];
    for (size_t start = 0; start < 4; start++) {
        memset(text, 'a', sizeof(text));
        for (size_t i = start; i + 4 < sizeof(text); i += 4)
            memcpy(text + i, "\xf0\x9f\x92\xbb", 4);
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(dt_error_set(&e, DT_E_IO, "%s", text), DT_E_IO);
        size_t n = strlen(e.text);
        assert_true(n < DT_ERROR_TEXT_MAX && n >= DT_ERROR_TEXT_MAX - 4);
        for (size_t i = 0; i < n;) {
            uint32_t cp;
            size_t step = dt_utf8_decode((uint8_t const *)e.text + i, n - i, &cp);
            assert_true(step > 0);
            i += step;
        }
    }
}

static void error_may_quote_itself(void **state)
{
    (void)state;
    dt_error e = {0};
    (void)dt_error_set(&e, DT_E_PARSE, "line %d", 7);
    assert_int_equal(dt_error_set(&e, DT_E_INVALID, "in %s: %s", "x.json", e.text), DT_E_INVALID);
    assert_string_equal(e.text, "in x.json: line 7");
    assert_int_equal(dt_error_prefix(&e, "%s:%d", "devtrust.conf", 3), DT_E_INVALID);
    assert_string_equal(e.text, "devtrust.conf:3: in x.json: line 7");
}

static void error_may_be_nobodys(void **state)
{
    (void)state;
    assert_int_equal(dt_error_set(NULL, DT_E_LIMIT, "%s", "x"), DT_E_LIMIT);
    assert_int_equal(dt_error_prefix(NULL, "%s", "x"), 0);
}

static void error_prefix_is_cut_too(void **state)
{
    (void)state;
    dt_error e = {0};
    char prefix[2 * DT_ERROR_TEXT_MAX];
    memset(prefix, 'p', sizeof(prefix) - 1);
    prefix[sizeof(prefix) - 1] = '\0';
    (void)dt_error_set(&e, DT_E_IO, "what");
    assert_int_equal(dt_error_prefix(&e, "%s", prefix), DT_E_IO);
    assert_int_equal(strlen(e.text), DT_ERROR_TEXT_MAX - 1);
    assert_null(strchr(e.text, 'w'));
}

static void every_code_has_its_own_name(void **state)
{
    (void)state;
    for (int a = DT_E_GONE; a <= DT_OK; a++) {
        assert_string_not_equal(dt_err_name(a), "DT_E_UNNAMED");
        for (int b = DT_E_GONE; b < a; b++)
            assert_string_not_equal(dt_err_name(a), dt_err_name(b));
    }
    assert_string_equal(dt_err_name(DT_E_GONE - 1), "DT_E_UNNAMED");
    assert_string_equal(dt_err_name(1), "DT_E_UNNAMED");
}

static void every_table_has_its_own_name(void **state)
{
    (void)state;
    for (int a = DT_TABLE_NONE; a < DT_TABLE_COUNT; a++)
        for (int b = DT_TABLE_NONE; b < a; b++)
            assert_string_not_equal(dt_store_table_name((dt_store_table)a),
                                    dt_store_table_name((dt_store_table)b));
    assert_string_equal(dt_store_table_name(DT_TABLE_NONE), "none");
    assert_string_equal(dt_store_table_name(DT_TABLE_COUNT), "none");
    assert_string_equal(dt_store_table_name((dt_store_table)-1), "none");
}

/* --- buffers ------------------------------------------------------------------------------------ */

static void empty_buffer_is_a_string(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, 10);
    assert_string_equal((char *)b.p, "");
    dt_buf_put(&b, NULL, 0);
    dt_buf_puts(&b, NULL);
    dt_buf_puts(&b, "");
    dt_buf_printf(&b, "%s", "");
    assert_int_equal(b.cap, 0);
    assert_int_equal(dt_buf_error(&b), 0);
    dt_buf_reset(&b);
    dt_buf_truncate(&b, 0);
    dt_buf_free(&b);
    dt_buf_free(&b);
}

static void buffer_stops_at_its_ceiling(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, 10);
    dt_buf_puts(&b, "0123456789");
    assert_int_equal(dt_buf_error(&b), 0);
    dt_buf_putc(&b, 'x');
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    assert_string_equal((char *)b.p, "0123456789");
    dt_buf_truncate(&b, 2);
    dt_buf_puts(&b, "y"); /* errors stick */
    assert_string_equal((char *)b.p, "01");
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    dt_buf_reset(&b);
    dt_buf_printf(&b, "%s-%d", "abc", 12345);
    assert_string_equal((char *)b.p, "abc-12345");
    dt_buf_printf(&b, "%s", "ab");
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    assert_string_equal((char *)b.p, "abc-12345");
    dt_buf_free(&b);
}

static void nothing_fits_into_nothing(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf zero = {0};
    dt_buf_init_fixed(&b, NULL, 0);
    assert_string_equal((char *)b.p, "");
    dt_buf_printf(&b, "%s", "");
    assert_int_equal(dt_buf_error(&b), 0);
    dt_buf_puts(&b, "x");
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    dt_buf_free(&b);
    char one[1] = {'x'};
    dt_buf_init_fixed(&b, one, 1);
    assert_int_equal(one[0], 0);
    dt_buf_putc(&b, 'x');
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    assert_int_equal(one[0], 0);
    dt_buf_put(&zero, "x", 1);
    assert_int_equal(dt_buf_error(&zero), DT_E_LIMIT);
}

static void fixed_buffer_keeps_within_its_storage(void **state)
{
    (void)state;
    char storage[8];
    dt_buf b;
    memset(storage, 'z', sizeof(storage));
    dt_buf_init_fixed(&b, storage, 5);
    dt_buf_puts(&b, "1234");
    assert_int_equal(dt_buf_error(&b), 0);
    dt_buf_puts(&b, "5");
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    assert_memory_equal(storage, "1234\0zzz", 8);
    dt_buf_free(&b); /* borrowed: wiped, not freed */
    assert_memory_equal(storage, "\0\0\0\0\0zzz", 8);
}

static void buffer_survives_out_of_memory(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, 1 << 20);
    dt_buf_puts(&b, "before");
    char block[4096] = {0};
    malloc_fails = true;
    dt_buf_put(&b, block, sizeof(block));
    malloc_fails = false;
    assert_int_equal(dt_buf_error(&b), DT_E_NOMEM);
    assert_string_equal((char *)b.p, "before");
    dt_buf_free(&b);
}

static void absurd_lengths_are_refused(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, SIZE_MAX);
    dt_buf_puts(&b, "x");
    dt_buf_put(&b, "x", SIZE_MAX);
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    dt_buf_free(&b);
}

static void buffer_is_wiped_when_it_grows_and_goes(void **state)
{
    (void)state;
    static char const secret[] = "a passcode that must not stay";
    dt_buf b;
    dt_buf_init(&b, 1 << 20);
    dt_buf_puts(&b, secret);
    watched = secret;
    watched_size = b.cap;
    for (int i = 0; i < 64; i++)
        dt_buf_puts(&b, "filling up to make it grow");
    watched_size = sizeof(secret);
    dt_buf_free(&b);
    watched = NULL;
}

static void numbers_are_written_whole(void **state)
{
    (void)state;
    static struct {
        int64_t value;
        char const *text;
    } const rows[] = {{0, "0"},
                      {-1, "-1"},
                      {10, "10"},
                      {INT64_MAX, "9223372036854775807"},
                      {INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char storage[32];
        dt_buf b;
        dt_buf_init_fixed(&b, storage, sizeof(storage));
        dt_buf_put_int(&b, rows[i].value);
        assert_string_equal(storage, rows[i].text);
    }
}

/* --- strings ------------------------------------------------------------------------------------ */

static void copies_are_whole_or_nothing(void **state)
{
    (void)state;
    char dst[4] = "zzz";
    assert_int_equal(dt_str_copy(dst, sizeof(dst), "abc"), 0);
    assert_string_equal(dst, "abc");
    assert_int_equal(dt_str_copy(dst, sizeof(dst), "abcd"), DT_E_LIMIT);
    assert_string_equal(dst, "");
    assert_int_equal(dt_str_copy(dst, sizeof(dst), NULL), 0);
    assert_string_equal(dst, "");
    assert_int_equal(dt_str_copy(dst, 0, ""), DT_E_LIMIT);
    memcpy(dst, "zzz", 4);
    assert_int_equal(dt_str_copy_bytes(dst, sizeof(dst), dt_bytes_of("a\0b", 3)), DT_E_PARSE);
    assert_string_equal(dst, "");
    /* A NUL beats the length: it is never a name. */
    assert_int_equal(dt_str_copy_bytes(dst, sizeof(dst), dt_bytes_of("a\0bcdef", 7)), DT_E_PARSE);
    assert_int_equal(dt_str_copy_bytes(dst, sizeof(dst), dt_bytes_of("abcd", 4)), DT_E_LIMIT);
    assert_int_equal(dt_str_copy_bytes(dst, sizeof(dst), dt_bytes_of(NULL, 0)), 0);
}

static void case_folds_in_ascii_only(void **state)
{
    (void)state;
    assert_true(dt_str_equal_nocase("Bearer", "bEARER"));
    assert_true(dt_str_equal_nocase("", ""));
    assert_false(dt_str_equal_nocase("abc", "abcd"));
    assert_false(dt_str_equal_nocase("abcd", "abc"));
    assert_false(dt_str_equal_nocase(NULL, NULL));
    assert_false(dt_str_equal_nocase("", NULL));
    assert_false(dt_str_equal_nocase("@", "`"));
    assert_false(dt_str_equal_nocase("[", "{"));
    assert_false(dt_str_equal_nocase("\xc3\x84", "\xc3\xa4")); /* A umlaut */
    assert_false(dt_str_equal_nocase("k", "\xe2\x84\xaa"));    /* the Kelvin sign */
}

static void bytes_compare_by_content(void **state)
{
    (void)state;
    assert_true(dt_bytes_equal(dt_bytes_of(NULL, 0), dt_bytes_str("")));
    assert_true(dt_bytes_equal(dt_bytes_of("a\0b", 3), dt_bytes_of("a\0b", 3)));
    assert_false(dt_bytes_equal(dt_bytes_of("a\0b", 3), dt_bytes_of("a\0c", 3)));
    assert_false(dt_bytes_equal(dt_bytes_str("ab"), dt_bytes_str("abc")));
}

/* --- UTF-8 and escapes -------------------------------------------------------------------------- */

/* Markus Kuhn's kinds of malformed UTF-8, and the edges of every range. */
static void malformed_utf8_is_refused(void **state)
{
    (void)state;
    static char const *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x20",
                                      "\xe0\x80\x80",
                                      "\xe0\x9f\xbf",
                                      "\xe0\xa0",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x80\x80\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xfe",
                                      "\xff",
                                      "\xf8\x88\x80\x80\x80"};
    uint32_t cp = 0;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(dt_utf8_decode((uint8_t const *)bad[i], strlen(bad[i]), &cp), 0);
    assert_int_equal(dt_utf8_decode((uint8_t const *)"a", 0, &cp), 0);
}

static void every_code_point_decodes_to_itself(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10ffff; cp += cp < 0x3000 ? 1 : 37) {
        if (cp >= 0xd800 && cp <= 0xdfff)
            continue;
        uint8_t s[4];
        size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
        s[0] = (uint8_t)(n == 1 ? cp : (0xf0 << (4 - n) & 0xff) | cp >> (6 * (n - 1)));
        for (size_t i = 1; i < n; i++)
            s[i] = (uint8_t)(0x80 | (cp >> (6 * (n - 1 - i)) & 0x3f));
        uint32_t back = 0;
        assert_int_equal(dt_utf8_decode(s, n, &back), n);
        assert_int_equal(back, cp);
        for (size_t cut = 1; cut < n; cut++)
            assert_int_equal(dt_utf8_decode(s, cut, &back), 0);
    }
}

static void escapes_show_what_hides(void **state)
{
    (void)state;
    static struct {
        char const *from, *to;
    } const rows[] = {
        {"plain text ~", "plain text ~"},
        {"\x1b[31mred", "\\x1b[31mred"},
        {"a\nb\r\tc", "a\\x0ab\\x0d\\x09c"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"}, /* CSI as one C1 control */
        {"\xe2\x80\xae"
         "gpj",
         "\\xe2\\x80\\xaegpj"},              /* right-to-left override */
        {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"}, /* isolate */
        {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, /* line separator */
        {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"}, /* BOM */
        {"J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x92\xbb", "J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x92\xbb"},
        {"\xff\xc3(", "\\xff\\xc3("},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char dst[64];
        assert_ptr_equal(dt_str_escape(dst, sizeof(dst), rows[i].from), dst);
        assert_string_equal(dst, rows[i].to);
    }
    char dst[4] = "zzz";
    assert_string_equal(dt_str_escape(dst, sizeof(dst), NULL), "");
    assert_ptr_equal(dt_str_escape(dst, 0, "x"), dst);
}

static void escapes_are_cut_whole(void **state)
{
    (void)state;
    char dst[8];
    assert_string_equal(dt_str_escape(dst, 8, "abcdefgh"), "abcdefg");
    assert_string_equal(dt_str_escape(dst, 8, "abcd\n"), "abcd");     /* \x0a would not fit */
    assert_string_equal(dt_str_escape(dst, 8, "abc\nd"), "abc\\x0a"); /* it just does */
    assert_string_equal(dt_str_escape(dst, 4, "ab\xc3\xb6"), "ab");
    assert_string_equal(dt_str_escape(dst, 5, "ab\xc3\xb6"), "ab\xc3\xb6");
    char storage[4];
    dt_buf b;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_put_escaped(&b, dt_bytes_str("toolong"));
    assert_int_equal(dt_buf_error(&b), 0);
    /* A NUL inside is a byte like others. */
    char more[32];
    dt_buf_init_fixed(&b, more, sizeof(more));
    dt_buf_put_escaped(&b, dt_bytes_of("a\0b", 3));
    assert_string_equal(more, "a\\x00b");
}

static void hex_is_lower_case(void **state)
{
    (void)state;
    char dst[9] = "zzzzzzzz";
    dt_hex(dst, (uint8_t const *)"\x00\xff\xa5\x09", 4);
    assert_string_equal(dst, "00ffa509");
    dt_hex(dst, NULL, 0);
    assert_string_equal(dst, "");
}

/* --- base64 ------------------------------------------------------------------------------------- */

/* RFC 4648 section 10. */
static void base64_vectors(void **state)
{
    (void)state;
    static char const *const rows[][3] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/", "-_-_"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        dt_buf b;
        dt_buf_init(&b, 64);
        dt_base64_encode(&b, dt_bytes_str(rows[i][0]));
        assert_string_equal((char *)b.p, rows[i][1]);
        dt_buf_reset(&b);
        dt_base64url_encode(&b, dt_bytes_str(rows[i][0]));
        assert_string_equal((char *)b.p, rows[i][2]);
        dt_buf_reset(&b);
        assert_int_equal(dt_base64_decode(&b, dt_bytes_str(rows[i][1])), 0);
        assert_string_equal((char *)b.p, rows[i][0]);
        dt_buf_reset(&b);
        assert_int_equal(dt_base64url_decode(&b, dt_bytes_str(rows[i][2])), 0);
        assert_string_equal((char *)b.p, rows[i][0]);
        dt_buf_free(&b);
    }
}

static void base64_is_strict(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "Z",       "Zg",    "Zg=",    "Zm8",      "Zg===", "====", "=",      "Z===",  "Zg==Zg==",
        "Zg= =",   " Zg==", "Zg==\n", "Zm9v\n",   "Zm 9",  "Zh==", "Zm9=",   "Zm9v=", "-_-_",
        "Zm9\xc3", "Zm9,",  "Zg==a",  "Zm8=Zm8=", "Z=g=",  "=Zg=", "Zm9vZg", "Zg=g",  "Zm\x01v"};
    static char const *const bad_url[] = {"Z",   "Zg==",  "Zm8=", "+/+/", "Zh",
                                          "Zm9", "Zm9vZ", "Zg ",  "Zg\n", "Zm.v"};
    dt_buf b;
    dt_buf_init(&b, 64);
    dt_buf_puts(&b, "kept");
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(dt_base64_decode(&b, dt_bytes_str(bad[i])), DT_E_PARSE);
        assert_string_equal((char *)b.p, "kept");
    }
    for (size_t i = 0; i < COUNT(bad_url); i++) {
        assert_int_equal(dt_base64url_decode(&b, dt_bytes_str(bad_url[i])), DT_E_PARSE);
        assert_string_equal((char *)b.p, "kept");
    }
    assert_int_equal(dt_base64_decode(&b, dt_bytes_of("Zm\0v", 4)), DT_E_PARSE);
    dt_buf_free(&b);
}

static void base64_knows_its_ceiling(void **state)
{
    (void)state;
    dt_buf b;
    dt_buf_init(&b, 5);
    dt_buf_puts(&b, "ab");
    assert_int_equal(dt_base64_decode(&b, dt_bytes_str("Zm9vYmFy")), DT_E_LIMIT);
    assert_string_equal((char *)b.p, "ab");
    dt_buf_reset(&b);
    dt_base64_encode(&b, dt_bytes_str("foobar"));
    assert_int_equal(dt_buf_error(&b), DT_E_LIMIT);
    dt_buf_free(&b);
}

/* --- secrets ------------------------------------------------------------------------------------ */

static void secrets_compare_by_content(void **state)
{
    (void)state;
    dt_secret *s = NULL;
    assert_int_equal(dt_secret_new(dt_bytes_of("k\0y", 3), &s), 0);
    assert_true(dt_secret_equal(s, dt_bytes_of("k\0y", 3)));
    assert_false(dt_secret_equal(s, dt_bytes_of("k\0z", 3)));
    assert_false(dt_secret_equal(s, dt_bytes_of("k", 1)));
    assert_false(dt_secret_equal(s, dt_bytes_of("k\0y\0", 4)));
    assert_false(dt_secret_equal(s, dt_bytes_of(NULL, 0)));
    assert_false(dt_secret_equal(NULL, dt_bytes_of(NULL, 0)));
    assert_int_equal(dt_secret_bytes(s).len, 3);
    assert_int_equal(dt_secret_bytes(NULL).len, 0);
    dt_secret_free(&s);
    assert_null(s);
    dt_secret_free(&s);
    dt_secret_free(NULL);
}

static void secrets_have_a_limit(void **state)
{
    (void)state;
    static uint8_t big[DT_SECRET_MAX + 1];
    dt_secret *s = NULL;
    assert_int_equal(dt_secret_new(dt_bytes_of(big, DT_SECRET_MAX), &s), 0);
    dt_secret_free(&s);
    assert_int_equal(dt_secret_new(dt_bytes_of(big, DT_SECRET_MAX + 1), &s), DT_E_LIMIT);
    assert_null(s);
    malloc_fails = true;
    int rc = dt_secret_new(dt_bytes_of(big, 1), &s);
    malloc_fails = false;
    assert_int_equal(rc, DT_E_NOMEM);
    assert_null(s);
    assert_int_equal(dt_secret_new(dt_bytes_of(NULL, 0), &s), 0);
    assert_true(dt_secret_equal(s, dt_bytes_of(NULL, 0)));
    dt_secret_free(&s);
}

static void secrets_are_wiped(void **state)
{
    (void)state;
    static char const text[] = "00aSecretApiTokenOfOkta";
    dt_secret *s = NULL;
    assert_int_equal(dt_secret_new(dt_bytes_str(text), &s), 0);
    watched = text;
    watched_size = sizeof(size_t) + sizeof(text);
    dt_secret_free(&s);
    watched = NULL;
}

static void constant_time_compare_sees_every_bit(void **state)
{
    (void)state;
    uint8_t a[16] = {0}, b[16] = {0};
    assert_true(dt_const_time_equal(a, b, sizeof(a)));
    assert_true(dt_const_time_equal(NULL, NULL, 0));
    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(dt_const_time_equal(a, b, sizeof(a)));
        b[bit / 8] = 0;
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(error_texts_are_cut_between_characters),
        cmocka_unit_test(error_may_quote_itself),
        cmocka_unit_test(error_may_be_nobodys),
        cmocka_unit_test(error_prefix_is_cut_too),
        cmocka_unit_test(every_code_has_its_own_name),
        cmocka_unit_test(every_table_has_its_own_name),
        cmocka_unit_test(empty_buffer_is_a_string),
        cmocka_unit_test(buffer_stops_at_its_ceiling),
        cmocka_unit_test(nothing_fits_into_nothing),
        cmocka_unit_test(fixed_buffer_keeps_within_its_storage),
        cmocka_unit_test(buffer_survives_out_of_memory),
        cmocka_unit_test(absurd_lengths_are_refused),
        cmocka_unit_test(buffer_is_wiped_when_it_grows_and_goes),
        cmocka_unit_test(numbers_are_written_whole),
        cmocka_unit_test(copies_are_whole_or_nothing),
        cmocka_unit_test(case_folds_in_ascii_only),
        cmocka_unit_test(bytes_compare_by_content),
        cmocka_unit_test(malformed_utf8_is_refused),
        cmocka_unit_test(every_code_point_decodes_to_itself),
        cmocka_unit_test(escapes_show_what_hides),
        cmocka_unit_test(escapes_are_cut_whole),
        cmocka_unit_test(hex_is_lower_case),
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64_is_strict),
        cmocka_unit_test(base64_knows_its_ceiling),
        cmocka_unit_test(secrets_compare_by_content),
        cmocka_unit_test(secrets_have_a_limit),
        cmocka_unit_test(secrets_are_wiped),
        cmocka_unit_test(constant_time_compare_sees_every_bit),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
