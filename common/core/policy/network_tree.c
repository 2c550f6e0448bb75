/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of many networks holds an address. What costs there is not comparing but waiting for memory:
 * hence nodes as large as what the processor fetches at once, and no pointers between them. */
#include "core/policy/network_internal.h"

#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64
#define LEAF4 8   /* pieces of a leaf */
#define INNER4 16 /* children of a node */
#define LEAF6 5
#define INNER6 8
#define LAST4 UINT32_MAX

/* A piece ends at `last`; it begins after the one before. Places that are not used end with the last
 * address of all, so that no search goes past them. */
typedef struct leaf4 {
    _Alignas(CACHE_LINE) uint32_t last[LEAF4];
    uint32_t value[LEAF4];
} leaf4;

typedef struct inner4 {
    _Alignas(CACHE_LINE) uint32_t last[INNER4]; /* the last address of each child */
} inner4;

/* The lower halves, which few searches need, are in the second line. */
typedef struct leaf6 {
    _Alignas(CACHE_LINE) uint64_t hi[LEAF6];
    uint32_t value[LEAF6];
    _Alignas(CACHE_LINE) uint64_t lo[LEAF6];
} leaf6;

typedef struct inner6 {
    _Alignas(CACHE_LINE) uint64_t hi[INNER6];
    uint64_t lo[INNER6];
} inner6;

_Static_assert(sizeof(leaf4) == CACHE_LINE && sizeof(inner4) == CACHE_LINE, "one line");
_Static_assert(sizeof(leaf6) == 2 * CACHE_LINE && sizeof(inner6) == 2 * CACHE_LINE, "two lines");
_Static_assert(offsetof(leaf6, lo) == CACHE_LINE, "what nearly every search needs is in one line");

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

static dt_bits last_address(dt_network_tree const *t)
{
    return t->ipv4 ? (dt_bits){0, LAST4} : (dt_bits){UINT64_MAX, UINT64_MAX};
}

/* --- making one -------------------------------------------------------------------------------- */

static size_t leaf_bytes(dt_network_tree const *t)
{
    return t->ipv4 ? sizeof(leaf4) : sizeof(leaf6);
}

static size_t inner_bytes(dt_network_tree const *t)
{
    return t->ipv4 ? sizeof(inner4) : sizeof(inner6);
}

static size_t leaf_pieces(dt_network_tree const *t)
{
    return t->ipv4 ? LEAF4 : LEAF6;
}

static size_t inner_children(dt_network_tree const *t)
{
    return t->ipv4 ? INNER4 : INNER6;
}

int dt_network_tree_new(dt_network_tree *t, bool ipv4, size_t pieces)
{
    memset(t, 0, sizeof(*t));
    t->ipv4 = ipv4;
    t->leaf_count = divide_up(pieces, leaf_pieces(t));
    t->leaves = aligned_alloc(CACHE_LINE, t->leaf_count * leaf_bytes(t));
    if (t->leaves == NULL)
        return DT_E_NOMEM;
    memset(t->leaves, 0, t->leaf_count * leaf_bytes(t));
    t->room = t->leaf_count * leaf_pieces(t);
    return DT_OK;
}

void dt_network_tree_put(dt_network_tree *t, dt_bits last, uint32_t value)
{
    size_t leaf = t->count / leaf_pieces(t), place = t->count % leaf_pieces(t);

    if (t->count == t->room)
        return;
    if (t->ipv4) {
        leaf4 *l = (leaf4 *)t->leaves + leaf;
        l->last[place] = (uint32_t)last.lo;
        l->value[place] = value;
    } else {
        leaf6 *l = (leaf6 *)t->leaves + leaf;
        l->hi[place] = last.hi;
        l->lo[place] = last.lo;
        l->value[place] = value;
    }
    t->count++;
}

/* The last address of node n of a level; level 0 is that of the leaves. */
static dt_bits node_last(dt_network_tree const *t, unsigned level, size_t n)
{
    if (level == 0 && t->ipv4)
        return (dt_bits){0, ((leaf4 const *)t->leaves)[n].last[LEAF4 - 1]};
    if (level == 0) {
        leaf6 const *l = (leaf6 const *)t->leaves + n;
        return (dt_bits){l->hi[LEAF6 - 1], l->lo[LEAF6 - 1]};
    }
    n += t->first[level - 1];
    if (t->ipv4)
        return (dt_bits){0, ((inner4 const *)t->inner)[n].last[INNER4 - 1]};
    return (dt_bits){((inner6 const *)t->inner)[n].hi[INNER6 - 1],
                     ((inner6 const *)t->inner)[n].lo[INNER6 - 1]};
}

static void inner_put(dt_network_tree *t, size_t node, size_t place, dt_bits last)
{
    if (t->ipv4) {
        ((inner4 *)t->inner)[node].last[place] = (uint32_t)last.lo;
    } else {
        ((inner6 *)t->inner)[node].hi[place] = last.hi;
        ((inner6 *)t->inner)[node].lo[place] = last.lo;
    }
}

/* Where each level begins, and how many nodes they have together. */
static int levels_plan(dt_network_tree *t)
{
    size_t nodes = t->leaf_count;

    t->levels = 0;
    for (t->inner_count = 0; nodes > 1; t->inner_count += nodes) {
        if (t->levels == DT_NETWORK_LEVELS_MAX)
            return DT_E_LIMIT;
        t->first[t->levels++] = t->inner_count;
        nodes = divide_up(nodes, inner_children(t));
    }
    return DT_OK;
}

static void levels_fill(dt_network_tree *t)
{
    size_t children = t->leaf_count;

    for (unsigned level = 0; level < t->levels; level++) {
        size_t nodes = divide_up(children, inner_children(t));
        for (size_t i = 0; i < nodes * inner_children(t); i++)
            inner_put(t, t->first[level] + i / inner_children(t), i % inner_children(t),
                      i < children ? node_last(t, level, i) : last_address(t));
        children = nodes;
    }
}

int dt_network_tree_finish(dt_network_tree *t)
{
    int rc;

    for (size_t i = t->count; i < t->room; i++)
        dt_network_tree_put(t, last_address(t), 0);
    if (dt_bits_compare(node_last(t, 0, t->leaf_count - 1), last_address(t)) != 0)
        return DT_E_STATE;
    rc = levels_plan(t);
    if (rc != DT_OK || t->levels == 0)
        return rc;
    t->inner = aligned_alloc(CACHE_LINE, t->inner_count * inner_bytes(t));
    if (t->inner == NULL)
        return DT_E_NOMEM;
    levels_fill(t);
    return DT_OK;
}

dt_bits dt_network_tree_last(dt_network_tree const *t, size_t piece)
{
    size_t leaf = piece / leaf_pieces(t), place = piece % leaf_pieces(t);

    if (piece >= t->count)
        return last_address(t);
    if (t->ipv4)
        return (dt_bits){0, ((leaf4 const *)t->leaves)[leaf].last[place]};
    return (dt_bits){((leaf6 const *)t->leaves)[leaf].hi[place],
                     ((leaf6 const *)t->leaves)[leaf].lo[place]};
}

void dt_network_tree_free(dt_network_tree *t)
{
    free(t->leaves);
    free(t->inner);
    memset(t, 0, sizeof(*t));
}

size_t dt_network_tree_memory(dt_network_tree const *t)
{
    return t->leaf_count * leaf_bytes(t) + t->inner_count * inner_bytes(t);
}

/* --- looking one up ---------------------------------------------------------------------------- */

/* How many of the sorted numbers are smaller: all are looked at, which costs less than to guess wrong
 * where to stop. */
static inline size_t smaller4(uint32_t const *sorted, size_t n, uint32_t than)
{
    uint32_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += sorted[i] < than;
    return count;
}

/* Like smaller4, for 128-bit numbers; never the last place, which no address is greater than where it
 * matters. */
static inline size_t smaller6(uint64_t const *hi, uint64_t const *lo, size_t n, dt_bits than)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += hi[i] < than.hi;
    while (count < n - 1 && hi[count] == than.hi && lo[count] < than.lo)
        count++;
    return count;
}

static uint32_t find4(dt_network_tree const *t, uint32_t address)
{
    inner4 const *inner = t->inner;
    leaf4 const *leaf = t->leaves;
    size_t at = 0;

    for (unsigned level = t->levels; level > 0; level--)
        at = at * INNER4 + smaller4(inner[t->first[level - 1] + at].last, INNER4, address);
    leaf += at;
    return leaf->value[smaller4(leaf->last, LEAF4, address)];
}

static uint32_t find6(dt_network_tree const *t, dt_bits address)
{
    inner6 const *inner = t->inner;
    leaf6 const *leaf = t->leaves;
    size_t at = 0;

    for (unsigned level = t->levels; level > 0; level--) {
        inner6 const *node = inner + t->first[level - 1] + at;
        at = at * INNER6 + smaller6(node->hi, node->lo, INNER6, address);
    }
    leaf += at;
    return leaf->value[smaller6(leaf->hi, leaf->lo, LEAF6, address)];
}

uint32_t dt_network_tree_find(dt_network_tree const *t, dt_bits address)
{
    return t->ipv4 ? find4(t, (uint32_t)address.lo) : find6(t, address);
}
