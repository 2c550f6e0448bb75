/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of networks: a sign-on must learn in a few hundred nanoseconds in which zones its address lies,
 * however many networks the zones hold. While it is filled it is two lists, one per address family;
 * sealing sorts them, walks them once, and keeps for each piece of the address space between two edges
 * of networks which tags hold there. */
#include "core/policy/network_internal.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MIN 16            /* of the first allocation of a list */
#define OPEN_MAX (DT_IP_BITS + 1) /* networks that nest in each other: one of each length */
#define TAGS_SHIFT 16

/* A network of IPv4 with a tag, as one number that sorts by address, then length, then tag. */
typedef uint64_t entry4;

typedef struct entry6 {
    dt_bits key;
    uint32_t len, tag;
} entry6;

/* Which tags hold is a number: 0 none, tag + 1 that tag alone, and beyond those a link: one tag, and
 * the number of the others. Networks nest, so what holds within one is a tag before what holds around
 * it; nearly every network is in one zone and needs no link. */
typedef struct tag_link {
    uint32_t tag, next;
} tag_link;

#define LINK_FIRST (DT_NETWORK_TAGS_MAX + 1) /* the number of links[0] */

struct dt_network_set {
    entry4 *list4; /* until it is sealed */
    size_t count4, cap4;
    entry6 *list6;
    size_t count6, cap6;
    size_t networks; /* that were added, also those without a tag */
    bool sealed;
    dt_network_tree tree4, tree6;
    tag_link *links;
    size_t link_count, link_cap;
};

int dt_network_set_new(dt_network_set **out)
{
    *out = calloc(1, sizeof(**out));
    return *out == NULL ? DT_E_NOMEM : DT_OK;
}

static void lists_free(dt_network_set *s)
{
    free(s->list4);
    free(s->list6);
    s->list4 = NULL;
    s->list6 = NULL;
    s->count4 = s->cap4 = s->count6 = s->cap6 = 0;
}

void dt_network_set_free(dt_network_set **s)
{
    if (s == NULL || *s == NULL)
        return;
    lists_free(*s);
    dt_network_tree_free(&(*s)->tree4);
    dt_network_tree_free(&(*s)->tree6);
    free((*s)->links);
    free(*s);
    *s = NULL;
}

/* --- filling it -------------------------------------------------------------------------------- */

/* Room for so many more elements; *items moves. */
static int reserve(void **items, size_t count, size_t *cap, size_t more, size_t size)
{
    size_t want = *cap < ENTRIES_MIN ? ENTRIES_MIN : *cap;
    void *grown;

    if (count + more <= *cap)
        return DT_OK;
    while (want < count + more)
        want += want / 2;
    grown = realloc(*items, want * size);
    if (grown == NULL)
        return DT_E_NOMEM;
    *items = grown;
    *cap = want;
    return DT_OK;
}

/* Makes room for a whole list, so that what follows cannot fail half-way. */
static int set_reserve(dt_network_set *s, dt_prefix_list const *list)
{
    void *items = list->ipv4 ? (void *)s->list4 : (void *)s->list6;
    int rc;

    if (list->count > DT_NETWORKS_MAX - s->networks)
        return DT_E_LIMIT;
    if (list->ipv4) {
        rc = reserve(&items, s->count4, &s->cap4, list->count, sizeof(*s->list4));
        s->list4 = items;
    } else {
        rc = reserve(&items, s->count6, &s->cap6, list->count, sizeof(*s->list6));
        s->list6 = items;
    }
    return rc;
}

static void set_put(dt_network_set *s, dt_prefix_list const *list, uint32_t tag)
{
    for (size_t i = 0; i < list->count; i++) {
        dt_prefix p = list->items[i];
        if (list->ipv4)
            s->list4[s->count4++] =
                p.key.lo << 32 | (uint64_t)(p.len - DT_IPV4_PREFIX_BITS) << TAGS_SHIFT | tag;
        else
            s->list6[s->count6++] = (entry6){p.key, p.len, tag};
    }
}

int dt_network_set_add(dt_network_set *s, char const *text, uint32_t tag, dt_error *e)
{
    dt_prefix_list list;
    char shown[DT_NETWORK_TEXT_MAX];
    int rc;

    if (dt_prefix_list_parse(text, &list) != DT_OK)
        return dt_error_set(e, DT_E_INVALID,
                            "\"%s\" is not a network; use 192.0.2.0/24, 2001:db8::/32, one "
                            "address, or a range first-last of one family",
                            dt_str_escape(shown, sizeof(shown), text == NULL ? "" : text));
    if (tag >= DT_NETWORK_TAGS_MAX && tag != DT_NETWORK_NO_TAG)
        return dt_error_set(e, DT_E_LIMIT, "more than %d tags", DT_NETWORK_TAGS_MAX);
    if (s->sealed)
        return dt_error_set(e, DT_E_STATE, "the set of networks is sealed");
    rc = set_reserve(s, &list);
    if (rc == DT_E_LIMIT)
        return dt_error_set(e, rc, "more than %d networks", DT_NETWORKS_MAX);
    if (rc != DT_OK)
        return dt_error_set(e, rc, "out of memory");
    if (tag != DT_NETWORK_NO_TAG)
        set_put(s, &list, tag);
    s->networks += list.count;
    return DT_OK;
}

/* --- sealing it -------------------------------------------------------------------------------- */

/* A network that holds the address where the walk is. */
typedef struct open_network {
    dt_bits key, last;
    unsigned len;
    uint32_t tags;  /* number of what holds in it */
    dt_tag_set set; /* the same as bits */
} open_network;

/* The walk over one family's sorted networks, from the first address to the last. */
typedef struct walk {
    dt_network_set *s;
    dt_network_tree *tree; /* NULL: pieces are only counted */
    bool ipv4;
    size_t pieces;
    open_network open[OPEN_MAX]; /* each within the one before */
    size_t depth;
    dt_bits next;  /* the first address that no piece covers yet */
    bool complete; /* there is none */
    bool holding;  /* a piece that may yet grow: */
    dt_bits held_last;
    uint32_t held_tags;
    uint32_t *known; /* hash table of links, by index + 1 */
    size_t known_mask;
    int error;
} walk;

static void held_put(walk *w)
{
    if (!w->holding)
        return;
    w->pieces++;
    if (w->tree != NULL)
        dt_network_tree_put(w->tree, w->held_last, w->held_tags);
}

/* What is not covered yet, up to `last`, holds `tags`. */
static void cover(walk *w, dt_bits last, uint32_t tags)
{
    if (w->complete || dt_bits_compare(w->next, last) > 0)
        return;
    if (!w->holding || w->held_tags != tags)
        held_put(w);
    w->holding = true;
    w->held_last = last;
    w->held_tags = tags;
    w->next = dt_bits_next(last);
    w->complete = w->next.hi == 0 && w->next.lo == 0;
}

static void close_top(walk *w)
{
    open_network const *top = &w->open[--w->depth];
    cover(w, top->last, top->tags);
}

static size_t link_hash(uint32_t tag, uint32_t next)
{
    uint64_t h = ((uint64_t)next << 16 ^ tag) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 32);
}

/* The number of "this tag, and what `next` says": the same each time, so that pieces with the same
 * tags are seen to be the same. */
static uint32_t tags_with(walk *w, uint32_t tag, uint32_t next)
{
    dt_network_set *s = w->s;
    size_t at = link_hash(tag, next) & w->known_mask;
    void *links = s->links;

    if (next == 0)
        return tag + 1;
    for (; w->known[at] != 0; at = (at + 1) & w->known_mask) {
        tag_link const *l = &s->links[w->known[at] - 1];
        if (l->tag == tag && l->next == next)
            return LINK_FIRST + w->known[at] - 1;
    }
    if (reserve(&links, s->link_count, &s->link_cap, 1, sizeof(*s->links)) != DT_OK) {
        w->error = DT_E_NOMEM;
        return next;
    }
    s->links = links;
    s->links[s->link_count++] = (tag_link){tag, next};
    w->known[at] = (uint32_t)s->link_count;
    return LINK_FIRST + (uint32_t)s->link_count - 1;
}

static open_network *open_push(walk *w, dt_bits key, unsigned len, dt_bits last)
{
    open_network const *around;
    open_network *n;

    while (w->depth > 0 && dt_bits_compare(w->open[w->depth - 1].last, key) < 0)
        close_top(w);
    around = w->depth > 0 ? &w->open[w->depth - 1] : NULL;
    if (dt_bits_compare(w->next, key) < 0)
        cover(w, dt_bits_previous(key), around == NULL ? 0 : around->tags);
    n = &w->open[w->depth++];
    if (around == NULL)
        memset(n, 0, sizeof(*n));
    else
        *n = *around;
    n->key = key;
    n->last = last;
    n->len = len;
    return n;
}

/* Networks come sorted: what nests in another comes after it, and the same one in turn under all its
 * tags. */
static void walk_network(walk *w, dt_bits key, unsigned len, dt_bits last, uint32_t tag)
{
    open_network *n = w->depth > 0 ? &w->open[w->depth - 1] : NULL;

    if (n == NULL || n->len != len || dt_bits_compare(n->key, key) != 0)
        n = open_push(w, key, len, last);
    if ((n->set.words[tag / 64] >> tag % 64 & 1) != 0)
        return;
    n->set.words[tag / 64] |= UINT64_C(1) << tag % 64;
    n->tags = tags_with(w, tag, n->tags);
}

static void walk_end(walk *w)
{
    dt_bits last = {UINT64_MAX, UINT64_MAX};

    if (w->ipv4)
        last = (dt_bits){0, UINT32_MAX};
    while (w->depth > 0)
        close_top(w);
    cover(w, last, 0);
    held_put(w);
}

static void walk_family(walk *w)
{
    dt_network_set const *s = w->s;

    for (size_t i = 0; w->ipv4 && i < s->count4; i++) {
        uint64_t key = s->list4[i] >> 32;
        unsigned len = (unsigned)(s->list4[i] >> TAGS_SHIFT & 0xff);
        walk_network(w, (dt_bits){0, key}, len, (dt_bits){0, key | UINT64_C(0xffffffff) >> len},
                     (uint32_t)(s->list4[i] & 0xffff));
    }
    for (size_t i = 0; !w->ipv4 && i < s->count6; i++) {
        entry6 const *n = &s->list6[i];
        walk_network(w, n->key, n->len, dt_prefix_last((dt_prefix){n->key, n->len}), n->tag);
    }
    walk_end(w);
}

/* Walks twice: to learn how many pieces there are, and to put them down. */
static int family_seal(walk *w, bool ipv4, dt_network_tree *tree)
{
    uint32_t *known = w->known;
    size_t mask = w->known_mask;
    int rc;

    for (int round = 0; round < 2; round++) {
        size_t pieces = w->pieces;
        *w = (walk){.s = w->s, .ipv4 = ipv4, .known = known, .known_mask = mask};
        if (round == 1) {
            rc = dt_network_tree_new(tree, ipv4, pieces);
            if (rc != DT_OK)
                return rc;
            w->tree = tree;
        }
        walk_family(w);
        if (w->error != DT_OK)
            return w->error;
    }
    return dt_network_tree_finish(tree);
}

static int compare4(void const *a, void const *b)
{
    entry4 x = *(entry4 const *)a, y = *(entry4 const *)b;
    return x < y ? -1 : x > y;
}

static int compare6(void const *a, void const *b)
{
    entry6 const *x = a, *y = b;
    int order = dt_bits_compare(x->key, y->key);

    if (order == 0 && x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return order != 0 ? order : x->tag < y->tag ? -1 : x->tag > y->tag;
}

/* A table that is never more than half full: each network adds one link at most. */
static int known_new(walk *w)
{
    size_t want = 2 * (w->s->count4 + w->s->count6) + 1, size = 1;

    while (size < want)
        size *= 2;
    w->known = calloc(size, sizeof(*w->known));
    w->known_mask = size - 1;
    return w->known == NULL ? DT_E_NOMEM : DT_OK;
}

static int walks_run(walk *w)
{
    dt_network_set *s = w->s;
    int rc = known_new(w);

    if (rc != DT_OK)
        return rc;
    if (s->count4 > 1)
        qsort(s->list4, s->count4, sizeof(*s->list4), compare4);
    if (s->count6 > 1)
        qsort(s->list6, s->count6, sizeof(*s->list6), compare6);
    rc = family_seal(w, true, &s->tree4);
    return rc == DT_OK ? family_seal(w, false, &s->tree6) : rc;
}

int dt_network_set_seal(dt_network_set *s)
{
    walk *w;
    int rc;

    if (s->sealed)
        return DT_OK;
    w = calloc(1, sizeof(*w));
    if (w == NULL)
        return DT_E_NOMEM;
    w->s = s;
    rc = walks_run(w);
    free(w->known);
    free(w);
    if (rc != DT_OK) {
        dt_network_tree_free(&s->tree4);
        dt_network_tree_free(&s->tree6);
        s->link_count = 0;
        return rc;
    }
    lists_free(s);
    s->sealed = true;
    return DT_OK;
}

/* --- looking one up ---------------------------------------------------------------------------- */

static void tag_put(dt_tag_set *out, uint32_t tag)
{
    out->words[tag / 64] |= UINT64_C(1) << tag % 64;
}

static void tags_put(dt_network_set const *s, uint32_t tags, dt_tag_set *out)
{
    for (; tags >= LINK_FIRST; tags = s->links[tags - LINK_FIRST].next)
        tag_put(out, s->links[tags - LINK_FIRST].tag);
    if (tags != 0)
        tag_put(out, tags - 1);
}

static void lists_lookup(dt_network_set const *s, dt_bits key, bool ipv4, dt_tag_set *out)
{
    for (size_t i = 0; ipv4 && i < s->count4; i++)
        if (((key.lo ^ s->list4[i] >> 32) & UINT32_MAX) <= UINT64_C(0xffffffff) >>
            (s->list4[i] >> TAGS_SHIFT & 0xff))
            tag_put(out, (uint32_t)(s->list4[i] & 0xffff));
    for (size_t i = 0; !ipv4 && i < s->count6; i++) {
        dt_prefix p = {s->list6[i].key, s->list6[i].len};
        if (dt_bits_compare(p.key, key) <= 0 && dt_bits_compare(key, dt_prefix_last(p)) <= 0)
            tag_put(out, s->list6[i].tag);
    }
}

void dt_network_set_lookup(dt_network_set const *s, dt_ip const *ip, dt_tag_set *out)
{
    dt_bits key;
    bool ipv4;

    if (s == NULL || ip == NULL || !ip->set)
        return;
    key = dt_bits_of(ip->octets);
    ipv4 = dt_bits_are_ipv4(key);
    if (s->sealed)
        tags_put(s, dt_network_tree_find(ipv4 ? &s->tree4 : &s->tree6, key), out);
    else
        lists_lookup(s, key, ipv4, out);
}

static int tree_each(dt_network_tree const *t, dt_network_piece_fn *fn, void *ctx)
{
    dt_bits const end = t->ipv4 ? (dt_bits){0, UINT32_MAX} : (dt_bits){UINT64_MAX, UINT64_MAX};
    dt_bits first = {0, 0};
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK; i++) {
        dt_bits last = dt_network_tree_last(t, i);
        dt_ip ip = dt_ip_of_bits((dt_bits){first.hi, t->ipv4 ? DT_IPV4_LOW | first.lo : first.lo});
        rc = fn(ctx, &ip);
        if (dt_bits_compare(last, end) >= 0)
            break;
        first = dt_bits_next(last);
    }
    return rc;
}

int dt_network_set_each(dt_network_set const *s, dt_network_piece_fn *fn, void *ctx)
{
    int rc;

    if (!s->sealed)
        return DT_E_STATE;
    rc = tree_each(&s->tree4, fn, ctx);
    return rc == DT_OK ? tree_each(&s->tree6, fn, ctx) : rc;
}

size_t dt_network_set_memory(dt_network_set const *s)
{
    if (s == NULL)
        return 0;
    return sizeof(*s) + s->cap4 * sizeof(*s->list4) + s->cap6 * sizeof(*s->list6) +
           s->link_cap * sizeof(*s->links) + dt_network_tree_memory(&s->tree4) +
           dt_network_tree_memory(&s->tree6);
}
