/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses and a set of networks with a look-up whose cost is that of the address's length,
 * not of the number of networks (a path-compressed binary trie). */
#ifndef DT_CORE_NETWORK_H
#define DT_CORE_NETWORK_H

#include "core/bytes.h"

/* IPv4 is kept as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2). */
typedef struct dt_ip {
    uint8_t octets[16];
    bool set;
} dt_ip;

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]:443", "192.0.2.1:500", "fe80::1%eth0" (the zone is
 * dropped). IPv4-mapped text equals its IPv4. DT_E_PARSE for anything else (a host name, a MAC). */
DT_MUST_USE int dt_ip_parse(char const *text, dt_ip *out);
bool dt_ip_is_loopback(dt_ip const *ip);

typedef struct dt_network_set dt_network_set;
#define DT_NETWORKS_MAX 2000000

DT_MUST_USE int dt_network_set_new(dt_network_set **out);
void dt_network_set_free(dt_network_set **s);
/* Adds "192.0.2.0/24" (host bits are masked off), "192.0.2.7", or a range "a-b" with `value`, a bit
 * set: a look-up gives the OR of the values of all networks that hold the address. */
DT_MUST_USE int dt_network_set_add(dt_network_set *s, char const *text, uint64_t value,
                                   dt_error *e);
/* 0 when no network holds the address or the address is unset. Thread safe when nobody adds. */
uint64_t dt_network_set_lookup(dt_network_set const *s, dt_ip const *ip);

#endif
