/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code of a refusal: what it is made of, what may be typed for it, where it is shown and where not. */
#include "core/signon/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef"
/* 0x0123456789 in fives: 0 4 17 20 11 7 17 9 (29 -> 0000000100 1000110100 0101011001 1110001001). */
#define CODE "04HM-ASW9"

static void a_code_is_made_of_forty_bits_of_the_id(void **state)
{
    static struct {
        char const *id, *code;
    } const cases[] = {
        {ID, CODE},
        {"00000000000000000000000000000000", "0000-0000"},
        {"ffffffffffffffffffffffffffffffff", "ZZZZ-ZZZZ"},
        {"00000000010000000000000000000000", "0000-0001"},
        {"8000000000ffffffffffffffffffffff", "G000-0000"},
        /* not of an id's form: no code */
        {"", ""},
        {"0123456789", ""},
        {"0123456789ABCDEF0123456789ABCDEF", ""},
        {ID "0", ""},
        {"0123456789abcdef0123456789abcde ", ""},
        {NULL, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char code[DT_REFUSAL_CODE_MAX];

        dt_refusal_code_make(cases[i].id, code);
        assert_string_equal(code, cases[i].code);
    }
}

/* No two of these are mistaken for each other, and each is read back as it was. */
static void every_digit_is_its_own(void **state)
{
    char seen[256] = {0};
    (void)state;
    for (unsigned v = 0; v < 32; v++) {
        char id[DT_SIGNON_ID_LEN + 1], code[DT_REFUSAL_CODE_MAX], back[DT_REFUSAL_CODE_MAX];

        (void)snprintf(id, sizeof(id), "00000000%02x0000000000000000000000", v);
        dt_refusal_code_make(id, code);
        unsigned char const digit = (unsigned char)code[8];
        assert_null(strchr("ILOU", digit));
        assert_false(seen[digit]);
        seen[digit] = 1;
        assert_int_equal(dt_refusal_code_read(code, back), DT_OK);
        assert_string_equal(back, code);
    }
}

static void what_people_type_is_read(void **state)
{
    static char const *const good[] = {CODE,        "04HMASW9",     "04hm-asw9",
                                       "04hmasw9",  " 04HM ASW9",   "0 4 h m-a s w 9",
                                       "o4HM-ASW9", "O4hm - asw9 ", "--04HM--ASW9--"};
    static char const *const bad[] = {"",          "-",         "04HM-ASW",   "04HM-ASW99",
                                      "04HM-ASWU", "04HM_ASW9", "04HM\tASW9", "04HM-ASW\xc3\xb6",
                                      "04HM.ASW9", "04HM-ASW*"};
    char code[DT_REFUSAL_CODE_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(dt_refusal_code_read(good[i], code), DT_OK);
        assert_string_equal(code, CODE);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(dt_refusal_code_read(bad[i], code), DT_E_PARSE);
        assert_string_equal(code, "");
    }
    assert_int_equal(dt_refusal_code_read("iIlL-1oO0", code), DT_OK);
    assert_string_equal(code, "1111-1000");
}

static dt_outcome refused(void)
{
    dt_outcome o = {0};

    dt_refusal_code_make(ID, o.code);
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_RULE_DENY);
    return o;
}

static void a_refusal_ends_with_its_code(void **state)
{
    dt_outcome o = refused();
    char text[DT_MESSAGE_MAX];
    (void)state;
    dt_outcome_text(&o, "Not allowed.", text);
    assert_string_equal(text, "Not allowed.\nCode: " CODE);
    dt_outcome_text(&o, "", text);
    assert_string_equal(text, "Code: " CODE);
    o.code[0] = '\0';
    dt_outcome_text(&o, "Not allowed.", text);
    assert_string_equal(text, "Not allowed.");
}

static void nobody_else_is_shown_one(void **state)
{
    dt_outcome allowed = refused(), reported = refused();
    char text[DT_MESSAGE_MAX];
    (void)state;
    dt_outcome_set(&allowed, DT_ALLOW, DT_CAUSE_RULE_ALLOW);
    reported.report_only = true;
    dt_outcome_set(&reported, DT_DENY, DT_CAUSE_RULE_DENY);
    assert_string_equal(dt_outcome_code(&allowed), "");
    assert_string_equal(dt_outcome_code(&reported), "");
    dt_outcome_text(&allowed, "Welcome.", text);
    assert_string_equal(text, "Welcome.");
    dt_outcome_text(&reported, "", text);
    assert_string_equal(text, "");
}

/* The code stays whole, whatever is before it; and no character is cut in two. */
static void a_long_message_makes_room(void **state)
{
    static char const *const fillings[] = {"a", "\xc3\xb6", "\xe4\xbd\xa0", "\xf0\x9f\x98\x80"};
    static char const ending[] = "\nCode: " CODE;
    dt_outcome o = refused();
    (void)state;
    for (size_t i = 0; i < sizeof(fillings) / sizeof(fillings[0]); i++) {
        for (size_t before = 0; before < 4; before++) {
            char message[DT_MESSAGE_MAX] = "", text[DT_MESSAGE_MAX];
            size_t const step = strlen(fillings[i]);

            memset(message, 'x', before);
            for (size_t n = before; n + step < sizeof(message); n += step)
                memcpy(message + n, fillings[i], step);
            dt_outcome_text(&o, message, text);
            size_t const kept = strlen(text) - strlen(ending);
            assert_string_equal(text + kept, ending);
            assert_memory_equal(text, message, kept);
            assert_in_range(kept, DT_MESSAGE_MAX - 1 - strlen(ending) - 3,
                            DT_MESSAGE_MAX - 1 - strlen(ending));
            assert_int_equal((kept - before) % step, 0);
        }
    }
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(a_code_is_made_of_forty_bits_of_the_id),
        cmocka_unit_test(every_digit_is_its_own),
        cmocka_unit_test(what_people_type_is_read),
        cmocka_unit_test(a_refusal_ends_with_its_code),
        cmocka_unit_test(nobody_else_is_shown_one),
        cmocka_unit_test(a_long_message_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
