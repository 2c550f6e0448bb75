/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains that the test PKI does not make: CAs that are weak, limited, expired, in the wrong class
 * or hidden behind another certificate, and leaves with one thing wrong. Each starts from a world
 * in which everything is right. */
#include "core/device/x509.h"
#include "edge/x509_internal.h"
#include "tests/unit/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#define GUID "6f9619ff-8b86-4d11-b42d-00c04fc964ff"
#define OTHER "7f9619ff-8b86-4d11-b42d-00c04fc964ff"
#define TENANT "01234567-89ab-4def-8edc-ba9876543210"
/* The same as Windows writes them. */
#define GUID_LE "ff:19:96:6f:86:8b:11:4d:b4:2d:00:c0:4f:c9:64:ff"
#define OTHER_LE "ff:19:96:7f:86:8b:11:4d:b4:2d:00:c0:4f:c9:64:ff"
#define TENANT_LE "67:45:23:01:ab:89:ef:4d:8e:dc:ba:98:76:54:32:10"
#define OTHER_TENANT_LE "67:45:23:02:ab:89:ef:4d:8e:dc:ba:98:76:54:32:10"

#define OID_DEVICE "1.2.840.113556.5.4"
#define OID_TENANT "1.2.840.113556.5.14"

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

#define LEAF_USAGE                                                                                 \
    {                                                                                              \
        "keyUsage", "critical,digitalSignature"                                                    \
    }
#define LEAF_PURPOSE                                                                               \
    {                                                                                              \
        "extendedKeyUsage", "clientAuth"                                                           \
    }
#define LEAF_SAN                                                                                   \
    {                                                                                              \
        "subjectAltName", "URI:IntuneDeviceId://" GUID                                             \
    }
#define LEAF_TENANT                                                                                \
    {                                                                                              \
        OID_TENANT, "DER:04:10:" TENANT_LE                                                         \
    }
#define LEAF_ALL LEAF_USAGE, LEAF_PURPOSE, LEAF_SAN

/* One chain, from the leaf up to the anchor; what is in between is sent by the client. */
#define LINKS_MAX 10
typedef struct world {
    dt_trust_store *anchors;
    X509 *link[LINKS_MAX]; /* 0 is the leaf */
    EVP_PKEY *key[LINKS_MAX];
    int links;
    dt_certificate cert;
    dt_error e;
} world;

static dt_guid g_tenant;
/* Keys are slow to make, and which one it is does not matter to most tests. */
static EVP_PKEY *g_keys[LINKS_MAX];

static EVP_PKEY *own_key(int link)
{
    if (g_keys[link] == NULL)
        g_keys[link] = cert_key("P-256");
    EVP_PKEY_up_ref(g_keys[link]);
    return g_keys[link];
}

static void anchor(world *w, X509 *x, bool shared)
{
    dt_buf pem;
    dt_error e = {0};
    dt_buf_init(&pem, 65536);
    cert_pem(x, &pem);
    if (dt_trust_store_add_pem(w->anchors, dt_buf_bytes(&pem), shared, &e) != 0)
        fail_msg("%s", e.text);
    dt_buf_free(&pem);
}

static world new_world(void)
{
    world w = {0};
    assert_int_equal(dt_trust_store_new(&w.anchors), 0);
    return w;
}

/* Puts a certificate signed by link `by` in place `at`; by = -1 signs itself. */
static void put(world *w, int at, int by, cert_spec spec)
{
    if (spec.key == NULL)
        spec.key = own_key(at);
    if (by >= 0 && spec.issuer == NULL)
        spec.issuer = w->link[by];
    if (by >= 0 && spec.issuer_key == NULL)
        spec.issuer_key = w->key[by];
    w->key[at] = spec.key;
    w->link[at] = cert_make(&spec);
    w->links = at + 1 > w->links ? at + 1 : w->links;
}

static dt_reason judge_with(world *w, dt_guid const *tenant, long seconds)
{
    dt_buf der[LINKS_MAX];
    dt_bytes sent[LINKS_MAX];
    int count = 0;
    for (int i = 0; i < w->links; i++) {
        dt_buf_init(&der[i], DT_CERTIFICATE_MAX);
        cert_der(w->link[i], &der[i]);
        if (i > 0)
            sent[count++] = dt_buf_bytes(&der[i]);
    }
    w->e = (dt_error){0};
    dt_reason const reason = dt_x509_judge(w->anchors, dt_buf_bytes(&der[0]), sent, (size_t)count,
                                           tenant, DT_SECONDS((dt_time)seconds), &w->cert, &w->e);
    assert_int_equal(reason == DT_REASON_TRUSTED, w->e.text[0] == '\0');
    for (int i = 0; i < w->links; i++)
        dt_buf_free(&der[i]);
    return reason;
}

static dt_reason judge(world *w)
{
    return judge_with(w, &g_tenant, CERT_NOW);
}

static void end(world *w)
{
    for (int i = 0; i < w->links; i++) {
        X509_free(w->link[i]);
        EVP_PKEY_free(w->key[i]);
    }
    dt_trust_store_free(&w->anchors);
}

/* Judges, compares, and ends the world. */
static void expect(world *w, dt_reason reason)
{
    dt_reason const got = judge(w);
    if (got != reason)
        print_error("%s: %s\n", dt_reason_name(got), w->e.text);
    assert_int_equal(got, reason);
    end(w);
}

static int set_up(void **state)
{
    (void)state;
    return dt_guid_parse(dt_bytes_str(TENANT), &g_tenant);
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < LINKS_MAX; i++)
        EVP_PKEY_free(g_keys[i]);
    return 0;
}

/* --- leaves: a company root signs each directly -------------------------------------------- */

static world company_world(void)
{
    world w = new_world();
    put(&w, 1, -1, (cert_spec){.cn = "Example Device CA", .extensions = {CA_ALL}});
    anchor(&w, w.link[1], false);
    return w;
}

static void expect_leaf(cert_spec spec, dt_reason reason)
{
    world w = company_world();
    put(&w, 0, 1, spec);
    expect(&w, reason);
}

static void expect_leaf_id(cert_spec spec, char const *id)
{
    world w = company_world();
    put(&w, 0, 1, spec);
    assert_int_equal(judge(&w), DT_REASON_TRUSTED);
    assert_string_equal(w.cert.device_id.text, id);
    end(&w);
}

static void a_right_leaf_is_trusted(void **state)
{
    (void)state;
    expect_leaf((cert_spec){.cn = "laptop", .extensions = {LEAF_ALL}}, DT_REASON_TRUSTED);
    expect_leaf((cert_spec){.cn = "laptop", .extensions = {LEAF_ALL, LEAF_TENANT}},
                DT_REASON_TRUSTED);
    /* Key usage, where missing, forbids nothing (RFC 5280 section 4.2.1.3). */
    expect_leaf((cert_spec){.cn = "laptop", .extensions = {LEAF_PURPOSE, LEAF_SAN}},
                DT_REASON_TRUSTED);
    expect_leaf(
        (cert_spec){
            .cn = "laptop",
            .extensions = {LEAF_USAGE, {"extendedKeyUsage", "serverAuth,clientAuth"}, LEAF_SAN}},
        DT_REASON_TRUSTED);
}

static void the_id_comes_from_the_best_source(void **state)
{
    (void)state;
    cert_extension const bare = {OID_DEVICE, "DER:" GUID_LE};
    cert_extension const wrapped = {OID_DEVICE, "DER:04:10:" GUID_LE};
    expect_leaf_id((cert_spec){.cn = "laptop", .extensions = {LEAF_USAGE, LEAF_PURPOSE, bare}},
                   GUID);
    expect_leaf_id((cert_spec){.cn = "laptop", .extensions = {LEAF_USAGE, LEAF_PURPOSE, wrapped}},
                   GUID);
    expect_leaf_id((cert_spec){.cn = "laptop", .extensions = {LEAF_ALL, bare}}, GUID);
    expect_leaf_id((cert_spec){.cn = GUID, .extensions = {LEAF_USAGE, LEAF_PURPOSE}}, GUID);
    /* Entra's id of the same device in the common name is another GUID, and no contradiction. */
    expect_leaf_id((cert_spec){.cn = OTHER, .extensions = {LEAF_ALL}}, GUID);
    expect_leaf_id((cert_spec){.cn = OTHER, .extensions = {LEAF_USAGE, LEAF_PURPOSE, bare}}, GUID);
}

static void the_tenant_may_be_bare_or_wrapped(void **state)
{
    (void)state;
    expect_leaf(
        (cert_spec){.cn = "laptop", .extensions = {LEAF_ALL, {OID_TENANT, "DER:" TENANT_LE}}},
        DT_REASON_TRUSTED);
    static char const *const wrong[] = {
        "DER:" OTHER_TENANT_LE,
        "DER:04:10:" OTHER_TENANT_LE,
        "DER:04:10:" TENANT_LE ":00",
        "DER:04:11:" TENANT_LE ":00",
        "DER:0c:10:" TENANT_LE,
        "DER:04:0f:" TENANT_LE,
        "DER:00",
        "DER:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00",
        /* Big-endian, as nobody writes it: another GUID. */
        "DER:01:23:45:67:89:ab:4d:ef:8e:dc:ba:98:76:54:32:10",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        expect_leaf((cert_spec){.cn = "laptop", .extensions = {LEAF_ALL, {OID_TENANT, wrong[i]}}},
                    DT_REASON_WRONG_TENANT);
    /* Twice, even twice the same. */
    expect_leaf((cert_spec){.cn = "laptop", .extensions = {LEAF_ALL, LEAF_TENANT, LEAF_TENANT}},
                DT_REASON_WRONG_TENANT);
    expect_leaf(
        (cert_spec){
            .cn = "laptop",
            .extensions = {LEAF_ALL, LEAF_TENANT, {OID_TENANT, "DER:04:10:" OTHER_TENANT_LE}}},
        DT_REASON_WRONG_TENANT);
}

static void refuses_leaves_with_one_thing_wrong(void **state)
{
    (void)state;
    cert_spec const bad[] = {
        /* use */
        {.cn = "laptop", .extensions = {LEAF_USAGE, LEAF_SAN}},
        {.cn = "laptop", .extensions = {LEAF_USAGE, {"extendedKeyUsage", "serverAuth"}, LEAF_SAN}},
        {.cn = "laptop",
         .extensions = {LEAF_USAGE, {"extendedKeyUsage", "anyExtendedKeyUsage"}, LEAF_SAN}},
        {.cn = "laptop",
         .extensions = {{"keyUsage", "critical,keyEncipherment"}, LEAF_PURPOSE, LEAF_SAN}},
        {.cn = "laptop", .extensions = {LEAF_USAGE, {"extendedKeyUsage", "DER:30:00"}, LEAF_SAN}},
        {.cn = "laptop", .extensions = {LEAF_USAGE, {"extendedKeyUsage", "DER:ff"}, LEAF_SAN}},
        /* a CA, or half of one */
        {.cn = "laptop", .extensions = {CA_ALL, LEAF_PURPOSE, LEAF_SAN}},
        {.cn = "laptop",
         .extensions = {CA_CONSTRAINTS,
                        {"keyUsage", "digitalSignature,keyCertSign"},
                        CA_KEY_ID,
                        LEAF_PURPOSE,
                        LEAF_SAN}},
        {.cn = "laptop",
         .extensions = {{"keyUsage", "digitalSignature,keyCertSign"}, LEAF_PURPOSE, LEAF_SAN}},
        /* what nobody here understands, and says it matters */
        {.cn = "laptop", .extensions = {LEAF_ALL, {"1.2.3.4.5", "critical,DER:05:00"}}},
        /* device ids */
        {.cn = "laptop", .extensions = {LEAF_USAGE, LEAF_PURPOSE}},
        {.cn = GUID, .cn2 = OTHER, .extensions = {LEAF_USAGE, LEAF_PURPOSE}},
        {.cn = GUID, .cn2 = GUID, .extensions = {LEAF_USAGE, LEAF_PURPOSE}},
        {.cn = GUID "\0.example.com", .cn_len = 49, .extensions = {LEAF_USAGE, LEAF_PURPOSE}},
        {.cn = "laptop\0x", .cn_len = 8, .extensions = {LEAF_ALL}},
        {.cn = "laptop", .extensions = {LEAF_ALL, {OID_DEVICE, "DER:" OTHER_LE}}},
        {.cn = "laptop", .extensions = {LEAF_ALL, {OID_DEVICE, "DER:00"}}},
        {.cn = "laptop", .extensions = {LEAF_ALL, {OID_DEVICE, "DER:04:10:" GUID_LE ":00"}}},
        {.cn = "laptop",
         .extensions = {LEAF_ALL, {OID_DEVICE, "DER:" GUID_LE}, {OID_DEVICE, "DER:" GUID_LE}}},
        {.cn = "laptop", .extensions = {LEAF_ALL, LEAF_SAN}},
        {.cn = GUID, .extensions = {LEAF_USAGE, LEAF_PURPOSE, {"subjectAltName", "DER:30:02:86"}}},
        {.cn = GUID,
         .extensions = {LEAF_USAGE, LEAF_PURPOSE, {"subjectAltName", "URI:IntuneDeviceId://x"}}},
        {.cn = GUID,
         .extensions = {LEAF_USAGE, LEAF_PURPOSE, {"subjectAltName", "URI:intuneDEVICEid://"}}},
        {.cn = "laptop",
         .extensions = {LEAF_USAGE,
                        LEAF_PURPOSE,
                        {"subjectAltName", "DNS:IntuneDeviceId://" GUID}}},
        {.cn = "laptop",
         .extensions = {LEAF_USAGE,
                        LEAF_PURPOSE,
                        {"subjectAltName", "email:IntuneDeviceId://" GUID}}},
        /* signed with a hash of old */
        {.cn = "laptop", .hash = EVP_sha1(), .extensions = {LEAF_ALL}},
        /* extensions belong to version 3 */
        {.cn = "laptop", .version1 = true, .extensions = {LEAF_ALL}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        world w = company_world();
        put(&w, 0, 1, bad[i]);
        dt_reason const got = judge(&w);
        if (got != DT_REASON_CERTIFICATE_INVALID)
            fail_msg("leaf %zu: %s (%s)", i, dt_reason_name(got), w.e.text);
        end(&w);
    }
}

/* Reading alone, before any judgement, as `devtrustctl device add` does. */
static void reading_refuses_doubled_names(void **state)
{
    (void)state;
    cert_spec const bad[] = {
        {.cn = "laptop", .extensions = {LEAF_ALL, LEAF_SAN}},
        {.cn = "laptop", .extensions = {LEAF_ALL, LEAF_TENANT, LEAF_TENANT}},
        {.cn = "laptop",
         .extensions = {LEAF_ALL, {OID_DEVICE, "DER:" GUID_LE}, {OID_DEVICE, "DER:" GUID_LE}}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        world w = company_world();
        dt_buf der;
        dt_buf_init(&der, DT_CERTIFICATE_MAX);
        put(&w, 0, 1, bad[i]);
        cert_der(w.link[0], &der);
        assert_int_equal(dt_x509_read(dt_buf_bytes(&der), &w.cert, &w.e), DT_E_PARSE);
        dt_buf_free(&der);
        end(&w);
    }
}

static void refuses_weak_and_foreign_keys(void **state)
{
    (void)state;
    static char const *const kinds[] = {"rsa1024", "rsa-pss", "P-224", "secp256k1", "ed448"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        expect_leaf(
            (cert_spec){.cn = "laptop", .key = cert_key(kinds[i]), .extensions = {LEAF_ALL}},
            DT_REASON_CERTIFICATE_INVALID);
}

/* MD5 goes with RSA only. */
static void refuses_hashes_of_old(void **state)
{
    (void)state;
    EVP_MD const *const old[] = {EVP_md5(), EVP_sha1()};
    for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
        world w = new_world();
        put(&w, 1, -1, (cert_spec){.cn = "CA", .key = cert_key("rsa2048"), .extensions = {CA_ALL}});
        anchor(&w, w.link[1], false);
        put(&w, 0, 1, (cert_spec){.cn = "laptop", .hash = old[i], .extensions = {LEAF_ALL}});
        expect(&w, DT_REASON_CERTIFICATE_INVALID);
    }
}

static void a_self_signed_leaf_has_no_issuer(void **state)
{
    (void)state;
    world w = company_world();
    put(&w, 0, -1, (cert_spec){.cn = "laptop", .extensions = {LEAF_ALL}});
    expect(&w, DT_REASON_UNTRUSTED_ISSUER);
    /* Nor when it bears the CA's name, or is a CA itself. */
    w = company_world();
    put(&w, 0, -1, (cert_spec){.cn = "Example Device CA", .extensions = {LEAF_ALL}});
    expect(&w, DT_REASON_UNTRUSTED_ISSUER);
    w = company_world();
    put(&w, 0, -1,
        (cert_spec){.cn = "Example Device CA", .extensions = {CA_ALL, LEAF_PURPOSE, LEAF_SAN}});
    expect(&w, DT_REASON_UNTRUSTED_ISSUER);
}

/* The anchor itself, shown as if it were a device. */
static void an_anchor_is_no_device(void **state)
{
    (void)state;
    world w = new_world();
    put(&w, 0, -1,
        (cert_spec){.cn = "CA",
                    .extensions = {CA_CONSTRAINTS,
                                   {"keyUsage", "critical,keyCertSign,digitalSignature"},
                                   CA_KEY_ID,
                                   LEAF_PURPOSE,
                                   LEAF_SAN}});
    anchor(&w, w.link[0], false);
    expect(&w, DT_REASON_CERTIFICATE_INVALID);
}

static void one_ca_signs_for_another_of_its_name(void **state)
{
    (void)state;
    world w = company_world();
    put(&w, 2, -1, (cert_spec){.cn = "Example Device CA", .extensions = {CA_ALL}});
    put(&w, 0, 2, (cert_spec){.cn = "laptop", .extensions = {LEAF_ALL}});
    expect(&w, DT_REASON_UNTRUSTED_ISSUER);
}

/* --- chains: root 2, intermediate 1 (sent by the client), leaf 0 ---------------------------- */

static void expect_chain(cert_spec root, cert_spec between, bool shared, dt_reason reason)
{
    world w = new_world();
    root.cn = root.cn != NULL ? root.cn : "Example Root";
    between.cn = between.cn != NULL ? between.cn : "Example Issuing CA";
    put(&w, 2, -1, root);
    anchor(&w, w.link[2], shared);
    put(&w, 1, 2, between);
    put(&w, 0, 1, (cert_spec){.cn = "laptop", .extensions = {LEAF_ALL, LEAF_TENANT}});
    expect(&w, reason);
}

static void a_right_chain_is_trusted(void **state)
{
    (void)state;
    cert_spec const root = {.extensions = {CA_ALL}}, between = {.extensions = {CA_ALL}};
    expect_chain(root, between, false, DT_REASON_TRUSTED);
    expect_chain(root, between, true, DT_REASON_TRUSTED);
    /* What CAs made with common tools leave out. */
    expect_chain((cert_spec){.extensions = {CA_CONSTRAINTS}}, between, false, DT_REASON_TRUSTED);
    expect_chain((cert_spec){.extensions = {{"basicConstraints", "CA:TRUE"}}}, between, false,
                 DT_REASON_TRUSTED);
    expect_chain(root, (cert_spec){.extensions = {{"basicConstraints", "CA:TRUE"}, CA_USAGE}},
                 false, DT_REASON_TRUSTED);
    /* The root's own signature proves nothing, so its hash does not matter. */
    expect_chain((cert_spec){.hash = EVP_sha1(), .extensions = {CA_ALL}}, between, false,
                 DT_REASON_TRUSTED);
    /* Limited to what devices need. */
    expect_chain(root, (cert_spec){.extensions = {CA_ALL, LEAF_PURPOSE}}, false, DT_REASON_TRUSTED);
    expect_chain((cert_spec){.extensions = {{"basicConstraints", "critical,CA:TRUE,pathlen:1"},
                                            CA_USAGE,
                                            CA_KEY_ID}},
                 between, false, DT_REASON_TRUSTED);
}

static void refuses_intermediates_with_one_thing_wrong(void **state)
{
    (void)state;
    cert_spec const root = {.extensions = {CA_ALL}};
    cert_spec const bad[] = {
        {.extensions = {{"basicConstraints", "critical,CA:FALSE"}, CA_USAGE}},
        {.extensions = {CA_USAGE}},
        {.version1 = true},
        {.extensions = {CA_CONSTRAINTS, CA_KEY_ID}},
        {.extensions = {CA_CONSTRAINTS, {"keyUsage", "critical,digitalSignature"}, CA_KEY_ID}},
        {.extensions = {CA_ALL, {"extendedKeyUsage", "serverAuth"}}},
        {.extensions = {CA_ALL, {"extendedKeyUsage", "codeSigning,emailProtection"}}},
        {.extensions = {CA_ALL, {"1.2.3.4.5", "critical,DER:05:00"}}},
        {.starts = -1000, .ends = -1, .extensions = {CA_ALL}},
        {.starts = 1000, .ends = 2000, .extensions = {CA_ALL}},
        {.hash = EVP_sha1(), .extensions = {CA_ALL}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (int shared = 0; shared < 2; shared++)
            expect_chain(root, bad[i], shared, DT_REASON_UNTRUSTED_ISSUER);
    }
    cert_spec weak = {.key = cert_key("rsa1024"), .extensions = {CA_ALL}};
    expect_chain(root, weak, false, DT_REASON_UNTRUSTED_ISSUER);
}

static void refuses_roots_with_one_thing_wrong(void **state)
{
    (void)state;
    cert_spec const between = {.extensions = {CA_ALL}};
    cert_spec const bad[] = {
        {.starts = -1000, .ends = -1, .extensions = {CA_ALL}},
        {.starts = 1000, .ends = 2000, .extensions = {CA_ALL}},
        {.extensions = {{"basicConstraints", "critical,CA:TRUE,pathlen:0"}, CA_USAGE, CA_KEY_ID}},
        {.extensions = {CA_ALL, {"extendedKeyUsage", "serverAuth"}}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_chain(bad[i], between, false, DT_REASON_UNTRUSTED_ISSUER);
}

/* A chain of `links` certificates, the anchor included. */
static dt_reason judge_long_chain(int links)
{
    world w = new_world();
    put(&w, links - 1, -1, (cert_spec){.cn = "Root", .extensions = {CA_ALL}});
    anchor(&w, w.link[links - 1], false);
    for (int i = links - 2; i > 0; i--) {
        char const name[] = {'C', 'A', ' ', (char)('0' + i), '\0'};
        put(&w, i, i + 1, (cert_spec){.cn = name, .extensions = {CA_ALL}});
    }
    put(&w, 0, 1, (cert_spec){.cn = "laptop", .extensions = {LEAF_ALL}});
    dt_reason const reason = judge(&w);
    end(&w);
    return reason;
}

static void a_path_has_a_longest_length(void **state)
{
    (void)state;
    for (int links = 2; links <= DT_X509_DEPTH_MAX; links++)
        assert_int_equal(judge_long_chain(links), DT_REASON_TRUSTED);
    assert_int_equal(judge_long_chain(DT_X509_DEPTH_MAX + 1), DT_REASON_UNTRUSTED_ISSUER);
    assert_int_equal(judge_long_chain(DT_X509_DEPTH_MAX + 2), DT_REASON_UNTRUSTED_ISSUER);
}

/* An anchor may be an intermediate whose root is not known. */
static void an_intermediate_may_be_the_anchor(void **state)
{
    (void)state;
    world w = new_world();
    put(&w, 2, -1, (cert_spec){.cn = "Unknown Root", .extensions = {CA_ALL}});
    put(&w, 1, 2, (cert_spec){.cn = "Example Issuing CA", .extensions = {CA_ALL}});
    anchor(&w, w.link[1], false);
    put(&w, 0, 1, (cert_spec){.cn = "laptop", .extensions = {LEAF_ALL}});
    assert_int_equal(judge(&w), DT_REASON_TRUSTED);
    assert_int_equal(judge_with(&w, &g_tenant, CERT_NOW + 31536000L + 1),
                     DT_REASON_UNTRUSTED_ISSUER);
    end(&w);
}

/* --- who must name the tenant --------------------------------------------------------------- */

static void expect_tenant_demanded(world *w)
{
    put(w, 0, 1, (cert_spec){.cn = "laptop", .extensions = {LEAF_ALL}});
    assert_int_equal(judge(w), DT_REASON_WRONG_TENANT);
    X509_free(w->link[0]);
    EVP_PKEY_free(w->key[0]);
    put(w, 0, 1, (cert_spec){.cn = "laptop", .extensions = {LEAF_ALL, LEAF_TENANT}});
    expect(w, DT_REASON_TRUSTED);
}

static void every_shared_anchor_demands_the_tenant(void **state)
{
    (void)state;
    world w = new_world();
    put(&w, 1, -1, (cert_spec){.cn = "A Provider's CA", .extensions = {CA_ALL}});
    anchor(&w, w.link[1], true);
    expect_tenant_demanded(&w);
    /* Also for what an intermediate below it signs. */
    w = new_world();
    put(&w, 2, -1, (cert_spec){.cn = "A Provider's Root", .extensions = {CA_ALL}});
    anchor(&w, w.link[2], true);
    put(&w, 1, 2, (cert_spec){.cn = "A Provider's CA", .extensions = {CA_ALL}});
    expect_tenant_demanded(&w);
}

/* The shared CA below a company root: whoever cross-signed it did not make it the company's own. */
static void a_shared_ca_in_the_middle_demands_the_tenant(void **state)
{
    (void)state;
    world w = new_world();
    put(&w, 2, -1, (cert_spec){.cn = "Example Root", .extensions = {CA_ALL}});
    anchor(&w, w.link[2], false);
    /* Known by its key: the anchor has the same key in another certificate. */
    put(&w, 3, -1, (cert_spec){.cn = "A Provider's CA", .key = own_key(1), .extensions = {CA_ALL}});
    anchor(&w, w.link[3], true);
    put(&w, 1, 2, (cert_spec){.cn = "Cross-signed", .extensions = {CA_ALL}});
    expect_tenant_demanded(&w);
}

static void microsofts_names_demand_the_tenant(void **state)
{
    (void)state;
    static char const *const names[] = {
        "Microsoft Intune MDM Device CA", "Microsoft Intune Root Certification Authority",
        "MICROSOFT INTUNE whatever",      "SC_Online_Issuing",
        "MS-Organization-Access",
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        world w = new_world();
        put(&w, 2, -1, (cert_spec){.cn = "Example Root", .extensions = {CA_ALL}});
        anchor(&w, w.link[2], false);
        put(&w, 1, 2, (cert_spec){.cn = names[i], .extensions = {CA_ALL}});
        expect_tenant_demanded(&w);
        /* And when only the issuer of a company anchor bears the name. */
        w = new_world();
        put(&w, 2, -1, (cert_spec){.cn = names[i], .extensions = {CA_ALL}});
        put(&w, 1, 2, (cert_spec){.cn = "Example Issuing CA", .extensions = {CA_ALL}});
        anchor(&w, w.link[1], false);
        expect_tenant_demanded(&w);
    }
}

/* The same CA in both files: the stricter one counts, in either order. */
static void shared_wins_over_company(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        world w = new_world();
        put(&w, 1, -1, (cert_spec){.cn = "A CA", .extensions = {CA_ALL}});
        anchor(&w, w.link[1], first);
        anchor(&w, w.link[1], !first);
        expect_tenant_demanded(&w);
    }
}

static void a_shared_anchor_beside_changes_nothing(void **state)
{
    (void)state;
    world w = company_world();
    put(&w, 2, -1, (cert_spec){.cn = "A Provider's CA", .extensions = {CA_ALL}});
    anchor(&w, w.link[2], true);
    put(&w, 0, 1, (cert_spec){.cn = "laptop", .extensions = {LEAF_ALL}});
    expect(&w, DT_REASON_TRUSTED);
}

/* --- loading ------------------------------------------------------------------------------- */

static int add_text(dt_bytes pem, bool shared, dt_error *e)
{
    dt_trust_store *s = NULL;
    *e = (dt_error){0};
    assert_int_equal(dt_trust_store_new(&s), 0);
    int const rc = dt_trust_store_add_pem(s, pem, shared, e);
    assert_int_equal(rc == 0, e->text[0] == '\0');
    if (rc != 0)
        assert_int_equal(dt_trust_store_size(s), 0);
    dt_trust_store_free(&s);
    return rc;
}

static int add_one(cert_spec spec, bool shared, dt_error *e)
{
    dt_buf pem;
    dt_buf_init(&pem, 65536);
    spec.key = spec.key != NULL ? spec.key : own_key(1);
    X509 *x = cert_make(&spec);
    cert_pem(x, &pem);
    int const rc = add_text(dt_buf_bytes(&pem), shared, e);
    dt_buf_free(&pem);
    X509_free(x);
    EVP_PKEY_free(spec.key);
    return rc;
}

static void refuses_unfit_anchors(void **state)
{
    (void)state;
    dt_error e;
    assert_int_equal(add_one((cert_spec){.cn = "A", .extensions = {CA_ALL}}, false, &e), 0);
    cert_spec const bad[] = {
        {.cn = "laptop", .extensions = {LEAF_ALL}},
        {.cn = "A", .extensions = {{"basicConstraints", "critical,CA:FALSE"}}},
        {.cn = "A", .extensions = {CA_USAGE}},
        {.cn = "A", .extensions = {CA_CONSTRAINTS, {"keyUsage", "critical,digitalSignature"}}},
        {.cn = "A", .version1 = true},
        {.cn = "A", .key = cert_key("rsa1024"), .extensions = {CA_ALL}},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (bad[i].key != NULL)
            EVP_PKEY_up_ref(bad[i].key);
        assert_int_equal(add_one(bad[i], false, &e), DT_E_INVALID);
        assert_int_equal(add_one(bad[i], true, &e), DT_E_INVALID);
    }
    cert_spec const microsoft = {.cn = "Microsoft Intune MDM Device CA", .extensions = {CA_ALL}};
    assert_int_equal(add_one(microsoft, false, &e), DT_E_INVALID);
    assert_non_null(strstr(e.text, "shared_ca_file"));
    assert_int_equal(add_one(microsoft, true, &e), 0);
}

static void refuses_damaged_pem(void **state)
{
    (void)state;
    dt_buf pem;
    dt_error e;
    dt_buf_init(&pem, 65536);
    EVP_PKEY *key = own_key(1);
    X509 *x = cert_make(&(cert_spec){.cn = "A", .key = key, .extensions = {CA_ALL}});
    cert_pem(x, &pem);
    size_t const one = pem.len;
    cert_pem(x, &pem);
    assert_int_equal(add_text(dt_buf_bytes(&pem), false, &e), 0);
    /* Cut anywhere within the second: it is not silently left out. */
    for (size_t len = one + strlen("-----BEGIN"); len < pem.len - 1; len++) {
        if (add_text(dt_bytes_of(pem.p, len), false, &e) == 0)
            fail_msg("accepted %zu of %zu bytes", len, pem.len);
    }
    /* A flipped byte: refused, or the certificate is as before (white space, the text around). */
    for (size_t i = one; i < pem.len; i++) {
        pem.p[i] ^= 0x01;
        (void)add_text(dt_buf_bytes(&pem), false, &e);
        pem.p[i] ^= 0x01;
    }
    assert_int_equal(add_text((dt_bytes){0}, false, &e), DT_E_PARSE);
    assert_int_equal(add_text(dt_bytes_str("\n# nothing here\n"), false, &e), DT_E_PARSE);
    key_pem(key, &pem);
    assert_int_equal(add_text(dt_buf_bytes(&pem), false, &e), DT_E_PARSE);
    assert_non_null(strstr(e.text, "PRIVATE KEY"));
    dt_buf_free(&pem);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void a_store_has_a_largest_size(void **state)
{
    (void)state;
    dt_buf pem;
    dt_error e;
    dt_buf_init(&pem, DT_PEM_MAX + 4096);
    EVP_PKEY *key = own_key(1);
    X509 *x = cert_make(&(cert_spec){.cn = "A", .key = key, .extensions = {CA_ALL}});
    for (int i = 0; i < DT_ANCHORS_MAX; i++)
        cert_pem(x, &pem);
    assert_int_equal(add_text(dt_buf_bytes(&pem), false, &e), 0);
    cert_pem(x, &pem);
    assert_int_equal(add_text(dt_buf_bytes(&pem), false, &e), DT_E_LIMIT);
    while (pem.len <= DT_PEM_MAX)
        dt_buf_putc(&pem, '\n');
    assert_int_equal(add_text(dt_buf_bytes(&pem), false, &e), DT_E_LIMIT);
    dt_buf_free(&pem);
    X509_free(x);
    EVP_PKEY_free(key);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        cmocka_unit_test(a_right_leaf_is_trusted),
        cmocka_unit_test(the_id_comes_from_the_best_source),
        cmocka_unit_test(the_tenant_may_be_bare_or_wrapped),
        cmocka_unit_test(refuses_leaves_with_one_thing_wrong),
        cmocka_unit_test(reading_refuses_doubled_names),
        cmocka_unit_test(refuses_weak_and_foreign_keys),
        cmocka_unit_test(refuses_hashes_of_old),
        cmocka_unit_test(a_self_signed_leaf_has_no_issuer),
        cmocka_unit_test(an_anchor_is_no_device),
        cmocka_unit_test(one_ca_signs_for_another_of_its_name),
        cmocka_unit_test(a_right_chain_is_trusted),
        cmocka_unit_test(refuses_intermediates_with_one_thing_wrong),
        cmocka_unit_test(refuses_roots_with_one_thing_wrong),
        cmocka_unit_test(a_path_has_a_longest_length),
        cmocka_unit_test(an_intermediate_may_be_the_anchor),
        cmocka_unit_test(every_shared_anchor_demands_the_tenant),
        cmocka_unit_test(a_shared_ca_in_the_middle_demands_the_tenant),
        cmocka_unit_test(microsofts_names_demand_the_tenant),
        cmocka_unit_test(shared_wins_over_company),
        cmocka_unit_test(a_shared_anchor_beside_changes_nothing),
        cmocka_unit_test(refuses_unfit_anchors),
        cmocka_unit_test(refuses_damaged_pem),
        cmocka_unit_test(a_store_has_a_largest_size),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
