/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSH_AUTH_INFO_0: keys as ssh-keygen writes them, and everything that only looks like it. */
#include "core/base/crypto.h"
#include "core/device/ssh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What ssh-keygen made for this run: the first two words of each .pub file. */
enum { RSA, P256, P521, ED25519, CERTIFICATE, KEYS };
static char g_key[KEYS][4096];
static char g_dir[] = "/tmp/dt-test-ssh-XXXXXX";

static void run(char const *fmt, ...)
{
    char command[1024];
    va_list args;
    va_start(args, fmt);
    assert_true(vsnprintf(command, sizeof(command), fmt, args) < (int)sizeof(command));
    va_end(args);
    assert_int_equal(system(command), 0);
}

static void read_public(char const *name, char out[4096])
{
    char path[PATH_MAX], type[128], blob[3900];
    assert_true(snprintf(path, sizeof(path), "%s/%s", g_dir, name) < PATH_MAX);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%127s %3899s", type, blob), 2);
    fclose(f);
    assert_true(snprintf(out, 4096, "%s %s", type, blob) < 4096);
}

static int make_keys(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(g_dir));
    run("ssh-keygen -q -t rsa -b 2048 -N '' -f %s/rsa", g_dir);
    run("ssh-keygen -q -t ecdsa -b 256 -N '' -f %s/p256", g_dir);
    run("ssh-keygen -q -t ecdsa -b 521 -N '' -f %s/p521", g_dir);
    run("ssh-keygen -q -t ed25519 -N '' -f %s/ed25519", g_dir);
    run("ssh-keygen -q -s %s/ed25519 -I laptop -n alice %s/p256.pub", g_dir, g_dir);
    read_public("rsa.pub", g_key[RSA]);
    read_public("p256.pub", g_key[P256]);
    read_public("p521.pub", g_key[P521]);
    read_public("ed25519.pub", g_key[ED25519]);
    read_public("p256-cert.pub", g_key[CERTIFICATE]);
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    run("rm -rf %s", g_dir);
    return 0;
}

static int parse_bytes(void const *p, size_t len, dt_ssh_keys *keys)
{
    dt_error e = {0};
    memset(keys, 0x5a, sizeof(*keys));
    int const rc = dt_ssh_auth_info_parse(dt_bytes_of(p, len), keys, &e);
    if (rc != 0) {
        assert_int_equal(keys->count, 0);
        assert_string_equal(keys->items[0].fingerprint, "");
        assert_int_equal(e.code, rc);
        assert_true(e.text[0] != '\0');
    }
    return rc;
}

static int parse(char const *text, dt_ssh_keys *keys)
{
    return parse_bytes(text, strlen(text), keys);
}

/* Formats the text from parts; the result is good until the next call. */
static char const *text_of(char const *fmt, ...)
{
    static char text[3 * DT_SSH_AUTH_INFO_MAX];
    va_list args;
    va_start(args, fmt);
    assert_true(vsnprintf(text, sizeof(text), fmt, args) < (int)sizeof(text));
    va_end(args);
    return text;
}

/* The fingerprint by other means: ssh-keygen's, which is base64 of the same hash. */
static void expected_fingerprint(char const *name, char out[65])
{
    char line[512], hash[128];
    FILE *f = popen(text_of("ssh-keygen -l -E sha256 -f %s/%s", g_dir, name), "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    assert_int_equal(pclose(f), 0);
    assert_int_equal(sscanf(line, "%*d SHA256:%127s", hash), 1);
    uint8_t digest[DT_SHA256_LEN + 1];
    dt_buf b;
    dt_buf_init_fixed(&b, digest, sizeof(digest));
    strcat(hash, "="); /* ssh-keygen leaves the padding out */
    assert_int_equal(dt_base64_decode(&b, dt_bytes_str(hash)), 0);
    dt_hex(out, digest, DT_SHA256_LEN);
}

static void reads_each_kind_of_key(void **state)
{
    (void)state;
    static char const *const names[] = {"rsa.pub", "p256.pub", "p521.pub", "ed25519.pub"};
    for (int i = RSA; i <= ED25519; i++) {
        dt_ssh_keys keys;
        char expected[65];
        assert_int_equal(parse(text_of("publickey %s\n", g_key[i]), &keys), 0);
        assert_int_equal(keys.count, 1);
        expected_fingerprint(names[i], expected);
        assert_string_equal(keys.items[0].fingerprint, expected);
    }
}

static void reads_several_lines(void **state)
{
    (void)state;
    dt_ssh_keys keys;
    assert_int_equal(parse(text_of("publickey %s\npublickey %s\nkeyboard-interactive/pam\n",
                                   g_key[RSA], g_key[ED25519]),
                           &keys),
                     0);
    assert_int_equal(keys.count, 2);
    assert_string_not_equal(keys.items[0].fingerprint, keys.items[1].fingerprint);
    assert_int_equal(parse(text_of("publickey %s", g_key[RSA]), &keys), 0);
    assert_int_equal(keys.count, 1);
}

static void empty_text_has_no_keys(void **state)
{
    (void)state;
    dt_ssh_keys keys;
    assert_int_equal(parse("", &keys), 0);
    assert_int_equal(keys.count, 0);
    assert_int_equal(dt_ssh_auth_info_parse((dt_bytes){0}, &keys, NULL), 0);
    assert_int_equal(keys.count, 0);
}

/* Whatever else sshd may write: none of it proves a key of the person's. */
static void passes_over_other_methods(void **state)
{
    (void)state;
    dt_ssh_keys keys;
    assert_int_equal(parse("password\n", &keys), 0);
    assert_int_equal(keys.count, 0);
    assert_int_equal(parse("keyboard-interactive/pam\ngssapi-with-mic alice@EXAMPLE\n", &keys), 0);
    assert_int_equal(keys.count, 0);
    assert_int_equal(
        parse(text_of("hostbased %s client_user \"alice\", client_host \"h\"\n", g_key[P256]),
              &keys),
        0);
    assert_int_equal(keys.count, 0);
    assert_int_equal(parse(text_of("Publickey %s\n", g_key[P256]), &keys), 0);
    assert_int_equal(keys.count, 0);
}

static void passes_over_certificates(void **state)
{
    (void)state;
    dt_ssh_keys keys;
    assert_int_equal(parse(text_of("publickey %s\n", g_key[CERTIFICATE]), &keys), 0);
    assert_int_equal(keys.count, 0);
    assert_int_equal(
        parse(text_of("publickey %s\npublickey %s\n", g_key[CERTIFICATE], g_key[ED25519]), &keys),
        0);
    assert_int_equal(keys.count, 1);
}

static char const *blob_of(int key)
{
    return strchr(g_key[key], ' ') + 1;
}

static void refuses_a_type_that_is_not_the_keys(void **state)
{
    (void)state;
    dt_ssh_keys keys;
    char const *const wrong[] = {
        "ssh-ed25519",
        "rsa-sha2-256",
        "ssh-rs",
        "ssh-rsaa",
        "SSH-RSA",
        "ssh-rsa@openssh.com",
        "ssh-rsa-cert-v01@openssh.com",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(parse(text_of("publickey %s %s\n", wrong[i], blob_of(RSA)), &keys),
                         DT_E_PARSE);
    /* A certificate under the name of its plain key would be taken for that key. */
    assert_int_equal(
        parse(text_of("publickey ecdsa-sha2-nistp256 %s\n", blob_of(CERTIFICATE)), &keys),
        DT_E_PARSE);
}

/* Puts a good key, and its blob alone, where the text says KEY and BLOB. */
static void expand(char const *text, char *out, size_t size)
{
    dt_buf b;
    dt_buf_init_fixed(&b, out, size);
    while (*text != '\0') {
        if (strncmp(text, "KEY", 3) == 0) {
            dt_buf_puts(&b, g_key[ED25519]);
            text += 3;
        } else if (strncmp(text, "BLOB", 4) == 0) {
            dt_buf_puts(&b, blob_of(ED25519));
            text += 4;
        } else {
            dt_buf_putc(&b, *text++);
        }
    }
    assert_int_equal(dt_buf_error(&b), 0);
}

static void refuses_lines_of_another_form(void **state)
{
    (void)state;
    dt_ssh_keys keys;
    char const *const bad[] = {
        "publickey",
        "publickey ",
        "publickey ssh-ed25519",
        "publickey ssh-ed25519 ",
        "publickey  KEY",
        "publickey ssh-ed25519  BLOB",
        "publickey KEY ",
        "publickey KEY comment",
        "publickey KEY\n\n",
        "\n",
        "\npublickey KEY\n",
        "publickey KEY\npublickey",
        "publickey KEY\r\n",
        "publickey KEY=",
        "publickey KEY====",
        "publickey KEY!",
        "publickey KEYA",
        "publickey KEYAAAA",
        "publickey ssh-ed25519 -BLOB",
        "publickey ssh-ed25519 ====",
        "publickey ssh-ed25519 AAAA",
        "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
        "publickey ssh\"ed25519 BLOB",
        "publickey \x1b[31m BLOB",
        "publickey BLOB",
        "publickey BLOB ssh-ed25519",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[1024];
        expand(bad[i], text, sizeof(text));
        if (parse(text, &keys) != DT_E_PARSE)
            fail_msg("accepted \"%s\"", bad[i]);
    }
}

static void refuses_nul_and_carriage_return_anywhere(void **state)
{
    (void)state;
    dt_ssh_keys keys;
    char text[512];
    size_t const len =
        (size_t)snprintf(text, sizeof(text), "publickey %s\npassword\n", g_key[ED25519]);
    assert_true(len < sizeof(text));
    for (size_t i = 0; i < len; i++) {
        char const was = text[i];
        text[i] = '\0';
        assert_int_equal(parse_bytes(text, len, &keys), DT_E_PARSE);
        text[i] = '\r';
        assert_int_equal(parse_bytes(text, len, &keys), DT_E_PARSE);
        text[i] = was;
    }
    assert_int_equal(parse_bytes(text, len, &keys), 0);
}

/* A text cut anywhere within the key is refused, or is the other lines alone; it never yields
 * another key. */
static void refuses_every_cut(void **state)
{
    (void)state;
    char const *const text = text_of("publickey %s\n", g_key[RSA]);
    size_t const len = strlen(text);
    for (size_t cut = 1; cut < len - 1; cut++) {
        dt_ssh_keys keys;
        char *copy = test_malloc(cut);
        memcpy(copy, text, cut);
        int const rc = parse_bytes(copy, cut, &keys);
        assert_int_equal(keys.count, 0);
        if (cut >= strlen("publickey"))
            assert_int_equal(rc, DT_E_PARSE);
        test_free(copy);
    }
}

/* A changed blob is refused or is a key of another fingerprint: nobody becomes somebody else. */
static void a_changed_key_is_another_key(void **state)
{
    (void)state;
    dt_ssh_keys keys, changed;
    char text[1024];
    size_t const len = (size_t)snprintf(text, sizeof(text), "publickey %s\n", g_key[P256]);
    assert_int_equal(parse_bytes(text, len, &keys), 0);
    for (size_t i = strlen("publickey "); i < len - 1; i++) {
        char const was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        if (parse_bytes(text, len, &changed) == 0)
            assert_string_not_equal(changed.items[0].fingerprint, keys.items[0].fingerprint);
        text[i] = was;
    }
}

static void refuses_too_many_keys(void **state)
{
    (void)state;
    char text[DT_SSH_KEYS_MAX * 256 + 512];
    size_t at = 0;
    dt_ssh_keys keys;
    for (int i = 0; i <= DT_SSH_KEYS_MAX; i++) {
        at += (size_t)snprintf(text + at, sizeof(text) - at, "publickey %s\n", g_key[ED25519]);
        int const rc = parse_bytes(text, at, &keys);
        assert_int_equal(rc, i < DT_SSH_KEYS_MAX ? 0 : DT_E_LIMIT);
        assert_int_equal(keys.count, i < DT_SSH_KEYS_MAX ? i + 1 : 0);
    }
}

static void refuses_a_bad_line_behind_a_good_one(void **state)
{
    (void)state;
    dt_ssh_keys keys;
    assert_int_equal(parse(text_of("publickey %s\npublickey ssh-rsa AAAA\n", g_key[RSA]), &keys),
                     DT_E_PARSE);
}

static void refuses_a_text_too_long(void **state)
{
    (void)state;
    dt_ssh_keys keys;
    char *text = test_malloc(DT_SSH_AUTH_INFO_MAX + 1);
    memset(text, 'x', DT_SSH_AUTH_INFO_MAX + 1);
    assert_int_equal(parse_bytes(text, DT_SSH_AUTH_INFO_MAX, &keys), 0);
    assert_int_equal(parse_bytes(text, DT_SSH_AUTH_INFO_MAX + 1, &keys), DT_E_LIMIT);
    test_free(text);
}

/* Blobs whose inner lengths lie. */
static void refuses_lying_lengths(void **state)
{
    (void)state;
    static uint8_t const blobs[][20] = {
        {0, 0, 0, 4, 't', 'y', 'p', 'e'},                         /* nothing but the type */
        {0, 0, 0, 4, 't', 'y', 'p', 'e', 0, 0, 0},                /* half a length */
        {0, 0, 0, 4, 't', 'y', 'p', 'e', 0, 0, 0, 2, 1},          /* a field too short */
        {0, 0, 0, 4, 't', 'y', 'p', 'e', 0xff, 0xff, 0xff, 0xff}, /* a field too long to be */
        {0, 0, 0, 4, 't', 'y', 'p', 'e', 0, 0, 0, 1, 1, 0, 0, 0}, /* half a second field */
        {0xff, 0xff, 0xff, 0xff, 't', 'y', 'p', 'e', 0, 0, 0, 0}, /* a type too long to be */
        {0, 0, 0, 8, 't', 'y', 'p', 'e', 0, 0, 0, 0},             /* the type takes the rest */
        {0, 0, 0, 0, 't', 'y', 'p', 'e', 0, 0, 0, 0},             /* no type */
    };
    static size_t const lengths[] = {8, 11, 13, 12, 16, 12, 12, 12};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        dt_buf b;
        dt_ssh_keys keys;
        dt_buf_init(&b, 1024);
        dt_buf_puts(&b, "publickey type ");
        dt_base64_encode(&b, dt_bytes_of(blobs[i], lengths[i]));
        assert_int_equal(parse_bytes(b.p, b.len, &keys), DT_E_PARSE);
        dt_buf_free(&b);
    }
}

static bool has_key(char const *before, char const *key, char const *after)
{
    char text[8192];

    assert_true(snprintf(text, sizeof(text), "%s%s%s", before, key, after) < (int)sizeof(text));
    return dt_ssh_auth_info_has_key(dt_bytes_str(text));
}

/* In report-only mode it is the first factor. */
static void says_whether_a_key_was_verified(void **state)
{
    (void)state;
    assert_true(has_key("publickey ", g_key[ED25519], "\n"));
    assert_true(has_key("publickey ", g_key[CERTIFICATE], "\n"));
    assert_true(has_key("password\npublickey ", g_key[RSA], "\n"));
    assert_false(has_key("", "", ""));
    assert_false(has_key("password\n", "", ""));
    assert_false(has_key("keyboard-interactive/pam\n", "", ""));
    assert_false(has_key("publickey\n", "", ""));
    assert_false(has_key("hostbased ", g_key[ED25519], "\n"));
    assert_false(has_key("publickey ", g_key[ED25519], "x\n"));
    assert_false(has_key("publickey ", g_key[ED25519], "\npublickey ssh-rsa\n"));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(reads_each_kind_of_key),
        cmocka_unit_test(reads_several_lines),
        cmocka_unit_test(empty_text_has_no_keys),
        cmocka_unit_test(passes_over_other_methods),
        cmocka_unit_test(passes_over_certificates),
        cmocka_unit_test(says_whether_a_key_was_verified),
        cmocka_unit_test(refuses_a_type_that_is_not_the_keys),
        cmocka_unit_test(refuses_lines_of_another_form),
        cmocka_unit_test(refuses_nul_and_carriage_return_anywhere),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(a_changed_key_is_another_key),
        cmocka_unit_test(refuses_too_many_keys),
        cmocka_unit_test(refuses_a_bad_line_behind_a_good_one),
        cmocka_unit_test(refuses_a_text_too_long),
        cmocka_unit_test(refuses_lying_lengths),
    };
    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
