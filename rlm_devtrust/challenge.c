/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps and takes the sign-on behind a State. See challenge.h. */
#include "rlm_devtrust/challenge.h"

#include "core/base/crypto.h"
#include "edge/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t const *dt_challenge_key(dt_ruleset const *ruleset)
{
    dt_secret const *key = dt_site_state_key(dt_driver_files(ruleset));
    return key == NULL ? NULL : dt_secret_bytes(key).p;
}

/* "USER:ID", so that what one person may keep is bounded. */
static int put_op(dt_store_op *op, dt_store_verb verb, char const *user, char const id_hex[])
{
    uint8_t digest[DT_SHA256_LEN];
    char owner[2 * DT_SHA256_LEN + 1];
    dt_buf key;
    int rc = dt_crypto_sha256(dt_bytes_str(user), digest);

    memset(op, 0, sizeof(*op));
    if (rc != 0)
        return rc;
    dt_hex(owner, digest, sizeof(digest));
    op->table = DT_TABLE_STATE;
    op->verb = verb;
    dt_buf_init_fixed(&key, op->key, sizeof(op->key));
    dt_buf_printf(&key, "%s:%s", owner, id_hex);
    op->sync = true; /* a used State must stay used, whatever happens to the machine */
    op->own_max = DT_CHALLENGES_PER_PERSON;
    return dt_buf_error(&key);
}

/* A kept sign-on: nonce, and sealed under the key of States, as what belongs to this one: the length of
 * the machine in four bytes, the machine, the luggage. */
#define KEPT_HEAD 4
#define KEPT_PLAIN_MAX (DT_STORE_VALUE_MAX - DT_AEAD_NONCE_LEN - DT_AEAD_TAG_LEN)

/* What else the key of States seals are States, whose text is another. */
static int binding(char const *id_hex, char out[64])
{
    int n = snprintf(out, 64, "devtrust kept sign-on %s", id_hex);
    return n > 0 && n < 64 ? DT_OK : DT_E_LIMIT;
}

static int pack(dt_signon const *machine, dt_bytes luggage, dt_buf *plain)
{
    uint8_t head[KEPT_HEAD] = {0};
    dt_buf_put(plain, head, sizeof(head));
    int rc = dt_signon_save(machine, plain);
    size_t len = plain->len - sizeof(head);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < sizeof(head); i++)
        plain->p[i] = (uint8_t)(len >> (24 - 8 * i));
    dt_buf_put(plain, luggage.p, luggage.len);
    return dt_buf_error(plain);
}

static int seal(uint8_t const *key, char const *id_hex, dt_bytes plain, dt_buf *out)
{
    uint8_t nonce[DT_AEAD_NONCE_LEN];
    char what[64];
    int rc = dt_host_random(nonce, sizeof(nonce));
    if (rc == 0)
        rc = binding(id_hex, what);
    if (rc != 0)
        return rc;
    dt_buf_put(out, nonce, sizeof(nonce));
    return dt_crypto_seal(key, nonce, dt_bytes_str(what), plain, out);
}

static int unseal(uint8_t const *key, char const *id_hex, dt_bytes kept, dt_buf *plain)
{
    char what[64];
    int rc = binding(id_hex, what);
    if (rc != 0 || kept.len < DT_AEAD_NONCE_LEN)
        return DT_E_PARSE;
    return dt_crypto_open(key, kept.p, dt_bytes_str(what),
                          dt_bytes_of(kept.p + DT_AEAD_NONCE_LEN, kept.len - DT_AEAD_NONCE_LEN),
                          plain);
}

static int store_kept(dt_driver *d, char const *user, char const *id_hex, dt_bytes value,
                      dt_time expires, dt_error *e)
{
    dt_buf scratch;
    dt_store_op op;
    dt_store_result result = {0};
    int rc = put_op(&op, DT_STORE_PUT, user, id_hex);
    if (rc != 0)
        return dt_error_set(e, rc, "a challenge could not be stored");
    op.value = value;
    op.expires = expires;
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_driver_store_do(d, &op, &scratch, &result);
    dt_buf_free(&scratch);
    if (result.status == DT_STORE_OK)
        return 0;
    return dt_error_set(e, DT_E_UNAVAILABLE, "a challenge could not be stored: %s", result.error);
}

static int store_machine(dt_driver *d, uint8_t const *key, dt_signon const *machine,
                         dt_bytes luggage, char const *user, char const *id_hex, dt_time expires,
                         dt_error *e)
{
    dt_buf plain, value;
    dt_buf_init(&plain, KEPT_PLAIN_MAX);
    dt_buf_init(&value, DT_STORE_VALUE_MAX);
    int rc = pack(machine, luggage, &plain);
    if (rc == DT_E_LIMIT)
        dt_error_set(e, rc,
                     "a challenge with %zu bytes of reply and control is longer than %d bytes: "
                     "remove attributes that are not needed",
                     luggage.len, KEPT_PLAIN_MAX);
    else if (rc != 0 || (rc = seal(key, id_hex, dt_buf_bytes(&plain), &value)) != 0)
        dt_error_set(e, rc, "a challenge could not be sealed");
    else
        rc = store_kept(d, user, id_hex, dt_buf_bytes(&value), expires, e);
    dt_buf_free(&value);
    dt_buf_free(&plain);
    return rc;
}

static void put_user(dt_identity const *who, dt_bytes local, bool has_realm,
                     char out[DT_RLM_BINDING_MAX])
{
    char key[DT_IDENTITY_KEY_MAX];
    dt_identity_key(who, key);
    snprintf(out, DT_RLM_BINDING_MAX, "%s\n%.*s%s", key, (int)local.len, (char const *)local.p,
             has_realm ? "\nrealm" : "");
}

/* REALM\name, name@realm. */
static dt_bytes without_realm(char const *name)
{
    char const *backslash = strrchr(name, '\\'), *at = strrchr(name, '@');
    if (backslash != NULL)
        return dt_bytes_str(backslash + 1);
    return at != NULL ? dt_bytes_of(name, (size_t)(at - name)) : dt_bytes_str(name);
}

void dt_challenge_user(dt_identity const *who, char const *name, char out[DT_RLM_BINDING_MAX])
{
    dt_bytes local = without_realm(name);
    put_user(who, local, local.len != strlen(name), out);
}

size_t dt_challenge_forms(dt_identity const *who, char const *name, char const *stripped,
                          char out[DT_CHALLENGE_FORMS][DT_RLM_BINDING_MAX])
{
    bool has_realm = without_realm(name).len != strlen(name);
    dt_challenge_user(who, name, out[0]);
    if (!has_realm)
        put_user(who, dt_bytes_str(name), true, out[1]);
    else if (stripped[0] != '\0')
        put_user(who, dt_bytes_str(stripped), false, out[1]);
    return !has_realm || stripped[0] != '\0' ? 2 : 1;
}

/* radcli, and whoever else handles attributes as C strings, cuts a State off at a NUL: one without is drawn. A try
 * succeeds three times in four. */
#define STATE_TRIES_MAX 64

static int make_state(uint8_t const *key, dt_state_binding const *who, dt_time expires,
                      dt_buf *state, char id_hex[2 * DT_STATE_ID_LEN + 1], dt_error *e)
{
    uint8_t random[DT_AEAD_NONCE_LEN + DT_STATE_ID_LEN];
    for (int i = 0; i < STATE_TRIES_MAX; i++) {
        int rc = dt_host_random(random, sizeof(random));
        if (rc != 0)
            return dt_error_set(e, rc, "no random bytes for a challenge");
        dt_buf_reset(state);
        rc = dt_state_token_make(key, random, who, expires, state, id_hex);
        if (rc != 0)
            return dt_error_set(e, rc, "a challenge's State could not be sealed");
        if (memchr(state->p, '\0', state->len) == NULL)
            return 0;
    }
    return dt_error_set(e, DT_E_CRYPTO, "no State without a NUL could be made for a challenge");
}

static int keep(dt_driver *d, dt_ruleset const *ruleset, dt_signon const *machine, dt_bytes luggage,
                dt_buf *state, dt_challenge_open *open, dt_error *e)
{
    dt_audit_context ctx = {0};

    uint8_t const *key = dt_challenge_key(ruleset);
    if (key == NULL)
        return dt_error_set(e, DT_E_INVALID,
                            "no challenge is possible: set [store] state_key_file");
    dt_signon_audit_context(machine, &ctx);
    dt_challenge_user(dt_signon_identity(machine), ctx.name, open->user);
    dt_state_binding who = {open->user, ctx.nas, ctx.application, ctx.station};
    open->lifetime = ruleset->config->mfa.challenge_lifetime;
    open->expires = dt_host_now() + open->lifetime;
    int rc = dt_str_copy(open->application, sizeof(open->application), ctx.application);
    if (rc != 0)
        return dt_error_set(e, rc, "the application's name is too long");
    rc = make_state(key, &who, open->expires, state, open->id_hex, e);
    if (rc != 0)
        return rc;
    return store_machine(d, key, machine, luggage, open->user, open->id_hex,
                         open->expires + DT_CHALLENGE_OVERDUE + DT_CHALLENGE_KEPT_MORE, e);
}

/* Sealed with the key in force now, whatever site the machine began with: it is what the answer will
 * be opened with. */
int dt_challenge_keep(dt_driver *d, dt_signon const *machine, dt_bytes luggage, dt_buf *state,
                      dt_challenge_open *open, dt_error *e)
{
    dt_ruleset ruleset;
    dt_challenge_open own;
    dt_driver_acquire(d, NULL, &ruleset);
    int rc = keep(d, &ruleset, machine, luggage, state, open != NULL ? open : &own, e);
    dt_driver_release(&ruleset);
    return rc;
}

/* What is inside a kept sign-on, once it is no longer sealed. */
static int load(dt_ruleset const *ruleset, dt_bytes plain, dt_signon *machine, dt_buf *luggage)
{
    size_t len = 0;
    for (size_t i = 0; i < KEPT_HEAD && plain.len >= KEPT_HEAD; i++)
        len = len << 8 | plain.p[i];
    if (plain.len < KEPT_HEAD || len > plain.len - KEPT_HEAD)
        return DT_E_PARSE;
    int rc = dt_signon_load(machine, ruleset, dt_bytes_of(plain.p + KEPT_HEAD, len));
    if (rc != 0)
        return rc;
    dt_buf_put(luggage, plain.p + KEPT_HEAD + len, plain.len - KEPT_HEAD - len);
    return dt_buf_error(luggage);
}

static int open_kept(dt_ruleset const *ruleset, char const *id_hex, dt_bytes kept,
                     dt_signon *machine, dt_buf *luggage, dt_error *e)
{
    dt_buf plain;
    dt_buf_init(&plain, DT_STORE_VALUE_MAX);
    int rc = unseal(dt_challenge_key(ruleset), id_hex, kept, &plain);
    if (rc == 0)
        rc = load(ruleset, dt_buf_bytes(&plain), machine, luggage);
    dt_buf_free(&plain);
    if (rc != 0)
        return dt_error_set(e, DT_E_PARSE,
                            "the sign-on of a State is damaged or of another version");
    if (dt_signon_is_done(machine)) /* only one that waits for an answer is ever kept */
        return dt_error_set(e, DT_E_PARSE, "the sign-on of a State has already ended");
    return 0;
}

static int take_saved(dt_driver *d, char const *user, char const *id_hex, dt_ruleset const *ruleset,
                      dt_signon *machine, dt_buf *luggage, dt_error *e)
{
    dt_buf scratch;
    dt_store_op op;
    dt_store_result result = {0};
    int rc = put_op(&op, DT_STORE_TAKE, user, id_hex);

    if (rc != 0)
        return dt_error_set(e, rc, "no key can be made for a State");
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_driver_store_do(d, &op, &scratch, &result);
    if (result.status == DT_STORE_NOT_FOUND)
        rc = dt_error_set(e, DT_E_NOT_FOUND, "State was used before");
    else if (result.status != DT_STORE_OK)
        rc = dt_error_set(e, DT_E_UNAVAILABLE, "State could not be looked up: %s", result.error);
    else
        rc = open_kept(ruleset, id_hex, result.value, machine, luggage, e);
    dt_buf_free(&scratch);
    return rc;
}

static int open_state(dt_ruleset const *ruleset, dt_bytes state, dt_state_binding const *who,
                      char id_hex[2 * DT_STATE_ID_LEN + 1], dt_error *e)
{
    uint8_t const *key = dt_challenge_key(ruleset);
    if (key == NULL)
        return dt_error_set(e, DT_E_INVALID, "State cannot be read: set [store] state_key_file");
    int rc = dt_state_token_open(key, state, who, dt_host_now(), id_hex);
    if (rc == DT_E_EXPIRED)
        return dt_error_set(e, rc, "State has expired");
    if (rc == DT_E_NOT_FOUND)
        return dt_error_set(e, DT_E_CRYPTO, DT_CHALLENGE_ELSEWHERE);
    if (rc != 0)
        return dt_error_set(e, DT_E_CRYPTO, "State was changed, or made for somebody else");
    return 0;
}

/* The key goes in front twice, so that no text can be put after one whose digest is known. */
static int keyed_digest(uint8_t const *key, char const *id_hex, dt_bytes answer,
                        uint8_t out[DT_SHA256_LEN])
{
    static char const label[] = "devtrust answer to a State";
    uint8_t storage[DT_AEAD_KEY_LEN + sizeof(label) + 2 * DT_STATE_ID_LEN + DT_ANSWER_MAX + 1];
    dt_buf b;
    dt_buf_init_fixed(&b, storage, sizeof(storage));
    dt_buf_put(&b, key, DT_AEAD_KEY_LEN);
    dt_buf_put(&b, label, sizeof(label));
    dt_buf_puts(&b, id_hex);
    dt_buf_put(&b, answer.p, answer.len);
    int rc = dt_buf_error(&b);
    if (rc == 0)
        rc = dt_crypto_sha256(dt_buf_bytes(&b), out);
    dt_buf_reset(&b);
    dt_buf_put(&b, key, DT_AEAD_KEY_LEN);
    dt_buf_put(&b, out, DT_SHA256_LEN);
    if (rc == 0)
        rc = dt_crypto_sha256(dt_buf_bytes(&b), out);
    explicit_bzero(storage, sizeof(storage));
    return rc;
}

int dt_challenge_answer_key(dt_ruleset const *ruleset, dt_bytes state, dt_state_binding const *who,
                            dt_bytes answer, uint8_t out[DT_SHA256_LEN], dt_error *e)
{
    char id_hex[2 * DT_STATE_ID_LEN + 1];
    int rc = open_state(ruleset, state, who, id_hex, e);
    if (rc != 0)
        return rc;
    rc = keyed_digest(dt_challenge_key(ruleset), id_hex, answer, out);
    return rc == 0 ? 0 : dt_error_set(e, DT_E_CRYPTO, "no digest of an answer can be computed");
}

int dt_challenge_take(dt_driver *d, dt_ruleset const *ruleset, dt_bytes state,
                      dt_state_binding const *who, dt_signon *machine, dt_buf *luggage, dt_error *e)
{
    char id_hex[2 * DT_STATE_ID_LEN + 1];
    int rc = open_state(ruleset, state, who, id_hex, e);
    return rc != 0 ? rc : take_saved(d, who->user, id_hex, ruleset, machine, luggage, e);
}

/* --- nobody answers ----------------------------------------------------------------------------- */

static void end_kept(dt_driver *d, dt_ruleset const *ruleset, dt_challenge_open const *open,
                     dt_signon *machine)
{
    static dt_door const nobody = {.name = "radius"};
    dt_buf luggage;
    dt_error e = {0};
    dt_buf_init(&luggage, DT_STORE_VALUE_MAX);
    if (take_saved(d, open->user, open->id_hex, ruleset, machine, &luggage, &e) == 0) {
        dt_signon_note(machine, "nobody answered the challenge");
        dt_signon_abandon(machine, DT_CAUSE_CLIENT_GONE, dt_host_now());
        (void)!dt_driver_submit(d, machine, &nobody, NULL, NULL);
    }
    dt_buf_free(&luggage);
}

void dt_challenge_end(dt_driver *d, dt_challenge_open const *open)
{
    dt_ruleset ruleset;
    dt_signon *machine = dt_driver_machine_new();
    if (machine == NULL)
        return;
    dt_driver_acquire(d, open->application, &ruleset);
    end_kept(d, &ruleset, open, machine);
    dt_driver_release(&ruleset);
    dt_driver_machine_free(&machine);
}
