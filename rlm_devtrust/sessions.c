/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps, finds and drops the sign-on of a TLS session. See sessions.h. */
#include "rlm_devtrust/sessions.h"

#include "edge/host.h"
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
        if (len > sizeof p->groups - p->groups_len) {
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
    memcpy(p->user, in->user, sizeof p->user);
    take_groups(p, in);
    if (request_data_add(outer, &person_key, 0, p, true) != 0)
        talloc_free(p);
}

dt_rlm_person const *dt_rlm_person_find(REQUEST *request)
{
    return request_data_reference(outermost(request), &person_key, 0);
}

/* --- the store ---------------------------------------------------------------------------------- */

static int put_op(dt_store_op *op, dt_store_verb verb, dt_tls_peer const *peer)
{
    memset(op, 0, sizeof *op);
    op->table = DT_TABLE_REMEMBERED;
    op->verb = verb;
    return dt_session_record_key(peer->secret, op->key);
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

static int fill(dt_session_record *r, dt_site const *site, dt_rlm_person const *person,
                dt_outcome const *o)
{
    r->at = dt_host_now();
    memcpy(r->user, person->user, sizeof r->user);
    r->group_knowledge = person->group_knowledge;
    r->group_count = person->group_count;
    r->groups_len = person->groups_len;
    memcpy(r->groups, person->groups, sizeof r->groups);
    r->continued.mfa = o->mfa;
    r->continued.trust = o->verdict.trust;
    r->continued.reason = o->verdict.reason;
    memcpy(r->continued.rule, o->decision.rule, sizeof r->continued.rule);
    memcpy(r->owner.device_id, o->verdict.device_id.text, sizeof r->owner.device_id);
    memcpy(r->owner.key_id, o->verdict.key_id, sizeof r->owner.key_id);
    dt_user_name name = {.text = person->user};
    dt_identity who;
    dt_error e = {0};
    int rc = dt_identity_make(site->config, site->user_table, &name, &who, &e);
    if (rc == 0)
        memcpy(r->owner.login, who.login, sizeof r->owner.login);
    return rc;
}

static int store(rlm_devtrust_t const *inst, dt_site const *site, dt_session_record const *r,
                 dt_tls_peer const *peer)
{
    uint8_t nonce[DT_AEAD_NONCE_LEN];
    dt_store_op op;
    dt_buf row;
    dt_buf_init(&row, DT_STORE_VALUE_MAX);
    int rc = dt_host_random(nonce, sizeof nonce);
    if (rc == 0)
        rc = put_op(&op, DT_STORE_PUT, peer);
    if (rc == 0)
        rc = dt_session_record_pack(r, peer->secret, nonce, &row);
    if (rc == 0) {
        op.value = dt_buf_bytes(&row);
        op.expires = r->at + site->config->mfa.session_for;
        rc = perform(inst, &op, NULL) ? 0 : DT_E_UNAVAILABLE;
    }
    dt_buf_free(&row);
    return rc;
}

void dt_rlm_session_remember(rlm_devtrust_t const *inst, dt_site const *site, REQUEST *request,
                             dt_tls_peer const *peer, dt_rlm_person const *person,
                             dt_outcome const *o, char const *id)
{
    dt_session_record r = {0};
    dt_reply_attribute const *list = NULL;
    dt_error e = {0};
    dt_buf reply;
    size_t count = 0;
    if (site->config->mfa.session_for <= 0 || !peer->known)
        return;
    dt_buf_init(&reply, DT_SESSION_REPLY_MAX);
    int rc = dt_policy_reply(site->policy, &o->decision, &list, &count);
    if (rc == 0)
        rc = dt_luggage_pack_accept(request, list, count, &reply, &e);
    if (rc == 0)
        rc = fill(&r, site, person, o);
    if (rc == 0)
        rc = dt_str_copy(r.owner.application, sizeof r.owner.application, inst->application);
    if (rc == 0)
        rc = dt_str_copy(r.id, sizeof r.id, id);
    r.reply = dt_buf_bytes(&reply);
    if (rc == 0)
        rc = store(inst, site, &r, peer);
    dt_buf_free(&reply);
    if (rc != 0)
        RWDEBUG("%s: this TLS session will not go on with its sign-on: %s", dt_err_name(rc),
                e.text);
}

/* --- finding ------------------------------------------------------------------------------------ */

bool dt_rlm_session_recall(rlm_devtrust_t const *inst, dt_site const *site, dt_tls_peer const *peer,
                           dt_buf *plain, dt_session_record *r)
{
    dt_store_op op;
    dt_buf row;
    memset(r, 0, sizeof *r);
    if (!peer->resumed || !peer->known || put_op(&op, DT_STORE_GET, peer) != 0)
        return false;
    dt_buf_init(&row, DT_STORE_VALUE_MAX);
    bool found = perform(inst, &op, &row) && dt_buf_error(&row) == 0 &&
                 dt_session_record_unpack(dt_buf_bytes(&row), peer->secret, plain, r) == 0 &&
                 strcmp(r->owner.application, inst->application) == 0 &&
                 dt_session_record_is_good(r, site->config->mfa.session_for, dt_host_now());
    dt_buf_free(&row);
    return found;
}

void dt_rlm_session_forget(rlm_devtrust_t const *inst, dt_tls_peer const *peer)
{
    dt_store_op op;
    if (peer->known && put_op(&op, DT_STORE_DELETE, peer) == 0)
        (void)perform(inst, &op, NULL);
}
