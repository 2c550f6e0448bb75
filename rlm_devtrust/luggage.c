/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pairs to bytes and back. One record each: list, tag, operator, type, length of the name, the pair's own
 * length where the value is a number or an address, length of the value, name, value. See luggage.h. */
#include "rlm_devtrust/luggage.h"

#include <string.h>
#include <strings.h>

#define LIST_REPLY 'r'
#define LIST_CONTROL 'c'
#define HEAD_LEN 8
#define NAME_MAX_LEN 255
#define VALUE_MAX_LEN 0xffff

/* How the server is to handle the packet that it works on now; in another it would lead astray. */
static unsigned const packet_attributes[] = {
    PW_AUTH_TYPE,        PW_AUTZ_TYPE,      PW_PROXY_TO_REALM, PW_HOME_SERVER_POOL,
    PW_POST_PROXY_TYPE,  PW_PRE_PROXY_TYPE, PW_VIRTUAL_SERVER, PW_RESPONSE_PACKET_TYPE,
    PW_HOME_SERVER_NAME,
};

static bool is_packet_attribute(DICT_ATTR const *da)
{
    for (size_t i = 0; i < sizeof(packet_attributes) / sizeof(packet_attributes[0]); i++) {
        if (da->vendor == 0 && da->attr == packet_attributes[i])
            return true;
    }
    return false;
}

/* "Cleartext-Password", "NT-Password", "Password-With-Header", "Digest-HA1": what a first factor is
 * checked with. */
static bool is_for_the_first_factor(DICT_ATTR const *da)
{
    return strcasestr(da->name, "password") != NULL || strcasecmp(da->name, "Digest-HA1") == 0;
}

/* Ours are set anew by whoever decides; the groups, and what is known of the password, were known only then. */
static bool is_ours(DICT_ATTR const *da)
{
    return strncmp(da->name, "DevTrust-", 9) == 0 && strcmp(da->name, "DevTrust-Group") != 0 &&
           strcmp(da->name, DT_RLM_FIRST_PASSWORD) != 0;
}

/* Attributes of control that the sign-on has what it needs of. */
typedef struct known {
    DICT_ATTR const *const *groups;
    size_t count;
} known;

static bool is_known(DICT_ATTR const *da, known const *k)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->groups[i] == da)
            return true;
    }
    return false;
}

static bool is_kept_out(char list, VALUE_PAIR const *vp, known const *k)
{
    if (list == LIST_REPLY) /* those are the packet's, and the waiting room's answer has its own */
        return vp->da->vendor == 0 && (vp->da->attr == PW_STATE || vp->da->attr == PW_PROXY_STATE ||
                                       vp->da->attr == PW_MESSAGE_AUTHENTICATOR);
    return is_packet_attribute(vp->da) || is_for_the_first_factor(vp->da) || is_ours(vp->da) ||
           is_known(vp->da, k);
}

static bool is_bytes(PW_TYPE type)
{
    return type == PW_TYPE_STRING || type == PW_TYPE_OCTETS;
}

static dt_bytes value_of(VALUE_PAIR const *vp)
{
    return is_bytes(vp->da->type) ? dt_bytes_of(vp->vp_octets, vp->vp_length)
                                  : dt_bytes_of(&vp->data, sizeof(vp->data));
}

static int put(dt_buf *out, char list, VALUE_PAIR const *vp, dt_error *e)
{
    dt_bytes value = value_of(vp);
    size_t name = strlen(vp->da->name);
    if (vp->type == VT_XLAT || vp->da->type == PW_TYPE_TLV || name > NAME_MAX_LEN ||
        value.len > VALUE_MAX_LEN)
        return dt_error_set(e, DT_E_INVALID, "%s of the %s cannot be kept while the sign-on waits",
                            vp->da->name, list == LIST_REPLY ? "reply" : "control list");
    uint8_t const head[HEAD_LEN] = {(uint8_t)list,
                                    (uint8_t)vp->tag,
                                    (uint8_t)vp->op,
                                    (uint8_t)vp->da->type,
                                    (uint8_t)name,
                                    is_bytes(vp->da->type) ? 0 : (uint8_t)vp->vp_length,
                                    (uint8_t)(value.len >> 8),
                                    (uint8_t)value.len};
    dt_buf_put(out, head, sizeof(head));
    dt_buf_put(out, vp->da->name, name);
    dt_buf_put(out, value.p, value.len);
    if (dt_buf_error(out) == 0)
        return 0;
    return dt_error_set(e, dt_buf_error(out),
                        "reply and control exceed %d bytes, with %s: before devtrust, remove the "
                        "attributes that are not needed after it",
                        DT_LUGGAGE_MAX, vp->da->name);
}

static int put_list(dt_buf *out, char list, VALUE_PAIR *vps, known const *k, dt_error *e)
{
    int rc = 0;
    for (VALUE_PAIR const *vp = vps; vp != NULL && rc == 0; vp = vp->next) {
        if (!is_kept_out(list, vp, k))
            rc = put(out, list, vp, e);
    }
    return rc;
}

void dt_luggage_init(dt_buf *b)
{
    dt_buf_init(b, DT_LUGGAGE_MAX);
}

int dt_luggage_pack(REQUEST *request, bool control, DICT_ATTR const *const *groups,
                    size_t group_count, dt_buf *out, dt_error *e)
{
    known const k = {groups, group_count};
    int rc = put_list(out, LIST_REPLY, request->reply->vps, &k, e);
    return rc != 0 || !control ? rc : put_list(out, LIST_CONTROL, request->config, &k, e);
}

#define MICROSOFT 311 /* RFC 2548 */
#define WIRE_ATTR_MAX 255

static bool is_rule_attribute(VALUE_PAIR const *vp, dt_reply_attribute const *rule, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(rule[i].name, ":"); /* after it a tag */
        if (strncasecmp(rule[i].name, vp->da->name, len) == 0 && vp->da->name[len] == '\0')
            return true;
    }
    return false;
}

static bool is_conversation_attribute(VALUE_PAIR const *vp)
{
    if (vp->da->vendor == MICROSOFT)
        return true;
    if (vp->da->vendor != 0)
        return false;
    switch (vp->da->attr) {
    case PW_EAP_MESSAGE:
    case PW_MESSAGE_AUTHENTICATOR:
    case PW_STATE:
    case PW_PROXY_STATE:
    case PW_REPLY_MESSAGE:
    case PW_USER_NAME:
        return true;
    default:
        return vp->da->attr > WIRE_ATTR_MAX;
    }
}

int dt_luggage_pack_accept(REQUEST *request, dt_reply_attribute const *rule, size_t count,
                           dt_buf *out, dt_error *e)
{
    int rc = 0;
    for (VALUE_PAIR const *vp = request->reply->vps; vp != NULL && rc == 0; vp = vp->next) {
        if (!is_conversation_attribute(vp) && !is_rule_attribute(vp, rule, count))
            rc = put(out, LIST_REPLY, vp, e);
    }
    return rc;
}

/* --- back again ------------------------------------------------------------------------------- */

static DICT_ATTR const *attribute_of(TALLOC_CTX *ctx, char const *name, PW_TYPE type)
{
    DICT_ATTR const *da = dict_attrbyname(name);
    if (da != NULL && da->type != type) /* one that takes addresses of either kind */
        da = dict_attrbytype(da->attr, da->vendor, type);
    if (da == NULL && type == PW_TYPE_OCTETS)
        da = dict_unknown_afrom_str(ctx, name);
    return da;
}

static VALUE_PAIR *make(TALLOC_CTX *ctx, uint8_t const *head, char const *name, dt_bytes value)
{
    DICT_ATTR const *da = attribute_of(ctx, name, (PW_TYPE)head[3]);
    VALUE_PAIR *vp = da == NULL ? NULL : fr_pair_afrom_da(ctx, da);
    if (vp == NULL)
        return NULL;
    vp->tag = (int8_t)head[1];
    vp->op = (FR_TOKEN)head[2];
    if (da->type == PW_TYPE_STRING) {
        fr_pair_value_bstrncpy(vp, value.p, value.len);
    } else if (da->type == PW_TYPE_OCTETS) {
        fr_pair_value_memcpy(vp, value.p, value.len);
    } else if (value.len == sizeof(vp->data) && head[5] <= sizeof(vp->data)) {
        memcpy(&vp->data, value.p, value.len);
        vp->vp_length = head[5];
        vp->type = VT_DATA;
    } else {
        talloc_free(vp);
        return NULL;
    }
    return vp;
}

/* The next record; *at is moved after it. */
static int unpack_pair(dt_bytes luggage, size_t *at, TALLOC_CTX *ctx, TALLOC_CTX *control_ctx,
                       char *list, VALUE_PAIR **out)
{
    char name[NAME_MAX_LEN + 1];
    uint8_t const *head = luggage.p + *at;
    size_t left = luggage.len - *at;
    if (left < HEAD_LEN)
        return DT_E_PARSE;
    size_t name_len = head[4], value_len = (size_t)head[6] << 8 | head[7];
    if (left - HEAD_LEN < name_len + value_len || head[3] == 0 || head[3] >= PW_TYPE_MAX ||
        (head[0] != LIST_REPLY && head[0] != LIST_CONTROL))
        return DT_E_PARSE;
    memcpy(name, head + HEAD_LEN, name_len);
    name[name_len] = '\0';
    *list = (char)head[0];
    *out = make(*list == LIST_REPLY ? ctx : control_ctx, head, name,
                dt_bytes_of(head + HEAD_LEN + name_len, value_len));
    *at += HEAD_LEN + name_len + value_len;
    return *out == NULL ? DT_E_PARSE : 0;
}

static void replace(VALUE_PAIR **list, VALUE_PAIR *with)
{
    for (VALUE_PAIR const *vp = with; vp != NULL; vp = vp->next)
        fr_pair_delete_by_num(list, vp->da->attr, vp->da->vendor, TAG_ANY);
    fr_pair_add(list, with);
}

int dt_luggage_unpack(REQUEST *request, dt_bytes luggage, TALLOC_CTX *ctx, VALUE_PAIR **reply)
{
    VALUE_PAIR *to_reply = NULL, *to_control = NULL, *vp = NULL;
    char list = 0;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < luggage.len;) {
        rc = unpack_pair(luggage, &at, ctx, request, &list, &vp);
        if (rc == 0)
            fr_pair_add(list == LIST_REPLY ? &to_reply : &to_control, vp);
    }
    if (rc != 0) {
        fr_pair_list_free(&to_reply);
        fr_pair_list_free(&to_control);
        return rc;
    }
    replace(reply, to_reply);
    replace(&request->config, to_control);
    return 0;
}
