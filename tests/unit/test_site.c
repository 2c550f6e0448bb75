/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole site from files: what it holds once it is loaded, and every way in which one of its files
 * can be missing, broken, or in somebody else's hands. Each refusal names the file. */
#include "edge/site.h"
#include "edge/site_watch.h"
#include "pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/crypto.h"

#define KEY_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define TOKEN "00QnG8aXk-example_token.0123456789~abcdefgh"
#define ZONES                                                                                      \
    "{\"zones\":[{\"name\":\"Office\",\"type\":\"IP\",\"status\":\"ACTIVE\","                      \
    "\"gateways\":[{\"type\":\"CIDR\",\"value\":\"192.0.2.0/24\"}]}]}"
#define RULE(priority, conditions)                                                                 \
    "{\"name\":\"r" #priority "\",\"priority\":" #priority ",\"status\":\"ACTIVE\","               \
    "\"conditions\":" conditions ",\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}"
#define POLICY(application)                                                                        \
    "{\"name\":\"n\",\"application\":\"" application "\",\"rules\":[" RULE(1, "{}") "]}"
#define POLICY_WITH_ZONE                                                                           \
    "{\"name\":\"n\",\"application\":\"vpn\",\"rules\":[" RULE(                                    \
        1, "{\"network\":{\"connection\":\"ZONE\",\"include\":[\"Office\"]}}") "," RULE(2,         \
                                                                                        "{}") "]}"

/* Linked with --wrap: our own allocations, of which one may be made to fail. */
static int g_fail_at; /* 1 = the next; 0 = none */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(char const *s);
char *__wrap_strdup(char const *s);

static bool fails_now(void)
{
    return g_fail_at > 0 && --g_fail_at == 0;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(char const *s)
{
    return fails_now() ? NULL : __real_strdup(s);
}

static char g_dir[64];
static char g_ca[8192];   /* a CA certificate, PEM */
static char g_leaf[8192]; /* a certificate that is no CA */

static char const *path_of(char const *name)
{
    static char path[PATH_MAX];

    assert_true(snprintf(path, sizeof(path), "%s/%s", g_dir, name) < (int)sizeof(path));
    return path;
}

static void put_bytes(char const *name, void const *p, size_t len, mode_t mode)
{
    FILE *f = fopen(path_of(name), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path_of(name), mode), 0);
}

static void put(char const *name, char const *text, mode_t mode)
{
    put_bytes(name, text, strlen(text), mode);
}

/* devtrust.conf with all paths given and lines of one's own at its end. */
static void put_config(char const *more)
{
    char text[8192];

    snprintf(text, sizeof(text),
             "[okta]\n"
             "org_url = https://example.okta.com\n"
             "api_token_file = %s/okta.token\n"
             "[store]\n"
             "state_key_file = %s/state.key\n"
             "[policy]\n"
             "directory = %s/policies\n"
             "zones_file = %s/zones.json\n"
             "[device_trust]\n"
             "trusted_when = certificate\n"
             "ca_file = %s/ca.pem\n%s",
             g_dir, g_dir, g_dir, g_dir, g_dir, more);
    put("devtrust.conf", text, 0644);
}

static void make_certificates(void)
{
    cert_spec spec = {.cn = "test CA",
                      .key = cert_key("P-256"),
                      .extensions = {{"basicConstraints", "critical,CA:TRUE"},
                                     {"keyUsage", "critical,keyCertSign"},
                                     {"subjectKeyIdentifier", "hash"}}};
    cert_spec leaf = {
        .cn = "no CA", .key = spec.key, .extensions = {{"basicConstraints", "critical,CA:FALSE"}}};
    X509 *x = cert_make(&spec);
    X509 *y = cert_make(&leaf);
    dt_buf b;

    dt_buf_init_fixed(&b, g_ca, sizeof(g_ca));
    cert_pem(x, &b);
    assert_int_equal(dt_buf_error(&b), DT_OK);
    dt_buf_init_fixed(&b, g_leaf, sizeof(g_leaf));
    cert_pem(y, &b);
    assert_int_equal(dt_buf_error(&b), DT_OK);
    X509_free(x);
    X509_free(y);
    EVP_PKEY_free(spec.key);
}

static int group_setup(void **state)
{
    (void)state;
    umask(022);
    make_certificates();
    return 0;
}

static int setup(void **state)
{
    (void)state;
    strcpy(g_dir, "/tmp/dt-test-site-XXXXXX");
    if (mkdtemp(g_dir) == NULL || mkdir(path_of("policies"), 0755) != 0)
        return -1;
    put_config("");
    put("okta.token", TOKEN "\n", 0600);
    put("state.key", KEY_HEX "\n", 0600);
    put("zones.json", ZONES, 0644);
    put("ca.pem", g_ca, 0644);
    put("policies/vpn.json", POLICY_WITH_ZONE, 0644);
    put("policies/sshd.json", POLICY("sshd"), 0644);
    return 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", g_dir);
    return system(command);
}

static dt_site *load(void)
{
    dt_site *f = NULL;
    dt_error e = {0};

    if (dt_site_load(path_of("devtrust.conf"), &f, &e) < 0)
        fail_msg("refused: %s", e.text);
    assert_non_null(f);
    return f;
}

static void expect_refusal(int wanted, char const *key, char const *file, char const *what)
{
    dt_site *f = (void *)1;
    dt_error e = {0};
    int error = dt_site_load(path_of("devtrust.conf"), &f, &e);

    if (error != wanted || strstr(e.text, key) == NULL || strstr(e.text, file) == NULL ||
        strstr(e.text, what) == NULL)
        fail_msg("wanted %s \"%s ... %s ... %s\", got %s \"%s\"", dt_err_name(wanted), key, file,
                 what, dt_err_name(error), e.text);
    assert_int_equal(e.code, wanted);
    assert_null(f);
    assert_null(strstr(e.text, "example_token"));
    assert_int_equal(dt_site_load(path_of("devtrust.conf"), &f, NULL), wanted);
}

/* --- what is loaded ---------------------------------------------------------------------------- */

static void everything_is_there(void **state)
{
    dt_site *f = load();
    uint8_t key[DT_AEAD_KEY_LEN];
    uint8_t digest[DT_SHA256_LEN];
    char hash[65];
    dt_ruleset ruleset = dt_site_ruleset(f, "vpn");

    (void)state;
    assert_string_equal(dt_site_config(f)->okta.org_url, "https://example.okta.com");
    assert_int_equal(dt_trust_store_size(dt_site_anchors(f)), 1);
    assert_int_equal(dt_site_policy_count(f), 2);
    assert_string_equal(dt_policy_application(dt_site_policy_at(f, 0)), "sshd");
    assert_string_equal(dt_policy_application(dt_site_policy_at(f, 1)), "vpn");
    assert_null(dt_site_policy_at(f, 2));
    assert_ptr_equal(ruleset.policy, dt_site_policy_at(f, 1));
    assert_ptr_equal(ruleset.config, dt_site_config(f));
    assert_ptr_equal(ruleset.anchors, dt_site_anchors(f));
    assert_null(dt_site_ruleset(f, "wifi").policy);
    assert_null(dt_site_policy(f, "VPN"));
    assert_null(dt_site_policy(f, ""));
    assert_null(dt_site_policy(f, NULL));
    assert_int_equal(dt_crypto_sha256(dt_bytes_str(POLICY_WITH_ZONE), digest), DT_OK);
    dt_hex(hash, digest, sizeof(digest));
    assert_string_equal(dt_policy_hash(ruleset.policy), hash);
    assert_true(dt_secret_equal(dt_site_okta_token(f), dt_bytes_str(TOKEN)));
    for (int i = 0; i < DT_AEAD_KEY_LEN; i++)
        key[i] = (uint8_t)i;
    assert_true(dt_secret_equal(dt_site_state_key(f), dt_bytes_of(key, sizeof(key))));
    dt_site_free(&f);
    assert_null(f);
    dt_site_free(&f);
}

/* One file for both doors: FreeRADIUS has what [radius] names, everybody else what the other sections do. */
static void radius_has_its_own(void **state)
{
    char more[1024];
    dt_site *f;

    (void)state;
    snprintf(more, sizeof(more),
             "[radius]\nstore_path = %s/radius.db\naudit_file = %s/radius.log\n"
             "state_key_file = %s/radius.key\n",
             g_dir, g_dir, g_dir);
    put_config(more);
    f = load();
    assert_null(strstr(dt_site_config(f)->store.path, "radius"));
    assert_null(strstr(dt_site_config(f)->audit.file, "radius"));
    dt_site_free(&f);
    dt_site_set_door(DT_SITE_DOOR_RADIUS);
    /* The key is needed now, and the error names the line that gave it. */
    expect_refusal(DT_E_NOT_FOUND, "devtrust.conf:15: [store] state_key_file", "radius.key", "");
    put("radius.key", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n", 0600);
    f = load();
    assert_non_null(strstr(dt_site_config(f)->store.path, "/radius.db"));
    assert_non_null(strstr(dt_site_config(f)->audit.file, "/radius.log"));
    assert_non_null(dt_site_state_key(f));
    dt_site_free(&f);
    /* What [radius] does not give is as elsewhere. */
    put_config("[radius]\nstore_path = /radius.db\n");
    f = load();
    assert_string_equal(dt_site_config(f)->store.path, "/radius.db");
    assert_non_null(strstr(dt_site_config(f)->audit.file, "audit.log"));
    dt_site_free(&f);
    dt_site_set_door(DT_SITE_DOOR_PAM);
}

static void state_key_as_bytes(void **state)
{
    uint8_t key[DT_AEAD_KEY_LEN];
    dt_site *f;

    (void)state;
    for (int i = 0; i < DT_AEAD_KEY_LEN; i++)
        key[i] = (uint8_t)(i * 7 + 10); /* starts with a newline, which is a byte like any other */
    put_bytes("state.key", key, sizeof(key), 0400);
    f = load();
    assert_true(dt_secret_equal(dt_site_state_key(f), dt_bytes_of(key, sizeof(key))));
    dt_site_free(&f);
}

/* A file that became readable or was changed later changes nothing. */
static void secrets_are_read_at_once(void **state)
{
    dt_site *f = load();

    (void)state;
    put("okta.token", "another-token-0123456789", 0666);
    assert_true(dt_secret_equal(dt_site_okta_token(f), dt_bytes_str(TOKEN)));
    dt_site_free(&f);
}

static void other_files_in_the_directory(void **state)
{
    static char const *const names[] = {
        "policies/policy.schema.json", "policies/vpn.json~",      "policies/.vpn.json.swp",
        "policies/.hidden.json",       "policies/README",         "policies/.json",
        "policies/vpn.json.dpkg-old",  "policies/vpn.cases.json", "policies/vpn.properties.json",
    };
    dt_site *f;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        put(names[i], "not a policy", 0666);
    f = load();
    assert_int_equal(dt_site_policy_count(f), 2);
    dt_site_free(&f);
}

/* --- what is refused --------------------------------------------------------------------------- */

static void bad_config(void **state)
{
    (void)state;
    put_config("nonsense = 1\n");
    expect_refusal(DT_E_INVALID, "devtrust.conf:12: [device_trust] nonsense", "devtrust.conf",
                   "unknown key");
    put_config("host_key_file = /k\n");
    expect_refusal(DT_E_INVALID, "[device_trust] host_certificate_file", "devtrust.conf",
                   "missing");
    put_config("");
    chmod(path_of("devtrust.conf"), 0666);
    expect_refusal(DT_E_PERMISSION, "devtrust.conf", "devtrust.conf", "written by others");
    unlink(path_of("devtrust.conf"));
    expect_refusal(DT_E_NOT_FOUND, "devtrust.conf", "devtrust.conf", "does not exist");
}

static void config_too_large(void **state)
{
    char *text = malloc(DT_CONFIG_FILE_MAX + 2);

    (void)state;
    assert_non_null(text);
    memset(text, '\n', DT_CONFIG_FILE_MAX + 1);
    put_bytes("devtrust.conf", text, DT_CONFIG_FILE_MAX + 1, 0644);
    expect_refusal(DT_E_LIMIT, "devtrust.conf", "devtrust.conf", "larger than");
    free(text);
}

static void bad_certificates(void **state)
{
    static struct {
        char const *text;
        char const *what;
    } const rows[] = {
        {"", "ca.pem"},
        {"not PEM\n", "ca.pem"},
        {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ca.pem"},
        {"-----BEGIN CERTIFICATE-----\n", "ca.pem"},
        {g_leaf, "ca.pem"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_site *f = NULL;
        dt_error e = {0};
        put("ca.pem", rows[i].text, 0644);
        assert_true(dt_site_load(path_of("devtrust.conf"), &f, &e) < 0);
        assert_null(f);
        assert_non_null(strstr(e.text, "devtrust.conf:11: [device_trust] ca_file: "));
        assert_non_null(strstr(e.text, "ca.pem"));
    }
    put("ca.pem", g_ca, 0664);
    expect_refusal(DT_E_PERMISSION, "[device_trust] ca_file", "ca.pem", "written by others");
    unlink(path_of("ca.pem"));
    expect_refusal(DT_E_NOT_FOUND, "[device_trust] ca_file", "ca.pem", "does not exist");
}

static void bad_zones(void **state)
{
    (void)state;
    put("zones.json", "{\"zones\":", 0644);
    expect_refusal(DT_E_PARSE, "devtrust.conf:8: [policy] zones_file", "zones.json", "zones.json");
    put("zones.json", "{\"zones\":[{}]}", 0644);
    expect_refusal(DT_E_INVALID, "[policy] zones_file", "zones.json", "/zones/0");
    put("zones.json", ZONES, 0646);
    expect_refusal(DT_E_PERMISSION, "[policy] zones_file", "zones.json", "written by others");
    /* It is named, so it must be there. */
    unlink(path_of("zones.json"));
    expect_refusal(DT_E_NOT_FOUND, "[policy] zones_file", "zones.json", "does not exist");
}

static void bad_policies(void **state)
{
    (void)state;
    put("policies/wifi.json", POLICY("vpn"), 0644);
    expect_refusal(DT_E_INVALID, "devtrust.conf:7: [policy] directory", "wifi.json",
                   "/application: is \"vpn\"");
    put("policies/wifi.json", POLICY("wif"), 0644);
    expect_refusal(DT_E_INVALID, "[policy] directory", "wifi.json", "\"wif\"");
    put("policies/wifi.json", POLICY("wifi5"), 0644);
    expect_refusal(DT_E_INVALID, "[policy] directory", "wifi.json", "\"wifi5\"");
    put("policies/wifi.json", "", 0644);
    expect_refusal(DT_E_PARSE, "[policy] directory", "wifi.json", "wifi.json");
    put("policies/wifi.json", POLICY("wifi") "x", 0644);
    expect_refusal(DT_E_PARSE, "[policy] directory", "wifi.json", "wifi.json");
    put("policies/wifi.json", "{\"name\":\"n\",\"application\":\"wifi\",\"rules\":[]}", 0644);
    expect_refusal(DT_E_INVALID, "[policy] directory", "wifi.json", "/rules");
    put("policies/wifi.json", POLICY("wifi"), 0666);
    expect_refusal(DT_E_PERMISSION, "[policy] directory", "wifi.json", "written by others");
    unlink(path_of("policies/wifi.json"));
    assert_int_equal(symlink("vpn.json", path_of("policies/wifi.json")), 0);
    expect_refusal(DT_E_PERMISSION, "[policy] directory", "wifi.json", "symbolic link");
    unlink(path_of("policies/wifi.json"));
    assert_int_equal(mkdir(path_of("policies/wifi.json"), 0755), 0);
    expect_refusal(DT_E_PERMISSION, "[policy] directory", "wifi.json", "not a regular file");
    rmdir(path_of("policies/wifi.json"));
    /* A zone that the zones file does not define. */
    put("zones.json", "{\"zones\":[]}", 0644);
    expect_refusal(DT_E_INVALID, "[policy] directory", "vpn.json", "Office");
}

static void bad_policy_directory(void **state)
{
    char command[PATH_MAX + 32];

    (void)state;
    chmod(path_of("policies"), 0777);
    expect_refusal(DT_E_PERMISSION, "[policy] directory", "policies", "written by others");
    chmod(path_of("policies"), 0755);
    unlink(path_of("policies/vpn.json"));
    unlink(path_of("policies/sshd.json"));
    expect_refusal(DT_E_NOT_FOUND, "[policy] directory", "policies", "contains no policy");
    snprintf(command, sizeof(command), "rm -rf '%s'", path_of("policies"));
    assert_int_equal(system(command), 0);
    expect_refusal(DT_E_NOT_FOUND, "[policy] directory", "policies", "No such file");
}

#define NAMES(where, name)                                                                         \
    "{\"name\":\"wifi\",\"application\":\"wifi\",\"rules\":[{\"name\":\"r1\",\"priority\":1,"      \
    "\"status\":\"ACTIVE\",\"conditions\":{\"people\":{\"users\":{\"" where "\":[\"" name          \
    "\"]}}},\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}},{\"name\":\"l\",\"priority\":2,"    \
    "\"status\":\"ACTIVE\",\"conditions\":{},\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}"

/* A rule that denies somebody as nobody is called would deny nobody. */
static void rules_that_call_nobody(void **state)
{
    static char const *const bad[] = {
        NAMES("include", "EXAMPLE\\\\mallory"), NAMES("exclude", "EXAMPLE\\\\mallory"),
        NAMES("include", "mallory@corp.example"), NAMES("exclude", "Mallory@CORP.example")};
    static char const *const good[] = {
        NAMES("include", "mallory"), NAMES("include", "mallory@example.com"),
        NAMES("include", "Mallory@EXAMPLE.com"), NAMES("include", "bob@elsewhere.example"),
        NAMES("include", "*@corp.example")};
    dt_site *f = NULL;
    dt_error e = {0};

    (void)state;
    put_config("[user_name]\nlogin_suffix = @example.com\nrealms = corp.example -> @example.com\n");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put("policies/wifi.json", bad[i], 0644);
        expect_refusal(DT_E_INVALID, "policy \"wifi\"", "rule \"r1\"", "cannot be a user name");
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        put("policies/wifi.json", good[i], 0644);
        if (dt_site_load(path_of("devtrust.conf"), &f, &e) < 0)
            fail_msg("%s", e.text);
        dt_site_free(&f);
    }
}

/* The table of names is checked like every other file, and its errors name the line. */
static void bad_tables_of_names(void **state)
{
    char more[600];
    dt_identity id;
    dt_site *f = NULL;
    dt_error e = {0};

    (void)state;
    snprintf(more, sizeof(more), "[user_name]\nlogin_suffix = @example.com\ntable_file = %s\n",
             path_of("names"));
    put_config(more);
    expect_refusal(DT_E_NOT_FOUND, "[user_name] table_file", "names", "does not exist");
    put("names", "asmith -> anna.smith@example.com\n", 0666);
    expect_refusal(DT_E_PERMISSION, "[user_name] table_file", "names", "written by others");
    put("names", "# x\nasmith -> anna.smith@example.com\nnonsense\n", 0644);
    expect_refusal(DT_E_INVALID, "[user_name] table_file", "names:3: ", "has no \"->\"");
    put("names", "a -> a@example.com\nb -> b@example.com\nA -> c@example.com\n", 0644);
    expect_refusal(DT_E_INVALID, "[user_name] table_file", "names:3: ", "already in line 1");
    unlink(path_of("names"));
    assert_int_equal(symlink("devtrust.conf", path_of("names")), 0);
    expect_refusal(DT_E_PERMISSION, "[user_name] table_file", "names", "link");
    unlink(path_of("names"));
    put("names", "asmith -> anna.smith@example.com\n", 0644);
    if (dt_site_load(path_of("devtrust.conf"), &f, &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(dt_site_identity(f, "ASmith", &id, &e), DT_OK);
    assert_string_equal(id.login, "anna.smith@example.com");
    assert_ptr_equal(dt_site_ruleset(f, "vpn").user_table != NULL, true);
    dt_site_free(&f);
}

static void too_many_policies(void **state)
{
    (void)state;
    for (int i = 0; i < DT_SITE_POLICIES_MAX - 1; i++) {
        char name[64];
        char text[1024];
        snprintf(name, sizeof(name), "policies/a%d.json", i);
        snprintf(text, sizeof(text),
                 "{\"name\":\"n\",\"application\":\"a%d\",\"rules\":[" RULE(1, "{}") "]}", i);
        put(name, text, 0644);
    }
    expect_refusal(DT_E_LIMIT, "[policy] directory", "policies", "more than 256");
    unlink(path_of("policies/a0.json"));
    dt_site *f = load();
    assert_int_equal(dt_site_policy_count(f), DT_SITE_POLICIES_MAX);
    dt_site_free(&f);
}

static void bad_tokens(void **state)
{
    static char const *const tokens[] = {
        "SSWS " TOKEN,    "\"" TOKEN "\"", TOKEN " ",
        " " TOKEN,        TOKEN "\n\n",    TOKEN "\r\nX-Evil: 1",
        TOKEN "\nSecond", "short",         "tok\xc3\xa4n-0123456789",
    };
    char token[2000];

    (void)state;
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        put("okta.token", tokens[i], 0600);
        expect_refusal(DT_E_INVALID, "devtrust.conf:3: [okta] api_token_file", "okta.token",
                       "Okta API token");
    }
    put_bytes("okta.token", TOKEN "\0x", sizeof(TOKEN) + 1, 0600);
    expect_refusal(DT_E_INVALID, "[okta] api_token_file", "okta.token", "Okta API token");
    memset(token, 't', sizeof(token));
    put_bytes("okta.token", token, sizeof(token), 0600);
    expect_refusal(DT_E_INVALID, "[okta] api_token_file", "okta.token", "Okta API token");
    put("okta.token", "", 0600);
    expect_refusal(DT_E_INVALID, "[okta] api_token_file", "okta.token", "is empty");
    put("okta.token", TOKEN, 0644);
    expect_refusal(DT_E_PERMISSION, "[okta] api_token_file", "okta.token", "; run: ch");
    unlink(path_of("okta.token"));
    expect_refusal(DT_E_NOT_FOUND, "[okta] api_token_file", "okta.token", "does not exist");
}

static void bad_state_keys(void **state)
{
    static char const *const keys[] = {
        "0",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1",   /* 63 digits */
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0", /* 65 */
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g",  /* not hex */
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\n",
        "0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0101010101010101010101010101010101010101010101010101010101010101",
        "abcabcabcabcabcabcabcabcabcabcab",  /* 32 bytes, none of them random */
        "abcdefghabcdefghabcdefghabcdefghi", /* 33 bytes */
    };
    uint8_t zero[DT_AEAD_KEY_LEN] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        put("state.key", keys[i], 0600);
        expect_refusal(DT_E_INVALID, "devtrust.conf:5: [store] state_key_file", "state.key",
                       "32 random bytes");
    }
    put_bytes("state.key", zero, sizeof(zero), 0600);
    expect_refusal(DT_E_INVALID, "[store] state_key_file", "state.key", "32 random bytes");
    put("state.key", "", 0600);
    expect_refusal(DT_E_INVALID, "[store] state_key_file", "state.key", "is empty");
    put("state.key", KEY_HEX, 0604);
    expect_refusal(DT_E_PERMISSION, "[store] state_key_file", "state.key", "; run: ch");
    unlink(path_of("state.key"));
    expect_refusal(DT_E_NOT_FOUND, "[store] state_key_file", "state.key", "does not exist");
}

/* The files of the defaults may be missing; that only tells where no devtrust is installed. */
static void missing_at_their_default(void **state)
{
    char text[2048];
    dt_site *f;

    (void)state;
    if (access("/etc/devtrust", F_OK) == 0)
        skip();
    put("policies/vpn.json", POLICY("vpn"), 0644);
    snprintf(text, sizeof(text),
             "[okta]\norg_url = https://example.okta.com\napi_token_file = %s/okta.token\n"
             "[policy]\ndirectory = %s/policies\n"
             "[device_trust]\ntrusted_when = vpn-client\n",
             g_dir, g_dir);
    put("devtrust.conf", text, 0644);
    f = load();
    assert_null(dt_site_state_key(f));
    assert_int_equal(dt_trust_store_size(dt_site_anchors(f)), 0);
    dt_site_free(&f);
    /* A policy that names a zone does not load then. */
    put("policies/vpn.json", POLICY_WITH_ZONE, 0644);
    expect_refusal(DT_E_INVALID, "[policy] directory", "vpn.json", "Office");
    /* The token has no such exception. */
    put("policies/vpn.json", POLICY("vpn"), 0644);
    snprintf(text, sizeof(text),
             "[okta]\norg_url = https://example.okta.com\n[policy]\ndirectory = %s/policies\n"
             "[device_trust]\ntrusted_when = vpn-client\n",
             g_dir);
    put("devtrust.conf", text, 0644);
    expect_refusal(DT_E_NOT_FOUND, "[okta] api_token_file", "/etc/devtrust", "does not exist");
}

/* What an application has otherwise reaches its sign-ons, and only those, also after a reload. */
static void applications_have_their_own(void **state)
{
    dt_site *f;
    dt_buf names;

    (void)state;
    put("policies/vpn.json", POLICY("vpn"), 0644);
    put("policies/wifi.json", POLICY("wifi"), 0644);
    put_config("[application vpn]\nplatforms = linux\ntrusted_when = vpn-client\n");
    f = load();
    dt_buf_init(&names, 1024);
    for (int i = 0; i < 2; i++) {
        dt_config const *vpn = dt_site_ruleset(f, "vpn").config;
        dt_config const *wifi = dt_site_ruleset(f, "wifi").config;
        assert_int_equal(vpn->device_trust.platforms, DT_PLATFORM_LINUX);
        assert_int_equal(vpn->device_trust.trusted_when[0], DT_SOURCE_VPN_CLIENT);
        assert_int_equal(wifi->device_trust.trusted_when[0], DT_SOURCE_CERTIFICATE);
        assert_ptr_equal(wifi, dt_site_config(f));
        assert_ptr_equal(dt_site_ruleset(f, NULL).config, dt_site_config(f));
        assert_ptr_equal(vpn->store.path, dt_site_config(f)->store.path);
        /* The second time with a path that a reload keeps: the former is freed then. */
        dt_config *old = NULL;
        assert_int_equal(dt_config_new(&old, NULL), DT_OK);
        assert_int_equal(dt_config_set(old, "f", 1, "store", "path", "/old", NULL), DT_OK);
        assert_int_equal(dt_site_keep_fixed(f, old, &names), DT_OK);
        dt_config_free(&old);
    }
    assert_string_equal(dt_site_ruleset(f, "vpn").config->store.path, "/old");
    dt_buf_free(&names);
    dt_site_free(&f);
    /* Not of a misspelled one. */
    put_config("[application vpnn]\ntrust_in_grace_period = yes\n");
    expect_refusal(DT_E_NOT_FOUND, "[application vpnn]", "no policy", "policies");
    put_config("");
    (void)unlink(path_of("policies/wifi.json"));
}

/* The files of [ca NAME] are loaded, watched and blamed as those of other sections. */
static void cas_have_their_own(void **state)
{
    char more[512];
    dt_site *f;
    dt_site_mark before, after;

    (void)state;
    put("policies/vpn.json", POLICY("vpn"), 0644);
    put("own.pem", g_leaf, 0644);
    snprintf(more, sizeof(more), "[ca own]\ncertificate_file = %s/own.pem\n", g_dir);
    put_config(more);
    expect_refusal(DT_E_INVALID, ":13: [ca own] certificate_file", "own.pem", "not a CA");
    put("own.pem", g_ca, 0644);
    expect_refusal(DT_E_INVALID, ":13: [ca own] certificate_file", "own.pem", "already");
    put("own.pem", "", 0644);
    expect_refusal(DT_E_PARSE, ":13: [ca own] certificate_file", "own.pem", "");
    (void)unlink(path_of("own.pem"));
    expect_refusal(DT_E_NOT_FOUND, ":13: [ca own] certificate_file", "own.pem", "does not exist");
    put("own.pem", g_ca, 0666);
    expect_refusal(DT_E_PERMISSION, ":13: [ca own] certificate_file", "own.pem", "");
    /* Alone it is good. */
    put("own.pem", g_ca, 0644);
    put("ca.pem", g_ca, 0644);
    char text[2048];
    snprintf(text, sizeof(text),
             "[okta]\norg_url = https://example.okta.com\napi_token_file = %s/okta.token\n"
             "[policy]\ndirectory = %s/policies\nzones_file = %s/zones.json\n"
             "[store]\nstate_key_file = %s/state.key\n"
             "[device_trust]\ntrusted_when = certificate\n%s",
             g_dir, g_dir, g_dir, g_dir, more);
    put("devtrust.conf", text, 0644);
    f = load();
    assert_int_equal(dt_trust_store_size(dt_site_anchors(f)), 1);
    assert_int_equal(dt_site_mark_content(path_of("devtrust.conf"), dt_site_config(f), &before),
                     DT_OK);
    put("own.pem", g_leaf, 0644);
    assert_int_equal(dt_site_mark_content(path_of("devtrust.conf"), dt_site_config(f), &after),
                     DT_OK);
    assert_false(dt_site_mark_equal(&before, &after));
    dt_site_free(&f);
    put_config("");
}

/* Each allocation in turn gives out: nothing is half-loaded, and an error says so. */
static void memory_gives_out(void **state)
{
    int failures = 0;

    (void)state;
    put_config("[application vpn]\nplatforms = all\n");
    for (int n = 1;; n++) {
        dt_site *f = NULL;
        dt_error e = {0};
        int error;
        g_fail_at = n;
        error = dt_site_load(path_of("devtrust.conf"), &f, &e);
        if (g_fail_at > 0) { /* all of them were granted */
            g_fail_at = 0;
            assert_int_equal(error, DT_OK);
            dt_site_free(&f);
            break;
        }
        if (error == DT_OK) { /* one that can be done without, as in asking for a user's name */
            dt_site_free(&f);
            continue;
        }
        assert_null(f);
        assert_int_equal(e.code, error);
        assert_true(strlen(e.text) > 0);
        failures++;
    }
    assert_true(failures > 50);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    struct CMUnitTest const tests[] = {
        TEST(everything_is_there),
        TEST(radius_has_its_own),
        TEST(state_key_as_bytes),
        TEST(secrets_are_read_at_once),
        TEST(other_files_in_the_directory),
        TEST(bad_config),
        TEST(config_too_large),
        TEST(bad_certificates),
        TEST(bad_zones),
        TEST(bad_policies),
        TEST(rules_that_call_nobody),
        TEST(bad_tables_of_names),
        TEST(bad_policy_directory),
        TEST(too_many_policies),
        TEST(bad_tokens),
        TEST(bad_state_keys),
        TEST(missing_at_their_default),
        TEST(applications_have_their_own),
        TEST(cas_have_their_own),
        TEST(memory_gives_out),
    };

    return cmocka_run_group_tests(tests, group_setup, NULL);
}
