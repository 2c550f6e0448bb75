/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What network.c (text) and network_set.c (look-ups) share: addresses as numbers, and prefixes. */
#ifndef DT_CORE_NETWORK_INTERNAL_H
#define DT_CORE_NETWORK_INTERNAL_H

#include "core/policy/network.h"

#define DT_NETWORK_TEXT_MAX 128 /* longest network or range, its NUL included */
#define DT_IP_BITS 128
#define DT_IPV4_PREFIX_BITS 96  /* ::ffff:0:0/96 holds the IPv4-mapped addresses */
#define DT_RANGE_PREFIX_MAX 256 /* a range of 128-bit addresses splits into at most 254 prefixes */

/* An address as two numbers, so that prefixes compare by shifts. */
typedef struct dt_bits {
    uint64_t hi, lo;
} dt_bits;

typedef struct dt_prefix {
    dt_bits key; /* bits after len are 0 */
    unsigned len;
} dt_prefix;

/* What one text stands for. An IPv6 network or range that happens to hold the IPv4-mapped addresses
 * is still not about IPv4: "::/0" says "all of IPv6". */
typedef struct dt_prefix_list {
    dt_prefix items[DT_RANGE_PREFIX_MAX];
    size_t count;
    bool ipv4;
} dt_prefix_list;

/* Reads "192.0.2.0/24", "192.0.2.7" or a range "a-b". DT_E_PARSE for anything else, NULL included. */
DT_MUST_USE int dt_prefix_list_parse(char const *text, dt_prefix_list *out);

#define DT_IPV4_LOW UINT64_C(0xffff00000000) /* the lower half of ::ffff:0:0 */

dt_bits dt_bits_of(uint8_t const octets[16]);
dt_ip dt_ip_of_bits(dt_bits b);
/* The last address of a prefix. */
dt_bits dt_prefix_last(dt_prefix p);
/* The address after and the one before; the last and the first wrap. */
dt_bits dt_bits_next(dt_bits b);
dt_bits dt_bits_previous(dt_bits b);
bool dt_bits_are_ipv4(dt_bits b);

static inline int dt_bits_compare(dt_bits a, dt_bits b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* --- disjoint networks, sorted (network_tree.c) ----------------------------------------------------- */

/* The addresses of one family cut into pieces that lie side by side from the first address to the
 * last, each with a value. A B+-tree without pointers: nodes of one or two cache lines, each level an
 * array whose node n has its children beside each other at n * fan-out, so that a look-up touches one
 * node a level, and of a million pieces only the two lowest levels are not in the processor's cache. */
#define DT_NETWORK_LEVELS_MAX 8 /* above the leaves: 8 to the 8th leaves */
typedef struct dt_network_tree {
    bool ipv4;
    void *leaves, *inner;
    size_t room, count; /* pieces */
    size_t leaf_count, inner_count;
    size_t
        first[DT_NETWORK_LEVELS_MAX]; /* of inner: where a level begins; the root's is the last */
    unsigned levels;
} dt_network_tree;

/* An empty tree with room for so many pieces, at least one. DT_E_NOMEM. Free with
 * dt_network_tree_free, which takes one that is all zeros as well. */
DT_MUST_USE int dt_network_tree_new(dt_network_tree *t, bool ipv4, size_t pieces);
/* Puts the next piece after the others: from after the piece before up to `last`. At most as many as
 * there is room for. An IPv4 address is the lowest 32 bits. */
void dt_network_tree_put(dt_network_tree *t, dt_bits last, uint32_t value);
/* After the last piece, which ends with the family's last address: look-ups work from here on.
 * DT_E_NOMEM; DT_E_STATE when the pieces do not end there. */
DT_MUST_USE int dt_network_tree_finish(dt_network_tree *t);
/* The value of the piece that holds the address. */
uint32_t dt_network_tree_find(dt_network_tree const *t, dt_bits address);
/* The last address of a piece, from 0; the family's last address past the last piece. */
dt_bits dt_network_tree_last(dt_network_tree const *t, size_t piece);
void dt_network_tree_free(dt_network_tree *t);
size_t dt_network_tree_memory(dt_network_tree const *t);

#endif
