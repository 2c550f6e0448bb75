/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rlm_devtrust: the FreeRADIUS 3.2 module. Configuration, life, and the way of one request:
 *
 *   authenticate, after the EAP module, in a round that brought a certificate: look up what is to be known of its
 *     device, before there is anything to decide (early_lookup.c).
 *   authorize or authenticate: read the inputs, run the sign-on as far as it goes without waiting.
 *     Done: answer. Wants a prompt: Access-Challenge. Wants to wait: park in the waiting room, or,
 *     inside an EAP-TLS handshake, which cannot be parked, block one of a few threads.
 *   post-proxy, post-auth: what became of a parked request, as attributes for unlang.
 *   post-auth: an Access-Accept that no sign-on of this very request allowed becomes a reject. In PEAP
 *     the sign-on belongs to the round before (tunnel.c). */
#include "rlm_devtrust/rlm_devtrust.h"

#include "core/signon/state_token.h"
#include "edge/host.h"
#include "edge/site.h"
#include "rlm_devtrust/challenge.h"
#include "rlm_devtrust/luggage.h"
#include "rlm_devtrust/open_sessions.h"
#include "rlm_devtrust/sessions.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static CONF_PARSER const module_config[] = {
    {"config", FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_NOT_EMPTY, rlm_devtrust_t, config_path),
     DT_CONFIG_DEFAULT_PATH},
    {"application",
     FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_REQUIRED | PW_TYPE_NOT_EMPTY, rlm_devtrust_t,
                    application),
     NULL},
    {"wait", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_devtrust_t, wait_text), "park"},
    {"primary", FR_CONF_OFFSET(PW_TYPE_STRING, rlm_devtrust_t, primary_text), "control"},
    {"append_passcode", FR_CONF_OFFSET(PW_TYPE_BOOLEAN, rlm_devtrust_t, append_passcode), "no"},
    {"accept_user_name", FR_CONF_OFFSET(PW_TYPE_BOOLEAN, rlm_devtrust_t, accept_user_name), "yes"},
    {"max_parked", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_devtrust_t, max_parked), "10000"},
    {"max_blocking_waits", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_devtrust_t, max_blocking_waits),
     "8"},
    {"max_blocking_lookups", FR_CONF_OFFSET(PW_TYPE_INTEGER, rlm_devtrust_t, max_blocking_lookups),
     "16"},
    {"waiting_room_port", FR_CONF_OFFSET(PW_TYPE_SHORT, rlm_devtrust_t, port), "0"},
#define INPUT(name, which, fallback)                                                               \
    {                                                                                              \
        name, FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_XLAT, rlm_devtrust_t, inputs[which].text),   \
            fallback                                                                               \
    }
    INPUT("user", DT_RLM_USER, "%{%{control:DevTrust-User}:-%{User-Name}}"),
    {"client_ip", FR_CONF_OFFSET(PW_TYPE_STRING | PW_TYPE_XLAT, rlm_devtrust_t, address.text), ""},
    INPUT("nas", DT_RLM_NAS, "&NAS-Identifier"),
    INPUT("station", DT_RLM_STATION, "&Calling-Station-Id"),
    INPUT("session", DT_RLM_SESSION, "&Acct-Session-Id"),
    INPUT("groups", DT_RLM_GROUPS, ""),
    INPUT("platform", DT_RLM_PLATFORM, ""),
    INPUT("vpn_device_id", DT_RLM_VPN_DEVICE_ID, ""),
    INPUT("vpn_pairs", DT_RLM_VPN_PAIRS, ""),
    INPUT("vpn_host_name", DT_RLM_VPN_HOST_NAME, ""),
    INPUT("passcode", DT_RLM_PASSCODE, "&DevTrust-Passcode"),
    INPUT("password", DT_RLM_PASSWORD, "&User-Password"),
#undef INPUT
    CONF_PARSER_TERMINATOR};

static char const *const input_names[DT_RLM_INPUT_COUNT] = {
    [DT_RLM_USER] = "user",
    [DT_RLM_NAS] = "nas",
    [DT_RLM_STATION] = "station",
    [DT_RLM_SESSION] = "session",
    [DT_RLM_GROUPS] = "groups",
    [DT_RLM_PLATFORM] = "platform",
    [DT_RLM_PASSCODE] = "passcode",
    [DT_RLM_PASSWORD] = "password",
    [DT_RLM_VPN_DEVICE_ID] = "vpn_device_id",
    [DT_RLM_VPN_PAIRS] = "vpn_pairs",
    [DT_RLM_VPN_HOST_NAME] = "vpn_host_name",
};

/* --- what a request was decided ---------------------------------------------------------------
 * Kept with the request itself, so that it cannot outlive it or be taken for another's. */
typedef struct decision {
    rlm_devtrust_t const *inst;
    bool allowed;        /* or only reported on */
    dt_outcome *outcome; /* of one within EAP, which `parked` has for itself; or NULL */
    dt_outcome *let_in;  /* of one that was let in outside of EAP without a wait; or NULL */
    dt_parked *parked;   /* or NULL; its outcome decides then */
    bool tunneled;       /* of a parked one: the server's reply to it is that of the tunnel */
    bool restored;       /* of a parked one: what the server had said is in the reply again */
    bool early;          /* none yet: devtrust was asked before anybody had checked the password */
    bool later; /* it is carried to the next round, and the reply of this one is a word only */
    dt_ruleset ruleset; /* of a parked one, or one within EAP: whose rules it goes by; held */
    char id[DT_SIGNON_ID_LEN + 1];
} decision;

static char decision_key; /* its address is the key */

static int decision_free(decision *d)
{
    dt_parked_release(&d->parked);
    dt_driver_release(&d->ruleset);
    return 0;
}

static REQUEST *outermost(REQUEST *request)
{
    while (request->parent != NULL)
        request = request->parent;
    return request;
}

/* Notes a decision with the request that came from the network, also when it was made for one inside
 * a tunnel. A later decision takes the place of an earlier one. */
static decision *decision_note(rlm_devtrust_t const *inst, REQUEST *request, char const *id)
{
    REQUEST *outer = outermost(request);
    decision *d = talloc_zero(outer, decision);
    if (d == NULL)
        return NULL;
    d->inst = inst;
    memcpy(d->id, id, sizeof(d->id));
    talloc_set_destructor(d, decision_free);
    if (request_data_add(outer, &decision_key, 0, d, true) != 0) {
        talloc_free(d);
        return NULL;
    }
    return d;
}

static decision *decision_find(REQUEST *request)
{
    return request_data_reference(outermost(request), &decision_key, 0);
}

/* --- refusing before a sign-on ran ------------------------------------------------------------ */

/* Who the core will find that this is. */
static int identity_of(dt_rlm_inputs const *in, dt_identity *who, dt_error *e)
{
    dt_user_name name = {.text = in->user};
    return dt_identity_make(in->ruleset->config, in->ruleset->user_table, &name, who, e);
}

static void audit_refusal(rlm_devtrust_t const *inst, dt_rlm_inputs const *in, dt_outcome const *o)
{
    dt_audit_context ctx = {0};
    dt_identity who;
    dt_error e = {0};
    if (in->user_is_wrong || identity_of(in, &who, &e) != DT_OK)
        memset(&who, 0, sizeof(who));
    ctx.id = in->id;
    ctx.application = inst->application;
    ctx.user = who.kind != DT_IDENTITY_NONE ? who.local : in->user;
    ctx.login = who.login;
    ctx.realm = who.realm;
    ctx.machine = who.kind == DT_IDENTITY_MACHINE;
    ctx.name = in->user;
    ctx.client_ip = in->client_ip;
    ctx.nas = in->nas;
    ctx.station = in->station;
    ctx.door = "radius";
    ctx.policy_hash = in->ruleset->policy != NULL ? dt_policy_hash(in->ruleset->policy) : "";
    ctx.generation = in->ruleset->generation;
    ctx.loaded = in->ruleset->loaded;
    ctx.started = dt_host_now();
    dt_driver_audit(inst->link->driver, o, NULL, "radius", &ctx);
}

static rlm_rcode_t refuse(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in,
                          dt_cause cause, char const *message, char const *detail)
{
    dt_outcome o;
    memset(&o, 0, sizeof(o));
    dt_refusal_code_make(in->id, o.code);
    dt_outcome_set(&o, DT_DENY, cause);
    dt_str_escape(o.message, sizeof(o.message), message);
    dt_str_escape(o.detail, sizeof(o.detail), detail);
    audit_refusal(inst, in, &o);
    REDEBUG("%s: %s", dt_cause_name(cause), o.detail);
    dt_rlm_attributes(request, &o, in->id);
    if (decision_note(inst, request, in->id) == NULL) /* which does not allow */
        return RLM_MODULE_FAIL;
    if (request->parent != NULL && dt_rlm_tunnel_goes_on(request, NULL))
        (void)!dt_rlm_tunnel_carry(request, inst->application, in->id, false, &o);
    return dt_rlm_reply(request, &o);
}

/* --- carrying a sign-on on -------------------------------------------------------------------- */

/* For the reply that goes out in the end, after the tunnel's was put into it. */
static bool keep_outcome(rlm_devtrust_t const *inst, decision *d, dt_outcome const *o)
{
    d->outcome = talloc_memdup(d, o, sizeof(*o));
    if (d->outcome == NULL) {
        d->allowed = false;
        return false;
    }
    dt_driver_acquire(inst->link->driver, inst->application, &d->ruleset);
    return true;
}

static rlm_rcode_t finish(rlm_devtrust_t const *inst, REQUEST *request, dt_signon const *machine,
                          dt_outcome const *o, char const *id)
{
    dt_policy const *policy = dt_signon_ruleset(machine)->policy;
    bool refused = o->result != DT_ALLOW;
    bool later = request->parent != NULL && inst->primary != DT_RLM_PRIMARY_CERTIFICATE &&
                 dt_rlm_tunnel_goes_on(request, refused ? NULL : request->reply);
    dt_rlm_attributes(request, o, id);
    if (!o->report_only && !later &&
        dt_rlm_reply_attributes(request, policy, &o->decision, refused) != 0 && !refused) {
        RERROR("the reply attributes of rule \"%s\" cannot be added: refused", o->decision.rule);
        decision_note(inst, request, id); /* which does not allow */
        return RLM_MODULE_FAIL;
    }
    rlm_rcode_t code = dt_rlm_reply(request, o);
    decision *d = decision_note(inst, request, id);
    if (d == NULL)
        return RLM_MODULE_FAIL;
    d->allowed = code == RLM_MODULE_OK || dt_outcome_is_report_only(o);
    d->later = later;
    if (request->parent != NULL && !keep_outcome(inst, d, o))
        return RLM_MODULE_FAIL;
    if (request->parent == NULL && !refused && dt_rlm_sessions_are_open(dt_signon_ruleset(machine)))
        d->let_in = talloc_memdup(d, o, sizeof(*o));
    if (later && dt_rlm_tunnel_carry(request, inst->application, id, d->allowed, o) != 0) {
        RERROR("the decision cannot be carried to the next round of PEAP: refused");
        d->allowed = false;
        return RLM_MODULE_FAIL;
    }
    if (dt_outcome_is_report_only(o) && inst->primary == DT_RLM_PRIMARY_CERTIFICATE)
        dt_rlm_reply_pass_handshake(request);
    return code;
}

/* Ends a machine that cannot go on here; its own event says why. */
static rlm_rcode_t give_up(rlm_devtrust_t const *inst, REQUEST *request, dt_signon *machine,
                           dt_cause cause, char const *why, char const *id)
{
    RERROR("%s: %s", dt_cause_name(cause), why);
    dt_signon_note(machine, why);
    dt_signon_abandon(machine, cause, dt_host_now());
    if (!dt_driver_run_inline(inst->link->driver, machine, "radius")) {
        dt_outcome o = *dt_signon_outcome(machine);
        dt_audit_context ctx = {0};
        dt_outcome_set(&o, DT_DENY, cause);
        dt_signon_audit_context(machine, &ctx);
        dt_driver_audit(inst->link->driver, &o, machine, "radius", &ctx);
        return finish(inst, request, machine, &o, id);
    }
    return finish(inst, request, machine, dt_signon_outcome(machine), id);
}

/* The packet for the waiting room carries the ticket and nothing else: no password leaves the
 * request. In a tunnel the EAP module makes the packet of what was tunneled: the ticket goes there,
 * and what the person's own software may have put in its way or that of the answer goes. EAP has written
 * its success into the reply already: with a code in it the request would not be proxied but accepted. */
bool dt_rlm_address_to_room(rlm_devtrust_t const *inst, REQUEST *request, dt_bytes ticket)
{
    RADIUS_PACKET *packet = request->packet;
    if (request->parent == NULL) {
        if (request->proxy != NULL)
            return false;
        packet = request->proxy = rad_alloc(request, true);
        if (packet == NULL)
            return false;
    } else {
        fr_pair_delete_by_num(&packet->vps, PW_STATE, 0, TAG_ANY);
        fr_pair_delete_by_num(&packet->vps, PW_PROXY_STATE, 0, TAG_ANY);
        fr_pair_delete_by_num(&packet->vps, PW_MESSAGE_AUTHENTICATOR, 0, TAG_ANY);
        fr_pair_delete_by_num(&packet->vps, PW_EAP_MESSAGE, 0, TAG_ANY);
        request->password = NULL; /* it may stand in the packet */
        fr_pair_delete_by_num(&packet->vps, PW_USER_PASSWORD, 0, TAG_ANY);
    }
    fr_pair_list_free(&request->reply->vps);
    request->reply->code = 0;
    VALUE_PAIR *state = fr_pair_afrom_num(packet, PW_STATE, 0);
    VALUE_PAIR *realm = radius_pair_create(request, &request->config, PW_PROXY_TO_REALM, 0);
    if (state == NULL || realm == NULL)
        return false;
    fr_pair_value_memcpy(state, ticket.p, ticket.len);
    fr_pair_add(&packet->vps, state);
    fr_pair_value_strcpy(realm, inst->link->realm);
    return true;
}

/* What the server has said so far. What control says to a request in a tunnel is for that request alone. */
static int pack(rlm_devtrust_t const *inst, REQUEST *request, dt_buf *luggage, dt_error *e)
{
    return dt_luggage_pack(request, request->parent == NULL, inst->group_attributes,
                           inst->group_attribute_count, luggage, e);
}

/* The server counts what a gateway sends again, and no module sees that. A dynamic entry of clients.conf may go
 * before its request. */
static void watch_gateway(REQUEST *request, dt_parked *parked)
{
    RADCLIENT const *gateway = outermost(request)->client;
    if (gateway != NULL && gateway->lifetime == 0)
        dt_parked_watch(parked, &gateway->auth.total_dup_requests);
}

/* The server goes on with the request when the waiting room has answered: no thread waits. Until
 * then nothing has accepted it: HANDLED ends both authorize and authenticate without a reply. */
static rlm_rcode_t park_request(rlm_devtrust_t const *inst, REQUEST *request, dt_parked *parked,
                                char const *id)
{
    decision *d = decision_note(inst, request, id);
    if (d == NULL) {
        dt_parked_release(&parked);
        return RLM_MODULE_FAIL;
    }
    d->parked = parked;
    d->tunneled = request->parent != NULL;
    watch_gateway(request, parked);
    dt_driver_acquire(inst->link->driver, inst->application, &d->ruleset);
    fr_pair_delete_by_num(&request->config, PW_AUTH_TYPE, 0, TAG_ANY);
    fr_pair_delete_by_num(&request->config, PW_PROXY_TO_REALM, 0, TAG_ANY);
    if (!dt_rlm_address_to_room(inst, request, dt_parked_ticket(parked)))
        return RLM_MODULE_FAIL;
    return RLM_MODULE_HANDLED;
}

/* The server counts the sessions of a person when it accepts, but never those of one in a tunnel who was
 * parked: that request is not gone on with. So they are counted before. */
static bool has_too_many_sessions(REQUEST *request)
{
    VALUE_PAIR *most = fr_pair_find_by_num(request->config, PW_SIMULTANEOUS_USE, 0, TAG_ANY);
    VALUE_PAIR *type = fr_pair_find_by_num(request->config, PW_SESSION_TYPE, 0, TAG_ANY);
    if (request->parent == NULL || most == NULL)
        return false;
    return process_checksimul(type != NULL ? (int)type->vp_integer : 0, request,
                              (int)most->vp_integer) != 0;
}

static rlm_rcode_t park(rlm_devtrust_t const *inst, REQUEST *request, dt_signon *machine,
                        char const *id)
{
    dt_parked *parked = NULL;
    dt_buf luggage;
    dt_error e = {0};
    if (has_too_many_sessions(request))
        return give_up(inst, request, machine, DT_CAUSE_BUSY,
                       "Simultaneous-Use: the person has the maximum number of sessions", id);
    dt_luggage_init(&luggage);
    int packed = pack(inst, request, &luggage, &e);
    int rc = packed != 0
                 ? packed
                 : dt_waiting_room_park(inst->link->room, machine, dt_buf_bytes(&luggage), &parked);
    dt_buf_free(&luggage);
    if (packed != 0)
        return give_up(inst, request, machine, DT_CAUSE_CONFIG, e.text, id);
    if (rc != 0)
        return give_up(inst, request, machine, DT_CAUSE_BUSY, "the waiting room is full", id);
    return park_request(inst, request, parked, id);
}

/* What the server had said of an Access-Accept is for that, not for the question before it. */
static rlm_rcode_t challenge(rlm_devtrust_t const *inst, REQUEST *request, dt_signon *machine,
                             dt_prompt const *prompt, char const *id)
{
    uint8_t storage[DT_STATE_TOKEN_MAX + 1];
    char text[DT_PROMPT_TEXT_MAX];
    dt_challenge_open open;
    dt_buf state, luggage;
    dt_error e = {0};
    dt_buf_init_fixed(&state, storage, sizeof(storage));
    dt_prompt_join(prompt, text);
    dt_signon_prompt_shown(machine, dt_host_now());
    dt_luggage_init(&luggage);
    int rc = pack(inst, request, &luggage, &e);
    bool config = rc != 0;
    if (rc == 0) {
        rc = dt_challenge_keep(inst->link->driver, machine, dt_buf_bytes(&luggage), &state, &open,
                               &e);
        config = rc == DT_E_INVALID || rc == DT_E_LIMIT;
    }
    dt_buf_free(&luggage);
    if (rc == 0)
        dt_waiting_room_expect(inst->link->room, &open);
    if (rc != 0)
        return give_up(inst, request, machine, config ? DT_CAUSE_CONFIG : DT_CAUSE_INTERNAL, e.text,
                       id);
    dt_rlm_attributes(request, dt_signon_outcome(machine), id);
    if (decision_note(inst, request, id) == NULL) /* whatever was decided before, this is open */
        return RLM_MODULE_FAIL;
    return dt_rlm_reply_challenge(request, text, dt_buf_bytes(&state));
}

/* The last round of an EAP-TLS handshake. The thread is lent for at most wait_wifi, and only to so
 * many at once that the server goes on for everybody else. */
static rlm_rcode_t block(rlm_devtrust_t const *inst, REQUEST *request, dt_signon *machine,
                         dt_time limit, char const *id)
{
    dt_outcome o;
    dt_rlm_link *link = inst->link;
    if (atomic_fetch_add(&link->blocking, 1) >= inst->max_blocking_waits) {
        atomic_fetch_sub(&link->blocking, 1);
        return give_up(inst, request, machine, DT_CAUSE_BUSY,
                       "max_blocking_waits handshakes are waiting already", id);
    }
    memset(&o, 0, sizeof(o));
    int rc = dt_driver_run_blocking(link->driver, machine, "radius", limit, &o);
    atomic_fetch_sub(&link->blocking, 1);
    if (rc != 0)
        return give_up(inst, request, machine, DT_CAUSE_BUSY, "the sign-on could not be run", id);
    return finish(inst, request, machine, &o, id);
}

/* Look-ups of one handshake: the certificate's OCSP answer, and Intune's about the device. */
#define DT_RLM_LOOKUPS_MAX 2

/* In the last round of a handshake: waits for the look-up of a device that is not in the cache, under
 * a limit of its own. Else people who are slow with their phones would keep trusted devices out.
 * True when it is worth while to begin again. */
static bool look_up(rlm_devtrust_t const *inst, dt_signon const *machine, dt_step const *step,
                    dt_time limit)
{
    dt_rlm_link *link = inst->link;
    dt_config const *config = dt_signon_ruleset(machine)->config;
    dt_ocsp_question const *question = dt_signon_ocsp_question(machine);
    dt_time longest = question != NULL ? config->device_trust.ocsp_timeout : config->intune.timeout;
    dt_guid const *found = dt_evidence_device_id(dt_signon_evidence(machine), config);
    if (step->kind != DT_STEP_HTTP ||
        (question == NULL && (found == NULL || (step->http->service != DT_HTTP_GRAPH &&
                                                step->http->service != DT_HTTP_COMPLIANCE))))
        return false;
    longest = longest < limit ? longest : limit;
    bool may = atomic_fetch_add(&link->looking, 1) < inst->max_blocking_lookups;
    if (may && question != NULL) {
        dt_driver_ocsp_wait(link->driver, question, longest);
    } else if (may) {
        dt_guid device = *found;
        dt_driver_refresh_wait(link->driver, &device, longest);
    }
    atomic_fetch_sub(&link->looking, 1);
    return may;
}

/* The supplicant has one patience for the look-up and the person together. */
static dt_time time_left(dt_time limit, dt_time spent)
{
    if (spent < 0) /* the clock was set back */
        return limit;
    return spent < limit ? limit - spent : 0;
}

/* Drives the machine as far as it goes here and answers. `r` is what it was begun with, or NULL when
 * it goes on with another request's. */
static rlm_rcode_t carry_on(rlm_devtrust_t const *inst, REQUEST *request, dt_signon *machine,
                            dt_request const *r, dt_time limit)
{
    char id[DT_SIGNON_ID_LEN + 1];
    dt_audit_context ctx = {0};
    dt_step step;
    dt_signon_audit_context(machine, &ctx);
    if (dt_str_copy(id, sizeof(id), ctx.id) != 0)
        id[0] = '\0';
    bool blocks = inst->primary == DT_RLM_PRIMARY_CERTIFICATE;
    bool done = dt_driver_run_inline(inst->link->driver, machine, "radius");
    if (!done) {
        dt_signon_next(machine, dt_host_now(), &step);
        dt_time started = dt_host_now();
        for (int i = 0; !done && i < DT_RLM_LOOKUPS_MAX && blocks && r != NULL &&
                        look_up(inst, machine, &step, limit);
             i++) {
            dt_request again = *r;
            dt_ruleset ruleset = *dt_signon_ruleset(machine); /* held by the caller */
            limit = again.wait_limit = time_left(limit, dt_host_now() - started);
            started = dt_host_now();
            dt_signon_begin(machine, &ruleset, &again, dt_host_now());
            done = dt_driver_run_inline(inst->link->driver, machine, "radius");
            dt_signon_next(machine, dt_host_now(), &step);
        }
    }
    if (done)
        return finish(inst, request, machine, dt_signon_outcome(machine), id);
    rlm_rcode_t code;
    if (step.kind == DT_STEP_PROMPT && step.suspend)
        code = challenge(inst, request, machine, step.prompt, id);
    else if (blocks)
        code = block(inst, request, machine, limit, id);
    else
        code = park(inst, request, machine, id);
    dt_signon_wipe(machine); /* a passcode may be in it */
    return code;
}

/* --- storage for a machine: one per thread, made once ----------------------------------------- */

static pthread_once_t storage_once = PTHREAD_ONCE_INIT;
static pthread_key_t storage_key;
static bool storage_ready;

static void storage_free(void *machine)
{
    dt_signon *s = machine;
    dt_driver_machine_free(&s);
}

static void storage_init(void)
{
    storage_ready = pthread_key_create(&storage_key, storage_free) == 0;
}

dt_signon *dt_rlm_machine(void)
{
    if (pthread_once(&storage_once, storage_init) != 0 || !storage_ready)
        return NULL;
    dt_signon *s = pthread_getspecific(storage_key);
    if (s != NULL)
        return s;
    s = dt_driver_machine_new();
    if (s != NULL && pthread_setspecific(storage_key, s) != 0) {
        dt_driver_machine_free(&s);
        return NULL;
    }
    return s;
}

/* --- beginnings ------------------------------------------------------------------------------- */

static rlm_rcode_t begin(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in,
                         dt_tls_peer const *peer, dt_continued const *continued, dt_signon *machine)
{
    dt_request r;
    dt_rlm_request_fill(inst, request, in, &r);
    r.continued = continued;
    r.certificate = peer->certificate;
    memcpy(r.chain, peer->chain, sizeof(r.chain));
    r.chain_count = peer->chain_count;
    r.handshake_finished = peer->proved;
    r.handshake_resumed = peer->resumed;
    dt_rlm_early_count(request, &r);
    if (dt_policy_needs_time(in->ruleset->policy))
        r.utc_offset_known = dt_host_utc_offset(dt_host_now(), &r.utc_offset) == DT_OK;
    if (request->parent != NULL && inst->primary != DT_RLM_PRIMARY_CERTIFICATE)
        dt_rlm_person_note(request, in);
    if (dt_rlm_first_password_keep(inst, request, in) != 0)
        return refuse(inst, request, in, DT_CAUSE_INTERNAL, "",
                      "the digest of the password could not be stored");
    dt_signon_begin(machine, in->ruleset, &r, dt_host_now());
    return carry_on(inst, request, machine, &r, r.wait_limit);
}

static char const again[] = "This request is no longer valid. Please sign in again.";

/* Takes the sign-on behind a State, and puts back what the server had said before the challenge: it goes on
 * from here as from there. */
static int take_up(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in,
                   dt_state_binding const *who, VALUE_PAIR const *state, dt_signon *machine,
                   dt_error *e)
{
    dt_buf luggage;
    dt_luggage_init(&luggage);
    int rc = dt_challenge_take(inst->link->driver, in->ruleset,
                               dt_bytes_of(state->vp_octets, state->vp_length), who, machine,
                               &luggage, e);
    if (rc == 0 && dt_luggage_unpack(request, dt_buf_bytes(&luggage), request->reply,
                                     &request->reply->vps) != 0)
        rc = dt_error_set(e, DT_E_PARSE, "the reply that was stored with a State cannot be read");
    dt_buf_free(&luggage);
    return rc;
}

/* Goes on in the waiting room, as whoever repeats the answer finds it there. */
static rlm_rcode_t park_answer(rlm_devtrust_t const *inst, REQUEST *request, dt_signon *machine,
                               dt_parked **parked, char const *id)
{
    dt_buf luggage;
    dt_error e = {0};
    dt_luggage_init(&luggage);
    int packed = pack(inst, request, &luggage, &e);
    int rc = packed != 0 ? packed : dt_waiting_room_start(*parked, machine, dt_buf_bytes(&luggage));
    dt_buf_free(&luggage);
    if (packed != 0)
        return give_up(inst, request, machine, DT_CAUSE_CONFIG, e.text, id);
    if (rc != 0)
        return give_up(inst, request, machine, DT_CAUSE_BUSY, "the waiting room is full", id);
    dt_parked *p = *parked;
    *parked = NULL;
    return park_request(inst, request, p, id);
}

static void give_answer(REQUEST *request, dt_rlm_inputs const *in, dt_bytes answer,
                        dt_signon *machine)
{
    if (dt_rlm_first_password_is(request, in->ruleset, answer)) {
        dt_signon_note(machine, "the answer was the password: it counts as Enter");
        answer.len = 0;
    }
    dt_signon_answer(machine, answer, dt_host_now());
}

/* The first with this answer: it alone takes the State and asks Okta. */
static rlm_rcode_t answer_first(rlm_devtrust_t const *inst, REQUEST *request,
                                dt_rlm_inputs const *in, dt_state_binding const *who,
                                VALUE_PAIR const *state, dt_bytes answer, dt_signon *machine,
                                dt_parked *parked)
{
    char id[DT_SIGNON_ID_LEN + 1] = "";
    dt_audit_context ctx = {0};
    dt_error e = {0};
    dt_outcome refused = {0};
    rlm_rcode_t code;
    int rc = take_up(inst, request, in, who, state, machine, &e);
    dt_cause cause = rc == DT_E_UNAVAILABLE ? DT_CAUSE_INTERNAL : DT_CAUSE_STATE_INVALID;
    if (rc != 0) {
        code = refuse(inst, request, in, cause, again, e.text);
    } else {
        dt_signon_audit_context(machine, &ctx);
        (void)!dt_str_copy(id, sizeof(id), ctx.id);
        give_answer(request, in, answer, machine);
        cause = DT_CAUSE_BUSY;
        code = park_answer(inst, request, machine, &parked, id);
        dt_signon_wipe(machine); /* a passcode may be in it */
    }
    if (parked != NULL) {
        dt_refusal_code_make(rc != 0 ? in->id : id, refused.code);
        dt_outcome_set(&refused, DT_DENY, cause);
        dt_waiting_room_cancel(&parked, &refused);
    }
    return code;
}

#define PACKET_HEAD 20 /* RFC 2865 section 3 */

/* radcli sends Enter as a User-Password without a byte in it; the server drops such an attribute when it decodes
 * the packet. */
static bool has_empty_password(RADIUS_PACKET const *packet)
{
    for (size_t at = PACKET_HEAD;
         packet->data != NULL && at + 2 <= packet->data_len && packet->data[at + 1] >= 2;
         at += packet->data[at + 1]) {
        if (packet->data[at] == PW_USER_PASSWORD && packet->data[at + 1] == 2)
            return true;
    }
    return false;
}

/* What was typed. */
static bool read_answer(REQUEST *request, dt_bytes *out)
{
    VALUE_PAIR *typed = fr_pair_find_by_num(request->packet->vps, PW_USER_PASSWORD, 0, TAG_ANY);
    *out = typed != NULL ? dt_bytes_of(typed->vp_strvalue, typed->vp_length) : dt_bytes_str("");
    return typed != NULL ? out->len <= DT_ANSWER_MAX : has_empty_password(request->packet);
}

/* The answer to a challenge of ours: the first factor was verified before the challenge was made. */
static rlm_rcode_t resume(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in,
                          VALUE_PAIR const *state, dt_signon *machine)
{
    dt_identity identity;
    char users[DT_CHALLENGE_FORMS][DT_RLM_BINDING_MAX];
    dt_error e = {0};
    if (identity_of(in, &identity, &e) != 0)
        return refuse(inst, request, in, DT_CAUSE_USER_NAME_INVALID, "", e.text);
    dt_state_binding who = {NULL, in->nas, inst->application, in->station};
    dt_bytes answer;
    if (!read_answer(request, &answer))
        return refuse(inst, request, in, DT_CAUSE_STATE_INVALID, again,
                      "the answer to a challenge has to come as User-Password, of at most 128 "
                      "bytes");
    dt_parked *parked = NULL;
    bool first = false;
    uint8_t key[DT_SHA256_LEN];
    int rc = DT_E_CRYPTO;
    size_t forms = dt_challenge_forms(&identity, in->user, in->stripped, users);
    for (size_t i = 0; i < forms && rc == DT_E_CRYPTO; i++) {
        who.user = users[i];
        rc = dt_challenge_answer_key(in->ruleset, dt_bytes_of(state->vp_octets, state->vp_length),
                                     &who, answer, key, &e);
    }
    if (rc != 0)
        return refuse(inst, request, in, DT_CAUSE_STATE_INVALID, again, e.text);
    if (dt_waiting_room_answer(inst->link->room, key, &parked, &first) != 0)
        return refuse(inst, request, in, DT_CAUSE_BUSY, "", "the waiting room is full");
    if (!first) {
        RDEBUG("the answer to a challenge was repeated: both get the result of the first");
        return park_request(inst, request, parked, in->id);
    }
    return answer_first(inst, request, in, &who, state, answer, machine, parked);
}

/* The State of a challenge that this module made; NULL when there is none. A request with several
 * States is not one that RFC 2865 section 5.44 allows; *several says so. */
static VALUE_PAIR *own_state(REQUEST *request, bool *several)
{
    VALUE_PAIR *own = NULL;
    vp_cursor_t cursor;
    size_t count = 0;
    fr_cursor_init(&cursor, &request->packet->vps);
    for (VALUE_PAIR *vp; (vp = fr_cursor_next_by_num(&cursor, PW_STATE, 0, TAG_ANY)) != NULL;) {
        count++;
        if (dt_state_token_is_ours(dt_bytes_of(vp->vp_octets, vp->vp_length)))
            own = vp;
    }
    *several = own != NULL && count > 1;
    return own;
}

static char const unverified[] =
    "control:DevTrust-Primary is not \"Verified\": the virtual server has "
    "to check the password before devtrust";

/* A sign-on in which the password was checked by the server, or came for Okta to check. */
static rlm_rcode_t by_password(rlm_devtrust_t const *inst, REQUEST *request,
                               dt_rlm_inputs const *in, dt_signon *machine)
{
    bool several = false;
    dt_tls_peer peer = {0};
    VALUE_PAIR *state = own_state(request, &several);
    if (several)
        return refuse(inst, request, in, DT_CAUSE_STATE_INVALID, "",
                      "the request carries more than one State");
    if (state != NULL)
        return resume(inst, request, in, state, machine);
    if (inst->primary == DT_RLM_PRIMARY_CONTROL && !dt_rlm_primary_verified(request) &&
        fr_pair_find_by_num(request->packet->vps, PW_STATE, 0, TAG_ANY) != NULL)
        return refuse(inst, request, in, DT_CAUSE_STATE_INVALID, again, DT_CHALLENGE_ELSEWHERE);
    if (inst->primary == DT_RLM_PRIMARY_CONTROL && !dt_rlm_primary_verified(request))
        return refuse(inst, request, in, DT_CAUSE_PRIMARY_MISSING, "", unverified);
    if (request->parent != NULL) /* a tunnel may have been made with a client certificate */
        (void)dt_tls_peer_get(request->parent, &peer);
    dt_session_record r;
    bool goes_on = dt_rlm_nas_session_recall(inst, in, &r);
    rlm_rcode_t code = begin(inst, request, in, &peer, goes_on ? &r.continued : NULL, machine);
    dt_tls_peer_free(&peer);
    return code;
}

/* What was found of a trusted device stays in the cache for a while: nothing is to be looked up early then. */
static void note_known(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in,
                       dt_tls_peer const *peer)
{
    decision const *d = decision_find(request);
    dt_verdict const *v = d != NULL && d->outcome != NULL ? &d->outcome->verdict : NULL;
    if (v != NULL && v->trust == DT_TRUST_TRUSTED && !d->outcome->stale)
        dt_rlm_known_note(inst, peer->certificate,
                          v->oldest + in->ruleset->config->device_trust.cache_ttl);
}

/* A session that is resumed goes on with the sign-on of the same person that it began with; so does one of the
 * NAS that makes a full handshake again. */
static rlm_rcode_t by_handshake(rlm_devtrust_t const *inst, REQUEST *request,
                                dt_rlm_inputs const *in, dt_tls_peer const *peer,
                                dt_signon *machine)
{
    dt_session_record r;
    dt_buf plain;
    dt_buf_init(&plain, DT_SESSION_RECORD_MAX);
    bool goes_on = (dt_rlm_session_recall(inst, in->ruleset, peer, &plain, &r) &&
                    strcmp(r.user, in->user) == 0) ||
                   dt_rlm_nas_session_recall(inst, in, &r);
    rlm_rcode_t code = begin(inst, request, in, peer, goes_on ? &r.continued : NULL, machine);
    dt_buf_free(&plain);
    note_known(inst, request, in, peer);
    return code;
}

/* A sign-on in which the handshake is the first factor: the virtual server of eap's tls section. */
static rlm_rcode_t by_certificate(rlm_devtrust_t const *inst, REQUEST *request,
                                  dt_rlm_inputs const *in, dt_signon *machine)
{
    dt_tls_peer peer = {0};
    bool have = request->parent != NULL && dt_tls_peer_get(request->parent, &peer);
    rlm_rcode_t code;
    if (have && peer.proved)
        code = by_handshake(inst, request, in, &peer, machine);
    else
        code = refuse(inst, request, in, DT_CAUSE_PRIMARY_MISSING, "",
                      "there is no finished TLS handshake with a verified client certificate: "
                      "primary = certificate belongs in the virtual_server of eap's tls section");
    dt_tls_peer_free(&peer);
    return code;
}

/* eap asks again where there is something to decide. A request whose password was checked is decided
 * here, whatever else it carries; so is, for Okta, the password that inner EAP-GTC brought. */
static bool decides_eap(rlm_devtrust_t const *inst, REQUEST *request)
{
    switch (inst->primary) {
    case DT_RLM_PRIMARY_CERTIFICATE:
        return true;
    case DT_RLM_PRIMARY_OKTA:
        return request->parent != NULL &&
               fr_pair_find_by_num(request->packet->vps, PW_USER_PASSWORD, 0, TAG_ANY) != NULL;
    default:
        return dt_rlm_primary_verified(request);
    }
}

static rlm_rcode_t CC_HINT(nonnull) sign_on(void *instance, REQUEST *request)
{
    rlm_devtrust_t const *inst = instance;
    dt_rlm_inputs in;
    dt_error e = {0};
    rlm_rcode_t code;
    if (inst->link == NULL)
        return RLM_MODULE_FAIL;
    if (dt_rlm_is_eap(request) && !decides_eap(inst, request))
        return RLM_MODULE_NOOP;
    dt_signon *machine = dt_rlm_machine();
    if (machine == NULL) {
        RERROR("no memory for a sign-on");
        return RLM_MODULE_FAIL;
    }
    dt_ruleset ruleset;
    dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
    in.ruleset = &ruleset;
    if (dt_rlm_inputs_read(inst, request, &in, &e) != 0)
        code =
            refuse(inst, request, &in,
                   in.user_is_wrong ? DT_CAUSE_USER_NAME_INVALID : DT_CAUSE_INTERNAL, "", e.text);
    else if (inst->primary == DT_RLM_PRIMARY_CERTIFICATE)
        code = by_certificate(inst, request, &in, machine);
    else
        code = by_password(inst, request, &in, machine);
    dt_rlm_inputs_wipe(&in);
    dt_driver_release(&ruleset);
    return code;
}

/* Before the server checks the password there is nothing to decide yet: a passcode that came along in it is
 * taken out, so that what is left can be checked. post-auth refuses whom nobody decides about later. */
static bool comes_before_the_password(rlm_devtrust_t const *inst, REQUEST *request)
{
    return inst->primary == DT_RLM_PRIMARY_CONTROL && !dt_rlm_primary_verified(request) &&
           fr_pair_find_by_num(request->packet->vps, PW_STATE, 0, TAG_ANY) == NULL;
}

static rlm_rcode_t take_passcode(rlm_devtrust_t const *inst, REQUEST *request)
{
    dt_rlm_inputs in;
    dt_ruleset ruleset;
    dt_error e = {0};
    int rc = dt_rlm_passcode_take(inst, request);
    decision *d = rc != DT_E_PARSE && request->parent == NULL && !dt_rlm_is_eap(request)
                      ? decision_note(inst, request, "00000000000000000000000000000000")
                      : NULL;
    if (d != NULL) /* which does not allow */
        d->early = true;
    if (rc != DT_E_PARSE)
        return rc == DT_OK ? RLM_MODULE_UPDATED
                           : (rc == DT_E_NOT_FOUND ? RLM_MODULE_NOOP : RLM_MODULE_FAIL);
    dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
    in.ruleset = &ruleset;
    if (dt_rlm_inputs_read(inst, request, &in, &e) != 0)
        RWDEBUG("%s", e.text);
    rlm_rcode_t code = refuse(inst, request, &in, DT_CAUSE_PRIMARY_FAILED, "",
                              "the password begins with SCRV1: but is not SCRV1:BASE64:BASE64, as "
                              "a client of OpenVPN with static-challenge sends it");
    dt_rlm_inputs_wipe(&in);
    dt_driver_release(&ruleset);
    return code;
}

static rlm_rcode_t CC_HINT(nonnull) mod_authorize(void *instance, REQUEST *request)
{
    rlm_devtrust_t const *inst = instance;
    if (inst->link != NULL && comes_before_the_password(inst, request))
        return take_passcode(inst, request);
    return sign_on(instance, request);
}

static rlm_rcode_t CC_HINT(nonnull) mod_authenticate(void *instance, REQUEST *request)
{
    rlm_devtrust_t const *inst = instance;
    if (inst->link != NULL && dt_rlm_early_is_for(inst, request))
        return dt_rlm_early_look_up(inst, request);
    return sign_on(instance, request);
}

/* --- afterwards ------------------------------------------------------------------------------- */

/* The outcome of a parked one, once it has one that says something. */
static bool parked_outcome(decision const *d, REQUEST *request, dt_outcome *o)
{
    char id[DT_SIGNON_ID_LEN + 1];
    bool suspended = false;
    if (!dt_parked_outcome(d->parked, o, &suspended))
        return false;
    dt_parked_id(d->parked, id);
    dt_rlm_attributes(request, o, id);
    return !suspended;
}

static bool allows(dt_outcome const *o)
{
    return dt_outcome_is_report_only(o) || (o->result == DT_ALLOW && dt_cause_allows(o->cause));
}

/* What the rule adds to the reply; only reported, the reply stays the server's. */
static bool give_attributes(REQUEST *request, dt_policy const *policy, dt_outcome const *o)
{
    if (dt_outcome_is_report_only(o) ||
        dt_rlm_reply_attributes(request, policy, &o->decision, false) == 0)
        return true;
    RERROR("the reply attributes of rule \"%s\" cannot be added: refused", o->decision.rule);
    return false;
}

static bool is_allowed(decision const *d, REQUEST *request)
{
    dt_outcome o;
    if (d->parked == NULL)
        return d->allowed && (d->outcome == NULL || d->later ||
                              give_attributes(request, d->ruleset.policy, d->outcome));
    return parked_outcome(d, request, &o) && allows(&o) &&
           (d->later || give_attributes(request, d->ruleset.policy, &o));
}

#ifdef WITH_PROXY
/* The server has dropped its reply. In a tunnel it goes by that of the waiting room. */
static bool restore(decision *d, REQUEST *request)
{
    RADIUS_PACKET *reply = d->tunneled ? request->proxy_reply : request->reply;
    d->restored = d->restored ||
                  dt_luggage_unpack(request, dt_parked_luggage(d->parked), reply, &reply->vps) == 0;
    if (!d->restored)
        RERROR("the server's reply from before the wait cannot be restored: refused");
    return d->restored;
}

/* In PEAP the reply of this round is only a word to the supplicant. */
static bool carry_parked(decision const *d, REQUEST *request)
{
    dt_outcome o;
    if (!parked_outcome(d, request, &o))
        return false;
    return dt_rlm_tunnel_carry(request, d->inst->application, d->id, allows(&o), &o) == 0 &&
           allows(&o);
}

/* FreeRADIUS 3.2.7 takes the State of a challenge for the home server's, not for its own EAP module's, when the
 * request was proxied to a port, and does not find its session-state by it in the next round: there the sign-on's
 * notes would be lost. Its own server's port is 0. Nothing else goes by the port once the packet's id is given
 * back, except that the reject of a home server is not delayed, which stays so. */
static void keep_session_state(REQUEST *request)
{
    bool const rejected =
        request->proxy_reply != NULL && request->proxy_reply->code == PW_CODE_ACCESS_REJECT;
    if (request->proxy != NULL && !request->in_proxy_hash && !rejected)
        request->proxy->dst_port = 0;
}

static rlm_rcode_t CC_HINT(nonnull) mod_post_proxy(UNUSED void *instance, REQUEST *request)
{
    decision *d = decision_find(request);
    bool const early = dt_rlm_early_end(request);
    if (!early && (d == NULL || d->parked == NULL))
        return RLM_MODULE_NOOP;
    keep_session_state(request);
    if (early)
        return RLM_MODULE_UPDATED;
    bool accepts =
        request->proxy_reply != NULL && request->proxy_reply->code == PW_CODE_ACCESS_ACCEPT;
    if (request->proxy_reply != NULL)
        dt_rlm_reply_strip_messages(request, request->proxy_reply);
    bool allowed = !accepts || restore(d, request);
    d->later = allowed && dt_rlm_tunnel_goes_on(request, accepts ? request->proxy_reply : NULL);
    if (allowed)
        allowed = d->later ? carry_parked(d, request) : is_allowed(d, request);
    if (allowed || !accepts)
        return RLM_MODULE_UPDATED;
    RERROR("the waiting room's accept belongs to no sign-on");
    return RLM_MODULE_FAIL;
}
#endif

/* An EAP authentication that failed before there was anything to decide, as for an expired or foreign
 * certificate, is a refusal like any other and is explained like any other. */
static void audit_failed_eap(rlm_devtrust_t const *inst, REQUEST *request)
{
    dt_rlm_inputs in;
    dt_ruleset ruleset;
    dt_error e = {0};
    char detail[DT_MESSAGE_MAX];
    dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
    in.ruleset = &ruleset;
    VALUE_PAIR *why =
        fr_pair_find_by_num(request->packet->vps, PW_MODULE_FAILURE_MESSAGE, 0, TAG_ANY);
    if (dt_rlm_inputs_read(inst, request, &in, &e) != 0)
        RWDEBUG("%s", e.text);
    snprintf(detail, sizeof(detail), "EAP failed: %s",
             why != NULL ? why->vp_strvalue : "the server gives no reason");
    (void)!refuse(inst, request, &in, DT_CAUSE_PRIMARY_MISSING, "", detail);
    dt_rlm_inputs_wipe(&in);
    dt_driver_release(&ruleset);
}

static char const unasked[] = "an Access-Accept that no sign-on of this request allowed";

/* It would have been refused. */
static void report_unasked(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in)
{
    dt_outcome o = {.report_only = true};
    dt_outcome_set(&o, DT_DENY, DT_CAUSE_STATE_INVALID);
    dt_str_escape(o.detail, sizeof(o.detail), unasked);
    audit_refusal(inst, in, &o);
    RWDEBUG("report_only: %s", o.detail);
    dt_rlm_attributes(request, &o, in->id);
}

/* Turns an Access-Accept into a refusal; not where sign-ons are only reported. */
static rlm_rcode_t reject_unmatched_accept(rlm_devtrust_t const *inst, REQUEST *request,
                                           char const *why)
{
    dt_rlm_inputs in;
    dt_ruleset ruleset;
    dt_error e = {0};
    dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
    in.ruleset = &ruleset;
    if (dt_rlm_inputs_read(inst, request, &in, &e) != 0)
        RWDEBUG("%s", e.text);
    rlm_rcode_t code = RLM_MODULE_NOOP;
    if (dt_ruleset_is_report_only(&ruleset)) {
        report_unasked(inst, request, &in);
    } else {
        dt_rlm_reply_strip(request);
        code = refuse(inst, request, &in, DT_CAUSE_PRIMARY_MISSING, "", why);
    }
    dt_rlm_inputs_wipe(&in);
    dt_driver_release(&ruleset);
    if (code != RLM_MODULE_NOOP)
        dt_rlm_reply_end_eap(request);
    return code == RLM_MODULE_OK ? RLM_MODULE_FAIL : code;
}

/* Whether the sign-on in the round before lets in what PEAP's last round is about. */
static bool carried_allows(rlm_devtrust_t const *inst, REQUEST *request, dt_carried const *c)
{
    if (!c->allowed || !allows(&c->outcome))
        return false;
    dt_ruleset ruleset;
    dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
    dt_rlm_attributes(request, &c->outcome, c->id);
    bool given = give_attributes(request, ruleset.policy, &c->outcome); /* not by another policy */
    dt_driver_release(&ruleset);
    return given;
}

/* Who is inside a tunnel, for accounting and disconnects: the access point takes the name of an Access-Accept
 * (RFC 2865 section 5.1), and without it knows what was said outside, such as "anonymous". */
static void name_person(rlm_devtrust_t const *inst, REQUEST *request, char const *user)
{
    if (inst->accept_user_name && request->parent == NULL)
        dt_rlm_reply_name(request, user);
}

/* --- a resumed session ------------------------------------------------------------------------ */

/* Drives the sign-on of a resumed session, which asks nobody, to its end: on this thread, or for a look-up
 * at the loop, with the threads that wait for look-ups. */
static rlm_rcode_t drive_resumed(rlm_devtrust_t const *inst, REQUEST *request, dt_signon *machine,
                                 dt_time limit, dt_outcome *o)
{
    dt_rlm_link *link = inst->link;
    *o = (dt_outcome){0};
    if (dt_driver_run_inline(link->driver, machine, "radius")) {
        *o = *dt_signon_outcome(machine);
        return RLM_MODULE_OK;
    }
    bool may = atomic_fetch_add(&link->looking, 1) < inst->max_blocking_lookups;
    int rc = may ? dt_driver_run_blocking(link->driver, machine, "radius", limit, o) : DT_E_LIMIT;
    atomic_fetch_sub(&link->looking, 1);
    if (rc == 0)
        return RLM_MODULE_OK;
    char id[DT_SIGNON_ID_LEN + 1] = "";
    return give_up(inst, request, machine, DT_CAUSE_BUSY,
                   "max_blocking_lookups handshakes are waiting already", id);
}

/* Who comes by a resumed TTLS or PEAP session is whoever signed on in it. */
static void fill_from_session(dt_rlm_inputs *in, dt_session_record const *r)
{
    memcpy(in->user, r->user, sizeof(in->user));
    in->group_count = 0;
    in->group_knowledge = r->group_knowledge;
    for (size_t at = 0; at < r->groups_len && in->group_count < DT_GROUPS_MAX;
         at += strlen(r->groups + at) + 1)
        in->group_list[in->group_count++] = r->groups + at;
}

static void begin_resumed(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in,
                          dt_tls_peer const *peer, dt_session_record const *r, dt_signon *machine,
                          dt_time *limit)
{
    dt_request q;
    dt_rlm_request_fill(inst, request, in, &q);
    q.certificate = peer->certificate;
    memcpy(q.chain, peer->chain, sizeof(q.chain));
    q.chain_count = peer->chain_count;
    q.handshake_finished = peer->proved;
    q.handshake_resumed = true;
    q.continued = &r->continued;
    q.only_continue = true;
    q.conversation = DT_CONVERSATION_NONE;
    q.passcode = q.password = "";
    q.primary = DT_PRIMARY_HANDSHAKE; /* the session was made with the password, and holds it */
    if (dt_policy_needs_time(in->ruleset->policy))
        q.utc_offset_known = dt_host_utc_offset(dt_host_now(), &q.utc_offset) == DT_OK;
    *limit = in->ruleset->config->mfa.wait_wifi;
    dt_signon_begin(machine, in->ruleset, &q, dt_host_now());
}

/* Lets the reply of the first Accept stand again, the rule's own on top; or refuses, and the session is over. */
static rlm_rcode_t end_resumed(rlm_devtrust_t const *inst, REQUEST *request,
                               dt_rlm_inputs const *in, dt_tls_peer const *peer,
                               dt_session_record const *r, dt_outcome const *o)
{
    dt_rlm_attributes(request, o, in->id);
    decision *d = decision_note(inst, request, in->id);
    if (d == NULL)
        return RLM_MODULE_FAIL;
    if (allows(o)) {
        d->allowed =
            dt_luggage_unpack(request, r->reply, request->reply, &request->reply->vps) == 0 &&
            give_attributes(request, in->ruleset->policy, o);
        name_person(inst, request, r->user);
        if (d->allowed && dt_rlm_sessions_are_open(in->ruleset))
            dt_rlm_open_session(inst, request, in, peer, NULL, o, in->id);
        return d->allowed ? RLM_MODULE_OK : RLM_MODULE_FAIL;
    }
    dt_rlm_reply_strip(request);
    return dt_rlm_reply(request, o);
}

static rlm_rcode_t go_on(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs *in,
                         dt_tls_peer const *peer)
{
    dt_session_record r;
    dt_outcome o;
    dt_buf plain;
    dt_time limit = 0;
    dt_signon *machine = dt_rlm_machine();
    dt_buf_init(&plain, DT_SESSION_RECORD_MAX);
    rlm_rcode_t code = RLM_MODULE_NOTFOUND;
    if (machine != NULL && dt_rlm_session_recall(inst, in->ruleset, peer, &plain, &r)) {
        fill_from_session(in, &r);
        begin_resumed(inst, request, in, peer, &r, machine, &limit);
        code = drive_resumed(inst, request, machine, limit, &o);
        if (code == RLM_MODULE_OK)
            code = end_resumed(inst, request, in, peer, &r, &o);
        if (code != RLM_MODULE_OK)
            dt_rlm_session_forget(inst, peer);
    }
    dt_buf_free(&plain);
    return code;
}

/* The Access-Accept of a resumed TTLS or PEAP session, which skipped the tunnel: it goes on with the sign-on
 * that the session began with. NOTFOUND when it is not one, or nothing is known of it. */
static rlm_rcode_t resumed(rlm_devtrust_t const *inst, REQUEST *request)
{
    dt_rlm_inputs in;
    dt_ruleset ruleset;
    dt_tls_peer peer = {0};
    dt_error e = {0};
    rlm_rcode_t code = RLM_MODULE_NOTFOUND;
    if (request->parent != NULL ||
        fr_pair_find_by_num(request->packet->vps, PW_EAP_SESSION_RESUMED, 0, TAG_ANY) == NULL ||
        !dt_tls_peer_noted(request, &peer))
        return code;
    dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
    in.ruleset = &ruleset;
    if (peer.resumed && dt_rlm_inputs_read(inst, request, &in, &e) == 0)
        code = go_on(inst, request, &in, &peer);
    dt_rlm_inputs_wipe(&in);
    dt_driver_release(&ruleset);
    dt_tls_peer_free(&peer);
    return code;
}

/* What let a request in, for re-authentications in its session. */
typedef struct passed {
    dt_outcome const *outcome;
    dt_rlm_person const *person; /* NULL: the one that the request from the network names */
    char const *id;
} passed;

/* A sign-on that only went on with an earlier one leaves that as it is. */
static bool is_new(dt_tls_peer const *peer, passed const *p)
{
    return p->outcome->result == DT_ALLOW &&
           (!peer->resumed || p->person != NULL || p->outcome->cause == DT_CAUSE_MFA_SUCCESS);
}

/* A tunnel's session has to know all that was proved in it. That of EAP-TLS brings its certificate again, and
 * goes on with an MFA alone: where none was given, nothing has to be kept. */
static bool has_what_goes_on(passed const *p)
{
    return p->person != NULL || p->outcome->mfa.at > 0;
}

static void remember_in(rlm_devtrust_t const *inst, REQUEST *request, passed const *p,
                        dt_tls_peer const *peer, dt_rlm_inputs *in)
{
    dt_rlm_person named = {0};
    dt_rlm_person const *person = p->person;
    dt_error e = {0};
    bool tls = peer->known && is_new(peer, p) && has_what_goes_on(p);
    bool nas = p->outcome->cause == DT_CAUSE_MFA_SUCCESS;
    bool read = (nas || (tls && person == NULL)) && dt_rlm_inputs_read(inst, request, in, &e) == 0;
    if (person == NULL && read) {
        memcpy(named.user, in->user, sizeof(named.user));
        person = &named;
    }
    if (tls && person != NULL)
        dt_rlm_session_remember(inst, in->ruleset, request, peer, person, p->outcome, p->id);
    if (nas && read)
        dt_rlm_nas_session_remember(inst, request, in, person->user, p->outcome, p->id);
    if (read)
        dt_rlm_inputs_wipe(in);
}

/* The session that begins now, or goes on. */
static void open_session(rlm_devtrust_t const *inst, REQUEST *request, passed const *p,
                         dt_tls_peer const *peer, dt_rlm_inputs *in)
{
    dt_error e = {0};
    if (!dt_rlm_sessions_are_open(in->ruleset))
        return;
    if (dt_rlm_inputs_read(inst, request, in, &e) == 0)
        dt_rlm_open_session(inst, request, in, peer, p->person, p->outcome, p->id);
    else
        RWDEBUG("%s", e.text);
    dt_rlm_inputs_wipe(in);
}

/* `again`: what let it in is kept for re-authentications, too. */
static void remember(rlm_devtrust_t const *inst, REQUEST *request, passed const *p, bool again)
{
    dt_rlm_inputs in;
    dt_ruleset ruleset;
    dt_tls_peer peer = {0};
    if (request->parent != NULL)
        return;
    (void)dt_tls_peer_noted(request, &peer);
    dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
    in.ruleset = &ruleset;
    if (again)
        remember_in(inst, request, p, &peer, &in);
    open_session(inst, request, p, &peer, &in);
    dt_driver_release(&ruleset);
    dt_tls_peer_free(&peer);
}

/* Of a request whose sign-on was made in it. */
static void remember_decision(rlm_devtrust_t const *inst, REQUEST *request, decision const *d)
{
    dt_outcome o;
    bool suspended = false;
    passed p = {d->outcome, dt_rlm_person_find(request), d->id};
    if (d->parked != NULL && dt_parked_outcome(d->parked, &o, &suspended) && !suspended)
        p.outcome = &o;
    bool again = p.outcome != NULL;
    if (!again)
        p.outcome = d->let_in;
    if (p.outcome != NULL)
        remember(inst, request, &p, again);
}

/* --- the last word ---------------------------------------------------------------------------- */

/* An Access-Accept: of a sign-on in this request, of one in the round before, of a session that goes on. */
static rlm_rcode_t judge_accept(rlm_devtrust_t const *inst, REQUEST *request, decision const *d)
{
    dt_carried c = {0};
    dt_rlm_person person;
    if (d != NULL) {
        if (!is_allowed(d, request) || strcmp(d->inst->application, inst->application) != 0)
            return reject_unmatched_accept(inst, request, d->early ? unverified : unasked);
        dt_rlm_person const *inside = dt_rlm_person_find(request);
        if (inside != NULL)
            name_person(inst, request, inside->user);
        remember_decision(inst, request, d);
        return RLM_MODULE_OK;
    }
    if (dt_rlm_tunnel_take(request, inst->application, &c, &person)) {
        if (!carried_allows(inst, request, &c))
            return reject_unmatched_accept(inst, request, unasked);
        passed p = {&c.outcome, &person, c.id};
        name_person(inst, request, person.user);
        remember(inst, request, &p, true);
        return RLM_MODULE_OK;
    }
    rlm_rcode_t code = resumed(inst, request);
    return code == RLM_MODULE_NOTFOUND ? reject_unmatched_accept(inst, request, unasked) : code;
}

/* Nothing gets in that no sign-on allowed: not a resumed EAP session of which nothing is known, not a
 * section that was configured past devtrust. */
static rlm_rcode_t judge_reply(rlm_devtrust_t const *inst, REQUEST *request)
{
    decision *d = decision_find(request);
    dt_carried c = {0};
    dt_rlm_person person;
    if (request->reply->code == PW_CODE_ACCESS_ACCEPT)
        return judge_accept(inst, request, d);
    if (d != NULL && d->early)
        return RLM_MODULE_NOOP;
    if (d != NULL && d->parked != NULL)
        (void)!is_allowed(d, request); /* for the attributes of unlang */
    if (d != NULL || (request->reply->code != PW_CODE_ACCESS_CHALLENGE &&
                      dt_rlm_tunnel_take(request, inst->application, &c, &person)))
        return RLM_MODULE_UPDATED;
    if (request->reply->code == PW_CODE_ACCESS_REJECT &&
        inst->primary == DT_RLM_PRIMARY_CERTIFICATE && dt_rlm_is_eap(request))
        audit_failed_eap(inst, request);
    return RLM_MODULE_NOOP;
}

/* --- accounting ------------------------------------------------------------------------------- */

/* Whoever comes under the name of a session that is over is asked again. */
static void account(rlm_devtrust_t const *inst, REQUEST *request, bool stops)
{
    dt_rlm_inputs in;
    dt_ruleset ruleset;
    dt_error e = {0};
    dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
    in.ruleset = &ruleset;
    if (dt_rlm_inputs_read(inst, request, &in, &e) != 0) {
        RWDEBUG("%s", e.text);
    } else {
        if (stops)
            dt_rlm_nas_session_forget(inst, &in);
        dt_rlm_account_session(inst, request, &in);
    }
    dt_rlm_inputs_wipe(&in);
    dt_driver_release(&ruleset);
}

/* Always answered, also where nothing is written down: a gateway whose accounting fails ends the session. */
static rlm_rcode_t CC_HINT(nonnull) mod_accounting(void *instance, REQUEST *request)
{
    rlm_devtrust_t const *inst = instance;
    VALUE_PAIR *what = fr_pair_find_by_num(request->packet->vps, PW_ACCT_STATUS_TYPE, 0, TAG_ANY);
    if (inst->link == NULL)
        return RLM_MODULE_FAIL;
    if (what != NULL)
        account(inst, request, what->vp_integer == PW_STATUS_STOP);
    return RLM_MODULE_OK;
}

static rlm_rcode_t CC_HINT(nonnull) mod_post_auth(void *instance, REQUEST *request)
{
    rlm_devtrust_t const *inst = instance;
    if (inst->link == NULL)
        return RLM_MODULE_FAIL;
    rlm_rcode_t code = judge_reply(inst, request);
    dt_rlm_reply_strip_messages(request, request->reply);
    if (request->reply->code == PW_CODE_ACCESS_REJECT)
        dt_rlm_reply_end_eap(request);
    return code;
}

/* --- life ------------------------------------------------------------------------------------- */

static int parse_word(CONF_SECTION *cs, char const *name, char const *value,
                      char const *const words[], int *out)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(value, words[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    cf_log_err_cs(cs, "%s = \"%s\" is not one of the words in rlm_devtrust(5)", name, value);
    return -1;
}

static int parse_words(CONF_SECTION *cs, rlm_devtrust_t *inst)
{
    static char const *const waits[] = {[DT_RLM_WAIT_PARK] = "park",
                                        [DT_RLM_WAIT_HYBRID] = "hybrid",
                                        [DT_RLM_WAIT_CHALLENGE] = "challenge",
                                        NULL};
    static char const *const primaries[] = {[DT_RLM_PRIMARY_CONTROL] = "control",
                                            [DT_RLM_PRIMARY_CERTIFICATE] = "certificate",
                                            [DT_RLM_PRIMARY_OKTA] = "okta",
                                            NULL};
    int wait = 0, primary = 0;
    if (parse_word(cs, "wait", inst->wait_text, waits, &wait) < 0 ||
        parse_word(cs, "primary", inst->primary_text, primaries, &primary) < 0)
        return -1;
    inst->wait = (dt_rlm_wait)wait;
    inst->primary = (dt_rlm_primary)primary;
    return 0;
}

/* ${version.freeradius-server}, which the running server fills in; not all versions export it as a symbol. */
static char const *server_version(void)
{
    CONF_SECTION *versions = cf_section_sub_find(main_config.config, "version");
    CONF_PAIR *ours = versions == NULL ? NULL : cf_pair_find(versions, "freeradius-server");
    char const *value = ours == NULL ? NULL : cf_pair_value(ours);

    return value == NULL ? "of an unknown version" : value;
}

/* The fixed parts of struct rad_request have to be those we were compiled with. */
static int check_version(CONF_SECTION *cs)
{
    if (strcmp(server_version(), RADIUSD_VERSION_STRING) == 0)
        return 0;
    cf_log_err_cs(cs,
                  "built for FreeRADIUS " RADIUSD_VERSION_STRING
                  ", but this server is %s: install the freeradius-devtrust that belongs to it, or "
                  "rebuild devtrust on this machine",
                  server_version());
    return -1;
}

static int check_server(CONF_SECTION *cs, rlm_devtrust_t const *inst)
{
    if (check_version(cs) < 0)
        return -1;
    if (!main_config.proxy_requests) {
        cf_log_err_cs(cs, "set proxy_requests = yes in radiusd.conf: a request waits as a proxied "
                          "request while the person is asked");
        return -1;
    }
    if (inst->max_parked < 1 || inst->max_parked > DT_ROOM_PARKED_MAX ||
        inst->max_blocking_waits > DT_RLM_BLOCKING_WAITS_MAX ||
        inst->max_blocking_lookups > DT_RLM_BLOCKING_WAITS_MAX) {
        cf_log_err_cs(
            cs, "max_parked must be 1 to %d, max_blocking_waits and max_blocking_lookups 0 to %d",
            DT_ROOM_PARKED_MAX, DT_RLM_BLOCKING_WAITS_MAX);
        return -1;
    }
    if (main_config.max_requests != 0 && main_config.max_requests < inst->max_parked)
        WARN("devtrust: max_requests = %u in radiusd.conf is below max_parked = %u: the server "
             "will drop packets first",
             main_config.max_requests, inst->max_parked);
    return 0;
}

/* The server forgets a request after max_request_time: a person must not be given longer. */
static int check_times(dt_config const *c, dt_error *e)
{
    dt_time longest = c->mfa.wait_vpn > c->mfa.wait_wifi ? c->mfa.wait_vpn : c->mfa.wait_wifi;
    dt_time needed = longest + DT_RLM_ANSWER_MARGIN;
    if (DT_SECONDS(main_config.max_request_time) >= needed)
        return 0;
    return dt_error_set(e, DT_E_INVALID,
                        "max_request_time = %u in radiusd.conf is too short for [mfa] wait_vpn and "
                        "wait_wifi: set it to at least %lld",
                        main_config.max_request_time, (long long)((needed + 999) / 1000));
}

/* Both files have to say who checks the password: of two that differ, one would be an accident. */
static int check_primary(rlm_devtrust_t const *inst, dt_config const *c, dt_error *e)
{
    bool okta = dt_config_okta_password(c, inst->application);
    if (inst->primary == DT_RLM_PRIMARY_CERTIFICATE ||
        okta == (inst->primary == DT_RLM_PRIMARY_OKTA))
        return 0;
    return dt_error_set(
        e, DT_E_INVALID,
        okta ? "application = \"%s\" is named in [primary] okta_password: set primary = okta"
             : "primary = okta: name application \"%s\" in [primary] okta_password",
        inst->application);
}

int dt_rlm_check_site(rlm_devtrust_t const *inst, dt_site const *files, dt_error *e)
{
    if (dt_site_policy(files, inst->application) == NULL)
        return dt_error_set(e, DT_E_INVALID, "application = \"%s\" has no policy: add %s/%s.json",
                            inst->application, dt_site_config(files)->policy.directory,
                            inst->application);
    if (inst->wait != DT_RLM_WAIT_PARK && dt_site_state_key(files) == NULL)
        return dt_error_set(e, DT_E_INVALID,
                            "wait = \"%s\" makes challenges: set [store] state_key_file",
                            inst->wait_text);
    int rc = check_primary(inst, dt_site_config(files), e);
    if (rc == 0)
        rc = dt_rlm_reply_check(dt_site_policy(files, inst->application), e);
    return rc != 0 ? rc : check_times(dt_site_config(files), e);
}

static int check_site(CONF_SECTION *cs, rlm_devtrust_t const *inst, dt_site const *files)
{
    dt_error e = {0};
    if (dt_rlm_check_site(inst, files, &e) == 0)
        return 0;
    cf_log_err_cs(cs, "%s", e.text);
    return -1;
}

typedef struct check_log {
    CONF_SECTION *cs;
    bool fault;
} check_log;

/* What a start goes on without is a fault for who asks whether all is in order. */
static void on_checked(void *ctx, dt_notice notice, char const *text)
{
    check_log *log = ctx;
    if (notice != DT_NOTICE_FAULT)
        return;
    cf_log_err_cs(log->cs, "%s", text);
    log->fault = true;
}

/* radiusd -C: everything is read, checked and opened as the user whom the server runs as (it has become
 * that user by now), and closed again. */
static int check_only(CONF_SECTION *cs, rlm_devtrust_t const *inst)
{
    check_log log = {.cs = cs};
    dt_driver_options const options = {
        .config_path = inst->config_path, .notify = on_checked, .watch_ctx = &log};
    dt_driver *driver = NULL;
    dt_error e = {0};

    dt_site_set_door(DT_SITE_DOOR_RADIUS);
    if (dt_driver_new(&options, &driver, &e) != 0) {
        cf_log_err_cs(cs, "%s", e.text);
        return -1;
    }
    int rc = check_site(cs, inst, dt_driver_site(driver));
    dt_driver_free(&driver);
    return log.fault ? -1 : rc;
}

static int mod_bootstrap(UNUSED CONF_SECTION *cs, UNUSED void *instance)
{
    return dt_rlm_dictionary();
}

static int mod_instantiate(CONF_SECTION *cs, void *instance)
{
    rlm_devtrust_t *inst = instance;
    dt_error e = {0};
    inst->name = cf_section_name2(cs) != NULL ? cf_section_name2(cs) : cf_section_name1(cs);
    if (parse_words(cs, inst) < 0 || check_server(cs, inst) < 0)
        return -1;
    for (int i = 0; i < DT_RLM_INPUT_COUNT; i++) {
        if (dt_rlm_compile(inst, input_names[i], &inst->inputs[i], &e) != 0) {
            cf_log_err_cs(cs, "%s", e.text);
            return -1;
        }
    }
    if (dt_rlm_address_compile(inst, &inst->address, &e) != 0 ||
        dt_rlm_directories_find(inst, &e) != 0) {
        cf_log_err_cs(cs, "%s", e.text);
        return -1;
    }
    if (check_config)
        return check_only(cs, inst);
    if (dt_tls_peer_start(&e) != 0 || dt_rlm_link_get(inst, &inst->link, &e) != 0) {
        cf_log_err_cs(cs, "%s", e.text);
        return -1;
    }
    dt_ruleset ruleset;
    dt_driver_acquire(inst->link->driver, inst->application, &ruleset);
    int rc = check_site(cs, inst, dt_driver_files(&ruleset));
    dt_driver_release(&ruleset);
    return rc;
}

static int mod_detach(void *instance)
{
    rlm_devtrust_t *inst = instance;
    dt_rlm_link_put(inst);
    return 0;
}

extern module_t rlm_devtrust;
module_t rlm_devtrust = {
    .magic = RLM_MODULE_INIT,
    .name = "devtrust",
    .type = RLM_TYPE_THREAD_SAFE, /* and kept on HUP */
    .inst_size = sizeof(rlm_devtrust_t),
    .config = module_config,
    .bootstrap = mod_bootstrap,
    .instantiate = mod_instantiate,
    .detach = mod_detach,
    .methods =
        {
            [MOD_AUTHENTICATE] = mod_authenticate,
            [MOD_AUTHORIZE] = mod_authorize,
            [MOD_ACCOUNTING] = mod_accounting,
#ifdef WITH_PROXY
            [MOD_POST_PROXY] = mod_post_proxy,
#endif
            [MOD_POST_AUTH] = mod_post_auth,
        },
};
