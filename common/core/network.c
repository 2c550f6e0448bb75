/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses and sets of networks: a sign-on must learn in a few hundred nanoseconds in which zones
 * its address lies, however many networks the zones hold. Hence two path-compressed binary tries,
 * one per address family, whose nodes lie in one array. */
#include "core/network.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define DT_IP_TEXT_MAX 64       /* longest address with brackets, port and zone, its NUL included */
#define DT_NETWORK_TEXT_MAX 128 /* longest network or range, its NUL included */
#define DT_IP_BITS 128
#define DT_IPV4_PREFIX_BITS 96  /* ::ffff:0:0/96 holds the IPv4-mapped addresses */
#define DT_RANGE_PREFIX_MAX 256 /* a range of 128-bit addresses splits into at most 254 prefixes */
#define DT_NODES_PER_PREFIX 2   /* an insertion makes a leaf and at most one branch */
#define DT_NETWORK_NODES_MIN 64 /* nodes of the first allocation */
#define DT_LINKS_SHARED (DT_NETWORK_TAGS_MAX + 1) /* link 0 says "none" */

/* An address as two numbers, so that prefixes compare by shifts. */
typedef struct dt_bits {
    uint64_t hi, lo;
} dt_bits;

typedef struct dt_prefix {
    dt_bits key; /* bits behind len are 0 */
    unsigned len;
} dt_prefix;

/* What one text stands for. An IPv6 network or range that happens to hold the IPv4-mapped addresses
 * is still not about IPv4: "::/0" says "all of IPv6". */
typedef struct dt_prefix_list {
    dt_prefix items[DT_RANGE_PREFIX_MAX];
    size_t count;
    bool ipv4;
} dt_prefix_list;

typedef struct dt_network_node {
    dt_prefix prefix;
    uint32_t tags;     /* index of the first link; 0 = none */
    uint32_t child[2]; /* by the first bit behind the prefix; 0 = none */
} dt_network_node;

/* One tag of a prefix, and the link to its next. Link `tag + 1` is the tag alone, shared by all
 * prefixes that have only it: nearly every prefix is in one zone. */
typedef struct dt_tag_link {
    uint32_t tag, next;
} dt_tag_link;

struct dt_network_set {
    dt_network_node *nodes; /* nodes[0] is not used: index 0 says "none" */
    uint32_t count, cap;
    uint32_t prefixes;
    uint32_t root[2]; /* IPv6, IPv4 */
    dt_tag_link *links;
    uint32_t link_count, link_cap;
};

/* --- bits ------------------------------------------------------------------------------------- */

static dt_bits bits_of(uint8_t const octets[16])
{
    dt_bits b = {0, 0};
    for (int i = 0; i < 8; i++) {
        b.hi = b.hi << 8 | octets[i];
        b.lo = b.lo << 8 | octets[i + 8];
    }
    return b;
}

static unsigned bit_at(dt_bits b, unsigned i)
{
    return (unsigned)(i < 64 ? b.hi >> (63 - i) : b.lo >> (127 - i)) & 1;
}

/* The first `len` bits stay, the others become 0. */
static dt_bits bits_mask(dt_bits b, unsigned len)
{
    if (len < 64) {
        b.hi = len == 0 ? 0 : b.hi & (UINT64_MAX << (64 - len));
        b.lo = 0;
    } else if (len < 128) {
        b.lo = len == 64 ? 0 : b.lo & (UINT64_MAX << (128 - len));
    }
    return b;
}

/* How many leading bits are the same. */
static unsigned bits_common(dt_bits a, dt_bits b)
{
    if (a.hi != b.hi)
        return (unsigned)__builtin_clzll(a.hi ^ b.hi);
    if (a.lo != b.lo)
        return 64 + (unsigned)__builtin_clzll(a.lo ^ b.lo);
    return DT_IP_BITS;
}

static int bits_compare(dt_bits a, dt_bits b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return a.lo < b.lo ? -1 : a.lo > b.lo;
}

/* The last address of a prefix. */
static dt_bits bits_last(dt_prefix p)
{
    dt_bits host = bits_mask((dt_bits){UINT64_MAX, UINT64_MAX}, p.len);
    return (dt_bits){p.key.hi | ~host.hi, p.key.lo | ~host.lo};
}

static dt_bits bits_next(dt_bits b)
{
    b.lo++;
    b.hi += b.lo == 0;
    return b;
}

static bool bits_are_ipv4(dt_bits b)
{
    return b.hi == 0 && b.lo >> 32 == 0xffff;
}

/* --- addresses -------------------------------------------------------------------------------- */

/* An address without brackets, port and zone. */
static int ip_parse_plain(char const *text, dt_ip *out)
{
    static uint8_t const mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, out->octets + 12) == 1)
        memcpy(out->octets, mapped, sizeof(mapped));
    else if (inet_pton(AF_INET6, text, out->octets) != 1) {
        memset(out, 0, sizeof(*out));
        return DT_E_PARSE;
    }
    out->set = true;
    return DT_OK;
}

/* "1" to "65535", nothing around it. */
static bool is_port(char const *s)
{
    unsigned long v = 0;
    size_t n = 0;
    for (; s[n] >= '0' && s[n] <= '9' && n < 6; n++)
        v = v * 10 + (unsigned long)(s[n] - '0');
    return n > 0 && s[n] == '\0' && v >= 1 && v <= 65535;
}

/* Cuts "%zone" off; false when the zone is empty. Only link-local text has one, but what is behind
 * the sign never matters: the address alone is compared. */
static bool drop_zone(char *text)
{
    char *zone = strchr(text, '%');
    if (zone == NULL)
        return true;
    *zone = '\0';
    return zone[1] != '\0' && strchr(text, ':') != NULL;
}

/* "[address]" or "[address]:port": leaves the address in *text. */
static bool drop_brackets(char **text)
{
    char *end = strchr(*text, ']');
    if (end == NULL || (end[1] != '\0' && (end[1] != ':' || !is_port(end + 2))))
        return false;
    *end = '\0';
    (*text)++;
    return strchr(*text, ':') != NULL;
}

/* "a.b.c.d:port": leaves the address. Text with two colons is IPv6 and has no port of this kind. */
static bool drop_port(char *text)
{
    char *colon = strchr(text, ':');
    if (colon == NULL || strchr(colon + 1, ':') != NULL)
        return true;
    *colon = '\0';
    return is_port(colon + 1);
}

int dt_ip_parse(char const *text, dt_ip *out)
{
    char buf[DT_IP_TEXT_MAX];
    char *p = buf;

    memset(out, 0, sizeof(*out));
    if (text == NULL || dt_str_copy(buf, sizeof(buf), text) != DT_OK)
        return DT_E_PARSE;
    if (*p == '[' ? !drop_brackets(&p) : !drop_port(p))
        return DT_E_PARSE;
    if (!drop_zone(p))
        return DT_E_PARSE;
    return ip_parse_plain(p, out);
}

bool dt_ip_is_loopback(dt_ip const *ip)
{
    dt_bits b;
    if (ip == NULL || !ip->set)
        return false;
    b = bits_of(ip->octets);
    return bits_are_ipv4(b) ? ip->octets[12] == 127 : b.hi == 0 && b.lo == 1;
}

/* ::ffff:0:0/96 counts its lengths from 96. */
bool dt_ip_is_private(dt_ip const *ip)
{
    static dt_prefix const ranges[] = {
        {{0, UINT64_C(0xffff00000000)}, 96 + 8},  /* 0.0.0.0/8 */
        {{0, UINT64_C(0xffff0a000000)}, 96 + 8},  /* 10.0.0.0/8 */
        {{0, UINT64_C(0xffff64400000)}, 96 + 10}, /* 100.64.0.0/10 */
        {{0, UINT64_C(0xffff7f000000)}, 96 + 8},  /* 127.0.0.0/8 */
        {{0, UINT64_C(0xffffa9fe0000)}, 96 + 16}, /* 169.254.0.0/16 */
        {{0, UINT64_C(0xffffac100000)}, 96 + 12}, /* 172.16.0.0/12 */
        {{0, UINT64_C(0xffffc0a80000)}, 96 + 16}, /* 192.168.0.0/16 */
        {{0, 0}, 127},                            /* ::, ::1 */
        {{UINT64_C(0xfc00000000000000), 0}, 7},   /* fc00::/7 */
        {{UINT64_C(0xfe80000000000000), 0}, 10},  /* fe80::/10 */
    };
    dt_bits b;

    if (ip == NULL || !ip->set)
        return false;
    b = bits_of(ip->octets);
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (bits_common(ranges[i].key, b) >= ranges[i].len)
            return true;
    return false;
}

/* --- text of networks ------------------------------------------------------------------------- */

/* A prefix length of one to three digits without leading zeros. */
static int length_parse(char const *s, unsigned max, unsigned *out)
{
    unsigned v = 0;
    size_t n = 0;
    for (; s[n] >= '0' && s[n] <= '9' && n < 3; n++)
        v = v * 10 + (unsigned)(s[n] - '0');
    if (n == 0 || s[n] != '\0' || (s[0] == '0' && n > 1) || v > max)
        return DT_E_PARSE;
    *out = v;
    return DT_OK;
}

/* "address" or "address/length". The text decides the family: "::ffff:192.0.2.0/120" counts its
 * length over 128 bits and is the IPv4 network 192.0.2.0/24. */
static int prefix_parse(char *text, dt_prefix_list *out)
{
    char *slash = strchr(text, '/');
    dt_prefix *p = &out->items[0];
    dt_ip ip;
    unsigned max, len;

    if (slash != NULL)
        *slash = '\0';
    if (ip_parse_plain(text, &ip) != DT_OK)
        return DT_E_PARSE;
    max = strchr(text, ':') != NULL ? DT_IP_BITS : DT_IP_BITS - DT_IPV4_PREFIX_BITS;
    len = max;
    if (slash != NULL && length_parse(slash + 1, max, &len) != DT_OK)
        return DT_E_PARSE;
    p->len = len + DT_IP_BITS - max;
    p->key = bits_mask(bits_of(ip.octets), p->len);
    out->count = 1;
    out->ipv4 = p->len >= DT_IPV4_PREFIX_BITS && bits_are_ipv4(p->key);
    return DT_OK;
}

/* The largest prefix that begins at `first` and does not go past `last`. */
static dt_prefix prefix_largest(dt_bits first, dt_bits last)
{
    dt_prefix p = {first, DT_IP_BITS};
    while (p.len > 0) {
        dt_prefix wider = {bits_mask(first, p.len - 1), p.len - 1};
        if (bits_compare(wider.key, first) != 0 || bits_compare(bits_last(wider), last) > 0)
            break;
        p = wider;
    }
    return p;
}

/* "first-last": the fewest prefixes that hold exactly these addresses. */
static int range_parse(char *text, dt_prefix_list *out)
{
    char *dash = strchr(text, '-');
    dt_ip a, b;
    dt_bits first, last;

    *dash = '\0';
    if (ip_parse_plain(text, &a) != DT_OK || ip_parse_plain(dash + 1, &b) != DT_OK)
        return DT_E_PARSE;
    first = bits_of(a.octets);
    last = bits_of(b.octets);
    out->ipv4 = bits_are_ipv4(first);
    if (out->ipv4 != bits_are_ipv4(last) || bits_compare(first, last) > 0)
        return DT_E_PARSE;
    for (out->count = 0; out->count < DT_RANGE_PREFIX_MAX;) {
        dt_prefix p = prefix_largest(first, last);
        out->items[out->count++] = p;
        if (bits_compare(bits_last(p), last) == 0)
            return DT_OK;
        first = bits_next(bits_last(p));
    }
    return DT_E_LIMIT;
}

static int text_parse(char const *text, dt_prefix_list *out)
{
    char buf[DT_NETWORK_TEXT_MAX];
    if (text == NULL || dt_str_copy(buf, sizeof(buf), text) != DT_OK)
        return DT_E_PARSE;
    return strchr(buf, '-') != NULL ? range_parse(buf, out) : prefix_parse(buf, out);
}

/* --- the set ---------------------------------------------------------------------------------- */

int dt_network_set_new(dt_network_set **out)
{
    dt_network_set *s = calloc(1, sizeof(*s));

    *out = NULL;
    if (s == NULL)
        return DT_E_NOMEM;
    s->links = calloc(DT_LINKS_SHARED, sizeof(*s->links));
    if (s->links == NULL) {
        free(s);
        return DT_E_NOMEM;
    }
    for (uint32_t tag = 0; tag < DT_NETWORK_TAGS_MAX; tag++)
        s->links[tag + 1].tag = tag;
    s->link_count = s->link_cap = DT_LINKS_SHARED;
    *out = s;
    return DT_OK;
}

void dt_network_set_free(dt_network_set **s)
{
    if (s == NULL || *s == NULL)
        return;
    free((*s)->nodes);
    free((*s)->links);
    free(*s);
    *s = NULL;
}

/* Makes room for so many prefixes, so that what follows cannot fail half-way. */
static int set_reserve(dt_network_set *s, size_t prefixes)
{
    size_t need = s->count + 1 + prefixes * DT_NODES_PER_PREFIX;
    size_t cap = s->cap < DT_NETWORK_NODES_MIN ? DT_NETWORK_NODES_MIN : s->cap;
    dt_network_node *nodes;

    if (prefixes > DT_NETWORKS_MAX - s->prefixes)
        return DT_E_LIMIT;
    if (need <= s->cap)
        return DT_OK;
    while (cap < need)
        cap *= 2;
    nodes = realloc(s->nodes, cap * sizeof(*nodes));
    if (nodes == NULL)
        return DT_E_NOMEM;
    s->nodes = nodes;
    s->cap = (uint32_t)cap;
    return DT_OK;
}

/* Makes room for one link per prefix: each may be in another zone already. */
static int links_reserve(dt_network_set *s, size_t prefixes)
{
    size_t need = s->link_count + prefixes;
    size_t cap = s->link_cap;
    dt_tag_link *links;

    if (need <= cap)
        return DT_OK;
    while (cap < need)
        cap *= 2;
    links = realloc(s->links, cap * sizeof(*links));
    if (links == NULL)
        return DT_E_NOMEM;
    s->links = links;
    s->link_cap = (uint32_t)cap;
    return DT_OK;
}

/* The node has the tag, beside those that it had. Needs room for a link. */
static void node_tag(dt_network_set *s, dt_network_node *n, uint32_t tag)
{
    if (tag == DT_NETWORK_NO_TAG)
        return;
    for (uint32_t at = n->tags; at != 0; at = s->links[at].next)
        if (s->links[at].tag == tag)
            return;
    if (n->tags == 0) {
        n->tags = tag + 1;
        return;
    }
    s->links[s->link_count] = (dt_tag_link){tag, n->tags};
    n->tags = s->link_count++;
}

static uint32_t node_new(dt_network_set *s, dt_prefix prefix, uint32_t tag)
{
    dt_network_node *n = &s->nodes[++s->count];
    memset(n, 0, sizeof(*n));
    n->prefix = prefix;
    node_tag(s, n, tag);
    return s->count;
}

/* Puts a node for `p` above node `at`, which does not hold it: either `p` itself, or the branch
 * where both part. Returns the upper node. */
static uint32_t node_split(dt_network_set *s, uint32_t at, dt_prefix p, unsigned common,
                           uint32_t tag)
{
    dt_bits below = s->nodes[at].prefix.key;
    dt_prefix upper = {bits_mask(p.key, common), common};
    uint32_t top = node_new(s, upper, common == p.len ? tag : DT_NETWORK_NO_TAG);

    s->nodes[top].child[bit_at(below, common)] = at;
    if (common < p.len)
        s->nodes[top].child[bit_at(p.key, common)] = node_new(s, p, tag);
    return top;
}

/* Needs room for DT_NODES_PER_PREFIX nodes, so that `link` stays where it is. */
static void set_insert(dt_network_set *s, uint32_t *link, dt_prefix p, uint32_t tag)
{
    while (*link != 0) {
        dt_network_node *n = &s->nodes[*link];
        unsigned common = bits_common(n->prefix.key, p.key);
        if (common < n->prefix.len && common < p.len) {
            *link = node_split(s, *link, p, common, tag);
            return;
        }
        if (p.len < n->prefix.len) {
            *link = node_split(s, *link, p, p.len, tag);
            return;
        }
        if (p.len == n->prefix.len) {
            node_tag(s, n, tag);
            return;
        }
        link = &n->child[bit_at(p.key, n->prefix.len)];
    }
    *link = node_new(s, p, tag);
}

int dt_network_set_add(dt_network_set *s, char const *text, uint32_t tag, dt_error *e)
{
    dt_prefix_list list;
    char shown[DT_NETWORK_TEXT_MAX];
    int rc;

    if (text_parse(text, &list) != DT_OK)
        return dt_error_set(e, DT_E_INVALID,
                            "\"%s\" is no network: write 192.0.2.0/24, 2001:db8::/32, one address, "
                            "or a range first-last of one family",
                            dt_str_escape(shown, sizeof(shown), text == NULL ? "" : text));
    if (tag >= DT_NETWORK_TAGS_MAX && tag != DT_NETWORK_NO_TAG)
        return dt_error_set(e, DT_E_LIMIT, "more than %d tags", DT_NETWORK_TAGS_MAX);
    rc = set_reserve(s, list.count);
    if (rc == DT_OK)
        rc = links_reserve(s, list.count);
    if (rc == DT_E_LIMIT)
        return dt_error_set(e, rc, "more than %d networks", DT_NETWORKS_MAX);
    if (rc != DT_OK)
        return dt_error_set(e, rc, "out of memory");
    for (size_t i = 0; i < list.count; i++)
        set_insert(s, &s->root[list.ipv4], list.items[i], tag);
    s->prefixes += (uint32_t)list.count;
    return DT_OK;
}

void dt_network_set_lookup(dt_network_set const *s, dt_ip const *ip, dt_tag_set *out)
{
    dt_bits key;
    uint32_t at;

    if (s == NULL || ip == NULL || !ip->set)
        return;
    key = bits_of(ip->octets);
    at = s->root[bits_are_ipv4(key)];
    while (at != 0) {
        dt_network_node const *n = &s->nodes[at];
        if (bits_common(n->prefix.key, key) < n->prefix.len)
            break;
        for (uint32_t link = n->tags; link != 0; link = s->links[link].next)
            out->words[s->links[link].tag / 64] |= UINT64_C(1) << s->links[link].tag % 64;
        if (n->prefix.len == DT_IP_BITS)
            break;
        at = n->child[bit_at(key, n->prefix.len)];
    }
}

size_t dt_network_set_memory(dt_network_set const *s)
{
    return s == NULL ? 0
                     : sizeof(*s) + s->cap * sizeof(*s->nodes) + s->link_cap * sizeof(*s->links);
}
