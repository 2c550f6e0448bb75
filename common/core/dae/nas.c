/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kinds of NAS, and which section is for which NAS. See nas.h. */
#include "core/dae/nas.h"

#include <stdlib.h>
#include <string.h>

#define SEPARATORS ", \t"

/* --- kinds ------------------------------------------------------------------------------------ */

/* Fewer attributes are safer: all that are sent must fit (RFC 5176 section 3), and a name that the server changed
 * meanwhile would make a session that is open look as if it were gone. */
static dt_nas_rules const rules[] = {
    /* RFC 5176 section 3: who, the session, and which NAS is meant. */
    [DT_NAS_GENERIC] = {.name = "generic",
                        .sends = DT_DAE_USER_NAME | DT_DAE_NAS_ADDRESS | DT_DAE_SESSION_ID |
                                 DT_DAE_EVENT_TIMESTAMP,
                        .otherwise = DT_DAE_STATION | DT_DAE_CHARGEABLE_ID,
                        .any_of = DT_DAE_SESSION_ID | DT_DAE_STATION | DT_DAE_CHARGEABLE_ID,
                        .again = DT_NAS_AGAIN_DISCONNECT,
                        .port = DT_DAE_PORT},
    /* hostapd's radius_das.c refuses NAS-Port, NAS-Port-Id, Framed-IP-Address, Proxy-State and vendors' attributes. */
    [DT_NAS_HOSTAPD] = {.name = "hostapd",
                        .sends = DT_DAE_NAS_ADDRESS | DT_DAE_NAS_IDENTIFIER | DT_DAE_SESSION_ID |
                                 DT_DAE_STATION | DT_DAE_EVENT_TIMESTAMP,
                        .otherwise = DT_DAE_MULTI_SESSION_ID | DT_DAE_USER_NAME,
                        .any_of = DT_DAE_SESSION_ID | DT_DAE_STATION,
                        .again = DT_NAS_AGAIN_DISCONNECT,
                        .port = DT_DAE_PORT},
    /* eap-radius looks at User-Name alone. */
    [DT_NAS_STRONGSWAN] = {.name = "strongswan",
                           .sends = DT_DAE_USER_NAME,
                           .any_of = DT_DAE_USER_NAME,
                           .again = DT_NAS_AGAIN_DISCONNECT,
                           .port = DT_DAE_PORT,
                           .ends_all = true},
    [DT_NAS_CISCO] = {.name = "cisco",
                      .sends = DT_DAE_SESSION_ID | DT_DAE_EVENT_TIMESTAMP,
                      .otherwise = DT_DAE_STATION,
                      .any_of = DT_DAE_SESSION_ID | DT_DAE_STATION,
                      .again = DT_NAS_AGAIN_CISCO,
                      .port = DT_DAE_PORT_CISCO},
    [DT_NAS_MERAKI] = {.name = "meraki",
                       .sends = DT_DAE_SESSION_ID | DT_DAE_STATION | DT_DAE_EVENT_TIMESTAMP,
                       .any_of = DT_DAE_SESSION_ID | DT_DAE_STATION,
                       .again = DT_NAS_AGAIN_CISCO,
                       .port = DT_DAE_PORT},
    /* A controller that knows user-name, framed-ip-address, calling-station-id and acct-session-id. */
    [DT_NAS_ARUBA] = {.name = "aruba",
                      .sends = DT_DAE_USER_NAME | DT_DAE_STATION | DT_DAE_SESSION_ID |
                               DT_DAE_EVENT_TIMESTAMP,
                      .otherwise = DT_DAE_FRAMED_IP,
                      .any_of = DT_DAE_SESSION_ID | DT_DAE_STATION | DT_DAE_FRAMED_IP,
                      .again = DT_NAS_AGAIN_DISCONNECT,
                      .port = DT_DAE_PORT},
    /* Which NAS, User-Name, and the session id or the station. */
    [DT_NAS_ARUBA_CX] = {.name = "aruba_cx",
                         .sends = DT_DAE_USER_NAME | DT_DAE_NAS_ADDRESS | DT_DAE_NAS_IDENTIFIER |
                                  DT_DAE_SESSION_ID | DT_DAE_EVENT_TIMESTAMP,
                         .otherwise = DT_DAE_STATION | DT_DAE_NAS_PORT_ID,
                         .any_of = DT_DAE_SESSION_ID | DT_DAE_STATION,
                         .again = DT_NAS_AGAIN_DISCONNECT,
                         .port = DT_DAE_PORT},
    [DT_NAS_FORTINET] = {.name = "fortinet",
                         .sends = DT_DAE_USER_NAME | DT_DAE_STATION | DT_DAE_SESSION_ID |
                                  DT_DAE_EVENT_TIMESTAMP,
                         .any_of = DT_DAE_SESSION_ID | DT_DAE_STATION,
                         .again = DT_NAS_AGAIN_FORTINET,
                         .port = DT_DAE_PORT},
};
_Static_assert(sizeof(rules) / sizeof(rules[0]) == DT_NAS_KIND_COUNT, "a row for each kind");

dt_nas_rules const *dt_nas_rules_of(dt_nas_kind kind)
{
    return &rules[(unsigned)kind < DT_NAS_KIND_COUNT ? kind : DT_NAS_GENERIC];
}

dt_nas_again dt_nas_again_of(dt_config_nas const *c)
{
    return c->reauthenticate != DT_NAS_AGAIN_BY_KIND ? c->reauthenticate
                                                     : dt_nas_rules_of(c->kind)->again;
}

/* --- sections --------------------------------------------------------------------------------- */

struct dt_nas_table {
    size_t count;
    dt_nas entries[];
};

static int add_networks(dt_nas *nas, char const *list, dt_error *e)
{
    int rc = dt_network_set_new(&nas->networks);
    size_t count = 0;

    while (rc == 0 && *(list += strspn(list, SEPARATORS)) != '\0') {
        char one[2 * DT_ADDRESS_MAX];
        size_t len = strcspn(list, SEPARATORS);

        if (len >= sizeof(one) || ++count > DT_NAS_NETWORKS_MAX)
            return dt_error_set(e, DT_E_LIMIT, "is too long");
        memcpy(one, list, len);
        one[len] = '\0';
        rc = dt_network_set_add(nas->networks, one, 0, e);
        list += len;
    }
    return rc;
}

static int fill(dt_nas *nas, dt_config_nas const *c, dt_error *e)
{
    int rc = 0;

    nas->config = c;
    if (*c->address != '\0')
        rc = add_networks(nas, c->address, e);
    if (rc == 0 && *c->send_to != '\0')
        rc = dt_ip_parse(c->send_to, &nas->send_to);
    if (rc == 0 && *c->identifier != '\0')
        rc = dt_place_read(dt_bytes_str(c->identifier), &nas->identifier);
    return rc;
}

int dt_nas_table_new(dt_config const *c, dt_nas_table **out, dt_error *e)
{
    dt_nas_table *t = calloc(1, sizeof(*t) + c->nas_count * sizeof(t->entries[0]));
    int rc = t == NULL ? DT_E_NOMEM : 0;

    *out = NULL;
    for (size_t i = 0; rc == 0 && i < c->nas_count; i++) {
        t->count = i + 1;
        rc = fill(&t->entries[i], c->nases[i], e);
        if (rc != 0)
            dt_error_set(e, rc, "[nas %s] cannot be used", c->nases[i]->name);
    }
    if (rc == 0)
        *out = t;
    else
        dt_nas_table_free(&t);
    return rc;
}

void dt_nas_table_free(dt_nas_table **t)
{
    for (size_t i = 0; *t != NULL && i < (*t)->count; i++) {
        dt_network_set_free(&(*t)->entries[i].networks);
        dt_secret_free(&(*t)->entries[i].secret);
    }
    free(*t);
    *t = NULL;
}

size_t dt_nas_table_count(dt_nas_table const *t)
{
    return t == NULL ? 0 : t->count;
}

dt_nas const *dt_nas_table_at(dt_nas_table const *t, size_t i)
{
    return &t->entries[i];
}

void dt_nas_table_take_secret(dt_nas_table *t, size_t i, dt_secret *secret)
{
    dt_secret_free(&t->entries[i].secret);
    t->entries[i].secret = secret;
}

/* --- of a session ----------------------------------------------------------------------------- */

static bool read_address(char const *text, dt_ip *out)
{
    return *text != '\0' && dt_ip_parse(text, out) == 0 && dt_ip_is_of_a_host(out);
}

static bool has_address(dt_nas const *nas, dt_ip const *ip)
{
    dt_tag_set tags = {{0}};

    if (nas->networks == NULL)
        return true;
    dt_network_set_lookup(nas->networks, ip, &tags);
    return (tags.words[0] & 1) != 0;
}

/* The session has a NAS-Identifier as the section wants it. */
static bool has_identifier(dt_nas const *nas, dt_nas_session const *s)
{
    dt_place place;

    if (nas->identifier.kind == DT_PLACE_NONE)
        return *nas->config->identifier == '\0';
    return dt_place_read(dt_bytes_str(s->identifier), &place) == 0 &&
           place.kind == nas->identifier.kind && strcmp(place.text, nas->identifier.text) == 0;
}

/* A section that names neither is for nobody. */
static bool is_for(dt_nas const *nas, dt_nas_session const *s, dt_ip const *ip)
{
    return (nas->networks != NULL || nas->identifier.kind != DT_PLACE_NONE) &&
           has_identifier(nas, s) && has_address(nas, ip);
}

static dt_nas const *find_by(dt_nas_table const *t, dt_nas_session const *s, char const *address,
                             dt_ip *target)
{
    dt_ip ip = {.set = false};

    if (!read_address(address, &ip))
        return NULL;
    for (size_t i = 0; i < t->count; i++) {
        dt_nas const *nas = &t->entries[i];

        if (is_for(nas, s, &ip)) {
            *target = nas->send_to.set ? nas->send_to : ip;
            return nas;
        }
    }
    return NULL;
}

dt_nas const *dt_nas_table_find(dt_nas_table const *t, dt_nas_session const *s, dt_ip *target)
{
    char const *const addresses[] = {s->ip_address, s->ipv6_address, s->source};
    dt_nas const *found = NULL;

    for (size_t i = 0; t != NULL && found == NULL && i < sizeof(addresses) / sizeof(addresses[0]);
         i++)
        found = find_by(t, s, addresses[i], target);
    return found;
}
