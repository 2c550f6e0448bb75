/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses and a set of networks with a look-up that hardly knows how many networks there are. */
#ifndef DT_CORE_NETWORK_H
#define DT_CORE_NETWORK_H

#include "core/base/bytes.h"

/* IPv4 is kept as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2). */
typedef struct dt_ip {
    uint8_t octets[16];
    bool set;
} dt_ip;

/* "192.0.2.1", "2001:db8::1", "[2001:db8::1]:443", "192.0.2.1:500", "192.0.2.1[500]", "2001:db8::1[500]",
 * "fe80::1%eth0" (port and zone are dropped). IPv4-mapped text equals its IPv4. DT_E_PARSE for anything else (a
 * host name, a MAC). */
DT_MUST_USE int dt_ip_parse(char const *text, dt_ip *out);
#define DT_IP_PLAIN_MAX 46 /* of the text below, its NUL included */
/* The one text of an address, without port, brackets and zone (RFC 5952); "" for one that is not set. */
void dt_ip_text(dt_ip const *ip, char out[DT_IP_PLAIN_MAX]);
bool dt_ip_is_loopback(dt_ip const *ip);

/* True for what is not a place on the Internet, and so in no country and no provider's network: private,
 * shared, link-local, loopback and unspecified addresses (RFC 6890). */
bool dt_ip_is_private(dt_ip const *ip);
/* Is given the first address of a piece of the address space; anything but DT_OK ends the walk. */
typedef int dt_network_piece_fn(void *ctx, dt_ip const *first);
/* Calls `fn` with the first address of each private range, and with the one after its last. Ends early
 * with what `fn` returns when that is not DT_OK. */
DT_MUST_USE int dt_ip_private_each(dt_network_piece_fn *fn, void *ctx);
/* False for what is nobody's address: unset, unspecified, multicast, broadcast, and 255.255.255.254,
 * with which a NAS says that it will choose one (RFC 2865 section 5.8). */
bool dt_ip_is_of_a_host(dt_ip const *ip);

/* A network carries tags, numbers below DT_NETWORK_TAGS_MAX; a set of tags is one bit each. */
#define DT_NETWORK_TAGS_MAX 1024
#define DT_NETWORK_NO_TAG UINT32_MAX /* checks the text and adds nothing that is ever found */
#define DT_NETWORK_WORDS (DT_NETWORK_TAGS_MAX / 64)
typedef struct dt_tag_set {
    uint64_t words[DT_NETWORK_WORDS];
} dt_tag_set;

typedef struct dt_network_set dt_network_set;
#define DT_NETWORKS_MAX 2000000

DT_MUST_USE int dt_network_set_new(dt_network_set **out);
void dt_network_set_free(dt_network_set **s);
/* Adds "192.0.2.0/24" (host bits are masked off), "192.0.2.7", or a range "a-b" under a tag. */
DT_MUST_USE int dt_network_set_add(dt_network_set *s, char const *text, uint32_t tag, dt_error *e);
/* After the last one was added (DT_E_STATE for more): look-ups are quick from here on, one or two reads
 * from memory that the processor has to wait for, whatever is in the set; before, every network is
 * looked at. DT_E_NOMEM leaves it unsealed, with all its networks. */
DT_MUST_USE int dt_network_set_seal(dt_network_set *s);
/* Sets the bits of the tags of all networks that hold the address, and clears none; nothing when the
 * address is unset. Thread safe when nobody adds. */
void dt_network_set_lookup(dt_network_set const *s, dt_ip const *ip, dt_tag_set *out);
/* Calls `fn` with the first address of each piece of the address space, IPv4 and then IPv6, in order:
 * all addresses from it up to the next one are in the same networks. Ends early with what `fn` returns
 * when that is not DT_OK. DT_E_STATE for a set that is not sealed. Thread safe. */
DT_MUST_USE int dt_network_set_each(dt_network_set const *s, dt_network_piece_fn *fn, void *ctx);
/* Bytes of memory that it takes. */
size_t dt_network_set_memory(dt_network_set const *s);

#endif
