/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens that the processes of a host share by the store: devtrustd, the RADIUS server, and the
 * devtrustd --one of each login, which would else fetch one each. What is kept is sealed with a key that
 * only those have who could fetch such a token themselves: the store alone gives nothing away. */
#include "driver/internal.h"

#include "core/base/crypto.h"
#include "core/intune/compliance_service.h"
#include "edge/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION "1"
#define RECORD_MAX (DT_SECRET_MAX + 2048)
#define SEALED_MAX (RECORD_MAX + DT_AEAD_NONCE_LEN + DT_AEAD_TAG_LEN)
#define FIELDS 5 /* version, renew_at, expires, Authorization, the key that it is bound to */

/* The row, by all that makes a token another one. */
static int put_key(dt_token const *t, char key[DT_STORE_KEY_MAX])
{
    dt_config const *c = t->live->config;
    bool okta = dt_token_kind_of(t) == DT_TOKEN_FOR_OKTA;
    char scopes[DT_OKTA_SCOPES_MAX];
    uint8_t digest[DT_SHA256_LEN];
    char hex[2 * DT_SHA256_LEN + 1];
    dt_buf text;
    dt_site_okta_scopes(t->live->files, scopes);
    dt_buf_init(&text, RECORD_MAX);
    if (okta)
        dt_buf_printf(&text, "okta\n%s\n%s\n%s\n%d", c->okta.org_url, c->okta.client_id, scopes,
                      c->okta.dpop);
    else
        dt_buf_printf(&text, "entra\n%s\n%s\n%s\n%s\n%d", c->intune.login_url,
                      c->intune.tenant_id.text, c->intune.client_id, c->intune.graph_url,
                      (int)dt_token_kind_of(t));
    int rc = dt_buf_error(&text);
    if (rc == 0)
        rc = dt_crypto_sha256(dt_buf_bytes(&text), digest);
    dt_buf_free(&text);
    if (rc != 0)
        return rc;
    dt_hex(hex, digest, sizeof(digest));
    memcpy(key, "token:", 6);
    memcpy(key + 6, hex, sizeof(hex));
    return DT_OK;
}

static uint8_t const *seal_key(dt_token const *t)
{
    dt_live_site const *has = t->live;
    return dt_token_kind_of(t) == DT_TOKEN_FOR_OKTA ? dt_okta_credentials_share_key(has->okta)
                                                    : dt_entra_credentials_share_key(has->entra);
}

static void put_record(dt_token const *t, dt_buf *out)
{
    dt_bytes bearer = dt_secret_bytes(t->bearer);
    dt_buf_puts(out, RECORD_VERSION "\n");
    dt_buf_put_int(out, t->renew_at);
    dt_buf_putc(out, '\n');
    dt_buf_put_int(out, t->expires);
    dt_buf_putc(out, '\n');
    dt_buf_put(out, bearer.p, bearer.len);
    dt_buf_putc(out, '\n');
}

static int seal(dt_token const *t, char const *key, dt_buf *out)
{
    uint8_t nonce[DT_AEAD_NONCE_LEN];
    dt_buf record;
    dt_buf_init(&record, RECORD_MAX);
    put_record(t, &record);
    int rc = dt_buf_error(&record);
    if (rc == 0 && dt_token_kind_of(t) == DT_TOKEN_FOR_OKTA)
        rc = dt_okta_credentials_save_key(t->live->okta, &record);
    if (rc == 0)
        rc = dt_host_random(nonce, sizeof(nonce));
    if (rc == 0) {
        dt_buf_put(out, nonce, sizeof(nonce));
        rc = dt_crypto_seal(seal_key(t), nonce, dt_bytes_str(key), dt_buf_bytes(&record), out);
    }
    dt_buf_free(&record);
    return rc != 0 ? rc : dt_buf_error(out);
}

static void store_do(dt_token const *t, dt_store_verb verb, char const *key, dt_bytes value,
                     dt_buf *scratch, dt_store_result *out)
{
    dt_store_op op = {
        .table = DT_TABLE_LOOKUP, .verb = verb, .value = value, .expires = t->expires};
    (void)dt_str_copy(op.key, sizeof(op.key), key);
    dt_driver_store_do(t->live->driver, &op, scratch, out);
}

void dt_token_share(dt_token const *t)
{
    char key[DT_STORE_KEY_MAX];
    uint8_t unused[64];
    dt_store_result result;
    dt_buf sealed, scratch;
    dt_buf_init(&sealed, SEALED_MAX);
    dt_buf_init_fixed(&scratch, unused, sizeof(unused));
    /* Without a store each process fetches its own. */
    if (put_key(t, key) == 0 && seal(t, key, &sealed) == 0)
        store_do(t, DT_STORE_PUT, key, dt_buf_bytes(&sealed), &scratch, &result);
    dt_buf_free(&sealed);
}

void dt_token_unshare(dt_token const *t)
{
    char key[DT_STORE_KEY_MAX];
    uint8_t unused[64];
    dt_store_result result;
    dt_buf scratch;
    dt_buf_init_fixed(&scratch, unused, sizeof(unused));
    if (put_key(t, key) == 0)
        store_do(t, DT_STORE_DELETE, key, dt_bytes_of(NULL, 0), &scratch, &result);
}

/* The lines of a record; false unless there are exactly as many as belong there. */
static bool split(char *text, char *fields[FIELDS])
{
    for (int i = 0; i < FIELDS; i++) {
        fields[i] = text;
        char *end = strchr(text, '\n');
        if (i == FIELDS - 1)
            return end == NULL;
        if (end == NULL)
            return false;
        *end = '\0';
        text = end + 1;
    }
    return false;
}

static bool read_time(char const *text, dt_time *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *out > 0;
}

/* Takes what another process has kept, unless it must be renewed anyway, or has been refused: the store
 * may be a moment behind, and others may not know it yet. */
static bool take_record(dt_token *t, char *text, dt_time now)
{
    char *fields[FIELDS];
    dt_time renew_at = 0, expires = 0;
    dt_secret *bearer = NULL;
    if (!split(text, fields) ||
        (t->refused != NULL && dt_secret_equal(t->refused, dt_bytes_str(fields[3]))) ||
        strcmp(fields[0], RECORD_VERSION) != 0 || !read_time(fields[1], &renew_at) ||
        !read_time(fields[2], &expires) || renew_at <= now || expires < renew_at ||
        expires - now > DT_OAUTH_TOKEN_LIFETIME_MAX ||
        dt_secret_new(dt_bytes_str(fields[3]), &bearer) != 0)
        return false;
    if (dt_token_kind_of(t) == DT_TOKEN_FOR_OKTA &&
        dt_okta_credentials_load_key(t->live->okta, fields[4]) != 0) {
        dt_secret_free(&bearer);
        return false;
    }
    dt_token_set(t, bearer, renew_at, expires);
    return true;
}

bool dt_token_take_shared(dt_token *t, dt_time now)
{
    char key[DT_STORE_KEY_MAX], text[RECORD_MAX + 1];
    uint8_t storage[SEALED_MAX + 1];
    dt_store_result result = {.status = DT_STORE_ERROR};
    dt_buf scratch, plain;
    bool taken = false;
    dt_buf_init_fixed(&scratch, storage, sizeof(storage));
    dt_buf_init_fixed(&plain, text, sizeof(text));
    if (put_key(t, key) == 0)
        store_do(t, DT_STORE_GET, key, dt_bytes_of(NULL, 0), &scratch, &result);
    if (result.status == DT_STORE_OK && result.value.len > DT_AEAD_NONCE_LEN &&
        dt_crypto_open(
            seal_key(t), result.value.p, dt_bytes_str(key),
            dt_bytes_of(result.value.p + DT_AEAD_NONCE_LEN, result.value.len - DT_AEAD_NONCE_LEN),
            &plain) == 0 &&
        strlen(text) == plain.len)
        taken = take_record(t, text, now);
    explicit_bzero(text, sizeof(text));
    return taken;
}
