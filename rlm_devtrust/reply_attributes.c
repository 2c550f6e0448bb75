/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a rule adds to a reply: checked against the server's dictionary when the policy is loaded, put
 * into the reply of the request that came from the network, and never half: a quarantine whose VLAN
 * is missing is not a quarantine. */
#include "rlm_devtrust/rlm_devtrust.h"

#include <stdlib.h>
#include <string.h>

#define TAG_MAX 31        /* RFC 2868 section 3.1: 0x01 to 0x1F */
#define WIRE_ATTR_MAX 255 /* RFC 2865 section 5: what is above has no place in a packet */

/* "Name", or "Name:3" of an attribute that takes tags. NULL with the reason in `why`. */
static DICT_ATTR const *find(char const *name, int8_t *tag, char const **why)
{
    char plain[DT_REPLY_NAME_MAX];
    char *colon, *end = NULL;
    *tag = TAG_ANY;
    *why = "its name is too long";
    if (dt_str_copy(plain, sizeof(plain), name) != 0)
        return NULL;
    DICT_ATTR const *da = dict_attrbyname(plain);
    if (da == NULL && (colon = strrchr(plain, ':')) != NULL) {
        *colon = '\0';
        long number = strtol(colon + 1, &end, 10);
        da = dict_attrbyname(plain);
        *why = "it accepts no tag, or not this one: tags are 1 to 31";
        if (da != NULL && (!da->flags.has_tag || *end != '\0' || number < 1 || number > TAG_MAX))
            return NULL;
        *tag = (int8_t)number;
    }
    *why = "the server's dictionary does not contain it";
    if (da == NULL)
        return NULL;
    *why = "it is internal to the server and cannot be sent in a packet";
    return da->vendor == 0 && da->attr > WIRE_ATTR_MAX ? NULL : da;
}

/* A pair of its own memory context, or NULL. Values are taken as they are: no expansion, and in text
 * no backslash means anything. */
static VALUE_PAIR *make(TALLOC_CTX *ctx, dt_reply_attribute const *a, char const **why)
{
    int8_t tag = TAG_ANY;
    DICT_ATTR const *da = find(a->name, &tag, why);
    if (da == NULL)
        return NULL;
    VALUE_PAIR *vp = fr_pair_afrom_da(ctx, da);
    *why = "no memory";
    if (vp == NULL)
        return NULL;
    vp->op = T_OP_EQ;
    if (tag != TAG_ANY)
        vp->tag = tag;
    if (da->type == PW_TYPE_STRING) {
        fr_pair_value_strcpy(vp, a->value);
        return vp;
    }
    if (fr_pair_value_from_str(vp, a->value, -1) == 0)
        return vp;
    *why = fr_strerror();
    talloc_free(vp);
    return NULL;
}

static int check_rule(dt_policy const *p, size_t i, dt_error *e)
{
    char const *rule = "", *why = "";
    size_t count = 0;
    dt_reply_attribute const *list = dt_policy_rule_reply(p, i, &rule, &count);
    for (size_t at = 0; at < count; at++) {
        VALUE_PAIR *vp = make(NULL, &list[at], &why);
        if (vp == NULL)
            return dt_error_set(
                e, DT_E_INVALID,
                "policy \"%s\", rule \"%.100s\": reply attribute %s = \"%.100s\": %s",
                dt_policy_application(p), rule, list[at].name, list[at].value, why);
        talloc_free(vp);
    }
    return 0;
}

int dt_rlm_reply_check(dt_policy const *p, dt_error *e)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < dt_policy_rule_count(p); i++)
        rc = check_rule(p, i, e);
    return rc;
}

/* RFC 2865 section 5.44 and RFC 5176 section 3.6: of what a rule may set, a refusal carries this. */
static bool is_allowed_in_reject(dt_reply_attribute const *a)
{
    return strcasecmp(a->name, "Error-Cause") == 0;
}

static bool make_all(REQUEST *request, dt_reply_attribute const *list, size_t count, bool refused,
                     VALUE_PAIR **out)
{
    char const *why = "";
    for (size_t i = 0; i < count; i++) {
        if (refused && !is_allowed_in_reject(&list[i]))
            continue;
        VALUE_PAIR *vp = make(request->reply, &list[i], &why);
        if (vp == NULL) {
            RERROR("reply attribute %s: %s", list[i].name, why);
            fr_pair_list_free(out);
            return false;
        }
        fr_pair_add(out, vp);
    }
    return true;
}

int dt_rlm_reply_attributes(REQUEST *request, dt_policy const *p, dt_decision const *d,
                            bool refused)
{
    REQUEST *outer = request;
    dt_reply_attribute const *list = NULL;
    VALUE_PAIR *mine = NULL;
    size_t count = 0;
    while (outer->parent != NULL)
        outer = outer->parent;
    int rc = dt_policy_reply(p, d, &list, &count);
    if (rc != 0 || count == 0)
        return rc;
    if (!make_all(outer, list, count, refused, &mine))
        return DT_E_STATE;
    /* Each takes the place of what the server had under this name, such as everybody's VLAN. */
    for (VALUE_PAIR const *vp = mine; vp != NULL; vp = vp->next)
        fr_pair_delete_by_num(&outer->reply->vps, vp->da->attr, vp->da->vendor, TAG_ANY);
    fr_pair_add(&outer->reply->vps, mine);
    return 0;
}
