/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps and takes the sign-on behind a State. See challenge.h. */
#include "rlm_devtrust/challenge.h"

#include "core/crypto.h"
#include "edge/host.h"

#include <string.h>

/* The key that seals States, or NULL. Borrowed from the site, which outlives every request. */
static uint8_t const *state_key(dt_site const *site)
{
    dt_secret const *key = dt_site_state_key(dt_driver_files(site));
    return key == NULL ? NULL : dt_secret_bytes(key).p;
}

/* "USER:ID", so that what one person may keep is bounded. */
static int put_op(dt_store_op *op, dt_store_verb verb, char const *user, char const id_hex[])
{
    uint8_t digest[DT_SHA256_LEN];
    char owner[2 * DT_SHA256_LEN + 1];
    dt_buf key;
    int rc = dt_crypto_sha256(dt_bytes_str(user), digest);

    memset(op, 0, sizeof *op);
    if (rc != 0)
        return rc;
    dt_hex(owner, digest, sizeof digest);
    op->table = DT_TABLE_STATE;
    op->verb = verb;
    dt_buf_init_fixed(&key, op->key, sizeof op->key);
    dt_buf_printf(&key, "%s:%s", owner, id_hex);
    op->sync = true; /* a used State must stay used, whatever happens to the machine */
    op->own_max = DT_CHALLENGES_PER_PERSON;
    return dt_buf_error(&key);
}

static int store_machine(dt_driver *d, dt_signon const *machine, char const *user,
                         char const *id_hex, dt_time expires, dt_error *e)
{
    dt_buf saved, scratch;
    dt_store_op op;
    dt_store_result result = {0};

    dt_buf_init(&saved, DT_SIGNON_SAVED_MAX);
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    int rc = dt_signon_save(machine, &saved);
    if (rc != 0)
        goto out;
    rc = put_op(&op, DT_STORE_PUT, user, id_hex);
    if (rc != 0)
        goto out;
    op.value = dt_buf_bytes(&saved);
    op.expires = expires;
    dt_driver_store_do(d, &op, &scratch, &result);
    if (result.status != DT_STORE_OK)
        rc = dt_error_set(e, DT_E_UNAVAILABLE, "a challenge could not be kept: %s", result.error);
out:
    dt_buf_free(&scratch);
    dt_buf_free(&saved);
    return rc;
}

static int keep(dt_driver *d, dt_site const *site, dt_signon const *machine, dt_buf *state,
                dt_error *e)
{
    uint8_t random[DT_AEAD_NONCE_LEN + DT_STATE_ID_LEN];
    char id_hex[2 * DT_STATE_ID_LEN + 1], identity[DT_IDENTITY_KEY_MAX];
    dt_audit_context ctx = {0};

    uint8_t const *key = state_key(site);
    if (key == NULL)
        return dt_error_set(e, DT_E_INVALID,
                            "no challenge is possible: set [store] state_key_file");
    int rc = dt_host_random(random, sizeof random);
    if (rc != 0)
        return dt_error_set(e, rc, "no random bytes for a challenge");
    dt_signon_audit_context(machine, &ctx);
    dt_identity_key(dt_signon_identity(machine), identity);
    dt_state_binding who = {identity, ctx.nas, ctx.application, ctx.station};
    dt_time expires = dt_host_now() + site->config->mfa.challenge_lifetime;
    rc = dt_state_token_make(key, random, &who, expires, state, id_hex);
    if (rc != 0)
        return dt_error_set(e, rc, "a challenge's State could not be sealed");
    return store_machine(d, machine, who.user, id_hex, expires, e);
}

/* Sealed with the key in force now, whatever site the machine began with: it is what the answer will
 * be opened with. */
int dt_challenge_keep(dt_driver *d, dt_signon const *machine, dt_buf *state, dt_error *e)
{
    dt_site site;
    dt_driver_hold(d, NULL, &site);
    int rc = keep(d, &site, machine, state, e);
    dt_driver_leave(&site);
    return rc;
}

static int take_saved(dt_driver *d, char const *user, char const *id_hex, dt_site const *site,
                      dt_signon *machine, dt_error *e)
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
    else if ((rc = dt_signon_load(machine, site, result.value)) != 0)
        dt_error_set(e, rc, "the sign-on behind a State is damaged or of another version");
    else if (dt_signon_is_done(machine)) /* only one that waits for an answer is ever kept */
        rc = dt_error_set(e, DT_E_PARSE, "the sign-on behind a State has ended already");
    dt_buf_free(&scratch);
    return rc;
}

int dt_challenge_take(dt_driver *d, dt_site const *site, dt_bytes state,
                      dt_state_binding const *who, dt_signon *machine, dt_error *e)
{
    char id_hex[2 * DT_STATE_ID_LEN + 1];
    uint8_t const *key = state_key(site);
    if (key == NULL)
        return dt_error_set(e, DT_E_INVALID, "State cannot be read: set [store] state_key_file");
    int rc = dt_state_token_open(key, state, who, dt_host_now(), id_hex);
    if (rc == DT_E_EXPIRED)
        return dt_error_set(e, rc, "State has expired");
    if (rc != 0)
        return dt_error_set(e, DT_E_CRYPTO, "State was changed, or made for somebody else");
    return take_saved(d, who->user, id_hex, site, machine, e);
}
