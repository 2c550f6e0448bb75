/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSH certificates of device CAs: what ssh-keygen signs for every kind of key and CA is taken, and of
 * everything else a table says why it is not. And signatures: any changed byte breaks them. */
#include "core/device/ssh_certificate.h"
#include "core/device/ssh_wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICE "0f5b9a1e-7f0c-4b73-9a83-6f7c1f8f2a11"
#define WEEK "20300101Z:20300108Z" /* in UTC */
#define NOW 1893628800000          /* 2030-01-03T00:00:00Z */
#define TEXT_MAX 16384

static char g_dir[] = "/tmp/dt-test-ssh-certificate-XXXXXX";
static dt_ssh_cas *g_cas;

static void run(char const *fmt, ...)
{
    char command[2048];
    va_list args;
    va_start(args, fmt);
    assert_true(vsnprintf(command, sizeof(command), fmt, args) < (int)sizeof(command));
    va_end(args);
    if (system(command) != 0)
        fail_msg("%s", command);
}

static void read_file(char const *name, char text[TEXT_MAX])
{
    char path[256];
    assert_true(snprintf(path, sizeof(path), "%s/%s", g_dir, name) < (int)sizeof(path));
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t const n = fread(text, 1, TEXT_MAX - 1, f);
    text[n] = '\0';
    fclose(f);
}

/* The blob in the second word of a file. Free with dt_buf_free. */
static void read_blob(char const *name, dt_buf *blob)
{
    char text[TEXT_MAX];
    read_file(name, text);
    char *word = strchr(text, ' ');
    assert_non_null(word);
    word++;
    word[strcspn(word, " \n")] = '\0';
    dt_buf_init(blob, TEXT_MAX);
    assert_int_equal(dt_base64_decode(blob, dt_bytes_str(word)), 0);
}

static void add_ca(char const *name)
{
    char file[64], text[TEXT_MAX];
    snprintf(file, sizeof(file), "%s.pub", name);
    read_file(file, text);
    assert_int_equal(dt_ssh_cas_add_text(g_cas, dt_bytes_str(text), NULL), 0);
}

static char const *const kinds[] = {"rsa", "p256", "p384", "p521", "ed25519"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int set_up(void **state)
{
    static char const *const options[] = {"rsa -b 2048", "ecdsa -b 256", "ecdsa -b 384",
                                          "ecdsa -b 521", "ed25519"};
    (void)state;
    assert_non_null(mkdtemp(g_dir));
    assert_int_equal(dt_ssh_cas_new(&g_cas), 0);
    for (size_t i = 0; i < KINDS; i++) {
        run("ssh-keygen -q -t %s -N '' -f %s/%s", options[i], g_dir, kinds[i]);
        run("ssh-keygen -q -t %s -N '' -C 'device CA' -f %s/ca-%s", options[i], g_dir, kinds[i]);
    }
    run("ssh-keygen -q -t ed25519 -N '' -f %s/stranger", g_dir);
    for (size_t i = 0; i < KINDS; i++) {
        char ca[32];
        snprintf(ca, sizeof(ca), "ca-%s", kinds[i]);
        add_ca(ca);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dt_ssh_cas_free(&g_cas);
    assert_null(g_cas);
    run("rm -rf %s", g_dir);
    return 0;
}

/* Has `ca` sign `key` with ssh-keygen's options; gives the blob. */
static void sign(char const *ca, char const *key, char const *options, dt_buf *blob)
{
    char file[64];
    run("cd %s && TZ=UTC ssh-keygen -q -s %s %s %s.pub", g_dir, ca, options, key);
    snprintf(file, sizeof(file), "%s-cert.pub", key);
    read_blob(file, blob);
}

static dt_ssh_certificate_rules rules(char const *where)
{
    return (dt_ssh_certificate_rules){.cas = g_cas, .device_id = where};
}

static dt_reason judge_by(dt_ssh_certificate_rules r, dt_bytes blob, dt_ssh_certificate_use use,
                          dt_time now, dt_ssh_device *out)
{
    dt_error e = {0};
    memset(out, 0x5a, sizeof(*out));
    dt_reason const reason = dt_ssh_certificate_judge(&r, blob, use, now, out, &e);
    if (reason != DT_REASON_TRUSTED) {
        static dt_ssh_device const none;
        assert_memory_equal(out, &none, sizeof(none));
        assert_true(e.text[0] != '\0');
    }
    return reason;
}

static dt_reason judge(dt_bytes blob)
{
    dt_ssh_device device;
    return judge_by(rules("key-id"), blob, DT_SSH_USE_SSHD, NOW, &device);
}

static void takes_each_kind_of_key_of_each_kind_of_ca(void **state)
{
    (void)state;
    for (size_t ca = 0; ca < KINDS; ca++) {
        for (size_t k = 0; k < KINDS; k++) {
            char name[32], expected[65];
            dt_buf blob, plain;
            dt_ssh_device device;
            dt_ssh_public key;
            snprintf(name, sizeof(name), "ca-%s", kinds[ca]);
            sign(name, kinds[k], "-I " DEVICE " -n ann -V " WEEK, &blob);
            dt_reason const reason =
                judge_by(rules("key-id"), dt_buf_bytes(&blob), DT_SSH_USE_SSHD, NOW, &device);
            if (reason != DT_REASON_TRUSTED)
                fail_msg("%s by %s: %s", kinds[k], name, dt_reason_name(reason));
            assert_string_equal(device.device_id.text, DEVICE);
            snprintf(name, sizeof(name), "%s.pub", kinds[k]);
            read_blob(name, &plain);
            assert_int_equal(dt_ssh_public_parse(dt_buf_bytes(&plain), &key), 0);
            assert_int_equal(dt_ssh_public_fingerprint(&key, expected), 0);
            assert_string_equal(device.key_id, expected);
            dt_buf_free(&plain);
            dt_buf_free(&blob);
        }
    }
}

typedef struct row {
    char const *ca, *options, *where;
    dt_ssh_certificate_use use;
    dt_time now;
    dt_reason reason;
} row;

#define GOOD "-I " DEVICE " -n ann -V " WEEK
#define EXTENSION "-O extension:device-id@devtrust.example="
static row const rows[] = {
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_SSHD, NOW, DT_REASON_TRUSTED},
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_AGENT, NOW, DT_REASON_TRUSTED},
    {"ca-p256", "-I " DEVICE " -n ann", "key-id", DT_SSH_USE_SSHD, NOW, DT_REASON_TRUSTED},
    {"ca-p256", "-I {0F5B9A1E-7F0C-4B73-9A83-6F7C1F8F2A11} -V " WEEK, "key-id", DT_SSH_USE_SSHD,
     NOW, DT_REASON_TRUSTED},
    /* somebody else's */
    {"stranger", GOOD, "key-id", DT_SSH_USE_SSHD, NOW, DT_REASON_UNTRUSTED_ISSUER},
    {"p256", GOOD, "key-id", DT_SSH_USE_SSHD, NOW, DT_REASON_UNTRUSTED_ISSUER}, /* its own */
    {"ca-p256", "-h " GOOD, "key-id", DT_SSH_USE_SSHD, NOW, DT_REASON_CERTIFICATE_INVALID},
    /* out of time: its first and last second, a day either way, before the epoch */
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_SSHD, 1893456000000, DT_REASON_TRUSTED},
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_SSHD, 1893455999999,
     DT_REASON_CERTIFICATE_NOT_YET_VALID},
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_SSHD, 1894060799999, DT_REASON_TRUSTED},
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_SSHD, 1894060800000, DT_REASON_CERTIFICATE_EXPIRED},
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_SSHD, 1893456000000 - DT_DAYS(1),
     DT_REASON_CERTIFICATE_NOT_YET_VALID},
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_SSHD, 1894060800000 + DT_DAYS(1),
     DT_REASON_CERTIFICATE_EXPIRED},
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_SSHD, -1, DT_REASON_CERTIFICATE_NOT_YET_VALID},
    {"ca-p256", GOOD, "key-id", DT_SSH_USE_SSHD, DT_TIME_NEVER, DT_REASON_CERTIFICATE_EXPIRED},
    /* names no device, or elsewhere */
    {"ca-p256", "-I laptop -n ann -V " WEEK, "key-id", DT_SSH_USE_SSHD, NOW,
     DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", "-I x" DEVICE " -V " WEEK, "key-id", DT_SSH_USE_SSHD, NOW,
     DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", "-I 00000000-0000-0000-0000-000000000000 -V " WEEK, "key-id", DT_SSH_USE_SSHD, NOW,
     DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", "-I ann " EXTENSION DEVICE, "extension:device-id@devtrust.example", DT_SSH_USE_SSHD,
     NOW, DT_REASON_TRUSTED},
    {"ca-p256", "-I " DEVICE, "extension:device-id@devtrust.example", DT_SSH_USE_SSHD, NOW,
     DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", "-I ann " EXTENSION DEVICE, "key-id", DT_SSH_USE_SSHD, NOW,
     DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", "-I ann " EXTENSION "ann", "extension:device-id@devtrust.example", DT_SSH_USE_SSHD,
     NOW, DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", "-I " DEVICE " -O extension:device-id@devtrust.example",
     "extension:device-id@devtrust.example", DT_SSH_USE_SSHD, NOW, DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", "-I " DEVICE " -O critical:device-id@devtrust.example=" DEVICE,
     "extension:device-id@devtrust.example", DT_SSH_USE_SSHD, NOW, DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", GOOD, "", DT_SSH_USE_SSHD, NOW, DT_REASON_CERTIFICATE_INVALID},
    /* critical options: sshd keeps those that it knows; over an agent nobody does */
    {"ca-p256", GOOD " -O force-command=/bin/true", "key-id", DT_SSH_USE_SSHD, NOW,
     DT_REASON_TRUSTED},
    {"ca-p256", GOOD " -O source-address=192.0.2.0/24", "key-id", DT_SSH_USE_SSHD, NOW,
     DT_REASON_TRUSTED},
    {"ca-p256", GOOD " -O source-address=192.0.2.0/24", "key-id", DT_SSH_USE_AGENT, NOW,
     DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", GOOD " -O critical:new@example=1", "key-id", DT_SSH_USE_SSHD, NOW,
     DT_REASON_CERTIFICATE_INVALID},
    {"ca-p256", GOOD " -O force-command=/bin/true -O critical:zz@example", "key-id",
     DT_SSH_USE_SSHD, NOW, DT_REASON_CERTIFICATE_INVALID},
};

static void judges_by_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        dt_buf blob;
        dt_ssh_device device;
        sign(rows[i].ca, "p256", rows[i].options, &blob);
        dt_reason const reason =
            judge_by(rules(rows[i].where), dt_buf_bytes(&blob), rows[i].use, rows[i].now, &device);
        if (reason != rows[i].reason)
            fail_msg("row %zu: %s", i, dt_reason_name(reason));
        dt_buf_free(&blob);
    }
}

static void no_ca_trusts_nobody(void **state)
{
    (void)state;
    dt_buf blob;
    dt_ssh_device device;
    dt_ssh_cas *empty;
    assert_int_equal(dt_ssh_cas_new(&empty), 0);
    sign("ca-p256", "p256", GOOD, &blob);
    dt_ssh_certificate_rules r = rules("key-id");
    r.cas = NULL;
    assert_int_equal(judge_by(r, dt_buf_bytes(&blob), DT_SSH_USE_SSHD, NOW, &device),
                     DT_REASON_UNTRUSTED_ISSUER);
    r.cas = empty;
    assert_int_equal(judge_by(r, dt_buf_bytes(&blob), DT_SSH_USE_SSHD, NOW, &device),
                     DT_REASON_UNTRUSTED_ISSUER);
    dt_ssh_cas_free(&empty);
    dt_buf_free(&blob);
}

/* Any byte that is changed, taken away or added makes it another certificate. */
static void no_byte_may_change(void **state)
{
    (void)state;
    static char const *const cas[] = {"ca-rsa", "ca-p256", "ca-ed25519"};
    for (size_t c = 0; c < 3; c++) {
        dt_buf blob;
        sign(cas[c], "ed25519", GOOD, &blob);
        assert_int_equal(judge(dt_buf_bytes(&blob)), DT_REASON_TRUSTED);
        for (size_t i = 0; i < blob.len; i++) {
            blob.p[i] ^= 0x01;
            if (judge(dt_buf_bytes(&blob)) == DT_REASON_TRUSTED)
                fail_msg("%s: byte %zu may be changed", cas[c], i);
            blob.p[i] ^= 0x01;
            assert_int_not_equal(judge(dt_bytes_of(blob.p, i)), DT_REASON_TRUSTED);
        }
        dt_buf_putc(&blob, '\0');
        assert_int_equal(judge(dt_buf_bytes(&blob)), DT_REASON_CERTIFICATE_INVALID);
        dt_buf_free(&blob);
    }
}

/* The options of a certificate in an order that no CA writes, or one of them twice: put together by
 * hand, since ssh-keygen would not. */
static void put_option(dt_buf *b, char const *name)
{
    dt_ssh_put_string(b, dt_bytes_str(name));
    dt_ssh_put_string(b, dt_bytes_of(NULL, 0));
}

static bool extensions_parse(char const *const *names)
{
    uint8_t const key[32] = {1};
    dt_buf cert, list;
    dt_ssh_certificate c;
    dt_buf_init(&cert, 4096);
    dt_buf_init(&list, 1024);
    dt_ssh_put_string(&cert, dt_bytes_str("ssh-ed25519-cert-v01@openssh.com"));
    dt_ssh_put_string(&cert, dt_bytes_str("nonce"));
    dt_ssh_put_string(&cert, dt_bytes_of(key, sizeof(key)));
    for (int i = 0; i < 2; i++)
        dt_ssh_put_u32(&cert, 0); /* serial */
    dt_ssh_put_u32(&cert, 1);
    dt_ssh_put_string(&cert, dt_bytes_str(DEVICE));
    dt_ssh_put_string(&cert, dt_bytes_of(NULL, 0));
    for (int i = 0; i < 4; i++)
        dt_ssh_put_u32(&cert, 0); /* validity */
    dt_ssh_put_string(&cert, dt_bytes_of(NULL, 0));
    for (; *names != NULL; names++)
        put_option(&list, *names);
    dt_ssh_put_string(&cert, dt_buf_bytes(&list));
    dt_ssh_put_string(&cert, dt_bytes_of(NULL, 0));
    dt_ssh_put_string(&cert, dt_bytes_str("ca"));
    dt_ssh_put_string(&cert, dt_bytes_str("signature"));
    assert_int_equal(dt_buf_error(&cert), 0);
    int const rc = dt_ssh_certificate_parse(dt_buf_bytes(&cert), &c, NULL);
    dt_buf_free(&list);
    dt_buf_free(&cert);
    return rc == 0;
}

static void options_come_once_and_in_order(void **state)
{
    (void)state;
    assert_true(extensions_parse((char const *const[]){NULL}));
    assert_true(extensions_parse((char const *const[]){"a", "ab", "b", NULL}));
    assert_false(extensions_parse((char const *const[]){"b", "a", NULL}));
    assert_false(extensions_parse((char const *const[]){"a", "a", NULL}));
    assert_false(extensions_parse((char const *const[]){"ab", "a", NULL}));
    assert_false(extensions_parse((char const *const[]){"", NULL}));
    char names[DT_SSH_OPTIONS_MAX + 1][8];
    char const *list[DT_SSH_OPTIONS_MAX + 2] = {NULL};
    for (int i = 0; i <= DT_SSH_OPTIONS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "o%03d", i);
        list[i] = i < DT_SSH_OPTIONS_MAX ? names[i] : NULL;
    }
    assert_true(extensions_parse(list));
    list[DT_SSH_OPTIONS_MAX] = names[DT_SSH_OPTIONS_MAX];
    assert_false(extensions_parse(list));
}

/* --- CAs --------------------------------------------------------------------------------------- */

static int add_text(char const *text, size_t *count)
{
    dt_ssh_cas *cas;
    dt_error e = {0};
    assert_int_equal(dt_ssh_cas_new(&cas), 0);
    int const rc = dt_ssh_cas_add_text(cas, dt_bytes_str(text), &e);
    *count = dt_ssh_cas_count(cas);
    if (rc != 0)
        assert_non_null(strstr(e.text, "line "));
    dt_ssh_cas_free(&cas);
    return rc;
}

static void reads_ca_files(void **state)
{
    (void)state;
    char line[TEXT_MAX], text[3 * TEXT_MAX];
    size_t count;
    read_file("ca-p256.pub", line);
    snprintf(text, sizeof(text), "# the company's\n\n  # blank\n%s\r\n%s", line, line);
    assert_int_equal(add_text(text, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(add_text("", &count), 0);
    assert_int_equal(count, 0);
    static char const *const bad[] = {
        "ssh-rsa\n",
        "ecdsa-sha2-nistp256 !\n",
        "nonsense\n",
        "ssh-dss AAAAB3NzaC1kc3MAAAABAQAAAAEBAAAAAQEAAAABAQ== old\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(add_text(bad[i], &count), DT_E_PARSE);
    /* options in front would be silently without effect; another type is a slip of the hand */
    snprintf(text, sizeof(text), "cert-authority %s", line);
    assert_int_equal(add_text(text, &count), DT_E_PARSE);
    snprintf(text, sizeof(text), "ssh-ed25519%s", strchr(line, ' '));
    assert_int_equal(add_text(text, &count), DT_E_PARSE);
    dt_buf many;
    dt_buf_init(&many, 1024 * 1024);
    for (int i = 0; i <= DT_SSH_CAS_MAX; i++)
        dt_buf_puts(&many, line);
    assert_int_equal(add_text((char const *)many.p, &count), DT_E_LIMIT);
    dt_buf_free(&many);
}

static void weak_rsa_is_no_key(void **state)
{
    (void)state;
    char text[TEXT_MAX];
    size_t count;
    run("ssh-keygen -q -t rsa -b 1024 -N '' -f %s/weak", g_dir);
    read_file("weak.pub", text);
    assert_int_equal(add_text(text, &count), DT_E_PARSE);
}

/* --- security keys ------------------------------------------------------------------------------ */

/* A security key in software: Ed25519 made by ssh-keygen, dressed as sk-ssh-ed25519. Its blob, as a
 * certificate of `ca` would be made by ssh-keygen for a real one. */
static void make_sk_public(dt_buf *line)
{
    dt_buf blob, sk;
    dt_ssh_public key;
    read_blob("ed25519.pub", &blob);
    assert_int_equal(dt_ssh_public_parse(dt_buf_bytes(&blob), &key), 0);
    assert_false(key.hardware);
    dt_buf_init(&sk, 1024);
    dt_ssh_put_string(&sk, dt_bytes_str("sk-ssh-ed25519@openssh.com"));
    dt_ssh_put_string(&sk, key.key.point);
    dt_ssh_put_string(&sk, dt_bytes_str("ssh:"));
    dt_buf_puts(line, "sk-ssh-ed25519@openssh.com ");
    dt_base64_encode(line, dt_buf_bytes(&sk));
    dt_buf_puts(line, " token\n");
    dt_buf_free(&sk);
    dt_buf_free(&blob);
}

static void write_file(char const *name, dt_buf const *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", g_dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text->p, 1, text->len, f), text->len);
    assert_int_equal(fclose(f), 0);
}

static void hardware_keys_are_told_apart(void **state)
{
    (void)state;
    dt_ssh_certificate_rules hard = rules("key-id");
    dt_ssh_device device;
    dt_buf line, blob, soft;
    hard.hardware = true;
    dt_buf_init(&line, 4096);
    make_sk_public(&line);
    write_file("token.pub", &line);
    sign("ca-p256", "token", GOOD, &blob);
    assert_int_equal(judge_by(hard, dt_buf_bytes(&blob), DT_SSH_USE_SSHD, NOW, &device),
                     DT_REASON_TRUSTED);
    dt_buf_free(&blob);
    sign("ca-p256", "token", GOOD " -O no-touch-required", &blob);
    assert_int_equal(judge_by(hard, dt_buf_bytes(&blob), DT_SSH_USE_SSHD, NOW, &device),
                     DT_REASON_KEY_NOT_HARDWARE);
    sign("ca-p256", "ed25519", GOOD, &soft);
    assert_int_equal(judge_by(hard, dt_buf_bytes(&soft), DT_SSH_USE_SSHD, NOW, &device),
                     DT_REASON_KEY_NOT_HARDWARE);
    assert_int_equal(judge(dt_buf_bytes(&soft)), DT_REASON_TRUSTED);
    assert_int_equal(judge(dt_buf_bytes(&blob)), DT_REASON_TRUSTED);
    assert_true(dt_ssh_is_hardware_type(dt_bytes_str("sk-ssh-ed25519-cert-v01@openssh.com")));
    assert_true(dt_ssh_is_hardware_type(dt_bytes_str("sk-ecdsa-sha2-nistp256@openssh.com")));
    assert_false(dt_ssh_is_hardware_type(dt_bytes_str("ssh-ed25519")));
    assert_false(dt_ssh_is_hardware_type(dt_bytes_str("sk-")));
    dt_buf_free(&soft);
    dt_buf_free(&blob);
    dt_buf_free(&line);
}

static void rules_are_words(void **state)
{
    (void)state;
    assert_true(dt_ssh_device_id_rule_is_valid("key-id"));
    assert_true(dt_ssh_device_id_rule_is_valid("extension:a@b"));
    assert_false(dt_ssh_device_id_rule_is_valid(""));
    assert_false(dt_ssh_device_id_rule_is_valid("extension:"));
    assert_false(dt_ssh_device_id_rule_is_valid("extension:a b"));
    assert_false(dt_ssh_device_id_rule_is_valid("serial"));
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(takes_each_kind_of_key_of_each_kind_of_ca),
        cmocka_unit_test(judges_by_the_table),
        cmocka_unit_test(no_ca_trusts_nobody),
        cmocka_unit_test(no_byte_may_change),
        cmocka_unit_test(options_come_once_and_in_order),
        cmocka_unit_test(reads_ca_files),
        cmocka_unit_test(weak_rsa_is_no_key),
        cmocka_unit_test(hardware_keys_are_told_apart),
        cmocka_unit_test(rules_are_words),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
