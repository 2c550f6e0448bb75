/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is different inside PEAP, and inside TTLS with MS-CHAPv2, whose success goes to the supplicant first: a
 * decision is made in one round, and the server lets the person in in the next one. In between it is kept in the session-state of the request from the network, which the
 * server holds for that conversation alone and drops at its end; a resumed session has none of it. */
#include "rlm_devtrust/sessions.h"

#include <string.h>

#define MICROSOFT 311 /* RFC 2548 */
#define MSCHAP2_SUCCESS 26

/* What session-state holds, as bytes of this process. */
typedef struct kept {
    dt_carried decision;
    dt_rlm_person person;
} kept;

static REQUEST const *outermost(REQUEST const *request)
{
    while (request->parent != NULL)
        request = request->parent;
    return request;
}

static dt_bytes raw(REQUEST const *request, unsigned attribute)
{
    VALUE_PAIR *vp = fr_pair_find_by_num(request->packet->vps, attribute, 0, TAG_ANY);
    if (vp == NULL)
        return dt_bytes_of(NULL, 0);
    if (vp->da->type == PW_TYPE_IPV4_ADDR)
        return dt_bytes_of(&vp->vp_ipaddr, sizeof(vp->vp_ipaddr));
    return dt_bytes_of(vp->vp_octets, vp->vp_length);
}

static dt_carried_place place_of(REQUEST const *outer, char const *application)
{
    fr_ipaddr_t const *source = &outer->packet->src_ipaddr;
    return (dt_carried_place){
        .application = application,
        .user = raw(outer, PW_USER_NAME),
        .nas = raw(outer, PW_NAS_IDENTIFIER),
        .nas_address = raw(outer, PW_NAS_IP_ADDRESS),
        .station = raw(outer, PW_CALLING_STATION_ID),
        .source = source->af == AF_INET6
                      ? dt_bytes_of(&source->ipaddr.ip6addr, sizeof(source->ipaddr.ip6addr))
                      : dt_bytes_of(&source->ipaddr.ip4addr, sizeof(source->ipaddr.ip4addr)),
        .eap = raw(outer, PW_EAP_MESSAGE),
    };
}

bool dt_rlm_tunnel_goes_on(REQUEST const *request, RADIUS_PACKET const *inner)
{
    switch (dt_carried_type(raw(outermost(request), PW_EAP_MESSAGE))) {
    case DT_EAP_TYPE_PEAP:
        return true;
    case DT_EAP_TYPE_TTLS:
        return inner != NULL &&
               fr_pair_find_by_num(inner->vps, MSCHAP2_SUCCESS, MICROSOFT, TAG_ANY) != NULL;
    default:
        return false;
    }
}

static VALUE_PAIR *find(REQUEST const *outer)
{
    return fr_pair_find_by_da(outer->state, dt_rlm_carried_attribute(), TAG_ANY);
}

static void drop(REQUEST *outer)
{
    DICT_ATTR const *da = dt_rlm_carried_attribute();
    fr_pair_delete_by_num(&outer->state, da->attr, da->vendor, TAG_ANY);
}

int dt_rlm_tunnel_carry(REQUEST *request, char const *application, char const *id, bool allowed,
                        dt_outcome const *o)
{
    while (request->parent != NULL)
        request = request->parent;
    dt_carried_place where = place_of(request, application);
    kept k = {0};
    int rc = dt_carried_make(&where, id, allowed, o, &k.decision);
    dt_rlm_person const *person = dt_rlm_person_find(request);
    drop(request);
    if (rc < 0)
        return rc;
    if (person != NULL)
        k.person = *person;
    VALUE_PAIR *vp = fr_pair_afrom_da(request->state_ctx, dt_rlm_carried_attribute());
    if (vp == NULL)
        return DT_E_NOMEM;
    fr_pair_value_memcpy(vp, (uint8_t const *)&k, sizeof(k));
    fr_pair_add(&request->state, vp);
    return 0;
}

bool dt_rlm_tunnel_take(REQUEST *request, char const *application, dt_carried *out,
                        dt_rlm_person *person)
{
    kept k = {0};
    memset(out, 0, sizeof(*out));
    memset(person, 0, sizeof(*person));
    VALUE_PAIR *vp = request->parent == NULL ? find(request) : NULL;
    if (vp == NULL)
        return false;
    dt_carried_place where = place_of(request, application);
    if (vp->vp_length == sizeof(k))
        memcpy(&k, vp->vp_octets, sizeof(k));
    drop(request);
    if (!dt_carried_fits(&k.decision, &where))
        return false;
    *out = k.decision;
    *person = k.person;
    return true;
}
