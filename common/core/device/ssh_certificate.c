/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and judges OpenSSH certificates. The reader takes every byte to the end and nothing after it:
 * what the CA signed and what is believed must be the same. */
#include "core/device/ssh_certificate.h"

#include "core/device/ssh_wire.h"

#include <stdlib.h>
#include <string.h>

#define USER_CERTIFICATE 1
#define FOR_EVER UINT64_MAX
#define KEY_ID_RULE "key-id"
#define EXTENSION_RULE "extension:"

/* --- the CAs ---------------------------------------------------------------------------------- */

struct dt_ssh_cas {
    dt_buf blobs[DT_SSH_CAS_MAX];
    size_t count;
};

int dt_ssh_cas_new(dt_ssh_cas **out)
{
    *out = calloc(1, sizeof(**out));
    return *out != NULL ? DT_OK : DT_E_NOMEM;
}

size_t dt_ssh_cas_count(dt_ssh_cas const *cas)
{
    return cas != NULL ? cas->count : 0;
}

void dt_ssh_cas_free(dt_ssh_cas **cas)
{
    for (size_t i = 0; i < dt_ssh_cas_count(*cas); i++)
        dt_buf_free(&(*cas)->blobs[i]);
    free(*cas);
    *cas = NULL;
}

static bool contains_ca(dt_ssh_cas const *cas, dt_bytes key)
{
    for (size_t i = 0; i < dt_ssh_cas_count(cas); i++) {
        if (dt_bytes_equal(dt_buf_bytes(&cas->blobs[i]), key))
            return true;
    }
    return false;
}

static int add_line(dt_ssh_cas *cas, dt_bytes line, size_t number, dt_error *e)
{
    dt_ssh_public key;
    dt_buf blob;

    while (line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
        line = dt_bytes_of(line.p + 1, line.len - 1);
    if (line.len == 0 || line.p[0] == '#')
        return DT_OK;
    if (cas->count == DT_SSH_CAS_MAX)
        return dt_error_set(e, DT_E_LIMIT, "line %zu: more than %d keys", number, DT_SSH_CAS_MAX);
    dt_buf_init(&blob, DT_SSH_KEY_MAX);
    if (dt_ssh_public_line(line, &blob, &key) == DT_OK) {
        cas->blobs[cas->count++] = blob;
        return DT_OK;
    }
    dt_buf_free(&blob);
    return dt_error_set(e, DT_E_PARSE,
                        "line %zu is not an OpenSSH public key of a CA; use the form that "
                        "ssh-keygen writes, \"TYPE BASE64 COMMENT\", without options in front (RSA "
                        "from 2048 bits, ECDSA, Ed25519, or their sk- types)",
                        number);
}

int dt_ssh_cas_add_text(dt_ssh_cas *cas, dt_bytes text, dt_error *e)
{
    int rc = DT_OK;

    for (size_t line = 1; rc == DT_OK && text.len > 0; line++) {
        uint8_t const *end = memchr(text.p, '\n', text.len);
        size_t const len = end != NULL ? (size_t)(end - text.p) : text.len;
        size_t const shown = len > 0 && text.p[len - 1] == '\r' ? len - 1 : len;
        size_t const used = end != NULL ? len + 1 : len;

        rc = add_line(cas, dt_bytes_of(text.p, shown), line, e);
        text = dt_bytes_of(text.p + used, text.len - used);
    }
    return rc;
}

/* --- the form --------------------------------------------------------------------------------- */

/* Tuples of name and data, in the order of their names, each once. */
static bool options_are_sound(dt_bytes list)
{
    dt_bytes before = {0}, name, data;

    for (int i = 0; list.len > 0; i++) {
        if (i == DT_SSH_OPTIONS_MAX || !dt_ssh_take_string(&list, &name) ||
            !dt_ssh_take_string(&list, &data) || name.len == 0)
            return false;
        size_t const shorter = before.len < name.len ? before.len : name.len;
        int const order = shorter > 0 ? memcmp(before.p, name.p, shorter) : 0;

        if (i > 0 && (order > 0 || (order == 0 && before.len >= name.len)))
            return false;
        before = name;
    }
    return true;
}

static bool principals_are_sound(dt_bytes list)
{
    dt_bytes name;

    while (list.len > 0) {
        if (!dt_ssh_take_string(&list, &name))
            return false;
    }
    return true;
}

static bool take_fields(dt_bytes *rest, dt_ssh_certificate *out)
{
    dt_bytes type, nonce, principals, reserved;

    return dt_ssh_take_string(rest, &type) && dt_ssh_take_string(rest, &nonce) &&
           dt_ssh_public_take(type, rest, &out->key) && dt_ssh_take_u64(rest, &out->serial) &&
           dt_ssh_take_u32(rest, &out->type) && dt_ssh_take_string(rest, &out->key_id) &&
           dt_ssh_take_string(rest, &principals) && dt_ssh_take_u64(rest, &out->valid_after) &&
           dt_ssh_take_u64(rest, &out->valid_before) &&
           dt_ssh_take_string(rest, &out->critical_options) &&
           dt_ssh_take_string(rest, &out->extensions) && dt_ssh_take_string(rest, &reserved) &&
           dt_ssh_take_string(rest, &out->ca_key) && principals_are_sound(principals) &&
           options_are_sound(out->critical_options) && options_are_sound(out->extensions);
}

int dt_ssh_certificate_parse(dt_bytes blob, dt_ssh_certificate *out, dt_error *e)
{
    dt_bytes rest = blob;

    *out = (dt_ssh_certificate){0};
    if (blob.len > DT_SSH_CERTIFICATE_MAX)
        return dt_error_set(e, DT_E_LIMIT, "the SSH certificate is longer than %d bytes",
                            DT_SSH_CERTIFICATE_MAX);
    if (take_fields(&rest, out)) {
        out->signed_part = dt_bytes_of(blob.p, blob.len - rest.len);
        if (dt_ssh_take_string(&rest, &out->signature) && rest.len == 0)
            return DT_OK;
    }
    *out = (dt_ssh_certificate){0};
    return dt_error_set(e, DT_E_PARSE, "the SSH certificate has an unknown format");
}

/* --- the judgement ---------------------------------------------------------------------------- */

static bool is_word(dt_bytes b, char const *word)
{
    return dt_bytes_equal(b, dt_bytes_str(word));
}

/* The data of the option of this name. */
static bool find_option(dt_bytes list, char const *wanted, dt_bytes *data)
{
    dt_bytes name;

    while (dt_ssh_take_string(&list, &name) && dt_ssh_take_string(&list, data)) {
        if (is_word(name, wanted))
            return true;
    }
    return false;
}

static bool options_are_known(dt_bytes list, dt_ssh_certificate_use use)
{
    dt_bytes name, data;

    while (dt_ssh_take_string(&list, &name) && dt_ssh_take_string(&list, &data)) {
        if (use != DT_SSH_USE_SSHD ||
            (!is_word(name, "force-command") && !is_word(name, "source-address") &&
             !is_word(name, "verify-required")))
            return false;
    }
    return true;
}

static dt_reason refuse(dt_error *e, dt_reason reason, char const *why)
{
    (void)dt_error_set(e, DT_E_CRYPTO, "SSH certificate: %s", why);
    return reason;
}

static bool is_signed(dt_ssh_certificate const *c)
{
    dt_ssh_public ca;

    return dt_ssh_public_parse(c->ca_key, &ca) == DT_OK &&
           dt_ssh_verify(&ca, c->signed_part, c->signature, NULL) == DT_OK;
}

static dt_reason judge_time(dt_ssh_certificate const *c, dt_time now, dt_error *e)
{
    uint64_t const seconds = now > 0 ? (uint64_t)now / 1000 : 0;

    if (seconds < c->valid_after)
        return refuse(e, DT_REASON_CERTIFICATE_NOT_YET_VALID, "it is not yet valid");
    if (c->valid_before != FOR_EVER && seconds >= c->valid_before)
        return refuse(e, DT_REASON_CERTIFICATE_EXPIRED, "it has expired");
    return DT_REASON_TRUSTED;
}

static dt_reason judge_hardware(dt_ssh_certificate const *c, dt_error *e)
{
    dt_bytes data;

    if (!c->key.hardware)
        return refuse(e, DT_REASON_KEY_NOT_HARDWARE, "its key is not in a security key (sk-)");
    if (find_option(c->extensions, "no-touch-required", &data))
        return refuse(e, DT_REASON_KEY_NOT_HARDWARE,
                      "it allows signatures without a touch of the security key");
    return DT_REASON_TRUSTED;
}

static dt_reason judge_device(dt_ssh_certificate const *c, char const *rule, dt_guid *out,
                              dt_error *e)
{
    dt_bytes text = c->key_id, data;

    if (strncmp(rule, EXTENSION_RULE, sizeof(EXTENSION_RULE) - 1) == 0) {
        if (!find_option(c->extensions, rule + sizeof(EXTENSION_RULE) - 1, &data) ||
            !dt_ssh_take_string(&data, &text) || data.len != 0)
            return refuse(e, DT_REASON_CERTIFICATE_INVALID,
                          "the extension that names the device is missing, or not a single string");
    } else if (strcmp(rule, KEY_ID_RULE) != 0) {
        return refuse(e, DT_REASON_CERTIFICATE_INVALID,
                      "it is not configured where the device id is");
    }
    if (dt_guid_parse(text, out) == DT_OK)
        return DT_REASON_TRUSTED;
    *out = (dt_guid){0};
    return refuse(e, DT_REASON_CERTIFICATE_INVALID, "the device id is not a GUID");
}

/* The issuer first: of what a stranger wrote, nothing else is of interest. */
static dt_reason judge(dt_ssh_certificate_rules const *rules, dt_ssh_certificate const *c,
                       dt_ssh_certificate_use use, dt_time now, dt_ssh_device *out, dt_error *e)
{
    dt_reason reason;

    if (!contains_ca(rules->cas, c->ca_key))
        return refuse(e, DT_REASON_UNTRUSTED_ISSUER,
                      "it is not signed by a CA in ssh_device_ca_file");
    if (!is_signed(c))
        return refuse(e, DT_REASON_CERTIFICATE_INVALID,
                      "verification of the CA's signature failed");
    if (c->type != USER_CERTIFICATE)
        return refuse(e, DT_REASON_CERTIFICATE_INVALID, "it is not a user certificate");
    reason = judge_time(c, now, e);
    if (reason != DT_REASON_TRUSTED)
        return reason;
    if (!options_are_known(c->critical_options, use))
        return refuse(e, DT_REASON_CERTIFICATE_INVALID, "it has an unsupported critical option");
    if (rules->hardware) {
        reason = judge_hardware(c, e);
        if (reason != DT_REASON_TRUSTED)
            return reason;
    }
    if (dt_ssh_public_fingerprint(&c->key, out->key_id) < 0)
        return refuse(e, DT_REASON_CERTIFICATE_INVALID, "SHA-256 is not available");
    return judge_device(c, rules->device_id, &out->device_id, e);
}

dt_reason dt_ssh_certificate_judge(dt_ssh_certificate_rules const *rules, dt_bytes blob,
                                   dt_ssh_certificate_use use, dt_time now, dt_ssh_device *out,
                                   dt_error *e)
{
    dt_ssh_certificate c;
    dt_reason reason = DT_REASON_CERTIFICATE_INVALID;

    *out = (dt_ssh_device){0};
    if (dt_ssh_certificate_parse(blob, &c, e) == DT_OK)
        reason = judge(rules, &c, use, now, out, e);
    if (reason != DT_REASON_TRUSTED)
        *out = (dt_ssh_device){0};
    return reason;
}

bool dt_ssh_device_id_rule_is_valid(char const *text)
{
    size_t const prefix = sizeof(EXTENSION_RULE) - 1;

    if (strcmp(text, KEY_ID_RULE) == 0)
        return true;
    return strncmp(text, EXTENSION_RULE, prefix) == 0 && text[prefix] != '\0' &&
           strlen(text + prefix) < DT_SSH_NAME_MAX && strpbrk(text + prefix, " \t,") == NULL;
}
