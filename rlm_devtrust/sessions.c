/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps, finds and drops the sign-on of a session. See sessions.h. */
#include "rlm_devtrust/sessions.h"

#include "edge/host.h"
#include "rlm_devtrust/challenge.h"
#include "rlm_devtrust/luggage.h"

#include <string.h>

/* --- who ---------------------------------------------------------------------------------------- */

static char person_key; /* its address is the key */

static REQUEST *outermost(REQUEST *request)
{
    while (request->parent != NULL)
        request = request->parent;
    return request;
}

/* More groups than fit are not known, as elsewhere. */
static void take_groups(dt_rlm_person *p, dt_rlm_inputs const *in)
{
    p->group_knowledge = in->group_knowledge;
    for (size_t i = 0; i < in->group_count; i++) {
        size_t len = strlen(in->group_list[i]) + 1;
        if (len > sizeof(p->groups) - p->groups_len) {
            p->group_knowledge = DT_GROUPS_UNKNOWN;
            p->group_count = p->groups_len = 0;
            return;
        }
        memcpy(p->groups + p->groups_len, in->group_list[i], len);
        p->groups_len += len;
        p->group_count++;
    }
}

void dt_rlm_person_note(REQUEST *request, dt_rlm_inputs const *in)
{
    REQUEST *outer = outermost(request);
    dt_rlm_person *p = talloc_zero(outer, dt_rlm_person);
    if (p == NULL)
        return;
    memcpy(p->user, in->user, sizeof(p->user));
    take_groups(p, in);
    if (request_data_add(outer, &person_key, 0, p, true) != 0)
        talloc_free(p);
}

dt_rlm_person const *dt_rlm_person_find(REQUEST *request)
{
    return request_data_reference(outermost(request), &person_key, 0);
}

/* --- the store ---------------------------------------------------------------------------------- */

static int put_op(dt_store_op *op, dt_store_verb verb, uint8_t const secret[])
{
    memset(op, 0, sizeof(*op));
    op->table = DT_TABLE_REMEMBERED;
    op->verb = verb;
    return dt_session_record_key(secret, op->key);
}

static bool perform(rlm_devtrust_t const *inst, dt_store_op const *op, dt_buf *out)
{
    dt_store_result result = {0};
    dt_buf scratch;
    dt_buf_init(&scratch, DT_STORE_VALUE_MAX);
    dt_driver_store_do(inst->link->driver, op, &scratch, &result);
    if (result.status == DT_STORE_OK && out != NULL)
        dt_buf_put(out, result.value.p, result.value.len);
    dt_buf_free(&scratch);
    return result.status == DT_STORE_OK;
}

/* --- keeping ------------------------------------------------------------------------------------ */

static void fill_groups(dt_session_record *r, dt_rlm_person const *person)
{
    r->group_knowledge = person->group_knowledge;
    r->group_count = person->group_count;
    r->groups_len = person->groups_len;
    memcpy(r->groups, person->groups, sizeof(r->groups));
}

/* "" of a machine, and of a name of which no identity can be made. */
static int login_of(dt_ruleset const *ruleset, char const *user, char login[DT_LOGIN_MAX])
{
    dt_user_name name = {.text = user};
    dt_identity who;
    dt_error e = {0};
    login[0] = '\0';
    int rc = dt_identity_make(ruleset->config, ruleset->user_table, &name, &who, &e);
    if (rc == 0)
        memcpy(login, who.login, DT_LOGIN_MAX);
    return rc;
}

static int fill(dt_session_record *r, rlm_devtrust_t const *inst, dt_ruleset const *ruleset,
                char const *user, dt_outcome const *o, char const *id)
{
    r->at = dt_host_now();
    r->continued.mfa = o->mfa;
    r->continued.trust = o->verdict.trust;
    r->continued.reason = o->verdict.reason;
    memcpy(r->continued.rule, o->decision.rule, sizeof(r->continued.rule));
    memcpy(r->owner.device_id, o->verdict.device_id.text, sizeof(r->owner.device_id));
    memcpy(r->owner.key_id, o->verdict.key_id, sizeof(r->owner.key_id));
    int rc = login_of(ruleset, user, r->owner.login);
    if (rc == 0)
        rc = dt_str_copy(r->user, sizeof(r->user), user);
    if (rc == 0)
        rc = dt_str_copy(r->owner.application, sizeof(r->owner.application), inst->application);
    return rc == 0 ? dt_str_copy(r->id, sizeof(r->id), id) : rc;
}

static int store(rlm_devtrust_t const *inst, dt_ruleset const *ruleset, dt_session_record const *r,
                 uint8_t const secret[])
{
    uint8_t nonce[DT_AEAD_NONCE_LEN];
    dt_store_op op;
    dt_buf row;
    dt_buf_init(&row, DT_STORE_VALUE_MAX);
    int rc = dt_host_random(nonce, sizeof(nonce));
    if (rc == 0)
        rc = put_op(&op, DT_STORE_PUT, secret);
    if (rc == 0)
        rc = dt_session_record_pack(r, secret, nonce, &row);
    if (rc == 0) {
        op.value = dt_buf_bytes(&row);
        op.expires = r->at + ruleset->config->mfa.session_lifetime;
        rc = perform(inst, &op, NULL) ? 0 : DT_E_UNAVAILABLE;
    }
    dt_buf_free(&row);
    return rc;
}

void dt_rlm_session_remember(rlm_devtrust_t const *inst, dt_ruleset const *ruleset,
                             REQUEST *request, dt_tls_peer const *peer, dt_rlm_person const *person,
                             dt_outcome const *o, char const *id)
{
    dt_session_record r = {0};
    dt_reply_attribute const *list = NULL;
    dt_error e = {0};
    dt_buf reply;
    size_t count = 0;
    if (ruleset->config->mfa.session_lifetime <= 0 || !peer->known)
        return;
    dt_buf_init(&reply, DT_SESSION_REPLY_MAX);
    int rc = dt_policy_reply(ruleset->policy, &o->decision, &list, &count);
    if (rc == 0)
        rc = dt_luggage_pack_accept(request, list, count, &reply, &e);
    if (rc == 0)
        rc = fill(&r, inst, ruleset, person->user, o, id);
    fill_groups(&r, person);
    r.reply = dt_buf_bytes(&reply);
    if (rc == 0)
        rc = store(inst, ruleset, &r, peer->secret);
    dt_buf_free(&reply);
    if (rc != 0)
        RWDEBUG("%s: this TLS session will not continue its sign-on: %s", dt_err_name(rc), e.text);
}

/* --- finding ------------------------------------------------------------------------------------ */

/* A record of this application that still counts. */
static bool find(rlm_devtrust_t const *inst, dt_ruleset const *ruleset, uint8_t const secret[],
                 dt_buf *plain, dt_session_record *r)
{
    dt_store_op op;
    dt_buf row;
    memset(r, 0, sizeof(*r));
    if (put_op(&op, DT_STORE_GET, secret) != 0)
        return false;
    dt_buf_init(&row, DT_STORE_VALUE_MAX);
    bool found = perform(inst, &op, &row) && dt_buf_error(&row) == 0 &&
                 dt_session_record_unpack(dt_buf_bytes(&row), secret, plain, r) == 0 &&
                 strcmp(r->owner.application, inst->application) == 0 &&
                 dt_session_record_is_good(r, ruleset->config->mfa.session_lifetime, dt_host_now());
    dt_buf_free(&row);
    memcpy(r->continued.key_id, r->owner.key_id, sizeof(r->continued.key_id));
    return found;
}

bool dt_rlm_session_recall(rlm_devtrust_t const *inst, dt_ruleset const *ruleset,
                           dt_tls_peer const *peer, dt_buf *plain, dt_session_record *r)
{
    memset(r, 0, sizeof(*r));
    bool found = peer->resumed && peer->known && find(inst, ruleset, peer->secret, plain, r);
    r->continued.by = DT_CONTINUED_BY_TLS;
    return found;
}

void dt_rlm_session_forget(rlm_devtrust_t const *inst, dt_tls_peer const *peer)
{
    dt_store_op op;
    if (peer->known && put_op(&op, DT_STORE_DELETE, peer->secret) == 0)
        (void)perform(inst, &op, NULL);
}

/* --- sessions of a NAS -------------------------------------------------------------------------- */

/* False when the NAS names none. */
static bool nas_secret(dt_rlm_inputs const *in, uint8_t out[DT_SESSION_SECRET_LEN])
{
    dt_secret const *key = dt_site_state_key(dt_driver_files(in->ruleset));
    dt_bytes bytes = key != NULL ? dt_secret_bytes(key) : dt_bytes_of(NULL, 0);
    return dt_session_secret_of_name(bytes, in->session, out) == 0;
}

/* What the rule asks once per session it remembers by itself, under the same name. */
static bool rule_remembers(dt_outcome const *o)
{
    return o->decision.frequency == DT_FREQUENCY_ONCE_PER_SESSION &&
           (o->verdict.key_id[0] != '\0' || o->decision.remember_by != 0);
}

void dt_rlm_nas_session_remember(rlm_devtrust_t const *inst, REQUEST *request,
                                 dt_rlm_inputs const *in, char const *user, dt_outcome const *o,
                                 char const *id)
{
    uint8_t secret[DT_SESSION_SECRET_LEN];
    dt_session_record r = {0};
    if (in->ruleset->config->mfa.session_lifetime <= 0 || o->result != DT_ALLOW ||
        o->cause != DT_CAUSE_MFA_SUCCESS || o->mfa.at <= 0 || rule_remembers(o) ||
        !nas_secret(in, secret))
        return;
    int rc = fill(&r, inst, in->ruleset, user, o, id);
    if (rc == 0)
        rc = dt_str_copy(r.station, sizeof(r.station), in->station);
    if (rc == 0)
        rc = store(inst, in->ruleset, &r, secret);
    if (rc != 0)
        RWDEBUG("%s: this session will not continue its sign-on", dt_err_name(rc));
    explicit_bzero(secret, sizeof(secret));
}

bool dt_rlm_nas_session_recall(rlm_devtrust_t const *inst, dt_rlm_inputs const *in,
                               dt_session_record *r)
{
    uint8_t secret[DT_SESSION_SECRET_LEN];
    char login[DT_LOGIN_MAX];
    dt_buf plain;
    memset(r, 0, sizeof(*r));
    if (in->ruleset->config->mfa.session_lifetime <= 0 || !nas_secret(in, secret))
        return false;
    dt_buf_init(&plain, DT_SESSION_RECORD_MAX);
    bool found = find(inst, in->ruleset, secret, &plain, r) &&
                 login_of(in->ruleset, in->user, login) == 0 && login[0] != '\0' &&
                 strcmp(login, r->owner.login) == 0 && strcmp(in->station, r->station) == 0;
    r->continued.by = DT_CONTINUED_BY_NAS;
    r->reply = dt_bytes_of(NULL, 0); /* of none */
    dt_buf_free(&plain);
    explicit_bzero(secret, sizeof(secret));
    return found;
}

void dt_rlm_nas_session_forget(rlm_devtrust_t const *inst, dt_rlm_inputs const *in)
{
    uint8_t secret[DT_SESSION_SECRET_LEN];
    dt_store_op op;
    if (nas_secret(in, secret) && put_op(&op, DT_STORE_DELETE, secret) == 0)
        (void)perform(inst, &op, NULL);
    explicit_bzero(secret, sizeof(secret));
}
