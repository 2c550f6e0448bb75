/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people on a device that is not trusted are told: which text counts, what stands for its
 * placeholders, and what is refused when it is loaded. */
#include "core/device/device_help.h"

#include "edge/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define BASE                                                                                       \
    "[okta]\norg_url = https://example.okta.com\napi_token_file = /t\n"                            \
    "[device_trust]\nca_file = /c\ntrusted_when = certificate\n"
#define LINK "https://enrol.example/here"
#define MINIMAL BASE "enrollment_url = " LINK "\n"

static dt_config *load(char const *text, dt_error *e)
{
    dt_config *c = NULL;

    *e = (dt_error){0};
    assert_int_equal(dt_config_new(&c, e), DT_OK);
    if (dt_ini_parse(dt_bytes_str(text), "/etc/d.conf", c, e) < 0)
        dt_config_free(&c);
    return c;
}

static dt_config *load_good(char const *text)
{
    dt_error e;
    dt_config *c = load(text, &e);

    if (c == NULL)
        fail_msg("%s", e.text);
    return c;
}

static dt_verdict verdict(dt_reason reason, dt_platform platform)
{
    dt_verdict v = {.trust = DT_TRUST_NOT_TRUSTED, .reason = reason, .platform = platform};

    strcpy(v.key_id, "0123");
    strcpy(v.device_name, "LAPTOP-1");
    return v;
}

static char *told(dt_config const *c, dt_verdict const *v, dt_platform hint)
{
    static char text[1024];
    dt_buf b;

    dt_buf_init_fixed(&b, text, sizeof(text));
    dt_device_help(c, v, hint, &b);
    assert_int_equal(dt_buf_error(&b), DT_OK);
    return text;
}

/* Of a device that nothing else is known of. */
static char *read_groups_lookup(dt_config const *c, dt_reason reason, dt_platform platform)
{
    dt_verdict v = {.trust = DT_TRUST_NOT_TRUSTED, .reason = reason};

    return told(c, &v, platform);
}

static char const full[] =
    MINIMAL "check_access_text = as ever\n"
            "[message NOT_COMPLIANT]\ntext = reason\nandroid = reason android\n"
            "[message STALE]\nios = stale ios\n"
            "[message ANY]\ntext = any\nandroid = any android\nwindows = any windows\n";

static void the_most_specific_text_counts(void **state)
{
    dt_config *c = load_good(full);

    (void)state;
    assert_string_equal(read_groups_lookup(c, DT_REASON_NOT_COMPLIANT, DT_PLATFORM_ANDROID),
                        "reason android");
    assert_string_equal(read_groups_lookup(c, DT_REASON_NOT_COMPLIANT, DT_PLATFORM_WINDOWS),
                        "reason");
    assert_string_equal(read_groups_lookup(c, DT_REASON_NOT_COMPLIANT, DT_PLATFORM_UNKNOWN),
                        "reason");
    assert_string_equal(read_groups_lookup(c, DT_REASON_STALE, DT_PLATFORM_IOS), "stale ios");
    assert_string_equal(read_groups_lookup(c, DT_REASON_STALE, DT_PLATFORM_ANDROID), "as ever");
    assert_string_equal(read_groups_lookup(c, DT_REASON_IN_GRACE_PERIOD, DT_PLATFORM_ANDROID),
                        "as ever");
    assert_string_equal(read_groups_lookup(c, DT_REASON_NOT_ENROLLED, DT_PLATFORM_ANDROID),
                        "any android");
    assert_string_equal(read_groups_lookup(c, DT_REASON_NOT_ENROLLED, DT_PLATFORM_WINDOWS),
                        "any windows");
    assert_string_equal(read_groups_lookup(c, DT_REASON_NOT_ENROLLED, DT_PLATFORM_MACOS), "any");
    assert_string_equal(read_groups_lookup(c, DT_REASON_WRONG_TENANT, DT_PLATFORM_UNKNOWN), "any");
    /* A set of platforms, or a number that is none, is no platform. */
    assert_string_equal(read_groups_lookup(c, DT_REASON_NOT_COMPLIANT, DT_PLATFORM_ANY_MOBILE),
                        "reason");
    assert_string_equal(read_groups_lookup(c, DT_REASON_NOT_COMPLIANT, (dt_platform)(1 << 30)),
                        "reason");
    dt_config_free(&c);
}

/* What is known of the device beats what the request hints at. */
static void the_platform_is_that_of_the_verdict(void **state)
{
    dt_config *c = load_good(full);
    dt_verdict v = verdict(DT_REASON_NOT_COMPLIANT, DT_PLATFORM_WINDOWS);

    (void)state;
    assert_string_equal(told(c, &v, DT_PLATFORM_ANDROID), "reason");
    v.platform = DT_PLATFORM_ANDROID;
    assert_string_equal(told(c, &v, DT_PLATFORM_WINDOWS), "reason android");
    v.platform = DT_PLATFORM_UNKNOWN;
    assert_string_equal(told(c, &v, DT_PLATFORM_ANDROID), "reason android");
    dt_config_free(&c);
}

/* Each key arrives at its platform, and at no other. */
static void each_platform_has_its_text(void **state)
{
    size_t count;
    dt_config_key const *keys = dt_config_message_keys(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        char text[512];
        dt_config *c;
        snprintf(text, sizeof(text), MINIMAL "[message STALE]\n%s = just here\n", keys[i].name);
        c = load_good(text);
        for (unsigned bit = 1; bit <= DT_PLATFORM_OTHER_MOBILE; bit <<= 1) {
            char name[32];
            char *dash;
            bool mine;
            snprintf(name, sizeof(name), "%s", dt_platform_name((dt_platform)bit));
            if ((dash = strchr(name, '-')) != NULL)
                *dash = '_';
            mine = i == 0 || strcmp(name, keys[i].name) == 0;
            assert_int_equal(
                strcmp(read_groups_lookup(c, DT_REASON_STALE, (dt_platform)bit), "just here") == 0,
                mine);
        }
        dt_config_free(&c);
    }
}

/* --- words of our own -------------------------------------------------------------------------- */

static void every_reason_says_something(void **state)
{
    dt_config *c = load_good(MINIMAL);

    (void)state;
    for (int r = 0; r < DT_REASON_COUNT; r++) {
        for (unsigned bit = 0; bit <= DT_PLATFORM_OTHER_MOBILE; bit = bit == 0 ? 1 : bit << 1) {
            char const *text = read_groups_lookup(c, (dt_reason)r, (dt_platform)bit);
            bool mute = r == DT_REASON_NONE || r == DT_REASON_TRUSTED ||
                        r == DT_REASON_NO_PROOF_OF_POSSESSION || r == DT_REASON_LOOKUP_UNAVAILABLE;
            if ((text[0] == '\0') != mute)
                fail_msg("%s: \"%s\"", dt_reason_name((dt_reason)r), text);
            assert_true(strlen(text) <= DT_DEVICE_HELP_MAX);
            assert_null(strpbrk(text, "{}"));
        }
    }
    dt_config_free(&c);
}

static void each_platform_has_its_way(void **state)
{
    static struct {
        dt_platform platform;
        char const *check, *enrol;
    } const ways[] = {
        {DT_PLATFORM_WINDOWS, "In Company Portal, choose this device, then Check access;", ": "},
        {DT_PLATFORM_MACOS, "then Check status;", "Company Portal"},
        {DT_PLATFORM_IOS, "then Check status;", "Company Portal"},
        {DT_PLATFORM_ANDROID, "then Check device settings;", "Company Portal"},
        {DT_PLATFORM_LINUX, "Microsoft Intune app", "Microsoft Intune app"},
        {DT_PLATFORM_CHROMEOS, "then Check access;", ": "},
        {DT_PLATFORM_UNKNOWN, "then Check access;", ": "},
    };
    static dt_reason const mended[] = {DT_REASON_NOT_COMPLIANT, DT_REASON_IN_GRACE_PERIOD,
                                       DT_REASON_STALE};
    static dt_reason const unenrolled[] = {DT_REASON_NOT_ENROLLED, DT_REASON_NO_CERTIFICATE,
                                           DT_REASON_NOT_MANAGED};
    dt_config *c = load_good(MINIMAL);

    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        for (size_t k = 0; k < 3; k++) {
            assert_non_null(
                strstr(read_groups_lookup(c, mended[k], ways[i].platform), ways[i].check));
            assert_non_null(
                strstr(read_groups_lookup(c, unenrolled[k], ways[i].platform), ways[i].enrol));
            assert_non_null(
                strstr(read_groups_lookup(c, unenrolled[k], ways[i].platform), ": " LINK));
        }
    }
    dt_config_free(&c);
    c = load_good(BASE "enrollment_url =\n"); /* without a link there is no way to tell */
    assert_string_equal(read_groups_lookup(c, DT_REASON_NOT_ENROLLED, DT_PLATFORM_IOS), "");
    dt_config_free(&c);
}

/* A device that is trusted, or of which nothing is known, has nothing wrong with it. */
static void only_what_is_not_trusted_is_spoken_of(void **state)
{
    dt_config *own = load_good(MINIMAL), *c = load_good(full);
    dt_verdict v = verdict(DT_REASON_STALE, DT_PLATFORM_IOS);

    (void)state;
    v.trust = DT_TRUST_TRUSTED; /* by an old answer */
    assert_string_equal(told(c, &v, DT_PLATFORM_IOS), "");
    assert_string_equal(told(own, &v, DT_PLATFORM_IOS), "");
    assert_false(dt_device_help_goes_with_prompt(c, &v, DT_PLATFORM_IOS));
    v.trust = DT_TRUST_UNKNOWN;
    assert_string_equal(told(own, &v, DT_PLATFORM_IOS), "");
    assert_false(dt_device_help_goes_with_prompt(own, &v, DT_PLATFORM_IOS));
    assert_string_equal(told(c, &v, DT_PLATFORM_IOS), "stale ios"); /* the administrator's word */
    v.platform = DT_PLATFORM_ANDROID;
    assert_string_equal(told(c, &v, DT_PLATFORM_ANDROID), "any android");
    v.reason = DT_REASON_NONE; /* nothing was judged yet */
    assert_string_equal(told(c, &v, DT_PLATFORM_ANDROID), "");
    dt_config_free(&own);
    dt_config_free(&c);
}

static void what_goes_with_a_prompt(void **state)
{
    dt_config *own = load_good(MINIMAL), *c = load_good(full);
    dt_verdict v = verdict(DT_REASON_NOT_ENROLLED, DT_PLATFORM_IOS);

    (void)state;
    assert_false(dt_device_help_goes_with_prompt(own, &v, DT_PLATFORM_UNKNOWN));
    assert_false(dt_device_help_goes_with_prompt(c, &v, DT_PLATFORM_UNKNOWN)); /* ANY does not */
    dt_config_free(&c);
    c = load_good(MINIMAL "[message NOT_ENROLLED]\nios = enrol\n");
    assert_true(dt_device_help_goes_with_prompt(c, &v, DT_PLATFORM_UNKNOWN));
    v.platform = DT_PLATFORM_ANDROID;
    assert_false(dt_device_help_goes_with_prompt(c, &v, DT_PLATFORM_UNKNOWN));
    v.reason = DT_REASON_NOT_COMPLIANT;
    assert_true(dt_device_help_goes_with_prompt(own, &v, DT_PLATFORM_UNKNOWN));
    dt_config_free(&own);
    dt_config_free(&c);
}

/* --- placeholders ------------------------------------------------------------------------------ */

static void placeholders_are_replaced(void **state)
{
    dt_config *c = load_good(MINIMAL "[message ANY]\n"
                                     "text = {device}, {device}: {link} caf\xc3\xa9{link}\n");
    dt_verdict v = verdict(DT_REASON_STALE, DT_PLATFORM_IOS);

    (void)state;
    assert_string_equal(told(c, &v, 0), "LAPTOP-1, LAPTOP-1: " LINK " caf\xc3\xa9" LINK);
    /* What looks like a placeholder in a name is none. */
    strcpy(v.device_name, "{link}");
    assert_string_equal(told(c, &v, 0), "{link}, {link}: " LINK " caf\xc3\xa9" LINK);
    v.device_name[0] = '\0';
    assert_string_equal(told(c, &v, 0), "this device, this device: " LINK " caf\xc3\xa9" LINK);
    dt_config_free(&c);
}

/* Who only claims to be on a device learns nothing of it. */
static void a_name_is_told_to_who_has_a_key_alone(void **state)
{
    dt_config *c = load_good(MINIMAL "[message ANY]\ntext = {device}\n");
    dt_verdict v = verdict(DT_REASON_NOT_ENROLLED, DT_PLATFORM_IOS);

    (void)state;
    assert_string_equal(told(c, &v, 0), "LAPTOP-1");
    v.key_id[0] = '\0';
    assert_string_equal(told(c, &v, 0), "this device");
    dt_config_free(&c);
}

static void names_are_cut_and_escaped(void **state)
{
    dt_config *c = load_good(MINIMAL "[message ANY]\ntext = <{device}>\n");
    dt_verdict v = verdict(DT_REASON_NOT_ENROLLED, DT_PLATFORM_IOS);
    char wanted[64];

    (void)state;
    strcpy(v.device_name, "a\x1b[31m\nb");
    assert_string_equal(told(c, &v, 0), "<a\\x1b[31m\\x0ab>");
    for (size_t pad = 0; pad < 4; pad++) { /* 3-byte characters, cut between two of them */
        size_t n = pad;
        memset(v.device_name, 'x', pad);
        v.device_name[pad] = '\0';
        while (strlen(v.device_name) + 3 < sizeof(v.device_name))
            strcat(v.device_name, "\xe2\x82\xac");
        while (n + 3 <= DT_DEVICE_HELP_NAME_MAX)
            n += 3;
        snprintf(wanted, sizeof(wanted), "<%.*s>", (int)n, v.device_name);
        assert_string_equal(told(c, &v, 0), wanted);
    }
    dt_config_free(&c);
}

#define AT "/etc/d.conf:"
#define IOS(value) MINIMAL "[message STALE]\nios = " value "\n", AT "9: [message STALE] ios: "

/* --- what is refused --------------------------------------------------------------------------- */

static void refused(char const *text, char const *where, char const *why)
{
    dt_error e;
    dt_config *c = load(text, &e);

    if (c != NULL)
        fail_msg("accepted: %s", text);
    if (strncmp(e.text, where, strlen(where)) != 0 || strstr(e.text, why) == NULL)
        fail_msg("\"%s\" is not \"%s ... %s\"", e.text, where, why);
}

static void wrong_sections_and_keys_are_refused(void **state)
{
    (void)state;
    refused("[message]\n", AT "1: ", "write [message NAME]");
    refused("[message COMPLIANT]\n", AT "1: [message COMPLIANT]: ", "unknown reason");
    refused("[message not_compliant]\n", AT "1: ", "unknown reason");
    refused("[message NONE]\n", AT "1: ", "unknown reason");
    refused("[message TRUSTED]\n", AT "1: ", "unknown reason");
    refused("[message NOT_COMPLIANT ios]\n", AT "1: ", "write [message NAME]");
    refused("[messages ANY]\n", AT "1: ", "unknown section");
    refused("[message ANY]\nmicrosoft = x\n", AT "2: [message ANY] microsoft: ", "unknown key");
    refused("[message ANY]\nother-mobile = x\n",
            AT "2: [message ANY] other-mobile: ", "unknown key");
    refused("[message ANY]\nIOS = x\n", AT "2: [message ANY] IOS: ", "unknown key");
    refused("[message ANY]\nios = x\nios = y\n",
            AT "3: [message ANY] ios: ", "duplicate key, first set in line 2");
    refused(MINIMAL "[message STALE]\n", AT "8: [message STALE]: ", "is empty");
    refused(MINIMAL "[message STALE]\nios = x\n[message STALE]\nios = y\n",
            AT "10: ", "duplicate section");
}

static void wrong_texts_are_refused(void **state)
{
    (void)state;
    refused(IOS("see {url}"), "only {link} and {device}");
    refused(IOS("see {Link}"), "only {link} and {device}");
    refused(IOS("see {link"), "unknown placeholder");
    refused(IOS("see link}"), "unknown placeholder");
    refused(IOS("see {{link}}"), "unknown placeholder");
    refused(IOS("see {}"), "unknown placeholder");
    refused(IOS("a \xe2\x80\xae turned"), "plain text");
    refused(IOS("a \xc3"), "plain text");
    refused(IOS("\xef\xbb\xbf"
                "bom"),
            "plain text");
    refused(BASE "enrollment_url =\n[message STALE]\nios = go to {link}\n",
            AT "9: [message STALE] ios: ", "enrollment_url is empty");
    refused(MINIMAL "[message STALE]\nios = a \x1b[31m red\n", AT "9: ", "");
    refused(MINIMAL "[message STALE]\nios = a\tb\x7f\n", AT "9: ", "");
}

/* With everything replaced by the longest that can stand there, a text fits one Reply-Message. */
static void the_length_is_that_of_what_is_told(void **state)
{
    static char const *const ends[] = {"", "{link}", "{device}", "{link} {device}"};
    static size_t const lengths[] = {0, sizeof(LINK) - 1, DT_DEVICE_HELP_NAME_MAX,
                                     sizeof(LINK) + DT_DEVICE_HELP_NAME_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        for (size_t total = DT_DEVICE_HELP_MAX - 3; total <= DT_DEVICE_HELP_MAX + 3; total++) {
            char text[1024], filler[300] = {0};
            dt_verdict v = verdict(DT_REASON_STALE, DT_PLATFORM_IOS);
            dt_error e;
            dt_config *c;
            memset(filler, 'y', total - lengths[i]);
            snprintf(text, sizeof(text), MINIMAL "[message STALE]\ntext = %s%s\n", filler, ends[i]);
            c = load(text, &e);
            assert_int_equal(c != NULL, total <= DT_DEVICE_HELP_MAX);
            if (c == NULL) {
                assert_non_null(strstr(e.text, AT "9: [message STALE] text: is too long"));
                continue;
            }
            memset(v.device_name, 'n', sizeof(v.device_name) - 1);
            assert_int_equal(strlen(told(c, &v, 0)), total);
            dt_config_free(&c);
        }
    }
}

/* One section for each reason fits, beside as many others as there may be. */
static void every_reason_may_have_its_section(void **state)
{
    static char text[32768];
    dt_config *c;
    size_t at = (size_t)snprintf(text, sizeof(text), MINIMAL);

    (void)state;
    for (int i = 0; i < DT_CONFIG_APPLICATIONS_MAX; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "[application a%d]\nplatforms = all\n",
                               i);
    for (int i = 0; i < DT_CONFIG_CAS_MAX; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "[ca a%d]\ncertificate_file = /c%d\n",
                               i, i);
    for (int r = DT_REASON_TRUSTED + 1; r < DT_REASON_COUNT; r++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "[message %s]\ntext = of %s\n",
                               dt_reason_name((dt_reason)r), dt_reason_name((dt_reason)r));
    snprintf(text + at, sizeof(text) - at, "[message ANY]\ntext = of any\n");
    c = load_good(text);
    assert_int_equal(c->message_count, DT_REASON_COUNT - DT_REASON_TRUSTED);
    for (int r = DT_REASON_TRUSTED + 1; r < DT_REASON_COUNT; r++) {
        char wanted[64];
        snprintf(wanted, sizeof(wanted), "of %s", dt_reason_name((dt_reason)r));
        assert_string_equal(read_groups_lookup(c, (dt_reason)r, DT_PLATFORM_IOS), wanted);
    }
    dt_config_free(&c);
}

/* Also where no reader of the file has looked. */
static void a_section_is_opened_once(void **state)
{
    dt_config *c = NULL;
    dt_error e = {0};

    (void)state;
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    assert_int_equal(dt_config_open_section(c, "f", 1, "message ANY", &e), DT_OK);
    assert_int_equal(dt_config_open_section(c, "f", 2, "message ANY", &e), DT_E_INVALID);
    assert_int_equal(c->message_count, 1);
    dt_config_free(&c);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(the_most_specific_text_counts),
        cmocka_unit_test(the_platform_is_that_of_the_verdict),
        cmocka_unit_test(each_platform_has_its_text),
        cmocka_unit_test(every_reason_says_something),
        cmocka_unit_test(each_platform_has_its_way),
        cmocka_unit_test(only_what_is_not_trusted_is_spoken_of),
        cmocka_unit_test(what_goes_with_a_prompt),
        cmocka_unit_test(placeholders_are_replaced),
        cmocka_unit_test(a_name_is_told_to_who_has_a_key_alone),
        cmocka_unit_test(names_are_cut_and_escaped),
        cmocka_unit_test(wrong_sections_and_keys_are_refused),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(the_length_is_that_of_what_is_told),
        cmocka_unit_test(every_reason_may_have_its_section),
        cmocka_unit_test(a_section_is_opened_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
