/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IP addresses and the text of networks. */
#include "core/policy/network_internal.h"

#include <arpa/inet.h>
#include <string.h>

#define DT_IP_TEXT_MAX 64 /* longest address with brackets, port and zone, its NUL included */

/* --- bits ------------------------------------------------------------------------------------- */

dt_bits dt_bits_of(uint8_t const octets[16])
{
    dt_bits b = {0, 0};
    for (int i = 0; i < 8; i++) {
        b.hi = b.hi << 8 | octets[i];
        b.lo = b.lo << 8 | octets[i + 8];
    }
    return b;
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

dt_bits dt_prefix_last(dt_prefix p)
{
    dt_bits host = bits_mask((dt_bits){UINT64_MAX, UINT64_MAX}, p.len);
    return (dt_bits){p.key.hi | ~host.hi, p.key.lo | ~host.lo};
}

dt_bits dt_bits_next(dt_bits b)
{
    b.lo++;
    b.hi += b.lo == 0;
    return b;
}

dt_bits dt_bits_previous(dt_bits b)
{
    b.hi -= b.lo == 0;
    b.lo--;
    return b;
}

bool dt_bits_are_ipv4(dt_bits b)
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

/* Cuts "%zone" off; false when the zone is empty. Only link-local text has one, but what is after
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

/* "address[port]", as strongSwan writes it: leaves the address, which has no other port then. */
static bool drop_port_in_brackets(char *text, bool *dropped)
{
    char *open = strchr(text, '[');
    size_t len = strlen(text);
    *dropped = open != NULL;
    if (open == NULL)
        return true;
    if (text[len - 1] != ']')
        return false;
    text[len - 1] = *open = '\0';
    return is_port(open + 1);
}

/* Leaves the address alone in *text, without brackets and port. */
static bool drop_port_of_any_kind(char **text)
{
    bool dropped = false;
    if (**text == '[')
        return drop_brackets(text);
    return drop_port_in_brackets(*text, &dropped) && (dropped || drop_port(*text));
}

void dt_ip_text(dt_ip const *ip, char out[DT_IP_PLAIN_MAX])
{
    bool v4 = ip->set && dt_bits_are_ipv4(dt_bits_of(ip->octets));

    if (!ip->set || inet_ntop(v4 ? AF_INET : AF_INET6, ip->octets + (v4 ? 12 : 0), out,
                              DT_IP_PLAIN_MAX) == NULL)
        out[0] = '\0';
}

int dt_ip_parse(char const *text, dt_ip *out)
{
    char buf[DT_IP_TEXT_MAX];
    char *p = buf;

    memset(out, 0, sizeof(*out));
    if (text == NULL || dt_str_copy(buf, sizeof(buf), text) != DT_OK)
        return DT_E_PARSE;
    if (!drop_port_of_any_kind(&p) || !drop_zone(p))
        return DT_E_PARSE;
    return ip_parse_plain(p, out);
}

bool dt_ip_is_loopback(dt_ip const *ip)
{
    dt_bits b;
    if (ip == NULL || !ip->set)
        return false;
    b = dt_bits_of(ip->octets);
    return dt_bits_are_ipv4(b) ? ip->octets[12] == 127 : b.hi == 0 && b.lo == 1;
}

static bool is_in_ranges(dt_ip const *ip, dt_prefix const *ranges, size_t count)
{
    dt_bits b = dt_bits_of(ip->octets);

    for (size_t i = 0; i < count; i++)
        if (bits_common(ranges[i].key, b) >= ranges[i].len)
            return true;
    return false;
}

/* ::ffff:0:0/96 counts its lengths from 96. */
static dt_prefix const private_ranges[] = {
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
#define PRIVATE_RANGES (sizeof(private_ranges) / sizeof(private_ranges[0]))

bool dt_ip_is_private(dt_ip const *ip)
{
    return ip != NULL && ip->set && is_in_ranges(ip, private_ranges, PRIVATE_RANGES);
}

int dt_ip_private_each(dt_network_piece_fn *fn, void *ctx)
{
    int rc = DT_OK;

    for (size_t i = 0; rc == DT_OK && i < 2 * PRIVATE_RANGES; i++) {
        dt_prefix const *range = &private_ranges[i / 2];
        dt_ip ip = dt_ip_of_bits(i % 2 == 0 ? range->key : dt_bits_next(dt_prefix_last(*range)));
        rc = fn(ctx, &ip);
    }
    return rc;
}

dt_ip dt_ip_of_bits(dt_bits b)
{
    dt_ip ip = {.set = true};

    for (int i = 0; i < 8; i++) {
        ip.octets[i] = (uint8_t)(b.hi >> (56 - 8 * i));
        ip.octets[8 + i] = (uint8_t)(b.lo >> (56 - 8 * i));
    }
    return ip;
}

bool dt_ip_is_of_a_host(dt_ip const *ip)
{
    static dt_prefix const nobodys[] = {
        {{0, UINT64_C(0xffff00000000)}, 128},    /* 0.0.0.0 */
        {{0, UINT64_C(0xffffe0000000)}, 96 + 4}, /* 224.0.0.0/4 */
        {{0, UINT64_C(0xfffffffffffe)}, 127},    /* 255.255.255.254/31 */
        {{0, 0}, 128},                           /* :: */
        {{UINT64_C(0xff00000000000000), 0}, 8},  /* ff00::/8 */
    };

    return ip != NULL && ip->set &&
           !is_in_ranges(ip, nobodys, sizeof(nobodys) / sizeof(nobodys[0]));
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
    p->key = bits_mask(dt_bits_of(ip.octets), p->len);
    out->count = 1;
    out->ipv4 = p->len >= DT_IPV4_PREFIX_BITS && dt_bits_are_ipv4(p->key);
    return DT_OK;
}

/* The largest prefix that begins at `first` and does not go past `last`. */
static dt_prefix prefix_largest(dt_bits first, dt_bits last)
{
    dt_prefix p = {first, DT_IP_BITS};
    while (p.len > 0) {
        dt_prefix wider = {bits_mask(first, p.len - 1), p.len - 1};
        if (dt_bits_compare(wider.key, first) != 0 ||
            dt_bits_compare(dt_prefix_last(wider), last) > 0)
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
    first = dt_bits_of(a.octets);
    last = dt_bits_of(b.octets);
    out->ipv4 = dt_bits_are_ipv4(first);
    if (out->ipv4 != dt_bits_are_ipv4(last) || dt_bits_compare(first, last) > 0)
        return DT_E_PARSE;
    for (out->count = 0; out->count < DT_RANGE_PREFIX_MAX;) {
        dt_prefix p = prefix_largest(first, last);
        out->items[out->count++] = p;
        if (dt_bits_compare(dt_prefix_last(p), last) == 0)
            return DT_OK;
        first = dt_bits_next(dt_prefix_last(p));
    }
    return DT_E_LIMIT;
}

int dt_prefix_list_parse(char const *text, dt_prefix_list *out)
{
    char buf[DT_NETWORK_TEXT_MAX];
    if (text == NULL || dt_str_copy(buf, sizeof(buf), text) != DT_OK)
        return DT_E_PARSE;
    return strchr(buf, '-') != NULL ? range_parse(buf, out) : prefix_parse(buf, out);
}
