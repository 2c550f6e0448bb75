/* SPDX-License-Identifier: GPL-2.0-or-later */
/* devtrust.conf(5) says what the table of keys says: all keys and no others, the same defaults, the same bounds. The
 * sample says nothing else. */
#include "core/device/evidence.h"
#include "edge/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 1024
#define SAMPLE_KEYS_MAX 24 /* what a person reads through */
#define SENTENCE_WORDS 24  /* of the one that says what a key does */
#define FILE_SIZE (256 * 1024)

static FILE *source_open(char const *name)
{
    char path[1024];
    char const *root = getenv("DEVTRUST_ROOT");
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", root == NULL ? "." : root, name);
    f = fopen(path, "r");
    if (f == NULL)
        fail_msg("%s is not there", path);
    return f;
}

static bool is_application(char const *section)
{
    return strncmp(section, "application ", strlen("application ")) == 0;
}

static bool is_ca(char const *section)
{
    return strncmp(section, "ca ", strlen("ca ")) == 0;
}

static bool is_transmitter(char const *section)
{
    return strncmp(section, "transmitter ", strlen("transmitter ")) == 0;
}

static bool is_nas(char const *section)
{
    return strncmp(section, "nas ", strlen("nas ")) == 0;
}

static bool is_message(char const *section)
{
    return strncmp(section, "message ", strlen("message ")) == 0;
}

/* Of the table of sections that have a name. */
static dt_config_key const *named_key_find(char const *section, char const *name, size_t *index)
{
    size_t count;
    dt_config_key const *keys = is_ca(section)            ? dt_config_ca_keys(&count)
                                : is_nas(section)         ? dt_config_nas_keys(&count)
                                : is_transmitter(section) ? dt_config_transmitter_keys(&count)
                                                          : dt_config_message_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            *index = i;
            return &keys[i];
        }
    }
    fail_msg("there is no key [%s] %s in the table", section, name);
    return NULL;
}

static dt_config_key const *key_find(char const *section, char const *name, size_t *index)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    if (is_ca(section) || is_nas(section) || is_message(section) || is_transmitter(section))
        return named_key_find(section, name, index);
    for (size_t i = 0; i < count; i++) {
        bool here = is_application(section) ? keys[i].per_application
                                            : strcmp(keys[i].section, section) == 0;
        if (here && strcmp(keys[i].name, name) == 0) {
            *index = i;
            return &keys[i];
        }
    }
    fail_msg("there is no key [%s] %s in the table", section, name);
    return NULL;
}

static void expect_all(bool const *seen, char const *where)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (!seen[i])
            fail_msg("[%s] %s is not in %s", keys[i].section, keys[i].name, where);
    }
}

static void expect_all_of_applications(bool const *seen, char const *where)
{
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (seen[i] != keys[i].per_application)
            fail_msg("[application NAME] %s is not in %s", keys[i].name, where);
    }
}

static void expect_all_of_cas(bool const *seen, char const *where)
{
    size_t count;
    dt_config_key const *keys = dt_config_ca_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (!seen[i])
            fail_msg("[ca NAME] %s is not in %s", keys[i].name, where);
    }
}

static void expect_all_of_nases(bool const *seen, char const *where)
{
    size_t count;
    dt_config_key const *keys = dt_config_nas_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (!seen[i])
            fail_msg("[nas NAME] %s is not in %s", keys[i].name, where);
    }
}

static void expect_all_of_messages(bool const *seen, char const *where)
{
    size_t count;
    dt_config_key const *keys = dt_config_message_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (!seen[i])
            fail_msg("[message REASON] %s is not in %s", keys[i].name, where);
    }
}

static void expect_all_of_transmitters(bool const *seen, char const *where)
{
    size_t count;
    dt_config_key const *keys = dt_config_transmitter_keys(&count);

    for (size_t i = 0; i < count; i++) {
        if (!seen[i])
            fail_msg("[transmitter NAME] %s is not in %s", keys[i].name, where);
    }
}

/* The keys that were seen, of each kind of section. */
typedef struct seen_keys {
    bool plain[DT_CONFIG_KEYS_MAX], of_applications[DT_CONFIG_KEYS_MAX], of_cas[DT_CONFIG_KEYS_MAX],
        of_nases[DT_CONFIG_KEYS_MAX], of_messages[DT_CONFIG_KEYS_MAX],
        of_transmitters[DT_CONFIG_KEYS_MAX];
} seen_keys;

static bool *seen_of(seen_keys *seen, char const *section)
{
    return is_ca(section)            ? seen->of_cas
           : is_nas(section)         ? seen->of_nases
           : is_message(section)     ? seen->of_messages
           : is_transmitter(section) ? seen->of_transmitters
           : is_application(section) ? seen->of_applications
                                     : seen->plain;
}

static void expect_all_kinds(seen_keys const *seen, char const *where)
{
    expect_all(seen->plain, where);
    expect_all_of_applications(seen->of_applications, where);
    expect_all_of_cas(seen->of_cas, where);
    expect_all_of_nases(seen->of_nases, where);
    expect_all_of_messages(seen->of_messages, where);
    expect_all_of_transmitters(seen->of_transmitters, where);
}

/* --- the manual ------------------------------------------------------------------------------- */

static void duration_text(char *out, size_t size, int64_t ms)
{
    if (ms == 0)
        snprintf(out, size, "0");
    else if (ms % DT_DAYS(1) == 0)
        snprintf(out, size, "%dd", (int)(ms / DT_DAYS(1)));
    else if (ms % DT_HOURS(1) == 0)
        snprintf(out, size, "%dh", (int)(ms / DT_HOURS(1)));
    else if (ms % DT_MINUTES(1) == 0)
        snprintf(out, size, "%dm", (int)(ms / DT_MINUTES(1)));
    else if (ms % DT_SECONDS(1) == 0)
        snprintf(out, size, "%ds", (int)(ms / DT_SECONDS(1)));
    else
        snprintf(out, size, "%dms", (int)ms);
}

/* How the manual names a key's type. */
static void type_text(char *out, size_t size, dt_config_key const *k)
{
    char low[32];
    char high[32];
    bool secret =
        k->secret || strcmp(k->name, "api_token_file") == 0 ||
        strcmp(k->name, "client_secret_file") == 0 || strstr(k->name, "key_file") != NULL ||
        strcmp(k->name, "managed_configuration_file") == 0 ||
        strcmp(k->name, "management_hint_file") == 0 || strstr(k->name, "pin_file") != NULL ||
        strstr(k->name, "credentials_file") != NULL;

    switch (k->type) {
    case DT_CONFIG_STRING:
        snprintf(out, size,
                 strcmp(k->name, "client_id") == 0 && strcmp(k->section, "intune") == 0 ? "GUID"
                                                                                        : "text");
        if (k->max == 300)
            snprintf(out, size, "text of at most %d bytes", (int)k->max);
        break;
    case DT_CONFIG_URL:
        snprintf(out, size, "URL");
        break;
    case DT_CONFIG_PATH:
        snprintf(out, size, secret ? "secret path" : "path");
        if (k->max < 200)
            snprintf(out, size, "path of at most %d bytes", (int)k->max);
        break;
    case DT_CONFIG_GUID:
        snprintf(out, size, "GUID");
        break;
    case DT_CONFIG_OKTA_ID:
        snprintf(out, size, "id of Okta");
        break;
    case DT_CONFIG_BOOL:
        snprintf(out, size, "yes or no");
        break;
    case DT_CONFIG_INT:
        snprintf(out, size, "number from %d to %d", (int)k->min, (int)k->max);
        break;
    case DT_CONFIG_DURATION:
        duration_text(low, sizeof(low), k->min);
        duration_text(high, sizeof(high), k->max);
        snprintf(out, size, "time from %s to %s", low, high);
        break;
    case DT_CONFIG_ENUM:
        snprintf(out, size, "word");
        break;
    case DT_CONFIG_BITS:
        snprintf(out, size, "words");
        break;
    case DT_CONFIG_LIST:
        snprintf(out, size, strcmp(k->section, "break_glass") == 0 ? "names" : "services");
        break;
    case DT_CONFIG_TRUSTED_WHEN:
        snprintf(out, size, "alternatives");
        break;
    }
}

static void expected_item(char *out, size_t size, char const *section, dt_config_key const *k)
{
    char type[128] = "";

    type_text(type, sizeof(type), k);
    if (is_application(section))
        snprintf(out, size, ".It Ic %s No (%s, default as in section [%s])\n", k->name, type,
                 k->section);
    else if (k->fallback == NULL)
        snprintf(out, size, ".It Ic %s No (%s, no default)\n", k->name, type);
    else if (*k->fallback == '\0')
        snprintf(out, size, ".It Ic %s No (%s, default Ar empty )\n", k->name, type);
    else if (strchr(k->fallback, ' ') != NULL)
        snprintf(out, size, ".It Ic %s No (%s, default Ar \"%s\" )\n", k->name, type, k->fallback);
    else
        snprintf(out, size, ".It Ic %s No (%s, default Ar %s )\n", k->name, type, k->fallback);
}

/* An entry opens with the sentence that the table has: what the key does, before any detail. */
static void expect_first_sentence(FILE *f, char const *section, dt_config_key const *k)
{
    char line[LINE_SIZE] = "";
    size_t len = strlen(k->help), words = 1;

    if (fgets(line, sizeof(line), f) == NULL || strncmp(line, k->help, len) != 0 ||
        strcmp(line + len, "\n") != 0)
        fail_msg("[%s] %s opens with \"%s\", not with \"%s\"", section, k->name, line, k->help);
    for (char const *at = k->help; (at = strchr(at, ' ')) != NULL; at++)
        words++;
    if (k->help[0] < 'A' || k->help[0] > 'Z' || k->help[len - 1] != '.' || words > SENTENCE_WORDS)
        fail_msg("\"%s\" is not a sentence of at most %d words", k->help, SENTENCE_WORDS);
}

static void manual_says_the_same(void **state)
{
    FILE *f = source_open("man/devtrust.conf.5");
    seen_keys all = {0};
    char line[LINE_SIZE];
    char section[64] = "";

    (void)state;
    while (fgets(line, sizeof(line), f) != NULL) {
        char name[64];
        char wanted[LINE_SIZE];
        size_t i = 0;
        if (sscanf(line, ".Ss Section [%63[^]]]", section) == 1) {
            if (!dt_config_has_section(section) && !is_application(section) && !is_ca(section) &&
                !is_nas(section) && !is_message(section) && !is_transmitter(section))
                fail_msg("the manual knows a section [%s]", section);
            continue;
        }
        if (sscanf(line, ".It Ic %63s", name) != 1)
            continue;
        dt_config_key const *k = key_find(section, name, &i);
        bool *seen = seen_of(&all, section);
        if (seen[i])
            fail_msg("the manual has [%s] %s twice", section, name);
        seen[i] = true;
        expected_item(wanted, sizeof(wanted), section, k);
        assert_string_equal(line, wanted);
        expect_first_sentence(f, section, k);
    }
    fclose(f);
    expect_all_kinds(&all, "man/devtrust.conf.5");
}

static void expect_words(char const *text, dt_config_key const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (dt_config_word const *w = keys[i].words; w != NULL && w->word != NULL; w++) {
            char quoted[80];
            char listed[80];
            snprintf(quoted, sizeof(quoted), ".Ql %s", w->word);
            snprintf(listed, sizeof(listed), ".It Cm %s\n", w->word);
            if (strstr(text, quoted) == NULL && strstr(text, listed) == NULL)
                fail_msg("the manual lacks the word \"%s\" of %s", w->word, keys[i].name);
        }
    }
}

/* Each word that a key takes stands in the manual as a word. */
static void manual_has_the_words(void **state)
{
    static char text[FILE_SIZE];
    FILE *f = source_open("man/devtrust.conf.5");
    size_t len = fread(text, 1, sizeof(text) - 1, f);
    size_t count;
    dt_config_key const *keys = dt_config_keys(&count);

    (void)state;
    fclose(f);
    text[len] = '\0';
    expect_words(text, keys, count);
    keys = dt_config_ca_keys(&count);
    expect_words(text, keys, count);
    keys = dt_config_nas_keys(&count);
    expect_words(text, keys, count);
    keys = dt_config_transmitter_keys(&count);
    expect_words(text, keys, count);
}

/* --- the sample ------------------------------------------------------------------------------- */

/* A key of the sample, given or commented out ("#key = value"): its name and value. */
static bool sample_key(char *line, char **name, char **value, bool *given)
{
    char *equals = strchr(line, '=');
    size_t len;

    *given = *line != '#';
    *name = *given ? line : line + 1;
    len = strspn(*name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (equals == NULL || len == 0 || strspn(*name + len, " ") + len != (size_t)(equals - *name))
        return false;
    (*name)[len] = '\0';
    *value = equals + 1 + strspn(equals + 1, " ");
    (*value)[strcspn(*value, "\n")] = '\0';
    return true;
}

/* The head of a section, given or commented out. */
static bool sample_section(char const *line, char section[64], bool *given)
{
    *given = *line == '[';
    return sscanf(*given ? line : line + 1, "[%63[^]]]", section) == 1 && (*given || *line == '#');
}

/* Reads the sample; with `all`, also what is commented out counts. */
static dt_config *sample_load(bool all, seen_keys *found)
{
    static char text[FILE_SIZE];
    FILE *f = source_open("conf/devtrust.conf");
    dt_config *c = NULL;
    dt_error e = {0};
    char line[LINE_SIZE];
    char section[64] = "";

    text[0] = '\0';
    while (fgets(line, sizeof(line), f) != NULL) {
        char *name, *value;
        bool given;
        size_t i = 0;
        size_t used = strlen(text);
        if (sample_section(line, section, &given)) {
            if (given || all)
                snprintf(text + used, sizeof(text) - used, "[%s]\n", section);
        } else if (sample_key(line, &name, &value, &given)) {
            dt_config_key const *k = key_find(section, name, &i);
            bool *seen = seen_of(found, section);
            if (seen[i])
                fail_msg("the sample has [%s] %s twice", section, name);
            seen[i] = true;
            if (!given && !(is_ca(section) && k->fallback == NULL) &&
                (k->fallback == NULL || strcmp(k->fallback, value) != 0))
                fail_msg("the sample's default of [%s] %s is \"%s\"", section, name, value);
            if (given || all)
                snprintf(text + used, sizeof(text) - used, "%s = %s\n", name, value);
        } else if (*line != '#' && *line != '\n') {
            fail_msg("the sample has a line that is neither comment nor key: %s", line);
        }
    }
    fclose(f);
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    if (dt_ini_parse(dt_bytes_str(text), "conf/devtrust.conf", c, &e) < 0)
        fail_msg("%s", e.text);
    return c;
}

/* The sample has the keys that most sites set, each with its default where it is commented out, and no key that is not
 * in the table (sample_load); the manual has them all. What is commented out loads as well. */
static void sample_has_the_common_keys(void **state)
{
    static char const *const common[][2] = {
        {"okta", "org_url"},
        {"okta", "client_id"},
        {"okta", "api_token_file"},
        {"user_name", "login_suffix"},
        {"intune", "tenant_id"},
        {"intune", "certificate_file"},
        {"device_trust", "ca_file"},
        {"device_trust", "shared_ca_file"},
        {"policy", "report_only"},
        {"policy", "okta_unavailable"},
        {"device_trust", "trusted_when"},
    };
    seen_keys found = {0};
    size_t seen = 0, i = 0;
    dt_config *c = sample_load(true, &found);

    (void)state;
    for (size_t k = 0; k < sizeof(common) / sizeof(common[0]); k++) {
        (void)key_find(common[k][0], common[k][1], &i);
        if (!found.plain[i])
            fail_msg("[%s] %s is not in the sample", common[k][0], common[k][1]);
    }
    for (i = 0; i < DT_CONFIG_KEYS_MAX; i++)
        seen += found.plain[i] ? 1 : 0;
    assert_in_range(seen, 12, SAMPLE_KEYS_MAX);
    dt_config_free(&c);
}

/* As it is shipped, comments and all, it loads; only the org and tenant are not anybody's. */
static void sample_is_valid(void **state)
{
    static char text[FILE_SIZE];
    FILE *f = source_open("conf/devtrust.conf");
    size_t len = fread(text, 1, sizeof(text), f);
    dt_config *c = NULL;
    dt_error e = {0};

    (void)state;
    fclose(f);
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    if (dt_ini_parse(dt_bytes_of(text, len), "conf/devtrust.conf", c, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(c->okta.org_url, "https://example.okta.com");
    assert_int_equal(c->device_trust.cache_ttl, DT_MINUTES(15));
    dt_config_free(&c);
}

/* Whoever looks for the name of a section finds every reason in the manual, and none that there is not. */
static void manual_has_the_reasons(void **state)
{
    static char text[FILE_SIZE];
    FILE *f = source_open("man/devtrust.conf.5");
    size_t len = fread(text, 1, sizeof(text) - 1, f);
    char const *begin, *end;

    (void)state;
    fclose(f);
    text[len] = '\0';
    begin = strstr(text, ".Ss Section [message REASON]");
    assert_non_null(begin);
    end = strstr(begin, ".Pp\n");
    assert_non_null(end);
    size_t listed = 0;
    for (char const *at = begin; (at = strstr(at, ".Dv ")) != NULL && at < end; at++)
        listed++;
    for (int r = DT_REASON_TRUSTED + 1; r < DT_REASON_COUNT; r++) {
        char line[80];
        char const *at;
        snprintf(line, sizeof(line), "\n.Dv %s", dt_reason_name((dt_reason)r));
        at = strstr(begin, line);
        if (at == NULL || at > end || strchr("\n ", at[strlen(line)]) == NULL)
            fail_msg("the manual lacks the reason %s", dt_reason_name((dt_reason)r));
    }
    assert_int_equal(listed, DT_REASON_COUNT - DT_REASON_TRUSTED - 1 + 1); /* and ANY */
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(manual_says_the_same),   cmocka_unit_test(manual_has_the_words),
        cmocka_unit_test(manual_has_the_reasons), cmocka_unit_test(sample_has_the_common_keys),
        cmocka_unit_test(sample_is_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
