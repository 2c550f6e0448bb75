/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From an outcome to what FreeRADIUS wants: attributes for unlang, the reply for the NAS and the
 * module's return code, each decided here and nowhere else. */
#include "rlm_devtrust/luggage.h"
#include "rlm_devtrust/rlm_devtrust.h"

#include <string.h>

#define EAP_RESPONSE 2
#define EAP_FAILURE 4
#define EAP_HEAD 4 /* code, identifier, length: RFC 3748 section 4 */
#define PRIMARY_VERIFIED "Verified"
#define MICROSOFT 311 /* RFC 2548 */
#define MS_CHAP_ERROR 2
#define STRING_VALUE_MAX 253 /* RFC 2865 section 5 */
#define WIRE_ATTR_MAX 255    /* what is above is between the server's own modules */
#define MPPE_SEND_KEY 16
#define MPPE_RECV_KEY 17

typedef enum attribute {
    ATTR_PRIMARY = 0,
    ATTR_USER,
    ATTR_PASSCODE,
    ATTR_GROUP,
    ATTR_DIRECTORY,
    ATTR_PLATFORM,
    ATTR_ASSERTED_DEVICE_ID,
    ATTR_VERDICT,
    ATTR_REASON,
    ATTR_RULE,
    ATTR_CAUSE,
    ATTR_DEVICE_ID,
    ATTR_SIGN_ON_ID,
    ATTR_COUNT,
} attribute;

/* The first seven are set by the virtual server, the others by us. */
static char const *const attribute_names[ATTR_COUNT] = {
    [ATTR_PRIMARY] = "DevTrust-Primary",
    [ATTR_USER] = "DevTrust-User",
    [ATTR_PASSCODE] = "DevTrust-Passcode",
    [ATTR_GROUP] = "DevTrust-Group",
    [ATTR_DIRECTORY] = "DevTrust-Directory",
    [ATTR_PLATFORM] = "DevTrust-Platform",
    [ATTR_ASSERTED_DEVICE_ID] = "DevTrust-Asserted-Device-Id",
    [ATTR_VERDICT] = "DevTrust-Verdict",
    [ATTR_REASON] = "DevTrust-Reason",
    [ATTR_RULE] = "DevTrust-Rule",
    [ATTR_CAUSE] = "DevTrust-Cause",
    [ATTR_DEVICE_ID] = "DevTrust-Device-Id",
    [ATTR_SIGN_ON_ID] = "DevTrust-Sign-On-Id",
};

static DICT_ATTR const *attributes[ATTR_COUNT];
static DICT_ATTR const *carried, *session, *first_password, *looked_up;

static DICT_ATTR const *add_attribute(char const *name, PW_TYPE type)
{
    ATTR_FLAGS flags;
    memset(&flags, 0, sizeof(flags));
    /* -1: a number above 255, which has no place on the wire, neither out nor in. */
    if (dict_attrbyname(name) == NULL && dict_addattr(name, -1, 0, type, flags) < 0) {
        ERROR("devtrust: attribute %s: %s", name, fr_strerror());
        return NULL;
    }
    DICT_ATTR const *da = dict_attrbyname(name);
    if (da == NULL || da->type != type) {
        ERROR("devtrust: attribute %s exists already and is of another type", name);
        return NULL;
    }
    return da;
}

int dt_rlm_dictionary(void)
{
    for (int i = 0; i < ATTR_COUNT; i++) {
        attributes[i] = add_attribute(attribute_names[i], PW_TYPE_STRING);
        if (attributes[i] == NULL)
            return -1;
    }
    carried = add_attribute("DevTrust-Tunnel-Sign-On", PW_TYPE_OCTETS);
    session = add_attribute("DevTrust-TLS-Session", PW_TYPE_OCTETS);
    first_password = add_attribute(DT_RLM_FIRST_PASSWORD, PW_TYPE_OCTETS);
    looked_up = add_attribute("DevTrust-Looked-Up", PW_TYPE_OCTETS);
    return carried != NULL && session != NULL && first_password != NULL && looked_up != NULL ? 0
                                                                                             : -1;
}

DICT_ATTR const *dt_rlm_looked_up_attribute(void)
{
    return looked_up;
}

DICT_ATTR const *dt_rlm_session_attribute(void)
{
    return session;
}

DICT_ATTR const *dt_rlm_first_password_attribute(void)
{
    return first_password;
}

DICT_ATTR const *dt_rlm_carried_attribute(void)
{
    return carried;
}

DICT_ATTR const *dt_rlm_passcode_attribute(void)
{
    return attributes[ATTR_PASSCODE];
}

DICT_ATTR const *dt_rlm_user_attribute(void)
{
    return attributes[ATTR_USER];
}

static bool is_word(VALUE_PAIR const *vp, char const *word)
{
    return vp->vp_length == strlen(word) && memcmp(vp->vp_strvalue, word, vp->vp_length) == 0;
}

bool dt_rlm_primary_verified(REQUEST *request)
{
    VALUE_PAIR *vp = fr_pair_find_by_da(request->config, attributes[ATTR_PRIMARY], TAG_ANY);
    return vp != NULL && is_word(vp, PRIMARY_VERIFIED);
}

DICT_ATTR const *dt_rlm_directory_attribute(void)
{
    return attributes[ATTR_DIRECTORY];
}

static void set_control(REQUEST *request, attribute which, char const *value)
{
    DICT_ATTR const *da = attributes[which];
    fr_pair_delete_by_num(&request->config, da->attr, da->vendor, TAG_ANY);
    if (value[0] == '\0')
        return;
    VALUE_PAIR *vp = fr_pair_afrom_da(request, da);
    if (vp == NULL)
        return;
    fr_pair_value_strcpy(vp, value);
    fr_pair_add(&request->config, vp);
}

void dt_rlm_attributes(REQUEST *request, dt_outcome const *o, char const *id)
{
    set_control(request, ATTR_VERDICT, dt_trust_name(o->verdict.trust));
    set_control(request, ATTR_REASON, dt_reason_name(o->verdict.reason));
    set_control(request, ATTR_RULE, o->decision.rule);
    set_control(request, ATTR_CAUSE, dt_cause_name(o->cause));
    set_control(request, ATTR_DEVICE_ID, o->verdict.device_id.text);
    if (id[0] != '\0')
        set_control(request, ATTR_SIGN_ON_ID, id);
}

/* The one switch. Everything that is not an allowance refuses; the codes differ so that unlang can
 * distinguish "you may not" from "it could not be found out". */
static rlm_rcode_t code_of(dt_outcome const *o)
{
    if (o->result == DT_ALLOW && dt_cause_allows(o->cause))
        return RLM_MODULE_OK;
    if (dt_outcome_is_report_only(o))
        return RLM_MODULE_NOOP;
    switch (o->cause) {
    case DT_CAUSE_STATE_INVALID:
    case DT_CAUSE_PRIMARY_MISSING:
        return RLM_MODULE_INVALID;
    case DT_CAUSE_MFA_PUSH_LIMIT:
    case DT_CAUSE_MFA_PASSCODE_LIMIT:
    case DT_CAUSE_MFA_PUSH_PENDING:
    case DT_CAUSE_MFA_PUSH_PAUSED:
    case DT_CAUSE_MFA_PUSH_SPENT:
    case DT_CAUSE_PRIMARY_LIMIT:
    case DT_CAUSE_PRIMARY_LOCKED:
    case DT_CAUSE_MFA_LOCKED:
        return RLM_MODULE_USERLOCK;
    case DT_CAUSE_MFA_RATE_LIMITED:
    case DT_CAUSE_PRIMARY_RATE_LIMITED:
    case DT_CAUSE_OKTA_UNAVAILABLE:
    case DT_CAUSE_OKTA_ANSWER_UNUSABLE:
    case DT_CAUSE_OKTA_UNTRUSTED:
    case DT_CAUSE_MFA_CODE_SENT:
    case DT_CAUSE_MFA_PROVIDER_FAILED:
    case DT_CAUSE_OVERLOADED:
    case DT_CAUSE_LOCAL_FAULT:
    case DT_CAUSE_LIMITS_UNAVAILABLE:
    case DT_CAUSE_BUSY:
    case DT_CAUSE_CLIENT_GONE:
    case DT_CAUSE_CONFIG:
    case DT_CAUSE_INTERNAL:
    case DT_CAUSE_AUDIT_FAILED:
        return RLM_MODULE_FAIL;
    default:
        return RLM_MODULE_REJECT;
    }
}

/* Reply-Message in as many attributes as it takes. */
static void put_message(REQUEST *request, char const *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        size_t part = dt_radius_message_part(text, len);
        VALUE_PAIR *vp = fr_pair_afrom_num(request->reply, PW_REPLY_MESSAGE, 0);
        if (vp == NULL)
            return;
        fr_pair_value_bstrncpy(vp, text, part);
        fr_pair_add(&request->reply->vps, vp);
        text += part;
        len -= part;
    }
}

bool dt_rlm_is_eap(REQUEST const *request)
{
    while (request->parent != NULL)
        request = request->parent;
    return fr_pair_find_by_num(request->packet->vps, PW_EAP_MESSAGE, 0, TAG_ANY) != NULL;
}

void dt_rlm_reply_strip_messages(REQUEST const *request, RADIUS_PACKET *reply)
{
    if (dt_rlm_is_eap(request))
        fr_pair_delete_by_num(&reply->vps, PW_REPLY_MESSAGE, 0, TAG_ANY);
}

static void set_accept(REQUEST *request)
{
    fr_pair_delete_by_num(&request->config, PW_AUTH_TYPE, 0, TAG_ANY);
    VALUE_PAIR *vp = radius_pair_create(request, &request->config, PW_AUTH_TYPE, 0);
    vp->vp_integer = PW_AUTH_TYPE_ACCEPT;
}

void dt_rlm_reply_pass_handshake(REQUEST *request)
{
    if (request->parent != NULL)
        set_accept(request);
}

/* RFC 2865 section 5.44, RFC 3579 section 3.3, RFC 5176 section 3.6, RFC 2548 section 2.1.5: what of a
 * reply a refusal may carry. */
static bool is_allowed_with_reject(VALUE_PAIR const *vp)
{
    if (vp->da->vendor == MICROSOFT)
        return vp->da->attr == MS_CHAP_ERROR;
    return vp->da->vendor == 0 &&
           (vp->da->attr > WIRE_ATTR_MAX || vp->da->attr == PW_EAP_MESSAGE ||
            vp->da->attr == PW_MESSAGE_AUTHENTICATOR || vp->da->attr == PW_PROXY_STATE ||
            vp->da->attr == PW_ERROR_CAUSE);
}

/* What was said of an Access-Accept is not for whoever is refused. */
static void strip_for_reject(RADIUS_PACKET *reply)
{
    VALUE_PAIR **at = &reply->vps;
    while (*at != NULL) {
        VALUE_PAIR *vp = *at;
        if (is_allowed_with_reject(vp)) {
            at = &vp->next;
            continue;
        }
        *at = vp->next;
        talloc_free(vp);
    }
}

rlm_rcode_t dt_rlm_reply(REQUEST *request, dt_outcome const *o)
{
    rlm_rcode_t code = code_of(o);
    char message[DT_MESSAGE_MAX];
    if (code == RLM_MODULE_NOOP) /* nothing is added, nothing taken away */
        return code;
    if (code == RLM_MODULE_OK) {
        set_accept(request);
    } else {
        strip_for_reject(request->reply);
    }
    dt_room_message(o, message);
    if (!dt_rlm_is_eap(request))
        put_message(request, message);
    return code;
}

rlm_rcode_t dt_rlm_reply_challenge(REQUEST *request, char const *text, dt_bytes state)
{
    fr_pair_list_free(&request->reply->vps);
    VALUE_PAIR *vp = fr_pair_afrom_num(request->reply, PW_STATE, 0);
    if (vp == NULL)
        return RLM_MODULE_FAIL;
    fr_pair_value_memcpy(vp, state.p, state.len);
    fr_pair_add(&request->reply->vps, vp);
    put_message(request, text);
    request->reply->code = PW_CODE_ACCESS_CHALLENGE;
    return RLM_MODULE_HANDLED;
}

/* cisco_accounting_username_bug of eap puts a NUL after the name. */
static bool is_same_name(VALUE_PAIR const *a, VALUE_PAIR const *b)
{
    size_t len = a->vp_length;
    if (len > 0 && a->vp_strvalue[len - 1] == '\0')
        len--;
    return b != NULL && b->vp_length == len && memcmp(a->vp_strvalue, b->vp_strvalue, len) == 0;
}

void dt_rlm_reply_name(REQUEST *request, char const *user)
{
    VALUE_PAIR *outside = fr_pair_find_by_num(request->packet->vps, PW_USER_NAME, 0, TAG_ANY);
    VALUE_PAIR *given = fr_pair_find_by_num(request->reply->vps, PW_USER_NAME, 0, TAG_ANY);
    size_t len = strlen(user);
    if (len == 0 || len > STRING_VALUE_MAX || (given != NULL && !is_same_name(given, outside)))
        return;
    VALUE_PAIR *vp = fr_pair_afrom_num(request->reply, PW_USER_NAME, 0);
    if (vp == NULL)
        return;
    fr_pair_value_bstrncpy(vp, user, len);
    fr_pair_delete_by_num(&request->reply->vps, PW_USER_NAME, 0, TAG_ANY);
    fr_pair_add(&request->reply->vps, vp);
}

void dt_rlm_reply_strip(REQUEST *request)
{
    fr_pair_delete_by_num(&request->reply->vps, PW_EAP_MESSAGE, 0, TAG_ANY);
    fr_pair_delete_by_num(&request->reply->vps, MPPE_SEND_KEY, MICROSOFT, TAG_ANY);
    fr_pair_delete_by_num(&request->reply->vps, MPPE_RECV_KEY, MICROSOFT, TAG_ANY);
    fr_pair_delete_by_num(&request->reply->vps, PW_REPLY_MESSAGE, 0, TAG_ANY);
}

static bool is_failure(VALUE_PAIR const *eap, uint8_t identifier)
{
    return eap != NULL && eap->vp_length == EAP_HEAD && eap->vp_octets[0] == EAP_FAILURE &&
           eap->vp_octets[1] == identifier;
}

void dt_rlm_reply_end_eap(REQUEST *request)
{
    VALUE_PAIR *response = fr_pair_find_by_num(request->packet->vps, PW_EAP_MESSAGE, 0, TAG_ANY);
    if (request->parent != NULL || response == NULL || response->vp_length < EAP_HEAD ||
        response->vp_octets[0] != EAP_RESPONSE)
        return;
    VALUE_PAIR **reply = &request->reply->vps;
    uint8_t const failure[EAP_HEAD] = {EAP_FAILURE, response->vp_octets[1], 0, EAP_HEAD};
    if (is_failure(fr_pair_find_by_num(*reply, PW_EAP_MESSAGE, 0, TAG_ANY), failure[1]))
        return;
    fr_pair_delete_by_num(reply, PW_EAP_MESSAGE, 0, TAG_ANY);
    fr_pair_delete_by_num(reply, PW_MESSAGE_AUTHENTICATOR, 0, TAG_ANY);
    VALUE_PAIR *eap = fr_pair_afrom_num(request->reply, PW_EAP_MESSAGE, 0);
    VALUE_PAIR *mac = fr_pair_afrom_num(request->reply, PW_MESSAGE_AUTHENTICATOR, 0);
    if (eap == NULL || mac == NULL)
        return;
    uint8_t const zeros[16] = {0}; /* the server signs it */
    fr_pair_value_memcpy(eap, failure, sizeof(failure));
    fr_pair_value_memcpy(mac, zeros, sizeof(zeros));
    fr_pair_add(reply, eap);
    fr_pair_add(reply, mac);
}
