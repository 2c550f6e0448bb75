/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the device registry, and the fingerprints they are filed under. */
#include "devtrustctl/registry.h"

#include "core/base/crypto.h"

#include <string.h>

#define BLOB_MAX 4096 /* an SSH key blob of RSA 8192 takes some 1,100 bytes */
#define PREFIX "SHA256:"
#define ROW_PREFIX "ssh:"
#define TRUSTED_PREFIX "trusted:"
#define BASE64_PLAIN_LEN 43 /* of 32 bytes, without its one "=" */

/* --- fingerprints ----------------------------------------------------------------------------- */

static void fill(uint8_t const digest[DT_SHA256_LEN], dt_fingerprint *out)
{
    dt_buf b;

    dt_hex(out->hex, digest, DT_SHA256_LEN);
    dt_buf_init_fixed(&b, out->text, sizeof(out->text));
    dt_buf_puts(&b, PREFIX);
    dt_base64_encode(&b, dt_bytes_of(digest, DT_SHA256_LEN));
    while (b.len > 0 && b.p[b.len - 1] == '=')
        dt_buf_truncate(&b, b.len - 1);
}

int dt_fingerprint_of(dt_bytes der, dt_fingerprint *out, dt_error *e)
{
    uint8_t digest[DT_SHA256_LEN];
    dt_buf blob;
    int rc;

    *out = (dt_fingerprint){0};
    dt_buf_init(&blob, BLOB_MAX);
    rc = dt_x509_ssh_blob(der, &blob);
    if (rc < 0)
        (void)dt_error_set(e, rc, "SSH does not support the certificate's type of key");
    else if ((rc = dt_crypto_sha256(dt_buf_bytes(&blob), digest)) < 0)
        (void)dt_error_set(e, rc, "SHA-256 is not available");
    else
        fill(digest, out);
    dt_buf_free(&blob);
    return rc;
}

int dt_fingerprint_of_key(dt_bytes blob, dt_fingerprint *out)
{
    uint8_t digest[DT_SHA256_LEN];
    int rc = dt_crypto_sha256(blob, digest);

    *out = (dt_fingerprint){0};
    if (rc == DT_OK)
        fill(digest, out);
    return rc;
}

int dt_fingerprint_parse(char const *text, dt_fingerprint *out)
{
    uint8_t digest[DT_SHA256_LEN + 1];
    char padded[BASE64_PLAIN_LEN + 2] = "";
    size_t len = strlen(text), skip = sizeof(PREFIX) - 1;
    dt_buf b;

    *out = (dt_fingerprint){0};
    if (strncmp(text, PREFIX, skip) != 0)
        return DT_E_PARSE;
    if (len == skip + BASE64_PLAIN_LEN + 1 && text[len - 1] == '=')
        len--;
    if (len != skip + BASE64_PLAIN_LEN)
        return DT_E_PARSE;
    memcpy(padded, text + skip, BASE64_PLAIN_LEN);
    padded[BASE64_PLAIN_LEN] = '=';
    dt_buf_init_fixed(&b, digest, sizeof(digest));
    if (dt_base64_decode(&b, dt_bytes_str(padded)) < 0 || b.len != DT_SHA256_LEN)
        return DT_E_PARSE;
    fill(digest, out);
    return DT_OK;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int dt_fingerprint_of_row(char const *key, dt_fingerprint *out)
{
    uint8_t digest[DT_SHA256_LEN];
    size_t skip = sizeof(ROW_PREFIX) - 1;

    *out = (dt_fingerprint){0};
    if (strncmp(key, ROW_PREFIX, skip) != 0 || strlen(key) != skip + 2 * DT_SHA256_LEN)
        return DT_E_PARSE;
    for (size_t i = 0; i < DT_SHA256_LEN; i++) {
        int high = hex_value(key[skip + 2 * i]), low = hex_value(key[skip + 2 * i + 1]);
        if (high < 0 || low < 0)
            return DT_E_PARSE;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    fill(digest, out);
    return DT_OK;
}

/* --- judging ---------------------------------------------------------------------------------- */

/* A key without a certificate: the record says which device it is of, and must hold the key. */
static void judge_key(dt_enrolment *out)
{
    dt_fingerprint own;

    out->certificate.device_id = out->record.device_id;
    out->state = DT_ENROLMENT_WRONG_KEY;
    if (dt_fingerprint_of_key(dt_bytes_of(out->record.key, out->record.key_len), &own) != DT_OK ||
        strcmp(own.hex, out->fingerprint.hex) != 0)
        return;
    out->state = DT_ENROLMENT_JUDGED;
    out->reason = DT_REASON_TRUSTED;
}

dt_reason dt_certificate_judge_alone(dt_trust_store const *anchors, dt_bytes der,
                                     dt_bytes const *chain, size_t chain_count,
                                     dt_guid const *tenant, dt_time now, dt_certificate *out,
                                     dt_error *e)
{
    dt_ocsp_question question;
    dt_reason reason =
        dt_x509_judge_online(anchors, der, chain, chain_count, tenant, now, out, &question, e);

    return question.open ? DT_REASON_TRUSTED : reason;
}

void dt_enrolment_judge(dt_trust_store const *anchors, dt_guid const *tenant, dt_time now,
                        char const *key, dt_bytes value, dt_enrolment *out)
{
    dt_fingerprint own;
    dt_bytes der;
    dt_error e = {0};

    memset(out, 0, sizeof(*out));
    if (dt_fingerprint_of_row(key, &out->fingerprint) < 0 ||
        dt_device_record_unpack(value, &out->record) < 0)
        return;
    if (out->record.der_len == 0) {
        judge_key(out);
        return;
    }
    der = dt_bytes_of(out->record.der, out->record.der_len);
    /* Without intermediates, as at a sign-on: SSH sends none. */
    out->reason =
        dt_certificate_judge_alone(anchors, der, NULL, 0, tenant, now, &out->certificate, &e);
    out->state = DT_ENROLMENT_WRONG_KEY;
    if (dt_fingerprint_of(der, &own, &e) == DT_OK && strcmp(own.hex, out->fingerprint.hex) == 0)
        out->state = DT_ENROLMENT_JUDGED;
}

char const *dt_enrolment_state_name(dt_enrolment const *r)
{
    switch (r->state) {
    case DT_ENROLMENT_UNREADABLE:
        return "UNREADABLE";
    case DT_ENROLMENT_WRONG_KEY:
        return "WRONG_KEY";
    case DT_ENROLMENT_JUDGED:
        break;
    }
    return r->reason == DT_REASON_TRUSTED ? "VALID" : dt_reason_name(r->reason);
}

/* --- rows ------------------------------------------------------------------------------------- */

static int row_do(dt_store *s, dt_store_verb verb, char const *key, dt_bytes value, dt_time now,
                  dt_buf *scratch, dt_bytes *found, dt_error *e)
{
    dt_store_op op = {.table = DT_TABLE_DEVICE,
                      .verb = verb,
                      .value = value,
                      .expires = DT_TIME_NEVER,
                      .sync = verb != DT_STORE_GET};
    dt_store_result result = {0};

    if (dt_str_copy(op.key, sizeof(op.key), key) < 0)
        return dt_error_set(e, DT_E_LIMIT, "the row's key is too long");
    dt_store_do(s, &op, now, scratch, &result);
    switch (result.status) {
    case DT_STORE_OK:
        *found = result.value;
        return DT_OK;
    case DT_STORE_NOT_FOUND:
        return DT_E_NOT_FOUND;
    case DT_STORE_EXISTS:
    case DT_STORE_ERROR:
        break;
    }
    return dt_error_set(e, DT_E_UNAVAILABLE, "%s", result.error);
}

/* For operations that give no value back. */
static int row_change(dt_store *s, dt_store_verb verb, char const *key, dt_bytes value, dt_time now,
                      dt_error *e)
{
    dt_buf scratch;
    dt_bytes none;
    int rc;

    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    rc = row_do(s, verb, key, value, now, &scratch, &none, e);
    dt_buf_free(&scratch);
    return rc;
}

int dt_registry_get(dt_store *s, dt_fingerprint const *f, dt_time now, dt_buf *scratch,
                    dt_bytes *value, dt_error *e)
{
    char key[DT_STORE_KEY_MAX];

    dt_device_store_key(f->hex, key);
    return row_do(s, DT_STORE_GET, key, dt_bytes_of(NULL, 0), now, scratch, value, e);
}

/* Puts what was packed with `packed`. */
static int put_packed(dt_store *s, char const *key, int packed, dt_buf const *text, dt_time now,
                      dt_error *e)
{
    if (packed < 0)
        return dt_error_set(e, packed, "the record cannot be written (%s)", dt_err_name(packed));
    return row_change(s, DT_STORE_PUT, key, dt_buf_bytes(text), now, e);
}

int dt_registry_put(dt_store *s, dt_fingerprint const *f, dt_device_record const *r, dt_time now,
                    dt_error *e)
{
    char key[DT_STORE_KEY_MAX];
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_DEVICE_RECORD_MAX);
    dt_device_store_key(f->hex, key);
    rc = put_packed(s, key, dt_device_record_pack(r, &text), &text, now, e);
    dt_buf_free(&text);
    return rc;
}

int dt_registry_remove(dt_store *s, dt_fingerprint const *f, dt_time now, dt_error *e)
{
    char key[DT_STORE_KEY_MAX];

    dt_device_store_key(f->hex, key);
    return row_change(s, DT_STORE_TAKE, key, dt_bytes_of(NULL, 0), now, e);
}

/* --- trusted devices -------------------------------------------------------------------------- */

int dt_registry_trust(dt_store *s, dt_trusted_record const *r, dt_time now, dt_error *e)
{
    char key[DT_STORE_KEY_MAX];
    dt_buf text;
    int rc;

    dt_buf_init(&text, DT_TRUSTED_RECORD_MAX);
    dt_trusted_store_key(&r->device_id, key);
    rc = put_packed(s, key, dt_trusted_record_pack(r, &text), &text, now, e);
    dt_buf_free(&text);
    return rc;
}

int dt_registry_distrust(dt_store *s, dt_guid const *device, dt_time now, dt_error *e)
{
    char key[DT_STORE_KEY_MAX];

    dt_trusted_store_key(device, key);
    return row_change(s, DT_STORE_TAKE, key, dt_bytes_of(NULL, 0), now, e);
}

bool dt_registry_is_trusted_row(char const *key, dt_bytes value, dt_trusted_record *out)
{
    char own[DT_STORE_KEY_MAX];

    *out = (dt_trusted_record){0};
    if (strncmp(key, TRUSTED_PREFIX, sizeof(TRUSTED_PREFIX) - 1) != 0)
        return false;
    if (dt_trusted_record_unpack(value, out) == DT_OK) {
        dt_trusted_store_key(&out->device_id, own);
        if (strcmp(own, key) == 0)
            return true;
    }
    *out = (dt_trusted_record){0};
    return true;
}
