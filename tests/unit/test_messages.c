/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The texts that an administrator may write in another language: which names they have, what may stand for
 * them, and that a sign-on shows them. */
#include "core/config/messages.h"
#include "core/signon/outcome.h"
#include "core/signon/texts.h"
#include "tests/unit/signon_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static char const POLICY[] =
    "{\"name\":\"vpn\",\"application\":\"vpn\",\"rules\":[{\"name\":\"mfa\",\"priority\":1,"
    "\"status\":\"ACTIVE\",\"conditions\":{\"device\":{\"trust\":\"NOT_TRUSTED\"}},\"actions\":"
    "{\"appSignOn\":{\"access\":\"ALLOW\",\"promptForFactor\":{\"frequency\":\"EVERY_SIGN_ON\","
    "\"factors\":[\"push\",\"token:software:totp\"]}}}},{\"name\":\"rest\",\"priority\":99,"
    "\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";

static bool is_cause(char const *name)
{
    for (int c = 0; c < DT_CAUSE_COUNT; c++) {
        if (strcmp(dt_cause_name((dt_cause)c), name) == 0)
            return true;
    }
    return false;
}

static void test_names(void **state)
{
    static char const *const names[] = {
#define X(NAME, text) #NAME,
        DT_WORDS(X)
#undef X
    };

    (void)state;
    for (int w = DT_WORDS_NONE + 1; w < DT_WORDS_COUNT; w++) {
        bool prompt = strncmp(names[w], "PROMPT_", 7) == 0 || strncmp(names[w], "NOTE_", 5) == 0;

        assert_int_equal(dt_words_find(names[w]), w);
        assert_true(prompt || is_cause(names[w])); /* a refusal is found by its cause */
        assert_null(dt_words_fault((dt_words)w, dt_words_text(NULL, (dt_words)w)));
        assert_true(*dt_words_text(NULL, (dt_words)w) != '\0');
    }
    assert_int_equal(dt_words_find("NONE"), DT_WORDS_NONE);
    assert_int_equal(dt_words_find("NOT_COMPLIANT"), DT_WORDS_NONE);
    assert_string_equal(dt_words_text(NULL, DT_WORDS_NONE), "");
    assert_string_equal(dt_words_text(NULL, DT_WORDS_COUNT), "");
    /* The PAM module says the same by itself. */
    assert_string_equal(dt_words_text(NULL, DT_WORDS_MFA_NO_PROMPT), DT_TEXT_NO_PROMPT);
}

static void test_faults(void **state)
{
    static struct {
        dt_words words;
        char const *text;
        bool good;
    } const cases[] = {
        {DT_WORDS_PROMPT_NUMBER, "Nummer {number}", true},
        {DT_WORDS_PROMPT_NUMBER, "{number}", true},
        {DT_WORDS_PROMPT_NUMBER, "", true}, /* as if it were not there */
        {DT_WORDS_PROMPT_NUMBER, "Nummer", false},
        {DT_WORDS_PROMPT_NUMBER, "123456789012345678901234567890{number}", true},
        {DT_WORDS_PROMPT_NUMBER, "1234567890123456789012345678901{number}", false},
        {DT_WORDS_PROMPT_NUMBER, "{number} {app}", false},
        {DT_WORDS_PROMPT_NUMBER, "{number} {", false},
        {DT_WORDS_PROMPT_PUSH, "Push", true},
        {DT_WORDS_PROMPT_PUSH, "{number}", false},
        {DT_WORDS_PROMPT_PASSCODE, "Code von {app}", true},
        {DT_WORDS_PROMPT_PASSCODE, "Code", true},
        {DT_WORDS_PROMPT_PASSCODE, "{number}", false},
        {DT_WORDS_RULE_DENY, "Nein.", true},
        {DT_WORDS_RULE_DENY, "{link}", false},
        {DT_WORDS_RULE_DENY, "}", false},
    };
    char longest[DT_WORDS_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if ((dt_words_fault(cases[i].words, cases[i].text) == NULL) != cases[i].good)
            fail_msg("%zu: %s", i, cases[i].text);
    }
    memset(longest, 'x', sizeof(longest));
    longest[DT_WORDS_MAX] = '\0';
    assert_null(dt_words_fault(DT_WORDS_RULE_DENY, longest));
    longest[DT_WORDS_MAX] = 'x';
    longest[DT_WORDS_MAX + 1] = '\0';
    assert_non_null(dt_words_fault(DT_WORDS_RULE_DENY, longest));
}

/* Adds [message NAME] to a world's configuration. */
static void say(world *w, char const *name, char const *text)
{
    char section[DT_CONFIG_SECTION_MAX];
    dt_config *c = (dt_config *)(uintptr_t)w->ruleset.config;
    dt_error e = {0};

    (void)snprintf(section, sizeof(section), "message %s", name);
    assert_int_equal(dt_config_open_section(c, "f", 1, section, &e), DT_OK);
    assert_int_equal(dt_config_set(c, "f", 2, section, "text", text, &e), DT_OK);
}

static void begin(world *w, char const *factors)
{
    dt_request r = world_request();

    world_open(w, POLICY, NULL);
    say(w, "PROMPT_NUMBER", "Nummer {number} w\xc3\xa4hlen");
    say(w, "PROMPT_OR_PASSCODE", "(oder Code)");
    say(w, "PROMPT_PASSCODE", "Code aus {app}");
    say(w, "NOTE_PASSCODE_WRONG", "Falscher Code.");
    say(w, "NOTE_NOT_A_PASSCODE", "Kein Code.");
    say(w, "MFA_FAILED", "Der Code war falsch.");
    say(w, "MFA_REJECTED", "Abgelehnt.");
    world_expect(w, DT_HTTP_GET, "/api/v1/users/", 200, OKTA_USER);
    world_expect(w, DT_HTTP_GET, "/factors", 200, factors);
    world_begin(w, &r);
}

static void test_prompt_of_a_push(void **state)
{
    world w;

    (void)state;
    begin(&w, OKTA_FACTORS);
    world_expect(&w, DT_HTTP_POST, "/factors/opf1/verify", 201, OKTA_PUSH_NUMBER);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_string_equal(w.step.prompt->text, "Nummer 42 w\xc3\xa4hlen (oder Code): ");
    world_show(&w);
    assert_int_equal(world_answer(&w, "was?"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "Kein Code."));
    world_show(&w);
    world_expect(&w, DT_HTTP_GET, "/transactions/", 200, OKTA_REJECTED);
    assert_int_equal(world_answer(&w, ""), DT_STEP_DONE);
    assert_non_null(strstr(world_outcome(&w)->message, "Abgelehnt."));
    world_close(&w);
}

static void test_prompt_of_a_passcode(void **state)
{
    world w;

    (void)state;
    begin(&w, OKTA_FACTORS_TOTP);
    assert_int_equal(world_run(&w), DT_STEP_PROMPT);
    assert_string_equal(w.step.prompt->text, "Code aus Okta Verify: ");
    world_show(&w);
    world_expect(&w, DT_HTTP_POST, "/factors/ost1/verify", 403, OKTA_WRONG_CODE);
    assert_int_equal(world_answer(&w, "111111"), DT_STEP_PROMPT);
    assert_non_null(strstr(w.step.prompt->note, "Falscher Code."));
    for (int i = 0; i < 2; i++) {
        world_show(&w);
        world_answer(&w, "was?");
    }
    assert_int_equal(w.step.kind, DT_STEP_DONE);
    assert_non_null(strstr(world_outcome(&w)->message, "Der Code war falsch."));
    world_close(&w);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_prompt_of_a_push),
        cmocka_unit_test(test_prompt_of_a_passcode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
