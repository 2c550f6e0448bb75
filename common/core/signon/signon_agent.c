/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device's key in an SSH agent that the person brought along, as over sudo: which of the agent's
 * keys could count, a signature over what only this sign-on can have asked for, and what it proves.
 *
 * The agent is the client's. It may lie, keep silent, or ask the person first: all of it ends within
 * agent_timeout, and without a signature that holds it proves nothing. Only a key that is enrolled, or
 * in a good certificate of a device CA, is asked for a signature; the first that is given ends it. */
#include "core/device/evidence_facts.h"
#include "core/signon/signon_internal.h"

#include <string.h>

/* --- the end ---------------------------------------------------------------------------------- */

/* Why nothing is proved; the first reason stands. */
static void failed(dt_signon *s, dt_reason reason, char const *why)
{
    if (s->agent.failed == DT_REASON_NONE)
        s->agent.failed = reason;
    dt_signon_detail(s, "ssh-agent: %s", why);
}

static void give_up(dt_signon *s, dt_time now)
{
    dt_evidence ev = {.source = DT_SOURCE_SSH_AGENT, .reason = s->agent.failed, .observed = now};

    if (s->agent.failed != DT_REASON_NONE)
        dt_signon_add_evidence(s, &ev);
    dt_signon_collect(s);
}

/* The next key that could count, or the end. */
static void next(dt_signon *s, dt_time now)
{
    bool more = s->agent.certificate || s->agent.at < s->agent.count;

    if (!more || s->agent.asked >= DT_SIGNON_AGENT_SIGNATURES_MAX || now >= s->agent.until)
        give_up(s, now);
    else
        dt_signon_set_phase(s, s->agent.certificate ? DT_PHASE_AGENT_SIGN : DT_PHASE_AGENT_KEY_GET);
}

/* The key that was asked about does not count. */
static void pass_over(dt_signon *s, dt_time now)
{
    s->agent.blob_len = 0;
    if (s->agent.certificate)
        s->agent.certificate = false;
    else
        s->agent.at++;
    next(s, now);
}

/* --- the list --------------------------------------------------------------------------------- */

typedef struct listing {
    dt_signon *s;
    dt_time now;
} listing;

/* The first good certificate of a device CA is kept; of what others signed, nothing is of interest. */
static void take_certificate(dt_signon *s, dt_bytes blob, dt_time now)
{
    dt_ssh_certificate_rules rules = dt_signon_ssh_rules(s);
    dt_ssh_device device;
    dt_error why = {0};
    dt_reason reason;

    if (s->agent.certificate || dt_ssh_cas_count(s->ruleset.ssh_cas) == 0)
        return;
    reason = dt_ssh_certificate_judge(&rules, blob, DT_SSH_USE_AGENT, now, &device, &why);
    if (reason == DT_REASON_TRUSTED) {
        memcpy(s->scratch->agent_blob, blob.p, blob.len);
        s->agent.blob_len = blob.len;
        s->agent.certificate = true;
    } else if (reason != DT_REASON_UNTRUSTED_ISSUER) {
        dt_signon_ssh_note_certificate(s, DT_SOURCE_SSH_AGENT, blob);
        failed(s, reason, why.text);
    }
}

static void take_key(dt_signon *s, dt_bytes blob)
{
    size_t const n = s->agent.count;
    dt_ssh_public key;

    if (dt_ssh_public_parse(blob, &key) < 0 || n >= DT_AGENT_IDENTITIES_MAX ||
        dt_crypto_sha256(blob, s->scratch->agent_keys[n].digest) < 0)
        return;
    s->scratch->agent_keys[n].hardware = key.hardware;
    s->agent.count++;
}

static bool take_identity(void *ctx, dt_bytes blob)
{
    listing const *l = ctx;
    dt_bytes rest = blob, type;

    if (blob.len > DT_AGENT_BLOB_MAX || !dt_ssh_take_string(&rest, &type))
        return true;
    if (dt_ssh_is_certificate_type(type))
        take_certificate(l->s, blob, l->now);
    else
        take_key(l->s, blob);
    return true;
}

static void listed(dt_signon *s, dt_agent_result const *r, dt_time now)
{
    listing l = {.s = s, .now = now};
    dt_error e = {0};
    int rc = r->error;

    if (rc < 0)
        (void)dt_error_set(&e, rc, "%s", r->text != NULL ? r->text : "no answer");
    else
        rc = dt_agent_list_read(r->reply, take_identity, &l, &e);
    if (rc == DT_E_NOT_FOUND) { /* nobody brought one, or it is locked */
        dt_signon_detail(s, "ssh-agent: %s", e.text);
        dt_signon_collect(s);
    } else if (rc < 0) {
        failed(s, DT_REASON_NO_PROOF_OF_POSSESSION, e.text);
        give_up(s, now);
    } else {
        next(s, now);
    }
}

/* --- the key ---------------------------------------------------------------------------------- */

static void key_fingerprint(dt_signon const *s, char out[2 * DT_SHA256_LEN + 1])
{
    dt_hex(out, s->scratch->agent_keys[s->agent.at].digest, DT_SHA256_LEN);
}

static int render_key_get(dt_signon *s, dt_buf *value, dt_time now)
{
    char hex[2 * DT_SHA256_LEN + 1];

    if (s->agent.at >= s->agent.count)
        return DT_E_STATE;
    (void)value;
    (void)now;
    key_fingerprint(s, hex);
    dt_signon_store(s, DT_TABLE_DEVICE, DT_STORE_GET);
    dt_device_store_key(hex, s->scratch->store.key);
    return DT_OK;
}

/* Its record, before anything is asked of the agent. */
static void found(dt_signon *s, dt_bytes text, dt_time now)
{
    bool const hardware = s->scratch->agent_keys[s->agent.at].hardware;
    char hex[2 * DT_SHA256_LEN + 1];
    dt_buf blob;

    key_fingerprint(s, hex);
    dt_buf_init_fixed(&blob, s->scratch->agent_blob, sizeof(s->scratch->agent_blob));
    if (!dt_signon_record_key(s, text, hex, &blob)) {
        pass_over(s, now);
        return;
    }
    if (s->ruleset.config->device_trust.ssh_require_hardware_key && !hardware) {
        failed(s, DT_REASON_KEY_NOT_HARDWARE, "the key is not in a security key (sk-)");
        pass_over(s, now);
        return;
    }
    s->agent.blob_len = blob.len;
    dt_signon_set_phase(s, DT_PHASE_AGENT_SIGN);
}

/* Its record once more, now that the agent has signed: what is in force at the end counts. */
static void judge(dt_signon *s, dt_store_result const *r, dt_time now)
{
    char hex[2 * DT_SHA256_LEN + 1];

    key_fingerprint(s, hex);
    if (r->status == DT_STORE_OK)
        dt_signon_ssh_record(s, DT_SOURCE_SSH_AGENT, hex,
                             s->scratch->agent_keys[s->agent.at].hardware, r->value, now);
    dt_signon_collect(s);
}

static void key_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    char hex[2 * DT_SHA256_LEN + 1];

    key_fingerprint(s, hex);
    dt_signon_ssh_note_key(s, DT_SOURCE_SSH_AGENT, hex);
    if (r->status == DT_STORE_ERROR) {
        dt_signon_ssh_unknown(s, DT_SOURCE_SSH_AGENT, now);
        dt_signon_collect(s);
    } else if (s->agent.proved) {
        judge(s, r, now);
    } else if (r->status == DT_STORE_OK) {
        found(s, r->value, now);
    } else {
        pass_over(s, now);
    }
}

/* --- the signature ---------------------------------------------------------------------------- */

int dt_signon_agent_proof(dt_signon const *s, dt_buf *out)
{
    dt_agent_proof const p = {.nonce = dt_bytes_of(s->random, sizeof(s->random)),
                              .id = s->id,
                              .application = s->application,
                              .user = s->who.local,
                              .host = s->scratch->host};

    return dt_agent_proof_put(&p, out);
}

static int check_signature(dt_signon *s, dt_bytes signature)
{
    uint8_t storage[DT_AGENT_PROOF_MAX];
    dt_buf proof;

    dt_buf_init_fixed(&proof, storage, sizeof(storage));
    int const rc = dt_signon_agent_proof(s, &proof);

    if (rc < 0)
        return rc;
    return dt_agent_verify(dt_bytes_of(s->scratch->agent_blob, s->agent.blob_len),
                           dt_buf_bytes(&proof), signature,
                           s->ruleset.config->device_trust.ssh_require_hardware_key);
}

/* The key is proved. A certificate is judged once more: the person may have taken their time. */
static void proved(dt_signon *s, dt_time now)
{
    s->agent.proved = true;
    if (!s->agent.certificate) {
        dt_signon_set_phase(s, DT_PHASE_AGENT_KEY_GET);
        return;
    }
    dt_signon_ssh_certificate(s, DT_SOURCE_SSH_AGENT, DT_SSH_USE_AGENT,
                              dt_bytes_of(s->scratch->agent_blob, s->agent.blob_len), now);
    dt_signon_collect(s);
}

static void signed_or_not(dt_signon *s, dt_agent_result const *r, dt_time now)
{
    dt_bytes signature;
    dt_error e = {0};
    int rc;

    s->agent.asked++;
    if (r->error < 0) { /* whatever comes now could be the answer to this one */
        failed(s, DT_REASON_NO_PROOF_OF_POSSESSION, r->text != NULL ? r->text : "no answer");
        give_up(s, now);
        return;
    }
    rc = dt_agent_signature_read(r->reply, &signature, &e);
    if (rc == DT_OK) {
        rc = check_signature(s, signature);
        (void)dt_error_set(&e, rc, "%s",
                           rc == DT_E_PERMISSION ? "the security key was not touched"
                                                 : "signature verification failed");
        if (rc == DT_OK) {
            proved(s, now);
            return;
        }
    }
    failed(s, DT_REASON_NO_PROOF_OF_POSSESSION, e.text);
    pass_over(s, now);
}

/* --- the agent -------------------------------------------------------------------------------- */

bool dt_signon_agent_begin(dt_signon *s, dt_time now)
{
    dt_guid const *device;

    if (!s->agent.wanted || !dt_signon_trust_rule_names(s, DT_SOURCE_SSH_AGENT) ||
        !dt_evidence_proved_device(&s->scratch->evidence, &device) || device != NULL)
        return false;
    s->agent.wanted = false;
    s->agent.until = now + s->ruleset.config->device_trust.agent_timeout;
    dt_signon_set_phase(s, DT_PHASE_AGENT_LIST);
    return true;
}

/* --- the phases --------------------------------------------------------------------------------- */

/* Nobody waits longer than agent_timeout, and `most`, whatever became of the clock. */
static int render_message(dt_signon *s, dt_buf *message, dt_time most, dt_time now)
{
    dt_time left = s->agent.until - now;

    left = left < s->deadline - now ? left : s->deadline - now;
    left = left < most ? left : most;
    s->scratch->agent_request =
        (dt_agent_request){.message = dt_buf_bytes(message), .timeout = left > 0 ? left : 0};
    return dt_buf_error(message);
}

static int render_list(dt_signon *s, dt_buf *value, dt_time now)
{
    dt_time most = s->ruleset.config->device_trust.agent_timeout;

    dt_agent_list_put(value);
    return render_message(
        s, value, most < DT_SIGNON_AGENT_LIST_TIMEOUT ? most : DT_SIGNON_AGENT_LIST_TIMEOUT, now);
}

static int render_sign(dt_signon *s, dt_buf *value, dt_time now)
{
    uint8_t storage[DT_AGENT_PROOF_MAX];
    dt_buf proof;
    int rc;

    dt_buf_init_fixed(&proof, storage, sizeof(storage));
    rc = dt_signon_agent_proof(s, &proof);
    if (rc < 0)
        return rc;
    dt_agent_sign_put(dt_bytes_of(s->scratch->agent_blob, s->agent.blob_len), dt_buf_bytes(&proof),
                      value);
    return render_message(s, value, s->ruleset.config->device_trust.agent_timeout, now);
}

static bool is_untouched(dt_signon const *s)
{
    return !s->agent.proved && s->agent.count == 0 && s->agent.blob_len == 0;
}

static bool has_key(dt_signon const *s)
{
    return !s->agent.certificate && s->agent.at < s->agent.count;
}

static bool has_blob(dt_signon const *s)
{
    return !s->agent.proved && s->agent.blob_len > 0 &&
           (s->agent.certificate || s->agent.at < s->agent.count);
}

dt_phase_row const dt_row_agent_list = {
    .kind = DT_PHASE_IS_AGENT,
    .part = DT_PART_EVIDENCE,
    .render = render_list,
    .agent_done = listed,
    .has_fields = is_untouched,
};
dt_phase_row const dt_row_agent_key_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_key_get,
    .store_done = key_done,
    .has_fields = has_key,
};
dt_phase_row const dt_row_agent_sign = {
    .kind = DT_PHASE_IS_AGENT,
    .part = DT_PART_EVIDENCE,
    .render = render_sign,
    .agent_done = signed_or_not,
    .has_fields = has_blob,
};
