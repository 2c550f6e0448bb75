/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rlm_devtrust/open_sessions.h"

#include "driver/sessions.h"

#include <arpa/inet.h>
#include <string.h>

static void attribute(VALUE_PAIR *list, unsigned number, char *dst, size_t size)
{
    VALUE_PAIR const *vp = fr_pair_find_by_num(list, number, 0, TAG_ANY);

    if (vp != NULL && dt_rlm_value_text(vp, dst, size) != 0)
        dst[0] = '\0';
}

static void hex_attribute(VALUE_PAIR *list, unsigned number, char *dst, size_t size)
{
    VALUE_PAIR const *vp = fr_pair_find_by_num(list, number, 0, TAG_ANY);

    if (vp != NULL && vp->vp_length > 0 && 2 * vp->vp_length < size)
        dt_hex(dst, vp->vp_octets, vp->vp_length);
}

static uint32_t number(VALUE_PAIR *list, unsigned number)
{
    VALUE_PAIR const *vp = fr_pair_find_by_num(list, number, 0, TAG_ANY);

    return vp != NULL && vp->da->type == PW_TYPE_INTEGER ? vp->vp_integer : 0;
}

/* As the NAS says it of itself and of the session, in this packet. */
static void take_names(REQUEST const *request, dt_nas_session *n)
{
    VALUE_PAIR *list = request->packet->vps;
    fr_ipaddr_t const *from = &request->packet->src_ipaddr;

    if (inet_ntop(from->af, &from->ipaddr, n->source, sizeof(n->source)) == NULL)
        n->source[0] = '\0';
#define TAKE(number, field) attribute(list, number, n->field, sizeof(n->field))
    TAKE(PW_NAS_IP_ADDRESS, ip_address);
    TAKE(PW_NAS_IPV6_ADDRESS, ipv6_address);
    TAKE(PW_NAS_IDENTIFIER, identifier);
    TAKE(PW_USER_NAME, user_name);
    TAKE(PW_ACCT_SESSION_ID, session_id);
    TAKE(PW_ACCT_MULTI_SESSION_ID, multi_session_id);
    TAKE(PW_CALLING_STATION_ID, station);
    TAKE(PW_NAS_PORT, port);
    TAKE(PW_NAS_PORT_ID, port_id);
    TAKE(PW_FRAMED_IP_ADDRESS, framed_ip);
#undef TAKE
    hex_attribute(list, PW_CHARGEABLE_USER_IDENTITY, n->chargeable_id, sizeof(n->chargeable_id));
}

/* What the Access-Accept gives the session, the NAS goes by from then on (RFC 2865 section 5.1, RFC 4372). */
static void take_given(REQUEST const *request, dt_nas_session *n)
{
    VALUE_PAIR *list = request->reply->vps;

    attribute(list, PW_FRAMED_IP_ADDRESS, n->framed_ip, sizeof(n->framed_ip));
    hex_attribute(list, PW_CHARGEABLE_USER_IDENTITY, n->chargeable_id, sizeof(n->chargeable_id));
    if (fr_pair_find_by_num(list, PW_USER_NAME, 0, TAG_ANY) != NULL)
        attribute(list, PW_USER_NAME, n->user_name, sizeof(n->user_name));
}

bool dt_rlm_sessions_are_open(dt_ruleset const *ruleset)
{
    return ruleset->config->sessions.recheck > 0;
}

/* Who is inside the tunnel, and their groups; the request has what was said outside. */
static void take_person(dt_rlm_person const *person, char const *groups[DT_GROUPS_MAX],
                        dt_request *r)
{
    size_t count = 0;

    r->user = person->user;
    for (size_t at = 0; at < person->groups_len && count < DT_GROUPS_MAX;
         at += strlen(person->groups + at) + 1)
        groups[count++] = person->groups + at;
    r->groups = groups;
    r->group_count = count;
    r->group_knowledge = person->group_knowledge;
}

static void take_peer(dt_tls_peer const *peer, dt_request *r)
{
    r->certificate = peer->certificate;
    memcpy(r->chain, peer->chain, sizeof(r->chain));
    r->chain_count = peer->chain_count;
    r->handshake_finished = peer->certificate.len > 0 && peer->proved;
}

static void login_of(dt_rlm_inputs const *in, char const *user, char login[DT_LOGIN_MAX])
{
    dt_user_name name = {.text = user};
    dt_identity who;
    dt_error e = {0};

    login[0] = '\0';
    if (dt_identity_make(in->ruleset->config, in->ruleset->user_table, &name, &who, &e) == DT_OK)
        memcpy(login, who.login, DT_LOGIN_MAX);
}

void dt_rlm_open_session(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in,
                         dt_tls_peer const *peer, dt_rlm_person const *person, dt_outcome const *o,
                         char const *id)
{
    char const *groups[DT_GROUPS_MAX];
    char login[DT_LOGIN_MAX];
    dt_session s = {.door = DT_SESSION_RADIUS};
    dt_request r;

    if (o->result != DT_ALLOW || !dt_cause_allows(o->cause) || dt_outcome_is_report_only(o))
        return;
    dt_rlm_request_fill(inst, request, in, &r);
    if (person != NULL)
        take_person(person, groups, &r);
    take_peer(peer, &r);
    login_of(in, r.user, login);
    if (dt_session_of_request(&s, &r) != DT_OK) {
        RWDEBUG("a name in this session is too long: nobody will look after the session");
        return;
    }
    dt_session_of_outcome(&s, o, id, login);
    take_names(request, &s.at_nas);
    take_given(request, &s.at_nas);
    dt_sessions_let_in(inst->link->driver, &s,
                       DT_SECONDS(number(request->reply->vps, PW_SESSION_TIMEOUT)));
}

static dt_session_said said_by(uint32_t status)
{
    switch (status) {
    case PW_STATUS_START:
        return DT_SESSION_SAID_START;
    case PW_STATUS_ALIVE:
        return DT_SESSION_SAID_ALIVE;
    case PW_STATUS_STOP:
        return DT_SESSION_SAID_STOP;
    default:
        return DT_SESSION_SAID_NOTHING;
    }
}

void dt_rlm_account_session(rlm_devtrust_t const *inst, REQUEST *request, dt_rlm_inputs const *in)
{
    VALUE_PAIR *list = request->packet->vps;
    uint32_t status = number(list, PW_ACCT_STATUS_TYPE);
    dt_session s = {.door = DT_SESSION_RADIUS};

    if (status == PW_STATUS_ACCOUNTING_ON || status == PW_STATUS_ACCOUNTING_OFF) {
        dt_sessions_nas_gone(inst->link->driver, in->nas);
        return;
    }
    memcpy(s.nas, in->nas, sizeof(s.nas));
    memcpy(s.station, in->station, sizeof(s.station));
    take_names(request, &s.at_nas);
    dt_sessions_note(
        inst->link->driver, said_by(status), &s,
        DT_SECONDS((dt_time)number(list, PW_ACCT_SESSION_TIME) + number(list, PW_ACCT_DELAY_TIME)));
}
