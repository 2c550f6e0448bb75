/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One person under several names: every form a name may have, most of which are refused, and the table. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/ruleset/identity.h"
#include "core/base/unicode.h"

static dt_config *config_of(char const *suffix, char const *realms)
{
    dt_config *c = NULL;
    dt_error e = {0};

    assert_int_equal(dt_config_new(&c, &e), 0);
    assert_int_equal(dt_config_set(c, "t", 1, "user_name", "login_suffix", suffix, &e), 0);
    assert_int_equal(dt_config_set(c, "t", 2, "user_name", "realms", realms, &e), 0);
    return c;
}

#define REALMS "EXAMPLE -> @example.com, corp.example.com -> @example.com,PARTNER->@partner.example"

static char const table_text[] = "# exceptions\n"
                                 "\n"
                                 "asmith -> anna.smith@example.com\n"
                                 "  ann-adm   ->   ann@example.com  \r\n"
                                 "OTHER\\bob -> bob.other@example.com\n"
                                 "carol@else.example->Carol@Else.example";

static dt_user_table *table_of(dt_config const *c, char const *text)
{
    dt_user_table *t = NULL;
    dt_error e = {0};

    if (dt_user_table_parse(c, "names", dt_bytes_str(text), &t, &e) < 0)
        fail_msg("%s", e.text);
    return t;
}

typedef struct row {
    char const *name;
    dt_identity_kind kind; /* NONE: refused */
    char const *local, *realm, *login;
    char const *why; /* a part of the message */
} row;

#define ANN DT_IDENTITY_PERSON, "ann", "", "ann@example.com", NULL
#define PERSON(local, realm, login) DT_IDENTITY_PERSON, local, realm, login, NULL
#define MACHINE(local, realm) DT_IDENTITY_MACHINE, local, realm, "", NULL
#define REFUSED(why) DT_IDENTITY_NONE, NULL, NULL, NULL, why
#define REALM_UNKNOWN(realm) REFUSED("realm " realm ", which is not known")

static row const rows[] = {
    /* one person */
    {"ann", ANN},
    {"Ann", ANN},
    {"ANN", ANN},
    {"ann@example.com", ANN},
    {"ann@EXAMPLE.com", ANN},
    {"Ann@Example.Com", ANN},
    {"EXAMPLE\\ann", ANN},
    {"example\\ANN", ANN},
    {"corp.example.com\\ann", ANN},
    {"ann@corp.example.com", ANN},
    {"ann@CORP.EXAMPLE.COM", ANN},
    {"ann@example", ANN},
    {"example.com\\ann", ANN},
    /* others */
    {"mallory", PERSON("mallory", "", "mallory@example.com")},
    {"PARTNER\\ann", PERSON("ann", "partner.example", "ann@partner.example")},
    {"ann@partner", PERSON("ann", "partner.example", "ann@partner.example")},
    {"o'brien+x", PERSON("o'brien+x", "", "o'brien+x@example.com")},
    {"j\xc3\xb6rg", PERSON("j\xc3\xb6rg", "", "j\xc3\xb6rg@example.com")},
    {"gro\xc3\x9f", PERSON("gro\xc3\x9f", "", "gro\xc3\x9f@example.com")},
    {"\xd0\xb0\xd0\xbd\xd0\xbd\xd0\xb0", PERSON("\xd0\xb0\xd0\xbd\xd0\xbd\xd0\xb0", "",
                                                "\xd0\xb0\xd0\xbd\xd0\xbd\xd0\xb0@example.com")},
    {"a.b-c_d", PERSON("a.b-c_d", "", "a.b-c_d@example.com")},
    {"_svc", PERSON("_svc", "", "_svc@example.com")},
    {"007", PERSON("007", "", "007@example.com")},
    {"a%b", PERSON("a%b", "", "a%b@example.com")},
    {"a,b=c", PERSON("a,b=c", "", "a,b=c@example.com")},
    {"o\"brien", PERSON("o\"brien", "", "o\"brien@example.com")},
    {"a#b", PERSON("a#b", "", "a#b@example.com")},
    /* the table */
    {"asmith", PERSON("asmith", "", "anna.smith@example.com")},
    {"ASmith", PERSON("asmith", "", "anna.smith@example.com")},
    {"EXAMPLE\\asmith", PERSON("asmith", "", "anna.smith@example.com")},
    {"asmith@example.com", PERSON("asmith", "", "anna.smith@example.com")},
    {"ann-adm", PERSON("ann-adm", "", "ann@example.com")},
    {"OTHER\\bob", PERSON("bob", "other", "bob.other@example.com")},
    {"bob@other", PERSON("bob", "other", "bob.other@example.com")},
    {"carol@else.example", PERSON("carol", "else.example", "carol@else.example")},
    {"bob", PERSON("bob", "", "bob@example.com")},
    {"PARTNER\\asmith", PERSON("asmith", "partner.example", "asmith@partner.example")},
    /* machines */
    {"host/laptop.example.com", MACHINE("host/laptop.example.com", "")},
    {"HOST/Laptop.Example.Com", MACHINE("host/laptop.example.com", "")},
    {"host/laptop", MACHINE("host/laptop", "")},
    {"host/laptop.example.com@EXAMPLE", MACHINE("host/laptop.example.com", "")},
    {"LAPTOP$", MACHINE("laptop$", "")},
    {"EXAMPLE\\LAPTOP$", MACHINE("laptop$", "")},
    {"LAPTOP$@corp.example.com", MACHINE("laptop$", "")},
    {"PARTNER\\PC-1$", MACHINE("pc-1$", "partner.example")},
    /* realms that nobody knows */
    {"OTHER\\ann", REALM_UNKNOWN("other")},
    {"OTHER\\asmith", REALM_UNKNOWN("other")},
    {"ann@partner.example", REALM_UNKNOWN("partner.example")},
    {"ann@example.com.evil.example", REALM_UNKNOWN("example.com.evil.example")},
    {"ann@xample.com", REALM_UNKNOWN("xample.com")},
    {"ann@com", REALM_UNKNOWN("com")},
    {"WORKSTATION7\\ann", REALM_UNKNOWN("workstation7")},
    {"OTHER\\LAPTOP$", REALM_UNKNOWN("other")},
    {"host/laptop.example.com@other.example", REALM_UNKNOWN("other.example")},
    {"carol@else", REALM_UNKNOWN("else")},
    /* more than one */
    {"ann@example.com@example.com", REFUSED("more than one realm")},
    {"ann@@example.com", REFUSED("more than one realm")},
    {"EXAMPLE\\EXAMPLE\\ann", REFUSED("more than one realm")},
    {"EXAMPLE\\\\ann", REFUSED("more than one realm")},
    {"EXAMPLE\\ann@example.com", REFUSED("more than one realm")},
    {"EXAMPLE\\ann@partner", REFUSED("more than one realm")},
    {"mallory@example.com\\ann", REFUSED("more than one realm")},
    /* parts that are not there, or none */
    {"", REFUSED("is empty")},
    {"@", REFUSED("malformed realm")},
    {"@example.com", REFUSED("consists of a realm alone")},
    {"ann@", REFUSED("malformed realm")},
    {"\\ann", REFUSED("malformed realm")},
    {"EXAMPLE\\", REFUSED("consists of a realm alone")},
    {"\\", REFUSED("malformed realm")},
    {"ann@.example.com", REFUSED("malformed realm")},
    {"ann@example.com.", REFUSED("malformed realm")},
    {"ann@example..com", REFUSED("malformed realm")},
    {"ann@exam ple.com", REFUSED("malformed realm")},
    {"ann@example.com/x", REFUSED("malformed realm")},
    {"ann@ex\xc3\xa4mple.com", REFUSED("malformed realm")},
    /* blanks */
    {" ", REFUSED("space")},
    {" ann", REFUSED("begins or ends with a space")},
    {"ann ", REFUSED("begins or ends with a space")},
    {"mallory ", REFUSED("begins or ends with a space")},
    {"ann@example.com ", REFUSED("begins or ends with a space")},
    {"EXAMPLE\\ann ", REFUSED("begins or ends with a space")},
    {"EXAMPLE\\ ann", REFUSED("a space")},
    {"ann @example.com", REFUSED("a space")},
    {"ann b", REFUSED("a space")},
    {"ann\xc2\xa0", REFUSED("U+00A0")},
    {"\xe3\x80\x80"
     "ann",
     REFUSED("U+3000")},
    {"ann\xe2\x80\x8b", REFUSED("U+200B")},
    {"a\xe2\x80\x8dnn", REFUSED("U+200D")},
    {"ann\xef\xbb\xbf", REFUSED("U+FEFF")},
    {"ann\xc2\xad", REFUSED("U+00AD")},
    /* control characters */
    {"ann\n", REFUSED("U+000A")},
    {"ann\t", REFUSED("U+0009")},
    {"\x01"
     "ann",
     REFUSED("U+0001")},
    {"an\x1b[31mn", REFUSED("U+001B")},
    {"ann\x7f", REFUSED("U+007F")},
    {"ann\xc2\x85", REFUSED("U+0085")},
    {"\xe2\x80\xae"
     "nnA",
     REFUSED("U+202E")},
    /* other ways to write a letter */
    {"\xef\xbd\x8d\xef\xbd\x81llory", REFUSED("U+FF4D")}, /* full-width */
    {"mallor\xef\xbd\x99", REFUSED("U+FF59")},
    {"ann\xef\xbc\xa0"
     "example.com",
     REFUSED("U+FF20")},
    {"jo\xcc\x88rg", REFUSED("U+0308")}, /* o and a diaeresis apart */
    {"J\xc3\x96RG", REFUSED("U+00D6")},
    {"\xef\xac\x81ona", REFUSED("U+FB01")},                  /* a ligature */
    {"mark\xe2\x84\xaa", REFUSED("U+212A")},                 /* the Kelvin sign */
    {"a\xc5\xbf", REFUSED("U+017F")},                        /* long s */
    {"ann\xc2\xb2", REFUSED("U+00B2")},                      /* superscript two */
    {"\xf0\x9d\x93\xaann", REFUSED("U+1D4EA")},              /* mathematical script */
    {"ann\xf0\x9f\x98\x80", REFUSED("U+1F600")},             /* no letter */
    {"ann\xe2\x82\xac", REFUSED("U+20AC")},                  /* the euro sign */
    {"\xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0", REFUSED("U+0410")}, /* upper case beyond ASCII */
    /* not UTF-8 */
    {"j\xf6rg", REFUSED("not UTF-8")},
    {"ann\xff", REFUSED("not UTF-8")},
    {"ann\xc3", REFUSED("not UTF-8")},
    {"a\xc0\xae", REFUSED("not UTF-8")},
    {"a\xed\xa0\x80", REFUSED("not UTF-8")},
    {"a\xf4\x90\x80\x80", REFUSED("not UTF-8")},
    /* characters with a meaning elsewhere */
    {"a/b", REFUSED("character /")},
    {"../ann", REFUSED("begins with a dot")},
    {".", REFUSED("begins with a dot")},
    {"-oann", REFUSED("begins with a dot or a dash")},
    {"EXAMPLE\\-ann", REFUSED("begins with a dot or a dash")},
    {"a:b", REFUSED("character :")},
    {"a;b", REFUSED("character ;")},
    {"a*", REFUSED("character *")},
    {"a?b", REFUSED("character ?")},
    {"<ann>", REFUSED("character <")},
    {"(ann)", REFUSED("character (")},
    {"a[b]", REFUSED("character [")},
    {"a`b`", REFUSED("character `")},
    {"a$b", REFUSED("character $")},
    {"$", REFUSED("character $")},
    {"a$$", REFUSED("character $")},
    {"host/", REFUSED("character /")},
    {"host/a/b", REFUSED("character /")},
    {"host/a b", REFUSED("character /")},
    {"EXAMPLE\\host/laptop", REFUSED("character /")},
    {"http/laptop.example.com", REFUSED("character /")},
    {"CN=ann;O=example", REFUSED("character ;")},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void check_row(dt_config const *c, dt_user_table const *t, row const *r)
{
    dt_user_name n = {.text = r->name};
    dt_identity id;
    dt_error e = {0};
    int rc = dt_identity_make(c, t, &n, &id, &e);

    if ((r->kind == DT_IDENTITY_NONE) != (rc < 0) || id.kind != r->kind)
        fail_msg("\"%s\": %d, kind %d: %s", r->name, rc, id.kind, e.text);
    if (rc < 0) {
        assert_int_equal(rc, DT_E_INVALID);
        if (r->why == NULL || strstr(e.text, r->why) == NULL)
            fail_msg("\"%s\": %s", r->name, e.text);
        for (char const *p = e.text; *p != '\0'; p++)
            assert_true((unsigned char)*p >= ' ' && *p != 0x7f);
        assert_string_equal(id.local, "");
        assert_string_equal(id.login, "");
        return;
    }
    assert_true(dt_str_equal_nocase(id.local, r->local));
    assert_string_equal(id.realm, r->realm);
    assert_string_equal(id.login, r->login);
}

static void test_forms(void **state)
{
    dt_config *c = config_of("@Example.com", REALMS);
    dt_user_table *t = table_of(c, table_text);

    (void)state;
    assert_int_equal(dt_user_table_count(t), 4);
    assert_true(ROWS >= 100);
    for (size_t i = 0; i < ROWS; i++)
        check_row(c, t, &rows[i]);
    dt_user_table_free(&t);
    dt_config_free(&c);
}

static void test_bad_arguments(void **state)
{
    dt_config *c = config_of("@example.com", "");
    dt_user_name n = {.text = NULL};
    char name[DT_USER_MAX + 1];
    dt_identity id;
    dt_error e = {0};

    (void)state;
    assert_int_equal(dt_identity_make(c, NULL, &n, &id, &e), DT_E_INVALID);
    memset(name, 'a', sizeof(name));
    for (size_t len = DT_USER_MAX - 2; len <= DT_USER_MAX; len++) {
        memset(name, 'a', sizeof(name));
        name[len] = '\0';
        n.text = name;
        assert_int_equal(dt_identity_make(c, NULL, &n, &id, &e) == 0, len < DT_USER_MAX);
    }
    dt_config_free(&c);
}

/* Without a suffix a name is the login, and no realm is the own one. */
static void test_without_a_suffix(void **state)
{
    static row const plain[] = {
        {"ann", PERSON("ann", "", "ann")},
        {"Ann", PERSON("ann", "", "ann")},
        {"ann@example.com", REALM_UNKNOWN("example.com")},
        {"EXAMPLE\\ann", REALM_UNKNOWN("example")},
        {"LAPTOP$", MACHINE("laptop$", "")},
    };
    static row const with_realm[] = {
        {"ann@example.com", PERSON("ann", "example.com", "ann@example.com")},
        {"ann", PERSON("ann", "", "ann")},
        {"ann@partner.example", REALM_UNKNOWN("partner.example")},
    };
    dt_config *c = config_of("", ""), *d = config_of("", "example.com -> @example.com");

    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        check_row(c, NULL, &plain[i]);
    for (size_t i = 0; i < sizeof(with_realm) / sizeof(with_realm[0]); i++)
        check_row(d, NULL, &with_realm[i]);
    dt_config_free(&c);
    dt_config_free(&d);
}

/* A name keeps its case and is compared without it, as Okta does. */
static void test_accounts(void **state)
{
    dt_config *c = config_of("@example.com", REALMS);
    dt_user_name n = {.text = "Ann"};
    dt_identity id, other;
    dt_error e = {0};

    (void)state;
    assert_int_equal(dt_identity_make(c, NULL, &n, &id, &e), 0);
    assert_string_equal(id.local, "Ann");
    assert_string_equal(id.login, "ann@example.com");
    n.text = "ann";
    assert_int_equal(dt_identity_make(c, NULL, &n, &other, &e), 0);
    assert_true(dt_identity_equal(&id, &other));
    n.text = "ann@corp.example.com";
    assert_int_equal(dt_identity_make(c, NULL, &n, &id, &e), 0);
    assert_true(dt_identity_equal(&id, &other));
    n.text = "ann@partner.example";
    assert_int_equal(dt_identity_make(c, NULL, &n, &id, &e), DT_E_INVALID);
    dt_config_free(&c);
}

/* Two identities have one key exactly when they are one, whatever their names are. */
static void test_keys(void **state)
{
    dt_config *c = config_of("@example.com", REALMS);
    dt_user_table *t = table_of(c, table_text);
    dt_error e = {0};

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < ROWS; j++) {
            dt_user_name n = {.text = rows[i].name}, m = {.text = rows[j].name};
            char key[DT_IDENTITY_KEY_MAX], other[DT_IDENTITY_KEY_MAX];
            dt_identity a, b;

            if (dt_identity_make(c, t, &n, &a, &e) < 0 || dt_identity_make(c, t, &m, &b, &e) < 0)
                continue;
            dt_identity_key(&a, key);
            dt_identity_key(&b, other);
            assert_int_equal(strcmp(key, other) == 0, dt_identity_equal(&a, &b));
            if (strcmp(a.login, b.login) == 0 && a.login[0] != '\0' && !dt_identity_equal(&a, &b))
                assert_true(dt_user_table_find(t, a.local, a.realm) != NULL ||
                            dt_user_table_find(t, b.local, b.realm) != NULL);
        }
    }
    dt_user_table_free(&t);
    dt_config_free(&c);
}

static void test_nobody_is_nobody(void **state)
{
    dt_identity none = {0}, other = {0};

    (void)state;
    assert_false(dt_identity_equal(&none, &other));
}

static void test_short_login(void **state)
{
    dt_config *c = config_of("@Example.com", REALMS), *none = config_of("", "");
    dt_identity id = {.kind = DT_IDENTITY_PERSON, .login = "anna.smith@example.com"};
    char out[DT_LOGIN_MAX];

    (void)state;
    dt_identity_short(c, &id, out);
    assert_string_equal(out, "anna.smith");
    dt_identity_short(none, &id, out);
    assert_string_equal(out, "");
    strcpy(id.login, "ann@partner.example");
    dt_identity_short(c, &id, out);
    assert_string_equal(out, "");
    strcpy(id.login, "@example.com");
    dt_identity_short(c, &id, out);
    assert_string_equal(out, "");
    dt_config_free(&c);
    dt_config_free(&none);
}

static void test_bad_tables(void **state)
{
    static struct {
        char const *text, *why;
    } const bad[] = {
        {"ann\n", "names:1: has no \"->\""},
        {"# x\n\nann -> \n", "names:3: the user name is empty"},
        {" -> ann@example.com\n", "names:1: the user name is empty"},
        {"ann -> ann@\n", "names:1: the user name \"ann@\" is not an Okta login"},
        {"ann -> a@b@c\n", "is not an Okta login"},
        {"ann -> EXAMPLE\\ann\n", "character \\"},
        {"ann -> x y@example.com\n", "a space"},
        {"ann -> x@example.com -> y@example.com\n", "is not an Okta login"},
        {"a b -> x@example.com\n", "a space"},
        {"a@b@c -> x@example.com\n", "more than one realm"},
        {"j\xf6rg -> x@example.com\n", "not UTF-8"},
        {"\xef\xbd\x81 -> x@example.com\n", "U+FF41"},
        {"ann -> x@example.com\nbob -> b@example.com\nann -> y@example.com\n",
         "names:3: ann is already in line 1"},
        {"ann -> x@example.com\nANN -> x@example.com\n", "names:2: ann is already in line 1"},
        {"ann -> x@example.com\nEXAMPLE\\ann -> y@example.com\n", "is already in line 1"},
        {"ann -> x@example.com\nann@example.com -> y@example.com\n", "is already in line 1"},
        {"OTHER\\ann -> x@example.com\nann@other -> y@example.com\n",
         "names:2: ann@other is already in"},
    };
    dt_config *c = config_of("@example.com", REALMS);
    char longest[1200];
    dt_user_table *t = NULL;
    dt_error e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        e = (dt_error){0};
        assert_int_equal(dt_user_table_parse(c, "names", dt_bytes_str(bad[i].text), &t, &e),
                         DT_E_INVALID);
        assert_null(t);
        if (strstr(e.text, bad[i].why) == NULL)
            fail_msg("%zu: %s", i, e.text);
    }
    memset(longest, ' ', sizeof(longest));
    memcpy(longest, "ann -> ann@example.com", 22);
    assert_int_equal(dt_user_table_parse(c, "names", dt_bytes_of(longest, sizeof(longest)), &t, &e),
                     DT_E_INVALID);
    assert_int_equal(dt_user_table_parse(c, "names", dt_bytes_of("a\0b -> c@d", 10), &t, &e),
                     DT_E_INVALID);
    dt_config_free(&c);
}

static void test_large_tables(void **state)
{
    dt_config *c = config_of("@example.com", "");
    dt_user_table *t = NULL;
    dt_error e = {0};
    dt_buf b;

    (void)state;
    dt_buf_init(&b, DT_USER_TABLE_FILE_MAX);
    for (int i = 0; i < DT_USER_TABLE_MAX; i++)
        dt_buf_printf(&b, "u%d -> person.%d@example.com\n", i, i);
    assert_int_equal(dt_user_table_parse(c, "names", dt_buf_bytes(&b), &t, &e), 0);
    for (int i = 0; i < DT_USER_TABLE_MAX; i += 997) {
        char name[32], login[64];

        snprintf(name, sizeof(name), "u%d", i);
        snprintf(login, sizeof(login), "person.%d@example.com", i);
        assert_string_equal(dt_user_table_find(t, name, ""), login);
    }
    assert_null(dt_user_table_find(t, "u", ""));
    assert_null(dt_user_table_find(t, "u1", "other"));
    dt_user_table_free(&t);
    dt_buf_puts(&b, "one.more -> x@example.com\n");
    assert_int_equal(dt_user_table_parse(c, "names", dt_buf_bytes(&b), &t, &e), DT_E_LIMIT);
    assert_null(t);
    dt_buf_free(&b);
    dt_config_free(&c);
}

static void test_empty_table(void **state)
{
    dt_config *c = config_of("@example.com", "");
    dt_user_table *t = table_of(c, "");

    (void)state;
    assert_int_equal(dt_user_table_count(t), 0);
    assert_null(dt_user_table_find(t, "ann", ""));
    assert_null(dt_user_table_find(NULL, "ann", ""));
    dt_user_table_free(&t);
    dt_user_table_free(&t);
    dt_config_free(&c);
}

static void test_bad_realms(void **state)
{
    static char const *const bad[] = {
        "EXAMPLE",
        "EXAMPLE @example.com",
        "EXAMPLE ->",
        "EXAMPLE -> example.com",
        "EXAMPLE -> @",
        "-> @example.com",
        "EXA MPLE -> @example.com",
        "EXAMPLE -> @a@b",
        "EXAMPLE -> @example.com,,X -> @x.example",
        "EXAMPLE -> @example.com, example -> @other.example",
        "a -> @b -> @c",
        "*.example.com -> @example.com",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (dt_user_realms_fault(bad[i]) == NULL)
            fail_msg("%s", bad[i]);
    }
    assert_null(dt_user_realms_fault(REALMS));
    assert_null(dt_user_realms_fault(""));
    assert_null(dt_user_suffix_fault(""));
    assert_null(dt_user_suffix_fault("@example.com"));
    assert_non_null(dt_user_suffix_fault("example.com"));
    assert_non_null(dt_user_suffix_fault("@"));
    assert_non_null(dt_user_suffix_fault("@a/b"));
    assert_non_null(dt_user_suffix_fault("x@example.com"));
}

static void test_unicode_port(void **state)
{
    char longest[DT_UNICODE_TEXT_MAX + 1];
    uint32_t bad;

    (void)state;
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(dt_unicode_check(dt_bytes_of(longest, DT_UNICODE_TEXT_MAX), &bad), 0);
    assert_int_equal(dt_unicode_check(dt_bytes_of(longest, sizeof(longest)), &bad), DT_E_LIMIT);
    assert_int_equal(dt_unicode_check(dt_bytes_of("", 0), &bad), 0);
    assert_int_equal(dt_unicode_check(dt_bytes_str("A \x01"), &bad), 0); /* ASCII is not its part */
    assert_int_equal(dt_unicode_check(dt_bytes_str("\xef\xb7\xba"), &bad), DT_E_INVALID);
    assert_int_equal(bad, 0xfdfa); /* grows to 18 characters */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_without_a_suffix),
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_nobody_is_nobody),
        cmocka_unit_test(test_short_login),
        cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_large_tables),
        cmocka_unit_test(test_empty_table),
        cmocka_unit_test(test_bad_realms),
        cmocka_unit_test(test_unicode_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
