/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How devtrustctl finds certificates in files, and the fingerprints it knows their keys by. The PEM
 * reader is given bytes of no meaning: what is in them is not its matter. */
#include "devtrustctl/certificate_file.h"
#include "devtrustctl/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN "-----BEGIN CERTIFICATE-----\n"
#define END "-----END CERTIFICATE-----\n"
#define ONE BEGIN "aGVsbG8=\n" END   /* hello */
#define TWO BEGIN "d29y\nbGQ=\n" END /* world */

static size_t g_count;
static char g_seen[256];
static dt_error g_error;

static int see(void *ctx, size_t index, dt_bytes der)
{
    (void)ctx;
    assert_int_equal(index, ++g_count);
    assert_true(strlen(g_seen) + der.len + 2 < sizeof(g_seen));
    strncat(g_seen, (char const *)der.p, der.len);
    strcat(g_seen, ";");
    return 0;
}

static int each(char const *text, size_t len)
{
    /* A copy of exact size, so that a sanitizer sees a read behind the end. */
    char *copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, text, len);
    g_count = 0;
    g_seen[0] = '\0';
    g_error = (dt_error){0};
    int const rc = dt_certificates_each(dt_bytes_of(copy, len), see, NULL, &g_error);
    free(copy);
    return rc;
}

static void sees(char const *text, char const *what)
{
    assert_int_equal(each(text, strlen(text)), 0);
    assert_string_equal(g_seen, what);
}

static void refuses(char const *text, char const *why)
{
    if (each(text, strlen(text)) != DT_E_PARSE || strstr(g_error.text, why) == NULL)
        fail_msg("%s\nsaid: %s", text, g_error.text);
}

static void reads_pem(void **state)
{
    (void)state;
    sees(ONE, "hello;");
    sees(ONE TWO, "hello;world;");
    sees("subject=CN = x\nissuer=y\n" ONE "\n\nanything - --- else\n" TWO "the end",
         "hello;world;");
    sees("-----BEGIN CERTIFICATE-----\r\naGVsbG8=\r\n-----END CERTIFICATE-----\r\n", "hello;");
    sees("-----BEGIN CERTIFICATE-----  \naGVs \t\nbG8=\n-----END CERTIFICATE-----", "hello;");
}

static void passes_over_other_blocks(void **state)
{
    (void)state;
    sees("-----BEGIN PRIVATE KEY-----\nnot base64 at all!\n-----END PRIVATE KEY-----\n" ONE,
         "hello;");
    sees(ONE "-----BEGIN TRUSTED CERTIFICATE-----\naGVsbG8=\n-----END TRUSTED CERTIFICATE-----\n",
         "hello;");
    refuses("-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n",
            "contains no certificate");
    refuses("-----BEGIN TRUSTED CERTIFICATE-----\naGVsbG8=\n-----END TRUSTED CERTIFICATE-----\n",
            "contains no certificate");
}

static void refuses_broken_pem(void **state)
{
    (void)state;
    refuses("", "contains no certificate");
    refuses("\n\n", "contains no certificate");
    refuses("aGVsbG8=", "contains no certificate");
    refuses(BEGIN END, "line 2: the certificate that ends here is not base64");
    refuses(BEGIN "aGVsbG8\n" END, "line 3: the certificate that ends here is not base64");
    refuses(BEGIN "aGVs!G8=\n" END, "not base64");
    refuses(BEGIN "aGVs bG8=\n" END, "not base64");
    refuses(BEGIN "Proc-Type: 4,ENCRYPTED\n\naGVsbG8=\n" END, "not base64");
    refuses(BEGIN "aGVsbG8=\n", "line 1 has no END");
    refuses(ONE BEGIN "aGVsbG8=\n", "line 4 has no END");
    refuses(BEGIN BEGIN "aGVsbG8=\n" END, "line 2: BEGIN before the END");
    refuses(END, "line 1: END without a BEGIN");
    refuses(ONE END, "line 4: END without a BEGIN");
    refuses(BEGIN "aGVsbG8=\n-----END X509 CRL-----\n", "END with another label");
    refuses("-----BEGIN CERTIFICATE----\naGVsbG8=\n" END, "line 1: a malformed BEGIN or END");
    refuses("-----BEGIN-----\n" ONE, "malformed");
    refuses("-----BEGIN CERTIFICATE-----x\n" ONE, "malformed");
    refuses(ONE "-----END CERTIFICATE\n", "malformed");
}

static void stops_at_the_first_error(void **state)
{
    (void)state;
    assert_int_equal(each(ONE BEGIN "!\n" END TWO, strlen(ONE BEGIN "!\n" END TWO)), DT_E_PARSE);
    assert_int_equal(g_count, 1);
}

static void a_nul_is_only_a_byte(void **state)
{
    (void)state;
    static char const text[] = ONE "\0\0\n" TWO;
    assert_int_equal(each(text, sizeof(text) - 1), 0);
    assert_int_equal(g_count, 2);
    static char const inside[] = BEGIN "aGV\0bG8=\n" END;
    assert_int_equal(each(inside, sizeof(inside) - 1), DT_E_PARSE);
    static char const label[] = "-----BEGIN CERTIFICATE\0X-----\naGVsbG8=\n" END;
    assert_int_equal(each(label, sizeof(label) - 1), DT_E_PARSE);
}

static int count_bytes(void *ctx, size_t index, dt_bytes der)
{
    (void)index;
    *(size_t *)ctx = der.len;
    return 0;
}

static int each_of_size(size_t len, bool pem, size_t *seen)
{
    dt_buf b;
    dt_buf_init(&b, 4 * DT_CERTIFICATE_MAX);
    if (pem)
        dt_buf_puts(&b, BEGIN);
    else
        dt_buf_put(&b, "\x30\x82", 2);
    for (size_t i = b.len; !pem && i < len; i++)
        dt_buf_putc(&b, 'x');
    for (size_t i = 0; pem && i < len; i += 3)
        dt_buf_puts(&b, "eHh4");
    if (pem)
        dt_buf_puts(&b, "\n" END);
    assert_int_equal(dt_buf_error(&b), 0);
    *seen = 0;
    int const rc = dt_certificates_each(dt_buf_bytes(&b), count_bytes, seen, NULL);
    dt_buf_free(&b);
    return rc;
}

static void has_a_largest_certificate(void **state)
{
    (void)state;
    size_t seen;
    assert_int_equal(each_of_size(DT_CERTIFICATE_MAX, false, &seen), 0);
    assert_int_equal(seen, DT_CERTIFICATE_MAX);
    assert_int_equal(each_of_size(DT_CERTIFICATE_MAX + 1, false, &seen), DT_E_LIMIT);
    assert_int_equal(seen, 0);
    size_t const whole = DT_CERTIFICATE_MAX / 3 * 3;
    assert_int_equal(each_of_size(whole, true, &seen), 0);
    assert_int_equal(seen, whole);
    assert_int_equal(each_of_size(whole + 3, true, &seen), DT_E_LIMIT);
    assert_int_equal(each_of_size(2 * DT_CERTIFICATE_MAX, true, &seen), DT_E_LIMIT);
    assert_int_equal(seen, 0);
}

static int refuse_all(void *ctx, size_t index, dt_bytes der)
{
    (void)der;
    *(size_t *)ctx = index;
    return index == 2 ? DT_E_STATE : 0;
}

static void the_caller_may_end_the_walk(void **state)
{
    (void)state;
    size_t last = 0;
    assert_int_equal(dt_certificates_each(dt_bytes_str(ONE TWO ONE), refuse_all, &last, NULL),
                     DT_E_STATE);
    assert_int_equal(last, 2);
}

/* --- fingerprints ----------------------------------------------------------------------------- */

/* Of no key: the digest is 00 01 02 ... 1f. */
#define HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define TEXT "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static void reads_fingerprints(void **state)
{
    (void)state;
    dt_fingerprint f;
    assert_int_equal(dt_fingerprint_parse(TEXT, &f), 0);
    assert_string_equal(f.hex, HEX);
    assert_string_equal(f.text, TEXT);
    assert_int_equal(dt_fingerprint_parse(TEXT "=", &f), 0);
    assert_string_equal(f.text, TEXT);
    assert_int_equal(dt_fingerprint_of_row("ssh:" HEX, &f), 0);
    assert_string_equal(f.text, TEXT);
}

static void refuses_other_fingerprints(void **state)
{
    (void)state;
    static char const *const bad[] = {
        "",
        "SHA256:",
        "SHA256",
        HEX,
        "sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "MD5:00:01:02:03",
        (TEXT "=="),
        (TEXT "x"),
        "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh",
        "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9", /* stray bits */
        "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH-8",
        "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH 8",
        (" " TEXT),
    };
    dt_fingerprint f;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(dt_fingerprint_parse(bad[i], &f), DT_E_PARSE);
        assert_string_equal(f.hex, "");
    }
    static char const *const rows[] = {"",           "ssh:",        HEX, ("ssh:" HEX "0"),
                                       ("SSH:" HEX), "ssh:00010203"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(dt_fingerprint_of_row(rows[i], &f), DT_E_PARSE);
    char upper[] = "ssh:" HEX;
    upper[strlen(upper) - 1] = 'F';
    assert_int_equal(dt_fingerprint_of_row(upper, &f), DT_E_PARSE);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(reads_pem),
        cmocka_unit_test(passes_over_other_blocks),
        cmocka_unit_test(refuses_broken_pem),
        cmocka_unit_test(stops_at_the_first_error),
        cmocka_unit_test(a_nul_is_only_a_byte),
        cmocka_unit_test(has_a_largest_certificate),
        cmocka_unit_test(the_caller_may_end_the_walk),
        cmocka_unit_test(reads_fingerprints),
        cmocka_unit_test(refuses_other_fingerprints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
