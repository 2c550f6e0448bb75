/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CAs with rules of their own, [ca NAME]: a certificate is judged by those of the CA that it chains to,
 * and by no others. Each row is one certificate and one thing that its CA's section says. */
#include "core/device/x509.h"
#include "tests/unit/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUID "6f9619ff-8b86-4d11-b42d-00c04fc964ff"
#define OTHER "7f9619ff-8b86-4d11-b42d-00c04fc964ff"
#define TENANT "01234567-89ab-4def-8edc-ba9876543210"
#define OTHER_TENANT "02234567-89ab-4def-8edc-ba9876543210"
/* The same as Windows writes them. */
#define GUID_LE "ff:19:96:6f:86:8b:11:4d:b4:2d:00:c0:4f:c9:64:ff"
#define OTHER_LE "ff:19:96:7f:86:8b:11:4d:b4:2d:00:c0:4f:c9:64:ff"
#define TENANT_LE "67:45:23:01:ab:89:ef:4d:8e:dc:ba:98:76:54:32:10"
#define OTHER_TENANT_LE "67:45:23:02:ab:89:ef:4d:8e:dc:ba:98:76:54:32:10"

#define CA_CONSTRAINTS                                                                             \
    {                                                                                              \
        "basicConstraints", "critical,CA:TRUE"                                                     \
    }
#define CA_USAGE                                                                                   \
    {                                                                                              \
        "keyUsage", "critical,keyCertSign,cRLSign"                                                 \
    }
#define CA_KEY_ID                                                                                  \
    {                                                                                              \
        "subjectKeyIdentifier", "hash"                                                             \
    }
#define CA_ALL CA_CONSTRAINTS, CA_USAGE, CA_KEY_ID
#define CLIENT                                                                                     \
    {                                                                                              \
        "extendedKeyUsage", "clientAuth"                                                           \
    }
#define SAN                                                                                        \
    {                                                                                              \
        "subjectAltName", "URI:IntuneDeviceId://" GUID                                             \
    }
#define ID                                                                                         \
    {                                                                                              \
        "1.2.840.113556.5.4", "DER:" GUID_LE                                                       \
    }
#define OTHER_ID                                                                                   \
    {                                                                                              \
        "1.2.840.113556.5.4", "DER:" OTHER_LE                                                      \
    }
#define IN_TENANT                                                                                  \
    {                                                                                              \
        "1.2.840.113556.5.14", "DER:04:10:" TENANT_LE                                              \
    }
#define IN_OTHER_TENANT                                                                            \
    {                                                                                              \
        "1.2.840.113556.5.14", "DER:04:10:" OTHER_TENANT_LE                                        \
    }
#define ENTRA_ID                                                                                   \
    {                                                                                              \
        "1.2.840.113556.1.5.284.2", "DER:04:10:" GUID_LE                                           \
    }
#define ENTRA_TENANT                                                                               \
    {                                                                                              \
        "1.2.840.113556.1.5.284.5", "DER:04:10:" TENANT_LE                                         \
    }
#define ENTRA_OTHER_TENANT                                                                         \
    {                                                                                              \
        "1.2.840.113556.1.5.284.5", "DER:04:10:" OTHER_TENANT_LE                                   \
    }

enum { COMPANY, OWN, SUB, ANCHORS };

static struct {
    X509 *ca[ANCHORS];
    EVP_PKEY *key[ANCHORS];
    EVP_PKEY *device, *rsa2048, *rsa3072, *p384, *p521, *ed25519;
    dt_guid tenant;
} g;

static X509 *make_ca(char const *cn, EVP_PKEY *key, int by)
{
    cert_spec spec = {.cn = cn,
                      .key = key,
                      .issuer = by < 0 ? NULL : g.ca[by],
                      .issuer_key = by < 0 ? NULL : g.key[by],
                      .extensions = {CA_ALL}};
    return cert_make(&spec);
}

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < ANCHORS; i++)
        g.key[i] = cert_key("P-256");
    g.ca[COMPANY] = make_ca("company", g.key[COMPANY], -1);
    g.ca[OWN] = make_ca("own rules", g.key[OWN], -1);
    g.ca[SUB] = make_ca("sub", g.key[SUB], COMPANY);
    g.device = cert_key("P-256");
    g.rsa2048 = cert_key("rsa2048");
    g.rsa3072 = cert_key("rsa3072");
    g.p384 = cert_key("P-384");
    g.p521 = cert_key("P-521");
    g.ed25519 = cert_key("ed25519");
    assert_int_equal(dt_guid_parse(dt_bytes_str(TENANT), &g.tenant), DT_OK);
    return 0;
}

static int tear_down(void **state)
{
    EVP_PKEY *keys[] = {g.device, g.rsa2048, g.rsa3072, g.p384, g.p521, g.ed25519};

    (void)state;
    for (int i = 0; i < ANCHORS; i++) {
        X509_free(g.ca[i]);
        EVP_PKEY_free(g.key[i]);
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        EVP_PKEY_free(keys[i]);
    pki_forget();
    return 0;
}

/* --- a store ------------------------------------------------------------------------------------ */

/* Up to three keys of the section. */
typedef struct rule {
    char const *name, *value;
} rule;

static dt_config *config_with(char const *name, rule const rules[3])
{
    char section[DT_CONFIG_SECTION_MAX];
    dt_config *c = NULL;
    dt_error e = {0};

    snprintf(section, sizeof(section), "ca %s", name);
    assert_int_equal(dt_config_new(&c, &e), DT_OK);
    assert_int_equal(dt_config_open_section(c, "f", 1, section, &e), DT_OK);
    assert_int_equal(dt_config_set(c, "f", 2, section, "certificate_file", "/ca", &e), DT_OK);
    for (int i = 0; i < 3 && rules != NULL && rules[i].name != NULL; i++) {
        if (dt_config_set(c, "f", 3, section, rules[i].name, rules[i].value, &e) < 0)
            fail_msg("%s", e.text);
    }
    return c;
}

static int add_named(dt_trust_store *s, char const *name, rule const rules[3], X509 *ca,
                     dt_error *e)
{
    dt_config *c = config_with(name, rules);
    dt_buf pem;
    int rc;

    dt_buf_init(&pem, 65536);
    cert_pem(ca, &pem);
    rc = dt_trust_store_add_ca(s, c->cas[0], dt_buf_bytes(&pem), e);
    dt_buf_free(&pem);
    dt_config_free(&c); /* the rules were copied */
    return rc;
}

static dt_trust_store *store_with(X509 *company, bool shared)
{
    dt_trust_store *s = NULL;
    dt_error e = {0};
    dt_buf pem;

    assert_int_equal(dt_trust_store_new(&s), DT_OK);
    dt_buf_init(&pem, 65536);
    cert_pem(company, &pem);
    if (dt_trust_store_add_pem(s, dt_buf_bytes(&pem), shared, &e) < 0)
        fail_msg("%s", e.text);
    dt_buf_free(&pem);
    return s;
}

static dt_reason judge(dt_trust_store const *s, cert_spec const *spec, X509 *above,
                       dt_certificate *out)
{
    X509 *x = cert_make(spec);
    dt_buf der, sent;
    dt_bytes chain;
    dt_error e = {0};
    dt_reason reason;

    dt_buf_init(&der, DT_CERTIFICATE_MAX);
    dt_buf_init(&sent, DT_CERTIFICATE_MAX);
    cert_der(x, &der);
    if (above != NULL)
        cert_der(above, &sent);
    chain = dt_buf_bytes(&sent);
    reason = dt_x509_judge(s, dt_buf_bytes(&der), &chain, above != NULL ? 1 : 0, &g.tenant,
                           DT_SECONDS((dt_time)CERT_NOW), out, &e);
    assert_int_equal(reason == DT_REASON_TRUSTED && !out->not_checked, e.text[0] == '\0');
    if (reason != DT_REASON_TRUSTED)
        print_message("%s: %s\n", dt_reason_name(reason), e.text);
    dt_buf_free(&der);
    dt_buf_free(&sent);
    X509_free(x);
    return reason;
}

/* --- one rule, one certificate ------------------------------------------------------------------ */

typedef struct row {
    char const *why;
    rule rules[3];
    cert_spec leaf;
    dt_reason expect;
    char const *device; /* NULL: none */
} row;

#define NO_RULE                                                                                    \
    {                                                                                              \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }
#define RULES(...)                                                                                 \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define LEAF(...)                                                                                  \
    {                                                                                              \
        .extensions = { CLIENT, __VA_ARGS__ }                                                      \
    }
#define TRUSTED DT_REASON_TRUSTED
#define INVALID DT_REASON_CERTIFICATE_INVALID
#define WRONG_TENANT DT_REASON_WRONG_TENANT

static void expect_rows(row const *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        dt_trust_store *s = store_with(g.ca[COMPANY], false);
        cert_spec leaf = rows[i].leaf;
        dt_certificate cert;
        dt_error e = {0};
        dt_reason reason;

        if (add_named(s, "own", rows[i].rules, g.ca[OWN], &e) < 0)
            fail_msg("%s: %s", rows[i].why, e.text);
        leaf.issuer = g.ca[OWN];
        leaf.issuer_key = g.key[OWN];
        leaf.key = leaf.key != NULL ? leaf.key : g.device;
        leaf.cn = leaf.cn != NULL ? leaf.cn : "laptop";
        reason = judge(s, &leaf, NULL, &cert);
        if (reason != rows[i].expect)
            fail_msg("%s: %s", rows[i].why, dt_reason_name(reason));
        if (reason == TRUSTED)
            assert_string_equal(cert.ca, "own");
        if (reason == TRUSTED)
            assert_string_equal(cert.device_id.text, rows[i].device != NULL ? rows[i].device : "");
        dt_trust_store_free(&s);
    }
}
#define EXPECT(rows) expect_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void where_the_id_stands(void **state)
{
    (void)state;
    row const rows[] = {
        {"as everywhere", NO_RULE, LEAF(SAN), TRUSTED, GUID},
        {"SAN alone", RULES({"device_id", "san-uri"}), LEAF(SAN), TRUSTED, GUID},
        {"SAN alone, not the extension", RULES({"device_id", "san-uri"}), LEAF(ID), INVALID, NULL},
        {"SAN alone, whatever the extension says", RULES({"device_id", "san-uri"}),
         LEAF(SAN, OTHER_ID), TRUSTED, GUID},
        {"both must agree", NO_RULE, LEAF(SAN, OTHER_ID), INVALID, NULL},
        {"both named must agree", RULES({"device_id", "extension, san-uri"}), LEAF(SAN, OTHER_ID),
         INVALID, NULL},
        {"extension alone", RULES({"device_id", "extension"}), LEAF(SAN, OTHER_ID), TRUSTED, OTHER},
        {"extension alone, not the SAN", RULES({"device_id", "extension"}), LEAF(SAN), INVALID,
         NULL},
        {"common name alone",
         RULES({"device_id", "common-name"}),
         {.cn = OTHER, .extensions = {CLIENT, SAN}},
         TRUSTED,
         OTHER},
        {"common name alone, not the SAN", RULES({"device_id", "common-name"}), LEAF(SAN), INVALID,
         NULL},
        {"no common name",
         RULES({"device_id", "san-uri, extension"}),
         {.cn = OTHER, .extensions = {CLIENT}},
         INVALID,
         NULL},
        {"a broken SAN is broken for everybody",
         RULES({"device_id", "common-name"}),
         {.cn = OTHER,
          .extensions = {CLIENT, {"subjectAltName", "URI:IntuneDeviceId://" GUID "0"}}},
         INVALID,
         NULL},
        {"a serial number names a device only where the rules say so",
         NO_RULE,
         {.serial_number = "PF3ABC12", .extensions = {CLIENT}},
         INVALID,
         NULL},
        {"a serial number, where the rules say so",
         RULES({"device_id", "san-uri, serial-number"}),
         {.serial_number = "PF3ABC12", .extensions = {CLIENT}},
         TRUSTED,
         NULL},
        {"Entra's id is another's", NO_RULE, LEAF(ENTRA_ID, IN_TENANT), INVALID, NULL},
    };
    EXPECT(rows);
}

static void what_entra_signs(void **state)
{
    (void)state;
    rule const entra[3] = {{"device_id", "ms-organization-access"}, {"tenant_id", TENANT}};
    dt_certificate cert;
    dt_error e = {0};
    row const rows[] = {
        {"Entra's device and tenant", RULES(entra[0], entra[1]), LEAF(ENTRA_ID, ENTRA_TENANT),
         TRUSTED, NULL},
        {"another tenant", RULES(entra[0], entra[1]), LEAF(ENTRA_ID, ENTRA_OTHER_TENANT),
         WRONG_TENANT, NULL},
        {"no tenant", RULES(entra[0], entra[1]), LEAF(ENTRA_ID), WRONG_TENANT, NULL},
        {"the other extension goes before", RULES(entra[0], entra[1]),
         LEAF(ENTRA_ID, ENTRA_TENANT, IN_OTHER_TENANT), WRONG_TENANT, NULL},
        {"no device", RULES(entra[0], entra[1]), LEAF(ENTRA_TENANT), INVALID, NULL},
        {"a device of Intune is not Entra's", RULES(entra[0], entra[1]), LEAF(SAN, ENTRA_TENANT),
         INVALID, NULL},
        {"unreadable", RULES(entra[0], entra[1]),
         LEAF({"1.2.840.113556.1.5.284.2", "DER:04:02:01:02"}, ENTRA_TENANT), INVALID, NULL},
        {"its tenant counts there alone", RULES({"tenant_id", TENANT}), LEAF(SAN, ENTRA_TENANT),
         WRONG_TENANT, NULL},
    };
    EXPECT(rows);
    dt_trust_store *s = store_with(g.ca[COMPANY], false);
    assert_int_equal(add_named(s, "entra", entra, g.ca[OWN], &e), DT_OK);
    cert_spec leaf = {.cn = "laptop",
                      .key = g.device,
                      .issuer = g.ca[OWN],
                      .issuer_key = g.key[OWN],
                      .extensions = {CLIENT, ENTRA_ID, ENTRA_TENANT}};
    assert_int_equal(judge(s, &leaf, NULL, &cert), TRUSTED);
    assert_string_equal(cert.entra_id.text, GUID);
    assert_string_equal(cert.tenant_id.text, TENANT);
    dt_trust_store_free(&s);
}

static void entra_id_in_a_common_name(void **state)
{
    (void)state;
    rule const joined[3] = {{"device_id", "san-uri, entra-common-name"}};
    dt_certificate cert;
    dt_error e = {0};
    row const rows[] = {
        {"only where the rules say so",
         NO_RULE,
         {.cn = "host/" GUID, .extensions = {CLIENT}},
         INVALID,
         NULL},
        {"Intune's id goes before",
         RULES(joined[0]),
         {.cn = "host/" OTHER, .extensions = {CLIENT, SAN}},
         TRUSTED,
         GUID},
        {"a realm behind it",
         RULES(joined[0]),
         {.cn = "host/" GUID "@CORP", .extensions = {CLIENT}},
         INVALID,
         NULL},
        {"another service",
         RULES(joined[0]),
         {.cn = "http/" GUID, .extensions = {CLIENT}},
         INVALID,
         NULL},
        {"in braces after host/",
         RULES(joined[0]),
         {.cn = "host/{" GUID "}", .extensions = {CLIENT}},
         INVALID,
         NULL},
        {"no id", RULES(joined[0]), {.cn = "host/laptop", .extensions = {CLIENT}}, INVALID, NULL},
        {"another than Entra's extension",
         RULES({"device_id", "ms-organization-access, entra-common-name"}, {"tenant_id", TENANT}),
         {.cn = "host/" OTHER, .extensions = {CLIENT, ENTRA_ID, ENTRA_TENANT}},
         INVALID,
         NULL},
    };
    EXPECT(rows);
    for (size_t i = 0; i < 2; i++) {
        dt_trust_store *s = store_with(g.ca[COMPANY], false);
        assert_int_equal(add_named(s, "joined", joined, g.ca[OWN], &e), DT_OK);
        cert_spec leaf = {.cn = i == 0 ? GUID : "host/" GUID,
                          .key = g.device,
                          .issuer = g.ca[OWN],
                          .issuer_key = g.key[OWN],
                          .extensions = {CLIENT}};
        assert_int_equal(judge(s, &leaf, NULL, &cert), TRUSTED);
        assert_string_equal(cert.entra_id.text, GUID);
        assert_string_equal(cert.device_id.text, ""); /* never taken for Intune's */
        dt_trust_store_free(&s);
    }
}

static void which_tenant(void **state)
{
    (void)state;
    row const rows[] = {
        {"need not be named", NO_RULE, LEAF(SAN), TRUSTED, GUID},
        {"named, the site's", NO_RULE, LEAF(SAN, IN_TENANT), TRUSTED, GUID},
        {"named, another's", NO_RULE, LEAF(SAN, IN_OTHER_TENANT), WRONG_TENANT, NULL},
        {"must be named", RULES({"tenant_id", TENANT}), LEAF(SAN), WRONG_TENANT, NULL},
        {"is named", RULES({"tenant_id", TENANT}), LEAF(SAN, IN_TENANT), TRUSTED, GUID},
        {"the section's, not the site's", RULES({"tenant_id", OTHER_TENANT}),
         LEAF(SAN, IN_OTHER_TENANT), TRUSTED, GUID},
        {"not the site's", RULES({"tenant_id", OTHER_TENANT}), LEAF(SAN, IN_TENANT), WRONG_TENANT,
         NULL},
    };
    EXPECT(rows);
}

static void what_it_is_for(void **state)
{
    (void)state;
    row const rows[] = {
        {"clients", NO_RULE, {.extensions = {SAN, CLIENT}}, TRUSTED, GUID},
        {"nothing", NO_RULE, {.extensions = {SAN}}, INVALID, NULL},
        {"one of its own",
         RULES({"extended_key_usage", "1.2.3.4.5"}),
         {.extensions = {SAN, {"extendedKeyUsage", "1.2.3.4.5"}}},
         TRUSTED,
         GUID},
        {"clients are not that",
         RULES({"extended_key_usage", "1.2.3.4.5"}),
         {.extensions = {SAN, CLIENT}},
         INVALID,
         NULL},
        {"nor is anything",
         RULES({"extended_key_usage", "1.2.3.4.5"}),
         {.extensions = {SAN, {"extendedKeyUsage", "anyExtendedKeyUsage"}}},
         INVALID,
         NULL},
        {"nor nothing",
         RULES({"extended_key_usage", "1.2.3.4.5"}),
         {.extensions = {SAN}},
         INVALID,
         NULL},
        {"both of two",
         RULES({"extended_key_usage", "1.3.6.1.5.5.7.3.2 , 1.2.3.4.5"}),
         {.extensions = {SAN, {"extendedKeyUsage", "1.2.3.4.5,serverAuth,clientAuth"}}},
         TRUSTED,
         GUID},
        {"the first of two",
         RULES({"extended_key_usage", "1.3.6.1.5.5.7.3.2,1.2.3.4.5"}),
         {.extensions = {SAN, CLIENT}},
         INVALID,
         NULL},
        {"the second of two",
         RULES({"extended_key_usage", "1.3.6.1.5.5.7.3.2,1.2.3.4.5"}),
         {.extensions = {SAN, {"extendedKeyUsage", "1.2.3.4.5"}}},
         INVALID,
         NULL},
    };
    EXPECT(rows);
}

static void which_keys(void **state)
{
    (void)state;
    row const rows[] = {
        {"any", NO_RULE, {.key = g.rsa2048, .extensions = {CLIENT, SAN}}, TRUSTED, GUID},
        {"short",
         RULES({"rsa_bits_min", "3072"}),
         {.key = g.rsa2048, .extensions = {CLIENT, SAN}},
         INVALID,
         NULL},
        {"long enough",
         RULES({"rsa_bits_min", "3072"}),
         {.key = g.rsa3072, .extensions = {CLIENT, SAN}},
         TRUSTED,
         GUID},
        {"other types are not short", RULES({"rsa_bits_min", "3072"}), LEAF(SAN), TRUSTED, GUID},
        {"RSA only", RULES({"keys", "rsa"}), LEAF(SAN), INVALID, NULL},
        {"no RSA",
         RULES({"keys", "p256, p384, p521, ed25519"}),
         {.key = g.rsa2048, .extensions = {CLIENT, SAN}},
         INVALID,
         NULL},
        {"P-256", RULES({"keys", "p256"}), LEAF(SAN), TRUSTED, GUID},
        {"not P-384",
         RULES({"keys", "p256"}),
         {.key = g.p384, .extensions = {CLIENT, SAN}},
         INVALID,
         NULL},
        {"P-384",
         RULES({"keys", "p384"}),
         {.key = g.p384, .extensions = {CLIENT, SAN}},
         TRUSTED,
         GUID},
        {"not P-521",
         RULES({"keys", "p256, p384, ed25519, rsa"}),
         {.key = g.p521, .extensions = {CLIENT, SAN}},
         INVALID,
         NULL},
        {"P-521",
         RULES({"keys", "p521"}),
         {.key = g.p521, .extensions = {CLIENT, SAN}},
         TRUSTED,
         GUID},
        {"Ed25519",
         RULES({"keys", "ed25519"}),
         {.key = g.ed25519, .extensions = {CLIENT, SAN}},
         TRUSTED,
         GUID},
        {"not Ed25519",
         RULES({"keys", "p256, p384, p521, rsa"}),
         {.key = g.ed25519, .extensions = {CLIENT, SAN}},
         INVALID,
         NULL},
    };
    EXPECT(rows);
}

/* --- which CA's rules --------------------------------------------------------------------------- */

static dt_reason judge_under(dt_trust_store const *s, int ca, X509 *above, dt_certificate *out)
{
    cert_spec const leaf = {.cn = OTHER,
                            .key = g.device,
                            .issuer = above != NULL ? above : g.ca[ca],
                            .issuer_key = g.key[ca],
                            .extensions = {CLIENT, SAN}};
    return judge(s, &leaf, above, out);
}

static void rules_are_not_anothers(void **state)
{
    rule const common_name[3] = {{"device_id", "common-name"}}, p384[3] = {{"keys", "p384"}};
    dt_trust_store *s = store_with(g.ca[COMPANY], false);
    dt_certificate cert;
    dt_error e = {0};

    (void)state;
    assert_int_equal(add_named(s, "names", common_name, g.ca[OWN], &e), DT_OK);
    assert_int_equal(add_named(s, "keys", p384, g.ca[SUB], &e), DT_OK);
    assert_int_equal(judge_under(s, COMPANY, NULL, &cert), TRUSTED);
    assert_string_equal(cert.device_id.text, GUID);
    assert_string_equal(cert.ca, "");
    assert_int_equal(judge_under(s, OWN, NULL, &cert), TRUSTED);
    assert_string_equal(cert.device_id.text, OTHER);
    assert_string_equal(cert.ca, "names");
    assert_int_equal(judge_under(s, SUB, NULL, &cert), INVALID);
    assert_string_equal(cert.ca, "keys");
    dt_trust_store_free(&s);
}

/* The CA with rules is below one without: its own rules hold, also when the client sends another of its
 * certificates, so that the chain goes up to the other CA. */
static void the_lowest_ca_rules(void **state)
{
    rule const common_name[3] = {{"device_id", "common-name"}};
    X509 *renamed = make_ca("sub, renamed", g.key[SUB], COMPANY);
    dt_trust_store *s = store_with(g.ca[COMPANY], false);
    dt_certificate cert;
    dt_error e = {0};

    (void)state;
    assert_int_equal(judge_under(s, SUB, g.ca[SUB], &cert), TRUSTED);
    assert_string_equal(cert.device_id.text, GUID);
    assert_int_equal(add_named(s, "below", common_name, g.ca[SUB], &e), DT_OK);
    for (int i = 0; i < 3; i++) {
        X509 *sent[] = {NULL, g.ca[SUB], renamed};
        assert_int_equal(judge_under(s, SUB, sent[i], &cert), TRUSTED);
        assert_string_equal(cert.device_id.text, OTHER);
        assert_string_equal(cert.ca, "below");
    }
    dt_trust_store_free(&s);
    X509_free(renamed);
}

/* Under a CA that signs for every tenant, a section does not do away with the tenant. */
static void a_shared_ca_above_demands_the_tenant(void **state)
{
    X509 *microsoft = make_ca("Microsoft Intune MDM Device CA", g.key[SUB], OWN);
    dt_trust_store *s = store_with(g.ca[COMPANY], true);
    dt_certificate cert;
    dt_error e = {0};

    (void)state;
    assert_int_equal(add_named(s, "own", NULL, g.ca[OWN], &e), DT_OK);
    assert_int_equal(judge_under(s, SUB, microsoft, &cert), WRONG_TENANT);
    dt_trust_store_free(&s);
    X509_free(microsoft);
}

/* --- lists -------------------------------------------------------------------------------------- */

static void put_crl(int ca, dt_buf *out)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = ASN1_TIME_set(NULL, CERT_NOW - 60),
              *to = ASN1_TIME_set(NULL, CERT_NOW + 3600);
    unsigned char *der = NULL;
    int len;

    assert_int_equal(X509_CRL_set_version(crl, 1), 1);
    assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(g.ca[ca])), 1);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, from), 1);
    assert_int_equal(X509_CRL_set1_nextUpdate(crl, to), 1);
    assert_true(X509_CRL_sign(crl, g.key[ca], EVP_sha256()) > 0);
    len = i2d_X509_CRL(crl, &der);
    assert_true(len > 0);
    dt_buf_init(out, 65536);
    dt_buf_put(out, der, (size_t)len);
    OPENSSL_free(der);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    X509_CRL_free(crl);
}

static void revocation_is_each_cas_own(void **state)
{
    rule const require[3] = {{"revocation", "require"}, {"crl_file", "/crl"}};
    rule const soft[3] = {{"revocation", "soft"}, {"crl_file", "/crl"}};
    dt_trust_store *s = store_with(g.ca[COMPANY], false);
    dt_certificate cert;
    dt_error e = {0};
    dt_buf crl, company;

    (void)state;
    put_crl(OWN, &crl);
    put_crl(COMPANY, &company);
    assert_int_equal(add_named(s, "own", require, g.ca[OWN], &e), DT_OK);
    assert_int_equal(add_named(s, "sub", soft, g.ca[SUB], &e), DT_OK);
    assert_int_equal(judge_under(s, OWN, NULL, &cert), DT_REASON_LOOKUP_UNAVAILABLE);
    assert_int_equal(judge_under(s, SUB, NULL, &cert), TRUSTED);
    assert_true(cert.not_checked);
    assert_int_equal(judge_under(s, COMPANY, NULL, &cert), TRUSTED);
    assert_false(cert.not_checked);
    /* A list belongs to the section whose CA signed it. */
    assert_int_equal(dt_trust_store_add_crls(s, dt_buf_bytes(&crl), &e), DT_E_INVALID);
    assert_int_equal(dt_trust_store_add_crls_of(s, "sub", dt_buf_bytes(&crl), &e), DT_E_INVALID);
    assert_int_equal(dt_trust_store_add_crls_of(s, "own", dt_buf_bytes(&company), &e),
                     DT_E_INVALID);
    assert_int_equal(dt_trust_store_add_crls_of(s, "nobody", dt_buf_bytes(&crl), &e),
                     DT_E_NOT_FOUND);
    assert_int_equal(dt_trust_store_add_crls_of(s, "", dt_buf_bytes(&company), &e), DT_E_NOT_FOUND);
    e = (dt_error){0};
    if (dt_trust_store_add_crls_of(s, "own", dt_buf_bytes(&crl), &e) < 0)
        fail_msg("%s", e.text);
    assert_int_equal(judge_under(s, OWN, NULL, &cert), TRUSTED);
    assert_false(cert.not_checked);
    /* What the others want changes nothing there. */
    dt_trust_store_set_revocation(s, DT_REVOCATION_REQUIRE);
    assert_int_equal(judge_under(s, OWN, NULL, &cert), TRUSTED);
    assert_int_equal(judge_under(s, COMPANY, NULL, &cert), DT_REASON_LOOKUP_UNAVAILABLE);
    dt_trust_store_free(&s);
    dt_buf_free(&crl);
    dt_buf_free(&company);
}

/* A responder is asked where the section says so, and that of the section. */
static void ocsp_is_each_cas_own(void **state)
{
    rule const asks[3] = {
        {"revocation", "require"}, {"ocsp", "yes"}, {"ocsp_url", "http://ocsp.example/own"}};
    rule const lists[3] = {{"revocation", "require"}, {"crl_file", "/crl"}};
    dt_ocsp_rules const everywhere = {
        .on = true, .url = "http://ocsp.example/all", .max_age = DT_DAYS(1)};
    dt_trust_store *s = store_with(g.ca[COMPANY], false);
    char const *const urls[ANCHORS] = {
        [COMPANY] = "http://ocsp.example/all", [OWN] = "http://ocsp.example/own", [SUB] = NULL};
    dt_error e = {0};

    (void)state;
    assert_int_equal(add_named(s, "own", asks, g.ca[OWN], &e), DT_OK);
    assert_int_equal(add_named(s, "sub", lists, g.ca[SUB], &e), DT_OK);
    assert_int_equal(dt_trust_store_set_ocsp(s, &everywhere), DT_OK);
    dt_trust_store_set_revocation(s, DT_REVOCATION_REQUIRE);
    for (int i = 0; i < ANCHORS; i++) {
        cert_spec const leaf = {.cn = "laptop",
                                .key = g.device,
                                .issuer = g.ca[i],
                                .issuer_key = g.key[i],
                                .extensions = {CLIENT, SAN}};
        X509 *x = cert_make(&leaf);
        dt_ocsp_question *q = calloc(1, sizeof(*q));
        dt_certificate cert;
        dt_buf der;

        assert_non_null(q);
        dt_buf_init(&der, DT_CERTIFICATE_MAX);
        cert_der(x, &der);
        assert_int_equal(dt_x509_judge_online(s, dt_buf_bytes(&der), NULL, 0, &g.tenant,
                                              DT_SECONDS((dt_time)CERT_NOW), &cert, q, NULL),
                         DT_REASON_LOOKUP_UNAVAILABLE);
        assert_int_equal(q->open, urls[i] != NULL);
        if (urls[i] != NULL)
            assert_string_equal(q->url, urls[i]);
        dt_buf_free(&der);
        free(q);
        X509_free(x);
    }
    dt_trust_store_free(&s);
}

/* --- what is refused when it is read ------------------------------------------------------------- */

static void refuse(dt_trust_store *s, char const *name, rule const rules[3], X509 *ca,
                   char const *what)
{
    dt_error e = {0};
    size_t const before = dt_trust_store_size(s);

    assert_true(add_named(s, name, rules, ca, &e) < 0);
    if (strstr(e.text, what) == NULL)
        fail_msg("wanted \"%s\", got \"%s\"", what, e.text);
    assert_int_equal(dt_trust_store_size(s), before);
}

static void refuses_unfit_sections(void **state)
{
    static char const *const oids[] = {
        "clientAuth",
        "1",
        "1.2.x",
        "1.2,",
        ",1.2",
        "1..2",
        ".1.2",
        "1.2.",
        "9.9.9",
        "1.2 1.3",
        "1.2.3,1.2.4,1.2.5,1.2.6,1.2.7,1.2.8,1.2.9,1.2.10,1.2.11",
        "1.2.11111111111111111111111111111111111111111111111111111111111111111"};
    rule const tenant[3] = {{"tenant_id", TENANT}};
    X509 *microsoft = make_ca("Microsoft Intune MDM Device CA", g.key[OWN], -1);
    X509 *again = make_ca("own, again", g.key[OWN], -1);
    X509 *company_again = make_ca("company, again", g.key[COMPANY], -1);
    dt_trust_store *s = store_with(g.ca[COMPANY], false);
    dt_error e = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(oids) / sizeof(oids[0]); i++) {
        rule const one[3] = {{"extended_key_usage", oids[i]}};
        refuse(s, "own", one, g.ca[OWN], "object identifiers");
    }
    refuse(s, "own", NULL, microsoft, "with a tenant_id");
    refuse(s, "own", NULL, company_again, "is in ca_file or shared_ca_file already");
    assert_int_equal(add_named(s, "first", tenant, microsoft, &e), DT_OK);
    refuse(s, "second", NULL, again, "is in [ca first] already");
    dt_trust_store_free(&s);
    X509_free(microsoft);
    X509_free(again);
    X509_free(company_again);
}

static void there_are_only_so_many(void **state)
{
    dt_trust_store *s = NULL;
    dt_error e = {0};

    (void)state;
    assert_int_equal(dt_trust_store_new(&s), DT_OK);
    for (int i = 0; i <= DT_CONFIG_CAS_MAX; i++) {
        EVP_PKEY *key = cert_key("P-256");
        X509 *ca = make_ca("many", key, -1);
        char name[16];

        snprintf(name, sizeof(name), "ca%d", i);
        assert_int_equal(add_named(s, name, NULL, ca, &e),
                         i < DT_CONFIG_CAS_MAX ? DT_OK : DT_E_LIMIT);
        X509_free(ca);
        EVP_PKEY_free(key);
    }
    dt_trust_store_free(&s);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(where_the_id_stands),
        cmocka_unit_test(what_entra_signs),
        cmocka_unit_test(entra_id_in_a_common_name),
        cmocka_unit_test(which_tenant),
        cmocka_unit_test(what_it_is_for),
        cmocka_unit_test(which_keys),
        cmocka_unit_test(rules_are_not_anothers),
        cmocka_unit_test(the_lowest_ca_rules),
        cmocka_unit_test(a_shared_ca_above_demands_the_tenant),
        cmocka_unit_test(revocation_is_each_cas_own),
        cmocka_unit_test(ocsp_is_each_cas_own),
        cmocka_unit_test(refuses_unfit_sections),
        cmocka_unit_test(there_are_only_so_many),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
