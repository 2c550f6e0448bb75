/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The row: four lines of text that say whose it is, a nonce, and the sealed rest. See session_record.h. */
#include "core/signon/session_record.h"

#include "core/base/record_text.h"
#include "core/base/record_walk.h"

#include <stdio.h>
#include <string.h>

#define MAGIC "dtT2"
#define HEX_KEY_LEN (2 * DT_SHA256_LEN)

/* --- secrets ---------------------------------------------------------------------------------- */

static int derive(char const *use, uint8_t const secret[], uint8_t out[DT_SHA256_LEN])
{
    char storage[128];
    dt_buf b;

    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_puts(&b, use);
    dt_buf_put(&b, secret, DT_SESSION_SECRET_LEN);
    int rc = dt_buf_error(&b);
    if (rc == DT_OK)
        rc = dt_crypto_sha256(dt_buf_bytes(&b), out);
    explicit_bzero(storage, sizeof(storage));
    return rc;
}

int dt_session_secret_of_name(dt_bytes key, char const *name, uint8_t out[DT_SESSION_SECRET_LEN])
{
    char storage[DT_SECRET_MAX + DT_SESSION_NAME_MAX + 64];
    dt_buf b;

    if (name[0] == '\0')
        return DT_E_INVALID;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_puts(&b, "devtrust NAS session:");
    dt_buf_put_int(&b, (int64_t)key.len);
    dt_buf_putc(&b, ':');
    dt_buf_put(&b, key.p, key.len);
    dt_buf_puts(&b, name);
    int rc = dt_buf_error(&b);
    if (rc == DT_OK)
        rc = dt_crypto_sha256(dt_buf_bytes(&b), out);
    explicit_bzero(storage, sizeof(storage));
    return rc;
}

int dt_session_record_key(uint8_t const secret[DT_SESSION_SECRET_LEN], char out[DT_STORE_KEY_MAX])
{
    uint8_t digest[DT_SHA256_LEN];
    char hex[HEX_KEY_LEN + 1];
    int rc = derive("devtrust session: row:", secret, digest);

    out[0] = '\0';
    if (rc < 0)
        return rc;
    dt_hex(hex, digest, sizeof(digest));
    snprintf(out, DT_STORE_KEY_MAX, "session:%s", hex);
    return DT_OK;
}

/* --- in clear --------------------------------------------------------------------------------- */

static void put_owner(dt_session_owner const *o, dt_buf *out)
{
    dt_buf_puts(out, MAGIC);
    char const *const lines[] = {o->login, o->application, o->device_id, o->key_id};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        dt_buf_puts(out, lines[i]);
        dt_buf_putc(out, '\n');
    }
}

static bool owner_is_text(dt_session_owner const *o)
{
    return o->application[0] && dt_record_is_line(o->login) && dt_record_is_line(o->application) &&
           dt_record_is_line(o->device_id) && dt_record_is_line(o->key_id);
}

/* Takes it from the beginning of the row. */
static bool take_owner(dt_bytes *row, dt_session_owner *out)
{
    struct {
        char *dst;
        size_t size;
    } const lines[] = {{out->login, sizeof(out->login)},
                       {out->application, sizeof(out->application)},
                       {out->device_id, sizeof(out->device_id)},
                       {out->key_id, sizeof(out->key_id)}};
    dt_bytes line;

    if (row->len < strlen(MAGIC) || memcmp(row->p, MAGIC, strlen(MAGIC)) != 0)
        return false;
    row->p += strlen(MAGIC);
    row->len -= strlen(MAGIC);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (!dt_record_take(row, '\n', &line) ||
            dt_str_copy_bytes(lines[i].dst, lines[i].size, line) < 0)
            return false;
    }
    return owner_is_text(out);
}

int dt_session_record_owner(dt_bytes row, dt_session_owner *out)
{
    memset(out, 0, sizeof(*out));
    if (take_owner(&row, out))
        return DT_OK;
    memset(out, 0, sizeof(*out));
    return DT_E_PARSE;
}

/* --- sealed: one walk for both directions ------------------------------------------------------ */

static void mfa(dt_walk *w, dt_mfa_given *m)
{
    DT_WALK_TIME(w, m->at);
    DT_WALK_NUMBER(w, m->factor, DT_FACTOR_ALL);
    DT_WALK_TIME(w, m->password_changed);
    DT_WALK_TIME(w, m->status_changed);
    DT_WALK_TEXT(w, m->user_id);
    DT_WALK_TEXT(w, m->factor_stamp);
}

static void groups(dt_walk *w, dt_session_record *r)
{
    size_t names = 0;

    DT_WALK_NUMBER(w, r->group_knowledge, DT_GROUPS_KNOWN);
    DT_WALK_NUMBER(w, r->groups_len, DT_SESSION_GROUPS_MAX);
    DT_WALK_NUMBER(w, r->group_count, DT_SESSION_GROUPS_MAX);
    dt_walk_raw(w, r->groups, r->groups_len);
    for (size_t i = 0; i < r->groups_len; i++)
        names += r->groups[i] == '\0';
    if (names != r->group_count || (r->groups_len > 0 && r->groups[r->groups_len - 1] != '\0'))
        w->broken = true;
}

static void fields(dt_walk *w, dt_session_record *r)
{
    DT_WALK_TIME(w, r->at);
    DT_WALK_TEXT(w, r->id);
    DT_WALK_TEXT(w, r->user);
    DT_WALK_TEXT(w, r->station);
    DT_WALK_NUMBER(w, r->continued.trust, DT_TRUST_TRUSTED);
    DT_WALK_NUMBER(w, r->continued.reason, DT_REASON_COUNT - 1);
    DT_WALK_TEXT(w, r->continued.rule);
    mfa(w, &r->continued.mfa);
    groups(w, r);
}

int dt_session_record_pack(dt_session_record const *r, uint8_t const secret[DT_SESSION_SECRET_LEN],
                           uint8_t const nonce[DT_AEAD_NONCE_LEN], dt_buf *out)
{
    uint8_t key[DT_SHA256_LEN];
    dt_session_record copy = *r;
    dt_buf plain;

    if (!owner_is_text(&r->owner))
        return DT_E_INVALID;
    if (r->reply.len > DT_SESSION_REPLY_MAX)
        return DT_E_LIMIT;
    dt_buf_init(&plain, DT_SESSION_RECORD_MAX);
    dt_walk w = {.out = &plain};
    fields(&w, &copy);
    dt_buf_put(&plain, r->reply.p, r->reply.len);
    int rc = w.broken ? DT_E_INVALID : dt_buf_error(&plain);
    if (rc == DT_OK)
        rc = derive("devtrust session: seal:", secret, key);
    if (rc == DT_OK) {
        size_t begin = out->len;
        put_owner(&r->owner, out);
        dt_bytes clear = dt_bytes_of(out->p + begin, out->len - begin);
        char aad[DT_LOGIN_MAX + DT_APPLICATION_MAX + 256];
        dt_buf bound; /* sealing appends to the buffer that the text is in */
        dt_buf_init_fixed(&bound, aad, sizeof(aad));
        dt_buf_put(&bound, clear.p, clear.len);
        dt_buf_put(out, nonce, DT_AEAD_NONCE_LEN);
        rc = dt_buf_error(&bound) < 0 || dt_buf_error(out) < 0
                 ? DT_E_LIMIT
                 : dt_crypto_seal(key, nonce, dt_buf_bytes(&bound), dt_buf_bytes(&plain), out);
    }
    explicit_bzero(key, sizeof(key));
    dt_buf_free(&plain);
    return rc;
}

static int open_sealed(dt_bytes row, uint8_t const secret[], dt_buf *plain, dt_session_record *r)
{
    uint8_t key[DT_SHA256_LEN];
    dt_bytes rest = row;

    if (!take_owner(&rest, &r->owner) || rest.len < DT_AEAD_NONCE_LEN)
        return DT_E_PARSE;
    int rc = derive("devtrust session: seal:", secret, key);
    if (rc == DT_OK)
        rc = dt_crypto_open(key, rest.p, dt_bytes_of(row.p, row.len - rest.len),
                            dt_bytes_of(rest.p + DT_AEAD_NONCE_LEN, rest.len - DT_AEAD_NONCE_LEN),
                            plain);
    explicit_bzero(key, sizeof(key));
    return rc;
}

int dt_session_record_unpack(dt_bytes row, uint8_t const secret[DT_SESSION_SECRET_LEN],
                             dt_buf *plain, dt_session_record *r)
{
    memset(r, 0, sizeof(*r));
    int rc = open_sealed(row, secret, plain, r);
    if (rc == DT_OK) {
        dt_walk w = {.in = dt_buf_bytes(plain)};
        fields(&w, r);
        r->reply = w.in;
        if (w.broken || r->at <= 0 || !r->user[0] || w.in.len > DT_SESSION_REPLY_MAX)
            rc = DT_E_PARSE;
    }
    if (rc != DT_OK)
        memset(r, 0, sizeof(*r));
    return rc == DT_OK ? DT_OK : DT_E_PARSE;
}

bool dt_session_record_is_good(dt_session_record const *r, dt_time limit, dt_time now)
{
    return r->at > 0 && r->at <= now && now - r->at < limit;
}
