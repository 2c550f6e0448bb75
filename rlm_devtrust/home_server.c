/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers the waiting room with the server: a home server, a pool and a realm made while the server
 * starts, as if they stood in proxy.conf.
 *
 * Exists so that nobody has to keep a port, a secret and a dozen timers in proxy.conf in step with
 * the module: the port is the kernel's choice, the secret is made at every start, and the timers are
 * those without which one lost packet would refuse everybody's push (a home server that misses one
 * answer is declared dead by the defaults). */
#include "rlm_devtrust/rlm_devtrust.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_TEXT_MAX 16

uint32_t dt_rlm_response_window(void)
{
    uint32_t longest = main_config.max_request_time;
    return longest < DT_RLM_RESPONSE_WINDOW_MAX ? longest : DT_RLM_RESPONSE_WINDOW_MAX;
}

static void add_pair(CONF_SECTION *cs, char const *name, char const *value)
{
    cf_pair_add(cs, cf_pair_alloc(cs, name, value, T_OP_EQ, T_BARE_WORD, T_BARE_WORD));
}

static void add_number(CONF_SECTION *cs, char const *name, uint32_t value)
{
    char text[NUMBER_TEXT_MAX];
    snprintf(text, sizeof(text), "%u", value);
    add_pair(cs, name, text);
}

static CONF_SECTION *describe(char const *name, uint16_t port, uint32_t max_outstanding)
{
    CONF_SECTION *cs = cf_section_alloc(main_config.config, "home_server", name);
    if (cs == NULL)
        return NULL;
    add_pair(cs, "type", "auth");
    add_pair(cs, "ipaddr", "127.0.0.1");
    add_pair(cs, "src_ipaddr", "127.0.0.1");
    add_number(cs, "port", port);
    /* TCP: the server keeps the NAS's retransmits to itself. */
    add_pair(cs, "proto", "tcp");
    add_pair(cs, "secret", "set-below");
    /* The room signs each answer. Servers from 3.2.5 on complain about each request where this is left open. */
    add_pair(cs, "require_message_authenticator", "yes");
    add_number(cs, "response_window", dt_rlm_response_window());
    add_number(cs, "zombie_period", dt_rlm_response_window());
    add_pair(cs, "response_timeouts", "1000");
    add_pair(cs, "status_check", "none");
    add_pair(cs, "revive_interval", "10");
    add_number(cs, "max_outstanding", max_outstanding);
    CONF_SECTION *limit = cf_section_alloc(cs, "limit", NULL);
    if (limit == NULL)
        return NULL;
    add_number(limit, "max_connections", 250);
    add_pair(limit, "max_requests", "0");
    add_pair(limit, "lifetime", "0");
    add_pair(limit, "idle_timeout", "0");
    cf_section_add(cs, limit);
    return cs;
}

static home_server_t *add_home_server(char const *name, uint16_t port, char const *secret,
                                      uint32_t max_outstanding)
{
    CONF_SECTION *cs = describe(name, port, max_outstanding);
    home_server_t *home = cs == NULL ? NULL : home_server_afrom_cs(NULL, NULL, cs);
    if (home == NULL)
        return NULL;
    /* Not by way of the configuration: debug output shows that. */
    home->secret = talloc_strdup(home, secret);
    if (home->secret == NULL || !realm_home_server_add(home)) {
        talloc_free(home);
        return NULL;
    }
    return home;
}

/* The server keeps pool and realm until it ends, and frees neither by talloc: they have no parent. */
static bool add_realm(char const *name, home_server_t *home)
{
    home_pool_t *pool = talloc_zero(NULL, home_pool_t);
    REALM *realm = talloc_zero(NULL, REALM);
    if (pool == NULL || realm == NULL)
        goto fail;
    pool->name = home->name;
    pool->type = HOME_POOL_FAIL_OVER;
    pool->server_type = HOME_TYPE_AUTH;
    pool->cs = home->cs;
    pool->num_home_servers = 1;
    pool->servers[0] = home;
    realm->name = home->name;
    realm->auth_pool = pool;
    if (realm_find2(name) != NULL && strcmp(realm_find2(name)->name, name) == 0)
        goto fail;
    if (!realm_pool_add(pool, home->cs))
        goto fail;
    return realm_realm_add(realm, home->cs) != 0;
fail:
    talloc_free(pool);
    talloc_free(realm);
    return false;
}

int dt_rlm_home_server_add(char const *name, uint16_t port, char const *secret,
                           uint32_t max_outstanding, dt_error *e)
{
    home_server_t *home = add_home_server(name, port, secret, max_outstanding);
    if (home == NULL || !add_realm(name, home))
        return dt_error_set(e, DT_E_INVALID,
                            "the server does not accept the home server \"%s\" at 127.0.0.1:%u; "
                            "does proxy.conf have one of this name or address?",
                            name, port);
    return 0;
}
