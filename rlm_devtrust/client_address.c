/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input client_ip: attributes in order, or an expression. What is inside a tunnel the person's own
 * software wrote, so it is always looked for in the request that came from the network. */
#include "rlm_devtrust/rlm_devtrust.h"

#include "core/policy/client_address.h"

#include <string.h>

/* Text, or what is printed as an address; a prefix or a number is not one. */
static bool may_hold_an_address(vp_tmpl_t const *attribute)
{
    switch (attribute->tmpl_da->type) {
    case PW_TYPE_STRING:
    case PW_TYPE_IPV4_ADDR:
    case PW_TYPE_IPV6_ADDR:
    case PW_TYPE_COMBO_IP_ADDR:
        return true;
    default:
        return false;
    }
}

static int attribute_add(TALLOC_CTX *ctx, dt_rlm_address *a, char const *name, dt_error *e)
{
    vp_tmpl_t *t = NULL;

    if (a->count == DT_RLM_ADDRESS_ATTRIBUTES_MAX)
        return dt_error_set(e, DT_E_LIMIT, "client_ip: more than %d attributes",
                            DT_RLM_ADDRESS_ATTRIBUTES_MAX);
    if (name[0] != '&')
        return dt_error_set(e, DT_E_INVALID,
                            "client_ip: \"%s\" in a list of attributes must begin with \"&\"",
                            name);
    if (tmpl_afrom_attr_str(ctx, &t, name, REQUEST_CURRENT, PAIR_LIST_REQUEST, false, false) <= 0)
        return dt_error_set(e, DT_E_INVALID, "client_ip: \"%s\": %s", name, fr_strerror());
    if (t->type != TMPL_TYPE_ATTR)
        return dt_error_set(e, DT_E_INVALID, "client_ip: unknown attribute \"%s\"", name);
    if (t->tmpl_request != REQUEST_CURRENT)
        return dt_error_set(e, DT_E_INVALID,
                            "client_ip: \"%s\": remove \"outer.\": the attribute is always that of "
                            "the request from the network",
                            name);
    if (!may_hold_an_address(t))
        return dt_error_set(e, DT_E_INVALID, "client_ip: \"%s\" is neither text nor an address",
                            name);
    t->tmpl_num = NUM_ALL; /* of several, none is the one that counts */
    a->attributes[a->count++] = t;
    return 0;
}

static int attributes_compile(TALLOC_CTX *ctx, dt_rlm_address *a, dt_error *e)
{
    char *list = talloc_strdup(ctx, a->text), *rest = list, *name;
    int rc = 0;

    if (list == NULL)
        return dt_error_set(e, DT_E_NOMEM, "no memory");
    while (rc == 0 && (name = strsep(&rest, ",")) != NULL) {
        name += strspn(name, " \t");
        name[strcspn(name, " \t")] = '\0';
        rc = attribute_add(ctx, a, name, e);
    }
    talloc_free(list);
    return rc;
}

int dt_rlm_address_compile(TALLOC_CTX *ctx, dt_rlm_address *a, dt_error *e)
{
    if (a->text != NULL && a->text[0] == '&')
        return attributes_compile(ctx, a, e);
    a->expression.text = a->text;
    return dt_rlm_compile(ctx, "client_ip", &a->expression, e);
}

static void look_into(REQUEST *request, vp_tmpl_t const *attribute, dt_client_address *out)
{
    char text[DT_RLM_INPUT_MAX];
    vp_cursor_t cursor;
    int err = 0;

    for (VALUE_PAIR *vp = tmpl_cursor_init(&err, &cursor, request, attribute); vp != NULL;
         vp = tmpl_cursor_next(&cursor, attribute)) {
        if (dt_rlm_value_text(vp, text, sizeof(text)) != 0)
            dt_client_address_garbled(out);
        else
            dt_client_address_value(out, dt_bytes_str(text));
    }
}

static void expand(REQUEST *request, dt_rlm_expression const *x, dt_client_address *out)
{
    char text[DT_RLM_INPUT_MAX];

    if (dt_rlm_evaluate(request, x, text, sizeof(text)) != 0)
        dt_client_address_garbled(out);
    else
        dt_client_address_value(out, dt_bytes_str(text));
}

bool dt_rlm_address_read(dt_rlm_address const *a, REQUEST *request, char out[DT_ADDRESS_MAX])
{
    dt_client_address found;

    memset(&found, 0, sizeof(found));
    while (request->parent != NULL)
        request = request->parent;
    for (size_t i = 0; i < a->count && !dt_client_address_is_settled(&found); i++)
        look_into(request, a->attributes[i], &found);
    if (a->expression.xlat != NULL)
        expand(request, &a->expression, &found);
    if (found.known)
        dt_ip_text(&found.ip, out);
    else
        memcpy(out, found.text, sizeof(found.text));
    return found.known;
}

bool dt_rlm_address_is_wanted(dt_rlm_address const *a)
{
    return a->text != NULL && a->text[0] != '\0';
}
