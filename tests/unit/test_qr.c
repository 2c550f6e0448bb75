/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QR codes as text: a picture that a reader (zbar) has read, the widths, and what is not drawn. */
#include "core/base/qr.h"
#include "core/base/utf8.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 65536

static char room[ROOM];

static int draw(char const *text, size_t columns)
{
    dt_buf out;

    dt_buf_init_fixed(&out, room, sizeof(room));
    return dt_qr_draw(text, columns, &out);
}

/* The characters of the line that begins here, and the start of the next. */
static size_t columns_of(char const **line)
{
    size_t columns = 0;
    uint32_t c;

    while (**line != '\n') {
        size_t n = dt_utf8_decode((uint8_t const *)*line, strlen(*line), &c);

        assert_true(n > 0);
        assert_true(c == ' ' || c == 0x2580 || c == 0x2584 || c == 0x2588);
        *line += n;
        columns++;
    }
    (*line)++;
    return columns;
}

static void test_every_line_is_as_wide_as_the_code(void **state)
{
    char text[DT_QR_TEXT_MAX + 1] = "";

    (void)state;
    for (size_t len = 1; len <= DT_QR_TEXT_MAX; len += 7) {
        char const *line = room;
        size_t width, lines = 1;

        memset(text, 'x', len);
        assert_int_equal(draw(text, 1000), DT_OK);
        width = columns_of(&line);
        for (; *line != '\0'; lines++)
            assert_int_equal(columns_of(&line), width);
        assert_int_equal((width - 2 * DT_QR_MARGIN - 17) % 4,
                         0); /* ISO/IEC 18004: 17 + 4 * version */
        assert_int_equal(lines, (width + 1) / 2);
        assert_true(strlen(room) <= DT_QR_DRAWING_MAX(width));
        /* The widest that fits, and not one column less. */
        assert_int_equal(draw(text, width), DT_OK);
        assert_int_equal(draw(text, width - 1), DT_E_LIMIT);
        assert_string_equal(room, "");
    }
}

static void test_the_margin_is_light_on_all_sides(void **state)
{
    (void)state;
    assert_int_equal(draw("https://example.okta.com", 80), DT_OK);
    for (char const *line = room, *end; *line != '\0'; line = end + 1) {
        char const *edge = strncmp(line, "\u2580", 3) == 0 ? "\u2580\u2580" : "\u2588\u2588";

        end = strchr(line, '\n');
        assert_memory_equal(line, edge, 6);
        assert_memory_equal(end - 6, edge, 6);
        /* The first line is margin alone; below the last row of modules there is half a line of it. */
        if (line == room || end[1] == '\0')
            for (char const *at = line; at < end; at += 3)
                assert_memory_equal(at, edge, 3);
        assert_int_equal(end[1] == '\0', edge[2] == '\x80');
    }
}

static void test_what_cannot_be_drawn_leaves_nothing(void **state)
{
    char text[DT_QR_TEXT_MAX + 2] = "";
    char small[64];
    dt_buf out;

    (void)state;
    memset(text, 'x', DT_QR_TEXT_MAX + 1);
    assert_int_equal(draw(text, 1000), DT_E_LIMIT);
    assert_int_equal(draw("", 1000), DT_E_INVALID);
    assert_int_equal(draw("x", 0), DT_E_LIMIT);
    dt_buf_init_fixed(&out, small, sizeof(small));
    dt_buf_puts(&out, "before");
    assert_int_equal(dt_qr_draw("https://example.okta.com", 80, &out), DT_E_LIMIT);
    assert_string_equal(small, "before");
}

/* tests/lib/qr.py reads this as the text. */
static void test_a_picture_that_a_reader_has_read(void **state)
{
    static char const picture[] = "█████████████████████████████████\n"
                                  "██ ▄▄▄▄▄ █▀▄▄▄ █▀▀  ▄▄ █ ▄▄▄▄▄ ██\n"
                                  "██ █   █ █▀▄▄▄▄▀ ▀▀▀█▄██ █   █ ██\n"
                                  "██ █▄▄▄█ █▀  ▄▄▀▄▀ ▄▄▄▄█ █▄▄▄█ ██\n"
                                  "██▄▄▄▄▄▄▄█▄▀▄█ █▄▀ █▄▀ █▄▄▄▄▄▄▄██\n"
                                  "██ ▄ ▄▄█▄  ▄█▀▀▀ ▄    █▄▀ ▀▄█▄▀██\n"
                                  "██▄▄ ▄  ▄███▄█▄▄ ▄ ▄██▄ █ ▄▀█▀███\n"
                                  "██ ▀█▄▄▀▄ █▄▄█▄▄▄█▄▄▀▀▀▀▀▀▀▄▄█▀██\n"
                                  "██▄ ▄▄ █▄▄██ ▀▀▄▀  █▄█▀▀▄▄ ▄▄▀███\n"
                                  "██▀ ▀   ▄█▀▀▄█▄ ▄▄▀▄▀▀ ▀▀▀▀▄ █▀██\n"
                                  "██ ██▄▀ ▄█ ██▀ ▄  ▀▄▄▀▄███▄█▄▀███\n"
                                  "██▄██▄█▄▄█   █▄▄▄▄ ▄█▄ ▄▄▄ ▀   ██\n"
                                  "██ ▄▄▄▄▄ █▄ ▄█▀█▄ ▄█▀  █▄█ ▄▄▀███\n"
                                  "██ █   █ █ ▄██▄▄▄▄▀ ▀▀  ▄ ▄▀ █▀██\n"
                                  "██ █▄▄▄█ █ █▀███ ▄▀█▄▄ ▄    ▄ ███\n"
                                  "██▄▄▄▄▄▄▄█▄▄█▄█▄█▄▄▄█▄█▄▄▄▄█▄████\n"
                                  "▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀▀\n";

    (void)state;
    assert_int_equal(draw("https://example.okta.com/activate?user_code=ABCD1234", 40), DT_OK);
    assert_string_equal(room, picture);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_every_line_is_as_wide_as_the_code),
        cmocka_unit_test(test_the_margin_is_light_on_all_sides),
        cmocka_unit_test(test_what_cannot_be_drawn_leaves_nothing),
        cmocka_unit_test(test_a_picture_that_a_reader_has_read),
    };

    return cmocka_run_group_tests_name("qr", tests, NULL, NULL);
}
