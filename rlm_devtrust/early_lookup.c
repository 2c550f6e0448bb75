/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Look-ups that start in the round of an EAP-TLS handshake that brings the client's certificate, not in the last
 * one.
 *
 * In the last round the EAP module waits for us, so the server's thread would wait for Intune. In the round
 * before, the EAP module has made its answer: it can be parked in the waiting room like any other request,
 * without a thread, and goes out when the answers are in the cache, where the last round finds them. Nothing is decided
 * here. The certificate must have been verified by the server and its key proved, in this very round: else
 * anybody could make us ask Intune. The last round judges it anew, and asks the cache by what it finds then.
 *
 * The room answers a look-up with Access-Challenge. A server whose post-proxy section does not call devtrust
 * sends that on without EAP, which lets nobody in. */
#include "rlm_devtrust/rlm_devtrust.h"

#include "core/base/crypto.h"
#include "edge/host.h"

#include <pthread.h>
#include <string.h>

/* --- certificates of which all is known --------------------------------------------------------- */

/* Direct-mapped: whoever loses a place only has the cache asked once more. */
typedef struct known {
    rlm_devtrust_t const *inst; /* the rules of another application may ask for more */
    uint8_t certificate[DT_SHA256_LEN];
    dt_time until;
} known;

static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;
static known slots[DT_RLM_KNOWN_SLOTS];

static known *slot_of(uint8_t const digest[DT_SHA256_LEN])
{
    size_t at;
    memcpy(&at, digest, sizeof(at));
    return &slots[at % DT_RLM_KNOWN_SLOTS];
}

void dt_rlm_known_note(rlm_devtrust_t const *inst, dt_bytes certificate, dt_time until)
{
    known one = {.inst = inst, .until = until};
    if (dt_crypto_sha256(certificate, one.certificate) != 0)
        return;
    pthread_mutex_lock(&known_lock);
    *slot_of(one.certificate) = one;
    pthread_mutex_unlock(&known_lock);
}

static bool is_known(rlm_devtrust_t const *inst, dt_bytes certificate)
{
    uint8_t digest[DT_SHA256_LEN];
    if (dt_crypto_sha256(certificate, digest) != 0)
        return false;
    pthread_mutex_lock(&known_lock);
    known const one = *slot_of(digest);
    pthread_mutex_unlock(&known_lock);
    return one.inst == inst && memcmp(one.certificate, digest, sizeof(digest)) == 0 &&
           dt_host_now() < one.until;
}

/* --- the round that waits ------------------------------------------------------------------------ */

/* Kept with the request that is parked. */
typedef struct early {
    dt_parked *parked;
    VALUE_PAIR *reply; /* the EAP module's answer; ours */
    dt_time since;
} early;

static char early_key; /* its address is the key */

static int early_free(early *e)
{
    dt_parked_release(&e->parked);
    return 0;
}

/* A round whose tunnel has something to wait for goes to the room already, without an answer. */
static bool is_answered(REQUEST const *request)
{
    return request->reply->code == PW_CODE_ACCESS_CHALLENGE && request->proxy == NULL;
}

bool dt_rlm_early_is_for(rlm_devtrust_t const *inst, REQUEST const *request)
{
    return inst->primary == DT_RLM_PRIMARY_CERTIFICATE && request->parent == NULL &&
           dt_rlm_is_eap(request) && (is_answered(request) || request->proxy != NULL);
}

/* Takes the answer out of the reply, and the round out of the thread. On an error the answer is there as before. */
static bool park_round(rlm_devtrust_t const *inst, REQUEST *request, dt_parked **parked)
{
    early *e = talloc_zero(request, early);
    if (e == NULL)
        return false;
    talloc_set_destructor(e, early_free);
    e->since = dt_host_now();
    e->reply = fr_pair_list_copy(e, request->reply->vps);
    if (e->reply == NULL || request_data_add(request, &early_key, 0, e, true) != 0) {
        talloc_free(e);
        return false;
    }
    if (dt_rlm_address_to_room(inst, request, dt_parked_ticket(*parked))) {
        e->parked = *parked;
        *parked = NULL;
        return true;
    }
    fr_pair_delete_by_num(&request->config, PW_PROXY_TO_REALM, 0, TAG_ANY);
    fr_pair_list_free(&request->reply->vps);
    fr_pair_add(&request->reply->vps, fr_pair_list_copy(request->reply, e->reply));
    request->reply->code = PW_CODE_ACCESS_CHALLENGE;
    return false;
}

static void park(rlm_devtrust_t const *inst, REQUEST *request, dt_signon const *machine)
{
    dt_parked *parked = NULL;
    if (dt_waiting_room_park(inst->link->room, machine, dt_bytes_of(NULL, 0), &parked) != 0 ||
        !park_round(inst, request, &parked))
        RDEBUG("this round cannot wait for the look-ups: the last round does");
    dt_parked_release(&parked);
}

static void look_up(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in,
                    dt_tls_peer const *peer, dt_signon *machine)
{
    dt_request r;
    dt_rlm_request_fill(inst, request, in, &r);
    r.only_looks_up = true;
    r.conversation = DT_CONVERSATION_NONE;
    r.passcode = r.password = "";
    r.certificate = peer->certificate;
    memcpy(r.chain, peer->chain, sizeof(r.chain));
    r.chain_count = peer->chain_count;
    r.handshake_finished = peer->proved;
    r.handshake_resumed = peer->resumed;
    dt_signon_begin(machine, in->ruleset, &r, dt_host_now());
    if (!dt_driver_run_inline(inst->link->driver, machine, "radius")) {
        /* From the start on the loop: there it finds in the cache what others have fetched meanwhile. */
        dt_signon_begin(machine, in->ruleset, &r, dt_host_now());
        park(inst, request, machine);
    }
    dt_signon_wipe(machine);
}

rlm_rcode_t dt_rlm_early_look_up(rlm_devtrust_t const *inst, REQUEST *request)
{
    dt_rlm_inputs in;
    dt_ruleset ruleset;
    dt_tls_peer peer;
    dt_error e = {0};
    if (!is_answered(request) || !dt_tls_peer_shown(request, &peer))
        return RLM_MODULE_HANDLED;
    dt_signon *machine = is_known(inst, peer.certificate) ? NULL : dt_rlm_machine();
    if (machine != NULL) {
        dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
        in.ruleset = &ruleset;
        if (dt_rlm_inputs_read(inst, request, &in, &e) == 0) /* else the last round says why not */
            look_up(inst, request, &in, &peer, machine);
        dt_rlm_inputs_wipe(&in);
        dt_driver_release(&ruleset);
    }
    dt_tls_peer_free(&peer);
    return RLM_MODULE_HANDLED;
}

/* --- afterwards ----------------------------------------------------------------------------------- */

/* What the rounds that follow have to know; in session-state, of this process. */
typedef struct effort {
    dt_time spent;
    int okta_calls, graph_calls, ocsp_calls;
} effort;

static void note_effort(REQUEST *request, early const *e)
{
    DICT_ATTR const *da = dt_rlm_looked_up_attribute();
    dt_outcome o = {0};
    bool suspended;
    effort made = {.spent = dt_host_now() - e->since};
    (void)dt_parked_outcome(e->parked, &o, &suspended);
    made.okta_calls = o.okta_calls;
    made.graph_calls = o.graph_calls;
    made.ocsp_calls = o.ocsp_calls;
    fr_pair_delete_by_num(&request->state, da->attr, da->vendor, TAG_ANY);
    VALUE_PAIR *vp = fr_pair_afrom_da(request->state_ctx, da);
    if (vp == NULL)
        return;
    fr_pair_value_memcpy(vp, (uint8_t const *)&made, sizeof(made));
    fr_pair_add(&request->state, vp);
}

void dt_rlm_early_count(REQUEST *request, dt_request *r)
{
    effort made;
    while (request->parent != NULL)
        request = request->parent;
    VALUE_PAIR *vp = fr_pair_find_by_da(request->state, dt_rlm_looked_up_attribute(), TAG_ANY);
    if (vp == NULL || vp->vp_length != sizeof(made))
        return;
    memcpy(&made, vp->vp_octets, sizeof(made));
    if (made.spent > 0) /* or the clock was set back */
        r->wait_limit = made.spent < r->wait_limit ? r->wait_limit - made.spent : 0;
    r->okta_calls = made.okta_calls;
    r->graph_calls = made.graph_calls;
    r->ocsp_calls = made.ocsp_calls;
}

bool dt_rlm_early_end(REQUEST *request)
{
    early *e = request_data_reference(request, &early_key, 0);
    RADIUS_PACKET *reply = request->proxy_reply;
    if (e == NULL || e->parked == NULL)
        return false;
    if (reply == NULL || reply->code != PW_CODE_ACCESS_CHALLENGE) /* not the room's: a refusal */
        return true;
    fr_pair_list_free(&reply->vps);
    fr_pair_add(&reply->vps, fr_pair_list_copy(reply, e->reply));
    note_effort(request, e);
    dt_parked_release(&e->parked);
    return true;
}
