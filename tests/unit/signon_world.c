/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scripted world of the sign-on tests: see signon_world.h. */
#include "signon_world.h"

#include "signon_policies.h"

#include "core/ruleset/config_check.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char const WORLD_DEVICE[] = "8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e5f";
char const WORLD_SERIAL[] = "pf-3Abc 12";

char const OKTA_USER[] =
    "{\"id\":\"00u1\",\"status\":\"ACTIVE\",\"profile\":{\"login\":\"ann@example.com\"}}";
char const OKTA_FACTORS[] =
    "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"},"
    "{\"id\":\"ost1\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":"
    "\"ACTIVE\"},"
    "{\"id\":\"sms1\",\"factorType\":\"sms\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"}]";
char const OKTA_FACTORS_MANY[] =
    "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"},"
    "{\"id\":\"opf2\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"INACTIVE\"},"
    "{\"id\":\"ost1\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":"
    "\"ACTIVE\"},"
    "{\"id\":\"uft2\",\"factorType\":\"token:software:totp\",\"provider\":\"GOOGLE\",\"status\":"
    "\"ACTIVE\"},"
    "{\"id\":\"uft3\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\",\"status\":"
    "\"ACTIVE\"}]";
char const OKTA_FACTORS_TOTP[] =
    "[{\"id\":\"ost1\",\"factorType\":\"token:software:totp\",\"provider\":\"OKTA\","
    "\"status\":\"ACTIVE\"}]";
char const OKTA_FACTORS_PUSH[] =
    "[{\"id\":\"opf1\",\"factorType\":\"push\",\"provider\":\"OKTA\",\"status\":\"ACTIVE\"}]";
#define LINKS(number)                                                                              \
    "{\"factorResult\":\"WAITING\"," number "\"_links\":{\"poll\":{\"href\":"                      \
    "\"https://example.okta.com/api/v1/users/00u1/factors/opf1/transactions/v2mst1\"},"            \
    "\"cancel\":{\"href\":\"https://example.okta.com/api/v1/users/00u1/factors/opf1/transactions/" \
    "mst1\"}}}"
#define NUMBER_42 "\"_embedded\":{\"challenge\":{\"correctAnswer\":42}},"
char const OKTA_PUSH[] = LINKS("");
char const OKTA_PUSH_NUMBER[] = LINKS(NUMBER_42);
char const OKTA_WAITING[] = LINKS("");
char const OKTA_WAITING_NUMBER[] = LINKS(NUMBER_42);
char const OKTA_SUCCESS[] = "{\"factorResult\":\"SUCCESS\"}";
char const OKTA_REJECTED[] = "{\"factorResult\":\"REJECTED\"}";
char const OKTA_TIMEOUT[] = "{\"factorResult\":\"TIMEOUT\"}";
char const OKTA_WRONG_CODE[] =
    "{\"errorCode\":\"E0000068\",\"errorSummary\":\"Invalid Passcode/Answer\",\"errorCauses\":[]}";
char const OKTA_RATE_LIMITED[] = "{\"errorCode\":\"E0000047\",\"errorSummary\":\"API call exceeded "
                                 "rate limit\",\"errorCauses\":[]}";
char const OKTA_INVALID_TOKEN[] =
    "{\"errorCode\":\"E0000011\",\"errorSummary\":\"Invalid token provided\",\"errorCauses\":[]}";
char const OKTA_BROKEN[] = "<html>oops";
#define GRAPH(state)                                                                               \
    "{\"id\":\"8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e5f\",\"complianceState\":\"" state "\","          \
    "\"managementState\":\"managed\",\"operatingSystem\":\"Windows\",\"deviceName\":\"LAPTOP-1\"," \
    "\"azureADDeviceId\":\"11111111-2222-3333-4444-555555555555\","                                \
    "\"lastSyncDateTime\":\"2023-11-14T20:00:00Z\",\"userPrincipalName\":\"ann@example.com\"}"
char const GRAPH_COMPLIANT[] = GRAPH("compliant");
char const GRAPH_NONCOMPLIANT[] = GRAPH("noncompliant");
char const GRAPH_NOT_FOUND[] =
    "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"not there\"}}";

char const GUIDE[] = POLICY(RULE("trusted", "1", "TRUSTED", ALLOW) "," RULE(
    "not trusted", "2", "NOT_TRUSTED", MFA("EVERY_SIGN_ON")));
char const DAILY[] = POLICY(RULE("trusted", "1", "TRUSTED", MFA("ONCE_A_DAY")) "," RULE(
    "not trusted", "2", "NOT_TRUSTED", MFA("ONCE_A_DAY")));
char const ONLY_TRUSTED[] = POLICY(RULE("trusted", "1", "TRUSTED", ALLOW));
char const GROUPS[] =
    POLICY("{\"name\":\"staff\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":{\"people\":"
           "{\"groups\":{\"include\":[\"Staff\"]}}},\"actions\":{\"appSignOn\":" ALLOW "}}");

char const SSH_INFO[] = "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8"
                        "QERITFBUWFxgZGhscHR4f\n";

/* --- a CA and a device certificate ------------------------------------------------------------ */

static void add_extension(X509 *cert, X509 *issuer, int nid, char const *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static X509 *make_certificate(char const *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    char uri[128];

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1);
    X509_time_adj_ex(X509_getm_notBefore(cert), -30, 0, &(time_t){WORLD_START / 1000});
    X509_time_adj_ex(X509_getm_notAfter(cert), issuer ? 365 : 3650, 0,
                     &(time_t){WORLD_START / 1000});
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (unsigned char const *)cn, -1, -1, 0);
    if (issuer)
        X509_NAME_add_entry_by_txt(name, "serialNumber", MBSTRING_UTF8,
                                   (unsigned char const *)WORLD_SERIAL, -1, -1, 0);
    X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name);
    X509_set_pubkey(cert, key);
    add_extension(cert, issuer ? issuer : cert, NID_basic_constraints,
                  issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    add_extension(cert, issuer ? issuer : cert, NID_subject_key_identifier, "hash");
    add_extension(cert, issuer ? issuer : cert, NID_authority_key_identifier, "keyid:always");
    if (issuer) {
        add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature");
        add_extension(cert, issuer, NID_ext_key_usage, "clientAuth");
        snprintf(uri, sizeof(uri), "URI:IntuneDeviceId://%s", WORLD_DEVICE);
        add_extension(cert, issuer, NID_subject_alt_name, uri);
    } else {
        add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    assert_true(X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) > 0);
    return cert;
}

static void make_pki(world *w)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = make_certificate("Company Device CA", ca_key, NULL, NULL);
    X509 *leaf = make_certificate("laptop", key, ca, ca_key);
    BIO *bio = BIO_new(BIO_s_mem());
    uint8_t *pem = NULL, *at = w->leaf;
    dt_error e = {0};
    long len;

    PEM_write_bio_X509(bio, ca);
    len = BIO_get_mem_data(bio, (char **)&pem);
    assert_int_equal(dt_trust_store_new(&w->anchors), 0);
    assert_int_equal(dt_trust_store_add_pem(w->anchors, dt_bytes_of(pem, (size_t)len), false, &e),
                     0);
    w->leaf_len = (size_t)i2d_X509(leaf, &at);
    BIO_free(bio);
    X509_free(leaf);
    w->leaf_key = key;
    w->ca = ca;
    w->ca_key = ca_key;
}

static size_t scratch_at(void)
{
    size_t const align = _Alignof(max_align_t);

    return (dt_signon_size() + align - 1) / align * align;
}

static dt_signon_scratch *scratch_of(dt_signon *m)
{
    return (dt_signon_scratch *)(void *)((char *)m + scratch_at());
}

dt_signon *world_machine_new(void)
{
    dt_signon *m = calloc(1, scratch_at() + dt_signon_scratch_size());

    assert_non_null(m);
    dt_signon_attach(m, scratch_of(m));
    return m;
}

void world_machine_spoil(dt_signon *m)
{
    memset(m, 0xaa, scratch_at() + dt_signon_scratch_size());
    dt_signon_attach(m, scratch_of(m));
}

bool world_machine_holds(dt_signon const *m, char const *text)
{
    return memmem(m, scratch_at() + dt_signon_scratch_size(), text, strlen(text)) != NULL;
}

void world_save_and_load(world *w)
{
    dt_buf b;

    dt_buf_init(&b, DT_SIGNON_SAVED_MAX);
    assert_int_equal(dt_signon_save(w->machine, &b), 0);
    world_machine_spoil(w->machine);
    assert_int_equal(dt_signon_load(w->machine, &w->ruleset, dt_buf_bytes(&b)), 0);
    dt_buf_free(&b);
}

/* As a driver keeps a machine that waits: nothing of it is lost. */
static void pack_and_unpack(world *w)
{
    dt_signon *before = malloc(dt_signon_size());
    dt_buf b, again;

    assert_non_null(before);
    memcpy(before, w->machine, dt_signon_size());
    dt_buf_init(&b, DT_SIGNON_PACKED_MAX);
    dt_buf_init(&again, DT_SIGNON_PACKED_MAX);
    assert_int_equal(dt_signon_pack(w->machine, &b), 0);
    world_machine_spoil(w->machine);
    assert_int_equal(dt_signon_unpack(w->machine, dt_buf_bytes(&b)), 0);
    assert_memory_equal(w->machine, before, dt_signon_size());
    assert_int_equal(dt_signon_pack(w->machine, &again), 0);
    assert_true(dt_bytes_equal(dt_buf_bytes(&b), dt_buf_bytes(&again)));
    dt_buf_free(&again);
    dt_buf_free(&b);
    free(before);
}

/* Wherever a driver may have to wait, the machine is kept in one form or the other. */
static void between_steps(world *w)
{
    if (w->save_each_step)
        world_save_and_load(w);
    else
        pack_and_unpack(w);
}

/* What a host with the certificate's key answers. */
static void perform_sign(world *w, dt_sign_request const *q)
{
    uint8_t signature[DT_SIGNATURE_MAX];
    size_t len = sizeof(signature);
    dt_sign_result r = {.text = "", .certificate = dt_bytes_of(w->leaf, w->leaf_len)};
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, w->leaf_key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &len, q->nonce, sizeof(q->nonce)), 1);
    EVP_MD_CTX_free(ctx);
    r.signature = dt_bytes_of(signature, len);
    between_steps(w);
    dt_signon_sign_done(w->machine, &r, w->now);
}

/* --- the world -------------------------------------------------------------------------------- */

static char const *const SETTINGS[] = {
    "okta",         "org_url",           "https://example.okta.com",
    "okta",         "api_token_file",    "/etc/devtrust/okta_token",
    "user_name",    "login_suffix",      "@example.com",
    "okta",         "poll_interval",     "4s",
    "intune",       "tenant_id",         "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    "intune",       "client_id",         "99999999-8888-7777-6666-555555555555",
    "intune",       "certificate_file",  "/etc/devtrust/graph.pem",
    "intune",       "key_file",          "/etc/devtrust/graph.key",
    "device_trust", "ca_file",           "/etc/devtrust/ca.pem",
    "device_trust", "enrollment_url",    "https://enrol.example.com/",
    "policy",       "unknown_device_as", "not_trusted",
    NULL,
};

static void configure(dt_config *c, char const *const *triples)
{
    dt_error e = {0};
    int line = 1;

    for (size_t i = 0; triples && triples[i]; i += 3, line++) {
        int rc =
            dt_config_set(c, "test.conf", line, triples[i], triples[i + 1], triples[i + 2], &e);

        if (rc < 0)
            fail_msg("%s", e.text);
    }
}

static bool overridden(char const *const *extra, char const *const *setting)
{
    for (size_t i = 0; extra && extra[i]; i += 3) {
        if (strcmp(extra[i], setting[0]) == 0 && strcmp(extra[i + 1], setting[1]) == 0)
            return true;
    }
    return false;
}

static bool saving;

int world_run_saving(void **state)
{
    (void)state;
    saving = true;
    return 0;
}

int world_run_plain(void **state)
{
    (void)state;
    saving = false;
    return 0;
}

bool world_is_saving(void)
{
    return saving;
}

void world_open(world *w, char const *policy, char const *const *extra)
{
    dt_error e = {0};
    dt_json *root = NULL;

    memset(w, 0, sizeof(*w));
    w->now = WORLD_START;
    w->save_each_step = saving;
    assert_int_equal(dt_config_new(&w->config, &e), 0);
    for (size_t i = 0; SETTINGS[i]; i += 3) {
        char const *one[4] = {SETTINGS[i], SETTINGS[i + 1], SETTINGS[i + 2], NULL};

        if (!overridden(extra, one))
            configure(w->config, one);
    }
    configure(w->config, extra);
    if (dt_config_finish(w->config, "test.conf", &e) < 0 ||
        dt_config_check(w->config, "test.conf", &e) < 0)
        fail_msg("%s", e.text);
    if (dt_json_parse(dt_bytes_str(policy), &root, &e) < 0 ||
        dt_policy_parse(root, "vpn.json", NULL, &w->policy, &e) < 0)
        fail_msg("%s", e.text);
    dt_json_free(&root);
    make_pki(w);
    w->ruleset = (dt_ruleset){.config = w->config, .anchors = w->anchors, .policy = w->policy};
    w->machine = world_machine_new();
}

void world_close(world *w)
{
    EVP_PKEY_free(w->leaf_key);
    EVP_PKEY_free(w->ca_key);
    X509_free(w->ca);
    free(w->machine);
    dt_policy_free(&w->policy);
    dt_trust_store_free(&w->anchors);
    dt_config_free(&w->config);
}

dt_request world_request(void)
{
    dt_request r = {
        .id = "0123456789abcdef0123456789abcdef",
        .application = "vpn",
        .user = "ann",
        .client_ip = "192.0.2.7",
        .nas = "198.51.100.1",
        .station = "192.0.2.7",
        .group_knowledge = DT_GROUPS_KNOWN,
        .conversation = DT_CONVERSATION_LIVE,
        .wait_limit = DT_SECONDS(55),
    };
    return r;
}

dt_request with_certificate(world const *w)
{
    dt_request r = world_request();

    r.certificate = dt_bytes_of(w->leaf, w->leaf_len);
    r.handshake_finished = true;
    return r;
}

void world_begin(world *w, dt_request const *r)
{
    dt_signon_begin(w->machine, &w->ruleset, r, w->now);
}

void world_expect(world *w, dt_http_method method, char const *url_part, int status,
                  char const *body)
{
    assert_true(w->reply_count < WORLD_REPLIES_MAX);
    w->replies[w->reply_count++] =
        (world_reply){.method = method, .url_part = url_part, .status = status, .body = body};
}

void world_expect_failure(world *w, dt_http_method method, char const *url_part,
                          dt_http_failure failure)
{
    world_expect(w, method, url_part, WORLD_FAILS, "");
    w->replies[w->reply_count - 1].failure = failure;
}

void expect_user_and_factors(world *w, char const *factors)
{
    world_expect(w, DT_HTTP_GET, "/api/v1/users/ann%40example.com", 200, OKTA_USER);
    world_expect(w, DT_HTTP_GET, "/api/v1/users/00u1/factors", 200, factors);
}

void expect_push(world *w, char const *reply)
{
    expect_user_and_factors(w, OKTA_FACTORS);
    world_expect(w, DT_HTTP_POST, "/factors/opf1/verify", 201, reply);
}

static void perform_http(world *w, dt_http_request const *q)
{
    bool unscripted = w->org != NULL && w->reply_at >= w->reply_count;
    world_reply const *reply = unscripted ? w->org(w, q) : &w->replies[w->reply_at];
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .error = "",
                          .next_link = ""};

    if (!unscripted && w->reply_at++ >= w->reply_count)
        fail_msg("a request that nobody expected: %s", q->url);
    if (q->method != reply->method || !strstr(q->url, reply->url_part))
        fail_msg("expected %s, got %s", reply->url_part, q->url);
    memcpy(w->last_body, q->body, sizeof(w->last_body));
    r.next_link = reply->next_link != NULL ? reply->next_link : "";
    r.status = reply->status;
    r.body =
        reply->body_len > 0 ? dt_bytes_of(reply->body, reply->body_len) : dt_bytes_str(reply->body);
    r.date = w->now;
    r.took = reply->took;
    if (reply->status == 0) {
        r.failure = DT_HTTP_REFUSED;
        r.error = "https://example.okta.com: no route to host";
    }
    if (reply->status == WORLD_FAILS) {
        r.status = 0;
        r.failure = reply->failure;
        r.error = "https://example.okta.com: failed";
    }
    if (reply->status == WORLD_TIMEOUT) {
        r.status = 0;
        r.failure = DT_HTTP_TIMEOUT;
        r.error = "https://example.okta.com: timed out";
        w->now += q->timeout;
    }
    if (reply->status == 429) {
        r.rate_limit = 100;
        r.rate_remaining = 0;
        r.rate_reset = w->now + DT_SECONDS(3);
    }
    if (!w->save_each_step) /* whose form has no request that is under way */
        pack_and_unpack(w);
    dt_signon_http_done(w->machine, &r, w->now);
}

static world_row *find_row(world *w, dt_store_table table, char const *key)
{
    for (size_t i = 0; i < WORLD_ROWS_MAX; i++) {
        world_row *row = &w->rows[i];

        if (row->table == table && strcmp(row->key, key) == 0) {
            if (row->expires > w->now)
                return row;
            memset(row, 0, sizeof(*row));
        }
    }
    return NULL;
}

world_row *world_find(world *w, dt_store_table table, char const *key_part)
{
    for (size_t i = 0; i < WORLD_ROWS_MAX; i++) {
        if (w->rows[i].table == table && strstr(w->rows[i].key, key_part))
            return &w->rows[i];
    }
    return NULL;
}

static world_row *new_row(world *w, dt_store_op const *op)
{
    world_row *row = find_row(w, op->table, op->key);

    for (size_t i = 0; !row && i < WORLD_ROWS_MAX; i++) {
        if (w->rows[i].table == DT_TABLE_NONE)
            row = &w->rows[i];
    }
    assert_non_null(row);
    row->table = op->table;
    snprintf(row->key, sizeof(row->key), "%s", op->key);
    return row;
}

static void put(world *w, dt_store_op const *op)
{
    world_row *row = new_row(w, op);

    assert_true(op->value.len < sizeof(row->value));
    memcpy(row->value, op->value.p, op->value.len);
    row->len = op->value.len;
    row->expires = op->expires;
}

static void perform_store(world *w, dt_store_op const *op)
{
    dt_store_result r = {.status = DT_STORE_OK};
    world_row *row = find_row(w, op->table, op->key);

    if (row)
        r.value = dt_bytes_of(row->value, row->len);
    if ((op->stranger && w->strangers_refused) ||
        (dt_store_table_is_limit(op->table) ? w->limits_broken : w->store_broken)) {
        r.status = DT_STORE_ERROR;
        snprintf(r.error, sizeof(r.error), "disk I/O error");
    } else if (op->verb == DT_STORE_GET) {
        r.status = row ? DT_STORE_OK : DT_STORE_NOT_FOUND;
    } else if (op->verb == DT_STORE_PUT) {
        put(w, op);
    } else if (op->verb == DT_STORE_DELETE) {
        r.status = row ? DT_STORE_OK : DT_STORE_NOT_FOUND;
        if (row)
            memset(row, 0, sizeof(*row));
    } else if (op->verb == DT_STORE_PUT_IF_ABSENT) {
        r.status = row ? DT_STORE_EXISTS : DT_STORE_OK;
        if (!row)
            put(w, op);
    } else if (op->verb == DT_STORE_REPLACE) {
        bool same = row && dt_bytes_equal(op->expected, r.value);

        r.status = same ? DT_STORE_OK : row ? DT_STORE_EXISTS : DT_STORE_NOT_FOUND;
        if (same)
            put(w, op);
    } else if (op->verb == DT_STORE_COUNT) {
        if (!row) {
            row = new_row(w, op);
            row->expires = op->expires;
        }
        r.status = op->most > 0 && row->count >= op->most ? DT_STORE_EXISTS : DT_STORE_OK;
        r.count = row->count += r.status == DT_STORE_OK;
    } else if (op->verb == DT_STORE_UNCOUNT) {
        r.status = row ? DT_STORE_OK : DT_STORE_NOT_FOUND;
        if (row && --row->count <= 0)
            memset(row, 0, sizeof(*row));
    } else {
        fail_msg("a store operation that nobody expected: %d", (int)op->verb);
    }
    dt_signon_store_done(w->machine, &r, w->now);
}

static void perform_agent(world *w, dt_agent_request const *q)
{
    dt_agent_result r = {.error = DT_E_NOT_FOUND, .text = "no agent was passed on"};
    dt_buf reply;

    dt_buf_init(&reply, DT_AGENT_REPLY_MAX);
    if (w->agent != NULL) {
        r.error = w->agent(w, q, &reply);
        r.text = r.error < 0 ? "the agent's script says so" : "";
        r.reply = dt_buf_bytes(&reply);
    }
    between_steps(w);
    dt_signon_agent_done(w->machine, &r, w->now);
    dt_buf_free(&reply);
}

void world_step(world *w)
{
    switch (w->step.kind) {
    case DT_STEP_HTTP:
        perform_http(w, w->step.http);
        break;
    case DT_STEP_STORE:
        perform_store(w, w->step.store);
        break;
    case DT_STEP_SIGN:
        if (w->host_signs)
            perform_sign(w, w->step.sign);
        else
            dt_signon_sign_done(w->machine, &w->sign, w->now);
        break;
    case DT_STEP_AGENT:
        perform_agent(w, w->step.agent);
        break;
    case DT_STEP_MANAGED:
        dt_signon_managed_done(w->machine, &w->managed, w->now);
        break;
    default:
        fail_msg("the machine waits for somebody");
    }
}

void world_run_to_http(world *w, dt_http_method method, char const *url_part)
{
    for (int i = 0; i < 100; i++) {
        dt_signon_next(w->machine, w->now, &w->step);
        if (w->step.kind == DT_STEP_HTTP && w->step.http->method == method &&
            strstr(w->step.http->url, url_part))
            return;
        world_step(w);
    }
    fail_msg("%s was never asked", url_part);
}

void world_feed(world *w, int status, char const *body)
{
    dt_http_response r = {.failure = DT_HTTP_OK,
                          .status = status,
                          .body = dt_bytes_str(body),
                          .error = "",
                          .rate_limit = -1,
                          .rate_remaining = -1,
                          .next_link = ""};

    if (status == 0)
        r.failure = DT_HTTP_ABANDONED;
    dt_signon_http_done(w->machine, &r, w->now);
}

dt_step_kind world_run(world *w)
{
    for (int i = 0; i < 1000; i++) {
        between_steps(w);
        dt_signon_next(w->machine, w->now, &w->step);
        if (w->step.kind != DT_STEP_HTTP && w->step.kind != DT_STEP_STORE &&
            w->step.kind != DT_STEP_SIGN && w->step.kind != DT_STEP_AGENT &&
            w->step.kind != DT_STEP_MANAGED)
            return w->step.kind;
        world_step(w);
    }
    fail_msg("the machine does not come to rest");
    return DT_STEP_DONE;
}

dt_step_kind world_show(world *w)
{
    assert_int_equal(w->step.kind, DT_STEP_PROMPT);
    dt_signon_prompt_shown(w->machine, w->now);
    return world_run(w);
}

dt_step_kind world_wait(world *w)
{
    assert_int_equal(w->step.kind, DT_STEP_WAIT);
    assert_true(w->step.until < DT_TIME_NEVER);
    w->now = w->step.until > w->now ? w->step.until : w->now;
    return world_run(w);
}

dt_step_kind world_answer(world *w, char const *answer)
{
    bool was_saving = w->save_each_step;
    dt_step_kind kind;

    dt_signon_answer(w->machine, dt_bytes_str(answer), w->now);
    w->save_each_step = false; /* a passcode on its way is never saved */
    kind = world_run(w);
    w->save_each_step = was_saving;
    return kind;
}

void world_all_used(world const *w)
{
    if (w->reply_at != w->reply_count)
        fail_msg("%s was never asked", w->replies[w->reply_at].url_part);
}

dt_outcome const *world_outcome(world const *w)
{
    assert_true(dt_signon_is_done(w->machine));
    return dt_signon_outcome(w->machine);
}

void assert_end(world *w, dt_result result, dt_cause cause)
{
    dt_outcome const *o = world_outcome(w);

    if (o->result != result || o->cause != cause)
        fail_msg("got %s %s (%s), wanted %s", o->result == DT_ALLOW ? "ALLOW" : "DENY",
                 dt_cause_name(o->cause), o->detail, dt_cause_name(cause));
    world_all_used(w);
}

/* --- set-ups of several files ------------------------------------------------------------------ */

char const *const WORLD_HOST_KEY[] = {"device_trust",
                                      "host_certificate_file",
                                      "/etc/devtrust/h.pem",
                                      "device_trust",
                                      "host_key_file",
                                      "/etc/devtrust/h.key",
                                      NULL};
char const *const WORLD_OKTA_UNAVAILABLE_ALLOW[] = {"policy", "okta_unavailable", "allow", NULL};

static void begin_and_show(world *w, dt_request const *r)
{
    world_begin(w, r);
    world_run(w);
    world_show(w);
}

void world_open_at_passcode(world *w, char const *policy, char const *const *extra,
                            dt_request const *r)
{
    world_open(w, policy, extra);
    expect_user_and_factors(w, OKTA_FACTORS_TOTP);
    begin_and_show(w, r);
}

void world_open_at_push(world *w, char const *policy, char const *const *extra, char const *push,
                        dt_request const *r)
{
    world_open(w, policy, extra);
    expect_push(w, push);
    begin_and_show(w, r);
}
