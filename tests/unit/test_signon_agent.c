/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sign-ons with an SSH agent that the person brought along: which of its keys is asked, what counts as
 * a proof, and every lie and silence of an agent. Each both straight on and saved and loaded at each
 * step. */
#include "core/device/device_record.h"
#include "core/device/ssh_agent.h"
#include "core/device/ssh_wire.h"
#include "tests/unit/signon_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 80

static char const ONLY_TRUSTED[] =
    "{\"name\":\"t\",\"application\":\"vpn\",\"rules\":["
    "{\"name\":\"trusted\",\"priority\":1,\"status\":\"ACTIVE\",\"conditions\":"
    "{\"device\":{\"trust\":\"TRUSTED\"}},\"actions\":{\"appSignOn\":{\"access\":\"ALLOW\"}}},"
    "{\"name\":\"rest\",\"priority\":99,\"status\":\"ACTIVE\",\"conditions\":null,"
    "\"actions\":{\"appSignOn\":{\"access\":\"DENY\"}}}]}";

/* --- an agent ------------------------------------------------------------------------------------- */

typedef enum manner {
    HONEST = 0,
    LOCKED,         /* lists nothing */
    LIST_NONSENSE,  /* no list */
    LIST_SILENT,    /* no answer */
    SIGN_REFUSED,   /* the person said no */
    SIGN_SILENT,    /* the person said nothing */
    SIGN_NONSENSE,  /* no signature */
    SIGN_OTHER_KEY, /* by a key that it has as well */
    SIGN_OTHER_BYTES,
    SIGN_BEFORE, /* what it signed in another sign-on */
    SIGN_EMPTY,
    SIGN_SHA1, /* names an algorithm that is none */
} manner;

typedef struct identity {
    uint8_t blob[4096];
    size_t len;
    EVP_PKEY *key; /* NULL: it cannot sign with it */
} identity;

typedef struct fake {
    identity identities[KEYS_MAX];
    size_t count;
    manner how;
    int lists, signs;
    size_t asked; /* of which a signature was wanted last */
    uint8_t before[64];
    dt_time takes; /* for a signature */
} fake;

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    assert_non_null(key);
    return key;
}

static void plain_blob(EVP_PKEY *key, dt_buf *b)
{
    uint8_t raw[32];
    size_t len = sizeof(raw);

    assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &len), 1);
    dt_ssh_put_string(b, dt_bytes_str("ssh-ed25519"));
    dt_ssh_put_string(b, dt_bytes_of(raw, len));
}

static identity *add_key(fake *f)
{
    identity *i = &f->identities[f->count++];
    dt_buf b;

    assert_true(f->count <= KEYS_MAX);
    i->key = new_key();
    dt_buf_init_fixed(&b, i->blob, sizeof(i->blob));
    plain_blob(i->key, &b);
    i->len = b.len;
    return i;
}

static void sign_bytes(EVP_PKEY *key, dt_bytes data, uint8_t out[64])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = 64;

    assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, out, &len, data.p, data.len), 1);
    EVP_MD_CTX_free(ctx);
}

static identity *wanted(fake *f, dt_bytes blob)
{
    for (size_t i = 0; i < f->count; i++) {
        if (dt_bytes_equal(blob, dt_bytes_of(f->identities[i].blob, f->identities[i].len))) {
            f->asked = i;
            return &f->identities[i];
        }
    }
    fail_msg("a signature by a key that the agent does not have");
    return NULL;
}

static int list(fake *f, dt_buf *reply)
{
    f->lists++;
    if (f->how == LIST_SILENT)
        return DT_E_UNAVAILABLE;
    if (f->how == LOCKED || f->how == LIST_NONSENSE) {
        dt_buf_putc(reply, f->how == LOCKED ? 5 : 99);
        return 0;
    }
    dt_buf_putc(reply, 12);
    dt_ssh_put_u32(reply, (uint32_t)f->count);
    for (size_t i = 0; i < f->count; i++) {
        dt_ssh_put_string(reply, dt_bytes_of(f->identities[i].blob, f->identities[i].len));
        dt_ssh_put_string(reply, dt_bytes_str("laptop"));
    }
    return 0;
}

static void put_signature(fake *f, uint8_t const raw[64], dt_buf *reply)
{
    uint8_t storage[256];
    dt_buf b;

    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_ssh_put_string(&b, dt_bytes_str(f->how == SIGN_SHA1 ? "ssh-rsa" : "ssh-ed25519"));
    dt_ssh_put_string(&b, dt_bytes_of(raw, 64));
    dt_buf_putc(reply, 14);
    dt_ssh_put_string(reply, f->how == SIGN_EMPTY ? dt_bytes_of(NULL, 0) : dt_buf_bytes(&b));
}

static int sign(fake *f, dt_bytes rest, dt_buf *reply)
{
    dt_bytes blob = {0}, data = {0};
    uint32_t flags = 0;
    uint8_t raw[64];

    assert_true(dt_ssh_take_string(&rest, &blob) && dt_ssh_take_string(&rest, &data) &&
                dt_ssh_take_u32(&rest, &flags) && rest.len == 0);
    assert_memory_equal(data.p, "SSHSIG", 6);
    assert_int_equal(flags, 4); /* rsa-sha2-512 */
    f->signs++;
    identity *i = wanted(f, blob);

    switch (f->how) {
    case SIGN_SILENT:
        return DT_E_UNAVAILABLE;
    case SIGN_REFUSED:
    case SIGN_NONSENSE:
        dt_buf_putc(reply, f->how == SIGN_REFUSED ? 5 : 6);
        return 0;
    case SIGN_OTHER_KEY:
        i = i == &f->identities[0] ? &f->identities[1] : &f->identities[0];
        break;
    case SIGN_OTHER_BYTES:
        data.len--;
        break;
    default:
        break;
    }
    sign_bytes(i->key, data, raw);
    if (f->how == SIGN_BEFORE)
        memcpy(raw, f->before, sizeof(raw));
    memcpy(f->before, raw, sizeof(raw));
    put_signature(f, raw, reply);
    return 0;
}

static int answer(world *w, dt_agent_request const *q, dt_buf *reply)
{
    fake *f = w->agent_ctx;
    dt_bytes rest = q->message;
    uint32_t len = 0;
    uint8_t type = 0;

    assert_true(q->timeout > 0 && q->timeout <= w->config->device_trust.agent_timeout);
    assert_true(dt_ssh_take_u32(&rest, &len) && len == rest.len && dt_ssh_take_byte(&rest, &type));
    if (type == 11)
        return list(f, reply);
    assert_int_equal(type, 13);
    w->now += f->takes;
    return sign(f, rest, reply);
}

static void end(world *w, fake *f)
{
    world_all_used(w);
    world_close(w);
    for (size_t i = 0; i < f->count; i++)
        EVP_PKEY_free(f->identities[i].key);
    free(f);
}

/* --- a world -------------------------------------------------------------------------------------- */

static fake *open_world(world *w, char const *trusted_when, char const *const more[3])
{
    char const *extra[7] = {"device_trust", "trusted_when", trusted_when};
    fake *f = calloc(1, sizeof(*f));

    for (size_t i = 0; more != NULL && i < 3; i++)
        extra[3 + i] = more[i];
    world_open(w, ONLY_TRUSTED, extra);
    w->agent = answer;
    w->agent_ctx = f;
    return f;
}

static void enrol(world *w, identity const *i, char const *device)
{
    dt_device_record record = {.added = WORLD_START, .name = "laptop", .key_len = i->len};
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];
    world_row *row = w->rows;
    dt_buf text;

    while (row->table != DT_TABLE_NONE)
        row++;
    memcpy(record.key, i->blob, i->len);
    assert_int_equal(dt_guid_parse(dt_bytes_str(device), &record.device_id), 0);
    dt_buf_init_fixed(&text, row->value, sizeof(row->value));
    assert_int_equal(dt_device_record_pack(&record, &text), 0);
    assert_int_equal(dt_crypto_sha256(dt_bytes_of(i->blob, i->len), digest), 0);
    dt_hex(hex, digest, sizeof(digest));
    dt_device_store_key(hex, row->key);
    row->table = DT_TABLE_DEVICE;
    row->len = text.len;
    row->expires = DT_TIME_NEVER;
}

static dt_request request(void)
{
    dt_request r = world_request();

    r.agent = true;
    r.host = "server";
    return r;
}

static void run(world *w)
{
    dt_request r = request();

    world_begin(w, &r);
    assert_int_equal(world_run(w), DT_STEP_DONE);
}

static void assert_trust(world *w, dt_trust trust, dt_reason reason)
{
    dt_verdict const *v = &world_outcome(w)->verdict;

    if (v->trust != trust || v->reason != reason)
        fail_msg("got %s %s (%s)", dt_trust_name(v->trust), dt_reason_name(v->reason),
                 world_outcome(w)->detail);
    assert_int_equal(world_outcome(w)->result, trust == DT_TRUST_TRUSTED ? DT_ALLOW : DT_DENY);
}

/* --- proofs --------------------------------------------------------------------------------------- */

static void test_an_enrolled_key_in_the_agent_proves_the_device(void **state)
{
    world w;
    fake *f = open_world(&w, "ssh-agent+intune", NULL);

    (void)state;
    add_key(f);
    enrol(&w, add_key(f), WORLD_DEVICE);
    add_key(f);
    world_expect(&w, DT_HTTP_GET, "/managedDevices/8b1c5d3e", 200, GRAPH_COMPLIANT);
    run(&w);
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_int_equal(world_outcome(&w)->verdict.sources, DT_SOURCE_SSH_AGENT | DT_SOURCE_INTUNE);
    assert_string_equal(world_outcome(&w)->verdict.device_id.text, WORLD_DEVICE);
    assert_int_equal(strlen(world_outcome(&w)->verdict.key_id), 64);
    assert_int_equal(f->lists, 1);
    assert_int_equal(f->signs, 1); /* of nobody's key but the device's */
    assert_int_equal(f->asked, 1);
    end(&w, f);
}

/* ssh-keygen signs the key of an identity; it stands in the agent with its certificate. */
static identity *add_certificate(fake *f, char const *options, dt_ssh_cas **cas)
{
    char directory[] = "/tmp/dt-test-agent-XXXXXX", command[1024], line[8192] = "";
    identity *plain = add_key(f), *i = &f->identities[f->count++];
    dt_buf b;
    FILE *out;

    assert_non_null(mkdtemp(directory));
    dt_buf_init(&b, sizeof(line));
    dt_base64_encode(&b, dt_bytes_of(plain->blob, plain->len));
    snprintf(command, sizeof(command), "%s/key.pub", directory);
    out = fopen(command, "w");
    assert_non_null(out);
    fprintf(out, "ssh-ed25519 %.*s laptop\n", (int)b.len, (char const *)b.p);
    assert_int_equal(fclose(out), 0);
    snprintf(command, sizeof(command),
             "cd %s && ssh-keygen -q -t ed25519 -N '' -f ca && ssh-keygen -q -s ca %s key.pub && "
             "cat ca.pub && cut -d' ' -f2 key-cert.pub && rm -r %s",
             directory, options, directory);
    out = popen(command, "r");
    assert_non_null(out);
    assert_non_null(fgets(line, sizeof(line), out));
    assert_int_equal(dt_ssh_cas_new(cas), 0);
    assert_int_equal(dt_ssh_cas_add_text(*cas, dt_bytes_str(line), NULL), 0);
    assert_non_null(fgets(line, sizeof(line), out));
    assert_int_equal(pclose(out), 0);
    dt_buf_reset(&b);
    assert_int_equal(dt_base64_decode(&b, dt_bytes_of(line, strcspn(line, "\n"))), 0);
    memcpy(i->blob, b.p, b.len);
    i->len = b.len;
    i->key = plain->key;
    assert_int_equal(EVP_PKEY_up_ref(i->key), 1);
    dt_buf_free(&b);
    return i;
}

#define DEVICE_ID "-n ann -I 8b1c5d3e-0f4a-4c77-9a53-6a1b2c3d4e5f "

static void test_a_certificate_in_the_agent_proves_the_device(void **state)
{
    dt_ssh_cas *cas, *others;
    world w;
    fake *f = open_world(&w, "ssh-agent", NULL);

    (void)state;
    add_certificate(f, DEVICE_ID, &others);
    add_certificate(f, DEVICE_ID, &cas);
    w.ruleset.ssh_cas = cas;
    run(&w);
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_int_equal(f->signs, 1);
    assert_int_equal(f->asked, 3);
    w.ruleset.ssh_cas = NULL;
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    assert_int_equal(f->signs, 1);
    dt_ssh_cas_free(&cas);
    dt_ssh_cas_free(&others);
    end(&w, f);
}

/* Nobody enforces here what sshd would. */
static void test_a_certificate_that_demands_something_is_not_asked(void **state)
{
    static struct {
        char const *options;
        dt_reason reason;
    } const bad[] = {
        {DEVICE_ID "-O force-command=/bin/true", DT_REASON_CERTIFICATE_INVALID},
        {DEVICE_ID "-O source-address=192.0.2.0/24", DT_REASON_CERTIFICATE_INVALID},
        {DEVICE_ID "-V 20000101:20000102", DT_REASON_CERTIFICATE_EXPIRED},
        {DEVICE_ID "-h", DT_REASON_CERTIFICATE_INVALID},
        {"-n ann -I ann", DT_REASON_CERTIFICATE_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        dt_ssh_cas *cas;
        world w;
        fake *f = open_world(&w, "ssh-agent", NULL);

        add_certificate(f, bad[i].options, &cas);
        w.ruleset.ssh_cas = cas;
        run(&w);
        assert_trust(&w, DT_TRUST_NOT_TRUSTED, bad[i].reason);
        assert_int_equal(f->signs, 0);
        dt_ssh_cas_free(&cas);
        end(&w, f);
    }
}

static void test_a_certificate_that_expires_meanwhile_does_not_count(void **state)
{
    dt_ssh_cas *cas;
    world w;
    fake *f = open_world(&w, "ssh-agent", NULL);

    (void)state;
    add_certificate(f, DEVICE_ID "-V 20231114000000Z:20231114221321Z", &cas);
    w.ruleset.ssh_cas = cas; /* a second after WORLD_START */
    f->takes = DT_SECONDS(2);
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_CERTIFICATE_EXPIRED);
    assert_int_equal(f->signs, 1);
    dt_ssh_cas_free(&cas);
    end(&w, f);
}

/* --- lies ----------------------------------------------------------------------------------------- */

static void test_what_is_no_proof_trusts_nobody(void **state)
{
    static struct {
        manner how;
        dt_reason reason;
        int signs;
    } const lies[] = {
        {LOCKED, DT_REASON_NO_CERTIFICATE, 0},
        {LIST_NONSENSE, DT_REASON_NO_PROOF_OF_POSSESSION, 0},
        {LIST_SILENT, DT_REASON_NO_PROOF_OF_POSSESSION, 0},
        {SIGN_REFUSED, DT_REASON_NO_PROOF_OF_POSSESSION, 1},
        {SIGN_SILENT, DT_REASON_NO_PROOF_OF_POSSESSION, 1},
        {SIGN_NONSENSE, DT_REASON_NO_PROOF_OF_POSSESSION, 1},
        {SIGN_OTHER_KEY, DT_REASON_NO_PROOF_OF_POSSESSION, 1},
        {SIGN_OTHER_BYTES, DT_REASON_NO_PROOF_OF_POSSESSION, 1},
        {SIGN_EMPTY, DT_REASON_NO_PROOF_OF_POSSESSION, 1},
        {SIGN_SHA1, DT_REASON_NO_PROOF_OF_POSSESSION, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        world w;
        fake *f = open_world(&w, "ssh-agent", NULL);

        enrol(&w, add_key(f), WORLD_DEVICE);
        add_key(f);
        f->how = lies[i].how;
        run(&w);
        assert_trust(&w, DT_TRUST_NOT_TRUSTED, lies[i].reason);
        assert_int_equal(f->signs, lies[i].signs);
        assert_string_equal(world_outcome(&w)->verdict.key_id, "");
        end(&w, f);
    }
}

static void test_a_signature_seen_before_proves_nothing(void **state)
{
    world w;
    dt_request r = request();
    fake *f = open_world(&w, "ssh-agent", NULL);

    (void)state;
    enrol(&w, add_key(f), WORLD_DEVICE);
    run(&w);
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    f->how = SIGN_BEFORE;
    run(&w); /* the script does replay it: the very same sign-on takes it */
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    r.random[31] ^= 1;
    world_begin(&w, &r);
    world_run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_PROOF_OF_POSSESSION);
    char const *hosts[] = {"server", "other"}, *users[] = {"bob", "ann"};

    for (int i = 0; i < 2; i++) {
        r = request();
        r.host = hosts[i];
        r.user = users[i];
        world_begin(&w, &r);
        world_run(&w);
        assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_PROOF_OF_POSSESSION);
    }
    end(&w, f);
}

static void test_no_more_than_three_signatures_are_asked_for(void **state)
{
    world w;
    fake *f = open_world(&w, "ssh-agent", NULL);

    (void)state;
    for (int i = 0; i < 5; i++)
        enrol(&w, add_key(f), WORLD_DEVICE);
    f->how = SIGN_REFUSED;
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_PROOF_OF_POSSESSION);
    assert_int_equal(f->signs, 3);
    end(&w, f);
}

static void test_keys_past_the_limit_are_not_looked_at(void **state)
{
    world w;
    fake *f = open_world(&w, "ssh-agent", NULL);

    (void)state;
    for (int i = 0; i < DT_AGENT_IDENTITIES_MAX; i++)
        add_key(f);
    enrol(&w, add_key(f), WORLD_DEVICE);
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    assert_int_equal(f->signs, 0);
    end(&w, f);
}

static void test_no_agent_leaves_the_policy_to_go_on(void **state)
{
    world w;
    dt_request r = request();
    fake *f = open_world(&w, "ssh-agent", NULL);

    (void)state;
    enrol(&w, add_key(f), WORLD_DEVICE);
    w.agent = NULL;
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    w.agent = answer;
    r.agent = false; /* one is there, and the service is none that may bring it */
    world_begin(&w, &r);
    world_run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    assert_int_equal(f->lists, 0);
    end(&w, f);
}

static void test_an_agent_is_not_asked_where_no_rule_names_it(void **state)
{
    world w;
    fake *f = open_world(&w, "ssh-key", NULL);

    (void)state;
    enrol(&w, add_key(f), WORLD_DEVICE);
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    assert_int_equal(f->lists, 0);
    end(&w, f);
}

static void test_an_agent_is_not_asked_where_a_device_is_proved(void **state)
{
    world w;
    dt_request r = request();
    fake *f = open_world(&w, "ssh-agent, certificate", NULL);

    (void)state;
    enrol(&w, add_key(f), "00000000-0000-4000-8000-000000000002");
    r.certificate = dt_bytes_of(w.leaf, w.leaf_len);
    r.handshake_finished = true;
    world_begin(&w, &r);
    world_run(&w);
    assert_trust(&w, DT_TRUST_TRUSTED, DT_REASON_TRUSTED);
    assert_int_equal(f->lists, 0);
    end(&w, f);
}

static void test_a_broken_store_leaves_it_unknown(void **state)
{
    world w;
    fake *f = open_world(&w, "ssh-agent", NULL);

    (void)state;
    enrol(&w, add_key(f), WORLD_DEVICE);
    w.store_broken = true;
    run(&w);
    assert_trust(&w, DT_TRUST_UNKNOWN, DT_REASON_LOOKUP_UNAVAILABLE);
    assert_int_equal(f->signs, 0);
    end(&w, f);
}

static void test_a_key_in_a_file_does_not_count_where_hardware_is_demanded(void **state)
{
    static char const *const hardware[] = {"device_trust", "ssh_require_hardware_key", "yes"};
    dt_ssh_cas *cas;
    world w;
    fake *f = open_world(&w, "ssh-agent", hardware);

    (void)state;
    enrol(&w, add_key(f), WORLD_DEVICE);
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_KEY_NOT_HARDWARE);
    add_certificate(f, DEVICE_ID, &cas);
    w.ruleset.ssh_cas = cas;
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_KEY_NOT_HARDWARE);
    assert_int_equal(f->signs, 0);
    dt_ssh_cas_free(&cas);
    end(&w, f);
}

/* A row that was moved under another key's fingerprint enrols neither. */
static void test_a_record_under_another_key_is_not_believed(void **state)
{
    world w;
    fake *f = open_world(&w, "ssh-agent", NULL);
    char filed[DT_STORE_KEY_MAX];

    (void)state;
    enrol(&w, add_key(f), WORLD_DEVICE);
    enrol(&w, add_key(f), WORLD_DEVICE);
    memcpy(filed, w.rows[0].key, sizeof(filed));
    memcpy(w.rows[0].key, w.rows[1].key, sizeof(filed));
    memcpy(w.rows[1].key, filed, sizeof(filed));
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_CERTIFICATE);
    assert_int_equal(f->signs, 0);
    end(&w, f);
}

/* --- time ----------------------------------------------------------------------------------------- */

static void test_all_questions_together_take_no_longer_than_allowed(void **state)
{
    world w;
    fake *f = open_world(&w, "ssh-agent", NULL);

    (void)state;
    for (int i = 0; i < 3; i++)
        enrol(&w, add_key(f), WORLD_DEVICE);
    f->how = SIGN_REFUSED;
    f->takes = DT_SECONDS(6); /* agent_timeout is 10 s */
    run(&w);
    assert_trust(&w, DT_TRUST_NOT_TRUSTED, DT_REASON_NO_PROOF_OF_POSSESSION);
    assert_int_equal(f->signs, 2);
    end(&w, f);
}

static void test_whoever_leaves_is_not_kept_by_the_agent(void **state)
{
    world w;
    dt_request r = request();
    fake *f = open_world(&w, "ssh-agent", NULL);

    (void)state;
    enrol(&w, add_key(f), WORLD_DEVICE);
    world_begin(&w, &r);
    dt_signon_next(w.machine, w.now, &w.step);
    assert_int_equal(w.step.kind, DT_STEP_AGENT);
    dt_signon_abandon(w.machine, DT_CAUSE_CLIENT_GONE, w.now);
    dt_signon_next(w.machine, w.now, &w.step);
    assert_int_equal(w.step.kind, DT_STEP_DONE);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    assert_int_equal(world_outcome(&w)->cause, DT_CAUSE_CLIENT_GONE);
    end(&w, f);
}

static void test_an_answer_that_was_not_asked_for_denies(void **state)
{
    dt_agent_result const none = {.error = DT_E_NOT_FOUND, .text = ""};
    world w;
    dt_request r = world_request();
    fake *f = open_world(&w, "ssh-key+intune", NULL);

    (void)state;
    r.certificate = dt_bytes_of(w.leaf, w.leaf_len);
    r.handshake_finished = true;
    world_begin(&w, &r);
    if (!dt_signon_is_done(w.machine))
        dt_signon_agent_done(w.machine, &none, w.now);
    world_run(&w);
    assert_int_equal(world_outcome(&w)->result, DT_DENY);
    end(&w, f);
}

int main(void)
{
    struct CMUnitTest const tests[] = {
        WORLD_TWICE(test_an_enrolled_key_in_the_agent_proves_the_device),
        WORLD_TWICE(test_a_certificate_in_the_agent_proves_the_device),
        WORLD_TWICE(test_a_certificate_that_demands_something_is_not_asked),
        WORLD_TWICE(test_a_certificate_that_expires_meanwhile_does_not_count),
        WORLD_TWICE(test_what_is_no_proof_trusts_nobody),
        WORLD_TWICE(test_a_signature_seen_before_proves_nothing),
        WORLD_TWICE(test_no_more_than_three_signatures_are_asked_for),
        WORLD_TWICE(test_keys_past_the_limit_are_not_looked_at),
        WORLD_TWICE(test_no_agent_leaves_the_policy_to_go_on),
        WORLD_TWICE(test_an_agent_is_not_asked_where_no_rule_names_it),
        WORLD_TWICE(test_an_agent_is_not_asked_where_a_device_is_proved),
        WORLD_TWICE(test_a_broken_store_leaves_it_unknown),
        WORLD_TWICE(test_a_key_in_a_file_does_not_count_where_hardware_is_demanded),
        WORLD_TWICE(test_a_record_under_another_key_is_not_believed),
        WORLD_TWICE(test_all_questions_together_take_no_longer_than_allowed),
        WORLD_TWICE(test_whoever_leaves_is_not_kept_by_the_agent),
        WORLD_TWICE(test_an_answer_that_was_not_asked_for_denies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
