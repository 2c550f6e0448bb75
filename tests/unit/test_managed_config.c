/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Managed app configuration: what is read of both forms, what is refused and in which words, and what
 * it says for this host. Then the file on disk: whose it is, who may read it, and when it changes. */
#include "core/device/managed_config.h"
#include "core/base/plist.h"
#include "edge/managed_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <plist/plist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HINT "s3cretKeyOfTheOrg-0123456789"
#define OTHER "anotherSecretKey-9876543210"
#define ORG "https://example.okta.com"
#define ANDROID_HEAD                                                                               \
    "{\"kind\":\"androidenterprise#managedConfiguration\","                                        \
    "\"productId\":\"app:com.okta.android.mobile.oktamobile\",\"managedProperty\":["
#define PROPERTY(k, v) "{\"key\":\"" k "\",\"valueString\":\"" v "\"}"
#define ANDROID(site, user, hint)                                                                  \
    ANDROID_HEAD PROPERTY("siteName", site) "," PROPERTY("username", user) "," PROPERTY(           \
        "managementHint", hint) "]}"
#define PLIST_HEAD "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict>"
#define STRING(k, v) "<key>" k "</key><string>" v "</string>"
#define PLIST(domain, hint)                                                                        \
    PLIST_HEAD STRING("Domain", domain) STRING("managementHint", hint) "</dict></plist>"

static dt_managed_hints hints;

static int set_up(void **state)
{
    (void)state;
    return dt_managed_hints_parse(dt_bytes_str("# old and new\n" HINT "\n\n" OTHER "\n"), &hints,
                                  NULL);
}

static int tear_down(void **state)
{
    (void)state;
    dt_managed_hints_free(&hints);
    return 0;
}

/* --- the secret keys ---------------------------------------------------------------------------- */

static void test_hints(void **state)
{
    static struct {
        char const *text, *says;
    } const bad[] = {
        {"", "no secret key"},
        {"# only a comment\n", "no secret key"},
        {"short\n", "line 1: "},
        {"#x\n" HINT "\n" HINT "\n", "line 3: duplicate secret key"},
        {"managementHint = " HINT "\n", "line 1: "},
        {"\"quoted key of the org\"\n", "line 1: "},
        {HINT "\t\n", "line 1: "},
        {HINT "\xc3\xa9\n", "line 1: "},
        {"aaaaaaaaaaaaaaaa\nbbbbbbbbbbbbbbbb\ncccccccccccccccc\ndddddddddddddddd\n"
         "eeeeeeeeeeeeeeee\n",
         "line 5: more than 4"},
    };
    dt_managed_hints h;
    dt_error e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(dt_managed_hints_parse(dt_bytes_str(bad[i].text), &h, &e) < 0);
        assert_int_equal(h.count, 0);
        assert_non_null(strstr(e.text, bad[i].says));
        assert_null(strstr(e.text, HINT));
    }
    assert_int_equal(dt_managed_hints_parse(dt_bytes_str(HINT), &h, &e), 0);
    assert_int_equal(h.count, 1);
    dt_managed_hints_free(&h);
    assert_int_equal(dt_managed_hints_parse(dt_bytes_str(HINT "\r\n" OTHER "\r\n"), &h, &e), 0);
    assert_int_equal(h.count, 2);
    assert_true(dt_secret_equal(h.items[0], dt_bytes_str(HINT)));
    dt_managed_hints_free(&h);
}

/* --- reading ------------------------------------------------------------------------------------ */

static void assert_facts(char const *text, bool matches, char const *site, char const *user)
{
    dt_managed_facts f;
    dt_error e = {0};
    int rc = dt_managed_config_read(dt_bytes_str(text), &hints, &f, &e);

    if (rc < 0)
        print_error("%s\n", e.text);
    assert_int_equal(rc, 0);
    assert_true(f.hint_given);
    assert_int_equal(f.hint_matches, matches);
    assert_string_equal(f.site, site);
    assert_string_equal(f.username, user);
}

static void test_both_forms(void **state)
{
    (void)state;
    assert_facts(ANDROID(ORG, "ann@example.com", HINT), true, ORG, "ann@example.com");
    assert_facts(ANDROID(ORG, "ann", OTHER), true, ORG, "ann");
    assert_facts(ANDROID(ORG, "ann", "s3cretKeyOfTheOrg-012345678"), false, ORG, "ann");
    assert_facts(ANDROID(ORG, "ann", "S3CRETKEYOFTHEORG-0123456789"), false, ORG, "ann");
    assert_facts(PLIST("example.okta.com", HINT), true, "example.okta.com", "");
    assert_facts(PLIST("example.okta.com", HINT "x"), false, "example.okta.com", "");
    assert_facts(PLIST_HEAD STRING("managementHint", HINT) STRING("username", "ann")
                     STRING("Domain", "o") "<key>more</key><array><true/></array></dict></plist>",
                 true, "o", "ann");
    /* Settings of other kinds are not ours to judge. */
    assert_facts(ANDROID_HEAD
                 "{\"key\":\"x\",\"valueBool\":true}," PROPERTY("managementHint", HINT) "]}",
                 true, "", "");
}

static void test_binary_plist(void **state)
{
    plist_t root = plist_new_dict();
    char *bytes = NULL;
    uint32_t len = 0;
    dt_managed_facts f;
    dt_error e = {0};

    (void)state;
    plist_dict_set_item(root, "Domain", plist_new_string("example.okta.com"));
    plist_dict_set_item(root, "managementHint", plist_new_string(HINT));
    plist_to_bin(root, &bytes, &len);
    plist_free(root);
    assert_int_equal(dt_managed_config_read(dt_bytes_of(bytes, len), &hints, &f, &e), 0);
    assert_true(f.hint_matches);
    assert_string_equal(f.site, "example.okta.com");
    /* Cut anywhere: an error, or nothing that matches; never a crash. */
    for (uint32_t i = 0; i < len; i++) {
        if (dt_managed_config_read(dt_bytes_of(bytes, i), &hints, &f, &e) < 0)
            assert_false(f.hint_matches);
    }
    free(bytes);
}

static void test_what_is_refused(void **state)
{
    static struct {
        char const *text, *says;
    } const bad[] = {
        {"", "not JSON"},
        {"{}", "kind"},
        {"[]", "kind"},
        {"{\"kind\":\"androidenterprise#product\"}", "kind"},
        {"{\"kind\":\"androidenterprise#managedConfiguration\",\"managedProperty\":[]}",
         "productId"},
        {"{\"kind\":\"androidenterprise#managedConfiguration\",\"productId\":\"app:com.evil\","
         "\"managedProperty\":[]}",
         "productId"},
        {"{\"kind\":\"androidenterprise#managedConfiguration\","
         "\"productId\":\"app:com.okta.x\",\"managedProperty\":{}}",
         "managedProperty is not a list"},
        /* As guides print it. */
        {ANDROID_HEAD "{\"key\":\"siteName\",\"valueString\": https://example.okta.com}]}",
         "valueString has no quotes, which is not JSON"},
        {ANDROID_HEAD "{\"key\":\"siteName\",\"valueString\": 5}]}", "valueString is not a string"},
        {ANDROID_HEAD "{\"valueString\":\"x\"}]}", "has no key"},
        {ANDROID_HEAD PROPERTY("managementHint", HINT) "," PROPERTY("managementHint", "x") "]}",
         "managementHint occurs twice"},
        {ANDROID_HEAD PROPERTY("siteName", "a") "," PROPERTY("siteName", "b") "]}",
         "siteName occurs twice"},
        {ANDROID_HEAD PROPERTY("username", "") "]}", "username is empty"},
        {"{\"kind\":1,\"kind\":2}", "duplicate"},
        {PLIST_HEAD STRING("Domain", "") "</dict></plist>", "Domain is empty"},
        {PLIST_HEAD "<key>managementHint</key><true/></dict></plist>",
         "managementHint is not a string"},
        {"<?xml version=\"1.0\"?><plist version=\"1.0\"><array></array></plist>",
         "not a dictionary"},
        {"<?xml version=\"1.0\"?><plist version=\"1.0\"><dict><key>Domain</key>", "not a complete"},
        {"<?xml version=\"1.0\"?><!DOCTYPE plist [<!ENTITY x \"y\">]><plist><dict/></plist>",
         "entity"},
        {"bplist00", "truncated"},
    };
    dt_managed_facts f;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dt_error e = {0};

        memset(&f, 1, sizeof(f));
        assert_true(dt_managed_config_read(dt_bytes_str(bad[i].text), &hints, &f, &e) < 0);
        if (strstr(e.text, bad[i].says) == NULL)
            fail_msg("%zu: \"%s\" does not say \"%s\"", i, e.text, bad[i].says);
        assert_null(strstr(e.text, HINT));
        assert_false(f.hint_given || f.hint_matches);
        assert_string_equal(f.site, "");
    }
}

static void test_bounds(void **state)
{
    char site[DT_MANAGED_SITE_MAX + 1];
    char text[DT_MANAGED_SITE_MAX + 512];
    dt_managed_facts f;
    dt_error e = {0};
    dt_buf b;

    (void)state;
    memset(site, 'a', sizeof(site));
    site[DT_MANAGED_SITE_MAX] = '\0';
    snprintf(text, sizeof(text), ANDROID_HEAD PROPERTY("siteName", "%s") "]}", site);
    assert_int_equal(dt_managed_config_read(dt_bytes_str(text), &hints, &f, &e), DT_E_LIMIT);
    dt_buf_init(&b, 2 * DT_MANAGED_TEXT_MAX);
    dt_buf_puts(&b, PLIST_HEAD "<key>a</key>");
    for (int i = 0; i < DT_PLIST_DEPTH_MAX + 1; i++)
        dt_buf_puts(&b, "<array>");
    assert_int_equal(dt_managed_config_read(dt_buf_bytes(&b), &hints, &f, &e), DT_E_LIMIT);
    dt_buf_reset(&b);
    while (b.len <= DT_MANAGED_TEXT_MAX)
        dt_buf_putc(&b, ' ');
    assert_int_equal(dt_managed_config_read(dt_buf_bytes(&b), &hints, &f, &e), DT_E_LIMIT);
    dt_buf_reset(&b);
    dt_buf_puts(&b, ANDROID_HEAD PROPERTY("a", "b"));
    for (int i = 0; i < DT_MANAGED_PROPERTIES_MAX; i++)
        dt_buf_puts(&b, "," PROPERTY("a", "b"));
    dt_buf_puts(&b, "]}");
    assert_int_equal(dt_managed_config_read(dt_buf_bytes(&b), &hints, &f, &e), DT_E_LIMIT);
    dt_buf_free(&b);
}

/* A binary list that claims a million objects, or nests them a thousand deep. */
static void test_binary_bounds(void **state)
{
    uint8_t list[64] = "bplist00";
    dt_managed_facts f;
    dt_error e = {0};

    (void)state;
    list[sizeof(list) - 32 + 13] = 0x0f; /* 0x0f0000 objects */
    assert_int_equal(dt_managed_config_read(dt_bytes_of(list, sizeof(list)), &hints, &f, &e),
                     DT_E_LIMIT);
    assert_non_null(strstr(e.text, "objects"));
}

/* --- evidence ----------------------------------------------------------------------------------- */

static dt_evidence judge(dt_managed_result const *r, dt_error *why)
{
    char org[] = ORG;
    dt_config c = {.okta.org_url = org};
    dt_evidence e;

    dt_managed_evidence(r, &c, "ann", "ann@example.com", 5, &e, why);
    assert_int_equal(e.source, DT_SOURCE_MANAGEMENT_HINT);
    assert_string_equal(e.device_id.text, "");
    assert_string_equal(e.key_id, "");
    return e;
}

static void test_evidence(void **state)
{
    static struct {
        bool given, matches;
        char const *site, *user;
        dt_finding finding;
    } const cases[] = {
        {true, true, ORG, "", DT_FINDING_FOR},
        {true, true, ORG "/", "ann@example.com", DT_FINDING_FOR},
        {true, true, "EXAMPLE.okta.com", "ANN", DT_FINDING_FOR},
        {true, false, ORG, "", DT_FINDING_AGAINST},
        {false, true, ORG, "", DT_FINDING_AGAINST},
        {false, false, ORG, "", DT_FINDING_AGAINST},
        {true, true, "", "", DT_FINDING_AGAINST},
        {true, true, "/", "", DT_FINDING_AGAINST},
        {true, true, "https://", "", DT_FINDING_AGAINST},
        {true, true, "http://example.okta.com", "", DT_FINDING_AGAINST},
        {true, true, "https://other.okta.com", "", DT_FINDING_AGAINST},
        {true, true, "https://example.okta.com.evil.org", "", DT_FINDING_AGAINST},
        {true, true, "xexample.okta.com", "", DT_FINDING_AGAINST},
        {true, true, ORG, "bob", DT_FINDING_AGAINST},
        {true, true, ORG, "ann@example.org", DT_FINDING_AGAINST},
        {true, true, ORG, "an", DT_FINDING_AGAINST},
    };
    dt_error why = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        dt_managed_result r = {.status = DT_MANAGED_READ};
        dt_evidence e;

        r.facts.hint_given = cases[i].given;
        r.facts.hint_matches = cases[i].matches;
        assert_int_equal(dt_str_copy(r.facts.site, sizeof(r.facts.site), cases[i].site), 0);
        assert_int_equal(dt_str_copy(r.facts.username, sizeof(r.facts.username), cases[i].user), 0);
        e = judge(&r, &why);
        if (e.finding != cases[i].finding)
            fail_msg("case %zu: %d", i, (int)e.finding);
        if (e.finding == DT_FINDING_FOR) {
            assert_int_equal(e.assurance, DT_PROVED);
            assert_int_equal(e.platform, DT_PLATFORM_LINUX);
            assert_string_equal(why.text, "");
        } else {
            assert_int_equal(e.reason, DT_REASON_MANAGEMENT_HINT_MISMATCH);
            assert_true(why.text[0] != '\0');
        }
    }
}

static void test_evidence_of_no_file(void **state)
{
    static struct {
        dt_managed_status status;
        dt_finding finding;
        dt_reason reason;
    } const cases[] = {
        {DT_MANAGED_UNREADABLE, DT_FINDING_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE},
        {DT_MANAGED_REFUSED, DT_FINDING_AGAINST, DT_REASON_MANAGEMENT_HINT_MISMATCH},
        {DT_MANAGED_ABSENT, DT_FINDING_AGAINST, DT_REASON_NOT_MANAGED},
        {(dt_managed_status)77, DT_FINDING_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        /* Facts that would do, which nobody read. */
        dt_managed_result r = {.status = cases[i].status,
                               .facts = {.hint_given = true, .hint_matches = true, .site = ORG},
                               .text = "because"};
        dt_error why = {0};
        dt_evidence e = judge(&r, &why);

        assert_int_equal(e.finding, cases[i].finding);
        assert_int_equal(e.reason, cases[i].reason);
        assert_string_equal(why.text, "because");
    }
}

/* --- the file ----------------------------------------------------------------------------------- */

typedef struct place {
    char directory[64], path[96];
    dt_managed_file *file;
} place;

static void write_file(place const *p, char const *text, mode_t mode)
{
    FILE *f;

    (void)unlink(p->path);
    f = fopen(p->path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(p->path, mode), 0);
}

static void open_place(place *p)
{
    strcpy(p->directory, "/tmp/devtrust-managed-XXXXXX");
    assert_non_null(mkdtemp(p->directory));
    snprintf(p->path, sizeof(p->path), "%s/managed.json", p->directory);
    assert_int_equal(dt_managed_file_new(p->path, &hints, &p->file), 0);
}

static void close_place(place *p)
{
    dt_managed_file_free(&p->file);
    assert_null(p->file);
    (void)unlink(p->path);
    assert_int_equal(rmdir(p->directory), 0);
}

static dt_managed_status status_now(place *p, dt_managed_result *r)
{
    memset(r, 7, sizeof(*r));
    dt_managed_file_read(p->file, r);
    return r->status;
}

static void test_file_changes(void **state)
{
    place p;
    dt_managed_result r;

    (void)state;
    if (getuid() != 0)
        skip(); /* the file has to be root's */
    open_place(&p);
    assert_int_equal(status_now(&p, &r), DT_MANAGED_ABSENT);
    assert_non_null(strstr(r.text, p.path));
    write_file(&p, ANDROID(ORG, "ann", HINT), 0600);
    assert_int_equal(status_now(&p, &r), DT_MANAGED_READ);
    assert_true(r.facts.hint_matches);
    write_file(&p, ANDROID(ORG, "ann", "notTheSecretKeyAtAll1"), 0600);
    assert_int_equal(status_now(&p, &r), DT_MANAGED_READ);
    assert_false(r.facts.hint_matches);
    write_file(&p, "{", 0600);
    assert_int_equal(status_now(&p, &r), DT_MANAGED_REFUSED);
    assert_false(r.facts.hint_given);
    write_file(&p, ANDROID(ORG, "ann", HINT), 0600);
    assert_int_equal(status_now(&p, &r), DT_MANAGED_READ);
    assert_int_equal(unlink(p.path), 0);
    assert_int_equal(status_now(&p, &r), DT_MANAGED_ABSENT);
    close_place(&p);
    dt_managed_file_read(NULL, &r);
    assert_int_equal(r.status, DT_MANAGED_ABSENT);
}

static void test_file_rights(void **state)
{
    static mode_t const bad[] = {0644, 0622, 0660, 0640 | S_IWOTH};
    place p;
    dt_managed_result r;

    (void)state;
    if (getuid() != 0)
        skip();
    open_place(&p);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file(&p, ANDROID(ORG, "ann", HINT), bad[i]);
        assert_int_equal(status_now(&p, &r), DT_MANAGED_REFUSED);
        assert_false(r.facts.hint_matches);
    }
    /* A change of rights alone is seen, although the text stays as it is. */
    write_file(&p, ANDROID(ORG, "ann", HINT), 0600);
    assert_int_equal(status_now(&p, &r), DT_MANAGED_READ);
    assert_int_equal(chmod(p.path, 0644), 0);
    assert_int_equal(status_now(&p, &r), DT_MANAGED_REFUSED);
    assert_int_equal(chmod(p.path, 0600), 0);
    assert_int_equal(chown(p.path, 65534, 0), 0);
    assert_int_equal(status_now(&p, &r), DT_MANAGED_REFUSED);
    assert_non_null(strstr(r.text, "root"));
    close_place(&p);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(test_hints),        cmocka_unit_test(test_both_forms),
        cmocka_unit_test(test_binary_plist), cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_bounds),       cmocka_unit_test(test_binary_bounds),
        cmocka_unit_test(test_evidence),     cmocka_unit_test(test_evidence_of_no_file),
        cmocka_unit_test(test_file_changes), cmocka_unit_test(test_file_rights),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
