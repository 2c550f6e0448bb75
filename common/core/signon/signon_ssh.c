/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSH keys and certificates that were proved, by sshd or by a signature of an agent: which device each is of. */
#include "core/signon/signon_internal.h"

#include <string.h>

/* --- what was presented -------------------------------------------------------------------------- */

/* Of a nibble's hex digit, lower case. */
static unsigned nibble(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

/* As ssh-keygen -l prints it: base64 without padding. */
static void put_fingerprint(dt_buf *out, char const hex[2 * DT_SHA256_LEN + 1])
{
    uint8_t digest[DT_SHA256_LEN];

    for (size_t i = 0; i < sizeof(digest); i++)
        digest[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    dt_buf_puts(out, "SHA256:");
    dt_base64_encode(out, dt_bytes_of(digest, sizeof(digest)));
    while (out->len > 0 && out->p[out->len - 1] == '=')
        dt_buf_truncate(out, out->len - 1);
}

void dt_signon_ssh_note_key(dt_signon *s, dt_source source, char const fingerprint[65])
{
    char name[DT_KEY_NAME_MAX];
    dt_buf b;

    dt_buf_init_fixed(&b, name, sizeof(name));
    put_fingerprint(&b, fingerprint);
    dt_signon_note_key(s, source, name);
}

/* --- certificates -------------------------------------------------------------------------------- */

typedef struct ssh_taking {
    dt_signon *s;
    dt_time now;
} ssh_taking;

dt_ssh_certificate_rules dt_signon_ssh_rules(dt_signon const *s)
{
    return (dt_ssh_certificate_rules){
        .cas = s->ruleset.ssh_cas,
        .device_id = s->ruleset.config->device_trust.ssh_certificate_device_id,
        .hardware = s->ruleset.config->device_trust.ssh_require_hardware_key,
    };
}

/* As sshd logs it: "SHA256:... ID laptop-7". */
void dt_signon_ssh_note_certificate(dt_signon *s, dt_source source, dt_bytes blob)
{
    dt_ssh_certificate c;
    char fingerprint[2 * DT_SHA256_LEN + 1], name[DT_KEY_NAME_MAX];
    dt_buf b;

    if (dt_ssh_certificate_parse(blob, &c, NULL) < 0 ||
        dt_ssh_public_fingerprint(&c.key, fingerprint) < 0)
        return;
    dt_buf_init_fixed(&b, name, sizeof(name));
    put_fingerprint(&b, fingerprint);
    dt_buf_puts(&b, " ID ");
    dt_buf_put_escaped(&b, c.key_id);
    dt_signon_note_key(s, source, name);
}

void dt_signon_ssh_certificate(dt_signon *s, dt_source source, dt_ssh_certificate_use use,
                               dt_bytes blob, dt_time now)
{
    dt_evidence ev = {.source = source, .observed = now};
    dt_ssh_certificate_rules rules = dt_signon_ssh_rules(s);
    dt_ssh_device device;
    dt_error err = {0};

    if (s->outcome.cause != DT_CAUSE_NONE)
        return;
    dt_signon_ssh_note_certificate(s, source, blob);
    if (dt_ssh_cas_count(s->ruleset.ssh_cas) == 0)
        return;
    ev.reason = dt_ssh_certificate_judge(&rules, blob, use, now, &device, &err);
    if (ev.reason == DT_REASON_TRUSTED) {
        ev.finding = DT_FINDING_FOR;
        ev.assurance = DT_PROVED;
        ev.reason = DT_REASON_NONE;
        ev.device_id = device.device_id;
        memcpy(ev.key_id, device.key_id, sizeof(ev.key_id));
    } else {
        dt_signon_detail(s, "%s", err.text);
    }
    dt_signon_add_evidence(s, &ev);
}

/* A certificate whose key sshd verified. */
static void take_ssh_certificate(void *ctx, dt_bytes blob)
{
    ssh_taking const *t = ctx;

    dt_signon_ssh_certificate(t->s, DT_SOURCE_SSH_CERTIFICATE, DT_SSH_USE_SSHD, blob, t->now);
}

void dt_signon_ssh_take(dt_signon *s, dt_bytes info, dt_time now)
{
    ssh_taking t = {.s = s, .now = now};
    dt_error err = {0};

    if (dt_ssh_auth_info_parse(info, &s->scratch->ssh, &err) < 0) {
        s->scratch->ssh.count = 0;
        dt_signon_detail(s, "SSH_AUTH_INFO_0: %s", err.text);
        return;
    }
    for (size_t i = 0; i < s->scratch->ssh.count; i++)
        dt_signon_ssh_note_key(s, DT_SOURCE_SSH_KEY, s->scratch->ssh.items[i].fingerprint);
    dt_ssh_auth_info_certificates(info, take_ssh_certificate, &t);
}

/* --- enrolled keys ------------------------------------------------------------------------------- */

/* The blob of the key that the record enrols, and only if it is the one of this fingerprint. */
static bool record_blob(dt_device_record const *record, char const fingerprint[65], dt_buf *blob)
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];

    if (record->der_len == 0)
        dt_buf_put(blob, record->key, record->key_len);
    else if (dt_x509_ssh_blob(dt_bytes_of(record->der, record->der_len), blob) < 0)
        return false;
    if (dt_buf_error(blob) < 0 || blob->len == 0 ||
        dt_crypto_sha256(dt_buf_bytes(blob), digest) < 0)
        return false;
    dt_hex(hex, digest, sizeof(digest));
    return strcmp(hex, fingerprint) == 0;
}

/* Reads a record; false, and said why, for one that is not of this key. */
static bool take_record(dt_signon *s, dt_bytes text, char const fingerprint[65],
                        dt_device_record *record, dt_buf *blob)
{
    if (dt_device_record_unpack(text, record) < 0) {
        dt_signon_detail(s, "the device registry contains an unreadable record");
        return false;
    }
    if (record_blob(record, fingerprint, blob))
        return true;
    dt_signon_detail(s,
                     "the device registry's record does not contain the SSH key it is filed under");
    return false;
}

bool dt_signon_record_key(dt_signon *s, dt_bytes text, char const fingerprint[65], dt_buf *blob)
{
    dt_device_record record;

    return take_record(s, text, fingerprint, &record, blob);
}

/* A key that was enrolled without a certificate: the administrator said which device it is of. */
static void judge_enrolled_key(dt_signon *s, dt_source source, char const fingerprint[65],
                               dt_device_record const *record, dt_time now)
{
    dt_evidence ev = {.source = source,
                      .finding = DT_FINDING_FOR,
                      .assurance = DT_PROVED,
                      .device_id = record->device_id,
                      .observed = now};

    memcpy(ev.key_id, fingerprint, sizeof(ev.key_id));
    memcpy(ev.device_name, record->name, sizeof(ev.device_name));
    dt_signon_add_evidence(s, &ev);
}

/* A key that is not kept in hardware, where it must be: it speaks against itself, and for nothing. */
static void refuse_soft_key(dt_signon *s, dt_source source, dt_device_record const *record,
                            dt_time now)
{
    dt_evidence ev = {.source = source,
                      .reason = DT_REASON_KEY_NOT_HARDWARE,
                      .device_id = record->device_id,
                      .observed = now};
    dt_certificate cert;

    if (record->der_len > 0 &&
        dt_x509_read(dt_bytes_of(record->der, record->der_len), &cert, NULL) == DT_OK)
        ev.device_id = cert.device_id;
    dt_signon_detail(s, "%s: the key is not in a security key (sk-)", dt_source_name(source));
    dt_signon_add_evidence(s, &ev);
}

void dt_signon_ssh_record(dt_signon *s, dt_source source, char const fingerprint[65], bool hardware,
                          dt_bytes text, dt_time now)
{
    uint8_t storage[4096];
    dt_device_record record;
    dt_buf blob;

    dt_buf_init_fixed(&blob, storage, sizeof(storage));
    if (!take_record(s, text, fingerprint, &record, &blob))
        return;
    if (s->ruleset.config->device_trust.ssh_require_hardware_key && !hardware)
        refuse_soft_key(s, source, &record, now);
    else if (record.der_len == 0)
        judge_enrolled_key(s, source, fingerprint, &record, now);
    else
        dt_signon_certificate(s, source, dt_bytes_of(record.der, record.der_len), NULL, 0, true,
                              now);
}

/* The registry could not be read: whether the key is enrolled is not known. */
void dt_signon_ssh_unknown(dt_signon *s, dt_source source, dt_time now)
{
    dt_evidence ev = {.source = source,
                      .assurance = DT_PROVED,
                      .finding = DT_FINDING_UNKNOWN,
                      .reason = DT_REASON_LOOKUP_UNAVAILABLE,
                      .observed = now};

    dt_signon_add_evidence(s, &ev);
}

bool dt_signon_ssh_begin(dt_signon *s, dt_time now)
{
    (void)now;
    if (s->ssh_at >= s->scratch->ssh.count)
        return false;
    dt_signon_set_phase(s, DT_PHASE_SSH_GET);
    return true;
}

/* --- the phases ---------------------------------------------------------------------------------- */

static int render_ssh_get(dt_signon *s, dt_buf *value, dt_time now)
{
    (void)value;
    (void)now;
    dt_signon_store(s, DT_TABLE_DEVICE, DT_STORE_GET);
    dt_device_store_key(s->scratch->ssh.items[s->ssh_at].fingerprint, s->scratch->store.key);
    return DT_OK;
}

static void ssh_done(dt_signon *s, dt_store_result const *r, dt_time now)
{
    dt_ssh_key const *key = &s->scratch->ssh.items[s->ssh_at];

    if (r->status == DT_STORE_OK)
        dt_signon_ssh_record(s, DT_SOURCE_SSH_KEY, key->fingerprint, key->hardware, r->value, now);
    else if (r->status == DT_STORE_ERROR)
        dt_signon_ssh_unknown(s, DT_SOURCE_SSH_KEY, now);
    s->ssh_at++;
    dt_signon_collect(s);
}

static bool has_ssh_key(dt_signon const *s)
{
    return s->ssh_at < s->scratch->ssh.count;
}

dt_phase_row const dt_row_ssh_get = {
    .kind = DT_PHASE_IS_STORE,
    .part = DT_PART_EVIDENCE,
    .render = render_ssh_get,
    .store_done = ssh_done,
    .has_fields = has_ssh_key,
};
